/*
 * Draws and dispatches with any state, memory and kernels: a scene that works is set up in a small address space, the
 * input overwrites parts of it, and the render engine runs.
 *
 * Input: struct draw_input, then patches of 8 bytes: u16 place, u16 what (PATCH_*), u32 value.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/draw.h"
#include "mediator/soft/render.h"
#include "mediator/soft/topology.h"
#include "tests/fuzz/draw_kernels.h"
#include "tests/fuzz/random.h"
#include "tests/unit/exec_double.h"
#include "tests/unit/soft_fixture.h"
#include "vgpu/base/log.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

#define MEMORY      RIG_MEMORY
#define BYTES       RIG_BYTES
#define KERNELS     0x10000u /* offsets in memory; 0x800 bytes each */
#define DESCRIPTORS 0x1000u
#define CURBE       0x2000u
#define TABLE       0x3000u
#define SURFACES    0x3400u
#define VIEWPORTS   0x3800u
#define TARGET      0x20000u
#define VERTICES    0x40000u
#define INDICES     0x50000u
#define STREAMS     0x60000u
#define MAX_DWORDS  64u
#define MAX_PATCHES 512u
#define STOP_AFTER  300u /* questions */

enum draw_flag {
    DRAW_DISPATCH = 1 << 0, /* GPGPU_WALKER, else 3DPRIMITIVE */
    DRAW_VS = 1 << 1,
    DRAW_TESS = 1 << 2,
    DRAW_GS = 1 << 3,
    DRAW_STREAM = 1 << 4,
    DRAW_INDEXED = 1 << 5,
    DRAW_MEDIA = 1 << 6, /* MEDIA_OBJECT_WALKER instead of GPGPU_WALKER */
    DRAW_NO_PAGES = 1 << 7,
};

/* Where a patch goes. */
enum patch { PATCH_STATE, PATCH_COMMAND, PATCH_MEMORY, PATCH_KERNEL, PATCH_KINDS };

struct draw_input {
    uint8_t flags, topology;
    uint16_t zero;
};

