/* Shared by keeper.c and keeper_process.c. */
#ifndef GTMUX_MEDIATOR_KEEPER_INTERNAL_H
#define GTMUX_MEDIATOR_KEEPER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mediator/keeper.h"

struct keeper_report {
    uint32_t ready;
    uint32_t server;
    char text[KEEPER_REPORT_TEXT];
};

struct keeper_process {
    pid_t pid;     /* 0: none */
    int pidfd;     /* readable when it has ended; -1: none */
    int status_fd; /* its report comes here; -1: none, or read already */
};

/* Forks. lock_fd is left open in the device: who holds it is alive. 0 or -errno. */
int keeper_spawn(struct keeper_process *p, const struct keeper_options *o, int lock_fd);
/* Takes the report. 1 there was one, 0 none came and none will. Closes status_fd. */
int keeper_take_report(struct keeper_process *p, struct keeper_report *out);
/* Waits for a process that has ended or will soon. Its wait status. */
int keeper_reap(struct keeper_process *p);

/* Locks RUN_DIR/xen-DOMID.lock for this process and its device. The descriptor; or -errno with a message, -EBUSY when
 * the domain has a keeper. */
int keeper_lock(const struct keeper_options *o, char *err, size_t errsz);
/* Removes what the device could not remove from inside its sandbox, and the lock; before the lock is given up. state:
 * also what a successor would continue from. */
void keeper_remove_files(const struct keeper_options *o, bool state);
/* Removes the states of domains that are gone: left by keepers that gave up or were killed. */
void keeper_sweep(const struct keeper_options *o);

#endif
