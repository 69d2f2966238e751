/* The pixel half as a whole: state commands, a shader from Mesa, pixels in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eu_asm.h"
#include "mediator/soft/pixel.h"
#include "pixel_engine.h"

/* Mesa's shader for glprobe's triangle: red and green are the attribute's first components, blue 0, alpha 1. */
#define GRADIENT              "fs16-85310ce56fa0"
#define GRADIENT_START        6
#define GRADIENT_BARYCENTRICS 1

enum { LINEAR, W, X, Y };

static struct pixel_engine p;

static int start_with(unsigned workers)
{
    fixture_start();
    engine_start(&p, workers);
    engine_plain_state(&p);
    engine_target((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, Y, 128, 128, 512, 0, 0});
    engine_shader(&p, GRADIENT, GRADIENT_START, GRADIENT_BARYCENTRICS);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(1);
}

static int stop(void **state)
{
    engine_stop(&p);
    return fixture_stop(state);
}

static uint32_t pixel(uint32_t x, uint32_t y)
{
    struct soft_surface s;
    uint32_t dw[16], v = 0;

    memcpy(dw, engine_heap(ENGINE_SURFACE), sizeof(dw));
    soft_surface_decode(dw, &s);
    soft_mem_read(&fixture_mem, soft_surface_address(&s, x, y, 0, 0, 0), &v, s.element_bytes);
    return v;
}

static void check_gradient(float x0, float y0, float x1, float y1)
{
    for (uint32_t y = 0; y < 128; y++) {
        for (uint32_t x = 0; x < 128; x++) {
            float cx = (float)x + 0.5f, cy = (float)y + 0.5f;
            uint32_t v = pixel(x, y);

            if (cx < x0 || cx >= x1 || cy < y0 || cy >= y1) {
                assert_int_equal(v, 0);
                continue;
            }
            assert_int_equal(v >> 16, 0xff00);
            assert_float_equal((float)(v & 0xff), (cx - x0) / (x1 - x0) * 255, 0.51);
            assert_float_equal((float)(v >> 8 & 0xff), (cy - y0) / (y1 - y0) * 255, 0.51);
        }
    }
}

static void a_rectangle_is_shaded(void **state)
{
    (void)state;
    assert_true(engine_rect(&p, 3, 5, 101, 90, 0));
    check_gradient(3, 5, 101, 90);
    assert_int_equal(p.e.count.ps_invocations, 98 * 85);
    assert_int_equal(p.e.count.ps_depth, 98 * 85);
    assert_int_equal(p.e.unknown, 0);
}

static void every_tiling_gets_the_same_picture(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 4; mode++) {
        if (mode == W)
            continue;
        memset(fixture_ram, 0, 32 * SOFT_PAGE);
        engine_target((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, mode, 128, 128, 512, 0, 0});
        assert_true(engine_rect(&p, 0, 0, 128, 127, 0));
        check_gradient(0, 0, 128, 127);
    }
}

/* Two triangles of a square in clip space, through the viewport. */
static void triangles_go_through_the_viewport(void **state)
{
    const struct engine_vertex v[4] = {
        {.position = {-1, -1, 0, 1}, .attribute = {0, 0, 0, 1}},
        {.position = {1, -1, 0, 1}, .attribute = {1, 0, 0, 1}},
        {.position = {-1, 1, 0, 1}, .attribute = {0, 1, 0, 1}},
        {.position = {1, 1, 0, 1}, .attribute = {1, 1, 0, 1}},
    };
    const struct engine_vertex second[3] = {v[1], v[3], v[2]};
    float *view = (float *)engine_heap(ENGINE_SFVIEW);

    (void)state;
    view[0] = view[1] = view[3] = view[4] = 40; /* 0..80 */
    view[13] = view[15] = 79;
    GIVE(&p, 3DSTATE_CLIP, 4, F(3DSTATE_CLIP, ClipEnable), 1, F(3DSTATE_CLIP, ViewportXYClipTestEnable), 1);
    GIVE(&p, 3DSTATE_SF, 4, F(3DSTATE_SF, ViewportTransformEnable), 1);
    assert_true(engine_draw(&p, SOFT_TRIANGLE, v));
    assert_true(engine_draw(&p, SOFT_TRIANGLE, second));
    check_gradient(0, 0, 80, 80);
    assert_int_equal(p.e.count.ps_invocations, 80 * 80);
}

