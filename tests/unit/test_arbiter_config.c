/* gtmuxd's configuration file: what is taken, and what is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/arbiter/config.h"
#include "vgpu/base/bits.h"

static int load(struct arbiter_config *c, const char *text, char *err, size_t size)
{
    char path[] = "/tmp/gtmux-config-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    arbiter_config_default(c);
    err[0] = 0;
    int rc = arbiter_config_load(c, path, err, size);

    unlink(path);
    return rc;
}

static void values_are_taken(void **state)
{
    struct arbiter_config c;
    char err[300];

    (void)state;
    assert_int_equal(load(&c,
                          "[gtmuxd]\npolicy = fixed-share\nmemory = 100\nprofile = a\nexec-profile = b\nhang-ms = 0\n"
                          "[profile a]\nweight = 7\nmax-mode = 640x480\nslice-us = 2000 ; short\n"
                          "[profile b]\nfps = 30\ncap=5\n",
                          err, sizeof(err)),
                     0);
    assert_int_equal(c.profiles, 2);
    assert_int_equal(c.sched.policy, SCHED_FIXED_SHARE);
    assert_int_equal(c.sched.hang_ns, 0);
    const struct arbiter_profile *a = arbiter_config_find(&c, "a"), *b = arbiter_config_find(&c, "b");

    assert_int_equal(a->par.weight, 7);
    assert_int_equal(a->width, 640);
    assert_int_equal(a->par.slice_ns, 2000000);
    assert_int_equal(a->par.cap, 100);
    assert_int_equal(b->frame_hz, 30);
    assert_int_equal(b->par.cap, 5);
    assert_null(arbiter_config_find(&c, "standard"));
}

static void mistakes_are_told_with_their_line(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"[profile standard]\nweight = 0\n", ":2: weight = 0"},
        {"[profile standard]\nweight = -1\n", "whole number from 1 to 10000"},
        {"[profile standard]\nweight = 5x\n", "weight = 5x"},
        {"[profile standard]\ncap = 101\n", "1 to 100"},
        {"[profile standard]\nmax-mode = 10x10\n", "WIDTHxHEIGHT"},
        {"[profile standard]\nmax-mode = 99999999999x1\n", "WIDTHxHEIGHT"},
        {"[profile standard]\ncolour = red\n", "no such value"},
        {"[profile standard]\nslice-us = 1\n", "500 to 100000"},
        {"[profile ]\nweight = 1\n", "not a name"},
        {"[gtmuxd]\npolicy = mine\n", "best-effort"},
        {"[gtmuxd]\ncolour = red\n", "no such setting"},
        {"[other]\nx = 1\n", "sections are"},
        {"[gtmuxd]\nnonsense\n", ":2:"},
        {"[profile standard]\nweight = 1\n[profile a]\n\n[other]\n", ":5: [other]: sections are"},
        {"\n[]\n", ":2: []"},
        {"[profile standard]\n[profile]\n", ":2: [profile]"},
        {"[profile standard]\n[profile ]\n", ":2: profile ''"},
        {"[profile standard]\n# words\n[profile standard]\n", ":3: profile 'standard' is there twice"},
        {"[gtmuxd]\n[gtmuxd]\n", ":2: [gtmuxd] is there twice"},
        {"[gtmuxd\n", ":1: not NAME"},
        {"weight = 1\n", ":1: weight"},
        {"[gtmuxd]\nx = 1\ny = 2\n", ":2: x"},
        {"[profile other]\nweight = 1\n", "default profile 'standard'"},
    };
    struct arbiter_config c;
    char err[300];

    (void)state;
    for (size_t i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        assert_true(load(&c, rows[i].text, err, sizeof(err)) < 0);
        assert_non_null(strstr(err, rows[i].says));
        assert_int_equal(c.profiles, 1); /* what was there stays */
        assert_non_null(arbiter_config_find(&c, "standard"));
    }
    assert_true(arbiter_config_load(&c, "/nonexistent/file", err, sizeof(err)) < 0);
}

/* inih says nothing of them. */
static void profiles_may_be_empty(void **state)
{
    struct arbiter_config c;
    char err[300];

    (void)state;
    assert_int_equal(load(&c, "[profile a]\n[profile standard] ; all as it is\n  [profile b]\n", err, sizeof(err)), 0);
    assert_int_equal(c.profiles, 3);
    assert_non_null(arbiter_config_find(&c, "a"));
    assert_int_equal(arbiter_config_find(&c, "b")->par.weight, 100);
    assert_int_equal(load(&c, "[gtmuxd]\n", err, sizeof(err)), 0);
    assert_int_equal(c.profiles, 1);
}

static void long_lines_are_refused(void **state)
{
    struct arbiter_config c;
    char err[300], text[2000] = "[profile standard]\ndescription = ";

    (void)state;
    memset(text + strlen(text), 'x', 1500);
    strcat(text, "\nweight = 5\n");
    assert_true(load(&c, text, err, sizeof(err)) < 0);
    assert_non_null(strstr(err, ":2: the line is too long"));
}

static void there_is_an_end_to_profiles(void **state)
{
    struct arbiter_config c;
    char err[300], text[8192] = "";

    (void)state;
    for (unsigned i = 0; i <= CONFIG_PROFILES_MAX; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "[profile p%u]\nweight = 1\n", i);
    assert_true(load(&c, text, err, sizeof(err)) < 0);
    assert_non_null(strstr(err, "too many"));
}

static void the_stock_file_is_right(void **state)
{
    struct arbiter_config c;
    char err[300] = "";

    (void)state;
    arbiter_config_default(&c);
    assert_int_equal(arbiter_config_load(&c, TESTS_DIR "/../packaging/gtmuxd.conf", err, sizeof(err)), 0);
    assert_true(c.profiles >= 4);
    uint32_t shares = 0;

    for (unsigned i = 0; i < c.profiles; i++)
        shares += c.profile[i].par.share;
    assert_true(shares <= 100); /* one of each fits under fixed-share */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken),
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(profiles_may_be_empty),
        cmocka_unit_test(long_lines_are_refused),
        cmocka_unit_test(there_is_an_end_to_profiles),
        cmocka_unit_test(the_stock_file_is_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
