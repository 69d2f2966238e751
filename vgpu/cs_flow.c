/* Commands that steer the stream: batches, predication, semaphores, arbitration, interrupts. PRM SKL vol 2a. */
#include "vgpu/cs.h"

/* ---- batches */

#define BBS_PPGTT        GT_BIT(8)
#define BBS_PREDICATE    GT_BIT(15)
#define BBS_ADD_OFFSET   GT_BIT(16)
#define BBS_SECOND_LEVEL GT_BIT(22)

/* The level that MI_BATCH_BUFFER_START enters: only a first level batch can call a second level one; everything else
 * in a batch is a jump. */
static unsigned target_level(const struct vgpu_engine *e, uint32_t header)
{
    if (e->level == CS_RING)
        return CS_FIRST_LEVEL;
    return header & BBS_SECOND_LEVEL ? CS_SECOND_LEVEL : e->level;
}

/* A call leaves the caller behind the command. */
static void note_return(struct vgpu_engine *e, unsigned to, unsigned n)
{
    if (e->level == CS_RING) {
        e->ring.bb_start = e->ring.head;
        e->ring.head = (uint32_t)(((uint64_t)e->ring.head + 4u * n) % e->ring.size);
    } else if (to != e->level) {
        e->batch[e->level].addr += 4u * n;
    }
}

enum cs_result mi_batch_buffer_start(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    uint64_t addr = cs_address(dw + 1);
    unsigned to = target_level(e, dw[0]);
    bool ggtt = !(dw[0] & BBS_PPGTT) && !cs_is_user(e); /* unprivileged batches cannot leave the PPGTT */

    if (e->wa != CS_WA_NONE)
        return cs_fault(e, "batch started from a context workaround batch");
    if ((dw[0] & BBS_PREDICATE) && e->id == VGPU_RCS &&
        !(cs_reg_read(e, reg_off(R_MI_PREDICATE_RESULT_1, e->id, 0)) & 1))
        return CS_OK;
    if (dw[0] & BBS_ADD_OFFSET)
        addr += cs_reg_read(e, reg_off(R_BB_OFFSET, e->id, 0)) & ~3u;
    if (to == e->level && addr <= e->batch[to].addr)
        e->looped = true;
    if (e->level == CS_RING)
        e->stats.batches++;
    cs_note_position(e);
    note_return(e, to, n);
    e->level = to;
    e->batch[to] = (struct cs_batch){.addr = addr, .end = UINT64_MAX, .ggtt = ggtt};
    e->jumped = true;
    return CS_OK;
}

/* An execlist that had to wait is looked at again. */
static void set_arbitration(struct vgpu_engine *e, bool on)
{
    e->arbitration = on;
    if (on && e->deferred) {
        e->deferred = false;
        atomic_fetch_or(&e->attention, ATTN_PENDING);
    }
}

/* The indirect context batch is followed by the per-context one, that by the ring. */
void cs_leave_workaround(struct vgpu_engine *e)
{
    cs_note_position(e);
    if (e->wa == CS_WA_INDIRECT && e->wa_per_ctx) {
        e->wa = CS_WA_PER_CTX;
        cs_start_workaround(e, e->wa_per_ctx & ~63u, 0);
        return;
    }
    e->wa = CS_WA_NONE;
    set_arbitration(e, true);
    e->predicate = 0;
}

/* In the ring it means nothing. */
enum cs_result mi_batch_buffer_end(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    (void)dw;
    (void)n;
    if (e->wa != CS_WA_NONE) {
        cs_leave_workaround(e);
        e->jumped = true;
    } else if (e->level != CS_RING) {
        cs_note_position(e);
        e->level--;
        e->jumped = true;
        if (e->level == CS_RING)
            e->predicate = 0;
    }
    return CS_OK;
}

#define CBBE_COMPARE GT_BIT(21)
#define CBBE_MASKED  GT_BIT(19)
#define CBBE_GGTT    GT_BIT(22)

/* Goes on while memory > data (IGT igt_dummyload.c: "strict greater-than"). Both levels end: Gen9 has no bit to end the
 * current level only. */
enum cs_result mi_conditional_batch_buffer_end(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct vgpu_as *as = cs_as(e, dw[0] & CBBE_GGTT);
    uint32_t mem[2] = {0, 0};
    bool masked = dw[0] & CBBE_MASKED;

    (void)n;
    if (!as || !(dw[0] & CBBE_COMPARE) || e->level == CS_RING || e->wa != CS_WA_NONE)
        return CS_OK;
    enum cs_result r = cs_fetch(e, as, cs_address(dw + 2), mem, masked ? 8 : 4);

    if (r != CS_OK)
        return r;
    uint32_t value = masked ? mem[0] & mem[1] : mem[0];

    if (value > dw[1])
        return CS_OK;
    cs_note_position(e);
    e->level = CS_RING;
    e->predicate = 0;
    e->jumped = true;
    return CS_OK;
}

/* ---- predication */

/* Modes: genxml gen9 MI_SET_PREDICATE; GT2 has one slice. */
enum { NOOP_NEVER, ON_RESULT2_CLEAR, ON_RESULT2_SET, ON_RESULT_CLEAR, ON_RESULT_SET, ONE_SLICE, NOOP_ALWAYS = 15 };

