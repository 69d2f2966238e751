/* The fast functions against the general one: random instructions on random registers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediator/soft/eu/vec.h"
#include "tests/unit/eu_fixture.h"

static uint64_t seed = 0xda942042e4dd58b5ull;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16) % below;
}

struct pair {
    struct fixture *f;
    struct eu_thread *a, *b;
    unsigned compared, fast;
};

static const uint8_t types[] = {EU_TYPE_F,  EU_TYPE_F, EU_TYPE_F,  EU_TYPE_D, EU_TYPE_UD, EU_TYPE_D,
                                EU_TYPE_UW, EU_TYPE_W, EU_TYPE_UB, EU_TYPE_B, EU_TYPE_HF};

static struct asm_reg random_source(unsigned type, bool may_be_imm)
{
    struct asm_reg r;

    switch (rnd(may_be_imm && eu_types[type].bytes > 1 ? 6 : 5)) {
    case 0:
    case 1:
        r = asm_vec(10 + rnd(20), type);
        break;
    case 2:
    case 3:
        r = asm_scalar(10 + rnd(20), rnd(8) * 4, type);
        break;
    case 4:
        r = asm_region(10 + rnd(20), 0, type, 8, 4, 2);
        break;
    default:
        if (type == EU_TYPE_UW || type == EU_TYPE_W || type == EU_TYPE_D)
            type = rnd(3) ? type : rnd(2) ? EU_TYPE_V : EU_TYPE_UV;
        return asm_imm(type, rnd(3) ? rnd(64) : (uint32_t)seed);
    }
    r.neg = rnd(4) == 0;
    r.abs = rnd(5) == 0;
    return r;
}

static void random_instruction(struct asm_code *c)
{
    static const uint8_t two[] = {EU_OP_ADD, EU_OP_MUL, EU_OP_SEL, EU_OP_SEL, EU_OP_CMP, EU_OP_AND, EU_OP_OR,
                                  EU_OP_XOR, EU_OP_SHL, EU_OP_SHR, EU_OP_ASR, EU_OP_PLN, EU_OP_MATH};
    static const uint8_t one[] = {EU_OP_MOV,  EU_OP_MOV,  EU_OP_MOV,  EU_OP_NOT,  EU_OP_FRC,
                                  EU_OP_RNDD, EU_OP_RNDU, EU_OP_RNDE, EU_OP_RNDZ, EU_OP_MATH};
    unsigned width = 1u << rnd(6), kind = rnd(4), t0 = types[rnd(sizeof(types))], t1 = rnd(2) ? t0 : types[rnd(6)];
    unsigned td = rnd(3) ? t0 : types[rnd(sizeof(types))], op;
    struct asm_reg dst = rnd(8) ? asm_vec(50 + rnd(4), td) : asm_null(td);
    struct eu_bits *b;

    if (kind == 0) {
        op = rnd(4) ? EU_OP_MAD : EU_OP_LRP;
        b = asm_three(c, op, width < 4 ? 8 : width, asm_vec(50, EU_TYPE_F), random_source(EU_TYPE_F, false),
                      random_source(EU_TYPE_F, false), random_source(EU_TYPE_F, false));
    } else if (kind == 1) {
        op = one[rnd(sizeof(one))];
        b = asm_alu(c, op, width, dst, random_source(t0, true), asm_null(t0));
    } else {
        op = two[rnd(sizeof(two))];
        if (op == EU_OP_MATH || op == EU_OP_PLN)
            t0 = t1 = td = EU_TYPE_F;
        dst.type = (uint8_t)td;
        b = asm_alu(c, op, width, dst, random_source(t0, false), random_source(t1, op != EU_OP_PLN));
    }
    EU_PUT(b, COND_MODIFIER, op == EU_OP_MATH ? 1 + rnd(10) : rnd(2) ? 0 : rnd(10));
    EU_PUT(b, SATURATE, rnd(5) == 0);
    if (op == EU_OP_SEL)
        EU_PUT(b, PRED_CONTROL, rnd(2));
    EU_PUT(b, FLAG, rnd(4));
}

static uint32_t random_word(void)
{
    float f;
    uint32_t v;

    switch (rnd(6)) {
    case 0:
        return rnd(64);
    case 1:
        return UINT32_MAX - rnd(5);
    case 2:
        return rnd(2) ? 0x7f800000u | rnd(2) << 31 : 0x7fc00000u;
    case 3:
        f = (float)((int)rnd(2000) - 1000) * 0.25f;
        break;
    case 4:
        return (uint32_t)seed;
    default:
        f = ldexpf((float)(int32_t)seed, -(int)rnd(40));
    }
    memcpy(&v, &f, sizeof(v));
    return v;
}

static bool is_nan(uint32_t v)
{
    return (v & 0x7fffffff) > 0x7f800000;
}

/* Functions of two libraries may differ by a few units in the last place. */
static bool is_close(const struct eu_op *op, uint32_t x, uint32_t y)
{
    bool inexact = op->op == EU_OP_MATH && ((op->cond >= EU_MATH_LOG && op->cond <= EU_MATH_EXP) ||
                                            (op->cond >= EU_MATH_SIN && op->cond <= EU_MATH_POW));
    float a, b;

    if (x == y || (is_nan(x) && is_nan(y)))
        return true;
    memcpy(&a, &x, sizeof(a));
    memcpy(&b, &y, sizeof(b));
    return inexact && (double)fabsf(a - b) <= 1e-6 * fmax(1, (double)fabsf(a));
}

