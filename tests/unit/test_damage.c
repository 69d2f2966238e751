/* Which pixels have changed: every one that has is in a box, and few that have not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "display/damage.h"
#include "vgpu/base/bits.h"

#define W 640u
#define H 200u

struct seen {
    uint8_t pixel[H][W];
    uint64_t pixels;
};

static void on_changed(void *ctx, const struct damage_box *b)
{
    struct seen *s = ctx;

    assert_true(b->x < b->x_end && b->x_end <= W && b->y < b->y_end && b->y_end <= H);
    for (uint32_t y = b->y; y < b->y_end; y++)
        memset(&s->pixel[y][b->x], 1, b->x_end - b->x);
    s->pixels += (uint64_t)(b->x_end - b->x) * (b->y_end - b->y);
}

struct fixture {
    struct damage_frame f;
    uint8_t *map;
    struct damage *d;
    struct seen *seen;
};

static void begin(struct fixture *x, enum vgpu_tiling t, uint32_t extra_stride)
{
    uint32_t w, h;

    vgpu_tile_shape(t, 4, &w, &h);
    uint32_t stride = (uint32_t)gt_align_up(W * 4, w) + extra_stride;
    size_t bytes = (size_t)stride * gt_align_up(H, h);

    x->map = calloc(1, bytes); /* exactly so many: a read beyond is seen by ASan */
    x->f = (struct damage_frame){.map = x->map, .tiling = t, .cpp = 4, .stride = stride, .width = W, .height = H};
    x->d = damage_create(bytes);
    x->seen = calloc(1, sizeof(*x->seen));
}

static void end(struct fixture *x)
{
    damage_destroy(x->d);
    free(x->map);
    free(x->seen);
}

static unsigned scan(struct fixture *x)
{
    const struct damage_box all = {0, 0, W, H};

    memset(x->seen, 0, sizeof(*x->seen));
    return damage_scan(x->d, &x->f, &all, on_changed, x->seen);
}

static void every_change_is_found(void **state)
{
    (void)state;
    for (unsigned t = VGPU_LINEAR; t <= VGPU_TILE_YF; t++) {
        struct fixture x;

        begin(&x, (enum vgpu_tiling)t, 0);
        assert_true(scan(&x) > 0); /* all of it is new */
        assert_true(x.seen->pixels >= W * H);
        assert_int_equal(scan(&x), 0);
        for (uint32_t i = 0; i < 400; i++) {
            uint32_t px = i * 7919 % W, py = i * 104729 % H;

            x.map[vgpu_tiled_offset(x.f.tiling, x.f.stride, 4, px * 4 + i % 4, py)]++;
            assert_true(scan(&x) > 0);
            assert_int_equal(x.seen->pixel[py][px], 1);
            assert_in_range(x.seen->pixels, 1, 3 * 16 * W);
            assert_int_equal(scan(&x), 0);
        }
        end(&x);
    }
}

static void odd_strides_are_read_to_their_end(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, VGPU_LINEAR, 64);
    scan(&x);
    x.map[(size_t)x.f.stride * (H - 1) + W * 4 - 1] = 1; /* the last byte shown */
    assert_true(scan(&x) > 0);
    assert_int_equal(x.seen->pixel[H - 1][W - 1], 1);
    end(&x);
}

/* A page holds many rows of a narrow frame. */
static void rows_of_a_narrow_frame_are_found(void **state)
{
    struct fixture x;

    (void)state;
    begin(&x, VGPU_LINEAR, 0);
    x.f.width = 16;
    x.f.stride = 64;
    scan(&x);
    for (uint32_t y = 0; y < H; y++) {
        const struct damage_box window = {0, y, 16, y + 1};

        memset(x.seen, 0, sizeof(*x.seen));
        x.map[y * 64 + 5]++;
        damage_scan(x.d, &x.f, &window, on_changed, x.seen);
        assert_int_equal(x.seen->pixel[y][1], 1);
    }
    end(&x);
}

static void only_the_window_is_told(void **state)
{
    const struct damage_box window = {100, 50, 200, 100}, none = {W, 0, W + 5, 5};
    struct fixture x;

    (void)state;
    begin(&x, VGPU_TILE_X, 0);
    memset(x.seen, 0, sizeof(*x.seen));
    assert_true(damage_scan(x.d, &x.f, &window, on_changed, x.seen) > 0);
    assert_int_equal(x.seen->pixels, 100 * 50);
    assert_int_equal(damage_scan(x.d, &x.f, &none, on_changed, x.seen), 0);
    end(&x);
}

static void sums_differ_when_bytes_do(void **state)
{
    uint8_t a[4096] = {0};
    uint64_t zero = damage_sum(a, sizeof(a));

    (void)state;
    assert_int_not_equal(zero, 0);
    for (size_t i = 0; i < sizeof(a); i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            a[i] = (uint8_t)(1u << bit);
            assert_int_not_equal(damage_sum(a, sizeof(a)), zero);
            a[i] = 0;
        }
    assert_int_not_equal(damage_sum(a, 100), damage_sum(a, 101));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_found),
        cmocka_unit_test(odd_strides_are_read_to_their_end),
        cmocka_unit_test(rows_of_a_narrow_frame_are_found),
        cmocka_unit_test(only_the_window_is_told),
        cmocka_unit_test(sums_differ_when_bytes_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
