/* gtmux top on a terminal: a picture a second, and keys as in htop. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "mediator/arbiter/protocol.h"
#include "mediator/command.h"
#include "mediator/command_top.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

/* ECMA-48 */
#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"
#define HOME         "\033[H"
#define CLEAR_LINE   "\033[K"
#define CLEAR_BELOW  "\033[J"
#define REVERSE      "\033[7m"
#define BOLD         "\033[1m"
#define NORMAL       "\033[0m"
#define ESCAPE_MS    50 /* what follows an escape within this time belongs to it */
#define LINES_AROUND 4u /* title, header, message, keys */

enum key {
    KEY_NONE = 256,
    KEY_UP,
    KEY_DOWN,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
    KEY_F1,
    KEY_F7,
    KEY_F8,
    KEY_F9,
    KEY_F10,
    KEY_ESCAPE
};

struct screen {
    struct top_options *o;
    struct termios before;
    unsigned lines, columns;
    cJSON *comparison;
    const cJSON *row[TOP_ROWS_MAX];
    size_t rows, first, at;      /* first that is shown, selected */
    char name[ARBITER_NAME_MAX]; /* of the selected one: it stays selected wherever it moves */
    char message[120];
    int question; /* key that is to be confirmed, or 0 */
    bool help, ended;
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    stopped |= sig != SIGWINCH;
}

/* ---- the terminal */

static bool begin(struct screen *s)
{
    const struct sigaction act = {.sa_handler = on_signal}; /* no SA_RESTART: poll ends */

    if (tcgetattr(STDIN_FILENO, &s->before))
        return false;
    struct termios raw = s->before;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    sigaction(SIGWINCH, &act, NULL);
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw))
        return false;
    fputs(SCREEN_BEGIN, stdout);
    return true;
}

static void end(struct screen *s)
{
    fputs(SCREEN_END, stdout);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

static void measure(struct screen *s)
{
    struct winsize w = {0};

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
    s->lines = w.ws_row ? w.ws_row : 24;
    s->columns = w.ws_col ? w.ws_col : 80;
}

static int next_byte(int ms)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char byte;

    if (poll(&p, 1, ms) <= 0)
        return -1;
    ssize_t n = read(STDIN_FILENO, &byte, 1);

    stopped |= n == 0; /* the terminal is gone */
    return n == 1 ? byte : -1;
}

/* What terminals of the xterm and vt220 kinds send. */
static int escape_key(void)
{
    static const struct {
        const char *text;
        enum key key;
    } rows[] = {
        {"[A", KEY_UP},         {"OA", KEY_UP},   {"[B", KEY_DOWN}, {"OB", KEY_DOWN},  {"[5~", KEY_PAGE_UP},
        {"[6~", KEY_PAGE_DOWN}, {"[H", KEY_HOME}, {"OH", KEY_HOME}, {"[F", KEY_END},   {"OF", KEY_END},
        {"[1~", KEY_HOME},      {"[4~", KEY_END}, {"OP", KEY_F1},   {"[11~", KEY_F1},  {"[[A", KEY_F1},
        {"[18~", KEY_F7},       {"[19~", KEY_F8}, {"[20~", KEY_F9}, {"[21~", KEY_F10},
    };
    char text[8] = "";
    int byte;

    for (size_t n = 0; n < sizeof(text) - 1 && (byte = next_byte(ESCAPE_MS)) >= 0;) {
        text[n++] = (char)byte;
        for (size_t i = 0; i < GT_ARRAY_SIZE(rows); i++)
            if (!strcmp(rows[i].text, text))
                return rows[i].key;
    }
    return text[0] ? KEY_NONE : KEY_ESCAPE;
}

/* A character, an enum key, or -1: none in time. */
static int next_key(int ms)
{
    int byte = next_byte(ms);

    return byte == 27 ? escape_key() : byte;
}

/* ---- the picture */

/* One line, cut to the screen, in a style. */
static void put_line(const struct screen *s, const char *style, const char *text)
{
    size_t n = GT_MIN(strlen(text), (size_t)s->columns);

    printf("%s%.*s", style, (int)n, text);
    if (!strcmp(style, REVERSE))
        printf("%*s", (int)(s->columns - n), "");
    fputs(NORMAL CLEAR_LINE "\r\n", stdout);
}

static void find_selected(struct screen *s)
{
    s->rows = s->comparison ? top_sort(s->comparison, s->o, s->row) : 0;
    for (size_t i = 0; s->name[0] && i < s->rows; i++)
        if (!strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(s->row[i], "name")), s->name))
            s->at = i;
    s->at = s->rows ? GT_MIN(s->at, s->rows - 1) : 0;
}

