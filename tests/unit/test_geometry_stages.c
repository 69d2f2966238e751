/* Geometry shader, tessellation and stream output: payloads, what is made of their outputs, and hostile outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tests/unit/geometry_fixture.h"

static int open_one(void **state)
{
    (void)state;
    open_geometry(1);
    return 0;
}

static int open_four(void **state)
{
    (void)state;
    open_geometry(4);
    return 0;
}

static uint32_t float_bits(float v)
{
    uint32_t u;

    memcpy(&u, &v, 4);
    return u;
}

/* ---- geometry shader */

struct gs_spec {
    unsigned units, header, static_count, vertex_oword, topology, instances, control, start;
    bool primitive_id, statistics, trailing, handles;
};

static void set_gs(const struct gs_spec *s, enum eu_result (*run)(struct eu_thread *))
{
    uint32_t *dw = front_command(&f, C_3DSTATE_GS, 10);

    SET(dw, 3DSTATE_GS, Enable, 1);
    SET(dw, 3DSTATE_GS, KernelStartPointer, KERNEL_GS);
    SET(dw, 3DSTATE_GS, DispatchGRFStartRegisterForURBData, s->start & 15);
    SET(dw, 3DSTATE_GS, DispatchGRFStartRegisterForURBData54, s->start >> 4);
    SET(dw, 3DSTATE_GS, VertexURBEntryReadLength, 1);
    SET(dw, 3DSTATE_GS, IncludeVertexHandles, s->handles);
    SET(dw, 3DSTATE_GS, IncludePrimitiveID, s->primitive_id);
    SET(dw, 3DSTATE_GS, OutputVertexSize, s->vertex_oword - 1);
    SET(dw, 3DSTATE_GS, OutputTopology, s->topology);
    SET(dw, 3DSTATE_GS, InstanceControl, s->instances - 1);
    SET(dw, 3DSTATE_GS, ControlDataHeaderSize, s->header);
    SET(dw, 3DSTATE_GS, ControlDataFormat, s->control);
    SET(dw, 3DSTATE_GS, StaticOutput, s->static_count != 0);
    SET(dw, 3DSTATE_GS, StaticOutputVertexCount, s->static_count);
    SET(dw, 3DSTATE_GS, ReorderMode, s->trailing);
    SET(dw, 3DSTATE_GS, StatisticsEnable, 1);
    SET(dw, 3DSTATE_GS, MaximumNumberOfThreads, 335);
    front_set(&f, C_3DSTATE_GS, 10);
    dw = front_command(&f, C_3DSTATE_URB_GS, 2);
    SET(dw, 3DSTATE_URB_GS, GSURBEntryAllocationSize, s->units - 1);
    front_set(&f, C_3DSTATE_URB_GS, 2);
    double_kernel[KERNEL_GS].run = run;
}

/* Writes a vertex with x at an OWord offset: header and position. Output handles are in r1. */
static void gs_vertex(struct eu_thread *t, unsigned oword, const float x[8])
{
    memset(double_reg(t, 60), 0, 8 * 32);
    memcpy(double_reg(t, 64), x, 32);
    assert_int_equal(urb_write(t, oword, 1, 60), EU_DONE);
}

static void gs_dword(struct eu_thread *t, unsigned oword, uint32_t value)
{
    memmove(double_reg(t, 100), double_reg(t, 1), 32);
    for (unsigned i = 0; i < 8; i++)
        double_reg(t, 101)[i] = value;
    assert_int_equal(double_send(t, EU_SFID_URB, URB_WRITE(oword), 100, 2, 0, 0), EU_DONE);
}

/* Header r0, handles r1, input handles r2 to r4, then 8 registers a vertex: x of vertex v is register start + 8 v + 4.
 */
static enum eu_result gs_copy_triangle(struct eu_thread *t)
{
    for (unsigned v = 0; v < 3; v++) {
        float x[8];

        memcpy(x, double_reg(t, 5 + 8 * v + 4), 32);
        gs_vertex(t, 2 * v, x);
    }
    return EU_DONE;
}

