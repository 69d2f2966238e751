#include "mediator/control.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediator/arbiter/tenant.h"
#include "mediator/control_wire.h"
#include "mediator/mode.h"
#include "mediator/screens.h"
#include "mediator/session.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"
#include "vgpu/edid.h"

/* A client that says nothing for so long is dropped: it holds up only other control clients, but them it does. */
#define CLIENT_TIMEOUT_MS 2000
#define ACCEPT_RETRY_MS   100 /* when there is no descriptor for a client */

struct control {
    struct session *session;
    struct sockaddr_un address;
    int listen_fd, stop_fd;
    pthread_t thread;
    bool listening, running;
};

/* ---- requests */

static cJSON *answer_error(const char *text)
{
    cJSON *a = cJSON_CreateObject();

    cJSON_AddFalseToObject(a, "ok");
    cJSON_AddStringToObject(a, "error", text);
    return a;
}

static cJSON *answer_ok(void)
{
    cJSON *a = cJSON_CreateObject();

    cJSON_AddTrueToObject(a, "ok");
    return a;
}

static void add_heads(struct session *s, cJSON *a)
{
    cJSON *heads = cJSON_AddArrayToObject(a, "heads");
    struct vgpu_scanout scanout;
    struct vgpu_mode mode;
    char text[32];

    for (unsigned i = 0; i < VGPU_HEADS; i++) {
        cJSON *h = cJSON_CreateObject();
        bool connected = gate_head_get(session_gate(s), i, &mode);
        cJSON_AddBoolToObject(h, "connected", connected);
        if (connected)
            cJSON_AddStringToObject(h, "mode", mode_format(&mode, text, sizeof(text)));
        if (gate_scanout(session_gate(s), i, &scanout)) {
            struct vgpu_mode shown = {(uint16_t)scanout.width, (uint16_t)scanout.height, scanout.mhz};
            cJSON_AddStringToObject(h, "scanout", mode_format(&shown, text, sizeof(text)));
        }
        cJSON_AddItemToArray(heads, h);
    }
}

static cJSON *cmd_info(struct session *s, const cJSON *request, int *fd)
{
    struct session_info info;
    cJSON *a = answer_ok();

    (void)request;
    (void)fd;
    session_get_info(s, &info);
    cJSON_AddStringToObject(a, "name", info.name);
    cJSON_AddNumberToObject(a, "pid", (double)getpid());
    cJSON_AddBoolToObject(a, "connected", info.connected);
    cJSON_AddNumberToObject(a, "uptime_s", (double)info.uptime_ns / 1e9);
    add_heads(s, a);
    return a;
}

struct number {
    const char *name;
    uint64_t value;
};

static void add_numbers(cJSON *object, const struct number *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cJSON_AddNumberToObject(object, rows[i].name, (double)rows[i].value);
}

static void add_engines(cJSON *a, const struct vgpu_stats *st)
{
    cJSON *engines = cJSON_AddObjectToObject(a, "engines");

    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        const struct vgpu_engine_stats *e = &st->engine[i];
        const struct number rows[] = {
            {"requests", e->requests},       {"submissions", e->submissions},
            {"contexts", e->contexts},       {"commands", e->commands},
            {"batches", e->batches},         {"payload", e->payload},
            {"preemptions", e->preemptions}, {"lite_restores", e->lite_restores},
            {"resets", e->resets},           {"hangs", e->hangs},
            {"faults", e->faults},
        };
        add_numbers(cJSON_AddObjectToObject(engines, engine_table[i].name), rows, GT_ARRAY_SIZE(rows));
    }
}

static void add_pipes(cJSON *a, const struct vgpu_stats *st)
{
    cJSON *pipes = cJSON_AddArrayToObject(a, "pipes");

    for (unsigned i = 0; i < VGPU_PIPES; i++) {
        const struct number rows[] = {{"vblanks", st->vblanks[i]},
                                      {"flips", st->flips[i]},
                                      {"flips_kept", st->flips_kept[i]},
                                      {"flips_late", st->flips_late[i]}};
        cJSON *p = cJSON_CreateObject();
        add_numbers(p, rows, GT_ARRAY_SIZE(rows));
        cJSON_AddItemToArray(pipes, p);
    }
}

