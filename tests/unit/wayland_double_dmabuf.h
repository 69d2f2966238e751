/* linux-dmabuf of the compositor that is a test double. */
#ifndef GTMUX_TESTS_WAYLAND_DOUBLE_DMABUF_H
#define GTMUX_TESTS_WAYLAND_DOUBLE_DMABUF_H

#include "wayland_double_state.h"

static inline void on_buffer_gone(struct wl_resource *r)
{
    of(r)->buffers_destroyed++;
    if (of(r)->current == r)
        of(r)->current = NULL;
}

static const struct wl_buffer_interface double_buffer = {.destroy = do_destroy};

static inline void do_add(struct wl_client *c, struct wl_resource *r, int32_t fd, uint32_t plane, uint32_t offset,
                          uint32_t stride, uint32_t high, uint32_t low)
{
    struct wayland_double *d = of(r);

    (void)c, (void)plane, (void)offset;
    fstat(fd, &d->memory);
    close(fd);
    d->stride = stride;
    d->modifier = (uint64_t)high << 32 | low;
}

static inline void on_params_gone(struct wl_resource *r)
{
    if (of(r)->params == r)
        of(r)->params = NULL;
}

static inline void do_create(struct wl_client *c, struct wl_resource *r, int32_t width, int32_t height, uint32_t fourcc,
                             uint32_t flags)
{
    struct wayland_double *d = of(r);

    (void)c, (void)flags;
    d->width = (uint32_t)width;
    d->height = (uint32_t)height;
    d->fourcc = fourcc;
    d->imports++;
    if (d->refuse)
        zwp_linux_buffer_params_v1_send_failed(r);
    else
        d->params = r; /* until double_import */
}

static const struct zwp_linux_buffer_params_v1_interface double_params = {
    .destroy = do_destroy, .add = do_add, .create = do_create};

/* Ends the import that is under way. */
static inline void double_import(struct wayland_double *d)
{
    struct wl_resource *buffer = wl_resource_create(d->client, &wl_buffer_interface, 1, 0);

    wl_resource_set_implementation(buffer, &double_buffer, d, on_buffer_gone);
    zwp_linux_buffer_params_v1_send_created(d->params, buffer);
    d->params = NULL;
}

static inline void do_create_params(struct wl_client *c, struct wl_resource *r, uint32_t id)
{
    struct wl_resource *p =
        wl_resource_create(c, &zwp_linux_buffer_params_v1_interface, wl_resource_get_version(r), id);

    wl_resource_set_implementation(p, &double_params, of(r), on_params_gone);
}

static const struct zwp_linux_dmabuf_feedback_v1_interface double_feedback = {.destroy = do_destroy};

/* All formats in one tranche, and one that the table has not. */
static inline void do_get_feedback(struct wl_client *c, struct wl_resource *r, uint32_t id)
{
    struct wayland_double *d = of(r);
    struct wl_resource *f = make(c, &zwp_linux_dmabuf_feedback_v1_interface, 4, id, &double_feedback, d);
    const size_t bytes = d->nformats * sizeof(d->formats[0]);
    int fd = memfd_create("table", MFD_CLOEXEC);
    struct wl_array indices;

    if (fd < 0 || write(fd, d->formats, bytes) != (ssize_t)bytes)
        abort();
    zwp_linux_dmabuf_feedback_v1_send_format_table(f, fd, (uint32_t)bytes);
    close(fd);
    wl_array_init(&indices);
    for (uint16_t i = 0; i < d->nformats; i++)
        *(uint16_t *)wl_array_add(&indices, sizeof(i)) = i;
    *(uint16_t *)wl_array_add(&indices, sizeof(uint16_t)) = UINT16_MAX;
    zwp_linux_dmabuf_feedback_v1_send_tranche_formats(f, &indices);
    zwp_linux_dmabuf_feedback_v1_send_tranche_done(f);
    zwp_linux_dmabuf_feedback_v1_send_done(f);
    wl_array_release(&indices);
}

static const struct zwp_linux_dmabuf_v1_interface double_dmabuf = {
    .destroy = do_destroy, .create_params = do_create_params, .get_default_feedback = do_get_feedback};

static inline void bind_dmabuf(struct wl_client *c, void *data, uint32_t version, uint32_t id)
{
    struct wayland_double *d = data;
    struct wl_resource *r = make(c, &zwp_linux_dmabuf_v1_interface, version, id, &double_dmabuf, d);

    for (unsigned i = 0; version == 3 && i < d->nformats; i++)
        zwp_linux_dmabuf_v1_send_modifier(r, d->formats[i].fourcc, (uint32_t)(d->formats[i].modifier >> 32),
                                          (uint32_t)d->formats[i].modifier);
}

#endif
