/*
 * Paths. `gtmux exec` makes a directory with what /dev/dri and the sysfs folders of an Intel GPU have in them, and
 * programs are led there. The nodes in it are plain files; only opening them and asking for their kind is special.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"

#define DRI     "/dev/dri"
#define CLASSES "/sys/class"

static const char *const ours[] = {
    DRI,
    "/sys/dev/char/226:0",
    "/sys/dev/char/226:128",
    "/sys/class/drm",
    "/sys/bus/pci/devices/0000:00:02.0",
    "/sys/devices/pci0000:00/0000:00:02.0",
};

const char *shim_path_root(void)
{
    static const char *root;
    static bool known;

    if (!known) {
        root = getenv("GTMUX_SHIM_ROOT");
        known = true;
    }
    return root && *root ? root : NULL;
}

static bool below(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

const char *shim_path(const char *path, char buf[SHIM_PATH_MAX])
{
    const char *root;

    if (!path || path[0] != '/' || (path[1] != 'd' && path[1] != 's'))
        return path;
    root = shim_path_root();
    /* udev looks for the class in the list of classes; their folders themselves stay where they are. */
    if (root && (!strcmp(path, CLASSES) || !strcmp(path, CLASSES "/"))) {
        snprintf(buf, SHIM_PATH_MAX, "%s" CLASSES, root);
        return buf;
    }
    for (size_t i = 0; root && i < GT_ARRAY_SIZE(ours); i++) {
        if (!below(path, ours[i]))
            continue;
        int n = snprintf(buf, SHIM_PATH_MAX, "%s%s", root, path);

        return n > 0 && (unsigned)n < SHIM_PATH_MAX ? buf : path;
    }
    return path;
}

/* Names of folders that end one of ours, or are on the way to the nodes. */
static bool interesting(const char *name)
{
    static const char *const names[] = {"dri", "drm", "226:0", "226:128", "0000:00:02.0", "pci0000:00"};
    bool found = false;

    for (size_t i = 0; i < GT_ARRAY_SIZE(names); i++)
        found |= !strcmp(name, names[i]);
    return found;
}

const char *shim_path_at(int dir, const char *path, char buf[SHIM_PATH_MAX])
{
    char link[32], full[SHIM_PATH_MAX];
    ssize_t n;

    if (!path || path[0] == '/' || dir < 0 || !interesting(path) || !shim_path_root())
        return shim_path(path, buf);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
    n = readlink(link, full, sizeof(full));
    if (n <= 0 || (size_t)n + strlen(path) + 2 > sizeof(full))
        return path;
    full[n] = '/';
    strcpy(full + n + 1, path);
    const char *changed = shim_path(full, buf);

    return changed == full ? path : changed;
}

bool shim_path_is_node(const char *path, bool *primary)
{
    if (!path || !below(path, DRI) || !shim_path_root())
        return false;
    *primary = !strcmp(path, DRI "/card0");
    return *primary || !strcmp(path, DRI "/renderD128");
}
