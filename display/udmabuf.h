/* A dma-buf of pages of memfds, made by the kernel's /dev/udmabuf: nothing is copied, the pages stay where they are. */
#ifndef GTMUX_DISPLAY_UDMABUF_H
#define GTMUX_DISPLAY_UDMABUF_H

#include <stddef.h>
#include <stdint.h>

/* Whole pages that lie together in a file. */
struct display_run {
    int fd;
    uint64_t off, len;
};

struct udmabuf {
    int fd;              /* of /dev/udmabuf; -1: none */
    uint32_t list_limit; /* runs in one dma-buf */
    uint64_t size_limit; /* bytes of one dma-buf */
};

/* Runs that the largest supported picture may need, for which list_limit should suffice. */
#define UDMABUF_RUNS_WANTED 16384u

/* Opens the device and reads its limits. 0, or -errno with a message that says what to do; then u->fd is -1 and
 * udmabuf_create fails. A limit that is too low for large pictures is no error but gives a message, too (else ""). */
int udmabuf_open(struct udmabuf *u, char *msg, size_t msgsz);
void udmabuf_close(struct udmabuf *u);
/* A descriptor of a new dma-buf, or -errno: -E2BIG: above the limits; -EINVAL: the kernel wants a memfd that is sealed
 * against shrinking and not against writing. */
int udmabuf_create(const struct udmabuf *u, const struct display_run *runs, size_t n);

#endif
