#include "mediator/soft/mcs.h"

#include <string.h>

#include "vgpu/base/bits.h"

#define COLUMN_BYTES 16u /* that a Y tile has side by side */

static unsigned element_bytes(unsigned samples)
{
    return samples == 16 ? 8 : samples == 8 ? 4 : 1;
}

static uint64_t element_address(const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z)
{
    const struct soft_surface mcs = {
        .tiling = SOFT_TILE_Y, .element_bytes = 1, .pitch_bytes = s->aux_pitch_tiles * 128};

    return s->aux_address + soft_tile_offset(&mcs, (uint64_t)x * element_bytes(s->samples),
                                             y + ((uint64_t)z + s->first_layer) * s->aux_qpitch_rows);
}

bool soft_mcs_used(const struct soft_surface *s)
{
    return s->samples > 1 && !s->samples_interleaved && s->aux == SOFT_AUX_MCS && s->aux_address;
}

uint64_t soft_mcs_plain(unsigned samples)
{
    unsigned bits = samples == 2 ? 1 : samples == 4 ? 2 : samples == 8 ? 3 : 4;
    uint64_t value = 0;

    for (unsigned n = 0; n < samples; n++)
        value |= (uint64_t)n << (n * bits);
    return value;
}

void soft_mcs_mark(struct soft_mem *m, const struct soft_surface *s, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1,
                   uint32_t z)
{
    unsigned bytes = element_bytes(s->samples), run;
    uint8_t ones[COLUMN_BYTES];

    memset(ones, 0xff, sizeof(ones));
    x1 = GT_MIN(x1, s->width_px);
    y1 = GT_MIN(y1, s->height_px);
    for (uint32_t y = y0; y < y1; y++) {
        for (uint32_t x = x0; x < x1; x += run) {
            run = GT_MIN((COLUMN_BYTES - x * bytes % COLUMN_BYTES) / bytes, x1 - x);
            soft_mem_write(m, element_address(s, x, y, z), ones, (size_t)run * bytes);
        }
    }
}

void soft_mcs_pack_clear(const struct soft_surface *s, enum soft_use use, uint8_t element[16])
{
    struct soft_format f = *s->info;

    f.srgb &= use == SOFT_DRAWN;
    f.fast = SOFT_FAST_NONE;
    memset(element, 0, 16);
    if (s->element_bytes <= 16 && !f.compression)
        soft_format_pack(&f, s->clear, element);
}

void soft_mcs_settle(struct soft_mem *m, const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z,
                     enum soft_use use)
{
    unsigned bytes = element_bytes(s->samples);
    uint64_t at = element_address(s, x, y, z), value = 0,
             all = bytes == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;
    uint8_t element[16];

    soft_mem_read(m, at, &value, bytes);
    if (value != all || s->element_bytes > sizeof(element))
        return;
    soft_mcs_pack_clear(s, use, element);
    for (unsigned n = 0; n < s->samples; n++)
        soft_surface_write_row(m, s, x, y, z, soft_surface_drawn_level(s), n, 1, element);
    value = soft_mcs_plain(s->samples);
    soft_mem_write(m, at, &value, bytes);
}
