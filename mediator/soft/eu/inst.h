/*
 * A machine instruction with its fields taken apart: what the disassembler prints and the decoder translates. Nothing
 * is judged here; values are as encoded unless it says otherwise.
 */
#ifndef GTMUX_SOFT_EU_INST_H
#define GTMUX_SOFT_EU_INST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EU_NATIVE_BYTES  16u
#define EU_COMPACT_BYTES 8u

/* A native instruction; of a compacted one only q[0]. */
struct eu_bits {
    uint64_t q[2];
};

enum eu_field {
#define EU_FIELD(name, last, first) EU_FIELD_##name = (last) << 8 | (first),
#include "mediator/soft/eu/fields.def"
#undef EU_FIELD
};

uint64_t eu_bits_get(const struct eu_bits *b, unsigned field);
void eu_bits_put(struct eu_bits *b, unsigned field, uint64_t value);
#define EU_GET(bits, name)        eu_bits_get(bits, EU_FIELD_##name)
#define EU_PUT(bits, name, value) eu_bits_put(bits, EU_FIELD_##name, value)

enum eu_opcode {
#define EU_OP(name, number, text, nsrc, ndst, klass) EU_OP_##name = (number),
#include "mediator/soft/eu/opcodes.def"
#undef EU_OP
};
enum eu_class { EU_CLASS_ALU, EU_CLASS_FLOW0, EU_CLASS_FLOW1, EU_CLASS_FLOW2, EU_CLASS_SEND, EU_CLASS_OTHER };

struct eu_opcode_desc {
    const char *text; /* NULL: no instruction of Gen9 */
    uint8_t nsrc, ndst;
    uint8_t klass; /* enum eu_class */
};
extern const struct eu_opcode_desc eu_opcodes[128];

enum eu_type {
#define EU_TYPE(name, bytes, kind, reg, imm, src3) EU_TYPE_##name,
#include "mediator/soft/eu/types.def"
#undef EU_TYPE
    EU_TYPES,
    EU_TYPE_INVALID = EU_TYPES
};
enum eu_type_kind { EU_KIND_U, EU_KIND_S, EU_KIND_F, EU_KIND_V };
struct eu_type_desc {
    const char *text;
    uint8_t bytes, kind;
};
extern const struct eu_type_desc eu_types[EU_TYPES + 1];

enum eu_file { EU_ARF = 0, EU_GRF = 1, EU_IMM = 3 };

/* Architecture registers: the upper nibble of the register number. PRM SKL vol 7, "Architecture Register File". */
enum eu_arf {
    EU_ARF_NULL = 0x00,
    EU_ARF_ADDRESS = 0x10,
    EU_ARF_ACC = 0x20,
    EU_ARF_FLAG = 0x30,
    EU_ARF_CE = 0x40,
    EU_ARF_STATE = 0x70,
    EU_ARF_CONTROL = 0x80,
    EU_ARF_NOTIFY = 0x90,
    EU_ARF_IP = 0xa0,
    EU_ARF_TDR = 0xb0,
    EU_ARF_TIMESTAMP = 0xc0
};

enum eu_cond { /* conditional modifiers */
               EU_COND_NONE,
               EU_COND_Z,
               EU_COND_NZ,
               EU_COND_G,
               EU_COND_GE,
               EU_COND_L,
               EU_COND_LE,
               EU_COND_O = 8,
               EU_COND_U = 9
};

enum eu_pred { /* predicate control of align1 */
               EU_PRED_NONE,
               EU_PRED_NORMAL,
               EU_PRED_ANYV,
               EU_PRED_ALLV,
               EU_PRED_ANY2H,
               EU_PRED_ALL32H = 13,
               /* ... and of align16 */
               EU_PRED16_X = 2,
               EU_PRED16_W = 5,
               EU_PRED16_ANY4H = 6,
               EU_PRED16_ALL4H = 7
};

enum eu_math {
    EU_MATH_INV = 1,
    EU_MATH_LOG,
    EU_MATH_EXP,
    EU_MATH_SQRT,
    EU_MATH_RSQ,
    EU_MATH_SIN,
    EU_MATH_COS,
    EU_MATH_FDIV = 9,
    EU_MATH_POW,
    EU_MATH_INT_DIV_BOTH,
    EU_MATH_INT_DIV,
    EU_MATH_INT_MOD,
    EU_MATH_INVM,
    EU_MATH_RSQRTM
};

#define EU_VSTRIDE_VXH  15u
#define EU_SWIZZLE_XYZW 0xe4u

struct eu_operand {
    uint8_t file, type; /* enum eu_file, eu_type */
    uint8_t nr;
    uint8_t subnr; /* bytes */
    uint8_t vstride, width, hstride;
    uint8_t swizzle, writemask; /* align16 */
    bool neg, abs, indirect, rep;
    uint8_t address; /* indirect: subregister of a0, words */
    int16_t offset;  /* indirect: bytes */
};

struct eu_inst {
    struct eu_bits bits; /* native form */
    bool compacted;
    const struct eu_opcode_desc *desc;
    uint8_t op; /* enum eu_opcode, or a number that has no text */
    uint8_t nsrc;
    uint8_t exec; /* channels: 1 << exec */
    uint8_t pred, cond, thread_control, dep_control;
    uint8_t flag; /* 16-bit subregister 0..3 */
    uint8_t chan; /* first channel */
    bool align16, pred_inv, saturate, acc_write, debug, nomask;
    struct eu_operand dst, src[3];
    uint64_t imm; /* of the source that is immediate: 64 bits, or the upper 32 of the instruction */
    int32_t jip, uip;
};

/* The native form of a compacted instruction. */
struct eu_bits eu_uncompact(uint64_t compact);
/* Takes apart the instruction at code, of which n bytes can be read. Its length, 0: it does not fit into n bytes. */
unsigned eu_inst_parse(struct eu_inst *in, const uint8_t *code, size_t n);

bool eu_inst_is_send(const struct eu_inst *in);
bool eu_inst_is_split_send(const struct eu_inst *in);

/* Message descriptor that is part of the instruction; false: it is in an address register. */
bool eu_inst_desc(const struct eu_inst *in, uint32_t *desc);
bool eu_inst_ex_desc(const struct eu_inst *in, uint32_t *ex_desc);

/* Strides and widths: elements. */
static inline unsigned eu_stride(unsigned encoded)
{
    return encoded ? 1u << (encoded - 1) : 0;
}

/* Value of a packed restricted float of 8 bits. PRM SKL vol 7, "Packed Restricted Float Vector". */
float eu_vf_to_float(uint8_t vf);
/* IEEE half precision to single and back; every value, also denormals and NaN. rounding: as in cr0 (EU_CR0_ROUND). */
float eu_half_to_float(uint16_t h);
uint16_t eu_float_to_half(float f, unsigned rounding);

#endif
