#include "mediator/replay_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/gate_device.h"
#include "mediator/gate_record.h"
#include "mediator/shadow.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/regs.h"

/* ---- events */

static void set(struct replay *p, uint64_t key, uint64_t value)
{
    if (p->v) {
        replay_fail(p, -EINVAL, "configuration after the first event");
    } else if (key >= RECORD_MODE && key < RECORD_MODE + VGPU_HEADS) {
        record_unpack_mode(value, &p->cfg.modes[key - RECORD_MODE]);
    } else if (value > UINT32_MAX) {
        replay_fail(p, -EINVAL, "malformed configuration");
    } else if (key == RECORD_PVINFO) {
        p->cfg.pvinfo = value != 0;
    } else if (key == RECORD_MAPPABLE_MB) {
        p->cfg.mappable_mb = (uint32_t)value;
    } else if (key == RECORD_HEADS) {
        p->cfg.heads = (unsigned)value;
    } else if (key == RECORD_PAYLOAD) {
        p->payload = value != 0;
    } else {
        replay_fail(p, -EINVAL, "unknown configuration %" PRIu64, key);
    }
}

static uint64_t create_device(struct replay *p)
{
    char why[128] = "";

    if (p->payload) {
        p->backend = backend_soft_create(0);
        if (!p->backend) {
            replay_fail(p, -ENOMEM, "no memory");
            return 0;
        }
    }
    p->cfg.ops = &replay_ops;
    p->cfg.host = p;
    int ret = vgpu_create(&p->v, &p->cfg, why, sizeof(why));
    if (ret) {
        p->v = NULL;
        replay_fail(p, ret, "cannot make the device: %s", why);
    }
    return (uint64_t)ret;
}

static uint64_t do_access(struct replay *p, const struct trace_record *ev)
{
    if (!trace_unpack_access(ev, &p->access)) {
        replay_fail(p, -EINVAL, "malformed access");
        return 0;
    }
    p->what = p->access.write ? "write" : "read";
    p->res->accesses++;
    device_access(p->v, &p->access);
    return p->access.write ? 0 : p->access.data;
}

static uint64_t do_run(struct replay *p, const struct trace_record *ev)
{
    if (ev->arg[0] >= VGPU_ENGINES) {
        replay_fail(p, -EINVAL, "unknown engine");
        return 0;
    }
    p->what = engine_table[ev->arg[0]].name;
    return vgpu_engine_run(p->v, (unsigned)ev->arg[0], (unsigned)GT_MIN(ev->arg[1], (uint64_t)p->opt->max_budget));
}

static uint64_t do_head(struct replay *p, const struct trace_record *ev)
{
    struct vgpu_mode mode = {(uint16_t)ev->arg[2], (uint16_t)ev->arg[3], (uint32_t)ev->arg[4]};

    if (ev->arg[0] > UINT32_MAX || ev->arg[1] > 3 || ev->arg[2] > UINT16_MAX || ev->arg[3] > UINT16_MAX ||
        ev->arg[4] > UINT32_MAX) {
        replay_fail(p, -EINVAL, "malformed head");
        return 0;
    }
    return (uint64_t)vgpu_head_set(p->v, (unsigned)ev->arg[0], ev->arg[1] & 1, ev->arg[1] & 2 ? &mode : NULL);
}

static uint64_t do_edid(struct replay *p, const struct trace_record *ev)
{
    if (ev->arg[0] <= UINT32_MAX)
        return (uint64_t)vgpu_head_set_edid(p->v, (unsigned)ev->arg[0], ev->data, ev->len);
    replay_fail(p, -EINVAL, "malformed EDID");
    return 0;
}

static uint64_t do_flip(struct replay *p, const struct trace_record *ev)
{
    if (ev->arg[0] > UINT32_MAX || (ev->type == TRACE_SHOWN && ev->arg[1] > UINT32_MAX))
        replay_fail(p, -EINVAL, "malformed flip");
    else if (ev->type == TRACE_WAIT)
        vgpu_flip_wait(p->v, (unsigned)ev->arg[0], ev->arg[1]);
    else if (ev->type == TRACE_PACE)
        vgpu_flip_pace(p->v, (unsigned)ev->arg[0], ev->arg[1]);
    else
        vgpu_flip_shown(p->v, (unsigned)ev->arg[0], (uint32_t)ev->arg[1]);
    return 0;
}

static uint64_t hash_device(struct replay *p)
{
    struct device_snapshot snap;

    device_snapshot(p->v, &snap);
    return device_hash(p->v, &snap, p->opt->max_rows);
}

/* Carries out an event; returns what the recording has in its RESULT. */
static uint64_t carry_out(struct replay *p, const struct trace_record *ev)
{
    p->what = trace_type_name(ev->type);
    if (ev->type == TRACE_CREATE) {
        if (!p->v)
            return create_device(p);
        replay_fail(p, -EINVAL, "a second device");
        return 0;
    }
    if (!p->v && create_device(p))
        return 0;
    if (p->error)
        return 0;
    switch (ev->type) {
    case TRACE_ACCESS:
        return do_access(p, ev);
    case TRACE_RESET:
        vgpu_reset(p->v);
        return 0;
    case TRACE_RUN:
        return do_run(p, ev);
    case TRACE_TICK:
        return vgpu_display_tick(p->v);
    case TRACE_HEAD:
        return do_head(p, ev);
    case TRACE_EDID:
        return do_edid(p, ev);
    case TRACE_WAIT:
    case TRACE_SHOWN:
    case TRACE_PACE:
        return do_flip(p, ev);
    case TRACE_FINISH:
        p->res->hash = hash_device(p);
        return p->res->hash;
    default: /* MEMORY: there is no map here */
        return 0;
    }
}

