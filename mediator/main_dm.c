/* gtmux-dm: the device emulator of one guest. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/mode.h"
#include "mediator/replay.h"
#include "mediator/session.h"
#include "vgpu/base/log.h"

#define EXIT_USAGE 2

const char *argp_program_version = "gtmux-dm 0.1.0";

enum {
    OPT_VFIO_USER = 256,
    OPT_NAME,
    OPT_MODE,
    OPT_HEADS,
    OPT_RECORD,
    OPT_REPLAY,
    OPT_RUN_DIR,
    OPT_NO_PVINFO,
    OPT_MAP_GTT,
    OPT_MAPPABLE,
    OPT_BUSY_POLL,
    OPT_WRITE_ROM,
};

struct arguments {
    struct session_options session;
    unsigned modes;
    const char *replay;
    const char *write_rom;
};

static const struct argp_option option_rows[] = {
    {"vfio-user", OPT_VFIO_USER, "SOCKET", 0, "Listen on this unix socket for QEMU's vfio-user-pci", 1},
    {"name", OPT_NAME, "NAME", 0, "Name of the guest, for the log and for gtmux(1)", 1},
    {"replay", OPT_REPLAY, "FILE", 0, "Run a recorded trace without a VM, print the hash of the final state", 1},
    {"mode", OPT_MODE, "WxH[@HZ]", 0, "Monitor of the next head, up to three times (default one of 1024x768@60)", 2},
    {"heads", OPT_HEADS, "N", 0, "Monitors plugged in at start, 0 to 3 (default: as many as --mode, at least 1)", 2},
    {"record", OPT_RECORD, "FILE", 0, "Write everything that comes from outside to a trace (slower; GTT stores trap)",
     3},
    {"run-dir", OPT_RUN_DIR, "DIR", 0, "Directory of the control socket (default $GTMUX_RUN_DIR, or /run/gtmux)", 3},
    {"no-pvinfo", OPT_NO_PVINFO, NULL, 0, "Do not tell the guest that it runs on a vGPU", 4},
    {"map-gtt", OPT_MAP_GTT, NULL, 0, "Map the GTT into the guest instead of trapping its stores", 4},
    {"mappable", OPT_MAPPABLE, "MIB", 0, "CPU window of the aperture that the guest is given, 0 to 256", 4},
    {"busy-poll", OPT_BUSY_POLL, "US", 0, "Poll so long for the next message before sleeping; 0: never (default 50)",
     4},
    {"write-rom", OPT_WRITE_ROM, "FILE", 0, "Write the option ROM with the VBT to FILE and exit", 4},
    {"verbose", 'v', NULL, 0, "Log every step", 5},
    {"quiet", 'q', NULL, 0, "Log errors and warnings only", 5},
    {0},
};

static unsigned parse_number(struct argp_state *state, const char *option, const char *text, unsigned max)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || value > max)
        argp_error(state, "--%s=%s: give a whole number from 0 to %u", option, text, max);
    return (unsigned)value;
}

static void add_mode(struct argp_state *state, struct arguments *a, const char *text)
{
    if (a->modes == VGPU_HEADS)
        argp_error(state, "--mode=%s: a vGPU has at most %u heads", text, VGPU_HEADS);
    else if (!mode_parse(text, &a->session.mode[a->modes]))
        argp_error(state, "--mode=%s: give WIDTHxHEIGHT[@HZ], 64x64 to 4096x2304, 1 to 240 Hz", text);
    else if (++a->modes > a->session.heads)
        a->session.heads = a->modes;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    struct session_options *o = &a->session;

    switch (key) {
    case OPT_VFIO_USER:
        o->vfio_user = arg;
        break;
    case OPT_NAME:
        if (!session_name_ok(arg))
            argp_error(state, "--name=%s: use up to %d letters, digits, '-', '_' and '.'", arg, SESSION_NAME_MAX - 1);
        o->name = arg;
        break;
    case OPT_MODE:
        add_mode(state, a, arg);
        break;
    case OPT_HEADS:
        o->heads = parse_number(state, "heads", arg, VGPU_HEADS);
        break;
    case OPT_RECORD:
        o->record = arg;
        break;
    case OPT_REPLAY:
        a->replay = arg;
        break;
    case OPT_RUN_DIR:
        o->run_dir = arg;
        break;
    case OPT_NO_PVINFO:
        o->pvinfo = false;
        break;
    case OPT_MAP_GTT:
        o->map_gtt = true;
        break;
    case OPT_MAPPABLE:
        o->mappable_mb = parse_number(state, "mappable", arg, 256);
        break;
    case OPT_BUSY_POLL:
        o->busy_poll_us = parse_number(state, "busy-poll", arg, 10000);
        break;
    case OPT_WRITE_ROM:
        a->write_rom = arg;
        break;
    case 'v':
        gt_log_set_level(GT_LOG_DEBUG);
        break;
    case 'q':
        gt_log_set_level(GT_LOG_WARN);
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        break;
    case ARGP_KEY_END:
        if (a->replay || a->write_rom)
            break;
        if (!o->vfio_user || !o->name)
            argp_error(state, "--vfio-user=SOCKET and --name=NAME are needed (or --replay=FILE)");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp parser = {
    .options = option_rows,
    .parser = parse_option,
    .doc = "Presents an Intel Gen9 GPU to one guest of QEMU >= 10.1 (vfio-user-pci).\v"
           "Exit codes: 0 ended by SIGTERM or SIGINT, 1 broken while running, 2 wrong use or start-up failed.",
};

/* The only thing that a signal handler can reach. */
static struct session *running;

static void on_signal(int number)
{
    (void)number;
    session_stop(running);
}

static int serve(const struct session_options *o)
{
    char err[512] = "";
    struct session *s = NULL;

    if (session_open(&s, o, err, sizeof(err)) || session_start(s, err, sizeof(err))) {
        gt_err("%s", err);
        session_close(s);
        return EXIT_USAGE;
    }
    running = s;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    gt_info("listening on %s", o->vfio_user);
    int rc = session_run(s);
    action.sa_handler = SIG_IGN;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    session_close(s);
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int replay(const char *path)
{
    struct replay_result result;
    char err[512] = "";

    if (replay_run(path, &result, err, sizeof(err))) {
        gt_err("%s: %s", path, err);
        return EXIT_USAGE;
    }
    return replay_print(&result) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int write_rom(const char *path)
{
    uint8_t rom[VGPU_ROM_SIZE];
    size_t size = vgpu_vbt_rom(rom, sizeof(rom));
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(rom, 1, size, f) == size;

    if ((f && fclose(f)) || !ok) {
        gt_err("cannot write %s: %s", path, strerror(errno));
        return EXIT_USAGE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};

    argp_err_exit_status = EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN);
    session_options_default(&a.session);
    if (argp_parse(&parser, argc, argv, 0, NULL, &a))
        return EXIT_USAGE;
    gt_log_set_name(a.session.name);
    if (a.replay)
        return replay(a.replay);
    if (a.write_rom)
        return write_rom(a.write_rom);
    return serve(&a.session);
}
