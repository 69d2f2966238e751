/* Sampler messages against a plain reference and worked examples. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/sampler_fixture.h"

#define NEAREST 0
#define LINEAR  1
#define ANISO   2

static uint32_t bits(float f)
{
    return soft_as_bits(f);
}

static uint32_t rng = 1;

static float random_between(float low, float high)
{
    rng = rng * 1664525 + 1013904223;
    return low + (high - low) * (float)(rng >> 8) / 0x1p24f;
}

/* ---- the reference: one texel, one filter, in double */

static int ref_index(int i, int size, unsigned mode, bool *border)
{
    switch (mode) {
    case ADDRESS_WRAP:
        return ((i % size) + size) % size;
    case ADDRESS_MIRROR:
        i = ((i % (2 * size)) + 2 * size) % (2 * size);
        return i < size ? i : 2 * size - 1 - i;
    case ADDRESS_MIRROR_ONCE:
        i = i < 0 ? -1 - i : i;
        return i < size ? i : size - 1;
    case ADDRESS_BORDER:
        *border |= i < 0 || i >= size;
        return i < 0 ? 0 : i < size ? i : size - 1;
    default:
        return i < 0 ? 0 : i < size ? i : size - 1;
    }
}

struct reference {
    int w, h;
    const float (*texel)[4];
    const float *border;
    unsigned mode;
};

static float ref_texel(const struct reference *t, int x, int y, unsigned c)
{
    bool border = false;
    int i = ref_index(x, t->w, t->mode, &border), k = ref_index(y, t->h, t->mode, &border);

    return border ? t->border[c] : t->texel[k * t->w + i][c];
}

static double ref_sample(const struct reference *t, double u, double v, bool linear, unsigned c)
{
    double x = u * t->w, y = v * t->h;

    if (!linear)
        return (double)ref_texel(t, (int)floor(x), (int)floor(y), c);
    double fx = floor(x * 256 + 0.5) / 256 - 0.5, fy = floor(y * 256 + 0.5) / 256 - 0.5;
    int ix = (int)floor(fx), iy = (int)floor(fy);
    double wx = fx - ix, wy = fy - iy;
    double top = ref_texel(t, ix, iy, c) * (1 - wx) + ref_texel(t, ix + 1, iy, c) * wx;
    double bottom = ref_texel(t, ix, iy + 1, c) * (1 - wx) + ref_texel(t, ix + 1, iy + 1, c) * wx;
    return top * (1 - wy) + bottom * wy;
}

static void fill_texture(struct sampler_rig *r, float (*texel)[4])
{
    for (uint32_t y = 0; y < r->s.height_px; y++)
        for (uint32_t x = 0; x < r->s.width_px; x++) {
            uint32_t raw[8], out[4];

            for (unsigned c = 0; c < 4; c++)
                texel[y * r->s.width_px + x][c] = random_between(0, 1);
            rig_set_texel(r, x, y, 0, 0, texel[y * r->s.width_px + x]);
            memcpy(raw, rig_at(r, soft_surface_address(&r->s, x, y, 0, 0, 0)), r->s.element_bytes);
            soft_format_unpack(r->s.info, raw, out);
            memcpy(texel[y * r->s.width_px + x], out, sizeof(out));
        }
}

static void compare_with_reference(struct sampler_rig *r, const struct reference *t, bool linear)
{
    float u[LANES], v[LANES];

    for (unsigned i = 0; i < LANES; i++) {
        u[i] = floorf(random_between(-2.5f, 3.5f) * 4096) / 4096; /* exact in both */
        v[i] = floorf(random_between(-2.5f, 3.5f) * 4096) / 4096;
    }
    rig_message(r);
    rig_param(r, u);
    rig_param(r, v);
    assert_int_equal(rig_send(r, MSG_SAMPLE_LZ, 4), EU_DONE);
    for (unsigned i = 0; i < r->lanes; i++)
        for (unsigned c = 0; c < 4; c++) {
            double expect = ref_sample(t, (double)u[i], (double)v[i], linear, c);

            assert_true(fabs((double)rig_value(r, c, i) - expect) < 2e-6);
        }
}

