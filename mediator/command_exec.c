/*
 * gtmux exec: runs a program with a GPU of its own. The shim that is preloaded into it plays the kernel's i915; here
 * the files that it leads programs to are made, and removed when the program has ended.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/arbiter/protocol.h"
#include "mediator/command.h"
#include "mediator/exec_tree.h"
#include "mediator/mode.h"
#include "mediator/run_dir.h"
#include "mediator/version.h"

#define SHIM "libgtmux-drm-shim.so"

/* As env(1) and timeout(1). */
enum { EXIT_FAILED = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNAL = 128 };

struct options {
    unsigned threads, frames;
    const char *png;
    struct vgpu_mode mode;
    const char *profile, *name;
    bool alone;
    bool verbose;
    char **program;
};

enum { OPT_PROFILE = 256, OPT_NAME, OPT_NO_ARBITER };

static unsigned number(struct argp_state *state, const char *name, const char *text, unsigned long max)
{
    char *end;

    errno = 0;
    unsigned long val = strtoul(text, &end, 10);

    if (errno || end == text || *end || text[0] == '-' || val > max)
        argp_error(state, "--%s=%s: give a number up to %lu", name, text, max);
    return (unsigned)val;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 't':
        o->threads = number(state, "threads", arg, 16);
        return 0;
    case 'f':
        o->frames = number(state, "frames", arg, 1000000);
        return 0;
    case 'p':
        o->png = arg;
        return 0;
    case 'm':
        if (!mode_parse(arg, &o->mode))
            argp_error(state, "--mode=%s: give WIDTHxHEIGHT, such as 1280x720", arg);
        return 0;
    case OPT_PROFILE:
        o->profile = arg;
        return 0;
    case OPT_NAME:
        if (!session_name_ok(arg))
            argp_error(state, "--name=%s: use up to %d letters, digits, '-', '_' and '.'", arg, SESSION_NAME_MAX - 1);
        o->name = arg;
        return 0;
    case OPT_NO_ARBITER:
        o->alone = true;
        return 0;
    case 'v':
        o->verbose = true;
        return 0;
    case ARGP_KEY_ARGS:
        o->program = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which program?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Beside this program in the build tree, in lib beside bin when it is installed. */
static bool find_shim(char *path, size_t size)
{
    static const char *const places[] = {"../lib/" SHIM, "../lib/gtmux/" SHIM, "../" GTMUX_LIBDIR "/gtmux/" SHIM};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        return false;
    self[n] = '\0';
    const char *dir = dirname(self);

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, size, "%s/%s", dir, places[i]);
        if (!access(path, R_OK))
            return true;
    }
    return false;
}

static void set_number(const char *name, unsigned val)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", val);
    setenv(name, text, 1);
}

/* Who the program is to gtmuxd, whether or not one runs now. */
static void set_tenant(const struct options *o)
{
    char dir[PATH_MAX], path[PATH_MAX], name[SESSION_NAME_MAX];
    const char *base = strrchr(o->program[0], '/');

    snprintf(name, sizeof(name), "%s", o->name ? o->name : base ? base + 1 : o->program[0]);
    if (o->alone || run_dir_default(dir, sizeof(dir)) ||
        snprintf(path, sizeof(path), "%s/" ARBITER_SOCKET, dir) >= (int)sizeof(path)) {
        unsetenv("GTMUX_SHIM_ARBITER");
        return;
    }
    setenv("GTMUX_SHIM_ARBITER", path, 1);
    setenv("GTMUX_SHIM_NAME", session_name_ok(name) ? name : "program", 1);
    setenv("GTMUX_SHIM_PROFILE", o->profile ? o->profile : "", 1);
}

static void set_environment(const struct options *o, const char *root, const char *shim)
{
    const char *others = getenv("LD_PRELOAD");
    char preload[2 * PATH_MAX], png[PATH_MAX];

    snprintf(preload, sizeof(preload), "%s%s%s", shim, others && *others ? ":" : "", others ? others : "");
    setenv("LD_PRELOAD", preload, 1);
    setenv("GTMUX_SHIM_ROOT", root, 1);
    set_number("GTMUX_SHIM_THREADS", o->threads);
    set_number("GTMUX_SHIM_FRAMES", o->frames);
    set_number("GTMUX_SHIM_WIDTH", o->mode.width);
    set_number("GTMUX_SHIM_HEIGHT", o->mode.height);
    set_tenant(o);
    if (o->verbose)
        setenv("GTMUX_SHIM_VERBOSE", "1", 1);
    if (o->png && realpath(o->png, png))
        setenv("GTMUX_SHIM_PNG", png, 1);
}

