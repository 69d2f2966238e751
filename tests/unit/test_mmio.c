/* The dispatcher: widths, lanes, masks, origins, and the two other ways in (GTT half of BAR0, BAR4). */
#include "core_fixture.h"

#define GTT VGPU_GTT_OFFSET

/* A plain 32-bit register to play with. */
#define PLAIN R_PV_PDP

static void dword_write_is_stored(void **state)
{
    struct fixture *f = *state;

    fx_wr(f, PLAIN, 0, 0, 0x12345678);
    assert_int_equal(fx_rd(f, PLAIN, 0, 0), 0x12345678);
    assert_int_equal(f->v->stats.mmio_writes, 1);
    assert_int_equal(f->v->stats.mmio_reads, 1);
}

static void narrow_writes_merge_their_lanes(void **state)
{
    struct fixture *f = *state;
    uint32_t off = reg_off(PLAIN, 0, 0);

    fx_wr(f, PLAIN, 0, 0, 0x12345678);
    vgpu_mmio_write(f->v, off + 1, 1, 0xffffffffffffffab);
    assert_int_equal(fx_rd(f, PLAIN, 0, 0), 0x1234ab78);
    vgpu_mmio_write(f->v, off + 2, 2, 0xbeef);
    assert_int_equal(fx_rd(f, PLAIN, 0, 0), 0xbeefab78);
}

static void narrow_reads_take_their_lanes(void **state)
{
    struct fixture *f = *state;
    uint32_t off = reg_off(PLAIN, 0, 0);

    fx_wr(f, PLAIN, 0, 0, 0x12345678);
    fx_wr(f, PLAIN, 0, 1, 0x9abcdef0);
    assert_int_equal(vgpu_mmio_read(f->v, off + 3, 1), 0x12);
    assert_int_equal(vgpu_mmio_read(f->v, off + 1, 2), 0x3456);
    assert_int_equal(vgpu_mmio_read(f->v, off + 2, 4), 0xdef01234);
    assert_int_equal(vgpu_mmio_read(f->v, off, 8), 0x9abcdef012345678);
    assert_int_equal(vgpu_mmio_read(f->v, off + 3, 8), 0x9abcdef012);
}

static void accesses_may_cross_dwords(void **state)
{
    struct fixture *f = *state;
    uint32_t off = reg_off(PLAIN, 0, 0);

    vgpu_mmio_write(f->v, off, 8, 0x1111111122222222);
    assert_int_equal(fx_rd(f, PLAIN, 0, 0), 0x22222222);
    assert_int_equal(fx_rd(f, PLAIN, 0, 1), 0x11111111);
    vgpu_mmio_write(f->v, off + 3, 2, 0xabcd);
    assert_int_equal(fx_rd(f, PLAIN, 0, 0), 0xcd222222);
    assert_int_equal(fx_rd(f, PLAIN, 0, 1), 0x111111ab);
    vgpu_mmio_write(f->v, off + 1, 8, 0);
    assert_int_equal(fx_rd(f, PLAIN, 0, 0), 0x22);
    assert_int_equal(fx_rd(f, PLAIN, 0, 1), 0);
    assert_int_equal(fx_rd(f, PLAIN, 0, 2), 0);
}

static void bad_sizes_and_offsets_do_nothing(void **state)
{
    static const unsigned sizes[] = {0, 3, 5, 6, 7, 9, 16, 1u << 31};
    static const uint64_t offs[] = {VGPU_BAR0_SIZE, VGPU_BAR0_SIZE - 1, UINT64_MAX, UINT64_MAX - 3, 1ull << 32};
    struct fixture *f = *state;
    uint64_t hash = vgpu_state_hash(f->v);

    for (unsigned i = 0; i < GT_ARRAY_SIZE(sizes); i++) {
        vgpu_mmio_write(f->v, reg_off(PLAIN, 0, 0), sizes[i], UINT64_MAX);
        assert_int_equal(vgpu_mmio_read(f->v, 0, sizes[i]), 0);
    }
    for (unsigned i = 0; i < GT_ARRAY_SIZE(offs); i++) {
        vgpu_mmio_write(f->v, offs[i], 4, UINT64_MAX);
        assert_int_equal(vgpu_mmio_read(f->v, offs[i], 4), 0);
    }
    assert_int_equal(vgpu_state_hash(f->v), hash);
}

