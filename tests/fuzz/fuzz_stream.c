/*
 * Ring and batch streams, context images and page tables: a device with one context is set up, the input overwrites
 * parts of it, and the engine runs; with resets in between.
 *
 * Input: struct stream_input, then ring bytes, image patches (u16 dword, u32 value), table patches (u16 entry, u64
 * value), and the rest is the batch.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/backend.h"
#include "mediator/shadow.h"
#include "tests/fakes/ring_guest.h"
#include "tests/fuzz/random.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define MAX_PAGES 4096u
#define MAX_GPA   (UINT64_C(1) << 36)
#define SLICES    32u
#define BUDGET    256u

enum stream_flag {
    STREAM_ENGINE = 3,        /* mask */
    STREAM_GDRST = 1 << 2,    /* engine reset between the two submissions, else device reset */
    STREAM_AGAIN = 1 << 3,    /* submit once more while it runs */
    STREAM_NO_PAGES = 1 << 4, /* no host pointers: all through mem_read and mem_write */
};

struct stream_input {
    uint8_t flags, images, tables, zero;
    uint16_t ring_bytes; /* 0: call the batch */
};

struct host {
    struct shadow *memory;
    struct backend *backend;
    struct vgpu *v;
    uint64_t now;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* ---- the host */

static int host_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    return gt_range_ok(gpa, n, MAX_GPA) ? shadow_read(((struct host *)ctx)->memory, gpa, dst, n) : -EFAULT;
}

static int host_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    if (!gt_range_ok(gpa, n, MAX_GPA) || shadow_write(((struct host *)ctx)->memory, gpa, src, n))
        return -EFAULT;
    return 0;
}

static int host_cas(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    if (!gt_range_ok(gpa, size, MAX_GPA))
        return -EFAULT;
    int ret = shadow_cas(((struct host *)ctx)->memory, gpa, size, expected, desired);
    return ret < 0 ? -EFAULT : ret;
}

/* Pages that exist keep their place as long as the memory lives. */
static uint8_t *host_page(void *ctx, uint64_t gpa, bool write)
{
    (void)write;
    return (uint8_t *)(uintptr_t)shadow_page(((struct host *)ctx)->memory, gpa);
}

static uint64_t host_now(void *ctx)
{
    return ((struct host *)ctx)->now += 1000;
}

static void host_irq(void *ctx)
{
    (void)ctx;
}

static void host_kick(void *ctx, unsigned engine)
{
    (void)ctx;
    (void)engine;
}

static enum vgpu_payload host_payload(void *ctx, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    struct backend *b = ((struct host *)ctx)->backend;

    return b->ops->payload(b, x, cmd_id, dw, ndw);
}

static const struct vgpu_ops paged_ops = {.mem_read = host_read,
                                          .mem_write = host_write,
                                          .mem_cas = host_cas,
                                          .mem_page = host_page,
                                          .now_ns = host_now,
                                          .irq = host_irq,
                                          .kick = host_kick,
                                          .payload = host_payload};
static const struct vgpu_ops copying_ops = {.mem_read = host_read,
                                            .mem_write = host_write,
                                            .mem_cas = host_cas,
                                            .now_ns = host_now,
                                            .irq = host_irq,
                                            .kick = host_kick,
                                            .payload = host_payload};

static void guest_write(void *ctx, uint64_t off, unsigned size, uint64_t val)
{
    vgpu_mmio_write(((struct host *)ctx)->v, off, size, val);
}

static void guest_store(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    host_write(ctx, gpa, src, n);
}

/* ---- one input */

struct cursor {
    const uint8_t *p;
    size_t n;
};

static bool take(struct cursor *c, void *dst, size_t n)
{
    if (n > c->n)
        return false;
    memcpy(dst, c->p, n);
    c->p += n;
    c->n -= n;
    return true;
}

static void patch_image(struct cursor *c, uint32_t image[1024], unsigned count)
{
    uint16_t dword;
    uint32_t val;

    while (count-- && take(c, &dword, sizeof(dword)) && take(c, &val, sizeof(val)))
        image[dword % 1024] = val;
}

static void patch_tables(struct cursor *c, const struct ring_guest *g, unsigned count)
{
    uint16_t entry;
    uint64_t val;

    while (count-- && take(c, &entry, sizeof(entry)) && take(c, &val, sizeof(val)))
        rg_store64(g, RG_TABLES + entry % 2048u * 8, val);
}

static uint32_t put_ring(struct cursor *c, const struct ring_guest *g, size_t bytes)
{
    uint32_t call[16];
    size_t n = GT_MIN(bytes, c->n);

    n = GT_MIN(n, (size_t)RG_RING_SIZE - 8);
    if (!n) {
        uint32_t tail = rg_call_batch(call);
        g->store(g->ctx, RG_RING, call, tail);
        return tail;
    }
    g->store(g->ctx, RG_RING, c->p, n);
    c->p += n;
    c->n -= n;
    return (uint32_t)gt_align_up(n, 8);
}

