/*
 * Power and clocks: everything that a driver switches on and then polls for. All of it is ready at once.
 */
#include <inttypes.h>

#include "vgpu/device.h"

/* ---- forcewake: the acknowledge follows the request */
static const struct {
    enum reg_id request, ack;
} forcewakes[] = {
    {R_FORCEWAKE_GT_GEN9, R_FORCEWAKE_ACK_GT_GEN9},
    {R_FORCEWAKE_RENDER_GEN9, R_FORCEWAKE_ACK_RENDER_GEN9},
    {R_FORCEWAKE_MEDIA_GEN9, R_FORCEWAKE_ACK_MEDIA_GEN9},
};

void reg_write_FORCEWAKE(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(forcewakes); i++)
        if (ref->row == &reg_table[forcewakes[i].request])
            *vgpu_reg(v, forcewakes[i].ack, 0, 0) = val;
}

/* ---- power wells, i915_reg.h HSW_PWR_WELL_CTL_REQ/STATE and SKL_PW_CTL_IDX_* */
#define WELL_STATE(idx) GT_BIT(2 * (idx))
#define WELL_STATE_BITS 0x55555555u
#define WELL_REQUESTERS 4u

enum { WELL_MISC_IO = 0, WELL_DDI_A_E, WELL_DDI_B, WELL_DDI_C, WELL_DDI_D, WELL_PW_1 = 14, WELL_PW_2 };

#define WELL_STATES                                                                                                    \
    (WELL_STATE(WELL_MISC_IO) | WELL_STATE(WELL_DDI_A_E) | WELL_STATE(WELL_DDI_B) | WELL_STATE(WELL_DDI_C) |           \
     WELL_STATE(WELL_DDI_D) | WELL_STATE(WELL_PW_1) | WELL_STATE(WELL_PW_2))

/* A well is on while any of the four requesters asks for it; all four registers show the state. */
void reg_write_POWER_WELL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    uint32_t requests = 0;

    (void)ref;
    (void)old;
    (void)val;
    for (unsigned i = 0; i < WELL_REQUESTERS; i++)
        requests |= *vgpu_reg(v, R_PWR_WELL_CTL, 0, i);
    for (unsigned i = 0; i < WELL_REQUESTERS; i++) {
        uint32_t *ctl = vgpu_reg(v, R_PWR_WELL_CTL, 0, i);

        *ctl = (*ctl & ~WELL_STATE_BITS) | ((requests >> 1) & WELL_STATES);
    }
}

/* ---- PLLs and DBUF */
#define ENABLE       GT_BIT(31)
#define ENABLE_STATE GT_BIT(30) /* LCPLL lock, DBUF power state */
#define DPLL_LOCK(n) GT_BIT(8 * (n))

static void follow_enable(struct vgpu *v, const struct reg_ref *ref, uint32_t val)
{
    uint32_t *reg = &v->regs[ref->off / 4];

    *reg = val & ENABLE ? *reg | ENABLE_STATE : *reg & ~ENABLE_STATE;
}

void reg_write_DBUF_CTL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    follow_enable(v, ref, val);
}

/* DPLL 0 and 1 are the LCPLLs, 2 and 3 the WRPLLs (i915 intel_dpll_mgr.c skl_dpll_regs). */
void reg_write_PLL_ENABLE(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    uint32_t *status = vgpu_reg(v, R_DPLL_STATUS, 0, 0);
    unsigned dpll;

    (void)old;
    if (ref->row == &reg_table[R_LCPLL1_CTL]) {
        dpll = 0;
        follow_enable(v, ref, val);
    } else if (ref->row == &reg_table[R_LCPLL2_CTL]) {
        dpll = 1;
        follow_enable(v, ref, val);
    } else {
        dpll = 2 + ref->elem;
    }
    *status = val & ENABLE ? *status | DPLL_LOCK(dpll) : *status & ~DPLL_LOCK(dpll);
}

/* Requests that are done as soon as they are made. */
void reg_write_SELF_CLEAR(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    (void)val;
    v->regs[ref->off / 4] = 0;
}

/* ---- pcode mailbox, i915_reg.h GEN6_PCODE_MAILBOX. Bits 7:0 hold the command, and after it the error, 0 = success. */
#define PCODE_READY   GT_BIT(31)
#define PCODE_COMMAND 0xffu

enum pcode_command {
    PCODE_READ_RC6VIDS = 0x5, /* on Skylake also SKL_PCODE_LOAD_HDCP_KEYS */
    PCODE_READ_MEM_LATENCY = 0x6,
    PCODE_CDCLK_CONTROL = 0x7,
    PCODE_WRITE_MIN_FREQ_TABLE = 0x8,
    PCODE_READ_MIN_FREQ_TABLE = 0x9,
    PCODE_SAGV_CONTROL = 0x21,
};

/* Watermark latencies in us, levels 0-3 and 4-7 (i915 GVT handlers.c: values of real parts). */
#define MEM_LATENCY_0_3        0x1e1a1100u
#define MEM_LATENCY_4_7        0x61514b3du
#define CDCLK_READY_FOR_CHANGE 1u
#define SAGV_IS_DISABLED       1u
#define RC6VIDS_VALID          1u
/* Ratios of CPU and ring clock (100 MHz) for a GPU ratio that nobody has set: byte 0 CPU, byte 1 ring. */
#define MIN_FREQ_DEFAULT 0x0808u

static uint32_t pcode_reply(struct vgpu *v, uint32_t command, uint32_t data)
{
    switch (command) {
    case PCODE_READ_RC6VIDS:
        return data | RC6VIDS_VALID;
    case PCODE_READ_MEM_LATENCY:
        return data ? MEM_LATENCY_4_7 : MEM_LATENCY_0_3;
    case PCODE_CDCLK_CONTROL:
        return CDCLK_READY_FOR_CHANGE;
    case PCODE_WRITE_MIN_FREQ_TABLE: /* GPU ratio 7:0, CPU ratio 15:8, ring ratio 23:16 */
        v->min_freq[data & 0xff] = (uint16_t)(data >> 8);
        return data;
    case PCODE_READ_MIN_FREQ_TABLE:
        return v->min_freq[data & 0xff];
    case PCODE_SAGV_CONTROL:
        return SAGV_IS_DISABLED;
    default: /* hardware knows more commands than this; drivers take "success, data unchanged" well, errors not */
        gt_debug("pcode: unknown command 0x%" PRIx32 ", data 0x%" PRIx32, command, data);
        return data;
    }
}

void reg_write_PCODE(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    uint32_t *data = vgpu_reg(v, R_PCODE_DATA, 0, 0);

    (void)old;
    if (!(val & PCODE_READY))
        return;
    vgpu_note(v, data, sizeof(*data));
    *data = pcode_reply(v, val & PCODE_COMMAND, *data);
    v->regs[ref->off / 4] = val & ~(PCODE_READY | PCODE_COMMAND);
}

void vgpu_power_reset(struct vgpu *v)
{
    for (unsigned i = 0; i < GT_ARRAY_SIZE(v->min_freq); i++)
        v->min_freq[i] = MIN_FREQ_DEFAULT;
}
