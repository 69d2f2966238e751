/*
 * Speed of the execution units: a fragment shader's kernel from the corpus, and the same arithmetic for 8 channels in
 * plain C, compiled with the same flags, in the same run. Host instructions are counted where the kernel lets us.
 */
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/eu_fixture.h"

#define TURNS 200000u

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* the machine may be busy */
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int open_counter(void)
{
    struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE, .size = sizeof(a), .config = PERF_COUNT_HW_INSTRUCTIONS};

    a.exclude_kernel = 1;
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static uint64_t read_counter(int fd)
{
    uint64_t v = 0;

    return fd >= 0 && read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

/* ---- the mix: what lighting shaders of the corpus consist of (mad, mul, add, mov, pln, sel, rsq) */

#define MIX 25u

static void assemble(struct asm_code *c)
{
    struct asm_reg v[40];

    for (unsigned i = 0; i < 40; i++)
        v[i] = asm_vec(20 + i, EU_TYPE_F);
    for (unsigned i = 0; i < 6; i++)
        asm_alu(c, EU_OP_PLN, 8, v[i], asm_scalar(4 + i / 2, i % 2 * 16, EU_TYPE_F), asm_vec(2, EU_TYPE_F));
    asm_alu(c, EU_OP_MUL, 8, v[6], v[0], v[0]);
    asm_three(c, EU_OP_MAD, 8, v[7], v[6], v[1], v[1]);
    asm_three(c, EU_OP_MAD, 8, v[8], v[7], v[2], v[2]);
    EU_PUT(asm_alu(c, EU_OP_MATH, 8, v[9], v[8], asm_null(EU_TYPE_F)), COND_MODIFIER, EU_MATH_RSQ);
    for (unsigned i = 0; i < 3; i++)
        asm_alu(c, EU_OP_MUL, 8, v[10 + i], v[i], v[9]);
    asm_alu(c, EU_OP_MUL, 8, v[13], v[10], v[3]);
    asm_three(c, EU_OP_MAD, 8, v[14], v[13], v[11], v[4]);
    asm_three(c, EU_OP_MAD, 8, v[15], v[14], v[12], v[5]);
    EU_PUT(asm_alu(c, EU_OP_SEL, 8, v[16], v[15], asm_float(0)), COND_MODIFIER, EU_COND_GE);
    for (unsigned i = 0; i < 3; i++)
        asm_three(c, EU_OP_MAD, 8, v[17 + i], asm_scalar(8, 4 * i, EU_TYPE_F), v[16], asm_scalar(9, 4 * i, EU_TYPE_F));
    asm_alu(c, EU_OP_ADD, 8, v[20], v[17], asm_neg(v[18]));
    asm_alu(c, EU_OP_ADD, 8, v[21], v[19], asm_float(0.125f));
    asm_mov(c, 8, v[22], v[20]);
    asm_mov(c, 8, v[23], v[21]);
    asm_mov(c, 8, v[24], asm_float(1));
}

/* The same, of memory and into memory, for one channel of eight: what a compiler makes of the source shader. */
static void plain_c(const float *restrict g, float *restrict out)
{
    const float *u = g + 16, *w = g + 24, *p = g + 32;

    for (unsigned i = 0; i < 8; i++) {
        float a[6], n, d, m, r[3];

        for (unsigned k = 0; k < 6; k++)
            a[k] = p[k * 4] * u[i] + (p[k * 4 + 1] * w[i] + p[k * 4 + 3]);
        n = 1.0f / sqrtf(a[0] * a[0] + a[1] * a[1] + a[2] * a[2]);
        d = a[0] * n * a[3] + a[1] * n * a[4] + a[2] * n * a[5];
        m = d >= 0 ? d : 0;
        for (unsigned k = 0; k < 3; k++)
            r[k] = g[64 + k] + m * g[72 + k];
        out[i] = r[0] - r[1];
        out[8 + i] = r[2] + 0.125f;
        out[16 + i] = 1;
    }
}

static void bench_mix(struct fixture *f, int counter)
{
    float *g = (float *)f->t.grf, out[24];
    double start, eu, c;
    uint64_t before;

    assemble(&f->code);
    asm_eot(&f->code);
    fixture_start(f, 0xff);
    for (unsigned i = 0; i < 80; i++)
        g[i] = 0.5f + (float)i * 0.01f;
    before = read_counter(counter);
    start = now();
    for (unsigned i = 0; i < TURNS; i++) {
        eu_thread_start(&f->t, f->kernel, 0xff);
        eu_run(&f->t, 1000);
    }
    eu = (now() - start) / TURNS;
    before = read_counter(counter) - before;
    start = now();
    for (unsigned i = 0; i < TURNS; i++) {
        plain_c(g, out);
        __asm__ volatile("" : : "r"(out) : "memory");
    }
    c = (now() - start) / TURNS;
    for (unsigned i = 0; i < 16; i++)
        if (fabsf(out[i] - g[(42 + i / 8) * 8 + i % 8]) > 1e-5f)
            exit(1);
    printf("mix of %u instructions SIMD8, thread start and end included: %.1f ns, %.0f million instructions/s\n", MIX,
           eu * 1e9, MIX / eu * 1e-6);
    printf("the same in C: %.1f ns; ratio %.1f\n", c * 1e9, eu / c);
    if (before)
        printf("host instructions for each: %.1f\n", (double)before / TURNS / MIX);
}

/* ---- kernels of the corpus, their messages answered with whatever */

static bool read_kernel(void *ctx, uint64_t offset, void *dst, size_t n)
{
    const struct {
        const char *code;
        size_t n;
    } *k = ctx;

    if (offset >= k->n)
        return false;
    memset(dst, 0, n);
    memcpy(dst, k->code + offset, k->n - offset < n ? k->n - offset : n);
    return true;
}

static void bench_kernel(struct fixture *f, const char *path, uint32_t mask, unsigned turns, int counter)
{
    static char code[1 << 16];
    struct {
        const char *code;
        size_t n;
    } k = {code, 0};
    FILE *file = fopen(path, "rb");
    unsigned executed = 0;
    uint64_t before;
    double start;

    if (!file)
        return;
    k.n = fread(code, 1, sizeof(code), file);
    fclose(file);
    eu_kernel_free(f->kernel);
    f->kernel = eu_kernel_decode(read_kernel, &k);
    memset(f->t.grf, 0, sizeof(f->t.grf));
    eu_thread_start(&f->t, f->kernel, mask);
    while (eu_run(&f->t, 1) == EU_BUDGET && executed < 1000000)
        executed++;
    before = read_counter(counter);
    start = now();
    for (unsigned i = 0; i < turns; i++) {
        eu_thread_start(&f->t, f->kernel, mask);
        eu_run(&f->t, 1000000);
    }
    start = now() - start;
    before = read_counter(counter) - before;
    printf("%s: %u instructions a thread, %.2f us, %.0f million instructions/s", strrchr(path, '/') + 1, executed,
           start / turns * 1e6, (double)executed * turns / start * 1e-6);
    if (before)
        printf(", %.1f host instructions each", (double)before / turns / executed);
    printf("\n");
}

int main(void)
{
    struct fixture *f = fixture_new();
    int counter = open_counter();

    bench_mix(f, counter);
    bench_kernel(f, TESTS_DIR "/corpus/kernels/fs8-50353c9f53e4.bin", 0xff, 50000, counter);
    bench_kernel(f, TESTS_DIR "/corpus/kernels/fs16-d066ec735b3a.bin", 0xffff, 50000, counter);
    bench_kernel(f, TESTS_DIR "/corpus/kernels/vs-9b3be328fb2b.bin", 0xff, 50000, counter);
    bench_kernel(f, TESTS_DIR "/corpus/kernels/cs-cbd2b0a9ad1f.bin", 0xffff, 50000, counter);
    fixture_free(f);
    return 0;
}
