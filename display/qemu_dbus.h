/*
 * The display of QEMU's D-Bus interface (org.qemu.Display1, ui/dbus-display1.xml), peer to peer over a unix socket, as
 * a sink: its viewers show our guests as they show QEMU's. A listener is given the guest's memory as a dma-buf; where
 * it does not take that, a map of memory (Listener.Unix.Map), and at last the pixels themselves.
 *
 * Keyboard and Mouse are there if the user has a way for what they are told: the devices are QEMU's.
 */
#ifndef GTMUX_DISPLAY_QEMU_DBUS_H
#define GTMUX_DISPLAY_QEMU_DBUS_H

#include "display/sink.h"

struct qdbus_options {
    const char *path; /* of the unix socket to listen on */
    const char *name; /* of the guest */
    unsigned head;
    unsigned fps; /* looks for changes a second, at most */
    bool input;   /* events.input leads somewhere */
};

struct qdbus_stats {
    unsigned connections, listeners;
    uint64_t scanouts_dmabuf, scanouts_map, scanouts_pixels; /* pictures, by how they were given */
    uint64_t updates;                                        /* changes without a flip */
    uint64_t bytes_copied;
};

/* Listens; what the options point to must outlive the sink. 0 or -errno with a message. A flip is `shown` when all
 * listeners show it. */
int qdbus_open(struct sink **out, const struct qdbus_options *o, const struct sink_events *events, void *ctx, char *err,
               size_t errsz);
/* Of a sink that qdbus_open has made. */
void qdbus_get_stats(const struct sink *s, struct qdbus_stats *out);

#endif
