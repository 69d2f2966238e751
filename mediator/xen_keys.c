/* The keys, one by one; xen_watch.c looks at the domain's life. */
#include "mediator/xen_keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/session.h"
#include "mediator/version.h"
#include "mediator/xen_keys_internal.h"

#define PATH_MAX_XS 128 /* longest path of ours, with room */
#define RETRIES     16  /* of a transaction that others disturb */

/* ---- plain reads and writes */

char *xen_keys_read(struct xen_keys *k, const char *path)
{
    unsigned len;

    return xs_read(k->xs, XBT_NULL, path, &len);
}

static void read_text(struct xen_keys *k, const char *dir, const char *key, char *buf, size_t size)
{
    char path[PATH_MAX_XS];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    char *value = xen_keys_read(k, path);
    snprintf(buf, size, "%s", value ? value : "");
    free(value);
}

static unsigned read_number(struct xen_keys *k, const char *dir, const char *key)
{
    char text[16];

    read_text(k, dir, key, text, sizeof(text));
    return (unsigned)strtoul(text, NULL, 10);
}

static int write_in(struct xen_keys *k, xs_transaction_t t, const char *dir, const char *key, const char *value)
{
    char path[PATH_MAX_XS];

    snprintf(path, sizeof(path), "%s/%s", dir, key);
    return xs_write(k->xs, t, path, value, (unsigned)strlen(value)) ? 0 : -errno;
}

static int write_number(struct xen_keys *k, const char *key, unsigned value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    return write_in(k, XBT_NULL, k->base, key, text);
}

/* ---- open */

/* xenstore speaks of "domid" and other keys without a leading slash as below the caller's own home. */
static unsigned own_domid(struct xen_keys *k)
{
    char *text = xen_keys_read(k, "domid");
    unsigned domid = text ? (unsigned)strtoul(text, NULL, 10) : 0;

    free(text);
    return domid;
}

/* libxl says what it built in /libxl/N/type; other toolstacks leave hvmloader's keys. No word at all: Xen will tell. */
static bool is_hvm(struct xen_keys *k)
{
    char dir[PATH_MAX_XS], type[16];

    snprintf(dir, sizeof(dir), "/libxl/%u", k->domid);
    read_text(k, dir, "type", type, sizeof(type));
    return !type[0] || !strcmp(type, "hvm");
}

static int look_up(struct xen_keys *k, char *err, size_t errsz)
{
    char uuid[XEN_KEYS_NAME_MAX];

    k->self = own_domid(k);
    if (k->domid == k->self) {
        snprintf(err, errsz, "domain %u is the one that this command runs in; give the guest's", k->domid);
        return -EOPNOTSUPP;
    }
    snprintf(k->home, sizeof(k->home), "/local/domain/%u", k->domid);
    snprintf(k->model, sizeof(k->model), "/local/domain/0/device-model/%u", k->domid);
    snprintf(k->base, sizeof(k->base), "/local/domain/%u/gtmux/%u", k->self, k->domid);
    char *home = xen_keys_read(k, k->home);
    if (!home && errno == ENOENT) {
        snprintf(err, errsz, "there is no domain %u; 'xl list' shows those that run", k->domid);
        return -ENOENT;
    }
    free(home);
    if (!is_hvm(k)) {
        snprintf(err, errsz, "domain %u is no HVM guest, so it has no PCI bus for a GPU; create it with type=\"hvm\"",
                 k->domid);
        return -EOPNOTSUPP;
    }
    read_text(k, k->home, "name", k->name, sizeof(k->name));
    read_text(k, k->home, "vm", uuid, sizeof(uuid)); /* "/vm/UUID" */
    snprintf(k->uuid, sizeof(k->uuid), "%s", strrchr(uuid, '/') ? strrchr(uuid, '/') + 1 : "");
    return 0;
}

