/* Paths of unix sockets that are to be listened at. */
#ifndef GTMUX_DISPLAY_UNIX_PATH_H
#define GTMUX_DISPLAY_UNIX_PATH_H

#include <stddef.h>

/* Makes room at the path: a socket there that nobody listens at, as a program leaves it that was killed, is removed. 0,
 * or -errno with a message: -EADDRINUSE when somebody listens there; -EEXIST when it is something else, which stays. */
int unix_path_clear(const char *path, char *err, size_t errsz);

#endif
