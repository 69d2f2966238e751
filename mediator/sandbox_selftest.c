#include "mediator/sandbox_selftest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/sandbox_internal.h"
#include "mediator/sandbox_trials.h"
#include "vgpu/base/log.h"

#define TRIAL_MS 20000
/* Where no user has been made for gtmux: the one that owns nothing. */
#define NOBODY 65534
/* Exit codes of a trial's process; what it wrote says why. */
enum { TRIAL_OK, TRIAL_WRONG = 10, TRIAL_SKIPPED };

struct selftest {
    struct stage stage;
    struct sandbox_options opt;
    char abstract[64];
    bool root;
    unsigned passed, failed, skipped;
};

const char *stage_why(struct stage *st, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(st->why, sizeof(st->why), fmt, ap);
    va_end(ap);
    return st->why;
}

/* ---- in the process of a trial */

static _Noreturn void leave(int report, int code, const char *why)
{
    ssize_t n = why ? write(report, why, strlen(why)) : 0;

    (void)n; /* then the code must do */
    _exit(code);
}

static const char *set_stage(struct stage *st)
{
    st->dir_fd = open("/etc", O_RDONLY | O_DIRECTORY); /* without O_CLOEXEC on purpose */
    st->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (st->dir_fd < 0 || pipe2(st->pipe_fd, O_CLOEXEC) || st->page == MAP_FAILED || prctl(PR_SET_PDEATHSIG, SIGKILL))
        return stage_why(st, "cannot prepare: %s", strerror(errno));
    return st->trial->prepare ? st->trial->prepare(st) : NULL;
}

static _Noreturn void be_trial(struct selftest *t, int report)
{
    struct stage *st = &t->stage;
    const struct trial *trial = st->trial;
    struct sandbox_options o = t->opt;
    const char *why = set_stage(st);
    unsigned missing = 0;
    char err[256];

    if (why)
        leave(report, st->skip ? TRIAL_SKIPPED : TRIAL_WRONG, why);
    o.no_filter = trial->no_filter;
    o.xen = trial->xen;
    o.missing = &missing;
    gt_log_set_level(GT_LOG_ERROR);
    if (sandbox_enter(&o, err, sizeof(err)))
        leave(report, TRIAL_WRONG, err);
    if (missing & trial->layers)
        leave(report, TRIAL_SKIPPED, "this host does not give the layer that it tries");
    why = trial->run(st);
    leave(report, why ? TRIAL_WRONG : TRIAL_OK, why);
}

/* ---- outside */

/* All that the process writes until it is gone; kills it when it takes too long. */
static void read_report(int fd, pid_t pid, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n = 1;

    while (n > 0 && used + 1 < size) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, TRIAL_MS) <= 0) {
            kill(pid, SIGKILL);
            break;
        }
        n = read(fd, text + used, size - 1 - used);
        used += n > 0 ? (size_t)n : 0;
    }
    text[used] = '\0';
}

static void say(struct selftest *t, unsigned *count, const char *what, const char *why)
{
    const struct trial *trial = t->stage.trial;

    ++*count;
    printf("%s %s%s%s%s\n", what, trial->name, trial->no_filter ? ", without the filter" : "", why ? ": " : "",
           why ? why : "");
}

static void judge_signal(struct selftest *t, int number)
{
    enum trial_end end = t->stage.trial->end;

    if ((end == TRIAL_KILLED && number == SIGSYS) || (end == TRIAL_ABORTS && number == SIGABRT))
        say(t, &t->passed, "ok", NULL);
    else if (number == SIGSYS)
        say(t, &t->failed, "FAIL", "the filter kills it; the kernel's log tells the system call (audit: type=1326)");
    else if (number == SIGKILL)
        say(t, &t->failed, "FAIL", "it did not end");
    else
        say(t, &t->failed, "FAIL", strsignal(number));
}

static void judge(struct selftest *t, int status, const char *report)
{
    if (WIFSIGNALED(status))
        judge_signal(t, WTERMSIG(status));
    else if (WEXITSTATUS(status) == TRIAL_SKIPPED)
        say(t, &t->skipped, "skip", report);
    else if (WEXITSTATUS(status) != TRIAL_OK)
        say(t, &t->failed, "FAIL", report[0] ? report : "it ended in an odd way");
    else if (t->stage.trial->end != TRIAL_RETURNS)
        say(t, &t->failed, "FAIL", "nothing happened");
    else
        say(t, &t->passed, "ok", NULL);
}

