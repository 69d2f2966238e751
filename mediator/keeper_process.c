/* Processes and files of the keeper. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "display/wire.h"
#include "mediator/control.h"
#include "mediator/keeper_internal.h"
#include "mediator/keeper_main.h"
#include "mediator/xen_keys.h"
#include "vgpu/base/bits.h"

#define LOCK_TRIES   20 /* a device whose keeper was killed takes a moment to die */
#define LOCK_WAIT_US 50000

_Static_assert(sizeof(struct keeper_report) <= 4096, "a report is one atomic write to a pipe");

/* ---- the device's side */

static int tell(int fd, const struct keeper_report *r)
{
    ssize_t n;

    do {
        n = write(fd, r, sizeof(*r));
    } while (n < 0 && errno == EINTR);
    return n == sizeof(*r) ? 0 : n < 0 ? -errno : -EIO;
}

int keeper_tell_ready(int fd, unsigned server)
{
    const struct keeper_report r = {.ready = 1, .server = server};

    return tell(fd, &r);
}

int keeper_tell_error(int fd, const char *text)
{
    struct keeper_report r = {0};

    snprintf(r.text, sizeof(r.text), "%s", text);
    return tell(fd, &r);
}

/* ---- processes */

/* dup2 also clears close-on-exec; both sources may be at the other's target. */
static bool place_fds(int status_fd, int lock_fd)
{
    status_fd = fcntl(status_fd, F_DUPFD_CLOEXEC, KEEPER_FD_LOCK + 1);
    lock_fd = fcntl(lock_fd, F_DUPFD_CLOEXEC, KEEPER_FD_LOCK + 1);
    return dup2(status_fd, KEEPER_FD_STATUS) >= 0 && dup2(lock_fd, KEEPER_FD_LOCK) >= 0;
}

/* Async-signal-safe. The signals by which a device is ended are blocked in us, so in it from its birth. */
static void become_device(const struct keeper_options *o, pid_t keeper, int status_fd, int lock_fd)
{
    /* The keeper may have died before the prctl: then nobody sends the signal any more. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != keeper)
        _exit(KEEPER_EXIT_START);
    if (!place_fds(status_fd, lock_fd))
        _exit(KEEPER_EXIT_START);
    _exit(o->device(o->ctx, KEEPER_FD_STATUS));
}

int keeper_spawn(struct keeper_process *p, const struct keeper_options *o, int lock_fd)
{
    pid_t keeper = getpid();
    int fds[2];

    *p = (struct keeper_process){.pidfd = -1, .status_fd = -1};
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        become_device(o, keeper, fds[1], lock_fd);
    int rc = pid < 0 ? -errno : 0;
    close(fds[1]);
    /* Not reaped yet, so the number is still its own. */
    int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pid > 0 && pidfd < 0) {
        rc = -errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (rc) {
        close(fds[0]);
        return rc;
    }
    *p = (struct keeper_process){.pid = pid, .pidfd = pidfd, .status_fd = fds[0]};
    return 0;
}

int keeper_take_report(struct keeper_process *p, struct keeper_report *out)
{
    ssize_t n = p->status_fd < 0 ? 0 : read(p->status_fd, out, sizeof(*out));

    if (p->status_fd >= 0)
        close(p->status_fd);
    p->status_fd = -1;
    out->text[sizeof(out->text) - 1] = 0;
    return n == sizeof(*out);
}

int keeper_reap(struct keeper_process *p)
{
    int status = 0;

    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(p->pidfd);
    if (p->status_fd >= 0)
        close(p->status_fd);
    *p = (struct keeper_process){.pidfd = -1, .status_fd = -1};
    return status;
}

/* ---- files */

static int file_path(char *buf, size_t size, const char *run_dir, unsigned domid, const char *suffix)
{
    int n = snprintf(buf, size, "%s/xen-%u.%s", run_dir, domid, suffix);

    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int keeper_state_path(char *buf, size_t size, const char *run_dir, unsigned domid)
{
    return file_path(buf, size, run_dir, domid, "state");
}

/* A keeper that ends removes the file: what we have locked may be nobody's lock any more. */
static bool still_there(int fd, const char *path)
{
    struct stat mine, now;

    return !fstat(fd, &mine) && !stat(path, &now) && mine.st_ino == now.st_ino && mine.st_dev == now.st_dev;
}

static int try_lock(const char *path)
{
    int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = 0;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB))
        rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
    else if (!still_there(fd, path))
        rc = -EBUSY;
    if (!rc)
        return fd;
    close(fd);
    return rc;
}

static int take_lock(const char *path)
{
    int fd = -EBUSY;

    for (int i = 0; i < LOCK_TRIES && fd == -EBUSY; i++) {
        if (i)
            usleep(LOCK_WAIT_US);
        fd = try_lock(path);
    }
    return fd;
}

static void say_who(const struct keeper_options *o, char *err, size_t errsz)
{
    struct xen_keys_status st;

    xen_keys_status(o->keys, &st);
    snprintf(err, errsz, "domain %u has a vGPU already: gtmux-dm is process %u, named '%s'", xen_keys_domid(o->keys),
             st.pid, st.name);
}

int keeper_lock(const struct keeper_options *o, char *err, size_t errsz)
{
    char path[4096];
    int fd = run_dir_make(o->run_dir);

    if (!fd)
        fd = file_path(path, sizeof(path), o->run_dir, xen_keys_domid(o->keys), "lock");
    if (!fd)
        fd = take_lock(path);
    if (fd == -EBUSY)
        say_who(o, err, errsz);
    else if (fd < 0)
        snprintf(err, errsz, "cannot make a lock file in %s: %s; choose another --run-dir", o->run_dir, strerror(-fd));
    return fd;
}

static void remove_file(const struct keeper_options *o, unsigned domid, const char *suffix)
{
    char path[4096];

    if (!file_path(path, sizeof(path), o->run_dir, domid, suffix))
        unlink(path);
}

void keeper_remove_files(const struct keeper_options *o, bool state)
{
    unsigned domid = xen_keys_domid(o->keys);
    static const char *const suffix[] = {CONTROL_SUFFIX, DISPLAY_SOCKET_SUFFIX};
    char path[4096];

    for (unsigned i = 0; i < GT_ARRAY_SIZE(suffix); i++) {
        int n = snprintf(path, sizeof(path), "%s/%s%s", o->run_dir, o->name, suffix[i]);
        if (n > 0 && (size_t)n < sizeof(path))
            unlink(path);
    }
    if (state)
        remove_file(o, domid, "state");
    remove_file(o, domid, "lock");
}

static void sweep_domain(const struct keeper_options *o, unsigned domid)
{
    char path[4096];
    int fd = file_path(path, sizeof(path), o->run_dir, domid, "lock");

    if (!fd)
        fd = try_lock(path);
    if (fd < 0)
        return; /* its keeper is at work */
    remove_file(o, domid, "state");
    remove_file(o, domid, "lock");
    close(fd);
}

void keeper_sweep(const struct keeper_options *o)
{
    DIR *dir = opendir(o->run_dir);
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        unsigned domid;
        int end = 0;
        if (sscanf(e->d_name, "xen-%5u.state%n", &domid, &end) == 1 && end && !e->d_name[end] &&
            xen_keys_gone(o->keys, domid))
            sweep_domain(o, domid);
    }
    if (dir)
        closedir(dir);
}
