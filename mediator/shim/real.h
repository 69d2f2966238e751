/* libc's own functions, behind those that we put before them. */
#ifndef GTMUX_MEDIATOR_SHIM_REAL_H
#define GTMUX_MEDIATOR_SHIM_REAL_H

#include <dlfcn.h>

/* Declares a static pointer `real` to libc's function of this name and type. Looked up once; a race only does it twice.
 */
#define REAL(type, name)                                                                                               \
    static __typeof__(type) real;                                                                                      \
    if (!real)                                                                                                         \
    *(void **)(void *)&real = dlsym(RTLD_NEXT, name)

#define EXPORT __attribute__((visibility("default")))

#endif
