/*
 * A xenstored in this process: libxenstore's functions over an array, so that the keeper can be tried without Xen. It
 * defines the functions itself, so the library's are not linked. As the real one: a watch fires once when it is set,
 * for its node, for what is below, and when a node above is removed; new nodes inherit permissions.
 * One program, one inclusion; one thread.
 */
#ifndef GTMUX_TESTS_FAKES_XENSTORE_H
#define GTMUX_TESTS_FAKES_XENSTORE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenstore.h>

#define FAKE_NODES   256
#define FAKE_WATCHES 16
#define FAKE_EVENTS  256
#define FAKE_TEXT    600

struct fake_node {
    char path[128], value[FAKE_TEXT];
    struct xs_permissions perms;
};

static struct fake_xenstore {
    struct fake_node node[FAKE_NODES];
    unsigned nodes;
    struct {
        char path[128], token[32];
    } watch[FAKE_WATCHES], event[FAKE_EVENTS];
    unsigned watches, events;
    int fd;           /* eventfd: readable while events wait */
    int open_error;   /* xs_open fails so */
    bool lost;        /* the connection broke */
    bool driver;      /* we are a driver domain: what is not below /local/domain/SELF is EACCES */
    char self[8];     /* our domid */
    unsigned alive;   /* bits: domains that are introduced */
    unsigned clashes; /* so many transactions end with EAGAIN */
    unsigned transactions;
    void (*on_write)(const char *path, const char *value); /* after it took place */
    void (*on_watch)(const char *path);                    /* after it was set */
} fake_xs = {.fd = -1, .self = "0"};

static inline bool fake_below(const char *path, const char *top)
{
    size_t n = strlen(top);

    return !strncmp(path, top, n) && (!path[n] || path[n] == '/' || (n == 1 && top[0] == '/'));
}

enum fake_change { FAKE_SET, FAKE_REMOVED, FAKE_ONLY /* the watch on just this path */ };

static inline void fake_xs_fire(const char *path, enum fake_change change)
{
    for (unsigned i = 0; i < fake_xs.watches; i++) {
        const char *at = fake_xs.watch[i].path;
        bool hit = change == FAKE_ONLY ? !strcmp(path, at)
                                       : fake_below(path, at) || (change == FAKE_REMOVED && fake_below(at, path));
        if (!hit || fake_xs.events == FAKE_EVENTS)
            continue;
        fake_xs.event[fake_xs.events++] = fake_xs.watch[i];
        eventfd_write(fake_xs.fd, 1);
    }
}

static inline struct fake_node *fake_find(const char *path)
{
    for (unsigned i = 0; i < fake_xs.nodes; i++) {
        if (!strcmp(fake_xs.node[i].path, path))
            return &fake_xs.node[i];
    }
    return NULL;
}

/* The node, made with its parents when missing. */
static inline struct fake_node *fake_make(const char *path)
{
    struct fake_node *n = fake_find(path), *up = NULL;
    const char *slash = strrchr(path, '/');
    char parent[128];

    if (n)
        return n;
    if (slash && slash != path) {
        snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        up = fake_make(parent);
    }
    if (fake_xs.nodes == FAKE_NODES)
        abort();
    n = &fake_xs.node[fake_xs.nodes++];
    *n = (struct fake_node){.perms = up ? up->perms : (struct xs_permissions){0, XS_PERM_READ}};
    snprintf(n->path, sizeof(n->path), "%s", path);
    return n;
}

/* ---- what a test does to the store */

static inline void fake_xs_reset(void)
{
    if (fake_xs.fd >= 0)
        close(fake_xs.fd);
    fake_xs = (struct fake_xenstore){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .self = "0"};
}

static inline void fake_xs_set(const char *path, const char *value)
{
    snprintf(fake_make(path)->value, FAKE_TEXT, "%s", value);
    fake_xs_fire(path, FAKE_SET);
}

static inline void fake_xs_rm(const char *path)
{
    for (unsigned i = 0; i < fake_xs.nodes;) {
        if (fake_below(fake_xs.node[i].path, path))
            fake_xs.node[i] = fake_xs.node[--fake_xs.nodes];
        else
            i++;
    }
    fake_xs_fire(path, FAKE_REMOVED);
}

/* The value, or NULL. */
static inline const char *fake_xs_get(const char *path)
{
    struct fake_node *n = fake_find(path);

    return n ? n->value : NULL;
}

