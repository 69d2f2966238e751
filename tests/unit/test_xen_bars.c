/* Where the BARs are, learnt from config space and told to Xen. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core_fixture.h"
#include "ioreq/xen_bars.h"

#define COMMAND    0x04u
#define BAR0       0x10u
#define BAR2       0x18u
#define BAR4       0x20u
#define ROM        0x30u
#define IO         1u
#define MEMORY     2u
#define MAX_RANGES 16u

/* The real config space, and a Xen that keeps ranges as ioreq_server_map_io_range does. */
struct rig {
    struct xen_bars bars;
    struct xen_bars_host host;
    struct fixture *core;
    unsigned ranges, maps, unmaps;
    struct {
        bool mmio;
        uint64_t start, end;
    } range[MAX_RANGES];
    int fail; /* -errno of the next map */
};

static uint32_t config_read(void *ctx, unsigned off)
{
    return vgpu_cfg_read(((struct rig *)ctx)->core->v, off, 4);
}

static int map(void *ctx, bool mmio, uint64_t start, uint64_t end)
{
    struct rig *f = ctx;

    f->maps++;
    assert_true(start < end);
    if (f->fail)
        return f->fail;
    for (unsigned i = 0; i < f->ranges; i++)
        if (f->range[i].mmio == mmio && start <= f->range[i].end && end >= f->range[i].start)
            return -EEXIST;
    assert_in_range(f->ranges, 0, MAX_RANGES - 1);
    f->range[f->ranges].mmio = mmio;
    f->range[f->ranges].start = start;
    f->range[f->ranges++].end = end;
    return 0;
}

static int unmap(void *ctx, bool mmio, uint64_t start, uint64_t end)
{
    struct rig *f = ctx;

    f->unmaps++;
    for (unsigned i = 0; i < f->ranges; i++)
        if (f->range[i].mmio == mmio && f->range[i].start == start && f->range[i].end == end) {
            f->range[i] = f->range[--f->ranges];
            return 0;
        }
    return 0;
}

static bool has(const struct rig *f, bool mmio, uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < f->ranges; i++)
        if (f->range[i].mmio == mmio && f->range[i].start == start && f->range[i].end == start + size - 1)
            return true;
    return false;
}

static int setup(void **state)
{
    struct ioreq_config cfg = {.ctx = NULL};
    struct rig *f = calloc(1, sizeof(*f));

    f->core = fx_new();
    fx_start(f->core);
    cfg.region[IOREQ_BAR0].size = VGPU_BAR0_SIZE;
    cfg.region[IOREQ_BAR2].size = VGPU_BAR2_SIZE;
    cfg.region[IOREQ_BAR4].size = VGPU_BAR4_SIZE;
    cfg.region[IOREQ_ROM].size = VGPU_ROM_SIZE;
    cfg.region[IOREQ_CONFIG].size = VGPU_CFG_SIZE;
    f->host = (struct xen_bars_host){f, config_read, map, unmap};
    xen_bars_init(&f->bars, &cfg, &f->host, 7, false);
    gt_log_set_level(GT_LOG_ERROR);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct rig *f = *state;
    void *core = f->core;

    free(f);
    return fx_teardown(&core);
}

static int cfg_write(struct rig *f, unsigned off, unsigned size, uint32_t val)
{
    vgpu_cfg_write(f->core->v, off, size, val);
    return xen_bars_written(&f->bars, off, size, val);
}

/* As hvmloader leaves it. */
static void place_all(struct rig *f)
{
    cfg_write(f, BAR0, 4, 0xf0000000);
    cfg_write(f, BAR0 + 4, 4, 0);
    cfg_write(f, BAR2, 4, 0xe0000000);
    cfg_write(f, BAR2 + 4, 4, 0);
    cfg_write(f, BAR4, 4, 0xc100);
    cfg_write(f, ROM, 4, 0xf2000001);
    cfg_write(f, COMMAND, 2, IO | MEMORY);
}

static void nothing_is_mapped_before_decoding_is_on(void **state)
{
    struct rig *f = *state;

    assert_int_equal(xen_bars_sync(&f->bars), 0);
    cfg_write(f, BAR0, 4, 0xf0000000);
    cfg_write(f, BAR2, 4, 0xe0000000);
    assert_int_equal(f->maps, 0);
}

