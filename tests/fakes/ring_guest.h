/*
 * The smallest guest that can submit work: page tables, one context, one ring, one batch, all at fixed places. It
 * speaks through two functions, so the same guest drives a gate, a bare device or a trace that is being made up.
 */
#ifndef GTMUX_TESTS_RING_GUEST_H
#define GTMUX_TESTS_RING_GUEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vgpu/desc/cmds.h"
#include "vgpu/desc/regs.h"
#include "vgpu/vgpu.h"

struct ring_guest {
    void *ctx;
    void (*write)(void *ctx, uint64_t off, unsigned size, uint64_t val); /* BAR0 */
    void (*store)(void *ctx, uint64_t gpa, const void *src, size_t n);   /* guest memory */
};

/* Guest physical addresses. The GGTT maps them at the same addresses, the PPGTT only batch and data. */
#define RG_FIRST      0x10000u
#define RG_HWSP       0x10000u
#define RG_CONTEXT    0x20000u /* page 0 per-process status page, page 1 registers */
#define RG_REGISTERS  (RG_CONTEXT + 0x1000u)
#define RG_RING       0x30000u
#define RG_RING_SIZE  0x4000u
#define RG_TABLES     0x40000u /* PML4, PDP, PD, PT: a page each */
#define RG_BATCH      0x50000u
#define RG_BATCH_SIZE 0x10000u
#define RG_DATA       0x60000u
#define RG_DATA_SIZE  0x10000u
#define RG_END        0x70000u

/* Present, writable (i915 intel_gtt.h GEN8_PAGE_PRESENT, GEN8_PAGE_RW). */
#define RG_PTE 3u

/* The opcode dword of a command, with its length field for ndw dwords in all. */
static inline uint32_t rg_op(enum cmd_id id, unsigned ndw)
{
    return cmd_table[id].op | (cmd_table[id].len_mask ? (ndw - cmd_table[id].bias) & cmd_table[id].len_mask : 0);
}

static inline void rg_reg(const struct ring_guest *g, enum reg_id id, unsigned unit, uint32_t val)
{
    g->write(g->ctx, reg_off(id, unit, 0), 4, val);
}

static inline void rg_store64(const struct ring_guest *g, uint64_t gpa, uint64_t val)
{
    g->store(g->ctx, gpa, &val, sizeof(val));
}

/* GGTT entries and the PPGTT's four tables. */
static inline void rg_map(const struct ring_guest *g)
{
    for (uint32_t a = RG_FIRST; a < RG_END; a += 0x1000)
        g->write(g->ctx, VGPU_GTT_OFFSET + a / 0x1000 * 8, 8, a | RG_PTE);
    for (unsigned level = 0; level < 3; level++)
        rg_store64(g, RG_TABLES + level * 0x1000, (RG_TABLES + (level + 1) * 0x1000) | RG_PTE);
    for (uint32_t a = RG_BATCH; a < RG_END; a += 0x1000)
        rg_store64(g, RG_TABLES + 0x3000 + a / 0x1000 * 8, a | RG_PTE);
}

/* Register page of a context image, in the order of Gen9 (i915 intel_lrc.c gen9_xcs_offsets): two MI_LOAD_REGISTER_IMM.
 */
static inline void rg_image(uint32_t page[1024], unsigned engine, uint32_t tail)
{
    static const enum reg_id first[] = {R_CONTEXT_CONTROL,
                                        R_HEAD,
                                        R_TAIL,
                                        R_START,
                                        R_CTL,
                                        R_BBADDR_UDW,
                                        R_BBADDR,
                                        R_BBSTATE,
                                        R_SBBADDR_UDW,
                                        R_SBBADDR,
                                        R_SBBSTATE,
                                        R_BB_PER_CTX_PTR,
                                        R_INDIRECT_CTX,
                                        R_INDIRECT_CTX_OFFSET};
    uint32_t *p = page + 1;

    memset(page, 0, 1024 * sizeof(*page));
    *p++ = rg_op(C_MI_LOAD_REGISTER_IMM, 1 + 2 * sizeof(first) / sizeof(first[0]));
    for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++, p += 2)
        p[0] = reg_off(first[i], engine, 0);
    page[3] = 0x00090009; /* inhibit restore, inhibit synchronous switch */
    page[7] = tail;
    page[9] = RG_RING;
    page[11] = ((RG_RING_SIZE / 0x1000 - 1) << 12) | 1;
    p = page + 0x21;
    *p++ = rg_op(C_MI_LOAD_REGISTER_IMM, 1 + 2 * 9);
    *p = reg_off(R_CTX_TIMESTAMP, engine, 0);
    for (unsigned i = 0; i < 8; i++)
        p[2 + 2 * i] = reg_off(R_PDP, engine, 7 - i);
    page[0x33] = RG_TABLES;
    page[0x34] = rg_op(C_MI_BATCH_BUFFER_END, 1);
}

/* What a driver does once: run lists on (RING_MODE bit 15, masked), status page, all interrupts open. */
static inline void rg_start_engine(const struct ring_guest *g, unsigned engine)
{
    rg_reg(g, R_MODE_GEN7, engine, 0x80008000);
    rg_reg(g, R_HWS_PGA, engine, RG_HWSP);
    rg_reg(g, R_IMR, engine, 0);
}

/* One context to the submit port; element 0 is written last. */
static inline void rg_submit(const struct ring_guest *g, unsigned engine)
{
    static const uint32_t desc[4] = {0, 0, 1, RG_CONTEXT | 0x119}; /* valid, 48 bit, privileged */

    for (unsigned i = 0; i < 4; i++)
        rg_reg(g, R_ELSP, engine, desc[i]);
}

/* A ring that calls the batch and then interrupts; returns its tail. */
static inline uint32_t rg_call_batch(uint32_t ring[16])
{
    unsigned n = 0;

    ring[n++] = rg_op(C_MI_BATCH_BUFFER_START, 3) | 1u << 8; /* PPGTT */
    ring[n++] = RG_BATCH;
    ring[n++] = 0;
    ring[n++] = rg_op(C_MI_STORE_DATA_IMM, 4) | 1u << 22; /* GGTT */
    ring[n++] = RG_HWSP + 0xc0;
    ring[n++] = 0;
    ring[n++] = 0x600d;
    ring[n++] = rg_op(C_MI_USER_INTERRUPT, 1);
    return n * 4;
}

#endif
