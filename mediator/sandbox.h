/*
 * Takes away from the device process all that serving one guest does not need, before the guest can speak: other
 * users' files and processes, the network, other domains, most system calls. docs/sandbox.md says what is in force
 * and why.
 */
#ifndef GTMUX_MEDIATOR_SANDBOX_H
#define GTMUX_MEDIATOR_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a host may refuse to give. The rest (no_new_privs, limits, descriptors, the system call filter) always is. */
enum sandbox_layer {
    SANDBOX_USER = 1 << 0,   /* an identity other than root's, and no capabilities */
    SANDBOX_ROOT = 1 << 1,   /* an empty root directory */
    SANDBOX_MOUNT = 1 << 2,  /* namespaces of our own: mounts, */
    SANDBOX_NET = 1 << 3,    /* network, */
    SANDBOX_IPC = 1 << 4,    /* System V IPC and POSIX queues, */
    SANDBOX_UTS = 1 << 5,    /* host name, */
    SANDBOX_CGROUP = 1 << 6, /* control groups */
};

struct sandbox_options {
    uid_t uid; /* whom to become when the caller is root; ignored otherwise */
    gid_t gid;
    bool require; /* a refused layer is an error; else it is logged and done without */
    bool xen;     /* keep the handles on Xen's privcmd and evtchn devices, and their ioctls that a dm needs */
    /* The descriptors to keep beside 0, 1 and 2. NULL: those that are close-on-exec, that is our own ones and not what
     * we were started with. Directories are refused: a way out of the empty root. */
    const int *fds;
    unsigned fd_count;
    unsigned fd_limit;   /* RLIMIT_NOFILE */
    size_t memory_limit; /* bytes of RLIMIT_DATA: heap and stacks, not what is shared with the guest; 0: none */
    uint64_t file_limit; /* bytes of RLIMIT_FSIZE, also of one memfd; a log file may grow by so much; 0: none */
    unsigned *missing;   /* NULL, or where to tell which layers are not in force: enum sandbox_layer */
    bool no_filter;      /* for the self-test: shows that the other layers hold without the system call filter */
};

/* Not required, 128 descriptors, 1 GiB of memory, files of 256 MiB, uid and gid 0 (to be set). */
void sandbox_options_default(struct sandbox_options *o);

/*
 * Whom the device process should become. `spec` is "USER", "UID" or "UID:GID". NULL: for a domain (domid >= 0) the uid
 * of the user gtmux-range-base plus domid, so that no two guests share one; where there is no such user, and for
 * domid -1, the user gtmux. Root is refused. 0, or -errno with a message: what, why, what to do.
 */
int sandbox_user(const char *spec, int domid, uid_t *uid, gid_t *gid, char *err, size_t errsz);

/*
 * Closes the sandbox around the calling process, which must have one thread and all its handles open; there is no way
 * back. Xen handles must have been restricted to the guest (ioreq_xen_restrict). Keeps the parent-death signal.
 * Standard input becomes /dev/null. 0, or -errno with a message: what, why, what to do; then the process must not go
 * on, because some rights may be gone.
 */
int sandbox_enter(const struct sandbox_options *o, char *err, size_t errsz);

#endif
