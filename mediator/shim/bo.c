/* Buffer objects: a memfd each, mapped once, and where they are in which address space. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"

/* Objects without an address of their own get one from here on, away from what Mesa's allocators use. */
#define PLACE_FIRST UINT64_C(0x100000)
#define PLACE_ALIGN UINT64_C(0x10000)
#define ADDRESS     ((UINT64_C(1) << 48) - 1)
#define SEALS       (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) /* of an object's memfd */

/* ---- life */

static struct shim_bo *new_bo(int fd)
{
    struct shim_bo *b = calloc(1, sizeof(*b));

    if (!b)
        return NULL;
    b->refs = 1;
    b->fd = fd;
    if (shim_table_add(&shim.bos, b, 1, &b->index)) {
        free(b);
        return NULL;
    }
    return b;
}

static int from_memfd(struct shim_bo **out, int fd, uint64_t size)
{
    struct shim_bo *b;
    struct stat st;
    int rc = fstat(fd, &st) ? -errno : 0;

    *out = NULL;
    b = rc ? NULL : new_bo(fd);
    if (!b)
        rc = rc ? rc : -ENOMEM;
    else
        rc = gpu_memory_map(shim.gpu, &b->memory, size, fd);
    if (rc) {
        if (b)
            shim_table_take(&shim.bos, b->index);
        free(b);
        close(fd);
        return rc;
    }
    b->dev = st.st_dev;
    b->ino = st.st_ino;
    *out = b;
    return 0;
}

static int make_bo(struct shim_bo **out, uint64_t size)
{
    size = (size + GPU_PAGE - 1) & ~(GPU_PAGE - 1);
    if (!size || size > UINT64_C(1) << SHIM_MMAP_SHIFT)
        return -EINVAL;
    int fd = memfd_create("gtmux-bo", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -errno;
    fd = shim_fd_move(fd);
    if (fd < 0)
        return fd;
    if (ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, SEALS)) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    return from_memfd(out, fd, size);
}

int shim_bo_create(struct shim_bo **out, uint64_t size)
{
    int rc = size > UINT64_C(1) << SHIM_MMAP_SHIFT ? -EINVAL : shim_memory_take((int64_t)size);

    if (rc)
        return rc;
    rc = make_bo(out, size);
    if (rc)
        shim_memory_take(-(int64_t)size);
    else
        (*out)->counted = size;
    return rc;
}

int shim_bo_wrap(struct shim_bo **out, void *host, uint64_t size)
{
    struct shim_bo *b = new_bo(-1);
    int rc = b ? gpu_memory_wrap(shim.gpu, &b->memory, host, size) : -ENOMEM;

    *out = b;
    if (rc && b) {
        shim_table_take(&shim.bos, b->index);
        free(b);
    }
    return rc;
}

/* A file that its sender makes shorter would end this process. */
static bool keeps_size(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);

    return seals >= 0 && (seals & F_SEAL_SHRINK);
}

int shim_bo_import(struct shim_bo **out, int fd)
{
    struct stat st;

    if (fstat(fd, &st))
        return -errno;
    for (uint32_t i = 1; i < shim.bos.size; i++) {
        struct shim_bo *b = shim.bos.slot[i];

        if (b && b->fd >= 0 && b->ino == st.st_ino && b->dev == st.st_dev) {
            *out = shim_bo_ref(b);
            return 0;
        }
    }
    if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size % GPU_PAGE || !keeps_size(fd))
        return -EINVAL;
    fd = dup(fd);
    if (fd < 0)
        return -errno;
    fd = shim_fd_move(fd);
    return fd < 0 ? fd : from_memfd(out, fd, (uint64_t)st.st_size);
}

struct shim_bo *shim_bo_ref(struct shim_bo *b)
{
    b->refs++;
    return b;
}

static void remove_bound(struct shim_vm *vm, unsigned at);
static unsigned first_bound_after(const struct shim_vm *vm, uint64_t addr);

/* Takes it out of the page tables of one address space. */
static void unbind(struct shim_bo *b, struct shim_binding *g)
{
    if (!g->mapped)
        return;
    unsigned at = first_bound_after(g->vm, g->addr);

    gpu_vm_unmap(g->vm->vm, g->addr, b->memory.size);
    if (at < g->vm->nbound && g->vm->bound[at].bo == b)
        remove_bound(g->vm, at);
    g->mapped = false;
}

static void destroy_bo(void *object)
{
    struct shim_bo *b = object;

    for (unsigned i = 0; i < b->nbindings; i++)
        unbind(b, &b->binding[i]);
    gpu_memory_free(shim.gpu, &b->memory);
    if (b->fd >= 0)
        close(b->fd);
    free(b->binding);
    shim_memory_take(-(int64_t)b->counted);
    free(b);
}

void shim_bo_unref(struct shim_bo *b)
{
    if (--b->refs)
        return;
    shim_table_take(&shim.bos, b->index);
    shim_when_idle(destroy_bo, b);
}

