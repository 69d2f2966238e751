/*
 * MEDIA_OBJECT_WALKER: threads over a two-level grid. The global loops step over blocks within the global resolution,
 * the local ones over threads within a block. PRM SKL vol 7 "Media Walker". Each level: an outer loop with a count, and
 * an inner one that goes on until it leaves the resolution; the local level has a middle loop between them.
 */
#include "mediator/soft/compute.h"
#include "mediator/soft/progress.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

#define INLINE_START 17u
#define BATCH        64u /* threads between questions whether to stop */

struct point {
    int32_t x, y;
};

struct level {
    struct point start, resolution, outer, middle, inner;
    unsigned outer_steps, middle_steps; /* beyond the first */
};

struct cursor {
    struct point outer, middle, at; /* where each loop's current pass began, and the current point */
    unsigned outer_step, middle_step;
};

static struct point add(struct point a, struct point b)
{
    return (struct point){(int32_t)((uint32_t)a.x + (uint32_t)b.x), (int32_t)((uint32_t)a.y + (uint32_t)b.y)};
}

static bool inside(const struct level *l, struct point p)
{
    return p.x >= 0 && p.y >= 0 && p.x < l->resolution.x && p.y < l->resolution.y;
}

static void cursor_start(const struct level *l, struct cursor *c)
{
    *c = (struct cursor){l->start, l->start, l->start, 0, 0};
}

/* The next point of the loops, inside or not. False: there is none. */
static bool cursor_step(const struct level *l, struct cursor *c)
{
    bool moves = l->inner.x || l->inner.y;

    if (moves && inside(l, c->at)) {
        c->at = add(c->at, l->inner);
        return true;
    }
    if (c->middle_step < l->middle_steps) {
        c->middle_step++;
        c->middle = add(c->middle, l->middle);
        c->at = c->middle;
        return true;
    }
    if (c->outer_step >= l->outer_steps)
        return false;
    c->outer_step++;
    c->outer = add(c->outer, l->outer);
    c->middle_step = 0;
    c->middle = c->at = c->outer;
    return true;
}

/* Goes on to the first point inside, the current one included. False: there is none. */
static bool cursor_settle(const struct level *l, struct cursor *c)
{
    while (!inside(l, c->at))
        if (!cursor_step(l, c))
            return false;
    return true;
}

static bool cursor_next(const struct level *l, struct cursor *c)
{
    return cursor_step(l, c) && cursor_settle(l, c);
}

#define WALKER_POINT(dw, x_name, y_name)                                                                               \
    ((struct point){(int32_t)FIELD_SIGNED(dw, MEDIA_OBJECT_WALKER, x_name),                                            \
                    (int32_t)FIELD_SIGNED(dw, MEDIA_OBJECT_WALKER, y_name)})
#define WALKER_SIZE(dw, x_name, y_name)                                                                                \
    ((struct point){(int32_t)FIELD_GET(dw, MEDIA_OBJECT_WALKER, x_name),                                               \
                    (int32_t)FIELD_GET(dw, MEDIA_OBJECT_WALKER, y_name)})

static void read_levels(const uint32_t *dw, struct level *global, struct level *local)
{
    *global = (struct level){
        .start = WALKER_POINT(dw, GlobalStartX, GlobalStartY),
        .resolution = WALKER_SIZE(dw, GlobalResolutionX, GlobalResolutionY),
        .outer = WALKER_POINT(dw, GlobalOuterLoopStrideX, GlobalOuterLoopStrideY),
        .inner = WALKER_POINT(dw, GlobalInnerLoopUnitX, GlobalInnerLoopUnitY),
        .outer_steps = (unsigned)FIELD_GET(dw, MEDIA_OBJECT_WALKER, GlobalLoopExecCount),
    };
    *local = (struct level){
        .start = WALKER_SIZE(dw, LocalStartX, LocalStartY),
        .resolution = WALKER_SIZE(dw, BlockResolutionX, BlockResolutionY),
        .outer = WALKER_POINT(dw, LocalOuterLoopStrideX, LocalOuterLoopStrideY),
        .middle = WALKER_POINT(dw, MidLoopUnitX, LocalMidLoopUnitY),
        .inner = WALKER_POINT(dw, LocalInnerLoopUnitX, LocalInnerLoopUnitY),
        .outer_steps = (unsigned)FIELD_GET(dw, MEDIA_OBJECT_WALKER, LocalLoopExecCount),
        .middle_steps = (unsigned)FIELD_GET(dw, MEDIA_OBJECT_WALKER, MiddleLoopExtraSteps),
    };
}

struct media_walk {
    struct media md;
    struct level global, local;
    struct cursor g, l;
};

static bool walk_start(struct media_walk *w)
{
    cursor_start(&w->global, &w->g);
    cursor_start(&w->local, &w->l);
    return cursor_settle(&w->global, &w->g) && cursor_settle(&w->local, &w->l);
}

static bool walk_next(struct media_walk *w)
{
    if (cursor_next(&w->local, &w->l))
        return true;
    cursor_start(&w->local, &w->l);
    return cursor_next(&w->global, &w->g) && cursor_settle(&w->local, &w->l);
}

/* False: interrupted. `step` counts the threads that are done. */
static bool walk_all(struct media_walk *w, uint32_t step[SOFT_PROGRESS_DWORDS])
{
    struct vgpu_exec *x = w->md.c->e->space.x;
    uint32_t skip = step[0];
    bool more = walk_start(w);

    for (uint32_t n = 0; more; more = walk_next(w), n++) {
        if (n % BATCH == 0 && n > skip && vgpu_exec_stop(x))
            return false;
        if (n < skip)
            continue;
        struct point p = add(w->g.at, w->l.at);

        if (!compute_media_thread(&w->md, (uint32_t)p.x, (uint32_t)p.y))
            return false;
        step[0] = n + 1;
        soft_progress_step(x, step);
    }
    return true;
}

bool compute_media_walk(struct soft_compute *c, const uint32_t *dw, unsigned ndw)
{
    struct media_walk w = {.md.c = c};
    uint32_t step[SOFT_PROGRESS_DWORDS];

    if (ndw < INLINE_START ||
        !compute_media_begin(&w.md, (unsigned)FIELD_GET(dw, MEDIA_OBJECT_WALKER, InterfaceDescriptorOffset)))
        return true;
    w.md.inline_data = dw + INLINE_START;
    w.md.inline_dwords = ndw - INLINE_START;
    w.md.indirect_bytes = (uint32_t)FIELD_GET(dw, MEDIA_OBJECT_WALKER, IndirectDataLength);
    w.md.indirect =
        soft_state_base(c->e->state, SOFT_BASE_INDIRECT) + FIELD_GET(dw, MEDIA_OBJECT_WALKER, IndirectDataStartAddress);
    read_levels(dw, &w.global, &w.local);
    soft_progress_begin(c->e->space.x, dw, ndw, step);
    bool done = walk_all(&w, step);

    compute_collect(c);
    return done;
}
