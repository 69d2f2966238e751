/*
 * A VNC server as a sink, by neatvnc. Linear pictures of 8 or 10 bits a channel are encoded straight from the guest's
 * memory; others are detiled or converted first, and the bytes are counted. The cursor is sent as a cursor. With no
 * client nothing is read and nothing is copied.
 */
#ifndef GTMUX_DISPLAY_VNC_H
#define GTMUX_DISPLAY_VNC_H

#include "display/sink.h"

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

/* Listens; SIGPIPE must be ignored, and what the options point to must outlive the sink. 0 or -errno with a message.
 * One server a process (neatvnc's main loop is global). Nobody asks for another size: events.resize is not called. */
int vnc_open(struct sink **out, const struct vnc_options *o, const struct sink_events *events, void *ctx, char *err,
             size_t errsz);
/* Of a sink that vnc_open has made. */
void vnc_get_stats(const struct sink *s, struct vnc_stats *out);

#endif
