/* What planes show; sprite planes of the guest on overlay planes. */
#include "display/kms_internal.h"
#include "vgpu/base/bits.h"

void kms_picture_set(struct kms *k, struct kms_picture *to, const struct kms_picture *from)
{
    struct kms_buffer *old = to->buffer;

    if (from->buffer)
        from->buffer->refs++;
    *to = *from;
    kms_buffer_put(k, old);
}

void kms_picture_clear(struct kms *k, struct kms_picture *p)
{
    kms_picture_set(k, p, &(struct kms_picture){0});
}

void kms_screen_clear(struct kms *k, struct kms_screen *s)
{
    kms_picture_clear(k, &s->picture);
    kms_picture_clear(k, &s->cursor);
    for (unsigned i = 0; i < KMS_OVERLAYS; i++)
        kms_picture_clear(k, &s->layer[i]);
}

/* Without the property a plane blends by its pixels as premultiplied ones (drm_blend.c, "pixel blend mode"). A format
 * without alpha is opaque in any mode. */
static bool blends(const struct kms_plane *p, const struct viewer_layer *l)
{
    if (l->alpha != DISPLAY_ALPHA_MAX && !p->alpha)
        return false;
    if (l->blend == DISPLAY_OPAQUE)
        return l->frame->format != VGPU_FMT_ARGB8888 && l->frame->format != VGPU_FMT_ABGR8888;
    return p->blend ? p->blend_value[l->blend] != UINT64_MAX : l->blend == DISPLAY_PREMULTIPLIED;
}

/* The lowest overlay plane from *next on that can show the layer. */
static bool place(struct kms *k, const struct viewer_layer *l, unsigned *next)
{
    for (; *next < k->noverlays; ++*next) {
        const struct kms_plane *p = &k->overlay[*next];
        struct kms_buffer *b = blends(p, l) ? kms_import(k, l->frame, p) : NULL;

        if (!b)
            continue;
        kms_picture_set(k, &k->want.layer[(*next)++],
                        &(struct kms_picture){b, l->x, l->y, l->width, l->height, l->to_x, l->to_y, l->to_width,
                                              l->to_height, l->blend, l->alpha});
        return true;
    }
    return false;
}

bool kms_prepare_layers(struct kms *k, const struct viewer_flip *f)
{
    unsigned next = 0;

    for (unsigned i = 0; i < KMS_OVERLAYS; i++)
        kms_picture_clear(k, &k->want.layer[i]);
    for (unsigned i = 0; i < f->nlayers; i++)
        if (!place(k, &f->layer[i], &next))
            return false;
    return true;
}
