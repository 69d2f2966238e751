/* Formats: each one against formulas in double, rows against single elements, and the corners of the conversions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/soft/half.h"
#include "mediator/soft/srgb.h"
#include "mediator/soft/surface.h"

static uint64_t seed = 88172645463325252u;

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static float f(uint32_t bits)
{
    return soft_as_float(bits);
}

static uint32_t b(float v)
{
    return soft_as_bits(v);
}

/* ---- the reference: bit by bit, in double */

static uint64_t ref_bits(const uint8_t *element, unsigned first, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v |= (uint64_t)(element[(first + i) / 8] >> ((first + i) % 8) & 1) << i;
    return v;
}

static double ref_small_float(uint64_t v, unsigned mantissa, bool sign)
{
    double m = (double)(v & ((1u << mantissa) - 1)) / (1u << mantissa);
    int e = (int)(v >> mantissa & 31);
    double value = e == 31 ? (m > 0 ? (double)NAN : (double)INFINITY) : e ? ldexp(1 + m, e - 15) : ldexp(m, -14);

    return sign && v >> (mantissa + 5) & 1 ? -value : value;
}

static double ref_value(unsigned type, uint64_t v, unsigned bits)
{
    int64_t s = (int64_t)(v << (64 - bits)) >> (64 - bits);
    double d;
    float single;
    uint32_t low = (uint32_t)v;

    switch (type) {
    case SOFT_CH_UNORM:
        return (double)v / (pow(2, bits) - 1);
    case SOFT_CH_SNORM:
        return fmax((double)s / (pow(2, bits - 1) - 1), -1);
    case SOFT_CH_USCALED:
        return (double)v;
    case SOFT_CH_SSCALED:
        return (double)s;
    case SOFT_CH_FIXED:
        return (double)s / 65536;
    default:
        if (bits == 64) {
            memcpy(&d, &v, 8);
            return d;
        }
        if (bits == 32) {
            memcpy(&single, &low, 4);
            return (double)single;
        }
        return bits == 16 ? ref_small_float(v, 10, true) : ref_small_float(v, bits - 5, false);
    }
}

static void check_channel(const struct soft_format *fmt, unsigned c, const uint8_t *element, uint32_t got)
{
    unsigned bits = fmt->channel[c].bits, type = fmt->channel[c].type;
    uint64_t v = ref_bits(element, fmt->channel[c].first, bits);

    if (type == SOFT_CH_UINT || type == SOFT_CH_RAW) {
        assert_int_equal(got, (uint32_t)v);
    } else if (type == SOFT_CH_SINT) {
        assert_int_equal(got, (uint32_t)((int64_t)(v << (64 - bits)) >> (64 - bits)));
    } else {
        double expect = ref_value(type, v, bits);

        if (fmt->srgb && c < 3)
            expect = expect <= 0.04045 ? expect / 12.92 : pow((expect + 0.055) / 1.055, 2.4);
        if (isnan(expect))
            assert_true(isnan(f(got)));
        else
            assert_true(f(got) == (float)expect || fabs((double)f(got) - expect) <= fabs(expect) * 1e-7);
    }
}

static bool plain(const struct soft_format *fmt)
{
    return fmt && !fmt->compression && fmt->bits >= 8;
}

static void unpacking_matches_the_formulas(void **state)
{
    unsigned seen = 0;

    (void)state;
    for (unsigned n = 0; n < 1024; n++) {
        const struct soft_format *fmt = soft_format_find(n);

        if (!plain(fmt) || fmt->shared_exponent)
            continue;
        seen++;
        for (unsigned k = 0; k < 200; k++) {
            uint8_t element[32];
            uint32_t out[4];

            for (unsigned i = 0; i < 32; i++)
                element[i] = (uint8_t)(k == 0 ? 0 : k == 1 ? 0xff : rnd());
            soft_format_unpack(fmt, element, out);
            for (unsigned c = 0; c < 4; c++)
                if (fmt->channel[c].bits)
                    check_channel(fmt, c, element, out[c]);
                else if (!fmt->luminance && !fmt->intensity)
                    assert_int_equal(out[c], c < 3 ? 0 : soft_format_is_integer(fmt) ? 1 : b(1));
            if (fmt->luminance || fmt->intensity)
                assert_true(out[1] == out[0] && out[2] == out[0]);
            if (fmt->intensity)
                assert_int_equal(out[3], out[0]);
        }
    }
    assert_true(seen > 180);
}

