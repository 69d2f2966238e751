/* Depth, stencil and blend state. */
#include <string.h>

#include "mediator/soft/hiz.h"
#include "mediator/soft/raster_state.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

/* Tilings, alignments and storage in RENDER_SURFACE_STATE (genxml). */
enum { TILE_MODE_W = 1, TILE_MODE_Y = 3, ALIGN_4 = 1, ALIGN_8 = 2, STORAGE_INTERLEAVED = 1 };

static void put(uint32_t *dw, uint32_t f, uint64_t v)
{
    unsigned first = f >> 16, bits = (f & 0xffff) - first + 1, low = first % 32;

    if (bits < 64)
        v &= (UINT64_C(1) << bits) - 1;
    dw[first / 32] |= (uint32_t)(v << low);
    if (low + bits > 32)
        dw[first / 32 + 1] |= (uint32_t)(v >> (32 - low));
}

#define PUT(dw, name, v) put(dw, F_RENDER_SURFACE_STATE__##name, v)

/* What the two buffers have in common is in 3DSTATE_DEPTH_BUFFER. */
static void describe(const uint32_t *depth, unsigned samples, uint32_t dw[16])
{
    memset(dw, 0, 16 * 4);
    PUT(dw, SurfaceType, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, SurfaceType));
    PUT(dw, SurfaceArray, 1);
    PUT(dw, Width, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, Width));
    PUT(dw, Height, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, Height));
    PUT(dw, Depth, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, Depth));
    PUT(dw, MinimumArrayElement, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, MinimumArrayElement));
    PUT(dw, RenderTargetViewExtent, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, RenderTargetViewExtent));
    PUT(dw, MIPCountLOD, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, LOD));
    PUT(dw, MultisampledSurfaceStorageFormat, STORAGE_INTERLEAVED);
    PUT(dw, NumberOfMultisamples, __builtin_ctz(samples));
}

static void describe_hiz(const struct soft_state *s, uint32_t dw[16])
{
    const uint32_t *depth = STATE(s, 3DSTATE_DEPTH_BUFFER), *hiz = STATE(s, 3DSTATE_HIER_DEPTH_BUFFER);
    const uint32_t *params = STATE(s, 3DSTATE_CLEAR_PARAMS);

    if (!FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, HierarchicalDepthBufferEnable))
        return;
    PUT(dw, AuxiliarySurfaceMode, SOFT_AUX_HIZ);
    PUT(dw, AuxiliarySurfaceBaseAddress, FIELD_ADDRESS(hiz, 3DSTATE_HIER_DEPTH_BUFFER, SurfaceBaseAddress) / SOFT_PAGE);
    PUT(dw, RedClearColor, FIELD_GET(params, 3DSTATE_CLEAR_PARAMS, DepthClearValue));
}

/* Alignments are not in the commands: PRM SKL vol 5, "Alignment Unit Size"; isl's gfx8 alignments. */
void raster_state_buffers(const struct soft_state *s, struct raster_depth_state *ds, unsigned samples)
{
    const uint32_t *depth = STATE(s, 3DSTATE_DEPTH_BUFFER), *stencil = STATE(s, 3DSTATE_STENCIL_BUFFER);
    uint32_t dw[16];

    ds->format = (uint8_t)FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, SurfaceFormat);
    describe(depth, samples, dw);
    PUT(dw, SurfaceFormat,
        ds->format == DEPTH_D16    ? SOFT_FORMAT_R16_UNORM
        : ds->format == DEPTH_D32F ? SOFT_FORMAT_R32_FLOAT
                                   : SOFT_FORMAT_R24_UNORM_X8_TYPELESS);
    PUT(dw, TileMode, TILE_MODE_Y);
    PUT(dw, SurfaceHorizontalAlignment, ds->format == DEPTH_D16 ? ALIGN_8 : ALIGN_4);
    PUT(dw, SurfaceVerticalAlignment, ALIGN_4);
    PUT(dw, SurfacePitch, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, SurfacePitch));
    PUT(dw, SurfaceQPitch, FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, SurfaceQPitch));
    PUT(dw, SurfaceBaseAddress, FIELD_ADDRESS(depth, 3DSTATE_DEPTH_BUFFER, SurfaceBaseAddress));
    describe_hiz(s, dw);
    soft_surface_decode(dw, &ds->depth);
    if (!depth[0])
        ds->depth.type = SOFT_SURF_NULL;
    describe(depth, samples, dw);
    PUT(dw, SurfaceFormat, SOFT_FORMAT_R8_UINT);
    PUT(dw, TileMode, TILE_MODE_W);
    PUT(dw, SurfaceHorizontalAlignment, ALIGN_8);
    PUT(dw, SurfaceVerticalAlignment, ALIGN_8);
    PUT(dw, SurfacePitch, FIELD_GET(stencil, 3DSTATE_STENCIL_BUFFER, SurfacePitch));
    PUT(dw, SurfaceQPitch, FIELD_GET(stencil, 3DSTATE_STENCIL_BUFFER, SurfaceQPitch));
    PUT(dw, SurfaceBaseAddress, FIELD_ADDRESS(stencil, 3DSTATE_STENCIL_BUFFER, SurfaceBaseAddress));
    soft_surface_decode(dw, &ds->stencil);
    if (!depth[0] || !FIELD_GET(stencil, 3DSTATE_STENCIL_BUFFER, StencilBufferEnable))
        ds->stencil.type = SOFT_SURF_NULL;
}

