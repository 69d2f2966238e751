#include "mediator/keeper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/keeper_internal.h"
#include "mediator/xen_keys.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define CRASH_WINDOW_NS 60000000000ull
#define CRASHES_MAX     16u
#define NS_PER_MS       1000000u

enum ending {
    ENDING_NOT,
    ENDING_ASKED,   /* SIGTERM, SIGINT */
    ENDING_GUEST,   /* the domain is going */
    ENDING_UNPLUG,  /* the toolstack's key, SIGUSR1 */
    ENDING_UPGRADE, /* SIGHUP */
    ENDING_LATE,    /* not ready in time */
};

struct keeper {
    struct keeper_options opt;
    struct keeper_process device;
    enum ending ending;
    bool ready;  /* the device that runs has said so */
    bool served; /* some device has */
    bool done;   /* `code` is the result */
    int code;
    int signal_fd, lock_fd;
    uint64_t start_ns;              /* of the device that runs */
    uint64_t deadline_ns;           /* 0: none */
    uint64_t crash_ns[CRASHES_MAX]; /* of the last ones, a ring */
    unsigned crash_count;
    char why[KEEPER_REPORT_TEXT]; /* the device's own words on why it did not start */
};

static void finish(struct keeper *k, int code)
{
    k->done = true;
    k->code = code;
}

static void give_up(struct keeper *k, int code, const char *word, const char *text)
{
    gt_err("%s", text);
    xen_keys_failed(k->opt.keys, word, text);
    finish(k, code);
}

static void deadline_in(struct keeper *k, unsigned ms)
{
    k->deadline_ns = gt_clock_ns() + (uint64_t)ms * NS_PER_MS;
}

static void start(struct keeper *k)
{
    char text[128];

    k->start_ns = gt_clock_ns();
    int rc = keeper_spawn(&k->device, &k->opt, k->lock_fd);

    k->ready = false;
    k->why[0] = 0;
    deadline_in(k, k->opt.start_ms);
    if (rc) {
        snprintf(text, sizeof(text), "cannot start the device process: %s", strerror(-rc));
        give_up(k, k->served ? KEEPER_EXIT_BROKEN : KEEPER_EXIT_START, "start-failed", text);
    }
}

/* Asks the device to end. What comes first counts. */
static void stop(struct keeper *k, enum ending why)
{
    static const int signals[] = {
        [ENDING_ASKED] = SIGTERM,   [ENDING_GUEST] = SIGTERM, [ENDING_UNPLUG] = SIGUSR1,
        [ENDING_UPGRADE] = SIGKILL, [ENDING_LATE] = SIGKILL,
    };

    if (k->ending)
        return;
    k->ending = why;
    deadline_in(k, k->opt.stop_ms);
    if (k->device.pid > 0)
        kill(k->device.pid, signals[why]);
}

/* ---- the device has ended */

static bool domain_lives(struct keeper *k)
{
    return xen_keys_domain(k->opt.keys) == XEN_DOMAIN_ALIVE;
}

static bool crashes_too_often(struct keeper *k)
{
    const unsigned max = k->opt.crashes;
    uint64_t now = gt_clock_ns();
    bool often = k->crash_count >= max && now - k->crash_ns[(k->crash_count - max) % CRASHES_MAX] < CRASH_WINDOW_NS;

    k->crash_ns[k->crash_count++ % CRASHES_MAX] = now;
    return often;
}

