/*
 * The display engine's time: pipes on and off, vblanks, latches and their interrupts.
 */
#include <string.h>

#include "vgpu/device.h"

#define TRANSCONF_ENABLE    GT_BIT(31) /* i915_reg.h TRANSCONF */
#define TRANSCONF_STATE     GT_BIT(30)
#define DDI_FUNC_ENABLE     GT_BIT(31) /* i915_reg.h TRANS_DDI_FUNC_CTL */
#define DDI_FUNC_PORT(ctl)  gt_field(ctl, 30, 28)
#define FIRST_PORT          1u         /* head 0 is DDI B */
#define DE_PIPE_VBLANK      GT_BIT(0)  /* i915_reg.h GEN8_PIPE_VBLANK */
#define PREC_PAL_AUTO_INCR  GT_BIT(15) /* intel_color_regs.h PREC_PAL_INDEX */
#define PREC_PAL_INDEX_MASK 0x3ffu
#define NS_PER_US           1000u
#define CRC_SLICES_A_CALL   512u
#define REST_MAX_NS         100000000u

_Static_assert(VGPU_PRECISE_PALETTE == PREC_PAL_INDEX_MASK + 1, "the index field reaches every entry and none else");

uint64_t vgpu_display_now(struct vgpu *v)
{
    return v->ops->now_ns(v->host);
}

void vgpu_display_changed(struct vgpu *v, unsigned pipe)
{
    if (v->ops->scanout_changed)
        v->ops->scanout_changed(v->host, pipe);
}

void vgpu_pipe_note(struct vgpu *v, unsigned pipe)
{
    const struct vgpu_pipe *p = &v->display.pipe[pipe];

    vgpu_note(v, p, offsetof(struct vgpu_pipe, clock) + sizeof(p->clock));
}

void vgpu_display_kick(struct vgpu *v)
{
    if (v->ops->display_kick)
        v->ops->display_kick(v->host);
}

int vgpu_pipe_head(struct vgpu *v, unsigned pipe)
{
    uint32_t func = vgpu_reg_get(v, R_TRANS_DDI_FUNC_CTL, pipe);
    uint32_t port = DDI_FUNC_PORT(func);

    if (!(func & DDI_FUNC_ENABLE) || port < FIRST_PORT || port >= FIRST_PORT + VGPU_HEADS)
        return -1;
    return (int)(port - FIRST_PORT);
}

int vgpu_head_pipe(struct vgpu *v, unsigned head)
{
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
        if (v->display.pipe[pipe].on && vgpu_pipe_head(v, pipe) == (int)head)
            return (int)pipe;
    return -1;
}

static void pipe_on(struct vgpu *v, unsigned pipe)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    struct vgpu_timing t;

    vgpu_pipe_note(v, pipe);
    vgpu_timing_read(v, pipe, &t);
    vgpu_clock_start(&p->clock, &t, vgpu_display_now(v));
    p->on = true;
    vgpu_display_changed(v, pipe);
    vgpu_display_kick(v);
}

static void pipe_off(struct vgpu *v, unsigned pipe)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    uint8_t kept;
    bool changed;

    vgpu_pipe_note(v, pipe);
    vgpu_flip_tell(v, pipe);
    p->clock.count_base = vgpu_clock_frames(&p->clock, vgpu_display_now(v));
    p->on = false;
    vgpu_planes_latch(v, pipe, 0, &changed, &kept);
    vgpu_display_changed(v, pipe);
    vgpu_display_kick(v);
}

/* New timing for a running pipe, from the last vblank at or before `now` on. */
static void retime(struct vgpu *v, unsigned pipe, uint64_t now)
{
    struct vgpu_clock *c = &v->display.pipe[pipe].clock;
    struct vgpu_timing t;

    vgpu_timing_read(v, pipe, &t);
    if (!memcmp(&t, &c->timing, sizeof(t)) || now < c->t0)
        return;
    uint64_t frames = vgpu_clock_frames(c, now);

    c->t0 = vgpu_clock_last(c, now);
    c->timing = t;
    c->count_base = frames - vgpu_clock_vblanks(c, now);
    c->handled = vgpu_clock_vblanks(c, now);
}

/* All that the vblanks up to `now` bring for a pipe; any number of missed ones costs the same. */
static void pipe_events(struct vgpu *v, unsigned pipe, uint64_t now)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    bool changed = false;
    uint8_t kept;

    if (!p->on)
        return;
    uint64_t due = vgpu_clock_vblanks(&p->clock, now);
    if (due <= p->clock.handled)
        return;
    vgpu_pipe_note(v, pipe);
    const uint64_t frames = vgpu_flip_frames(v, pipe, now);

    v->stats.vblanks[pipe] += due - p->clock.handled;
    p->clock.handled = due;
    retime(v, pipe, now);

    uint32_t flips = vgpu_planes_latch(v, pipe, now, &changed, &kept);

    vgpu_flip_keep(v, pipe, kept, &frames, now);
    if (changed)
        vgpu_display_changed(v, pipe);
    vgpu_crc_start(v, pipe);
    vgpu_irq_pipe(v, pipe, DE_PIPE_VBLANK | flips);
    if (v->irq_level && !v->display.told_ns)
        v->display.told_ns = now;
}

