#include "mediator/soft/ccs.h"

#include <string.h>

#include "mediator/soft/mcs.h"
#include "vgpu/base/bits.h"

/* A cache line has 16 x 16 blocks, a word a row of them; a tile has 8 x 8 lines, column by column. */
#define LINE             16u
#define LINE_BYTES       64u
#define TILE             128u
#define COLUMN           512u /* bytes */
#define PIXEL_TILE_BYTES 128u
#define PIXEL_TILE_ROWS  32u
#define BLOCK_BYTES      32u
#define BLOCK_ROWS       4u
#define ALIGN_X_PX       128u
#define ALIGN_Y_PX       64u
/* A bound for sizes that no real surface has: lines of 16 GiB of pixels. */
#define LINES_MAX (1u << 19)

/* Blocks of one slice of a level: where they begin in the CCS, and how many there are. */
struct level {
    const struct soft_surface *s;
    unsigned number;
    uint32_t slice;
    uint32_t x, y, width, height;
};

bool soft_ccs_used(const struct soft_surface *s)
{
    return s->samples == 1 && (s->aux == SOFT_AUX_CCS_D || s->aux == SOFT_AUX_CCS_E) && s->aux_address &&
           s->tiling == SOFT_TILE_Y && !s->info->compression &&
           (s->element_bytes == 4 || s->element_bytes == 8 || s->element_bytes == 16) && s->type != SOFT_SURF_1D &&
           s->type != SOFT_SURF_BUFFER && s->type != SOFT_SURF_STRBUF && s->type != SOFT_SURF_NULL;
}

static uint32_t blocks(uint32_t px, uint32_t block)
{
    return (px + block - 1) / block;
}

static uint32_t aligned(uint32_t px, unsigned level, uint32_t to)
{
    return blocks(GT_MAX(px >> level, 1u), to) * to;
}

/* Level 1 below level 0, the others to the right of level 1, each below the one before. */
static struct level find_level(const struct soft_surface *s, unsigned number, uint32_t slice)
{
    uint32_t width = BLOCK_BYTES / s->element_bytes, x = 0, y = 0;

    for (unsigned l = 0; l < number + s->first_level; l++) {
        if (l == 1)
            x += aligned(s->width_px, l, ALIGN_X_PX);
        else
            y += aligned(s->height_px, l, ALIGN_Y_PX);
    }
    return (struct level){.s = s,
                          .number = number,
                          .slice = slice,
                          .x = x / width,
                          .y = (y + (slice + s->first_layer) * s->aux_qpitch_rows) / BLOCK_ROWS,
                          .width = blocks(s->level[number].width_px, width),
                          .height = blocks(s->level[number].height_px, BLOCK_ROWS)};
}

/* The line of the level's block x, y. NULL: not mapped. */
static uint8_t *line_at(struct soft_mem *m, const struct level *l, uint32_t x, uint32_t y, bool write)
{
    uint64_t bx = l->x + x, by = l->y + y, tile = by / TILE * l->s->aux_pitch_tiles + bx / TILE;

    return soft_mem_ptr(
        m, l->s->aux_address + tile * SOFT_PAGE + bx % TILE / LINE * COLUMN + by % TILE / LINE * LINE_BYTES, write);
}

static uint32_t load_word(const uint8_t *line, unsigned row)
{
    return __atomic_load_n((const uint32_t *)(const void *)line + row, __ATOMIC_ACQUIRE);
}

static void store_word(uint8_t *line, unsigned row, uint32_t word)
{
    __atomic_store_n((uint32_t *)(void *)line + row, word, __ATOMIC_RELEASE);
}

/* The lower bit of each block that is marked. */
static uint32_t marks(uint32_t word)
{
    return word & word >> 1 & 0x55555555;
}

static bool any_marks(const uint8_t *line)
{
    uint32_t any = 0;

    for (unsigned row = 0; row < LINE; row++)
        any |= marks(load_word(line, row));
    return any != 0;
}

/* Both bits of blocks first <= b < end of a word. */
static uint32_t word_mask(unsigned first, unsigned end)
{
    return (uint32_t)(((UINT64_C(1) << 2 * end) - 1) & ~((UINT64_C(1) << 2 * first) - 1));
}

static void mark_row(struct soft_mem *m, const struct level *l, uint32_t x0, uint32_t x1, uint32_t y)
{
    for (uint32_t x = x0, next; x < x1; x = next) {
        unsigned first = (l->x + x) % LINE;
        uint8_t *line = line_at(m, l, x, y, true);

        next = GT_MIN(x - first + LINE, x1);
        if (line)
            store_word(line, (l->y + y) % LINE,
                       load_word(line, (l->y + y) % LINE) | word_mask(first, first + next - x));
    }
}

/* A level begins with a line, unless its slice's offset is one that no driver makes. */
static bool has_lines(const struct level *l)
{
    return l->x % LINE == 0 && l->y % LINE == 0;
}

bool soft_ccs_mark(struct soft_mem *m, const struct soft_surface *s, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1,
                   uint32_t z)
{
    struct level l = find_level(s, soft_surface_drawn_level(s), z);
    uint32_t width = BLOCK_BYTES / s->element_bytes;

    if (!has_lines(&l))
        return false;
    for (uint32_t y = y0 / BLOCK_ROWS; y < GT_MIN(blocks(y1, BLOCK_ROWS), l.height); y++)
        mark_row(m, &l, x0 / width, GT_MIN(blocks(x1, width), l.width), y);
    return true;
}

