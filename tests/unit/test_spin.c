/* When the session polls busily (mediator/spin.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediator/spin.h"

#define MAX_US   50u
#define SHORT_NS 60000u
#define LONG_NS  1000000u

/* So many of n short sleeps were followed by polling, which never found anything. */
static unsigned in_vain(struct spin *p, unsigned n)
{
    unsigned polls = 0;

    for (unsigned i = 0; i < n; i++) {
        polls += spin_slept(p, SHORT_NS) != 0;
        spin_polled(p, false);
    }
    return polls;
}

static void a_talking_guest_is_polled_for(void **state)
{
    struct spin p;

    (void)state;
    spin_init(&p, MAX_US);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(spin_slept(&p, SHORT_NS), MAX_US);
        spin_polled(&p, i % 4 == 3); /* three misses are no trend */
    }
}

static void a_silent_guest_is_not(void **state)
{
    struct spin p;

    (void)state;
    spin_init(&p, MAX_US);
    assert_int_equal(spin_slept(&p, LONG_NS), 0);
    spin_polled(&p, false);
    assert_int_equal(spin_slept(&p, UINT64_MAX), 0);
    spin_polled(&p, false);
    assert_int_equal(spin_slept(&p, 2000 * MAX_US + 1), 0);
    assert_int_equal(spin_slept(&p, 2000 * MAX_US), MAX_US);
}

static void zero_is_never(void **state)
{
    struct spin p;

    (void)state;
    spin_init(&p, 0);
    assert_int_equal(spin_slept(&p, 0), 0);
    spin_polled(&p, true);
    assert_int_equal(spin_slept(&p, 0), 0);
}

static void polling_in_vain_becomes_rare(void **state)
{
    struct spin p;

    (void)state;
    spin_init(&p, MAX_US);
    assert_int_equal(in_vain(&p, 4 + 16 + 4 + 32), 8);
    (void)in_vain(&p, 10000);
    assert_in_range(in_vain(&p, 100000), 100000 * 4 / 1028 - 4, 100000 * 4 / 1028 + 4);
}

static void one_success_ends_it(void **state)
{
    struct spin p;

    (void)state;
    spin_init(&p, MAX_US);
    (void)in_vain(&p, 10000);
    for (unsigned i = 0; i < 1100 && !spin_slept(&p, SHORT_NS); i++)
        spin_polled(&p, true); /* does not count: nobody polled */
    assert_true(p.polled);
    spin_polled(&p, true);
    assert_int_equal(in_vain(&p, 4 + 16 + 1), 5); /* the next rest is a short one */
}

/* A guest that falls silent during a rest does not use it up. */
static void long_sleeps_are_no_rest(void **state)
{
    struct spin p;

    (void)state;
    spin_init(&p, MAX_US);
    assert_int_equal(in_vain(&p, 4), 4);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(spin_slept(&p, LONG_NS), 0);
    assert_int_equal(in_vain(&p, 16), 0);
    assert_int_equal(spin_slept(&p, SHORT_NS), MAX_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_talking_guest_is_polled_for),
        cmocka_unit_test(a_silent_guest_is_not),
        cmocka_unit_test(zero_is_never),
        cmocka_unit_test(polling_in_vain_becomes_rare),
        cmocka_unit_test(one_success_ends_it),
        cmocka_unit_test(long_sleeps_are_no_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
