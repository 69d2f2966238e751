/* A worker's private caches behind soft_units: decoded descriptors and blocks. For env.c, sampler*.c and dataport*.c.
 */
#ifndef GTMUX_SOFT_UNITS_H
#define GTMUX_SOFT_UNITS_H

#include "mediator/soft/env.h"

#define UNITS_SURFACES 1024u /* power of two */
#define UNITS_SAMPLERS 256u  /* power of two */
#define UNITS_PROBES   8u
#define UNITS_BLOCKS   128u /* power of two */
#define UNITS_TEXELS   144u /* of the largest block, 12 x 12 */

struct units_surface {
    uint64_t key, state; /* where the descriptor was looked for; where it was found */
    uint32_t generation;
    bool settled_target, settled_texture; /* in this generation */
    uint32_t raw[16];
    struct soft_surface s;
};

/* SAMPLER_STATE decoded. */
struct soft_sampler {
    uint8_t min_filter, mag_filter, mip_filter; /* of the hardware's encoding */
    uint8_t address[3];                         /* of u, v, r: enum sampler_address */
    uint8_t compare;                            /* prefilter operation, 0..7 */
    uint8_t reduction;                          /* 0 none, 2 minimum, 3 maximum */
    uint8_t max_probes;                         /* 2, 4 .. 16 */
    bool unnormalized, preclamp, cube_edges;    /* cube_edges: CubeSurfaceControlMode OVERRIDE */
    float lod_bias, min_lod, max_lod;
    uint32_t border[4];
};

struct units_sampler {
    uint64_t key;
    uint32_t generation;
    uint32_t raw[4];
    struct soft_sampler p;
};

struct units_block {
    uint16_t format; /* + 1; 0: empty */
    uint8_t raw[16];
    uint32_t texel[UNITS_TEXELS][4];
};

struct soft_units {
    uint32_t generation;
    struct units_surface null;
    struct units_surface surface[UNITS_SURFACES];
    struct units_sampler sampler[UNITS_SAMPLERS];
    struct units_block block[UNITS_BLOCKS];
};

/* The surface that a message's binding table index means; 252 is a bindless one, whose handle is in ex_desc. */
const struct soft_surface *units_message_surface(struct soft_env *e, unsigned index, uint32_t ex_desc);
/* The same as a texture: what was fast-cleared of it has its pixels. */
const struct soft_surface *units_message_texture(struct soft_env *e, unsigned index, uint32_t ex_desc);
/* The SAMPLER_STATE at an address. */
const struct soft_sampler *units_sampler(struct soft_env *e, uint64_t address);
/* The decoded texels of a block with these bytes. */
const uint32_t (*units_block(struct soft_units *u, const struct soft_format *f, const uint8_t *raw))[4];

/* A register of a message's payload, which may come in two parts; NULL behind its end. */
static inline const uint8_t *units_payload(const struct eu_message *m, unsigned reg)
{
    if (reg < m->mlen)
        return m->src0 + (size_t)reg * EU_REG_BYTES;
    reg -= m->mlen;
    return reg < m->ex_mlen ? m->src1 + (size_t)reg * EU_REG_BYTES : NULL;
}

#define UNITS_BTI_BINDLESS 252u /* Mesa brw_eu_defines.h, GFX9_BTI_BINDLESS */

#endif
