#include "mediator/soft/blt.h"

#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/regs.h"

/* BR00: dword 0 of every command. */
#define BR00_WRITE_ALPHA GT_BIT(21)
#define BR00_WRITE_RGB   GT_BIT(20)
#define BR00_TEXT_BYTES  GT_BIT(16) /* text: each row starts at a byte; else rows follow bit by bit */
#define BR00_SRC_TILED   GT_BIT(15)
#define BR00_DST_TILED   GT_BIT(11)
/* BR01, BR13: dword 1. */
#define BR13_SOLID_PATTERN        GT_BIT(31)
#define BR13_CLIP                 GT_BIT(30)
#define BR13_LEFTWARDS            GT_BIT(30) /* SRC_COPY_BLT, which has no clipping */
#define BR13_MONO_SRC_TRANSPARENT GT_BIT(29)
#define BR13_MONO_PAT_TRANSPARENT GT_BIT(28)
/* BCS_SWCTRL: Y instead of X (i915 intel_engine_regs.h BCS_SRC_Y, BCS_DST_Y). */
#define SWCTRL_SRC_Y GT_BIT(0)
#define SWCTRL_DST_Y GT_BIT(1)
/* XY_FAST_COPY_BLT dword 1 (IGT lib/intel_reg.h). */
#define FAST_SRC_YF GT_BIT(31)
#define FAST_DST_YF GT_BIT(30)

/* The setup commands leave their dwords 0..9 in the context's private dwords; what dword 8 and 9 mean follows. */
enum {
    SETUP_BR01 = 1,
    SETUP_CLIP = 2,
    SETUP_DST = 4,
    SETUP_COLORS = 6,
    SETUP_PATTERN = 8,
    SETUP_DWORDS = 10,
    SETUP_KIND = 10
};
enum { SETUP_COLOR_PATTERN, SETUP_MONO_PATTERN };

/*
 * Where the XY commands have their operands: dword numbers, 0 = not there. Dwords 1 to 5 are the same in all: BR13,
 * both corners, destination address. Colours are background, then foreground; chroma is low, then high.
 */
struct form {
    uint8_t len; /* dwords before inline data */
    uint8_t solid, src, chroma;
    uint8_t mono_addr, mono_colors, mono_inline;
    uint8_t pat_addr, pat_inline, pat_colors, pat_bits;
};

static const struct form forms[C_COUNT] = {
    [C_XY_COLOR_BLT] = {.len = 7, .solid = 6},
    [C_XY_PAT_BLT] = {.len = 8, .pat_addr = 6},
    [C_XY_PAT_BLT_IMMEDIATE] = {.len = 6, .pat_inline = 6},
    [C_XY_PAT_CHROMA_BLT] = {.len = 10, .pat_addr = 6, .chroma = 8},
    [C_XY_PAT_CHROMA_BLT_IMMEDIATE] = {.len = 8, .chroma = 6, .pat_inline = 8},
    [C_XY_MONO_PAT_BLT] = {.len = 10, .pat_colors = 6, .pat_bits = 8},
    [C_XY_MONO_PAT_FIXED_BLT] = {.len = 8, .pat_colors = 6},
    [C_XY_SRC_COPY_BLT] = {.len = 10, .src = 6},
    [C_XY_SRC_COPY_CHROMA_BLT] = {.len = 12, .src = 6, .chroma = 10},
    [C_XY_MONO_SRC_COPY_BLT] = {.len = 10, .mono_addr = 6, .mono_colors = 8},
    [C_XY_MONO_SRC_COPY_IMMEDIATE_BLT] = {.len = 8, .mono_colors = 6, .mono_inline = 8},
    [C_XY_FULL_BLT] = {.len = 12, .src = 6, .pat_addr = 10},
    [C_XY_FULL_IMMEDIATE_PATTERN_BLT] = {.len = 10, .src = 6, .pat_inline = 10},
    [C_XY_FULL_MONO_SRC_BLT] = {.len = 12, .mono_addr = 6, .mono_colors = 8, .pat_addr = 10},
    [C_XY_FULL_MONO_SRC_IMMEDIATE_PATTERN_BLT] = {.len = 10, .mono_addr = 6, .mono_colors = 8, .pat_inline = 10},
    [C_XY_FULL_MONO_PATTERN_BLT] = {.len = 14, .src = 6, .pat_colors = 10, .pat_bits = 12},
    [C_XY_FULL_MONO_PATTERN_MONO_SRC_BLT] =
        {.len = 14, .mono_addr = 6, .mono_colors = 8, .pat_colors = 10, .pat_bits = 12},
};