struct shim_bo *shim_bo_at_offset(uint64_t mmap_offset)
{
    return shim_table_get(&shim.bos, (uint32_t)(mmap_offset >> SHIM_MMAP_SHIFT));
}

/* ---- address spaces */

struct shim_vm *shim_vm_new(void)
{
    struct shim_vm *vm = calloc(1, sizeof(*vm));

    if (!vm)
        return NULL;
    vm->refs = 1;
    vm->next = PLACE_FIRST;
    vm->vm = gpu_vm_create(shim.gpu);
    if (!vm->vm) {
        free(vm);
        return NULL;
    }
    return vm;
}

static struct shim_binding *binding_in(struct shim_bo *b, const struct shim_vm *vm)
{
    for (unsigned i = 0; i < b->nbindings; i++)
        if (b->binding[i].vm == vm)
            return &b->binding[i];
    return NULL;
}

static void drop_binding(struct shim_bo *b, const struct shim_vm *vm)
{
    struct shim_binding *g = binding_in(b, vm);

    if (g)
        *g = b->binding[--b->nbindings];
}

/* Nothing may point here any more, mapped or only placed. */
static void destroy_vm(void *object)
{
    struct shim_vm *vm = object;

    for (uint32_t i = 1; i < shim.bos.size; i++)
        if (shim.bos.slot[i])
            drop_binding(shim.bos.slot[i], vm);
    for (unsigned i = 0; i < vm->nbound; i++)
        drop_binding(vm->bound[i].bo, vm);
    gpu_vm_destroy(vm->vm);
    free(vm->bound);
    free(vm);
}

void shim_vm_unref(struct shim_vm *vm)
{
    if (vm && !--vm->refs)
        shim_when_idle(destroy_vm, vm);
}

static struct shim_binding *make_binding(struct shim_bo *b, struct shim_vm *vm)
{
    struct shim_binding *list = realloc(b->binding, (b->nbindings + 1) * sizeof(*list));

    if (!list)
        return NULL;
    b->binding = list;
    list[b->nbindings] = (struct shim_binding){.vm = vm};
    return &list[b->nbindings++];
}

int shim_vm_place(struct shim_vm *vm, struct shim_bo *b, uint64_t *addr)
{
    struct shim_binding *g = binding_in(b, vm);

    if (g) {
        *addr = g->addr;
        return 0;
    }
    if (b->memory.size > ADDRESS - vm->next)
        return -ENOSPC;
    g = make_binding(b, vm);
    if (!g)
        return -ENOMEM;
    g->addr = vm->next;
    vm->next += (b->memory.size + PLACE_ALIGN - 1) & ~(PLACE_ALIGN - 1);
    *addr = g->addr;
    return 0;
}

/* ---- what is bound where, by address */

/* Index of the first one that ends behind addr. */
static unsigned first_bound_after(const struct shim_vm *vm, uint64_t addr)
{
    unsigned lo = 0, hi = vm->nbound;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (vm->bound[mid].addr + vm->bound[mid].size <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void remove_bound(struct shim_vm *vm, unsigned at)
{
    vm->nbound--;
    memmove(vm->bound + at, vm->bound + at + 1, (vm->nbound - at) * sizeof(*vm->bound));
}

static int insert_bound(struct shim_vm *vm, unsigned at, struct shim_bound b)
{
    if (vm->nbound == vm->room) {
        unsigned room = vm->room ? 2 * vm->room : 64;
        struct shim_bound *list = realloc(vm->bound, room * sizeof(*list));

        if (!list)
            return -ENOMEM;
        vm->bound = list;
        vm->room = room;
    }
    memmove(vm->bound + at + 1, vm->bound + at, (vm->nbound - at) * sizeof(*vm->bound));
    vm->bound[at] = b;
    vm->nbound++;
    return 0;
}

/* Others that overlap go; their programs bind them again with their next submission. */
static void make_room(struct shim_vm *vm, uint64_t addr, uint64_t size)
{
    unsigned at = first_bound_after(vm, addr);

    while (at < vm->nbound && vm->bound[at].addr < addr + size) {
        struct shim_bo *other = vm->bound[at].bo;

        unbind(other, binding_in(other, vm));
    }
}

int shim_vm_bind(struct shim_vm *vm, struct shim_bo *b, uint64_t addr)
{
    struct shim_binding *g = binding_in(b, vm);

    if (g && g->mapped && g->addr == addr)
        return 0;
    if (g)
        unbind(b, g);
    else
        g = make_binding(b, vm);
    if (!g)
        return -ENOMEM;
    make_room(vm, addr, b->memory.size);
    int rc = gpu_vm_map(vm->vm, addr, b->memory.gpa, b->memory.size);

    if (!rc)
        rc = insert_bound(vm, first_bound_after(vm, addr), (struct shim_bound){addr, b->memory.size, b});
    if (rc) {
        gpu_vm_unmap(vm->vm, addr, b->memory.size);
        return rc;
    }
    g->addr = addr;
    g->mapped = true;
    return 0;
}
