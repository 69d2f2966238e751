/* fdprobe: descriptors of the device and of its objects, in the ways in which programs pass them around. Prints what is
 * wrong; exit code 0: nothing, 1: something. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libdrm/drm.h>

static int failures;

static void check(bool ok, const char *what)
{
    if (!ok)
        printf("%s: %s\n", what, strerror(errno));
    failures += !ok;
}

static bool answers(int fd)
{
    char name[8] = "";
    struct drm_version v = {.name = name, .name_len = sizeof(name) - 1};

    return !ioctl(fd, DRM_IOCTL_VERSION, &v) && !strcmp(name, "i915");
}

static void copies(int node)
{
    int a = dup(node), b = fcntl(node, F_DUPFD_CLOEXEC, 50), c = dup2(node, 60);

    check(answers(a) && answers(b) && answers(c), "duplicates of a node");
    close(a);
    check(!answers(a), "a closed duplicate answers");
    check(dup2(STDOUT_FILENO, b) == b && !answers(b), "a replaced duplicate answers");
    close(b);
    close(c);
    check(answers(node), "a node whose duplicates were closed");
}

static bool has_buffer(int node, uint32_t handle)
{
    struct drm_mode_map_dumb map = {.handle = handle};

    return !ioctl(node, DRM_IOCTL_MODE_MAP_DUMB, &map);
}

/* As Python's subprocess does. The parent's file, with its handles, must stay. */
static void vfork_child(int node)
{
    struct drm_mode_create_dumb dumb = {.width = 64, .height = 64, .bpp = 32};
    int rc = ioctl(node, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
    pid_t pid = vfork();

    if (!pid) {
        dup2(node, 70);
        close(node);
        _exit(0);
    }
    check(pid > 0 && waitpid(pid, NULL, 0) == pid, "vfork");
    check(!rc && has_buffer(node, dumb.handle), "a node that a child of vfork has closed");
    check(!answers(70), "a node that a child of vfork has copied");
}

static void fork_child(int node)
{
    int status = -1;
    pid_t pid = fork();

    if (!pid) {
        bool ok = answers(node) && !close(node);

        _exit(!ok);
    }
    check(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "a node in a child");
    check(answers(node), "a node that a child has closed");
}

static void memory(int node)
{
    struct drm_mode_create_dumb dumb = {.width = 64, .height = 64, .bpp = 32};
    struct drm_prime_handle prime = {.flags = DRM_CLOEXEC}, import = {.fd = memfd_create("short", MFD_CLOEXEC)};

    check(!ioctl(node, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), "a buffer");
    prime.handle = dumb.handle;
    check(!ioctl(node, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), "its descriptor");
    check(ftruncate(prime.fd, 0) != 0, "others can make a buffer shorter");
    check(!ftruncate(import.fd, 65536), "a file");
    check(ioctl(node, DRM_IOCTL_PRIME_FD_TO_HANDLE, &import) != 0, "memory that can get shorter is taken");
    close(import.fd);
    close(prime.fd);
}

int main(void)
{
    int node = open("/dev/dri/card0", O_RDWR | O_CLOEXEC);

    check(answers(node), "the node");
    copies(node);
    vfork_child(node);
    fork_child(node);
    memory(node);
    close(node);
    return failures != 0;
}
