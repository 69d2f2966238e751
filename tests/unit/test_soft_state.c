/* The kept state of the render engine: what is kept, what is merged, and that no guest's number leads outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "mediator/soft/state.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

static struct soft_state s;
static struct soft_stamps t;

static int fresh(void **state)
{
    (void)state;
    memset(&s, 0, sizeof(s));
    memset(&t, 0, sizeof(t));
    return 0;
}

static uint32_t header(int id, unsigned n)
{
    return cmd_table[id].op | (n - cmd_table[id].bias);
}

static void every_kept_command_has_room_for_its_shortest_form(void **state)
{
    (void)state;
    for (int id = 0; id < C_COUNT; id++) {
        unsigned n, need = cmd_table[id].min_len ? cmd_table[id].min_len : cmd_table[id].bias;

        if (!soft_state_keeps(id))
            continue;
        assert_int_equal(cmd_table[id].klass, CMD_RENDER);
        assert_non_null(soft_state_get(&s, id, &n));
        assert_true(n >= need);
    }
}

static void commands_that_act_are_not_kept(void **state)
{
    static const int acts[] = {C_3DPRIMITIVE,      C_GPGPU_WALKER, C_MEDIA_OBJECT, C_PIPE_CONTROL,
                               C_3DSTATE_WM_HZ_OP, C_MI_NOOP,      C_XY_COLOR_BLT, C_MEDIA_STATE_FLUSH};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(acts); i++) {
        unsigned n = 1;

        assert_false(soft_state_keeps(acts[i]));
        assert_null(soft_state_get(&s, acts[i], &n));
        assert_int_equal(n, 0);
    }
    assert_false(soft_state_keeps(-1));
    assert_false(soft_state_keeps(C_COUNT));
}

static void a_state_command_replaces_the_last_one_and_is_stamped(void **state)
{
    uint32_t dw[12];
    unsigned n;

    (void)state;
    memset(dw, 0xa5, sizeof(dw));
    dw[0] = header(C_3DSTATE_PS, 12);
    soft_state_set(&s, &t, C_3DSTATE_PS, dw, 12);
    assert_memory_equal(soft_state_get(&s, C_3DSTATE_PS, &n), dw, sizeof(dw));
    uint32_t stamp = t.cmd[C_3DSTATE_PS];

    assert_int_equal(stamp, t.now);
    assert_int_equal(t.cmd[C_3DSTATE_VS], 0);
    /* shorter: what is not given is zero; longer: what there is no room for is dropped */
    soft_state_set(&s, &t, C_3DSTATE_PS, dw, 2);
    assert_int_equal(soft_state_get(&s, C_3DSTATE_PS, NULL)[1], dw[1]);
    assert_int_equal(soft_state_get(&s, C_3DSTATE_PS, NULL)[2], 0);
    assert_true(t.cmd[C_3DSTATE_PS] > stamp);

    uint32_t big[64];

    memset(big, 0x5a, sizeof(big));
    soft_state_set(&s, &t, C_3DSTATE_VF_TOPOLOGY, big, 64);
    assert_int_equal(soft_state_get(&s, C_3DSTATE_VF_TOPOLOGY, NULL)[1], 0x5a5a5a5a);
    assert_int_equal(soft_state_get(&s, C_3DSTATE_PS, NULL)[1], dw[1]);
}

static void bases_change_where_the_modify_enables_say(void **state)
{
    uint32_t dw[19] = {header(C_STATE_BASE_ADDRESS, 19)};

    (void)state;
    dw[4] = 0x10001, dw[5] = 0x2; /* surface */
    dw[6] = 0x30000, dw[7] = 0x4; /* dynamic, without the enable */
    dw[10] = 0x50001;             /* instruction */
    dw[16] = 0x70001;             /* bindless */
    dw[18] = 0x1000;
    soft_state_set(&s, &t, C_STATE_BASE_ADDRESS, dw, 19);
    assert_true(soft_state_base(&s, SOFT_BASE_SURFACE) == 0x200010000);
    assert_true(soft_state_base(&s, SOFT_BASE_DYNAMIC) == 0);
    assert_true(soft_state_base(&s, SOFT_BASE_INSTRUCTION) == 0x50000);
    assert_true(soft_state_base(&s, SOFT_BASE_BINDLESS) == 0x70000);
    memset(dw + 1, 0, sizeof(dw) - 4);
    dw[6] = 0x30001;
    soft_state_set(&s, &t, C_STATE_BASE_ADDRESS, dw, 19);
    assert_true(soft_state_base(&s, SOFT_BASE_SURFACE) == 0x200010000);
    assert_true(soft_state_base(&s, SOFT_BASE_DYNAMIC) == 0x30000);
    assert_true(soft_state_base(&s, SOFT_BASE_GENERAL) == 0);
    assert_true(soft_state_base(&s, SOFT_BASE_INDIRECT) == 0);
    assert_int_equal(soft_state_get(&s, C_STATE_BASE_ADDRESS, NULL)[18], 0x1000);
}

static void the_pipeline_changes_under_its_mask(void **state)
{
    uint32_t dw = cmd_table[C_PIPELINE_SELECT].op | 0x302;

    (void)state;
    soft_state_set(&s, &t, C_PIPELINE_SELECT, &dw, 1);
    assert_int_equal(FIELD_GET(soft_state_get(&s, C_PIPELINE_SELECT, NULL), PIPELINE_SELECT, PipelineSelection), 2);
    dw = cmd_table[C_PIPELINE_SELECT].op | 0x1010;
    soft_state_set(&s, &t, C_PIPELINE_SELECT, &dw, 1);
    assert_int_equal(soft_state_get(&s, C_PIPELINE_SELECT, NULL)[0] & 0xff, 0x12);
}

