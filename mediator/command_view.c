#include "mediator/command_view.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

#include "mediator/control_wire.h"
#include "mediator/session.h"

int view_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

int view_connect(struct display_viewer **out, const char *run_dir, const char *name, unsigned head,
                 const struct viewer_events *events, void *ctx)
{
    struct sockaddr_un a;
    char err[256] = "";
    int rc = session_name_ok(name) ? wire_address(&a, run_dir, name, DISPLAY_SOCKET_SUFFIX) : -ENOENT;

    if (!rc)
        rc = viewer_connect(out, a.sun_path, head, events, ctx, err, sizeof(err));
    if (rc == -ENOENT || rc == -ECONNREFUSED)
        fprintf(stderr, "gtmux: no guest '%s' is running; 'gtmux list' shows those that are\n", name);
    else if (rc)
        fprintf(stderr, "gtmux: %s\n", err[0] ? err : strerror(-rc));
    return rc;
}

int view_ended(const char *name, int error)
{
    if (error == -ECONNRESET)
        fprintf(stderr, "gtmux: the gtmux-dm of '%s' has gone, or takes no more viewers\n", name);
    else
        fprintf(stderr, "gtmux: the gtmux-dm of '%s' says what cannot be: %s\n", name, strerror(-error));
    return EXIT_FAILURE;
}

bool view_head(const char *text, unsigned *head)
{
    if (strlen(text) != 1 || text[0] < '0' || text[0] > '2')
        return false;
    *head = (unsigned)(text[0] - '0');
    return true;
}
