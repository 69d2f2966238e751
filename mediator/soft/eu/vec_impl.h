/*
 * Included by vec_*.c: the functions of struct eu_vec_table. Vectors of 8 channels are the compiler's vector types;
 * where these have no operator there is an AVX2 instruction or a loop. Functions are made of one body by giving it
 * constants.
 *
 * A store to channels that do not run writes their old value: a thread's registers are its own, and behind the register
 * file there is slack for a whole vector.
 */
#include "mediator/soft/eu/vec_lanes.h"
#include "mediator/soft/eu/vec_one.h"
#include "mediator/soft/eu/vec_several.h"

#define ANY(name)                                                                                                      \
    {                                                                                                                  \
        .any = name##_any                                                                                              \
    }

const struct eu_vec_table EU_VEC_TABLE = {
    .fadd = PAIRS_AND_SIGNS_OF(fadd),
    .fmul = PAIRS_AND_SIGNS_OF(fmul),
    .fmin = PAIRS_AND_SIGNS_OF(fmin),
    .fmax = PAIRS_AND_SIGNS_OF(fmax),
    .fcmp = ANY(fcmp),
    .iadd = PAIRS_OF(iadd),
    .iadd_words = iadd_words,
    .imul = PAIRS_OF(imul),
    .imul_words = imul_words,
    .iand = PAIRS_OF(iand),
    .iand_words = iand_words,
    .ior = PAIRS_OF(ior),
    .ior_words = ior_words,
    .ixor = PAIRS_OF(ixor),
    .ixor_words = ixor_words,
    .ishl = PAIRS_OF(ishl),
    .ishl_words = ishl_words,
    .ishr = PAIRS_OF(ishr),
    .iasr = PAIRS_OF(iasr),
    .imin = PAIRS_OF(imin),
    .imax = PAIRS_OF(imax),
    .umin = PAIRS_OF(umin),
    .umax = PAIRS_OF(umax),
    .icmp = ANY(icmp),
    .isel = ANY(isel),
    .mad = TRIPLES_OF(mad),
    .mad_signs = TRIPLES_OF(mad_signs),
    .mad_any = mad_any,
    .lrp = lrp_any,
    .pln = pln_plain,
    .mov = {[V] = mov_V, [S] = mov_S, [I] = mov_I},
    .imov = imov_any,
    .imov_words = imov_words,
    .inot = inot_any,
    .fmov = fmov_any,
    .frc = frc_any,
    .rndu = rndu_any,
    .rndd = rndd_any,
    .rnde = rnde_any,
    .rndz = rndz_any,
    .inv = inv_any,
    .rsq = rsq_any,
    .sqrt = sqrt_any,
    .exp = exp_any,
    .log = log_any,
    .sin = sin_any,
    .cos = cos_any,
    .pow = pow_any,
    .fdiv = fdiv_any,
    .f_from_int = f_from_int,
    .int_from_f = int_from_f,
};