static uint32_t buffer_dw0(unsigned index, unsigned pitch, bool modify)
{
    return index << 26 | (modify ? 1u << 14 : 0) | pitch;
}

static void vertex_buffers_are_kept_by_their_index(void **state)
{
    uint32_t dw[9] = {header(C_3DSTATE_VERTEX_BUFFERS, 9),
                      buffer_dw0(32, 16, true),
                      0x1000,
                      0x1,
                      64,
                      buffer_dw0(63, 4, true),
                      0x9999,
                      0x9,
                      9};

    (void)state;
    soft_state_set(&s, &t, C_3DSTATE_VERTEX_BUFFERS, dw, 9);
    assert_memory_equal(soft_state_vertex_buffer(&s, 32), dw + 1, 16);
    assert_null(soft_state_vertex_buffer(&s, 33));
    for (unsigned i = 0; i < 32; i++)
        assert_int_equal(soft_state_vertex_buffer(&s, i)[0], 0);
    /* the pitch alone */
    dw[1] = buffer_dw0(32, 8, false);
    dw[2] = 0x7777;
    soft_state_set(&s, &t, C_3DSTATE_VERTEX_BUFFERS, dw, 5);
    assert_int_equal(FIELD_GET(soft_state_vertex_buffer(&s, 32), VERTEX_BUFFER_STATE, BufferPitch), 8);
    assert_int_equal(soft_state_vertex_buffer(&s, 32)[1], 0x1000);
}

static void elements_are_as_many_as_the_last_command_had(void **state)
{
    uint32_t dw[1 + 100];

    (void)state;
    assert_int_equal(soft_state_vertex_elements(&s), 0);
    memset(dw, 0x11, sizeof(dw));
    dw[0] = header(C_3DSTATE_VERTEX_ELEMENTS, 7);
    soft_state_set(&s, &t, C_3DSTATE_VERTEX_ELEMENTS, dw, 7);
    assert_int_equal(soft_state_vertex_elements(&s), 3);
    assert_int_equal(soft_state_vertex_element(&s, 2)[1], 0x11111111);
    assert_int_equal(soft_state_vertex_element(&s, 3)[0], 0);
    dw[0] = header(C_3DSTATE_VERTEX_ELEMENTS, 101);
    soft_state_set(&s, &t, C_3DSTATE_VERTEX_ELEMENTS, dw, 101);
    assert_int_equal(soft_state_vertex_elements(&s), 34);
    assert_null(soft_state_vertex_element(&s, 34));
}

static void instancing_and_stream_output_are_kept_by_index(void **state)
{
    uint32_t vf[3] = {header(C_3DSTATE_VF_INSTANCING, 3), 33 | 1 << 8, 7};
    uint32_t so[8] = {header(C_3DSTATE_SO_BUFFER, 8), 2u << 29, 1, 2, 3, 4, 5, 6};

    (void)state;
    soft_state_set(&s, &t, C_3DSTATE_VF_INSTANCING, vf, 3);
    assert_memory_equal(soft_state_indexed(&s, C_3DSTATE_VF_INSTANCING, 33), vf, sizeof(vf));
    assert_int_equal(soft_state_indexed(&s, C_3DSTATE_VF_INSTANCING, 32)[0], 0);
    assert_null(soft_state_indexed(&s, C_3DSTATE_VF_INSTANCING, 34));
    vf[1] = 63;
    soft_state_set(&s, &t, C_3DSTATE_VF_INSTANCING, vf, 3); /* no such element: nowhere */
    soft_state_set(&s, &t, C_3DSTATE_SO_BUFFER, so, 8);
    assert_memory_equal(soft_state_indexed(&s, C_3DSTATE_SO_BUFFER, 2), so, sizeof(so));
    assert_int_equal(soft_state_indexed(&s, C_3DSTATE_SO_BUFFER, 3)[0], 0);
    assert_null(soft_state_indexed(&s, C_3DSTATE_SO_BUFFER, 4));
    assert_null(soft_state_indexed(&s, C_3DSTATE_PS, 0));
}

static void a_loaded_state_marks_everything_as_changed(void **state)
{
    uint32_t before;

    (void)state;
    before = t.now;
    soft_stamps_all(&t);
    for (unsigned i = 0; i < C_COUNT; i++)
        assert_true(t.cmd[i] > before);
}

static void any_bytes_may_be_a_state(void **state)
{
    (void)state;
    memset(&s, 0xff, sizeof(s));
    assert_int_equal(soft_state_vertex_elements(&s), 34);
    for (unsigned b = SOFT_BASE_GENERAL; b <= SOFT_BASE_BINDLESS; b++)
        assert_int_equal(soft_state_base(&s, (enum soft_base)b) & 0xfff, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_kept_command_has_room_for_its_shortest_form, fresh),
        cmocka_unit_test_setup(commands_that_act_are_not_kept, fresh),
        cmocka_unit_test_setup(a_state_command_replaces_the_last_one_and_is_stamped, fresh),
        cmocka_unit_test_setup(bases_change_where_the_modify_enables_say, fresh),
        cmocka_unit_test_setup(the_pipeline_changes_under_its_mask, fresh),
        cmocka_unit_test_setup(vertex_buffers_are_kept_by_their_index, fresh),
        cmocka_unit_test_setup(elements_are_as_many_as_the_last_command_had, fresh),
        cmocka_unit_test_setup(instancing_and_stream_output_are_kept_by_index, fresh),
        cmocka_unit_test_setup(a_loaded_state_marks_everything_as_changed, fresh),
        cmocka_unit_test_setup(any_bytes_may_be_a_state, fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
