/* EDIDs: parsed back here, and judged by edid-decode where it is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vgpu/base/bits.h"
#include "vgpu/edid.h"
#include "vgpu/vgpu.h"

static const struct vgpu_mode common[] = {
    {640, 480, 60000},    {800, 600, 60000},   {1024, 768, 60000},  {1024, 768, 144000},  {1280, 720, 60000},
    {1280, 1024, 75000},  {1366, 768, 60000},  {1440, 900, 60000},  {1920, 1080, 60000},  {1920, 1080, 120000},
    {1920, 1200, 60000},  {2560, 1440, 60000}, {3840, 2160, 30000}, {4096, 2160, 30000},  {4096, 2304, 24000},
    {64, 64, 60000},      {64, 64, 240000},    {123, 457, 59940},   {4095, 2304, 25000},  {64, 2304, 60000},
    {2560, 1440, 120000}, {3840, 2160, 60000}, {4096, 2304, 60000}, {1920, 1080, 240000}, {3840, 2160, 75000},
    {4096, 1440, 100000}, {64, 2304, 240000},
};

static void block_sums_are_zero(const uint8_t *edid, unsigned size)
{
    for (unsigned block = 0; block < size; block += VGPU_EDID_BLOCK) {
        uint8_t sum = 0;

        for (unsigned i = 0; i < VGPU_EDID_BLOCK; i++)
            sum = (uint8_t)(sum + edid[block + i]);
        assert_int_equal(sum, 0);
    }
}

/* The detailed timing at p, field by field as EDID 1.4 table 3.21 has them. */
static struct vgpu_edid_timing parse_dtd(const uint8_t *p)
{
    return (struct vgpu_edid_timing){
        .clock_10khz = p[0] | (uint32_t)p[1] << 8,
        .hactive = (uint16_t)(p[2] | (p[4] & 0xf0) << 4),
        .hblank = (uint16_t)(p[3] | (p[4] & 0x0f) << 8),
        .vactive = (uint16_t)(p[5] | (p[7] & 0xf0) << 4),
        .vblank = (uint16_t)(p[6] | (p[7] & 0x0f) << 8),
        .hfront = (uint16_t)(p[8] | (p[11] & 0xc0) << 2),
        .hsync = (uint16_t)(p[9] | (p[11] & 0x30) << 4),
        .vfront = (uint16_t)(p[10] >> 4 | (p[11] & 0x0c) << 2),
        .vsync = (uint16_t)((p[10] & 0x0f) | (p[11] & 0x03) << 4),
    };
}

/* DisplayID 1.3 table 4.5. */
static struct vgpu_edid_timing parse_type1(const uint8_t *p)
{
    return (struct vgpu_edid_timing){
        .clock_10khz = (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16) + 1,
        .hactive = (uint16_t)((p[4] | p[5] << 8) + 1),
        .hblank = (uint16_t)((p[6] | p[7] << 8) + 1),
        .hfront = (uint16_t)(((p[8] | p[9] << 8) & 0x7fff) + 1),
        .hsync = (uint16_t)((p[10] | p[11] << 8) + 1),
        .vactive = (uint16_t)((p[12] | p[13] << 8) + 1),
        .vblank = (uint16_t)((p[14] | p[15] << 8) + 1),
        .vfront = (uint16_t)(((p[16] | p[17] << 8) & 0x7fff) + 1),
        .vsync = (uint16_t)((p[18] | p[19] << 8) + 1),
    };
}

static double refresh(const struct vgpu_edid_timing *t)
{
    return t->clock_10khz * 1e7 / ((double)(t->hactive + t->hblank) * (t->vactive + t->vblank));
}

static void assert_plausible(const struct vgpu_edid_timing *t, const struct vgpu_mode *m)
{
    double mhz = refresh(t), wanted = m->mhz;

    assert_int_equal(t->hactive, m->width);
    assert_int_equal(t->vactive, m->height);
    assert_in_range(t->clock_10khz, 2500, 67500);
    assert_true(t->hfront + t->hsync < t->hblank);
    assert_true(t->vfront + t->vsync < t->vblank);
    /* the clock has steps of 10 kHz: at most 0.02 % of 25 MHz */
    assert_true(mhz > wanted * 0.9997 && mhz < wanted * 1.0003);
}

static void preferred_timing_is_the_mode(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(common); i++) {
        const struct vgpu_mode *m = &common[i];
        uint8_t edid[VGPU_EDID_MAX];
        unsigned size = vgpu_edid_build(m, 0, edid);
        struct vgpu_edid_timing t;

        assert_true(vgpu_edid_timing(m, &t));
        const bool extended = m->width > 4095 || t.clock_10khz > 65535;

        assert_int_equal(size, extended ? 256 : 128);
        assert_int_equal(edid[126], size / 128 - 1);
        block_sums_are_zero(edid, size);
        t = extended ? parse_type1(edid + 128 + 51) : parse_dtd(edid + 54);
        assert_plausible(&t, m);
        assert_true(edid[24] & 2);
    }
}

