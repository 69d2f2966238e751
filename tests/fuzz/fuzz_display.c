/*
 * Both ends of the display socket. The first byte of the input says which end is hostile; then come steps:
 *
 *   hostile viewer   byte 0: what happens before it (the guest flips, moves its cursor, gets other pages, goes dark;
 * time passes), byte 1: length of a packet, which follows hostile dm       byte 0: which descriptor comes along (none,
 * a sealed memfd, an unsealed one, a pipe), byte 1: the same
 *
 * With bit 7 of byte 1 a packet gets a correct header for the type in its first byte, so that what lies behind it is
 * reached.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "display/server.h"
#include "display/viewer.h"
#include "display/wire.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGES 1024u

static struct guest {
    struct vgpu_scanout scanout;
    bool lit;
    uint32_t turn;
    uint8_t ram[PAGES * DISPLAY_PAGE];
} guest;

static bool g_scanout(void *ctx, unsigned head, struct vgpu_scanout *out)
{
    (void)ctx;
    *out = guest.scanout;
    return guest.lit && !head;
}

static bool g_enter(void *ctx)
{
    (void)ctx;
    return true;
}

static void g_leave(void *ctx)
{
    (void)ctx;
}

static void g_pages(void *ctx, uint64_t ggtt, size_t n, uint64_t *gpa)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++)
        gpa[i] = (ggtt / DISPLAY_PAGE + i + guest.turn) % PAGES * DISPLAY_PAGE;
}

static const uint8_t *g_page(void *ctx, uint64_t gpa, uint8_t *room)
{
    (void)ctx;
    (void)room;
    return guest.ram + gpa;
}

static int g_read(void *ctx, uint64_t ggtt, void *dst, size_t n)
{
    (void)ctx;
    (void)ggtt;
    memset(dst, 0, n);
    return 0;
}

static void g_flip_wait(void *ctx, unsigned head, uint64_t ns)
{
    (void)ctx;
    (void)ns;
    if (head >= DISPLAY_HEADS)
        abort();
}

static void g_flip_shown(void *ctx, unsigned head, uint32_t flip)
{
    (void)ctx;
    if (head >= DISPLAY_HEADS || flip > guest.scanout.flip)
        abort();
}

static const struct display_host host = {.scanout = g_scanout,
                                         .enter = g_enter,
                                         .leave = g_leave,
                                         .pages = g_pages,
                                         .page = g_page,
                                         .read = g_read,
                                         .flip_wait = g_flip_wait,
                                         .flip_shown = g_flip_shown};

/* The packet of a step, taken from the input. Returns its length. */
static size_t take(const uint8_t **data, size_t *size, uint8_t *packet, uint8_t *first)
{
    *first = (*data)[0];
    size_t n = GT_MIN((size_t)((*data)[1] & 0x7f), *size - 2);
    const bool header = (*data)[1] & 0x80;

    memcpy(packet, *data + 2, n);
    *data += 2 + n;
    *size -= 2 + n;
    if (header && n >= sizeof(struct display_header)) {
        struct display_header h;

        memcpy(&h, packet, sizeof(h));
        h.type = packet[0] % 24;
        h.size = (uint16_t)n;
        h.serial &= 0xff;
        memcpy(packet, &h, sizeof(h));
    }
    return n;
}

/* ---- a hostile viewer */

static void guest_acts(uint8_t what, uint64_t *now)
{
    struct vgpu_surface *s = guest.scanout.plane;

    guest.scanout.nplanes = 1 + (what >> 1 & 1);
    s[1].kind = what & 0x10 ? VGPU_PLANE_SPRITE : VGPU_PLANE_CURSOR;
    guest.lit = what & 1;
    guest.turn += what >> 2 & 1;
    guest.scanout.flip++;
    s[0].ggtt = (uint64_t)(what >> 3 & 3) * 64 * DISPLAY_PAGE;
    s[0].tiling = (enum vgpu_tiling)(what >> 5 & 3);
    s[1].dst_x = what;
    *now += what & 0x80 ? UINT64_C(3000000000) : UINT64_C(20000000);
}

static void guest_begins(void)
{
    guest.lit = true;
    guest.scanout = (struct vgpu_scanout){.width = 64, .height = 32, .mhz = 60000, .nplanes = 1};
    guest.scanout.plane[0] =
        (struct vgpu_surface){.format = VGPU_FMT_XRGB8888, .stride_bytes = 512, .width = 64, .height = 32};
    guest.scanout.plane[1] = (struct vgpu_surface){.kind = VGPU_PLANE_CURSOR,
                                                   .format = VGPU_FMT_ARGB8888,
                                                   .alpha = true,
                                                   .ggtt = UINT64_C(512) * DISPLAY_PAGE,
                                                   .stride_bytes = 256,
                                                   .width = 64,
                                                   .height = 64};
}