/* Every offset of BAR0's register half and beyond, each size, must be survivable. */
static void any_offset_and_size_is_harmless(void **state)
{
    static const unsigned sizes[] = {1, 2, 4, 8};
    struct fixture *f = *state;

    for (unsigned s = 0; s < GT_ARRAY_SIZE(sizes); s++)
        for (uint32_t off = 0; off < VGPU_MMIO_SIZE + 64; off += 29 + s) {
            vgpu_mmio_write(f->v, off, sizes[s], 0x5a5a5a5aa5a5a5a5);
            vgpu_mmio_read(f->v, off, sizes[s]);
        }
    vgpu_reset(f->v);
}

static void unknown_register_reads_0_and_is_counted(void **state)
{
    struct fixture *f = *state;
    uint32_t off = VGPU_MMIO_SIZE - 4;

    assert_null(reg_find(off));
    vgpu_mmio_write(f->v, off, 4, 1);
    assert_int_equal(vgpu_mmio_read(f->v, off, 4), 0);
    assert_int_equal(vgpu_mmio_read(f->v, VGPU_GTT_OFFSET - 4, 4), 0);
    assert_int_equal(f->v->stats.unknown_reads, 2);
    assert_int_equal(f->v->stats.unknown_writes, 1);
    assert_int_equal(f->v->unknown[0].off, off);
    assert_int_equal(f->v->unknown[0].count, 2);
}

static void frequent_unknown_offsets_win(void **state)
{
    struct fixture *f = *state;
    bool found = false;

    for (unsigned i = 0; i < 10000; i++) {
        vgpu_mmio_read(f->v, VGPU_MMIO_SIZE + 4 * (i % 1000), 4);
        vgpu_mmio_read(f->v, VGPU_GTT_OFFSET - 4, 4);
    }
    for (unsigned i = 0; i < VGPU_UNKNOWN_ROWS; i++)
        found |= f->v->unknown[i].off == VGPU_GTT_OFFSET - 4 && f->v->unknown[i].count >= 10000;
    assert_true(found);
}

static void read_only_row_refuses_writes(void **state)
{
    struct fixture *f = *state;
    uint32_t before = fx_rd(f, R_FUSE_STATUS, 0, 0);

    fx_wr(f, R_FUSE_STATUS, 0, 0, ~before);
    assert_int_equal(fx_rd(f, R_FUSE_STATUS, 0, 0), before);
    assert_false(vgpu_reg_write(f->v, reg_off(R_FUSE_STATUS, 0, 0), 0, VGPU_FROM_CPU));
}

static void read_only_bits_keep_their_value(void **state)
{
    struct fixture *f = *state;

    fx_wr(f, R_GEN8_MASTER_IRQ, 0, 0, 0x7fffffff);
    assert_int_equal(fx_rd(f, R_GEN8_MASTER_IRQ, 0, 0), 0);
}

static void write_one_clears_only_written_lanes(void **state)
{
    struct fixture *f = *state;

    *vgpu_reg(f->v, R_SDEIIR, 0, 0) = 0xffffffff;
    vgpu_mmio_write(f->v, reg_off(R_SDEIIR, 0, 0) + 1, 1, 0x81);
    assert_int_equal(fx_rd(f, R_SDEIIR, 0, 0), 0xffff7eff);
    fx_wr(f, R_SDEIIR, 0, 0, 0xf0000000);
    assert_int_equal(fx_rd(f, R_SDEIIR, 0, 0), 0x0fff7eff);
}

static void masked_write_changes_selected_bits(void **state)
{
    struct fixture *f = *state;

    fx_wr(f, R_FORCEWAKE_GT_GEN9, 0, 0, 0x00030003);
    fx_wr(f, R_FORCEWAKE_GT_GEN9, 0, 0, 0x00010000);
    assert_int_equal(fx_rd(f, R_FORCEWAKE_GT_GEN9, 0, 0), 0x2);
    fx_wr(f, R_FORCEWAKE_GT_GEN9, 0, 0, 0x0000ffff);
    assert_int_equal(fx_rd(f, R_FORCEWAKE_GT_GEN9, 0, 0), 0x2);
}

static void narrow_write_of_masked_register_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t off = reg_off(R_FORCEWAKE_GT_GEN9, 0, 0);

    fx_wr(f, R_FORCEWAKE_GT_GEN9, 0, 0, 0xffff0005);
    vgpu_mmio_write(f->v, off, 2, 0xffff);
    vgpu_mmio_write(f->v, off + 2, 2, 0xffff);
    vgpu_mmio_write(f->v, off + 1, 2, 0xffff);
    vgpu_mmio_write(f->v, off, 1, 0xff);
    assert_int_equal(fx_rd(f, R_FORCEWAKE_GT_GEN9, 0, 0), 0x5);
}