static uint64_t address48(const uint32_t *dw)
{
    return ((uint64_t)dw[1] << 32 | dw[0]) & BLT_ADDR_MASK;
}

static int32_t coord_x(uint32_t dw)
{
    return (int16_t)(dw & 0xffff);
}

static int32_t coord_y(uint32_t dw)
{
    return (int16_t)(dw >> 16);
}

static struct blt_rect corners(const uint32_t *dw)
{
    return (struct blt_rect){coord_x(dw[0]), coord_y(dw[0]), coord_x(dw[1]), coord_y(dw[1])};
}

/* Pitches of tiled surfaces count dwords; their addresses have no bits below the page. */
static void set_surface(struct blt_surface *s, uint64_t base, uint32_t pitch, enum blt_tiling tiling, uint8_t cpp)
{
    *s = (struct blt_surface){.base = base, .pitch = (int16_t)(pitch & 0xffff), .tiling = tiling, .cpp = cpp};
    if (tiling != BLT_LINEAR) {
        s->base &= ~(uint64_t)(BLT_PAGE - 1);
        s->pitch *= 4;
    }
}

static enum blt_tiling legacy_tiling(struct vgpu_exec *x, bool tiled, uint32_t y_bit)
{
    if (!tiled)
        return BLT_LINEAR;
    return vgpu_exec_reg_read(x, reg_off(R_BCS_SWCTRL, VGPU_BCS, 0)) & y_bit ? BLT_TILE_Y : BLT_TILE_X;
}

static uint32_t written_channels(uint32_t br00, unsigned depth)
{
    if (depth != BLT_DEPTH_32)
        return UINT32_MAX;
    return (br00 & BR00_WRITE_RGB ? 0x00ffffffu : 0) | (br00 & BR00_WRITE_ALPHA ? 0xff000000u : 0);
}

static void decode_br13(struct blt *b, uint32_t br00, uint32_t br13)
{
    static const uint8_t cpp[4] = {1, 2, 2, 4};

    b->rop = (uint8_t)gt_field(br13, 23, 16);
    b->depth = (uint8_t)gt_field(br13, 25, 24);
    b->dst.cpp = cpp[b->depth];
    b->channels = written_channels(br00, b->depth);
    b->pat.seed_x = (uint8_t)gt_field(br00, 14, 12);
    b->pat.seed_y = (uint8_t)gt_field(br00, 10, 8);
}

static void decode_dst(struct vgpu_exec *x, struct blt *b, uint32_t br00, uint32_t pitch, const uint32_t *addr)
{
    enum blt_tiling tiling = legacy_tiling(x, br00 & BR00_DST_TILED, SWCTRL_DST_Y);

    set_surface(&b->dst, address48(addr), pitch, tiling, b->dst.cpp);
}

/* Gen9 compares base addresses only to find the order that is safe for overlapping operands (PRM XY_SRC_COPY_BLT). */
static void decode_src(struct vgpu_exec *x, struct blt *b, uint32_t br00, const uint32_t *dw)
{
    enum blt_tiling tiling = legacy_tiling(x, br00 & BR00_SRC_TILED, SWCTRL_SRC_Y);

    b->source = BLT_SRC_COLOR;
    b->src_x = coord_x(dw[0]);
    b->src_y = coord_y(dw[0]);
    set_surface(&b->src, address48(dw + 2), dw[1], tiling, b->dst.cpp);
    if (b->src.base == b->dst.base) {
        b->leftwards = b->src_x < b->rect.x1;
        b->upwards = b->src_y < b->rect.y1;
    }
}

