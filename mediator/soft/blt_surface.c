#include "mediator/soft/blt.h"

#include <errno.h>
#include <string.h>

#include "vgpu/base/bits.h"

void blt_cursor_init(struct blt_cursor *c, struct vgpu_exec *x, bool write)
{
    *c = (struct blt_cursor){.x = x, .write = write};
}

static uint8_t *cursor_ptr(struct blt_cursor *c, uint64_t addr)
{
    uint64_t page = addr & ~(uint64_t)(BLT_PAGE - 1);

    if (!c->valid || c->page != page) {
        c->ptr = vgpu_exec_ptr(c->x, page, c->write);
        c->page = page;
        c->valid = true;
    }
    return c->ptr ? c->ptr + (addr - page) : NULL;
}

/*
 * Yf and Ys (4 and 64 KiB): the byte offset in the tile interleaves bits of x (bytes) and y. The masks tell which
 * offset bits come from x; the low eight depend on the pixel size (gmmlib GmmTextureExt, INTEL_TILE_YF/YS swizzles).
 */
static uint32_t std_tile_x_mask(const struct blt_surface *s)
{
    uint32_t low = s->cpp == 1 ? 0x0f : s->cpp <= 4 ? 0x8f : 0xcf;

    return low | (s->tiling == BLT_TILE_YS ? 0xaa00 : 0x0a00);
}

static uint32_t deposit(uint32_t value, uint32_t mask)
{
    uint32_t out = 0;

    for (; mask; mask &= mask - 1, value >>= 1)
        if (value & 1)
            out |= mask & -mask;
    return out;
}

static uint64_t std_tile_offset(const struct blt_surface *s, int64_t xb, int64_t y)
{
    uint32_t size_log2 = s->tiling == BLT_TILE_YS ? 16 : 12;
    uint32_t x_mask = std_tile_x_mask(s);
    uint32_t y_mask = (GT_BIT(size_log2) - 1) & ~x_mask;
    unsigned w = (unsigned)__builtin_popcount(x_mask), h = size_log2 - w;

    return (uint64_t)((y >> h) * (int64_t)s->pitch * (1 << h)) + ((uint64_t)(xb >> w) << size_log2) +
           deposit((uint32_t)xb & (GT_BIT(w) - 1), x_mask) + deposit((uint32_t)y & (GT_BIT(h) - 1), y_mask);
}

/* X: 512 bytes x 8 rows. Y: 128 bytes x 32 rows, in columns of 16 bytes (PRM SKL Vol 5, "Tiling"). */
uint64_t blt_address(const struct blt_surface *s, int64_t xb, int64_t y)
{
    uint64_t off;

    switch (s->tiling) {
    case BLT_TILE_X:
        off = (uint64_t)((y >> 3) * s->pitch * 8) + ((uint64_t)(xb >> 9) << 12) + ((uint64_t)(y & 7) << 9) +
              (uint64_t)(xb & 511);
        break;
    case BLT_TILE_Y:
        off = (uint64_t)((y >> 5) * s->pitch * 32) + ((uint64_t)(xb >> 7) << 12) + (((uint64_t)xb >> 4 & 7) << 9) +
              ((uint64_t)(y & 31) << 4) + (uint64_t)(xb & 15);
        break;
    case BLT_TILE_YF:
    case BLT_TILE_YS:
        off = std_tile_offset(s, xb, y);
        break;
    default:
        off = (uint64_t)(y * s->pitch + xb);
        break;
    }
    return (s->base + off) & BLT_ADDR_MASK;
}

/* Bytes of a row are contiguous within aligned units of this size; a unit never leaves a page. */
static uint32_t run_unit(const struct blt_surface *s)
{
    switch (s->tiling) {
    case BLT_LINEAR:
        return BLT_PAGE;
    case BLT_TILE_X:
        return 512;
    default:
        return 16;
    }
}

static size_t run_from(const struct blt_surface *s, uint64_t addr, size_t n)
{
    uint32_t unit = run_unit(s);

    return GT_MIN(n, unit - (size_t)(addr & (unit - 1)));
}

int blt_read_bytes(struct blt_cursor *c, uint64_t addr, size_t n, uint8_t *out)
{
    while (n) {
        size_t run = GT_MIN(n, BLT_PAGE - (size_t)(addr & (BLT_PAGE - 1)));
        const uint8_t *p = cursor_ptr(c, addr);

        if (p)
            memcpy(out, p, run);
        else if (vgpu_exec_read(c->x, addr, out, run))
            return -EFAULT;
        addr = (addr + run) & BLT_ADDR_MASK;
        out += run;
        n -= run;
    }
    return 0;
}

int blt_read_row(struct blt_cursor *c, const struct blt_surface *s, int64_t xb, int64_t y, size_t n, uint8_t *out)
{
    while (n) {
        uint64_t addr = blt_address(s, xb, y);
        size_t run = run_from(s, addr, n);
        int err = blt_read_bytes(c, addr, run, out);

        if (err)
            return err;
        xb += (int64_t)run;
        out += run;
        n -= run;
    }
    return 0;
}

static int write_run(struct blt_cursor *c, uint64_t addr, size_t n, const uint8_t *in)
{
    uint8_t *p = cursor_ptr(c, addr);

    if (!p)
        return vgpu_exec_write(c->x, addr, in, n) ? -EFAULT : 0;
    memcpy(p, in, n);
    return 0;
}

