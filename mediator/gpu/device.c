#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/gpu/internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"

#define PTE_PRESENT_WRITABLE UINT64_C(3) /* i915 GEN8_PAGE_PRESENT, GEN8_PAGE_RW */
#define GGTT_FIRST           UINT64_C(0x1000000)
#define GGTT_BYTES           (UINT64_C(1) << 32)
#define EXECLIST_ENABLE      0x80008000u /* i915 GFX_RUN_LIST_ENABLE, masked */
#define RESET_FULL           1u          /* GDRST: i915 GEN6_GRDOM_FULL */

/* ---- what the device asks for */

static bool within_page(uint64_t gpa, size_t n)
{
    return n <= GPU_PAGE - gpa % GPU_PAGE;
}

static uint8_t *page_of(void *host, uint64_t gpa, bool write)
{
    (void)write;
    return gpu_memory_at(host, gpa);
}

static int mem_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    const uint8_t *p = within_page(gpa, n) ? gpu_memory_at(host, gpa) : NULL;

    if (!p)
        return -EFAULT;
    if (n == 8 && gpa % 8 == 0)
        *(uint64_t *)dst = __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_ACQUIRE);
    else
        memcpy(dst, p, n);
    return 0;
}

static int mem_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    uint8_t *p = within_page(gpa, n) ? gpu_memory_at(host, gpa) : NULL;

    if (!p)
        return -EFAULT;
    memcpy(p, src, n);
    return 0;
}

static int mem_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    void *p = gpu_memory_at(host, gpa);
    uint32_t small = (uint32_t)*expected;

    if (!p)
        return -EFAULT;
    if (size == 8)
        return __atomic_compare_exchange_n((uint64_t *)p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    bool done = __atomic_compare_exchange_n((uint32_t *)p, &small, (uint32_t)desired, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST);

    *expected = small;
    return done;
}

static uint64_t now_ns(void *host)
{
    (void)host;
    return gt_clock_ns();
}

/* Completion is what vgpu_engine_run returns, and who runs it knows when. */
static void ignore(void *host)
{
    (void)host;
}

static void kick(void *host, unsigned engine)
{
    (void)host;
    (void)engine;
}

static enum vgpu_payload payload(void *host, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    struct gpu *g = host;

    return g->backend->ops->payload(g->backend, x, cmd_id, dw, ndw);
}

static void lock(void *host)
{
    pthread_mutex_lock(&((struct gpu *)host)->lock);
}

static void unlock(void *host)
{
    pthread_mutex_unlock(&((struct gpu *)host)->lock);
}

static const struct vgpu_ops ops = {
    .mem_read = mem_read,
    .mem_write = mem_write,
    .mem_cas = mem_cas,
    .mem_page = page_of,
    .now_ns = now_ns,
    .irq = ignore,
    .kick = kick,
    .payload = payload,
    .lock = lock,
    .unlock = unlock,
};

/* ---- GGTT */

static void set_pte(struct gpu *g, uint32_t addr, uint64_t pte)
{
    vgpu_mmio_write(g->v, VGPU_GTT_OFFSET + addr / GPU_PAGE * 8, 8, pte);
}

int gpu_ggtt_map(struct gpu *g, const struct gpu_memory *m, uint64_t room, uint32_t *addr)
{
    uint64_t at;
    int rc = gpu_ranges_take(&g->ggtt, room, GPU_PAGE, &at);

    if (rc)
        return rc;
    pthread_mutex_lock(&g->lock);
    for (uint64_t off = 0; off < m->size; off += GPU_PAGE)
        set_pte(g, (uint32_t)(at + off), (m->gpa + off) | PTE_PRESENT_WRITABLE);
    pthread_mutex_unlock(&g->lock);
    *addr = (uint32_t)at;
    return 0;
}

void gpu_ggtt_unmap(struct gpu *g, uint32_t addr, uint64_t room)
{
    pthread_mutex_lock(&g->lock);
    for (uint64_t off = 0; off < room; off += GPU_PAGE)
        set_pte(g, (uint32_t)(addr + off), 0);
    pthread_mutex_unlock(&g->lock);
    gpu_ranges_give(&g->ggtt, addr, room);
}

/* ---- life cycle */

void gpu_engines_start(struct gpu *g)
{
    pthread_mutex_lock(&g->lock);
    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        vgpu_mmio_write(g->v, reg_off(R_MODE_GEN7, i, 0), 4, EXECLIST_ENABLE);
        vgpu_mmio_write(g->v, reg_off(R_HWS_PGA, i, 0), 4, g->status_ggtt[i]);
    }
    pthread_mutex_unlock(&g->lock);
}

