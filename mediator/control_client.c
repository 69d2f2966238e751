#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "mediator/control.h"
#include "mediator/control_wire.h"

#define ANSWER_TIMEOUT_MS 10000
#define CONNECT_TIMEOUT_S 2 /* for a dm that does not accept */

int control_connect(const char *run_dir, const char *name)
{
    struct sockaddr_un sa;
    const struct timeval patience = {.tv_sec = CONNECT_TIMEOUT_S};
    int rc = wire_address(&sa, run_dir, name, CONTROL_SUFFIX);

    if (rc)
        return rc;
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return -errno;
    if (setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
        connect(sock, (struct sockaddr *)&sa, sizeof(sa))) {
        rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
        close(sock);
        return rc;
    }
    return sock;
}

cJSON *control_ask(int sock, const cJSON *request, int *fd)
{
    return control_ask_for(sock, request, fd, ANSWER_TIMEOUT_MS);
}

cJSON *control_ask_for(int sock, const cJSON *request, int *fd, int timeout_ms)
{
    char line[CONTROL_LINE_MAX];
    int got = -1;
    int rc = wire_send(sock, request, -1);

    if (!rc) {
        rc = wire_read_line(sock, line, sizeof(line), timeout_ms, &got);
        if (rc == 0)
            rc = -ECONNRESET;
    }
    cJSON *answer = rc > 0 ? cJSON_Parse(line) : NULL;
    if (rc > 0 && !answer)
        rc = -EPROTO;
    if (fd && answer) {
        *fd = got;
    } else if (got >= 0) {
        close(got);
    }
    if (!answer)
        errno = -rc;
    return answer;
}
