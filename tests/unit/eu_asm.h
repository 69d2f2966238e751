/* Builds machine code for tests of the execution units. */
#ifndef GTMUX_TESTS_EU_ASM_H
#define GTMUX_TESTS_EU_ASM_H

#include <string.h>

#include "mediator/soft/eu/eu.h"
#include "mediator/soft/eu/inst.h"

struct asm_code {
    struct eu_bits inst[256];
    unsigned n;
};

/* An operand: register, region (elements) and modifiers, or an immediate. */
struct asm_reg {
    uint8_t file, type, nr, sub; /* sub: bytes */
    uint8_t vs, w, hs;
    bool neg, abs, indirect;
    uint8_t address;
    int16_t offset;
    uint64_t imm;
};

static inline struct asm_reg asm_vec(unsigned nr, unsigned type)
{
    return (struct asm_reg){.file = EU_GRF, .type = (uint8_t)type, .nr = (uint8_t)nr, .vs = 8, .w = 8, .hs = 1};
}

static inline struct asm_reg asm_scalar(unsigned nr, unsigned sub, unsigned type)
{
    return (struct asm_reg){
        .file = EU_GRF, .type = (uint8_t)type, .nr = (uint8_t)nr, .sub = (uint8_t)sub, .w = 1, .hs = 0};
}

static inline struct asm_reg asm_region(unsigned nr, unsigned sub, unsigned type, unsigned vs, unsigned w, unsigned hs)
{
    return (struct asm_reg){.file = EU_GRF,
                            .type = (uint8_t)type,
                            .nr = (uint8_t)nr,
                            .sub = (uint8_t)sub,
                            .vs = (uint8_t)vs,
                            .w = (uint8_t)w,
                            .hs = (uint8_t)hs};
}

static inline struct asm_reg asm_arf(unsigned nr, unsigned sub, unsigned type)
{
    return (struct asm_reg){
        .file = EU_ARF, .type = (uint8_t)type, .nr = (uint8_t)nr, .sub = (uint8_t)sub, .w = 1, .hs = 1};
}

static inline struct asm_reg asm_null(unsigned type)
{
    return asm_arf(EU_ARF_NULL, 0, type);
}

static inline struct asm_reg asm_imm(unsigned type, uint64_t bits)
{
    return (struct asm_reg){.file = EU_IMM, .type = (uint8_t)type, .imm = bits};
}

static inline struct asm_reg asm_float(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof(bits));
    return asm_imm(EU_TYPE_F, bits);
}

static inline struct asm_reg asm_neg(struct asm_reg r)
{
    r.neg = true;
    return r;
}

static inline struct asm_reg asm_abs(struct asm_reg r)
{
    r.abs = true;
    return r;
}

/* Columns: registers, immediates, three sources. */
static inline uint64_t asm_type(unsigned type, unsigned column)
{
    static const int8_t codes[][3] = {
#define EU_TYPE(name, bytes, kind, reg, imm, src3) [EU_TYPE_##name] = {reg, imm, src3},
#include "mediator/soft/eu/types.def"
#undef EU_TYPE
    };

    return (uint64_t)codes[type][column];
}

static inline uint64_t asm_stride(unsigned elements) /* 0, 1, 2, 4, ...; 255: VxH */
{
    return elements == 255 ? EU_VSTRIDE_VXH : elements ? (uint64_t)__builtin_ctz(elements) + 1 : 0;
}

static inline void asm_put_src(struct eu_bits *b, unsigned i, struct asm_reg r)
{
    if (i) {
        EU_PUT(b, SRC1_FILE, r.file);
        EU_PUT(b, SRC1_TYPE, asm_type(r.type, r.file == EU_IMM));
    } else {
        EU_PUT(b, SRC0_FILE, r.file);
        EU_PUT(b, SRC0_TYPE, asm_type(r.type, r.file == EU_IMM));
    }
    if (r.file == EU_IMM) {
        if (eu_types[r.type].bytes == 8)
            EU_PUT(b, IMM64, r.imm);
        else
            EU_PUT(b, IMM32, r.imm);
        return;
    }
#define ASM_PUT(name, v) eu_bits_put(b, EU_FIELD_SRC0_##name + i * (32 << 8 | 32), v)
    ASM_PUT(VSTRIDE, asm_stride(r.vs));
    ASM_PUT(WIDTH, (uint64_t)__builtin_ctz(r.w));
    ASM_PUT(HSTRIDE, asm_stride(r.hs));
    ASM_PUT(NEGATE, r.neg);
    ASM_PUT(ABS, r.abs);
    ASM_PUT(ADDRESS_MODE, r.indirect);
    if (r.indirect) {
        ASM_PUT(IA_SUBREG, r.address);
        ASM_PUT(IA_IMM, (uint64_t)r.offset & 0x1ff);
        if (i)
            EU_PUT(b, SRC1_IA_IMM9, (uint64_t)r.offset >> 9 & 1);
        else
            EU_PUT(b, SRC0_IA_IMM9, (uint64_t)r.offset >> 9 & 1);
    } else {
        ASM_PUT(REG, r.nr);
        ASM_PUT(SUBREG, r.sub);
    }
#undef ASM_PUT
}