static void step(struct display_server *s, uint64_t now)
{
    struct pollfd fds[DISPLAY_FDS];
    unsigned n = display_server_poll(s, fds);

    if (poll(fds, n, 0) >= 0)
        display_server_step(s, fds, n, now);
}

/* What comes back must make sense to a viewer of ours: it is read and dropped, descriptors too. */
static bool drain(int fd)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    uint8_t buf[256];
    ssize_t n;

    for (;;) {
        struct iovec io = {buf, sizeof(buf)};
        struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

        n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n <= 0)
            return n == 0 || errno != EAGAIN;
        struct display_header h;

        memcpy(&h, buf, sizeof(h));
        if (h.size != n || n > (ssize_t)DISPLAY_MESSAGE_MAX)
            abort();
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int got;

        if (c && c->cmsg_type == SCM_RIGHTS) {
            memcpy(&got, CMSG_DATA(c), sizeof(got));
            close(got);
        }
    }
}

static int connect_to(const struct sockaddr_un *a, socklen_t len)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)a, len))
        abort();
    return fd;
}

static void hostile_viewer(const uint8_t *data, size_t size)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t);
    const struct udmabuf none = {.fd = -1};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    /* The kernel chooses a name. */
    if (bind(listener, (struct sockaddr *)&a, len) || listen(listener, 4))
        abort();
    len = sizeof(a);
    if (getsockname(listener, (struct sockaddr *)&a, &len))
        abort();
    struct display_server *s = display_server_create(&host, &none, listener, "g");
    uint64_t now = 1000;

    guest_begins();
    int fd = connect_to(&a, len);

    while (size > 2) {
        uint8_t packet[128], what;
        size_t n = take(&data, &size, packet, &what);

        guest_acts(what, &now);
        display_server_changed(s, now);
        (void)!send(fd, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        step(s, now);
        step(s, now);
        if (drain(fd)) {
            close(fd);
            fd = connect_to(&a, len);
        }
    }
    close(fd);
    step(s, now);
    step(s, now);
    if (display_server_watched(s))
        abort();
    display_server_destroy(s);
    close(listener);
}

/* ---- a hostile dm */

static void see_flip(void *ctx, const struct viewer_flip *f)
{
    volatile uint8_t sum = 0;
    const uint8_t *p = f->frame ? viewer_map(f->frame) : NULL;

    (void)ctx;
    for (uint64_t i = 0; p && i < f->frame->bytes; i += DISPLAY_PAGE)
        sum = (uint8_t)(sum + p[i]);
    if (f->frame && (f->x + f->width > f->frame->width || f->y + f->height > f->frame->height))
        abort();
    if (f->nlayers > DISPLAY_LAYERS || (f->nlayers && !f->frame))
        abort();
    for (unsigned i = 0; i < f->nlayers; i++) {
        const struct viewer_layer *l = &f->layer[i];

        if (l->x + l->width > l->frame->width || l->y + l->height > l->frame->height || !viewer_map(l->frame))
            abort();
    }
}

static void see_cursor(void *ctx, const struct viewer_cursor *c)
{
    (void)ctx;
    if (c->frame && (c->width > c->frame->width || c->height > c->frame->height))
        abort();
}

static void hostile_dm(const uint8_t *data, size_t size)
{
    static const struct viewer_events events = {.flip = see_flip, .cursor = see_cursor, .layers = true};
    static int fds[4] = {-1};
    char err[128];
    int s[2], p[2];

    if (!fds[1]) {
        fds[1] = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        fds[2] = memfd_create("unsealed", MFD_CLOEXEC);
        if (ftruncate(fds[1], 65536) || fcntl(fds[1], F_ADD_SEALS, F_SEAL_SHRINK) || ftruncate(fds[2], 65536) ||
            pipe(p))
            abort();
        fds[3] = p[1];
    }
    struct display_viewer *v;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) ||
        viewer_attach(&v, s[1], 0, &events, NULL, err, sizeof(err)))
        abort();
    struct display_hello hello = {
        .h = {.type = DISPLAY_HELLO, .size = sizeof(hello)}, .magic = DISPLAY_MAGIC, .version = DISPLAY_VERSION};
    int ret = 0;

    (void)!send(s[0], &hello, sizeof(hello), MSG_NOSIGNAL);
    while (size > 2 && !ret) {
        char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
        uint8_t packet[128], what;
        struct iovec io = {packet, take(&data, &size, packet, &what)};
        struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

        if (fds[what & 3] >= 0) {
            m.msg_control = control;
            m.msg_controllen = sizeof(control);
            *CMSG_FIRSTHDR(&m) =
                (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
            memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fds[what & 3], sizeof(int));
        }
        (void)!sendmsg(s[0], &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        ret = viewer_dispatch(v);
    }
    viewer_close(v);
    close(s[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4 || size > 8192)
        return 0;
    gt_log_set_level(GT_LOG_ERROR);
    if (data[0] & 1)
        hostile_dm(data + 1, size - 1);
    else
        hostile_viewer(data + 1, size - 1);
    return 0;
}