/* Perspective: w is 1 on the left and 3 on the right; the middle of the attribute is at a quarter from the right. */
static void attributes_are_perspective_correct(void **state)
{
    const struct engine_vertex v[3] = {
        {.position = {-1, -1, 0, 1}, .attribute = {0, 0, 0, 1}},
        {.position = {3, -3, 0, 3}, .attribute = {1, 0, 0, 1}},
        {.position = {-1, 1, 0, 1}, .attribute = {0, 1, 0, 1}},
    };
    float *view = (float *)engine_heap(ENGINE_SFVIEW);

    (void)state;
    view[0] = view[1] = view[3] = view[4] = 64;
    view[13] = view[15] = 127;
    GIVE(&p, 3DSTATE_CLIP, 4, F(3DSTATE_CLIP, ClipEnable), 1, F(3DSTATE_CLIP, ViewportXYClipTestEnable), 1);
    GIVE(&p, 3DSTATE_SF, 4, F(3DSTATE_SF, ViewportTransformEnable), 1);
    assert_true(engine_draw(&p, SOFT_TRIANGLE, v));
    for (uint32_t x = 0; x < 120; x += 7) {
        double t = (x + 0.5) / 128; /* on the screen */

        assert_float_equal((double)(pixel(x, 0) & 0xff), t / 3 / (t / 3 + 1 - t) * 255, 1.5);
    }
}

static void the_scissor_and_the_drawing_rectangle_cut(void **state)
{
    uint32_t *scissor = (uint32_t *)engine_heap(ENGINE_SCISSOR);

    (void)state;
    scissor[0] = 10 | 20 << 16;
    scissor[1] = 29 | 39 << 16;
    GIVE(&p, 3DSTATE_SCISSOR_STATE_POINTERS, 2, F(3DSTATE_SCISSOR_STATE_POINTERS, ScissorRectPointer),
         ENGINE_SCISSOR >> 5);
    GIVE(&p, 3DSTATE_RASTER, 5, F(3DSTATE_RASTER, ScissorRectangleEnable), 1);
    engine_rect(&p, 0, 0, 100, 100, 0);
    assert_int_equal(p.e.count.ps_invocations, 20 * 20);
    assert_true(pixel(10, 20) && pixel(29, 39));
    assert_false(pixel(9, 20) || pixel(30, 39) || pixel(10, 19) || pixel(10, 40));
    GIVE(&p, 3DSTATE_DRAWING_RECTANGLE, 4, F(3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleXMin), 15,
         F(3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleXMax), 16,
         F(3DSTATE_DRAWING_RECTANGLE, ClippedDrawingRectangleYMax), 999);
    engine_rect(&p, 0, 0, 100, 100, 0);
    assert_int_equal(p.e.count.ps_invocations, 20 * 20 + 2 * 20);
}

static void depth_hides_what_is_behind(void **state)
{
    (void)state;
    GIVE(&p, 3DSTATE_DEPTH_BUFFER, 8, F(3DSTATE_DEPTH_BUFFER, SurfaceType), SOFT_SURF_2D,
         F(3DSTATE_DEPTH_BUFFER, SurfaceFormat), DEPTH_D16, F(3DSTATE_DEPTH_BUFFER, DepthWriteEnable), 1,
         F(3DSTATE_DEPTH_BUFFER, SurfacePitch), 255, F(3DSTATE_DEPTH_BUFFER, Width), 127,
         F(3DSTATE_DEPTH_BUFFER, Height), 127, F(3DSTATE_DEPTH_BUFFER, SurfaceBaseAddress), ENGINE_DEPTH);
    GIVE(&p, 3DSTATE_WM_DEPTH_STENCIL, 4, F(3DSTATE_WM_DEPTH_STENCIL, DepthTestEnable), 1,
         F(3DSTATE_WM_DEPTH_STENCIL, DepthBufferWriteEnable), 1, F(3DSTATE_WM_DEPTH_STENCIL, DepthTestFunction),
         COMPARE_GREATER);
    engine_rect(&p, 10, 10, 20, 20, 0.5f);
    assert_int_equal(p.e.count.ps_depth, 100);
    engine_rect(&p, 0, 0, 30, 30, 0.25f);
    assert_int_equal(p.e.count.ps_depth, 100 + 800);
    assert_int_equal(p.e.count.ps_invocations, 900);
    assert_int_equal(pixel(10, 10) & 0xff, 13); /* 0.5 / 10: of the first */
}

