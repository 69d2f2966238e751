/* The geometry half from indices to primitives: vertex shader, topologies, cuts, instances, interruption. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static void triangles_go_through_the_vertex_shader(void **state)
{
    (void)state;
    draw(7);
    assert_string_equal(drawn_text(), "0 1 2, 3 4 5");
    assert_int_equal(drawn[1].kind, SOFT_TRIANGLE);
    assert_true(drawn[1].y[2] == -5);
    assert_int_equal(drawn[1].attribute[0], 1003);
    assert_int_equal(drawn[1].id, 1);
    assert_int_equal(drawn[1].edges, 7);
    assert_int_equal(flushed, 2);
    assert_int_equal(vue_dwords, 16);
    assert_int_equal(f.e.count.ia_vertices, 7);
    assert_int_equal(f.e.count.ia_primitives, 2);
    assert_int_equal(f.e.count.vs_invocations, 6);
    assert_int_equal(f.e.unknown, 0);
}

/* Mesa's copies and clears: elements are the vertex, header included. */
static void without_vertex_shader_elements_are_the_vertex(void **state)
{
    static const struct front_element el[] = {{0, 0, 0, {ZERO, ZERO, ZERO, ZERO}},
                                              {0, R32G32_FLOAT, 0, {SRC, SRC, ZERO, ONE_F}},
                                              {0, R32_UINT, 8, {SRC, ZERO, ZERO, ZERO}}};

    (void)state;
    set_vs(false);
    front_elements(&f, el, 3);
    set_topology(TOPO_RECTLIST);
    draw(6);
    assert_string_equal(drawn_text(), "0 1 2, 3 4 5");
    assert_int_equal(drawn[0].kind, SOFT_RECT);
    assert_int_equal(drawn[1].attribute[2], 1005);
    assert_int_equal(f.e.count.vs_invocations, 0);
}

static void an_entry_is_as_long_as_its_elements(void **state)
{
    struct front_element el[20];

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        el[i] = (struct front_element){0, R32G32_FLOAT, 0, {SRC, SRC, ZERO, ONE_F}};
    set_vs(false);
    front_elements(&f, el, 20);
    draw(3);
    assert_int_equal(vue_dwords, 80);
    assert_string_equal(drawn_text(), "0 1 2");
}

static void indexed_vertices_are_shaded_once(void **state)
{
    static const uint16_t index[] = {0, 1, 2, 2, 1, 3, 3, 1, 0};

    (void)state;
    set_indices(index, 9);
    draw_indexed(9);
    assert_string_equal(drawn_text(), "0 1 2, 2 1 3, 3 1 0");
    assert_int_equal(f.e.count.vs_invocations, 4);
    assert_int_equal(f.e.count.ia_vertices, 9);
}

static void cuts_begin_new_strips_and_numbers_go_on(void **state)
{
    static const uint16_t index[] = {0xffff, 0, 1, 2, 3, 0xffff, 4, 5, 0xffff, 0xffff, 6, 7, 8, 0xffff};

    (void)state;
    front_cut(&f, true, 0xffff);
    set_indices(index, 14);
    set_topology(TOPO_TRISTRIP);
    draw_indexed(14);
    assert_string_equal(drawn_text(), "0 1 2, 2 1 3, 6 7 8");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(drawn[i].id, i);
    assert_int_equal(f.e.count.ia_vertices, 9);
    ndrawn = 0;
    front_cut(&f, false, 0xffff);
    draw_indexed(4);
    assert_string_equal(drawn_text(), "0 0 1, 1 0 2"); /* index 0xffff is outside of the buffer */
}

static void fans_and_loops_keep_their_origin(void **state)
{
    static const uint16_t index[] = {9, 8, 7, 0xffff, 1, 2, 3, 4};

    (void)state;
    front_cut(&f, true, 0xffff);
    set_indices(index, 8);
    set_topology(TOPO_TRIFAN);
    draw_indexed(8);
    assert_string_equal(drawn_text(), "9 8 7, 1 2 3, 1 3 4");
    assert_int_equal(drawn[1].provoking, 1);
    ndrawn = 0;
    set_topology(TOPO_LINELOOP);
    draw_indexed(8);
    assert_string_equal(drawn_text(), "9 8, 8 7, 7 9, 1 2, 2 3, 3 4, 4 1");
}

