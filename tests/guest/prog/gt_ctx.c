/* The registers of a context are its own: values written in one are not seen in the other, and survive switches. */
#include <stdio.h>
#include <string.h>

#include "gt.h"

/* User-writable context registers (IGT gem_ctx_isolation's list for Gen9, the part all engines have, and render's). */
static const uint32_t render_regs[] = {0x2400, 0x2404, 0x2408, 0x240c, 0x2430, 0x2434,
                                       0x2438, 0x243c, 0x2440, 0x2500, 0x2504, 0x2508};
static const uint32_t engine_base[GT_ENGINES] = {0x2000, 0x22000, 0x12000, 0x1a000};

#define GPR_DWORDS 32
#define MAX_REGS   64

static unsigned registers_of(enum gt_engine e, uint32_t *regs)
{
    unsigned n = 0;

    for (unsigned i = 0; i < GPR_DWORDS; i++)
        regs[n++] = engine_base[e] + 0x600 + i * 4;
    if (e == GT_RCS) {
        for (unsigned i = 0; i < sizeof(render_regs) / sizeof(render_regs[0]); i++)
            regs[n++] = render_regs[i];
    }
    return n;
}

static int write_all(enum gt_engine e, uint32_t ctx, struct gt_bo *batch, const uint32_t *regs, unsigned n,
                     uint32_t seed)
{
    uint32_t *p = batch->cpu;

    for (unsigned i = 0; i < n; i++) {
        *p++ = MI_LOAD_REGISTER_IMM;
        *p++ = regs[i];
        *p++ = seed + i;
    }
    *p++ = MI_BATCH_BUFFER_END;
    int rc = gt_exec(e, ctx, batch, 0, NULL, 0);
    return rc ? rc : gt_wait(batch, 5);
}

static int read_all(enum gt_engine e, uint32_t ctx, struct gt_bo *batch, struct gt_bo *out, const uint32_t *regs,
                    unsigned n)
{
    const struct gt_bo *used[] = {out};
    uint32_t *p = batch->cpu;

    memset(out->cpu, 0xee, n * 4);
    for (unsigned i = 0; i < n; i++) {
        uint64_t addr = out->addr + i * 4;
        *p++ = MI_STORE_REGISTER_MEM;
        *p++ = regs[i];
        *p++ = (uint32_t)addr;
        *p++ = (uint32_t)(addr >> 32);
    }
    *p++ = MI_BATCH_BUFFER_END;
    int rc = gt_exec(e, ctx, batch, 0, used, 1);
    return rc ? rc : gt_wait(batch, 5);
}

static unsigned count_matching(const struct gt_bo *out, unsigned n, uint32_t seed)
{
    unsigned good = 0;

    for (unsigned i = 0; i < n; i++)
        good += out->cpu[i] == seed + i;
    return good;
}

static void engine_case(enum gt_engine e)
{
    struct gt_bo batch = gt_bo_new(8192), out = gt_bo_new(4096);
    uint32_t regs[MAX_REGS], a = gt_context_new(), b = gt_context_new();
    unsigned n = registers_of(e, regs), leaked = 0;
    char name[32];

    int rc = write_all(e, a, &batch, regs, n, 0x11110000);
    rc |= read_all(e, b, &batch, &out, regs, n);
    for (unsigned i = 0; i < n; i++)
        leaked += out.cpu[i] == 0x11110000 + i;
    snprintf(name, sizeof(name), "fresh-%s", gt_engine_name[e]);
    gt_check(!rc && leaked == 0, name, "rc %d, %u of %u values leaked into a new context", rc, leaked, n);

    rc = write_all(e, b, &batch, regs, n, 0x22220000);
    rc |= read_all(e, a, &batch, &out, regs, n);
    unsigned kept = count_matching(&out, n, 0x11110000);
    snprintf(name, sizeof(name), "kept-%s", gt_engine_name[e]);
    gt_check(!rc && kept == n, name, "rc %d, %u of %u values of the first context", rc, kept, n);
    rc = read_all(e, b, &batch, &out, regs, n);
    kept = count_matching(&out, n, 0x22220000);
    snprintf(name, sizeof(name), "second-%s", gt_engine_name[e]);
    gt_check(!rc && kept == n, name, "rc %d, %u of %u values of the second context", rc, kept, n);
}

int main(void)
{
    gt_open();
    /* The kernel's command parser for the blitter lets GPRs through; all engines have them. */
    for (unsigned e = 0; e < GT_ENGINES; e++)
        engine_case(e);
    return gt_done();
}
