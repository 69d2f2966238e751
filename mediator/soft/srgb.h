/* The sRGB transfer functions, by tables: exact to the nearest of 256 steps. */
#ifndef GTMUX_SOFT_SRGB_H
#define GTMUX_SOFT_SRGB_H

#include <stdint.h>

/* Linear value of each 8-bit code. */
extern float soft_srgb_to_linear[256];
/* The code nearest to a linear value; NaN and what is below 0 give 0. */
uint8_t soft_srgb_from_linear(float linear);
/* Any number of bits, by the formulas. */
double soft_srgb_decode(double encoded);
double soft_srgb_encode(double linear);

#endif
