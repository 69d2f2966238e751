/* The files that stand for a GPU in /dev and /sys when `gtmux exec` runs a program. */
#ifndef GTMUX_MEDIATOR_EXEC_TREE_H
#define GTMUX_MEDIATOR_EXEC_TREE_H

#include <stddef.h>

/* Makes them in a new directory below $TMPDIR or /tmp; its path comes back in root. 0 or -errno. */
int exec_tree_make(char *root, size_t size);
void exec_tree_remove(const char *root);

#endif
