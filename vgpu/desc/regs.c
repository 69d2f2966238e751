#include "vgpu/desc/regs.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/index.h"

const struct reg_desc reg_table[R_COUNT] = {
#define REG(id, ...) [R_##id] = {.name = #id, __VA_ARGS__},
#include "vgpu/desc/regs_all.def"
#undef REG
};

/* i915 intel_engine_cs.c intel_engines[]; the same in PRM SKL Vol 2c. */
enum { RCS_BASE = 0x2000, BCS_BASE = 0x22000, VCS_BASE = 0x12000, VECS_BASE = 0x1a000 };

/* Interrupt banks: PRM SKL Vol 2c, GT interrupt definitions. Reset bits: i915 GEN6_GRDOM_*. Classes: i915 uapi
 * I915_ENGINE_CLASS_*. */
const struct engine_desc engine_table[VGPU_ENGINES] = {
    [VGPU_RCS] = {.name = "rcs0", .base = RCS_BASE, .irq_bank = 0, .irq_shift = 0, .gdrst_bit = 1, .class_id = 0},
    [VGPU_BCS] = {.name = "bcs0", .base = BCS_BASE, .irq_bank = 0, .irq_shift = 16, .gdrst_bit = 3, .class_id = 1},
    [VGPU_VCS] = {.name = "vcs0", .base = VCS_BASE, .irq_bank = 1, .irq_shift = 0, .gdrst_bit = 2, .class_id = 2},
    [VGPU_VECS] = {.name = "vecs0", .base = VECS_BASE, .irq_bank = 3, .irq_shift = 0, .gdrst_bit = 4, .class_id = 3},
};

#define MAX_UNITS 5

/* Where the units of a block lie, and what they are called. */
static const struct {
    uint8_t units;
    uint32_t base[MAX_UNITS];
    const char *prefix[MAX_UNITS];
} block_table[] = {
    [REG_GLOBAL] = {1, {0}, {""}},
    [REG_ENGINE] = {VGPU_ENGINES, {RCS_BASE, BCS_BASE, VCS_BASE, VECS_BASE}, {"RCS:", "BCS:", "VCS:", "VECS:"}},
    [REG_PIPE] = {3, {0, 0x1000, 0x2000}, {"A:", "B:", "C:"}},
    [REG_TRANS] = {4, {0, 0x1000, 0x2000, 0xf000}, {"A:", "B:", "C:", "EDP:"}},
    [REG_PORT] = {5, {0, 0x100, 0x200, 0x300, 0x400}, {"A:", "B:", "C:", "D:", "E:"}},
};

static struct reg_index main_index;

static unsigned row_count(const struct reg_desc *r)
{
    return r->count ? r->count : 1;
}

static unsigned row_stride(const struct reg_desc *r)
{
    return r->stride ? r->stride : 4;
}

static bool row_has_unit(const struct reg_desc *r, unsigned unit)
{
    return unit < block_table[r->block].units && (!r->units || (r->units & GT_BIT(unit)));
}

static uint64_t row_off(const struct reg_desc *r, unsigned unit, unsigned elem)
{
    return (uint64_t)r->off + block_table[r->block].base[unit] + (uint64_t)elem * row_stride(r);
}

uint32_t reg_off(enum reg_id id, unsigned unit, unsigned elem)
{
    return (uint32_t)row_off(&reg_table[id], unit, elem);
}

static const struct reg_ref *index_find(const struct reg_index *ix, uint32_t off)
{
    if (off >= VGPU_MMIO_SIZE || !ix->slot || !ix->slot[off / 4])
        return NULL;
    return &ix->refs[ix->slot[off / 4] - 1];
}

const struct reg_ref *reg_find(uint32_t off)
{
    return index_find(&main_index, off);
}

const struct reg_ref *reg_all(unsigned *count)
{
    *count = main_index.count;
    return main_index.refs;
}

const char *reg_name(uint32_t off, char *buf, unsigned size)
{
    const struct reg_ref *ref = reg_find(off);

    if (!ref) {
        snprintf(buf, size, "0x%" PRIx32, off);
        return buf;
    }
    const char *prefix = block_table[ref->row->block].prefix[ref->unit];

    if (row_count(ref->row) > 1)
        snprintf(buf, size, "%s%s[%u]", prefix, ref->row->name, ref->elem);
    else
        snprintf(buf, size, "%s%s", prefix, ref->row->name);
    return buf;
}

