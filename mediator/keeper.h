/*
 * The keeper of a Xen guest's device: the parent process. It holds xenstore, touches no guest data, and starts the
 * device, the process that faces the guest. When the device is killed (a crash, the sandbox, an administrator) under a
 * living guest it starts another, which adopts what the first left behind. When the domain goes it ends the device, so
 * that no mapping of ours keeps the domain's memory. If the keeper itself is killed the device dies with it, without
 * clean-up: the next keeper's device adopts. One keeper a process.
 */
#ifndef GTMUX_MEDIATOR_KEEPER_H
#define GTMUX_MEDIATOR_KEEPER_H

#include <stddef.h>

#define KEEPER_NAME_MAX 48u

/* ---- the device's side: what it tells its keeper through the pipe, once, before the guest is served */

#define KEEPER_REPORT_TEXT 500u
/* Each 0 or -errno; fd stays open. */
int keeper_tell_ready(int fd, unsigned server);
int keeper_tell_error(int fd, const char *text);

/* Exit codes of the device process, and of the keeper. */
enum {
    KEEPER_EXIT_OK = 0,     /* told to stop, or the guest is gone */
    KEEPER_EXIT_BROKEN = 1, /* broke while running, or crashes again and again */
    KEEPER_EXIT_START = 2,  /* could not start */
};

/* ---- the keeper's side */

struct xen_keys;

struct keeper_options {
    struct xen_keys *keys; /* of the domain; borrowed */
    const char *name;      /* of the guest, for logs and gtmux(1) */
    const char *run_dir;   /* where xen-DOMID.lock, xen-DOMID.state and NAME.ctl are */
    /* Runs in the forked process and becomes the device: calls exec, or returns its exit code. Only async-signal-safe
     * functions are safe in it (libxenstore has a thread in the parent). status_fd: to tell ready or an error. SIGTERM,
     * SIGINT, SIGHUP and SIGUSR1 are blocked; it unblocks SIGTERM and SIGUSR1 (unplug) when it can take them. */
    int (*device)(void *ctx, int status_fd);
    void *ctx;
    unsigned start_ms; /* the device must be ready in that time; 0: 30 s */
    unsigned stop_ms;  /* and gone in that time after SIGTERM; 0: 5 s */
    unsigned crashes;  /* so many in 60 s are survived; 0: 5 */
};

/* What keeper_run returns when SIGHUP asked for another program: the device has been killed and waits to be adopted;
 * the caller executes the new program. */
#define KEEPER_UPGRADE (-1)

/* Path of the device's journal. 0 or -ENAMETOOLONG. */
int keeper_state_path(char *buf, size_t size, const char *run_dir, unsigned domid);
/* Serves the domain to its end. An exit code, or KEEPER_UPGRADE. Blocks SIGTERM, SIGINT, SIGHUP and SIGUSR1 for the
 * caller. */
int keeper_run(const struct keeper_options *o);

#endif
