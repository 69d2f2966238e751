/* What the gate and the replayer do to a device in the same way. */
#ifndef GTMUX_MEDIATOR_GATE_DEVICE_H
#define GTMUX_MEDIATOR_GATE_DEVICE_H

#include "ioreq/transport.h"
#include "vgpu/vgpu.h"

/* Carries out an access (locked). Reads of regions that are not the device's give 0. */
void device_access(struct vgpu *v, struct ioreq_access *a);

/* What a hash of the device is made of, so that the pictures can be read without the device lock. */
struct device_snapshot {
    uint64_t state; /* vgpu_state_hash */
    bool lit[VGPU_HEADS];
    struct vgpu_scanout scanout[VGPU_HEADS];
};
void device_snapshot(struct vgpu *v, struct device_snapshot *out); /* locked */
/* The snapshot of one head; false: dark (locked). */
bool device_scanout(struct vgpu *v, unsigned head, struct vgpu_scanout *out);
/* Hash over the state and the first max_rows rows of each picture (free). */
uint64_t device_hash(struct vgpu *v, const struct device_snapshot *s, uint32_t max_rows);

/* A vgpu_reader; opaque is the struct vgpu (free). */
int device_reader(void *opaque, uint64_t ggtt, void *dst, size_t n);

#endif
