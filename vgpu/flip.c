/*
 * When a guest is told that a flip is done. Without anybody who shows its screens: at the vblank. With monitors that
 * scan out the guest's own memory a buffer is free only when they have left it, which is at a vblank of theirs; until
 * then the guest sees the time before the flip:
 *   - the flip-done interrupt is kept, which the i915 driver waits for after an asynchronous flip,
 *   - the frame counter stands still, by which it knows that any other flip is done: drm_vblank.c sends the event of a
 *     flip from the interrupt handler of a vblank, once the counter has passed (i915 intel_crtc.c,
 *     drm_crtc_arm_vblank_event),
 *   - PLANE_SURFLIVE and PIPE_FLIPCOUNT stay what they were.
 * Interrupts of vblanks come as ever. Telling brings one more, without which nobody would look at the counter.
 *
 * No monitor can hold up the guest for longer than the patience that vgpu_flip_wait sets, or FRAMES_MAX frames.
 *
 * A frame limit (vgpu_flip_pace) works in the same way: flips are told on a grid of time, whether they are shown or
 * not. A guest that waits for its flips, as i915 does, cannot flip more often than that.
 */
#include "vgpu/device.h"

#define FRAMES_MAX       3u
#define PATIENCE_MAX_NS  UINT64_C(1000000000)
#define PACE_MAX_NS      UINT64_C(1000000000) /* drm_atomic_helper.c gives a flip 10 s */
#define DE_PIPE_VBLANK   GT_BIT(0)            /* i915_reg.h GEN8_PIPE_VBLANK */
#define FLIP_DONE(plane) GT_BIT(3 + (plane))  /* i915_reg.h GEN9_PIPE_PLANE_FLIP_DONE */

/* A tick notes each pipe for its events, and once more when it tells of a flip. */
_Static_assert(2 * VGPU_PIPES * (offsetof(struct vgpu_pipe, clock) + sizeof(struct vgpu_clock)) <= VGPU_UNDO_BYTES,
               "one tick fits into the log");
_Static_assert(2 * VGPU_PIPES <= VGPU_UNDO_ENTRIES, "one tick fits into the log");

/* How long flips of a pipe wait; 0: they do not. */
static uint64_t patience(struct vgpu *v, unsigned pipe)
{
    int head = vgpu_pipe_head(v, pipe);
    const struct vgpu_pipe *p = &v->display.pipe[pipe];

    if (head < 0 || !p->on)
        return 0;
    return GT_MIN(v->display.flip_wait[head], FRAMES_MAX * p->clock.timing.frame_ns);
}

/* Least time between two flips that the guest is told of; 0: no limit. */
static uint64_t pace(struct vgpu *v, unsigned pipe)
{
    int head = vgpu_pipe_head(v, pipe);

    return head < 0 || !v->display.pipe[pipe].on ? 0 : v->display.flip_pace[head];
}

/* When a flip may be told by the frame limit. One that comes late is not paid for by the next one, for flips keep to a
 * grid; who was away starts a new grid. */
static uint64_t next_on_grid(struct vgpu_flip *f, uint64_t period, uint64_t now)
{
    uint64_t due = f->grid + period;

    if (!period) {
        f->grid = 0;
        return 0;
    }
    if (!f->grid || due + period < now || due > now + period)
        due = now;
    f->grid = due;
    return due;
}

bool vgpu_flip_waits(struct vgpu *v, unsigned pipe)
{
    return patience(v, pipe) || pace(v, pipe);
}

/* While flips wait, the counter follows the vblanks that were handled and not the time: it must not have stepped
 * already when a vblank turns out to bring a flip. It never goes back. */
uint64_t vgpu_flip_frames(struct vgpu *v, unsigned pipe, uint64_t now)
{
    const struct vgpu_pipe *p = &v->display.pipe[pipe];

    if (!p->on)
        return p->clock.count_base;
    if (p->flip.still)
        return p->flip.frames;
    uint64_t frames =
        vgpu_flip_waits(v, pipe) ? p->clock.count_base + p->clock.handled : vgpu_clock_frames(&p->clock, now);

    return GT_MAX(frames, p->flip.seen);
}

