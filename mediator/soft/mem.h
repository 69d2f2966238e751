/*
 * GPU memory as the render engine's threads see it: the address space of the command that runs, by whole pages.
 *
 * A soft_space belongs to one command and is shared by all workers; each worker has a soft_mem, its private cache of
 * translations. Misses go to vgpu_exec_ptr, which is not for two threads at once, under the space's lock. Pointers stay
 * valid until the command ends. Nothing here fails loudly: what is not mapped reads as zero, drops writes, and is noted
 * in the space, as the hardware's fault registers would.
 */
#ifndef GTMUX_SOFT_MEM_H
#define GTMUX_SOFT_MEM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpu/exec.h"

#define SOFT_PAGE        4096u
#define SOFT_MEM_ENTRIES 256u /* power of two */

struct soft_space {
    struct vgpu_exec *x;
    pthread_mutex_t lock;         /* over calls of vgpu_exec_* */
    pthread_mutex_t settling;     /* taken first: over the settling of cleared blocks (ccs.h) */
    uint32_t stamp;               /* grows with each command: what a soft_mem remembers of an older one is void */
    _Atomic uint64_t fault;       /* first address that was not mapped, | 1; 0: none */
    _Atomic uint64_t fault_count; /* accesses that failed */
};

struct soft_mem_entry {
    uint64_t page; /* address of the page | SOFT_MEM_* bits */
    uint8_t *ptr;
};

struct soft_mem {
    struct soft_space *space;
    uint32_t stamp;
    struct soft_mem_entry entry[SOFT_MEM_ENTRIES];
};

/* A space for commands that come one after the other. 0 or -errno. */
int soft_space_init(struct soft_space *s);
void soft_space_fini(struct soft_space *s);
/* The next command, with nothing of the last one left. */
void soft_space_begin(struct soft_space *s, struct vgpu_exec *x);

/* Prepares m for the command that `space` belongs to. Cheap when it is the same one. */
void soft_mem_begin(struct soft_mem *m, struct soft_space *space);

/* Host pointer to the byte at addr, valid up to the end of its 4 KiB page; NULL: not mapped (noted), or only reachable
 * by read and write. */
uint8_t *soft_mem_ptr_slow(struct soft_mem *m, uint64_t addr, bool write);

/* Writable translations serve reads too; a page that was only read is looked up again for its first write. */
#define SOFT_MEM_WRITABLE 1u
#define SOFT_MEM_VALID    2u

static inline uint8_t *soft_mem_ptr(struct soft_mem *m, uint64_t addr, bool write)
{
    const struct soft_mem_entry *e = &m->entry[(addr / SOFT_PAGE) % SOFT_MEM_ENTRIES];
    uint64_t want = (addr & ~(uint64_t)(SOFT_PAGE - 1)) | SOFT_MEM_VALID;

    if (e->page == (want | SOFT_MEM_WRITABLE) || (!write && e->page == want))
        return e->ptr + addr % SOFT_PAGE;
    return soft_mem_ptr_slow(m, addr, write);
}

/* Any length and alignment. False: some of it was not mapped (those bytes read as zero, are not written). */
bool soft_mem_read(struct soft_mem *m, uint64_t addr, void *dst, size_t n);
bool soft_mem_write(struct soft_mem *m, uint64_t addr, const void *src, size_t n);

#endif
