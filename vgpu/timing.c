/*
 * The clock of a pipe: how long a frame is (PLL and transcoder registers) and where the beam is at a given time.
 */
#include "vgpu/device.h"

/* i915_reg.h TRANS_DDI_FUNC_CTL */
#define DDI_FUNC_PORT(ctl) gt_field(ctl, 30, 28)
#define DDI_FUNC_MODE(ctl) gt_field(ctl, 26, 24)
#define DDI_FUNC_BPC(ctl)  gt_field(ctl, 22, 20)
#define DDI_MODE_HDMI      0u
#define DDI_MODE_DVI       1u
#define DDI_MODE_DP_SST    2u

/* i915_reg.h DPLL_CTRL1 (6 bits a PLL), DPLL_CTRL2 (3 bits a port), skl DPLL_CFGCR1/2 */
#define CTRL1_HDMI(ctl, pll) (((ctl) >> ((pll)*6 + 5)) & 1)
#define CTRL1_RATE(ctl, pll) (((ctl) >> ((pll)*6 + 1)) & 7)
#define DPLL_LOCK(pll)       GT_BIT(8 * (pll)) /* i915_reg.h DPLL_STATUS */
#define CTRL2_OFF(ctl, port) (((ctl) >> (15 + (port))) & 1)
#define CTRL2_PLL(ctl, port) (((ctl) >> ((port)*3 + 1)) & 3)
#define CFGCR1_ENABLE        GT_BIT(31)
#define CFGCR1_FRACTION(cr)  gt_field(cr, 23, 9)
#define CFGCR1_INTEGER(cr)   gt_field(cr, 8, 0)
#define CFGCR2_Q(cr)         gt_field(cr, 15, 8)
#define CFGCR2_Q_MODE        GT_BIT(7)
#define CFGCR2_K(cr)         gt_field(cr, 6, 5)
#define CFGCR2_P(cr)         gt_field(cr, 4, 2)
#define FRACTION_ONE         0x8000u
#define REFERENCE_HZ         UINT64_C(24000000)
#define PORT_CLOCKS_A_DCO    5u /* the port clock is a fifth of the divided oscillator */

/* i915_reg.h PIPE_DATA_M1 .. PIPE_LINK_N2 */
#define LINK_M1  4u
#define LINK_N1  5u
#define M_N_MASK 0xffffffu

#define PORTS           5u
#define CLOCK_MIN_HZ    UINT64_C(1000000)
#define CLOCK_MAX_HZ    UINT64_C(700000000)
#define NS              UINT64_C(1000000000)
#define TOTAL_MASK      (VGPU_LINES_MAX - 1) /* i915_reg.h HTOTAL, VTOTAL: 13 bits */
#define DEFAULT_FRAME   (NS / 60)
#define LINE_LAG_HDMI   2u /* i915 intel_vblank.c intel_crtc_scanline_offset: HDMI ports of DDI platforms */
#define LINE_LAG_OTHERS 1u

/* Port clock of DPLL 1..3 in HDMI mode, 0 when it makes no sense. As i915 intel_dpll_mgr.c skl_ddi_wrpll_get_freq. */
static uint64_t pll_hz(struct vgpu *v, unsigned pll)
{
    static const uint8_t p_div[8] = {1, 2, 3, 0, 7, 0, 0, 0};
    static const uint8_t k_div[4] = {5, 2, 3, 1};

    if (!pll || !CTRL1_HDMI(vgpu_reg_get(v, R_DPLL_CTRL1, 0), pll))
        return 0;
    uint32_t cr1 = *vgpu_reg(v, R_DPLL_CFGCR, 0, (pll - 1) * 2);
    uint32_t cr2 = *vgpu_reg(v, R_DPLL_CFGCR, 0, (pll - 1) * 2 + 1);
    uint32_t q = (cr2 & CFGCR2_Q_MODE) ? CFGCR2_Q(cr2) : 1;
    uint64_t divider = (uint64_t)p_div[CFGCR2_P(cr2)] * q * k_div[CFGCR2_K(cr2)] * PORT_CLOCKS_A_DCO;
    uint64_t dco = CFGCR1_INTEGER(cr1) * REFERENCE_HZ + CFGCR1_FRACTION(cr1) * REFERENCE_HZ / FRACTION_ONE;

    return (cr1 & CFGCR1_ENABLE) && divider ? dco / divider : 0;
}

