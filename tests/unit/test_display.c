/* The display engine's time: one clock a pipe, vblanks, latches, CRCs, hotplug. */
#include "display_fixture.h"

static struct vgpu_stats stats(struct dfx *d)
{
    struct vgpu_stats s;

    vgpu_get_stats(d->core.v, &s);
    return s;
}

/* The registers that Linux 6.12 wrote for 1024x768 at 60 Hz: 65 MHz. */
static void refresh_comes_from_the_pll(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    d_wr(d, R_DPLL_CFGCR, 0, 0, 0x802aab7b);
    d_wr(d, R_DPLL_CFGCR, 0, 1, 0x7a4);
    d_wr(d, R_DPLL_CTRL1, 0, 0, 0x845);
    d_wr(d, R_DPLL_CTRL2, 0, 0, 0x60018);
    d_timings(d, 0, &mode_xga60);
    d_wr(d, R_TRANS_DDI_FUNC_CTL, 0, 0, GT_BIT(31) | 1u << 28);
    d_wr(d, R_TRANSCONF, 0, 0, GT_BIT(31));
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(s.mhz, 60004);
    assert_int_equal(s.width, 1024);
    assert_int_equal(s.height, 768);
}

static void deep_colour_does_not_speed_the_frame_up(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    d_pll(d, 1, 1, mode_xga60.hz * 3 / 2);
    d_timings(d, 0, &mode_xga60);
    d_wr(d, R_TRANS_DDI_FUNC_CTL, 0, 0, GT_BIT(31) | 1u << 28 | 3u << 20);
    d_wr(d, R_TRANSCONF, 0, 0, GT_BIT(31));
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_in_range(s.mhz, 60000, 60010);
}

static void without_a_pll_the_monitor_mode_gives_the_refresh(void **state)
{
    struct dfx *d = *state;
    const struct vgpu_mode mode = {1280, 720, 75000};
    struct vgpu_scanout s;

    assert_int_equal(vgpu_head_set(d->core.v, 1, true, &mode), 0);
    d_timings(d, 0, &mode_xga60);
    d_wr(d, R_TRANS_DDI_FUNC_CTL, 0, 0, GT_BIT(31) | 2u << 28);
    d_wr(d, R_TRANSCONF, 0, 0, GT_BIT(31));
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(s.mhz, 75000);
}

static void refresh_is_clamped(void **state)
{
    static const struct {
        struct dfx_mode mode;
        uint32_t mhz;
    } rows[] = {
        {{200000000, 64, 96, 64, 80}, 240000},
        {{25000000, 4096, 8192, 2304, 8192}, 1000},
    };
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct vgpu_scanout s;

        d_light(d, 0, 0, &rows[i].mode);
        assert_true(vgpu_scanout(d->core.v, 0, &s));
        assert_in_range(s.mhz, rows[i].mhz - 1, rows[i].mhz + 1);
        d_wr(d, R_TRANSCONF, 0, 0, 0);
    }
}

static void transconf_state_follows_enable(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    assert_false(vgpu_scanout(d->core.v, 0, &s));
    d_light(d, 0, 0, &mode_xga60);
    assert_int_equal(d_rd(d, R_TRANSCONF, 0, 0), 0xc0000000);
    d_wr(d, R_TRANSCONF, 0, 0, 0);
    assert_int_equal(d_rd(d, R_TRANSCONF, 0, 0), 0);
    assert_false(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(d_rd(d, R_PIPEDSL, 0, 0), 0);
    assert_int_equal(vgpu_display_tick(d->core.v), UINT64_MAX);
    assert_int_equal(d->display_kicks >= 2, 1);
    d_wr(d, R_TRANSCONF, 3, 0, GT_BIT(31)); /* eDP: a register and no pipe */
    assert_int_equal(d_rd(d, R_TRANSCONF, 3, 0), 0xc0000000);
    assert_int_equal(vgpu_display_tick(d->core.v), UINT64_MAX);
}

static void any_pipe_drives_any_head(void **state)
{
    struct dfx *d = *state;

    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++) {
        for (unsigned head = 0; head < VGPU_HEADS; head++) {
            d_light(d, pipe, head, &mode_xga60);
            for (unsigned other = 0; other < VGPU_HEADS; other++)
                assert_int_equal(vgpu_head_pipe(d->core.v, other), other == head ? (int)pipe : -1);
            d_wr(d, R_TRANSCONF, pipe, 0, 0);
            assert_int_equal(vgpu_head_pipe(d->core.v, head), -1);
        }
    }
    assert_int_equal(vgpu_head_pipe(d->core.v, 99), -1);
}

