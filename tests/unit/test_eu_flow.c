/* Control flow: random structured programs against the same program run for one channel after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/eu_fixture.h"

#define WIDTH     16u
#define ACC       20 /* registers: the value that statements change, */
#define COUNT     40 /* ... counters of loops, two registers each */
#define MAX_DEPTH 6
#define MAX_NODES 48

static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint32_t rnd(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % below;
}

/* ---- programs */

enum kind { ADD, IF, LOOP, BREAK, CONT, HALT };

struct node {
    enum kind kind;
    uint32_t value; /* of ADD; bits that IF, BREAK, CONT and HALT test; turns of LOOP */
    bool has_else;
    int body, orelse, next; /* indices, -1: none */
};

struct program {
    struct node node[MAX_NODES];
    int n;
};

static int make_block(struct program *p, int depth, int loops);

static int make_node(struct program *p, int depth, int loops)
{
    int i = p->n++;
    struct node *n = &p->node[i];
    uint32_t what = rnd(12);

    *n = (struct node){.kind = ADD, .value = rnd(1000) * 2 + 1, .body = -1, .orelse = -1, .next = -1};
    if (depth < MAX_DEPTH && what < 4) {
        n->kind = what < 2 ? IF : LOOP;
        n->value = n->kind == IF ? 1u << rnd(6) : 1 + rnd(4);
        n->has_else = rnd(2);
        n->body = make_block(p, depth + 1, loops + (n->kind == LOOP));
        p->node[i].orelse = p->node[i].kind == IF && p->node[i].has_else ? make_block(p, depth + 1, loops) : -1;
    } else if (loops && what < 7) {
        n->kind = what & 1 ? BREAK : CONT;
        n->value = 1u << rnd(6);
    } else if (what == 7 && rnd(3) == 0) {
        n->kind = HALT;
        n->value = 3u << rnd(5);
    }
    return i;
}

static int make_block(struct program *p, int depth, int loops)
{
    int first = -1, last = -1;

    for (uint32_t k = 1 + rnd(4); k && p->n < MAX_NODES - 8; k--) {
        int i = make_node(p, depth, loops);

        if (last >= 0)
            p->node[last].next = i;
        else
            first = i;
        last = i;
    }
    return first;
}

/* ---- one channel */

enum outcome { GO_ON, BROKEN, CONTINUED, HALTED };

static uint32_t step(uint32_t acc, uint32_t value)
{
    return acc * 5 + value;
}

static enum outcome run_block(const struct program *p, int i, uint32_t *acc)
{
    for (; i >= 0; i = p->node[i].next) {
        const struct node *n = &p->node[i];
        bool yes = *acc & n->value;
        enum outcome o = GO_ON;

        if (n->kind == ADD) {
            *acc = step(*acc, n->value);
        } else if (n->kind == IF) {
            o = run_block(p, yes ? n->body : n->orelse, acc);
        } else if (n->kind == LOOP) {
            for (uint32_t turn = 0; turn < n->value && o != BROKEN && o != HALTED; turn++)
                o = run_block(p, n->body, acc);
            o = o == HALTED ? HALTED : GO_ON;
        } else if (yes) {
            o = n->kind == BREAK ? BROKEN : n->kind == CONT ? CONTINUED : HALTED;
        }
        if (o != GO_ON)
            return o;
    }
    return GO_ON;
}

/* ---- all channels: as Mesa's generator lays it out (brw_eu_emit.c brw_set_uip_jip) */

struct emitter {
    struct asm_code *c;
    unsigned block_end[MAX_DEPTH + 2][64], pending[MAX_DEPTH + 2]; /* JIPs that wait for the end of the block */
    unsigned leave[MAX_DEPTH + 2][64], leaving[MAX_DEPTH + 2];     /* UIPs that wait for the loop's end */
    unsigned halts[64], n_halts;
    int loops;
};

static void put_jip(struct emitter *e, unsigned at, unsigned to)
{
    EU_PUT(&e->c->inst[at], JIP, (uint32_t)(((int)to - (int)at) * 16));
}

static void put_uip(struct emitter *e, unsigned at, unsigned to)
{
    EU_PUT(&e->c->inst[at], UIP, (uint32_t)(((int)to - (int)at) * 16));
}

static void end_block(struct emitter *e, int depth, unsigned to)
{
    while (e->pending[depth])
        put_jip(e, e->block_end[depth][--e->pending[depth]], to);
}