static void adjacent_vertices_are_left_out(void **state)
{
    (void)state;
    set_topology(TOPO_TRILIST_ADJ);
    draw(6);
    set_topology(TOPO_LINELIST_ADJ);
    draw(4);
    assert_string_equal(drawn_text(), "0 2 4, 1 2");
}

static void the_provoking_vertex_is_the_states(void **state)
{
    (void)state;
    set_clipping(2, 1, 2);
    set_topology(TOPO_TRISTRIP);
    draw(4);
    assert_true(drawn[0].x[drawn[0].provoking] == 2);
    assert_true(drawn[1].x[drawn[1].provoking] == 3);
    set_clipping(0, 0, 1);
    ndrawn = 0;
    draw(4);
    assert_true(drawn[1].x[drawn[1].provoking] == 1);
}

static void edge_flags_hide_edges(void **state)
{
    static const struct front_element el[] = {{0, R32G32_FLOAT, 0, {SRC, SRC, ZERO, ONE_F}},
                                              {0, R32_UINT, 8, {SRC, ZERO, ZERO, ZERO}},
                                              {1, R32_UINT, 0, {SRC, ZERO, ZERO, ZERO}, .edge_flag = true}};

    (void)state;
    ((uint32_t *)front_at(&f, CONSTANTS))[0] = 1;
    ((uint32_t *)front_at(&f, CONSTANTS))[2] = 1;
    front_vertex_buffer(&f, 1, CONSTANTS, 64, 4);
    front_elements(&f, el, 3);
    draw(3);
    assert_int_equal(drawn[0].edges, 5);
}

static void instances_have_their_numbers(void **state)
{
    (void)state;
    set_topology(TOPO_POINTLIST);
    primitive(false, 3, 3);
    SET(f.dw, 3DPRIMITIVE, StartVertexLocation, 10);
    assert_true(draw_command());
    assert_string_equal(drawn_text(), "10, 11, 12, 10, 11, 12, 10, 11, 12");
    assert_int_equal(drawn[5].id, 2);
    assert_int_equal(f.e.count.ia_vertices, 9);
    assert_int_equal(f.e.count.vs_invocations, 9);
}

static void indirect_parameters_come_from_registers(void **state)
{
    static const struct {
        enum reg_id reg;
        uint32_t value;
    } params[] = {{R_3DPRIM_VERTEX_COUNT, 3}, {R_3DPRIM_START_VERTEX, 2}, {R_3DPRIM_INSTANCE_COUNT, 2}};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(params); i++)
        vgpu_exec_reg_write(&f.rig.x, reg_off(params[i].reg, VGPU_RCS, 0), params[i].value);
    primitive(false, 9, 9);
    SET(f.dw, 3DPRIMITIVE, IndirectParameterEnable, 1);
    assert_true(draw_command());
    assert_string_equal(drawn_text(), "2 3 4, 2 3 4");
}

/* ---- constants */

static uint32_t pushed[8];

static enum eu_result vs_constants(struct eu_thread *t)
{
    for (unsigned i = 0; i < 4; i++)
        pushed[i] = double_reg(t, 2 + i)[0];
    pushed[4] = double_reg(t, 6)[1]; /* vertex data behind them: x of lane 1 */
    return EU_DONE;
}

static void set_constants(void)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_CONSTANT_VS, 11) + 1;
    uint32_t *data = front_at(&f, CONSTANTS);

    for (unsigned i = 0; i < 64; i++)
        data[i] = i;
    for (unsigned i = 0; i < 4; i++)
        set_field(dw, ((F_3DSTATE_CONSTANT_BODY__ReadLength >> 16) + 16 * i) << 16 | (15 + 16 * i), i == 1 ? 2 : i < 3);
    for (unsigned i = 0; i < 4; i++)
        set_field(dw, (69u + 64 * i) << 16 | (127 + 64 * i), (RIG_MEMORY + CONSTANTS + 64 * (2 - i)) >> 5);
    front_set(&f, C_3DSTATE_CONSTANT_VS, 11);
}

