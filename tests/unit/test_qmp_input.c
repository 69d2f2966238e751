/* Input on its way to QEMU. QEMU is a socket of the test: a double that answers as QEMU does, or does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/qmp_input.h"
#include "vgpu/base/bits.h"

#define S UINT64_C(1000000000)
#define GREETING                                                                                                       \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 1, \"major\": 10}}, \"capabilities\": "              \
    "[\"oob\"]}}\r\n"
#define DONE "{\"return\": {}}\r\n"

struct fixture {
    char dir[32];
    struct sockaddr_un address;
    int listener, qemu; /* QEMU's end */
    struct qmp_input *q;
    uint64_t now;
};

/* ---- the double */

static void say(struct fixture *x, const char *text)
{
    assert_int_equal(send(x->qemu, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void step(struct fixture *x)
{
    struct pollfd p = {.fd = qmp_input_fd(x->q), .events = qmp_input_poll(x->q)};

    if (poll(&p, 1, 0) > 0)
        qmp_input_dispatch(x->q, p.revents);
    qmp_input_tick(x->q, x->now);
}

/* What has come since the last call, "" for nothing. */
static const char *heard(struct fixture *x)
{
    static char text[65536];
    ssize_t n;

    step(x);
    n = recv(x->qemu, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static void accept_it(struct fixture *x)
{
    x->qemu = accept(x->listener, NULL, NULL);
    assert_true(x->qemu >= 0);
}

static void greet(struct fixture *x)
{
    accept_it(x);
    assert_string_equal(heard(x), ""); /* QEMU speaks first */
    say(x, GREETING);
    assert_string_equal(heard(x), "{\"execute\":\"qmp_capabilities\"}");
    say(x, DONE);
    step(x);
}

static int setup_alone(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    strcpy(x->dir, "/tmp/gtmux-qmp-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    x->address.sun_family = AF_UNIX;
    snprintf(x->address.sun_path, sizeof(x->address.sun_path), "%s/q", x->dir);
    x->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(x->listener, (struct sockaddr *)&x->address, sizeof(x->address)), 0);
    assert_int_equal(listen(x->listener, 1), 0);
    x->qemu = -1;
    x->now = S;
    *state = x;
    return 0;
}

static int setup(void **state)
{
    struct fixture *x;

    setup_alone(state);
    x = *state;
    assert_int_equal(qmp_input_open(&x->q, x->address.sun_path), 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    if (x->qemu >= 0)
        close(x->qemu); /* first: the end would wait for it */
    qmp_input_close(x->q);
    close(x->listener);
    unlink(x->address.sun_path);
    rmdir(x->dir);
    free(x);
    return 0;
}

static void key(struct fixture *x, uint32_t evdev, bool down)
{
    qmp_input_event(x->q, &(struct input_event){.kind = INPUT_KEY, .code = input_number(evdev), .down = down});
}

static void move(struct fixture *x, uint16_t to_x, uint16_t to_y)
{
    qmp_input_event(x->q, &(struct input_event){.kind = INPUT_MOVE, .x = to_x, .y = to_y});
}

static void button(struct fixture *x, enum input_button b, bool down)
{
    qmp_input_event(x->q, &(struct input_event){.kind = INPUT_BUTTON, .code = (uint8_t)b, .down = down});
}

static struct qmp_input_stats stats(struct fixture *x)
{
    struct qmp_input_stats st;

    qmp_input_get_stats(x->q, &st);
    return st;
}

/* ---- tables */

static void keys_have_qemus_numbers(void **state)
{
    static const struct {
        uint32_t evdev;
        uint8_t number;
    } rows[] = {{KEY_ESC, 0x01},   {KEY_A, 0x1e},         {KEY_102ND, 0x56}, {KEY_F12, 0x58},      {KEY_KPENTER, 0x9c},
                {KEY_UP, 0xc8},    {KEY_RIGHTCTRL, 0x9d}, {KEY_SYSRQ, 0x54}, {KEY_LEFTMETA, 0xdb}, {KEY_DELETE, 0xd3},
                {KEY_RESERVED, 0}, {KEY_MAX, 0},          {UINT32_MAX, 0}};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (input_number(rows[i].evdev) != rows[i].number)
            fail_msg("key %u: %#x", rows[i].evdev, input_number(rows[i].evdev));
}

/* No two keys are one to QEMU. */
static void keys_do_not_share_numbers(void **state)
{
    unsigned seen[INPUT_NUMBERS] = {0};

    (void)state;
    for (uint32_t i = 0; i < KEY_MAX; i++)
        seen[input_number(i)]++;
    for (unsigned i = 1; i < INPUT_NUMBERS; i++)
        if (seen[i] > 1)
            fail_msg("%u keys have the number %#x", seen[i], i);
}

static void a_guest_finds_the_pixel_that_was_meant(void **state)
{
    static const uint32_t sizes[] = {1, 2, 3, 640, 1366, 1920, 4096, 16384};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(sizes); i++)
        for (uint32_t at = 0; at < sizes[i]; at++)
            assert_int_equal((uint64_t)input_position(at, sizes[i]) * sizes[i] / INPUT_POSITION, at);
    assert_int_equal(input_position(5000, 640), input_position(639, 640));
    assert_int_equal(input_position(5, 0), 0);
}

static void buttons_have_names(void **state)
{
    enum input_button b;

    (void)state;
    assert_true(input_button(BTN_RIGHT, &b));
    assert_int_equal(b, INPUT_RIGHT);
    assert_false(input_button(BTN_TOUCH, &b));
}

/* ---- the protocol */

static void events_become_commands(void **state)
{
    struct fixture *x = *state;

    greet(x);
    key(x, KEY_A, true);
    assert_string_equal(heard(x),
                        "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[{\"type\":\"key\",\"data\":"
                        "{\"key\":{\"type\":\"number\",\"data\":30},\"down\":true}}]}}");
    say(x, DONE);
    step(x);
    move(x, 100, 32767);
    assert_string_equal(heard(x),
                        "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[{\"type\":\"abs\",\"data\":"
                        "{\"axis\":\"x\",\"value\":100}},{\"type\":\"abs\",\"data\":{\"axis\":\"y\","
                        "\"value\":32767}}]}}");
    say(x, DONE);
    step(x);
    button(x, INPUT_WHEEL_DOWN, true);
    assert_string_equal(heard(x),
                        "{\"execute\":\"input-send-event\",\"arguments\":{\"events\":[{\"type\":\"btn\",\"data\":"
                        "{\"button\":\"wheel-down\",\"down\":true}}]}}");
    say(x, DONE);
    step(x);
    assert_int_equal(stats(x).sent, 3);
    assert_int_equal(stats(x).dropped, 0);
}

/* One command at a time; what came meanwhile is together in the next ones, by kind and in order. */
static void what_waits_is_sent_together(void **state)
{
    struct fixture *x = *state;

    greet(x);
    key(x, KEY_A, true);
    assert_string_not_equal(heard(x), "");
    key(x, KEY_A, false);
    key(x, KEY_B, true);
    for (uint16_t i = 0; i < 1000; i++)
        move(x, i, i); /* only the last one counts */
    button(x, INPUT_LEFT, true);
    assert_string_equal(heard(x), "");
    say(x, DONE);
    const char *text = heard(x);
    assert_non_null(strstr(text, "\"data\":30},\"down\":false"));
    assert_non_null(strstr(text, "\"data\":48},\"down\":true"));
    assert_null(strstr(text, "abs"));
    say(x, DONE);
    text = heard(x);
    assert_non_null(strstr(text, "\"value\":999"));
    assert_null(strstr(text, "\"value\":998"));
    say(x, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"RESUME\"}\r\n"); /* no answer */
    assert_string_equal(heard(x), "");
    say(x, DONE);
    assert_non_null(strstr(heard(x), "left"));
}

static void a_refusal_is_not_the_end(void **state)
{
    struct fixture *x = *state;

    greet(x);
    move(x, 1, 1);
    assert_string_not_equal(heard(x), "");
    say(x, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Input handler not found for event type abs\"}}\r\n");
    key(x, KEY_A, true);
    assert_string_not_equal(heard(x), "");
    say(x, DONE);
    step(x);
    assert_int_equal(stats(x).dropped, 1);
    assert_int_equal(stats(x).sent, 1);
}

static void keys_go_up_when_nobody_sees_them(void **state)
{
    struct fixture *x = *state;

    greet(x);
    key(x, KEY_LEFTCTRL, true);
    heard(x);
    key(x, KEY_C, true); /* still waits */
    button(x, INPUT_LEFT, true);
    qmp_input_event(x->q, &(struct input_event){.kind = INPUT_LIFT});
    say(x, DONE);
    assert_non_null(strstr(heard(x), "\"data\":46},\"down\":true"));
    say(x, DONE);
    assert_non_null(strstr(heard(x), "left"));
    say(x, DONE);
    const char *text = heard(x);
    assert_non_null(strstr(text, "\"data\":29},\"down\":false"));
    assert_non_null(strstr(text, "\"data\":46},\"down\":false"));
    say(x, DONE);
    assert_non_null(strstr(heard(x), "{\"button\":\"left\",\"down\":false}"));
}

static void keys_go_up_at_the_end(void **state)
{
    struct fixture *x = *state;
    char text[4096];

    greet(x);
    key(x, KEY_LEFTSHIFT, true);
    heard(x);
    qmp_input_close(x->q); /* although the answer is missing */
    x->q = NULL;
    ssize_t n = recv(x->qemu, text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = 0;
    assert_non_null(strstr(text, "\"data\":42},\"down\":false"));
}

/* QEMU carries out one command at a time, and drops those that wait when their sender has hung up. */
static void *qemu_main(void *ctx)
{
    const struct fixture *x = ctx;
    char *text = calloc(1, 65536);
    size_t have = 0;

    for (;;) {
        struct pollfd p = {.fd = x->qemu, .events = POLLIN};
        ssize_t n;

        poll(&p, 1, 1000);
        usleep(10000);
        poll(&p, 1, 0);
        if (p.revents & POLLHUP || (n = recv(x->qemu, text + have, 65535 - have, MSG_DONTWAIT)) <= 0)
            return text;
        have += (size_t)n;
        send(x->qemu, DONE, strlen(DONE), MSG_NOSIGNAL);
    }
}

static void the_end_waits_until_all_is_let_go(void **state)
{
    struct fixture *x = *state;
    pthread_t thread;
    void *text;

    greet(x);
    key(x, KEY_LEFTALT, true);
    button(x, INPUT_LEFT, true);
    assert_int_equal(pthread_create(&thread, NULL, qemu_main, x), 0);
    qmp_input_close(x->q);
    x->q = NULL;
    pthread_join(thread, &text);
    assert_non_null(strstr(text, "\"data\":56},\"down\":false"));
    assert_non_null(strstr(text, "{\"button\":\"left\",\"down\":false}"));
    free(text);
}

/* ---- what QEMU may do to us */

static void a_qemu_that_does_not_answer_is_given_up(void **state)
{
    struct fixture *x = *state;

    greet(x);
    key(x, KEY_A, true);
    step(x);
    for (unsigned i = 0; i < 100000; i++)
        key(x, i % 2 ? KEY_B : KEY_A, i % 4 < 2);
    assert_in_range(stats(x).dropped, 99000, 101000); /* the releases in their place, too */
    x->now += 4 * S;
    step(x);
    assert_true(qmp_input_fd(x->q) >= 0);
    x->now += 2 * S;
    step(x);
    assert_int_equal(qmp_input_fd(x->q), -1);
    x->now += 3 * S;
    step(x); /* and it is tried again: what QEMU believes to be down goes up */
    close(x->qemu);
    greet(x);
    assert_non_null(strstr(heard(x), "\"data\":30},\"down\":false"));
}

static void a_qemu_that_does_not_read_stalls_nobody(void **state)
{
    struct fixture *x = *state;
    int small = 4096;

    greet(x);
    setsockopt(qmp_input_fd(x->q), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (unsigned round = 0; round < 500; round++) {
        for (unsigned i = 0; i < 40; i++)
            key(x, KEY_A + i % 8, i % 2);
        step(x);
        if (qmp_input_fd(x->q) >= 0 && send(x->qemu, DONE, strlen(DONE), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
    }
    x->now += 6 * S;
    step(x);
    assert_int_equal(qmp_input_fd(x->q), -1);
}

static void what_is_not_qemu_is_left(void **state)
{
    static const char *const lines[] = {
        "{}\r\n", "[]\r\n", "GET / HTTP/1.1\r\n", "{\"QMP\": 5}\r\n", "\"x\"\r\n", "{\"return\": {}}\r\n", "\0{}\n",
    };
    struct fixture *x = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(lines); i++) {
        accept_it(x);
        assert_int_equal(send(x->qemu, lines[i], lines[i][0] ? strlen(lines[i]) : 4, 0),
                         lines[i][0] ? strlen(lines[i]) : 4);
        step(x);
        if (qmp_input_fd(x->q) >= 0)
            fail_msg("line %u was taken", i);
        close(x->qemu);
        x->now += 3 * S;
        step(x);
    }
    greet(x);
    assert_int_equal(stats(x).connects, 1);
}

static void a_line_without_end_is_left(void **state)
{
    struct fixture *x = *state;
    char junk[4096];

    greet(x);
    memset(junk, '[', sizeof(junk));
    for (unsigned i = 0; i < 100 && qmp_input_fd(x->q) >= 0; i++) {
        assert_true(send(x->qemu, junk, sizeof(junk), MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
        step(x);
    }
    assert_int_equal(qmp_input_fd(x->q), -1);
}

static void deep_json_is_left(void **state)
{
    struct fixture *x = *state;
    char junk[12001];

    greet(x);
    memset(junk, '[', sizeof(junk) - 1);
    junk[sizeof(junk) - 1] = '\n';
    assert_int_equal(send(x->qemu, junk, sizeof(junk), 0), sizeof(junk));
    step(x);
    assert_int_equal(qmp_input_fd(x->q), -1);
}

static void qemu_may_come_later(void **state)
{
    struct fixture *x = *state;

    unlink(x->address.sun_path);
    close(x->listener);
    assert_int_equal(qmp_input_open(&x->q, x->address.sun_path), 0);
    assert_int_equal(qmp_input_fd(x->q), -1);
    key(x, KEY_A, true);
    assert_int_equal(stats(x).dropped, 1);
    assert_true(qmp_input_tick(x->q, x->now) > x->now);
    x->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(x->listener, (struct sockaddr *)&x->address, sizeof(x->address)), 0);
    assert_int_equal(listen(x->listener, 1), 0);
    x->now += 3 * S;
    qmp_input_tick(x->q, x->now);
    greet(x);
    key(x, KEY_A, true);
    assert_string_not_equal(heard(x), "");
}

static void a_path_that_is_none_is_told(void **state)
{
    char path[256];
    struct qmp_input *q;

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    assert_true(qmp_input_open(&q, path) < 0);
    assert_true(qmp_input_open(&q, "") < 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_qemus_numbers),
        cmocka_unit_test(keys_do_not_share_numbers),
        cmocka_unit_test(a_guest_finds_the_pixel_that_was_meant),
        cmocka_unit_test(buttons_have_names),
        CASE(events_become_commands),
        CASE(what_waits_is_sent_together),
        CASE(a_refusal_is_not_the_end),
        CASE(keys_go_up_when_nobody_sees_them),
        CASE(keys_go_up_at_the_end),
        CASE(the_end_waits_until_all_is_let_go),
        CASE(a_qemu_that_does_not_answer_is_given_up),
        CASE(a_qemu_that_does_not_read_stalls_nobody),
        CASE(what_is_not_qemu_is_left),
        CASE(a_line_without_end_is_left),
        CASE(deep_json_is_left),
        cmocka_unit_test_setup_teardown(qemu_may_come_later, setup_alone, teardown),
        cmocka_unit_test(a_path_that_is_none_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