static void modes_tilings_and_filters_match_the_reference(void **state)
{
    static const unsigned modes[] = {ADDRESS_WRAP, ADDRESS_MIRROR, ADDRESS_CLAMP, ADDRESS_BORDER, ADDRESS_MIRROR_ONCE};
    static const unsigned formats[] = {SOFT_FORMAT_R8G8B8A8_UNORM, SOFT_FORMAT_B8G8R8X8_UNORM,
                                       SOFT_FORMAT_R8G8B8A8_UNORM_SRGB, SOFT_FORMAT_R32G32B32A32_FLOAT,
                                       SOFT_FORMAT_R16G16B16A16_FLOAT};
    const float border[4] = {0.25f, 0.5f, 0.75f, 1};
    static float texel[32 * 16][4];
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    memcpy(rig_at(&r, RIG_SAMPLERS + 0x100), border, sizeof(border));
    for (unsigned n = 0; n < 5 * 5 * 3 * 2 * 2; n++) {
        unsigned tile = n / 25 % 3, w = n & 1 ? 32 : 21, h = n & 1 ? 16 : 13;
        bool linear = n / 75 & 1;
        struct reference t = {(int)w, (int)h, (const float(*)[4])texel, border, modes[n % 5]};

        r.lanes = n / 150 ? 16 : 8;
        rig_bind(&r, (struct surface_spec){
                         .format = formats[n / 5 % 5], .tile = tile ? tile + 1 : 0, .w = w, .h = h, .pitch = 512});
        fill_texture(&r, texel);
        rig_address_mode(&r, modes[n % 5]);
        rig_filters(&r, linear, linear, MIP_NONE);
        compare_with_reference(&r, &t, linear);
    }
    sampler_rig_close(&r);
}

/* ---- levels */

/* Level n is painted n / 8, in red. */
static void paint_levels(struct sampler_rig *r)
{
    for (unsigned l = 0; l < r->s.levels; l++)
        for (uint32_t y = 0; y < r->s.level[l].height_px; y++)
            for (uint32_t x = 0; x < r->s.level[l].width_px; x++)
                rig_set_texel(r, x, y, 0, l, (const float[4]){(float)l / 8, 0, 0, 1});
}

static void bind_levels(struct sampler_rig *r)
{
    rig_bind(r, (struct surface_spec){
                    .format = SOFT_FORMAT_R32G32B32A32_FLOAT, .w = 64, .h = 64, .levels = 7, .pitch = 1024});
    paint_levels(r);
}

/* A quad whose pixels are `texels` apart. */
static void send_quad(struct sampler_rig *r, unsigned type, float texels_x, float texels_y, float bias)
{
    float u[LANES], v[LANES];

    for (unsigned i = 0; i < LANES; i++) {
        u[i] = (float)(i & 1) * texels_x / 64;
        v[i] = (float)(i >> 1 & 1) * texels_y / 64;
    }
    rig_message(r);
    if (type == MSG_SAMPLE_B)
        rig_param_all(r, bits(bias));
    rig_param(r, u);
    rig_param(r, v);
    assert_int_equal(rig_send(r, type, 4), EU_DONE);
}

static void the_larger_derivative_chooses_the_level(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_levels(&r);
    rig_filters(&r, LINEAR, LINEAR, MIP_NEAREST);
    send_quad(&r, MSG_SAMPLE, 4, 1, 0);
    assert_true(rig_value(&r, 0, 0) == 2 / 8.0f);
    send_quad(&r, MSG_SAMPLE, 0.5f, 8, 0);
    assert_true(rig_value(&r, 0, 7) == 3 / 8.0f);
    send_quad(&r, MSG_SAMPLE, 0.5f, 0.25f, 0);
    assert_true(rig_value(&r, 0, 0) == 0);
    send_quad(&r, MSG_SAMPLE_B, 4, 1, 2);
    assert_true(rig_value(&r, 0, 0) == 4 / 8.0f);
    send_quad(&r, MSG_SAMPLE, 1e6f, 1, 0);
    assert_true(rig_value(&r, 0, 0) == 6 / 8.0f);
    sampler_rig_close(&r);
}

