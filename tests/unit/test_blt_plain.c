/* The two address-only blits and the fast copy of the soft backend, against the per-pixel reference. */
#include "tests/unit/blt_fixture.h"

#define SRC_AT 0x60000

/* ---- address-only blits */

static void plain_random(struct ref_blit *b)
{
    static const int cpp[4] = {1, 2, 2, 4};

    memset(b, 0, sizeof(*b));
    b->depth = ref_below(4);
    b->dst = (struct ref_surface){DST_AT + ref_below(9), 900 + ref_below(50), REF_LINEAR, cpp[b->depth]};
    b->src = (struct ref_surface){SRC_AT + ref_below(9), 900 + ref_below(50), REF_LINEAR, cpp[b->depth]};
    b->channels = UINT32_MAX;
    b->rop = (uint8_t)ref_below(256);
    b->x2 = ref_below(200);
    b->y2 = ref_below(60);
}

static uint32_t plain_head(int id)
{
    return cmd_table[id].op | 3u << 20 | (uint32_t)(cmd_table[id].min_len - 2);
}

static uint32_t plain_br13(const struct ref_blit *b)
{
    return (uint32_t)b->depth << 24 | (uint32_t)b->rop << 16 | ((uint32_t)b->dst.pitch & 0xffff);
}

static void color_blt(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    for (int round = 0; round < 100; round++) {
        plain_random(&b);
        b.has_pat = b.pat_solid = true;
        b.solid = ref_random();
        expect(f, &b);
        run(f, C_COLOR_BLT,
            (uint32_t[]){plain_head(C_COLOR_BLT), plain_br13(&b), xy(b.x2 * b.dst.cpp, b.y2), low(b.dst.base), high(),
                         b.solid},
            6);
        compare(f, "COLOR_BLT", round);
    }
}

static void run_src_copy(struct fixture *f, const struct ref_blit *b, uint32_t flags, int64_t back)
{
    run(f, C_SRC_COPY_BLT,
        (uint32_t[]){plain_head(C_SRC_COPY_BLT), plain_br13(b) | flags, xy(b->x2 * b->dst.cpp, b->y2),
                     low(b->dst.base + back), high(), (uint32_t)b->src.pitch & 0xffff, low(b->src.base + back), high()},
        8);
}

static void src_copy_blt(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    for (int round = 0; round < 100; round++) {
        plain_random(&b);
        b.has_src = true;
        expect(f, &b);
        run_src_copy(f, &b, 0, 0);
        compare(f, "SRC_COPY_BLT", round);
    }
}

/* Right to left: addresses name the last byte of the row, and an overlap to the right is copied without damage. */
static void src_copy_blt_leftwards(void **state)
{
    struct fixture *f = *state;
    struct ref_blit b;

    for (int round = 0; round < 100; round++) {
        plain_random(&b);
        b.has_src = true;
        b.x2++;
        b.y2 = 1;
        b.src = b.dst;
        b.src.base -= ref_below(20);
        expect(f, &b);
        run_src_copy(f, &b, 1u << 30, (int64_t)b.x2 * b.dst.cpp - 1);
        compare(f, "SRC_COPY_BLT leftwards", round);
    }
}

/* ---- fast copy */

static uint32_t fast_tiling(enum ref_tiling t)
{
    static const uint32_t field[] = {[REF_LINEAR] = 0, [REF_X] = 1, [REF_Y] = 2, [REF_YF] = 2, [REF_YS] = 3};

    return field[t];
}

static void fast_surface(struct ref_surface *s, int64_t at, int cpp)
{
    *s = (struct ref_surface){at, 1024, ref_below(5), cpp};
    if (s->tiling == REF_LINEAR)
        s->base += 16 * ref_below(16);
}

static void ref_fast_copy(const struct ref_blit *b, uint8_t *mem, const uint8_t *before)
{
    for (int y = b->y1; y < b->y2; y++)
        for (int xb = b->x1 * b->dst.cpp; xb < b->x2 * b->dst.cpp; xb++) {
            int sxb = xb + (b->src_x - b->x1) * b->dst.cpp, sy = y + b->src_y - b->y1;

            mem[ref_offset(&b->dst, xb, y)] = before[ref_offset(&b->src, sxb, sy)];
        }
}

static void fast_copy_all_tilings_and_depths(void **state)
{
    struct fixture *f = *state;
    static const uint32_t depth_field[5] = {0, 1, 3, 4, 5};

    for (int round = 0; round < 600; round++) {
        struct ref_blit b = {0};
        int depth = ref_below(5), cpp = 1 << depth;
        int wide = 480 / cpp;

        fast_surface(&b.dst, 0x10000, cpp);
        fast_surface(&b.src, SRC_AT, cpp);
        b.x1 = ref_below(wide);
        b.y1 = ref_below(28);
        b.x2 = b.x1 + ref_below(wide);
        b.y2 = b.y1 + ref_below(28);
        b.src_x = ref_below(wide);
        b.src_y = ref_below(28);
        memcpy(f->before, f->mem, REF_SIZE);
        memcpy(f->expected, f->mem, REF_SIZE);
        ref_fast_copy(&b, f->expected, f->before);
        uint32_t dst_pitch = b.dst.tiling == REF_LINEAR ? 1024 : 256,
                 src_pitch = b.src.tiling == REF_LINEAR ? 1024 : 256;
        run(f, C_XY_FAST_COPY_BLT,
            (uint32_t[]){cmd_table[C_XY_FAST_COPY_BLT].op | fast_tiling(b.src.tiling) << 20 |
                             fast_tiling(b.dst.tiling) << 13 | 8,
                         depth_field[depth] << 24 | (b.src.tiling == REF_YF ? 1u << 31 : 0) |
                             (b.dst.tiling == REF_YF ? 1u << 30 : 0) | dst_pitch,
                         xy(b.x1, b.y1), xy(b.x2, b.y2), low(b.dst.base), high(), xy(b.src_x, b.src_y), src_pitch,
                         low(b.src.base), high()},
            10);
        if (memcmp(f->mem, f->expected, REF_SIZE))
            fail_msg("XY_FAST_COPY_BLT round %d: cpp %d, tiling %d to %d", round, cpp, b.src.tiling, b.dst.tiling);
    }
}

/* ---- statistics */

static int first_of(unsigned klass)
{
    for (int i = 0; i < C_COUNT; i++)
        if (cmd_table[i].klass == klass)
            return i;
    return -1;
}

static void classes_are_counted_and_video_is_skipped(void **state)
{
    struct fixture *f = *state;
    struct backend_stats st;
    int video = first_of(CMD_VIDEO);

    run(f, video, (uint32_t[]){cmd_table[video].op}, 1);
    run(f, C_3DSTATE_VF_TOPOLOGY, (uint32_t[]){cmd_table[C_3DSTATE_VF_TOPOLOGY].op, 4}, 2);
    run(f, C_COLOR_BLT,
        (uint32_t[]){plain_head(C_COLOR_BLT), 3u << 24 | 0xf0u << 16 | 64, xy(16, 4), low(DST_AT), high(), 1}, 6);
    f->soft->ops->stats(f->soft, &st);
    assert_int_equal(st.render_commands, 1);
    assert_int_equal(st.video_commands, 1);
    assert_int_equal(st.skipped, 1);
    assert_int_equal(st.blits, 1);
    assert_int_equal(st.blit_pixels, 16);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(color_blt),
        T(src_copy_blt),
        T(src_copy_blt_leftwards),
        T(fast_copy_all_tilings_and_depths),
        T(classes_are_counted_and_video_is_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
