#include "mediator/doctor.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mediator/doctor_internal.h"
#include "mediator/session.h"
#include "vgpu/base/bits.h"

const struct doctor_row doctor_rows[] = {
    {"cpu", "the software GPU's loops over pixels and channels", probe_cpu},
    {"memfd", "memory that is shared with viewers", probe_memfd},
    {"run-dir", "sockets of gtmux-dm, by which the other commands find it", probe_run_dir},
    {"kvm", "fast guests of QEMU", probe_kvm},
    {"qemu", "gives a vGPU of gtmux-dm --vfio-user to its guest", probe_qemu},
    {"xen", "gtmux attach gives a vGPU to a guest of Xen", probe_xen},
    {"xen-devices", "the way of gtmux-dm to a Xen guest", probe_xen_devices},
    {"xen-libraries", "the same", probe_xen_libraries},
    {"guests", "can any guest be given a vGPU here?", probe_guests},
    {"user-namespaces", "a layer of gtmux-dm's sandbox", probe_user_namespaces},
    {"seccomp", "a layer of gtmux-dm's sandbox", probe_seccomp},
    {"gpus", "not needed: vGPUs are software", probe_gpus},
    {"render-nodes", "viewers that draw with OpenGL", probe_render_nodes},
    {"monitors", "gtmux kms shows guests on them", probe_monitors},
    {"udmabuf", "hands a guest's framebuffer to viewers without a copy", probe_udmabuf},
    {"udmabuf-pieces", "a 1080p picture may lie in 2025 pieces, 2160p in 8100", probe_udmabuf_list},
    {"udmabuf-size", "the largest picture", probe_udmabuf_size},
    {"path-frames", "pictures of QEMU guests on their way to viewers", probe_path_frames},
    {"path-kms", "the same, on to a monitor", probe_path_kms},
    {"path-xen", "pictures of Xen guests on their way to viewers", probe_path_xen},
};
const unsigned doctor_row_count = GT_ARRAY_SIZE(doctor_rows);

const char *doctor_status_name(enum doctor_status s)
{
    static const char *const names[] = {[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"};

    return names[s];
}

void doctor_say(struct finding *f, enum doctor_status status, const char *advice, const char *fmt, ...)
{
    va_list ap;

    f->status = status;
    va_start(ap, fmt);
    vsnprintf(f->found, sizeof(f->found), fmt, ap);
    va_end(ap);
    snprintf(f->advice, sizeof(f->advice), "%s", advice ? advice : "");
}

/* ---- files */

static bool below_root(const struct doctor *d, const char *file, char *path)
{
    return (unsigned)snprintf(path, PATH_MAX, "%s%s", d->root, file) < PATH_MAX;
}

static FILE *open_file(const struct doctor *d, const char *file)
{
    char path[PATH_MAX];

    return below_root(d, file, path) ? fopen(path, "re") : NULL;
}

bool doctor_line(const struct doctor *d, const char *file, char *out, size_t size)
{
    FILE *f = open_file(d, file);
    bool ok = f && fgets(out, (int)size, f);

    if (f)
        fclose(f);
    if (ok)
        out[strcspn(out, "\n")] = 0;
    return ok;
}

long long doctor_number(const struct doctor *d, const char *file, long long missing)
{
    char text[64], *end;

    if (!doctor_line(d, file, text, sizeof(text)))
        return missing;
    long long value = strtoll(text, &end, 0);

    return end == text ? missing : value;
}

int doctor_access(const struct doctor *d, const char *file)
{
    char path[PATH_MAX];

    if (!below_root(d, file, path))
        return -ENAMETOOLONG;
    return faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS) ? -errno : 0;
}

bool doctor_has_word(const struct doctor *d, const char *file, const char *word)
{
    FILE *f = open_file(d, file);
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    while (f && !found && getline(&line, &room, f) > 0)
        for (char *save, *w = strtok_r(line, " \t\n", &save); w && !found; w = strtok_r(NULL, " \t\n", &save))
            found = !strcmp(w, word);
    free(line);
    if (f)
        fclose(f);
    return found;
}

unsigned doctor_each(const struct doctor *d, const char *dir, const char *prefix,
                     void (*entry)(const struct doctor *d, const char *name, void *ctx), void *ctx)
{
    char path[PATH_MAX];
    struct dirent **all = NULL;
    unsigned count = 0;
    int n = below_root(d, dir, path) ? scandir(path, &all, NULL, alphasort) : -1;

    for (int i = 0; i < n; i++) {
        if (all[i]->d_name[0] != '.' && !strncmp(all[i]->d_name, prefix, strlen(prefix))) {
            entry(d, all[i]->d_name, ctx);
            count++;
        }
        free(all[i]);
    }
    free(all);
    return count;
}

/* ---- this machine */

static int make_memfd(void)
{
    int fd = memfd_create("gtmux-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int ret = fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) ? -errno : 0;

    if (fd >= 0)
        close(fd);
    return ret;
}

static bool load_library(const char *name)
{
    void *l = dlopen(name, RTLD_LAZY | RTLD_LOCAL);

    if (l)
        dlclose(l);
    return l != NULL;
}

void doctor_here(struct doctor *d, const char *run_dir, char *room, size_t size)
{
    *d = (struct doctor){.root = "", .path = getenv("PATH"), .memfd = make_memfd, .library = load_library};
    if (run_dir)
        d->run_dir = run_dir;
    else if (!run_dir_default(room, size))
        d->run_dir = room;
}
