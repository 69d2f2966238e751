/* The vfio-user connection: framing, descriptors, disconnects at any point, reconnects, and the socket file. */
#include <stddef.h>
#include <sys/stat.h>

#include "tests/unit/vfio_user_server.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define RW              (VU_DMA_MAP_READ | VU_DMA_MAP_WRITE)
#define TRIGGER_EVENTFD (VU_IRQ_SET_DATA_EVENTFD | VU_IRQ_SET_ACTION_TRIGGER)

static void finish(struct server *s, int sock)
{
    close(sock);
    server_free(s);
}

/* ---- messages */

static void ids_are_echoed_and_no_reply_is_honoured(void **state)
{
    struct vu_region_access a = {.region = IOREQ_BAR0, .count = 4};
    struct server *s;
    int sock = server_ready(&s);
    struct client_reply r;

    (void)state;
    assert_true(client_command(sock, 7, VU_DEVICE_RESET, VU_NO_REPLY, NULL, 0, NULL, 0));
    assert_true(client_command(sock, 8, VU_REGION_READ, VU_NO_REPLY, &a, sizeof(a), NULL, 0));
    assert_true(client_command(sock, 9, 999, VU_NO_REPLY, NULL, 0, NULL, 0)); /* an error without reply */
    assert_true(client_command(sock, 0xfffe, VU_REGION_READ, 0, &a, sizeof(a), NULL, 0));
    assert_true(client_recv(sock, &r));
    assert_int_equal(r.h.id, 0xfffe);
    assert_int_equal(r.h.command, VU_REGION_READ);
    assert_int_equal(r.h.flags, VU_TYPE_REPLY);
    assert_int_equal(r.h.error, 0);
    assert_int_equal(s->resets, 1);
    assert_int_equal(s->accesses, 2);
    finish(s, sock);
}

static void unknown_commands_and_types_get_errors(void **state)
{
    static const struct {
        uint16_t command;
        int error;
    } rows[] = {
        {0, EINVAL},
        {VU_DMA_READ, ENOTSUP},
        {VU_DMA_WRITE, ENOTSUP},
        {VU_DIRTY_PAGES, ENOTSUP},
        {VU_REGION_WRITE_MULTI, ENOTSUP},
        {VU_DEVICE_FEATURE, ENOTSUP},
        {VU_MIG_DATA_READ, ENOTSUP},
        {VU_MIG_DATA_WRITE, ENOTSUP},
        {19, EINVAL},
        {UINT16_MAX, EINVAL},
    };
    struct server *s;
    int sock = server_ready(&s);
    uint8_t body[64] = {64};
    struct client_reply r;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(client_call(sock, rows[i].command, body, sizeof(body), NULL, 0, &r), rows[i].error);
    for (uint32_t type = 2; type < 16; type++) {
        assert_true(client_command(sock, 5, VU_DEVICE_RESET, type, NULL, 0, NULL, 0));
        assert_true(client_recv(sock, &r));
        assert_int_equal(r.h.flags, VU_TYPE_REPLY | VU_ERROR);
        assert_int_equal(r.h.error, EINVAL);
        assert_int_equal(r.len, 0);
    }
    /* A reply to nothing is not answered. */
    assert_true(client_command(sock, 5, VU_DEVICE_RESET, VU_TYPE_REPLY, NULL, 0, NULL, 0));
    assert_int_equal(client_call(sock, VU_DEVICE_RESET, NULL, 0, NULL, 0, &r), 0);
    assert_int_equal(s->resets, 1);
    finish(s, sock);
}

static void impossible_sizes_end_the_connection(void **state)
{
    static const uint32_t sizes[] = {0, 1, 15, VU_MAX_MESSAGE + 1, UINT32_MAX};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(sizes); i++) {
        struct vu_header h = {.id = 77, .command = VU_DEVICE_RESET, .size = sizes[i]};
        struct server *s;
        int sock = server_ready(&s);
        struct client_reply r;

        assert_true(client_send(sock, &h, sizeof(h), NULL, 0));
        assert_true(client_recv(sock, &r));
        assert_int_equal(r.h.id, 77);
        assert_int_equal(r.h.error, EINVAL);
        assert_false(client_recv(sock, &r));
        wait_for(&s->disconnects, 1);
        wait_for(&s->gone, 1);
        assert_int_equal(s->resets, 0);
        finish(s, sock);
    }
}