/* 300 triangles that overlap. False: interrupted. */
static bool add_triangles(void)
{
    srand(9);
    for (unsigned i = 0; i < 300; i++) {
        struct engine_vertex v[3];
        struct soft_prim prim = {.kind = SOFT_TRIANGLE, .edges = 7};

        for (unsigned k = 0; k < 3; k++) {
            v[k] = (struct engine_vertex){
                .position = {(float)(rand() % 1500 - 100) / 10, (float)(rand() % 1500 - 100) / 10, 0, 1},
                .attribute = {(float)(rand() % 100) / 99, (float)(rand() % 100) / 99, 0, 1},
            };
            prim.v[k] = (const uint32_t *)&v[k];
        }
        if (!soft_raster_add(p.e.raster, &prim))
            return false;
    }
    return true;
}

/* Primitives of one batch overlap: the last one is on top, whoever draws. */
static void order_is_kept_for_any_number_of_workers(void **state)
{
    static uint32_t first[128 * 128];
    static uint8_t ram[32 * SOFT_PAGE];

    (void)state;
    for (unsigned workers = 1; workers <= 4; workers += 3) {
        start_with(workers);
        engine_next(&p);
        assert_true(soft_raster_begin(p.e.raster, sizeof(struct engine_vertex) / 4));
        assert_true(add_triangles());
        soft_raster_flush(p.e.raster);
        if (workers == 1)
            memcpy(ram, fixture_ram, sizeof(ram));
        else
            assert_memory_equal(ram, fixture_ram, sizeof(ram));
        first[0] = pixel(64, 64);
        assert_int_not_equal(first[0], 0);
        if (workers == 1) {
            engine_stop(&p);
            fixture_stop(state);
        }
    }
}

/* Added up, so that what is drawn twice shows. */
static void set_sum(void)
{
    uint32_t *entry = (uint32_t *)engine_heap(ENGINE_BLEND) + 1;

    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, ColorBufferBlendEnable, 1);
    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, SourceBlendFactor, 1);
    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, DestinationBlendFactor, 1);
    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, SourceAlphaBlendFactor, 1);
    FIXTURE_PUT(entry, BLEND_STATE_ENTRY, DestinationAlphaBlendFactor, 1);
}

static unsigned draw_sum(unsigned stop_after)
{
    uint32_t tiles = 0;
    unsigned calls = 0;

    do {
        engine_next(&p);
        fixture_exec.stops = 0;
        fixture_exec.stop_after = stop_after;
        assert_true(soft_raster_begin(p.e.raster, sizeof(struct engine_vertex) / 4));
        soft_raster_batch(p.e.raster, tiles);
        if (add_triangles())
            soft_raster_flush(p.e.raster);
        calls++;
        assert_true(calls < 100);
    } while (soft_raster_interrupted(p.e.raster, &tiles));
    return calls;
}

/* The engine is wanted after each tile: each is drawn once. */
static void an_interrupted_batch_draws_each_tile_once(void **state)
{
    static uint8_t ram[32 * SOFT_PAGE];
    uint64_t invocations = 0;

    for (unsigned workers = 1; workers <= 4; workers++) {
        start_with(workers);
        set_sum();
        assert_int_equal(draw_sum(0), 1);
        memcpy(ram, fixture_ram, sizeof(ram));
        invocations = p.e.count.ps_invocations;
        engine_stop(&p);
        fixture_stop(state);
        start_with(workers);
        set_sum();
        assert_in_range(draw_sum(1), workers == 1 ? 9 : 2, 9); /* 3 x 3 tiles */
        assert_memory_equal(ram, fixture_ram, sizeof(ram));
        assert_int_equal(p.e.count.ps_invocations, invocations);
        if (workers < 4) {
            engine_stop(&p);
            fixture_stop(state);
        }
    }
}

static void samples_are_shaded_once(void **state)
{
    struct soft_surface s;
    uint32_t dw[16], v;

    (void)state;
    engine_target((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, Y, 128, 64, 512, 1, 0});
    GIVE(&p, 3DSTATE_MULTISAMPLE, 2, F(3DSTATE_MULTISAMPLE, NumberOfMultisamples), 1);
    GIVE(&p, 3DSTATE_SAMPLE_PATTERN, 9, F(3DSTATE_SAMPLE_PATTERN, 2xSample0XOffset), 4,
         F(3DSTATE_SAMPLE_PATTERN, 2xSample0YOffset), 4, F(3DSTATE_SAMPLE_PATTERN, 2xSample1XOffset), 12,
         F(3DSTATE_SAMPLE_PATTERN, 2xSample1YOffset), 12);
    GIVE(&p, 3DSTATE_RASTER, 5, F(3DSTATE_RASTER, CullMode), 1, F(3DSTATE_RASTER, DXMultisampleRasterizationEnable), 1);
    engine_rect(&p, 10.5f, 10, 20, 20, 0);
    memcpy(dw, engine_heap(ENGINE_SURFACE), sizeof(dw));
    soft_surface_decode(dw, &s);
    soft_mem_read(&fixture_mem, soft_surface_address(&s, 10, 15, 0, 0, 0), &v, 4);
    assert_int_equal(v, 0);
    soft_mem_read(&fixture_mem, soft_surface_address(&s, 10, 15, 0, 0, 1), &v, 4);
    assert_int_not_equal(v, 0);
    assert_int_equal(p.e.count.ps_invocations, 100);
    assert_int_equal(p.e.count.ps_depth, 190);
    GIVE(&p, 3DSTATE_RASTER, 5, F(3DSTATE_RASTER, CullMode), 1); /* by pixels */
    engine_rect(&p, 30.5f, 10, 40, 20, 0);
    assert_int_equal(p.e.count.ps_depth, 190 + 200);
}

