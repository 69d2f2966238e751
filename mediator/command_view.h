/*
 * What the subcommands that show a guest's screen have in common: their options, the connection to gtmux-dm, the way of
 * what comes there to the sink and back, and the loop that waits for both and for signals.
 */
#ifndef GTMUX_MEDIATOR_COMMAND_VIEW_H
#define GTMUX_MEDIATOR_COMMAND_VIEW_H

#include <argp.h>

#include "display/sink.h"
#include "mediator/qmp_input.h"

#define VIEW_GUESTS      9u
#define VIEW_FPS_DEFAULT 30u
#define VIEW_FPS_MAX     240u

struct view_common {
    const char *name, *run_dir;     /* of the guest; of its sockets, NULL: the default */
    const char *guest[VIEW_GUESTS]; /* all that were named, in order; a sink that takes several sets max_guests */
    unsigned guests, max_guests;
    unsigned at, changes; /* which of them is shown; how often another one was chosen */
    unsigned head;
    bool verbose;
    int signals; /* readable when SIGINT or SIGTERM has come; -1: not set up */
    struct viewer_events events;
    struct display_viewer *viewer;
    struct sink *sink;
    int error;       /* of an answer to gtmux-dm */
    const char *qmp; /* --qmp */
    struct qmp_input *input;
    /* Where the choice of a guest comes from: polled for input. fd -1: from nowhere; open of struct view_kind sets it.
     */
    struct {
        int fd;
        void (*dispatch)(void *ctx);
        void *ctx;
    } choice;
};

/* What a command is, besides its options. */
struct view_kind {
    bool paced, layers; /* as in struct viewer_events */
    bool early;         /* the sink is opened before the guest is looked for: what it was told wrong is told first */
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
/* For sinks that have next_guest. Shows guest number `which`, or the next one that is there in a direction (1 or -1).
 * False, after a message on stderr: there is none, and nothing changes. */
bool view_show(struct view_common *c, unsigned which);
bool view_show_next(struct view_common *c, int direction);
/* Closes what these have opened. */
void view_end(struct view_common *c);

/* For a sink; their ctx is a struct view_common. A mode is asked for as gtmux head NAME N mode=WxH@60 does; input
 * goes to QEMU, or nowhere. */
extern const struct sink_events view_events;

#endif
