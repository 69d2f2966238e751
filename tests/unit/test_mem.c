/* Address spaces: GGTT, four-level PPGTT with every page size, rights, the TLB, and hostile tables. */
#include "core_fixture.h"

#define PRESENT 1ull
#define WRITE   2ull
#define LEAF    (1ull << 7)
#define IPS     (1ull << 11)

/* Guest pages of the tables. */
enum { PML4 = 0x100, PDP, PD, PT };

#define VA             UINT64_C(0x123456789000)
#define IDX(va, level) (unsigned)((va) >> (12 + 9 * (level)) & 511)

static void entry(struct fixture *f, unsigned table, unsigned index, uint64_t val)
{
    fx_put64(f, ((uint64_t)table << 12) + 8ull * index, val);
}

/* Tables for VA down to the page table; the PTE is the caller's. */
static void tables(struct fixture *f)
{
    entry(f, PML4, IDX(VA, 3), (uint64_t)PDP << 12 | PRESENT | WRITE);
    entry(f, PDP, IDX(VA, 2), (uint64_t)PD << 12 | PRESENT | WRITE);
    entry(f, PD, IDX(VA, 1), (uint64_t)PT << 12 | PRESENT | WRITE);
}

static void ppgtt(struct fixture *f, struct vgpu_as *as)
{
    vgpu_as_init_ppgtt(as, f->v, (uint64_t)PML4 << 12);
}

static void ggtt_maps_pages(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    vgpu_as_init_ggtt(&as, f->v);
    fx_map(f, 0xfffff, 0x33);
    assert_int_equal(vgpu_as_translate(&as, 0xfffff123, true, &gpa), 0);
    assert_int_equal(gpa, 0x33123);
    assert_int_equal(vgpu_as_translate(&as, 0x5fffff123, false, &gpa), 0); /* bits above 31 are ignored */
    assert_int_equal(gpa, 0x33123);
    assert_int_equal(vgpu_as_translate(&as, 0x1000, false, &gpa), -EFAULT);
    assert_int_equal(vgpu_ggtt_pte(f->v, 0xfffff), 0x33001);
}

static void ggtt_address_field_is_38_12(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    vgpu_as_init_ggtt(&as, f->v);
    f->v->gtt[1] = UINT64_MAX;
    assert_int_equal(vgpu_as_translate(&as, 0x1000, false, &gpa), 0);
    assert_int_equal(gpa, 0x7ffffff000);
    uint32_t val;

    assert_int_equal(vgpu_as_read(&as, 0x1000, &val, 4), -EFAULT); /* outside of guest memory */
    assert_int_equal(vgpu_as_write(&as, 0x1000, &val, 4), -EFAULT);
}

static void ppgtt_walks_four_levels(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    tables(f);
    entry(f, PT, IDX(VA, 0), 0x44000 | PRESENT | WRITE);
    ppgtt(f, &as);
    assert_int_equal(vgpu_as_translate(&as, VA + 0xabc, true, &gpa), 0);
    assert_int_equal(gpa, 0x44abc);
    assert_int_equal(vgpu_as_translate(&as, VA + 0xabc + (5ull << 48), true, &gpa), 0); /* bits above 47 are ignored */
    assert_int_equal(gpa, 0x44abc);
    assert_int_equal(vgpu_as_translate(&as, VA + 0x1000, false, &gpa), -EFAULT);
    assert_int_equal(vgpu_as_translate(&as, VA ^ 1ull << 47, false, &gpa), -EFAULT);
}

static void huge_pages_end_the_walk(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    tables(f);
    entry(f, PD, IDX(VA, 1), 0x600fff | PRESENT | WRITE | LEAF); /* low address bits of a 2 MiB page are ignored */
    ppgtt(f, &as);
    assert_int_equal(vgpu_as_translate(&as, VA + 5, true, &gpa), 0);
    assert_int_equal(gpa, 0x600000 + (VA & 0x1fffff) + 5);
    entry(f, PDP, IDX(VA, 2), 0x80000000 | PRESENT | WRITE | LEAF);
    vgpu_as_flush(&as);
    assert_int_equal(vgpu_as_translate(&as, VA + 5, true, &gpa), 0);
    assert_int_equal(gpa, 0x80000000 + (VA & 0x3fffffff) + 5);
}

static void leaf_bit_means_nothing_in_a_pml4_entry_or_pte(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    tables(f);
    entry(f, PML4, IDX(VA, 3), (uint64_t)PDP << 12 | PRESENT | WRITE | LEAF);
    entry(f, PT, IDX(VA, 0), 0x44000 | PRESENT | WRITE | LEAF);
    ppgtt(f, &as);
    assert_int_equal(vgpu_as_translate(&as, VA, true, &gpa), 0);
    assert_int_equal(gpa, 0x44000);
}

