/* The pixel interpolator: barycentrics at other places of the pixel. PRM SKL vol 7, "Pixel Interpolator"; Mesa
 * brw_pixel_interp_desc. */
#include <string.h>

#include "mediator/soft/pixel.h"
#include "vgpu/base/bits.h"

const uint8_t *pixel_message_register(const struct eu_message *m, unsigned reg)
{
    static const uint8_t zero[EU_REG_BYTES];

    if (reg < m->mlen)
        return m->src0 + reg * EU_REG_BYTES;
    return reg - m->mlen < m->ex_mlen ? m->src1 + (reg - m->mlen) * EU_REG_BYTES : zero;
}

/* Bits of the descriptor. */
enum { PI_SLOT_GROUP = 11, PI_LINEAR = 14, PI_TYPE = 12, PI_SIMD16 = 16 };
enum { PI_SHARED_OFFSET, PI_SAMPLE, PI_CENTROID, PI_SLOT_OFFSET };

static float signed_sixteenth(uint32_t v)
{
    return (float)((int32_t)(v << 28) >> 28) / 16;
}

/* Moves the 8 positions, which are those of pixels. */
static void interpolate_at(const struct pixel_worker *w, const struct eu_message *m, unsigned group, unsigned channels,
                           float x[8], float y[8])
{
    const struct raster_state *st = &w->r->state;
    float corner = (float)st->pixel_offset / RASTER_SUB;
    unsigned sample = GT_MIN(m->desc >> 4 & 0xf, st->samples - 1);
    uint32_t dx[8], dy[8];

    switch (m->desc >> PI_TYPE & 3) {
    case PI_SHARED_OFFSET:
        for (unsigned i = 0; i < 8; i++) {
            x[i] += signed_sixteenth(m->desc);
            y[i] += signed_sixteenth(m->desc >> 4);
        }
        break;
    case PI_SAMPLE:
        for (unsigned i = 0; i < 8; i++) {
            x[i] += (float)st->sample_x[sample] / 16 - corner;
            y[i] += (float)st->sample_y[sample] / 16 - corner;
        }
        break;
    case PI_SLOT_OFFSET:
        memcpy(dx, pixel_message_register(m, group), sizeof(dx));
        memcpy(dy, pixel_message_register(m, channels / 8 + group), sizeof(dy));
        for (unsigned i = 0; i < 8; i++) {
            x[i] += signed_sixteenth(dx[i]);
            y[i] += signed_sixteenth(dy[i]);
        }
        break;
    default:
        break;
    }
}

enum eu_result pixel_interpolate(struct pixel_worker *w, const struct eu_message *m)
{
    unsigned channels = m->desc >> PI_SIMD16 & 1 ? 16 : 8;
    unsigned first = (m->desc >> PI_SLOT_GROUP & 1 ? 16u : 0u) + (m->first_channel & 8u);
    enum pixel_location at = (m->desc >> PI_TYPE & 3) == PI_CENTROID ? AT_CENTROID : AT_PIXEL;

    if (m->rlen < channels / 4 || first + channels > w->width)
        return EU_DONE;
    for (unsigned g = 0; g < channels / 8; g++) {
        float x[8], y[8], out[16];

        pixel_positions(w, first + 8 * g, at, x, y);
        interpolate_at(w, m, g, channels, x, y);
        pixel_barycentrics(w->prim, !(m->desc >> PI_LINEAR & 1), x, y, out);
        for (unsigned i = 0; i < 8; i++) {
            if (!(m->mask >> (8 * g + i) & 1))
                continue;
            memcpy(m->dst + (16 * g + i) * 4, &out[i], 4);
            memcpy(m->dst + (16 * g + 8 + i) * 4, &out[8 + i], 4);
        }
    }
    return EU_DONE;
}
