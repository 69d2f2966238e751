/* Arithmetic of the execution units against plain C, one channel at a time. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/eu_fixture.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static float rnd_float(void)
{
    static const float special[] = {0.0f, -0.0f, 1.0f,    -1.0f,  0.5f,     1.5f,
                                    2.5f, 1e30f, -1e-30f, 255.0f, INFINITY, -INFINITY};

    if (rnd() % 4 == 0)
        return special[rnd() % (sizeof(special) / sizeof(special[0]))];
    return (float)((double)(int64_t)rnd() * 0x1p-53);
}

static bool same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

/* ---- floats */

static float ref_float(unsigned op, float a, float b, float c)
{
    switch (op) {
    case EU_OP_ADD:
        return a + b;
    case EU_OP_MUL:
        return a * b;
    case EU_OP_MAD:
        return fmaf(b, c, a);
    case EU_OP_LRP:
        return fmaf(a, b, (1.0f - a) * c);
    case EU_OP_FRC:
        return a - floorf(a);
    case EU_OP_RNDD:
        return floorf(a);
    case EU_OP_RNDU:
        return ceilf(a);
    case EU_OP_RNDE:
        return rintf(a);
    case EU_OP_RNDZ:
        return truncf(a);
    default:
        return a;
    }
}

static struct asm_reg operand(unsigned nr, unsigned how, float *lanes)
{
    struct asm_reg r = how % 2 ? asm_vec(nr, EU_TYPE_F) : asm_scalar(nr, 12, EU_TYPE_F);

    r.neg = how & 2;
    r.abs = how & 4;
    for (unsigned i = 0; i < 16; i++) {
        float v = lanes[how % 2 ? i : 3];

        v = r.abs ? fabsf(v) : v;
        lanes[i + 16] = r.neg ? -v : v;
    }
    return r;
}

static float saturated(float v)
{
    return v > 0 ? (v < 1 ? v : 1) : 0;
}

static void check_float(struct fixture *f, unsigned op, unsigned nsrc, unsigned width)
{
    float lanes[3][32], was[16], *dst = fixture_reg(f, 40);
    unsigned how[3] = {(unsigned)rnd() % 8, (unsigned)rnd() % 8, (unsigned)rnd() % 8};
    uint32_t mask = rnd() % 2 ? 0xffff : (uint32_t)rnd() & 0xffff;
    bool sat = rnd() % 4 == 0;
    struct asm_reg r[3];
    struct eu_bits *b;

    for (unsigned s = 0; s < 3; s++) {
        for (unsigned i = 0; i < 16; i++)
            lanes[s][i] = rnd_float();
        memcpy(fixture_reg(f, 10 + 4 * s), lanes[s], 64);
        r[s] = operand(10 + 4 * s, how[s], lanes[s]);
    }
    for (unsigned i = 0; i < 16; i++)
        was[i] = dst[i] = rnd_float();
    if (nsrc == 3)
        b = asm_three(&f->code, op, width, asm_vec(40, EU_TYPE_F), r[0], r[1], r[2]);
    else
        b = asm_alu(&f->code, op, width, asm_vec(40, EU_TYPE_F), r[0], nsrc == 2 ? r[1] : asm_null(EU_TYPE_F));
    EU_PUT(b, SATURATE, sat);
    assert_int_equal(fixture_run(f, mask), EU_DONE);
    for (unsigned i = 0; i < 16; i++) {
        float want = ref_float(op, lanes[0][16 + i], lanes[1][16 + i], lanes[2][16 + i]);

        want = sat ? saturated(want) : want;
        if (i >= width || !(mask >> i & 1))
            want = was[i];
        if (!same(dst[i], want))
            fail_msg("op %u width %u channel %u: %a, expected %a", op, width, i, (double)dst[i], (double)want);
    }
}