static void vblank_comes_at_its_nanosecond_and_once(void **state)
{
    struct dfx *d = *state;

    d_light(d, 0, 0, &mode_xga60);
    uint64_t next = vgpu_display_tick(d->core.v);

    d_irqs(d, 0);
    for (unsigned i = 0; i < 200; i++) {
        uint32_t before = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);

        assert_int_equal(d_run_to(d, next - 1), next);
        assert_int_equal(d_irqs(d, 0), 0);
        assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), before);
        uint64_t after = d_run_to(d, next);

        assert_int_equal(d_irqs(d, 0), VBLANK);
        assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), before + 1);
        assert_int_equal(d_run_to(d, next), after);
        assert_int_equal(d_irqs(d, 0), 0);
        next = after;
    }
    assert_int_equal(stats(d).vblanks[0], 200);
}

/* i915 adds 2 lines to what an HDMI port's counter reads, and 1 otherwise; then line 0 is the first of the picture and
 * the frame counter steps at line vactive. */
static void line_counter_and_frame_counter_are_one_clock(void **state)
{
    static const struct {
        uint32_t mode, lag;
    } ports[] = {{0, 2}, {1, 2}, {2, 1}};
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(ports); i++) {
        const struct dfx_mode *m = &mode_xga60;

        d_pll(d, 1, 1, m->hz);
        d_timings(d, 0, m);
        d_wr(d, R_TRANS_DDI_FUNC_CTL, 0, 0, GT_BIT(31) | 1u << 28 | ports[i].mode << 24);
        d_wr(d, R_TRANSCONF, 0, 0, GT_BIT(31));
        assert_int_equal((d_rd(d, R_PIPEDSL, 0, 0) + ports[i].lag) % m->vtotal, 0);
        uint64_t next = vgpu_display_tick(d->core.v), frame = d_run_to(d, next) - next;

        for (unsigned line = 0; line < m->vtotal; line++) {
            /* first nanosecond of the line-th line after the start of the vblank */
            uint64_t at = next + (line * frame + m->vtotal - 1) / m->vtotal;
            uint32_t expected = (m->vactive + line) % m->vtotal;

            d->core.now = at;
            assert_int_equal((d_rd(d, R_PIPEDSL, 0, 0) + ports[i].lag) % m->vtotal, expected);
            d->core.now = at - 1;
            assert_int_equal((d_rd(d, R_PIPEDSL, 0, 0) + ports[i].lag + 1) % m->vtotal, expected);
        }
        d_wr(d, R_TRANSCONF, 0, 0, 0);
    }
}

static void two_pipes_run_at_their_own_rates(void **state)
{
    struct dfx *d = *state;
    uint64_t end = d->core.now + 10 * NS_PER_S, next;

    d_light(d, 0, 2, &mode_xga60);
    d_light(d, 1, 0, &mode_720p144);
    for (next = vgpu_display_tick(d->core.v); next < end;)
        next = d_run_to(d, next);
    assert_in_range(stats(d).vblanks[0], 599, 601);
    assert_in_range(stats(d).vblanks[1], 1439, 1442);
    assert_int_equal(stats(d).vblanks[2], 0);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), stats(d).vblanks[0]);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 1, 0), stats(d).vblanks[1]);
}

