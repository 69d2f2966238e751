#include "mediator/command_view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "mediator/command.h"
#include "mediator/control.h"
#include "mediator/control_wire.h"
#include "mediator/session.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

/* ---- options */

static const struct argp_option option_rows[] = {
    {"run-dir", 'r', "DIR", 0, "Directory of the control sockets", 0},
    {"head", 'H', "N", 0, "Which screen of the guest: 0, 1 or 2 (default 0)", 0},
    {"verbose", 'v', NULL, 0, "Print counters at the end", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct view_common *c = state->input;

    switch (key) {
    case 'r':
        c->run_dir = arg;
        return 0;
    case 'H':
        if (strlen(arg) != 1 || arg[0] < '0' || arg[0] > '2')
            argp_error(state, "--head=%s: give 0, 1 or 2", arg);
        c->head = (unsigned)(arg[0] - '0');
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

const struct argp view_argp = {.options = option_rows, .parser = parse_option};

static const struct argp_option input_rows[] = {
    {"qmp", 'q', "PATH", 0, "QEMU's -qmp unix socket, for keyboard and pointer (default: they go nowhere)", 0},
    {0},
};

static error_t parse_input_option(int key, char *arg, struct argp_state *state)
{
    if (key != 'q')
        return ARGP_ERR_UNKNOWN;
    ((struct view_common *)state->input)->qmp = arg;
    return 0;
}

const struct argp view_input_argp = {.options = input_rows, .parser = parse_input_option};

unsigned view_number(struct argp_state *state, const char *option, const char *text, unsigned min, unsigned max)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || text[0] == '-' || value < min || value > max)
        argp_error(state, "%s%s: give a whole number from %u to %u", option, text, min, max);
    return (unsigned)value;
}

/* ---- life */

/* A descriptor that becomes readable when a signal comes that ends us, or -errno. */
static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int view_begin(const struct argp *parser, int argc, char **argv, void *ctx)
{
    struct view_common *c = ctx;

    c->signals = -1;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(parser, argc, argv, 0, NULL, ctx))
        return EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN); /* what a sink writes to may have gone */
    c->signals = open_signals();
    if (c->signals >= 0)
        return 0;
    fprintf(stderr, "gtmux: cannot wait for signals: %s\n", strerror(-c->signals));
    return EXIT_FAILURE;
}

int view_begin_input(struct view_common *c)
{
    if (!c->qmp) {
        fprintf(stderr, "gtmux: keyboard and pointer go nowhere: give --qmp=PATH, the socket of QEMU's -qmp "
                        "unix:PATH,server=on,wait=off\n");
        return 0;
    }
    int rc = qmp_input_open(&c->input, c->qmp);

    if (rc)
        fprintf(stderr, "gtmux: --qmp=%s: %s\n", c->qmp, strerror(-rc));
    return rc ? EXIT_USAGE : 0;
}

int view_connect(struct view_common *c, const struct viewer_events *events)
{
    struct sockaddr_un a;
    char err[256] = "";
    int rc = session_name_ok(c->name) ? wire_address(&a, c->run_dir, c->name, DISPLAY_SOCKET_SUFFIX) : -ENOENT;

    if (!rc)
        rc = viewer_connect(&c->viewer, a.sun_path, c->head, events, c, err, sizeof(err));
    if (rc == -ENOENT || rc == -ECONNREFUSED)
        fprintf(stderr, "gtmux: no guest '%s' is running; 'gtmux list' shows those that are\n", c->name);
    else if (rc)
        fprintf(stderr, "gtmux: %s\n", err[0] ? err : strerror(-rc));
    return rc;
}

void view_end(struct view_common *c)
{
    viewer_close(c->viewer);
    c->viewer = NULL;
    qmp_input_close(c->input);
    c->input = NULL;
    if (c->signals >= 0)
        close(c->signals);
    c->signals = -1;
}

/* ---- what sinks ask for */

void view_shown(void *ctx, uint32_t serial)
{
    struct view_common *c = ctx;
    int rc = c->viewer ? viewer_shown(c->viewer, serial) : 0;

    c->error = c->error ? c->error : rc;
}

