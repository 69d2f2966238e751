/*
 * The register table: every register of the vGPU is one row in a .def file of
 * this folder; no other file names an offset. Rows are found in O(1) by offset
 * (MMIO dispatch) or by id (code that implements behaviour).
 *
 * Row syntax (regs_*.def):   REG(NAME, .off = 0x44200, .handler = H_MASTER_IRQ, .src = "i915 i915_reg.h
 * GEN8_MASTER_IRQ") gives the id R_NAME. Names are i915's or the PRM's, without leading "_" and without "_A" / "RING_"
 * decoration noise.
 */
#ifndef GTMUX_DESC_REGS_H
#define GTMUX_DESC_REGS_H

#include <stdint.h>

#define VGPU_MMIO_SIZE 0x200000u /* registers end here; 0x800000.. is the GTT half of BAR0 */

/* What `off` is relative to, and how many units repeat the row. */
enum reg_block {
    REG_GLOBAL, /* off is the BAR0 offset */
    REG_ENGINE, /* off + engine base; unit = enum vgpu_engine_id */
    REG_PIPE,   /* off (of pipe A) + 0x1000 * unit, unit 0..2 */
    REG_TRANS,  /* off (of transcoder A) + {0, 0x1000, 0x2000, 0xf000 (eDP)}[unit] */
    REG_PORT,   /* off (of DDI A) + 0x100 * unit, unit 0..4 */
};

enum reg_flag {
    REG_MASKED = 1 << 0,   /* bits 31:16 select which of 15:0 a write changes; reads return 15:0 */
    REG_RO = 1 << 1,       /* all bits read-only to guest writes */
    REG_CTX = 1 << 2,      /* belongs to the engine context: saved and restored with its image */
    REG_USER = 1 << 3,     /* an unprivileged batch may write it (LRI, LRM, LRR, MATH targets) */
    REG_CPU_ONLY = 1 << 4, /* writes from the command streamer are dropped (ELSP, GDRST, interrupt tree, ...) */
    REG_KEEP = 1 << 5,     /* keeps its value over a GT reset (GDRST); a device reset clears everything */
};

/* Handler ids, joined to functions in vgpu/mmio.c; see handlers.def. */
enum reg_handler {
    H_NONE,
#define HR(name)  H_##name,
#define HW(name)  H_##name,
#define HRW(name) H_##name,
#include "vgpu/desc/handlers.def"
#undef HR
#undef HW
#undef HRW
    H_COUNT
};

struct reg_desc {
    const char *name;
    uint32_t off;    /* bytes, relative to the block (above) */
    uint8_t block;   /* enum reg_block */
    uint8_t units;   /* bit mask of the units that have it; 0 = all of the block */
    uint16_t count;  /* array elements; 0 means 1 */
    uint16_t stride; /* bytes between elements; 0 means 4 */
    uint8_t handler; /* enum reg_handler */
    uint8_t flags;   /* enum reg_flag */
    uint32_t reset;  /* value after device reset */
    uint32_t ro;     /* bits that writes do not change */
    uint32_t w1c;    /* bits that a written 1 clears (and a 0 keeps) */
    const char *src; /* where the fact is from: PRM volume, i915 file, ... */
};

/* One 32-bit register as the dispatcher sees it. */
struct reg_ref {
    const struct reg_desc *row;
    uint32_t off;  /* BAR0 offset */
    uint16_t unit; /* engine, pipe, transcoder or port */
    uint16_t elem; /* array element */
};

enum reg_id {
#define REG(name, ...) R_##name,
#include "vgpu/desc/regs_all.def"
#undef REG
    R_COUNT
};

extern const struct reg_desc reg_table[R_COUNT];

/* BAR0 offset of element `elem` of unit `unit` of row `id`. The caller passes valid unit and elem (own constants, never
 * guest values). */
uint32_t reg_off(enum reg_id id, unsigned unit, unsigned elem);
/* The register at a BAR0 byte offset (rounded down to 4), or NULL. Any value is fine. Needs reg_init. */
const struct reg_ref *reg_find(uint32_t off);
/* All registers, a row's units and elements one after the other (not sorted by offset), and how many. Needs reg_init.
 */
const struct reg_ref *reg_all(unsigned *count);
/* "NAME", "NAME[3]", "RCS:NAME", or "0x12345" for unknown ones, into buf (always terminated). Returns buf. */
const char *reg_name(uint32_t off, char *buf, unsigned size);
/* Builds the index and checks the table (overlaps, alignment, range, masked vs w1c, missing source). Call once at start
 * (idempotent, not thread safe). 0, or -1 with a message of the first fault in err (errsz bytes). */
int reg_init(char *err, unsigned errsz);

/* Engines as data. */
struct engine_desc {
    const char *name;  /* "rcs0" */
    uint32_t base;     /* MMIO base */
    uint8_t irq_bank;  /* GT interrupt register set 0..3 (GEN8_GT_IIR(n)) */
    uint8_t irq_shift; /* 0 or 16 in that set */
    uint8_t gdrst_bit; /* bit in GEN6_GDRST */
    uint8_t class_id;  /* I915_ENGINE_CLASS_* */
};
enum vgpu_engine_id { VGPU_RCS, VGPU_BCS, VGPU_VCS, VGPU_VECS, VGPU_ENGINES };
extern const struct engine_desc engine_table[VGPU_ENGINES];

#endif
