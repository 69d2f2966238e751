/* What the subcommands that show a guest's screen have in common. */
#ifndef GTMUX_MEDIATOR_COMMAND_VIEW_H
#define GTMUX_MEDIATOR_COMMAND_VIEW_H

#include "display/viewer.h"

/* Blocks SIGINT and SIGTERM and returns a descriptor that becomes readable when one comes, or -errno. */
int view_signals(void);
/* Connects to the display socket of guest `name`. 0, or -errno after a message on stderr. */
int view_connect(struct display_viewer **out, const char *run_dir, const char *name, unsigned head,
                 const struct viewer_events *events, void *ctx);
/* Says on stderr why viewer_dispatch failed; returns the exit code. */
int view_ended(const char *name, int error);
/* Parses the number of a head; false: it is none. */
bool view_head(const char *text, unsigned *head);

#endif
