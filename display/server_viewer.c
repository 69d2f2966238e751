/* One viewer's connection. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "display/server_internal.h"
#include "vgpu/base/bits.h"

#define MESSAGES_A_STEP 32u

void viewer_init(struct viewer *v)
{
    *v = (struct viewer){.fd = -1, .deadline = UINT64_MAX};
}

void viewer_accept(struct display_server *s, struct viewer *v, int fd, uint64_t now)
{
    (void)s;
    viewer_init(v);
    v->fd = fd;
    v->deadline = now + ATTACH_NS;
}

/* ---- the frames that it may read */

static void held_drop(struct display_server *s, struct held *h)
{
    const struct held old = *h;

    *h = (struct held){0};
    for (unsigned i = 0; i < GT_ARRAY_SIZE(old.frame); i++)
        frame_unref(&s->frames, old.frame[i]);
}

static void hold(struct held *h, const struct picture *p)
{
    h->frame[0] = p->frame;
    for (unsigned i = 0; i < p->nlayers; i++)
        h->frame[1 + i] = p->layer[i].frame;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(h->frame); i++)
        if (h->frame[i])
            frame_ref(h->frame[i]);
}

/* ---- life */

void viewer_drop(struct display_server *s, struct viewer *v, const char *why)
{
    if (v->fd < 0)
        return;
    if (why) {
        s->stats.sent_away++;
        GT_GUEST_LOG(&s->log_rl, "display: a viewer of head %u is sent away: %s", v->head, why);
    } else {
        gt_info("display: a viewer of head %u has left", v->head);
    }
    close(v->fd);
    v->fd = -1; /* what is given up now is not told */
    held_drop(s, &v->pending);
    held_drop(s, &v->showing);
    frame_unref(&s->frames, v->cursor.frame);
    viewer_init(v);
}

bool viewer_ready(const struct viewer *v)
{
    return v->attached && v->sent == v->shown && !v->blocked;
}

/* ---- out */