static void test_bits(struct emitter *e, uint32_t bits)
{
    EU_PUT(asm_alu(e->c, EU_OP_AND, WIDTH, asm_null(EU_TYPE_UD), asm_vec(ACC, EU_TYPE_UD), asm_imm(EU_TYPE_UD, bits)),
           COND_MODIFIER, EU_COND_NZ);
}

static unsigned predicated(struct emitter *e, unsigned op)
{
    EU_PUT(asm_flow(e->c, op, WIDTH, 0, 0), PRED_CONTROL, EU_PRED_NORMAL);
    return e->c->n - 1;
}

static void emit_block(struct emitter *e, const struct program *p, int i, int depth);

static void emit_if(struct emitter *e, const struct program *p, const struct node *n, int depth)
{
    unsigned first, other = 0, end;

    test_bits(e, n->value);
    first = predicated(e, EU_OP_IF);
    emit_block(e, p, n->body, depth + 1);
    if (n->has_else) {
        other = e->c->n;
        end_block(e, depth + 1, other);
        asm_flow(e->c, EU_OP_ELSE, WIDTH, 0, 0);
        emit_block(e, p, n->orelse, depth + 1);
    }
    end = e->c->n;
    end_block(e, depth + 1, end);
    asm_flow(e->c, EU_OP_ENDIF, WIDTH, 1, 0);
    e->block_end[depth][e->pending[depth]++] = end;
    put_jip(e, first, n->has_else ? other + 1 : end);
    put_uip(e, first, end);
    if (n->has_else) {
        put_jip(e, other, end);
        put_uip(e, other, end);
    }
}

static void emit_loop(struct emitter *e, const struct program *p, const struct node *n, int depth)
{
    unsigned count = COUNT + 2 * (unsigned)depth, start, end;

    asm_mov(e->c, WIDTH, asm_vec(count, EU_TYPE_D), asm_imm(EU_TYPE_D, n->value));
    start = e->c->n;
    EU_PUT(asm_alu(e->c, EU_OP_ADD, WIDTH, asm_vec(count, EU_TYPE_D), asm_vec(count, EU_TYPE_D),
                   asm_imm(EU_TYPE_D, UINT32_MAX)),
           COND_MODIFIER, EU_COND_L);
    e->loops++;
    e->leaving[e->loops] = 0;
    e->block_end[depth + 1][e->pending[depth + 1]++] = e->leave[e->loops][e->leaving[e->loops]++] =
        predicated(e, EU_OP_BREAK);
    emit_block(e, p, n->body, depth + 1);
    end = e->c->n;
    end_block(e, depth + 1, end);
    asm_flow(e->c, EU_OP_WHILE, WIDTH, (int)start - (int)end, 0);
    while (e->leaving[e->loops])
        put_uip(e, e->leave[e->loops][--e->leaving[e->loops]], end);
    e->loops--;
}

static void emit_block(struct emitter *e, const struct program *p, int i, int depth)
{
    for (; i >= 0; i = p->node[i].next) {
        const struct node *n = &p->node[i];

        if (n->kind == ADD) {
            asm_alu(e->c, EU_OP_MUL, WIDTH, asm_vec(ACC, EU_TYPE_D), asm_vec(ACC, EU_TYPE_D), asm_imm(EU_TYPE_D, 5));
            asm_alu(e->c, EU_OP_ADD, WIDTH, asm_vec(ACC, EU_TYPE_D), asm_vec(ACC, EU_TYPE_D),
                    asm_imm(EU_TYPE_D, n->value));
        } else if (n->kind == IF) {
            emit_if(e, p, n, depth);
        } else if (n->kind == LOOP) {
            emit_loop(e, p, n, depth);
        } else {
            unsigned at;

            test_bits(e, n->value);
            at = predicated(e, n->kind == BREAK ? EU_OP_BREAK : n->kind == CONT ? EU_OP_CONT : EU_OP_HALT);
            e->block_end[depth][e->pending[depth]++] = at;
            if (n->kind == HALT)
                e->halts[e->n_halts++] = at;
            else
                e->leave[e->loops][e->leaving[e->loops]++] = at;
        }
    }
}

/* Behind all of it: the halt where halted channels meet, and a change that shows that all of them run again. */
static void emit_all(struct emitter *e, const struct program *p, int first)
{
    emit_block(e, p, first, 0);
    end_block(e, 0, e->c->n);
    asm_flow(e->c, EU_OP_HALT, WIDTH, 1, 1);
    for (unsigned i = 0; i < e->n_halts; i++)
        put_uip(e, e->halts[i], e->c->n);
    asm_alu(e->c, EU_OP_XOR, WIDTH, asm_vec(ACC, EU_TYPE_D), asm_vec(ACC, EU_TYPE_D), asm_imm(EU_TYPE_D, 0x5555));
}

