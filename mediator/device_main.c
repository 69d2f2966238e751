#include "mediator/device_main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mediator/keeper.h"
#include "vgpu/base/log.h"

/* The only thing that a signal handler can reach. */
static struct session *running;

static void on_signal(int number)
{
    (void)number;
    session_stop(running);
}

/*
 * Blocked until the session runs, in all threads but ours for good: a signal that killed us half-way would leave an
 * ioreq server in Xen that nobody serves. From the keeper they come blocked already. SIGHUP is the keeper's.
 */
static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR1);
    sigprocmask(SIG_BLOCK, set, NULL);
}

static void handle_signals(const sigset_t *set, struct session *s)
{
    struct sigaction action = {.sa_handler = on_signal};

    running = s;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigprocmask(SIG_UNBLOCK, set, NULL);
}

static int choose_user(const struct device_options *o, struct sandbox_options *box, char *err, size_t errsz)
{
    sandbox_options_default(box);
    box->xen = o->session.xen_domid >= 0;
    box->require = o->sandbox == DEVICE_SANDBOX_STRICT;
    if (o->session.record) /* the trace grows, and a copy of the guest memory that was seen is kept */
        box->file_limit = box->memory_limit = 0;
    if (o->sandbox == DEVICE_SANDBOX_OFF || geteuid() != 0)
        return 0;
    return sandbox_user(o->user, o->session.xen_domid, &box->uid, &box->gid, err, errsz);
}

/* All in one place: what is opened, where the trust line is, what comes after it. */
static int begin(struct session **s, const struct device_options *o, char *err, size_t errsz)
{
    struct sandbox_options box;
    int rc = choose_user(o, &box, err, errsz);

    if (rc || (rc = session_open(s, &o->session, err, errsz)))
        return rc;
    if (o->sandbox != DEVICE_SANDBOX_OFF && (rc = session_confine(*s, &box, err, errsz)))
        return rc;
    if (o->sandbox == DEVICE_SANDBOX_OFF && box.xen)
        gt_warn("no sandbox, as asked: a guest that breaks in has all the rights of this process");
    return session_start(*s, err, errsz);
}

static int tell_ready(const struct device_options *o, struct session *s)
{
    if (o->status_fd < 0)
        return 0;
    int rc = keeper_tell_ready(o->status_fd, session_xen_server(s));
    close(o->status_fd);
    return rc;
}

int device_main(const struct device_options *o)
{
    char err[KEEPER_REPORT_TEXT] = "";
    struct session *s = NULL;
    sigset_t set;

    block_signals(&set);
    if (begin(&s, o, err, sizeof(err))) {
        if (o->status_fd < 0 || keeper_tell_error(o->status_fd, err))
            gt_err("%s", err);
        session_close(s);
        return KEEPER_EXIT_START;
    }
    int rc = tell_ready(o, s);
    handle_signals(&set, s);
    if (o->session.vfio_user)
        gt_info("listening on %s", o->session.vfio_user);
    if (!rc)
        rc = session_run(s);
    sigprocmask(SIG_BLOCK, &set, NULL);
    session_close(s);
    return rc ? KEEPER_EXIT_BROKEN : KEEPER_EXIT_OK;
}
