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

#define SOFT_LEVELS 15u /* most that MIPCountLOD and SurfaceMinLOD can reach */

/* One level of the mip tree, first_level already added: level[0] is the first that may be asked for. */
struct soft_level {
    uint32_t x_el, y_el; /* where its first slice begins, in elements; X and Y offset included */
    uint32_t width_px, height_px, depth_px;
};

/* AuxiliarySurfaceMode of genxml. */
enum soft_aux { SOFT_AUX_CCS_D = 1, SOFT_AUX_MCS = SOFT_AUX_CCS_D, SOFT_AUX_HIZ = 3, SOFT_AUX_CCS_E = 5 };

struct soft_surface {
    uint8_t type;   /* enum soft_surface_type */
    uint8_t tiling; /* enum soft_tiling */
    uint8_t levels,
        first_level;          /* of the mip tree; first_level is added to every level asked for. A render target
                               * is level `levels - 1` (there MIPCountLOD says which, not how many): soft_surface_drawn_level */
    uint8_t samples;          /* 1, 2, 4, 8, 16 */
    bool samples_interleaved; /* MSFMT_DEPTH_STENCIL, else each sample is an array slice of its own */
    bool array;
    uint8_t swizzle[4]; /* of red, green, blue, alpha: 0 zero, 1 one, 4..7 red..alpha */
    uint16_t format;    /* SURFACE_FORMAT; always a known one: what is not known decodes as a null surface */
    uint16_t halign_px, valign_px;
    uint32_t width_px, height_px; /* level 0; of buffers: width is the number of elements */
    uint32_t depth_px;            /* of 3D; 1 else */
    uint32_t first_layer, layers; /* of a cube: faces */
    uint32_t view_layers;         /* RenderTargetViewExtent, of render targets and typed access */
    uint32_t pitch_bytes;         /* a row of tiles or of pixels; of buffers the stride of an element */
    uint32_t qpitch_rows;         /* rows of elements from one array slice to the next */
    uint32_t x_offset_px, y_offset_px;
    uint64_t address;
    uint64_t size_bytes; /* buffers only: no access goes beyond */
    uint8_t aux;         /* enum soft_aux, or any other value */
    uint64_t aux_address;
    uint32_t aux_pitch_tiles, aux_qpitch_rows;
    uint32_t clear[4]; /* raw bits of the clear colour, by channel */
    /* Derived by soft_surface_decode. */
    uint8_t element_bytes; /* of a pixel or a block; 1 for RAW and null surfaces */
    uint16_t min_lod_256;  /* ResourceMinLOD */
    const struct soft_format *info;
    struct soft_level level[SOFT_LEVELS];
};

/* Who uses a surface. For those that draw to or resolve an sRGB format the clear colour is linear, for samplers it is
 * as in memory (Mesa iris_clear.c, can_fast_clear_color: iris keeps to colours that are the same in both; anv relies on
 * the first). */
enum soft_use { SOFT_DRAWN, SOFT_SAMPLED };

/* Decodes 16 dwords. Any bits give a surface that is safe to use (a null surface if nothing else is). */
void soft_surface_decode(const uint32_t dw[16], struct soft_surface *s);
/* The level that is drawn to, as an index of level[]: MIPCountLOD says which, and SurfaceMinLOD means nothing there,
 * but Mesa 26 has the same number in it. */
unsigned soft_surface_drawn_level(const struct soft_surface *s);
/* Size of a level in pixels (at least 1), counted from first_level. */
uint32_t soft_surface_width(const struct soft_surface *s, unsigned level);
uint32_t soft_surface_height(const struct soft_surface *s, unsigned level);
uint32_t soft_surface_depth(const struct soft_surface *s, unsigned level);
/* Address of the element (pixel, or block of a compressed format) with element coordinates x, y of slice z (array layer
 * counted from first_layer, cube face, or depth) of a level and a sample. Everything must be in range. */
uint64_t soft_surface_address(const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z, unsigned level,
                              unsigned sample);

struct soft_mem;

