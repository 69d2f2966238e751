/* Viewers' connections, and what listeners are to be told. */
#include "display/qemu_dbus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "display/pixels.h"
#include "display/qemu_dbus_internal.h"
#include "display/unix_path.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define US_PER_S          UINT64_C(1000000)
#define BACKLOG           8
#define TIMER_ACCURACY_US 1000
#define EVENTS_A_CALL     64u
#define CURSOR_SIDE       256u

static struct qdbus *qdbus_of(struct sink *s)
{
    return (struct qdbus *)s; /* its first member */
}

/* ---- connections */

static void connection_drop(struct qdbus *q, sd_bus **slot)
{
    if (!*slot)
        return;
    *slot = sd_bus_close_unref(*slot);
    q->stats.connections--;
}

static int on_disconnect(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    struct qdbus *q = ctx;

    (void)error;
    for (unsigned i = 0; i < QDBUS_CONNECTIONS; i++)
        if (q->connection[i] == sd_bus_message_get_bus(m))
            connection_drop(q, &q->connection[i]);
    if (q->opt.input) /* who pressed keys may have been this one */
        q->events.input(q->ctx, &(struct input_event){.kind = INPUT_LIFT});
    return 0;
}

static int serve_connection(struct qdbus *q, sd_bus *bus)
{
    sd_id128_t id;
    int ret;

    if ((ret = sd_id128_randomize(&id)) < 0 || (ret = sd_bus_set_server(bus, 1, id)) < 0 ||
        (ret = sd_bus_negotiate_fds(bus, 1)) < 0 || (ret = sd_bus_start(bus)) < 0 ||
        (ret = sd_bus_attach_event(bus, q->loop, 0)) < 0 || (ret = qdbus_add_objects(q, bus)) < 0)
        return ret;
    return sd_bus_match_signal(bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                               "Disconnected", on_disconnect, q);
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t events, void *ctx)
{
    struct qdbus *q = ctx;
    sd_bus **slot = NULL;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    for (unsigned i = 0; i < QDBUS_CONNECTIONS && !slot; i++)
        slot = q->connection[i] ? NULL : &q->connection[i];
    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        sd_event_source_set_enabled(source, SD_EVENT_OFF); /* until the timer: it stays readable */
    if (fd < 0 || !slot || sd_bus_new(slot) < 0) {
        if (fd >= 0)
            close(fd); /* too many: viewers hold one each */
        return 0;
    }
    q->stats.connections++;
    int ret = sd_bus_set_fd(*slot, fd, fd);

    if (ret < 0)
        close(fd);
    if (ret < 0 || serve_connection(q, *slot) < 0)
        connection_drop(q, slot);
    return 0;
}

/* ---- pictures */

void qdbus_settle(struct qdbus *q)
{
    uint32_t serial = q->unanswered;

    if (!serial)
        return;
    for (unsigned i = 0; i < QDBUS_LISTENERS; i++)
        if (!listener_settled(&q->listener[i]))
            return;
    q->unanswered = 0;
    q->events.shown(q->ctx, serial);
}

static void tell_all(struct qdbus *q)
{
    for (unsigned i = 0; i < QDBUS_LISTENERS; i++)
        listener_next(&q->listener[i]);
}

static void flip(struct sink *s, const struct viewer_flip *f, uint64_t now)
{
    struct qdbus *q = qdbus_of(s);

    (void)now;
    q->flip = *f;
    if (f->width > INT16_MAX || f->height > INT16_MAX)
        q->flip.frame = NULL;
    q->unanswered = f->serial;
    damage_destroy(q->damage);
    q->damage = NULL;
    for (unsigned i = 0; i < QDBUS_LISTENERS; i++)
        q->listener[i].wants_picture = q->listener[i].bus != NULL;
    tell_all(q);
    qdbus_settle(q);
}

static void gone(struct sink *s, struct viewer_frame *f)
{
    struct qdbus *q = qdbus_of(s);

    if (q->flip.frame == f)
        q->flip.frame = NULL;
    if (q->cursor.frame == f)
        q->cursor.frame = NULL;
}

static void on_change(void *ctx, const struct damage_box *box)
{
    struct qdbus *q = ctx;
    const struct damage_box b = {box->x - q->flip.x, box->y - q->flip.y, box->x_end - q->flip.x,
                                 box->y_end - q->flip.y};

    for (unsigned i = 0; i < QDBUS_LISTENERS; i++) {
        struct damage_box *d = &q->listener[i].dirty;

        if (!q->listener[i].bus)
            continue;
        if (!d->x_end)
            *d = b;
        d->x = GT_MIN(d->x, b.x);
        d->y = GT_MIN(d->y, b.y);
        d->x_end = GT_MAX(d->x_end, b.x_end);
        d->y_end = GT_MAX(d->y_end, b.y_end);
    }
}

/* Changes without a flip. The first look after one takes in what is there. */
static void scan(struct qdbus *q)
{
    const struct viewer_flip *f = &q->flip;
    const struct damage_box window = {f->x, f->y, f->x + f->width, f->y + f->height};

    if (!f->frame || !q->stats.listeners || q->unanswered || !viewer_map(f->frame))
        return;
    if (!f->frame->shared)
        q->events.refresh(q->ctx); /* what comes of it is seen by the next look */
    if (!q->damage)
        q->damage = damage_create(f->frame->bytes);
    if (!q->damage)
        return;
    const struct damage_frame frame = pixels_damage_frame(f->frame);

    if (damage_scan(q->damage, &frame, &window, on_change, q)) {
        q->stats.updates++;
        tell_all(q);
    }
}

