/* What the compositor is given to read: the guest's memory as dma-bufs, gtmux-dm's copies, and copies of our own. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "display/pixels.h"
#include "display/wayland_internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

/* ---- formats */

static void add_format(struct wayland *w, uint32_t fourcc, uint64_t modifier)
{
    if (modifier == DRM_FORMAT_MOD_INVALID || w->nformats == FORMATS_MAX)
        return; /* a layout that both ends would have to guess */
    if (!w->formats && !(w->formats = calloc(FORMATS_MAX, sizeof(*w->formats))))
        return;
    w->formats[w->nformats++] = (struct wformat){fourcc, modifier};
}

static bool takes(const struct wayland *w, uint32_t fourcc, uint64_t modifier)
{
    for (unsigned i = 0; i < w->nformats; i++)
        if (w->formats[i].fourcc == fourcc && w->formats[i].modifier == modifier)
            return true;
    return false;
}

static void on_format(void *ctx, struct zwp_linux_dmabuf_v1 *d, uint32_t format)
{
    (void)ctx, (void)d, (void)format; /* without its modifiers it says too little */
}

/* Until version 3 */
static void on_modifier(void *ctx, struct zwp_linux_dmabuf_v1 *d, uint32_t format, uint32_t high, uint32_t low)
{
    (void)d;
    add_format(ctx, format, (uint64_t)high << 32 | low);
}

static const struct zwp_linux_dmabuf_v1_listener dmabuf_listener = {.format = on_format, .modifier = on_modifier};

static void unmap_table(struct wayland *w)
{
    if (w->table)
        munmap(w->table, w->table_bytes);
    w->table = NULL;
    w->ntable = 0;
}

/* From version 4 on: a table of format, 4 bytes of padding and modifier, and tranches of indices into it. */
_Static_assert(sizeof(struct wformat) == 16 && offsetof(struct wformat, modifier) == 8, "mapped as it comes");

static void on_table(void *ctx, struct zwp_linux_dmabuf_feedback_v1 *f, int32_t fd, uint32_t size)
{
    struct wayland *w = ctx;
    void *p = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;

    (void)f;
    close(fd);
    unmap_table(w);
    w->table_bytes = size;
    w->table = p == MAP_FAILED ? NULL : p;
    w->ntable = w->table ? (unsigned)(size / sizeof(*w->table)) : 0;
}

static void on_tranche_formats(void *ctx, struct zwp_linux_dmabuf_feedback_v1 *f, struct wl_array *indices)
{
    struct wayland *w = ctx;
    const uint16_t *i;

    (void)f;
    wl_array_for_each(i, indices)
    {
        if (*i < w->ntable && !takes(w, w->table[*i].fourcc, w->table[*i].modifier))
            add_format(w, w->table[*i].fourcc, w->table[*i].modifier);
    }
}

static void on_feedback_done(void *ctx, struct zwp_linux_dmabuf_feedback_v1 *f)
{
    (void)ctx, (void)f;
}

static void on_device(void *ctx, struct zwp_linux_dmabuf_feedback_v1 *f, struct wl_array *device)
{
    (void)ctx, (void)f, (void)device; /* the memory is the guest's: there is no choice */
}

static void on_flags(void *ctx, struct zwp_linux_dmabuf_feedback_v1 *f, uint32_t flags)
{
    (void)ctx, (void)f, (void)flags;
}

static const struct zwp_linux_dmabuf_feedback_v1_listener feedback_listener = {
    .done = on_feedback_done,
    .format_table = on_table,
    .main_device = on_device,
    .tranche_done = on_feedback_done,
    .tranche_target_device = on_device,
    .tranche_formats = on_tranche_formats,
    .tranche_flags = on_flags,
};

void wbuffer_listen_dmabuf(struct wayland *w)
{
    zwp_linux_dmabuf_v1_add_listener(w->dmabuf, &dmabuf_listener, w);
    if (zwp_linux_dmabuf_v1_get_version(w->dmabuf) < ZWP_LINUX_DMABUF_V1_GET_DEFAULT_FEEDBACK_SINCE_VERSION)
        return;
    w->feedback = zwp_linux_dmabuf_v1_get_default_feedback(w->dmabuf);
    zwp_linux_dmabuf_feedback_v1_add_listener(w->feedback, &feedback_listener, w);
}

void wbuffer_forget_formats(struct wayland *w)
{
    if (w->feedback)
        zwp_linux_dmabuf_feedback_v1_destroy(w->feedback);
    w->feedback = NULL;
    unmap_table(w);
    free(w->formats);
    w->formats = NULL;
    w->nformats = 0;
}

