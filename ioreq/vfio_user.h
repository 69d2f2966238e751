/* The vfio-user transport: what transport.h does not say. */
#ifndef GTMUX_IOREQ_VFIO_USER_H
#define GTMUX_IOREQ_VFIO_USER_H

#include <stddef.h>

#include "ioreq/transport.h"

/*
 * Serves one client that is connected already, over a stream socket that is the transport's from now on, also after
 * an error. When the client has gone dispatch returns 1 once and -ENOTCONN from then on. 0 or -errno, message in err.
 */
int ioreq_vfio_user_from_fd(struct ioreq_transport **out, const struct ioreq_config *cfg, int fd, char *err,
                            size_t errsz);

#endif