static void linear_mips_mix_two_levels(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_levels(&r);
    rig_filters(&r, LINEAR, LINEAR, MIP_LINEAR);
    rig_message(&r);
    rig_param_all(&r, bits(2.25f));
    rig_param_all(&r, bits(0.5f));
    rig_param_all(&r, bits(0.5f));
    assert_int_equal(rig_send(&r, MSG_SAMPLE_L, 4), EU_DONE);
    assert_true(fabsf(rig_value(&r, 0, 0) - 2.25f / 8) < 1e-6f);
    SET(r.sampler, SAMPLER_STATE, MinLOD, 3 << 8);
    assert_int_equal(rig_send(&r, MSG_SAMPLE_L, 4), EU_DONE);
    assert_true(rig_value(&r, 0, 0) == 3 / 8.0f);
    SET(r.sampler, SAMPLER_STATE, MinLOD, 0);
    SET(r.sampler, SAMPLER_STATE, MaxLOD, 1 << 8);
    assert_int_equal(rig_send(&r, MSG_SAMPLE_L, 4), EU_DONE);
    assert_true(rig_value(&r, 0, 0) == 1 / 8.0f);
    SET(r.sampler, SAMPLER_STATE, MaxLOD, 14 << 8);
    SET(r.sampler, SAMPLER_STATE, TextureLODBias, 256);
    assert_int_equal(rig_send(&r, MSG_SAMPLE_L, 4), EU_DONE);
    assert_true(fabsf(rig_value(&r, 0, 0) - 3.25f / 8) < 1e-6f);
    sampler_rig_close(&r);
}

static void anisotropy_keeps_the_level_of_the_short_side(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_levels(&r);
    rig_filters(&r, ANISO, ANISO, MIP_NEAREST);
    SET(r.sampler, SAMPLER_STATE, MaximumAnisotropy, 7);
    send_quad(&r, MSG_SAMPLE, 16, 2, 0);
    assert_true(rig_value(&r, 0, 0) == 1 / 8.0f);
    SET(r.sampler, SAMPLER_STATE, MaximumAnisotropy, 0);
    send_quad(&r, MSG_SAMPLE, 16, 2, 0);
    assert_true(rig_value(&r, 0, 0) == 3 / 8.0f);
    sampler_rig_close(&r);
}

static void lod_answers_clamped_and_raw(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_levels(&r);
    rig_filters(&r, LINEAR, LINEAR, MIP_LINEAR);
    send_quad(&r, MSG_LOD, 256, 1, 0);
    assert_true(rig_value(&r, 0, 0) == 6);
    assert_true(fabsf(rig_value(&r, 1, 0) - 8) < 1e-5f);
    sampler_rig_close(&r);
}

/* ---- other dimensions */

static void layers_are_rounded_and_clamped(void **state)
{
    static const float r_in[8] = {-3, 0.4f, 0.6f, 1.5f, 2.4f, 9, 1, NAN};
    static const float expect[8] = {0, 0, 1, 2, 2, 2, 1, 0};
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    rig_bind(&r, (struct surface_spec){
                     .format = SOFT_FORMAT_R32_FLOAT, .w = 4, .h = 4, .layers = 3, .qpitch = 4, .pitch = 16});
    for (uint32_t z = 0; z < 3; z++)
        for (uint32_t i = 0; i < 16; i++)
            rig_set_texel(&r, i & 3, i >> 2, z, 0, (const float[4]){(float)z, 0, 0, 0});
    rig_message(&r);
    rig_param_all(&r, bits(0.5f));
    rig_param_all(&r, bits(0.5f));
    rig_param(&r, r_in);
    assert_int_equal(rig_send(&r, MSG_SAMPLE_LZ, 4), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        assert_true(rig_value(&r, 0, i) == expect[i]);
    sampler_rig_close(&r);
}

static void volumes_are_filtered_in_depth(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    rig_bind(&r, (struct surface_spec){.type = SOFT_SURF_3D,
                                       .format = SOFT_FORMAT_R32_FLOAT,
                                       .w = 4,
                                       .h = 4,
                                       .depth = 4,
                                       .qpitch = 4,
                                       .pitch = 16});
    for (uint32_t z = 0; z < 4; z++)
        for (uint32_t i = 0; i < 16; i++)
            rig_set_texel(&r, i & 3, i >> 2, z, 0, (const float[4]){(float)z, 0, 0, 0});
    rig_filters(&r, LINEAR, LINEAR, MIP_NONE);
    rig_address_mode(&r, ADDRESS_CLAMP);
    rig_message(&r);
    rig_param_all(&r, bits(0.5f));
    rig_param_all(&r, bits(0.5f));
    rig_param_all(&r, bits(0.4375f)); /* 1.75 - 0.5 = 1.25 */
    assert_int_equal(rig_send(&r, MSG_SAMPLE_LZ, 4), EU_DONE);
    assert_true(rig_value(&r, 0, 3) == 1.25f);
    sampler_rig_close(&r);
}

static void bind_cube(struct sampler_rig *r)
{
    rig_bind(r, (struct surface_spec){.type = SOFT_SURF_CUBE,
                                      .format = SOFT_FORMAT_R32G32B32A32_FLOAT,
                                      .w = 4,
                                      .h = 4,
                                      .layers = 1,
                                      .qpitch = 4,
                                      .pitch = 64});
    for (uint32_t f = 0; f < 6; f++)
        for (uint32_t i = 0; i < 16; i++)
            rig_set_texel(r, i & 3, i >> 2, f, 0, (const float[4]){(float)f, (float)(i & 3), (float)(i >> 2), 0});
    rig_address_mode(r, ADDRESS_CUBE);
}

static void directions_find_their_face(void **state)
{
    /* Direction, face, column and row (s and t of the GL specification, table 8.19). */
    static const float d[8][6] = {{1, 0.6f, 0.1f, 0, 1, 0},  {-1, -0.6f, 0.6f, 1, 3, 3}, {0.1f, 1, 0.6f, 2, 2, 3},
                                  {0.6f, -1, 0.6f, 3, 3, 0}, {0.6f, 0.6f, 1, 4, 3, 0},   {0.6f, 0.6f, -1, 5, 0, 0},
                                  {2, 0.1f, 1.2f, 0, 0, 1},  {-4, 0.4f, -2.4f, 1, 0, 1}};
    float p[3][LANES] = {{0}};
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_cube(&r);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned c = 0; c < 3; c++)
            p[c][i] = d[i][c];
    rig_message(&r);
    for (unsigned c = 0; c < 3; c++)
        rig_param(&r, p[c]);
    assert_int_equal(rig_send(&r, MSG_SAMPLE_LZ, 4), EU_DONE);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned c = 0; c < 3; c++)
            assert_true(rig_value(&r, c, i) == d[i][3 + c]);
    sampler_rig_close(&r);
}