static void hz_op_clears_depth_and_stencil(void **state)
{
    const uint64_t rect[] = {F(3DSTATE_WM_HZ_OP, ClearRectangleXMax),
                             32,
                             F(3DSTATE_WM_HZ_OP, ClearRectangleYMin),
                             8,
                             F(3DSTATE_WM_HZ_OP, ClearRectangleYMax),
                             16,
                             F(3DSTATE_WM_HZ_OP, DepthBufferClearEnable),
                             1,
                             F(3DSTATE_WM_HZ_OP, StencilBufferClearEnable),
                             1,
                             F(3DSTATE_WM_HZ_OP, StencilClearValue),
                             0x5a,
                             F(3DSTATE_WM_HZ_OP, SampleMask),
                             0xffff,
                             0};
    uint32_t dw[5] = {cmd_table[C_3DSTATE_WM_HZ_OP].op | 3};
    const uint8_t *depth = fixture_ram + (ENGINE_DEPTH - FIXTURE_BASE),
                  *stencil = fixture_ram + (ENGINE_STENCIL - FIXTURE_BASE);

    (void)state;
    for (unsigned i = 0; rect[i]; i += 2)
        fixture_put(dw, (uint32_t)rect[i], rect[i + 1]);
    GIVE(&p, 3DSTATE_DEPTH_BUFFER, 8, F(3DSTATE_DEPTH_BUFFER, SurfaceType), SOFT_SURF_2D,
         F(3DSTATE_DEPTH_BUFFER, SurfaceFormat), DEPTH_D32F, F(3DSTATE_DEPTH_BUFFER, DepthWriteEnable), 1,
         F(3DSTATE_DEPTH_BUFFER, SurfacePitch), 127, F(3DSTATE_DEPTH_BUFFER, Width), 31,
         F(3DSTATE_DEPTH_BUFFER, Height), 31, F(3DSTATE_DEPTH_BUFFER, SurfaceBaseAddress), ENGINE_DEPTH);
    GIVE(&p, 3DSTATE_STENCIL_BUFFER, 5, F(3DSTATE_STENCIL_BUFFER, StencilBufferEnable), 1,
         F(3DSTATE_STENCIL_BUFFER, SurfacePitch), 127, F(3DSTATE_STENCIL_BUFFER, SurfaceBaseAddress), ENGINE_STENCIL);
    GIVE(&p, 3DSTATE_CLEAR_PARAMS, 3, F(3DSTATE_CLEAR_PARAMS, DepthClearValue), FLOAT_BITS(0.75f));
    engine_next(&p);
    soft_raster_hz_op(p.e.raster, dw);
    for (unsigned y = 0; y < 32; y++) /* first column of the Y tile */
        assert_int_equal(*(const uint32_t *)(depth + 16 * y), y >= 8 && y < 16 ? FLOAT_BITS(0.75f) : 0);
    assert_int_equal(stencil[0], 0);
    assert_int_equal(stencil[64], 0x5a);
}