static void decode_clip(struct vgpu_exec *x, struct blt *b, uint32_t br13)
{
    b->clipped = br13 & BR13_CLIP;
    b->clip = corners(vgpu_exec_scratch(x) + SETUP_CLIP);
}

static void pattern_mono(struct blt *b, uint32_t br13, const uint32_t *colors, const uint32_t *bits)
{
    blt_pattern_mono(b, br13 & BR13_SOLID_PATTERN, br13 & BR13_MONO_PAT_TRANSPARENT, colors, (const uint8_t *)bits);
}

/* False when the pattern cannot be had. */
static bool decode_pattern(struct vgpu_exec *x, struct blt *b, const struct form *f, const uint32_t *dw, unsigned ndw)
{
    if (f->solid)
        blt_pattern_solid(b, dw[f->solid]);
    else if (f->pat_addr)
        return blt_pattern_memory(x, b, address48(dw + f->pat_addr));
    else if (f->pat_inline)
        return blt_pattern_inline(b, dw, ndw, f->pat_inline);
    else if (f->pat_bits)
        pattern_mono(b, dw[1], dw + f->pat_colors, dw + f->pat_bits);
    else if (f->pat_colors)
        blt_pattern_fixed(b, dw[1] & BR13_MONO_PAT_TRANSPARENT, dw + f->pat_colors, gt_field(dw[0], 18, 15));
    return true;
}

static void mono_source(struct blt *b, uint32_t br13, const uint32_t *colors)
{
    b->source = BLT_SRC_MONO;
    b->mono.bg = colors[0];
    b->mono.fg = colors[1];
    b->mono.transparent = br13 & BR13_MONO_SRC_TRANSPARENT;
}

/* Inline data must cover the whole rectangle: the hardware waits for ever for what is missing (PRM, IMMEDIATE_BLT). */
static bool mono_inline(struct blt *b, const uint32_t *dw, unsigned ndw, unsigned at)
{
    uint64_t w = (uint64_t)(b->rect.x2 - b->rect.x1), h = (uint64_t)(b->rect.y2 - b->rect.y1);

    if (b->rect.x2 <= b->rect.x1 || b->rect.y2 <= b->rect.y1)
        return true;
    b->mono.inline_data = (const uint8_t *)(dw + at);
    return (h - 1) * b->mono.row_bits + b->mono.first_bit + w <= (uint64_t)(ndw - at) * 32;
}

/* False when the command lacks data. */
static bool decode_mono(struct blt *b, const struct form *f, const uint32_t *dw, unsigned ndw)
{
    uint32_t width = (uint32_t)GT_MAX(b->rect.x2 - b->rect.x1, 0);

    if (!f->mono_colors)
        return true;
    mono_source(b, dw[1], dw + f->mono_colors);
    b->mono.first_bit = gt_field(dw[0], 19, 17);
    b->mono.row_bits = gt_align_up(b->mono.first_bit + width, 16);
    if (f->mono_inline)
        return mono_inline(b, dw, ndw, f->mono_inline);
    b->mono.addr = address48(dw + f->mono_addr);
    return true;
}

static enum vgpu_payload decode_form(struct vgpu_exec *x, const struct form *f, const uint32_t *dw, unsigned ndw,
                                     struct blt *b)
{
    decode_br13(b, dw[0], dw[1]);
    decode_clip(x, b, dw[1]);
    b->rect = corners(dw + 2);
    decode_dst(x, b, dw[0], dw[1], dw + 4);
    if (f->src)
        decode_src(x, b, dw[0], dw + f->src);
    if (f->chroma) {
        b->chroma = (uint8_t)gt_field(dw[0], 19, 17);
        b->chroma_low = dw[f->chroma];
        b->chroma_high = dw[f->chroma + 1];
    }
    return decode_mono(b, f, dw, ndw) && decode_pattern(x, b, f, dw, ndw) ? VGPU_PAYLOAD_DONE : VGPU_PAYLOAD_FAULT;
}

