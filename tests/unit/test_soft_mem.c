/* GPU memory and workers of the render engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec_double.h"
#include "mediator/soft/mem.h"
#include "mediator/soft/pool.h"

#define BASE UINT64_C(0x7fff00000000)

static uint8_t ram[4 * SOFT_PAGE], rom[SOFT_PAGE];
static struct vgpu_exec x;
static struct soft_space space;
static struct soft_mem m;

static int start(void **state)
{
    (void)state;
    memset(&x, 0, sizeof(x));
    memset(&m, 0, sizeof(m));
    memset(ram, 0, sizeof(ram));
    memset(rom, 0x77, sizeof(rom));
    double_map(&x, BASE, ram, sizeof(ram), false);
    double_map(&x, BASE + 0x10000, rom, sizeof(rom), true);
    assert_int_equal(soft_space_init(&space), 0);
    soft_space_begin(&space, &x);
    soft_mem_begin(&m, &space);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    soft_space_fini(&space);
    return 0;
}

static void bytes_cross_pages(void **state)
{
    const char text[] = "across the boundary of two pages";
    char back[sizeof(text)];

    (void)state;
    assert_true(soft_mem_write(&m, BASE + SOFT_PAGE - 7, text, sizeof(text)));
    assert_memory_equal(ram + SOFT_PAGE - 7, text, sizeof(text));
    assert_true(soft_mem_read(&m, BASE + SOFT_PAGE - 7, back, sizeof(back)));
    assert_string_equal(back, text);
    assert_int_equal(x.reads + x.writes, 0); /* all by pointers */
}

static void canonical_addresses_are_the_same_memory(void **state)
{
    (void)state;
    ram[5] = 9;
    assert_ptr_equal(soft_mem_ptr(&m, BASE + 5, false), ram + 5);
    assert_ptr_equal(soft_mem_ptr(&m, (UINT64_C(0xffff) << 48) | (BASE + 5), true), ram + 5);
}

static void holes_read_as_zero_and_are_noted(void **state)
{
    uint8_t buf[16];

    (void)state;
    memset(buf, 0xaa, sizeof(buf));
    ram[4 * SOFT_PAGE - 1] = 3;
    assert_false(soft_mem_read(&m, BASE + 4 * SOFT_PAGE - 1, buf, sizeof(buf)));
    assert_int_equal(buf[0], 3);
    for (unsigned i = 1; i < sizeof(buf); i++)
        assert_int_equal(buf[i], 0);
    assert_true(atomic_load(&space.fault) == (BASE + 4 * SOFT_PAGE) + 1);
    uint64_t count = atomic_load(&space.fault_count);

    assert_true(count > 0);
    assert_null(soft_mem_ptr(&m, 0x1234, true));
    assert_true(atomic_load(&space.fault_count) > count);
    assert_true(atomic_load(&space.fault) == (BASE + 4 * SOFT_PAGE) + 1); /* the first one stays */
    soft_space_begin(&space, &x);
    assert_true(atomic_load(&space.fault) == 0);
}

static void read_only_pages_drop_writes(void **state)
{
    uint32_t v = 0;

    (void)state;
    assert_true(soft_mem_read(&m, BASE + 0x10000, &v, 4));
    assert_int_equal(v, 0x77777777);
    assert_null(soft_mem_ptr(&m, BASE + 0x10000, true));
    assert_false(soft_mem_write(&m, BASE + 0x10000, &v, 4));
    assert_non_null(soft_mem_ptr(&m, BASE + 0x10000, false));
    assert_int_equal(rom[0], 0x77);
}

static void pages_without_a_pointer_are_read_and_written(void **state)
{
    uint8_t in[2 * SOFT_PAGE], out[2 * SOFT_PAGE];

    (void)state;
    x.no_ptr = true;
    for (unsigned i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7);
    assert_true(soft_mem_write(&m, BASE + 100, in, sizeof(in)));
    assert_true(soft_mem_read(&m, BASE + 100, out, sizeof(out)));
    assert_memory_equal(in, out, sizeof(in));
    assert_true(atomic_load(&space.fault) == 0);
    assert_true(x.reads > 0 && x.writes > 0);
}

static void the_next_command_looks_again(void **state)
{
    static uint8_t other[SOFT_PAGE];

    (void)state;
    assert_ptr_equal(soft_mem_ptr(&m, BASE, false), ram);
    x.region[0].data = other;
    x.region[0].size = SOFT_PAGE;
    soft_mem_begin(&m, &space); /* the same command: nothing is forgotten */
    assert_ptr_equal(soft_mem_ptr(&m, BASE, false), ram);
    soft_space_begin(&space, &x);
    soft_mem_begin(&m, &space);
    assert_ptr_equal(soft_mem_ptr(&m, BASE, false), other);
}

/* ---- workers */

#define ITEMS 5000u

