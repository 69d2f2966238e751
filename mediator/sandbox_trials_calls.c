/*
 * System calls that must fail, as rows. Each is made with arguments that would do no harm if it got through, and that
 * fail in another way then.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/memfd.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mediator/sandbox_internal.h"
#include "mediator/sandbox_trials.h"
#include "vgpu/base/bits.h"

/* Arguments that only the process knows: far from all real values. */
enum {
    ARG = 0x6a7b0000,
    ARG_PARENT, /* process outside */
    ARG_SELF,
    ARG_DIR,  /* stage.dir_fd */
    ARG_PIPE, /* a descriptor of our own */
    ARG_PAGE, /* writable memory */
};

struct call {
    const char *name;
    long number;
    long arg[6];
    int error;       /* what the filter answers, 0: it kills */
    int alone;       /* what it fails with when there is no filter, 0: not tried, it may work */
    unsigned layers; /* for that */
    bool needs_root; /* for that: only another user's process is out of reach */
};

#define S(string) ((long)(string))
#define ROOT      SANDBOX_ROOT
#define USER      SANDBOX_USER
#define ROOT_FS   (SANDBOX_ROOT | SANDBOX_MOUNT)

static const struct rlimit some_core = {1 << 20, 1 << 20};
static long word;
static const struct iovec words = {&word, sizeof(word)}; /* at the same address in the parent */
static char *const no_strings[] = {NULL};
static const struct no_program {
    unsigned short len;
    const void *filter;
} no_program;

