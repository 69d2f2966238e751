/* Where control sockets live, and what a guest may be called. */
#ifndef GTMUX_MEDIATOR_RUN_DIR_H
#define GTMUX_MEDIATOR_RUN_DIR_H

#include <stdbool.h>
#include <stddef.h>

#define SESSION_NAME_MAX 48

/* Directory of control sockets: $GTMUX_RUN_DIR, else /run/gtmux for root, else $XDG_RUNTIME_DIR/gtmux, else
 * ~/.cache/gtmux/run. */
int run_dir_default(char *buf, size_t size);
/* Creates the directory (mode 0700) when missing. 0 or -errno. */
int run_dir_make(const char *dir);
/* True for a legal guest name. */
bool session_name_ok(const char *name);

#endif
