/* Data port messages: what they read and write, and that nothing goes out of bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "mediator/soft/dataport.h"
#include "mediator/soft/half.h"
#include "tests/unit/soft_fixture.h"

#define TABLE       (RIG_MEMORY + 0x1000)
#define STATES      (RIG_MEMORY + 0x2000)
#define DATA        (RIG_MEMORY + 0x10000)
#define STATE_BYTES 64u

enum { BUFFER, IMAGE, SLM = 254, STATELESS = 255 };

struct port {
    struct soft_rig soft;
    struct soft_env env;
    struct eu_thread *thread;
    uint8_t slm[4096];
    uint32_t payload[32 * 8], answer[16 * 8];
    unsigned registers;
    bool header;
    uint32_t mask;
};

static uint32_t *word(struct port *p, uint64_t address)
{
    return (uint32_t *)(void *)(p->soft.memory + (address - RIG_MEMORY));
}

static void bind(struct port *p, unsigned index, struct surface_spec spec)
{
    uint32_t dw[16];

    spec.address = DATA;
    surface_bits(&spec, dw);
    memcpy(word(p, STATES + index * STATE_BYTES), dw, sizeof(dw));
    *word(p, TABLE + index * 4) = index * STATE_BYTES;
    soft_units_begin(p->env.units);
}

static void port_open(struct port *p)
{
    memset(p, 0, sizeof(*p));
    rig_open(&p->soft);
    p->env = (struct soft_env){.mem = &p->soft.mem,
                               .units = soft_units_create(),
                               .surface_base = STATES,
                               .binding_table = TABLE,
                               .general_base = DATA,
                               .slm = p->slm,
                               .slm_bytes = sizeof(p->slm),
                               .scratch = DATA + 0x8000,
                               .scratch_bytes = 0x400};
    p->thread = calloc(1, sizeof(*p->thread));
    assert_non_null(p->env.units);
    assert_non_null(p->thread);
    p->mask = 0xffff;
    bind(p, BUFFER,
         (struct surface_spec){.type = SOFT_SURF_BUFFER, .format = SOFT_FORMAT_RAW, .elements = 100, .pitch = 1});
    bind(p, IMAGE,
         (struct surface_spec){.format = SOFT_FORMAT_R32_UINT, .w = 8, .h = 4, .layers = 2, .qpitch = 4, .pitch = 32});
}

static void port_close(struct port *p)
{
    soft_units_destroy(p->env.units);
    free(p->thread);
    rig_close(&p->soft);
}

static void begin(struct port *p)
{
    memset(p->payload, 0, sizeof(p->payload));
    memset(p->answer, 0xee, sizeof(p->answer));
    p->registers = 0;
    p->header = false;
}

static void header(struct port *p, unsigned dword, uint32_t v)
{
    p->payload[dword] = v;
    p->header = true;
    p->registers = 1;
}

static void param(struct port *p, const uint32_t v[8])
{
    memcpy(p->payload + p->registers++ * 8, v, 32);
}

/* scale * channel + first */
static void param_steps(struct port *p, uint32_t first, uint32_t step)
{
    uint32_t v[8];

    for (unsigned i = 0; i < 8; i++)
        v[i] = first + i * step;
    param(p, v);
}

static enum eu_result send(struct port *p, unsigned sfid, unsigned bti, unsigned type, unsigned control, unsigned rlen)
{
    struct eu_message m = {.sfid = (uint8_t)sfid,
                           .exec_size = 8,
                           .mlen = (uint8_t)p->registers,
                           .rlen = (uint8_t)rlen,
                           .header = p->header,
                           .mask = p->mask,
                           .src0 = (const uint8_t *)p->payload,
                           .dst = (uint8_t *)p->answer,
                           .desc = bti | control << 8 | type << 14};

    return soft_dataport_message(&p->env, p->thread, &m);
}

