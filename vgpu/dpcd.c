/*
 * The receivers of the monitors: DPCD, and a link that is there when the source has really trained it - PLL, lanes,
 * port and training pattern of the display engine must be what the DPCD was told. VESA DisplayPort 1.2, sections 2.9.3
 * (DPCD) and 3.5.1 (training); what i915 does: intel_dp_link_training.c, intel_ddi.c.
 */
#include <stddef.h>
#include <string.h>

#include "vgpu/device.h"

#define FIRST_PORT 1u /* head 0 is DDI B */

/* i915_reg.h DP_TP_CTL, DP_TP_STATUS, DDI_BUF_CTL */
#define TP_ENABLE       GT_BIT(31)
#define TP_PATTERN(ctl) gt_field(ctl, 10, 8)
#define TP_IDLE_DONE    GT_BIT(25)
#define BUF_ENABLE      GT_BIT(31)
#define BUF_LANES(ctl)  (gt_field(ctl, 3, 1) + 1)

enum tp_pattern { TP_PAT1, TP_PAT2, TP_IDLE, TP_NORMAL, TP_PAT3 };

/* drm_dp.h */
#define LANES(set)     ((set)&0x1fu)
#define PATTERN(set)   ((set)&0x03u)
#define POWER(set)     ((set)&0x07u)
#define POWER_D0       1u
#define RATE_UNIT_HZ   UINT64_C(27000000) /* LINK_BW_SET 6, 10, 20: 162, 270, 540 MHz symbols */
#define STATUS_CLOCK   0x1u               /* of a lane; the next lane has the upper half of the byte */
#define STATUS_TRAINED 0x7u
#define ALIGN_DONE     0x1u
#define IN_SYNC        0x1u

enum dpcd_kind { CONSTANT, KEPT, LIVE };

static const struct dpcd_row {
    uint32_t address;
    uint8_t kind, bytes, value, member;
} rows[] = {
#define DPCD(name, at, n, val) {.address = (at), .kind = CONSTANT, .bytes = (n), .value = (val)},
#define DPCD_KEPT(name, at, field)                                                                                     \
    {.address = (at), .kind = KEPT, .bytes = 1, .member = offsetof(struct vgpu_dp_link, field)},
#define DPCD_LIVE(name, at, n) {.address = (at), .kind = LIVE, .bytes = (n)},
#include "vgpu/desc/dpcd.def"
#undef DPCD
#undef DPCD_KEPT
#undef DPCD_LIVE
};

/* Addresses that code acts on. */
enum {
#define DPCD(name, at, n, val)     DPCD_##name = (at),
#define DPCD_KEPT(name, at, field) DPCD_##name = (at),
#define DPCD_LIVE(name, at, n)     DPCD_##name = (at),
#include "vgpu/desc/dpcd.def"
#undef DPCD
#undef DPCD_KEPT
#undef DPCD_LIVE
};

static const struct dpcd_row *find(uint32_t address)
{
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (address - rows[i].address < rows[i].bytes)
            return &rows[i];
    return NULL;
}

/* Does a signal arrive that the receiver, as it was set up, can follow? */
static bool receives(struct vgpu *v, unsigned head)
{
    const struct vgpu_head *h = &v->display.head[head];
    const unsigned port = FIRST_PORT + head, lanes = LANES(h->link.lanes);
    uint32_t buf = vgpu_reg_get(v, R_DDI_BUF_CTL, port);

    return h->connected && POWER(h->link.power) == POWER_D0 && (buf & BUF_ENABLE) &&
           (vgpu_reg_get(v, R_DP_TP_CTL, port) & TP_ENABLE) && (lanes == 1 || lanes == 2 || lanes == 4) &&
           BUF_LANES(buf) == lanes && h->link.rate && vgpu_dp_link_hz(v, port) == h->link.rate * RATE_UNIT_HZ;
}

