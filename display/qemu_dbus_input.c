/* org.qemu.Display1.Keyboard and Mouse: what viewers press and where they point. */
#include <errno.h>

#include "display/qemu_dbus_internal.h"

/* QEMU numbers keys so, and its Print key had another number once (keycodemapdb, tools/keymap-gen). */
#define OLD_PRINT 0xb7u
#define PRINT     0x54u

static int key(sd_bus_message *m, struct qdbus *q, bool down)
{
    uint32_t number;
    int ret = sd_bus_message_read(m, "u", &number);

    if (ret < 0)
        return ret;
    if (number == OLD_PRINT)
        number = PRINT;
    /* As QEMU: a key that is none does nothing. */
    if (number && number < INPUT_NUMBERS)
        q->events.input(q->ctx, &(struct input_event){.kind = INPUT_KEY, .code = (uint8_t)number, .down = down});
    return sd_bus_reply_method_return(m, NULL);
}

static int key_press(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    (void)error;
    return key(m, ctx, true);
}

static int key_release(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    (void)error;
    return key(m, ctx, false);
}

static int get_modifiers(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *ctx, sd_bus_error *error)
{
    (void)bus, (void)path, (void)interface, (void)property, (void)ctx, (void)error;
    return sd_bus_message_append(reply, "u", 0); /* the state of the LEDs, which QMP does not tell */
}

static int button(sd_bus_message *m, struct qdbus *q, sd_bus_error *error, bool down)
{
    uint32_t number;
    int ret = sd_bus_message_read(m, "u", &number);

    if (ret < 0)
        return ret;
    if (number > INPUT_EXTRA)
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "there is no such button");
    q->events.input(q->ctx, &(struct input_event){.kind = INPUT_BUTTON, .code = (uint8_t)number, .down = down});
    return sd_bus_reply_method_return(m, NULL);
}

static int button_press(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    return button(m, ctx, error, true);
}

static int button_release(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    return button(m, ctx, error, false);
}

static int set_position(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    struct qdbus *q = ctx;
    uint32_t x, y;
    int ret = sd_bus_message_read(m, "uu", &x, &y);

    if (ret < 0)
        return ret;
    if (x >= q->flip.width || y >= q->flip.height)
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "the position is not on the screen");
    q->events.input(q->ctx, &(struct input_event){.kind = INPUT_MOVE,
                                                  .x = input_position(x, q->flip.width),
                                                  .y = input_position(y, q->flip.height)});
    return sd_bus_reply_method_return(m, NULL);
}

static int relative_motion(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    (void)m, (void)ctx;
    return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "the mouse is absolute");
}

static int get_absolute(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *ctx, sd_bus_error *error)
{
    (void)bus, (void)path, (void)interface, (void)property, (void)ctx, (void)error;
    return sd_bus_message_append(reply, "b", 1);
}

static const sd_bus_vtable keyboard_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", key_press, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", key_release, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Modifiers", "u", get_modifiers, 0, 0),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable mouse_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Press", "u", "", button_press, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("Release", "u", "", button_release, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetAbsPosition", "uu", "", set_position, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("RelMotion", "ii", "", relative_motion, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("IsAbsolute", "b", get_absolute, 0, 0),
    SD_BUS_VTABLE_END,
};

int qdbus_add_input(struct qdbus *q, sd_bus *bus, const char *path)
{
    int ret = sd_bus_add_object_vtable(bus, NULL, path, QDBUS_PREFIX ".Keyboard", keyboard_vtable, q);

    return ret < 0 ? ret : sd_bus_add_object_vtable(bus, NULL, path, QDBUS_PREFIX ".Mouse", mouse_vtable, q);
}
