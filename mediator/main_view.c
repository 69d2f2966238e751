/* gtmux-view, which gtmux view runs: a guest's screen in a window of a Wayland compositor. A program of its own, so
 * that a host without Wayland's libraries can do without it. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/wayland.h"
#include "mediator/command_view.h"
#include "vgpu/base/clock.h"
#include "vgpu/vgpu.h"

#define FPS_DEFAULT 30u
#define FPS_MAX     240u

enum { OPT_FULLSCREEN = 256, OPT_NO_RESIZE, OPT_COPY, OPT_FPS };

struct view_command {
    struct view_common view; /* first */
    char title[128];
    struct wayland_options opt;
    struct wayland *wayland;
};

static const struct argp_option option_rows[] = {
    {"fullscreen", OPT_FULLSCREEN, NULL, 0, "Fill a screen", 0},
    {"no-resize", OPT_NO_RESIZE, NULL, 0, "The guest keeps its mode, whatever size the window is given", 0},
    {"copy", OPT_COPY, NULL, 0, "Copy each picture, even where the guest's memory could be shown", 0},
    {"fps", OPT_FPS, "N", 0, "Looks for changes without a flip a second, at most (default 30)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct view_command *c = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->child_inputs[1] = &c->view;
        return 0;
    case OPT_FULLSCREEN:
        c->opt.fullscreen = true;
        return 0;
    case OPT_NO_RESIZE:
        c->opt.fixed = true;
        return 0;
    case OPT_COPY:
        c->opt.copy = true;
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
    .doc = "Shows a guest's screen in a window until it is closed, SIGINT, SIGTERM or the guest's end. The guest's "
           "memory is shown as it is where the compositor takes it. A window of another size gives the guest a monitor "
           "of that size.",
    .children = children,
};

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    wayland_flip(((struct view_command *)ctx)->wayland, f, gt_clock_ns());
}

static void on_cursor(void *ctx, const struct viewer_cursor *cursor)
{
    wayland_cursor(((struct view_command *)ctx)->wayland, cursor);
}

static void on_damage(void *ctx, struct viewer_frame *f, uint32_t first, uint32_t end)
{
    wayland_damage(((struct view_command *)ctx)->wayland, f, first, end);
}

static void on_gone(void *ctx, struct viewer_frame *f)
{
    wayland_frame_gone(((struct view_command *)ctx)->wayland, f);
}

static int dispatch(void *ctx)
{
    int rc = wayland_dispatch(((struct view_command *)ctx)->wayland);

    if (rc < 0)
        fprintf(stderr, "gtmux: the Wayland compositor has gone, or has sent us away: %s\n", strerror(-rc));
    return rc;
}

static uint64_t tick(void *ctx, uint64_t now)
{
    return wayland_tick(((struct view_command *)ctx)->wayland, now);
}

static void print_stats(const struct view_command *c)
{
    struct wayland_stats st;

    wayland_get_stats(c->wayland, &st);
    printf("%llu commits; flips: %llu as dma-bufs, %llu as gtmux-dm's copies, %llu copied; "
           "%llu bytes copied, %llu dma-bufs refused, %llu looks for changes, %llu modes asked for\n",
           (unsigned long long)st.commits, (unsigned long long)st.imported, (unsigned long long)st.passed,
           (unsigned long long)st.copied, (unsigned long long)st.bytes_copied, (unsigned long long)st.refused,
           (unsigned long long)st.scans, (unsigned long long)st.resizes);
}

static int serve(struct view_command *c)
{
    static const struct viewer_events events = {
        .flip = on_flip, .cursor = on_cursor, .damage = on_damage, .gone = on_gone, .paced = true};
    static const struct wayland_events wayland_events = {
        .shown = view_shown, .refresh = view_refresh, .resize = view_resize, .input = view_input};
    char err[256] = "";

    snprintf(c->title, sizeof(c->title), "%s, head %u - gtmux", c->view.name, c->view.head);
    c->opt.title = c->title;
    c->opt.input = c->view.input != NULL;
    if (view_connect(&c->view, &events))
        return EXIT_FAILURE;
    if (wayland_open(&c->wayland, &c->opt, &wayland_events, c, err, sizeof(err))) {
        fprintf(stderr, "gtmux: %s\n", err);
        return EXIT_FAILURE;
    }
    int code = view_run(&c->view, &(struct view_loop){wayland_fd(c->wayland), dispatch, tick});

    if (c->view.verbose)
        print_stats(c);
    return code;
}

int main(int argc, char **argv)
{
    struct view_command c = {.opt = {.fps = FPS_DEFAULT,
                                     .min_side = VGPU_MODE_SIDE_MIN,
                                     .max_width = VGPU_MODE_WIDTH_MAX,
                                     .max_height = VGPU_MODE_HEIGHT_MAX}};
    int code = view_begin(&parser, argc, argv, &c);

    if (!code && !(code = view_begin_input(&c.view)))
        code = serve(&c);
    view_end(&c.view);
    wayland_close(c.wayland);
    return code;
}
