#include "display/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "display/format.h"
#include "display/frame_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

int frames_init(struct frames *fs, const struct display_host *host, const struct udmabuf *u)
{
    *fs = (struct frames){.host = host, .udmabuf = u, .create = udmabuf_create};
    fs->gpa = calloc(FRAME_PAGES_MAX, sizeof(*fs->gpa));
    fs->runs = calloc(UDMABUF_RUNS_WANTED, sizeof(*fs->runs));
    fs->rows = malloc((size_t)FRAME_BAND * FRAME_ROW_MAX);
    fs->compose = malloc(VGPU_COMPOSE_SCRATCH);
    if (fs->gpa && fs->runs && fs->rows && fs->compose)
        return 0;
    frames_release(fs);
    return -ENOMEM;
}

static void frame_free(struct frames *fs, struct frame *f)
{
    if (fs->gone)
        fs->gone(fs->gone_ctx, f);
    if (f->map) {
        munmap(f->map, f->image.bytes);
        fs->copied_bytes -= f->image.bytes;
    }
    close(f->fd);
    free(f->pages);
    *f = (struct frame){.fd = -1};
}

void frames_release(struct frames *fs)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++)
        if (fs->slot[i].id)
            frame_free(fs, &fs->slot[i]);
    free(fs->gpa);
    free(fs->runs);
    free(fs->rows);
    free(fs->compose);
    fs->gpa = NULL;
    fs->runs = NULL;
    fs->rows = NULL;
    fs->compose = NULL;
}

void frame_ref(struct frame *f)
{
    f->refs++;
}

void frame_unref(struct frames *fs, struct frame *f)
{
    if (f && !--f->refs && f->stale)
        frame_free(fs, f);
}

void frames_forget_shared(struct frames *fs)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        struct frame *f = &fs->slot[i];

        if (!f->id || f->kind != FRAME_SHARED)
            continue;
        f->stale = true;
        if (!f->refs)
            frame_free(fs, f);
    }
}

void frames_trim(struct frames *fs)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++)
        if (fs->slot[i].id && !fs->slot[i].refs)
            frame_free(fs, &fs->slot[i]);
}

/* ---- slots */

/* The unused frame that was looked for longest ago; of copies only, when `copies`. */
static struct frame *oldest(struct frames *fs, bool copies)
{
    struct frame *found = NULL;

    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        struct frame *f = &fs->slot[i];

        if (f->id && !f->refs && (!copies || f->map) && (!found || f->used < found->used))
            found = f;
    }
    return found;
}

static struct frame *free_slot(struct frames *fs)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++)
        if (!fs->slot[i].id)
            return &fs->slot[i];
    struct frame *f = oldest(fs, false);

    if (f)
        frame_free(fs, f);
    return f;
}

/* A slot becomes a frame with one reference. */
static struct frame *frame_new(struct frames *fs, enum frame_kind kind, int fd, const struct frame_image *image,
                               const struct frame_key *key)
{
    struct frame *f = free_slot(fs);

    if (!f)
        return NULL;
    if (!++fs->next_id)
        fs->next_id = 1;
    *f = (struct frame){
        .id = fs->next_id, .kind = kind, .refs = 1, .fd = fd, .image = *image, .key = *key, .used = ++fs->clock};
    return f;
}

/* ---- shared */

static uint64_t surface_bytes(const struct frame_key *k)
{
    uint32_t w, h;

    vgpu_tile_shape(k->tiling, vgpu_format_cpp(k->format), &w, &h);
    return gt_align_up((uint64_t)k->stride * gt_align_up(k->rows, h), DISPLAY_PAGE);
}

static bool same_key(const struct frame_key *a, const struct frame_key *b)
{
    return a->ggtt == b->ggtt && a->stride == b->stride && a->width == b->width && a->rows == b->rows &&
           a->format == b->format && a->tiling == b->tiling;
}

/* The cached frame of these pages. One of the same surface with other pages is put aside. */
static struct frame *find_shared(struct frames *fs, const struct frame_key *k, size_t npages)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        struct frame *f = &fs->slot[i];

        if (!f->id || f->kind != FRAME_SHARED || f->stale || !same_key(&f->key, k))
            continue;
        if (f->npages == npages && !memcmp(f->pages, fs->gpa, npages * sizeof(*f->pages)))
            return f;
        f->stale = true;
        if (!f->refs)
            frame_free(fs, f);
    }
    return NULL;
}

static bool can_share(const struct frames *fs)
{
    return fs->host->dmabuf || (fs->host->runs && fs->udmabuf->fd >= 0);
}

/* A dma-buf of fs->gpa, or -errno. */
static int make_dmabuf(struct frames *fs, size_t npages)
{
    if (fs->host->dmabuf)
        return fs->host->dmabuf(fs->host->ctx, fs->gpa, npages);
    int n = fs->host->runs(fs->host->ctx, fs->gpa, npages, fs->runs, UDMABUF_RUNS_WANTED);

    return n < 0 ? n : fs->create(fs->udmabuf, fs->runs, (size_t)n);
}

static struct frame *make_shared(struct frames *fs, const struct frame_key *k, size_t npages)
{
    const struct frame_image image = {.fourcc = display_fourcc(k->format),
                                      .width = k->width,
                                      .height = k->rows,
                                      .stride = k->stride,
                                      .modifier = display_modifier(k->tiling),
                                      .bytes = (uint64_t)npages * DISPLAY_PAGE};
    uint64_t *pages = malloc(npages * sizeof(*pages));
    int fd = pages ? make_dmabuf(fs, npages) : -ENOMEM;
    struct frame *f = fd >= 0 ? frame_new(fs, FRAME_SHARED, fd, &image, k) : NULL;

