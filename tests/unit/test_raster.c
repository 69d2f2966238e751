/* Which samples a triangle or rectangle covers: against a definition in whole numbers that has no edges, steps or
 * blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mediator/soft/raster.h"

#define SIDE 64

static struct raster_state st;
static struct raster_viewport vp;

static int start(void **state)
{
    (void)state;
    memset(&st, 0, sizeof(st));
    memset(&vp, 0, sizeof(vp));
    st.samples = 1;
    st.sample_x[0] = st.sample_y[0] = 8;
    st.sample_mask = 1;
    st.cull = 1; /* none */
    vp.box = (struct raster_box){0, 0, SIDE, SIDE};
    vp.depth_max = 1;
    return 0;
}

static struct raster_vertex at(int32_t fx, int32_t fy)
{
    return (struct raster_vertex){.fx = fx, .fy = fy, .sx = fx / 256.0, .sy = fy / 256.0, .q = 1};
}

static bool draw(const struct raster_vertex v[3], bool rect, uint8_t out[SIDE][SIDE], unsigned sample)
{
    struct raster_prim p = {0};
    uint64_t mask[RASTER_SAMPLES];

    if (!(rect ? setup_rect : setup_triangle)(&st, &vp, v, &p))
        return false;
    for (int32_t y = 0; y < SIDE; y += 8)
        for (int32_t x = 0; x < SIDE; x += 8)
            if (raster_cover_block(&st, &p, x, y, mask))
                for (unsigned i = 0; i < 64; i++)
                    out[y + i / 8][x + i % 8] += mask[sample] >> i & 1;
    return true;
}

/* Inside of three half planes; on a side: only if that is a left or a top one. */
static bool brute_inside(const struct raster_vertex v[3], int64_t x, int64_t y)
{
    int64_t area =
        (int64_t)(v[1].fx - v[0].fx) * (v[2].fy - v[0].fy) - (int64_t)(v[2].fx - v[0].fx) * (v[1].fy - v[0].fy);

    for (unsigned i = 0; i < 3; i++) {
        const struct raster_vertex *a = &v[i], *b = &v[(i + 1) % 3], *c = &v[(i + 2) % 3];
        int64_t side = (int64_t)(b->fx - a->fx) * (y - a->fy) - (int64_t)(b->fy - a->fy) * (x - a->fx);

        if (area < 0)
            side = -side;
        if (side < 0)
            return false;
        if (side > 0)
            continue;
        /* On the line: the third corner tells where the triangle is. */
        if (a->fy == b->fy ? c->fy < a->fy
                           : (int64_t)(b->fx - a->fx) * (c->fy - a->fy) * (b->fy > a->fy ? 1 : -1) >
                                 (int64_t)(b->fy - a->fy) * (c->fx - a->fx) * (b->fy > a->fy ? 1 : -1))
            return false;
    }
    return area != 0;
}

static int32_t rnd(int32_t from, int32_t to)
{
    return from + (int32_t)((unsigned)rand() % (unsigned)(to - from));
}

static void check_random(int32_t step)
{
    for (unsigned n = 0; n < 400; n++) {
        struct raster_vertex v[3];
        uint8_t got[SIDE][SIDE] = {0};

        for (unsigned i = 0; i < 3; i++)
            v[i] = at(rnd(-20, 84) * 256 + rnd(0, 256) / step * step, rnd(-20, 84) * 256 + rnd(0, 256) / step * step);
        draw(v, false, got, 0);
        for (int32_t y = 0; y < SIDE; y++)
            for (int32_t x = 0; x < SIDE; x++)
                if (got[y][x] != brute_inside(v, x * 256 + st.sample_x[0] * 16, y * 256 + st.sample_y[0] * 16))
                    fail_msg("triangle %u: pixel %d, %d is %u", n, x, y, got[y][x]);
    }
}

static void triangles_cover_what_they_should(void **state)
{
    (void)state;
    srand(1);
    check_random(1);
}

/* Corners on pixel centres: many samples lie on edges. */
static void samples_on_edges_follow_the_top_left_rule(void **state)
{
    (void)state;
    srand(2);
    check_random(128);
}

