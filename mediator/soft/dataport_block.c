#include <string.h>

#include "mediator/soft/dataport.h"
#include "vgpu/base/bits.h"

#define OWORD 16u

/* Control 2:0 (MDC_DB_OW): one OWord in the lower or the upper half of a register, 2, 4 or 8. 0: no such size. */
static unsigned block_owords(unsigned code, unsigned *shift)
{
    static const uint8_t owords[8] = {1, 1, 2, 4, 8, 0, 0, 0};

    *shift = code == 1 ? OWORD : 0;
    return owords[code];
}

/* A block of consecutive bytes to or from consecutive registers. */
static void move_block(const struct dp_target *t, const struct eu_message *m, uint64_t offset, unsigned bytes,
                       unsigned shift, bool write)
{
    for (unsigned done = 0; done < bytes;) {
        unsigned reg = (done + shift) / EU_REG_BYTES, at = (done + shift) % EU_REG_BYTES;
        unsigned n = GT_MIN(bytes - done, EU_REG_BYTES - at);
        const uint8_t *from = write ? units_payload(m, reg + 1) : NULL;

        if (write && from)
            dp_write(t, offset + done, from + at, n);
        else if (!write && reg < m->rlen)
            dp_read(t, offset + done, m->dst + (size_t)reg * EU_REG_BYTES + at, n);
        done += n;
    }
}

/* Stores are masked: dword i of the payload belongs to channel i. What has fewer channels than a register has dwords is
 * for all of it. Mesa's spills rely on that (brw_reg_allocate.cpp, per_channel). */
static bool all_channels(const struct eu_message *m)
{
    uint32_t all = (uint32_t)(GT_BIT64(m->exec_size) - 1);

    return m->exec_size < 8 || (m->mask & all) == all;
}

static bool channel_enabled(const struct eu_message *m, unsigned dword)
{
    return all_channels(m) || (m->mask >> dword % m->exec_size & 1);
}

/* Hardware's bounds are those of each dword, which matters at a buffer's end only: whole OWords are checked there. */
static void move_owords(const struct dp_target *t, const struct eu_message *m, uint64_t offset, unsigned bytes,
                        unsigned shift, bool write)
{
    if (gt_range_ok(offset, bytes, t->size) && (!write || all_channels(m))) {
        move_block(t, m, offset, bytes, shift, write);
        return;
    }
    for (unsigned done = 0; done < bytes; done += 4) {
        unsigned reg = (done + shift) / EU_REG_BYTES, at = (done + shift) % EU_REG_BYTES;
        const uint8_t *from = write ? units_payload(m, reg + 1) : NULL;

        if (write && from && channel_enabled(m, (done + shift) / 4))
            dp_write(t, offset + done, from + at, 4);
        else if (!write && reg < m->rlen)
            dp_read(t, offset + done, m->dst + (size_t)reg * EU_REG_BYTES + at, 4);
    }
}

bool dp_oword_block(struct soft_env *e, const struct eu_message *m, bool write, bool unaligned)
{
    struct dp_target t = dp_target_find(e, m);
    unsigned shift, owords = block_owords(gt_field(m->desc, 10, 8), &shift);
    uint32_t global = dp_payload_dword(m, 0, 2);

    if (!m->header || !owords)
        return false;
    move_owords(&t, m, unaligned ? global & ~3u : (uint64_t)global * OWORD, owords * OWORD, shift, write);
    return true;
}

/* The header has the address in dwords 0 and 1; control 4:3 tells whether it is aligned, which needs no telling here.
 */
bool dp_a64_oword_block(struct soft_env *e, const struct eu_message *m, bool write)
{
    struct dp_target t = dp_target_a64(e);
    unsigned shift, owords = block_owords(gt_field(m->desc, 10, 8), &shift);
    uint64_t address = dp_payload_dword(m, 0, 0) | (uint64_t)dp_payload_dword(m, 0, 1) << 32;

    if (!owords)
        return false;
    move_owords(&t, m, address & (GT_BIT64(48) - 1), owords * OWORD, shift, write);
    return true;
}

/* Scratch: desc 17 write, 16 by channels, 13:12 log2 of registers, 11:0 offset in registers (Mesa brw_eu_emit.c,
 * gfx7_set_dp_scratch_message). By channels: dwords of enabled channels only. */
