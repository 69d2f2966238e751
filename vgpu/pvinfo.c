/*
 * The PVINFO page (i915 i915_pvinfo.h): tells i915 that it runs on a virtual GPU and which GGTT range and fences it may
 * use. The lower half is constant; the upper half takes notes from the guest, none of which this device needs: page
 * tables and contexts are followed live.
 */
#include <inttypes.h>
#include <string.h>

#include "vgpu/device.h"

#define PV_MAGIC_VALUE UINT64_C(0x4776544776544776) /* "vGTvGTvG" */
#define PV_VERSION_1_0 1u
#define PV_VGT_ID      1u

/* VGT_CAPS_FULL_48BIT_PPGTT, VGT_CAPS_HWSP_EMULATION, VGT_CAPS_HUGE_GTT */
#define PV_CAPS (GT_BIT(2) | GT_BIT(3) | GT_BIT(4))

/* enum vgt_g2v_type */
#define G2V_FIRST 2u /* VGT_G2V_PPGTT_L3_PAGE_TABLE_CREATE */
#define G2V_LAST  7u /* VGT_G2V_EXECLIST_CONTEXT_DESTROY */

static void set(struct vgpu *v, enum reg_id id, uint32_t val)
{
    *vgpu_reg(v, id, 0, 0) = val;
}

void vgpu_pvinfo_reset(struct vgpu *v)
{
    v->g2v_count = 0;
    if (!v->cfg.pvinfo)
        return;
    *vgpu_reg(v, R_PV_MAGIC, 0, 0) = (uint32_t)PV_MAGIC_VALUE;
    *vgpu_reg(v, R_PV_MAGIC, 0, 1) = (uint32_t)(PV_MAGIC_VALUE >> 32);
    set(v, R_PV_VERSION, PV_VERSION_1_0);
    set(v, R_PV_VGT_ID, PV_VGT_ID);
    set(v, R_PV_VGT_CAPS, PV_CAPS);
    set(v, R_PV_MAPPABLE_BASE, 0);
    set(v, R_PV_MAPPABLE_SIZE, v->cfg.mappable_mb << 20);
    /* i915 refuses a non-mappable part that begins inside BAR2. */
    set(v, R_PV_NONMAPPABLE_BASE, VGPU_BAR2_SIZE);
    set(v, R_PV_NONMAPPABLE_SIZE, UINT32_MAX - VGPU_BAR2_SIZE + 1);
    set(v, R_PV_FENCE_NUM, VGPU_FENCES);
}

void reg_write_PV_NOTIFY(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    if (!v->cfg.pvinfo) {
        v->regs[ref->off / 4] = 0;
        return;
    }
    if (ref->row != &reg_table[R_PV_G2V_NOTIFY])
        return;
    if (val >= G2V_FIRST && val <= G2V_LAST)
        v->g2v_count++;
    else
        GT_GUEST_LOG(&v->log_rl, "PVINFO: unknown notification %" PRIu32, val);
}
