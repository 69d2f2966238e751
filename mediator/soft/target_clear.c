/*
 * Fast clears and resolves. The driver draws a rectangle over the auxiliary surface, scaled down by its blocks: a clear
 * marks them there (ccs.h, mcs.h), a resolve gives what is marked its pixels.
 */
#include <string.h>

#include "mediator/soft/ccs.h"
#include "mediator/soft/mcs.h"
#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

static uint32_t coordinate(int32_t v, unsigned scale)
{
    return (uint32_t)GT_MAX(v, 0) * scale;
}

void pixel_fast_clear(struct soft_raster *r, const struct raster_prim *p)
{
    struct soft_env *env = &r->worker[0]->pixel->env;
    const struct soft_surface *s;
    uint8_t element[16];
    unsigned sx, sy;

    soft_raster_flush(r);
    s = soft_env_surface(env, 0);
    if (s->type == SOFT_SURF_NULL || s->type == SOFT_SURF_BUFFER || s->info->compression || s->element_bytes > 16 ||
        p->layer >= s->view_layers)
        return;
    target_clear_scale(s, &sx, &sy);
    uint32_t x0 = coordinate(p->box.x0, sx), y0 = coordinate(p->box.y0, sy);
    uint32_t x1 = coordinate(p->box.x1, sx), y1 = coordinate(p->box.y1, sy);
    if (soft_mcs_used(s)) {
        soft_mcs_mark(env->mem, s, x0, y0, x1, y1, p->layer);
        return;
    }
    if (soft_ccs_used(s) && soft_ccs_mark(env->mem, s, x0, y0, x1, y1, p->layer))
        return;
    soft_mcs_pack_clear(s, SOFT_DRAWN, element);
    target_fill(r, s, (struct raster_box){(int32_t)x0, (int32_t)y0, (int32_t)x1, (int32_t)y1}, p->layer, 0xffff,
                element);
}

void pixel_resolve(struct soft_raster *r)
{
    soft_raster_flush(r);
    soft_env_target(&r->worker[0]->pixel->env, 0);
}
