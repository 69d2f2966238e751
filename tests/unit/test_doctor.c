/* gtmux doctor on machines that are directories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediator/doctor.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define NOBODY 65534

static char root[64];
static struct doctor d;
static int memfd_result;
static const char *missing_library;

static int fake_memfd(void)
{
    return memfd_result;
}

static bool fake_library(const char *name)
{
    return !missing_library || strcmp(name, missing_library) != 0;
}

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void sh(const char *fmt, ...)
{
    char command[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/gtmux-doctor-XXXXXX");
    assert_non_null(mkdtemp(root));
    assert_int_equal(chmod(root, 0755), 0);
    memfd_result = 0;
    missing_library = NULL;
    d = (struct doctor){.root = root, .memfd = fake_memfd, .library = fake_library};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sh("rm -rf %s", root);
    return 0;
}

/* A file of the machine, with its folders. */
static void put(const char *file, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s%s", root, file);
    char *slash = strrchr(path, '/');

    *slash = 0;
    sh("mkdir -p %s", path);
    *slash = '/';
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void drop(const char *file)
{
    sh("rm -r %s%s", root, file);
}

static struct finding ask(const char *name)
{
    struct finding f = {0};

    for (unsigned i = 0; i < doctor_row_count; i++)
        if (!strcmp(doctor_rows[i].name, name)) {
            doctor_rows[i].probe(&d, &f);
            assert_int_not_equal(f.found[0], 0);
            /* Whoever is told of something wrong is told what to do. */
            assert_true(f.status == DOCTOR_OK || f.advice[0]);
            return f;
        }
    fail_msg("there is no row %s", name);
    return f;
}

static void expect(const char *name, enum doctor_status status, const char *says)
{
    struct finding f = ask(name);

    if (f.status != status || !(strstr(f.found, says) || strstr(f.advice, says)))
        fail_msg("%s: %s, '%s', '%s'; expected %s, '%s'", name, doctor_status_name(f.status), f.found, f.advice,
                 doctor_status_name(status), says);
}

/* As a user without rights, where the test runs as root. */
static void expect_of_nobody(const char *name, enum doctor_status status, const char *says)
{
    bool is_root = geteuid() == 0;

    if (is_root)
        assert_int_equal(seteuid(NOBODY), 0);
    struct finding f = ask(name);

    if (is_root)
        assert_int_equal(seteuid(0), 0);
    if (f.status != status || !(strstr(f.found, says) || strstr(f.advice, says)))
        fail_msg("%s: %s, '%s', '%s'", name, doctor_status_name(f.status), f.found, f.advice);
}

static void an_empty_machine_breaks_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < doctor_row_count; i++) {
        ask(doctor_rows[i].name);
        assert_int_not_equal(doctor_rows[i].meaning[0], 0);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(doctor_rows[i].name, doctor_rows[k].name);
    }
    expect("guests", DOCTOR_FAIL, "neither");
    expect("udmabuf", DOCTOR_WARN, "CONFIG_UDMABUF");
    expect("path-frames", DOCTOR_WARN, "copied");
}

static void vector_units_are_found_as_words(void **state)
{
    (void)state;
    put("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse2 avx2x\n");
    expect("cpu", DOCTOR_WARN, "no AVX2");
    put("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse2 avx2\n");
    expect("cpu", DOCTOR_OK, "no AVX-512");
    put("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu avx2 avx512f\n");
    expect("cpu", DOCTOR_OK, "AVX-512");
}

static void memory_must_be_shareable(void **state)
{
    (void)state;
    expect("memfd", DOCTOR_OK, "memfd");
    memfd_result = -ENOSYS;
    expect("memfd", DOCTOR_FAIL, "CONFIG_MEMFD_CREATE");
}