/* COLOR_BLT and SRC_COPY_BLT: addresses instead of coordinates, BR14 has height and width in bytes. */
static void decode_plain(struct blt *b, const uint32_t *dw)
{
    decode_br13(b, dw[0], dw[1]);
    set_surface(&b->dst, address48(dw + 3), dw[1], BLT_LINEAR, b->dst.cpp);
    b->rect = (struct blt_rect){0, 0, (int32_t)(gt_field(dw[2], 15, 0) / b->dst.cpp), (int32_t)gt_field(dw[2], 31, 16)};
}

static enum vgpu_payload decode_color(const uint32_t *dw, struct blt *b)
{
    decode_plain(b, dw);
    blt_pattern_solid(b, dw[5]);
    return VGPU_PAYLOAD_DONE;
}

/* The driver chooses the X order; both addresses are then those of the byte at the right end (PRM SRC_COPY_BLT). */
static enum vgpu_payload decode_src_copy(const uint32_t *dw, struct blt *b)
{
    decode_plain(b, dw);
    b->source = BLT_SRC_COLOR;
    set_surface(&b->src, address48(dw + 6), dw[5], BLT_LINEAR, b->dst.cpp);
    b->leftwards = dw[1] & BR13_LEFTWARDS;
    if (b->leftwards) {
        uint64_t back = (uint64_t)b->rect.x2 * b->dst.cpp - 1;

        b->dst.base = (b->dst.base - back) & BLT_ADDR_MASK;
        b->src.base = (b->src.base - back) & BLT_ADDR_MASK;
    }
    return VGPU_PAYLOAD_DONE;
}

static enum blt_tiling fast_tiling(uint32_t field, bool yf)
{
    static const enum blt_tiling tilings[4] = {BLT_LINEAR, BLT_TILE_X, BLT_TILE_Y, BLT_TILE_YS};

    return field == 2 && yf ? BLT_TILE_YF : tilings[field];
}

static enum vgpu_payload decode_fast_copy(const uint32_t *dw, struct blt *b)
{
    static const uint8_t cpp[8] = {1, 2, 0, 4, 8, 16, 0, 0};
    uint8_t size = cpp[gt_field(dw[1], 26, 24)];

    if (!size)
        return VGPU_PAYLOAD_FAULT;
    b->rop = 0xcc;
    b->depth = BLT_DEPTH_32;
    b->channels = UINT32_MAX;
    b->source = BLT_SRC_COLOR;
    b->rect = corners(dw + 2);
    b->src_x = coord_x(dw[6]);
    b->src_y = coord_y(dw[6]);
    set_surface(&b->dst, address48(dw + 4), dw[1], fast_tiling(gt_field(dw[0], 14, 13), dw[1] & FAST_DST_YF), size);
    set_surface(&b->src, address48(dw + 8), dw[7], fast_tiling(gt_field(dw[0], 21, 20), dw[1] & FAST_SRC_YF), size);
    return VGPU_PAYLOAD_DONE;
}

/* Surface, colours and clipping of PIXEL, SCANLINES and TEXT come from the last setup; tiling from the command. */
static const uint32_t *decode_setup(struct vgpu_exec *x, uint32_t br00, struct blt *b)
{
    const uint32_t *setup = vgpu_exec_scratch(x);

    decode_br13(b, (setup[0] & (BR00_WRITE_ALPHA | BR00_WRITE_RGB)) | (br00 & (GT_MASK(14, 12) | GT_MASK(10, 8))),
                setup[SETUP_BR01]);
    decode_clip(x, b, setup[SETUP_BR01]);
    decode_dst(x, b, br00, setup[SETUP_BR01], setup + SETUP_DST);
    return setup;
}

