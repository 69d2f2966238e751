/*
 * One mutex is the device lock. Work that takes long (an engine's slice, a display tick, a row of a picture) is a
 * *visit*: it is counted in `inside` while it runs with the mutex free, and vgpu locks where it needs to.
 *
 * Who must keep visitors out (a change of the memory map, a reset) closes the door first, then waits for those inside
 * to leave: at most one slice, and no newcomer can delay it.
 *
 * With recording, entries of all kinds take turns, one at a time and in the order in which they came; the device lock
 * is a no-op then. Turns, because a mutex that is held for whole slices may be won by the same thread again and again.
 */
#include "mediator/gate_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/gate_device.h"
#include "vgpu/base/bits.h"
#include "vgpu/edid.h"

/* Recording serialises: a trapped access may have to wait for a slice, so keep slices short. */
#define RECORD_BUDGET 256u

/* ---- doors (locked) */

static void wait_empty(struct gate *g, unsigned who)
{
    while (g->inside[who])
        pthread_cond_wait(&g->moved, &g->lock);
}

static void open_door(struct gate *g, unsigned who)
{
    if (--g->closed[who] == 0)
        pthread_cond_broadcast(&g->moved);
}

/* Waiting releases the mutex, which is the device lock; it is held again when nobody is inside. */
void gate_quiesce(void *host, unsigned engine)
{
    struct gate *g = host;

    if (engine >= VGPU_ENGINES)
        return;
    g->closed[engine]++;
    wait_empty(g, engine);
    open_door(g, engine);
}

static void next_turn(struct gate *g)
{
    g->turn++;
    pthread_cond_broadcast(&g->moved);
}

/* Begins an entry: with the mutex held, or when recording, with a turn and the mutex free. */
static void take(struct gate *g)
{
    pthread_mutex_lock(&g->lock);
    if (!g->rec)
        return;
    for (uint64_t mine = g->next_turn++; g->turn != mine;)
        pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void give(struct gate *g)
{
    if (g->rec) {
        pthread_mutex_lock(&g->lock);
        next_turn(g);
    }
    pthread_mutex_unlock(&g->lock);
}

/* Within an entry: doors are always under the mutex. */
static void doors_lock(struct gate *g)
{
    if (g->rec)
        pthread_mutex_lock(&g->lock);
}

static void doors_unlock(struct gate *g)
{
    if (g->rec)
        pthread_mutex_unlock(&g->lock);
}

/* Begins a visit; returns with the mutex free. False: the device is asleep. */
static bool enter(struct gate *g, unsigned who)
{
    for (;;) {
        take(g);
        doors_lock(g);
        if (g->asleep) {
            pthread_mutex_unlock(&g->lock);
            return false;
        }
        if (!g->closed[who])
            break;
        if (g->rec)
            next_turn(g); /* who waits at a door must not hold up the others */
        while (g->closed[who])
            pthread_cond_wait(&g->moved, &g->lock);
        pthread_mutex_unlock(&g->lock);
    }
    g->inside[who]++;
    pthread_mutex_unlock(&g->lock);
    return true;
}

static void leave(struct gate *g, unsigned who)
{
    pthread_mutex_lock(&g->lock);
    g->inside[who]--;
    if (g->closed[who])
        pthread_cond_broadcast(&g->moved);
    if (g->rec)
        next_turn(g);
    pthread_mutex_unlock(&g->lock);
}

/* ---- recording (within an entry); nothing without it */

static void record_event(struct gate *g, const struct trace_record *event)
{
    if (g->rec)
        recorder_event(g->rec, event);
}

static void record_result(struct gate *g, uint64_t value)
{
    if (g->rec)
        recorder_result(g->rec, value);
}

static void record_pause(struct gate *g, bool pause)
{
    if (g->rec)
        recorder_pause(g->rec, pause);
}

/* ---- life */

/* old NULL: a new one. */
static int make_device(struct gate *g, const struct vgpu_config *cfg, void *old, char *err, size_t errsz)
{
    struct vgpu_config own = *cfg;

    own.ops = g->rec ? &gate_recorded_ops : &gate_plain_ops;
    own.host = g;
    if (old)
        return vgpu_adopt(&g->v, &own, old, err, (unsigned)errsz);
    record_event(g, &(struct trace_record){.type = TRACE_CREATE});
    int ret = vgpu_create(&g->v, &own, err, (unsigned)errsz);
    record_result(g, (uint64_t)ret);
    return ret;
}

static int start_recording(struct gate *g, const struct vgpu_config *cfg, const char *record_path, char *err,
                           size_t errsz)
{
    if (record_path && cfg->state) {
        snprintf(err, errsz, "a recording cannot go on after a restart of this program: record without a state file");
        return -EINVAL;
    }
    if (record_path) {
        int ret = recorder_create(&g->rec, record_path, cfg, &g->host, err, errsz);
        if (ret)
            return ret;
    }
    return 0;
}

static struct gate *make_gate(const struct gate_host *host, char *err, size_t errsz)
{
    struct gate *g = calloc(1, sizeof(*g));

    if (!g) {
        snprintf(err, errsz, "no memory");
        return NULL;
    }
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->moved, NULL);
    g->host = *host;
    return g;
}

