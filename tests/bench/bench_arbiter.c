/* What an engine costs: acquire and release by the library of tenants, beside a function call and a mutex. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/arbiter/arbiter.h"
#include "mediator/arbiter/tenant.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define ROUNDS   2000000u
#define SWITCHES 3000u

static char dir[] = "/tmp/gtmux-bench-XXXXXX";
static atomic_bool stop;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void nothing(void *ctx, unsigned engine)
{
    (void)ctx;
    (void)engine;
}

static void (*volatile call)(void *ctx, unsigned engine) = nothing;

static double now_ns(void)
{
    return (double)gt_clock_ns();
}

/* ---- gtmuxd in a child */

static int pipe_fds[2];

static void ready(void)
{
    (void)!write(pipe_fds[1], "r", 1);
}

static pid_t start_gtmuxd(void)
{
    struct arbiter_options o = {.run_dir = dir, .listen_fd = -1, .admin_fd = -1};
    struct arbiter *a;
    char err[200], byte;
    sigset_t set;

    if (pipe(pipe_fds))
        return -1;
    pid_t pid = fork();

    if (pid == 0) {
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        if (arbiter_open(&a, &o, err, sizeof(err)))
            _exit(1);
        arbiter_run(a, ready);
        arbiter_close(a);
        _exit(0);
    }
    return read(pipe_fds[0], &byte, 1) == 1 ? pid : -1;
}

static struct tenant *make_tenant(const char *name)
{
    const struct tenant_options o = {.kind = ARBITER_DM, .name = name, .preempt = nothing};
    struct tenant *t = tenant_create(&o);
    char path[200], err[200] = "";

    snprintf(path, sizeof(path), "%s/" ARBITER_SOCKET, dir);
    if (!t || tenant_connect(t, path, err, sizeof(err)) || tenant_start(t)) {
        fprintf(stderr, "cannot register: %s\n", err);
        exit(1);
    }
    return t;
}

/* ---- figures */

static double pair_ns(struct tenant *t)
{
    double start = now_ns();

    for (unsigned i = 0; i < ROUNDS; i++) {
        tenant_acquire(t, 0);
        tenant_release(t, 0, false, i);
    }
    return (now_ns() - start) / ROUNDS;
}

static double call_ns(void)
{
    double start = now_ns();

    for (unsigned i = 0; i < ROUNDS; i++) {
        call(NULL, 0);
        call(NULL, 0);
    }
    return (now_ns() - start) / ROUNDS;
}

static double mutex_ns(void)
{
    double start = now_ns();

    for (unsigned i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    return (now_ns() - start) / ROUNDS;
}

static void *rival(void *arg)
{
    while (!atomic_load(&stop)) {
        tenant_acquire(arg, 0);
        tenant_release(arg, 0, false, 0);
    }
    return NULL;
}

/* Both want it all the time and give it back at once: each round is one change of hands. */
static double switch_us(struct tenant *t)
{
    struct tenant *other = make_tenant("other");
    pthread_t thread;

    if (pthread_create(&thread, NULL, rival, other))
        exit(1);
    double start = now_ns();

    for (unsigned i = 0; i < SWITCHES; i++) {
        tenant_acquire(t, 0);
        tenant_release(t, 0, true, i);
    }
    double us = (now_ns() - start) / SWITCHES / 1000;

    atomic_store(&stop, true);
    tenant_stop(other);
    pthread_join(thread, NULL);
    tenant_destroy(other);
    return us;
}

int main(void)
{
    int status = 1;

    gt_log_set_level(GT_LOG_ERROR);
    if (!mkdtemp(dir))
        return 1;
    pid_t pid = start_gtmuxd();

    if (pid < 0)
        return 1;
    struct tenant *t = make_tenant("bench");

    printf("two function calls %.1f ns, a mutex without rival %.1f ns\n", call_ns(), mutex_ns());
    printf("acquire + release: not configured %.1f ns, nobody else wants the engine %.1f ns\n", pair_ns(NULL),
           pair_ns(t));
    printf("acquire + release with a rival, through gtmuxd: %.1f us\n", switch_us(t));
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    printf("acquire + release after gtmuxd has gone: %.1f ns\n", pair_ns(t));
    tenant_destroy(t);
    (void)!rmdir(dir);
    return status != 0;
}
