/* Regions, types and registers of the execution units. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/eu_fixture.h"

static void fill(struct fixture *f)
{
    for (unsigned i = 0; i < EU_GRFS * EU_REG_BYTES; i++)
        f->t.grf[i] = (uint8_t)(i * 7 + i / 32);
}

static uint32_t dword_at(struct fixture *f, unsigned byte)
{
    uint32_t v;

    memcpy(&v, f->t.grf + byte, sizeof(v));
    return v;
}

/* ---- regions: PRM SKL vol 7, "Register Region Addressing" */

static void sources_are_read_by_their_region(void **state)
{
    static const uint8_t regions[][3] = {{8, 8, 1}, {0, 1, 0}, {4, 4, 1}, {16, 8, 2}, {2, 2, 1}, {1, 4, 0},
                                         {8, 4, 0}, {8, 4, 1}, {8, 2, 4}, {16, 4, 4}, {4, 1, 0}, {0, 4, 1}};
    struct fixture *f = fixture_new();

    (void)state;
    for (size_t r = 0; r < sizeof(regions) / sizeof(regions[0]); r++) {
        const uint8_t *g = regions[r];

        fill(f);
        asm_mov(&f->code, 16, asm_vec(60, EU_TYPE_UD), asm_region(10, 4, EU_TYPE_UD, g[0], g[1], g[2]));
        asm_mov(&f->code, 16, asm_vec(62, EU_TYPE_UD), asm_region(10, 2, EU_TYPE_UW, g[0], g[1], g[2]));
        assert_int_equal(fixture_run(f, 0xffff), EU_DONE);
        for (unsigned i = 0; i < 16; i++) {
            unsigned element = i / g[1] * g[0] + i % g[1] * g[2];

            assert_int_equal(dword_at(f, 60 * 32 + 4 * i), dword_at(f, 10 * 32 + 4 + element * 4));
            assert_int_equal(dword_at(f, 62 * 32 + 4 * i), dword_at(f, 10 * 32 + 2 + element * 2) & 0xffff);
        }
    }
    fixture_free(f);
}

static void destinations_have_strides(void **state)
{
    struct fixture *f = fixture_new();
    struct asm_reg dst = asm_vec(60, EU_TYPE_UW);
    const uint16_t *d = fixture_reg(f, 60);

    (void)state;
    fill(f);
    dst.hs = 2;
    dst.sub = 2;
    memset(fixture_reg(f, 60), 0xee, 64);
    asm_mov(&f->code, 8, dst, asm_vec(10, EU_TYPE_UD));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(d[1 + 2 * i], dword_at(f, 320 + 4 * i) & 0xffff);
        assert_int_equal(d[2 * i], 0xeeee);
    }
    fixture_free(f);
}

static void addresses_come_from_registers(void **state)
{
    struct fixture *f = fixture_new();
    struct asm_reg one = asm_region(0, 0, EU_TYPE_UD, 8, 8, 1), rows = asm_region(0, 0, EU_TYPE_UD, 255, 1, 0);
    struct asm_reg dst = asm_vec(0, EU_TYPE_UD);

    (void)state;
    fill(f);
    one.indirect = rows.indirect = dst.indirect = true;
    one.address = 3;
    one.offset = -32;
    rows.offset = 4;
    dst.address = 8;
    dst.offset = 32;
    asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_UD), one);
    asm_mov(&f->code, 8, asm_vec(61, EU_TYPE_UD), rows);
    asm_mov(&f->code, 8, dst, asm_vec(12, EU_TYPE_UD));
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    for (unsigned i = 0; i < 8; i++)
        f->t.address[i] = (uint16_t)(320 + 52 * i);
    f->t.address[8] = 62 * 32;
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(dword_at(f, 60 * 32 + 4 * i), dword_at(f, 320 + 52 * 3 - 32 + 4 * i));
        assert_int_equal(dword_at(f, 61 * 32 + 4 * i), dword_at(f, 320 + 52 * i + 4));
        assert_int_equal(dword_at(f, 63 * 32 + 4 * i), dword_at(f, 12 * 32 + 4 * i));
    }
    fixture_free(f);
}

