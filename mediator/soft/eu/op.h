/* Private to eu/: the decoded form of kernels, which run.c executes and a translator to host code could start from. */
#ifndef GTMUX_SOFT_EU_OP_H
#define GTMUX_SOFT_EU_OP_H

#include "mediator/soft/eu/eu.h"
#include "mediator/soft/eu/inst.h"

struct eu_op;
/* Carries out an instruction for the channels of mask; bit 0 is the instruction's first channel. */
typedef void (*eu_exec)(struct eu_thread *t, const struct eu_op *op, uint32_t mask);

/* Where the channels of a source are. */
enum eu_shape {
    EU_SHAPE_VEC,      /* one behind the other */
    EU_SHAPE_SCALAR,   /* all in one place */
    EU_SHAPE_IMM,      /* in op->imm */
    EU_SHAPE_PATTERN,  /* at off + pattern */
    EU_SHAPE_INDIRECT, /* at a0.address + offset + pattern */
    EU_SHAPE_ROWS,     /* VxH: each row at its own address register */
};

struct eu_src {
    uint16_t off;     /* bytes from the start of struct eu_thread */
    uint16_t pattern; /* index into eu_kernel.patterns */
    uint8_t shape;    /* enum eu_shape */
    uint8_t type;     /* enum eu_type */
    bool neg, abs;    /* neg of logic instructions: complement */
    uint8_t address;  /* a0 subregister */
    uint8_t width;    /* EU_SHAPE_ROWS: channels a row, log2 */
    int16_t offset;
};

enum eu_op_class {
    EU_RUN_PLAIN, /* exec, on to the next */
    EU_RUN_PRED,  /* the same for channels whose predicate holds */
    EU_RUN_STATE, /* the same, touching registers that need work before or after */
    EU_RUN_FAULT,
    EU_RUN_NOP,
    EU_RUN_SEND,
    EU_RUN_WAIT,
    EU_RUN_IF,
    EU_RUN_ELSE,
    EU_RUN_ENDIF,
    EU_RUN_WHILE,
    EU_RUN_LEAVE, /* break, cont, halt, goto, brc: enabled channels go to uip */
    EU_RUN_JOIN,
    EU_RUN_JUMP, /* jmpi, brd */
    EU_RUN_CALL,
    EU_RUN_RET,
    EU_RUN_MEET = 0x80 /* flag: parked channels may wait here */
};

#define EU_OP_NOWHERE UINT32_MAX
#define EU_OFF_NONE   UINT16_MAX

struct eu_op {
    eu_exec exec;
    uint32_t lanes;   /* channels, from bit 0 */
    uint32_t full;    /* the mask with which whole vectors of 8 can be stored; other than any mask, if none */
    uint32_t force;   /* ~0: runs whatever the execution mask is */
    uint8_t run;      /* enum eu_op_class */
    uint8_t chan;     /* first channel */
    uint8_t width;    /* channels */
    uint8_t chunks;   /* of 8 channels */
    uint8_t op;       /* enum eu_opcode */
    uint8_t cond;     /* enum eu_cond; math function */
    uint8_t pred;     /* enum eu_pred */
    uint8_t flag_bit; /* of the 64 flag bits, that of the first channel */
    bool pred_inv, align16, saturate, acc_write;
    bool raw;              /* moves bits: no conversion, nothing flushed */
    bool eot, wait, split; /* sends */
    uint8_t kind;          /* enum eu_exec_kind, what is computed with */
    struct {
        uint16_t off;
        uint16_t stride; /* bytes */
        uint8_t type;
        bool null, indirect, is_acc;
        uint8_t address;
        int16_t offset;
    } dst;
    struct eu_src src[3];
    uint64_t imm;      /* of the immediate source; floats of scalars as in registers */
    uint32_t jip, uip; /* indices, EU_OP_NOWHERE: by register; of a send: descriptor, extended descriptor */
    uint16_t desc_off, ex_desc_off; /* of a send: where it is in struct eu_thread, EU_OFF_NONE: see jip, uip */
    uint32_t at;                    /* bytes from the entry point */
    const uint16_t *table;          /* eu_kernel.patterns */
};

enum eu_exec_kind { EU_EXEC_INT, EU_EXEC_FLOAT, EU_EXEC_DOUBLE };

struct eu_kernel {
    struct eu_op *ops; /* the last ones are faults: running off the end, a target that is no instruction */
    uint32_t n, off_end, bad_target;
    uint16_t *patterns; /* EU_LANES byte offsets each */
    uint8_t *code;
    uint32_t *index; /* of the instruction at 8 * i, or EU_OP_NOWHERE */
    size_t size;
    size_t memory;
    unsigned unknown;
};

/* Resolves what an instruction works on; target indices are left as byte offsets. The reason when it cannot be executed
 * (op is then a fault), else NULL. Patterns are found or added in `patterns`. */
struct eu_patterns;
const char *eu_lower(struct eu_op *op, const struct eu_inst *in, struct eu_patterns *patterns);
#define EU_PATTERN_KEYS 8192u
struct eu_patterns {
    uint16_t id[EU_PATTERN_KEYS]; /* 0: none; index + 1 */
    uint16_t *lane;
    uint32_t n, room;
    bool failed; /* out of memory */
};

/* The function for an op with resolved operands: a fast one where there is one, eu_exec_any otherwise. */
eu_exec eu_choose(const struct eu_op *op);
void eu_exec_any(struct eu_thread *t, const struct eu_op *op, uint32_t mask);

/* Index of the instruction that is `bytes` from the entry point, or that of the fault for bad targets. */
uint32_t eu_kernel_at(const struct eu_kernel *k, int64_t bytes);

/* EU_DONE: go on. */
enum eu_result eu_send(struct eu_thread *t, const struct eu_op *op, uint32_t mask);
/* Channels (from bit 0) whose predicate holds. */
uint32_t eu_predicate(const struct eu_thread *t, const struct eu_op *op);
/* Puts the bits of the channels in mask into the op's flag register. */
static inline void eu_put_flags(struct eu_thread *t, const struct eu_op *op, uint32_t mask, uint32_t bits)
{
    uint64_t flags = t->flag[0] | (uint64_t)t->flag[1] << 32, m = (uint64_t)mask << op->flag_bit;

    flags = (flags & ~m) | ((uint64_t)bits << op->flag_bit & m);
    t->flag[0] = (uint32_t)flags;
    t->flag[1] = (uint32_t)(flags >> 32);
}

/* Float mode of the host's processor for the thread's cr0, and what it was before. */
uint32_t eu_mode_enter(uint32_t cr0);
void eu_mode_leave(uint32_t before);

#endif