struct patch_input {
    uint16_t place, what;
    uint32_t value;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static struct vgpu_exec x;
static struct soft_render *render;
static uint8_t *memory;
static uint32_t dw[MAX_DWORDS];

/* ---- the scene */

static void start(int id, unsigned n)
{
    memset(dw, 0, sizeof(dw));
    dw[0] = cmd_table[id].op | ((n - cmd_table[id].bias) & cmd_table[id].len_mask);
}

static void give(int id, unsigned n)
{
    soft_render_command(render, &x, id, dw, n);
}

static void set_bases(void)
{
    start(C_STATE_BASE_ADDRESS, 19);
    SET(dw, STATE_BASE_ADDRESS, GeneralStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, GeneralStateBaseAddress, MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddress, MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, SurfaceStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, SurfaceStateBaseAddress, MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, IndirectObjectBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, IndirectObjectBaseAddress, MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, InstructionBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, InstructionBaseAddress, (MEMORY + KERNELS) >> 12);
    give(C_STATE_BASE_ADDRESS, 19);
}

/* A linear target of 64 x 64 pixels, and buffers. */
static void set_surfaces(void)
{
    const struct surface_spec target = {.format = 0x0c7, .w = 64, .h = 64, .pitch = 256, .address = MEMORY + TARGET};
    const struct surface_spec buffer = {
        .type = SOFT_SURF_BUFFER, .format = 0x1ff, .elements = 4096, .pitch = 1, .address = MEMORY + STREAMS};
    uint32_t *table = (uint32_t *)(void *)(memory + TABLE);

    for (unsigned i = 0; i < 4; i++)
        table[i] = SURFACES + 64 * i;
    surface_bits(&target, (uint32_t *)(void *)(memory + SURFACES));
    for (unsigned i = 1; i < 4; i++)
        surface_bits(&buffer, (uint32_t *)(void *)(memory + SURFACES + 64 * i));
    for (int id = C_3DSTATE_BINDING_TABLE_POINTERS_VS; id <= C_3DSTATE_BINDING_TABLE_POINTERS_PS; id++) {
        start(id, 2);
        dw[1] = TABLE;
        give(id, 2);
    }
}

static void set_element(uint32_t *el, unsigned format, unsigned offset, const uint8_t control[4])
{
    SET(el, VERTEX_ELEMENT_STATE, Valid, 1);
    SET(el, VERTEX_ELEMENT_STATE, SourceElementFormat, format);
    SET(el, VERTEX_ELEMENT_STATE, SourceElementOffset, offset);
    SET(el, VERTEX_ELEMENT_STATE, Component0Control, control[0]);
    SET(el, VERTEX_ELEMENT_STATE, Component1Control, control[1]);
    SET(el, VERTEX_ELEMENT_STATE, Component2Control, control[2]);
    SET(el, VERTEX_ELEMENT_STATE, Component3Control, control[3]);
}

static void set_vertices(bool shader)
{
    static const uint8_t zeros[4] = {2, 2, 2, 2}, two[4] = {1, 1, 2, 3};

    start(C_3DSTATE_VERTEX_BUFFERS, 5);
    SET(dw + 1, VERTEX_BUFFER_STATE, AddressModifyEnable, 1);
    SET(dw + 1, VERTEX_BUFFER_STATE, BufferPitch, 16);
    SET(dw + 1, VERTEX_BUFFER_STATE, BufferStartingAddress, MEMORY + VERTICES);
    SET(dw + 1, VERTEX_BUFFER_STATE, BufferSize, 4096);
    give(C_3DSTATE_VERTEX_BUFFERS, 5);
    start(C_3DSTATE_VERTEX_ELEMENTS, 7);
    set_element(dw + 1, 0x085, 0, shader ? two : zeros);
    set_element(dw + 3, 0x085, 0, two);
    set_element(dw + 5, 0x085, 8, two);
    give(C_3DSTATE_VERTEX_ELEMENTS, 7);
    for (unsigned i = 0; i < 256; i++) {
        float v[4] = {(float)(i * 37 % 64) / 32 - 1, (float)(i * 53 % 64) / 32 - 1, 0.5f, 1};

        memcpy(memory + VERTICES + 16 * i, v, 16);
        memcpy(memory + INDICES + 2 * i, &(uint16_t){(uint16_t)(i % 11 ? i * 7 % 64 : 0xffff)}, 2);
    }
    start(C_3DSTATE_INDEX_BUFFER, 5);
    SET(dw, 3DSTATE_INDEX_BUFFER, IndexFormat, 1);
    SET(dw, 3DSTATE_INDEX_BUFFER, BufferStartingAddress, MEMORY + INDICES);
    SET(dw, 3DSTATE_INDEX_BUFFER, BufferSize, 512);
    give(C_3DSTATE_INDEX_BUFFER, 5);
    start(C_3DSTATE_VF, 2);
    SET(dw, 3DSTATE_VF, IndexedDrawCutIndexEnable, 1);
    SET(dw, 3DSTATE_VF, CutIndex, 0xffff);
    give(C_3DSTATE_VF, 2);
}

static uint64_t kernel_pointer(unsigned which)
{
    return which * 0x800 / 64;
}

static void set_vs(void)
{
    start(C_3DSTATE_VS, 9);
    SET(dw, 3DSTATE_VS, Enable, 1);
    SET(dw, 3DSTATE_VS, KernelStartPointer, kernel_pointer(FUZZ_VS));
    SET(dw, 3DSTATE_VS, DispatchGRFStartRegisterForURBData, 2);
    SET(dw, 3DSTATE_VS, VertexURBEntryReadLength, 1);
    SET(dw, 3DSTATE_VS, MaximumNumberOfThreads, 335);
    give(C_3DSTATE_VS, 9);
}

static void set_tess(void)
{
    start(C_3DSTATE_HS, 9);
    SET(dw, 3DSTATE_HS, Enable, 1);
    SET(dw, 3DSTATE_HS, KernelStartPointer, kernel_pointer(FUZZ_HS));
    SET(dw, 3DSTATE_HS, IncludeVertexHandles, 1);
    SET(dw, 3DSTATE_HS, DispatchGRFStartRegisterForURBData, 5);
    SET(dw, 3DSTATE_HS, MaximumNumberOfThreads, 335);
    give(C_3DSTATE_HS, 9);
    start(C_3DSTATE_TE, 4);
    SET(dw, 3DSTATE_TE, TEEnable, 1);
    SET(dw, 3DSTATE_TE, TEDomain, 1);
    SET(dw, 3DSTATE_TE, OutputTopology, 2);
    SET(dw, 3DSTATE_TE, MaximumTessellationFactorOdd, 0x427c0000);
    SET(dw, 3DSTATE_TE, MaximumTessellationFactorNotOdd, 0x42800000);
    give(C_3DSTATE_TE, 4);
    start(C_3DSTATE_DS, 11);
    SET(dw, 3DSTATE_DS, Enable, 1);
    SET(dw, 3DSTATE_DS, KernelStartPointer, kernel_pointer(FUZZ_DS));
    SET(dw, 3DSTATE_DS, DispatchGRFStartRegisterForURBData, 5);
    SET(dw, 3DSTATE_DS, PatchURBEntryReadLength, 3);
    SET(dw, 3DSTATE_DS, ComputeWCoordinateEnable, 1);
    SET(dw, 3DSTATE_DS, MaximumNumberOfThreads, 335);
    give(C_3DSTATE_DS, 11);
}

static void set_gs(void)
{
    start(C_3DSTATE_GS, 10);
    SET(dw, 3DSTATE_GS, Enable, 1);
    SET(dw, 3DSTATE_GS, KernelStartPointer, kernel_pointer(FUZZ_GS));
    SET(dw, 3DSTATE_GS, DispatchGRFStartRegisterForURBData, 3);
    SET(dw, 3DSTATE_GS, VertexURBEntryReadLength, 1);
    SET(dw, 3DSTATE_GS, IncludeVertexHandles, 1);
    SET(dw, 3DSTATE_GS, OutputVertexSize, 1);
    SET(dw, 3DSTATE_GS, OutputTopology, TOPO_TRISTRIP);
    SET(dw, 3DSTATE_GS, ControlDataHeaderSize, 1);
    SET(dw, 3DSTATE_GS, StaticOutput, 1);
    SET(dw, 3DSTATE_GS, StaticOutputVertexCount, 3);
    SET(dw, 3DSTATE_GS, MaximumNumberOfThreads, 335);
    give(C_3DSTATE_GS, 10);
    start(C_3DSTATE_URB_GS, 2);
    SET(dw, 3DSTATE_URB_GS, GSURBEntryAllocationSize, 2);
    give(C_3DSTATE_URB_GS, 2);
}

static void set_stream(void)
{
    start(C_3DSTATE_STREAMOUT, 5);
    SET(dw, 3DSTATE_STREAMOUT, SOFunctionEnable, 1);
    SET(dw, 3DSTATE_STREAMOUT, SOStatisticsEnable, 1);
    SET(dw, 3DSTATE_STREAMOUT, Stream0VertexReadLength, 1);
    SET(dw, 3DSTATE_STREAMOUT, Buffer0SurfacePitch, 12);
    give(C_3DSTATE_STREAMOUT, 5);
    start(C_3DSTATE_SO_DECL_LIST, 7);
    SET(dw, 3DSTATE_SO_DECL_LIST, StreamToBufferSelects0, 1);
    SET(dw, 3DSTATE_SO_DECL_LIST, NumEntries0, 2);
    SET(dw + 3, SO_DECL, RegisterIndex, 1);
    SET(dw + 3, SO_DECL, ComponentMask, 3);
    SET(dw + 5, SO_DECL, ComponentMask, 1);
    give(C_3DSTATE_SO_DECL_LIST, 7);
    start(C_3DSTATE_SO_BUFFER, 8);
    SET(dw, 3DSTATE_SO_BUFFER, SOBufferEnable, 1);
    SET(dw, 3DSTATE_SO_BUFFER, SurfaceBaseAddress, (MEMORY + STREAMS) >> 2);
    SET(dw, 3DSTATE_SO_BUFFER, SurfaceSize, 1023);
    SET(dw, 3DSTATE_SO_BUFFER, StreamOffsetWriteEnable, 1);
    give(C_3DSTATE_SO_BUFFER, 8);
}

/* Position at once as on the screen, one shader with 16 pixels a thread. */
static void set_pixels(void)
{
    start(C_3DSTATE_CLIP, 4);
    SET(dw, 3DSTATE_CLIP, ClipEnable, 1);
    SET(dw, 3DSTATE_CLIP, ForceZeroRTAIndexEnable, 1);
    SET(dw, 3DSTATE_CLIP, ViewportXYClipTestEnable, 1);
    give(C_3DSTATE_CLIP, 4);
    start(C_3DSTATE_SF, 4);
    SET(dw, 3DSTATE_SF, ViewportTransformEnable, 1);
    SET(dw, 3DSTATE_SF, PointWidth, 8);
    SET(dw, 3DSTATE_SF, LineWidth, 128);
    give(C_3DSTATE_SF, 4);
    start(C_3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP, 2);
    dw[1] = VIEWPORTS;
    give(C_3DSTATE_VIEWPORT_STATE_POINTERS_SF_CLIP, 2);
    const float viewport[16] = {32, -32, 0.5f, 32, 32, 0.5f, 0, 0, -8, 8, -8, 8, 0, 63, 0, 63};

    memcpy(memory + VIEWPORTS, viewport, sizeof(viewport));
    start(C_3DSTATE_RASTER, 5);
    SET(dw, 3DSTATE_RASTER, CullMode, 1);
    give(C_3DSTATE_RASTER, 5);
    start(C_3DSTATE_SBE, 6);
    SET(dw, 3DSTATE_SBE, NumberOfSFOutputAttributes, 1);
    SET(dw, 3DSTATE_SBE, VertexURBEntryReadOffset, 1);
    SET(dw, 3DSTATE_SBE, VertexURBEntryReadLength, 1);
    give(C_3DSTATE_SBE, 6);
    start(C_3DSTATE_SAMPLE_MASK, 2);
    dw[1] = 1;
    give(C_3DSTATE_SAMPLE_MASK, 2);
    start(C_3DSTATE_DRAWING_RECTANGLE, 4);
    dw[2] = 63 << 16 | 63;
    give(C_3DSTATE_DRAWING_RECTANGLE, 4);
    start(C_3DSTATE_PS, 12);
    SET(dw, 3DSTATE_PS, KernelStartPointer0, kernel_pointer(FUZZ_PS));
    SET(dw, 3DSTATE_PS, 16PixelDispatchEnable, 1);
    SET(dw, 3DSTATE_PS, DispatchGRFStartRegisterForConstantSetupData0, 6);
    SET(dw, 3DSTATE_PS, MaximumNumberOfThreadsPerPSD, 62);
    give(C_3DSTATE_PS, 12);
    start(C_3DSTATE_PS_EXTRA, 2);
    SET(dw, 3DSTATE_PS_EXTRA, PixelShaderValid, 1);
    SET(dw, 3DSTATE_PS_EXTRA, AttributeEnable, 1);
    give(C_3DSTATE_PS_EXTRA, 2);
    start(C_3DSTATE_WM, 2);
    SET(dw, 3DSTATE_WM, BarycentricInterpolationMode, 1);
    give(C_3DSTATE_WM, 2);
    start(C_3DSTATE_PS_BLEND, 2);
    SET(dw, 3DSTATE_PS_BLEND, HasWriteableRT, 1);
    give(C_3DSTATE_PS_BLEND, 2);
}

static void set_media(void)
{
    uint32_t *d = (uint32_t *)(void *)(memory + DESCRIPTORS);

    SET(d, INTERFACE_DESCRIPTOR_DATA, KernelStartPointer, kernel_pointer(FUZZ_CS));
    SET(d, INTERFACE_DESCRIPTOR_DATA, BindingTablePointer, (TABLE + 4) >> 5);
    SET(d, INTERFACE_DESCRIPTOR_DATA, BarrierEnable, 1);
    SET(d, INTERFACE_DESCRIPTOR_DATA, SharedLocalMemorySize, 1);
    SET(d, INTERFACE_DESCRIPTOR_DATA, NumberOfThreadsInGPGPUThreadGroup, 4);
    SET(d, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadLength, 1);
    start(C_MEDIA_INTERFACE_DESCRIPTOR_LOAD, 4);
    SET(dw, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorTotalLength, 32);
    SET(dw, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorDataStartAddress, DESCRIPTORS);
    give(C_MEDIA_INTERFACE_DESCRIPTOR_LOAD, 4);
    start(C_MEDIA_CURBE_LOAD, 4);
    SET(dw, MEDIA_CURBE_LOAD, CURBETotalDataLength, 1024);
    SET(dw, MEDIA_CURBE_LOAD, CURBEDataStartAddress, CURBE);
    give(C_MEDIA_CURBE_LOAD, 4);
    start(C_MEDIA_VFE_STATE, 9);
    SET(dw, MEDIA_VFE_STATE, MaximumNumberOfThreads, 167);
    give(C_MEDIA_VFE_STATE, 9);
}

/* ---- one input */

static int command(const struct draw_input *in)
{
    if (!(in->flags & DRAW_DISPATCH)) {
        start(C_3DPRIMITIVE, 7);
        SET(dw, 3DPRIMITIVE, VertexAccessType, (in->flags & DRAW_INDEXED) != 0);
        SET(dw, 3DPRIMITIVE, VertexCountPerInstance, 60);
        SET(dw, 3DPRIMITIVE, InstanceCount, 2);
        return C_3DPRIMITIVE;
    }
    if (in->flags & DRAW_MEDIA) {
        start(C_MEDIA_OBJECT_WALKER, 20);
        SET(dw, MEDIA_OBJECT_WALKER, GlobalResolutionX, 4);
        SET(dw, MEDIA_OBJECT_WALKER, GlobalResolutionY, 1);
        SET(dw, MEDIA_OBJECT_WALKER, GlobalInnerLoopUnitX, 1);
        SET(dw, MEDIA_OBJECT_WALKER, BlockResolutionX, 1);
        SET(dw, MEDIA_OBJECT_WALKER, BlockResolutionY, 1);
        return C_MEDIA_OBJECT_WALKER;
    }
    start(C_GPGPU_WALKER, 15);
    SET(dw, GPGPU_WALKER, ThreadWidthCounterMaximum, 3);
    SET(dw, GPGPU_WALKER, SIMDSize, 1);
    SET(dw, GPGPU_WALKER, ThreadGroupIDXDimension, 3);
    SET(dw, GPGPU_WALKER, ThreadGroupIDYDimension, 1);
    SET(dw, GPGPU_WALKER, ThreadGroupIDZDimension, 1);
    SET(dw, GPGPU_WALKER, RightExecutionMask, UINT32_MAX);
    SET(dw, GPGPU_WALKER, BottomExecutionMask, UINT32_MAX);
    return C_GPGPU_WALKER;
}

static void set_scene(const struct draw_input *in)
{
    memset(memory, 0, BYTES);
    for (unsigned i = 0; i < FUZZ_KERNELS; i++)
        memcpy(memory + KERNELS + 0x800 * i, fuzz_kernel[i].code, fuzz_kernel[i].bytes);
    set_bases();
    set_surfaces();
    set_vertices(in->flags & DRAW_VS);
    start(C_3DSTATE_VF_TOPOLOGY, 2);
    dw[1] = in->topology % 64;
    give(C_3DSTATE_VF_TOPOLOGY, 2);
    if (in->flags & DRAW_VS)
        set_vs();
    if (in->flags & DRAW_TESS)
        set_tess();
    if (in->flags & DRAW_GS)
        set_gs();
    if (in->flags & DRAW_STREAM)
        set_stream();
    set_pixels();
    set_media();
}

static void apply(const struct patch_input *p)
{
    switch (p->what % PATCH_KINDS) {
    case PATCH_STATE:
        ((struct soft_state *)(void *)x.state)->dw[p->place % SOFT_STATE_DWORDS] = p->value;
        break;
    case PATCH_COMMAND:
        dw[1 + p->place % (MAX_DWORDS - 1)] = p->value;
        break;
    case PATCH_MEMORY: /* tables, descriptors, surfaces, viewports */
        memcpy(memory + p->place % 0x1000 * 4, &p->value, 4);
        break;
    default:
        memcpy(memory + KERNELS + p->place % (0x800 * FUZZ_KERNELS / 4) * 4, &p->value, 4);
        break;
    }
}

static void play(const struct draw_input *in, const uint8_t *data, size_t size)
{
    struct patch_input p;
    int id;

    memset(x.state, 0, sizeof(x.state));
    memset(x.scratch, 0, sizeof(x.scratch));
    x.nregs = 0;
    x.no_ptr = false;
    x.stop_after = 0;
    set_scene(in);
    id = command(in);
    for (unsigned i = 0; i < MAX_PATCHES && size >= sizeof(p); i++, data += sizeof(p), size -= sizeof(p)) {
        memcpy(&p, data, sizeof(p));
        apply(&p);
    }
    x.no_ptr = in->flags & DRAW_NO_PAGES;
    for (unsigned i = 0; i < 2; i++) { /* goes on once */
        x.stops = 0;
        x.stop_after = STOP_AFTER;
        soft_render_command(render, &x, id, dw, id == C_GPGPU_WALKER ? 15 : id == C_3DPRIMITIVE ? 7 : 20);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char err[128];

    (void)argc;
    (void)argv;
    gt_log_set_level(GT_LOG_ERROR);
    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err)))
        abort();
    memory = calloc(1, BYTES);
    render = soft_render_create(1);
    if (!memory || !render)
        abort();
    double_map(&x, MEMORY, memory, BYTES, false);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct draw_input in;

    if (size < sizeof(in))
        return 0;
    memcpy(&in, data, sizeof(in));
    play(&in, data + sizeof(in), size - sizeof(in));
    return 0;
}

