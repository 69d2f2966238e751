/* A tenant's connection with gtmuxd: registration, and the thread that hears what gtmuxd says. */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mediator/arbiter/tenant_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

#define ANSWER_MS    2000
#define TRY_FIRST_NS UINT64_C(100000000) /* between two attempts; doubles */
#define TRY_LAST_NS  UINT64_C(5000000000)

void tenant_wake_word(struct tenant *t, unsigned engine)
{
    syscall(SYS_futex, &t->page->engine[engine].word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static int send_packet(int sock, const struct arbiter_packet *p)
{
    struct iovec io = {.iov_base = (void *)p, .iov_len = sizeof(*p)};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};

    /* sendmsg: what a sandbox lets through. */
    return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*p) ? 0 : -errno;
}

/* 1: a packet; 0: nothing there; -errno. *fd: what came with it, or -1. */
static int receive_packet(int sock, struct arbiter_packet *p, int *fd)
{
    union {
        char buf[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec io = {.iov_base = p, .iov_len = sizeof(*p)};
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf)};
    ssize_t n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *fd = -1;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd, CMSG_DATA(c), sizeof(*fd));
    if (n == (ssize_t)sizeof(*p) && p->version == ARBITER_VERSION)
        return 1;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return n == 0 ? -ECONNRESET : -EPROTO;
}

/* ---- registration */

static void fill_hello(const struct tenant *t, struct arbiter_packet *p)
{
    *p = (struct arbiter_packet){.type = ARBITER_HELLO,
                                 .version = ARBITER_VERSION,
                                 .kind = t->opt.kind,
                                 .heads = t->opt.heads,
                                 .width = t->opt.width,
                                 .height = t->opt.height};
    snprintf(p->name, sizeof(p->name), "%s", t->name);
    snprintf(p->profile, sizeof(p->profile), "%s", t->profile);
    if (t->opt.kind == ARBITER_EXEC) /* one program may be many processes */
        snprintf(p->name, sizeof(p->name), "%.36s.%d", t->name, (int)getpid());
}

/* Waits for the answer to HELLO, or for the end. */
static int receive_answer(struct tenant *t, int sock, struct arbiter_packet *p, int *fd)
{
    uint64_t deadline = gt_clock_ns() + (uint64_t)ANSWER_MS * 1000000;

    for (;;) {
        struct pollfd pfd = {.fd = sock, .events = POLLIN};
        uint64_t now = gt_clock_ns();

        if (now >= deadline)
            return -ETIMEDOUT;
        if (atomic_load(&t->stopping))
            return -ECANCELED;
        if (poll(&pfd, 1, (int)GT_MIN((deadline - now) / 1000000 + 1, 200u)) <= 0)
            continue;
        int rc = receive_packet(sock, p, fd);

        if (rc)
            return rc < 0 ? rc : 0;
    }
}

/* The new page takes the place of the old one, in one step: threads that look at it find one or the other. */
static int map_page(struct tenant *t, int fd)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) || st.st_size != ARBITER_PAGE_SIZE)
        return -EPROTO;
    return mmap(t->page, ARBITER_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED
               ? -errno
               : 0;
}

static int attach(struct tenant *t, int sock, int memfd)
{
    int rc = map_page(t, memfd);

    if (rc)
        return rc;
    for (unsigned i = 0; i < ARBITER_ENGINES; i++)
        atomic_store_explicit(&t->page->engine[i].busy_ns, t->engine[i].ns, memory_order_relaxed);
    atomic_store_explicit(&t->page->memory, atomic_load(&t->memory), memory_order_relaxed);
    atomic_store_explicit(&t->page->flips, atomic_load(&t->flips), memory_order_relaxed);
    atomic_store_explicit(&t->page->refusals, atomic_load(&t->refusals), memory_order_relaxed);
    atomic_store_explicit(&t->page->heap, atomic_load(&t->heap), memory_order_relaxed);
    pthread_mutex_lock(&t->lock);
    t->sock = sock;
    pthread_mutex_unlock(&t->lock);
    atomic_store(&t->wait_ns, TRY_FIRST_NS);
    atomic_store_explicit(&t->attached, true, memory_order_release);
    return 0;
}

