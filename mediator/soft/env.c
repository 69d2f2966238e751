#include "mediator/soft/env.h"

#include <stdlib.h>
#include <string.h>

#include "mediator/soft/ccs.h"
#include "mediator/soft/hiz.h"
#include "mediator/soft/units.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)
#define BINDLESS_KEY GT_BIT64(63)

struct soft_units *soft_units_create(void)
{
    static const uint32_t nothing[16];
    struct soft_units *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    u->generation = 1;
    soft_surface_decode(nothing, &u->null.s);
    u->null.s.type = SOFT_SURF_NULL;
    return u;
}

void soft_units_destroy(struct soft_units *u)
{
    free(u);
}

void soft_units_begin(struct soft_units *u)
{
    if (++u->generation == 0) { /* old entries must not look current */
        for (unsigned i = 0; i < UNITS_SURFACES; i++)
            u->surface[i].generation = 0;
        for (unsigned i = 0; i < UNITS_SAMPLERS; i++)
            u->sampler[i].generation = 0;
        u->generation = 1;
    }
}

static unsigned hash(uint64_t key, unsigned entries)
{
    return (unsigned)((key >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (entries - 1);
}

/* The entry of a key: its own, or the first of an older command, or - with more surfaces in one command than the table
 * is for - one that is in use. */
static struct units_surface *find_surface(struct soft_units *u, uint64_t key)
{
    unsigned at = hash(key, UNITS_SURFACES);
    struct units_surface *free_one = NULL;

    for (unsigned i = 0; i < UNITS_PROBES; i++) {
        struct units_surface *c = &u->surface[(at + i) & (UNITS_SURFACES - 1)];

        if (c->key == key && c->generation)
            return c;
        if (!free_one && c->generation != u->generation)
            free_one = c;
    }
    return free_one ? free_one : &u->surface[at];
}

static void load_surface(struct soft_env *e, struct units_surface *c, uint64_t key, uint64_t state)
{
    uint32_t raw[16];
    bool known = c->generation != 0;

    soft_mem_read(e->mem, state, raw, sizeof(raw));
    if (!known || memcmp(raw, c->raw, sizeof(raw))) {
        memcpy(c->raw, raw, sizeof(raw));
        soft_surface_decode(raw, &c->s);
    }
    c->key = key;
    c->state = state;
    c->generation = e->units->generation;
    c->settled_target = c->settled_texture = false;
}

static struct units_surface *bound_surface(struct soft_env *e, unsigned index)
{
    uint64_t key = (e->binding_table + index * 4) & ADDRESS_MASK;
    struct units_surface *c = find_surface(e->units, key);

    if (c->key == key && c->generation == e->units->generation)
        return c;
    if (index >= 240)
        return &e->units->null;
    uint32_t entry = 0;
    if (!soft_mem_read(e->mem, key, &entry, sizeof(entry)))
        return &e->units->null;
    load_surface(e, c, key,
                 (e->surface_base + FIELD_ADDRESS(&entry, BINDING_TABLE_STATE, SurfaceStatePointer)) & ADDRESS_MASK);
    return c;
}

/* The handle counts 64-byte units in the upper 20 bits (Mesa, lower_sampler_logical_send_gfx7). */
static struct units_surface *bindless_surface(struct soft_env *e, uint32_t ex_desc)
{
    uint64_t state = (e->bindless_base + ((uint64_t)(ex_desc >> 12) << 6)) & ADDRESS_MASK;
    uint64_t key = state | BINDLESS_KEY;
    struct units_surface *c = find_surface(e->units, key);

    if (c->key != key || c->generation != e->units->generation)
        load_surface(e, c, key, state);
    return c;
}

static struct units_surface *message_surface(struct soft_env *e, unsigned index, uint32_t ex_desc)
{
    return index == UNITS_BTI_BINDLESS ? bindless_surface(e, ex_desc) : bound_surface(e, index);
}

const struct soft_surface *soft_env_surface(struct soft_env *e, unsigned index)
{
    return &bound_surface(e, index)->s;
}

const struct soft_surface *soft_env_target(struct soft_env *e, unsigned index)
{
    struct units_surface *c = bound_surface(e, index);
    unsigned level = soft_surface_drawn_level(&c->s);

    if (!c->settled_target)
        soft_ccs_settle(e->mem, &c->s, level, level + 1, c->s.view_layers, SOFT_DRAWN);
    c->settled_target = true;
    return &c->s;
}

const struct soft_surface *units_message_surface(struct soft_env *e, unsigned index, uint32_t ex_desc)
{
    return &message_surface(e, index, ex_desc)->s;
}

const struct soft_surface *units_message_texture(struct soft_env *e, unsigned index, uint32_t ex_desc)
{
    struct units_surface *c = message_surface(e, index, ex_desc);

    if (!c->settled_texture) {
        uint32_t slices = c->s.type == SOFT_SURF_3D ? c->s.depth_px : c->s.layers;

        soft_ccs_settle(e->mem, &c->s, 0, c->s.levels, slices, SOFT_SAMPLED);
        soft_hiz_settle(e->mem, &c->s, 0, c->s.levels, slices);
    }
    c->settled_texture = true;
    return &c->s;
}

static void decode_sampler(struct soft_env *e, const uint32_t *dw, struct soft_sampler *p)
{
    uint64_t border = FIELD_ADDRESS(dw, SAMPLER_STATE, BorderColorPointer);

    memset(p, 0, sizeof(*p));
    p->min_filter = (uint8_t)FIELD_GET(dw, SAMPLER_STATE, MinModeFilter);
    p->mag_filter = (uint8_t)FIELD_GET(dw, SAMPLER_STATE, MagModeFilter);
    p->mip_filter = (uint8_t)FIELD_GET(dw, SAMPLER_STATE, MipModeFilter);
    p->address[0] = (uint8_t)FIELD_GET(dw, SAMPLER_STATE, TCXAddressControlMode);
    p->address[1] = (uint8_t)FIELD_GET(dw, SAMPLER_STATE, TCYAddressControlMode);
    p->address[2] = (uint8_t)FIELD_GET(dw, SAMPLER_STATE, TCZAddressControlMode);
    p->compare = (uint8_t)FIELD_GET(dw, SAMPLER_STATE, ShadowFunction);
    p->reduction =
        FIELD_GET(dw, SAMPLER_STATE, ReductionTypeEnable) ? (uint8_t)FIELD_GET(dw, SAMPLER_STATE, ReductionType) : 0;
    p->max_probes = (uint8_t)(2 * FIELD_GET(dw, SAMPLER_STATE, MaximumAnisotropy) + 2);
    p->unnormalized = FIELD_GET(dw, SAMPLER_STATE, NonNormalizedCoordinateEnable);
    p->preclamp = FIELD_GET(dw, SAMPLER_STATE, LODPreClampMode) == 2;
    p->cube_edges = FIELD_GET(dw, SAMPLER_STATE, CubeSurfaceControlMode);
    p->lod_bias = (float)FIELD_SIGNED(dw, SAMPLER_STATE, TextureLODBias) / 256;
    p->min_lod = (float)FIELD_GET(dw, SAMPLER_STATE, MinLOD) / 256;
    p->max_lod = (float)FIELD_GET(dw, SAMPLER_STATE, MaxLOD) / 256;
    soft_mem_read(e->mem, (e->dynamic_base + border) & ADDRESS_MASK, p->border, sizeof(p->border));
}

const struct soft_sampler *units_sampler(struct soft_env *e, uint64_t address)
{
    uint64_t key = address & ADDRESS_MASK;
    struct units_sampler *c = &e->units->sampler[hash(key >> 2, UNITS_SAMPLERS)];

    if (c->key == key && c->generation == e->units->generation)
        return &c->p;
    soft_mem_read(e->mem, key, c->raw, sizeof(c->raw));
    decode_sampler(e, c->raw, &c->p);
    c->key = key;
    c->generation = e->units->generation;
    return &c->p;
}

const uint32_t (*units_block(struct soft_units *u, const struct soft_format *f, const uint8_t *raw))[4]
{
    unsigned bytes = f->bits / 8;
    uint64_t key = 0, more = 0;

    memcpy(&key, raw, GT_MIN(bytes, 8u));
    if (bytes > 8)
        memcpy(&more, raw + 8, 8);
    key = (key ^ more * 31) * UINT64_C(0x9e3779b97f4a7c15) + f->number;
    struct units_block *b = &u->block[(key >> 40) & (UNITS_BLOCKS - 1)];
    if (b->format != f->number + 1 || memcmp(b->raw, raw, bytes)) {
        b->format = (uint16_t)(f->number + 1);
        memcpy(b->raw, raw, bytes);
        soft_format_decode_block(f, raw, b->texel);
    }
    return b->texel;
}