/* ---- settling */

struct settling {
    struct soft_mem *m;
    uint8_t row[LINE * BLOCK_BYTES]; /* elements of the clear colour */
};

/* A line stands for 4 x 2 tiles: all its pages, if they are pages of the level alone. */
static bool fill_line(struct settling *j, const struct level *l, const uint8_t *line, uint32_t x, uint32_t y)
{
    const struct soft_level *v = &l->s->level[l->number];
    uint32_t x_px = x * (BLOCK_BYTES / l->s->element_bytes), y_px = y * BLOCK_ROWS;

    if (x + LINE > l->width || (y + LINE) * BLOCK_ROWS > v->height_px)
        return false;
    for (unsigned row = 0; row < LINE; row++)
        if (load_word(line, row) != UINT32_MAX)
            return false;
    if (soft_surface_address(l->s, x_px, y_px, l->slice, l->number, 0) % SOFT_PAGE)
        return false;
    for (unsigned tile = 0; tile < 8; tile++) {
        uint64_t at = soft_surface_address(l->s, x_px + tile % 4 * (PIXEL_TILE_BYTES / l->s->element_bytes),
                                           y_px + tile / 4 * PIXEL_TILE_ROWS, l->slice, l->number, 0);

        for (unsigned i = 0; i < SOFT_PAGE; i += sizeof(j->row))
            soft_mem_write(j->m, at + i, j->row, sizeof(j->row));
    }
    return true;
}

/* n blocks side by side, as far as the level goes. */
static void fill_blocks(struct settling *j, const struct level *l, uint32_t x, uint32_t y, uint32_t n)
{
    const struct soft_level *v = &l->s->level[l->number];
    uint32_t width = BLOCK_BYTES / l->s->element_bytes, x_px = x * width;
    uint32_t end = GT_MIN((x + n) * width, v->width_px);

    if (x_px >= end)
        return;
    for (uint32_t row = y * BLOCK_ROWS; row < GT_MIN((y + 1) * BLOCK_ROWS, v->height_px); row++)
        soft_surface_write_row(j->m, l->s, x_px, row, l->slice, l->number, 0, end - x_px, j->row);
}

static void fill_row(struct settling *j, const struct level *l, uint32_t marked, uint32_t x, uint32_t y)
{
    for (unsigned b = 0, n; b < LINE; b += n) {
        n = 1;
        if (!(marked >> 2 * b & 1))
            continue;
        while (b + n < LINE && marked >> 2 * (b + n) & 1)
            n++;
        fill_blocks(j, l, x + b, y, n);
    }
}

/* Pixels first, marks afterwards: who sees no mark sees the pixels. */
static void settle_line(struct settling *j, const struct level *l, uint32_t x, uint32_t y)
{
    uint8_t *line = line_at(j->m, l, x, y, true);

    if (!line || !any_marks(line))
        return;
    if (fill_line(j, l, line, x, y)) {
        for (unsigned row = 0; row < LINE; row++)
            store_word(line, row, 0);
        return;
    }
    for (unsigned row = 0; row < LINE && y + row < l->height; row++) {
        uint32_t word = load_word(line, row), marked = marks(word);

        if (!marked)
            continue;
        fill_row(j, l, marked, x, y + row);
        store_word(line, row, word & ~(marked | marked << 1));
    }
}

enum walk { WALK_ON, WALK_FOUND, WALK_END };

/* Goes through a level's lines: settles them, or (j NULL) looks whether there is anything to settle. What is not
 * mapped, or more than any real surface has, ends it. */
static enum walk walk(struct soft_mem *m, const struct level *l, struct settling *j, uint32_t *lines)
{
    if (!has_lines(l))
        return WALK_END;
    for (uint32_t y = 0; y < l->height; y += LINE) {
        for (uint32_t x = 0; x < l->width; x += LINE) {
            const uint8_t *line = line_at(m, l, x, y, false);

            if (!line || ++*lines > LINES_MAX)
                return WALK_END;
            if (j)
                settle_line(j, l, x, y);
            else if (any_marks(line))
                return WALK_FOUND;
        }
    }
    return WALK_ON;
}

static bool walk_all(struct soft_mem *m, const struct soft_surface *s, unsigned first, unsigned end, uint32_t slices,
                     struct settling *j)
{
    enum walk result = WALK_ON;
    uint32_t lines = 0;

    for (unsigned number = first; number < GT_MIN(end, SOFT_LEVELS); number++) {
        uint32_t depth = s->type == SOFT_SURF_3D ? GT_MIN(slices, s->level[number].depth_px) : slices;

        for (uint32_t slice = 0; slice < depth && result == WALK_ON; slice++) {
            struct level l = find_level(s, number, slice);

            result = walk(m, &l, j, &lines);
        }
    }
    return result == WALK_FOUND;
}

void soft_ccs_settle(struct soft_mem *m, const struct soft_surface *s, unsigned first, unsigned end, uint32_t slices,
                     enum soft_use use)
{
    struct settling j = {.m = m};
    uint8_t element[16];

    if (!soft_ccs_used(s) || !walk_all(m, s, first, end, slices, NULL))
        return;
    soft_mcs_pack_clear(s, use, element);
    for (unsigned i = 0; i < sizeof(j.row); i += s->element_bytes)
        memcpy(j.row + i, element, s->element_bytes);
    pthread_mutex_lock(&m->space->settling);
    walk_all(m, s, first, end, slices, &j);
    pthread_mutex_unlock(&m->space->settling);
}
