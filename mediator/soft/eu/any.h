/* Private to eu/: the general way to execute an instruction, over one array of values an operand. */
#ifndef GTMUX_SOFT_EU_ANY_H
#define GTMUX_SOFT_EU_ANY_H

#include "mediator/soft/eu/op.h"

/* All integers as 64 bits, sign or zero extended; half and single floats as single. */
union eu_values {
    int64_t i[EU_LANES];
    uint64_t u[EU_LANES];
    float f[EU_LANES];
    double d[EU_LANES];
};

/* Operands and results of an instruction for op->width channels. */
struct eu_any {
    union eu_values s[3], r;
    union eu_values second; /* remainders, carries */
    uint32_t truth;         /* result of a comparison */
    bool compares;
    bool has_second;
    bool alt;                       /* float rules of EU_CR0_ALT */
    uint32_t pred;                  /* sel: where source 0 is chosen, if it is not by comparing */
    int64_t acc[EU_LANES];          /* integer accumulators, for the instructions that read them */
    const struct eu_thread *thread; /* pln and line look at more than their region */
};

void eu_any_int(struct eu_any *a, const struct eu_op *op);
void eu_any_float(struct eu_any *a, const struct eu_op *op);
void eu_any_double(struct eu_any *a, const struct eu_op *op);

/* Conversion to integers of `bits` bits: out of range gives the nearest, NaN gives 0. */
int64_t eu_double_to_int(double v, unsigned bits, bool is_signed);

#endif
