/* The vertex fetcher: formats, component controls, instancing, generated values, indices, bounds, and hostile state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediator/soft/vertex_fetch.h"
#include "tests/unit/front_fixture.h"

/* SURFACE_FORMAT of genxml. */
enum {
    R32G32B32A32_FLOAT = 0x000,
    R32G32B32_FLOAT = 0x040,
    R32G32_FLOAT = 0x085,
    R64_PASSTHRU = 0x0a1,
    R8G8B8A8_UNORM = 0x0c7,
    R16G16_SINT = 0x0ce,
    R32_UINT = 0x0d7,
    R8_UINT = 0x143,
    R8G8B8_SSCALED = 0x195,
    BC1_UNORM = 0x186,
    R10G10B10A2_SINT = 0x1b6,
    B10G10R10A2_SINT = 0x1bb
};
enum { NOSTORE, SRC, ZERO, ONE_F, ONE_I };

static struct front f;
static struct vertex_fetch vf;
static uint32_t out[VF_DWORDS + 4];

static int open_front(void **state)
{
    (void)state;
    front_open(&f, 1);
    memset(out, 0xee, sizeof(out));
    return 0;
}

static int close_front(void **state)
{
    (void)state;
    front_close(&f);
    return 0;
}

static void begin(const struct vf_draw *draw)
{
    vertex_fetch_begin(&vf, &f.state, draw);
}

static void fetch(uint32_t index, uint32_t instance)
{
    vertex_fetch_vertex(&vf, &f.e.worker[0].mem, index, instance, out);
}

static const struct vf_draw plain = {.vertices = 100, .instances = 1};

static uint32_t bits(float v)
{
    uint32_t u;

    memcpy(&u, &v, 4);
    return u;
}

#define EXPECT(i, a, b, c, d)                                                                                          \
    do {                                                                                                               \
        const uint32_t want[4] = {a, b, c, d};                                                                         \
        assert_memory_equal(out + 4 * (i), want, sizeof(want));                                                        \
    } while (0)

static void formats_and_controls(void **state)
{
    static const struct front_element el[] = {
        {0, R32G32_FLOAT, 0, {SRC, SRC, ZERO, ONE_F}},   {0, R8G8B8A8_UNORM, 8, {SRC, SRC, SRC, SRC}},
        {0, R16G16_SINT, 12, {SRC, SRC, SRC, SRC}},      {0, R64_PASSTHRU, 16, {SRC, SRC, ZERO, ZERO}},
        {0, R8G8B8_SSCALED, 24, {SRC, SRC, SRC, ONE_I}}, {0, R32G32B32_FLOAT, 0, {ZERO, ZERO, ZERO, SRC}},
    };
    const float xy[2] = {1.5f, -2};
    const uint8_t rgba[4] = {255, 0, 51, 255};
    const int16_t s[2] = {-3, 7};
    const uint64_t q = 0x0123456789abcdef;
    const int8_t scaled[3] = {-128, 5, 0};

    (void)state;
    memcpy(front_at(&f, 64), xy, 8);
    memcpy(front_at(&f, 72), rgba, 4);
    memcpy(front_at(&f, 76), s, 4);
    memcpy(front_at(&f, 80), &q, 8);
    memcpy(front_at(&f, 88), scaled, 3);
    front_vertex_buffer(&f, 0, 0, 1024, 32);
    front_elements(&f, el, GT_ARRAY_SIZE(el));
    begin(&plain);
    assert_int_equal(vertex_fetch_dwords(&vf), 24);
    fetch(2, 0);
    EXPECT(0, bits(1.5f), bits(-2), 0, bits(1));
    EXPECT(1, bits(1), 0, bits(0.2f), bits(1));
    EXPECT(2, (uint32_t)-3, 7, 0, 1);
    EXPECT(3, 0x89abcdef, 0x01234567, 0, 0);
    EXPECT(4, bits(-128), bits(5), 0, 1);
    EXPECT(5, 0, 0, 0, bits(1)); /* a component that the format has not */
    assert_int_equal(out[24], 0xeeeeeeee);
}

