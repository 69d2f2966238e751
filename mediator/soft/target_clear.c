/*
 * Fast clears. The driver draws a rectangle over the auxiliary surface, scaled down by its blocks; here the pixels
 * themselves are filled (docs/soft.md, "Auxiliary surfaces"). The clear colour has the format's encoding already: iris
 * and blorp give sRGB values as they are stored.
 */
#include <string.h>

#include "mediator/soft/mcs.h"
#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

void pixel_fast_clear(struct soft_raster *r, const struct raster_prim *p)
{
    const struct soft_surface *s;
    uint8_t element[16];
    unsigned sx, sy;

    soft_raster_flush(r);
    s = soft_env_surface(&r->worker[0]->pixel->env, 0);
    if (!s || s->type == SOFT_SURF_NULL || s->type == SOFT_SURF_BUFFER || s->info->compression || s->element_bytes > 16)
        return;
    target_clear_scale(s, &sx, &sy);
    soft_mcs_pack_clear(s, element);
    target_fill(r, s,
                (struct raster_box){p->box.x0 * (int32_t)sx, p->box.y0 * (int32_t)sy, p->box.x1 * (int32_t)sx,
                                    p->box.y1 * (int32_t)sy},
                p->layer, 0xffff, element);
}
