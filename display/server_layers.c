/* Sprite planes as planes of their own, for viewers that have such. */
#include <string.h>

#include "display/damage.h"
#include "display/format.h"
#include "display/server_internal.h"
#include "vgpu/base/bits.h"

_Static_assert(DISPLAY_LAYERS + 1 >= VGPU_SCANOUT_PLANES, "all planes can be told apart");

/* Premultiplied alpha over black is what the colours are anyway. */
bool surface_is_direct(const struct vgpu_scanout *sc, const struct vgpu_surface *s)
{
    return !s->dst_x && !s->dst_y && s->width == sc->width && s->height == sc->height && !s->dst_width &&
           !s->rotation && !s->fade && !s->keyed && !s->src_keyed && !s->alpha_straight &&
           (!s->alpha || !sc->bottom_color) && display_fourcc(s->format) && vgpu_surface_valid(s);
}

/* Colour keys, rotation and YUV are for vgpu_compose_row. A plane scaler is the viewer's affair: it has one, or it
 * refuses. */
static bool layer_possible(const struct vgpu_surface *s)
{
    return s->kind == VGPU_PLANE_SPRITE && !s->rotation && !s->keyed && !s->src_keyed && display_fourcc(s->format) &&
           vgpu_surface_valid(s);
}

bool layers_possible(const struct vgpu_scanout *sc)
{
    bool possible = sc->nplanes >= 2 && sc->nplanes <= 1 + DISPLAY_LAYERS && surface_is_direct(sc, &sc->plane[0]);

    for (unsigned i = 1; possible && i < sc->nplanes; i++)
        possible = layer_possible(&sc->plane[i]);
    return possible;
}

static bool share_layer(struct display_server *s, const struct vgpu_surface *from, struct layer *l)
{
    l->frame = frames_share(&s->frames, from, !from->alpha, &l->x, &l->y);
    l->width = from->width;
    l->height = from->height;
    l->to_x = from->dst_x;
    l->to_y = from->dst_y;
    l->to_width = from->dst_width ? from->dst_width : from->width;
    l->to_height = from->dst_height ? from->dst_height : from->height;
    l->blend = !from->alpha ? DISPLAY_OPAQUE : from->alpha_straight ? DISPLAY_COVERAGE : DISPLAY_PREMULTIPLIED;
    l->alpha = DISPLAY_ALPHA_MAX - from->fade;
    return l->frame != NULL;
}

bool layers_share(struct display_server *s, const struct vgpu_scanout *sc, struct picture *out)
{
    memset(out, 0, sizeof(*out)); /* it is compared as bytes */
    out->frame = frames_share(&s->frames, &sc->plane[0], true, &out->x, &out->y);
    bool ok = out->frame != NULL;

    for (unsigned i = 1; ok && i < sc->nplanes; i++)
        ok = share_layer(s, &sc->plane[i], &out->layer[out->nlayers++]);
    if (!ok)
        picture_clear(s, out);
    return ok;
}

void picture_clear(struct display_server *s, struct picture *p)
{
    frame_unref(&s->frames, p->frame);
    for (unsigned i = 0; i < p->nlayers; i++)
        frame_unref(&s->frames, p->layer[i].frame);
    memset(p, 0, sizeof(*p));
}

uint64_t layers_arrangement(const struct vgpu_scanout *sc)
{
    struct {
        uint32_t width, height, planes;
        struct {
            uint32_t format, tiling, stride, width, height, dst_width, dst_height, alpha, fade;
        } plane[VGPU_SCANOUT_PLANES];
    } sum;

    memset(&sum, 0, sizeof(sum));
    sum.width = sc->width;
    sum.height = sc->height;
    sum.planes = sc->nplanes;
    for (unsigned i = 0; i < sc->nplanes; i++) {
        const struct vgpu_surface *s = &sc->plane[i];

        sum.plane[i].format = s->format;
        sum.plane[i].tiling = s->tiling;
        sum.plane[i].stride = s->stride_bytes;
        sum.plane[i].width = s->width;
        sum.plane[i].height = s->height;
        sum.plane[i].dst_width = s->dst_width;
        sum.plane[i].dst_height = s->dst_height;
        sum.plane[i].alpha = s->alpha + s->alpha_straight;
        sum.plane[i].fade = s->fade != 0;
    }
    return damage_sum((const uint8_t *)&sum, sizeof(sum)) | 1;
}

const struct picture *picture_for(const struct viewer *v, const struct head *h)
{
    return v->layers && v->refused != h->arrangement && h->apart.frame ? &h->apart : &h->flat;
}
