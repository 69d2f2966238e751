/* For tests of the render engine's memory side: surfaces from a few words, a small address space. */
#ifndef GTMUX_TESTS_SOFT_FIXTURE_H
#define GTMUX_TESTS_SOFT_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "mediator/soft/mem.h"
#include "mediator/soft/surface.h"
#include "tests/unit/exec_double.h"
#include "vgpu/desc/fields.h"

#define RIG_MEMORY UINT64_C(0x400000)
#define RIG_BYTES  (1u << 20)

struct soft_rig {
    struct vgpu_exec x;
    struct soft_space space;
    struct soft_mem mem;
    uint8_t *memory; /* RIG_BYTES at RIG_MEMORY */
};

static inline void rig_open(struct soft_rig *r)
{
    memset(r, 0, sizeof(*r));
    r->memory = calloc(1, RIG_BYTES);
    if (!r->memory || soft_space_init(&r->space))
        abort();
    double_map(&r->x, RIG_MEMORY, r->memory, RIG_BYTES, false);
    soft_space_begin(&r->space, &r->x);
    soft_mem_begin(&r->mem, &r->space);
}

static inline void rig_close(struct soft_rig *r)
{
    soft_space_fini(&r->space);
    free(r->memory);
}

/* Zeros mean: 2D, one level, layer and sample, alignment 4, channels as they are. */
struct surface_spec {
    unsigned type, format, tile, resource, tail, levels, first_level, layers, first_layer, depth, samples_log2, pitch,
        qpitch;
    uint32_t w, h, elements;
    bool interleaved, flat; /* flat: SurfaceArray off */
    uint8_t swizzle[4];
    uint64_t address;
};

static inline void set_field(uint32_t *dw, uint32_t f, uint64_t v)
{
    unsigned first = f >> 16, last = f & 0xffff;

    for (unsigned b = first; b <= last; b++, v >>= 1)
        dw[b / 32] = (dw[b / 32] & ~(1u << b % 32)) | (uint32_t)(v & 1) << b % 32;
}

#define SET(dw, group, name, v) set_field(dw, F_##group##__##name, v)

static inline void surface_bits(const struct surface_spec *p, uint32_t dw[16])
{
    static const uint8_t identity[4] = {4, 5, 6, 7};
    const uint8_t *swizzle = p->swizzle[0] || p->swizzle[3] ? p->swizzle : identity;
    bool buffer = p->type == SOFT_SURF_BUFFER || p->type == SOFT_SURF_STRBUF;
    uint32_t n = p->elements - 1;

    memset(dw, 0, 64);
    SET(dw, RENDER_SURFACE_STATE, SurfaceType, p->type ? (p->type == 100 ? 0 : p->type) : 1);
    SET(dw, RENDER_SURFACE_STATE, SurfaceFormat, p->format);
    SET(dw, RENDER_SURFACE_STATE, TileMode, p->tile);
    SET(dw, RENDER_SURFACE_STATE, TiledResourceMode, p->resource);
    SET(dw, RENDER_SURFACE_STATE, MipTailStartLOD, p->tail ? p->tail : 15);
    SET(dw, RENDER_SURFACE_STATE, SurfaceHorizontalAlignment, 1);
    SET(dw, RENDER_SURFACE_STATE, SurfaceVerticalAlignment, 1);
    SET(dw, RENDER_SURFACE_STATE, SurfaceArray, !p->flat);
    SET(dw, RENDER_SURFACE_STATE, SurfaceQPitch, p->qpitch / 4);
    SET(dw, RENDER_SURFACE_STATE, Width, buffer ? n & 0x7f : p->w - 1);
    SET(dw, RENDER_SURFACE_STATE, Height, buffer ? n >> 7 & 0x3fff : p->h - 1);
    SET(dw, RENDER_SURFACE_STATE, Depth, buffer ? n >> 21 : GT_MAX(p->depth ? p->depth : p->layers, 1u) - 1);
    SET(dw, RENDER_SURFACE_STATE, SurfacePitch, p->pitch - 1);
    SET(dw, RENDER_SURFACE_STATE, MIPCountLOD, GT_MAX(p->levels, 1u) - 1);
    SET(dw, RENDER_SURFACE_STATE, SurfaceMinLOD, p->first_level);
    SET(dw, RENDER_SURFACE_STATE, MinimumArrayElement, p->first_layer);
    SET(dw, RENDER_SURFACE_STATE, RenderTargetViewExtent, GT_MAX(p->depth ? p->depth : p->layers, 1u) - 1);
    SET(dw, RENDER_SURFACE_STATE, NumberOfMultisamples, p->samples_log2);
    SET(dw, RENDER_SURFACE_STATE, MultisampledSurfaceStorageFormat, p->interleaved);
    SET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectRed, swizzle[0]);
    SET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectGreen, swizzle[1]);
    SET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectBlue, swizzle[2]);
    SET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectAlpha, swizzle[3]);
    SET(dw, RENDER_SURFACE_STATE, SurfaceBaseAddress, p->address);
}

/* SOFT_SURF_1D is 0: SPEC_1D asks for it. */
#define SPEC_1D 100

static inline void make_surface(struct soft_surface *s, struct surface_spec p)
{
    uint32_t dw[16];

    surface_bits(&p, dw);
    soft_surface_decode(dw, s);
}

#endif
