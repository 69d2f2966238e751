/* The commands: a table, and those handlers that are only a few lines. */
#include <errno.h>
#include <string.h>

#include "ioreq/vfio_user_internal.h"
#include "vgpu/base/bits.h"

static int check_dma_map(const struct vfio_user *s, const struct vu_message *m, const struct vu_dma_map *d)
{
    if (d->argsz < sizeof(*d) || d->flags & ~(uint32_t)(VU_DMA_MAP_READ | VU_DMA_MAP_WRITE | VU_DMA_MAP_MMAP))
        return -EINVAL;
    if (m->nfds > 1 || ((d->flags & VU_DMA_MAP_MMAP) && !m->nfds))
        return -EINVAL;
    return dma_check(&s->map, d->addr, d->size);
}

/* Faults of the guest's set-up that a person can mend. */
static void log_dma_map(struct vfio_user *s, const struct vu_message *m, const struct vu_dma_map *d, int error)
{
    unsigned long long first = d->addr, last = d->addr + d->size - 1;

    if (error == -ERANGE)
        GT_GUEST_LOG(&s->log_rl, "vfio-user: memory %#llx-%#llx: its file is shorter than offset %#llx and that size",
                     first, last, (unsigned long long)d->offset);
    else if (error)
        GT_GUEST_LOG(&s->log_rl, "vfio-user: memory %#llx-%#llx cannot be mapped: %s", first, last, strerror(-error));
    else if (!m->nfds && !d->addr)
        GT_GUEST_LOG(&s->log_rl, "vfio-user: the guest's RAM at 0 is not shared, the GPU cannot reach it: start QEMU "
                                 "with a memory-backend-memfd object that has share=on as the machine's "
                                 "memory-backend");
}

static int dma_map(struct vfio_user *s, struct vu_message *m)
{
    struct vu_dma_map d;

    memcpy(&d, m->body, sizeof(d));
    int ret = check_dma_map(s, m, &d);

    if (ret)
        return ret;
    struct dma_range r = {
        .gpa = d.addr,
        .size = d.size,
        .readable = d.flags & VU_DMA_MAP_READ,
        .writable = d.flags & VU_DMA_MAP_WRITE,
    };

    /* Without a file it is a ROM or a device's BAR: remembered, so that its unmap is known, but never read. */
    if (m->nfds)
        ret = dma_map_file(&r, m->fds[0], d.offset);
    log_dma_map(s, m, &d, ret);
    if (ret)
        return ret;
    vu_memory_begin(s);
    ret = m->nfds ? dma_add_file(&s->map, &r, m->fds[0]) : dma_add(&s->map, &r);
    vu_memory_end(s);
    if (ret)
        dma_unmap_file(&r);
    return ret;
}

static int unmap(struct vfio_user *s, const struct vu_dma_unmap *d)
{
    int ret = 0;

    vu_memory_begin(s);
    if (d->flags & VU_DMA_UNMAP_ALL)
        dma_clear(&s->map);
    else
        ret = dma_remove(&s->map, d->addr, d->size);
    vu_memory_end(s);
    return ret;
}

static int dma_unmap(struct vfio_user *s, struct vu_message *m)
{
    struct vu_dma_unmap d;

    memcpy(&d, m->body, sizeof(d));
    if (d.flags & VU_DMA_UNMAP_DIRTY_BITMAP)
        return -ENOTSUP; /* no dirty tracking */
    if (d.argsz < sizeof(d) || d.flags & ~(uint32_t)VU_DMA_UNMAP_ALL)
        return -EINVAL;
    if ((d.flags & VU_DMA_UNMAP_ALL) && (d.addr || d.size))
        return -EINVAL;
    int ret = unmap(s, &d);

    if (ret)
        return ret;
    d.argsz = sizeof(d);
    memcpy(m->reply, &d, sizeof(d));
    m->reply_len = sizeof(d);
    return 0;
}

static int get_info(struct vfio_user *s, struct vu_message *m)
{
    struct vu_device_info i;

    (void)s;
    memcpy(&i, m->body, sizeof(i));
    if (i.argsz < sizeof(i))
        return -EINVAL;
    i = (struct vu_device_info){
        .argsz = sizeof(i),
        .flags = VU_DEVICE_RESETTABLE | VU_DEVICE_PCI,
        .num_regions = IOREQ_REGIONS,
        .num_irqs = VU_IRQ_INDEXES,
    };
    memcpy(m->reply, &i, sizeof(i));
    m->reply_len = sizeof(i);
    return 0;
}

/*
 * A client asks twice about a region that it may map: the first reply, for which it gave too little room, only tells
 * how much is needed. QEMU checks cap_offset already there, and would leak a descriptor that came with it.
 */