static void ips_takes_each_16th_entry(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa, base = VA & ~0xffffull;

    tables(f);
    entry(f, PD, IDX(VA, 1), (uint64_t)PT << 12 | PRESENT | WRITE | IPS);
    for (unsigned i = 0; i < 16; i++)
        entry(f, PT, IDX(base, 0) + i, (i ? 0x990000 : 0x70f000) | PRESENT | WRITE);
    ppgtt(f, &as);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(vgpu_as_translate(&as, base + (i << 12) + 7, true, &gpa), 0);
        assert_int_equal(gpa, 0x700007 + (i << 12));
    }
}

static void any_level_can_forbid_writes(void **state)
{
    struct fixture *f = *state;
    static const uint64_t rights[4][4] = {{0, 2, 2, 2}, {2, 0, 2, 2}, {2, 2, 0, 2}, {2, 2, 2, 0}};
    uint32_t val = 1;

    for (unsigned i = 0; i < 4; i++) {
        struct vgpu_as as;

        entry(f, PML4, IDX(VA, 3), (uint64_t)PDP << 12 | PRESENT | rights[i][0]);
        entry(f, PDP, IDX(VA, 2), (uint64_t)PD << 12 | PRESENT | rights[i][1]);
        entry(f, PD, IDX(VA, 1), (uint64_t)PT << 12 | PRESENT | rights[i][2]);
        entry(f, PT, IDX(VA, 0), 0x44000 | PRESENT | rights[i][3]);
        ppgtt(f, &as);
        assert_int_equal(vgpu_as_read(&as, VA, &val, 4), 0);
        assert_int_equal(vgpu_as_write(&as, VA, &val, 4), -EFAULT); /* also with the translation cached */
        assert_null(vgpu_as_ptr(&as, VA, true));
        uint64_t expected = 0;

        assert_int_equal(vgpu_as_cas(&as, VA, 4, &expected, 1), -EFAULT);
    }
}

/* Attack case A16: tables that point at themselves or nowhere. */
static void cycles_and_holes_end(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    for (unsigned i = 0; i < 512; i++)
        entry(f, PML4, i, (uint64_t)PML4 << 12 | PRESENT | WRITE);
    ppgtt(f, &as);
    f->reads = 0;
    assert_int_equal(vgpu_as_translate(&as, VA, true, &gpa), 0); /* the table is its own page */
    assert_int_equal(gpa, (uint64_t)PML4 << 12);
    assert_int_equal(f->reads, 4);
    vgpu_as_init_ppgtt(&as, f->v, UINT64_MAX);
    assert_int_equal(vgpu_as_translate(&as, VA, false, &gpa), -EFAULT);
    entry(f, PML4, IDX(VA, 3), 0x7ffffff000 | PRESENT | WRITE);
    ppgtt(f, &as);
    assert_int_equal(vgpu_as_translate(&as, VA, false, &gpa), -EFAULT);
}

static void tlb_keeps_translations_until_flushed(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    tables(f);
    entry(f, PT, IDX(VA, 0), 0x44000 | PRESENT | WRITE);
    ppgtt(f, &as);
    assert_int_equal(vgpu_as_translate(&as, VA, true, &gpa), 0);
    f->reads = 0;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(vgpu_as_translate(&as, VA + i, i & 1, &gpa), 0);
    assert_int_equal(f->reads, 0);
    entry(f, PT, IDX(VA, 0), 0);
    vgpu_as_flush(&as);
    assert_int_equal(vgpu_as_translate(&as, VA, false, &gpa), -EFAULT);
}

static void tlb_entries_of_colliding_pages_do_not_mix(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t gpa;

    vgpu_as_init_ggtt(&as, f->v);
    fx_map(f, 5, 0x50);
    fx_map(f, 5 + VGPU_TLB_ENTRIES, 0x60);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(vgpu_as_translate(&as, 5u << 12, i & 1, &gpa), 0);
        assert_int_equal(gpa, 0x50000);
        assert_int_equal(vgpu_as_translate(&as, (5u + VGPU_TLB_ENTRIES) << 12, i & 1, &gpa), 0);
        assert_int_equal(gpa, 0x60000);
    }
}

