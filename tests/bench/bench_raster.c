/*
 * Pixels per second of the pixel half: flat and shaded primitives on a target of SIDE x SIDE x 32 bits in Y tiles, next
 * to memset of as many bytes in the same run. State and memory are test doubles; kernels are Mesa's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The fixtures are those of unit tests; here a broken one ends the program. */
#define assert_non_null(p)     ((p) ? (void)0 : abort())
#define assert_int_equal(a, b) ((a) == (b) ? (void)0 : abort())
#define FIXTURE_PAGES          4096u
#include "tests/unit/pixel_engine.h"

#define SIDE  1024u
#define BYTES ((size_t)SIDE * SIDE * 4)

/* Mesa's kernels: blorp's clear (one colour for 16 pixels), glprobe's triangle (two interpolated channels). */
#define CLEAR    "fs16-8cde77269f06"
#define GRADIENT "fs16-85310ce56fa0"

static struct pixel_engine p;

/* Processor time for one worker, so that other programs do not matter; for more, the clock on the wall. */
static clockid_t watch = CLOCK_PROCESS_CPUTIME_ID;

static double now(void)
{
    struct timespec t;

    clock_gettime(watch, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void set_memory(void)
{
    memset(fixture_ram, 0x5a, BYTES);
    __asm__ volatile("" ::: "memory");
}

static void one_rectangle(void)
{
    engine_rect(&p, 0, 0, SIDE, SIDE, 0.5f);
}

/* Right-angled triangles with sides of `size` that cover the square once. */
static void triangles(float size)
{
    engine_next(&p);
    if (!soft_raster_begin(p.e.raster, sizeof(struct engine_vertex) / 4))
        abort();
    for (float y = 0; y < SIDE; y += size) {
        for (float x = 0; x < SIDE; x += size) {
            const struct engine_vertex v[4] = {{.position = {x, y, 0, 1}},
                                               {.position = {x + size, y, 0, 1}, .attribute = {1, 0, 0, 1}},
                                               {.position = {x, y + size, 0, 1}, .attribute = {0, 1, 0, 1}},
                                               {.position = {x + size, y + size, 0, 1}, .attribute = {1, 1, 0, 1}}};
            struct soft_prim first = {.kind = SOFT_TRIANGLE, .edges = 7}, second = first;

            for (unsigned i = 0; i < 3; i++) {
                first.v[i] = (const uint32_t *)&v[i];
                second.v[i] = (const uint32_t *)&v[i + 1];
            }
            soft_raster_add(p.e.raster, &first);
            soft_raster_add(p.e.raster, &second);
        }
    }
    soft_raster_flush(p.e.raster);
}

static void small_triangles(void)
{
    triangles(8);
}

static void large_triangles(void)
{
    triangles(256);
}

/* Seconds of the best of five runs. */
static double measure(void (*run)(void))
{
    double best = 1e9;

    for (int i = 0; i < 5; i++) {
        double start = now(), t;

        run();
        t = now() - start;
        if (t < best)
            best = t;
    }
    return best;
}

static void report(const char *name, void (*run)(void), double base)
{
    double t = measure(run);

    printf("%-44s %8.1f Mpixel/s  %6.4f of memset\n", name, SIDE * SIDE / t / 1e6, base / t);
}

static void blend(bool on)
{
    uint32_t *entry = (uint32_t *)engine_heap(ENGINE_BLEND) + 1;

    memset(entry, 0, 8);
    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, ColorBufferBlendEnable, on);
    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, SourceBlendFactor, 3);
    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, DestinationBlendFactor, 19);
}

static void depth(bool on)
{
    GIVE(&p, 3DSTATE_DEPTH_BUFFER, 8, F(3DSTATE_DEPTH_BUFFER, SurfaceType), SOFT_SURF_2D,
         F(3DSTATE_DEPTH_BUFFER, SurfaceFormat), DEPTH_D24, F(3DSTATE_DEPTH_BUFFER, DepthWriteEnable), 1,
         F(3DSTATE_DEPTH_BUFFER, SurfacePitch), SIDE * 4 - 1, F(3DSTATE_DEPTH_BUFFER, Width), SIDE - 1,
         F(3DSTATE_DEPTH_BUFFER, Height), SIDE - 1, F(3DSTATE_DEPTH_BUFFER, SurfaceBaseAddress),
         FIXTURE_BASE + 2 * BYTES);
    GIVE(&p, 3DSTATE_WM_DEPTH_STENCIL, 4, F(3DSTATE_WM_DEPTH_STENCIL, DepthTestEnable), on,
         F(3DSTATE_WM_DEPTH_STENCIL, DepthBufferWriteEnable), on, F(3DSTATE_WM_DEPTH_STENCIL, DepthTestFunction),
         COMPARE_GEQUAL);
}

static void run_all(unsigned workers)
{
    double base;

    fixture_start();
    engine_start(&p, workers);
    engine_plain_state(&p);
    engine_target((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, 3, SIDE, SIDE, SIDE * 4, 0, 0});
    base = measure(set_memory);
    printf("%u worker%s\n", workers, workers > 1 ? "s" : "");
    engine_shader(&p, CLEAR, 2, 0);
    report("clear, one rectangle", one_rectangle, base);
    engine_shader(&p, GRADIENT, 6, 1);
    report("gradient, one rectangle", one_rectangle, base);
    report("gradient, triangles of 256", large_triangles, base);
    report("gradient, triangles of 8", small_triangles, base);
    depth(true);
    report("gradient, depth test, triangles of 256", large_triangles, base);
    depth(false);
    blend(true);
    report("gradient, blended, triangles of 256", large_triangles, base);
    blend(false);
    GIVE(&p, 3DSTATE_PS_EXTRA, 2, 0);
    depth(true);
    report("depth only, triangles of 256", large_triangles, base);
    GIVE(&p, 3DSTATE_WM, 2, F(3DSTATE_WM, StatisticsEnable), 1);
    depth(false);
    report("coverage only, triangles of 256", large_triangles, base);
    engine_stop(&p);
    soft_space_fini(&fixture_space);
}

int main(void)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    run_all(1);
    watch = CLOCK_MONOTONIC;
    if (cpus > 1)
        run_all(cpus < 4 ? (unsigned)cpus : 4);
    return 0;
}
