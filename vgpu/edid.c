/*
 * EDID 1.4 of a DisplayPort monitor, with a DisplayID block where width or clock do not fit a detailed timing.
 */
#include "vgpu/edid.h"

#include <stdio.h>
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/vgpu.h"

/*
 * The lowest clock is that of 640x480, which every DisplayPort source and sink has; i915 intel_dp.c refuses less than
 * 10 MHz. The highest is the pixel rate of a Skylake pipe, one pixel a cycle of the fastest CDCLK
 * (intel_display_device.c, skl_calc_cdclk: 675 MHz); 4 lanes of 5.4 Gb/s would carry 720 MHz at 24 bits.
 */
#define CLOCK_MIN_10KHZ 2500u
#define CLOCK_MAX_10KHZ 67500u

/* VESA CVT 1.2, reduced blanking */
#define RB_VBLANK_US 460u
#define RB_HBLANK    160u
#define RB_HFRONT    48u
#define RB_HSYNC     32u
#define RB_VFRONT    3u
#define RB_VBACK_MIN 6u

/* Field widths of an 18 byte detailed timing */
#define BLANK_MAX     4095u
#define DTD_WIDTH_MAX 4095u
#define DTD_CLOCK_MAX 65535u

#define TAG_NAME  0xfc
#define TAG_RANGE 0xfd
#define TAG_NONE  0x10

/* Sync width in lines stands for the aspect ratio (CVT 1.2 table 3-2). */
static unsigned rb_vsync(uint32_t w, uint32_t h)
{
    static const uint8_t table[][3] = {{4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7}};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(table); i++)
        if (w * table[i][1] == h * table[i][0])
            return table[i][2];
    return 10;
}

/* Lines of vertical blanking that take at least RB_VBLANK_US at this refresh. */
static uint32_t rb_vblank(const struct vgpu_mode *m, uint32_t min)
{
    uint64_t frame_ns = UINT64_C(1000000000000) / m->mhz;
    uint64_t blank_ns = RB_VBLANK_US * UINT64_C(1000);
    uint64_t lines = blank_ns * m->height / (frame_ns - blank_ns) + 1;

    return (uint32_t)GT_MAX(lines, min);
}

static uint32_t clock_10khz(const struct vgpu_mode *m, uint32_t hblank, uint32_t vblank)
{
    uint64_t mpixels = (uint64_t)(m->width + hblank) * (m->height + vblank) * m->mhz;

    return (uint32_t)((mpixels + 5000000) / 10000000);
}

/* More blanking, horizontally first, until the clock reaches the link's minimum. */
static void pad(const struct vgpu_mode *m, uint32_t *hblank, uint32_t *vblank)
{
    uint64_t need = (CLOCK_MIN_10KHZ * UINT64_C(10000000) + m->mhz - 1) / m->mhz; /* pixels a frame */
    uint64_t htotal = (need + m->height + *vblank - 1) / (m->height + *vblank);

    *hblank = (uint32_t)GT_MIN(GT_MAX(htotal, m->width + *hblank) - m->width, BLANK_MAX);
    uint64_t vtotal = (need + m->width + *hblank - 1) / (m->width + *hblank);

    *vblank = (uint32_t)GT_MIN(GT_MAX(vtotal, m->height + *vblank) - m->height, BLANK_MAX);
}

bool vgpu_edid_timing(const struct vgpu_mode *m, struct vgpu_edid_timing *t)
{
    uint32_t vsync = rb_vsync(m->width, m->height);
    uint32_t hblank = RB_HBLANK;

    if (!m->width || !m->height || !m->mhz || m->mhz > 1000000)
        return false;
    uint32_t vblank = rb_vblank(m, RB_VFRONT + vsync + RB_VBACK_MIN);

    pad(m, &hblank, &vblank);
    uint32_t clock = clock_10khz(m, hblank, vblank);

    if (clock < CLOCK_MIN_10KHZ || clock > CLOCK_MAX_10KHZ || vblank > BLANK_MAX)
        return false;
    *t = (struct vgpu_edid_timing){
        .clock_10khz = clock,
        .hactive = m->width,
        .hblank = (uint16_t)hblank,
        .hfront = RB_HFRONT,
        .hsync = RB_HSYNC,
        .vactive = m->height,
        .vblank = (uint16_t)vblank,
        .vfront = RB_VFRONT,
        .vsync = (uint16_t)vsync,
    };
    return true;
}

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void checksum(uint8_t *block, unsigned last)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < last; i++)
        sum = (uint8_t)(sum + block[i]);
    block[last] = (uint8_t)-sum;
}

/* Physical size at 96 dots an inch. */
static uint32_t millimetres(uint32_t pixels)
{
    return (pixels * 254 + 480) / 960;
}

static uint8_t centimetres(uint32_t pixels)
{
    return (uint8_t)GT_MAX(GT_MIN((millimetres(pixels) + 5) / 10, 255u), 1u);
}

