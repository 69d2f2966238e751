/* Render targets of a batch, as pictures. */
#ifndef GTMUX_MEDIATOR_CAPTURE_PICTURE_H
#define GTMUX_MEDIATOR_CAPTURE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mediator/soft/surface.h"

#define CAPTURE_TARGETS 32u

struct capture_target {
    struct soft_surface surface;
};

/* Reads n bytes of GPU memory. False: not mapped. */
typedef bool (*capture_reader)(void *ctx, uint64_t addr, void *dst, size_t n);

/* First surface of the pixel shader's binding table at each draw, each once. */
unsigned capture_targets(uint64_t batch, capture_reader rd, void *ctx, struct capture_target out[CAPTURE_TARGETS]);
/* 0, or -1 with a message. */
int capture_picture(const struct capture_target *t, capture_reader rd, void *ctx, const char *path, char *err,
                    size_t errsz);

#endif
