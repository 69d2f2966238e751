/* The setup commands and the 2D commands that draw with their state, against the per-pixel reference. */
#include "tests/unit/blt_fixture.h"

#define PAT_AT  0x44000
#define TEXT_AT 0x46000

static void setup_random(struct ref_blit *b)
{
    static const int cpp[4] = {1, 2, 2, 4};

    memset(b, 0, sizeof(*b));
    b->depth = ref_below(4);
    b->dst = (struct ref_surface){DST_AT, 1024, ref_below(2) ? REF_X : REF_LINEAR, cpp[b->depth]};
    b->channels = b->depth == 3 && ref_below(2) ? 0x00ffffff : UINT32_MAX;
    b->rop = (uint8_t)ref_below(256);
    b->x1 = ref_below(60);
    b->y1 = ref_below(30);
    b->x2 = b->x1 + ref_below(60);
    b->y2 = b->y1 + ref_below(20);
    b->clipped = ref_below(2);
    b->cx1 = ref_below(60);
    b->cy1 = ref_below(30);
    b->cx2 = b->cx1 + ref_below(60);
    b->cy2 = b->cy1 + ref_below(30);
    b->mono_bg = b->pat_bg = ref_random();
    b->mono_fg = b->pat_fg = ref_random();
}

static uint32_t tiled_bit(const struct ref_blit *b)
{
    return b->dst.tiling == REF_LINEAR ? 0 : 1u << 11;
}

/* Emits one of the two setup commands; dwords 8 and 9 are the pattern's address or its bits. */
static void run_setup(struct fixture *f, const struct ref_blit *b, int id, uint32_t flags, uint32_t dw8, uint32_t dw9)
{
    uint32_t pitch = (uint32_t)(b->dst.tiling == REF_LINEAR ? 1024 : 256);
    uint32_t mask = b->depth < 3 ? 0 : b->channels == UINT32_MAX ? 3u << 20 : 1u << 20;
    uint32_t dw[10] = {cmd_table[id].op | mask | tiled_bit(b) | 8,
                       flags | (b->clipped ? 1u << 30 : 0) | (uint32_t)b->depth << 24 | (uint32_t)b->rop << 16 | pitch,
                       xy(b->cx1, b->cy1),
                       xy(b->cx2, b->cy2),
                       low(DST_AT),
                       high(),
                       b->mono_bg,
                       b->mono_fg,
                       dw8,
                       dw9};

    run(f, id, dw, 10);
}

static void pixel_blt_draws_the_setup_background(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    for (int round = 0; round < 200; round++) {
        setup_random(&b);
        b.x2 = b.x1 + 1;
        b.y2 = b.y1 + 1;
        b.has_pat = b.pat_solid = true;
        b.solid = b.pat_bg;
        run_setup(f, &b, C_XY_SETUP_BLT, 0, 0, 0);
        expect(f, &b);
        run(f, C_XY_PIXEL_BLT, (uint32_t[]){cmd_table[C_XY_PIXEL_BLT].op | tiled_bit(&b), xy(b.x1, b.y1)}, 2);
        compare(f, "XY_PIXEL_BLT", round);
    }
}

static void run_scanlines(struct fixture *f, const struct ref_blit *b)
{
    uint32_t head =
        cmd_table[C_XY_SCANLINES_BLT].op | tiled_bit(b) | (uint32_t)b->seed_x << 12 | (uint32_t)b->seed_y << 8 | 1;

    run(f, C_XY_SCANLINES_BLT, (uint32_t[]){head, xy(b->x1, b->y1), xy(b->x2, b->y2)}, 3);
}

static void scanlines_with_color_pattern(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    for (int round = 0; round < 100; round++) {
        setup_random(&b);
        b.has_pat = true;
        b.seed_x = ref_below(8);
        b.seed_y = ref_below(8);
        memcpy(b.pat_pixels, f->mem + PAT_AT, 256);
        run_setup(f, &b, C_XY_SETUP_BLT, 0, low(PAT_AT), high());
        expect(f, &b);
        run_scanlines(f, &b);
        compare(f, "XY_SCANLINES_BLT, color pattern", round);
    }
}