static void blue_comes_first_where_the_name_says_so(void **state)
{
    static const struct front_element el[] = {{0, R10G10B10A2_SINT, 0, {SRC, SRC, SRC, SRC}},
                                              {0, B10G10R10A2_SINT, 0, {SRC, SRC, SRC, SRC}}};
    const uint32_t v = 1u | 2u << 10 | 3u << 20 | 1u << 30;

    (void)state;
    memcpy(front_at(&f, 0), &v, 4);
    front_vertex_buffer(&f, 0, 0, 64, 4);
    front_elements(&f, el, GT_ARRAY_SIZE(el));
    begin(&plain);
    fetch(0, 0);
    EXPECT(0, 1, 2, 3, 1);
    EXPECT(1, 3, 2, 1, 1);
}

static void one_float(unsigned pitch, uint32_t size)
{
    static const struct front_element el = {3, R32_UINT, 0, {SRC, ONE_I, NOSTORE, SRC}};

    for (unsigned i = 0; i < 2048; i++)
        ((uint32_t *)front_at(&f, 0))[i] = 1000 + i;
    front_vertex_buffer(&f, 3, 0, size, pitch);
    front_elements(&f, &el, 1);
}

static void beyond_the_buffer_everything_is_zero(void **state)
{
    (void)state;
    one_float(4, 15);
    begin(&plain);
    fetch(2, 0);
    EXPECT(0, 1002, 1, 0, 1);
    fetch(3, 0); /* three of its four bytes are there */
    EXPECT(0, 0, 1, 0, 0);
    fetch(UINT32_MAX, 0);
    EXPECT(0, 0, 1, 0, 0);
}

static void a_null_buffer_and_a_missing_one_read_zero(void **state)
{
    static const struct front_element el[] = {{0, R32_UINT, 0, {SRC, ONE_I, ZERO, ZERO}},
                                              {60, R32_UINT, 0, {SRC, ONE_I, ZERO, ZERO}},
                                              {0, BC1_UNORM, 0, {SRC, ONE_I, ZERO, ZERO}},
                                              {0, 0x1ff, 0, {SRC, ONE_I, ZERO, ZERO}}};
    uint32_t *dw = front_command(&f, C_3DSTATE_VERTEX_BUFFERS, 5) + 1;

    (void)state;
    memset(front_at(&f, 0), 0xff, 64);
    SET(dw, VERTEX_BUFFER_STATE, AddressModifyEnable, 1);
    SET(dw, VERTEX_BUFFER_STATE, NullVertexBuffer, 1);
    SET(dw, VERTEX_BUFFER_STATE, BufferStartingAddress, RIG_MEMORY);
    SET(dw, VERTEX_BUFFER_STATE, BufferSize, 64);
    front_set(&f, C_3DSTATE_VERTEX_BUFFERS, 5);
    front_elements(&f, el, GT_ARRAY_SIZE(el));
    begin(&plain);
    fetch(0, 0);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(el); i++)
        EXPECT(i, 0, 1, 0, 0);
}

static void elements_may_cross_pages_and_be_unmapped(void **state)
{
    static const struct front_element el = {0, R32G32B32A32_FLOAT, 0, {SRC, SRC, SRC, SRC}};
    const uint32_t v[4] = {1, 2, 3, 4};

    (void)state;
    memcpy(front_at(&f, 4096 - 8), v, sizeof(v));
    front_vertex_buffer(&f, 0, 4096 - 8, 64, 16);
    front_elements(&f, &el, 1);
    begin(&plain);
    fetch(0, 0);
    EXPECT(0, 1, 2, 3, 4);
    front_vertex_buffer(&f, 0, RIG_BYTES - 8, 64, 16); /* half of it is mapped */
    begin(&plain);
    fetch(0, 0);
    EXPECT(0, 0, 0, 0, 0);
    assert_true(f.e.space.fault_count > 0);
}