/* 32 x 32 floats with a HiZ buffer; fresh: as new memory has it. */
static void give_hiz(bool fresh)
{
    memset(fixture_ram + (ENGINE_STENCIL - FIXTURE_BASE), fresh ? 0 : 1, SOFT_PAGE);
    GIVE(&p, 3DSTATE_DEPTH_BUFFER, 8, F(3DSTATE_DEPTH_BUFFER, SurfaceType), SOFT_SURF_2D,
         F(3DSTATE_DEPTH_BUFFER, SurfaceFormat), DEPTH_D32F, F(3DSTATE_DEPTH_BUFFER, DepthWriteEnable), 1,
         F(3DSTATE_DEPTH_BUFFER, SurfacePitch), 127, F(3DSTATE_DEPTH_BUFFER, Width), 31,
         F(3DSTATE_DEPTH_BUFFER, Height), 31, F(3DSTATE_DEPTH_BUFFER, SurfaceBaseAddress), ENGINE_DEPTH,
         F(3DSTATE_DEPTH_BUFFER, HierarchicalDepthBufferEnable), 1);
    GIVE(&p, 3DSTATE_HIER_DEPTH_BUFFER, 5, F(3DSTATE_HIER_DEPTH_BUFFER, SurfaceBaseAddress), ENGINE_STENCIL);
    GIVE(&p, 3DSTATE_CLEAR_PARAMS, 3, F(3DSTATE_CLEAR_PARAMS, DepthClearValue), FLOAT_BITS(0.75f),
         F(3DSTATE_CLEAR_PARAMS, DepthClearValueValid), 1);
}

static void hz_op(uint32_t operation, uint32_t y1)
{
    uint32_t dw[5] = {cmd_table[C_3DSTATE_WM_HZ_OP].op | 3};

    fixture_put(dw, operation, 1);
    FIXTURE_PUT(dw, 3DSTATE_WM_HZ_OP, ClearRectangleXMax, 32);
    FIXTURE_PUT(dw, 3DSTATE_WM_HZ_OP, ClearRectangleYMax, y1);
    FIXTURE_PUT(dw, 3DSTATE_WM_HZ_OP, SampleMask, 0xffff);
    engine_next(&p);
    soft_raster_hz_op(p.e.raster, dw);
}

/* First column of the Y tile. */
static void assert_depth(float first_half, float second_half)
{
    const uint8_t *depth = fixture_ram + (ENGINE_DEPTH - FIXTURE_BASE);

    for (unsigned y = 0; y < 32; y++)
        assert_int_equal(*(const uint32_t *)(depth + 16 * y), FLOAT_BITS(y < 16 ? first_half : second_half));
}

