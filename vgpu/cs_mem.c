/* Commands that write memory: stores, copies, flushes with a post-sync operation. PRM SKL vol 2a. */
#include <string.h>

#include "vgpu/cs.h"

#define STATUS_PAGE_MASK 0xfffu

/* Per-process status page of the running context: page 0 of its image. */
static uint64_t pphwsp(const struct vgpu_engine *e)
{
    return CTX_DESC_LRCA(e->current[e->element].lo);
}

#define NOOP_WRITE_ID GT_BIT(22)

enum cs_result mi_noop(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    (void)n;
    if (dw[0] & NOOP_WRITE_ID)
        cs_reg_write(e, reg_off(R_NOPID, e->id, 0), gt_field(dw[0], 21, 0));
    return CS_OK;
}

#define PPHWSP_RING_HEAD 0x10 /* PRM SKL vol 2d, per-process hardware status page, dword 4 */

enum cs_result mi_report_head(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    (void)dw;
    (void)n;
    return cs_store(e, &e->ggtt, pphwsp(e) + PPHWSP_RING_HEAD, &e->ring.head, 4);
}

#define SDI_QWORD GT_BIT(21)
#define SDI_GGTT  GT_BIT(22)

enum cs_result mi_store_data_imm(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct vgpu_as *as = cs_as(e, dw[0] & SDI_GGTT);
    unsigned step = (dw[0] & SDI_QWORD) ? 2 : 1;
    uint64_t addr = cs_address(dw + 1);

    if (!as)
        return CS_OK;
    for (unsigned i = 3; i < n; i += step) {
        unsigned count = GT_MIN(step, n - i);
        enum cs_result r = cs_store(e, as, addr, dw + i, 4u * count);

        if (r != CS_OK)
            return r;
        addr += 4u * count;
    }
    return CS_OK;
}

#define SDX_PER_PROCESS GT_BIT(21)

enum cs_result mi_store_data_index(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    uint64_t page = pphwsp(e);

    if (!(dw[0] & SDX_PER_PROCESS)) {
        vgpu_lock(e->v);
        page = vgpu_reg_get(e->v, R_HWS_PGA, e->id) & ~STATUS_PAGE_MASK;
        vgpu_unlock(e->v);
    }
    return cs_store(e, &e->ggtt, page + (dw[1] & 0xffc), dw + 2, n > 3 ? 8 : 4);
}

#define COPY_DST_GGTT GT_BIT(21)
#define COPY_SRC_GGTT GT_BIT(22)

enum cs_result mi_copy_mem_mem(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct vgpu_as *dst = cs_as(e, dw[0] & COPY_DST_GGTT);
    struct vgpu_as *src = cs_as(e, dw[0] & COPY_SRC_GGTT);
    uint32_t val = 0;

    (void)n;
    if (!dst || !src)
        return CS_OK;
    enum cs_result r = cs_fetch(e, src, cs_address(dw + 3), &val, 4);

    return r == CS_OK ? cs_store(e, dst, cs_address(dw + 1), &val, 4) : r;
}

/* Entry address: GGTT page in 31:12; then 64-bit entries (i915 gen8_ggtt_bind_ptes). */
enum cs_result mi_update_gtt(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    uint32_t page = dw[1] >> 12;

    for (unsigned i = 2; i + 1 < n; i += 2, page++) {
        uint64_t pte = (uint64_t)dw[i + 1] << 32 | dw[i];

        __atomic_store_n(&e->v->gtt[page % (VGPU_GTT_SIZE / 8)], pte, __ATOMIC_RELEASE);
    }
    vgpu_as_flush(&e->ggtt);
    return CS_OK;
}

#define PERF_GGTT       GT_BIT(0) /* of dword 1 */
#define OA_REPORT_BYTES 256u

/* A report whose counters stand still: id, timestamp, context id. Written when the address is mapped. */
enum cs_result mi_report_perf_count(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct vgpu_as *as = cs_as(e, dw[1] & PERF_GGTT);
    uint32_t report[OA_REPORT_BYTES / 4] = {dw[3], (uint32_t)engine_timestamp(e->v), e->current[e->element].hi};

    (void)n;
    if (as)
        vgpu_as_write(as, cs_address(dw + 1) & ~UINT64_C(0x3f), report, sizeof(report));
    return CS_OK;
}

/* ---- post-sync operations */

