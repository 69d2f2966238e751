/*
 * Render targets: where the pixels of a message are, and the way from the shader's numbers to their bits: alpha to one,
 * blending or logic operation, conversion, write mask.
 */
#include <string.h>

#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

#define TARGET_CHANNELS 16u
#define ELEMENT_MAX     16u /* bytes */

/* The pixels' elements in memory. Two pixels of a row of a quad lie together where `paired`. */
struct elements {
    struct soft_mem *m;
    uint64_t at[TARGET_CHANNELS];
    uint32_t mask; /* those within the surface */
    unsigned bytes;
};

static unsigned drawn_level(const struct soft_surface *s)
{
    return s->levels ? s->levels - 1u : 0;
}

static uint32_t layers_of(const struct soft_surface *s, unsigned level)
{
    return s->type == SOFT_SURF_3D ? GT_MIN(s->view_layers, soft_surface_depth(s, level)) : s->view_layers;
}

/* A quad whose address is known: the others follow where tiles keep pairs of pixels and of rows together (Y: columns of
 * 16 bytes, 32 rows; X: rows of 512 bytes). */
static bool quad_by_first(const struct soft_surface *s, uint64_t first, uint64_t at[4])
{
    uint64_t row = s->tiling == SOFT_TILE_Y ? 16 : s->tiling == SOFT_TILE_X ? 512 : s->pitch_bytes;

    if (s->samples_interleaved || (s->tiling != SOFT_TILE_Y && s->tiling != SOFT_TILE_X && s->tiling != SOFT_LINEAR))
        return false;
    if (s->element_bytes > 8 && s->tiling == SOFT_TILE_Y)
        return false;
    at[0] = first;
    at[1] = first + s->element_bytes;
    at[2] = first + row;
    at[3] = first + row + s->element_bytes;
    return true;
}

static void locate(struct soft_mem *m, const struct target_write *w, struct elements *e)
{
    const struct soft_surface *s = w->s;
    unsigned level = drawn_level(s);
    uint32_t width = soft_surface_width(s, level), height = soft_surface_height(s, level);
    bool even = !(s->level[level].x_el & 1) && !(s->level[level].y_el & 1) && s->type != SOFT_SURF_BUFFER;

    *e = (struct elements){.m = m, .bytes = s->element_bytes};
    if (w->layer >= layers_of(s, level) || w->sample >= s->samples)
        return;
    for (unsigned i = 0; i < TARGET_CHANNELS; i++)
        if (w->mask >> i & 1 && w->x[i] < width && w->y[i] < height)
            e->mask |= 1u << i;
    for (unsigned q = 0; q < TARGET_CHANNELS; q += 4) {
        if (!(e->mask >> q & 0xf))
            continue;
        if (even && quad_by_first(s, soft_surface_address(s, w->x[q], w->y[q], w->layer, level, w->sample), e->at + q))
            continue;
        for (unsigned i = q; i < q + 4; i++)
            if (e->mask >> i & 1)
                e->at[i] = soft_surface_address(s, w->x[i], w->y[i], w->layer, level, w->sample);
    }
}

/* ---- memory */

static void load_one(const struct elements *e, unsigned i, uint8_t *out)
{
    const uint8_t *p = e->at[i] % SOFT_PAGE + e->bytes <= SOFT_PAGE ? soft_mem_ptr(e->m, e->at[i], false) : NULL;

    if (p)
        memcpy(out, p, e->bytes);
    else
        soft_mem_read(e->m, e->at[i], out, e->bytes);
}

static void store_one(const struct elements *e, unsigned i, const uint8_t *in)
{
    uint8_t *p = e->at[i] % SOFT_PAGE + e->bytes <= SOFT_PAGE ? soft_mem_ptr(e->m, e->at[i], true) : NULL;

    if (p)
        memcpy(p, in, e->bytes);
    else
        soft_mem_write(e->m, e->at[i], in, e->bytes);
}

static void load(const struct elements *e, uint8_t *raw)
{
    for (unsigned i = 0; i < TARGET_CHANNELS; i++) {
        if (e->mask >> i & 1)
            load_one(e, i, raw + i * e->bytes);
        else
            memset(raw + i * e->bytes, 0, e->bytes);
    }
}

/* Pairs of 4-byte pixels are the most frequent case by far. */
static void store(const struct elements *e, const uint8_t *raw)
{
    for (unsigned i = 0; i < TARGET_CHANNELS; i += 2) {
        unsigned pair = e->mask >> i & 3;

        if (!pair)
            continue;
        if (pair == 3 && e->bytes == 4 && e->at[i + 1] == e->at[i] + 4 && e->at[i] % SOFT_PAGE <= SOFT_PAGE - 8) {
            uint8_t *p = soft_mem_ptr(e->m, e->at[i], true);

            if (p) {
                memcpy(p, raw + 4 * i, 8);
                continue;
            }
        }
        if (pair & 1)
            store_one(e, i, raw + i * e->bytes);
        if (pair & 2)
            store_one(e, i + 1, raw + (i + 1) * e->bytes);
    }
}

