/* dma-bufs of a Xen guest: what the module of display/kmod is asked for. The device is a fake that answers ioctls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "display/frame.h"
#include "display/kmod/gtmux_xen_export.h"
#include "display/xen_export.h"
#include "vgpu/base/bits.h"

#define FAKE_FD  77
#define DMABUF   55
#define RUNS_MAX 16u

/* A fake of /dev/gtmux-xen-export: keeps what it is asked, answers as told. */
static struct fake {
    unsigned calls;
    int error; /* 0: it does what it is asked */
    struct gtmux_xen_bind bind;
    struct gtmux_xen_create create;
    struct gtmux_xen_run run[RUNS_MAX];
} fake;

static int fake_call(int fd, unsigned long command, void *arg)
{
    assert_int_equal(fd, FAKE_FD);
    fake.calls++;
    if (fake.error) {
        errno = fake.error;
        return -1;
    }
    if (command == GTMUX_XEN_BIND) {
        memcpy(&fake.bind, arg, sizeof(fake.bind));
        return 0;
    }
    assert_int_equal(command, GTMUX_XEN_CREATE);
    memcpy(&fake.create, arg, sizeof(fake.create));
    assert_in_range(fake.create.count, 1, RUNS_MAX);
    memcpy(fake.run, (const void *)(uintptr_t)fake.create.runs, fake.create.count * sizeof(fake.run[0]));
    return DMABUF;
}

static const struct xen_export device = {.fd = FAKE_FD, .call = fake_call};

static int setup(void **state)
{
    (void)state;
    fake = (struct fake){0};
    return 0;
}

static void neighbours_become_one_run(void **state)
{
    const uint64_t gpa[] = {0x5000, 0x6000, 0x7000, 0x9000, 0x8000, 0x8000, 0x123456000, 0x123457000};
    static const struct gtmux_xen_run want[] = {{5, 3, 0}, {9, 1, 0}, {8, 1, 0}, {8, 1, 0}, {0x123456, 2, 0}};

    (void)state;
    assert_int_equal(xen_export_create(&device, gpa, GT_ARRAY_SIZE(gpa)), DMABUF);
    assert_int_equal(fake.create.flags, GTMUX_XEN_CLOEXEC);
    assert_int_equal(fake.create.count, GT_ARRAY_SIZE(want));
    assert_memory_equal(fake.run, want, sizeof(want));
}

static void a_hole_is_not_asked_for(void **state)
{
    const uint64_t hole[] = {0x5000, FRAME_NO_PAGE}, odd[] = {0x5008};

    (void)state;
    assert_int_equal(xen_export_create(&device, hole, 2), -EFAULT);
    assert_int_equal(xen_export_create(&device, odd, 1), -EFAULT);
    assert_int_equal(xen_export_create(&device, hole, 0), -EINVAL);
    assert_int_equal(fake.calls, 0);
}

static void the_modules_answer_is_passed_on(void **state)
{
    static const int errors[] = {EFAULT, E2BIG, ENOSPC, ESRCH, EMFILE};
    const uint64_t gpa = 0x5000;

    (void)state;
    for (size_t i = 0; i < GT_ARRAY_SIZE(errors); i++) {
        fake.error = errors[i];
        assert_int_equal(xen_export_create(&device, &gpa, 1), -errors[i]);
    }
}

static void it_is_bound_to_the_guest(void **state)
{
    char msg[256] = "x";

    (void)state;
    assert_int_equal(xen_export_bind(&device, 12, msg, sizeof(msg)), 0);
    assert_int_equal(fake.bind.domid, 12);
    assert_int_equal(fake.bind.flags, 0);
    assert_string_equal(msg, "");
}

static void a_failure_says_what_to_do(void **state)
{
    char msg[256];

    (void)state;
    fake.error = EPERM;
    assert_int_equal(xen_export_bind(&device, 12, msg, sizeof(msg)), -EPERM);
    assert_non_null(strstr(msg, "as root"));
    fake.error = ENOTTY;
    assert_int_equal(xen_export_bind(&device, 12, msg, sizeof(msg)), -ENOTTY);
    assert_non_null(strstr(msg, "version"));
}

/* No machine that runs unit tests has the module. */
static void without_the_module_there_are_no_dmabufs(void **state)
{
    const uint64_t gpa = 0x5000;
    struct xen_export x;
    char msg[256];

    (void)state;
    assert_int_equal(xen_export_open(&x, 12, msg, sizeof(msg)), -ENOENT);
    assert_int_equal(x.fd, -1);
    assert_non_null(strstr(msg, "load the module gtmux_xen_export"));
    assert_int_equal(xen_export_create(&x, &gpa, 1), -ENODEV);
    xen_export_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(neighbours_become_one_run, setup),
        cmocka_unit_test_setup(a_hole_is_not_asked_for, setup),
        cmocka_unit_test_setup(the_modules_answer_is_passed_on, setup),
        cmocka_unit_test_setup(it_is_bound_to_the_guest, setup),
        cmocka_unit_test_setup(a_failure_says_what_to_do, setup),
        cmocka_unit_test_setup(without_the_module_there_are_no_dmabufs, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
