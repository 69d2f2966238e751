#include <math.h>
#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/sampler.h"
#include "vgpu/base/bits.h"

/* ---- where the texels are */

static unsigned dimensions(const struct soft_surface *s)
{
    return s->type == SOFT_SURF_1D ? 1 : s->type == SOFT_SURF_3D ? 3 : 2;
}

static void axis_of(const struct sampler_job *j, unsigned n, const float *coordinate, const uint8_t *level, bool linear,
                    struct sampler_axis *a)
{
    uint32_t size[LANES];
    unsigned mode = j->p->address[n];

    for (unsigned i = 0; i < j->lanes; i++) {
        const struct soft_level *l = &j->s->level[level[i]];
        size[i] = n == 0 ? l->width_px : n == 1 ? l->height_px : l->depth_px;
    }
    if (j->s->type == SOFT_SURF_CUBE)
        mode = mode == ADDRESS_CUBE || j->p->cube_edges ? ADDRESS_CUBE : ADDRESS_CLAMP;
    else if (mode == ADDRESS_CUBE || mode > ADDRESS_HALF_BORDER)
        mode = ADDRESS_CLAMP;
    sampler_axis(coordinate, size, j->offsets ? j->offset[n] : NULL, j->lanes, mode, linear, j->p->unnormalized, a);
}

static int32_t slice_of(const struct sampler_job *j, unsigned i)
{
    const struct soft_surface *s = j->s;

    if (s->type == SOFT_SURF_CUBE)
        return (int32_t)j->r[i] + 6 * (s->array ? sampler_layer(j->ai[i], s->layers / 6) : 0);
    if (!s->array)
        return 0;
    return sampler_layer(s->type == SOFT_SURF_1D ? j->v[i] : j->r[i], s->layers);
}

static void wrap_cube_taps(const struct sampler_job *j, struct sampler_taps *t)
{
    for (unsigned i = 0; i < j->lanes; i++) {
        int32_t size = (int32_t)j->s->level[t->level[i]].width_px;

        for (unsigned k = 0; k < t->corners; k++)
            if (sampler_cube_wrap(size, &t->x[k][i], &t->y[k][i], &t->z[k][i])) {
                t->missing[i] = (uint8_t)(k + 1);
                t->x[k][i] = TEXEL_BORDER;
            }
    }
}

void sampler_place_taps(struct sampler_job *j, const float *u, const float *v, const uint8_t *level, bool linear,
                        struct sampler_taps *t, struct sampler_axis axis[3])
{
    unsigned dims = dimensions(j->s);

    t->corners = linear ? 1u << dims : 1;
    memcpy(t->level, level, LANES);
    memset(t->sample, 0, sizeof(t->sample));
    memset(t->missing, 0, sizeof(t->missing));
    axis_of(j, 0, u, level, linear, &axis[0]);
    if (dims > 1)
        axis_of(j, 1, v, level, linear, &axis[1]);
    if (dims > 2)
        axis_of(j, 2, j->r, level, linear, &axis[2]);
    for (unsigned i = 0; i < j->lanes; i++) {
        int32_t slice = dims > 2 ? 0 : slice_of(j, i);

        for (unsigned k = 0; k < t->corners; k++) {
            t->x[k][i] = k & 1 ? axis[0].second[i] : axis[0].first[i];
            t->y[k][i] = dims < 2 ? 0 : k & 2 ? axis[1].second[i] : axis[1].first[i];
            t->z[k][i] = dims < 3 ? slice : k & 4 ? axis[2].second[i] : axis[2].first[i];
        }
    }
    if (j->s->type == SOFT_SURF_CUBE)
        wrap_cube_taps(j, t);
}

/* ---- colours of one set of taps */