static void a_message_may_come_in_pieces(void **state)
{
    struct {
        struct vu_header h;
        struct vu_dma_map d;
    } m = {{.id = 3, .command = VU_DMA_MAP, .size = sizeof(m)}, {sizeof(m.d), RW, 0, 0x1000, 0x1000}};
    struct server *s;
    int sock = server_ready(&s), ram = make_memfd(0x1000);
    uint32_t v;

    (void)state;
    for (unsigned step = 1; step < sizeof(m); step += 5) {
        struct client_reply r;

        m.d.addr += 0x1000;
        for (unsigned at = 0; at < sizeof(m); at += step) {
            unsigned n = GT_MIN(step, (unsigned)sizeof(m) - at);
            /* The descriptor comes with the last piece in every other round, else with the first. */
            bool fd_now = step & 1 ? !at : at + n == sizeof(m);
            assert_true(client_send(sock, (uint8_t *)&m + at, n, &ram, fd_now));
            if (step > 20)
                usleep(500);
        }
        assert_true(client_recv(sock, &r));
        assert_int_equal(r.h.error, 0);
        assert_int_equal(server_mem_read(s, m.d.addr, &v, 4), 0);
    }
    close(ram);
    finish(s, sock);
}

/* As QEMU does it at start: many maps under way, each with its own descriptor; here with other messages in between. */
static void pipelined_descriptors_stay_with_their_messages(void **state)
{
    enum { N = 60 };
    struct server *s;
    int sock = server_ready(&s), ram[N];
    struct vu_region_access a = {.region = IOREQ_BAR0, .count = 4};

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        struct vu_dma_map d = {sizeof(d), RW, 0, 0x100000 + i * UINT64_C(0x1000), 0x1000};

        ram[i] = make_memfd(0x1000);
        assert_int_equal(pwrite(ram[i], &i, 4, 0), 4);
        assert_true(client_command(sock, 1, VU_REGION_READ, 0, &a, sizeof(a), NULL, 0));
        assert_true(client_command(sock, 2, VU_DMA_MAP, 0, &d, sizeof(d), &ram[i], 1));
        d.addr += 0x1000000;
        assert_true(client_command(sock, 3, VU_DMA_MAP, 0, &d, sizeof(d), NULL, 0));
    }
    for (uint32_t i = 0; i < 3 * N; i++) {
        struct client_reply r;

        assert_true(client_recv(sock, &r));
        assert_int_equal(r.h.id, i % 3 + 1);
        assert_int_equal(r.h.error, 0);
    }
    for (uint32_t i = 0; i < N; i++) {
        uint32_t v = 999;

        assert_int_equal(server_mem_read(s, 0x100000 + i * UINT64_C(0x1000), &v, 4), 0);
        assert_int_equal(v, i);
        assert_int_equal(server_mem_read(s, 0x1100000 + i * UINT64_C(0x1000), &v, 4), -EFAULT);
        close(ram[i]);
    }
    finish(s, sock);
}

static void unwanted_descriptors_are_refused_and_closed(void **state)
{
    struct server *s;
    int sock = server_ready(&s), fds[40];
    struct vu_dma_map d = {sizeof(d), RW, 0, 0x1000, 0x1000};
    struct client_reply r;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(fds); i++)
        fds[i] = make_memfd(0x1000);
    int open_fds = count_open_fds();

    assert_int_equal(client_call(sock, VU_DMA_MAP, &d, sizeof(d), fds, 8, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_DMA_MAP, &d, sizeof(d), fds, 9, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_DMA_MAP, &d, sizeof(d), fds, 40, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_DEVICE_RESET, NULL, 0, fds, 1, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_DEVICE_RESET, NULL, 0, fds, 20, &r), EINVAL);
    assert_int_equal(client_call(sock, 999, NULL, 0, fds, 3, &r), EINVAL);
    assert_true(client_command(sock, 5, VU_DMA_MAP, VU_TYPE_REPLY, &d, sizeof(d), fds, 4));
    /* Too many in all, one with each byte. */
    struct vu_header h = {.id = 1, .command = VU_DEVICE_RESET, .size = sizeof(h)};
    for (unsigned i = 0; i < sizeof(h); i++)
        assert_true(client_send(sock, (uint8_t *)&h + i, 1, &fds[i], 1));
    assert_true(client_recv(sock, &r));
    assert_int_equal(r.h.error, EINVAL);
    assert_int_equal(s->resets, 0);
    assert_int_equal(count_open_fds(), open_fds);
    assert_int_equal(client_call(sock, VU_DMA_MAP, &d, sizeof(d), fds, 1, &r), 0); /* nothing is left over */
    assert_int_equal(count_open_fds(), open_fds + 1); /* of the guest's memory: kept for dma-bufs of it */
    assert_int_equal(client_dma_unmap(sock, 0x1000, 0x1000, 0), 0);
    assert_int_equal(count_open_fds(), open_fds);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(fds); i++)
        close(fds[i]);
    finish(s, sock);
}

