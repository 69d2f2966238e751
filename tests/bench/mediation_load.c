/*
 * The same work for a GPU that is mediated and for one that is not; for tests/bench/mediation.
 *
 *   mediation_load alone LOAD SECONDS    the vGPU and the software backend are called, in this thread, and that is all
 *   mediation_load SOCKET LOAD SECONDS   through the gtmux-dm that listens there, as a guest does
 *
 * LOAD: request  one request after the other, each of which stores one word
 *       work     batches of blits, 1 GiB of fills each; the result is looked at
 *       trap     register writes and nothing else (not alone)
 * Prints one JSON object.
 */
#include <sched.h>

#include "mediator/backend.h"
#include "tests/fakes/dm_guest.h"
#include "vgpu/base/log.h"

#define RAM_SIZE  (UINT64_C(4) << 20)
#define FILL_AT   UINT64_C(0x100000) /* 1 MiB, behind the tables of ring_guest.h */
#define FILL_SIZE UINT64_C(0x100000)
#define FILLS     1024u
#define LOST_NS   UINT64_C(20000000000)

struct bench {
    struct dm_guest g; /* alone: no socket */
    struct vgpu *v;
    struct backend *backend;
    uint64_t submit_ns; /* from the first write to the submit port to the answer to the last one */
};

/* ---- alone */

static int mem_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    struct bench *b = host;

    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(dst, b->g.ram + gpa, n);
    return 0;
}

static int mem_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    struct bench *b = host;

    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(b->g.ram + gpa, src, n);
    return 0;
}

static int mem_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    (void)expected;
    return mem_write(host, gpa, &desired, size) ? -EFAULT : 1;
}

static uint8_t *mem_page(void *host, uint64_t gpa, bool write)
{
    (void)write;
    return gpa < RAM_SIZE ? ((struct bench *)host)->g.ram + gpa : NULL;
}

static uint64_t now_ns(void *host)
{
    (void)host;
    return gt_clock_ns();
}

static void nothing(void *host)
{
    (void)host;
}

static void no_kick(void *host, unsigned engine)
{
    (void)host;
    (void)engine;
}

static enum vgpu_payload payload(void *host, struct vgpu_exec *x, int id, const uint32_t *dw, unsigned ndw)
{
    struct backend *b = ((struct bench *)host)->backend;

    return b->ops->payload(b, x, id, dw, ndw);
}

static void alone_write(void *ctx, uint64_t off, unsigned size, uint64_t val)
{
    vgpu_mmio_write(((struct bench *)ctx)->v, off, size, val);
}

static void alone_store(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    mem_write(ctx, gpa, src, n);
}

static void open_alone(struct bench *b)
{
    static const struct vgpu_ops ops = {.mem_read = mem_read,
                                        .mem_write = mem_write,
                                        .mem_cas = mem_cas,
                                        .mem_page = mem_page,
                                        .now_ns = now_ns,
                                        .irq = nothing,
                                        .kick = no_kick,
                                        .payload = payload};
    struct vgpu_config cfg;
    char err[256];

    vgpu_config_default(&cfg);
    cfg.ops = &ops;
    cfg.host = b;
    b->backend = backend_soft_create(0);
    b->g.size = RAM_SIZE;
    b->g.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    b->g.ring = (struct ring_guest){.ctx = b, .write = alone_write, .store = alone_store};
    dg_check(b->backend && b->g.ram != MAP_FAILED && !vgpu_create(&b->v, &cfg, err, sizeof(err)), "making a device");
}

/* ---- requests */

/* A guest that waits looks at the result every rest_us; 0: all the time. */
static void run(struct bench *b, unsigned engine, unsigned rest_us)
{
    uint64_t start = gt_clock_ns();

    dg_submit(&b->g, engine);
    b->submit_ns += gt_clock_ns() - start;
    if (b->v) {
        while (vgpu_engine_run(b->v, engine, 2048) == VGPU_RUN_MORE)
            ;
        dg_check(dg_done(&b->g), "a request");
        return;
    }
    for (unsigned i = 0; !dg_done(&b->g); i++) {
        if (rest_us)
            usleep(rest_us);
        else if (i % 64 == 63)
            sched_yield();
        dg_check(i % 1024 || gt_clock_ns() - start < LOST_NS, "a request");
    }
    /* A submission before the context has left would be a preemption, which is not what is measured. */
    while (dg_read(&b->g, reg_off(R_EXECLIST_STATUS_LO, engine, 0)) & GT_BIT(18))
        if (rest_us)
            usleep(rest_us);
}

