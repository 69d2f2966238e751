/* Tenants: how they come in, what they say, and the words of their pages. They are believed nothing. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mediator/arbiter/internal.h"
#include "mediator/run_dir.h"
#include "vgpu/base/bits.h"

#define HELLO_NS UINT64_C(2000000000)
/* Two packets a request and ten thousand requests a second pass; more only slow their sender down. */
#define TOKEN_NS   UINT64_C(50000)
#define TOKENS_MAX 2000u
#define DEAF_NS    UINT64_C(20000000)
#define NOBODY     UINT32_MAX

static _Atomic uint32_t *word_of(const struct member *m, unsigned engine)
{
    return &m->page->engine[engine].word;
}

static uint64_t claimed_busy(const struct member *m, unsigned engine)
{
    return atomic_load_explicit(&m->page->engine[engine].busy_ns, memory_order_relaxed);
}

/* What it says it used since the grant, or since it keeps the engine; sched bounds it by the time that passed. */
static uint64_t claimed_use(const struct member *m, unsigned engine)
{
    uint64_t now = claimed_busy(m, engine);

    return now > m->busy_before[engine] ? now - m->busy_before[engine] : 0;
}

void member_send(struct member *m, uint32_t type, uint32_t arg, const char *text)
{
    struct arbiter_packet p = {.type = type, .version = ARBITER_VERSION, .arg = arg};

    snprintf(p.text, sizeof(p.text), "%s", text ? text : "");
    /* Whose socket is full does not listen, and will be late for other reasons. */
    (void)!send(m->sock, &p, sizeof(p), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- what the scheduler decides */

static void on_grant(void *ctx, unsigned id, unsigned engine, uint64_t until)
{
    struct arbiter *a = ctx;
    struct member *m = a->by_id[id];

    a->owner_id[engine] = id;
    m->busy_before[engine] = claimed_busy(m, engine);
    atomic_store(&m->page->engine[engine].until_ns, until);
    atomic_exchange(word_of(m, engine), ARBITER_GRANTED | ARBITER_WANT | (until == UINT64_MAX ? ARBITER_KEEP : 0u));
    syscall(SYS_futex, word_of(m, engine), FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void on_keep(void *ctx, unsigned id, unsigned engine)
{
    struct arbiter *a = ctx;

    /* What came before has been counted. */
    a->by_id[id]->busy_before[engine] = claimed_busy(a->by_id[id], engine);
    atomic_store(&a->by_id[id]->page->engine[engine].until_ns, UINT64_MAX);
    atomic_fetch_or(word_of(a->by_id[id], engine), ARBITER_KEEP);
}

static void on_until(void *ctx, unsigned id, unsigned engine, uint64_t until)
{
    struct arbiter *a = ctx;

    atomic_store(&a->by_id[id]->page->engine[engine].until_ns, until);
}

static bool on_unkeep(void *ctx, unsigned id, unsigned engine, uint64_t *used_ns)
{
    struct arbiter *a = ctx;
    struct member *m = a->by_id[id];
    uint32_t w = atomic_fetch_and(word_of(m, engine), ~(uint32_t)ARBITER_KEEP) & ~(uint32_t)ARBITER_KEEP;

    if ((w & (ARBITER_BUSY | ARBITER_WANT)) || !atomic_compare_exchange_strong(word_of(m, engine), &w, 0))
        return false;
    *used_ns = claimed_use(m, engine);
    a->owner_id[engine] = NOBODY;
    return true;
}

static void on_yield(void *ctx, unsigned id, unsigned engine)
{
    struct arbiter *a = ctx;
    struct member *m = a->by_id[id];

    atomic_fetch_or(word_of(m, engine), ARBITER_YIELD);
    member_send(m, ARBITER_LOOK, 0, NULL);
}

static void on_reset(void *ctx, unsigned id, unsigned engine)
{
    struct arbiter *a = ctx;

    gt_warn("%s: engine %u: asked to reset its workload", a->by_id[id]->name, engine);
    member_send(a->by_id[id], ARBITER_RESET, engine, NULL);
}

static void on_end(void *ctx, unsigned id, const char *why)
{
    ((struct arbiter *)ctx)->by_id[id]->doomed = why;
}

const struct sched_ops member_sched_ops = {.grant = on_grant,
                                           .keep = on_keep,
                                           .unkeep = on_unkeep,
                                           .until = on_until,
                                           .yield = on_yield,
                                           .reset = on_reset,
                                           .end = on_end};

/* ---- coming and going */

struct member *member_find(const struct arbiter *a, const char *name)
{
    for (unsigned i = 0; i < SCHED_TENANTS_MAX; i++)
        if (a->by_id[i] && !strcmp(a->by_id[i]->name, name))
            return a->by_id[i];
    return NULL;
}

static pid_t peer_of(int sock)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) ? 0 : peer.pid;
}

struct member *member_connect(struct arbiter *a, int sock, pid_t pid)
{
    unsigned i = 0;
    struct member *m;

    while (i < MEMBERS_MAX && a->member[i])
        i++;
    m = i < MEMBERS_MAX ? calloc(1, sizeof(*m)) : NULL;
    if (!m) {
        close(sock);
        return NULL;
    }
    m->sock = sock;
    m->pid = pid ? pid : peer_of(sock);
    m->pidfd = m->pid > 0 ? (int)syscall(SYS_pidfd_open, m->pid, 0) : -1;
    m->since = a->now;
    m->tokens = TOKENS_MAX;
    m->tokens_at = a->now;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = m};

    if (epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, sock, &e)) {
        close(sock);
        if (m->pidfd >= 0)
            close(m->pidfd);
        free(m);
        return NULL;
    }
    a->member[i] = m;
    return m;
}

