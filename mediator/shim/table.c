#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/shim/shim.h"
#include "vgpu/base/bits.h"

#define HANDLES_MAX (1u << 22)

static int grow(struct shim_table *t)
{
    uint32_t size = t->size ? 2 * t->size : 64;
    void **slot = size <= HANDLES_MAX ? realloc(t->slot, size * sizeof(*slot)) : NULL;

    if (!slot)
        return -ENOMEM;
    memset(slot + t->size, 0, (size - t->size) * sizeof(*slot));
    t->slot = slot;
    t->size = size;
    return 0;
}

int shim_table_add(struct shim_table *t, void *object, uint32_t first, uint32_t *handle)
{
    uint32_t i = GT_MAX(t->hint, first);

    while (i < t->size && t->slot[i])
        i++;
    while (i >= t->size)
        if (grow(t))
            return -ENOMEM;
    t->slot[i] = object;
    t->hint = i + 1;
    *handle = i;
    return 0;
}

void *shim_table_get(const struct shim_table *t, uint32_t handle)
{
    return handle < t->size ? t->slot[handle] : NULL;
}

void *shim_table_take(struct shim_table *t, uint32_t handle)
{
    void *object = shim_table_get(t, handle);

    if (object) {
        t->slot[handle] = NULL;
        t->hint = GT_MIN(t->hint, handle);
    }
    return object;
}

void shim_table_free(struct shim_table *t)
{
    free(t->slot);
    *t = (struct shim_table){0};
}
