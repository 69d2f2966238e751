/* The XY 2D commands of the soft backend against a per-pixel reference, with random operands and a fixed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mediator/backend.h"
#include "tests/unit/blt_ref.h"
#include "tests/unit/exec_double.h"
#include "vgpu/desc/cmds.h"

#define GPU_BASE UINT64_C(0x7a0012340000) /* a 48-bit address: the high dwords matter */
#define DST_AT   0x4000
#define SRC_AT   0x24000
#define PAT_AT   0x44000
#define MONO_AT  0x46000
#define ROUNDS   120

enum pattern { NO_PAT, PAT_SOLID, PAT_MEMORY, PAT_INLINE, PAT_BITS, PAT_FIXED };
enum mono { NO_MONO, MONO_MEMORY, MONO_INLINE };

struct shape {
    const char *name;
    int id;
    bool src, chroma;
    enum mono mono;
    enum pattern pat;
};

static const struct shape shapes[] = {
    {"XY_COLOR_BLT", C_XY_COLOR_BLT, .pat = PAT_SOLID},
    {"XY_PAT_BLT", C_XY_PAT_BLT, .pat = PAT_MEMORY},
    {"XY_PAT_BLT_IMMEDIATE", C_XY_PAT_BLT_IMMEDIATE, .pat = PAT_INLINE},
    {"XY_PAT_CHROMA_BLT", C_XY_PAT_CHROMA_BLT, .chroma = true, .pat = PAT_MEMORY},
    {"XY_PAT_CHROMA_BLT_IMMEDIATE", C_XY_PAT_CHROMA_BLT_IMMEDIATE, .chroma = true, .pat = PAT_INLINE},
    {"XY_MONO_PAT_BLT", C_XY_MONO_PAT_BLT, .pat = PAT_BITS},
    {"XY_MONO_PAT_FIXED_BLT", C_XY_MONO_PAT_FIXED_BLT, .pat = PAT_FIXED},
    {"XY_SRC_COPY_BLT", C_XY_SRC_COPY_BLT, .src = true},
    {"XY_SRC_COPY_CHROMA_BLT", C_XY_SRC_COPY_CHROMA_BLT, .src = true, .chroma = true},
    {"XY_MONO_SRC_COPY_BLT", C_XY_MONO_SRC_COPY_BLT, .mono = MONO_MEMORY},
    {"XY_MONO_SRC_COPY_IMMEDIATE_BLT", C_XY_MONO_SRC_COPY_IMMEDIATE_BLT, .mono = MONO_INLINE},
    {"XY_FULL_BLT", C_XY_FULL_BLT, .src = true, .pat = PAT_MEMORY},
    {"XY_FULL_IMMEDIATE_PATTERN_BLT", C_XY_FULL_IMMEDIATE_PATTERN_BLT, .src = true, .pat = PAT_INLINE},
    {"XY_FULL_MONO_SRC_BLT", C_XY_FULL_MONO_SRC_BLT, .mono = MONO_MEMORY, .pat = PAT_MEMORY},
    {"XY_FULL_MONO_SRC_IMMEDIATE_PATTERN_BLT", C_XY_FULL_MONO_SRC_IMMEDIATE_PATTERN_BLT, .mono = MONO_MEMORY,
     .pat = PAT_INLINE},
    {"XY_FULL_MONO_PATTERN_BLT", C_XY_FULL_MONO_PATTERN_BLT, .src = true, .pat = PAT_BITS},
    {"XY_FULL_MONO_PATTERN_MONO_SRC_BLT", C_XY_FULL_MONO_PATTERN_MONO_SRC_BLT, .mono = MONO_MEMORY, .pat = PAT_BITS},
};

struct fixture {
    struct backend *soft;
    struct vgpu_exec x;
    uint8_t mem[REF_SIZE], expected[REF_SIZE], before[REF_SIZE];
    uint8_t inline_bits[1024];
    uint32_t dw[300];
    unsigned ndw;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->soft = backend_soft_create(1);
    double_map(&f->x, GPU_BASE, f->mem, REF_SIZE, false);
    *state = f;
    return f->soft ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->soft->ops->destroy(f->soft);
    free(f);
    return 0;
}

/* ---- random blits */

static void random_surface(struct ref_surface *s, int cpp, int64_t at, bool may_flip)
{
    s->cpp = cpp;
    s->base = at;
    s->tiling = ref_below(2) ? REF_X : REF_LINEAR;
    s->pitch = 1024;
    if (s->tiling == REF_LINEAR) {
        s->base += ref_below(64);
        s->pitch = 805 + ref_below(200);
        if (may_flip && ref_below(4) == 0) { /* negative pitch: the base is the bottom row's */
            s->base += 64 * s->pitch;
            s->pitch = -s->pitch;
        }
    }
}