/* sock is taken over. */
static int enrol(struct tenant *t, int sock, char *err, size_t errsz)
{
    struct arbiter_packet p;
    int memfd = -1, rc;

    fill_hello(t, &p);
    rc = send_packet(sock, &p);
    if (!rc)
        rc = receive_answer(t, sock, &p, &memfd);
    if (!rc && p.type == ARBITER_REFUSED) {
        p.text[sizeof(p.text) - 1] = 0;
        snprintf(err, errsz, "%s", p.text);
        rc = -EPERM;
    } else if (!rc) {
        rc = p.type == ARBITER_WELCOME ? attach(t, sock, memfd) : -EPROTO;
    }
    if (memfd >= 0)
        close(memfd);
    if (rc)
        close(sock);
    return rc;
}

int tenant_connect(struct tenant *t, const char *path, char *err, size_t errsz)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};

    if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >= (int)sizeof(sa.sun_path))
        return -ENAMETOOLONG;
    int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (sock < 0)
        return -errno;
    if (connect(sock, (struct sockaddr *)&sa, sizeof(sa))) {
        int rc = -errno;

        close(sock);
        return rc;
    }
    return enrol(t, sock, err, errsz);
}

/* From now on everybody runs by themselves; who waits in futex must find another word than the one they sleep on. */
static void detach(struct tenant *t)
{
    atomic_store(&t->attached, false);
    for (unsigned i = 0; i < ARBITER_ENGINES; i++) {
        atomic_fetch_or(&t->page->engine[i].word, ARBITER_GONE);
        tenant_wake_word(t, i);
    }
    pthread_mutex_lock(&t->lock);
    if (t->sock >= 0)
        close(t->sock);
    t->sock = -1;
    pthread_mutex_unlock(&t->lock);
}

/* ---- the thread */

static void tell_values(struct tenant *t)
{
    if (t->opt.values)
        t->opt.values(t->opt.ctx);
}

static void look_at(struct tenant *t, unsigned engine)
{
    _Atomic uint32_t *word = &t->page->engine[engine].word;
    uint32_t w = atomic_load(word);

    while ((w & ARBITER_GRANTED) && (w & ARBITER_YIELD)) {
        if (w & ARBITER_BUSY) {
            t->opt.preempt(t->opt.ctx, engine);
            return;
        }
        if (atomic_compare_exchange_weak(word, &w, w & ARBITER_WANT)) {
            tenant_look(t);
            return;
        }
    }
}

static bool obey(struct tenant *t, const struct arbiter_packet *p)
{
    switch (p->type) {
    case ARBITER_LOOK:
        for (unsigned i = 0; i < ARBITER_ENGINES; i++)
            look_at(t, i);
        if (p->arg)
            tell_values(t);
        return true;
    case ARBITER_RESET:
        gt_warn("gtmuxd resets engine %u", p->arg);
        if (t->opt.reset && p->arg < ARBITER_ENGINES)
            t->opt.reset(t->opt.ctx, p->arg);
        return true;
    case ARBITER_REFUSED:
        gt_warn("gtmuxd ends the tenancy: %.*s", (int)sizeof(p->text) - 1, p->text);
        return false;
    default:
        return false;
    }
}

static void hear(struct tenant *t)
{
    struct arbiter_packet p;
    int fd, rc;

    while ((rc = receive_packet(t->sock, &p, &fd)) > 0) {
        if (fd >= 0)
            close(fd);
        if (!obey(t, &p))
            break;
    }
    if (rc) {
        gt_info("gtmuxd is gone%s", atomic_load(&t->stopping) ? "" : "; going on without it");
        detach(t);
        tell_values(t);
    }
}

static void register_again(struct tenant *t, int invited)
{
    char err[ARBITER_TEXT_MAX] = "";
    int rc;

    if (t->sock >= 0)
        detach(t);
    rc = invited >= 0 ? enrol(t, invited, err, sizeof(err)) : tenant_connect(t, t->path, err, sizeof(err));
    if (!rc) {
        gt_info("registered with gtmuxd");
        tell_values(t);
        return;
    }
    if (rc == -EPERM)
        gt_warn("gtmuxd refuses this tenant: %s", err);
    atomic_store(&t->wait_ns, GT_MIN(2 * atomic_load(&t->wait_ns), TRY_LAST_NS));
    atomic_store(&t->next_try, gt_clock_ns() + atomic_load(&t->wait_ns));
}

