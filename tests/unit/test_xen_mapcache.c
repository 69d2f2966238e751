/* Guest memory through foreign mappings. Xen and its libraries are a fake: tests/fakes/xen. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ioreq/xen_mapcache.h"
#include "tests/fakes/xen/fake_xen.h"
#include "vgpu/base/bits.h"

#define PAGE  UINT64_C(4096)
#define CHUNK (UINT64_C(1) << XEN_CHUNK_SHIFT)
#define SMALL 4u /* chunks in the cache */

struct fixture {
    struct xen_mapcache c;
    xenforeignmemory_handle *fm;
    atomic_uint wakes;
};

static void wake(void *ctx)
{
    ((struct fixture *)ctx)->wakes++;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    fake_xen_start();
    f->fm = xenforeignmemory_open(NULL, 0);
    assert_int_equal(xen_mapcache_init(&f->c, f->fm, FAKE_DOMID, SMALL, wake, f), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    xen_mapcache_destroy(&f->c);
    xenforeignmemory_close(f->fm);
    fake_xen_stop(); /* sees to it that nothing is left mapped */
    free(f);
    return 0;
}

static uint32_t rd(struct fixture *f, uint64_t gpa)
{
    uint32_t v = 0;

    assert_int_equal(xen_mapcache_read(&f->c, gpa, &v, 4), 0);
    return v;
}

static bool readable(struct fixture *f, uint64_t gpa)
{
    uint8_t v;

    return xen_mapcache_read(&f->c, gpa, &v, 1) == 0;
}

static void pause_for_retry(void)
{
    usleep(15000);
}

static void memory_is_the_domains(void **state)
{
    struct fixture *f = *state;
    uint32_t v = 0x12345678;

    memcpy(fake_xen.ram_ptr + 0x3004, &v, 4);
    assert_int_equal(rd(f, 0x3004), v);
    v = 0xabcdef01;
    assert_int_equal(xen_mapcache_write(&f->c, 0x3008, &v, 4), 0);
    assert_memory_equal(fake_xen.ram_ptr + 0x3008, &v, 4);
    uint8_t *page = xen_mapcache_page(&f->c, 0x3000);

    assert_non_null(page);
    assert_memory_equal(page, fake_xen.ram_ptr + 0x3000, PAGE);
    page[9] = 0x77;
    assert_int_equal(fake_xen.ram_ptr[0x3009], 0x77);
    assert_null(xen_mapcache_page(&f->c, 0x3001));
}

static void a_chunk_is_mapped_by_one_call(void **state)
{
    struct fixture *f = *state;

    for (uint64_t gpa = CHUNK; gpa < 2 * CHUNK; gpa += PAGE)
        assert_non_null(xen_mapcache_page(&f->c, gpa));
    assert_int_equal(fake_xen.calls[FAKE_MAP_PAGES], 1);
    assert_int_equal(fake_xen.pages_mapped, XEN_CHUNK_PAGES);
}

static void accesses_cross_pages_and_chunks(void **state)
{
    struct fixture *f = *state;
    uint8_t out[3 * 4096], in[sizeof(out)];

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)(i * 7);
    assert_int_equal(xen_mapcache_write(&f->c, CHUNK - 5000, out, sizeof(out)), 0);
    assert_memory_equal(fake_xen.ram_ptr + CHUNK - 5000, out, sizeof(out));
    assert_int_equal(xen_mapcache_read(&f->c, CHUNK - 5000, in, sizeof(in)), 0);
    assert_memory_equal(in, out, sizeof(out));
    assert_int_equal(f->c.count, 2);
}

static void addresses_beyond_everything_cost_nothing(void **state)
{
    static const uint64_t gpas[] = {UINT64_C(1) << XEN_GPA_BITS, UINT64_C(1) << 52, UINT64_MAX - 4095, UINT64_MAX,
                                    UINT64_MAX - 3};
    struct fixture *f = *state;
    uint64_t v = 0;

    for (size_t i = 0; i < GT_ARRAY_SIZE(gpas); i++) {
        assert_int_equal(xen_mapcache_read(&f->c, gpas[i], &v, 8), -EFAULT);
        assert_int_equal(xen_mapcache_write(&f->c, gpas[i], &v, 8), -EFAULT);
        assert_int_equal(xen_mapcache_cas(&f->c, gpas[i] & ~7ull, 8, &v, 1), -EFAULT);
        assert_null(xen_mapcache_page(&f->c, gpas[i] & ~4095ull));
    }
    assert_int_equal(xen_mapcache_read(&f->c, (UINT64_C(1) << XEN_GPA_BITS) - 4, &v, 8), -EFAULT);
    assert_int_equal(xen_mapcache_read(&f->c, 0, &v, 0), 0);
    assert_int_equal(fake_xen.calls[FAKE_MAP_PAGES], 0);
}

