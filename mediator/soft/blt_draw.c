#include "mediator/soft/blt.h"

#include <string.h>

#include "vgpu/base/bits.h"

#define CHUNK_BYTES 4096u
#define CHUNK_WORDS (CHUNK_BYTES / 8)
#define ROP_COPY    0xcc

/* One chunk of a row: operands, write mask and result, side by side. */
struct painter {
    const struct blt *b;
    struct blt_cursor src, dst, mono;
    bool use_p, use_s, use_d, masked;
    uint64_t p[CHUNK_WORDS], s[CHUNK_WORDS], d[CHUNK_WORDS], mask[CHUNK_WORDS], out[CHUNK_WORDS];
    uint8_t bits[CHUNK_BYTES / 8 + 8];
};

/* ---- raster operations */

static uint64_t all(unsigned bit)
{
    return bit & 1 ? UINT64_MAX : 0;
}

static uint64_t choose(uint64_t select, uint64_t one, uint64_t zero)
{
    return zero ^ ((zero ^ one) & select);
}

void blt_rop(uint8_t rop, const uint64_t *p, const uint64_t *s, const uint64_t *d, uint64_t *out, size_t n)
{
    uint64_t r[8];

    for (unsigned i = 0; i < 8; i++)
        r[i] = all(rop >> i);
    for (size_t i = 0; i < n; i++) {
        uint64_t p0 = choose(s[i], choose(d[i], r[3], r[2]), choose(d[i], r[1], r[0]));
        uint64_t p1 = choose(s[i], choose(d[i], r[7], r[6]), choose(d[i], r[5], r[4]));

        out[i] = choose(p[i], p1, p0);
    }
}

static bool rop_uses_p(uint8_t rop)
{
    return (rop >> 4 ^ rop) & 0x0f;
}

static bool rop_uses_s(uint8_t rop)
{
    return (rop >> 2 ^ rop) & 0x33;
}

static bool rop_uses_d(uint8_t rop)
{
    return (rop >> 1 ^ rop) & 0x55;
}

/* ---- operands */

static uint32_t get_pixel(const uint64_t *line, unsigned cpp, uint32_t i)
{
    uint32_t v = 0;

    memcpy(&v, (const uint8_t *)line + (size_t)i * cpp, cpp);
    return v;
}

static void put_pixel(uint64_t *line, unsigned cpp, uint32_t i, uint32_t v)
{
    memcpy((uint8_t *)line + (size_t)i * cpp, &v, cpp);
}

/* Monochrome bits of n pixels from (x, y) on; *phase is the number of the first within bits[]. */
static int load_bits(struct painter *pt, int32_t x, int32_t y, uint32_t n, uint32_t *phase)
{
    const struct blt_mono *m = &pt->b->mono;
    uint64_t bit = (uint64_t)(y - pt->b->rect.y1) * m->row_bits + m->first_bit + (uint64_t)(x - pt->b->rect.x1);
    size_t bytes = ((bit & 7) + n + 7) / 8;

    *phase = (uint32_t)(bit & 7);
    if (!m->inline_data)
        return blt_read_bytes(&pt->mono, (m->addr + bit / 8) & BLT_ADDR_MASK, bytes, pt->bits);
    memcpy(pt->bits, m->inline_data + bit / 8, bytes);
    return 0;
}

static int load_mono(struct painter *pt, int32_t x, int32_t y, uint32_t n)
{
    const struct blt_mono *m = &pt->b->mono;
    unsigned cpp = pt->b->dst.cpp;
    uint32_t phase;

    if (load_bits(pt, x, y, n, &phase))
        return -1;
    for (uint32_t i = 0; i < n; i++) {
        bool one = pt->bits[(phase + i) / 8] >> (7 - (phase + i) % 8) & 1;

        put_pixel(pt->s, cpp, i, one ? m->fg : m->bg);
        if (m->transparent && !one)
            put_pixel(pt->mask, cpp, i, 0);
    }
    return 0;
}

static int load_source(struct painter *pt, int32_t x, int32_t y, uint32_t n)
{
    const struct blt *b = pt->b;
    int64_t sx = (int64_t)b->src_x + x - b->rect.x1, sy = (int64_t)b->src_y + y - b->rect.y1;

    if (b->source == BLT_SRC_MONO)
        return load_mono(pt, x, y, n);
    return blt_read_row(&pt->src, &b->src, sx * b->src.cpp, sy, (size_t)n * b->src.cpp, (uint8_t *)pt->s);
}

/* One period of the pattern's row, turned so that it begins with column x, then again and again. */
static void load_pattern(struct painter *pt, int32_t x, int32_t y, uint32_t n)
{
    const struct blt_pattern *pat = &pt->b->pat;
    unsigned cpp = pt->b->dst.cpp, period = 8 * cpp;
    uint32_t row = (uint32_t)(y + pat->seed_y) & 7, first = (uint32_t)(x + pat->seed_x) & 7;
    size_t bytes = (size_t)n * cpp;
    uint8_t *p = (uint8_t *)pt->p, turned[32];

    for (uint32_t i = 0; i < 8; i++)
        memcpy(turned + i * cpp, pat->pixel[row] + (first + i) % 8 * cpp, cpp);
    for (size_t at = 0; at < bytes; at += period)
        memcpy(p + at, turned, GT_MIN(period, bytes - at));
    for (uint32_t i = 0; pat->transparent && i < n; i++)
        if (!(pat->bits[row] >> (7 - (first + i) % 8) & 1))
            put_pixel(pt->mask, cpp, i, 0);
}

