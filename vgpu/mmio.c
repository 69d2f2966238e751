/*
 * The one dispatcher of register accesses: width, byte lanes, masked writes, read-only and write-1-to-clear bits are
 * handled here and nowhere else; then the row's handler runs. BAR0 traps, the BAR4 index/data pair and the command
 * streamers all come this way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "vgpu/device.h"

typedef uint32_t (*read_handler)(struct vgpu *v, const struct reg_ref *ref, uint32_t stored);
typedef void (*write_handler)(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val);

static const struct {
    read_handler read;
    write_handler write;
} handlers[H_COUNT] = {
#define HR(name)  [H_##name] = {.read = reg_read_##name},
#define HW(name)  [H_##name] = {.write = reg_write_##name},
#define HRW(name) [H_##name] = {.read = reg_read_##name, .write = reg_write_##name},
#include "vgpu/desc/handlers.def"
#undef HR
#undef HW
#undef HRW
};

#define ALL_LANES UINT32_MAX

/* RING_FORCE_TO_NONPRIV, i915 intel_engine_regs.h: address, who may (0 = read and write, 2 = write), how many dwords.
 */
#define NONPRIV_SLOTS     12u
#define NONPRIV_ADDRESS   GT_MASK(25, 2)
#define NONPRIV_DENY      GT_BIT(30)
#define NONPRIV_ACCESS_RW 0u
#define NONPRIV_ACCESS_WR 2u

/* The GT's registers lie below the display engine's (PRM SKL vol 2c, register address maps). */
#define GT_END 0x40000u

/* Counts an offset without a row; when the table is full the rarest one makes room and leaves its count behind, so that
 * frequent offsets win (Metwally's space-saving counters). */
static void count_unknown(struct vgpu *v, uint32_t off)
{
    struct vgpu_unknown *slot = &v->unknown[0];

    for (unsigned i = 0; i < VGPU_UNKNOWN_ROWS; i++) {
        if (v->unknown[i].count && v->unknown[i].off == off) {
            v->unknown[i].count++;
            return;
        }
        if (v->unknown[i].count < slot->count)
            slot = &v->unknown[i];
    }
    slot->off = off;
    slot->count++;
}

bool vgpu_reg_is_live(const struct reg_desc *row)
{
    return handlers[row->handler].read != NULL;
}

static uint32_t load(struct vgpu *v, const struct reg_ref *ref)
{
    uint32_t stored = v->regs[ref->off / 4];
    read_handler fn = handlers[ref->row->handler].read;

    return fn ? fn(v, ref, stored) : stored;
}

/* lanes: a byte of ones for each byte that the access carries. */
static void store(struct vgpu *v, const struct reg_ref *ref, uint32_t val, uint32_t lanes)
{
    const struct reg_desc *row = ref->row;
    uint32_t old = v->regs[ref->off / 4];
    write_handler fn = handlers[row->handler].write;
    uint32_t now;

    if (fn || row->w1c) /* other stores come out the same when they are repeated */
        vgpu_note(v, &v->regs[ref->off / 4], sizeof(old));
    if (row->flags & REG_MASKED) {
        /* A bit changes when its own lane and the lane of its mask bit are both written; no access narrower than a
         * dword can carry both. */
        if (lanes != ALL_LANES)
            return;
        uint32_t change = (val >> 16) & ~row->ro;

        now = ((old & ~change) | (val & change)) & UINT16_MAX;
    } else {
        uint32_t change = lanes & ~row->ro & ~row->w1c;

        now = (old & ~change) | (val & change);
        now &= ~(val & lanes & row->w1c);
    }
    v->regs[ref->off / 4] = now;
    if (fn)
        fn(v, ref, old, now);
}

static bool nonpriv_slot_allows(uint32_t slot, uint32_t off)
{
    static const uint8_t dwords[4] = {1, 4, 16, 64};
    uint32_t first = slot & NONPRIV_ADDRESS;
    uint32_t access = gt_field(slot, 29, 28);

    if ((slot & NONPRIV_DENY) || (access != NONPRIV_ACCESS_RW && access != NONPRIV_ACCESS_WR))
        return false;
    return off >= first && off - first < dwords[slot & 3] * 4u;
}

