/* Copies of the KMS sink into buffers, of which the memory ends where the picture does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <drm_fourcc.h>
#include <sys/mman.h>

#include "display/kms_internal.h"
#include "sink_fixture.h"

#define PAGE 4096u

struct fixture {
    struct kms k;
    struct kms_buffer b;
    struct viewer_frame f;
    uint8_t *memory;
};

/* A buffer of 32 x 32 pixels, one page, with none behind it; the source is a frame of so many pixels. */
static void prepare(struct fixture *x, uint32_t width, uint32_t height)
{
    *x = (struct fixture){.f = make_frame(1, width, height, VGPU_FMT_XRGB8888, VGPU_LINEAR)};
    x->memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(mprotect(x->memory + PAGE, PAGE, PROT_NONE), 0);
    x->b = (struct kms_buffer){.refs = 1,
                               .width = 32,
                               .height = 32,
                               .fourcc = DRM_FORMAT_XRGB8888,
                               .stride = 128,
                               .bytes = PAGE,
                               .map = x->memory};
    paint(&x->f, 5);
    assert_non_null(viewer_map(&x->f));
    x->k.source = &x->f;
    x->k.source_flip = (struct viewer_flip){.frame = &x->f, .width = width, .height = height};
}

static void finish(struct fixture *x)
{
    damage_destroy(x->b.damage);
    munmap(x->memory, 2 * PAGE);
    munmap((void *)(uintptr_t)x->f.map, x->f.bytes);
    close(x->f.fd);
}

static void a_picture_is_copied(void **state)
{
    struct fixture x;

    (void)state;
    prepare(&x, 32, 32);
    kms_copy_changes(&x.k, &x.b);
    for (uint32_t i = 0; i < 32; i++)
        for (uint32_t j = 0; j < 32; j++)
            assert_int_equal(((const uint32_t *)(const void *)x.memory)[i * 32 + j] & 0xffffff, pattern(j, i, 5));
    finish(&x);
}

/* The monitor did not take the new mode, so the old picture's buffer is the one that is shown. */
static void a_larger_picture_is_not(void **state)
{
    struct fixture x;

    (void)state;
    prepare(&x, 640, 480);
    kms_copy_changes(&x.k, &x.b);
    assert_int_equal(x.memory[0], 0);
    finish(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_is_copied),
        cmocka_unit_test(a_larger_picture_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
