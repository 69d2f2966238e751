/* What gtmuxd shows: numbers are copied under the lock, and put into words without it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/arbiter/internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/desc/regs.h"

_Static_assert(VGPU_ENGINES <= ARBITER_ENGINES, "the page has a word for each engine");

struct view {
    char name[ARBITER_NAME_MAX];
    pid_t pid;
    enum arbiter_kind kind;
    struct arbiter_profile profile;
    uint32_t limit;
    uint64_t since, packets, floods, memory, flips, refusals, heap;
    uint64_t progress[VGPU_ENGINES];
    struct sched_usage usage[VGPU_ENGINES];
    struct sched_samples waits;
};

struct snapshot {
    uint64_t now, start;
    enum sched_policy policy;
    struct counters count;
    uint32_t memory_mb;
    struct sched_samples overruns[VGPU_ENGINES], lateness[VGPU_ENGINES];
    unsigned n;
    struct view view[];
};

static void view_member(const struct arbiter *a, const struct member *m, uint64_t now, struct view *v)
{
    *v = (struct view){.pid = m->pid,
                       .kind = m->kind,
                       .profile = m->profile,
                       .limit = sched_limit(a->sched, m->id),
                       .since = m->since,
                       .packets = m->packets,
                       .floods = m->floods,
                       .memory = atomic_load(&m->page->memory),
                       .flips = atomic_load(&m->page->flips),
                       .refusals = atomic_load(&m->page->refusals),
                       .heap = atomic_load(&m->page->heap)};
    memcpy(v->name, m->name, sizeof(v->name));
    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        v->progress[i] = atomic_load(&m->page->engine[i].progress);
        sched_usage(a->sched, m->id, i, now, &v->usage[i]);
        /* A kept engine is nobody else's business, so how much of it was used is the tenant's word. */
        uint64_t claim = atomic_load(&m->page->engine[i].busy_ns);
        uint64_t more = claim > m->busy_before[i] ? claim - m->busy_before[i] : 0;

        if (a->owner_id[i] == m->id && sched_keeps(a->sched, i))
            v->usage[i].granted_ns += GT_MIN(more, now - m->since);
    }
    v->waits = *sched_waits(a->sched, m->id);
}

/* NULL: out of memory. */
static struct snapshot *take_snapshot(struct arbiter *a)
{
    struct snapshot *s = malloc(sizeof(*s) + SCHED_TENANTS_MAX * sizeof(s->view[0]));

    if (!s)
        return NULL;
    pthread_mutex_lock(&a->lock);
    s->now = gt_clock_ns();
    s->start = a->start;
    s->policy = a->cfg.sched.policy;
    s->memory_mb = a->cfg.memory_mb;
    s->count = a->count;
    s->n = 0;
    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        s->overruns[i] = *sched_overruns(a->sched, i);
        s->lateness[i] = *sched_lateness(a->sched, i);
    }
    for (unsigned i = 0; i < SCHED_TENANTS_MAX; i++)
        if (a->by_id[i])
            view_member(a, a->by_id[i], s->now, &s->view[s->n++]);
    pthread_mutex_unlock(&a->lock);
    return s;
}

/* ---- JSON */

struct figure {
    const char *name;
    double value;
};

static void add_figures(cJSON *o, const struct figure *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cJSON_AddNumberToObject(o, rows[i].name, rows[i].value);
}

static const char *state_of(const struct sched_usage *u, bool paused)
{
    if (u->owner)
        return "runs";
    if (!u->waiting)
        return "-";
    return paused ? "paused" : u->throttled ? "throttled" : "waits";
}

static void add_tenant_engines(cJSON *o, const struct view *v)
{
    cJSON *engines = cJSON_AddObjectToObject(o, "engines");

    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        const struct sched_usage *u = &v->usage[i];
        const struct figure rows[] = {
            {"granted_ns", (double)u->granted_ns}, {"waited_ns", (double)u->waited_ns},
            {"grants", (double)u->grants},         {"yields", (double)u->yields},
            {"resets", (double)u->resets},         {"passed_max", (double)u->passed_max},
            {"work", (double)v->progress[i]},
        };

        if (!u->grants && !u->waiting)
            continue;
        cJSON *e = cJSON_AddObjectToObject(engines, engine_table[i].name);

        cJSON_AddStringToObject(e, "state", state_of(u, v->profile.par.paused));
        add_figures(e, rows, GT_ARRAY_SIZE(rows));
    }
}

