/* GPU resets that the guest asks for: GDRST (whole GT or single engines) and each engine's RESET_CTL handshake. */
#include "vgpu/device.h"

/* i915 intel_gt_regs.h GEN6_GRDOM_FULL; the engines' bits are in engine_table. */
#define GRDOM_FULL GT_BIT(0)

/* i915 intel_engine_regs.h RESET_CTL_* */
#define RESET_CTL_REQUEST GT_BIT(0)
#define RESET_CTL_READY   GT_BIT(1)

/* The bits read 0 when the reset is done, which it is when this write returns. */
void reg_write_GDRST(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    for (unsigned e = 0; e < VGPU_ENGINES; e++)
        if (val & (GRDOM_FULL | GT_BIT(engine_table[e].gdrst_bit)))
            vgpu_engine_reset(v, e);
    if (val & GRDOM_FULL)
        vgpu_regs_reset_gt(v);
    v->regs[ref->off / 4] = 0;
}

/* An engine is always ready to be reset: GDRST stops it wherever it is. */
void reg_write_RESET_CTL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    if (val & RESET_CTL_REQUEST)
        v->regs[ref->off / 4] |= RESET_CTL_READY;
    else
        v->regs[ref->off / 4] &= ~RESET_CTL_READY;
}
