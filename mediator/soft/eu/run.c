/*
 * Threads: the loop over ops, and control flow.
 *
 * Since Gen7 a channel that does not run has the place in the code where it goes on (PcIP); when the instruction
 * pointer gets there it runs again. Branches only jump when no channel is left to run. PRM SKL vol 2a, "if", "else",
 * "endif", "while", "break", "cont", "halt"; vol 7, "Flow Control".
 */
#include <string.h>
#include <time.h>

#ifdef __SSE2__
#include <immintrin.h>
#else
#include <fenv.h>
#endif

#include "mediator/soft/eu/op.h"

/* ---- float mode */

#ifdef __SSE2__
uint32_t eu_mode_enter(uint32_t cr0)
{
    static const uint8_t rounding[4] = {0, 2, 1, 3}; /* of the host: nearest, down, up, to zero */
    uint32_t before = _mm_getcsr(), mode = before & ~(0x6000u | 0x8040u | 0x3fu);

    mode |= (uint32_t)rounding[(cr0 & EU_CR0_ROUND) >> EU_CR0_ROUND_SHIFT] << 13 | 0x1f80;
    if (!(cr0 & EU_CR0_DENORM_SINGLE))
        mode |= 0x8040; /* flush to zero, denormals are zeros */
    if (mode != (before & ~0x3fu))
        _mm_setcsr(mode);
    return before;
}

void eu_mode_leave(uint32_t before)
{
    if ((_mm_getcsr() & ~0x3fu) != (before & ~0x3fu))
        _mm_setcsr(before);
}
#else
uint32_t eu_mode_enter(uint32_t cr0)
{
    static const int rounding[4] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    int before = fegetround();

    fesetround(rounding[(cr0 & EU_CR0_ROUND) >> EU_CR0_ROUND_SHIFT]);
    return (uint32_t)before;
}

void eu_mode_leave(uint32_t before)
{
    fesetround((int)before);
}
#endif

/* ---- predicates */

/* For each channel whether any, or all, of the `group` flag bits around it are set. */
static uint32_t grouped(uint32_t bits, unsigned group, bool all)
{
    uint32_t out = 0, whole = (uint32_t)((UINT64_C(1) << group) - 1);

    for (unsigned i = 0; i < EU_LANES; i += group) {
        uint32_t part = bits >> i & whole;

        if (all ? part == whole : part != 0)
            out |= whole << i;
    }
    return out;
}

static uint32_t predicate16(unsigned pred, uint32_t bits)
{
    if (pred == EU_PRED16_ANY4H || pred == EU_PRED16_ALL4H)
        return grouped(bits, 4, pred == EU_PRED16_ALL4H);
    if (pred >= EU_PRED16_X && pred <= EU_PRED16_W) /* one component for all four */
        return (bits >> (pred - EU_PRED16_X) & 0x11111111u) * 15u;
    return bits;
}

uint32_t eu_predicate(const struct eu_thread *t, const struct eu_op *op)
{
    uint64_t flags = t->flag[0] | (uint64_t)t->flag[1] << 32;
    uint32_t bits = (uint32_t)(flags >> op->flag_bit), other;

    if (op->align16) {
        bits = predicate16(op->pred, bits);
    } else if (op->pred == EU_PRED_ANYV || op->pred == EU_PRED_ALLV) {
        other = (uint32_t)(flags >> (op->flag_bit ^ 32)); /* the same bits of the other register */
        bits = op->pred == EU_PRED_ANYV ? bits | other : bits & other;
    } else if (op->pred >= EU_PRED_ANY2H && op->pred <= EU_PRED_ALL32H) {
        bits = grouped(bits, 2u << (op->pred - EU_PRED_ANY2H) / 2, op->pred & 1);
    }
    return op->pred_inv ? ~bits : bits;
}

/* ---- control flow; masks are of the thread's channels */

static void park(struct eu_thread *t, uint32_t mask, uint32_t at)
{
    t->flow.active &= ~mask;
    t->flow.parked |= mask;
    for (; mask; mask &= mask - 1)
        t->flow.resume[__builtin_ctz(mask)] = at;
}

/* Channels that wait for this place run again. */
static void meet(struct eu_thread *t, uint32_t at)
{
    for (uint32_t m = t->flow.parked; m; m &= m - 1) {
        unsigned i = (unsigned)__builtin_ctz(m);

        if (t->flow.resume[i] == at) {
            t->flow.parked &= ~(1u << i);
            t->flow.active |= 1u << i;
        }
    }
}

static uint32_t on_if(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t taken, uint32_t ip)
{
    park(t, mask & ~taken, op->jip);
    return t->flow.active ? ip + 1 : op->jip;
}

static uint32_t on_else(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t ip)
{
    park(t, mask, op->uip);
    meet(t, ip + 1);
    return t->flow.active ? ip + 1 : op->jip;
}