/* The prefilter operation names the comparisons that give 0 (Mesa, translate_shadow_func: GL's LESS is LEQUAL here). */
static float passes(unsigned operation, float texel, float ref)
{
    bool less = texel < ref, equal = texel == ref, hit;

    switch (operation) {
    case 0:
        hit = true;
        break;
    case 1:
        hit = false;
        break;
    case 2:
        hit = less;
        break;
    case 3:
        hit = equal;
        break;
    case 4:
        hit = less || equal;
        break;
    case 5:
        hit = texel > ref;
        break;
    case 6:
        hit = !equal;
        break;
    default:
        hit = texel >= ref;
    }
    return hit ? 0 : 1;
}

static void compare_taps(const struct sampler_job *j, struct sampler_taps *t)
{
    bool unorm = j->s->info->channel[0].type == SOFT_CH_UNORM;

    for (unsigned i = 0; i < j->lanes; i++) {
        float ref = j->ref[i];

        if (unorm)
            ref = ref > 0 ? GT_MIN(ref, 1.0f) : 0;
        for (unsigned k = 0; k < t->corners; k++) {
            uint32_t *red = &t->colour[0][k * LANES + i];

            *red = soft_as_bits(passes(j->p->compare, soft_as_float(*red), ref));
            t->colour[1][k * LANES + i] = t->colour[2][k * LANES + i] = 0;
            t->colour[3][k * LANES + i] = soft_as_bits(1.0f);
        }
    }
}

/* A corner where three faces meet has three texels: the fourth is their mean. */
static void fill_missing(struct sampler_taps *t, unsigned lanes)
{
    for (unsigned i = 0; i < lanes; i++) {
        if (!t->missing[i] || t->corners != 4)
            continue;
        for (unsigned c = 0; c < 4; c++) {
            float sum = 0;

            for (unsigned k = 0; k < 4; k++)
                if (k + 1 != t->missing[i])
                    sum += soft_as_float(t->colour[c][k * LANES + i]);
            t->colour[c][(t->missing[i] - 1) * LANES + i] = soft_as_bits(sum / 3);
        }
    }
}

static float mix(float a, float b, float weight, unsigned reduction)
{
    if (reduction < 2)
        return a + (b - a) * weight;
    if (weight == 0)
        return a;
    return reduction == 2 ? GT_MIN(a, b) : GT_MAX(a, b);
}

/* Halves the number of corners, axis after axis. */
static void combine(const struct sampler_job *j, struct sampler_taps *t, const struct sampler_axis axis[3],
                    float out[4][LANES])
{
    unsigned reduction = j->p->reduction;

    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < j->lanes; i++) {
            float v[CORNERS];

            for (unsigned k = 0; k < t->corners; k++)
                v[k] = soft_as_float(t->colour[c][k * LANES + i]);
            for (unsigned n = t->corners, a = 0; n > 1; n /= 2, a++)
                for (unsigned k = 0; k < n / 2; k++)
                    v[k] = mix(v[2 * k], v[2 * k + 1], (float)axis[a].weight[i] / 256, reduction);
            out[c][i] = v[0];
        }
}

static void copy_taps(const struct sampler_job *j, const struct sampler_taps *t, uint32_t out[4][LANES])
{
    for (unsigned c = 0; c < 4; c++)
        memcpy(out[c], t->colour[c], j->lanes * sizeof(uint32_t));
}

/* One level of each lane, one filter. */
static void sample_level(struct sampler_job *j, const float *u, const float *v, const uint8_t *level, bool linear,
                         uint32_t out[4][LANES])
{
    struct sampler_taps t;
    struct sampler_axis axis[3];

    linear = linear && !j->integer;
    sampler_place_taps(j, u, v, level, linear, &t, axis);
    sampler_fetch(j, &t);
    if (j->compare)
        compare_taps(j, &t);
    if (linear) {
        fill_missing(&t, j->lanes);
        combine(j, &t, axis, (float(*)[LANES])out);
    } else {
        copy_taps(j, &t, out);
    }
}

