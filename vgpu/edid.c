/*
 * EDID 1.3 (as HDMI wants it) with a CTA-861 block that says HDMI, and a DisplayID block where the width does not fit a
 * base block.
 */
#include "vgpu/edid.h"

#include <stdio.h>
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/vgpu.h"

/* HDMI 1.4: 25 MHz is the lowest TMDS clock; i915 intel_hdmi.c drives up to 300 MHz on Skylake. */
#define CLOCK_MIN_10KHZ 2500u
#define CLOCK_MAX_10KHZ 30000u

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

/* EDID 1.3 section 3.10.2. Digital separate sync, positive horizontal (CVT-RB: +h -v). */
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

/* Rates that cover the preferred mode and those up to 1024x768 at 60 Hz. A byte each, so faster ones are cut. */
static void put_range(uint8_t *p, const struct vgpu_edid_timing *t)
{
    uint32_t htotal = t->hactive + t->hblank, vtotal = t->vactive + t->vblank;
    uint32_t khz = t->clock_10khz * 10 / htotal;
    uint32_t hz = (uint32_t)((uint64_t)t->clock_10khz * 10000 / ((uint64_t)htotal * vtotal));

    p[3] = TAG_RANGE;
    p[5] = (uint8_t)GT_MAX(GT_MIN(hz, 59u), 1u);
    p[6] = (uint8_t)GT_MAX(hz + 1, 61u);
    p[7] = (uint8_t)GT_MAX(GT_MIN(khz, 31u), 1u);
    p[8] = (uint8_t)GT_MAX(GT_MIN(khz + 1, 255u), 49u);
    p[9] = (uint8_t)((GT_MAX(t->clock_10khz, 6500u) + 999) / 1000);
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

static void build_base(uint8_t *e, const struct vgpu_mode *m, const struct vgpu_edid_timing *t, unsigned head,
                       unsigned blocks)
{
    /* manufacturer "GTM" (5 bits a letter), product 1; chromaticity of sRGB (EDID 1.3 appendix C) */
    static const uint8_t header[10] = {0, 255, 255, 255, 255, 255, 255, 0, 0x1e, 0x8d};
    static const uint8_t srgb[10] = {0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54};
    char text[16];

    memcpy(e, header, sizeof(header));
    put16(e + 10, 1);
    put16(e + 12, head + 1);
    e[17] = 2025 - 1990; /* year of manufacture */
    e[18] = 1;
    e[19] = 3;
    e[20] = 0x80; /* digital */
    e[21] = centimetres(m->width);
    e[22] = centimetres(m->height);
    e[23] = 120;  /* gamma 2.2 */
    e[24] = 0x0e; /* RGB colour, sRGB, the first detailed timing is preferred */
    memcpy(e + 25, srgb, sizeof(srgb));
    memset(e + 38, 1, 16);

    put_established(e, m);
    put_dtd(e + 54, t);
    put_range(e + 72, t);
    snprintf(text, sizeof(text), "gtmux %u", (head + 1) & 0xff);
    put_text(e + 90, TAG_NAME, text);
    e[111] = TAG_NONE;
    e[126] = (uint8_t)(blocks - 1);
    checksum(e, 127);
}

/* CTA-861-F: video data (VIC 1, which HDMI requires), video capability, HDMI vendor block with the TMDS limit. */
static void build_cta(uint8_t *c, unsigned head, bool native_dtd)
{
    uint8_t *p = c + 4;
    const uint8_t hdmi[] = {0x67, 0x03, 0x0c, 0x00, (uint8_t)((head + 1) << 4), 0x00, 0x00, CLOCK_MAX_10KHZ / 500};

    c[0] = 0x02;
    c[1] = 3;
    /* IT formats are underscanned by default, no audio; is the base block's detailed timing native? */
    c[3] = native_dtd ? 0x81 : 0x80;
    *p++ = 0x41;
    *p++ = 1;
    *p++ = 0xe2; /* video capability: quantisation range of RGB selectable, all formats underscanned */
    *p++ = 0x00;
    *p++ = 0x4a;
    memcpy(p, hdmi, sizeof(hdmi));
    p += sizeof(hdmi);
    c[2] = (uint8_t)(p - c);
    checksum(c, 127);
}

/* VESA E-EDID block map: which extensions come in the blocks after it. EDID 1.3 wants one when there are several. */
static void build_map(uint8_t *m)
{
    m[0] = 0xf0;
    m[1] = 0x02;
    m[2] = 0x70;
    checksum(m, 127);
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
    const uint8_t interface[10] = {0x61, 0x14, 0x02}; /* HDMI-A, version 1.4, RGB of 8 bits a colour */
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

unsigned vgpu_edid_build(const struct vgpu_mode *mode, unsigned head, uint8_t edid[VGPU_EDID_MAX])
{
    struct vgpu_edid_timing t, base;
    struct vgpu_mode small = *mode;

    if (!vgpu_edid_timing(mode, &t))
        return 0;
    bool wide = mode->width > DTD_WIDTH_MAX;
    unsigned blocks = wide ? 4 : 2;

    /* The base block must hold some timing: the widest that it can, in full 8 pixel cells. */
    if (wide)
        small.width = DTD_WIDTH_MAX & ~7u;
    if (!vgpu_edid_timing(&small, &base))
        return 0;
    memset(edid, 0, VGPU_EDID_MAX);
    build_base(edid, &small, &base, head, blocks);
    build_cta(edid + (blocks == 4 ? 2 : 1) * VGPU_EDID_BLOCK, head, !wide);
    if (wide) {
        build_map(edid + VGPU_EDID_BLOCK);
        build_displayid(edid + 3 * VGPU_EDID_BLOCK, &t, head);
    }
    return blocks * VGPU_EDID_BLOCK;
}