struct job {
    _Atomic uint32_t done[ITEMS];
    _Atomic uint32_t inside[SOFT_WORKERS_MAX];
    _Atomic uint32_t clashes;
    unsigned workers;
};

static void do_item(void *ctx, unsigned worker, uint32_t item)
{
    struct job *j = ctx;

    if (worker >= j->workers || atomic_fetch_add(&j->inside[worker], 1))
        atomic_fetch_add(&j->clashes, 1);
    atomic_fetch_add(&j->done[item], 1);
    if (worker < j->workers)
        atomic_fetch_sub(&j->inside[worker], 1);
}

static void run_jobs(unsigned workers)
{
    static struct job j;
    struct soft_pool *p = soft_pool_create(workers);

    assert_non_null(p);
    for (unsigned round = 0; round < 200; round++) {
        uint32_t n = round % 3 ? ITEMS / (round + 1) : round % 2;

        memset(&j, 0, sizeof(j));
        j.workers = soft_pool_workers(p);
        soft_pool_run(p, n, do_item, &j);
        for (uint32_t i = 0; i < ITEMS; i++)
            assert_int_equal(j.done[i], i < n);
        assert_int_equal(j.clashes, 0);
    }
    soft_pool_destroy(p);
}

static void every_item_is_done_once_by_whatever_number_of_workers(void **state)
{
    (void)state;
    run_jobs(1);
    run_jobs(2);
    run_jobs(SOFT_WORKERS_MAX);
}

struct stopped {
    struct soft_pool *pool;
    _Atomic uint32_t done[ITEMS];
    uint32_t last;
};

static void do_until(void *ctx, unsigned worker, uint32_t item)
{
    struct stopped *s = ctx;

    (void)worker;
    atomic_fetch_add(&s->done[item], 1);
    if (item >= s->last)
        soft_pool_stop(s->pool);
}

/* What was handed out is done, and it is the first items; the next run knows nothing of it. */
static void a_stopped_run_has_done_the_first_items(void **state)
{
    static struct stopped s;

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        memset(&s, 0, sizeof(s));
        s.pool = soft_pool_create(1 + round % 4);
        s.last = round * 10;
        uint32_t n = (round % 2 ? soft_pool_run : soft_pool_run_alone)(s.pool, ITEMS, do_until, &s);

        assert_in_range(n, s.last + 1, s.last + 4);
        for (uint32_t i = 0; i < ITEMS; i++)
            assert_int_equal(s.done[i], i < n);
        s.last = ITEMS;
        assert_int_equal(soft_pool_run(s.pool, ITEMS, do_until, &s), ITEMS);
        soft_pool_destroy(s.pool);
    }
}

static void do_slowly(void *ctx, unsigned worker, uint32_t item)
{
    (void)item;
    usleep(1000);
    atomic_fetch_or((atomic_uint *)ctx, 1u << worker);
}

/* True when others than the caller have done items. */
static bool has_help(struct soft_pool *p)
{
    atomic_uint workers = 0;

    for (unsigned round = 0; round < 100 && workers <= 1; round++)
        soft_pool_run(p, 20, do_slowly, &workers);
    return workers > 1;
}

/* Its threads and those who slept on its conditions are the parent's. */
static void a_child_of_fork_has_workers_of_its_own(void **state)
{
    struct soft_pool *p = soft_pool_create(3);
    int status = -1;

    (void)state;
    assert_true(has_help(p));
    pid_t pid = fork();

    if (!pid) {
        soft_pool_forked(p);
        _exit(!has_help(p));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(has_help(p)); /* and the parent has its own still */
    soft_pool_destroy(p);
}

static void the_number_of_workers_is_bounded(void **state)
{
    struct soft_pool *none = soft_pool_create(0), *many = soft_pool_create(1000);

    (void)state;
    assert_int_equal(soft_pool_workers(none), 1);
    assert_int_equal(soft_pool_workers(many), SOFT_WORKERS_MAX);
    soft_pool_destroy(none);
    soft_pool_destroy(many);
    soft_pool_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_cross_pages, start, stop),
        cmocka_unit_test_setup_teardown(canonical_addresses_are_the_same_memory, start, stop),
        cmocka_unit_test_setup_teardown(holes_read_as_zero_and_are_noted, start, stop),
        cmocka_unit_test_setup_teardown(read_only_pages_drop_writes, start, stop),
        cmocka_unit_test_setup_teardown(pages_without_a_pointer_are_read_and_written, start, stop),
        cmocka_unit_test_setup_teardown(the_next_command_looks_again, start, stop),
        cmocka_unit_test(every_item_is_done_once_by_whatever_number_of_workers),
        cmocka_unit_test(a_stopped_run_has_done_the_first_items),
        cmocka_unit_test(a_child_of_fork_has_workers_of_its_own),
        cmocka_unit_test(the_number_of_workers_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