uint64_t vgpu_dp_link_hz(struct vgpu *v, unsigned port)
{
    /* i915_reg.h DPLL_CTRL1_LINK_RATE_2700, 1350, 810, 1620, 1080, 2160; skl_ddi_dp_set_dpll_hw_state: half the symbols
     */
    static const uint16_t mhz[8] = {540, 270, 162, 324, 216, 432, 0, 0};
    uint32_t ctrl2 = vgpu_reg_get(v, R_DPLL_CTRL2, 0), ctrl1 = vgpu_reg_get(v, R_DPLL_CTRL1, 0);

    if (port >= PORTS || CTRL2_OFF(ctrl2, port))
        return 0;
    unsigned pll = CTRL2_PLL(ctrl2, port);

    if (CTRL1_HDMI(ctrl1, pll) || !(vgpu_reg_get(v, R_DPLL_STATUS, 0) & DPLL_LOCK(pll)))
        return 0;
    return mhz[CTRL1_RATE(ctrl1, pll)] * UINT64_C(1000000);
}

/* Pixel clock of a pipe that sends DisplayPort: its ratio to the link's symbol clock is in registers. */
static uint64_t dp_pixel_hz(struct vgpu *v, unsigned pipe)
{
    unsigned port = DDI_FUNC_PORT(vgpu_reg_get(v, R_TRANS_DDI_FUNC_CTL, pipe));
    uint64_t m = *vgpu_reg(v, R_TRANS_M_N, pipe, LINK_M1) & M_N_MASK;
    uint64_t n = *vgpu_reg(v, R_TRANS_M_N, pipe, LINK_N1) & M_N_MASK;

    return n ? vgpu_dp_link_hz(v, port) * m / n : 0;
}

static uint64_t tmds_pixel_hz(struct vgpu *v, unsigned pipe)
{
    uint32_t func = vgpu_reg_get(v, R_TRANS_DDI_FUNC_CTL, pipe);
    uint32_t ctrl2 = vgpu_reg_get(v, R_DPLL_CTRL2, 0);
    unsigned port = DDI_FUNC_PORT(func);
    /* i915_reg.h TRANS_DDI_BPC: 8, 10, 6, 12 bits; deep colour makes HDMI's port clock faster than the pixels */
    static const uint8_t bpc[8] = {8, 10, 6, 12, 8, 8, 8, 8};

    if (port >= PORTS || CTRL2_OFF(ctrl2, port))
        return 0;
    uint64_t hz = pll_hz(v, CTRL2_PLL(ctrl2, port));
    unsigned bits = DDI_FUNC_MODE(func) == DDI_MODE_HDMI ? bpc[DDI_FUNC_BPC(func)] : 8;

    if (bits > 8)
        hz = hz * 8 / bits;
    return hz / ((vgpu_reg_get(v, R_TRANS_MULT, pipe) & 7) + 1);
}

/* Pixel clock of a pipe, 0 when its PLL is not set up for what it sends. */
static uint64_t pixel_hz(struct vgpu *v, unsigned pipe)
{
    uint32_t mode = DDI_FUNC_MODE(vgpu_reg_get(v, R_TRANS_DDI_FUNC_CTL, pipe));
    uint64_t hz = 0;

    if (mode <= DDI_MODE_DVI)
        hz = tmds_pixel_hz(v, pipe);
    else if (mode == DDI_MODE_DP_SST)
        hz = dp_pixel_hz(v, pipe);
    return hz >= CLOCK_MIN_HZ && hz <= CLOCK_MAX_HZ ? hz : 0;
}