static void command_streamer_may_not_write_cpu_only_rows(void **state)
{
    struct fixture *f = *state;
    uint32_t off = reg_off(R_GDRST, 0, 0);

    assert_false(vgpu_reg_write(f->v, off, 1, VGPU_FROM_CS));
    assert_false(vgpu_reg_write(f->v, off, 1, VGPU_FROM_USER_BATCH));
    assert_true(vgpu_reg_write(f->v, off, 0, VGPU_FROM_CPU));
}

static void user_batch_needs_a_user_row(void **state)
{
    struct fixture *f = *state;
    bool privileged = false;

    for (unsigned id = 0; id < R_COUNT; id++) {
        const struct reg_desc *row = &reg_table[id];
        uint32_t off;

        if (row->block != REG_GLOBAL || row->handler != H_NONE || (row->flags & (REG_RO | REG_CPU_ONLY)))
            continue;
        off = reg_off((enum reg_id)id, 0, 0);
        assert_true(vgpu_reg_write(f->v, off, 0, VGPU_FROM_CS));
        assert_int_equal(vgpu_reg_write(f->v, off, 0, vgpu_from_user(VGPU_BCS)), !!(row->flags & REG_USER));
        privileged |= !(row->flags & REG_USER);
    }
    assert_true(privileged);
}

static void nonpriv_slot_opens_a_register_for_its_engine(void **state)
{
    struct fixture *f = *state;
    uint32_t off = reg_off(R_GFX_FLSH_CNTL, 0, 0); /* some register that no user batch may write */
    uint32_t *slot = vgpu_reg(f->v, R_FORCE_TO_NONPRIV, VGPU_RCS, 11);

    assert_false(vgpu_reg_write(f->v, off, 1, vgpu_from_user(VGPU_RCS)));
    *slot = off;
    assert_true(vgpu_reg_write(f->v, off, 2, vgpu_from_user(VGPU_RCS)));
    assert_int_equal(vgpu_reg_read(f->v, off, vgpu_from_user(VGPU_RCS)), 2);
    assert_false(vgpu_reg_write(f->v, off, 3, vgpu_from_user(VGPU_BCS)));
    *slot = off | 1u << 28; /* reads only */
    assert_false(vgpu_reg_write(f->v, off, 4, vgpu_from_user(VGPU_RCS)));
    *slot = off | 2u << 28; /* writes */
    assert_true(vgpu_reg_write(f->v, off, 5, vgpu_from_user(VGPU_RCS)));
    *slot = off | 1u << 30; /* deny */
    assert_false(vgpu_reg_write(f->v, off, 6, vgpu_from_user(VGPU_RCS)));
    *slot = (off - 12) | 1; /* four dwords */
    assert_true(vgpu_reg_write(f->v, off, 7, vgpu_from_user(VGPU_RCS)));
    *slot = (off - 16) | 1;
    assert_false(vgpu_reg_write(f->v, off, 8, vgpu_from_user(VGPU_RCS)));
    *slot = (off - 252) | 3; /* 64 dwords */
    assert_true(vgpu_reg_write(f->v, off, 9, vgpu_from_user(VGPU_RCS)));
}

static void nonpriv_slot_does_not_open_cpu_only_rows(void **state)
{
    struct fixture *f = *state;

    *vgpu_reg(f->v, R_FORCE_TO_NONPRIV, VGPU_RCS, 0) = reg_off(R_GDRST, 0, 0);
    assert_false(vgpu_reg_write(f->v, reg_off(R_GDRST, 0, 0), 1, vgpu_from_user(VGPU_RCS)));
}

static void gtt_half_takes_all_widths(void **state)
{
    struct fixture *f = *state;

    vgpu_mmio_write(f->v, GTT + 8, 8, 0x0123456789abcdef);
    assert_int_equal(f->v->gtt[1], 0x0123456789abcdef);
    vgpu_mmio_write(f->v, GTT + 12, 4, 0x11111111);
    vgpu_mmio_write(f->v, GTT + 9, 2, 0x2222);
    vgpu_mmio_write(f->v, GTT + 8, 1, 0x33);
    assert_int_equal(f->v->gtt[1], 0x1111111189222233);
    assert_int_equal(vgpu_mmio_read(f->v, GTT + 10, 4), 0x11118922);
    vgpu_mmio_write(f->v, GTT + VGPU_GTT_SIZE - 8, 8, 5);
    assert_int_equal(vgpu_mmio_read(f->v, GTT + VGPU_GTT_SIZE - 8, 8), 5);
    vgpu_mmio_write(f->v, GTT + VGPU_GTT_SIZE - 4, 8, UINT64_MAX);
    assert_int_equal(vgpu_mmio_read(f->v, GTT + VGPU_GTT_SIZE - 8, 8), 5);
    assert_true(f->v->stats.gtt_writes >= 5);
}

