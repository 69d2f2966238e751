/* Who the process is, and what it may do by that. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mediator/sandbox_internal.h"
#include "vgpu/base/log.h"

static const char mistake[] = "this is a mistake in gtmux or the kernel, report it";

/* With the bounding set empty no execve gives capabilities back. A caller without CAP_SETPCAP has none to lose. */
static void empty_bounding_set(void)
{
    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)) {
            gt_debug("sandbox: the capability bounding set stays: %s", strerror(errno));
            return;
        }
}

static int change_identity(struct sandbox *s)
{
    const struct sandbox_options *o = s->opt;

    if (geteuid())
        return 0;
    if (!o->uid || !o->gid)
        return sandbox_lacks(s, SANDBOX_USER, EINVAL, "no user given for the device process, it stays root");
    if (setgroups(0, NULL) || setresgid(o->gid, o->gid, o->gid) || setresuid(o->uid, o->uid, o->uid))
        return sandbox_lacks(s, SANDBOX_USER, errno, "cannot change the user of the device process");
    return 0;
}

static int drop_capabilities(struct sandbox *s)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capset, &head, none))
        return sandbox_fail(s, errno, "cannot drop all capabilities", NULL);
    return 0;
}

static int check_capabilities(struct sandbox *s)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &head, now))
        return sandbox_fail(s, errno, "cannot read the capabilities", NULL);
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if (now[i].effective | now[i].permitted | now[i].inheritable)
            return sandbox_fail(s, EPERM, "capabilities are left", mistake);
    return 0;
}

/* Real, effective and saved are one, and root is out of reach. */
static int check_identity(struct sandbox *s)
{
    uid_t ru, eu, su;
    gid_t rg, eg, sg;

    if (s->missing & SANDBOX_USER)
        return 0;
    if (getresuid(&ru, &eu, &su) || getresgid(&rg, &eg, &sg))
        return sandbox_fail(s, errno, "cannot read the user", NULL);
    if (!eu || ru != eu || su != eu || rg != eg || sg != eg)
        return sandbox_fail(s, EPERM, "several users or groups are left",
                            "start gtmux-dm as one plain user or as root");
    if (!setuid(0) || !setresuid((uid_t)-1, 0, (uid_t)-1) || (eg && !setresgid((gid_t)-1, 0, (gid_t)-1)))
        return sandbox_fail(s, EPERM, "the process can become root again", mistake);
    return 0;
}

int sandbox_drop_rights(struct sandbox *s)
{
    int ret;

    empty_bounding_set();
    if ((ret = change_identity(s)) || (ret = drop_capabilities(s)) || (ret = check_capabilities(s)))
        return ret;
    return check_identity(s);
}
