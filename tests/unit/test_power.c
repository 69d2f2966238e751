/* Power, clocks, pcode and PVINFO: what a driver asks for and polls. */
#include "core_fixture.h"

static void forcewake_is_acknowledged(void **state)
{
    static const struct {
        enum reg_id request, ack;
    } domains[] = {
        {R_FORCEWAKE_GT_GEN9, R_FORCEWAKE_ACK_GT_GEN9},
        {R_FORCEWAKE_RENDER_GEN9, R_FORCEWAKE_ACK_RENDER_GEN9},
        {R_FORCEWAKE_MEDIA_GEN9, R_FORCEWAKE_ACK_MEDIA_GEN9},
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(domains); i++) {
        fx_wr(f, domains[i].request, 0, 0, 0x00010001);
        assert_int_equal(fx_rd(f, domains[i].ack, 0, 0), 1);
        fx_wr(f, domains[i].request, 0, 0, 0x80008000);
        assert_int_equal(fx_rd(f, domains[i].ack, 0, 0), 0x8001);
        fx_wr(f, domains[i].request, 0, 0, 0xffff0000);
        assert_int_equal(fx_rd(f, domains[i].ack, 0, 0), 0);
    }
}

static void power_well_follows_any_requester(void **state)
{
    struct fixture *f = *state;
    const uint32_t pw2_request = 1u << 31, pw2_state = 1u << 30;

    fx_wr(f, R_PWR_WELL_CTL, 0, 1, pw2_request);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fx_rd(f, R_PWR_WELL_CTL, 0, i) & pw2_state, pw2_state);
    fx_wr(f, R_PWR_WELL_CTL, 0, 3, pw2_request | 0x2);
    fx_wr(f, R_PWR_WELL_CTL, 0, 1, 0);
    assert_int_equal(fx_rd(f, R_PWR_WELL_CTL, 0, 1), pw2_state | 1);
    fx_wr(f, R_PWR_WELL_CTL, 0, 3, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(fx_rd(f, R_PWR_WELL_CTL, 0, i), 0);
}

static void unknown_power_wells_stay_off(void **state)
{
    struct fixture *f = *state;

    fx_wr(f, R_PWR_WELL_CTL, 0, 0, UINT32_MAX);
    assert_int_equal(fx_rd(f, R_PWR_WELL_CTL, 0, 0), 0xaaaaaaaa | 0x50000155);
}

static void plls_lock(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fx_rd(f, R_LCPLL1_CTL, 0, 0), 0xc0000000);
    assert_int_equal(fx_rd(f, R_DPLL_STATUS, 0, 0), 1);
    fx_wr(f, R_LCPLL2_CTL, 0, 0, 1u << 31);
    assert_int_equal(fx_rd(f, R_LCPLL2_CTL, 0, 0), 0xc0000000);
    fx_wr(f, R_WRPLL_CTL, 0, 0, 1u << 31);
    fx_wr(f, R_WRPLL_CTL, 0, 1, 1u << 31);
    assert_int_equal(fx_rd(f, R_WRPLL_CTL, 0, 1), 0x80000000);
    assert_int_equal(fx_rd(f, R_DPLL_STATUS, 0, 0), 0x01010101);
    fx_wr(f, R_LCPLL1_CTL, 0, 0, 0);
    fx_wr(f, R_WRPLL_CTL, 0, 0, 0);
    assert_int_equal(fx_rd(f, R_LCPLL1_CTL, 0, 0), 0);
    assert_int_equal(fx_rd(f, R_DPLL_STATUS, 0, 0), 0x01000100);
}

static void dbuf_follows_its_request(void **state)
{
    struct fixture *f = *state;

    fx_wr(f, R_DBUF_CTL, 0, 0, 0x80000000);
    assert_int_equal(fx_rd(f, R_DBUF_CTL, 0, 0), 0xc0000000);
    fx_wr(f, R_DBUF_CTL, 0, 0, 0x40000000);
    assert_int_equal(fx_rd(f, R_DBUF_CTL, 0, 0), 0);
}

static void tlb_invalidations_are_done_at_once(void **state)
{
    static const enum reg_id regs[] = {R_GEN8_RTCR, R_GEN8_M1TCR, R_GEN8_M2TCR, R_GEN8_BTCR, R_GEN8_VTCR};
    struct fixture *f = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(regs); i++) {
        fx_wr(f, regs[i], 0, 0, 1);
        assert_int_equal(fx_rd(f, regs[i], 0, 0), 0);
    }
}

static uint32_t pcode(struct fixture *f, uint32_t command, uint32_t data)
{
    fx_wr(f, R_PCODE_DATA, 0, 0, data);
    fx_wr(f, R_PCODE_DATA1, 0, 0, 0);
    fx_wr(f, R_PCODE_MAILBOX, 0, 0, 0x80000000 | command);
    assert_int_equal(fx_rd(f, R_PCODE_MAILBOX, 0, 0) & 0x800000ff, 0); /* done, no error */
    return fx_rd(f, R_PCODE_DATA, 0, 0);
}

