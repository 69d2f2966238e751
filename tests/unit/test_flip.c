/* When a guest is told that a flip is done: vgpu/flip.c. */
#include "display_fixture.h"

#define MS       UINT64_C(1000000)
#define PATIENCE (50 * MS)

/* A lit head with a plane, its events read. Returns when the next vblank is. */
static uint64_t begin(struct dfx *d, uint64_t patience)
{
    d_light(d, 0, 0, &mode_xga60);
    uint64_t next = vgpu_display_tick(d->core.v);

    d_plane(d, 0, 0, 0x100000, 1024, 768, 4096);
    next = d_run_to(d, next);
    d_irqs(d, 0);
    vgpu_flip_wait(d->core.v, 0, patience);
    return next;
}

static uint32_t flip_number(struct dfx *d)
{
    struct vgpu_scanout s;

    assert_true(vgpu_scanout(d->core.v, 0, &s));
    return s.flip;
}

static struct vgpu_stats stats(struct dfx *d)
{
    struct vgpu_stats st;

    vgpu_get_stats(d->core.v, &st);
    return st;
}

static void a_flip_is_told_when_it_is_shown(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);
    uint32_t frames = d_rd(d, R_PIPE_FRMCOUNT, 0, 0), before = flip_number(d);
    struct vgpu_scanout s;

    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    d->changed[0] = 0;
    d_run_to(d, next);
    assert_int_equal(d->changed[0], 1); /* those who show it are told at once */
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(s.plane[0].ggtt, 0x200000);
    assert_int_equal(s.flip, before + 1);
    assert_int_equal(s.flip_ns, next);
    assert_int_equal(d_irqs(d, 0), VBLANK);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x100000);
    assert_int_equal(d_rd(d, R_PIPE_FLIPCOUNT, 0, 0), 1);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames);
    d->core.now += 5 * MS;
    vgpu_flip_shown(d->core.v, 0, before + 1);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x200000);
    assert_int_equal(d_rd(d, R_PIPE_FLIPCOUNT, 0, 0), 2);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames + 1);
    assert_int_equal(stats(d).flips_kept[0], 1);
    assert_int_equal(stats(d).flips_late[0], 0);
    vgpu_flip_shown(d->core.v, 0, before + 1); /* once more tells nothing more */
    assert_int_equal(d_irqs(d, 0), 0);
}

/* Nobody answers: vblanks come as ever, and the flip is told at the limit. */
static void nobody_holds_up_a_guest_for_longer_than_the_limit(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, 40 * MS), live = next;
    uint32_t frames = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);
    unsigned vblanks = 0;

    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    for (;;) {
        next = d_run_to(d, next);
        uint32_t irqs = d_irqs(d, 0);

        if (irqs & FLIP_DONE(0))
            break;
        vblanks += irqs & VBLANK;
        assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames);
        assert_in_range(next, d->core.now + 1, live + 40 * MS);
    }
    assert_int_equal(d->core.now, live + 40 * MS);
    assert_int_equal(vblanks, 3);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames + 3);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x200000);
    assert_int_equal(stats(d).flips_late[0], 1);
}

static void the_limit_is_three_frames_at_most(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, UINT64_MAX), frame;

    frame = next - d->core.now;
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    d_run_to(d, next);
    uint64_t late = d->core.now + 3 * frame;

    while (!(d_irqs(d, 0) & FLIP_DONE(0)))
        next = d_run_to(d, vgpu_display_tick(d->core.v));
    assert_in_range(d->core.now, late, late + 10);
}

