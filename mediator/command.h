/* The subcommands of gtmux(1): one row a command in main_ctl.c, one file a command. */
#ifndef GTMUX_MEDIATOR_COMMAND_H
#define GTMUX_MEDIATOR_COMMAND_H

#include <argp.h>
#include <cjson/cJSON.h>
#include <stdbool.h>

#define EXIT_USAGE 2

/* Options that every subcommand takes, and positional arguments. */
struct command_args {
    bool json;
    const char *run_dir;
    unsigned head;
    int npositional;
    const char *positional[8];
};

struct command {
    const char *name;
    const char *args;    /* "NAME FILE.png" */
    const char *summary; /* one line */
    int min_args, max_args;
    bool takes_json, takes_head;
    int (*run)(const struct command_args *a); /* returns the exit code */
    int (*main)(int argc, char **argv);       /* instead: parses its own options; argv[0] is "gtmux NAME" */
};

int command_list(const struct command_args *a);
int command_stats(const struct command_args *a);
int command_doctor(const struct command_args *a);
int command_screenshot(const struct command_args *a);
int command_head(const struct command_args *a);
int command_profiles(const struct command_args *a);
int command_set(const struct command_args *a);
int command_pause(const struct command_args *a);
int command_resume(const struct command_args *a);
int command_reset(const struct command_args *a);
int command_metrics(const struct command_args *a);
int command_top(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_kms(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_decode(int argc, char **argv);
int command_run_capture(int argc, char **argv);
int command_dbus(int argc, char **argv);
/* Runs the program gtmux-NAME beside this one in the place of this process; argv[0] is "gtmux NAME". */
int command_program(int argc, char **argv);

/* Sends {"cmd": cmd, ...extra} (extra is freed; NULL: none) to the dm `name`. NULL after an error message on stderr. */
cJSON *command_ask(const struct command_args *a, const char *name, const char *cmd, cJSON *extra, int *fd);
/* Sends the request (freed) to gtmuxd. NULL after an error message on stderr. */
cJSON *command_ask_gtmuxd(const char *run_dir, cJSON *request);
/* Number at a path like "traps/mmio_reads", 0 when absent. */
double command_number(const cJSON *object, const char *path);
void command_print_json(const cJSON *object);

#endif