static pid_t child;

/* What is for us is for the program; the terminal's signals reach it anyway. */
static void pass_on(int sig)
{
    if (child > 0)
        kill(child, sig);
}

static int wait_for_it(void)
{
    int status;

    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_FAILED;
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Keeps signals that would end us, with files left behind, until there is somebody to pass them on to. */
static void block_signals(sigset_t *before)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, before);
}

static void become_program(const struct options *o, const char *root, const char *shim)
{
    set_environment(o, root, shim);
    execvp(o->program[0], o->program);
    int error = errno;

    fprintf(stderr, "gtmux: %s: %s\n", o->program[0], strerror(error));
    _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

/* With signals blocked; `before`: those that the program has blocked. */
static int run(const struct options *o, const char *root, const char *shim, const sigset_t *before)
{
    const struct sigaction forward = {.sa_handler = pass_on}, ignore = {.sa_handler = SIG_IGN};

    child = fork();
    if (child < 0) {
        fprintf(stderr, "gtmux: cannot start a process: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    if (!child) {
        sigprocmask(SIG_SETMASK, before, NULL);
        become_program(o, root, shim);
    }
    sigaction(SIGTERM, &forward, NULL);
    sigaction(SIGHUP, &forward, NULL);
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGQUIT, &ignore, NULL);
    sigprocmask(SIG_SETMASK, before, NULL);
    return wait_for_it();
}

static int make_png_dir(const char *dir)
{
    struct stat st;

    if (!dir || (!stat(dir, &st) && S_ISDIR(st.st_mode)))
        return 0;
    if (!mkdir(dir, 0777))
        return 0;
    fprintf(stderr, "gtmux: %s: %s\n", dir, strerror(errno));
    return -1;
}

int command_exec(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"threads", 't', "N", 0, "Threads of the render engine (default: as many as processors, at most 4)", 0},
        {"png", 'p', "DIR", 0, "Write the frames that the program shows on its screen to DIR/frame-N.png", 0},
        {"frames", 'f', "N", 0, "How many of them at most (default 10)", 0},
        {"verbose", 'v', NULL, 0, "Print counters at the end", 0},
        {"mode", 'm', "WxH", 0, "Size of the screen (default 1280x720)", 0},
        {"name", OPT_NAME, "NAME", 0, "Name of the program with gtmuxd, before its process number (default: its own)",
         0},
        {"profile", OPT_PROFILE, "NAME", 0, "Its profile with gtmuxd (default: gtmuxd's)", 0},
        {"no-arbiter", OPT_NO_ARBITER, NULL, 0, "Do not register with gtmuxd", 0},
        {0}};
    static const struct argp parser = {options,
                                       parse,
                                       "[--] PROGRAM [ARGUMENT...]",
                                       "Runs a program on a software Gen9 GPU inside its process.\v"
                                       "The exit code is the program's; 128 + N when signal N killed it; 125 when this "
                                       "command failed, 126 and 127 when the program cannot be run or found; 2 for "
                                       "wrong use.",
                                       NULL,
                                       NULL,
                                       NULL};
    struct options o = {.frames = 10, .mode = {.width = 1280, .height = 720}};
    char root[PATH_MAX], shim[PATH_MAX];
    sigset_t before;
    int rc;

    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &o))
        return EXIT_USAGE;
    if (!find_shim(shim, sizeof(shim))) {
        fprintf(stderr, "gtmux: " SHIM " is missing: it belongs into lib/gtmux beside bin; install gtmux again\n");
        return EXIT_FAILED;
    }
    if (make_png_dir(o.png))
        return EXIT_FAILED;
    block_signals(&before);
    rc = exec_tree_make(root, sizeof(root));
    if (rc) {
        fprintf(stderr, "gtmux: cannot make temporary files: %s\n", strerror(-rc));
        return EXIT_FAILED;
    }
    rc = run(&o, root, shim, &before);
    exec_tree_remove(root);
    return rc;
}
