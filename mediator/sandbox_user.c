/* Whom the device process becomes. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/sandbox.h"

#define USER_SHARED "gtmux"
#define USER_RANGE  "gtmux-range-base"

static int refuse(char *err, size_t errsz, const char *who, const char *why)
{
    snprintf(err, errsz, "sandbox: cannot run as %s: %s", who, why);
    return -EINVAL;
}

static bool parse_id(const char **text, unsigned *id)
{
    char *end;

    errno = 0;
    unsigned long value = strtoul(*text, &end, 10);
    if (**text < '0' || **text > '9' || errno || value >= UINT_MAX)
        return false;
    *text = end;
    *id = (unsigned)value;
    return true;
}

static int numbers(const char *spec, uid_t *uid, gid_t *gid, char *err, size_t errsz)
{
    const char *p = spec;

    if (!parse_id(&p, uid))
        return refuse(err, errsz, spec, "give USER, UID or UID:GID");
    *gid = *uid;
    if (*p == ':') {
        p++;
        if (!parse_id(&p, gid))
            return refuse(err, errsz, spec, "give a number after the colon");
    }
    if (*p)
        return refuse(err, errsz, spec, "give USER, UID or UID:GID");
    return *uid && *gid ? 0 : refuse(err, errsz, spec, "root would defeat the purpose; give another user");
}

static int named(const char *name, unsigned offset, uid_t *uid, gid_t *gid, char *err, size_t errsz)
{
    errno = 0;
    const struct passwd *p = getpwnam(name);

    if (!p) {
        snprintf(err, errsz, "sandbox: there is no user %s%s%s; make one: adduser --system --group --no-create-home %s",
                 name, errno ? ": " : "", errno ? strerror(errno) : "", name);
        return -ENOENT;
    }
    if (!p->pw_uid || !p->pw_gid)
        return refuse(err, errsz, name, "root would defeat the purpose; give another user");
    if (p->pw_uid + offset < p->pw_uid || p->pw_uid + offset == UINT_MAX)
        return refuse(err, errsz, name, "its uid leaves no room for the domain's number; choose a lower one");
    *uid = p->pw_uid + offset;
    *gid = p->pw_gid;
    if (offset && getpwuid(*uid))
        return refuse(err, errsz, name, "its uid plus the domain's number is another user's; choose a free range");
    return 0;
}

int sandbox_user(const char *spec, int domid, uid_t *uid, gid_t *gid, char *err, size_t errsz)
{
    if (spec && *spec >= '0' && *spec <= '9')
        return numbers(spec, uid, gid, err, errsz);
    if (spec)
        return named(spec, 0, uid, gid, err, errsz);
    int ret = domid >= 0 ? named(USER_RANGE, (unsigned)domid, uid, gid, err, errsz) : -ENOENT;

    return ret == -ENOENT ? named(USER_SHARED, 0, uid, gid, err, errsz) : ret;
}