/* The same transfers with and without host pointers. */
static void transfers_cross_pages(void **state)
{
    struct fixture *f = *state;
    uint8_t in[9000], out[9000];

    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7);
    for (unsigned pages = 0; pages < 2; pages++) {
        struct vgpu_as as;

        f->use_pages = pages;
        vgpu_as_init_ggtt(&as, f->v);
        fx_map(f, 1, 0x20);
        fx_map(f, 2, 0x10);
        fx_map(f, 3, 0x30);
        fx_map(f, 4, 0);
        f->v->gtt[4] = 0;
        assert_int_equal(vgpu_as_write(&as, 0x1ffd, in, 7), 0);
        assert_memory_equal(f->ram + 0x20ffd, in, 3);
        assert_memory_equal(f->ram + 0x10000, in + 3, 4);
        assert_int_equal(vgpu_as_write(&as, 0x1800, in, sizeof(in)), 0);
        assert_int_equal(vgpu_as_read(&as, 0x1800, out, sizeof(out)), 0);
        assert_memory_equal(in, out, sizeof(in));
        assert_int_equal(vgpu_as_read(&as, 0x3ffe, out, 4), -EFAULT);
        assert_int_equal(vgpu_as_write(&as, 0x3ffe, in, 4), -EFAULT);
        assert_int_equal(vgpu_as_read(&as, 0x4000, out, 0), 0);
        assert_int_equal(vgpu_as_ptr(&as, 0x2008, true) == f->ram + 0x10008, pages);
    }
}

static void reads_of_every_size_and_alignment(void **state)
{
    struct fixture *f = *state;

    for (unsigned pages = 0; pages < 2; pages++) {
        struct vgpu_as as;

        f->use_pages = pages;
        vgpu_as_init_ggtt(&as, f->v);
        fx_map(f, 0, 0x40);
        for (unsigned i = 0; i < 64; i++)
            f->ram[0x40000 + i] = (uint8_t)(i + 1);
        for (unsigned at = 0; at < 16; at++)
            for (unsigned n = 1; n <= 16; n++) {
                uint8_t buf[16];

                assert_int_equal(vgpu_as_read(&as, at, buf, n), 0);
                assert_memory_equal(buf, f->ram + 0x40000 + at, n);
                assert_int_equal(vgpu_as_write(&as, at + 32, buf, n), 0);
                assert_memory_equal(buf, f->ram + 0x40000 + at + 32, n);
            }
    }
}

static void cas_swaps_or_reports(void **state)
{
    struct fixture *f = *state;
    struct vgpu_as as;
    uint64_t expected = 5;

    vgpu_as_init_ggtt(&as, f->v);
    fx_map(f, 1, 0x40);
    fx_put64(f, 0x40008, 5);
    assert_int_equal(vgpu_as_cas(&as, 0x1008, 4, &expected, 9), 1);
    assert_int_equal(vgpu_as_cas(&as, 0x1008, 8, &expected, 1), 0);
    assert_int_equal(expected, 9);
    assert_int_equal(vgpu_as_cas(&as, 0x100c, 8, &expected, 1), -EFAULT); /* not aligned */
    assert_int_equal(vgpu_as_cas(&as, 0x1008, 2, &expected, 1), -EFAULT);
    assert_int_equal(vgpu_as_cas(&as, 0x5008, 8, &expected, 1), -EFAULT);
}

static void ggtt_read_fills_holes_with_0(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[0x3000];

    memset(f->ram + 0x40000, 0xaa, 0x2000);
    fx_map(f, 1, 0x40);
    fx_map(f, 3, 0x41);
    memset(buf, 0x55, sizeof(buf));
    assert_int_equal(vgpu_ggtt_read(f->v, 0x1000, buf, sizeof(buf)), -EFAULT);
    assert_int_equal(buf[0xfff], 0xaa);
    assert_int_equal(buf[0x1000], 0);
    assert_int_equal(buf[0x1fff], 0);
    assert_int_equal(buf[0x2000], 0xaa);
    assert_int_equal(vgpu_ggtt_read(f->v, 0x1800, buf, 0x800), 0);
    assert_int_equal(vgpu_ggtt_read(f->v, 0xffffff00, buf, sizeof(buf)), -EFAULT); /* wraps at 4 GiB */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(ggtt_maps_pages),
        FX_TEST(ggtt_address_field_is_38_12),
        FX_TEST(ppgtt_walks_four_levels),
        FX_TEST(huge_pages_end_the_walk),
        FX_TEST(leaf_bit_means_nothing_in_a_pml4_entry_or_pte),
        FX_TEST(ips_takes_each_16th_entry),
        FX_TEST(any_level_can_forbid_writes),
        FX_TEST(cycles_and_holes_end),
        FX_TEST(tlb_keeps_translations_until_flushed),
        FX_TEST(tlb_entries_of_colliding_pages_do_not_mix),
        FX_TEST(transfers_cross_pages),
        FX_TEST(reads_of_every_size_and_alignment),
        FX_TEST(cas_swaps_or_reports),
        FX_TEST(ggtt_read_fills_holes_with_0),
    };

    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