static void random_rect(struct ref_blit *b)
{
    b->x1 = ref_below(100);
    b->y1 = ref_below(30);
    b->x2 = b->x1 + ref_below(100);
    b->y2 = b->y1 + ref_below(30);
    b->src_x = ref_below(100);
    b->src_y = ref_below(30);
    b->clipped = ref_below(3) == 0;
    b->cx1 = ref_below(120);
    b->cy1 = ref_below(40);
    b->cx2 = b->cx1 + ref_below(100);
    b->cy2 = b->cy1 + ref_below(30);
}

static void random_blit(struct ref_blit *b, const struct shape *s)
{
    static const int cpp[4] = {1, 2, 2, 4};

    memset(b, 0, sizeof(*b));
    b->depth = ref_below(4);
    random_surface(&b->dst, cpp[b->depth], DST_AT, true);
    random_surface(&b->src, cpp[b->depth], SRC_AT, true);
    random_rect(b);
    b->rop = ref_below(3) == 0 ? (s->src || s->mono ? 0xcc : 0xf0) : (uint8_t)ref_below(256);
    b->channels = UINT32_MAX;
    if (b->depth == 3)
        b->channels = (ref_below(4) ? 0x00ffffffu : 0) | (ref_below(4) ? 0xff000000u : 0);
    b->has_src = s->src;
    b->has_mono = s->mono != NO_MONO;
    b->has_pat = s->pat != NO_PAT;
    b->pat_mono = s->pat == PAT_BITS || s->pat == PAT_FIXED;
    b->pat_solid = s->pat == PAT_SOLID || (s->pat == PAT_BITS && ref_below(4) == 0);
    b->mono_transparent = b->has_mono && ref_below(2);
    b->pat_transparent = b->pat_mono && !b->pat_solid && ref_below(2);
    b->chroma = s->chroma ? ref_below(8) : 0;
}

static void random_operands(struct fixture *f, struct ref_blit *b, const struct shape *s)
{
    b->seed_x = ref_below(8);
    b->seed_y = ref_below(8);
    b->mono_bg = ref_random();
    b->mono_fg = ref_random();
    b->pat_bg = ref_random();
    b->pat_fg = ref_random();
    b->solid = b->pat_mono ? b->pat_bg : ref_random();
    b->low = ref_random() & 0x3f3f3f3f;
    b->high = ref_random() | 0x80808080;
    b->mono_first = s->mono ? (uint64_t)ref_below(8) : 0;
    b->mono_row = (b->mono_first + (uint64_t)(b->x2 - b->x1) + 15) / 16 * 16;
    for (size_t i = 0; i < REF_SIZE; i += 4) {
        uint32_t v = ref_random();

        memcpy(f->mem + i, &v, 4);
    }
    for (size_t i = 0; i < sizeof(f->inline_bits); i++)
        f->inline_bits[i] = (uint8_t)ref_random();
    for (int i = 0; i < 8; i++)
        b->pat_bits[i] = (uint8_t)ref_random();
    memcpy(b->pat_pixels, s->pat == PAT_INLINE ? f->inline_bits : f->mem + PAT_AT, 256);
    b->mono = s->mono == MONO_INLINE ? f->inline_bits : f->before + MONO_AT;
}

/* ---- command dwords: the operands of every command come in this order */

static void emit(struct fixture *f, uint32_t v)
{
    f->dw[f->ndw++] = v;
}

static void emit_address(struct fixture *f, int64_t at)
{
    uint64_t addr = GPU_BASE + (uint64_t)at;

    emit(f, (uint32_t)addr);
    emit(f, (uint32_t)(addr >> 32));
}

static void emit_pair(struct fixture *f, uint32_t a, uint32_t b)
{
    emit(f, a);
    emit(f, b);
}

static void emit_xy(struct fixture *f, int x, int y)
{
    emit(f, (uint32_t)y << 16 | ((uint32_t)x & 0xffff));
}

static uint32_t pitch_field(const struct ref_surface *s)
{
    return (uint32_t)(s->tiling == REF_LINEAR ? s->pitch : s->pitch / 4) & 0xffff;
}