/* ---- chroma key: each colour component between low and high */

static bool in_range(const struct blt *b, uint32_t v)
{
    static const uint32_t components[4][4] = {
        [BLT_DEPTH_8] = {0xff},
        [BLT_DEPTH_565] = {0xf800, 0x07e0, 0x001f},
        [BLT_DEPTH_1555] = {0x7c00, 0x03e0, 0x001f, 0x8000},
        [BLT_DEPTH_32] = {0xff0000, 0xff00, 0xff, 0xff000000},
    };
    unsigned n = b->chroma & BLT_CHROMA_ALPHA ? 4 : 3;

    for (unsigned i = 0; i < n; i++) {
        uint32_t c = components[b->depth][i];

        if ((v & c) < (b->chroma_low & c) || (v & c) > (b->chroma_high & c))
            return false;
    }
    return true;
}

/* Source key: pixels in range are left out. Destination key: only pixels in range are drawn over (PRM BR00 19:17). */
static void apply_chroma(struct painter *pt, uint32_t n)
{
    const struct blt *b = pt->b;
    bool by_dst = b->chroma & BLT_CHROMA_DST;
    const uint64_t *line = by_dst ? pt->d : b->source != BLT_SRC_NONE ? pt->s : pt->p;

    for (uint32_t i = 0; i < n; i++)
        if (in_range(b, get_pixel(line, b->dst.cpp, i)) != by_dst)
            put_pixel(pt->mask, b->dst.cpp, i, 0);
}

/* ---- drawing */

static void start_mask(struct painter *pt, size_t words)
{
    uint64_t channels = (uint64_t)pt->b->channels << 32 | pt->b->channels;

    for (size_t i = 0; i < words; i++)
        pt->mask[i] = channels;
}

static int draw_chunk(struct painter *pt, int32_t x, int32_t y, uint32_t n)
{
    const struct blt *b = pt->b;
    size_t bytes = (size_t)n * b->dst.cpp, words = (bytes + 7) / 8;
    int64_t xb = (int64_t)x * b->dst.cpp;

    if (pt->masked)
        start_mask(pt, words);
    if (pt->use_d && blt_read_row(&pt->dst, &b->dst, xb, y, bytes, (uint8_t *)pt->d))
        return -1;
    if (pt->use_s && load_source(pt, x, y, n))
        return -1;
    if (pt->use_p)
        load_pattern(pt, x, y, n);
    if (b->chroma & BLT_CHROMA_ON)
        apply_chroma(pt, n);
    blt_rop(b->rop, pt->p, pt->s, pt->d, pt->out, words);
    if (pt->masked)
        for (size_t i = 0; i < words; i++)
            pt->out[i] = choose(pt->mask[i], pt->out[i], pt->d[i]);
    return blt_write_row(&pt->dst, &b->dst, xb, y, bytes, (const uint8_t *)pt->out);
}

static int draw_row(struct painter *pt, int32_t x1, int32_t x2, int32_t y)
{
    int32_t step = (int32_t)(CHUNK_BYTES / pt->b->dst.cpp);

    while (x1 < x2) {
        int32_t n = GT_MIN(step, x2 - x1);
        int32_t x = pt->b->leftwards ? x2 - n : x1;

        if (draw_chunk(pt, x, y, (uint32_t)n))
            return -1;
        if (pt->b->leftwards)
            x2 -= n;
        else
            x1 += n;
    }
    return 0;
}

static void painter_init(struct painter *pt, struct vgpu_exec *x, const struct blt *b)
{
    pt->b = b;
    blt_cursor_init(&pt->src, x, false);
    blt_cursor_init(&pt->mono, x, false);
    blt_cursor_init(&pt->dst, x, true);
    pt->masked = b->channels != UINT32_MAX || b->chroma & BLT_CHROMA_ON || b->mono.transparent || b->pat.transparent;
    pt->use_s = b->source != BLT_SRC_NONE && (rop_uses_s(b->rop) || b->mono.transparent || b->chroma & BLT_CHROMA_ON);
    pt->use_p = b->pat.used && (rop_uses_p(b->rop) || b->pat.transparent || b->chroma & BLT_CHROMA_ON);
    pt->use_d = pt->masked || rop_uses_d(b->rop);
    /* An operand that the command does not have, or that does not matter, is 0. */
    memset(pt->p, 0, sizeof(pt->p));
    memset(pt->s, 0, sizeof(pt->s));
    memset(pt->d, 0, sizeof(pt->d));
}

/* What a row loop does to row y between x1 and x2. */
struct rows {
    int (*row)(void *ctx, int32_t x1, int32_t x2, int32_t y);
    void *ctx;
};

static int row_painted(void *ctx, int32_t x1, int32_t x2, int32_t y)
{
    return draw_row(ctx, x1, x2, y);
}