static void nothing_mappable_is_asked_for_once_in_a_while(void **state)
{
    struct fixture *f = *state;
    uint64_t gpa = (uint64_t)FAKE_PAGES * PAGE; /* the first chunk beyond memory */

    for (unsigned i = 0; i < 1000; i++)
        assert_null(xen_mapcache_page(&f->c, gpa + i % 512 * PAGE));
    assert_in_range(fake_xen.calls[FAKE_MAP_PAGES], 1, 3);
    assert_int_equal(f->c.count, 0); /* holes take no room */
    assert_int_equal(f->wakes, 0);
    unsigned calls = fake_xen.calls[FAKE_MAP_PAGES];

    pause_for_retry();
    assert_false(readable(f, gpa));
    assert_int_equal(fake_xen.calls[FAKE_MAP_PAGES], calls + 1);
}

static void a_hole_is_never_touched(void **state)
{
    struct fixture *f = *state;
    uint8_t buffer[3 * 4096];
    uint64_t v = 0;

    memset(fake_xen.ram_ptr + 4 * PAGE, 1, 3 * PAGE);
    fake_xen.hole[5] = true;
    memset(buffer, 0x55, sizeof(buffer));
    assert_non_null(xen_mapcache_page(&f->c, 4 * PAGE));
    assert_null(xen_mapcache_page(&f->c, 5 * PAGE));
    assert_int_equal(xen_mapcache_read(&f->c, 5 * PAGE + 100, &v, 8), -EFAULT);
    assert_int_equal(xen_mapcache_cas(&f->c, 5 * PAGE, 8, &v, 1), -EFAULT);
    /* all or nothing */
    assert_int_equal(xen_mapcache_write(&f->c, 4 * PAGE, buffer, sizeof(buffer)), -EFAULT);
    assert_int_equal(fake_xen.ram_ptr[4 * PAGE], 1);
    assert_int_equal(fake_xen.ram_ptr[6 * PAGE], 1);
    assert_int_equal(xen_mapcache_write(&f->c, 4 * PAGE + 4000, buffer, 96), 0);
}

static void a_hole_is_asked_for_once_in_a_while(void **state)
{
    struct fixture *f = *state;

    fake_xen.hole[5] = true;
    assert_true(readable(f, 0));
    for (unsigned i = 0; i < 1000; i++)
        assert_false(readable(f, 5 * PAGE));
    assert_in_range(fake_xen.calls[FAKE_MAP_PAGES], 2, 4);
}

static void memory_that_comes_back_is_found(void **state)
{
    struct fixture *f = *state;

    fake_xen.hole[5] = true;
    assert_false(readable(f, 5 * PAGE));
    fake_xen.ram_ptr[5 * PAGE] = 0x42;
    fake_xen.hole[5] = false;
    pause_for_retry();
    assert_int_equal(rd(f, 5 * PAGE), 0x42);
    assert_null(xen_mapcache_page(&f->c, 5 * PAGE)); /* no pointer before a bracket */
    assert_int_equal(f->wakes, 1);
    assert_int_equal(xen_mapcache_wants(&f->c), XEN_CACHE_TRIM);
    assert_int_equal(xen_mapcache_wants(&f->c), 0);
    xen_mapcache_trim(&f->c);
    assert_non_null(xen_mapcache_page(&f->c, 5 * PAGE));
    assert_int_equal(f->c.count, 1);
}

static void a_whole_chunk_comes_back(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < XEN_CHUNK_PAGES; i++)
        fake_xen.hole[i] = true;
    assert_false(readable(f, 0));
    memset(fake_xen.hole, 0, sizeof(fake_xen.hole));
    pause_for_retry();
    assert_true(readable(f, 0));
    assert_non_null(xen_mapcache_page(&f->c, 0));
}

