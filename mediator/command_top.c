/* gtmux top: who uses the GPU, now. This file has the figures, command_top_live.c the terminal. */
#include "mediator/command_top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mediator/command.h"
#include "mediator/control.h"
#include "mediator/run_dir.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define INTERVAL_MS 1000

/* ---- figures: rates between two looks */

/* What a dm says of itself is no secret and no reason to fail. */
static cJSON *ask_dm(const char *run_dir, const char *name)
{
    int sock = session_name_ok(name) ? control_connect(run_dir, name) : -ENOENT;

    if (sock < 0)
        return NULL;
    cJSON *request = cJSON_CreateObject();

    cJSON_AddStringToObject(request, "cmd", "stats");
    cJSON *answer = control_ask(sock, request, NULL);

    cJSON_Delete(request);
    close(sock);
    return answer;
}

cJSON *top_look(const struct top_options *o)
{
    cJSON *request = cJSON_CreateObject();
    cJSON *t, *all;

    cJSON_AddStringToObject(request, "cmd", "stats");
    all = command_ask_gtmuxd(o->run_dir, request);
    if (!all)
        return NULL;
    cJSON_AddNumberToObject(all, "now", (double)gt_clock_ns());
    cJSON_ArrayForEach(t, cJSON_GetObjectItemCaseSensitive(all, "tenants"))
    {
        const char *kind = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "kind"));
        cJSON *dm = kind && !strcmp(kind, "dm")
                        ? ask_dm(o->run_dir, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "name")))
                        : NULL;

        if (dm)
            cJSON_AddItemToObject(t, "dm", dm);
    }
    return all;
}

static const cJSON *find_tenant(const cJSON *all, const char *name)
{
    const cJSON *t;

    cJSON_ArrayForEach(t, cJSON_GetObjectItemCaseSensitive(all, "tenants"))
    {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "name"));

        if (text && !strcmp(text, name))
            return t;
    }
    return NULL;
}

/* Sum of a counter over the engines. */
static double over_engines(const cJSON *object, const char *counter)
{
    const cJSON *e;
    double sum = 0;

    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(object, "engines")) sum += command_number(e, counter);
    return sum;
}

static double traps(const cJSON *t)
{
    static const char *const paths[] = {"dm/traps/mmio_reads", "dm/traps/mmio_writes",    "dm/traps/gtt_reads",
                                        "dm/traps/gtt_writes", "dm/traps/aperture_reads", "dm/traps/aperture_writes"};
    double sum = 0;

    for (size_t i = 0; i < GT_ARRAY_SIZE(paths); i++)
        sum += command_number(t, paths[i]);
    return sum;
}

static double flips(const cJSON *t)
{
    return command_number(t, "flips");
}

static double requests(const cJSON *t)
{
    const cJSON *dm = cJSON_GetObjectItemCaseSensitive(t, "dm");

    return dm ? over_engines(dm, "requests") : over_engines(t, "work");
}

static double copied(const cJSON *t)
{
    return command_number(t, "dm/display/bytes_copied");
}

/* Percent of each engine between two looks. */
static void add_use(cJSON *row, const cJSON *t, const cJSON *before, double ns)
{
    cJSON *use = cJSON_AddObjectToObject(row, "use_percent");
    const cJSON *e;
    double sum = 0;

    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(t, "engines"))
    {
        char path[64];

        snprintf(path, sizeof(path), "engines/%s/granted_ns", e->string);
        double part = 100 * (command_number(e, "granted_ns") - command_number(before, path)) / ns;

        part = GT_MAX(GT_MIN(part, 100.0), 0.0);
        cJSON_AddNumberToObject(use, e->string, part);
        sum += part;
    }
    cJSON_AddNumberToObject(row, "use_sum", sum);
}

static unsigned queue_depth(const cJSON *t)
{
    const cJSON *e;
    unsigned n = 0;

    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(t, "engines"))
    {
        const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(e, "state"));

        n += state && strcmp(state, "-") != 0 && strcmp(state, "runs") != 0;
    }
    return n;
}

static cJSON *make_row(const cJSON *t, const cJSON *before, double ns)
{
    static const char *const same[] = {"name",        "kind",         "profile",
                                       "pid",         "weight",       "limit",
                                       "paused",      "memory_bytes", "memory_quota_bytes",
                                       "wait_p50_us", "wait_p99_us"};
    static const struct {
        const char *name;
        double (*of)(const cJSON *t);
    } rates[] = {{"requests_s", requests}, {"flips_s", flips}, {"traps_s", traps}, {"copied_bytes_s", copied}};
    cJSON *row = cJSON_CreateObject();

    for (size_t i = 0; i < GT_ARRAY_SIZE(same); i++)
        cJSON_AddItemToObject(row, same[i], cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(t, same[i]), true));
    add_use(row, t, before, ns);
    for (size_t i = 0; i < GT_ARRAY_SIZE(rates); i++)
        cJSON_AddNumberToObject(row, rates[i].name,
                                before ? GT_MAX(rates[i].of(t) - rates[i].of(before), 0.0) * 1e9 / ns : 0);
    cJSON_AddNumberToObject(row, "engines_waited_for", queue_depth(t));
    cJSON_AddNumberToObject(row, "resets", over_engines(t, "resets"));
    return row;
}

