#include "mediator/arbiter/sched.h"

#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define WEIGHT_UNIT 100u /* a tenant of this weight pays virtual time ns for ns */
#define FULL        100u /* percent: no limit */

/* A tenant's part in one engine. */
struct part {
    uint64_t vtime;
    int64_t bucket; /* engine time it may use, when limited */
    uint64_t bucket_at;
    bool want;
    uint64_t want_at;
    uint64_t want_grants;        /* the engine's count then */
    uint64_t progress, stuck_ns; /* engine time since progress changed */
    bool was_reset;
    struct sched_usage usage;
};

struct tenant {
    bool used, ended;
    struct sched_params par;
    struct part part[SCHED_ENGINES];
    struct sched_samples waits;
};

enum stage { RUNS, YIELDS, RESETS };

struct engine {
    int owner; /* -1: free */
    bool keep; /* the owner may keep it */
    uint64_t granted_at;
    uint64_t counted_from; /* what came before is in the usage already, or was for free */
    uint64_t shared_from;  /* since when somebody else waits: from then on time has its price */
    uint64_t until;
    enum stage stage;
    uint64_t vnow;
    uint64_t grants;
    struct sched_samples overruns, lateness;
};

struct sched {
    struct sched_config cfg;
    const struct sched_ops *ops;
    void *ctx;
    unsigned tenants; /* highest number in use + 1 */
    unsigned count;
    struct tenant *tenant[SCHED_TENANTS_MAX];
    struct engine engine[SCHED_ENGINES];
};

/* ---- samples */

