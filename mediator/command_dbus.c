/* gtmux dbus: a guest's screen for viewers of QEMU's D-Bus display. */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "display/qemu_dbus.h"
#include "mediator/command.h"
#include "mediator/command_view.h"
#include "mediator/control.h"
#include "mediator/control_wire.h"
#include "vgpu/base/bits.h"

#define FPS_DEFAULT 30u
#define FPS_MAX     240u
#define SUFFIX      ".dbus"

enum { OPT_UNIX = 256, OPT_FPS };

struct dbus_command {
    const char *name, *run_dir;
    bool verbose;
    struct qdbus_options opt;
    struct sockaddr_un address;
    struct qdbus *qdbus;
    struct display_viewer *viewer;
    int error;
};

static const struct argp_option option_rows[] = {
    {"run-dir", 'r', "DIR", 0, "Directory of the control sockets", 0},
    {"head", 'H', "N", 0, "Which screen of the guest: 0, 1 or 2 (default 0)", 0},
    {"unix", OPT_UNIX, "PATH", 0, "Socket to listen on (default NAME.dbus beside the control socket)", 0},
    {"fps", OPT_FPS, "N", 0, "Looks for changes without a flip a second, at most (default 30)", 0},
    {"verbose", 'v', NULL, 0, "Print counters at the end", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct dbus_command *c = state->input;
    char *end;

    switch (key) {
    case 'r':
        c->run_dir = arg;
        return 0;
    case 'H':
        if (!view_head(arg, &c->opt.head))
            argp_error(state, "--head=%s: give 0, 1 or 2", arg);
        return 0;
    case OPT_UNIX:
        c->opt.path = arg;
        return 0;
    case OPT_FPS:
        c->opt.fps = (unsigned)strtoul(arg, &end, 10);
        if (end == arg || *end || c->opt.fps < 1 || c->opt.fps > FPS_MAX)
            argp_error(state, "--fps=%s: give a whole number from 1 to %u", arg, FPS_MAX);
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
    .doc = "Offers a guest's screen with the D-Bus interface of QEMU's display (org.qemu.Display1, peer to peer over a "
           "unix "
           "socket) until SIGINT, SIGTERM or the guest's end. Keyboard and mouse are QEMU's own.",
};

static void on_shown(void *ctx, uint32_t serial)
{
    struct dbus_command *c = ctx;

    c->error = viewer_shown(c->viewer, serial);
}

static void on_refresh(void *ctx)
{
    struct dbus_command *c = ctx;

    c->error = viewer_refresh(c->viewer);
}

/* As gtmux head NAME N mode=WxH@60. */
static bool on_resize(void *ctx, uint32_t width, uint32_t height)
{
    const struct dbus_command *c = ctx;
    cJSON *request = cJSON_CreateObject(), *answer = NULL;
    char mode[32];
    int sock = control_connect(c->run_dir, c->name);

    snprintf(mode, sizeof(mode), "%ux%u@60", width, height);
    cJSON_AddStringToObject(request, "cmd", "head");
    cJSON_AddNumberToObject(request, "head", c->opt.head);
    cJSON_AddTrueToObject(request, "connected");
    cJSON_AddStringToObject(request, "mode", mode);
    if (sock >= 0) {
        answer = control_ask(sock, request, NULL);
        close(sock);
    }
    bool ok = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"));

    cJSON_Delete(answer);
    cJSON_Delete(request);
    return ok;
}

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

static int run(struct dbus_command *c, int signals)
{
    struct pollfd fds[] = {{.fd = signals, .events = POLLIN},
                           {.fd = viewer_fd(c->viewer), .events = POLLIN},
                           {.fd = qdbus_fd(c->qdbus), .events = POLLIN}};

    for (;;) {
        int n = poll(fds, GT_ARRAY_SIZE(fds), -1), rc = 0;

        if (n < 0 && errno != EINTR)
            return EXIT_FAILURE;
        if (n > 0 && fds[0].revents)
            return EXIT_SUCCESS;
        if (n > 0 && fds[1].revents)
            rc = viewer_dispatch(c->viewer);
        if (rc || c->error)
            return view_ended(c->name, rc ? rc : -ECONNRESET);
        rc = qdbus_dispatch(c->qdbus); /* also sends what the flip has made */
        if (rc < 0) {
            fprintf(stderr, "gtmux: the D-Bus loop broke: %s\n", strerror(-rc));
            return EXIT_FAILURE;
        }
    }
}

static void print_stats(const struct dbus_command *c)
{
    struct qdbus_stats st;

    qdbus_get_stats(c->qdbus, &st);
    printf("pictures: %llu as dma-bufs, %llu as maps, %llu as pixels; %llu updates, %llu bytes copied\n",
           (unsigned long long)st.scanouts_dmabuf, (unsigned long long)st.scanouts_map,
           (unsigned long long)st.scanouts_pixels, (unsigned long long)st.updates, (unsigned long long)st.bytes_copied);
}

static int serve(struct dbus_command *c, int signals)
{
    static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor, .gone = on_gone, .paced = true};
    static const struct qdbus_events qdbus_events = {.shown = on_shown, .refresh = on_refresh, .resize = on_resize};
    char err[256] = "";
    int code = EXIT_FAILURE;

    /* The guest first: its name is part of the socket's. */
    if (view_connect(&c->viewer, c->run_dir, c->name, c->opt.head, &events, c))
        return EXIT_FAILURE;
    if (!c->opt.path && !wire_address(&c->address, c->run_dir, c->name, SUFFIX))
        c->opt.path = c->address.sun_path;
    c->opt.name = c->name;
    if (qdbus_open(&c->qdbus, &c->opt, &qdbus_events, c, err, sizeof(err)))
        fprintf(stderr, "gtmux: %s\n", err);
    else
        code = run(c, signals);
    if (c->qdbus && c->verbose)
        print_stats(c);
    viewer_close(c->viewer);
    qdbus_close(c->qdbus);
    return code;
}

int command_dbus(int argc, char **argv)
{
    struct dbus_command c = {.opt.fps = FPS_DEFAULT};

    if (argp_parse(&parser, argc, argv, 0, NULL, &c))
        return EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN);
    int signals = view_signals();

    if (signals < 0) {
        fprintf(stderr, "gtmux: cannot wait for signals: %s\n", strerror(-signals));
        return EXIT_FAILURE;
    }
    int code = serve(&c, signals);

    close(signals);
    return code;
}
