/*
 * What gtmux-dm and a viewer say to each other over RUN_DIR/NAME.display, a unix socket of type SOCK_SEQPACKET: one
 * message a packet, each of a fixed size, in the host's byte order (both ends run on one machine).
 *
 * The viewer sends ATTACH and gets HELLO. From then on it is told what its head shows: FRAME hands over a descriptor
 * once, FLIP says which frame to show. One FLIP is under way at a time: the next one comes when SHOWN has answered it,
 * and is then about the newest picture. SHOWN also says that the frame shown before is not read any more; until then it
 * stays as it is. Whoever never answers gets no more flips, and is sent away.
 *
 * A viewer that says so in ATTACH gets the guest's sprite planes as planes of their own: LAYER messages, bottom first,
 * then the FLIP that they belong to. What it cannot show so it answers with COMPOSE instead of SHOWN, and gets one
 * picture of all planes, as viewers without layers do, until the guest arranges its planes in another way.
 *
 * Neither end trusts the other. A wrong message ends the connection.
 */
#ifndef GTMUX_DISPLAY_WIRE_H
#define GTMUX_DISPLAY_WIRE_H

#include <stdint.h>

#define DISPLAY_SOCKET_SUFFIX ".display"
#define DISPLAY_MAGIC         0x646d7467u /* "gtmd" */
#define DISPLAY_VERSION       1u
#define DISPLAY_SLOTS         32u /* frames that a viewer may have to keep */
#define DISPLAY_NAME_MAX      48u
#define DISPLAY_MESSAGE_MAX   64u
#define DISPLAY_LAYERS        4u /* above the picture */

enum display_message {
    /* from the viewer */
    DISPLAY_ATTACH = 1,
    DISPLAY_SHOWN = 2,   /* the last FLIP is on the screen */
    DISPLAY_REFRESH = 3, /* look for changes in the frame shown, if it is a copy; as often as the viewer wants it */
    DISPLAY_COMPOSE = 4, /* the last FLIP cannot be shown with its layers; as SHOWN, but what was shown stays */
    /* to the viewer */
    DISPLAY_HELLO = 16,
    DISPLAY_FRAME = 17,  /* with a descriptor; takes the place of what the slot had */
    DISPLAY_FORGET = 18, /* a slot's frame will not be used again */
    DISPLAY_FLIP = 19,
    DISPLAY_DAMAGE = 20, /* rows of a copied frame were overwritten in place */
    DISPLAY_CURSOR = 21,
    DISPLAY_LAYER = 22,
};

struct display_header {
    uint16_t type;   /* enum display_message */
    uint16_t size;   /* of the whole message */
    uint32_t serial; /* FLIP: counts up from 1; LAYER, SHOWN and COMPOSE: that of the FLIP; else 0 */
};

/* The guest is told of a flip to or from its own memory when SHOWN has answered it, not before: for who scans out. Only
 * who answers within some frames is waited for. */
#define DISPLAY_ATTACH_PACED  1u
#define DISPLAY_ATTACH_LAYERS 2u                                             /* takes sprite planes as layers */
#define DISPLAY_ATTACH_FLAGS  (DISPLAY_ATTACH_PACED | DISPLAY_ATTACH_LAYERS) /* all */

struct display_attach {
    struct display_header h;
    uint32_t magic, version;
    uint32_t head;
    uint32_t flags; /* DISPLAY_ATTACH_*; others are an error */
};

struct display_hello {
    struct display_header h;
    uint32_t magic, version;
    char name[DISPLAY_NAME_MAX]; /* of the guest, ended by 0 */
};

#define DISPLAY_FRAME_SHARED 1u /* a dma-buf of the guest's memory: changes without notice. Else a sealed memfd */

struct display_frame {
    struct display_header h;
    uint32_t slot; /* below DISPLAY_SLOTS */
    uint32_t id;   /* never 0, and never that of another frame of this connection */
    uint32_t fourcc;
    uint32_t width, height; /* pixels */
    uint32_t stride;        /* bytes */
    uint32_t flags;
    uint32_t reserved;
    uint64_t modifier;
    uint64_t bytes; /* of the memory behind the descriptor; the picture starts at 0 */
};

struct display_forget {
    struct display_header h;
    uint32_t slot, id;
};

/* Shows width x height pixels of a frame from x, y on. id 0: the head is dark. */
struct display_flip {
    struct display_header h;
    uint32_t slot, id;
    uint32_t x, y;
    uint32_t width, height;
    uint32_t mhz;    /* refresh, millihertz */
    uint32_t layers; /* LAYER messages that came before, with the same serial */
    uint64_t ns;     /* CLOCK_MONOTONIC when the guest's change became live */
};

enum display_blend {
    DISPLAY_OPAQUE,        /* the frame's alpha channel, if any, has no meaning */
    DISPLAY_PREMULTIPLIED, /* by pixel: colours are multiplied by alpha already */
    DISPLAY_COVERAGE,      /* by pixel: colours are not */
};

#define DISPLAY_ALPHA_MAX 255u /* opaque */

/* Shows width x height pixels of a frame from x, y on at to_x, to_y of the picture, over it and over the layers of
 * lower index, with to_width x to_height pixels: scaled when that is another size. Index 0 begins a new FLIP's layers.
 */
struct display_layer {
    struct display_header h;
    uint32_t slot, id;
    uint32_t x, y;
    uint32_t width, height;
    int32_t to_x, to_y;
    uint32_t to_width, to_height;
    uint16_t index, blend; /* enum display_blend */
    uint32_t alpha;        /* of the whole layer, 0..DISPLAY_ALPHA_MAX; besides that of its pixels */
};

struct display_damage {
    struct display_header h;
    uint32_t slot, id;
    uint32_t first, end; /* rows of the frame */
};

/* ARGB8888, premultiplied. id 0: no cursor, or it is part of the picture. */
struct display_cursor {
    struct display_header h;
    uint32_t slot, id;
    int32_t x, y; /* of its first pixel, relative to the picture's */
    uint32_t width, height;
};

_Static_assert(sizeof(struct display_header) == 8, "on the wire");
_Static_assert(sizeof(struct display_attach) == 24, "on the wire");
_Static_assert(sizeof(struct display_hello) == 64, "on the wire");
_Static_assert(sizeof(struct display_frame) == 56, "on the wire");
_Static_assert(sizeof(struct display_forget) == 16, "on the wire");
_Static_assert(sizeof(struct display_flip) == 48, "on the wire");
_Static_assert(sizeof(struct display_layer) == 56, "on the wire");
_Static_assert(sizeof(struct display_damage) == 24, "on the wire");
_Static_assert(sizeof(struct display_cursor) == 32, "on the wire");

#endif