static void a_geometry_shader_gets_and_gives_vertices(void **state)
{
    const struct gs_spec s = {.units = 2,
                              .static_count = 3,
                              .vertex_oword = 2,
                              .topology = TOPO_TRISTRIP,
                              .instances = 1,
                              .start = 5,
                              .handles = true};

    (void)state;
    set_gs(&s, gs_copy_triangle);
    draw(75);
    assert_int_equal(ndrawn, 25);
    assert_int_equal(vue_dwords, 8);
    for (unsigned i = 0; i < 25; i++) {
        assert_true(drawn[i].x[0] == 3 * i && drawn[i].x[2] == 3 * i + 2);
        assert_int_equal(drawn[i].id, i);
    }
    assert_int_equal(f.e.count.gs_invocations, 25);
    assert_int_equal(f.e.count.gs_primitives, 25);
    assert_int_equal(f.e.unknown, 0);
}

static void odd_triangles_come_in_the_order_asked_for(void **state)
{
    struct gs_spec s = {.units = 2,
                        .static_count = 3,
                        .vertex_oword = 2,
                        .topology = TOPO_TRISTRIP,
                        .instances = 1,
                        .start = 5,
                        .handles = true};

    (void)state;
    set_topology(TOPO_TRISTRIP);
    set_gs(&s, gs_copy_triangle);
    draw(4);
    s.trailing = true;
    set_gs(&s, gs_copy_triangle);
    draw(4);
    assert_string_equal(drawn_text(), "0 1 2, 1 3 2, 0 1 2, 2 1 3");
}

/* Pulls x through the input handle, emits lines with cuts: 0-1, cut, 2-3-4. The vertex count is written. */
static enum eu_result gs_lines(struct eu_thread *t)
{
    float x[8];

    for (unsigned lane = 0; lane < 8; lane++) /* instances share the input: its first vertex; r2 has PrimitiveID */
        double_reg(t, 100)[lane] = double_reg(t, 3)[0];
    assert_int_equal(double_send(t, EU_SFID_URB, URB_READ(1u), 100, 1, 70, 4), EU_DONE);
    for (unsigned v = 0; v < 5; v++) {
        for (unsigned lane = 0; lane < 8; lane++) {
            float from;

            memcpy(&from, &double_reg(t, 70)[lane], 4);
            x[lane] = 1000 * from + 100 * (float)(double_reg(t, 1)[lane] >> 27) + 10 * (float)double_reg(t, 2)[lane] +
                      (float)v;
        }
        gs_vertex(t, 4 + 2 * v, x);
    }
    gs_dword(t, 0, 5);
    gs_dword(t, 2, 0x2);
    return EU_DONE;
}

static void counts_cuts_and_instances(void **state)
{
    const struct gs_spec s = {.units = 4,
                              .header = 1,
                              .vertex_oword = 2,
                              .topology = TOPO_LINESTRIP,
                              .instances = 2,
                              .start = 20,
                              .primitive_id = true,
                              .handles = true};

    (void)state;
    set_topology(TOPO_POINTLIST);
    set_gs(&s, gs_lines);
    draw(2);
    assert_string_equal(drawn_text(), "0 1, 2 3, 3 4, 100 101, 102 103, 103 104, "
                                      "1010 1011, 1012 1013, 1013 1014, 1110 1111, 1112 1113, 1113 1114");
    assert_int_equal(drawn[11].id, 1);
    assert_int_equal(f.e.count.gs_invocations, 4);
    assert_int_equal(f.e.count.gs_primitives, 12);
}

static enum eu_result gs_count_only(struct eu_thread *t)
{
    gs_dword(t, 0, 0xffffffff);
    gs_dword(t, 2, 0xffffffff);
    return EU_DONE;
}

static void a_count_beyond_the_entry_is_cut_off(void **state)
{
    struct gs_spec s = {.units = 4,
                        .header = 1,
                        .vertex_oword = 2,
                        .topology = TOPO_POINTLIST,
                        .instances = 1,
                        .start = 20,
                        .handles = true};

    (void)state;
    set_gs(&s, gs_count_only);
    draw(3);
    assert_int_equal(ndrawn, (4 * 64 - 64) / 32);
    s.header = 15; /* more than the entry */
    set_gs(&s, gs_count_only);
    ndrawn = 0;
    draw(3);
    assert_int_equal(ndrawn, 0);
}

/* ---- stream output */

