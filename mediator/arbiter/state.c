/* What gtmux set changed is kept in a file for as long as the tenant runs, whatever becomes of gtmuxd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/arbiter/internal.h"
#include "vgpu/base/bits.h"

#define STATE_FILE "gtmuxd.state"
#define STATE_MAX  (1u << 20)
/* Tenants of a gtmuxd before this one come back within this time, or not at all. */
#define RETURN_NS UINT64_C(60000000000)

static int path_of(const struct arbiter *a, char *path, size_t size, const char *suffix)
{
    return snprintf(path, size, "%s/" STATE_FILE "%s", a->opt.run_dir, suffix) < (int)size ? 0 : -ENAMETOOLONG;
}

void state_load(struct arbiter *a)
{
    char path[4096];
    FILE *f = path_of(a, path, sizeof(path), "") ? NULL : fopen(path, "re");
    char *text = f ? calloc(1, STATE_MAX + 1) : NULL;

    if (text && fread(text, 1, STATE_MAX, f) > 0)
        a->restored = cJSON_Parse(text);
    free(text);
    if (f)
        fclose(f);
}

static void add_member(cJSON *all, const struct member *m)
{
    cJSON *values = m->nchanged || m->profile.par.paused ? cJSON_AddObjectToObject(all, m->name) : NULL;

    for (unsigned i = 0; values && i < m->nchanged; i++)
        cJSON_AddStringToObject(values, m->changed[i].key, m->changed[i].value);
    if (values && m->profile.par.paused)
        cJSON_AddStringToObject(values, "paused", "1");
}

/* Those who have not come back yet keep what they had. */
static cJSON *collect(const struct arbiter *a)
{
    cJSON *all = a->restored ? cJSON_Duplicate(a->restored, true) : cJSON_CreateObject();

    for (unsigned i = 0; i < SCHED_TENANTS_MAX; i++) {
        if (!a->by_id[i])
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(all, a->by_id[i]->name);
        add_member(all, a->by_id[i]);
    }
    return all;
}

void state_save(struct arbiter *a)
{
    char path[4096], fresh[4096];
    cJSON *all = collect(a);
    char *text = cJSON_PrintUnformatted(all);
    FILE *f = NULL;

    cJSON_Delete(all);
    if (text && !path_of(a, path, sizeof(path), "") && !path_of(a, fresh, sizeof(fresh), ".new"))
        f = fopen(fresh, "we");
    bool ok = f && fputs(text, f) >= 0;

    if ((f && fclose(f)) || !ok || rename(fresh, path))
        gt_warn("changes of tenants will not survive a restart of gtmuxd: %s", strerror(errno));
    cJSON_free(text);
}

uint64_t state_tend(struct arbiter *a)
{
    if (!a->restored)
        return UINT64_MAX;
    if (a->now < a->start + RETURN_NS)
        return a->start + RETURN_NS;
    cJSON_Delete(a->restored);
    a->restored = NULL;
    state_save(a);
    return UINT64_MAX;
}

void state_restore(struct arbiter *a, struct member *m)
{
    cJSON *values = cJSON_DetachItemFromObjectCaseSensitive(a->restored, m->name);
    const cJSON *v;
    char err[200];

    cJSON_ArrayForEach(v, values)
    {
        if (!cJSON_IsString(v) || m->nchanged == OVERRIDES_MAX)
            continue;
        if (!strcmp(v->string, "paused")) {
            m->profile.par.paused = true;
        } else if (!arbiter_profile_set(&m->profile, v->string, v->valuestring, err, sizeof(err))) {
            struct override *o = &m->changed[m->nchanged++];

            snprintf(o->key, sizeof(o->key), "%s", v->string);
            snprintf(o->value, sizeof(o->value), "%s", v->valuestring);
        }
    }
    cJSON_Delete(values);
}
