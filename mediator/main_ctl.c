/* gtmux: the command line tool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/command.h"
#include "mediator/version.h"
#include "vgpu/base/bits.h"

static const struct command commands[] = {
    {"list", "", "Show the running guests", 0, 0, true, false, command_list, NULL},
    {"stats", "NAME", "Show a guest's counters", 1, 1, true, false, command_stats, NULL},
    {"doctor", "", "Examine this machine, and say what could be better", 0, 0, true, false, command_doctor, NULL},
    {"screenshot", "NAME FILE.png", "Save what a guest's screen shows", 2, 2, true, true, command_screenshot, NULL},
    {"head", "NAME N on|off|mode=MODE|edid=FILE", "Plug, unplug or change a guest's monitor", 3, 3, false, false,
     command_head, NULL},
    {"kms", "NAME", "Show a guest's screen on a monitor of this machine", 1, 1, false, false, NULL, command_kms},
    {"exec", "[--] PROGRAM [ARGUMENT...]", "Run a program on a GPU of its own", 0, 0, false, false, NULL, command_exec},
    {"decode", "FILE", "Print a captured submission or a kernel", 0, 0, false, false, NULL, command_decode},
    {"run-capture", "FILE...", "Execute captured submissions", 0, 0, false, false, NULL, command_run_capture},
    {"vnc", "NAME", "Show a guest's screen to VNC clients", 1, 1, false, false, NULL, command_program},
    {"view", "NAME", "Show a guest's screen in a window (Wayland)", 1, 1, false, false, NULL, command_program},
    {"dbus", "NAME", "Offer a guest's screen to viewers of QEMU's D-Bus display", 1, 1, false, false, NULL,
     command_dbus},
    {"top", "", "Show who uses the GPU, live", 0, 0, false, false, NULL, command_top},
    {"profiles", "", "Show the profiles that guests can have", 0, 0, true, false, command_profiles, NULL},
    {"set", "NAME VALUE=N...", "Change weight, cap, share, slice-us, memory, fps", 2, 8, false, false, command_set,
     NULL},
    {"pause", "NAME", "Give a guest no GPU time", 1, 1, false, false, command_pause, NULL},
    {"resume", "NAME", "Let a paused guest go on", 1, 1, false, false, command_resume, NULL},
    {"reset", "NAME", "Stop what a guest's GPU does, as a hang", 1, 1, false, false, command_reset, NULL},
    {"metrics", "", "Print gtmuxd's metrics for Prometheus", 0, 0, false, false, command_metrics, NULL},
    {"attach", "DOMAIN", "Give a Xen guest that is being created a vGPU", 1, 1, true, false, NULL, command_attach},
};

static void usage(FILE *out)
{
    fprintf(out, "Usage: gtmux COMMAND [OPTION...] [ARGUMENT...]\n\n");
    for (size_t i = 0; i < GT_ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-13s%-35s%s\n", commands[i].name, commands[i].args, commands[i].summary);
    fprintf(out, "\n'gtmux COMMAND --help' shows a command's options. Exit codes: 0 done, 1 failed, 2 wrong use.\n");
}

struct parse {
    const struct command *command;
    struct command_args args;
};

static void take_head(struct argp_state *state, struct parse *p, const char *text)
{
    if (!p->command->takes_head || strlen(text) != 1 || text[0] < '0' || text[0] > '2')
        argp_error(state, "--head=%s: give 0, 1 or 2", text);
    p->args.head = (unsigned)(text[0] - '0');
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct parse *p = state->input;

    switch (key) {
    case 'j':
        p->args.json = true;
        return 0;
    case 'r':
        p->args.run_dir = arg;
        return 0;
    case 'H':
        take_head(state, p, arg);
        return 0;
    case ARGP_KEY_ARG:
        if (p->args.npositional == p->command->max_args)
            argp_error(state, "unexpected argument '%s'", arg);
        else
            p->args.positional[p->args.npositional++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (p->args.npositional < p->command->min_args)
            argp_error(state, "arguments are missing: %s", p->command->args);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_command(const struct command *c, int argc, char **argv)
{
    struct argp_option options[4] = {{"run-dir", 'r', "DIR", 0, "Directory of the control sockets", 0}};
    int n = 1;
    char name[64];
    struct parse p = {.command = c};
    struct argp parser = {.options = options, .parser = parse_option, .args_doc = c->args, .doc = c->summary};

    if (c->takes_json)
        options[n++] = (struct argp_option){"json", 'j', NULL, 0, "Print JSON", 0};
    if (c->takes_head)
        options[n++] = (struct argp_option){"head", 'H', "N", 0, "Which monitor: 0, 1 or 2 (default 0)", 0};
    options[n] = (struct argp_option){0};
    snprintf(name, sizeof(name), "gtmux %s", c->name);
    argv[0] = name;
    if (c->main)
        return c->main(argc, argv);
    if (argp_parse(&parser, argc, argv, 0, NULL, &p))
        return EXIT_USAGE;
    return c->run(&p.args);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = EXIT_USAGE;
    if (argc >= 2) {
        for (size_t i = 0; i < GT_ARRAY_SIZE(commands); i++) {
            if (!strcmp(argv[1], commands[i].name))
                return run_command(&commands[i], argc - 1, argv + 1);
        }
        if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
            usage(stdout);
            return EXIT_SUCCESS;
        }
        if (!strcmp(argv[1], "--version")) {
            printf("gtmux " GTMUX_VERSION "\n");
            return EXIT_SUCCESS;
        }
        fprintf(stderr, "gtmux: unknown command '%s'\n", argv[1]);
    }
    usage(stderr);
    return EXIT_USAGE;
}
