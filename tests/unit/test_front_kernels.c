/*
 * Kernels that Mesa's compiler made, from their dispatch to what they leave in memory and in vertices: the execution
 * units, the data port and the dispatchers together. Kernels are in tests/corpus/kernels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediator/soft/env.h"
#include "mediator/soft/kernels.h"
#include "mediator/soft/topology.h"
#include "tests/unit/front_fixture.h"

#define KERNEL      0x10000u /* offsets in memory */
#define DESCRIPTORS 0x1000u
#define CURBE       0x2000u
#define TABLE       0x3000u
#define SURFACES    0x3400u
#define DATA        0x20000u
#define VERTICES    0x40000u
#define FORMAT_RAW  0x1ffu
#define MAX_PRIMS   64u

static struct front f;
static struct soft_compute *c;
static struct soft_geometry *g;
static unsigned nprims;
static float position[MAX_PRIMS][3][8]; /* of each vertex, and what follows */

struct soft_raster *soft_raster_create(struct soft_engine *e)
{
    (void)e;
    return NULL;
}

void soft_raster_destroy(struct soft_raster *r)
{
    (void)r;
}

bool soft_raster_begin(struct soft_raster *r, unsigned dwords)
{
    (void)r;
    return dwords >= 8;
}

bool soft_raster_add(struct soft_raster *r, const struct soft_prim *p)
{
    (void)r;
    for (unsigned i = 0; i < 3 && p->v[i] && nprims < MAX_PRIMS; i++)
        memcpy(position[nprims][i], p->v[i] + 4, 32);
    nprims++;
    return true;
}

void soft_raster_flush(struct soft_raster *r)
{
    (void)r;
}

void soft_raster_batch(struct soft_raster *r, uint32_t tiles)
{
    (void)r;
    (void)tiles;
}

bool soft_raster_interrupted(const struct soft_raster *r, uint32_t *tiles)
{
    (void)r;
    *tiles = 0;
    return false;
}

void soft_raster_hz_op(struct soft_raster *r, const uint32_t *dw)
{
    (void)r;
    (void)dw;
}

static void load_kernel(const char *name, uint32_t offset)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/corpus/kernels/%s.bin", TESTS_DIR, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(front_at(&f, offset), 1, 0x4000, file) > 0);
    fclose(file);
}

static void set_bases(void)
{
    uint32_t *dw = front_command(&f, C_STATE_BASE_ADDRESS, 19);

    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddress, RIG_MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, SurfaceStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, SurfaceStateBaseAddress, RIG_MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, InstructionBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, InstructionBaseAddress, (RIG_MEMORY + KERNEL) >> 12);
    front_set(&f, C_STATE_BASE_ADDRESS, 19);
}

/* Entry i of the binding table: 4 KiB of raw bytes. */
static void set_buffer(unsigned i, uint32_t offset)
{
    const struct surface_spec spec = {
        .type = SOFT_SURF_BUFFER, .format = FORMAT_RAW, .elements = 4096, .pitch = 1, .address = RIG_MEMORY + offset};
    uint32_t *table = front_at(&f, TABLE);

    table[i] = SURFACES + 64 * i;
    surface_bits(&spec, front_at(&f, SURFACES + 64 * i));
}

static void open_with(unsigned workers)
{
    front_open(&f, workers);
    f.e.kernels = soft_kernels_create();
    for (unsigned i = 0; i < workers; i++) {
        f.e.worker[i].units = soft_units_create();
        soft_units_begin(f.e.worker[i].units);
    }
    soft_kernels_begin(f.e.kernels);
    c = soft_compute_create(&f.e);
    g = soft_geometry_create(&f.e);
    assert_non_null(c);
    assert_non_null(g);
    nprims = 0;
    set_bases();
}

static int open_one(void **state)
{
    (void)state;
    open_with(1);
    return 0;
}

static int open_four(void **state)
{
    (void)state;
    open_with(4);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    soft_geometry_destroy(g);
    soft_compute_destroy(c);
    for (unsigned i = 0; i < soft_pool_workers(f.e.pool); i++)
        soft_units_destroy(f.e.worker[i].units);
    soft_kernels_destroy(f.e.kernels);
    front_close(&f);
    return 0;
}

/* ---- compute */