struct decl {
    unsigned buffer, slot, mask;
    bool hole;
};

static void set_streamout(const struct decl *d, unsigned n, unsigned pitch, bool render, bool trailing)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_STREAMOUT, 5);

    SET(dw, 3DSTATE_STREAMOUT, SOFunctionEnable, 1);
    SET(dw, 3DSTATE_STREAMOUT, SOStatisticsEnable, 1);
    SET(dw, 3DSTATE_STREAMOUT, RenderingDisable, !render);
    SET(dw, 3DSTATE_STREAMOUT, ReorderMode, trailing);
    SET(dw, 3DSTATE_STREAMOUT, Stream0VertexReadLength, 1);
    SET(dw, 3DSTATE_STREAMOUT, Stream1VertexReadLength, 1);
    SET(dw, 3DSTATE_STREAMOUT, Buffer0SurfacePitch, pitch);
    SET(dw, 3DSTATE_STREAMOUT, Buffer1SurfacePitch, 4);
    front_set(&f, C_3DSTATE_STREAMOUT, 5);
    dw = front_command(&f, C_3DSTATE_SO_DECL_LIST, 3 + 2 * n);
    for (unsigned i = 0; i < n; i++) {
        SET(dw, 3DSTATE_SO_DECL_LIST, StreamToBufferSelects0,
            FIELD_GET(dw, 3DSTATE_SO_DECL_LIST, StreamToBufferSelects0) | 1u << d[i].buffer);
        SET(dw + 3 + 2 * i, SO_DECL, OutputBufferSlot, d[i].buffer);
        SET(dw + 3 + 2 * i, SO_DECL, RegisterIndex, d[i].slot);
        SET(dw + 3 + 2 * i, SO_DECL, ComponentMask, d[i].mask);
        SET(dw + 3 + 2 * i, SO_DECL, HoleFlag, d[i].hole);
    }
    SET(dw, 3DSTATE_SO_DECL_LIST, NumEntries0, n);
    front_set(&f, C_3DSTATE_SO_DECL_LIST, 3 + 2 * n);
}

static void set_so_buffer(unsigned i, uint32_t bytes, uint32_t offset)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_SO_BUFFER, 8);

    SET(dw, 3DSTATE_SO_BUFFER, SOBufferIndex, i);
    SET(dw, 3DSTATE_SO_BUFFER, SOBufferEnable, 1);
    SET(dw, 3DSTATE_SO_BUFFER, SurfaceBaseAddress, (RIG_MEMORY + SO_DATA + 0x1000 * i) >> 2);
    SET(dw, 3DSTATE_SO_BUFFER, SurfaceSize, bytes / 4 - 1);
    SET(dw, 3DSTATE_SO_BUFFER, StreamOffsetWriteEnable, 1);
    SET(dw, 3DSTATE_SO_BUFFER, StreamOffset, offset);
    SET(dw, 3DSTATE_SO_BUFFER, StreamOutputBufferOffsetAddressEnable, 1);
    SET(dw, 3DSTATE_SO_BUFFER, StreamOutputBufferOffsetAddress, (RIG_MEMORY + SO_DATA + 0x3000 + 4 * i) >> 2);
    front_set(&f, C_3DSTATE_SO_BUFFER, 8);
    soft_streamout_buffer(&f.e, f.dw);
}

static uint32_t so_word(unsigned buffer, unsigned i)
{
    return ((uint32_t *)front_at(&f, SO_DATA + 0x1000 * buffer))[i];
}

static uint32_t write_offset(unsigned i)
{
    return vgpu_exec_reg_read(&f.rig.x, reg_off(R_SO_WRITE_OFFSET, 0, i));
}