static void add_sample(struct sched_samples *s, uint64_t ns)
{
    s->us[s->n++ % SCHED_SAMPLES] = (uint32_t)GT_MIN(ns / 1000, UINT32_MAX);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

uint32_t sched_percentile(const struct sched_samples *s, double percent)
{
    uint32_t sorted[SCHED_SAMPLES];
    unsigned n = (unsigned)GT_MIN(s->n, SCHED_SAMPLES);

    if (!n)
        return 0;
    memcpy(sorted, s->us, n * sizeof(sorted[0]));
    qsort(sorted, n, sizeof(sorted[0]), compare_u32);
    unsigned at = (unsigned)(percent / 100 * n);

    return sorted[GT_MIN(at, n - 1)];
}

/* ---- limits */

static struct tenant *find(const struct sched *s, unsigned id)
{
    return id < SCHED_TENANTS_MAX && s->tenant[id] && s->tenant[id]->used ? s->tenant[id] : NULL;
}

uint32_t sched_limit(const struct sched *s, unsigned id)
{
    const struct tenant *t = find(s, id);
    uint32_t policy = FULL;

    if (!t)
        return 0;
    if (s->cfg.policy == SCHED_EQUAL_SHARE)
        policy = GT_MAX(FULL / GT_MAX(s->count, 1u), 1u);
    else if (s->cfg.policy == SCHED_FIXED_SHARE)
        policy = t->par.share;
    return GT_MIN(policy, t->par.cap);
}

static int64_t bucket_size(const struct sched *s, const struct tenant *t, uint32_t limit)
{
    return (int64_t)GT_MAX(s->cfg.window_ns * limit / FULL, t->par.slice_ns * (FULL - limit) / FULL + 1);
}

/* What has to be in the bucket to begin a slice: it fills a little while the tenant runs. */
static int64_t bucket_need(const struct tenant *t, uint32_t limit)
{
    return (int64_t)(t->par.slice_ns * (FULL - limit) / FULL);
}

static void bucket_fill(const struct sched *s, const struct tenant *t, struct part *p, uint32_t limit, uint64_t now)
{
    /* Longer than it takes to fill counts for nothing, and could overflow. */
    uint64_t passed = GT_MIN(now - p->bucket_at, s->cfg.window_ns * FULL + t->par.slice_ns * FULL);

    p->bucket = GT_MIN(p->bucket + (int64_t)(passed * limit / FULL), bucket_size(s, t, limit));
    p->bucket_at = now;
}

/* How long the tenant may run from now on, at most a slice. */
static uint64_t run_time(const struct tenant *t, const struct part *p, uint32_t limit)
{
    if (limit >= FULL)
        return t->par.slice_ns;
    return p->bucket <= 0 ? 0 : GT_MIN((uint64_t)p->bucket * FULL / (FULL - limit), t->par.slice_ns);
}

/* ---- choice */

/* When a waiting tenant may have the engine: `now`, later, or never (UINT64_MAX). */
static uint64_t eligible_at(const struct sched *s, unsigned id, unsigned engine, uint64_t now)
{
    struct tenant *t = find(s, id);
    uint32_t limit = sched_limit(s, id);

    if (!t || t->ended || t->par.paused || !t->part[engine].want || s->engine[engine].owner == (int)id)
        return UINT64_MAX;
    if (limit >= FULL)
        return now;
    struct part *p = &t->part[engine];

    bucket_fill(s, t, p, limit, now);
    int64_t lack = bucket_need(t, limit) - p->bucket;

    return lack <= 0 ? now : now + ((uint64_t)lack * FULL + limit - 1) / limit;
}

/* The waiting tenant whose turn it is, or -1; *others: more than one may have it. *later: when one more may. */
static int choose(const struct sched *s, unsigned engine, uint64_t now, bool *others, uint64_t *later)
{
    int best = -1;
    unsigned n = 0;

    *later = UINT64_MAX;
    for (unsigned id = 0; id < s->tenants; id++) {
        uint64_t at = eligible_at(s, id, engine, now);

        if (at != now) {
            *later = GT_MIN(*later, at);
            continue;
        }
        n++;
        if (best < 0 || s->tenant[id]->part[engine].vtime < s->tenant[best]->part[engine].vtime)
            best = (int)id;
    }
    *others = n > 1;
    return best;
}

static uint32_t effective_weight(const struct sched *s, const struct tenant *t)
{
    if (s->cfg.policy == SCHED_EQUAL_SHARE)
        return WEIGHT_UNIT;
    return GT_MAX(s->cfg.policy == SCHED_FIXED_SHARE ? t->par.share : t->par.weight, 1u);
}

static uint64_t virtual_time(const struct sched *s, const struct tenant *t, uint64_t ns)
{
    return ns * WEIGHT_UNIT / effective_weight(s, t);
}

/* ---- leases */

/* Books the owner's time up to now. used_ns: of what nobody else waited for, so much was used. */
static void charge(struct sched *s, unsigned engine, uint64_t used_ns, uint64_t now)
{
    struct engine *e = &s->engine[engine];
    struct tenant *t = s->tenant[e->owner];
    struct part *p = &t->part[engine];
    uint64_t counted = now - e->counted_from;
    uint64_t priced = e->keep ? 0 : now - GT_MAX(e->shared_from, e->counted_from);
    uint32_t limit = sched_limit(s, (unsigned)e->owner);

    p->vtime += virtual_time(s, t, priced);
    if (limit < FULL) {
        bucket_fill(s, t, p, limit, now);
        p->bucket -= (int64_t)counted;
    }
    /* Time that has its price was the tenant's whatever it did with it. */
    p->usage.granted_ns += GT_MAX(priced, GT_MIN(counted, used_ns));
    e->counted_from = now;
}

static void lease(struct sched *s, unsigned engine, unsigned id, bool keep, uint64_t now)
{
    struct engine *e = &s->engine[engine];
    struct tenant *t = s->tenant[id];
    struct part *p = &t->part[engine];

    e->owner = (int)id;
    e->keep = keep;
    e->granted_at = e->counted_from = e->shared_from = now;
    e->until = now + run_time(t, p, sched_limit(s, id));
    e->stage = RUNS;
    e->vnow = GT_MAX(e->vnow, p->vtime);
    p->want = false;
    p->usage.grants++;
    p->usage.waited_ns += now - p->want_at;
    p->usage.passed_max = GT_MAX(p->usage.passed_max, e->grants - p->want_grants);
    e->grants++;
    add_sample(&t->waits, now - p->want_at);
    s->ops->grant(s->ctx, id, engine, keep ? UINT64_MAX : e->until);
}

/* Somebody waits for a kept engine. True: it is free now. */
static bool stop_keeping(struct sched *s, unsigned engine, uint64_t now)
{
    struct engine *e = &s->engine[engine];
    unsigned owner = (unsigned)e->owner;
    uint64_t used_ns = 0;

    if (s->ops->unkeep(s->ctx, owner, engine, &used_ns)) {
        charge(s, engine, used_ns, now);
        e->owner = -1;
        return true;
    }
    e->keep = false;
    e->shared_from = now;
    e->until = GT_MAX(now, e->granted_at + s->tenant[owner]->par.slice_ns);
    s->ops->until(s->ctx, owner, engine, e->until);
    return false;
}

/* The slice is over. Nobody else there: it goes on. */
static void end_slice(struct sched *s, unsigned engine, bool others, uint64_t now)
{
    struct engine *e = &s->engine[engine];
    unsigned owner = (unsigned)e->owner;
    struct tenant *t = s->tenant[owner];
    uint32_t limit = sched_limit(s, owner);

    if (!others && !t->par.paused && !t->ended) {
        charge(s, engine, UINT64_MAX, now);
        if (limit >= FULL) {
            e->keep = true;
            s->ops->keep(s->ctx, owner, engine);
            return;
        }
        uint64_t run = run_time(t, &t->part[engine], limit);

        if (run) {
            e->until = now + run;
            s->ops->until(s->ctx, owner, engine, e->until);
            return;
        }
    }
    e->stage = YIELDS;
    t->part[engine].usage.yields++;
    s->ops->yield(s->ctx, owner, engine);
}

static void ask_end(struct sched *s, unsigned id, const char *why)
{
    if (s->tenant[id]->ended)
        return;
    s->tenant[id]->ended = true;
    s->ops->end(s->ctx, id, why);
}

static void ask_reset(struct sched *s, unsigned id, unsigned engine)
{
    s->tenant[id]->part[engine].usage.resets++;
    s->ops->reset(s->ctx, id, engine);
}

/* What the owner of a lease with an end is due for. When to look again. */
static uint64_t press(struct sched *s, unsigned engine, bool others, uint64_t now)
{
    struct engine *e = &s->engine[engine];
    unsigned owner = (unsigned)e->owner;

    if (e->stage == RUNS && (now >= e->until || s->tenant[owner]->par.paused))
        end_slice(s, engine, others, now);
    if (e->keep)
        return UINT64_MAX;
    if (e->stage == RUNS)
        return e->until;
    if (e->stage == YIELDS && now >= e->until + s->cfg.preempt_ns) {
        e->stage = RESETS;
        ask_reset(s, owner, engine);
    }
    if (e->stage == YIELDS)
        return e->until + s->cfg.preempt_ns;
    if (now < e->until + s->cfg.preempt_ns + s->cfg.reset_ns)
        return e->until + s->cfg.preempt_ns + s->cfg.reset_ns;
    ask_end(s, owner, "it did not give back an engine in time");
    return UINT64_MAX;
}

static uint64_t run_engine(struct sched *s, unsigned engine, uint64_t now)
{
    struct engine *e = &s->engine[engine];
    uint64_t later, next = UINT64_MAX;
    bool others;
    int best = choose(s, engine, now, &others, &later);

    if (e->owner >= 0 && e->keep &&
        (best >= 0 || s->tenant[e->owner]->par.paused || sched_limit(s, (unsigned)e->owner) < FULL))
        stop_keeping(s, engine, now);
    if (e->owner < 0 && best >= 0) {
        lease(s, engine, (unsigned)best, !others && sched_limit(s, (unsigned)best) >= FULL, now);
        best = others ? best : -1;
    }
    if (e->owner >= 0 && !e->keep)
        next = press(s, engine, best >= 0, now);
    return GT_MIN(next, later);
}

uint64_t sched_run(struct sched *s, uint64_t now)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < SCHED_ENGINES; i++) {
        uint64_t at = run_engine(s, i, now);

        next = GT_MIN(next, at);
    }
    return next;
}