bool dp_scratch(struct soft_env *e, const struct eu_message *m)
{
    struct dp_target t = {.e = e, .base = e->scratch, .size = e->scratch_bytes};
    unsigned registers = 1u << gt_field(m->desc, 13, 12);
    uint64_t offset = (uint64_t)gt_field(m->desc, 11, 0) * EU_REG_BYTES;
    bool write = m->desc & GT_BIT(17), channels = m->desc & GT_BIT(16);

    if (!m->header)
        return false;
    if (!channels || !write) {
        move_owords(&t, m, offset, registers * EU_REG_BYTES, 0, write);
        return true;
    }
    for (unsigned n = 0; n < registers * 8; n++) {
        uint32_t v = dp_payload_dword(m, 1, n);

        if (m->mask >> (m->exec_size > 8 ? n % 16 : n % 8) & 1)
            dp_write(&t, offset + n * 4, &v, 4);
    }
    return true;
}

/* ---- media blocks: rectangles of bytes. Header: x in bytes, y, then height - 1 in 21:16 and width - 1 in 5:0. */

struct media_block {
    const struct soft_surface *s;
    int32_t x, y;
    unsigned width, height, pitch; /* pitch: of the block in registers */
    int32_t surface_width, surface_height;
};

static bool media_block(struct soft_env *e, const struct eu_message *m, struct media_block *b)
{
    uint32_t size = dp_payload_dword(m, 0, 2);

    b->s = units_message_surface(e, gt_field(m->desc, 7, 0), m->ex_desc);
    b->x = (int32_t)dp_payload_dword(m, 0, 0);
    b->y = (int32_t)dp_payload_dword(m, 0, 1);
    b->height = gt_field(size, 21, 16) + 1;
    b->width = gt_field(size, 5, 0) + 1;
    for (b->pitch = 4; b->pitch < b->width;)
        b->pitch *= 2;
    b->surface_width = (int32_t)(b->s->width_px * b->s->element_bytes);
    b->surface_height = (int32_t)b->s->height_px;
    return m->header && b->s->type != SOFT_SURF_BUFFER && b->s->type != SOFT_SURF_STRBUF && b->s->samples == 1;
}

static uint64_t media_address(const struct media_block *b, int64_t x, int64_t y)
{
    uint64_t first = soft_surface_address(b->s, (uint32_t)x / b->s->element_bytes, (uint32_t)y, 0, 0, 0);

    return first + (uint64_t)x % b->s->element_bytes;
}

/* Beyond an edge reads see the outermost pixels, which for whole pixels are the last element_bytes of the row. */
static void media_read(struct soft_env *e, const struct eu_message *m, const struct media_block *b)
{
    int32_t unit = b->s->element_bytes;

    for (unsigned row = 0; row < b->height; row++) {
        int64_t y = GT_MAX(GT_MIN((int64_t)b->y + row, (int64_t)b->surface_height - 1), 0);

        for (unsigned n = 0; n < b->width; n++) {
            int64_t x = (int64_t)b->x + n;
            size_t to = (size_t)row * b->pitch + n;

            if (x < 0)
                x = ((x % unit) + unit) % unit;
            else if (x >= b->surface_width)
                x = b->surface_width - unit + x % unit;
            if (to < (size_t)m->rlen * EU_REG_BYTES)
                soft_mem_read(e->mem, media_address(b, x, y), m->dst + to, 1);
        }
    }
}

static void media_write(struct soft_env *e, const struct eu_message *m, const struct media_block *b)
{
    for (unsigned row = 0; row < b->height; row++)
        for (unsigned n = 0; n < b->width; n++) {
            int64_t x = (int64_t)b->x + n, y = (int64_t)b->y + row;
            size_t from = (size_t)row * b->pitch + n;
            const uint8_t *reg = units_payload(m, 1 + (unsigned)(from / EU_REG_BYTES));

            if (reg && x >= 0 && x < b->surface_width && y >= 0 && y < b->surface_height)
                soft_mem_write(e->mem, media_address(b, x, y), reg + from % EU_REG_BYTES, 1);
        }
}

bool dp_media_block(struct soft_env *e, const struct eu_message *m, bool write)
{
    struct media_block b;

    if (!media_block(e, m, &b))
        return false;
    if (b.s->type == SOFT_SURF_NULL) {
        if (!write)
            memset(m->dst, 0, (size_t)m->rlen * EU_REG_BYTES);
    } else if (write) {
        media_write(e, m, &b);
    } else {
        media_read(e, m, &b);
    }
    return true;
}
