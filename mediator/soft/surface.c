#include "mediator/soft/surface.h"

#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

static uint32_t minify(uint32_t size, unsigned level)
{
    return GT_MAX(size >> level, 1u);
}

static uint32_t align_npot(uint32_t v, uint32_t to)
{
    return (v + to - 1) / to * to;
}

static void make_null(struct soft_surface *s)
{
    s->type = SOFT_SURF_NULL;
    s->format = SOFT_FORMAT_R8G8B8A8_UNORM;
    s->info = soft_format_find(s->format);
    s->element_bytes = 4;
    s->samples_interleaved = false;
}

/* Elements from MinimumArrayElement and extents on count in the tree of the whole surface. A buffer's count is spread
 * over Width (7 bits), Height (14) and Depth (10). */
static void decode_buffer(const uint32_t *dw, struct soft_surface *s)
{
    uint32_t count = (uint32_t)(FIELD_GET(dw, RENDER_SURFACE_STATE, Width) & 0x7f) |
                     (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, Height) << 7 |
                     ((uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, Depth) & 0x3ff) << 21;

    s->width_px = count + 1;
    s->height_px = s->depth_px = s->layers = s->view_layers = s->levels = 1;
    s->first_level = 0;
    s->first_layer = 0;
    s->samples = 1;
    s->samples_interleaved = false;
    s->tiling = SOFT_LINEAR;
    s->x_offset_px = s->y_offset_px = 0;
    if (s->format == SOFT_FORMAT_RAW && s->type == SOFT_SURF_BUFFER)
        s->pitch_bytes = 1;
    s->size_bytes =
        (uint64_t)count * s->pitch_bytes + (s->type == SOFT_SURF_STRBUF ? s->pitch_bytes : s->element_bytes);
}

static void decode_tiling(const uint32_t *dw, struct soft_surface *s)
{
    static const uint8_t tiling[4] = {SOFT_LINEAR, SOFT_TILE_W, SOFT_TILE_X, SOFT_TILE_Y};
    unsigned resource = (unsigned)FIELD_GET(dw, RENDER_SURFACE_STATE, TiledResourceMode);

    s->tiling = tiling[FIELD_GET(dw, RENDER_SURFACE_STATE, TileMode)];
    if (s->tiling == SOFT_TILE_Y && resource)
        s->tiling = resource == 1 ? SOFT_TILE_YF : SOFT_TILE_YS;
}

static void decode_samples(const uint32_t *dw, struct soft_surface *s)
{
    unsigned log2 = (unsigned)FIELD_GET(dw, RENDER_SURFACE_STATE, NumberOfMultisamples);

    s->samples = (uint8_t)(1 << GT_MIN(log2, 4u));
    s->samples_interleaved = s->samples > 1 && FIELD_GET(dw, RENDER_SURFACE_STATE, MultisampledSurfaceStorageFormat);
}

static void decode_extent(const uint32_t *dw, struct soft_surface *s)
{
    uint32_t depth = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, Depth) + 1;

    s->width_px = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, Width) + 1;
    s->height_px = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, Height) + 1;
    if (s->type == SOFT_SURF_1D)
        s->height_px = 1;
    s->array = FIELD_GET(dw, RENDER_SURFACE_STATE, SurfaceArray) && s->type != SOFT_SURF_3D;
    s->depth_px = s->type == SOFT_SURF_3D ? depth : 1;
    s->layers = s->type == SOFT_SURF_3D || !s->array ? 1 : depth;
    if (s->type == SOFT_SURF_CUBE)
        s->layers *= 6;
    s->first_layer = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, MinimumArrayElement);
    s->view_layers = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, RenderTargetViewExtent) + 1;
    s->levels = (uint8_t)(FIELD_GET(dw, RENDER_SURFACE_STATE, MIPCountLOD) + 1);
    s->first_level = (uint8_t)FIELD_GET(dw, RENDER_SURFACE_STATE, SurfaceMinLOD);
    s->levels = GT_MIN(s->levels, SOFT_LEVELS);
    s->x_offset_px = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, XOffset) * 4;
    s->y_offset_px = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, YOffset) * 4;
}

