/* The tessellator: what it makes covers the domain once, edges depend on their own factor only, and no bits hurt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/tessellate.h"
#include "vgpu/base/bits.h"

static struct tess_result r;

static struct tess_setup setup(unsigned domain, unsigned partition, unsigned output)
{
    return (struct tess_setup){(uint8_t)domain, (uint8_t)partition, (uint8_t)output, 63, 64};
}

static struct tess_factors all(float f)
{
    return (struct tess_factors){{f, f, f, f}, {f, f}};
}

static double area(const struct tess_point *a, const struct tess_point *b, const struct tess_point *c)
{
    return (((double)b->u - a->u) * ((double)c->v - a->v) - ((double)c->u - a->u) * ((double)b->v - a->v)) / 2;
}

/* Sum of the triangles' areas; fails on one that winds the other way. */
static double covered(double sign)
{
    double sum = 0;

    assert_int_equal(r.per, 3);
    assert_int_equal(r.indices % 3, 0);
    for (unsigned i = 0; i < r.indices; i += 3) {
        double one = sign * area(&r.point[r.index[i]], &r.point[r.index[i + 1]], &r.point[r.index[i + 2]]);

        assert_true(one > -1e-7);
        sum += one;
    }
    return sum;
}

static void expect_counts(const struct tess_setup *s, float f, unsigned points, unsigned prims)
{
    struct tess_factors factors = all(f);

    tessellate(s, &factors, &r);
    assert_int_equal(r.points, points);
    assert_int_equal(r.indices, prims * r.per);
}

static void integer_factors_give_the_known_numbers(void **state)
{
    struct tess_setup tri = setup(TESS_TRI, TESS_INTEGER, TESS_TRI_CW),
                      quad = setup(TESS_QUAD, TESS_INTEGER, TESS_TRI_CW);

    (void)state;
    expect_counts(&tri, 1, 3, 1);
    expect_counts(&tri, 2, 7, 6);
    expect_counts(&tri, 3, 12, 13);
    expect_counts(&quad, 1, 4, 2);
    expect_counts(&quad, 2, 9, 8);
    expect_counts(&quad, 4, 25, 32);
    expect_counts(&quad, 64, 65 * 65, 2 * 64 * 64);
    expect_counts(&quad, 3.2f, 25, 32);
    expect_counts(&quad, 1000, 65 * 65, 2 * 64 * 64);
}

static void random_factors_cover_the_domain_once(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 600; i++) {
        struct tess_setup s = setup(i % 2, i / 2 % 3, TESS_TRI_CW);
        struct tess_factors f;

        for (unsigned k = 0; k < 4; k++)
            f.outer[k] = 0.5f + (float)(rand() % 4000) / 100;
        for (unsigned k = 0; k < 2; k++)
            f.inner[k] = (float)(rand() % 2000) / 100;
        tessellate(&s, &f, &r);
        assert_true(fabs(covered(1) - (s.domain == TESS_TRI ? 0.5 : 1)) < 1e-4);
    }
}

static void the_other_winding_turns_every_triangle(void **state)
{
    struct tess_setup s = setup(TESS_TRI, TESS_ODD_FRACTIONAL, TESS_TRI_CCW);
    struct tess_factors f = all(4.5f);

    (void)state;
    tessellate(&s, &f, &r);
    assert_true(fabs(covered(-1) - 0.5) < 1e-4);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Sorted places on the edge u = 0. */
static unsigned edge_places(float out[256])
{
    unsigned n = 0;

    for (unsigned i = 0; i < r.points && n < 256; i++)
        if (r.point[i].u == 0)
            out[n++] = r.point[i].v;
    qsort(out, n, sizeof(*out), by_value);
    return n;
}

/* What two patches that share an edge need: no cracks, from whichever end they see it. */
static void an_edge_depends_on_its_own_factor_and_is_symmetric(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct tess_setup s = setup(TESS_QUAD, i % 3, TESS_TRI_CW), t = setup(TESS_TRI, i % 3, TESS_TRI_CW);
        struct tess_factors a = all(3), b = all(17);
        float in_quad[256], in_tri[256];

        a.outer[0] = b.outer[0] = 1 + (float)i / 4;
        tessellate(&s, &a, &r);
        unsigned n = edge_places(in_quad);

        tessellate(&t, &b, &r);
        assert_int_equal(edge_places(in_tri), n);
        for (unsigned k = 0; k < n; k++) {
            assert_true(in_quad[k] == in_tri[k]);
            assert_true(in_quad[k] == 1 - in_quad[n - 1 - k]);
        }
        assert_true(in_quad[0] == 0 && in_quad[n - 1] == 1);
    }
}