void member_drop(struct arbiter *a, struct member *m)
{
    for (unsigned i = 0; i < MEMBERS_MAX; i++)
        if (a->member[i] == m)
            a->member[i] = NULL;
    if (m->admitted) {
        gt_info("%s has left", m->name);
        a->count.left++;
        a->by_id[m->id] = NULL;
        for (unsigned i = 0; i < ARBITER_ENGINES; i++)
            if (a->owner_id[i] == m->id)
                a->owner_id[i] = NOBODY;
        sched_remove(a->sched, m->id, a->now);
        munmap(m->page, ARBITER_PAGE_SIZE);
        if (!a->closing && (m->nchanged || m->profile.par.paused))
            state_save(a);
    }
    close(m->sock);
    if (m->pidfd >= 0)
        close(m->pidfd);
    free(m);
}

/* Ends a tenancy, and with it its process: a dm that does not keep to the rules is not left to run without them. */
static void expel(struct arbiter *a, struct member *m)
{
    gt_warn("%s (process %d) is ended: %s", m->name, (int)m->pid, m->doomed);
    a->count.ended++;
    member_send(m, ARBITER_REFUSED, 0, m->doomed);
    if (a->opt.stop_tenants && m->pidfd >= 0 && m->pid != getpid() &&
        syscall(SYS_pidfd_send_signal, m->pidfd, SIGKILL, NULL, 0))
        gt_warn("%s: process %d cannot be stopped: %s", m->name, (int)m->pid, strerror(errno));
    member_drop(a, m);
}

/* ---- admission */

/* What is promised to all tenants but one. */
struct promised {
    uint64_t memory_mb;
    uint32_t shares;
    unsigned tenants;
};

static struct promised promised_beside(const struct arbiter *a, const struct member *m)
{
    struct promised sum = {0};

    for (unsigned i = 0; i < SCHED_TENANTS_MAX; i++) {
        if (!a->by_id[i] || a->by_id[i] == m)
            continue;
        sum.tenants++;
        sum.memory_mb += a->by_id[i]->profile.memory_mb;
        sum.shares += a->by_id[i]->profile.par.share;
    }
    return sum;
}

bool member_fits(const struct arbiter *a, const struct member *m, const struct arbiter_profile *f, char *why,
                 size_t size)
{
    struct promised sum = promised_beside(a, m);

    if (a->cfg.memory_mb && sum.memory_mb + f->memory_mb > a->cfg.memory_mb)
        snprintf(why, size, "%llu of %u MiB of GPU memory are taken, profile '%.40s' needs %u",
                 (unsigned long long)sum.memory_mb, a->cfg.memory_mb, f->name, f->memory_mb);
    else if (a->cfg.sched.policy == SCHED_FIXED_SHARE && sum.shares + f->par.share > 100)
        snprintf(why, size, "%u %% of the GPU are given away, profile '%.40s' has a share of %u %%", sum.shares,
                 f->name, f->par.share);
    else
        return true;
    return false;
}

/* Who has died and is not read out yet makes way for his successor. */
static bool name_taken(struct arbiter *a, const char *name)
{
    struct member *old = member_find(a, name);
    struct pollfd p = {.events = POLLIN};

    if (!old)
        return false;
    p.fd = old->sock;
    if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR))) {
        member_drop(a, old);
        return false;
    }
    return true;
}