/* Too wide, or too fast, for a detailed timing: the base block then has one that is as near as it goes. */
static void what_does_not_fit_is_in_a_displayid_block(void **state)
{
    static const struct {
        struct vgpu_mode mode;
        unsigned base_width;
    } rows[] = {{{4096, 2304, 24000}, 4088}, {{4096, 2304, 66000}, 4088}, {{3840, 2160, 75000}, 3840}};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        uint8_t edid[VGPU_EDID_MAX], sum = 0, *d = edid + 128;

        assert_int_equal(vgpu_edid_build(&rows[i].mode, 0, edid), 256);
        assert_int_equal(d[0], 0x70);
        assert_int_equal(d[48], 0x03);
        assert_true(d[54] & 0x80);
        for (unsigned k = 1; k < 127; k++)
            sum = (uint8_t)(sum + d[k]);
        assert_int_equal(sum, 0);
        struct vgpu_edid_timing base = parse_dtd(edid + 54);

        assert_int_equal(base.hactive, rows[i].base_width);
        assert_true(refresh(&base) > rows[i].mode.mhz * 0.95 && refresh(&base) < rows[i].mode.mhz * 1.001);
    }
}

/* Every size in steps, every rate in steps: either a timing within the link's limits, or none. */
static void any_mode_gets_a_timing_or_none(void **state)
{
    unsigned with = 0, without = 0;

    (void)state;
    for (unsigned w = 64; w <= 4096; w += 61) {
        for (unsigned h = 64; h <= 2304; h += 97) {
            for (unsigned mhz = 1000; mhz <= 240000; mhz += 7919) {
                const struct vgpu_mode m = {(uint16_t)w, (uint16_t)h, mhz};
                struct vgpu_edid_timing t;

                if (!vgpu_edid_timing(&m, &t)) {
                    without++;
                    continue;
                }
                assert_plausible(&t, &m);
                with++;
            }
        }
    }
    assert_true(with > without);
}

static void impossible_modes_have_no_edid(void **state)
{
    static const struct vgpu_mode rows[] = {
        {0, 0, 0},
        {1024, 768, 0},
        {0, 768, 60000},
        {1024, 0, 60000},
        {65535, 65535, 240000},
        {1024, 768, UINT32_MAX},
        {4096, 2304, 120000},
    };
    uint8_t edid[VGPU_EDID_MAX];

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(vgpu_edid_build(&rows[i], 0, edid), 0);
}

static void heads_differ_in_serial_and_name(void **state)
{
    (void)state;
    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        uint8_t edid[VGPU_EDID_MAX];
        char name[16];

        vgpu_edid_build(&common[2], head, edid);
        assert_int_equal(edid[12], head + 1);
        snprintf(name, sizeof(name), "gtmux %u\n", head + 1);
        assert_int_equal(edid[93], 0xfc);
        assert_memory_equal(edid + 95, name, 8);
    }
}

static void it_is_a_displayport_monitor_of_8_bits(void **state)
{
    uint8_t edid[VGPU_EDID_MAX];

    (void)state;
    vgpu_edid_build(&common[2], 0, edid);
    assert_int_equal(edid[18], 1);
    assert_int_equal(edid[19], 4);
    assert_int_equal(edid[20], 0xa5);
}

/* Rates above 255 have a flag each. */
static void range_limits_reach_the_mode(void **state)
{
    static const struct vgpu_mode rows[] = {{1024, 768, 60000}, {1920, 1080, 240000}, {3840, 2160, 75000}};
    static const unsigned most[][3] = {{61, 49, 7}, {241, 292, 61}, {76, 168, 68}};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        uint8_t edid[VGPU_EDID_MAX], *r = edid + 72;

        vgpu_edid_build(&rows[i], 0, edid);
        assert_int_equal(r[3], 0xfd);
        assert_int_equal(r[6] + (r[4] & 2 ? 255 : 0), most[i][0]);
        assert_int_equal(r[8] + (r[4] & 8 ? 255 : 0), most[i][1]);
        assert_int_equal(r[9], most[i][2]);
    }
}

static void established_timings_fit_the_monitor(void **state)
{
    const struct vgpu_mode tiny = {640, 400, 60000}, xga = {1024, 768, 60000};
    uint8_t edid[VGPU_EDID_MAX];

    (void)state;
    vgpu_edid_build(&tiny, 0, edid);
    assert_int_equal(edid[35] | edid[36] | edid[37], 0);
    vgpu_edid_build(&xga, 0, edid);
    assert_int_equal(edid[35], 0x21);
    assert_int_equal(edid[36], 0x08);
}

/* ---- given ones */

