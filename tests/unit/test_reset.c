/* Life and death of the device: configuration checks, device reset, GDRST, RESET_CTL. */
#include "core_fixture.h"

static int try_create(struct fixture *f, char *err, unsigned errsz)
{
    int rc = vgpu_create(&f->v, &f->cfg, err, errsz);

    assert_int_equal(rc == 0, f->v != NULL);
    vgpu_destroy(f->v);
    f->v = NULL;
    return rc;
}

static int setup_only_config(void **state)
{
    *state = fx_new();
    return 0;
}

static void bad_configurations_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct vgpu_config good = f->cfg;
    char err[256];

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        f->cfg = good;                                                                                                 \
        change;                                                                                                        \
        err[0] = 0;                                                                                                    \
        assert_int_equal(try_create(f, err, sizeof(err)), -EINVAL);                                                    \
        assert_int_not_equal(err[0], 0);                                                                               \
    } while (0)
    REFUSED(f->cfg.heads = VGPU_HEADS + 1);
    REFUSED(f->cfg.heads = UINT32_MAX);
    REFUSED(f->cfg.mappable_mb = 257);
    REFUSED(f->cfg.mappable_mb = UINT32_MAX);
    REFUSED(f->cfg.modes[0].width = 63);
    REFUSED(f->cfg.modes[0].width = 4097);
    REFUSED(f->cfg.modes[0].height = 63);
    REFUSED(f->cfg.modes[0].height = 2305);
    REFUSED(f->cfg.modes[0].mhz = 999);
    REFUSED(f->cfg.modes[0].mhz = 240001);
    REFUSED(f->cfg.modes[0] = ((struct vgpu_mode){64, 64, 1000}));       /* pixel clock below DisplayPort's */
    REFUSED(f->cfg.modes[0] = ((struct vgpu_mode){3840, 2160, 120000})); /* and above a pipe's */
    REFUSED(f->cfg.modes[2].width = 1);
    REFUSED(f->cfg.modes[0] = (struct vgpu_mode){0});
    REFUSED(f->cfg.ops = NULL);
    struct vgpu_ops ops = f->ops;

    ops.irq = NULL;
    REFUSED(f->cfg.ops = &ops);
#undef REFUSED
    f->cfg = good;
}

static void limits_of_the_configuration_are_accepted(void **state)
{
    struct fixture *f = *state;
    char err[256];

    f->cfg.heads = VGPU_HEADS;
    f->cfg.mappable_mb = 256;
    f->cfg.modes[0] = (struct vgpu_mode){1024, 768, 240000};
    f->cfg.modes[1] = (struct vgpu_mode){4096, 2304, 24000};
    f->cfg.modes[2] = (struct vgpu_mode){640, 480, 60000};
    assert_int_equal(try_create(f, err, sizeof(err)), 0);
    f->cfg.heads = 0;
    memset(f->cfg.modes, 0, sizeof(f->cfg.modes));
    assert_int_equal(try_create(f, err, sizeof(err)), 0);
}

static void destroying_nothing_is_fine(void **state)
{
    (void)state;
    vgpu_destroy(NULL);
}

static void shared_gtt_is_used_in_place(void **state)
{
    struct fixture *f = *state;
    uint64_t *gtt = calloc(1, VGPU_GTT_SIZE);

    f->cfg.gtt = gtt;
    fx_start(f);
    gtt[9] = 0x5001; /* the guest's own store */
    assert_int_equal(vgpu_mmio_read(f->v, VGPU_GTT_OFFSET + 72, 8), 0x5001);
    fx_map(f, 10, 6);
    assert_int_equal(gtt[10], 0x6001);
    vgpu_destroy(f->v);
    f->v = NULL;
    assert_int_equal(gtt[10], 0x6001);
    free(gtt);
}

static void device_reset_restores_power_on_state(void **state)
{
    struct fixture *f = *state;
    uint64_t hash = vgpu_state_hash(f->v);

    for (uint32_t off = 0; off < VGPU_MMIO_SIZE; off += 4) {
        const struct reg_ref *ref = reg_find(off);

        if (ref && ref->row->handler == H_NONE)
            vgpu_mmio_write(f->v, off, 4, 0xffffffff);
    }
    fx_map(f, 3, 4);
    fx_map(f, 0xfffff, 4);
    vgpu_cfg_write(f->v, 4, 2, 7);
    fx_wr(f, R_FENCE_LO, 0, 3, 0x1001);
    fx_wr(f, R_PWR_WELL_CTL, 0, 0, UINT32_MAX);
    vgpu_io_write(f->v, 0, 4, 0x1234);
    assert_int_not_equal(vgpu_state_hash(f->v), hash);
    vgpu_reset(f->v);
    assert_int_equal(vgpu_state_hash(f->v), hash);
    assert_int_equal(vgpu_io_read(f->v, 0, 4), 0);
}

