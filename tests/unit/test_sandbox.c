/* The sandbox: its self-test as root and as a plain user, and what the self-test cannot see from inside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mediator/sandbox.h"
#include "mediator/sandbox_selftest.h"
#include "vgpu/base/log.h"

#define NOBODY 65534

static void child_options(struct sandbox_options *o)
{
    sandbox_options_default(o);
    o->uid = o->gid = NOBODY;
}

/* Runs it in another process. Its exit code, or 256 + the signal that ended it. */
static int in_child(int (*run)(void))
{
    int status;

    fflush(NULL);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid)
        _exit(run());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool become_nobody(void)
{
    return geteuid() || (!setgid(NOBODY) && !setuid(NOBODY));
}

/* ---- the self-test */

static int selftest(void)
{
    FILE *log = tmpfile();
    char line[512];
    int out = dup(STDOUT_FILENO);

    if (!log || out < 0 || dup2(fileno(log), STDOUT_FILENO) < 0)
        return 99;
    int rc = sandbox_selftest(-1);

    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    rewind(log);
    while (fgets(line, sizeof(line), log))
        if (strncmp(line, "ok ", 3) != 0)
            printf("# %s", line);
    fclose(log);
    fflush(stdout);
    return rc;
}

static int selftest_as_user(void)
{
    return become_nobody() ? selftest() : 98;
}

static void holds_when_started_by_root(void **state)
{
    (void)state;
    if (geteuid())
        skip();
    assert_int_equal(in_child(selftest), 0);
}

static void holds_when_started_by_a_user(void **state)
{
    (void)state;
    assert_int_equal(in_child(selftest_as_user), 0);
}

/* ---- what the host refuses */

/* As in a container: no namespaces. With a filter of our own, because a host cannot be made to refuse. */
static bool refuse_namespaces(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

    return f && !seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 0) && !seccomp_load(f);
}

static int enter_without_namespaces(void)
{
    struct sandbox_options o;
    unsigned missing = 0;
    char err[256];
    unsigned want = SANDBOX_MOUNT | SANDBOX_NET | SANDBOX_IPC | SANDBOX_UTS | SANDBOX_CGROUP;

    child_options(&o);
    o.missing = &missing;
    o.no_filter = true;
    gt_log_set_level(GT_LOG_ERROR);
    if (geteuid())
        want |= SANDBOX_ROOT; /* chroot is root's */
    if (!refuse_namespaces() || sandbox_enter(&o, err, sizeof(err)))
        return 1;
    if (missing != want)
        return 2;
    if (want & SANDBOX_ROOT)
        return 0;
    /* The root is a directory that is no more: empty, and nothing can be made in it. */
    return access("/etc", F_OK) && access("../../etc", F_OK) && open("/x", O_CREAT | O_WRONLY, 0600) < 0 ? 0 : 3;
}

static int require_without_namespaces(void)
{
    struct sandbox_options o;
    char err[256] = "";

    child_options(&o);
    o.require = true;
    if (!refuse_namespaces() || sandbox_enter(&o, err, sizeof(err)) != -EPERM)
        return 1;
    return strstr(err, "mount namespace") && strstr(err, "start gtmux-dm as root") ? 0 : 2;
}

static int user_without_namespaces(void)
{
    if (!become_nobody() || prctl(PR_SET_DUMPABLE, 1))
        return 97;
    int rc = enter_without_namespaces();

    /* Nothing else has made it undumpable then. */
    return rc ? rc : prctl(PR_GET_DUMPABLE);
}

static void refused_layers_are_named(void **state)
{
    (void)state;
    assert_int_equal(in_child(enter_without_namespaces), 0);
    assert_int_equal(in_child(user_without_namespaces), 0);
}

static void refused_layers_are_an_error_when_required(void **state)
{
    (void)state;
    assert_int_equal(in_child(require_without_namespaces), 0);
}

static int root_forever(void)
{
    struct sandbox_options o;
    char err[256] = "";

    child_options(&o);
    o.uid = 0;
    o.require = true;
    return sandbox_enter(&o, err, sizeof(err)) == -EINVAL && strstr(err, "no user given") ? 0 : 1;
}

static int root_with_a_warning(void)
{
    struct sandbox_options o;
    unsigned missing = 0;
    char err[256] = "";

    child_options(&o);
    o.uid = 0;
    o.missing = &missing;
    gt_log_set_level(GT_LOG_ERROR);
    return sandbox_enter(&o, err, sizeof(err)) || missing != SANDBOX_USER;
}