static void fresh_hiz_is_a_cleared_buffer(void **state)
{
    static const struct {
        uint32_t operation, y1;
        bool fresh;
        float first_half, second_half;
    } row[] = {
        {F_3DSTATE_WM_HZ_OP__DepthBufferResolveEnable, 32, true, 0.75f, 0.75f},
        {F_3DSTATE_WM_HZ_OP__DepthBufferResolveEnable, 32, false, 0, 0},
        {F_3DSTATE_WM_HZ_OP__HierarchicalDepthBufferResolveEnable, 32, true, 0, 0},
        {F_3DSTATE_WM_HZ_OP__DepthBufferClearEnable, 16, true, 0.75f, 0.75f},
        {F_3DSTATE_WM_HZ_OP__DepthBufferClearEnable, 16, false, 0.75f, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        memset(fixture_ram + (ENGINE_DEPTH - FIXTURE_BASE), 0, SOFT_PAGE);
        give_hiz(row[i].fresh);
        hz_op(row[i].operation, row[i].y1);
        assert_depth(row[i].first_half, row[i].second_half);
        /* Whatever it was, depth memory counts from now on: also with another value. */
        GIVE(&p, 3DSTATE_CLEAR_PARAMS, 3, F(3DSTATE_CLEAR_PARAMS, DepthClearValueValid), 1);
        hz_op(F_3DSTATE_WM_HZ_OP__DepthBufferResolveEnable, 32);
        assert_depth(row[i].first_half, row[i].second_half);
    }
}

/* A draw that tests depth sees the clear value: what lies behind it is hidden. */
static void draws_see_the_value_of_a_fresh_hiz(void **state)
{
    (void)state;
    give_hiz(true);
    GIVE(&p, 3DSTATE_WM_DEPTH_STENCIL, 4, F(3DSTATE_WM_DEPTH_STENCIL, DepthTestEnable), 1,
         F(3DSTATE_WM_DEPTH_STENCIL, DepthBufferWriteEnable), 1, F(3DSTATE_WM_DEPTH_STENCIL, DepthTestFunction),
         COMPARE_LESS);
    engine_rect(&p, 0, 0, 30, 16, 0.875f);
    assert_int_equal(pixel(5, 5), 0);
    engine_rect(&p, 0, 0, 32, 16, 0.5f);
    assert_int_not_equal(pixel(5, 5), 0);
    assert_depth(0.5f, 0.75f);
}

static void resolves_and_missing_shaders_draw_nothing(void **state)
{
    (void)state;
    GIVE(&p, 3DSTATE_PS, 12, F(3DSTATE_PS, RenderTargetResolveType), 3, F(3DSTATE_PS, 16PixelDispatchEnable), 1);
    engine_rect(&p, 0, 0, 30, 30, 0);
    assert_int_equal(pixel(5, 5), 0);
    GIVE(&p, 3DSTATE_PS, 12, 0);
    GIVE(&p, 3DSTATE_PS_EXTRA, 2, 0);
    engine_rect(&p, 0, 0, 30, 30, 0);
    assert_int_equal(pixel(5, 5), 0);
    assert_int_equal(p.e.count.ps_invocations, 0);
}

/* Mesa's kernels of 8 channels have two quads; the rest of the header's coordinates is not used. */
static void threads_of_eight_channels_are_whole(void **state)
{
    engine_kernel("fs8-37903bb4bde1"); /* writes registers as they are, alpha 1 */
    GIVE(&p, 3DSTATE_PS, 12, F(3DSTATE_PS, KernelStartPointer0), ENGINE_KERNEL >> 6,
         F(3DSTATE_PS, 8PixelDispatchEnable), 1, F(3DSTATE_PS, VectorMaskEnable), 1);
    (void)state;
    engine_rect(&p, 1, 0, 12, 3, 0);
    for (uint32_t y = 0; y < 4; y++)
        for (uint32_t x = 0; x < 14; x++)
            assert_int_equal(pixel(x, y) >> 24, x >= 1 && x < 12 && y < 3 ? 0xff : 0);
    assert_int_equal(p.e.count.ps_invocations, 33);
}

/* A kernel that gives all pixels the same runs once for a primitive; with blending it runs for all. The pixels are the
 * same. */
static void compare_flat(const char *kernel)
{
    static uint8_t known[32 * SOFT_PAGE];
    const struct engine_vertex v[3] = {
        {.position = {101, 55, 0, 1}, .attribute = {0.2f, 0.4f, 0.6f, 0.8f}},
        {.position = {13, 55, 0, 1}, .attribute = {0.2f, 0.4f, 0.6f, 0.8f}},
        {.position = {13, 7, 0, 1}, .attribute = {0.2f, 0.4f, 0.6f, 0.8f}},
    };
    uint32_t *entry = (uint32_t *)engine_heap(ENGINE_BLEND) + 1;

    engine_shader(&p, kernel, 2, 0);
    GIVE(&p, 3DSTATE_SBE, 6, F(3DSTATE_SBE, NumberOfSFOutputAttributes), 1, F(3DSTATE_SBE, VertexURBEntryReadOffset), 1,
         F(3DSTATE_SBE, ForceVertexURBEntryReadOffset), 1, F(3DSTATE_SBE, ConstantInterpolationEnable), 1);
    for (unsigned mode = 0; mode < 4; mode++) {
        if (mode == W)
            continue;
        for (unsigned run = 0; run < 2; run++) {
            memset(fixture_ram, 0, 32 * SOFT_PAGE);
            memset(entry, 0, 8);
            FIXTURE_PUT(entry, BLEND_STATE_ENTRY, ColorBufferBlendEnable, run); /* one, zero, clamped: the same */
            FIXTURE_PUT(entry, BLEND_STATE_ENTRY, SourceBlendFactor, 1);
            FIXTURE_PUT(entry, BLEND_STATE_ENTRY, DestinationBlendFactor, 17);
            engine_target((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM, mode, 99, 50, 512, 0, 0});
            p.e.count.ps_invocations = 0;
            assert_true(engine_draw(&p, SOFT_RECT, v));
            assert_int_equal(p.e.count.ps_invocations, 88 * 48);
            assert_int_equal(pixel(13, 7), 0xcc996633);
            assert_int_equal(pixel(12, 7), 0);
            if (run)
                assert_memory_equal(known, fixture_ram, sizeof(known));
            memcpy(known, fixture_ram, sizeof(known));
        }
    }
}

static void clears_run_once(void **state)
{
    (void)state;
    compare_flat("fs16-8cde77269f06"); /* one message register for all */
    compare_flat("fs16-38efe74d3443");
}

/* Fast clear: a 2 x 1 rectangle of blocks of 64 x 32 pixels, with the surface's clear colour. */
static void fast_clears_fill_the_pixels(void **state)
{
    uint32_t *dw = (uint32_t *)engine_heap(ENGINE_SURFACE);

    (void)state;
    engine_target((struct fixture_surface){SOFT_FORMAT_R8G8B8A8_UNORM_SRGB, Y, 100, 100, 512, 0, 0});
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, RedClearColor, FLOAT_BITS(0.2f));
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, AlphaClearColor, FLOAT_BITS(1));
    GIVE(&p, 3DSTATE_PS, 12, F(3DSTATE_PS, KernelStartPointer0), ENGINE_KERNEL >> 6,
         F(3DSTATE_PS, 16PixelDispatchEnable), 1, F(3DSTATE_PS, RenderTargetFastClearEnable), 1);
    assert_true(engine_rect(&p, 0, 0, 2, 1, 0));
    for (uint32_t y = 0; y < 128; y++)
        for (uint32_t x = 0; x < 128; x++)
            assert_int_equal(pixel(x, y), x < 100 && y < 32 ? 0xff00007c : 0); /* linear 0.2 */
}

