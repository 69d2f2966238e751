/* Depth and stencil tests and their buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "pixel_fixture.h"

static struct raster_state st;
static struct raster_prim p;

static int start(void **state)
{
    (void)state;
    fixture_start();
    memset(&st, 0, sizeof(st));
    memset(&p, 0, sizeof(p));
    p.depth_max = 1;
    p.polygon = true;
    st.samples = 1;
    st.ds.format = DEPTH_D32F;
    st.ds.depth = fixture_surface((struct fixture_surface){SOFT_FORMAT_R32_FLOAT, 3, 32, 32, 128, 0, 0});
    st.ds.stencil.type = SOFT_SURF_NULL;
    st.ds.test = st.ds.write = true;
    st.ds.func = COMPARE_LESS;
    return 0;
}

static float at(uint32_t x, uint32_t y)
{
    float z;

    soft_mem_read(&fixture_mem, soft_surface_address(&st.ds.depth, x, y, 0, 0, 0), &z, 4);
    return z;
}

static void put(uint32_t x, uint32_t y, float z)
{
    soft_mem_write(&fixture_mem, soft_surface_address(&st.ds.depth, x, y, 0, 0, 0), &z, 4);
}

/* All four pixels at one depth. */
static unsigned test_at(struct raster_quad *q, float z)
{
    struct depth_input in = {.computed = false};

    for (unsigned i = 0; i < 4 * RASTER_SAMPLES; i++)
        in.z[i] = z;
    return depth_test_quad(&st, &fixture_mem, &p, q, &in);
}

static struct raster_quad quad(uint16_t x, uint16_t y, uint16_t cover)
{
    return (struct raster_quad){x, y, {cover, cover, cover, cover}, {cover, cover, cover, cover}};
}

static void every_function_compares_as_it_says(void **state)
{
    static const bool want[8][3] = {/* new less, equal, greater */
                                    {1, 1, 1}, {0, 0, 0}, {1, 0, 0}, {0, 1, 0},
                                    {1, 1, 0}, {0, 0, 1}, {1, 0, 1}, {0, 1, 1}};

    (void)state;
    for (unsigned f = 0; f < 8; f++) {
        for (unsigned i = 0; i < 3; i++) {
            struct raster_quad q = quad(4, 4, 1);
            float z = 0.25f * (float)(i + 1);

            for (unsigned k = 0; k < 4; k++)
                put(4 + k % 2, 4 + k / 2, 0.5f);
            st.ds.func = (uint8_t)f;
            assert_int_equal(test_at(&q, z), want[f][i] ? 4 : 0);
            assert_int_equal(q.cover[3], want[f][i]);
            assert_float_equal(at(5, 5), want[f][i] ? z : 0.5f, 0);
        }
    }
}

static void only_covered_pixels_are_tested_and_written(void **state)
{
    struct raster_quad q = {8, 2, {1, 0, 0, 1}, {1, 0, 0, 1}};

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        put(8 + i % 2, 2 + i / 2, 1);
    assert_int_equal(test_at(&q, 0.5f), 2);
    assert_float_equal(at(8, 2), 0.5, 0);
    assert_float_equal(at(9, 2), 1, 0);
    assert_float_equal(at(8, 3), 1, 0);
    assert_float_equal(at(9, 3), 0.5, 0);
}

static void writes_can_be_off(void **state)
{
    struct raster_quad q = quad(0, 0, 1);

    (void)state;
    put(0, 0, 1);
    st.ds.write = false;
    assert_int_equal(test_at(&q, -0.5f), 1); /* the other pixels hold 0, and -0.5 is clamped to 0 */
    assert_float_equal(at(0, 0), 1, 0);
}