static void polling_serves_the_same(void **state)
{
    struct server *s;
    int sock = server_pair(&s);
    struct client_reply r;
    uint32_t v;

    (void)state;
    s->spin_us = 100;
    assert_int_equal(client_version(sock, NULL, &r), 0);
    for (uint32_t i = 0; i < 2000; i++) {
        assert_int_equal(client_region_read(sock, IOREQ_BAR0, i * 4, 4, &v), 0);
        assert_int_equal(memcmp(&v, s->bar0 + i * 4, 4), 0);
    }
    finish(s, sock);
}

static void many_small_messages_in_one_send(void **state)
{
    enum { N = 1500 };
    struct server *s;
    int sock = server_ready(&s);
    struct {
        struct vu_header h;
        struct vu_region_access a;
    } m[N];

    (void)state;
    for (unsigned i = 0; i < N; i++) {
        m[i].h = (struct vu_header){.id = (uint16_t)i, .command = VU_REGION_READ, .size = sizeof(m[0])};
        m[i].h.flags = i == N - 1 ? 0 : VU_NO_REPLY;
        m[i].a = (struct vu_region_access){.offset = i, .region = IOREQ_BAR0, .count = 1};
    }
    assert_true(client_send(sock, m, sizeof(m), NULL, 0));
    struct client_reply r;
    assert_true(client_recv(sock, &r));
    assert_int_equal(r.h.id, N - 1);
    assert_int_equal(s->accesses, N);
    finish(s, sock);
}

/* ---- ends */

static void a_disconnect_in_any_byte_is_clean(void **state)
{
    struct {
        struct vu_header h;
        struct vu_dma_map d;
    } m = {{.id = 3, .command = VU_DMA_MAP, .size = sizeof(m)}, {sizeof(m.d), RW, 0, 0x1000, 0x1000}};

    (void)state;
    for (unsigned n = 0; n < sizeof(m); n += 3) {
        struct server *s;
        int sock = server_ready(&s), ram = make_memfd(0x1000);
        uint32_t v;

        assert_int_equal(client_dma_map(sock, 0x100000, 0x1000, 0, RW, ram), 0);
        if (n)
            assert_true(client_send(sock, &m, n, &ram, 1));
        close(ram);
        close(sock);
        wait_for(&s->gone, 1);
        assert_int_equal(s->disconnects, 1);
        assert_int_equal(s->begins, 2);
        assert_int_equal(server_mem_read(s, 0x100000, &v, 4), -EFAULT);
        server_free(s); /* checks descriptors */
    }
}

static void a_lone_connection_ends_with_enotconn(void **state)
{
    struct server *s;
    int sock = server_pair(&s); /* without handshake */

    (void)state;
    close(sock);
    wait_for(&s->gone, 1);
    assert_int_equal(s->disconnects, 0); /* it had never been told of */
    assert_int_equal(s->t->ops->dispatch(s->t, 0), -ENOTCONN);
    server_free(s);
}

static void a_client_that_takes_no_replies_is_dropped(void **state)
{
    struct vu_region_access a = {.region = IOREQ_BAR0, .count = VU_MAX_XFER};
    struct server *s;
    int sock = server_ready(&s);

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_true(client_command(sock, 1, VU_REGION_READ, 0, &a, sizeof(a), NULL, 0));
    wait_for(&s->gone, 1);
    finish(s, sock);
}

static void close_with_a_client_frees_all(void **state)
{
    struct server *s;
    int sock = server_ready(&s), ram = make_memfd(0x1000), efd = eventfd(0, 0);

    (void)state;
    assert_int_equal(client_dma_map(sock, 0x1000, 0x1000, 0, RW, ram), 0);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, efd), 0);
    close(ram);
    close(efd);
    close(sock);
    server_free(s);
}

