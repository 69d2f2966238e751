/*
 * A gate with a fake device behind it (its functions are defined here, so the library's are not linked), and threads to
 * try it with: a test can hold a slice open and look at who may pass meanwhile. One program, one inclusion.
 */
#ifndef GTMUX_TESTS_GATE_FIXTURE_H
#define GTMUX_TESTS_GATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mediator/gate.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

/* ---- the fake device */

#define SCRIPT_READS   0x100u /* offsets of BAR0 with a meaning of their own; see vgpu_mmio_read */
#define SCRIPT_QUIESCE 0x200u

struct vgpu {
    const struct vgpu_ops *ops;
    void *host;
    sem_t slice_began, slice_may_end; /* engines and display ticks */
    atomic_bool slow;                 /* slices wait for slice_may_end */
    atomic_uint running;
    unsigned budget;
    atomic_uint asked_to_leave; /* engines, one bit each */
    uint64_t last_off, last_data;
    unsigned last_size, cfg_writes;
    void (*script)(struct vgpu *v); /* what SCRIPT_READS and slices do */
};

static struct vgpu fake;

int vgpu_create(struct vgpu **out, const struct vgpu_config *cfg, char *err, unsigned errsz)
{
    if (cfg->heads > VGPU_HEADS) {
        snprintf(err, errsz, "too many heads");
        return -EINVAL;
    }
    fake.ops = cfg->ops;
    fake.host = cfg->host;
    fake.ops->kick(fake.host, 0);
    fake.ops->now_ns(fake.host);
    *out = &fake;
    return 0;
}

int vgpu_adopt(struct vgpu **out, const struct vgpu_config *cfg, void *old, char *err, unsigned errsz)
{
    return old == &fake ? vgpu_create(out, cfg, err, errsz) : -ESTALE;
}

void vgpu_resume(struct vgpu *v)
{
    v->ops->kick(v->host, VGPU_BCS);
}

void vgpu_destroy(struct vgpu *v)
{
    (void)v;
}

void vgpu_reset(struct vgpu *v)
{
    if (v->ops->quiesce)
        v->ops->quiesce(v->host, VGPU_BCS);
}

static uint64_t fake_read(struct vgpu *v, uint64_t off, unsigned size, uint64_t id)
{
    v->last_off = off;
    v->last_size = size;
    return id;
}

static void fake_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    v->last_off = off;
    v->last_size = size;
    v->last_data = val;
}

uint64_t vgpu_mmio_read(struct vgpu *v, uint64_t off, unsigned size)
{
    if (off == SCRIPT_READS)
        v->script(v);
    return fake_read(v, off, size, 0xb0);
}

void vgpu_mmio_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    if (off == SCRIPT_QUIESCE && v->ops->quiesce)
        v->ops->quiesce(v->host, (unsigned)val);
    fake_write(v, off, size, val);
}

uint64_t vgpu_aperture_read(struct vgpu *v, uint64_t off, unsigned size)
{
    return fake_read(v, off, size, 0xb2);
}

void vgpu_aperture_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    fake_write(v, off, size, val);
}

uint64_t vgpu_io_read(struct vgpu *v, uint64_t off, unsigned size)
{
    return fake_read(v, off, size, 0xb4);
}

void vgpu_io_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    fake_write(v, off, size, val);
}

uint32_t vgpu_cfg_read(struct vgpu *v, uint32_t off, unsigned size)
{
    return (uint32_t)fake_read(v, off, size, 0xcf000000u | off);
}

void vgpu_cfg_write(struct vgpu *v, uint32_t off, unsigned size, uint32_t val)
{
    v->cfg_writes++;
    fake_write(v, off, size, val);
}

static void slice(struct vgpu *v)
{
    v->running++;
    if (v->slow) {
        sem_post(&v->slice_began);
        sem_wait(&v->slice_may_end);
    }
    v->running--;
}

enum vgpu_run vgpu_engine_run(struct vgpu *v, unsigned engine, unsigned budget)
{
    (void)engine;
    v->budget = budget;
    slice(v);
    return VGPU_RUN_MORE;
}

void vgpu_engine_give_up(struct vgpu *v, unsigned engine)
{
    vgpu_engine_leave(v, engine);
}

void vgpu_engine_leave(struct vgpu *v, unsigned engine)
{
    v->asked_to_leave |= GT_BIT(engine);
}

uint64_t vgpu_display_tick(struct vgpu *v)
{
    slice(v);
    return 12345;
}

bool vgpu_scanout(struct vgpu *v, unsigned pipe, struct vgpu_scanout *out)
{
    v->ops->now_ns(v->host);
    memset(out, 0, sizeof(*out));
    out->width = 2;
    out->height = 3;
    return pipe == 1;
}

int vgpu_head_pipe(struct vgpu *v, unsigned head)
{
    (void)v;
    return head == 0 ? 1 : head == 1 ? 0 : -1;
}

