/*
 * Logical contexts: image and ring as i915 makes them (intel_lrc.c gen9_rcs_offsets, gen9_xcs_offsets), submission
 * through the ELSP, and the reset of an engine that hangs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mediator/gpu/internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/clock.h"
#include "vgpu/base/log.h"
#include "vgpu/desc/cmds.h"

#define IMAGE_PAGES 22u /* i915 GEN9_LR_CONTEXT_RENDER_SIZE */
#define RING_PAGES  1u
#define RING_BYTES  (RING_PAGES * GPU_PAGE)

/* Dwords of the register page where its three lists begin: i915 intel_lrc_reg.h. */
#define LIST_RING 0x01u
#define LIST_VM   0x21u
#define LIST_REST 0x51u

/* CTX_CONTEXT_CONTROL: restore inhibit and inhibit of synchronous switches, with their write masks. */
#define CONTROL_NEW 0x00090009u
/* RING_CTL: pages - 1 in 20:12, valid. */
#define RING_CTL_VALID 1u
/* Descriptor: valid, 64-bit legacy, privileged (i915 lrc_descriptor). */
#define DESCRIPTOR 0x119u
#define BBS_PPGTT  GT_BIT(8)
#define SLICE      65536u /* commands */

struct slot {
    enum reg_id id;
    uint8_t elem;
};

static const struct slot ring_slots[] = {
    {R_CONTEXT_CONTROL, 0},
    {R_HEAD, 0},
    {R_TAIL, 0},
    {R_START, 0},
    {R_CTL, 0},
    {R_BBADDR_UDW, 0},
    {R_BBADDR, 0},
    {R_BBSTATE, 0},
    {R_SBBADDR_UDW, 0},
    {R_SBBADDR, 0},
    {R_SBBSTATE, 0},
    {R_BB_PER_CTX_PTR, 0},
    {R_INDIRECT_CTX, 0},
    {R_INDIRECT_CTX_OFFSET, 0},
};
static const struct slot vm_slots[] = {
    {R_CTX_TIMESTAMP, 0}, {R_PDP, 7}, {R_PDP, 6}, {R_PDP, 5}, {R_PDP, 4},
    {R_PDP, 3},           {R_PDP, 2}, {R_PDP, 1}, {R_PDP, 0},
};
static const struct slot rest_slots[] = {{R_EXCC, 0}, {R_MI_MODE, 0}, {R_INSTPM, 0}, {R_BB_OFFSET, 0}};

struct gpu_context {
    struct gpu_vm *vm;
    struct gpu *gpu;
    unsigned engine;
    struct gpu_memory memory; /* image, then the ring */
    uint32_t ggtt, tail, id;
    uint32_t *tail_slot;
};

/* Writes one list; *values: where the value of its first register is. */
static unsigned put_list(uint32_t *image, unsigned at, unsigned engine, const struct slot *slots, unsigned n)
{
    image[at++] = cmd_table[C_MI_LOAD_REGISTER_IMM].op | (2 * n - 1);
    for (unsigned i = 0; i < n; i++, at += 2)
        image[at] = reg_off(slots[i].id, engine, slots[i].elem);
    return at;
}

/* The value slot of a register in a list. */
static uint32_t *value(uint32_t *image, unsigned list, const struct slot *slots, unsigned n, enum reg_id id,
                       unsigned elem)
{
    for (unsigned i = 0; i < n; i++)
        if (slots[i].id == id && slots[i].elem == elem)
            return &image[list + 2 + 2 * i];
    return NULL;
}

static void build_image(struct gpu_context *c)
{
    uint32_t *image = (uint32_t *)(void *)(c->memory.host + GPU_PAGE);
    uint64_t root = gpu_vm_root(c->vm);
    unsigned end;

    put_list(image, LIST_RING, c->engine, ring_slots, GT_ARRAY_SIZE(ring_slots));
    put_list(image, LIST_VM, c->engine, vm_slots, GT_ARRAY_SIZE(vm_slots));
    end = put_list(image, LIST_REST, c->engine, rest_slots, GT_ARRAY_SIZE(rest_slots));
    image[end] = cmd_table[C_MI_BATCH_BUFFER_END].op;
#define RING_VALUE(id) *value(image, LIST_RING, ring_slots, GT_ARRAY_SIZE(ring_slots), id, 0)
    RING_VALUE(R_CONTEXT_CONTROL) = CONTROL_NEW;
    RING_VALUE(R_START) = c->ggtt + IMAGE_PAGES * (uint32_t)GPU_PAGE;
    RING_VALUE(R_CTL) = (uint32_t)(RING_BYTES - GPU_PAGE) | RING_CTL_VALID;
    c->tail_slot = &RING_VALUE(R_TAIL);
#undef RING_VALUE
    *value(image, LIST_VM, vm_slots, GT_ARRAY_SIZE(vm_slots), R_PDP, 0) = (uint32_t)root;
    *value(image, LIST_VM, vm_slots, GT_ARRAY_SIZE(vm_slots), R_PDP, 1) = (uint32_t)(root >> 32);
}

struct gpu_context *gpu_context_create(struct gpu_vm *vm, unsigned engine)
{
    struct gpu_context *c = calloc(1, sizeof(*c));
    const uint64_t size = (IMAGE_PAGES + RING_PAGES) * GPU_PAGE;