/* clang-format off */
static const struct call rows[] = {
    /* files */
    {"open of /etc/passwd", SYS_open, {S("/etc/passwd"), O_RDONLY}, EACCES, ENOENT, ROOT},
    {"openat of /etc/passwd", SYS_openat, {AT_FDCWD, S("/etc/passwd"), O_RDONLY}, EACCES, ENOENT, ROOT},
    {"openat of a relative path", SYS_openat, {AT_FDCWD, S("etc/passwd"), O_RDONLY}, EACCES, ENOENT, ROOT},
    {"openat of a path upwards", SYS_openat, {AT_FDCWD, S("../../../../etc/passwd"), O_RDONLY}, EACCES, ENOENT, ROOT},
    {"openat below an inherited directory", SYS_openat, {ARG_DIR, S("passwd"), O_RDONLY}, EACCES, EBADF},
    {"openat of /proc/self/mem", SYS_openat, {AT_FDCWD, S("/proc/self/mem"), O_RDWR}, EACCES, ENOENT, ROOT},
    {"openat of /dev/mem", SYS_openat, {AT_FDCWD, S("/dev/mem"), O_RDWR}, EACCES, ENOENT, ROOT},
    {"openat2", SYS_openat2, {AT_FDCWD, S("/etc/passwd"), ARG_PAGE, 24}, 0, ENOENT, ROOT},
    {"creating a file in the root", SYS_creat, {S("/gtmux-selftest"), 0600}, EACCES, EROFS, ROOT_FS},
    {"making a directory in the root", SYS_mkdir, {S("/gtmux-selftest"), 0700}, 0, EROFS, ROOT_FS},
    {"making a device node", SYS_mknod, {S("/gtmux-selftest"), S_IFCHR | 0600, 0x103}, 0, EROFS, ROOT_FS},
    {"O_TMPFILE in the root", SYS_openat, {AT_FDCWD, S("/"), O_TMPFILE | O_RDWR, 0600}, EACCES, EROFS, ROOT_FS},
    {"stat", SYS_stat, {S("/etc/passwd"), ARG_PAGE}, EACCES, ENOENT, ROOT},
    {"newfstatat with a path", SYS_newfstatat, {AT_FDCWD, S("/etc/passwd"), ARG_PAGE}, EACCES, ENOENT, ROOT},
    {"unlink", SYS_unlink, {S("/gtmux-selftest")}, EACCES},
    {"rename", SYS_rename, {S("/gtmux-selftest"), S("/gtmux-selftest2")}},
    {"chmod", SYS_chmod, {S("/gtmux-selftest"), 0600}},
    {"fchmod of its own", SYS_fchmod, {ARG_PIPE, 0777}},
    {"getdents of an inherited directory", SYS_getdents64, {ARG_DIR, ARG_PAGE, 4096}, 0, EBADF},
    {"fchdir to an inherited directory", SYS_fchdir, {ARG_DIR}, 0, EBADF},
    {"open_by_handle_at", SYS_open_by_handle_at, {ARG_DIR, ARG_PAGE, O_RDONLY}},
    {"inotify_init1", SYS_inotify_init1, {0}},
    /* other programs and processes */
    {"execve", SYS_execve, {S("/bin/true"), (long)no_strings, (long)no_strings}, 0, ENOENT, ROOT},
    {"execveat of a descriptor", SYS_execveat, {ARG_PIPE, S(""), (long)no_strings, (long)no_strings, AT_EMPTY_PATH}},
    {"fork", SYS_fork, {0}},
    {"vfork as clone", SYS_clone, {CLONE_VM | CLONE_VFORK, 0}},
    {"clone of a process", SYS_clone, {0}},
    {"clone of a thread in a user namespace", SYS_clone, {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER, ARG_PAGE}},
    {"clone3", SYS_clone3, {ARG_PAGE, 64}, ENOSYS},
    {"kill of the parent", SYS_kill, {ARG_PARENT, 0}, 0, EPERM, USER, true},
    {"kill of all processes", SYS_kill, {-1, 0}},
    {"tgkill of the parent", SYS_tgkill, {ARG_PARENT, ARG_PARENT, 0}, 0, EPERM, USER, true},
    {"tkill of the parent", SYS_tkill, {ARG_PARENT, 0}, 0, EPERM, USER, true},
    {"rt_sigqueueinfo to the parent", SYS_rt_sigqueueinfo, {ARG_PARENT, 0, ARG_PAGE}},
    {"ptrace of the parent", SYS_ptrace, {PTRACE_SEIZE, ARG_PARENT, 0, 0}, 0, EPERM, USER, true},
    {"ptrace of itself", SYS_ptrace, {PTRACE_TRACEME, 0, 0, 0}},
    {"reading the parent's memory", SYS_process_vm_readv, {ARG_PARENT, (long)&words, 1, (long)&words, 1, 0}, 0, EPERM, USER, true},
    {"writing its own memory by process_vm_writev", SYS_process_vm_writev, {ARG_SELF, (long)&words, 1, (long)&words, 1, 0}},
    {"pidfd_open", SYS_pidfd_open, {ARG_PARENT, 0}},
    {"sched_setaffinity of the parent", SYS_sched_setaffinity, {ARG_PARENT, 0, ARG_PAGE}},
    {"setpriority", SYS_setpriority, {PRIO_PROCESS, 0, -20}, 0, EACCES, USER},
    /* network */
    {"socket(AF_INET)", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"socket(AF_UNIX)", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"socket(AF_NETLINK)", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, ARG_PAGE}},
    {"connect", SYS_connect, {ARG_PIPE, ARG_PAGE, 16}},
    {"bind", SYS_bind, {ARG_PIPE, ARG_PAGE, 16}},
    {"setsockopt", SYS_setsockopt, {ARG_PIPE, SOL_SOCKET, SO_REUSEADDR, ARG_PAGE, 4}},
    {"getsockopt of another option", SYS_getsockopt, {ARG_PIPE, SOL_SOCKET, SO_PEERGROUPS, ARG_PAGE, ARG_PAGE}},
    /* identity */
    {"setuid(0)", SYS_setuid, {0}, 0, -1, USER},
    {"setresuid to root", SYS_setresuid, {0, 0, 0}, 0, -1, USER},
    {"setresgid to root", SYS_setresgid, {0, 0, 0}, 0, -1, USER},
    {"setgroups", SYS_setgroups, {0, 0}, 0, EPERM, USER},
    {"setfsuid", SYS_setfsuid, {0}},
    {"capset", SYS_capset, {ARG_PAGE, ARG_PAGE}},
    {"prctl(PR_SET_DUMPABLE)", SYS_prctl, {PR_SET_DUMPABLE, 1}},
    {"prctl(PR_SET_SECCOMP)", SYS_prctl, {PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&no_program}},
    {"prctl(PR_SET_PTRACER)", SYS_prctl, {PR_SET_PTRACER, -1}},
    {"prctl(PR_SET_PDEATHSIG)", SYS_prctl, {PR_SET_PDEATHSIG, 0}},
    {"prctl(PR_SET_MM)", SYS_prctl, {PR_SET_MM, PR_SET_MM_BRK, 0}, 0, EPERM, USER},
    {"seccomp", SYS_seccomp, {SECCOMP_SET_MODE_FILTER, 0, (long)&no_program}},
    {"personality", SYS_personality, {0x0400000}},
    {"a higher core dump limit", SYS_prlimit64, {0, RLIMIT_CORE, (long)&some_core, 0}, 0, EPERM, USER},
    {"keyctl", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0}},
    {"add_key", SYS_add_key, {S("user"), S("gtmux"), S("x"), 1, KEY_SPEC_PROCESS_KEYRING}},
    /* the system */
    {"mount", SYS_mount, {S("none"), S("/"), S("no-such-file-system"), 0, 0}, 0, EPERM, USER},
    {"umount2", SYS_umount2, {S("/"), MNT_EXPIRE}, 0, EPERM, USER},
    {"pivot_root", SYS_pivot_root, {S("/"), S("/")}, 0, EPERM, USER},
    {"chroot", SYS_chroot, {S("/")}, 0, EPERM, USER},
    {"unshare of a user namespace", SYS_unshare, {CLONE_NEWUSER}},
    {"unshare of mounts", SYS_unshare, {CLONE_NEWNS}, 0, EPERM, USER},
    {"setns", SYS_setns, {ARG_PIPE, 0}},
    {"sethostname", SYS_sethostname, {ARG_PAGE, -1}, 0, EPERM, USER},
    {"clock_settime", SYS_clock_settime, {0, 0}},
    {"bpf", SYS_bpf, {0, ARG_PAGE, 0}},
    {"perf_event_open", SYS_perf_event_open, {ARG_PAGE, 0, -1, -1, 0}},
    {"userfaultfd", SYS_userfaultfd, {O_CLOEXEC}},
    {"io_uring_setup", SYS_io_uring_setup, {1, ARG_PAGE}},
    {"io_setup", SYS_io_setup, {0, ARG_PAGE}},
    {"init_module", SYS_init_module, {ARG_PAGE, 0, S("")}},
    {"ioperm", SYS_ioperm, {0x80, 1, 1}, 0, EPERM, USER},
    {"reboot", SYS_reboot, {0, 0, 0, 0}, 0, EPERM, USER},
    {"syslog", SYS_syslog, {3, ARG_PAGE, 0}},
    {"quotactl", SYS_quotactl, {0, 0, 0, 0}},
    /* memory that can be executed, or is shared with others */
    {"mmap with PROT_EXEC", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"mmap of a descriptor with PROT_EXEC", SYS_mmap, {0, 4096, PROT_EXEC, MAP_SHARED, ARG_PIPE, 0}},
    {"mprotect to PROT_EXEC", SYS_mprotect, {ARG_PAGE, 4096, PROT_READ | PROT_EXEC}},
    {"pkey_mprotect to PROT_EXEC", SYS_pkey_mprotect, {ARG_PAGE, 4096, PROT_READ | PROT_EXEC, -1}},
    {"shmget", SYS_shmget, {IPC_PRIVATE, 4096, IPC_CREAT | 0600}},
    {"shmat with SHM_EXEC", SYS_shmat, {0, 0, SHM_EXEC}},
    {"mlock", SYS_mlock, {ARG_PAGE, 4096}, 0, EPERM, USER},
    {"remap_file_pages", SYS_remap_file_pages, {ARG_PAGE, 4096, 0, 0, 0}},
    {"memfd_create of huge pages", SYS_memfd_create, {S("gtmux"), MFD_CLOEXEC | MFD_HUGETLB}},
    {"memfd_secret", SYS_memfd_secret, {0}},
    /* descriptors */
    {"ioctl on a pipe", SYS_ioctl, {ARG_PIPE, FIONREAD, ARG_PAGE}},
    {"ioctl TIOCSTI on standard error", SYS_ioctl, {STDERR_FILENO, TIOCSTI, ARG_PAGE}},
    {"ioctl TCGETS", SYS_ioctl, {STDERR_FILENO, TCGETS, ARG_PAGE}, ENOTTY},
    {"ioctl TIOCSTI, disguised by its upper half", SYS_ioctl, {STDERR_FILENO, TIOCSTI + (1L << 32), ARG_PAGE}},
    {"fcntl(F_SETOWN)", SYS_fcntl, {ARG_PIPE, F_SETOWN, ARG_PARENT}},
    {"fcntl(F_SETPIPE_SZ)", SYS_fcntl, {ARG_PIPE, F_SETPIPE_SZ, 1 << 20}},
    {"ioctl that ends like TCGETS", SYS_ioctl, {STDERR_FILENO, 0x6601, ARG_PAGE}},
    {"eventfd2", SYS_eventfd2, {0, 0}},
    {"epoll_create1", SYS_epoll_create1, {0}},
    {"dup2", SYS_dup2, {ARG_PIPE, 200}},
    {"pidfd_getfd", SYS_pidfd_getfd, {ARG_PIPE, 0, 0}},