/* Of each engine: what all tenants together had of it. */
static void add_engines(cJSON *out, const cJSON *rows)
{
    cJSON *engines = cJSON_AddObjectToObject(out, "engines");
    const cJSON *row, *e;

    cJSON_ArrayForEach(row, rows)
    {
        cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(row, "use_percent"))
        {
            cJSON *sum = cJSON_GetObjectItemCaseSensitive(engines, e->string);

            if (sum)
                cJSON_SetNumberValue(sum, sum->valuedouble + e->valuedouble);
            else
                cJSON_AddNumberToObject(engines, e->string, e->valuedouble);
        }
    }
}

cJSON *top_compare(const cJSON *before, const cJSON *now)
{
    double ns = GT_MAX(command_number(now, "now") - command_number(before, "now"), 1.0);
    cJSON *out = cJSON_CreateObject(), *rows;
    const cJSON *t;

    cJSON_AddItemToObject(out, "policy", cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(now, "policy"), true));
    cJSON_AddNumberToObject(out, "seconds", ns / 1e9);
    rows = cJSON_AddArrayToObject(out, "tenants");
    cJSON_ArrayForEach(t, cJSON_GetObjectItemCaseSensitive(now, "tenants"))
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(t, "name"));

        cJSON_AddItemToArray(rows, make_row(t, name ? find_tenant(before, name) : NULL, ns));
    }
    add_engines(out, rows);
    return out;
}

/* ---- rows */

static const struct {
    const char *name, *key; /* of a row; NULL: its name */
} orders[TOP_ORDERS] = {
    [TOP_BY_NAME] = {"name", NULL},
    [TOP_BY_USE] = {"use", "use_sum"},
    [TOP_BY_MEMORY] = {"memory", "memory_bytes"},
    [TOP_BY_WAIT] = {"wait", "wait_p99_us"},
    [TOP_BY_REQUESTS] = {"requests", "requests_s"},
    [TOP_BY_FLIPS] = {"flips", "flips_s"},
    [TOP_BY_TRAPS] = {"traps", "traps_s"},
    [TOP_BY_COPIES] = {"copies", "copied_bytes_s"},
};

const char *top_order_name(enum top_order order)
{
    return orders[order].name;
}

static const char *name_of(const cJSON *row)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name"));

    return name ? name : "";
}

static int compare_rows(const void *a, const void *b, void *options)
{
    const struct top_options *o = options;
    const cJSON *x = *(const cJSON *const *)a, *y = *(const cJSON *const *)b;
    const char *key = orders[o->order].key;
    double d = key ? command_number(y, key) - command_number(x, key) : 0;
    int sign = d > 0 ? 1 : d < 0 ? -1 : strcmp(name_of(x), name_of(y));

    return o->inverted ? -sign : sign;
}

size_t top_sort(const cJSON *comparison, const struct top_options *o, const cJSON *rows[TOP_ROWS_MAX])
{
    const cJSON *row;
    size_t n = 0;

    cJSON_ArrayForEach(row, cJSON_GetObjectItemCaseSensitive(comparison, "tenants"))
    {
        if (n < TOP_ROWS_MAX)
            rows[n++] = row;
    }
    qsort_r(rows, n, sizeof(rows[0]), compare_rows, (void *)o);
    return n;
}

void top_title(const cJSON *comparison, size_t tenants, char *text, size_t size)
{
    const cJSON *e;
    int n = snprintf(text, size, "gtmux top: %zu tenants, %s, over %.1f s", tenants,
                     cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(comparison, "policy")),
                     command_number(comparison, "seconds"));

    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(comparison, "engines"))
    {
        if (n > 0 && (size_t)n < size)
            n += snprintf(text + n, size - (size_t)n, ", %s %.0f %%", e->string, e->valuedouble);
    }
}

void top_header(char *text, size_t size)
{
    snprintf(text, size, "%-20s %-10s %6s %4s %6s %6s %6s %6s %4s %8s %8s %8s %8s %6s %8s %9s %5s", "NAME", "PROFILE",
             "WEIGHT", "LIM%", "RCS%", "BCS%", "VCS%", "VECS%", "WANT", "P50-MS", "P99-MS", "MEM-MIB", "REQ/S",
             "FLIP/S", "TRAP/S", "COPY-KB/S", "RESET");
}

