/* A kernel's code from its entry point on, as ops. */
#include <stdlib.h>
#include <string.h>

#include "mediator/soft/eu/op.h"

#define READ_BYTES 64u /* kernels begin at such an address, so that no read crosses a page */
#define SLOTS      (EU_KERNEL_BYTES / EU_COMPACT_BYTES)

struct decoder {
    struct eu_kernel *k;
    struct eu_patterns patterns;
    uint64_t wanted[SLOTS / 64]; /* bit per place that something jumps to */
    uint32_t room;               /* ops */
    size_t have, room_code;      /* bytes of code read; allocated */
    bool end, failed;            /* nothing more can be read; out of memory */
};

/* ---- code */

static void read_code(struct decoder *d, eu_reader rd, void *ctx, size_t upto)
{
    while (!d->end && !d->failed && d->have < upto) {
        if (d->have == EU_KERNEL_BYTES) {
            d->end = true;
            return;
        }
        if (d->have == d->room_code) {
            size_t room = d->room_code ? d->room_code * 2 : 1024;
            uint8_t *code = realloc(d->k->code, room);

            if (!code) {
                d->failed = true;
                return;
            }
            d->k->code = code;
            d->room_code = room;
        }
        if (rd(ctx, d->have, d->k->code + d->have, READ_BYTES))
            d->have += READ_BYTES;
        else
            d->end = true;
    }
}

/* ---- ops */

static struct eu_op *add_op(struct decoder *d, uint32_t at)
{
    struct eu_kernel *k = d->k;

    if (k->n == d->room) {
        uint32_t room = d->room ? d->room * 2 : 32;
        struct eu_op *ops = realloc(k->ops, room * sizeof(*ops));

        if (!ops) {
            d->failed = true;
            return NULL;
        }
        k->ops = ops;
        d->room = room;
    }
    k->ops[k->n] = (struct eu_op){.at = at, .run = EU_RUN_FAULT, .jip = EU_OP_NOWHERE, .uip = EU_OP_NOWHERE};
    return &k->ops[k->n++];
}

static bool is_branch(const struct eu_op *op)
{
    unsigned run = op->run;

    return run >= EU_RUN_IF && run <= EU_RUN_CALL;
}

static bool has_uip(const struct eu_op *op)
{
    return op->run == EU_RUN_IF || op->run == EU_RUN_ELSE || op->run == EU_RUN_LEAVE;
}

static void want(struct decoder *d, uint32_t at)
{
    if (at < EU_KERNEL_BYTES)
        d->wanted[at / EU_COMPACT_BYTES / 64] |= UINT64_C(1) << at / EU_COMPACT_BYTES % 64;
}

/* First place after `at` that something jumps to, or EU_KERNEL_BYTES. */
static uint32_t next_wanted(const struct decoder *d, uint32_t at)
{
    for (uint32_t i = at / EU_COMPACT_BYTES + 1; i < SLOTS; i++) {
        if (i % 64 == 0 && !d->wanted[i / 64])
            i += 63;
        else if (d->wanted[i / 64] >> i % 64 & 1)
            return i * EU_COMPACT_BYTES;
    }
    return EU_KERNEL_BYTES;
}

/* Nothing behind it is reached by going on. */
static bool ends_run(const struct eu_op *op)
{
    return op->run == EU_RUN_FAULT || (op->run == EU_RUN_SEND && op->eot) || (op->run == EU_RUN_JUMP && !op->pred);
}

/* Decodes the instruction at `at`; where to go on. */
static uint32_t decode_one(struct decoder *d, eu_reader rd, void *ctx, uint32_t at)
{
    struct eu_inst in;
    struct eu_op *op = add_op(d, at);
    unsigned bytes;

    read_code(d, rd, ctx, at + EU_NATIVE_BYTES);
    if (!op || d->failed)
        return EU_KERNEL_BYTES;
    bytes = at < d->have ? eu_inst_parse(&in, d->k->code + at, d->have - at) : 0;
    d->k->size = bytes ? at + bytes : d->k->size;
    if (!bytes || eu_lower(op, &in, &d->patterns)) {
        d->k->unknown++;
        op->run = EU_RUN_FAULT;
        d->failed = d->failed || d->patterns.failed;
        return next_wanted(d, at);
    }
    if (is_branch(op)) {
        want(d, op->jip);
        if (has_uip(op))
            want(d, op->uip);
    }
    if (!ends_run(op))
        return at + bytes;
    at = next_wanted(d, at);
    /* Padding up to the next run is never reached; were it, the thread must not run into what lies behind it. */
    add_op(d, op->at);
    return at;
}

/* ---- from places to indices */

