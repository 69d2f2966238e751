/* The gate between threads and device: who may be inside together, who waits for whom, where accesses go. */
#include "tests/unit/gate_fixture.h"

static int plain(void **state)
{
    (void)state;
    return open_gate(NULL);
}

static void run_tick(uintptr_t arg)
{
    (void)arg;
    gate_display_tick(gate);
}

static void run_memory_begin(uintptr_t arg)
{
    (void)arg;
    gate_memory_begin(gate);
}

static void run_reset(uintptr_t arg)
{
    (void)arg;
    gate_reset(gate);
}

static void let_end(struct task *t)
{
    sem_post(&fake.slice_may_end);
    task_end(t);
}

/* ---- threads, plain mode */

static void engines_and_display_run_in_parallel(void **state)
{
    struct task t[VGPU_ENGINES + 1];

    (void)state;
    for (unsigned e = 0; e < VGPU_ENGINES; e++)
        begin_slow(&t[e], run_engine, e);
    begin_slow(&t[VGPU_ENGINES], run_tick, 0);
    assert_int_equal(fake.running, VGPU_ENGINES + 1);
    run_access(0x10); /* and traps are served meanwhile */
    for (unsigned i = 0; i <= VGPU_ENGINES; i++)
        sem_post(&fake.slice_may_end);
    for (unsigned i = 0; i <= VGPU_ENGINES; i++)
        task_end(&t[i]);
}

static void quiesce_waits_for_its_engine_only(void **state)
{
    struct task rcs, bcs, trap;

    (void)state;
    begin_slow(&rcs, run_engine, VGPU_RCS);
    task_start(&trap, run_access, SCRIPT_QUIESCE);
    assert_true(stays_blocked(&trap));
    begin_slow(&bcs, run_engine, VGPU_BCS); /* the device lock is free while it waits */
    run_access(0x10);
    sem_post(&fake.slice_may_end);
    sem_post(&fake.slice_may_end);
    task_end(&rcs);
    task_end(&bcs);
    task_end(&trap);
}

static void quiesce_returns_at_once_when_the_engine_is_idle(void **state)
{
    struct task bcs;

    (void)state;
    begin_slow(&bcs, run_engine, VGPU_BCS);
    run_access(SCRIPT_QUIESCE);
    let_end(&bcs);
}

static void loop_engine(uintptr_t engine)
{
    for (unsigned i = 0; i < 20000; i++)
        gate_engine_run(gate, (unsigned)engine, 1);
}

static void resets_are_not_starved_by_a_busy_engine(void **state)
{
    struct task busy;

    (void)state;
    task_start(&busy, loop_engine, VGPU_RCS);
    for (unsigned i = 0; i < 200; i++)
        run_access(SCRIPT_QUIESCE);
    task_end(&busy);
}

static void quiesce_of_an_engine_that_is_not_there_is_ignored(void **state)
{
    (void)state;
    gate_access(gate, &(struct ioreq_access){IOREQ_BAR0, 4, true, SCRIPT_QUIESCE, 77});
    assert_int_equal(gate_engine_run(gate, VGPU_ENGINES, 1), VGPU_RUN_IDLE);
    assert_int_equal(fake.budget, 0);
}

static void device_reset_waits_for_the_slice(void **state)
{
    struct task bcs, reset;

    (void)state;
    begin_slow(&bcs, run_engine, VGPU_BCS);
    task_start(&reset, run_reset, 0);
    assert_true(stays_blocked(&reset));
    let_end(&bcs);
    task_end(&reset);
}

static void memory_change_waits_for_all_visitors(void **state)
{
    struct task rcs, tick, change;

    (void)state;
    begin_slow(&rcs, run_engine, VGPU_RCS);
    begin_slow(&tick, run_tick, 0);
    fake.asked_to_leave = 0;
    task_start(&change, run_memory_begin, 0);
    assert_true(stays_blocked(&change));
    assert_int_equal(fake.asked_to_leave, GT_BIT(VGPU_RCS));
    sem_post(&fake.slice_may_end);
    assert_true(stays_blocked(&change));
    sem_post(&fake.slice_may_end);
    task_end(&rcs);
    task_end(&tick);
    task_end(&change);
    gate_memory_end(gate);
}

