/* Clients of the VNC server, and what they type and point at. */
#include <errno.h>
#include <stdio.h>

#include "display/vnc_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

static struct vnc *of_client(struct nvnc_client *client)
{
    return nvnc_get_userdata(nvnc_client_get_server(client));
}

static void on_client_left(struct nvnc_client *client)
{
    struct vnc *v = of_client(client);

    v->stats.clients--;
    v->buttons = 0; /* also those that others hold: they tell again */
    if (v->keys)
        v->events.input(v->ctx, &(struct input_event){.kind = INPUT_LIFT});
    gt_info("vnc: a client has left, %u are there", v->stats.clients);
}

static void on_request(struct nvnc_client *client, bool incremental, uint16_t x, uint16_t y, uint16_t width,
                       uint16_t height)
{
    struct vnc *v = of_client(client);

    (void)incremental;
    (void)x;
    (void)y;
    (void)width;
    (void)height;
    v->asked = gt_clock_ns();
}

static void on_client(struct nvnc_client *client)
{
    struct vnc *v = of_client(client);

    nvnc_set_client_cleanup_fn(client, on_client_left);
    v->stats.clients++;
    v->dirty = true; /* it wants what is there now */
    gt_info("vnc: a client has come, %u are there", v->stats.clients);
}

void vnc_hear_clients(struct vnc *v)
{
    nvnc_set_new_client_fn(v->server, on_client);
    nvnc_set_fb_req_fn(v->server, on_request);
}

/* ---- input */

/* A key by its place: neatvnc has turned QEMU's number into one of linux/input-event-codes.h. */
static void on_key_code(struct nvnc_client *client, uint32_t key, bool down)
{
    struct vnc *v = of_client(client);
    const struct input_event e = {.kind = INPUT_KEY, .code = input_number(key), .down = down};

    if (e.code)
        v->events.input(v->ctx, &e);
}

static void on_key(struct nvnc_client *client, uint32_t keysym, bool down)
{
    on_key_code(client, vnc_keys_find(of_client(client)->keys, keysym), down);
}

static void on_pointer(struct nvnc_client *client, uint16_t x, uint16_t y, enum nvnc_button_mask mask)
{
    static const struct {
        unsigned bit;
        enum input_button button;
    } rows[] = {{NVNC_BUTTON_LEFT, INPUT_LEFT}, {NVNC_BUTTON_MIDDLE, INPUT_MIDDLE}, {NVNC_BUTTON_RIGHT, INPUT_RIGHT}};
    struct vnc *v = of_client(client);
    const unsigned pressed = (unsigned)mask & ~v->buttons, changed = (unsigned)mask ^ v->buttons;

    v->buttons = (unsigned)mask;
    v->events.input(v->ctx, &(struct input_event){.kind = INPUT_MOVE,
                                                  .x = input_position(x, v->flip.width),
                                                  .y = input_position(y, v->flip.height)});
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (changed & rows[i].bit)
            v->events.input(v->ctx, &(struct input_event){.kind = INPUT_BUTTON,
                                                          .code = (uint8_t)rows[i].button,
                                                          .down = (pressed & rows[i].bit) != 0});
    if (pressed & NVNC_SCROLL_UP)
        input_wheel(v->events.input, v->ctx, INPUT_WHEEL_UP, 1);
    if (pressed & NVNC_SCROLL_DOWN)
        input_wheel(v->events.input, v->ctx, INPUT_WHEEL_DOWN, 1);
}

int vnc_hear_input(struct vnc *v, char *err, size_t errsz)
{
    if (!v->opt.keymap)
        return 0;
    v->keys = vnc_keys_create(v->opt.keymap);
    if (!v->keys) {
        snprintf(err, errsz, "there is no keyboard layout '%s'", v->opt.keymap);
        return -EINVAL;
    }
    nvnc_set_key_fn(v->server, on_key);
    nvnc_set_key_code_fn(v->server, on_key_code);
    nvnc_set_pointer_fn(v->server, on_pointer);
    return 0;
}