static void on_shm_format(void *ctx, struct wl_shm *shm, uint32_t format)
{
    struct wayland *w = ctx;

    (void)shm;
    if (w->nshm < SHM_FORMATS)
        w->shm_format[w->nshm++] = format;
}

const struct wl_shm_listener wbuffer_shm_listener = {.format = on_shm_format};

/* The compositor's number of a format in shared memory; false: it does not take it. */
static bool shm_takes(const struct wayland *w, uint32_t fourcc, uint32_t *format)
{
    *format = fourcc == DRM_FORMAT_XRGB8888 ? WL_SHM_FORMAT_XRGB8888 : fourcc;
    for (unsigned i = 0; i < w->nshm; i++)
        if (w->shm_format[i] == *format)
            return true;
    return false;
}

/* ---- life */

static void on_release(void *ctx, struct wl_buffer *buffer)
{
    struct wbuffer *b = ctx;

    (void)buffer;
    b->busy = false;
    wpicture_released(b->w, b);
}

static const struct wl_buffer_listener buffer_listener = {.release = on_release};

static void set_buffer(struct wbuffer *b, struct wl_buffer *buffer)
{
    b->buffer = buffer;
    if (buffer)
        wl_buffer_add_listener(buffer, &buffer_listener, b);
}

void wbuffer_destroy(struct wbuffer *b)
{
    if (b->params)
        zwp_linux_buffer_params_v1_destroy(b->params);
    if (b->buffer)
        wl_buffer_destroy(b->buffer);
    if (b->map)
        munmap(b->map, b->bytes);
    if (b->own)
        *b = (struct wbuffer){0};
    else {
        wl_list_remove(&b->link);
        free(b);
    }
}

void wbuffer_drop(struct wbuffer *b)
{
    if (b && !b->own && !b->frame && !b->params && !b->busy && b != b->w->shown && b != b->w->before)
        wbuffer_destroy(b);
}

/* ---- the guest's memory */

static void on_created(void *ctx, struct zwp_linux_buffer_params_v1 *params, struct wl_buffer *buffer)
{
    struct wbuffer *b = ctx;

    zwp_linux_buffer_params_v1_destroy(params);
    b->params = NULL;
    set_buffer(b, buffer);
    wbuffer_drop(b);
}

static void on_failed(void *ctx, struct zwp_linux_buffer_params_v1 *params)
{
    struct wbuffer *b = ctx;

    zwp_linux_buffer_params_v1_destroy(params);
    b->params = NULL;
    b->refused = true;
    b->w->stats.refused++;
    if (b->w->stats.refused == 1)
        gt_info("wayland: the compositor cannot import the guest's memory, it is copied");
    wbuffer_drop(b);
}

static const struct zwp_linux_buffer_params_v1_listener params_listener = {.created = on_created, .failed = on_failed};

/* Asks for an import of the whole frame: it may fail, so the answer has to be waited for. */
static void import(struct wayland *w, struct wbuffer *b, const struct viewer_frame *f)
{
    b->params = zwp_linux_dmabuf_v1_create_params(w->dmabuf);
    zwp_linux_buffer_params_v1_add_listener(b->params, &params_listener, b);
    zwp_linux_buffer_params_v1_add(b->params, f->fd, 0, 0, f->stride, (uint32_t)(f->modifier >> 32),
                                   (uint32_t)f->modifier);
    zwp_linux_buffer_params_v1_create(b->params, (int32_t)f->width, (int32_t)f->height, pixels_opaque(f->fourcc), 0);
}

static struct wl_buffer *shm_buffer(struct wayland *w, int fd, size_t bytes, size_t offset, struct size size,
                                    uint32_t stride, uint32_t format)
{
    struct wl_shm_pool *pool = wl_shm_create_pool(w->shm, fd, (int32_t)bytes);
    struct wl_buffer *b = pool ? wl_shm_pool_create_buffer(pool, (int32_t)offset, (int32_t)size.width,
                                                           (int32_t)size.height, (int32_t)stride, format)
                               : NULL;

    if (pool)
        wl_shm_pool_destroy(pool);
    return b;
}

