/* Who may connect to gtmux vnc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediator/vnc_access.h"
#include "vgpu/base/bits.h"

static char path[] = "/tmp/gtmux-password-XXXXXX";

static void write_file(const char *text, size_t n, mode_t mode)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static int read_file(struct vnc_access *a)
{
    char err[256] = "";
    int ret = vnc_access_read(a, path, err, sizeof(err));

    assert_true(!ret == !err[0]);
    return ret;
}

static void loopback_is_local(void **state)
{
    (void)state;
    assert_true(vnc_access_is_local("127.0.0.1"));
    assert_true(vnc_access_is_local("127.9.9.9"));
    assert_true(vnc_access_is_local("::1"));
    assert_true(vnc_access_is_local("localhost"));
}

static void everything_else_is_not(void **state)
{
    static const char *const rows[] = {"0.0.0.0",          "::",           "10.0.0.1", "192.168.1.1",
                                       "::ffff:127.0.0.1", "no such name", ""};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (vnc_access_is_local(rows[i]))
            fail_msg("%s", rows[i]);
}

static void the_right_words_are_let_in(void **state)
{
    struct vnc_access a;

    (void)state;
    write_file("me:a b:c\nmore\n", 14, 0600);
    assert_int_equal(read_file(&a), 0);
    assert_true(vnc_access_allows(&a, "me", "a b:c"));
    assert_false(vnc_access_allows(&a, "me", "a b"));
    assert_false(vnc_access_allows(&a, "me", "a b:cd"));
    assert_false(vnc_access_allows(&a, "you", "a b:c"));
    assert_false(vnc_access_allows(&a, "", ""));
    char word[2 * VNC_WORD_MAX] = "";

    memset(word, 'x', sizeof(word) - 1);
    assert_false(vnc_access_allows(&a, word, word));
}

static void a_file_that_others_may_read_is_refused(void **state)
{
    struct vnc_access a;
    char err[256];

    (void)state;
    static const mode_t modes[] = {0644, 0640, 0604, 0620, 0601};
    for (unsigned i = 0; i < GT_ARRAY_SIZE(modes); i++) {
        write_file("me:pass\n", 8, modes[i]);
        assert_true(read_file(&a) < 0);
        assert_true(vnc_access_check_key(path, err, sizeof(err)) < 0);
        assert_false(vnc_access_allows(&a, "me", "pass"));
    }
    assert_true(vnc_access_read(&a, "/dev/null", err, sizeof(err)) < 0);
    assert_true(vnc_access_read(&a, "/nonexistent", err, sizeof(err)) < 0);
    assert_true(vnc_access_read(&a, "/tmp", err, sizeof(err)) < 0);
}

static void files_without_both_words_are_refused(void **state)
{
    static const char *const rows[] = {"", "\n", "me\n", ":pass\n", "me:\n", "\nme:pass\n", ":\n"};
    char longest[2 * VNC_WORD_MAX + 10];
    struct vnc_access a;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        write_file(rows[i], strlen(rows[i]), 0600);
        if (!read_file(&a))
            fail_msg("row %u", i);
    }
    memset(longest, 'x', sizeof(longest));
    longest[2] = ':';
    write_file(longest, sizeof(longest), 0600);
    assert_true(read_file(&a) < 0);
    write_file("m\0e:pass\n", 9, 0600);
    assert_true(read_file(&a) < 0);
}

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);

    close(fd);
    return fd < 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_local),
        cmocka_unit_test(everything_else_is_not),
        cmocka_unit_test(the_right_words_are_let_in),
        cmocka_unit_test(a_file_that_others_may_read_is_refused),
        cmocka_unit_test(files_without_both_words_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