static void compare(struct pair *p, const struct eu_op *op, const char *which)
{
    const uint32_t *a = (const uint32_t *)p->a->grf, *b = (const uint32_t *)p->b->grf;

    for (unsigned i = 0; i < EU_GRFS * 8; i++)
        if (!is_close(op, a[i], b[i]))
            fail_msg("%s: %s width %u cond %u sat %d types %u %u %u shapes %u %u: g%u.%u is %08x, expected %08x", which,
                     eu_opcodes[op->op].text, op->width, op->cond, op->saturate, op->dst.type, op->src[0].type,
                     op->src[1].type, op->src[0].shape, op->src[1].shape, i / 8, i % 8, b[i], a[i]);
    if (memcmp(p->a->flag, p->b->flag, sizeof(p->a->flag)) != 0)
        fail_msg("%s: %s width %u cond %u types %u %u %u: flags %08x, expected %08x", which, eu_opcodes[op->op].text,
                 op->width, op->cond, op->dst.type, op->src[0].type, op->src[1].type, p->b->flag[0], p->a->flag[0]);
    assert_memory_equal(p->a->acc, p->b->acc, sizeof(p->a->acc));
}

static void run_both(struct pair *p, const struct eu_op *op, const struct eu_vec_table *v, const char *which)
{
    eu_exec fast = eu_choose_from(op, v);
    uint32_t mask = (rnd(2) ? UINT32_MAX : (uint32_t)seed) & op->lanes, host;

    p->compared++;
    if (!fast)
        return;
    p->fast++;
    for (unsigned i = 0; i < EU_GRFS * 8; i++) {
        uint32_t w = random_word();

        memcpy(p->a->grf + 4 * i, &w, 4);
    }
    p->a->flag[0] = (uint32_t)seed;
    memcpy(p->b, p->a, sizeof(*p->b));
    host = eu_mode_enter(0);
    eu_exec_any(p->a, op, mask);
    fast(p->b, op, mask);
    eu_mode_leave(host);
    compare(p, op, which);
}

static void compare_table(const struct eu_vec_table *v, const char *which)
{
    struct pair p = {.f = fixture_new(),
                     .a = aligned_alloc(64, sizeof(struct eu_thread)),
                     .b = aligned_alloc(64, sizeof(struct eu_thread))};

    memset(p.a, 0, sizeof(*p.a));
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned i = 0; i < 64; i++)
            random_instruction(&p.f->code);
        asm_eot(&p.f->code);
        fixture_start(p.f, 0xffff);
        for (uint32_t i = 0; i < p.f->kernel->n; i++)
            if (p.f->kernel->ops[i].exec)
                run_both(&p, &p.f->kernel->ops[i], v, which);
        p.f->code.n = 0;
    }
    assert_true(p.fast > p.compared / 3); /* or this test shows nothing */
    free(p.a);
    free(p.b);
    fixture_free(p.f);
}

static void portable_functions_do_the_same(void **state)
{
    (void)state;
    compare_table(&eu_vec_base, "base");
}

static void avx2_functions_do_the_same(void **state)
{
    (void)state;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        compare_table(&eu_vec_avx2, "avx2");
        return;
    }
#endif
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(portable_functions_do_the_same),
        cmocka_unit_test(avx2_functions_do_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