/* Directions a pixel apart on one face's plane, each divided by its largest component as shaders do: three of the four
 * pixels are on other faces. */
static void quads_beyond_an_edge_have_the_level_of_the_face(void **state)
{
    static const float d[4][3] = {
        {0.5f, -1, 0.5f}, {1, -1 / 1.5f, 0.5f / 1.5f}, {0.5f / 1.5f, -1 / 1.5f, 1}, {1, -1 / 1.5f, 1}};
    float p[3][LANES] = {{0}};
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_cube(&r);
    rig_filters(&r, LINEAR, LINEAR, MIP_LINEAR);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned c = 0; c < 3; c++)
            p[c][i] = d[i % 4][c];
    rig_message(&r);
    for (unsigned c = 0; c < 3; c++)
        rig_param(&r, p[c]);
    assert_int_equal(rig_send(&r, MSG_LOD, 4), EU_DONE);
    assert_true(rig_value(&r, 1, 0) == 1); /* half a face of four texels */
    assert_true(rig_value(&r, 1, 4) == 1);
    sampler_rig_close(&r);
}

/* Across an edge: half of each face; both sides of an edge see the same colour. */
static void cube_edges_are_seamless(void **state)
{
    struct sampler_rig r;
    float p[3][LANES] = {{1, 1 - 1e-6f, -1, -1 + 1e-6f}, {0.1f, 0.1f, 0.2f, 0.2f}, {1 - 1e-6f, 1, 1 - 1e-6f, 1}};

    (void)state;
    sampler_rig_open(&r);
    bind_cube(&r);
    rig_filters(&r, LINEAR, LINEAR, MIP_NONE);
    rig_message(&r);
    for (unsigned c = 0; c < 3; c++)
        rig_param(&r, p[c]);
    assert_int_equal(rig_send(&r, MSG_SAMPLE_LZ, 4), EU_DONE);
    assert_true(fabsf(rig_value(&r, 0, 0) - 2) < 0.02f);    /* faces 0 and 4 */
    assert_true(fabsf(rig_value(&r, 0, 2) - 2.5f) < 0.02f); /* 1 and 4 */
    for (unsigned c = 0; c < 3; c++) {
        assert_true(fabsf(rig_value(&r, c, 0) - rig_value(&r, c, 1)) < 0.02f);
        assert_true(fabsf(rig_value(&r, c, 2) - rig_value(&r, c, 3)) < 0.02f);
    }
    sampler_rig_close(&r);
}

