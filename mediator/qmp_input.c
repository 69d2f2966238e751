#include "mediator/qmp_input.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/qmp_event.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define NS_PER_S   UINT64_C(1000000000)
#define RETRY_NS   (2 * NS_PER_S) /* between attempts to connect */
#define ANSWER_NS  (5 * NS_PER_S) /* for an answer: then the connection is given up */
#define PARTING_NS (NS_PER_S / 4) /* for the answers to the last commands, at the end */
/* Room for the release of everything that can be down. */
#define QUEUE_MAX 512u
#define BATCH_MAX 32u    /* events of a command */
#define LINE_ROOM 16384u /* of QEMU's: a greeting has about 150 bytes, an answer 20 */
#define READS_MAX 4u     /* a call */

_Static_assert(QUEUE_MAX > INPUT_NUMBERS + INPUT_BUTTONS, "everything can be let go at once");

enum qmp_state { QMP_AWAY, QMP_GREETING, QMP_CAPABILITIES, QMP_READY };

struct qmp_input {
    struct sockaddr_un address;
    int sock;
    enum qmp_state state;
    uint64_t retry_at, asked_at; /* asked_at 0: no answer is awaited */
    bool awaited;                /* an answer is; asked_at is set by the next tick */
    char *out;                   /* a command that is being sent */
    size_t out_len, out_at;
    unsigned batch;                                /* events in it */
    bool down[INPUT_NUMBERS], held[INPUT_BUTTONS]; /* what QEMU was told to be down */
    struct input_event queue[QUEUE_MAX];
    unsigned first, count;
    char line[LINE_ROOM];
    size_t have;
    char told[256]; /* the last complaint */
    struct qmp_input_stats stats;
};

/* ---- the queue */

static void push(struct qmp_input *q, const struct input_event *e)
{
    q->queue[(q->first + q->count++) % QUEUE_MAX] = *e;
}

static void push_all_up(struct qmp_input *q, const bool *down, const bool *held)
{
    for (unsigned i = 0; i < INPUT_NUMBERS; i++)
        if (down[i])
            push(q, &(struct input_event){.kind = INPUT_KEY, .code = (uint8_t)i});
    for (unsigned i = 0; i < INPUT_BUTTONS; i++)
        if (held[i])
            push(q, &(struct input_event){.kind = INPUT_BUTTON, .code = (uint8_t)i});
}

/* Drops what waits and lets go of all that QEMU believes to be down. */
static void start_again(struct qmp_input *q)
{
    q->stats.dropped += q->count;
    q->first = q->count = 0;
    push_all_up(q, q->down, q->held);
}

/* Lets go of all that is down once QEMU has what waits. */
static void lift(struct qmp_input *q)
{
    bool down[INPUT_NUMBERS], held[INPUT_BUTTONS];

    memcpy(down, q->down, sizeof(down));
    memcpy(held, q->held, sizeof(held));
    for (unsigned i = 0; i < q->count; i++) {
        const struct input_event *e = &q->queue[(q->first + i) % QUEUE_MAX];

        if (e->kind == INPUT_KEY)
            down[e->code] = e->down;
        else if (e->kind == INPUT_BUTTON)
            held[e->code] = e->down;
    }
    if (q->count < QUEUE_MAX - INPUT_NUMBERS - INPUT_BUTTONS)
        push_all_up(q, down, held);
    else
        start_again(q);
}

void qmp_input_event(struct qmp_input *q, const struct input_event *e)
{
    struct input_event *last = q->count ? &q->queue[(q->first + q->count - 1) % QUEUE_MAX] : NULL;

    if (q->state != QMP_READY || (e->kind == INPUT_BUTTON && e->code >= INPUT_BUTTONS)) {
        q->stats.dropped++; /* what was typed before QEMU was there is not what it should get then */
    } else if (e->kind == INPUT_LIFT) {
        lift(q);
    } else if (e->kind == INPUT_MOVE && last && last->kind == INPUT_MOVE) {
        *last = *e; /* only the newest position counts */
    } else if (q->count < QUEUE_MAX) {
        push(q, e);
    } else {
        q->stats.dropped++;
        start_again(q);
    }
}

/* ---- the connection */

/* Says it unless it was said last. */
static void complain(struct qmp_input *q, const char *what, const char *why)
{
    char text[sizeof(q->told)];

    snprintf(text, sizeof(text), "%s%s%s", what, why ? ": " : "", why ? why : "");
    for (char *c = text; *c; c++) /* QEMU's words may be the guest's */
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    if (!strcmp(text, q->told))
        return;
    snprintf(q->told, sizeof(q->told), "%s", text);
    gt_warn("--qmp=%s: %s", q->address.sun_path, text);
}

