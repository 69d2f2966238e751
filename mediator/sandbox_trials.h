/* The trials of the sandbox's self-test. */
#ifndef GTMUX_MEDIATOR_SANDBOX_TRIALS_H
#define GTMUX_MEDIATOR_SANDBOX_TRIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct trial;

/* What a trial finds in its process, made before the sandbox is closed. */
struct stage {
    const struct trial *trial;
    pid_t parent;           /* outside */
    int domid, other_domid; /* Xen guests, or -1 */
    int dir_fd;             /* of /etc, not close-on-exec, as if inherited: must get closed */
    int pipe_fd[2];         /* our own */
    uint16_t tcp_port;      /* on the loopback interface somebody listens, outside */
    const char *abstract;   /* abstract unix socket on which somebody listens, outside */
    char *page;             /* writable memory */
    void *extra;            /* the trial's own, from its `prepare` */
    bool skip;              /* set by `prepare`: not for this host; what it returns says why */
    char why[256];          /* room for messages */
};

enum trial_end {
    TRIAL_RETURNS, /* run returns NULL when all is as it has to be */
    TRIAL_KILLED,  /* the filter kills the process; run returns what happened instead */
    TRIAL_ABORTS,  /* SIGABRT */
};

struct trial {
    const char *name;
    const char *(*prepare)(struct stage *st); /* before the sandbox, or NULL; returns what went wrong, or NULL */
    const char *(*run)(struct stage *st);     /* in the sandbox */
    enum trial_end end;
    bool no_filter;   /* shows that the other layers hold alone */
    unsigned layers;  /* enum sandbox_layer: skipped where one of them is missing */
    bool needs_root;  /* skipped when the self-test was not started by root */
    bool no_asan;     /* skipped with AddressSanitizer: what is tried is not in force there */
    bool xen;         /* Xen handles are kept */
    bool other_guest; /* skipped without a second guest */
    const void *arg;
};

/* Formats a message in st->why. */
const char *stage_why(struct stage *st, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* System calls that must fail, a table: the trial of a row, `alone` without the filter. False: there is no such one. */
size_t trial_calls(void);
bool trial_call(size_t row, bool alone, struct trial *out);

/* Each ends with a row without a name. */
extern const struct trial trial_layers[]; /* what holds without the filter */
extern const struct trial trial_own[];    /* what must work: by itself, */
extern const struct trial trial_io[];     /* with what is open */
extern const struct trial trial_xen[];

/* Another guest than domid that this domain can reach, or -1. */
int trial_xen_other(int domid);

#endif
