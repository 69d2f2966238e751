/*
 * Who needs the vblanks of a pipe. A lit screen whose picture stands still needs none: i915 masks their interrupt a few
 * seconds after the last user has gone, and what the guest can read of the clock is computed from the time. Then the
 * pipe is looked after once a second (for timings that change while it is on), and who is about to need vblanks says so
 * first: those that were not handled meanwhile are skipped, for they brought nothing.
 */
#include "vgpu/device.h"

#define REST_NS        UINT64_C(1000000000)
#define DE_PIPE_VBLANK GT_BIT(0)  /* i915_reg.h GEN8_PIPE_VBLANK */
#define CRC_ENABLE     GT_BIT(31) /* intel_pipe_crc_regs.h PIPE_CRC_CTL */

bool vgpu_vblank_wanted(struct vgpu *v, unsigned pipe)
{
    const struct vgpu_pipe *p = &v->display.pipe[pipe];

    return p->planes_armed || p->cursor_armed || p->flip.planes || vgpu_flip_waits(v, pipe) ||
           !(*vgpu_reg(v, R_GEN8_DE_PIPE_IMR, 0, pipe) & DE_PIPE_VBLANK) ||
           (vgpu_reg_get(v, R_PIPE_CRC_CTL, pipe) & CRC_ENABLE);
}

uint64_t vgpu_vblank_next(struct vgpu *v, unsigned pipe, uint64_t now)
{
    uint64_t next = vgpu_clock_next(&v->display.pipe[pipe].clock);

    return vgpu_vblank_wanted(v, pipe) ? GT_MAX(next, v->display.rest_ns) : GT_MAX(next, now + REST_NS);
}

void vgpu_vblank_want(struct vgpu *v, unsigned pipe)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];

    if (!p->on || vgpu_vblank_wanted(v, pipe))
        return;
    uint64_t due = vgpu_clock_vblanks(&p->clock, vgpu_display_now(v));

    if (due > p->clock.handled) {
        vgpu_pipe_note(v, pipe);
        v->stats.vblanks[pipe] += due - p->clock.handled;
        p->clock.handled = due;
    }
    vgpu_display_kick(v);
}

/* The register holds the new value already. */
void vgpu_vblank_unmasked(struct vgpu *v, unsigned pipe, uint32_t old)
{
    uint32_t *imr = vgpu_reg(v, R_GEN8_DE_PIPE_IMR, 0, pipe), val = *imr;

    if (!(old & ~val & DE_PIPE_VBLANK))
        return;
    *imr = old;
    vgpu_vblank_want(v, pipe);
    *imr = val;
}
