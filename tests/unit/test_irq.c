/* The interrupt tree: latching, masking, the master register, and when the line pulses. */
#include "core_fixture.h"

#define ENABLE 0x80000000u

static void master(struct fixture *f, uint32_t val)
{
    fx_wr(f, R_GEN8_MASTER_IRQ, 0, 0, val);
}

/* Unmasks and enables all bits of GT bank 0. */
static void open_bank0(struct fixture *f)
{
    fx_wr(f, R_GEN8_GT_IMR, 0, 0, 0);
    fx_wr(f, R_GEN8_GT_IER, 0, 0, UINT32_MAX);
    master(f, ENABLE);
}

static void unmasked_enabled_event_pulses_once(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    assert_int_equal(f->irqs, 1);
    assert_int_equal(f->v->stats.irqs, 1);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 1);
    assert_int_equal(fx_rd(f, R_GEN8_MASTER_IRQ, 0, 0), ENABLE | 1);
}

static void each_source_has_its_master_bit(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum reg_id imr, ier;
        unsigned elem;
    } banks[] = {
        {R_GEN8_GT_IMR, R_GEN8_GT_IER, 0},           {R_GEN8_GT_IMR, R_GEN8_GT_IER, 1},
        {R_GEN8_GT_IMR, R_GEN8_GT_IER, 3},           {R_GEN8_DE_PIPE_IMR, R_GEN8_DE_PIPE_IER, 0},
        {R_GEN8_DE_PIPE_IMR, R_GEN8_DE_PIPE_IER, 1}, {R_GEN8_DE_PIPE_IMR, R_GEN8_DE_PIPE_IER, 2},
        {R_GEN8_DE_PORT_IMR, R_GEN8_DE_PORT_IER, 0}, {R_SDEIMR, R_SDEIER, 0},
    };
    uint32_t expected = 0;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(banks); i++) {
        fx_wr(f, banks[i].imr, 0, banks[i].elem, 0);
        fx_wr(f, banks[i].ier, 0, banks[i].elem, UINT32_MAX);
    }
#define EXPECT(call, bit)                                                                                              \
    do {                                                                                                               \
        call;                                                                                                          \
        expected |= (bit);                                                                                             \
        assert_int_equal(fx_rd(f, R_GEN8_MASTER_IRQ, 0, 0), expected);                                                 \
    } while (0)
    EXPECT(vgpu_irq_gt(f->v, VGPU_RCS, 0x100), 1u << 0);
    EXPECT(vgpu_irq_gt(f->v, VGPU_BCS, 0x100), 1u << 1);
    EXPECT(vgpu_irq_gt(f->v, VGPU_VCS, 0x100), 1u << 2);
    EXPECT(vgpu_irq_gt(f->v, VGPU_VECS, 0x100), 1u << 6);
    EXPECT(vgpu_irq_pipe(f->v, 0, 1), 1u << 16);
    EXPECT(vgpu_irq_pipe(f->v, 1, 1), 1u << 17);
    EXPECT(vgpu_irq_pipe(f->v, 2, 1u << 31), 1u << 18);
    EXPECT(vgpu_irq_port(f->v, 1), 1u << 20);
    EXPECT(vgpu_irq_pch(f->v, 1u << 21), 1u << 23);
#undef EXPECT
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 0x01000100);
    assert_int_equal(f->irqs, 0);
    master(f, ENABLE);
    assert_int_equal(f->irqs, 1);
}

static void masked_event_is_not_latched(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    fx_wr(f, R_GEN8_GT_IMR, 0, 0, 1);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    fx_wr(f, R_GEN8_GT_IMR, 0, 0, 0);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 0);
    assert_int_equal(f->irqs, 0);
}

static void disabled_event_is_latched_and_waits(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    fx_wr(f, R_GEN8_GT_IER, 0, 0, 0);
    vgpu_irq_gt(f->v, VGPU_BCS, 0x10);
    assert_int_equal(f->irqs, 0);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 0x100000);
    fx_wr(f, R_GEN8_GT_IER, 0, 0, 0x100000);
    assert_int_equal(f->irqs, 1);
}

static void high_line_does_not_pulse_again(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    vgpu_irq_gt(f->v, VGPU_RCS, 0x100);
    vgpu_irq_gt(f->v, VGPU_BCS, 1);
    assert_int_equal(f->irqs, 1);
}

static void enabling_the_master_with_something_pending_pulses(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    master(f, 0);
    assert_int_equal(f->irqs, 1);
    master(f, ENABLE);
    assert_int_equal(f->irqs, 2);
    master(f, ENABLE);
    assert_int_equal(f->irqs, 3);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, UINT32_MAX);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, UINT32_MAX);
    master(f, 0);
    master(f, ENABLE);
    assert_int_equal(f->irqs, 3);
}