static void cas_swaps_or_tells(void **state)
{
    struct fixture *f = *state;
    uint64_t expected = 0;

    assert_int_equal(xen_mapcache_cas(&f->c, 0x1008, 8, &expected, UINT64_MAX - 1), 1);
    assert_int_equal(xen_mapcache_cas(&f->c, 0x1008, 8, &expected, 5), 0);
    assert_true(expected == UINT64_MAX - 1);
    expected = 0xfffffffe;
    assert_int_equal(xen_mapcache_cas(&f->c, 0x1008, 4, &expected, 7), 1);
    assert_int_equal(rd(f, 0x1008), 7);
    assert_int_equal(rd(f, 0x100c), UINT32_MAX);
    assert_int_equal(xen_mapcache_cas(&f->c, 0x100a, 4, &expected, 7), -EFAULT);
    assert_int_equal(xen_mapcache_cas(&f->c, 0x1008, 2, &expected, 7), -EFAULT);
}

static void a_full_cache_goes_on_through_windows(void **state)
{
    struct fixture *f = *state;
    uint64_t expected = 0;
    uint32_t v = 9;

    for (unsigned i = 0; i < SMALL; i++)
        assert_non_null(xen_mapcache_page(&f->c, i * CHUNK));
    uint64_t gpa = SMALL * CHUNK;

    assert_null(xen_mapcache_page(&f->c, gpa));
    assert_int_equal(f->wakes, 1);
    assert_int_equal(xen_mapcache_write(&f->c, gpa + 8, &v, 4), 0);
    assert_int_equal(rd(f, gpa + 8), 9);
    assert_int_equal(fake_xen.ram_ptr[gpa + 8], 9);
    assert_int_equal(xen_mapcache_cas(&f->c, gpa, 4, &expected, 3), 1);
    assert_int_equal(fake_xen.ram_ptr[gpa], 3);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(rd(f, gpa + i * PAGE), i ? 0 : 3);
    assert_in_range(fake_xen.maps, SMALL, SMALL + XEN_WINDOWS);
    assert_int_equal(f->wakes, 1); /* one bracket is enough for all */
    assert_int_equal(xen_mapcache_wants(&f->c), XEN_CACHE_TRIM);
    xen_mapcache_trim(&f->c);
    assert_int_equal(fake_xen.maps, SMALL - 1);
    assert_non_null(xen_mapcache_page(&f->c, gpa));
    assert_int_equal(f->c.count, SMALL);
}

static void holes_are_told_from_memory_in_a_full_cache_too(void **state)
{
    struct fixture *f = *state;
    uint64_t gpa = SMALL * CHUNK;

    for (unsigned i = 0; i < SMALL; i++)
        assert_non_null(xen_mapcache_page(&f->c, i * CHUNK));
    fake_xen.hole[gpa / PAGE] = true;
    unsigned calls = fake_xen.calls[FAKE_MAP_PAGES];

    for (unsigned i = 0; i < 100; i++) {
        assert_false(readable(f, gpa));
        assert_true(readable(f, gpa + PAGE));
    }
    assert_in_range(fake_xen.calls[FAKE_MAP_PAGES] - calls, 2, 4);
}

static void what_is_used_stays(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < SMALL; i++)
        assert_non_null(xen_mapcache_page(&f->c, i * CHUNK));
    assert_null(xen_mapcache_page(&f->c, SMALL * CHUNK));
    xen_mapcache_trim(&f->c); /* all were used: one goes, and the others must show again that they are */
    assert_non_null(xen_mapcache_page(&f->c, SMALL * CHUNK));
    for (unsigned round = 0; round < 10; round++) {
        unsigned calls = fake_xen.calls[FAKE_MAP_PAGES];
        struct xen_chunk *kept = f->c.list[round % SMALL];
        uint32_t index = kept->index;

        for (unsigned i = 0; i < SMALL; i++)
            f->c.list[i]->used = f->c.list[i] == kept;
        assert_null(xen_mapcache_page(&f->c, (SMALL + 1 + round) * CHUNK));
        xen_mapcache_trim(&f->c);
        assert_non_null(xen_mapcache_page(&f->c, index * CHUNK));
        assert_int_equal(fake_xen.calls[FAKE_MAP_PAGES], calls);
        assert_non_null(xen_mapcache_page(&f->c, (SMALL + 1 + round) * CHUNK));
    }
}

static void a_stale_chunk_makes_room_enough(void **state)
{
    struct fixture *f = *state;

    fake_xen.hole[5] = true;
    for (unsigned i = 0; i < SMALL; i++)
        assert_non_null(xen_mapcache_page(&f->c, i * CHUNK));
    assert_false(readable(f, 5 * PAGE));
    fake_xen.hole[5] = false;
    pause_for_retry();
    assert_true(readable(f, 5 * PAGE));
    for (unsigned i = 0; i < SMALL; i++)
        f->c.list[i]->used = false;
    xen_mapcache_trim(&f->c);
    assert_int_equal(f->c.count, SMALL - 1);
    assert_int_equal(fake_xen.maps, SMALL - 1);
}