static void check_result(struct replay *p, const struct trace_record *event, uint64_t value)
{
    const struct trace_record *rec = replay_peek(p);

    if (rec->arg[0] != p->calls)
        replay_diverge(p, "%" PRIu64 " more memory accesses, recorded %" PRIu64, p->calls, rec->arg[0]);
    if (rec->arg[1] != value)
        replay_diverge(p, "0x%" PRIx64 ", recorded 0x%" PRIx64, value, rec->arg[1]);
    if (event->type == TRACE_FINISH) {
        p->res->finished = true;
        p->res->recorded = rec->arg[1];
    }
    replay_consume(p);
}

/* Results that the device did not ask for still tell what the outside was like. */
static void skip_unused(struct replay *p)
{
    const struct trace_record *rec;

    while (!p->error && (rec = replay_peek(p)) && rec->type >= TRACE_TIME && rec->type < TRACE_RESULT) {
        replay_diverge(p, "does not ask for the recorded %s", trace_type_name(rec->type));
        if (rec->type == TRACE_MEM) {
            replay_apply_mem(p, rec);
            continue;
        }
        if (rec->type == TRACE_TIME)
            replay_step_clock(p, rec->arg[1]);
        replay_consume(p);
    }
}

static void replay_event(struct replay *p, const struct trace_record *ev)
{
    p->res->events++;
    p->calls = 0;
    memset(&p->access, 0, sizeof(p->access));
    uint64_t value = carry_out(p, ev);

    skip_unused(p);
    const struct trace_record *rec = p->error ? NULL : replay_peek(p);
    if (rec && rec->type == TRACE_RESULT)
        check_result(p, ev, value);
    else if (rec)
        replay_diverge(p, "the trace has no result");
}

static void replay_records(struct replay *p)
{
    const struct trace_record *rec;

    while (!p->error && p->res->events < p->opt->max_events && (rec = replay_peek(p))) {
        struct trace_record event = *rec;

        if (trace_is_event(event.type)) {
            replay_consume(p);
            replay_event(p, &event);
        } else if (event.type == TRACE_SETTING) {
            replay_consume(p);
            set(p, event.arg[0], event.arg[1]);
        } else {
            p->what = "start";
            skip_unused(p);
            if ((rec = replay_peek(p)) && rec->type == TRACE_RESULT)
                replay_consume(p);
        }
    }
}

static void finish(struct replay *p)
{
    p->res->truncated = p->status == TRACE_TRUNCATED;
    p->free_running = true;
    if (!p->v || p->error)
        return;
    if (!p->res->finished && p->opt->hash)
        p->res->hash = hash_device(p);
    if (p->opt->finished)
        p->opt->finished(p->opt->ctx, p->v);
}

void replay_options_default(struct replay_options *o)
{
    *o = (struct replay_options){
        .max_pages = (size_t)1 << 20, /* 4 GiB */
        .max_events = UINT64_MAX,
        .max_step_ns = UINT64_MAX,
        .max_budget = 1u << 20,
        .max_rows = UINT32_MAX,
        .hash = true,
    };
}

int replay_trace(struct trace_reader *trace, const struct replay_options *o, struct replay_result *res, char *err,
                 size_t errsz)
{
    struct replay p = {.trace = trace, .opt = o, .res = res, .err = err, .errsz = errsz, .payload = true, .what = ""};

    memset(res, 0, sizeof(*res));
    vgpu_config_default(&p.cfg);
    p.memory = shadow_create(o->max_pages);
    if (p.memory) {
        replay_records(&p);
        finish(&p);
    } else {
        replay_fail(&p, -ENOMEM, "no memory");
    }
    vgpu_destroy(p.v);
    if (p.backend)
        p.backend->ops->destroy(p.backend);
    shadow_destroy(p.memory);
    return p.error;
}

int replay_run(const char *path, struct replay_result *res, char *err, size_t errsz)
{
    struct replay_options opt;
    struct trace_reader *trace;
    int ret = trace_reader_open(&trace, path, err, errsz);

    memset(res, 0, sizeof(*res));
    if (ret)
        return ret;
    replay_options_default(&opt);
    ret = replay_trace(trace, &opt, res, err, errsz);
    trace_reader_close(trace);
    return ret;
}

int replay_print(const struct replay_result *res)
{
    printf("replayed %" PRIu64 " events, %" PRIu64 " of them accesses\n", res->events, res->accesses);
    if (res->truncated)
        printf("the trace has no end: its writer was killed\n");
    if (res->divergences)
        printf("%" PRIu64 " results differ from the recording, first: %s\n", res->divergences, res->first);
    printf("final state %016" PRIx64, res->hash);
    if (res->finished && res->hash == res->recorded)
        printf(", as recorded\n");
    else if (res->finished)
        printf(", recorded %016" PRIx64 "\n", res->recorded);
    else
        printf("; the recording has none\n");
    return res->divergences != 0;
}
