/* vfio-user interrupts: SET_IRQS and the delivery through eventfds. */
#include <stddef.h>

#include "tests/unit/vfio_user_server.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define TRIGGER_EVENTFD (VU_IRQ_SET_DATA_EVENTFD | VU_IRQ_SET_ACTION_TRIGGER)
#define TRIGGER_NONE    (VU_IRQ_SET_DATA_NONE | VU_IRQ_SET_ACTION_TRIGGER)

static void finish(struct server *s, int sock)
{
    close(sock);
    server_free(s);
}

static uint64_t take(int efd)
{
    uint64_t n = 0;

    return read(efd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void msi_is_preferred_and_intx_masks_itself(void **state)
{
    const uint32_t unmask = VU_IRQ_SET_DATA_NONE | VU_IRQ_SET_ACTION_UNMASK;
    const uint32_t mask = VU_IRQ_SET_DATA_NONE | VU_IRQ_SET_ACTION_MASK;
    struct server *s;
    int sock = server_ready(&s), intx = eventfd(0, EFD_NONBLOCK), msi = eventfd(0, EFD_NONBLOCK);
    int (*irq)(struct ioreq_transport *) = s->t->ops->irq;

    (void)state;
    assert_int_equal(irq(s->t), -ENOTCONN);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_INTX, TRIGGER_EVENTFD, 1, intx), 0);
    assert_int_equal(irq(s->t), 0);
    assert_int_equal(take(intx), 1);
    assert_int_equal(irq(s->t), 0); /* masked now: kept */
    assert_int_equal(irq(s->t), 0);
    assert_int_equal(take(intx), 0);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_INTX, unmask, 1, -1), 0);
    assert_int_equal(take(intx), 1);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_INTX, unmask, 1, -1), 0);
    assert_int_equal(take(intx), 0); /* nothing was kept */
    assert_int_equal(client_set_irqs(sock, VU_IRQ_INTX, mask, 1, -1), 0);
    assert_int_equal(irq(s->t), 0);
    assert_int_equal(take(intx), 0);

    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, msi), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(irq(s->t), 0);
    assert_int_equal(take(msi), 3);
    assert_int_equal(take(intx), 0);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_NONE, 1, -1), 0); /* a test by the client */
    assert_int_equal(take(msi), 1);

    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_NONE, 0, -1), 0); /* off */
    assert_int_equal(client_set_irqs(sock, VU_IRQ_INTX, unmask, 1, -1), 0);
    assert_int_equal(take(intx), 1);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_INTX, TRIGGER_EVENTFD, 1, -1), 0); /* off, the other way */
    assert_int_equal(irq(s->t), -ENOTCONN);
    close(intx);
    close(msi);
    finish(s, sock);
}

static void an_eventfd_is_replaced_and_never_blocks(void **state)
{
    struct server *s;
    int sock = server_ready(&s), a = eventfd(0, 0), b = eventfd(0, EFD_NONBLOCK);
    uint64_t full = UINT64_MAX - 1;

    (void)state;
    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, a), 0);
    assert_int_equal(write(a, &full, sizeof(full)), sizeof(full));
    assert_int_equal(s->t->ops->irq(s->t), 0); /* full, and made by a client that would let us wait */
    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, b), 0);
    assert_true(take(a) == full);
    assert_int_equal(s->t->ops->irq(s->t), 0);
    assert_int_equal(take(b), 1);
    close(a);
    close(b);
    finish(s, sock);
}