static void root_does_not_stay_root_unnoticed(void **state)
{
    (void)state;
    if (geteuid())
        skip();
    assert_int_equal(in_child(root_forever), 0);
    assert_int_equal(in_child(root_with_a_warning), 0);
}

/* ---- mistakes of the caller */

static void *wait_for_ever(void *arg)
{
    pause();
    return arg;
}

static int enter_with_thread(void)
{
    struct sandbox_options o;
    char err[256] = "";
    pthread_t t;

    child_options(&o);
    if (pthread_create(&t, NULL, wait_for_ever, NULL))
        return 1;
    return sandbox_enter(&o, err, sizeof(err)) == -EBUSY && strstr(err, "threads") ? 0 : 2;
}

static int enter_with_directory(void)
{
    struct sandbox_options o;
    char err[256] = "";

    child_options(&o);
    if (open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0)
        return 1;
    return sandbox_enter(&o, err, sizeof(err)) == -EISDIR && strstr(err, "is a directory") ? 0 : 2;
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(in_child(enter_with_thread), 0);
    assert_int_equal(in_child(enter_with_directory), 0);
}

/* ---- descriptors, log, memory */

static int enter_with_list(void)
{
    struct sandbox_options o;
    char err[256] = "";
    int listed = open("/dev/null", O_RDONLY), ours = open("/dev/null", O_RDONLY | O_CLOEXEC);

    child_options(&o);
    o.fds = &listed;
    o.fd_count = 1;
    o.no_filter = true;
    gt_log_set_level(GT_LOG_ERROR);
    if (listed < 0 || ours < 0 || sandbox_enter(&o, err, sizeof(err)))
        return 1;
    return fcntl(listed, F_GETFD) >= 0 && fcntl(ours, F_GETFD) < 0 ? 0 : 2;
}

static void only_listed_descriptors_stay(void **state)
{
    (void)state;
    assert_int_equal(in_child(enter_with_list), 0);
}

/* A log that is a file may grow by the limit; then lines are lost, and nothing else happens. */
static int fill_log(void)
{
    struct sandbox_options o;
    char err[256] = "", line[100];
    FILE *log = tmpfile();
    struct stat st;

    child_options(&o);
    o.file_limit = 4096;
    memset(line, 'x', sizeof(line));
    if (!log || ftruncate(fileno(log), 10000) || dup2(fileno(log), STDERR_FILENO) < 0 ||
        lseek(STDERR_FILENO, 0, SEEK_END) != 10000 || sandbox_enter(&o, err, sizeof(err)))
        return 1;
    for (int i = 0; i < 100; i++)
        gt_err("%.*s", (int)sizeof(line), line);
    return !fstat(STDERR_FILENO, &st) && st.st_size == 10000 + 4096 ? 0 : 2;
}

static void a_full_log_kills_nobody(void **state)
{
    (void)state;
    assert_int_equal(in_child(fill_log), 0);
}

static int enter_with_executable_data(void)
{
    struct sandbox_options o;
    char err[256] = "";

    child_options(&o);
    o.no_filter = true;
    gt_log_set_level(GT_LOG_ERROR);
    if (personality(READ_IMPLIES_EXEC) < 0 || sandbox_enter(&o, err, sizeof(err)))
        return 1;
    return personality(0xffffffff) & READ_IMPLIES_EXEC ? 2 : 0;
}

static void data_does_not_become_executable(void **state)
{
    (void)state;
    assert_int_equal(in_child(enter_with_executable_data), 0);
}

/* ---- the parent */

/* A keeper with a device in the sandbox; both hold the pipe, and the keeper dies when the device is ready. */
static int keeper_that_dies(int fd)
{
    int ready[2];
    char byte = 0;

    if (pipe2(ready, O_CLOEXEC))
        return 1;
    if (!fork()) {
        struct sandbox_options o;
        char err[256];

        child_options(&o);
        gt_log_set_level(GT_LOG_ERROR);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) || sandbox_enter(&o, err, sizeof(err)) || write(fd, "d", 1) != 1 ||
            write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            poll(NULL, 0, -1);
    }
    close(ready[1]);
    return read(ready[0], &byte, 1) == 1 && byte == 'r' ? 0 : 2;
}