/* Lanes may be magnified or minified: with different filters each kind has a pass. */
static void sample_filters(struct sampler_job *j, const float *u, const float *v, const uint8_t *level,
                           uint32_t out[4][LANES])
{
    bool mag = j->p->mag_filter != FILTER_NEAREST, min = j->p->min_filter != FILTER_NEAREST;
    uint32_t other[4][LANES], magnified = 0;

    for (unsigned i = 0; i < j->lanes; i++)
        magnified |= (uint32_t)j->magnified[i] << i;
    magnified &= j->mask;
    if (mag == min || magnified == 0 || magnified == j->mask) {
        bool linear = magnified ? mag : min;

        if (u != j->u || !sampler_fast(j, level, linear, out))
            sample_level(j, u, v, level, linear, out);
        return;
    }
    sample_level(j, u, v, level, mag, other);
    sample_level(j, u, v, level, min, out);
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < j->lanes; i++)
            if (magnified >> i & 1)
                out[c][i] = other[c][i];
}

/* ---- anisotropy and levels */

static void sample_probes(struct sampler_job *j, const uint8_t *level, uint32_t out[4][LANES])
{
    float sum[4][LANES] = {{0}}, u[LANES], v[LANES];
    unsigned most = 1;

    for (unsigned i = 0; i < j->lanes; i++)
        most = GT_MAX(most, j->probes[i]);
    if (most == 1) {
        sample_filters(j, j->u, j->v, level, out);
        return;
    }
    for (unsigned n = 0; n < most; n++) {
        for (unsigned i = 0; i < j->lanes; i++) {
            float at = (float)n - (float)(j->probes[i] - 1) / 2;

            u[i] = j->u[i] + at * j->step_u[i];
            v[i] = j->v[i] + at * j->step_v[i];
        }
        sample_filters(j, u, v, level, out);
        for (unsigned c = 0; c < 4; c++)
            for (unsigned i = 0; i < j->lanes; i++)
                sum[c][i] += n < j->probes[i] ? soft_as_float(out[c][i]) : 0;
    }
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < j->lanes; i++)
            out[c][i] = soft_as_bits(sum[c][i] / (float)j->probes[i]);
}

static void gather(struct sampler_job *j, const uint8_t *level)
{
    static const uint8_t order[4] = {2, 3, 1, 0}; /* lower left, lower right, upper right, upper left */
    struct sampler_taps t;
    struct sampler_axis axis[3];

    sampler_place_taps(j, j->u, j->v, level, true, &t, axis);
    sampler_fetch(j, &t);
    if (j->compare)
        compare_taps(j, &t);
    if (!j->integer)
        fill_missing(&t, j->lanes);
    for (unsigned k = 0; k < 4; k++)
        for (unsigned i = 0; i < j->lanes; i++)
            j->out[k][i] = t.corners == 4 ? t.colour[j->gather_channel][order[k] * LANES + i]
                                          : t.colour[j->gather_channel][(order[k] & 1) * LANES + i];
}

void sampler_filter(struct sampler_job *j)
{
    uint8_t level[LANES] = {0}, next[LANES] = {0};
    uint32_t second[4][LANES];
    bool mixed = false;

    for (unsigned i = 0; i < j->lanes; i++) {
        level[i] = (uint8_t)j->level[i];
        next[i] = (uint8_t)GT_MIN(level[i] + 1u, j->s->levels - 1u);
        mixed |= (j->mask >> i & 1) && j->level[i] != (float)level[i];
    }
    if (j->gather) {
        gather(j, level);
        return;
    }
    sample_probes(j, level, j->out);
    if (!mixed || j->integer)
        return;
    sample_probes(j, next, second);
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < j->lanes; i++) {
            float weight = j->level[i] - (float)level[i];

            j->out[c][i] =
                soft_as_bits(mix(soft_as_float(j->out[c][i]), soft_as_float(second[c][i]), weight, j->p->reduction));
        }
}
