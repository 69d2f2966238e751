#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/command.h"
#include "mediator/control.h"
#include "mediator/session.h"

/* What a living dm says of itself; NULL for the socket of a dead one. */
static cJSON *ask_info(const char *run_dir, const char *name)
{
    int sock = control_connect(run_dir, name);
    if (sock < 0)
        return NULL;
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "cmd", "info");
    cJSON *answer = control_ask(sock, request, NULL);
    cJSON_Delete(request);
    close(sock);
    if (answer)
        cJSON_DeleteItemFromObjectCaseSensitive(answer, "ok");
    return answer;
}

static int is_control_socket(const struct dirent *d)
{
    size_t n = strlen(d->d_name), suffix = strlen(CONTROL_SUFFIX);

    return n > suffix && !strcmp(d->d_name + n - suffix, CONTROL_SUFFIX);
}

static cJSON *collect(const char *run_dir)
{
    cJSON *guests = cJSON_CreateArray();
    struct dirent **entries = NULL;
    int count = scandir(run_dir, &entries, is_control_socket, alphasort);

    for (int i = 0; i < count; i++) {
        char *name = entries[i]->d_name;
        name[strlen(name) - strlen(CONTROL_SUFFIX)] = 0;
        cJSON *info = session_name_ok(name) ? ask_info(run_dir, name) : NULL;
        if (info)
            cJSON_AddItemToArray(guests, info);
        free(entries[i]);
    }
    free(entries);
    return guests;
}

static void print_guest(const cJSON *g)
{
    const cJSON *head, *heads = cJSON_GetObjectItemCaseSensitive(g, "heads");
    char screens[128] = "";

    cJSON_ArrayForEach(head, heads)
    {
        const cJSON *mode = cJSON_GetObjectItemCaseSensitive(head, "scanout");
        size_t n = strlen(screens);
        if (cJSON_IsString(mode))
            snprintf(screens + n, sizeof(screens) - n, "%s%s", n ? " " : "", mode->valuestring);
    }
    printf("%-20s %8.0f %-9s %8.0fs  %s\n", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(g, "name")),
           command_number(g, "pid"),
           cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(g, "connected")) ? "running" : "waiting",
           command_number(g, "uptime_s"), screens[0] ? screens : "-");
}

int command_list(const struct command_args *a)
{
    char dir[4096];
    const cJSON *g;

    if (!a->run_dir && run_dir_default(dir, sizeof(dir))) {
        fprintf(stderr, "gtmux: no run directory: set GTMUX_RUN_DIR or give --run-dir\n");
        return EXIT_USAGE;
    }
    cJSON *guests = collect(a->run_dir ? a->run_dir : dir);
    if (a->json) {
        command_print_json(guests);
    } else {
        printf("%-20s %8s %-9s %9s  %s\n", "NAME", "PID", "STATE", "UPTIME", "SCREENS");
        cJSON_ArrayForEach(g, guests) print_guest(g);
    }
    cJSON_Delete(guests);
    return EXIT_SUCCESS;
}
