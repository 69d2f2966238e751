/* Pixel shader state: kernels, constants, what its threads are given and what they may do. */
#include <string.h>

#include "mediator/soft/raster_state.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

/* Which kernel pointer and register start belong to a width: PRM SKL vol 2, 3DSTATE_PS "Kernel Start Pointer"; Mesa
 * brw_compiler.h brw_wm_state_simd_width_for_ksp. */
static void derive_kernels(struct soft_engine *e, const uint32_t *dw, struct raster_pixel_state *ps)
{
    bool on8 = FIELD_GET(dw, 3DSTATE_PS, 8PixelDispatchEnable), on16 = FIELD_GET(dw, 3DSTATE_PS, 16PixelDispatchEnable),
         on32 = FIELD_GET(dw, 3DSTATE_PS, 32PixelDispatchEnable);
    const uint64_t ksp[3] = {FIELD_ADDRESS(dw, 3DSTATE_PS, KernelStartPointer0),
                             FIELD_ADDRESS(dw, 3DSTATE_PS, KernelStartPointer1),
                             FIELD_ADDRESS(dw, 3DSTATE_PS, KernelStartPointer2)};
    const uint8_t start[3] = {(uint8_t)FIELD_GET(dw, 3DSTATE_PS, DispatchGRFStartRegisterForConstantSetupData0),
                              (uint8_t)FIELD_GET(dw, 3DSTATE_PS, DispatchGRFStartRegisterForConstantSetupData1),
                              (uint8_t)FIELD_GET(dw, 3DSTATE_PS, DispatchGRFStartRegisterForConstantSetupData2)};
    const bool on[3] = {on8, on16, on32};
    const unsigned slot[3] = {0, on8 || on32 ? 2 : 0, on8 || on16 ? 1 : 0};
    uint64_t base = soft_state_base(e->state, SOFT_BASE_INSTRUCTION);

    for (unsigned i = 0; i < 3; i++) {
        ps->kernel[i].kernel = on[i] ? soft_kernels_get(e->kernels, &e->worker[0].mem, base + ksp[slot[i]]) : NULL;
        ps->kernel[i].start = start[slot[i]];
    }
}

static void read_constants(struct soft_engine *e, struct raster_pixel_state *ps, uint64_t address, unsigned registers)
{
    unsigned room = (unsigned)sizeof(ps->constants) / EU_REG_BYTES - ps->constant_registers;

    registers = GT_MIN(registers, room);
    soft_mem_read(&e->worker[0].mem, address, ps->constants + ps->constant_registers * EU_REG_BYTES,
                  (size_t)registers * EU_REG_BYTES);
    ps->constant_registers += registers;
}

/* Buffer 0 is an offset into dynamic state unless CS_DEBUG_MODE2 says otherwise (genxml CONSTANT_BUFFER Address Offset
 * Disable); the others are addresses. Lengths are in registers. */
#define CONSTANT_OFFSET_DISABLE GT_BIT(4)

static void derive_constants(struct soft_engine *e, const uint32_t *dw, struct raster_pixel_state *ps)
{
    const uint32_t *body = STATE(e->state, 3DSTATE_CONSTANT_PS) + 1;

    ps->constant_registers = 0;
    if (!FIELD_GET(dw, 3DSTATE_PS, PushConstantEnable))
        return;
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = (unsigned)FIELD_AT(body, 3DSTATE_CONSTANT_BODY, ReadLength, i, 16);
        uint64_t address = FIELD_AT(body, 3DSTATE_CONSTANT_BODY, Buffer, i, 64) << 5;
        uint32_t mode;

        if (!n)
            continue;
        if (i == 0) {
            mode = vgpu_exec_reg_read(e->space.x, reg_off(R_CS_DEBUG_MODE2, 0, 0));
            if (!(mode & CONSTANT_OFFSET_DISABLE))
                address += soft_state_base(e->state, SOFT_BASE_DYNAMIC);
        }
        read_constants(e, ps, address, n);
    }
}

static void derive_scratch(const struct soft_state *s, const uint32_t *dw, struct raster_pixel_state *ps)
{
    ps->scratch_field = (uint32_t)FIELD_GET(dw, 3DSTATE_PS, PerThreadScratchSpace);
    ps->scratch = FIELD_ADDRESS(dw, 3DSTATE_PS, ScratchSpaceBasePointer);
    if (ps->scratch || ps->scratch_field) {
        ps->scratch += soft_state_base(s, SOFT_BASE_GENERAL);
        ps->scratch_bytes = 1024u << GT_MIN(ps->scratch_field, 11u);
    }
    ps->max_threads = (unsigned)FIELD_GET(dw, 3DSTATE_PS, MaximumNumberOfThreadsPerPSD) + 1;
}

/* cr0 bits of the thread's start: PRM SKL vol 7, "Control Register" 5:4 rounding mode, 0 floating point mode, 7 single
 * precision denormals. */
static uint32_t float_modes(const uint32_t *dw)
{
    return (uint32_t)(FIELD_GET(dw, 3DSTATE_PS, FloatingPointMode) | FIELD_GET(dw, 3DSTATE_PS, RoundingMode) << 4 |
                      FIELD_GET(dw, 3DSTATE_PS, SinglePrecisionDenormalMode) << 7);
}

