/*
 * A test double of vgpu/exec.h: a few memory regions instead of page tables, a few registers, nothing else. It stands
 * in for the whole of vgpu/exec.c, so a program includes it at most once and links backends only.
 */
#ifndef GTMUX_TESTS_EXEC_DOUBLE_H
#define GTMUX_TESTS_EXEC_DOUBLE_H

#include <errno.h>
#include <string.h>

#include "mediator/backend.h"
#include "vgpu/base/bits.h"
#include "vgpu/exec.h"
#include "vgpu/vgpu.h"

#define DOUBLE_PAGE 4096u
#define DOUBLE_REGS 64u

struct double_region {
    uint64_t addr, size; /* whole pages */
    uint8_t *data;
    bool read_only;
};

struct vgpu_exec {
    struct double_region region[8];
    unsigned nregions;
    bool no_ptr;         /* every second page has no host pointer */
    uint64_t stop_after; /* vgpu_exec_stop answers true from this call on; 0: never */
    uint64_t stops, reads, writes;
    bool abandoned;
    uint32_t scratch[32];
    uint32_t reg_off, reg_value; /* the register that was set last, */
    struct {
        uint32_t off, value;
    } reg[DOUBLE_REGS]; /* ... and all that were written; the others read zero */
    unsigned nregs;
    bool state_used, state_changed;
    _Alignas(64) uint8_t state[VGPU_BACKEND_BYTES];
};

static struct double_region *double_find(struct vgpu_exec *x, uint64_t addr, bool write)
{
    for (unsigned i = 0; i < x->nregions; i++) {
        struct double_region *r = &x->region[i];

        if (addr >= r->addr && addr - r->addr < r->size && !(write && r->read_only))
            return r;
    }
    return NULL;
}

static inline void double_map(struct vgpu_exec *x, uint64_t addr, void *data, uint64_t size, bool read_only)
{
    x->region[x->nregions++] = (struct double_region){addr, size, data, read_only};
}

static int double_access(struct vgpu_exec *x, uint64_t addr, uint8_t *data, size_t n, bool write)
{
    while (n) {
        uint64_t at = addr & ((UINT64_C(1) << 48) - 1);
        size_t run = GT_MIN(n, DOUBLE_PAGE - (size_t)(at % DOUBLE_PAGE));
        struct double_region *r = double_find(x, at, write);

        if (!r)
            return -EFAULT;
        if (write)
            memcpy(r->data + (at - r->addr), data, run);
        else
            memcpy(data, r->data + (at - r->addr), run);
        addr = at + run;
        data += run;
        n -= run;
    }
    return 0;
}

int vgpu_exec_read(struct vgpu_exec *x, uint64_t addr, void *dst, size_t n)
{
    x->reads++;
    return double_access(x, addr, dst, n, false);
}

int vgpu_exec_write(struct vgpu_exec *x, uint64_t addr, const void *src, size_t n)
{
    x->writes++;
    return double_access(x, addr, (uint8_t *)(uintptr_t)src, n, true);
}

uint8_t *vgpu_exec_ptr(struct vgpu_exec *x, uint64_t addr, bool write)
{
    struct double_region *r = double_find(x, addr, write);

    if (!r || (x->no_ptr && addr / DOUBLE_PAGE % 2))
        return NULL;
    return r->data + (addr - r->addr);
}

bool vgpu_exec_stop(const struct vgpu_exec *x)
{
    struct vgpu_exec *w = (struct vgpu_exec *)(uintptr_t)x;

    return __atomic_add_fetch(&w->stops, 1, __ATOMIC_RELAXED) >= w->stop_after && w->stop_after;
}

bool vgpu_exec_abandoned(const struct vgpu_exec *x)
{
    return x->abandoned;
}

uint32_t *vgpu_exec_scratch(struct vgpu_exec *x)
{
    return x->scratch;
}

void *vgpu_exec_state(struct vgpu_exec *x, bool *fresh)
{
    *fresh = !x->state_used;
    x->state_used = true;
    return x->state;
}

void vgpu_exec_state_changed(struct vgpu_exec *x)
{
    x->state_changed = true;
}

uint64_t vgpu_exec_position(const struct vgpu_exec *x)
{
    (void)x;
    return 0;
}

/* A command as the command streamer gives it to a backend: its progress is forgotten when it is done. */
static inline enum vgpu_payload double_payload(struct backend *b, struct vgpu_exec *x, int id, const uint32_t *dw,
                                               unsigned ndw)
{
    enum vgpu_payload r = b->ops->payload(b, x, id, dw, ndw);

    if (r != VGPU_PAYLOAD_AGAIN)
        x->scratch[VGPU_SCRATCH_PROGRESS] = 0;
    return r;
}

unsigned vgpu_exec_engine(const struct vgpu_exec *x)
{
    (void)x;
    return VGPU_BCS;
}

static unsigned double_find_reg(const struct vgpu_exec *x, uint32_t off)
{
    unsigned i = 0;

    while (i < x->nregs && x->reg[i].off != off)
        i++;
    return i;
}

uint32_t vgpu_exec_reg_read(struct vgpu_exec *x, uint32_t off)
{
    unsigned i = double_find_reg(x, off);

    if (off == x->reg_off)
        return x->reg_value;
    return i < x->nregs ? x->reg[i].value : 0;
}

void vgpu_exec_reg_write(struct vgpu_exec *x, uint32_t off, uint32_t val)
{
    unsigned i = double_find_reg(x, off);

    x->reg_off = off;
    x->reg_value = val;
    if (i == x->nregs && i < DOUBLE_REGS)
        x->nregs++;
    if (i < DOUBLE_REGS) {
        x->reg[i].off = off;
        x->reg[i].value = val;
    }
}

#endif
