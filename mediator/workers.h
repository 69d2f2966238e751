/* The threads that drive a gate: one an engine, one for the display. */
#ifndef GTMUX_MEDIATOR_WORKERS_H
#define GTMUX_MEDIATOR_WORKERS_H

#include "mediator/gate.h"

struct workers;

/* Threads are started but wait for their first kick. NULL with errno when a thread cannot be made. */
struct workers *workers_start(void);
/* Gives the threads their gate; call once, before the guest can cause a kick. */
void workers_attach(struct workers *w, struct gate *g);
void workers_kick_engine(struct workers *w, unsigned engine); /* never blocks for long; any thread */
void workers_kick_display(struct workers *w);
/* Joins the threads: each leaves after its present slice. NULL is fine. */
void workers_stop(struct workers *w);

#endif
