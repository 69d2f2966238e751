/*
 * Attribute setup (PRM SKL vol 7, "Setup Backend"): each component of an attribute becomes four numbers in the payload,
 * value at the second vertex less that at the first, third less first, nothing, first. PLN and MAD use them with the
 * barycentrics.
 */
#include <math.h>
#include <string.h>

#include "mediator/soft/raster.h"

/* SF_OUTPUT_ATTRIBUTE_DETAIL.SwizzleSelect and .ConstantSource */
enum { SWIZZLE_PLAIN, SWIZZLE_FACING, SWIZZLE_W, SWIZZLE_FACING_W };
enum { CONST_0000, CONST_0001, CONST_1111, CONST_PRIM_ID };

/* Where the attribute is in each vertex. Reads beyond a vertex give zero. */
static void fetch(const struct raster_state *st, const struct raster_attribute *a, const uint32_t *vue, bool back,
                  uint32_t out[4])
{
    bool facing = a->swizzle == SWIZZLE_FACING || a->swizzle == SWIZZLE_FACING_W;
    unsigned at = st->attribute_offset + 4u * (a->source + (facing && back));

    if (at + 4 <= st->vue_dwords)
        memcpy(out, vue + at, 16);
    else
        memset(out, 0, 16);
    if (a->swizzle == SWIZZLE_W || a->swizzle == SWIZZLE_FACING_W)
        out[0] = out[3];
}

static uint32_t constant(const struct raster_attribute *a, unsigned component, uint32_t prim_id)
{
    const uint32_t one = 0x3f800000;

    switch (a->constant) {
    case CONST_0001:
        return component == 3 ? one : 0;
    case CONST_1111:
        return one;
    case CONST_PRIM_ID:
        return prim_id;
    default:
        return 0;
    }
}

static float as_float(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* The shortest way round a texture that repeats. */
static float wrap_shortest(float d)
{
    return d > 0.5f ? d - 1 : d < -0.5f ? d + 1 : d;
}

static void set_flat(float out[4], uint32_t bits)
{
    out[0] = out[1] = out[2] = 0;
    memcpy(&out[3], &bits, sizeof(bits));
}

/* A point's barycentrics run over it from the upper left corner: first to the right, second down. */
static void set_sprite(const struct raster_state *st, float out[16])
{
    memset(out, 0, 16 * sizeof(float));
    out[0] = 1;
    out[4 + 1] = st->sprite_lower_left ? -1.0f : 1.0f;
    out[4 + 3] = st->sprite_lower_left ? 1.0f : 0.0f;
    out[12 + 3] = 1;
}

static void set_component(const struct raster_attribute *a, unsigned c, const uint32_t v[3][4], unsigned n,
                          float out[4])
{
    float base = as_float(v[0][c]);
    float d1 = n > 1 ? as_float(v[1][c]) - base : 0, d2 = n > 2 ? as_float(v[2][c]) - base : 0;

    if (a->wrap >> c & 1) {
        d1 = wrap_shortest(d1);
        d2 = wrap_shortest(d2);
    }
    out[0] = d1;
    out[1] = d2;
    out[2] = 0;
    out[3] = base;
}

static void set_attribute(const struct raster_state *st, const struct raster_attribute *a, const struct soft_prim *in,
                          const struct raster_prim *p, float out[16])
{
    unsigned n = in->kind == SOFT_RECT ? 3 : (unsigned)in->kind;
    uint32_t v[3][4];

    if (a->sprite && p->kind == SOFT_POINT) {
        set_sprite(st, out);
    } else if (a->flat || n < 2) {
        fetch(st, a, in->v[a->flat && in->provoking < n ? in->provoking : 0], p->back, v[0]);
        for (unsigned c = 0; c < 4; c++)
            set_flat(out + 4 * c, v[0][c]);
    } else {
        for (unsigned i = 0; i < n; i++)
            fetch(st, a, in->v[i], p->back, v[i]);
        for (unsigned c = 0; c < 4; c++)
            set_component(a, c, (const uint32_t(*)[4])v, n, out + 4 * c);
    }
    for (unsigned c = 0; c < 4; c++) {
        if (a->override >> c & 1)
            set_flat(out + 4 * c, constant(a, c, in->id));
        if (a->prim_id >> c & 1)
            set_flat(out + 4 * c, in->id);
    }
}

void setup_attributes(const struct raster_state *st, const struct soft_prim *in, const struct raster_prim *p,
                      float (*out)[16])
{
    for (unsigned i = 0; i < st->attributes; i++)
        set_attribute(st, &st->attribute[i], in, p, out[i]);
}
