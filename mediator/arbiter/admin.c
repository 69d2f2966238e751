/*
 * The socket of gtmux(1): one JSON object a line in each direction, answered by a thread of its own.
 *
 * Requests: {"cmd":"stats"} {"cmd":"profiles"} {"cmd":"metrics"}
 *           {"cmd":"set","name":N,"values":{"weight":"200",...}} {"cmd":"pause"|"resume"|"reset","name":N}
 * Answers:  {"ok":true, ...} or {"ok":false,"error":"text"}.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mediator/arbiter/internal.h"
#include "mediator/control_wire.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define LINE_MAX_BYTES    4096u
#define ACCEPT_RETRY_MS   100 /* when there is no descriptor for a client */
#define CLIENT_TIMEOUT_MS 2000

static cJSON *failed(const char *text)
{
    cJSON *a = cJSON_CreateObject();

    cJSON_AddFalseToObject(a, "ok");
    cJSON_AddStringToObject(a, "error", text);
    return a;
}

static cJSON *done(void)
{
    cJSON *a = cJSON_CreateObject();

    cJSON_AddTrueToObject(a, "ok");
    return a;
}

/* ---- changes (locked) */

/* Notes what was changed, so that it can be saved. -ENOSPC: too many. */
static int note_change(struct member *m, const char *key, const char *value)
{
    unsigned i = 0;

    while (i < m->nchanged && strcmp(m->changed[i].key, key) != 0)
        i++;
    if (i == OVERRIDES_MAX)
        return -ENOSPC;
    m->nchanged = GT_MAX(m->nchanged, i + 1);
    snprintf(m->changed[i].key, OVERRIDE_KEY_MAX, "%s", key);
    snprintf(m->changed[i].value, OVERRIDE_KEY_MAX, "%s", value);
    return 0;
}

/* All of them or none. */
static cJSON *set_values(const struct arbiter *a, struct member *m, const cJSON *request)
{
    const cJSON *v, *values = cJSON_GetObjectItemCaseSensitive(request, "values");
    struct arbiter_profile p = m->profile;
    char err[200];

    if (!cJSON_IsObject(values) || !values->child)
        return failed("no values: give NAME=VALUE");
    cJSON_ArrayForEach(v, values)
    {
        if (!cJSON_IsString(v) || !strcmp(v->string, "description") || !strcmp(v->string, "heads") ||
            !strcmp(v->string, "max-mode") || strlen(v->valuestring) >= OVERRIDE_KEY_MAX)
            return failed("a running tenant has weight, cap, share, slice-us, memory and fps to be set");
        if (arbiter_profile_set(&p, v->string, v->valuestring, err, sizeof(err)))
            return failed(err);
    }
    if (!member_fits(a, m, &p, err, sizeof(err)))
        return failed(err);
    cJSON_ArrayForEach(v, values)
    {
        if (note_change(m, v->string, v->valuestring))
            return failed("too many values are changed");
    }
    m->profile = p;
    return done();
}

static cJSON *set_paused(struct member *m, bool paused)
{
    m->profile.par.paused = paused;
    return done();
}

static cJSON *reset_tenant(struct member *m)
{
    for (unsigned i = 0; i < ARBITER_ENGINES; i++)
        member_send(m, ARBITER_RESET, i, NULL);
    return done();
}

static cJSON *change(const struct arbiter *a, const char *cmd, struct member *m, const cJSON *request)
{
    if (!strcmp(cmd, "set"))
        return set_values(a, m, request);
    if (!strcmp(cmd, "reset"))
        return reset_tenant(m);
    return set_paused(m, !strcmp(cmd, "pause"));
}

static cJSON *change_tenant(struct arbiter *a, const char *cmd, const cJSON *request)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, "name"));
    uint64_t one = 1;
    cJSON *answer;

    pthread_mutex_lock(&a->lock);
    struct member *m = name ? member_find(a, name) : NULL;

    uint64_t now = gt_clock_ns();

    a->now = GT_MAX(a->now, now);
    answer =
        m ? change(a, cmd, m, request) : failed("there is no such tenant; 'gtmux top --once' shows those that are");
    if (m && cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "ok"))) {
        member_apply(a, m);
        state_save(a);
    }
    pthread_mutex_unlock(&a->lock);
    (void)!write(a->poke_fd, &one, sizeof(one));
    return answer;
}

/* ---- requests */

static cJSON *metrics(struct arbiter *a)
{
    char *text = report_metrics(a);
    cJSON *answer = text ? done() : failed("out of memory");

    if (text)
        cJSON_AddStringToObject(answer, "text", text);
    free(text);
    return answer;
}

static cJSON *with_ok(cJSON *report)
{
    if (report)
        cJSON_AddTrueToObject(report, "ok");
    return report;
}

static cJSON *answer_to(struct arbiter *a, const char *cmd, const cJSON *request)
{
    static const char *const changes[] = {"set", "pause", "resume", "reset"};

    if (!strcmp(cmd, "stats"))
        return with_ok(report_stats(a));
    if (!strcmp(cmd, "profiles"))
        return with_ok(report_profiles(a));
    if (!strcmp(cmd, "metrics"))
        return metrics(a);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(changes); i++)
        if (!strcmp(cmd, changes[i]))
            return change_tenant(a, cmd, request);
    return failed("unknown command");
}

cJSON *admin_handle(struct arbiter *a, const char *line)
{
    cJSON *request = cJSON_Parse(line);
    const char *cmd = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(request, "cmd"));
    cJSON *answer = cmd ? answer_to(a, cmd, request) : failed("not a JSON object with a command");

    cJSON_Delete(request);
    return answer;
}

/* ---- the thread */

static bool stopping(struct arbiter *a, int sock, int timeout)
{
    struct pollfd fds[2] = {{.fd = a->admin_stop_fd, .events = POLLIN}, {.fd = sock, .events = POLLIN}};
    int n = poll(fds, 2, timeout);

    return n == 0 || (n < 0 && errno != EINTR) || fds[0].revents;
}

static void serve(struct arbiter *a, int sock)
{
    char line[LINE_MAX_BYTES];
    int fd;

    while (!stopping(a, sock, CLIENT_TIMEOUT_MS)) {
        int n = wire_read_line(sock, line, sizeof(line), CLIENT_TIMEOUT_MS, &fd);

        if (fd >= 0)
            close(fd); /* clients have nothing to pass */
        if (n <= 0)
            return;
        cJSON *answer = admin_handle(a, line);
        int rc = answer ? wire_send(sock, answer, -1) : -ENOMEM;

        cJSON_Delete(answer);
        if (rc)
            return;
    }
}

static void *admin_main(void *arg)
{
    struct arbiter *a = arg;
    int size = 1 << 20;

    pthread_setname_np(pthread_self(), "admin");
    while (!stopping(a, a->admin_fd, -1)) {
        int sock = accept4(a->admin_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (sock < 0) {
            struct pollfd stop = {.fd = a->admin_stop_fd, .events = POLLIN};

            poll(&stop, 1, ACCEPT_RETRY_MS);
            continue;
        }
        /* An answer is one send. */
        setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        serve(a, sock);
        close(sock);
    }
    return NULL;
}

int admin_start(struct arbiter *a)
{
    int rc = pthread_create(&a->admin_thread, NULL, admin_main, a);

    a->admin_running = !rc;
    return -rc;
}

void admin_stop(struct arbiter *a)
{
    uint64_t one = 1;

    if (a->admin_running && write(a->admin_stop_fd, &one, sizeof(one)) == sizeof(one))
        pthread_join(a->admin_thread, NULL);
    a->admin_running = false;
}
