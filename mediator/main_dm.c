/* gtmux-dm: the device emulator of one guest. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/device_main.h"
#include "mediator/keeper.h"
#include "mediator/keeper_main.h"
#include "mediator/mode.h"
#include "mediator/replay.h"
#include "mediator/sandbox_selftest.h"
#include "mediator/version.h"
#include "mediator/xen_keys.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define EXIT_USAGE 2

const char *argp_program_version = "gtmux-dm " GTMUX_VERSION;

enum {
    OPT_VFIO_USER = 256,
    OPT_XEN_DOMID,
    OPT_DEVICE_OF,
    OPT_SANDBOX,
    OPT_USER,
    OPT_SANDBOX_TEST,
    OPT_NAME,
    OPT_MODE,
    OPT_HEADS,
    OPT_RECORD,
    OPT_REPLAY,
    OPT_RUN_DIR,
    OPT_NO_PVINFO,
    OPT_TRAP_GTT,
    OPT_LEAVE_MEMORY,
    OPT_MAPPABLE,
    OPT_BUSY_POLL,
    OPT_FLIP_WAIT,
    OPT_WRITE_ROM,
    OPT_PROFILE,
    OPT_NO_ARBITER,
};

struct arguments {
    struct device_options device;
    bool sandbox_given;
    const char *device_of; /* started by a keeper, for a domain of this uuid */
    unsigned modes;
    const char *replay;
    const char *write_rom;
    bool sandbox_test;
};

static const struct argp_option option_rows[] = {
    {"vfio-user", OPT_VFIO_USER, "SOCKET", 0, "Listen on this unix socket for QEMU's vfio-user-pci", 1},
    {"xen-domid", OPT_XEN_DOMID, "N", 0, "Serve this HVM domain of Xen, from its creation to its end", 1},
    {"name", OPT_NAME, "NAME", 0, "Name of the guest, for the log and for gtmux(1) (Xen: default the domain's)", 1},
    {"replay", OPT_REPLAY, "FILE", 0, "Run a recorded trace without a VM, print the hash of the final state", 1},
    {"mode", OPT_MODE, "WxH[@HZ]", 0, "Monitor of the next head, up to three times (default one of 1024x768@60)", 2},
    {"heads", OPT_HEADS, "N", 0, "Monitors plugged in at start, 0 to 3 (default: as many as --mode, at least 1)", 2},
    {"record", OPT_RECORD, "FILE", 0, "Write everything that comes from outside to a trace (slower; GTT stores trap)",
     3},
    {"run-dir", OPT_RUN_DIR, "DIR", 0, "Directory of the control socket (default $GTMUX_RUN_DIR, or /run/gtmux)", 3},
    {"profile", OPT_PROFILE, "NAME", 0, "Profile of the guest with gtmuxd (default: gtmuxd's)", 3},
    {"no-arbiter", OPT_NO_ARBITER, NULL, 0, "Do not register with gtmuxd", 4},
    {"no-pvinfo", OPT_NO_PVINFO, NULL, 0, "Do not tell the guest that it runs on a vGPU", 4},
    {"trap-gtt", OPT_TRAP_GTT, NULL, 0, "Trap GTT stores instead of mapping the GTT into the guest", 4},
    {"leave-memory", OPT_LEAVE_MEMORY, "MIB", 0,
     "Xen: leave so much of the memory that the guest may still have to a QEMU that starts later", 4},
    {"mappable", OPT_MAPPABLE, "MIB", 0, "CPU window of the aperture that the guest is given, 0 to 256", 4},
    {"busy-poll", OPT_BUSY_POLL, "US", 0, "Poll so long for the next message before sleeping; 0: never (default 50)",
     4},
    {"flip-wait", OPT_FLIP_WAIT, "MS", 0,
     "A flip is done for the guest when monitors show it, or so much later; 0: at its vblank (default 50)", 4},
    {"write-rom", OPT_WRITE_ROM, "FILE", 0, "Write the option ROM with the VBT to FILE and exit", 4},
    {"sandbox", OPT_SANDBOX, "strict|on|off", 0,
     "Give up all rights before the guest speaks; strict: or do not start (default on for Xen, else off)", 4},
    {"sandbox-test", OPT_SANDBOX_TEST, NULL, 0,
     "Try out that the sandbox holds on this host, with --xen-domid=N also that only domain N is in reach", 4},
    {"user", OPT_USER, "USER|UID[:GID]", 0, "Whom the sandboxed process becomes when started as root", 4},
    {"verbose", 'v', NULL, 0, "Log every step", 5},
    {"quiet", 'q', NULL, 0, "Log errors and warnings only", 5},
    {KEEPER_DEVICE_OPTION, OPT_DEVICE_OF, "UUID", OPTION_HIDDEN, NULL, 0},
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
    else if (!mode_parse(text, &a->device.session.mode[a->modes]))
        argp_error(state, "--mode=%s: give WIDTHxHEIGHT[@HZ], 64x64 to 4096x2304, 1 to 240 Hz", text);
    else if (++a->modes > a->device.session.heads)
        a->device.session.heads = a->modes;
}