/* ---- events */

/* Who was away does not come back with all the time that it did not use. */
static void catch_up(const struct sched *s, const struct tenant *t, unsigned engine)
{
    const struct engine *e = &s->engine[engine];
    uint64_t credit = virtual_time(s, t, t->par.slice_ns);
    uint64_t vnow = e->vnow;
    uint64_t *own = &((struct tenant *)t)->part[engine].vtime;

    *own = GT_MAX(*own, vnow > credit ? vnow - credit : 0);
}

void sched_want(struct sched *s, unsigned id, unsigned engine, bool want, uint64_t now)
{
    struct tenant *t = find(s, id);

    if (!t || engine >= SCHED_ENGINES || s->engine[engine].owner == (int)id || t->part[engine].want == want)
        return;
    t->part[engine].want = want;
    t->part[engine].want_at = now;
    t->part[engine].want_grants = s->engine[engine].grants;
    if (want)
        catch_up(s, t, engine);
}

/* Engine time beside others that brought nothing forth is counted until there is too much of it. */
static void watch_progress(struct sched *s, unsigned id, unsigned engine, uint64_t ns, bool more, uint64_t progress)
{
    struct part *p = &s->tenant[id]->part[engine];

    if (!more || progress != p->progress) {
        p->progress = progress;
        p->stuck_ns = 0;
        p->was_reset = false;
        return;
    }
    p->stuck_ns += ns;
    if (!s->cfg.hang_ns || p->stuck_ns < s->cfg.hang_ns)
        return;
    p->stuck_ns = 0;
    if (p->was_reset) {
        ask_end(s, id, "its workload hangs, and hung again after a reset");
        return;
    }
    p->was_reset = true;
    ask_reset(s, id, engine);
}