static void float_instructions_compute(void **state)
{
    static const uint8_t ops[][2] = {{EU_OP_ADD, 2},  {EU_OP_MUL, 2},  {EU_OP_MAD, 3},  {EU_OP_LRP, 3}, {EU_OP_FRC, 1},
                                     {EU_OP_RNDD, 1}, {EU_OP_RNDU, 1}, {EU_OP_RNDE, 1}, {EU_OP_RNDZ, 1}};
    static const unsigned widths[] = {1, 2, 4, 8, 16};
    struct fixture *f = fixture_new();

    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        unsigned o = (unsigned)rnd() % (sizeof(ops) / sizeof(ops[0]));

        /* Three sources in align16 come in fours. */
        check_float(f, ops[o][0], ops[o][1], widths[ops[o][1] == 3 ? 2 + rnd() % 3 : rnd() % 5]);
    }
    fixture_free(f);
}

static void math_functions_compute(void **state)
{
    struct fixture *f = fixture_new();
    float *a = fixture_reg(f, 10), *b = fixture_reg(f, 12), *d = fixture_reg(f, 40);

    (void)state;
    for (unsigned fn = EU_MATH_INV; fn <= EU_MATH_POW; fn++) {
        if (fn == 8)
            continue;
        for (unsigned i = 0; i < 16; i++) {
            a[i] = 0.05f + (float)i * 0.37f;
            b[i] = 3.1f - (float)i * 0.5f;
        }
        EU_PUT(asm_alu(&f->code, EU_OP_MATH, 16, asm_vec(40, EU_TYPE_F), asm_vec(10, EU_TYPE_F),
                       fn >= EU_MATH_FDIV ? asm_vec(12, EU_TYPE_F) : asm_null(EU_TYPE_F)),
               COND_MODIFIER, fn);
        assert_int_equal(fixture_run(f, 0xffff), EU_DONE);
        for (unsigned i = 0; i < 16; i++) {
            double x = (double)a[i], y = (double)b[i];
            const double want[] = {0,      1 / x,  log2(x), exp2(x), sqrt(x),  1 / sqrt(x),
                                   sin(x), cos(x), 0,       x / y,   pow(x, y)};

            assert_true(fabs((double)d[i] - want[fn]) <= 4e-7 * fmax(fabs(want[fn]), 0.5));
        }
    }
    fixture_free(f);
}

static void special_values_of_math(void **state)
{
    struct fixture *f = fixture_new();
    float *a = fixture_reg(f, 10), *d = fixture_reg(f, 40);

    (void)state;
    a[0] = 0;
    a[1] = -0.0f;
    a[2] = INFINITY;
    a[3] = -4;
    EU_PUT(asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(40, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_null(EU_TYPE_F)),
           COND_MODIFIER, EU_MATH_INV);
    EU_PUT(asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(41, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_null(EU_TYPE_F)),
           COND_MODIFIER, EU_MATH_RSQ);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_true(d[0] == INFINITY && d[1] == -INFINITY && d[2] == 0 && same(d[3], -0.25f));
    assert_true(d[8] == INFINITY && d[10] == 0 && isnan(d[11]));
    fixture_free(f);
}

static void planes_are_evaluated(void **state)
{
    struct fixture *f = fixture_new();
    float *p = fixture_reg(f, 5), *uv = fixture_reg(f, 10), *d = fixture_reg(f, 40);

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        p[i] = 0.25f + (float)i;
    for (unsigned i = 0; i < 32; i++)
        uv[i] = (float)i * 0.125f;
    asm_alu(&f->code, EU_OP_PLN, 16, asm_vec(40, EU_TYPE_F), asm_scalar(5, 16, EU_TYPE_F), asm_vec(10, EU_TYPE_F));
    asm_alu(&f->code, EU_OP_LINE, 8, asm_vec(42, EU_TYPE_F), asm_scalar(5, 0, EU_TYPE_F), asm_vec(10, EU_TYPE_F));
    assert_int_equal(fixture_run(f, 0xffff), EU_DONE);
    for (unsigned i = 0; i < 16; i++) {
        float u = uv[i / 8 * 16 + i % 8], v = uv[i / 8 * 16 + 8 + i % 8];

        assert_true(same(d[i], p[4] * u + p[5] * v + p[7])); /* all exact in these numbers */
    }
    for (unsigned i = 0; i < 8; i++)
        assert_true(same(d[16 + i], p[0] * uv[i] + p[3]));
    fixture_free(f);
}