static void other_sample_positions_count(void **state)
{
    (void)state;
    srand(3);
    st.sample_x[0] = 3;
    st.sample_y[0] = 14;
    check_random(16);
}

static void far_corners_do_not_overflow(void **state)
{
    const struct raster_vertex v[3] = {at(-65535 * 256, -65535 * 256), at(65535 * 256, -65535 * 256 + 1),
                                       at(-65535 * 256 + 3, 65535 * 256)};
    uint8_t got[SIDE][SIDE] = {0};

    (void)state;
    draw(v, false, got, 0);
    for (int32_t y = 0; y < SIDE; y++)
        for (int32_t x = 0; x < SIDE; x++)
            assert_int_equal(got[y][x], brute_inside(v, x * 256 + 128, y * 256 + 128));
}

/* A fan around a point: every pixel of the square exactly once. */
static void shared_edges_are_hit_once(void **state)
{
    (void)state;
    srand(4);
    for (unsigned n = 0; n < 50; n++) {
        struct raster_vertex rim[8] = {at(0, 0),
                                       at(32 * 256, 0),
                                       at(64 * 256, 0),
                                       at(64 * 256, 32 * 256),
                                       at(64 * 256, 64 * 256),
                                       at(32 * 256, 64 * 256),
                                       at(0, 64 * 256),
                                       at(0, 32 * 256)};
        struct raster_vertex centre = at(rnd(1, 63) * 256 + (n & 1) * 128, rnd(1, 63) * 256 + (n & 1) * 128);
        uint8_t got[SIDE][SIDE] = {0};

        for (unsigned i = 0; i < 8; i++) {
            const struct raster_vertex v[3] = {centre, rim[i], rim[(i + 1) % 8]};

            draw(v, false, got, 0);
        }
        for (unsigned i = 0; i < SIDE * SIDE; i++)
            assert_int_equal(got[i / SIDE][i % SIDE], 1);
    }
}

static void rectangles_are_half_open(void **state)
{
    const struct raster_vertex v[3] = {at(20 * 256 + 128, 30 * 256 + 128), at(4 * 256 + 128, 30 * 256 + 128),
                                       at(4 * 256 + 128, 7 * 256 + 128)};
    uint8_t got[SIDE][SIDE] = {0};

    (void)state;
    assert_true(draw(v, true, got, 0));
    for (int32_t y = 0; y < SIDE; y++)
        for (int32_t x = 0; x < SIDE; x++)
            assert_int_equal(got[y][x], x >= 4 && x < 20 && y >= 7 && y < 30);
}

static void the_scissor_cuts(void **state)
{
    const struct raster_vertex v[3] = {at(64 * 256, 64 * 256), at(0, 64 * 256), at(0, 0)};
    uint8_t got[SIDE][SIDE] = {0};

    (void)state;
    vp.box = (struct raster_box){3, 9, 30, 11};
    assert_true(draw(v, true, got, 0));
    for (int32_t y = 0; y < SIDE; y++)
        for (int32_t x = 0; x < SIDE; x++)
            assert_int_equal(got[y][x], x >= 3 && x < 30 && y >= 9 && y < 11);
    vp.box = (struct raster_box){30, 9, 30, 11};
    assert_false(draw(v, true, got, 0));
}

static void faces_are_told_apart_and_culled(void **state)
{
    const struct raster_vertex cw[3] = {at(0, 0), at(2560, 0), at(0, 2560)}, ccw[3] = {cw[0], cw[2], cw[1]};
    struct raster_prim p;

    (void)state;
    st.front_ccw = true;
    assert_true(setup_triangle(&st, &vp, ccw, &p));
    assert_false(p.back);
    assert_true(setup_triangle(&st, &vp, cw, &p));
    assert_true(p.back);
    st.cull = 3; /* back */
    assert_false(setup_triangle(&st, &vp, cw, &p));
    assert_true(setup_triangle(&st, &vp, ccw, &p));
    st.cull = 2;
    assert_true(setup_triangle(&st, &vp, cw, &p));
    assert_false(setup_triangle(&st, &vp, ccw, &p));
    st.front_ccw = false;
    assert_false(setup_triangle(&st, &vp, cw, &p));
    st.cull = 0; /* both */
    assert_false(setup_triangle(&st, &vp, ccw, &p));
}

