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
        if (c->name && c->guests >= c->max_guests)
            argp_error(state, "unexpected argument '%s'", arg);
        c->name = c->name ? c->name : arg;
        if (c->guests < VIEW_GUESTS)
            c->guest[c->guests++] = arg;
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

int view_begin(struct view_common *c, const struct argp *parser, int argc, char **argv, void *command)
{
    c->signals = -1;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(parser, argc, argv, 0, NULL, command))
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

void view_end(struct view_common *c)
{
    viewer_close(c->viewer);
    c->viewer = NULL;
    if (c->sink)
        c->sink->ops->close(c->sink); /* lets keys go: before the way to QEMU is closed */
    c->sink = NULL;
    qmp_input_close(c->input);
    c->input = NULL;
    if (c->signals >= 0)
        close(c->signals);
    c->signals = -1;
}

/* ---- what sinks ask for */

static void on_shown(void *ctx, uint32_t serial)
{
    struct view_common *c = ctx;
    int rc = c->viewer ? viewer_shown(c->viewer, serial) : 0;

    c->error = c->error ? c->error : rc;
}

static void on_compose(void *ctx, uint32_t serial)
{
    struct view_common *c = ctx;
    int rc = c->viewer ? viewer_compose(c->viewer, serial) : 0;

    c->error = c->error ? c->error : rc;
}

static void on_refresh(void *ctx)
{
    struct view_common *c = ctx;
    int rc = c->viewer ? viewer_refresh(c->viewer) : 0;

    c->error = c->error ? c->error : rc;
}

#define MODE_PATIENCE_MS 1000 /* nothing is shown meanwhile */
/* Every size that a head can have is within its pixel clock at this rate. */
#define RESIZE_HZ 60u

static bool on_resize(void *ctx, uint32_t width, uint32_t height)
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
        answer = control_ask_for(sock, request, NULL, MODE_PATIENCE_MS);
        close(sock);
    }
    const bool done = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"));

    cJSON_Delete(answer);
    cJSON_Delete(request);
    return done;
}

static void on_input(void *ctx, const struct input_event *e)
{
    struct view_common *c = ctx;

    if (c->input)
        qmp_input_event(c->input, e);
}

const struct sink_events view_events = {
    .shown = on_shown, .compose = on_compose, .refresh = on_refresh, .resize = on_resize, .input = on_input};

/* ---- what sinks are told: nothing comes before view_serve has opened one */

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct sink *s = ((struct view_common *)ctx)->sink;

    s->ops->flip(s, f, gt_clock_ns());
}

static void on_cursor(void *ctx, const struct viewer_cursor *cursor)
{
    struct sink *s = ((struct view_common *)ctx)->sink;

    s->ops->cursor(s, cursor);
}

static void on_damage(void *ctx, struct viewer_frame *f, uint32_t first, uint32_t end)
{
    struct sink *s = ((struct view_common *)ctx)->sink;

    if (s->ops->damage)
        s->ops->damage(s, f, first, end);
}

static void on_gone(void *ctx, struct viewer_frame *f)
{
    struct sink *s = ((struct view_common *)ctx)->sink;

    s->ops->gone(s, f);
}

/* 0, or -errno after a message on stderr. */
static int connect_guest(struct view_common *c)
{
    struct sockaddr_un a;
    char err[256] = "";
    int rc = session_name_ok(c->name) ? wire_address(&a, c->run_dir, c->name, DISPLAY_SOCKET_SUFFIX) : -ENOENT;

    if (!rc)
        rc = viewer_connect(&c->viewer, a.sun_path, c->head, &c->events, c, err, sizeof(err));
    if (rc == -ENOENT || rc == -ECONNREFUSED)
        fprintf(stderr, "gtmux: no guest '%s' is running; 'gtmux list' shows those that are\n", c->name);
    else if (rc)
        fprintf(stderr, "gtmux: %s\n", err[0] ? err : strerror(-rc));
    return rc;
}

/* ---- several guests */

/* The first of the guests that is there. 0, or -errno after a message on stderr. */
static int connect_first(struct view_common *c)
{
    int rc = -ENOENT;

    for (c->at = 0; c->at < c->guests; c->at++) {
        c->name = c->guest[c->at];
        rc = connect_guest(c);
        if (!rc)
            return 0;
    }
    return rc;
}

bool view_show(struct view_common *c, unsigned which)
{
    struct display_viewer *old = c->viewer;

    c->sink->ops->next_guest(c->sink); /* it may still answer the old one */
    c->viewer = NULL;
    c->name = c->guest[which];
    if (connect_guest(c)) {
        c->viewer = old;
        c->name = c->guest[c->at];
        return false;
    }
    viewer_close(old);
    c->error = 0;
    c->at = which;
    c->changes++;
    if (c->verbose)
        fprintf(stderr, "gtmux: %s is shown\n", c->name);
    return true;
}

