/* Lines of JSON over a socket, whose other end is slow, stuck or hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediator/control_wire.h"
#include "vgpu/base/clock.h"

#define MS UINT64_C(1000000)

struct fixture {
    int sock[2]; /* ours, the other end */
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->sock), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    close(x->sock[0]);
    close(x->sock[1]);
    free(x);
    return 0;
}

static void say(struct fixture *x, const char *text)
{
    assert_int_equal(send(x->sock[1], text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static int read_line(struct fixture *x, char *line, size_t size, int timeout_ms)
{
    int fd = -1, rc = wire_read_line(x->sock[0], line, size, timeout_ms, &fd);

    assert_int_equal(fd, -1);
    return rc;
}

static void a_line_is_read(void **state)
{
    struct fixture *x = *state;
    char line[64];

    say(x, "{\"cmd\":\"info\"}\n");
    assert_int_equal(read_line(x, line, sizeof(line), 1000), 14);
    assert_string_equal(line, "{\"cmd\":\"info\"}");
    close(x->sock[1]);
    assert_int_equal(read_line(x, line, sizeof(line), 1000), 0);
    x->sock[1] = dup(x->sock[0]);
}

static void a_line_that_is_too_long_is_refused(void **state)
{
    struct fixture *x = *state;
    char line[8];

    say(x, "12345678\n");
    assert_int_equal(read_line(x, line, sizeof(line), 1000), -EMSGSIZE);
}

static void *trickle(void *ctx)
{
    const struct fixture *x = ctx;

    for (unsigned i = 0; i < 100 && send(x->sock[1], " ", 1, MSG_NOSIGNAL) == 1; i++)
        usleep(10000);
    return NULL;
}

/* Each byte comes soon enough, the line does not. */
static void the_time_is_for_the_whole_line(void **state)
{
    struct fixture *x = *state;
    const uint64_t start = gt_clock_ns();
    pthread_t thread;
    char line[1024];

    assert_int_equal(pthread_create(&thread, NULL, trickle, x), 0);
    assert_int_equal(read_line(x, line, sizeof(line), 100), -ETIMEDOUT);
    assert_in_range(gt_clock_ns() - start, 90 * MS, 800 * MS);
    shutdown(x->sock[0], SHUT_RDWR);
    pthread_join(thread, NULL);
}

static void descriptors_come_along(void **state)
{
    struct fixture *x = *state;
    cJSON *json = cJSON_CreateObject();
    int file = memfd_create("x", MFD_CLOEXEC), got;
    struct stat a, b;
    char line[64];

    assert_int_equal(wire_send(x->sock[1], json, file), 0);
    assert_int_equal(wire_read_line(x->sock[0], line, sizeof(line), 1000, &got), 2);
    assert_string_equal(line, "{}");
    assert_true(got >= 0);
    assert_int_equal(fstat(file, &a) | fstat(got, &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    assert_int_equal(fcntl(got, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(got);
    close(file);
    cJSON_Delete(json);
}

#define LONG (1u << 20)

static cJSON *long_object(void)
{
    char *text = malloc(LONG);
    cJSON *json = cJSON_CreateObject();

    memset(text, 'x', LONG - 1);
    text[LONG - 1] = 0;
    cJSON_AddStringToObject(json, "text", text);
    free(text);
    return json;
}

static void who_does_not_read_is_given_up(void **state)
{
    struct fixture *x = *state;
    const uint64_t start = gt_clock_ns();
    cJSON *json = long_object();

    assert_int_equal(wire_send(x->sock[0], json, -1), -ETIMEDOUT);
    assert_in_range(gt_clock_ns() - start, 500 * MS, 3000 * MS);
    cJSON_Delete(json);
}

struct reader {
    int sock, length;
};

static void *read_it(void *ctx)
{
    struct reader *r = ctx;
    char *line = malloc(2 * LONG);
    int fd;

    usleep(20000);
    r->length = wire_read_line(r->sock, line, 2 * LONG, 5000, &fd);
    free(line);
    return NULL;
}

static void a_long_answer_arrives_in_parts(void **state)
{
    struct fixture *x = *state;
    struct reader r = {.sock = x->sock[1]};
    cJSON *json = long_object();
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, read_it, &r), 0);
    assert_int_equal(wire_send(x->sock[0], json, -1), 0);
    pthread_join(thread, NULL);
    assert_int_equal(r.length, LONG - 1 + strlen("{\"text\":\"\"}"));
    cJSON_Delete(json);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_line_is_read),         CASE(a_line_that_is_too_long_is_refused), CASE(the_time_is_for_the_whole_line),
        CASE(descriptors_come_along), CASE(who_does_not_read_is_given_up),      CASE(a_long_answer_arrives_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
