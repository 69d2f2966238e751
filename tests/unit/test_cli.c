/* Wrong use of the two programs: exit code 2 and a message that names what is wrong. */
#include <libgen.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vgpu/base/bits.h"

static char bin[PATH_MAX]; /* where the programs are: beside this test */
static char dir[] = "/tmp/gtmux-cli-XXXXXX";

/* Runs a shell command with $B and $D set. Its exit code; standard error and output are in `text`. */
static int run(const char *command, char *text, size_t size)
{
    char line[2 * PATH_MAX];

    snprintf(line, sizeof(line), "exec 2>&1; B=%s D=%s GTMUX_RUN_DIR=%s/run; export GTMUX_RUN_DIR; %s", bin, dir, dir,
             command);
    FILE *f = popen(line, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, size - 1, f);
    text[n] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define DM "$B/gtmux-dm --name=g --vfio-user=$D/s "

static void wrong_use_is_told(void **state)
{
    static const struct {
        const char *command;
        int code;
        const char *says;
    } rows[] = {
        {"$B/gtmux-dm", 2, "--vfio-user"},
        {"$B/gtmux-dm --no-such-option", 2, "no-such-option"},
        {DM "extra", 2, "extra"},
        {"$B/gtmux-dm --name=../g --vfio-user=$D/s", 2, "--name=../g"},
        {"$B/gtmux-dm --name= --vfio-user=$D/s", 2, "--name="},
        {DM "--mode=1024", 2, "--mode=1024"},
        {DM "--mode=5000x5000", 2, "4096x2304"},
        {DM "--mode=4096x2304@240", 2, "25 to 675 MHz"},
        {DM "--mode=640x480 --mode=640x480 --mode=640x480 --mode=640x480", 2, "at most 3 heads"},
        {DM "--heads=4", 2, "--heads=4"},
        {DM "--heads=-1", 2, "--heads=-1"},
        {DM "--mappable=257", 2, "--mappable=257"},
        {DM "--busy-poll=x", 2, "--busy-poll=x"},
        {"$B/gtmux-dm --name=g --vfio-user=$D/none/s", 2, "none/s"},
        {"$B/gtmux-dm --name=g --vfio-user=$D/file", 2, "file"},
        {"$B/gtmux-dm --name=g --vfio-user=$D/$(printf %0200d 0)", 2, "107 characters"},
        {DM "--record=$D/none/t", 2, "none/t"},
        {"$B/gtmux-dm --replay=$D/none", 2, "No such file"},
        {"$B/gtmux-dm --replay=$D/file", 2, "file"},
        {"$B/gtmux-dm --replay=$D", 2, "irectory"},
        {"$B/gtmux-dm --write-rom=$D/none/rom", 2, "none/rom"},
        {"$B/gtmux-dm --help", 0, "--vfio-user"},
        {"$B/gtmux-dm --version", 0, "gtmux-dm"},
        {"$B/gtmux-dm --write-rom=$D/rom && test -s $D/rom", 0, ""},
        {"$B/gtmux", 2, "Usage"},
        {"$B/gtmux nonsense", 2, "nonsense"},
        {"$B/gtmux --help", 0, "screenshot"},
        {"$B/gtmux list extra", 2, "extra"},
        {"$B/gtmux list", 0, ""},
        {"$B/gtmux stats", 2, "NAME"},
        {"$B/gtmux doctor extra", 2, "extra"},
        {"$B/gtmux doctor --help", 0, "better"},
        {"$B/gtmux doctor --json > $D/doctor; test $? -le 1 && grep -c meaning $D/doctor", 0, "20"},
        {"$B/gtmux stats nobody", 1, "nobody"},
        {"$B/gtmux screenshot nobody $D/x.png", 1, "nobody"},
        {"$B/gtmux screenshot --head=7 nobody $D/x.png", 2, "--head=7"},
        {"$B/gtmux head nobody 0 sideways", 2, "sideways"},
        {"$B/gtmux head nobody 0 edid=$D/none.bin", 1, "none.bin"},
        {"head -c 1025 /dev/zero >$D/big.bin; $B/gtmux head nobody 0 edid=$D/big.bin", 1, "too large"},
        {"$B/gtmux kms", 2, "name of a guest"},
        {"$B/gtmux kms nobody", 1, "nobody"},
        {"$B/gtmux kms --head=3 nobody", 2, "--head=3"},
        {"$B/gtmux kms --drm-fd=x nobody", 2, "--drm-fd=x"},
        {"$B/gtmux kms a b", 1, "'b'"},
        {"$B/gtmux kms a b c d e f g h i j", 2, "'j'"},
        {"$B/gtmux kms --hotkey=ctrl+f1 a b", 2, "--hotkey=ctrl+f1"},
        {"$B/gtmux kms --run-dir=$D --switch=a", 1, "'a'"},
        {"$B/gtmux kms --switch=a b", 2, "no other guest"},
        {"$B/gtmux vnc", 2, "name of a guest"},
        {"$B/gtmux vnc --unix=$D/vnc nobody", 1, "nobody"},
        {"$B/gtmux vnc --unix=$D/file nobody", 1, "file"},
        {"$B/gtmux vnc --fps=0 nobody", 2, "--fps=0"},
        {"$B/gtmux vnc --listen=127.0.0.1:99999 nobody", 2, "99999"},
        {"$B/gtmux vnc --listen= nobody", 2, "--listen="},
        {"$B/gtmux vnc --listen=0.0.0.0 nobody", 2, "--insecure"},
        {"$B/gtmux vnc --listen=[::1]x nobody", 2, "[ADDRESS]:PORT"},
        {"$B/gtmux vnc --listen=[::1 nobody", 2, "[ADDRESS]:PORT"},
        {"$B/gtmux vnc --listen=::1:x nobody", 2, "::1:x is reached"},
        {"$B/gtmux vnc --listen=[::1]:x nobody", 2, "port x"},
        {"$B/gtmux vnc --listen=127.0.0.1: nobody", 2, "port"},
        {"$B/gtmux vnc --listen=[::]:5999 nobody", 2, "--insecure"},
        {"$B/gtmux vnc --tls-cert=c nobody", 2, "belong together"},
        {"$B/gtmux vnc --tls-cert=c --tls-key=$D/file --password-file=$D/file nobody", 2, "chmod 600"},
        {"$B/gtmux vnc --unix=$D/vnc --qmp= nobody", 2, "--qmp="},
        {"$B/gtmux vnc --unix=$D/vnc --qmp=$D/none --keymap=nolayout nobody", 1, "nolayout"},
        {"test ! -x $B/gtmux-view || $B/gtmux view --fps=0 nobody; test $? = 2 || test ! -x $B/gtmux-view", 0, ""},
        {"$B/gtmux view nobody", 1, ""}, /* there is no such guest, or no such program in this build */
        {"$B/gtmux dbus", 2, "name of a guest"},
        {"$B/gtmux dbus nobody", 1, "nobody"},
        {"$B/gtmux dbus --fps=0 nobody", 2, "--fps=0"},
        {"$B/gtmux dbus --head=x nobody", 2, "--head=x"},
        {"$B/gtmux attach", 2, "which domain"},
        {"$B/gtmux attach web extra", 2, "extra"},
        {"$B/gtmux attach --timeout=0 web", 2, "--timeout=0"},
        {"$B/gtmux attach --name=../g web", 2, "--name=../g"},
        {"$B/gtmux-dm --xen-domid=40000", 2, "0 to 32751"},
        {"$B/gtmux-dm --xen-domid=1 --replay=$D/none", 2, "exactly one"},
        {"$B/gtmux-dm --xen-domid=1 --sandbox=maybe", 2, "--sandbox=maybe"},
        {"$B/gtmux-dm --xen-domid=1 --device-of=x", 2, "own use"},
        {"$B/gtmux-dm --xen-domid=1 --name=g --run-dir=$D --device-of=x", 2, "not started by a keeper"},
    };

    (void)state;
    for (size_t i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        char text[16384];
        int code = run(rows[i].command, text, sizeof(text));
        if (code != rows[i].code || !strstr(text, rows[i].says))
            fail_msg("%s: exit code %d (want %d), says '%s' (want '%s')", rows[i].command, code, rows[i].code, text,
                     rows[i].says);
    }
}

/* A dm of a name keeps that name; SIGTERM ends it with 0 and takes its files along. */
static void a_name_is_taken_once(void **state)
{
    char text[16384];
    int code = run("$B/gtmux-dm -q --name=one --vfio-user=$D/one & p=$!; n=0;"
                   "while [ ! -S $D/one ] && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done;"
                   "$B/gtmux-dm --name=one --vfio-user=$D/two; c=$?; $B/gtmux list;"
                   "kill -TERM $p; wait $p; echo ended $?; ls $D/run; exit $c",
                   text, sizeof(text));

    (void)state;
    assert_int_equal(code, 2);
    assert_non_null(strstr(text, "choose another --name"));
    assert_non_null(strstr(text, "ended 0"));
    assert_null(strstr(text, "one.ctl\n"));
}

static int set_up(void **state)
{
    char command[PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", bin, sizeof(bin) - 1);

    (void)state;
    if (n < 0 || !mkdtemp(dir))
        return -1;
    bin[n] = 0;
    dirname(bin);
    snprintf(command, sizeof(command), "echo not a socket > %s/file", dir);
    return system(command);
}

static int tear_down(void **state)
{
    char command[PATH_MAX + 64];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_use_is_told),
        cmocka_unit_test(a_name_is_taken_once),
    };

    return cmocka_run_group_tests_name("cli", tests, set_up, tear_down);
}
