/* What must work in the sandbox with descriptors and memory that were there before. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/sandbox_trials.h"
#include "vgpu/base/log.h"

#define JOURNAL ((size_t)64 << 10)

/* ---- a journal that was mapped before */

static const char *open_journal(struct stage *st)
{
    char path[] = "/tmp/gtmux-selftest-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0 || unlink(path) || ftruncate(fd, JOURNAL))
        return stage_why(st, "cannot make a file below /tmp: %s", strerror(errno));
    char *twice = mmap(NULL, 2 * JOURNAL, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < 2; i++)
        if (mmap(twice + i * JOURNAL, JOURNAL, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
            return stage_why(st, "cannot map it: %s", strerror(errno));
    st->extra = twice;
    return NULL;
}

static const char *journal(struct stage *st)
{
    volatile char *p = st->extra;

    p[JOURNAL - 1] = 42;
    return p[2 * JOURNAL - 1] == 42 ? NULL : "what is written does not arrive in the file";
}

/* ---- waiting */

static int event_fd;

static const char *make_eventfd(struct stage *st)
{
    (void)st;
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return event_fd < 0 ? "no eventfd" : NULL;
}

static const char *wait_eventfd(struct stage *st)
{
    struct pollfd p = {.fd = event_fd, .events = POLLIN};
    uint64_t value = 3;

    if (poll(&p, 1, 0) || write(event_fd, &value, sizeof(value)) != sizeof(value) || poll(&p, 1, 1000) != 1 ||
        read(event_fd, &value, sizeof(value)) != sizeof(value))
        return stage_why(st, "no event: %s", strerror(errno));
    return value == 3 && fcntl(event_fd, F_SETFL, fcntl(event_fd, F_GETFL)) >= 0 ? NULL : "it lost its count";
}

static int epoll_fd;

static const char *make_epoll(struct stage *st)
{
    (void)st;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd < 0 ? "no epoll" : NULL;
}

/* As the trap thread does it: poll on the epoll descriptor. */
static const char *wait_epoll(struct stage *st)
{
    struct epoll_event e = {.events = EPOLLIN};
    struct pollfd p = {.fd = epoll_fd, .events = POLLIN};

    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, st->pipe_fd[0], &e) || write(st->pipe_fd[1], "x", 1) != 1 ||
        poll(&p, 1, 1000) != 1 || epoll_ctl(epoll_fd, EPOLL_CTL_DEL, st->pipe_fd[0], NULL) || poll(&p, 1, 0))
        return stage_why(st, "no event: %s", strerror(errno));
    return sched_yield() ? "it cannot yield" : NULL;
}

/* Another process, outside: told to go, it stops us for a moment. */
static const char *make_stopper(struct stage *st)
{
    pid_t us = getpid(), pid = fork();
    char byte;

    if (pid)
        return pid < 0 ? "cannot fork" : NULL;
    close(st->pipe_fd[1]);
    if (read(st->pipe_fd[0], &byte, 1) == 1) {
        usleep(20000);
        kill(us, SIGSTOP);
        usleep(20000);
        kill(us, SIGCONT);
    }
    _exit(0);
}

/* An interrupted sleep goes on by a system call of its own, restart_syscall. */
static const char *stopped(struct stage *st)
{
    return write(st->pipe_fd[1], "g", 1) != 1 || poll(NULL, 0, 100) ? "the wait was cut short" : NULL;
}

/* ---- a control socket that was opened before; its file is out of reach now */

struct server {
    int fd;
    struct sockaddr_un address;
};

/* Another process, outside: told to go, it connects, sends a byte, expects a descriptor for it and says so. */
static _Noreturn void be_client(const struct stage *st, const struct server *v)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control = {.buf = {0}};
    char byte = 'c';
    struct iovec io = {&byte, 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control)};

    /* Neither end may be kept open by us: the server may have been killed. */
    close(v->fd);
    close(st->pipe_fd[1]);
    if (read(st->pipe_fd[0], &byte, 1) == 1 && !connect(fd, (const struct sockaddr *)&v->address, sizeof(v->address)) &&
        write(fd, "c", 1) == 1 && recvmsg(fd, &m, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&m) && byte == 's')
        (void)!write(fd, "k", 1);
    unlink(v->address.sun_path);
    _exit(0);
}

