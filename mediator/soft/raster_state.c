/* State commands and heaps -> struct raster_state. Each structure in memory is copied once. */
#include <string.h>

#include "mediator/soft/raster.h"
#include "mediator/soft/raster_state.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

/* Fields whose masks are in the command of the last geometry stage unless 3DSTATE_CLIP forces its own. */
static uint8_t last_stage_mask(const struct soft_state *s, bool cull)
{
    const uint32_t *gs = STATE(s, 3DSTATE_GS), *ds = STATE(s, 3DSTATE_DS), *vs = STATE(s, 3DSTATE_VS);

    if (FIELD_GET(gs, 3DSTATE_GS, Enable))
        return (uint8_t)(cull ? FIELD_GET(gs, 3DSTATE_GS, UserClipDistanceCullTestEnableBitmask)
                              : FIELD_GET(gs, 3DSTATE_GS, UserClipDistanceClipTestEnableBitmask));
    if (FIELD_GET(ds, 3DSTATE_DS, Enable))
        return (uint8_t)(cull ? FIELD_GET(ds, 3DSTATE_DS, UserClipDistanceCullTestEnableBitmask)
                              : FIELD_GET(ds, 3DSTATE_DS, UserClipDistanceClipTestEnableBitmask));
    return (uint8_t)(cull ? FIELD_GET(vs, 3DSTATE_VS, UserClipDistanceCullTestEnableBitmask)
                          : FIELD_GET(vs, 3DSTATE_VS, UserClipDistanceClipTestEnableBitmask));
}

static void derive_clip(const struct soft_state *s, struct raster_clip_state *c)
{
    const uint32_t *dw = STATE(s, 3DSTATE_CLIP), *raster = STATE(s, 3DSTATE_RASTER);
    unsigned mode = (unsigned)FIELD_GET(dw, 3DSTATE_CLIP, ClipMode);

    c->enable = FIELD_GET(dw, 3DSTATE_CLIP, ClipEnable);
    c->reject_all = mode == 3; /* CLIPMODE_REJECT_ALL, _ACCEPT_ALL of genxml */
    c->accept_all = mode == 4;
    c->d3d = FIELD_GET(dw, 3DSTATE_CLIP, APIMode);
    c->xy_test = FIELD_GET(dw, 3DSTATE_CLIP, ViewportXYClipTestEnable);
    c->guardband = FIELD_GET(dw, 3DSTATE_CLIP, GuardbandClipTestEnable);
    c->near_test = FIELD_GET(raster, 3DSTATE_RASTER, ViewportZNearClipTestEnable);
    c->far_test = FIELD_GET(raster, 3DSTATE_RASTER, ViewportZFarClipTestEnable);
    c->divide = !FIELD_GET(dw, 3DSTATE_CLIP, PerspectiveDivideDisable);
    c->statistics = FIELD_GET(dw, 3DSTATE_CLIP, StatisticsEnable);
    c->clip_distances = FIELD_GET(dw, 3DSTATE_CLIP, ForceUserClipDistanceClipTestEnableBitmask)
                            ? (uint8_t)FIELD_GET(dw, 3DSTATE_CLIP, UserClipDistanceClipTestEnableBitmask)
                            : last_stage_mask(s, false);
    c->cull_distances = FIELD_GET(dw, 3DSTATE_CLIP, ForceUserClipDistanceCullTestEnableBitmask)
                            ? (uint8_t)FIELD_GET(dw, 3DSTATE_CLIP, UserClipDistanceCullTestEnableBitmask)
                            : last_stage_mask(s, true);
    c->max_viewport = (uint8_t)FIELD_GET(dw, 3DSTATE_CLIP, MaximumVPIndex);
    c->zero_layer = FIELD_GET(dw, 3DSTATE_CLIP, ForceZeroRTAIndexEnable);
    c->point_min = (float)FIELD_GET(dw, 3DSTATE_CLIP, MinimumPointWidth) / 8;
    c->point_max = (float)FIELD_GET(dw, 3DSTATE_CLIP, MaximumPointWidth) / 8;
}