static void nothing_comes_of_no_area(void **state)
{
    const struct raster_vertex line[3] = {at(0, 0), at(256, 256), at(512, 512)},
                               point[3] = {at(9, 9), at(9, 9), at(9, 9)};
    struct raster_prim p;

    (void)state;
    assert_false(setup_triangle(&st, &vp, line, &p));
    assert_false(setup_triangle(&st, &vp, point, &p));
    assert_false(setup_rect(&st, &vp, point, &p));
}

static void samples_are_tested_apart(void **state)
{
    const struct raster_vertex v[3] = {at(64 * 256, 64 * 256), at(10 * 256 + 128, 64 * 256), at(10 * 256 + 128, 0)};
    uint8_t left[SIDE][SIDE] = {0}, right[SIDE][SIDE] = {0};

    (void)state;
    st.samples = 2;
    st.sample_x[0] = 4;
    st.sample_x[1] = 12;
    draw(v, true, left, 0);
    draw(v, true, right, 1);
    assert_int_equal(left[5][10], 0);
    assert_int_equal(right[5][10], 1);
    assert_int_equal(left[5][11], 1);
}

static void planes_go_through_the_corners(void **state)
{
    struct raster_vertex v[3] = {at(1000, 2000), at(9000, 3000), at(4000, 12000)};
    struct raster_prim p;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        v[i].sz = 0.25f * (float)(i + 1);
        v[i].q = 1.0f / (float)(i + 1);
        v[i].b1 = v[i].l1 = i == 1;
        v[i].b2 = v[i].l2 = i == 2;
    }
    assert_true(setup_triangle(&st, &vp, v, &p));
    assert_true(p.perspective);
    for (unsigned i = 0; i < 3; i++) {
        float dx = (float)v[i].sx - p.ref_x, dy = (float)v[i].sy - p.ref_y;

        assert_float_equal(p.z.c + p.z.dx * dx + p.z.dy * dy, v[i].sz, 1e-5);
        assert_float_equal(p.l1.c + p.l1.dx * dx + p.l1.dy * dy, i == 1, 1e-5);
        assert_float_equal(p.l2.c + p.l2.dx * dx + p.l2.dy * dy, i == 2, 1e-5);
        assert_float_equal(p.q.c + p.q.dx * dx + p.q.dy * dy, v[i].q, 1e-5);
        assert_float_equal(p.v.c + p.v.dx * dx + p.v.dy * dy, i == 2 ? v[i].q : 0, 1e-5);
    }
}

static void depth_bias_has_units_slope_and_clamp(void **state)
{
    struct raster_vertex v[3] = {at(0, 0), at(256 * 10, 0), at(0, 256 * 10)};
    struct raster_prim p;

    (void)state;
    v[1].sz = 0.5f; /* 0.05 a pixel */
    st.bias_solid = true;
    st.ds.format = DEPTH_D16;
    st.bias_constant = 3;
    st.bias_scale = 2;
    assert_true(setup_triangle(&st, &vp, v, &p));
    assert_float_equal(p.z.c, 3.0 / 65536 + 0.1, 1e-6);
    st.bias_clamp = 0.01f;
    assert_true(setup_triangle(&st, &vp, v, &p));
    assert_float_equal(p.z.c, 0.01, 1e-7);
}

/* Every pixel square that the triangle touches with more than an edge, none that it does not. */
static void conservative_triangles_touch_pixels(void **state)
{
    const struct raster_vertex sliver[3] = {at(10 * 256 + 20, 10 * 256 + 20), at(13 * 256 + 30, 10 * 256 + 40),
                                            at(10 * 256 + 30, 10 * 256 + 60)};
    uint8_t got[SIDE][SIDE] = {0};

    (void)state;
    draw(sliver, false, got, 0);
    assert_int_equal(got[10][10] + got[10][11] + got[10][12] + got[10][13], 0);
    st.conservative = true;
    draw(sliver, false, got, 0);
    for (int32_t x = 10; x <= 13; x++)
        assert_int_equal(got[10][x], 1);
    assert_int_equal(got[9][10] + got[11][10] + got[10][9] + got[10][15], 0);
}

