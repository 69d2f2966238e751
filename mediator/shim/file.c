/* Open files of the device: handles and events. */
#include <stdlib.h>
#include <unistd.h>

#include "mediator/shim/shim.h"

struct shim_file *shim_file_new(bool primary)
{
    struct shim_file *f = calloc(1, sizeof(*f));
    struct shim_context *c;
    uint32_t handle;

    if (!f)
        return NULL;
    f->refs = 1;
    f->primary = primary;
    f->event_fd = -1;
    f->events_end = &f->events;
    c = shim_context_new(NULL); /* context 0: each file has it from the start */
    if (!c || shim_table_add(&f->contexts, c, 0, &handle)) {
        shim_context_unref(c);
        free(f);
        return NULL;
    }
    return f;
}

static void free_all(struct shim_table *t, void (*unref)(void *object))
{
    for (uint32_t i = 0; i < t->size; i++)
        if (t->slot[i])
            unref(t->slot[i]);
    shim_table_free(t);
}

static void unref_bo(void *object)
{
    shim_bo_unref(object);
}

static void unref_context(void *object)
{
    shim_context_unref(object);
}

static void unref_vm(void *object)
{
    shim_vm_unref(object);
}

static void unref_syncobj(void *object)
{
    shim_syncobj_unref(object);
}

void shim_file_unref(struct shim_file *f)
{
    if (--f->refs)
        return;
    free_all(&f->contexts, unref_context);
    free_all(&f->vms, unref_vm);
    free_all(&f->syncobjs, unref_syncobj);
    free_all(&f->bos, unref_bo);
    while (f->events) {
        struct shim_event *e = f->events;

        f->events = e->next;
        free(e);
    }
    if (f->event_fd >= 0)
        close(f->event_fd);
    free(f);
}