void sched_returned(struct sched *s, unsigned id, unsigned engine, uint64_t used_ns, bool more, uint64_t progress,
                    uint64_t now)
{
    struct tenant *t = find(s, id);

    if (!t || engine >= SCHED_ENGINES || s->engine[engine].owner != (int)id)
        return;
    struct engine *e = &s->engine[engine];
    uint64_t from = GT_MAX(e->shared_from, e->counted_from);

    if (e->stage != RUNS || (more && !e->keep && now >= e->until)) {
        uint64_t late = now > e->until ? now - e->until : 0;

        add_sample(&e->overruns, late);
        add_sample(&e->lateness, late * 1000 / t->par.slice_ns * 1000);
    }
    watch_progress(s, id, engine, e->keep ? 0 : now - from, more, progress);
    charge(s, engine, used_ns, now);
    e->owner = -1;
    t->part[engine].want = more;
    t->part[engine].want_at = now;
    t->part[engine].want_grants = e->grants;
}

/* ---- tenants */

struct sched *sched_create(const struct sched_config *cfg, const struct sched_ops *ops, void *ctx)
{
    struct sched *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->cfg = *cfg;
    s->ops = ops;
    s->ctx = ctx;
    for (unsigned i = 0; i < SCHED_ENGINES; i++)
        s->engine[i].owner = -1;
    return s;
}

void sched_destroy(struct sched *s)
{
    if (!s)
        return;
    for (unsigned i = 0; i < SCHED_TENANTS_MAX; i++)
        free(s->tenant[i]);
    free(s);
}

