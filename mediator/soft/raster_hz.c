/*
 * 3DSTATE_WM_HZ_OP: clears depth and stencil in a rectangle; resolves have nothing to do, because the buffers hold
 * every value themselves (docs/soft.md). Sources: PRM SKL vol 2, 3DSTATE_WM_HZ_OP; Mesa blorp, which emits it with the
 * layer as the buffer's MinimumArrayElement.
 */
#include <string.h>

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

#define HZ_GET(name) FIELD_GET(dw, 3DSTATE_WM_HZ_OP, name)

void soft_raster_hz_op(struct soft_raster *r, const uint32_t *dw)
{
    struct raster_state *st = &r->state;
    const uint32_t *params = STATE(r->e->state, 3DSTATE_CLEAR_PARAMS);
    struct raster_box box = {(int32_t)HZ_GET(ClearRectangleXMin), (int32_t)HZ_GET(ClearRectangleYMin),
                             (int32_t)HZ_GET(ClearRectangleXMax), (int32_t)HZ_GET(ClearRectangleYMax)};

    r->active = false;
    atomic_store(&r->deadline, 0);
    raster_state_samples(r->e, st, (unsigned)HZ_GET(NumberOfMultisamples));
    st->sample_mask = (uint16_t)HZ_GET(SampleMask);
    raster_state_buffers(r->e->state, &st->ds, st->samples);
    if (HZ_GET(FullSurfaceDepthAndStencilClear))
        box = (struct raster_box){0, 0, RASTER_SCREEN, RASTER_SCREEN};
    if (HZ_GET(DepthBufferClearEnable))
        clear(r, &st->ds.depth, box,
              depth_encode(st->ds.format, FIELD_FLOAT(params, 3DSTATE_CLEAR_PARAMS, DepthClearValue)));
    if (HZ_GET(StencilBufferClearEnable))
        clear(r, &st->ds.stencil, box, (uint32_t)HZ_GET(StencilClearValue));
}
