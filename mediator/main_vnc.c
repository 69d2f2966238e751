/* gtmux-vnc, which gtmux vnc runs: a guest's screen for VNC clients. A program of its own, because the libraries that
 * it needs have no business in the others. */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display/vnc.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define PORT_DEFAULT 5900u
#define FPS_DEFAULT  30u
#define FPS_MAX      240u

enum { OPT_UNIX = 256, OPT_LISTEN, OPT_FPS };

struct vnc_command {
    const char *name, *run_dir;
    unsigned head;
    bool verbose;
    char address[256];
    struct vnc_options opt;
    struct vnc *vnc;
    struct display_viewer *viewer;
    int error;
};

static const struct argp_option option_rows[] = {
    {"run-dir", 'r', "DIR", 0, "Directory of the control sockets", 0},
    {"head", 'H', "N", 0, "Which screen of the guest: 0, 1 or 2 (default 0)", 0},
    {"listen", OPT_LISTEN, "ADDRESS[:PORT]", 0, "Where to listen (default 127.0.0.1:5900)", 0},
    {"unix", OPT_UNIX, "PATH", 0, "Listen on this unix socket instead", 0},
    {"fps", OPT_FPS, "N", 0, "Pictures a second, at most (default 30)", 0},
    {"verbose", 'v', NULL, 0, "Print counters at the end", 0},
    {0},
};

static unsigned number(struct argp_state *state, const char *option, const char *text, unsigned min, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || text[0] == '-' || value < min || value > max)
        argp_error(state, "%s%s: give a whole number from %u to %u", option, text, min, max);
    return (unsigned)value;
}

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
        c->opt.port = (uint16_t)number(state, "--listen: port ", colon + 1, 1, UINT16_MAX);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct vnc_command *c = state->input;

    switch (key) {
    case 'r':
        c->run_dir = arg;
        return 0;
    case 'H':
        if (!view_head(arg, &c->head))
            argp_error(state, "--head=%s: give 0, 1 or 2", arg);
        return 0;
    case OPT_LISTEN:
        take_address(state, c, arg);
        return 0;
    case OPT_UNIX:
        c->opt.unix_path = arg;
        return 0;
    case OPT_FPS:
        c->opt.fps = number(state, "--fps=", arg, 1, FPS_MAX);
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
    .doc = "Serves a guest's screen to VNC clients until SIGINT, SIGTERM or the guest's end. There is neither password "
           "nor "
           "encryption: listen on this machine only, and let ssh carry it further. Clients look, their keys and "
           "pointers go nowhere.",
};

static void on_shown(void *ctx, uint32_t serial)
{
    struct vnc_command *c = ctx;

    c->error = viewer_shown(c->viewer, serial);
}

static void on_refresh(void *ctx)
{
    struct vnc_command *c = ctx;

    c->error = viewer_refresh(c->viewer);
}

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

static int timeout_ms(uint64_t until)
{
    uint64_t now = gt_clock_ns();

    return until == UINT64_MAX ? -1 : until <= now ? 0 : (int)GT_MIN((until - now + 999999) / 1000000, UINT64_C(60000));
}

static int run(struct vnc_command *c, int signals)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = viewer_fd(c->viewer), .events = POLLIN},
                           {.fd = vnc_fd(c->vnc), .events = POLLIN}};
    uint64_t next = UINT64_MAX;

    for (;;) {
        int n = poll(fds, GT_ARRAY_SIZE(fds), timeout_ms(next)), rc = 0;

        if (n < 0 && errno != EINTR)
            return EXIT_FAILURE;
        if (n > 0 && fds[0].revents)
            return EXIT_SUCCESS;
        if (n > 0 && fds[2].revents)
            vnc_dispatch(c->vnc);
        if (n > 0 && fds[1].revents)
            rc = viewer_dispatch(c->viewer);
        next = vnc_tick(c->vnc, gt_clock_ns());
        if (rc || c->error)
            return view_ended(c->name, rc ? rc : -ECONNRESET);
    }
}

static void print_stats(const struct vnc_command *c)
{
    struct vnc_stats st;

    vnc_get_stats(c->vnc, &st);
    printf("%llu pictures, %llu bytes copied, %llu looks for changes\n", (unsigned long long)st.pictures,
           (unsigned long long)st.bytes_copied, (unsigned long long)st.scans);
}

static int serve(struct vnc_command *c, int signals)
{
    static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor, .gone = on_gone};
    static const struct vnc_events vnc_events = {.shown = on_shown, .refresh = on_refresh};
    char err[256] = "";
    int code = EXIT_FAILURE;

    c->opt.address = c->address;
    c->opt.title = c->name;
    if (vnc_open(&c->vnc, &c->opt, &vnc_events, c, err, sizeof(err))) {
        fprintf(stderr, "gtmux: %s\n", err);
        return EXIT_FAILURE;
    }
    if (!view_connect(&c->viewer, c->run_dir, c->name, c->head, &events, c))
        code = run(c, signals);
    if (c->verbose)
        print_stats(c);
    viewer_close(c->viewer);
    vnc_close(c->vnc);
    return code;
}

int main(int argc, char **argv)
{
    struct vnc_command c = {.address = "127.0.0.1", .opt = {.port = PORT_DEFAULT, .fps = FPS_DEFAULT}};

    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &c))
        return EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN); /* neatvnc writes to clients that may have gone */
    int signals = view_signals();

    if (signals < 0) {
        fprintf(stderr, "gtmux: cannot wait for signals: %s\n", strerror(-signals));
        return EXIT_FAILURE;
    }
    int code = serve(&c, signals);

    close(signals);
    return code;
}