static void built_ones_are_whole_and_prefer_their_mode(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(common); i++) {
        uint8_t edid[VGPU_EDID_MAX];
        unsigned size = vgpu_edid_build(&common[i], 0, edid);
        struct vgpu_mode got;

        assert_true(vgpu_edid_whole(edid, size));
        assert_true(vgpu_edid_preferred(edid, &got));
        if (size > VGPU_EDID_BLOCK)
            continue; /* the base block has a mode that is near it */
        assert_int_equal(got.width, common[i].width);
        assert_int_equal(got.height, common[i].height);
        assert_in_range(got.mhz, common[i].mhz - common[i].mhz / 3000, common[i].mhz + common[i].mhz / 3000);
    }
}

static void any_changed_byte_or_size_makes_it_not_whole(void **state)
{
    uint8_t edid[2 * VGPU_EDID_MAX] = {0};
    unsigned size = vgpu_edid_build(&(struct vgpu_mode){4096, 2304, 60000}, 0, edid);

    (void)state;
    for (unsigned i = 0; i < size; i++) {
        edid[i] ^= 0x10;
        assert_false(vgpu_edid_whole(edid, size));
        edid[i] ^= 0x10;
    }
    for (unsigned n = 0; n <= sizeof(edid); n++)
        assert_int_equal(vgpu_edid_whole(edid, n), n == size);
}

static void timings_that_no_head_can_have_are_refused(void **state)
{
    /* clock, width, height, blanking of each, interlaced */
    static const struct {
        unsigned clock, w, h, hblank, vblank;
        bool interlaced, ok;
    } rows[] = {
        {6500, 1024, 768, 320, 38, false, true},   {6500, 1024, 768, 320, 38, true, false},
        {0, 1024, 768, 320, 38, false, false},     {6500, 0, 768, 320, 38, false, false},
        {6500, 1024, 0, 320, 38, false, false},    {6500, 1024, 2305, 320, 38, false, false},
        {6500, 63, 768, 320, 38, false, false},    {65535, 64, 64, 0, 0, false, false},
        {1, 4095, 2304, 4095, 4095, false, false},
    };

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        const struct vgpu_edid_timing t = {.clock_10khz = rows[i].clock,
                                           .hactive = (uint16_t)rows[i].w,
                                           .hblank = (uint16_t)rows[i].hblank,
                                           .vactive = (uint16_t)rows[i].h,
                                           .vblank = (uint16_t)rows[i].vblank};
        uint8_t edid[VGPU_EDID_BLOCK] = {0}, *p = edid + 54;
        struct vgpu_mode got;

        p[0] = (uint8_t)t.clock_10khz;
        p[1] = (uint8_t)(t.clock_10khz >> 8);
        p[2] = (uint8_t)t.hactive;
        p[3] = (uint8_t)t.hblank;
        p[4] = (uint8_t)((t.hactive >> 8) << 4 | t.hblank >> 8);
        p[5] = (uint8_t)t.vactive;
        p[6] = (uint8_t)t.vblank;
        p[7] = (uint8_t)((t.vactive >> 8) << 4 | t.vblank >> 8);
        p[17] = rows[i].interlaced ? 0x80 : 0;
        assert_int_equal(vgpu_edid_preferred(edid, &got), rows[i].ok);
    }
}

static void edid_decode_finds_no_fault(void **state)
{
    char path[] = "/tmp/gtmux-edid-XXXXXX", command[256];

    (void)state;
    if (system("edid-decode --version >/dev/null 2>&1")) {
        print_message("skipped: edid-decode is not installed\n");
        skip();
    }
    for (unsigned i = 0; i < GT_ARRAY_SIZE(common); i++) {
        uint8_t edid[VGPU_EDID_MAX];
        unsigned size = vgpu_edid_build(&common[i], i % VGPU_HEADS, edid);
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, edid, size), size);
        close(fd);
        snprintf(command, sizeof(command), "edid-decode --check %s >%s.log || { tail -20 %s.log; false; }", path, path,
                 path);
        int rc = system(command);

        unlink(path);
        snprintf(command, sizeof(command), "%s.log", path);
        unlink(command);
        if (rc)
            fail_msg("edid-decode refuses %ux%u at %u mHz", common[i].width, common[i].height, common[i].mhz);
        memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preferred_timing_is_the_mode),
        cmocka_unit_test(what_does_not_fit_is_in_a_displayid_block),
        cmocka_unit_test(any_mode_gets_a_timing_or_none),
        cmocka_unit_test(impossible_modes_have_no_edid),
        cmocka_unit_test(heads_differ_in_serial_and_name),
        cmocka_unit_test(it_is_a_displayport_monitor_of_8_bits),
        cmocka_unit_test(range_limits_reach_the_mode),
        cmocka_unit_test(established_timings_fit_the_monitor),
        cmocka_unit_test(built_ones_are_whole_and_prefer_their_mode),
        cmocka_unit_test(any_changed_byte_or_size_makes_it_not_whole),
        cmocka_unit_test(timings_that_no_head_can_have_are_refused),
        cmocka_unit_test(edid_decode_finds_no_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
