/* Pixels of the guest into frames of our own. */
#include <string.h>

#include "display/frame_internal.h"
#include "vgpu/base/bits.h"

/* ---- one plane */

struct plane_reader {
    struct frames *fs;
    unsigned turn;
    uint32_t first; /* page of the surface that fs->gpa starts with */
    uint32_t count;
    uint8_t room[2][DISPLAY_PAGE];
};

static const uint8_t *plane_page(void *ctx, uint32_t index)
{
    struct plane_reader *r = ctx;

    if (index - r->first >= r->count)
        return NULL;
    uint64_t gpa = r->fs->gpa[index - r->first];

    r->turn ^= 1;
    return gpa == FRAME_NO_PAGE ? NULL : r->fs->host->page(r->fs->host->ctx, gpa, r->room[r->turn]);
}

/* The pages behind rows [y, end) of a surface. */
static void find_pages(struct plane_reader *r, const struct vgpu_surface *s, uint32_t y, uint32_t end)
{
    uint32_t w, h;

    vgpu_tile_shape(s->tiling, vgpu_format_cpp(s->format), &w, &h);
    uint64_t from = (uint64_t)s->stride_bytes * (y / h * h), to = (uint64_t)s->stride_bytes * gt_align_up(end, h);

    r->first = (uint32_t)(from / DISPLAY_PAGE);
    r->count = (uint32_t)GT_MIN((to + DISPLAY_PAGE - 1) / DISPLAY_PAGE - r->first, (uint64_t)FRAME_PAGES_MAX);
    r->fs->host->pages(r->fs->host->ctx, s->ggtt + (uint64_t)r->first * DISPLAY_PAGE, r->count, r->fs->gpa);
}

/* Rows [y, y + n) of the plane's visible part. */
static void read_plane(struct frames *fs, const struct vgpu_surface *s, uint32_t y, uint32_t n, uint8_t *dst,
                       size_t stride)
{
    const unsigned cpp = vgpu_format_cpp(s->format);
    struct plane_reader reader = {.fs = fs};
    const struct detile_source src = {
        .tiling = s->tiling, .cpp = cpp, .stride_bytes = s->stride_bytes, .page = plane_page, .ctx = &reader};
    const struct detile_rect r = {s->src_x * cpp, s->src_y + y, s->width * cpp, n};

    find_pages(&reader, s, r.y, r.y + n);
    detile_copy(&src, &r, dst, stride);
}

/* ---- the whole picture */

static void read_composed(struct frames *fs, const struct vgpu_scanout *s, uint32_t y, uint32_t n, uint8_t *dst,
                          size_t stride)
{
    for (uint32_t i = 0; i < n; i++)
        vgpu_compose_row(s, y + i, fs->host->read, fs->host->ctx, (uint32_t *)(void *)(dst + i * stride), fs->compose);
}

/* ---- both */

struct source {
    const struct vgpu_surface *plane; /* or */
    const struct vgpu_scanout *picture;
};

/* False: the guest's memory is not there now. */
static bool read_rows(struct frames *fs, const struct source *src, uint32_t y, uint32_t n, uint8_t *dst, size_t stride)
{
    if (!fs->host->enter(fs->host->ctx))
        return false;
    if (src->plane)
        read_plane(fs, src->plane, y, n, dst, stride);
    else
        read_composed(fs, src->picture, y, n, dst, stride);
    fs->host->leave(fs->host->ctx);
    return true;
}

static void fill(struct frames *fs, struct frame *f, const struct source *src)
{
    for (uint32_t y = 0, n; y < f->image.height; y += n) {
        uint8_t *dst = f->map + (size_t)y * f->image.stride;

        n = GT_MIN(FRAME_BAND, f->image.height - y);
        if (!read_rows(fs, src, y, n, dst, f->image.stride))
            memset(dst, 0, (size_t)n * f->image.stride);
    }
    fs->stats.copies++;
    fs->stats.bytes_copied += (uint64_t)f->image.stride * f->image.height;
}

/* Takes over the rows of a band that differ. */
static void merge(struct frames *fs, struct frame *f, uint32_t y, uint32_t n, struct frame_damage *d)
{
    for (uint32_t i = y; i < y + n; i++) {
        const uint8_t *now = fs->rows + (size_t)(i - y) * f->image.stride;
        uint8_t *old = f->map + (size_t)i * f->image.stride;

        if (!memcmp(old, now, f->image.stride))
            continue;
        memcpy(old, now, f->image.stride);
        fs->stats.bytes_copied += f->image.stride;
        if (d->first == d->end)
            d->first = i;
        d->end = i + 1;
    }
}

static void refresh(struct frames *fs, struct frame *f, const struct source *src, struct frame_damage *d)
{
    *d = (struct frame_damage){0};
    if (!f->map || f->image.stride > FRAME_ROW_MAX)
        return;
    for (uint32_t y = 0, n; y < f->image.height; y += n) {
        n = GT_MIN(FRAME_BAND, f->image.height - y);
        memset(fs->rows, 0, (size_t)n * f->image.stride); /* what is between rows is 0 in the frame, too */
        if (read_rows(fs, src, y, n, fs->rows, f->image.stride))
            merge(fs, f, y, n, d);
    }
}

void frame_fill_plane(struct frames *fs, struct frame *f, const struct vgpu_surface *s)
{
    fill(fs, f, &(struct source){.plane = s});
}

void frame_fill_composed(struct frames *fs, struct frame *f, const struct vgpu_scanout *s)
{
    fill(fs, f, &(struct source){.picture = s});
}

void frames_refresh_plane(struct frames *fs, struct frame *f, const struct vgpu_surface *s, struct frame_damage *d)
{
    refresh(fs, f, &(struct source){.plane = s}, d);
}

void frames_refresh_composed(struct frames *fs, struct frame *f, const struct vgpu_scanout *s, struct frame_damage *d)
{
    refresh(fs, f, &(struct source){.picture = s}, d);
}
