/* The scheduler of gtmuxd to the bounds that docs/operations.md gives, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sched_world.h"

static const struct actor saturating = {.kind = SATURATES, .late_ns = 150 * US};

static double jain(const double *x, unsigned n)
{
    double sum = 0, squares = 0;

    for (unsigned i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    return sum * sum / (n * squares);
}

static void eight_equal_tenants_get_the_same(void **state)
{
    struct world w;
    double share[8];

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    for (unsigned i = 0; i < 8; i++) {
        struct actor a = saturating;
        a.late_ns = (50 + 100 * i) * US; /* some give back later than others, and pay for it */
        world_add(&w, a, 100, 100, 100);
    }
    world_run(&w, 4000 * MS);
    for (unsigned i = 0; i < 8; i++)
        share[i] = (double)w.a[i].ran_ns;
    assert_true(jain(share, 8) >= 0.999);
    sched_destroy(w.s);
}

static void weights_are_kept(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    for (unsigned i = 0; i < 3; i++)
        world_add(&w, saturating, 100u << i, 100, 100);
    world_run(&w, 7000 * MS);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(world_granted(&w, i), (970 << i) * MS, (1030 << i) * MS);
    sched_destroy(w.s);
}

static void a_cap_holds_alone_and_beside_others(void **state)
{
    struct world w;

    (void)state;
    for (unsigned others = 0; others < 3; others++) {
        world_open(&w, SCHED_BEST_EFFORT);
        unsigned id = world_add(&w, saturating, 1000, 30, 100);

        for (unsigned i = 0; i < others; i++)
            world_add(&w, saturating, 100, 100, 100);
        world_run(&w, 4000 * MS);
        assert_in_range(world_granted(&w, id), 1160 * MS, 1240 * MS);
        assert_in_range(w.a[id].ran_ns, 1160 * MS, 1240 * MS);
        sched_destroy(w.s);
    }
}

/* 40 ms of sleep do not buy more than what the window holds. */
static void a_cap_is_over_a_window(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned id = world_add(&w, (struct actor){.kind = SLEEPS, .work_ns = 4 * MS, .period_ns = 16 * MS, .late_ns = US},
                            100, 30, 1);

    world_add(&w, saturating, 100, 100, 1);
    world_run(&w, 4000 * MS);
    /* 20 % is below the cap: it gets what it asks for */
    assert_true(w.a[id].ran_ns > 600 * MS);
    assert_true(w.a[id].longest_wait <= 2 * SLICE);
    sched_destroy(w.s);
}

static void a_sleeper_waits_a_slice_at_most(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned id =
        world_add(&w, (struct actor){.kind = SLEEPS, .work_ns = MS, .period_ns = 16 * MS, .late_ns = US}, 100, 100, 1);

    for (unsigned i = 0; i < 7; i++)
        world_add(&w, saturating, 100, 100, 1);
    world_run(&w, 10000 * MS);
    assert_true(w.a[id].waits > 400);
    assert_true(w.a[id].longest_wait <= SLICE + MS);
    assert_true(sched_percentile(sched_waits(w.s, id), 99) <= 2 * SLICE / US);
    struct sched_usage u;

    sched_usage(w.s, id, 0, w.now, &u);
    assert_int_equal(u.passed_max, 0); /* it was always the next one */
    sched_usage(w.s, id + 1, 0, w.now, &u);
    assert_true(u.passed_max >= 6); /* who saturates lets the others go first */
    sched_destroy(w.s);
}

/* ... and does not get more than its part by sleeping. */
static void sleeping_buys_nothing(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned id =
        world_add(&w, (struct actor){.kind = SLEEPS, .work_ns = 9 * MS, .period_ns = MS, .late_ns = US}, 100, 100, 1);

    for (unsigned i = 0; i < 3; i++)
        world_add(&w, saturating, 100, 100, 1);
    world_run(&w, 8000 * MS);
    assert_true(w.a[id].ran_ns <= 2060 * MS);
    sched_destroy(w.s);
}

static void long_sleep_is_not_saved_up(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned late = world_add(&w, (struct actor){.kind = SATURATES, .late_ns = 50 * US}, 100, 100, 1);

    sched_want(w.s, late, 0, false, w.now);
    world_add(&w, saturating, 100, 100, 1);
    world_add(&w, saturating, 100, 100, 1);
    world_run(&w, 5000 * MS);
    assert_int_equal(w.a[late].ran_ns, 0);
    sched_want(w.s, late, 0, true, w.now);
    world_run(&w, 300 * MS);
    assert_in_range(w.a[late].ran_ns, 85 * MS, 115 * MS);
    sched_destroy(w.s);
}

