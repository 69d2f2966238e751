/*
 * Throughput of the soft blitter on one surface of WIDTH x HEIGHT x 32 bits, next to memset and memcpy of the same
 * size in the same run. The address space is a test double (tests/unit/exec_double.h): translation is not measured.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mediator/backend.h"
#include "tests/unit/exec_double.h"
#include "vgpu/desc/cmds.h"

#define WIDTH  1920u
#define HEIGHT 1088u
#define PITCH  8192u
#define BYTES  (WIDTH * HEIGHT * 4)
#define SIZE   (PITCH * HEIGHT)
#define SRC    UINT64_C(0x10000000)
#define DST    UINT64_C(0x20000000)

#define SRC_TILED (1u << 15)
#define DST_TILED (1u << 11)

struct bench {
    struct backend *soft;
    struct vgpu_exec x;
    uint8_t *src, *dst;
};

struct job {
    const char *name;
    uint32_t tiled;  /* SRC_TILED, DST_TILED */
    uint32_t swctrl; /* 1: source Y, 2: destination Y */
    uint8_t rop;
    uint8_t channels; /* bits 21:20 of the header */
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void rows_set(struct bench *b, const struct job *job)
{
    (void)job;
    for (unsigned y = 0; y < HEIGHT; y++)
        memset(b->dst + (size_t)y * PITCH, (int)y, WIDTH * 4);
    __asm__ volatile("" ::: "memory");
}

static void rows_copy(struct bench *b, const struct job *job)
{
    (void)job;
    for (unsigned y = 0; y < HEIGHT; y++)
        memcpy(b->dst + (size_t)y * PITCH, b->src + (size_t)y * PITCH, WIDTH * 4);
    __asm__ volatile("" ::: "memory");
}

static uint32_t pitch(uint32_t tiled)
{
    return tiled ? PITCH / 4 : PITCH;
}

static void blt_fill(struct bench *b, const struct job *job)
{
    const uint32_t dw[7] = {cmd_table[C_XY_COLOR_BLT].op | (uint32_t)job->channels << 20 | job->tiled | 5,
                            3u << 24 | (uint32_t)job->rop << 16 | pitch(job->tiled & DST_TILED),
                            0,
                            HEIGHT << 16 | WIDTH,
                            (uint32_t)DST,
                            0,
                            0x12345678};

    double_payload(b->soft, &b->x, C_XY_COLOR_BLT, dw, 7);
}

static void blt_copy(struct bench *b, const struct job *job)
{
    const uint32_t dw[10] = {cmd_table[C_XY_SRC_COPY_BLT].op | (uint32_t)job->channels << 20 | job->tiled | 8,
                             3u << 24 | (uint32_t)job->rop << 16 | pitch(job->tiled & DST_TILED),
                             0,
                             HEIGHT << 16 | WIDTH,
                             (uint32_t)DST,
                             0,
                             0,
                             pitch(job->tiled & SRC_TILED),
                             (uint32_t)SRC,
                             0};

    vgpu_exec_reg_write(&b->x, reg_off(R_BCS_SWCTRL, VGPU_BCS, 0), job->swctrl);
    double_payload(b->soft, &b->x, C_XY_SRC_COPY_BLT, dw, 10);
}

/* MB/s of the best of nine runs. */
static double measure(struct bench *b, void (*run)(struct bench *, const struct job *), const struct job *job)
{
    double best = 1e9;

    for (int i = 0; i < 9; i++) {
        double start = now();

        run(b, job);
        double t = now() - start;
        if (t < best)
            best = t;
    }
    return BYTES / best / 1e6;
}

static void report(struct bench *b, void (*run)(struct bench *, const struct job *), const struct job *jobs, unsigned n,
                   const char *base_name, double base)
{
    for (unsigned i = 0; i < n; i++) {
        double mbs = measure(b, run, &jobs[i]);

        printf("%-34s %9.0f MB/s  %5.2f of %s\n", jobs[i].name, mbs, mbs / base, base_name);
    }
}

int main(void)
{
    static const struct job fills[] = {
        {"fill linear", 0, 0, 0xf0, 3},
        {"fill X", DST_TILED, 0, 0xf0, 3},
        {"fill linear, XOR with pattern", 0, 0, 0x5a, 3},
    };
    static const struct job copies[] = {
        {"copy linear -> linear", 0, 0, 0xcc, 3},    {"copy X -> linear", SRC_TILED, 0, 0xcc, 3},
        {"copy linear -> X", DST_TILED, 0, 0xcc, 3}, {"copy X -> X", SRC_TILED | DST_TILED, 0, 0xcc, 3},
        {"copy Y -> linear", SRC_TILED, 1, 0xcc, 3}, {"copy linear -> Y", DST_TILED, 2, 0xcc, 3},
        {"copy linear, RGB only", 0, 0, 0xcc, 1},    {"copy linear, XOR", 0, 0, 0x66, 3},
    };
    static struct bench b;

    b.soft = backend_soft_create(1);
    b.src = aligned_alloc(4096, SIZE);
    b.dst = aligned_alloc(4096, SIZE);
    if (!b.soft || !b.src || !b.dst)
        return 1;
    memset(b.src, 0x5a, SIZE);
    memset(b.dst, 0, SIZE);
    double_map(&b.x, SRC, b.src, SIZE, false);
    double_map(&b.x, DST, b.dst, SIZE, false);

    double set = measure(&b, rows_set, NULL), copy = measure(&b, rows_copy, NULL);
    printf("%ux%u, 32 bits, pitch %u\n%-34s %9.0f MB/s\n%-34s %9.0f MB/s\n", WIDTH, HEIGHT, PITCH, "memset, row by row",
           set, "memcpy, row by row", copy);
    report(&b, blt_fill, fills, GT_ARRAY_SIZE(fills), "memset", set);
    report(&b, blt_copy, copies, GT_ARRAY_SIZE(copies), "memcpy", copy);
    b.soft->ops->destroy(b.soft);
    free(b.src);
    free(b.dst);
    return 0;
}