static void on_killed(struct keeper *k, int number)
{
    const char *hint = number == SIGSYS ? ": the sandbox forbade what it tried" : "";
    char text[256];

    snprintf(text, sizeof(text), "the device of domain '%s' (id %u) was killed by signal %d (%s)%s", k->opt.name,
             xen_keys_domid(k->opt.keys), number, strsignal(number), hint);
    if (!domain_lives(k)) {
        gt_info("%s; the domain is gone, too", text);
        finish(k, KEEPER_EXIT_OK);
        return;
    }
    if (crashes_too_often(k)) {
        gt_err("%s", text);
        snprintf(text, sizeof(text),
                 "the device of domain '%s' (id %u) crashed more than %u times in a minute, the "
                 "last time by signal %d; see the log",
                 k->opt.name, xen_keys_domid(k->opt.keys), k->opt.crashes, number);
        give_up(k, k->served ? KEEPER_EXIT_BROKEN : KEEPER_EXIT_START, "crashing", text);
        return;
    }
    gt_err("%s; starting it again, crash %u", text, k->crash_count);
    xen_keys_restarting(k->opt.keys);
    start(k);
}

static void on_exited(struct keeper *k, int code)
{
    char text[KEEPER_REPORT_TEXT + 64];

    if (code == KEEPER_EXIT_OK) {
        gt_info("the guest is gone");
        finish(k, KEEPER_EXIT_OK);
    } else if (!domain_lives(k)) {
        gt_info("the domain is gone");
        finish(k, KEEPER_EXIT_OK);
    } else if (k->ready) {
        snprintf(text, sizeof(text), "the device broke while running (exit code %d); see the log", code);
        give_up(k, KEEPER_EXIT_BROKEN, "broken", text);
    } else {
        snprintf(text, sizeof(text), "%s%s", k->served ? "the device could not be started again: " : "",
                 k->why[0] ? k->why : "the device could not start; see the log");
        give_up(k, k->served ? KEEPER_EXIT_BROKEN : KEEPER_EXIT_START, "start-failed", text);
    }
}

static void on_stopped(struct keeper *k, int status)
{
    static const char *const words[] = {
        [ENDING_ASKED] = "stopped, as asked",
        [ENDING_GUEST] = "stopped: the domain is being destroyed",
        [ENDING_UNPLUG] = "unplugged, as asked",
        [ENDING_UPGRADE] = "the device waits to be adopted by the new program",
        [ENDING_LATE] = "the device was not ready in time; see the log",
    };

    if (k->ending == ENDING_LATE) {
        give_up(k, k->served ? KEEPER_EXIT_BROKEN : KEEPER_EXIT_START, "start-failed", words[k->ending]);
        return;
    }
    if (WIFSIGNALED(status) && k->ending != ENDING_UPGRADE && domain_lives(k)) {
        give_up(k, KEEPER_EXIT_BROKEN, "broken",
                "the device did not end in time and was killed; the guest waits for it: 'gtmux attach' starts another");
        return;
    }
    gt_info("%s", words[k->ending]);
    finish(k, k->ending == ENDING_UPGRADE ? KEEPER_UPGRADE : KEEPER_EXIT_OK);
}

static void take_report(struct keeper *k)
{
    struct keeper_report r = {0};

    if (!keeper_take_report(&k->device, &r))
        return; /* it has died, or is about to: its pidfd will tell */
    if (!r.ready) {
        snprintf(k->why, sizeof(k->why), "%s", r.text);
        return;
    }
    k->ready = true;
    k->deadline_ns = k->ending ? k->deadline_ns : 0;
    int rc = xen_keys_running(k->opt.keys, r.server, k->crash_count);
    if (rc)
        gt_warn("cannot write %s: %s", xen_keys_path(k->opt.keys), strerror(-rc));
    gt_info("%s domain %u, ioreq server %u, %llu ms after the start of the device",
            k->served ? "serving again:" : "serving", xen_keys_domid(k->opt.keys), r.server,
            (unsigned long long)((gt_clock_ns() - k->start_ns) / NS_PER_MS));
    k->served = true;
}

static void on_device_end(struct keeper *k)
{
    take_report(k);
    int status = keeper_reap(&k->device);

    k->deadline_ns = 0;
    if (k->ending)
        on_stopped(k, status);
    else if (WIFSIGNALED(status))
        on_killed(k, WTERMSIG(status));
    else
        on_exited(k, WEXITSTATUS(status));
}

/* ---- the loop */

