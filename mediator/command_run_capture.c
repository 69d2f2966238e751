/*
 * gtmux run-capture: executes captured submissions on the software GPU, in the order given. Memory and contexts are
 * kept from one to the next; one with sequence number 0 begins a new program.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mediator/capture.h"
#include "mediator/capture_picture.h"
#include "mediator/command.h"
#include "mediator/gpu/gpu.h"
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

struct run {
    struct gpu *gpu;
    struct gpu_vm *vm;
    struct object object[OBJECTS_MAX];
    unsigned nobjects;
    struct {
        uint32_t id;
        uint64_t slot;
        struct gpu_context *hw;
    } context[CONTEXTS_MAX];
    unsigned ncontexts;
    const char *png;
    unsigned pictures;
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

static void drop_object(struct run *r, unsigned i)
{
    struct object *o = &r->object[i];

    gpu_vm_unmap(r->vm, o->addr, o->memory.size);
    gpu_memory_free(r->gpu, &o->memory);
    free(o->cpu);
    *o = r->object[--r->nobjects];
}

static int begin_program(struct run *r)
{
    while (r->nobjects)
        drop_object(r, r->nobjects - 1);
    while (r->ncontexts)
        gpu_context_destroy(r->context[--r->ncontexts].hw);
    gpu_vm_destroy(r->vm);
    r->vm = gpu_vm_create(r->gpu);
    return r->vm ? 0 : -ENOMEM;
}

/* Objects that are in the way were freed by the program since. */
static struct object *find_object(struct run *r, const struct capture_bo *b)
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

static struct object *make_object(struct run *r, const struct capture_bo *b)
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

static int load_objects(struct run *r, const struct capture *c)
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

static struct gpu_context *find_context(struct run *r, const struct capture *c)
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

/* ---- results */

static void print_changes(struct run *r, const uint64_t *before)
{
    for (unsigned i = 0; i < r->nobjects; i++) {
        const struct object *o = &r->object[i];
        uint64_t hash = hash_of(o->memory.host, o->memory.size);

        if (hash != before[i])
            printf("  wrote 0x%012" PRIx64 " (%" PRIu64 " KiB): %016" PRIx64 "\n", o->addr, o->memory.size / 1024,
                   hash);
    }
}

static bool read_vm(void *ctx, uint64_t addr, void *dst, size_t n)
{
    uint8_t *to = dst;

    for (size_t chunk; n; n -= chunk, to += chunk, addr += chunk) {
        const uint8_t *p = gpu_vm_find(ctx, addr, &chunk);

        if (!p)
            return false;
        chunk = GT_MIN(chunk, n);
        memcpy(to, p, chunk);
    }
    return true;
}

static void write_pictures(struct run *r, const struct capture *c)
{
    struct capture_target target[CAPTURE_TARGETS];
    unsigned n = capture_targets(capture_batch(c), read_vm, r->vm, target);

    for (unsigned i = 0; i < n; i++) {
        char path[PATH_MAX], err[200] = "";

        snprintf(path, sizeof(path), "%s/target-%03u.png", r->png, ++r->pictures);
        if (capture_picture(&target[i], read_vm, r->vm, path, err, sizeof(err)))
            fprintf(stderr, "gtmux: %s: %s\n", path, err);
        else
            printf("  %s: %ux%u at 0x%012" PRIx64 "\n", path, target[i].surface.width_px, target[i].surface.height_px,
                   target[i].surface.address);
    }
}

static int run_one(struct run *r, const struct capture *c)
{
    static uint64_t before[OBJECTS_MAX];
    struct backend_stats s0, s1;
    uint64_t commands = gpu_commands(r->gpu);
    struct gpu_context *hw;
    enum gpu_result result;

    if ((!c->head.seq || !r->vm) && begin_program(r))
        return -ENOMEM;
    if (load_objects(r, c) || !(hw = find_context(r, c)))
        return -ENOMEM;
    for (unsigned i = 0; i < r->nobjects; i++)
        before[i] = hash_of(r->object[i].memory.host, r->object[i].memory.size);
    gpu_stats(r->gpu, &s0);
    result = gpu_context_run(hw, capture_batch(c));
    gpu_stats(r->gpu, &s1);
    printf("  %" PRIu64 " commands, %" PRIu64 " draws, %" PRIu64 " dispatches, %" PRIu64 " unknown, %" PRIu64
           " faults%s\n",
           gpu_commands(r->gpu) - commands, s1.draws - s0.draws, s1.dispatches - s0.dispatches, s1.unknown - s0.unknown,
           s1.faults - s0.faults, result == GPU_DONE ? "" : ", refused");
    print_changes(r, before);
    if (r->png)
        write_pictures(r, c);
    return result != GPU_DONE || s1.unknown != s0.unknown;
}

static int run_file(struct run *r, const char *path)
{
    struct capture c;
    char err[200] = "";
    int rc = 1;

    printf("%s:\n", path);
    if (!capture_load(&c, path, err, sizeof(err))) {
        fprintf(stderr, "gtmux: %s: %s\n", path, err);
    } else {
        rc = run_one(r, &c);
        if (rc < 0)
            fprintf(stderr, "gtmux: %s: %s\n", path, strerror(-rc));
    }
    capture_free(&c);
    return rc != 0;
}

/* ---- */

struct options {
    const char *png;
    unsigned threads;
    char **files;
    int nfiles;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'p':
        o->png = arg;
        return 0;
    case 't':
        o->threads = (unsigned)strtoul(arg, NULL, 10);
        if (!o->threads || o->threads > 16)
            argp_error(state, "--threads=%s: give a number from 1 to 16", arg);
        return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->nfiles = state->argc - state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which files?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_run_capture(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"png", 'p', "DIR", 0, "Write the render targets to DIR/target-N.png", 0},
        {"threads", 't', "N", 0, "Threads of the render engine (default: as many as processors, at most 4)", 0},
        {0}};
    static const struct argp parser = {
        options,
        parse,
        "FILE...",
        "Executes captured submissions (.gxc, .gxc.zst) in the order given.\v"
        "Exit code 1: a file cannot be read, or has a command or message that is unknown.",
        NULL,
        NULL,
        NULL};
    struct options o = {0};
    struct run *r;
    char err[200] = "";
    int failed = 0;

    if (argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &o))
        return EXIT_USAGE;
    if (o.png && mkdir(o.png, 0777) && errno != EEXIST) {
        fprintf(stderr, "gtmux: %s: %s\n", o.png, strerror(errno));
        return EXIT_FAILURE;
    }
    r = calloc(1, sizeof(*r));
    if (!r || gpu_create(&r->gpu, o.threads, err, sizeof(err))) {
        fprintf(stderr, "gtmux: no GPU: %s\n", r ? err : "out of memory");
        free(r);
        return EXIT_FAILURE;
    }
    r->png = o.png;
    for (int i = 0; i < o.nfiles; i++)
        failed += run_file(r, o.files[i]);
    printf("%d of %d captures are right\n", o.nfiles - failed, o.nfiles);
    if (r->vm)
        begin_program(r);
    gpu_vm_destroy(r->vm);
    gpu_destroy(r->gpu);
    free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
