/* gtmux top: who uses the GPU, now. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "mediator/command.h"
#include "mediator/control.h"
#include "mediator/run_dir.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define INTERVAL_MS 1000

enum order { BY_USE, BY_WAIT, BY_NAME };

struct options {
    const char *run_dir;
    bool once, json;
    unsigned interval_ms;
    enum order order;
};

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

static cJSON *look(const struct options *o)
{
    cJSON *request = cJSON_CreateObject();
    cJSON *t, *all;

    cJSON_AddStringToObject(request, "cmd", "stats");
    all = command_ask_gtmuxd(o->run_dir, request);
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
    static const char *const same[] = {"name",  "kind",   "profile",      "pid",         "weight",
                                       "limit", "paused", "memory_bytes", "wait_p50_us", "wait_p99_us"};
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

static cJSON *compare_looks(const cJSON *before, const cJSON *now)
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
    return out;
}

/* ---- the picture */

static enum order sort_order;

static int compare_rows(const void *a, const void *b)
{
    const cJSON *x = *(const cJSON *const *)a, *y = *(const cJSON *const *)b;
    const char *name_x = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(x, "name"));
    const char *name_y = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(y, "name"));
    const char *key = sort_order == BY_WAIT ? "wait_p99_us" : "use_sum";
    double d = sort_order == BY_NAME ? 0 : command_number(y, key) - command_number(x, key);

    return d > 0 ? 1 : d < 0 ? -1 : strcmp(name_x ? name_x : "", name_y ? name_y : "");
}

static void print_row(const cJSON *row)
{
    printf("%-20.20s %-10.10s %6.0f %5.0f %6.1f %6.1f %6.1f %6.1f %4.0f %8.1f %8.1f %8.1f %6.1f %8.0f %9.0f %5.0f%s\n",
           cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name")),
           cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "profile")), command_number(row, "weight"),
           command_number(row, "limit"), command_number(row, "use_percent/rcs0"),
           command_number(row, "use_percent/bcs0"), command_number(row, "use_percent/vcs0"),
           command_number(row, "use_percent/vecs0"), command_number(row, "engines_waited_for"),
           command_number(row, "wait_p50_us") / 1000, command_number(row, "wait_p99_us") / 1000,
           command_number(row, "requests_s"), command_number(row, "flips_s"), command_number(row, "traps_s"),
           command_number(row, "copied_bytes_s") / 1024, command_number(row, "resets"),
           cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, "paused")) ? " paused" : "");
}

static void print_picture(const cJSON *c, enum order order)
{
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(c, "tenants");
    const cJSON *sorted[1024] = {0}, *row;
    size_t n = 0;

    cJSON_ArrayForEach(row, rows)
    {
        if (n < GT_ARRAY_SIZE(sorted))
            sorted[n++] = row;
    }
    sort_order = order;
    qsort(sorted, n, sizeof(sorted[0]), compare_rows);
    printf("gtmux top: %zu tenants, %s, over %.1f s\n", n,
           cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(c, "policy")), command_number(c, "seconds"));
    printf("%-20s %-10s %6s %5s %6s %6s %6s %6s %4s %8s %8s %8s %6s %8s %9s %5s\n", "NAME", "PROFILE", "WEIGHT", "LIM%",
           "RCS%", "BCS%", "VCS%", "VECS%", "WANT", "P50-MS", "P99-MS", "REQ/S", "FLIP/S", "TRAP/S", "COPY-KB/S",
           "RESET");
    for (size_t i = 0; i < n; i++)
        print_row(sorted[i]);
    fflush(stdout);
}

/* ---- the terminal */

static struct termios terminal;

static bool raw_terminal(void)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &terminal))
        return false;
    struct termios raw = terminal;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    return !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

/* Waits for a key or the time. False: q. */
static bool wait_key(struct options *o)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;

    if (poll(&p, 1, (int)o->interval_ms) <= 0 || read(STDIN_FILENO, &key, 1) != 1)
        return true;
    if (key == 'u' || key == 'P')
        o->order = BY_USE;
    else if (key == 'w')
        o->order = BY_WAIT;
    else if (key == 'n' || key == 'N')
        o->order = BY_NAME;
    return key != 'q';
}

static void pause_for(unsigned ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&ts, NULL);
}

static int live(struct options *o, cJSON *before)
{
    bool raw = raw_terminal(), go_on = true;

    while (go_on && before) {
        if (raw)
            go_on = wait_key(o);
        else
            pause_for(o->interval_ms);
        cJSON *now = look(o);
        cJSON *c = now ? compare_looks(before, now) : NULL;

        if (raw)
            printf("\033[H\033[2J");
        if (c)
            print_picture(c, o->order);
        if (raw)
            printf("u: by use  w: by wait  n: by name  q: end\n");
        cJSON_Delete(c);
        cJSON_Delete(before);
        before = now;
    }
    if (raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
    int code = before ? EXIT_SUCCESS : EXIT_FAILURE;

    cJSON_Delete(before);
    return code;
}

static int once(const struct options *o, cJSON *before)
{
    pause_for(o->interval_ms);
    cJSON *now = look(o);

    if (!now) {
        cJSON_Delete(before);
        return EXIT_FAILURE;
    }
    cJSON *c = compare_looks(before, now);

    if (o->json)
        command_print_json(c);
    else
        print_picture(c, o->order);
    cJSON_Delete(c);
    cJSON_Delete(now);
    cJSON_Delete(before);
    return EXIT_SUCCESS;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
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
        {"delay", 'd', "SECONDS", 0, "Time between two pictures (default 1)", 0},
        {0}};
    static const struct argp parser = {options, parse, NULL, "Shows who uses the GPU.\vKeys: u, w, n sort; q ends.",
                                       NULL,    NULL,  NULL};
    struct options o = {.interval_ms = INTERVAL_MS};

    if (argp_parse(&parser, argc, argv, 0, NULL, &o))
        return EXIT_USAGE;
    cJSON *before = look(&o);

    if (!before)
        return EXIT_FAILURE;
    return o.once ? once(&o, before) : live(&o, before);
}