/* EDID 1.4 section 3.10.2. Digital separate sync, positive horizontal (CVT-RB: +h -v). */
static void put_dtd(uint8_t *p, const struct vgpu_edid_timing *t)
{
    uint32_t w = millimetres(t->hactive), h = millimetres(t->vactive);

    put16(p, t->clock_10khz);
    p[2] = (uint8_t)t->hactive;
    p[3] = (uint8_t)t->hblank;
    p[4] = (uint8_t)((t->hactive >> 8 & 15) << 4 | (t->hblank >> 8 & 15));
    p[5] = (uint8_t)t->vactive;
    p[6] = (uint8_t)t->vblank;
    p[7] = (uint8_t)((t->vactive >> 8 & 15) << 4 | (t->vblank >> 8 & 15));
    p[8] = (uint8_t)t->hfront;
    p[9] = (uint8_t)t->hsync;
    p[10] = (uint8_t)((t->vfront & 15) << 4 | (t->vsync & 15));
    p[11] = (uint8_t)((t->hfront >> 8 & 3) << 6 | (t->hsync >> 8 & 3) << 4 | (t->vfront >> 4 & 3) << 2 |
                      (t->vsync >> 4 & 3));
    p[12] = (uint8_t)w;
    p[13] = (uint8_t)h;
    p[14] = (uint8_t)((w >> 8 & 15) << 4 | (h >> 8 & 15));
    p[17] = 0x1a;
}

static void put_text(uint8_t *p, uint8_t tag, const char *text)
{
    size_t len = GT_MIN(strlen(text), (size_t)13);

    p[3] = tag;
    memset(p + 5, ' ', 13);
    memcpy(p + 5, text, len);
    if (len < 13)
        p[5 + len] = '\n';
}

/* A rate that the byte at p holds, or p's and 255 more: EDID 1.4 section 3.10.3.3 has a flag for that. */
static uint8_t put_rate(uint8_t *p, uint32_t rate, uint8_t flag)
{
    *p = (uint8_t)(rate > 255 ? GT_MIN(rate, 510u) - 255 : rate);
    return rate > 255 ? flag : 0;
}

/* Rates that cover the preferred mode and those up to 1024x768 at 60 Hz; no formula gives others (byte 10). */
static void put_range(uint8_t *p, const struct vgpu_edid_timing *t)
{
    uint32_t htotal = t->hactive + t->hblank, vtotal = t->vactive + t->vblank;
    uint32_t khz = t->clock_10khz * 10 / htotal;
    uint32_t hz = (uint32_t)((uint64_t)t->clock_10khz * 10000 / ((uint64_t)htotal * vtotal));

    p[3] = TAG_RANGE;
    p[5] = (uint8_t)GT_MAX(GT_MIN(hz, 59u), 1u);
    p[4] = put_rate(p + 6, GT_MAX(hz + 1, 61u), 0x02);
    p[7] = (uint8_t)GT_MAX(GT_MIN(khz, 31u), 1u);
    p[4] |= put_rate(p + 8, GT_MAX(khz + 1, 49u), 0x08);
    p[9] = (uint8_t)((GT_MAX(t->clock_10khz, 6500u) + 999) / 1000);
    p[10] = 0x01;
    p[11] = '\n';
    memset(p + 12, ' ', 6);
}

/* Established timings that fit into the preferred mode: 640x480, 800x600, 1024x768, each at 60 Hz. */
static void put_established(uint8_t *edid, const struct vgpu_mode *m)
{
    edid[35] =
        (uint8_t)((m->width >= 640 && m->height >= 480 ? 0x20 : 0) | (m->width >= 800 && m->height >= 600 ? 0x01 : 0));
    edid[36] = m->width >= 1024 && m->height >= 768 ? 0x08 : 0;
}

