/*
 * MI_ATOMIC (PRM SKL vol 2a): read-modify-write of 4, 8 or 16 bytes. Operations are atomic towards the guest's CPUs and
 * the other engines for 4 and 8 bytes; of the 16-byte compare and write, each half is.
 */
#include <string.h>

#include "vgpu/cs.h"

#define ATOMIC_RETURN        GT_BIT(16)
#define ATOMIC_INLINE        GT_BIT(18)
#define ATOMIC_GGTT          GT_BIT(22)
#define ATOMIC_INLINE_DWORDS 11

/* Operations: genxml gen9 Atomic_OPCODE; bit 5: 8 bytes, bit 6: 16 bytes. */
enum {
    OP_AND = 0x1,
    OP_OR,
    OP_XOR,
    OP_MOVE,
    OP_INC,
    OP_DEC,
    OP_ADD,
    OP_SUB,
    OP_RSUB,
    OP_IMAX,
    OP_IMIN,
    OP_UMAX,
    OP_UMIN,
    OP_CMP_WR,
    OP_PREDEC,
};
#define OP_8B        0x20
#define OP_16B       0x40
#define OP_CMP_WR16B 0x4e

/* Operands and results outside of the command: CS_GPR 0, 1 (first), 2, 3 (second), 4, 5 (old value). */
enum { GPR_OPERAND1 = 0, GPR_OPERAND2 = 2, GPR_RETURN = 4 };

/* An engine that loses against other writers this often runs the command again later. */
#define TRIES_MAX 64

struct atomic_op {
    unsigned op, size;
    uint64_t operand1[2], operand2[2];
    uint64_t returned[2];
};

static int64_t sign_extend(uint64_t v, unsigned size)
{
    return size == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

/* The new value. False: reserved operation. */
static bool apply(const struct atomic_op *a, uint64_t old, uint64_t *new)
{
    uint64_t x = a->operand1[0];
    int64_t so = sign_extend(old, a->size), sx = sign_extend(x, a->size);

    switch (a->op & 0x1f) {
    case OP_AND:
        *new = old &x;
        break;
    case OP_OR:
        *new = old | x;
        break;
    case OP_XOR:
        *new = old ^ x;
        break;
    case OP_MOVE:
        *new = x;
        break;
    case OP_INC:
        *new = old + 1;
        break;
    case OP_DEC:
    case OP_PREDEC:
        *new = old - 1;
        break;
    case OP_ADD:
        *new = old + x;
        break;
    case OP_SUB:
        *new = old - x;
        break;
    case OP_RSUB:
        *new = x - old;
        break;
    case OP_IMAX:
        *new = (uint64_t)(so > sx ? so : sx);
        break;
    case OP_IMIN:
        *new = (uint64_t)(so < sx ? so : sx);
        break;
    case OP_UMAX:
        *new = GT_MAX(old, x);
        break;
    case OP_UMIN:
        *new = GT_MIN(old, x);
        break;
    case OP_CMP_WR:
        *new = old == x ? a->operand2[0] : old;
        break;
    default:
        return false;
    }
    if (a->size == 4)
        *new &= UINT32_MAX;
    return true;
}

static void set_returned(struct atomic_op *a, uint64_t old, uint64_t new)
{
    a->returned[0] = (a->op & 0x1f) == OP_PREDEC ? new : old;
}

/* What is about to happen, for a process that has to find out whether it has. */
static void note(struct vgpu_engine *e, const struct atomic_note *n)
{
    e->tidy = true;
    e->atomic.size = 0;
    vgpu_order();
    e->atomic.at = n->at;
    e->atomic.addr = n->addr;
    e->atomic.old = n->old;
    e->atomic.new = n->new;
    vgpu_order();
    e->atomic.size = n->size;
    vgpu_order();
}

/* True when a killed process has carried this command out: the memory has its result. `now` is what it has. */
static bool happened(struct vgpu_engine *e, const struct atomic_note *this, uint64_t now)
{
    const struct atomic_note *n = &e->atomic;
    bool resumed = n->resumed && n->size == this->size && n->at == this->at && n->addr == this->addr;

    e->atomic.resumed = false;
    return resumed && n->old != n->new &&now == n->new;
}

static enum cs_result modify(struct vgpu_engine *e, struct vgpu_as *as, uint64_t addr, struct atomic_op *a)
{
    struct atomic_note n = {.at = cs_at(e), .addr = addr, .size = a->size};
    enum cs_result r = cs_fetch(e, as, addr, &n.old, a->size);

    if (r != CS_OK)
        return r;
    if (happened(e, &n, n.old)) {
        set_returned(a, e->atomic.old, e->atomic.new);
        return CS_OK;
    }
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        uint64_t found = n.old;

        if (!apply(a, n.old, &n.new))
            return cs_fault(e, "reserved atomic operation");
        note(e, &n);
        int swapped = vgpu_as_cas(as, addr, a->size, &found, n.new);

        if (swapped < 0)
            return cs_fault_mem(e, "atomic operation on unmapped memory", addr);
        if (swapped) {
            set_returned(a, n.old, n.new);
            return CS_OK;
        }
        n.old = found;
    }
    e->atomic.size = 0;
    return CS_AGAIN;
}