/* ---- the socket file */

struct place {
    char dir[40], path[60], err[300];
};

static void place_make(struct place *p)
{
    strcpy(p->dir, "/tmp/gtmux-test-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/sock", p->dir);
    p->err[0] = '\0';
}

static void place_remove(struct place *p)
{
    unlink(p->path);
    assert_int_equal(rmdir(p->dir), 0);
}

static int try_open(struct place *p, struct server *s, struct ioreq_transport **t)
{
    struct ioreq_config c = server_config(s);
    struct ioreq_vfio_user_options o = {.path = p->path};

    return ioreq_vfio_user_open(t, &c, &o, p->err, sizeof(p->err));
}

static struct server *open_server(struct place *p)
{
    struct server *s = server_new();

    assert_int_equal(try_open(p, s, &s->t), 0);
    server_start(s);
    return s;
}

static void clients_come_and_go(void **state)
{
    struct place p;

    (void)state;
    place_make(&p);
    struct server *s = open_server(&p);

    for (unsigned i = 1; i <= 3; i++) {
        int sock = client_connect(p.path), ram = make_memfd(0x1000), efd = eventfd(0, EFD_NONBLOCK);
        struct client_reply r;
        uint32_t v;

        assert_int_equal(client_version(sock, NULL, &r), 0);
        assert_int_equal(server_mem_read(s, 0x1000, &v, 4), -EFAULT); /* nothing of the last one */
        assert_int_equal(s->t->ops->irq(s->t), -ENOTCONN);
        assert_int_equal(client_dma_map(sock, 0x1000, 0x1000, 0, RW, ram), 0);
        assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, efd), 0);
        assert_int_equal(s->t->ops->irq(s->t), 0);
        assert_true(client_send(sock, "abc", 3, NULL, 0)); /* a beginning that the next client must not inherit */
        close(ram);
        close(efd);
        close(sock);
        wait_for(&s->gone, i);
        assert_int_equal(s->connects, i);
        assert_int_equal(s->disconnects, i);
    }
    server_free(s);
    assert_int_equal(access(p.path, F_OK), -1); /* close has removed it */
    place_remove(&p);
}

static void a_visitor_is_no_client(void **state)
{
    struct place p;
    struct client_reply r;

    (void)state;
    place_make(&p);
    struct server *s = open_server(&p);

    close(client_connect(p.path));
    int sock = client_connect(p.path);

    assert_int_equal(client_version(sock, NULL, &r), 0);
    assert_int_equal(s->connects, 1);
    assert_int_equal(s->disconnects + s->gone, 0);
    finish(s, sock);
    place_remove(&p);
}

static void a_second_client_waits_for_its_turn(void **state)
{
    struct place p;
    struct client_reply r;
    uint32_t v;

    (void)state;
    place_make(&p);
    struct server *s = open_server(&p);
    int first = client_connect(p.path), second;

    assert_int_equal(client_version(first, NULL, &r), 0);
    second = client_connect(p.path);
    assert_true(second >= 0);
    assert_true(client_command(second, 1, VU_VERSION, 0, "\0\0\0", 4, NULL, 0));
    assert_int_equal(client_region_read(first, IOREQ_BAR0, 0, 4, &v), 0); /* undisturbed */
    struct pollfd pf = {.fd = second, .events = POLLIN};
    assert_int_equal(poll(&pf, 1, 50), 0);
    close(first);
    assert_true(client_recv(second, &r));
    assert_int_equal(r.h.error, 0);
    assert_int_equal(client_region_read(second, IOREQ_BAR0, 0, 4, &v), 0);
    finish(s, second);
    place_remove(&p);
}

