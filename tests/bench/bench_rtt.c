/*
 * Round trip of a trapped 4 byte read over vfio-user: a client process reads 20,000 times, in rounds that take turns
 * between
 *   ours/0     this repository's server, sleeping in poll() between messages
 *   ours/60    the same, polling for 60 us before it sleeps
 *   plain      a minimal server: poll, read the header, read the body, reply. The least that the protocol needs
 *   peer       any other server whose program is named by LIBVFIO_USER_SERVER: run as "program socket-path", with a
 *              region 2 of at least 4 bytes (libvfio-user's gpio-pci-idio-16 sample)
 * The client blocks in recv() as QEMU does. It is measured twice: with the CPUs that the scheduler chooses, which is
 * mostly one for both ends, and with client and server on a CPU each, as QEMU's threads tend to make it. Prints
 * microseconds: least, p50, p90, and p50 relative to ours/0.
 *
 * usage: bench_rtt [reads [rounds [think]]], think: us of work by the client between two reads
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "ioreq/vfio_user.h"
#include "tests/unit/vfio_user_client.h"
#include "vgpu/base/log.h"

#define SPIN_US   60
#define MAX_READS 1000000L

struct variant {
    const char *name;
    void (*serve)(const char *path); /* in a child process; does not return */
    char path[100];
    pid_t pid;
    int sock;
    double *us; /* one of each read */
    long n;
};

static void on_access(void *ctx, struct ioreq_access *a)
{
    (void)ctx;
    a->data = a->off;
}

static const struct ioreq_events events = {.access = on_access};

static void serve_ours(const char *path, unsigned spin_us)
{
    struct ioreq_config cfg = {.events = &events};
    struct ioreq_vfio_user_options opt = {.path = path};
    struct ioreq_transport *t;
    char err[300];

    cfg.region[IOREQ_BAR2] =
        (struct ioreq_region_info){.size = 4096, .readable = true, .writable = true, .mmap_fd = -1};
    if (ioreq_vfio_user_open(&t, &cfg, &opt, err, sizeof(err))) {
        fprintf(stderr, "bench_rtt: %s\n", err);
        _exit(1);
    }
    for (int ret = 0; ret == 0;) {
        struct pollfd p = {.fd = t->ops->fd(t), .events = POLLIN};

        poll(&p, 1, -1);
        ret = t->ops->dispatch(t, spin_us);
    }
    t->ops->close(t);
    _exit(0);
}

static void serve_sleeping(const char *path)
{
    serve_ours(path, 0);
}

static void serve_spinning(const char *path)
{
    serve_ours(path, SPIN_US);
}

static bool receive_all(int sock, void *buf, size_t n)
{
    return recv(sock, buf, n, MSG_WAITALL) == (ssize_t)n;
}

/* VERSION and REGION_READ, and nothing is checked: only a measure. */
static void serve_plain(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), sock = -1;

    strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
    if (!bind(l, (struct sockaddr *)&a, sizeof(a)) && !listen(l, 1))
        sock = accept(l, NULL, NULL);
    struct {
        struct vu_header h;
        uint8_t body[1024];
    } m;

    for (;;) {
        struct pollfd p = {.fd = sock, .events = POLLIN};

        poll(&p, 1, -1);
        if (!receive_all(sock, &m.h, sizeof(m.h)) || m.h.size > sizeof(m) ||
            !receive_all(sock, m.body, m.h.size - sizeof(m.h)))
            break;
        if (m.h.command == VU_REGION_READ)
            m.h.size += 4;
        m.h.flags = VU_TYPE_REPLY;
        if (send(sock, &m, m.h.size, MSG_NOSIGNAL) < 0)
            break;
    }
    unlink(path);
    _exit(0);
}

static void serve_peer(const char *path)
{
    const char *program = getenv("LIBVFIO_USER_SERVER");

    execl(program, program, path, (char *)NULL);
    perror(program);
    _exit(1);
}

static double now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static bool start(struct variant *v)
{
    struct client_reply r;

    v->sock = -1;
    v->pid = fork();
    if (!v->pid)
        v->serve(v->path);
    for (int i = 0; v->sock < 0 && i < 500; i++) {
        usleep(10000);
        v->sock = client_connect(v->path);
    }
    if (v->sock < 0 || client_version(v->sock, NULL, &r)) {
        fprintf(stderr, "bench_rtt: %s does not answer\n", v->name);
        return false;
    }
    return true;
}

/* Puts a process on one CPU; pid 0 is this one. */
static void pin(pid_t pid, int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(pid, sizeof(set), &set))
        perror("bench_rtt: sched_setaffinity");
}

