/*
 * gtmuxd: the arbiter of one GPU. One thread (arbiter_run) serves tenants; one answers gtmux(1). What both use is under
 * one lock, which is never held during I/O that can block.
 *
 *   config.c    profiles and settings            members.c  tenants: admission, packets, words of their pages
 *   sched.c     who may use an engine            invite.c   calls tenants that are there already
 *   arbiter.c   the loop                         admin.c    the socket of gtmux(1)
 *   report.c    what is shown: JSON, Prometheus
 */
#ifndef GTMUX_ARBITER_ARBITER_H
#define GTMUX_ARBITER_ARBITER_H

#include "mediator/arbiter/config.h"

struct arbiter_options {
    const char *run_dir;      /* absolute or relative, must be there */
    const char *config;       /* file; NULL: built-in settings */
    const char *metrics_file; /* Prometheus text, written anew every 15 s; NULL: none */
    int listen_fd, admin_fd;  /* bound sockets from systemd, or -1: to be made */
    bool own_sockets;         /* those two are to be removed at the end: they came from arbiter_hand_over */
    uint64_t alive_ns;        /* alive is called so often while it works as it should; 0: never */
    void (*alive)(void);
    bool (*may_upgrade)(void); /* SIGUSR2: is there a program to go on with? NULL: no */
    bool stop_tenants;         /* a tenancy that is ended ends the process */
};

struct arbiter;

/* Opens the sockets. 0 or -errno with a message. */
int arbiter_open(struct arbiter **out, const struct arbiter_options *o, char *err, size_t errsz);
/* Serves until SIGTERM or SIGINT (blocked by the caller); SIGHUP reads the configuration again, SIGUSR2 ends it when
 * may_upgrade says so. 0, 1: another program is to go on, or -errno. ready is called when everybody can connect. */
int arbiter_run(struct arbiter *a, void (*ready)(void));
/* Instead of arbiter_close: the sockets stay, with whoever waits to be accepted, for a program that this process
 * executes. */
struct arbiter_sockets {
    int listen_fd, admin_fd;
    bool own;
};
struct arbiter_sockets arbiter_hand_over(struct arbiter *a);
void arbiter_close(struct arbiter *a); /* NULL is fine */

#endif
