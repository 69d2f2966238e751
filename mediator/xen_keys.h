/*
 * What gtmux reads and writes in xenstore; docs/xen.md lists the keys. One object is one domain as seen by one process.
 * The keeper is the only writer; the process that faces the guest holds none of this. Not thread safe, and not to be
 * used in a forked child: libxenstore has a thread of its own once a watch is set.
 */
#ifndef GTMUX_MEDIATOR_XEN_KEYS_H
#define GTMUX_MEDIATOR_XEN_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#define XEN_KEYS_NAME_MAX 128u
#define XEN_DOMID_LAST    0x7fefu /* xen/public/xen.h: DOMID_FIRST_RESERVED - 1 */

struct xen_keys;

/* Connects to xenstore and looks the domain up. 0, or -errno with a message: -ENOENT no such domain, -EOPNOTSUPP no HVM
 * guest, others: no xenstore. */
int xen_keys_open(struct xen_keys **out, unsigned domid, char *err, size_t errsz);
/* As xen_keys_open, for a domain given by its number or its name. */
int xen_keys_find(struct xen_keys **out, const char *domain, char *err, size_t errsz);
/* Closes the connection; keys stay. NULL is fine. */
void xen_keys_close(struct xen_keys *k);

unsigned xen_keys_domid(const struct xen_keys *k);
const char *xen_keys_name(const struct xen_keys *k); /* as the toolstack says, "" when it says none */
const char *xen_keys_uuid(const struct xen_keys *k); /* tells a domain from a later one of the same number; or "" */
const char *xen_keys_path(const struct xen_keys *k); /* of our node, "/local/domain/0/gtmux/7" */

/* True when there is no such domain any more. Not known to a driver domain: false. */
bool xen_keys_gone(struct xen_keys *k, unsigned domid);
/* A name that gtmux takes (session_name_ok), made of the domain's; at least 48 bytes. */
void xen_keys_guest_name(const struct xen_keys *k, char *buf, size_t size);

/* ---- the keeper's side: each 0 or -errno */

/* Makes the node anew, readable for none but its owner, in state "initialising", and sweeps those of dead domains. */
int xen_keys_claim(struct xen_keys *k, const char *name);
int xen_keys_running(struct xen_keys *k, unsigned server, unsigned restarts);
int xen_keys_restarting(struct xen_keys *k);
/* code: one word. text: printed as it is, control characters blanked. */
int xen_keys_failed(struct xen_keys *k, const char *code, const char *text);
int xen_keys_remove(struct xen_keys *k);

enum xen_domain_state {
    XEN_DOMAIN_ALIVE,
    XEN_DOMAIN_LEAVING, /* its device model is being taken down: let go of its memory */
    XEN_DOMAIN_GONE,
};
enum {
    XEN_EVENT_DOMAIN = 1 << 0, /* ask xen_keys_domain */
    XEN_EVENT_UNPLUG = 1 << 1, /* the toolstack wants the vGPU taken away */
    XEN_EVENT_STATE = 1 << 2,  /* ask xen_keys_status */
};

/* Sets the watches; from now on xen_keys_fd becomes readable when xen_keys_events has something. */
int xen_keys_watch(struct xen_keys *k);
int xen_keys_fd(struct xen_keys *k);
/* Takes everything that is pending: a set of XEN_EVENT_*. Never blocks. */
unsigned xen_keys_events(struct xen_keys *k);
enum xen_domain_state xen_keys_domain(struct xen_keys *k);

/* ---- everybody's side */

struct xen_keys_status {
    char state[24]; /* "" when nobody serves the domain */
    char name[XEN_KEYS_NAME_MAX];
    char error_code[32], error_text[512];
    unsigned pid, server;
};
void xen_keys_status(struct xen_keys *k, struct xen_keys_status *out);
/* Lets xen_keys_fd become readable when the state changes; xen_keys_events takes that, too. 0 or -errno. */
int xen_keys_watch_state(struct xen_keys *k);

#endif