int vgpu_head_set(struct vgpu *v, unsigned head, bool connected, const struct vgpu_mode *mode)
{
    (void)v;
    (void)connected;
    (void)mode;
    return head < VGPU_HEADS ? 0 : -EINVAL;
}

int vgpu_head_set_edid(struct vgpu *v, unsigned head, const uint8_t *edid, size_t size)
{
    (void)v;
    (void)edid;
    return head < VGPU_HEADS && size ? 0 : -EINVAL;
}

bool vgpu_head_get(struct vgpu *v, unsigned head, struct vgpu_mode *mode)
{
    v->ops->now_ns(v->host);
    if (mode)
        mode->width = 640;
    return head == 0;
}

void vgpu_flip_wait(struct vgpu *v, unsigned head, uint64_t ns)
{
    (void)head;
    (void)ns;
    v->ops->now_ns(v->host);
}

void vgpu_flip_pace(struct vgpu *v, unsigned head, uint64_t ns)
{
    (void)head;
    (void)ns;
    v->ops->now_ns(v->host);
}

void vgpu_flip_shown(struct vgpu *v, unsigned head, uint32_t flip)
{
    (void)head;
    (void)flip;
    v->ops->now_ns(v->host);
}

int vgpu_ggtt_read(struct vgpu *v, uint64_t addr, void *dst, size_t n)
{
    return v->ops->mem_read(v->host, addr, dst, n);
}

unsigned vgpu_compose_row(const struct vgpu_scanout *s, uint32_t y, vgpu_reader rd, void *opaque, uint32_t *row,
                          void *scratch)
{
    (void)scratch;
    return rd(opaque, y * 8u, row, s->width * 4u) != 0;
}

void vgpu_get_stats(struct vgpu *v, struct vgpu_stats *out)
{
    (void)v;
    memset(out, 0, sizeof(*out));
    out->irqs = 7;
}

uint64_t vgpu_state_hash(struct vgpu *v)
{
    (void)v;
    return 99;
}

/* ---- the fake host */

static uint8_t ram[16384];
static atomic_uint kicks;
static uint64_t clock_now;

#include "tests/unit/flat_ram.h"

static uint64_t ram_now(void *ctx)
{
    (void)ctx;
    return clock_now += 10;
}

static void count_kick(void *ctx, unsigned engine)
{
    (void)ctx;
    (void)engine;
    kicks++;
}

static const struct gate_host host = {
    .mem_read = ram_read,
    .mem_write = ram_write,
    .mem_cas = ram_cas,
    .now_ns = ram_now,
    .kick = count_kick,
};

/* ---- fixtures */

static struct gate *gate;

static int open_gate(const char *record)
{
    struct vgpu_config cfg = {.heads = 1, .pvinfo = true, .mappable_mb = 5, .modes = {{640, 480, 60000}}};
    char err[128];

    memset(&fake, 0, sizeof(fake));
    memset(ram, 0, sizeof(ram));
    kicks = 0;
    clock_now = 1000;
    sem_init(&fake.slice_began, 0, 0);
    sem_init(&fake.slice_may_end, 0, 0);
    return gate_create(&gate, &cfg, &host, record, err, sizeof(err));
}

static int close_gate(void **state)
{
    (void)state;
    gate_destroy(gate);
    gate = NULL;
    return 0;
}

/* A thread that calls fn(arg) and tells when it is back. */
struct task {
    pthread_t thread;
    void (*fn)(uintptr_t arg);
    uintptr_t arg;
    atomic_bool done;
};

static void *task_main(void *arg)
{
    struct task *t = arg;

    t->fn(t->arg);
    t->done = true;
    return NULL;
}

static void task_start(struct task *t, void (*fn)(uintptr_t), uintptr_t arg)
{
    t->fn = fn;
    t->arg = arg;
    t->done = false;
    assert_int_equal(pthread_create(&t->thread, NULL, task_main, t), 0);
}

static void task_end(struct task *t)
{
    pthread_join(t->thread, NULL);
    assert_true(t->done);
}

static bool stays_blocked(struct task *t)
{
    usleep(20000);
    return !t->done;
}

static void run_engine(uintptr_t engine)
{
    gate_engine_run(gate, (unsigned)engine, 1000);
}

static void run_access(uintptr_t off)
{
    gate_access(gate, &(struct ioreq_access){IOREQ_BAR0, 4, true, off, VGPU_RCS});
}

/* Starts a slow visit and waits until the device has it. */
static void begin_slow(struct task *t, void (*fn)(uintptr_t), uintptr_t arg)
{
    fake.slow = true;
    task_start(t, fn, arg);
    sem_wait(&fake.slice_began);
}

static uint64_t read_region(unsigned region, uint64_t off, unsigned size)
{
    struct ioreq_access a = {(uint8_t)region, (uint8_t)size, false, off, UINT64_MAX};

    gate_access(gate, &a);
    return a.data;
}

#endif
