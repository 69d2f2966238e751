/* Keyboard and pointer over the window. Keys are told by their place on the keyboard: which letter it is is the guest's
 * matter. */
#include <linux/input-event-codes.h>
#include <unistd.h>

#include "display/wayland_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define SEAT_VERSION 5u
#define REPEATS_MAX  UINT64_C(100) /* a second */
/* Way of one click of a wheel, 24.8 fixed point: libinput's 15 degrees are 10 of Wayland's units. */
#define CLICK   (10 * 256)
#define WAY_MAX (256 * CLICK)

static void tell(struct wayland *w, const struct input_event *e)
{
    w->events.input(w->ctx, e);
}

/* ---- keyboard */

static void on_keymap(void *ctx, struct wl_keyboard *k, uint32_t format, int32_t fd, uint32_t size)
{
    (void)ctx, (void)k, (void)format, (void)size;
    close(fd);
}

static void on_key_enter(void *ctx, struct wl_keyboard *k, uint32_t serial, struct wl_surface *s, struct wl_array *keys)
{
    (void)ctx, (void)k, (void)serial, (void)s, (void)keys; /* what is down already was not meant for the guest */
}

static void on_key_leave(void *ctx, struct wl_keyboard *k, uint32_t serial, struct wl_surface *s)
{
    (void)k, (void)serial, (void)s;
    ((struct wayland *)ctx)->input.repeat_code = 0;
    tell(ctx, &(struct input_event){.kind = INPUT_LIFT});
}

static bool repeats(uint32_t key)
{
    static const uint32_t never[] = {KEY_LEFTCTRL, KEY_RIGHTCTRL, KEY_LEFTSHIFT, KEY_RIGHTSHIFT,
                                     KEY_LEFTALT,  KEY_RIGHTALT,  KEY_LEFTMETA,  KEY_RIGHTMETA,
                                     KEY_CAPSLOCK, KEY_NUMLOCK,   KEY_SCROLLLOCK};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(never); i++)
        if (never[i] == key)
            return false;
    return true;
}

/* A keyboard repeats by itself, and guests with a PS/2 one rely on it: QEMU leaves that to whoever sends the keys. */
static void set_repeat(struct wpointer *i, uint32_t key, const struct input_event *e)
{
    if (e->down && repeats(key)) {
        i->repeat_code = e->code;
        i->repeat_at = gt_clock_ns() + i->repeat_delay;
    } else if (!e->down && e->code == i->repeat_code) {
        i->repeat_code = 0;
    }
}

uint64_t winput_tick(struct wayland *w, uint64_t now)
{
    struct wpointer *i = &w->input;

    if (!i->repeat_code || !i->repeat_every)
        return UINT64_MAX;
    if (now >= i->repeat_at) {
        tell(w, &(struct input_event){.kind = INPUT_KEY, .code = i->repeat_code, .down = true});
        i->repeat_at = now + i->repeat_every;
    }
    return i->repeat_at;
}

static void on_key(void *ctx, struct wl_keyboard *k, uint32_t serial, uint32_t time, uint32_t key, uint32_t state)
{
    const struct input_event e = {
        .kind = INPUT_KEY, .code = input_number(key), .down = state == WL_KEYBOARD_KEY_STATE_PRESSED};

    (void)k, (void)serial, (void)time;
    if (!e.code)
        return;
    tell(ctx, &e);
    set_repeat(&((struct wayland *)ctx)->input, key, &e);
}

static void on_modifiers(void *ctx, struct wl_keyboard *k, uint32_t serial, uint32_t depressed, uint32_t latched,
                         uint32_t locked, uint32_t group)
{
    (void)ctx, (void)k, (void)serial, (void)depressed, (void)latched, (void)locked, (void)group;
}

static void on_repeat(void *ctx, struct wl_keyboard *k, int32_t rate, int32_t delay)
{
    struct wpointer *i = &((struct wayland *)ctx)->input;

    (void)k;
    i->repeat_delay = delay > 0 ? (uint64_t)delay * 1000000 : 0;
    i->repeat_every = rate > 0 ? NS_PER_S / GT_MIN((uint64_t)rate, REPEATS_MAX) : 0;
}

