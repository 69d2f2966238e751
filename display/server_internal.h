/* Between the files of the display server. */
#ifndef GTMUX_DISPLAY_SERVER_INTERNAL_H
#define GTMUX_DISPLAY_SERVER_INTERNAL_H

#include "display/server.h"
#include "display/wire.h"
#include "vgpu/base/log.h"

#define LOOK_EVERY_NS    UINT64_C(4000000)     /* at most: a bound on what a guest's flips cost */
#define REFRESH_EVERY_NS UINT64_C(16000000)    /* at most, of copied frames */
#define REFRESH_SHARE    4u                    /* looks for changes take a quarter of the thread's time at most */
#define CHECK_EVERY_NS   UINT64_C(500000000)   /* for GGTT entries that were stored without a trap or a flip */
#define RETRY_NS         UINT64_C(100000000)   /* after a picture for which there was no memory */
#define ACCEPT_NS        UINT64_C(100000000)   /* after a viewer for whom there was no descriptor */
#define ATTACH_NS        UINT64_C(2000000000)  /* time to say what is wanted */
#define ANSWER_NS        UINT64_C(30000000000) /* time to show a flip */

struct cursor {
    struct frame *frame; /* NULL: none */
    int32_t x, y;
    uint32_t width, height, src_x, src_y;
};

/* A sprite plane, as viewers see it. */
struct layer {
    struct frame *frame;
    uint32_t x, y, width, height; /* the part of it */
    int32_t to_x, to_y;
    uint32_t to_width, to_height;
    enum display_blend blend;
    uint32_t alpha;
};

/* A frame and what is above it. */
struct picture {
    struct frame *frame; /* NULL: none */
    uint32_t x, y;
    unsigned nlayers;
    struct layer layer[DISPLAY_LAYERS];
};

/* What a head shows, as it was found last. */
struct head {
    bool dirty;
    uint64_t look_at;            /* not before */
    uint64_t check_at;           /* the latest */
    uint64_t changed_ns;         /* of the newest change */
    uint64_t picture_ns;         /* of the change that made the picture */
    uint32_t flip;               /* of the picture (vgpu_scanout) */
    uint32_t flip_told;          /* of which the guest was told last */
    bool flips_wait;             /* the guest's flips wait for viewers */
    bool refresh;                /* somebody asked for it */
    uint64_t refresh_at;         /* not before */
    uint32_t serial;             /* of the picture; 0: never looked */
    bool lit, direct;            /* one plane that fills the picture */
    struct vgpu_scanout scanout; /* without the cursor */
    struct picture flat;         /* all planes in one frame; none: dark, or no viewer wants it so */
    struct picture apart;        /* sprite planes as layers; none: there are none, or no viewer wants it so */
    uint64_t arrangement;        /* a sum of what may make a viewer refuse `apart` */
    struct vgpu_surface cursor_surface;
    struct cursor cursor;
};

/* References to the frames of a picture. */
struct held {
    struct frame *frame[1 + DISPLAY_LAYERS];
};

struct viewer {
    int fd; /* -1: none */
    bool attached, blocked;
    bool damage_lost;                   /* a change in place was not told: the socket was full */
    bool layers;                        /* takes them ... */
    uint64_t refused, sent_arrangement; /* ... but not those; 0: none */
    unsigned head;
    uint64_t deadline;          /* to attach, or to answer; UINT64_MAX: none */
    uint32_t known[FRAMES_MAX]; /* ids of the frames that it was given, by slot */
    uint32_t sent, shown;       /* serials */
    uint64_t sent_ns;           /* when the guest made what was sent */
    uint32_t sent_flip;         /* and its number */
    bool flipped;               /* what was sent is a new flip of the guest */
    /* server_flip.c */
    bool paced;
    uint64_t answer_by;         /* what was sent is answered in time until then */
    unsigned late;              /* answers in a row */
    unsigned proof, proof_left; /* answers in time until it has its vote (again): at first, still missing */
    struct held pending, showing;
    struct cursor cursor; /* as told */
};

struct display_server {
    const struct display_host *host;
    struct frames frames;
    int listener;
    char name[DISPLAY_NAME_MAX];
    struct head head[DISPLAY_HEADS];
    struct viewer viewer[DISPLAY_VIEWERS];
    struct display_stats stats;
    uint64_t flip_wait;
    uint64_t accept_at; /* when to try again to take somebody in, for whom there was no descriptor; 0: at once */
    struct gt_ratelimit log_rl;
};

/* server_head.c */
void head_look(struct display_server *s, unsigned head, uint64_t now);
void head_refresh(struct display_server *s, unsigned head, uint64_t now);
/* Gives up its frames. */
void head_drop(struct display_server *s, unsigned head);
/* Is there anything to be given up? */
bool head_has_frames(const struct head *h);
/* What is shown is another picture from now on. */
void head_next_serial(struct head *h);

/* server_layers.c */
/* Can the planes be told apart? Without the cursor. */
bool layers_possible(const struct vgpu_scanout *sc);
/* All of it as shared frames, of which references are the caller's. False: a frame cannot be shared. */
bool layers_share(struct display_server *s, const struct vgpu_scanout *sc, struct picture *out);
/* A sum of all but what changes while a guest plays a video or moves it about. Never 0. */
uint64_t layers_arrangement(const struct vgpu_scanout *sc);
/* The references of a picture are given up. */
void picture_clear(struct display_server *s, struct picture *p);
/* Is the surface, alone, all of the picture, and one that a viewer can take as it is? */
bool surface_is_direct(const struct vgpu_scanout *sc, const struct vgpu_surface *s);
/* Which picture a viewer of the head gets. */
const struct picture *picture_for(const struct viewer *v, const struct head *h);

/* server_flip.c */
/* How long the guest waits for viewers to show a flip of this head. */
uint64_t flip_patience(const struct display_server *s, const struct head *h);
void flip_viewer_init(struct viewer *v, bool paced);
/* A flip was answered. */
void flip_answered(struct display_server *s, struct viewer *v, uint64_t now);
/* Tells the guest what there is to tell of a head's flips. Returns when to be called again. */
uint64_t head_flips(struct display_server *s, unsigned head, uint64_t now);

/* server_viewer.c */
void viewer_init(struct viewer *v);
void viewer_accept(struct display_server *s, struct viewer *v, int fd, uint64_t now);
/* Handles what came. */
void viewer_receive(struct display_server *s, struct viewer *v, uint64_t now);
/* Tells what is new. */
void viewer_update(struct display_server *s, struct viewer *v, uint64_t now);
/* A copied frame has changed in place. */
void viewer_damage(struct display_server *s, struct viewer *v, const struct frame *f, const struct frame_damage *d);
void viewer_forget(struct display_server *s, struct viewer *v, const struct frame *f);
void viewer_drop(struct display_server *s, struct viewer *v, const char *why); /* why NULL: it left */
/* True when it may be told of another picture. */
bool viewer_ready(const struct viewer *v);

#endif
