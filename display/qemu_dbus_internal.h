/* Between the files of the org.qemu.Display1 sink. */
#ifndef GTMUX_DISPLAY_QEMU_DBUS_INTERNAL_H
#define GTMUX_DISPLAY_QEMU_DBUS_INTERNAL_H

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "display/damage.h"
#include "display/qemu_dbus.h"

#define QDBUS_CONNECTIONS 8u
#define QDBUS_LISTENERS   8u
#define QDBUS_PREFIX      "org.qemu.Display1"
#define QDBUS_ROOT        "/org/qemu/Display1"
#define QDBUS_TIMEOUT_US  UINT64_C(10000000)   /* for a listener's answer: then it is sent away */
#define QDBUS_PATIENCE_NS UINT64_C(1000000000) /* then the others go on without it */

enum qdbus_way { QDBUS_DMABUF, QDBUS_MAP, QDBUS_PIXELS };

struct qdbus_listener {
    struct qdbus *q;
    sd_bus *bus;          /* NULL: the slot is free */
    sd_bus_slot *pending; /* the call that is under way */
    uint64_t called_ns;   /* since when */
    bool known;           /* its interfaces have been asked for */
    bool has_map, no_dmabuf, no_map;
    bool wants_picture;      /* it has not been given the newest */
    bool dark;               /* it was told to be */
    enum qdbus_way way;      /* of the picture that it has */
    struct damage_box dirty; /* changes that it has not been told of; x_end 0: none */
    bool wants_cursor, wants_position;
};

struct qdbus {
    struct sink base;
    struct qdbus_options opt;
    struct sink_events events;
    void *ctx;
    sd_event *loop;
    sd_event_source *accept, *timer;
    int listen_fd;
    bool listening;
    sd_bus *connection[QDBUS_CONNECTIONS];
    struct qdbus_listener listener[QDBUS_LISTENERS];

    struct viewer_flip flip; /* the newest; frame NULL: dark */
    uint32_t unanswered;     /* serial of a flip to be answered, or 0 */
    struct damage *damage;
    struct viewer_cursor cursor;
    uint8_t *cursor_pixels; /* a copy: listeners may come late */
    struct qdbus_stats stats;
};

/* qemu_dbus_listener.c */
/* Takes over fd. 0 or -errno. */
int listener_add(struct qdbus *q, int fd);
void listener_drop(struct qdbus_listener *l);
/* Tells the listener the next thing that it does not know, unless a call is under way. */
void listener_next(struct qdbus_listener *l);
/* True when it has the newest picture, or lets us wait for too long to count. */
bool listener_settled(const struct qdbus_listener *l);

/* qemu_dbus_objects.c */
/* Adds the objects to a connection. Below 0: -errno. */
int qdbus_add_objects(struct qdbus *q, sd_bus *bus);

/* qemu_dbus_input.c */
/* Adds Keyboard and Mouse to the console of a connection. 0 or -errno. */
int qdbus_add_input(struct qdbus *q, sd_bus *bus, const char *path);

/* qemu_dbus.c */
/* A listener's call has ended: perhaps the flip is shown by all. */
void qdbus_settle(struct qdbus *q);

#endif
