/*
 * Processor time of a flip between two pictures, on this machine: the server of the display socket and a sink, in one
 * process. A picture that is shared, which the sink scans out; that the sink copies; that gtmux-dm copies; that both
 * copy. The cases take turns, and the least of each counts. "dma-bufs" are memfds here, so what the kernel does in a
 * flip of a monitor is not in these figures; it is the same in all cases.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "display/pixels.h"
#include "display/server_internal.h"
#include "display/viewer.h"
#include "vgpu/base/bits.h"

#define PAGES  32768u /* of guest memory: 128 MiB */
#define CPP    4u
#define ROUNDS 3u
#define FLIPS  12u

struct guest {
    uint8_t *ram;
    struct vgpu_scanout scanout;
    bool refuse; /* no dma-bufs */
};

struct sink {
    struct display_viewer *v;
    uint8_t *copy; /* NULL: scans out */
    size_t stride;
    unsigned flips;
};

static struct guest guest;

/* ---- the guest: page n of the GGTT is page n * 1021 of its memory */

static bool g_scanout(void *ctx, unsigned head, struct vgpu_scanout *out)
{
    (void)ctx;
    *out = guest.scanout;
    return head == 0;
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
        gpa[i] = (ggtt / DISPLAY_PAGE + i) * 1021 % PAGES * DISPLAY_PAGE;
}

static int g_runs(void *ctx, const uint64_t *gpa, size_t n, struct display_run *out, size_t max)
{
    (void)ctx;
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = (struct display_run){.fd = 1000, .off = gpa[i], .len = DISPLAY_PAGE};
    return n <= max ? (int)n : -ENOSPC;
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

static int make_dmabuf(const struct udmabuf *u, const struct display_run *runs, size_t n)
{
    (void)u;
    (void)runs;
    if (guest.refuse)
        return -ENODEV;
    int fd = memfd_create("dmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || posix_fallocate(fd, 0, (off_t)(n * DISPLAY_PAGE)) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
        return -errno;
    return fd;
}

/* ---- the sink */

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct sink *s = ctx;
    const struct damage_box box = {f->x, f->y, f->x + f->width, f->y + f->height};

    if (s->copy && f->frame && viewer_map(f->frame))
        pixels_copy(f->frame, &box, false, s->copy, s->stride);
    s->flips++;
    viewer_shown(s->v, f->serial);
}

static void step(struct display_server *srv, struct sink *s, uint64_t now)
{
    for (unsigned i = 0; i < 3; i++) {
        struct pollfd fds[DISPLAY_FDS];
        unsigned n = display_server_poll(srv, fds);

        poll(fds, n, 0);
        display_server_step(srv, fds, n, now);
        if (s->v && viewer_dispatch(s->v))
            abort();
    }
}

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- a case */

static int listen_here(struct sockaddr_un *a, socklen_t *len)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "gtmux-bench-%d", (int)getpid());

    *len = (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)n);
    if (bind(fd, (struct sockaddr *)a, *len) || listen(fd, 4))
        abort();
    return fd;
}

/* Milliseconds of processor time a flip. */
static double flip_cost(uint32_t width, uint32_t height, enum vgpu_tiling tiling, bool dm_copies, uint8_t *sink_copy)
{
    static const struct viewer_events events = {.flip = on_flip, .paced = true};
    static const struct display_host host = {.scanout = g_scanout,
                                             .enter = g_enter,
                                             .leave = g_leave,
                                             .pages = g_pages,
                                             .runs = g_runs,
                                             .page = g_page,
                                             .read = g_read};
    const struct udmabuf u = {.fd = 1000, .list_limit = UDMABUF_RUNS_WANTED, .size_limit = 64u << 20};
    struct sink s = {.copy = sink_copy, .stride = (size_t)width * CPP};
    uint64_t now = UINT64_C(1000000000);
    struct sockaddr_un address;
    socklen_t len;
    char err[128];

    guest.refuse = dm_copies;
    guest.scanout = (struct vgpu_scanout){.width = width, .height = height, .mhz = 60000, .nplanes = 1};
    guest.scanout.plane[0] = (struct vgpu_surface){.format = VGPU_FMT_XRGB8888,
                                                   .tiling = tiling,
                                                   .stride_bytes = (uint32_t)gt_align_up((uint64_t)width * CPP, 512),
                                                   .width = width,
                                                   .height = height};
    int listener = listen_here(&address, &len), fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct display_server *srv = display_server_create(&host, &u, listener, "g");

    srv->frames.create = make_dmabuf;
    if (connect(fd, (struct sockaddr *)&address, len) || viewer_attach(&s.v, fd, 0, &events, &s, err, sizeof(err)))
        abort();
    double start = 0;
    unsigned first = 0;

    for (unsigned i = 0; i < FLIPS + 4; i++) {
        if (i == 4) { /* both frames are made and mapped */
            start = cpu_ms();
            first = s.flips;
        }
        now += UINT64_C(16666667);
        guest.scanout.plane[0].ggtt = (i % 2) * UINT64_C(0x4000000);
        guest.scanout.flip++;
        guest.scanout.flip_ns = now;
        display_server_changed(srv, now);
        step(srv, &s, now);
    }
    double each = (cpu_ms() - start) / (s.flips - first);

    viewer_close(s.v);
    display_server_destroy(srv);
    close(listener);
    return each;
}

static void report(uint32_t width, uint32_t height, uint8_t *copy)
{
    static const struct {
        const char *name;
        enum vgpu_tiling tiling;
        bool dm, sink;
    } rows[] = {
        {"shared, scanned out", VGPU_LINEAR, false, false},
        {"shared, copied by the sink", VGPU_LINEAR, false, true},
        {"shared, X detiled by the sink", VGPU_TILE_X, false, true},
        {"shared, Y detiled by the sink", VGPU_TILE_Y, false, true},
        {"copied by gtmux-dm", VGPU_LINEAR, true, false},
        {"copied by gtmux-dm and the sink", VGPU_LINEAR, true, true},
    };
    double best[GT_ARRAY_SIZE(rows)];

    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
            double ms = flip_cost(width, height, rows[i].tiling, rows[i].dm, rows[i].sink ? copy : NULL);

            best[i] = round ? GT_MIN(best[i], ms) : ms;
        }
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        printf("%ux%u %-32s %7.3f ms a flip, %6.1f of the first\n", width, height, rows[i].name, best[i],
               best[i] / best[0]);
}

int main(void)
{
    const size_t room = (size_t)3840 * 2160 * CPP;
    uint8_t *copy = malloc(room);

    guest.ram = malloc((size_t)PAGES * DISPLAY_PAGE);
    if (!guest.ram || !copy)
        return 1;
    memset(guest.ram, 0x5a, (size_t)PAGES * DISPLAY_PAGE);
    memset(copy, 0, room);
    gt_log_set_level(GT_LOG_ERROR);
    report(1920, 1080, copy);
    report(3840, 2160, copy);
    free(guest.ram);
    free(copy);
    return 0;
}