static void missed_ticks_are_counted_and_cost_nothing(void **state)
{
    struct dfx *d = *state;

    d_light(d, 0, 0, &mode_720p144);
    vgpu_display_tick(d->core.v);
    d_irqs(d, 0);
    d->core.now += 1000000 * NS_PER_S;
    uint64_t next = vgpu_display_tick(d->core.v);

    assert_true(next > d->core.now && next <= d->core.now + NS_PER_S / 144);
    assert_int_equal(d_irqs(d, 0), VBLANK);
    assert_int_equal(stats(d).vblanks[0], d_rd(d, R_PIPE_FRMCOUNT, 0, 0));
    assert_true(stats(d).vblanks[0] > 143000000);
}

static void frame_counter_survives_a_modeset(void **state)
{
    struct dfx *d = *state;

    d_light(d, 0, 0, &mode_xga60);
    d->core.now += NS_PER_S;
    vgpu_display_tick(d->core.v);
    uint32_t count = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);

    assert_in_range(count, 59, 61);
    d_wr(d, R_TRANSCONF, 0, 0, 0);
    d->core.now += NS_PER_S;
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), count);
    d_light(d, 0, 0, &mode_720p144);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), count);
    d_run_to(d, vgpu_display_tick(d->core.v));
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), count + 1);
}

static void timestamps_are_microseconds_of_the_last_vblank(void **state)
{
    struct dfx *d = *state;

    d_light(d, 0, 0, &mode_xga60);
    uint64_t vblank = vgpu_display_tick(d->core.v);

    d_run_to(d, vblank);
    d->core.now += 5000000;
    assert_int_equal(d_rd(d, R_DE_TIMESTAMP, 0, 0), d->core.now / 1000);
    assert_int_equal(d_rd(d, R_PIPE_FRMTMSTMP, 0, 0), vblank / 1000);
}

static void new_timing_counts_from_the_vblank_on(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    d_light(d, 0, 0, &mode_xga60);
    uint64_t first = d_run_to(d, vgpu_display_tick(d->core.v));
    const struct dfx_mode slower = {65000000, 1024, 1344, 768, 1612};

    d_timings(d, 0, &slower);
    uint64_t second = d_run_to(d, first);

    assert_in_range(second - first, NS_PER_S / 31, NS_PER_S / 29);
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_in_range(s.mhz, 30000, 30004);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), 2);
}

static void flips_wait_for_the_vblank_and_count_once(void **state)
{
    struct dfx *d = *state;

    d_light(d, 0, 0, &mode_xga60);
    uint64_t next = vgpu_display_tick(d->core.v);

    d_irqs(d, 0);
    d->changed[0] = 0;
    d_plane(d, 0, 0, 0x100000, 1024, 768, 4096);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000); /* the later one wins */
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0);
    assert_int_equal(d_rd(d, R_PIPE_FLIPCOUNT, 0, 0), 0);
    next = d_run_to(d, next);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x200000);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    assert_int_equal(d_rd(d, R_PIPE_FLIPCOUNT, 0, 0), 1);
    assert_int_equal(stats(d).flips[0], 1);
    assert_int_equal(d->changed[0], 1);
    d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK);
    assert_int_equal(d->changed[0], 1);
    assert_int_equal(stats(d).flips[0], 1);
}

static void plane_registers_without_arming_change_nothing(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    d_light(d, 0, 0, &mode_xga60);
    d_plane(d, 0, 0, 0x100000, 1024, 768, 4096);
    uint64_t next = d_run_to(d, vgpu_display_tick(d->core.v));

    d_wr(d, R_PLANE_SIZE, 0, 0, 99u << 16 | 99);
    d_wr(d, R_PLANE_CTL, 0, 0, 0);
    d_run_to(d, next);
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(s.nplanes, 1);
    assert_int_equal(s.plane[0].width, 1024);
}