static void derive_drawing(const struct soft_state *s, struct raster_state *st)
{
    const uint32_t *dw = STATE(s, 3DSTATE_DRAWING_RECTANGLE);

    st->origin_x = (int32_t)FIELD_SIGNED(dw, 3DSTATE_DRAWING_RECTANGLE, DrawingRectangleOriginX);
    st->origin_y = (int32_t)FIELD_SIGNED(dw, 3DSTATE_DRAWING_RECTANGLE, DrawingRectangleOriginY);
    st->drawing = raster_intersect(
        (struct raster_box){
            (int32_t)FIELD_GET(dw, 3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleXMin),
            (int32_t)FIELD_GET(dw, 3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleYMin),
            (int32_t)FIELD_GET(dw, 3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleXMax) + 1,
            (int32_t)FIELD_GET(dw, 3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleYMax) + 1,
        },
        (struct raster_box){0, 0, RASTER_SCREEN, RASTER_SCREEN});
}

static void derive_transform(const uint32_t *dw, struct raster_viewport *v)
{
    v->scale[0] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, ViewportMatrixElementM00);
    v->scale[1] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, ViewportMatrixElementM11);
    v->scale[2] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, ViewportMatrixElementM22);
    v->offset[0] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, ViewportMatrixElementM30);
    v->offset[1] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, ViewportMatrixElementM31);
    v->offset[2] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, ViewportMatrixElementM32);
    v->guard[0] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, XMinClipGuardband);
    v->guard[1] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, XMaxClipGuardband);
    v->guard[2] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, YMinClipGuardband);
    v->guard[3] = FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, YMaxClipGuardband);
    v->view[0] = -1;
    v->view[1] = 1;
    v->view[2] = -1;
    v->view[3] = 1;
}

/* Pixels that the viewport's extents (in pixels, inclusive) leave. */
static struct raster_box viewport_extents(const uint32_t *dw)
{
    float lo[2] = {FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, XMinViewPort), FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, YMinViewPort)};
    float hi[2] = {FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, XMaxViewPort), FIELD_FLOAT(dw, SF_CLIP_VIEWPORT, YMaxViewPort)};
    int32_t at[4];

    for (unsigned i = 0; i < 2; i++) {
        at[i] = lo[i] > 0 ? (int32_t)GT_MIN(lo[i], (float)RASTER_SCREEN) : 0;
        at[2 + i] = hi[i] >= 0 ? (int32_t)GT_MIN(hi[i], (float)RASTER_SCREEN) + 1 : 0;
    }
    return (struct raster_box){at[0], at[1], at[2], at[3]};
}

static struct raster_box scissor_box(const uint32_t *dw)
{
    return (struct raster_box){
        (int32_t)FIELD_GET(dw, SCISSOR_RECT, ScissorRectangleXMin),
        (int32_t)FIELD_GET(dw, SCISSOR_RECT, ScissorRectangleYMin),
        (int32_t)FIELD_GET(dw, SCISSOR_RECT, ScissorRectangleXMax) + 1,
        (int32_t)FIELD_GET(dw, SCISSOR_RECT, ScissorRectangleYMax) + 1,
    };
}

/* Sizes of the heap's elements, dwords: lengths of genxml's structures. */
enum { SF_CLIP_DWORDS = 16, CC_VIEWPORT_DWORDS = 2, SCISSOR_DWORDS = 2 };

static void derive_viewport(struct soft_engine *e, struct raster_state *st, unsigned i)
{
    const struct soft_state *s = e->state;
    struct soft_mem *m = &e->worker[0].mem;
    uint64_t dynamic = soft_state_base(s, SOFT_BASE_DYNAMIC);
    bool scissor = FIELD_GET(STATE(s, 3DSTATE_RASTER), 3DSTATE_RASTER, ScissorRectangleEnable);
    uint32_t sf[SF_CLIP_DWORDS], cc[CC_VIEWPORT_DWORDS], sc[SCISSOR_DWORDS];
    struct raster_viewport *v = &st->viewport[i];

    v->box = st->drawing;
    if (st->viewport_transform) {
        soft_mem_read(m,
                      dynamic + i * sizeof(sf) +
                          FIELD_ADDRESS(STATE(s, 3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP),
                                        3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP, SFClipViewportPointer),
                      sf, sizeof(sf));
        derive_transform(sf, v);
        v->box = raster_intersect(v->box, viewport_extents(sf));
    }
    soft_mem_read(m,
                  dynamic + i * sizeof(cc) +
                      FIELD_ADDRESS(STATE(s, 3DSTATE_VIEWPORT_STATE_POINTERS_CC), 3DSTATE_VIEWPORT_STATE_POINTERS_CC,
                                    CCViewportPointer),
                  cc, sizeof(cc));
    v->depth_min = FIELD_FLOAT(cc, CC_VIEWPORT, MinimumDepth);
    v->depth_max = FIELD_FLOAT(cc, CC_VIEWPORT, MaximumDepth);
    if (scissor) {
        soft_mem_read(m,
                      dynamic + i * sizeof(sc) +
                          FIELD_ADDRESS(STATE(s, 3DSTATE_SCISSOR_STATE_POINTERS), 3DSTATE_SCISSOR_STATE_POINTERS,
                                        ScissorRectPointer),
                      sc, sizeof(sc));
        v->box = raster_intersect(v->box, scissor_box(sc));
    }
}