static void addresses_wrap_within_the_file(void **state)
{
    struct fixture *f = fixture_new();
    struct asm_reg src = asm_region(0, 0, EU_TYPE_UD, 8, 8, 1), dst = asm_vec(0, EU_TYPE_UD);

    (void)state;
    src.indirect = dst.indirect = true;
    dst.address = 1;
    asm_mov(&f->code, 8, dst, src);
    asm_eot(&f->code);
    for (unsigned a = 0; a < 65536; a += 251) {
        struct eu_thread was;

        fixture_start(f, 0xff);
        f->t.address[0] = (uint16_t)(a + 7);
        f->t.address[1] = (uint16_t)(a * 3);
        was = f->t;
        assert_int_equal(eu_run(&f->t, 100), EU_DONE);
        assert_memory_equal(f->t.acc, was.acc,
                            sizeof(was) - offsetof(struct eu_thread, acc) -
                                (sizeof(was) - offsetof(struct eu_thread, dispatch_mask)));
    }
    fixture_free(f);
}

/* ---- align16: PRM SKL vol 7, "Align16 Access Mode" */

static void align16_swizzles_and_masks(void **state)
{
    struct fixture *f = fixture_new();
    struct eu_bits *b;

    (void)state;
    fill(f);
    memset(fixture_reg(f, 60), 0xee, 32);
    b = asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_UD), asm_region(10, 0, EU_TYPE_UD, 4, 1, 0));
    EU_PUT(b, ACCESS_MODE, 1);
    EU_PUT(b, DST_SUBREG, 0);
    EU_PUT(b, DST_WRITEMASK, 0xb); /* xyw */
    EU_PUT(b, SRC0_SWIZZLE_XY, 2 | 2 << 2);
    EU_PUT(b, SRC0_SWIZZLE_ZW, 0 | 1 << 2); /* zzxy */
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        static const uint8_t from[4] = {2, 2, 0, 1};
        uint32_t want = i % 4 == 2 ? 0xeeeeeeee : dword_at(f, 320 + i / 4 * 16 + 4 * from[i % 4]);

        assert_int_equal(dword_at(f, 60 * 32 + 4 * i), want);
    }
    fixture_free(f);
}

static void three_sources_swizzle_and_repeat(void **state)
{
    struct fixture *f = fixture_new();
    float *a = fixture_reg(f, 10), *d = fixture_reg(f, 60);
    struct eu_bits *b;

    (void)state;
    for (unsigned i = 0; i < 24; i++)
        a[i] = (float)i + 1;
    b = asm_three(&f->code, EU_OP_MAD, 8, asm_vec(60, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_scalar(11, 8, EU_TYPE_F),
                  asm_vec(12, EU_TYPE_F));
    EU_PUT(b, SRC2_SWIZZLE3, 0x1b); /* wzyx */
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_true(d[i] == a[i] + a[10] * a[16 + i / 4 * 4 + 3 - i % 4]);
    fixture_free(f);
}

/* ---- which channels */

static void groups_and_masks_choose_channels(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 60);

    (void)state;
    memset(d, 0, 128);
    EU_PUT(asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 1)), QTR_CONTROL, 1); /* 2Q */
    EU_PUT(asm_mov(&f->code, 4, asm_vec(61, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 1)), NIB_CONTROL, 1); /* 2N */
    EU_PUT(asm_mov(&f->code, 8, asm_vec(62, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 1)), MASK_CONTROL, 1);
    assert_int_equal(fixture_run(f, 0xa35c), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(d[i], 0xa3 >> i & 1);
        assert_int_equal(d[8 + i], i < 4 ? 0x5 >> i & 1 : 0);
        assert_int_equal(d[16 + i], 1);
    }
    fixture_free(f);
}

/* ---- conversions */

static void floats_become_integers(void **state)
{
    const float in[8] = {1.9f, -1.9f, 3e9f, -3e9f, 5e9f, NAN, 255.7f, -0.5f};
    const int32_t d[8] = {1, -1, INT32_MAX, INT32_MIN, INT32_MAX, 0, 255, 0};
    const uint32_t ud[8] = {1, 0, 3000000000u, 0, UINT32_MAX, 0, 255, 0};
    const uint8_t ub[8] = {1, 0, 255, 0, 255, 0, 255, 0};
    struct fixture *f = fixture_new();

    (void)state;
    memcpy(fixture_reg(f, 10), in, sizeof(in));
    asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_D), asm_vec(10, EU_TYPE_F));
    asm_mov(&f->code, 8, asm_vec(61, EU_TYPE_UD), asm_vec(10, EU_TYPE_F));
    asm_mov(&f->code, 8, asm_vec(62, EU_TYPE_UB), asm_vec(10, EU_TYPE_F));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_memory_equal(fixture_reg(f, 60), d, sizeof(d));
    assert_memory_equal(fixture_reg(f, 61), ud, sizeof(ud));
    assert_memory_equal(fixture_reg(f, 62), ub, sizeof(ub));
    fixture_free(f);
}