static void only_the_owner_may_connect(void **state)
{
    struct place p;
    struct stat st;

    (void)state;
    place_make(&p);
    mode_t old = umask(0);
    struct server *s = open_server(&p);

    umask(old);
    assert_int_equal(stat(p.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
    server_free(s);
    place_remove(&p);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct place p;
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    (void)state;
    place_make(&p);
    strcpy(a.sun_path, p.path);
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
    close(dead); /* as a killed server leaves it */
    struct server *s = open_server(&p);
    int sock = client_connect(p.path);
    struct client_reply r;

    assert_int_equal(client_version(sock, NULL, &r), 0);
    finish(s, sock);
    place_remove(&p);
}

static void anything_else_in_the_way_is_left_alone(void **state)
{
    struct place p;
    struct ioreq_transport *t;
    struct server *s = server_new();
    struct stat st;

    (void)state;
    place_make(&p);
    close(open(p.path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(try_open(&p, s, &t), -EEXIST);
    assert_non_null(strstr(p.err, "is not a socket"));
    assert_int_equal(stat(p.path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    unlink(p.path);
    assert_int_equal(symlink("/dev/null", p.path), 0);
    assert_int_equal(try_open(&p, s, &t), -EEXIST);
    unlink(p.path);

    assert_int_equal(try_open(&p, s, &s->t), 0);
    assert_int_equal(try_open(&p, s, &t), -EADDRINUSE); /* somebody listens: it is us */
    assert_non_null(strstr(p.err, "in use"));
    close(client_connect(p.path)); /* the queue, where the last attempt left one, is full now: still not stale */
    assert_int_equal(try_open(&p, s, &t), -EADDRINUSE);
    assert_int_equal(stat(p.path, &st), 0);
    server_start(s);
    server_free(s);
    place_remove(&p);
}

static void another_servers_file_is_not_removed(void **state)
{
    struct place p;

    (void)state;
    place_make(&p);
    struct server *s = open_server(&p);

    unlink(p.path);
    close(open(p.path, O_CREAT | O_WRONLY, 0600));
    server_free(s);
    assert_int_equal(access(p.path, F_OK), 0);
    place_remove(&p);
}

static void bad_options_are_explained(void **state)
{
    struct server *s = server_new();
    struct ioreq_transport *t;
    struct place p = {.err = ""};
    struct ioreq_config c = server_config(s);
    char path[200];
    struct ioreq_vfio_user_options o = {.path = path};

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(ioreq_vfio_user_open(&t, &c, &o, p.err, sizeof(p.err)), -EINVAL);
    assert_non_null(strstr(p.err, "shorter"));
    path[0] = '\0';
    assert_int_equal(ioreq_vfio_user_open(&t, &c, &o, p.err, sizeof(p.err)), -EINVAL);
    strcpy(path, "/nonexistent/sock");
    assert_int_equal(ioreq_vfio_user_open(&t, &c, &o, p.err, sizeof(p.err)), -ENOENT);
    assert_non_null(strstr(p.err, "/nonexistent/sock"));
    c.region[IOREQ_BAR0].mmap_size = BAR0_SIZE;
    assert_int_equal(ioreq_vfio_user_open(&t, &c, &o, p.err, sizeof(p.err)), -EINVAL);
    assert_non_null(strstr(p.err, "region 0"));
    assert_int_equal(ioreq_vfio_user_from_fd(&t, &c, dup(0), p.err, sizeof(p.err)), -EINVAL);
    c = server_config(s);
    c.events = NULL;
    assert_int_equal(ioreq_vfio_user_open(&t, &c, &o, p.err, sizeof(p.err)), -EINVAL);
    close(s->stop);
    close(s->window_fd);
    assert_int_equal(count_open_fds(), s->open_fds);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_echoed_and_no_reply_is_honoured),
        cmocka_unit_test(unknown_commands_and_types_get_errors),
        cmocka_unit_test(impossible_sizes_end_the_connection),
        cmocka_unit_test(a_message_may_come_in_pieces),
        cmocka_unit_test(pipelined_descriptors_stay_with_their_messages),
        cmocka_unit_test(unwanted_descriptors_are_refused_and_closed),
        cmocka_unit_test(polling_serves_the_same),
        cmocka_unit_test(many_small_messages_in_one_send),
        cmocka_unit_test(a_disconnect_in_any_byte_is_clean),
        cmocka_unit_test(a_lone_connection_ends_with_enotconn),
        cmocka_unit_test(a_client_that_takes_no_replies_is_dropped),
        cmocka_unit_test(close_with_a_client_frees_all),
        cmocka_unit_test(clients_come_and_go),
        cmocka_unit_test(a_visitor_is_no_client),
        cmocka_unit_test(a_second_client_waits_for_its_turn),
        cmocka_unit_test(only_the_owner_may_connect),
        cmocka_unit_test(a_stale_socket_is_replaced),
        cmocka_unit_test(anything_else_in_the_way_is_left_alone),
        cmocka_unit_test(another_servers_file_is_not_removed),
        cmocka_unit_test(bad_options_are_explained),
    };

    gt_log_set_level(GT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
