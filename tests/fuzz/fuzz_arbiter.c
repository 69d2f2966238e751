/*
 * What tenants and gtmux(1) can send to gtmuxd, and write into their pages, in any order and at any time. The input is
 * a list of steps. After each, an engine has at most one owner, who is registered.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mediator/arbiter/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOCKETS 4u
#define STEPS   400u

struct input {
    const uint8_t *data;
    size_t left;
};

static char dir[] = "/tmp/gtmux-fuzz-XXXXXX";
static int sockets[SOCKETS];

static unsigned take(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->data++;
}

static uint32_t take_u32(struct input *in)
{
    return take(in) | take(in) << 8 | take(in) << 16 | (uint32_t)take(in) << 24;
}

static void remove_dir(void)
{
    rmdir(dir);
}

static struct arbiter *open_arbiter(void)
{
    static bool made;
    const struct arbiter_options o = {.run_dir = dir, .listen_fd = -1, .admin_fd = -1};
    struct arbiter *a;
    char err[200];

    if (!made) {
        gt_log_set_level(GT_LOG_ERROR);
        if (!mkdtemp(dir))
            abort();
        atexit(remove_dir);
        made = true;
    }
    if (arbiter_open(&a, &o, err, sizeof(err)))
        abort();
    return a;
}

static void connect_one(struct arbiter *a, unsigned i)
{
    int pair[2];

    if (sockets[i] >= 0)
        close(sockets[i]);
    sockets[i] = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return;
    if (member_connect(a, pair[0], getpid()))
        sockets[i] = pair[1];
    else
        close(pair[1]);
}

static void send_something(struct input *in, unsigned i)
{
    struct arbiter_packet p = {.type = take(in) % 8, .version = take(in) % 8 ? ARBITER_VERSION : take(in)};
    unsigned kind = take(in);
    size_t n = kind % 16 ? sizeof(p) : take(in);

    p.kind = kind >> 6;
    p.heads = take(in) % 6;
    p.width = p.height = kind & 32 ? take_u32(in) : 64;
    p.name[0] = (char)('a' + i);
    if (kind & 16)
        for (unsigned k = 0; k < 8; k++)
            p.name[k] = (char)take(in);
    if (sockets[i] >= 0)
        (void)!send(sockets[i], &p, n < sizeof(p) ? n : sizeof(p), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void scribble(struct arbiter *a, struct input *in, unsigned i)
{
    struct member *m = a->member[i];
    unsigned engine = take(in) % ARBITER_ENGINES, what = take(in);

    if (!m || !m->admitted)
        return;
    m->page->engine[engine].word = what & 1 ? take_u32(in) : take(in) & 0x3f;
    if (what & 2)
        m->page->engine[engine].busy_ns = (uint64_t)take_u32(in) << (what >> 3);
    if (what & 4)
        m->page->engine[engine].progress = take(in);
}

static void ask(struct arbiter *a, struct input *in)
{
    static const char *const lines[] = {
        "{\"cmd\":\"stats\"}",
        "{\"cmd\":\"metrics\"}",
        "{\"cmd\":\"pause\",\"name\":\"a\"}",
        "{\"cmd\":\"resume\",\"name\":\"a\"}",
        "{\"cmd\":\"set\",\"name\":\"b\",\"values\":{\"cap\":\"30\",\"weight\":\"7\"}}",
        "{\"cmd\":\"set\",\"name\":\"b\",\"values\":{\"cap\":\"100\",\"slice-us\":\"500\"}}",
    };
    char line[64];
    unsigned which = take(in) % 8, n = 0;

    while (n + 1 < sizeof(line) && in->left && which >= 6)
        line[n++] = (char)take(in);
    line[n] = 0;
    cJSON_Delete(admin_handle(a, which < 6 ? lines[which] : line));
}

static void check(const struct arbiter *a)
{
    for (unsigned e = 0; e < ARBITER_ENGINES; e++) {
        unsigned owners = 0;

        for (unsigned id = 0; id < SCHED_TENANTS_MAX; id++) {
            struct sched_usage u = {0};

            if (a->by_id[id])
                sched_usage(a->sched, id, e, a->now, &u);
            owners += u.owner;
            if (u.owner && a->owner_id[e] != id)
                abort();
        }
        if (owners > 1 || (!owners && a->owner_id[e] != UINT32_MAX))
            abort();
    }
}

static void tend(struct arbiter *a)
{
    for (unsigned round = 0; round < 50; round++) {
        uint64_t next = sched_run(a->sched, a->now), other = members_tend(a);

        if (next > a->now && other > a->now)
            return;
    }
}

static void hear(struct arbiter *a)
{
    for (unsigned i = 0; i < MEMBERS_MAX; i++)
        if (a->member[i] && !a->member[i]->deaf_until)
            member_event(a, a->member[i], EPOLLIN);
}

/* Two tenants are there from the start, so that short inputs get somewhere. */
static void enter(struct arbiter *a, unsigned i)
{
    struct arbiter_packet p = {.type = ARBITER_HELLO, .version = ARBITER_VERSION, .name = {(char)('a' + i)}};

    if (sockets[i] >= 0)
        (void)!send(sockets[i], &p, sizeof(p), MSG_DONTWAIT | MSG_NOSIGNAL);
    hear(a);
}

static void step(struct arbiter *a, struct input *in)
{
    unsigned op = take(in), i = op >> 4 & (SOCKETS - 1);

    switch (op & 7) {
    case 0:
        connect_one(a, i);
        break;
    case 1:
    case 2:
        send_something(in, i);
        break;
    case 3:
    case 4:
        scribble(a, in, i);
        break;
    case 5:
        a->now += (uint64_t)take(in) << (take(in) % 24);
        break;
    case 6:
        if (op & 8)
            ask(a, in);
        break;
    default:
        hear(a);
        break;
    }
    tend(a);
    check(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct arbiter *a = open_arbiter();

    for (unsigned i = 0; i < SOCKETS; i++) {
        sockets[i] = -1;
        connect_one(a, i);
    }
    enter(a, 0);
    enter(a, 1);
    for (unsigned n = 0; n < STEPS && in.left; n++)
        step(a, &in);
    arbiter_close(a);
    for (unsigned i = 0; i < SOCKETS; i++)
        if (sockets[i] >= 0)
            close(sockets[i]);
    char path[64];

    snprintf(path, sizeof(path), "%s/gtmuxd.state", dir);
    unlink(path);
    return 0;
}
