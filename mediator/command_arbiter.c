/* The commands that ask gtmuxd: profiles, set, pause, resume, reset, metrics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mediator/arbiter/protocol.h"
#include "mediator/command.h"
#include "mediator/control_wire.h"
#include "mediator/run_dir.h"

#define ANSWER_MAX        (4u << 20)
#define ANSWER_TIMEOUT_MS 10000

static int connect_gtmuxd(const char *run_dir)
{
    struct sockaddr_un sa;
    int rc = wire_address(&sa, run_dir, ARBITER_ADMIN, "");

    if (rc)
        return rc;
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (sock < 0)
        return -errno;
    if (!connect(sock, (struct sockaddr *)&sa, sizeof(sa)))
        return sock;
    rc = -errno;
    close(sock);
    return rc;
}

static cJSON *exchange(int sock, const cJSON *request)
{
    char *line = malloc(ANSWER_MAX);
    int fd = -1, rc = line ? wire_send(sock, request, -1) : -ENOMEM;

    if (!rc)
        rc = wire_read_line(sock, line, ANSWER_MAX, ANSWER_TIMEOUT_MS, &fd);
    if (fd >= 0)
        close(fd);
    cJSON *answer = rc > 0 ? cJSON_Parse(line) : NULL;

    free(line);
    if (!answer)
        fprintf(stderr, "gtmux: gtmuxd does not answer: %s\n", rc < 0 ? strerror(-rc) : "it hung up");
    return answer;
}

cJSON *command_ask_gtmuxd(const char *run_dir, cJSON *request)
{
    int sock = connect_gtmuxd(run_dir);
    cJSON *answer = NULL;

    if (sock >= 0) {
        answer = exchange(sock, request);
        close(sock);
    } else if (sock == -ENOENT || sock == -ECONNREFUSED) {
        fprintf(stderr, "gtmux: gtmuxd does not run; without it every guest has the GPU to itself\n");
    } else {
        fprintf(stderr, "gtmux: cannot reach gtmuxd: %s\n", strerror(-sock));
    }
    cJSON_Delete(request);
    if (answer && !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"))) {
        const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(answer, "error"));

        fprintf(stderr, "gtmux: %s\n", text ? text : "refused");
        cJSON_Delete(answer);
        return NULL;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(answer, "ok");
    return answer;
}

static cJSON *request_of(const char *cmd, const char *name)
{
    cJSON *r = cJSON_CreateObject();

    cJSON_AddStringToObject(r, "cmd", cmd);
    if (name)
        cJSON_AddStringToObject(r, "name", name);
    return r;
}

static const char *text_of(const cJSON *o, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));

    return text ? text : "";
}

/* ---- profiles */

int command_profiles(const struct command_args *a)
{
    cJSON *answer = command_ask_gtmuxd(a->run_dir, request_of("profiles", NULL));
    const cJSON *p;

    if (!answer)
        return EXIT_FAILURE;
    if (a->json) {
        command_print_json(answer);
        cJSON_Delete(answer);
        return EXIT_SUCCESS;
    }
    printf("policy: %s\n", text_of(answer, "policy"));
    printf("%-16s %6s %5s %6s %8s %10s %5s %-10s %4s  %s\n", "PROFILE", "WEIGHT", "CAP%", "SHARE%", "SLICE-US",
           "MEMORY-MIB", "HEADS", "MAX-MODE", "FPS", "DESCRIPTION");
    cJSON_ArrayForEach(p, cJSON_GetObjectItemCaseSensitive(answer, "profiles"))
    {
        printf("%-16s %6.0f %5.0f %6.0f %8.0f %10.0f %5.0f %-10s %4.0f  %s%s\n", text_of(p, "name"),
               command_number(p, "weight"), command_number(p, "cap"), command_number(p, "share"),
               command_number(p, "slice_us"), command_number(p, "memory_mb"), command_number(p, "heads"),
               text_of(p, "max_mode"), command_number(p, "fps"), text_of(p, "description"),
               cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(p, "default")) ? " (default)" : "");
    }
    cJSON_Delete(answer);
    return EXIT_SUCCESS;
}

/* ---- changes */

static int tell(const struct command_args *a, cJSON *request)
{
    cJSON *answer = command_ask_gtmuxd(a->run_dir, request);
    int code = answer ? EXIT_SUCCESS : EXIT_FAILURE;

    cJSON_Delete(answer);
    return code;
}

int command_set(const struct command_args *a)
{
    cJSON *request = request_of("set", a->positional[0]);
    cJSON *values = cJSON_AddObjectToObject(request, "values");

    for (int i = 1; i < a->npositional; i++) {
        char key[32];
        size_t n = strcspn(a->positional[i], "=");

        if (!a->positional[i][n] || n >= sizeof(key)) {
            fprintf(stderr, "gtmux: %s: give VALUE=NUMBER, such as weight=200\n", a->positional[i]);
            cJSON_Delete(request);
            return EXIT_USAGE;
        }
        snprintf(key, sizeof(key), "%.*s", (int)n, a->positional[i]);
        cJSON_AddStringToObject(values, key, a->positional[i] + n + 1);
    }
    return tell(a, request);
}

int command_pause(const struct command_args *a)
{
    return tell(a, request_of("pause", a->positional[0]));
}

int command_resume(const struct command_args *a)
{
    return tell(a, request_of("resume", a->positional[0]));
}

int command_reset(const struct command_args *a)
{
    return tell(a, request_of("reset", a->positional[0]));
}

int command_metrics(const struct command_args *a)
{
    cJSON *answer = command_ask_gtmuxd(a->run_dir, request_of("metrics", NULL));

    if (!answer)
        return EXIT_FAILURE;
    fputs(text_of(answer, "text"), stdout);
    cJSON_Delete(answer);
    return EXIT_SUCCESS;
}
