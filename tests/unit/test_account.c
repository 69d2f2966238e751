/* What of a guest's memory its GPU work reaches, and the limit on that: mediator/account.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "mediator/account.h"

#define MB     (UINT64_C(1) << 20)
#define GB     (UINT64_C(1) << 30)
#define PAGE   4096u
#define PERIOD ACCOUNT_PERIOD_NS

static int setup(void **state)
{
    *state = account_create();
    if (!*state)
        return -1;
    account_switch(*state, true);
    return 0;
}

static int teardown(void **state)
{
    account_destroy(*state);
    return 0;
}

/* Reaches n pages; how many of them it may. */
static unsigned reach(struct account *a, uint64_t from, unsigned n)
{
    unsigned may = 0;

    for (unsigned i = 0; i < n; i++)
        may += account_reach(a, from + i * (uint64_t)PAGE);
    return may;
}

static void a_page_counts_once(void **state)
{
    struct account *a = *state;

    assert_int_equal(reach(a, 5 * GB, 100), 100);
    assert_int_equal(reach(a, 5 * GB, 100), 100);
    assert_true(account_reach(a, 5 * GB + 12));
    assert_int_equal(account_bytes(a), 100 * PAGE);
    assert_int_equal(account_refusals(a), 0);
}

static void beyond_the_limit_only_new_pages_are_refused(void **state)
{
    struct account *a = *state;

    account_limit(a, MB);
    assert_int_equal(reach(a, GB - MB / 2, 300), 256); /* across two blocks */
    assert_int_equal(account_bytes(a), MB);
    assert_int_equal(account_refusals(a), 44);
    assert_false(account_reach(a, 400 * GB));
    assert_int_equal(reach(a, GB - MB / 2, 256), 256);
}

static void after_a_refusal_all_is_forgotten(void **state)
{
    struct account *a = *state;

    account_limit(a, MB);
    assert_int_equal(reach(a, 0, 257), 256);
    account_work(a, 1);
    assert_int_equal(account_bytes(a), 0);
    assert_int_equal(reach(a, 8 * MB, 256), 256);
}

static void what_is_not_reached_is_let_go(void **state)
{
    struct account *a = *state;

    account_work(a, 1);
    reach(a, 0, 10);
    reach(a, MB, 20);
    account_work(a, 2); /* no period has passed */
    account_work(a, PERIOD + 1);
    assert_int_equal(account_bytes(a), 30 * PAGE);
    reach(a, 0, 10);
    assert_int_equal(account_bytes(a), 30 * PAGE);
    account_work(a, 2 * PERIOD + 1);
    assert_int_equal(account_bytes(a), 10 * PAGE);
    account_work(a, 3 * PERIOD + 1);
    assert_int_equal(account_bytes(a), 0);
}

static void a_limit_may_change(void **state)
{
    struct account *a = *state;

    reach(a, 0, 512);
    account_limit(a, MB); /* less than is there */
    assert_int_equal(account_bytes(a), 2 * MB);
    assert_true(account_reach(a, 0));
    assert_false(account_reach(a, GB));
    account_limit(a, 4 * MB);
    assert_true(account_reach(a, GB));
    account_limit(a, 0);
    assert_int_equal(reach(a, 2 * GB, 2048), 2048);
}

/* No page table of Skylake can name such an address. */
static void addresses_out_of_range_do_no_harm(void **state)
{
    struct account *a = *state;

    account_limit(a, PAGE);
    assert_true(account_reach(a, UINT64_C(1) << 39));
    assert_true(account_reach(a, UINT64_MAX));
    assert_int_equal(account_bytes(a), 0);
}

static void words_count_as_pages(void **state)
{
    struct account *a = *state;

    account_limit(a, 2 * PAGE);
    assert_true(account_reach_word(a, 0x1008));
    assert_true(account_reach_word(a, 0x1010));
    assert_true(account_reach_word(a, 0x5000));
    assert_int_equal(account_bytes(a), 2 * PAGE);
    assert_false(account_reach_word(a, 0x7000));
    assert_true(account_reach_word(a, 0x1018));
}

static void switched_off_it_lets_all_pass(void **state)
{
    struct account *a = *state;

    account_limit(a, PAGE);
    account_switch(a, false);
    assert_int_equal(reach(a, 0, 100), 100);
    assert_true(account_reach_word(a, GB));
    assert_int_equal(account_bytes(a), 0);
}

static void *reach_many(void *a)
{
    reach(a, 0, 20000);
    return NULL;
}

static void threads_count_together(void **state)
{
    struct account *a = *state;
    pthread_t t[4];

    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, reach_many, a), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(account_bytes(a), 20000u * PAGE);
}

#define ACCOUNT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCOUNT_TEST(a_page_counts_once),
        ACCOUNT_TEST(beyond_the_limit_only_new_pages_are_refused),
        ACCOUNT_TEST(after_a_refusal_all_is_forgotten),
        ACCOUNT_TEST(what_is_not_reached_is_let_go),
        ACCOUNT_TEST(a_limit_may_change),
        ACCOUNT_TEST(addresses_out_of_range_do_no_harm),
        ACCOUNT_TEST(words_count_as_pages),
        ACCOUNT_TEST(switched_off_it_lets_all_pass),
        ACCOUNT_TEST(threads_count_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