static void run_picture(uintptr_t arg)
{
    struct vgpu_scanout s = {.width = 2, .height = 3};
    uint32_t xrgb[6];

    (void)arg;
    gate_picture(gate, &s, xrgb);
}

static void nobody_enters_while_the_memory_map_changes(void **state)
{
    struct task t[3];

    (void)state;
    gate_memory_begin(gate);
    task_start(&t[0], run_engine, VGPU_VCS);
    task_start(&t[1], run_tick, 0);
    task_start(&t[2], run_picture, 0);
    run_access(0x10);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(t); i++)
        assert_true(stays_blocked(&t[i]));
    assert_int_equal(fake.running, 0);
    gate_memory_end(gate);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(t); i++)
        task_end(&t[i]);
}

/* ---- accesses */

static void each_region_has_its_function(void **state)
{
    (void)state;
    assert_int_equal(read_region(IOREQ_BAR0, 4, 4), 0xb0);
    assert_int_equal(read_region(IOREQ_BAR2, 4, 8), 0xb2);
    assert_int_equal(read_region(IOREQ_BAR4, 4, 1), 0xb4);
    assert_int_equal(read_region(IOREQ_CONFIG, 4, 2), 0xcf000004);
    assert_int_equal(read_region(IOREQ_ROM, 4, 4), 0);
    assert_int_equal(read_region(1, 4, 4), 0);
    assert_int_equal(read_region(200, 4, 4), 0);
}

static void config_space_accesses_stay_inside(void **state)
{
    (void)state;
    assert_int_equal(read_region(IOREQ_CONFIG, 0x40, 8), UINT64_C(0xcf000044cf000040));
    assert_int_equal(read_region(IOREQ_CONFIG, 253, 4), 0);
    assert_int_equal(read_region(IOREQ_CONFIG, UINT64_C(0x100000004), 4), 0);
    gate_access(gate, &(struct ioreq_access){IOREQ_CONFIG, 8, true, 0x40, UINT64_C(0x1122334455667788)});
    assert_int_equal(fake.cfg_writes, 2);
    assert_int_equal(fake.last_off, 0x44);
    assert_int_equal(fake.last_data, 0x11223344);
    gate_access(gate, &(struct ioreq_access){IOREQ_CONFIG, 4, true, UINT64_C(0x100000000), 1});
    assert_int_equal(fake.cfg_writes, 2);
}

static void nothing_calls_out_before_create_returns(void **state)
{
    (void)state;
    assert_int_equal(kicks, 0);
    fake.ops->kick(fake.host, 1);
    assert_int_equal(kicks, 1);
}

static void a_device_that_cannot_be_made_is_an_error(void **state)
{
    struct vgpu_config cfg = {.heads = 9};
    struct gate *g;
    char err[128] = "";

    (void)state;
    assert_int_equal(gate_create(&g, &cfg, &host, NULL, err, sizeof(err)), -EINVAL);
    assert_null(g);
    assert_string_equal(err, "too many heads");
    assert_int_equal(gate_create(&g, &cfg, &host, "/nonexistent/trace", err, sizeof(err)), -ENOENT);
    gate_destroy(NULL);
}

#define PLAIN(test) cmocka_unit_test_setup_teardown(test, plain, close_gate)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAIN(engines_and_display_run_in_parallel),
        PLAIN(quiesce_waits_for_its_engine_only),
        PLAIN(quiesce_returns_at_once_when_the_engine_is_idle),
        PLAIN(resets_are_not_starved_by_a_busy_engine),
        PLAIN(quiesce_of_an_engine_that_is_not_there_is_ignored),
        PLAIN(device_reset_waits_for_the_slice),
        PLAIN(memory_change_waits_for_all_visitors),
        PLAIN(nobody_enters_while_the_memory_map_changes),
        PLAIN(each_region_has_its_function),
        PLAIN(config_space_accesses_stay_inside),
        PLAIN(nothing_calls_out_before_create_returns),
        cmocka_unit_test(a_device_that_cannot_be_made_is_an_error),
    };

    gt_log_set_level(GT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
