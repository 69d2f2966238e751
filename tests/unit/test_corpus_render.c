/*
 * Submissions that libigt built for the render engine, run from their captures (tests/corpus) on the whole GPU. What
 * they are to draw follows from the calls that made them (README.md of that folder).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mediator/capture_picture.h"
#include "mediator/capture_run.h"
#include "vgpu/base/log.h"

#define SIDE 64u

static struct capture_run *run;
static struct capture capture;

static void run_capture(const char *name, unsigned threads)
{
    char path[512], err[200] = "";
    struct capture_result r;

    gt_log_set_level(GT_LOG_ERROR);
    run = capture_run_create(threads, err, sizeof(err));
    assert_non_null(run);
    snprintf(path, sizeof(path), "%s/corpus/%s", TESTS_DIR, name);
    assert_true(capture_load(&capture, path, err, sizeof(err)));
    assert_int_equal(capture_run_one(run, &capture, &r), 0);
    assert_true(r.done);
    assert_int_equal(r.unknown, 0);
    assert_int_equal(r.faults, 0);
    assert_true(r.draws + r.dispatches > 0);
}

static void finish(void)
{
    capture_free(&capture);
    capture_run_destroy(run);
}

/* The object of a fill, which is the only one that changes but the batch. */
static uint64_t filled(void)
{
    struct capture_change c;
    unsigned i = 0;

    while ((i = capture_run_changes(run, i, &c)))
        if (c.addr != capture.bo[capture.head.batch_bo].addr)
            return c.addr;
    fail_msg("nothing was written");
    return 0;
}

static uint64_t linear(uint32_t x, uint32_t y)
{
    return y * SIDE + x;
}

static uint64_t y_tiled(uint32_t x, uint32_t y)
{
    return y / 32 * 4096 + x / 16 * 512 + y % 32 * 16 + x % 16; /* one tile wide */
}

static void check_fill(uint64_t (*at)(uint32_t x, uint32_t y))
{
    uint64_t base = filled();

    for (uint32_t y = 0; y < SIDE; y++) {
        for (uint32_t x = 0; x < SIDE; x++) {
            bool inside = x >= 16 && x < 48 && y >= 16 && y < 48;
            uint8_t v;

            assert_true(capture_run_read(run, base + at(x, y), &v, 1));
            assert_int_equal(v, inside ? 0x5a : 0);
        }
    }
}

static void a_walker_fills_its_square(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        run_capture("skl-libigt-igt-gpgpu-t0-0002.gxc", threads);
        check_fill(linear);
        finish();
    }
}

static void media_objects_fill_their_square(void **state)
{
    (void)state;
    run_capture("skl-libigt-igt-media-t2-0002.gxc", 2);
    check_fill(y_tiled);
    finish();
}

/* The source of the capture is black, so all that can be seen is that a picture of the right kind was drawn. */
static void a_copy_draws_into_its_target(void **state)
{
    struct capture_target t[CAPTURE_TARGETS];

    (void)state;
    run_capture("skl-libigt-igt-render-t1-0002.gxc", 2);
    assert_int_equal(capture_targets(capture_batch(&capture), capture_run_read, run, t), 1);
    assert_int_equal(t[0].surface.width_px, SIDE);
    assert_int_equal(t[0].surface.height_px, SIDE);
    assert_int_equal(t[0].surface.tiling, SOFT_TILE_X);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walker_fills_its_square),
        cmocka_unit_test(media_objects_fill_their_square),
        cmocka_unit_test(a_copy_draws_into_its_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