static void check_program(struct fixture *f, uint32_t mask)
{
    struct program p = {.n = 0};
    struct emitter e = {.c = &f->code};
    uint32_t *acc = fixture_reg(f, ACC), was[WIDTH];
    int first = make_block(&p, 0, 0);

    emit_all(&e, &p, first);
    if (f->code.n > 250) {
        f->code.n = 0;
        return;
    }
    for (unsigned i = 0; i < WIDTH; i++)
        was[i] = acc[i] = rnd(1u << 30);
    assert_int_equal(fixture_run(f, mask), EU_DONE);
    assert_true(f->ended);
    assert_int_equal(eu_kernel_unknown(f->kernel), 0);
    for (unsigned i = 0; i < WIDTH; i++) {
        uint32_t want = was[i];

        if (mask >> i & 1) {
            run_block(&p, first, &want);
            want ^= 0x5555;
        }
        if (acc[i] != want)
            fail_msg("channel %u of mask %x: %08x, expected %08x", i, mask, acc[i], want);
    }
}

static void structured_programs_run_as_one_channel_would(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    for (unsigned round = 0; round < 3000; round++)
        check_program(f, round % 3 ? 0xffff : rnd(0xffff) + 1);
    fixture_free(f);
}

/* ---- predicates */

static uint32_t predicate_of(struct fixture *f, unsigned pred, bool inv, unsigned flag, unsigned chan, unsigned width,
                             const uint32_t flags[2])
{
    uint32_t *d = fixture_reg(f, 40), got = 0;
    struct eu_bits *b;

    memset(d, 0, 128);
    b = asm_mov(&f->code, width, asm_vec(40, EU_TYPE_UD), asm_imm(EU_TYPE_UD, 1));
    EU_PUT(b, PRED_CONTROL, pred);
    EU_PUT(b, PRED_INV, inv);
    EU_PUT(b, FLAG, flag);
    EU_PUT(b, QTR_CONTROL, chan / 8);
    EU_PUT(b, NIB_CONTROL, chan / 4 & 1);
    asm_eot(&f->code);
    fixture_start(f, UINT32_MAX);
    memcpy(f->t.flag, flags, sizeof(f->t.flag));
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    f->code.n = 0;
    for (unsigned i = 0; i < width; i++)
        got |= d[i] << i;
    return got;
}

static void predicates_choose_channels(void **state)
{
    const uint32_t flags[2] = {0xa5f00f31, 0x0ff0c3ff};
    struct fixture *f = fixture_new();

    (void)state;
    assert_int_equal(predicate_of(f, EU_PRED_NORMAL, false, 0, 0, 16, flags), 0x0f31);
    assert_int_equal(predicate_of(f, EU_PRED_NORMAL, true, 0, 0, 16, flags), 0xf0ce);
    assert_int_equal(predicate_of(f, EU_PRED_NORMAL, false, 1, 0, 16, flags), 0xa5f0);
    assert_int_equal(predicate_of(f, EU_PRED_NORMAL, false, 0, 16, 16, flags), 0xa5f0);
    assert_int_equal(predicate_of(f, EU_PRED_NORMAL, false, 2, 0, 32, flags), 0x0ff0c3ff);
    assert_int_equal(predicate_of(f, EU_PRED_NORMAL, false, 0, 8, 8, flags), 0x0f);
    assert_int_equal(predicate_of(f, EU_PRED_NORMAL, false, 0, 4, 4, flags), 0x3);
    assert_int_equal(predicate_of(f, EU_PRED_ANYV, false, 0, 0, 16, flags), 0xcfff);
    assert_int_equal(predicate_of(f, EU_PRED_ALLV, false, 0, 0, 16, flags), 0x0331);
    assert_int_equal(predicate_of(f, 4, false, 0, 0, 16, flags), 0x0f33);  /* any2h */
    assert_int_equal(predicate_of(f, 5, false, 0, 0, 16, flags), 0x0f30);  /* all2h */
    assert_int_equal(predicate_of(f, 6, false, 0, 0, 16, flags), 0x0fff);  /* any4h */
    assert_int_equal(predicate_of(f, 6, true, 0, 0, 16, flags), 0xf000);   /* as discard uses it */
    assert_int_equal(predicate_of(f, 7, false, 0, 0, 16, flags), 0x0f00);  /* all4h */
    assert_int_equal(predicate_of(f, 8, false, 0, 0, 16, flags), 0xffff);  /* any8h */
    assert_int_equal(predicate_of(f, 9, false, 2, 0, 16, flags), 0x00ff);  /* all8h */
    assert_int_equal(predicate_of(f, 10, false, 0, 0, 16, flags), 0xffff); /* any16h */
    assert_int_equal(predicate_of(f, 11, false, 0, 0, 16, flags), 0);      /* all16h */
    fixture_free(f);
}

