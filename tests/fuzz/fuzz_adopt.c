/*
 * What a killed process left behind, as its guest might have made it: the state of a device that is in the middle of a
 * batch is overwritten in places, adopted and driven.
 *
 * Input: records of two u32, `at` and `val`. at[31:28] 0 to 13: the state's dword at at[27:0] (modulo its size) is val;
 * 14: after the adoption, a write of val to register number at[27:0]; 15: engine at[1:0] runs, or with at[2] a display
 * tick comes after val ns.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/backend.h"
#include "tests/fakes/ring_guest.h"
#include "tests/fuzz/random.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"
#include "vgpu/device.h"

#define RAM_SIZE     0x80000u
#define MAX_RECORDS  512u
#define BUDGET       256u
#define MAX_TICK     UINT32_C(100000000) /* ns */
#define MAX_TICKS    16u                 /* a tick may compose a picture for its CRC */
#define KIND(at)     ((at) >> 28)
#define KIND_WRITE   14u
#define KIND_RUN     15u
#define RUN_TICK     4u
#define PLACE(at)    ((at)&0x0fffffffu)
#define SEMAPHORE_EQ (4u << 12 | 1u << 15)

struct record {
    uint32_t at, val;
};

struct host {
    struct backend *backend;
    struct vgpu *v;
    uint64_t now;
    uint8_t ram[RAM_SIZE];
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* ---- the host */

static int host_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(dst, ((struct host *)ctx)->ram + gpa, n);
    return 0;
}

static int host_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(((struct host *)ctx)->ram + gpa, src, n);
    return 0;
}

static int host_cas(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    uint64_t now = 0;

    if (host_read(ctx, gpa, &now, size))
        return -EFAULT;
    if (now != *expected) {
        *expected = now;
        return 0;
    }
    return host_write(ctx, gpa, &desired, size) ? -EFAULT : 1;
}

