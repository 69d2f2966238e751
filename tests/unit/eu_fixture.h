/* Runs code made by eu_asm.h on a thread whose messages are noted. */
#ifndef GTMUX_TESTS_EU_FIXTURE_H
#define GTMUX_TESTS_EU_FIXTURE_H

#include <stdlib.h>

#include "tests/unit/eu_asm.h"

struct fixture {
    struct asm_code code;
    struct eu_thread t;
    struct eu_message last; /* the last message but that of the end */
    uint8_t payload[4 * EU_REG_BYTES];
    unsigned messages;
    bool ended;
    uint32_t end_mask;
    enum eu_result answer; /* what messages return */
    struct eu_kernel *kernel;
};

static inline enum eu_result fixture_message(struct eu_thread *t, const struct eu_message *m)
{
    struct fixture *f = t->ctx;

    if (m->eot) {
        f->ended = true;
        f->end_mask = m->mask;
        return EU_DONE;
    }
    f->last = *m;
    f->messages++;
    memcpy(f->payload, m->src0, m->mlen <= 4 ? m->mlen * EU_REG_BYTES : sizeof(f->payload));
    for (unsigned i = 0; i < m->rlen * EU_REG_BYTES; i++)
        m->dst[i] = (uint8_t)(0xa0 + i);
    return f->answer;
}

static const struct eu_host fixture_host = {.message = fixture_message};

static inline struct fixture *fixture_new(void)
{
    struct fixture *f = aligned_alloc(64, (sizeof(*f) + 63) / 64 * 64);

    memset(f, 0, sizeof(*f));
    f->t.host = &fixture_host;
    f->t.ctx = f;
    f->answer = EU_DONE;
    return f;
}

static inline void fixture_free(struct fixture *f)
{
    eu_kernel_free(f->kernel);
    free(f);
}

static inline void *fixture_reg(struct fixture *f, unsigned nr)
{
    return f->t.grf + nr * EU_REG_BYTES;
}

/* Decodes what was assembled and gets a thread ready. */
static inline void fixture_start(struct fixture *f, uint32_t mask)
{
    eu_kernel_free(f->kernel);
    f->kernel = eu_kernel_decode(asm_read, &f->code);
    eu_thread_start(&f->t, f->kernel, mask);
    f->ended = false;
}

/* Appends the end, runs all of it, and forgets the code. */
static inline enum eu_result fixture_run(struct fixture *f, uint32_t mask)
{
    enum eu_result r;

    asm_eot(&f->code);
    fixture_start(f, mask);
    r = eu_run(&f->t, 2000000);
    memset(&f->code, 0, sizeof(f->code));
    return r;
}

#endif