static enum device_sandbox parse_sandbox(struct argp_state *state, const char *text)
{
    static const char *const names[] = {
        [DEVICE_SANDBOX_OFF] = "off", [DEVICE_SANDBOX_ON] = "on", [DEVICE_SANDBOX_STRICT] = "strict"};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(names); i++) {
        if (!strcmp(text, names[i]))
            return (enum device_sandbox)i;
    }
    argp_error(state, "--sandbox=%s: give strict, on or off", text);
    return DEVICE_SANDBOX_STRICT;
}

/* Exactly one thing to do, and what it needs. */
static void check_arguments(struct argp_state *state, struct arguments *a)
{
    struct session_options *o = &a->device.session;
    bool xen = o->xen_domid >= 0;

    if (a->sandbox_test && !o->vfio_user && !a->replay && !a->write_rom)
        return;
    if (!!o->vfio_user + xen + !!a->replay + !!a->write_rom != 1)
        argp_error(state, "give exactly one of --vfio-user=SOCKET, --xen-domid=N, --replay=FILE and --write-rom=FILE");
    if (o->vfio_user && !o->name)
        argp_error(state, "--vfio-user=SOCKET also needs --name=NAME");
    if (a->device_of && !(xen && o->run_dir && o->name))
        argp_error(state, "--" KEEPER_DEVICE_OPTION " is for gtmux-dm's own use");
    if (xen && !a->sandbox_given)
        a->device.sandbox = DEVICE_SANDBOX_ON;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    struct session_options *o = &a->device.session;

    switch (key) {
    case OPT_VFIO_USER:
        o->vfio_user = arg;
        break;
    case OPT_XEN_DOMID:
        o->xen_domid = (int)parse_number(state, "xen-domid", arg, XEN_DOMID_LAST);
        break;
    case OPT_DEVICE_OF:
        a->device_of = arg;
        break;
    case OPT_SANDBOX:
        a->device.sandbox = parse_sandbox(state, arg);
        a->sandbox_given = true;
        break;
    case OPT_SANDBOX_TEST:
        a->sandbox_test = true;
        break;
    case OPT_USER:
        a->device.user = arg;
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
    case OPT_TRAP_GTT:
        o->map_gtt = false;
        break;
    case OPT_LEAVE_MEMORY:
        o->leave_mb = parse_number(state, "leave-memory", arg, 4096);
        break;
    case OPT_MAPPABLE:
        o->mappable_mb = parse_number(state, "mappable", arg, 256);
        break;
    case OPT_BUSY_POLL:
        o->busy_poll_us = parse_number(state, "busy-poll", arg, 10000);
        break;
    case OPT_FLIP_WAIT:
        o->flip_wait_ms = parse_number(state, "flip-wait", arg, 1000);
        break;
    case OPT_WRITE_ROM:
        a->write_rom = arg;
        break;
    case OPT_PROFILE:
        o->profile = arg;
        break;
    case OPT_NO_ARBITER:
        o->arbiter = false;
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
        check_arguments(state, a);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp parser = {
    .options = option_rows,
    .parser = parse_option,
    .doc = "Presents an Intel Gen9 GPU to one guest: of QEMU >= 10.1 (vfio-user-pci), or of Xen (HVM).\v"
           "Exit codes: 0 ended by SIGTERM, SIGINT or the end of the Xen guest, 1 broken while running, 2 wrong use or "
           "start-up failed.",
};

/* The process that a keeper started. */
static int device_of_keeper(struct device_options *o, const char *uuid)
{
    char state[PATH_MAX];
    int rc = keeper_take_fds(o);

    if (!rc)
        rc = keeper_state_path(state, sizeof(state), o->session.run_dir, (unsigned)o->session.xen_domid);
    if (rc) {
        gt_err("not started by a keeper: %s", strerror(-rc));
        return EXIT_USAGE;
    }
    o->session.state_path = state;
    o->session.xen_uuid = uuid;
    return device_main(o);
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
    struct arguments a = {.device.status_fd = -1};

    argp_err_exit_status = EXIT_USAGE;
    signal(SIGPIPE, SIG_IGN);
    session_options_default(&a.device.session);
    if (argp_parse(&parser, argc, argv, 0, NULL, &a))
        return EXIT_USAGE;
    gt_log_set_name(a.device.session.name);
    if (a.replay)
        return replay(a.replay);
    if (a.write_rom)
        return write_rom(a.write_rom);
    if (a.sandbox_test)
        return sandbox_selftest(a.device.session.xen_domid);
    if (a.device_of)
        return device_of_keeper(&a.device, a.device_of);
    if (a.device.session.xen_domid >= 0)
        return keeper_main(&a.device, argc, argv);
    return device_main(&a.device);
}