/* True when the tenant may come in; else why not. */
static bool admissible(struct arbiter *a, const struct arbiter_packet *p, const struct arbiter_profile *f, char *why,
                       size_t size)
{
    unsigned n = promised_beside(a, NULL).tenants;

    if (p->heads > f->heads || p->width > f->width || p->height > f->height)
        snprintf(why, size, "profile '%.40s' allows %u heads of at most %ux%u, not %u of %ux%u", f->name, f->heads,
                 f->width, f->height, p->heads, p->width, p->height);
    else if (n >= a->cfg.tenants)
        snprintf(why, size, "there are %u tenants, which is the limit", n);
    else
        return member_fits(a, NULL, f, why, size);
    return false;
}

/* The memory is sealed: a tenant that could cut it off would kill us with the next look at it. */
static int make_page(struct member *m)
{
    int fd = memfd_create("gtmux-tenant", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (!ftruncate(fd, ARBITER_PAGE_SIZE) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        m->page = mmap(NULL, ARBITER_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (m->page != MAP_FAILED)
            return fd;
    }
    close(fd);
    return -1;
}

static int send_welcome(struct member *m, int memfd)
{
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.buf = {0}};
    struct arbiter_packet p = {.type = ARBITER_WELCOME, .version = ARBITER_VERSION, .arg = m->id};
    struct iovec io = {.iov_base = &p, .iov_len = sizeof(p)};
    struct msghdr msg = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    snprintf(p.profile, sizeof(p.profile), "%s", m->profile.name);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &memfd, sizeof(memfd));
    return sendmsg(m->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(p) ? 0 : -errno;
}

void member_apply(struct arbiter *a, struct member *m)
{
    sched_set(a->sched, m->id, &m->profile.par, a->now);
    uint32_t hz = atomic_exchange(&m->page->frame_hz, m->profile.frame_hz);
    uint32_t mb = atomic_exchange(&m->page->quota_mb, m->profile.memory_mb);

    atomic_store(&m->page->heads, m->profile.heads);
    atomic_store(&m->page->width, m->profile.width);
    atomic_store(&m->page->height, m->profile.height);
    if (m->welcome && (hz != m->profile.frame_hz || mb != m->profile.memory_mb))
        member_send(m, ARBITER_LOOK, 1, NULL);
}

/* What gtmux set changed was right when others were there. */
static void forget_what_does_not_fit(struct arbiter *a, struct member *m, const struct arbiter_profile *f)
{
    char why[ARBITER_TEXT_MAX];

    if (member_fits(a, m, &m->profile, why, sizeof(why)))
        return;
    gt_warn("%s: what was set for it is not any more: %s", m->name, why);
    m->profile = *f;
    m->nchanged = 0;
}

/* 0, or why it is not let in. */
static const char *let_in(struct arbiter *a, struct member *m, const struct arbiter_profile *f)
{
    int memfd = make_page(m);

    if (memfd < 0)
        return "gtmuxd is out of memory or descriptors";
    int id = sched_add(a->sched, &m->profile.par, a->now);

    if (id < 0) {
        munmap(m->page, ARBITER_PAGE_SIZE);
        close(memfd);
        return "gtmuxd has no room for more tenants";
    }
    m->id = (unsigned)id;
    m->admitted = true;
    m->since = a->now;
    a->by_id[id] = m;
    a->count.admitted++;
    state_restore(a, m);
    forget_what_does_not_fit(a, m, f);
    member_apply(a, m);
    if (send_welcome(m, memfd))
        m->doomed = "it does not read";
    m->welcome = true;
    close(memfd);
    gt_info("%s (process %d) is admitted as '%s'", m->name, (int)m->pid, m->profile.name);
    return NULL;
}

static bool well_formed(const struct arbiter_packet *p)
{
    return p->type == ARBITER_HELLO && p->kind < ARBITER_KINDS && memchr(p->name, 0, sizeof(p->name)) &&
           memchr(p->profile, 0, sizeof(p->profile)) && session_name_ok(p->name);
}

static const char *hello(struct arbiter *a, struct member *m, const struct arbiter_packet *p, char *why, size_t size)
{
    const char *wish = p->profile[0] ? p->profile : a->cfg.default_profile[p->kind];
    const struct arbiter_profile *f = arbiter_config_find(&a->cfg, wish);

    if (!f) {
        snprintf(why, size, "there is no profile '%.40s'; 'gtmux profiles' shows those that there are", wish);
        return why;
    }
    if (name_taken(a, p->name)) {
        snprintf(why, size, "a tenant '%.48s' is there already", p->name);
        return why;
    }
    if (!admissible(a, p, f, why, size))
        return why;
    m->kind = (enum arbiter_kind)p->kind;
    m->profile = *f;
    snprintf(m->name, sizeof(m->name), "%s", p->name);
    return let_in(a, m, f);
}

/* False: the member is gone. */
static bool first_packet(struct arbiter *a, struct member *m, const struct arbiter_packet *p)
{
    char text[ARBITER_TEXT_MAX] = "";
    const char *why;

    if (!well_formed(p)) {
        a->count.bad_packets++;
        GT_GUEST_LOG(&a->complaints, "process %d says what is no hello", (int)m->pid);
        member_drop(a, m);
        return false;
    }
    why = hello(a, m, p, text, sizeof(text));
    if (!why)
        return true;
    a->count.refused++;
    GT_GUEST_LOG(&a->complaints, "%s (process %d) is refused: %s", p->name, (int)m->pid, why);
    member_send(m, ARBITER_REFUSED, 0, why);
    member_drop(a, m);
    return false;
}

/* ---- packets */

static void look_at(struct arbiter *a, struct member *m, unsigned engine)
{
    uint32_t w = atomic_load(word_of(m, engine));

    if (a->owner_id[engine] != m->id) {
        sched_want(a->sched, m->id, engine, w & ARBITER_WANT, a->now);
        return;
    }
    if (w & ARBITER_GRANTED)
        return;
    a->owner_id[engine] = NOBODY;
    sched_returned(a->sched, m->id, engine, claimed_use(m, engine), w & ARBITER_WANT,
                   atomic_load_explicit(&m->page->engine[engine].progress, memory_order_relaxed), a->now);
}

static bool may_speak(struct arbiter *a, struct member *m)
{
    uint64_t more = (a->now - m->tokens_at) / TOKEN_NS;

    if (more) {
        m->tokens = (uint32_t)GT_MIN(m->tokens + more, TOKENS_MAX);
        m->tokens_at = a->now;
    }
    if (m->tokens) {
        m->tokens--;
        return true;
    }
    struct epoll_event e = {.events = 0, .data.ptr = m};

    epoll_ctl(a->epoll_fd, EPOLL_CTL_MOD, m->sock, &e);
    m->deaf_until = a->now + DEAF_NS;
    m->floods++;
    return false;
}

/* False: the member is gone. */
static bool take_packet(struct arbiter *a, struct member *m, const struct arbiter_packet *p, ssize_t n)
{
    m->packets++;
    if (n != (ssize_t)sizeof(*p) || p->version != ARBITER_VERSION) {
        a->count.bad_packets++;
        if (m->admitted) {
            m->doomed = "it sent a malformed packet";
            return true;
        }
        member_drop(a, m);
        return false;
    }
    if (!m->admitted)
        return first_packet(a, m, p);
    if (p->type != ARBITER_LOOK) {
        a->count.bad_packets++;
        m->doomed = "it sent a packet that is not for tenants to send";
        return true;
    }
    for (unsigned i = 0; i < ARBITER_ENGINES; i++)
        look_at(a, m, i);
    return true;
}

void member_event(struct arbiter *a, struct member *m, uint32_t events)
{
    struct arbiter_packet p;

    for (unsigned i = 0; i < 16 && !m->doomed; i++) {
        if (!may_speak(a, m))
            return;
        ssize_t n = recv(m->sock, &p, sizeof(p), MSG_DONTWAIT | MSG_TRUNC);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (n <= 0) {
            member_drop(a, m);
            return;
        }
        if (!take_packet(a, m, &p, n))
            return;
    }
    /* Deaf ones are told by the kernel of the end only. */
    if (events == EPOLLHUP || events == EPOLLERR)
        member_drop(a, m);
}

uint64_t members_tend(struct arbiter *a)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < MEMBERS_MAX; i++) {
        struct member *m = a->member[i];

        if (!m)
            continue;
        if (m->doomed) {
            expel(a, m);
            next = a->now; /* what it held is free */
        } else if (!m->admitted && a->now - m->since > HELLO_NS) {
            member_drop(a, m);
        } else if (!m->admitted) {
            next = GT_MIN(next, m->since + HELLO_NS + 1);
        } else if (m->deaf_until && a->now >= m->deaf_until) {
            struct epoll_event e = {.events = EPOLLIN, .data.ptr = m};

            m->deaf_until = 0;
            epoll_ctl(a->epoll_fd, EPOLL_CTL_MOD, m->sock, &e);
        } else if (m->deaf_until) {
            next = GT_MIN(next, m->deaf_until);
        }
    }
    return next;
}