static void vertices_are_written_where_declarations_say(void **state)
{
    /* x y of the position, a hole of two dwords, the attribute; and the attribute alone to a second buffer. */
    static const struct decl d[] = {{0, 1, 3, false}, {0, 0, 3, true}, {0, 2, 1, false}, {1, 2, 1, false}};

    (void)state;
    memset(front_at(&f, SO_DATA), 0x77, 0x2000);
    set_streamout(d, 4, 20, true, false);
    set_so_buffer(0, 0x1000, 8);
    set_so_buffer(1, 0x1000, 0);
    draw(6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(so_word(0, 2 + 5 * i), float_bits((float)i));
        assert_int_equal(so_word(0, 3 + 5 * i), float_bits(-(float)i));
        assert_int_equal(so_word(0, 4 + 5 * i), 0x77777777);
        assert_int_equal(so_word(0, 6 + 5 * i), 1000 + i);
        assert_int_equal(so_word(1, i), 1000 + i);
    }
    assert_int_equal(so_word(0, 1), 0x77777777);
    assert_int_equal(so_word(1, 6), 0x77777777);
    assert_int_equal(write_offset(0), 8 + 6 * 20);
    assert_int_equal(so_word(3, 1), 24); /* the second buffer's offset in memory */
    assert_int_equal(f.e.count.so_written[0], 2);
    assert_int_equal(f.e.count.so_needed[0], 2);
    assert_int_equal(ndrawn, 2);
}

static void primitives_that_do_not_fit_are_only_counted(void **state)
{
    static const struct decl d[] = {{0, 2, 1, false}, {1, 2, 1, false}};

    (void)state;
    memset(front_at(&f, SO_DATA), 0x77, 0x2000);
    set_streamout(d, 2, 4, false, false);
    set_so_buffer(0, 0x1000, 0);
    set_so_buffer(1, 20, 0); /* one triangle and two thirds of another */
    draw(9);
    assert_int_equal(so_word(0, 2), 1002);
    assert_int_equal(so_word(0, 3), 0x77777777);
    assert_int_equal(so_word(1, 3), 0x77777777);
    assert_int_equal(f.e.count.so_written[0], 1);
    assert_int_equal(f.e.count.so_needed[0], 3);
    assert_int_equal(ndrawn, 0);
}

static void offsets_go_on_and_can_be_taken_from_memory(void **state)
{
    static const struct decl d[] = {{0, 2, 1, false}};

    (void)state;
    set_streamout(d, 1, 4, false, false);
    set_so_buffer(0, 0x1000, 0);
    draw(3);
    draw(3);
    assert_int_equal(so_word(0, 5), 1002);
    *(uint32_t *)front_at(&f, SO_DATA + 0x3000) = 400;
    set_so_buffer(0, 0x1000, UINT32_MAX);
    assert_int_equal(write_offset(0), 400);
    draw(3);
    assert_int_equal(so_word(0, 100), 1000);
    assert_int_equal(write_offset(0), 412);
}

static void strips_are_written_in_the_order_asked_for(void **state)
{
    static const struct decl d[] = {{0, 2, 1, false}};

    (void)state;
    set_topology(TOPO_TRISTRIP);
    for (unsigned trailing = 0; trailing < 2; trailing++) {
        set_streamout(d, 1, 4, false, trailing);
        set_so_buffer(0, 0x1000, 0);
        draw(4);
        assert_int_equal(so_word(0, 3), trailing ? 1002 : 1001);
        assert_int_equal(so_word(0, 4), trailing ? 1001 : 1003);
        assert_int_equal(so_word(0, 5), trailing ? 1003 : 1002);
    }
}

/* Vertex v goes to stream v. */
static enum eu_result gs_streams(struct eu_thread *t)
{
    for (unsigned v = 0; v < 3; v++) {
        const float x[8] = {(float)v, (float)v};

        gs_vertex(t, 4 + 2 * v, x);
    }
    gs_dword(t, 0, 3);
    gs_dword(t, 2, 0x24); /* streams 0, 1, 2 */
    return EU_DONE;
}

static void streams_are_counted_apart_and_one_is_drawn(void **state)
{
    const struct gs_spec s = {.units = 4,
                              .header = 1,
                              .vertex_oword = 2,
                              .topology = TOPO_POINTLIST,
                              .instances = 1,
                              .control = 1,
                              .start = 20,
                              .handles = true};
    static const struct decl d[] = {{0, 1, 1, false}};

    (void)state;
    set_topology(TOPO_POINTLIST);
    set_gs(&s, gs_streams);
    set_streamout(d, 1, 4, true, false);
    SET(f.state.dw + (soft_state_get(&f.state, C_3DSTATE_STREAMOUT, NULL) - f.state.dw), 3DSTATE_STREAMOUT,
        RenderStreamSelect, 2);
    set_so_buffer(0, 0x1000, 0);
    draw(2);
    assert_string_equal(drawn_text(), "2, 2");
    assert_int_equal(f.e.count.so_needed[0], 2);
    assert_int_equal(f.e.count.so_needed[1], 2);
    assert_int_equal(f.e.count.so_needed[2], 2);
    assert_int_equal(f.e.count.so_needed[3], 0);
    assert_int_equal(f.e.count.so_written[0], 2);
    assert_int_equal(f.e.count.so_written[1], 0); /* it has no buffer */
}