bool view_show_next(struct view_common *c, int direction)
{
    const unsigned n = c->guests;

    for (unsigned i = 1; i < n; i++)
        if (view_show(c, (c->at + (direction > 0 ? i : n - i)) % n))
            return true;
    return false;
}

/* ---- the loop */

/* Says why viewer_dispatch failed, and returns that. */
static int lost_guest(const struct view_common *c, int error)
{
    if (error == -EPROTO)
        fprintf(stderr, "gtmux: the gtmux-dm of '%s' says what cannot be: %s\n", c->name, strerror(-error));
    else
        fprintf(stderr, "gtmux: the gtmux-dm of '%s' has gone, or takes no more viewers\n", c->name);
    return error;
}

static int timeout_ms(uint64_t until)
{
    uint64_t now = gt_clock_ns();

    return until == UINT64_MAX ? -1 : until <= now ? 0 : (int)GT_MIN((until - now + 999999) / 1000000, UINT64_C(60000));
}

enum { FD_SIGNALS, FD_VIEWER, FD_SINK, FD_CHOICE, FD_INPUT, FDS };

static int lost_sink(const struct sink *s, int error)
{
    fprintf(stderr, "gtmux: %s: %s\n", s->ops->lost, strerror(-error));
    return error;
}

/* What has come, and what is due: *next is when to look again. 0: go on; 1: the user has ended it; -errno after a
 * message on stderr. */
static int step(struct view_common *c, const struct pollfd *fds, uint64_t *next)
{
    struct sink *s = c->sink;
    int rc = fds[FD_SINK].revents ? s->ops->dispatch(s) : 0;

    if (rc)
        return rc > 0 ? rc : lost_sink(s, rc);
    if (fds[FD_CHOICE].revents)
        c->choice.dispatch(c->choice.ctx);
    if (fds[FD_VIEWER].revents)
        rc = viewer_dispatch(c->viewer);
    *next = s->ops->tick(s, gt_clock_ns());
    if (rc || c->error) {
        rc = lost_guest(c, rc ? rc : -ECONNRESET);
        if (!view_show_next(c, 1))
            return rc;
    }
    if (!c->input)
        return 0;
    qmp_input_dispatch(c->input, fds[FD_INPUT].revents);
    *next = GT_MIN(*next, qmp_input_tick(c->input, gt_clock_ns()));
    return 0;
}

static int run(struct view_common *c)
{
    struct pollfd fds[FDS] = {[FD_SIGNALS] = {.fd = c->signals, .events = POLLIN},
                              [FD_VIEWER] = {.events = POLLIN},
                              [FD_SINK] = {.fd = c->sink->ops->fd(c->sink), .events = POLLIN},
                              [FD_CHOICE] = {.fd = c->choice.fd, .events = POLLIN},
                              [FD_INPUT] = {.fd = -1}};
    uint64_t next = 0;

    for (;;) {
        if (c->input) {
            fds[FD_INPUT].fd = qmp_input_fd(c->input);
            fds[FD_INPUT].events = qmp_input_poll(c->input);
        }
        fds[FD_VIEWER].fd = viewer_fd(c->viewer); /* that of another guest, perhaps */
        int n = poll(fds, FDS, timeout_ms(next));

        if (n < 0 && errno != EINTR) {
            fprintf(stderr, "gtmux: cannot wait for events: %s\n", strerror(errno));
            return EXIT_FAILURE;
        }
        for (unsigned i = 0; n <= 0 && i < FDS; i++)
            fds[i].revents = 0;
        if (fds[FD_SIGNALS].revents)
            return EXIT_SUCCESS;
        int rc = step(c, fds, &next);

        if (rc)
            return rc > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
}

/* 0, or -errno after a message on stderr. */
static int open_sink(struct view_common *c, const struct view_kind *kind, void *command)
{
    char err[256] = "";
    int rc = kind->open(command, &c->sink, err, sizeof(err));

    if (rc)
        fprintf(stderr, "gtmux: %s\n", err[0] ? err : strerror(-rc));
    return rc;
}

int view_serve(struct view_common *c, const struct view_kind *kind, void *command)
{
    c->events = (struct viewer_events){.flip = on_flip,
                                       .cursor = on_cursor,
                                       .damage = on_damage,
                                       .gone = on_gone,
                                       .paced = kind->paced,
                                       .layers = kind->layers};
    c->choice.fd = -1;
    if ((kind->early && open_sink(c, kind, command)) || connect_first(c) ||
        (!kind->early && open_sink(c, kind, command)))
        return EXIT_FAILURE;
    int code = run(c);

    if (c->verbose)
        kind->print_stats(c->sink);
    return code;
}
