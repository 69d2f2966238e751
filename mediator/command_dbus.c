/* gtmux dbus: a guest's screen for viewers of QEMU's D-Bus display. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/qemu_dbus.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "mediator/control_wire.h"

#define FPS_DEFAULT 30u
#define FPS_MAX     240u
#define SUFFIX      ".dbus"

enum { OPT_UNIX = 256, OPT_FPS };

struct dbus_command {
    struct view_common view; /* first */
    struct qdbus_options opt;
    struct sockaddr_un address;
    struct qdbus *qdbus;
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
        c->opt.fps = view_number(state, "--fps=", arg, 1, FPS_MAX);
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

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    qdbus_flip(((struct dbus_command *)ctx)->qdbus, f);
}

static void on_cursor(void *ctx, const struct viewer_cursor *cursor)
{
    qdbus_cursor(((struct dbus_command *)ctx)->qdbus, cursor);
}

static void on_gone(void *ctx, struct viewer_frame *f)
{
    qdbus_frame_gone(((struct dbus_command *)ctx)->qdbus, f);
}

static int dispatch(void *ctx)
{
    int rc = qdbus_dispatch(((struct dbus_command *)ctx)->qdbus);

    if (rc < 0)
        fprintf(stderr, "gtmux: the D-Bus loop broke: %s\n", strerror(-rc));
    return rc;
}

/* Sends what a flip has made. What breaks here breaks the next dispatch, too. */
static uint64_t tick(void *ctx, uint64_t now)
{
    (void)now;
    qdbus_dispatch(((struct dbus_command *)ctx)->qdbus);
    return UINT64_MAX;
}

static void print_stats(const struct dbus_command *c)
{
    struct qdbus_stats st;

    qdbus_get_stats(c->qdbus, &st);
    printf("pictures: %llu as dma-bufs, %llu as maps, %llu as pixels; %llu updates, %llu bytes copied\n",
           (unsigned long long)st.scanouts_dmabuf, (unsigned long long)st.scanouts_map,
           (unsigned long long)st.scanouts_pixels, (unsigned long long)st.updates, (unsigned long long)st.bytes_copied);
}

static int serve(struct dbus_command *c)
{
    static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor, .gone = on_gone, .paced = true};
    static const struct qdbus_events qdbus_events = {
        .shown = view_shown, .refresh = view_refresh, .resize = view_resize, .input = view_input};
    char err[256] = "";
    int code = EXIT_FAILURE;

    /* The guest first: its name is part of the socket's. */
    if (view_connect(&c->view, &events))
        return EXIT_FAILURE;
    if (!c->opt.path && !wire_address(&c->address, c->view.run_dir, c->view.name, SUFFIX))
        c->opt.path = c->address.sun_path;
    c->opt.name = c->view.name;
    c->opt.head = c->view.head;
    c->opt.input = c->view.input != NULL;
    if (qdbus_open(&c->qdbus, &c->opt, &qdbus_events, c, err, sizeof(err)))
        fprintf(stderr, "gtmux: %s\n", err);
    else
        code = view_run(&c->view, &(struct view_loop){qdbus_fd(c->qdbus), dispatch, tick});
    if (c->qdbus && c->view.verbose)
        print_stats(c);
    return code;
}

int command_dbus(int argc, char **argv)
{
    struct dbus_command c = {.opt.fps = FPS_DEFAULT};
    int code = view_begin(&parser, argc, argv, &c);

    if (!code && !(code = view_begin_input(&c.view)))
        code = serve(&c);
    view_end(&c.view);
    qdbus_close(c.qdbus);
    return code;
}