/* What libxl writes for an HVM guest. */
static inline void fake_xs_domain(unsigned domid, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    fake_xs_set(path, name);
    snprintf(path, sizeof(path), "/local/domain/%u/domid", domid);
    fake_xs_set(path, "7");
    snprintf(path, sizeof(path), "/local/domain/%u/vm", domid);
    fake_xs_set(path, "/vm/c0ffee");
    snprintf(path, sizeof(path), "/libxl/%u/type", domid);
    fake_xs_set(path, "hvm");
    snprintf(path, sizeof(path), "/local/domain/0/device-model/%u/state", domid);
    fake_xs_set(path, "running");
    fake_xs.alive |= 1u << domid;
}

/* ---- libxenstore */

static inline bool fake_refuses(const char *path)
{
    char own[32];

    snprintf(own, sizeof(own), "/local/domain/%s", fake_xs.self);
    if (fake_xs.lost)
        errno = EBADF;
    else if (fake_xs.driver && path[0] == '/' && !fake_below(path, own))
        errno = EACCES;
    else
        return false;
    return true;
}

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    errno = fake_xs.open_error;
    return fake_xs.open_error ? NULL : (struct xs_handle *)&fake_xs;
}

void xs_close(struct xs_handle *h)
{
    (void)h;
    fake_xs.watches = fake_xs.events = 0;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    (void)h, (void)t;
    if (fake_refuses(path))
        return NULL;
    const char *value = strcmp(path, "domid") ? fake_xs_get(path) : fake_xs.self;
    errno = value ? 0 : ENOENT;
    *len = value ? (unsigned)strlen(value) : 0;
    return value ? strdup(value) : NULL;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data, unsigned int len)
{
    (void)h, (void)t;
    if (fake_refuses(path))
        return false;
    snprintf(fake_make(path)->value, FAKE_TEXT, "%.*s", (int)len, (const char *)data);
    fake_xs_fire(path, FAKE_SET);
    if (fake_xs.on_write)
        fake_xs.on_write(path, fake_xs_get(path));
    return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    (void)h, (void)t;
    if (fake_refuses(path))
        return false;
    fake_make(path);
    return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    (void)h, (void)t;
    if (fake_refuses(path))
        return false;
    fake_xs_rm(path);
    return true;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
    size_t n = strlen(path);
    char **list, *text;

    (void)h, (void)t;
    if (fake_refuses(path))
        return NULL;
    list = malloc(FAKE_NODES * (sizeof(*list) + 128));
    text = (char *)(list + FAKE_NODES);
    *num = 0;
    for (unsigned i = 0; i < fake_xs.nodes; i++) {
        const char *at = fake_xs.node[i].path;
        if (strncmp(at, path, n) || at[n] != '/' || strchr(at + n + 1, '/'))
            continue;
        list[(*num)++] = strcpy(text, at + n + 1);
        text += strlen(text) + 1;
    }
    return list;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path, struct xs_permissions *perms,
                        unsigned int num)
{
    (void)h, (void)t;
    if (fake_refuses(path) || !fake_find(path) || num != 1)
        return false;
    fake_find(path)->perms = perms[0];
    return true;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    (void)h;
    if (path[0] == '@' ? fake_xs.driver && (errno = EACCES) : fake_refuses(path))
        return false;
    if (fake_xs.watches == FAKE_WATCHES)
        abort();
    snprintf(fake_xs.watch[fake_xs.watches].path, 128, "%s", path);
    snprintf(fake_xs.watch[fake_xs.watches++].token, 32, "%s", token);
    fake_xs_fire(path, FAKE_ONLY);
    if (fake_xs.on_watch)
        fake_xs.on_watch(path);
    return true;
}

int xs_fileno(struct xs_handle *h)
{
    (void)h;
    return fake_xs.fd;
}

char **xs_check_watch(struct xs_handle *h)
{
    eventfd_t count;

    (void)h;
    if (!fake_xs.events) {
        eventfd_read(fake_xs.fd, &count);
        errno = EAGAIN;
        return NULL;
    }
    char **v = malloc(2 * sizeof(*v) + sizeof(fake_xs.event[0]));
    char *text = (char *)(v + 2);
    memcpy(text, &fake_xs.event[0], sizeof(fake_xs.event[0]));
    memmove(fake_xs.event, fake_xs.event + 1, --fake_xs.events * sizeof(fake_xs.event[0]));
    v[XS_WATCH_PATH] = text;
    v[XS_WATCH_TOKEN] = text + sizeof(fake_xs.event[0].path);
    return v;
}

bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
    (void)h;
    return !fake_xs.lost && !fake_xs.driver && (fake_xs.alive >> domid & 1);
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    (void)h;
    return ++fake_xs.transactions;
}

/* Writes took place at once: enough for one client. */
bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort_it)
{
    (void)h, (void)t, (void)abort_it;
    if (!fake_xs.clashes)
        return true;
    fake_xs.clashes--;
    errno = EAGAIN;
    return false;
}

#endif
