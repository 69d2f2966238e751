/* Which sockets are stale, and may be replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "display/unix_path.h"

struct fixture {
    char dir[32], err[256];
    struct sockaddr_un a;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    strcpy(x->dir, "/tmp/gtmux-path-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    x->a.sun_family = AF_UNIX;
    snprintf(x->a.sun_path, sizeof(x->a.sun_path), "%s/s", x->dir);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    unlink(x->a.sun_path);
    assert_int_equal(rmdir(x->dir), 0);
    free(x);
    return 0;
}

static int clear(struct fixture *x)
{
    return unix_path_clear(x->a.sun_path, x->err, sizeof(x->err));
}

/* A listening socket of a type. */
static int live(const struct fixture *x, int type)
{
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&x->a, sizeof(x->a)), 0);
    assert_int_equal(listen(fd, 0), 0);
    return fd;
}

static void a_free_path_is_free(void **state)
{
    assert_int_equal(clear(*state), 0);
}

static void a_stale_socket_is_removed(void **state)
{
    struct fixture *x = *state;

    close(live(x, SOCK_STREAM));
    assert_int_equal(access(x->a.sun_path, F_OK), 0);
    assert_int_equal(clear(x), 0);
    assert_int_equal(access(x->a.sun_path, F_OK), -1);
}

static void a_live_one_stays(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    struct fixture *x = *state;

    for (unsigned i = 0; i < 2; i++) {
        int fd = live(x, types[i]);

        for (unsigned k = 0; k < 4; k++) /* also when its queue is full */
            assert_int_equal(clear(x), -EADDRINUSE);
        assert_non_null(strstr(x->err, "another program"));
        assert_non_null(strstr(x->err, x->a.sun_path));
        assert_int_equal(access(x->a.sun_path, F_OK), 0);
        close(fd);
        unlink(x->a.sun_path);
    }
}

static void what_is_no_socket_stays(void **state)
{
    struct fixture *x = *state;

    close(open(x->a.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(clear(x), -EEXIST);
    assert_int_equal(access(x->a.sun_path, F_OK), 0);
}

static void a_path_that_is_too_long_is_told(void **state)
{
    struct fixture *x = *state;
    char path[200];

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    assert_int_equal(unix_path_clear(path, x->err, sizeof(x->err)), -ENAMETOOLONG);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_free_path_is_free),     CASE(a_stale_socket_is_removed),       CASE(a_live_one_stays),
        CASE(what_is_no_socket_stays), CASE(a_path_that_is_too_long_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