static void constants_come_from_four_buffers_and_before_vertices(void **state)
{
    (void)state;
    double_kernel[KERNEL_VS].run = vs_constants;
    vgpu_exec_reg_write(&f.rig.x, reg_off(R_CS_DEBUG_MODE2, VGPU_RCS, 0), 0x10);
    set_constants();
    draw(3);
    assert_int_equal(pushed[0], 32);
    assert_int_equal(pushed[1], 16);
    assert_int_equal(pushed[2], 24);
    assert_int_equal(pushed[3], 0);
    assert_int_equal(pushed[4], 0x3f800000);
}

static void constant_buffer_0_is_an_offset_unless_a_register_says_otherwise(void **state)
{
    uint32_t *dw = front_command(&f, C_STATE_BASE_ADDRESS, 19);

    (void)state;
    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddress, UINT64_C(0xfffffffff)); /* 4 KiB before 0 */
    front_set(&f, C_STATE_BASE_ADDRESS, 19);
    double_kernel[KERNEL_VS].run = vs_constants;
    set_constants();
    memset(front_at(&f, CONSTANTS - 4096 + 128), 0x55, 4);
    draw(3);
    assert_int_equal(pushed[0], 0x55555555);
    assert_int_equal(pushed[1], 16);
}

/* ---- large draws */

static void fill_large_indices(uint16_t *index, unsigned n)
{
    srand(7);
    for (unsigned i = 0; i < n; i++)
        index[i] = rand() % 50 == 0 ? 0xffff : (uint16_t)(rand() % 5000);
}

#define LARGE 60000u

static void set_large(unsigned topology)
{
    uint16_t *index = front_at(&f, INDICES);

    set_vertices(5000);
    fill_large_indices(index, LARGE);
    front_index_buffer(&f, INDICES, 2 * LARGE, 1);
    front_cut(&f, true, 0xffff);
    set_topology(topology);
}

/* The list that a simple loop makes. */
static unsigned expected_strip(unsigned from, struct drawn *out)
{
    const uint16_t *index = front_at(&f, INDICES);
    unsigned n = 0;

    for (unsigned i = from, run = 0; i < LARGE; i++, run++) {
        if (index[i] == 0xffff)
            run = UINT32_MAX;
        else if (run >= 2) {
            bool odd = run % 2;

            out[n].x[0] = index[odd ? i - 1 : i - 2];
            out[n].x[1] = index[odd ? i - 2 : i - 1];
            out[n].x[2] = index[i];
            out[n].id = n;
            n++;
        }
    }
    return n;
}

static struct drawn wanted[MAX_DRAWN];

static void expect_large(unsigned n)
{
    assert_int_equal(ndrawn, n);
    for (unsigned i = 0; i < n; i++) {
        assert_true(drawn[i].x[0] == wanted[i].x[0] && drawn[i].x[1] == wanted[i].x[1] &&
                    drawn[i].x[2] == wanted[i].x[2]);
        assert_int_equal(drawn[i].id, wanted[i].id);
    }
}

static void large_draws_are_whole_for_any_number_of_workers(void **state)
{
    (void)state;
    set_large(TOPO_TRISTRIP);
    draw_indexed(LARGE);
    expect_large(expected_strip(0, wanted));
    assert_int_equal(f.e.unknown, 0);
}

static void an_interrupted_draw_goes_on_where_it_was(void **state)
{
    unsigned calls = 0;

    (void)state;
    set_large(TOPO_TRISTRIP);
    primitive(true, LARGE, 1);
    do {
        f.rig.x.stops = 0;
        f.rig.x.stop_after = 1 + calls % 5;
        calls++;
    } while (!draw_command());
    assert_true(calls > 10);
    expect_large(expected_strip(0, wanted));
}

/* In the middle of batches, while tiles are drawn: each primitive is drawn once, and counted once. Batches that were
 * cut short because the engine was wanted come again as they were. */
