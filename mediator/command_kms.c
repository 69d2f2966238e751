/* gtmux kms: a guest's screen on a monitor of this machine; or of several guests, one at a time. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "display/hotkey.h"
#include "display/kms.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "mediator/kms_switch.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define TICK_NS   UINT64_C(33000000) /* between looks for changes in a picture that is a copy */
#define INPUT_DIR "/dev/input"

enum { OPT_DEVICE = 256, OPT_CONNECTOR, OPT_DRM_FD, OPT_COPY, OPT_HOTKEY, OPT_SWITCH };

struct kms_command {
    struct view_common view; /* first */
    struct kms_options opt;
    struct kms *kms;
    struct viewer_frame *frame; /* shown */
    uint64_t due;               /* when to look for changes */
    char told[256];             /* the last complaint: each is printed once */
    int epoll;                  /* of all below */
    unsigned modifiers;         /* of hotkeys; 0: none */
    struct hotkey *hotkey;      /* NULL: none */
    struct kms_switch *commands;
    unsigned at; /* which of view.guest is shown */
    unsigned switches;
    const char *switch_to; /* --switch */
};

static const struct argp_option option_rows[] = {
    {"device", OPT_DEVICE, "PATH", 0, "DRM device (default: the first with a connected monitor)", 0},
    {"connector", OPT_CONNECTOR, "NAME", 0, "Monitor, such as HDMI-A-1 (default: the first connected one)", 0},
    {"drm-fd", OPT_DRM_FD, "N", 0, "DRM device that is open as descriptor N, such as a lease", 0},
    {"copy", OPT_COPY, NULL, 0, "Copy each picture, even where the guest's memory could be shown", 0},
    {"hotkey", OPT_HOTKEY, "KEYS", 0,
     "ctrl, alt, shift, meta, joined by +: with 1 to 9 it shows that guest, with Page Down and Page Up the next and "
     "the "
     "one before (default ctrl+alt; none: no hotkeys)",
     0},
    {"switch", OPT_SWITCH, "NAME", 0, "Let the gtmux kms that runs show this one of its guests", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct kms_command *c = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &c->view;
        return 0;
    case OPT_HOTKEY:
        if (!hotkey_modifiers(arg, &c->modifiers))
            argp_error(state, "--hotkey=%s: give ctrl, alt, shift and meta, joined by +, or none", arg);
        return 0;
    case OPT_SWITCH:
        c->switch_to = c->view.name = arg;
        return 0;
    case ARGP_KEY_END:
        if (c->switch_to && c->view.guests)
            argp_error(state, "--switch=%s: name no other guest", c->switch_to);
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
    .args_doc = "NAME...",
    .doc = "Shows a guest's screen on a monitor of this machine until SIGINT, SIGTERM or the guest's end, and then "
           "what was there before. Nothing else may use the monitor: run it from a text console, or on a DRM lease. "
           "Of several guests it shows one; hotkeys and --switch choose.",
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

/* ---- several guests */

static const struct viewer_events viewer_events = {
    .flip = on_flip, .cursor = on_cursor, .gone = on_gone, .paced = true, .layers = true};

/* Connects to guest number `which` in place of the one that is shown. False: it is not there, and nothing changes. */
static bool show(struct kms_command *c, unsigned which)
{
    struct display_viewer *old = c->view.viewer;
    const char *old_name = c->view.name;

    kms_next_guest(c->kms); /* its answers go to the old one */
    c->view.viewer = NULL;
    c->view.name = c->view.guest[which];
    if (view_connect(&c->view, &viewer_events)) {
        c->view.viewer = old;
        c->view.name = old_name;
        return false;
    }
    viewer_close(old);
    c->view.error = 0;
    c->at = which;
    c->switches++;
    if (c->view.verbose)
        fprintf(stderr, "gtmux: %s shows %s\n", kms_name(c->kms), c->view.name);
    return true;
}

/* The next guest that is there, in a direction (1 or -1), but the one that is shown. False: there is none. */
static bool show_next(struct kms_command *c, int direction)
{
    const unsigned n = c->view.guests;

    for (unsigned i = 1; i < n; i++)
        if (show(c, (c->at + (direction > 0 ? i : n - i)) % n))
            return true;
    return false;
}

static void on_hotkey(void *ctx, int which)
{
    struct kms_command *c = ctx;

    if (which == HOTKEY_NEXT || which == HOTKEY_PREVIOUS)
        show_next(c, which == HOTKEY_NEXT ? 1 : -1);
    else if ((unsigned)which <= c->view.guests && (unsigned)which - 1 != c->at)
        show(c, (unsigned)which - 1);
}

static const char *on_command(void *ctx, const char *guest)
{
    struct kms_command *c = ctx;

    for (unsigned i = 0; i < c->view.guests; i++)
        if (!strcmp(c->view.guest[i], guest))
            return i == c->at || show(c, i) ? NULL : "that guest is not running";
    return "it was not started with that guest";
}

static bool on_lost(void *ctx)
{
    return show_next(ctx, 1);
}

static void add_fd(struct kms_command *c, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

    (void)epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e);
}

/* With one guest there is nothing to choose. Without keyboards there are no hotkeys, and commands do. */
static void open_switches(struct kms_command *c)
{
    if (c->view.guests < 2)
        return;
    int rc = kms_switch_open(&c->commands, c->view.run_dir, kms_name(c->kms), on_command, c);

    if (rc)
        fprintf(stderr, "gtmux: --switch does not reach this process: %s\n", strerror(-rc));
    else
        add_fd(c, kms_switch_fd(c->commands));
    if (!c->modifiers)
        return;
    rc = hotkey_open(&c->hotkey, INPUT_DIR, c->modifiers, on_hotkey, c);
    if (rc)
        fprintf(stderr, "gtmux: no hotkeys: " INPUT_DIR ": %s\n", strerror(-rc));
    else
        add_fd(c, hotkey_fd(c->hotkey));
    if (c->hotkey && !hotkey_keyboards(c->hotkey))
        fprintf(stderr, "gtmux: no hotkeys, as no keyboard in " INPUT_DIR
                        " can be read: one needs to be root, or of group input\n");
}

static int dispatch(void *ctx)
{
    struct kms_command *c = ctx;
    struct epoll_event e[3];
    int n = epoll_wait(c->epoll, e, GT_ARRAY_SIZE(e), 0), rc = 0;

    for (int i = 0; i < n && !rc; i++) {
        if (e[i].data.fd == kms_fd(c->kms))
            rc = kms_dispatch(c->kms);
        else if (c->commands && e[i].data.fd == kms_switch_fd(c->commands))
            kms_switch_dispatch(c->commands);
        else
            hotkey_dispatch(c->hotkey);
    }
    if (rc)
        fprintf(stderr, "gtmux: the device %s has gone\n", kms_name(c->kms));
    return rc;
}

/* The first of the guests that is there. 0 or -errno after a message. */
static int connect_first(struct kms_command *c)
{
    int rc = -ENOENT;

    for (c->at = 0; c->at < c->view.guests; c->at++) {
        c->view.name = c->view.guest[c->at];
        rc = view_connect(&c->view, &viewer_events);
        if (!rc)
            return 0;
    }
    return rc;
}

static int ask_to_switch(const struct kms_command *c)
{
    char err[256];

    if (kms_switch_ask(c->view.run_dir, c->switch_to, err, sizeof(err)))
        return EXIT_SUCCESS;
    fprintf(stderr, "gtmux: %s\n", err);
    return EXIT_FAILURE;
}

static void print_stats(const struct kms_command *c)
{
    struct kms_stats st;

    kms_get_stats(c->kms, &st);
    printf("%s: %llu flips, %llu cursor moves, %llu modes set, %llu frames imported, %llu bytes copied, "
           "%llu planes on overlays, %llu flips composed instead, %u changes of the guest\n",
           kms_name(c->kms), (unsigned long long)st.flips, (unsigned long long)st.cursor_moves,
           (unsigned long long)st.modesets, (unsigned long long)st.imports, (unsigned long long)st.bytes_copied,
           (unsigned long long)st.layers, (unsigned long long)st.refused, c->switches);
}

static int run(struct kms_command *c)
{
    static const struct kms_events kms_events = {.shown = view_shown, .compose = view_compose};
    char err[256] = "";

    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->epoll < 0 || connect_first(c))
        return EXIT_FAILURE;
    if (kms_open(&c->kms, &c->opt, &kms_events, c, err, sizeof(err))) {
        fprintf(stderr, "gtmux: %s\n", err);
        return EXIT_FAILURE;
    }
    add_fd(c, kms_fd(c->kms));
    open_switches(c);
    int code = view_run(&c->view, &(struct view_loop){c->epoll, dispatch, tick, on_lost});

    if (c->view.verbose)
        print_stats(c);
    return code;
}

int command_kms(int argc, char **argv)
{
    struct kms_command c = {
        .opt.fd = -1, .epoll = -1, .view.max_guests = VIEW_GUESTS, .modifiers = HOTKEY_CTRL | HOTKEY_ALT};
    int code = view_begin(&parser, argc, argv, &c);

    if (!code)
        code = c.switch_to ? ask_to_switch(&c) : run(&c);
    view_end(&c.view);
    hotkey_close(c.hotkey);
    kms_switch_close(c.commands);
    kms_close(c.kms);
    if (c.epoll >= 0)
        close(c.epoll);
    return code;
}
