#include "display/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "display/server_internal.h"
#include "vgpu/base/bits.h"

_Static_assert(FRAMES_MAX == DISPLAY_SLOTS, "a viewer can keep every frame");

static void on_gone(void *ctx, const struct frame *f)
{
    struct display_server *s = ctx;

    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        viewer_forget(s, &s->viewer[i], f);
}

struct display_server *display_server_create(const struct display_host *host, const struct udmabuf *u, int listener,
                                             const char *name)
{
    struct display_server *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->host = host;
    s->listener = listener;
    s->flip_wait = DISPLAY_FLIP_WAIT_NS;
    snprintf(s->name, sizeof(s->name), "%s", name);
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        viewer_init(&s->viewer[i]);
    for (unsigned i = 0; i < DISPLAY_HEADS; i++)
        s->head[i].dirty = true;
    if (frames_init(&s->frames, host, u)) {
        free(s);
        return NULL;
    }
    s->frames.gone = on_gone;
    s->frames.gone_ctx = s;
    return s;
}

void display_server_destroy(struct display_server *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        viewer_drop(s, &s->viewer[i], NULL);
    for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
        head_drop(s, i);
        head_flips(s, i, 0);
    }
    frames_release(&s->frames);
    free(s);
}

void display_server_flip_wait(struct display_server *s, uint64_t ns)
{
    s->flip_wait = ns;
}

void display_server_changed(struct display_server *s, uint64_t ns)
{
    for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
        s->head[i].dirty = true;
        s->head[i].changed_ns = ns;
    }
}

void display_server_memory_changed(struct display_server *s)
{
    frames_forget_shared(&s->frames);
    for (unsigned i = 0; i < DISPLAY_HEADS; i++)
        s->head[i].dirty = true;
}

static struct viewer *free_viewer(const struct display_server *s)
{
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        if (s->viewer[i].fd < 0)
            return (struct viewer *)&s->viewer[i];
    return NULL;
}

unsigned display_server_poll(const struct display_server *s, struct pollfd *fds)
{
    unsigned n = 0;

    if (free_viewer(s) && !s->accept_at)
        fds[n++] = (struct pollfd){.fd = s->listener, .events = POLLIN};
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        if (s->viewer[i].fd >= 0)
            fds[n++] = (struct pollfd){.fd = s->viewer[i].fd,
                                       .events = (short)(POLLIN | (s->viewer[i].blocked ? POLLOUT : 0))};
    return n;
}

static void accept_viewer(struct display_server *s, uint64_t now)
{
    struct viewer *v = free_viewer(s);
    int fd = v ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

    if (fd >= 0)
        viewer_accept(s, v, fd, now);
    else if (v && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        s->accept_at = now + ACCEPT_NS; /* it stays readable */
}

static void take_events(struct display_server *s, const struct pollfd *fds, unsigned n, uint64_t now)
{
    for (unsigned i = 0; i < n; i++) {
        if (fds[i].fd == s->listener && fds[i].revents)
            accept_viewer(s, now);
        for (unsigned k = 0; fds[i].revents && k < DISPLAY_VIEWERS; k++) {
            struct viewer *v = &s->viewer[k];

            if (v->fd != fds[i].fd)
                continue;
            if (fds[i].revents & POLLOUT)
                v->blocked = false;
            if (fds[i].revents & ~POLLOUT)
                viewer_receive(s, v, now);
            break;
        }
    }
}

static void send_late_ones_away(struct display_server *s, uint64_t now)
{
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++) {
        struct viewer *v = &s->viewer[i];

        if (v->fd >= 0 && now >= v->deadline)
            viewer_drop(s, v, v->attached ? "it does not answer" : "it does not say what it wants");
    }
}

/* Is there somebody whom a new picture of the head could be told, and somebody at all? */
static bool head_wanted(const struct display_server *s, unsigned head, bool *watched)
{
    bool wanted = false;

    *watched = false;
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++) {
        const struct viewer *v = &s->viewer[i];

        if (v->fd < 0 || !v->attached || v->head != head)
            continue;
        *watched = true;
        wanted |= viewer_ready(v);
    }
    return wanted;
}

/* Returns when the head wants to be looked at again. */
static uint64_t step_head(struct display_server *s, unsigned head, uint64_t now)
{
    struct head *h = &s->head[head];
    uint64_t next = UINT64_MAX;
    bool watched;

    if (!head_wanted(s, head, &watched)) {
        if (!watched && head_has_frames(h))
            head_drop(s, head);
        return next;
    }
    if ((h->dirty && now >= h->look_at) || now >= h->check_at)
        head_look(s, head, now);
    if (h->refresh && now >= h->refresh_at)
        head_refresh(s, head, now);
    next = GT_MIN(next, h->check_at);
    if (h->dirty)
        next = GT_MIN(next, h->look_at);
    return h->refresh ? GT_MIN(next, h->refresh_at) : next;
}

uint64_t display_server_step(struct display_server *s, const struct pollfd *fds, unsigned n, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    if (now >= s->accept_at)
        s->accept_at = 0;
    take_events(s, fds, n, now);
    send_late_ones_away(s, now);
    for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
        uint64_t at = step_head(s, i, now);

        next = GT_MIN(next, at);
    }
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++) {
        viewer_update(s, &s->viewer[i], now);
        if (s->viewer[i].fd >= 0)
            next = GT_MIN(next, s->viewer[i].deadline);
    }
    for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
        uint64_t at = head_flips(s, i, now);

        next = GT_MIN(next, at);
    }
    if (!display_server_watched(s))
        frames_trim(&s->frames);
    return s->accept_at ? GT_MIN(next, s->accept_at) : next;
}

bool display_server_watched(const struct display_server *s)
{
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        if (s->viewer[i].fd >= 0)
            return true;
    return false;
}

void display_server_stats(const struct display_server *s, struct display_stats *out)
{
    *out = s->stats;
    out->frames = s->frames.stats;
    out->viewers = 0;
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        out->viewers += s->viewer[i].fd >= 0 && s->viewer[i].attached;
}
