/*
 * Shared by the vfio_user_*.c files only.
 *
 *   vfio_user.c          the transport object: open, dispatch, connect and disconnect
 *   vfio_user_listen.c   the listening socket and its file
 *   vfio_user_stream.c   bytes and file descriptors in, replies out
 *   vfio_user_command.c  one function a command
 *   vfio_user_version.c  the VERSION handshake and its JSON
 *   vfio_user_region.c   REGION_READ and REGION_WRITE
 *   vfio_user_irq.c      SET_IRQS and interrupt delivery
 */
#ifndef GTMUX_IOREQ_VFIO_USER_INTERNAL_H
#define GTMUX_IOREQ_VFIO_USER_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "ioreq/dma.h"
#include "ioreq/transport.h"
#include "ioreq/wire.h"
#include "vgpu/base/log.h"

/* Read when the buffer holds no part of a message: small, so that one dispatch stays short, and yet enough for every
 * message but the large data ones. */
#define VU_READ_CHUNK 4096u

/* Longest wait for a client that does not take its replies. */
#define VU_SEND_TIMEOUT_MS 2000

/* How bytes get in and out; recvmsg and sendmsg but for fuzzers. */
struct vu_io {
    ssize_t (*recvmsg)(int fd, struct msghdr *m, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *m, int flags);
};

/* Received and not yet handled: bytes [rd, wr) of buf, and the descriptors of the message that holds byte fds_end - 1.
 */
struct vu_rx {
    uint8_t *buf; /* VU_MAX_MESSAGE + VU_READ_CHUNK bytes */
    size_t rd, wr;
    int fds[VU_MAX_MSG_FDS];
    unsigned nfds;
    size_t fds_end; /* 0: none came */
    bool fds_lost;  /* more came than we take; the message must be refused */
};

struct vu_irqs {
    pthread_mutex_t lock; /* irq() runs on any thread */
    int intx, msi;        /* eventfds or -1 */
    bool intx_masked;     /* INTx masks itself at each interrupt until the client unmasks it */
    bool intx_pending;    /* came while masked */
};

struct vu_listener {
    int fd; /* -1: none */
    char *path;
    dev_t dev; /* of the socket file that we made */
    ino_t ino;
};

struct vfio_user {
    struct ioreq_transport t; /* first */
    struct ioreq_config cfg;
    struct ioreq_events events;
    struct vu_io io;
    struct vu_listener listener;
    int epoll;           /* what the user polls: the client, or the listener while there is none */
    int client;          /* -1: none */
    bool ready;          /* the client has passed VERSION */
    unsigned client_fds; /* descriptors that it takes in one message */
    struct vu_rx rx;
    uint8_t *tx; /* VU_MAX_MESSAGE bytes: the reply being made */
    struct dma_map map;
    struct vu_irqs irqs;
    struct gt_ratelimit log_rl; /* for lines that the client can cause */
};

/* A received command, and what its handler answers. */
struct vu_message {
    struct vu_header h;
    const uint8_t *body;
    size_t len;
    int *fds; /* a handler that keeps one puts -1 in its place; the rest is closed after it */
    unsigned nfds;
    bool fds_lost;  /* more were sent than we could take */
    uint8_t *reply; /* reply body, VU_MAX_BODY bytes of room */
    size_t reply_len;
    int reply_fd; /* sent along and stays ours; -1: none */
};

/* vfio_user.c. Like ioreq_vfio_user_from_fd, with other means to receive and send. */
int vu_from_fd(struct ioreq_transport **out, const struct ioreq_config *cfg, int fd, const struct vu_io *io, char *err,
               size_t errsz);

/* Bracket every change of s->map: the user's events, where it has them. */
void vu_memory_begin(struct vfio_user *s);
void vu_memory_end(struct vfio_user *s);

/* Takes a connected socket as the client; there must be none. Nothing of an earlier one is left. 0 or -errno. */
int vu_adopt_client(struct vfio_user *s, int fd);

/* vfio_user_listen.c. 0 or -errno, message in err. */
int vu_listen(struct vu_listener *l, const char *path, char *err, size_t errsz);
void vu_unlisten(struct vu_listener *l);

/* vfio_user_stream.c */
/* Reads what has come. >0 bytes; 0 the client has gone; -EAGAIN nothing there; -errno. */
ssize_t vu_receive(struct vfio_user *s);
/* The next complete message, taken from the buffer. 1 yes; 0 more bytes are needed; -EPROTO its size is impossible
 * (m->h is set), so that the rest of the stream cannot be understood. */
int vu_next_message(struct vfio_user *s, struct vu_message *m);
void vu_close_fds(int *fds, unsigned n);
/* Sends a reply: an error when error is not 0, else m->reply. 0 or -errno. */
int vu_reply(struct vfio_user *s, const struct vu_message *m, int error);
void vu_rx_reset(struct vu_rx *rx);

/* vfio_user_command.c. Carries out a command. 0 or -errno for the reply. */
int vu_command(struct vfio_user *s, struct vu_message *m);

/* vfio_user_version.c, vfio_user_region.c, vfio_user_irq.c: as vu_command. */
int vu_version(struct vfio_user *s, struct vu_message *m);
int vu_region_read(struct vfio_user *s, struct vu_message *m);
int vu_region_write(struct vfio_user *s, struct vu_message *m);
int vu_get_irq_info(struct vfio_user *s, struct vu_message *m);
int vu_set_irqs(struct vfio_user *s, struct vu_message *m);

void vu_irqs_init(struct vu_irqs *q);
void vu_irqs_release(struct vu_irqs *q); /* closes the eventfds */
int vu_irq_raise(struct vu_irqs *q);     /* any thread. 0 or -errno; -ENOTCONN: no client asked for interrupts */

#endif