static cJSON *tenant_json(const struct snapshot *s, const struct view *v)
{
    const struct figure rows[] = {
        {"pid", v->pid},
        {"age_s", (double)(s->now - v->since) / 1e9},
        {"weight", v->profile.par.weight},
        {"cap", v->profile.par.cap},
        {"share", v->profile.par.share},
        {"limit", v->limit},
        {"slice_us", (double)v->profile.par.slice_ns / 1000},
        {"fps", v->profile.frame_hz},
        {"memory_quota_bytes", (double)v->profile.memory_mb * 1048576},
        {"memory_bytes", (double)v->memory},
        {"memory_refusals", (double)v->refusals},
        {"heap_bytes", (double)v->heap},
        {"flips", (double)v->flips},
        {"wait_p50_us", sched_percentile(&v->waits, 50)},
        {"wait_p99_us", sched_percentile(&v->waits, 99)},
        {"packets", (double)v->packets},
        {"floods", (double)v->floods},
    };
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", v->name);
    cJSON_AddStringToObject(o, "kind", v->kind == ARBITER_DM ? "dm" : "exec");
    cJSON_AddStringToObject(o, "profile", v->profile.name);
    cJSON_AddBoolToObject(o, "paused", v->profile.par.paused);
    add_figures(o, rows, GT_ARRAY_SIZE(rows));
    add_tenant_engines(o, v);
    return o;
}

cJSON *report_stats(struct arbiter *a)
{
    struct snapshot *s = take_snapshot(a);
    cJSON *o = s ? cJSON_CreateObject() : NULL;

    if (!o) {
        free(s);
        return NULL;
    }
    const struct figure rows[] = {
        {"uptime_s", (double)(s->now - s->start) / 1e9},
        {"memory_mb", s->memory_mb},
        {"admitted", (double)s->count.admitted},
        {"refused", (double)s->count.refused},
        {"ended", (double)s->count.ended},
        {"bad_packets", (double)s->count.bad_packets},
    };

    cJSON_AddStringToObject(o, "policy", arbiter_policy_name(s->policy));
    add_figures(o, rows, GT_ARRAY_SIZE(rows));
    cJSON *engines = cJSON_AddObjectToObject(o, "engines");

    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        const struct figure late[] = {{"slices_ended", (double)s->overruns[i].n},
                                      {"overrun_p50_us", sched_percentile(&s->overruns[i], 50)},
                                      {"overrun_p99_us", sched_percentile(&s->overruns[i], 99)},
                                      {"overrun_p50_percent", sched_percentile(&s->lateness[i], 50) / 10.0},
                                      {"overrun_p99_percent", sched_percentile(&s->lateness[i], 99) / 10.0}};

        if (s->overruns[i].n)
            add_figures(cJSON_AddObjectToObject(engines, engine_table[i].name), late, GT_ARRAY_SIZE(late));
    }
    cJSON *tenants = cJSON_AddArrayToObject(o, "tenants");

    for (unsigned i = 0; i < s->n; i++)
        cJSON_AddItemToArray(tenants, tenant_json(s, &s->view[i]));
    free(s);
    return o;
}

cJSON *report_profiles(struct arbiter *a)
{
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "profiles");

    pthread_mutex_lock(&a->lock);
    for (unsigned i = 0; i < a->cfg.profiles; i++) {
        const struct arbiter_profile *p = &a->cfg.profile[i];
        const struct figure rows[] = {
            {"weight", p->par.weight},   {"cap", p->par.cap},
            {"share", p->par.share},     {"slice_us", (double)p->par.slice_ns / 1000},
            {"memory_mb", p->memory_mb}, {"heads", p->heads},
            {"fps", p->frame_hz},
        };
        cJSON *item = cJSON_CreateObject();
        char mode[32];

        snprintf(mode, sizeof(mode), "%ux%u", p->width, p->height);
        cJSON_AddStringToObject(item, "name", p->name);
        cJSON_AddStringToObject(item, "description", p->description);
        cJSON_AddStringToObject(item, "max_mode", mode);
        cJSON_AddBoolToObject(item, "default", !strcmp(p->name, a->cfg.default_profile[ARBITER_DM]));
        add_figures(item, rows, GT_ARRAY_SIZE(rows));
        cJSON_AddItemToArray(list, item);
    }
    cJSON_AddStringToObject(o, "policy", arbiter_policy_name(a->cfg.sched.policy));
    pthread_mutex_unlock(&a->lock);
    return o;
}

/* ---- Prometheus */

enum metric_of { OF_GTMUXD, OF_SLICES, OF_TENANT, OF_ENGINE };