static void select_row(struct screen *s, size_t at)
{
    if (!s->rows)
        return;
    s->at = GT_MIN(at, s->rows - 1);
    snprintf(s->name, sizeof(s->name), "%s",
             cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(s->row[s->at], "name")));
}

static void put_help(const struct screen *s)
{
    static const char *const lines[] = {
        "Up, Down, PgUp, PgDn, Home, End   select a tenant",
        "space                             pause it, or let it go on",
        "F8 +   F7 -                       a quarter more, or less, weight",
        "r                                 reset what it executes, as a hang",
        "F9 k                              end its process (SIGTERM)",
        "N  P  M  T                        sort by name, use, memory, waits",
        "< >                               sort by the column before, after",
        "I                                 sort the other way",
        "F1 h ?                            this text",
        "F10 q                             end",
        "",
        "Columns: LIM% what the tenant may use of an engine, RCS% ... what it had, WANT engines it waits for,",
        "P50, P99 its waits, MEM GPU-visible memory, RESET resets that gtmuxd asked for. docs/operations.md",
    };

    for (size_t i = 0; i < GT_ARRAY_SIZE(lines) && i + 2 < s->lines; i++)
        put_line(s, "", lines[i]);
}

static void put_rows(struct screen *s)
{
    size_t room = s->lines > LINES_AROUND ? s->lines - LINES_AROUND : 1;
    char text[512];

    if (s->at < s->first || s->at >= s->first + room)
        s->first = s->at < room ? 0 : s->at - room + 1;
    for (size_t i = s->first; i < s->rows && i < s->first + room; i++) {
        top_row(s->row[i], text, sizeof(text));
        put_line(s, i == s->at ? REVERSE : "", text);
    }
}

static void draw(struct screen *s)
{
    char text[512];

    measure(s);
    fputs(HOME, stdout);
    if (s->help) {
        put_help(s);
    } else {
        top_title(s->comparison, s->rows, text, sizeof(text));
        put_line(s, "", text);
        top_header(text, sizeof(text));
        put_line(s, BOLD, text);
        put_rows(s);
    }
    put_line(s, BOLD, s->message);
    fputs(CLEAR_BELOW, stdout);
    snprintf(text, sizeof(text), "F1 help  space pause  F7- F8+ weight  r reset  F9 kill  F10 quit   sorted by %s%s",
             top_order_name(s->o->order), s->o->inverted ? ", least first" : "");
    printf("%s%.*s%s", REVERSE, (int)s->columns, text, NORMAL);
    fflush(stdout);
}

/* ---- what keys do */

static const cJSON *selected(const struct screen *s)
{
    return s->rows ? s->row[s->at] : NULL;
}

static const char *selected_name(const struct screen *s)
{
    return selected(s) ? cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(selected(s), "name")) : NULL;
}

/* Asks gtmuxd for a change of the selected tenant; weight 0: none. */
static void change(struct screen *s, const char *cmd, double weight)
{
    const char *name = selected_name(s);
    cJSON *request = cJSON_CreateObject();
    char text[16];

    cJSON_AddStringToObject(request, "cmd", cmd);
    cJSON_AddStringToObject(request, "name", name);
    if (weight > 0) {
        snprintf(text, sizeof(text), "%.0f", weight);
        cJSON_AddStringToObject(cJSON_AddObjectToObject(request, "values"), "weight", text);
    }
    cJSON *answer = command_ask_gtmuxd(s->o->run_dir, request);

    snprintf(s->message, sizeof(s->message), "%s %s%s%s: %s", cmd, name, weight > 0 ? " weight=" : "",
             weight > 0 ? text : "", answer ? "done" : "refused");
    cJSON_Delete(answer);
}

static void change_weight(struct screen *s, double factor)
{
    double old = command_number(selected(s), "weight"), weight = (double)(long)(old * factor + 0.5);

    if (weight == old)
        weight += factor > 1 ? 1 : -1;
    change(s, "set", GT_MAX(GT_MIN(weight, 10000.0), 1.0));
}

static void end_process(struct screen *s)
{
    pid_t pid = (pid_t)command_number(selected(s), "pid");

    if (pid > 1 && !kill(pid, SIGTERM))
        snprintf(s->message, sizeof(s->message), "%s (process %d) is told to end", selected_name(s), (int)pid);
    else
        snprintf(s->message, sizeof(s->message), "%s: %s", selected_name(s), pid > 1 ? strerror(errno) : "no process");
}

static void ask(struct screen *s, int key)
{
    s->question = key;
    snprintf(s->message, sizeof(s->message),
             key == 'r' ? "Reset what %s executes? (y/n)" : "End the process of %s? (y/n)", selected_name(s));
}