/* t: of the detailed timing, which is that of m; most: the fastest that the monitor has. */
static void build_base(uint8_t *e, const struct vgpu_mode *m, const struct vgpu_edid_timing *t,
                       const struct vgpu_edid_timing *most, unsigned head, unsigned blocks)
{
    /* manufacturer "GTM" (5 bits a letter), product 1; chromaticity of sRGB (EDID 1.4 section 3.7) */
    static const uint8_t header[10] = {0, 255, 255, 255, 255, 255, 255, 0, 0x1e, 0x8d};
    static const uint8_t srgb[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
    char text[16];

    memcpy(e, header, sizeof(header));
    put16(e + 10, 1);
    put16(e + 12, head + 1);
    e[17] = 2025 - 1990; /* year of manufacture */
    e[18] = 1;
    e[19] = 4;
    e[20] = 0xa5; /* digital, 8 bits a colour, DisplayPort */
    e[21] = centimetres(m->width);
    e[22] = centimetres(m->height);
    e[23] = 120;  /* gamma 2.2 */
    e[24] = 0x06; /* RGB 4:4:4, sRGB, the first detailed timing is preferred and native */
    memcpy(e + 25, srgb, sizeof(srgb));
    memset(e + 38, 1, 16);

    put_established(e, m);
    put_dtd(e + 54, t);
    put_range(e + 72, most);
    snprintf(text, sizeof(text), "gtmux %u", (head + 1) & 0xff);
    put_text(e + 90, TAG_NAME, text);
    e[111] = TAG_NONE;
    e[126] = (uint8_t)(blocks - 1);
    checksum(e, 127);
}

/* DisplayID 1.3 type I timing: its field for the width has 16 bits. */
static void put_type1(uint8_t *p, const struct vgpu_edid_timing *t)
{
    p[0] = (uint8_t)(t->clock_10khz - 1);
    put16(p + 1, (t->clock_10khz - 1) >> 8);
    p[3] = 0x88; /* preferred, no stereo, progressive, aspect ratio not listed */
    put16(p + 4, t->hactive - 1u);
    put16(p + 6, t->hblank - 1u);
    put16(p + 8, (t->hfront - 1u) | 0x8000);
    put16(p + 10, t->hsync - 1u);
    put16(p + 12, t->vactive - 1u);
    put16(p + 14, t->vblank - 1u);
    put16(p + 16, t->vfront - 1u);
    put16(p + 18, t->vsync - 1u);
}

/* A DisplayID data block; its payload follows the three bytes of its header. Returns where the next one starts. */
static uint8_t *put_data_block(uint8_t *p, uint8_t tag, const uint8_t *payload, uint8_t size)
{
    p[0] = tag;
    p[1] = 0;
    p[2] = size;
    memcpy(p + 3, payload, size);
    return p + 3 + size;
}

/* DisplayID 1.3 section of a monitor: product, display parameters, interface, timing. */
static void build_displayid(uint8_t *d, const struct vgpu_edid_timing *t, unsigned head)
{
    const uint8_t product[12] = {'G', 'T', 'M', 1, 0, (uint8_t)(head + 1), 0, 0, 0, 0, 25, 0};
    const uint8_t interface[10] = {0xa1, 0x12, 0x02}; /* DisplayPort, version 1.2, RGB of 8 bits a colour */
    uint8_t parameters[12] = {0}, timing[20];
    uint8_t *p = d + 5;

    put16(parameters, millimetres(t->hactive) * 10);
    put16(parameters + 2, millimetres(t->vactive) * 10);
    put16(parameters + 4, t->hactive);
    put16(parameters + 6, t->vactive);
    parameters[9] = 120;                                                            /* gamma 2.2 */
    parameters[10] = (uint8_t)(GT_MIN(t->hactive * 100u / t->vactive, 355u) - 100); /* aspect ratio */
    parameters[11] = 0x77;                                                          /* 8 bits a colour */
    put_type1(timing, t);
    d[0] = 0x70;
    d[1] = 0x13;
    d[2] = 121;  /* bytes of the section, without its header and checksum */
    d[3] = 0x03; /* a monitor */
    p = put_data_block(p, 0x00, product, sizeof(product));
    p = put_data_block(p, 0x01, parameters, sizeof(parameters));
    p = put_data_block(p, 0x0f, interface, sizeof(interface));
    put_data_block(p, 0x03, timing, sizeof(timing));
    checksum(d + 1, 125);
    checksum(d, 127);
}

/* A mode near m that a base block can hold: in full 8 pixel cells, and as fast as its clock allows. */
static struct vgpu_mode base_mode(const struct vgpu_mode *m)
{
    struct vgpu_mode base = *m;
    struct vgpu_edid_timing t;

    base.width = (uint16_t)GT_MIN(base.width, DTD_WIDTH_MAX & ~7u);
    while (vgpu_edid_timing(&base, &t) && t.clock_10khz > DTD_CLOCK_MAX)
        base.mhz -= base.mhz / 64;
    return base;
}

unsigned vgpu_edid_build(const struct vgpu_mode *mode, unsigned head, uint8_t edid[VGPU_EDID_BUILT])
{
    struct vgpu_edid_timing t, base;

    if (!vgpu_edid_timing(mode, &t))
        return 0;
    const bool extended = mode->width > DTD_WIDTH_MAX || t.clock_10khz > DTD_CLOCK_MAX;
    const struct vgpu_mode first = extended ? base_mode(mode) : *mode;
    const unsigned blocks = extended ? 2 : 1;

    if (!vgpu_edid_timing(&first, &base))
        return 0;
    memset(edid, 0, VGPU_EDID_BUILT);
    build_base(edid, &first, &base, &t, head, blocks);
    if (extended)
        build_displayid(edid + VGPU_EDID_BLOCK, &t, head);
    return blocks * VGPU_EDID_BLOCK;
}