#define STENCIL_GET(name) (uint8_t) FIELD_GET(dw, 3DSTATE_WM_DEPTH_STENCIL, name)

static void derive_faces(const uint32_t *dw, struct raster_depth_state *ds)
{
    ds->face[0] = (struct raster_stencil_face){
        .func = STENCIL_GET(StencilTestFunction),
        .fail = STENCIL_GET(StencilFailOp),
        .depth_fail = STENCIL_GET(StencilPassDepthFailOp),
        .pass = STENCIL_GET(StencilPassDepthPassOp),
        .test_mask = STENCIL_GET(StencilTestMask),
        .write_mask = STENCIL_GET(StencilWriteMask),
        .ref = STENCIL_GET(StencilReferenceValue),
    };
    ds->face[1] = ds->face[0];
    if (!STENCIL_GET(DoubleSidedStencilEnable))
        return;
    ds->face[1] = (struct raster_stencil_face){
        .func = STENCIL_GET(BackfaceStencilTestFunction),
        .fail = STENCIL_GET(BackfaceStencilFailOp),
        .depth_fail = STENCIL_GET(BackfaceStencilPassDepthFailOp),
        .pass = STENCIL_GET(BackfaceStencilPassDepthPassOp),
        .test_mask = STENCIL_GET(BackfaceStencilTestMask),
        .write_mask = STENCIL_GET(BackfaceStencilWriteMask),
        .ref = STENCIL_GET(BackfaceStencilReferenceValue),
    };
}

void raster_state_depth(const struct soft_engine *e, struct raster_depth_state *ds, unsigned samples)
{
    const uint32_t *dw = STATE(e->state, 3DSTATE_WM_DEPTH_STENCIL), *depth = STATE(e->state, 3DSTATE_DEPTH_BUFFER);
    bool has_depth, has_stencil;

    raster_state_buffers(e->state, ds, samples);
    has_depth = ds->depth.type != SOFT_SURF_NULL;
    has_stencil = ds->stencil.type != SOFT_SURF_NULL;
    ds->func = STENCIL_GET(DepthTestFunction);
    ds->test = STENCIL_GET(DepthTestEnable) && has_depth;
    ds->write =
        STENCIL_GET(DepthBufferWriteEnable) && has_depth && FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, DepthWriteEnable);
    if (ds->write && !ds->test) { /* hardware writes without a test: Mesa's blorp clears and uploads depth so */
        ds->test = true;
        ds->func = COMPARE_ALWAYS;
    }
    ds->stencil_test = STENCIL_GET(StencilTestEnable) && has_stencil;
    ds->stencil_write = STENCIL_GET(StencilBufferWriteEnable) && ds->stencil_test &&
                        FIELD_GET(depth, 3DSTATE_DEPTH_BUFFER, StencilWriteEnable);
    derive_faces(dw, ds);
}

/* One times the source and nothing else. Mesa has blending on with these factors where the program has it off. */
static bool only_source(const struct raster_blend *b)
{
    const uint8_t add = 0, one = 1, zero = 17, by_format = 2; /* of genxml's enumerations */

    return b->color_func == add && b->alpha_func == add && b->src_color == one && b->src_alpha == one &&
           b->dst_color == zero && b->dst_alpha == zero && b->clamp_range == by_format;
}

#define BLEND_GET(name) FIELD_GET(dw, BLEND_STATE_ENTRY, name)

