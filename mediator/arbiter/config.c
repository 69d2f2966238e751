#include "mediator/arbiter/config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define MS UINT64_C(1000000)

static const char *const policy_names[SCHED_POLICIES] = {
    [SCHED_BEST_EFFORT] = "best-effort", [SCHED_EQUAL_SHARE] = "equal-share", [SCHED_FIXED_SHARE] = "fixed-share"};

const char *arbiter_policy_name(enum sched_policy p)
{
    return policy_names[p];
}

static const struct arbiter_profile standard = {
    .name = "standard",
    .description = "all that is free",
    .par = {.weight = 100, .cap = 100, .share = 10, .slice_ns = 5 * MS},
    .memory_mb = 1024,
    .heads = 3,
    .width = 4096,
    .height = 2304,
};

void arbiter_config_default(struct arbiter_config *c)
{
    *c = (struct arbiter_config){
        .sched = {.policy = SCHED_BEST_EFFORT,
                  .window_ns = 200 * MS,
                  .preempt_ns = 1000 * MS,
                  .reset_ns = 1000 * MS,
                  .hang_ns = 10000 * MS},
        .tenants = SCHED_TENANTS_MAX,
        .profile = {standard},
        .profiles = 1,
    };
    for (unsigned i = 0; i < ARBITER_KINDS; i++)
        snprintf(c->default_profile[i], ARBITER_NAME_MAX, "%s", standard.name);
}

const struct arbiter_profile *arbiter_config_find(const struct arbiter_config *c, const char *name)
{
    for (unsigned i = 0; i < c->profiles; i++)
        if (!strcmp(c->profile[i].name, name))
            return &c->profile[i];
    return NULL;
}

/* ---- values */

static int number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    unsigned long long val = strtoull(text, &end, 10);

    if (errno || end == text || *end || text[0] == '-' || val < min || val > max)
        return -EINVAL;
    *out = val;
    return 0;
}

static int complain(char *err, size_t errsz, const char *key, const char *value, const char *want)
{
    snprintf(err, errsz, "%s = %s: %s", key, value, want);
    return -EINVAL;
}

struct range {
    const char *key;
    uint64_t min, max;
};

/* 1: no key of the table. */
static int ranged(const struct range *rows, size_t n, const char *key, const char *value, size_t *row, uint64_t *out,
                  char *err, size_t errsz)
{
    for (*row = 0; *row < n; ++*row) {
        const struct range *r = &rows[*row];
        char want[80];

        if (strcmp(r->key, key) != 0)
            continue;
        snprintf(want, sizeof(want), "give a whole number from %llu to %llu", (unsigned long long)r->min,
                 (unsigned long long)r->max);
        return number(value, r->min, r->max, out) ? complain(err, errsz, key, value, want) : 0;
    }
    return 1;
}

static int set_mode(struct arbiter_profile *p, const char *value)
{
    unsigned w, h;
    char rest;

    if (sscanf(value, "%4ux%4u%c", &w, &h, &rest) != 2 || w < 64 || h < 64)
        return -EINVAL;
    p->width = w;
    p->height = h;
    return 0;
}

enum { ROW_WEIGHT, ROW_CAP, ROW_SHARE, ROW_SLICE, ROW_MEMORY, ROW_HEADS, ROW_FPS };
static const struct range profile_rows[] = {
    [ROW_WEIGHT] = {"weight", 1, 10000},   [ROW_CAP] = {"cap", 1, 100},
    [ROW_SHARE] = {"share", 1, 100},       [ROW_SLICE] = {"slice-us", 500, 100000},
    [ROW_MEMORY] = {"memory", 1, 1 << 20}, [ROW_HEADS] = {"heads", 0, ARBITER_HEADS},
    [ROW_FPS] = {"fps", 0, 240},
};

