/* A display server with a guest of frame_fixture.h, and viewers that note what they are told. */
#ifndef GTMUX_TESTS_SERVER_FIXTURE_H
#define GTMUX_TESTS_SERVER_FIXTURE_H

#include "frame_fixture.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "display/server_internal.h"
#include "display/viewer.h"

#define MS     UINT64_C(1000000)
#define BUFFER (512u * DISPLAY_PAGE)

static struct display_server *srv;
static struct sockaddr_un address;
static uint64_t now;

static inline int setup(void **state)
{
    static unsigned count;

    (void)state;
    ff_prepare();
    now = 1000 * MS;
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    /* In the abstract name space: no file to remove. */
    int len = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "gtmux-test-%d-%u", (int)getpid(), count++);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)len)),
                     0);
    assert_int_equal(listen(listener, 16), 0);
    srv = display_server_create(&ff.host, &ff.u, listener, "guest");
    srv->frames.create = ff_create;
    ff.scanout[0] = (struct vgpu_scanout){.width = 640, .height = 480, .mhz = 60000, .nplanes = 1};
    ff.scanout[0].plane[0] = ff_plane(0, 640, 480, VGPU_LINEAR);
    ff.lit[0] = true;
    return 0;
}

static inline int teardown(void **state)
{
    int listener = srv->listener;

    (void)state;
    display_server_destroy(srv);
    close(listener);
    free(ff.ram);
    return 0;
}

/* Lets the server do what there is to do. Returns when it wants to be called next. */
static inline uint64_t pump(void)
{
    struct pollfd fds[DISPLAY_FDS];
    uint64_t next = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned n = display_server_poll(srv, fds);

        assert_true(poll(fds, n, 0) >= 0);
        next = display_server_step(srv, fds, n, now);
    }
    return next;
}

static inline void change(void)
{
    now += 10 * MS;
    display_server_changed(srv, now);
    pump();
}

static inline int raw_connect(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(sizeof(sa_family_t) + 1 + strlen(address.sun_path + 1));

    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

/* ---- a viewer that notes what it is told */

struct watcher {
    struct display_viewer *v;
    bool lazy; /* answers only when told to */
    unsigned flips, cursors, damages, gone;
    struct viewer_flip flip;
    struct viewer_cursor cursor;
    uint32_t first, end;
};

static inline void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct watcher *w = ctx;

    w->flips++;
    w->flip = *f;
    if (!w->lazy)
        assert_int_equal(viewer_shown(w->v, f->serial), 0);
}

static inline void on_cursor(void *ctx, const struct viewer_cursor *c)
{
    struct watcher *w = ctx;

    w->cursors++;
    w->cursor = *c;
}

static inline void on_damage(void *ctx, struct viewer_frame *f, uint32_t first, uint32_t end)
{
    struct watcher *w = ctx;

    assert_non_null(f);
    w->damages++;
    w->first = first;
    w->end = end;
}

static inline void on_gone(void *ctx, struct viewer_frame *f)
{
    assert_int_not_equal(f->id, 0);
    ((struct watcher *)ctx)->gone++;
}

static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor, .damage = on_damage, .gone = on_gone};

static inline void watch_with(struct watcher *w, unsigned head, const struct viewer_events *e)
{
    char err[128];

    *w = (struct watcher){.lazy = w->lazy};
    assert_int_equal(viewer_attach(&w->v, raw_connect(), head, e, w, err, sizeof(err)), 0);
    pump();
    assert_int_equal(viewer_dispatch(w->v), 0);
    assert_string_equal(viewer_guest(w->v), "guest");
    pump();
}

static inline void watch(struct watcher *w, unsigned head)
{
    watch_with(w, head, &events);
}

static inline void look(struct watcher *w)
{
    assert_int_equal(viewer_dispatch(w->v), 0);
    pump();
}

static inline void check_frame(const struct viewer_flip *f, const struct vgpu_surface *s)
{
    const uint8_t *p = viewer_map(f->frame);

    assert_non_null(p);
    for (uint32_t y = 0; y < f->height; y++)
        for (uint32_t x = 0; x < f->width; x++) {
            const void *at = p + (f->y + y) * f->frame->stride + (f->x + x) * 4;

            if (*(const uint32_t *)at != ff_pixel(s, x, y))
                fail_msg("pixel %u,%u differs", x, y);
        }
}

#endif
