/*
 * Surfaces of the render engine: RENDER_SURFACE_STATE decoded, where a texel is, and what its bits mean. Formats are
 * rows of formats.def (numbers and layouts of genxml's SURFACE_FORMAT and Mesa's isl_format_layout.csv, compared by
 * tests/oracle). Units are in the names.
 */
#ifndef GTMUX_SOFT_SURFACE_H
#define GTMUX_SOFT_SURFACE_H

#include <stdbool.h>
#include <stdint.h>

enum soft_surface_type {
    SOFT_SURF_1D,
    SOFT_SURF_2D,
    SOFT_SURF_3D,
    SOFT_SURF_CUBE,
    SOFT_SURF_BUFFER,
    SOFT_SURF_STRBUF,
    SOFT_SURF_NULL = 7
};
enum soft_tiling { SOFT_LINEAR, SOFT_TILE_W, SOFT_TILE_X, SOFT_TILE_Y, SOFT_TILE_YF, SOFT_TILE_YS };

struct soft_surface {
    uint8_t type;                /* enum soft_surface_type */
    uint8_t tiling;              /* enum soft_tiling */
    uint8_t levels, first_level; /* of the mip tree; first_level is added to every level asked for */
    uint8_t samples;             /* 1, 2, 4, 8, 16 */
    bool samples_interleaved;    /* MSFMT_DEPTH_STENCIL, else each sample is an array slice of its own */
    bool array;
    uint8_t swizzle[4]; /* of red, green, blue, alpha: 0 zero, 1 one, 4..7 red..alpha */
    uint16_t format;    /* SURFACE_FORMAT; always a known one: what is not known decodes as a null surface */
    uint16_t halign_px, valign_px;
    uint32_t width_px, height_px; /* level 0; of buffers: width is the number of elements */
    uint32_t depth_px;            /* of 3D; 1 else */
    uint32_t first_layer, layers;
    uint32_t pitch_bytes; /* a row of tiles or of pixels; of buffers the stride of an element */
    uint32_t qpitch_rows; /* rows of elements from one array slice to the next */
    uint32_t x_offset_px, y_offset_px;
    uint64_t address;
    uint64_t size_bytes; /* buffers only: no access goes beyond */
    uint8_t aux;         /* AUX_* of genxml: 0 none, 1 CCS_D/MCS, 3 HIZ, 5 CCS_E */
    uint64_t aux_address;
    uint32_t aux_pitch_tiles, aux_qpitch_rows;
    uint32_t clear[4]; /* raw bits of the clear colour, by channel */
};

/* Decodes 16 dwords. Any bits give a surface that is safe to use (a null surface if nothing else is). */
void soft_surface_decode(const uint32_t dw[16], struct soft_surface *s);
/* Size of a level in pixels (at least 1), counted from first_level. */
uint32_t soft_surface_width(const struct soft_surface *s, unsigned level);
uint32_t soft_surface_height(const struct soft_surface *s, unsigned level);
uint32_t soft_surface_depth(const struct soft_surface *s, unsigned level);
/* Address of the element (pixel, or block of a compressed format) with element coordinates x, y of slice z (array layer
 * counted from first_layer, cube face, or depth) of a level and a sample. Everything must be in range. */
uint64_t soft_surface_address(const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z, unsigned level,
                              unsigned sample);

/* ---- formats */

enum soft_channel_type {
    SOFT_CH_NONE,
    SOFT_CH_UNORM,
    SOFT_CH_SNORM,
    SOFT_CH_UINT,
    SOFT_CH_SINT,
    SOFT_CH_FLOAT,
    SOFT_CH_USCALED,
    SOFT_CH_SSCALED,
    SOFT_CH_UFLOAT,
    SOFT_CH_RAW,
    SOFT_CH_FIXED /* 16.16 */
};

struct soft_format {
    const char *name; /* as genxml: R8G8B8A8_UNORM */
    uint16_t number;
    uint16_t bits;                           /* of an element */
    uint8_t block_width_px, block_height_px; /* 1, 1 but for compressed formats */
    struct {
        uint8_t type, bits, first;
    } channel[4];                    /* red, green, blue, alpha; bits 0: not there */
    bool srgb, luminance, intensity; /* L and I formats have their one channel in red */
    bool shared_exponent;
    uint8_t compression; /* enum in format.c: 0 none, BC1.., ETC2.., ASTC */
};

/* NULL: no such format. O(1). */
const struct soft_format *soft_format_find(unsigned number);
/* One element's texel as floats (integers as their bits: uint32_t/int32_t in the same 32 bits), missing channels 0, 0,
 * 0, 1 (integer 1 for integer formats), sRGB decoded. Not for compressed formats. `out` is 4 x 32 bits. */
void soft_format_unpack(const struct soft_format *f, const void *element, uint32_t out[4]);
/* The reverse, with the clamping and rounding that Gen9's data port does. sRGB encoded. */
void soft_format_pack(const struct soft_format *f, const uint32_t in[4], void *element);
/* True where reads give and writes take integers. */
bool soft_format_is_integer(const struct soft_format *f);

#endif
