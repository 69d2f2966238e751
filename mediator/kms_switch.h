/* How gtmux kms --switch=NAME reaches a running gtmux kms: a datagram with the guest's name to
 * RUN_DIR/kms-MONITOR.switch, which is answered by one with "ok" or a reason. */
#ifndef GTMUX_MEDIATOR_KMS_SWITCH_H
#define GTMUX_MEDIATOR_KMS_SWITCH_H

#include <stdbool.h>
#include <stddef.h>

struct kms_switch;

/* Listens. monitor: kms_name. wanted is called from kms_switch_dispatch; NULL: done, else why not. 0 or -errno. */
int kms_switch_open(struct kms_switch **out, const char *run_dir, const char *monitor,
                    const char *(*wanted)(void *ctx, const char *guest), void *ctx);
void kms_switch_close(struct kms_switch *s); /* NULL is fine */
/* The descriptor to poll for input, and what then to call. */
int kms_switch_fd(const struct kms_switch *s);
void kms_switch_dispatch(struct kms_switch *s);

/* Asks all that listen in the directory to show a guest. True: one of them does. Else a message is in err. */
bool kms_switch_ask(const char *run_dir, const char *guest, char *err, size_t errsz);

#endif
