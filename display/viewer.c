#include "display/viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "display/format.h"
#include "vgpu/base/bits.h"

#define SEND_TIMEOUT_S    5
#define CONNECT_TIMEOUT_S 2 /* for a gtmux-dm that does not accept */
#define MESSAGES_A_CALL   64u

struct display_viewer {
    int sock;
    const struct viewer_events *events;
    void *ctx;
    char guest[DISPLAY_NAME_MAX];
    bool greeted;
    struct viewer_frame frame[DISPLAY_SLOTS];
    unsigned nlayers; /* of the flip that comes */
    uint32_t layer_serial;
    struct viewer_layer layer[DISPLAY_LAYERS];
};

static int send_header(struct display_viewer *v, uint16_t type, uint32_t serial)
{
    const struct display_header h = {.type = type, .size = sizeof(h), .serial = serial};

    return send(v->sock, &h, sizeof(h), MSG_NOSIGNAL) == (ssize_t)sizeof(h) ? 0 : -errno;
}

/* ---- life */

int viewer_attach(struct display_viewer **out, int sock, unsigned head, const struct viewer_events *events, void *ctx,
                  char *err, size_t errsz)
{
    const struct timeval patience = {.tv_sec = SEND_TIMEOUT_S};
    const struct display_attach m = {.h = {.type = DISPLAY_ATTACH, .size = sizeof(m)},
                                     .magic = DISPLAY_MAGIC,
                                     .version = DISPLAY_VERSION,
                                     .head = head,
                                     .flags = (events->paced ? DISPLAY_ATTACH_PACED : 0) |
                                              (events->layers ? DISPLAY_ATTACH_LAYERS : 0)};
    struct display_viewer *v = calloc(1, sizeof(*v));

    *out = NULL;
    if (!v || setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
        send(sock, &m, sizeof(m), MSG_NOSIGNAL) != (ssize_t)sizeof(m)) {
        int error = v ? errno : ENOMEM;

        snprintf(err, errsz, "cannot ask for head %u: %s", head, strerror(error));
        free(v);
        close(sock);
        return -error;
    }
    *v = (struct display_viewer){.sock = sock, .events = events, .ctx = ctx};
    *out = v;
    return 0;
}

int viewer_connect(struct display_viewer **out, const char *path, unsigned head, const struct viewer_events *events,
                   void *ctx, char *err, size_t errsz)
{
    const struct timeval patience = {.tv_sec = CONNECT_TIMEOUT_S};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int sock;

    *out = NULL;
    if (strlen(path) >= sizeof(a.sun_path)) {
        snprintf(err, errsz, "the path %s is too long for a socket", path);
        return -ENAMETOOLONG;
    }
    memcpy(a.sun_path, path, strlen(path));
    sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
        connect(sock, (struct sockaddr *)&a, sizeof(a))) {
        int error = errno == EAGAIN ? ETIMEDOUT : errno;

        snprintf(err, errsz, "cannot connect to %s: %s", path, strerror(error));
        if (sock >= 0)
            close(sock);
        return -error;
    }
    return viewer_attach(out, sock, head, events, ctx, err, errsz);
}

static void drop_frame(struct display_viewer *v, struct viewer_frame *f)
{
    if (!f->id)
        return;
    if (v->events->gone)
        v->events->gone(v->ctx, f);
    for (unsigned i = 0; i < v->nlayers; i++)
        if (v->layer[i].frame == f)
            v->nlayers = 0; /* the flip that they are for will not do */
    if (f->map)
        munmap((void *)(uintptr_t)f->map, f->bytes);
    close(f->fd);
    *f = (struct viewer_frame){.fd = -1};
}

void viewer_close(struct display_viewer *v)
{
    if (!v)
        return;
    for (unsigned i = 0; i < DISPLAY_SLOTS; i++)
        drop_frame(v, &v->frame[i]);
    close(v->sock);
    free(v);
}

int viewer_fd(const struct display_viewer *v)
{
    return v->sock;
}

const char *viewer_guest(const struct display_viewer *v)
{
    return v->guest;
}

int viewer_shown(struct display_viewer *v, uint32_t serial)
{
    return send_header(v, DISPLAY_SHOWN, serial);
}

int viewer_compose(struct display_viewer *v, uint32_t serial)
{
    return send_header(v, DISPLAY_COMPOSE, serial);
}

int viewer_refresh(struct display_viewer *v)
{
    return send_header(v, DISPLAY_REFRESH, 0);
}

const uint8_t *viewer_map(struct viewer_frame *f)
{
    if (f->map)
        return f->map;
    void *p = mmap(NULL, f->bytes, PROT_READ, MAP_SHARED, f->fd, 0);

    f->map = p == MAP_FAILED ? NULL : p;
    return f->map;
}

