/* gtmux kms: a guest's screen on a monitor of this machine; or of several guests, one at a time. */
#include <argp.h>
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

#define INPUT_DIR "/dev/input"

enum { OPT_DEVICE = 256, OPT_CONNECTOR, OPT_DRM_FD, OPT_COPY, OPT_HOTKEY, OPT_SWITCH };

struct kms_command {
    struct view_common view;
    struct kms_options opt;
    int epoll;             /* of the two below */
    unsigned modifiers;    /* of hotkeys; 0: none */
    struct hotkey *hotkey; /* NULL: none */
    struct kms_switch *commands;
    const char *switch_to; /* --switch */
};

static const struct argp_option option_rows[] = {
    {"device", OPT_DEVICE, "PATH", 0, "DRM device (default: the first with a connected monitor)", 0},
    {"connector", OPT_CONNECTOR, "NAME", 0, "Monitor, such as HDMI-A-1 (default: the first connected one)", 0},
    {"drm-fd", OPT_DRM_FD, "N", 0, "DRM device that is open as descriptor N, such as a lease", 0},
    {"copy", OPT_COPY, NULL, 0, "Copy each picture, even where the guest's memory could be shown", 0},
    {"hotkey", OPT_HOTKEY, "KEYS", 0,
     "ctrl, alt, shift, meta, joined by +: with 1 to 9 it shows that guest, with Page Down and Page Up the next and "
     "the one before (default ctrl+alt; none: no hotkeys)",
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

/* ---- several guests */

static void on_hotkey(void *ctx, int which)
{
    struct kms_command *c = ctx;

    if (which == HOTKEY_NEXT || which == HOTKEY_PREVIOUS)
        view_show_next(&c->view, which == HOTKEY_NEXT ? 1 : -1);
    else if ((unsigned)which <= c->view.guests && (unsigned)which - 1 != c->view.at)
        view_show(&c->view, (unsigned)which - 1);
}

static const char *on_command(void *ctx, const char *guest)
{
    struct kms_command *c = ctx;

    for (unsigned i = 0; i < c->view.guests; i++)
        if (!strcmp(c->view.guest[i], guest))
            return i == c->view.at || view_show(&c->view, i) ? NULL : "that guest is not running";
    return "it was not started with that guest";
}

static void on_choice(void *ctx)
{
    struct kms_command *c = ctx;

    if (c->commands)
        kms_switch_dispatch(c->commands);
    if (c->hotkey)
        hotkey_dispatch(c->hotkey);
}

static void add_fd(struct kms_command *c, int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

    (void)epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e);
}

static void open_hotkeys(struct kms_command *c)
{
    int rc = hotkey_open(&c->hotkey, INPUT_DIR, c->modifiers, on_hotkey, c);

    if (rc) {
        fprintf(stderr, "gtmux: no hotkeys: " INPUT_DIR ": %s\n", strerror(-rc));
        return;
    }
    add_fd(c, hotkey_fd(c->hotkey));
    if (!hotkey_keyboards(c->hotkey))
        fprintf(stderr, "gtmux: no hotkeys, as no keyboard in " INPUT_DIR
                        " can be read: one needs to be root, or of group input\n");
}

/* With one guest there is nothing to choose. Without keyboards there are no hotkeys, and commands do. */
static void open_choice(struct kms_command *c, const char *monitor)
{
    if (c->view.guests < 2)
        return;
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->view.choice.fd = c->epoll;
    c->view.choice.dispatch = on_choice;
    c->view.choice.ctx = c;
    int rc = kms_switch_open(&c->commands, c->view.run_dir, monitor, on_command, c);

    if (rc)
        fprintf(stderr, "gtmux: --switch does not reach this process: %s\n", strerror(-rc));
    else
        add_fd(c, kms_switch_fd(c->commands));
    if (c->modifiers)
        open_hotkeys(c);
}

static int ask_to_switch(const struct kms_command *c)
{
    char err[256];

    if (kms_switch_ask(c->view.run_dir, c->switch_to, err, sizeof(err)))
        return EXIT_SUCCESS;
    fprintf(stderr, "gtmux: %s\n", err);
    return EXIT_FAILURE;
}

/* ---- the sink */

static void print_stats(const struct sink *s)
{
    struct kms_stats st;

    kms_get_stats(s, &st);
    printf("%s: %llu flips, %llu cursor moves, %llu modes set, %llu frames imported, %llu bytes copied, "
           "%llu planes on overlays, %llu flips composed instead\n",
           kms_name(s), (unsigned long long)st.flips, (unsigned long long)st.cursor_moves,
           (unsigned long long)st.modesets, (unsigned long long)st.imports, (unsigned long long)st.bytes_copied,
           (unsigned long long)st.layers, (unsigned long long)st.refused);
}

static int open_sink(void *command, struct sink **out, char *err, size_t errsz)
{
    struct kms_command *c = command;
    int rc = kms_open(out, &c->opt, &view_events, &c->view, err, errsz);

    if (!rc)
        open_choice(c, kms_name(*out));
    return rc;
}

int command_kms(int argc, char **argv)
{
    static const struct view_kind kind = {.paced = true, .layers = true, .open = open_sink, .print_stats = print_stats};
    struct kms_command c = {
        .opt.fd = -1, .epoll = -1, .view.max_guests = VIEW_GUESTS, .modifiers = HOTKEY_CTRL | HOTKEY_ALT};
    int code = view_begin(&c.view, &parser, argc, argv, &c);

    if (!code)
        code = c.switch_to ? ask_to_switch(&c) : view_serve(&c.view, &kind, &c);
    if (c.view.verbose && c.view.changes)
        printf("%u changes of the guest\n", c.view.changes);
    view_end(&c.view);
    hotkey_close(c.hotkey);
    kms_switch_close(c.commands);
    if (c.epoll >= 0)
        close(c.epoll);
    return code;
}