static void on_signal(struct keeper *k)
{
    struct signalfd_siginfo info;

    while (read(k->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        bool unplug = info.ssi_signo == SIGUSR1, upgrade = info.ssi_signo == SIGHUP;
        stop(k, upgrade ? ENDING_UPGRADE : unplug ? ENDING_UNPLUG : ENDING_ASKED);
    }
}

static void on_xenstore(struct keeper *k)
{
    unsigned events = xen_keys_events(k->opt.keys);

    if ((events & XEN_EVENT_DOMAIN) && !domain_lives(k))
        stop(k, ENDING_GUEST);
    if (events & XEN_EVENT_UNPLUG)
        stop(k, ENDING_UNPLUG);
}

static void on_deadline(struct keeper *k)
{
    if (!k->ending) {
        stop(k, ENDING_LATE);
        return;
    }
    k->deadline_ns = 0;
    if (k->device.pid > 0)
        kill(k->device.pid, SIGKILL);
}

static int timeout_ms(const struct keeper *k)
{
    uint64_t now = gt_clock_ns();

    if (!k->deadline_ns)
        return -1;
    if (now >= k->deadline_ns)
        return 0;
    uint64_t ms = (k->deadline_ns - now) / NS_PER_MS + 1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void turn(struct keeper *k)
{
    struct pollfd fds[] = {
        {.fd = k->signal_fd, .events = POLLIN},
        {.fd = xen_keys_fd(k->opt.keys), .events = POLLIN},
        {.fd = k->device.status_fd, .events = POLLIN},
        {.fd = k->device.pidfd, .events = POLLIN},
    };
    int n = poll(fds, GT_ARRAY_SIZE(fds), timeout_ms(k));

    if (n < 0 && errno != EINTR) {
        gt_err("poll: %s", strerror(errno));
        stop(k, ENDING_ASKED);
    }
    if (n <= 0 && k->deadline_ns && timeout_ms(k) == 0)
        on_deadline(k);
    if (n <= 0)
        return;
    if (fds[0].revents)
        on_signal(k);
    if (fds[1].revents)
        on_xenstore(k);
    if (fds[2].revents)
        take_report(k);
    if (fds[3].revents)
        on_device_end(k);
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int serve(struct keeper *k)
{
    int rc = xen_keys_claim(k->opt.keys, k->opt.name);

    if (rc || (rc = xen_keys_watch(k->opt.keys))) {
        gt_err("cannot write %s in xenstore: %s; in a driver domain, dom0 must give it to this domain (docs/xen.md)",
               xen_keys_path(k->opt.keys), strerror(-rc));
        return KEEPER_EXIT_START;
    }
    keeper_sweep(&k->opt);
    start(k);
    while (!k->done)
        turn(k);
    return k->code;
}

int keeper_run(const struct keeper_options *o)
{
    struct keeper k = {.opt = *o, .device = {.pidfd = -1, .status_fd = -1}};
    char err[256] = "";

    k.opt.start_ms = o->start_ms ? o->start_ms : 30000;
    k.opt.stop_ms = o->stop_ms ? o->stop_ms : 5000;
    k.opt.crashes = o->crashes && o->crashes < CRASHES_MAX ? o->crashes : 5;
    k.lock_fd = keeper_lock(o, err, sizeof(err));
    if (k.lock_fd < 0) {
        gt_err("%s", err);
        return KEEPER_EXIT_START;
    }
    k.signal_fd = open_signals();
    int code = KEEPER_EXIT_START;
    if (k.signal_fd < 0)
        gt_err("cannot make a signalfd: %s", strerror(-k.signal_fd));
    else
        code = serve(&k);
    /* After a failure the keys say why, and a successor may continue from the state. */
    if (code == KEEPER_EXIT_OK)
        xen_keys_remove(o->keys);
    keeper_remove_files(&k.opt, code == KEEPER_EXIT_OK);
    if (k.signal_fd >= 0)
        close(k.signal_fd);
    close(k.lock_fd);
    return code;
}
