/* A device whose display is driven as i915 drives it, with time in the test's hands. */
#ifndef GTMUX_TESTS_DISPLAY_FIXTURE_H
#define GTMUX_TESTS_DISPLAY_FIXTURE_H

#include "core_fixture.h"

#define NS_PER_S UINT64_C(1000000000)

#define VBLANK       GT_BIT(0)
#define FLIP_DONE(n) GT_BIT(3 + (n))
#define CRC_DONE     GT_BIT(28)
#define PLANE_ON     GT_BIT(31)
#define PLANE_XRGB   (4u << 24)

struct dfx {
    struct fixture core; /* first: the callbacks of core_fixture.h take it as their host */
    unsigned display_kicks, changed[VGPU_PIPES];
};

static inline void dfx_display_kick(void *host)
{
    ((struct dfx *)host)->display_kicks++;
}

static inline void dfx_scanout_changed(void *host, unsigned pipe)
{
    ((struct dfx *)host)->changed[pipe]++;
}

static inline struct dfx *dfx_new(void)
{
    struct dfx *d = calloc(1, sizeof(*d));
    struct fixture *f = fx_new();

    assert_non_null(d);
    d->core = *f;
    free(f);
    d->core.now = NS_PER_S;
    d->core.ops.display_kick = dfx_display_kick;
    d->core.ops.scanout_changed = dfx_scanout_changed;
    d->core.cfg.ops = &d->core.ops;
    d->core.cfg.host = d;
    d->core.cfg.heads = VGPU_HEADS;
    return d;
}

static inline int dfx_setup(void **state)
{
    struct dfx *d = dfx_new();

    fx_start(&d->core);
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
        fx_wr(&d->core, R_GEN8_DE_PIPE_IMR, 0, pipe, 0);
    fx_wr(&d->core, R_SDEIMR, 0, 0, 0);
    *state = d;
    return 0;
}

#define DFX_TEST(name) cmocka_unit_test_setup_teardown(name, dfx_setup, fx_teardown)

static inline uint32_t d_rd(struct dfx *d, enum reg_id id, unsigned unit, unsigned elem)
{
    return fx_rd(&d->core, id, unit, elem);
}

static inline void d_wr(struct dfx *d, enum reg_id id, unsigned unit, unsigned elem, uint32_t val)
{
    fx_wr(&d->core, id, unit, elem, val);
}

/* Reads and clears the interrupt bits of a pipe. */
static inline uint32_t d_irqs(struct dfx *d, unsigned pipe)
{
    uint32_t seen = d_rd(d, R_GEN8_DE_PIPE_IIR, 0, pipe);

    d_wr(d, R_GEN8_DE_PIPE_IIR, 0, pipe, seen);
    d_wr(d, R_GEN8_DE_PIPE_IIR, 0, pipe, seen);
    return seen;
}

/* PLL 1..3 to a port clock, and the port to the PLL. Dividers as in PRM SKL vol 12: p * q * k * 5 parts of a DCO near 9
 * GHz. */
static inline void d_pll(struct dfx *d, unsigned pll, unsigned port, uint64_t hz)
{
    uint32_t ctrl1 = d_rd(d, R_DPLL_CTRL1, 0, 0), ctrl2 = d_rd(d, R_DPLL_CTRL2, 0, 0);

    for (uint32_t q = 1; q < 256; q++) {
        uint64_t dco = hz * 5 * 2 * q; /* p = 1, k = 2 */

        if (dco < UINT64_C(7900000000) || dco > UINT64_C(9700000000))
            continue;
        uint64_t whole = dco / 24000000, fraction = (dco % 24000000 * 32768 + 12000000) / 24000000;

        d_wr(d, R_DPLL_CFGCR, 0, (pll - 1) * 2, GT_BIT(31) | (uint32_t)(fraction << 9 | whole));
        d_wr(d, R_DPLL_CFGCR, 0, (pll - 1) * 2 + 1, q << 8 | GT_BIT(7) | 1u << 5);
        break;
    }
    d_wr(d, R_DPLL_CTRL1, 0, 0, ctrl1 | GT_BIT(pll * 6 + 5));
    ctrl2 &= ~(GT_BIT(15 + port) | 7u << (port * 3));
    d_wr(d, R_DPLL_CTRL2, 0, 0, ctrl2 | pll << (port * 3 + 1) | GT_BIT(port * 3));
}

struct dfx_mode {
    uint64_t hz;
    uint32_t hactive, htotal, vactive, vtotal;
};

static const struct dfx_mode mode_xga60 = {65000000, 1024, 1344, 768, 806};
static const struct dfx_mode mode_720p144 = {160128000, 1280, 1440, 720, 772}; /* 144.04 Hz */

static inline void d_timings(struct dfx *d, unsigned pipe, const struct dfx_mode *m)
{
    d_wr(d, R_TRANS_HTOTAL, pipe, 0, (m->htotal - 1) << 16 | (m->hactive - 1));
    d_wr(d, R_TRANS_VTOTAL, pipe, 0, (m->vtotal - 1) << 16 | (m->vactive - 1));
    d_wr(d, R_TRANS_VBLANK, pipe, 0, (m->vtotal - 1) << 16 | (m->vactive - 1));
    d_wr(d, R_PIPESRC, pipe, 0, (m->hactive - 1) << 16 | (m->vactive - 1));
}

/* Lights head `head` from `pipe` with PLL pipe + 1. */
static inline void d_light(struct dfx *d, unsigned pipe, unsigned head, const struct dfx_mode *m)
{
    d_pll(d, pipe + 1, head + 1, m->hz);
    d_timings(d, pipe, m);
    d_wr(d, R_TRANS_DDI_FUNC_CTL, pipe, 0, GT_BIT(31) | (head + 1) << 28);
    d_wr(d, R_TRANSCONF, pipe, 0, GT_BIT(31));
}

/* Moves time to when the device asked to be called, and calls it. */
static inline uint64_t d_run_to(struct dfx *d, uint64_t next)
{
    d->core.now = next;
    return vgpu_display_tick(d->core.v);
}

/* A linear XRGB8888 plane as i915 programs it. */
static inline void d_plane(struct dfx *d, unsigned pipe, unsigned plane, uint32_t ggtt, uint32_t w, uint32_t h,
                           uint32_t stride)
{
    d_wr(d, R_PLANE_STRIDE, pipe, plane, stride / 64);
    d_wr(d, R_PLANE_POS, pipe, plane, 0);
    d_wr(d, R_PLANE_SIZE, pipe, plane, (h - 1) << 16 | (w - 1));
    d_wr(d, R_PLANE_OFFSET, pipe, plane, 0);
    d_wr(d, R_PLANE_CTL, pipe, plane, PLANE_ON | PLANE_XRGB);
    d_wr(d, R_PLANE_SURF, pipe, plane, ggtt);
}

#endif
