/*
 * Captured submissions of any content on the whole GPU: batches, state, surfaces and kernels are all the input's. What
 * is looked for is any access outside of the arena, any assertion, and work that cannot be stopped.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "mediator/capture_picture.h"
#include "mediator/capture_run.h"
#include "vgpu/base/log.h"

#define MEMORY_MAX (16u << 20)
#define TIME_US    100000 /* for one submission */

static struct capture_run *run;

static void stop(int sig)
{
    (void)sig;
    gpu_stop(capture_run_gpu(run), true);
}

static void set_alarm(long us)
{
    const struct itimerval t = {.it_value = {.tv_usec = us}};

    setitimer(ITIMER_REAL, &t, NULL);
}

static void start(void)
{
    const struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    char err[200];

    gt_log_set_level(GT_LOG_ERROR);
    run = capture_run_create(1, err, sizeof(err));
    if (!run)
        abort();
    sigaction(SIGALRM, &action, NULL);
}

static uint64_t memory_of(const struct capture *c)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < c->head.nbo; i++)
        sum += c->bo[i].size;
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct capture_target target[CAPTURE_TARGETS];
    struct capture_result result;
    struct capture c;
    char err[200];

    if (!run)
        start();
    if (capture_parse(&c, data, size, err, sizeof(err)) && memory_of(&c) <= MEMORY_MAX) {
        c.head.seq = 0; /* each input begins a program */
        set_alarm(TIME_US);
        capture_run_one(run, &c, &result);
        set_alarm(0);
        gpu_stop(capture_run_gpu(run), false);
        capture_targets(capture_batch(&c), capture_run_read, run, target);
    }
    capture_free(&c);
    return 0;
}
