/* What size a window has, and which mode is asked for because of it: arithmetic without a compositor. */
#ifndef GTMUX_DISPLAY_WAYLAND_SIZE_H
#define GTMUX_DISPLAY_WAYLAND_SIZE_H

#include <stdbool.h>
#include <stdint.h>

struct size {
    uint32_t width, height;
};

/* The largest size inside of `room` with the shape of `picture`; both are not empty. */
struct size size_fit(struct size picture, struct size room);
/* Pixel of `pixels` that lies at `at` (24.8 fixed point, as Wayland has it) of a window of `window`. */
uint32_t size_pixel(int32_t at, uint32_t window, uint32_t pixels);

/* The mode that a window's user wants. Sizes come fast while an edge is dragged: the last one is asked for once it has
 * been wanted for a while, and none twice in a row. */
struct resize {
    struct size want, asked;
    uint64_t at; /* when to ask; 0: nothing is wanted */
};

struct resize_limits {
    uint32_t min_side, max_width, max_height;
};

void resize_want(struct resize *r, const struct resize_limits *l, struct size want, uint64_t now);
/* True when it is time to ask for *ask, with the guest showing `have`. */
bool resize_due(struct resize *r, struct size have, uint64_t now, struct size *ask);

#endif