static uint64_t resets(struct fixture *f, unsigned engine)
{
    struct vgpu_stats s;

    vgpu_get_stats(f->v, &s);
    return s.engine[engine].resets;
}

static void gdrst_resets_the_chosen_engine(void **state)
{
    struct fixture *f = *state;

    for (unsigned e = 0; e < VGPU_ENGINES; e++) {
        uint64_t before[VGPU_ENGINES];

        for (unsigned i = 0; i < VGPU_ENGINES; i++)
            before[i] = resets(f, i);
        fx_wr(f, R_GDRST, 0, 0, 1u << engine_table[e].gdrst_bit);
        assert_int_equal(fx_rd(f, R_GDRST, 0, 0), 0);
        for (unsigned i = 0; i < VGPU_ENGINES; i++)
            assert_int_equal(resets(f, i) - before[i], i == e);
    }
}

static void full_gdrst_resets_gt_but_not_the_rest(void **state)
{
    struct fixture *f = *state;

    *vgpu_reg(f->v, R_FORCE_TO_NONPRIV, VGPU_VCS, 1) = 0x2580;
    fx_wr(f, R_FORCEWAKE_GT_GEN9, 0, 0, 0x00010001);
    fx_wr(f, R_GEN8_GT_IER, 0, 0, 0xff);
    fx_wr(f, R_FENCE_HI, 0, 0, 0x5000);
    fx_wr(f, R_DC_STATE_EN, 0, 0, 1);
    fx_map(f, 1, 1);
    fx_wr(f, R_GDRST, 0, 0, 1);
    assert_int_equal(fx_rd(f, R_GDRST, 0, 0), 0);
    for (unsigned e = 0; e < VGPU_ENGINES; e++)
        assert_int_equal(resets(f, e), 1);
    assert_int_equal(*vgpu_reg(f->v, R_FORCE_TO_NONPRIV, VGPU_VCS, 1), reg_table[R_FORCE_TO_NONPRIV].reset);
    assert_int_equal(fx_rd(f, R_FORCEWAKE_ACK_GT_GEN9, 0, 0), 1);
    assert_int_equal(fx_rd(f, R_GEN8_GT_IER, 0, 0), 0xff);
    assert_int_equal(fx_rd(f, R_FENCE_HI, 0, 0), 0x5000);
    assert_int_equal(fx_rd(f, R_DC_STATE_EN, 0, 0), 1);
    assert_int_equal(vgpu_mmio_read(f->v, VGPU_GTT_OFFSET + 8, 8), 0x1001);
}

static void other_gdrst_bits_do_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t known = 1;

    for (unsigned e = 0; e < VGPU_ENGINES; e++)
        known |= 1u << engine_table[e].gdrst_bit;
    fx_wr(f, R_GDRST, 0, 0, ~known);
    assert_int_equal(fx_rd(f, R_GDRST, 0, 0), 0);
    for (unsigned e = 0; e < VGPU_ENGINES; e++)
        assert_int_equal(resets(f, e), 0);
}

/* Attack case A27. */
static void reset_storm_is_survived(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 1000; i++)
        fx_wr(f, R_GDRST, 0, 0, UINT32_MAX);
    assert_int_equal(resets(f, VGPU_RCS), 1000);
}

static void reset_ctl_handshake(void **state)
{
    struct fixture *f = *state;

    for (unsigned e = 0; e < VGPU_ENGINES; e++) {
        fx_wr(f, R_RESET_CTL, e, 0, 0x00010001);
        assert_int_equal(fx_rd(f, R_RESET_CTL, e, 0), 3);
        fx_wr(f, R_RESET_CTL, e, 0, 0x00020000); /* ready is read-only */
        assert_int_equal(fx_rd(f, R_RESET_CTL, e, 0), 3);
        fx_wr(f, R_RESET_CTL, e, 0, 0x00010000);
        assert_int_equal(fx_rd(f, R_RESET_CTL, e, 0), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_configurations_are_refused, setup_only_config, fx_teardown),
        cmocka_unit_test_setup_teardown(limits_of_the_configuration_are_accepted, setup_only_config, fx_teardown),
        cmocka_unit_test_setup_teardown(shared_gtt_is_used_in_place, setup_only_config, fx_teardown),
        cmocka_unit_test(destroying_nothing_is_fine),
        FX_TEST(device_reset_restores_power_on_state),
        FX_TEST(gdrst_resets_the_chosen_engine),
        FX_TEST(full_gdrst_resets_gt_but_not_the_rest),
        FX_TEST(other_gdrst_bits_do_nothing),
        FX_TEST(reset_storm_is_survived),
        FX_TEST(reset_ctl_handshake),
    };

    return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