static void answer_question(struct screen *s, int key)
{
    int question = s->question;

    s->question = 0;
    s->message[0] = 0;
    if (key != 'y' && key != 'Y')
        return;
    if (question == 'r')
        change(s, "reset", 0);
    else
        end_process(s);
}

static void sort_by(struct screen *s, unsigned order)
{
    s->o->order = (enum top_order)(order % TOP_ORDERS);
    find_selected(s);
}

/* Keys that do something to the selected tenant. */
static void tenant_key(struct screen *s, int key)
{
    if (!selected(s))
        return;
    switch (key) {
    case ' ':
        select_row(s, s->at);
        change(s, cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(selected(s), "paused")) ? "resume" : "pause", 0);
        break;
    case '+':
    case KEY_F8:
        change_weight(s, 1.25);
        break;
    case '-':
    case KEY_F7:
        change_weight(s, 0.8);
        break;
    case 'r':
        select_row(s, s->at);
        ask(s, 'r');
        break;
    case 'k':
    case KEY_F9:
        select_row(s, s->at);
        ask(s, 'k');
        break;
    default:
        break;
    }
}

static void move_key(struct screen *s, int key)
{
    size_t page = s->lines > LINES_AROUND ? s->lines - LINES_AROUND : 1;

    switch (key) {
    case KEY_UP:
        select_row(s, s->at ? s->at - 1 : 0);
        break;
    case KEY_DOWN:
        select_row(s, s->at + 1);
        break;
    case KEY_PAGE_UP:
        select_row(s, s->at > page ? s->at - page : 0);
        break;
    case KEY_PAGE_DOWN:
        select_row(s, s->at + page);
        break;
    case KEY_HOME:
        select_row(s, 0);
        break;
    case KEY_END:
        select_row(s, s->rows);
        break;
    default:
        break;
    }
}

static void view_key(struct screen *s, int key)
{
    static const struct {
        char key;
        enum top_order order;
    } orders[] = {{'N', TOP_BY_NAME}, {'P', TOP_BY_USE}, {'M', TOP_BY_MEMORY}, {'T', TOP_BY_WAIT},
                  {'n', TOP_BY_NAME}, {'u', TOP_BY_USE}, {'w', TOP_BY_WAIT}};

    for (size_t i = 0; i < GT_ARRAY_SIZE(orders); i++)
        if (key == orders[i].key)
            sort_by(s, orders[i].order);
    if (key == '>')
        sort_by(s, s->o->order + 1u);
    if (key == '<')
        sort_by(s, s->o->order + TOP_ORDERS - 1u);
    if (key == 'I')
        s->o->inverted = !s->o->inverted;
    if (key == 'h' || key == '?' || key == KEY_F1)
        s->help = true;
    s->ended |= key == 'q' || key == KEY_F10;
    find_selected(s);
}

static void take_key(struct screen *s, int key)
{
    if (s->question) {
        answer_question(s, key);
        return;
    }
    if (s->help && key != 'q' && key != KEY_F10) {
        s->help = false; /* any key */
        return;
    }
    s->message[0] = 0;
    tenant_key(s, key);
    move_key(s, key);
    view_key(s, key);
}

/* Takes keys until the next look is due. */
static void wait_for_keys(struct screen *s)
{
    uint64_t until = gt_clock_ns() + s->o->interval_ms * UINT64_C(1000000), now;

    while (!s->ended && !stopped && (now = gt_clock_ns()) < until) {
        int key = next_key((int)((until - now + 999999) / 1000000));

        if (key >= 0)
            take_key(s, key);
        if (s->comparison)
            draw(s);
    }
}

int top_live(struct top_options *o, cJSON *before)
{
    struct screen s = {.o = o};
    bool lost = false;

    if (!begin(&s)) {
        cJSON_Delete(before);
        return EXIT_FAILURE;
    }
    while (!s.ended && !stopped && !lost) {
        wait_for_keys(&s);
        cJSON *now = s.ended || stopped ? NULL : top_look(o);

        lost = !now && !s.ended && !stopped;
        if (!now)
            break;
        cJSON_Delete(s.comparison);
        s.comparison = top_compare(before, now);
        cJSON_Delete(before);
        before = now;
        find_selected(&s);
        draw(&s);
    }
    end(&s);
    if (lost)
        fprintf(stderr, "gtmux: gtmuxd has ended\n");
    cJSON_Delete(s.comparison);
    cJSON_Delete(before);
    return lost ? EXIT_FAILURE : EXIT_SUCCESS;
}