static void run(struct host *h, const struct ring_guest *g, unsigned engine, bool again)
{
    rg_start_engine(g, engine);
    rg_submit(g, engine);
    for (unsigned i = 0; i < SLICES; i++) {
        if (again && i == SLICES / 2)
            rg_submit(g, engine);
        if (vgpu_engine_run(h->v, engine, BUDGET) == VGPU_RUN_IDLE && !again)
            break;
    }
    for (unsigned id = 0; id < R_COUNT; id++)
        if (reg_table[id].block == REG_ENGINE)
            vgpu_mmio_read(h->v, reg_off((enum reg_id)id, engine, 0), 4);
}

static void play(struct host *h, const struct stream_input *in, struct cursor *c)
{
    const struct ring_guest g = {.ctx = h, .write = guest_write, .store = guest_store};
    unsigned engine = in->flags & STREAM_ENGINE;
    uint32_t image[1024];

    rg_map(&g);
    rg_image(image, engine, put_ring(c, &g, in->ring_bytes));
    patch_image(c, image, in->images);
    patch_tables(c, &g, in->tables);
    g.store(h, RG_REGISTERS, image, sizeof(image));
    g.store(h, RG_BATCH, c->p, GT_MIN(c->n, (size_t)RG_BATCH_SIZE));
    run(h, &g, engine, in->flags & STREAM_AGAIN);
    if (in->flags & STREAM_GDRST)
        rg_reg(&g, R_GDRST, 0, 1u << engine_table[engine].gdrst_bit);
    else
        vgpu_reset(h->v);
    rg_map(&g);
    g.store(h, RG_REGISTERS, image, sizeof(image));
    run(h, &g, engine, false);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char err[128];

    (void)argc;
    (void)argv;
    gt_log_set_level(GT_LOG_ERROR);
    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err)))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = {data, size};
    struct stream_input in;
    struct vgpu_config cfg;
    struct host h = {.now = 1000000};
    char err[128];

    if (!take(&c, &in, sizeof(in)))
        return 0;
    h.memory = shadow_create(MAX_PAGES);
    h.backend = backend_soft_create(1);
    vgpu_config_default(&cfg);
    cfg.ops = in.flags & STREAM_NO_PAGES ? &copying_ops : &paged_ops;
    cfg.host = &h;
    if (h.memory && h.backend && !vgpu_create(&h.v, &cfg, err, sizeof(err)))
        play(&h, &in, &c);
    vgpu_destroy(h.v);
    if (h.backend)
        h.backend->ops->destroy(h.backend);
    shadow_destroy(h.memory);
    return 0;
}

/* ---- mutation: commands that exist, with operands that point somewhere */

static uint32_t rnd_operand(void)
{
    switch (rnd(5)) {
    case 0:
        return RG_FIRST + (rnd(RG_END - RG_FIRST) & ~3u);
    case 1:
        return 0;
    case 2: {
        unsigned id = rnd(R_COUNT);
        const struct reg_desc *row = &reg_table[id];

        return reg_off((enum reg_id)id, row->block == REG_ENGINE ? rnd(VGPU_ENGINES) : 0, 0);
    }
    case 3:
        return 1u << rnd(32);
    default:
        return rnd(UINT32_MAX);
    }
}

static size_t rnd_command(uint32_t cmd[64])
{
    const struct cmd_desc *row = &cmd_table[rnd(C_COUNT)];
    unsigned ndw = row->min_len ? row->min_len : row->bias;

    if (row->len_mask && !rnd(4))
        ndw += rnd(8);
    ndw = ndw > 64 ? 64 : ndw;
    cmd[0] = row->op | (row->len_mask ? (ndw - row->bias) & row->len_mask : 0);
    if (!rnd(2))
        cmd[0] |= rnd(UINT32_MAX) & ~row->mask & ~row->len_mask;
    for (unsigned i = 1; i < ndw; i++)
        cmd[i] = rnd_operand();
    return ndw * 4;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint32_t cmd[64];

    rng_state = seed;
    if (size < sizeof(struct stream_input) || rnd(3) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    size_t n = rnd_command(cmd);
    size_t at = sizeof(struct stream_input) + rnd((uint32_t)(size - sizeof(struct stream_input)) / 4 + 1) * 4;

    if (n > max_size - size || at > size)
        return LLVMFuzzerMutate(data, size, max_size);
    memmove(data + at + n, data + at, size - at);
    memcpy(data + at, cmd, n);
    return size + n;
}