static void dot_products_of_fours(void **state)
{
    static const uint8_t ops[] = {EU_OP_DP4, EU_OP_DP3, EU_OP_DP2, EU_OP_DPH};
    struct fixture *f = fixture_new();
    float *a = fixture_reg(f, 10), *b = fixture_reg(f, 11), *d = fixture_reg(f, 40);

    (void)state;
    for (unsigned o = 0; o < 4; o++) {
        for (unsigned i = 0; i < 8; i++) {
            a[i] = (float)(i + 1);
            b[i] = (float)(2 * i) - 3;
        }
        asm_alu(&f->code, ops[o], 8, asm_vec(40, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_vec(11, EU_TYPE_F));
        assert_int_equal(fixture_run(f, 0xff), EU_DONE);
        for (unsigned i = 0; i < 8; i++) {
            const float *x = a + i / 4 * 4, *y = b + i / 4 * 4;
            float want = x[0] * y[0] + x[1] * y[1];

            want += ops[o] == EU_OP_DP2 ? 0 : x[2] * y[2];
            want += ops[o] == EU_OP_DP4 ? x[3] * y[3] : ops[o] == EU_OP_DPH ? y[3] : 0;
            assert_true(same(d[i], want));
        }
    }
    fixture_free(f);
}

/* ---- integers */

static const struct {
    uint8_t type, bytes;
    bool is_signed;
} ints[] = {{EU_TYPE_UB, 1, false}, {EU_TYPE_B, 1, true},   {EU_TYPE_UW, 2, false},
            {EU_TYPE_W, 2, true},   {EU_TYPE_UD, 4, false}, {EU_TYPE_D, 4, true}};

static int64_t get_int(const void *p, unsigned k, unsigned i)
{
    const uint8_t *at = (const uint8_t *)p + i * ints[k].bytes;
    uint64_t v = 0;
    unsigned unused = 64 - ints[k].bytes * 8u;

    memcpy(&v, at, ints[k].bytes);
    return ints[k].is_signed ? (int64_t)(v << unused) >> unused : (int64_t)v;
}

static int64_t fit(int64_t v, unsigned k, bool sat)
{
    unsigned bits = ints[k].bytes * 8u;
    int64_t top = ints[k].is_signed ? (INT64_C(1) << (bits - 1)) - 1 : (INT64_C(1) << bits) - 1;
    int64_t bottom = ints[k].is_signed ? -top - 1 : 0;

    if (sat)
        return v > top ? top : v < bottom ? bottom : v;
    v = (int64_t)((uint64_t)v << (64 - bits));
    return ints[k].is_signed ? v >> (64 - bits) : (int64_t)((uint64_t)v >> (64 - bits));
}

static int64_t ref_int(unsigned op, int64_t a, int64_t b)
{
    uint64_t own = (uint64_t)a & 0xffffffffu;

    switch (op) {
    case EU_OP_ADD:
        return a + b;
    case EU_OP_MUL:
        return a * b;
    case EU_OP_AND:
        return a & b;
    case EU_OP_OR:
        return a | b;
    case EU_OP_XOR:
        return a ^ b;
    case EU_OP_SHL:
        return (int64_t)((uint64_t)a << (b & 31));
    case EU_OP_SHR:
        return (int64_t)(own >> (b & 31));
    case EU_OP_ASR:
        return a >> (b & 31);
    case EU_OP_AVG:
        return (a + b + 1) >> 1;
    default:
        return a;
    }
}

static void check_int(struct fixture *f, unsigned op, unsigned width)
{
    unsigned k0 = (unsigned)rnd() % 6, k1 = (unsigned)rnd() % 6, kd = (unsigned)rnd() % 6;
    uint8_t a[64], b[64], was[64], *dst = fixture_reg(f, 40);
    bool sat = rnd() % 3 == 0, neg = rnd() % 2;
    bool logic = op == EU_OP_AND || op == EU_OP_OR || op == EU_OP_XOR;
    struct asm_reg s1 = asm_region(14, 0, ints[k1].type, 8, 8, 1);
    struct eu_bits *bits;

    if (op == EU_OP_MUL && k0 == 4 && k1 == 4)
        k0 = 5; /* the full product of two unsigned dwords does not fit into a signed quadword */
    for (unsigned i = 0; i < 64; i++) {
        a[i] = (uint8_t)rnd();
        b[i] = (uint8_t)rnd();
        was[i] = dst[i] = (uint8_t)rnd();
    }
    memcpy(fixture_reg(f, 10), a, 64);
    memcpy(fixture_reg(f, 14), b, 64);
    s1.neg = neg;
    bits = asm_alu(&f->code, op, width, asm_vec(40, ints[kd].type), asm_vec(10, ints[k0].type), s1);
    EU_PUT(bits, SATURATE, sat);
    assert_int_equal(fixture_run(f, 0xffff), EU_DONE);
    for (unsigned i = 0; i < width; i++) {
        int64_t x = get_int(a, k0, i), y = get_int(b, k1, i);
        int64_t want = fit(ref_int(op, x, neg ? (logic ? ~y : -y) : y), kd, sat);

        if (get_int(dst, kd, i) != want)
            fail_msg("op %u types %u %u %u sat %d neg %d: %lld, expected %lld", op, kd, k0, k1, sat, neg,
                     (long long)get_int(dst, kd, i), (long long)want);
    }
    assert_memory_equal(dst + width * ints[kd].bytes, was + width * ints[kd].bytes, 64 - width * ints[kd].bytes);
}

static void integer_instructions_compute(void **state)
{
    static const uint8_t ops[] = {EU_OP_ADD, EU_OP_MUL, EU_OP_AND, EU_OP_OR,  EU_OP_XOR,
                                  EU_OP_SHL, EU_OP_SHR, EU_OP_ASR, EU_OP_AVG, EU_OP_MOV};
    static const unsigned widths[] = {1, 2, 4, 8, 16};
    struct fixture *f = fixture_new();

    (void)state;
    for (unsigned round = 0; round < 6000; round++)
        check_int(f, ops[rnd() % sizeof(ops)], widths[rnd() % 5]);
    fixture_free(f);
}

static void bit_instructions_compute(void **state)
{
    static const uint8_t ops[] = {EU_OP_BFREV, EU_OP_LZD, EU_OP_FBH, EU_OP_FBL, EU_OP_CBIT, EU_OP_NOT};
    static const uint32_t in[8] = {0, 1, 0x80000000, 0xffffffff, 0x00012340, 0x7fffffff, 0xfffffff0, 0x00ff0000};
    static const uint32_t want[6][8] = {
        {0, 0x80000000, 1, 0xffffffff, 0x02c48000, 0xfffffffe, 0x0fffffff, 0x0000ff00},
        {32, 31, 0, 0, 15, 1, 0, 8},
        {0xffffffff, 31, 0, 0, 15, 1, 0, 8},
        {0xffffffff, 0, 31, 0, 6, 0, 4, 16},
        {0, 1, 1, 32, 5, 31, 28, 8},
        {0xffffffff, 0xfffffffe, 0x7fffffff, 0, 0xfffedcbf, 0x80000000, 0xf, 0xff00ffff},
    };
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 40);

    (void)state;
    for (unsigned o = 0; o < 6; o++) {
        memcpy(fixture_reg(f, 10), in, sizeof(in));
        asm_alu(&f->code, ops[o], 8, asm_vec(40, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), asm_null(EU_TYPE_UD));
        assert_int_equal(fixture_run(f, 0xff), EU_DONE);
        assert_memory_equal(d, want[o], sizeof(in));
    }
    /* Signed: the first bit that differs from the sign. */
    asm_alu(&f->code, EU_OP_FBH, 8, asm_vec(40, EU_TYPE_UD), asm_vec(10, EU_TYPE_D), asm_null(EU_TYPE_UD));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    assert_int_equal(d[0], 0xffffffff);
    assert_int_equal(d[2], 1);
    assert_int_equal(d[3], 0xffffffff);
    assert_int_equal(d[6], 28);
    fixture_free(f);
}

