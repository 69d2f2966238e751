/* One listener: a peer that shows what we call it with. One call is under way at a time; the next one is about the
 * newest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pixman.h>

#include "display/pixels.h"
#include "display/qemu_dbus_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define LISTENER  QDBUS_ROOT "/Listener"
#define INTERFACE QDBUS_PREFIX ".Listener"
#define MAP       INTERFACE ".Unix.Map"

/* ---- life */

void listener_drop(struct qdbus_listener *l)
{
    struct qdbus *q = l->q;

    if (!l->bus)
        return;
    sd_bus_slot_unref(l->pending);
    sd_bus_close(l->bus);
    sd_bus_unref(l->bus);
    *l = (struct qdbus_listener){.q = q};
    q->stats.listeners--;
    gt_info("dbus: a listener has gone, %u are there", q->stats.listeners);
    qdbus_settle(q);
}

bool listener_settled(const struct qdbus_listener *l)
{
    if (!l->bus || (!l->wants_picture && !l->pending))
        return true;
    return l->pending && gt_clock_ns() - l->called_ns > QDBUS_PATIENCE_NS;
}

static uint32_t pixman_format(enum vgpu_format f)
{
    switch (f) {
    case VGPU_FMT_XRGB8888:
    case VGPU_FMT_ARGB8888:
        return PIXMAN_x8r8g8b8;
    case VGPU_FMT_XBGR8888:
    case VGPU_FMT_ABGR8888:
        return PIXMAN_x8b8g8r8;
    case VGPU_FMT_RGB565:
        return PIXMAN_r5g6b5;
    case VGPU_FMT_XRGB2101010:
        return PIXMAN_x2r10g10b10;
    case VGPU_FMT_XBGR2101010:
        return PIXMAN_x2b10g10r10;
    default:
        return 0;
    }
}

/* ---- calls */

/* Sends the message and remembers that it is under way. Takes over m. */
static void call(struct qdbus_listener *l, sd_bus_message *m, sd_bus_message_handler_t answered)
{
    int ret = sd_bus_call_async(l->bus, &l->pending, m, answered, l, QDBUS_TIMEOUT_US);

    sd_bus_message_unref(m);
    l->called_ns = gt_clock_ns();
    if (ret < 0) {
        gt_warn("dbus: a listener cannot be called: %s", strerror(-ret));
        l->pending = NULL;
        listener_drop(l);
    }
}

/* It is no use without the call that cannot be made, such as one with a picture above 64 MiB. */
static void give_up(struct qdbus_listener *l, const char *what)
{
    gt_warn("dbus: a listener is sent away: it cannot be %s", what);
    listener_drop(l);
}

static sd_bus_message *new_call(struct qdbus_listener *l, const char *interface, const char *method)
{
    sd_bus_message *m = NULL;

    return sd_bus_message_new_method_call(l->bus, &m, NULL, LISTENER, interface, method) < 0 ? NULL : m;
}

/* The call has ended. False: the listener does not answer or has gone, and is no more. */
static bool ended(struct qdbus_listener *l, sd_bus_message *reply)
{
    l->pending = sd_bus_slot_unref(l->pending);
    if (!sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY) &&
        !sd_bus_message_is_method_error(reply, SD_BUS_ERROR_TIMEOUT) &&
        !sd_bus_message_is_method_error(reply, SD_BUS_ERROR_DISCONNECTED))
        return true;
    listener_drop(l);
    return false;
}

static int on_done(sd_bus_message *reply, void *ctx, sd_bus_error *error)
{
    struct qdbus_listener *l = ctx;

    (void)error;
    if (!ended(l, reply))
        return 0;
    if (sd_bus_message_is_method_error(reply, NULL))
        gt_debug("dbus: a listener says: %s", sd_bus_message_get_error(reply)->message);
    listener_next(l);
    if (l->bus)
        qdbus_settle(l->q);
    return 0;
}

/* ---- pictures */

/* The call that tells of changes; box NULL: of everything. */
static sd_bus_message *update_call(struct qdbus_listener *l, const struct damage_box *b)
{
    sd_bus_message *m = l->way == QDBUS_MAP ? new_call(l, MAP, "UpdateMap") : new_call(l, INTERFACE, "UpdateDMABUF");

    if (m && sd_bus_message_append(m, "iiii", (int)b->x, (int)b->y, (int)(b->x_end - b->x), (int)(b->y_end - b->y)) < 0)
        m = sd_bus_message_unref(m);
    return m;
}

