/*
 * Messages of pixel shader threads. Render target writes: PRM SKL vol 7, "Render Target Write"; Mesa brw_eu_defines.h
 * has the numbers, and its lowering of framebuffer writes the order of the payload.
 */
#include <math.h>
#include <string.h>

#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

/* Descriptor of DP_RENDER messages. */
enum { TYPE_SHIFT = 14, TYPE_WRITE = 12, TYPE_READ = 13 };
enum { SUBTYPE_SHIFT = 8, SLOT_GROUP = 11, PER_SAMPLE = 13 };
enum { WRITE_SIMD16, WRITE_SIMD16_REPLICATED, WRITE_SIMD8_DUAL_LOW, WRITE_SIMD8_DUAL_HIGH, WRITE_SIMD8 };
/* Message header, dword 0. */
enum { HEADER_ALPHA0 = 11, HEADER_OMASK = 12, HEADER_DEPTH = 13, HEADER_STENCIL = 14 };

/* A message taken apart. */
struct output {
    unsigned channels, first; /* 8 or 16; thread's channel of the payload's first */
    uint32_t mask;            /* payload channels */
    unsigned target;          /* which BLEND_STATE entry */
    uint32_t layer;
    bool dual, uniform, has_alpha0, has_omask, has_depth, has_stencil;
    float color[4][16], second[4][16], alpha0[16], depth[16];
    uint16_t omask[16];
    uint8_t stencil[16];
};

/* One value for each channel; returns the next register. */
static unsigned take(const struct eu_message *m, unsigned reg, unsigned channels, float out[16])
{
    memcpy(out, pixel_message_register(m, reg), EU_REG_BYTES);
    if (channels == 16)
        memcpy(out + 8, pixel_message_register(m, reg + 1), EU_REG_BYTES);
    else
        memset(out + 8, 0, EU_REG_BYTES);
    return reg + channels / 8;
}

static unsigned take_color(const struct eu_message *m, unsigned reg, unsigned channels, float out[4][16])
{
    for (unsigned c = 0; c < 4; c++)
        reg = take(m, reg, channels, out[c]);
    return reg;
}

static void take_replicated(const struct eu_message *m, unsigned reg, float out[4][16])
{
    float color[4];

    memcpy(color, pixel_message_register(m, reg), sizeof(color));
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < 16; i++)
            out[c][i] = color[c];
}

/* What the header says, or the thread's state without one. Returns the first register behind it. */
static unsigned take_header(const struct pixel_worker *w, const struct eu_message *m, struct output *o)
{
    const struct raster_pixel_state *ps = &w->r->state.ps;
    uint32_t h[3];

    o->target = 0;
    o->layer = w->prim->layer;
    o->has_omask = ps->omask;
    o->has_depth = ps->computes_depth;
    o->has_stencil = ps->computes_stencil;
    if (!m->header)
        return 0;
    memcpy(h, pixel_message_register(m, 0), sizeof(h));
    o->has_alpha0 = h[0] >> HEADER_ALPHA0 & 1;
    o->has_omask = h[0] >> HEADER_OMASK & 1;
    o->has_depth = h[0] >> HEADER_DEPTH & 1;
    o->has_stencil = h[0] >> HEADER_STENCIL & 1;
    o->layer = h[0] >> 16 & 0x7ff;
    o->target = h[2] & (RASTER_TARGETS - 1);
    return 2;
}

static void parse(const struct pixel_worker *w, const struct eu_message *m, struct output *o)
{
    unsigned subtype = m->desc >> SUBTYPE_SHIFT & 7, reg;

    memset(o, 0, offsetof(struct output, color));
    o->channels = subtype == WRITE_SIMD16 || subtype == WRITE_SIMD16_REPLICATED ? 16 : 8;
    o->dual = subtype == WRITE_SIMD8_DUAL_LOW || subtype == WRITE_SIMD8_DUAL_HIGH;
    o->first = (m->desc >> SLOT_GROUP & 1 ? 16u : 0u) + (subtype == WRITE_SIMD8_DUAL_HIGH ? 8u : 0u);
    o->mask = m->mask & (o->channels == 16 ? 0xffffu : 0xffu);
    reg = take_header(w, m, o);
    if (subtype == WRITE_SIMD16_REPLICATED) {
        take_replicated(m, reg, o->color);
        o->uniform = true;
        o->has_omask = o->has_depth = o->has_stencil = o->has_alpha0 = false;
        return;
    }
    if (o->has_alpha0)
        reg = take(m, reg, o->channels, o->alpha0);
    if (o->has_omask) { /* words; in 8-channel messages those of the half that is written */
        uint16_t words[16];

        memcpy(words, pixel_message_register(m, reg++), sizeof(words));
        memcpy(o->omask, words + o->first % 16, sizeof(words) / 16 * o->channels);
    }
    reg = take_color(m, reg, o->channels, o->color);
    if (o->dual)
        reg = take_color(m, reg, o->channels, o->second);
    if (o->has_depth)
        reg = take(m, reg, o->channels, o->depth);
    if (o->has_stencil)
        memcpy(o->stencil, pixel_message_register(m, reg), o->channels);
}

