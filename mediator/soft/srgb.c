#include "mediator/soft/srgb.h"

#include <math.h>

#include "mediator/soft/half.h"

/* Linear values of a bucket share these top bits of their float; below 2^-13 every code is 0. */
#define BUCKET_SHIFT 16
#define BUCKET_FIRST (soft_as_bits(0x1p-13f) >> BUCKET_SHIFT)
#define BUCKETS      (13u << 7)

float soft_srgb_to_linear[256];
static float first_of_code[257]; /* smallest float whose nearest code is the index */
static uint8_t code_of_bucket[BUCKETS];

double soft_srgb_decode(double encoded)
{
    return encoded <= 0.04045 ? encoded / 12.92 : pow((encoded + 0.055) / 1.055, 2.4);
}

double soft_srgb_encode(double linear)
{
    return linear <= 0.0031308 ? linear * 12.92 : 1.055 * pow(linear, 1 / 2.4) - 0.055;
}

/* Before main: the tables depend on nothing. */
__attribute__((constructor)) static void fill_tables(void)
{
    for (unsigned i = 0; i < 256; i++) {
        soft_srgb_to_linear[i] = (float)soft_srgb_decode(i / 255.0);
        first_of_code[i] = i ? (float)soft_srgb_decode((i - 0.5) / 255.0) : 0;
    }
    first_of_code[256] = INFINITY;
    for (unsigned i = 0, code = 0; i < BUCKETS; i++) {
        while (soft_as_float((BUCKET_FIRST + i) << BUCKET_SHIFT) >= first_of_code[code + 1])
            code++;
        code_of_bucket[i] = (uint8_t)code;
    }
}

uint8_t soft_srgb_from_linear(float linear)
{
    if (!(linear >= 0x1p-13f))
        return 0; /* the step from 0 to 1 is at 1.5e-4, above 2^-13 */
    if (linear >= 1)
        return 255;
    unsigned code = code_of_bucket[(soft_as_bits(linear) >> BUCKET_SHIFT) - BUCKET_FIRST];
    while (linear >= first_of_code[code + 1])
        code++;
    return (uint8_t)code;
}
