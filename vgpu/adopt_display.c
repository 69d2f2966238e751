/* vgpu_adopt: the display engine. Time goes on as if nothing had happened; a picture CRC in the making is dropped. */
#include "vgpu/adopt.h"

static bool timing_ok(const struct vgpu_timing *t)
{
    return t->frame_ns >= VGPU_FRAME_MIN_NS && t->frame_ns <= VGPU_FRAME_MAX_NS && t->lines >= 2 &&
           t->lines <= VGPU_LINES_MAX && t->vblank_line < t->lines && t->line_lag <= 2;
}

/* A clock whose start lies in the future by more than a frame was never started by vgpu_clock_start. */
static void adopt_clock(struct vgpu *v, unsigned pipe, const struct vgpu_clock *old)
{
    struct vgpu_clock *c = &v->display.pipe[pipe].clock;
    uint64_t now = vgpu_display_now(v);

    c->count_base = old->count_base;
    if (!v->display.pipe[pipe].on)
        return;
    if (!timing_ok(&old->timing) || (old->t0 > now && old->t0 - now > old->timing.frame_ns)) {
        struct vgpu_timing t;

        vgpu_timing_read(v, pipe, &t);
        vgpu_clock_start(c, &t, now);
        return;
    }
    c->timing = old->timing;
    c->timing.mhz = vgpu_timing_mhz(c->timing.frame_ns);
    c->t0 = old->t0;
    c->handled = GT_MIN(old->handled, vgpu_clock_vblanks(c, now));
}

/* Who showed the flip is gone with the process: the first tick tells the guest of it. */
static void adopt_flip(struct vgpu *v, unsigned pipe, const struct vgpu_flip *old)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    const uint64_t frames = p->on ? vgpu_clock_frames(&p->clock, vgpu_display_now(v)) : p->clock.count_base;

    p->flip = (struct vgpu_flip){
        .planes = p->on ? old->planes & (GT_BIT(VGPU_PLANES) - 1) : 0,
        .number = old->number,
        .primary = old->primary,
        .live_ns = old->live_ns,
        .frames = GT_MIN(old->frames, frames),
        .seen = GT_MIN(old->seen, frames),
        .shown = true,
    };
    p->flip.still = p->flip.planes && old_bool(&old->still);
}

static void adopt_pipe(struct vgpu *v, unsigned pipe, const struct vgpu_pipe *old)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];

    p->on = old_bool(&old->on);
    adopt_clock(v, pipe, &old->clock);
    p->flips = old->flips;
    adopt_flip(v, pipe, &old->flip);
    p->planes_armed = old->planes_armed & (GT_BIT(VGPU_PLANES) - 1);
    p->cursor_armed = old_bool(&old->cursor_armed);
    memcpy(p->plane, old->plane, sizeof(p->plane));
    memcpy(p->armed_plane, old->armed_plane, sizeof(p->armed_plane));
    p->cursor = old->cursor;
    p->armed_cursor = old->armed_cursor;
    memcpy(p->precise, old->precise, sizeof(p->precise));
}

/* All bytes of a DPCD are legal. A link that the registers do not carry is lost. */
static void adopt_receiver(struct vgpu *v, unsigned head, const struct vgpu_head *old)
{
    struct vgpu_head *h = &v->display.head[head];

    h->link = (struct vgpu_dp_link){
        .rate = old->link.rate,
        .lanes = old->link.lanes,
        .pattern = old->link.pattern,
        .downspread = old->link.downspread,
        .coding = old->link.coding,
        .power = old->link.power,
        .clock = old_bool(&old->link.clock),
        .symbols = old_bool(&old->link.clock) && old_bool(&old->link.symbols),
    };
    memcpy(h->link.drive, old->link.drive, sizeof(h->link.drive));
    vgpu_dp_signal(v, head);
    h->ddc = (struct vgpu_ddc){
        .open = old_bool(&old->ddc.open),
        .reading = old_bool(&old->ddc.reading),
        .offset_next = old_bool(&old->ddc.offset_next),
        .address = old->ddc.address,
        .segment = old->ddc.segment,
        .offset = old->ddc.offset,
    };
}

void adopt_display(struct vgpu *v, const struct vgpu_display *old)
{
    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
        adopt_pipe(v, pipe, &old->pipe[pipe]);
    for (unsigned head = 0; head < VGPU_HEADS; head++)
        adopt_receiver(v, head, &old->head[head]);
}
