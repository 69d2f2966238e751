/* gtmux kms: a guest's screen on a monitor of this machine. */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display/kms.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "vgpu/base/bits.h"

#define TICK_MS 33 /* between looks for changes in a picture that is a copy */

enum { OPT_DEVICE = 256, OPT_CONNECTOR, OPT_DRM_FD, OPT_COPY };

struct kms_command {
    const char *name, *run_dir;
    unsigned head;
    bool verbose;
    struct kms_options opt;
    struct kms *kms;
    struct display_viewer *viewer;
    struct viewer_frame *frame; /* shown */
    char told[256];             /* the last complaint: each is printed once */
    int error;
};

static const struct argp_option option_rows[] = {
    {"run-dir", 'r', "DIR", 0, "Directory of the control sockets", 0},
    {"head", 'H', "N", 0, "Which screen of the guest: 0, 1 or 2 (default 0)", 0},
    {"device", OPT_DEVICE, "PATH", 0, "DRM device (default: the first with a connected monitor)", 0},
    {"connector", OPT_CONNECTOR, "NAME", 0, "Monitor, such as HDMI-A-1 (default: the first connected one)", 0},
    {"drm-fd", OPT_DRM_FD, "N", 0, "DRM device that is open as descriptor N, such as a lease", 0},
    {"copy", OPT_COPY, NULL, 0, "Copy each picture, even where the guest's memory could be shown", 0},
    {"verbose", 'v', NULL, 0, "Print counters at the end", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct kms_command *c = state->input;
    char *end;

    switch (key) {
    case 'r':
        c->run_dir = arg;
        return 0;
    case 'H':
        if (!view_head(arg, &c->head))
            argp_error(state, "--head=%s: give 0, 1 or 2", arg);
        return 0;
    case OPT_DEVICE:
        c->opt.device = arg;
        return 0;
    case OPT_CONNECTOR:
        c->opt.connector = arg;
        return 0;
    case OPT_DRM_FD:
        c->opt.fd = (int)strtol(arg, &end, 10);
        if (end == arg || *end || c->opt.fd < 0)
            argp_error(state, "--drm-fd=%s: give the number of an open descriptor", arg);
        return 0;
    case OPT_COPY:
        c->opt.copy = true;
        return 0;
    case 'v':
        c->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        if (c->name)
            argp_error(state, "unexpected argument '%s'", arg);
        c->name = arg;
        return 0;
    case ARGP_KEY_END:
        if (!c->name)
            argp_error(state, "the name of a guest is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_rows,
    .parser = parse_option,
    .args_doc = "NAME",
    .doc =
        "Shows a guest's screen on a monitor of this machine until SIGINT, SIGTERM or the guest's end, and then what "
        "was there before. Nothing else may use the monitor: run it from a text console, or on a DRM lease.",
};

static void on_shown(void *ctx, uint32_t serial)
{
    struct kms_command *c = ctx;

    c->error = viewer_shown(c->viewer, serial);
}

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct kms_command *c = ctx;
    char err[256];

    c->frame = f->frame;
    if (!kms_flip(c->kms, f, err, sizeof(err))) {
        c->told[0] = 0;
    } else if (strcmp(err, c->told) != 0) {
        fprintf(stderr, "gtmux: %s\n", err);
        snprintf(c->told, sizeof(c->told), "%s", err);
    }
}

static void on_cursor(void *ctx, const struct viewer_cursor *cursor)
{
    kms_cursor(((struct kms_command *)ctx)->kms, cursor);
}

static void on_gone(void *ctx, struct viewer_frame *f)
{
    struct kms_command *c = ctx;

    if (c->frame == f)
        c->frame = NULL;
    kms_frame_gone(c->kms, f);
}

/* Copies follow the guest only when somebody looks: we at shared frames, gtmux-dm at those that it copies. */
static void tick(struct kms_command *c)
{
    if (c->frame && !c->frame->shared)
        c->error = viewer_refresh(c->viewer);
    kms_refresh(c->kms);
}

static int run(struct kms_command *c, int signals)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = viewer_fd(c->viewer), .events = POLLIN},
                           {.fd = kms_fd(c->kms), .events = POLLIN}};

    for (;;) {
        int n = poll(fds, GT_ARRAY_SIZE(fds), kms_copies(c->kms) ? TICK_MS : -1), rc = 0;

        if (n < 0 && errno != EINTR)
            return EXIT_FAILURE;
        if (n > 0 && fds[0].revents)
            return EXIT_SUCCESS;
        if (n > 0 && fds[2].revents)
            rc = kms_dispatch(c->kms);
        if (rc) {
            fprintf(stderr, "gtmux: the device %s has gone\n", kms_name(c->kms));
            return EXIT_FAILURE;
        }
        if (n > 0 && fds[1].revents)
            rc = viewer_dispatch(c->viewer);
        if (n == 0)
            tick(c);
        if (rc || c->error)
            return view_ended(c->name, rc ? rc : -ECONNRESET);
    }
}

static void print_stats(const struct kms_command *c)
{
    struct kms_stats st;

    kms_get_stats(c->kms, &st);
    printf("%s: %llu flips, %llu cursor moves, %llu modes set, %llu frames imported, %llu bytes copied\n",
           kms_name(c->kms), (unsigned long long)st.flips, (unsigned long long)st.cursor_moves,
           (unsigned long long)st.modesets, (unsigned long long)st.imports, (unsigned long long)st.bytes_copied);
}

int command_kms(int argc, char **argv)
{
    static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor, .gone = on_gone, .paced = true};
    struct kms_command c = {.opt.fd = -1};
    char err[256] = "";

    if (argp_parse(&parser, argc, argv, 0, NULL, &c))
        return EXIT_USAGE;
    int signals = view_signals(), code = EXIT_FAILURE;

    if (signals < 0) {
        fprintf(stderr, "gtmux: cannot wait for signals: %s\n", strerror(-signals));
        return EXIT_FAILURE;
    }
    if (!view_connect(&c.viewer, c.run_dir, c.name, c.head, &events, &c)) {
        if (kms_open(&c.kms, &c.opt, on_shown, &c, err, sizeof(err)))
            fprintf(stderr, "gtmux: %s\n", err);
        else
            code = run(&c, signals);
    }
    if (c.kms && c.verbose)
        print_stats(&c);
    viewer_close(c.viewer);
    kms_close(c.kms);
    close(signals);
    return code;
}
