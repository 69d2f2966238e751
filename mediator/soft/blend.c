/* Blending of floats and logic operations (PRM SKL vol 7, "Color Buffer Blending"; enumerations of genxml). */
#include <math.h>
#include <string.h>

#include "mediator/soft/pixel.h"

enum blend_factor {
    FACTOR_ONE = 1,
    FACTOR_SRC_COLOR,
    FACTOR_SRC_ALPHA,
    FACTOR_DST_ALPHA,
    FACTOR_DST_COLOR,
    FACTOR_SRC_ALPHA_SATURATE,
    FACTOR_CONST_COLOR,
    FACTOR_CONST_ALPHA,
    FACTOR_SRC1_COLOR,
    FACTOR_SRC1_ALPHA,
    FACTOR_ZERO = 17,
    FACTOR_INV_SRC_COLOR,
    FACTOR_INV_SRC_ALPHA,
    FACTOR_INV_DST_ALPHA,
    FACTOR_INV_DST_COLOR,
    FACTOR_INV_CONST_COLOR = 23,
    FACTOR_INV_CONST_ALPHA,
    FACTOR_INV_SRC1_COLOR,
    FACTOR_INV_SRC1_ALPHA
};
enum blend_function { BLEND_ADD, BLEND_SUBTRACT, BLEND_REVERSE_SUBTRACT, BLEND_MIN, BLEND_MAX };
enum clamp_range { CLAMP_UNORM, CLAMP_SNORM, CLAMP_FORMAT };

#define LANES 16

struct blend_job {
    float constant[4];
    float src[4][LANES], second[4][LANES];
    float (*dst)[LANES];
};

static void invert(float f[LANES])
{
    for (unsigned i = 0; i < LANES; i++)
        f[i] = 1 - f[i];
}

static void fill(float f[LANES], float v)
{
    for (unsigned i = 0; i < LANES; i++)
        f[i] = v;
}

static void saturate(const struct blend_job *j, unsigned channel, float f[LANES])
{
    for (unsigned i = 0; i < LANES; i++)
        f[i] = channel == 3 ? 1 : fminf(j->src[3][i], 1 - j->dst[3][i]);
}

/* A factor for one channel. */
static void factor(const struct blend_job *j, unsigned name, unsigned channel, float f[LANES])
{
    bool inverse = name > FACTOR_ZERO;
    const size_t size = sizeof(j->src[0]);

    switch (name == 22 ? FACTOR_ZERO : inverse ? name - 16 : name) { /* 22: SRC_ALPHA_SATURATE has no inverse */
    case FACTOR_ONE:
        fill(f, 1);
        break;
    case FACTOR_SRC_COLOR:
        memcpy(f, j->src[channel], size);
        break;
    case FACTOR_SRC_ALPHA:
        memcpy(f, j->src[3], size);
        break;
    case FACTOR_DST_ALPHA:
        memcpy(f, j->dst[3], size);
        break;
    case FACTOR_DST_COLOR:
        memcpy(f, j->dst[channel], size);
        break;
    case FACTOR_SRC_ALPHA_SATURATE:
        saturate(j, channel, f);
        break;
    case FACTOR_CONST_COLOR:
        fill(f, j->constant[channel]);
        break;
    case FACTOR_CONST_ALPHA:
        fill(f, j->constant[3]);
        break;
    case FACTOR_SRC1_COLOR:
        memcpy(f, j->second[channel], size);
        break;
    case FACTOR_SRC1_ALPHA:
        memcpy(f, j->second[3], size);
        break;
    default: /* zero */
        fill(f, 0);
        return;
    }
    if (inverse)
        invert(f);
}

