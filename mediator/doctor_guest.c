/* gtmux doctor: what guests could run here. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/doctor_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define QEMU         "qemu-system-x86_64"
#define QEMU_WANTED  10001u /* 10.1: the first with vfio-user-pci */
#define PATIENCE_NS  UINT64_C(5000000000)
#define QEMUS_MAX    16u
#define OUTPUT_BYTES 4096u

extern char **environ;

/* ---- QEMU */

/* What a program prints first, at most size - 1 bytes; it is ended after 5 s. False: it could not be run. */
static bool first_output(const char *const *argv, char *out, size_t size)
{
    posix_spawn_file_actions_t actions;
    uint64_t end = gt_clock_ns() + PATIENCE_NS;
    size_t used = 0;
    pid_t pid;
    int p[2];

    if (pipe2(p, O_CLOEXEC))
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, p[1], STDOUT_FILENO);
    bool ok = !posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);

    posix_spawn_file_actions_destroy(&actions);
    close(p[1]);
    while (ok && used < size - 1) {
        struct pollfd fd = {.fd = p[0], .events = POLLIN};
        uint64_t now = gt_clock_ns();
        ssize_t n = now < end && poll(&fd, 1, (int)((end - now) / 1000000) + 1) > 0
                        ? read(p[0], out + used, size - 1 - used)
                        : 0;

        if (n <= 0)
            break;
        used += (size_t)n;
    }
    out[used] = 0;
    close(p[0]);
    if (ok) {
        kill(pid, SIGKILL); /* it has said what we want, or said nothing for long */
        waitpid(pid, NULL, 0);
    }
    return ok;
}

struct qemus {
    unsigned count, best; /* best: major * 1000 + minor of those that will do */
    char text[240];
};

static void look_at_qemu(struct qemus *q, const char *path)
{
    const char *const version_args[] = {path, "--version", NULL};
    const char *const device_args[] = {path, "-device", "vfio-user-pci,help", NULL};
    char text[OUTPUT_BYTES];
    unsigned major, minor;
    size_t used = strlen(q->text);

    if (!first_output(version_args, text, sizeof(text)) ||
        sscanf(text, "QEMU emulator version %u.%u", &major, &minor) != 2 || major > 1000 || minor > 999)
        return;
    const bool able = first_output(device_args, text, sizeof(text)) && strstr(text, "vfio-user-pci") != NULL;
    const unsigned version = major * 1000 + minor;

    q->count++;
    if (able && version >= QEMU_WANTED)
        q->best = GT_MAX(q->best, version);
    snprintf(q->text + used, sizeof(q->text) - used, "%s%.100s: %u.%u%s", used ? "; " : "", path, major, minor,
             able ? ", has vfio-user-pci" : ", no vfio-user-pci");
}

static void find_qemus(const struct doctor *d, struct qemus *q)
{
    const char *at = d->path ? d->path : "";

    *q = (struct qemus){0};
    for (unsigned i = 0; *at && i < QEMUS_MAX; i++) {
        char path[PATH_MAX];
        size_t n = strcspn(at, ":");

        if (n && (unsigned)snprintf(path, sizeof(path), "%.*s/" QEMU, (int)n, at) < sizeof(path) && !access(path, X_OK))
            look_at_qemu(q, path);
        at += n + (at[n] == ':');
    }
}

unsigned doctor_qemu(const struct doctor *d)
{
    struct qemus q;

    find_qemus(d, &q);
    return q.best;
}

void probe_qemu(const struct doctor *d, struct finding *f)
{
    struct qemus q;

    find_qemus(d, &q);
    if (q.best)
        doctor_say(f, DOCTOR_OK, NULL, "%s", q.text);
    else
        doctor_say(f, DOCTOR_WARN,
                   "install QEMU 10.1 or later, built with --enable-vfio-user-client, for guests of QEMU", "%s",
                   q.count ? q.text : "no " QEMU " in PATH");
}