static void integers_become_floats(void **state)
{
    const uint32_t in[8] = {0, 1, UINT32_MAX, 0x80000000, 16777217, 16777219, 0x7fffffff, 0xffffff7f};
    struct fixture *f = fixture_new();
    const float *d = fixture_reg(f, 60);

    (void)state;
    memcpy(fixture_reg(f, 10), in, sizeof(in));
    asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_F), asm_vec(10, EU_TYPE_UD));
    asm_mov(&f->code, 8, asm_vec(61, EU_TYPE_F), asm_vec(10, EU_TYPE_D));
    asm_mov(&f->code, 8, asm_vec(62, EU_TYPE_F), asm_region(10, 0, EU_TYPE_UB, 8, 8, 1));
    asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(63, EU_TYPE_F), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 1));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(d[i] == (float)in[i]);
        assert_true(d[8 + i] == (float)(int32_t)in[i]);
        assert_true(d[16 + i] == (float)((const uint8_t *)in)[i]);
        assert_true(d[24 + i] == (float)((int64_t)(int32_t)in[i] + 1));
    }
    fixture_free(f);
}

static void halves_convert_exactly(void **state)
{
    static const struct {
        float f;
        uint16_t h;
    } rows[] = {{1, 0x3c00},        {-2, 0xc000},         {65504, 0x7bff},      {65519, 0x7bff},
                {65520, 0x7c00},    {1e-8f, 0},           {0x1p-24f, 1},        {0x1.8p-25f, 1},
                {0x1p-25f, 0},      {0x1.004p0f, 0x3c01}, {0x1.002p0f, 0x3c00}, {0x1.006p0f, 0x3c02},
                {INFINITY, 0x7c00}, {-0.0f, 0x8000},      {0x1p-14f, 0x0400},   {0x1.ff8p-15f, 0x03ff}};
    struct fixture *f = fixture_new();

    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) { /* there and back */
        float v = eu_half_to_float((uint16_t)h);

        if ((h & 0x7fff) <= 0x7c00)
            for (unsigned mode = 0; mode < 4; mode++)
                assert_int_equal(eu_float_to_half(v, mode), h);
        else
            assert_true(isnan(v) && isnan(eu_half_to_float(eu_float_to_half(v, 0))));
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_HF), asm_scalar(10, 0, EU_TYPE_F));
        asm_mov(&f->code, 8, asm_vec(61, EU_TYPE_F), asm_vec(60, EU_TYPE_HF));
        memcpy(fixture_reg(f, 10), &rows[i].f, 4);
        assert_int_equal(fixture_run(f, 0xff), EU_DONE);
        assert_int_equal(dword_at(f, 60 * 32) & 0xffff, rows[i].h);
        assert_true(*(float *)fixture_reg(f, 61) == eu_half_to_float(rows[i].h));
    }
    assert_int_equal(eu_float_to_half(70000, 3), 0x7bff); /* to zero */
    assert_int_equal(eu_float_to_half(0x1.006p0f, 3), 0x3c01);
    assert_int_equal(eu_float_to_half(1e-8f, 1), 1); /* up */
    assert_int_equal(eu_float_to_half(-1e-8f, 2), 0x8001);
    fixture_free(f);
}