/* A guest that does not wait either cannot keep the first flip for longer. */
static void more_flips_do_not_move_the_limit(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE), live = next;

    for (unsigned i = 0; i < 3; i++) {
        d_wr(d, R_PLANE_SURF, 0, 0, 0x200000 + i * 0x1000);
        next = d_run_to(d, next);
        assert_int_equal(d_irqs(d, 0), VBLANK);
    }
    vgpu_flip_shown(d->core.v, 0, flip_number(d) - 1); /* not the newest */
    assert_int_equal(d_irqs(d, 0), 0);
    while (!(d_irqs(d, 0) & FLIP_DONE(0)))
        next = d_run_to(d, next);
    assert_in_range(d->core.now, live, live + PATIENCE);
    assert_int_equal(d_rd(d, R_PIPE_FLIPCOUNT, 0, 0), 4);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x202000);
}

static void when_the_viewers_leave_it_is_told_at_once(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);

    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    next = d_run_to(d, next);
    d_irqs(d, 0);
    vgpu_flip_wait(d->core.v, 0, 0);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    d_wr(d, R_PLANE_SURF, 0, 0, 0x300000);
    d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    assert_int_equal(stats(d).flips_kept[0], 1);
}

static void a_flip_to_the_same_buffer_is_told_at_the_vblank(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);
    uint32_t before = flip_number(d);

    d_wr(d, R_PLANE_SURF, 0, 0, 0x100000);
    next = d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    assert_int_equal(flip_number(d), before);
    d_wr(d, R_CURCNTR, 0, 0, 0x27); /* a cursor is none that waits */
    d_wr(d, R_CURBASE, 0, 0, 0x500000);
    d_run_to(d, next);
    assert_int_equal(flip_number(d), before);
    assert_int_equal(d_rd(d, R_CURSURFLIVE, 0, 0), 0x500000);
    assert_int_equal(stats(d).flips_kept[0], 0);
}

/* It is the interrupt that i915 waits for; the counter runs on. */
static void an_asynchronous_flip_waits_without_the_counter(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);
    uint32_t frames = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);
    unsigned kicks = d->display_kicks;

    d_wr(d, R_PLANE_CTL, 0, 0, PLANE_ON | PLANE_XRGB | GT_BIT(9));
    d_wr(d, R_PLANE_SURF, 0, 0, 0x300000);
    assert_int_equal(d_irqs(d, 0), 0);
    assert_int_equal(d->display_kicks, kicks + 1);
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x100000);
    d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames + 1);
    vgpu_flip_shown(d->core.v, 0, flip_number(d));
    assert_int_equal(d_irqs(d, 0), FLIP_DONE(0));
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 0), 0x300000);
}

static void flips_of_two_planes_are_told_together(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);

    d_plane(d, 0, 1, 0x600000, 64, 64, 256);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK);
    vgpu_flip_shown(d->core.v, 0, flip_number(d));
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0) | FLIP_DONE(1));
    assert_int_equal(d_rd(d, R_PLANE_SURFLIVE, 0, 1), 0x600000);
}

static void heads_wait_for_their_own_viewers(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);

    d_light(d, 1, 1, &mode_xga60);
    next = vgpu_display_tick(d->core.v);
    d_plane(d, 1, 0, 0x700000, 1024, 768, 4096);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    for (unsigned i = 0; i < 2; i++)
        next = d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK);
    assert_int_equal(d_irqs(d, 1), VBLANK | FLIP_DONE(0));
    vgpu_flip_shown(d->core.v, 1, flip_number(d));
    vgpu_flip_shown(d->core.v, VGPU_HEADS, flip_number(d));
    vgpu_flip_wait(d->core.v, UINT32_MAX, 0);
    assert_int_equal(d_irqs(d, 0), 0);
    vgpu_flip_shown(d->core.v, 0, flip_number(d));
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
}

static void a_pipe_that_goes_off_has_told_all(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);
    uint32_t frames = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);

    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    d_run_to(d, next);
    d_irqs(d, 0);
    d_wr(d, R_TRANSCONF, 0, 0, 0);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames + 1);
    assert_int_equal(vgpu_display_tick(d->core.v), UINT64_MAX);
}