static const struct wl_keyboard_listener keyboard_listener = {
    .keymap = on_keymap,
    .enter = on_key_enter,
    .leave = on_key_leave,
    .key = on_key,
    .modifiers = on_modifiers,
    .repeat_info = on_repeat,
};

/* ---- pointer */

static void press(struct wayland *w, enum input_button b, bool down)
{
    const uint32_t bit = UINT32_C(1) << b;

    w->input.buttons = down ? w->input.buttons | bit : w->input.buttons & ~bit;
    tell(w, &(struct input_event){.kind = INPUT_BUTTON, .code = (uint8_t)b, .down = down});
}

/* Nobody tells when they go up: the pointer left, or was taken away, while they were down. */
static void release_buttons(struct wayland *w)
{
    for (unsigned b = 0; b < INPUT_BUTTONS; b++)
        if (w->input.buttons >> b & 1)
            press(w, (enum input_button)b, false);
}

static void move(struct wayland *w, wl_fixed_t x, wl_fixed_t y)
{
    w->input.x = size_pixel(x, w->window.width, w->flip.width);
    w->input.y = size_pixel(y, w->window.height, w->flip.height);
    tell(w, &(struct input_event){.kind = INPUT_MOVE,
                                  .x = input_position(w->input.x, w->flip.width),
                                  .y = input_position(w->input.y, w->flip.height)});
    wcursor_moved(w, gt_clock_ns());
}

static void on_enter(void *ctx, struct wl_pointer *p, uint32_t serial, struct wl_surface *s, wl_fixed_t x, wl_fixed_t y)
{
    struct wayland *w = ctx;

    (void)p;
    if (s != w->surface)
        return;
    w->input.inside = true;
    w->input.enter_serial = serial;
    wcursor_choose(w);
    move(w, x, y);
}

static void on_leave(void *ctx, struct wl_pointer *p, uint32_t serial, struct wl_surface *s)
{
    struct wayland *w = ctx;

    (void)p, (void)serial, (void)s;
    if (!w->input.inside)
        return;
    release_buttons(w);
    w->input.inside = false;
    wcursor_choose(w);
    wcursor_place(w);
}

static void on_motion(void *ctx, struct wl_pointer *p, uint32_t time, wl_fixed_t x, wl_fixed_t y)
{
    (void)p, (void)time;
    move(ctx, x, y);
}

static void on_button(void *ctx, struct wl_pointer *p, uint32_t serial, uint32_t time, uint32_t button, uint32_t state)
{
    enum input_button b;

    (void)p, (void)serial, (void)time;
    if (input_button(button, &b))
        press(ctx, b, state == WL_POINTER_BUTTON_STATE_PRESSED);
}

static void on_axis(void *ctx, struct wl_pointer *p, uint32_t time, uint32_t axis, wl_fixed_t value)
{
    struct wpointer *i = &((struct wayland *)ctx)->input;

    (void)p, (void)time;
    if (axis >= 2)
        return;
    int64_t way = (int64_t)i->scroll[axis] + value;

    i->scroll[axis] = (int32_t)GT_MAX(GT_MIN(way, (int64_t)WAY_MAX), (int64_t)-WAY_MAX);
}

static void on_axis_discrete(void *ctx, struct wl_pointer *p, uint32_t axis, int32_t clicks)
{
    struct wpointer *i = &((struct wayland *)ctx)->input;

    (void)p;
    if (axis >= 2)
        return;
    i->clicks[axis] = clicks;
    i->has_clicks[axis] = true;
}

static void on_axis_source(void *ctx, struct wl_pointer *p, uint32_t source)
{
    (void)ctx, (void)p, (void)source;
}

static void on_axis_stop(void *ctx, struct wl_pointer *p, uint32_t time, uint32_t axis)
{
    (void)p, (void)time;
    if (axis < 2)
        ((struct wayland *)ctx)->input.scroll[axis] = 0;
}