static uint64_t head_frame_ns(struct vgpu *v, unsigned pipe)
{
    int head = vgpu_pipe_head(v, pipe);
    uint32_t mhz = head < 0 ? 0 : v->display.head[head].mode.mhz;

    return mhz ? (NS * 1000 + mhz / 2) / mhz : DEFAULT_FRAME;
}

uint32_t vgpu_timing_mhz(uint64_t frame_ns)
{
    return (uint32_t)((NS * 1000 + frame_ns / 2) / frame_ns);
}

void vgpu_timing_read(struct vgpu *v, unsigned pipe, struct vgpu_timing *t)
{
    uint32_t htotal = (vgpu_reg_get(v, R_TRANS_HTOTAL, pipe) >> 16 & TOTAL_MASK) + 1;
    uint32_t vtotal = vgpu_reg_get(v, R_TRANS_VTOTAL, pipe);
    uint32_t vactive = (vtotal & TOTAL_MASK) + 1;
    uint32_t vblank = (vgpu_reg_get(v, R_TRANS_VBLANK, pipe) & TOTAL_MASK) + 1;
    uint64_t hz = pixel_hz(v, pipe);

    t->lines = GT_MAX((vtotal >> 16 & TOTAL_MASK) + 1, 2u);
    /* Nonsense must still leave a line for the vertical blank to start at. */
    t->vblank_line = vblank < t->lines ? vblank : GT_MIN(vactive, t->lines - 1);
    t->frame_ns = hz ? ((uint64_t)htotal * t->lines * NS + hz / 2) / hz : head_frame_ns(v, pipe);
    t->frame_ns = GT_MAX(GT_MIN(t->frame_ns, VGPU_FRAME_MAX_NS), VGPU_FRAME_MIN_NS);
    t->mhz = vgpu_timing_mhz(t->frame_ns);
    t->line_lag =
        DDI_FUNC_MODE(vgpu_reg_get(v, R_TRANS_DDI_FUNC_CTL, pipe)) <= DDI_MODE_DVI ? LINE_LAG_HDMI : LINE_LAG_OTHERS;
}

void vgpu_clock_start(struct vgpu_clock *c, const struct vgpu_timing *t, uint64_t now)
{
    c->timing = *t;
    c->t0 = now + t->vblank_line * t->frame_ns / t->lines;
    c->handled = 0;
}

uint64_t vgpu_clock_vblanks(const struct vgpu_clock *c, uint64_t now)
{
    return now < c->t0 ? 0 : (now - c->t0) / c->timing.frame_ns + 1;
}

uint64_t vgpu_clock_frames(const struct vgpu_clock *c, uint64_t now)
{
    return c->count_base + vgpu_clock_vblanks(c, now);
}

/* Time since the start of the vblank before `now`; the clock may have its first one still ahead. */
static uint64_t phase(const struct vgpu_clock *c, uint64_t now)
{
    uint64_t frame = c->timing.frame_ns;

    if (now >= c->t0)
        return (now - c->t0) % frame;
    return (frame - (c->t0 - now) % frame) % frame;
}

/* i915 intel_vblank.c: on a DDI the counter reads less than the line scanned out, by line_lag; line 0 is the first of
 * the picture. */
uint32_t vgpu_clock_line(const struct vgpu_clock *c, uint64_t now)
{
    const struct vgpu_timing *t = &c->timing;
    uint64_t line = t->vblank_line + phase(c, now) * t->lines / t->frame_ns;

    return (uint32_t)((line + t->lines - t->line_lag) % t->lines);
}

uint64_t vgpu_clock_last(const struct vgpu_clock *c, uint64_t now)
{
    uint64_t since = phase(c, now);

    return now >= since ? now - since : 0;
}

uint64_t vgpu_clock_next(const struct vgpu_clock *c)
{
    return c->t0 + c->handled * c->timing.frame_ns;
}
