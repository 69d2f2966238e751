/* The process that faces the guest, from its start to its end. */
#ifndef GTMUX_MEDIATOR_DEVICE_MAIN_H
#define GTMUX_MEDIATOR_DEVICE_MAIN_H

#include "mediator/session.h"

enum device_sandbox {
    DEVICE_SANDBOX_OFF,
    DEVICE_SANDBOX_ON,     /* a layer that the host does not give is logged and done without */
    DEVICE_SANDBOX_STRICT, /* all layers, or no start */
};

struct device_options {
    struct session_options session;
    enum device_sandbox sandbox;
    const char *user; /* whom to become when started as root; NULL: sandbox_user's choice */
    int status_fd;    /* to the keeper; -1: there is none */
};

/* Serves until SIGTERM, SIGINT, SIGUSR1 (unplug) or the end of the guest. The exit code: KEEPER_EXIT_*. */
int device_main(const struct device_options *o);

#endif
