/*
 * gtmux attach with a script for gtmux-dm and tests/fakes/xenstore.h for xenstored. The script cannot write into that
 * store, so what a real gtmux-dm would write appears when the command waits (on_watch).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "mediator/command.h"
#include "tests/fakes/xenstore.h"
#include "vgpu/base/clock.h"

#define BASE "/local/domain/0/gtmux/7/"

static char dir[64], text[8192];

static const char *in_dir(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void read_file(const char *name)
{
    int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    text[n > 0 ? n : 0] = 0;
    if (fd >= 0)
        close(fd);
}

static void write_script(const char *name, const char *body)
{
    FILE *f = fopen(in_dir(name), "we");

    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", body);
    fchmod(fileno(f), 0755);
    fclose(f);
}

/* gtmux-dm: tells its process number, then does `body`. */
static void write_dm(const char *body)
{
    char script[1024];

    unlink(in_dir("pid"));
    snprintf(script, sizeof(script), "printf '%%s\\n' \"$@\" >%s/args\necho $$ >%s/new && mv %s/new %s/pid\n%s", dir,
             dir, dir, dir, body);
    write_script("gtmux-dm", script);
}

static int dm_pid(void)
{
    for (int i = 0; i < 500; i++) {
        read_file("pid");
        if (text[0])
            return atoi(text);
        usleep(10000);
    }
    fail_msg("the script did not start");
    return -1;
}

/* What gtmux-dm writes when it serves. */
static void becomes_ready(const char *path)
{
    char pid[16];

    if (strcmp(path, BASE "state"))
        return;
    snprintf(pid, sizeof(pid), "%d", dm_pid());
    fake_xs_set(BASE "pid", pid);
    fake_xs_set(BASE "server", "5");
    fake_xs_set(BASE "state", "running");
}

