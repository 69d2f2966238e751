#include "mediator/soft/compress.h"

#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/srgb.h"
#include "mediator/soft/surface.h"

#define ONE soft_as_bits(1.0f)

static void from_bytes(const struct soft_format *f, unsigned n, uint8_t (*in)[4], uint32_t (*out)[4])
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned c = 0; c < 3; c++)
            out[i][c] = soft_as_bits(f->srgb ? soft_srgb_to_linear[in[i][c]] : (float)in[i][c] / 255);
        out[i][3] = soft_as_bits((float)in[i][3] / 255);
    }
}

/* Most texels of a block whose texels are bytes. */
#define BYTES_MAX 32u

/* Block of texels of bytes: BC1-3, BC7, ETC2, FXT1. */
static bool decode_bytes(const struct soft_format *f, const uint8_t *block, uint8_t texel[BYTES_MAX][4])
{
    uint8_t alpha[16];

    switch (f->compression) {
    case SOFT_BC1:
    case SOFT_BC1_RGB:
        bc1_decode(block, f->compression == SOFT_BC1, texel);
        return true;
    case SOFT_BC2:
        bc2_decode(block, texel);
        return true;
    case SOFT_BC3:
        bc3_decode(block, texel);
        return true;
    case SOFT_BC7:
        bc7_decode(block, texel);
        return true;
    case SOFT_FXT1:
        fxt1_decode(block, texel);
        return true;
    case SOFT_ETC2:
    case SOFT_ETC2_PTA:
        etc2_decode(block, f->compression == SOFT_ETC2_PTA, texel);
        return true;
    case SOFT_ETC2_EAC:
        etc2_decode(block + 8, false, texel);
        eac_decode_alpha(block, alpha);
        for (unsigned i = 0; i < 16; i++)
            texel[i][3] = alpha[i];
        return true;
    default:
        return false;
    }
}

static void put_channel(const float *in, unsigned channel, uint32_t (*out)[4])
{
    for (unsigned i = 0; i < 16; i++)
        out[i][channel] = soft_as_bits(in[i]);
}

/* Blocks of one or two channels, eight bytes each. */
static bool decode_channels(const struct soft_format *f, const uint8_t *block, uint32_t (*out)[4])
{
    bool eac = f->compression >= SOFT_EAC_R11 && f->compression <= SOFT_EAC_SRG11;
    bool bc = f->compression >= SOFT_BC4 && f->compression <= SOFT_BC5_SNORM;
    bool is_signed = f->channel[0].type == SOFT_CH_SNORM;
    float texel[16];

    if (!eac && !bc)
        return false;
    for (unsigned i = 0; i < 16; i++)
        memcpy(out[i], (const uint32_t[4]){0, 0, 0, ONE}, 16);
    for (unsigned c = 0; c < f->bits / 64u; c++) {
        if (eac)
            eac_decode_11(block + 8 * c, is_signed, texel);
        else
            bc4_decode(block + 8 * c, is_signed, texel);
        put_channel(texel, c, out);
    }
    return true;
}

static bool decode_bc6h(const struct soft_format *f, const uint8_t *block, uint32_t (*out)[4])
{
    float texel[16][3];

    if (f->compression != SOFT_BC6H_SF && f->compression != SOFT_BC6H_UF)
        return false;
    bc6h_decode(block, f->compression == SOFT_BC6H_SF, texel);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(out[i], texel[i], sizeof(texel[i]));
        out[i][3] = ONE;
    }
    return true;
}

/* Two texels share Cb and Cr: red is Cr, green Y, blue Cb (PRM SKL vol 5, "YUV Surface Formats"). */
static bool decode_ycrcb(const struct soft_format *f, const uint8_t *block, uint32_t (*out)[4])
{
    bool y_odd = f->compression == SOFT_YCRCB_SWAPY || f->compression == SOFT_YCRCB_SWAPUVY;
    bool cr_first = f->compression == SOFT_YCRCB_SWAPUV || f->compression == SOFT_YCRCB_SWAPUVY;

    if (f->compression < SOFT_YCRCB_NORMAL || f->compression > SOFT_YCRCB_SWAPY)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *chroma = block + !y_odd;

        out[i][0] = soft_as_bits((float)chroma[cr_first ? 0 : 2] / 255);
        out[i][1] = soft_as_bits((float)block[2 * i + y_odd] / 255);
        out[i][2] = soft_as_bits((float)chroma[cr_first ? 2 : 0] / 255);
        out[i][3] = ONE;
    }
    return true;
}

/* FLT16 formats of the LDR profile and sRGB. */
static bool decode_astc(const struct soft_format *f, const uint8_t *block, uint32_t (*out)[4])
{
    unsigned n = (unsigned)f->block_width_px * f->block_height_px;
    uint16_t texel[144][4];

    if (f->compression != SOFT_ASTC || n > 144)
        return false;
    astc_decode(block, f->block_width_px, f->block_height_px, f->srgb, texel);
    for (unsigned i = 0; i < n; i++)
        for (unsigned c = 0; c < 4; c++) {
            float v = f->srgb ? (float)(texel[i][c] >> 8) / 255 : (float)texel[i][c] / 65535;

            out[i][c] = soft_as_bits(f->srgb && c < 3 ? soft_srgb_to_linear[texel[i][c] >> 8] : v);
        }
    return true;
}

void soft_format_decode_block(const struct soft_format *f, const uint8_t *block, uint32_t (*texels)[4])
{
    uint8_t bytes[BYTES_MAX][4];

    if (decode_bytes(f, block, bytes))
        from_bytes(f, (unsigned)f->block_width_px * f->block_height_px, bytes, texels);
    else if (!decode_channels(f, block, texels) && !decode_bc6h(f, block, texels) && !decode_ycrcb(f, block, texels) &&
             !decode_astc(f, block, texels))
        memset(texels, 0, (size_t)f->block_width_px * f->block_height_px * sizeof(texels[0]));
}
