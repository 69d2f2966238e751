/* Runs a vfio-user transport on a thread of its own and records what it tells. For the unit tests. */
#ifndef GTMUX_TESTS_VFIO_USER_SERVER_H
#define GTMUX_TESTS_VFIO_USER_SERVER_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "ioreq/vfio_user.h"
#include "tests/unit/vfio_user_client.h"

#define BAR0_SIZE  (2u << 20)
#define WINDOW     (64u << 10) /* the part of BAR0 that clients may map: its last bytes */
#define MAX_LOGGED 64

struct server {
    struct ioreq_transport *t;
    pthread_t thread;
    int stop; /* eventfd */
    int window_fd;
    _Atomic unsigned spin_us;
    pthread_rwlock_t memory; /* the bracket: written to while the map changes, read by those who use it */
    int open_fds;            /* before anything was opened */
    uint8_t bar0[BAR0_SIZE];
    struct ioreq_access log[MAX_LOGGED];
    _Atomic unsigned accesses, resets, begins, ends, connects, disconnects, gone;
    _Atomic int broken; /* what dispatch returned when it was negative */
};

static inline void on_access(void *ctx, struct ioreq_access *a)
{
    struct server *s = ctx;

    if (a->off + a->size > (a->region == IOREQ_CONFIG ? 256 : BAR0_SIZE))
        abort(); /* cmocka cannot fail a test from another thread */
    if (s->accesses < MAX_LOGGED)
        s->log[s->accesses] = *a;
    s->accesses++;
    if (a->write)
        memcpy(s->bar0 + a->off, &a->data, a->size);
    else
        memcpy(&a->data, s->bar0 + a->off, a->size);
}

static inline void on_reset(void *ctx)
{
    ((struct server *)ctx)->resets++;
}

static inline void on_memory_begin(void *ctx)
{
    struct server *s = ctx;

    pthread_rwlock_wrlock(&s->memory);
    s->begins++;
}

static inline void on_memory_end(void *ctx)
{
    struct server *s = ctx;

    s->ends++;
    pthread_rwlock_unlock(&s->memory);
}

static inline void on_connected(void *ctx)
{
    ((struct server *)ctx)->connects++;
}

static inline void on_disconnected(void *ctx)
{
    ((struct server *)ctx)->disconnects++;
}

static const struct ioreq_events server_events = {
    .access = on_access,
    .reset = on_reset,
    .memory_begin = on_memory_begin,
    .memory_end = on_memory_end,
    .connected = on_connected,
    .disconnected = on_disconnected,
};

static inline int count_open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static inline int make_memfd(size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

/* BAR0 with a window to map, BAR4 read only, config space. */
static inline struct ioreq_config server_config(struct server *s)
{
    struct ioreq_config c = {.events = &server_events, .ctx = s};

    for (unsigned i = 0; i < IOREQ_REGIONS; i++)
        c.region[i].mmap_fd = -1;
    c.region[IOREQ_BAR0] = (struct ioreq_region_info){.size = BAR0_SIZE,
                                                      .readable = true,
                                                      .writable = true,
                                                      .mmap_fd = s->window_fd,
                                                      .mmap_off = BAR0_SIZE - WINDOW,
                                                      .mmap_size = WINDOW,
                                                      .mmap_fd_off = 4096};
    c.region[IOREQ_BAR4] = (struct ioreq_region_info){.size = 64, .readable = true, .mmap_fd = -1};
    c.region[IOREQ_CONFIG] = (struct ioreq_region_info){.size = 256, .readable = true, .writable = true, .mmap_fd = -1};
    return c;
}

static inline void *server_loop(void *arg)
{
    struct server *s = arg;

    for (;;) {
        struct pollfd p[2] = {{.fd = s->t->ops->fd(s->t), .events = POLLIN}, {.fd = s->stop, .events = POLLIN}};

        poll(p, 2, -1);
        if (p[1].revents)
            return NULL;
        int ret = s->t->ops->dispatch(s->t, s->spin_us);
        if (ret == 1)
            s->gone++;
        if (ret < 0) {
            s->broken = ret;
            return NULL;
        }
    }
}

static inline struct server *server_new(void)
{
    int open_fds = count_open_fds();
    struct server *s = calloc(1, sizeof(*s));

    s->open_fds = open_fds;
    pthread_rwlock_init(&s->memory, NULL);
    s->stop = eventfd(0, EFD_CLOEXEC);
    s->window_fd = make_memfd(WINDOW + 4096);
    for (unsigned i = 0; i < BAR0_SIZE; i++)
        s->bar0[i] = (uint8_t)(i * 7 + (i >> 8));
    return s;
}

static inline void server_start(struct server *s)
{
    assert_int_equal(pthread_create(&s->thread, NULL, server_loop, s), 0);
}

static inline void server_stop(struct server *s)
{
    uint64_t one = 1;

    assert_int_equal(write(s->stop, &one, sizeof(one)), sizeof(one));
    pthread_join(s->thread, NULL);
}

/* Ends it, and checks that no descriptor was leaked. The client must have closed its own. */
static inline void server_free(struct server *s)
{
    int before = s->open_fds;

    server_stop(s);
    s->t->ops->close(s->t);
    assert_int_equal(s->begins, s->ends);
    close(s->stop);
    close(s->window_fd);
    free(s);
    assert_int_equal(count_open_fds(), before);
}

/* Guest memory from a test's thread. */
static inline int server_mem_read(struct server *s, uint64_t gpa, void *dst, size_t n)
{
    pthread_rwlock_rdlock(&s->memory);
    int ret = s->t->ops->mem_read(s->t, gpa, dst, n);

    pthread_rwlock_unlock(&s->memory);
    return ret;
}

/* Waits up to 10 s for a counter that the server's thread changes. */
static inline void wait_for(_Atomic unsigned *counter, unsigned value)
{
    for (int i = 0; *counter != value && i < 10000; i++)
        usleep(1000);
    assert_int_equal(*counter, value);
}

/* A server on one end of a socket pair; returns the client's end, which has not spoken yet. */
static inline int server_pair(struct server **out)
{
    struct server *s = server_new();
    struct ioreq_config c = server_config(s);
    char err[200] = "";
    int sv[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    assert_int_equal(ioreq_vfio_user_from_fd(&s->t, &c, sv[0], err, sizeof(err)), 0);
    server_start(s);
    *out = s;
    return sv[1];
}

/* The same after the handshake. */
static inline int server_ready(struct server **out)
{
    struct client_reply r;
    int sock = server_pair(out);

    assert_int_equal(client_version(sock, NULL, &r), 0);
    return sock;
}

#endif