static void the_run_directory_must_be_ours(void **state)
{
    char dir[128];

    (void)state;
    expect("run-dir", DOCTOR_FAIL, "GTMUX_RUN_DIR");
    snprintf(dir, sizeof(dir), "%s/run", root);
    d.run_dir = dir;
    expect("run-dir", DOCTOR_OK, "not there yet");
    put("/run", "");
    expect("run-dir", DOCTOR_FAIL, "not a directory");
    drop("/run");
    assert_int_equal(mkdir(dir, 0700), 0);
    expect("run-dir", DOCTOR_OK, "0700");
    char *before = getcwd(NULL, 0);

    assert_int_equal(chdir(root), 0);
    d.run_dir = "run";
    expect("run-dir", DOCTOR_OK, "0700");
    d.run_dir = dir;
    assert_int_equal(chdir(before), 0);
    free(before);
    if (geteuid() == 0)
        expect_of_nobody("run-dir", DOCTOR_FAIL, "may write");
    assert_int_equal(chmod(dir, 0777), 0);
    expect("run-dir", DOCTOR_WARN, "0777");
}

static void who_may_make_user_namespaces(void **state)
{
    (void)state;
    expect("user-namespaces", DOCTOR_WARN, "CONFIG_USER_NS");
    put("/proc/sys/user/max_user_namespaces", "0\n");
    expect("user-namespaces", DOCTOR_WARN, "max_user_namespaces");
    put("/proc/sys/user/max_user_namespaces", "1000\n");
    expect("user-namespaces", DOCTOR_OK, "1000");
    put("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    expect("user-namespaces", DOCTOR_WARN, "AppArmor");
    put("/proc/sys/kernel/unprivileged_userns_clone", "0\n");
    expect("user-namespaces", DOCTOR_WARN, "only root");
}

static void filters_of_system_calls(void **state)
{
    (void)state;
    expect("seccomp", DOCTOR_WARN, "CONFIG_SECCOMP_FILTER");
    put("/proc/sys/kernel/seccomp/actions_avail", "kill_thread trap errno\n");
    expect("seccomp", DOCTOR_WARN, "CONFIG_SECCOMP_FILTER");
    put("/proc/sys/kernel/seccomp/actions_avail", "kill_process kill_thread trap errno\n");
    expect("seccomp", DOCTOR_OK, "filters");
}

static void kvm_needs_a_device_and_a_processor(void **state)
{
    (void)state;
    expect("kvm", DOCTOR_WARN, "kvm_intel");
    put("/dev/kvm", "");
    expect("kvm", DOCTOR_WARN, "neither vmx nor svm");
    put("/proc/cpuinfo", "flags : svm\n");
    expect("kvm", DOCTOR_OK, "opened");
    sh("chmod 600 %s/dev/kvm", root);
    if (geteuid() == 0)
        expect_of_nobody("kvm", DOCTOR_WARN, "group kvm");
}

static void put_qemu(const char *dir, const char *version, bool able)
{
    char file[128], text[512];

    snprintf(file, sizeof(file), "%s/qemu-system-x86_64", dir);
    snprintf(text, sizeof(text),
             "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'QEMU emulator version %s (Debian)'; exit 0; }\n%s\n",
             version, able ? "echo 'vfio-user-pci options:'" : "echo unknown device >&2; exit 1");
    put(file, text);
    sh("chmod 755 %s%s", root, file);
}

static void qemus_are_asked_what_they_can(void **state)
{
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s/none:%s/a:%s/b", root, root, root);
    expect("qemu", DOCTOR_WARN, "no qemu-system-x86_64");
    d.path = path;
    expect("qemu", DOCTOR_WARN, "no qemu-system-x86_64");
    put_qemu("/a", "7.2.22", false);
    expect("qemu", DOCTOR_WARN, "7.2, no vfio-user-pci");
    put_qemu("/b", "10.1.0", false); /* built without it */
    expect("qemu", DOCTOR_WARN, "10.1, no vfio-user-pci");
    expect("guests", DOCTOR_FAIL, "gtmux exec");
    put_qemu("/b", "10.0.50", true); /* a patched one: its protocol is not the one we know */
    expect("qemu", DOCTOR_WARN, "10.1 or later");
    put_qemu("/b", "10.1.0", true);
    expect("qemu", DOCTOR_OK, "10.1, has vfio-user-pci");
    expect("guests", DOCTOR_OK, "guests of QEMU");
    put_qemu("/a", "11.0.0", true);
    expect("qemu", DOCTOR_OK, "11.0");
}

static void odd_programs_of_that_name_are_passed_over(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof(path), "%s/a::", root);
    d.path = path;
    put("/a/qemu-system-x86_64", "#!/bin/sh\nhead -c 100000 /dev/zero\n");
    sh("chmod 755 %s/a/qemu-system-x86_64", root);
    expect("qemu", DOCTOR_WARN, "no qemu-system-x86_64");
    put("/a/qemu-system-x86_64", "#!/bin/sh\necho QEMU emulator version 99999999999.1\n");
    expect("qemu", DOCTOR_WARN, "no qemu-system-x86_64");
    put("/a/qemu-system-x86_64", "#!/no/such/program\n");
    expect("qemu", DOCTOR_WARN, "no qemu-system-x86_64");
}

