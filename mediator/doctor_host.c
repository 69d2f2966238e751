/* gtmux doctor: processor, kernel, and what gtmux-dm's own process needs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediator/doctor_internal.h"

void probe_cpu(const struct doctor *d, struct finding *f)
{
    const bool avx2 = doctor_has_word(d, "/proc/cpuinfo", "avx2"),
               avx512 = doctor_has_word(d, "/proc/cpuinfo", "avx512f");

    if (avx2)
        doctor_say(f, DOCTOR_OK, NULL, "AVX2%s", avx512 ? ", AVX-512 (not used)" : ", no AVX-512 (not needed)");
    else
        doctor_say(f, DOCTOR_WARN, "use a processor with AVX2 (x86-64-v3) where guests draw much", "no AVX2: %s",
                   "kernels run on 128-bit vectors, at about half the speed");
}

void probe_memfd(const struct doctor *d, struct finding *f)
{
    int ret = d->memfd();

    if (!ret)
        doctor_say(f, DOCTOR_OK, NULL, "sealed memfds can be made");
    else
        doctor_say(f, DOCTOR_FAIL, "a kernel with CONFIG_MEMFD_CREATE is needed, and a policy that allows memfd_create",
                   "no sealed memfd can be made: %s", strerror(-ret));
}

/* A run directory that is missing is made by gtmux-dm. */
void probe_run_dir(const struct doctor *d, struct finding *f)
{
    struct stat st;

    if (!d->run_dir)
        doctor_say(f, DOCTOR_FAIL, "set GTMUX_RUN_DIR to a directory of yours", "no directory: HOME is not set either");
    else if (stat(d->run_dir, &st))
        doctor_say(f, errno == ENOENT ? DOCTOR_OK : DOCTOR_FAIL,
                   errno == ENOENT ? NULL : "set GTMUX_RUN_DIR to another one", "%.200s %s", d->run_dir,
                   errno == ENOENT ? "is not there yet; gtmux-dm makes it" : "cannot be looked into");
    else if (!S_ISDIR(st.st_mode) || faccessat(AT_FDCWD, d->run_dir, R_OK | W_OK | X_OK, AT_EACCESS))
        doctor_say(f, DOCTOR_FAIL, "make it a directory of the user that runs gtmux-dm, or set GTMUX_RUN_DIR",
                   "%.200s is not a directory that we may write to", d->run_dir);
    else if (st.st_uid != geteuid() || (st.st_mode & 0022))
        doctor_say(f, DOCTOR_WARN, "give it to the user that runs gtmux-dm, with mode 0700",
                   "%.200s is owned by user %u with mode %04o: others can take over sockets", d->run_dir, st.st_uid,
                   st.st_mode & 07777);
    else
        doctor_say(f, DOCTOR_OK, NULL, "%.200s, mode %04o", d->run_dir, st.st_mode & 07777);
}

/* Debian's older kernels, Ubuntu's AppArmor and the sysctl of all can forbid them to users other than root. */
void probe_user_namespaces(const struct doctor *d, struct finding *f)
{
    long long max = doctor_number(d, "/proc/sys/user/max_user_namespaces", 0);

    if (max <= 0)
        doctor_say(f, DOCTOR_WARN,
                   "set user.max_user_namespaces to 1024 or more (sysctl), on a kernel with CONFIG_USER_NS",
                   "none can be made: a sandbox has fewer layers, and --sandbox=strict refuses to start");
    else if (!doctor_number(d, "/proc/sys/kernel/unprivileged_userns_clone", 1))
        doctor_say(f, DOCTOR_WARN, "set kernel.unprivileged_userns_clone to 1 (sysctl), or start gtmux-dm as root",
                   "only root can make one");
    else if (doctor_number(d, "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0) == 1)
        doctor_say(f, DOCTOR_WARN, "give gtmux-dm an AppArmor profile with 'userns,', or start it as root",
                   "AppArmor lets only programs with a profile make one");
    else
        doctor_say(f, DOCTOR_OK, NULL, "up to %lld", max);
}

void probe_seccomp(const struct doctor *d, struct finding *f)
{
    if (doctor_has_word(d, "/proc/sys/kernel/seccomp/actions_avail", "kill_process"))
        doctor_say(f, DOCTOR_OK, NULL, "filters can end a process");
    else
        doctor_say(f, DOCTOR_WARN, "a kernel with CONFIG_SECCOMP_FILTER, 4.14 or later, is needed",
                   "this kernel has no filters that end a process: no sandbox");
}