/* ---- what comes */

/* A memfd that cannot get shorter below our mapping, or a dma-buf, of at least so many bytes. */
static bool memory_ok(int fd, bool shared, uint64_t bytes)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs fs;
    off_t size = lseek(fd, 0, SEEK_END);

    if (size < 0 || (uint64_t)size < bytes)
        return false;
    if (seals >= 0)
        return (seals & F_SEAL_SHRINK) != 0;
    return shared && !fstatfs(fd, &fs) && fs.f_type == DMA_BUF_MAGIC;
}

/* Every pixel lies inside of the memory. */
static bool image_ok(const struct display_frame *m, enum vgpu_format format, enum vgpu_tiling tiling)
{
    uint32_t tile_w, tile_h;

    if (!m->width || !m->height || m->width > VIEWER_SIDE_MAX || m->height > VIEWER_SIDE_MAX)
        return false;
    vgpu_tile_shape(tiling, vgpu_format_cpp(format), &tile_w, &tile_h);
    uint64_t row = (uint64_t)m->width * vgpu_format_cpp(format);

    if (m->stride < row || (tiling != VGPU_LINEAR && m->stride % tile_w) || m->stride % vgpu_format_cpp(format))
        return false;
    return (uint64_t)m->stride * gt_align_up(m->height, tile_h) <= m->bytes;
}

static int on_frame(struct display_viewer *v, const struct display_frame *m, int *fd)
{
    const bool shared = m->flags & DISPLAY_FRAME_SHARED;
    enum vgpu_format format;
    enum vgpu_tiling tiling;

    if (*fd < 0 || m->slot >= DISPLAY_SLOTS || !m->id || !display_from_fourcc(m->fourcc, &format) ||
        !display_from_modifier(m->modifier, &tiling) || !image_ok(m, format, tiling) ||
        !memory_ok(*fd, shared, m->bytes))
        return -EPROTO;
    struct viewer_frame *f = &v->frame[m->slot];

    drop_frame(v, f);
    *f = (struct viewer_frame){
        .id = m->id,
        .fd = *fd,
        .shared = shared,
        .format = format,
        .tiling = tiling,
        .fourcc = m->fourcc,
        .width = m->width,
        .height = m->height,
        .stride = m->stride,
        .modifier = m->modifier,
        .bytes = m->bytes,
    };
    *fd = -1;
    return 0;
}

/* The frame in a slot, or NULL. */
static struct viewer_frame *find(struct display_viewer *v, uint32_t slot, uint32_t id)
{
    return slot < DISPLAY_SLOTS && id && v->frame[slot].id == id ? &v->frame[slot] : NULL;
}

static int on_forget(struct display_viewer *v, const struct display_forget *m)
{
    struct viewer_frame *f = find(v, m->slot, m->id);

    if (f)
        drop_frame(v, f);
    return 0;
}

/* Part of the frame, and somewhere near the picture. */
static bool layer_ok(const struct display_layer *m, const struct viewer_frame *f)
{
    return f && m->width && m->height && gt_range_ok(m->x, m->width, f->width) &&
           gt_range_ok(m->y, m->height, f->height) && m->to_width && m->to_height && m->to_width <= VIEWER_SIDE_MAX &&
           m->to_height <= VIEWER_SIDE_MAX && abs(m->to_x) <= (int)VIEWER_SIDE_MAX &&
           abs(m->to_y) <= (int)VIEWER_SIDE_MAX && m->blend <= DISPLAY_COVERAGE && m->alpha <= DISPLAY_ALPHA_MAX;
}

static int on_layer(struct display_viewer *v, const struct display_layer *m)
{
    struct viewer_frame *f = find(v, m->slot, m->id);

    if (!v->events->layers || m->index >= DISPLAY_LAYERS || m->to_x == INT32_MIN || m->to_y == INT32_MIN ||
        !layer_ok(m, f))
        return -EPROTO;
    if (!m->index)
        v->nlayers = 0;
    if (m->index != v->nlayers || (m->index && m->h.serial != v->layer_serial))
        return -EPROTO;
    v->layer_serial = m->h.serial;
    v->layer[v->nlayers++] = (struct viewer_layer){
        .frame = f,
        .x = m->x,
        .y = m->y,
        .width = m->width,
        .height = m->height,
        .to_x = m->to_x,
        .to_y = m->to_y,
        .to_width = m->to_width,
        .to_height = m->to_height,
        .blend = (enum display_blend)m->blend,
        .alpha = m->alpha,
    };
    return 0;
}

