/*
 * A guest of gtmux-dm with nothing but a screen: a vfio-user client that gives its memory, writes GGTT entries and
 * programs pipes, planes and cursors as i915 does. Its pages are scattered over its memory. For tests, which abort on
 * any failure.
 */
#ifndef GTMUX_TESTS_SCREEN_GUEST_H
#define GTMUX_TESTS_SCREEN_GUEST_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "ioreq/transport.h"
#include "tests/unit/vfio_user_client.h"
#include "vgpu/base/bits.h"
#include "vgpu/surface.h"
#include "vgpu/vgpu.h"

#define SG_PAGE     4096u
#define SG_RAM_BASE UINT64_C(0x100000) /* guest physical address of the memory */

struct screen_guest {
    int sock, memfd;
    uint8_t *ram;
    uint32_t pages, used; /* of the memory; handed out so far */
    uint32_t *ggtt;       /* page of the memory behind each page of the GGTT */
};

/* A buffer in the GGTT with pixels of 4 bytes, or of 2. */
struct sg_buffer {
    uint32_t ggtt, width, height, stride;
    enum vgpu_format format;
    enum vgpu_tiling tiling;
};

static inline void sg_check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "screen_guest: %s failed\n", what);
    abort();
}

/* A guest of `mib` MiB, whose memory is sealed as QEMU's memfd backend does. */
static inline void sg_connect(struct screen_guest *g, const char *socket, uint32_t mib)
{
    struct client_reply r;

    *g = (struct screen_guest){.sock = client_connect(socket), .pages = mib << 8};
    sg_check(g->sock >= 0, "connect");
    g->memfd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    sg_check(!ftruncate(g->memfd, (off_t)mib << 20) &&
                 !fcntl(g->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL),
             "memory");
    g->ram = mmap(NULL, (size_t)mib << 20, PROT_READ | PROT_WRITE, MAP_SHARED, g->memfd, 0);
    sg_check(g->ram != MAP_FAILED, "mmap");
    g->ggtt = calloc(VGPU_GTT_SIZE / 8, sizeof(*g->ggtt));
    sg_check(!client_version(g->sock, NULL, &r), "version");
    sg_check(
        !client_dma_map(g->sock, SG_RAM_BASE, (uint64_t)mib << 20, 0, VU_DMA_MAP_READ | VU_DMA_MAP_WRITE, g->memfd),
        "memory map");
}

static inline void sg_leave(struct screen_guest *g)
{
    close(g->sock);
    munmap(g->ram, (size_t)g->pages * SG_PAGE);
    close(g->memfd);
    free(g->ggtt);
}

static inline void sg_wr(struct screen_guest *g, enum reg_id id, unsigned unit, unsigned elem, uint32_t val)
{
    sg_check(!client_region_write(g->sock, IOREQ_BAR0, reg_off(id, unit, elem), 4, &val), "register write");
}

static inline uint32_t sg_rd(struct screen_guest *g, enum reg_id id, unsigned unit, unsigned elem)
{
    uint32_t val;

    sg_check(!client_region_read(g->sock, IOREQ_BAR0, reg_off(id, unit, elem), 4, &val), "register read");
    return val;
}

/* Points n pages of the GGTT at pages of the memory, from `first` on, `step` apart. */
static inline void sg_point(struct screen_guest *g, uint32_t ggtt, uint32_t n, uint32_t first, uint32_t step)
{
    uint64_t pte[512];

    for (uint32_t i = 0, chunk; i < n; i += chunk) {
        chunk = GT_MIN(n - i, (uint32_t)GT_ARRAY_SIZE(pte));
        for (uint32_t k = 0; k < chunk; k++) {
            uint32_t page = (uint32_t)((first + (uint64_t)(i + k) * step) % g->pages);

            g->ggtt[ggtt / SG_PAGE + i + k] = page;
            pte[k] = (SG_RAM_BASE + (uint64_t)page * SG_PAGE) | 3;
        }
        sg_check(
            !client_region_write(g->sock, IOREQ_BAR0, VGPU_GTT_OFFSET + (ggtt / SG_PAGE + i) * 8ull, chunk * 8, pte),
            "GTT write");
    }
}

static inline unsigned sg_cpp(const struct sg_buffer *b)
{
    return vgpu_format_cpp(b->format);
}

