/*
 * The end of the display socket that a viewer holds (gtmux vnc, gtmux kms): connects, checks all that comes, and keeps
 * the frames. gtmux-dm faces a guest and may have been taken over by it, so nothing it says is trusted.
 */
#ifndef GTMUX_DISPLAY_VIEWER_H
#define GTMUX_DISPLAY_VIEWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "display/wire.h"
#include "vgpu/surface.h"

#define VIEWER_SIDE_MAX 16384u /* pixels of a frame */

/* Memory with a picture in it. */
struct viewer_frame {
    uint32_t id; /* 0: the slot is empty */
    int fd;
    bool shared; /* a dma-buf; else a memfd that cannot get shorter */
    enum vgpu_format format;
    enum vgpu_tiling tiling;
    uint32_t fourcc, width, height, stride;
    uint64_t modifier, bytes;
    const uint8_t *map; /* viewer_map */
    void *user;         /* what the sink keeps with it */
};

/* A plane above the picture; the fields are those of struct display_layer. */
struct viewer_layer {
    struct viewer_frame *frame;
    uint32_t x, y, width, height;
    int32_t to_x, to_y;
    uint32_t to_width, to_height;
    enum display_blend blend;
    uint32_t alpha;
};

struct viewer_flip {
    struct viewer_frame *frame; /* NULL: dark */
    uint32_t x, y, width, height, mhz;
    unsigned nlayers;                          /* 0, unless asked for */
    struct viewer_layer layer[DISPLAY_LAYERS]; /* bottom first */
    uint32_t serial;
    uint64_t ns;
};

struct viewer_cursor {
    struct viewer_frame *frame; /* NULL: none */
    int32_t x, y;
    uint32_t width, height;
};

struct display_viewer;

/* What a sink does with it. */
struct viewer_events {
    /* A frame to be shown. When it is, call viewer_shown: now or later, but before the next one can come. */
    void (*flip)(void *ctx, const struct viewer_flip *f);
    void (*cursor)(void *ctx, const struct viewer_cursor *c);
    /* Rows of a frame have changed. */
    void (*damage)(void *ctx, struct viewer_frame *f, uint32_t first, uint32_t end);
    /* The frame's descriptor and mapping are about to be closed. */
    void (*gone)(void *ctx, struct viewer_frame *f);
    /* The guest gets a buffer back when the sink has answered the flip that took it off the screen. For sinks that
     * answer when they do not read the old frame any more, and within a frame or two. */
    bool paced;
    /* Flips may have layers. One that cannot be shown so may be answered with viewer_compose. */
    bool layers;
};

/* Connects to a display socket and asks for a head. 0 or -errno with a message. */
int viewer_connect(struct display_viewer **out, const char *path, unsigned head, const struct viewer_events *events,
                   void *ctx, char *err, size_t errsz);
/* The same over a connected socket, which is taken over. */
int viewer_attach(struct display_viewer **out, int sock, unsigned head, const struct viewer_events *events, void *ctx,
                  char *err, size_t errsz);
void viewer_close(struct display_viewer *v); /* tells `gone` for each frame; NULL is fine */

/* The socket, to be polled for input. */
int viewer_fd(const struct display_viewer *v);
/* Handles what has come. 0; -ECONNRESET: gtmux-dm has gone; -EPROTO: it says what cannot be. */
int viewer_dispatch(struct display_viewer *v);
/* The name of the guest, once HELLO has come; else "". */
const char *viewer_guest(const struct display_viewer *v);
/* Answers a flip. 0 or -errno. */
int viewer_shown(struct display_viewer *v, uint32_t serial);
/* Refuses a flip with layers: it will come again as one picture, and so will those like it. 0 or -errno. */
int viewer_compose(struct display_viewer *v, uint32_t serial);
/* Asks to look for changes in a copied frame. 0 or -errno. */
int viewer_refresh(struct display_viewer *v);
/* Maps a frame for reading (once; it stays mapped). NULL with errno. */
const uint8_t *viewer_map(struct viewer_frame *f);

#endif
