/* The objects that QEMU's viewers look for: the machine, and one console. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "display/qemu_dbus_internal.h"
#include "vgpu/base/bits.h"

#define CONSOLE QDBUS_ROOT "/Console_0"

static int get_name(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *ctx, sd_bus_error *error)
{
    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    return sd_bus_message_append(reply, "s", ((struct qdbus *)ctx)->opt.name);
}

/* Of fixed texts: the property says which. */
static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                    void *ctx, sd_bus_error *error)
{
    static const struct {
        const char *property, *value;
    } rows[] = {
        {"UUID", "00000000-0000-0000-0000-000000000000"},
        {"Label", "gtmux"},
        {"Type", "Graphic"},
        {"DeviceAddress", "pci/0000/02.0"},
    };

    (void)bus, (void)path, (void)interface, (void)ctx, (void)error;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (!strcmp(rows[i].property, property))
            return sd_bus_message_append(reply, "s", rows[i].value);
    return -ENOENT;
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property, sd_bus_message *reply,
                      void *ctx, sd_bus_error *error)
{
    const struct qdbus *q = ctx;

    (void)bus, (void)path, (void)interface, (void)error;
    return sd_bus_message_append(reply, "u",
                                 !strcmp(property, "Head")    ? q->opt.head
                                 : !strcmp(property, "Width") ? q->flip.width
                                                              : q->flip.height);
}

static int get_consoles(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *ctx, sd_bus_error *error)
{
    (void)bus, (void)path, (void)interface, (void)property, (void)ctx, (void)error;
    return sd_bus_message_append(reply, "au", 1, 0);
}

static int get_interfaces(sd_bus *bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *ctx, sd_bus_error *error)
{
    const struct qdbus *q = ctx;

    (void)bus, (void)path, (void)property, (void)error;
    if (q->opt.input && !strcmp(interface, QDBUS_PREFIX ".Console"))
        return sd_bus_message_append(reply, "as", 2, QDBUS_PREFIX ".Keyboard", QDBUS_PREFIX ".Mouse");
    return sd_bus_message_append(reply, "as", 0);
}

static int register_listener(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    int fd, ret = sd_bus_message_read(m, "h", &fd);

    if (ret < 0)
        return ret;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    if (own < 0)
        return -errno;
    ret = listener_add(ctx, own);
    if (ret == -EBUSY)
        return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "there are too many listeners");
    return ret < 0 ? ret : sd_bus_reply_method_return(m, NULL);
}

static int set_ui_info(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
    struct qdbus *q = ctx;
    uint16_t width_mm, height_mm;
    int32_t x, y;
    uint32_t width, height;
    int ret = sd_bus_message_read(m, "qqiiuu", &width_mm, &height_mm, &x, &y, &width, &height);

    if (ret < 0)
        return ret;
    if (!q->events.resize(q->ctx, width, height))
        return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "the monitor cannot have this size");
    return sd_bus_reply_method_return(m, NULL);
}

static const sd_bus_vtable vm_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("UUID", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("ConsoleIDs", "au", get_consoles, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Interfaces", "as", get_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

static const sd_bus_vtable console_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("RegisterListener", "h", "", register_listener, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("SetUIInfo", "qqiiuu", "", set_ui_info, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_PROPERTY("Label", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Head", "u", get_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Type", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Width", "u", get_number, 0, 0),
    SD_BUS_PROPERTY("Height", "u", get_number, 0, 0),
    SD_BUS_PROPERTY("DeviceAddress", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Interfaces", "as", get_interfaces, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

int qdbus_add_objects(struct qdbus *q, sd_bus *bus)
{
    int ret = sd_bus_add_object_vtable(bus, NULL, QDBUS_ROOT "/VM", QDBUS_PREFIX ".VM", vm_vtable, q);

    if (ret >= 0)
        ret = sd_bus_add_object_vtable(bus, NULL, CONSOLE, QDBUS_PREFIX ".Console", console_vtable, q);
    return ret >= 0 && q->opt.input ? qdbus_add_input(q, bus, CONSOLE) : ret;
}