static enum cs_result compare_write_16(struct vgpu_engine *e, struct vgpu_as *as, uint64_t addr, struct atomic_op *a)
{
    enum cs_result r = cs_fetch(e, as, addr, a->returned, sizeof(a->returned));

    if (r != CS_OK || memcmp(a->returned, a->operand1, sizeof(a->returned)) != 0)
        return r;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t expected = a->operand1[i];
        int swapped = vgpu_as_cas(as, addr + 8u * i, 8, &expected, a->operand2[i]);

        if (swapped < 0)
            return cs_fault_mem(e, "atomic operation on unmapped memory", addr);
        a->returned[i] = expected;
        if (!swapped)
            return CS_OK;
    }
    return CS_OK;
}

/* Inline operands alternate: first and second operand, dword by dword. */
static void read_operands(struct vgpu_engine *e, const uint32_t *dw, unsigned n, struct atomic_op *a)
{
    uint32_t one[4] = {0}, two[4] = {0};

    if (dw[0] & ATOMIC_INLINE) {
        for (unsigned i = 0; i < 4; i++) {
            one[i] = 3 + 2 * i < n ? dw[3 + 2 * i] : 0;
            two[i] = 4 + 2 * i < n ? dw[4 + 2 * i] : 0;
        }
    } else {
        vgpu_lock(e->v);
        for (unsigned i = 0; i < 4; i++) {
            one[i] = *vgpu_reg(e->v, R_CS_GPR, e->id, 2 * GPR_OPERAND1 + i);
            two[i] = *vgpu_reg(e->v, R_CS_GPR, e->id, 2 * GPR_OPERAND2 + i);
        }
        vgpu_unlock(e->v);
    }
    memcpy(a->operand1, one, sizeof(one));
    memcpy(a->operand2, two, sizeof(two));
    if (a->size == 4) {
        a->operand1[0] &= UINT32_MAX;
        a->operand2[0] &= UINT32_MAX;
    }
}

static void return_data(struct vgpu_engine *e, const struct atomic_op *a)
{
    vgpu_lock(e->v);
    for (unsigned i = 0; i < a->size / 4; i++)
        *vgpu_reg(e->v, R_CS_GPR, e->id, 2 * GPR_RETURN + i) = (uint32_t)(a->returned[i / 2] >> (32 * (i % 2)));
    vgpu_unlock(e->v);
}

enum cs_result mi_atomic(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct atomic_op a = {.op = gt_field(dw[0], 15, 8)};
    struct vgpu_as *as = cs_as(e, dw[0] & ATOMIC_GGTT);
    enum cs_result r;

    if (!as)
        return CS_OK;
    if ((dw[0] & ATOMIC_INLINE) && n < ATOMIC_INLINE_DWORDS)
        return cs_fault(e, "command of illegal length");
    if ((a.op & ~(OP_8B | 0x1f)) && a.op != OP_CMP_WR16B)
        return cs_fault(e, "reserved atomic operation");
    a.size = a.op & OP_16B ? 16 : a.op & OP_8B ? 8 : 4;
    read_operands(e, dw, n, &a);
    uint64_t addr = cs_address(dw + 1) & ~(uint64_t)(a.size - 1); /* low address bits do not exist */

    r = a.size == 16 ? compare_write_16(e, as, addr, &a) : modify(e, as, addr, &a);
    if (r == CS_OK && (dw[0] & ATOMIC_RETURN))
        return_data(e, &a);
    return r;
}
