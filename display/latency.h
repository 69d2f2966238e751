/* How long things take, as a distribution: a bounded histogram whose buckets are an eighth of their value wide. */
#ifndef GTMUX_DISPLAY_LATENCY_H
#define GTMUX_DISPLAY_LATENCY_H

#include <stdint.h>

#define LATENCY_BUCKETS 192u /* up to 2^35 ns, 34 s; the last one takes all above */

struct latency {
    uint64_t count, sum_ns, max_ns;
    uint64_t bucket[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, uint64_t ns);
/* What `percent` percent of all are not longer than, from the bucket's upper end, so at most an eighth too long; 0:
 * there are none. */
uint64_t latency_percentile(const struct latency *l, unsigned percent);
uint64_t latency_mean(const struct latency *l); /* 0: there are none */

#endif
