#include "display/hotkey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpu/base/bits.h"

#define KEYBOARDS_MAX    16u
#define EVENTS_A_READ    64u
#define READS_A_DISPATCH 16u

/* ---- keys */

static const struct {
    const char *name;
    unsigned modifier;
    uint16_t left, right;
} modifier_rows[] = {
    {"ctrl", HOTKEY_CTRL, KEY_LEFTCTRL, KEY_RIGHTCTRL},
    {"alt", HOTKEY_ALT, KEY_LEFTALT, KEY_RIGHTALT},
    {"shift", HOTKEY_SHIFT, KEY_LEFTSHIFT, KEY_RIGHTSHIFT},
    {"meta", HOTKEY_META, KEY_LEFTMETA, KEY_RIGHTMETA},
};

bool hotkey_modifiers(const char *text, unsigned *out)
{
    *out = 0;
    if (!strcmp(text, "none"))
        return true;
    for (;;) {
        size_t n = strcspn(text, "+"), i = 0;

        while (i < GT_ARRAY_SIZE(modifier_rows) &&
               (strlen(modifier_rows[i].name) != n || strncmp(modifier_rows[i].name, text, n) != 0))
            i++;
        if (i == GT_ARRAY_SIZE(modifier_rows))
            return false;
        *out |= modifier_rows[i].modifier;
        if (!text[n])
            return true;
        text += n + 1;
    }
}

static unsigned held(const struct hotkey_keys *k)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(modifier_rows); i++)
        mask |= k->down >> (2 * i) & 3 ? modifier_rows[i].modifier : 0;
    return mask;
}

static bool take_modifier(struct hotkey_keys *k, uint16_t code, bool down)
{
    for (unsigned i = 0; i < GT_ARRAY_SIZE(modifier_rows); i++) {
        const bool right = code == modifier_rows[i].right;

        if (code != modifier_rows[i].left && !right)
            continue;
        const unsigned bit = 1u << (2 * i + right);

        k->down = down ? k->down | bit : k->down & ~bit;
        return true;
    }
    return false;
}

int hotkey_event(struct hotkey_keys *k, uint16_t type, uint16_t code, int32_t value)
{
    if (type == EV_SYN && code == SYN_DROPPED)
        k->down = 0; /* what came up since then was not told */
    if (type != EV_KEY || value < 0 || value > 1)
        return HOTKEY_NONE;
    if (take_modifier(k, code, value) || !value || !k->wanted || held(k) != k->wanted)
        return HOTKEY_NONE;
    if (code >= KEY_1 && code <= KEY_9)
        return code - KEY_1 + 1;
    return code == KEY_PAGEDOWN ? HOTKEY_NEXT : code == KEY_PAGEUP ? HOTKEY_PREVIOUS : HOTKEY_NONE;
}

/* ---- keyboards */

struct keyboard {
    int fd; /* -1: none */
    dev_t device;
};

struct hotkey {
    char dir[128];
    struct hotkey_keys keys;
    void (*pressed)(void *ctx, int which);
    void *ctx;
    int epoll, watch; /* of the directory */
    struct keyboard keyboard[KEYBOARDS_MAX];
};

static bool has_key(const unsigned long *bits, unsigned key)
{
    return bits[key / (8 * sizeof(*bits))] >> key % (8 * sizeof(*bits)) & 1;
}

static bool is_keyboard(int fd)
{
    unsigned long bits[KEY_CNT / (8 * sizeof(unsigned long)) + 1] = {0};

    return ioctl(fd, EVIOCGBIT(EV_KEY, sizeof(bits)), bits) >= 0 && has_key(bits, KEY_LEFTCTRL) &&
           has_key(bits, KEY_1) && has_key(bits, KEY_PAGEDOWN);
}

static void watch_fd(struct hotkey *h, int fd, void *who)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = who};

    (void)epoll_ctl(h->epoll, EPOLL_CTL_ADD, fd, &e);
}