static void derive_payload(const struct soft_state *s, struct raster_pixel_state *ps)
{
    const uint32_t *x = STATE(s, 3DSTATE_PS_EXTRA), *wm = STATE(s, 3DSTATE_WM);

    ps->kills = FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderKillsPixel);
    ps->omask = FIELD_GET(x, 3DSTATE_PS_EXTRA, OMaskPresentToRenderTarget);
    ps->depth_mode = (uint8_t)FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderComputedDepthMode);
    ps->computes_depth = ps->depth_mode != 0;
    ps->computes_stencil = FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderComputesStencil);
    ps->per_sample = FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderIsPerSample);
    ps->source_depth = FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderUsesSourceDepth);
    ps->source_w = FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderUsesSourceW);
    ps->coverage = (uint8_t)FIELD_GET(x, 3DSTATE_PS_EXTRA, InputCoverageMaskState);
    ps->attributes = FIELD_GET(x, 3DSTATE_PS_EXTRA, AttributeEnable);
    ps->barycentrics = (uint8_t)FIELD_GET(wm, 3DSTATE_WM, BarycentricInterpolationMode);
    ps->depth_position = (uint8_t)FIELD_GET(wm, 3DSTATE_WM, PositionZWInterpolationMode);
    ps->statistics = FIELD_GET(wm, 3DSTATE_WM, StatisticsEnable);
    if (FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderDisablesAlphaToCoverage))
        ps->alpha_to_coverage = false;
}

/* 3DSTATE_WM's force fields: 1 off, 2 on. EarlyDepthStencilControl: 1 after the shader, 2 before it. */
static bool want_threads(const uint32_t *wm, const uint32_t *x, const uint32_t *blend,
                         const struct raster_pixel_state *ps)
{
    unsigned force = (unsigned)FIELD_GET(wm, 3DSTATE_WM, ForceThreadDispatchEnable);

    if (!FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderValid) || force == 1)
        return false;
    return force == 2 || FIELD_GET(blend, 3DSTATE_PS_BLEND, HasWriteableRT) ||
           FIELD_GET(x, 3DSTATE_PS_EXTRA, PixelShaderHasUAV) || ps->kills || ps->computes_depth ||
           ps->computes_stencil || ps->omask || ps->alpha_test;
}

static bool early_depth(const uint32_t *wm, const struct raster_pixel_state *ps)
{
    unsigned control = (unsigned)FIELD_GET(wm, 3DSTATE_WM, EarlyDepthStencilControl);
    unsigned kill = (unsigned)FIELD_GET(wm, 3DSTATE_WM, ForceKillPixelEnable);
    bool may_kill = kill == 2 || (kill != 1 && (ps->kills || ps->omask || ps->alpha_test || ps->alpha_to_coverage));

    if (control == 2 || !ps->run)
        return true;
    return control != 1 && !may_kill && !ps->computes_depth && !ps->computes_stencil;
}

/* Shaders that give every pixel of a primitive the same, as Mesa's for clears do, with nothing that could keep a pixel
 * back. */
static bool is_flat(const struct raster_state *st)
{
    const struct raster_pixel_state *ps = &st->ps;
    unsigned registers = ps->constant_registers + (ps->attributes ? 2 * st->attributes : 0);

    if (!ps->early_depth || ps->alpha_test || ps->alpha_to_one || ps->alpha_to_coverage || st->samples > 1 ||
        (!ps->kernel[0].kernel && !ps->kernel[1].kernel))
        return false;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(ps->kernel); i++) {
        const struct raster_kernel *k = &ps->kernel[i];

        if (k->kernel && (k->start < 2 || !eu_kernel_is_uniform(k->kernel, k->start, k->start + registers)))
            return false;
    }
    return true;
}

bool raster_state_pixel(struct soft_engine *e, struct raster_state *st)
{
    const struct soft_state *s = e->state;
    const uint32_t *dw = STATE(s, 3DSTATE_PS), *wm = STATE(s, 3DSTATE_WM);
    struct raster_pixel_state *ps = &st->ps;

    derive_payload(s, ps);
    ps->run = want_threads(wm, STATE(s, 3DSTATE_PS_EXTRA), STATE(s, 3DSTATE_PS_BLEND), ps);
    ps->fast_clear = FIELD_GET(dw, 3DSTATE_PS, RenderTargetFastClearEnable);
    ps->resolve = FIELD_GET(dw, 3DSTATE_PS, RenderTargetResolveType);
    ps->early_depth = early_depth(wm, ps);
    ps->position_offset = (uint8_t)FIELD_GET(dw, 3DSTATE_PS, PositionXYOffsetSelect);
    ps->vector_mask = FIELD_GET(dw, 3DSTATE_PS, VectorMaskEnable);
    ps->rounding = float_modes(dw);
    ps->binding_table_offset = (uint32_t)FIELD_ADDRESS(STATE(s, 3DSTATE_BINDING_TABLE_POINTERS_PS),
                                                       3DSTATE_BINDING_TABLE_POINTERS_PS, PointerToPSBindingTable);
    ps->sampler_offset = (uint32_t)FIELD_ADDRESS(STATE(s, 3DSTATE_SAMPLER_STATE_POINTERS_PS),
                                                 3DSTATE_SAMPLER_STATE_POINTERS_PS, PointerToPSSamplerState);
    ps->binding_table = soft_state_base(s, SOFT_BASE_SURFACE) + ps->binding_table_offset;
    ps->samplers = soft_state_base(s, SOFT_BASE_DYNAMIC) + ps->sampler_offset;
    derive_scratch(s, dw, ps);
    if (ps->run && !ps->fast_clear && !ps->resolve) {
        derive_kernels(e, dw, ps);
        derive_constants(e, dw, ps);
        ps->flat = is_flat(st);
        ps->run = ps->kernel[0].kernel || ps->kernel[1].kernel || ps->kernel[2].kernel;
    }
    return ps->run || ps->fast_clear || ps->resolve || st->ds.test || st->ds.write || st->ds.stencil_test ||
           ps->statistics;
}