/* With a CCS no pixel is written by the clear; a resolve does, with the colour that was stored meanwhile, as Mesa 25
 * does it. */
static void fast_clears_with_a_ccs_wait_for_their_colour(void **state)
{
    uint32_t *dw = (uint32_t *)engine_heap(ENGINE_SURFACE);

    (void)state;
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, AuxiliarySurfaceMode, 1);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, AuxiliarySurfaceBaseAddress, (FIXTURE_BASE + 16 * SOFT_PAGE) >> 12);
    GIVE(&p, 3DSTATE_PS, 12, F(3DSTATE_PS, RenderTargetFastClearEnable), 1);
    engine_rect(&p, 0, 0, 2, 1, 0);
    assert_int_equal(pixel(0, 0), 0);
    FIXTURE_PUT(dw, RENDER_SURFACE_STATE, GreenClearColor, FLOAT_BITS(1));
    GIVE(&p, 3DSTATE_PS, 12, F(3DSTATE_PS, RenderTargetResolveType), 3);
    engine_rect(&p, 0, 0, 2, 1, 0);
    for (uint32_t y = 0; y < 128; y++)
        for (uint32_t x = 0; x < 128; x++)
            assert_int_equal(pixel(x, y), y < 32 ? 0x0000ff00 : 0);
}

static void mark(const struct soft_surface *s, struct raster_box b, uint16_t samples, uint8_t *map)
{
    for (uint32_t sample = 0; sample < s->samples; sample++)
        for (int32_t y = b.y0; y < b.y1; y++)
            for (int32_t x = b.x0; x < b.x1; x++)
                if (samples >> sample & 1)
                    memset(map + (soft_surface_address(s, (uint32_t)x, (uint32_t)y, 0, 0, sample) - FIXTURE_BASE), 0x77,
                           s->element_bytes);
}

static void fills_touch_exactly_their_pixels(void **state)
{
    static const struct fixture_surface kind[] = {
        {SOFT_FORMAT_R8G8B8A8_UNORM, Y, 100, 90, 512, 0, 0},     {SOFT_FORMAT_R8G8B8A8_UNORM, X, 200, 60, 1024, 0, 0},
        {SOFT_FORMAT_R16_UNORM, Y, 129, 67, 384, 0, 0},          {SOFT_FORMAT_R8_UINT, W, 130, 140, 256, 0, 0},
        {SOFT_FORMAT_R8G8B8A8_UNORM, LINEAR, 97, 83, 400, 0, 0}, {SOFT_FORMAT_R32_FLOAT, Y, 60, 66, 512, 2, 1},
        {SOFT_FORMAT_R32_FLOAT, Y, 30, 34, 512, 4, 1},           {SOFT_FORMAT_R8G8B8A8_UNORM, Y, 64, 32, 256, 2, 0},
        {SOFT_FORMAT_R8G8B8A8_UNORM, Y, 64, 36, 256, 1, 0}};
    static const struct raster_box box[] = {
        {0, 0, 999, 999}, {33, 7, 97, 66}, {3, 5, 4, 6}, {2, 32, 64, 64}, {50, 9, 50, 20}};
    static uint8_t map[FIXTURE_SIZE];
    uint8_t element[16];

    (void)state;
    memset(element, 0x77, sizeof(element));
    for (unsigned k = 0; k < sizeof(kind) / sizeof(kind[0]); k++) {
        for (unsigned i = 0; i < 2 * sizeof(box) / sizeof(box[0]); i++) {
            struct soft_surface s = fixture_surface(kind[k]);
            uint16_t samples = i % 2 ? 0xffff : 0xfff5;
            struct raster_box b = raster_intersect(
                box[i / 2], (struct raster_box){0, 0, (int32_t)kind[k].width, (int32_t)kind[k].height});

            memset(fixture_ram, 0, sizeof(fixture_ram));
            memset(map, 0, sizeof(map));
            mark(&s, b, samples, map);
            target_fill(p.e.raster, &s, box[i / 2], 0, samples, element);
            assert_memory_equal(map, fixture_ram, sizeof(map));
        }
    }
}

