/*
 * A VNC server as a sink, by neatvnc. Linear pictures of 8 or 10 bits a channel are encoded straight from the guest's
 * memory; others are detiled or converted first, and the bytes are counted. The cursor is sent as a cursor. With no
 * client nothing is read and nothing is copied.
 */
#ifndef GTMUX_DISPLAY_VNC_H
#define GTMUX_DISPLAY_VNC_H

#include "display/input.h"
#include "display/viewer.h"

struct vnc;

struct vnc_options {
    const char *unix_path; /* socket to listen on, or NULL */
    const char *address;   /* else: a host's address or name, */
    uint16_t port;         /* and port */
    const char *title;     /* of the desktop */
    unsigned fps;          /* pictures a second, at most */
    const char *keymap; /* XKB layout, for clients that send letters and not keys; NULL: events.input leads nowhere */
    /* Clients must use TLS with this certificate and private key (PEM files), and give a user and a password that
     * `allows` says yes to. NULL: everybody may come. */
    const char *tls_cert, *tls_key;
    bool (*allows)(void *ctx, const char *user, const char *password);
    void *allows_ctx;
};

struct vnc_stats {
    unsigned clients;
    uint64_t pictures;     /* handed to the encoder */
    uint64_t bytes_copied; /* detiled or converted for it */
    uint64_t scans;        /* looks for changes without a flip */
};

/* What the server tells its user. */
struct vnc_events {
    /* A flip need not be kept any longer: the next one may come. */
    void (*shown)(void *ctx, uint32_t serial);
    /* Copied frames should be brought up to date. */
    void (*refresh)(void *ctx);
    /* Keys and pointers of all clients. */
    input_fn input;
};

/* Listens; SIGPIPE must be ignored. 0 or -errno with a message. One server a process (neatvnc's main loop is global).
 */
int vnc_open(struct vnc **out, const struct vnc_options *o, const struct vnc_events *events, void *ctx, char *err,
             size_t errsz);
void vnc_close(struct vnc *v); /* NULL is fine */

/* To be polled for input, and what then to call. */
int vnc_fd(const struct vnc *v);
void vnc_dispatch(struct vnc *v);
/* Does what is due at `now` (gt_clock_ns) and returns when to be called again; UINT64_MAX: not before an event. */
uint64_t vnc_tick(struct vnc *v, uint64_t now);
void vnc_flip(struct vnc *v, const struct viewer_flip *f, uint64_t now);
void vnc_cursor(struct vnc *v, const struct viewer_cursor *c);
/* The frame goes away; what clients still read of it is kept for them. */
void vnc_frame_gone(struct vnc *v, struct viewer_frame *f);
void vnc_get_stats(const struct vnc *v, struct vnc_stats *out);

#endif