static void hang_up(struct qmp_input *q)
{
    if (q->sock >= 0)
        close(q->sock);
    if (q->batch)
        q->stats.dropped += q->batch;
    cJSON_free(q->out);
    q->out = NULL;
    q->out_len = q->out_at = q->have = 0;
    q->batch = 0;
    q->sock = -1;
    q->state = QMP_AWAY;
    q->awaited = false;
    q->asked_at = 0;
    q->stats.dropped += q->count;
    q->first = q->count = 0;
}

static void connect_to(struct qmp_input *q)
{
    q->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (q->sock < 0 || connect(q->sock, (struct sockaddr *)&q->address, sizeof(q->address))) {
        complain(q, "keys and pointers go nowhere until QEMU can be reached", strerror(errno));
        hang_up(q);
        return;
    }
    q->state = QMP_GREETING;
    q->awaited = true;
}

static void flush(struct qmp_input *q)
{
    while (q->out && q->out_at < q->out_len) {
        ssize_t n = send(q->sock, q->out + q->out_at, q->out_len - q->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            complain(q, "QEMU has gone", strerror(errno));
            hang_up(q);
            return;
        }
        q->out_at += (size_t)n;
    }
    cJSON_free(q->out);
    q->out = NULL;
}

/* Sends a command, which is freed. One is under way at a time. */
static void ask(struct qmp_input *q, cJSON *command)
{
    char *text = cJSON_PrintUnformatted(command);

    cJSON_Delete(command);
    if (!text) {
        hang_up(q);
        return;
    }
    /* The protocol ends a command where its object ends. */
    q->out = text;
    q->out_len = strlen(text);
    q->out_at = 0;
    q->awaited = true;
    flush(q);
}

static cJSON *command(const char *name)
{
    cJSON *c = cJSON_CreateObject();

    cJSON_AddStringToObject(c, "execute", name);
    return c;
}

/* ---- commands */

/* A command of events of one kind: QEMU refuses all of it if the guest has no device for one of them. */
static void send_queue(struct qmp_input *q)
{
    cJSON *c, *events;

    if (q->state != QMP_READY || q->awaited || !q->count)
        return;
    enum input_kind kind = q->queue[q->first].kind;

    c = command("input-send-event");
    events = cJSON_AddArrayToObject(cJSON_AddObjectToObject(c, "arguments"), "events");
    for (q->batch = 0; q->count && q->batch < BATCH_MAX && q->queue[q->first].kind == kind; q->batch++) {
        const struct input_event *e = &q->queue[q->first];

        qmp_event_add(events, e);
        if (e->kind == INPUT_KEY)
            q->down[e->code] = e->down;
        else if (e->kind == INPUT_BUTTON)
            q->held[e->code] = e->down;
        q->first = (q->first + 1) % QUEUE_MAX;
        q->count--;
    }
    ask(q, c);
}

/* ---- what QEMU says */

static void on_answer(struct qmp_input *q, const cJSON *error)
{
    const cJSON *why = cJSON_GetObjectItemCaseSensitive(error, "desc");

    q->awaited = false;
    q->asked_at = 0;
    if (error) {
        complain(q, "QEMU refuses input", cJSON_IsString(why) ? why->valuestring : NULL);
        q->stats.dropped += q->batch;
    } else if (q->state == QMP_CAPABILITIES) {
        q->state = QMP_READY;
        q->stats.connects++;
        q->told[0] = 0;
        start_again(q); /* what was down when the last connection ended */
    } else {
        q->stats.sent += q->batch;
    }
    q->batch = 0;
}

/* False: it is not QEMU. */
static bool on_line(struct qmp_input *q, const char *line)
{
    cJSON *m = cJSON_Parse(line);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(m, "error");
    bool ok = cJSON_IsObject(m);

    if (ok && q->state == QMP_GREETING) {
        ok = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(m, "QMP"));
        if (ok) {
            q->state = QMP_CAPABILITIES;
            q->asked_at = 0;
            ask(q, command("qmp_capabilities"));
        }
    } else if (ok && q->awaited && !q->out && (error || cJSON_GetObjectItemCaseSensitive(m, "return"))) {
        ok = q->state == QMP_READY || !error;
        on_answer(q, error);
    } /* else: an event, or an answer to nothing */
    cJSON_Delete(m);
    return ok;
}