static void io_ports_reach_registers_and_gtt(void **state)
{
    struct fixture *f = *state;

    vgpu_io_write(f->v, 0, 4, reg_off(PLAIN, 0, 0));
    assert_int_equal(vgpu_io_read(f->v, 0, 4), reg_off(PLAIN, 0, 0));
    vgpu_io_write(f->v, 4, 4, 0xcafef00d);
    assert_int_equal(fx_rd(f, PLAIN, 0, 0), 0xcafef00d);
    assert_int_equal(vgpu_io_read(f->v, 6, 2), 0xcafe);
    vgpu_io_write(f->v, 0, 4, 8 | 1);
    vgpu_io_write(f->v, 4, 4, 0x77);
    assert_int_equal(f->v->gtt[1], 0x77);
    assert_int_equal(vgpu_io_read(f->v, 4, 4), 0x77);
}

static void io_index_merges_bytes(void **state)
{
    struct fixture *f = *state;

    vgpu_io_write(f->v, 0, 4, 0x11223344);
    vgpu_io_write(f->v, 2, 1, 0xaa);
    assert_int_equal(vgpu_io_read(f->v, 0, 4), 0x11aa3344);
    assert_int_equal(vgpu_io_read(f->v, 1, 2), 0xaa33);
}

static void io_ports_survive_bad_accesses(void **state)
{
    static const uint32_t indexes[] = {UINT32_MAX, VGPU_BAR0_SIZE, VGPU_BAR0_SIZE | 1, VGPU_GTT_SIZE | 1, 2,
                                       3,          0xfffffffd};
    struct fixture *f = *state;
    uint64_t hash = vgpu_state_hash(f->v);

    for (unsigned i = 0; i < GT_ARRAY_SIZE(indexes); i++) {
        vgpu_io_write(f->v, 0, 4, indexes[i]);
        for (uint64_t off = 0; off < 80; off++)
            for (unsigned size = 0; size <= 8; size++) {
                vgpu_io_write(f->v, off, size, UINT64_MAX);
                vgpu_io_read(f->v, off, size);
            }
    }
    assert_int_equal(vgpu_state_hash(f->v), hash);
}

static void hash_covers_registers_config_and_gtt(void **state)
{
    struct fixture *f = *state;
    uint64_t h0 = vgpu_state_hash(f->v), h1, h2, h3;

    fx_wr(f, PLAIN, 0, 0, 1);
    h1 = vgpu_state_hash(f->v);
    vgpu_cfg_write(f->v, 0x3c, 1, 11);
    h2 = vgpu_state_hash(f->v);
    fx_map(f, 7, 3);
    h3 = vgpu_state_hash(f->v);
    assert_true(h0 != h1 && h1 != h2 && h2 != h3);
    fx_wr(f, PLAIN, 0, 0, 0);
    vgpu_cfg_write(f->v, 0x3c, 1, 0);
    vgpu_mmio_write(f->v, GTT + 8 * 7, 8, 0);
    assert_int_equal(vgpu_state_hash(f->v), h0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(dword_write_is_stored),
        FX_TEST(narrow_writes_merge_their_lanes),
        FX_TEST(narrow_reads_take_their_lanes),
        FX_TEST(accesses_may_cross_dwords),
        FX_TEST(bad_sizes_and_offsets_do_nothing),
        FX_TEST(any_offset_and_size_is_harmless),
        FX_TEST(unknown_register_reads_0_and_is_counted),
        FX_TEST(frequent_unknown_offsets_win),
        FX_TEST(read_only_row_refuses_writes),
        FX_TEST(read_only_bits_keep_their_value),
        FX_TEST(write_one_clears_only_written_lanes),
        FX_TEST(masked_write_changes_selected_bits),
        FX_TEST(narrow_write_of_masked_register_changes_nothing),
        FX_TEST(command_streamer_may_not_write_cpu_only_rows),
        FX_TEST(user_batch_needs_a_user_row),
        FX_TEST(nonpriv_slot_opens_a_register_for_its_engine),
        FX_TEST(nonpriv_slot_does_not_open_cpu_only_rows),
        FX_TEST(gtt_half_takes_all_widths),
        FX_TEST(io_ports_reach_registers_and_gtt),
        FX_TEST(io_index_merges_bytes),
        FX_TEST(io_ports_survive_bad_accesses),
        FX_TEST(hash_covers_registers_config_and_gtt),
    };

    return cmocka_run_group_tests_name("mmio", tests, NULL, NULL);
}
