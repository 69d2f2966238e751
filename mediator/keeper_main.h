/* The gtmux-dm of a Xen guest as the outside starts it: becomes the keeper. */
#ifndef GTMUX_MEDIATOR_KEEPER_MAIN_H
#define GTMUX_MEDIATOR_KEEPER_MAIN_H

#include "mediator/device_main.h"

/* Where a device process finds what its keeper gave it. */
#define KEEPER_FD_STATUS 3 /* pipe to write the report to */
#define KEEPER_FD_LOCK   4 /* held open as long as the device lives */

/* Command line option by which the keeper starts gtmux-dm again as its device. */
#define KEEPER_DEVICE_OPTION "device-of"

/* Keeps domain o->session.xen_domid until its end. argv: how this program was started. The exit code. */
int keeper_main(const struct device_options *o, int argc, char **argv);
/* The device's first step: takes what is at KEEPER_FD_*. 0, or -errno: not started by a keeper. */
int keeper_take_fds(struct device_options *o);

#endif
