/* Shared by xen_keys.c and xen_watch.c. */
#ifndef GTMUX_MEDIATOR_XEN_KEYS_INTERNAL_H
#define GTMUX_MEDIATOR_XEN_KEYS_INTERNAL_H

#include <xenstore.h>

#include "mediator/xen_keys.h"

struct xen_keys {
    struct xs_handle *xs;
    unsigned domid, self; /* the guest; where we run (0, or a driver domain) */
    char base[64];        /* our node */
    char home[48];        /* the guest's home, which toolstacks remove on destroy */
    char model[64];       /* QEMU's node, which libxl and xenopsd remove when they take the device model down */
    char name[XEN_KEYS_NAME_MAX], uuid[64];
    bool xenopsd;     /* a XenServer toolstack reads us too */
    bool model_seen;  /* QEMU's node has been there */
    bool may_ask_xen; /* xenstore answers us whether a domain is introduced */
};

/* The caller frees it. NULL with errno. */
char *xen_keys_read(struct xen_keys *k, const char *path);

#endif
