/*
 * A little guest for the engine tests: flat RAM, GGTT and PPGTT builders, context images as i915 lays them out, rings.
 * One thread; `locked` is called each time the library takes the device lock, before it gets it: a test plays the trap
 * thread there.
 */
#ifndef GTMUX_TESTS_GUESTMEM_H
#define GTMUX_TESTS_GUESTMEM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/device.h"

#define GM_RAM     (16u << 20)
#define GM_PAGE    4096u
#define GM_USER_VA UINT64_C(0x123456780000) /* where gm_context maps its user page in its PPGTT */

struct guest {
    uint8_t *ram;
    uint64_t next; /* bump allocator of pages */
    uint64_t now;
    unsigned irqs, kicks[VGPU_ENGINES], quiesced;
    unsigned payloads;
    int last_payload;
    enum vgpu_payload payload_result;
    void (*locked)(struct guest *g);
    void *test;
    bool held, use_pages;
    struct vgpu_ops ops;
    struct vgpu *v;
};

/* A context with its ring, status page and one page of user memory. */
struct gm_ctx {
    unsigned engine;
    uint32_t lrca, id;
    uint64_t image; /* guest physical, page 0 */
    uint32_t ring, ring_size, tail;
    uint64_t ring_gpa, pml4;
    uint64_t user; /* guest physical page behind GM_USER_VA */
};

static inline int gm_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    struct guest *g = host;

    if (!gt_range_ok(gpa, n, GM_RAM))
        return -EFAULT;
    memcpy(dst, g->ram + gpa, n);
    return 0;
}

static inline int gm_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    struct guest *g = host;

    if (!gt_range_ok(gpa, n, GM_RAM))
        return -EFAULT;
    memcpy(g->ram + gpa, src, n);
    return 0;
}

static inline int gm_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    struct guest *g = host;
    uint64_t now = 0;

    if (!gt_range_ok(gpa, size, GM_RAM) || gpa % size)
        return -EFAULT;
    memcpy(&now, g->ram + gpa, size);
    if (now != *expected) {
        *expected = now;
        return 0;
    }
    memcpy(g->ram + gpa, &desired, size);
    return 1;
}

static inline uint8_t *gm_page(void *host, uint64_t gpa, bool write)
{
    struct guest *g = host;

    (void)write;
    return g->use_pages && gt_range_ok(gpa, GM_PAGE, GM_RAM) ? g->ram + gpa : NULL;
}

static inline uint64_t gm_now(void *host)
{
    return ((struct guest *)host)->now;
}

static inline void gm_irq(void *host)
{
    ((struct guest *)host)->irqs++;
}

static inline void gm_kick(void *host, unsigned engine)
{
    ((struct guest *)host)->kicks[engine]++;
}

static inline void gm_quiesce(void *host, unsigned engine)
{
    (void)engine;
    ((struct guest *)host)->quiesced++;
}

static inline void gm_lock(void *host)
{
    struct guest *g = host;

    assert_false(g->held);
    if (g->locked)
        g->locked(g);
    g->held = true;
}

static inline void gm_unlock(void *host)
{
    struct guest *g = host;

    assert_true(g->held);
    g->held = false;
}

static inline enum vgpu_payload gm_payload(void *host, struct vgpu_exec *x, int id, const uint32_t *dw, unsigned n)
{
    struct guest *g = host;

    (void)x;
    (void)dw;
    (void)n;
    assert_false(g->held);
    g->payloads++;
    g->last_payload = id;
    return g->payload_result;
}

static inline struct guest *gm_new(void)
{
    struct guest *g = calloc(1, sizeof(*g));
    struct vgpu_config cfg;
    char err[256] = "";

    assert_non_null(g);
    g->ram = calloc(1, GM_RAM);
    g->next = GM_PAGE; /* page 0 stays unused: entries that are 0 by mistake show up */
    g->use_pages = true;
    g->ops = (struct vgpu_ops){.mem_read = gm_read,
                               .mem_write = gm_write,
                               .mem_cas = gm_cas,
                               .mem_page = gm_page,
                               .now_ns = gm_now,
                               .irq = gm_irq,
                               .kick = gm_kick,
                               .quiesce = gm_quiesce,
                               .payload = gm_payload,
                               .lock = gm_lock,
                               .unlock = gm_unlock};
    vgpu_config_default(&cfg);
    cfg.ops = &g->ops;
    cfg.host = g;
    if (vgpu_create(&g->v, &cfg, err, sizeof(err)))
        fail_msg("%s", err);
    gt_log_set_level(GT_LOG_ERROR);
    return g;
}

static inline void gm_free(struct guest *g)
{
    vgpu_destroy(g->v);
    free(g->ram);
    free(g);
}

static inline uint64_t gm_alloc(struct guest *g, unsigned pages)
{
    uint64_t gpa = g->next;

    g->next += (uint64_t)pages * GM_PAGE;
    assert_true(g->next <= GM_RAM);
    return gpa;
}