/* A buffer at a GGTT address, of pages of its own. A stride of 0: the least one. */
static inline struct sg_buffer sg_buffer(struct screen_guest *g, uint32_t ggtt, uint32_t width, uint32_t height,
                                         enum vgpu_format format, enum vgpu_tiling tiling)
{
    struct sg_buffer b = {.ggtt = ggtt, .width = width, .height = height, .format = format, .tiling = tiling};
    uint32_t w, h;

    vgpu_tile_shape(tiling, sg_cpp(&b), &w, &h);
    b.stride = (uint32_t)gt_align_up((uint64_t)width * sg_cpp(&b), w);
    uint32_t n = (uint32_t)((uint64_t)b.stride * gt_align_up(height, h) + SG_PAGE - 1) / SG_PAGE;

    sg_check(g->used + n <= g->pages, "more memory");
    /* 1021 is prime to the number of pages, which is a multiple of 256: no page is given twice. */
    sg_point(g, ggtt, n, (uint32_t)((uint64_t)g->used * 1021 % g->pages), 1021);
    g->used += n;
    return b;
}

static inline void *sg_at(const struct screen_guest *g, const struct sg_buffer *b, uint32_t x, uint32_t y)
{
    uint64_t at = b->ggtt + vgpu_tiled_offset(b->tiling, b->stride, sg_cpp(b), x * sg_cpp(b), y);

    return g->ram + (size_t)g->ggtt[at / SG_PAGE] * SG_PAGE + at % SG_PAGE;
}

static inline void sg_put(struct screen_guest *g, const struct sg_buffer *b, uint32_t x, uint32_t y, uint32_t v)
{
    memcpy(sg_at(g, b, x, y), &v, sg_cpp(b));
}

static inline uint32_t sg_get(const struct screen_guest *g, const struct sg_buffer *b, uint32_t x, uint32_t y)
{
    uint32_t v = 0;

    memcpy(&v, sg_at(g, b, x, y), sg_cpp(b));
    return v;
}

/* A picture in which every pixel says where it is, and which `seed` makes another one. */
static inline uint32_t sg_pattern(uint32_t x, uint32_t y, uint32_t seed)
{
    return (x * 2654435761u ^ y * 40503u << 4 ^ seed * 97003u) & 0xffffff;
}

/* By 16 bytes, which lie together in every layout. */
static inline void sg_paint(struct screen_guest *g, const struct sg_buffer *b, uint32_t seed)
{
    const uint32_t unit = 16 / sg_cpp(b);

    for (uint32_t y = 0; y < b->height; y++)
        for (uint32_t x = 0; x < b->width; x += unit) {
            uint8_t *p = sg_at(g, b, x, y);

            for (uint32_t i = 0; i < unit && x + i < b->width; i++) {
                uint32_t v = sg_pattern(x + i, y, seed);

                memcpy(p + i * sg_cpp(b), &v, sg_cpp(b));
            }
        }
}

/* PLL `pll` (1..3) to a pixel clock, and the port of a head to it. As tests/unit/display_fixture.h. */
static inline void sg_pll(struct screen_guest *g, unsigned pll, unsigned port, uint64_t hz)
{
    uint32_t ctrl1 = sg_rd(g, R_DPLL_CTRL1, 0, 0), ctrl2 = sg_rd(g, R_DPLL_CTRL2, 0, 0);

    for (uint32_t q = 1; q < 256; q++) {
        uint64_t dco = hz * 5 * 2 * q;

        if (dco < UINT64_C(7900000000) || dco > UINT64_C(9700000000))
            continue;
        uint64_t whole = dco / 24000000, fraction = (dco % 24000000 * 32768 + 12000000) / 24000000;

        sg_wr(g, R_DPLL_CFGCR, 0, (pll - 1) * 2, GT_BIT(31) | (uint32_t)(fraction << 9 | whole));
        sg_wr(g, R_DPLL_CFGCR, 0, (pll - 1) * 2 + 1, q << 8 | GT_BIT(7) | 1u << 5);
        break;
    }
    sg_wr(g, R_DPLL_CTRL1, 0, 0, ctrl1 | GT_BIT(pll * 6 + 5));
    ctrl2 &= ~(GT_BIT(15 + port) | 7u << (port * 3));
    sg_wr(g, R_DPLL_CTRL2, 0, 0, ctrl2 | pll << (port * 3 + 1) | GT_BIT(port * 3));
}