static uint32_t on_while(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t taken, uint32_t ip)
{
    if (!taken)
        return ip + 1;
    park(t, mask & ~taken, ip + 1);
    return op->jip;
}

static uint32_t on_leave(struct eu_thread *t, const struct eu_op *op, uint32_t taken, uint32_t ip)
{
    park(t, taken, op->uip);
    return t->flow.active ? ip + 1 : op->jip;
}

static uint32_t distance(const struct eu_thread *t, const struct eu_op *op)
{
    uint32_t v;

    memcpy(&v, t->grf + op->src[0].off, sizeof(v));
    return v;
}

/* jmpi is for all channels at once, by the predicate of the first; brd for the channels that it names. */
static uint32_t on_jump(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t taken, uint32_t ip)
{
    uint32_t to = op->jip;

    if (to == EU_OP_NOWHERE) {
        int64_t from = (int64_t)op->at + (op->op == EU_OP_JMPI ? (int64_t)EU_NATIVE_BYTES : 0);

        to = eu_kernel_at(t->kernel, from + (int32_t)distance(t, op));
    }
    if (op->op == EU_OP_JMPI)
        return !op->pred || (eu_predicate(t, op) & 1) ? to : ip + 1;
    if (!taken)
        return ip + 1;
    if (taken == mask && taken == t->flow.active)
        return to;
    park(t, taken, to);
    return ip + 1;
}

static uint32_t on_call(struct eu_thread *t, const struct eu_op *op, uint32_t taken, uint32_t ip)
{
    uint32_t back = t->kernel->ops[ip + 1].at;

    if (!taken)
        return ip + 1;
    park(t, t->flow.active & ~taken, ip + 1);
    if (!op->dst.null && !op->dst.indirect)
        memcpy((uint8_t *)t + op->dst.off, &back, eu_types[op->dst.type].bytes < 4 ? 2 : 4);
    return op->jip;
}

static uint32_t on_ret(struct eu_thread *t, const struct eu_op *op, uint32_t taken, uint32_t ip)
{
    uint32_t to = eu_kernel_at(t->kernel, distance(t, op));

    if (!taken)
        return ip + 1;
    if (taken == t->flow.active)
        return to;
    park(t, taken, to);
    return ip + 1;
}

/* The next op after a branch. */
static uint32_t branch(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t ip)
{
    uint32_t taken = op->pred ? mask & eu_predicate(t, op) : mask;

    mask <<= op->chan;
    taken <<= op->chan;
    mask &= t->flow.active;
    taken &= t->flow.active;
    switch (op->run & (EU_RUN_MEET - 1)) {
    case EU_RUN_IF:
        return on_if(t, op, mask, taken, ip);
    case EU_RUN_ELSE:
        return on_else(t, op, mask, ip);
    case EU_RUN_ENDIF:
    case EU_RUN_JOIN:
        return t->flow.active ? ip + 1 : op->jip;
    case EU_RUN_WHILE:
        return on_while(t, op, mask, taken, ip);
    case EU_RUN_LEAVE:
        return on_leave(t, op, taken, ip);
    case EU_RUN_JUMP:
        return on_jump(t, op, mask, taken, ip);
    case EU_RUN_CALL:
        return on_call(t, op, taken, ip);
    default:
        return on_ret(t, op, taken, ip);
    }
}

/* ---- registers with effects */

static void refresh(struct eu_thread *t, const struct eu_op *op)
{
    struct timespec now;
    uint64_t ticks;

    t->ce0 = t->flow.active;
    t->ip_bytes = op->at;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ticks = (uint64_t)now.tv_sec * 12000000u + (uint64_t)now.tv_nsec * 12u / 1000u; /* 12 MHz, as Gen9's timestamp */
    t->tm0[0] = (uint32_t)ticks;
    t->tm0[1] = (uint32_t)(ticks >> 32);
    t->tm0[2] = 0;
}

/* Rules of ALT mode are known to the general way only. */
static eu_exec exec_of(const struct eu_thread *t, const struct eu_op *op)
{
    return op->kind == EU_EXEC_FLOAT && (t->cr0[0] & EU_CR0_ALT) ? eu_exec_any : op->exec;
}

/* The next op after an instruction that may have written cr0 or ip. */
static uint32_t touch(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t ip, uint32_t *host)
{
    uint32_t cr0 = t->cr0[0];

    refresh(t, op);
    if (op->pred && op->op != EU_OP_SEL)
        mask &= eu_predicate(t, op);
    exec_of(t, op)(t, op, mask);
    if (t->cr0[0] != cr0) {
        eu_mode_leave(*host);
        *host = eu_mode_enter(t->cr0[0]);
    }
    return t->ip_bytes == op->at ? ip + 1 : eu_kernel_at(t->kernel, t->ip_bytes);
}

/* ---- the loop */

static const char *fault_of(const struct eu_kernel *k, uint32_t ip)
{
    if (ip == k->off_end)
        return "the kernel runs off its end";
    return ip == k->bad_target ? "jump to no instruction" : "illegal instruction";
}