static void base_and_first_vertex_move_addresses_but_not_numbers(void **state)
{
    static const struct front_element el[] = {{3, R32_UINT, 0, {SRC, ZERO, ZERO, ZERO}},
                                              {0, 0, 0, {ZERO, ZERO, ZERO, ZERO}}};
    uint32_t *dw;

    (void)state;
    one_float(4, 4096);
    front_elements(&f, el, 2);
    dw = front_command(&f, C_3DSTATE_VF_SGVS, 2);
    SET(dw, 3DSTATE_VF_SGVS, VertexIDEnable, 1);
    SET(dw, 3DSTATE_VF_SGVS, VertexIDElementOffset, 1);
    SET(dw, 3DSTATE_VF_SGVS, VertexIDComponentNumber, 2);
    SET(dw, 3DSTATE_VF_SGVS, InstanceIDEnable, 1);
    SET(dw, 3DSTATE_VF_SGVS, InstanceIDElementOffset, 1);
    SET(dw, 3DSTATE_VF_SGVS, InstanceIDComponentNumber, 3);
    front_set(&f, C_3DSTATE_VF_SGVS, 2);
    begin(&(struct vf_draw){.vertices = 9, .first = 10, .instances = 2, .first_instance = 40, .base_vertex = 77});
    fetch(5, 1);
    EXPECT(0, 1015, 0, 0, 0);
    EXPECT(1, 0, 0, 5, 1);
    begin(&(struct vf_draw){.indexed = true, .vertices = 9, .first = 10, .instances = 2, .base_vertex = -3});
    fetch(5, 1);
    EXPECT(0, 1002, 0, 0, 0);
    EXPECT(1, 0, 0, 5, 1);
    fetch(2, 0); /* before the buffer */
    EXPECT(0, 0, 0, 0, 0);
}

static void set_step(unsigned element, uint32_t step)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_VF_INSTANCING, 3);

    SET(dw, 3DSTATE_VF_INSTANCING, VertexElementIndex, element);
    SET(dw, 3DSTATE_VF_INSTANCING, InstancingEnable, 1);
    SET(dw, 3DSTATE_VF_INSTANCING, InstanceDataStepRate, step);
    front_set(&f, C_3DSTATE_VF_INSTANCING, 3);
}

static void instanced_elements_step_with_instances(void **state)
{
    static const struct front_element el[] = {{3, R32_UINT, 0, {SRC, ZERO, ZERO, ZERO}},
                                              {3, R32_UINT, 0, {SRC, ZERO, ZERO, ZERO}}};

    (void)state;
    one_float(4, 4096);
    front_elements(&f, el, 2);
    set_step(0, 3);
    set_step(1, 0);
    begin(&(struct vf_draw){.vertices = 9, .first = 10, .instances = 20, .first_instance = 100});
    fetch(5, 7);
    EXPECT(0, 1102, 0, 0, 0);
    EXPECT(1, 1100, 0, 0, 0);
}

static void invalid_elements_take_no_room(void **state)
{
    static const struct front_element el[] = {{3, R32_UINT, 0, {SRC, ZERO, ZERO, ZERO}},
                                              {3, R32_UINT, 0, {SRC, ZERO, ZERO, ZERO}, .invalid = true},
                                              {3, R32_UINT, 4, {SRC, ZERO, ZERO, ZERO}}};

    (void)state;
    one_float(4, 4096);
    front_elements(&f, el, 3);
    begin(&plain);
    assert_int_equal(vertex_fetch_dwords(&vf), 8);
    fetch(0, 0);
    EXPECT(1, 1001, 0, 0, 0);
}

static void the_edge_flag_is_not_stored(void **state)
{
    static const struct front_element el[] = {{3, R32_UINT, 0, {SRC, ZERO, ZERO, ZERO}},
                                              {4, R8_UINT, 0, {SRC, ZERO, ZERO, ZERO}, .edge_flag = true}};

    (void)state;
    one_float(4, 4096);
    ((uint8_t *)front_at(&f, 8192))[1] = 1;
    front_vertex_buffer(&f, 4, 8192, 16, 1);
    front_elements(&f, el, 2);
    begin(&plain);
    assert_int_equal(vertex_fetch_dwords(&vf), 4);
    assert_false(vertex_fetch_vertex(&vf, &f.e.worker[0].mem, 0, 0, out));
    assert_true(vertex_fetch_vertex(&vf, &f.e.worker[0].mem, 1, 0, out));
    assert_int_equal(out[0], 1001);
}