static void a_reset_forgets_the_flip_and_not_the_viewers(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);

    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    d_run_to(d, next);
    uint32_t old = flip_number(d);

    vgpu_reset(d->core.v);
    assert_int_equal(vgpu_display_tick(d->core.v), UINT64_MAX);
    d_wr(d, R_GEN8_DE_PIPE_IMR, 0, 0, 0);
    d_light(d, 0, 0, &mode_xga60);
    d_plane(d, 0, 0, 0x100000, 1024, 768, 4096);
    d_run_to(d, vgpu_display_tick(d->core.v));
    assert_int_equal(d_irqs(d, 0), VBLANK);
    vgpu_flip_shown(d->core.v, 0, old); /* of before */
    assert_int_equal(d_irqs(d, 0), 0);
    vgpu_flip_shown(d->core.v, 0, flip_number(d));
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
}

/* drm_vblank.c takes a counter that goes back for one that has gone once around. */
static void the_counter_never_goes_back(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, 0);
    uint32_t last = 0, seed = 1, buffer = 0;

    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        switch (seed >> 28) {
        case 6:
            if (seed & 4096)
                vgpu_flip_pace(d->core.v, 0, seed & 8192 ? 0 : (seed >> 8 & 63) * MS);
            break;
        case 0:
            vgpu_flip_wait(d->core.v, 0, seed & 4096 ? 0 : (seed >> 8 & 63) * MS);
            break;
        case 1:
            d_wr(d, R_PLANE_SURF, 0, 0, 0x100000 + (++buffer & 7) * 0x100000);
            break;
        case 2:
            vgpu_flip_shown(d->core.v, 0, d->core.v->display.pipe[0].flip.number);
            break;
        case 3:
            d_wr(d, R_TRANSCONF, 0, 0, seed & 0x30000 ? GT_BIT(31) : 0);
            break;
        case 4:
        case 5:
            d->core.now = GT_MAX(d->core.now, next == UINT64_MAX ? 0 : next);
            next = vgpu_display_tick(d->core.v);
            break;
        default:
            d->core.now += seed % (9 * MS); /* the thread may be late */
            break;
        }
        uint32_t frames = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);

        if ((int32_t)(frames - last) < 0)
            fail_msg("step %u: %u after %u", i, frames, last);
        last = frames;
    }
    assert_true(last > 1000);
    assert_true(stats(d).flips_kept[0] > 100);
    assert_true(stats(d).flips_late[0] > 10);
}

/* A read between a vblank and our handling of it must not give away a flip that is then kept. */
static void the_counter_waits_for_the_events_of_its_vblank(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, PATIENCE);
    uint32_t frames = d_rd(d, R_PIPE_FRMCOUNT, 0, 0);

    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    d->core.now = next + MS;
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames);
    vgpu_display_tick(d->core.v);
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames);
    vgpu_flip_shown(d->core.v, 0, flip_number(d));
    assert_int_equal(d_rd(d, R_PIPE_FRMCOUNT, 0, 0), frames + 1);
}

/* ---- the frame limit */

static void flip_to_the_other(struct dfx *d)
{
    d_wr(d, R_PLANE_SURF, 0, 0, d_rd(d, R_PLANE_SURF, 0, 0) == 0x300000 ? 0x400000 : 0x300000);
}

/* Flips as often as the guest is told that the last one is done, for a second; how many. */
static unsigned flips_in_a_second(struct dfx *d, uint64_t *next)
{
    const uint64_t end = d->core.now + 1000 * MS;
    unsigned told = 0;

    while (d->core.now < end) {
        *next = d_run_to(d, *next);
        if (!(d_irqs(d, 0) & FLIP_DONE(0)))
            continue;
        told++;
        flip_to_the_other(d);
    }
    return told;
}

