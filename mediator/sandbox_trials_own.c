/* What must work in the sandbox of a process' own: threads, memory, time, signals, its end. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mediator/sandbox_internal.h"
#include "mediator/sandbox_trials.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define THREADS     8u
#define THREAD_HEAP ((size_t)6 << 20)
#define PICTURE     ((size_t)4096 * 2304 * 4)

/* ---- threads */

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t all_here;
    unsigned here;
};

static bool use_heap(size_t size)
{
    unsigned char *p = malloc(size);

    if (!p)
        return false;
    memset(p, 0x5a, size);
    unsigned char *q = realloc(p, size * 2);

    if (!q) {
        free(p);
        return false;
    }
    bool ok = q[size - 1] == 0x5a;

    free(q);
    return ok;
}

/* Small pieces come from an arena of the thread's own, which the first of them makes. */
static bool use_arena(void)
{
    void *piece[256];
    bool ok = true;

    for (size_t i = 0; i < GT_ARRAY_SIZE(piece); i++)
        ok &= (piece[i] = calloc(1, 16 + 64 * i)) != NULL;
    for (size_t i = 0; i < GT_ARRAY_SIZE(piece); i++)
        free(piece[i]);
    return ok;
}

static void *attend(void *arg)
{
    struct meeting *m = arg;
    bool ok = !pthread_setname_np(pthread_self(), "trial") && use_arena() && use_heap(THREAD_HEAP);

    pthread_mutex_lock(&m->lock);
    m->here++;
    pthread_cond_broadcast(&m->all_here);
    while (m->here < THREADS)
        pthread_cond_wait(&m->all_here, &m->lock);
    pthread_mutex_unlock(&m->lock);
    return ok ? m : NULL;
}

static const char *threads(struct stage *st)
{
    struct meeting m = {.lock = PTHREAD_MUTEX_INITIALIZER, .all_here = PTHREAD_COND_INITIALIZER};
    pthread_t t[THREADS];
    const char *why = NULL;
    void *result;

    for (unsigned i = 0; i < THREADS; i++) {
        int rc = pthread_create(&t[i], NULL, attend, &m);
        if (rc)
            return stage_why(st, "thread %u does not start: %s", i, strerror(rc));
    }
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_join(t[i], &result) || !result)
            why = "no name or no memory in a thread";
    return why;
}

static const char *timed_wait(struct stage *st)
{
    struct meeting m = {.lock = PTHREAD_MUTEX_INITIALIZER, .all_here = PTHREAD_COND_INITIALIZER};
    struct timespec ts;

    (void)st;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec = (ts.tv_nsec + 1000000) % 1000000000;
    pthread_mutex_lock(&m.lock);
    int rc = pthread_cond_timedwait(&m.all_here, &m.lock, &ts);

    pthread_mutex_unlock(&m.lock);
    return rc == ETIMEDOUT ? NULL : "the wait does not end";
}

/* ---- time and memory */

static const char *clocks(struct stage *st)
{
    struct timespec ts = {.tv_nsec = 1000000};
    uint64_t before = gt_clock_ns();

    (void)st;
    if (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL) || usleep(10) || gt_clock_ns() - before < 1000000)
        return "the sleep was too short";
    /* Where the vDSO cannot read the clock (some Xen domains), the C library asks the kernel. */
    return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) ? "no clock_gettime in the kernel" : NULL;
}

static const char *calendar(struct stage *st)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[32];

    (void)st;
    return localtime_r(&now, &tm) && strftime(text, sizeof(text), "%c", &tm) ? NULL : "no local time";
}

static const char *processors(struct stage *st)
{
    (void)st;
    return sysconf(_SC_NPROCESSORS_ONLN) > 0 ? NULL : "their number is unknown";
}

static const char *heap(struct stage *st)
{
    (void)st;
    return use_arena() && use_heap(32 << 20) ? NULL : "no memory";
}

static const char *picture(struct stage *st)
{
    int fd = memfd_create("gtmux-screenshot", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, PICTURE))
        return stage_why(st, "no memfd: %s", strerror(errno));
    uint8_t *p = mmap(NULL, PICTURE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED || madvise(p, PICTURE, MADV_DONTDUMP))
        return stage_why(st, "no mapping: %s", strerror(errno));
    memset(p, 1, PICTURE);
    return munmap(p, PICTURE) || close(fd) ? "it does not go away" : NULL;
}

/* What viewers of the guest's screens are given, and the file that a device keeps of guest memory. */
static const char *frame(struct stage *st)
{
    int fd = memfd_create("gtmux-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, PICTURE) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        return stage_why(st, "no sealed memfd: %s", strerror(errno));
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        return stage_why(st, "no second descriptor: %s", strerror(errno));
    return close(copy) || close(fd) ? "it does not go away" : NULL;
}

/* ---- signals, and the end */

static void on_signal(int number)
{
    (void)number;
}

static const char *signals(struct stage *st)
{
    const struct sigaction action = {.sa_handler = on_signal};

    (void)st;
    return sigaction(SIGUSR1, &action, NULL) || raise(SIGUSR1) ? "no signal handler" : NULL;
}

static const char *aborting(struct stage *st)
{
    (void)st;
    abort();
}

/* What the C library says when it finds its heap or stack damaged. */
_Noreturn void __chk_fail(void);

static const char *hush(struct stage *st)
{
    return dup2(st->pipe_fd[1], STDERR_FILENO) < 0 ? "no standard error" : NULL;
}

static const char *last_words(struct stage *st)
{
    (void)st;
    __chk_fail();
}

static void *forbidden(void *arg)
{
    (void)!syscall(SYS_getppid);
    return arg;
}

static const char *kill_of_all(struct stage *st)
{
    pthread_t t;

    (void)st;
    return pthread_create(&t, NULL, forbidden, NULL) || pthread_join(t, NULL) ? "no thread"
                                                                              : "only a thread was killed";
}

static const char *random_bytes(struct stage *st)
{
    uint64_t word;

    (void)st;
    return getrandom(&word, sizeof(word), 0) == sizeof(word) ? NULL : "there are none";
}

static const char *leaving(struct stage *st)
{
    (void)st;
    exit(0);
}

const struct trial trial_own[] = {
    {.name = "threads with heaps and condition variables", .run = threads},
    {.name = "timed wait", .run = timed_wait},
    {.name = "clocks and sleeping", .run = clocks},
    {.name = "local time", .run = calendar},
    {.name = "number of processors", .run = processors},
    {.name = "heap", .run = heap},
    {.name = "memfd for a picture", .run = picture},
    {.name = "sealed memfd for viewers", .run = frame},
    {.name = "signals to itself", .run = signals},
    {.name = "random bytes", .run = random_bytes},
    {.name = "abort", .run = aborting, .end = TRIAL_ABORTS},
    {.name = "the C library's abort", .prepare = hush, .run = last_words, .end = TRIAL_ABORTS},
    {.name = "a thread's forbidden call ends all threads", .run = kill_of_all, .end = TRIAL_KILLED},
    {.name = "exit", .run = leaving},
    {0},
};
