/* The loop of gtmuxd. */
#include "mediator/arbiter/arbiter.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/arbiter/internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define METRICS_NS UINT64_C(15000000000)
/* Newcomers beyond this many at a time wait a little: who is there goes first. */
#define ACCEPTS_MAX 16u
#define ACCEPT_NS   UINT64_C(5000000)

/* ---- events */

static void watch_listener(struct arbiter *a, bool on)
{
    struct epoll_event e = {.events = on ? EPOLLIN : 0, .data.ptr = &a->listen_fd};

    epoll_ctl(a->epoll_fd, EPOLL_CTL_MOD, a->listen_fd, &e);
    a->listen_again = on ? 0 : a->now + ACCEPT_NS;
}

static void accept_tenants(struct arbiter *a)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        int sock = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (sock < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
        if (sock < 0) /* such as for want of descriptors: the listener stays readable */
            break;
        if (!member_connect(a, sock, 0))
            break;
    }
    watch_listener(a, false);
}

static void read_config(struct arbiter *a)
{
    char err[300] = "";

    if (a->opt.config && arbiter_config_load(&a->cfg, a->opt.config, err, sizeof(err)))
        gt_err("%s; the old configuration stays", err);
    else
        gt_info("configuration read: %u profiles, %s", a->cfg.profiles, arbiter_policy_name(a->cfg.sched.policy));
    sched_configure(a->sched, &a->cfg.sched);
    invite_all(a);
}

