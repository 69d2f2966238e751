/* gtmux attach: starts gtmux-dm for a domain in the background, and waits until it serves. dm-wrapper uses it, too. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/command.h"
#include "mediator/session.h"
#include "mediator/xen_keys.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define LOG_DIR         "/var/log/xen" /* where libxl puts QEMU's */
#define LOG_MAX         (1 << 20)      /* a bigger log is moved to .1 first */
#define LOG_SHOWN       2048u          /* of its end, after a failure */
#define OPTIONS_MAX     32
#define TIMEOUT_S       40 /* libxl gives its device model 60 (LIBXL_DEVICE_MODEL_START_TIMEOUT) */
#define NS_PER_S        1000000000ull
#define XL_STATE_PAUSED 2 /* letter of `xl list`'s state column: "--p---" */

enum {
    OPT_JSON = 'j',
    OPT_LOG = 256,
    OPT_TIMEOUT,
    OPT_CREATING,
    OPT_PASS, /* and all above: handed to gtmux-dm as they are */
    OPT_RUN_DIR,
    OPT_NAME,
    OPT_PASS_FIRST,
    OPT_PASS_LAST = OPT_PASS_FIRST + 13,
};

static const struct argp_option option_rows[] = {
    {"json", OPT_JSON, NULL, 0, "Print JSON", 1},
    {"log", OPT_LOG, "FILE", 0, "Log of gtmux-dm (default " LOG_DIR "/gtmux-dm-NAME.log)", 1},
    {"timeout", OPT_TIMEOUT, "SECONDS", 0, "Wait so long for gtmux-dm (default 40)", 1},
    {"creating", OPT_CREATING, NULL, 0, "The toolstack is still at it (dm-wrapper): print nothing but errors", 1},
    {"run-dir", OPT_RUN_DIR, "DIR", 0, "Options of gtmux-dm, see there:", 2},
    {"name", OPT_NAME, "NAME", 0, NULL, 2},
    {"mode", OPT_PASS_FIRST, "WxH[@HZ]", 0, NULL, 2},
    {"heads", OPT_PASS_FIRST + 1, "N", 0, NULL, 2},
    {"mappable", OPT_PASS_FIRST + 2, "MIB", 0, NULL, 2},
    {"busy-poll", OPT_PASS_FIRST + 3, "US", 0, NULL, 2},
    {"no-pvinfo", OPT_PASS_FIRST + 4, NULL, 0, NULL, 2},
    {"record", OPT_PASS_FIRST + 5, "FILE", 0, NULL, 2},
    {"sandbox", OPT_PASS_FIRST + 6, "strict|on|off", 0, NULL, 2},
    {"user", OPT_PASS_FIRST + 7, "USER|UID[:GID]", 0, NULL, 2},
    {"trap-gtt", OPT_PASS_FIRST + 10, NULL, 0, NULL, 2},
    {"leave-memory", OPT_PASS_FIRST + 11, "MIB", 0, NULL, 2},
    {"profile", OPT_PASS_FIRST + 12, "NAME", 0, NULL, 2},
    {"no-arbiter", OPT_PASS_LAST, NULL, 0, NULL, 2},
    {"verbose", OPT_PASS_FIRST + 8, NULL, 0, NULL, 2},
    {"quiet", OPT_PASS_FIRST + 9, NULL, 0, NULL, 2},
    {0},
};

struct attach {
    const char *domain, *log, *name;
    bool json, creating;
    unsigned timeout_s;
    char *pass[OPTIONS_MAX]; /* "--mode=..." */
    unsigned passed;
    struct xen_keys *keys;
    char guest[SESSION_NAME_MAX], log_path[PATH_MAX];
    off_t log_start; /* what gtmux-dm writes begins here */
    pid_t pid;
    int pidfd;
};

/* ---- the command line */

static void pass_on(struct argp_state *state, struct attach *a, int key, const char *arg)
{
    const struct argp_option *row = option_rows;
    int n;

    while (row->key != key)
        row++;
    if (a->passed == OPTIONS_MAX)
        argp_error(state, "too many options");
    n = arg ? asprintf(&a->pass[a->passed], "--%s=%s", row->name, arg)
            : asprintf(&a->pass[a->passed], "--%s", row->name);
    if (n < 0)
        argp_failure(state, EXIT_FAILURE, ENOMEM, "--%s", row->name);
    a->passed++;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct attach *a = state->input;
    char *end;

    switch (key) {
    case OPT_JSON:
        a->json = true;
        return 0;
    case OPT_LOG:
        a->log = arg;
        return 0;
    case OPT_TIMEOUT:
        a->timeout_s = (unsigned)strtoul(arg, &end, 10);
        if (*end || end == arg || !a->timeout_s || a->timeout_s > 3600)
            argp_error(state, "--timeout=%s: give 1 to 3600 seconds", arg);
        return 0;
    case OPT_CREATING:
        a->creating = true;
        return 0;
    case OPT_NAME:
        if (!session_name_ok(arg))
            argp_error(state, "--name=%s: use up to %d letters, digits, '-', '_' and '.'", arg, SESSION_NAME_MAX - 1);
        a->name = arg;
        break;
    case ARGP_KEY_ARG:
        if (a->domain)
            argp_error(state, "unexpected argument '%s'", arg);
        a->domain = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->domain)
            argp_error(state, "which domain? give its name or number");
        return 0;
    default:
        if (key < OPT_PASS || key > OPT_PASS_LAST)
            return ARGP_ERR_UNKNOWN;
        break;
    }
    pass_on(state, a, key, arg);
    return 0;
}