/* INTx is a level: high while something is pending and the master lets it through, told once a change. */
static void line_follows_what_is_pending(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    unsigned before = f->line_changes;
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    vgpu_irq_gt(f->v, VGPU_BCS, 1);
    assert_true(f->line);
    master(f, ENABLE);
    assert_int_equal(f->line_changes, before + 1);
    master(f, 0);
    assert_false(f->line);
    master(f, ENABLE);
    assert_true(f->line);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, UINT32_MAX);
    assert_false(f->line);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    assert_true(f->line);
    vgpu_reset(f->v);
    assert_false(f->line);
}

/* The order of i915's gen8_irq_handler, with an event at each point of it. */
static void no_event_is_lost_around_the_handler(void **state)
{
    for (unsigned point = 0; point < 5; point++) {
        struct fixture *f = *state;
        unsigned handled = 0, events = 1;

        vgpu_reset(f->v);
        open_bank0(f);
        f->irqs = 0;
        vgpu_irq_gt(f->v, VGPU_RCS, 1);
        for (unsigned round = 0, served = 0; served < f->irqs && round < 4; round++) {
            served = f->irqs;
#define POINT(n)                                                                                                       \
    if (round == 0 && point == (n)) {                                                                                  \
        vgpu_irq_gt(f->v, VGPU_RCS, 1);                                                                                \
        events++;                                                                                                      \
    }
            POINT(0)
            master(f, 0);
            POINT(1)
            uint32_t iir = fx_rd(f, R_GEN8_GT_IIR, 0, 0);
            POINT(2)
            if (iir) {
                fx_wr(f, R_GEN8_GT_IIR, 0, 0, iir);
                handled++;
            }
            POINT(3)
            master(f, ENABLE);
            POINT(4)
#undef POINT
        }
        assert_int_equal(handled, events);
        assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 0);
    }
}

static void iir_queues_one_event_only(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    for (unsigned i = 0; i < 10; i++)
        vgpu_irq_gt(f->v, VGPU_RCS, 1);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, 1);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 1);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, 1);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 0);
}

static void two_clears_empty_any_iir(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    vgpu_irq_gt(f->v, VGPU_RCS, 0xffff);
    vgpu_irq_gt(f->v, VGPU_RCS, 0xffff);
    fx_wr(f, R_GEN8_GT_IMR, 0, 0, UINT32_MAX);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, UINT32_MAX);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, UINT32_MAX);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 0);
    assert_int_equal(fx_rd(f, R_GEN8_MASTER_IRQ, 0, 0), ENABLE);
}

static void command_streamer_cannot_touch_the_tree(void **state)
{
    struct fixture *f = *state;

    assert_false(vgpu_reg_write(f->v, reg_off(R_GEN8_MASTER_IRQ, 0, 0), 0, VGPU_FROM_CS));
    assert_false(vgpu_reg_write(f->v, reg_off(R_GEN8_GT_IMR, 0, 3), 0, VGPU_FROM_CS));
    assert_false(vgpu_reg_write(f->v, reg_off(R_SDEIER, 0, 0), 0, VGPU_FROM_CS));
}

static void reset_masks_everything(void **state)
{
    struct fixture *f = *state;

    open_bank0(f);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    vgpu_reset(f->v);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IMR, 0, 0), UINT32_MAX);
    assert_int_equal(fx_rd(f, R_GEN8_MASTER_IRQ, 0, 0), 0);
    open_bank0(f);
    assert_int_equal(f->irqs, 1);
    vgpu_irq_gt(f->v, VGPU_RCS, 1);
    assert_int_equal(f->irqs, 2);
    fx_wr(f, R_GEN8_GT_IIR, 0, 0, 1);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IIR, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(unmasked_enabled_event_pulses_once),
        FX_TEST(each_source_has_its_master_bit),
        FX_TEST(masked_event_is_not_latched),
        FX_TEST(disabled_event_is_latched_and_waits),
        FX_TEST(high_line_does_not_pulse_again),
        FX_TEST(enabling_the_master_with_something_pending_pulses),
        FX_TEST(line_follows_what_is_pending),
        FX_TEST(no_event_is_lost_around_the_handler),
        FX_TEST(iir_queues_one_event_only),
        FX_TEST(two_clears_empty_any_iir),
        FX_TEST(command_streamer_cannot_touch_the_tree),
        FX_TEST(reset_masks_everything),
    };

    return cmocka_run_group_tests_name("irq", tests, NULL, NULL);
}