int blt_write_row(struct blt_cursor *c, const struct blt_surface *s, int64_t xb, int64_t y, size_t n, const uint8_t *in)
{
    while (n) {
        uint64_t addr = blt_address(s, xb, y);
        size_t run = run_from(s, addr, n);
        int err = write_run(c, addr, run, in);

        if (err)
            return err;
        xb += (int64_t)run;
        in += run;
        n -= run;
    }
    return 0;
}

int blt_fill_row(struct blt_cursor *c, const struct blt_surface *s, int64_t xb, int64_t y, size_t n,
                 const uint8_t *page)
{
    size_t done = 0;

    while (done < n) {
        uint64_t addr = blt_address(s, xb + (int64_t)done, y);
        size_t run = run_from(s, addr, n - done);
        int err = write_run(c, addr, run, page + done % s->cpp);

        if (err)
            return err;
        done += run;
    }
    return 0;
}

/* Source and destination may overlap. */
static void copy_unit(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n == 16) { /* a whole column of a Y tile: two registers instead of a call */
        uint64_t unit[2];

        memcpy(unit, from, 16);
        memcpy(to, unit, 16);
    } else {
        memmove(to, from, n);
    }
}

static int copy_run(const struct blt_copy *c, uint64_t src, uint64_t dst, size_t n)
{
    const uint8_t *from = cursor_ptr(c->src, src);
    uint8_t bounce[BLT_PAGE];

    if (!from) {
        if (vgpu_exec_read(c->src->x, src, bounce, n))
            return -EFAULT;
        from = bounce;
    }
    uint8_t *to = cursor_ptr(c->dst, dst);
    if (!to)
        return vgpu_exec_write(c->dst->x, dst, from, n) ? -EFAULT : 0;
    copy_unit(to, from, n);
    return 0;
}

/* The part before `end` bytes of the row that is contiguous on both sides, seen from its right end. */
static size_t run_before(const struct blt_surface *s, int64_t last_xb, int64_t y, size_t n)
{
    uint64_t last = blt_address(s, last_xb, y);

    return GT_MIN(n, (size_t)(last & (run_unit(s) - 1)) + 1);
}

static int copy_row_leftwards(const struct blt_copy *c, int64_t src_xb, int64_t src_y, int64_t dst_xb, int64_t dst_y,
                              size_t n)
{
    while (n) {
        size_t run = run_before(c->from, src_xb + (int64_t)n - 1, src_y, n);

        run = run_before(c->to, dst_xb + (int64_t)n - 1, dst_y, run);
        n -= run;
        int err = copy_run(c, blt_address(c->from, src_xb + (int64_t)n, src_y),
                           blt_address(c->to, dst_xb + (int64_t)n, dst_y), run);
        if (err)
            return err;
    }
    return 0;
}

/* The bytes of this row that lie in the same page: a whole tile line of 128 bytes in Y tiles, in columns of 16. */
static size_t span_from(const struct blt_surface *s, int64_t xb, uint64_t addr, size_t n)
{
    return s->tiling == BLT_TILE_Y ? GT_MIN(n, 128 - (size_t)(xb & 127)) : run_from(s, addr, n);
}

/* Copies a span in which at least one side is a Y tile line. False: a side has no host pointer. */
static bool copy_columns(const struct blt_copy *c, uint64_t src, uint64_t dst, size_t n)
{
    const uint8_t *from = cursor_ptr(c->src, src);
    uint8_t *to = cursor_ptr(c->dst, dst);
    bool src_y = c->from->tiling == BLT_TILE_Y, dst_y = c->to->tiling == BLT_TILE_Y;

    if (!from || !to)
        return false;
    while (n) {
        size_t left_src = src_y ? 16 - (src & 15) : n, left_dst = dst_y ? 16 - (dst & 15) : n;
        size_t m = GT_MIN(GT_MIN(left_src, left_dst), n);
        size_t src_step = m == left_src && src_y ? m + 512 - 16 : m,
               dst_step = m == left_dst && dst_y ? m + 512 - 16 : m;

        copy_unit(to, from, m);
        n -= m;
        from += src_step;
        to += dst_step;
        src += src_step;
        dst += dst_step;
    }
    return true;
}

int blt_copy_row(const struct blt_copy *c, int64_t src_xb, int64_t src_y, int64_t dst_xb, int64_t dst_y, size_t n)
{
    bool columns = c->from->tiling == BLT_TILE_Y || c->to->tiling == BLT_TILE_Y;

    if (c->leftwards)
        return copy_row_leftwards(c, src_xb, src_y, dst_xb, dst_y, n);
    while (n) {
        uint64_t src = blt_address(c->from, src_xb, src_y), dst = blt_address(c->to, dst_xb, dst_y);
        size_t run = span_from(c->to, dst_xb, dst, span_from(c->from, src_xb, src, n));

        if (!columns || !copy_columns(c, src, dst, run)) {
            run = run_from(c->to, dst, run_from(c->from, src, n));
            if (copy_run(c, src, dst, run))
                return -EFAULT;
        }
        src_xb += (int64_t)run;
        dst_xb += (int64_t)run;
        n -= run;
    }
    return 0;
}
