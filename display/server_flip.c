/*
 * When the guest is told that a flip is done (vgpu/flip.c). The viewers of a head that asked for it, and that hold
 * frames of the guest's own memory, have a vote: until each of them shows the newest picture, the guest waits for it.
 * So no buffer comes back to the guest that one of them may still read.
 *
 * A viewer cannot slow the guest down by being slow. It gets its vote when it has answered some flips in time. While an
 * answer is overdue it is not waited for; after LATE_MAX late answers in a row it has lost its vote until it has
 * answered in time for a while, which gets longer each time.
 */
#include "display/server_internal.h"
#include "vgpu/base/bits.h"

#define LATE_MAX    3u
#define PROOF       8u /* answers in time that give a new viewer its vote; doubled each time it loses it */
#define PROOF_MAX   4096u
#define WAIT_FRAMES 3u /* as vgpu/flip.c: flips wait for as many frames at most */

static bool in_flight(const struct viewer *v)
{
    return v->sent != v->shown;
}

static bool is_shared(const struct held *h)
{
    bool shared = false;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(h->frame); i++)
        shared |= h->frame[i] && h->frame[i]->kind == FRAME_SHARED;
    return shared;
}

static bool reads_guest_memory(const struct viewer *v)
{
    return is_shared(&v->showing) || is_shared(&v->pending);
}

static bool has_vote(const struct viewer *v, uint64_t now)
{
    return v->fd >= 0 && v->attached && v->paced && !v->proof_left && !v->blocked && reads_guest_memory(v) &&
           !(in_flight(v) && now > v->answer_by);
}

uint64_t flip_patience(const struct display_server *s, const struct head *h)
{
    uint64_t frames = h->scanout.mhz ? WAIT_FRAMES * UINT64_C(1000000000000) / h->scanout.mhz : s->flip_wait;

    return GT_MIN(s->flip_wait, frames);
}

/* Does the viewer show what its head does? */
static bool is_current(const struct viewer *v, const struct head *h)
{
    return !in_flight(v) && v->shown == h->serial;
}

void flip_answered(struct display_server *s, struct viewer *v, uint64_t now)
{
    if (!v->paced)
        return;
    if (now > v->answer_by) {
        s->stats.late++;
        if (v->proof_left) {
            v->proof_left = v->proof;
        } else if (++v->late == LATE_MAX) {
            v->proof = v->proof_left = GT_MIN(2 * v->proof, PROOF_MAX);
            s->stats.votes_lost++;
            GT_GUEST_LOG(&s->log_rl, "display: a viewer of head %u is too slow to be waited for", v->head);
        }
        return;
    }
    v->late = 0;
    v->proof_left -= v->proof_left != 0;
}

void flip_viewer_init(struct viewer *v, bool paced)
{
    v->paced = paced;
    v->proof = v->proof_left = PROOF;
}

uint64_t head_flips(struct display_server *s, unsigned head, uint64_t now)
{
    struct head *h = &s->head[head];
    bool wait = false, shown = true;
    uint64_t next = UINT64_MAX;

    if (!s->host->flip_wait || !s->host->flip_shown)
        return next;
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++) {
        const struct viewer *v = &s->viewer[i];

        if (v->head != head || !has_vote(v, now))
            continue;
        wait = true;
        shown &= is_current(v, h);
        if (in_flight(v))
            next = GT_MIN(next, v->answer_by + 1);
    }
    wait &= s->flip_wait != 0;
    if (wait != h->flips_wait)
        s->host->flip_wait(s->host->ctx, head, wait ? s->flip_wait : 0);
    h->flips_wait = wait;
    if (wait && shown && h->flip != h->flip_told) {
        s->host->flip_shown(s->host->ctx, head, h->flip);
        h->flip_told = h->flip;
    }
    return next;
}
