/*
 * Execution units: any bytes as a kernel, disassembled, decoded and executed on any registers, with a message function
 * that answers with any bytes. The first four bytes of an input choose the channels, the budget and the float mode.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/eu/eu.h"

struct input {
    const uint8_t *code;
    size_t n;
    uint32_t state; /* of a small generator, for registers and answers */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static uint8_t next(struct input *in)
{
    in->state = in->state * 1664525 + 1013904223;
    return (uint8_t)(in->state >> 24);
}

static bool read_code(void *ctx, uint64_t offset, void *dst, size_t n)
{
    const struct input *in = ctx;

    if (offset >= in->n)
        return false;
    memset(dst, 0, n);
    memcpy(dst, in->code + offset, in->n - offset < n ? in->n - offset : n);
    return true;
}

/* Reads all of the payload, writes all of the answer. */
static enum eu_result answer(struct eu_thread *t, const struct eu_message *m)
{
    struct input *in = t->ctx;
    unsigned sum = 0;

    for (unsigned i = 0; i < m->mlen * EU_REG_BYTES; i++)
        sum += m->src0[i];
    for (unsigned i = 0; i < m->ex_mlen * EU_REG_BYTES; i++)
        sum += m->src1[i];
    for (unsigned i = 0; i < m->rlen * EU_REG_BYTES; i++)
        m->dst[i] = next(in);
    in->state += sum;
    if (m->sfid == EU_SFID_GATEWAY) {
        t->notified += sum & 1;
        return EU_WAIT;
    }
    return m->sfid == EU_SFID_NULL ? EU_FAULT : EU_DONE;
}

static void execute(const struct eu_kernel *k, struct input *in, uint32_t mask, uint32_t cr0)
{
    static const struct eu_host host = {.message = answer};
    static struct eu_thread t;

    for (size_t i = 0; i < sizeof(t.grf); i++)
        t.grf[i] = next(in);
    t.host = &host;
    t.ctx = in;
    eu_thread_start(&t, k, mask);
    t.cr0[0] = cr0;
    for (unsigned i = 0; i < sizeof(t.address); i++)
        ((uint8_t *)t.address)[i] = next(in);
    for (unsigned slice = 0; slice < 4; slice++)
        if (eu_run(&t, 500) != EU_BUDGET)
            t.notified = 1; /* what waited goes on, what ended or failed does as well: its place must stay valid */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static FILE *nowhere;
    struct input in;
    struct eu_kernel *k;

    if (n < 4)
        return 0;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    in = (struct input){.code = data + 4, .n = n - 4, .state = data[0] * 2654435761u};
    eu_disassemble(in.code, in.n, nowhere);
    k = eu_kernel_decode(read_code, &in);
    if (!k)
        return 0;
    if (eu_kernel_size(k) > EU_KERNEL_BYTES || eu_kernel_memory(k) > 64u << 20)
        abort();
    execute(k, &in, data[1] & 1 ? 0xffff : data[1] * 0x01010101u, data[2] | (uint32_t)(data[3] & 4) << 8);
    eu_kernel_free(k);
    return 0;
}