static inline uint32_t *gm_dw(struct guest *g, uint64_t gpa)
{
    assert_true(gt_range_ok(gpa, 4, GM_RAM));
    return (uint32_t *)(void *)(g->ram + gpa);
}

/* Present and writable: i915 GEN8_PAGE_PRESENT, GEN8_PAGE_RW. */
static inline void gm_ggtt_map(struct guest *g, uint32_t ggtt, uint64_t gpa, unsigned pages)
{
    for (unsigned i = 0; i < pages; i++)
        g->v->gtt[ggtt / GM_PAGE + i] = (gpa + (uint64_t)i * GM_PAGE) | 3;
}

static inline void gm_ppgtt_map(struct guest *g, uint64_t pml4, uint64_t va, uint64_t gpa)
{
    uint64_t table = pml4;

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *entry = (uint64_t *)(void *)(g->ram + table + 8 * ((va >> shift) & 511));

        if (!*entry)
            *entry = gm_alloc(g, 1) | 3;
        table = *entry & ~UINT64_C(0xfff);
    }
    *(uint64_t *)(void *)(g->ram + table + 8 * ((va >> 12) & 511)) = gpa | 3;
}

static inline uint32_t gm_reg(unsigned engine, enum reg_id id, unsigned elem)
{
    return reg_off(id, engine, elem);
}

/* Traps: what a guest CPU does. */
static inline uint32_t gm_mmio_read(struct guest *g, uint32_t off)
{
    return (uint32_t)vgpu_mmio_read(g->v, off, 4);
}

static inline void gm_mmio_write(struct guest *g, uint32_t off, uint32_t val)
{
    vgpu_mmio_write(g->v, off, 4, val);
}

/* Status page of an engine, registers as i915 leaves them after execlists_resume(). Returns its guest address. */
static inline uint64_t gm_engine_up(struct guest *g, unsigned engine)
{
    uint64_t hws = gm_alloc(g, 1);
    uint32_t ggtt = 0x01000000u + engine * GM_PAGE;

    gm_ggtt_map(g, ggtt, hws, 1);
    gm_mmio_write(g, gm_reg(engine, R_MODE_GEN7, 0), 0x80008000);
    gm_mmio_write(g, gm_reg(engine, R_HWS_PGA, 0), ggtt);
    gm_mmio_write(g, gm_reg(engine, R_CONTEXT_STATUS_PTR, 0), 0xffff0505);
    gm_mmio_write(g, gm_reg(engine, R_EMR, 0), ~1u);
    *gm_dw(g, hws + 4 * 0x1f) = 5;
    return hws;
}

/* MI_LOAD_REGISTER_IMM of one register group into an image, as i915 set_offsets(). */
static inline unsigned gm_image_group(uint32_t *image, unsigned pos, unsigned engine, const enum reg_id *ids,
                                      const unsigned *elems, unsigned n)
{
    image[pos++] = cmd_table[C_MI_LOAD_REGISTER_IMM].op | (2 * n - 1);
    for (unsigned i = 0; i < n; i++, pos += 2)
        image[pos] = reg_off(ids[i], engine, elems ? elems[i] : 0);
    return pos;
}

/* The gen9 layout: dword positions of i915 intel_lrc_reg.h follow from it. */
static inline void gm_build_image(uint32_t *image, unsigned engine)
{
    static const enum reg_id ring[] = {R_CONTEXT_CONTROL,
                                       R_HEAD,
                                       R_TAIL,
                                       R_START,
                                       R_CTL,
                                       R_BBADDR_UDW,
                                       R_BBADDR,
                                       R_BBSTATE,
                                       R_SBBADDR_UDW,
                                       R_SBBADDR,
                                       R_SBBSTATE,
                                       R_BB_PER_CTX_PTR,
                                       R_INDIRECT_CTX,
                                       R_INDIRECT_CTX_OFFSET};
    static const enum reg_id vm[] = {R_CTX_TIMESTAMP, R_PDP, R_PDP, R_PDP, R_PDP, R_PDP, R_PDP, R_PDP, R_PDP};
    static const unsigned vm_elems[] = {0, 7, 6, 5, 4, 3, 2, 1, 0};
    enum reg_id rest[36] = {R_EXCC, R_MI_MODE, R_INSTPM, R_BB_OFFSET};
    unsigned rest_elems[36] = {0};
    unsigned pos;

    memset(image, 0, GM_PAGE);
    gm_image_group(image, 0x01, engine, ring, NULL, GT_ARRAY_SIZE(ring));
    gm_image_group(image, 0x21, engine, vm, vm_elems, GT_ARRAY_SIZE(vm));
    for (unsigned i = 0; i < 32; i++) {
        rest[4 + i] = R_CS_GPR;
        rest_elems[4 + i] = i;
    }
    pos = gm_image_group(image, 0x51, engine, rest, rest_elems, GT_ARRAY_SIZE(rest));
    image[pos] = cmd_table[C_MI_BATCH_BUFFER_END].op;
}

