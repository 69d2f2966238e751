/*
 * The aperture (BAR2): offset n is byte n of the GGTT, seen through the 32 fences, which make a tiled surface look
 * linear. No bit-6 swizzling (Skylake's TILECTL and ARB_MODE report none).
 *
 * Unmapped bytes read as ones and drop writes, as PCI master aborts do.
 */
#include <string.h>

#include "vgpu/device.h"

/* FENCE_REG_GEN6_LO/HI, i915 intel_gt_regs.h and intel_ggtt_fencing.c i965_write_fence_reg */
#define FENCE_VALID      GT_BIT(0)
#define FENCE_TILE_Y     GT_BIT(1)
#define FENCE_PAGE_MASK  GT_MASK(31, 12)
#define FENCE_PAGE       4096u
#define FENCE_PITCH_UNIT 128u

static void decode(struct vgpu *v, unsigned i)
{
    uint32_t lo = *vgpu_reg(v, R_FENCE_LO, 0, i);
    uint32_t hi = *vgpu_reg(v, R_FENCE_HI, 0, i);
    struct vgpu_fence *f = &v->fence[i];

    f->start = lo & FENCE_PAGE_MASK;
    f->end = lo & FENCE_VALID ? (uint64_t)(hi & FENCE_PAGE_MASK) + FENCE_PAGE : 0;
    f->pitch = (gt_field(hi, 11, 0) + 1) * FENCE_PITCH_UNIT;
    f->tile_y = lo & FENCE_TILE_Y;
}

void reg_write_FENCE(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)old;
    (void)val;
    decode(v, ref->elem);
}

void vgpu_fence_reset(struct vgpu *v)
{
    for (unsigned i = 0; i < VGPU_FENCES; i++)
        decode(v, i);
}

/* Where byte `off` of the linear view lies in the surface. The pitch of an X fence that is no multiple of the tile
 * width is rounded down, as the tile counter of hardware does. */
static uint64_t tiled_offset(const struct vgpu_fence *f, uint64_t off)
{
    return vgpu_tiled_offset(f->tile_y ? VGPU_TILE_Y : VGPU_TILE_X, f->pitch, 1, (uint32_t)(off % f->pitch),
                             (uint32_t)(off / f->pitch));
}

/* The GGTT address behind an aperture offset; of overlapping fences the lowest wins. */
static uint32_t detile(const struct vgpu *v, uint32_t off)
{
    for (unsigned i = 0; i < VGPU_FENCES; i++) {
        const struct vgpu_fence *f = &v->fence[i];

        if (off >= f->start && off < f->end)
            return (uint32_t)(f->start + tiled_offset(f, off - f->start));
    }
    return off;
}

/* The GGTT's own TLB is of no use here: pointers into guest memory do not outlive this access. */
static bool aperture_gpa(struct vgpu *v, uint32_t off, uint64_t *gpa)
{
    return vgpu_ggtt_translate(v, detile(v, off), gpa) == 0;
}

static bool access_ok(uint64_t off, unsigned size)
{
    return (size == 1 || size == 2 || size == 4 || size == 8) && gt_range_ok(off, size, VGPU_BAR2_SIZE);
}

/* An aligned access stays within a page, a fence, a tile row and a column; others go byte by byte. */
static unsigned step_of(uint64_t off, unsigned size)
{
    return off % size ? 1 : size;
}

static uint64_t bar2_read(struct vgpu *v, uint64_t off, unsigned size)
{
    uint8_t bytes[8];
    uint64_t val = 0, gpa;

    if (!access_ok(off, size))
        return 0;
    v->stats.aperture_reads++;
    unsigned step = step_of(off, size);

    for (unsigned i = 0; i < size; i += step)
        if (!aperture_gpa(v, (uint32_t)off + i, &gpa) || v->ops->mem_read(v->host, gpa, bytes + i, step))
            memset(bytes + i, 0xff, step);
    memcpy(&val, bytes, size);
    return val;
}

static void bar2_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    uint8_t bytes[8];
    uint64_t gpa;

    if (!access_ok(off, size))
        return;
    v->stats.aperture_writes++;
    memcpy(bytes, &val, sizeof(bytes));
    unsigned step = step_of(off, size);

    for (unsigned i = 0; i < size; i += step)
        if (aperture_gpa(v, (uint32_t)off + i, &gpa))
            (void)v->ops->mem_write(v->host, gpa, bytes + i, step);
}

uint64_t vgpu_aperture_read(struct vgpu *v, uint64_t off, unsigned size)
{
    return vgpu_access_end(v, bar2_read(v, off, size));
}

void vgpu_aperture_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    bar2_write(v, off, size, val);
    vgpu_access_end(v, 0);
}