static uint32_t header(const struct ref_blit *b, const struct shape *s, int fixed)
{
    uint32_t h = cmd_table[s->id].op;

    if (b->depth == 3)
        h |= (b->channels & 0xff ? 1u << 20 : 0) | (b->channels >> 24 ? 1u << 21 : 0);
    if (s->mono)
        h |= (uint32_t)b->mono_first << 17;
    if (s->chroma)
        h |= (uint32_t)b->chroma << 17;
    if (s->pat == PAT_FIXED)
        h |= (uint32_t)fixed << 15;
    else if (s->src && b->src.tiling != REF_LINEAR)
        h |= 1u << 15;
    if (s->pat > PAT_SOLID)
        h |= (uint32_t)b->seed_x << 12 | (uint32_t)b->seed_y << 8;
    return h | (b->dst.tiling != REF_LINEAR ? 1u << 11 : 0);
}

static uint32_t br13(const struct ref_blit *b, const struct shape *s)
{
    uint32_t v = (uint32_t)b->rop << 16 | (uint32_t)b->depth << 24 | pitch_field(&b->dst);

    if (s->pat == PAT_BITS && b->pat_solid)
        v |= 1u << 31;
    v |= b->clipped ? 1u << 30 : 0;
    v |= b->mono_transparent ? 1u << 29 : 0;
    return v | (b->pat_transparent ? 1u << 28 : 0);
}

static void emit_pattern(struct fixture *f, const struct ref_blit *b, const struct shape *s)
{
    if (s->pat == PAT_MEMORY)
        emit_address(f, PAT_AT + ref_below(64)); /* the low six bits do not count */
    if (s->pat == PAT_SOLID)
        emit(f, b->solid);
    if (s->pat == PAT_BITS || s->pat == PAT_FIXED)
        emit_pair(f, b->pat_bg, b->pat_fg);
    if (s->pat == PAT_BITS) {
        memcpy(f->dw + f->ndw, b->pat_bits, 8);
        f->ndw += 2;
    }
}

static void emit_inline(struct fixture *f, const struct ref_blit *b, const struct shape *s)
{
    unsigned n = 0;

    if (s->pat == PAT_INLINE)
        n = 16u * (unsigned)b->dst.cpp;
    if (s->mono == MONO_INLINE)
        n = (unsigned)((b->mono_row * (uint64_t)(b->y2 - b->y1) + 63) / 64 * 2);
    memcpy(f->dw + f->ndw, f->inline_bits, n * 4);
    f->ndw += n;
}

static void build(struct fixture *f, const struct ref_blit *b, const struct shape *s, int fixed)
{
    f->ndw = 0;
    emit(f, header(b, s, fixed));
    emit(f, br13(b, s));
    emit_xy(f, b->x1, b->y1);
    emit_xy(f, b->x2, b->y2);
    emit_address(f, b->dst.base);
    if (s->src) {
        emit_xy(f, b->src_x, b->src_y);
        emit(f, pitch_field(&b->src));
        emit_address(f, b->src.base);
    }
    if (s->mono == MONO_MEMORY)
        emit_address(f, MONO_AT);
    if (s->mono)
        emit_pair(f, b->mono_bg, b->mono_fg);
    emit_pattern(f, b, s);
    if (s->chroma)
        emit_pair(f, b->low, b->high);
    emit_inline(f, b, s);
    f->dw[0] |= f->ndw - 2;
    f->x.scratch[2] = (uint32_t)b->cy1 << 16 | (uint32_t)b->cx1;
    f->x.scratch[3] = (uint32_t)b->cy2 << 16 | (uint32_t)b->cx2;
}

static void run_and_compare(struct fixture *f, const struct ref_blit *b, const struct shape *s)
{
    memcpy(f->before, f->mem, REF_SIZE);
    memcpy(f->expected, f->mem, REF_SIZE);
    ref_draw(b, f->expected, f->before);
    assert_true(f->ndw - 2 <= 0xff);
    assert_int_equal(double_payload(f->soft, &f->x, s->id, f->dw, f->ndw), VGPU_PAYLOAD_DONE);
    if (memcmp(f->mem, f->expected, REF_SIZE))
        fail_msg("%s: rop %02x depth %d channels %08x chroma %d", s->name, b->rop, b->depth, b->channels, b->chroma);
}

static int fit_inline(const struct shape *s, struct ref_blit *b)
{
    if (s->mono == MONO_INLINE) { /* 255 - 8 dwords of bits */
        b->x2 = b->x1 + (b->x2 - b->x1) % 90;
        b->y2 = b->y1 + (b->y2 - b->y1) % 60;
    }
    return ref_below(12);
}

/* The dots of the fixed patterns are taken from a mono pattern blit's place in the reference: these two are named. */
static void fixed_bits(struct ref_blit *b, int fixed)
{
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            bool one = fixed == 0 ? y == 3 : fixed == 1 ? x == 4 : fixed == 4 ? y == 3 || x == 4 : (x + y) % 2 == 0;

            b->pat_bits[y] = (uint8_t)((b->pat_bits[y] & ~(0x80 >> x)) | (one ? 0x80 >> x : 0));
        }
}

