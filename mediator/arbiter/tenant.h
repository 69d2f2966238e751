/*
 * A tenant of gtmuxd: the side of a process that executes GPU work. Around each stretch of execution on an engine its
 * thread calls tenant_acquire and tenant_release. Without gtmuxd, or after its death, these return at once and
 * everybody goes on by themselves; while nobody else wants the engine they make no system call.
 *
 * The first connection is made by the caller before a sandbox closes (tenant_connect). Later ones come from gtmuxd,
 * which knocks at the control socket (tenant_invite), or where there is none, by connecting again when there is work.
 */
#ifndef GTMUX_ARBITER_TENANT_H
#define GTMUX_ARBITER_TENANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mediator/arbiter/protocol.h"

struct tenant_options {
    enum arbiter_kind kind;
    const char *name;
    const char *profile;           /* NULL: gtmuxd's default */
    unsigned heads, width, height; /* what is asked for: the largest mode */
    const char *reconnect;         /* path of the socket, for who may connect at any time; else NULL */
    void *ctx;
    /* Leave the engine at the next preemption point (the tenant's own thread). */
    void (*preempt)(void *ctx, unsigned engine);
    /* Give its workload up. Same thread; may be NULL. */
    void (*reset)(void *ctx, unsigned engine);
    /* tenant_frame_hz or tenant_quota may have changed. Same thread; may be NULL. Called once when the thread starts.
     */
    void (*values)(void *ctx);
};

struct tenant;

/* Not registered, no thread. NULL: out of memory. */
struct tenant *tenant_create(const struct tenant_options *o);
/* Registers with the gtmuxd that listens at path. 0; -ENOENT, -ECONNREFUSED: there is none; -EPERM with a message in
 * err: refused; other -errno. */
int tenant_connect(struct tenant *t, const char *path, char *err, size_t errsz);
/* Starts the thread that hears gtmuxd. 0 or -errno. */
int tenant_start(struct tenant *t);
/* Registers through fd, a seqpacket socket to gtmuxd, which is taken over. Any thread, after tenant_start. */
void tenant_invite(struct tenant *t, int fd);
/* No acquire waits any longer: they return false. Any thread. */
void tenant_stop(struct tenant *t);
/* Stops, joins the thread, frees; the engine threads have ended. NULL is fine. */
void tenant_destroy(struct tenant *t);
/* In the child of a fork: what was the parent's is not the child's, which registers anew when it has work. */
void tenant_forked(struct tenant *t);

/* Waits until the engine may be executed on. False: tenant_stop. One thread an engine; NULL is fine. */
bool tenant_acquire(struct tenant *t, unsigned engine);
/* Between acquire and release: it is time to release. Also lets gtmuxd know of the use so far: who is alone may not
 * release for long. */
bool tenant_pressed(const struct tenant *t, unsigned engine);
/* When it will be (CLOCK_MONOTONIC), as far as is known now; UINT64_MAX: not. */
uint64_t tenant_until(const struct tenant *t, unsigned engine);
/* more: it is wanted again, tenant_acquire follows. progress: a number that changes when work gets done. */
void tenant_release(struct tenant *t, unsigned engine, bool more, uint64_t progress);

bool tenant_attached(const struct tenant *t);
/* Frames a second that a head may show, 0: no limit. */
unsigned tenant_frame_hz(const struct tenant *t);
/* May it have so many heads, the largest of this size? Always true without gtmuxd. */
bool tenant_may_show(const struct tenant *t, unsigned heads, unsigned width, unsigned height);
/* GPU-visible memory that it may use, in bytes; 0: no limit. */
uint64_t tenant_quota(const struct tenant *t);
/* Takes note of a frame, and says when it may be shown, by the frame limit: now or later. `state` is the head's, 0 at
 * first. Pure. */
uint64_t tenant_frame_due(unsigned hz, uint64_t *state, uint64_t now);
/* Adds to the GPU-visible memory; below 0: gives back. 0, or -ENOSPC: more than the quota, nothing was added. */
int tenant_memory(struct tenant *t, int64_t bytes);
void tenant_count_flip(struct tenant *t);
/* The same for who counts by himself: all flips; all GPU-visible memory, and how often more was refused. */
void tenant_set_flips(struct tenant *t, uint64_t flips);
void tenant_set_memory(struct tenant *t, uint64_t bytes, uint64_t refusals);
/* What the process has allocated: looks by itself, at most once a second. */
void tenant_note_heap(struct tenant *t, uint64_t now);

#endif