static void all_four_regions_are_mapped(void **state)
{
    struct rig *f = *state;

    place_all(f);
    assert_int_equal(f->ranges, 4);
    assert_true(has(f, true, 0xf0000000, VGPU_BAR0_SIZE));
    assert_true(has(f, true, 0xe0000000, VGPU_BAR2_SIZE));
    assert_true(has(f, false, 0xc100, VGPU_BAR4_SIZE));
    assert_true(has(f, true, 0xf2000000, VGPU_ROM_SIZE));
    cfg_write(f, COMMAND, 2, IO);
    assert_int_equal(f->ranges, 1);
    cfg_write(f, COMMAND, 1, MEMORY);
    assert_int_equal(f->ranges, 3);
    cfg_write(f, ROM, 4, 0xf2000000);
    assert_int_equal(f->ranges, 2);
    cfg_write(f, COMMAND, 1, 0);
    assert_int_equal(f->ranges, 0);
}

static void an_unchanged_place_costs_no_call(void **state)
{
    struct rig *f = *state;

    place_all(f);
    unsigned maps = f->maps, unmaps = f->unmaps;

    cfg_write(f, COMMAND, 2, IO | MEMORY | 4);
    cfg_write(f, BAR0, 4, 0xf0000000);
    cfg_write(f, 0x3c, 1, 11);
    cfg_write(f, 0xfc, 4, 0x12345678);
    assert_int_equal(f->maps, maps);
    assert_int_equal(f->unmaps, unmaps);
}

static void a_bar_moves(void **state)
{
    struct rig *f = *state;
    struct ioreq_access a;

    place_all(f);
    cfg_write(f, BAR0, 4, 0xf4000000);
    assert_true(has(f, true, 0xf4000000, VGPU_BAR0_SIZE));
    assert_int_equal(f->ranges, 4);
    assert_false(xen_bars_find(&f->bars, true, 0xf0000000, 4, &a));
    /* above 4 GiB, where 0xf0000000 in the low half is no wish to know the size */
    cfg_write(f, BAR2 + 4, 4, 0x10);
    cfg_write(f, BAR2, 4, 0xf0000000);
    assert_true(has(f, true, 0x10f0000000, VGPU_BAR2_SIZE));
    assert_true(xen_bars_find(&f->bars, true, 0x10f0000000 + VGPU_BAR2_SIZE - 8, 8, &a));
    assert_int_equal(a.region, IOREQ_BAR2);
    assert_int_equal(a.off, VGPU_BAR2_SIZE - 8);
}

static void two_bars_trade_places(void **state)
{
    struct rig *f = *state;

    place_all(f);
    vgpu_cfg_write(f->core->v, BAR0, 4, 0xe0000000);
    vgpu_cfg_write(f->core->v, BAR2, 4, 0xf0000000 - VGPU_BAR2_SIZE - VGPU_BAR2_SIZE);
    assert_int_equal(xen_bars_sync(&f->bars), 0);
    assert_true(has(f, true, 0xe0000000, VGPU_BAR0_SIZE));
    assert_true(has(f, true, 0xd0000000, VGPU_BAR2_SIZE));
    assert_int_equal(f->ranges, 4);
}

/* What Linux does to each BAR, but with decoding left on. */
static void asking_for_the_size_maps_nothing(void **state)
{
    static const uint32_t place[] = {0, 0xffffffff, 0x10};

    for (size_t i = 0; i < GT_ARRAY_SIZE(place); i++) {
        struct rig *f = *state;
        for (unsigned bar = BAR0; bar <= BAR4; bar += 8) {
            place_all(f);
            cfg_write(f, BAR2 + 4, 4, place[i]);
            unsigned maps = f->maps;
            cfg_write(f, bar, 4, UINT32_MAX);
            assert_int_equal(f->maps, maps);
            assert_int_equal(f->ranges, place[i] == UINT32_MAX && bar != BAR2 ? 2 : 3);
        }
        place_all(f);
        cfg_write(f, ROM, 4, 0xfffff801);
        assert_int_equal(f->ranges, 3);
        cfg_write(f, ROM, 4, UINT32_MAX);
        assert_int_equal(f->ranges, 3);
    }
}

static void sizing_both_halves_maps_nothing(void **state)
{
    struct rig *f = *state;

    place_all(f);
    unsigned maps = f->maps;

    cfg_write(f, BAR2, 4, UINT32_MAX);
    cfg_write(f, BAR2 + 4, 4, UINT32_MAX);
    cfg_write(f, BAR2, 4, 0xe0000000); /* the high half still holds ones */
    assert_int_equal(f->maps, maps);
    cfg_write(f, BAR2 + 4, 4, 0);
    assert_int_equal(f->maps, maps + 1);
    assert_true(has(f, true, 0xe0000000, VGPU_BAR2_SIZE));
}

