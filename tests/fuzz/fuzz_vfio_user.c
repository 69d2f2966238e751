/*
 * A hostile vfio-user client. The input is a script of steps; each is what one recvmsg of the server delivers:
 *
 *   byte 0    bits 0-2 how many descriptors come along (7 stands for 9: more than allowed), bits 3-5 which kind,
 *             bit 6 whether the payload is a body to which a correct header is added, bit 7 an interrupt is raised
 * first byte 1-2  payload length, little endian; cut to what is left payload   with bit 6 its first two bytes are the
 * command and the low byte of the flags
 *
 * The server gets the bytes in the pieces it asks for, but never the bytes of two steps at once, and replies are
 * checked and dropped. Nothing here depends on time, addresses or the kernel's scheduling.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ioreq/vfio_user_internal.h"
#include "vgpu/base/bits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REGION_SIZE (64u << 10)

enum fd_kind { FD_RAM, FD_SHORT, FD_EVENT, FD_PIPE, FD_READ_ONLY, FD_KINDS };

/* One run. The transport's functions know no context but the descriptor, so this is the only one. */
static struct run {
    const uint8_t *data; /* what is left of the script */
    size_t size;
    uint8_t step[70000]; /* bytes of the step being delivered */
    size_t at, len;
    unsigned fds; /* to come with its first byte */
    enum fd_kind kind;
    struct ioreq_transport *t;
    bool in_bracket;
} run;

static int kinds[FD_KINDS];

static void make_fds(void)
{
    int p[2];
    char path[40];

    kinds[FD_RAM] = memfd_create("ram", MFD_CLOEXEC);
    kinds[FD_SHORT] = memfd_create("short", MFD_CLOEXEC);
    kinds[FD_EVENT] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", kinds[FD_RAM]);
    kinds[FD_READ_ONLY] = open(path, O_RDONLY | O_CLOEXEC);
    if (pipe(p) || ftruncate(kinds[FD_RAM], 16 << 20) || ftruncate(kinds[FD_SHORT], 100))
        abort();
    kinds[FD_PIPE] = p[1];
    gt_log_set_level(GT_LOG_ERROR);
}

/* Loads the next step. False at the end of the script. */
static bool next_step(void)
{
    if (run.size < 3)
        return false;
    uint8_t control = run.data[0];
    size_t len = GT_MIN((size_t)(run.data[1] | run.data[2] << 8), run.size - 3);
    const uint8_t *payload = run.data + 3;

    run.at = run.len = 0;
    if ((control & 0x40) && len >= 2) {
        struct vu_header h = {.id = 1, .command = payload[0], .flags = payload[1]};

        h.size = (uint32_t)(sizeof(h) + len - 2);
        memcpy(run.step, &h, sizeof(h));
        memcpy(run.step + sizeof(h), payload + 2, len - 2);
        run.len = h.size;
    } else {
        memcpy(run.step, payload, len);
        run.len = len;
    }
    run.fds = (control & 7) == 7 ? 9 : control & 7;
    run.kind = (enum fd_kind)((control >> 3 & 7) % FD_KINDS);
    run.data += 3 + len;
    run.size -= 3 + len;
    if (control & 0x80)
        (void)run.t->ops->irq(run.t);
    return true;
}

/* Puts the step's descriptors into the control buffer, as the kernel does: as many as fit. */
static void deliver_fds(struct msghdr *m)
{
    size_t room = m->msg_controllen;
    unsigned n = GT_MIN(run.fds, (unsigned)VU_MAX_MSG_FDS);
    struct cmsghdr *c = m->msg_control;

    m->msg_controllen = 0;
    m->msg_flags = run.fds > n ? MSG_CTRUNC : 0;
    run.fds = 0;
    if (!n)
        return;
    if (room < CMSG_SPACE(n * sizeof(int)))
        abort();
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (unsigned i = 0; i < n; i++) {
        int fd = dup(kinds[run.kind]);
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
    }
    m->msg_controllen = CMSG_SPACE(n * sizeof(int));
}

static ssize_t fake_recvmsg(int fd, struct msghdr *m, int flags)
{
    (void)fd;
    (void)flags;
    if (!m->msg_iov->iov_len)
        abort(); /* would look like the end of the connection */
    while (run.at == run.len) {
        if (!next_step()) {
            m->msg_controllen = 0;
            return 0;
        }
    }
    size_t n = GT_MIN(run.len - run.at, m->msg_iov->iov_len);

    memcpy(m->msg_iov->iov_base, run.step + run.at, n);
    run.at += n;
    deliver_fds(m);
    return (ssize_t)n;
}