static void a_limit_holds_at_any_rate(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, 0);

    flip_to_the_other(d);
    assert_in_range(flips_in_a_second(d, &next), 59, 61);
    for (unsigned hz = 5; hz < 60; hz += 5) {
        vgpu_flip_pace(d->core.v, 0, 1000 * MS / hz);
        assert_in_range(flips_in_a_second(d, &next), hz - 1, hz + 1);
    }
    vgpu_flip_pace(d->core.v, 0, 1000 * MS / 240); /* more than the monitor shows */
    assert_in_range(flips_in_a_second(d, &next), 59, 62);
    vgpu_flip_pace(d->core.v, 0, 0);
    assert_in_range(flips_in_a_second(d, &next), 59, 62);
}

static void a_limit_that_goes_lets_the_flip_go(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, 0);

    vgpu_flip_pace(d->core.v, 0, 500 * MS);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    next = d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0)); /* who comes first does not wait */
    d_wr(d, R_PLANE_SURF, 0, 0, 0x300000);
    next = d_run_to(d, next);
    assert_int_equal(d_irqs(d, 0), VBLANK);
    vgpu_flip_pace(d->core.v, 0, 0);
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    vgpu_flip_pace(d->core.v, VGPU_HEADS, 1);
}

/* The limit holds whether viewers are quick or not there; and a viewer's buffer is not given away by it. */
static void a_limit_and_viewers_are_both_waited_for(void **state)
{
    struct dfx *d = *state;
    uint64_t next = begin(d, 40 * MS);

    vgpu_flip_pace(d->core.v, 0, 30 * MS);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x200000);
    next = d_run_to(d, next);
    vgpu_flip_shown(d->core.v, 0, flip_number(d)); /* the first of the grid */
    assert_int_equal(d_irqs(d, 0), VBLANK | FLIP_DONE(0));
    uint64_t told = d->core.now;

    d_wr(d, R_PLANE_SURF, 0, 0, 0x300000);
    next = d_run_to(d, next);
    vgpu_flip_shown(d->core.v, 0, flip_number(d)); /* quick */
    assert_int_equal(d_irqs(d, 0), VBLANK);
    next = vgpu_display_tick(d->core.v);
    while (!(d_irqs(d, 0) & FLIP_DONE(0)))
        next = d_run_to(d, next);
    assert_int_equal(d->core.now, told + 30 * MS);
    d_wr(d, R_PLANE_SURF, 0, 0, 0x400000);
    next = vgpu_display_tick(d->core.v);
    next = d_run_to(d, next);
    uint64_t live = d->core.now;

    d_irqs(d, 0);
    while (!(d_irqs(d, 0) & FLIP_DONE(0))) /* slow: 40 ms, though the limit has passed */
        next = d_run_to(d, next);
    assert_int_equal(d->core.now, live + 40 * MS);
    assert_int_equal(stats(d).flips_late[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DFX_TEST(a_flip_is_told_when_it_is_shown),
        DFX_TEST(nobody_holds_up_a_guest_for_longer_than_the_limit),
        DFX_TEST(the_limit_is_three_frames_at_most),
        DFX_TEST(more_flips_do_not_move_the_limit),
        DFX_TEST(when_the_viewers_leave_it_is_told_at_once),
        DFX_TEST(a_flip_to_the_same_buffer_is_told_at_the_vblank),
        DFX_TEST(an_asynchronous_flip_waits_without_the_counter),
        DFX_TEST(flips_of_two_planes_are_told_together),
        DFX_TEST(heads_wait_for_their_own_viewers),
        DFX_TEST(a_pipe_that_goes_off_has_told_all),
        DFX_TEST(a_reset_forgets_the_flip_and_not_the_viewers),
        DFX_TEST(the_counter_never_goes_back),
        DFX_TEST(the_counter_waits_for_the_events_of_its_vblank),
        DFX_TEST(a_limit_holds_at_any_rate),
        DFX_TEST(a_limit_that_goes_lets_the_flip_go),
        DFX_TEST(a_limit_and_viewers_are_both_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