static uint8_t *host_page(void *ctx, uint64_t gpa, bool write)
{
    (void)write;
    return gt_range_ok(gpa, 4096, RAM_SIZE) ? ((struct host *)ctx)->ram + gpa : NULL;
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

static const struct vgpu_ops host_ops = {.mem_read = host_read,
                                         .mem_write = host_write,
                                         .mem_cas = host_cas,
                                         .mem_page = host_page,
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

/* ---- the device that was killed */

static struct host before; /* its guest's memory */
static uint8_t *before_state, gtt[VGPU_GTT_SIZE];

static void fill_batch(const struct ring_guest *g)
{
    const uint32_t batch[] = {
        rg_op(C_MI_STORE_DATA_IMM, 4),
        RG_DATA,
        0,
        1,
        rg_op(C_MI_SEMAPHORE_WAIT, 4) | SEMAPHORE_EQ,
        1,
        RG_DATA + 8,
        0,
        rg_op(C_MI_ATOMIC, 3) | 5u << 8,
        RG_DATA + 16,
        0,
        rg_op(C_XY_COLOR_BLT, 7) | 3u << 20,
        3u << 24 | 0xf0u << 16 | 64,
        0,
        8u << 16 | 8,
        RG_DATA + 0x100,
        0,
        7,
        rg_op(C_MI_BATCH_BUFFER_END, 1),
    };

    g->store(g->ctx, RG_BATCH, batch, sizeof(batch));
}

/* On engine 0 it waits in a batch, on engine 1 the same context is queued; pipe A is on. */
static void make_busy(struct host *h)
{
    const struct ring_guest g = {.ctx = h, .write = guest_write, .store = guest_store};
    uint32_t image[1024], ring[16];

    rg_map(&g);
    uint32_t tail = rg_call_batch(ring);

    g.store(h, RG_RING, ring, tail);
    rg_image(image, VGPU_RCS, tail);
    g.store(h, RG_REGISTERS, image, sizeof(image));
    fill_batch(&g);
    for (unsigned engine = 0; engine < 2; engine++) {
        rg_start_engine(&g, engine);
        rg_submit(&g, engine);
    }
    vgpu_engine_run(h->v, VGPU_RCS, BUDGET);
    rg_reg(&g, R_TRANS_VTOTAL, 0, 805u << 16 | 767);
    rg_reg(&g, R_TRANSCONF, 0, 1u << 31);
}

static struct vgpu_config config(struct host *h)
{
    struct vgpu_config cfg;

    vgpu_config_default(&cfg);
    cfg.ops = &host_ops;
    cfg.host = h;
    cfg.gtt = gtt;
    return cfg;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct vgpu_config cfg = config(&before);
    char err[128];

    (void)argc;
    (void)argv;
    gt_log_set_level(GT_LOG_ERROR);
    before_state = aligned_alloc(4096, gt_align_up(vgpu_state_size(), 4096));
    before.backend = backend_soft_create(1);
    if (!before_state || !before.backend)
        abort();
    memset(before_state, 0, vgpu_state_size());
    cfg.state = before_state;
    if (vgpu_create(&before.v, &cfg, err, sizeof(err)))
        abort();
    make_busy(&before); /* and is never ended: that would take the mark of a complete state away */
    return 0;
}

/* ---- one input */

static void drive(struct host *h, struct record r, unsigned *ticks)
{
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

    if (KIND(r.at) == KIND_WRITE) {
        uint32_t off = refs[PLACE(r.at) % count].off;

        vgpu_mmio_write(h->v, off, 4, r.val);
        vgpu_mmio_read(h->v, off, 4);
    } else if (r.at & RUN_TICK) {
        h->now += r.val % MAX_TICK;
        if ((*ticks)++ < MAX_TICKS)
            vgpu_display_tick(h->v);
    } else {
        vgpu_engine_run(h->v, r.at % VGPU_ENGINES, BUDGET);
    }
}

static void look(struct host *h)
{
    static struct vgpu_scanout s;
    static uint32_t row[VGPU_WIDTH_MAX];
    static uint64_t scratch[VGPU_COMPOSE_SCRATCH / 8];

    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++)
        if (vgpu_scanout(h->v, pipe, &s))
            vgpu_compose_row(&s, s.height / 2, (vgpu_reader)vgpu_ggtt_read, h->v, row, scratch);
    for (unsigned id = 0; id < R_COUNT; id++)
        if (reg_table[id].block != REG_GLOBAL)
            vgpu_mmio_read(h->v, reg_off((enum reg_id)id, 0, 0), 4);
}

static void patch(uint8_t *state, const struct record *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (KIND(r[i].at) < KIND_WRITE)
            memcpy(state + PLACE(r[i].at) % (vgpu_state_size() / 4) * 4, &r[i].val, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct host h;
    static uint8_t before_gtt[4096];
    struct record r[MAX_RECORDS];
    unsigned n = (unsigned)GT_MIN(size / sizeof(*r), (size_t)MAX_RECORDS), ticks = 0;
    void *old = malloc(vgpu_state_size());
    struct vgpu_config cfg = config(&h);
    char err[128];

    if (!before_gtt[RG_FIRST / 4096 * 8])
        memcpy(before_gtt, gtt, sizeof(before_gtt));
    if (!old)
        return 0;
    memcpy(r, data, n * sizeof(*r));
    memcpy(old, before_state, vgpu_state_size());
    patch(old, r, n);
    memset(gtt, 0, sizeof(gtt));
    memcpy(gtt, before_gtt, sizeof(before_gtt));
    h = before;
    if (!vgpu_adopt(&h.v, &cfg, old, err, sizeof(err))) {
        vgpu_resume(h.v);
        for (unsigned i = 0; i < VGPU_ENGINES; i++)
            vgpu_engine_run(h.v, i, BUDGET);
        for (unsigned i = 0; i < n; i++)
            if (KIND(r[i].at) >= KIND_WRITE)
                drive(&h, r[i], &ticks);
        look(&h);
        vgpu_destroy(h.v);
    }
    free(old);
    return 0;
}

/* ---- mutation */

/* Dwords of the state that are read, more or less often. */
static uint32_t rnd_place(void)
{
    const size_t e = offsetof(struct vgpu, engine) + rnd(VGPU_ENGINES) * sizeof(struct vgpu_engine);
    const size_t d = offsetof(struct vgpu, display);
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

#define RND_IN(from, to) (uint32_t)(((from) + rnd((uint32_t)((to) - (from)))) / 4)
    switch (rnd(8)) {
    case 0:
        return RND_IN(offsetof(struct vgpu, own_gtt), offsetof(struct vgpu, undo) + 256);
    case 1:
        return RND_IN(e + offsetof(struct vgpu_engine, elsp), e + offsetof(struct vgpu_engine, ggtt));
    case 2:
        return RND_IN(e + offsetof(struct vgpu_engine, ring), e + offsetof(struct vgpu_engine, cmd));
    case 3:
        return RND_IN(e + offsetof(struct vgpu_engine, undo), e + offsetof(struct vgpu_engine, undo) + 256);
    case 4:
        return RND_IN(d, d + offsetof(struct vgpu_pipe, precise));
    case 5:
        return RND_IN(d + offsetof(struct vgpu_display, head), d + offsetof(struct vgpu_display, crc_epoch));
    case 6:
        return rnd((uint32_t)(vgpu_state_size() / 4));
    default:
        return (uint32_t)(VGPU_STATE_REGS + refs[rnd(count)].off) / 4;
    }
#undef RND_IN
}

static uint32_t rnd_value(void)
{
    switch (rnd(5)) {
    case 0:
        return 1u << rnd(32);
    case 1:
        return rnd(8);
    case 2:
        return rnd(2) ? UINT32_MAX : RG_FIRST + rnd(RG_END - RG_FIRST);
    default:
        return rnd(UINT32_MAX);
    }
}

static struct record rnd_record(void)
{
    switch (rnd(6)) {
    case 0:
        return (struct record){KIND_WRITE << 28 | rnd(1u << 16), rnd_value()};
    case 1:
        return (struct record){KIND_RUN << 28 | rnd(8), rnd_value()};
    default:
        return (struct record){rnd_place(), rnd_value()};
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct record new;
    size_t n = size / sizeof(new), at;

    rng_state = seed;
    if (size && !rnd(3))
        return LLVMFuzzerMutate(data, size, max_size);
    new = rnd_record();
    at = n && (rnd(2) || size + sizeof(new) > max_size) ? rnd((uint32_t)n) : n;
    if ((at + 1) * sizeof(new) > max_size)
        return size;
    memcpy(data + at * sizeof(new), &new, sizeof(new));
    return GT_MAX(size, (at + 1) * sizeof(new));
}