/* Every reply is well formed, and only region information brings a descriptor. */
static ssize_t fake_sendmsg(int fd, const struct msghdr *m, int flags)
{
    struct vu_header h;

    (void)fd;
    (void)flags;
    if (m->msg_iov->iov_len < sizeof(h))
        abort();
    memcpy(&h, m->msg_iov->iov_base, sizeof(h));
    if (h.size != m->msg_iov->iov_len || (h.flags & VU_TYPE_MASK) != VU_TYPE_REPLY)
        abort();
    if ((h.flags & VU_ERROR) ? !h.error || h.size != sizeof(h) : h.error != 0)
        abort();
    if (m->msg_controllen && h.command != VU_DEVICE_GET_REGION_INFO)
        abort();
    return (ssize_t)m->msg_iov->iov_len;
}

static void on_access(void *ctx, struct ioreq_access *a)
{
    uint64_t gpa = a->off << 4, word;

    (void)ctx;
    if (a->off + a->size > (a->region == IOREQ_CONFIG ? 256 : REGION_SIZE) || !a->size || (a->size & (a->size - 1)) ||
        a->size > 8)
        abort();
    /* A device that touches guest memory where the client tells it to. */
    if (a->write) {
        (void)run.t->ops->mem_write(run.t, a->data, &a->off, 8);
        (void)run.t->ops->mem_cas(run.t, a->data, a->size, &gpa, a->off);
    }
    a->data = run.t->ops->mem_read(run.t, gpa, &word, 8) ? 0 : word;
    uint8_t *page = run.t->ops->mem_page(run.t, gpa & ~UINT64_C(4095), a->write);
    if (page)
        a->data += page[4095];
}

static void on_memory_begin(void *ctx)
{
    (void)ctx;
    if (run.in_bracket)
        abort();
    run.in_bracket = true;
}

static void on_memory_end(void *ctx)
{
    (void)ctx;
    if (!run.in_bracket)
        abort();
    run.in_bracket = false;
}

static void on_other(void *ctx)
{
    (void)ctx;
}

/* A map of a guest whose client is gone holds nothing. */
static void check_clean(void)
{
    struct vfio_user *s = (struct vfio_user *)run.t;

    if (s->map.count || s->irqs.msi >= 0 || s->irqs.intx >= 0 || s->rx.nfds || s->client >= 0)
        abort();
}

static int lowest_free_fd(void)
{
    int fd = dup(kinds[FD_RAM]);

    close(fd);
    return fd;
}

/* One transport serves all runs, one client each: making one costs more than most runs. */
static void make_transport(void)
{
    static const struct ioreq_events events = {
        .access = on_access,
        .reset = on_other,
        .memory_begin = on_memory_begin,
        .memory_end = on_memory_end,
        .connected = on_other,
        .disconnected = on_other,
    };
    static const struct vu_io io = {fake_recvmsg, fake_sendmsg};
    struct ioreq_config cfg = {.events = &events};
    char err[200];

    for (unsigned i = 0; i < IOREQ_REGIONS; i++)
        cfg.region[i].mmap_fd = -1;
    cfg.region[IOREQ_BAR0] = (struct ioreq_region_info){.size = REGION_SIZE,
                                                        .readable = true,
                                                        .writable = true,
                                                        .mmap_fd = kinds[FD_RAM],
                                                        .mmap_off = 4096,
                                                        .mmap_size = 8192,
                                                        .mmap_fd_off = 0};
    cfg.region[IOREQ_CONFIG] =
        (struct ioreq_region_info){.size = 256, .readable = true, .writable = true, .mmap_fd = -1};
    if (vu_from_fd(&run.t, &cfg, eventfd(0, EFD_CLOEXEC), &io, err, sizeof(err)))
        abort();
    if (run.t->ops->dispatch(run.t, 0) != 1) /* this first client has an empty script */
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!run.t) {
        make_fds();
        make_transport();
    }
    int free_fd = lowest_free_fd();

    run.data = data;
    run.size = size;
    run.at = run.len = 0;
    run.fds = 0;
    run.in_bracket = false;
    /* Only its being a descriptor counts. */
    if (vu_adopt_client((struct vfio_user *)run.t, eventfd(0, EFD_CLOEXEC)))
        abort();
    while (run.t->ops->dispatch(run.t, 0) == 0)
        ;
    check_clean();
    if (lowest_free_fd() != free_fd)
        abort(); /* leaked one */
    return 0;
}
