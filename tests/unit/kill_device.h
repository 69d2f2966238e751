/*
 * A device process that can be killed and started again, for test_adopt_kill.c: journal, gate and worker threads as in
 * gtmux-dm, on shared memory instead of a hypervisor. The test double is the transport alone: one vCPU's slot with the
 * states of Xen's ioreq page (xen/include/public/hvm/ioreq.h), polled.
 */
#ifndef GTMUX_TESTS_KILL_DEVICE_H
#define GTMUX_TESTS_KILL_DEVICE_H

#include "adopt_fixture.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/gate.h"
#include "mediator/journal.h"
#include "mediator/workers.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"

enum slot_state { SLOT_NONE, SLOT_READY, SLOT_INPROCESS, SLOT_RESP_READY };

struct slot {
    _Atomic uint32_t state;
    struct ioreq_access access;
};

struct kill_shared {
    struct slot slot;
    _Atomic uint32_t irqs, created, adopted, ready; /* counts */
    uint8_t ram[GM_RAM];
};

struct kill_device {
    struct kill_shared *sh;
    struct journal *journal;
    struct gate *gate;
    struct workers *workers;
    struct backend *backend;
};

static inline int kd_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    struct kill_device *d = ctx;

    if (!gt_range_ok(gpa, n, GM_RAM))
        return -EFAULT;
    memcpy(dst, d->sh->ram + gpa, n);
    return 0;
}

static inline int kd_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    struct kill_device *d = ctx;

    if (!gt_range_ok(gpa, n, GM_RAM))
        return -EFAULT;
    memcpy(d->sh->ram + gpa, src, n);
    return 0;
}

static inline int kd_cas(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    struct kill_device *d = ctx;
    void *at = d->sh->ram + gpa;
    uint32_t small = (uint32_t)*expected;

    if (!gt_range_ok(gpa, size, GM_RAM) || gpa % size)
        return -EFAULT;
    if (size == 8)
        return __atomic_compare_exchange_n((uint64_t *)at, expected, desired, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    bool ok = __atomic_compare_exchange_n((uint32_t *)at, &small, (uint32_t)desired, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST);

    *expected = small;
    return ok;
}

static inline uint8_t *kd_page(void *ctx, uint64_t gpa, bool write)
{
    struct kill_device *d = ctx;

    (void)write;
    return gt_range_ok(gpa, GM_PAGE, GM_RAM) ? d->sh->ram + gpa : NULL;
}

static inline void kd_irq(void *ctx)
{
    ((struct kill_device *)ctx)->sh->irqs++;
}

static inline void kd_kick(void *ctx, unsigned engine)
{
    workers_kick_engine(((struct kill_device *)ctx)->workers, engine);
}

static inline void kd_display_kick(void *ctx)
{
    workers_kick_display(((struct kill_device *)ctx)->workers);
}

static inline void kd_die(const char *what, const char *why)
{
    fprintf(stderr, "device process: %s: %s\n", what, why);
    _exit(3);
}

/* As mediator/session.c does it. */
static inline void kd_open(struct kill_device *d, const char *path)
{
    const struct journal_identity who = {.domid = 5, .handle = "kill"};
    const struct gate_host host = {.ctx = d,
                                   .mem_read = kd_read,
                                   .mem_write = kd_write,
                                   .mem_cas = kd_cas,
                                   .mem_page = kd_page,
                                   .irq = kd_irq,
                                   .kick = kd_kick,
                                   .display_kick = kd_display_kick,
                                   .backend = d->backend};
    struct vgpu_config cfg;
    char err[512];

    vgpu_config_default(&cfg);
    if (journal_open(&d->journal, path, &who, err, sizeof(err)))
        kd_die("journal", err);
    journal_config(d->journal, &cfg);
    void *old = journal_old_state(d->journal);

    if (old ? gate_adopt(&d->gate, &cfg, &host, old, err, sizeof(err))
            : gate_create(&d->gate, &cfg, &host, NULL, err, sizeof(err)))
        kd_die("gate", err);
    if (old)
        d->sh->adopted++;
    else
        d->sh->created++;
    free(old);
    if (workers_start(d->workers, d->gate, NULL))
        kd_die("workers", "cannot start");
    journal_commit(d->journal, &cfg);
    gate_resume(d->gate);
}

static inline void kd_serve(struct kill_device *d, bool again)
{
    struct slot *s = &d->sh->slot;
    struct ioreq_access a = s->access;

    s->state = SLOT_INPROCESS;
    a.again = again;
    if (!journal_access_done(d->journal, &a)) {
        journal_access_begin(d->journal, &a);
        gate_access(d->gate, &a);
    }
    s->access.data = a.data;
    s->state = SLOT_RESP_READY;
    journal_access_answered(d->journal);
}

static inline void kd_main(struct kill_shared *sh, const char *path)
{
    struct kill_device d = {.sh = sh, .backend = backend_soft_create(1), .workers = workers_create()};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    gt_log_set_level(GT_LOG_WARN);
    kd_open(&d, path);
    if (sh->slot.state == SLOT_INPROCESS)
        kd_serve(&d, true);
    sh->ready++;
    for (;;) {
        if (sh->slot.state == SLOT_READY)
            kd_serve(&d, false);
        else
            sched_yield();
    }
}

#endif