static void bit_fields_are_extracted_and_inserted(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *w = fixture_reg(f, 10), *o = fixture_reg(f, 11), *v = fixture_reg(f, 12), *d = fixture_reg(f, 40);

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        w[i] = i * 4;
        o[i] = i * 3;
        v[i] = 0x89abcdef * (i + 1);
    }
    asm_three(&f->code, EU_OP_BFE, 8, asm_vec(40, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), asm_vec(11, EU_TYPE_UD),
              asm_vec(12, EU_TYPE_UD));
    asm_three(&f->code, EU_OP_BFE, 8, asm_vec(41, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D),
              asm_vec(12, EU_TYPE_D));
    asm_alu(&f->code, EU_OP_BFI1, 8, asm_vec(42, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), asm_vec(11, EU_TYPE_UD));
    asm_three(&f->code, EU_OP_BFI2, 8, asm_vec(43, EU_TYPE_UD), asm_vec(42, EU_TYPE_UD), asm_vec(12, EU_TYPE_UD),
              asm_vec(11, EU_TYPE_UD));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        unsigned width = i * 4 & 31, off = i * 3 & 31, n = width + off < 32 ? width : 32 - off;
        uint32_t field = width ? v[i] >> off & (uint32_t)((UINT64_C(1) << n) - 1) : 0;
        uint32_t mask = ((1u << width) - 1) << off;
        int32_t extended = width ? (int32_t)(field << (32 - n)) >> (32 - n) : 0;

        assert_int_equal(d[i], field);
        assert_int_equal((int32_t)d[8 + i], extended);
        assert_int_equal(d[16 + i], mask);
        assert_int_equal(d[24 + i], mask ? (v[i] << off & mask) | (o[i] & ~mask) : o[i]);
    }
    fixture_free(f);
}