static void asynchronous_flip_is_done_at_once(void **state)
{
    struct dfx *d = *state;

    d_light(d, 0, 0, &mode_xga60);
    d_plane(d, 0, 0, 0x100000, 1024, 768, 4096);
    d_run_to(d, vgpu_display_tick(d->core.v));
    d_irqs(d, 0);
    d_wr(d, R_PLANE_CTL, 0, 0, PLANE_ON | PLANE_XRGB | GT_BIT(9));
    d_wr(d, R_PLANE_SURF, 0, 0, 0x300000);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x300000);
    assert_int_equal(d_irqs(d, 0), FLIP_DONE(0));
}

static void planes_of_a_dark_pipe_latch_at_once(void **state)
{
    struct dfx *d = *state;

    d_plane(d, 1, 2, 0x400000, 64, 64, 256);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 1, 2), 0x400000);
    assert_int_equal(d_irqs(d, 1), 0);
    /* armed while on, latched by switching off */
    d_light(d, 1, 0, &mode_xga60);
    d_wr(d, R_PLANE_SURF, 1, 2, 0x500000);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 1, 2), 0x400000);
    d_wr(d, R_TRANSCONF, 1, 0, 0);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 1, 2), 0x500000);
}

/* ---- CRC */

/* Draws w x 4 pixels at a guest page and maps it; 0x1000 bytes a row. */
static void draw(struct dfx *d, uint32_t ggtt, uint32_t gpa, uint32_t seed)
{
    for (unsigned page = 0; page < 4; page++) {
        fx_map(&d->core, ggtt / 4096 + page, gpa / 4096 + page);
        for (unsigned i = 0; i < 1024; i++) {
            uint32_t pixel = (seed + page) * 2654435761u ^ i * 40503u;

            memcpy(d->core.ram + gpa + page * 4096 + i * 4, &pixel, 4);
        }
    }
}

static void crc_pipe(struct dfx *d, uint32_t ggtt)
{
    static const struct dfx_mode tiny = {65000000, 1024, 1344, 4, 806};

    d_light(d, 0, 0, &tiny);
    d_plane(d, 0, 0, ggtt, 1024, 4, 4096);
    d_wr(d, R_PIPE_CRC_CTL, 0, 0, GT_BIT(31));
}

static uint32_t crc_of_next_frame(struct dfx *d)
{
    uint64_t next = vgpu_display_tick(d->core.v);

    d_irqs(d, 0);
    d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0) & (VBLANK | CRC_DONE), VBLANK | CRC_DONE);
    return d_rd(d, R_PIPE_CRC_RES, 0, 0);
}

static void crc_depends_on_the_picture_only(void **state)
{
    struct dfx *d = *state;

    draw(d, 0x100000, 0x10000, 1);
    draw(d, 0x200000, 0x20000, 1);
    draw(d, 0x300000, 0x30000, 2);
    crc_pipe(d, 0x100000);
    uint32_t one = crc_of_next_frame(d);

    assert_int_equal(crc_of_next_frame(d), one);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    assert_int_equal(crc_of_next_frame(d), one);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x300000);
    assert_int_not_equal(crc_of_next_frame(d), one);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x100000);
    assert_int_equal(crc_of_next_frame(d), one);
    d->core.ram[0x10000 + 5000] ^= 1;
    assert_int_not_equal(crc_of_next_frame(d), one);
    d->core.ram[0x10000 + 5000] ^= 1;
    d->core.ram[0x10000 + 5003] ^= 0xff; /* the unused byte of a pixel */
    assert_int_equal(crc_of_next_frame(d), one);
}

/* Bit by bit, as in the definition of CRC-32 (ISO 3309). */
static uint32_t crc32_reference(const uint8_t *data, size_t n, uint32_t crc)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc;
}

static void crc_is_crc32_of_the_rows(void **state)
{
    struct dfx *d = *state;
    uint32_t expected = UINT32_MAX;

    draw(d, 0x100000, 0x10000, 7);
    for (unsigned i = 3; i < 4 * 4096; i += 4)
        d->core.ram[0x10000 + i] = 0;
    for (unsigned row = 0; row < 4; row++)
        expected = crc32_reference(d->core.ram + 0x10000 + row * 4096, 1023 * 4, expected);
    crc_pipe(d, 0x100000);
    d_wr(d, R_PIPESRC, 0, 0, 1022u << 16 | 3); /* an odd width */
    assert_int_equal(crc_of_next_frame(d), ~expected);
}

