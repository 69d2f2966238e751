/*
 * A test double of the execution units: kernels are C functions, so that tests of the dispatchers see payloads and send
 * messages without machine code. It stands in for all of eu/ and kernels.c; a program includes it at most once.
 *
 * The kernel at address 64 * n of the instruction base is double_kernel[n]. It is called until it says EU_DONE or
 * EU_FAULT; t->ip is its own (0 at first).
 */
#ifndef GTMUX_TESTS_EU_DOUBLE_H
#define GTMUX_TESTS_EU_DOUBLE_H

#include <string.h>

#include "mediator/soft/eu/eu.h"
#include "mediator/soft/kernels.h"

struct eu_kernel {
    enum eu_result (*run)(struct eu_thread *t);
};

#define DOUBLE_KERNELS 8u

static struct eu_kernel double_kernel[DOUBLE_KERNELS];

const struct eu_kernel *soft_kernels_get(struct soft_kernels *k, struct soft_mem *m, uint64_t address)
{
    (void)k;
    (void)m;
    return address % 64 == 0 && address / 64 < DOUBLE_KERNELS ? &double_kernel[address / 64] : NULL;
}

void eu_thread_start(struct eu_thread *t, const struct eu_kernel *k, uint32_t dispatch_mask)
{
    t->kernel = k;
    t->dispatch_mask = t->vector_mask = dispatch_mask;
    t->ip = 0;
    t->notified = 0;
    memset(t->cr0, 0, sizeof(t->cr0));
}

enum eu_result eu_run(struct eu_thread *t, unsigned budget)
{
    (void)budget;
    return t->kernel->run ? t->kernel->run(t) : EU_DONE;
}

static inline uint32_t *double_reg(struct eu_thread *t, unsigned reg)
{
    return (uint32_t *)(void *)(t->grf + reg * EU_REG_BYTES);
}

/* Sends registers first .. first + mlen; the answer goes to register dst. */
static inline enum eu_result double_send(struct eu_thread *t, unsigned sfid, uint32_t desc, unsigned first,
                                         unsigned mlen, unsigned dst, unsigned rlen)
{
    struct eu_message m = {
        .sfid = (uint8_t)sfid,
        .exec_size = 8,
        .mlen = (uint8_t)mlen,
        .rlen = (uint8_t)rlen,
        .desc = desc,
        .mask = t->dispatch_mask,
        .src0 = t->grf + first * EU_REG_BYTES,
        .dst = t->grf + dst * EU_REG_BYTES,
    };

    return t->host->message(t, &m);
}

#endif