static void store(struct arbiter_profile *p, size_t row, uint64_t val)
{
    uint32_t *const place[] = {
        [ROW_WEIGHT] = &p->par.weight, [ROW_CAP] = &p->par.cap, [ROW_SHARE] = &p->par.share, [ROW_SLICE] = NULL,
        [ROW_MEMORY] = &p->memory_mb,  [ROW_HEADS] = &p->heads, [ROW_FPS] = &p->frame_hz,
    };

    if (row == ROW_SLICE)
        p->par.slice_ns = val * 1000;
    else
        *place[row] = (uint32_t)val;
}

int arbiter_profile_set(struct arbiter_profile *p, const char *key, const char *value, char *err, size_t errsz)
{
    uint64_t val;
    size_t row;
    int rc = ranged(profile_rows, GT_ARRAY_SIZE(profile_rows), key, value, &row, &val, err, errsz);

    if (!rc)
        store(p, row, val);
    if (rc <= 0)
        return rc;
    if (!strcmp(key, "description"))
        snprintf(p->description, sizeof(p->description), "%s", value);
    else if (strcmp(key, "max-mode") != 0)
        return complain(err, errsz, key, value,
                        "no such value; there are weight, cap, share, slice-us, memory, heads, max-mode and fps");
    else if (set_mode(p, value))
        return complain(err, errsz, key, value, "give WIDTHxHEIGHT, such as 1920x1200");
    return 0;
}

static int set_policy(struct arbiter_config *c, const char *key, const char *value, char *err, size_t errsz)
{
    for (unsigned i = 0; i < SCHED_POLICIES; i++) {
        if (!strcmp(value, policy_names[i])) {
            c->sched.policy = (enum sched_policy)i;
            return 0;
        }
    }
    return complain(err, errsz, key, value, "give best-effort, equal-share or fixed-share");
}

enum { ROW_TOTAL, ROW_TENANTS, ROW_WINDOW, ROW_PREEMPT, ROW_RESET, ROW_HANG };
static const struct range global_rows[] = {
    [ROW_TOTAL] = {"memory", 0, 1 << 24},    [ROW_TENANTS] = {"tenants", 1, SCHED_TENANTS_MAX},
    [ROW_WINDOW] = {"window-ms", 10, 10000}, [ROW_PREEMPT] = {"preempt-ms", 1, 60000},
    [ROW_RESET] = {"reset-ms", 1, 60000},    [ROW_HANG] = {"hang-ms", 0, 3600000},
};

static int set_global(struct arbiter_config *c, const char *key, const char *value, char *err, size_t errsz)
{
    uint64_t val;
    size_t row;
    int rc = ranged(global_rows, GT_ARRAY_SIZE(global_rows), key, value, &row, &val, err, errsz);

    if (rc < 0)
        return rc;
    if (rc == 0) {
        uint64_t *const time[] = {[ROW_WINDOW] = &c->sched.window_ns,
                                  [ROW_PREEMPT] = &c->sched.preempt_ns,
                                  [ROW_RESET] = &c->sched.reset_ns,
                                  [ROW_HANG] = &c->sched.hang_ns};

        if (row == ROW_TOTAL)
            c->memory_mb = (uint32_t)val;
        else if (row == ROW_TENANTS)
            c->tenants = (uint32_t)val;
        else
            *time[row] = val * MS;
        return 0;
    }
    if (!strcmp(key, "policy"))
        return set_policy(c, key, value, err, errsz);
    if (!strcmp(key, "profile"))
        snprintf(c->default_profile[ARBITER_DM], ARBITER_NAME_MAX, "%s", value);
    else if (!strcmp(key, "exec-profile"))
        snprintf(c->default_profile[ARBITER_EXEC], ARBITER_NAME_MAX, "%s", value);
    else
        return complain(err, errsz, key, value, "no such setting of [gtmuxd]");
    return 0;
}

/* ---- the file */

struct reading {
    struct arbiter_config *c;
    FILE *f;
    unsigned line;
    bool within;   /* the last piece of the file did not end its line */
    bool own;      /* the file has profiles */
    bool settings; /* [gtmuxd] was there */
    char err[200]; /* the first mistake is what is told */
    unsigned err_line;
};

