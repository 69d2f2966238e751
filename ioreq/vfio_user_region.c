/* REGION_READ and REGION_WRITE: the trapped accesses. */
#include <errno.h>
#include <string.h>

#include "ioreq/vfio_user_internal.h"
#include "vgpu/base/bits.h"

/* Checks the request of both; a is the private copy. 0 or -EINVAL. */
static int check_access(const struct vfio_user *s, const struct vu_message *m, bool write, struct vu_region_access *a)
{
    if (m->len < sizeof(*a))
        return -EINVAL;
    memcpy(a, m->body, sizeof(*a));
    if (a->count > VU_MAX_XFER || m->len != sizeof(*a) + (write ? a->count : 0))
        return -EINVAL;
    if (a->region >= IOREQ_REGIONS)
        return -EINVAL;
    const struct ioreq_region_info *r = &s->cfg.region[a->region];

    if (!gt_range_ok(a->offset, a->count, r->size) || !(write ? r->writable : r->readable))
        return -EINVAL;
    return 0;
}

/* The CPU reaches config space with at most 4 bytes at a time; memory with 8. */
static unsigned widest(uint32_t region)
{
    return region == IOREQ_CONFIG ? 4 : 8;
}

/* Size of the next access of a transfer: all of it when a CPU could do that in one go, else an aligned piece. */
static unsigned piece(uint32_t region, uint64_t off, uint32_t left)
{
    unsigned size = widest(region);

    if (left <= size && !(left & (left - 1)))
        return left;
    while (size > left || off % size)
        size /= 2;
    return size;
}

int vu_region_read(struct vfio_user *s, struct vu_message *m)
{
    struct vu_region_access a;
    int ret = check_access(s, m, false, &a);

    if (ret)
        return ret;
    memcpy(m->reply, &a, sizeof(a));
    m->reply_len = sizeof(a) + a.count;
    uint8_t *data = m->reply + sizeof(a);

    for (uint32_t done = 0; done < a.count;) {
        struct ioreq_access io = {.region = (uint8_t)a.region, .off = a.offset + done};

        io.size = (uint8_t)piece(a.region, io.off, a.count - done);
        s->events.access(s->cfg.ctx, &io);
        memcpy(data + done, &io.data, io.size); /* little endian, as this host */
        done += io.size;
    }
    return 0;
}

int vu_region_write(struct vfio_user *s, struct vu_message *m)
{
    struct vu_region_access a;
    int ret = check_access(s, m, true, &a);

    if (ret)
        return ret;
    const uint8_t *data = m->body + sizeof(a);

    for (uint32_t done = 0; done < a.count;) {
        struct ioreq_access io = {.region = (uint8_t)a.region, .write = true, .off = a.offset + done};

        io.size = (uint8_t)piece(a.region, io.off, a.count - done);
        memcpy(&io.data, data + done, io.size);
        s->events.access(s->cfg.ctx, &io);
        done += io.size;
    }
    memcpy(m->reply, &a, sizeof(a));
    m->reply_len = sizeof(a);
    return 0;
}
