/*
 * Calls the tenants that run already. A dm in its sandbox can connect to nobody, so a gtmuxd that starts (again) goes
 * to the control socket of each, and hands it one end of a socket pair. Nothing here waits for an answer.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/arbiter/internal.h"
#include "mediator/control_wire.h"
#include "mediator/run_dir.h"
#include "vgpu/base/bits.h"

#define PATIENCE_NS    UINT64_C(2000000000)
#define CONTROL_SUFFIX ".ctl" /* mediator/control.h */

static int knock(const struct sockaddr_un *sa, pid_t *pid)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    *pid = peer.pid;
    return fd;
}

static struct invitation *free_invitation(struct arbiter *a)
{
    for (unsigned i = 0; i < INVITATIONS_MAX; i++)
        if (!a->invitation[i].until)
            return &a->invitation[i];
    return NULL;
}

/* The tenant's end goes with a request; ours is a connection like others, only that we know whose it is. */
static int hand_over(struct arbiter *a, int control, pid_t pid)
{
    int pair[2], rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return -errno;
    cJSON *request = cJSON_CreateObject();

    cJSON_AddStringToObject(request, "cmd", "arbiter");
    rc = wire_send(control, request, pair[1]);
    cJSON_Delete(request);
    close(pair[1]);
    if (rc) {
        close(pair[0]);
        return rc;
    }
    return member_connect(a, pair[0], pid) ? 0 : -ENOMEM;
}

static void invite(struct arbiter *a, const char *name)
{
    struct invitation *i = free_invitation(a);
    struct sockaddr_un sa;
    pid_t pid = 0;

    if (!i || !session_name_ok(name) || member_find(a, name) || wire_address(&sa, a->opt.run_dir, name, CONTROL_SUFFIX))
        return;
    int fd = knock(&sa, &pid);

    if (fd < 0)
        return; /* a socket whose dm is dead, most likely */
    int rc = hand_over(a, fd, pid);

    if (rc) {
        gt_warn("%s cannot be invited: %s", name, strerror(-rc));
        close(fd);
        return;
    }
    *i = (struct invitation){fd, a->now + PATIENCE_NS};
}

void invite_all(struct arbiter *a)
{
    DIR *dir = opendir(a->opt.run_dir);
    const struct dirent *e;

    while (dir && (e = readdir(dir))) {
        char name[SESSION_NAME_MAX];
        size_t n = strlen(e->d_name), suffix = strlen(CONTROL_SUFFIX);

        if (n <= suffix || n - suffix >= sizeof(name) || strcmp(e->d_name + n - suffix, CONTROL_SUFFIX) != 0)
            continue;
        memcpy(name, e->d_name, n - suffix);
        name[n - suffix] = 0;
        invite(a, name);
    }
    if (dir)
        closedir(dir);
}

uint64_t invitations_tend(struct arbiter *a)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < INVITATIONS_MAX; i++) {
        struct invitation *v = &a->invitation[i];

        if (v->until && a->now >= v->until) {
            close(v->fd);
            v->until = 0;
        }
        if (v->until)
            next = GT_MIN(next, v->until);
    }
    return next;
}
