#include "mediator/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/control.h"
#include "mediator/session.h"

static void explain_connect(const char *name, int code)
{
    if (code == -ENOENT || code == -ECONNREFUSED)
        fprintf(stderr, "gtmux: no guest '%s' is running; 'gtmux list' shows those that are\n", name);
    else
        fprintf(stderr, "gtmux: cannot reach '%s': %s\n", name, strerror(-code));
}

cJSON *command_ask(const struct command_args *a, const char *name, const char *cmd, cJSON *extra, int *fd)
{
    cJSON *request = extra ? extra : cJSON_CreateObject();

    cJSON_AddStringToObject(request, "cmd", cmd);
    int sock = session_name_ok(name) ? control_connect(a->run_dir, name) : -ENOENT;
    if (sock < 0) {
        explain_connect(name, sock);
        cJSON_Delete(request);
        return NULL;
    }
    cJSON *answer = control_ask(sock, request, fd);
    int saved = errno;
    close(sock);
    cJSON_Delete(request);
    if (!answer) {
        fprintf(stderr, "gtmux: '%s' does not answer: %s\n", name, strerror(saved));
        return NULL;
    }
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"))) {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(answer, "error");
        fprintf(stderr, "gtmux: %s: %s\n", name, cJSON_IsString(text) ? text->valuestring : "refused");
        cJSON_Delete(answer);
        return NULL;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(answer, "ok");
    return answer;
}

double command_number(const cJSON *object, const char *path)
{
    char part[64];

    while (object) {
        size_t n = strcspn(path, "/");
        snprintf(part, sizeof(part), "%.*s", (int)n, path);
        object = cJSON_GetObjectItemCaseSensitive(object, part);
        if (!path[n])
            break;
        path += n + 1;
    }
    return cJSON_IsNumber(object) ? object->valuedouble : 0;
}

int command_program(int argc, char **argv)
{
    char path[PATH_MAX], *slash;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    const char *name = strrchr(argv[0], ' ');

    (void)argc;
    path[n > 0 ? n : 0] = 0;
    slash = strrchr(path, '/');
    if (!slash || !name)
        return EXIT_FAILURE;
    size_t room = sizeof(path) - (size_t)(slash + 1 - path);

    if (snprintf(slash + 1, room, "gtmux-%s", name + 1) < (int)room)
        execv(path, argv);
    fprintf(stderr, "gtmux: cannot run %s: %s%s\n", path, strerror(errno),
            errno == ENOENT ? "; it is built where its libraries are, see docs/display.md" : "");
    return EXIT_FAILURE;
}

void command_print_json(const cJSON *object)
{
    char *text = cJSON_Print(object);

    printf("%s\n", text ? text : "{}");
    cJSON_free(text);
}