/* ---- the thread's life */

static void a_budget_ends_a_slice(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    asm_flow(&f->code, EU_OP_WHILE, 8, 0, 0); /* for ever */
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(eu_run(&f->t, 1000), EU_BUDGET);
    fixture_free(f);
}

static void a_slice_more_goes_on_where_the_last_ended(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 10);

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(10, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 1));
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(eu_run(&f->t, 1), EU_BUDGET);
        assert_int_equal(d[0], i);
    }
    assert_int_equal(eu_run(&f->t, 1), EU_DONE);
    fixture_free(f);
}

static void barriers_are_waited_for(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    asm_send(&f->code, 8, asm_null(EU_TYPE_UD), 20, EU_SFID_GATEWAY, 1u << 25 | 4);
    asm_alu(&f->code, EU_OP_WAIT, 1, asm_arf(EU_ARF_NOTIFY, 0, EU_TYPE_UD), asm_arf(EU_ARF_NOTIFY, 0, EU_TYPE_UD),
            asm_null(EU_TYPE_UD));
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    f->answer = EU_WAIT;
    assert_int_equal(eu_run(&f->t, 100), EU_WAIT);
    assert_int_equal(f->messages, 1);
    assert_int_equal(eu_run(&f->t, 100), EU_WAIT);
    f->t.notified = 1;
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    assert_int_equal(f->messages, 1);
    assert_int_equal(f->t.notified, 0);
    fixture_free(f);
}

static void the_end_is_sent_even_by_no_channel(void **state)
{
    struct fixture *f = fixture_new();

    (void)state;
    asm_eot(&f->code);
    EU_PUT(&f->code.inst[0], MASK_CONTROL, 0);
    fixture_start(f, 0);
    assert_int_equal(eu_run(&f->t, 100), EU_DONE);
    assert_true(f->ended);
    assert_int_equal(f->end_mask, 0);
    fixture_free(f);
}

static void jumps_and_calls(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 10);

    (void)state;
    memset(d, 0, 32);
    EU_PUT(asm_flow(&f->code, EU_OP_JMPI, 1, 1, 0), MASK_CONTROL, 1); /* over one */
    asm_mov(&f->code, 8, asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 77));
    asm_put_dst(asm_flow(&f->code, EU_OP_CALL, 8, 3, 0), asm_vec(30, EU_TYPE_UD));
    asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(10, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 100));
    EU_PUT(asm_flow(&f->code, EU_OP_JMPI, 1, 2, 0), MASK_CONTROL, 1);
    asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(10, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 1));
    asm_put_src(asm_op(&f->code, EU_OP_RET, 8), 0, asm_scalar(30, 0, EU_TYPE_UD));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(d[i], 101);
    fixture_free(f);
}

static void unstructured_branches_meet_at_joins(void **state)
{
    struct fixture *f = fixture_new();
    uint32_t *d = fixture_reg(f, 10);

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        d[i] = i;
    EU_PUT(asm_alu(&f->code, EU_OP_CMP, 8, asm_null(EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 3)),
           COND_MODIFIER, EU_COND_G);
    EU_PUT(asm_flow(&f->code, EU_OP_GOTO, 8, 2, 2), PRED_CONTROL, 1);
    asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(10, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 10));
    asm_flow(&f->code, EU_OP_JOIN, 8, 1, 0);
    asm_alu(&f->code, EU_OP_ADD, 8, asm_vec(10, EU_TYPE_D), asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, 100));
    assert_int_equal(fixture_run(f, 0xff), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(d[i], i + (i > 3 ? 100 : 110));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structured_programs_run_as_one_channel_would),
        cmocka_unit_test(predicates_choose_channels),
        cmocka_unit_test(a_budget_ends_a_slice),
        cmocka_unit_test(a_slice_more_goes_on_where_the_last_ended),
        cmocka_unit_test(barriers_are_waited_for),
        cmocka_unit_test(the_end_is_sent_even_by_no_channel),
        cmocka_unit_test(jumps_and_calls),
        cmocka_unit_test(unstructured_branches_meet_at_joins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
