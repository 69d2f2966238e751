/* The host's monotonic clock. vgpu itself asks its user for the time (vgpu_ops.now_ns); this is for everybody else. */
#ifndef GTMUX_BASE_CLOCK_H
#define GTMUX_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds since some point in the past; never goes back. */
static inline uint64_t gt_clock_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
