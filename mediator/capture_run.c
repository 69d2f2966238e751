#include "mediator/capture_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define OBJECTS_MAX  4096u
#define CONTEXTS_MAX 64u
#define SLOT_MASK    0x3fu /* of execbuffer flags: with the context's id they name a hardware context */

/* An object of the program: its memory, and what the CPU had in it when it was last captured. */
struct object {
    uint32_t handle;
    uint64_t addr;
    struct gpu_memory memory;
    uint8_t *cpu;
};

struct capture_run {
    struct gpu *gpu;
    struct gpu_vm *vm;
    struct object object[OBJECTS_MAX];
    uint64_t before[OBJECTS_MAX]; /* hashes */
    unsigned nobjects;
    struct {
        uint32_t id;
        uint64_t slot;
        struct gpu_context *hw;
    } context[CONTEXTS_MAX];
    unsigned ncontexts;
};

static uint64_t hash_of(const uint8_t *data, uint64_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325), word; /* FNV-1a over qwords */

    for (uint64_t i = 0; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 32;
    }
    return hash;
}

/* ---- programs */

static void drop_object(struct capture_run *r, unsigned i)
{
    struct object *o = &r->object[i];

    gpu_vm_unmap(r->vm, o->addr, o->memory.size);
    gpu_memory_free(r->gpu, &o->memory);
    free(o->cpu);
    *o = r->object[--r->nobjects];
}

static void end_program(struct capture_run *r)
{
    while (r->nobjects)
        drop_object(r, r->nobjects - 1);
    while (r->ncontexts)
        gpu_context_destroy(r->context[--r->ncontexts].hw);
    gpu_vm_destroy(r->vm);
    r->vm = NULL;
}

static int begin_program(struct capture_run *r)
{
    end_program(r);
    r->vm = gpu_vm_create(r->gpu);
    return r->vm ? 0 : -ENOMEM;
}

/* Objects that are in the way were freed by the program since. */
static struct object *find_object(struct capture_run *r, const struct capture_bo *b)
{
    for (unsigned i = 0; i < r->nobjects; i++) {
        struct object *o = &r->object[i];

        if (o->addr == b->addr && o->memory.size == b->size && o->handle == b->handle)
            return o;
        if (o->addr < b->addr + b->size && b->addr < o->addr + o->memory.size)
            drop_object(r, i--);
    }
    return NULL;
}

static struct object *make_object(struct capture_run *r, const struct capture_bo *b)
{
    struct object *o = &r->object[r->nobjects];

    if (r->nobjects == OBJECTS_MAX)
        return NULL;
    *o = (struct object){.handle = b->handle, .addr = b->addr, .cpu = calloc(1, b->size)};
    if (!o->cpu || gpu_memory_map(r->gpu, &o->memory, b->size, -1)) {
        free(o->cpu);
        return NULL;
    }
    r->nobjects++;
    return gpu_vm_map(r->vm, b->addr, o->memory.gpa, b->size) ? NULL : o;
}

/* Only what the CPU has changed is taken over: the rest may have been written by the GPU, of which a capture has
 * nothing. */
static void update_object(struct object *o, const struct capture_bo *b)
{
    for (uint64_t i = 0; i < b->size; i += 4) {
        if (memcmp(o->cpu + i, b->data + i, 4) != 0) {
            memcpy(o->memory.host + i, b->data + i, 4);
            memcpy(o->cpu + i, b->data + i, 4);
        }
    }
}

static int load_objects(struct capture_run *r, const struct capture *c)
{
    for (uint32_t i = 0; i < c->head.nbo; i++) {
        struct object *o = find_object(r, &c->bo[i]);

        if (!o)
            o = make_object(r, &c->bo[i]);
        if (!o)
            return -ENOMEM;
        update_object(o, &c->bo[i]);
    }
    return 0;
}

static struct gpu_context *find_context(struct capture_run *r, const struct capture *c)
{
    static const uint8_t engine[] = {VGPU_RCS, VGPU_BCS, VGPU_VCS, VGPU_VECS}; /* by I915_ENGINE_CLASS_* */
    uint64_t slot = c->head.flags & SLOT_MASK;

    for (unsigned i = 0; i < r->ncontexts; i++)
        if (r->context[i].id == c->head.ctx_id && r->context[i].slot == slot)
            return r->context[i].hw;
    if (r->ncontexts == CONTEXTS_MAX || c->head.engine_class >= GT_ARRAY_SIZE(engine))
        return NULL;
    r->context[r->ncontexts].id = c->head.ctx_id;
    r->context[r->ncontexts].slot = slot;
    r->context[r->ncontexts].hw = gpu_context_create(r->vm, engine[c->head.engine_class]);
    return r->context[r->ncontexts].hw ? r->context[r->ncontexts++].hw : NULL;
}

/* ---- */

static int prepare(struct capture_run *r, const struct capture *c, struct gpu_context **hw)
{
    if ((!c->head.seq || !r->vm) && begin_program(r))
        return -ENOMEM;
    if (load_objects(r, c))
        return -ENOMEM;
    *hw = find_context(r, c);
    if (!*hw)
        return -ENOMEM;
    for (unsigned i = 0; i < r->nobjects; i++)
        r->before[i] = hash_of(r->object[i].memory.host, r->object[i].memory.size);
    return 0;
}

int capture_run_one(struct capture_run *r, const struct capture *c, struct capture_result *out)
{
    struct backend_stats s0, s1;
    struct gpu_context *hw;
    int rc = prepare(r, c, &hw);

    if (rc)
        return rc;
    gpu_stats(r->gpu, &s0);
    *out = (struct capture_result){.commands = gpu_commands(r->gpu)};
    out->done = gpu_context_run(hw, capture_batch(c)) == GPU_DONE;
    gpu_stats(r->gpu, &s1);
    out->commands = gpu_commands(r->gpu) - out->commands;
    out->draws = s1.draws - s0.draws;
    out->dispatches = s1.dispatches - s0.dispatches;
    out->unknown = s1.unknown - s0.unknown;
    out->faults = s1.faults - s0.faults;
    return 0;
}

unsigned capture_run_changes(const struct capture_run *r, unsigned from, struct capture_change *out)
{
    for (unsigned i = from; i < r->nobjects; i++) {
        const struct object *o = &r->object[i];
        uint64_t hash = hash_of(o->memory.host, o->memory.size);

        if (hash == r->before[i])
            continue;
        *out = (struct capture_change){.addr = o->addr, .size = o->memory.size, .hash = hash};
        return i + 1;
    }
    return 0;
}

bool capture_run_read(void *run, uint64_t addr, void *dst, size_t n)
{
    const struct capture_run *r = run;
    uint8_t *to = dst;

    for (size_t chunk; n; n -= chunk, to += chunk, addr += chunk) {
        const uint8_t *p = r->vm ? gpu_vm_find(r->vm, addr, &chunk) : NULL;

        if (!p)
            return false;
        chunk = GT_MIN(chunk, n);
        memcpy(to, p, chunk);
    }
    return true;
}

struct gpu *capture_run_gpu(struct capture_run *r)
{
    return r->gpu;
}

struct capture_run *capture_run_create(unsigned threads, char *err, size_t errsz)
{
    struct capture_run *r = calloc(1, sizeof(*r));

    if (!r) {
        snprintf(err, errsz, "out of memory");
        return NULL;
    }
    if (gpu_create(&r->gpu, threads, err, (unsigned)errsz)) {
        free(r);
        return NULL;
    }
    return r;
}

void capture_run_destroy(struct capture_run *r)
{
    if (!r)
        return;
    end_program(r);
    gpu_destroy(r->gpu);
    free(r);
}
