/* What the other layers hold back when the filter is left out. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/sandbox_internal.h"
#include "mediator/sandbox_trials.h"

static bool connects(int family, const void *address, size_t size)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && !connect(fd, address, (socklen_t)size);

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool tcp_connects(const struct stage *st)
{
    const struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(st->tcp_port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    return connects(AF_INET, &a, sizeof(a));
}

static bool abstract_connects(const struct stage *st)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(st->abstract);

    memcpy(a.sun_path + 1, st->abstract, n); /* after a zero byte */
    return connects(AF_UNIX, &a, offsetof(struct sockaddr_un, sun_path) + 1 + n);
}

static const char *tcp_before(struct stage *st)
{
    st->skip = !tcp_connects(st);
    return st->skip ? "there is none outside either: is the loopback interface up?" : NULL;
}

static const char *tcp(struct stage *st)
{
    return tcp_connects(st) ? "it got through" : NULL;
}

static const char *abstract_before(struct stage *st)
{
    return abstract_connects(st) ? NULL : "it does not work outside either";
}

static const char *abstract(struct stage *st)
{
    return abstract_connects(st) ? "it got through" : NULL;
}

static const char *inherited_is_closed(struct stage *st)
{
    if (fcntl(st->dir_fd, F_GETFD) >= 0)
        return "it is open";
    return fcntl(st->pipe_fd[0], F_GETFD) < 0 ? "one of our own is closed too" : NULL;
}

static const char *set_stdin(struct stage *st)
{
    return dup2(st->pipe_fd[0], STDIN_FILENO) < 0 ? "no standard input" : NULL;
}

static const char *stdin_is_null(struct stage *st)
{
    struct stat s;

    if (fstat(STDIN_FILENO, &s) || !S_ISCHR(s.st_mode) || s.st_rdev != makedev(1, 3))
        return "standard input is something else";
    (void)st;
    return NULL;
}

static const char *capabilities_are_gone(struct stage *st)
{
    (void)st;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0))
        return "there are ambient capabilities";
    return prctl(PR_CAPBSET_READ, 0, 0, 0, 0) ? "the bounding set is not empty" : NULL;
}

static const char *no_new_privileges(struct stage *st)
{
    (void)st;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? NULL : "no_new_privs is off";
}

static const char *not_dumpable(struct stage *st)
{
    (void)st;
    return prctl(PR_GET_DUMPABLE) ? "it is dumpable" : NULL;
}

static const char *death_signal_is_kept(struct stage *st)
{
    int number = 0;

    (void)st;
    return !prctl(PR_GET_PDEATHSIG, &number) && number == SIGKILL ? NULL : "the parent's death would go unnoticed";
}

static const char *no_core_dumps(struct stage *st)
{
    struct rlimit l;

    (void)st;
    return getrlimit(RLIMIT_CORE, &l) || l.rlim_max ? "a core dump is allowed" : NULL;
}

static const char *few_descriptors(struct stage *st)
{
    struct sandbox_options o;
    unsigned n = 0;

    sandbox_options_default(&o);
    while (n <= o.fd_limit && dup(st->pipe_fd[0]) >= 0)
        n++;
    return n <= o.fd_limit && errno == EMFILE ? NULL : "there is no end";
}

static const char *small_files(struct stage *st)
{
    struct sandbox_options o;
    int fd = memfd_create("gtmux", MFD_CLOEXEC);

    (void)st;
    sandbox_options_default(&o);
    if (fd < 0 || ftruncate(fd, (off_t)o.file_limit / 4))
        return "a small one failed too";
    /* Twice: standard error may be a file that counts already. */
    return ftruncate(fd, (off_t)o.file_limit * 1024) && errno == EFBIG ? NULL : "there is no end";
}

static const char *little_memory(struct stage *st)
{
    struct sandbox_options o;

    (void)st;
    sandbox_options_default(&o);
    /* The guest's memory is larger, but shared. */
    int fd = memfd_create("gtmux", MFD_CLOEXEC);
    if (mmap(NULL, 4 * o.memory_limit, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
        return "shared memory counts too";
    return mmap(NULL, o.memory_limit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? NULL
               : "there is no end";
}

const struct trial trial_layers[] = {
    {.name = "connection to a TCP port outside", .prepare = tcp_before, .run = tcp, .layers = SANDBOX_NET},
    {.name = "connection to an abstract socket outside",
     .prepare = abstract_before,
     .run = abstract,
     .layers = SANDBOX_NET},
    {.name = "inherited descriptors are closed", .run = inherited_is_closed},
    {.name = "standard input is /dev/null", .prepare = set_stdin, .run = stdin_is_null},
    {.name = "capabilities are gone", .run = capabilities_are_gone, .layers = SANDBOX_USER},
    {.name = "no_new_privs", .run = no_new_privileges},
    {.name = "not dumpable", .run = not_dumpable},
    {.name = "the parent-death signal is kept", .run = death_signal_is_kept},
    {.name = "no core dumps", .run = no_core_dumps},
    {.name = "few descriptors", .run = few_descriptors},
    {.name = "small files", .run = small_files},
    {.name = "little memory of its own", .run = little_memory, .no_asan = true},
    {0},
};