static const struct metric {
    const char *name, *type, *help;
    enum metric_of of;
} metrics[] = {
    {"gtmux_tenants", "gauge", "Tenants that are registered.", OF_GTMUXD},
    {"gtmux_admitted_total", "counter", "Tenants that were let in.", OF_GTMUXD},
    {"gtmux_refused_total", "counter", "Tenants that were refused.", OF_GTMUXD},
    {"gtmux_ended_total", "counter", "Tenancies that gtmuxd ended.", OF_GTMUXD},
    {"gtmux_bad_packets_total", "counter", "Malformed packets.", OF_GTMUXD},
    {"gtmux_slices_ended_total", "counter", "Slices of the engine at whose end it was to be given back.", OF_SLICES},
    {"gtmux_slice_overrun_p99_ratio", "gauge", "99th percentile of how late it was, as part of the slice.", OF_SLICES},
    {"gtmux_tenant_limit_ratio", "gauge", "Part of an engine that the tenant may use.", OF_TENANT},
    {"gtmux_tenant_memory_bytes", "gauge", "GPU-visible memory, as the tenant says.", OF_TENANT},
    {"gtmux_tenant_memory_quota_bytes", "gauge", "Quota of it.", OF_TENANT},
    {"gtmux_tenant_memory_refusals_total", "counter", "Pages or buffers beyond the quota, as the tenant says.",
     OF_TENANT},
    {"gtmux_tenant_heap_bytes", "gauge", "Allocated by its process for caches, queues and pictures.", OF_TENANT},
    {"gtmux_tenant_flips_total", "counter", "Frames shown, as the tenant says.", OF_TENANT},
    {"gtmux_tenant_wait_p99_seconds", "gauge", "99th percentile of the last 1024 waits for an engine.", OF_TENANT},
    {"gtmux_tenant_paused", "gauge", "1: paused.", OF_TENANT},
    {"gtmux_engine_granted_seconds_total", "counter", "Engine time that the tenant had.", OF_ENGINE},
    {"gtmux_engine_waited_seconds_total", "counter", "Time that the tenant waited for the engine.", OF_ENGINE},
    {"gtmux_engine_grants_total", "counter", "Grants of the engine to the tenant.", OF_ENGINE},
    {"gtmux_engine_yields_total", "counter", "Times it was asked to give the engine back.", OF_ENGINE},
    {"gtmux_engine_resets_total", "counter", "Times its workload was to be reset.", OF_ENGINE},
};

static double global_value(const struct snapshot *s, unsigned row)
{
    const double values[] = {s->n, (double)s->count.admitted, (double)s->count.refused, (double)s->count.ended,
                             (double)s->count.bad_packets};

    return values[row];
}

static double slices_value(const struct snapshot *s, unsigned engine, unsigned row)
{
    return row ? sched_percentile(&s->lateness[engine], 99) / 1000.0 : (double)s->overruns[engine].n;
}

static double tenant_value(const struct view *v, unsigned row)
{
    const double values[] = {
        v->limit / 100.0, (double)v->memory, (double)v->profile.memory_mb * 1048576, (double)v->refusals,
        (double)v->heap,  (double)v->flips,  sched_percentile(&v->waits, 99) / 1e6,  v->profile.par.paused};

    return values[row];
}

static double engine_value(const struct sched_usage *u, unsigned row)
{
    const double values[] = {(double)u->granted_ns / 1e9, (double)u->waited_ns / 1e9, (double)u->grants,
                             (double)u->yields, (double)u->resets};

    return values[row];
}

static void print_metric(FILE *f, const struct snapshot *s, const struct metric *m, unsigned row)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
    if (m->of == OF_GTMUXD)
        fprintf(f, "%s %.15g\n", m->name, global_value(s, row));
    for (unsigned e = 0; m->of == OF_SLICES && e < VGPU_ENGINES; e++)
        fprintf(f, "%s{engine=\"%s\"} %.15g\n", m->name, engine_table[e].name, slices_value(s, e, row));
    for (unsigned i = 0; m->of >= OF_TENANT && i < s->n; i++) {
        const struct view *v = &s->view[i];

        if (m->of == OF_TENANT)
            fprintf(f, "%s{tenant=\"%s\"} %.15g\n", m->name, v->name, tenant_value(v, row));
        for (unsigned e = 0; m->of == OF_ENGINE && e < VGPU_ENGINES; e++)
            if (v->usage[e].grants)
                fprintf(f, "%s{tenant=\"%s\",engine=\"%s\"} %.15g\n", m->name, v->name, engine_table[e].name,
                        engine_value(&v->usage[e], row));
    }
}

char *report_metrics(struct arbiter *a)
{
    struct snapshot *s = take_snapshot(a);
    char *text = NULL;
    size_t size;
    FILE *f = s ? open_memstream(&text, &size) : NULL;

    for (unsigned i = 0, row = 0; f && i < GT_ARRAY_SIZE(metrics); i++, row++) {
        if (i && metrics[i].of != metrics[i - 1].of)
            row = 0;
        print_metric(f, s, &metrics[i], row);
    }
    if (f && fclose(f)) {
        free(text);
        text = NULL;
    }
    free(s);
    return text;
}
