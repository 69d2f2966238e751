/* What --version, xenstore and logs say. */
#ifndef GTMUX_MEDIATOR_VERSION_H
#define GTMUX_MEDIATOR_VERSION_H

#define GTMUX_VERSION "0.1.0"

#endif
