/*
 * Joins the display with a guest: the display socket RUN_DIR/NAME.display, and a thread that serves it. The thread
 * sleeps unless somebody watches. It looks at the device through the gate, as a screenshot does, and never holds up the
 * guest.
 */
#ifndef GTMUX_MEDIATOR_SCREENS_H
#define GTMUX_MEDIATOR_SCREENS_H

#include "display/server.h"
#include "ioreq/transport.h"
#include "mediator/gate.h"

struct screens;

/* Opens all that needs rights: the socket, and /dev/udmabuf or for a Xen guest (xen_domid >= 0) /dev/gtmux-xen-export,
 * without which pictures are copied (the log says so). run_dir NULL: the default one, which must exist. 0 or -errno
 * with a message. */
int screens_open(struct screens **out, const char *run_dir, const char *name, int xen_domid, char *err, size_t errsz);
/* How long the guest's flips wait for viewers (display_server_flip_wait); before the start. */
void screens_flip_wait(struct screens *s, uint64_t ns);
/* Starts the thread. 0 or -errno. */
int screens_start(struct screens *s, struct gate *g, struct ioreq_transport *t);
/* Stops the thread and removes the socket. NULL is fine. */
void screens_close(struct screens *s);

/* Any thread, never blocks; NULL is fine. What the guest shows may have changed; its memory map has. */
void screens_changed(struct screens *s);
void screens_memory_changed(struct screens *s);
void screens_stats(struct screens *s, struct display_stats *out); /* any thread */

#endif
