/*
 * What shows a guest's screen: a window (wayland.h), a VNC server (vnc.h), QEMU's D-Bus display (qemu_dbus.h), a
 * monitor (kms.h). Each of these headers has the function that opens one; from then on it is driven by its ops alone,
 * all on one thread. Times are those of gt_clock_ns.
 */
#ifndef GTMUX_DISPLAY_SINK_H
#define GTMUX_DISPLAY_SINK_H

#include "display/input.h"
#include "display/viewer.h"

/* What a sink tells its user, at any time between its opening and its closing; ctx is what it was opened with. */
struct sink_events {
    /* A flip is shown, or will not be, and what was shown before it is not read any more: the next one may come. */
    void (*shown)(void *ctx, uint32_t serial);
    /* Frames that are not shared should be brought up to date. */
    void (*refresh)(void *ctx);
    /* A user wants the screen in this size, in pixels, which is not checked. False: it cannot be. */
    bool (*resize)(void *ctx, uint32_t width, uint32_t height);
    /* Keys and pointers of users. */
    input_fn input;
    /* A flip with layers cannot be shown so: it is to come again as one picture. For sinks that want layers. */
    void (*compose)(void *ctx, uint32_t serial);
};

struct sink {
    const struct sink_ops *ops;
};

struct sink_ops {
    /* A message for people: what it means when dispatch fails. */
    const char *lost;
    /* To be polled for input, and what then to call. 0; 1: the user has ended it; -errno: it cannot go on. */
    int (*fd)(const struct sink *s);
    int (*dispatch)(struct sink *s);
    /* After anything else: does what is due at `now`, and returns when to be called again; UINT64_MAX: not before
     * something has happened. */
    uint64_t (*tick)(struct sink *s, uint64_t now);
    /* The members of struct viewer_events; what they point to is the caller's, a frame until it is `gone`. A flip is
     * answered by events.shown, now or later. damage may be NULL. */
    void (*flip)(struct sink *s, const struct viewer_flip *f, uint64_t now);
    void (*cursor)(struct sink *s, const struct viewer_cursor *c);
    void (*damage)(struct sink *s, struct viewer_frame *f, uint32_t first, uint32_t end);
    void (*gone)(struct sink *s, struct viewer_frame *f);
    /* The flips and cursors to come are another guest's, and so are answers from now on. NULL: there is only one. */
    void (*next_guest)(struct sink *s);
    /* All frames are gone. */
    void (*close)(struct sink *s);
};

#endif