enum {
    GM_CTX_CONTROL = 0x03,
    GM_HEAD = 0x05,
    GM_TAIL = 0x07,
    GM_START = 0x09,
    GM_CTL = 0x0b,
    GM_PER_CTX = 0x19,
    GM_INDIRECT = 0x1b,
    GM_TIMESTAMP = 0x23,
    GM_PDP0_UDW = 0x31,
    GM_PDP0_LDW = 0x33
};

static inline uint32_t *gm_image(struct guest *g, const struct gm_ctx *c)
{
    return gm_dw(g, c->image + GM_PAGE);
}

/* Context number n (1, 2, ...), with a ring of `pages` pages. */
static inline struct gm_ctx gm_context(struct guest *g, unsigned engine, unsigned n, unsigned pages)
{
    struct gm_ctx c = {.engine = engine, .id = n, .lrca = 0x02000000u + n * 0x10000u, .ring_size = pages * GM_PAGE};
    uint32_t *image;

    c.ring = c.lrca + 0x4000;
    c.image = gm_alloc(g, 2);
    c.ring_gpa = gm_alloc(g, pages);
    c.user = gm_alloc(g, 1);
    c.pml4 = gm_alloc(g, 1);
    gm_ggtt_map(g, c.lrca, c.image, 2);
    gm_ggtt_map(g, c.ring, c.ring_gpa, pages);
    gm_ppgtt_map(g, c.pml4, GM_USER_VA, c.user);
    image = gm_image(g, &c);
    gm_build_image(image, engine);
    image[GM_CTX_CONTROL] = 0x00090001 | 8; /* inhibit restore and synchronous switches, as lrc_init_state() */
    image[GM_START] = c.ring;
    image[GM_CTL] = (c.ring_size - GM_PAGE) | 1;
    image[GM_PDP0_UDW] = (uint32_t)(c.pml4 >> 32);
    image[GM_PDP0_LDW] = (uint32_t)c.pml4;
    return c;
}

/* Puts dwords at the end of the ring; the tail is padded to 8 bytes. */
static inline void gm_emit(struct guest *g, struct gm_ctx *c, const uint32_t *dw, unsigned n)
{
    for (unsigned i = 0; i < n; i++, c->tail = (c->tail + 4) % c->ring_size)
        *gm_dw(g, c->ring_gpa + c->tail) = dw[i];
    if (c->tail & 4) {
        *gm_dw(g, c->ring_gpa + c->tail) = 0;
        c->tail = (c->tail + 4) % c->ring_size;
    }
}
#define GM_EMIT(g, c, ...)                                                                                             \
    do {                                                                                                               \
        const uint32_t gm_dwords[] = {__VA_ARGS__};                                                                    \
        gm_emit(g, c, gm_dwords, GT_ARRAY_SIZE(gm_dwords));                                                            \
    } while (0)

/* Header of a command of n dwords. */
static inline uint32_t gm_hdr(enum cmd_id id, unsigned n)
{
    return cmd_table[id].op | (cmd_table[id].len_mask ? n - cmd_table[id].bias : 0);
}

static inline uint64_t gm_desc(const struct gm_ctx *c)
{
    return (uint64_t)c->id << 32 | c->lrca | 0x100 | 0x18 | 0x1; /* privileged, 64-bit, valid */
}

static inline void gm_elsp(struct guest *g, unsigned engine, uint64_t first, uint64_t second)
{
    uint32_t off = gm_reg(engine, R_ELSP, 0);

    gm_mmio_write(g, off, (uint32_t)(second >> 32));
    gm_mmio_write(g, off, (uint32_t)second);
    gm_mmio_write(g, off, (uint32_t)(first >> 32));
    gm_mmio_write(g, off, (uint32_t)first);
}

/* Publishes the tails and submits one or two contexts. */
static inline void gm_submit(struct guest *g, const struct gm_ctx *first, const struct gm_ctx *second)
{
    gm_image(g, first)[GM_TAIL] = first->tail;
    if (second)
        gm_image(g, second)[GM_TAIL] = second->tail;
    gm_elsp(g, first->engine, gm_desc(first), second ? gm_desc(second) : 0);
}

/* Runs until the engine has nothing to do, or `slices` are used up. */
static inline enum vgpu_run gm_run(struct guest *g, unsigned engine, unsigned budget, unsigned slices)
{
    enum vgpu_run r = VGPU_RUN_MORE;

    while (slices-- && r == VGPU_RUN_MORE)
        r = vgpu_engine_run(g->v, engine, budget);
    return r;
}

/* CSB entry i of the status page. */
static inline uint32_t gm_csb_status(struct guest *g, uint64_t hws, unsigned i)
{
    return *gm_dw(g, hws + 4 * (0x10 + 2 * i));
}

static inline uint32_t gm_csb_id(struct guest *g, uint64_t hws, unsigned i)
{
    return *gm_dw(g, hws + 4 * (0x11 + 2 * i));
}

static inline uint32_t gm_csb_write(struct guest *g, uint64_t hws)
{
    return *gm_dw(g, hws + 4 * 0x1f);
}

#endif
