#include "display/latency.h"

#include "vgpu/base/bits.h"

#define UNIT_SHIFT 10u /* a unit is 1024 ns */
#define PART_SHIFT 3u
#define PARTS      (1u << PART_SHIFT) /* buckets of a power of two */

/* Units below PARTS have a bucket each; above, the exponent and the three bits below the leading one. */
static unsigned bucket_of(uint64_t units)
{
    if (units < PARTS)
        return (unsigned)units;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(units);
    unsigned bucket =
        (exponent - PART_SHIFT + 1) * PARTS + (unsigned)((units >> (exponent - PART_SHIFT)) & (PARTS - 1));

    return GT_MIN(bucket, LATENCY_BUCKETS - 1);
}

/* The first unit above a bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < PARTS)
        return bucket + 1u;
    return (uint64_t)(PARTS + bucket % PARTS + 1) << (bucket / PARTS - 1);
}

void latency_add(struct latency *l, uint64_t ns)
{
    l->count++;
    l->sum_ns += ns;
    l->max_ns = GT_MAX(l->max_ns, ns);
    l->bucket[bucket_of(ns >> UNIT_SHIFT)]++;
}

uint64_t latency_percentile(const struct latency *l, unsigned percent)
{
    const uint64_t wanted = (l->count * percent + 99) / 100;
    uint64_t seen = 0;

    if (!l->count)
        return 0;
    for (unsigned i = 0; i + 1 < LATENCY_BUCKETS; i++) {
        uint64_t end = bucket_end(i) << UNIT_SHIFT;

        seen += l->bucket[i];
        if (seen && seen >= wanted)
            return GT_MIN(end, l->max_ns);
    }
    return l->max_ns;
}

uint64_t latency_mean(const struct latency *l)
{
    return l->count ? l->sum_ns / l->count : 0;
}
