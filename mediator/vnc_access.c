#include "mediator/vnc_access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

bool vnc_access_is_local(const char *address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    bool local = !getaddrinfo(address, NULL, &hints, &all) && all;

    for (const struct addrinfo *a = all; a; a = a->ai_next)
        local = local && is_loopback(a->ai_addr);
    if (all)
        freeaddrinfo(all);
    return local;
}

/* A regular file that nobody else may read. A descriptor, or -errno with a message. */
static int open_private(const char *path, char *err, size_t errsz)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st)) {
        int error = errno;

        snprintf(err, errsz, "cannot read %s: %s", path, strerror(error));
        if (fd >= 0)
            close(fd);
        return -error;
    }
    if (S_ISREG(st.st_mode) && !(st.st_mode & 077) && (st.st_uid == geteuid() || !st.st_uid))
        return fd;
    snprintf(err, errsz, "%s must be a file of yours that nobody else may read: chmod 600 %s", path, path);
    close(fd);
    return -EPERM;
}

int vnc_access_check_key(const char *path, char *err, size_t errsz)
{
    int fd = open_private(path, err, errsz);

    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

int vnc_access_read(struct vnc_access *a, const char *path, char *err, size_t errsz)
{
    char text[2 * VNC_WORD_MAX];
    int fd = open_private(path, err, errsz);

    *a = (struct vnc_access){0};
    if (fd < 0)
        return fd;
    ssize_t n = read(fd, text, sizeof(text) - 1);

    close(fd);
    text[n > 0 ? n : 0] = 0;
    text[strcspn(text, "\r\n")] = 0;
    char *colon = strchr(text, ':');
    size_t user = colon ? (size_t)(colon - text) : 0, password = colon ? strlen(colon + 1) : 0;
    bool ok = user && password && user < VNC_WORD_MAX && password < VNC_WORD_MAX;

    if (ok) {
        memcpy(a->user, text, user);
        memcpy(a->password, colon + 1, password);
    } else {
        snprintf(err, errsz, "%s: its first line must be USER:PASSWORD", path);
    }
    explicit_bzero(text, sizeof(text));
    return ok ? 0 : -EINVAL;
}

/* All of both is looked at. */
static bool same(const char word[VNC_WORD_MAX], const char *given)
{
    char copy[VNC_WORD_MAX] = "";
    unsigned differs = strlen(given) >= VNC_WORD_MAX;

    memcpy(copy, given, differs ? 0 : strlen(given));
    for (size_t i = 0; i < VNC_WORD_MAX; i++)
        differs |= (unsigned)(uint8_t)word[i] ^ (unsigned)(uint8_t)copy[i];
    explicit_bzero(copy, sizeof(copy));
    return !differs;
}

bool vnc_access_allows(void *ctx, const char *user, const char *password)
{
    const struct vnc_access *a = ctx;
    bool user_ok = same(a->user, user), password_ok = same(a->password, password);

    return a->password[0] && user_ok && password_ok;
}