static int on_timer(sd_event_source *source, uint64_t due, void *ctx)
{
    struct qdbus *q = ctx;
    uint64_t now = due;

    sd_event_now(q->loop, CLOCK_MONOTONIC, &now);
    sd_event_source_set_enabled(q->accept, SD_EVENT_ON);
    qdbus_settle(q);
    scan(q);
    sd_event_source_set_time(source, now + (q->stats.listeners ? US_PER_S / q->opt.fps : US_PER_S));
    return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

/* ---- cursor */

/* Keeps a copy of its pixels. True: they are others. */
static bool take_cursor(struct qdbus *q, const struct viewer_cursor *c)
{
    const size_t row = (size_t)c->width * 4, bytes = row * c->height;
    const uint8_t *from = c->frame && c->width <= CURSOR_SIDE && c->height <= CURSOR_SIDE ? viewer_map(c->frame) : NULL;
    uint8_t *copy = from ? malloc(bytes) : NULL, *old = q->cursor_pixels;

    for (uint32_t y = 0; copy && y < c->height; y++)
        memcpy(copy + y * row, from + (size_t)y * c->frame->stride, row);
    bool other =
        copy && (!old || q->cursor.width != c->width || q->cursor.height != c->height || memcmp(old, copy, bytes));

    q->cursor_pixels = copy;
    free(old);
    return other;
}

static void show_cursor(struct sink *s, const struct viewer_cursor *c)
{
    struct qdbus *q = qdbus_of(s);
    bool other = take_cursor(q, c);

    q->cursor = *c;
    for (unsigned i = 0; i < QDBUS_LISTENERS; i++) {
        q->listener[i].wants_cursor |= other;
        q->listener[i].wants_position = true;
    }
    tell_all(q);
}

/* ---- life */

/* unix_path_clear has been there: the path is not too long. */
static int listen_at(struct qdbus *q)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    memcpy(a.sun_path, q->opt.path, strlen(q->opt.path));
    q->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (q->listen_fd < 0 || bind(q->listen_fd, (struct sockaddr *)&a, sizeof(a)))
        return -errno;
    q->listening = true;
    return chmod(q->opt.path, 0600) || listen(q->listen_fd, BACKLOG) ? -errno : 0;
}

static int start(struct qdbus *q, char *err, size_t errsz)
{
    int ret = unix_path_clear(q->opt.path, err, errsz);

    if (ret)
        return ret;
    if ((ret = sd_event_new(&q->loop)) >= 0 && (ret = listen_at(q)) >= 0 &&
        (ret = sd_event_add_io(q->loop, &q->accept, q->listen_fd, EPOLLIN, on_accept, q)) >= 0)
        ret = sd_event_add_time(q->loop, &q->timer, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_US, on_timer, q);
    if (ret < 0)
        snprintf(err, errsz, "cannot listen on %s: %s", q->opt.path, strerror(-ret));
    return ret;
}

static void close_bus(struct sink *s)
{
    struct qdbus *q = qdbus_of(s);

    q->unanswered = 0;
    for (unsigned i = 0; i < QDBUS_LISTENERS; i++)
        listener_drop(&q->listener[i]);
    for (unsigned i = 0; i < QDBUS_CONNECTIONS; i++)
        connection_drop(q, &q->connection[i]);
    sd_event_source_unref(q->accept);
    sd_event_source_unref(q->timer);
    sd_event_unref(q->loop);
    if (q->listening)
        unlink(q->opt.path);
    if (q->listen_fd >= 0)
        close(q->listen_fd);
    damage_destroy(q->damage);
    free(q->cursor_pixels);
    free(q);
}

static int get_fd(const struct sink *s)
{
    return sd_event_get_fd(((const struct qdbus *)s)->loop);
}

static int dispatch(struct sink *s)
{
    struct qdbus *q = qdbus_of(s);
    int ret = 1;

    for (unsigned i = 0; i < EVENTS_A_CALL && ret > 0; i++)
        ret = sd_event_run(q->loop, 0);
    return GT_MIN(ret, 0);
}

/* Sends what a flip has made. What breaks here breaks the next dispatch, too. */
static uint64_t tick(struct sink *s, uint64_t now)
{
    (void)now;
    (void)dispatch(s);
    return UINT64_MAX; /* the descriptor is readable, too, when a time has come */
}

static const struct sink_ops ops = {
    .lost = "the D-Bus loop broke",
    .fd = get_fd,
    .dispatch = dispatch,
    .tick = tick,
    .flip = flip,
    .cursor = show_cursor,
    .gone = gone,
    .close = close_bus,
};

int qdbus_open(struct sink **out, const struct qdbus_options *o, const struct sink_events *events, void *ctx, char *err,
               size_t errsz)
{
    struct qdbus *q = calloc(1, sizeof(*q));

    *out = NULL;
    if (!q) {
        snprintf(err, errsz, "no memory");
        return -ENOMEM;
    }
    *q = (struct qdbus){.base.ops = &ops, .opt = *o, .events = *events, .ctx = ctx, .listen_fd = -1};
    for (unsigned i = 0; i < QDBUS_LISTENERS; i++)
        q->listener[i].q = q;
    int ret = start(q, err, errsz);

    if (ret < 0) {
        close_bus(&q->base);
        return ret;
    }
    *out = &q->base;
    return 0;
}

void qdbus_get_stats(const struct sink *s, struct qdbus_stats *out)
{
    *out = ((const struct qdbus *)s)->stats;
}
