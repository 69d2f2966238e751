/*
 * The control socket of a dm: RUN_DIR/NAME.ctl, one JSON object a line in each direction. Served by a thread of its
 * own, so that no viewer can hold up the guest.
 *
 * Requests: {"cmd":"info"} {"cmd":"stats"} {"cmd":"screenshot","head":N}
 *           {"cmd":"head","head":N,"connected":bool,"mode":"WxH@HZ"}
 *           {"cmd":"arbiter"} with a seqpacket socket: gtmuxd invites the guest to register
 * Answers:  {"ok":true, ...} or {"ok":false,"error":"text"}. A screenshot's answer carries width, height and a memfd
 *           (SCM_RIGHTS) of width * height XRGB8888 pixels, top row first.
 */
#ifndef GTMUX_MEDIATOR_CONTROL_H
#define GTMUX_MEDIATOR_CONTROL_H

#include <cjson/cJSON.h>
#include <stddef.h>

#define CONTROL_LINE_MAX 16384u
#define CONTROL_SUFFIX   ".ctl"

struct session;
struct control;

/* Listens. run_dir NULL: the default one. 0 or -errno with a message; -EADDRINUSE when a dm of that name lives. */
int control_open(struct control **out, struct session *s, const char *run_dir, char *err, size_t errsz);
/* Starts the thread: clients are answered from now on. 0 or -errno. */
int control_start(struct control *c);
/* Stops the thread and removes the socket. NULL is fine. */
void control_close(struct control *c);

/* Answers one request line, which *fd came with (-1: none; taken over). The caller owns the result and what is in *fd
 * then. Never NULL but when out of memory. */
cJSON *control_handle(struct session *s, const char *line, int *fd);

/* ---- client side */
/* Connects to the dm NAME, which takes 2 s at most. A socket, or -errno. */
int control_connect(const char *run_dir, const char *name);
/* Sends a request and waits for the answer (at most 10 s). fd may be NULL: a passed descriptor is closed. The answer is
 * the caller's; NULL with errno. */
cJSON *control_ask(int sock, const cJSON *request, int *fd);
/* The same, with another time to wait. */
cJSON *control_ask_for(int sock, const cJSON *request, int *fd, int timeout_ms);

#endif