static bool user_may_write(struct vgpu *v, const struct reg_ref *ref, unsigned engine)
{
    if (ref->row->flags & REG_USER)
        return true;
    for (unsigned i = 0; i < NONPRIV_SLOTS; i++)
        if (nonpriv_slot_allows(*vgpu_reg(v, R_FORCE_TO_NONPRIV, engine, i), ref->off))
            return true;
    return false;
}

static bool may_write(struct vgpu *v, const struct reg_ref *ref, enum vgpu_origin from)
{
    if (ref->row->flags & REG_RO)
        return false;
    if (from == VGPU_FROM_CPU)
        return true;
    if (ref->row->flags & REG_CPU_ONLY)
        return false;
    if (from >= VGPU_FROM_USER_BATCH && from <= VGPU_FROM_USER_LAST)
        return user_may_write(v, ref, from - VGPU_FROM_USER_BATCH);
    return from == VGPU_FROM_CS;
}

static uint32_t read_dword(struct vgpu *v, uint32_t off, enum vgpu_origin from)
{
    const struct reg_ref *ref = reg_find(off);

    if (!ref) {
        v->stats.unknown_reads++;
        count_unknown(v, off & ~3u);
        gt_debug("read of unknown register 0x%" PRIx32, off & ~3u);
        return 0;
    }
    if (from != VGPU_FROM_CPU && (ref->row->flags & REG_CPU_ONLY))
        return v->regs[ref->off / 4];
    return load(v, ref);
}

static bool write_dword(struct vgpu *v, uint32_t off, uint32_t val, uint32_t lanes, enum vgpu_origin from)
{
    const struct reg_ref *ref = reg_find(off);

    if (!ref) {
        v->stats.unknown_writes++;
        count_unknown(v, off & ~3u);
        gt_debug("write of 0x%08" PRIx32 " to unknown register 0x%" PRIx32, val, off & ~3u);
        return false;
    }
    if (!may_write(v, ref, from)) {
        char name[64];

        gt_debug("write of 0x%08" PRIx32 " to %s refused", val, reg_name(off, name, sizeof(name)));
        return false;
    }
    store(v, ref, val, lanes);
    return true;
}

uint32_t vgpu_reg_read(struct vgpu *v, uint32_t off, enum vgpu_origin from)
{
    return read_dword(v, off, from);
}

bool vgpu_reg_write(struct vgpu *v, uint32_t off, uint32_t val, enum vgpu_origin from)
{
    return write_dword(v, off, val, ALL_LANES, from);
}

/* Fuses and status are read-only, and so is all that a part maintains itself. */
static bool gdrst_resets(const struct reg_desc *row)
{
    return !(row->flags & (REG_KEEP | REG_RO));
}

/* The list makes a storm of resets cheap: most registers are not the GT's. */
int vgpu_regs_init(struct vgpu *v)
{
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

    v->gt_regs = calloc(count, sizeof(*v->gt_regs));
    if (!v->gt_regs)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        if (refs[i].off < GT_END && gdrst_resets(refs[i].row))
            v->gt_regs[v->gt_count++] = &refs[i];
    return 0;
}

void vgpu_regs_reset(struct vgpu *v)
{
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);

    for (unsigned i = 0; i < count; i++)
        v->regs[refs[i].off / 4] = refs[i].row->reset;
}

void vgpu_regs_reset_gt(struct vgpu *v)
{
    for (unsigned i = 0; i < v->gt_count; i++)
        v->regs[v->gt_regs[i]->off / 4] = v->gt_regs[i]->row->reset;
}

static bool access_ok(uint64_t off, unsigned size, uint64_t limit)
{
    return (size == 1 || size == 2 || size == 4 || size == 8) && gt_range_ok(off, size, limit);
}

/* Lanes of the dword at `at` (multiple of 4) that an access of [off, off + size) carries. */
static uint32_t lanes_of(uint64_t at, uint64_t off, unsigned size)
{
    uint32_t lanes = 0;

    for (unsigned i = 0; i < 4; i++)
        if (at + i >= off && at + i < off + size)
            lanes |= 0xffu << (8 * i);
    return lanes;
}

/* Moves a value between its place in an access at `off` and in the dword at `at`. */
static uint32_t to_dword(uint64_t val, uint64_t at, uint64_t off)
{
    return (uint32_t)(at >= off ? val >> (8 * (at - off)) : val << (8 * (off - at)));
}

