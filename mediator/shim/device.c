/* The one device of the process: its lock, its queue of jobs and the thread that runs them. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define FD_FLOOR_MAX 65536u

struct shim shim = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct deferred {
    struct deferred *next;
    void (*fn)(void *object);
    void *object;
};

static struct {
    pthread_once_t once;
    int status;
    pthread_cond_t work;
    struct shim_job *first, **end;
    struct deferred *deferred;
    pthread_t thread;
    bool threaded; /* the thread is there */
} queue = {.once = PTHREAD_ONCE_INIT};

/* ---- waiting */

void shim_lock(void)
{
    pthread_mutex_lock(&shim.lock);
}

void shim_unlock(void)
{
    pthread_mutex_unlock(&shim.lock);
}

int64_t shim_deadline(int64_t relative_ns)
{
    int64_t now = (int64_t)gt_clock_ns();

    return relative_ns < 0 || relative_ns > INT64_MAX - now ? INT64_MAX : now + relative_ns;
}

int shim_wait_change(int64_t deadline)
{
    struct timespec ts = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};

    if (deadline == INT64_MAX)
        return -pthread_cond_wait(&shim.changed, &shim.lock);
    return deadline > 0 && !pthread_cond_timedwait(&shim.changed, &shim.lock, &ts) ? 0 : -ETIME;
}

int shim_wait_job(uint64_t job, int64_t deadline)
{
    while (shim.done < job) {
        int rc = shim_wait_change(deadline);

        if (rc && shim.done < job)
            return rc;
    }
    return 0;
}

/* ---- what has to wait until no job runs */

static void run_deferred(void)
{
    while (queue.deferred) {
        struct deferred *d = queue.deferred;

        queue.deferred = d->next;
        d->fn(d->object);
        free(d);
    }
}

void shim_when_idle(void (*fn)(void *object), void *object)
{
    struct deferred *d;

    if (!shim.running) {
        fn(object);
        return;
    }
    d = malloc(sizeof(*d));
    if (!d)
        return; /* the object stays: a leak is better than memory that the GPU still reaches */
    *d = (struct deferred){queue.deferred, fn, object};
    queue.deferred = d;
}

/* ---- the thread */

static int bind_objects(struct shim_job *job)
{
    for (unsigned i = 0; i < job->nbos; i++) {
        int rc = shim_vm_bind(job->context->vm, job->bo[i].bo, job->bo[i].addr);

        if (rc)
            return rc;
    }
    return 0;
}

static int run_job(struct shim_job *job)
{
    struct shim_context *c = job->context;
    struct gpu_context **hw = &c->hw[job->slot];
    enum gpu_result result;

    if (c->banned)
        return -EIO;
    if (bind_objects(job))
        return -ENOMEM;
    if (!*hw)
        *hw = gpu_context_create(c->vm->vm, job->engine);
    if (!*hw)
        return -ENOMEM;
    shim.running = true;
    shim_unlock();
    result = gpu_context_run(*hw, job->batch);
    shim_lock();
    shim.running = false;
    gpu_stop(shim.gpu, false);
    if (result == GPU_DONE)
        return 0;
    c->hangs++;
    c->banned = c->bannable && !c->recoverable;
    return -EIO;
}

static void finish_job(struct shim_job *job, int error)
{
    shim.done = job->number;
    shim_fence_signal(job->fence, error);
    for (unsigned i = 0; i < job->nbos; i++)
        shim_bo_unref(job->bo[i].bo);
    shim_fence_unref(job->fence);
    shim_context_unref(job->context);
    free(job);
    pthread_cond_broadcast(&shim.changed);
}

static void *gpu_thread(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "gtmux-gpu");
    shim_lock();
    for (;;) {
        struct shim_job *job = queue.first;

        if (!job) {
            pthread_cond_wait(&queue.work, &shim.lock);
            continue;
        }
        queue.first = job->next;
        if (!queue.first)
            queue.end = &queue.first;
        int error = run_job(job);

        run_deferred();
        if (error)
            gt_warn("job %llu failed: %s", (unsigned long long)job->number, strerror(-error));
        finish_job(job, error);
    }
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(void)
{
    pthread_attr_t attr;
    sigset_t all, old;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&queue.thread, &attr, gpu_thread, NULL);

    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    queue.threaded = !rc;
    return -rc;
}

void shim_submit(struct shim_job *job)
{
    if (!queue.threaded && start_thread()) {
        finish_job(job, -EIO);
        return;
    }
    job->next = NULL;
    *queue.end = job;
    queue.end = &job->next;
    pthread_cond_signal(&queue.work);
}

/* ---- start */

/* The child gets the GPU's memory as it is: not in the midst of a job. */
static void before_fork(void)
{
    shim_lock();
    while (shim.running)
        pthread_cond_wait(&shim.changed, &shim.lock);
}

static void init_conditions(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&shim.changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&queue.work, NULL);
}

/* After a fork the child has the memory, but neither the thread nor its jobs; nor those who waited. */
static void in_child(void)
{
    shim.pid = getpid();
    pthread_mutex_init(&shim.lock, NULL);
    init_conditions();
    queue.threaded = false;
    queue.first = NULL;
    queue.end = &queue.first;
    shim.done = shim.submitted;
    if (shim.gpu)
        gpu_forked(shim.gpu);
    shim_turns_forked();
}

/* Each buffer object has a descriptor. */
static void raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    shim.fd_floor = (int)GT_MIN(limit.rlim_cur / 4, FD_FLOOR_MAX);
}

static unsigned env_number(const char *name, unsigned fallback, unsigned max)
{
    const char *text = getenv(name);
    unsigned long val = text && *text ? strtoul(text, NULL, 10) : fallback;

    return val <= max ? (unsigned)val : fallback;
}

static void read_settings(void)
{
    shim.png_dir = getenv("GTMUX_SHIM_PNG");
    shim.png = shim.png_dir && *shim.png_dir;
    shim.png_left = env_number("GTMUX_SHIM_FRAMES", 10, 1000000);
    shim.width = env_number("GTMUX_SHIM_WIDTH", 1280, 8192);
    shim.height = env_number("GTMUX_SHIM_HEIGHT", 720, 8192);
}

/* When the program ends. */
static void print_counters(void)
{
    struct backend_stats s;

    gpu_stats(shim.gpu, &s);
    fprintf(stderr,
            "gtmux: %" PRIu64 " draws, %" PRIu64 " dispatches, %" PRIu64 " EU instructions, %" PRIu64
            " unknown, %" PRIu64 " faults\n",
            s.draws, s.dispatches, s.instructions, s.unknown, s.faults);
}

static void start(void)
{
    char err[200] = "";

    shim.pid = getpid();
    raise_fd_limit();
    read_settings();
    init_conditions();
    queue.end = &queue.first;
    gt_log_set_level(getenv("GTMUX_SHIM_DEBUG") ? GT_LOG_DEBUG : GT_LOG_WARN);
    queue.status = gpu_create(&shim.gpu, env_number("GTMUX_SHIM_THREADS", 0, 1024), err, sizeof(err));
    if (queue.status)
        fprintf(stderr, "gtmux: no GPU: %s\n", err);
    else
        queue.status = shim_turns_start();
    if (!queue.status && getenv("GTMUX_SHIM_VERBOSE"))
        atexit(print_counters);
    pthread_atfork(before_fork, shim_unlock, in_child);
}

int shim_start(void)
{
    pthread_once(&queue.once, start);
    return queue.status;
}