void sched_configure(struct sched *s, const struct sched_config *cfg)
{
    s->cfg = *cfg;
}

static struct sched_params checked(const struct sched_params *p)
{
    struct sched_params c = *p;

    c.weight = GT_MAX(GT_MIN(c.weight, 10000u), 1u);
    c.cap = GT_MAX(GT_MIN(c.cap, FULL), 1u);
    c.share = GT_MAX(GT_MIN(c.share, FULL), 1u);
    c.slice_ns = GT_MAX(GT_MIN(c.slice_ns, UINT64_C(1000000000)), UINT64_C(100000));
    return c;
}

int sched_add(struct sched *s, const struct sched_params *p, uint64_t now)
{
    unsigned id = 0;

    while (id < SCHED_TENANTS_MAX && s->tenant[id] && s->tenant[id]->used)
        id++;
    if (id == SCHED_TENANTS_MAX)
        return -1;
    if (!s->tenant[id] && !(s->tenant[id] = malloc(sizeof(*s->tenant[id]))))
        return -1;
    struct tenant *t = s->tenant[id];

    *t = (struct tenant){.used = true, .par = checked(p)};
    s->count++;
    s->tenants = GT_MAX(s->tenants, id + 1);
    /* One slice to begin with, not a window's worth. */
    for (unsigned i = 0; i < SCHED_ENGINES; i++) {
        t->part[i].bucket_at = now;
        t->part[i].bucket = bucket_need(t, sched_limit(s, id));
    }
    return (int)id;
}

void sched_remove(struct sched *s, unsigned id, uint64_t now)
{
    struct tenant *t = find(s, id);

    (void)now;
    if (!t)
        return;
    for (unsigned i = 0; i < SCHED_ENGINES; i++)
        if (s->engine[i].owner == (int)id)
            s->engine[i].owner = -1;
    t->used = false;
    s->count--;
    while (s->tenants && !find(s, s->tenants - 1))
        s->tenants--;
}

void sched_set(struct sched *s, unsigned id, const struct sched_params *p, uint64_t now)
{
    struct tenant *t = find(s, id);

    if (!t)
        return;
    /* What was used so far is paid at the old price. */
    for (unsigned i = 0; i < SCHED_ENGINES; i++) {
        if (s->engine[i].owner == (int)id && !s->engine[i].keep)
            charge(s, i, UINT64_MAX, now);
        t->part[i].bucket_at = now;
        t->part[i].bucket = GT_MIN(t->part[i].bucket, 0);
    }
    t->par = checked(p);
}

void sched_usage(const struct sched *s, unsigned id, unsigned engine, uint64_t now, struct sched_usage *out)
{
    const struct tenant *t = find(s, id);

    *out = (struct sched_usage){0};
    if (!t || engine >= SCHED_ENGINES)
        return;
    const struct engine *e = &s->engine[engine];

    *out = t->part[engine].usage;
    out->owner = e->owner == (int)id;
    out->waiting = t->part[engine].want && !out->owner;
    out->throttled = out->waiting && eligible_at(s, id, engine, now) > now;
    if (out->owner && !e->keep)
        out->granted_ns += now - GT_MAX(e->shared_from, e->counted_from);
}

const struct sched_samples *sched_waits(const struct sched *s, unsigned id)
{
    const struct tenant *t = find(s, id);

    return t ? &t->waits : NULL;
}

const struct sched_samples *sched_overruns(const struct sched *s, unsigned engine)
{
    return engine < SCHED_ENGINES ? &s->engine[engine].overruns : NULL;
}

const struct sched_samples *sched_lateness(const struct sched *s, unsigned engine)
{
    return engine < SCHED_ENGINES ? &s->engine[engine].lateness : NULL;
}

bool sched_keeps(const struct sched *s, unsigned engine)
{
    return engine < SCHED_ENGINES && s->engine[engine].owner >= 0 && s->engine[engine].keep;
}
