/*
 * A window of a Wayland compositor as a sink. The guest's memory is handed to the compositor as it is, as a dma-buf
 * where it takes format and modifier, and as shared memory where gtmux-dm made a linear copy; everything else is
 * detiled or converted into shared memory of our own, and the bytes are counted. The cursor is a surface of its own.
 * Frame callbacks pace the guest's flips, and the release of the buffer before is their fence.
 */
#ifndef GTMUX_DISPLAY_WAYLAND_H
#define GTMUX_DISPLAY_WAYLAND_H

#include "display/sink.h"

struct wayland_options {
    const char *title;
    bool fullscreen;
    bool copy;                                /* never hand over the guest's memory */
    bool fixed;                               /* the guest keeps its mode, whatever size the window has */
    bool input;                               /* events.input leads somewhere */
    unsigned fps;                             /* looks for changes without a flip a second, at most */
    uint32_t min_side, max_width, max_height; /* of a mode that may be asked for */
};

struct wayland_stats {
    uint64_t commits;                      /* pictures given to the compositor */
    uint64_t imported, passed, copied;     /* flips, by how: as a dma-buf, as gtmux-dm's memory, copied by us */
    uint64_t refused;                      /* dma-bufs that the compositor could not import */
    uint64_t bytes_copied, scans, resizes; /* resizes: modes asked for */
};

/* Connects to the compositor of the environment and opens the window; the title must outlive it. 0 or -errno with a
 * message. */
int wayland_open(struct sink **out, const struct wayland_options *o, const struct sink_events *events, void *ctx,
                 char *err, size_t errsz);
/* Of a sink that wayland_open has made. */
void wayland_get_stats(const struct sink *s, struct wayland_stats *out);

#endif