static void a_drop_leaves_nothing_mapped(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++)
        assert_true(readable(f, i * CHUNK));
    assert_int_not_equal(fake_xen.maps, 0);
    xen_mapcache_drop(&f->c);
    assert_int_equal(fake_xen.maps, 0);
    fake_xen.hole[0] = true; /* what the guest gave back is not seen any more */
    assert_false(readable(f, 0));
    assert_true(readable(f, PAGE));
}

static void a_failing_call_is_not_the_end(void **state)
{
    struct fixture *f = *state;

    fake_xen.fail[FAKE_MAP_PAGES] = ENOMEM;
    assert_false(readable(f, 0));
    fake_xen.fail[FAKE_MAP_PAGES] = 0;
    pause_for_retry();
    assert_true(readable(f, 0));
    assert_int_equal(f->wakes, 0);
}

static void a_dead_domain_is_told(void **state)
{
    struct fixture *f = *state;

    assert_true(readable(f, 0));
    fake_xen_kill_domain();
    assert_true(readable(f, 0)); /* the pages live as long as they are mapped */
    assert_false(readable(f, CHUNK));
    assert_int_equal(f->wakes, 1);
    assert_int_equal(xen_mapcache_wants(&f->c), XEN_CACHE_GONE);
}

/* Many threads, more memory than fits, and brackets; for the thread sanitizer too. */

#define THREADS 4u

struct worker {
    struct fixture *f;
    pthread_rwlock_t *bracket;
    atomic_bool *stop;
    unsigned seed, errors;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    uint64_t rnd = w->seed;

    while (!*w->stop) {
        rnd = rnd * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t gpa = (rnd >> 20) % (FAKE_PAGES * PAGE) & ~UINT64_C(7);
        uint64_t v = 0;

        pthread_rwlock_rdlock(w->bracket);
        bool hole = fake_xen.hole[gpa / PAGE];
        int ret = xen_mapcache_read(&w->f->c, gpa, &v, 8);
        uint8_t *page = xen_mapcache_page(&w->f->c, gpa & ~(PAGE - 1));

        w->errors += ret != (hole ? -EFAULT : 0) || (!hole && v != gpa) || (page && hole);
        if (page)
            w->errors += *(uint64_t *)(page + (gpa & (PAGE - 1))) != gpa;
        pthread_rwlock_unlock(w->bracket);
    }
    return NULL;
}

static void threads_and_brackets_get_along(void **state)
{
    pthread_rwlock_t bracket = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    struct worker w[THREADS];
    pthread_t t[THREADS];
    atomic_bool stop = false;
    struct fixture *f = *state;

    for (uint64_t gpa = 0; gpa < FAKE_PAGES * PAGE; gpa += 8)
        memcpy(fake_xen.ram_ptr + gpa, &gpa, 8);
    for (unsigned i = 0; i < FAKE_PAGES; i += 7)
        fake_xen.hole[i] = true;
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct worker){f, &bracket, &stop, i + 1, 0};
        assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        usleep(5000);
        pthread_rwlock_wrlock(&bracket);
        if (i % 8 == 7)
            xen_mapcache_drop(&f->c);
        else if (xen_mapcache_wants(&f->c) & XEN_CACHE_TRIM)
            xen_mapcache_trim(&f->c);
        pthread_rwlock_unlock(&bracket);
    }
    stop = true;
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(w[i].errors, 0);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(memory_is_the_domains),
        TEST(a_chunk_is_mapped_by_one_call),
        TEST(accesses_cross_pages_and_chunks),
        TEST(addresses_beyond_everything_cost_nothing),
        TEST(nothing_mappable_is_asked_for_once_in_a_while),
        TEST(a_hole_is_never_touched),
        TEST(a_hole_is_asked_for_once_in_a_while),
        TEST(memory_that_comes_back_is_found),
        TEST(a_whole_chunk_comes_back),
        TEST(cas_swaps_or_tells),
        TEST(a_full_cache_goes_on_through_windows),
        TEST(holes_are_told_from_memory_in_a_full_cache_too),
        TEST(what_is_used_stays),
        TEST(a_stale_chunk_makes_room_enough),
        TEST(a_drop_leaves_nothing_mapped),
        TEST(a_failing_call_is_not_the_end),
        TEST(a_dead_domain_is_told),
        TEST(threads_and_brackets_get_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