/* Clicks of an axis: a wheel's own, or a way that is as long. */
static void scroll(struct wayland *w, unsigned axis)
{
    static const enum input_button buttons[2][2] = {{INPUT_WHEEL_UP, INPUT_WHEEL_DOWN},
                                                    {INPUT_WHEEL_LEFT, INPUT_WHEEL_RIGHT}};
    struct wpointer *i = &w->input;
    int32_t clicks = i->clicks[axis];

    if (i->has_clicks[axis]) {
        i->scroll[axis] = 0;
    } else {
        clicks = i->scroll[axis] / CLICK;
        i->scroll[axis] -= clicks * CLICK;
    }
    i->clicks[axis] = 0;
    i->has_clicks[axis] = false;
    if (clicks)
        input_wheel(w->events.input, w->ctx, buttons[axis][clicks > 0],
                    (unsigned)(clicks < 0 ? -(int64_t)clicks : clicks));
}

static void on_frame(void *ctx, struct wl_pointer *p)
{
    (void)p;
    scroll(ctx, WL_POINTER_AXIS_VERTICAL_SCROLL);
    scroll(ctx, WL_POINTER_AXIS_HORIZONTAL_SCROLL);
}

static const struct wl_pointer_listener pointer_listener = {
    .enter = on_enter,
    .leave = on_leave,
    .motion = on_motion,
    .button = on_button,
    .axis = on_axis,
    .frame = on_frame,
    .axis_source = on_axis_source,
    .axis_stop = on_axis_stop,
    .axis_discrete = on_axis_discrete,
};

/* ---- seat */

static void lose_pointer(struct wayland *w)
{
    struct wpointer *i = &w->input;

    release_buttons(w);
    if (i->pointer)
        wl_pointer_release(i->pointer);
    i->pointer = NULL;
    i->inside = false;
}

static void lose_keyboard(struct wayland *w)
{
    struct wpointer *i = &w->input;

    if (!i->keyboard)
        return;
    wl_keyboard_release(i->keyboard);
    i->keyboard = NULL;
    i->repeat_code = 0;
    tell(w, &(struct input_event){.kind = INPUT_LIFT}); /* what is down stays down for ever */
}

static void on_capabilities(void *ctx, struct wl_seat *seat, uint32_t has)
{
    struct wayland *w = ctx;
    struct wpointer *i = &w->input;

    if (!(has & WL_SEAT_CAPABILITY_POINTER)) {
        lose_pointer(w);
    } else if (!i->pointer) {
        i->pointer = wl_seat_get_pointer(seat);
        wl_pointer_add_listener(i->pointer, &pointer_listener, w);
    }
    if (!(has & WL_SEAT_CAPABILITY_KEYBOARD)) {
        lose_keyboard(w);
    } else if (!i->keyboard) {
        i->keyboard = wl_seat_get_keyboard(seat);
        wl_keyboard_add_listener(i->keyboard, &keyboard_listener, w);
    }
}

static void on_name(void *ctx, struct wl_seat *seat, const char *name)
{
    (void)ctx, (void)seat, (void)name;
}

static const struct wl_seat_listener seat_listener = {.capabilities = on_capabilities, .name = on_name};

/* The first one of a version that tells wheels and ends of events. */
void winput_add_seat(struct wayland *w, uint32_t name, uint32_t version)
{
    if (w->input.seat || version < SEAT_VERSION)
        return;
    w->input.seat = wl_registry_bind(w->registry, name, &wl_seat_interface, SEAT_VERSION);
    w->input.seat_name = name;
    wl_seat_add_listener(w->input.seat, &seat_listener, w);
}

void winput_remove_seat(struct wayland *w)
{
    if (!w->input.seat)
        return;
    lose_pointer(w);
    lose_keyboard(w);
    wl_seat_release(w->input.seat);
    w->input = (struct wpointer){0};
}