/* What the guest does between two accesses, on the CPU. */
static void think(long us)
{
    for (double end = now_us() + (double)us; now_us() < end;)
        ;
}

static bool run(struct variant *v, long reads, long think_us)
{
    struct {
        struct vu_header h;
        struct vu_region_access a;
        uint32_t data;
    } __attribute__((packed)) m, r;

    for (long i = 0; i < reads; i++) {
        m.h = (struct vu_header){.id = (uint16_t)i, .command = VU_REGION_READ, .size = sizeof(m) - sizeof(m.data)};
        m.a = (struct vu_region_access){.region = IOREQ_BAR2, .count = 4};
        if (think_us)
            think(think_us);
        double t0 = now_us();

        if (send(v->sock, &m, m.h.size, MSG_NOSIGNAL) != (ssize_t)m.h.size || !receive_all(v->sock, &r, sizeof(r)) ||
            r.h.id != m.h.id || (r.h.flags & VU_ERROR)) {
            fprintf(stderr, "bench_rtt: %s: bad reply to read %ld\n", v->name, i);
            return false;
        }
        v->us[v->n++] = now_us() - t0;
    }
    return true;
}

static void stop(struct variant *v)
{
    if (v->sock >= 0)
        close(v->sock);
    if (v->pid > 0) {
        usleep(20000); /* ours ends by itself, and removes its socket */
        kill(v->pid, SIGTERM);
        waitpid(v->pid, NULL, 0);
    }
    unlink(v->path);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void report(struct variant *v, double *base)
{
    qsort(v->us, (size_t)v->n, sizeof(v->us[0]), by_value);
    double p50 = v->us[v->n / 2];

    if (*base == 0)
        *base = p50;
    printf("%-8s %9.2f %9.2f %9.2f %9.2f\n", v->name, v->us[0], p50, v->us[v->n * 9 / 10], p50 / *base);
}

/* All variants in turns, and their table. */
static bool measure(struct variant *variants, unsigned n, long reads, long rounds, long think_us, const char *title)
{
    double base = 0;

    for (unsigned i = 0; i < n; i++)
        variants[i].n = 0;
    for (long round = 0; round < rounds; round++)
        for (unsigned i = 0; i < n; i++)
            if (!run(&variants[i], reads, think_us))
                return false;
    printf("%s: %ld x %ld reads, %ld us apart; us\n%-8s %9s %9s %9s %9s\n", title, rounds, reads, think_us, "server",
           "min", "p50", "p90", "p50/first");
    for (unsigned i = 0; i < n; i++)
        report(&variants[i], &base);
    return true;
}

/* A number of min..max from the command line. */
static bool number(const char *text, long min, long max, long *out)
{
    char *end;

    *out = strtol(text, &end, 10);
    return *text && !*end && *out >= min && *out <= max;
}

int main(int argc, char **argv)
{
    struct variant variants[] = {{.name = "ours/0", .serve = serve_sleeping},
                                 {.name = "ours/60", .serve = serve_spinning},
                                 {.name = "plain", .serve = serve_plain},
                                 {.name = "peer", .serve = serve_peer}};
    unsigned n = getenv("LIBVFIO_USER_SERVER") ? 4 : 3;
    char dir[] = "/tmp/gtmux-bench-XXXXXX";
    long reads = 20000, rounds = 3, think_us = 0;
    bool ok = true;

    if (argc > 4 || (argc > 1 && !number(argv[1], 1, MAX_READS, &reads)) ||
        (argc > 2 && !number(argv[2], 1, 100, &rounds)) || (argc > 3 && !number(argv[3], 0, 100000, &think_us))) {
        fprintf(stderr, "usage: bench_rtt [reads (1..%ld) [rounds (1..100) [think us (0..100000)]]]\n", MAX_READS);
        return 2;
    }
    gt_log_set_level(GT_LOG_ERROR);
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    for (unsigned i = 0; i < n; i++) {
        snprintf(variants[i].path, sizeof(variants[i].path), "%s/%u", dir, i);
        variants[i].us = calloc((size_t)(reads * rounds), sizeof(double));
        ok = variants[i].us && start(&variants[i]) && ok;
    }
    ok = ok && measure(variants, n, reads, rounds, think_us, "any CPU");
    if (ok && sysconf(_SC_NPROCESSORS_ONLN) > 1) {
        pin(0, 0);
        for (unsigned i = 0; i < n; i++)
            pin(variants[i].pid, 1);
        ok = measure(variants, n, reads, rounds, think_us, "two CPUs");
    }
    for (unsigned i = 0; i < n; i++) {
        stop(&variants[i]);
        free(variants[i].us);
    }
    rmdir(dir);
    return ok ? 0 : 1;
}