/* Every edge of every face: folding a texel over and back again gives its direction. */
static void folded_texels_are_neighbours_in_space(void **state)
{
    (void)state;
    for (int32_t f = 0; f < 6; f++)
        for (int32_t i = 0; i < 4; i++)
            for (unsigned edge = 0; edge < 4; edge++) {
                int32_t x = edge == 0 ? -1 : edge == 1 ? 4 : i, y = edge == 2 ? -1 : edge == 3 ? 4 : i, face = f;
                int32_t back_f;

                assert_false(sampler_cube_wrap(4, &x, &y, &face));
                assert_int_not_equal(face / 2, f / 2);
                assert_true(x >= 0 && x < 4 && y >= 0 && y < 4);
                assert_true(x == 0 || x == 3 || y == 0 || y == 3);
                /* One of the neighbour's own steps over its edges leads back to a texel of the first face's rim. */
                bool home = false;
                for (unsigned k = 0; k < 4; k++) {
                    int32_t bx = x + (k == 0) - (k == 1), by = y + (k == 2) - (k == 3);

                    back_f = face;
                    if (!sampler_cube_wrap(4, &bx, &by, &back_f) && back_f == f)
                        home |= bx == (edge == 0 ? 0 : edge == 1 ? 3 : i) && by == (edge == 2 ? 0 : edge == 3 ? 3 : i);
                }
                assert_true(home);
            }
}

/* ---- messages */

static void comparisons_answer_one_or_zero(void **state)
{
    /* GL's function for each prefilter operation: NEVER GEQUAL.. in the order of the encoding. */
    static const uint8_t expect[8][3] = {{0, 0, 0}, {1, 1, 1}, {0, 1, 1}, {1, 0, 1},
                                         {0, 0, 1}, {1, 1, 0}, {0, 1, 0}, {1, 0, 0}};
    static const float ref[LANES] = {0.75f, 0.5f, 0.25f};
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    rig_bind(&r, (struct surface_spec){.format = SOFT_FORMAT_R32_FLOAT, .w = 4, .h = 4, .pitch = 16});
    for (uint32_t i = 0; i < 16; i++)
        rig_set_texel(&r, i & 3, i >> 2, 0, 0, (const float[4]){0.5f, 0, 0, 0});
    for (unsigned op = 0; op < 8; op++) {
        SET(r.sampler, SAMPLER_STATE, ShadowFunction, op);
        rig_message(&r);
        rig_param(&r, ref);
        rig_param_all(&r, bits(0.5f));
        rig_param_all(&r, bits(0.5f));
        assert_int_equal(rig_send(&r, MSG_SAMPLE_C_LZ, 4), EU_DONE);
        for (unsigned i = 0; i < 3; i++)
            assert_true(rig_value(&r, 0, i) == (float)expect[op][i]);
    }
    sampler_rig_close(&r);
}

static void bind_numbered(struct sampler_rig *r)
{
    rig_bind(r, (struct surface_spec){.format = SOFT_FORMAT_R32G32B32A32_UINT, .w = 8, .h = 8, .pitch = 128});
    for (uint32_t i = 0; i < 64; i++) {
        const uint32_t v[4] = {i, 100 + i, 200 + i, 300 + i};

        memcpy(rig_at(r, soft_surface_address(&r->s, i & 7, i >> 3, 0, 0, 0)), v, 16);
    }
}

static void gather_goes_round_the_texels(void **state)
{
    struct sampler_rig r;
    const int32_t po[LANES] = {-1, 2};

    (void)state;
    sampler_rig_open(&r);
    bind_numbered(&r);
    rig_message(&r);
    rig_header(&r, 1 << 16); /* green */
    rig_param_all(&r, bits(3.0f / 8));
    rig_param_all(&r, bits(2.0f / 8));
    assert_int_equal(rig_send(&r, MSG_GATHER4, 4), EU_DONE);
    assert_int_equal(rig_bits(&r, 0, 0), 100 + 2 * 8 + 2);
    assert_int_equal(rig_bits(&r, 1, 0), 100 + 2 * 8 + 3);
    assert_int_equal(rig_bits(&r, 2, 0), 100 + 1 * 8 + 3);
    assert_int_equal(rig_bits(&r, 3, 0), 100 + 1 * 8 + 2);
    rig_message(&r);
    rig_param_all(&r, bits(3.0f / 8));
    rig_param_all(&r, bits(2.0f / 8));
    rig_param(&r, po);
    rig_param_all(&r, 1);
    assert_int_equal(rig_send(&r, MSG_GATHER4_PO, 4), EU_DONE);
    assert_int_equal(rig_bits(&r, 3, 0), 2 * 8 + 1);
    assert_int_equal(rig_bits(&r, 3, 1), 2 * 8 + 4);
    sampler_rig_close(&r);
}