__attribute__((format(printf, 2, 3))) static bool mistake(struct reading *r, const char *what, ...)
{
    va_list args;

    if (r->err[0])
        return false;
    va_start(args, what);
    vsnprintf(r->err, sizeof(r->err), what, args);
    va_end(args);
    r->err_line = r->line;
    return false;
}

static bool open_profile(struct reading *r, const char *name)
{
    struct arbiter_config *c = r->c;

    if (!r->own)
        c->profiles = 0;
    r->own = true;
    if (arbiter_config_find(c, name))
        return mistake(r, "profile '%.60s' is there twice", name);
    if (c->profiles == CONFIG_PROFILES_MAX || !*name || strlen(name) >= ARBITER_NAME_MAX)
        return mistake(r, "profile '%.60s': too many, or not a name", name);
    struct arbiter_profile *p = &c->profile[c->profiles++];

    *p = standard;
    p->description[0] = 0;
    snprintf(p->name, sizeof(p->name), "%s", name);
    return true;
}

static bool open_section(struct reading *r, const char *section)
{
    if (!strncmp(section, "profile ", 8))
        return open_profile(r, section + 8);
    if (strcmp(section, "gtmuxd") != 0)
        return mistake(r, "[%.60s]: sections are [gtmuxd] and [profile NAME]", section);
    if (r->settings)
        return mistake(r, "[%.60s] is there twice", section);
    r->settings = true;
    return true;
}

/* inih tells of values only, so that a section without any would go unnoticed: what it reads is looked at on the way.
 */
static char *read_line(char *buf, int size, void *stream)
{
    struct reading *r = stream;
    char *text = fgets(buf, size, r->f);

    if (!text)
        return NULL;
    r->line += !r->within;
    if (r->within)
        mistake(r, "the line is too long");
    r->within = !strchr(text, '\n') && !feof(r->f);
    const char *open = text + strspn(text, " \t"), *close = *open == '[' ? strchr(open, ']') : NULL;
    char section[128];

    if (close && snprintf(section, sizeof(section), "%.*s", (int)(close - open - 1), open + 1) >= 0)
        open_section(r, section);
    return text;
}

static int take(void *ctx, const char *section, const char *key, const char *value)
{
    struct reading *r = ctx;
    struct arbiter_profile *p;
    char err[sizeof(r->err)] = "";

    if (r->err[0])
        return 1;
    if (!strcmp(section, "gtmuxd"))
        return !set_global(r->c, key, value, err, sizeof(err)) || mistake(r, "%s", err);
    p = !strncmp(section, "profile ", 8) ? (struct arbiter_profile *)arbiter_config_find(r->c, section + 8) : NULL;
    if (!p)
        return mistake(r, "%.60s: values stand below [gtmuxd] or [profile NAME]", key);
    return !arbiter_profile_set(p, key, value, err, sizeof(err)) || mistake(r, "%s", err);
}

static int check(const struct arbiter_config *c, const char *path, char *err, size_t errsz)
{
    for (unsigned i = 0; i < ARBITER_KINDS; i++) {
        if (arbiter_config_find(c, c->default_profile[i]))
            continue;
        snprintf(err, errsz, "%s: the default profile '%s' is not in it", path, c->default_profile[i]);
        return -EINVAL;
    }
    return 0;
}

int arbiter_config_load(struct arbiter_config *c, const char *path, char *err, size_t errsz)
{
    struct arbiter_config fresh;
    struct reading r = {.c = &fresh, .f = fopen(path, "re")};

    if (!r.f) {
        int rc = -errno;

        snprintf(err, errsz, "%s: %s", path, strerror(-rc));
        return rc;
    }
    arbiter_config_default(&fresh);
    int line = ini_parse_stream(read_line, &r, take, &r);

    fclose(r.f);
    if (line > 0) {
        r.line = (unsigned)line;
        mistake(&r, "not NAME = VALUE");
    }
    if (line || r.err[0]) {
        snprintf(err, errsz, "%s:%u: %s", path, r.err_line, r.err[0] ? r.err : "out of memory");
        return -EINVAL;
    }
    int rc = check(&fresh, path, err, errsz);

    if (!rc)
        *c = fresh;
    return rc;
}
