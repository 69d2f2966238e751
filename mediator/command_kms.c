/* gtmux kms: a guest's screen on a monitor of this machine. */
#include <argp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/kms.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "vgpu/base/clock.h"

#define TICK_NS UINT64_C(33000000) /* between looks for changes in a picture that is a copy */

enum { OPT_DEVICE = 256, OPT_CONNECTOR, OPT_DRM_FD, OPT_COPY };

struct kms_command {
    struct view_common view; /* first */
    struct kms_options opt;
    struct kms *kms;
    struct viewer_frame *frame; /* shown */
    uint64_t due;               /* when to look for changes */
    char told[256];             /* the last complaint: each is printed once */
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

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct kms_command *c = ctx;
    char err[256];

    c->frame = f->frame;
    c->due = gt_clock_ns() + TICK_NS;
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
static uint64_t tick(void *ctx, uint64_t now)
{
    struct kms_command *c = ctx;

    if (!kms_copies(c->kms))
        return UINT64_MAX;
    if (now < c->due)
        return c->due;
    if (c->frame && !c->frame->shared)
        view_refresh(c);
    kms_refresh(c->kms);
    return c->due = now + TICK_NS;
}

static int dispatch(void *ctx)
{
    struct kms_command *c = ctx;
    int rc = kms_dispatch(c->kms);

    if (rc)
        fprintf(stderr, "gtmux: the device %s has gone\n", kms_name(c->kms));
    return rc;
}

static void print_stats(const struct kms_command *c)
{
    struct kms_stats st;

    kms_get_stats(c->kms, &st);
    printf("%s: %llu flips, %llu cursor moves, %llu modes set, %llu frames imported, %llu bytes copied, "
           "%llu planes on overlays, %llu flips composed instead\n",
           kms_name(c->kms), (unsigned long long)st.flips, (unsigned long long)st.cursor_moves,
           (unsigned long long)st.modesets, (unsigned long long)st.imports, (unsigned long long)st.bytes_copied,
           (unsigned long long)st.layers, (unsigned long long)st.refused);
}

int command_kms(int argc, char **argv)
{
    static const struct viewer_events events = {
        .flip = on_flip, .cursor = on_cursor, .gone = on_gone, .paced = true, .layers = true};
    static const struct kms_events kms_events = {.shown = view_shown, .compose = view_compose};
    struct kms_command c = {.opt.fd = -1};
    char err[256] = "";
    int code = view_begin(&parser, argc, argv, &c);

    if (code)
        return code;
    code = EXIT_FAILURE;
    if (!view_connect(&c.view, &events)) {
        if (kms_open(&c.kms, &c.opt, &kms_events, &c, err, sizeof(err)))
            fprintf(stderr, "gtmux: %s\n", err);
        else
            code = view_run(&c.view, &(struct view_loop){kms_fd(c.kms), dispatch, tick});
    }
    if (c.kms && c.view.verbose)
        print_stats(&c);
    view_end(&c.view);
    kms_close(c.kms);
    return code;
}
