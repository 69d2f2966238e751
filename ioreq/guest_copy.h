/*
 * Copies between our memory and a guest's, which changes under our hands. Naturally aligned 2, 4 and 8 byte ones are
 * single accesses, because guest and device synchronise through such words (semaphores, ring tails); acquire and
 * release keep their order against the data around them.
 */
#ifndef GTMUX_IOREQ_GUEST_COPY_H
#define GTMUX_IOREQ_GUEST_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void guest_copy_in(void *dst, const uint8_t *src, size_t n)
{
    if (n == 4 && !((uintptr_t)src & 3)) {
        uint32_t v = __atomic_load_n((const uint32_t *)src, __ATOMIC_ACQUIRE);
        memcpy(dst, &v, 4);
    } else if (n == 8 && !((uintptr_t)src & 7)) {
        uint64_t v = __atomic_load_n((const uint64_t *)src, __ATOMIC_ACQUIRE);
        memcpy(dst, &v, 8);
    } else if (n == 2 && !((uintptr_t)src & 1)) {
        uint16_t v = __atomic_load_n((const uint16_t *)src, __ATOMIC_ACQUIRE);
        memcpy(dst, &v, 2);
    } else {
        memcpy(dst, src, n);
    }
}

static inline void guest_copy_out(uint8_t *dst, const void *src, size_t n)
{
    if (n == 4 && !((uintptr_t)dst & 3)) {
        uint32_t v;
        memcpy(&v, src, 4);
        __atomic_store_n((uint32_t *)dst, v, __ATOMIC_RELEASE);
    } else if (n == 8 && !((uintptr_t)dst & 7)) {
        uint64_t v;
        memcpy(&v, src, 8);
        __atomic_store_n((uint64_t *)dst, v, __ATOMIC_RELEASE);
    } else if (n == 2 && !((uintptr_t)dst & 1)) {
        uint16_t v;
        memcpy(&v, src, 2);
        __atomic_store_n((uint16_t *)dst, v, __ATOMIC_RELEASE);
    } else {
        memcpy(dst, src, n);
    }
}

/* Compare and swap of 4 or 8 bytes at an address aligned to that. True: swapped; else *expected is updated. */
static inline bool guest_cas(uint8_t *p, unsigned size, uint64_t *expected, uint64_t desired)
{
    if (size == 8)
        return __atomic_compare_exchange_n((uint64_t *)p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    uint32_t e = (uint32_t)*expected;
    bool swapped =
        __atomic_compare_exchange_n((uint32_t *)p, &e, (uint32_t)desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    if (!swapped)
        *expected = e;
    return swapped;
}

#endif
