/* Vblanks that nobody needs are not waited for: vgpu/vblank.c. */
#include "display_fixture.h"

#define MS UINT64_C(1000000)

/* A lit head with a plane, its interrupt masked as by i915 when nobody waits for vblanks. Returns when the device wants
 * to be looked after. */
static uint64_t rest(struct dfx *d)
{
    d_light(d, 0, 0, &mode_xga60);
    uint64_t next = vgpu_display_tick(d->core.v);

    d_plane(d, 0, 0, 0x100000, 1024, 768, 4096);
    next = d_run_to(d, next);
    d_wr(d, R_GEN8_DE_PIPE_IMR, 0, 0, VBLANK);
    d_run_to(d, next);
    d_irqs(d, 0);
    return vgpu_display_tick(d->core.v);
}

static void a_picture_that_stands_still_has_no_timer(void **state)
{
    struct dfx *d = *state;
    uint64_t next = rest(d), frame = d->core.v->display.pipe[0].clock.timing.frame_ns;
    uint32_t count = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);

    assert_true(next >= d->core.now + 1000 * MS);
    d->core.now += 10 * frame;
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), count + 10); /* which is computed */
    assert_int_equal(d_irqs(d, 0), 0);
}

/* In the midst of a frame: what was missed does not come now, but with the next vblank. */
static void who_waits_gets_the_next_vblank(void **state)
{
    struct dfx *d = *state;
    uint64_t frame;

    rest(d);
    frame = d->core.v->display.pipe[0].clock.timing.frame_ns;
    d->core.now += 20 * frame + frame / 2;
    unsigned kicks = d->display_kicks;

    d_wr(d, R_GEN8_DE_PIPE_IMR, 0, 0, 0);
    assert_true(d->display_kicks > kicks);
    uint64_t next = vgpu_display_tick(d->core.v);

    assert_in_range(next, d->core.now, d->core.now + frame);
    assert_int_equal(d_irqs(d, 0), 0);
    d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK);
}

static void a_flip_is_live_at_the_next_vblank(void **state)
{
    struct dfx *d = *state;
    uint64_t frame;

    rest(d);
    frame = d->core.v->display.pipe[0].clock.timing.frame_ns;
    d->core.now += 7 * frame + frame / 3;
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    uint64_t next = vgpu_display_tick(d->core.v);

    assert_in_range(next, d->core.now, d->core.now + frame);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x100000);
    d_run_to(d, next);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x200000);
    assert_true(vgpu_display_tick(d->core.v) >= d->core.now + 1000 * MS);
}

static void cursors_and_checksums_need_vblanks(void **state)
{
    struct dfx *d = *state;
    uint64_t frame;

    rest(d);
    frame = d->core.v->display.pipe[0].clock.timing.frame_ns;
    d->core.now += 7 * frame + frame / 3;
    d_wr(d, R_CURBASE, 0, 0, 0x300000);
    assert_in_range(vgpu_display_tick(d->core.v), d->core.now, d->core.now + frame);
    assert_int_equal(d_rd(d, R_CURSURFLIVE, 0, 0), 0);
    d_run_to(d, vgpu_display_tick(d->core.v));
    assert_int_equal(d_rd(d, R_CURSURFLIVE, 0, 0), 0x300000);
    d->core.now += 7 * frame;
    d_wr(d, R_PIPE_CRC_CTL, 0, 0, GT_BIT(31));
    assert_in_range(vgpu_display_tick(d->core.v), d->core.now, d->core.now + frame);
}

static void flips_that_are_waited_for_need_vblanks(void **state)
{
    struct dfx *d = *state;
    uint64_t frame;

    rest(d);
    frame = d->core.v->display.pipe[0].clock.timing.frame_ns;
    d->core.now += 7 * frame + frame / 3;
    uint32_t count = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);

    vgpu_flip_wait(d->core.v, 0, 50 * MS);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), count);
    assert_in_range(vgpu_display_tick(d->core.v), d->core.now, d->core.now + frame);
    vgpu_flip_wait(d->core.v, 0, 0);
    assert_true(vgpu_display_tick(d->core.v) >= d->core.now + 1000 * MS);
    vgpu_flip_pace(d->core.v, 0, 33 * MS);
    assert_in_range(vgpu_display_tick(d->core.v), d->core.now, d->core.now + frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DFX_TEST(a_picture_that_stands_still_has_no_timer), DFX_TEST(who_waits_gets_the_next_vblank),
        DFX_TEST(a_flip_is_live_at_the_next_vblank),        DFX_TEST(cursors_and_checksums_need_vblanks),
        DFX_TEST(flips_that_are_waited_for_need_vblanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