static size_t new_input(uint8_t *data)
{
    const struct draw_input in = {.flags = (uint8_t)rnd(256), .topology = (uint8_t)rnd(64)};

    memcpy(data, &in, sizeof(in));
    return sizeof(in);
}

/* Adds or changes whole patches most of the time. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    rng_state = seed;
    if (size < sizeof(struct draw_input))
        return max_size < sizeof(struct draw_input) ? 0 : new_input(data);
    switch (rnd(4)) {
    case 0:
        return LLVMFuzzerMutate(data, size, max_size);
    case 1:
        data[rnd(2)] = (uint8_t)rnd(256);
        return size;
    default:
        break;
    }
    const struct patch_input p = {(uint16_t)rnd(65536), (uint16_t)rnd(PATCH_KINDS),
                                  rnd(3) ? 1u << rnd(32) | 1u << rnd(32) : rnd(UINT32_MAX)};
    size_t count = (size - sizeof(struct draw_input)) / sizeof(p), at = rnd((uint32_t)count + 1);

    if (sizeof(struct draw_input) + (at + 1) * sizeof(p) > max_size)
        return size;
    memcpy(data + sizeof(struct draw_input) + at * sizeof(p), &p, sizeof(p));
    return GT_MAX(size, sizeof(struct draw_input) + (at + 1) * sizeof(p));
}