/* Handles the lines that are complete. */
static void take_lines(struct qmp_input *q)
{
    char *start = q->line, *end;

    while (q->sock >= 0 && (end = memchr(start, '\n', q->have - (size_t)(start - q->line)))) {
        *end = 0;
        bool blank = strspn(start, "\r\t ") == (size_t)(end - start);

        if (!blank && !on_line(q, start)) {
            complain(q, "this is not QEMU's machine protocol", NULL);
            hang_up(q);
            return;
        }
        start = end + 1;
    }
    if (q->sock < 0)
        return;
    q->have -= (size_t)(start - q->line);
    memmove(q->line, start, q->have);
    if (q->have == sizeof(q->line)) {
        complain(q, "this is not QEMU's machine protocol", "a line is too long");
        hang_up(q);
    }
}

static void read_some(struct qmp_input *q)
{
    for (unsigned i = 0; i < READS_MAX && q->sock >= 0; i++) {
        ssize_t n = recv(q->sock, q->line + q->have, sizeof(q->line) - q->have, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            complain(q, "QEMU has gone, or talks to somebody else", n ? strerror(errno) : NULL);
            hang_up(q);
            return;
        }
        q->have += (size_t)n;
        take_lines(q);
    }
}

/* ---- life */

int qmp_input_open(struct qmp_input **out, const char *path)
{
    struct qmp_input *q = NULL;

    *out = NULL;
    if (!path[0] || strlen(path) >= sizeof(q->address.sun_path))
        return -ENAMETOOLONG;
    q = calloc(1, sizeof(*q));
    if (!q)
        return -ENOMEM;
    q->sock = -1;
    q->address.sun_family = AF_UNIX;
    memcpy(q->address.sun_path, path, strlen(path));
    connect_to(q);
    *out = q;
    return 0;
}

/* QEMU drops the commands that wait when their sender hangs up (monitor_qmp_event in its monitor/qmp.c), so the answer
 * of the last one is waited for; what it does not answer in time may still be carried out. */
static void part(struct qmp_input *q)
{
    const uint64_t end = gt_clock_ns() + PARTING_NS;
    uint64_t now;

    while (q->state == QMP_READY && (q->count || q->awaited) && (now = gt_clock_ns()) < end) {
        struct pollfd p = {.fd = q->sock, .events = qmp_input_poll(q)};

        send_queue(q);
        if (q->sock >= 0 && poll(&p, 1, (int)((end - now) / 1000000 + 1)) > 0)
            qmp_input_dispatch(q, p.revents);
    }
    while (q->count && q->state == QMP_READY && !q->out) {
        q->awaited = false;
        send_queue(q);
    }
}

void qmp_input_close(struct qmp_input *q)
{
    if (!q)
        return;
    lift(q);
    part(q);
    q->batch = 0;
    hang_up(q);
    free(q);
}

int qmp_input_fd(const struct qmp_input *q)
{
    return q->sock;
}

short qmp_input_poll(const struct qmp_input *q)
{
    return q->out ? POLLIN | POLLOUT : POLLIN;
}

void qmp_input_dispatch(struct qmp_input *q, short events)
{
    if (q->sock >= 0 && (events & POLLOUT))
        flush(q);
    if (q->sock >= 0 && (events & (POLLIN | POLLHUP | POLLERR)))
        read_some(q);
}

uint64_t qmp_input_tick(struct qmp_input *q, uint64_t now)
{
    if (q->state == QMP_AWAY && !q->retry_at)
        q->retry_at = now + RETRY_NS;
    if (q->state == QMP_AWAY && now >= q->retry_at) {
        q->retry_at = now + RETRY_NS;
        connect_to(q);
    }
    if (q->state == QMP_AWAY)
        return q->retry_at;
    q->retry_at = 0;
    send_queue(q);
    if (!q->awaited)
        return q->state == QMP_AWAY ? now : UINT64_MAX;
    if (!q->asked_at)
        q->asked_at = now;
    if (now < q->asked_at + ANSWER_NS)
        return q->asked_at + ANSWER_NS;
    complain(q, "QEMU does not answer", NULL);
    hang_up(q);
    return q->retry_at = now + RETRY_NS;
}

void qmp_input_get_stats(const struct qmp_input *q, struct qmp_input_stats *out)
{
    *out = q->stats;
}
