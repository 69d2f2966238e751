/*
 * What the subcommands that show a guest's screen have in common: their options, the connection to gtmux-dm, the way of
 * what comes there to the sink and back, and the loop that waits for both and for signals.
 */
#ifndef GTMUX_MEDIATOR_COMMAND_VIEW_H
#define GTMUX_MEDIATOR_COMMAND_VIEW_H

#include <argp.h>

#include "display/sink.h"
#include "mediator/qmp_input.h"

#define VIEW_FPS_DEFAULT 30u
#define VIEW_FPS_MAX     240u

struct view_common {
    const char *name, *run_dir; /* of the guest; of its sockets, NULL: the default */
    unsigned head;
    bool verbose;
    int signals; /* readable when SIGINT or SIGTERM has come; -1: not set up */
    struct display_viewer *viewer;
    struct sink *sink;
    int error;       /* of an answer to gtmux-dm */
    const char *qmp; /* --qmp */
    struct qmp_input *input;
};

/* What a command is, besides its options. */
struct view_kind {
    bool paced; /* as in struct viewer_events */
    /* Opens the sink, with &view_events and the command's struct view_common as their ctx. 0 or -errno with a message.
     */
    int (*open)(void *command, struct sink **out, char *err, size_t errsz);
    void (*print_stats)(const struct sink *s); /* for --verbose */
};

/* NAME, --head, --run-dir and --verbose, as a child of a command's parser, which gives it a struct view_common. */
extern const struct argp view_argp;
/* --qmp, likewise, for sinks whose viewers have keyboards and pointers. */
extern const struct argp view_input_argp;
/* A whole number of an option's argument (option: "--fps=", for the message), else it ends the program. */
unsigned view_number(struct argp_state *state, const char *option, const char *text, unsigned min, unsigned max);

/* Parses the command line into `command`, which c is a part of; blocks the signals that end the command. 0, or the exit
 * code after a message on stderr. */
int view_begin(struct view_common *c, const struct argp *parser, int argc, char **argv, void *command);
/* For sinks with input: takes up the way to QEMU, or says that there is none. 0, or the exit code after a message. */
int view_begin_input(struct view_common *c);
/* Connects to the guest, opens the sink, and serves both until a signal, the guest's end or the sink's. The exit code;
 * the reason of a failure is on stderr. */
int view_serve(struct view_common *c, const struct view_kind *kind, void *command);
/* Closes what these have opened. */
void view_end(struct view_common *c);

/* For a sink; their ctx is a struct view_common. A mode is asked for as gtmux head NAME N mode=WxH@60 does, or @30;
 * input goes to QEMU, or nowhere. */
extern const struct sink_events view_events;

#endif