static void upper_halves_of_products(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *a = fixture_reg(f, 10), *b = fixture_reg(f, 11), *d = fixture_reg(f, 40);
    struct asm_reg low = asm_region(11, 0, EU_TYPE_UW, 16, 8, 2);

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        a[i] = (uint32_t)rnd();
        b[i] = (uint32_t)rnd();
    }
    asm_alu(&f->code, EU_OP_MUL, 8, asm_arf(EU_ARF_ACC, 0, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), low);
    EU_PUT(asm_alu(&f->code, EU_OP_MACH, 8, asm_vec(40, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), asm_vec(11, EU_TYPE_UD)),
           ACC_WR_CONTROL, 1);
    asm_mov(&f->code, 8, asm_vec(41, EU_TYPE_UD), asm_region(0, 0, EU_TYPE_UD, 8, 8, 1));
    EU_PUT(&f->code.inst[2], SRC0_FILE, EU_ARF);
    EU_PUT(&f->code.inst[2], SRC0_REG, EU_ARF_ACC);
    asm_alu(&f->code, EU_OP_MUL, 8, asm_arf(EU_ARF_ACC, 0, EU_TYPE_D), asm_vec(10, EU_TYPE_D), low);
    EU_PUT(asm_alu(&f->code, EU_OP_MACH, 8, asm_vec(42, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D)),
           ACC_WR_CONTROL, 1);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(d[i], (uint64_t)a[i] * b[i] >> 32);
        assert_int_equal(d[8 + i], a[i] * b[i]);
        assert_int_equal((int32_t)d[16 + i], (int64_t)(int32_t)a[i] * (int32_t)b[i] >> 32);
    }
    fixture_free(f);
}

static void carries_and_borrows(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *a = fixture_reg(f, 10), *b = fixture_reg(f, 11), *d = fixture_reg(f, 40), acc[8];

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        a[i] = (uint32_t)rnd();
        b[i] = (uint32_t)rnd();
    }
    EU_PUT(asm_alu(&f->code, EU_OP_ADDC, 8, asm_vec(40, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), asm_vec(11, EU_TYPE_UD)),
           ACC_WR_CONTROL, 1);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    memcpy(acc, f->t.acc, sizeof(acc));
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(d[i], a[i] + b[i]);
        assert_int_equal(acc[i], (uint64_t)a[i] + b[i] > UINT32_MAX);
    }
    EU_PUT(asm_alu(&f->code, EU_OP_SUBB, 8, asm_vec(40, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), asm_vec(11, EU_TYPE_UD)),
           ACC_WR_CONTROL, 1);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    memcpy(acc, f->t.acc, sizeof(acc));
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(d[i], a[i] - b[i]);
        assert_int_equal(acc[i], a[i] < b[i]);
    }
    fixture_free(f);
}