    if (!f) {
        if (fd >= 0)
            close(fd);
        free(pages);
        if (fd < 0 && fd != fs->told_error)
            GT_GUEST_LOG(&fs->log_rl, "a picture of %ux%u cannot be shared and is copied: %s", k->width, k->rows,
                         strerror(-fd));
        fs->told_error = fd < 0 ? fd : fs->told_error;
        fs->stats.refused++;
        return NULL;
    }
    memcpy(pages, fs->gpa, npages * sizeof(*pages));
    f->pages = pages;
    f->npages = (uint32_t)npages;
    fs->stats.shared++;
    return f;
}

static struct frame *shared_frame(struct frames *fs, const struct frame_key *k)
{
    const size_t npages = surface_bytes(k) / DISPLAY_PAGE;

    if (npages > FRAME_PAGES_MAX || !can_share(fs) || !fs->host->enter(fs->host->ctx))
        return NULL;
    fs->host->pages(fs->host->ctx, k->ggtt, npages, fs->gpa);
    struct frame *f = find_shared(fs, k, npages);

    if (f) {
        f->refs++;
        fs->stats.hits++;
    } else {
        f = make_shared(fs, k, npages);
    }
    fs->host->leave(fs->host->ctx);
    if (f)
        f->used = ++fs->clock;
    return f;
}

static enum vgpu_format without_alpha(enum vgpu_format f)
{
    return f == VGPU_FMT_ARGB8888 ? VGPU_FMT_XRGB8888 : f == VGPU_FMT_ABGR8888 ? VGPU_FMT_XBGR8888 : f;
}

/* ---- copied and composed */

/* A frame that nobody uses any more, of this kind and size. */
static struct frame *reuse(struct frames *fs, enum frame_kind kind, const struct frame_image *image)
{
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        struct frame *f = &fs->slot[i];

        if (f->id && !f->refs && f->kind == kind && !memcmp(&f->image, image, sizeof(*image)))
            return f;
    }
    return NULL;
}

/* Sealed, so that no viewer has to fear a shorter file below its mapping. */
static int make_memory(uint64_t bytes, uint8_t **map)
{
    int fd = memfd_create("gtmux-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    *map = MAP_FAILED;
    if (!ftruncate(fd, (off_t)bytes) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
        *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*map != MAP_FAILED)
        return fd;
    int error = errno;

    close(fd);
    return -error;
}

static struct frame *new_copy(struct frames *fs, enum frame_kind kind, const struct frame_image *image)
{
    const struct frame_key no_key = {0};
    struct frame *old;
    uint8_t *map;

    while (fs->copied_bytes + image->bytes > FRAME_BYTES_MAX && (old = oldest(fs, true)))
        frame_free(fs, old);
    if (fs->copied_bytes + image->bytes > FRAME_BYTES_MAX)
        return NULL;
    int fd = make_memory(image->bytes, &map);
    struct frame *f = fd >= 0 ? frame_new(fs, kind, fd, image, &no_key) : NULL;

    if (!f && fd >= 0) {
        munmap(map, image->bytes);
        close(fd);
    }
    if (!f)
        return NULL;
    f->map = map;
    fs->copied_bytes += image->bytes;
    return f;
}

static struct frame *copy_frame(struct frames *fs, enum frame_kind kind, uint32_t fourcc, uint32_t width,
                                uint32_t height, unsigned cpp)
{
    struct frame_image image;

    memset(&image, 0, sizeof(image)); /* it is compared as bytes */
    image.fourcc = fourcc;
    image.width = width;
    image.height = height;
    image.stride = (uint32_t)gt_align_up((uint64_t)width * cpp, FRAME_STRIDE_ALIGN);
    image.modifier = display_modifier(VGPU_LINEAR);
    image.bytes = gt_align_up((uint64_t)image.stride * height, DISPLAY_PAGE);
    struct frame *f = reuse(fs, kind, &image);

    if (f) {
        f->refs = 1;
        f->used = ++fs->clock;
        return f;
    }
    return new_copy(fs, kind, &image);
}

struct frame *frames_share(struct frames *fs, const struct vgpu_surface *s, bool opaque, uint32_t *x, uint32_t *y)
{
    const struct frame_key k = {
        .ggtt = s->ggtt,
        .stride = s->stride_bytes,
        .width = s->src_x + s->width,
        .rows = s->src_y + s->height,
        .format = opaque ? without_alpha(s->format) : s->format,
        .tiling = s->tiling,
    };

    *x = s->src_x;
    *y = s->src_y;
    return shared_frame(fs, &k);
}

struct frame *frames_copy(struct frames *fs, const struct vgpu_surface *s, bool opaque)
{
    const enum vgpu_format format = opaque ? without_alpha(s->format) : s->format;
    struct frame *f =
        copy_frame(fs, FRAME_COPIED, display_fourcc(format), s->width, s->height, vgpu_format_cpp(format));

    if (f)
        frame_fill_plane(fs, f, s);
    return f;
}

struct frame *frames_compose(struct frames *fs, const struct vgpu_scanout *s)
{
    struct frame *f =
        copy_frame(fs, FRAME_COMPOSED, display_fourcc(VGPU_FMT_XRGB8888), s->width, s->height, sizeof(uint32_t));

    if (f)
        frame_fill_composed(fs, f, s);
    return f;
}