void vgpu_flip_live(struct vgpu *v, unsigned pipe, uint64_t ns)
{
    struct vgpu_flip *f = &v->display.pipe[pipe].flip;

    f->number++;
    f->live_ns = ns;
}

void vgpu_flip_keep(struct vgpu *v, unsigned pipe, uint8_t planes, const uint64_t *still_at, uint64_t now)
{
    struct vgpu_flip *f = &v->display.pipe[pipe].flip;

    if (!planes)
        return;
    if (!f->planes) {
        f->until = now + patience(v, pipe);
        f->shown = f->until == now;
        f->due = next_on_grid(f, pace(v, pipe), now);
    }
    if (still_at && !f->still) {
        f->still = true;
        f->frames = *still_at;
    }
    f->planes |= planes;
    f->primary += planes & 1;
    v->stats.flips_kept[pipe]++;
}

void vgpu_flip_tell(struct vgpu *v, unsigned pipe)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    uint32_t bits = p->flip.still ? DE_PIPE_VBLANK : 0;

    if (!p->flip.planes)
        return;
    vgpu_pipe_note(v, pipe);
    for (unsigned plane = 0; plane < VGPU_PLANES; plane++) {
        if (!(p->flip.planes & GT_BIT(plane)))
            continue;
        *vgpu_reg(v, R_PLANE_SURFLIVE, pipe, plane) = p->plane[plane].surf;
        bits |= FLIP_DONE(plane);
    }
    p->flips += p->flip.primary;
    p->flip.primary = 0;
    p->flip.planes = 0;
    p->flip.still = false;
    vgpu_irq_pipe(v, pipe, bits);
}

/* Nobody reads the old buffer any longer. */
static void flip_shown(struct vgpu *v, unsigned pipe)
{
    struct vgpu_flip *f = &v->display.pipe[pipe].flip;

    if (!f->planes)
        return;
    f->shown = true;
    if (!f->due || vgpu_display_now(v) >= f->due)
        vgpu_flip_tell(v, pipe);
    else
        vgpu_display_kick(v);
}

uint64_t vgpu_flip_due(struct vgpu *v, unsigned pipe, uint64_t now)
{
    struct vgpu_flip *f = &v->display.pipe[pipe].flip;

    if (!f->planes)
        return UINT64_MAX;
    if (!f->shown && now < f->until)
        return f->until;
    v->stats.flips_late[pipe] += !f->shown;
    f->shown = true;
    if (now < f->due)
        return f->due;
    vgpu_flip_tell(v, pipe);
    return UINT64_MAX;
}

/* ---- calls of whoever knows the monitors, and the limit */

void vgpu_flip_wait(struct vgpu *v, unsigned head, uint64_t ns)
{
    if (head >= VGPU_HEADS)
        return;
    int pipe = vgpu_head_pipe(v, head);

    if (ns && pipe >= 0)
        vgpu_vblank_want(v, (unsigned)pipe);
    v->display.flip_wait[head] = GT_MIN(ns, PATIENCE_MAX_NS);
    if (!ns && pipe >= 0)
        flip_shown(v, (unsigned)pipe);
    vgpu_undo_end(&v->undo);
}

void vgpu_flip_pace(struct vgpu *v, unsigned head, uint64_t ns)
{
    if (head >= VGPU_HEADS)
        return;
    int pipe = vgpu_head_pipe(v, head);

    if (ns && pipe >= 0)
        vgpu_vblank_want(v, (unsigned)pipe);
    v->display.flip_pace[head] = GT_MIN(ns, PACE_MAX_NS);
    if (pipe < 0)
        return;
    struct vgpu_flip *f = &v->display.pipe[pipe].flip;

    /* What waits was to keep to the old limit. */
    f->grid = f->due = 0;
    if (f->shown)
        flip_shown(v, (unsigned)pipe);
    vgpu_undo_end(&v->undo);
}

void vgpu_flip_shown(struct vgpu *v, unsigned head, uint32_t number)
{
    int pipe = head < VGPU_HEADS ? vgpu_head_pipe(v, head) : -1;

    if (pipe >= 0 && v->display.pipe[pipe].flip.number == number)
        flip_shown(v, (unsigned)pipe);
    vgpu_undo_end(&v->undo);
}