/* First bit of sample 0's Y in 3DSTATE_SAMPLE_PATTERN for 1, 2, 4, 8 and 16 samples; X is 4 bits on, samples follow.
 * The second half of the 8x pattern lies before the first. */
static uint32_t pattern_field(unsigned log2, unsigned sample)
{
    static const uint32_t first[5] = {
        F_3DSTATE_SAMPLE_PATTERN__1xSample0YOffset, F_3DSTATE_SAMPLE_PATTERN__2xSample0YOffset,
        F_3DSTATE_SAMPLE_PATTERN__4xSample0YOffset, F_3DSTATE_SAMPLE_PATTERN__8xSample0YOffset,
        F_3DSTATE_SAMPLE_PATTERN__16xSample0YOffset};

    if (log2 == 3 && sample >= 4)
        return F_3DSTATE_SAMPLE_PATTERN__8xSample4YOffset + (sample - 4) * (8u << 16 | 8u);
    return first[log2] + sample * (8u << 16 | 8u);
}

void raster_state_samples(const struct soft_engine *e, struct raster_state *st, unsigned log2)
{
    const uint32_t *dw = STATE(e->state, 3DSTATE_SAMPLE_PATTERN), *ms = STATE(e->state, 3DSTATE_MULTISAMPLE);
    bool corner = FIELD_GET(ms, 3DSTATE_MULTISAMPLE, PixelLocation);
    bool shifted = FIELD_GET(ms, 3DSTATE_MULTISAMPLE, PixelPositionOffsetEnable);

    log2 = GT_MIN(log2, 4u);
    st->samples = 1u << log2;
    for (unsigned i = 0; i < st->samples; i++) {
        uint32_t f = pattern_field(log2, i);

        st->sample_y[i] = (uint8_t)field_get(dw, f);
        st->sample_x[i] = (uint8_t)field_get(dw, f + (4u << 16 | 4u));
    }
    st->pixel_offset = corner && !shifted ? 0 : RASTER_SUB / 2;
    if (log2 == 0) /* one sample: where the pixel is, whatever the pattern says */
        st->sample_x[0] = st->sample_y[0] = (uint8_t)(st->pixel_offset / (RASTER_SUB / 16));
}

static void derive_raster(const struct soft_state *s, struct raster_state *st)
{
    const uint32_t *dw = STATE(s, 3DSTATE_RASTER), *sf = STATE(s, 3DSTATE_SF);

    st->viewport_transform = FIELD_GET(sf, 3DSTATE_SF, ViewportTransformEnable);
    st->statistics = FIELD_GET(sf, 3DSTATE_SF, StatisticsEnable);
    st->snap = FIELD_GET(sf, 3DSTATE_SF, VertexSubPixelPrecisionSelect) ? 16 : 1;
    st->last_pixel = FIELD_GET(sf, 3DSTATE_SF, LastPixelEnable);
    st->line_width = (float)FIELD_GET(sf, 3DSTATE_SF, LineWidth) / 128;
    st->point_width = (float)FIELD_GET(sf, 3DSTATE_SF, PointWidth) / 8;
    st->point_width_vertex = !FIELD_GET(sf, 3DSTATE_SF, PointWidthSource);
    st->cull = (uint8_t)FIELD_GET(dw, 3DSTATE_RASTER, CullMode);
    st->fill[0] = (uint8_t)FIELD_GET(dw, 3DSTATE_RASTER, FrontFaceFillMode);
    st->fill[1] = (uint8_t)FIELD_GET(dw, 3DSTATE_RASTER, BackFaceFillMode);
    st->front_ccw = FIELD_GET(dw, 3DSTATE_RASTER, FrontWinding);
    st->bias_solid = FIELD_GET(dw, 3DSTATE_RASTER, GlobalDepthOffsetEnableSolid);
    st->bias_wireframe = FIELD_GET(dw, 3DSTATE_RASTER, GlobalDepthOffsetEnableWireframe);
    st->bias_point = FIELD_GET(dw, 3DSTATE_RASTER, GlobalDepthOffsetEnablePoint);
    st->bias_constant = FIELD_FLOAT(dw, 3DSTATE_RASTER, GlobalDepthOffsetConstant);
    st->bias_scale = FIELD_FLOAT(dw, 3DSTATE_RASTER, GlobalDepthOffsetScale);
    st->bias_clamp = FIELD_FLOAT(dw, 3DSTATE_RASTER, GlobalDepthOffsetClamp);
    st->antialias = FIELD_GET(dw, 3DSTATE_RASTER, AntialiasingEnable);
    st->smooth_point = FIELD_GET(dw, 3DSTATE_RASTER, SmoothPointEnable);
    st->multisample = FIELD_GET(dw, 3DSTATE_RASTER, DXMultisampleRasterizationEnable);
    st->conservative = FIELD_GET(dw, 3DSTATE_RASTER, ConservativeRasterizationEnable);
}

