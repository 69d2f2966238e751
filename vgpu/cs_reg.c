/* Commands that move register values, and the command streamer's ALU. PRM SKL vol 2a. */
#include <string.h>

#include "vgpu/cs.h"

#define LRI_BYTE_DISABLES(header) gt_field(header, 11, 8)

static void load_bytes(struct vgpu_engine *e, uint32_t off, uint32_t val, unsigned disables)
{
    uint32_t keep = 0;

    for (unsigned i = 0; i < 4; i++)
        if (disables & GT_BIT(i))
            keep |= 0xffu << (8 * i);
    cs_reg_write(e, off, (cs_reg_read(e, off) & keep) | (val & ~keep));
}

enum cs_result mi_load_register_imm(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    unsigned disables = LRI_BYTE_DISABLES(dw[0]);

    for (unsigned i = 1; i + 1 < n; i += 2) {
        if (disables)
            load_bytes(e, dw[i] & REG_ADDRESS, dw[i + 1], disables);
        else
            cs_reg_write(e, dw[i] & REG_ADDRESS, dw[i + 1]);
    }
    return CS_OK;
}

#define MEM_GGTT GT_BIT(22)

enum cs_result mi_load_register_mem(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct vgpu_as *as = cs_as(e, dw[0] & MEM_GGTT);
    uint32_t val = 0;

    (void)n;
    if (!as)
        return CS_OK;
    enum cs_result r = cs_fetch(e, as, cs_address(dw + 2), &val, 4);

    if (r == CS_OK)
        cs_reg_write(e, dw[1] & REG_ADDRESS, val);
    return r;
}

enum cs_result mi_load_register_reg(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    (void)n;
    cs_reg_write(e, dw[2] & REG_ADDRESS, cs_reg_read(e, dw[1] & REG_ADDRESS));
    return CS_OK;
}

#define SRM_PREDICATE GT_BIT(21)

enum cs_result mi_store_register_mem(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct vgpu_as *as = cs_as(e, dw[0] & MEM_GGTT);

    (void)n;
    if (!as)
        return CS_OK;
    if ((dw[0] & SRM_PREDICATE) && e->id == VGPU_RCS &&
        !(cs_reg_read(e, reg_off(R_MI_PREDICATE_RESULT, VGPU_RCS, 0)) & 1))
        return CS_OK;
    uint32_t val = cs_reg_read(e, dw[1] & REG_ADDRESS);

    return cs_store(e, as, cs_address(dw + 2), &val, 4);
}

/* ---- MI_MATH: opcodes and operands as in genxml gen9 MI_MATH_ALU_INSTRUCTION */

enum {
    ALU_NOOP = 0x000,
    ALU_LOAD = 0x080,
    ALU_LOADINV = 0x480,
    ALU_LOAD0 = 0x081,
    ALU_LOAD1 = 0x481,
    ALU_ADD = 0x100,
    ALU_SUB = 0x101,
    ALU_AND = 0x102,
    ALU_OR = 0x103,
    ALU_XOR = 0x104,
    ALU_STORE = 0x180,
    ALU_STOREINV = 0x580,
};
enum { ALU_GPRS = 16, ALU_SRCA = 0x20, ALU_SRCB = 0x21, ALU_ACCU = 0x31, ALU_ZF = 0x32, ALU_CF = 0x33 };

struct alu {
    struct vgpu *v;
    unsigned engine;
    uint64_t a, b, accu, zf, cf; /* flags: 0 or all ones */
};

static uint64_t gpr_get(const struct alu *s, unsigned i)
{
    return (uint64_t)*vgpu_reg(s->v, R_CS_GPR, s->engine, 2 * i + 1) << 32 |
           *vgpu_reg(s->v, R_CS_GPR, s->engine, 2 * i);
}

static void gpr_set(const struct alu *s, unsigned i, uint64_t val)
{
    *vgpu_reg(s->v, R_CS_GPR, s->engine, 2 * i) = (uint32_t)val;
    *vgpu_reg(s->v, R_CS_GPR, s->engine, 2 * i + 1) = (uint32_t)(val >> 32);
}

static uint64_t alu_get(const struct alu *s, unsigned operand)
{
    if (operand < ALU_GPRS)
        return gpr_get(s, operand);
    switch (operand) {
    case ALU_SRCA:
        return s->a;
    case ALU_SRCB:
        return s->b;
    case ALU_ACCU:
        return s->accu;
    case ALU_ZF:
        return s->zf;
    case ALU_CF:
        return s->cf;
    default:
        return 0;
    }
}

static void alu_load(struct alu *s, unsigned operand, uint64_t val)
{
    if (operand == ALU_SRCA)
        s->a = val;
    else if (operand == ALU_SRCB)
        s->b = val;
}

static void alu_result(struct alu *s, uint64_t accu, bool carry)
{
    s->accu = accu;
    s->zf = accu ? 0 : UINT64_MAX;
    s->cf = carry ? UINT64_MAX : 0;
}

static void alu_store(struct alu *s, unsigned operand, uint64_t val)
{
    if (operand < ALU_GPRS)
        gpr_set(s, operand, val);
}

static bool alu_step(struct alu *s, uint32_t instruction)
{
    unsigned op1 = gt_field(instruction, 19, 10), op2 = gt_field(instruction, 9, 0);

    switch (gt_field(instruction, 31, 20)) {
    case ALU_NOOP:
        break;
    case ALU_LOAD:
        alu_load(s, op1, alu_get(s, op2));
        break;
    case ALU_LOADINV:
        alu_load(s, op1, ~alu_get(s, op2));
        break;
    case ALU_LOAD0:
        alu_load(s, op1, 0);
        break;
    case ALU_LOAD1:
        alu_load(s, op1, UINT64_MAX);
        break;
    case ALU_ADD:
        alu_result(s, s->a + s->b, s->a + s->b < s->a);
        break;
    case ALU_SUB:
        alu_result(s, s->a - s->b, s->a < s->b);
        break;
    case ALU_AND:
        alu_result(s, s->a & s->b, false);
        break;
    case ALU_OR:
        alu_result(s, s->a | s->b, false);
        break;
    case ALU_XOR:
        alu_result(s, s->a ^ s->b, false);
        break;
    case ALU_STORE:
        alu_store(s, op1, alu_get(s, op2));
        break;
    case ALU_STOREINV:
        alu_store(s, op1, ~alu_get(s, op2));
        break;
    default:
        return false;
    }
    return true;
}

enum cs_result mi_math(struct vgpu_engine *e, const uint32_t *dw, unsigned n)
{
    struct alu s = {.v = e->v, .engine = e->id};
    bool ok = true;

    vgpu_lock(e->v);
    cs_note(e, vgpu_reg(e->v, R_CS_GPR, e->id, 0), 2 * ALU_GPRS * sizeof(uint32_t));
    for (unsigned i = 1; i < n && ok; i++)
        ok = alu_step(&s, dw[i]);
    vgpu_unlock(e->v);
    return ok ? CS_OK : cs_fault(e, "unknown ALU instruction");
}
