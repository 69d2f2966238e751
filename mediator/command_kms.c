/* gtmux kms: a guest's screen on a monitor of this machine. */
#include <argp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/kms.h"
#include "mediator/command.h"
#include "mediator/command_view.h"

enum { OPT_DEVICE = 256, OPT_CONNECTOR, OPT_DRM_FD, OPT_COPY };

struct kms_command {
    struct view_common view;
    struct kms_options opt;
};

static const struct argp_option option_rows[] = {
    {"device", OPT_DEVICE, "PATH", 0, "DRM device (default: the first with a connected monitor)", 0},
    {"connector", OPT_CONNECTOR, "NAME", 0, "Monitor, such as HDMI-A-1 (default: the first connected one)", 0},
    {"drm-fd", OPT_DRM_FD, "N", 0, "DRM device that is open as descriptor N, such as a lease", 0},
    {"copy", OPT_COPY, NULL, 0, "Copy each picture, even where the guest's memory could be shown", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct kms_command *c = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &c->view;
        return 0;
    case OPT_DEVICE:
        c->opt.device = arg;
        return 0;
    case OPT_CONNECTOR:
        c->opt.connector = arg;
        return 0;
    case OPT_DRM_FD:
        c->opt.fd = (int)view_number(state, "--drm-fd=", arg, 0, INT_MAX);
        return 0;
    case OPT_COPY:
        c->opt.copy = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&view_argp, 0, NULL, 0}, {0}};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse_option,
    .args_doc = "NAME",
    .doc = "Shows a guest's screen on a monitor of this machine until SIGINT, SIGTERM or the guest's end, and then "
           "what was there before. Nothing else may use the monitor: run it from a text console, or on a DRM lease.",
    .children = children,
};

static void print_stats(const struct sink *s)
{
    struct kms_stats st;

    kms_get_stats(s, &st);
    printf("%s: %llu flips, %llu cursor moves, %llu modes set, %llu frames imported, %llu bytes copied\n", kms_name(s),
           (unsigned long long)st.flips, (unsigned long long)st.cursor_moves, (unsigned long long)st.modesets,
           (unsigned long long)st.imports, (unsigned long long)st.bytes_copied);
}

static int open_sink(void *command, struct sink **out, char *err, size_t errsz)
{
    struct kms_command *c = command;

    return kms_open(out, &c->opt, &view_events, &c->view, err, errsz);
}

int command_kms(int argc, char **argv)
{
    static const struct view_kind kind = {.paced = true, .open = open_sink, .print_stats = print_stats};
    struct kms_command c = {.opt.fd = -1};
    int code = view_begin(&c.view, &parser, argc, argv, &c);

    if (!code)
        code = view_serve(&c.view, &kind, &c);
    view_end(&c.view);
    return code;
}
