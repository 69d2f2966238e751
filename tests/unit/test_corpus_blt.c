/*
 * Blits that libigt built, run from their captures (tests/corpus) by the soft backend in a test double of the address
 * space, and checked against a CPU copy that goes by the command's own rectangle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "mediator/backend.h"
#include "mediator/capture.h"
#include "tests/unit/blt_ref.h"
#include "tests/unit/exec_double.h"
#include "vgpu/desc/cmds.h"

struct replay {
    struct capture capture;
    struct vgpu_exec x;
    struct backend *soft;
};

static struct capture_bo *bo_at(struct capture *g, uint64_t addr)
{
    for (uint32_t i = 0; i < g->head.nbo; i++)
        if (addr == g->bo[i].addr)
            return &g->bo[i];
    return NULL;
}

static void open_capture(struct replay *r, const char *name)
{
    char path[512], err[128];

    memset(r, 0, sizeof(*r));
    assert_int_equal(cmd_init(err, sizeof(err)), 0);
    snprintf(path, sizeof(path), "%s/corpus/%s", TESTS_DIR, name);
    assert_true(capture_load(&r->capture, path, err, sizeof(err)));
    for (uint32_t i = 0; i < r->capture.head.nbo; i++) {
        struct capture_bo *bo = &r->capture.bo[i];

        double_map(&r->x, bo->addr, bo->data, bo->size, false);
    }
    r->soft = backend_soft_create(1);
    assert_non_null(r->soft);
}

static void close_capture(struct replay *r)
{
    r->soft->ops->destroy(r->soft);
    capture_free(&r->capture);
}

/* Runs the 2D commands of the batch up to its end; returns the last one. Every command must be known. */
static const uint32_t *run_batch(struct replay *r, unsigned *blits)
{
    struct capture_bo *bo = &r->capture.bo[r->capture.head.batch_bo];
    const uint32_t *dw = (const uint32_t *)(bo->data + r->capture.head.batch_offset), *blit = NULL;
    const uint32_t *end = (const uint32_t *)(bo->data + bo->size);

    *blits = 0;
    while (dw < end) {
        int id = cmd_find(dw[0], VGPU_BCS);

        assert_true(id >= 0);
        unsigned len = cmd_length(id, dw[0]);
        assert_true(len <= (size_t)(end - dw));
        if (cmd_table[id].klass == CMD_BLT) {
            blit = dw;
            ++*blits;
            assert_int_equal(double_payload(r->soft, &r->x, id, dw, len), VGPU_PAYLOAD_DONE);
        }
        if (id == C_MI_BATCH_BUFFER_END)
            return blit;
        dw += len;
    }
    fail_msg("the batch has no end");
    return NULL;
}

/* The captured buffers are still empty (the test program filled nothing): give them contents. */
static void fill(struct capture_bo *bo)
{
    for (uint64_t i = 0; i < bo->size; i += 4) {
        uint32_t v = ref_random();

        memcpy(bo->data + i, &v, 4);
    }
}

static struct ref_surface surface_of(const struct capture_bo *bo, uint32_t pitch)
{
    return (struct ref_surface){0, (int)(bo->tiling ? bo->stride : pitch), bo->tiling ? REF_X : REF_LINEAR, 4};
}

/*
 * The test program gave the wrong stride to libigt for its X tiled surfaces (256 of 512 bytes, less than a tile is
 * wide): the pitch that the kernel was told of takes its place.
 */
static void correct_pitch(struct capture *g)
{
    const struct capture_bo *src = &g->bo[1], *dst = &g->bo[2];
    uint32_t *dw = (uint32_t *)(g->bo[g->head.batch_bo].data + g->head.batch_offset);

    if (dst->tiling)
        dw[1] = (dw[1] & 0xffff0000) | dst->stride / 4;
    if (src->tiling)
        dw[7] = src->stride / 4;
}

static void copies_its_rectangle(const char *name)
{
    struct replay r;
    unsigned blits;

    open_capture(&r, name);
    /* libigt lists the batch, then source and destination. */
    struct capture_bo *src = &r.capture.bo[1], *dst = &r.capture.bo[2];
    fill(src);
    fill(dst);
    correct_pitch(&r.capture);
    uint8_t *expected = malloc((size_t)dst->size);
    assert_non_null(expected);
    memcpy(expected, dst->data, (size_t)dst->size);
    const uint32_t *dw = run_batch(&r, &blits);
    assert_int_equal(blits, 1);
    assert_ptr_equal(bo_at(&r.capture, (uint64_t)dw[5] << 32 | dw[4]), dst);
    assert_ptr_equal(bo_at(&r.capture, (uint64_t)dw[9] << 32 | dw[8]), src);

    struct ref_surface from = surface_of(src, dw[7] & 0xffff), to = surface_of(dst, dw[1] & 0xffff);
    int x1 = (int)(dw[2] & 0xffff), y1 = (int)(dw[2] >> 16), x2 = (int)(dw[3] & 0xffff), y2 = (int)(dw[3] >> 16);
    int sx = (int)(dw[6] & 0xffff), sy = (int)(dw[6] >> 16);
    assert_true(x2 > x1 && y2 > y1);
    for (int y = y1; y < y2; y++)
        for (int x = x1; x < x2; x++)
            ref_put(expected, &to, x, y, ref_get(src->data, &from, sx + x - x1, sy + y - y1));
    assert_memory_equal(dst->data, expected, (size_t)dst->size);
    free(expected);
    close_capture(&r);
}

static void linear_copy(void **state)
{
    (void)state;
    copies_its_rectangle("skl-libigt-igt-blt-t0-0002.gxc");
}

static void x_tiled_copy(void **state)
{
    (void)state;
    copies_its_rectangle("skl-libigt-igt-blt-t1-0002.gxc");
}

static void broken_captures_are_refused(void **state)
{
    struct replay r;
    struct capture g;
    uint8_t data[4392];
    char err[200];

    (void)state;
    open_capture(&r, "skl-libigt-igt-blt-t0-0002.gxc");
    memset(data, 0, sizeof(data));
    memcpy(data, &r.capture.head, sizeof(r.capture.head));
    for (size_t n = 0; n < sizeof(data); n += 7) { /* records of zeroes: no buffer has a size */
        assert_false(capture_parse(&g, data, n, err, sizeof(err)));
        capture_free(&g);
    }
    data[0] = 'X';
    assert_false(capture_parse(&g, data, sizeof(data), err, sizeof(err)));
    capture_free(&g);
    close_capture(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_copy),
        cmocka_unit_test(x_tiled_copy),
        cmocka_unit_test(broken_captures_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
