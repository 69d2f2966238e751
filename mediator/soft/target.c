/*
 * Render targets: where the pixels of a message are, and the way from the shader's numbers to their bits: alpha to one,
 * blending or logic operation, conversion, write mask.
 */
#include <string.h>

#include "mediator/soft/mcs.h"
#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

#define TARGET_CHANNELS 16u
#define ELEMENT_MAX     16u /* bytes */

/* The pixels' elements in memory. Quads whose four pixels have host addresses: the first of each row, in row. */
struct elements {
    struct soft_mem *m;
    uint32_t mask; /* those within the surface */
    unsigned bytes;
    uint8_t *row[TARGET_CHANNELS / 4][2]; /* NULL: by `at` */
    uint64_t at[TARGET_CHANNELS];
};

static unsigned drawn_level(const struct soft_surface *s)
{
    return s->levels ? s->levels - 1u : 0;
}

static uint32_t layers_of(const struct soft_surface *s, unsigned level)
{
    return s->type == SOFT_SURF_3D ? GT_MIN(s->view_layers, soft_surface_depth(s, level)) : s->view_layers;
}

/* Bytes from a quad's first row to its second, where tiles keep pairs of pixels and of rows together (Y: columns of 16
 * bytes, 32 rows; X: rows of 512 bytes); 0: they do not. */
static uint64_t row_step(const struct soft_surface *s, unsigned level)
{
    if (s->samples_interleaved || s->type == SOFT_SURF_BUFFER || (s->level[level].x_el & 1) ||
        (s->level[level].y_el & 1))
        return 0;
    switch (s->tiling) {
    case SOFT_TILE_Y:
        return s->element_bytes <= 8 ? 16 : 0;
    case SOFT_TILE_X:
        return 512;
    case SOFT_LINEAR:
        return s->pitch_bytes;
    default:
        return 0;
    }
}

static uint8_t *direct(struct soft_mem *m, uint64_t at, unsigned bytes, bool write)
{
    return at % SOFT_PAGE + bytes <= SOFT_PAGE ? soft_mem_ptr(m, at, write) : NULL;
}

/* Whole pairs of pixels get host addresses even where one of them is not drawn. */
static bool locate_quad(const struct target_write *w, struct elements *e, unsigned q, uint64_t step, bool write)
{
    unsigned level = drawn_level(w->s), i = 4 * q;
    uint64_t at = soft_surface_address(w->s, w->x[i], w->y[i], w->layer, level, w->sample);

    e->at[i] = at;
    e->at[i + 1] = at + e->bytes;
    e->at[i + 2] = at + step;
    e->at[i + 3] = at + step + e->bytes;
    e->row[q][0] = direct(e->m, at, 2 * e->bytes, write);
    if (at % SOFT_PAGE + step + 2 * e->bytes <= SOFT_PAGE)
        e->row[q][1] = e->row[q][0] + step;
    else
        e->row[q][1] = e->mask >> (i + 2) & 3 ? direct(e->m, at + step, 2 * e->bytes, write) : e->row[q][0];
    return e->row[q][0] && e->row[q][1];
}

static void locate(struct soft_mem *m, const struct target_write *w, bool write, struct elements *e)
{
    const struct soft_surface *s = w->s;
    unsigned level = drawn_level(s);
    uint32_t width = s->level[level].width_px, height = s->level[level].height_px;
    uint64_t step = row_step(s, level);

    e->m = m;
    e->bytes = s->element_bytes;
    e->mask = 0;
    if (w->layer >= layers_of(s, level) || w->sample >= s->samples)
        return;
    for (unsigned i = 0; i < TARGET_CHANNELS; i++)
        e->mask |= (uint32_t)(w->x[i] < width && w->y[i] < height) << i;
    e->mask &= w->mask;
    for (unsigned q = 0; q < TARGET_CHANNELS / 4; q++) {
        e->row[q][0] = NULL;
        if (!(e->mask >> (4 * q) & 0xf) || (step && locate_quad(w, e, q, step, write)))
            continue;
        e->row[q][0] = NULL;
        for (unsigned i = 4 * q; i < 4 * q + 4; i++)
            if (e->mask >> i & 1)
                e->at[i] = soft_surface_address(s, w->x[i], w->y[i], w->layer, level, w->sample);
    }
}

/* ---- memory */

/* Sizes that elements have become single moves. */
static inline void copy_element(uint8_t *to, const uint8_t *from, unsigned bytes)
{
    switch (bytes) {
    case 1:
        *to = *from;
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, bytes);
    }
}

static void load_quad(const struct elements *e, unsigned q, uint8_t *raw)
{
    for (unsigned k = 0; k < 4; k++) {
        unsigned i = 4 * q + k;

        if (!(e->mask >> i & 1))
            memset(raw + i * e->bytes, 0, e->bytes);
        else if (e->row[q][0])
            copy_element(raw + i * e->bytes, e->row[q][k >> 1] + (k & 1) * e->bytes, e->bytes);
        else
            soft_mem_read(e->m, e->at[i], raw + i * e->bytes, e->bytes);
    }
}

