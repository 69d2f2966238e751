/* Between the files of the VNC sink. */
#ifndef GTMUX_DISPLAY_VNC_INTERNAL_H
#define GTMUX_DISPLAY_VNC_INTERNAL_H

#include <aml.h>
#include <neatvnc.h>
#include <pixman.h>

#include "display/damage.h"
#include "display/vnc.h"
#include "display/vnc_keys.h"

#define VNC_PRIVATE_MAX 3u /* converted pictures: one shown, one being encoded, one to write to */

/* Memory with a picture, kept while the encoder may read it, even when gtmux-dm takes its frame back. */
struct vnc_memory {
    unsigned refs;
    uint8_t *map;
    uint64_t bytes;
    bool own; /* from malloc; else mapped */
};

/* One picture handed to neatvnc. */
struct vnc_feed {
    struct vnc *vnc;
    struct vnc_memory *memory;
    uint32_t serial; /* of the flip that waits for its release, or 0 */
};

struct vnc {
    struct sink base;
    struct vnc_options opt;
    struct sink_events events;
    void *ctx;
    struct aml *aml;
    struct nvnc *server;
    struct nvnc_display *display;
    bool open_unix;

    struct viewer_flip flip;                          /* the newest; frame NULL: dark */
    bool dirty;                                       /* it has not been handed over */
    uint64_t flipped, fed;                            /* when */
    uint64_t asked;                                   /* when a client asked for an update last */
    uint32_t unanswered;                              /* serial of a flip to be answered, or 0 */
    bool held;                                        /* its answer waits for the encoder */
    struct vnc_feed *last;                            /* what neatvnc has now */
    struct vnc_memory *pool[VNC_PRIVATE_MAX], *shown; /* converted pictures; the one that `last` shows */
    uint32_t shown_stride;
    uint32_t announced_width, announced_height;
    struct damage *damage;
    struct pixman_region16 region;
    bool told; /* gtmux-dm has told changes of its copy, which are in `region` */
    uint64_t scan_at;

    struct vnc_keys *keys; /* NULL: input goes nowhere */
    unsigned buttons;      /* enum nvnc_button_mask, of all clients */

    struct nvnc_fb *cursor;
    uint64_t cursor_sum;
    struct vnc_stats stats;
};

static inline struct vnc *vnc_of(struct sink *s)
{
    return (struct vnc *)s; /* its first member */
}

/* vnc_picture.c */
void vnc_memory_put(struct vnc_memory *m); /* NULL is fine */
/* A frame's pixels for as long as they are needed: its mapping is ours from now on. NULL: no memory. */
struct vnc_memory *vnc_frame_memory(struct viewer_frame *f);
/* With no client, what there is to be known of a picture: its size. */
void vnc_announce(struct vnc *v);
/* As in struct sink_ops. */
uint64_t vnc_tick(struct sink *s, uint64_t now);
void vnc_flip(struct sink *s, const struct viewer_flip *f, uint64_t now);
void vnc_damage(struct sink *s, struct viewer_frame *f, uint32_t first, uint32_t end);
void vnc_gone(struct sink *s, struct viewer_frame *f);

/* vnc_client.c */
/* Hears of clients and what they want. */
void vnc_hear_clients(struct vnc *v);
/* Hears what they type, as on the keyboard of v->opt.keymap. 0, or -EINVAL with a message. */
int vnc_hear_input(struct vnc *v, char *err, size_t errsz);

#endif
