/*
 * A monitor of this machine as a sink: DRM/KMS with atomic commits. A frame that the display engine can scan out is
 * imported and shown as it is; any other is detiled into dumb buffers, and the bytes are counted. The guest's cursor is
 * a plane of its own, so moving it does not touch the picture; its sprite planes are overlay planes, where the device
 * takes them. What was on the screen before is put back at the end.
 */
#ifndef GTMUX_DISPLAY_KMS_H
#define GTMUX_DISPLAY_KMS_H

#include "display/viewer.h"

struct kms;

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

/* How flips are answered, from kms_dispatch or kms_flip. */
struct kms_events {
    void (*shown)(void *ctx, uint32_t serial);   /* it is on the screen */
    void (*compose)(void *ctx, uint32_t serial); /* it cannot be, with its layers (viewer_compose) */
};

/* Takes the monitor over. 0, or -errno with a message that says what to do. */
int kms_open(struct kms **out, const struct kms_options *o, const struct kms_events *events, void *ctx, char *err,
             size_t errsz);
/* Shows what was there before. NULL is fine. */
void kms_close(struct kms *k);
/* "card0 HDMI-A-1", for people. */
const char *kms_name(const struct kms *k);

/* The descriptor to poll for input, and what then to call. 0 or -errno: the device is gone. */
int kms_fd(const struct kms *k);
int kms_dispatch(struct kms *k);
/* Shows a frame, or with none darkness. 0; -errno with a message: this picture cannot be shown (it counts as shown). */
int kms_flip(struct kms *k, const struct viewer_flip *f, char *err, size_t errsz);
void kms_cursor(struct kms *k, const struct viewer_cursor *c);
/* The flips and cursors to come are another guest's: what is under way is answered or forgotten, the cursor goes, the
 * picture stays until the next flip. */
void kms_next_guest(struct kms *k);
/* The frame goes away. It stays on the screen until the next one is there. */
void kms_frame_gone(struct kms *k, struct viewer_frame *f);
/* True when what is shown is a copy, which has to be brought up to date by kms_refresh; false: the screen follows the
 * guest's memory by itself. */
bool kms_copies(const struct kms *k);
/* Copies what has changed since the last time. */
void kms_refresh(struct kms *k);
void kms_get_stats(const struct kms *k, struct kms_stats *out);

#endif