static void derive_target(const uint32_t *dw, bool separate_alpha, struct raster_blend *b)
{
    b->enable = BLEND_GET(ColorBufferBlendEnable);
    b->logic_enable = BLEND_GET(LogicOpEnable);
    b->logic_op = (uint8_t)BLEND_GET(LogicOpFunction);
    b->clamp_pre = BLEND_GET(PreBlendColorClampEnable);
    b->clamp_source = BLEND_GET(PreBlendSourceOnlyClampEnable);
    b->clamp_post = BLEND_GET(PostBlendColorClampEnable);
    b->clamp_range = (uint8_t)BLEND_GET(ColorClampRange);
    b->color_func = (uint8_t)BLEND_GET(ColorBlendFunction);
    b->src_color = (uint8_t)BLEND_GET(SourceBlendFactor);
    b->dst_color = (uint8_t)BLEND_GET(DestinationBlendFactor);
    b->alpha_func = separate_alpha ? (uint8_t)BLEND_GET(AlphaBlendFunction) : b->color_func;
    b->src_alpha = separate_alpha ? (uint8_t)BLEND_GET(SourceAlphaBlendFactor) : b->src_color;
    b->dst_alpha = separate_alpha ? (uint8_t)BLEND_GET(DestinationAlphaBlendFactor) : b->dst_color;
    b->enable &= !only_source(b);
    b->write_mask = 0xf;
    b->write_mask &= BLEND_GET(WriteDisableRed) ? 0xe : 0xf;
    b->write_mask &= BLEND_GET(WriteDisableGreen) ? 0xd : 0xf;
    b->write_mask &= BLEND_GET(WriteDisableBlue) ? 0xb : 0xf;
    b->write_mask &= BLEND_GET(WriteDisableAlpha) ? 0x7 : 0xf;
}

/* Dwords of the structures: a header and an entry of 2 for each target; COLOR_CALC_STATE. */
enum { BLEND_DWORDS = 1 + 2 * RASTER_TARGETS, COLOR_CALC_DWORDS = 6 };

void raster_state_blend(struct soft_engine *e, struct raster_state *st)
{
    const struct soft_state *s = e->state;
    struct soft_mem *m = &e->worker[0].mem;
    uint64_t dynamic = soft_state_base(s, SOFT_BASE_DYNAMIC);
    uint32_t blend[BLEND_DWORDS], cc[COLOR_CALC_DWORDS];
    const uint32_t *ps = STATE(s, 3DSTATE_PS_BLEND);

    st->ps.color_calc_offset =
        (uint32_t)FIELD_ADDRESS(STATE(s, 3DSTATE_CC_STATE_POINTERS), 3DSTATE_CC_STATE_POINTERS, ColorCalcStatePointer);
    soft_mem_read(m,
                  dynamic + FIELD_ADDRESS(STATE(s, 3DSTATE_BLEND_STATE_POINTERS), 3DSTATE_BLEND_STATE_POINTERS,
                                          BlendStatePointer),
                  blend, sizeof(blend));
    soft_mem_read(m, dynamic + st->ps.color_calc_offset, cc, sizeof(cc));
    for (unsigned i = 0; i < RASTER_TARGETS; i++)
        derive_target(blend + 1 + 2 * i, FIELD_GET(blend, BLEND_STATE, IndependentAlphaBlendEnable), &st->blend[i]);
    st->blend_constant[0] = FIELD_FLOAT(cc, COLOR_CALC_STATE, BlendConstantColorRed);
    st->blend_constant[1] = FIELD_FLOAT(cc, COLOR_CALC_STATE, BlendConstantColorGreen);
    st->blend_constant[2] = FIELD_FLOAT(cc, COLOR_CALC_STATE, BlendConstantColorBlue);
    st->blend_constant[3] = FIELD_FLOAT(cc, COLOR_CALC_STATE, BlendConstantColorAlpha);
    st->ps.alpha_test =
        FIELD_GET(ps, 3DSTATE_PS_BLEND, AlphaTestEnable) && FIELD_GET(blend, BLEND_STATE, AlphaTestEnable);
    st->ps.alpha_func = (uint8_t)FIELD_GET(blend, BLEND_STATE, AlphaTestFunction);
    st->ps.alpha_ref = FIELD_GET(cc, COLOR_CALC_STATE, AlphaTestFormat)
                           ? FIELD_FLOAT(cc, COLOR_CALC_STATE, AlphaReferenceValueAsFLOAT32)
                           : (float)(FIELD_GET(cc, COLOR_CALC_STATE, AlphaReferenceValueAsUNORM8) & 0xff) / 255;
    st->ps.alpha_to_coverage = FIELD_GET(blend, BLEND_STATE, AlphaToCoverageEnable);
    st->ps.alpha_to_one = FIELD_GET(blend, BLEND_STATE, AlphaToOneEnable);
}