static void set_compute(unsigned threads, bool barrier, unsigned cross_regs)
{
    uint32_t *dw = front_at(&f, DESCRIPTORS);

    SET(dw, INTERFACE_DESCRIPTOR_DATA, BindingTablePointer, TABLE >> 5);
    SET(dw, INTERFACE_DESCRIPTOR_DATA, BarrierEnable, barrier);
    SET(dw, INTERFACE_DESCRIPTOR_DATA, SharedLocalMemorySize, 1);
    SET(dw, INTERFACE_DESCRIPTOR_DATA, NumberOfThreadsInGPGPUThreadGroup, threads);
    SET(dw, INTERFACE_DESCRIPTOR_DATA, CrossThreadConstantDataReadLength, cross_regs);
    SET(dw, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadLength, 1);
    for (unsigned i = 0; i < threads; i++) /* Mesa gives each thread its number */
        ((uint32_t *)front_at(&f, CURBE))[8 * (cross_regs + i)] = i;
    dw = front_command(&f, C_MEDIA_INTERFACE_DESCRIPTOR_LOAD, 4);
    SET(dw, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorTotalLength, 32);
    SET(dw, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorDataStartAddress, DESCRIPTORS);
    front_set(&f, C_MEDIA_INTERFACE_DESCRIPTOR_LOAD, 4);
    dw = front_command(&f, C_MEDIA_CURBE_LOAD, 4);
    SET(dw, MEDIA_CURBE_LOAD, CURBETotalDataLength, 32 * (cross_regs + threads));
    SET(dw, MEDIA_CURBE_LOAD, CURBEDataStartAddress, CURBE);
    front_set(&f, C_MEDIA_CURBE_LOAD, 4);
    dw = front_command(&f, C_MEDIA_VFE_STATE, 9);
    SET(dw, MEDIA_VFE_STATE, MaximumNumberOfThreads, 167);
    front_set(&f, C_MEDIA_VFE_STATE, 9);
}

static void walk(unsigned groups, unsigned threads)
{
    uint32_t *dw = front_command(&f, C_GPGPU_WALKER, 15);

    SET(dw, GPGPU_WALKER, ThreadWidthCounterMaximum, threads - 1);
    SET(dw, GPGPU_WALKER, SIMDSize, 1);
    SET(dw, GPGPU_WALKER, ThreadGroupIDXDimension, groups);
    SET(dw, GPGPU_WALKER, ThreadGroupIDYDimension, 1);
    SET(dw, GPGPU_WALKER, ThreadGroupIDZDimension, 1);
    SET(dw, GPGPU_WALKER, RightExecutionMask, UINT32_MAX);
    SET(dw, GPGPU_WALKER, BottomExecutionMask, UINT32_MAX);
    assert_true(soft_compute_command(c, C_GPGPU_WALKER, dw, 15));
    assert_int_equal(f.e.unknown, 0);
}

/* a[gl_GlobalInvocationID.x] = gl_GlobalInvocationID.x, 16 invocations a group. */
static void a_kernel_writes_a_buffer(void **state)
{
    const uint32_t *a = front_at(&f, DATA);

    (void)state;
    load_kernel("cs-a353e5671eec", KERNEL);
    set_buffer(0, DATA);
    set_compute(1, false, 0);
    walk(20, 1);
    for (unsigned i = 0; i < 320; i++)
        assert_int_equal(a[i], i);
    assert_int_equal(a[320], 0);
}

/* b[i] = 3 a[i] + i, 64 invocations a group. */
static void a_kernel_reads_one_buffer_and_writes_another(void **state)
{
    uint32_t *a = front_at(&f, DATA), *b = front_at(&f, DATA + 4096);

    (void)state;
    for (unsigned i = 0; i < 512; i++)
        a[i] = 7 * i;
    load_kernel("cs-cbd2b0a9ad1f", KERNEL);
    set_buffer(0, DATA);
    set_buffer(1, DATA + 4096);
    set_compute(4, false, 0);
    walk(8, 4);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(b[i], 22 * i);
}

/* The sum of a group's 64 values in shared memory, with barriers, added to a[0]. Group 0 reads a[0] as well, so that
 * there is one group here: its own sum, and what was there. */
static void a_kernel_sums_in_shared_memory(void **state)
{
    uint32_t *a = front_at(&f, DATA), sum = 0;

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        a[i] = 1000 + i * i;
        sum += a[i];
    }
    load_kernel("cs-6f40953fa423", KERNEL);
    set_buffer(0, DATA);
    set_compute(4, true, 0);
    walk(1, 4);
    assert_int_equal(a[0], 1000 + sum);
}

/* ---- 3D */

