/* Clip tests, clipping and the way to the screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/raster.h"

static struct raster_state st;
static struct raster_viewport vp;
static float dist[3][8];

static int start(void **state)
{
    (void)state;
    memset(&st, 0, sizeof(st));
    memset(dist, 0, sizeof(dist));
    st.clip = (struct raster_clip_state){
        .enable = true, .xy_test = true, .guardband = true, .near_test = true, .far_test = true, .divide = true};
    st.viewport_transform = true;
    st.snap = 1;
    vp = (struct raster_viewport){
        .scale = {50, 50, 0.5f}, .offset = {50, 50, 0.5f}, .guard = {-4, 4, -4, 4}, .view = {-1, 1, -1, 1}};
    return 0;
}

static void set(struct raster_vertex *v, const float p[][4], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        v[i] =
            (struct raster_vertex){.x = p[i][0], .y = p[i][1], .z = p[i][2], .w = p[i][3], .b1 = i == 1, .b2 = i == 2};
}

static unsigned clip(const float p[][4], unsigned n, struct raster_vertex *v)
{
    set(v, p, n);
    return clip_polygon(&st.clip, &vp, v, n, dist);
}

static void what_is_inside_stays_as_it_is(void **state)
{
    const float p[3][4] = {{-1, -1, 0, 1}, {1, -1, 0, 1}, {0, 1, 0.5f, 1}};
    struct raster_vertex v[CLIP_VERTICES], was[3];

    (void)state;
    set(was, p, 3);
    assert_int_equal(clip(p, 3, v), 3);
    assert_memory_equal(v, was, sizeof(was));
}

static void what_is_outside_of_one_side_is_rejected(void **state)
{
    const float right[3][4] = {{1.1f, 0, 0, 1}, {2, 0, 0, 1}, {1.5f, 1, 0, 1}},
                behind[3][4] = {{0, 0, 0, -1}, {1, 0, 0, -1}, {0, 1, 0, -2}};
    const float near[3][4] = {{0, 0, -2, 1}, {1, 0, -3, 1}, {0, 1, -2, 1}};
    struct raster_vertex v[CLIP_VERTICES];

    (void)state;
    assert_int_equal(clip(right, 3, v), 0);
    assert_int_equal(clip(behind, 3, v), 0);
    assert_int_equal(clip(near, 3, v), 0);
    st.clip.near_test = false;
    assert_int_equal(clip(near, 3, v), 3);
    assert_int_equal(clip(right, 1, v), 0);
}

static void the_guard_band_saves_clipping(void **state)
{
    const float wide[3][4] = {{-3, 0, 0, 1}, {3, 0, 0, 1}, {0, 3, 0, 1}};
    struct raster_vertex v[CLIP_VERTICES];

    (void)state;
    assert_int_equal(clip(wide, 3, v), 3);
    st.clip.guardband = false;
    assert_true(clip(wide, 3, v) > 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(fabsf(v[i].x) <= 1.0001f && fabsf(v[i].y) <= 1.0001f);
}

static void the_near_plane_cuts_a_corner_off(void **state)
{
    const float p[3][4] = {{0, 0, 0, 1}, {0.5f, 0, -3, 1}, {0, 0.5f, 0, 1}};
    struct raster_vertex v[CLIP_VERTICES];
    unsigned n = clip(p, 3, v);

    (void)state;
    assert_int_equal(n, 4);
    for (unsigned i = 0; i < n; i++) {
        assert_true(v[i].z >= -v[i].w - 1e-5f);
        /* Barycentrics still give the position. */
        assert_float_equal(v[i].x, v[i].b1 * 0.5f, 1e-6);
        assert_float_equal(v[i].y, v[i].b2 * 0.5f, 1e-6);
    }
    st.clip.d3d = true;
    assert_int_equal(clip(p, 3, v), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_true(v[i].z >= -1e-6f);
}

static void user_distances_clip_and_cull(void **state)
{
    const float p[3][4] = {{0, 0, 0, 1}, {1, 0, 0, 1}, {0, 1, 0, 1}};
    struct raster_vertex v[CLIP_VERTICES];

    (void)state;
    dist[0][3] = -1;
    dist[1][3] = 1;
    dist[2][3] = 1;
    assert_int_equal(clip(p, 3, v), 3);
    st.clip.clip_distances = 8;
    assert_int_equal(clip(p, 3, v), 4);
    st.clip.cull_distances = 8;
    assert_int_equal(clip(p, 3, v), 4);
    dist[1][3] = dist[2][3] = -1;
    st.clip.clip_distances = 0;
    assert_int_equal(clip(p, 3, v), 0);
    st.clip.cull_distances = 0;
    assert_int_equal(clip(p, 3, v), 3);
}

