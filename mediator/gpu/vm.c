/* Address spaces: four-level page tables as the device walks them (vgpu/mem.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/gpu/internal.h"
#include "vgpu/base/bits.h"

/* i915 intel_gtt.h GEN8_PAGE_PRESENT, GEN8_PAGE_RW. */
#define PRESENT      UINT64_C(1)
#define WRITABLE     UINT64_C(2)
#define ADDRESS      UINT64_C(0x7ffffff000)
#define LEVELS       4u
#define TABLE_SHIFT  9u
#define ENTRIES      512u
#define SPACE        (UINT64_C(1) << 48)
#define SHIFT(level) (12 + TABLE_SHIFT * (level))

struct gpu_vm {
    struct gpu *gpu;
    uint64_t root; /* gpa of the PML4 */
};

struct gpu_vm *gpu_vm_create(struct gpu *g)
{
    struct gpu_vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    vm->gpu = g;
    vm->root = gpu_table_new(g);
    if (!vm->root) {
        free(vm);
        return NULL;
    }
    return vm;
}

static uint64_t *table(struct gpu_vm *vm, uint64_t gpa)
{
    return (uint64_t *)(void *)gpu_memory_at(vm->gpu, gpa);
}

static void free_tables(struct gpu_vm *vm, uint64_t gpa, unsigned level)
{
    uint64_t *t = table(vm, gpa);

    for (unsigned i = 0; level && i < ENTRIES; i++)
        if (t[i] & PRESENT)
            free_tables(vm, t[i] & ADDRESS, level - 1);
    gpu_table_free(vm->gpu, gpa);
}

void gpu_vm_destroy(struct gpu_vm *vm)
{
    if (!vm)
        return;
    free_tables(vm, vm->root, LEVELS - 1);
    free(vm);
}

uint64_t gpu_vm_root(const struct gpu_vm *vm)
{
    return vm->root;
}

struct gpu *gpu_vm_gpu(const struct gpu_vm *vm)
{
    return vm->gpu;
}

/* The lowest table on the way to addr; NULL: there is none (make: out of memory). */
static uint64_t *leaf_table(struct gpu_vm *vm, uint64_t addr, bool make)
{
    uint64_t *t = table(vm, vm->root);

    for (unsigned level = LEVELS - 1; level; level--) {
        uint64_t *entry = &t[(addr >> SHIFT(level)) % ENTRIES];

        if (!(*entry & PRESENT)) {
            uint64_t fresh = make ? gpu_table_new(vm->gpu) : 0;

            if (!fresh)
                return NULL;
            *entry = fresh | PRESENT | WRITABLE;
        }
        t = table(vm, *entry & ADDRESS);
    }
    return t;
}

/* Pages of [addr, addr + size) that share a leaf table with addr. */
static uint64_t pages_here(uint64_t addr, uint64_t size)
{
    uint64_t left = ENTRIES - (addr >> SHIFT(0)) % ENTRIES;

    return GT_MIN(left, size / GPU_PAGE);
}

int gpu_vm_map(struct gpu_vm *vm, uint64_t addr, uint64_t gpa, uint64_t size)
{
    if ((addr | gpa | size) % GPU_PAGE || addr >= SPACE || size > SPACE - addr)
        return -EINVAL;
    while (size) {
        uint64_t *t = leaf_table(vm, addr, true), n = pages_here(addr, size);

        if (!t)
            return -ENOMEM;
        for (uint64_t i = 0, first = (addr >> SHIFT(0)) % ENTRIES; i < n; i++)
            t[first + i] = (gpa + i * GPU_PAGE) | PRESENT | WRITABLE;
        addr += n * GPU_PAGE;
        gpa += n * GPU_PAGE;
        size -= n * GPU_PAGE;
    }
    return 0;
}

void gpu_vm_unmap(struct gpu_vm *vm, uint64_t addr, uint64_t size)
{
    if ((addr | size) % GPU_PAGE || addr >= SPACE || size > SPACE - addr)
        return;
    while (size) {
        uint64_t *t = leaf_table(vm, addr, false), n = pages_here(addr, size);

        if (t)
            memset(t + (addr >> SHIFT(0)) % ENTRIES, 0, n * sizeof(*t));
        addr += n * GPU_PAGE;
        size -= n * GPU_PAGE;
    }
}

uint8_t *gpu_vm_find(struct gpu_vm *vm, uint64_t addr, size_t *left)
{
    uint64_t *t = leaf_table(vm, addr % SPACE, false);
    uint64_t entry = t ? t[(addr >> SHIFT(0)) % ENTRIES] : 0;

    *left = (size_t)(GPU_PAGE - addr % GPU_PAGE);
    if (!(entry & PRESENT))
        return NULL;
    uint8_t *page = gpu_memory_at(vm->gpu, entry & ADDRESS);

    return page ? page + addr % GPU_PAGE : NULL;
}
