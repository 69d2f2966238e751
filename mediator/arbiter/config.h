/* Profiles (types of tenants) and the settings of gtmuxd, from an INI file; docs/operations.md describes it. */
#ifndef GTMUX_ARBITER_CONFIG_H
#define GTMUX_ARBITER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mediator/arbiter/protocol.h"
#include "mediator/arbiter/sched.h"

#define CONFIG_PROFILES_MAX 64u

struct arbiter_profile {
    char name[ARBITER_NAME_MAX], description[96];
    struct sched_params par;
    uint32_t memory_mb;            /* quota of GPU-visible memory */
    uint32_t heads, width, height; /* at most */
    uint32_t frame_hz;             /* 0: no limit */
};

struct arbiter_config {
    struct sched_config sched;
    uint32_t memory_mb; /* for all tenants together; 0: no limit */
    uint32_t tenants;   /* at most */
    char default_profile[ARBITER_KINDS][ARBITER_NAME_MAX];
    struct arbiter_profile profile[CONFIG_PROFILES_MAX];
    unsigned profiles;
};

/* One profile, "standard", and no limits. */
void arbiter_config_default(struct arbiter_config *c);
/* Reads the file, whose profiles take the place of the built-in one. 0, or -errno with a message (FILE:LINE: what). */
int arbiter_config_load(struct arbiter_config *c, const char *path, char *err, size_t errsz);
const struct arbiter_profile *arbiter_config_find(const struct arbiter_config *c, const char *name); /* NULL: none */
/* Sets one value of a profile, as `gtmux set` and the file do: weight, cap, share, slice-us, memory, heads, max-mode,
 * fps, description. 0, or -EINVAL with a message. */
int arbiter_profile_set(struct arbiter_profile *p, const char *key, const char *value, char *err, size_t errsz);
const char *arbiter_policy_name(enum sched_policy p);

#endif
