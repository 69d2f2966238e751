/* Rows of the formats that render targets, textures and vertex data have most. Loops are plain, over channels kept
 * apart, so that the compiler makes vector code of them. */
#include <stddef.h>
#include <string.h>

#include "mediator/soft/half.h"
#include "mediator/soft/srgb.h"
#include "mediator/soft/surface.h"

/* Division, not multiplication by a rounded 1/255, gives the float nearest to the quotient. */
static inline uint32_t unorm(uint32_t v, float top)
{
    return soft_as_bits((float)v / top);
}

/* Nearest, ties to even, by the adder: 2^23 + v has no place for a fraction. NaN gives 0. */
static inline uint32_t to_unorm(uint32_t in, float top)
{
    float v = soft_as_float(in);

    v = v > 0 ? v : 0;
    v = (v < 1 ? v : 1) * top;
    return soft_as_bits(v + 0x1p23f) & 0x7fffff;
}

/* red, blue: bit position in the dword. */
static void unpack_8888(const uint32_t *in, unsigned n, uint32_t *out, unsigned stride, unsigned red, bool alpha)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = unorm(in[i] >> red & 0xff, 255);
    for (unsigned i = 0; i < n; i++)
        out[stride + i] = unorm(in[i] >> 8 & 0xff, 255);
    for (unsigned i = 0; i < n; i++)
        out[2 * stride + i] = unorm(in[i] >> (16 - red) & 0xff, 255);
    for (unsigned i = 0; i < n; i++)
        out[3 * stride + i] = alpha ? unorm(in[i] >> 24, 255) : soft_as_bits(1.0f);
}

static void unpack_8888_srgb(const uint32_t *in, unsigned n, uint32_t *out, unsigned stride, unsigned red, bool alpha)
{
    for (unsigned i = 0; i < n; i++) {
        out[i] = soft_as_bits(soft_srgb_to_linear[in[i] >> red & 0xff]);
        out[stride + i] = soft_as_bits(soft_srgb_to_linear[in[i] >> 8 & 0xff]);
        out[2 * stride + i] = soft_as_bits(soft_srgb_to_linear[in[i] >> (16 - red) & 0xff]);
        out[3 * stride + i] = alpha ? unorm(in[i] >> 24, 255) : soft_as_bits(1.0f);
    }
}

static void pack_8888(const uint32_t *in, unsigned stride, unsigned n, uint32_t *out, unsigned red, bool alpha)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t a = alpha ? to_unorm(in[3 * stride + i], 255) : 0;

        out[i] = to_unorm(in[i], 255) << red | to_unorm(in[stride + i], 255) << 8 |
                 to_unorm(in[2 * stride + i], 255) << (16 - red) | a << 24;
    }
}

static void pack_8888_srgb(const uint32_t *in, unsigned stride, unsigned n, uint32_t *out, unsigned red, bool alpha)
{
    for (unsigned i = 0; i < n; i++) {
        uint32_t a = alpha ? to_unorm(in[3 * stride + i], 255) : 0;

        out[i] = (uint32_t)soft_srgb_from_linear(soft_as_float(in[i])) << red |
                 (uint32_t)soft_srgb_from_linear(soft_as_float(in[stride + i])) << 8 |
                 (uint32_t)soft_srgb_from_linear(soft_as_float(in[2 * stride + i])) << (16 - red) | a << 24;
    }
}

static void fill(uint32_t *out, unsigned n, uint32_t v)
{
    for (unsigned i = 0; i < n; i++)
        out[i] = v;
}

static void unpack_32(const struct soft_format *f, const uint32_t *in, unsigned n, uint32_t *out, unsigned stride)
{
    unsigned channels = f->bits / 32;

    for (unsigned c = 0; c < channels; c++)
        for (unsigned i = 0; i < n; i++)
            out[c * stride + i] = in[i * channels + c];
    for (unsigned c = channels; c < 4; c++)
        fill(out + c * stride, n, c < 3 ? 0 : f->channel[0].type == SOFT_CH_FLOAT ? soft_as_bits(1.0f) : 1);
}

static void unpack_16f(const uint16_t *in, unsigned n, uint32_t *out, unsigned stride)
{
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < n; i++)
            out[c * stride + i] = soft_as_bits(soft_half_to_float(in[i * 4 + c]));
}

static void unpack_8(const uint8_t *in, unsigned channels, unsigned n, uint32_t *out, unsigned stride)
{
    for (unsigned c = 0; c < channels; c++)
        for (unsigned i = 0; i < n; i++)
            out[c * stride + i] = unorm(in[i * channels + c], 255);
    for (unsigned c = channels; c < 4; c++)
        fill(out + c * stride, n, c < 3 ? 0 : soft_as_bits(1.0f));
}

static void unpack_packed(const struct soft_format *f, const void *in, unsigned n, uint32_t *out, unsigned stride)
{
    for (unsigned c = 0; c < 4; c++) {
        unsigned bits = f->channel[c].bits, first = f->channel[c].first;
        float top = (float)((1u << bits) - 1);

        if (!bits)
            fill(out + c * stride, n, soft_as_bits(1.0f));
        else if (f->bits == 32)
            for (unsigned i = 0; i < n; i++)
                out[c * stride + i] = unorm(((const uint32_t *)in)[i] >> first & ((1u << bits) - 1), top);
        else
            for (unsigned i = 0; i < n; i++)
                out[c * stride + i] = unorm((uint32_t)((const uint16_t *)in)[i] >> first & ((1u << bits) - 1), top);
    }
}