static void woken(struct tenant *t)
{
    uint64_t count;

    if (read(t->wake_fd, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&t->lock);
    int invited = t->invited;

    t->invited = -1;
    pthread_mutex_unlock(&t->lock);
    bool again = atomic_exchange(&t->try_again, false);

    if (invited >= 0 || (again && t->sock < 0))
        register_again(t, invited);
}

static void *thread_main(void *arg)
{
    struct tenant *t = arg;

    pthread_setname_np(pthread_self(), "arbiter");
    tell_values(t);
    while (!atomic_load(&t->stopping)) {
        struct pollfd fds[2] = {{.fd = t->wake_fd, .events = POLLIN}, {.fd = t->sock, .events = POLLIN}};

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            hear(t);
        if (fds[0].revents)
            woken(t);
    }
    return NULL;
}

/* Signals are for the program's own threads. */
int tenant_start(struct tenant *t)
{
    sigset_t all, old;

    if (t->threaded)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    int rc = pthread_create(&t->thread, NULL, thread_main, t);

    pthread_sigmask(SIG_SETMASK, &old, NULL);
    t->threaded = !rc;
    return -rc;
}

static void wake(struct tenant *t)
{
    uint64_t one = 1;
    ssize_t n = write(t->wake_fd, &one, sizeof(one));

    (void)n; /* a full counter means that it is readable already */
}

void tenant_invite(struct tenant *t, int fd)
{
    pthread_mutex_lock(&t->lock);
    if (t->invited >= 0)
        close(t->invited);
    t->invited = fd;
    pthread_mutex_unlock(&t->lock);
    wake(t);
}

void tenant_link_again(struct tenant *t)
{
    uint64_t now = gt_clock_ns(), next = atomic_load_explicit(&t->next_try, memory_order_relaxed);

    if (now < next || !atomic_compare_exchange_strong(&t->next_try, &next, now + atomic_load(&t->wait_ns)))
        return;
    if (tenant_start(t))
        return;
    atomic_store(&t->try_again, true);
    wake(t);
}

void tenant_look(struct tenant *t)
{
    const struct arbiter_packet p = {.type = ARBITER_LOOK, .version = ARBITER_VERSION};

    /* A full socket holds packets that say the same; a broken one is noticed by the thread. Locked, for the number of a
     * closed socket may be somebody else's the next moment. */
    pthread_mutex_lock(&t->lock);
    if (t->sock >= 0)
        (void)send_packet(t->sock, &p);
    pthread_mutex_unlock(&t->lock);
}

/* ---- life */

struct tenant *tenant_create(const struct tenant_options *o)
{
    struct tenant *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->opt = *o;
    t->sock = t->invited = -1;
    t->wait_ns = TRY_FIRST_NS;
    snprintf(t->name, sizeof(t->name), "%s", o->name);
    snprintf(t->profile, sizeof(t->profile), "%s", o->profile ? o->profile : "");
    snprintf(t->path, sizeof(t->path), "%s", o->reconnect ? o->reconnect : "");
    pthread_mutex_init(&t->lock, NULL);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->page = mmap(NULL, ARBITER_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t->wake_fd >= 0 && t->page != MAP_FAILED)
        return t;
    if (t->page == MAP_FAILED)
        t->page = NULL;
    tenant_destroy(t);
    return NULL;
}

void tenant_stop(struct tenant *t)
{
    if (!t)
        return;
    atomic_store(&t->stopping, true);
    for (unsigned i = 0; t->page && i < ARBITER_ENGINES; i++) {
        atomic_fetch_or(&t->page->engine[i].word, ARBITER_GONE);
        tenant_wake_word(t, i);
    }
    if (t->wake_fd >= 0)
        wake(t);
}

void tenant_destroy(struct tenant *t)
{
    if (!t)
        return;
    tenant_stop(t);
    if (t->threaded)
        pthread_join(t->thread, NULL);
    if (t->sock >= 0)
        close(t->sock);
    if (t->invited >= 0)
        close(t->invited);
    if (t->wake_fd >= 0)
        close(t->wake_fd);
    if (t->page)
        munmap(t->page, ARBITER_PAGE_SIZE);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void tenant_forked(struct tenant *t)
{
    if (!t)
        return;
    atomic_store(&t->attached, false);
    atomic_store(&t->next_try, 0);
    if (t->sock >= 0)
        close(t->sock);
    t->sock = -1;
    t->threaded = false;
    pthread_mutex_init(&t->lock, NULL);
    for (unsigned i = 0; i < ARBITER_ENGINES; i++)
        t->engine[i].held = false;
    close(t->wake_fd); /* the parent's thread reads the same one */
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mmap(t->page, ARBITER_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
        MAP_FAILED)
        abort(); /* the parent's page must not be written */
}
