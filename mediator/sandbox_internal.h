/* Between the files of the sandbox. */
#ifndef GTMUX_MEDIATOR_SANDBOX_INTERNAL_H
#define GTMUX_MEDIATOR_SANDBOX_INTERNAL_H

#include "mediator/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_ASAN 1
#endif
#endif
#ifndef SANDBOX_ASAN
#define SANDBOX_ASAN 0
#endif

#define SANDBOX_DEVICES 16

/* Open handles on one kind of Xen device. */
struct sandbox_handles {
    int fd[SANDBOX_DEVICES];
    unsigned count;
};

struct sandbox {
    const struct sandbox_options *opt;
    struct sandbox_handles privcmd, evtchn, udmabuf, xen_export;
    unsigned missing; /* enum sandbox_layer */
    char *err;
    size_t errsz;
};

/* Fills in the message and returns -code (an errno). `hint` says what to do, or is NULL. */
int sandbox_fail(struct sandbox *s, int code, const char *what, const char *hint);
/* A layer that the host refused: -code with a message when layers are required, else 0 and a line in the log. */
int sandbox_lacks(struct sandbox *s, enum sandbox_layer layer, int code, const char *what);

/* Standard input from /dev/null; closes what is not to be kept; finds the Xen handles (sandbox_fds.c). */
int sandbox_close_fds(struct sandbox *s);
/* Namespaces and the empty root (sandbox_space.c). */
int sandbox_make_space(struct sandbox *s);
/* Identity, groups, capabilities (sandbox_rights.c). */
int sandbox_drop_rights(struct sandbox *s);
/* The system call filter (sandbox_filter.c): all that may fail for want of memory or support happens in `build`. */
int sandbox_filter_build(struct sandbox *s, void **filter);
int sandbox_filter_load(struct sandbox *s, void *filter);

#endif
