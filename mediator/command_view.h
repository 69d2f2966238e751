/*
 * What the subcommands that show a guest's screen have in common: their options, the connection to gtmux-dm, and the
 * loop that waits for it, for the sink and for signals. A command's own struct begins with a struct view_common, which
 * is what the handlers here are given as their ctx.
 */
#ifndef GTMUX_MEDIATOR_COMMAND_VIEW_H
#define GTMUX_MEDIATOR_COMMAND_VIEW_H

#include <argp.h>

#include "display/input.h"
#include "display/viewer.h"
#include "mediator/qmp_input.h"

#define VIEW_GUESTS 9u

struct view_common {
    const char *name, *run_dir;     /* of the guest; of its sockets, NULL: the default */
    const char *guest[VIEW_GUESTS]; /* all that were named, in order; a sink that takes several sets max_guests */
    unsigned guests, max_guests;
    unsigned head;
    bool verbose;
    int signals; /* readable when SIGINT or SIGTERM has come; -1: not set up */
    struct display_viewer *viewer;
    int error;       /* of an answer to gtmux-dm */
    const char *qmp; /* --qmp */
    struct qmp_input *input;
};

/* NAME, --head, --run-dir and --verbose, as a child of a command's parser, which gives it a struct view_common. */
extern const struct argp view_argp;
/* --qmp, likewise, for sinks whose viewers have keyboards and pointers. */
extern const struct argp view_input_argp;
/* A whole number of an option's argument (option: "--fps=", for the message), else it ends the program. */
unsigned view_number(struct argp_state *state, const char *option, const char *text, unsigned min, unsigned max);

/* Parses the command line into c, which begins with a struct view_common; blocks the signals that end the command. 0,
 * or the exit code after a message on stderr. */
int view_begin(const struct argp *parser, int argc, char **argv, void *c);
/* For sinks with input: takes up the way to QEMU, or says that there is none. 0, or the exit code after a message. */
int view_begin_input(struct view_common *c);
/* Connects to the guest's display socket. 0, or -errno after a message on stderr. */
int view_connect(struct view_common *c, const struct viewer_events *events);
/* Closes what these have opened. */
void view_end(struct view_common *c);

/* Handlers for a sink's events: answer a flip, or refuse its layers; ask to look for changes in copied frames; ask for
 * a mode, as gtmux head NAME N mode=WxH@60 does, or @30 (false: refused). */
void view_shown(void *ctx, uint32_t serial);
void view_compose(void *ctx, uint32_t serial);
void view_refresh(void *ctx);
bool view_resize(void *ctx, uint32_t width, uint32_t height);
/* An input_fn: to QEMU, or nowhere. */
void view_input(void *ctx, const struct input_event *e);

/* How the loop serves a sink. Both are called with the command's struct. */
struct view_loop {
    int fd; /* to be polled for input */
    /* It is readable. 0, or -errno after a message on stderr: the command fails; 1: the user has ended it. */
    int (*dispatch)(void *ctx);
    /* After everything else: does what is due at `now` (gt_clock_ns); when to be called again, UINT64_MAX: not before
     * something has happened. */
    uint64_t (*tick)(void *ctx, uint64_t now);
    /* The guest has gone. True: another viewer is connected. NULL: that is the end. */
    bool (*lost)(void *ctx);
};
/* Runs until a signal, the guest's end or the sink's. The exit code; the reason of a failure is on stderr. */
int view_run(struct view_common *c, const struct view_loop *loop);

#endif