static void add_display(cJSON *a, struct session *s)
{
    struct display_stats st;

    screens_stats(session_screens(s), &st);
    const struct number rows[] = {
        {"viewers", st.viewers},
        {"flips", st.flips},
        {"shown", st.shown},
        {"missed", st.missed},
        {"skipped", st.skipped},
        {"late", st.late},
        {"votes_lost", st.votes_lost},
        {"planes_apart", st.layers},
        {"planes_refused", st.refused},
        {"cursor_changes", st.cursors},
        {"viewers_sent_away", st.sent_away},
        {"dmabufs_made", st.frames.shared},
        {"dmabufs_reused", st.frames.hits},
        {"pictures_copied", st.frames.copies},
        {"bytes_copied", st.frames.bytes_copied},
        {"latency_mean_us", latency_mean(&st.latency) / 1000},
        {"latency_p50_us", latency_percentile(&st.latency, 50) / 1000},
        {"latency_p90_us", latency_percentile(&st.latency, 90) / 1000},
        {"latency_p99_us", latency_percentile(&st.latency, 99) / 1000},
        {"latency_max_us", st.latency.max_ns / 1000},
    };
    add_numbers(cJSON_AddObjectToObject(a, "display"), rows, GT_ARRAY_SIZE(rows));
}

static cJSON *cmd_stats(struct session *s, const cJSON *request, int *fd)
{
    struct vgpu_stats st;
    struct backend *b = session_backend(s);
    struct backend_stats bs = {0};
    struct session_info info;
    cJSON *a = answer_ok();

    (void)request;
    (void)fd;
    session_get_info(s, &info);
    gate_stats(session_gate(s), &st);
    b->ops->stats(b, &bs);
    const struct number traps[] = {
        {"mmio_reads", st.mmio_reads},         {"mmio_writes", st.mmio_writes},
        {"unknown_reads", st.unknown_reads},   {"unknown_writes", st.unknown_writes},
        {"config_reads", st.cfg_reads},        {"config_writes", st.cfg_writes},
        {"gtt_reads", st.gtt_reads},           {"gtt_writes", st.gtt_writes},
        {"aperture_reads", st.aperture_reads}, {"aperture_writes", st.aperture_writes},
        {"dispatches", info.messages},
    };
    const struct number backend[] = {
        {"blits", bs.blits},
        {"blit_pixels", bs.blit_pixels},
        {"render_commands", bs.render_commands},
        {"video_commands", bs.video_commands},
        {"skipped", bs.skipped},
    };
    cJSON_AddStringToObject(a, "name", info.name);
    cJSON_AddNumberToObject(a, "uptime_s", (double)info.uptime_ns / 1e9);
    cJSON_AddNumberToObject(a, "interrupts", (double)st.irqs);
    add_numbers(cJSON_AddObjectToObject(a, "traps"), traps, GT_ARRAY_SIZE(traps));
    add_engines(a, &st);
    add_pipes(a, &st);
    add_display(a, s);
    add_numbers(cJSON_AddObjectToObject(a, "backend"), backend, GT_ARRAY_SIZE(backend));
    return a;
}

/* The number of a head in the request, 0 when absent, or -1. */
static int request_head(const cJSON *request)
{
    const cJSON *head = cJSON_GetObjectItemCaseSensitive(request, "head");

    if (!head)
        return 0;
    if (!cJSON_IsNumber(head) || head->valuedouble < 0 || head->valuedouble >= VGPU_HEADS)
        return -1;
    return head->valueint;
}

