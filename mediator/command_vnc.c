/* gtmux vnc: becomes gtmux-vnc (main_vnc.c). */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/command.h"
#include "vgpu/base/bits.h"

#define PROGRAM "gtmux-vnc"

/* Beside this program in the build tree, in libexec beside bin when it is installed. */
static bool find_program(char *path, size_t size)
{
    static const char *const places[] = {"", "../" GTMUX_LIBEXECDIR "/gtmux/"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        return false;
    self[n] = '\0';
    const char *dir = dirname(self);

    for (size_t i = 0; i < GT_ARRAY_SIZE(places); i++) {
        snprintf(path, size, "%s/%s" PROGRAM, dir, places[i]);
        if (!access(path, X_OK))
            return true;
    }
    return false;
}

int command_vnc(int argc, char **argv)
{
    char path[PATH_MAX + 64];

    (void)argc;
    if (!find_program(path, sizeof(path))) {
        fprintf(stderr, "gtmux: there is no program " PROGRAM ": this gtmux was installed without VNC\n");
        return EXIT_FAILURE;
    }
    execv(path, argv);
    fprintf(stderr, "gtmux: cannot run %s: %s\n", path, strerror(errno));
    return EXIT_FAILURE;
}
