#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/mcs.h"
#include "mediator/soft/sampler.h"
#include "vgpu/base/bits.h"

/* Sizes of a level; zero beyond the last one. */
static void resinfo(struct sampler_job *j, unsigned i)
{
    const struct soft_surface *s = j->s;
    uint32_t lod = soft_as_bits(j->lod[i]);

    if (s->type == SOFT_SURF_NULL)
        return;
    j->out[3][i] = s->levels;
    if (lod >= s->levels)
        return;
    const struct soft_level *l = &s->level[lod];
    j->out[0][i] = l->width_px;
    if (s->type == SOFT_SURF_BUFFER || s->type == SOFT_SURF_STRBUF)
        return;
    if (s->type == SOFT_SURF_1D) {
        j->out[1][i] = s->array ? s->layers : 0;
        return;
    }
    j->out[1][i] = l->height_px;
    if (s->type == SOFT_SURF_3D)
        j->out[2][i] = l->depth_px;
    else if (s->array)
        j->out[2][i] = s->type == SOFT_SURF_CUBE ? s->layers / 6 : s->layers;
}

/* Each sample has its own colour; what has none yet gets it first. */
static void ld_mcs(struct sampler_job *j, unsigned i)
{
    uint64_t value = j->s->samples > 1 ? soft_mcs_plain(j->s->samples) : 0;
    uint32_t x = soft_as_bits(j->u[i]), y = soft_as_bits(j->v[i]), z = j->s->array ? soft_as_bits(j->r[i]) : 0;

    if (soft_mcs_used(j->s) && j->mask >> i & 1 && x < j->s->width_px && y < j->s->height_px && z < j->s->layers)
        soft_mcs_settle(j->e->mem, j->s, x, y, z, SOFT_SAMPLED);
    j->out[0][i] = (uint32_t)value;
    j->out[1][i] = (uint32_t)(value >> 32);
}

void sampler_info(struct sampler_job *j)
{
    memset(j->out, 0, sizeof(j->out));
    if (j->message == MSG_LOD) /* before the clamps, and within them */
        sampler_find_lod(j);
    for (unsigned i = 0; i < j->lanes; i++) {
        switch (j->message) {
        case MSG_RESINFO:
            resinfo(j, i);
            break;
        case MSG_SAMPLEINFO:
            j->out[0][i] = j->s->type == SOFT_SURF_NULL ? 0 : j->s->samples;
            break;
        case MSG_LD_MCS:
            ld_mcs(j, i);
            break;
        default:
            j->out[0][i] = soft_as_bits(j->level[i]);
            j->out[1][i] = soft_as_bits(j->raw_lod[i]);
        }
    }
}
