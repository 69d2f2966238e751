#include <math.h>
#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/sampler_axis.h"
#include "vgpu/base/bits.h"

static bool is_implicit(unsigned message)
{
    return message == MSG_SAMPLE || message == MSG_SAMPLE_B || message == MSG_SAMPLE_C || message == MSG_SAMPLE_B_C ||
           message == MSG_LOD;
}

/* Channels of a quad: upper left, upper right, lower left, lower right. One pair of differences serves all four. */
static void quad_differences(const float *c, unsigned lanes, float by[2][LANES])
{
    for (unsigned q = 0; q < lanes; q += 4) {
        float dx = c[q + 1] - c[q], dy = c[q + 2] - c[q];

        for (unsigned i = q; i < q + 4; i++) {
            by[0][i] = dx;
            by[1][i] = dy;
        }
    }
}

static void find_derivatives(struct sampler_job *j)
{
    quad_differences(j->u, j->lanes, j->du);
    quad_differences(j->v, j->lanes, j->dv);
    if (j->s->type == SOFT_SURF_3D || j->s->type == SOFT_SURF_CUBE)
        quad_differences(j->r, j->lanes, j->dr);
}

/*
 * log2, exact for powers of two: exponent, and a polynomial for the mantissa m in [0.75, 1.5) that is a multiple of
 * m - 1 (the series of atanh in (m - 1) / (m + 1)). Good to 2e-6; levels have steps of 1/256. Nothing below 2^-126.
 */
static float log2_of(float v)
{
    uint32_t bits = soft_as_bits(v > 0x1p-126f ? v : 0x1p-126f);
    int32_t exponent = (int32_t)(bits - 0x3f400000) >> 23;
    float m = soft_as_float(bits - ((uint32_t)exponent << 23)), t = (m - 1) / (m + 1), t2 = t * t;

    return (float)exponent + t * (2.88539008f + t2 * (0.96179669f + t2 * (0.57707802f + t2 * 0.41219859f)));
}

/* Lengths of a pixel's sides in texels of level 0: [0] along screen x, [1] along y, squared. */
static void footprint(const struct sampler_job *j, float side[2][LANES])
{
    const struct soft_surface *s = j->s;
    bool whole = j->p->unnormalized;
    float w = whole ? 1 : (float)s->level[0].width_px;
    float h = s->type == SOFT_SURF_1D ? 0 : whole ? 1 : (float)s->level[0].height_px;
    float d = s->type == SOFT_SURF_3D ? (float)s->level[0].depth_px : 0;

    for (unsigned axis = 0; axis < 2; axis++)
        for (unsigned i = 0; i < LANES; i++) {
            float x = j->du[axis][i] * w, y = j->dv[axis][i] * h, z = j->dr[axis][i] * d;
            float squared = x * x + y * y + z * z;

            side[axis][i] = squared < INFINITY ? squared : 1; /* NaN as well */
        }
}

/*
 * Anisotropic: probes along the longer side, as many as the ratio of the sides asks for; the level is the one of the
 * longer side divided by their number.
 */
static float spread_probes(struct sampler_job *j, unsigned i, float side_x, float side_y)
{
    unsigned major = side_y > side_x;
    float longer = sqrtf(major ? side_y : side_x), shorter = sqrtf(major ? side_x : side_y);
    float ratio = shorter > 0 ? longer / shorter : (float)j->p->max_probes;

    ratio = ratio > 1 ? ceilf(GT_MIN(ratio, (float)j->p->max_probes)) : 1;
    j->probes[i] = (uint8_t)ratio;
    j->step_u[i] = j->du[major][i] / ratio;
    j->step_v[i] = j->dv[major][i] / ratio;
    return 0.5f * log2_of(GT_MAX(side_x, side_y) / (ratio * ratio));
}

static void lods_of_derivatives(struct sampler_job *j, float *lod)
{
    bool anisotropic = j->p->min_filter == FILTER_ANISOTROPIC && j->s->type != SOFT_SURF_3D && j->message != MSG_LOD;
    float side[2][LANES];

    footprint(j, side);
    for (unsigned i = 0; i < LANES; i++)
        lod[i] = 0.5f * log2_of(side[0][i] > side[1][i] ? side[0][i] : side[1][i]);
    for (unsigned i = 0; i < j->lanes && anisotropic; i++)
        lod[i] = spread_probes(j, i, side[0][i], side[1][i]);
}

static void find_lods(struct sampler_job *j, float *lod)
{
    bool given = j->message == MSG_SAMPLE_D || j->message == MSG_SAMPLE_D_C;
    bool implicit = is_implicit(j->message) && j->e->derivatives;

    if (implicit)
        find_derivatives(j);
    if (j->s->type == SOFT_SURF_CUBE && implicit)
        sampler_cube_project_quads(j);
    else if (j->s->type == SOFT_SURF_CUBE)
        sampler_cube_project(j);
    if (given || implicit)
        lods_of_derivatives(j, lod);
    else
        memcpy(lod, j->lod, sizeof(j->lod));
}

/* To the steps of 1/256 that hardware has. NaN gives 0. */
SAMPLER_INLINE float quantize(float lod)
{
    lod = lod > -128 ? lod : lod == lod ? -128 : 0;
    return axis_floor((lod < 128 ? lod : 128) * 256 + 0.5f) / 256;
}

SAMPLER_INLINE float clamp(float v, float low, float high)
{
    v = v > low ? v : low;
    return v < high ? v : high;
}

/* From the level of detail to the level of the view, with the fraction where two levels are mixed. */
void sampler_find_lod(struct sampler_job *j)
{
    const struct soft_sampler *p = j->p;
    bool base = j->message == MSG_SAMPLE_LZ || j->message == MSG_SAMPLE_C_LZ;
    float low = GT_MAX(p->min_lod, (float)j->s->min_lod_256 / 256), high = GT_MAX(p->max_lod, low);
    float top = (float)(j->s->levels - 1), decide_low = p->preclamp ? p->min_lod : -128;
    float decide_high = p->preclamp ? GT_MAX(p->max_lod, p->min_lod) : 128, bias = base ? 0 : p->lod_bias;
    float lod[LANES];

    memset(j->probes, 1, sizeof(j->probes));
    find_lods(j, lod);
    for (unsigned i = 0; i < LANES; i++) {
        float raw = quantize(lod[i] + bias + j->bias[i]), least = j->min_lod[i] > low ? j->min_lod[i] : low;

        j->raw_lod[i] = raw;
        /* The choice of filter sees the clamped value where the API is GL (LOD PreClamp). */
        j->magnified[i] = !(clamp(raw, decide_low, decide_high) > 0);
        j->level[i] = quantize(clamp(clamp(raw, least, high > least ? high : least), 0, top));
    }
    for (unsigned i = 0; i < LANES && p->mip_filter != MIP_LINEAR; i++)
        j->level[i] = p->mip_filter == MIP_NEAREST ? axis_floor(j->level[i] + 0.5f) : 0;
}
