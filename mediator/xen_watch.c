/*
 * The end of a domain as xenstore shows it. `xl destroy` pauses the domain, removes QEMU's node and kills QEMU, removes
 * the guest's home, and destroys the domain last (libxl_domain.c, libxl__destroy_domid); what still maps its memory
 * then keeps it as a zombie. So the removal of QEMU's node is already the sign to let go. xenopsd destroys first
 * (domain.ml, destroy): there @releaseDomain is the first sign. A soft reset (kexec in the guest) also starts with
 * the removal of QEMU's node, and Xen drops all ioreq servers: it needs the same answer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/xen_keys_internal.h"

/* Tokens come back with each event. */
#define TOKEN_DOMAIN "domain"
#define TOKEN_UNPLUG "unplug"
#define TOKEN_STATE  "state"

static bool path_gone(struct xen_keys *k, const char *path)
{
    char *value = xen_keys_read(k, path);
    bool gone = !value && errno == ENOENT; /* a driver domain gets EACCES: not known to be gone */

    free(value);
    return gone;
}

/* A driver domain may not watch what is another's. */
static int watch_domain(struct xen_keys *k, const char *path)
{
    return xs_watch(k->xs, path, TOKEN_DOMAIN) || errno == EACCES ? 0 : -errno;
}

int xen_keys_watch(struct xen_keys *k)
{
    char path[sizeof(k->base) + 8];
    int rc;

    /* Only dom0 may ask (oxenstored), and the answer "no" cannot be told from a refusal: so ask while it lives. */
    k->may_ask_xen = xs_is_domain_introduced(k->xs, k->domid);
    /* Not the home itself: the guest can write below it, and each write would be an event for us. */
    snprintf(path, sizeof(path), "%s/domid", k->home);
    if ((rc = watch_domain(k, "@releaseDomain")) || (rc = watch_domain(k, path)) || (rc = watch_domain(k, k->model)))
        return rc;
    snprintf(path, sizeof(path), "%s/unplug", k->base);
    return xs_watch(k->xs, path, TOKEN_UNPLUG) ? 0 : -errno;
}

int xen_keys_watch_state(struct xen_keys *k)
{
    char path[sizeof(k->base) + 8];

    snprintf(path, sizeof(path), "%s/state", k->base);
    return xs_watch(k->xs, path, TOKEN_STATE) ? 0 : -errno;
}

int xen_keys_fd(struct xen_keys *k)
{
    return xs_fileno(k->xs);
}

static bool unplug_asked(struct xen_keys *k)
{
    char path[sizeof(k->base) + 8];

    snprintf(path, sizeof(path), "%s/unplug", k->base);
    char *value = xen_keys_read(k, path);
    bool asked = value && !strcmp(value, "1");
    free(value);
    return asked;
}

unsigned xen_keys_events(struct xen_keys *k)
{
    unsigned events = 0;
    char **watch;

    while ((watch = xs_check_watch(k->xs))) {
        if (!strcmp(watch[XS_WATCH_TOKEN], TOKEN_DOMAIN))
            events |= XEN_EVENT_DOMAIN;
        else if (!strcmp(watch[XS_WATCH_TOKEN], TOKEN_STATE))
            events |= XEN_EVENT_STATE;
        else if (unplug_asked(k)) /* a watch also fires once when it is set */
            events |= XEN_EVENT_UNPLUG;
        free(watch);
    }
    return events;
}

/* xenstored forgets a domain as soon as it is dying. A lost connection also says "no". */
static bool xen_forgot(struct xen_keys *k)
{
    if (!k->may_ask_xen || xs_is_domain_introduced(k->xs, k->domid))
        return false;
    char *answer = xen_keys_read(k, "/local");
    bool connected = answer;
    free(answer);
    return connected;
}

enum xen_domain_state xen_keys_domain(struct xen_keys *k)
{
    if (path_gone(k, k->home) || xen_forgot(k))
        return XEN_DOMAIN_GONE;
    if (!path_gone(k, k->model)) {
        k->model_seen = true;
        return XEN_DOMAIN_ALIVE;
    }
    return k->model_seen ? XEN_DOMAIN_LEAVING : XEN_DOMAIN_ALIVE;
}