static void decode_layout(const uint32_t *dw, struct soft_surface *s)
{
    static const uint8_t align[4] = {4, 4, 8, 16};

    s->halign_px =
        (uint16_t)(align[FIELD_GET(dw, RENDER_SURFACE_STATE, SurfaceHorizontalAlignment)] * s->info->block_width_px);
    s->valign_px =
        (uint16_t)(align[FIELD_GET(dw, RENDER_SURFACE_STATE, SurfaceVerticalAlignment)] * s->info->block_height_px);
    s->qpitch_rows = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, SurfaceQPitch) << 2;
    /* Hardware doubles z of 3D stencil; drivers halve the pitch (Mesa, isl_get_qpitch). */
    if (s->type == SOFT_SURF_3D && s->tiling == SOFT_TILE_W)
        s->qpitch_rows *= 2;
}

static void decode_colour(const uint32_t *dw, struct soft_surface *s)
{
    const uint32_t select[4] = {(uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectRed),
                                (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectGreen),
                                (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectBlue),
                                (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, ShaderChannelSelectAlpha)};

    for (unsigned c = 0; c < 4; c++)
        s->swizzle[c] = (uint8_t)(select[c] == 2 || select[c] == 3 ? 0 : select[c]);
    s->clear[0] = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, RedClearColor);
    s->clear[1] = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, GreenClearColor);
    s->clear[2] = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, BlueClearColor);
    s->clear[3] = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, AlphaClearColor);
    s->aux = (uint8_t)FIELD_GET(dw, RENDER_SURFACE_STATE, AuxiliarySurfaceMode);
    s->aux_address = FIELD_ADDRESS(dw, RENDER_SURFACE_STATE, AuxiliarySurfaceBaseAddress) & ADDRESS_MASK;
    s->aux_pitch_tiles = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, AuxiliarySurfacePitch) + 1;
    s->aux_qpitch_rows = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, AuxiliarySurfaceQPitch) << 2;
}

static uint32_t physical_width(const struct soft_surface *s)
{
    return s->samples_interleaved ? s->width_px * (s->samples >= 8 ? 4 : 2) : s->width_px;
}

static uint32_t physical_height(const struct soft_surface *s)
{
    return s->samples_interleaved ? s->height_px * (s->samples == 16 ? 4 : s->samples == 2 ? 1 : 2) : s->height_px;
}

/* log2 of an element's bytes, at most 16: the column of what depends on it. */
static unsigned size_log2(const struct soft_surface *s)
{
    return GT_MIN((unsigned)(31 - __builtin_clz(GT_MAX(s->element_bytes, 1u))), 4u);
}

static bool is_standard(const struct soft_surface *s)
{
    return (s->tiling == SOFT_TILE_YF || s->tiling == SOFT_TILE_YS) && s->type != SOFT_SURF_3D;
}

/* Levels of standard tilings begin with a tile: of 4 KiB (Yf) or 64 KiB (Ys), as square as can be (PRM SKL vol 5,
 * "Tiled Resources"). Whatever HALIGN and VALIGN say. */
static void align_to_tiles(struct soft_surface *s)
{
    static const uint8_t width[5] = {64, 64, 32, 32, 16}, height[5] = {64, 32, 32, 16, 16};
    unsigned log2 = size_log2(s), times = s->tiling == SOFT_TILE_YS ? 4 : 1;

    if (!is_standard(s))
        return;
    s->halign_px = (uint16_t)(width[log2] * times * s->info->block_width_px);
    s->valign_px = (uint16_t)(height[log2] * times * s->info->block_height_px);
}

/* Where level n of a mip tail lies in its tile, in elements of 1, 2, 4, 8 and 16 bytes: from the fifth row on for Yf
 * (PRM SKL vol 5, "Mip Tails"; Mesa isl.c). */