static void absurd_places_are_refused(void **state)
{
    static const struct {
        uint32_t low, high;
    } places[] = {
        {0, 0},          /* the start of RAM */
        {0xff000000, 0}, /* up to 4 GiB: over the APICs and the firmware */
        {0xfe000000, 0}, /* the APICs */
        {0, 0xffffffff}, /* beyond any physical address */
        {0, 0x00100000}, /* 2^52 */
        {0xff000000, 0xffffffff},
    };
    struct rig *f = *state;

    cfg_write(f, COMMAND, 2, IO | MEMORY);
    for (size_t i = 0; i < GT_ARRAY_SIZE(places); i++) {
        vgpu_cfg_write(f->core->v, BAR0, 4, places[i].low);
        vgpu_cfg_write(f->core->v, BAR0 + 4, 4, places[i].high);
        assert_int_equal(xen_bars_sync(&f->bars), 0);
        assert_int_equal(f->maps, 0);
    }
    static const uint32_t ports[] = {0, 0x40, 0xcc0, 0xfc0};

    for (size_t i = 0; i < GT_ARRAY_SIZE(ports); i++) {
        cfg_write(f, BAR4, 4, ports[i]);
        assert_int_equal(f->maps, 0);
    }
    cfg_write(f, BAR4, 4, 0xffc0);
    assert_true(has(f, false, 0xffc0, VGPU_BAR4_SIZE));
    cfg_write(f, BAR0 + 4, 4, 0);
    cfg_write(f, BAR0, 4, 0x01000000);
    assert_true(has(f, true, 0x01000000, VGPU_BAR0_SIZE));
    cfg_write(f, ROM, 4, 0x000c0001);
    assert_int_equal(f->ranges, 2);
}

static void overlapping_bars_are_refused(void **state)
{
    struct rig *f = *state;
    struct ioreq_access a;

    place_all(f);
    cfg_write(f, BAR0, 4, 0xe1000000);
    assert_int_equal(f->ranges, 3);
    assert_true(xen_bars_find(&f->bars, true, 0xe1000000, 4, &a));
    assert_int_equal(a.region, IOREQ_BAR2);
    cfg_write(f, BAR2, 4, 0xd0000000);
    assert_true(has(f, true, 0xe1000000, VGPU_BAR0_SIZE)); /* its place is free now */
    assert_int_equal(f->ranges, 4);
}

static void accesses_beyond_a_bar_are_not_found(void **state)
{
    struct rig *f = *state;
    struct ioreq_access a;

    assert_false(xen_bars_find(&f->bars, true, 0, 1, &a));
    place_all(f);
    assert_true(xen_bars_find(&f->bars, true, 0xf0ffffff, 1, &a));
    assert_int_equal(a.region, IOREQ_BAR0);
    assert_int_equal(a.off, VGPU_BAR0_SIZE - 1);
    assert_false(xen_bars_find(&f->bars, true, 0xf0ffffff, 2, &a));
    assert_false(xen_bars_find(&f->bars, true, 0xf0fffffc, 8, &a));
    assert_false(xen_bars_find(&f->bars, true, 0xdffffffc, 8, &a));
    assert_false(xen_bars_find(&f->bars, true, 0xc100, 4, &a));
    assert_true(xen_bars_find(&f->bars, false, 0xc13c, 4, &a));
    assert_int_equal(a.region, IOREQ_BAR4);
    assert_false(xen_bars_find(&f->bars, false, 0xc13d, 4, &a));
    assert_false(xen_bars_find(&f->bars, true, UINT64_MAX, 8, &a));
    assert_true(xen_bars_find(&f->bars, true, 0xf2000000, 4, &a));
    assert_int_equal(a.region, IOREQ_ROM);
}

static void odd_writes_are_seen(void **state)
{
    struct rig *f = *state;

    place_all(f);
    cfg_write(f, BAR0 + 3, 1, 0xf5);
    assert_true(has(f, true, 0xf5000000, VGPU_BAR0_SIZE));
    cfg_write(f, COMMAND - 1, 4, 0); /* crosses into the command register */
    assert_int_equal(f->ranges, 0);
    cfg_write(f, COMMAND + 1, 1, 0);
    assert_int_equal(f->ranges, 0);
}

