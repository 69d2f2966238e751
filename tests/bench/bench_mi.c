/*
 * Rate of the command streamer: batches full of one MI command each, next to a memcpy of the same batch in the same
 * run. The device is real, guest memory is a flat array; no threads, no transport.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/fakes/ring_guest.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define RAM_SIZE 0x80000u
#define ROUNDS   200u

struct bench {
    uint8_t ram[RAM_SIZE];
    struct vgpu *v;
    struct ring_guest guest;
};

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int mem_read(void *host, uint64_t gpa, void *dst, size_t n)
{
    struct bench *b = host;

    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(dst, b->ram + gpa, n);
    return 0;
}

static int mem_write(void *host, uint64_t gpa, const void *src, size_t n)
{
    struct bench *b = host;

    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(b->ram + gpa, src, n);
    return 0;
}

static int mem_cas(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    (void)expected;
    return mem_write(host, gpa, &desired, size) ? -EFAULT : 1;
}

static uint8_t *mem_page(void *host, uint64_t gpa, bool write)
{
    struct bench *b = host;

    (void)write;
    return gpa < RAM_SIZE ? b->ram + gpa : NULL;
}

static uint64_t now_ns(void *host)
{
    (void)host;
    return (uint64_t)(now_s() * 1e9);
}

static void no_irq(void *host)
{
    (void)host;
}

static void no_kick(void *host, unsigned engine)
{
    (void)host;
    (void)engine;
}

static void guest_write(void *ctx, uint64_t off, unsigned size, uint64_t val)
{
    vgpu_mmio_write(((struct bench *)ctx)->v, off, size, val);
}

static void guest_store(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    mem_write(ctx, gpa, src, n);
}

/* Fills the batch with one command; returns how many fit. */
static unsigned fill(struct bench *b, const uint32_t *cmd, unsigned ndw)
{
    uint32_t *p = (uint32_t *)(b->ram + RG_BATCH);
    unsigned count = (RG_BATCH_SIZE / 4 - 1) / ndw;

    for (unsigned i = 0; i < count; i++)
        memcpy(p + i * ndw, cmd, ndw * 4);
    p[count * ndw] = rg_op(C_MI_BATCH_BUFFER_END, 1);
    return count;
}

static bool run_once(struct bench *b)
{
    uint32_t page[1024];
    uint32_t tail = rg_call_batch((uint32_t *)(b->ram + RG_RING));

    rg_image(page, VGPU_RCS, tail);
    memcpy(b->ram + RG_REGISTERS, page, sizeof(page));
    memset(b->ram + RG_HWSP + 0xc0, 0, 4);
    rg_submit(&b->guest, VGPU_RCS);
    while (vgpu_engine_run(b->v, VGPU_RCS, 1u << 20) == VGPU_RUN_MORE)
        ;
    return *(uint32_t *)(b->ram + RG_HWSP + 0xc0) == 0x600d;
}

static bool measure(struct bench *b, const char *name, const uint32_t *cmd, unsigned ndw)
{
    static uint8_t copy[RG_BATCH_SIZE];
    unsigned count = fill(b, cmd, ndw);
    double bytes = (double)ROUNDS * count * ndw * 4;
    double start = now_s();

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!run_once(b)) {
            fprintf(stderr, "%s: the batch did not complete\n", name);
            return false;
        }
    }
    double ours = now_s() - start;
    start = now_s();
    for (unsigned i = 0; i < ROUNDS; i++) {
        memcpy(copy, b->ram + RG_BATCH, (size_t)count * ndw * 4);
        __asm__ volatile("" ::"r"(copy) : "memory");
    }
    double peer = now_s() - start;
    printf("%-24s %7.1f ns each, %7.1f MB/s of batch; memcpy %8.0f MB/s, ratio %.4f\n", name,
           ours / ROUNDS / count * 1e9, bytes / ours / 1e6, bytes / peer / 1e6, peer / ours);
    return true;
}

int main(void)
{
    static struct bench b;
    static const struct vgpu_ops ops = {
        .mem_read = mem_read,
        .mem_write = mem_write,
        .mem_cas = mem_cas,
        .mem_page = mem_page,
        .now_ns = now_ns,
        .irq = no_irq,
        .kick = no_kick,
    };
    struct vgpu_config cfg;
    char err[256];

    gt_log_set_level(GT_LOG_WARN);
    vgpu_config_default(&cfg);
    cfg.ops = &ops;
    cfg.host = &b;
    if (vgpu_create(&b.v, &cfg, err, sizeof(err))) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    b.guest = (struct ring_guest){.ctx = &b, .write = guest_write, .store = guest_store};
    rg_map(&b.guest);
    rg_start_engine(&b.guest, VGPU_RCS);

    const uint32_t gpr = reg_off(R_CS_GPR, VGPU_RCS, 0);
    const uint32_t noop[] = {rg_op(C_MI_NOOP, 1)};
    const uint32_t store[] = {rg_op(C_MI_STORE_DATA_IMM, 4), RG_DATA, 0, 0x1234};
    const uint32_t copy[] = {rg_op(C_MI_COPY_MEM_MEM, 5), RG_DATA, 0, RG_DATA + 0x1000, 0};
    const uint32_t load[] = {rg_op(C_MI_LOAD_REGISTER_IMM, 3), gpr, 0x5678};
    const uint32_t save[] = {rg_op(C_MI_STORE_REGISTER_MEM, 4), gpr, RG_DATA, 0};
    bool ok = measure(&b, "MI_NOOP", noop, 1) && measure(&b, "MI_STORE_DATA_IMM", store, 4) &&
              measure(&b, "MI_COPY_MEM_MEM", copy, 5) && measure(&b, "MI_LOAD_REGISTER_IMM", load, 3) &&
              measure(&b, "MI_STORE_REGISTER_MEM", save, 4);
    vgpu_destroy(b.v);
    return ok ? 0 : 1;
}
