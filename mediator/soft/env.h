/*
 * What the messages of a hardware thread refer to, and the functions that answer them. A dispatcher (vertex, pixel,
 * compute, ...) has one soft_env for each worker and stage and points eu_thread.ctx to something that starts with it.
 */
#ifndef GTMUX_SOFT_ENV_H
#define GTMUX_SOFT_ENV_H

#include "mediator/soft/eu/eu.h"
#include "mediator/soft/mem.h"
#include "mediator/soft/state.h"
#include "mediator/soft/surface.h"

struct soft_units; /* the worker's caches of decoded surfaces, samplers and texels; soft_units_create */

struct soft_env {
    struct soft_mem *mem;
    struct soft_units *units;
    uint64_t surface_base, dynamic_base, general_base, bindless_base; /* of STATE_BASE_ADDRESS */
    uint64_t binding_table;                                           /* address of the stage's table */
    uint64_t samplers;      /* address of the stage's SAMPLER_STATE array (a message header may replace it) */
    uint64_t scratch;       /* address of this thread's scratch space, */
    uint32_t scratch_bytes; /* ... its size; 0: none */
    uint8_t *slm;           /* shared local memory of the thread group; NULL: none */
    uint32_t slm_bytes;
    bool derivatives; /* fragment thread: groups of 4 channels are quads, so sample has implicit derivatives */
};

struct soft_units *soft_units_create(void); /* NULL: out of memory */
void soft_units_destroy(struct soft_units *u);
/* Before each command: state or memory may have changed (decoded descriptors are compared by their bytes anyway). */
void soft_units_begin(struct soft_units *u);

/* Surface i of the binding table (0..239), decoded; a null surface where there is none. Valid until soft_units_begin.
 */
const struct soft_surface *soft_env_surface(struct soft_env *e, unsigned index);
/* The same as a render target: what was fast-cleared of the level and layers that are drawn has its pixels (ccs.h). */
const struct soft_surface *soft_env_target(struct soft_env *e, unsigned index);

/* SFID SAMPLER. */
enum eu_result soft_sampler_message(struct soft_env *e, struct eu_thread *t, const struct eu_message *m);
/* SFIDs DP_CONST, DP_DC0, DP_DC1, DP_DC2, DP_SAMPLER, and DP_RENDER's media block and typed messages. */
enum eu_result soft_dataport_message(struct soft_env *e, struct eu_thread *t, const struct eu_message *m);

#endif