/* A shader that never ends is given up some time after the engine is wanted. */
static void endless_shaders_end_when_the_engine_is_wanted(void **state)
{
    static struct asm_code code;

    (void)state;
    code.n = 0;
    asm_flow(&code, EU_OP_WHILE, 16, 0, 0);
    asm_eot(&code);
    memcpy(engine_heap(ENGINE_KERNEL), code.inst, code.n * sizeof(code.inst[0]));
    fixture_exec.stop_after = 1;
    engine_rect(&p, 0, 0, 100, 100, 0);
    assert_true(p.e.count.ps_invocations < 100 * 100);
}

/* Any state at all: nothing but the guest's memory may suffer. */
static void random_state_is_survived(void **state)
{
    static const int commands[] = {C_3DSTATE_PS,
                                   C_3DSTATE_PS_EXTRA,
                                   C_3DSTATE_WM,
                                   C_3DSTATE_RASTER,
                                   C_3DSTATE_SF,
                                   C_3DSTATE_CLIP,
                                   C_3DSTATE_SBE,
                                   C_3DSTATE_SBE_SWIZ,
                                   C_3DSTATE_MULTISAMPLE,
                                   C_3DSTATE_SAMPLE_MASK,
                                   C_3DSTATE_SAMPLE_PATTERN,
                                   C_3DSTATE_DEPTH_BUFFER,
                                   C_3DSTATE_STENCIL_BUFFER,
                                   C_3DSTATE_WM_DEPTH_STENCIL,
                                   C_3DSTATE_DRAWING_RECTANGLE,
                                   C_3DSTATE_CONSTANT_PS,
                                   C_3DSTATE_LINE_STIPPLE,
                                   C_3DSTATE_PS_BLEND};

    (void)state;
    srand(11);
    for (unsigned n = 0; n < 400; n++) {
        struct engine_vertex v[3];

        for (unsigned i = 0; i < 16; i++)
            *(uint32_t *)engine_heap((unsigned)rand() % 0xb00 & ~3u) = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        for (unsigned c = 0; c < sizeof(commands) / sizeof(commands[0]); c++) {
            uint32_t dw[16] = {0};
            unsigned ndw = cmd_table[commands[c]].min_len ? cmd_table[commands[c]].min_len : 2;

            if (rand() % 3)
                continue;
            dw[0] = cmd_table[commands[c]].op | (ndw - 2);
            for (unsigned i = 1; i < ndw && i < 16; i++)
                dw[i] = ((uint32_t)rand() << 16 ^ (uint32_t)rand()) & (rand() % 2 ? UINT32_MAX : 0x0ff00ff0);
            soft_state_set(&p.state, &p.e.stamps, commands[c], dw, ndw < 16 ? ndw : 16);
        }
        for (unsigned i = 0; i < sizeof(v) / 4; i++)
            ((uint32_t *)v)[i] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        for (unsigned i = 0; i < 3; i++) {
            v[i].position[0] = (float)(rand() % 300 - 50);
            v[i].position[1] = (float)(rand() % 300 - 50);
            v[i].position[2] = 0.5f;
            v[i].position[3] = 1;
        }
        engine_draw(&p, (enum soft_prim_kind)(rand() % 4 + 1), v);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_rectangle_is_shaded),
        CASE(every_tiling_gets_the_same_picture),
        CASE(triangles_go_through_the_viewport),
        CASE(attributes_are_perspective_correct),
        CASE(the_scissor_and_the_drawing_rectangle_cut),
        CASE(depth_hides_what_is_behind),
        cmocka_unit_test_teardown(order_is_kept_for_any_number_of_workers, stop),
        cmocka_unit_test_teardown(an_interrupted_batch_draws_each_tile_once, stop),
        CASE(samples_are_shaded_once),
        CASE(hz_op_clears_depth_and_stencil),
        CASE(fresh_hiz_is_a_cleared_buffer),
        CASE(draws_see_the_value_of_a_fresh_hiz),
        CASE(resolves_and_missing_shaders_draw_nothing),
        CASE(threads_of_eight_channels_are_whole),
        CASE(clears_run_once),
        CASE(fast_clears_fill_the_pixels),
        CASE(fast_clears_with_a_ccs_wait_for_their_colour),
        CASE(fills_touch_exactly_their_pixels),
        CASE(endless_shaders_end_when_the_engine_is_wanted),
        CASE(random_state_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
