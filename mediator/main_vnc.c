/* gtmux-vnc, which gtmux vnc runs: a guest's screen for VNC clients. A program of its own, because the libraries that
 * it needs have no business in the others. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/vnc.h"
#include "mediator/command_view.h"
#include "vgpu/base/clock.h"

#define PORT_DEFAULT 5900u
#define FPS_DEFAULT  30u
#define FPS_MAX      240u

enum { OPT_UNIX = 256, OPT_LISTEN, OPT_FPS };

struct vnc_command {
    struct view_common view; /* first */
    char address[256];
    struct vnc_options opt;
    struct vnc *vnc;
};

static const struct argp_option option_rows[] = {
    {"listen", OPT_LISTEN, "ADDRESS[:PORT]", 0, "Where to listen (default 127.0.0.1:5900)", 0},
    {"unix", OPT_UNIX, "PATH", 0, "Listen on this unix socket instead", 0},
    {"fps", OPT_FPS, "N", 0, "Pictures a second, at most (default 30)", 0},
    {0},
};

/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT. */
static void take_address(struct argp_state *state, struct vnc_command *c, const char *text)
{
    const char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');
    size_t n;

    if (colon && (bracket ? colon < bracket : strchr(text, ':') != colon))
        colon = NULL; /* part of an IPv6 address */
    n = colon ? (size_t)(colon - text) : strlen(text);
    if (bracket && text[0] == '[') {
        text++;
        n = (size_t)(bracket - text);
    }
    if (n >= sizeof(c->address) || !n) {
        argp_error(state, "--listen=%s: give ADDRESS or ADDRESS:PORT", text);
        return;
    }
    memcpy(c->address, text, n);
    c->address[n] = 0;
    if (colon)
        c->opt.port = (uint16_t)view_number(state, "--listen: port ", colon + 1, 1, UINT16_MAX);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct vnc_command *c = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = &c->view;
        return 0;
    case OPT_LISTEN:
        take_address(state, c, arg);
        return 0;
    case OPT_UNIX:
        c->opt.unix_path = arg;
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
    .doc = "Serves a guest's screen to VNC clients until SIGINT, SIGTERM or the guest's end. There is neither password "
           "nor encryption: listen on this machine only, and let ssh carry it further. Clients look, their keys and "
           "pointers go nowhere.",
    .children = children,
};

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    vnc_flip(((struct vnc_command *)ctx)->vnc, f, gt_clock_ns());
}

static void on_cursor(void *ctx, const struct viewer_cursor *cursor)
{
    vnc_cursor(((struct vnc_command *)ctx)->vnc, cursor);
}

static void on_gone(void *ctx, struct viewer_frame *f)
{
    vnc_frame_gone(((struct vnc_command *)ctx)->vnc, f);
}

static int dispatch(void *ctx)
{
    vnc_dispatch(((struct vnc_command *)ctx)->vnc);
    return 0;
}

static uint64_t tick(void *ctx, uint64_t now)
{
    return vnc_tick(((struct vnc_command *)ctx)->vnc, now);
}

static void print_stats(const struct vnc_command *c)
{
    struct vnc_stats st;

    vnc_get_stats(c->vnc, &st);
    printf("%llu pictures, %llu bytes copied, %llu looks for changes\n", (unsigned long long)st.pictures,
           (unsigned long long)st.bytes_copied, (unsigned long long)st.scans);
}

static int serve(struct vnc_command *c)
{
    static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor, .gone = on_gone};
    static const struct vnc_events vnc_events = {.shown = view_shown, .refresh = view_refresh};
    char err[256] = "";
    int code = EXIT_FAILURE;

    c->opt.address = c->address;
    c->opt.title = c->view.name;
    if (vnc_open(&c->vnc, &c->opt, &vnc_events, c, err, sizeof(err))) {
        fprintf(stderr, "gtmux: %s\n", err);
        return EXIT_FAILURE;
    }
    if (!view_connect(&c->view, &events))
        code = view_run(&c->view, &(struct view_loop){vnc_fd(c->vnc), dispatch, tick});
    if (c->view.verbose)
        print_stats(c);
    return code;
}

int main(int argc, char **argv)
{
    struct vnc_command c = {.address = "127.0.0.1", .opt = {.port = PORT_DEFAULT, .fps = FPS_DEFAULT}};
    int code = view_begin(&parser, argc, argv, &c);

    if (!code && !(code = view_begin_input(&c.view)))
        code = serve(&c);
    view_end(&c.view);
    vnc_close(c.vnc);
    return code;
}