static void depth_is_clamped_to_the_viewport(void **state)
{
    struct raster_quad q = quad(0, 0, 1);

    (void)state;
    st.ds.func = COMPARE_ALWAYS;
    p.depth_min = 0.25f;
    p.depth_max = 0.75f;
    test_at(&q, 3);
    assert_float_equal(at(0, 0), 0.75, 0);
    test_at(&q, -3);
    assert_float_equal(at(0, 0), 0.25, 0);
    test_at(&q, NAN);
    assert_float_equal(at(0, 0), 0.25, 0);
}

static void encodings_round_to_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(depth_encode(DEPTH_D16, 1), 0xffff);
    assert_int_equal(depth_encode(DEPTH_D16, 0.5f), 0x8000);
    assert_int_equal(depth_encode(DEPTH_D16, -1), 0);
    assert_int_equal(depth_encode(DEPTH_D24, 1), 0xffffff);
    assert_int_equal(depth_encode(DEPTH_D24, 2), 0xffffff);
    assert_int_equal(depth_encode(DEPTH_D24, NAN), 0);
    assert_int_equal(depth_encode(DEPTH_D32F, 1), 0x3f800000);
    for (uint32_t v = 0; v <= 0xffff; v++)
        assert_int_equal(depth_encode(DEPTH_D16, (float)v / 65535), v);
}

static void floats_are_ordered_as_numbers(void **state)
{
    const float order[] = {-INFINITY, -2, -1, -0.0f, 1e-20f, 1, 2, INFINITY};

    (void)state;
    for (unsigned i = 0; i + 1 < 8; i++)
        assert_true(depth_order(DEPTH_D32F, depth_encode(DEPTH_D32F, order[i])) <
                    depth_order(DEPTH_D32F, depth_encode(DEPTH_D32F, order[i + 1])));
    assert_int_equal(depth_order(DEPTH_D32F, 0x80000000), depth_order(DEPTH_D32F, 0));
}

static void narrow_formats_have_their_own_bits(void **state)
{
    struct raster_quad q = quad(2, 2, 1);

    (void)state;
    st.ds.format = DEPTH_D16;
    st.ds.depth = fixture_surface((struct fixture_surface){SOFT_FORMAT_R16_UNORM, 3, 64, 32, 128, 0, 0});
    st.ds.func = COMPARE_ALWAYS;
    assert_int_equal(test_at(&q, 1), 4);
    assert_int_equal(fixture_ram[2 * 16 + 4], 0xff);
    assert_int_equal(fixture_ram[2 * 16 + 7], 0xff);
    assert_int_equal(fixture_ram[3 * 16 + 4], 0xff);
    assert_int_equal(fixture_ram[2 * 16 + 3], 0);
    assert_int_equal(fixture_ram[2 * 16 + 8], 0);
}

static void beyond_the_buffer_nothing_is_touched(void **state)
{
    struct raster_quad q = quad(64, 4, 1);
    static uint8_t before[FIXTURE_SIZE];

    (void)state;
    memcpy(before, fixture_ram, sizeof(before));
    test_at(&q, 0.5f);
    q = quad(4, 16382, 1);
    test_at(&q, 0.5f);
    q = quad(4, 4, 1);
    p.layer = 2047;
    test_at(&q, 0.5f);
    assert_memory_equal(before, fixture_ram, sizeof(before));
}

static void samples_have_depths_of_their_own(void **state)
{
    struct raster_quad q = quad(6, 6, 0xf);
    struct depth_input in = {.computed = false};

    (void)state;
    st.samples = 4;
    st.ds.depth = fixture_surface((struct fixture_surface){SOFT_FORMAT_R32_FLOAT, 3, 16, 16, 128, 2, 1});
    for (unsigned s = 0; s < 4; s++) {
        float z = s < 2 ? 0.25f : 0.75f;

        for (unsigned i = 0; i < 4; i++)
            soft_mem_write(&fixture_mem, soft_surface_address(&st.ds.depth, 6 + i % 2, 6 + i / 2, 0, 0, s), &z, 4);
    }
    for (unsigned i = 0; i < 4 * RASTER_SAMPLES; i++)
        in.z[i] = 0.5f;
    assert_int_equal(depth_test_quad(&st, &fixture_mem, &p, &q, &in), 8);
    assert_int_equal(q.cover[0], 0xc);
}

