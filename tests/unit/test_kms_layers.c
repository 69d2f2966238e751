/* Which of the guest's sprite planes go to which overlay planes of a monitor, without a monitor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <drm_fourcc.h>
#include <string.h>

#include "display/kms_internal.h"
#include "vgpu/base/bits.h"

static struct kms k;
static struct kms_buffer buffers[DISPLAY_LAYERS];
static struct viewer_frame frames[DISPLAY_LAYERS];
static struct kms_format rgb[] = {{DRM_FORMAT_XRGB8888, DRM_FORMAT_MOD_LINEAR},
                                  {DRM_FORMAT_ARGB8888, DRM_FORMAT_MOD_LINEAR}},
                         rgb565[] = {{DRM_FORMAT_RGB565, DRM_FORMAT_MOD_LINEAR}};

/* Two overlay planes without properties for blending, as vkms has them. */
static int setup(void **state)
{
    (void)state;
    memset(&k, 0, sizeof(k));
    k.fd = -1;
    k.noverlays = 2;
    for (unsigned i = 0; i < k.noverlays; i++)
        k.overlay[i] = (struct kms_plane){.id = 100 + i, .format = rgb, .nformats = GT_ARRAY_SIZE(rgb)};
    for (unsigned i = 0; i < DISPLAY_LAYERS; i++) {
        buffers[i] = (struct kms_buffer){.refs = 1};
        frames[i] = (struct viewer_frame){.id = i + 1,
                                          .shared = true,
                                          .format = VGPU_FMT_XRGB8888,
                                          .fourcc = DRM_FORMAT_XRGB8888,
                                          .modifier = DRM_FORMAT_MOD_LINEAR,
                                          .user = &buffers[i]}; /* the device has taken it */
    }
    return 0;
}

static struct viewer_flip flip_of(unsigned n)
{
    struct viewer_flip f = {.nlayers = n};

    for (unsigned i = 0; i < n; i++)
        f.layer[i] = (struct viewer_layer){.frame = &frames[i],
                                           .x = 1,
                                           .width = 32,
                                           .height = 16,
                                           .to_x = -4 + (int32_t)i,
                                           .to_y = 9,
                                           .to_width = 64,
                                           .to_height = 16,
                                           .alpha = DISPLAY_ALPHA_MAX};
    return f;
}

static void layers_go_up_in_the_order_of_the_planes(void **state)
{
    struct viewer_flip f = flip_of(2);

    (void)state;
    assert_true(kms_prepare_layers(&k, &f));
    for (unsigned i = 0; i < 2; i++) {
        const struct kms_picture *p = &k.want.layer[i];

        assert_ptr_equal(p->buffer, &buffers[i]);
        assert_int_equal(buffers[i].refs, 2);
        assert_int_equal(p->x, 1);
        assert_int_equal(p->to_x, -4 + (int)i);
        assert_int_equal(p->to_width, 64);
    }
    f = flip_of(0); /* and off again */
    assert_true(kms_prepare_layers(&k, &f));
    assert_null(k.want.layer[0].buffer);
    assert_int_equal(buffers[0].refs, 1);
    assert_int_equal(buffers[1].refs, 1);
}

static void a_plane_that_does_not_take_the_format_is_left_out(void **state)
{
    struct viewer_flip f = flip_of(1);

    (void)state;
    k.overlay[0].format = rgb565;
    k.overlay[0].nformats = 1;
    assert_true(kms_prepare_layers(&k, &f));
    assert_null(k.want.layer[0].buffer);
    assert_ptr_equal(k.want.layer[1].buffer, &buffers[0]);
    f = flip_of(2); /* a second one would be below the first */
    assert_false(kms_prepare_layers(&k, &f));
    frames[0].modifier = I915_FORMAT_MOD_X_TILED;
    f = flip_of(1);
    assert_false(kms_prepare_layers(&k, &f));
}

static void more_layers_than_planes_are_refused(void **state)
{
    struct viewer_flip f = flip_of(3);

    (void)state;
    assert_false(kms_prepare_layers(&k, &f));
    k.noverlays = 0;
    f = flip_of(1);
    assert_false(kms_prepare_layers(&k, &f));
}

static void copies_are_no_layers(void **state)
{
    struct viewer_flip f = flip_of(1);

    (void)state;
    frames[0].shared = false;
    assert_false(kms_prepare_layers(&k, &f));
    frames[0].shared = true;
    k.opt.copy = true;
    assert_false(kms_prepare_layers(&k, &f));
}

static void blending_needs_what_the_plane_can_do(void **state)
{
    struct viewer_flip f = flip_of(1);
    struct viewer_layer *l = &f.layer[0];

    (void)state;
    k.noverlays = 1;
    l->alpha = 100;
    assert_false(kms_prepare_layers(&k, &f));
    k.overlay[0].alpha = 7;
    assert_true(kms_prepare_layers(&k, &f));
    assert_int_equal(k.want.layer[0].alpha, 100);
    frames[0].format = VGPU_FMT_ARGB8888;
    frames[0].fourcc = DRM_FORMAT_ARGB8888;
    assert_false(kms_prepare_layers(&k, &f)); /* its alpha channel would count */
    l->blend = DISPLAY_PREMULTIPLIED;
    assert_true(kms_prepare_layers(&k, &f)); /* that is what planes without the property do */
    l->blend = DISPLAY_COVERAGE;
    assert_false(kms_prepare_layers(&k, &f));
    k.overlay[0].blend = 8;
    k.overlay[0].blend_value[DISPLAY_PREMULTIPLIED] = 0;
    k.overlay[0].blend_value[DISPLAY_COVERAGE] = UINT64_MAX;
    assert_false(kms_prepare_layers(&k, &f));
    k.overlay[0].blend_value[DISPLAY_COVERAGE] = 1;
    assert_true(kms_prepare_layers(&k, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(layers_go_up_in_the_order_of_the_planes, setup),
        cmocka_unit_test_setup(a_plane_that_does_not_take_the_format_is_left_out, setup),
        cmocka_unit_test_setup(more_layers_than_planes_are_refused, setup),
        cmocka_unit_test_setup(copies_are_no_layers, setup),
        cmocka_unit_test_setup(blending_needs_what_the_plane_can_do, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