static void packing_stores_enabled_components_only(void **state)
{
    static const struct front_element el[] = {{3, R32G32_FLOAT, 0, {SRC, SRC, ONE_I, ONE_F}},
                                              {3, R32_UINT, 8, {SRC, ONE_I, ZERO, ZERO}}};
    uint32_t *dw;

    (void)state;
    one_float(4, 4096);
    front_elements(&f, el, 2);
    dw = front_command(&f, C_3DSTATE_VF_COMPONENT_PACKING, 5);
    SET(dw, 3DSTATE_VF_COMPONENT_PACKING, VertexElement00Enables, 0x6);
    SET(dw, 3DSTATE_VF_COMPONENT_PACKING, VertexElement01Enables, 0x1);
    front_set(&f, C_3DSTATE_VF_COMPONENT_PACKING, 5);
    dw = front_command(&f, C_3DSTATE_VF, 2);
    SET(dw, 3DSTATE_VF, ComponentPackingEnable, 1);
    front_set(&f, C_3DSTATE_VF, 2);
    begin(&plain);
    assert_int_equal(vertex_fetch_dwords(&vf), 3);
    fetch(0, 0);
    assert_int_equal(out[0], 1001);
    assert_int_equal(out[1], 1);
    assert_int_equal(out[2], 1002);
    assert_int_equal(out[3], 0xeeeeeeee);
}

static void indices_of_all_sizes(void **state)
{
    uint32_t index[3000];

    (void)state;
    for (unsigned size = 0; size < 3; size++) {
        uint32_t bytes = 2000u << size;

        for (unsigned i = 0; i < bytes; i++)
            ((uint8_t *)front_at(&f, 4000))[i] = (uint8_t)(i * 7);
        front_index_buffer(&f, 4000, bytes, size);
        begin(&(struct vf_draw){.indexed = true, .vertices = 3000, .first = 5, .instances = 1});
        vertex_fetch_indices(&vf, &f.e.worker[0].mem, 10, 2990, index);
        for (unsigned i = 0; i < 2990; i++) {
            uint32_t want = 0;

            for (unsigned b = 0; i + 15 < 2000 && b < 1u << size; b++)
                want |= (uint32_t)(uint8_t)((((i + 15) << size) + b) * 7) << 8 * b;
            assert_int_equal(index[i], want);
        }
    }
}

static void the_cut_index_has_the_width_of_the_indices(void **state)
{
    const struct vf_draw draw = {.indexed = true, .vertices = 3, .instances = 1};

    (void)state;
    front_cut(&f, true, UINT32_MAX);
    front_index_buffer(&f, 0, 16, 1);
    begin(&draw);
    assert_true(vf.cut_enable);
    assert_int_equal(vf.cut_index, 0xffff);
    front_index_buffer(&f, 0, 16, 0);
    begin(&draw);
    assert_int_equal(vf.cut_index, 0xff);
    begin(&plain);
    assert_false(vf.cut_enable);
}

static void any_state_is_safe(void **state)
{
    uint32_t index[300];

    (void)state;
    srand(3);
    for (unsigned i = 0; i < 3000; i++) {
        for (unsigned k = 0; k < SOFT_STATE_DWORDS; k++)
            f.state.dw[k] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        begin(&(struct vf_draw){true, (uint32_t)rand(), (uint32_t)rand(), 1, (uint32_t)rand(), rand()});
        assert_true(vertex_fetch_dwords(&vf) <= VF_DWORDS);
        for (unsigned k = 0; k < 4; k++)
            fetch((uint32_t)rand(), (uint32_t)rand());
        vertex_fetch_indices(&vf, &f.e.worker[0].mem, (uint32_t)rand(), 300, index);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_front, close_front)
    const struct CMUnitTest tests[] = {
        TEST(formats_and_controls),
        TEST(blue_comes_first_where_the_name_says_so),
        TEST(beyond_the_buffer_everything_is_zero),
        TEST(a_null_buffer_and_a_missing_one_read_zero),
        TEST(elements_may_cross_pages_and_be_unmapped),
        TEST(base_and_first_vertex_move_addresses_but_not_numbers),
        TEST(instanced_elements_step_with_instances),
        TEST(invalid_elements_take_no_room),
        TEST(the_edge_flag_is_not_stored),
        TEST(packing_stores_enabled_components_only),
        TEST(indices_of_all_sizes),
        TEST(the_cut_index_has_the_width_of_the_indices),
        TEST(any_state_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
