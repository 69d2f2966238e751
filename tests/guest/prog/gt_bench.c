/*
 * Requests for the host to count traps by: COUNT empty batches, each waited for, between the lines BENCH-START and
 * BENCH-END (with a pause at each, so that the host can read its counters).
 */
#include <stdio.h>
#include <unistd.h>

#include "gt.h"

#define COUNT 1000

int main(void)
{
    gt_open();
    struct gt_bo batch = gt_bo_new(4096);
    unsigned good = 0;

    batch.cpu[0] = MI_BATCH_BUFFER_END;
    printf("BENCH-START\n");
    sleep(2);
    double start = gt_now();
    for (unsigned i = 0; i < COUNT; i++)
        good += !gt_exec(GT_RCS, 0, &batch, 0, NULL, 0) && !gt_wait(&batch, 5);
    double each = (gt_now() - start) / COUNT;
    printf("BENCH-END %u requests %.1f us each\n", good, each * 1e6);
    sleep(2);
    gt_check(good == COUNT, "requests", "%u of %u", good, COUNT);
    return gt_done();
}