/* n - 2 equal segments of 1 / f, two shorter ones (OpenGL 4.6, 11.2.2.1). */
static void fractional_spacing_has_two_short_segments(void **state)
{
    struct tess_setup s = setup(TESS_QUAD, TESS_ODD_FRACTIONAL, TESS_TRI_CW);
    struct tess_factors f = all(1);
    unsigned whole = 0, shorter = 0;
    float at[256];

    (void)state;
    f.outer[0] = 5.5f;
    tessellate(&s, &f, &r);
    assert_int_equal(edge_places(at), 8);
    for (unsigned i = 0; i < 7; i++) {
        float length = at[i + 1] - at[i];

        whole += fabsf(length - 1 / 5.5f) < 1e-6f;
        shorter += fabsf(length - 0.25f / 5.5f) < 1e-6f;
    }
    assert_int_equal(whole, 5);
    assert_int_equal(shorter, 2);
}

static void isolines_leave_the_far_edge_out(void **state)
{
    struct tess_setup s = setup(TESS_ISOLINE, TESS_INTEGER, TESS_LINE);
    struct tess_factors f = {{3, 4}, {0}};

    (void)state;
    tessellate(&s, &f, &r);
    assert_int_equal(r.per, 2);
    assert_int_equal(r.points, 3 * 5);
    assert_int_equal(r.indices, 3 * 4 * 2);
    for (unsigned i = 0; i < r.points; i++)
        assert_true(r.point[i].v < 0.7f);
}

static void points_come_once(void **state)
{
    struct tess_setup s = setup(TESS_QUAD, TESS_INTEGER, TESS_POINT);
    struct tess_factors f = all(4);

    (void)state;
    tessellate(&s, &f, &r);
    assert_int_equal(r.per, 1);
    assert_int_equal(r.indices, 25);
    for (unsigned i = 0; i < 25; i++)
        for (unsigned k = 0; k < i; k++)
            assert_true(r.point[r.index[i]].u != r.point[r.index[k]].u ||
                        r.point[r.index[i]].v != r.point[r.index[k]].v);
}

static void an_outer_factor_that_is_not_positive_culls(void **state)
{
    static const float bad[] = {0, -1, -INFINITY, NAN};

    (void)state;
    for (unsigned domain = 0; domain < 3; domain++) {
        unsigned n = domain == TESS_TRI ? 3 : domain == TESS_ISOLINE ? 2 : 4;

        for (unsigned i = 0; i < 4 * GT_ARRAY_SIZE(bad); i++) {
            struct tess_setup s = setup(domain, TESS_INTEGER, TESS_TRI_CW);
            struct tess_factors f = all(2);

            f.outer[i % 4] = bad[i / 4];
            tessellate(&s, &f, &r);
            assert_int_equal(r.points == 0, i % 4 < n);
        }
    }
}

static void factors_are_where_hardware_has_them(void **state)
{
    float in[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct tess_factors f;
    uint32_t dw[8];

    (void)state;
    memcpy(dw, in, sizeof(dw));
    tessellate_factors(dw, TESS_QUAD, &f);
    assert_true(f.outer[0] == 7 && f.outer[1] == 6 && f.outer[2] == 5 && f.outer[3] == 4);
    assert_true(f.inner[0] == 3 && f.inner[1] == 2);
    tessellate_factors(dw, TESS_TRI, &f);
    assert_true(f.outer[0] == 7 && f.outer[1] == 6 && f.outer[2] == 5 && f.inner[0] == 4);
    tessellate_factors(dw, TESS_ISOLINE, &f);
    assert_true(f.outer[0] == 6 && f.outer[1] == 7);
}

static void any_bits_stay_inside(void **state)
{
    (void)state;
    srand(2);
    for (unsigned i = 0; i < 2000; i++) {
        struct tess_setup s;
        struct tess_factors f;
        uint8_t bytes[sizeof(s) + sizeof(f)];

        for (unsigned k = 0; k < sizeof(bytes); k++)
            bytes[k] = (uint8_t)rand();
        memcpy(&s, bytes, sizeof(s));
        memcpy(&f, bytes + sizeof(s), sizeof(f));
        s.domain %= 4;
        s.partition %= 4;
        s.output %= 4;
        tessellate(&s, &f, &r);
        assert_true(r.points <= TESS_MAX_POINTS && r.indices <= TESS_MAX_INDICES);
        for (unsigned k = 0; k < r.indices; k++)
            assert_true(r.index[k] < r.points);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_factors_give_the_known_numbers),
        cmocka_unit_test(random_factors_cover_the_domain_once),
        cmocka_unit_test(the_other_winding_turns_every_triangle),
        cmocka_unit_test(an_edge_depends_on_its_own_factor_and_is_symmetric),
        cmocka_unit_test(fractional_spacing_has_two_short_segments),
        cmocka_unit_test(isolines_leave_the_far_edge_out),
        cmocka_unit_test(points_come_once),
        cmocka_unit_test(an_outer_factor_that_is_not_positive_culls),
        cmocka_unit_test(factors_are_where_hardware_has_them),
        cmocka_unit_test(any_bits_stay_inside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
