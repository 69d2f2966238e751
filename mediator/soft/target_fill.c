/* Fills of rectangles: clears of colour, depth and stencil. Whole 4 KiB tiles are filled at once. */
#include <string.h>

#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

struct fill_job {
    struct soft_raster *r;
    const struct soft_surface *s;
    struct raster_box box; /* elements of the tree's level, samples included where they are interleaved */
    uint32_t layer;
    unsigned level, sample, bytes;
    int32_t tile_width, tile_height, x_shift, y_shift; /* elements; where the level begins within a tile */
    uint8_t page[SOFT_PAGE];                           /* elements side by side */
};

/* Elements of a 4 KiB tile; a linear surface goes by rows. */
static void tile_size(struct fill_job *j)
{
    switch (j->s->tiling) {
    case SOFT_TILE_Y:
        j->tile_width = 128 / (int32_t)j->bytes;
        j->tile_height = 32;
        break;
    case SOFT_TILE_X:
        j->tile_width = 512 / (int32_t)j->bytes;
        j->tile_height = 8;
        break;
    case SOFT_TILE_W:
        j->tile_width = j->tile_height = 64;
        break;
    default:
        j->tile_width = j->tile_height = 0;
    }
}

static void fill_rows(const struct fill_job *j, struct soft_mem *m, struct raster_box b)
{
    for (int32_t y = b.y0; y < b.y1; y++) {
        for (int32_t x = b.x0, n; x < b.x1; x += n) {
            n = GT_MIN(b.x1 - x, (int32_t)(SOFT_PAGE / j->bytes));
            soft_surface_write_row(m, j->s, (uint32_t)x, (uint32_t)y, j->layer, j->level, j->sample, (unsigned)n,
                                   j->page);
        }
    }
}

/* One tile, whose corner is at x, y: whole, if the box has it and it is a page. */
static void fill_tile(const struct fill_job *j, struct soft_mem *m, int32_t x, int32_t y)
{
    struct raster_box tile = {x, y, x + j->tile_width, y + j->tile_height}, part = raster_intersect(tile, j->box);
    uint64_t at;

    if (part.x0 >= part.x1)
        return;
    if (!memcmp(&part, &tile, sizeof(part))) {
        at = soft_surface_address(j->s, (uint32_t)x, (uint32_t)y, j->layer, j->level, j->sample);
        if (at % SOFT_PAGE == 0) {
            soft_mem_write(m, at, j->page, SOFT_PAGE);
            return;
        }
    }
    fill_rows(j, m, part);
}

/* A row of tiles, or of 8 rows. */
static void fill_item(void *ctx, unsigned worker, uint32_t item)
{
    const struct fill_job *j = ctx;
    struct soft_mem *m = &j->r->e->worker[worker].mem;
    int32_t height = j->tile_height ? j->tile_height : 8;
    int32_t y = ((j->box.y0 + j->y_shift) / height + (int32_t)item) * height - j->y_shift;

    if (raster_late(j->r, worker))
        return;
    if (!j->tile_height) {
        fill_rows(j, m, raster_intersect(j->box, (struct raster_box){j->box.x0, y, j->box.x1, y + height}));
        return;
    }
    for (int32_t x = (j->box.x0 + j->x_shift) / j->tile_width * j->tile_width - j->x_shift; x < j->box.x1;
         x += j->tile_width)
        fill_tile(j, m, x, y);
}

/* Where samples are interleaved, all of them make a larger picture without samples; pixels go by pairs there. */
static void flatten(const struct soft_surface *s, struct soft_surface *flat, struct raster_box *box)
{
    int32_t wide = s->samples >= 8 ? 4 : 2, high = s->samples == 16 ? 4 : s->samples == 2 ? 1 : 2;

    *flat = *s;
    flat->samples = 1;
    flat->samples_interleaved = false;
    *box = (struct raster_box){box->x0 * wide, box->y0 * high, box->x1 * wide, box->y1 * high};
}

static void run(struct fill_job *j)
{
    const struct soft_level *l = &j->s->level[j->level];
    int32_t height = j->tile_height ? j->tile_height : 8;

    j->x_shift = j->tile_width ? (int32_t)l->x_el % j->tile_width : 0;
    j->y_shift = (int32_t)(((uint64_t)(j->s->first_layer + j->layer) * j->s->qpitch_rows + l->y_el) % (uint64_t)height);
    if (j->s->samples > 1) /* slices of samples: aligned only if each is */
        j->tile_height = j->y_shift || j->s->qpitch_rows % (uint32_t)height ? 0 : j->tile_height;
    if (!j->tile_height)
        j->y_shift = 0;
    height = j->tile_height ? j->tile_height : 8;
    soft_pool_run(j->r->e->pool,
                  (uint32_t)((j->box.y1 - 1 + j->y_shift) / height - (j->box.y0 + j->y_shift) / height + 1), fill_item,
                  j);
}

static bool even(struct raster_box b)
{
    return !((b.x0 | b.y0 | b.x1 | b.y1) & 1);
}

void target_fill(struct soft_raster *r, const struct soft_surface *s, struct raster_box box, uint32_t layer,
                 uint16_t sample_mask, const uint8_t element[16])
{
    struct fill_job j = {.r = r, .s = s, .layer = layer, .bytes = s->element_bytes};
    uint16_t all = (uint16_t)((1u << s->samples) - 1);
    struct soft_surface flat;

    j.level = soft_surface_drawn_level(s);
    j.box = raster_intersect(box, (struct raster_box){0, 0, (int32_t)soft_surface_width(s, j.level),
                                                      (int32_t)soft_surface_height(s, j.level)});
    if (s->type == SOFT_SURF_NULL || j.layer >= s->view_layers || j.box.x0 >= j.box.x1 || j.box.y0 >= j.box.y1)
        return;
    for (unsigned i = 0; i + j.bytes <= SOFT_PAGE; i += j.bytes)
        memcpy(j.page + i, element, j.bytes);
    for (unsigned i = 0; i < soft_pool_workers(r->e->pool); i++) {
        soft_mem_begin(&r->e->worker[i].mem, &r->e->space);
        r->worker[i]->deadline = 0;
    }
    tile_size(&j);
    if (j.bytes & (j.bytes - 1))
        j.tile_width = j.tile_height = 0;
    if (s->samples_interleaved && (sample_mask & all) == all && even(j.box)) {
        flatten(s, &flat, &j.box);
        j.s = &flat;
        run(&j);
        return;
    }
    if (s->samples_interleaved)
        j.tile_width = j.tile_height = 0;
    for (j.sample = 0; j.sample < s->samples; j.sample++)
        if (sample_mask >> j.sample & 1)
            run(&j);
}