int gate_create(struct gate **out, const struct vgpu_config *cfg, const struct gate_host *host, const char *record_path,
                char *err, size_t errsz)
{
    struct gate *g = make_gate(host, err, errsz);
    int ret;

    *out = NULL;
    if (!g)
        return -ENOMEM;
    if ((ret = start_recording(g, cfg, record_path, err, errsz)) || (ret = make_device(g, cfg, NULL, err, errsz))) {
        gate_destroy(g);
        return ret;
    }
    g->ready = true;
    *out = g;
    return 0;
}

int gate_adopt(struct gate **out, const struct vgpu_config *cfg, const struct gate_host *host, void *old, char *err,
               size_t errsz)
{
    struct gate *g = make_gate(host, err, errsz);

    *out = NULL;
    if (!g)
        return -ENOMEM;
    g->asleep = true;
    int ret = make_device(g, cfg, old, err, errsz);
    if (ret) {
        gate_destroy(g);
        return ret;
    }
    *out = g;
    return 0;
}

void gate_resume(struct gate *g)
{
    take(g);
    if (g->asleep) {
        g->asleep = false;
        g->ready = true;
        vgpu_resume(g->v);
    }
    give(g);
}

void gate_destroy(struct gate *g)
{
    if (!g)
        return;
    g->ready = false;
    record_pause(g, true);
    vgpu_destroy(g->v);
    recorder_destroy(g->rec);
    pthread_cond_destroy(&g->moved);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* ---- short entries */

void gate_access(struct gate *g, struct ioreq_access *a)
{
    struct trace_record event;

    take(g);
    trace_pack_access(&event, a);
    record_event(g, &event);
    device_access(g->v, a);
    record_result(g, a->write ? 0 : a->data);
    give(g);
}

void gate_reset(struct gate *g)
{
    take(g);
    record_event(g, &(struct trace_record){.type = TRACE_RESET});
    vgpu_reset(g->v);
    record_result(g, 0);
    give(g);
}

static void record_memory(struct gate *g, bool changing)
{
    record_event(g, &(struct trace_record){.type = TRACE_MEMORY, .arg = {changing}});
    record_result(g, 0);
}

void gate_memory_begin(struct gate *g)
{
    take(g);
    doors_lock(g);
    for (unsigned who = 0; who < VISITORS; who++) {
        g->closed[who]++;
        if (who < VGPU_ENGINES && g->inside[who])
            vgpu_engine_leave(g->v, who);
    }
    for (unsigned who = 0; who < VISITORS; who++)
        wait_empty(g, who);
    doors_unlock(g);
    record_memory(g, true);
    give(g);
}

void gate_memory_end(struct gate *g)
{
    take(g);
    record_memory(g, false);
    doors_lock(g);
    for (unsigned who = 0; who < VISITORS; who++)
        open_door(g, who);
    doors_unlock(g);
    give(g);
}

int gate_head_set(struct gate *g, unsigned head, bool connected, const struct vgpu_mode *mode)
{
    struct trace_record event = {.type = TRACE_HEAD, .arg = {head, connected | (mode ? 2u : 0u)}};

    if (mode) {
        event.arg[2] = mode->width;
        event.arg[3] = mode->height;
        event.arg[4] = mode->mhz;
    }
    take(g);
    record_event(g, &event);
    int ret = vgpu_head_set(g->v, head, connected, mode);
    record_result(g, (uint64_t)ret);
    give(g);
    return ret;
}

int gate_head_set_edid(struct gate *g, unsigned head, const uint8_t *edid, size_t size)
{
    const struct trace_record event = {.type = TRACE_EDID, .arg = {head}, .data = edid, .len = size};

    if (size > VGPU_EDID_MAX)
        return -EINVAL;
    take(g);
    record_event(g, &event);
    int ret = vgpu_head_set_edid(g->v, head, edid, size);
    record_result(g, (uint64_t)ret);
    give(g);
    return ret;
}

bool gate_head_get(struct gate *g, unsigned head, struct vgpu_mode *mode)
{
    take(g);
    record_pause(g, true);
    bool connected = vgpu_head_get(g->v, head, mode);
    record_pause(g, false);
    give(g);
    return connected;
}

void gate_flip_wait(struct gate *g, unsigned head, uint64_t ns)
{
    take(g);
    record_event(g, &(struct trace_record){.type = TRACE_WAIT, .arg = {head, ns}});
    vgpu_flip_wait(g->v, head, ns);
    record_result(g, 0);
    give(g);
}

void gate_flip_pace(struct gate *g, unsigned head, uint64_t ns)
{
    take(g);
    record_event(g, &(struct trace_record){.type = TRACE_PACE, .arg = {head, ns}});
    vgpu_flip_pace(g->v, head, ns);
    record_result(g, 0);
    give(g);
}

void gate_flip_shown(struct gate *g, unsigned head, uint32_t flip)
{
    take(g);
    record_event(g, &(struct trace_record){.type = TRACE_SHOWN, .arg = {head, flip}});
    vgpu_flip_shown(g->v, head, flip);
    record_result(g, 0);
    give(g);
}

bool gate_scanout(struct gate *g, unsigned head, struct vgpu_scanout *out)
{
    take(g);
    record_pause(g, true);
    bool lit = device_scanout(g->v, head, out);
    record_pause(g, false);
    give(g);
    return lit;
}

void gate_stats(struct gate *g, struct vgpu_stats *out)
{
    take(g);
    vgpu_get_stats(g->v, out);
    give(g);
}

void gate_flush(struct gate *g)
{
    take(g);
    if (g->rec)
        recorder_flush(g->rec);
    give(g);
}

/* ---- visits */

enum vgpu_run gate_engine_run(struct gate *g, unsigned engine, unsigned budget)
{
    if (engine >= VGPU_ENGINES)
        return VGPU_RUN_IDLE;
    if (g->rec)
        budget = GT_MIN(budget, RECORD_BUDGET);
    if (!enter(g, engine))
        return VGPU_RUN_IDLE;
    record_event(g, &(struct trace_record){.type = TRACE_RUN, .arg = {engine, budget}});
    enum vgpu_run run = vgpu_engine_run(g->v, engine, budget);
    record_result(g, run);
    leave(g, engine);
    return run;
}

void gate_engine_leave(struct gate *g, unsigned engine)
{
    if (!g->rec)
        vgpu_engine_leave(g->v, engine);
}

void gate_engine_give_up(struct gate *g, unsigned engine)
{
    if (!g->rec)
        vgpu_engine_give_up(g->v, engine);
}

uint64_t gate_engine_progress(struct gate *g, unsigned engine)
{
    struct vgpu_stats s;

    if (engine >= VGPU_ENGINES)
        return 0;
    gate_stats(g, &s);
    return s.engine[engine].requests + s.engine[engine].contexts;
}

uint64_t gate_display_tick(struct gate *g)
{
    if (!enter(g, DISPLAY))
        return UINT64_MAX;
    record_event(g, &(struct trace_record){.type = TRACE_TICK});
    uint64_t next = vgpu_display_tick(g->v);
    record_result(g, next);
    leave(g, DISPLAY);
    return next;
}

struct vgpu *gate_visit(struct gate *g)
{
    if (!enter(g, PICTURE))
        return NULL;
    record_pause(g, true);
    return g->v;
}

void gate_visit_end(struct gate *g)
{
    record_pause(g, false);
    leave(g, PICTURE);
}

unsigned gate_picture(struct gate *g, const struct vgpu_scanout *s, uint32_t *xrgb)
{
    void *scratch = malloc(VGPU_COMPOSE_SCRATCH);
    unsigned holes = 0;

    if (!scratch) {
        memset(xrgb, 0, (size_t)s->width * s->height * sizeof(*xrgb));
        return s->height;
    }
    for (uint32_t y = 0; y < s->height; y++) {
        uint32_t *row = xrgb + (size_t)y * s->width;

        if (!gate_visit(g)) {
            memset(row, 0, s->width * sizeof(*row));
            holes++;
            continue;
        }
        holes += vgpu_compose_row(s, y, device_reader, g->v, row, scratch) != 0;
        gate_visit_end(g);
    }
    free(scratch);
    return holes;
}

uint64_t gate_finish(struct gate *g)
{
    struct device_snapshot snap;

    if (!enter(g, PICTURE))
        return 0;
    if (!g->rec)
        pthread_mutex_lock(&g->lock);
    record_event(g, &(struct trace_record){.type = TRACE_FINISH});
    device_snapshot(g->v, &snap);
    if (!g->rec)
        pthread_mutex_unlock(&g->lock);
    uint64_t hash = device_hash(g->v, &snap, UINT32_MAX);
    record_result(g, hash);
    if (g->rec)
        recorder_end(g->rec);
    leave(g, PICTURE);
    return hash;
}
