/* The threads that drive a gate: one an engine, one for the display. */
#ifndef GTMUX_MEDIATOR_WORKERS_H
#define GTMUX_MEDIATOR_WORKERS_H

#include "mediator/arbiter/tenant.h"
#include "mediator/gate.h"

struct workers;

/* No thread yet. NULL when out of memory. */
struct workers *workers_create(void);
/* Starts the threads on their gate; what was kicked before runs now. Engines ask tenant, when there is one. 0 or
 * -errno.
 */
int workers_start(struct workers *w, struct gate *g, struct tenant *tenant);
void workers_kick_engine(struct workers *w, unsigned engine); /* never blocks for long; any thread */
void workers_kick_display(struct workers *w);
/* Joins the threads, each leaves after its present slice, and frees w; after tenant_stop. NULL is fine. */
void workers_stop(struct workers *w);

#endif
