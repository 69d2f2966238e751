/*
 * gtmux run-capture: executes captured submissions on the software GPU, in the order given. Memory and contexts are
 * kept from one to the next; one with sequence number 0 begins a new program.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mediator/capture_picture.h"
#include "mediator/capture_run.h"
#include "mediator/command.h"

static void print_changes(const struct capture_run *r)
{
    struct capture_change c;

    for (unsigned i = 0; (i = capture_run_changes(r, i, &c));)
        printf("  wrote 0x%012" PRIx64 " (%" PRIu64 " KiB): %016" PRIx64 "\n", c.addr, c.size / 1024, c.hash);
}

static void write_pictures(struct capture_run *r, const struct capture *c, const char *dir)
{
    static unsigned number; /* over all files */
    struct capture_target target[CAPTURE_TARGETS];
    unsigned n = capture_targets(capture_batch(c), capture_run_read, r, target);

    for (unsigned i = 0; i < n; i++) {
        char path[PATH_MAX], err[200] = "";

        snprintf(path, sizeof(path), "%s/target-%03u.png", dir, ++number);
        if (capture_picture(&target[i], capture_run_read, r, path, err, sizeof(err)))
            fprintf(stderr, "gtmux: %s: %s\n", path, err);
        else
            printf("  %s: %ux%u at 0x%012" PRIx64 "\n", path, target[i].surface.width_px, target[i].surface.height_px,
                   target[i].surface.address);
    }
}

/* True when it is right. */
static bool run_one(struct capture_run *r, const struct capture *c, const char *png)
{
    struct capture_result result;
    int rc = capture_run_one(r, c, &result);

    if (rc) {
        fprintf(stderr, "gtmux: %s\n", strerror(-rc));
        return false;
    }
    printf("  %" PRIu64 " commands, %" PRIu64 " draws, %" PRIu64 " dispatches, %" PRIu64 " unknown, %" PRIu64
           " faults%s\n",
           result.commands, result.draws, result.dispatches, result.unknown, result.faults,
           result.done ? "" : ", refused");
    print_changes(r);
    if (png)
        write_pictures(r, c, png);
    return result.done && !result.unknown;
}

static bool run_file(struct capture_run *r, const char *path, const char *png)
{
    struct capture c;
    char err[200] = "";
    bool ok = false;

    printf("%s:\n", path);
    if (capture_load(&c, path, err, sizeof(err)))
        ok = run_one(r, &c, png);
    else
        fprintf(stderr, "gtmux: %s: %s\n", path, err);
    capture_free(&c);
    return ok;
}

struct options {
    const char *png;
    unsigned threads;
    char **files;
    int nfiles;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'p':
        o->png = arg;
        return 0;
    case 't':
        o->threads = (unsigned)strtoul(arg, NULL, 10);
        if (!o->threads || o->threads > 16)
            argp_error(state, "--threads=%s: give a number from 1 to 16", arg);
        return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->nfiles = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which files?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_run_capture(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"png", 'p', "DIR", 0, "Write the render targets to DIR/target-N.png", 0},
        {"threads", 't', "N", 0, "Threads of the render engine (default: as many as processors, at most 4)", 0},
        {0}};
    static const struct argp parser = {
        options,
        parse,
        "FILE...",
        "Executes captured submissions (.gxc, .gxc.zst) in the order given.\v"
        "Exit code 1: a file cannot be read, or has a command or message that is unknown.",
        NULL,
        NULL,
        NULL};
    struct options o = {0};
    struct capture_run *r;
    char err[200] = "";
    int failed = 0;

    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &o))
        return EXIT_USAGE;
    if (o.png && mkdir(o.png, 0777) && errno != EEXIST) {
        fprintf(stderr, "gtmux: %s: %s\n", o.png, strerror(errno));
        return EXIT_FAILURE;
    }
    r = capture_run_create(o.threads, err, sizeof(err));
    if (!r) {
        fprintf(stderr, "gtmux: no GPU: %s\n", err);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < o.nfiles; i++)
        failed += !run_file(r, o.files[i], o.png);
    printf("%d of %d captures are right\n", o.nfiles - failed, o.nfiles);
    capture_run_destroy(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
