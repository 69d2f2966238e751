/* The gate's insides, shared by mediator/gate.c and gate_host.c. */
#ifndef GTMUX_MEDIATOR_GATE_INTERNAL_H
#define GTMUX_MEDIATOR_GATE_INTERNAL_H

#include <pthread.h>

#include "mediator/gate.h"
#include "mediator/gate_record.h"

enum visitor { DISPLAY = VGPU_ENGINES, PICTURE, VISITORS }; /* below: engines */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a visitor left, a door opened, a turn ended */
    unsigned inside[VISITORS];
    unsigned closed[VISITORS]; /* who keeps this kind of visitor out */
    uint64_t next_turn, turn;  /* recording: who comes next, whose turn it is */
    bool ready;                /* gate_create or gate_resume has returned: callbacks may go out */
    bool asleep;               /* adopted and not resumed: no visits */
    struct vgpu *v;
    struct gate_host host;
    struct recorder *rec; /* NULL: not recording */
};

/* gate_host.c: the two kinds of vgpu_ops; host is the gate. */
extern const struct vgpu_ops gate_plain_ops, gate_recorded_ops;
/* gate.c: vgpu_ops.quiesce. */
void gate_quiesce(void *host, unsigned engine);

#endif
