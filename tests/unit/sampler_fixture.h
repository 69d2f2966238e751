/* Sampler messages: one surface and one sampler in memory, a payload from arrays. */
#ifndef GTMUX_TESTS_SAMPLER_FIXTURE_H
#define GTMUX_TESTS_SAMPLER_FIXTURE_H

#include "mediator/soft/env.h"
#include "mediator/soft/half.h"
#include "mediator/soft/sampler.h"
#include "tests/unit/soft_fixture.h"

#define RIG_TABLE    (RIG_MEMORY + 0x1000)
#define RIG_STATES   (RIG_MEMORY + 0x2000)
#define RIG_SAMPLERS (RIG_MEMORY + 0x3000)
#define RIG_TEXTURE  (RIG_MEMORY + 0x10000)

struct sampler_rig {
    struct soft_rig soft;
    struct soft_env env;
    struct eu_thread *thread;
    struct soft_surface s; /* what is bound */
    uint32_t sampler[4];
    uint8_t payload[32 * 32], answer[16 * 32];
    unsigned registers; /* of the payload so far */
    bool header;
    unsigned lanes;
    uint32_t mask;
};

static inline uint8_t *rig_at(struct sampler_rig *r, uint64_t address)
{
    return r->soft.memory + (address - RIG_MEMORY);
}

static inline void sampler_rig_open(struct sampler_rig *r)
{
    memset(r, 0, sizeof(*r));
    rig_open(&r->soft);
    r->env.mem = &r->soft.mem;
    r->env.units = soft_units_create();
    r->thread = calloc(1, sizeof(*r->thread));
    if (!r->env.units || !r->thread)
        abort();
    r->env.binding_table = RIG_TABLE;
    r->env.surface_base = RIG_STATES;
    r->env.dynamic_base = RIG_SAMPLERS;
    r->env.samplers = RIG_SAMPLERS;
    r->env.derivatives = true;
    r->lanes = 8;
    r->mask = 0xffff;
    SET(r->sampler, SAMPLER_STATE, MaxLOD, 14 << 8);
    SET(r->sampler, SAMPLER_STATE, LODPreClampMode, 2);
    SET(r->sampler, SAMPLER_STATE, BorderColorPointer, 0x100 >> 6);
}

static inline void sampler_rig_close(struct sampler_rig *r)
{
    soft_units_destroy(r->env.units);
    free(r->thread);
    rig_close(&r->soft);
}

static inline void rig_bind(struct sampler_rig *r, struct surface_spec p)
{
    uint32_t dw[16];

    if (!p.address)
        p.address = RIG_TEXTURE;
    surface_bits(&p, dw);
    memcpy(rig_at(r, RIG_STATES), dw, sizeof(dw));
    memset(rig_at(r, RIG_TABLE), 0, 4);
    soft_surface_decode(dw, &r->s);
    soft_units_begin(r->env.units);
}

static inline void rig_filters(struct sampler_rig *r, unsigned min, unsigned mag, unsigned mip)
{
    SET(r->sampler, SAMPLER_STATE, MinModeFilter, min);
    SET(r->sampler, SAMPLER_STATE, MagModeFilter, mag);
    SET(r->sampler, SAMPLER_STATE, MipModeFilter, mip);
}

static inline void rig_address_mode(struct sampler_rig *r, unsigned mode)
{
    SET(r->sampler, SAMPLER_STATE, TCXAddressControlMode, mode);
    SET(r->sampler, SAMPLER_STATE, TCYAddressControlMode, mode);
    SET(r->sampler, SAMPLER_STATE, TCZAddressControlMode, mode);
}

/* ---- the message: begin, then parameters in order, then send */
static inline void rig_message(struct sampler_rig *r)
{
    memset(r->payload, 0, sizeof(r->payload));
    r->registers = 0;
    r->header = false;
}

static inline void rig_header(struct sampler_rig *r, uint32_t dw2)
{
    memcpy(r->payload + 8, &dw2, 4);
    r->header = true;
    r->registers = 1;
}

static inline void rig_param(struct sampler_rig *r, const void *values)
{
    memcpy(r->payload + r->registers * 32, values, r->lanes * 4);
    r->registers += r->lanes / 8;
}

static inline void rig_param_all(struct sampler_rig *r, uint32_t value)
{
    uint32_t v[LANES];

    for (unsigned i = 0; i < LANES; i++)
        v[i] = value;
    rig_param(r, v);
}

static inline enum eu_result rig_send(struct sampler_rig *r, unsigned type, unsigned channels)
{
    struct eu_message m = {.sfid = EU_SFID_SAMPLER,
                           .exec_size = (uint8_t)r->lanes,
                           .mlen = (uint8_t)r->registers,
                           .rlen = (uint8_t)(channels * r->lanes / 8),
                           .header = r->header,
                           .mask = r->mask,
                           .src0 = r->payload,
                           .dst = r->answer};

    m.desc = type << 12 | (r->lanes / 8) << 17;
    memcpy(rig_at(r, RIG_SAMPLERS), r->sampler, sizeof(r->sampler));
    memset(r->answer, 0xee, sizeof(r->answer));
    soft_units_begin(r->env.units);
    return soft_sampler_message(&r->env, r->thread, &m);
}

static inline uint32_t rig_bits(const struct sampler_rig *r, unsigned channel, unsigned lane)
{
    uint32_t v;

    memcpy(&v, r->answer + (channel * r->lanes + lane) * 4, 4);
    return v;
}

static inline float rig_value(const struct sampler_rig *r, unsigned channel, unsigned lane)
{
    return soft_as_float(rig_bits(r, channel, lane));
}

static inline void rig_set_texel(struct sampler_rig *r, uint32_t x, uint32_t y, uint32_t z, unsigned level,
                                 const float colour[4])
{
    uint32_t bits[4];
    uint8_t raw[32];

    for (unsigned c = 0; c < 4; c++)
        bits[c] = soft_as_bits(colour[c]);
    soft_format_pack(r->s.info, bits, raw);
    memcpy(rig_at(r, soft_surface_address(&r->s, x, y, z, level, 0)), raw, r->s.element_bytes);
}

#endif