static unsigned line_pixels(struct raster_vertex a, struct raster_vertex b, uint8_t out[SIDE][SIDE])
{
    const struct raster_vertex v[2] = {a, b};
    struct raster_prim p = {0};
    uint64_t mask[RASTER_SAMPLES];
    unsigned n = 0;

    memset(out, 0, SIDE * SIDE);
    if (!setup_line(&st, &vp, v, &p))
        return 0;
    for (int32_t y = 0; y < SIDE; y += 8)
        for (int32_t x = 0; x < SIDE; x += 8)
            if (raster_cover_block(&st, &p, x, y, mask))
                for (unsigned i = 0; i < 64; i++) {
                    out[y + i / 8][x + i % 8] = mask[0] >> i & 1;
                    n += mask[0] >> i & 1;
                }
    return n;
}

/* Centre to centre: the last pixel is the next segment's. */
static void lines_leave_their_last_pixel_out(void **state)
{
    uint8_t got[SIDE][SIDE];

    (void)state;
    st.line_width = 1;
    assert_int_equal(line_pixels(at(5 * 256 + 128, 9 * 256 + 128), at(12 * 256 + 128, 9 * 256 + 128), got), 7);
    assert_true(got[9][5] && got[9][11] && !got[9][12]);
    assert_int_equal(line_pixels(at(12 * 256 + 128, 9 * 256 + 128), at(5 * 256 + 128, 9 * 256 + 128), got), 7);
    assert_true(got[9][12] && got[9][6] && !got[9][5]);
    assert_int_equal(line_pixels(at(9 * 256 + 128, 5 * 256 + 128), at(9 * 256 + 128, 12 * 256 + 128), got), 7);
    assert_true(got[5][9] && got[11][9] && !got[12][9]);
    assert_int_equal(line_pixels(at(5 * 256 + 128, 5 * 256 + 128), at(12 * 256 + 128, 12 * 256 + 128), got), 7);
    assert_true(got[5][5] && got[11][11] && !got[12][12]);
    assert_int_equal(line_pixels(at(9, 9), at(9, 9), got), 0);
}

static void every_column_of_a_flat_line_has_one_pixel(void **state)
{
    uint8_t got[SIDE][SIDE];

    (void)state;
    st.line_width = 1;
    srand(5);
    for (unsigned n = 0; n < 200; n++) {
        int32_t x0 = rnd(2, 20), x1 = rnd(40, 62), y0 = rnd(20, 30), y1 = rnd(30, 40);
        struct raster_vertex a = at(x0 * 256 + 128, y0 * 256 + rnd(0, 256)),
                             b = at(x1 * 256 + 128, y1 * 256 + rnd(0, 256));

        line_pixels(n & 1 ? a : b, n & 1 ? b : a, got);
        for (int32_t x = x0 + 1; x < x1; x++) {
            unsigned in_column = 0;

            for (int32_t y = 0; y < SIDE; y++)
                in_column += got[y][x];
            assert_int_equal(in_column, 1);
        }
    }
}

static void points_are_squares_of_their_width(void **state)
{
    struct raster_vertex v = at(20 * 256, 20 * 256);
    struct raster_prim p = {0};

    (void)state;
    assert_true(setup_point(&st, &vp, &v, 4, &p));
    assert_int_equal(raster_cover_area(&p, 18, 18, 4), AREA_PART); /* right and bottom edges are outside */
    assert_int_equal(p.box.x0, 18);
    assert_int_equal(p.box.y1, 22);
    assert_float_equal(p.l1.dx, 0.25, 0);
    assert_float_equal(p.l2.dy, 0.25, 0);
    assert_false(setup_point(&st, &vp, &(struct raster_vertex){.fx = 1 << 20, .sx = 4096, .sy = 9}, 1, &p));
}

