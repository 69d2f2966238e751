#include "mediator/soft/compute.h"

#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/fields.h"

#define DESCRIPTOR_DWORDS 8u
#define CURBE_UNIT        32u /* bytes */

/* cr0.0. PRM SKL vol 7 "Control Register": alternative float mode, rounding mode, denormals kept. */
#define CR0_ALT_FLOAT      GT_BIT(0)
#define CR0_ROUNDING_SHIFT 4u

static bool find_descriptor(struct soft_compute *c, unsigned index, uint32_t dw[DESCRIPTOR_DWORDS])
{
    const struct soft_state *s = c->e->state;
    const uint32_t *load = soft_state_get(s, C_MEDIA_INTERFACE_DESCRIPTOR_LOAD, NULL);
    uint64_t total = FIELD_GET(load, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorTotalLength);
    uint64_t at = FIELD_GET(load, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorDataStartAddress);
    uint64_t offset = (uint64_t)index * DESCRIPTOR_DWORDS * 4;

    if (offset + DESCRIPTOR_DWORDS * 4 > total)
        return false;
    at += soft_state_base(s, SOFT_BASE_DYNAMIC) + offset;
    return soft_mem_read(&c->e->worker[0].mem, at, dw, DESCRIPTOR_DWORDS * 4);
}

static unsigned slm_bytes(unsigned encoded)
{
    unsigned bytes = encoded ? 512u << GT_MIN(encoded, 8u) : 0; /* 1: 1 KiB, doubling; PRM SKL vol 2d */

    return GT_MIN(bytes, COMPUTE_SLM_BYTES);
}

static void read_curbe(const struct soft_state *s, const uint32_t *descriptor, struct compute_kernel *k)
{
    const uint32_t *load = soft_state_get(s, C_MEDIA_CURBE_LOAD, NULL);
    uint32_t first = (uint32_t)FIELD_GET(descriptor, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadOffset);
    uint32_t bytes = (uint32_t)FIELD_GET(load, MEDIA_CURBE_LOAD, CURBETotalDataLength);
    uint32_t skip = GT_MIN(first * CURBE_UNIT, bytes);

    k->constants =
        soft_state_base(s, SOFT_BASE_DYNAMIC) + FIELD_GET(load, MEDIA_CURBE_LOAD, CURBEDataStartAddress) + skip;
    k->constant_bytes = bytes - skip;
}

static void read_vfe(const struct soft_state *s, struct compute_kernel *k)
{
    const uint32_t *vfe = soft_state_get(s, C_MEDIA_VFE_STATE, NULL);

    k->header.scratch = (uint32_t)FIELD_ADDRESS(vfe, MEDIA_VFE_STATE, ScratchSpaceBasePointer);
    k->header.scratch_size = (uint32_t)FIELD_GET(vfe, MEDIA_VFE_STATE, PerThreadScratchSpace);
    k->max_threads = (unsigned)FIELD_GET(vfe, MEDIA_VFE_STATE, MaximumNumberOfThreads) + 1;
}

bool compute_kernel_read(struct soft_compute *c, unsigned index, struct compute_kernel *k)
{
    const struct soft_state *s = c->e->state;
    uint32_t dw[DESCRIPTOR_DWORDS];

    memset(k, 0, sizeof(*k));
    if (!find_descriptor(c, index, dw))
        return false;
    read_vfe(s, k);
    read_curbe(s, dw, k);
    k->header.samplers = (uint32_t)FIELD_ADDRESS(dw, INTERFACE_DESCRIPTOR_DATA, SamplerStatePointer);
    k->header.binding_table = (uint32_t)FIELD_ADDRESS(dw, INTERFACE_DESCRIPTOR_DATA, BindingTablePointer);
    k->threads = (unsigned)FIELD_GET(dw, INTERFACE_DESCRIPTOR_DATA, NumberOfThreadsInGPGPUThreadGroup);
    k->barrier = FIELD_GET(dw, INTERFACE_DESCRIPTOR_DATA, BarrierEnable);
    k->slm_bytes = slm_bytes((unsigned)FIELD_GET(dw, INTERFACE_DESCRIPTOR_DATA, SharedLocalMemorySize));
    k->cross_regs = (unsigned)FIELD_GET(dw, INTERFACE_DESCRIPTOR_DATA, CrossThreadConstantDataReadLength);
    k->per_thread_regs = (unsigned)FIELD_GET(dw, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadLength);
    k->control = (uint32_t)FIELD_GET(dw, INTERFACE_DESCRIPTOR_DATA, RoundingMode) << CR0_ROUNDING_SHIFT;
    if (FIELD_GET(dw, INTERFACE_DESCRIPTOR_DATA, FloatingPointMode))
        k->control |= CR0_ALT_FLOAT;
    k->kernel = soft_kernels_get(c->e->kernels, &c->e->worker[0].mem,
                                 soft_state_base(s, SOFT_BASE_INSTRUCTION) +
                                     FIELD_ADDRESS(dw, INTERFACE_DESCRIPTOR_DATA, KernelStartPointer));
    return k->kernel;
}

unsigned compute_constants(const struct compute_kernel *k, struct soft_mem *m, struct eu_thread *t, unsigned reg,
                           uint64_t offset, unsigned regs)
{
    unsigned n = GT_MIN(regs, EU_GRFS - reg);
    size_t want = (size_t)n * EU_REG_BYTES, have = 0;
    uint8_t *to = (uint8_t *)soft_grf(t, reg);

    if (offset < k->constant_bytes)
        have = GT_MIN(want, (size_t)(k->constant_bytes - offset));
    if (have)
        soft_mem_read(m, k->constants + offset, to, have);
    memset(to + have, 0, want - have);
    return reg + n;
}

bool compute_need_groups(struct soft_compute *c)
{
    for (unsigned i = 0; i < c->workers && !c->groups; i++) {
        struct soft_group *g = &c->worker[i].group;

        if (!g->thread)
            g->thread = aligned_alloc(_Alignof(struct eu_thread), SOFT_GROUP_THREADS * sizeof(*g->thread));
        if (!g->thread)
            return false;
        memset(g->thread, 0, SOFT_GROUP_THREADS * sizeof(*g->thread));
    }
    c->groups = true;
    return true;
}

void compute_collect(struct soft_compute *c)
{
    for (unsigned i = 0; i < c->workers; i++) {
        c->e->unknown += c->worker[i].d.unknown;
        c->worker[i].d.unknown = 0;
    }
}

struct soft_compute *soft_compute_create(struct soft_engine *e)
{
    struct soft_compute *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->e = e;
    c->workers = soft_pool_workers(e->pool);
    c->worker = calloc(c->workers, sizeof(*c->worker));
    if (!c->worker) {
        free(c);
        return NULL;
    }
    return c;
}

void soft_compute_destroy(struct soft_compute *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->workers; i++)
        free(c->worker[i].group.thread);
    free(c->worker);
    free(c);
}

bool soft_compute_command(struct soft_compute *c, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    switch (cmd_id) {
    case C_GPGPU_WALKER:
        return compute_walk(c, dw, ndw);
    case C_MEDIA_OBJECT:
    case C_MEDIA_OBJECT_GRPID:
    case C_MEDIA_OBJECT_PRT:
        return compute_media_object(c, cmd_id, dw, ndw);
    case C_MEDIA_OBJECT_WALKER:
        return compute_media_walk(c, dw, ndw);
    default:
        /* CURBE and descriptors are kept as state and read when threads need them. */
        return true;
    }
}