/* Lights a head from the pipe of the same number at about 60 Hz; the plane comes after it. */
static inline void sg_light(struct screen_guest *g, unsigned head, uint32_t width, uint32_t height)
{
    const uint32_t htotal = width + 160, vtotal = height + 40;

    sg_wr(g, R_TRANSCONF, head, 0, 0);
    sg_pll(g, head + 1, head + 1, (uint64_t)htotal * vtotal * 60);
    sg_wr(g, R_TRANS_HTOTAL, head, 0, (htotal - 1) << 16 | (width - 1));
    sg_wr(g, R_TRANS_VTOTAL, head, 0, (vtotal - 1) << 16 | (height - 1));
    sg_wr(g, R_TRANS_VBLANK, head, 0, (vtotal - 1) << 16 | (height - 1));
    sg_wr(g, R_PIPESRC, head, 0, (width - 1) << 16 | (height - 1));
    sg_wr(g, R_TRANS_DDI_FUNC_CTL, head, 0, GT_BIT(31) | (head + 1) << 28);
    sg_wr(g, R_TRANSCONF, head, 0, GT_BIT(31));
}

static inline uint32_t sg_plane_ctl(const struct sg_buffer *b)
{
    static const uint8_t tilings[] = {[VGPU_LINEAR] = 0, [VGPU_TILE_X] = 1, [VGPU_TILE_Y] = 4, [VGPU_TILE_YF] = 5};
    uint32_t format = b->format == VGPU_FMT_RGB565 ? 14 : b->format == VGPU_FMT_XRGB2101010 ? 2 : 4;

    return GT_BIT(31) | format << 24 | (uint32_t)tilings[b->tiling] << 10;
}

/* Shows a buffer on a pipe's primary plane from the next vblank on. */
static inline void sg_show(struct screen_guest *g, unsigned pipe, const struct sg_buffer *b)
{
    uint32_t w, h;

    vgpu_tile_shape(b->tiling, sg_cpp(b), &w, &h);
    sg_wr(g, R_PLANE_STRIDE, pipe, 0, b->stride / w);
    sg_wr(g, R_PLANE_POS, pipe, 0, 0);
    sg_wr(g, R_PLANE_SIZE, pipe, 0, (b->height - 1) << 16 | (b->width - 1));
    sg_wr(g, R_PLANE_OFFSET, pipe, 0, 0);
    sg_wr(g, R_PLANE_CTL, pipe, 0, sg_plane_ctl(b));
    sg_wr(g, R_PLANE_SURF, pipe, 0, b->ggtt);
}

/* A sprite plane (1 or 2) with a buffer at a place of the picture from the next vblank on, or none. ctl: more bits of
 * PLANE_CTL, of skl_universal_plane_regs.h. */
static inline void sg_sprite(struct screen_guest *g, unsigned pipe, unsigned plane, const struct sg_buffer *b,
                             uint32_t x, uint32_t y, uint32_t ctl)
{
    if (b) {
        uint32_t w, h;

        vgpu_tile_shape(b->tiling, sg_cpp(b), &w, &h);
        sg_wr(g, R_PLANE_STRIDE, pipe, plane, b->stride / w);
        sg_wr(g, R_PLANE_POS, pipe, plane, y << 16 | x);
        sg_wr(g, R_PLANE_SIZE, pipe, plane, (b->height - 1) << 16 | (b->width - 1));
        sg_wr(g, R_PLANE_OFFSET, pipe, plane, 0);
    }
    sg_wr(g, R_PLANE_CTL, pipe, plane, b ? sg_plane_ctl(b) | ctl : 0);
    sg_wr(g, R_PLANE_SURF, pipe, plane, b ? b->ggtt : 0);
}

/* A cursor of 64x64 (its buffer ARGB8888 and linear), or none. */
static inline void sg_cursor(struct screen_guest *g, unsigned pipe, const struct sg_buffer *b, uint32_t x, uint32_t y)
{
    sg_wr(g, R_CURCNTR, pipe, 0, b ? 0x27 : 0);
    sg_wr(g, R_CURPOS, pipe, 0, y << 16 | x);
    sg_wr(g, R_CURBASE, pipe, 0, b ? b->ggtt : 0);
}

static inline void sg_dark(struct screen_guest *g, unsigned pipe)
{
    sg_wr(g, R_TRANSCONF, pipe, 0, 0);
}

#endif
