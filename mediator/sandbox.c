#include "mediator/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediator/sandbox_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#if SANDBOX_ASAN
/* The leak check at exit stops all threads by ptrace, from another process: not in here. LeakSanitizer asks us. */
int __lsan_is_turned_off(void);
static bool closed;
int __lsan_is_turned_off(void)
{
    return closed;
}
#endif

void sandbox_options_default(struct sandbox_options *o)
{
    *o = (struct sandbox_options){
        .fd_limit = 128,
        .memory_limit = (size_t)1 << 30,
        .file_limit = 256u << 20,
    };
}

int sandbox_fail(struct sandbox *s, int code, const char *what, const char *hint)
{
    snprintf(s->err, s->errsz, "sandbox: %s: %s%s%s", what, strerror(code), hint ? "; " : "", hint ? hint : "");
    return -code;
}

int sandbox_lacks(struct sandbox *s, enum sandbox_layer layer, int code, const char *what)
{
    s->missing |= layer;
    if (s->opt->require)
        return sandbox_fail(s, code, what, "start gtmux-dm as root, outside of a container that forbids it");
    gt_warn("sandbox: going on without this protection: %s: %s", what, strerror(code));
    return 0;
}

/* Identity, capabilities and namespaces belong to a thread: with a second one the sandbox would have a hole. */
static int check_single_thread(struct sandbox *s)
{
    struct stat st;

    /* A /proc/PID/task directory has a link for each thread beside its own two (fs/proc/base.c). */
    if (stat("/proc/self/task", &st))
        return sandbox_fail(s, errno, "cannot look at /proc/self/task", "mount /proc");
    if (st.st_nlink != 3)
        return sandbox_fail(s, EBUSY, "threads have been started already", "this is a mistake in gtmux, report it");
    return 0;
}

static int set_limit(struct sandbox *s, int resource, const char *what, rlim_t value)
{
    struct rlimit old, new = {value, value};

    if (getrlimit(resource, &old))
        return sandbox_fail(s, errno, what, NULL);
    new.rlim_max = GT_MIN(value, old.rlim_max);
    new.rlim_cur = new.rlim_max;
    return setrlimit(resource, &new) ? sandbox_fail(s, errno, what, NULL) : 0;
}

/* A log that is a file counts from where it is now. */
static rlim_t file_limit(uint64_t limit)
{
    struct stat st;
    bool log_file = !fstat(STDERR_FILENO, &st) && S_ISREG(st.st_mode);

    return limit + (log_file ? (uint64_t)st.st_size : 0);
}

/*
 * RLIMIT_AS would count the guest's memory, which is mapped shared; RLIMIT_DATA counts what is private and writable
 * (mm/mmap.c, is_data_mapping). RLIMIT_NPROC counts threads of all processes of a user, so cannot forbid fork here: the
 * filter does.
 */
static int limit_resources(struct sandbox *s)
{
    const struct sandbox_options *o = s->opt;
    int ret;

    if ((ret = set_limit(s, RLIMIT_CORE, "cannot forbid core dumps", 0)) ||
        (ret = set_limit(s, RLIMIT_MEMLOCK, "cannot forbid locked memory", 0)) ||
        (ret = set_limit(s, RLIMIT_NOFILE, "cannot limit descriptors", o->fd_limit)))
        return ret;
#if !SANDBOX_ASAN /* its shadow memory is private, writable and has the size of terabytes */
    if (o->memory_limit && (ret = set_limit(s, RLIMIT_DATA, "cannot limit memory", o->memory_limit)))
        return ret;
#endif
    if (!o->file_limit)
        return 0;
    /* A full log must cost lines, not the guest its device. */
    if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
        return sandbox_fail(s, errno, "cannot ignore SIGXFSZ", NULL);
    return set_limit(s, RLIMIT_FSIZE, "cannot limit the size of files", file_limit(o->file_limit));
}

/* Under READ_IMPLIES_EXEC (an old executable, setarch -X) each mapping would be executable in spite of the filter. */
static int keep_data_unexecutable(struct sandbox *s)
{
    int now = personality(0xffffffff);

    if (now < 0 || (now & READ_IMPLIES_EXEC && personality((unsigned)now & ~(unsigned)READ_IMPLIES_EXEC) < 0))
        return sandbox_fail(s, errno, "cannot keep data from being executable", NULL);
    return 0;
}

/* A change of identity clears the parent-death signal (kernel/cred.c, commit_creds), and the parent may have died. */
static int watch_parent(struct sandbox *s, pid_t parent, int death_signal)
{
    if (prctl(PR_SET_PDEATHSIG, death_signal))
        return sandbox_fail(s, errno, "cannot set the parent-death signal", NULL);
    if (death_signal && getppid() != parent)
        return sandbox_fail(s, ESRCH, "the parent process has ended", NULL);
    return 0;
}

static int seal(struct sandbox *s, pid_t parent, int death_signal, void *filter)
{
    int ret = watch_parent(s, parent, death_signal);

    if (ret)
        return ret;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return sandbox_fail(s, errno, "cannot give up gaining privileges by execve", NULL);
    /* No ptrace and no /proc/PID by others of this user, and no core dump into a pipe (which ignores RLIMIT_CORE 0). */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        return sandbox_fail(s, errno, "cannot become undumpable", NULL);
    return s->opt->no_filter ? 0 : sandbox_filter_load(s, filter);
}

static int enter(struct sandbox *s)
{
    pid_t parent = getppid();
    int death_signal = 0, ret;
    void *filter = NULL;

    if (prctl(PR_GET_PDEATHSIG, &death_signal))
        return sandbox_fail(s, errno, "cannot read the parent-death signal", NULL);
    if ((ret = check_single_thread(s)) || (ret = sandbox_close_fds(s)) || (ret = sandbox_filter_build(s, &filter)) ||
        (ret = sandbox_make_space(s)) || (ret = limit_resources(s)) || (ret = keep_data_unexecutable(s)) ||
        (ret = sandbox_drop_rights(s)))
        return ret;
    return seal(s, parent, death_signal, filter);
}

int sandbox_enter(const struct sandbox_options *o, char *err, size_t errsz)
{
    struct sandbox s = {.opt = o, .err = err, .errsz = errsz};
    int ret = enter(&s);

#if SANDBOX_ASAN
    closed = true;
#endif
    if (!ret && o->missing)
        *o->missing = s.missing;
    if (!ret)
        gt_info("sandbox: closed%s", s.missing ? ", without what the warnings above name" : "");
    return ret;
}
