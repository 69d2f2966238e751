/* Shared by the sources of gtmux top. */
#ifndef GTMUX_MEDIATOR_COMMAND_TOP_H
#define GTMUX_MEDIATOR_COMMAND_TOP_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* The columns by which rows can be sorted. */
enum top_order {
    TOP_BY_NAME,
    TOP_BY_USE,
    TOP_BY_MEMORY,
    TOP_BY_WAIT,
    TOP_BY_REQUESTS,
    TOP_BY_FLIPS,
    TOP_BY_TRAPS,
    TOP_BY_COPIES,
    TOP_ORDERS
};

struct top_options {
    const char *run_dir;
    bool once, json;
    unsigned interval_ms;
    enum top_order order;
    bool inverted;
};

#define TOP_ROWS_MAX 256u

/* What gtmuxd and its tenants say now. NULL after a message: there is no gtmuxd. */
cJSON *top_look(const struct top_options *o);
/* What happened between two looks: {"policy","seconds","engines":{NAME:percent},"tenants":[...]}. */
cJSON *top_compare(const cJSON *before, const cJSON *now);
/* The tenants of a comparison, sorted; how many. */
size_t top_sort(const cJSON *comparison, const struct top_options *o, const cJSON *rows[TOP_ROWS_MAX]);
/* "cpu"-like name of an order, as --sort has it. */
const char *top_order_name(enum top_order order);
/* Lines without an end of line; a row is of `rows`. */
void top_title(const cJSON *comparison, size_t tenants, char *text, size_t size);
void top_header(char *text, size_t size);
void top_row(const cJSON *row, char *text, size_t size);

/* command_top_live.c: pictures until q. Takes `before` over. Exit code. */
int top_live(struct top_options *o, cJSON *before);

#endif