    if (!c || engine >= VGPU_ENGINES) {
        free(c);
        return NULL;
    }
    c->vm = vm;
    c->gpu = gpu_vm_gpu(vm);
    c->engine = engine;
    if (gpu_memory_map(c->gpu, &c->memory, size, -1)) {
        free(c);
        return NULL;
    }
    if (gpu_ggtt_map(c->gpu, &c->memory, size, &c->ggtt)) {
        gpu_memory_free(c->gpu, &c->memory);
        free(c);
        return NULL;
    }
    c->id = c->ggtt >> 12;
    build_image(c);
    return c;
}

void gpu_context_destroy(struct gpu_context *c)
{
    if (!c)
        return;
    gpu_ggtt_unmap(c->gpu, c->ggtt, c->memory.size);
    gpu_memory_free(c->gpu, &c->memory);
    free(c);
}

static void emit(struct gpu_context *c, uint32_t dw)
{
    memcpy(c->memory.host + IMAGE_PAGES * GPU_PAGE + c->tail, &dw, sizeof(dw));
    c->tail = (c->tail + 4) % (uint32_t)RING_BYTES;
}

static void submit(struct gpu_context *c)
{
    const uint32_t elsp[4] = {0, 0, c->id, c->ggtt | DESCRIPTOR};

    pthread_mutex_lock(&c->gpu->lock);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(elsp); i++)
        vgpu_mmio_write(c->gpu->v, reg_off(R_ELSP, c->engine, 0), 4, elsp[i]);
    pthread_mutex_unlock(&c->gpu->lock);
}

static uint64_t hangs(struct gpu_context *c)
{
    struct vgpu_stats s;

    pthread_mutex_lock(&c->gpu->lock);
    vgpu_get_stats(c->gpu->v, &s);
    pthread_mutex_unlock(&c->gpu->lock);
    return s.engine[c->engine].hangs;
}

/* Waits a little for memory to change. False when that has taken too long. */
static bool wait_memory(uint64_t *since, struct timespec *pause)
{
    uint64_t now = gt_clock_ns();

    if (!*since) {
        *since = now;
        *pause = (struct timespec){.tv_nsec = 20000};
    }
    nanosleep(pause, NULL);
    pause->tv_nsec = GT_MIN(2 * pause->tv_nsec, 1000000);
    return now - *since < GPU_WAIT_NS;
}

static bool begin_turn(const struct gpu_context *c)
{
    const struct gpu_turns *t = c->gpu->turns;

    return !t || t->begin(t->ctx, c->engine);
}

static void end_turn(const struct gpu_context *c, bool more)
{
    const struct gpu_turns *t = c->gpu->turns;

    if (t)
        t->end(t->ctx, c->engine, more);
}

static bool turn_pressed(const struct gpu_context *c)
{
    const struct gpu_turns *t = c->gpu->turns;

    return t && t->pressed(t->ctx, c->engine);
}

static bool stopped(const struct gpu_context *c)
{
    return atomic_load_explicit(&c->gpu->stop, memory_order_relaxed);
}

/* One turn: until the others want theirs, or the batch wants something else than to go on. */
static bool run_turn(struct gpu_context *c, enum vgpu_run *run)
{
    if (!begin_turn(c))
        return false;
    do {
        *run = vgpu_engine_run(c->gpu->v, c->engine, SLICE);
    } while (*run == VGPU_RUN_MORE && !stopped(c) && !turn_pressed(c));
    end_turn(c, *run == VGPU_RUN_MORE && !stopped(c));
    return true;
}

static enum gpu_result run_engine(struct gpu_context *c)
{
    struct timespec pause;
    uint64_t since = 0;
    enum vgpu_run run;

    for (;;) {
        if (stopped(c) || !run_turn(c, &run))
            return GPU_STOPPED;
        switch (run) {
        case VGPU_RUN_IDLE:
            return GPU_DONE;
        case VGPU_RUN_MORE:
            since = 0;
            break;
        case VGPU_RUN_WAIT:
            if (!wait_memory(&since, &pause)) {
                gt_log(GT_LOG_WARN, "%s: waited too long for memory, reset", engine_table[c->engine].name);
                return GPU_HUNG;
            }
            break;
        }
    }
}

/* The context begins anew: what it had is not worth keeping. */
static void forget(struct gpu_context *c)
{
    memset(c->memory.host, 0, c->memory.size);
    c->tail = 0;
    build_image(c);
    gpu_reset(c->gpu);
}

enum gpu_result gpu_context_run(struct gpu_context *c, uint64_t batch)
{
    uint64_t before = hangs(c);
    enum gpu_result r;

    emit(c, cmd_table[C_MI_BATCH_BUFFER_START].op | BBS_PPGTT | (3 - cmd_table[C_MI_BATCH_BUFFER_START].bias));
    emit(c, (uint32_t)batch);
    emit(c, (uint32_t)(batch >> 32) & 0xffff);
    emit(c, 0);
    *c->tail_slot = c->tail;
    submit(c);
    r = run_engine(c);
    if (r == GPU_DONE && hangs(c) != before)
        r = GPU_HUNG;
    if (r != GPU_DONE)
        forget(c);
    return r;
}
