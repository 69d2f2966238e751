/* The insides of a session, shared by mediator/session.c and session_transport.c. */
#ifndef GTMUX_MEDIATOR_SESSION_INTERNAL_H
#define GTMUX_MEDIATOR_SESSION_INTERNAL_H

#include <stdatomic.h>

#include "ioreq/transport.h"
#include "mediator/account.h"
#include "mediator/arbiter/tenant.h"
#include "mediator/control.h"
#include "mediator/journal.h"
#include "mediator/screens.h"
#include "mediator/session.h"
#include "mediator/spin.h"
#include "mediator/workers.h"
#include "vgpu/base/log.h"

struct session {
    struct session_options opt;
    char name[SESSION_NAME_MAX];
    struct ioreq_transport *transport;
    struct gate *gate;
    struct vgpu_config device;
    struct journal *journal; /* Xen: where the device lives, or NULL */
    bool adopted;            /* the device is a killed predecessor's */
    struct backend *backend;
    struct workers *workers;
    struct tenant *tenant; /* of gtmuxd */
    struct account *account;
    atomic_flag telling;            /* one thread at a time uses over_quota */
    struct gt_ratelimit over_quota; /* log lines */
    struct control *control;
    struct screens *screens;
    int stop_fd; /* eventfd, for transports that are polled */
    atomic_bool stopping;
    void *gtt;  /* behind the GTT half of BAR0: the guest reaches it without traps. NULL: it traps */
    int gtt_fd; /* vfio-user: its memfd, or -1 */
    struct ioreq_xen_backing *backing; /* Xen: what it is made of, or NULL */
    uint8_t rom[VGPU_ROM_SIZE];
    uint64_t start_ns;
    atomic_bool connected;
    _Atomic uint64_t messages;
    struct spin spin;
    uint64_t accesses; /* trap thread */
    int adopt_server;  /* Xen: the ioreq server that a predecessor left behind, or -1 */
};

/* Writes "WHAT: reason" to err; returns code. */
int session_fail(char *err, size_t errsz, const char *what, int code);
/* session_gtt.c: decides whether GTT accesses trap, and gets the memory if not; after the journal is open. 0 or -errno
 * with a message. */
int session_open_gtt(struct session *s, char *err, size_t errsz);
void session_close_gtt(struct session *s);
bool session_clear_gtt(void *session); /* vgpu_ops.gtt_clear */
/* session_arbiter.c: registers with gtmuxd where one runs. 0, or -errno with a message: it refuses this guest. */
int session_open_arbiter(struct session *s, char *err, size_t errsz);
/* The account has refused a page to GPU work: stops the work. Returns -EFAULT. Any thread, any lock. */
int session_over_quota(struct session *s);
/* An engine has new work: tells gtmuxd how things stand. Any thread, any lock. */
void session_note_work(struct session *s);
/* session_transport.c: opens the transport that the options name, with the device's regions. The guest can speak when
 * it returns. 0 or -errno with a message. */
int session_open_transport(struct session *s, char *err, size_t errsz);

#endif
