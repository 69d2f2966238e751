/* The 8 x 8 pattern operand, expanded to pixels once per command. */
#include <string.h>

#include "mediator/soft/blt.h"
#include "vgpu/base/bits.h"

/*
 * XY_MONO_PAT_FIXED_BLT, BR00 bits 18:15. The PRM names these patterns (six GDI hatches, screen door, screen door wide,
 * walking one, walking zero) without showing their bits, so the dots are what the names describe.
 */
static const uint8_t fixed_patterns[16][8] = {
    {0x00, 0x00, 0x00, 0xff, 0x00, 0x00, 0x00, 0x00}, /* horizontal */
    {0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08}, /* vertical */
    {0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01}, /* forward diagonal */
    {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80}, /* backward diagonal */
    {0x08, 0x08, 0x08, 0xff, 0x08, 0x08, 0x08, 0x08}, /* cross */
    {0x81, 0x42, 0x24, 0x18, 0x18, 0x24, 0x42, 0x81}, /* diagonal cross */
    {0},
    {0},
    {0xaa, 0x55, 0xaa, 0x55, 0xaa, 0x55, 0xaa, 0x55}, /* screen door */
    {0xcc, 0xcc, 0x33, 0x33, 0xcc, 0xcc, 0x33, 0x33}, /* screen door wide */
    {0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01}, /* walking one */
    {0x7f, 0xbf, 0xdf, 0xef, 0xf7, 0xfb, 0xfd, 0xfe}, /* walking zero */
};

static void pattern_pixel(struct blt *b, unsigned row, unsigned col, uint32_t color)
{
    memcpy(b->pat.pixel[row] + col * b->dst.cpp, &color, b->dst.cpp);
}

void blt_pattern_solid(struct blt *b, uint32_t color)
{
    b->pat.used = b->pat.solid = true;
    for (unsigned i = 0; i < 64; i++)
        pattern_pixel(b, i / 8, i % 8, color);
}

void blt_pattern_mono(struct blt *b, bool solid, bool transparent, const uint32_t *colors, const uint8_t *bits)
{
    /* "Solid pattern" takes all bits as 0: the background (PRM BR01). */
    if (solid) {
        blt_pattern_solid(b, colors[0]);
        return;
    }
    b->pat.used = true;
    b->pat.transparent = transparent;
    memcpy(b->pat.bits, bits, 8);
    for (unsigned i = 0; i < 64; i++)
        pattern_pixel(b, i / 8, i % 8, colors[bits[i / 8] >> (7 - i % 8) & 1]);
}

static void pattern_color(struct blt *b, const uint8_t *pixels)
{
    unsigned row = 8u * b->dst.cpp;

    b->pat.used = true;
    for (unsigned i = 0; i < 8; i++)
        memcpy(b->pat.pixel[i], pixels + i * row, row);
}

bool blt_pattern_memory(struct vgpu_exec *x, struct blt *b, uint64_t addr)
{
    uint8_t pixels[8 * 8 * 4];
    struct blt_cursor c;

    blt_cursor_init(&c, x, false);
    /* Patterns are aligned to 64 bytes; the bits below do not exist (PRM BR15). */
    if (blt_read_bytes(&c, addr & ~UINT64_C(0x3f), 64u * b->dst.cpp, pixels))
        return false;
    pattern_color(b, pixels);
    return true;
}

bool blt_pattern_inline(struct blt *b, const uint32_t *dw, unsigned ndw, unsigned at)
{
    if (ndw - at < 16u * b->dst.cpp)
        return false;
    pattern_color(b, (const uint8_t *)(dw + at));
    return true;
}

void blt_pattern_fixed(struct blt *b, bool transparent, const uint32_t *colors, unsigned number)
{
    blt_pattern_mono(b, false, transparent, colors, fixed_patterns[number % GT_ARRAY_SIZE(fixed_patterns)]);
}
