/* Who may connect to gtmux vnc: where it listens, and the file with user and password. */
#ifndef GTMUX_MEDIATOR_VNC_ACCESS_H
#define GTMUX_MEDIATOR_VNC_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#define VNC_WORD_MAX 256u

struct vnc_access {
    char user[VNC_WORD_MAX], password[VNC_WORD_MAX];
};

/* True when everything that the name or address stands for is this machine's own. */
bool vnc_access_is_local(const char *address);
/* Reads USER:PASSWORD from the first line of a file that belongs to us or root and that nobody else may read. 0 or
 * -errno with a message. */
int vnc_access_read(struct vnc_access *a, const char *path, char *err, size_t errsz);
/* 0 if a file with a private key may be used: nobody else may read it. Else -errno with a message. */
int vnc_access_check_key(const char *path, char *err, size_t errsz);
/* Compares in a time that does not tell how much of them is right. ctx: struct vnc_access. */
bool vnc_access_allows(void *ctx, const char *user, const char *password);

#endif