void view_refresh(void *ctx)
{
    struct view_common *c = ctx;
    int rc = c->viewer ? viewer_refresh(c->viewer) : 0;

    c->error = c->error ? c->error : rc;
}

/* Every size that a head can have is within its pixel clock at this rate. */
#define RESIZE_HZ 60u

bool view_resize(void *ctx, uint32_t width, uint32_t height)
{
    const struct view_common *c = ctx;
    cJSON *request = cJSON_CreateObject(), *answer = NULL;
    char mode[32];
    int sock = control_connect(c->run_dir, c->name);

    snprintf(mode, sizeof(mode), "%ux%u@%u", width, height, RESIZE_HZ);
    cJSON_AddStringToObject(request, "cmd", "head");
    cJSON_AddNumberToObject(request, "head", c->head);
    cJSON_AddTrueToObject(request, "connected");
    cJSON_AddStringToObject(request, "mode", mode);
    if (sock >= 0) {
        answer = control_ask(sock, request, NULL);
        close(sock);
    }
    const bool done = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"));

    cJSON_Delete(answer);
    cJSON_Delete(request);
    return done;
}

void view_input(void *ctx, const struct input_event *e)
{
    struct view_common *c = ctx;

    if (c->input)
        qmp_input_event(c->input, e);
}

/* ---- the loop */

/* Says why viewer_dispatch failed. */
static int lost(const struct view_common *c, int error)
{
    if (error == -EPROTO)
        fprintf(stderr, "gtmux: the gtmux-dm of '%s' says what cannot be: %s\n", c->name, strerror(-error));
    else
        fprintf(stderr, "gtmux: the gtmux-dm of '%s' has gone, or takes no more viewers\n", c->name);
    return EXIT_FAILURE;
}

static int timeout_ms(uint64_t until)
{
    uint64_t now = gt_clock_ns();

    return until == UINT64_MAX ? -1 : until <= now ? 0 : (int)GT_MIN((until - now + 999999) / 1000000, UINT64_C(60000));
}

enum { FD_SIGNALS, FD_VIEWER, FD_SINK, FD_INPUT, FDS };

/* What has come, and what is due: *next is when to look again. 0: go on; else as dispatch of struct view_loop. */
static int step(struct view_common *c, const struct view_loop *loop, const struct pollfd *fds, uint64_t *next)
{
    int rc = fds[FD_SINK].revents ? loop->dispatch(c) : 0;

    if (rc)
        return rc;
    if (fds[FD_VIEWER].revents)
        rc = viewer_dispatch(c->viewer);
    *next = loop->tick(c, gt_clock_ns());
    if (rc || c->error)
        return -lost(c, rc ? rc : -ECONNRESET);
    if (!c->input)
        return 0;
    qmp_input_dispatch(c->input, fds[FD_INPUT].revents);
    *next = GT_MIN(*next, qmp_input_tick(c->input, gt_clock_ns()));
    return 0;
}

int view_run(struct view_common *c, const struct view_loop *loop)
{
    struct pollfd fds[FDS] = {[FD_SIGNALS] = {.fd = c->signals, .events = POLLIN},
                              [FD_VIEWER] = {.fd = viewer_fd(c->viewer), .events = POLLIN},
                              [FD_SINK] = {.fd = loop->fd, .events = POLLIN},
                              [FD_INPUT] = {.fd = -1}};
    uint64_t next = 0;

    for (;;) {
        if (c->input) {
            fds[FD_INPUT].fd = qmp_input_fd(c->input);
            fds[FD_INPUT].events = qmp_input_poll(c->input);
        }
        int n = poll(fds, FDS, timeout_ms(next));

        if (n < 0 && errno != EINTR)
            return EXIT_FAILURE;
        for (unsigned i = 0; n <= 0 && i < FDS; i++)
            fds[i].revents = 0;
        if (fds[FD_SIGNALS].revents)
            return EXIT_SUCCESS;
        int rc = step(c, loop, fds, &next);

        if (rc)
            return rc > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
}