static void pcode_answers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(pcode(f, 0x6, 0), 0x1e1a1100);
    assert_int_equal(pcode(f, 0x6, 1), 0x61514b3d);
    assert_int_equal(pcode(f, 0x7, 3), 1);
    assert_int_equal(pcode(f, 0x21, 0), 1);
    assert_int_equal(pcode(f, 0x5, 0x10), 0x11);
    assert_int_equal(pcode(f, 0xee, 0x1234), 0x1234);
}

static void pcode_remembers_the_frequency_table(void **state)
{
    struct fixture *f = *state;

    pcode(f, 0x8, 0x000a0b15);
    assert_int_equal(pcode(f, 0x9, 0x15), 0x0a0b);
    assert_int_equal(pcode(f, 0x9, 0xff), 0x0808);
    pcode(f, 0x8, 0xffffffff);
    assert_int_equal(pcode(f, 0x9, 0xff), 0xffff);
    vgpu_reset(f->v);
    assert_int_equal(pcode(f, 0x9, 0x15), 0x0808);
}

static void pcode_without_ready_bit_is_storage(void **state)
{
    struct fixture *f = *state;

    fx_wr(f, R_PCODE_DATA, 0, 0, 0);
    fx_wr(f, R_PCODE_MAILBOX, 0, 0, 0x6);
    assert_int_equal(fx_rd(f, R_PCODE_DATA, 0, 0), 0);
}

static void pvinfo_tells_what_i915_needs(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(vgpu_mmio_read(f->v, reg_off(R_PV_MAGIC, 0, 0), 8), 0x4776544776544776);
    assert_int_equal(vgpu_mmio_read(f->v, reg_off(R_PV_VERSION, 0, 0), 2), 1);
    assert_int_equal(vgpu_mmio_read(f->v, reg_off(R_PV_VERSION, 0, 0) + 2, 2), 0);
    assert_int_equal(fx_rd(f, R_PV_VGT_CAPS, 0, 0), 0x1c);
    assert_int_equal(fx_rd(f, R_PV_FENCE_NUM, 0, 0), 32);
    uint64_t mappable = fx_rd(f, R_PV_MAPPABLE_SIZE, 0, 0);
    uint64_t base = fx_rd(f, R_PV_NONMAPPABLE_BASE, 0, 0);
    uint64_t size = fx_rd(f, R_PV_NONMAPPABLE_SIZE, 0, 0);

    assert_int_equal(mappable, f->cfg.mappable_mb << 20);
    assert_true(base >= VGPU_BAR2_SIZE);
    assert_int_equal(base + size, 1ull << 32);
}

static void pvinfo_is_read_only_but_for_the_notes(void **state)
{
    struct fixture *f = *state;
    uint32_t page = reg_off(R_PV_MAGIC, 0, 0);
    uint8_t before[0x800];

    for (uint32_t i = 0; i < sizeof(before); i++)
        before[i] = (uint8_t)vgpu_mmio_read(f->v, page + i, 1);
    for (uint32_t i = 0; i < sizeof(before); i += 4)
        vgpu_mmio_write(f->v, page + i, 4, 0x5a5a5a5a);
    for (uint32_t i = 0; i < sizeof(before); i++)
        assert_int_equal(vgpu_mmio_read(f->v, page + i, 1), before[i]);
    fx_wr(f, R_PV_DISPLAY_READY, 0, 0, 1);
    assert_int_equal(fx_rd(f, R_PV_DISPLAY_READY, 0, 0), 1);
}

static void notifications_are_counted(void **state)
{
    struct fixture *f = *state;

    gt_log_set_level(GT_LOG_ERROR);
    for (uint32_t n = 0; n < 10; n++)
        fx_wr(f, R_PV_G2V_NOTIFY, 0, 0, n);
    fx_wr(f, R_PV_G2V_NOTIFY, 0, 0, UINT32_MAX);
    assert_int_equal(f->v->g2v_count, 6); /* 2..7 */
}

static void without_pvinfo_the_page_reads_0(void **state)
{
    struct fixture *f = *state;

    vgpu_destroy(f->v);
    f->cfg.pvinfo = false;
    fx_start(f);
    for (uint32_t i = 0; i < 0x1000; i += 4) {
        uint32_t off = reg_off(R_PV_MAGIC, 0, 0) + i;

        vgpu_mmio_write(f->v, off, 4, UINT32_MAX);
        assert_int_equal(vgpu_mmio_read(f->v, off, 4), 0);
    }
    assert_int_equal(f->v->g2v_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(forcewake_is_acknowledged),
        FX_TEST(power_well_follows_any_requester),
        FX_TEST(unknown_power_wells_stay_off),
        FX_TEST(plls_lock),
        FX_TEST(dbuf_follows_its_request),
        FX_TEST(tlb_invalidations_are_done_at_once),
        FX_TEST(pcode_answers),
        FX_TEST(pcode_remembers_the_frequency_table),
        FX_TEST(pcode_without_ready_bit_is_storage),
        FX_TEST(pvinfo_tells_what_i915_needs),
        FX_TEST(pvinfo_is_read_only_but_for_the_notes),
        FX_TEST(notifications_are_counted),
        FX_TEST(without_pvinfo_the_page_reads_0),
    };

    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