static void other_streams_are_not_drawn_without_stream_output_either(void **state)
{
    const struct gs_spec s = {.units = 4,
                              .header = 1,
                              .vertex_oword = 2,
                              .topology = TOPO_POINTLIST,
                              .instances = 1,
                              .control = 1,
                              .start = 20,
                              .handles = true};

    (void)state;
    set_topology(TOPO_POINTLIST);
    set_gs(&s, gs_streams);
    draw(2);
    assert_string_equal(drawn_text(), "0, 0");
}

static void discarded_draws_still_write_streams(void **state)
{
    static const struct decl d[] = {{0, 2, 1, false}};

    (void)state;
    discard = true;
    set_streamout(d, 1, 4, true, false);
    set_so_buffer(0, 0x1000, 0);
    draw(3);
    assert_int_equal(ndrawn, 0);
    assert_int_equal(f.e.count.so_written[0], 1);
}

/* ---- tessellation */

static unsigned hs_instance_calls[16], hs_handles_right;

static void set_tess(unsigned domain, unsigned output, unsigned mode, unsigned instances)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_HS, 9);

    SET(dw, 3DSTATE_HS, Enable, 1);
    SET(dw, 3DSTATE_HS, KernelStartPointer, KERNEL_HS);
    SET(dw, 3DSTATE_HS, InstanceCount, instances - 1);
    SET(dw, 3DSTATE_HS, DispatchMode, mode);
    SET(dw, 3DSTATE_HS, IncludeVertexHandles, 1);
    SET(dw, 3DSTATE_HS, IncludePrimitiveID, 1);
    SET(dw, 3DSTATE_HS, DispatchGRFStartRegisterForURBData, 8);
    SET(dw, 3DSTATE_HS, MaximumNumberOfThreads, 335);
    SET(dw, 3DSTATE_HS, StatisticsEnable, 1);
    front_set(&f, C_3DSTATE_HS, 9);
    dw = front_command(&f, C_3DSTATE_TE, 4);
    SET(dw, 3DSTATE_TE, TEEnable, 1);
    SET(dw, 3DSTATE_TE, TEDomain, domain);
    SET(dw, 3DSTATE_TE, OutputTopology, output);
    SET(dw, 3DSTATE_TE, MaximumTessellationFactorOdd, float_bits(63));
    SET(dw, 3DSTATE_TE, MaximumTessellationFactorNotOdd, float_bits(64));
    front_set(&f, C_3DSTATE_TE, 4);
    dw = front_command(&f, C_3DSTATE_DS, 11);
    SET(dw, 3DSTATE_DS, Enable, 1);
    SET(dw, 3DSTATE_DS, KernelStartPointer, KERNEL_DS);
    SET(dw, 3DSTATE_DS, DispatchGRFStartRegisterForURBData, 5);
    SET(dw, 3DSTATE_DS, PatchURBEntryReadLength, 2);
    SET(dw, 3DSTATE_DS, ComputeWCoordinateEnable, 1);
    SET(dw, 3DSTATE_DS, MaximumNumberOfThreads, 335);
    SET(dw, 3DSTATE_DS, StatisticsEnable, 1);
    front_set(&f, C_3DSTATE_DS, 11);
    dw = front_command(&f, C_3DSTATE_URB_HS, 2);
    SET(dw, 3DSTATE_URB_HS, HSURBEntryAllocationSize, 0);
    front_set(&f, C_3DSTATE_URB_HS, 2);
    dw = front_command(&f, C_3DSTATE_URB_DS, 2);
    SET(dw, 3DSTATE_URB_DS, DSURBEntryAllocationSize, 0);
    front_set(&f, C_3DSTATE_URB_DS, 2);
    set_topology(TOPO_PATCHLIST_1 + 3);
}

