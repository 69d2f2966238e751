/* The VNC sink with TLS, a password and input; the client library of libvncserver is the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include <rfb/rfbclient.h>

#include "display/vnc.h"
#include "display/vnc_keys.h"
#include "sink_fixture.h"
#include "vgpu/base/log.h"

#define PATIENCE     UINT64_C(20000000000) /* ns: machines are busy */
#define XK_SMALL_A   0x61
#define XK_CAPITAL_A 0x41
#define XK_RIGHT     0xff53

/* neatvnc 0.5 loses what a client that hangs up has left; libvncclient its credentials. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libneatvnc.so\nleak:libvncclient.so\nleak:libgnutls.so\nleak:on_credential\n";
}

/* ---- a client on a thread of its own */

enum act { NOTHING, TYPE, TYPE_CODES, POINT, HOLD };

struct client {
    rfbClient *rfb;
    pthread_t thread;
    const char *user, *password, *cert;
    atomic_bool stop, failed, ready, done;
    atomic_int act;
    bool sent_codes;
};

static rfbCredential *on_credential(rfbClient *c, int type)
{
    struct client *me = rfbClientGetClientData(c, NULL);
    rfbCredential *r = calloc(1, sizeof(*r));

    if (type == rfbCredentialTypeUser) {
        r->userCredential.username = strdup(me->user);
        r->userCredential.password = strdup(me->password);
    } else {
        r->x509Credential.x509CACertFile = strdup(me->cert);
    }
    return r;
}

static void do_it(struct client *me)
{
    switch (atomic_load(&me->act)) {
    case TYPE:
        SendKeyEvent(me->rfb, XK_SMALL_A, TRUE);
        SendKeyEvent(me->rfb, XK_CAPITAL_A, FALSE); /* the same key */
        SendKeyEvent(me->rfb, XK_RIGHT, TRUE);
        SendKeyEvent(me->rfb, 0x1000abc, TRUE); /* on no key of this keyboard */
        break;
    case TYPE_CODES:
        me->sent_codes = SendExtendedKeyEvent(me->rfb, XK_SMALL_A, 0x9d, TRUE); /* the number counts: right Ctrl */
        break;
    case POINT:
        SendPointerEvent(me->rfb, 160, 100, 0);
        SendPointerEvent(me->rfb, 160, 100, rfbButton3Mask);
        SendPointerEvent(me->rfb, 319, 199, rfbButton4Mask);
        SendPointerEvent(me->rfb, 65000, 65000, 0);
        break;
    case HOLD:
        SendPointerEvent(me->rfb, 160, 100, rfbButton1Mask);
        break;
    default:
        break;
    }
    me->act = NOTHING;
}

static void *client_main(void *arg)
{
    struct client *me = arg;

    if (!rfbInitClient(me->rfb, NULL, NULL)) {
        me->rfb = NULL; /* freed by the library */
        me->failed = me->done = true;
        return NULL;
    }
    me->ready = true;
    while (!me->stop) {
        int n = WaitForMessage(me->rfb, 10000);

        if (n < 0 || (n > 0 && !HandleRFBServerMessage(me->rfb)))
            break;
        do_it(me);
    }
    rfbClientCleanup(me->rfb);
    me->done = true;
    return NULL;
}

static void no_log(const char *format, ...)
{
    (void)format;
}

/* ---- the server */

struct fixture {
    char dir[32], cert[64], key[64];
    uint16_t port;
    struct sink_test t;
    struct client c;
    bool started;
    unsigned before; /* clients: neatvnc 0.5 does not tell of each that hangs up */
};

static bool allows(void *ctx, const char *user, const char *password)
{
    (void)ctx;
    return !strcmp(user, "me") && !strcmp(password, "secret");
}

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
    close(s);
    return ntohs(a.sin_port);
}

