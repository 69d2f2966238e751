/*
 * The way of keys and pointers to the guest: QEMU's machine protocol on a unix socket (qemu -qmp
 * unix:PATH,server=on,wait=off), command input-send-event. QEMU faces the guest and may be taken over by it, or be
 * stopped: nothing here waits for it, but the end for a moment. What it does not take in time is dropped, and the keys
 * that it believes to be down go up when it is back.
 */
#ifndef GTMUX_MEDIATOR_QMP_INPUT_H
#define GTMUX_MEDIATOR_QMP_INPUT_H

#include <stddef.h>

#include "display/input.h"

struct qmp_input;

struct qmp_input_stats {
    uint64_t sent;     /* events that QEMU has taken */
    uint64_t dropped;  /* events that it has not: there was no connection, it was too slow, or it refused them */
    uint64_t connects; /* connections that came as far as commands */
};

/* Connects to the socket, now or, if QEMU is not there, later; complaints go to the log, once each. 0 or -errno: the
 * path is no path of a socket. */
int qmp_input_open(struct qmp_input **out, const char *path);
/* Lets go of all keys, for which it waits 250 ms at most. NULL is fine. */
void qmp_input_close(struct qmp_input *q);

/* The descriptor to be polled (-1: none just now) and for what; then what to call with what poll has found. */
int qmp_input_fd(const struct qmp_input *q);
short qmp_input_poll(const struct qmp_input *q);
void qmp_input_dispatch(struct qmp_input *q, short events);
/* Sends what waits and does what is due at `now` (gt_clock_ns). Returns when to be called again, UINT64_MAX: not before
 * something has happened. */
uint64_t qmp_input_tick(struct qmp_input *q, uint64_t now);

void qmp_input_event(struct qmp_input *q, const struct input_event *e);
void qmp_input_get_stats(const struct qmp_input *q, struct qmp_input_stats *out);

#endif