enum { POST_NONE, POST_IMMEDIATE, POST_DEPTH_COUNT, POST_TIMESTAMP };

struct post_sync {
    unsigned op;
    uint64_t addr;
    bool ggtt, index; /* index: addr is an offset in the per-process status page */
    uint64_t data;
    size_t size;
};

static uint64_t depth_count(struct vgpu_engine *e)
{
    vgpu_lock(e->v);
    uint64_t count =
        (uint64_t)*vgpu_reg(e->v, R_PS_DEPTH_COUNT, VGPU_RCS, 1) << 32 | *vgpu_reg(e->v, R_PS_DEPTH_COUNT, VGPU_RCS, 0);

    vgpu_unlock(e->v);
    return count;
}

/* Drivers wait for these writes, so a GGTT bit in an unprivileged stream is ignored, not the write. Index mode uses the
 * context's own status page (i915 LRC_PPHWSP_SCRATCH_ADDR). */
static enum cs_result post_sync(struct vgpu_engine *e, struct post_sync *p)
{
    struct vgpu_as *as = p->ggtt && !cs_is_user(e) ? &e->ggtt : &e->ppgtt;

    if (p->op == POST_NONE)
        return CS_OK;
    if (p->op == POST_DEPTH_COUNT)
        p->data = depth_count(e);
    else if (p->op == POST_TIMESTAMP)
        p->data = engine_timestamp(e->v);
    if (p->op != POST_IMMEDIATE)
        p->size = 8;
    if (p->index) {
        as = &e->ggtt;
        p->addr = pphwsp(e) + (p->addr & STATUS_PAGE_MASK & ~UINT64_C(7));
    }
    return cs_store(e, as, p->addr, &p->data, p->size);
}

static void notify(struct vgpu_engine *e)
{
    vgpu_lock(e->v);
    vgpu_irq_gt(e->v, e->id, IRQ_FLUSH_NOTIFY);
    vgpu_unlock(e->v);
}

#define FLUSH_DW_ARGS   5u /* dwords that mean something; longer ones are padding */
#define FLUSH_DW_NOTIFY GT_BIT(8)
#define FLUSH_DW_TLB    GT_BIT(18)
#define FLUSH_DW_INDEX  GT_BIT(21)
#define FLUSH_DW_GGTT   GT_BIT(2) /* of the address */

enum cs_result mi_flush_dw(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    uint32_t arg[FLUSH_DW_ARGS] = {0};

    memcpy(arg, dw, sizeof(uint32_t) * GT_MIN(n, FLUSH_DW_ARGS));
    struct post_sync p = {
        .op = gt_field(arg[0], 15, 14),
        .addr = cs_address(arg + 1) & ~UINT64_C(7),
        .ggtt = arg[1] & FLUSH_DW_GGTT,
        .index = arg[0] & FLUSH_DW_INDEX,
        .data = (uint64_t)arg[4] << 32 | arg[3],
        .size = n > 4 ? 8 : 4,
    };

    if (arg[0] & FLUSH_DW_TLB)
        cs_flush_tlbs(e);
    enum cs_result r = post_sync(e, &p);

    if (r == CS_OK && (arg[0] & FLUSH_DW_NOTIFY))
        notify(e);
    return r;
}

#define PC_NOTIFY GT_BIT(8)
#define PC_TLB    GT_BIT(18)
#define PC_INDEX  GT_BIT(21)
#define PC_LRI    GT_BIT(23)
#define PC_GGTT   GT_BIT(24)

enum cs_result cs_pipe_control(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct post_sync p = {
        .op = gt_field(dw[1], 15, 14),
        .addr = cs_address(dw + 2),
        .ggtt = dw[1] & PC_GGTT,
        .index = dw[1] & PC_INDEX,
        .data = (uint64_t)dw[5] << 32 | dw[4],
        .size = 8,
    };

    if (n < 6) /* the row of another table says so as well */
        return cs_fault(e, "command of illegal length");
    if (dw[1] & PC_TLB)
        cs_flush_tlbs(e);
    if (dw[1] & PC_LRI) {
        cs_reg_write(e, (uint32_t)p.addr & GT_MASK(22, 2), dw[4]);
        p.op = POST_NONE;
    }
    enum cs_result r = post_sync(e, &p);

    if (r == CS_OK && (dw[1] & PC_NOTIFY))
        notify(e);
    return r;
}