void vgpu_dp_signal(struct vgpu *v, unsigned head)
{
    static const uint8_t sent[] = {[1] = TP_PAT1, [2] = TP_PAT2, [3] = TP_PAT3};
    struct vgpu_dp_link *link = &v->display.head[head].link;
    const unsigned told = PATTERN(link->pattern);

    if (!receives(v, head)) {
        link->clock = link->symbols = false;
        return;
    }
    /* Outside of training, and where another pattern comes than the one told, all stays as it is. */
    if (!told || TP_PATTERN(vgpu_reg_get(v, R_DP_TP_CTL, FIRST_PORT + head)) != sent[told])
        return;
    link->symbols = told != 1 && link->clock;
    link->clock |= told == 1;
}

void vgpu_dp_reset(struct vgpu *v, unsigned head)
{
    struct vgpu_head *h = &v->display.head[head];

    memset(&h->link, 0, sizeof(h->link));
    memset(&h->ddc, 0, sizeof(h->ddc));
    h->link.power = POWER_D0;
}

/* LANE0_1_STATUS, LANE2_3_STATUS, LANE_ALIGN_STATUS_UPDATED, SINK_STATUS. */
static uint8_t status(const struct vgpu_dp_link *link, unsigned byte)
{
    const uint8_t lane = link->symbols ? STATUS_TRAINED : link->clock ? STATUS_CLOCK : 0;
    const unsigned lanes = LANES(link->lanes);

    if (byte < 2)
        return (uint8_t)((lanes > 2 * byte ? lane : 0) | (lanes > 2 * byte + 1 ? lane << 4 : 0));
    if (byte == 2)
        return link->symbols ? ALIGN_DONE : 0;
    return link->symbols && !PATTERN(link->pattern) ? IN_SYNC : 0;
}

uint8_t vgpu_dpcd_read(const struct vgpu *v, unsigned head, uint32_t address)
{
    const struct vgpu_dp_link *link = &v->display.head[head].link;
    const struct dpcd_row *row = find(address);

    if (!row)
        return 0;
    switch (row->kind) {
    case KEPT:
        return ((const uint8_t *)link)[row->member];
    case LIVE:
        return status(link, address - row->address);
    default:
        return row->value;
    }
}

void vgpu_dpcd_write(struct vgpu *v, unsigned head, uint32_t address, uint8_t val)
{
    struct vgpu_dp_link *link = &v->display.head[head].link;
    const struct dpcd_row *row = find(address);

    if (!row || row->kind != KEPT)
        return;
    ((uint8_t *)link)[row->member] = val;
    /* A training begins, or its second half. */
    if (row->address == DPCD_TRAINING_PATTERN_SET && PATTERN(val)) {
        link->symbols = false;
        link->clock = link->clock && PATTERN(val) != 1;
    }
    vgpu_dp_signal(v, head);
}

static void port_changed(struct vgpu *v, unsigned port)
{
    const unsigned head = port - FIRST_PORT;

    if (port < FIRST_PORT || head >= VGPU_HEADS)
        return;
    vgpu_note(v, &v->display.head[head].link, sizeof(struct vgpu_dp_link));
    vgpu_dp_signal(v, head);
}

/* Idle patterns are sent as soon as they are asked for. */
void reg_write_DP_TP_CTL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    uint32_t *done = vgpu_reg(v, R_DP_TP_STATUS, ref->unit, 0);

    (void)old;
    if (!(val & TP_ENABLE) || (TP_PATTERN(val) != TP_IDLE && TP_PATTERN(val) != TP_NORMAL))
        *done &= ~TP_IDLE_DONE;
    else if (TP_PATTERN(val) == TP_IDLE)
        *done |= TP_IDLE_DONE;
    port_changed(v, ref->unit);
}

#define DDI_BUF_IDLE GT_BIT(7)

void reg_write_DDI_BUF_CTL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    v->regs[ref->off / 4] = (val & BUF_ENABLE) ? val & ~DDI_BUF_IDLE : val | DDI_BUF_IDLE;
    port_changed(v, ref->unit);
}
