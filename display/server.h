/*
 * The end of the display socket that gtmux-dm holds: looks at what the guest's heads show when somebody watches, makes
 * frames of it and tells viewers.
 *
 * Nothing here is a thread or sleeps: its user polls the descriptors and calls step. All calls on one thread. The guest
 * cannot make it work more than 250 times a second and head; with no viewer it does nothing.
 */
#ifndef GTMUX_DISPLAY_SERVER_H
#define GTMUX_DISPLAY_SERVER_H

#include <poll.h>

#include "display/frame.h"
#include "display/latency.h"

#define DISPLAY_HEADS   3u
#define DISPLAY_VIEWERS 8u
#define DISPLAY_FDS     (DISPLAY_VIEWERS + 1)

struct display_server;

struct display_stats {
    unsigned viewers;
    uint64_t flips;         /* told to viewers */
    uint64_t shown;         /* answered by them */
    uint64_t missed;        /* pictures for which there was no memory, or no frame left */
    uint64_t cursors;       /* changes of cursors told */
    uint64_t sent_away;     /* viewers that broke the protocol or never answered */
    uint64_t skipped;       /* flips of the guest that a viewer was not told, for a newer one came first */
    uint64_t late;          /* answers for which the guest would have waited too long */
    uint64_t votes_lost;    /* viewers that are not waited for any more */
    uint64_t layers;        /* planes told apart, with their flips */
    uint64_t refused;       /* flips that a viewer could not show with their layers */
    struct latency latency; /* from the guest's flip to the answer */
    struct frames_stats frames;
};

/* listener: a listening SOCK_SEQPACKET socket, not blocking; it stays the caller's. NULL when out of memory. */
struct display_server *display_server_create(const struct display_host *host, const struct udmabuf *u, int listener,
                                             const char *name);
void display_server_destroy(struct display_server *s); /* NULL is fine */

/* What a head shows may have changed; ns: when (CLOCK_MONOTONIC). */
void display_server_changed(struct display_server *s, uint64_t ns);
/* The guest's memory map has changed. */
void display_server_memory_changed(struct display_server *s);
/* The guest waits at most so long until viewers show a flip; 0: not at all (default DISPLAY_FLIP_WAIT_NS). */
#define DISPLAY_FLIP_WAIT_NS UINT64_C(50000000)
void display_server_flip_wait(struct display_server *s, uint64_t ns);
/* Fills in at most DISPLAY_FDS entries to poll; returns their number. */
unsigned display_server_poll(const struct display_server *s, struct pollfd *fds);
/* Does what there is to do after a poll (fds as filled in by the call before it) and returns when to be called again at
 * the latest; UINT64_MAX: at the next event. */
uint64_t display_server_step(struct display_server *s, const struct pollfd *fds, unsigned n, uint64_t now);
/* True when somebody watches. */
bool display_server_watched(const struct display_server *s);
void display_server_stats(const struct display_server *s, struct display_stats *out);

#endif