/* False: time to end. */
static bool take_signal(struct arbiter *a)
{
    struct signalfd_siginfo info;

    if (read(a->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return true;
    if (info.ssi_signo == SIGUSR2) {
        a->upgrading = a->opt.may_upgrade && a->opt.may_upgrade();
        return !a->upgrading;
    }
    if (info.ssi_signo != SIGHUP)
        return false;
    read_config(a);
    return true;
}

/* False: time to end. */
static bool take_event(struct arbiter *a, const struct epoll_event *e)
{
    uint64_t count;

    if (e->data.ptr == &a->signal_fd)
        return take_signal(a);
    if (e->data.ptr == &a->listen_fd)
        accept_tenants(a);
    else if (e->data.ptr == &a->timer_fd)
        (void)!read(a->timer_fd, &count, sizeof(count));
    else if (e->data.ptr == &a->poke_fd)
        (void)!read(a->poke_fd, &count, sizeof(count));
    else
        member_event(a, e->data.ptr, e->events);
    return true;
}

/* ---- what is due */

static void write_metrics(struct arbiter *a)
{
    char path[4096];
    char *text = report_metrics(a);

    snprintf(path, sizeof(path), "%s.new", a->opt.metrics_file);
    FILE *f = text ? fopen(path, "we") : NULL;
    bool ok = f && fputs(text, f) >= 0;

    if ((f && fclose(f)) || !ok || rename(path, a->opt.metrics_file))
        gt_warn("cannot write %s: %s", a->opt.metrics_file, strerror(errno));
    free(text);
}

static uint64_t metrics_due(struct arbiter *a)
{
    if (!a->opt.metrics_file)
        return UINT64_MAX;
    if (a->now >= a->metrics_at) {
        pthread_mutex_unlock(&a->lock);
        write_metrics(a);
        pthread_mutex_lock(&a->lock);
        a->metrics_at = a->now + METRICS_NS;
    }
    return a->metrics_at;
}

static uint64_t alive_due(struct arbiter *a)
{
    if (!a->opt.alive_ns)
        return UINT64_MAX;
    if (a->now >= a->alive_at) {
        a->opt.alive();
        a->alive_at = a->now + a->opt.alive_ns;
    }
    return a->alive_at;
}

static void set_timer(struct arbiter *a, uint64_t at)
{
    struct itimerspec t = {{0}, {0}};

    if (at != UINT64_MAX) {
        at = GT_MAX(at, UINT64_C(1)); /* 0 would switch it off; what is past fires at once */
        t.it_value = (struct timespec){.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)};
    }
    timerfd_settime(a->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* Evaluates both once, unlike the macro. */
static uint64_t sooner(uint64_t a, uint64_t b)
{
    return GT_MIN(a, b);
}

/* Decides, and drops whom it decided against, until nothing is left to do now. */
static void tend(struct arbiter *a)
{
    uint64_t next;

    for (unsigned round = 0;; round++) {
        a->now = gt_clock_ns();
        next = sched_run(a->sched, a->now);
        next = sooner(next, members_tend(a));
        if (next > a->now || round > MEMBERS_MAX)
            break;
    }
    if (a->listen_again && a->now >= a->listen_again)
        watch_listener(a, true);
    if (a->listen_again)
        next = sooner(next, a->listen_again);
    next = sooner(next, invitations_tend(a));
    next = sooner(next, state_tend(a));
    next = sooner(next, metrics_due(a));
    next = sooner(next, alive_due(a));
    set_timer(a, next);
}

int arbiter_run(struct arbiter *a, void (*ready)(void))
{
    struct epoll_event e[1]; /* one at a time: what comes later may have been dropped by what came first */
    bool go_on = true;
    int rc = admin_start(a);

    if (rc)
        return rc;
    pthread_mutex_lock(&a->lock);
    a->now = gt_clock_ns();
    invite_all(a);
    tend(a);
    pthread_mutex_unlock(&a->lock);
    ready();
    while (go_on) {
        int n = epoll_wait(a->epoll_fd, e, 1, -1);

        if (n < 0 && errno != EINTR)
            return -errno;
        pthread_mutex_lock(&a->lock);
        a->now = gt_clock_ns();
        go_on = n <= 0 || take_event(a, &e[0]);
        tend(a);
        pthread_mutex_unlock(&a->lock);
    }
    gt_info("%s; the tenants go on by themselves", a->upgrading ? "another program takes over" : "ending");
    return a->upgrading;
}

/* ---- start and end */

static int address(struct sockaddr_un *sa, const char *dir, const char *name)
{
    *sa = (struct sockaddr_un){.sun_family = AF_UNIX};
    return snprintf(sa->sun_path, sizeof(sa->sun_path), "%s/%s", dir, name) < (int)sizeof(sa->sun_path) ? 0
                                                                                                        : -ENAMETOOLONG;
}

/* Somebody answers there. */
static bool is_served(const struct sockaddr_un *sa, int type)
{
    int sock = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = sock >= 0 && (!connect(sock, (const struct sockaddr *)sa, sizeof(*sa)) || errno == EAGAIN);

    if (sock >= 0)
        close(sock);
    return served;
}

static int listen_at(const char *dir, const char *name, int type, char *err, size_t errsz)
{
    struct sockaddr_un sa;
    int rc = address(&sa, dir, name), sock;

    if (!rc && is_served(&sa, type))
        rc = -EADDRINUSE;
    if (!rc) {
        unlink(sa.sun_path);
        sock = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (sock >= 0 && !bind(sock, (struct sockaddr *)&sa, sizeof(sa)) && !chmod(sa.sun_path, 0600) &&
            !listen(sock, 128))
            return sock;
        rc = -errno;
        if (sock >= 0)
            close(sock);
    }
    snprintf(err, errsz, "cannot listen at %s/%s: %s", dir, name,
             rc == -EADDRINUSE ? "another gtmuxd runs here" : strerror(-rc));
    return rc;
}

static int open_sockets(struct arbiter *a, char *err, size_t errsz)
{
    if (a->listen_fd < 0) {
        a->listen_fd = listen_at(a->opt.run_dir, ARBITER_SOCKET, SOCK_SEQPACKET, err, errsz);
        a->own_listen = a->listen_fd >= 0;
    }
    if (a->listen_fd < 0)
        return a->listen_fd;
    if (a->admin_fd < 0) {
        a->admin_fd = listen_at(a->opt.run_dir, ARBITER_ADMIN, SOCK_STREAM, err, errsz);
        a->own_admin = a->admin_fd >= 0;
    }
    return a->admin_fd < 0 ? a->admin_fd : 0;
}

static int watch(struct arbiter *a, int *fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = fd};

    return *fd < 0 || epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, *fd, &e) ? -errno : 0;
}

static int open_events(struct arbiter *a)
{
    sigset_t set;
    int rc;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR2);
    a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    a->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    a->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    a->admin_stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->epoll_fd < 0 || a->admin_stop_fd < 0)
        return -errno;
    if ((rc = watch(a, &a->listen_fd)) || (rc = watch(a, &a->timer_fd)) || (rc = watch(a, &a->poke_fd)))
        return rc;
    return watch(a, &a->signal_fd);
}

