/*
 * Fast clears. The driver draws a rectangle over the auxiliary surface, scaled down by its blocks; here the pixels
 * themselves are filled (docs/soft.md, "Auxiliary surfaces"). The clear colour has the format's encoding already: iris
 * and blorp give sRGB values as they are stored.
 */
#include <string.h>

#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

struct clear_job {
    struct soft_raster *r;
    const struct soft_surface *s;
    struct raster_box box; /* pixels */
    uint32_t layer;
    uint8_t element[16];
};

static void clear_row(void *ctx, unsigned worker, uint32_t item)
{
    const struct clear_job *j = ctx;
    struct soft_mem *m = &j->r->e->worker[worker].mem;
    unsigned level = j->s->levels ? j->s->levels - 1u : 0, bytes = j->s->element_bytes;
    uint8_t run[64 * 16];

    for (unsigned i = 0; i < 64; i++)
        memcpy(run + i * bytes, j->element, bytes);
    for (unsigned sample = 0; sample < j->s->samples; sample++)
        for (int32_t x = j->box.x0; x < j->box.x1; x += 64)
            soft_surface_write_row(m, j->s, (uint32_t)x, (uint32_t)j->box.y0 + item, j->layer, level, sample,
                                   (unsigned)GT_MIN(j->box.x1 - x, 64), run);
}

/* sRGB formats have a linear neighbour with the same layout, whose packing keeps the numbers. */
static void pack_clear(const struct soft_surface *s, uint8_t element[16])
{
    struct soft_format f = *s->info;

    f.srgb = false;
    f.fast = SOFT_FAST_NONE;
    memset(element, 0, 16);
    soft_format_pack(&f, s->clear, element);
}

void pixel_fast_clear(struct soft_raster *r, const struct raster_prim *p)
{
    struct clear_job j = {.r = r, .layer = p->layer};
    unsigned workers = soft_pool_workers(r->e->pool), sx, sy, level;

    soft_raster_flush(r);
    j.s = soft_env_surface(&r->worker[0]->pixel->env, 0);
    if (!j.s || j.s->type == SOFT_SURF_NULL || j.s->type == SOFT_SURF_BUFFER || j.s->info->compression ||
        j.s->element_bytes > 16)
        return;
    level = j.s->levels ? j.s->levels - 1u : 0;
    target_clear_scale(j.s, &sx, &sy);
    j.box = raster_intersect(
        (struct raster_box){p->box.x0 * (int32_t)sx, p->box.y0 * (int32_t)sy, p->box.x1 * (int32_t)sx,
                            p->box.y1 * (int32_t)sy},
        (struct raster_box){0, 0, (int32_t)soft_surface_width(j.s, level), (int32_t)soft_surface_height(j.s, level)});
    if (j.layer >= j.s->view_layers || j.box.x0 >= j.box.x1 || j.box.y0 >= j.box.y1)
        return;
    pack_clear(j.s, j.element);
    for (unsigned i = 0; i < workers; i++)
        soft_mem_begin(&r->e->worker[i].mem, &r->e->space);
    soft_pool_run(r->e->pool, (uint32_t)(j.box.y1 - j.box.y0), clear_row, &j);
}
