/* The parts of vgpu_adopt. Fields of an old state can be any bytes: those of types that have illegal values (bool,
 * enum) are only read through the functions here. Private to vgpu/adopt*.c. */
#ifndef GTMUX_VGPU_ADOPT_H
#define GTMUX_VGPU_ADOPT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "vgpu/device.h"

static inline bool old_bool(const void *field)
{
    uint8_t byte;

    memcpy(&byte, field, sizeof(byte));
    return byte == 1;
}

/* Values from 0 to below `end`; others give 0. */
static inline unsigned old_enum(const void *field, unsigned end)
{
    unsigned val;

    memcpy(&val, field, sizeof(val));
    return val < end ? val : 0;
}

/* Registers of v are adopted already. */
void adopt_engine(struct vgpu_engine *e, const struct vgpu_engine *old);
void adopt_display(struct vgpu *v, const struct vgpu_display *old);

#endif