/* Runs the command; what it prints is in text. */
static int attach(const char *line)
{
    char words[512], *argv[32] = {(char *)"gtmux attach"};
    int argc = 1, code, out = open(in_dir("out"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int old_out = dup(1), old_err = dup(2);

    snprintf(words, sizeof(words), "%s", line);
    for (char *save = NULL, *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    fflush(NULL);
    dup2(out, 1);
    dup2(out, 2);
    code = command_attach(argc, argv);
    fflush(NULL);
    dup2(old_out, 1);
    dup2(old_err, 2);
    close(old_out);
    close(old_err);
    close(out);
    read_file("out");
    return code;
}

static bool lives(int pid)
{
    return !kill(pid, 0);
}

static int fresh(void **state)
{
    (void)state;
    fake_xs_reset();
    fake_xs_domain(7, "web 1");
    fake_xs.on_watch = becomes_ready;
    write_dm("exec sleep 30");
    write_script("xl",
                 "echo 'Name   ID   Mem VCPUs   State   Time(s)'\necho 'web 1   7  512     1     --p---       0.0'");
    return 0;
}

static void it_waits_until_the_dm_serves(void **state)
{
    (void)state;
    int code = attach("--mode=1920x1080@60 --heads=2 --no-pvinfo web_1");
    assert_int_equal(code, EXIT_FAILURE); /* the name is the toolstack's */
    assert_non_null(strstr(text, "no domain 'web_1'"));
    code = attach("--mode=1920x1080@60 7 --heads=2 --no-pvinfo --profile=kiosk");
    assert_int_equal(code, EXIT_SUCCESS);
    assert_non_null(strstr(text, "web_1 (domain 7)"));
    assert_non_null(strstr(text, "ioreq server 5"));
    assert_non_null(strstr(text, "xl unpause 7"));
    assert_null(strstr(text, "warning"));
    int pid = dm_pid();
    assert_true(lives(pid));
    assert_int_equal(getsid(pid), pid); /* it survives us */
    read_file("args");
    assert_string_equal(text, "--xen-domid=7\n--mode=1920x1080@60\n--heads=2\n--no-pvinfo\n--profile=kiosk\n");
    kill(pid, SIGKILL);
    assert_int_equal(access(in_dir("log/gtmux-dm-web_1.log"), F_OK), 0);
}

static void json_and_silence(void **state)
{
    (void)state;
    assert_int_equal(attach("--json 7"), EXIT_SUCCESS);
    cJSON *o = cJSON_Parse(text);
    assert_non_null(o);
    assert_int_equal(command_number(o, "domid"), 7);
    assert_int_equal(command_number(o, "pid"), dm_pid());
    assert_int_equal(command_number(o, "server"), 5);
    cJSON_Delete(o);
    kill(dm_pid(), SIGKILL);
    write_dm("exec sleep 30");
    assert_int_equal(attach("--creating 7"), EXIT_SUCCESS);
    assert_string_equal(text, "");
    kill(dm_pid(), SIGKILL);
}

/* The words of gtmux-dm are shown, those of this start only. */
static void a_dm_that_fails_is_told(void **state)
{
    (void)state;
    fake_xs.on_watch = NULL;
    write_dm("echo older words; exit 2");
    assert_int_equal(attach("7"), EXIT_FAILURE);
    write_dm("echo 'slot 2 is taken' >&2; exit 2");
    assert_int_equal(attach("7"), EXIT_FAILURE);
    assert_non_null(strstr(text, "slot 2 is taken"));
    assert_null(strstr(text, "older words"));
    assert_non_null(strstr(text, "gets no vGPU"));
    assert_int_equal(attach("--log=/nowhere/log 7"), EXIT_FAILURE);
    assert_non_null(strstr(text, "--log=FILE"));
}

static void a_slow_dm_is_ended(void **state)
{
    (void)state;
    fake_xs.on_watch = NULL;
    fake_xs_set(BASE "state", "running"); /* left by one that was killed */
    fake_xs_set(BASE "pid", "1");
    uint64_t start = gt_clock_ns();
    assert_int_equal(attach("--timeout=1 7"), EXIT_FAILURE);
    assert_true(gt_clock_ns() - start < 8000000000u); /* it did not end by itself */
    assert_non_null(strstr(text, "within 1 seconds"));
    assert_false(lives(dm_pid()));
}

static void a_running_domain_is_warned_of(void **state)
{
    (void)state;
    write_script("xl",
                 "echo 'Name   ID   Mem VCPUs   State   Time(s)'\necho 'web 1   7  512     1     -b----      12.3'");
    assert_int_equal(attach("7"), EXIT_SUCCESS);
    assert_non_null(strstr(text, "warning: domain 7 runs already"));
    kill(dm_pid(), SIGKILL);
    write_dm("exec sleep 30");
    assert_int_equal(attach("7"), EXIT_SUCCESS); /* its keys are there: it had a vGPU, and is taken up again */
    assert_null(strstr(text, "warning"));
    kill(dm_pid(), SIGKILL);
    write_dm("exec sleep 30");
    fake_xs_rm("/local/domain/0/gtmux/7");
    write_script("xl", "exit 1");
    assert_int_equal(attach("7"), EXIT_SUCCESS);
    assert_null(strstr(text, "warning"));
    kill(dm_pid(), SIGKILL);
}

static int set_up(void **state)
{
    char path[512];

    (void)state;
    strcpy(dir, "/tmp/gtmux-attach-XXXXXX");
    if (!mkdtemp(dir) || mkdir(in_dir("log"), 0700))
        return -1;
    setenv("GTMUX_LOG_DIR", in_dir("log"), 1);
    setenv("GTMUX_DM", in_dir("gtmux-dm"), 1);
    snprintf(path, sizeof(path), "%s:%s", dir, getenv("PATH"));
    return setenv("PATH", path, 1);
}

static int tear_down(void **state)
{
    char command[96];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_waits_until_the_dm_serves, fresh),  cmocka_unit_test_setup(json_and_silence, fresh),
        cmocka_unit_test_setup(a_dm_that_fails_is_told, fresh),       cmocka_unit_test_setup(a_slow_dm_is_ended, fresh),
        cmocka_unit_test_setup(a_running_domain_is_warned_of, fresh),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
