/*
 * Heads: the DisplayPort monitors on DDI B, C and D, their EDIDs and hotplug signals.
 */
#include <errno.h>
#include <string.h>

#include "vgpu/device.h"

#define SDE_PORT(head)       GT_BIT(21 + (head)) /* i915_reg.h SDE_PORTB..D_HOTPLUG_CPT; the same bits in SDEISR */
#define HOTPLUG_ENABLE(head) (GT_BIT(4) << ((head)*8)) /* i915_reg.h PCH_PORT_HOTPLUG */
#define HOTPLUG_LONG(head)   (GT_BIT(1) << ((head)*8))

bool vgpu_mode_ok(const struct vgpu_mode *m)
{
    struct vgpu_edid_timing t;

    return m->width >= VGPU_MODE_SIDE_MIN && m->width <= VGPU_MODE_WIDTH_MAX && m->height >= VGPU_MODE_SIDE_MIN &&
           m->height <= VGPU_MODE_HEIGHT_MAX && m->mhz >= VGPU_MODE_MHZ_MIN && m->mhz <= VGPU_MODE_MHZ_MAX &&
           vgpu_edid_timing(m, &t);
}

static void set_mode(struct vgpu *v, unsigned head, const struct vgpu_mode *mode)
{
    struct vgpu_head *h = &v->display.head[head];

    h->mode = *mode;
    memset(h->edid, 0, sizeof(h->edid));
    h->edid_size = vgpu_edid_build(mode, head, h->edid);
}

static void show_live(struct vgpu *v, unsigned head)
{
    uint32_t *isr = vgpu_reg(v, R_SDEISR, 0, 0);

    *isr = v->display.head[head].connected ? *isr | SDE_PORT(head) : *isr & ~SDE_PORT(head);
}

void vgpu_heads_init(struct vgpu *v)
{
    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        set_mode(v, head, &v->cfg.modes[head]); /* checked by vgpu_create */
        v->display.head[head].connected = head < v->cfg.heads;
    }
}

void vgpu_head_adopt(struct vgpu *v, unsigned head, bool connected, const struct vgpu_mode *mode)
{
    if (vgpu_mode_ok(mode))
        set_mode(v, head, mode);
    v->display.head[head].connected = connected;
    show_live(v, head);
}

void vgpu_heads_reset(struct vgpu *v)
{
    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        vgpu_dp_reset(v, head);
        show_live(v, head);
    }
}

int vgpu_head_set(struct vgpu *v, unsigned head, bool connected, const struct vgpu_mode *mode)
{
    if (head >= VGPU_HEADS || (mode && !vgpu_mode_ok(mode)))
        return -EINVAL;
    struct vgpu_head *h = &v->display.head[head];
    bool same_mode = !mode || !memcmp(mode, &h->mode, sizeof(*mode));

    if (h->connected == connected && same_mode)
        return 0;
    vgpu_note(v, &h->mode, sizeof(h->mode));
    vgpu_note(v, &h->connected, sizeof(h->connected));
    vgpu_note(v, &h->link, sizeof(h->link));
    vgpu_note(v, &h->ddc, sizeof(h->ddc));
    if (!same_mode)
        set_mode(v, head, mode);
    /* A monitor that changes its EDID keeps its link: the source need not light it anew for the same picture. */
    if (h->connected != connected)
        vgpu_dp_reset(v, head);
    h->connected = connected;
    show_live(v, head);
    if (*vgpu_reg(v, R_PCH_PORT_HOTPLUG, 0, 0) & HOTPLUG_ENABLE(head)) {
        *vgpu_reg(v, R_PCH_PORT_HOTPLUG, 0, 0) |= HOTPLUG_LONG(head);
        vgpu_irq_pch(v, SDE_PORT(head));
    }
    vgpu_undo_end(&v->undo);
    return 0;
}

bool vgpu_head_get(struct vgpu *v, unsigned head, struct vgpu_mode *mode)
{
    if (head >= VGPU_HEADS)
        return false;
    if (mode)
        *mode = v->display.head[head].mode;
    return v->display.head[head].connected;
}