/* sf and df: factors. Minimum and maximum do without them. */
static void combine(unsigned function, const float *s, const float *sf, const float *d, const float *df, float *out)
{
    for (unsigned i = 0; i < LANES; i++) {
        switch (function) {
        case BLEND_SUBTRACT:
            out[i] = s[i] * sf[i] - d[i] * df[i];
            break;
        case BLEND_REVERSE_SUBTRACT:
            out[i] = d[i] * df[i] - s[i] * sf[i];
            break;
        case BLEND_MIN:
            out[i] = s[i] < d[i] ? s[i] : d[i];
            break;
        case BLEND_MAX:
            out[i] = s[i] > d[i] ? s[i] : d[i];
            break;
        default:
            out[i] = s[i] * sf[i] + d[i] * df[i];
            break;
        }
    }
}

static float clamp_one(float f, float low)
{
    return f > low ? (f < 1 ? f : 1) : low; /* no number: low */
}

static void clamp(float f[LANES], float low)
{
    for (unsigned i = 0; i < LANES; i++)
        f[i] = clamp_one(f[i], low);
}

/* Sources are clamped to what the target can hold: always for normalised formats, as ColorClampRange says for others.
 */
static bool clamp_low(const struct target_write *w, float *low)
{
    unsigned type = w->s->info->channel[0].bits ? w->s->info->channel[0].type : w->s->info->channel[3].type;
    unsigned range = w->blend->clamp_range;

    if (type == SOFT_CH_UNORM || type == SOFT_CH_SNORM) {
        *low = type == SOFT_CH_SNORM ? -1.0f : 0.0f;
        return true;
    }
    *low = range == CLAMP_SNORM ? -1.0f : 0.0f;
    return (w->blend->clamp_pre || w->blend->clamp_source) && range < CLAMP_FORMAT;
}

/* The common blend: source alpha over an opaque or transparent target. */
static bool plain_over(const struct raster_blend *b)
{
    return b->color_func == BLEND_ADD && b->alpha_func == BLEND_ADD && b->src_color == FACTOR_SRC_ALPHA &&
           b->dst_color == FACTOR_INV_SRC_ALPHA && b->src_alpha == FACTOR_SRC_ALPHA &&
           b->dst_alpha == FACTOR_INV_SRC_ALPHA;
}

static void over(const struct blend_job *j, float out[4][LANES])
{
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < LANES; i++)
            out[c][i] = j->src[c][i] * j->src[3][i] + j->dst[c][i] * (1 - j->src[3][i]);
}

void blend_channels(const struct target_write *w, float dst[4][16], float out[4][16])
{
    const struct raster_blend *b = w->blend;
    struct blend_job j = {.dst = dst};
    float sf[LANES], df[LANES], low;
    bool clamps = clamp_low(w, &low);

    memcpy(j.src, out, sizeof(j.src));
    for (unsigned c = 0; c < 4; c++) {
        if (w->second)
            memcpy(j.second[c], w->second[c], sizeof(j.second[c]));
        if (clamps) {
            clamp(j.src[c], low);
            clamp(j.second[c], low);
        }
        j.constant[c] = clamps ? clamp_one(w->constant[c], low) : w->constant[c];
    }
    if (plain_over(b) && b->clamp_range == CLAMP_FORMAT) {
        over(&j, out);
        return;
    }
    for (unsigned c = 0; c < 4; c++) {
        factor(&j, c == 3 ? b->src_alpha : b->src_color, c, sf);
        factor(&j, c == 3 ? b->dst_alpha : b->dst_color, c, df);
        combine(c == 3 ? b->alpha_func : b->color_func, j.src[c], sf, dst[c], df, out[c]);
        if (b->clamp_post && b->clamp_range < CLAMP_FORMAT)
            clamp(out[c], b->clamp_range == CLAMP_SNORM ? -1.0f : 0.0f);
    }
}

/* Bit s << 1 | d of the operation's truth table. genxml's numbers are those of D3D and X11 with the bits reversed:
 * CLEAR 0, NOR 1, ..., COPY 12, SET 15 read as a table from (0, 0) on. */
uint64_t blend_logic(unsigned op, uint64_t s, uint64_t d)
{
    uint64_t out = 0;

    if (op & 1)
        out |= ~s & ~d;
    if (op & 2)
        out |= ~s & d;
    if (op & 4)
        out |= s & ~d;
    if (op & 8)
        out |= s & d;
    return out;
}
