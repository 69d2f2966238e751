/* One line of JSON, with at most one descriptor, over a unix stream socket. Shared by both ends. */
#ifndef GTMUX_MEDIATOR_CONTROL_WIRE_H
#define GTMUX_MEDIATOR_CONTROL_WIRE_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <sys/un.h>

/* Reads up to '\n' into line (without it, terminated). Waits at most timeout_ms for each part. *fd gets a passed
 * descriptor or -1. Length, 0 at end of file, or -errno (-EMSGSIZE: no newline in `size` bytes). */
int wire_read_line(int sock, char *line, size_t size, int timeout_ms, int *fd);
/* Sends the object as one line, with fd unless it is -1. 0 or -errno. */
int wire_send(int sock, const cJSON *json, int fd);
/* RUN_DIR/NAME and a suffix as a socket address (run_dir NULL: the default). 0 or -errno. */
int wire_address(struct sockaddr_un *sa, const char *run_dir, const char *name, const char *suffix);

#endif
