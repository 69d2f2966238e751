/* Instructions over 8 channels, for any processor. */
#define EU_VEC_TABLE eu_vec_base
#include "mediator/soft/eu/vec_impl.h"
