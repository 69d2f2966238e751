/* Blend factors and functions, clamping, logic operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "mediator/soft/pixel.h"

static struct soft_surface surface;
static struct raster_blend b;
static struct target_write w;
static float constant[4] = {0.1f, 0.2f, 0.3f, 0.4f};
static float second[4][16], src[4][16], dst[4][16];

static void set(float f[4][16], float red, float green, float blue, float alpha)
{
    for (unsigned i = 0; i < 16; i++) {
        f[0][i] = red;
        f[1][i] = green;
        f[2][i] = blue;
        f[3][i] = alpha;
    }
}

static int start(void **state)
{
    (void)state;
    memset(&surface, 0, sizeof(surface));
    surface.info = soft_format_find(SOFT_FORMAT_R32G32B32A32_FLOAT);
    b = (struct raster_blend){
        .enable = true, .src_color = 1, .dst_color = 17, .src_alpha = 1, .dst_alpha = 17, .clamp_range = 2};
    w = (struct target_write){.s = &surface, .blend = &b, .constant = constant};
    set(src, 0.5f, 0.25f, 0.75f, 0.6f);
    set(dst, 0.125f, 0.5f, 1, 0.8f);
    set(second, 0.9f, 0.8f, 0.7f, 0.3f);
    w.second = (const float(*)[16])second;
    return 0;
}

/* The result for red and alpha with these factors for the source, nothing of the target. */
static void check_factor(unsigned factor, float red, float alpha)
{
    float out[4][16];

    memcpy(out, src, sizeof(out));
    b.src_color = b.src_alpha = (uint8_t)factor;
    b.dst_color = b.dst_alpha = 17;
    blend_channels(&w, dst, out);
    for (unsigned i = 0; i < 16; i++) {
        assert_float_equal(out[0][i], 0.5f * red, 1e-6);
        assert_float_equal(out[3][i], 0.6f * alpha, 1e-6);
    }
    memcpy(out, src, sizeof(out));
    b.src_color = b.src_alpha = 17;
    b.dst_color = b.dst_alpha = (uint8_t)factor;
    blend_channels(&w, dst, out);
    assert_float_equal(out[0][7], 0.125f * red, 1e-6);
    assert_float_equal(out[3][7], 0.8f * alpha, 1e-6);
}

static void factors_are_what_they_are_called(void **state)
{
    (void)state;
    check_factor(1, 1, 1);
    check_factor(2, 0.5f, 0.6f);
    check_factor(3, 0.6f, 0.6f);
    check_factor(4, 0.8f, 0.8f);
    check_factor(5, 0.125f, 0.8f);
    check_factor(6, 0.2f, 1); /* min(source alpha, 1 - target alpha) */
    check_factor(7, 0.1f, 0.4f);
    check_factor(8, 0.4f, 0.4f);
    check_factor(9, 0.9f, 0.3f);
    check_factor(10, 0.3f, 0.3f);
    check_factor(17, 0, 0);
    check_factor(18, 0.5f, 0.4f);
    check_factor(19, 0.4f, 0.4f);
    check_factor(20, 0.2f, 0.2f);
    check_factor(21, 0.875f, 0.2f);
    check_factor(23, 0.9f, 0.6f);
    check_factor(24, 0.6f, 0.6f);
    check_factor(25, 0.1f, 0.7f);
    check_factor(26, 0.7f, 0.7f);
    check_factor(0, 0, 0); /* no factors: hostile state */
    check_factor(31, 0, 0);
    check_factor(22, 0, 0);
}

static void functions_combine(void **state)
{
    static const float want[5] = {0.625f, 0.375f, -0.375f, 0.125f, 0.5f};

    (void)state;
    for (unsigned f = 0; f < 5; f++) {
        float out[4][16];

        memcpy(out, src, sizeof(out));
        b.color_func = (uint8_t)f;
        b.alpha_func = 0;
        b.dst_color = 1;
        blend_channels(&w, dst, out);
        assert_float_equal(out[0][3], want[f], 1e-6);
        assert_float_equal(out[3][3], 0.6f, 1e-6);
    }
}

static void the_usual_blend_is_the_general_one(void **state)
{
    float out[4][16], general[4][16];

    (void)state;
    b.src_color = b.src_alpha = 3;
    b.dst_color = b.dst_alpha = 19;
    memcpy(out, src, sizeof(out));
    memcpy(general, src, sizeof(general));
    blend_channels(&w, dst, out);
    b.dst_alpha = 18; /* the same for alpha, but by another name */
    blend_channels(&w, dst, general);
    assert_memory_equal(out, general, sizeof(out));
}

static void normalised_targets_clamp_first(void **state)
{
    float out[4][16];

    (void)state;
    set(src, 3, -2, NAN, 2);
    surface.info = soft_format_find(SOFT_FORMAT_R8G8B8A8_UNORM);
    memcpy(out, src, sizeof(out));
    blend_channels(&w, dst, out);
    assert_float_equal(out[0][0], 1, 0);
    assert_float_equal(out[1][0], 0, 0);
    assert_float_equal(out[2][0], 0, 0);
    surface.info = soft_format_find(SOFT_FORMAT_R8G8B8A8_SNORM);
    memcpy(out, src, sizeof(out));
    blend_channels(&w, dst, out);
    assert_float_equal(out[1][0], -1, 0);
    constant[0] = -1.8f; /* constants too */
    b.src_color = 7;
    set(src, 0.5f, 0, 0, 0);
    memcpy(out, src, sizeof(out));
    blend_channels(&w, dst, out);
    assert_float_equal(out[0][0], -0.5, 0);
    constant[0] = 0.1f;
    b.src_color = 1;
    set(src, 3, 0, 0, 0);
    surface.info = soft_format_find(SOFT_FORMAT_R32G32B32A32_FLOAT);
    memcpy(out, src, sizeof(out));
    blend_channels(&w, dst, out);
    assert_float_equal(out[0][0], 3, 0);
    b.clamp_pre = true;
    b.clamp_range = 0;
    memcpy(out, src, sizeof(out));
    blend_channels(&w, dst, out);
    assert_float_equal(out[0][0], 1, 0);
    b.dst_color = 1;
    b.color_func = 1; /* 1 - 1.5 */
    set(dst, 1.5f, 0, 0, 0);
    memcpy(out, src, sizeof(out));
    blend_channels(&w, dst, out);
    assert_float_equal(out[0][0], -0.5, 0);
    b.clamp_post = true;
    memcpy(out, src, sizeof(out));
    blend_channels(&w, dst, out);
    assert_float_equal(out[0][0], 0, 0);
}

static void logic_operations_have_their_tables(void **state)
{
    /* Of genxml's 3D_Logic_Op_Function; s = 1100, d = 1010. */
    static const uint8_t want[16] = {0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf};

    (void)state;
    for (unsigned op = 0; op < 16; op++)
        assert_int_equal(blend_logic(op, 0xc, 0xa) & 0xf, want[op]);
    assert_int_equal(blend_logic(6, 0xff00, 0x0ff0), 0xf0f0);  /* XOR */
    assert_int_equal(blend_logic(12, 0x1234, 0x5678), 0x1234); /* COPY */
    assert_int_equal(blend_logic(10, 0x1234, 0x5678), 0x5678); /* NOOP */
}

#define CASE(f) cmocka_unit_test_setup(f, start)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(factors_are_what_they_are_called),   CASE(functions_combine),
        CASE(the_usual_blend_is_the_general_one), CASE(normalised_targets_clamp_first),
        CASE(logic_operations_have_their_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