static void a_batch_that_was_interrupted_goes_on_with_its_tiles(void **state)
{
    struct soft_counters whole;
    unsigned calls = 0;

    (void)state;
    set_large(TOPO_TRISTRIP);
    set_statistics();
    draw_indexed(LARGE);
    whole = f.e.count;
    memset(&f.e.count, 0, sizeof(f.e.count));
    ndrawn = 0;
    primitive(true, LARGE, 1);
    do {
        f.rig.x.stops = 0;
        f.rig.x.stop_after = calls % 3 ? 0 : 1;
        tiles_left = 2 + calls * 37 % 500;
        calls++;
    } while (!draw_command());
    tiles_left = 0;
    assert_true(calls > 10);
    expect_large(expected_strip(0, wanted));
    assert_int_equal(f.e.count.ia_primitives, whole.ia_primitives);
    assert_int_equal(f.e.count.ia_vertices, whole.ia_vertices);
}

/* The indices of an interrupted batch are cuts all of a sudden: it ends when the engine is wanted. */
static void a_batch_that_changed_meanwhile_ends(void **state)
{
    (void)state;
    set_large(TOPO_TRISTRIP);
    primitive(true, LARGE, 1);
    tiles_left = 10;
    assert_false(draw_command());
    tiles_left = 0;
    front_cut(&f, true, 0);
    front_index_buffer(&f, INDICES, 0, 1);
    f.rig.x.stops = 0;
    f.rig.x.stop_after = 1;
    draw_command();
    assert_int_equal(ndrawn, 9);
}

static enum eu_result run_away(struct eu_thread *t)
{
    (void)t;
    return EU_BUDGET;
}

static void a_shader_that_never_ends_can_be_stopped(void **state)
{
    (void)state;
    double_kernel[KERNEL_VS].run = run_away;
    primitive(false, 9, 1);
    f.rig.x.stop_after = 100;
    assert_false(draw_command());
    assert_int_equal(ndrawn, 0);
}

/* Nothing but cuts: 2^32 of them. */
static void endless_cuts_can_be_stopped(void **state)
{
    (void)state;
    front_cut(&f, true, 0);
    front_index_buffer(&f, INDICES, 0, 1);
    primitive(true, UINT32_MAX, UINT32_MAX);
    for (unsigned i = 0; i < 3; i++) {
        f.rig.x.stops = 0;
        f.rig.x.stop_after = 1000;
        assert_false(draw_command());
    }
    assert_int_equal(ndrawn, 0);
}

static void any_state_is_safe(void **state)
{
    (void)state;
    srand(8);
    for (unsigned i = 0; i < 1500; i++) {
        for (unsigned k = 0; k < SOFT_STATE_DWORDS; k++)
            if (i % 2 || rand() % 8 == 0)
                f.state.dw[k] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        set_topology((unsigned)rand() % 64);
        front_command(&f, C_3DPRIMITIVE, 7);
        for (unsigned k = 1; k < 7; k++)
            f.dw[k] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        f.rig.x.stops = 0;
        f.rig.x.stop_after = 2;
        soft_geometry_draw(g, f.dw);
    }
}

int main(void)
{
#define ONE(name)  cmocka_unit_test_setup_teardown(name, open_one, close_geometry)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, open_four, close_geometry)
    const struct CMUnitTest tests[] = {
        ONE(triangles_go_through_the_vertex_shader),
        ONE(without_vertex_shader_elements_are_the_vertex),
        ONE(an_entry_is_as_long_as_its_elements),
        ONE(indexed_vertices_are_shaded_once),
        ONE(cuts_begin_new_strips_and_numbers_go_on),
        ONE(fans_and_loops_keep_their_origin),
        ONE(adjacent_vertices_are_left_out),
        ONE(the_provoking_vertex_is_the_states),
        ONE(edge_flags_hide_edges),
        ONE(instances_have_their_numbers),
        ONE(indirect_parameters_come_from_registers),
        ONE(constants_come_from_four_buffers_and_before_vertices),
        ONE(constant_buffer_0_is_an_offset_unless_a_register_says_otherwise),
        ONE(large_draws_are_whole_for_any_number_of_workers),
        FOUR(large_draws_are_whole_for_any_number_of_workers),
        ONE(an_interrupted_draw_goes_on_where_it_was),
        FOUR(an_interrupted_draw_goes_on_where_it_was),
        FOUR(a_batch_that_was_interrupted_goes_on_with_its_tiles),
        ONE(a_batch_that_changed_meanwhile_ends),
        FOUR(a_shader_that_never_ends_can_be_stopped),
        ONE(endless_cuts_can_be_stopped),
        ONE(any_state_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