static void random_round(struct fixture *f, const struct shape *s)
{
    static const int known_fixed[] = {0, 1, 4, 8};
    struct ref_blit b;
    int fixed;

    random_blit(&b, s);
    fit_inline(s, &b);
    random_operands(f, &b, s);
    fixed = known_fixed[ref_below(4)];
    if (s->pat == PAT_FIXED)
        fixed_bits(&b, fixed);
    f->x.no_ptr = ref_below(4) == 0;
    build(f, &b, s, fixed);
    run_and_compare(f, &b, s);
}

static void xy_commands_match_the_reference(void **state)
{
    for (size_t i = 0; i < GT_ARRAY_SIZE(shapes); i++)
        for (int round = 0; round < ROUNDS; round++)
            random_round(*state, &shapes[i]);
}

/* All 256 raster operations, full rectangle, three operands. */
static void every_raster_operation(void **state)
{
    struct fixture *f = *state;
    const struct shape s = {"XY_FULL_BLT", C_XY_FULL_BLT, .src = true, .pat = PAT_MEMORY};
    struct ref_blit b;

    for (int rop = 0; rop < 256; rop++) {
        random_blit(&b, &s);
        random_operands(f, &b, &s);
        b.rop = (uint8_t)rop;
        build(f, &b, &s, 0);
        run_and_compare(f, &b, &s);
    }
}

/* The Y walk is chosen by BCS_SWCTRL, for source (bit 0) and destination (bit 1). */
static void y_tiles_by_swctrl(void **state)
{
    struct fixture *f = *state;
    const struct shape s = {"XY_SRC_COPY_BLT", C_XY_SRC_COPY_BLT, .src = true};
    struct ref_blit b;

    for (int round = 0; round < 200; round++) {
        random_blit(&b, &s);
        random_operands(f, &b, &s);
        uint32_t swctrl = (uint32_t)ref_below(4);

        if (b.src.tiling == REF_X && swctrl & 1)
            b.src.tiling = REF_Y;
        if (b.dst.tiling == REF_X && swctrl & 2)
            b.dst.tiling = REF_Y;
        vgpu_exec_reg_write(&f->x, reg_off(R_BCS_SWCTRL, VGPU_BCS, 0), swctrl);
        build(f, &b, &s, 0);
        run_and_compare(f, &b, &s);
    }
    vgpu_exec_reg_write(&f->x, 0, 0);
}

/* One surface copied onto itself gives what a copy through a second buffer gives, in all directions. */
static void overlapping_copies(void **state)
{
    struct fixture *f = *state;
    const struct shape s = {"XY_SRC_COPY_BLT", C_XY_SRC_COPY_BLT, .src = true};
    struct ref_blit b;

    for (int round = 0; round < 300; round++) {
        random_blit(&b, &s);
        random_operands(f, &b, &s);
        b.src = b.dst;
        b.src_x = b.x1 + ref_below(21) - GT_MIN(b.x1, 10);
        b.src_y = b.y1 + ref_below(7) - GT_MIN(b.y1, 3);
        build(f, &b, &s, 0);
        run_and_compare(f, &b, &s);
    }
}

/* Rows wider than the internal chunk, onto themselves. */
static void overlapping_wide_rows(void **state)
{
    struct fixture *f = *state;
    const struct shape s = {"XY_SRC_COPY_BLT", C_XY_SRC_COPY_BLT, .src = true};
    static const uint8_t rops[] = {0xcc, 0x66, 0xee};

    for (int round = 0; round < 30; round++) {
        struct ref_blit b = {.has_src = true, .depth = 3, .channels = UINT32_MAX, .rop = rops[round % 3]};

        b.dst = b.src = (struct ref_surface){DST_AT, 12288, round & 1 ? REF_X : REF_LINEAR, 4};
        b.x1 = ref_below(40);
        b.x2 = b.x1 + 2900;
        b.y2 = 8;
        b.src_x = ref_below(40);
        random_operands(f, &b, &s);
        build(f, &b, &s, 0);
        run_and_compare(f, &b, &s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(xy_commands_match_the_reference, setup, teardown),
        cmocka_unit_test_setup_teardown(every_raster_operation, setup, teardown),
        cmocka_unit_test_setup_teardown(y_tiles_by_swctrl, setup, teardown),
        cmocka_unit_test_setup_teardown(overlapping_copies, setup, teardown),
        cmocka_unit_test_setup_teardown(overlapping_wide_rows, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