static int connect_to(struct xen_keys **out, unsigned domid, char *err, size_t errsz)
{
    struct xen_keys *k = calloc(1, sizeof(*k));

    *out = NULL;
    if (k)
        k->xs = xs_open(0);
    if (!k || !k->xs) {
        int rc = k ? -errno : -ENOMEM;
        snprintf(err, errsz, "cannot reach xenstore: %s; this needs root, and a host that runs Xen (dom0)",
                 strerror(-rc));
        free(k);
        return rc;
    }
    k->domid = domid;
    *out = k;
    return 0;
}

int xen_keys_open(struct xen_keys **out, unsigned domid, char *err, size_t errsz)
{
    int rc = connect_to(out, domid, err, errsz);

    if (rc || !(rc = look_up(*out, err, errsz)))
        return rc;
    xen_keys_close(*out);
    *out = NULL;
    return rc;
}

/* The number of the domain called so, or -1. */
static long domid_of(struct xen_keys *k, const char *name)
{
    unsigned count = 0;
    long found = -1;
    char **domains = xs_directory(k->xs, XBT_NULL, "/local/domain", &count);

    for (unsigned i = 0; domains && i < count && found < 0; i++) {
        char dir[PATH_MAX_XS], text[XEN_KEYS_NAME_MAX];
        snprintf(dir, sizeof(dir), "/local/domain/%s", domains[i]);
        read_text(k, dir, "name", text, sizeof(text));
        if (!strcmp(text, name))
            found = strtol(domains[i], NULL, 10);
    }
    free(domains);
    return found;
}

int xen_keys_find(struct xen_keys **out, const char *domain, char *err, size_t errsz)
{
    char *end;
    int rc = connect_to(out, 0, err, errsz);

    if (rc)
        return rc;
    errno = 0;
    long domid = strtol(domain, &end, 10);
    if (errno || *end || end == domain || domid < 0 || domid > (long)XEN_DOMID_LAST)
        domid = domid_of(*out, domain);
    if (domid < 0) {
        snprintf(err, errsz, "there is no domain '%s'; 'xl list' shows those that run", domain);
        rc = -ENOENT;
    } else {
        (*out)->domid = (unsigned)domid;
        rc = look_up(*out, err, errsz);
    }
    if (rc) {
        xen_keys_close(*out);
        *out = NULL;
    }
    return rc;
}

void xen_keys_close(struct xen_keys *k)
{
    if (!k)
        return;
    xs_close(k->xs);
    free(k);
}

unsigned xen_keys_domid(const struct xen_keys *k)
{
    return k->domid;
}

const char *xen_keys_name(const struct xen_keys *k)
{
    return k->name;
}

void xen_keys_guest_name(const struct xen_keys *k, char *buf, size_t size)
{
    snprintf(buf, size, "%s", k->name);
    for (char *c = buf; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
            *c = '_';
    }
    if (!session_name_ok(buf))
        snprintf(buf, size, "dom-%u", k->domid);
}

const char *xen_keys_uuid(const struct xen_keys *k)
{
    return k->uuid;
}

const char *xen_keys_path(const struct xen_keys *k)
{
    return k->base;
}

/* ---- XenServer's names for the same facts (xenopsd, service.ml and device.ml: module Vgpu) */

/*
 * They are in the guest's home, which the toolstack removes when it destroys the domain: a write after that would leave
 * a ghost of a home for ever. So only if the home is there, in one transaction.
 */
static void tell_xenopsd(struct xen_keys *k, const char *state, const char *error_code)
{
    char pid[16];

    snprintf(pid, sizeof(pid), "%u", (unsigned)getpid());
    for (int i = 0; k->xenopsd && i < RETRIES; i++) {
        xs_transaction_t t = xs_transaction_start(k->xs);
        unsigned len;
        char *home = t != XBT_NULL ? xs_read(k->xs, t, k->home, &len) : NULL;
        bool ok = home && !(error_code && write_in(k, t, k->home, "vgpu/error-code", error_code)) &&
                  !write_in(k, t, k->home, "vgpu-pid", pid) && !write_in(k, t, k->home, "vgpu/state", state);
        free(home);
        if (t == XBT_NULL || xs_transaction_end(k->xs, t, !ok) || errno != EAGAIN)
            return;
    }
}