static void the_plane_gives_depth_at_samples(void **state)
{
    struct raster_quad q = quad(10, 20, 1);
    struct depth_input in;

    (void)state;
    st.sample_x[0] = st.sample_y[0] = 8;
    p.ref_x = 2;
    p.ref_y = 3;
    p.z = (struct raster_plane){0.125f, 0.5f, 2};
    depth_interpolate(&st, &p, &q, &in);
    assert_float_equal(in.z[0], 0.125 + 0.5 * 8.5 + 2 * 17.5, 0);
    assert_float_equal(in.z[3 * RASTER_SAMPLES], 0.125 + 0.5 * 9.5 + 2 * 18.5, 0);
}

/* Four at once and one by one: the same bits, the same pixels. */
static void the_usual_case_is_the_general_one(void **state)
{
    static uint8_t usual[4 * SOFT_PAGE], was[4 * SOFT_PAGE];

    (void)state;
    srand(3);
    st.sample_x[0] = st.sample_y[0] = 8;
    for (unsigned n = 0; n < 2000; n++) {
        struct raster_quad a = {.x = (uint16_t)(rand() % 16 * 2), .y = (uint16_t)(rand() % 16 * 2)}, b;
        struct depth_input in = {.computed = false};

        st.ds.format = n & 1 ? DEPTH_D24 : DEPTH_D32F;
        st.ds.func = (uint8_t)(n / 2 % 8);
        st.ds.write = n / 16 % 2;
        p.z = (struct raster_plane){(float)(rand() % 200) / 150 - 0.1f, (float)(rand() % 9 - 4) / 50,
                                    (float)(rand() % 9 - 4) / 50};
        p.ref_x = a.x;
        p.ref_y = a.y;
        for (unsigned i = 0; i < 4; i++) {
            float z = (float)(rand() % 100) / 99;
            uint32_t bits = depth_encode(st.ds.format, z);

            a.cover[i] = rand() % 4 != 0;
            a.lit |= (uint8_t)(a.cover[i] << i);
            soft_mem_write(&fixture_mem, soft_surface_address(&st.ds.depth, a.x + i % 2, a.y + i / 2, 0, 0, 0), &bits,
                           4);
        }
        b = a;
        memcpy(was, fixture_ram, sizeof(was));
        assert_true(depth_is_usual(&st));
        assert_true(depth_test_usual(&st, &fixture_mem, &p, &a));
        memcpy(usual, fixture_ram, sizeof(usual));
        memcpy(fixture_ram, was, sizeof(was));
        depth_interpolate(&st, &p, &b, &in);
        assert_int_equal(depth_test_quad(&st, &fixture_mem, &p, &b, &in), raster_count4(a.lit));
        assert_memory_equal(a.cover, b.cover, sizeof(a.cover));
        assert_memory_equal(usual, fixture_ram, sizeof(usual));
    }
}

/* ---- stencil */

static void with_stencil(struct raster_stencil_face front)
{
    st.ds.stencil = fixture_surface((struct fixture_surface){SOFT_FORMAT_R8_UINT, 1, 64, 64, 128, 0, 0});
    st.ds.stencil.address += 32 * SOFT_PAGE;
    st.ds.stencil_test = st.ds.stencil_write = true;
    st.ds.face[0] = front;
    st.ds.test = st.ds.write = false;
}

static uint8_t *stencil(uint32_t x, uint32_t y)
{
    return fixture_ram + (soft_surface_address(&st.ds.stencil, x, y, 0, 0, 0) - FIXTURE_BASE);
}

