#include "display/damage.h"

#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define PAGE  4096u
#define LANES 4u
/* Rows of a linear frame that are looked at together: a compromise between calls and pixels told in vain. */
#define LINEAR_ROWS 16u

struct damage {
    size_t npages;
    uint64_t sum[];
};

struct damage *damage_create(uint64_t bytes)
{
    size_t npages = (size_t)((bytes + PAGE - 1) / PAGE);
    struct damage *d = calloc(1, sizeof(*d) + npages * sizeof(d->sum[0]));

    if (d)
        d->npages = npages;
    return d;
}

void damage_destroy(struct damage *d)
{
    free(d);
}

/* Each lane is a chain of multiplications by an odd number, which lose nothing; four of them keep the multiplier busy.
 */
uint64_t damage_sum(const uint8_t *p, size_t n)
{
    static const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t lane[LANES] = {1, 2, 3, 4}, word[LANES];
    size_t i = 0;

    for (; i + sizeof(word) <= n; i += sizeof(word)) {
        memcpy(word, p + i, sizeof(word));
        for (unsigned k = 0; k < LANES; k++) {
            lane[k] = (lane[k] ^ word[k]) * odd;
            lane[k] ^= lane[k] >> 32;
        }
    }
    for (; i < n; i++)
        lane[0] = (lane[0] ^ p[i]) * odd;
    for (unsigned k = 1; k < LANES; k++) {
        lane[0] = (lane[0] ^ lane[k]) * odd;
        lane[0] ^= lane[0] >> 29;
    }
    return lane[0] | 1; /* 0: never seen */
}

static bool page_changed(struct damage *d, const struct damage_frame *f, size_t page, uint64_t bytes)
{
    size_t n = (size_t)GT_MIN((uint64_t)PAGE, bytes - (uint64_t)page * PAGE);
    uint64_t sum = damage_sum(f->map + page * PAGE, n);
    bool changed = d->sum[page] != sum;

    d->sum[page] = sum;
    return changed;
}

struct scan {
    struct damage *d;
    const struct damage_frame *f;
    struct damage_box window;
    void (*changed)(void *ctx, const struct damage_box *box);
    void *ctx;
    unsigned boxes;
    uint64_t bytes;
};

static void tell(struct scan *s, struct damage_box box)
{
    box.x = GT_MAX(box.x, s->window.x);
    box.y = GT_MAX(box.y, s->window.y);
    box.x_end = GT_MIN(box.x_end, s->window.x_end);
    box.y_end = GT_MIN(box.y_end, s->window.y_end);
    if (box.x >= box.x_end || box.y >= box.y_end)
        return;
    s->boxes++;
    s->changed(s->ctx, &box);
}

static void scan_tiled(struct scan *s, uint32_t tile_w, uint32_t tile_h)
{
    const uint32_t across = s->f->stride / tile_w, w = tile_w / s->f->cpp;
    const uint32_t first = s->window.x / w, last = (s->window.x_end - 1) / w;

    for (uint32_t ty = s->window.y / tile_h; ty * tile_h < s->window.y_end; ty++) {
        struct damage_box box = {.x = UINT32_MAX, .y = ty * tile_h, .y_end = (ty + 1) * tile_h};

        for (uint32_t tx = first; tx <= last; tx++) {
            size_t page = (size_t)ty * across + tx;

            if (page >= s->d->npages || !page_changed(s->d, s->f, page, s->bytes))
                continue;
            box.x = GT_MIN(box.x, tx * w);
            box.x_end = (tx + 1) * w;
        }
        if (box.x_end)
            tell(s, box);
    }
}

/* The pages of rows [y, end), each looked at by the group of rows that it starts in. */
static bool group_changed(struct scan *s, uint32_t y, uint32_t end)
{
    size_t page = (size_t)(((uint64_t)y * s->f->stride + PAGE - 1) / PAGE);
    size_t stop = (size_t)(((uint64_t)end * s->f->stride + PAGE - 1) / PAGE);
    bool changed = false;

    if (!y)
        page = 0;
    for (; page < stop && page < s->d->npages; page++)
        changed |= page_changed(s->d, s->f, page, s->bytes);
    return changed;
}

/* A group has at least as many rows as a page, so a page that starts in one ends in it or in the next, which is then
 * told, too; for the same reason the group before the window is looked at. */
static void scan_linear(struct scan *s)
{
    const uint32_t rows = GT_MAX(LINEAR_ROWS, (PAGE + s->f->stride - 1) / s->f->stride);
    const uint32_t group = s->window.y / rows;
    bool before = false;

    for (uint32_t y = (group ? group - 1 : 0) * rows; y < s->window.y_end; y += rows) {
        uint32_t end = GT_MIN(y + rows, s->f->height);
        bool changed = group_changed(s, y, end);

        if (changed || before)
            tell(s, (struct damage_box){.x = 0, .y = y, .x_end = s->f->width, .y_end = end});
        before = changed;
    }
}

unsigned damage_scan(struct damage *d, const struct damage_frame *f, const struct damage_box *window,
                     void (*changed)(void *ctx, const struct damage_box *box), void *ctx)
{
    uint32_t tile_w, tile_h;
    struct scan s = {.d = d, .f = f, .window = *window, .changed = changed, .ctx = ctx};

    s.window.x_end = GT_MIN(window->x_end, f->width);
    s.window.y_end = GT_MIN(window->y_end, f->height);
    if (s.window.x >= s.window.x_end || s.window.y >= s.window.y_end)
        return 0;
    vgpu_tile_shape(f->tiling, f->cpp, &tile_w, &tile_h);
    s.bytes = (uint64_t)f->stride * gt_align_up(f->height, tile_h);
    if (f->tiling == VGPU_LINEAR)
        scan_linear(&s);
    else
        scan_tiled(&s, tile_w, tile_h);
    return s.boxes;
}