static void doubles_and_quadwords_compute(void **state)
{
    struct fixture *f = fixture_new();
    double *a = fixture_reg(f, 10), *b = fixture_reg(f, 12), *d = fixture_reg(f, 60);
    int64_t *q = fixture_reg(f, 20), *e = fixture_reg(f, 70);
    const float *s = fixture_reg(f, 64);

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        a[i] = 1.0 / (i + 3);
        b[i] = 1e10 * i - 7;
        q[i] = (INT64_C(1) << (20 * i)) - 5;
    }
    asm_alu(&f->code, EU_OP_ADD, 4, asm_vec(60, EU_TYPE_DF), asm_region(10, 0, EU_TYPE_DF, 4, 4, 1),
            asm_neg(asm_region(12, 0, EU_TYPE_DF, 4, 4, 1)));
    asm_three(&f->code, EU_OP_MAD, 4, asm_vec(61, EU_TYPE_DF), asm_vec(10, EU_TYPE_DF), asm_vec(12, EU_TYPE_DF),
              asm_vec(12, EU_TYPE_DF));
    asm_mov(&f->code, 4, asm_vec(64, EU_TYPE_F), asm_region(10, 0, EU_TYPE_DF, 4, 4, 1));
    asm_alu(&f->code, EU_OP_ADD, 4, asm_vec(70, EU_TYPE_Q), asm_region(20, 0, EU_TYPE_Q, 4, 4, 1),
            asm_imm(EU_TYPE_D, 1000));
    asm_alu(&f->code, EU_OP_SHL, 4, asm_vec(71, EU_TYPE_Q), asm_region(20, 0, EU_TYPE_Q, 4, 4, 1),
            asm_imm(EU_TYPE_D, 33));
    asm_mov(&f->code, 4, asm_vec(72, EU_TYPE_DF), asm_imm(EU_TYPE_DF, UINT64_C(0x400921fb54442d18)));
    asm_mov(&f->code, 4, asm_vec(73, EU_TYPE_Q), asm_imm(EU_TYPE_Q, UINT64_MAX - 1)); /* looks like a source 1 */
    assert_int_equal(fixture_run(f, 0xf), EU_DONE);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(d[i] == a[i] - b[i]);
        assert_true(d[4 + i] == fma(b[i], b[i], a[i]));
        assert_true(s[i] == (float)a[i]);
        assert_int_equal(e[i], q[i] + 1000);
        assert_int_equal(e[4 + i], (int64_t)((uint64_t)q[i] << 33));
        assert_true(((const double *)e)[8 + i] == 0x1.921fb54442d18p1);
        assert_int_equal(e[12 + i], -2);
    }
    fixture_free(f);
}

static void vector_immediates_differ_by_channel(void **state)
{
    struct fixture *f = fixture_new();
    const uint16_t *d = fixture_reg(f, 60);
    const float *s = fixture_reg(f, 62);

    (void)state;
    asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_W), asm_imm(EU_TYPE_V, 0x89abc321));
    asm_mov(&f->code, 8, asm_vec(61, EU_TYPE_UW), asm_imm(EU_TYPE_UV, 0x89abc321));
    asm_mov(&f->code, 4, asm_vec(62, EU_TYPE_F), asm_imm(EU_TYPE_VF, 0x30b0d000)); /* 0, 0, -(not 0), 1 */
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        unsigned nibble = 0x89abc321u >> 4 * i & 15;

        assert_int_equal((int16_t)d[i], nibble < 8 ? (int)nibble : (int)nibble - 16);
        assert_int_equal(d[16 + i], nibble);
    }
    assert_true(s[0] == 0 && s[1] == -4 && s[2] == -1 && s[3] == 1);
    fixture_free(f);
}

/* ---- comparisons, minimum and maximum */