static bool make_index(struct eu_kernel *k)
{
    size_t slots = k->size / EU_COMPACT_BYTES + 1;

    k->index = malloc(slots * sizeof(*k->index));
    if (!k->index)
        return false;
    memset(k->index, 0xff, slots * sizeof(*k->index));
    for (uint32_t i = 0; i < k->n; i++)
        if (k->ops[i].at < k->size && k->index[k->ops[i].at / EU_COMPACT_BYTES] == EU_OP_NOWHERE)
            k->index[k->ops[i].at / EU_COMPACT_BYTES] = i;
    return true;
}

uint32_t eu_kernel_at(const struct eu_kernel *k, int64_t bytes)
{
    uint32_t i = EU_OP_NOWHERE;

    if (bytes >= 0 && bytes < (int64_t)k->size && bytes % EU_COMPACT_BYTES == 0)
        i = k->index[bytes / EU_COMPACT_BYTES];
    return i == EU_OP_NOWHERE ? k->bad_target : i;
}

static uint32_t resolve(struct eu_kernel *k, uint32_t at)
{
    uint32_t i = eu_kernel_at(k, at);

    k->ops[i].run |= EU_RUN_MEET;
    return i;
}

static void link_op(struct eu_kernel *k, struct eu_op *op)
{
    unsigned run = op->run & (EU_RUN_MEET - 1);

    op->table = k->patterns;
    if (run < EU_RUN_IF || run > EU_RUN_CALL)
        return;
    if (op->jip != EU_OP_NOWHERE)
        op->jip = resolve(k, op->jip);
    if (run != EU_RUN_IF && run != EU_RUN_ELSE && run != EU_RUN_LEAVE)
        return;
    op->uip = resolve(k, op->uip);
    /* Break names the end of its loop, but its channels go on behind it. PRM SKL vol 2a, "break". */
    if (op->op == EU_OP_BREAK && (k->ops[op->uip].run & (EU_RUN_MEET - 1)) == EU_RUN_WHILE)
        op->uip++;
}

static bool link_kernel(struct decoder *d)
{
    struct eu_kernel *k = d->k;
    uint32_t n;

    add_op(d, EU_KERNEL_BYTES);
    add_op(d, EU_KERNEL_BYTES);
    if (d->failed || !make_index(k))
        return false;
    k->off_end = k->n - 2;
    k->bad_target = k->n - 1;
    k->patterns = d->patterns.lane;
    d->patterns.lane = NULL;
    for (uint32_t i = 0; i < k->n; i++)
        link_op(k, &k->ops[i]);
    /* While and break let channels meet at the next instruction; calls and dynamic jumps come back anywhere. */
    n = k->n;
    for (uint32_t i = 0; i + 1 < n; i++) {
        unsigned run = k->ops[i].run & (EU_RUN_MEET - 1);

        if (run == EU_RUN_WHILE || run == EU_RUN_CALL || run == EU_RUN_RET || run == EU_RUN_JUMP)
            k->ops[i + 1].run |= EU_RUN_MEET;
    }
    return true;
}

static void shrink(struct decoder *d)
{
    struct eu_kernel *k = d->k;
    struct eu_op *ops = realloc(k->ops, k->n * sizeof(*ops));
    uint8_t *code = realloc(k->code, k->size ? k->size : 1);

    if (ops)
        k->ops = ops;
    if (code)
        k->code = code;
    k->memory = sizeof(*k) + k->n * sizeof(*k->ops) + k->size + (k->size / EU_COMPACT_BYTES + 1) * sizeof(*k->index) +
                (size_t)d->patterns.room * EU_LANES * sizeof(*k->patterns);
}

struct eu_kernel *eu_kernel_decode(eu_reader rd, void *ctx)
{
    struct decoder *d = calloc(1, sizeof(*d));
    struct eu_kernel *k = calloc(1, sizeof(*k));
    uint32_t at = 0;

    if (d && k) {
        d->k = k;
        while (at < EU_KERNEL_BYTES && !d->failed)
            at = decode_one(d, rd, ctx, at);
        d->failed = d->failed || !link_kernel(d);
    }
    if (!d || !k || d->failed) {
        if (d)
            free(d->patterns.lane);
        free(d);
        eu_kernel_free(k);
        return NULL;
    }
    shrink(d);
    free(d);
    return k;
}

void eu_kernel_free(struct eu_kernel *k)
{
    if (!k)
        return;
    free(k->ops);
    free(k->patterns);
    free(k->index);
    free(k->code);
    free(k);
}

size_t eu_kernel_size(const struct eu_kernel *k)
{
    return k->size;
}

const uint8_t *eu_kernel_code(const struct eu_kernel *k)
{
    return k->code;
}

size_t eu_kernel_memory(const struct eu_kernel *k)
{
    return k->memory;
}

unsigned eu_kernel_unknown(const struct eu_kernel *k)
{
    return k->unknown;
}