/* One server for all tests: neatvnc's main loop is the process's. */
static int setup_server(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    char command[512], err[256] = "";

    strcpy(x->dir, "/tmp/gtmux-vnc-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    snprintf(x->cert, sizeof(x->cert), "%s/cert", x->dir);
    snprintf(x->key, sizeof(x->key), "%s/key", x->dir);
    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gtmux "
             "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2>/dev/null",
             x->key, x->cert);
    assert_int_equal(system(command), 0);
    x->port = free_port();
    const struct vnc_options o = {.address = "127.0.0.1",
                                  .port = x->port,
                                  .title = "test",
                                  .fps = 50,
                                  .keymap = "us",
                                  .tls_cert = x->cert,
                                  .tls_key = x->key,
                                  .allows = allows};

    if (vnc_open(&x->t.sink, &o, &sink_test_events, &x->t, err, sizeof(err)))
        fail_msg("%s", err);
    rfbClientLog = rfbClientErr = no_log;
    *state = x;
    return 0;
}

static int teardown_server(void **state)
{
    struct fixture *x = *state;

    sink_close(&x->t);
    unlink(x->cert);
    unlink(x->key);
    assert_int_equal(rmdir(x->dir), 0);
    free(x);
    return 0;
}

static void serve(struct fixture *x)
{
    sink_serve(&x->t, 5);
}

static rfbBool on_size(rfbClient *c)
{
    c->frameBuffer = realloc(c->frameBuffer, (size_t)c->width * (size_t)c->height * 4);
    return c->frameBuffer != NULL;
}

static unsigned clients(const struct fixture *x)
{
    struct vnc_stats st;

    vnc_get_stats(x->t.sink, &st);
    return st.clients;
}

/* Starts a client and serves it until it is in, or not. */
static void come(struct fixture *x, const char *user, const char *password, bool tls)
{
    struct client *me = &x->c;
    uint64_t end = gt_clock_ns() + PATIENCE;

    x->before = clients(x);
    *me = (struct client){.user = user, .password = password, .cert = x->cert};
    me->rfb = rfbGetClient(8, 3, 4);
    me->rfb->MallocFrameBuffer = on_size;
    if (tls)
        me->rfb->GetCredential = on_credential;
    free(me->rfb->serverHost);
    me->rfb->serverHost = strdup("127.0.0.1");
    me->rfb->serverPort = x->port;
    rfbClientSetClientData(me->rfb, NULL, me);
    assert_int_equal(pthread_create(&me->thread, NULL, client_main, me), 0);
    x->started = true;
    while (!me->ready && !me->failed && gt_clock_ns() < end)
        serve(x);
}

static void leave(struct fixture *x)
{
    x->c.stop = true;
    while (x->started && !x->c.done)
        serve(x);
    if (x->started)
        pthread_join(x->c.thread, NULL);
    x->started = false;
    for (unsigned i = 0; i < 10; i++)
        serve(x);
    x->t.nevents = 0;
}

static int teardown(void **state)
{
    leave(*state);
    return 0;
}

/* Serves until so many events have come. */
static void act(struct fixture *x, enum act what, unsigned n)
{
    uint64_t end = gt_clock_ns() + PATIENCE;

    x->c.act = what;
    while ((x->t.nevents < n || x->c.act) && gt_clock_ns() < end)
        serve(x);
    for (unsigned i = 0; i < 5; i++)
        serve(x);
    assert_int_equal(x->t.nevents, n);
}

static void is_key(const struct input_event *e, uint8_t code, bool down)
{
    assert_int_equal(e->kind, INPUT_KEY);
    assert_int_equal(e->code, code);
    assert_int_equal(e->down, down);
}

/* ---- tests */

static void the_right_words_let_a_client_in(void **state)
{
    struct fixture *x = *state;

    come(x, "me", "secret", true);
    assert_true(x->c.ready);
    assert_in_range(clients(x), 1, x->before + 1);
}

static void wrong_words_do_not(void **state)
{
    struct fixture *x = *state;

    come(x, "me", "secret ", true);
    assert_true(x->c.failed);
    assert_in_range(clients(x), 0, x->before);
}

static void nobody_comes_in_without_a_password(void **state)
{
    struct fixture *x = *state;

    come(x, "", "", false);
    assert_true(x->c.failed);
    assert_in_range(clients(x), 0, x->before);
}