static void lines_are_cut_at_both_ends(void **state)
{
    const float p[2][4] = {{-8, 0, 0, 1}, {8, 0, 0, 1}}, away[2][4] = {{-8, 3, 0, 1}, {8, 3, 0, 1}};
    struct raster_vertex v[CLIP_VERTICES];

    (void)state;
    assert_int_equal(clip(p, 2, v), 2);
    assert_float_equal(v[0].x, -4, 1e-5);
    assert_float_equal(v[1].x, 4, 1e-5);
    assert_float_equal(v[1].b1, 0.75, 1e-6);
    assert_int_equal(clip(away, 2, v), 0);
}

static void modes_reject_and_accept(void **state)
{
    const float in[3][4] = {{0, 0, 0, 1}, {1, 0, 0, 1}, {0, 1, 0, 1}},
                out[3][4] = {{9, 9, 0, 1}, {8, 9, 0, 1}, {9, 8, 0, 1}};
    struct raster_vertex v[CLIP_VERTICES];

    (void)state;
    st.clip.reject_all = true;
    assert_int_equal(clip(in, 3, v), 0);
    st.clip.reject_all = false;
    st.clip.accept_all = true;
    assert_int_equal(clip(out, 3, v), 3);
    st.clip.accept_all = false;
    assert_int_equal(clip(out, 3, v), 0);
    st.clip.enable = false;
    assert_int_equal(clip(out, 3, v), 3);
}

static void numbers_that_are_none_draw_nothing(void **state)
{
    const float bad[4] = {NAN, INFINITY, -INFINITY, NAN};
    struct raster_vertex v[CLIP_VERTICES];

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        float p[3][4] = {{0, 0, 0, 1}, {1, 0, 0, 1}, {0, 1, 0, 1}};

        p[i / 4][i % 4] = bad[i % 4];
        assert_int_equal(clip(p, 3, v), 0);
    }
    vp.scale[0] = NAN;
    v[0] = (struct raster_vertex){.w = 1};
    assert_false(clip_to_screen(&st, &vp, &v[0]));
    vp.scale[0] = 1e30f;
    v[0] = (struct raster_vertex){.x = 1, .w = 1};
    assert_false(clip_to_screen(&st, &vp, &v[0]));
    v[0] = (struct raster_vertex){.x = 0};
    assert_false(clip_to_screen(&st, &vp, &v[0]));
}

static void random_polygons_stay_in_bounds(void **state)
{
    struct raster_vertex v[CLIP_VERTICES];

    (void)state;
    srand(7);
    st.clip.clip_distances = 0xff;
    for (unsigned n = 0; n < 20000; n++) {
        float p[3][4];
        unsigned got;

        for (unsigned i = 0; i < 12; i++)
            p[i / 4][i % 4] = (float)(rand() % 2001 - 1000) / 100;
        for (unsigned i = 0; i < 24; i++)
            dist[i / 8][i % 8] = (float)(rand() % 201 - 50);
        got = clip((const float(*)[4])p, 3, v);
        assert_true(got <= CLIP_VERTICES && got != 1 && got != 2);
        for (unsigned i = 0; i < got; i++)
            assert_true(v[i].w > 0 && fabsf(v[i].x) <= 4.01f * v[i].w && v[i].z <= v[i].w + 0.01f);
    }
}

static void the_viewport_transforms_and_snaps(void **state)
{
    struct raster_vertex v = {.x = 1, .y = -2, .z = 0, .w = 2};

    (void)state;
    st.origin_x = 3;
    assert_true(clip_to_screen(&st, &vp, &v));
    assert_int_equal(v.fx, (75 + 3) * 256);
    assert_int_equal(v.fy, 0);
    assert_float_equal(v.q, 0.5, 0);
    assert_float_equal(v.sz, 0.5, 0);
    v = (struct raster_vertex){.x = 0.0013f, .w = 1}; /* 50.065 */
    st.origin_x = 0;
    st.snap = 16;
    assert_true(clip_to_screen(&st, &vp, &v));
    assert_int_equal(v.fx, 50 * 256 + 16);
}

static void positions_of_copies_are_pixels_already(void **state)
{
    struct raster_vertex v = {.x = 17, .y = 300, .z = 0.25f, .w = 1};

    (void)state;
    st.viewport_transform = false;
    st.clip.divide = false;
    assert_true(clip_to_screen(&st, &vp, &v));
    assert_int_equal(v.fx, 17 * 256);
    assert_int_equal(v.fy, 300 * 256);
    assert_float_equal(v.sz, 0.25, 0);
}

#define CASE(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_inside_stays_as_it_is),
        CASE(what_is_outside_of_one_side_is_rejected),
        CASE(the_guard_band_saves_clipping),
        CASE(the_near_plane_cuts_a_corner_off),
        CASE(user_distances_clip_and_cull),
        CASE(lines_are_cut_at_both_ends),
        CASE(modes_reject_and_accept),
        CASE(numbers_that_are_none_draw_nothing),
        CASE(random_polygons_stay_in_bounds),
        CASE(the_viewport_transforms_and_snaps),
        CASE(positions_of_copies_are_pixels_already),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