static void crc_stops_when_told(void **state)
{
    struct dfx *d = *state;

    crc_pipe(d, 0x100000);
    crc_of_next_frame(d);
    uint32_t old = d_rd(d, R_PIPE_CRC_RES, 0, 0);

    d_wr(d, R_PIPE_CRC_CTL, 0, 0, 0);
    d_run_to(d, vgpu_display_tick(d->core.v));
    assert_int_equal(d_irqs(d, 0), VBLANK);
    assert_int_equal(d_rd(d, R_PIPE_CRC_RES, 0, 0), old);
    d_wr(d, R_PIPE_CRC_RES, 0, 0, ~old);
    assert_int_equal(d_rd(d, R_PIPE_CRC_RES, 0, 0), old);
}

/* A picture that is slow to compose: the lock is free meanwhile, and the other pipe's vblanks go on. */
static unsigned reads_until_off;

static int slow_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    struct dfx *d = host;

    d->core.now += 100000;
    if (reads_until_off && !--reads_until_off)
        d_wr(d, R_TRANSCONF, 0, 0, 0);
    return fx_mem_read(host, gpa, dst, n);
}

static void crc_of_one_pipe_does_not_stop_the_other(void **state)
{
    struct dfx *d = *state;

    for (unsigned page = 0; page < 768; page++)
        fx_map(&d->core, 0x1000 + page, 16 + page % 64);
    d_light(d, 0, 0, &mode_xga60);
    d_light(d, 1, 1, &mode_720p144);
    d_plane(d, 0, 0, 0x1000000, 1024, 768, 4096);
    d_wr(d, R_PIPE_CRC_CTL, 0, 0, GT_BIT(31));
    d->core.ops.mem_read = slow_read; /* 0.1 ms a row: 77 ms a picture, 11 frames of the other pipe */
    d->core.now += NS_PER_S / 50;
    uint64_t before = stats(d).vblanks[1];
    uint64_t next = vgpu_display_tick(d->core.v);

    assert_true(stats(d).vblanks[1] - before >= 10);
    assert_true(d_irqs(d, 0) & CRC_DONE);
    assert_true(next > 0);
}

static void crc_of_a_pipe_that_goes_off_is_dropped(void **state)
{
    struct dfx *d = *state;

    for (unsigned page = 0; page < 768; page++)
        fx_map(&d->core, 0x1000 + page, 16 + page % 64);
    d_light(d, 0, 0, &mode_xga60);
    d_plane(d, 0, 0, 0x1000000, 1024, 768, 4096);
    d_wr(d, R_PIPE_CRC_CTL, 0, 0, GT_BIT(31));
    d->core.ops.mem_read = slow_read;
    reads_until_off = 100;
    d->core.now += NS_PER_S / 50;
    vgpu_display_tick(d->core.v);
    assert_int_equal(d_irqs(d, 0) & CRC_DONE, 0);
}

/* ---- heads */

static void hotplug_shows_in_the_live_bit_and_raises_an_interrupt(void **state)
{
    static const uint32_t live[] = {GT_BIT(21), GT_BIT(22), GT_BIT(23)};
    struct dfx *d = *state;

    d_wr(d, R_PCH_PORT_HOTPLUG, 0, 0, 0x101010);
    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        uint32_t status = GT_BIT(1) << head * 8;

        assert_true(d_rd(d, R_SDEISR, 0, 0) & live[head]);
        assert_int_equal(vgpu_head_set(d->core.v, head, false, NULL), 0);
        assert_false(d_rd(d, R_SDEISR, 0, 0) & live[head]);
        assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), live[head]);
        assert_int_equal(d_rd(d, R_PCH_PORT_HOTPLUG, 0, 0), 0x101010 | status);
        d_wr(d, R_PCH_PORT_HOTPLUG, 0, 0, 0x101010 | status);
        assert_int_equal(d_rd(d, R_PCH_PORT_HOTPLUG, 0, 0), 0x101010);
        d_wr(d, R_SDEIIR, 0, 0, UINT32_MAX);
    }
}