static float hs_factor;

/* Writes the header with equal factors, and 64 + the patch's number behind it. Only lane 0 counts. */
static void write_patch(struct eu_thread *t, uint32_t handle, uint32_t id, unsigned lane)
{
    struct eu_message m = {
        .sfid = EU_SFID_URB, .exec_size = 8, .mlen = 9, .mask = 1u << lane, .src0 = t->grf + 100 * EU_REG_BYTES};

    double_reg(t, 100)[lane] = handle;
    for (unsigned i = 0; i < 8; i++)
        double_reg(t, 101 + i)[lane] = float_bits(hs_factor);
    m.desc = URB_WRITE(0u);
    assert_int_equal(t->host->message(t, &m), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        double_reg(t, 101 + i)[lane] = 64 + id;
    m.desc = URB_WRITE(2u);
    assert_int_equal(t->host->message(t, &m), EU_DONE);
}

#define BARRIER_OF(n) ((n) << 9 | 1u << 15)

/* Instances of a patch meet; the last one to go on writes. */
static enum eu_result hs_single(struct eu_thread *t)
{
    unsigned instance = double_reg(t, 0)[2] >> 17;

    if (t->ip == 0) {
        __atomic_fetch_add(&hs_instance_calls[instance % 16], 1, __ATOMIC_RELAXED);
        for (unsigned i = 0; i < 4; i++) {
            double_reg(t, 100)[i] = double_reg(t, 1)[i];
            double_reg(t, 100)[i + 4] = 0;
        }
        assert_int_equal(double_send(t, EU_SFID_URB, URB_READ(1u), 100, 1, 90, 1), EU_DONE);
        for (unsigned i = 0; i < 4; i++)
            if (double_reg(t, 90)[i] == float_bits((float)(4 * double_reg(t, 0)[1] + i)))
                __atomic_fetch_add(&hs_handles_right, 1, __ATOMIC_RELAXED);
        memset(double_reg(t, 90), 0, 32);
        double_reg(t, 90)[2] = BARRIER_OF(3u);
        assert_int_equal(double_send(t, EU_SFID_GATEWAY, 4, 90, 1, 0, 0), EU_DONE);
        t->ip = 1;
    }
    if (!t->notified)
        return EU_WAIT;
    t->notified--;
    write_patch(t, double_reg(t, 0)[0], double_reg(t, 0)[1], 0);
    return EU_DONE;
}

static enum eu_result hs_eight(struct eu_thread *t)
{
    for (unsigned lane = 0; lane < 8; lane++)
        if (t->dispatch_mask & 1u << lane)
            write_patch(t, double_reg(t, 1)[lane], double_reg(t, 2)[lane], lane);
    return EU_DONE;
}

/* Position: u, v; attribute: what the hull shader left for the patch (second register of its data), and w. */
static enum eu_result ds_place(struct eu_thread *t)
{
    memset(double_reg(t, 20), 0, 8 * 32);
    memcpy(double_reg(t, 24), double_reg(t, 1), 32);
    memcpy(double_reg(t, 25), double_reg(t, 2), 32);
    assert_int_equal(urb_write(t, 0, 4, 20), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        double_reg(t, 20)[i] = double_reg(t, 6)[0];
    return urb_write(t, 2, 4, 20);
}

static void expect_patches(unsigned patches, unsigned per)
{
    double sum = 0;

    assert_int_equal(ndrawn, patches * per);
    for (unsigned i = 0; i < ndrawn; i++) {
        const struct drawn *d = &drawn[i];

        assert_int_equal(d->id, i / per);
        assert_int_equal(d->attribute[0], 64 + i / per);
        sum += (double)((d->x[1] - d->x[0]) * (d->y[2] - d->y[0]) - (d->x[2] - d->x[0]) * (d->y[1] - d->y[0])) / 2;
    }
    assert_true(fabs(sum - patches) < 1e-3);
    assert_int_equal(f.e.unknown, 0);
}

static void a_patch_is_tessellated(void **state)
{
    (void)state;
    memset(hs_instance_calls, 0, sizeof(hs_instance_calls));
    hs_handles_right = 0;
    hs_factor = 4;
    double_kernel[KERNEL_HS].run = hs_single;
    double_kernel[KERNEL_DS].run = ds_place;
    set_tess(0, 2, 0, 3);
    draw(100);
    expect_patches(25, 32);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(hs_instance_calls[i], 25);
    assert_int_equal(hs_handles_right, 3 * 100);
    assert_int_equal(f.e.count.hs_invocations, 25);
    assert_int_equal(f.e.count.ds_invocations, 25 * 25);
}

static void eight_patches_share_a_thread(void **state)
{
    (void)state;
    hs_factor = 2;
    double_kernel[KERNEL_HS].run = hs_eight;
    double_kernel[KERNEL_DS].run = ds_place;
    set_tess(0, 2, 2, 1);
    draw(4 * 19);
    expect_patches(19, 8);
}

static void patches_larger_than_the_urb_come_in_pieces(void **state)
{
    (void)state;
    hs_factor = 64;
    double_kernel[KERNEL_HS].run = hs_eight;
    double_kernel[KERNEL_DS].run = ds_place;
    set_tess(0, 2, 2, 1);
    uint32_t *dw = front_command(&f, C_3DSTATE_URB_DS, 2);

    SET(dw, 3DSTATE_URB_DS, DSURBEntryAllocationSize, 511);
    front_set(&f, C_3DSTATE_URB_DS, 2);
    draw(8);
    expect_patches(2, 2 * 64 * 64);
}

static void culled_patches_draw_nothing(void **state)
{
    (void)state;
    hs_factor = 0;
    double_kernel[KERNEL_HS].run = hs_eight;
    double_kernel[KERNEL_DS].run = ds_place;
    set_tess(0, 2, 2, 1);
    draw(100);
    assert_int_equal(ndrawn, 0);
    assert_int_equal(f.e.count.ds_invocations, 0);
}

static void tessellated_triangles_reach_the_geometry_shader(void **state)
{
    const struct gs_spec s = {.units = 2,
                              .static_count = 3,
                              .vertex_oword = 2,
                              .topology = TOPO_TRISTRIP,
                              .instances = 1,
                              .start = 5,
                              .handles = true};

    (void)state;
    hs_factor = 2;
    double_kernel[KERNEL_HS].run = hs_eight;
    double_kernel[KERNEL_DS].run = ds_place;
    set_tess(1, 1, 2, 1); /* lines do not come from triangles: nothing is made of them */
    draw(8);
    assert_int_equal(ndrawn, 0);
    set_tess(1, 2, 2, 1);
    set_gs(&s, gs_copy_triangle);
    draw(8);
    assert_int_equal(ndrawn, 2 * 6);
    assert_int_equal(f.e.count.gs_invocations, 12);
}

static void patches_without_tessellation_draw_nothing(void **state)
{
    (void)state;
    set_topology(TOPO_PATCHLIST_1 + 2);
    draw(9);
    assert_int_equal(ndrawn, 0);
}

int main(void)
{
#define ONE(name)  cmocka_unit_test_setup_teardown(name, open_one, close_geometry)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, open_four, close_geometry)
    const struct CMUnitTest tests[] = {
        ONE(a_geometry_shader_gets_and_gives_vertices),
        FOUR(a_geometry_shader_gets_and_gives_vertices),
        ONE(odd_triangles_come_in_the_order_asked_for),
        ONE(counts_cuts_and_instances),
        ONE(a_count_beyond_the_entry_is_cut_off),
        ONE(vertices_are_written_where_declarations_say),
        ONE(primitives_that_do_not_fit_are_only_counted),
        ONE(offsets_go_on_and_can_be_taken_from_memory),
        ONE(strips_are_written_in_the_order_asked_for),
        ONE(streams_are_counted_apart_and_one_is_drawn),
        ONE(other_streams_are_not_drawn_without_stream_output_either),
        ONE(discarded_draws_still_write_streams),
        ONE(a_patch_is_tessellated),
        FOUR(a_patch_is_tessellated),
        FOUR(eight_patches_share_a_thread),
        ONE(patches_larger_than_the_urb_come_in_pieces),
        ONE(culled_patches_draw_nothing),
        ONE(tessellated_triangles_reach_the_geometry_shader),
        ONE(patches_without_tessellation_draw_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
