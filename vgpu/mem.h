/*
 * GPU address spaces: GGTT and 4-level PPGTT, walked live through guest memory with a small private TLB.
 * A guest's page tables are an attack: each entry is read once, and a walk has a fixed depth.
 */
#ifndef GTMUX_VGPU_MEM_H
#define GTMUX_VGPU_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vgpu;

#define VGPU_TLB_ENTRIES 256u /* direct mapped, power of two */

struct vgpu_tlb_entry {
    uint64_t tag; /* generation << 40 | page number << 1 | writable */
    uint64_t gpa; /* of the 4 KiB page */
    uint8_t *ptr; /* host address, or NULL: go through mem_read/mem_write */
};

#define VGPU_AS_GENERATIONS 0xffffffu
#define VGPU_PDE_ENTRIES    4u /* direct mapped, power of two */

/* A page table that was found: what walks read again and again. */
struct vgpu_pde_entry {
    uint64_t tag;   /* generation << 40 | number of its 2 MiB */
    uint64_t table; /* gpa */
    bool writable, ips;
};

struct vgpu_as {
    struct vgpu *v;
    uint64_t pml4;       /* guest physical address of the PML4; unused for the GGTT */
    uint32_t generation; /* entries of others are empty; 1 to VGPU_AS_GENERATIONS */
    bool ggtt;
    struct vgpu_tlb_entry tlb[VGPU_TLB_ENTRIES];
    struct vgpu_pde_entry pde[VGPU_PDE_ENTRIES];
};

void vgpu_as_init_ggtt(struct vgpu_as *as, struct vgpu *v);
void vgpu_as_init_ppgtt(struct vgpu_as *as, struct vgpu *v, uint64_t pml4_gpa);
/* Another context's tables; forgets what was cached. */
void vgpu_as_switch(struct vgpu_as *as, uint64_t pml4_gpa);
/* Forgets cached translations and pointers. To be called at the start of every slice and at TLB invalidations. */
void vgpu_as_flush(struct vgpu_as *as);
/* Guest physical address behind a GPU address (bits above 47, or 31 for the GGTT, ignored). 0 or -EFAULT. */
int vgpu_as_translate(struct vgpu_as *as, uint64_t addr, bool write, uint64_t *gpa);
/* As vgpu_exec_read/write/ptr. */
int vgpu_as_read(struct vgpu_as *as, uint64_t addr, void *dst, size_t n);
int vgpu_as_write(struct vgpu_as *as, uint64_t addr, const void *src, size_t n);
uint8_t *vgpu_as_ptr(struct vgpu_as *as, uint64_t addr, bool write);
/* As vgpu_ops.mem_cas. */
int vgpu_as_cas(struct vgpu_as *as, uint64_t addr, unsigned size, uint64_t *expected, uint64_t desired);
/* The PTE of a GGTT page, one atomic read. */
uint64_t vgpu_ggtt_pte(const struct vgpu *v, uint32_t page);
/* Guest physical address behind a GGTT byte address, without any cache. 0 or -EFAULT. */
int vgpu_ggtt_translate(const struct vgpu *v, uint32_t addr, uint64_t *gpa);

#endif
