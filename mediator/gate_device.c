#include "mediator/gate_device.h"

#include <stdlib.h>

#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

/* vgpu.h: config space takes 1, 2 or 4 bytes; a wider access is two. */
static uint64_t config_read(struct vgpu *v, uint64_t off, unsigned size)
{
    if (!gt_range_ok(off, size, VGPU_CFG_SIZE))
        return 0;
    if (size == 8)
        return vgpu_cfg_read(v, (uint32_t)off, 4) | (uint64_t)vgpu_cfg_read(v, (uint32_t)off + 4, 4) << 32;
    return vgpu_cfg_read(v, (uint32_t)off, size);
}

static void config_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t data)
{
    if (!gt_range_ok(off, size, VGPU_CFG_SIZE))
        return;
    vgpu_cfg_write(v, (uint32_t)off, GT_MIN(size, 4u), (uint32_t)data);
    if (size == 8)
        vgpu_cfg_write(v, (uint32_t)off + 4, 4, (uint32_t)(data >> 32));
}

static uint64_t device_read(struct vgpu *v, unsigned region, uint64_t off, unsigned size)
{
    switch (region) {
    case IOREQ_BAR0:
        return vgpu_mmio_read(v, off, size);
    case IOREQ_BAR2:
        return vgpu_aperture_read(v, off, size);
    case IOREQ_BAR4:
        return vgpu_io_read(v, off, size);
    case IOREQ_CONFIG:
        return config_read(v, off, size);
    default:
        return 0;
    }
}

static void device_write(struct vgpu *v, unsigned region, uint64_t off, unsigned size, uint64_t data)
{
    switch (region) {
    case IOREQ_BAR0:
        vgpu_mmio_write(v, off, size, data);
        break;
    case IOREQ_BAR2:
        vgpu_aperture_write(v, off, size, data);
        break;
    case IOREQ_BAR4:
        vgpu_io_write(v, off, size, data);
        break;
    case IOREQ_CONFIG:
        config_write(v, off, size, data);
        break;
    default:
        break;
    }
}

void device_access(struct vgpu *v, struct ioreq_access *a)
{
    if (a->write)
        device_write(v, a->region, a->off, a->size, a->data);
    else
        a->data = device_read(v, a->region, a->off, a->size);
}

bool device_scanout(struct vgpu *v, unsigned head, struct vgpu_scanout *out)
{
    int pipe = head < VGPU_HEADS ? vgpu_head_pipe(v, head) : -1;

    return pipe >= 0 && vgpu_scanout(v, (unsigned)pipe, out);
}

void device_snapshot(struct vgpu *v, struct device_snapshot *out)
{
    out->state = vgpu_state_hash(v);
    for (unsigned head = 0; head < VGPU_HEADS; head++)
        out->lit[head] = device_scanout(v, head, &out->scanout[head]);
}

int device_reader(void *opaque, uint64_t ggtt, void *dst, size_t n)
{
    return vgpu_ggtt_read(opaque, ggtt, dst, n);
}

/* FNV-1a over words (Fowler/Noll/Vo, 64-bit parameters). */
static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * UINT64_C(0x100000001b3);
}

static uint64_t hash_picture(struct vgpu *v, const struct vgpu_scanout *s, uint32_t max_rows, uint64_t hash)
{
    uint32_t *row = calloc(s->width, sizeof(*row));
    void *scratch = malloc(VGPU_COMPOSE_SCRATCH);

    if (row && scratch) {
        for (uint32_t y = 0; y < s->height && y < max_rows; y++) {
            vgpu_compose_row(s, y, device_reader, v, row, scratch);
            for (uint32_t x = 0; x < s->width; x++)
                hash = hash_word(hash, row[x]);
        }
    } else {
        gt_err("no memory to hash a picture");
    }
    free(row);
    free(scratch);
    return hash;
}

uint64_t device_hash(struct vgpu *v, const struct device_snapshot *snap, uint32_t max_rows)
{
    uint64_t hash = hash_word(UINT64_C(0xcbf29ce484222325), snap->state);

    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        const struct vgpu_scanout *s = &snap->scanout[head];

        hash = hash_word(hash, snap->lit[head]);
        if (!snap->lit[head])
            continue;
        hash = hash_word(hash, (uint64_t)s->width << 32 | s->height);
        if (s->width)
            hash = hash_picture(v, s, max_rows, hash);
    }
    return hash;
}
