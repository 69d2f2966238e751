/* gtmuxd: shares one GPU among its tenants. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "mediator/arbiter/arbiter.h"
#include "mediator/arbiter/protocol.h"
#include "mediator/run_dir.h"
#include "mediator/version.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define EXIT_USAGE 2
#define FD_LIMIT   2048
#define CHECK_MS   3000u                /* the next program has so long to look at the configuration */
#define OWN_ENV    "GTMUXD_OWN_SOCKETS" /* the sockets come from a gtmuxd that had made them */

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
           "reads the configuration again; SIGUSR2 goes on with the program that is installed now, in the same process "
           "and "
           "with the same sockets, if that likes the configuration. Tenants outlive gtmuxd: they go on by themselves "
           "and register with the next "
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
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- upgrade in place */

static char program[PATH_MAX]; /* where this program was: an upgrade puts the next one there */
static char **arguments;

static void remember_program(char **argv)
{
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[n > 0 ? n : 0] = 0;
    arguments = argv;
}

/* `PROGRAM ARGUMENTS... --check`, with all signals open. -errno or its process. */
static pid_t start_check(void)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    char *argv[64] = {program};
    sigset_t none;
    size_t n = 1;
    pid_t pid;

    for (; n < GT_ARRAY_SIZE(argv) - 2 && arguments[n]; n++)
        argv[n] = arguments[n];
    argv[n] = (char[]){"--check"};
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawn(&pid, program, &files, &attr, argv, environ);

    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc ? -rc : pid;
}

/* Its exit status; -1: none in time. */
static int await_check(pid_t pid)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    int status = -1;

    for (unsigned ms = 0; ms < CHECK_MS; ms += 5) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
        nanosleep(&nap, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

static bool may_upgrade(void)
{
    pid_t pid = start_check();
    int status = pid > 0 ? await_check(pid) : -1;

    if (status)
        gt_err("no upgrade: '%s --check' %s", program, pid > 0 ? "does not succeed" : strerror(-pid));
    return !status;
}

/* Returns only when it cannot be done. */
static void go_on(struct arbiter_sockets s)
{
    char pid[16];
    /* Not below those two numbers, one of which may be taken by the other socket. */
    int listening = fcntl(s.listen_fd, F_DUPFD, 16), admin = fcntl(s.admin_fd, F_DUPFD, 16);

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (listening < 0 || admin < 0 || dup2(listening, SD_LISTEN_FDS_START) < 0 ||
        dup2(admin, SD_LISTEN_FDS_START + 1) < 0 || setenv("LISTEN_PID", pid, 1) || setenv("LISTEN_FDS", "2", 1) ||
        setenv(OWN_ENV, s.own ? "1" : "0", 1)) {
        gt_err("cannot hand the sockets over: %s", strerror(errno));
        return;
    }
    fcntl(listening, F_SETFD, FD_CLOEXEC);
    fcntl(admin, F_SETFD, FD_CLOEXEC);
    execv(program, arguments);
    gt_err("cannot execute %s: %s", program, strerror(errno));
}

/* The sockets that systemd listens at, or a gtmuxd before this one did, by their types. */
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
    const char *own = getenv(OWN_ENV);

    o->own_sockets = n > 0 && own && !strcmp(own, "1");
    unsetenv(OWN_ENV);
}

static void ready(void)
{
    gt_info("ready");
    sd_notify(0, "READY=1");
}

/* systemd starts a gtmuxd anew that hangs: without one, tenants go on by themselves. */
static void alive(void)
{
    sd_notify(0, "WATCHDOG=1");
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

    if (rc > 0) {
        go_on(arbiter_hand_over(a));
        return EXIT_FAILURE;
    }
    sd_notify(0, "STOPPING=1");
    arbiter_close(a);
    if (rc)
        gt_err("broken: %s", strerror(-rc));
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const char config[] = GTMUX_SYSCONFDIR "/gtmux/gtmuxd.conf";
    struct arguments a = {
        .arbiter = {.listen_fd = -1, .admin_fd = -1, .stop_tenants = true, .may_upgrade = may_upgrade}};
    char dir[4096];

    remember_program(argv);
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
    uint64_t us = 0;

    if (sd_watchdog_enabled(0, &us) > 0)
        a.arbiter.alive_ns = us * 1000 / 3;
    a.arbiter.alive = alive;
    return serve(&a.arbiter);
}