static void unpack_any(const struct soft_format *f, const uint8_t *in, unsigned n, uint32_t *out, unsigned stride)
{
    unsigned bytes = f->bits / 8;
    uint32_t texel[4];

    for (unsigned i = 0; i < n; i++) {
        soft_format_unpack(f, in + (size_t)i * bytes, texel);
        for (unsigned c = 0; c < 4; c++)
            out[c * stride + i] = texel[c];
    }
}

void soft_format_unpack_row(const struct soft_format *f, const void *in, unsigned n, uint32_t *out, unsigned stride)
{
    bool red_high = f->fast == SOFT_FAST_BGRA8 || f->fast == SOFT_FAST_BGRX8;

    switch (f->fast) {
    case SOFT_FAST_RGBA8:
    case SOFT_FAST_RGBX8:
    case SOFT_FAST_BGRA8:
    case SOFT_FAST_BGRX8:
        if (f->srgb)
            unpack_8888_srgb(in, n, out, stride, red_high ? 16 : 0, f->channel[3].bits);
        else
            unpack_8888(in, n, out, stride, red_high ? 16 : 0, f->channel[3].bits);
        break;
    case SOFT_FAST_32:
        unpack_32(f, in, n, out, stride);
        break;
    case SOFT_FAST_RGBA16F:
        unpack_16f(in, n, out, stride);
        break;
    case SOFT_FAST_R8:
    case SOFT_FAST_RG8:
        unpack_8(in, f->bits / 8, n, out, stride);
        break;
    case SOFT_FAST_BGR10A2:
    case SOFT_FAST_BGR565:
        unpack_packed(f, in, n, out, stride);
        break;
    default:
        unpack_any(f, in, n, out, stride);
    }
}

static void pack_32(const struct soft_format *f, const uint32_t *in, unsigned stride, unsigned n, uint32_t *out)
{
    unsigned channels = f->bits / 32;

    for (unsigned c = 0; c < channels; c++)
        for (unsigned i = 0; i < n; i++)
            out[i * channels + c] = in[c * stride + i];
}

static void pack_16f(const uint32_t *in, unsigned stride, unsigned n, uint16_t *out)
{
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < n; i++)
            out[i * 4 + c] = soft_float_to_half(soft_as_float(in[c * stride + i]));
}

static void pack_8(const uint32_t *in, unsigned channels, unsigned stride, unsigned n, uint8_t *out)
{
    for (unsigned c = 0; c < channels; c++)
        for (unsigned i = 0; i < n; i++)
            out[i * channels + c] = (uint8_t)to_unorm(in[c * stride + i], 255);
}

#define PACK_CHUNK 16u

static void pack_packed(const struct soft_format *f, const uint32_t *in, unsigned stride, unsigned n, uint8_t *out)
{
    unsigned bytes = f->bits / 8;
    uint32_t word[PACK_CHUNK];

    for (unsigned first = 0; first < n; first += PACK_CHUNK) {
        unsigned here = n - first < PACK_CHUNK ? n - first : PACK_CHUNK;

        memset(word, 0, sizeof(word));
        for (unsigned c = 0; c < 4; c++) {
            unsigned at = f->channel[c].first;
            float top = (float)((1u << f->channel[c].bits) - 1);

            for (unsigned i = 0; f->channel[c].bits && i < here; i++)
                word[i] |= to_unorm(in[c * stride + first + i], top) << at;
        }
        for (unsigned i = 0; i < here; i++)
            memcpy(out + (size_t)(first + i) * bytes, &word[i], bytes);
    }
}

static void pack_any(const struct soft_format *f, const uint32_t *in, unsigned stride, unsigned n, uint8_t *out)
{
    for (unsigned i = 0; i < n; i++) {
        const uint32_t texel[4] = {in[i], in[stride + i], in[2 * stride + i], in[3 * stride + i]};

        soft_format_pack(f, texel, out + (size_t)i * (f->bits / 8));
    }
}

void soft_format_pack_row(const struct soft_format *f, const uint32_t *in, unsigned stride, unsigned n, void *out)
{
    bool red_high = f->fast == SOFT_FAST_BGRA8 || f->fast == SOFT_FAST_BGRX8;

    switch (f->fast) {
    case SOFT_FAST_RGBA8:
    case SOFT_FAST_RGBX8:
    case SOFT_FAST_BGRA8:
    case SOFT_FAST_BGRX8:
        if (f->srgb)
            pack_8888_srgb(in, stride, n, out, red_high ? 16 : 0, f->channel[3].bits);
        else
            pack_8888(in, stride, n, out, red_high ? 16 : 0, f->channel[3].bits);
        break;
    case SOFT_FAST_32:
        pack_32(f, in, stride, n, out);
        break;
    case SOFT_FAST_RGBA16F:
        pack_16f(in, stride, n, out);
        break;
    case SOFT_FAST_R8:
    case SOFT_FAST_RG8:
        pack_8(in, f->bits / 8, stride, n, out);
        break;
    case SOFT_FAST_BGR10A2:
    case SOFT_FAST_BGR565:
        pack_packed(f, in, stride, n, out);
        break;
    default:
        pack_any(f, in, stride, n, out);
    }
}
