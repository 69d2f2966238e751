/*
 * Monitors at their own modes, flipping at once: each head's frame counter and timestamps agree with its mode within 1
 * %, and of its frames at least 90 of 100 bring a flip. The clock is the guest's, by which the kernel stamps vblanks.
 * Usage: gt_kms HEADS [WxH@HZ of each, to be checked against the preferred modes] [look: flips on for LOOK seconds
 * more]
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gt.h"

#define MAX_HEADS 3
#define SECONDS   1.0
#define WINDOWS   20
#define LOOK      30
#define MISSED    0.10 /* flips that an emulated processor may be late for */

struct run {
    struct gt_head head;
    struct gt_fb fb[2];
    unsigned flips;
    double first, last; /* event timestamps */
    uint32_t first_sequence, last_sequence;
    double best; /* flips a second, of all windows */
};

static void paint(struct gt_fb *fb, uint32_t seed)
{
    for (uint32_t y = 0; y < fb->height; y++) {
        uint32_t *row = (uint32_t *)(fb->cpu + (size_t)y * fb->pitch);
        for (uint32_t x = 0; x < fb->width; x++)
            row[x] = (x * 255 / fb->width) << 16 | (y * 255 / fb->height) << 8 | (seed & 0xff);
    }
}

/* The rate that the mode's own timings say. */
static double mode_rate(const struct drm_mode_modeinfo *m)
{
    return m->clock * 1000.0 / ((double)m->htotal * m->vtotal);
}

static bool start(struct run *r, unsigned n)
{
    for (unsigned i = 0; i < 2; i++) {
        r->fb[i] = gt_fb_new(r->head.mode.hdisplay, r->head.mode.vdisplay);
        paint(&r->fb[i], 0x20 + 0xa0 * i + 0x10 * n);
    }
    int rc = gt_set_mode(&r->head, &r->fb[0]);
    char name[32];
    snprintf(name, sizeof(name), "modeset-%u", n);
    return gt_check(!rc, name, "%s %.3f Hz on CRTC %u: %d", r->head.mode.name, mode_rate(&r->head.mode), r->head.crtc,
                    rc);
}

static void on_event(struct run *runs, const struct drm_event_vblank *e)
{
    struct run *r = &runs[e->user_data];
    double t = e->tv_sec + e->tv_usec * 1e-6;

    if (!r->flips++) {
        r->first = t;
        r->first_sequence = e->sequence;
    }
    r->last = t;
    r->last_sequence = e->sequence;
    gt_flip(&r->head, &r->fb[r->flips & 1], e->user_data);
}

/* Waits until no flip is under way any more. */
static void drain(int fd)
{
    char buf[1024];
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    while (poll(&pfd, 1, 100) > 0 && read(fd, buf, sizeof(buf)) > 0)
        ;
}

static void flip_all(int fd, struct run *runs, unsigned n, double seconds)
{
    char buf[1024];
    double end = gt_now() + seconds;

    drain(fd);
    for (unsigned i = 0; i < n; i++) {
        runs[i].flips = 0;
        gt_flip(&runs[i].head, &runs[i].fb[1], i);
    }
    while (gt_now() < end) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        if (poll(&pfd, 1, 1000) <= 0)
            return;
        ssize_t got = read(fd, buf, sizeof(buf));
        for (ssize_t at = 0; at < got;) {
            struct drm_event_vblank *e = (struct drm_event_vblank *)(buf + at);
            if (e->base.type == DRM_EVENT_FLIP_COMPLETE && e->user_data < n)
                on_event(runs, e);
            at += e->base.length;
        }
    }
}

static double flip_rate(const struct run *r)
{
    return r->last > r->first ? (r->flips - 1) / (r->last - r->first) : 0;
}

static bool flips_on_time(const struct run *r)
{
    double want = mode_rate(&r->head.mode);

    return r->best > want * (1 - MISSED) && r->best < want * 1.01;
}

/* An emulated processor that its host does not run for a frame misses a flip: each head's best window counts. */
static void measure(int fd, struct run *runs, unsigned n)
{
    bool on_time = false;

    for (int window = 0; window < WINDOWS && !on_time; window++) {
        flip_all(fd, runs, n, SECONDS);
        on_time = true;
        for (unsigned i = 0; i < n; i++) {
            runs[i].best = fmax(runs[i].best, flip_rate(&runs[i]));
            on_time &= flips_on_time(&runs[i]);
        }
    }
}

static void flip_on(int fd, struct run *runs, unsigned n)
{
    struct gt_head heads[MAX_HEADS];

    printf("LOOK\n");
    for (unsigned window = 0; window < LOOK && gt_heads(heads, MAX_HEADS) == n; window++)
        flip_all(fd, runs, n, 1);
}

static void judge(const struct run *r, unsigned n)
{
    double want = mode_rate(&r->head.mode), frames = r->last_sequence - r->first_sequence;
    double rate = r->last > r->first ? frames / (r->last - r->first) : 0;
    char name[32];

    snprintf(name, sizeof(name), "vblank-rate-%u", n);
    gt_check(fabs(rate - want) < want * 0.01, name, "%.3f Hz by timestamps, the mode says %.3f", rate, want);
    snprintf(name, sizeof(name), "flip-rate-%u", n);
    gt_check(flips_on_time(r), name, "%.3f flips a second, the mode says %.3f", r->best, want);
}

static bool mode_is(const struct drm_mode_modeinfo *m, const char *text)
{
    unsigned w, h;
    double hz;

    return sscanf(text, "%ux%u@%lf", &w, &h, &hz) == 3 && m->hdisplay == w && m->vdisplay == h &&
           fabs(mode_rate(m) - hz) < hz * 0.005;
}

int main(int argc, char **argv)
{
    const bool look = argc > 2 && !strcmp(argv[argc - 1], "look");
    unsigned want = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    struct gt_head heads[MAX_HEADS];
    struct run runs[MAX_HEADS] = {0};
    int fd = gt_open();
    unsigned n = gt_heads(heads, MAX_HEADS);

    gt_check(n == want, "heads", "%u connected, want %u", n, want);
    for (unsigned i = 0; i < n; i++) {
        runs[i].head = heads[i];
        if (i + 2 + look < (unsigned)argc)
            gt_check(mode_is(&heads[i].mode, argv[i + 2]), "edid-mode", "%s %.3f Hz, asked for %s", heads[i].mode.name,
                     mode_rate(&heads[i].mode), argv[i + 2]);
        if (!start(&runs[i], i))
            return gt_done();
    }
    measure(fd, runs, n);
    for (unsigned i = 0; i < n; i++)
        judge(&runs[i], i);
    if (look)
        flip_on(fd, runs, n);
    return gt_done();
}