#ifdef __x86_64__
    {"an x32 system call", 0x40000000 + SYS_getpid, {0}}, /* its number is another; the kernel may not even have it */
#endif
};
/* clang-format on */

static long resolve(const struct stage *st, long arg)
{
    switch (arg) {
    case ARG_PARENT:
        return st->parent;
    case ARG_SELF:
        return getpid();
    case ARG_DIR:
        return st->dir_fd;
    case ARG_PIPE:
        return st->pipe_fd[0];
    case ARG_PAGE:
        return (long)st->page;
    default:
        return arg;
    }
}

static const char *run(struct stage *st)
{
    const struct call *c = st->trial->arg;
    int want = st->trial->no_filter ? c->alone : c->error;
    long a[6];

    for (unsigned i = 0; i < GT_ARRAY_SIZE(a); i++)
        a[i] = resolve(st, c->arg[i]);
    errno = 0;
    long ret = syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);

    if (ret != -1)
        return stage_why(st, "it worked, with the result %ld", ret);
    /* ENOSYS: this kernel was built without it. */
    if (errno == want || want == -1 || (st->trial->no_filter && errno == ENOSYS))
        return NULL;
    return stage_why(st, "it got to the kernel and failed with: %s", strerror(errno));
}

size_t trial_calls(void)
{
    return GT_ARRAY_SIZE(rows);
}

bool trial_call(size_t row, bool alone, struct trial *out)
{
    const struct call *c = &rows[row];

    *out = (struct trial){
        .name = c->name,
        .run = run,
        .end = alone || c->error ? TRIAL_RETURNS : TRIAL_KILLED,
        .no_filter = alone,
        .layers = alone ? c->layers : 0,
        .needs_root = alone && c->needs_root,
        .arg = c,
    };
    return !alone || c->alone;
}