static void an_error_of_xen_leaves_the_bar_unmapped(void **state)
{
    struct rig *f = *state;
    struct ioreq_access a;

    cfg_write(f, BAR0, 4, 0xf0000000);
    f->fail = -ENOMEM;
    assert_int_equal(cfg_write(f, COMMAND, 2, MEMORY), -ENOMEM);
    assert_false(xen_bars_find(&f->bars, true, 0xf0000000, 4, &a));
    f->fail = 0;
    assert_int_equal(cfg_write(f, COMMAND, 2, MEMORY), 0);
    assert_true(xen_bars_find(&f->bars, true, 0xf0000000, 4, &a));
}

static void an_adopted_range_is_taken_as_it_is(void **state)
{
    struct rig *f = *state;
    struct ioreq_config cfg = {.region[IOREQ_BAR0] = {.size = VGPU_BAR0_SIZE}};
    struct ioreq_access a;

    place_all(f);
    xen_bars_init(&f->bars, &cfg, &f->host, 7, true);
    f->unmaps = 0;
    assert_int_equal(xen_bars_sync(&f->bars), 0);
    assert_int_equal(f->unmaps, 0);
    assert_true(xen_bars_find(&f->bars, true, 0xf0000000, 4, &a));
    cfg_write(f, BAR0, 4, 0xf4000000);
    assert_true(has(f, true, 0xf4000000, VGPU_BAR0_SIZE));
    assert_false(has(f, true, 0xf0000000, VGPU_BAR0_SIZE));
    /* that was the first look only */
    assert_int_equal(map(f, true, 0xf6800000, 0xf68fffff), 0);
    assert_int_equal(cfg_write(f, BAR0, 4, 0xf6000000), -EEXIST);
    assert_false(xen_bars_find(&f->bars, true, 0xf6000000, 4, &a));
}

static void adopted_bars_do_not_overlap_either(void **state)
{
    struct rig *f = *state;
    struct ioreq_config cfg = {.region[IOREQ_BAR0] = {.size = VGPU_BAR0_SIZE},
                               .region[IOREQ_BAR2] = {.size = VGPU_BAR2_SIZE}};
    struct ioreq_access a;

    place_all(f);
    vgpu_cfg_write(f->core->v, BAR0, 4, 0xe1000000);
    xen_bars_init(&f->bars, &cfg, &f->host, 7, true);
    assert_int_equal(xen_bars_sync(&f->bars), 0);
    assert_true(xen_bars_find(&f->bars, true, 0xe1000000, 4, &a));
    assert_int_equal(a.region, IOREQ_BAR0);
    assert_false(xen_bars_find(&f->bars, true, 0xe0000000, 4, &a));
}

/* The killed process mapped a place that config space no longer tells. */
static void a_forgotten_range_is_replaced(void **state)
{
    struct rig *f = *state;
    struct ioreq_access a;

    assert_int_equal(map(f, true, 0xf0000000, 0xf0ffffff), 0);
    cfg_write(f, BAR0, 4, 0xf0000000);
    assert_int_equal(cfg_write(f, COMMAND, 2, MEMORY), 0);
    assert_true(has(f, true, 0xf0000000, VGPU_BAR0_SIZE));
    assert_true(xen_bars_find(&f->bars, true, 0xf0000000, 4, &a));
    /* one that only touches ours cannot be told to Xen */
    assert_int_equal(map(f, true, 0xf6800000, 0xf68fffff), 0);
    assert_int_equal(cfg_write(f, BAR0, 4, 0xf6000000), -EEXIST);
    assert_false(xen_bars_find(&f->bars, true, 0xf6000000, 4, &a));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_mapped_before_decoding_is_on),
        TEST(all_four_regions_are_mapped),
        TEST(an_unchanged_place_costs_no_call),
        TEST(a_bar_moves),
        TEST(two_bars_trade_places),
        TEST(asking_for_the_size_maps_nothing),
        TEST(sizing_both_halves_maps_nothing),
        TEST(absurd_places_are_refused),
        TEST(overlapping_bars_are_refused),
        TEST(accesses_beyond_a_bar_are_not_found),
        TEST(odd_writes_are_seen),
        TEST(an_error_of_xen_leaves_the_bar_unmapped),
        TEST(an_adopted_range_is_taken_as_it_is),
        TEST(adopted_bars_do_not_overlap_either),
        TEST(a_forgotten_range_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
