/* PCI configuration space: identity, sizing, capabilities, and writes of any shape. */
#include "core_fixture.h"

static uint32_t rd(struct fixture *f, uint32_t off, unsigned size)
{
    return vgpu_cfg_read(f->v, off, size);
}

static void wr(struct fixture *f, uint32_t off, unsigned size, uint32_t val)
{
    vgpu_cfg_write(f->v, off, size, val);
}

static void identity_is_skylake_gt2(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(rd(f, 0x00, 4), 0x19128086);
    assert_int_equal(rd(f, 0x08, 4), 0x03000006);
    assert_int_equal(rd(f, 0x2c, 4), 0x22128086);
    assert_int_equal(rd(f, 0x3d, 1), 1);
    assert_int_equal(rd(f, 0x50, 2), 3 << 6);
    assert_int_equal(rd(f, 0x5c, 4), 0);
    assert_int_equal(rd(f, 0xfc, 4), 0);
}

static void bar_sizing_reads_the_size_mask(void **state)
{
    static const struct {
        uint32_t off, power_on, mask;
    } bars[] = {
        {0x10, 0x00000004, 0xff000004}, {0x14, 0, 0xffffffff}, {0x18, 0x0000000c, 0xf000000c}, {0x1c, 0, 0xffffffff},
        {0x20, 1, 0x0000ffc1},          {0x24, 0, 0},          {0x30, 0, 0xffffe001},
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(bars); i++) {
        assert_int_equal(rd(f, bars[i].off, 4), bars[i].power_on);
        wr(f, bars[i].off, 4, UINT32_MAX);
        assert_int_equal(rd(f, bars[i].off, 4), bars[i].mask);
        wr(f, bars[i].off, 4, 0);
        assert_int_equal(rd(f, bars[i].off, 4), bars[i].power_on);
    }
}

static void bar2_without_pvinfo_is_as_large_as_the_window(void **state)
{
    static const struct {
        uint32_t mappable_mb, mask;
    } sizes[] = {{0, 0xfff0000c}, {1, 0xfff0000c}, {2, 0xffe0000c}, {3, 0xffc0000c}, {256, 0xf000000c}};
    struct fixture *f = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(sizes); i++) {
        f->v->cfg.pvinfo = false;
        f->v->cfg.mappable_mb = sizes[i].mappable_mb;
        vgpu_reset(f->v);
        wr(f, 0x18, 4, UINT32_MAX);
        assert_int_equal(rd(f, 0x18, 4), sizes[i].mask);
        assert_int_equal(vgpu_bar2_size(&f->v->cfg), ~(sizes[i].mask & ~0xfu) + 1);
    }
}

static void capability_list_is_msi_then_pm(void **state)
{
    struct fixture *f = *state;
    uint32_t at = rd(f, 0x34, 1);

    assert_int_equal(rd(f, 6, 2) & 0x10, 0x10);
    assert_int_equal(at, 0xac);
    assert_int_equal(rd(f, at, 1), 5);
    assert_int_equal(rd(f, at + 2, 2), 0); /* one vector, 32-bit, not enabled */
    at = rd(f, at + 1, 1);
    assert_int_equal(at, 0xd0);
    assert_int_equal(rd(f, at, 1), 1);
    assert_int_equal(rd(f, at + 1, 1), 0);
}

static void msi_can_be_programmed(void **state)
{
    struct fixture *f = *state;

    wr(f, 0xb0, 4, 0xfee00003);
    wr(f, 0xb4, 2, 0x4041);
    wr(f, 0xae, 2, 0xffff);
    assert_int_equal(rd(f, 0xb0, 4), 0xfee00000);
    assert_int_equal(rd(f, 0xb4, 4), 0x4041);
    assert_int_equal(rd(f, 0xae, 2), 0x71);
}

static void power_state_takes_d0_and_d3_only(void **state)
{
    struct fixture *f = *state;

    for (uint32_t cycle = 0; cycle < 3; cycle++) {
        wr(f, 0xd4, 2, 3);
        assert_int_equal(rd(f, 0xd4, 2) & 3, 3);
        wr(f, 0xd4, 2, 1);
        assert_int_equal(rd(f, 0xd4, 2) & 3, 3);
        wr(f, 0xd4, 1, 0);
        assert_int_equal(rd(f, 0xd4, 2) & 3, 0);
        wr(f, 0xd4, 4, 2);
        assert_int_equal(rd(f, 0xd4, 2) & 3, 0);
    }
}