static void xen_is_looked_at_where_it_is(void **state)
{
    (void)state;
    expect("xen", DOCTOR_OK, "no domain of Xen");
    expect("xen-devices", DOCTOR_OK, "no Xen");
    put("/sys/hypervisor/type", "kvm\n");
    expect("xen", DOCTOR_OK, "no domain of Xen");
    put("/sys/hypervisor/type", "xen\n");
    put("/sys/hypervisor/version/major", "4\n");
    put("/sys/hypervisor/version/minor", "17\n");
    expect("xen", DOCTOR_WARN, "4.17 that controls no others");
    put("/proc/xen/capabilities", "control_d\n");
    expect("xen", DOCTOR_OK, "dom0 of Xen 4.17");
    expect("xen-devices", DOCTOR_WARN, "/dev/xen/privcmd");
    put("/dev/xen/privcmd", "");
    put("/dev/xen/evtchn", "");
    put("/dev/xen/gntdev", "");
    expect("xen-devices", DOCTOR_WARN, "/dev/xen/xenbus");
    put("/dev/xen/xenbus", "");
    expect("xen-devices", DOCTOR_OK, "opened");
    expect("guests", DOCTOR_OK, "guests of Xen");
    expect("path-xen", DOCTOR_WARN, "copied once");
    put("/dev/gtmux-xen-export", "");
    expect("path-xen", DOCTOR_OK, "nothing is copied");
    expect("xen-libraries", DOCTOR_OK, "all");
    missing_library = "libxencall.so.1";
    expect("xen-libraries", DOCTOR_FAIL, "libxencall.so.1");
    drop("/sys/hypervisor");
    expect("xen-libraries", DOCTOR_WARN, "libxencall.so.1");
}

static void put_pci(const char *slot, const char *class, const char *vendor, const char *device)
{
    char file[128];

    snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/class", slot);
    put(file, class);
    snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/vendor", slot);
    put(file, vendor);
    snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/device", slot);
    put(file, device);
}

static void gpus_are_pci_display_controllers(void **state)
{
    (void)state;
    expect("gpus", DOCTOR_OK, "none");
    put_pci("0000:00:1f.0", "0x060100\n", "0x8086\n", "0xa145\n");
    expect("gpus", DOCTOR_OK, "none");
    put_pci("0000:00:02.0", "0x030000\n", "0x8086\n", "0x1912\n");
    put_pci("0000:01:00.0", "0x030200\n", "0x10de\n", "0x1b80\n");
    expect("gpus", DOCTOR_OK, "0000:00:02.0 8086:1912");
    expect("gpus", DOCTOR_OK, "0000:01:00.0 10de:1b80");
    for (unsigned i = 2; i < 40; i++) { /* more than a line has room for */
        char slot[16];

        snprintf(slot, sizeof(slot), "0000:%02x:00.0", i);
        put_pci(slot, "0x030000\n", "0x10de\n", "0x1b80\n");
    }
    expect("gpus", DOCTOR_OK, "0000:00:02.0");
}

