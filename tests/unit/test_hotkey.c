/* Hotkeys: which events mean what; and the socket by which gtmux kms is told to show another guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/input.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display/hotkey.h"
#include "mediator/kms_switch.h"
#include "vgpu/base/bits.h"

static int key(struct hotkey_keys *k, uint16_t code, int32_t value)
{
    return hotkey_event(k, EV_KEY, code, value);
}

static void keys_count_with_exactly_the_modifiers(void **state)
{
    struct hotkey_keys k = {.wanted = HOTKEY_CTRL | HOTKEY_ALT};

    (void)state;
    assert_int_equal(key(&k, KEY_PAGEDOWN, 1), HOTKEY_NONE);
    assert_int_equal(key(&k, KEY_RIGHTCTRL, 1), HOTKEY_NONE);
    assert_int_equal(key(&k, KEY_1, 1), HOTKEY_NONE);
    assert_int_equal(key(&k, KEY_LEFTALT, 1), HOTKEY_NONE);
    assert_int_equal(key(&k, KEY_PAGEDOWN, 1), HOTKEY_NEXT);
    assert_int_equal(key(&k, KEY_PAGEDOWN, 2), HOTKEY_NONE); /* it repeats */
    assert_int_equal(key(&k, KEY_PAGEDOWN, 0), HOTKEY_NONE);
    assert_int_equal(key(&k, KEY_PAGEUP, 1), HOTKEY_PREVIOUS);
    assert_int_equal(key(&k, KEY_1, 1), 1);
    assert_int_equal(key(&k, KEY_9, 1), 9);
    assert_int_equal(key(&k, KEY_0, 1), HOTKEY_NONE);
    assert_int_equal(key(&k, KEY_F1, 1), HOTKEY_NONE);
    key(&k, KEY_LEFTSHIFT, 1);
    assert_int_equal(key(&k, KEY_1, 1), HOTKEY_NONE);
    key(&k, KEY_LEFTSHIFT, 0);
    assert_int_equal(key(&k, KEY_2, 1), 2);
    key(&k, KEY_LEFTCTRL, 1);
    key(&k, KEY_LEFTCTRL, 0); /* the right one is still down */
    assert_int_equal(key(&k, KEY_3, 1), 3);
    key(&k, KEY_RIGHTCTRL, 0);
    assert_int_equal(key(&k, KEY_3, 1), HOTKEY_NONE);
}

static void lost_events_release_all_keys(void **state)
{
    struct hotkey_keys k = {.wanted = HOTKEY_META};

    (void)state;
    key(&k, KEY_LEFTMETA, 1);
    assert_int_equal(key(&k, KEY_4, 1), 4);
    assert_int_equal(hotkey_event(&k, EV_SYN, SYN_DROPPED, 0), HOTKEY_NONE);
    assert_int_equal(key(&k, KEY_4, 1), HOTKEY_NONE);
    k.wanted = 0; /* off: no key alone is one */
    assert_int_equal(key(&k, KEY_4, 1), HOTKEY_NONE);
}

static void modifiers_are_named(void **state)
{
    unsigned m;

    (void)state;
    assert_true(hotkey_modifiers("ctrl+alt", &m));
    assert_int_equal(m, HOTKEY_CTRL | HOTKEY_ALT);
    assert_true(hotkey_modifiers("meta", &m));
    assert_int_equal(m, HOTKEY_META);
    assert_true(hotkey_modifiers("none", &m));
    assert_int_equal(m, 0);
    static const char *const bad[] = {"", "ctrl+", "+ctrl", "ctrl alt", "Ctrl", "ctr", "ctrl+none", "controls"};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad); i++)
        assert_false(hotkey_modifiers(bad[i], &m));
}

static void never(void *ctx, int which)
{
    (void)ctx;
    fail_msg("key %d", which);
}

/* Whatever lies in the directory and is no keyboard is left alone, also what comes later. */
static void what_is_no_keyboard_is_not_read(void **state)
{
    char dir[] = "/tmp/gtmux-hotkey-XXXXXX", path[64];
    struct hotkey *h;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/event0", dir);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(hotkey_open(&h, dir, HOTKEY_CTRL, never, NULL), 0);
    assert_int_equal(hotkey_keyboards(h), 0);
    unlink(path);
    assert_int_equal(symlink("/dev/zero", path), 0);
    struct pollfd p = {.fd = hotkey_fd(h), .events = POLLIN};

    assert_int_equal(poll(&p, 1, 2000), 1);
    hotkey_dispatch(h);
    assert_int_equal(hotkey_keyboards(h), 0);
    hotkey_close(h);
    unlink(path);
    rmdir(dir);
    assert_int_equal(hotkey_open(&h, dir, HOTKEY_CTRL, never, NULL), -ENOENT);
    assert_null(h);
}

/* ---- the command */

struct monitor {
    struct kms_switch *s;
    char shown[64];
    const char *answer;
};

static const char *on_wanted(void *ctx, const char *guest)
{
    struct monitor *m = ctx;

    snprintf(m->shown, sizeof(m->shown), "%s", guest);
    return m->answer;
}

static void *serve(void *ctx)
{
    struct monitor *m = ctx;
    struct pollfd p = {.fd = kms_switch_fd(m->s), .events = POLLIN};

    if (poll(&p, 1, 5000) == 1)
        kms_switch_dispatch(m->s);
    return NULL;
}

/* Asks while the monitor serves once. */
static bool ask(struct monitor *m, const char *dir, const char *guest, char *err, size_t errsz)
{
    pthread_t t;

    assert_int_equal(pthread_create(&t, NULL, serve, m), 0);
    bool ok = kms_switch_ask(dir, guest, err, errsz);

    pthread_join(t, NULL);
    return ok;
}

static void a_command_reaches_the_process_and_is_answered(void **state)
{
    char dir[] = "/tmp/gtmux-switch-XXXXXX", err[128];
    struct monitor m = {0};
    struct kms_switch *second;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_false(kms_switch_ask(dir, "a", err, sizeof(err)));
    assert_non_null(strstr(err, "no gtmux kms"));
    assert_int_equal(kms_switch_open(&m.s, dir, "card0 HDMI-A-1", on_wanted, &m), 0);
    assert_int_equal(kms_switch_open(&second, dir, "card0 HDMI-A-1", on_wanted, &m), -EADDRINUSE);
    assert_true(ask(&m, dir, "win-1", err, sizeof(err)));
    assert_string_equal(m.shown, "win-1");
    m.answer = "that guest is not running";
    assert_false(ask(&m, dir, "b", err, sizeof(err)));
    assert_string_equal(err, m.answer);
    m.shown[0] = 0;
    assert_false(ask(&m, dir, "../b", err, sizeof(err)));
    assert_string_equal(m.shown, "");
    kms_switch_close(m.s);
    assert_int_equal(rmdir(dir), 0); /* nothing is left in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_count_with_exactly_the_modifiers),
        cmocka_unit_test(lost_events_release_all_keys),
        cmocka_unit_test(modifiers_are_named),
        cmocka_unit_test(what_is_no_keyboard_is_not_read),
        cmocka_unit_test(a_command_reaches_the_process_and_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
