/* The functions behind ioctl numbers; see shim.h. */
#ifndef GTMUX_MEDIATOR_SHIM_IOCTLS_H
#define GTMUX_MEDIATOR_SHIM_IOCTLS_H

#include "mediator/shim/shim.h"

/* For ioctls without an argument, or with one that does not matter. */
struct drm_nothing {
    uint32_t unused;
};

#define CORE(number, type, fn) int fn(struct shim_file *f, void *arg);
#define I915(number, type, fn) int fn(struct shim_file *f, void *arg);
#include "mediator/shim/ioctls.def"
#undef CORE
#undef I915

/* Gives the object a handle; takes the reference over. */
int shim_handle_new(struct shim_file *f, struct shim_bo *b, uint32_t *handle);

#endif