bool cs_predicated_off(struct vgpu_engine *e)
{
    switch (e->predicate) {
    case NOOP_NEVER:
    case ONE_SLICE:
        return false;
    case ON_RESULT2_CLEAR:
        return !(cs_reg_read(e, reg_off(R_MI_PREDICATE_RESULT_2, e->id, 0)) & 1);
    case ON_RESULT2_SET:
        return cs_reg_read(e, reg_off(R_MI_PREDICATE_RESULT_2, e->id, 0)) & 1;
    case ON_RESULT_CLEAR:
        return !(cs_reg_read(e, reg_off(R_MI_PREDICATE_RESULT, VGPU_RCS, 0)) & 1);
    case ON_RESULT_SET:
        return cs_reg_read(e, reg_off(R_MI_PREDICATE_RESULT, VGPU_RCS, 0)) & 1;
    default: /* more slices than there are, always, reserved */
        return true;
    }
}

enum cs_result mi_set_predicate(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    (void)n;
    e->predicate = dw[0] & 0xf;
    return CS_OK;
}

enum { COMPARE_TRUE, COMPARE_FALSE, COMPARE_SRCS_EQUAL, COMPARE_DELTAS_EQUAL };
enum { COMBINE_SET, COMBINE_AND, COMBINE_OR, COMBINE_XOR };
enum { LOAD_KEEP = 0, LOAD_LOAD = 2, LOAD_LOADINV = 3 };

static uint64_t reg64(struct vgpu *v, enum reg_id id)
{
    return (uint64_t)*vgpu_reg(v, id, VGPU_RCS, 1) << 32 | *vgpu_reg(v, id, VGPU_RCS, 0);
}

static bool compare(struct vgpu *v, unsigned op)
{
    uint64_t src0 = reg64(v, R_MI_PREDICATE_SRC0), src1 = reg64(v, R_MI_PREDICATE_SRC1);

    switch (op) {
    case COMPARE_TRUE:
        return true;
    case COMPARE_FALSE:
        return false;
    case COMPARE_SRCS_EQUAL:
        return src0 == src1;
    default:
        return src0 - src1 == reg64(v, R_MI_PREDICATE_DATA);
    }
}

enum cs_result mi_predicate(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    unsigned load = gt_field(dw[0], 7, 6), combine = gt_field(dw[0], 4, 3);

    (void)n;
    vgpu_lock(e->v);
    uint32_t *result = vgpu_reg(e->v, R_MI_PREDICATE_RESULT, VGPU_RCS, 0);
    bool state = *result & 1, cmp = compare(e->v, gt_field(dw[0], 1, 0));

    if (combine == COMBINE_AND)
        cmp = state && cmp;
    else if (combine == COMBINE_OR)
        cmp = state || cmp;
    else if (combine == COMBINE_XOR)
        cmp = state != cmp;
    cs_note(e, result, sizeof(*result)); /* a combination must not be made twice */
    if (load == LOAD_LOAD || load == LOAD_LOADINV)
        *result = cmp != (load == LOAD_LOADINV);
    vgpu_unlock(e->v);
    return CS_OK;
}

/* ---- semaphores */

#define SEM_REGISTER GT_BIT(16)
#define SEM_POLL     GT_BIT(15)
#define SEM_GGTT     GT_BIT(22)

enum { SAD_GT, SAD_GE, SAD_LT, SAD_LE, SAD_EQ, SAD_NE };

static bool semaphore_holds(unsigned op, uint32_t sad, uint32_t sdd)
{
    switch (op) {
    case SAD_GT:
        return sad > sdd;
    case SAD_GE:
        return sad >= sdd;
    case SAD_LT:
        return sad < sdd;
    case SAD_LE:
        return sad <= sdd;
    case SAD_EQ:
        return sad == sdd;
    case SAD_NE:
        return sad != sdd;
    default: /* reserved */
        return true;
    }
}

/* Signal mode is polled as well: the engine looks again each time it is run, and MI_SEMAPHORE_SIGNAL makes it run. */
enum cs_result mi_semaphore_wait(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    uint32_t sad = 0;

    (void)n;
    if ((dw[0] & SEM_REGISTER) && (dw[0] & SEM_POLL)) {
        sad = cs_reg_read(e, dw[2] & REG_ADDRESS);
    } else {
        struct vgpu_as *as = cs_as(e, dw[0] & SEM_GGTT);

        if (!as)
            return CS_OK;
        enum cs_result r = cs_fetch(e, as, cs_address(dw + 2), &sad, 4);

        if (r != CS_OK)
            return r;
    }
    if (semaphore_holds(gt_field(dw[0], 14, 12), sad, dw[1]))
        return CS_OK;
    if (!e->waiting) {
        e->waiting = true;
        vgpu_lock(e->v);
        vgpu_irq_gt(e->v, e->id, IRQ_WAIT_SEMAPHORE);
        vgpu_unlock(e->v);
    }
    return CS_WAIT;
}

enum cs_result mi_semaphore_signal(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    /* Target Engine Select: genxml gen9. */
    static const int8_t target[8] = {VGPU_RCS, VGPU_VCS, VGPU_BCS, VGPU_VECS, -1, -1, -1, -1};
    int engine = target[gt_field(dw[0], 17, 15)];

    (void)n;
    if (engine < 0 || !e->v->ops->kick)
        return CS_OK;
    vgpu_lock(e->v);
    e->v->ops->kick(e->v->host, (unsigned)engine);
    vgpu_unlock(e->v);
    return CS_OK;
}

/* ---- arbitration, interrupts */

enum cs_result mi_arb_on_off(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    (void)n;
    set_arbitration(e, dw[0] & 1);
    return CS_OK;
}

enum cs_result mi_user_interrupt(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    (void)dw;
    (void)n;
    e->stats.requests++;
    if (!e->user_irq)
        e->user_irq = USER_IRQ_DELAY;
    return CS_OK;
}