static int on_flip(struct display_viewer *v, const struct display_flip *m)
{
    struct viewer_flip flip = {
        .frame = find(v, m->slot, m->id),
        .x = m->x,
        .y = m->y,
        .width = m->width,
        .height = m->height,
        .mhz = m->mhz,
        .nlayers = m->layers,
        .serial = m->h.serial,
        .ns = m->ns,
    };

    if (!m->h.serial || (m->id && !flip.frame))
        return -EPROTO;
    if (m->layers && (!flip.frame || m->layers != v->nlayers || v->layer_serial != m->h.serial))
        return -EPROTO;
    memcpy(flip.layer, v->layer, sizeof(*v->layer) * m->layers);
    v->nlayers = 0;
    if (flip.frame && (!m->width || !m->height || !gt_range_ok(m->x, m->width, flip.frame->width) ||
                       !gt_range_ok(m->y, m->height, flip.frame->height)))
        return -EPROTO;
    v->events->flip(v->ctx, &flip);
    return 0;
}

static int on_damage(struct display_viewer *v, const struct display_damage *m)
{
    struct viewer_frame *f = find(v, m->slot, m->id);

    if (!f || m->first >= m->end || m->end > f->height)
        return -EPROTO;
    if (v->events->damage)
        v->events->damage(v->ctx, f, m->first, m->end);
    return 0;
}

static int on_cursor(struct display_viewer *v, const struct display_cursor *m)
{
    const struct viewer_cursor c = {
        .frame = find(v, m->slot, m->id), .x = m->x, .y = m->y, .width = m->width, .height = m->height};

    if (m->id && (!c.frame || c.frame->format != VGPU_FMT_ARGB8888 || c.frame->tiling != VGPU_LINEAR || !c.width ||
                  !c.height || c.width > c.frame->width || c.height > c.frame->height))
        return -EPROTO;
    if (v->events->cursor)
        v->events->cursor(v->ctx, &c);
    return 0;
}

static int on_hello(struct display_viewer *v, const struct display_hello *m)
{
    if (v->greeted || m->magic != DISPLAY_MAGIC || m->version != DISPLAY_VERSION || m->name[DISPLAY_NAME_MAX - 1])
        return -EPROTO;
    memcpy(v->guest, m->name, sizeof(v->guest));
    v->greeted = true;
    return 0;
}

static int handle(struct display_viewer *v, const void *message, size_t n, int *fd)
{
    struct display_header h;

    if (n < sizeof(h))
        return -EPROTO;
    memcpy(&h, message, sizeof(h));
    if (h.size != n || (!v->greeted && h.type != DISPLAY_HELLO))
        return -EPROTO;
    switch (h.type) {
    case DISPLAY_HELLO:
        return n == sizeof(struct display_hello) ? on_hello(v, message) : -EPROTO;
    case DISPLAY_FRAME:
        return n == sizeof(struct display_frame) ? on_frame(v, message, fd) : -EPROTO;
    case DISPLAY_FORGET:
        return n == sizeof(struct display_forget) ? on_forget(v, message) : -EPROTO;
    case DISPLAY_LAYER:
        return n == sizeof(struct display_layer) ? on_layer(v, message) : -EPROTO;
    case DISPLAY_FLIP:
        return n == sizeof(struct display_flip) ? on_flip(v, message) : -EPROTO;
    case DISPLAY_DAMAGE:
        return n == sizeof(struct display_damage) ? on_damage(v, message) : -EPROTO;
    case DISPLAY_CURSOR:
        return n == sizeof(struct display_cursor) ? on_cursor(v, message) : -EPROTO;
    default:
        return -EPROTO;
    }
}

/* Takes the one descriptor that may have come; all others are closed. */
static int take_fd(struct msghdr *m)
{
    int fd = -1;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int got;

            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
            if (fd < 0)
                fd = got;
            else
                close(got);
        }
    }
    return fd;
}

/* 1 handled one; 0 there is none; -errno. */
static int receive(struct display_viewer *v)
{
    _Alignas(8) uint8_t message[DISPLAY_MESSAGE_MAX];
    union {
        char buf[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec io = {.iov_base = message, .iov_len = sizeof(message)};
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
    ssize_t n = recvmsg(v->sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (!n)
        return -ECONNRESET;
    int fd = take_fd(&m);
    int ret = m.msg_flags & MSG_TRUNC ? -EPROTO : handle(v, message, (size_t)n, &fd);

    if (fd >= 0)
        close(fd);
    return ret ? ret : 1;
}

int viewer_dispatch(struct display_viewer *v)
{
    int ret = 1;

    for (unsigned i = 0; i < MESSAGES_A_CALL && ret > 0; i++)
        ret = receive(v);
    return GT_MIN(ret, 0);
}
