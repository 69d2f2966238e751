/* gtmuxd: shares one GPU among its tenants. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "mediator/arbiter/arbiter.h"
#include "mediator/arbiter/protocol.h"
#include "mediator/run_dir.h"
#include "mediator/version.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define EXIT_USAGE 2
#define FD_LIMIT   2048

const char *argp_program_version = "gtmuxd " GTMUX_VERSION;

struct arguments {
    struct arbiter_options arbiter;
    bool check;
};

enum { OPT_RUN_DIR = 256, OPT_CONFIG, OPT_METRICS, OPT_KEEP, OPT_CHECK };

static const struct argp_option option_rows[] = {
    {"config", OPT_CONFIG, "FILE", 0,
     "Profiles and settings (default " GTMUX_SYSCONFDIR "/gtmux/gtmuxd.conf, if there)", 1},
    {"run-dir", OPT_RUN_DIR, "DIR", 0, "Directory of the sockets (default $GTMUX_RUN_DIR, or /run/gtmux)", 1},
    {"metrics-file", OPT_METRICS, "FILE", 0,
     "Write metrics to FILE every 15 s, as Prometheus' node_exporter reads them", 1},
    {"keep-tenants", OPT_KEEP, NULL, 0, "Do not stop the process of a tenant whose tenancy is ended", 2},
    {"check", OPT_CHECK, NULL, 0, "Read the configuration, say what is wrong with it, and exit", 2},
    {"verbose", 'v', NULL, 0, "Log every step", 3},
    {"quiet", 'q', NULL, 0, "Log errors and warnings only", 3},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case OPT_RUN_DIR:
        a->arbiter.run_dir = arg;
        return 0;
    case OPT_CONFIG:
        a->arbiter.config = arg;
        return 0;
    case OPT_METRICS:
        a->arbiter.metrics_file = arg;
        return 0;
    case OPT_KEEP:
        a->arbiter.stop_tenants = false;
        return 0;
    case OPT_CHECK:
        a->check = true;
        return 0;
    case 'v':
        gt_log_set_level(GT_LOG_DEBUG);
        return 0;
    case 'q':
        gt_log_set_level(GT_LOG_WARN);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = option_rows,
    .parser = parse_option,
    .doc = "Shares the engines of one GPU among tenants: gtmux-dm and gtmux exec processes.\v"
           "Exit codes: 0 ended by SIGTERM or SIGINT, 1 broken while running, 2 wrong use or start-up failed. SIGHUP "
           "reads the configuration again. Tenants outlive gtmuxd: they go on by themselves and register with the next "
           "one.",
};

/* What tenants send cannot make it grow, and it becomes nobody else. */
static void limit_self(void)
{
    const struct rlimit files = {FD_LIMIT, FD_LIMIT}, none = {0, 0};

    setrlimit(RLIMIT_NOFILE, &files);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* slices end when they end */
    setpriority(PRIO_PROCESS, 0, -10);    /* where it may: tenants wait while it is not scheduled */
}

static void block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The sockets that systemd listens at, by their types. */
static void take_sockets(struct arbiter_options *o)
{
    int n = sd_listen_fds(1);

    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n; fd++) {
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (sd_is_socket(fd, AF_UNIX, SOCK_SEQPACKET, 1) > 0)
            o->listen_fd = fd;
        else if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0)
            o->admin_fd = fd;
        else
            gt_warn("descriptor %d from systemd is no socket of ours", fd);
    }
}

static void ready(void)
{
    gt_info("ready");
    sd_notify(0, "READY=1");
}

static int check_config(const char *path)
{
    struct arbiter_config c;
    char err[300] = "";

    arbiter_config_default(&c);
    if (path && arbiter_config_load(&c, path, err, sizeof(err))) {
        fprintf(stderr, "gtmuxd: %s\n", err);
        return EXIT_USAGE;
    }
    printf("%u profiles, policy %s\n", c.profiles, arbiter_policy_name(c.sched.policy));
    return EXIT_SUCCESS;
}

static int serve(const struct arbiter_options *o)
{
    struct arbiter *a;
    char err[300] = "";

    if (arbiter_open(&a, o, err, sizeof(err))) {
        gt_err("%s", err);
        return EXIT_USAGE;
    }
    int rc = arbiter_run(a, ready);

    sd_notify(0, "STOPPING=1");
    arbiter_close(a);
    if (rc)
        gt_err("broken: %s", strerror(-rc));
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const char config[] = GTMUX_SYSCONFDIR "/gtmux/gtmuxd.conf";
    struct arguments a = {.arbiter = {.listen_fd = -1, .admin_fd = -1, .stop_tenants = true}};
    char dir[4096];

    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(&parser, argc, argv, 0, NULL, &a))
        return EXIT_USAGE;
    gt_log_set_name("gtmuxd");
    if (!a.arbiter.config && !access(config, R_OK))
        a.arbiter.config = config;
    if (a.check)
        return check_config(a.arbiter.config);
    if (!a.arbiter.run_dir && !run_dir_default(dir, sizeof(dir)))
        a.arbiter.run_dir = dir;
    int rc = a.arbiter.run_dir ? run_dir_make(a.arbiter.run_dir) : -ENOENT;

    if (rc) {
        gt_err("no directory for sockets: %s; give --run-dir", strerror(-rc));
        return EXIT_USAGE;
    }
    block_signals();
    limit_self();
    take_sockets(&a.arbiter);
    return serve(&a.arbiter);
}
