#include "mediator/keeper_main.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/keeper.h"
#include "mediator/xen_keys.h"
#include "vgpu/base/log.h"

#define OWN_PROGRAM "/proc/self/exe"

struct command_line {
    char **argv; /* of the device, for exec */
    char name[KEEPER_NAME_MAX + 8], run_dir[PATH_MAX + 16], device[128];
};

/* The device parses the same command line, and ours at its end count. */
static int device_line(struct command_line *l, int argc, char **argv, const char *name, const char *run_dir,
                       const char *uuid)
{
    l->argv = calloc((size_t)argc + 4, sizeof(*l->argv));
    if (!l->argv)
        return -ENOMEM;
    memcpy(l->argv, argv, (size_t)argc * sizeof(*argv));
    snprintf(l->name, sizeof(l->name), "--name=%s", name);
    snprintf(l->run_dir, sizeof(l->run_dir), "--run-dir=%s", run_dir);
    snprintf(l->device, sizeof(l->device), "--" KEEPER_DEVICE_OPTION "=%s", uuid);
    l->argv[argc] = l->name;
    l->argv[argc + 1] = l->run_dir;
    l->argv[argc + 2] = l->device;
    return 0;
}

/*
 * A fresh program rather than a copy of this one: no xenstore connection, no thread's lock held for ever, and other
 * addresses each time, so that a guest learns nothing from a crash for its next try. The file is the one that we run,
 * whatever was installed meanwhile.
 */
static int become_device(void *ctx, int status_fd)
{
    const struct command_line *l = ctx;

    (void)status_fd; /* KEEPER_FD_STATUS */
    execv(OWN_PROGRAM, l->argv);
    return KEEPER_EXIT_START;
}

int keeper_take_fds(struct device_options *o)
{
    /* Close-on-exec from here: by that the sandbox knows our own descriptors. */
    if (fcntl(KEEPER_FD_STATUS, F_SETFD, FD_CLOEXEC) || fcntl(KEEPER_FD_LOCK, F_SETFD, FD_CLOEXEC))
        return -errno;
    o->status_fd = KEEPER_FD_STATUS;
    return 0;
}

/* Only returns when neither the program installed now nor our own can be started. */
static void upgrade(const char *program, char **argv)
{
    gt_info("starting %s anew", program);
    execv(program, argv);
    gt_err("cannot start %s: %s; going on with the old program", program, strerror(errno));
    execv(OWN_PROGRAM, argv);
    gt_err("cannot start the old program: %s; 'gtmux attach' takes the domain up again", strerror(errno));
}

static int keep(struct xen_keys *keys, const struct device_options *o, int argc, char **argv)
{
    char run_dir[PATH_MAX], name[KEEPER_NAME_MAX], program[PATH_MAX] = "";
    struct command_line line;
    ssize_t n = readlink(OWN_PROGRAM, program, sizeof(program) - 1);
    int rc = 0;

    program[n > 0 ? n : 0] = 0;
    if (o->session.run_dir)
        rc = snprintf(run_dir, sizeof(run_dir), "%s", o->session.run_dir) >= (int)sizeof(run_dir) ? -ENAMETOOLONG : 0;
    else
        rc = run_dir_default(run_dir, sizeof(run_dir));
    if (o->session.name)
        snprintf(name, sizeof(name), "%s", o->session.name);
    else
        xen_keys_guest_name(keys, name, sizeof(name));
    gt_log_set_name(name);
    if (rc || (rc = device_line(&line, argc, argv, name, run_dir, xen_keys_uuid(keys)))) {
        gt_err("cannot start: %s", strerror(-rc));
        return KEEPER_EXIT_START;
    }
    const struct keeper_options opt = {
        .keys = keys, .name = name, .run_dir = run_dir, .device = become_device, .ctx = &line};
    int code = keeper_run(&opt);
    if (code == KEEPER_UPGRADE) {
        upgrade(program, argv);
        code = KEEPER_EXIT_BROKEN;
    }
    free(line.argv);
    return code;
}

int keeper_main(const struct device_options *o, int argc, char **argv)
{
    char err[256] = "";
    struct xen_keys *keys;

    /* libxl's descriptors come along when its device model starts us: QEMU's monitor socket would stay open. */
    close_range(3, ~0u, 0);
    if (xen_keys_open(&keys, (unsigned)o->session.xen_domid, err, sizeof(err))) {
        gt_err("%s", err);
        return KEEPER_EXIT_START;
    }
    int code = keep(keys, o, argc, argv);
    xen_keys_close(keys);
    return code;
}