/* What was read is written back as it was: normalized, integer, float and sRGB formats lose nothing. */
static void packing_undoes_unpacking(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 1024; n++) {
        const struct soft_format *fmt = soft_format_find(n);

        if (!plain(fmt) || fmt->channel[0].type == SOFT_CH_RAW || fmt->channel[0].bits == 64 ||
            (fmt->channel[0].bits == 32 && fmt->channel[0].type != SOFT_CH_UINT &&
             fmt->channel[0].type != SOFT_CH_SINT && fmt->channel[0].type != SOFT_CH_FLOAT))
            continue; /* more bits than a float has */
        for (unsigned k = 0; k < 200; k++) {
            uint8_t element[32] = {0}, back[32] = {0}, again[32] = {0};
            uint32_t out[4], second[4];

            for (unsigned i = 0; i < fmt->bits / 8u; i++)
                element[i] = (uint8_t)rnd();
            soft_format_unpack(fmt, element, out);
            if (isnan(f(out[0])) || isnan(f(out[1])) || isnan(f(out[2])) || isnan(f(out[3])))
                continue;
            soft_format_pack(fmt, out, back);
            soft_format_unpack(fmt, back, second);
            assert_memory_equal(out, second, sizeof(out));
            soft_format_pack(fmt, second, again);
            assert_memory_equal(back, again, fmt->bits / 8u);
        }
    }
}

static void rows_are_many_elements(void **state)
{
    enum { N = 37, STRIDE = 40 };

    (void)state;
    for (unsigned n = 0; n < 1024; n++) {
        const struct soft_format *fmt = soft_format_find(n);
        uint8_t elements[N * 32], packed[N * 32], one[32];
        uint32_t row[4 * STRIDE], texel[4];

        if (!plain(fmt))
            continue;
        for (unsigned i = 0; i < sizeof(elements); i++)
            elements[i] = (uint8_t)rnd();
        soft_format_unpack_row(fmt, elements, N, row, STRIDE);
        for (unsigned i = 0; i < N; i++) {
            soft_format_unpack(fmt, elements + i * fmt->bits / 8, texel);
            for (unsigned c = 0; c < 4; c++)
                assert_true(row[c * STRIDE + i] == texel[c] || (isnan(f(row[c * STRIDE + i])) && isnan(f(texel[c]))));
        }
        for (unsigned i = 0; i < 4 * STRIDE; i++)
            row[i] = b((float)(int32_t)rnd() / 0x1p30f);
        row[5] = b(NAN);
        row[6] = b(INFINITY);
        row[7] = b(-INFINITY);
        soft_format_pack_row(fmt, row, STRIDE, N, packed);
        for (unsigned i = 0; i < N; i++) {
            const uint32_t in[4] = {row[i], row[STRIDE + i], row[2 * STRIDE + i], row[3 * STRIDE + i]};

            soft_format_pack(fmt, in, one);
            assert_memory_equal(packed + i * fmt->bits / 8, one, fmt->bits / 8u);
        }
    }
}

static void halves_round_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float v = soft_half_to_float((uint16_t)h);
        double expect = ref_small_float(h, 10, true);

        assert_true(isnan(expect) ? isnan(v) : (double)v == expect);
        if (!isnan(v))
            assert_int_equal(soft_float_to_half(v), h);
    }
    for (unsigned n = 0; n < 100000; n++) {
        float v = f(rnd());

        if (isnan(v) || fabsf(v) >= 65520)
            continue;
        uint16_t h = soft_float_to_half(v);
        double got = ref_small_float(h, 10, true), up = ref_small_float((uint64_t)h + 1, 10, true);
        double down = h & 0x7fff ? ref_small_float((uint64_t)h - 1, 10, true) : got;
        double error = fabs(got - (double)v);

        assert_true(error <= fabs(up - (double)v) && error <= fabs(down - (double)v));
        if (error == fabs(up - (double)v) || (error == fabs(down - (double)v) && down != got))
            assert_int_equal(h & 1, 0);
    }
    assert_int_equal(soft_float_to_half(65519.9f), 0x7bff);
    assert_int_equal(soft_float_to_half(65520), 0x7c00);
    assert_true(isnan(soft_half_to_float(soft_float_to_half(NAN))));
}