static void bad_set_irqs_are_refused(void **state)
{
    enum { NONE = VU_IRQ_SET_DATA_NONE, BOOL = VU_IRQ_SET_DATA_BOOL, EFD = VU_IRQ_SET_DATA_EVENTFD };
    enum { MASK = VU_IRQ_SET_ACTION_MASK, UNMASK = VU_IRQ_SET_ACTION_UNMASK, TRIGGER = VU_IRQ_SET_ACTION_TRIGGER };
    static const struct {
        struct vu_irq_set i;
        int fds, error;
    } rows[] = {
        {{20, EFD, 1, 0, 1}, 1, EINVAL},                    /* no action */
        {{20, TRIGGER, 1, 0, 1}, 0, EINVAL},                /* no data */
        {{20, EFD | NONE | TRIGGER, 1, 0, 1}, 1, EINVAL},   /* two of one kind */
        {{20, NONE | MASK | UNMASK, 0, 0, 1}, 0, EINVAL},   /* the same */
        {{20, EFD | TRIGGER | 64, 1, 0, 1}, 1, EINVAL},     /* unknown flag */
        {{19, EFD | TRIGGER, 1, 0, 1}, 1, EINVAL},          /* argsz */
        {{20, EFD | TRIGGER, 5, 0, 1}, 1, EINVAL},          /* index */
        {{20, EFD | TRIGGER, UINT32_MAX, 0, 1}, 1, EINVAL}, /* the same */
        {{20, EFD | TRIGGER, 2, 0, 1}, 1, EINVAL},          /* MSI-X has none */
        {{20, EFD | TRIGGER, 1, 0, 2}, 2, EINVAL},          /* more than there are */
        {{20, EFD | TRIGGER, 1, 1, 1}, 1, EINVAL},          /* the same */
        {{20, EFD | TRIGGER, 1, UINT32_MAX, 2}, 1, EINVAL}, /* start + count wraps */
        {{20, EFD | TRIGGER, 1, 0, 1}, 2, EINVAL},          /* more descriptors than count */
        {{20, EFD | TRIGGER, 1, 0, 0}, 0, EINVAL},          /* only "none" switches off */
        {{20, NONE | MASK, 0, 0, 0}, 0, EINVAL},            /* the same */
        {{20, NONE | TRIGGER, 1, 1, 0}, 0, EINVAL},         /* from the first on */
        {{20, NONE | TRIGGER, 1, 0, 1}, 1, EINVAL},         /* descriptor without use */
        {{20, NONE | TRIGGER, 1, 0, 1}, 0, EINVAL},         /* not set up */
        {{20, NONE | MASK, 1, 0, 1}, 0, EINVAL},            /* MSI cannot be masked here */
        {{20, BOOL | TRIGGER, 0, 0, 1}, 0, EINVAL},         /* the byte is missing */
        {{20, EFD | UNMASK, 0, 0, 1}, 1, ENOTSUP},          /* no resampling */
        {{20, NONE | TRIGGER, 3, 0, 0}, 0, 0},              /* switching nothing off */
    };
    struct server *s;
    int sock = server_ready(&s), efd = eventfd(0, 0), fds[2] = {efd, efd}, p[2];
    struct client_reply r;

    (void)state;
    assert_int_equal(pipe(p), 0);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(
            client_call(sock, VU_DEVICE_SET_IRQS, &rows[i].i, sizeof(rows[i].i), fds, (unsigned)rows[i].fds, &r),
            rows[i].error);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, p[1]), EINVAL); /* could kill us or block */
    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, sock), EINVAL);
    assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, s->window_fd), EINVAL);
    assert_int_equal(s->t->ops->irq(s->t), -ENOTCONN);
    close(efd);
    close(p[0]);
    close(p[1]);
    finish(s, sock);
}

static void bool_data_selects(void **state)
{
    struct {
        struct vu_irq_set i;
        uint8_t on;
    } __attribute__((packed)) m = {{sizeof(m), VU_IRQ_SET_DATA_BOOL | VU_IRQ_SET_ACTION_TRIGGER, VU_IRQ_INTX, 0, 1}, 0};
    struct server *s;
    int sock = server_ready(&s), efd = eventfd(0, EFD_NONBLOCK);
    struct client_reply r;

    (void)state;
    assert_int_equal(client_set_irqs(sock, VU_IRQ_INTX, TRIGGER_EVENTFD, 1, efd), 0);
    assert_int_equal(client_call(sock, VU_DEVICE_SET_IRQS, &m, sizeof(m), NULL, 0, &r), 0);
    assert_int_equal(take(efd), 0);
    m.on = 1;
    assert_int_equal(client_call(sock, VU_DEVICE_SET_IRQS, &m, sizeof(m), NULL, 0, &r), 0);
    assert_int_equal(take(efd), 1);
    close(efd);
    finish(s, sock);
}

static _Atomic bool stop_raising;

static void *raise_irqs(void *arg)
{
    struct server *s = arg;

    while (!stop_raising)
        s->t->ops->irq(s->t);
    return NULL;
}

/* A descriptor number that SET_IRQS frees is at once taken by a file: no interrupt may ever be written to that. */
static void interrupts_never_hit_a_reused_descriptor(void **state)
{
    struct server *s;
    int sock = server_ready(&s), efd = eventfd(0, EFD_NONBLOCK);
    pthread_t th;

    (void)state;
    stop_raising = false;
    assert_int_equal(pthread_create(&th, NULL, raise_irqs, s), 0);
    for (unsigned i = 0; i < 2000; i++) {
        assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_EVENTFD, 1, efd), 0);
        assert_int_equal(client_set_irqs(sock, VU_IRQ_MSI, TRIGGER_NONE, 0, -1), 0);
        int other = memfd_create("other", MFD_CLOEXEC);
        usleep(1);
        assert_int_equal(lseek(other, 0, SEEK_END), 0);
        close(other);
    }
    stop_raising = true;
    pthread_join(th, NULL);
    close(efd);
    finish(s, sock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(msi_is_preferred_and_intx_masks_itself),
        cmocka_unit_test(an_eventfd_is_replaced_and_never_blocks),
        cmocka_unit_test(bad_set_irqs_are_refused),
        cmocka_unit_test(bool_data_selects),
        cmocka_unit_test(interrupts_never_hit_a_reused_descriptor),
    };

    gt_log_set_level(GT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
