/* Between the files of the KMS sink. */
#ifndef GTMUX_DISPLAY_KMS_INTERNAL_H
#define GTMUX_DISPLAY_KMS_INTERNAL_H

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "display/damage.h"
#include "display/kms.h"

/* Ids of the properties that commits need; 0: the object has none. */
struct kms_plane {
    uint32_t id; /* 0: there is no such plane */
    uint32_t fb, crtc, src_x, src_y, src_w, src_h, crtc_x, crtc_y, crtc_w, crtc_h;
    uint32_t alpha, blend;   /* optional */
    uint64_t blend_value[3]; /* of enum display_blend; UINT64_MAX: it has no such mode */
    uint64_t zpos;           /* 0, if it has none */
    struct kms_format {
        uint32_t fourcc;
        uint64_t modifier;
    } * format; /* what it scans out */
    size_t nformats;
};

/* A framebuffer. Its memory is a frame's or a dumb buffer's. */
struct kms_buffer {
    unsigned refs;
    uint32_t fb, handle, width, height, fourcc;
    bool dumb;
    uint32_t stride; /* dumb: */
    uint64_t bytes;
    uint8_t *map;
    struct damage *damage; /* of what was copied to it: a frame of the same layout is copied only where it differs */
    struct kms_layout {
        enum vgpu_format format;
        enum vgpu_tiling tiling;
        uint32_t stride, x, y, width, height;
        uint64_t bytes;
    } layout;
};

/* One saved property of an object. */
struct kms_saved {
    uint32_t object, property;
    uint64_t value;
};

#define KMS_SAVED_MAX 96u
#define KMS_OVERLAYS  4u /* used at most */

/* What a plane shows, or shall show. */
struct kms_picture {
    struct kms_buffer *buffer;    /* NULL: nothing */
    uint32_t x, y, width, height; /* of it */
    int32_t to_x, to_y;           /* on the screen */
    uint32_t to_width, to_height;
    enum display_blend blend;
    uint32_t alpha; /* 0..DISPLAY_ALPHA_MAX */
};

/* All planes, bottom first but for the cursor. */
struct kms_screen {
    struct kms_picture picture, layer[KMS_OVERLAYS], cursor;
};

struct kms {
    struct sink base;
    int fd;
    bool own_fd, master;
    char name[64];
    struct kms_options opt;
    struct sink_events events;
    void *ctx;

    uint32_t connector, crtc;
    uint32_t connector_crtc, crtc_mode, crtc_active; /* properties */
    struct kms_plane primary, cursor, overlay[KMS_OVERLAYS];
    unsigned noverlays;
    drmModeModeInfo *modes;
    int nmodes;
    uint32_t cursor_width, cursor_height;
    bool addfb_modifiers;
    bool cursor_no_import; /* a cursor that was imported was not shown */

    struct kms_saved saved[KMS_SAVED_MAX];
    unsigned nsaved;
    uint32_t saved_blob; /* a copy of the mode that was set */

    uint32_t mode_blob; /* ours */
    uint32_t mode_width, mode_height, mode_mhz;
    bool lit, modeset; /* the screen is on; the next commit sets the mode */

    bool busy;                        /* a commit is under way */
    bool picture_dirty, cursor_dirty; /* to be committed */
    bool flip_in_flight;
    uint32_t serial, flying_serial;
    struct kms_screen want;   /* what shall be shown */
    struct kms_screen flying; /* what the commit under way shows */
    struct kms_screen now;    /* what is shown */

    /* where frames are copied */
    struct kms_buffer *back[2];
    unsigned turn;
    struct viewer_frame *source; /* of the copy shown; NULL: it is imported */
    struct viewer_flip source_flip;
    struct kms_buffer *cursor_copy;
    struct viewer_frame *cursor_source;
    uint64_t cursor_sum;
    struct viewer_frame *frame; /* of the newest flip; NULL: dark, or it has gone */
    uint64_t refresh_at;        /* when to look for changes in what is a copy */
    char told[256];             /* the last complaint: each is told once */
    struct kms_stats stats;
};

/* kms_device.c */
int kms_find(struct kms *k, char *err, size_t errsz);
void kms_save(struct kms *k);
void kms_restore(struct kms *k);
/* Fills in the mode for a picture; false: none of the monitor's own, so it is made up. */
bool kms_pick_mode(const struct kms *k, uint32_t width, uint32_t height, uint32_t mhz, drmModeModeInfo *out);
bool kms_plane_takes(const struct kms_plane *p, uint32_t fourcc, uint64_t modifier);

/* kms_commit.c */
/* Commits all that is to be changed, of the cursor only if `cursor`. 0 or -errno. */
int kms_submit(struct kms *k, bool cursor, uint32_t flags);
/* Starts a commit, unless one is under way or nothing has changed. 0; -EBUSY: somebody else's commit is under way, try
 * again; -errno: the picture cannot be shown. */
int kms_commit(struct kms *k);
/* Takes what the device tells. 0 or -errno. */
int kms_handle_events(struct kms *k);
/* Waits for the commit under way, at most some frames. */
void kms_settle(struct kms *k);
/* Switches the monitor off. */
void kms_go_dark(struct kms *k);
/* A flip is on the screen, or will not be. */
void kms_tell_shown(struct kms *k, uint32_t serial);

/* kms_layers.c */
void kms_picture_set(struct kms *k, struct kms_picture *to, const struct kms_picture *from);
void kms_picture_clear(struct kms *k, struct kms_picture *p);
void kms_screen_clear(struct kms *k, struct kms_screen *s);
/* Finds an overlay plane and a framebuffer for each layer of the flip, which go to k->want. False: there are none. */
bool kms_prepare_layers(struct kms *k, const struct viewer_flip *f);

/* kms_buffer.c */
void kms_buffer_put(struct kms *k, struct kms_buffer *b); /* NULL is fine */
/* The framebuffer of a frame: made at its first use, kept with it. NULL: the device does not take it. */
struct kms_buffer *kms_import(struct kms *k, struct viewer_frame *f, const struct kms_plane *plane);
struct kms_buffer *kms_dumb(struct kms *k, uint32_t width, uint32_t height, uint32_t fourcc);
/* A dumb buffer with the visible part of the flip's frame. NULL with errno. */
struct kms_buffer *kms_copy(struct kms *k, const struct viewer_flip *f);
/* Copies into it what has changed. */
void kms_copy_changes(struct kms *k, struct kms_buffer *b);
/* The same for a cursor. */
struct kms_buffer *kms_copy_cursor(struct kms *k, const struct viewer_cursor *c);

#endif
