/*
 * A dm session: one guest. It joins a transport, the gate with its vGPU, the soft backend and the threads:
 *   trap thread     (the caller of session_run)  transport dispatch only: never waits for GPU work or for a viewer
 *   engine threads  (one an engine)              gate_engine_run
 *   display thread                               gate_display_tick
 *   screens thread  (screens.c)                  frames for viewers
 *   control thread  (control.c)                  list, stats, screenshot, head
 */
#ifndef GTMUX_MEDIATOR_SESSION_H
#define GTMUX_MEDIATOR_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mediator/backend.h"
#include "mediator/gate.h"
#include "mediator/run_dir.h"
#include "mediator/sandbox.h"
#include "vgpu/vgpu.h"

struct session_options {
    const char *name;      /* of the guest: letters, digits, '-', '_', '.' */
    const char *vfio_user; /* path of the listening socket, or NULL */
    int xen_domid;         /* the HVM domain to serve as an ioreq server, or -1; exactly one of the two */
    /* Xen: file that holds the device's state, so that a successor can adopt it (mediator/journal.h). NULL: none. */
    const char *state_path;
    const char *xen_uuid; /* of the domain: a state file of another one is not adopted */
    const char *run_dir;  /* where the control socket goes; NULL: run_dir_default() */
    const char *record;   /* trace file to write, or NULL */
    unsigned heads;       /* 1..VGPU_HEADS */
    struct vgpu_mode mode[VGPU_HEADS];
    bool pvinfo;
    /* The guest stores into the GTT without traps (never while recording). On Xen it takes memory of the guest. QEMU's
     * vfio-user client then waits for the answer of each trapped write, which i915 relies on: it takes the aperture for
     * coherent (has_coherent_ggtt) and reads an object's memory right after a write through it. To a device without a
     * mapping QEMU posts writes. */
    bool map_gtt;
    unsigned leave_mb;     /* Xen: memory that the guest may still have and that the GTT is not to take, MiB */
    uint32_t mappable_mb;  /* CPU window of the aperture, MiB */
    unsigned busy_poll_us; /* 0: sleep at once */
    unsigned flip_wait_ms; /* the guest's flips wait for viewers, at most so long; 0: never */
    bool arbiter;          /* register with gtmuxd, if there is one */
    const char *profile;   /* there; NULL: its default one */
};

void session_options_default(struct session_options *o);

struct session;
struct screens;
struct tenant;

/* Opens everything that needs rights, without any thread. 0, or -errno with a message (what, why, what to do) in err.
 */
int session_open(struct session **out, const struct session_options *o, char *err, size_t errsz);
/* Xen: id of our ioreq server; else 0. */
unsigned session_xen_server(const struct session *s);
/* Gives up all rights but those over this guest (mediator/sandbox.h). 0, or -errno with a message: then the process
 * must not go on. Single threaded. */
int session_confine(struct session *s, const struct sandbox_options *o, char *err, size_t errsz);
/* Starts the threads. 0 or -errno with a message. */
int session_start(struct session *s, char *err, size_t errsz);
/* Serves guests until session_stop, a guest that can have no successor, or a broken transport. 0 or -errno. The trap
 * thread; after session_start. */
int session_run(struct session *s);
/* Makes session_run return. Async-signal-safe. */
void session_stop(struct session *s);
/* Stops the threads, prints the final hash when recording, frees everything. NULL is fine. */
void session_close(struct session *s);

struct session_info {
    const char *name;
    bool connected;     /* a VM is attached */
    uint64_t uptime_ns; /* of the dm */
    uint64_t messages;  /* dispatch rounds of the transport */
};
/* Any thread. */
void session_get_info(struct session *s, struct session_info *out);
struct gate *session_gate(struct session *s);
struct screens *session_screens(struct session *s);
struct backend *session_backend(struct session *s);
/* May a monitor of this size be plugged into the head, by the guest's profile? */
bool session_may_plug(struct session *s, unsigned head, const struct vgpu_mode *mode);
struct tenant *session_tenant(struct session *s); /* NULL: registers with nobody */

#endif