static void operations_change_the_value(void **state)
{
    static const uint8_t want[8][3] = {/* of 0, 7, 255 with reference 9 */
                                       {0, 7, 255}, {0, 0, 0}, {9, 9, 9},     {1, 8, 255},
                                       {0, 6, 254}, {1, 8, 0}, {255, 6, 254}, {255, 248, 0}};
    static const uint8_t value[3] = {0, 7, 255};

    (void)state;
    for (unsigned op = 0; op < 8; op++) {
        for (unsigned i = 0; i < 3; i++) {
            struct raster_quad q = quad(10, 12, 1);

            with_stencil((struct raster_stencil_face){
                .func = COMPARE_ALWAYS, .pass = (uint8_t)op, .test_mask = 0xff, .write_mask = 0xff, .ref = 9});
            *stencil(11, 13) = value[i];
            assert_int_equal(test_at(&q, 0.5f), 4);
            assert_int_equal(*stencil(11, 13), want[op][i]);
        }
    }
}

static void each_outcome_has_its_operation(void **state)
{
    struct raster_quad q = quad(0, 0, 1);

    (void)state;
    with_stencil((struct raster_stencil_face){.func = COMPARE_EQUAL,
                                              .fail = 5,
                                              .depth_fail = 7,
                                              .pass = 1,
                                              .test_mask = 0x0f,
                                              .write_mask = 0xff,
                                              .ref = 0x13});
    st.ds.test = true;
    put(0, 0, 1);
    put(1, 0, 0);
    put(0, 1, 1);
    *stencil(0, 0) = 0xa3;
    *stencil(1, 0) = 0xa3;
    *stencil(0, 1) = 0xa4;
    assert_int_equal(test_at(&q, 0.5f), 1);
    assert_int_equal(*stencil(0, 0), 0);    /* both pass: zero */
    assert_int_equal(*stencil(1, 0), 0x5c); /* depth fails: inverted */
    assert_int_equal(*stencil(0, 1), 0xa5); /* stencil fails: one more */
    assert_int_equal(q.cover[0] | q.cover[1] << 1 | q.cover[2] << 2, 1);
}

static void masks_protect_bits_and_faces_differ(void **state)
{
    struct raster_quad q = quad(0, 0, 1);

    (void)state;
    with_stencil((struct raster_stencil_face){.func = COMPARE_ALWAYS, .pass = 2, .write_mask = 0x0f, .ref = 0x55});
    st.ds.face[1] = (struct raster_stencil_face){.func = COMPARE_NEVER, .fail = 1, .write_mask = 0xff};
    *stencil(0, 0) = 0xf0;
    test_at(&q, 0);
    assert_int_equal(*stencil(0, 0), 0xf5);
    p.back = true;
    assert_int_equal(test_at(&q, 0), 0);
    assert_int_equal(*stencil(0, 0), 0);
}

static void a_shader_can_give_the_reference(void **state)
{
    struct raster_quad q = quad(0, 0, 1);
    struct depth_input in = {.computed = true, .stencil = {1, 2, 3, 4}};

    (void)state;
    with_stencil((struct raster_stencil_face){.func = COMPARE_ALWAYS, .pass = 2, .write_mask = 0xff, .ref = 0x55});
    depth_test_quad(&st, &fixture_mem, &p, &q, &in);
    assert_int_equal(*stencil(0, 0), 1);
    assert_int_equal(*stencil(1, 1), 4);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, fixture_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_function_compares_as_it_says),
        CASE(only_covered_pixels_are_tested_and_written),
        CASE(writes_can_be_off),
        CASE(depth_is_clamped_to_the_viewport),
        CASE(encodings_round_to_the_nearest),
        CASE(floats_are_ordered_as_numbers),
        CASE(narrow_formats_have_their_own_bits),
        CASE(beyond_the_buffer_nothing_is_touched),
        CASE(samples_have_depths_of_their_own),
        CASE(the_plane_gives_depth_at_samples),
        CASE(the_usual_case_is_the_general_one),
        CASE(operations_change_the_value),
        CASE(each_outcome_has_its_operation),
        CASE(masks_protect_bits_and_faces_differ),
        CASE(a_shader_can_give_the_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