/* The host's code rounds to nearest, whatever the thread does; that denormals are flushed in it does no harm, and
 * changing the mode costs more than many a message. */
static enum eu_result carry_message(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t *host)
{
    enum eu_result r;

    if (!(t->cr0[0] & EU_CR0_ROUND))
        return eu_send(t, op, mask);
    eu_mode_leave(*host);
    r = eu_send(t, op, mask);
    *host = eu_mode_enter(t->cr0[0]);
    return r;
}

/* Ops that are neither arithmetic nor branches. EU_DONE: go on at *ip. `over`: the thread has ended. */
static enum eu_result special(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t *ip, bool *over,
                              uint32_t *host)
{
    enum eu_result r = EU_DONE;

    switch (op->run & (EU_RUN_MEET - 1)) {
    case EU_RUN_FAULT:
        t->fault = fault_of(t->kernel, *ip);
        return EU_FAULT;
    case EU_RUN_NOP:
        break;
    case EU_RUN_WAIT:
        if (!t->notified)
            return EU_WAIT;
        t->notified--;
        break;
    case EU_RUN_SEND:
        r = carry_message(t, op, op->pred ? mask & eu_predicate(t, op) : mask, host);
        *over = r == EU_DONE && op->eot;
        break;
    default:
        *ip = touch(t, op, mask, *ip, host);
        return EU_DONE;
    }
    ++*ip;
    return r;
}

/* Plain instructions one after the other: which channels run does not change. Where it stopped. */
static const struct eu_op *run_plain(struct eu_thread *t, const struct eu_op *op, unsigned *budget)
{
    uint32_t active = t->flow.active;
    unsigned left = *budget;

    if (t->cr0[0] & EU_CR0_ALT)
        return op;

    while (op->run == EU_RUN_PLAIN && left) {
        op->exec(t, op, ((active | op->force) >> op->chan) & op->lanes);
        op++;
        left--;
    }
    *budget = left;
    return op;
}

/* Any instruction. EU_DONE: go on at *ip. */
static enum eu_result run_one(struct eu_thread *t, uint32_t *ip, bool *over, uint32_t *host)
{
    const struct eu_op *op = &t->kernel->ops[*ip];
    unsigned run;
    uint32_t mask;

    if ((op->run & EU_RUN_MEET) && t->flow.parked)
        meet(t, *ip);
    run = op->run & (EU_RUN_MEET - 1);
    mask = ((t->flow.active | op->force) >> op->chan) & op->lanes;
    if (run <= EU_RUN_PRED) {
        exec_of(t, op)(t, op, run == EU_RUN_PRED ? mask & eu_predicate(t, op) : mask);
        ++*ip;
        return EU_DONE;
    }
    if (run < EU_RUN_IF)
        return special(t, op, mask, ip, over, host);
    *ip = branch(t, op, mask, *ip);
    return EU_DONE;
}

static enum eu_result run(struct eu_thread *t, const unsigned allowed, uint32_t *host)
{
    unsigned budget = allowed;
    const struct eu_op *ops = t->kernel->ops;
    uint32_t ip = t->ip == EU_IP_START ? 0 : t->ip;
    enum eu_result r = EU_DONE;
    bool over = false;

    for (; budget && r == EU_DONE && !over; budget--) {
        ip = (uint32_t)(run_plain(t, &ops[ip], &budget) - ops);
        if (!budget)
            break;
        r = run_one(t, &ip, &over, host);
    }
    t->ip = ip;
    t->executed = allowed - budget;
    return r == EU_DONE && !over ? EU_BUDGET : r;
}

void eu_thread_start(struct eu_thread *t, const struct eu_kernel *k, uint32_t dispatch_mask)
{
    memset(t->acc, 0, sizeof(t->acc));
    memset(t->acc_high, 0, sizeof(t->acc_high));
    memset(t->flag, 0, sizeof(t->flag));
    memset(t->address, 0, sizeof(t->address));
    memset(t->sr0, 0, sizeof(t->sr0));
    memset(t->cr0, 0, sizeof(t->cr0));
    memset(t->tm0, 0, sizeof(t->tm0));
    t->sr0[2] = t->sr0[3] = dispatch_mask;
    t->dispatch_mask = t->vector_mask = dispatch_mask;
    t->notified = 0;
    t->ce0 = dispatch_mask;
    t->flow.active = dispatch_mask;
    t->flow.parked = 0;
    t->kernel = k;
    t->ip = EU_IP_START;
    t->ip_bytes = 0;
    t->fault = NULL;
}

enum eu_result eu_run(struct eu_thread *t, unsigned budget)
{
    uint32_t host;
    enum eu_result r;

    if (t->ip == EU_IP_START)
        t->sr0[3] = t->vector_mask;
    host = eu_mode_enter(t->cr0[0]);
    r = run(t, budget, &host);
    eu_mode_leave(host);
    return r;
}
