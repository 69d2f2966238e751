/*
 * The system call filter: an allow-list; what is not on it kills the process (docs/sandbox.md has a reason for each).
 *
 * Arguments are compared in the width that the kernel reads: it takes 32 bits of a descriptor or of flags, so the upper
 * half must not decide. A check is on the registers only: what a pointer points to can change after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/udmabuf.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xen/xen.h>

#include <xen/sys/evtchn.h>
#include <xen/sys/privcmd.h>

#include "display/kmod/gtmux_xen_export.h"
#include "mediator/sandbox_internal.h"
#include "vgpu/base/bits.h"

/* What the C library tries and does without: a path that it may not use, a call that an old kernel does not have. */
#define REFUSE_PATH SCMP_ACT_ERRNO(EACCES)
#define REFUSE_NEW  SCMP_ACT_ERRNO(ENOSYS)

/* What pthread_create passes (glibc, nptl/pthread_create.c): a thread, never a process or a namespace. */
#define THREAD_FLAGS                                                                                                   \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |                 \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

/* clang-format off */
static const int allowed[] = {
    /* descriptors that are open */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(ftruncate),
    SCMP_SYS(poll), SCMP_SYS(epoll_ctl), SCMP_SYS(accept4), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
    /* memory */
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    /* threads and signals of this process */
    SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(exit), SCMP_SYS(exit_group),
    /* time, where the vDSO cannot tell it, and chance */
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(getrandom),
#if SANDBOX_ASAN /* each thread's alternate stack */
    SCMP_SYS(sigaltstack),
#endif
};

static const int without_paths[] = {
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(creat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(statx),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(getcwd),
};

#define LOW(number, value) {.arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xffffffffu, .datum_b = (value)}
#define BITS(number, mask, value) {.arg = (number), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value)}
#define EXACT(number, value) {.arg = (number), .op = SCMP_CMP_EQ, .datum_a = (value)}

static const struct rule {
    uint32_t action;
    int call;
    unsigned count;
    struct scmp_arg_cmp cmp[2];
} rules[] = {
    {SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, {BITS(2, PROT_EXEC, 0)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, {BITS(2, PROT_EXEC, 0)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, {EXACT(0, THREAD_FLAGS)}},
    {REFUSE_NEW, SCMP_SYS(clone3), 0, {{0}}}, /* its flags are in memory; glibc goes back to clone */
    {SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, {BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)}}, /* fstat of glibc before 2.39 */
    {REFUSE_PATH, SCMP_SYS(newfstatat), 1, {BITS(3, AT_EMPTY_PATH, 0)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(memfd_create), 1, {LOW(1, MFD_CLOEXEC)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(memfd_create), 1, {LOW(1, MFD_CLOEXEC | MFD_ALLOW_SEALING)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, {LOW(1, F_ADD_SEALS)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, {LOW(1, F_DUPFD_CLOEXEC)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, {LOW(1, F_GETFL)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, {LOW(1, F_SETFL)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, {LOW(1, F_GETFD)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, {LOW(1, F_SETFD)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2, {LOW(1, SOL_SOCKET), LOW(2, SO_PEERCRED)}},
    {SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, {LOW(0, PR_SET_NAME)}},
    {SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1, {LOW(0, PR_SET_VMA)}}, /* malloc may name its memory */
    {SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 1, {LOW(1, TCGETS)}},     /* stdio asks whether it has a terminal */
};

static const uint64_t privcmd_calls[] = {
    IOCTL_PRIVCMD_DM_OP, IOCTL_PRIVCMD_MMAPBATCH_V2, IOCTL_PRIVCMD_MMAPBATCH, /* the last for want of the second */
};
static const uint64_t evtchn_calls[] = {IOCTL_EVTCHN_NOTIFY};
static const uint64_t udmabuf_calls[] = {UDMABUF_CREATE_LIST};
static const uint64_t xen_export_calls[] = {GTMUX_XEN_CREATE}; /* what it is bound to stays */
/* clang-format on */

static int add_calls(scmp_filter_ctx f, uint32_t action, const int *calls, size_t count)
{
    int ret = 0;

    for (size_t i = 0; i < count && !ret; i++)
        ret = seccomp_rule_add(f, action, calls[i], 0);
    return ret;
}

static int add_rules(scmp_filter_ctx f)
{
    int ret = 0;

    for (size_t i = 0; i < GT_ARRAY_SIZE(rules) && !ret; i++)
        ret = seccomp_rule_add_array(f, rules[i].action, rules[i].call, rules[i].count, rules[i].cmp);
    return ret;
}

static int add_ioctls(scmp_filter_ctx f, const struct sandbox_handles *h, const uint64_t *calls, size_t count)
{
    int ret = 0;

    for (unsigned i = 0; i < h->count; i++)
        for (size_t k = 0; k < count && !ret; k++) {
            const struct scmp_arg_cmp cmp[] = {LOW(0, (unsigned)h->fd[i]), LOW(1, calls[k])};
            ret = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), GT_ARRAY_SIZE(cmp), cmp);
        }
    return ret;
}

/* abort() and its like send signals to a thread of this process; others' are out of reach. */
static int add_own_signals(scmp_filter_ctx f)
{
    const struct scmp_arg_cmp self = LOW(0, (unsigned)getpid());

    return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &self);
}

static int fill(const struct sandbox *s, scmp_filter_ctx f)
{
    int ret;

    /* A 32-bit or x32 system call has other numbers: no such call is ours. */
    if ((ret = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) ||
        (ret = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1)) ||
        (ret = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2)) ||
        (ret = add_calls(f, SCMP_ACT_ALLOW, allowed, GT_ARRAY_SIZE(allowed))) ||
        (ret = add_calls(f, REFUSE_PATH, without_paths, GT_ARRAY_SIZE(without_paths))) || (ret = add_rules(f)) ||
        (ret = add_ioctls(f, &s->privcmd, privcmd_calls, GT_ARRAY_SIZE(privcmd_calls))) ||
        (ret = add_ioctls(f, &s->evtchn, evtchn_calls, GT_ARRAY_SIZE(evtchn_calls))) ||
        (ret = add_ioctls(f, &s->udmabuf, udmabuf_calls, GT_ARRAY_SIZE(udmabuf_calls))) ||
        (ret = add_ioctls(f, &s->xen_export, xen_export_calls, GT_ARRAY_SIZE(xen_export_calls))))
        return ret;
    return add_own_signals(f);
}

int sandbox_filter_build(struct sandbox *s, void **filter)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);

    if (!f)
        return sandbox_fail(s, ENOMEM, "cannot make a system call filter", "this needs Linux 4.14 or newer");
    int ret = fill(s, f);

    if (ret) {
        seccomp_release(f);
        return sandbox_fail(s, -ret, "cannot make the system call filter", "this is a mistake in gtmux, report it");
    }
    *filter = f;
    return 0;
}

int sandbox_filter_load(struct sandbox *s, void *filter)
{
    int ret = seccomp_load(filter);

    seccomp_release(filter);
    return ret ? sandbox_fail(s, -ret, "cannot load the system call filter",
                              "does the kernel have CONFIG_SECCOMP_FILTER?")
               : 0;
}