/* ---- */

/* Bits of an element that the write mask lets through. All of them: everything = true. */
static void channel_mask(const struct soft_format *f, unsigned write_mask, uint8_t mask[ELEMENT_MAX], bool *everything)
{
    memset(mask, 0, ELEMENT_MAX);
    *everything = true;
    for (unsigned c = 0; c < 4; c++) {
        unsigned first = f->channel[c].first, end = first + f->channel[c].bits;

        if (!f->channel[c].bits)
            continue;
        if (!(write_mask >> c & 1)) {
            *everything = false;
            continue;
        }
        for (unsigned bit = first; bit < end && bit < 8 * ELEMENT_MAX; bit++)
            mask[bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

static void merge(uint8_t *raw, const uint8_t *old, const uint8_t *mask, unsigned bytes)
{
    for (unsigned i = 0; i < TARGET_CHANNELS; i++)
        for (unsigned b = 0; b < bytes; b++, raw++, old++)
            *raw = (uint8_t)((*raw & mask[b]) | (*old & ~mask[b]));
}

static void logic(unsigned op, uint8_t *raw, const uint8_t *old, unsigned bytes)
{
    for (unsigned i = 0; i < TARGET_CHANNELS * bytes; i++)
        raw[i] = (uint8_t)blend_logic(op, raw[i], old[i]);
}

static void gather(const struct target_write *w, bool integer, float color[4][TARGET_CHANNELS])
{
    for (unsigned c = 0; c < 4; c++)
        memcpy(color[c], w->color[c], sizeof(color[c]));
    if (w->alpha_to_one && !integer)
        for (unsigned i = 0; i < TARGET_CHANNELS; i++)
            color[3][i] = 1;
}

void target_write(struct soft_mem *m, const struct target_write *w)
{
    const struct soft_format *f = w->s->info;
    uint8_t raw[TARGET_CHANNELS * ELEMENT_MAX], old[TARGET_CHANNELS * ELEMENT_MAX], mask[ELEMENT_MAX];
    float color[4][TARGET_CHANNELS], dst[4][TARGET_CHANNELS];
    bool everything, integer = soft_format_is_integer(f), blends = w->blend->enable && !integer;
    struct elements e;

    if (w->s->type == SOFT_SURF_NULL || f->compression || w->s->element_bytes > ELEMENT_MAX || !w->blend->write_mask)
        return;
    locate(m, w, &e);
    if (!e.mask)
        return;
    gather(w, integer, color);
    channel_mask(f, w->blend->write_mask, mask, &everything);
    if (blends || !everything || w->blend->logic_enable)
        load(&e, old);
    if (blends && !w->blend->logic_enable) {
        soft_format_unpack_row(f, old, TARGET_CHANNELS, (uint32_t *)dst, TARGET_CHANNELS);
        blend_channels(w, dst, color);
    }
    soft_format_pack_row(f, (const uint32_t *)color, TARGET_CHANNELS, TARGET_CHANNELS, raw);
    if (w->blend->logic_enable)
        logic(w->blend->logic_op, raw, old, e.bytes);
    if (!everything)
        merge(raw, old, mask, e.bytes);
    store(&e, raw);
}

void target_read(struct soft_mem *m, const struct target_write *w, float out[4][16])
{
    uint8_t raw[TARGET_CHANNELS * ELEMENT_MAX];
    struct elements e;

    memset(out, 0, 4 * sizeof(out[0]));
    if (w->s->type == SOFT_SURF_NULL || w->s->info->compression || w->s->element_bytes > ELEMENT_MAX)
        return;
    locate(m, w, &e);
    load(&e, raw);
    soft_format_unpack_row(w->s->info, raw, TARGET_CHANNELS, (uint32_t *)out, TARGET_CHANNELS);
}

/*
 * One sample: a block of CCS stands for 8 x 4 pixels of 32 bits (4 x 4 of 64, 2 x 4 of 128); the rectangle is scaled by
 * 8 blocks across and 8 down. Multisampled: MCS, by its own sizes. PRM SKL vol 7, "MCS Buffer for Render Target(s)".
 */
void target_clear_scale(const struct soft_surface *s, unsigned *x, unsigned *y)
{
    if (s->samples > 1) {
        *x = s->samples == 16 ? 1 : s->samples == 8 ? 2 : 8;
        *y = 2;
        return;
    }
    *x = 8 * (s->element_bytes >= 16 ? 2 : s->element_bytes == 8 ? 4 : 8);
    *y = 8 * 4;
}