static uint64_t do_requests(struct bench *b, uint64_t end)
{
    uint32_t *dw = (uint32_t *)(b->g.ram + RG_BATCH);
    uint64_t n = 0;

    dw[0] = rg_op(C_MI_STORE_DATA_IMM, 4);
    dw[1] = RG_DATA;
    dw[2] = 0;
    dw[4] = rg_op(C_MI_BATCH_BUFFER_END, 1);
    for (; gt_clock_ns() < end; n++) {
        dw[3] = (uint32_t)n + 1;
        run(b, VGPU_RCS, 0);
        dg_check(*(const uint32_t *)(b->g.ram + RG_DATA) == n + 1, "the result of a request");
    }
    return n;
}

static uint64_t do_work(struct bench *b, uint64_t end)
{
    const uint32_t pitch = 4096, rows = (uint32_t)(FILL_SIZE / pitch);
    const uint32_t *pixels = (const uint32_t *)(b->g.ram + FILL_AT);
    uint64_t n = 0;

    for (uint64_t a = FILL_AT; a < FILL_AT + FILL_SIZE; a += 0x1000)
        rg_store64(&b->g.ring, RG_TABLES + 0x3000 + a / 0x1000 * 8, a | RG_PTE);
    for (; gt_clock_ns() < end; n++) {
        uint32_t *dw = (uint32_t *)(b->g.ram + RG_BATCH);

        for (unsigned i = 0; i < FILLS; i++, dw += 7) {
            /* PRM SKL vol 2a XY_COLOR_BLT: 32 bits a pixel, both halves written; pattern copy. */
            const uint32_t blit[7] = {rg_op(C_XY_COLOR_BLT, 7) | 3u << 20,
                                      3u << 24 | 0xf0u << 16 | pitch,
                                      0,
                                      rows << 16 | pitch / 4,
                                      (uint32_t)FILL_AT,
                                      0,
                                      (uint32_t)n * FILLS + i};

            memcpy(dw, blit, sizeof(blit));
        }
        *dw = rg_op(C_MI_BATCH_BUFFER_END, 1);
        run(b, VGPU_BCS, 50);
        dg_check(pixels[FILL_SIZE / 4 - 1] == (uint32_t)n * FILLS + FILLS - 1, "the result of a blit");
    }
    return n;
}

static uint64_t do_traps(struct bench *b, uint64_t end)
{
    uint64_t n = 0;

    for (; gt_clock_ns() < end; n++)
        rg_reg(&b->g.ring, R_IMR, VGPU_RCS, 0);
    return n;
}

int main(int argc, char **argv)
{
    static struct bench b;
    static const struct {
        const char *name;
        unsigned engine;
        uint64_t (*run)(struct bench *b, uint64_t end);
    } loads[] = {{"request", VGPU_RCS, do_requests}, {"work", VGPU_BCS, do_work}, {"trap", VGPU_RCS, do_traps}};
    double seconds = argc == 4 ? strtod(argv[3], NULL) : 0;
    unsigned which = 0;

    while (argc == 4 && which < GT_ARRAY_SIZE(loads) && strcmp(argv[2], loads[which].name) != 0)
        which++;
    if (argc != 4 || which == GT_ARRAY_SIZE(loads) || !(seconds > 0 && seconds < 100)) {
        fprintf(stderr, "usage: mediation_load alone|SOCKET request|work|trap SECONDS\n");
        return 2;
    }
    gt_log_set_level(GT_LOG_ERROR);
    if (!strcmp(argv[1], "alone"))
        open_alone(&b);
    else
        dg_connect(&b.g, argv[1], RAM_SIZE);
    dg_start(&b.g, loads[which].engine);
    loads[which].run(&b, gt_clock_ns() + 50000000); /* warm */
    b.submit_ns = 0;
    uint64_t start = gt_clock_ns(), n = loads[which].run(&b, start + (uint64_t)(seconds * 1e9));
    double ns = (double)(gt_clock_ns() - start);

    printf("{\"n\":%llu,\"us_each\":%.4f,\"submit_us\":%.4f}\n", (unsigned long long)n, ns / 1e3 / (double)n,
           (double)b.submit_ns / 1e3 / (double)n);
    return 0;
}