static void load_takes_integers_and_knows_its_bounds(void **state)
{
    static const uint32_t u[LANES] = {0, 7, 8, 3, UINT32_MAX}, v[LANES] = {0, 7, 0, 8, 0};
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_numbered(&r);
    rig_message(&r);
    rig_param(&r, u);
    rig_param(&r, v);
    assert_int_equal(rig_send(&r, MSG_LD_LZ, 4), EU_DONE);
    assert_int_equal(rig_bits(&r, 3, 0), 300);
    assert_int_equal(rig_bits(&r, 0, 1), 63);
    for (unsigned i = 2; i < 5; i++)
        assert_int_equal(rig_bits(&r, 1, i), 0);
    rig_message(&r);
    rig_header(&r, 0x100 | 0xf0); /* u + 1, v - 1 */
    rig_param(&r, u);
    rig_param(&r, v);
    assert_int_equal(rig_send(&r, MSG_LD_LZ, 4), EU_DONE);
    assert_int_equal(rig_bits(&r, 0, 3), 7 * 8 + 4);
    rig_message(&r); /* a level that is not there */
    rig_param_all(&r, 0);
    rig_param_all(&r, 0);
    rig_param_all(&r, 1);
    assert_int_equal(rig_send(&r, MSG_LD, 4), EU_DONE);
    assert_int_equal(rig_bits(&r, 3, 0), 0);
    sampler_rig_close(&r);
}

static void samples_are_loaded_one_by_one(void **state)
{
    static const uint32_t si[LANES] = {0, 1, 2, 3, 4};
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    rig_bind(&r, (struct surface_spec){
                     .format = SOFT_FORMAT_R32_UINT, .w = 4, .h = 4, .samples_log2 = 2, .qpitch = 4, .pitch = 16});
    for (uint32_t s = 0; s < 4; s++)
        memcpy(rig_at(&r, soft_surface_address(&r.s, 2, 1, 0, 0, s)), &(const uint32_t){s + 40}, 4);
    rig_message(&r);
    rig_param(&r, si);
    rig_param_all(&r, 0xe4);
    rig_param_all(&r, 0);
    rig_param_all(&r, 2);
    rig_param_all(&r, 1);
    assert_int_equal(rig_send(&r, MSG_LD2DMS_W, 4), EU_DONE);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(rig_bits(&r, 0, i), 40 + i);
    assert_int_equal(rig_bits(&r, 0, 4), 0);
    rig_message(&r);
    rig_param_all(&r, 2);
    rig_param_all(&r, 1);
    assert_int_equal(rig_send(&r, MSG_LD_MCS, 4), EU_DONE);
    assert_int_equal(rig_bits(&r, 0, 0), 0xe4);
    assert_int_equal(rig_send(&r, MSG_SAMPLEINFO, 1), EU_DONE);
    assert_int_equal(rig_bits(&r, 0, 0), 4);
    sampler_rig_close(&r);
}

static void sizes_of_levels_are_told(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    rig_bind(
        &r, (struct surface_spec){
                .format = SOFT_FORMAT_R8_UNORM, .w = 40, .h = 20, .levels = 4, .layers = 5, .qpitch = 64, .pitch = 64});
    rig_message(&r);
    rig_param_all(&r, 2);
    assert_int_equal(rig_send(&r, MSG_RESINFO, 4), EU_DONE);
    assert_int_equal(rig_bits(&r, 0, 0), 10);
    assert_int_equal(rig_bits(&r, 1, 0), 5);
    assert_int_equal(rig_bits(&r, 2, 0), 5);
    assert_int_equal(rig_bits(&r, 3, 0), 4);
    sampler_rig_close(&r);
}