/* ---- what removes samples */

static bool alpha_passes(unsigned func, float a, float ref)
{
    switch (func) {
    case COMPARE_NEVER:
        return false;
    case COMPARE_LESS:
        return a < ref;
    case COMPARE_EQUAL:
        return a == ref;
    case COMPARE_LEQUAL:
        return a <= ref;
    case COMPARE_GREATER:
        return a > ref;
    case COMPARE_NOTEQUAL:
        return a != ref;
    case COMPARE_GEQUAL:
        return a >= ref;
    default:
        return true;
    }
}

/* As many samples as alpha says; which ones differs from pixel to pixel of a quad so that steps do not show. */
static uint16_t alpha_coverage(float alpha, unsigned samples, unsigned pixel)
{
    float a = alpha > 0 ? GT_MIN(alpha, 1.0f) : 0;
    unsigned n = (unsigned)(a * (float)samples + 0.5f), mask = (1u << n) - 1, turn = pixel % samples;

    return (uint16_t)((mask << turn | mask >> (samples - turn)) & ((1u << samples) - 1));
}

/* Kill, output mask, alpha test, alpha to coverage: samples that go before depth is tested. */
static void remove_samples(struct pixel_worker *w, const struct output *o, uint32_t these)
{
    const struct raster_state *st = &w->r->state;
    const float *alpha = o->has_alpha0 ? o->alpha0 : o->color[3];
    bool by_alpha = o->target == 0 || o->has_alpha0, test = by_alpha && st->ps.alpha_test;
    bool coverage = by_alpha && st->ps.alpha_to_coverage && st->samples > 1;

    if (!o->has_omask && !test && !coverage && !(w->live & these & ~(o->mask << o->first)))
        return;
    for (unsigned i = 0; i < o->channels; i++) {
        uint16_t *cover = &w->cover[o->first + i];

        if (o->has_omask)
            *cover &= o->omask[i];
        if (test && !alpha_passes(st->ps.alpha_func, alpha[i], st->ps.alpha_ref))
            *cover = 0;
        if (coverage)
            *cover &= alpha_coverage(alpha[i], st->samples, i % 4);
        if (!(o->mask >> i & 1))
            *cover = 0;
        if (!*cover)
            w->live &= ~(1u << (o->first + i));
    }
}

static unsigned late_quad(struct pixel_worker *w, const struct output *o, unsigned i)
{
    const struct raster_state *st = &w->r->state;
    unsigned channel = o->first + i, passed = 0;
    struct raster_quad q = *w->slot[channel / 4].quad;
    struct depth_input in = {.computed = o->has_stencil};

    if (!(w->live >> channel & 0xf))
        return 0;
    for (unsigned k = 0; k < 4; k++)
        q.cover[k] = w->live >> (channel + k) & 1 ? w->cover[channel + k] : 0;
    if (st->ds.test || st->ds.stencil_test) {
        depth_interpolate(st, w->prim, &q, &in);
        for (unsigned p = 0; o->has_depth && p < 4 * RASTER_SAMPLES; p++)
            in.z[p] = o->depth[i + p / RASTER_SAMPLES];
        memcpy(in.stencil, o->stencil + i, sizeof(in.stencil));
        passed = depth_test_quad(st, w->env.mem, w->prim, &q, &in);
        memcpy(w->cover + channel, q.cover, sizeof(q.cover));
        for (unsigned k = 0; k < 4; k++)
            if (!q.cover[k])
                w->live &= ~(1u << (channel + k));
        return passed;
    }
    for (unsigned k = 0; k < 4; k++)
        for (unsigned c = q.cover[k]; c; c &= c - 1)
            passed++;
    return passed;
}

/* Tests what was not tested before the thread; once for each channel, with its first write. */
static void test_late(struct pixel_worker *w, const struct output *o)
{
    uint32_t these = (o->channels == 16 ? 0xffffu : 0xffu) << o->first;

    remove_samples(w, o, these);
    if ((w->tested & these) == these)
        return;
    for (unsigned i = 0; i < o->channels; i += 4)
        w->r->worker[w->worker]->ps_depth += late_quad(w, o, i);
    w->tested |= these;
}

