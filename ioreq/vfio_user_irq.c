/* Interrupts: which there are, SET_IRQS, and delivery through the client's eventfds. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ioreq/vfio_user_internal.h"

void vu_irqs_init(struct vu_irqs *q)
{
    pthread_mutex_init(&q->lock, NULL);
    q->intx = q->msi = -1;
    q->intx_masked = q->intx_pending = false;
}

/* Called with the lock held. */
static void replace_fd(int *slot, int fd)
{
    if (*slot >= 0)
        close(*slot);
    *slot = fd;
}

void vu_irqs_release(struct vu_irqs *q)
{
    pthread_mutex_lock(&q->lock);
    replace_fd(&q->intx, -1);
    replace_fd(&q->msi, -1);
    q->intx_masked = q->intx_pending = false;
    pthread_mutex_unlock(&q->lock);
}

static int signal_fd(int fd)
{
    uint64_t one = 1;

    if (fd < 0)
        return -ENOTCONN;
    /* EAGAIN: the counter is at its limit, so the other side has an interrupt to see anyway. */
    if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        return -errno;
    return 0;
}

/* Called with the lock held. */
static int raise_intx(struct vu_irqs *q)
{
    if (q->intx_masked) {
        q->intx_pending = true;
        return 0;
    }
    int ret = signal_fd(q->intx);

    q->intx_masked = !ret;
    return ret;
}

/* Called with the lock held. */
static void unmask_intx(struct vu_irqs *q)
{
    q->intx_masked = false;
    if (!q->intx_pending)
        return;
    q->intx_pending = false;
    (void)raise_intx(q); /* nobody to tell: without an eventfd the interrupt has no receiver */
}

int vu_irq_raise(struct vu_irqs *q)
{
    pthread_mutex_lock(&q->lock);
    int ret = q->msi >= 0 ? signal_fd(q->msi) : raise_intx(q);

    pthread_mutex_unlock(&q->lock);
    return ret;
}

static uint32_t irq_count(uint32_t index)
{
    return index == VU_IRQ_INTX || index == VU_IRQ_MSI ? 1 : 0;
}

int vu_get_irq_info(struct vfio_user *s, struct vu_message *m)
{
    struct vu_irq_info i;

    (void)s;
    memcpy(&i, m->body, sizeof(i));
    if (i.argsz < sizeof(i) || i.index >= VU_IRQ_INDEXES)
        return -EINVAL;
    i.argsz = sizeof(i);
    i.flags = 0;
    if (i.index == VU_IRQ_INTX)
        i.flags = VU_IRQ_INFO_EVENTFD | VU_IRQ_INFO_MASKABLE | VU_IRQ_INFO_AUTOMASKED;
    else if (i.index == VU_IRQ_MSI)
        i.flags = VU_IRQ_INFO_EVENTFD | VU_IRQ_INFO_NORESIZE;
    i.count = irq_count(i.index);
    memcpy(m->reply, &i, sizeof(i));
    m->reply_len = sizeof(i);
    return 0;
}

/*
 * Only eventfds are written to: a pipe or socket could kill us with SIGPIPE, a full one could block us. They, and their
 * like, are the files without a type in their mode. A blocking eventfd could block us too when its counter is full.
 */
static int check_eventfd(int fd)
{
    struct stat st;
    int flags;

    if (fstat(fd, &st) || (flags = fcntl(fd, F_GETFL)) < 0)
        return -errno;
    if (st.st_mode & S_IFMT)
        return -EINVAL;
    if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK))
        return -errno;
    return 0;
}

/* Gives the interrupt a new eventfd, or none. */
static int set_eventfd(struct vu_irqs *q, uint32_t index, struct vu_message *m)
{
    int fd = -1;

    if (m->nfds > 1)
        return -EINVAL;
    if (m->nfds) {
        int ret = check_eventfd(m->fds[0]);
        if (ret)
            return ret;
        fd = m->fds[0];
        m->fds[0] = -1;
    }
    pthread_mutex_lock(&q->lock);
    replace_fd(index == VU_IRQ_MSI ? &q->msi : &q->intx, fd);
    if (index == VU_IRQ_INTX)
        q->intx_masked = q->intx_pending = false;
    pthread_mutex_unlock(&q->lock);
    return 0;
}

/* The actions without an eventfd, on the one interrupt that an index has. */
static int act(struct vu_irqs *q, const struct vu_irq_set *r)
{
    int ret = 0;

    if (r->index == VU_IRQ_MSI && !(r->flags & VU_IRQ_SET_ACTION_TRIGGER))
        return -EINVAL; /* not maskable */
    pthread_mutex_lock(&q->lock);
    switch (r->flags & VU_IRQ_SET_ACTIONS) {
    case VU_IRQ_SET_ACTION_MASK:
        q->intx_masked = true;
        break;
    case VU_IRQ_SET_ACTION_UNMASK:
        unmask_intx(q);
        break;
    default:
        ret = r->index == VU_IRQ_MSI ? signal_fd(q->msi) : raise_intx(q);
        break;
    }
    pthread_mutex_unlock(&q->lock);
    return ret == -ENOTCONN ? -EINVAL : ret;
}

/* What holds for every request. 0 or -errno. */
static int check_set(const struct vu_message *m, const struct vu_irq_set *r)
{
    uint32_t data = r->flags & VU_IRQ_SET_DATA_MASK, action = r->flags & VU_IRQ_SET_ACTIONS;

    if (r->argsz < sizeof(*r) || r->flags & ~(uint32_t)(VU_IRQ_SET_DATA_MASK | VU_IRQ_SET_ACTIONS))
        return -EINVAL;
    if (!data || (data & (data - 1)) || !action || (action & (action - 1)))
        return -EINVAL; /* exactly one of each */
    if (r->index >= VU_IRQ_INDEXES || r->start > irq_count(r->index) || r->count > irq_count(r->index) - r->start)
        return -EINVAL;
    if (m->nfds && data != VU_IRQ_SET_DATA_EVENTFD)
        return -EINVAL;
    /* Eventfds with which the client's kernel would mask and unmask are not offered; QEMU does it by message. */
    if (data == VU_IRQ_SET_DATA_EVENTFD && action != VU_IRQ_SET_ACTION_TRIGGER)
        return -ENOTSUP;
    return 0;
}

int vu_set_irqs(struct vfio_user *s, struct vu_message *m)
{
    struct vu_irq_set r;

    memcpy(&r, m->body, sizeof(r));
    int ret = check_set(m, &r);

    if (ret)
        return ret;
    if (!r.count) {
        /* "No data, trigger, none": switches the index off. Also for those that have no interrupts. */
        if (r.start || r.flags != (VU_IRQ_SET_DATA_NONE | VU_IRQ_SET_ACTION_TRIGGER))
            return -EINVAL;
        return irq_count(r.index) ? set_eventfd(&s->irqs, r.index, m) : 0;
    }
    if (r.flags & VU_IRQ_SET_DATA_EVENTFD)
        return set_eventfd(&s->irqs, r.index, m);
    if (r.flags & VU_IRQ_SET_DATA_BOOL) {
        if (r.argsz < sizeof(r) + 1 || m->len < sizeof(r) + 1)
            return -EINVAL;
        if (!m->body[sizeof(r)])
            return 0;
    }
    return act(&s->irqs, &r);
}
