/*
 * 3DSTATE_WM_HZ_OP: clears depth and stencil in a rectangle. Resolves have little to do, because the buffers hold every
 * value themselves (docs/soft.md): a resolve of depth fills what was never touched, one of HiZ says that depth memory
 * counts. Sources: PRM SKL vol 2, 3DSTATE_WM_HZ_OP; Mesa blorp, which emits it with the layer as the buffer's
 * MinimumArrayElement.
 */
#include <string.h>

#include "mediator/soft/hiz.h"
#include "mediator/soft/pixel.h"
#include "mediator/soft/raster_state.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

static void clear(struct soft_raster *r, const struct soft_surface *s, struct raster_box box, uint32_t value)
{
    uint8_t element[16] = {0};

    memcpy(element, &value, sizeof(value));
    target_fill(r, s, box, 0, r->state.sample_mask, element);
}

void raster_settle_depth(struct soft_raster *r, const struct soft_surface *s)
{
    const uint32_t *params = STATE(r->e->state, 3DSTATE_CLEAR_PARAMS);
    unsigned level = soft_surface_drawn_level(s);

    if (!FIELD_GET(params, 3DSTATE_CLEAR_PARAMS, DepthClearValueValid))
        return;
    soft_hiz_settle(&r->e->worker[0].mem, s, level, level + 1, s->view_layers);
}

static bool is_whole(const struct soft_surface *s, struct raster_box box)
{
    unsigned level = soft_surface_drawn_level(s);

    return box.x0 <= 0 && box.y0 <= 0 && box.x1 >= (int32_t)soft_surface_width(s, level) &&
           box.y1 >= (int32_t)soft_surface_height(s, level);
}

/* What HiZ says of the depth buffer before the operation; `whole`: it gives each sample a value. Clears and resolves
 * are of the first layer (clear's too). */
static void prepare_hiz(struct soft_raster *r, const struct soft_surface *s, bool whole)
{
    if (!soft_hiz_used(s))
        return;
    if (whole)
        soft_hiz_mark(&r->e->worker[0].mem, s, soft_surface_drawn_level(s), 0);
    else
        raster_settle_depth(r, s);
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
    prepare_hiz(r, &st->ds.depth,
                HZ_GET(HierarchicalDepthBufferResolveEnable) ||
                    (HZ_GET(DepthBufferClearEnable) && is_whole(&st->ds.depth, box)));
    if (HZ_GET(DepthBufferClearEnable))
        clear(r, &st->ds.depth, box,
              depth_encode(st->ds.format, FIELD_FLOAT(params, 3DSTATE_CLEAR_PARAMS, DepthClearValue)));
    if (HZ_GET(StencilBufferClearEnable))
        clear(r, &st->ds.stencil, box, (uint32_t)HZ_GET(StencilClearValue));
}
