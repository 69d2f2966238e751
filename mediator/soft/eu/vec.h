/*
 * Private to eu/: the common instructions over 8 channels at a time. vec_*.c include vec_impl.h, once for processors
 * with AVX2 and FMA and once for any; each gives one table of functions.
 */
#ifndef GTMUX_SOFT_EU_VEC_H
#define GTMUX_SOFT_EU_VEC_H

#include "mediator/soft/eu/op.h"

/* A function for each pair of shapes VEC, SCALAR, IMM: without modifiers; of floats, with those of sources. `any` takes
 * all shapes, modifiers and conditions. */
struct eu_vec_two {
    eu_exec plain[3][3], signs[3][3], any;
};

struct eu_vec_table {
    struct eu_vec_two fadd, fmul, fmin, fmax, fcmp;
    struct eu_vec_two iadd, iand, ior, ixor, ishl, ishr, iasr, imul, icmp, imin, imax, umin, umax, isel;
    eu_exec mad[2][2][2], mad_signs[2][2][2], mad_any; /* VEC, SCALAR each; _signs: source modifiers */
    eu_exec lrp, pln;
    eu_exec mov[3], imov, inot;                /* 32 bits as they are; with modifiers and conditions */
    eu_exec fmov, frc, rndu, rndd, rnde, rndz; /* floats, modifiers, saturation */
    eu_exec inv, rsq, sqrt, exp, log, sin, cos, pow, fdiv;
    eu_exec f_from_int, int_from_f;
    eu_exec iadd_words, imul_words, iand_words, ior_words, ixor_words, ishl_words, imov_words; /* into packed words */
};

extern const struct eu_vec_table eu_vec_base;
#ifdef __x86_64__
extern const struct eu_vec_table eu_vec_avx2;
#endif

/* The function of a table that does the same for op as eu_exec_any, or NULL. */
eu_exec eu_choose_from(const struct eu_op *op, const struct eu_vec_table *v);

#endif