static int build(struct arbiter *a, char *err, size_t errsz)
{
    int rc;

    arbiter_config_default(&a->cfg);
    if (a->opt.config && (rc = arbiter_config_load(&a->cfg, a->opt.config, err, errsz)))
        return rc;
    a->sched = sched_create(&a->cfg.sched, &member_sched_ops, a);
    if (!a->sched) {
        snprintf(err, errsz, "out of memory");
        return -ENOMEM;
    }
    if ((rc = open_sockets(a, err, errsz)))
        return rc;
    rc = open_events(a);
    if (rc)
        snprintf(err, errsz, "cannot prepare events: %s", strerror(-rc));
    state_load(a);
    return rc;
}

int arbiter_open(struct arbiter **out, const struct arbiter_options *o, char *err, size_t errsz)
{
    struct arbiter *a = calloc(1, sizeof(*a));

    *out = NULL;
    if (!a) {
        snprintf(err, errsz, "out of memory");
        return -ENOMEM;
    }
    a->opt = *o;
    a->epoll_fd = a->timer_fd = a->signal_fd = a->admin_stop_fd = a->poke_fd = -1;
    a->listen_fd = o->listen_fd;
    a->admin_fd = o->admin_fd;
    a->own_listen = o->own_sockets && a->listen_fd >= 0;
    a->own_admin = o->own_sockets && a->admin_fd >= 0;
    a->start = a->now = gt_clock_ns();
    a->alive_at = a->start + o->alive_ns;
    a->complaints.burst = 20;
    a->complaints.refill_ns = 1000000000;
    for (unsigned i = 0; i < ARBITER_ENGINES; i++)
        a->owner_id[i] = UINT32_MAX;
    pthread_mutex_init(&a->lock, NULL);
    int rc = build(a, err, errsz);

    if (rc) {
        arbiter_close(a);
        return rc;
    }
    *out = a;
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void remove_socket(const struct arbiter *a, const char *name)
{
    struct sockaddr_un sa;

    if (!address(&sa, a->opt.run_dir, name))
        unlink(sa.sun_path);
}

void arbiter_close(struct arbiter *a)
{
    if (!a)
        return;
    admin_stop(a);
    a->closing = true; /* what was changed stays in the state file for the next gtmuxd */
    for (unsigned i = 0; i < MEMBERS_MAX; i++)
        if (a->member[i])
            member_drop(a, a->member[i]);
    for (unsigned i = 0; i < INVITATIONS_MAX; i++)
        if (a->invitation[i].until)
            close(a->invitation[i].fd);
    if (a->own_listen)
        remove_socket(a, ARBITER_SOCKET);
    if (a->own_admin)
        remove_socket(a, ARBITER_ADMIN);
    close_fd(a->listen_fd);
    close_fd(a->admin_fd);
    close_fd(a->epoll_fd);
    close_fd(a->timer_fd);
    close_fd(a->signal_fd);
    close_fd(a->admin_stop_fd);
    close_fd(a->poke_fd);
    sched_destroy(a->sched);
    cJSON_Delete(a->restored);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

struct arbiter_sockets arbiter_hand_over(struct arbiter *a)
{
    admin_stop(a);
    struct arbiter_sockets s = {.listen_fd = a->listen_fd, .admin_fd = a->admin_fd, .own = a->own_listen};

    a->listen_fd = a->admin_fd = -1;
    a->own_listen = a->own_admin = false;
    arbiter_close(a);
    return s;
}