static void accumulating_products(void **state)
{
    struct fixture *f = fixture_new();
    float *a = fixture_reg(f, 10), *b = fixture_reg(f, 11), *d = fixture_reg(f, 40);

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        a[i] = (float)i;
        b[i] = (float)(i + 2);
    }
    asm_mov(&f->code, 8, asm_arf(EU_ARF_ACC, 0, EU_TYPE_F), asm_vec(11, EU_TYPE_F));
    asm_alu(&f->code, EU_OP_MAC, 8, asm_vec(40, EU_TYPE_F), asm_vec(10, EU_TYPE_F), asm_vec(11, EU_TYPE_F));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_true(same(d[i], b[i] + a[i] * b[i]));
    fixture_free(f);
}

static void sums_of_differences(void **state)
{
    struct fixture *f = fixture_new();
    uint8_t *a = fixture_reg(f, 10), *b = fixture_reg(f, 11);
    uint16_t *d = fixture_reg(f, 40);

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        a[i] = (uint8_t)(i * 37);
        b[i] = (uint8_t)(200 - i * 11);
    }
    asm_alu(&f->code, EU_OP_SAD2, 8, asm_vec(40, EU_TYPE_UW), asm_vec(10, EU_TYPE_UB), asm_vec(11, EU_TYPE_UB));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i += 2)
        assert_int_equal(d[i], abs(a[i] - b[i]) + abs(a[i + 1] - b[i + 1]));
    fixture_free(f);
}

static void integer_division(void **state)
{
    struct fixture *f = fixture_new();
    int32_t *a = fixture_reg(f, 10), *b = fixture_reg(f, 11), *d = fixture_reg(f, 40);
    const int32_t x[8] = {100, -100, 7, INT32_MIN, 5, -5, 0, INT32_MAX}, y[8] = {7, 7, -2, -1, 0, 0, 3, 2};

    (void)state;
    memcpy(a, x, sizeof(x));
    memcpy(b, y, sizeof(y));
    EU_PUT(asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(40, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D)),
           COND_MODIFIER, EU_MATH_INT_DIV_BOTH);
    EU_PUT(asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(42, EU_TYPE_UD), asm_vec(10, EU_TYPE_UD), asm_vec(11, EU_TYPE_UD)),
           COND_MODIFIER, EU_MATH_INT_DIV);
    EU_PUT(asm_alu(&f->code, EU_OP_MATH, 8, asm_vec(43, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_vec(11, EU_TYPE_D)),
           COND_MODIFIER, EU_MATH_INT_MOD);
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        if (y[i] == 0 || y[i] == -1)
            continue;
        assert_int_equal(d[i], x[i] / y[i]);
        assert_int_equal(d[8 + i], x[i] % y[i]);
        assert_int_equal((uint32_t)d[16 + i], (uint32_t)x[i] / (uint32_t)y[i]);
        assert_int_equal(d[24 + i], x[i] % y[i]);
    }
    assert_int_equal(d[3], INT32_MIN);
    assert_int_equal(d[4], INT32_MAX);
    assert_int_equal(d[5], INT32_MIN);
    assert_int_equal((uint32_t)d[20], UINT32_MAX);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_instructions_compute), cmocka_unit_test(math_functions_compute),
        cmocka_unit_test(special_values_of_math),     cmocka_unit_test(planes_are_evaluated),
        cmocka_unit_test(dot_products_of_fours),      cmocka_unit_test(integer_instructions_compute),
        cmocka_unit_test(bit_instructions_compute),   cmocka_unit_test(bit_fields_are_extracted_and_inserted),
        cmocka_unit_test(upper_halves_of_products),   cmocka_unit_test(carries_and_borrows),
        cmocka_unit_test(accumulating_products),      cmocka_unit_test(sums_of_differences),
        cmocka_unit_test(integer_division),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
