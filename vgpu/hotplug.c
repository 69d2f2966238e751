/*
 * Heads: the DisplayPort monitors on DDI B, C and D, their EDIDs and hotplug signals.
 */
#include <errno.h>
#include <string.h>

#include "vgpu/adopt.h"

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

    h->own_edid = false;
    h->mode = *mode;
    memset(h->edid, 0, sizeof(h->edid));
    h->edid_size = vgpu_edid_build(mode, head, h->edid);
}

/* False: it is none that a head can have; nothing has changed. */
static bool set_edid(struct vgpu *v, unsigned head, const uint8_t *edid, size_t size)
{
    struct vgpu_head *h = &v->display.head[head];
    struct vgpu_mode mode;

    if (!vgpu_edid_whole(edid, size) || !vgpu_edid_preferred(edid, &mode))
        return false;
    h->own_edid = true;
    h->mode = mode;
    memset(h->edid, 0, sizeof(h->edid));
    memcpy(h->edid, edid, size);
    h->edid_size = (unsigned)size;
    return true;
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

void vgpu_head_adopt(struct vgpu *v, unsigned head, const struct vgpu_head *old)
{
    const size_t size = GT_MIN(old->edid_size, sizeof(old->edid));

    if (!(old_bool(&old->own_edid) && set_edid(v, head, old->edid, size)) && vgpu_mode_ok(&old->mode))
        set_mode(v, head, &old->mode);
    v->display.head[head].connected = old_bool(&old->connected);
    show_live(v, head);
}

void vgpu_heads_reset(struct vgpu *v)
{
    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        vgpu_dp_reset(v, head);
        show_live(v, head);
    }
}

static void note(struct vgpu *v, struct vgpu_head *h)
{
    vgpu_note(v, &h->connected, sizeof(h->connected));
    vgpu_note(v, &h->own_edid, sizeof(h->own_edid));
    vgpu_note(v, &h->mode, sizeof(h->mode));
    vgpu_note(v, &h->link, sizeof(h->link));
    vgpu_note(v, &h->ddc, sizeof(h->ddc));
}

/* Its EDID is new, or it is there now and was not before, or the other way round: ends the section with the hotplug. */
static void plug(struct vgpu *v, unsigned head, bool connected)
{
    struct vgpu_head *h = &v->display.head[head];

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
}

int vgpu_head_set(struct vgpu *v, unsigned head, bool connected, const struct vgpu_mode *mode)
{
    if (head >= VGPU_HEADS || (mode && !vgpu_mode_ok(mode)))
        return -EINVAL;
    struct vgpu_head *h = &v->display.head[head];
    bool same_mode = !mode || (!h->own_edid && !memcmp(mode, &h->mode, sizeof(*mode)));

    if (h->connected == connected && same_mode)
        return 0;
    note(v, h);
    if (!same_mode)
        set_mode(v, head, mode);
    plug(v, head, connected);
    return 0;
}

/* A process that dies while it copies leaves an EDID that is not whole, or the new one: see vgpu_head_adopt. */
int vgpu_head_set_edid(struct vgpu *v, unsigned head, const uint8_t *edid, size_t size)
{
    struct vgpu_mode mode;

    if (head >= VGPU_HEADS || !vgpu_edid_whole(edid, size) || !vgpu_edid_preferred(edid, &mode))
        return -EINVAL;
    struct vgpu_head *h = &v->display.head[head];

    if (h->connected && h->own_edid && h->edid_size == size && !memcmp(h->edid, edid, size))
        return 0;
    note(v, h);
    set_edid(v, head, edid, size);
    plug(v, head, true);
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