static void letters_become_keys(void **state)
{
    struct fixture *x = *state;

    come(x, "me", "secret", true);
    act(x, TYPE, 3);
    is_key(&x->t.event[0], input_number(KEY_A), true);
    is_key(&x->t.event[1], input_number(KEY_A), false);
    is_key(&x->t.event[2], input_number(KEY_RIGHT), true);
}

static void key_numbers_are_taken_as_they_are(void **state)
{
    struct fixture *x = *state;

    come(x, "me", "secret", true);
    for (unsigned i = 0; i < 20; i++) /* the server has told that it takes them */
        serve(x);
    act(x, TYPE_CODES, 1);
    assert_true(x->c.sent_codes);
    is_key(&x->t.event[0], 0x9d, true);
}

static void pointers_move_and_click(void **state)
{
    struct fixture *x = *state;
    struct viewer_frame f = make_frame(1, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sink_flip(&x->t, &f, 1);
    come(x, "me", "secret", true);
    act(x, POINT, 8);
    assert_int_equal(x->t.event[0].kind, INPUT_MOVE);
    assert_int_equal(x->t.event[0].x, input_position(160, 320));
    assert_int_equal(x->t.event[0].y, input_position(100, 200));
    assert_int_equal(x->t.event[2].kind, INPUT_BUTTON);
    assert_int_equal(x->t.event[2].code, INPUT_RIGHT);
    assert_true(x->t.event[2].down);
    assert_int_equal(x->t.event[4].code, INPUT_RIGHT);
    assert_false(x->t.event[4].down);
    assert_int_equal(x->t.event[5].code, INPUT_WHEEL_UP);
    assert_true(x->t.event[5].down);
    assert_false(x->t.event[6].down);
    assert_int_equal(x->t.event[7].x, input_position(319, 320)); /* never outside */
    sink_gone(&x->t, &f);
}

static void a_client_that_leaves_lets_go(void **state)
{
    struct fixture *x = *state;
    uint64_t end = gt_clock_ns() + PATIENCE;

    come(x, "me", "secret", true);
    act(x, TYPE, 3);
    x->c.stop = true;
    while (x->t.nevents < 4 && gt_clock_ns() < end)
        serve(x);
    assert_int_equal(x->t.event[3].kind, INPUT_LIFT);
}

/* And the button is up for the next one, too. */
static void the_next_client_can_press_what_the_last_one_held(void **state)
{
    struct fixture *x = *state;

    for (unsigned i = 0; i < 2; i++) {
        come(x, "me", "secret", true);
        act(x, HOLD, 2);
        assert_int_equal(x->t.event[1].kind, INPUT_BUTTON);
        assert_true(x->t.event[1].down);
        leave(x);
    }
}

static void layouts_differ(void **state)
{
    struct vnc_keys *us = vnc_keys_create("us"), *de = vnc_keys_create("de");

    (void)state;
    assert_non_null(us);
    assert_non_null(de);
    assert_int_equal(vnc_keys_find(us, 'z'), KEY_Z);
    assert_int_equal(vnc_keys_find(de, 'z'), KEY_Y);
    assert_int_equal(vnc_keys_find(us, '!'), KEY_1);
    assert_int_equal(vnc_keys_find(us, 0xffe1), KEY_LEFTSHIFT);
    assert_int_equal(vnc_keys_find(us, 0xdf), 0);
    assert_int_not_equal(vnc_keys_find(de, 0xdf), 0); /* sharp s */
    assert_null(vnc_keys_create("no-such-layout"));
    vnc_keys_destroy(us);
    vnc_keys_destroy(de);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, NULL, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_right_words_let_a_client_in),    CASE(wrong_words_do_not),
        CASE(nobody_comes_in_without_a_password), CASE(letters_become_keys),
        CASE(key_numbers_are_taken_as_they_are),  CASE(pointers_move_and_click),
        CASE(a_client_that_leaves_lets_go),       CASE(the_next_client_can_press_what_the_last_one_held),
        cmocka_unit_test(layouts_differ),
    };

    gt_log_set_level(GT_LOG_ERROR);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, setup_server, teardown_server);
}
