/*
 * What QEMU may say on its monitor socket. The input is steps of one byte and what belongs to it:
 *
 *   0..127   so many of the next bytes come from QEMU
 *   128..    the lowest bits say: a key, a motion, a button, all up, QEMU answers well, time passes, QEMU hangs up
 *
 * Bit 0 of the first byte of all: the input begins after a good greeting.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mediator/qmp_input.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener = -1;

static void clean_up(void)
{
    unlink(address.sun_path);
}

static void start(void)
{
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/gtmux-fuzz-qmp-%d", (int)getpid());
    unlink(address.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 4))
        abort();
    atexit(clean_up);
    gt_log_set_level(GT_LOG_ERROR);
}

struct run {
    struct qmp_input *q;
    int qemu;
    uint64_t now;
};

static void step(struct run *r)
{
    if (r->qemu < 0)
        r->qemu = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    qmp_input_dispatch(r->q, POLLIN | POLLOUT);
    qmp_input_tick(r->q, r->now);
    char junk[4096];

    while (r->qemu >= 0 && recv(r->qemu, junk, sizeof(junk), MSG_DONTWAIT) > 0)
        ;
}

static void say(struct run *r, const void *text, size_t n)
{
    if (r->qemu >= 0 && n)
        (void)!send(r->qemu, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    step(r);
}

static void act(struct run *r, uint8_t what)
{
    struct input_event e = {.kind = (enum input_kind)(what & 3), .down = what & 8, .code = what & 0x7f, .x = what};

    switch (what & 7) {
    case 4:
        say(r, "{\"return\": {}}\r\n", 16);
        break;
    case 5:
        r->now += UINT64_C(1000000000) * (what & 0x78);
        step(r);
        break;
    case 6:
        if (r->qemu >= 0)
            close(r->qemu);
        r->qemu = -1;
        step(r);
        break;
    default:
        qmp_input_event(r->q, &e);
        step(r);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct run r = {.qemu = -1, .now = 1};

    if (listener < 0)
        start();
    if (!size || qmp_input_open(&r.q, address.sun_path))
        return 0;
    step(&r);
    if (data[0] & 1) {
        say(&r, "{\"QMP\": {}}\n", 12);
        say(&r, "{\"return\": {}}\n", 15);
    }
    for (size_t at = 1; at < size;) {
        uint8_t b = data[at++];

        if (b >= 128) {
            act(&r, b);
            continue;
        }
        size_t n = GT_MIN((size_t)b, size - at);

        say(&r, data + at, n);
        at += n;
    }
    /* A QEMU that does not answer is waited for: seldom, or there is time for nothing else. */
    if (r.qemu >= 0 && (data[0] & 0x7e)) {
        close(r.qemu);
        r.qemu = -1;
    }
    qmp_input_close(r.q);
    if (r.qemu >= 0)
        close(r.qemu);
    int left;

    while ((left = accept(listener, NULL, NULL)) >= 0)
        close(left);
    return 0;
}
