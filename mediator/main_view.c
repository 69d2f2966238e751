/* gtmux-view, which gtmux view runs: a guest's screen in a window of a Wayland compositor. A program of its own, so
 * that a host without Wayland's libraries can do without it. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/wayland.h"
#include "mediator/command_view.h"
#include "vgpu/vgpu.h"

enum { OPT_FULLSCREEN = 256, OPT_NO_RESIZE, OPT_COPY, OPT_FPS };

struct view_command {
    struct view_common view;
    char title[128];
    struct wayland_options opt;
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
    .doc = "Shows a guest's screen in a window until it is closed, SIGINT, SIGTERM or the guest's end. The guest's "
           "memory is shown as it is where the compositor takes it. A window of another size gives the guest a monitor "
           "of that size.",
    .children = children,
};

static void print_stats(const struct sink *s)
{
    struct wayland_stats st;

    wayland_get_stats(s, &st);
    printf("%llu commits; flips: %llu as dma-bufs, %llu as gtmux-dm's copies, %llu copied; "
           "%llu bytes copied, %llu dma-bufs refused, %llu looks for changes, %llu modes asked for\n",
           (unsigned long long)st.commits, (unsigned long long)st.imported, (unsigned long long)st.passed,
           (unsigned long long)st.copied, (unsigned long long)st.bytes_copied, (unsigned long long)st.refused,
           (unsigned long long)st.scans, (unsigned long long)st.resizes);
}

static int open_sink(void *command, struct sink **out, char *err, size_t errsz)
{
    struct view_command *c = command;

    snprintf(c->title, sizeof(c->title), "%s, head %u - gtmux", c->view.name, c->view.head);
    c->opt.title = c->title;
    c->opt.input = c->view.input != NULL;
    return wayland_open(out, &c->opt, &view_events, &c->view, err, errsz);
}

int main(int argc, char **argv)
{
    static const struct view_kind kind = {.paced = true, .open = open_sink, .print_stats = print_stats};
    struct view_command c = {.opt = {.fps = VIEW_FPS_DEFAULT,
                                     .min_side = VGPU_MODE_SIDE_MIN,
                                     .max_width = VGPU_MODE_WIDTH_MAX,
                                     .max_height = VGPU_MODE_HEIGHT_MAX}};
    int code = view_begin(&c.view, &parser, argc, argv, &c);

    if (!code && !(code = view_begin_input(&c.view)))
        code = view_serve(&c.view, &kind, &c);
    view_end(&c.view);
    return code;
}
