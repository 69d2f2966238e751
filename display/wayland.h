/*
 * A window of a Wayland compositor as a sink. The guest's memory is handed to the compositor as it is, as a dma-buf
 * where it takes format and modifier, and as shared memory where gtmux-dm made a linear copy; everything else is
 * detiled or converted into shared memory of our own, and the bytes are counted. The cursor is a surface of its own.
 * Frame callbacks pace the guest's flips, and the release of the buffer before is their fence.
 */
#ifndef GTMUX_DISPLAY_WAYLAND_H
#define GTMUX_DISPLAY_WAYLAND_H

#include "display/input.h"
#include "display/viewer.h"

struct wayland;

struct wayland_options {
    const char *title;
    bool fullscreen;
    bool copy;                                /* never hand over the guest's memory */
    bool fixed;                               /* the guest keeps its mode, whatever size the window has */
    bool input;                               /* events.input leads somewhere */
    unsigned fps;                             /* looks for changes without a flip a second, at most */
    uint32_t min_side, max_width, max_height; /* of a mode that may be asked for */
};

struct wayland_events {
    /* A flip is shown, and what was shown before is not read any more. */
    void (*shown)(void *ctx, uint32_t serial);
    /* Copied frames should be brought up to date. */
    void (*refresh)(void *ctx);
    /* The window's user wants this size. False: it cannot be. */
    bool (*resize)(void *ctx, uint32_t width, uint32_t height);
    input_fn input;
};

struct wayland_stats {
    uint64_t commits;                      /* pictures given to the compositor */
    uint64_t imported, passed, copied;     /* flips, by how: as a dma-buf, as gtmux-dm's memory, copied by us */
    uint64_t refused;                      /* dma-bufs that the compositor could not import */
    uint64_t bytes_copied, scans, resizes; /* resizes: modes asked for */
};

/* Connects to the compositor of the environment and opens the window. 0 or -errno with a message. */
int wayland_open(struct wayland **out, const struct wayland_options *o, const struct wayland_events *events, void *ctx,
                 char *err, size_t errsz);
void wayland_close(struct wayland *w); /* NULL is fine */

/* To be polled for input, and what then to call. 0; 1: the user has closed the window; -errno: the compositor has gone,
 * or says that we did something wrong. */
int wayland_fd(const struct wayland *w);
int wayland_dispatch(struct wayland *w);
/* Does what is due at `now` (gt_clock_ns), after anything else, and returns when to be called again. */
uint64_t wayland_tick(struct wayland *w, uint64_t now);
void wayland_flip(struct wayland *w, const struct viewer_flip *f, uint64_t now);
void wayland_cursor(struct wayland *w, const struct viewer_cursor *c);
void wayland_damage(struct wayland *w, struct viewer_frame *f, uint32_t first, uint32_t end);
void wayland_frame_gone(struct wayland *w, struct viewer_frame *f);
void wayland_get_stats(const struct wayland *w, struct wayland_stats *out);

#endif