static void alone_keeps_the_engine_without_end(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned a = world_add(&w, saturating, 100, 100, 1);

    assert_true(sched_run(w.s, w.now) == UINT64_MAX); /* nothing to do, ever */
    assert_true(w.a[a].keep);
    world_run(&w, 3000 * MS);
    assert_int_equal(w.a[a].waits, 1);
    /* somebody comes: what was had alone has no price */
    unsigned b = world_add(&w, saturating, 100, 100, 1);

    world_run(&w, 1000 * MS);
    assert_in_range(w.a[b].ran_ns, 480 * MS, 520 * MS);
    /* ... and goes */
    world_drop(&w, b);
    world_run(&w, 20 * MS);
    assert_true(w.a[a].keep);
    assert_true(sched_run(w.s, w.now) == UINT64_MAX);
    sched_destroy(w.s);
}

static void a_kept_idle_engine_is_taken_at_once(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned a = world_add(&w, (struct actor){.kind = SLEEPS, .work_ns = MS, .period_ns = 1000 * MS, .late_ns = US},
                           100, 100, 1);

    world_run(&w, 50 * MS);
    assert_true(w.a[a].keep && w.a[a].owner);
    w.a[a].event = NO_EVENT;
    unsigned b = world_add(&w, saturating, 100, 100, 1);

    world_run(&w, MS);
    assert_true(w.a[b].owner);
    assert_int_equal(w.a[b].longest_wait, 0);
    sched_destroy(w.s);
}

static void policies_give_shares(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_EQUAL_SHARE);
    world_add(&w, saturating, 900, 100, 1);
    world_add(&w, saturating, 100, 100, 1);
    for (unsigned i = 0; i < 2; i++) { /* tenants that use nothing have their share all the same */
        unsigned idle = world_add(&w, saturating, 100, 100, 1);
        sched_want(w.s, idle, 0, false, w.now);
    }
    world_run(&w, 4000 * MS);
    assert_in_range(world_granted(&w, 0), 930 * MS, 1070 * MS);
    assert_in_range(world_granted(&w, 1), 930 * MS, 1070 * MS);
    sched_destroy(w.s);

    world_open(&w, SCHED_FIXED_SHARE);
    world_add(&w, saturating, 900, 100, 15);
    world_add(&w, saturating, 100, 100, 60);
    world_run(&w, 4000 * MS);
    assert_in_range(world_granted(&w, 0), 540 * MS, 680 * MS);
    assert_in_range(world_granted(&w, 1), 2280 * MS, 2480 * MS);
    sched_destroy(w.s);
}

static void slices_end_in_time(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    for (unsigned i = 0; i < 4; i++)
        world_add(&w, saturating, 100, 100, 1);
    world_run(&w, 4000 * MS);
    assert_true(sched_overruns(w.s, 0)->n > 500);
    assert_true(sched_percentile(sched_overruns(w.s, 0), 99) < SLICE / US / 10);
    sched_destroy(w.s);
}

/* In thousandths of the slice of whose slice it was. */
static void lateness_is_told_by_the_slice(void **state)
{
    static const struct actor late = {.kind = SATURATES, .late_ns = SLICE / 4};
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    for (unsigned i = 0; i < 2; i++)
        world_add(&w, late, 100, 100, 1);
    world_run(&w, 1000 * MS);
    assert_in_range(sched_percentile(sched_overruns(w.s, 0), 50), SLICE / US / 4, SLICE / US / 4 + 100);
    assert_in_range(sched_percentile(sched_lateness(w.s, 0), 50), 250, 270);
    assert_null(sched_lateness(w.s, SCHED_ENGINES));
    sched_destroy(w.s);
}

static void who_keeps_an_engine_too_long_is_ended(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned good = world_add(&w, saturating, 100, 100, 1);
    unsigned bad = world_add(&w, (struct actor){.kind = STANDS_STILL}, 100, 100, 1);

    world_run(&w, 1000 * MS);
    assert_non_null(w.a[bad].ended);
    assert_int_equal(w.a[bad].resets, 1);
    assert_null(w.a[good].ended);
    assert_true(w.a[bad].ran_ns <= SLICE + 101 * MS);
    world_drop(&w, good); /* it keeps the engine: now its time is counted */
    assert_true(w.a[good].ran_ns >= 880 * MS);
    sched_destroy(w.s);
}