static const char *listen_unix(struct stage *st)
{
    static struct server v;
    char path[] = "/tmp/gtmux-selftest-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    v.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(v.address.sun_path, sizeof(v.address.sun_path), "%s", path);
    v.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || close(fd) || unlink(path) || v.fd < 0 ||
        bind(v.fd, (struct sockaddr *)&v.address, sizeof(v.address)) || listen(v.fd, 1))
        return stage_why(st, "cannot listen below /tmp: %s", strerror(errno));
    st->extra = &v;
    pid_t pid = fork();

    if (!pid)
        be_client(st, &v);
    return pid < 0 ? "cannot fork a client" : NULL;
}

static bool send_fd(int sock, int fd)
{
    union {
        struct cmsghdr align;
        char buf[CMSG_SPACE(sizeof(int))];
    } control = {.buf = {0}};
    struct iovec io = {(char[]){'s'}, 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    return sendmsg(sock, &m, MSG_NOSIGNAL) == 1;
}

static bool read_byte(int sock, char expected)
{
    char byte;
    struct iovec io = {&byte, 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

    return recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1 && byte == expected;
}

static const char *serve_unix(struct stage *st)
{
    struct server *v = st->extra;
    struct pollfd p = {.fd = v->fd, .events = POLLIN};
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (write(st->pipe_fd[1], "g", 1) != 1 || poll(&p, 1, 5000) != 1)
        return "nobody can connect";
    int sock = accept4(v->fd, NULL, NULL, SOCK_CLOEXEC);

    if (sock < 0 || getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) || !read_byte(sock, 'c'))
        return stage_why(st, "no connection: %s", strerror(errno));
    if (!send_fd(sock, st->pipe_fd[0]) || !read_byte(sock, 'k'))
        return stage_why(st, "the answer does not arrive: %s", strerror(errno));
    return close(sock) ? "it does not close" : NULL;
}

static const char *log_to_pipe(struct stage *st)
{
    return dup2(st->pipe_fd[1], STDERR_FILENO) < 0 ? "no standard error" : NULL;
}

static const char *logging(struct stage *st)
{
    char line[128];

    gt_err("a line of %s %.1f", "the self-test", 1.5);
    ssize_t n = read(st->pipe_fd[0], line, sizeof(line) - 1);

    line[n < 0 ? 0 : n] = '\0';
    return strstr(line, "a line of the self-test 1.5") ? NULL : "the line does not arrive";
}

/* On a character device stdio asks for a terminal's size first. */
static const char *print_to_device(struct stage *st)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)st;
    return fd < 0 || dup2(fd, STDOUT_FILENO) < 0 ? "no standard output" : NULL;
}

static const char *printing(struct stage *st)
{
    (void)st;
    return printf("%d\n", 1) < 0 || fflush(stdout) ? "it cannot" : NULL;
}

static const char *open_fails_softly(struct stage *st)
{
    (void)st;
    return open("/etc/localtime", O_RDONLY) < 0 && errno == EACCES ? NULL : "it does not say EACCES";
}

/* fstat of a C library older or newer than the one that this runs with. */
static const char *file_status(struct stage *st)
{
    struct stat s;

    if (fstat(st->pipe_fd[0], &s) || !S_ISFIFO(s.st_mode))
        return "fstat fails";
    return syscall(SYS_fstat, st->pipe_fd[0], &s) || syscall(SYS_newfstatat, st->pipe_fd[0], "", &s, AT_EMPTY_PATH)
               ? "another C library's fstat fails"
               : NULL;
}

const struct trial trial_io[] = {
    {.name = "journal mapped before", .prepare = open_journal, .run = journal},
    {.name = "eventfd made before", .prepare = make_eventfd, .run = wait_eventfd},
    {.name = "epoll made before", .prepare = make_epoll, .run = wait_epoll},
    {.name = "being stopped and continued", .prepare = make_stopper, .run = stopped},
    {.name = "control socket opened before", .prepare = listen_unix, .run = serve_unix},
    {.name = "logging", .prepare = log_to_pipe, .run = logging},
    {.name = "printing to a device", .prepare = print_to_device, .run = printing},
    {.name = "open refused without a kill", .run = open_fails_softly},
    {.name = "status of a descriptor", .run = file_status},
    {0},
};