static void tail_offset(const struct soft_surface *s, unsigned n, uint32_t *x, uint32_t *y)
{
    static const uint8_t slot[15][5][2] = {
        {{128, 0}, {128, 0}, {64, 0}, {64, 0}, {32, 0}}, {{0, 128}, {0, 64}, {0, 64}, {0, 32}, {0, 32}},
        {{64, 0}, {64, 0}, {32, 0}, {32, 0}, {16, 0}},   {{0, 64}, {0, 32}, {0, 32}, {0, 16}, {0, 16}},
        {{32, 0}, {32, 0}, {16, 0}, {16, 0}, {8, 0}},    {{16, 32}, {16, 16}, {8, 16}, {8, 8}, {4, 8}},
        {{0, 48}, {0, 24}, {0, 24}, {0, 12}, {0, 12}},   {{0, 32}, {0, 16}, {0, 16}, {0, 8}, {0, 8}},
        {{16, 16}, {16, 8}, {8, 8}, {8, 4}, {4, 4}},     {{16, 0}, {16, 0}, {8, 0}, {8, 0}, {4, 0}},
        {{0, 16}, {0, 8}, {0, 8}, {0, 4}, {0, 4}},       {{0, 12}, {8, 4}, {4, 4}, {6, 0}, {3, 0}},
        {{0, 8}, {8, 0}, {4, 0}, {4, 0}, {2, 0}},        {{0, 4}, {0, 4}, {0, 4}, {2, 0}, {1, 0}},
        {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}},
    };
    const uint8_t *at = slot[GT_MIN(n + (s->tiling == SOFT_TILE_YF ? 4 : 0), 14u)][size_log2(s)];

    *x = at[0];
    *y = at[1];
}

/*
 * Where level l is in its slice. 2D: level 1 below level 0, the others to the right of level 1, each below the one
 * before. 1D: all in a row, aligned to 64 elements (PRM SKL vol 5, "Surface Layout and Tiling"; Mesa isl.c).
 */
static void tree_offset(const struct soft_surface *s, unsigned level, uint32_t *x, uint32_t *y)
{
    bool line = s->type == SOFT_SURF_1D && s->tiling == SOFT_LINEAR;
    uint32_t w = physical_width(s), h = physical_height(s);

    *x = *y = 0;
    for (unsigned l = 0; l < level; l++) {
        if (line)
            *x += align_npot(minify(w, l), 64);
        else if (l == 1)
            *x += align_npot(minify(w, l), s->halign_px);
        else
            *y += align_npot(minify(h, l), s->valign_px);
    }
}

static void derive_levels(const uint32_t *dw, struct soft_surface *s)
{
    unsigned tail = is_standard(s) ? (unsigned)FIELD_GET(dw, RENDER_SURFACE_STATE, MipTailStartLOD) : SOFT_LEVELS;

    for (unsigned l = 0; l < SOFT_LEVELS; l++) {
        unsigned real = GT_MIN(l + s->first_level, SOFT_LEVELS - 1);
        struct soft_level *v = &s->level[l];
        uint32_t x = 0, y = 0;

        tree_offset(s, GT_MIN(real, tail), &v->x_el, &v->y_el);
        if (real >= tail)
            tail_offset(s, real - tail, &x, &y);
        v->x_el = (v->x_el + s->x_offset_px) / s->info->block_width_px + x;
        v->y_el = (v->y_el + s->y_offset_px) / s->info->block_height_px + y;
        v->width_px = minify(s->width_px, real);
        v->height_px = minify(s->height_px, real);
        v->depth_px = minify(s->depth_px, real);
    }
}

