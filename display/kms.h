/*
 * A monitor of this machine as a sink: DRM/KMS with atomic commits. A frame that the display engine can scan out is
 * imported and shown as it is; any other is detiled into dumb buffers, and the bytes are counted. The guest's cursor is
 * a plane of its own, so moving it does not touch the picture; its sprite planes are overlay planes, where the device
 * takes them. What was on the screen before is put back at the end.
 */
#ifndef GTMUX_DISPLAY_KMS_H
#define GTMUX_DISPLAY_KMS_H

#include "display/sink.h"

struct kms_options {
    int fd;                /* an open DRM device (stays the caller's), or -1 */
    const char *device;    /* its path; NULL: the first one with a connected monitor */
    const char *connector; /* its name, such as HDMI-A-1; NULL: the first connected one */
    bool copy;             /* never import */
};

struct kms_stats {
    uint64_t flips, cursor_moves, modesets;
    uint64_t layers;       /* of flips, shown on overlay planes */
    uint64_t refused;      /* flips with layers that the device does not take */
    uint64_t imports;      /* framebuffers made of frames */
    uint64_t bytes_copied; /* into dumb buffers */
};

/* Takes the monitor over, until it is closed; what the options point to must outlive the sink. 0, or -errno with a
 * message that says what to do. A picture that cannot be shown counts as shown; the log says why, once. Only
 * events.shown, events.compose and events.refresh are called. */
int kms_open(struct sink **out, const struct kms_options *o, const struct sink_events *events, void *ctx, char *err,
             size_t errsz);
/* Of a sink that kms_open has made: "card0 HDMI-A-1", for people. */
const char *kms_name(const struct sink *s);
void kms_get_stats(const struct sink *s, struct kms_stats *out);

#endif