/* What is wrong with one row on its own, or NULL. */
static const char *row_fault(const struct reg_desc *r)
{
    if (!r->name)
        return "no name (a hole in the table)";
    if (r->block >= GT_ARRAY_SIZE(block_table))
        return "unknown block";
    if (r->units >> block_table[r->block].units)
        return "units outside of the block";
    if (r->off % 4 || row_stride(r) % 4)
        return "offset or stride is not a multiple of 4";
    if (r->handler >= H_COUNT)
        return "unknown handler";
    if (!r->src || !r->src[0])
        return "no source";
    if (r->w1c & r->ro)
        return "bits both read-only and write-1-to-clear";
    if (r->flags & REG_MASKED) {
        if (r->w1c)
            return "masked write and write-1-to-clear exclude each other";
        if (r->ro >> 16)
            return "read-only bits in the mask half of a masked register";
        if (r->reset >> 16)
            return "reset value in the mask half of a masked register";
    }
    for (unsigned unit = 0; unit < block_table[r->block].units; unit++)
        if (row_has_unit(r, unit) && row_off(r, unit, row_count(r) - 1) >= VGPU_MMIO_SIZE)
            return "out of the MMIO range";
    return NULL;
}

static unsigned row_refs(const struct reg_desc *r)
{
    unsigned refs = 0;

    for (unsigned unit = 0; unit < block_table[r->block].units; unit++)
        if (row_has_unit(r, unit))
            refs += row_count(r);
    return refs;
}

/* Adds the registers of one row. 0, or -1 with a message when another row has one of the offsets. */
static int index_add(struct reg_index *ix, const struct reg_desc *r, char *err, unsigned errsz)
{
    for (unsigned unit = 0; unit < block_table[r->block].units; unit++) {
        if (!row_has_unit(r, unit))
            continue;
        for (unsigned elem = 0; elem < row_count(r); elem++) {
            uint32_t off = (uint32_t)row_off(r, unit, elem);
            const struct reg_ref *old = index_find(ix, off);

            if (old) {
                snprintf(err, errsz, "register %s overlaps %s at 0x%" PRIx32, r->name, old->row->name, off);
                return -1;
            }
            ix->refs[ix->count] =
                (struct reg_ref){.row = r, .off = off, .unit = (uint16_t)unit, .elem = (uint16_t)elem};
            ix->slot[off / 4] = (uint16_t)++ix->count;
        }
    }
    return 0;
}

void reg_index_free(struct reg_index *ix)
{
    free(ix->slot);
    free(ix->refs);
    *ix = (struct reg_index){0};
}

int reg_index_build(struct reg_index *ix, const struct reg_desc *table, unsigned n, char *err, unsigned errsz)
{
    unsigned refs = 0;

    *ix = (struct reg_index){0};
    for (unsigned i = 0; i < n; i++) {
        const char *fault = row_fault(&table[i]);

        if (fault) {
            snprintf(err, errsz, "register %s (row %u): %s", table[i].name ? table[i].name : "?", i, fault);
            return -1;
        }
        refs += row_refs(&table[i]);
    }
    if (refs > UINT16_MAX) {
        snprintf(err, errsz, "%u registers do not fit the index", refs);
        return -1;
    }
    ix->slot = calloc(VGPU_MMIO_SIZE / 4, sizeof(*ix->slot));
    ix->refs = calloc(refs ? refs : 1, sizeof(*ix->refs));
    if (!ix->slot || !ix->refs) {
        snprintf(err, errsz, "no memory for the register index");
        reg_index_free(ix);
        return -1;
    }
    for (unsigned i = 0; i < n; i++) {
        if (index_add(ix, &table[i], err, errsz)) {
            reg_index_free(ix);
            return -1;
        }
    }
    return 0;
}

int reg_init(char *err, unsigned errsz)
{
    return main_index.slot ? 0 : reg_index_build(&main_index, reg_table, R_COUNT, err, errsz);
}
