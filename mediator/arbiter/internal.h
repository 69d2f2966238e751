/* Shared by the sources of gtmuxd. */
#ifndef GTMUX_ARBITER_INTERNAL_H
#define GTMUX_ARBITER_INTERNAL_H

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "mediator/arbiter/arbiter.h"
#include "mediator/arbiter/protocol.h"
#include "vgpu/base/log.h"

#define MEMBERS_MAX      (SCHED_TENANTS_MAX + 64u) /* with those that have not said who they are */
#define INVITATIONS_MAX  64u
#define OVERRIDES_MAX    8u /* values of a tenant that gtmux set changed */
#define OVERRIDE_KEY_MAX 16u

struct override {
    char key[OVERRIDE_KEY_MAX], value[OVERRIDE_KEY_MAX];
};

struct member {
    int sock, pidfd; /* pidfd -1: none */
    pid_t pid;
    uint64_t since; /* it connected, or was admitted */
    bool admitted;
    bool welcome; /* it knows of its page */
    /* admitted */
    unsigned id; /* the scheduler's */
    enum arbiter_kind kind;
    char name[ARBITER_NAME_MAX];
    struct arbiter_profile profile; /* with its changes */
    struct override changed[OVERRIDES_MAX];
    unsigned nchanged;
    struct arbiter_page *page;
    uint64_t busy_before[ARBITER_ENGINES]; /* at the grant, or the start of keeping */
    const char *doomed;                    /* why it is to be ended, or NULL */
    /* packets: a bucket, and until when it is not listened to */
    uint64_t tokens_at, deaf_until;
    uint32_t tokens;
    uint64_t packets, floods;
};

struct invitation {
    int fd; /* to the tenant's control socket, kept open until it has answered */
    uint64_t until;
};

struct counters {
    uint64_t admitted, refused, ended, bad_packets, left;
};

struct arbiter {
    struct arbiter_options opt;
    int epoll_fd, timer_fd, signal_fd, listen_fd, admin_fd, admin_stop_fd;
    int poke_fd; /* the loop has to decide anew */
    bool closing, upgrading;
    bool own_listen, own_admin; /* made here: to be removed */
    pthread_t admin_thread;
    bool admin_running;
    uint64_t listen_again; /* 0: listening */
    uint64_t metrics_at, alive_at;
    struct gt_ratelimit complaints;

    pthread_mutex_t lock;
    struct arbiter_config cfg;
    struct sched *sched;
    uint64_t now; /* of the event that is handled */
    struct member *member[MEMBERS_MAX];
    struct member *by_id[SCHED_TENANTS_MAX];
    unsigned owner_id[ARBITER_ENGINES]; /* UINT32_MAX: nobody's */
    struct invitation invitation[INVITATIONS_MAX];
    struct counters count;
    cJSON *restored; /* changes by name, of a gtmuxd before this one */
    uint64_t start;
};

/* ---- members.c (locked) */
extern const struct sched_ops member_sched_ops;
/* sock is taken over; pid 0: its own says the kernel. */
struct member *member_connect(struct arbiter *a, int sock, pid_t pid);
void member_event(struct arbiter *a, struct member *m, uint32_t events);
/* Drops who is doomed, has not said hello in time; listens again to those who flooded. When to call next. */
uint64_t members_tend(struct arbiter *a);
void member_drop(struct arbiter *a, struct member *m);
struct member *member_find(const struct arbiter *a, const char *name);
/* Would there be room for a tenant with these values, beside all but `m` (NULL: all)? False with a reason. */
bool member_fits(const struct arbiter *a, const struct member *m, const struct arbiter_profile *f, char *why,
                 size_t size);
/* Makes the values of its profile those that hold. */
void member_apply(struct arbiter *a, struct member *m);
void member_send(struct member *m, uint32_t type, uint32_t arg, const char *text);

/* ---- invite.c (locked) */
void invite_all(struct arbiter *a);
uint64_t invitations_tend(struct arbiter *a);

/* ---- state.c (locked): changes outlive gtmuxd */
void state_load(struct arbiter *a);
void state_save(struct arbiter *a);
uint64_t state_tend(struct arbiter *a); /* forgets those who do not come back. When to call next */
/* Gives a tenant that comes back its changes. */
void state_restore(struct arbiter *a, struct member *m);

/* ---- admin.c */
int admin_start(struct arbiter *a); /* 0 or -errno */
void admin_stop(struct arbiter *a);
/* Answers one request. Never NULL but when out of memory. Takes the lock. */
cJSON *admin_handle(struct arbiter *a, const char *line);

/* ---- report.c. Takes the lock. */
cJSON *report_stats(struct arbiter *a);
cJSON *report_profiles(struct arbiter *a);
char *report_metrics(struct arbiter *a); /* to be freed; NULL: out of memory */

#endif