static void set_draw_state(unsigned topology, const struct front_element *el, unsigned n, unsigned units)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_VF_TOPOLOGY, 2);

    SET(dw, 3DSTATE_VF_TOPOLOGY, PrimitiveTopologyType, topology);
    front_set(&f, C_3DSTATE_VF_TOPOLOGY, 2);
    front_vertex_buffer(&f, 0, VERTICES, 0x1000, 16);
    front_elements(&f, el, n);
    dw = front_command(&f, C_3DSTATE_URB_VS, 2);
    SET(dw, 3DSTATE_URB_VS, VSURBEntryAllocationSize, units - 1);
    front_set(&f, C_3DSTATE_URB_VS, 2);
    for (unsigned i = 0; i < 64; i++)
        ((float *)front_at(&f, VERTICES))[i] = (float)i / 8;
}

static void draw(unsigned n)
{
    uint32_t *dw = front_command(&f, C_3DPRIMITIVE, 7);

    SET(dw, 3DPRIMITIVE, VertexCountPerInstance, n);
    SET(dw, 3DPRIMITIVE, InstanceCount, 1);
    assert_true(soft_geometry_draw(g, dw));
    assert_int_equal(f.e.unknown, 0);
}

/* Position (x, y, 1, 1) of the first attribute, a varying of the second. */
static void a_vertex_shader_places_vertices(void **state)
{
    static const struct front_element el[] = {{0, 0x085, 0, {1, 1, 2, 3}}, {0, 0x085, 8, {1, 1, 2, 3}}};
    uint32_t *dw = front_command(&f, C_3DSTATE_VS, 9);

    (void)state;
    SET(dw, 3DSTATE_VS, Enable, 1);
    SET(dw, 3DSTATE_VS, DispatchGRFStartRegisterForURBData, 2);
    SET(dw, 3DSTATE_VS, VertexURBEntryReadLength, 1);
    SET(dw, 3DSTATE_VS, MaximumNumberOfThreads, 335);
    front_set(&f, C_3DSTATE_VS, 9);
    load_kernel("vs-454ad7dba7d1", KERNEL);
    set_draw_state(TOPO_TRILIST, el, 2, 1);
    draw(12);
    assert_int_equal(nprims, 4);
    for (unsigned i = 0; i < 12; i++) {
        const float *v = position[i / 3][i % 3];

        assert_true(v[0] == (float)(4 * i) / 8 && v[1] == (float)(4 * i + 1) / 8 && v[2] == 1 && v[3] == 1);
        assert_true(v[4] == (float)(4 * i + 2) / 8 && v[5] == (float)(4 * i + 3) / 8);
    }
}

/* Points become triangles: p, p + (0.2, 0), p + (0, 0.2). */
static void a_geometry_shader_makes_triangles_of_points(void **state)
{
    static const struct front_element el[] = {{0, 0x085, 0, {2, 2, 2, 2}}, {0, 0x085, 0, {1, 1, 2, 3}}};
    uint32_t *dw = front_command(&f, C_3DSTATE_GS, 10);

    (void)state;
    SET(dw, 3DSTATE_GS, Enable, 1);
    SET(dw, 3DSTATE_GS, DispatchGRFStartRegisterForURBData, 3);
    SET(dw, 3DSTATE_GS, VertexURBEntryReadLength, 1);
    SET(dw, 3DSTATE_GS, IncludeVertexHandles, 1);
    SET(dw, 3DSTATE_GS, OutputVertexSize, 1);
    SET(dw, 3DSTATE_GS, OutputTopology, TOPO_TRISTRIP);
    SET(dw, 3DSTATE_GS, ControlDataHeaderSize, 1);
    SET(dw, 3DSTATE_GS, StaticOutput, 1);
    SET(dw, 3DSTATE_GS, StaticOutputVertexCount, 3);
    SET(dw, 3DSTATE_GS, MaximumNumberOfThreads, 335);
    front_set(&f, C_3DSTATE_GS, 10);
    dw = front_command(&f, C_3DSTATE_URB_GS, 2);
    SET(dw, 3DSTATE_URB_GS, GSURBEntryAllocationSize, 2);
    front_set(&f, C_3DSTATE_URB_GS, 2);
    load_kernel("gs-475091e422b3", KERNEL);
    set_draw_state(TOPO_POINTLIST, el, 2, 1);
    draw(11);
    assert_int_equal(nprims, 11);
    for (unsigned i = 0; i < 11; i++) {
        float x = (float)(4 * i) / 8, y = (float)(4 * i + 1) / 8;

        assert_true(position[i][0][0] == x && position[i][0][1] == y);
        assert_true(position[i][1][0] == x + 0.2f && position[i][1][1] == y);
        assert_true(position[i][2][0] == x && position[i][2][1] == y + 0.2f);
        assert_true(position[i][1][2] == 0 && position[i][1][3] == 1);
    }
}

