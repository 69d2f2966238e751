/* Instructions over 8 channels, for processors with AVX2 and FMA: built with these, chosen at run time (choose.c). */
#ifdef __AVX2__
#define EU_VEC_TABLE eu_vec_avx2
#include "mediator/soft/eu/vec_impl.h"
#endif
