/* gtmux dbus: a guest's screen for viewers of QEMU's D-Bus display. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/qemu_dbus.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "mediator/control_wire.h"

#define SUFFIX ".dbus"

enum { OPT_UNIX = 256, OPT_FPS };

struct dbus_command {
    struct view_common view;
    struct qdbus_options opt;
    struct sockaddr_un address;
};

static const struct argp_option option_rows[] = {
    {"unix", OPT_UNIX, "PATH", 0, "Socket to listen on (default NAME.dbus beside the control socket)", 0},
    {"fps", OPT_FPS, "N", 0, "Looks for changes without a flip a second, at most (default 30)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct dbus_command *c = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = &c->view;
        return 0;
    case OPT_UNIX:
        c->opt.path = arg;
        return 0;
    case OPT_FPS:
        c->opt.fps = view_number(state, "--fps=", arg, 1, VIEW_FPS_MAX);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&view_argp, 0, NULL, 0}, {&view_input_argp, 0, NULL, 0}, {0}};
static const struct argp parser = {
    .options = option_rows,
    .parser = parse_option,
    .args_doc = "NAME",
    .doc = "Offers a guest's screen with the D-Bus interface of QEMU's display (org.qemu.Display1, peer to peer over a "
           "unix socket) until SIGINT, SIGTERM or the guest's end. With --qmp it has a keyboard and a mouse.",
    .children = children,
};

static void print_stats(const struct sink *s)
{
    struct qdbus_stats st;

    qdbus_get_stats(s, &st);
    printf("pictures: %llu as dma-bufs, %llu as maps, %llu as pixels; %llu updates, %llu bytes copied\n",
           (unsigned long long)st.scanouts_dmabuf, (unsigned long long)st.scanouts_map,
           (unsigned long long)st.scanouts_pixels, (unsigned long long)st.updates, (unsigned long long)st.bytes_copied);
}

static int open_sink(void *command, struct sink **out, char *err, size_t errsz)
{
    struct dbus_command *c = command;

    if (!c->opt.path && !wire_address(&c->address, c->view.run_dir, c->view.name, SUFFIX))
        c->opt.path = c->address.sun_path;
    c->opt.name = c->view.name;
    c->opt.head = c->view.head;
    c->opt.input = c->view.input != NULL;
    return qdbus_open(out, &c->opt, &view_events, &c->view, err, errsz);
}

int command_dbus(int argc, char **argv)
{
    static const struct view_kind kind = {.paced = true, .open = open_sink, .print_stats = print_stats};
    struct dbus_command c = {.opt.fps = VIEW_FPS_DEFAULT};
    int code = view_begin(&c.view, &parser, argc, argv, &c);

    if (!code && !(code = view_begin_input(&c.view)))
        code = view_serve(&c.view, &kind, &c);
    view_end(&c.view);
    return code;
}
