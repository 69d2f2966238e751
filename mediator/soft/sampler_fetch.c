#include <string.h>

#include "mediator/soft/sampler.h"
#include "vgpu/base/bits.h"

#define ELEMENT_MAX 32u

/* The raw bytes of an element. */
static void read_element(struct soft_mem *m, uint64_t a, void *out, unsigned bytes)
{
    const uint8_t *p = soft_mem_ptr(m, a, false);

    if (!p || a % SOFT_PAGE + bytes > SOFT_PAGE) {
        soft_mem_read(m, a, out, bytes);
        return;
    }
    switch (bytes) {
    case 1:
        memcpy(out, p, 1);
        break;
    case 2:
        memcpy(out, p, 2);
        break;
    case 4:
        memcpy(out, p, 4);
        break;
    case 8:
        memcpy(out, p, 8);
        break;
    case 16:
        memcpy(out, p, 16);
        break;
    default:
        memcpy(out, p, bytes);
    }
}

static bool is_border(const struct sampler_taps *t, unsigned k, unsigned i)
{
    return t->x[k][i] == TEXEL_BORDER || t->y[k][i] == TEXEL_BORDER || t->z[k][i] == TEXEL_BORDER;
}

static void fetch_plain(struct sampler_job *j, struct sampler_taps *t)
{
    const struct soft_surface *s = j->s;
    unsigned bytes = s->element_bytes;
    _Alignas(32) uint8_t raw[TAPS * ELEMENT_MAX];

    for (unsigned k = 0; k < t->corners; k++)
        for (unsigned i = 0; i < LANES; i++) {
            uint8_t *to = raw + (size_t)(k * LANES + i) * bytes;

            if (i >= j->lanes || !(j->mask >> i & 1) || is_border(t, k, i))
                memset(to, 0, bytes);
            else
                read_element(j->e->mem,
                             soft_surface_address(s, (uint32_t)t->x[k][i], (uint32_t)t->y[k][i], (uint32_t)t->z[k][i],
                                                  t->level[i], t->sample[i]),
                             to, bytes);
        }
    soft_format_unpack_row(s->info, raw, t->corners * LANES, t->colour[0], TAPS);
}

/* Formats in blocks: the block with the texel, decoded or remembered. */
static void fetch_blocks(struct sampler_job *j, struct sampler_taps *t)
{
    const struct soft_surface *s = j->s;
    uint32_t bw = s->info->block_width_px, bh = s->info->block_height_px;

    for (unsigned k = 0; k < t->corners; k++)
        for (unsigned i = 0; i < j->lanes; i++) {
            uint32_t x = (uint32_t)t->x[k][i], y = (uint32_t)t->y[k][i];
            uint8_t raw[ELEMENT_MAX];

            if (!(j->mask >> i & 1) || is_border(t, k, i))
                continue;
            read_element(j->e->mem,
                         soft_surface_address(s, x / bw, y / bh, (uint32_t)t->z[k][i], t->level[i], t->sample[i]), raw,
                         s->element_bytes);
            const uint32_t *texel = units_block(j->e->units, s->info, raw)[y % bh * bw + x % bw];
            for (unsigned c = 0; c < 4; c++)
                t->colour[c][k * LANES + i] = texel[c];
        }
}

void sampler_fetch(struct sampler_job *j, struct sampler_taps *t)
{
    if (j->s->info->compression)
        fetch_blocks(j, t);
    else
        fetch_plain(j, t);
    for (unsigned k = 0; k < t->corners; k++)
        for (unsigned i = 0; i < j->lanes; i++)
            if (is_border(t, k, i))
                for (unsigned c = 0; c < 4; c++)
                    t->colour[c][k * LANES + i] = j->border[c];
}