static cJSON *cmd_screenshot(struct session *s, const cJSON *request, int *fd)
{
    struct vgpu_scanout scanout;
    int head = request_head(request);

    if (head < 0)
        return answer_error("there is no such head: heads are 0, 1 and 2");
    if (!gate_scanout(session_gate(s), (unsigned)head, &scanout))
        return answer_error("the head is dark: the guest drives no picture on it");
    size_t size = (size_t)scanout.width * scanout.height * sizeof(uint32_t);
    int memfd = memfd_create("gtmux-screenshot", MFD_CLOEXEC);
    if (memfd < 0 || ftruncate(memfd, (off_t)size))
        goto broken;
    uint32_t *pixels = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (pixels == MAP_FAILED)
        goto broken;
    unsigned holes = gate_picture(session_gate(s), &scanout, pixels);
    munmap(pixels, size);
    cJSON *a = answer_ok();
    cJSON_AddNumberToObject(a, "width", scanout.width);
    cJSON_AddNumberToObject(a, "height", scanout.height);
    cJSON_AddNumberToObject(a, "planes", scanout.nplanes);
    cJSON_AddNumberToObject(a, "rows_with_holes", holes);
    *fd = memfd;
    return a;
broken:
    if (memfd >= 0)
        close(memfd);
    return answer_error("no memory for the picture");
}

/* Bytes given as hexadecimal digits. How many; 0: it is no such text, or it is longer than room. */
static size_t take_hex(const char *text, uint8_t *bytes, size_t room)
{
    size_t n = 0;

    for (; isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]) && n < room; text += 2) {
        const char digits[] = {text[0], text[1], 0};

        bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return *text ? 0 : n;
}

static const char too_large[] = "the guest's profile does not allow this monitor; 'gtmux profiles' shows what it does";

static cJSON *plug_edid(struct session *s, unsigned head, const cJSON *edid)
{
    uint8_t bytes[VGPU_EDID_MAX];
    size_t n = cJSON_IsString(edid) ? take_hex(edid->valuestring, bytes, sizeof(bytes)) : 0;
    struct vgpu_mode mode;

    if (n && vgpu_edid_whole(bytes, n) && vgpu_edid_preferred(bytes, &mode) && !session_may_plug(s, head, &mode))
        return answer_error(too_large);
    if (n && !gate_head_set_edid(session_gate(s), head, bytes, n))
        return answer_ok();
    return answer_error(
        "bad EDID: it must be whole (at most 8 blocks with right checksums), and its first detailed timing a "
        "mode of 64x64 to 4096x2304, 1 to 240 Hz");
}

static cJSON *cmd_head(struct session *s, const cJSON *request, int *fd)
{
    const cJSON *connected = cJSON_GetObjectItemCaseSensitive(request, "connected");
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(request, "mode");
    const cJSON *edid = cJSON_GetObjectItemCaseSensitive(request, "edid");
    struct vgpu_mode mode;
    int head = request_head(request);

    (void)fd;
    if (head < 0)
        return answer_error("there is no such head: heads are 0, 1 and 2");
    if (edid)
        return plug_edid(s, (unsigned)head, edid);
    bool plugged = connected ? cJSON_IsTrue(connected) : gate_head_get(session_gate(s), (unsigned)head, NULL) || text;
    if (text && (!cJSON_IsString(text) || !mode_parse(text->valuestring, &mode)))
        return answer_error("bad mode: give WIDTHxHEIGHT@HZ, up to 4096x2304 and 240 Hz");
    if (!text)
        gate_head_get(session_gate(s), (unsigned)head, &mode);
    if (plugged && !session_may_plug(s, (unsigned)head, &mode))
        return answer_error(too_large);
    if (gate_head_set(session_gate(s), (unsigned)head, plugged, text ? &mode : NULL))
        return answer_error("this GPU cannot drive the mode: its pixel clock must be 25 to 675 MHz");
    return answer_ok();
}

static cJSON *cmd_arbiter(struct session *s, int *socket)
{
    if (*socket < 0 || !session_tenant(s))
        return answer_error(*socket < 0 ? "no socket came with it" : "this guest registers with nobody");
    tenant_invite(session_tenant(s), *socket);
    *socket = -1;
    return answer_ok();
}

static const struct {
    const char *name;
    cJSON *(*run)(struct session *s, const cJSON *request, int *fd);
} commands[] = {
    {"info", cmd_info},
    {"stats", cmd_stats},
    {"screenshot", cmd_screenshot},
    {"head", cmd_head},
};