static void attributes_become_planes(void **state)
{
    float vue[3][24] = {{0}};
    struct raster_prim p = {.kind = SOFT_TRIANGLE};
    struct soft_prim in = {.kind = SOFT_TRIANGLE, .provoking = 2, .id = 77};
    float out[4][16];
    uint32_t id;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        in.v[i] = (uint32_t *)vue[i];
        for (unsigned c = 0; c < 8; c++)
            vue[i][8 + c] = (float)(10 * i + c);
    }
    st.vue_dwords = 24;
    st.attribute_offset = 8;
    st.attributes = 4;
    st.attribute[1] = (struct raster_attribute){.source = 1, .flat = true};
    st.attribute[2] = (struct raster_attribute){.source = 0, .constant = 1, .override = 0xe, .prim_id = 1};
    st.attribute[3] = (struct raster_attribute){.source = 9}; /* beyond the vertex */
    setup_attributes(&st, &in, &p, out);
    assert_float_equal(out[0][4], 10, 0);
    assert_float_equal(out[0][5], 20, 0);
    assert_float_equal(out[0][7], 1, 0);
    assert_float_equal(out[1][0], 0, 0);
    assert_float_equal(out[1][3], 24, 0);
    memcpy(&id, &out[2][3], 4);
    assert_int_equal(id, 77);
    assert_float_equal(out[2][11], 0, 0);
    assert_float_equal(out[2][15], 1, 0);
    for (unsigned i = 0; i < 16; i++)
        assert_float_equal(out[3][i], 0, 0);
}

static void back_faces_take_the_next_attribute(void **state)
{
    float vue[16] = {[8] = 1, [12] = 2, [15] = 5};
    struct soft_prim in = {.kind = SOFT_POINT, .v = {(uint32_t *)vue}};
    struct raster_prim p = {.kind = SOFT_TRIANGLE};
    float out[1][16];

    (void)state;
    st.vue_dwords = 16;
    st.attribute_offset = 8;
    st.attributes = 1;
    st.attribute[0].swizzle = 1;
    setup_attributes(&st, &in, &p, out);
    assert_float_equal(out[0][3], 1, 0);
    p.back = true;
    setup_attributes(&st, &in, &p, out);
    assert_float_equal(out[0][3], 2, 0);
    st.attribute[0].swizzle = 3; /* and w for x */
    setup_attributes(&st, &in, &p, out);
    assert_float_equal(out[0][3], 5, 0);
}

static void sprites_have_coordinates_over_the_point(void **state)
{
    uint32_t vue[16] = {0};
    struct soft_prim in = {.kind = SOFT_POINT, .v = {vue}};
    struct raster_prim p = {.kind = SOFT_POINT};
    float out[1][16];

    (void)state;
    st.vue_dwords = 16;
    st.attributes = 1;
    st.attribute[0].sprite = true;
    setup_attributes(&st, &in, &p, out);
    assert_float_equal(out[0][0], 1, 0);
    assert_float_equal(out[0][5], 1, 0);
    assert_float_equal(out[0][7], 0, 0);
    assert_float_equal(out[0][15], 1, 0);
    st.sprite_lower_left = true;
    setup_attributes(&st, &in, &p, out);
    assert_float_equal(out[0][5], -1, 0);
    assert_float_equal(out[0][7], 1, 0);
}

#define CASE(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(triangles_cover_what_they_should),
        CASE(samples_on_edges_follow_the_top_left_rule),
        CASE(other_sample_positions_count),
        CASE(far_corners_do_not_overflow),
        CASE(shared_edges_are_hit_once),
        CASE(rectangles_are_half_open),
        CASE(the_scissor_cuts),
        CASE(faces_are_told_apart_and_culled),
        CASE(nothing_comes_of_no_area),
        CASE(samples_are_tested_apart),
        CASE(planes_go_through_the_corners),
        CASE(depth_bias_has_units_slope_and_clamp),
        CASE(conservative_triangles_touch_pixels),
        CASE(lines_leave_their_last_pixel_out),
        CASE(every_column_of_a_flat_line_has_one_pixel),
        CASE(points_are_squares_of_their_width),
        CASE(attributes_become_planes),
        CASE(back_faces_take_the_next_attribute),
        CASE(sprites_have_coordinates_over_the_point),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