static enum vgpu_payload decode_pixel(struct vgpu_exec *x, const uint32_t *dw, struct blt *b)
{
    const uint32_t *setup = decode_setup(x, dw[0], b);
    int32_t px = coord_x(dw[1]), py = coord_y(dw[1]);

    b->rect = (struct blt_rect){px, py, px + 1, py + 1};
    blt_pattern_solid(b, setup[SETUP_COLORS]);
    return VGPU_PAYLOAD_DONE;
}

static enum vgpu_payload decode_scanlines(struct vgpu_exec *x, const uint32_t *dw, struct blt *b)
{
    const uint32_t *setup = decode_setup(x, dw[0], b);

    b->rect = corners(dw + 1);
    if (setup[SETUP_KIND] == SETUP_MONO_PATTERN)
        pattern_mono(b, setup[SETUP_BR01], setup + SETUP_COLORS, setup + SETUP_PATTERN);
    else if (!blt_pattern_memory(x, b, address48(setup + SETUP_PATTERN)))
        return VGPU_PAYLOAD_FAULT;
    return VGPU_PAYLOAD_DONE;
}

static void decode_text(struct vgpu_exec *x, const uint32_t *dw, struct blt *b)
{
    const uint32_t *setup = decode_setup(x, dw[0], b);

    b->rect = corners(dw + 1);
    mono_source(b, setup[SETUP_BR01], setup + SETUP_COLORS);
    b->mono.row_bits = (uint64_t)GT_MAX(b->rect.x2 - b->rect.x1, 0);
    if (dw[0] & BR00_TEXT_BYTES)
        b->mono.row_bits = gt_align_up(b->mono.row_bits, 8);
}

static void store_setup(struct vgpu_exec *x, int cmd_id, const uint32_t *dw)
{
    uint32_t *setup = vgpu_exec_scratch(x);

    if (cmd_id == C_XY_SETUP_CLIP_BLT) {
        memcpy(setup + SETUP_CLIP, dw + 1, 2 * sizeof(*dw));
        return;
    }
    memcpy(setup, dw, SETUP_DWORDS * sizeof(*dw));
    setup[SETUP_KIND] = cmd_id == C_XY_SETUP_BLT ? SETUP_COLOR_PATTERN : SETUP_MONO_PATTERN;
}

static enum vgpu_payload decode_special(struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw,
                                        struct blt *b)
{
    switch (cmd_id) {
    case C_COLOR_BLT:
        return decode_color(dw, b);
    case C_SRC_COPY_BLT:
        return decode_src_copy(dw, b);
    case C_XY_FAST_COPY_BLT:
        return decode_fast_copy(dw, b);
    case C_XY_PIXEL_BLT:
        return decode_pixel(x, dw, b);
    case C_XY_SCANLINES_BLT:
        return decode_scanlines(x, dw, b);
    case C_XY_TEXT_BLT:
        decode_text(x, dw, b);
        b->mono.addr = address48(dw + 3);
        return VGPU_PAYLOAD_DONE;
    case C_XY_TEXT_IMMEDIATE_BLT:
        decode_text(x, dw, b);
        return mono_inline(b, dw, ndw, 3) ? VGPU_PAYLOAD_DONE : VGPU_PAYLOAD_FAULT;
    default: /* the setup commands draw nothing: channels stay 0 */
        store_setup(x, cmd_id, dw);
        return VGPU_PAYLOAD_DONE;
    }
}

bool blt_decode(struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw, struct blt *b,
                enum vgpu_payload *status)
{
    const struct form *f = &forms[cmd_id];

    memset(b, 0, sizeof(*b));
    *status = VGPU_PAYLOAD_FAULT;
    if (ndw < GT_MAX(cmd_table[cmd_id].min_len, f->len))
        return false;
    *status = f->len ? decode_form(x, f, dw, ndw, b) : decode_special(x, cmd_id, dw, ndw, b);
    return *status == VGPU_PAYLOAD_DONE && b->channels;
}