static void hotplug_without_detection_is_silent(void **state)
{
    struct dfx *d = *state;

    assert_int_equal(vgpu_head_set(d->core.v, 0, false, NULL), 0);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), 0);
    assert_int_equal(d_rd(d, R_PCH_PORT_HOTPLUG, 0, 0), 0);
    assert_false(d_rd(d, R_SDEISR, 0, 0) & GT_BIT(21));
}

static void a_new_mode_is_a_hotplug_and_no_change_is_none(void **state)
{
    struct dfx *d = *state;
    struct vgpu_mode mode = {1920, 1080, 60000}, got;

    d_wr(d, R_PCH_PORT_HOTPLUG, 0, 0, 0x101010);
    assert_int_equal(vgpu_head_set(d->core.v, 0, true, NULL), 0);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), 0);
    assert_int_equal(vgpu_head_set(d->core.v, 0, true, &mode), 0);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), GT_BIT(21));
    assert_true(vgpu_head_get(d->core.v, 0, &got));
    assert_memory_equal(&got, &mode, sizeof(mode));
}

static void modes_that_the_link_cannot_carry_are_refused(void **state)
{
    static const struct vgpu_mode rows[] = {
        {0, 0, 0},         {2560, 1440, 170000}, {3840, 2160, 80000},  {1024, 768, 0},      {1024, 768, 241000},
        {63, 768, 60000},  {1024, 63, 60000},    {4097, 768, 60000},   {1024, 2305, 60000}, {64, 64, 1000},
        {65535, 65535, 1}, {1024, 768, 999},     {1024, 768, 1 << 31},
    };
    struct dfx *d = *state;
    struct vgpu_mode got;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(vgpu_head_set(d->core.v, 0, true, &rows[i]), -EINVAL);
    assert_int_equal(vgpu_head_set(d->core.v, VGPU_HEADS, true, NULL), -EINVAL);
    assert_true(vgpu_head_get(d->core.v, 0, &got));
    assert_int_equal(got.width, 1024);
    assert_false(vgpu_head_get(d->core.v, VGPU_HEADS, &got));
}

static void reset_darkens_pipes_and_keeps_monitors(void **state)
{
    struct dfx *d = *state;
    struct vgpu_scanout s;

    vgpu_head_set(d->core.v, 2, false, NULL);
    d_light(d, 0, 0, &mode_xga60);
    d_plane(d, 0, 0, 0x100000, 64, 64, 256);
    vgpu_reset(d->core.v);
    assert_false(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(vgpu_display_tick(d->core.v), UINT64_MAX);
    assert_int_equal(d_rd(d, R_SDEISR, 0, 0) & (7u << 21), 3u << 21);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), 0);
}

static void gamma_memory_is_read_back_through_its_index(void **state)
{
    struct dfx *d = *state;

    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++) {
        d_wr(d, R_PREC_PAL_INDEX, 0, pipe, GT_BIT(15));
        for (unsigned i = 0; i < 1024; i++)
            d_wr(d, R_PREC_PAL_DATA, 0, pipe, i * 3 + pipe);
    }
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++) {
        d_wr(d, R_PREC_PAL_INDEX, 0, pipe, GT_BIT(15));
        for (unsigned i = 0; i < 1024; i++)
            assert_int_equal(d_rd(d, R_PREC_PAL_DATA, 0, pipe), i * 3 + pipe);
        d_wr(d, R_PREC_PAL_INDEX, 0, pipe, 0xffff0000u | 5);
        assert_int_equal(d_rd(d, R_PREC_PAL_DATA, 0, pipe), 15 + pipe);
        assert_int_equal(d_rd(d, R_PREC_PAL_DATA, 0, pipe), 15 + pipe);
    }
}

