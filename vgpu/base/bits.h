/* Small integer helpers used everywhere. Pure, header only. */
#ifndef GTMUX_BASE_BITS_H
#define GTMUX_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GT_BIT(n)        (UINT32_C(1) << (n))
#define GT_BIT64(n)      (UINT64_C(1) << (n))
#define GT_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define GT_MIN(a, b)     ((a) < (b) ? (a) : (b))
#define GT_MAX(a, b)     ((a) > (b) ? (a) : (b))

/* Mask of bits hi..lo, both included, 31 >= hi >= lo. */
#define GT_MASK(hi, lo) ((UINT32_MAX >> (31 - (hi))) & ~(GT_BIT(lo) - 1u))

/* Value of the bit field hi..lo of v. */
static inline uint32_t gt_field(uint32_t v, unsigned hi, unsigned lo)
{
    return (v & GT_MASK(hi, lo)) >> lo;
}

/* a rounded up to a multiple of the power of two b. */
static inline uint64_t gt_align_up(uint64_t a, uint64_t b)
{
    return (a + b - 1) & ~(b - 1);
}

/* True when [off, off + len) lies inside [0, size); never overflows. */
static inline bool gt_range_ok(uint64_t off, uint64_t len, uint64_t size)
{
    return off <= size && len <= size - off;
}

#endif
