/*
 * The display of QEMU's D-Bus interface (org.qemu.Display1, ui/dbus-display1.xml), peer to peer over a unix socket, as
 * a sink: its viewers show our guests as they show QEMU's. A listener is given the guest's memory as a dma-buf; where
 * it does not take that, a map of memory (Listener.Unix.Map), and at last the pixels themselves.
 *
 * Keyboard and Mouse are there if the user has a way for what they are told: the devices are QEMU's.
 */
#ifndef GTMUX_DISPLAY_QEMU_DBUS_H
#define GTMUX_DISPLAY_QEMU_DBUS_H

#include "display/input.h"
#include "display/viewer.h"

struct qdbus;

struct qdbus_options {
    const char *path; /* of the unix socket to listen on */
    const char *name; /* of the guest */
    unsigned head;
    unsigned fps; /* looks for changes a second, at most */
    bool input;   /* events.input leads somewhere */
};

struct qdbus_events {
    /* All listeners show the flip. */
    void (*shown)(void *ctx, uint32_t serial);
    /* Copied frames should be brought up to date. */
    void (*refresh)(void *ctx);
    /* A viewer wants the screen in this size. False: it cannot be. */
    bool (*resize)(void *ctx, uint32_t width, uint32_t height);
    /* Keys and pointer of a viewer. */
    input_fn input;
};

struct qdbus_stats {
    unsigned connections, listeners;
    uint64_t scanouts_dmabuf, scanouts_map, scanouts_pixels; /* pictures, by how they were given */
    uint64_t updates;                                        /* changes without a flip */
    uint64_t bytes_copied;
};

/* Listens. 0 or -errno with a message. */
int qdbus_open(struct qdbus **out, const struct qdbus_options *o, const struct qdbus_events *events, void *ctx,
               char *err, size_t errsz);
void qdbus_close(struct qdbus *q); /* NULL is fine */
/* To be polled for input (it is readable also when a time has come), and what then to call. 0 or -errno. */
int qdbus_fd(const struct qdbus *q);
int qdbus_dispatch(struct qdbus *q);
void qdbus_flip(struct qdbus *q, const struct viewer_flip *f);
void qdbus_cursor(struct qdbus *q, const struct viewer_cursor *c);
void qdbus_frame_gone(struct qdbus *q, struct viewer_frame *f);
void qdbus_get_stats(const struct qdbus *q, struct qdbus_stats *out);

#endif
