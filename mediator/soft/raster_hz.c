/*
 * 3DSTATE_WM_HZ_OP: clears depth and stencil in a rectangle; resolves have nothing to do, because the buffers hold
 * every value themselves (docs/soft.md). Sources: PRM SKL vol 2, 3DSTATE_WM_HZ_OP; Mesa blorp, which emits it with the
 * layer as the buffer's MinimumArrayElement.
 */
#include <string.h>

#include "mediator/soft/raster.h"
#include "mediator/soft/raster_state.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

struct hz_job {
    const struct raster_state *st;
    struct soft_engine *e;
    const struct soft_surface *s;
    struct raster_box box;
    unsigned bytes;
    uint32_t value;
};

/* One row, all samples. */
static void clear_row(void *ctx, unsigned worker, uint32_t item)
{
    const struct hz_job *j = ctx;
    struct soft_mem *m = &j->e->worker[worker].mem;
    unsigned level = j->s->levels ? j->s->levels - 1u : 0;
    uint32_t y = (uint32_t)j->box.y0 + item;

    for (int32_t x = j->box.x0; x < j->box.x1; x++) {
        for (unsigned sample = 0; sample < j->st->samples; sample++) {
            uint64_t at;
            uint8_t *p;

            if (!(j->st->sample_mask >> sample & 1))
                continue;
            at = soft_surface_address(j->s, (uint32_t)x, y, 0, level, sample);
            p = at % j->bytes ? NULL : soft_mem_ptr(m, at, true);
            if (p)
                memcpy(p, &j->value, j->bytes);
            else
                soft_mem_write(m, at, &j->value, j->bytes);
        }
    }
}

static void clear(struct soft_raster *r, const struct soft_surface *s, struct raster_box box, unsigned bytes,
                  uint32_t value)
{
    struct hz_job j = {&r->state, r->e, s, box, bytes, value};
    unsigned level = s->levels ? s->levels - 1u : 0;
    struct raster_box whole = {0, 0, (int32_t)soft_surface_width(s, level), (int32_t)soft_surface_height(s, level)};

    j.box = raster_intersect(box, whole);
    if (s->type == SOFT_SURF_NULL || !s->view_layers || j.box.x0 >= j.box.x1 || j.box.y0 >= j.box.y1)
        return;
    for (unsigned i = 0; i < soft_pool_workers(r->e->pool); i++)
        soft_mem_begin(&r->e->worker[i].mem, &r->e->space);
    soft_pool_run(r->e->pool, (uint32_t)(j.box.y1 - j.box.y0), clear_row, &j);
}

#define HZ_GET(name) FIELD_GET(dw, 3DSTATE_WM_HZ_OP, name)

void soft_raster_hz_op(struct soft_raster *r, const uint32_t *dw)
{
    struct raster_state *st = &r->state;
    const uint32_t *params = STATE(r->e->state, 3DSTATE_CLEAR_PARAMS);
    struct raster_box box = {(int32_t)HZ_GET(ClearRectangleXMin), (int32_t)HZ_GET(ClearRectangleYMin),
                             (int32_t)HZ_GET(ClearRectangleXMax), (int32_t)HZ_GET(ClearRectangleYMax)};

    r->active = false;
    raster_state_samples(r->e, st, (unsigned)HZ_GET(NumberOfMultisamples));
    st->sample_mask = (uint16_t)HZ_GET(SampleMask);
    raster_state_buffers(r->e->state, &st->ds, st->samples);
    if (HZ_GET(FullSurfaceDepthAndStencilClear))
        box = (struct raster_box){0, 0, RASTER_SCREEN, RASTER_SCREEN};
    if (HZ_GET(DepthBufferClearEnable))
        clear(r, &st->ds.depth, box, st->ds.format == DEPTH_D16 ? 2 : 4,
              depth_encode(st->ds.format, FIELD_FLOAT(params, 3DSTATE_CLEAR_PARAMS, DepthClearValue)));
    if (HZ_GET(StencilBufferClearEnable))
        clear(r, &st->ds.stencil, box, 1, (uint32_t)HZ_GET(StencilClearValue));
}