/* Pixels of a box (of the picture) as a call's last argument. 0 or -errno. */
static int append_pixels(struct qdbus_listener *l, sd_bus_message *m, const struct damage_box *b)
{
    const struct viewer_flip *f = &l->q->flip;
    const struct damage_box in_frame = {b->x + f->x, b->y + f->y, b->x_end + f->x, b->y_end + f->y};
    const size_t stride = (size_t)(b->x_end - b->x) * 4, bytes = stride * (b->y_end - b->y);
    void *to;
    int ret = sd_bus_message_append_array_space(m, 'y', bytes, &to);

    if (ret < 0)
        return ret;
    if (!viewer_map(f->frame))
        return -ENOMEM;
    l->q->stats.bytes_copied += pixels_copy(f->frame, &in_frame, true, to, stride);
    return 0;
}

static struct damage_box whole(const struct qdbus *q)
{
    return (struct damage_box){0, 0, q->flip.width, q->flip.height};
}

static sd_bus_message *scanout_dmabuf(struct qdbus_listener *l)
{
    const struct viewer_flip *f = &l->q->flip;
    sd_bus_message *m = new_call(l, INTERFACE, "ScanoutDMABUF");

    if (m && sd_bus_message_append(m, "huuuutb", f->frame->fd, f->width, f->height, f->frame->stride,
                                   pixels_opaque(f->frame->fourcc), f->frame->modifier, 1) < 0)
        m = sd_bus_message_unref(m);
    l->q->stats.scanouts_dmabuf++;
    return m;
}

static sd_bus_message *scanout_map(struct qdbus_listener *l)
{
    const struct viewer_flip *f = &l->q->flip;
    uint64_t offset = (uint64_t)f->y * f->frame->stride + (uint64_t)f->x * vgpu_format_cpp(f->frame->format);
    sd_bus_message *m = new_call(l, MAP, "ScanoutMap");

    if (m && sd_bus_message_append(m, "huuuuu", f->frame->fd, (uint32_t)offset, f->width, f->height, f->frame->stride,
                                   pixman_format(f->frame->format)) < 0)
        m = sd_bus_message_unref(m);
    l->q->stats.scanouts_map++;
    return m;
}

static sd_bus_message *scanout_pixels(struct qdbus_listener *l)
{
    const struct viewer_flip *f = &l->q->flip;
    const struct damage_box all = whole(l->q);
    sd_bus_message *m = new_call(l, INTERFACE, "Scanout");

    if (m && (sd_bus_message_append(m, "uuuu", f->width, f->height, f->width * 4, (uint32_t)PIXMAN_x8r8g8b8) < 0 ||
              append_pixels(l, m, &all) < 0))
        m = sd_bus_message_unref(m);
    l->q->stats.scanouts_pixels++;
    return m;
}

/* ScanoutDMABUF has no offset: the picture must begin where the frame does. */
static enum qdbus_way choose(const struct qdbus_listener *l)
{
    const struct viewer_flip *f = &l->q->flip;

    if (f->frame->shared && !l->no_dmabuf && !f->x && !f->y)
        return QDBUS_DMABUF;
    if (l->has_map && !l->no_map && f->frame->tiling == VGPU_LINEAR && pixman_format(f->frame->format))
        return QDBUS_MAP;
    return QDBUS_PIXELS;
}

/* As QEMU does it, a new picture is followed by an update of all of it. */
static int on_scanout(sd_bus_message *reply, void *ctx, sd_bus_error *error)
{
    struct qdbus_listener *l = ctx;

    (void)error;
    if (!ended(l, reply))
        return 0;
    if (sd_bus_message_is_method_error(reply, NULL)) {
        gt_debug("dbus: a listener does not take the picture: %s", sd_bus_message_get_error(reply)->message);
        l->no_dmabuf |= l->way == QDBUS_DMABUF;
        l->no_map |= l->way == QDBUS_MAP;
        l->wants_picture |= l->way != QDBUS_PIXELS;
    } else if (l->way != QDBUS_PIXELS && !l->wants_picture) {
        l->dirty = whole(l->q);
    }
    listener_next(l);
    if (l->bus)
        qdbus_settle(l->q);
    return 0;
}

static void give_picture(struct qdbus_listener *l)
{
    sd_bus_message *m;

    l->wants_picture = false;
    l->dirty = (struct damage_box){0};
    if (!l->q->flip.frame) {
        l->dark = true;
        if ((m = new_call(l, INTERFACE, "Disable")) != NULL)
            call(l, m, on_done);
        return;
    }
    l->dark = false;
    l->way = choose(l);
    m = l->way == QDBUS_DMABUF ? scanout_dmabuf(l) : l->way == QDBUS_MAP ? scanout_map(l) : scanout_pixels(l);
    if (m)
        call(l, m, on_scanout);
    else
        give_up(l, "given the picture");
}