void top_row(const cJSON *row, char *text, size_t size)
{
    snprintf(
        text, size,
        "%-20.20s %-10.10s %6.0f %4.0f %6.1f %6.1f %6.1f %6.1f %4.0f %8.1f %8.1f %8.1f %8.1f %6.1f %8.0f %9.0f %5.0f%s",
        name_of(row), cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "profile")),
        command_number(row, "weight"), command_number(row, "limit"), command_number(row, "use_percent/rcs0"),
        command_number(row, "use_percent/bcs0"), command_number(row, "use_percent/vcs0"),
        command_number(row, "use_percent/vecs0"), command_number(row, "engines_waited_for"),
        command_number(row, "wait_p50_us") / 1000, command_number(row, "wait_p99_us") / 1000,
        command_number(row, "memory_bytes") / 1048576, command_number(row, "requests_s"),
        command_number(row, "flips_s"), command_number(row, "traps_s"), command_number(row, "copied_bytes_s") / 1024,
        command_number(row, "resets"), cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, "paused")) ? " paused" : "");
}

/* ---- the command */

static void print_picture(const cJSON *comparison, const struct top_options *o)
{
    const cJSON *rows[TOP_ROWS_MAX];
    size_t n = top_sort(comparison, o, rows);
    char text[512];

    top_title(comparison, n, text, sizeof(text));
    puts(text);
    top_header(text, sizeof(text));
    puts(text);
    for (size_t i = 0; i < n; i++) {
        top_row(rows[i], text, sizeof(text));
        puts(text);
    }
    fflush(stdout);
}

static void pause_for(unsigned ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&ts, NULL);
}

/* Pictures, one below the other: once, or without end. */
static int print_pictures(const struct top_options *o, cJSON *before)
{
    do {
        pause_for(o->interval_ms);
        cJSON *now = top_look(o), *c = now ? top_compare(before, now) : NULL;

        if (c && o->json)
            command_print_json(c);
        else if (c)
            print_picture(c, o);
        cJSON_Delete(c);
        cJSON_Delete(before);
        before = now;
    } while (before && !o->once);
    int code = before ? EXIT_SUCCESS : EXIT_FAILURE;

    cJSON_Delete(before);
    return code;
}

static void take_order(struct top_options *o, const char *name, struct argp_state *state)
{
    for (o->order = 0; o->order < TOP_ORDERS && strcmp(orders[o->order].name, name) != 0; o->order++)
        ;
    if (o->order == TOP_ORDERS)
        argp_error(state, "--sort=%s: give name, use, memory, wait, requests, flips, traps or copies", name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct top_options *o = state->input;
    char *end;
    double seconds;

    switch (key) {
    case 'r':
        o->run_dir = arg;
        return 0;
    case '1':
        o->once = true;
        return 0;
    case 'j':
        o->json = o->once = true;
        return 0;
    case 's':
        take_order(o, arg, state);
        return 0;
    case 'd':
        seconds = strtod(arg, &end);
        if (*end || !(seconds >= 0.1 && seconds <= 3600))
            argp_error(state, "--delay=%s: give seconds from 0.1 to 3600", arg);
        o->interval_ms = (unsigned)(seconds * 1000);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_top(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"run-dir", 'r', "DIR", 0, "Directory of the control sockets", 0},
        {"once", '1', NULL, 0, "Print one picture and end", 0},
        {"json", 'j', NULL, 0, "The same as JSON", 0},
        {"sort", 's', "name|use|memory|wait|requests|flips|traps|copies", 0, "Which rows come first (default use)", 0},
        {"delay", 'd', "SECONDS", 0, "Time between two pictures (default 1)", 0},
        {0}};
    static const struct argp parser = {
        options,
        parse,
        NULL,
        "Shows who uses the GPU.\v"
        "Keys, as in htop: arrows select a tenant; space pauses it or lets it go on, F7 and F8 (- and +) give it less "
        "or "
        "more weight, r resets what it executes, k or F9 ends its process, both after a question; N, P, M, T sort by "
        "name, use, memory, waits, < and > by other columns, I the other way; h or F1 shows this, q or F10 ends.",
        NULL,
        NULL,
        NULL};
    struct top_options o = {.interval_ms = INTERVAL_MS, .order = TOP_BY_USE};

    if (argp_parse(&parser, argc, argv, 0, NULL, &o))
        return EXIT_USAGE;
    cJSON *before = top_look(&o);

    if (!before)
        return EXIT_FAILURE;
    return !o.once && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? top_live(&o, before) : print_pictures(&o, before);
}