static void render_nodes_must_be_open_to_us(void **state)
{
    (void)state;
    expect("render-nodes", DOCTOR_OK, "none");
    put("/dev/dri/renderD128", "");
    expect("render-nodes", DOCTOR_OK, "/dev/dri/renderD128");
    sh("chmod 600 %s/dev/dri/renderD128", root);
    if (geteuid() == 0)
        expect_of_nobody("render-nodes", DOCTOR_WARN, "group render");
}

static void monitors_are_connected_connectors(void **state)
{
    (void)state;
    expect("monitors", DOCTOR_WARN, "no display device");
    put("/sys/class/drm/card0/dev", "226:0\n");
    put("/sys/class/drm/card0-HDMI-A-1/status", "disconnected\n");
    put("/sys/class/drm/card0-Writeback-1/status", "connected\n");
    put("/dev/dri/card0", "");
    expect("monitors", DOCTOR_WARN, "no connected monitor");
    expect("path-kms", DOCTOR_OK, "no monitor");
    put("/sys/class/drm/card0-DP-2/status", "connected\n");
    expect("monitors", DOCTOR_OK, "DP-2 of card0");
    expect("path-kms", DOCTOR_WARN, "dumb buffer");
    put("/dev/udmabuf", "");
    expect("path-kms", DOCTOR_OK, "scanned out");
    drop("/dev/dri/card0");
    expect("monitors", DOCTOR_WARN, "cannot be opened");
}

static void the_path_of_pictures_follows_udmabufs_limits(void **state)
{
    (void)state;
    put("/dev/udmabuf", "");
    expect("udmabuf", DOCTOR_OK, "opened");
    expect("udmabuf-pieces", DOCTOR_WARN, "1024 pieces"); /* the kernel's own limit */
    expect("path-frames", DOCTOR_WARN, "at most 1024 pieces");
    put("/sys/module/udmabuf/parameters/list_limit", "16384\n");
    expect("udmabuf-pieces", DOCTOR_OK, "16384");
    expect("path-frames", DOCTOR_OK, "nothing is copied");
    expect("udmabuf-size", DOCTOR_OK, "64 MiB");
    put("/sys/module/udmabuf/parameters/size_limit_mb", "32\n");
    expect("udmabuf-size", DOCTOR_WARN, "32 MiB");
    put("/sys/module/udmabuf/parameters/size_limit_mb", "nonsense\n");
    expect("udmabuf-size", DOCTOR_OK, "64 MiB");
    sh("chmod 600 %s/dev/udmabuf", root);
    if (geteuid() == 0) {
        expect_of_nobody("udmabuf", DOCTOR_WARN, "udev");
        expect_of_nobody("path-frames", DOCTOR_WARN, "copied once");
    }
}

/* Whatever is there, this machine can be examined. */
static void this_machine(void **state)
{
    char room[PATH_MAX];

    (void)state;
    doctor_here(&d, NULL, room, sizeof(room));
    for (unsigned i = 0; i < doctor_row_count; i++)
        ask(doctor_rows[i].name);
    expect("memfd", DOCTOR_OK, "memfd");
    doctor_here(&d, "/somewhere", room, sizeof(room));
    assert_string_equal(d.run_dir, "/somewhere");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_empty_machine_breaks_nothing),
        CASE(vector_units_are_found_as_words),
        CASE(memory_must_be_shareable),
        CASE(the_run_directory_must_be_ours),
        CASE(who_may_make_user_namespaces),
        CASE(filters_of_system_calls),
        CASE(kvm_needs_a_device_and_a_processor),
        CASE(qemus_are_asked_what_they_can),
        CASE(odd_programs_of_that_name_are_passed_over),
        CASE(xen_is_looked_at_where_it_is),
        CASE(gpus_are_pci_display_controllers),
        CASE(render_nodes_must_be_open_to_us),
        CASE(monitors_are_connected_connectors),
        CASE(the_path_of_pictures_follows_udmabufs_limits),
        CASE(this_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
