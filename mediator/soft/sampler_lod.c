#include <math.h>

#include "mediator/soft/sampler.h"
#include "vgpu/base/bits.h"

static bool is_implicit(unsigned message)
{
    return message == MSG_SAMPLE || message == MSG_SAMPLE_B || message == MSG_SAMPLE_C || message == MSG_SAMPLE_B_C ||
           message == MSG_LOD;
}

static bool has_derivatives(unsigned message)
{
    return is_implicit(message) || message == MSG_SAMPLE_D || message == MSG_SAMPLE_D_C;
}

/* Channels of a quad: upper left, upper right, lower left, lower right. One pair of differences serves all four. */
static void quad_difference(const float *c, unsigned first, float *by_x, float *by_y)
{
    float dx = c[first + 1] - c[first], dy = c[first + 2] - c[first];

    for (unsigned i = first; i < first + 4; i++) {
        by_x[i] = dx;
        by_y[i] = dy;
    }
}

static void find_derivatives(struct sampler_job *j)
{
    for (unsigned q = 0; q < j->lanes; q += 4) {
        quad_difference(j->u, q, j->du[0], j->du[1]);
        quad_difference(j->v, q, j->dv[0], j->dv[1]);
        quad_difference(j->r, q, j->dr[0], j->dr[1]);
    }
}

/* log2 of the squared length, halved. */
static float log2_length(float squared)
{
    return squared > 0 ? 0.5f * log2f(squared) : -126;
}

/* Lengths of a pixel's sides in texels of level 0: [0] along screen x, [1] along y, squared. */
static void footprint(const struct sampler_job *j, unsigned i, float side[2])
{
    const struct soft_surface *s = j->s;
    bool line = s->type == SOFT_SURF_1D, cube = s->type == SOFT_SURF_CUBE;
    float w = j->p->unnormalized ? 1 : (float)s->level[0].width_px;
    float h = line ? 0 : j->p->unnormalized ? 1 : (float)s->level[0].height_px;
    float d = s->type == SOFT_SURF_3D && !cube ? (float)s->level[0].depth_px : 0;

    for (unsigned axis = 0; axis < 2; axis++) {
        float x = j->du[axis][i] * w, y = j->dv[axis][i] * h, z = j->dr[axis][i] * d;

        side[axis] = x * x + y * y + z * z;
    }
}

/*
 * Anisotropic: probes along the longer side, as many as the ratio of the sides asks for; the level is the one of the
 * longer side divided by their number. Returns the level of detail.
 */
static float spread_probes(struct sampler_job *j, unsigned i, const float side[2])
{
    unsigned major = side[1] > side[0];
    float longer = sqrtf(side[major]), shorter = sqrtf(side[!major]);
    float ratio = shorter > 0 ? longer / shorter : (float)j->p->max_probes;

    ratio = ratio > 1 ? ceilf(GT_MIN(ratio, (float)j->p->max_probes)) : 1;
    j->probes[i] = (uint8_t)ratio;
    j->step_u[i] = j->du[major][i] / ratio;
    j->step_v[i] = j->dv[major][i] / ratio;
    return log2_length(side[major] / (ratio * ratio));
}

static float lane_lod(struct sampler_job *j, unsigned i)
{
    bool anisotropic = j->p->min_filter == FILTER_ANISOTROPIC && j->s->type != SOFT_SURF_3D;
    float side[2];

    j->probes[i] = 1;
    if (!has_derivatives(j->message) || (is_implicit(j->message) && !j->e->derivatives))
        return j->lod[i];
    footprint(j, i, side);
    if (!(side[0] < INFINITY) || !(side[1] < INFINITY))
        return 0;
    if (anisotropic && j->message != MSG_LOD)
        return spread_probes(j, i, side);
    return log2_length(GT_MAX(side[0], side[1]));
}

/* From the level of detail to the level of the view, with the fraction where two levels are mixed; 8 bits, as hardware
 * has them. NaN gives level 0. */
static float clamp_level(const struct sampler_job *j, float lod, unsigned i)
{
    float top = (float)(j->s->levels - 1);
    float low = GT_MAX(j->p->min_lod, (float)j->s->min_lod_256 / 256);

    low = GT_MAX(low, j->min_lod[i]);
    lod = GT_MIN(GT_MAX(lod, low), GT_MAX(j->p->max_lod, low));
    lod = lod > 0 ? GT_MIN(lod, top) : 0;
    return floorf(lod * 256 + 0.5f) / 256;
}

void sampler_find_lod(struct sampler_job *j)
{
    if (is_implicit(j->message) && j->e->derivatives)
        find_derivatives(j);
    if (j->s->type == SOFT_SURF_CUBE)
        sampler_cube_project(j);
    for (unsigned i = 0; i < j->lanes; i++) {
        float bias = j->message == MSG_SAMPLE_LZ || j->message == MSG_SAMPLE_C_LZ ? 0 : j->p->lod_bias;
        float lod = lane_lod(j, i) + bias + j->bias[i];
        float level = clamp_level(j, lod, i);

        j->raw_lod[i] = lod;
        /* The choice of filter sees the clamped value where the API is GL (LOD PreClamp). */
        float decide = j->p->preclamp ? GT_MIN(GT_MAX(lod, j->p->min_lod), GT_MAX(j->p->max_lod, j->p->min_lod)) : lod;
        j->magnified[i] = !(decide > 0);
        j->level[i] = j->p->mip_filter == MIP_NONE ? 0 : level;
        if (j->p->mip_filter == MIP_NEAREST)
            j->level[i] = floorf(level + 0.5f);
    }
}