/* ---- start */

/* Firmware and kernel look for PCI devices when they start. Only xl knows whether the domain has begun to run. */
static void warn_unless_paused(const struct attach *a)
{
    char command[64], line[256], state[8] = "";
    unsigned domid = xen_keys_domid(a->keys);

    snprintf(command, sizeof(command), "xl list %u 2>/dev/null", domid);
    FILE *f = popen(command, "re");
    while (f && fgets(line, sizeof(line), f)) {
        char *time = strrchr(line, ' ');
        if (!time)
            continue;
        *time = 0;
        while (time > line && time[-1] == ' ')
            *--time = 0;
        const char *word = strrchr(line, ' ');
        snprintf(state, sizeof(state), "%s", word ? word + 1 : "");
    }
    if (f)
        pclose(f);
    if (strlen(state) == 6 && state[XL_STATE_PAUSED] != 'p')
        fprintf(stderr,
                "gtmux: warning: domain %u runs already, and looked for its GPU when it started; create it "
                "paused (xl create -p), attach, then xl unpause\n",
                domid);
}

static int open_log(struct attach *a)
{
    const char *dir = getenv("GTMUX_LOG_DIR");
    char old[PATH_MAX + 8];
    struct stat st;

    if (a->log)
        snprintf(a->log_path, sizeof(a->log_path), "%s", a->log);
    else
        snprintf(a->log_path, sizeof(a->log_path), "%s/gtmux-dm-%s.log", dir && *dir ? dir : LOG_DIR, a->guest);
    snprintf(old, sizeof(old), "%s.1", a->log_path);
    if (!a->log && !lstat(a->log_path, &st) && S_ISREG(st.st_mode) && st.st_size > LOG_MAX)
        rename(a->log_path, old);
    int fd = open(a->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        fprintf(stderr, "gtmux: cannot write the log %s: %s; give --log=FILE\n", a->log_path, strerror(errno));
    else if (!fstat(fd, &st))
        a->log_start = st.st_size;
    return fd;
}

static void program_path(char *buf, size_t size)
{
    const char *given = getenv("GTMUX_DM");
    ssize_t n = given && *given ? snprintf(buf, size, "%s", given) : readlink("/proc/self/exe", buf, size - 12);
    char *slash;

    if (given && *given)
        return;
    buf[n > 0 ? n : 0] = 0;
    slash = strrchr(buf, '/');
    strcpy(slash ? slash + 1 : buf, "gtmux-dm");
}

/* Detached from whoever called us: a session of its own, no terminal, none of libxl's descriptors. */
static void become_dm(struct attach *a, int log_fd)
{
    char program[PATH_MAX], domid[32];
    char *argv[OPTIONS_MAX + 3] = {"gtmux-dm", domid};
    int null = open("/dev/null", O_RDONLY);

    program_path(program, sizeof(program));
    snprintf(domid, sizeof(domid), "--xen-domid=%u", xen_keys_domid(a->keys));
    memcpy(argv + 2, a->pass, a->passed * sizeof(*argv));
    setsid();
    if (null < 0 || dup2(null, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0)
        _exit(EXIT_USAGE);
    close_range(3, ~0u, 0);
    execv(program, argv);
    fprintf(stderr, "cannot execute %s: %s\n", program, strerror(errno));
    _exit(EXIT_USAGE);
}

static int start(struct attach *a)
{
    int log_fd = open_log(a);

    if (log_fd < 0)
        return -1;
    a->pid = fork();
    if (a->pid == 0)
        become_dm(a, log_fd);
    close(log_fd);
    a->pidfd = a->pid > 0 ? pidfd_open(a->pid, 0) : -1;
    if (a->pidfd < 0)
        fprintf(stderr, "gtmux: cannot start gtmux-dm: %s\n", strerror(errno));
    return a->pidfd < 0 ? -1 : 0;
}

/* ---- wait */

/* Its own last words say more than we can. */
static void show_log(const struct attach *a)
{
    char text[LOG_SHOWN + 1];
    int fd = open(a->log_path, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END), from = GT_MAX(a->log_start, end - (off_t)LOG_SHOWN);
    ssize_t n = fd < 0 ? 0 : pread(fd, text, LOG_SHOWN, from);

    if (n > 0) {
        text[n] = 0;
        fprintf(stderr, "%s%s", text, text[n - 1] == '\n' ? "" : "\n");
    }
    if (fd >= 0)
        close(fd);
    fprintf(stderr, "gtmux: the log is %s\n", a->log_path);
}

/* Waits for the dm that we started: true when it serves. */
static bool wait_ready(struct attach *a, struct xen_keys_status *st)
{
    uint64_t end = gt_clock_ns() + a->timeout_s * NS_PER_S;
    struct pollfd fds[2] = {{.fd = xen_keys_fd(a->keys), .events = POLLIN}, {.fd = a->pidfd, .events = POLLIN}};

    for (;;) {
        xen_keys_status(a->keys, st);
        /* A dm that was killed may have left its keys. */
        if (st->pid == (unsigned)a->pid && !strcmp(st->state, "running"))
            return true;
        uint64_t now = gt_clock_ns();
        int n = now >= end ? 0 : poll(fds, 2, (int)((end - now) / 1000000) + 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            fprintf(stderr, "gtmux: gtmux-dm was not ready within %u seconds\n", a->timeout_s);
        if (n <= 0 || fds[1].revents)
            return false;
        xen_keys_events(a->keys);
    }
}

static void give_up(struct attach *a)
{
    struct pollfd fd = {.fd = a->pidfd, .events = POLLIN};

    kill(a->pid, SIGTERM);
    poll(&fd, 1, 10000);
    kill(a->pid, SIGKILL);
    waitpid(a->pid, NULL, 0);
    fprintf(stderr, "gtmux: domain %u gets no vGPU\n", xen_keys_domid(a->keys));
    show_log(a);
}

static void report(const struct attach *a, const struct xen_keys_status *st)
{
    unsigned domid = xen_keys_domid(a->keys);

    if (a->creating)
        return;
    if (!a->json) {
        printf("%s (domain %u) has a vGPU: gtmux-dm is process %d, ioreq server %u, log %s\n", a->guest, domid, a->pid,
               st->server, a->log_path);
        printf("Start the guest with: xl unpause %u\n", domid);
        return;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "name", a->guest);
    cJSON_AddNumberToObject(o, "domid", domid);
    cJSON_AddNumberToObject(o, "pid", a->pid);
    cJSON_AddNumberToObject(o, "server", st->server);
    cJSON_AddStringToObject(o, "state", st->state);
    cJSON_AddStringToObject(o, "log", a->log_path);
    command_print_json(o);
    cJSON_Delete(o);
}

static int attach(struct attach *a)
{
    struct xen_keys_status st;

    if (a->name)
        snprintf(a->guest, sizeof(a->guest), "%s", a->name);
    else
        xen_keys_guest_name(a->keys, a->guest, sizeof(a->guest));
    xen_keys_status(a->keys, &st);
    if (!a->creating && !st.state[0]) /* else it had a vGPU before, which is now taken up again */
        warn_unless_paused(a);
    if (start(a))
        return EXIT_FAILURE;
    /* After the fork: libxenstore starts a thread for watches. */
    int rc = xen_keys_watch_state(a->keys);
    if (rc)
        fprintf(stderr, "gtmux: cannot watch %s: %s\n", xen_keys_path(a->keys), strerror(-rc));
    if (rc || !wait_ready(a, &st)) {
        give_up(a);
        return EXIT_FAILURE;
    }
    report(a, &st);
    return EXIT_SUCCESS;
}

int command_attach(int argc, char **argv)
{
    static const struct argp parser = {
        .options = option_rows,
        .parser = parse_option,
        .args_doc = "DOMAIN",
        .doc = "Gives a Xen guest a vGPU: of a domain that was created paused (xl create -p), by name or number.",
    };
    struct attach a = {.timeout_s = TIMEOUT_S, .pidfd = -1};
    char err[256] = "";

    if (argp_parse(&parser, argc, argv, 0, NULL, &a))
        return EXIT_USAGE;
    int code = EXIT_FAILURE;
    if (xen_keys_find(&a.keys, a.domain, err, sizeof(err)))
        fprintf(stderr, "gtmux: %s\n", err);
    else
        code = attach(&a);
    xen_keys_close(a.keys);
    for (unsigned i = 0; i < a.passed; i++)
        free(a.pass[i]);
    if (a.pidfd >= 0)
        close(a.pidfd);
    return code;
}