/* False: the socket is full, so later; or the viewer has gone, which the next poll tells. */
static bool send_message(struct viewer *v, void *message, uint16_t type, uint16_t size, int fd)
{
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.buf = {0}};
    struct iovec io = {.iov_base = message, .iov_len = size};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    struct display_header *h = message;

    h->type = type;
    h->size = size;
    if (fd >= 0) {
        m.msg_control = control.buf;
        m.msg_controllen = sizeof(control.buf);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    if (sendmsg(v->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size)
        return true;
    v->blocked = true;
    return false;
}

static unsigned slot_of(const struct display_server *s, const struct frame *f)
{
    return (unsigned)(f - s->frames.slot);
}

/* Hands the frame over unless the viewer has it. As send_message. */
static bool send_frame(struct display_server *s, struct viewer *v, const struct frame *f)
{
    const unsigned slot = slot_of(s, f);
    struct display_frame m = {
        .slot = slot,
        .id = f->id,
        .fourcc = f->image.fourcc,
        .width = f->image.width,
        .height = f->image.height,
        .stride = f->image.stride,
        .flags = f->kind == FRAME_SHARED ? DISPLAY_FRAME_SHARED : 0,
        .modifier = f->image.modifier,
        .bytes = f->image.bytes,
    };

    if (v->known[slot] == f->id)
        return true;
    if (!send_message(v, &m, DISPLAY_FRAME, sizeof(m), f->fd))
        return false;
    v->known[slot] = f->id;
    return true;
}

static bool send_layer(struct display_server *s, struct viewer *v, const struct layer *l, unsigned index,
                       uint32_t serial)
{
    struct display_layer m = {
        .h = {.serial = serial},
        .slot = slot_of(s, l->frame),
        .id = l->frame->id,
        .x = l->x,
        .y = l->y,
        .width = l->width,
        .height = l->height,
        .to_x = l->to_x,
        .to_y = l->to_y,
        .to_width = l->to_width,
        .to_height = l->to_height,
        .index = (uint16_t)index,
        .blend = (uint16_t)l->blend,
        .alpha = l->alpha,
    };

    return send_frame(s, v, l->frame) && send_message(v, &m, DISPLAY_LAYER, sizeof(m), -1);
}

static bool send_flip(struct display_server *s, struct viewer *v, const struct head *h, const struct picture *p)
{
    struct display_flip m = {.h = {.serial = h->serial}, .layers = p->nlayers, .ns = h->picture_ns};

    if (p->frame && !send_frame(s, v, p->frame))
        return false;
    for (unsigned i = 0; i < p->nlayers; i++)
        if (!send_layer(s, v, &p->layer[i], i, h->serial))
            return false;
    if (p->frame) {
        m.slot = slot_of(s, p->frame);
        m.id = p->frame->id;
        m.x = p->x;
        m.y = p->y;
        m.width = h->scanout.width;
        m.height = h->scanout.height;
        m.mhz = h->scanout.mhz;
    }
    return send_message(v, &m, DISPLAY_FLIP, sizeof(m), -1);
}

static void update_picture(struct display_server *s, struct viewer *v, const struct head *h, uint64_t now)
{
    const struct picture *p = picture_for(v, h);

    if ((h->lit && !p->frame) || !send_flip(s, v, h, p))
        return; /* there will be one of its kind; or the socket is full */
    const uint32_t flips = h->flip - v->sent_flip;

    v->flipped = v->sent && p->frame && flips && flips <= INT32_MAX;
    s->stats.skipped += v->flipped ? flips - 1 : 0;
    v->sent = h->serial;
    v->sent_ns = h->picture_ns;
    v->sent_flip = h->flip;
    v->sent_arrangement = p->nlayers ? h->arrangement : 0;
    v->answer_by = now + flip_patience(s, h);
    v->deadline = now + ANSWER_NS;
    hold(&v->pending, p);
    s->stats.flips++;
    s->stats.layers += p->nlayers;
}

static bool same_cursor(const struct cursor *a, const struct cursor *b)
{
    return a->frame == b->frame && a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static void update_cursor(struct display_server *s, struct viewer *v, const struct head *h)
{
    struct display_cursor m = {.x = h->cursor.x, .y = h->cursor.y};

    if (h->cursor.frame) {
        if (!send_frame(s, v, h->cursor.frame))
            return;
        m.slot = slot_of(s, h->cursor.frame);
        m.id = h->cursor.frame->id;
        m.width = h->cursor.width;
        m.height = h->cursor.height;
    }
    if (!send_message(v, &m, DISPLAY_CURSOR, sizeof(m), -1))
        return;
    struct frame *old = v->cursor.frame;

    if (h->cursor.frame)
        frame_ref(h->cursor.frame);
    v->cursor = h->cursor;
    frame_unref(&s->frames, old);
    s->stats.cursors++;
}

/* All of a copied frame may have changed. */
static void damage_all(struct display_server *s, struct viewer *v, const struct frame *f)
{
    if (f && f->kind != FRAME_SHARED)
        viewer_damage(s, v, f, &(struct frame_damage){.first = 0, .end = f->image.height});
}

/* Which rows were not told is not kept. */
static void make_up_for_damage(struct display_server *s, struct viewer *v)
{
    v->damage_lost = false;
    damage_all(s, v, v->showing.frame[0]);
    if (v->pending.frame[0] != v->showing.frame[0])
        damage_all(s, v, v->pending.frame[0]);
    damage_all(s, v, v->cursor.frame);
}

void viewer_update(struct display_server *s, struct viewer *v, uint64_t now)
{
    const struct head *h = &s->head[v->head];

    if (v->fd < 0 || !v->attached || v->blocked || !h->serial)
        return;
    if (viewer_ready(v) && v->sent != h->serial)
        update_picture(s, v, h, now);
    if (!v->blocked && !same_cursor(&v->cursor, &h->cursor))
        update_cursor(s, v, h);
    if (!v->blocked && v->damage_lost)
        make_up_for_damage(s, v);
}

void viewer_damage(struct display_server *s, struct viewer *v, const struct frame *f, const struct frame_damage *d)
{
    struct display_damage m = {.slot = slot_of(s, f), .id = f->id, .first = d->first, .end = d->end};

    if (v->fd >= 0 && v->attached && v->known[m.slot] == f->id && !send_message(v, &m, DISPLAY_DAMAGE, sizeof(m), -1))
        v->damage_lost = true;
}

void viewer_forget(struct display_server *s, struct viewer *v, const struct frame *f)
{
    struct display_forget m = {.slot = slot_of(s, f), .id = f->id};

    if (v->fd < 0 || v->known[m.slot] != f->id)
        return;
    v->known[m.slot] = 0;
    (void)send_message(v, &m, DISPLAY_FORGET, sizeof(m), -1);
}

/* ---- in */

static const char *on_attach(struct display_server *s, struct viewer *v, const struct display_attach *m)
{
    struct display_hello hello = {.magic = DISPLAY_MAGIC, .version = DISPLAY_VERSION};

    if (v->attached || m->magic != DISPLAY_MAGIC)
        return "it does not speak our protocol";
    if (m->version != DISPLAY_VERSION)
        return "it speaks another version of the protocol";
    if (m->head >= DISPLAY_HEADS)
        return "there is no such head";
    if (m->flags & ~DISPLAY_ATTACH_FLAGS)
        return "it asks for what we do not know";
    v->head = m->head;
    memcpy(hello.name, s->name, sizeof(hello.name));
    if (!send_message(v, &hello, DISPLAY_HELLO, sizeof(hello), -1))
        return NULL;
    v->attached = true;
    v->layers = m->flags & DISPLAY_ATTACH_LAYERS;
    flip_viewer_init(v, m->flags & DISPLAY_ATTACH_PACED);
    v->deadline = UINT64_MAX;
    s->head[v->head].dirty = true;
    gt_info("display: a viewer of head %u has come", v->head);
    return NULL;
}

static const char *on_shown(struct display_server *s, struct viewer *v, uint32_t serial, uint64_t now)
{
    if (!v->attached || v->sent == v->shown || serial != v->sent)
        return "it answers what was not asked";
    uint64_t latency = now > v->sent_ns ? now - v->sent_ns : 0;

    v->shown = serial;
    v->deadline = UINT64_MAX;
    held_drop(s, &v->showing);
    v->showing = v->pending;
    v->pending = (struct held){0};
    s->stats.shown++;
    if (v->flipped)
        latency_add(&s->stats.latency, latency);
    flip_answered(s, v, now);
    return NULL;
}

static const char *on_compose(struct display_server *s, struct viewer *v, uint32_t serial)
{
    struct head *h = &s->head[v->head];

    if (!v->attached || v->sent == v->shown || serial != v->sent || !v->sent_arrangement)
        return "it refuses what it was not sent";
    v->shown = serial;
    v->deadline = UINT64_MAX;
    v->refused = v->sent_arrangement;
    held_drop(s, &v->pending);
    s->stats.refused++;
    h->dirty = true;
    head_next_serial(h); /* it is told again */
    return NULL;
}

/* NULL, or why the viewer cannot stay. */
static const char *handle(struct display_server *s, struct viewer *v, const void *message, size_t n, uint64_t now)
{
    struct display_header h;

    if (n < sizeof(h))
        return "its message is too short";
    memcpy(&h, message, sizeof(h));
    if (h.size != n)
        return "its message has not the size that it says";
    if (h.type == DISPLAY_ATTACH && n == sizeof(struct display_attach))
        return on_attach(s, v, message);
    if (h.type == DISPLAY_SHOWN && n == sizeof(h))
        return on_shown(s, v, h.serial, now);
    if (h.type == DISPLAY_COMPOSE && n == sizeof(h))
        return on_compose(s, v, h.serial);
    if (h.type == DISPLAY_REFRESH && n == sizeof(h) && v->attached) {
        s->head[v->head].refresh = true;
        return NULL;
    }
    return "its message is none of ours";
}

void viewer_receive(struct display_server *s, struct viewer *v, uint64_t now)
{
    for (unsigned i = 0; i < MESSAGES_A_STEP && v->fd >= 0; i++) {
        _Alignas(8) uint8_t message[DISPLAY_MESSAGE_MAX];
        struct iovec io = {.iov_base = message, .iov_len = sizeof(message)};
        /* No room for descriptors: the kernel drops those that are sent. */
        struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
        ssize_t n = recvmsg(v->fd, &m, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            viewer_drop(s, v, NULL);
            return;
        }
        const char *why = m.msg_flags & MSG_TRUNC ? "its message is too long" : handle(s, v, message, (size_t)n, now);

        if (why)
            viewer_drop(s, v, why);
    }
}