static void buffer_is_idle_when_it_is_off(void **state)
{
    struct dfx *d = *state;

    for (unsigned port = 0; port < 5; port++) {
        assert_int_equal(d_rd(d, R_DDI_BUF_CTL, port, 0), 0x80);
        d_wr(d, R_DDI_BUF_CTL, port, 0, GT_BIT(31) | 0x10);
        assert_int_equal(d_rd(d, R_DDI_BUF_CTL, port, 0), GT_BIT(31) | 0x10);
        d_wr(d, R_DDI_BUF_CTL, port, 0, 0);
        assert_int_equal(d_rd(d, R_DDI_BUF_CTL, port, 0), 0x80);
    }
}

/* ---- hostile */

static uint32_t random_state = 12345;

static uint32_t random32(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Values that fields like: small, all ones, one bit, and noise. */
static uint32_t hostile_value(void)
{
    switch (random32() % 5) {
    case 0:
        return 0;
    case 1:
        return UINT32_MAX;
    case 2:
        return GT_BIT(random32() % 32);
    case 3:
        return GT_BIT(31) | (random32() & 0x0f00ffffu);
    default:
        return random32();
    }
}

static int read_ggtt(void *opaque, uint64_t ggtt, void *dst, size_t n)
{
    return vgpu_ggtt_read(opaque, ggtt, dst, n);
}

static void compose_some(struct dfx *d, unsigned pipe)
{
    static uint32_t row[VGPU_WIDTH_MAX];
    static uint64_t scratch[VGPU_COMPOSE_SCRATCH / 8];
    static struct vgpu_scanout s;

    if (!vgpu_scanout(d->core.v, pipe, &s))
        return;
    assert_in_range(s.width, 1, VGPU_WIDTH_MAX);
    assert_in_range(s.height, 1, VGPU_WIDTH_MAX);
    assert_in_range(s.mhz, 999, 240001);
    assert_in_range(s.nplanes, 0, VGPU_SCANOUT_PLANES);
    for (unsigned i = 0; i < s.nplanes; i++)
        assert_true(vgpu_surface_valid(&s.plane[i]));
    vgpu_compose_row(&s, random32() % s.height, read_ggtt, d->core.v, row, scratch);
}

static void any_register_values_are_survived(void **state)
{
    struct dfx *d = *state;
    const uint32_t first = reg_off(R_TRANS_HTOTAL, 0, 0), last = reg_off(R_PLANE_BUF_CFG, 2, 2);

    for (unsigned i = 0; i < 60000; i++) {
        uint32_t off = first + random32() % (last - first);

        if (random32() % 8 == 0)
            off = reg_off(R_GMBUS0, 0, 0) + random32() % 0x24;
        vgpu_mmio_write(d->core.v, off & ~3u, 4, hostile_value());
        vgpu_mmio_read(d->core.v, off & ~3u, 4);
        /* CRCs of huge pictures would make this test slow and nothing else */
        for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
            d_wr(d, R_PIPE_CRC_CTL, pipe, 0, 0);
        d->core.now += random32() % 20000000;
        if (i % 4 == 0)
            vgpu_display_tick(d->core.v);
        if (i % 8 == 0)
            compose_some(d, random32() % VGPU_PIPES);
    }
}

/* The guest's interrupt handler, which takes `ns`: master off, bits cleared, master on. */
static void handler(struct dfx *d, uint64_t ns)
{
    d_wr(d, R_GEN8_MASTER_IRQ, 0, 0, 0);
    d_irqs(d, 0);
    d->core.now += ns;
    d_wr(d, R_GEN8_MASTER_IRQ, 0, 0, GT_BIT(31));
}

/* Vblanks that the guest is told of in a second when its handler takes `ns`. */
static unsigned handled_in_a_second(struct dfx *d, uint64_t ns)
{
    unsigned handled = 0;

    d_wr(d, R_GEN8_MASTER_IRQ, 0, 0, GT_BIT(31));
    d_wr(d, R_GEN8_DE_PIPE_IER, 0, 0, VBLANK);
    d_light(d, 0, 0, &mode_xga60);
    uint64_t end = d->core.now + NS_PER_S, next = vgpu_display_tick(d->core.v);

    while (next < end) {
        next = d_run_to(d, GT_MAX(next, d->core.now));
        if (d_rd(d, R_GEN8_DE_PIPE_IIR, 0, 0) & VBLANK) {
            handler(d, ns);
            handled++;
            next = vgpu_display_tick(d->core.v);
        }
    }
    return handled;
}

static void a_quick_handler_gets_every_vblank(void **state)
{
    assert_in_range(handled_in_a_second(*state, 7000000), 59, 60);
}

static void a_slow_handler_keeps_half_of_the_time_for_the_guest(void **state)
{
    assert_in_range(handled_in_a_second(*state, 20000000), 20, 25);
}

static void a_guest_that_was_stopped_rests_a_tenth_of_a_second_at_most(void **state)
{
    struct dfx *d = *state;

    d_wr(d, R_GEN8_MASTER_IRQ, 0, 0, GT_BIT(31));
    d_wr(d, R_GEN8_DE_PIPE_IER, 0, 0, VBLANK);
    d_light(d, 0, 0, &mode_xga60);
    d_run_to(d, vgpu_display_tick(d->core.v));
    handler(d, 10 * NS_PER_S);
    assert_in_range(vgpu_display_tick(d->core.v), d->core.now + NS_PER_S / 10, d->core.now + NS_PER_S / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DFX_TEST(a_quick_handler_gets_every_vblank),
        DFX_TEST(a_slow_handler_keeps_half_of_the_time_for_the_guest),
        DFX_TEST(a_guest_that_was_stopped_rests_a_tenth_of_a_second_at_most),
        DFX_TEST(refresh_comes_from_the_pll),
        DFX_TEST(deep_colour_does_not_speed_the_frame_up),
        DFX_TEST(without_a_pll_the_monitor_mode_gives_the_refresh),
        DFX_TEST(refresh_is_clamped),
        DFX_TEST(transconf_state_follows_enable),
        DFX_TEST(any_pipe_drives_any_head),
        DFX_TEST(vblank_comes_at_its_nanosecond_and_once),
        DFX_TEST(line_counter_and_frame_counter_are_one_clock),
        DFX_TEST(two_pipes_run_at_their_own_rates),
        DFX_TEST(missed_ticks_are_counted_and_cost_nothing),
        DFX_TEST(frame_counter_survives_a_modeset),
        DFX_TEST(timestamps_are_microseconds_of_the_last_vblank),
        DFX_TEST(new_timing_counts_from_the_vblank_on),
        DFX_TEST(flips_wait_for_the_vblank_and_count_once),
        DFX_TEST(plane_registers_without_arming_change_nothing),
        DFX_TEST(asynchronous_flip_is_done_at_once),
        DFX_TEST(planes_of_a_dark_pipe_latch_at_once),
        DFX_TEST(crc_depends_on_the_picture_only),
        DFX_TEST(crc_is_crc32_of_the_rows),
        DFX_TEST(crc_stops_when_told),
        DFX_TEST(crc_of_one_pipe_does_not_stop_the_other),
        DFX_TEST(crc_of_a_pipe_that_goes_off_is_dropped),
        DFX_TEST(hotplug_shows_in_the_live_bit_and_raises_an_interrupt),
        DFX_TEST(hotplug_without_detection_is_silent),
        DFX_TEST(a_new_mode_is_a_hotplug_and_no_change_is_none),
        DFX_TEST(modes_that_the_link_cannot_carry_are_refused),
        DFX_TEST(reset_darkens_pipes_and_keeps_monitors),
        DFX_TEST(gamma_memory_is_read_back_through_its_index),
        DFX_TEST(buffer_is_idle_when_it_is_off),
        DFX_TEST(any_register_values_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