/* gtmux-dm's copy as it is: a memfd that cannot get shorter, as viewer.c has made sure. */
static void pass(struct wayland *w, struct wbuffer *b, const struct viewer_frame *f, uint32_t format)
{
    const struct size size = {w->flip.width, w->flip.height};

    b->x = w->flip.x;
    b->y = w->flip.y;
    b->size = size;
    set_buffer(b, shm_buffer(w, f->fd, (size_t)f->bytes, (size_t)b->y * f->stride + (size_t)b->x * 4, size, f->stride,
                             format));
}

static bool whole(const struct wayland *w, const struct viewer_frame *f)
{
    return !w->flip.x && !w->flip.y && w->flip.width == f->width && w->flip.height == f->height;
}

/* A passed buffer shows a part of its frame; another part is another buffer. */
static bool fits(const struct wayland *w, const struct wbuffer *b)
{
    return !b->size.width || (b->x == w->flip.x && b->y == w->flip.y && b->size.width == w->flip.width &&
                              b->size.height == w->flip.height);
}

struct wbuffer *wbuffer_of_frame(struct wayland *w, struct viewer_frame *f, bool *wait)
{
    struct wbuffer *b = f->user;
    const uint32_t fourcc = pixels_opaque(f->fourcc);
    uint32_t format = 0;
    bool as_dmabuf = f->shared && takes(w, fourcc, f->modifier) && (w->viewport || whole(w, f));
    bool as_shm = !f->shared && f->tiling == VGPU_LINEAR && vgpu_format_cpp(f->format) == 4 && f->bytes <= INT32_MAX &&
                  f->stride % 4 == 0 && shm_takes(w, fourcc, &format);

    *wait = false;
    if (w->opt.copy || (!as_dmabuf && !as_shm))
        return NULL;
    if (b && !fits(w, b)) {
        b->frame = NULL;
        f->user = NULL;
        wbuffer_drop(b);
        b = NULL;
    }
    if (!b && (b = calloc(1, sizeof(*b)))) {
        *b = (struct wbuffer){.w = w, .frame = f};
        wl_list_insert(&w->buffers, &b->link);
        f->user = b;
        if (as_dmabuf)
            import(w, b, f);
        else
            pass(w, b, f, format);
    }
    *wait = b && b->params;
    return b && b->buffer ? b : NULL;
}

/* ---- our own */

/* A memfd of so many bytes, mapped. -1: no memory. */
static int make_memory(size_t bytes, uint8_t **map)
{
    int fd = memfd_create("gtmux-view", MFD_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0 && !ftruncate(fd, (off_t)bytes))
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED && fd >= 0) {
        close(fd);
        fd = -1;
    }
    *map = p == MAP_FAILED ? NULL : p;
    return fd;
}

static bool make_own(struct wayland *w, struct wbuffer *b)
{
    const struct size size = {w->flip.width, w->flip.height};
    const uint32_t stride = size.width * 4;
    const size_t bytes = (size_t)stride * size.height;
    uint8_t *map;
    int fd = make_memory(bytes, &map);

    if (fd < 0)
        return false;
    *b = (struct wbuffer){
        .w = w, .own = true, .map = map, .bytes = bytes, .size = size, .stride = stride, .end = size.height};
    set_buffer(b, shm_buffer(w, fd, bytes, 0, size, stride, WL_SHM_FORMAT_XRGB8888));
    close(fd);
    if (!b->buffer)
        wbuffer_destroy(b);
    return b->map != NULL;
}

struct wbuffer *wbuffer_own(struct wayland *w)
{
    for (unsigned i = 0; i < POOL; i++) {
        struct wbuffer *b = &w->pool[i];

        if (b->busy)
            continue;
        if (b->buffer && b->size.width == w->flip.width && b->size.height == w->flip.height)
            return b;
        if (b->buffer) {
            if (w->shown == b)
                w->shown = NULL;
            wbuffer_destroy(b);
        }
        return make_own(w, b) ? b : NULL;
    }
    return NULL;
}

struct wl_buffer *wbuffer_of_pixels(struct wayland *w, const uint8_t *from, size_t from_stride, struct size size)
{
    const uint32_t stride = size.width * 4;
    const size_t bytes = (size_t)stride * size.height;
    uint8_t *map;
    int fd = make_memory(bytes, &map);

    if (fd < 0)
        return NULL;
    for (uint32_t y = 0; y < size.height; y++)
        memcpy(map + (size_t)y * stride, from + y * from_stride, stride);
    munmap(map, bytes);
    struct wl_buffer *b = shm_buffer(w, fd, bytes, 0, size, stride, WL_SHM_FORMAT_ARGB8888);

    close(fd);
    return b;
}
