#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/sampler.h"
#include "vgpu/base/bits.h"

/* Integer coordinates of a lane in range, as x, y and slice? */
static bool place(const struct sampler_job *j, unsigned i, struct sampler_taps *t)
{
    const struct soft_surface *s = j->s;
    uint32_t lod = soft_as_bits(j->lod[i]), layers = s->type == SOFT_SURF_3D ? 0 : s->layers;
    uint32_t x = soft_as_bits(j->u[i]) + (uint32_t)j->offset[0][i];
    uint32_t y = soft_as_bits(j->v[i]) + (uint32_t)j->offset[1][i];
    uint32_t z = soft_as_bits(j->r[i]) + (uint32_t)j->offset[2][i];

    if (s->type == SOFT_SURF_BUFFER || s->type == SOFT_SURF_STRBUF || s->type == SOFT_SURF_1D) {
        z = s->type == SOFT_SURF_1D ? soft_as_bits(j->v[i]) : 0;
        y = 0;
    }
    if (s->type != SOFT_SURF_3D && !s->array && s->type != SOFT_SURF_CUBE)
        z = 0;
    if (lod >= s->levels || j->sample[i] >= s->samples)
        return false;
    const struct soft_level *l = &s->level[lod];
    if (x >= l->width_px || y >= l->height_px || z >= (layers ? layers : l->depth_px))
        return false;
    t->x[0][i] = (int32_t)x;
    t->y[0][i] = (int32_t)y;
    t->z[0][i] = (int32_t)z;
    t->level[i] = (uint8_t)lod;
    t->sample[i] = (uint8_t)j->sample[i];
    return true;
}

void sampler_load(struct sampler_job *j)
{
    struct sampler_taps t;

    memset(&t, 0, offsetof(struct sampler_taps, colour));
    t.corners = 1;
    for (unsigned i = 0; i < j->lanes; i++)
        if (!place(j, i, &t))
            t.x[0][i] = TEXEL_BORDER;
    sampler_fetch(j, &t);
    for (unsigned c = 0; c < 4; c++)
        memcpy(j->out[c], t.colour[c], j->lanes * sizeof(uint32_t));
}