static void offer_mmap(const struct ioreq_region_info *r, uint32_t room, struct vu_region_info_caps *c,
                       struct vu_message *m)
{
    c->info.flags |= VU_REGION_MMAP | VU_REGION_CAPS;
    c->info.argsz = sizeof(*c);
    c->info.cap_offset = sizeof(c->info);
    c->info.offset = r->mmap_fd_off - r->mmap_off; /* modulo 2^64: the client adds area_offset */
    if (room < sizeof(*c))
        return;
    c->sparse = (struct vu_sparse_mmap){
        .id = VU_CAP_SPARSE_MMAP,
        .version = 1,
        .nr_areas = 1,
        .area_offset = r->mmap_off,
        .area_size = r->mmap_size,
    };
    m->reply_len = sizeof(*c);
    m->reply_fd = r->mmap_fd;
}

static int get_region_info(struct vfio_user *s, struct vu_message *m)
{
    struct vu_region_info_caps c = {.info = {0}};

    memcpy(&c.info, m->body, sizeof(c.info));
    uint32_t room = c.info.argsz, index = c.info.index;

    if (room < sizeof(c.info) || index >= IOREQ_REGIONS)
        return -EINVAL;
    const struct ioreq_region_info *r = &s->cfg.region[index];

    c.info = (struct vu_region_info){.argsz = sizeof(c.info), .index = index, .size = r->size};
    m->reply_len = sizeof(c.info);
    if (r->size && r->readable)
        c.info.flags |= VU_REGION_READABLE;
    if (r->size && r->writable)
        c.info.flags |= VU_REGION_WRITABLE;
    if (r->size && r->mmap_fd >= 0 && r->mmap_size && s->client_fds)
        offer_mmap(r, room, &c, m);
    memcpy(m->reply, &c, m->reply_len);
    return 0;
}

/* No region has ioeventfds. */
static int get_region_io_fds(struct vfio_user *s, struct vu_message *m)
{
    struct vu_region_io_fds f;

    (void)s;
    memcpy(&f, m->body, sizeof(f));
    if (f.argsz < sizeof(f) || f.flags || f.count || f.index >= IOREQ_REGIONS)
        return -EINVAL;
    f.argsz = sizeof(f);
    memcpy(m->reply, &f, sizeof(f));
    m->reply_len = sizeof(f);
    return 0;
}

static int reset(struct vfio_user *s, struct vu_message *m)
{
    (void)m;
    if (s->events.reset)
        s->events.reset(s->cfg.ctx);
    return 0;
}

static int not_supported(struct vfio_user *s, struct vu_message *m)
{
    (void)s;
    (void)m;
    return -ENOTSUP;
}

static const struct command {
    int (*run)(struct vfio_user *s, struct vu_message *m);
    uint32_t min_len; /* of the body */
    bool takes_fds;
} commands[] = {
    [VU_VERSION] = {vu_version, sizeof(struct vu_version), false},
    [VU_DMA_MAP] = {dma_map, sizeof(struct vu_dma_map), true},
    [VU_DMA_UNMAP] = {dma_unmap, sizeof(struct vu_dma_unmap), false},
    [VU_DEVICE_GET_INFO] = {get_info, sizeof(struct vu_device_info), false},
    [VU_DEVICE_GET_REGION_INFO] = {get_region_info, sizeof(struct vu_region_info), false},
    [VU_DEVICE_GET_REGION_IO_FDS] = {get_region_io_fds, sizeof(struct vu_region_io_fds), false},
    [VU_DEVICE_GET_IRQ_INFO] = {vu_get_irq_info, sizeof(struct vu_irq_info), false},
    [VU_DEVICE_SET_IRQS] = {vu_set_irqs, sizeof(struct vu_irq_set), true},
    [VU_REGION_READ] = {vu_region_read, sizeof(struct vu_region_access), false},
    [VU_REGION_WRITE] = {vu_region_write, sizeof(struct vu_region_access), false},
    [VU_DMA_READ] = {not_supported, 0, false},
    [VU_DMA_WRITE] = {not_supported, 0, false},
    [VU_DEVICE_RESET] = {reset, 0, false},
    [VU_DIRTY_PAGES] = {not_supported, 0, false},
    [VU_REGION_WRITE_MULTI] = {not_supported, 0, false},
    [VU_DEVICE_FEATURE] = {not_supported, 0, false},
    [VU_MIG_DATA_READ] = {not_supported, 0, false},
    [VU_MIG_DATA_WRITE] = {not_supported, 0, false},
};

int vu_command(struct vfio_user *s, struct vu_message *m)
{
    if (m->h.command >= GT_ARRAY_SIZE(commands) || !commands[m->h.command].run)
        return -EINVAL;
    const struct command *c = &commands[m->h.command];

    if (!s->ready && m->h.command != VU_VERSION)
        return -EINVAL;
    if (m->len < c->min_len || m->fds_lost || (m->nfds && !c->takes_fds))
        return -EINVAL;
    return c->run(s, m);
}