static void command_keeps_supported_bits(void **state)
{
    struct fixture *f = *state;

    wr(f, 4, 2, 0xffff);
    assert_int_equal(rd(f, 4, 2), 0x0407);
    assert_int_equal(rd(f, 6, 2), 0x0010);
    wr(f, 4, 4, 0xffff0006);
    assert_int_equal(rd(f, 4, 4), 0x00100006);
}

/* Attack case A21. */
static void odd_offsets_and_sizes_are_harmless(void **state)
{
    static const uint32_t offs[] = {0,     1,     3,     0xfd,       0xfe,       0xff,
                                    0x100, 0x101, 0xfff, 0x7fffffff, UINT32_MAX, UINT32_MAX - 1};
    struct fixture *f = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(offs); i++)
        for (unsigned size = 0; size <= 9; size++) {
            wr(f, offs[i], size, UINT32_MAX);
            if (offs[i] > 0xff)
                assert_int_equal(rd(f, offs[i], size), 0);
        }
    wr(f, 0, UINT32_MAX, 0);
    assert_int_equal(rd(f, 0, 4), 0x19128086);
    wr(f, 0x11, 4, UINT32_MAX); /* the upper three bytes of BAR0's low dword and one of the high one */
    assert_int_equal(rd(f, 0x10, 4), 0xff000004);
    assert_int_equal(rd(f, 0x14, 4), 0x000000ff);
    assert_int_equal(rd(f, 0x13, 2), 0xffff);
}

static void every_byte_keeps_its_read_only_bits(void **state)
{
    struct fixture *f = *state;
    uint8_t before[VGPU_CFG_SIZE];

    for (uint32_t i = 0; i < VGPU_CFG_SIZE; i++)
        before[i] = (uint8_t)rd(f, i, 1);
    for (uint32_t i = 0; i < VGPU_CFG_SIZE; i++)
        wr(f, i, 1, 0xff);
    for (uint32_t i = 0; i < VGPU_CFG_SIZE; i++)
        wr(f, i, 1, 0);
    for (uint32_t i = 0; i < VGPU_CFG_SIZE; i++)
        assert_int_equal(rd(f, i, 1), before[i]);
}

static void opregion_address_survives_reset(void **state)
{
    struct fixture *f = *state;

    vgpu_set_opregion(f->v, 0x7fff0000);
    assert_int_equal(rd(f, 0xfc, 4), 0x7fff0000);
    wr(f, 0xfc, 4, 0xdeadbeef);
    assert_int_equal(rd(f, 0xfc, 4), 0xdeadbeef);
    vgpu_reset(f->v);
    assert_int_equal(rd(f, 0xfc, 4), 0x7fff0000);
    vgpu_set_opregion(f->v, 1ull << 32);
    assert_int_equal(rd(f, 0xfc, 4), 0);
}

static void reset_restores_power_on_values(void **state)
{
    struct fixture *f = *state;

    wr(f, 4, 2, 7);
    wr(f, 0x10, 4, 0xf0000000);
    wr(f, 0xae, 2, 1);
    wr(f, 0xd4, 2, 3);
    vgpu_reset(f->v);
    assert_int_equal(rd(f, 4, 2), 0);
    assert_int_equal(rd(f, 0x10, 4), 4);
    assert_int_equal(rd(f, 0xae, 2), 0);
    assert_int_equal(rd(f, 0xd4, 2) & 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(identity_is_skylake_gt2),
        FX_TEST(bar_sizing_reads_the_size_mask),
        FX_TEST(bar2_without_pvinfo_is_as_large_as_the_window),
        FX_TEST(capability_list_is_msi_then_pm),
        FX_TEST(msi_can_be_programmed),
        FX_TEST(power_state_takes_d0_and_d3_only),
        FX_TEST(command_keeps_supported_bits),
        FX_TEST(odd_offsets_and_sizes_are_harmless),
        FX_TEST(every_byte_keeps_its_read_only_bits),
        FX_TEST(opregion_address_survives_reset),
        FX_TEST(reset_restores_power_on_values),
    };

    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
