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

static uint32_t layers_of(const struct soft_surface *s, unsigned level)
{
    return s->type == SOFT_SURF_3D ? GT_MIN(s->view_layers, soft_surface_depth(s, level)) : s->view_layers;
}

/* Goes from quad to quad: where the two rows of the current one are in the host. */
struct quad_cursor {
    const struct soft_surface *s;
    struct soft_mem *m;
    unsigned level, sample;
    uint32_t layer;
    uint64_t step; /* bytes from the first row to the second; 0: not the same for all */
    unsigned unit; /* neighbours lie together within aligned blocks of so many bytes */
    bool write, both;
    uint16_t x, y;
    uint64_t at;
    uint8_t *row[2];
};

/* Tiles keep pairs of pixels and of rows together (Y: columns of 16 bytes, 32 rows; X: rows of 512 bytes) if the tree
 * is where drivers put it. */
static void cursor_layout(struct quad_cursor *c)
{
    const struct soft_surface *s = c->s;
    const struct soft_level *l = &s->level[c->level];

    c->step = 0;
    c->unit = 1;
    if (s->samples_interleaved || s->type == SOFT_SURF_BUFFER || (l->x_el & 1) || (l->y_el & 1))
        return;
    if (s->tiling == SOFT_LINEAR) {
        c->step = s->pitch_bytes;
        c->unit = (s->pitch_bytes | s->address) % 64 ? 1 : 64;
    } else if (s->tiling == SOFT_TILE_Y && s->element_bytes <= 8 && s->address % SOFT_PAGE == 0) {
        c->step = c->unit = 16;
    } else if (s->tiling == SOFT_TILE_X && s->address % SOFT_PAGE == 0) {
        c->step = c->unit = 512;
    }
}

static void cursor_start(struct quad_cursor *c, struct soft_mem *m, const struct target_write *w, bool write)
{
    *c = (struct quad_cursor){.s = w->s, .m = m, .layer = w->layer, .sample = w->sample, .write = write};
    c->level = soft_surface_drawn_level(w->s);
    cursor_layout(c);
}

static uint8_t *direct(const struct quad_cursor *c, uint64_t at)
{
    return at % SOFT_PAGE + 2u * c->s->element_bytes <= SOFT_PAGE ? soft_mem_ptr(c->m, at, c->write) : NULL;
}

/* Moves to the quad at x, y. lower: its second row is wanted. False: no host addresses; at is right if step is not 0.
 */
static bool cursor_move(struct quad_cursor *c, uint16_t x, uint16_t y, bool lower)
{
    unsigned two = 2u * c->s->element_bytes;
    bool next = c->both && y == c->y && x == c->x + 2 && (c->at + two) % c->unit;

    c->x = x;
    c->y = y;
    if (next) {
        c->at += two;
        c->row[0] += two;
        c->row[1] += two;
        return true;
    }
    c->both = false;
    if (!c->step)
        return false;
    c->at = soft_surface_address(c->s, x, y, c->layer, c->level, c->sample);
    c->row[0] = direct(c, c->at);
    if (!c->row[0])
        return false;
    if (c->at % SOFT_PAGE + c->step + two <= SOFT_PAGE)
        c->row[1] = c->row[0] + c->step;
    else
        c->row[1] = lower ? direct(c, c->at + c->step) : NULL;
    c->both = c->row[1] != NULL;
    return c->both || !lower;
}

static uint32_t in_surface(const struct target_write *w)
{
    unsigned level = soft_surface_drawn_level(w->s);
    uint32_t width = w->s->level[level].width_px, height = w->s->level[level].height_px, mask = 0;

    if (w->layer >= layers_of(w->s, level) || w->sample >= w->s->samples)
        return 0;
    for (unsigned i = 0; i < TARGET_CHANNELS; i++)
        mask |= (uint32_t)(w->x[i] < width && w->y[i] < height) << i;
    return mask & w->mask;
}

static void locate(struct soft_mem *m, const struct target_write *w, bool write, struct elements *e)
{
    struct quad_cursor c;

    e->m = m;
    e->bytes = w->s->element_bytes;
    e->mask = in_surface(w);
    cursor_start(&c, m, w, write);
    for (unsigned q = 0; q < TARGET_CHANNELS / 4; q++) {
        e->row[q][0] = NULL;
        if (!(e->mask >> (4 * q) & 0xf))
            continue;
        if (cursor_move(&c, w->x[4 * q], w->y[4 * q], e->mask >> (4 * q + 2) & 3)) {
            e->row[q][0] = c.row[0];
            e->row[q][1] = c.row[1];
            continue;
        }
        for (unsigned i = 4 * q; i < 4 * q + 4; i++)
            if (e->mask >> i & 1)
                e->at[i] = soft_surface_address(w->s, w->x[i], w->y[i], w->layer, c.level, w->sample);
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
    soft_format_pack_row(f, (const uint32_t *)color, TARGET_CHANNELS, 1, raw);
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
            soft_mcs_settle(m, w->s, w->x[i], w->y[i], w->layer, SOFT_DRAWN);
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

/* A pixel of a quad without a host address for it. */
static void flat_slow(struct soft_mem *m, const struct target_write *w, const struct raster_quad *q, unsigned lit,
                      const uint8_t *element)
{
    for (unsigned k = 0; k < 4; k++)
        if (lit >> k & 1)
            soft_mem_write(m,
                           soft_surface_address(w->s, q->x + (k & 1), q->y + (k >> 1), w->layer,
                                                soft_surface_drawn_level(w->s), 0),
                           element, w->s->element_bytes);
}

bool target_flat(struct soft_mem *m, const struct target_write *w, const struct raster_quad *quad, unsigned n)
{
    unsigned level = soft_surface_drawn_level(w->s), bytes = w->s->element_bytes;
    uint32_t width = w->s->level[level].width_px, height = w->s->level[level].height_px;
    uint8_t raw[TARGET_CHANNELS * ELEMENT_MAX];
    struct quad_cursor c;

    if (!drawable(w) || w->s->samples > 1 || w->blend->enable || w->blend->logic_enable || w->blend->write_mask != 0xf)
        return false;
    if (w->layer >= layers_of(w->s, level))
        return true;
    pack_uniform(w->s->info, w->color, bytes, raw);
    cursor_start(&c, m, w, true);
    for (const struct raster_quad *q = quad; q < quad + n; q++) {
        unsigned lit = q->lit &
                       (q->x + 1u < width ? 0xf
                        : q->x < width    ? 5
                                          : 0) &
                       (q->y + 1u < height ? 0xf
                        : q->y < height    ? 3
                                           : 0);

        if (!lit)
            continue;
        if (!cursor_move(&c, q->x, q->y, lit >> 2)) {
            flat_slow(m, w, q, lit, raw);
        } else if (lit == 0xf && bytes == 4) {
            memcpy(c.row[0], raw, 8);
            memcpy(c.row[1], raw, 8);
        } else {
            for (unsigned k = 0; k < 4; k++)
                if (lit >> k & 1)
                    copy_element(c.row[k >> 1] + (k & 1) * bytes, raw, bytes);
        }
    }
    return true;
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