static void comparisons_give_all_ones_and_flags(void **state)
{
    const float a[8] = {1, 2, 3, NAN, NAN, -0.0f, INFINITY, 5}, b[8] = {2, 2, 2, 1, NAN, 0, INFINITY, NAN};
    const uint8_t want[] = {[EU_COND_Z] = 0x62, [EU_COND_NZ] = 0x9d, [EU_COND_G] = 0x04, [EU_COND_GE] = 0x66,
                            [EU_COND_L] = 0x01, [EU_COND_LE] = 0x63, [EU_COND_U] = 0x98};
    struct fixture *f = fixture_new();

    (void)state;
    memcpy(fixture_reg(f, 10), a, sizeof(a));
    memcpy(fixture_reg(f, 11), b, sizeof(b));
    for (unsigned c = EU_COND_Z; c <= EU_COND_U; c++) {
        if (c == 7 || c == EU_COND_O)
            continue;
        EU_PUT(asm_alu(&f->code, EU_OP_CMP, 8, asm_vec(60, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_vec(11, EU_TYPE_F)),
               COND_MODIFIER, c);
        EU_PUT(&f->code.inst[0], FLAG, 1);
        assert_int_equal(fixture_run(f, 0xff), EU_DONE);
        assert_int_equal(f->t.flag[0], (uint32_t)want[c] << 16);
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(dword_at(f, 60 * 32 + 4 * i), want[c] >> i & 1 ? UINT32_MAX : 0);
    }
    fixture_free(f);
}

static void flags_of_channels_that_do_not_run_stay(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    EU_PUT(asm_alu(&f->code, EU_OP_CMP, 16, asm_null(EU_TYPE_D), asm_imm(EU_TYPE_D, 0), asm_null(EU_TYPE_D)),
           COND_MODIFIER, EU_COND_Z);
    asm_eot(&f->code);
    fixture_start(f, 0x0ff0);
    f->t.flag[0] = 0xdead1001;
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    assert_int_equal(f->t.flag[0], 0xdead1ff1);
    fixture_free(f);
}

static void unsigned_and_mixed_comparisons(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *a = fixture_reg(f, 10), *b = fixture_reg(f, 11);

    (void)state;
    a[0] = 0xffffffff;
    b[0] = 1;
    a[1] = 0x80000000;
    b[1] = 0x7fffffff;
    for (unsigned pair = 0; pair < 4; pair++) {
        unsigned t0 = pair & 1 ? EU_TYPE_UD : EU_TYPE_D, t1 = pair & 2 ? EU_TYPE_UD : EU_TYPE_D;
        int64_t x = pair & 1 ? (int64_t)a[1] : (int32_t)a[1], y = pair & 2 ? (int64_t)b[1] : (int32_t)b[1];

        EU_PUT(asm_alu(&f->code, EU_OP_CMP, 8, asm_null(EU_TYPE_D), asm_vec(10, t0), asm_vec(11, t1)), COND_MODIFIER,
               EU_COND_G);
        assert_int_equal(fixture_run(f, 3), EU_DONE);
        assert_int_equal(f->t.flag[0] & 1, pair & 1);
        assert_int_equal(f->t.flag[0] >> 1 & 1, x > y);
    }
    fixture_free(f);
}

static void numbers_win_over_nan(void **state)
{
    const float a[8] = {1, NAN, 2, NAN, 5, -3, -0.0f, INFINITY}, b[8] = {2, 4, NAN, NAN, 5, -4, 0, 1};
    struct fixture *f = fixture_new();
    const float *d = fixture_reg(f, 60);

    (void)state;
    memcpy(fixture_reg(f, 10), a, sizeof(a));
    memcpy(fixture_reg(f, 11), b, sizeof(b));
    EU_PUT(asm_alu(&f->code, EU_OP_SEL, 8, asm_vec(60, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_vec(11, EU_TYPE_F)),
           COND_MODIFIER, EU_COND_L);
    EU_PUT(asm_alu(&f->code, EU_OP_SEL, 8, asm_vec(61, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_vec(11, EU_TYPE_F)),
           COND_MODIFIER, EU_COND_GE);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(d[i] == fminf(a[i], b[i]) || (isnan(d[i]) && i == 3));
        assert_true(d[8 + i] == fmaxf(a[i], b[i]) || (isnan(d[8 + i]) && i == 3));
    }
    fixture_free(f);
}

static void sel_takes_what_the_predicate_says(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    fill(f);
    EU_PUT(asm_alu(&f->code, EU_OP_SEL, 8, asm_vec(60, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_vec(11, EU_TYPE_F)),
           PRED_CONTROL, EU_PRED_NORMAL);
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    f->t.flag[0] = 0x5a;
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(dword_at(f, 60 * 32 + 4 * i), dword_at(f, (0x5a >> i & 1 ? 10 : 11) * 32 + 4 * i));
    fixture_free(f);
}

static void conditions_look_at_the_result(void **state)
{
    struct fixture *f = fixture_new();
    int32_t *a = fixture_reg(f, 10);

    (void)state;
    for (int i = 0; i < 8; i++)
        a[i] = i - 3;
    EU_PUT(asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(60, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 1)),
           COND_MODIFIER, EU_COND_L);
    EU_PUT(asm_mov(&f->code, 8, asm_null(EU_TYPE_F), asm_vec(10, EU_TYPE_D)), COND_MODIFIER, EU_COND_NZ);
    EU_PUT(&f->code.inst[1], FLAG, 2);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_int_equal(f->t.flag[0], 0x03);
    assert_int_equal(f->t.flag[1], 0xf7);
    fixture_free(f);
}

/* ---- other registers and modes */

static void architecture_registers_are_readable(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 60);

    (void)state;
    asm_mov(&f->code, 1, asm_vec(60, EU_TYPE_UD), asm_arf(EU_ARF_STATE, 8, EU_TYPE_UD));
    asm_mov(&f->code, 1, asm_vec(61, EU_TYPE_UD), asm_arf(EU_ARF_STATE, 12, EU_TYPE_UD));
    asm_mov(&f->code, 1, asm_vec(62, EU_TYPE_UD), asm_arf(EU_ARF_CE, 0, EU_TYPE_UD));
    asm_mov(&f->code, 1, asm_arf(EU_ARF_FLAG, 2, EU_TYPE_UW), asm_imm(EU_TYPE_UW, 0xabcd));
    asm_mov(&f->code, 1, asm_vec(63, EU_TYPE_UD), asm_arf(EU_ARF_FLAG, 0, EU_TYPE_UD));
    asm_mov(&f->code, 2, asm_vec(64, EU_TYPE_UD), asm_arf(EU_ARF_TIMESTAMP, 0, EU_TYPE_UD));
    asm_mov(&f->code, 8, asm_arf(EU_ARF_ADDRESS, 0, EU_TYPE_UW), asm_imm(EU_TYPE_V, 0x76543210));
    asm_eot(&f->code);
    fixture_start(f, 0x35);
    f->t.vector_mask = 0xff;
    f->t.flow.active = 0xff;
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    assert_int_equal(d[0], 0x35);
    assert_int_equal(d[8], 0xff);
    assert_int_equal(d[16], 0xff);
    assert_int_equal(d[24], 0xabcd0000);
    assert_true(d[32] != 0 || d[33] != 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(f->t.address[i], i);
    fixture_free(f);
}

static void rounding_and_denormals_follow_cr0(void **state)
{
    struct fixture *f = fixture_new();
    float *a = fixture_reg(f, 10), *d = fixture_reg(f, 60);

    (void)state;
    a[0] = 0x1p-100f;
    a[1] = 1;
    for (unsigned mode = 0; mode < 4; mode++) {
        EU_PUT(asm_alu(&f->code, EU_OP_OR, 1, asm_arf(EU_ARF_CONTROL, 0, EU_TYPE_UD),
                       asm_arf(EU_ARF_CONTROL, 0, EU_TYPE_UD), asm_imm(EU_TYPE_UD, mode << EU_CR0_ROUND_SHIFT)),
               MASK_CONTROL, 1);
        asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(60, EU_TYPE_F), asm_scalar(10, 4, EU_TYPE_F),
                asm_scalar(10, 0, EU_TYPE_F));
        asm_alu(&f->code, EU_OP_MUL, 8, asm_vec(61, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_float(0x1p-40f));
        asm_mov(&f->code, 8, asm_vec(62, EU_TYPE_F), asm_vec(61, EU_TYPE_F));
        assert_int_equal(fixture_run(f, 0xff), EU_DONE);
        assert_true(d[0] == (mode == 1 ? 1 + 0x1p-23f : 1));
        assert_true(d[8] == 0); /* flushed */
    }
    asm_alu(&f->code, EU_OP_MUL, 8, asm_vec(61, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_float(0x1p-40f));
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    f->t.cr0[0] = EU_CR0_DENORM_SINGLE;
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    assert_true(d[8] == 0x1p-140f);
    assert_true(1.0f + 0x1p-30f == 1); /* the host's own mode is back */
    fixture_free(f);
}

static void alt_mode_is_finite(void **state)
{
    struct fixture *f = fixture_new();
    float *a = fixture_reg(f, 10), *d = fixture_reg(f, 60);

    (void)state;
    a[0] = 0;
    a[1] = INFINITY;
    a[2] = -INFINITY;
    a[3] = 3;
    EU_PUT(asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(60, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_null(EU_TYPE_F)),
           COND_MODIFIER, EU_MATH_RSQ);
    asm_alu(&f->code, EU_OP_MUL, 8, asm_vec(61, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_scalar(10, 0, EU_TYPE_F));
    asm_three(&f->code, EU_OP_MAD, 8, asm_vec(62, EU_TYPE_F), asm_scalar(10, 12, EU_TYPE_F), asm_vec(10, EU_TYPE_F),
              asm_scalar(10, 0, EU_TYPE_F));
    asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(63, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_vec(10, EU_TYPE_F));
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    f->t.cr0[0] = EU_CR0_ALT;
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    assert_true(d[0] == FLT_MAX && fabsf(d[3] - 0.57735f) < 1e-5f);
    assert_true(d[8] == 0 && d[9] == 0 && d[10] == 0 && d[11] == 0);
    assert_true(d[16] == 3 && d[17] == 3 && d[18] == 3);
    assert_true(d[25] == FLT_MAX && d[26] == -FLT_MAX && d[27] == 6);
    fixture_free(f);
}

static void doubles_have_their_own_denormals(void **state)
{
    struct fixture *f = fixture_new();
    double *a = fixture_reg(f, 10), *d = fixture_reg(f, 60);

    (void)state;
    a[0] = 0x1p-1020;
    a[8] = 0x1p-10;
    for (unsigned keep = 0; keep < 2; keep++) {
        asm_alu(&f->code, EU_OP_MUL, 4, asm_vec(60, EU_TYPE_DF), asm_region(10, 0, EU_TYPE_DF, 4, 4, 1),
                asm_scalar(12, 0, EU_TYPE_DF));
        asm_eot(&f->code);
        fixture_start(f, 1);
        f->t.cr0[0] = keep ? EU_CR0_DENORM_DOUBLE : EU_CR0_DENORM_SINGLE;
        assert_int_equal(eu_run(&f->t, 100), EU_DONE);
        f->code.n = 0;
        assert_true(d[0] == (keep ? 0x1p-1030 : 0));
    }
    fixture_free(f);
}

static void moves_keep_every_bit(void **state)
{
    const uint32_t in[8] = {1, 0x7f800001, 0xffc12345, 0x007fffff, 0x80000001, 0x7fffffff, 0, 0x12345678};
    struct fixture *f = fixture_new();

    (void)state;
    memcpy(fixture_reg(f, 10), in, sizeof(in));
    asm_mov(&f->code, 8, asm_vec(60, EU_TYPE_F), asm_vec(10, EU_TYPE_F));
    asm_mov(&f->code, 8, asm_vec(61, EU_TYPE_HF), asm_vec(10, EU_TYPE_HF));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_memory_equal(fixture_reg(f, 60), in, 32);
    assert_memory_equal(fixture_reg(f, 61), in, 16);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_read_by_their_region),
        cmocka_unit_test(destinations_have_strides),
        cmocka_unit_test(addresses_come_from_registers),
        cmocka_unit_test(addresses_wrap_within_the_file),
        cmocka_unit_test(align16_swizzles_and_masks),
        cmocka_unit_test(three_sources_swizzle_and_repeat),
        cmocka_unit_test(groups_and_masks_choose_channels),
        cmocka_unit_test(floats_become_integers),
        cmocka_unit_test(integers_become_floats),
        cmocka_unit_test(halves_convert_exactly),
        cmocka_unit_test(doubles_and_quadwords_compute),
        cmocka_unit_test(vector_immediates_differ_by_channel),
        cmocka_unit_test(comparisons_give_all_ones_and_flags),
        cmocka_unit_test(flags_of_channels_that_do_not_run_stay),
        cmocka_unit_test(unsigned_and_mixed_comparisons),
        cmocka_unit_test(numbers_win_over_nan),
        cmocka_unit_test(sel_takes_what_the_predicate_says),
        cmocka_unit_test(conditions_look_at_the_result),
        cmocka_unit_test(architecture_registers_are_readable),
        cmocka_unit_test(rounding_and_denormals_follow_cr0),
        cmocka_unit_test(alt_mode_is_finite),
        cmocka_unit_test(doubles_have_their_own_denormals),
        cmocka_unit_test(moves_keep_every_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
