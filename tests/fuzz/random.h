/* Random choices of the mutators: a function of the seed that libFuzzer hands over, nothing else. */
#ifndef GTMUX_TESTS_FUZZ_RANDOM_H
#define GTMUX_TESTS_FUZZ_RANDOM_H

#include <stdint.h>

static uint64_t rng_state;

/* Below `below`, which is not 0. Knuth's MMIX generator; its low bits are poor and are dropped. */
static inline uint32_t rnd(uint32_t below)
{
    rng_state = rng_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((rng_state >> 33) % below);
}

#endif