static void give_changes(struct qdbus_listener *l)
{
    const struct damage_box b = l->dirty;
    sd_bus_message *m;

    l->dirty = (struct damage_box){0};
    if (!l->q->flip.frame)
        return;
    if (l->way != QDBUS_PIXELS) {
        m = update_call(l, &b);
    } else {
        m = new_call(l, INTERFACE, "Update");
        if (m && (sd_bus_message_append(m, "iiiiuu", (int)b.x, (int)b.y, (int)(b.x_end - b.x), (int)(b.y_end - b.y),
                                        (b.x_end - b.x) * 4, (uint32_t)PIXMAN_x8r8g8b8) < 0 ||
                  append_pixels(l, m, &b) < 0))
            m = sd_bus_message_unref(m);
    }
    if (m)
        call(l, m, on_done);
    else
        give_up(l, "told of changes");
}

/* ---- cursor */

static void give_cursor(struct qdbus_listener *l)
{
    const struct qdbus *q = l->q;
    sd_bus_message *m = new_call(l, INTERFACE, "CursorDefine");

    l->wants_cursor = false;
    if (m &&
        (sd_bus_message_append(m, "iiii", (int)q->cursor.width, (int)q->cursor.height, 0, 0) < 0 ||
         sd_bus_message_append_array(m, 'y', q->cursor_pixels, (size_t)q->cursor.width * q->cursor.height * 4) < 0))
        m = sd_bus_message_unref(m);
    if (m)
        call(l, m, on_done);
}

static void give_position(struct qdbus_listener *l)
{
    const struct qdbus *q = l->q;
    sd_bus_message *m = new_call(l, INTERFACE, "MouseSet");

    l->wants_position = false;
    if (m && sd_bus_message_append(m, "iii", q->cursor.x, q->cursor.y, q->cursor_pixels != NULL) < 0)
        m = sd_bus_message_unref(m);
    if (m)
        call(l, m, on_done);
}

void listener_next(struct qdbus_listener *l)
{
    if (!l->bus || l->pending || !l->known)
        return;
    if (l->wants_picture)
        give_picture(l);
    else if (l->dirty.x_end)
        give_changes(l);
    else if (l->wants_cursor && l->q->cursor_pixels)
        give_cursor(l);
    else if (l->wants_position)
        give_position(l);
}

/* ---- beginning */

static int on_interfaces(sd_bus_message *reply, void *ctx, sd_bus_error *error)
{
    struct qdbus_listener *l = ctx;
    const char *name;

    (void)error;
    if (!ended(l, reply))
        return 0;
    /* A listener without the property is an old one. */
    if (!sd_bus_message_is_method_error(reply, NULL) && sd_bus_message_enter_container(reply, 'v', "as") > 0 &&
        sd_bus_message_enter_container(reply, 'a', "s") > 0)
        while (sd_bus_message_read(reply, "s", &name) > 0)
            l->has_map |= !strcmp(name, MAP);
    l->known = true;
    listener_next(l);
    return 0;
}

static void ask_interfaces(struct qdbus_listener *l)
{
    sd_bus_message *m = new_call(l, "org.freedesktop.DBus.Properties", "Get");

    if (m && sd_bus_message_append(m, "ss", INTERFACE, "Interfaces") < 0)
        m = sd_bus_message_unref(m);
    if (m)
        call(l, m, on_interfaces);
    else
        give_up(l, "asked for its interfaces");
}

static int on_disconnect(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    (void)m;
    (void)error;
    listener_drop(ctx);
    return 0;
}

/* As QEMU we are the server of the authentication. Takes over fd. */
static int connect_peer(struct qdbus_listener *l, int fd)
{
    sd_id128_t id;
    int ret = sd_id128_randomize(&id);

    if (ret < 0 || (ret = sd_bus_new(&l->bus)) < 0) {
        close(fd);
        return ret;
    }
    if ((ret = sd_bus_set_fd(l->bus, fd, fd)) < 0) {
        close(fd);
        return ret;
    }
    if ((ret = sd_bus_set_server(l->bus, 1, id)) < 0 || (ret = sd_bus_negotiate_fds(l->bus, 1)) < 0 ||
        (ret = sd_bus_start(l->bus)) < 0 || (ret = sd_bus_attach_event(l->bus, l->q->loop, 0)) < 0)
        return ret;
    return sd_bus_match_signal(l->bus, NULL, NULL, "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                               "Disconnected", on_disconnect, l);
}

int listener_add(struct qdbus *q, int fd)
{
    struct qdbus_listener *l = NULL;

    for (unsigned i = 0; i < QDBUS_LISTENERS && !l; i++)
        l = q->listener[i].bus ? NULL : &q->listener[i];
    if (!l) {
        close(fd);
        return -EBUSY;
    }
    *l = (struct qdbus_listener){.q = q, .wants_picture = true, .wants_cursor = true, .wants_position = true};
    int ret = connect_peer(l, fd);

    if (ret < 0) {
        l->bus = sd_bus_close_unref(l->bus);
        return ret;
    }
    q->stats.listeners++;
    gt_info("dbus: a listener has come, %u are there", q->stats.listeners);
    ask_interfaces(l);
    return 0;
}