static uint64_t from_dword(uint32_t dword, uint64_t at, uint64_t off)
{
    return at >= off ? (uint64_t)dword << (8 * (at - off)) : (uint64_t)dword >> (8 * (off - at));
}

static uint64_t regs_read(struct vgpu *v, uint32_t off, unsigned size)
{
    uint64_t val = 0;

    for (uint32_t at = off & ~3u; at < off + size; at += 4)
        val |= from_dword(read_dword(v, at, VGPU_FROM_CPU) & lanes_of(at, off, size), at, off);
    return val;
}

static void regs_write(struct vgpu *v, uint32_t off, unsigned size, uint64_t val)
{
    for (uint32_t at = off & ~3u; at < off + size; at += 4)
        write_dword(v, at, to_dword(val, at, off), lanes_of(at, off, size), VGPU_FROM_CPU);
}

static uint64_t bar0_read(struct vgpu *v, uint64_t off, unsigned size)
{
    if (!access_ok(off, size, VGPU_BAR0_SIZE))
        return 0;
    if (off >= VGPU_GTT_OFFSET) {
        v->stats.gtt_reads++;
        return vgpu_gtt_read(v, (uint32_t)off - VGPU_GTT_OFFSET, size);
    }
    v->stats.mmio_reads++;
    return regs_read(v, (uint32_t)off, size);
}

static void bar0_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    if (!access_ok(off, size, VGPU_BAR0_SIZE))
        return;
    if (off >= VGPU_GTT_OFFSET) {
        v->stats.gtt_writes++;
        vgpu_gtt_write(v, (uint32_t)off - VGPU_GTT_OFFSET, size, val);
        return;
    }
    v->stats.mmio_writes++;
    regs_write(v, (uint32_t)off, size, val);
}

uint64_t vgpu_mmio_read(struct vgpu *v, uint64_t off, unsigned size)
{
    return vgpu_access_end(v, bar0_read(v, off, size));
}

void vgpu_mmio_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    bar0_write(v, off, size, val);
    vgpu_access_end(v, 0);
}

/*
 * BAR4: a dword index, then a dword of data. Index bits 1:0 choose the target: 0 registers, 1 GTT entries
 * (PRM SKL vol 2c, MMIO_INDEX and MMIO_DATA).
 */
#define IO_INDEX       0u
#define IO_DATA        4u
#define IO_END         8u
#define IO_TARGET_MMIO 0u
#define IO_TARGET_GTT  1u

/* BAR0 offset that the data register stands for; false: none. */
static bool io_target(const struct vgpu *v, uint64_t *off)
{
    uint32_t index = v->io_index & ~3u;

    switch (v->io_index & 3) {
    case IO_TARGET_MMIO:
        *off = index;
        return index < VGPU_BAR0_SIZE;
    case IO_TARGET_GTT:
        *off = (uint64_t)VGPU_GTT_OFFSET + index;
        return index < VGPU_GTT_SIZE;
    default:
        return false;
    }
}

static uint64_t bar4_read(struct vgpu *v, uint64_t off, unsigned size)
{
    uint64_t target;

    if (!access_ok(off, size, VGPU_BAR4_SIZE) || off + size > IO_END)
        return 0;
    if (off + size <= IO_DATA)
        return from_dword(v->io_index & lanes_of(IO_INDEX, off, size), IO_INDEX, off);
    if (off >= IO_DATA)
        return io_target(v, &target) ? bar0_read(v, target + off - IO_DATA, size) : 0;
    return 0;
}

static void bar4_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    uint64_t target;

    if (!access_ok(off, size, VGPU_BAR4_SIZE) || off + size > IO_END)
        return;
    if (off + size <= IO_DATA) {
        uint32_t lanes = lanes_of(IO_INDEX, off, size);

        v->io_index = (v->io_index & ~lanes) | (to_dword(val, IO_INDEX, off) & lanes);
    } else if (off >= IO_DATA && io_target(v, &target)) {
        bar0_write(v, target + off - IO_DATA, size, val);
    }
}

uint64_t vgpu_io_read(struct vgpu *v, uint64_t off, unsigned size)
{
    return vgpu_access_end(v, bar4_read(v, off, size));
}

void vgpu_io_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val)
{
    bar4_write(v, off, size, val);
    vgpu_access_end(v, 0);
}
