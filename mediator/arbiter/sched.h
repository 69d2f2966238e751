/*
 * Who may use an engine, and until when. Pure: no I/O, no clock, no thread; time is what the caller says, and what is
 * decided goes out through sched_ops.
 *
 * Of those who want an engine, the one with the least virtual time gets it: engine time divided by weight. Who slept
 * comes back with at most one slice of advantage, and so is next when the present slice ends. Limits (a cap, or a share
 * under the policies that give shares) are a bucket of engine time that fills at the limit's rate and holds one
 * window's worth; debt is carried over. Who is alone and without limit keeps the engine, and nothing has to be done.
 *
 * A slice that ends: yield is asked for; after preempt_ns a reset; after reset_ns more the tenancy ends. A workload
 * that uses hang_ns of engine time beside others without progress is reset, the second time its tenant is ended.
 */
#ifndef GTMUX_ARBITER_SCHED_H
#define GTMUX_ARBITER_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#define SCHED_ENGINES     8u
#define SCHED_TENANTS_MAX 256u
#define SCHED_SAMPLES     1024u

enum sched_policy {
    SCHED_BEST_EFFORT, /* what is free goes to whoever wants it, by weight */
    SCHED_EQUAL_SHARE, /* 1/n of an engine for each of n tenants, used or not */
    SCHED_FIXED_SHARE, /* the tenant's own share, whoever else is there */
    SCHED_POLICIES
};

struct sched_config {
    enum sched_policy policy;
    uint64_t window_ns; /* of limits */
    uint64_t preempt_ns, reset_ns;
    uint64_t hang_ns; /* 0: off */
};

struct sched_params {
    uint32_t weight; /* 1..10000 */
    uint32_t cap;    /* percent of an engine, 1..100 */
    uint32_t share;  /* percent, 1..100: fixed share */
    uint64_t slice_ns;
    bool paused;
};

struct sched_ops {
    /* The engine is the tenant's, until then; UINT64_MAX: it may keep it, between workloads too. */
    void (*grant)(void *ctx, unsigned tenant, unsigned engine, uint64_t until);
    /* Its tenant may keep it from now on. */
    void (*keep)(void *ctx, unsigned tenant, unsigned engine);
    /* No longer: it is to be given back after this workload. True when the tenant did not execute: then it is taken,
     * and *used_ns is what it says it executed since the grant. */
    bool (*unkeep)(void *ctx, unsigned tenant, unsigned engine, uint64_t *used_ns);
    /* The slice ends at another time than was said. */
    void (*until)(void *ctx, unsigned tenant, unsigned engine, uint64_t until);
    void (*yield)(void *ctx, unsigned tenant, unsigned engine);
    void (*reset)(void *ctx, unsigned tenant, unsigned engine);
    /* Out with it: sched_remove follows, not from within. */
    void (*end)(void *ctx, unsigned tenant, const char *why);
};

/* The newest values, in us unless it says otherwise; n counts on. */
struct sched_samples {
    uint32_t us[SCHED_SAMPLES];
    uint64_t n;
};
/* The value that `percent` of the samples do not exceed; 0 without samples. */
uint32_t sched_percentile(const struct sched_samples *s, double percent);

struct sched_usage {
    uint64_t granted_ns; /* engine time; what a kept engine was not used for is not counted */
    uint64_t grants, waited_ns;
    uint64_t yields, resets; /* asked for */
    uint64_t passed_max;     /* grants to others during one wait, at most */
    bool owner, waiting, throttled;
};

struct sched;

/* NULL: out of memory. */
struct sched *sched_create(const struct sched_config *cfg, const struct sched_ops *ops, void *ctx);
void sched_destroy(struct sched *s); /* NULL is fine */
void sched_configure(struct sched *s, const struct sched_config *cfg);
/* A new tenant's number, or -1: there are too many. */
int sched_add(struct sched *s, const struct sched_params *p, uint64_t now);
/* It is gone, with all its engines. */
void sched_remove(struct sched *s, unsigned tenant, uint64_t now);
void sched_set(struct sched *s, unsigned tenant, const struct sched_params *p, uint64_t now);
/* The tenant waits for the engine, or no longer does. No effect when that is known. */
void sched_want(struct sched *s, unsigned tenant, unsigned engine, bool want, uint64_t now);
/* It gave the engine back, used_ns: what it says it executed, of interest for a kept engine only (UINT64_MAX: all the
 * time); more: it wants it again. progress: a number of its choice that changes when its work gets on. */
void sched_returned(struct sched *s, unsigned tenant, unsigned engine, uint64_t used_ns, bool more, uint64_t progress,
                    uint64_t now);
/* Does what is due. When to call next if nothing else happens; UINT64_MAX: not at all. */
uint64_t sched_run(struct sched *s, uint64_t now);

void sched_usage(const struct sched *s, unsigned tenant, unsigned engine, uint64_t now, struct sched_usage *out);
/* How long the tenant waited for engines; how late engines came back after the end of a slice. */
const struct sched_samples *sched_waits(const struct sched *s, unsigned tenant);
const struct sched_samples *sched_overruns(const struct sched *s, unsigned engine);
/* The same in thousandths of the slice that ended, which is its tenant's. */
const struct sched_samples *sched_lateness(const struct sched *s, unsigned engine);
/* The engine is kept by its owner. */
bool sched_keeps(const struct sched *s, unsigned engine);
/* Percent of an engine that the tenant may use now, by its cap and the policy. */
uint32_t sched_limit(const struct sched *s, unsigned tenant);

#endif