void soft_surface_decode(const uint32_t dw[16], struct soft_surface *s)
{
    memset(s, 0, sizeof(*s));
    s->type = (uint8_t)FIELD_GET(dw, RENDER_SURFACE_STATE, SurfaceType);
    s->format = (uint16_t)FIELD_GET(dw, RENDER_SURFACE_STATE, SurfaceFormat);
    s->info = soft_format_find(s->format);
    s->pitch_bytes = (uint32_t)FIELD_GET(dw, RENDER_SURFACE_STATE, SurfacePitch) + 1;
    s->address = FIELD_ADDRESS(dw, RENDER_SURFACE_STATE, SurfaceBaseAddress) & ADDRESS_MASK;
    s->min_lod_256 = (uint16_t)FIELD_GET(dw, RENDER_SURFACE_STATE, ResourceMinLOD);
    decode_samples(dw, s);
    if (s->type > SOFT_SURF_STRBUF || !s->info || s->info->bits < 8)
        make_null(s);
    else
        s->element_bytes = (uint8_t)(s->info->bits / 8);
    decode_tiling(dw, s);
    decode_extent(dw, s);
    decode_layout(dw, s);
    decode_colour(dw, s);
    if (s->type == SOFT_SURF_BUFFER || s->type == SOFT_SURF_STRBUF)
        decode_buffer(dw, s);
    align_to_tiles(s);
    derive_levels(dw, s);
}

unsigned soft_surface_drawn_level(const struct soft_surface *s)
{
    return s->levels > s->first_level ? s->levels - 1u - s->first_level : 0;
}

uint32_t soft_surface_width(const struct soft_surface *s, unsigned level)
{
    return s->level[GT_MIN(level, SOFT_LEVELS - 1)].width_px;
}

uint32_t soft_surface_height(const struct soft_surface *s, unsigned level)
{
    return s->level[GT_MIN(level, SOFT_LEVELS - 1)].height_px;
}

uint32_t soft_surface_depth(const struct soft_surface *s, unsigned level)
{
    return s->level[GT_MIN(level, SOFT_LEVELS - 1)].depth_px;
}

/* Bits of the sample number go between those of the position: from bit 1 on, as Mesa's blorp (encode_msaa) and the PRM
 * (SKL vol 5, "Multisampled Surfaces", MSFMT_DEPTH_STENCIL) have it. */
static void interleave(unsigned samples, unsigned n, uint32_t *x, uint32_t *y)
{
    uint32_t px = *x, py = *y, low_x = px & 1, low_y = py & 1;

    *x = (px & ~1u) << (samples >= 8 ? 2 : 1) | (samples >= 8 ? n & 4 : 0) | (n & 1) << 1 | low_x;
    if (samples == 16)
        *y = (py & ~1u) << 2 | (n & 8) >> 1 | (n & 2) | low_y;
    else if (samples >= 4)
        *y = (py & ~1u) << 1 | (n & 2) | low_y;
}

uint64_t soft_surface_address(const struct soft_surface *s, uint32_t x, uint32_t y, uint32_t z, unsigned level,
                              unsigned sample)
{
    const struct soft_level *l = &s->level[GT_MIN(level, SOFT_LEVELS - 1)];
    uint64_t slice = (uint64_t)z + s->first_layer;

    if (s->type == SOFT_SURF_BUFFER || s->type == SOFT_SURF_STRBUF)
        return (s->address + (uint64_t)x * s->pitch_bytes) & ADDRESS_MASK;
    if (s->samples_interleaved)
        interleave(s->samples, sample, &x, &y);
    else if (s->samples > 1)
        slice = slice * s->samples + sample;
    if (s->type == SOFT_SURF_1D && s->tiling == SOFT_LINEAR) /* QPitch counts elements here */
        return (s->address + (slice * s->qpitch_rows + l->x_el + x) * s->element_bytes) & ADDRESS_MASK;
    uint64_t row = slice * s->qpitch_rows + l->y_el + y;
    return (s->address + soft_tile_offset(s, (uint64_t)(l->x_el + x) * s->element_bytes, row)) & ADDRESS_MASK;
}
