/* A place of its own for the process: namespaces, and an empty root directory. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mediator/sandbox_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

static const struct {
    enum sandbox_layer layer;
    int flag;
    const char *what;
} spaces[] = {
    {SANDBOX_MOUNT, CLONE_NEWNS, "no mount namespace of its own"},
    {SANDBOX_NET, CLONE_NEWNET, "no network namespace of its own"},
    {SANDBOX_IPC, CLONE_NEWIPC, "no IPC namespace of its own"},
    {SANDBOX_UTS, CLONE_NEWUTS, "no host name (UTS) namespace of its own"},
    {SANDBOX_CGROUP, CLONE_NEWCGROUP, "no cgroup namespace of its own"},
};

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -errno;

    close(fd);
    return ret;
}

/* The user stays who he is in a user namespace of his own, in which he may make the others. */
static int own_user_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    char map[64];
    int ret;

    if (unshare(CLONE_NEWUSER))
        return -errno;
    /* A user without privileges may map groups only when they can no longer be dropped (user_namespaces(7)). */
    ret = write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "%u %u 1", (unsigned)gid, (unsigned)gid);
    if (!ret)
        ret = write_file("/proc/self/gid_map", map);
    snprintf(map, sizeof(map), "%u %u 1", (unsigned)uid, (unsigned)uid);
    return ret ? ret : write_file("/proc/self/uid_map", map);
}

static int make_namespaces(struct sandbox *s)
{
    int ret = 0;

    if (geteuid()) {
        int refused = own_user_namespace();
        if (refused)
            gt_debug("sandbox: no user namespace: %s", strerror(-refused));
    }
    for (unsigned i = 0; i < GT_ARRAY_SIZE(spaces) && !ret; i++)
        if (unshare(spaces[i].flag))
            ret = sandbox_lacks(s, spaces[i].layer, errno, spaces[i].what);
    return ret;
}

/*
 * An empty, read-only file system for root, and no other in sight. /proc is only a place that surely exists; nobody
 * else sees what is mounted there.
 */
static int mount_empty_root(void)
{
    const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("gtmux-sandbox", "/proc", "tmpfs", flags, "size=4k,nr_inodes=1,mode=0555") || chdir("/proc"))
        return -errno;
    /* The old root comes to lie on the new one, and goes from there with all that is mounted in it (pivot_root(2)). */
    if (!syscall(SYS_pivot_root, ".", "."))
        return umount2(".", MNT_DETACH) || chdir("/") ? -errno : 0;
    /* A root that is the kernel's first file system (an initramfs) cannot be moved. */
    return chroot(".") || chdir("/") ? -errno : 0;
}

/* A directory that has been removed is empty and stays so: no entry can be made in it. */
static int removed_root(void)
{
    char path[] = "/tmp/gtmux-sandbox-XXXXXX";

    if (!mkdtemp(path))
        return -errno;
    int ret = chdir(path) ? -errno : 0;

    if (rmdir(path) && !ret)
        ret = -errno;
    if (!ret && (chroot(".") || chdir("/")))
        ret = -errno;
    return ret;
}

int sandbox_make_space(struct sandbox *s)
{
    int ret = make_namespaces(s);

    if (ret)
        return ret;
    ret = s->missing & SANDBOX_MOUNT ? -EPERM : mount_empty_root();
    if (ret)
        ret = removed_root();
    return ret ? sandbox_lacks(s, SANDBOX_ROOT, -ret, "no empty root directory") : 0;
}