/* 3D_Prim_Topo_Type of genxml. */
enum { TOPOLOGY_LINELIST = 2, TOPOLOGY_LINELIST_ADJ = 9 };

static void derive_stipple(const struct soft_state *s, struct raster_state *st)
{
    unsigned topology = (unsigned)FIELD_GET(STATE(s, 3DSTATE_VF_TOPOLOGY), 3DSTATE_VF_TOPOLOGY, PrimitiveTopologyType);
    const uint32_t *wm = STATE(s, 3DSTATE_WM), *line = STATE(s, 3DSTATE_LINE_STIPPLE);
    const uint32_t *offset = STATE(s, 3DSTATE_POLY_STIPPLE_OFFSET), *poly = STATE(s, 3DSTATE_POLY_STIPPLE_PATTERN);

    st->lines_apart = topology == TOPOLOGY_LINELIST || topology == TOPOLOGY_LINELIST_ADJ;
    st->line_stipple = FIELD_GET(wm, 3DSTATE_WM, LineStippleEnable);
    st->poly_stipple = FIELD_GET(wm, 3DSTATE_WM, PolygonStippleEnable);
    st->point_upper_right = FIELD_GET(wm, 3DSTATE_WM, PointRasterizationRule);
    st->line_pattern = (uint16_t)FIELD_GET(line, 3DSTATE_LINE_STIPPLE, LineStipplePattern);
    st->line_repeat = GT_MAX((uint32_t)FIELD_GET(line, 3DSTATE_LINE_STIPPLE, LineStippleRepeatCount), 1u);
    st->poly_x = (uint8_t)FIELD_GET(offset, 3DSTATE_POLY_STIPPLE_OFFSET, PolygonStippleXOffset);
    st->poly_y = (uint8_t)FIELD_GET(offset, 3DSTATE_POLY_STIPPLE_OFFSET, PolygonStippleYOffset);
    for (unsigned i = 0; i < 32; i++)
        st->poly_pattern[i] = (uint32_t)FIELD_AT(poly, 3DSTATE_POLY_STIPPLE_PATTERN, PatternRow, i, 32);
}

/* Sprites' and flat attributes' masks, and SF_OUTPUT_ATTRIBUTE_DETAIL for the 16 that have one. */
static void derive_attribute(const uint32_t *sbe, const uint32_t *swiz, unsigned i, bool high,
                             struct raster_attribute *a)
{
    unsigned row = high ? i - 16 : i;
    unsigned primitive = (unsigned)FIELD_GET(sbe, 3DSTATE_SBE, PrimitiveIDOverrideAttributeSelect);