static inline void asm_put_dst(struct eu_bits *b, struct asm_reg r)
{
    EU_PUT(b, DST_FILE, r.file);
    EU_PUT(b, DST_TYPE, asm_type(r.type, 0));
    EU_PUT(b, DST_HSTRIDE, asm_stride(r.hs ? r.hs : 1));
    EU_PUT(b, DST_ADDRESS_MODE, r.indirect);
    if (r.indirect) {
        EU_PUT(b, DST_IA_SUBREG, r.address);
        EU_PUT(b, DST_IA_IMM, (uint64_t)r.offset & 0x1ff);
        EU_PUT(b, DST_IA_IMM9, (uint64_t)r.offset >> 9 & 1);
    } else {
        EU_PUT(b, DST_REG, r.nr);
        EU_PUT(b, DST_SUBREG, r.sub);
    }
}

static inline struct eu_bits *asm_op(struct asm_code *c, unsigned op, unsigned width)
{
    struct eu_bits *b = &c->inst[c->n++];

    memset(b, 0, sizeof(*b));
    EU_PUT(b, OPCODE, op);
    EU_PUT(b, EXEC_SIZE, (uint64_t)__builtin_ctz(width));
    return b;
}

/* Appends an instruction with one or two sources (source 1 of those with one: asm_null). */
static inline struct eu_bits *asm_alu(struct asm_code *c, unsigned op, unsigned width, struct asm_reg dst,
                                      struct asm_reg s0, struct asm_reg s1)
{
    struct eu_bits *b = asm_op(c, op, width);

    asm_put_dst(b, dst);
    if (s1.file != EU_IMM && s0.file != EU_IMM)
        asm_put_src(b, 1, s1);
    asm_put_src(b, 0, s0);
    if (s1.file == EU_IMM)
        asm_put_src(b, 1, s1);
    return b;
}

static inline struct eu_bits *asm_mov(struct asm_code *c, unsigned width, struct asm_reg dst, struct asm_reg src)
{
    return asm_alu(c, EU_OP_MOV, width, dst, src, asm_null(EU_TYPE_UD));
}

/* Three sources, each a vector (vs != 0) or a scalar. All have the type of source 0. */
static inline struct eu_bits *asm_three(struct asm_code *c, unsigned op, unsigned width, struct asm_reg dst,
                                        struct asm_reg s0, struct asm_reg s1, struct asm_reg s2)
{
    struct eu_bits *b = asm_op(c, op, width);

    EU_PUT(b, ACCESS_MODE, 1);
    EU_PUT(b, DST_TYPE3, asm_type(dst.type, 2));
    EU_PUT(b, SRC_TYPE3, asm_type(s0.type, 2));
    EU_PUT(b, DST_REG3, dst.nr);
    EU_PUT(b, DST_SUBREG3, dst.sub / 4u);
    EU_PUT(b, DST_WRITEMASK3, 15);
#define ASM_PUT3(n, r)                                                                                                 \
    EU_PUT(b, SRC##n##_REG3, (r).nr);                                                                                  \
    EU_PUT(b, SRC##n##_SUBREG3, (r).sub / 4u);                                                                         \
    EU_PUT(b, SRC##n##_REP3, !(r).vs);                                                                                 \
    EU_PUT(b, SRC##n##_SWIZZLE3, (r).vs ? EU_SWIZZLE_XYZW : 0);                                                        \
    EU_PUT(b, SRC##n##_NEGATE3, (r).neg);                                                                              \
    EU_PUT(b, SRC##n##_ABS3, (r).abs)
    ASM_PUT3(0, s0);
    ASM_PUT3(1, s1);
    ASM_PUT3(2, s2);
#undef ASM_PUT3
    return b;
}

/* A branch; targets are instructions relative to this one. */
static inline struct eu_bits *asm_flow(struct asm_code *c, unsigned op, unsigned width, int jip, int uip)
{
    struct eu_bits *b = asm_op(c, op, width);

    EU_PUT(b, SRC0_FILE, EU_IMM);
    EU_PUT(b, SRC0_TYPE, asm_type(EU_TYPE_D, 1));
    EU_PUT(b, SRC1_FILE, EU_IMM);
    EU_PUT(b, SRC1_TYPE, asm_type(EU_TYPE_D, 1));
    EU_PUT(b, JIP, (uint32_t)(jip * 16));
    if (eu_opcodes[op].klass == EU_CLASS_FLOW2 || op == EU_OP_GOTO || op == EU_OP_BRC)
        EU_PUT(b, UIP, (uint32_t)(uip * 16)); /* where the description of source 1 is else */
    return b;
}

/* send, sendc: payload from register src on. */
static inline struct eu_bits *asm_send(struct asm_code *c, unsigned width, struct asm_reg dst, unsigned src,
                                       unsigned sfid, uint32_t desc)
{
    struct eu_bits *b = asm_alu(c, EU_OP_SEND, width, dst, asm_vec(src, EU_TYPE_UD), asm_imm(EU_TYPE_UD, desc));

    EU_PUT(b, COND_MODIFIER, sfid);
    return b;
}

/* The usual end: a message to the thread spawner from g127. */
static inline void asm_eot(struct asm_code *c)
{
    struct eu_bits *b = asm_send(c, 8, asm_null(EU_TYPE_UD), 127, EU_SFID_SPAWNER, 1u << 25);

    EU_PUT(b, MASK_CONTROL, 1);
    EU_PUT(b, EOT, 1);
}

static inline bool asm_read(void *ctx, uint64_t offset, void *dst, size_t n)
{
    const struct asm_code *c = ctx;

    if (offset + n > sizeof(c->inst))
        return false;
    memcpy(dst, (const uint8_t *)c->inst + offset, n);
    return true;
}

#endif