static const char *reason_to_skip(const struct selftest *t, const struct trial *trial)
{
    if (trial->needs_root && !t->root)
        return "without root the sandbox has the user of the world outside";
    if (trial->no_asan && SANDBOX_ASAN)
        return "its limit would be AddressSanitizer's too";
    return trial->other_guest && t->stage.other_domid < 0 ? "there is no second guest" : NULL;
}

static void try_one(struct selftest *t, const struct trial *trial)
{
    char report[512] = "";
    int fds[2], status = 0;

    t->stage.trial = trial;
    const char *skip = reason_to_skip(t, trial);
    if (skip) {
        say(t, &t->skipped, "skip", skip);
        return;
    }
    fflush(stdout);
    pid_t pid = pipe2(fds, O_CLOEXEC) ? -1 : fork();
    if (!pid)
        be_trial(t, fds[1]);
    if (pid < 0) {
        say(t, &t->failed, "FAIL", "cannot fork");
        return;
    }
    close(fds[1]);
    read_report(fds[0], pid, report, sizeof(report));
    close(fds[0]);
    waitpid(pid, &status, 0);
    judge(t, status, report);
}

static void try_calls(struct selftest *t, bool alone)
{
    struct trial trial;

    for (size_t i = 0; i < trial_calls(); i++)
        if (trial_call(i, alone, &trial))
            try_one(t, &trial);
}

static void try_all(struct selftest *t, const struct trial *trials)
{
    for (; trials->name; trials++)
        try_one(t, trials);
}

static void try_xen(struct selftest *t)
{
    static const struct trial all = {.name = "Xen"};

    t->stage.trial = &all;
    if (t->stage.domid < 0)
        say(t, &t->skipped, "skip", "no guest's domid was given");
    else if (access("/dev/xen/privcmd", F_OK))
        say(t, &t->failed, "FAIL", "there is no /dev/xen/privcmd; load the module xen-privcmd in a domain of Xen");
    else
        try_all(t, trial_xen);
}

/* The layers' trials in a table are all without the filter. */
static void try_layers(struct selftest *t)
{
    for (const struct trial *row = trial_layers; row->name; row++) {
        struct trial trial = *row;
        trial.no_filter = true;
        try_one(t, &trial);
    }
}

static int listen_tcp(struct selftest *t)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) || listen(fd, 8) ||
        getsockname(fd, (struct sockaddr *)&a, &size))
        gt_warn("no TCP socket to try: %s", strerror(errno));
    t->stage.tcp_port = ntohs(a.sin_port);
    return fd;
}

static int listen_abstract(struct selftest *t)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(t->abstract, sizeof(t->abstract), "gtmux-selftest-%d", (int)getpid());
    t->stage.abstract = t->abstract;
    memcpy(a.sun_path + 1, t->abstract, strlen(t->abstract));
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(t->abstract)) ||
        listen(fd, 8))
        gt_warn("no abstract socket to try: %s", strerror(errno));
    return fd;
}

static void choose_user(struct selftest *t)
{
    char err[256];

    t->root = !geteuid();
    if (t->root && sandbox_user(NULL, t->stage.domid, &t->opt.uid, &t->opt.gid, err, sizeof(err))) {
        t->opt.uid = t->opt.gid = NOBODY;
        gt_info("%s; trying as uid %u", err, (unsigned)NOBODY);
    }
}

int sandbox_selftest(int domid)
{
    struct selftest t = {.stage = {.parent = getpid(), .domid = domid, .other_domid = trial_xen_other(domid)}};

    sandbox_options_default(&t.opt);
    choose_user(&t);
    int tcp = listen_tcp(&t), abstract = listen_abstract(&t);

    try_all(&t, trial_own);
    try_all(&t, trial_io);
    try_calls(&t, false);
    try_calls(&t, true);
    try_layers(&t);
    try_xen(&t);
    printf("%u passed, %u failed, %u skipped\n", t.passed, t.failed, t.skipped);
    close(tcp);
    close(abstract);
    return t.failed != 0;
}