/* Bytes from the element at x, y of a tree (level and slice offsets included) to the surface's address. */
uint64_t soft_tile_offset(const struct soft_surface *s, uint64_t x_bytes, uint64_t y);
/* How many elements from x on lie side by side in memory from the address of x on, within one 4 KiB page; at least 1
 * (an element of 24, 48 or 96 bits may still cross the page's end: then 1 and soft_mem_read or _write are to be used).
 */
unsigned soft_surface_run(const struct soft_surface *s, uint32_t x, uint64_t address);
/* Reads or writes n elements of a row, whatever the tiling; raw bytes, element_bytes each. Everything must be in range
 * as for soft_surface_address. What is not mapped reads as zero and drops writes. */
void soft_surface_read_row(struct soft_mem *m, const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z,
                           unsigned level, unsigned sample, unsigned n, void *out);
void soft_surface_write_row(struct soft_mem *m, const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z,
                            unsigned level, unsigned sample, unsigned n, const void *in);

/* ---- formats */

enum soft_compression {
    SOFT_PLAIN,
    SOFT_BC1,
    SOFT_BC1_RGB, /* alpha is 1 everywhere */
    SOFT_BC2,
    SOFT_BC3,
    SOFT_BC4,
    SOFT_BC4_SNORM,
    SOFT_BC5,
    SOFT_BC5_SNORM,
    SOFT_BC6H_SF,
    SOFT_BC6H_UF,
    SOFT_BC7,
    SOFT_ETC2, /* ETC1 is a part of it */
    SOFT_ETC2_PTA,
    SOFT_ETC2_EAC,
    SOFT_EAC_R11,
    SOFT_EAC_RG11,
    SOFT_EAC_SR11,
    SOFT_EAC_SRG11,
    SOFT_ASTC,
    SOFT_FXT1,
    SOFT_YCRCB_NORMAL,
    SOFT_YCRCB_SWAPUVY,
    SOFT_YCRCB_SWAPUV,
    SOFT_YCRCB_SWAPY
};

/* Formats that have row functions of their own. */
enum soft_fast {
    SOFT_FAST_NONE,
    SOFT_FAST_RGBA8,
    SOFT_FAST_RGBX8,
    SOFT_FAST_BGRA8,
    SOFT_FAST_BGRX8,
    SOFT_FAST_32, /* whole dwords, 1, 2 or 4 channels: bits as they are */
    SOFT_FAST_RGBA16F,
    SOFT_FAST_R8,
    SOFT_FAST_RG8,
    SOFT_FAST_BGR10A2,
    SOFT_FAST_BGR565
};

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
    uint8_t compression; /* enum soft_compression */
    uint8_t fast;        /* enum soft_fast */
};

/* SOFT_FORMAT_R8G8B8A8_UNORM and so on: the numbers of the formats. */
enum soft_format_number {
#define FORMAT(name, number, ...) SOFT_FORMAT_##name = (number),
#include "mediator/soft/formats.def"
#undef FORMAT
};

/* NULL: no such format. O(1). */
const struct soft_format *soft_format_find(unsigned number);
/* One element's texel as floats (integers as their bits: uint32_t/int32_t in the same 32 bits), missing channels 0, 0,
 * 0, 1 (integer 1 for integer formats), sRGB decoded. Not for compressed formats. `out` is 4 x 32 bits. */
void soft_format_unpack(const struct soft_format *f, const void *element, uint32_t out[4]);
/* The reverse, with the clamping and rounding that Gen9's data port does. sRGB encoded. */
void soft_format_pack(const struct soft_format *f, const uint32_t in[4], void *element);
/* The same for n elements, densely packed. Channel c of element i is out[c * stride + i]. Formats that drivers use much
 * have code of their own here. */
void soft_format_unpack_row(const struct soft_format *f, const void *elements, unsigned n, uint32_t *out,
                            unsigned stride);
void soft_format_pack_row(const struct soft_format *f, const uint32_t *in, unsigned stride, unsigned n, void *elements);
/* One block of a compressed format, decoded: block_width_px * block_height_px texels in rows, 4 x 32 bits each as of
 * soft_format_unpack. */
void soft_format_decode_block(const struct soft_format *f, const uint8_t *block, uint32_t (*texels)[4]);
/* True where reads give and writes take integers. */
bool soft_format_is_integer(const struct soft_format *f);

#endif