static void load(const struct elements *e, uint8_t *raw)
{
    for (unsigned q = 0; q < TARGET_CHANNELS / 4; q++)
        load_quad(e, q, raw);
}

static void store_quad(const struct elements *e, unsigned q, const uint8_t *raw)
{
    for (unsigned k = 0; k < 4; k++) {
        unsigned i = 4 * q + k;

        if (!(e->mask >> i & 1))
            continue;
        if (e->row[q][0])
            copy_element(e->row[q][k >> 1] + (k & 1) * e->bytes, raw + i * e->bytes, e->bytes);
        else
            soft_mem_write(e->m, e->at[i], raw + i * e->bytes, e->bytes);
    }
}

/* Whole quads of 4-byte pixels are the most frequent case by far. */
static void store(const struct elements *e, const uint8_t *raw)
{
    for (unsigned q = 0; q < TARGET_CHANNELS / 4; q++) {
        if (e->bytes == 4 && (e->mask >> (4 * q) & 0xf) == 0xf && e->row[q][0]) {
            memcpy(e->row[q][0], raw + 16 * q, 8);
            memcpy(e->row[q][1], raw + 16 * q + 8, 8);
        } else {
            store_quad(e, q, raw);
        }
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

/* All channels alike: one is converted. */
static void pack_uniform(const struct soft_format *f, const float (*color)[TARGET_CHANNELS], unsigned bytes,
                         uint8_t *raw)
{
    uint32_t one[4];

    for (unsigned c = 0; c < 4; c++)
        memcpy(&one[c], &color[c][0], sizeof(one[c]));
    soft_format_pack(f, one, raw);
    for (unsigned i = 1; i < TARGET_CHANNELS; i++)
        copy_element(raw + i * bytes, raw, bytes);
}

static bool drawable(const struct target_write *w)
{
    return w->s->type != SOFT_SURF_NULL && !w->s->info->compression && w->s->element_bytes <= ELEMENT_MAX;
}

/* Logic operations are for normalised and integer formats (PRM SKL vol 7, "Logic Ops"). */
static bool has_logic(const struct soft_format *f)
{
    unsigned type = f->channel[0].bits ? f->channel[0].type : f->channel[3].type;

    return !f->srgb && (type == SOFT_CH_UNORM || type == SOFT_CH_UINT || type == SOFT_CH_SINT);
}

/* Alpha to one and blending change the colours in a copy. */
static const float (*blended(const struct target_write *w, bool blends, const uint8_t *old,
                             float copy[4][TARGET_CHANNELS]))[TARGET_CHANNELS]
{
    float dst[4][TARGET_CHANNELS];

    memcpy(copy, w->color, 4 * sizeof(copy[0]));
    for (unsigned i = 0; w->alpha_to_one && i < TARGET_CHANNELS; i++)
        copy[3][i] = 1;
    if (blends) {
        soft_format_unpack_row(w->s->info, old, TARGET_CHANNELS, (uint32_t *)dst, TARGET_CHANNELS);
        blend_channels(w, dst, copy);
    }
    return (const float(*)[TARGET_CHANNELS])copy;
}

static void settle(struct soft_mem *m, const struct target_write *w, uint32_t mask)
{
    for (unsigned i = 0; i < TARGET_CHANNELS; i++)
        if (mask >> i & 1)
            soft_mcs_settle(m, w->s, w->x[i], w->y[i], w->layer);
}

void target_write(struct soft_mem *m, const struct target_write *w)
{
    const struct soft_format *f = w->s->info;
    uint8_t raw[TARGET_CHANNELS * ELEMENT_MAX], old[TARGET_CHANNELS * ELEMENT_MAX], mask[ELEMENT_MAX];
    float copy[4][TARGET_CHANNELS];
    const float(*color)[TARGET_CHANNELS] = w->color;
    bool logical = w->blend->logic_enable && has_logic(f), everything = true, integer = soft_format_is_integer(f);
    bool blends = w->blend->enable && !integer && !logical;
    struct elements e;

    if (!drawable(w) || !w->blend->write_mask)
        return;
    locate(m, w, true, &e);
    if (!e.mask)
        return;
    if (soft_mcs_used(w->s))
        settle(m, w, e.mask);
    if (w->blend->write_mask != 0xf)
        channel_mask(f, w->blend->write_mask, mask, &everything);
    if (blends || !everything || logical)
        load(&e, old);
    if (blends || (w->alpha_to_one && !integer))
        color = blended(w, blends, old, copy);
    if (w->uniform && !blends)
        pack_uniform(f, color, e.bytes, raw);
    else
        soft_format_pack_row(f, (const uint32_t *)color, TARGET_CHANNELS, TARGET_CHANNELS, raw);
    if (logical)
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
    if (!drawable(w))
        return;
    locate(m, w, false, &e);
    if (soft_mcs_used(w->s))
        settle(m, w, e.mask);
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