/* It gives back in time, but its work never ends: a reset, then the end. */
static void who_never_gets_on_is_ended(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned good = world_add(&w, saturating, 100, 100, 1);
    unsigned bad = world_add(&w, (struct actor){.kind = HANGS, .late_ns = 50 * US}, 100, 100, 1);

    world_run(&w, 1100 * MS);
    assert_int_equal(w.a[bad].resets, 1);
    assert_null(w.a[bad].ended);
    world_run(&w, 1100 * MS);
    assert_non_null(w.a[bad].ended);
    assert_int_equal(w.a[good].resets, 0);
    assert_null(w.a[good].ended);
    sched_destroy(w.s);
}

static void paused_tenants_run_no_more(void **state)
{
    struct world w;
    struct sched_params p = {.weight = 100, .cap = 100, .share = 1, .slice_ns = SLICE, .paused = true};

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned a = world_add(&w, saturating, 100, 100, 1);

    world_run(&w, 100 * MS);
    sched_set(w.s, a, &p, w.now); /* though it keeps the engine */
    world_run(&w, 100 * MS);
    uint64_t before = w.a[a].ran_ns;

    world_run(&w, 500 * MS);
    assert_int_equal(w.a[a].ran_ns, before);
    assert_null(w.a[a].ended);
    p.paused = false;
    sched_set(w.s, a, &p, w.now);
    world_run(&w, 500 * MS);
    assert_true(w.a[a].owner);
    sched_destroy(w.s);
}

static void values_change_while_it_runs(void **state)
{
    struct world w;
    struct sched_params p = {.weight = 300, .cap = 100, .share = 1, .slice_ns = SLICE};

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    world_add(&w, saturating, 100, 100, 1);
    world_add(&w, saturating, 100, 100, 1);
    world_run(&w, 1000 * MS);
    uint64_t a = world_granted(&w, 0), b = world_granted(&w, 1);

    sched_set(w.s, 1, &p, w.now);
    world_run(&w, 2000 * MS);
    assert_in_range(world_granted(&w, 0) - a, 480 * MS, 520 * MS);
    assert_in_range(world_granted(&w, 1) - b, 1470 * MS, 1530 * MS);
    sched_destroy(w.s);
}

static void nonsense_is_ignored(void **state)
{
    struct world w;
    struct sched_usage u;

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    unsigned a = world_add(&w, saturating, 0, 5000, 0); /* values out of range are moved into it */

    sched_want(w.s, 77, 0, true, w.now);
    sched_want(w.s, a, SCHED_ENGINES, true, w.now);
    sched_returned(w.s, a, 0, UINT64_MAX, true, 0, w.now); /* does not have it */
    sched_returned(w.s, 255, 7, 0, true, 0, w.now);
    sched_remove(w.s, 99, w.now);
    sched_usage(w.s, SCHED_TENANTS_MAX + 1, 0, w.now, &u);
    assert_int_equal(u.grants, 0);
    assert_int_equal(sched_limit(w.s, a), 100);
    assert_null(sched_waits(w.s, 1));
    world_run(&w, 10 * MS);
    assert_true(w.a[a].owner);
    sched_destroy(w.s);
}

static void there_is_room_for_many(void **state)
{
    struct world w;
    struct sched_params p = {.weight = 1, .cap = 1, .share = 1, .slice_ns = SLICE};

    (void)state;
    world_open(&w, SCHED_BEST_EFFORT);
    for (unsigned i = 0; i < SCHED_TENANTS_MAX; i++)
        assert_int_equal(sched_add(w.s, &p, w.now), i);
    assert_int_equal(sched_add(w.s, &p, w.now), -1);
    sched_remove(w.s, 17, w.now);
    assert_int_equal(sched_add(w.s, &p, w.now), 17);
    sched_destroy(w.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_equal_tenants_get_the_same),
        cmocka_unit_test(weights_are_kept),
        cmocka_unit_test(a_cap_holds_alone_and_beside_others),
        cmocka_unit_test(a_cap_is_over_a_window),
        cmocka_unit_test(a_sleeper_waits_a_slice_at_most),
        cmocka_unit_test(sleeping_buys_nothing),
        cmocka_unit_test(long_sleep_is_not_saved_up),
        cmocka_unit_test(alone_keeps_the_engine_without_end),
        cmocka_unit_test(a_kept_idle_engine_is_taken_at_once),
        cmocka_unit_test(policies_give_shares),
        cmocka_unit_test(slices_end_in_time),
        cmocka_unit_test(lateness_is_told_by_the_slice),
        cmocka_unit_test(who_keeps_an_engine_too_long_is_ended),
        cmocka_unit_test(who_never_gets_on_is_ended),
        cmocka_unit_test(paused_tenants_run_no_more),
        cmocka_unit_test(values_change_while_it_runs),
        cmocka_unit_test(nonsense_is_ignored),
        cmocka_unit_test(there_is_room_for_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