/* Takes a device up if it is a keyboard that is not there yet. */
static void add(struct hotkey *h, const char *name)
{
    struct keyboard *room = NULL;
    char path[PATH_MAX];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", h->dir, name);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    bool wanted = fd >= 0 && !fstat(fd, &st) && S_ISCHR(st.st_mode) && is_keyboard(fd);

    for (unsigned i = 0; wanted && i < KEYBOARDS_MAX; i++) {
        if (h->keyboard[i].fd < 0)
            room = &h->keyboard[i];
        else if (h->keyboard[i].device == st.st_rdev)
            wanted = false;
    }
    if (wanted && room) {
        *room = (struct keyboard){fd, st.st_rdev};
        watch_fd(h, fd, room);
    } else if (fd >= 0) {
        close(fd);
    }
}

static void scan(struct hotkey *h)
{
    DIR *d = opendir(h->dir);

    for (const struct dirent *e; d && (e = readdir(d));)
        if (!strncmp(e->d_name, "event", 5))
            add(h, e->d_name);
    if (d)
        closedir(d);
}

static void read_keyboard(struct hotkey *h, struct keyboard *k)
{
    struct input_event e[EVENTS_A_READ];

    for (unsigned i = 0; i < READS_A_DISPATCH; i++) {
        ssize_t n = read(k->fd, e, sizeof(e));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) { /* unplugged, with what was held down on it */
            close(k->fd);
            k->fd = -1;
            h->keys.down = 0;
            return;
        }
        for (size_t j = 0; j < (size_t)n / sizeof(e[0]); j++) {
            int which = hotkey_event(&h->keys, e[j].type, e[j].code, e[j].value);

            if (which != HOTKEY_NONE)
                h->pressed(h->ctx, which);
        }
    }
}

/* Devices have come, or have got other rights. Which does not matter. */
static void read_watch(struct hotkey *h)
{
    char buf[4096] __attribute__((aligned(8)));

    while (read(h->watch, buf, sizeof(buf)) > 0)
        ;
    scan(h);
}

int hotkey_open(struct hotkey **out, const char *dir, unsigned modifiers, void (*pressed)(void *ctx, int which),
                void *ctx)
{
    struct hotkey *h = calloc(1, sizeof(*h));

    *out = NULL;
    if (!h)
        return -ENOMEM;
    *h = (struct hotkey){.keys.wanted = modifiers, .pressed = pressed, .ctx = ctx};
    snprintf(h->dir, sizeof(h->dir), "%s", dir);
    for (unsigned i = 0; i < KEYBOARDS_MAX; i++)
        h->keyboard[i].fd = -1;
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (h->epoll < 0 || h->watch < 0 || inotify_add_watch(h->watch, dir, IN_CREATE | IN_ATTRIB) < 0) {
        int error = errno;

        hotkey_close(h);
        return -error;
    }
    watch_fd(h, h->watch, h);
    scan(h);
    *out = h;
    return 0;
}

void hotkey_close(struct hotkey *h)
{
    if (!h)
        return;
    for (unsigned i = 0; i < KEYBOARDS_MAX; i++)
        if (h->keyboard[i].fd >= 0)
            close(h->keyboard[i].fd);
    if (h->epoll >= 0)
        close(h->epoll);
    if (h->watch >= 0)
        close(h->watch);
    free(h);
}

unsigned hotkey_keyboards(const struct hotkey *h)
{
    unsigned n = 0;

    for (unsigned i = 0; i < KEYBOARDS_MAX; i++)
        n += h->keyboard[i].fd >= 0;
    return n;
}

int hotkey_fd(const struct hotkey *h)
{
    return h->epoll;
}

void hotkey_dispatch(struct hotkey *h)
{
    struct epoll_event e[KEYBOARDS_MAX + 1];
    int n = epoll_wait(h->epoll, e, GT_ARRAY_SIZE(e), 0);

    for (int i = 0; i < n; i++) {
        if (e[i].data.ptr == h)
            read_watch(h);
        else
            read_keyboard(h, e[i].data.ptr);
    }
}
