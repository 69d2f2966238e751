/* A device on a flat piece of guest memory, for the tests of the vgpu core. One thread, no lock. */
#ifndef GTMUX_TESTS_CORE_FIXTURE_H
#define GTMUX_TESTS_CORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/device.h"

#define RAM_SIZE (16u << 20)

struct fixture {
    uint8_t *ram;
    bool use_pages; /* offer mem_page */
    unsigned irqs, kicks, quiesced, line_changes;
    bool line;
    unsigned reads; /* mem_read calls */
    uint64_t now;
    struct vgpu_ops ops;
    struct vgpu_config cfg;
    struct vgpu *v;
};

static inline int fx_mem_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    struct fixture *f = host;

    f->reads++;
    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(dst, f->ram + gpa, n);
    return 0;
}

static inline int fx_mem_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    struct fixture *f = host;

    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(f->ram + gpa, src, n);
    return 0;
}

static inline int fx_mem_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    struct fixture *f = host;
    uint64_t now = 0;

    if (!gt_range_ok(gpa, size, RAM_SIZE))
        return -EFAULT;
    memcpy(&now, f->ram + gpa, size);
    if (now != *expected) {
        *expected = now;
        return 0;
    }
    memcpy(f->ram + gpa, &desired, size);
    return 1;
}

static inline uint8_t *fx_mem_page(void *host, uint64_t gpa, bool write)
{
    struct fixture *f = host;

    (void)write;
    return f->use_pages && gpa < RAM_SIZE ? f->ram + gpa : NULL;
}

static inline uint64_t fx_now_ns(void *host)
{
    return ((struct fixture *)host)->now;
}

static inline void fx_irq(void *host)
{
    ((struct fixture *)host)->irqs++;
}

static inline void fx_line(void *host, bool level)
{
    struct fixture *f = host;

    f->line = level;
    f->line_changes++;
}

static inline void fx_kick(void *host, unsigned engine)
{
    (void)engine;
    ((struct fixture *)host)->kicks++;
}

static inline void fx_quiesce(void *host, unsigned engine)
{
    (void)engine;
    ((struct fixture *)host)->quiesced++;
}

/* Fills in everything but the device, which fx_start creates. */
static inline struct fixture *fx_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->ram = calloc(1, RAM_SIZE);
    assert_non_null(f->ram);
    f->ops = (struct vgpu_ops){
        .mem_read = fx_mem_read,
        .mem_write = fx_mem_write,
        .mem_cas = fx_mem_cas,
        .mem_page = fx_mem_page,
        .now_ns = fx_now_ns,
        .irq = fx_irq,
        .line = fx_line,
        .kick = fx_kick,
        .quiesce = fx_quiesce,
    };
    vgpu_config_default(&f->cfg);
    f->cfg.ops = &f->ops;
    f->cfg.host = f;
    return f;
}

static inline void fx_start(struct fixture *f)
{
    char err[256] = "";

    if (vgpu_create(&f->v, &f->cfg, err, sizeof(err)))
        fail_msg("vgpu_create: %s", err);
}

static inline int fx_setup(void **state)
{
    struct fixture *f = fx_new();

    fx_start(f);
    *state = f;
    return 0;
}

static inline int fx_teardown(void **state)
{
    struct fixture *f = *state;

    vgpu_destroy(f->v);
    free(f->ram);
    free(f);
    return 0;
}

static inline uint32_t fx_rd(struct fixture *f, enum reg_id id, unsigned unit, unsigned elem)
{
    return (uint32_t)vgpu_mmio_read(f->v, reg_off(id, unit, elem), 4);
}

static inline void fx_wr(struct fixture *f, enum reg_id id, unsigned unit, unsigned elem, uint32_t val)
{
    vgpu_mmio_write(f->v, reg_off(id, unit, elem), 4, val);
}

/* Maps GGTT page to guest page; both in pages. */
static inline void fx_map(struct fixture *f, uint32_t page, uint64_t gpa_page)
{
    vgpu_mmio_write(f->v, VGPU_GTT_OFFSET + 8ull * page, 8, gpa_page << 12 | 1);
}

static inline void fx_put64(struct fixture *f, uint64_t gpa, uint64_t val)
{
    memcpy(f->ram + gpa, &val, sizeof(val));
}

#define FX_TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

#endif
