/* One line of JSON, with at most one descriptor, over a unix stream socket. Shared by both ends. */
#ifndef GTMUX_MEDIATOR_CONTROL_WIRE_H
#define GTMUX_MEDIATOR_CONTROL_WIRE_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <sys/un.h>

/* Reads up to '\n' into line (without it, terminated), and drops what follows. Waits at most timeout_ms in all. *fd
 * gets a passed descriptor, which is the caller's also when this fails, or -1. Length, 0 at end of file or for an empty
 * line, or -errno (-ETIMEDOUT; -EMSGSIZE: no newline in `size` bytes). */
int wire_read_line(int sock, char *line, size_t size, int timeout_ms, int *fd);
/* Sends the object as one line, with fd (which stays the caller's) unless it is -1. Waits at most 1 s in all for the
 * peer to read. 0 or -errno. */
int wire_send(int sock, const cJSON *json, int fd);
/* RUN_DIR/NAME and a suffix as a socket address (run_dir NULL: the default). 0 or -errno. */
int wire_address(struct sockaddr_un *sa, const char *run_dir, const char *name, const char *suffix);

#endif