static void srgb_codes_are_the_nearest(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 20000; n++) {
        float v = (float)n / 19999;

        assert_int_equal(soft_srgb_from_linear(v), (int)floor(soft_srgb_encode((double)v) * 255 + 0.5));
    }
    assert_int_equal(soft_srgb_from_linear(NAN), 0);
    assert_int_equal(soft_srgb_from_linear(-1), 0);
    assert_int_equal(soft_srgb_from_linear(INFINITY), 255);
}

static void out_of_range_is_clamped(void **state)
{
    const uint32_t in[4] = {b(2), b(-1), b(NAN), b(0.5f)};
    const uint32_t big[4] = {300, (uint32_t)-300, 5, 200};
    uint8_t out[16];

    (void)state;
    soft_format_pack(soft_format_find(SOFT_FORMAT_R8G8B8A8_UNORM), in, out);
    assert_memory_equal(out, ((const uint8_t[]){255, 0, 0, 128}), 4);
    soft_format_pack(soft_format_find(SOFT_FORMAT_R8G8B8A8_SNORM), in, out);
    assert_memory_equal(out, ((const uint8_t[]){127, 0x81, 0, 64}), 4);
    soft_format_pack(soft_format_find(SOFT_FORMAT_R8G8B8A8_UINT), big, out);
    assert_memory_equal(out, ((const uint8_t[]){255, 255, 5, 200}), 4);
    soft_format_pack(soft_format_find(SOFT_FORMAT_R8G8B8A8_SINT), big, out);
    assert_memory_equal(out, ((const uint8_t[]){127, 0x80, 5, 127}), 4);
}

static uint32_t pack_word(unsigned number, float r, float g, float bl, float a)
{
    const uint32_t in[4] = {b(r), b(g), b(bl), b(a)};
    uint32_t out = 0;

    soft_format_pack(soft_format_find(number), in, &out);
    return out;
}

static void packed_floats(void **state)
{
    uint32_t out[4];

    (void)state;
    assert_int_equal(pack_word(SOFT_FORMAT_R11G11B10_FLOAT, 1, 0.5f, 2, 0), 15 << 6 | 14 << 17 | 16u << 27);
    assert_int_equal(pack_word(SOFT_FORMAT_R11G11B10_FLOAT, -1, 1e9f, INFINITY, 0),
                     (0x7bfu << 11) | (31u << 27)); /* negative, finite, infinite */
    assert_int_equal(pack_word(SOFT_FORMAT_R9G9B9E5_SHAREDEXP, 1, 0.5f, 0, 0), 16u << 27 | 128 << 9 | 256);
    assert_int_equal(pack_word(SOFT_FORMAT_R9G9B9E5_SHAREDEXP, 511.9f, 0, 0, 0), 25u << 27 | 256); /* rounds up */
    assert_int_equal(pack_word(SOFT_FORMAT_R9G9B9E5_SHAREDEXP, 0, NAN, -3, 0), 0);
    soft_format_unpack(soft_format_find(SOFT_FORMAT_R9G9B9E5_SHAREDEXP), &(const uint32_t){31u << 27 | 511}, out);
    assert_true(f(out[0]) == 65408);
}

static void unknown_numbers_are_not_found(void **state)
{
    (void)state;
    assert_null(soft_format_find(0x009));
    assert_null(soft_format_find(1024));
    assert_null(soft_format_find(UINT32_MAX));
    assert_string_equal(soft_format_find(0x0c7)->name, "R8G8B8A8_UNORM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unpacking_matches_the_formulas),
        cmocka_unit_test(packing_undoes_unpacking),
        cmocka_unit_test(rows_are_many_elements),
        cmocka_unit_test(halves_round_to_nearest_even),
        cmocka_unit_test(srgb_codes_are_the_nearest),
        cmocka_unit_test(out_of_range_is_clamped),
        cmocka_unit_test(packed_floats),
        cmocka_unit_test(unknown_numbers_are_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