    a->source = (uint8_t)i;
    a->flat = FIELD_GET(sbe, 3DSTATE_SBE, ConstantInterpolationEnable) >> i & 1;
    a->sprite = FIELD_GET(sbe, 3DSTATE_SBE, PointSpriteTextureCoordinateEnable) >> i & 1;
    if (FIELD_GET(sbe, 3DSTATE_SBE, AttributeSwizzleEnable) && row < 16) {
        uint32_t detail = (uint32_t)FIELD_AT(swiz, 3DSTATE_SBE_SWIZ, Attribute, row, 16);

        a->source = (uint8_t)FIELD_GET(&detail, SF_OUTPUT_ATTRIBUTE_DETAIL, SourceAttribute);
        a->swizzle = (uint8_t)FIELD_GET(&detail, SF_OUTPUT_ATTRIBUTE_DETAIL, SwizzleSelect);
        a->constant = (uint8_t)FIELD_GET(&detail, SF_OUTPUT_ATTRIBUTE_DETAIL, ConstantSource);
        a->override = (uint8_t)(FIELD_GET(&detail, SF_OUTPUT_ATTRIBUTE_DETAIL, ComponentOverrideX) |
                                FIELD_GET(&detail, SF_OUTPUT_ATTRIBUTE_DETAIL, ComponentOverrideY) << 1 |
                                FIELD_GET(&detail, SF_OUTPUT_ATTRIBUTE_DETAIL, ComponentOverrideZ) << 2 |
                                FIELD_GET(&detail, SF_OUTPUT_ATTRIBUTE_DETAIL, ComponentOverrideW) << 3);
        a->wrap = (uint8_t)FIELD_AT(swiz, 3DSTATE_SBE_SWIZ, AttributeWrapShortestEnables, row, 4);
    }
    if (i == primitive)
        a->prim_id = (uint8_t)(FIELD_GET(sbe, 3DSTATE_SBE, PrimitiveIDOverrideComponentX) |
                               FIELD_GET(sbe, 3DSTATE_SBE, PrimitiveIDOverrideComponentY) << 1 |
                               FIELD_GET(sbe, 3DSTATE_SBE, PrimitiveIDOverrideComponentZ) << 2 |
                               FIELD_GET(sbe, 3DSTATE_SBE, PrimitiveIDOverrideComponentW) << 3);
}

static void derive_attributes(const struct soft_state *s, struct raster_state *st)
{
    const uint32_t *sbe = STATE(s, 3DSTATE_SBE), *swiz = STATE(s, 3DSTATE_SBE_SWIZ);
    uint32_t first = (uint32_t)FIELD_AT(swiz, 3DSTATE_SBE_SWIZ, Attribute, 0, 16);
    bool high = FIELD_GET(&first, SF_OUTPUT_ATTRIBUTE_DETAIL, SwizzleControlMode);

    st->attributes = GT_MIN((unsigned)FIELD_GET(sbe, 3DSTATE_SBE, NumberOfSFOutputAttributes), RASTER_ATTRIBUTES);
    /* In units of 256 bits; the first one is the header and the position. */
    st->attribute_offset = 8u * (FIELD_GET(sbe, 3DSTATE_SBE, ForceVertexURBEntryReadOffset)
                                     ? (unsigned)FIELD_GET(sbe, 3DSTATE_SBE, VertexURBEntryReadOffset)
                                     : 1u);
    st->sprite_lower_left = FIELD_GET(sbe, 3DSTATE_SBE, PointSpriteTextureCoordinateOrigin);
    for (unsigned i = 0; i < st->attributes; i++)
        derive_attribute(sbe, swiz, i, high, &st->attribute[i]);
}

bool raster_state_derive(struct soft_engine *e, struct raster_state *st, unsigned vue_dwords)
{
    const struct soft_state *s = e->state;
    const uint32_t *ms = STATE(s, 3DSTATE_MULTISAMPLE);

    memset(st, 0, offsetof(struct raster_state, ps.constants));
    st->vue_dwords = vue_dwords;
    derive_raster(s, st);
    derive_clip(s, &st->clip);
    derive_drawing(s, st);
    for (unsigned i = 0; i <= st->clip.max_viewport; i++)
        derive_viewport(e, st, i);
    raster_state_samples(e, st, (unsigned)FIELD_GET(ms, 3DSTATE_MULTISAMPLE, NumberOfMultisamples));
    if (!st->multisample) /* all samples go with the pixel (MSRASTMODE_OFF_PIXEL) */
        for (unsigned i = 0; i < st->samples; i++)
            st->sample_x[i] = st->sample_y[i] = (uint8_t)(st->pixel_offset / (RASTER_SUB / 16));
    st->sample_mask = (uint16_t)(FIELD_GET(STATE(s, 3DSTATE_SAMPLE_MASK), 3DSTATE_SAMPLE_MASK, SampleMask) &
                                 ((1u << st->samples) - 1));
    derive_stipple(s, st);
    derive_attributes(s, st);
    raster_state_depth(e, &st->ds, st->samples);
    st->ds.usual = depth_is_usual(st);
    raster_state_blend(e, st);
    return raster_state_pixel(e, st) && st->drawing.x0 < st->drawing.x1 && st->drawing.y0 < st->drawing.y1;
}