struct copier {
    const struct blt *b;
    struct blt_copy copy;
};

static int row_copied(void *ctx, int32_t x1, int32_t x2, int32_t y)
{
    const struct copier *c = ctx;
    const struct blt *b = c->b;
    int64_t cpp = b->dst.cpp, sx = (int64_t)b->src_x + x1 - b->rect.x1, sy = (int64_t)b->src_y + y - b->rect.y1;

    return blt_copy_row(&c->copy, sx * cpp, sy, x1 * cpp, y, (size_t)((x2 - x1) * cpp));
}

struct filler {
    const struct blt *b;
    struct blt_cursor dst;
    uint8_t page[BLT_PAGE + 16]; /* the pixel over and over; a row may start within a pixel */
};

static int row_filled(void *ctx, int32_t x1, int32_t x2, int32_t y)
{
    struct filler *f = ctx;
    int64_t cpp = f->b->dst.cpp;

    return blt_fill_row(&f->dst, &f->b->dst, x1 * cpp, y, (size_t)((x2 - x1) * cpp), f->page);
}

/* An interrupted blit goes on where it was: rows that overlap must not be drawn twice. Rows are counted as they are
 * done, for the process may end at any moment. */
static enum vgpu_payload draw_rows(struct vgpu_exec *x, const struct blt_rect *r, bool upwards, const struct rows *rows)
{
    uint32_t *done = vgpu_exec_scratch(x) + BLT_DONE_ROWS;
    int32_t height = r->y2 - r->y1;
    int32_t first = *done <= (uint32_t)height ? (int32_t)*done : 0;

    for (int32_t i = first; i < height; i++) {
        int32_t y = upwards ? r->y2 - 1 - i : r->y1 + i;

        if (rows->row(rows->ctx, r->x1, r->x2, y))
            return VGPU_PAYLOAD_FAULT;
        __atomic_store_n(done, (uint32_t)i + 1, __ATOMIC_RELEASE);
        if (i + 1 < height && vgpu_exec_stop(x))
            return VGPU_PAYLOAD_AGAIN;
    }
    return VGPU_PAYLOAD_DONE;
}

static bool is_plain(const struct blt *b)
{
    return b->channels == UINT32_MAX && !(b->chroma & BLT_CHROMA_ON) && !b->mono.transparent && !b->pat.transparent;
}

static bool is_copy(const struct blt *b)
{
    return is_plain(b) && b->rop == ROP_COPY && b->source == BLT_SRC_COLOR;
}

static bool is_fill(const struct blt *b)
{
    return is_plain(b) && !rop_uses_s(b->rop) && !rop_uses_d(b->rop) && (!rop_uses_p(b->rop) || b->pat.solid);
}

static enum vgpu_payload draw_copy(struct vgpu_exec *x, const struct blt *b, const struct blt_rect *r)
{
    struct blt_cursor src, dst;
    struct copier c = {.b = b, .copy = {&src, &dst, &b->src, &b->dst, b->leftwards}};

    blt_cursor_init(&src, x, false);
    blt_cursor_init(&dst, x, true);
    return draw_rows(x, r, b->upwards, &(struct rows){row_copied, &c});
}

static enum vgpu_payload draw_fill(struct vgpu_exec *x, const struct blt *b, const struct blt_rect *r)
{
    struct filler f = {.b = b};
    uint64_t pattern, zero = 0, color;

    memcpy(&pattern, b->pat.pixel[0], sizeof(pattern));
    blt_rop(b->rop, &pattern, &zero, &zero, &color, 1);
    for (size_t i = 0; i < sizeof(f.page); i += sizeof(color))
        memcpy(f.page + i, &color, sizeof(color));
    blt_cursor_init(&f.dst, x, true);
    return draw_rows(x, r, false, &(struct rows){row_filled, &f});
}

static enum vgpu_payload draw_general(struct vgpu_exec *x, const struct blt *b, const struct blt_rect *r)
{
    struct painter pt;

    painter_init(&pt, x, b);
    return draw_rows(x, r, b->upwards, &(struct rows){row_painted, &pt});
}

static struct blt_rect visible(const struct blt *b)
{
    struct blt_rect r = b->rect;

    if (b->clipped) {
        r.x1 = GT_MAX(r.x1, b->clip.x1);
        r.y1 = GT_MAX(r.y1, b->clip.y1);
        r.x2 = GT_MIN(r.x2, b->clip.x2);
        r.y2 = GT_MIN(r.y2, b->clip.y2);
    }
    return r;
}

enum vgpu_payload blt_draw(struct vgpu_exec *x, const struct blt *b, uint64_t *pixels)
{
    struct blt_rect r = visible(b);

    *pixels = 0;
    if (r.x2 <= r.x1 || r.y2 <= r.y1)
        return VGPU_PAYLOAD_DONE;
    *pixels = (uint64_t)(r.x2 - r.x1) * (uint64_t)(r.y2 - r.y1);
    if (is_copy(b))
        return draw_copy(x, b, &r);
    if (is_fill(b))
        return draw_fill(x, b, &r);
    return draw_general(x, b, &r);
}
