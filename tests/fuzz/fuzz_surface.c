/*
 * Messages to the sampler and the data ports: surface and sampler state, payload, descriptors and memory are the
 * input's. Whatever they are, no host memory but the guest's pages is touched; answers stay in their registers.
 *
 * Input: struct message_input for each message, after the state heap that the first bytes fill.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/env.h"
#include "mediator/soft/surface.h"
#include "tests/unit/soft_fixture.h"

#define HEAP_BYTES   0x400u /* binding table, surface states, sampler states */
#define MAX_MESSAGES 16u

struct message_input {
    uint32_t desc, ex_desc, mask;
    uint8_t sfid, mlen, ex_mlen, rlen;
    uint8_t header, exec_size, seed, derivatives;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(uint8_t *p, size_t n, uint8_t seed)
{
    uint32_t v = seed * 2654435761u + 1;

    for (size_t i = 0; i < n; i++) {
        v = v * 1664525 + 1013904223;
        /* Small integers and floats near 1 are what finds its way furthest. */
        p[i] = seed & 1 ? (uint8_t)(v >> 24) : (uint8_t)(i % 4 == 3 ? 0x3f : v >> 24 & 0x83);
    }
}

static void send(struct soft_env *e, struct eu_thread *t, const struct message_input *in)
{
    static const uint8_t sfids[8] = {EU_SFID_SAMPLER, EU_SFID_SAMPLER,  EU_SFID_DP_DC0,    EU_SFID_DP_DC1,
                                     EU_SFID_DP_DC1,  EU_SFID_DP_CONST, EU_SFID_DP_RENDER, EU_SFID_DP_SAMPLER};
    struct eu_message m = {.sfid = sfids[in->sfid & 7],
                           .exec_size = in->exec_size & 1 ? 16 : 8,
                           .mlen = in->mlen % 16,
                           .ex_mlen = in->ex_mlen % 16,
                           .rlen = in->rlen % 32,
                           .header = in->header & 1,
                           .desc = in->desc,
                           .ex_desc = in->ex_desc,
                           .mask = in->mask & (in->exec_size & 1 ? 0xffff : 0xff)};
    /* Of exactly the size that the message says, so that the sanitizer sees every step beyond. */
    uint8_t *src0 = malloc((size_t)m.mlen * 32 + 1), *src1 = malloc((size_t)m.ex_mlen * 32 + 1);
    uint8_t *dst = malloc((size_t)m.rlen * 32 + 1);

    if (!src0 || !src1 || !dst)
        abort();
    fill(src0, (size_t)m.mlen * 32, in->seed);
    fill(src1, (size_t)m.ex_mlen * 32, (uint8_t)(in->seed + 2));
    m.src0 = src0;
    m.src1 = src1;
    m.dst = dst;
    e->derivatives = in->derivatives & 1;
    if (m.sfid == EU_SFID_SAMPLER)
        soft_sampler_message(e, t, &m);
    else
        soft_dataport_message(e, t, &m);
    free(src0);
    free(src1);
    free(dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct eu_thread thread;
    static struct soft_rig rig;
    static struct soft_units *units;
    static uint8_t slm[1024];
    struct message_input in;

    if (size < HEAP_BYTES)
        return 0;
    if (!units) {
        rig_open(&rig);
        units = soft_units_create();
        if (!units)
            abort();
    }
    memcpy(rig.memory, data, HEAP_BYTES);
    soft_units_begin(units);
    soft_space_begin(&rig.space, &rig.x);
    soft_mem_begin(&rig.mem, &rig.space);
    rig.x.no_ptr = data[0] & 1;
    struct soft_env e = {.mem = &rig.mem,
                         .units = units,
                         .surface_base = RIG_MEMORY,
                         .dynamic_base = RIG_MEMORY,
                         .general_base = RIG_MEMORY,
                         .bindless_base = RIG_MEMORY,
                         .binding_table = RIG_MEMORY,
                         .samplers = RIG_MEMORY + 0x300,
                         .scratch = RIG_MEMORY + 0x1000,
                         .scratch_bytes = 0x800,
                         .slm = data[1] & 1 ? slm : NULL,
                         .slm_bytes = sizeof(slm)};
    data += HEAP_BYTES;
    size -= HEAP_BYTES;
    for (unsigned n = 0; n < MAX_MESSAGES && size >= sizeof(in); n++, data += sizeof(in), size -= sizeof(in)) {
        memcpy(&in, data, sizeof(in));
        send(&e, &thread, &in);
    }
    return 0;
}
