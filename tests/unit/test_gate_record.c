/* What the gate records: all that a replayer could not know, and nothing else. */
#include "tests/unit/gate_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "ioreq/trace.h"

static char path[64];

static int recording(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), P_tmpdir "/gtmux-gate-XXXXXX");
    int fd = mkstemp(path);

    return fd < 0 ? -1 : close(fd) || open_gate(path);
}

static int close_recording(void **state)
{
    close_gate(state);
    return unlink(path);
}

/* Everything since the configuration and CREATE, as text: TYPE(args)data ... */
static const char *recorded(void)
{
    static char text[2048];
    struct trace_reader *r;
    struct trace_record rec;
    size_t n = 0;
    bool created = false;

    gate_flush(gate);
    text[0] = 0;
    assert_int_equal(trace_reader_open(&r, path, text, sizeof(text)), 0);
    while (trace_read(r, &rec) == TRACE_OK) {
        if (created)
            n +=
                (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %llx %llx", n ? ", " : "", trace_type_name(rec.type),
                                 (unsigned long long)rec.arg[0], (unsigned long long)rec.arg[1]);
        for (size_t i = 0; created && i < rec.len && i < 16; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%02x", i ? "" : "=", rec.data[i]);
        created |= rec.type == TRACE_RESULT;
    }
    trace_reader_close(r);
    return text;
}

static void do_script(void (*script)(struct vgpu *))
{
    fake.script = script;
    read_region(IOREQ_BAR0, SCRIPT_READS, 4);
}

static void read_twice(struct vgpu *v)
{
    uint8_t buf[32];

    v->ops->mem_read(v->host, 0x100, buf, sizeof(buf));
    v->ops->mem_read(v->host, 0x100, buf, sizeof(buf));
}

static void memory_is_recorded_when_first_read(void **state)
{
    (void)state;
    ram[0x104] = 0x55;
    do_script(read_twice);
    assert_string_equal(recorded(), "ACCESS 20 100, MEM 1 104=55, RESULT 1 b0");
}

static void only_changed_bytes_are_recorded(void **state)
{
    (void)state;
    ram[0x104] = 0x55;
    ram[0x10a] = 0x66; /* near: one record */
    ram[0x11f] = 0x77; /* far: another */
    do_script(read_twice);
    assert_string_equal(recorded(), "ACCESS 20 100, MEM 1 104=55000000000066, MEM 0 11f=77, RESULT 1 b0");
}

static void read_across_pages(struct vgpu *v)
{
    uint8_t buf[8];

    v->ops->mem_read(v->host, 0xffc, buf, sizeof(buf));
}

static void a_record_stays_in_its_page(void **state)
{
    (void)state;
    memset(ram + 0xffc, 0xaa, 8);
    do_script(read_across_pages);
    assert_string_equal(recorded(), "ACCESS 20 100, MEM 1 ffc=aaaaaaaa, MEM 0 1000=aaaaaaaa, RESULT 0 b0");
}

static void write_then_read(struct vgpu *v)
{
    uint32_t x = 0x12345678;

    v->ops->mem_write(v->host, 0x200, &x, 4);
    v->ops->mem_read(v->host, 0x200, &x, 4);
}

static void own_writes_are_known(void **state)
{
    (void)state;
    do_script(write_then_read);
    assert_string_equal(recorded(), "ACCESS 20 100, RESULT 2 b0");
}

static void outside_memory(struct vgpu *v)
{
    uint64_t x = 0;

    assert_int_equal(v->ops->mem_read(v->host, 0x100000, &x, 4), -EFAULT);
    v->ops->mem_read(v->host, 0x200, &x, 4);
    assert_int_equal(v->ops->mem_write(v->host, 0x100000, &x, 4), -EFAULT);
    assert_int_equal(v->ops->mem_cas(v->host, 0x100000, 4, &x, 1), -EFAULT);
}

static void failed_memory_calls_are_recorded(void **state)
{
    (void)state;
    do_script(outside_memory);
    assert_string_equal(recorded(), "ACCESS 20 100, FAULT 1 0, FAULT 2 0, FAULT 1 0, RESULT 0 b0");
}

static void swap_twice(struct vgpu *v)
{
    uint64_t expected = 1;

    assert_int_equal(v->ops->mem_cas(v->host, 0x300, 4, &expected, 2), 0);
    assert_int_equal(expected, 9);
    assert_int_equal(v->ops->mem_cas(v->host, 0x300, 4, &expected, 2), 1);
    assert_int_equal(v->ops->mem_cas(v->host, 0x300, 4, &expected, 2), 0);
    assert_int_equal(expected, 2);
}

static void a_swap_records_what_it_saw(void **state)
{
    (void)state;
    ram[0x300] = 9;
    do_script(swap_twice);
    assert_string_equal(recorded(), "ACCESS 20 100, MEM 1 300=09, RESULT 2 b0");
}

static void ask_time_twice(struct vgpu *v)
{
    uint32_t x;

    v->ops->now_ns(v->host);
    v->ops->mem_read(v->host, 0, &x, 4);
    v->ops->now_ns(v->host);
}

static void time_is_recorded_as_steps(void **state)
{
    (void)state;
    do_script(ask_time_twice);
    assert_string_equal(recorded(), "ACCESS 20 100, TIME 1 a, TIME 2 a, RESULT 0 b0");
}

static void all_entries_are_recorded(void **state)
{
    const struct vgpu_mode mode = {800, 600, 50000};

    (void)state;
    gate_access(gate, &(struct ioreq_access){IOREQ_BAR2, 8, true, 0x40, 3});
    gate_reset(gate);
    gate_memory_begin(gate);
    gate_memory_end(gate);
    gate_engine_run(gate, VGPU_VCS, 17);
    gate_display_tick(gate);
    gate_head_set(gate, 2, true, &mode);
    assert_int_equal(gate_head_set(gate, 3, false, NULL), -EINVAL);
    assert_int_equal(gate_head_set_edid(gate, 1, (const uint8_t *)"E", 1), 0);
    assert_int_equal(gate_head_set_edid(gate, 1, (const uint8_t *)"E", 4096), -EINVAL);
    assert_string_equal(recorded(),
                        "ACCESS 72 40, RESULT 0 0, RESET 0 0, RESULT 0 0, MEMORY 1 0, RESULT 0 0, "
                        "MEMORY 0 0, RESULT 0 0, RUN 2 11, RESULT 0 1, TICK 0 0, RESULT 0 3039, "
                        "HEAD 2 3, RESULT 0 0, HEAD 3 0, RESULT 0 ffffffffffffffea, EDID 1 0=45, RESULT 0 0");
}

static void onlookers_are_not_recorded(void **state)
{
    struct vgpu_scanout s;
    struct vgpu_stats stats;
    uint32_t xrgb[6];

    (void)state;
    memset(ram, 0x42, sizeof(ram));
    assert_true(gate_scanout(gate, 0, &s));
    assert_false(gate_scanout(gate, 1, &s)); /* its pipe is off */
    assert_false(gate_scanout(gate, 2, &s)); /* it has no pipe */
    assert_false(gate_scanout(gate, 1000, &s));
    assert_true(gate_scanout(gate, 0, &s));
    assert_int_equal(gate_picture(gate, &s, xrgb), 0);
    assert_int_equal(xrgb[5], 0x42424242);
    assert_true(gate_head_get(gate, 0, NULL));
    gate_stats(gate, &stats);
    assert_int_equal(stats.irqs, 7);
    assert_string_equal(recorded(), "");
}

static void recording_serialises_everything(void **state)
{
    struct task rcs, bcs, trap;

    (void)state;
    assert_null(fake.ops->mem_page);
    assert_null(fake.ops->lock);
    assert_null(fake.ops->quiesce);
    begin_slow(&rcs, run_engine, VGPU_RCS);
    task_start(&bcs, run_engine, VGPU_BCS);
    task_start(&trap, run_access, 0x10);
    assert_true(stays_blocked(&trap));
    assert_int_equal(fake.running, 1);
    sem_post(&fake.slice_may_end);
    sem_post(&fake.slice_may_end);
    task_end(&rcs);
    task_end(&bcs);
    task_end(&trap);
}

static void run_twice(uintptr_t engine)
{
    run_engine(engine);
    run_engine(engine);
}

static void entries_take_turns(void **state)
{
    struct task rcs, trap;

    (void)state;
    begin_slow(&rcs, run_twice, VGPU_RCS);
    task_start(&trap, run_access, 0x10);
    assert_true(stays_blocked(&trap));
    sem_post(&fake.slice_may_end);
    sem_wait(&fake.slice_began); /* the second slice comes after the access, which was there first */
    assert_int_equal(fake.last_off, 0x10);
    sem_post(&fake.slice_may_end);
    task_end(&rcs);
    task_end(&trap);
}

static void recorded_slices_are_short(void **state)
{
    (void)state;
    gate_engine_run(gate, VGPU_RCS, 100000);
    assert_in_range(fake.budget, 1, 256);
}

static void recorded_memory_changes_keep_visitors_out(void **state)
{
    struct task rcs;

    (void)state;
    gate_memory_begin(gate);
    task_start(&rcs, run_engine, VGPU_RCS);
    assert_true(stays_blocked(&rcs));
    run_access(0x10);
    gate_memory_end(gate);
    task_end(&rcs);
}

static void finish_ends_the_trace(void **state)
{
    (void)state;
    ram[9] = 1; /* second row of the picture */
    uint64_t hash = gate_finish(gate);
    assert_int_equal(hash, gate_finish(gate));
    run_access(0x10);
    char want[128];
    snprintf(want, sizeof(want), "FINISH 0 0, TIME 1 a, TIME 1 a, MEM 2 9=01, RESULT 1 %llx", (unsigned long long)hash);
    assert_string_equal(recorded(), want);
    ram[9] = 2;
    assert_int_not_equal(hash, gate_finish(gate));
}

static void the_device_outlives_a_full_disk(void **state)
{
    struct rlimit old, tiny;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tiny = old;
    tiny.rlim_cur = 64;
    sigaction(SIGXFSZ, &ignore, &before);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    for (unsigned i = 0; i < 3; i++) {
        ram[0x104] = (uint8_t)(i + 1);
        do_script(read_twice);
        gate_flush(gate);
    }
    setrlimit(RLIMIT_FSIZE, &old);
    sigaction(SIGXFSZ, &before, NULL);
    assert_int_equal(read_region(IOREQ_BAR0, 4, 4), 0xb0);
    gate_finish(gate);
}

#define RECORD(test) cmocka_unit_test_setup_teardown(test, recording, close_recording)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORD(memory_is_recorded_when_first_read),
        RECORD(only_changed_bytes_are_recorded),
        RECORD(a_record_stays_in_its_page),
        RECORD(own_writes_are_known),
        RECORD(failed_memory_calls_are_recorded),
        RECORD(a_swap_records_what_it_saw),
        RECORD(time_is_recorded_as_steps),
        RECORD(all_entries_are_recorded),
        RECORD(onlookers_are_not_recorded),
        RECORD(recording_serialises_everything),
        RECORD(entries_take_turns),
        RECORD(recorded_slices_are_short),
        RECORD(recorded_memory_changes_keep_visitors_out),
        RECORD(finish_ends_the_trace),
        RECORD(the_device_outlives_a_full_disk),
    };

    gt_log_set_level(GT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
