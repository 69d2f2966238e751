#include "mediator/run_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int format_path(char *buf, size_t size, const char *dir, const char *rest)
{
    int n = snprintf(buf, size, "%s%s", dir, rest);

    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

int run_dir_default(char *buf, size_t size)
{
    const char *dir = getenv("GTMUX_RUN_DIR");

    if (dir && dir[0])
        return format_path(buf, size, dir, "");
    if (geteuid() == 0)
        return format_path(buf, size, "/run/gtmux", "");
    dir = getenv("XDG_RUNTIME_DIR");
    if (dir && dir[0])
        return format_path(buf, size, dir, "/gtmux");
    dir = getenv("HOME");
    if (dir && dir[0])
        return format_path(buf, size, dir, "/.cache/gtmux/run");
    return -ENOENT;
}

int run_dir_make(const char *dir)
{
    char path[4096];

    if (format_path(path, sizeof(path), dir, ""))
        return -ENAMETOOLONG;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(path, 0755) && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

bool session_name_ok(const char *name)
{
    static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    size_t n = strlen(name);

    return n > 0 && n < SESSION_NAME_MAX && name[0] != '.' && strspn(name, legal) == n;
}