static void scanlines_with_mono_pattern(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;
    uint32_t bits[2];

    for (int round = 0; round < 100; round++) {
        setup_random(&b);
        b.has_pat = b.pat_mono = true;
        b.seed_x = ref_below(8);
        b.seed_y = ref_below(8);
        b.pat_transparent = ref_below(2);
        bits[0] = ref_random();
        bits[1] = ref_random();
        memcpy(b.pat_bits, bits, 8);
        run_setup(f, &b, C_XY_SETUP_MONO_PATTERN_SL_BLT, b.pat_transparent ? 1u << 28 : 0, bits[0], bits[1]);
        expect(f, &b);
        run_scanlines(f, &b);
        compare(f, "XY_SCANLINES_BLT, mono pattern", round);
    }
}

static void solid_pattern_is_the_background(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    setup_random(&b);
    b.has_pat = b.pat_solid = true;
    b.solid = b.pat_bg;
    run_setup(f, &b, C_XY_SETUP_MONO_PATTERN_SL_BLT, 1u << 31, UINT32_MAX, UINT32_MAX);
    expect(f, &b);
    run_scanlines(f, &b);
    compare(f, "solid pattern", 0);
}

static void clip_can_be_changed_alone(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    for (int round = 0; round < 50; round++) {
        setup_random(&b);
        b.clipped = true;
        b.has_pat = b.pat_solid = true;
        b.solid = b.pat_bg;
        run_setup(f, &b, C_XY_SETUP_MONO_PATTERN_SL_BLT, 1u << 31, 0, 0);
        b.cx1 += ref_below(9);
        b.cy2 -= ref_below(9);
        run(f, C_XY_SETUP_CLIP_BLT,
            (uint32_t[]){cmd_table[C_XY_SETUP_CLIP_BLT].op | 1, xy(b.cx1, b.cy1), xy(b.cx2, b.cy2)}, 3);
        expect(f, &b);
        run_scanlines(f, &b);
        compare(f, "XY_SETUP_CLIP_BLT", round);
    }
}

static void text_random(struct ref_blit *b, bool bytes)
{
    setup_random(b);
    b->has_mono = true;
    b->mono_transparent = ref_below(2);
    b->rop = 0xcc;
    b->mono_row = (uint64_t)(b->x2 - b->x1);
    if (bytes)
        b->mono_row = (b->mono_row + 7) / 8 * 8;
}

static void text_from_memory(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    for (int round = 0; round < 200; round++) {
        bool bytes = ref_below(2);
        int at = TEXT_AT + ref_below(100);

        text_random(&b, bytes);
        b.mono = f->before + at;
        run_setup(f, &b, C_XY_SETUP_BLT, b.mono_transparent ? 1u << 29 : 0, 0, 0);
        expect(f, &b);
        run(f, C_XY_TEXT_BLT,
            (uint32_t[]){cmd_table[C_XY_TEXT_BLT].op | tiled_bit(&b) | (uint32_t)bytes << 16 | 3, xy(b.x1, b.y1),
                         xy(b.x2, b.y2), low(at), high()},
            5);
        compare(f, "XY_TEXT_BLT", round);
    }
}

static void text_in_the_command(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;
    uint32_t dw[3 + 64];

    for (int round = 0; round < 200; round++) {
        bool bytes = ref_below(2);

        text_random(&b, bytes);
        for (int i = 3; i < 3 + 64; i++)
            dw[i] = ref_random();
        b.mono = (const uint8_t *)(dw + 3);
        unsigned n = (unsigned)((b.mono_row * (uint64_t)(b.y2 - b.y1) + 63) / 64 * 2);
        dw[0] = cmd_table[C_XY_TEXT_IMMEDIATE_BLT].op | tiled_bit(&b) | (uint32_t)bytes << 16 | (n + 1);
        dw[1] = xy(b.x1, b.y1);
        dw[2] = xy(b.x2, b.y2);
        run_setup(f, &b, C_XY_SETUP_BLT, b.mono_transparent ? 1u << 29 : 0, 0, 0);
        expect(f, &b);
        run(f, C_XY_TEXT_IMMEDIATE_BLT, dw, n + 3);
        compare(f, "XY_TEXT_IMMEDIATE_BLT", round);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pixel_blt_draws_the_setup_background),
        T(scanlines_with_color_pattern),
        T(scanlines_with_mono_pattern),
        T(solid_pattern_is_the_background),
        T(clip_can_be_changed_alone),
        T(text_from_memory),
        T(text_in_the_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