cJSON *control_handle(struct session *s, const char *line, int *fd)
{
    cJSON *request = cJSON_Parse(line);
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(request, "cmd");
    cJSON *answer = NULL;
    int passed = *fd;

    *fd = -1;
    if (cJSON_IsString(name) && !strcmp(name->valuestring, "arbiter"))
        answer = cmd_arbiter(s, &passed);
    if (passed >= 0)
        close(passed);
    for (size_t i = 0; cJSON_IsString(name) && i < GT_ARRAY_SIZE(commands); i++) {
        if (!strcmp(name->valuestring, commands[i].name))
            answer = commands[i].run(s, request, fd);
    }
    if (!answer)
        answer = answer_error(request ? "unknown command" : "not a JSON object");
    cJSON_Delete(request);
    return answer;
}

/* ---- the thread */

static void serve_client(struct control *c, int sock)
{
    char line[CONTROL_LINE_MAX];
    int fd;

    for (;;) {
        struct pollfd fds[2] = {{.fd = c->stop_fd, .events = POLLIN}, {.fd = sock, .events = POLLIN}};
        if (poll(fds, 2, CLIENT_TIMEOUT_MS) <= 0 || fds[0].revents)
            return;
        int n = wire_read_line(sock, line, sizeof(line), CLIENT_TIMEOUT_MS, &fd);
        if (n <= 0) {
            if (fd >= 0)
                close(fd);
            return;
        }
        cJSON *answer = control_handle(c->session, line, &fd);
        int rc = answer ? wire_send(sock, answer, fd) : -ENOMEM;
        cJSON_Delete(answer);
        if (fd >= 0)
            close(fd);
        if (rc)
            return;
    }
}

static void *control_main(void *arg)
{
    struct control *c = arg;
    struct pollfd fds[2] = {{.fd = c->stop_fd, .events = POLLIN}, {.fd = c->listen_fd, .events = POLLIN}};

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[0].revents)
            return NULL;
        int sock = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (sock < 0) {
            poll(fds, 1, ACCEPT_RETRY_MS);
            continue;
        }
        serve_client(c, sock);
        close(sock);
    }
}

static int listen_here(struct control *c, const char *run_dir, const char *name)
{
    char dir[4096];
    int rc = run_dir ? 0 : run_dir_default(dir, sizeof(dir));

    if (rc || (rc = run_dir_make(run_dir ? run_dir : dir)) ||
        (rc = wire_address(&c->address, run_dir, name, CONTROL_SUFFIX)))
        return rc;
    int other = control_connect(run_dir, name);
    if (other >= 0) {
        close(other);
        return -EADDRINUSE;
    }
    unlink(c->address.sun_path);
    c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->listen_fd < 0 || bind(c->listen_fd, (struct sockaddr *)&c->address, sizeof(c->address)) ||
        chmod(c->address.sun_path, 0600) || listen(c->listen_fd, 8))
        return -errno;
    return 0;
}

int control_open(struct control **out, struct session *s, const char *run_dir, char *err, size_t errsz)
{
    struct control *c = calloc(1, sizeof(*c));
    struct session_info info;

    *out = NULL;
    if (!c)
        return -ENOMEM;
    c->session = s;
    c->listen_fd = -1;
    session_get_info(s, &info);
    c->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int rc = c->stop_fd < 0 ? -errno : listen_here(c, run_dir, info.name);
    c->listening = !rc;
    if (rc) {
        snprintf(err, errsz, "cannot open the control socket %s%s: %s", c->address.sun_path[0] ? "" : "of ",
                 c->address.sun_path[0] ? c->address.sun_path : info.name,
                 rc == -EADDRINUSE ? "a gtmux-dm of this name is running; choose another --name" : strerror(-rc));
        control_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

int control_start(struct control *c)
{
    int rc = -pthread_create(&c->thread, NULL, control_main, c);

    c->running = !rc;
    return rc;
}

void control_close(struct control *c)
{
    uint64_t one = 1;

    if (!c)
        return;
    if (c->running && write(c->stop_fd, &one, sizeof(one)) == sizeof(one))
        pthread_join(c->thread, NULL);
    if (c->listening)
        unlink(c->address.sun_path);
    if (c->listen_fd >= 0)
        close(c->listen_fd);
    if (c->stop_fd >= 0)
        close(c->stop_fd);
    free(c);
}