void probe_kvm(const struct doctor *d, struct finding *f)
{
    int ret = doctor_access(d, "/dev/kvm");

    if (!ret && !doctor_has_word(d, "/proc/cpuinfo", "vmx") && !doctor_has_word(d, "/proc/cpuinfo", "svm"))
        doctor_say(f, DOCTOR_WARN,
                   "switch virtualization on in the firmware, or nested virtualization in the hypervisor below",
                   "/dev/kvm is there, but the processor shows neither vmx nor svm; guests are emulated");
    else if (!ret)
        doctor_say(f, DOCTOR_OK, NULL, "/dev/kvm can be opened");
    else
        doctor_say(f, DOCTOR_WARN,
                   ret == -ENOENT ? "switch virtualization on in the firmware and load kvm_intel or kvm_amd"
                                  : "become a member of group kvm",
                   "/dev/kvm: %s; guests are emulated, 10 to 50 times slower", strerror(-ret));
}

/* ---- Xen */

bool doctor_is_xen(const struct doctor *d)
{
    char type[32];

    return doctor_line(d, "/sys/hypervisor/type", type, sizeof(type)) && !strcmp(type, "xen");
}

void probe_xen(const struct doctor *d, struct finding *f)
{
    char major[16] = "?", minor[16] = "?", rights[64] = "";

    if (!doctor_is_xen(d)) {
        doctor_say(f, DOCTOR_OK, NULL, "this is no domain of Xen: guests of QEMU only");
        return;
    }
    doctor_line(d, "/sys/hypervisor/version/major", major, sizeof(major));
    doctor_line(d, "/sys/hypervisor/version/minor", minor, sizeof(minor));
    doctor_line(d, "/proc/xen/capabilities", rights, sizeof(rights));
    if (strstr(rights, "control_d"))
        doctor_say(f, DOCTOR_OK, NULL, "dom0 of Xen %s.%s", major, minor);
    else
        doctor_say(f, DOCTOR_WARN, "run gtmux in dom0; mount xenfs on /proc/xen if this is it",
                   "a domain of Xen %s.%s that controls no others", major, minor);
}

void probe_xen_devices(const struct doctor *d, struct finding *f)
{
    static const char *const devices[] = {"/dev/xen/privcmd", "/dev/xen/evtchn", "/dev/xen/gntdev", "/dev/xen/xenbus"};
    char missing[160] = "";

    if (!doctor_is_xen(d)) {
        doctor_say(f, DOCTOR_OK, NULL, "not looked for: no Xen");
        return;
    }
    for (unsigned i = 0; i < GT_ARRAY_SIZE(devices); i++) {
        int ret = doctor_access(d, devices[i]);
        size_t used = strlen(missing);

        if (ret)
            snprintf(missing + used, sizeof(missing) - used, "%s%s (%s)", used ? ", " : "", devices[i], strerror(-ret));
    }
    if (missing[0])
        doctor_say(f, DOCTOR_WARN,
                   "load xen_privcmd, xen_evtchn and xen_gntdev, and be root: gtmux-dm gives its rights up later",
                   "cannot be opened: %s", missing);
    else
        doctor_say(f, DOCTOR_OK, NULL, "privcmd, evtchn, gntdev and xenbus can be opened");
}

void probe_xen_libraries(const struct doctor *d, struct finding *f)
{
    static const char *const names[] = {"libxendevicemodel.so.1", "libxenforeignmemory.so.1", "libxenevtchn.so.1",
                                        "libxencall.so.1", "libxenstore.so.4"};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(names); i++) {
        if (d->library(names[i]))
            continue;
        doctor_say(f, doctor_is_xen(d) ? DOCTOR_FAIL : DOCTOR_WARN, "install Xen's libraries (Debian: libxen-dev)",
                   "%s cannot be loaded", names[i]);
        return;
    }
    doctor_say(f, DOCTOR_OK, NULL, "all are there");
}

void probe_guests(const struct doctor *d, struct finding *f)
{
    const bool qemu = doctor_qemu(d) != 0, xen = doctor_is_xen(d);

    if (qemu || xen)
        doctor_say(f, DOCTOR_OK, NULL, "%s%s%s", qemu ? "guests of QEMU" : "", qemu && xen ? " and " : "",
                   xen ? "guests of Xen" : "");
    else
        doctor_say(f, DOCTOR_FAIL, "see qemu and xen above; gtmux exec works without",
                   "neither a QEMU with vfio-user-pci nor Xen is here");
}