static void swizzle_mask_and_short_answers(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    bind_numbered(&r);
    rig_bind(&r, (struct surface_spec){
                     .format = SOFT_FORMAT_R32G32B32A32_UINT, .w = 8, .h = 8, .pitch = 128, .swizzle = {6, 1, 0, 4}});
    r.mask = 0x5;
    rig_message(&r);
    rig_param_all(&r, 1);
    rig_param_all(&r, 0);
    assert_int_equal(rig_send(&r, MSG_LD_LZ, 3), EU_DONE);
    assert_int_equal(rig_bits(&r, 0, 0), 201);
    assert_int_equal(rig_bits(&r, 1, 0), 1);
    assert_int_equal(rig_bits(&r, 2, 2), 0);
    assert_int_equal(rig_bits(&r, 0, 1), 0xeeeeeeee); /* channel off */
    assert_int_equal(rig_bits(&r, 3, 0), 0xeeeeeeee); /* behind the answer */
    rig_message(&r);
    rig_header(&r, 5 << 12); /* red and blue are not wanted */
    rig_param_all(&r, 1);
    rig_param_all(&r, 0);
    assert_int_equal(rig_send(&r, MSG_LD_LZ, 2), EU_DONE);
    assert_int_equal(rig_bits(&r, 0, 0), 1);
    assert_int_equal(rig_bits(&r, 1, 0), 1);
    sampler_rig_close(&r);
}

static void null_surfaces_and_unknown_messages(void **state)
{
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    rig_bind(&r, (struct surface_spec){.type = SOFT_SURF_NULL, .format = SOFT_FORMAT_R8_UNORM, .w = 4, .h = 4});
    rig_message(&r);
    rig_param_all(&r, bits(0.5f));
    assert_int_equal(rig_send(&r, MSG_SAMPLE, 4), EU_DONE);
    for (unsigned c = 0; c < 4; c++)
        assert_int_equal(rig_bits(&r, c, 0), 0);
    assert_int_equal(rig_send(&r, 12, 4), EU_FAULT);
    assert_non_null(r.thread->fault);
    sampler_rig_close(&r);
}

static void blocks_are_decoded(void **state)
{
    /* BC1: white and black, four colours; the index of texel x is x in every row. */
    static const uint8_t block[8] = {0xff, 0xff, 0, 0, 0xe4, 0xe4, 0xe4, 0xe4};
    static const uint32_t u[LANES] = {4, 5, 6, 7};
    static const float expect[4] = {1, 0, 170 / 255.0f, 85 / 255.0f};
    struct sampler_rig r;

    (void)state;
    sampler_rig_open(&r);
    rig_bind(&r, (struct surface_spec){.format = SOFT_FORMAT_BC1_UNORM, .w = 16, .h = 16, .pitch = 64});
    memcpy(rig_at(&r, soft_surface_address(&r.s, 1, 1, 0, 0, 0)), block, 8);
    rig_message(&r);
    rig_param(&r, u);
    rig_param_all(&r, 5);
    assert_int_equal(rig_send(&r, MSG_LD_LZ, 4), EU_DONE);
    for (unsigned i = 0; i < 4; i++)
        assert_true(rig_value(&r, 0, i) == expect[i]);
    sampler_rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_tilings_and_filters_match_the_reference),
        cmocka_unit_test(the_larger_derivative_chooses_the_level),
        cmocka_unit_test(linear_mips_mix_two_levels),
        cmocka_unit_test(anisotropy_keeps_the_level_of_the_short_side),
        cmocka_unit_test(lod_answers_clamped_and_raw),
        cmocka_unit_test(layers_are_rounded_and_clamped),
        cmocka_unit_test(volumes_are_filtered_in_depth),
        cmocka_unit_test(directions_find_their_face),
        cmocka_unit_test(quads_beyond_an_edge_have_the_level_of_the_face),
        cmocka_unit_test(cube_edges_are_seamless),
        cmocka_unit_test(folded_texels_are_neighbours_in_space),
        cmocka_unit_test(comparisons_answer_one_or_zero),
        cmocka_unit_test(gather_goes_round_the_texels),
        cmocka_unit_test(load_takes_integers_and_knows_its_bounds),
        cmocka_unit_test(samples_are_loaded_one_by_one),
        cmocka_unit_test(sizes_of_levels_are_told),
        cmocka_unit_test(swizzle_mask_and_short_answers),
        cmocka_unit_test(null_surfaces_and_unknown_messages),
        cmocka_unit_test(blocks_are_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