static void set_tessellation(void)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_HS, 9);

    SET(dw, 3DSTATE_HS, Enable, 1);
    SET(dw, 3DSTATE_HS, IncludeVertexHandles, 1);
    SET(dw, 3DSTATE_HS, DispatchGRFStartRegisterForURBData, 5);
    SET(dw, 3DSTATE_HS, MaximumNumberOfThreads, 335);
    front_set(&f, C_3DSTATE_HS, 9);
    dw = front_command(&f, C_3DSTATE_TE, 4);
    SET(dw, 3DSTATE_TE, TEEnable, 1);
    SET(dw, 3DSTATE_TE, TEDomain, 1);
    SET(dw, 3DSTATE_TE, OutputTopology, 2);
    SET(dw, 3DSTATE_TE, MaximumTessellationFactorOdd, 0x427c0000);    /* 63 */
    SET(dw, 3DSTATE_TE, MaximumTessellationFactorNotOdd, 0x42800000); /* 64 */
    front_set(&f, C_3DSTATE_TE, 4);
    dw = front_command(&f, C_3DSTATE_DS, 11);
    SET(dw, 3DSTATE_DS, Enable, 1);
    SET(dw, 3DSTATE_DS, KernelStartPointer, 0x400 >> 6);
    SET(dw, 3DSTATE_DS, DispatchGRFStartRegisterForURBData, 5);
    SET(dw, 3DSTATE_DS, PatchURBEntryReadLength, 3);
    SET(dw, 3DSTATE_DS, ComputeWCoordinateEnable, 1);
    SET(dw, 3DSTATE_DS, MaximumNumberOfThreads, 335);
    front_set(&f, C_3DSTATE_DS, 11);
    dw = front_command(&f, C_3DSTATE_URB_HS, 2);
    SET(dw, 3DSTATE_URB_HS, HSURBEntryAllocationSize, 1);
    front_set(&f, C_3DSTATE_URB_HS, 2);
}

static double area_of(const float v[3][8])
{
    return ((double)(v[1][0] - v[0][0]) * (double)(v[2][1] - v[0][1]) -
            (double)(v[2][0] - v[0][0]) * (double)(v[1][1] - v[0][1])) /
           2;
}

/* Outer factors 3, 4, 5 and an inner one of 3: a triangle inside, and three strips around it. */
static void triangles_are_tessellated(void **state)
{
    static const struct front_element el[] = {{0, 0x085, 0, {2, 2, 2, 2}}, {0, 0x085, 0, {1, 1, 2, 3}}};
    static const float corners[3][2] = {{0, 0}, {4, 0}, {0, 2}};
    double sum = 0;

    (void)state;
    load_kernel("hs-3ad868ff402d", KERNEL);
    load_kernel("ds-7370a54eb956", KERNEL + 0x400);
    set_tessellation();
    set_draw_state(TOPO_PATCHLIST_1 + 2, el, 2, 1);
    for (unsigned i = 0; i < 9; i++) {
        float *v = (float *)front_at(&f, VERTICES) + 4 * i;

        v[0] = corners[i % 3][0];
        v[1] = corners[i % 3][1];
    }
    draw(9);
    assert_int_equal(nprims, 3 * (1 + 3 + 1 + 4 + 1 + 5 + 1));
    for (unsigned i = 0; i < nprims; i++) {
        assert_true(area_of(position[i]) > 0);
        sum += area_of(position[i]);
    }
    assert_true(sum > 3 * 4 - 1e-4 && sum < 3 * 4 + 1e-4);
}

int main(void)
{
#define ONE(name)  cmocka_unit_test_setup_teardown(name, open_one, close_all)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, open_four, close_all)
    const struct CMUnitTest tests[] = {
        ONE(a_kernel_writes_a_buffer),
        FOUR(a_kernel_writes_a_buffer),
        FOUR(a_kernel_reads_one_buffer_and_writes_another),
        ONE(a_kernel_sums_in_shared_memory),
        ONE(a_vertex_shader_places_vertices),
        FOUR(a_vertex_shader_places_vertices),
        ONE(a_geometry_shader_makes_triangles_of_points),
        ONE(triangles_are_tessellated),
        FOUR(triangles_are_tessellated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
