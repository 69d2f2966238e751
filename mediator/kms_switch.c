#include "mediator/kms_switch.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "display/unix_path.h"
#include "mediator/control_wire.h"
#include "mediator/run_dir.h"

#define PREFIX       "kms-"
#define SUFFIX       ".switch"
#define ANSWER_MAX   256u
#define ANSWER_MS    5000
#define ASKS_AT_ONCE 16u

struct kms_switch {
    int fd;
    bool bound;
    struct sockaddr_un address;
    const char *(*wanted)(void *ctx, const char *guest);
    void *ctx;
};

/* ---- the one that listens */

/* RUN_DIR/kms-MONITOR.switch; a space of the monitor's name is not for a path. */
static int find_address(struct sockaddr_un *a, const char *run_dir, const char *monitor)
{
    char name[96];

    snprintf(name, sizeof(name), PREFIX "%s", monitor);
    for (char *p = name; *p; p++)
        *p = *p == ' ' || *p == '/' ? '-' : *p;
    return wire_address(a, run_dir, name, SUFFIX);
}

/* A socket that somebody holds is of another process with that monitor. */
static int bind_here(struct kms_switch *s)
{
    char err[ANSWER_MAX];
    int ret = unix_path_clear(s->address.sun_path, err, sizeof(err));

    if (ret)
        return ret;
    mode_t mask = umask(0177);

    ret = bind(s->fd, (struct sockaddr *)&s->address, sizeof(s->address)) ? -errno : 0;

    umask(mask);
    s->bound = !ret;
    return ret;
}

int kms_switch_open(struct kms_switch **out, const char *run_dir, const char *monitor,
                    const char *(*wanted)(void *ctx, const char *guest), void *ctx)
{
    struct kms_switch *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (!s)
        return -ENOMEM;
    *s = (struct kms_switch){.wanted = wanted, .ctx = ctx};
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int ret = s->fd < 0 ? -errno : find_address(&s->address, run_dir, monitor);

    if (!ret)
        ret = bind_here(s);
    if (ret) {
        kms_switch_close(s);
        return ret;
    }
    *out = s;
    return 0;
}

void kms_switch_close(struct kms_switch *s)
{
    if (!s)
        return;
    if (s->bound)
        unlink(s->address.sun_path);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
}

int kms_switch_fd(const struct kms_switch *s)
{
    return s->fd;
}

void kms_switch_dispatch(struct kms_switch *s)
{
    for (unsigned i = 0; i < ASKS_AT_ONCE; i++) {
        char name[SESSION_NAME_MAX + 1];
        struct sockaddr_un from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(s->fd, name, sizeof(name) - 1, 0, (struct sockaddr *)&from, &len);

        if (n < 0)
            return;
        name[n] = 0;
        const char *why = session_name_ok(name) ? s->wanted(s->ctx, name) : "that is no name of a guest";

        if (!why)
            why = "ok";
        if (len > sizeof(sa_family_t)) /* it can be answered */
            (void)sendto(s->fd, why, strlen(why), MSG_NOSIGNAL, (struct sockaddr *)&from, len);
    }
}

/* ---- the one that asks */

/* False: no answer, or a refusal, which is in err. */
static bool ask(const struct sockaddr_un *a, const char *guest, char *err, size_t errsz)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    char answer[ANSWER_MAX];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = -1;

    /* An address of its own, which the kernel chooses, for the answer. */
    if (fd >= 0 && !bind(fd, (const struct sockaddr *)&any, sizeof(sa_family_t)) &&
        !connect(fd, (const struct sockaddr *)a, sizeof(*a)) && send(fd, guest, strlen(guest), MSG_NOSIGNAL) >= 0 &&
        poll(&p, 1, ANSWER_MS) == 1)
        n = recv(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    answer[n] = 0;
    if (!strcmp(answer, "ok"))
        return true;
    snprintf(err, errsz, "%s", answer);
    return false;
}

bool kms_switch_ask(const char *run_dir, const char *guest, char *err, size_t errsz)
{
    char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
    bool done = false;

    snprintf(err, errsz, "no gtmux kms is running that could show '%s'", guest);
    if (run_dir)
        snprintf(dir, sizeof(dir), "%s", run_dir);
    else if (run_dir_default(dir, sizeof(dir)))
        return false;
    DIR *d = opendir(dir);

    for (const struct dirent *e; d && (e = readdir(d));) {
        struct sockaddr_un a;
        size_t n = strlen(e->d_name);

        if (n > strlen(PREFIX SUFFIX) && !strncmp(e->d_name, PREFIX, strlen(PREFIX)) &&
            !strcmp(e->d_name + n - strlen(SUFFIX), SUFFIX) && !wire_address(&a, dir, e->d_name, ""))
            done |= ask(&a, guest, err, errsz);
    }
    if (d)
        closedir(d);
    return done;
}