static void untyped_dwords_go_to_enabled_channels(void **state)
{
    struct port p;

    (void)state;
    port_open(&p);
    for (uint32_t i = 0; i < 25; i++)
        *word(&p, DATA + i * 4) = 1000 + i;
    begin(&p);
    param_steps(&p, 0, 12);
    p.mask = 0xfd;
    assert_int_equal(send(&p, EU_SFID_DP_DC1, BUFFER, DC1_UNTYPED_READ, 2 << 4 | 0xc, 2), EU_DONE);
    assert_int_equal(p.answer[0], 1000);
    assert_int_equal(p.answer[8], 1001);
    assert_int_equal(p.answer[1], 0xeeeeeeee);
    assert_int_equal(p.answer[2], 1006);
    assert_int_equal(p.answer[7], 1021);
    port_close(&p);
}

static void beyond_a_buffer_reads_are_zero_and_writes_are_dropped(void **state)
{
    static const uint32_t offsets[8] = {96, 97, 100, 0xfffffffc, 92, 0x80000000, 1 << 20, 4};
    struct port p;

    (void)state;
    port_open(&p);
    for (uint32_t i = 0; i < 64; i++)
        *word(&p, DATA + i * 4) = 7;
    begin(&p);
    param(&p, offsets);
    assert_int_equal(send(&p, EU_SFID_DP_DC1, BUFFER, DC1_UNTYPED_READ, 2 << 4 | 0xe, 1), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(p.answer[i], i == 0 || i == 4 || i == 7 ? 7 : 0);
    begin(&p);
    param(&p, offsets);
    param_steps(&p, 50, 1);
    assert_int_equal(send(&p, EU_SFID_DP_DC1, BUFFER, DC1_UNTYPED_WRITE, 2 << 4 | 0xe, 0), EU_DONE);
    assert_int_equal(*word(&p, DATA + 96), 50);
    assert_int_equal(*word(&p, DATA + 92), 54);
    assert_int_equal(*word(&p, DATA + 100), 7);
    port_close(&p);
}

static void bytes_are_widened_and_narrowed(void **state)
{
    struct port p;

    (void)state;
    port_open(&p);
    begin(&p);
    param_steps(&p, 1, 2);
    param_steps(&p, 0x12345678, 1);
    assert_int_equal(send(&p, EU_SFID_DP_DC0, SLM, DC0_BYTE_SCATTERED_WRITE, 1 << 2, 0), EU_DONE);
    assert_int_equal(p.slm[0], 0);
    assert_int_equal(p.slm[1], 0x78);
    assert_int_equal(p.slm[2], 0x56);
    assert_int_equal(p.slm[3], 0x79);
    assert_int_equal(send(&p, EU_SFID_DP_DC0, SLM, DC0_BYTE_SCATTERED_READ, 0, 1), EU_DONE);
    assert_int_equal(p.answer[3], 0x7b);
    assert_int_equal(send(&p, EU_SFID_DP_DC0, SLM, DC0_BYTE_SCATTERED_READ, 3 << 2, 1), EU_FAULT);
    port_close(&p);
}

static void dword_scattered_offsets_count_dwords_from_the_header(void **state)
{
    struct port p;

    (void)state;
    port_open(&p);
    *word(&p, DATA + 0x400 + 12) = 77;
    begin(&p);
    header(&p, 5, 0x400 | 3); /* buffer base; the low bits are the scratch size */
    param_steps(&p, 3, 1);
    assert_int_equal(send(&p, EU_SFID_DP_DC0, STATELESS, DC0_DWORD_SCATTERED_READ, 2, 1), EU_DONE);
    assert_int_equal(p.answer[0], 77);
    port_close(&p);
}

static void oword_blocks(void **state)
{
    struct port p;

    (void)state;
    port_open(&p);
    for (uint32_t i = 0; i < 64; i++)
        *word(&p, DATA + i * 4) = i;
    begin(&p);
    header(&p, 2, 1);
    assert_int_equal(send(&p, EU_SFID_DP_CONST, BUFFER, DC0_OWORD_READ, 3, 2), EU_DONE);
    assert_int_equal(p.answer[0], 4);
    assert_int_equal(p.answer[15], 19);
    assert_int_equal(send(&p, EU_SFID_DP_CONST, BUFFER, DC0_OWORD_READ, 1, 1), EU_DONE); /* upper half */
    assert_int_equal(p.answer[4], 4);
    header(&p, 2, 20);
    assert_int_equal(send(&p, EU_SFID_DP_DC0, BUFFER, DC0_UNALIGNED_OWORD_READ, 4, 4), EU_DONE);
    assert_int_equal(p.answer[0], 5);
    assert_int_equal(p.answer[19], 24);
    assert_int_equal(p.answer[20], 0); /* the buffer has 100 bytes */
    begin(&p);
    header(&p, 2, 2);
    param_steps(&p, 90, 1);
    assert_int_equal(send(&p, EU_SFID_DP_DC0, BUFFER, DC0_OWORD_WRITE, 2, 0), EU_DONE);
    assert_int_equal(*word(&p, DATA + 32), 90);
    assert_int_equal(*word(&p, DATA + 60), 97);
    assert_int_equal(*word(&p, DATA + 64), 16);
    assert_int_equal(send(&p, EU_SFID_DP_CONST, BUFFER, DC0_OWORD_WRITE, 2, 0), EU_FAULT);
    port_close(&p);
}

static void oword_blocks_are_stored_for_enabled_channels(void **state)
{
    struct port p;

    (void)state;
    port_open(&p);
    for (uint32_t i = 0; i < 16; i++)
        *word(&p, DATA + i * 4) = i;
    begin(&p);
    header(&p, 2, 0);
    param_steps(&p, 90, 1);
    p.mask = 0x5a;
    assert_int_equal(send(&p, EU_SFID_DP_DC0, BUFFER, DC0_OWORD_WRITE, 2, 0), EU_DONE);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(*word(&p, DATA + i * 4), 0x5a >> i & 1 ? 90 + i : i);
    port_close(&p);
}

static void scratch_stays_in_its_space(void **state)
{
    struct port p;

    (void)state;
    port_open(&p);
    begin(&p);
    header(&p, 0, 0);
    param_steps(&p, 5, 1);
    param_steps(&p, 13, 1);
    assert_int_equal(send(&p, EU_SFID_DP_DC0, 0, 1 << 4 | 1 << 3, 0, 0), EU_DONE);
    assert_int_equal(*word(&p, DATA + 0x8000), 5);
    assert_int_equal(*word(&p, DATA + 0x8020), 0);
    p.payload[0] = 0;
    {
        struct eu_message m = {.sfid = EU_SFID_DP_DC0,
                               .exec_size = 8,
                               .mlen = 3,
                               .header = true,
                               .mask = 0xff,
                               .src0 = (const uint8_t *)p.payload,
                               .dst = (uint8_t *)p.answer,
                               .desc = 1 << 18 | 1 << 17 | 1 << 12 | 31};

        assert_int_equal(soft_dataport_message(&p.env, p.thread, &m), EU_DONE); /* half of it is outside */
        assert_int_equal(*word(&p, DATA + 0x8000 + 31 * 32), 5);
        assert_int_equal(*word(&p, DATA + 0x8400), 0);
        m.desc = 1 << 18 | 1 << 12 | 31;
        m.rlen = 2;
        assert_int_equal(soft_dataport_message(&p.env, p.thread, &m), EU_DONE);
        assert_int_equal(p.answer[7], 12);
        assert_int_equal(p.answer[8], 0);
    }
    port_close(&p);
}

static void typed_messages_know_format_and_bounds(void **state)
{
    static const uint32_t u[8] = {0, 7, 8, 3}, v[8] = {0, 3, 0, 4}, r[8] = {0, 1, 0, 0};
    struct port p;

    (void)state;
    port_open(&p);
    p.mask = 0xf;
    begin(&p);
    param(&p, u);
    param(&p, v);
    param(&p, r);
    param_steps(&p, 500, 1);
    assert_int_equal(send(&p, EU_SFID_DP_DC1, IMAGE, DC1_TYPED_WRITE, 1 << 4 | 0xe, 0), EU_DONE);
    assert_int_equal(*word(&p, DATA), 500);
    assert_int_equal(*word(&p, DATA + (4 + 3) * 32 + 28), 501);
    assert_int_equal(*word(&p, DATA + 32), 0);
    p.registers = 3;
    assert_int_equal(send(&p, EU_SFID_DP_DC1, IMAGE, DC1_TYPED_READ, 1 << 4, 4), EU_DONE);
    assert_int_equal(p.answer[1], 501);
    assert_int_equal(p.answer[8 * 3 + 1], 1); /* alpha */
    assert_int_equal(p.answer[2], 0);
    assert_int_equal(p.answer[8 * 3 + 2], 0);
    port_close(&p);
}

static void atomics_answer_the_old_value(void **state)
{
    /* operation, old, operand, second, new, answer */
    static const uint32_t cases[][6] = {
        {1, 0xf0, 0x3c, 0, 0x30, 0xf0},
        {2, 0xf0, 0x0f, 0, 0xff, 0xf0},
        {3, 0xff, 0x0f, 0, 0xf0, 0xff},
        {4, 1, 2, 0, 2, 1},
        {5, 9, 0, 0, 10, 9},
        {6, 9, 0, 0, 8, 9},
        {7, 9, 4, 0, 13, 9},
        {8, 9, 4, 0, 5, 9},
        {9, 4, 9, 0, 5, 4},
        {10, (uint32_t)-1, 3, 0, 3, (uint32_t)-1},
        {11, (uint32_t)-1, 3, 0, (uint32_t)-1, (uint32_t)-1},
        {12, (uint32_t)-1, 3, 0, (uint32_t)-1, (uint32_t)-1},
        {13, (uint32_t)-1, 3, 0, 3, (uint32_t)-1},
        {14, 5, 5, 8, 8, 5},
        {14, 5, 6, 8, 5, 5},
        {15, 9, 0, 0, 8, 8},
    };
    struct port p;

    (void)state;
    port_open(&p);
    p.mask = 1;
    for (unsigned n = 0; n < GT_ARRAY_SIZE(cases); n++) {
        const uint32_t *c = cases[n];

        *word(&p, DATA + 8) = c[1];
        begin(&p);
        param_steps(&p, 8, 0);
        param_steps(&p, c[2], 0);
        param_steps(&p, c[3], 0);
        assert_int_equal(send(&p, EU_SFID_DP_DC1, BUFFER, DC1_UNTYPED_ATOMIC, c[0] | 1 << 4 | 1 << 5, 1), EU_DONE);
        assert_int_equal(*word(&p, DATA + 8), c[4]);
        assert_int_equal(p.answer[0], c[5]);
    }
    begin(&p); /* typed: texel 2 */
    param_steps(&p, 2, 0);
    param_steps(&p, 0, 0);
    param_steps(&p, 0, 0);
    param_steps(&p, 100, 0);
    assert_int_equal(send(&p, EU_SFID_DP_DC1, IMAGE, DC1_TYPED_ATOMIC, 7 | 1 << 5, 1), EU_DONE);
    assert_int_equal(*word(&p, DATA + 8), 108);
    assert_int_equal(p.answer[0], 8);
    port_close(&p);
}

static void a64_addresses_are_whole(void **state)
{
    struct port p;
    const uint32_t low = (uint32_t)(DATA + 40), a[8] = {low, 0, low + 16, 0, 0, 0x7fff, low + 32, 0};

    (void)state;
    port_open(&p);
    p.mask = 0xf;
    begin(&p);
    param(&p, a);
    param(&p, a);
    param_steps(&p, 60, 1);
    param_steps(&p, 70, 1);
    assert_int_equal(send(&p, EU_SFID_DP_DC1, 253, DC1_A64_UNTYPED_WRITE, 2 << 4 | 0xc, 0), EU_DONE);
    assert_int_equal(*word(&p, DATA + 40), 60);
    assert_int_equal(*word(&p, DATA + 44), 70);
    assert_int_equal(*word(&p, DATA + 72 + 4), 73);
    begin(&p);
    param(&p, a);
    param(&p, a);
    assert_int_equal(send(&p, EU_SFID_DP_DC1, 253, DC1_A64_SCATTERED_READ, 1 << 2, 1), EU_DONE); /* two bytes */
    assert_int_equal(p.answer[1], 61);
    assert_int_equal(p.answer[2], 0); /* not mapped */
    begin(&p);
    param(&p, a);
    param(&p, a);
    param_steps(&p, 5, 0);
    p.mask = 1;
    assert_int_equal(send(&p, EU_SFID_DP_DC1, 253, DC1_A64_ATOMIC, 7 | 1 << 4 | 1 << 5, 2), EU_DONE); /* 64 bits */
    assert_int_equal(*word(&p, DATA + 40), 65);
    assert_int_equal(*word(&p, DATA + 44), 75);
    assert_int_equal(p.answer[1], 70);
    port_close(&p);
}

static void media_blocks_are_rectangles(void **state)
{
    struct port p;

    (void)state;
    port_open(&p);
    begin(&p);
    header(&p, 0, 28); /* the last pixel and one beyond */
    header(&p, 1, 1);
    header(&p, 2, 1 << 16 | 7); /* 8 bytes, 2 rows */
    param_steps(&p, 40, 1);
    assert_int_equal(send(&p, EU_SFID_DP_RENDER, IMAGE, RC_MEDIA_WRITE, 0, 0), EU_DONE);
    assert_int_equal(*word(&p, DATA + 32 + 28), 40);
    assert_int_equal(*word(&p, DATA + 64 + 28), 42);
    assert_int_equal(*word(&p, DATA + 64), 0);
    assert_int_equal(send(&p, EU_SFID_DP_DC1, IMAGE, DC1_MEDIA_READ, 0, 1), EU_DONE);
    assert_int_equal(p.answer[0], 40);
    assert_int_equal(p.answer[1], 40); /* the edge goes on */
    assert_int_equal(p.answer[2], 42);
    port_close(&p);
}

/* ---- two workers, one counter */

struct counter {
    struct soft_space *space;
    struct soft_mem mem;
};

static void *count(void *arg)
{
    struct counter *c = arg;
    struct soft_env env = {.mem = &c->mem};
    struct dp_target t = {.e = &env, .base = DATA, .size = 64};

    soft_mem_begin(&c->mem, c->space);
    for (unsigned i = 0; i < 20000; i++)
        dp_atomic(&t, 4, 5, DP_ATOMIC_INT, 0, 0);
    return NULL;
}

static void atomics_of_workers_do_not_get_lost(void **state)
{
    struct port p;
    struct counter c[2];
    pthread_t other;

    (void)state;
    port_open(&p);
    memset(c, 0, sizeof(c));
    c[0].space = c[1].space = &p.soft.space;
    assert_int_equal(pthread_create(&other, NULL, count, &c[1]), 0);
    count(&c[0]);
    pthread_join(other, NULL);
    assert_int_equal(*word(&p, DATA + 4), 40000);
    port_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untyped_dwords_go_to_enabled_channels),
        cmocka_unit_test(beyond_a_buffer_reads_are_zero_and_writes_are_dropped),
        cmocka_unit_test(bytes_are_widened_and_narrowed),
        cmocka_unit_test(dword_scattered_offsets_count_dwords_from_the_header),
        cmocka_unit_test(oword_blocks),
        cmocka_unit_test(oword_blocks_are_stored_for_enabled_channels),
        cmocka_unit_test(scratch_stays_in_its_space),
        cmocka_unit_test(typed_messages_know_format_and_bounds),
        cmocka_unit_test(atomics_answer_the_old_value),
        cmocka_unit_test(a64_addresses_are_whole),
        cmocka_unit_test(media_blocks_are_rectangles),
        cmocka_unit_test(atomics_of_workers_do_not_get_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