static void the_device_dies_with_its_keeper(void **state)
{
    struct pollfd p = {.events = POLLIN};
    int fds[2], status;
    char byte;

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (!pid)
        _exit(keeper_that_dies(fds[1]));
    close(fds[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    p.fd = fds[0];
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(byte, 'd');
    /* The end of the file: the device, which held the other end, is gone. */
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(read(fds[0], &byte, 1), 0);
    close(fds[0]);
}

/* ---- seen from outside */

/* A process in the sandbox, that had groups before; it waits to be killed. */
static pid_t start_device(void)
{
    static const gid_t groups[] = {4, 5};
    int ready[2];
    char byte;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        struct sandbox_options o;
        char err[256];

        child_options(&o);
        gt_log_set_level(GT_LOG_ERROR);
        if (setgroups(2, groups) || sandbox_enter(&o, err, sizeof(err)) || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            poll(NULL, 0, -1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* All of /proc/PID/NAME. */
static char *proc_text(pid_t pid, const char *name)
{
    static char text[16384];
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    FILE *f = fopen(path, "re");

    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static void check_status(pid_t pid)
{
    static const char *const lines[] = {
        "\nUid:\t65534\t65534\t65534\t65534\n",
        "\nGid:\t65534\t65534\t65534\t65534\n",
        "\nGroups:\t \n",
        "\nCapInh:\t0000000000000000\n",
        "\nCapPrm:\t0000000000000000\n",
        "\nCapEff:\t0000000000000000\n",
        "\nCapBnd:\t0000000000000000\n",
        "\nCapAmb:\t0000000000000000\n",
        "\nNoNewPrivs:\t1\n",
        "\nSeccomp:\t2\n",
    };
    const char *text = proc_text(pid, "status");

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!strstr(text, lines[i]))
            fail_msg("not in /proc/PID/status: %s", lines[i]);
}

static void check_namespaces(pid_t pid)
{
    static const char *const names[] = {"mnt", "net", "ipc", "uts", "cgroup"};
    struct stat mine, its;
    char path[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
        assert_int_equal(stat(path, &mine), 0);
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, names[i]);
        assert_int_equal(stat(path, &its), 0);
        if (mine.st_ino == its.st_ino)
            fail_msg("the %s namespace is shared", names[i]);
    }
}

static void check_root(pid_t pid)
{
    char path[64];
    const char *mounts = proc_text(pid, "mountinfo");

    /* One line: no other file system hides anywhere. */
    assert_non_null(strstr(mounts, " gtmux-sandbox ro,"));
    assert_ptr_equal(strchr(mounts, '\n') + 1, mounts + strlen(mounts));
    /* Nothing lies below it either, as it would after a mere chroot. */
    snprintf(path, sizeof(path), "/proc/%d/root/..", (int)pid);
    DIR *d = opendir(path);
    const struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)))
        assert_int_equal(e->d_name[0], '.');
    closedir(d);
}

static void it_looks_so_from_outside(void **state)
{
    (void)state;
    if (geteuid())
        skip();
    pid_t pid = start_device();

    check_status(pid);
    check_namespaces(pid);
    check_root(pid);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* ---- whom to become */

static void users_are_found(void **state)
{
    char err[256];
    uid_t uid;
    gid_t gid;

    (void)state;
    assert_int_equal(sandbox_user("1234", 7, &uid, &gid, err, sizeof(err)), 0);
    assert_int_equal(uid, 1234);
    assert_int_equal(gid, 1234);
    assert_int_equal(sandbox_user("1234:99", -1, &uid, &gid, err, sizeof(err)), 0);
    assert_int_equal(uid, 1234);
    assert_int_equal(gid, 99);
    assert_int_equal(sandbox_user("nobody", -1, &uid, &gid, err, sizeof(err)), 0);
    assert_int_equal(uid, NOBODY);
}

static void bad_users_are_refused(void **state)
{
    static const char *const bad[] = {"0",         "0:5",  "5:0",   "5:", "5x",
                                      "5:6:7",     "-1",   "root",  "",   "4294967295",
                                      "no-such-u", "5:-1", "5:0x1", "5 ", "99999999999999999999"};
    char err[256];
    uid_t uid;
    gid_t gid;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err[0] = '\0';
        assert_true(sandbox_user(bad[i], -1, &uid, &gid, err, sizeof(err)) < 0);
        assert_non_null(strstr(err, "sandbox: "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_when_started_by_root),
        cmocka_unit_test(holds_when_started_by_a_user),
        cmocka_unit_test(refused_layers_are_named),
        cmocka_unit_test(refused_layers_are_an_error_when_required),
        cmocka_unit_test(root_does_not_stay_root_unnoticed),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(only_listed_descriptors_stay),
        cmocka_unit_test(a_full_log_kills_nobody),
        cmocka_unit_test(data_does_not_become_executable),
        cmocka_unit_test(the_device_dies_with_its_keeper),
        cmocka_unit_test(it_looks_so_from_outside),
        cmocka_unit_test(users_are_found),
        cmocka_unit_test(bad_users_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