/* ---- writes */

static void apply_smooth(const struct pixel_worker *w, struct output *o)
{
    for (unsigned i = 0; i < o->channels; i++)
        o->color[3][i] *=
            setup_smooth_coverage(w->prim, (float)w->px[o->first + i] + 0.5f, (float)w->py[o->first + i] + 0.5f);
}

static void write_samples(struct pixel_worker *w, const struct output *o, struct target_write *t)
{
    uint32_t live = w->live >> o->first & (o->channels == 16 ? 0xffffu : 0xffu);
    uint16_t any = 0;

    if (w->r->state.samples == 1) {
        t->mask = live;
        target_write(w->env.mem, t);
        return;
    }
    for (unsigned i = 0; i < o->channels; i++)
        any |= live >> i & 1 ? w->cover[o->first + i] : 0;
    for (unsigned s = 0; any >> s; s++) {
        if (!(any >> s & 1))
            continue;
        t->sample = s;
        t->mask = 0;
        for (unsigned i = 0; i < o->channels; i++)
            t->mask |= (live >> i & (uint32_t)w->cover[o->first + i] >> s & 1) << i;
        target_write(w->env.mem, t);
    }
}

static enum eu_result write_target(struct pixel_worker *w, const struct eu_message *m)
{
    const struct raster_state *st = &w->r->state;
    struct output o;

    parse(w, m, &o);
    if (o.first + o.channels > w->width)
        return EU_DONE;
    o.mask &= w->lit >> o.first;
    test_late(w, &o);
    struct target_write t = {
        .s = soft_env_target(&w->env, m->desc & 0xff),
        .blend = &st->blend[o.target],
        .constant = st->blend_constant,
        .layer = o.layer,
        .x = w->px + o.first,
        .y = w->py + o.first,
        .color = (const float(*)[16])o.color,
        .second = o.dual ? (const float(*)[16])o.second : NULL,
        .alpha_to_one = st->ps.alpha_to_one,
        .uniform = o.uniform,
    };
    if (!t.s || t.s->type == SOFT_SURF_NULL || !(w->live >> o.first))
        return EU_DONE;
    if (w->prim->smooth && !soft_format_is_integer(t.s->info)) {
        apply_smooth(w, &o);
        t.uniform = false;
    }
    write_samples(w, &o, &t);
    return EU_DONE;
}

/* Render target read: what blending would see, of the pixels' sample (the first one, unless the thread has one). */
static enum eu_result read_target(struct pixel_worker *w, const struct eu_message *m)
{
    unsigned channels = m->desc >> SUBTYPE_SHIFT & 1 ? 8 : 16;
    unsigned first = (m->desc >> SLOT_GROUP & 1 ? 16u : m->first_channel) & 24;
    struct target_write t = {
        .s = soft_env_target(&w->env, m->desc & 0xff), .layer = w->prim->layer, .x = w->px + first, .y = w->py + first};
    float out[4][16];

    if (!t.s || m->rlen < channels / 8 * 4 || first + channels > w->width)
        return EU_DONE;
    for (unsigned i = 0; i < channels; i += 4) { /* each slot may have a sample of its own */
        t.mask = 0xfu << i;
        t.sample = w->slot[(first + i) / 4].sample;
        target_read(w->env.mem, &t, out);
        for (unsigned c = 0; c < 4; c++)
            for (unsigned p = i; p < i + 4; p++)
                if (m->mask >> p & 1)
                    memcpy(m->dst + (c * channels + p) * 4, &out[c][p], 4);
    }
    return EU_DONE;
}

static enum eu_result pixel_message(struct eu_thread *t, const struct eu_message *m)
{
    struct pixel_worker *w = t->ctx;

    switch (m->sfid) {
    case EU_SFID_DP_RENDER:
        if ((m->desc >> TYPE_SHIFT & 0xf) == TYPE_WRITE)
            return write_target(w, m);
        if ((m->desc >> TYPE_SHIFT & 0xf) == TYPE_READ)
            return read_target(w, m);
        return soft_dataport_message(&w->env, t, m);
    case EU_SFID_DP_CONST:
    case EU_SFID_DP_DC0:
    case EU_SFID_DP_DC1:
    case EU_SFID_DP_DC2:
    case EU_SFID_DP_SAMPLER:
        return soft_dataport_message(&w->env, t, m);
    case EU_SFID_SAMPLER:
        return soft_sampler_message(&w->env, t, m);
    case EU_SFID_PI:
        return pixel_interpolate(w, m);
    default:
        w->r->worker[w->worker]->unknown++;
        return EU_DONE;
    }
}

const struct eu_host pixel_host = {.message = pixel_message};