void vgpu_display_handled(struct vgpu *v)
{
    struct vgpu_display *d = &v->display;

    if (!d->told_ns)
        return;
    uint64_t now = vgpu_display_now(v);

    d->rest_ns = now + GT_MIN(now - d->told_ns, REST_MAX_NS);
    d->told_ns = 0;
}

static uint64_t all_events(struct vgpu *v)
{
    uint64_t next = UINT64_MAX;

    vgpu_lock(v);
    uint64_t now = vgpu_display_now(v);

    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++) {
        struct vgpu_pipe *p = &v->display.pipe[pipe];

        if (now >= v->display.rest_ns)
            pipe_events(v, pipe, now);
        uint64_t told = vgpu_flip_due(v, pipe, now);

        next = GT_MIN(next, told);
        uint64_t vblank = p->on ? vgpu_vblank_next(v, pipe, now) : UINT64_MAX;

        next = GT_MIN(next, vblank);
    }
    vgpu_unlock(v);
    return next;
}

/* CRCs are composed in slices between which due vblanks are looked after: a slow picture of one pipe must not delay
 * another one's interrupts. */
uint64_t vgpu_display_tick(struct vgpu *v)
{
    uint64_t next = all_events(v);

    vgpu_as_flush(&v->display.crc.as);
    for (unsigned slices = 0; slices < CRC_SLICES_A_CALL; slices++) {
        if (!vgpu_crc_work(v))
            return next;
        next = all_events(v);
    }
    return vgpu_display_now(v);
}

void reg_write_TRANSCONF(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    uint32_t *reg = &v->regs[ref->off / 4];

    *reg = (val & TRANSCONF_ENABLE) ? val | TRANSCONF_STATE : val & ~TRANSCONF_STATE;
    /* The eDP transcoder has no panel behind it: registers only. */
    if (ref->unit >= VGPU_PIPES || !((old ^ val) & TRANSCONF_ENABLE))
        return;
    if (val & TRANSCONF_ENABLE)
        pipe_on(v, ref->unit);
    else
        pipe_off(v, ref->unit);
}

void reg_write_TRANS_DDI_FUNC(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    if (ref->unit >= VGPU_PIPES || old == val || !v->display.pipe[ref->unit].on)
        return;
    /* Another port: the picture may be another head's now. */
    uint64_t now = vgpu_display_now(v);

    vgpu_pipe_note(v, ref->unit);
    pipe_events(v, ref->unit, now);
    retime(v, ref->unit, now);
    vgpu_display_changed(v, ref->unit);
    vgpu_display_kick(v);
}

uint32_t reg_read_PIPEDSL(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    const struct vgpu_pipe *p = &v->display.pipe[ref->unit];

    (void)stored;
    return p->on ? vgpu_clock_line(&p->clock, vgpu_display_now(v)) : 0;
}

uint32_t reg_read_FRAME_COUNT(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    struct vgpu_pipe *p = &v->display.pipe[ref->unit];
    uint64_t now = vgpu_display_now(v);

    (void)stored;
    if (ref->row == &reg_table[R_PIPE_FLIPCOUNT])
        return p->flips;
    if (ref->row == &reg_table[R_PIPE_FRMCOUNT]) {
        p->flip.seen = vgpu_flip_frames(v, ref->unit, now);
        return (uint32_t)p->flip.seen;
    }
    return p->on ? (uint32_t)(vgpu_clock_last(&p->clock, now) / NS_PER_US) : 0;
}

uint32_t reg_read_DE_TIMESTAMP(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    (void)ref;
    (void)stored;
    return (uint32_t)(vgpu_display_now(v) / NS_PER_US);
}

/* The gamma memory of a pipe behind its index register. */
static uint32_t *precise_entry(struct vgpu *v, unsigned pipe)
{
    uint32_t *index = vgpu_reg(v, R_PREC_PAL_INDEX, 0, pipe);
    uint32_t *entry = &v->display.pipe[pipe].precise[*index & PREC_PAL_INDEX_MASK];

    vgpu_note(v, index, sizeof(*index));
    if (*index & PREC_PAL_AUTO_INCR)
        *index = (*index & ~PREC_PAL_INDEX_MASK) | ((*index + 1) & PREC_PAL_INDEX_MASK);
    return entry;
}

uint32_t reg_read_PREC_PAL_DATA(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    (void)stored;
    return *precise_entry(v, ref->elem);
}

void reg_write_PREC_PAL_DATA(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    *precise_entry(v, ref->elem) = val;
}

void vgpu_display_reset(struct vgpu *v)
{
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++) {
        struct vgpu_pipe *p = &v->display.pipe[pipe];
        const uint32_t number = p->flip.number; /* what was shown before is not mistaken for something new */
        bool was_on = p->on;

        memset(p, 0, sizeof(*p));
        p->flip.number = number;
        v->display.crc_epoch[pipe]++;
        if (was_on)
            vgpu_display_changed(v, pipe);
    }
    vgpu_heads_reset(v);
    vgpu_display_kick(v);
}

void vgpu_display_init(struct vgpu *v)
{
    memset(&v->display, 0, sizeof(v->display));
    vgpu_heads_init(v);
    vgpu_crc_init(v);
}
