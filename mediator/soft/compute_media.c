#include "mediator/soft/compute.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/fields.h"

static unsigned regs_of(uint32_t bytes)
{
    return (bytes + EU_REG_BYTES - 1) / EU_REG_BYTES;
}

static unsigned put_inline(const struct media *md, struct eu_thread *t, unsigned reg)
{
    unsigned n = GT_MIN(md->inline_dwords, (EU_GRFS - reg) * EU_REG_BYTES / 4);
    uint32_t *to = soft_grf(t, reg);
    unsigned end = regs_of(n * 4);

    for (unsigned i = 0; i < end * EU_REG_BYTES / 4; i++)
        to[i] = i < n ? md->inline_data[i] : 0;
    return reg + end;
}

static void put_indirect(const struct media *md, struct eu_thread *t, unsigned reg)
{
    struct compute_kernel k = {.constants = md->indirect, .constant_bytes = md->indirect_bytes};

    compute_constants(&k, &md->c->e->worker[0].mem, t, reg, 0, regs_of(md->indirect_bytes));
}

/* Payload: header, CURBE, inline data, indirect data. PRM SKL vol 7 "Media Thread Payload". */
bool compute_media_thread(struct media *md, uint32_t x, uint32_t y)
{
    struct compute_worker *cw = &md->c->worker[0];
    struct soft_engine *e = md->c->e;
    struct eu_thread *t = e->worker[0].thread;

    cw->d.slices = 0;
    soft_dispatch_thread(&cw->d, t, 0, md->k.kernel, UINT32_MAX, &md->k.header);
    t->cr0[0] |= md->k.control;
    soft_grf(t, 0)[1] = (y & 0x1ff) << 16 | (x & 0x1ff);
    unsigned reg = compute_constants(&md->k, cw->d.env.mem, t, 1, 0, md->k.per_thread_regs);

    put_indirect(md, t, put_inline(md, t, reg));
    e->count.cs_invocations++;
    return soft_dispatch_run(&cw->d, t);
}

bool compute_media_begin(struct media *md, unsigned descriptor)
{
    struct compute_worker *cw = &md->c->worker[0];

    if (!compute_kernel_read(md->c, descriptor, &md->k))
        return false;
    soft_dispatch_begin(&cw->d, md->c->e, 0, &md->k.header, 0);
    return true;
}

/* Fixed dwords before the inline data. */
static unsigned inline_start(int cmd_id)
{
    switch (cmd_id) {
    case C_MEDIA_OBJECT_PRT:
        return 4;
    case C_MEDIA_OBJECT_GRPID:
        return 7;
    default:
        return 6;
    }
}

bool compute_media_object(struct soft_compute *c, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    struct media md = {.c = c};
    unsigned start = inline_start(cmd_id);
    uint32_t x = 0, y = 0;

    if (ndw < start || !compute_media_begin(&md, (unsigned)FIELD_GET(dw, MEDIA_OBJECT, InterfaceDescriptorOffset)))
        return true;
    md.inline_data = dw + start;
    md.inline_dwords = ndw - start;
    if (cmd_id != C_MEDIA_OBJECT_PRT) {
        x = (uint32_t)FIELD_GET(dw, MEDIA_OBJECT, ScoreboardX);
        y = (uint32_t)FIELD_GET(dw, MEDIA_OBJECT, ScoredboardY);
        md.indirect_bytes = (uint32_t)FIELD_GET(dw, MEDIA_OBJECT, IndirectDataLength);
        md.indirect = soft_state_base(c->e->state, SOFT_BASE_INDIRECT) +
                      FIELD_ADDRESS(dw, MEDIA_OBJECT, IndirectDataStartAddress);
    }
    bool done = compute_media_thread(&md, x, y);

    compute_collect(c);
    return done;
}