void gpu_reset(struct gpu *g)
{
    pthread_mutex_lock(&g->lock);
    vgpu_mmio_write(g->v, reg_off(R_GDRST, 0, 0), 4, RESET_FULL);
    pthread_mutex_unlock(&g->lock);
    gpu_engines_start(g);
}

static int start_engines(struct gpu *g)
{
    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        int rc = gpu_memory_map(g, &g->status[i], GPU_PAGE, -1);

        if (!rc)
            rc = gpu_ggtt_map(g, &g->status[i], GPU_PAGE, &g->status_ggtt[i]);
        if (rc)
            return rc;
    }
    gpu_engines_start(g);
    return 0;
}

static int build(struct gpu *g, unsigned threads, char *err, unsigned errsz)
{
    struct vgpu_config cfg;
    int rc;

    snprintf(err, errsz, "out of memory");
    rc = gpu_memory_init(g);
    if (!rc)
        rc = gpu_ranges_init(&g->ggtt, GGTT_FIRST, GGTT_BYTES - GGTT_FIRST);
    if (rc)
        return rc;
    g->backend = backend_soft_create(threads);
    if (!g->backend)
        return -ENOMEM;
    vgpu_config_default(&cfg);
    cfg.ops = &ops;
    cfg.host = g;
    cfg.pvinfo = false;
    cfg.heads = 0;
    rc = vgpu_create(&g->v, &cfg, err, errsz);
    return rc ? rc : start_engines(g);
}

int gpu_create(struct gpu **out, unsigned threads, char *err, unsigned errsz)
{
    struct gpu *g = calloc(1, sizeof(*g));

    *out = NULL;
    if (!g) {
        snprintf(err, errsz, "out of memory");
        return -ENOMEM;
    }
    pthread_mutex_init(&g->lock, NULL);
    int rc = build(g, threads, err, errsz);

    if (rc) {
        gpu_destroy(g);
        return rc;
    }
    *out = g;
    return 0;
}

void gpu_destroy(struct gpu *g)
{
    if (!g)
        return;
    vgpu_destroy(g->v);
    if (g->backend)
        g->backend->ops->destroy(g->backend);
    gpu_ranges_fini(&g->ggtt);
    gpu_memory_fini(g);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

void gpu_forked(struct gpu *g)
{
    pthread_mutex_init(&g->lock, NULL);
    g->backend->ops->forked(g->backend);
}

void gpu_stats(struct gpu *g, struct backend_stats *out)
{
    g->backend->ops->stats(g->backend, out);
}

uint64_t gpu_commands(struct gpu *g)
{
    struct vgpu_stats s;
    uint64_t n = 0;

    pthread_mutex_lock(&g->lock);
    vgpu_get_stats(g->v, &s);
    pthread_mutex_unlock(&g->lock);
    for (unsigned i = 0; i < VGPU_ENGINES; i++)
        n += s.engine[i].commands;
    return n;
}

uint32_t gpu_reg_read(struct gpu *g, uint32_t off)
{
    pthread_mutex_lock(&g->lock);
    uint32_t val = (uint32_t)vgpu_mmio_read(g->v, off, 4);

    pthread_mutex_unlock(&g->lock);
    return val;
}

uint64_t gpu_timestamp(struct gpu *g)
{
    uint32_t lo = gpu_reg_read(g, reg_off(R_TIMESTAMP, VGPU_RCS, 0)), hi, again;

    for (;; lo = again) {
        hi = gpu_reg_read(g, reg_off(R_TIMESTAMP, VGPU_RCS, 1));
        again = gpu_reg_read(g, reg_off(R_TIMESTAMP, VGPU_RCS, 0));
        if (again >= lo)
            return (uint64_t)hi << 32 | again;
    }
}

void gpu_set_turns(struct gpu *g, const struct gpu_turns *turns)
{
    g->turns = turns;
}

void gpu_leave(struct gpu *g, unsigned engine)
{
    vgpu_engine_leave(g->v, engine);
}

void gpu_stop(struct gpu *g, bool stop)
{
    atomic_store_explicit(&g->stop, stop, memory_order_relaxed);
    if (stop)
        for (unsigned i = 0; i < VGPU_ENGINES; i++)
            vgpu_engine_leave(g->v, i);
}