/* ---- the keeper's writes */

bool xen_keys_gone(struct xen_keys *k, unsigned domid)
{
    char path[PATH_MAX_XS];

    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    char *home = xen_keys_read(k, path);
    bool gone = !home && errno == ENOENT;
    free(home);
    return gone;
}

/* A node without a keeper stays behind when the keeper was killed or gave up and the domain went away later. */
static void sweep(struct xen_keys *k)
{
    char dir[48], path[PATH_MAX_XS];
    unsigned count = 0;

    snprintf(dir, sizeof(dir), "/local/domain/%u/gtmux", k->self);
    char **domains = xs_directory(k->xs, XBT_NULL, dir, &count);
    for (unsigned i = 0; domains && i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, domains[i]);
        if (xen_keys_gone(k, (unsigned)strtoul(domains[i], NULL, 10)))
            xs_rm(k->xs, XBT_NULL, path);
    }
    free(domains);
}

int xen_keys_claim(struct xen_keys *k, const char *name)
{
    struct xs_permissions owner = {.id = k->self, .perms = XS_PERM_NONE};
    char *xenops = xen_keys_read(k, "/xenops");
    int rc;

    k->xenopsd = xenops;
    free(xenops);
    sweep(k);
    xs_rm(k->xs, XBT_NULL, k->base);
    /* Keys below inherit the permissions. */
    if (!xs_mkdir(k->xs, XBT_NULL, k->base) || !xs_set_permissions(k->xs, XBT_NULL, k->base, &owner, 1))
        return -errno;
    if ((rc = write_in(k, XBT_NULL, k->base, "name", name)) ||
        (rc = write_in(k, XBT_NULL, k->base, "version", GTMUX_VERSION)) ||
        (rc = write_number(k, "pid", (unsigned)getpid())) ||
        (rc = write_in(k, XBT_NULL, k->base, "state", "initialising")))
        return rc;
    tell_xenopsd(k, "initialising", NULL);
    return 0;
}

/* The state is written last: who waits for it finds the rest in place. */
int xen_keys_running(struct xen_keys *k, unsigned server, unsigned restarts)
{
    int rc;

    if ((rc = write_number(k, "server", server)) || (rc = write_number(k, "restarts", restarts)) ||
        (rc = write_in(k, XBT_NULL, k->base, "state", "running")))
        return rc;
    tell_xenopsd(k, "running", NULL);
    return 0;
}

int xen_keys_restarting(struct xen_keys *k)
{
    return write_in(k, XBT_NULL, k->base, "state", "restarting");
}

int xen_keys_failed(struct xen_keys *k, const char *code, const char *text)
{
    char clean[512];
    int rc;

    snprintf(clean, sizeof(clean), "%s", text);
    for (char *c = clean; *c; c++) {
        if (!isprint((unsigned char)*c))
            *c = ' ';
    }
    if ((rc = write_in(k, XBT_NULL, k->base, "error-code", code)) ||
        (rc = write_in(k, XBT_NULL, k->base, "error-text", clean)) ||
        (rc = write_in(k, XBT_NULL, k->base, "state", "error")))
        return rc;
    tell_xenopsd(k, "error", code);
    return 0;
}

int xen_keys_remove(struct xen_keys *k)
{
    return xs_rm(k->xs, XBT_NULL, k->base) ? 0 : -errno;
}

void xen_keys_status(struct xen_keys *k, struct xen_keys_status *out)
{
    *out = (struct xen_keys_status){.pid = read_number(k, k->base, "pid"), .server = read_number(k, k->base, "server")};
    read_text(k, k->base, "state", out->state, sizeof(out->state));
    read_text(k, k->base, "name", out->name, sizeof(out->name));
    read_text(k, k->base, "error-code", out->error_code, sizeof(out->error_code));
    read_text(k, k->base, "error-text", out->error_text, sizeof(out->error_text));
}
