/*
 * The Gen8 interrupt tree (PRM SKL vol 2c; i915 i915_irq.c): banks of ISR/IMR/IIR/IER below one master register.
 *
 * An event sets its IIR bit when IMR lets it through. IIR bits are double buffered as on hardware: an event whose bit
 * is still set is kept, and sets the bit again when the guest clears it, so nothing is lost between a handler's read of
 * IIR and its clearing write. The line is "master enabled and a source pending"; each rising edge is one pulse to the
 * user. The line itself is for transports that have INTx.
 */
#include "vgpu/device.h"

#define MASTER_ENABLE GT_BIT(31)

/* Sources in the master register, i915_reg.h GEN8_*_IRQ. */
enum {
    SRC_GT_RCS = 1 << 0,
    SRC_GT_BCS = 1 << 1,
    SRC_GT_VCS = 1 << 2,
    SRC_GT_VCS2 = 1 << 3,
    SRC_GT_PM = 1 << 4,
    SRC_GT_GUC = 1 << 5,
    SRC_GT_VECS = 1 << 6,
    SRC_PIPE_A = 1 << 16,
    SRC_PORT = 1 << 20,
    SRC_MISC = 1 << 22,
    SRC_PCH = 1 << 23,
    SRC_PCU = 1 << 30,
};

enum { BANK_GT, BANK_PIPE = 4, BANK_PORT = 7, BANK_MISC, BANK_PCU, BANK_PCH };

static const struct irq_bank {
    enum reg_id imr, iir, ier;
    uint8_t elem;
    uint32_t low, high; /* master bits of IIR 15:0 and 31:16 */
} banks[VGPU_IRQ_BANKS] = {
    [BANK_GT + 0] = {R_GEN8_GT_IMR, R_GEN8_GT_IIR, R_GEN8_GT_IER, 0, SRC_GT_RCS, SRC_GT_BCS},
    [BANK_GT + 1] = {R_GEN8_GT_IMR, R_GEN8_GT_IIR, R_GEN8_GT_IER, 1, SRC_GT_VCS, SRC_GT_VCS2},
    [BANK_GT + 2] = {R_GEN8_GT_IMR, R_GEN8_GT_IIR, R_GEN8_GT_IER, 2, SRC_GT_PM, SRC_GT_GUC},
    [BANK_GT + 3] = {R_GEN8_GT_IMR, R_GEN8_GT_IIR, R_GEN8_GT_IER, 3, SRC_GT_VECS, 0},
    [BANK_PIPE + 0] = {R_GEN8_DE_PIPE_IMR, R_GEN8_DE_PIPE_IIR, R_GEN8_DE_PIPE_IER, 0, SRC_PIPE_A, SRC_PIPE_A},
    [BANK_PIPE + 1] = {R_GEN8_DE_PIPE_IMR, R_GEN8_DE_PIPE_IIR, R_GEN8_DE_PIPE_IER, 1, SRC_PIPE_A << 1, SRC_PIPE_A << 1},
    [BANK_PIPE + 2] = {R_GEN8_DE_PIPE_IMR, R_GEN8_DE_PIPE_IIR, R_GEN8_DE_PIPE_IER, 2, SRC_PIPE_A << 2, SRC_PIPE_A << 2},
    [BANK_PORT] = {R_GEN8_DE_PORT_IMR, R_GEN8_DE_PORT_IIR, R_GEN8_DE_PORT_IER, 0, SRC_PORT, SRC_PORT},
    [BANK_MISC] = {R_GEN8_DE_MISC_IMR, R_GEN8_DE_MISC_IIR, R_GEN8_DE_MISC_IER, 0, SRC_MISC, SRC_MISC},
    [BANK_PCU] = {R_GEN8_PCU_IMR, R_GEN8_PCU_IIR, R_GEN8_PCU_IER, 0, SRC_PCU, SRC_PCU},
    [BANK_PCH] = {R_SDEIMR, R_SDEIIR, R_SDEIER, 0, SRC_PCH, SRC_PCH},
};

static uint32_t *bank_reg(struct vgpu *v, const struct irq_bank *b, enum reg_id id)
{
    return vgpu_reg(v, id, 0, b->elem);
}

static uint32_t pending_sources(struct vgpu *v)
{
    uint32_t sources = 0;

    for (unsigned i = 0; i < VGPU_IRQ_BANKS; i++) {
        const struct irq_bank *b = &banks[i];
        uint32_t pending = *bank_reg(v, b, b->iir) & *bank_reg(v, b, b->ier);

        if (pending & UINT16_MAX)
            sources |= b->low;
        if (pending >> 16)
            sources |= b->high;
    }
    return sources;
}

static void set_line(struct vgpu *v, bool level)
{
    if (v->irq_line == level)
        return;
    v->irq_line = level;
    if (v->ops->line)
        v->ops->line(v->host, level);
}

static void pulse(struct vgpu *v)
{
    v->stats.irqs++;
    v->ops->irq(v->host);
}

void vgpu_irq_eval(struct vgpu *v)
{
    uint32_t *master = vgpu_reg(v, R_GEN8_MASTER_IRQ, 0, 0);
    uint32_t sources = pending_sources(v);
    bool level = (*master & MASTER_ENABLE) && sources;
    bool rising = level && !v->irq_level;

    *master = (*master & MASTER_ENABLE) | sources;
    v->irq_level = level;
    set_line(v, level);
    if (rising)
        pulse(v);
}

static void raise(struct vgpu *v, unsigned bank, uint32_t bits)
{
    const struct irq_bank *b = &banks[bank];
    uint32_t *iir = bank_reg(v, b, b->iir);

    bits &= ~*bank_reg(v, b, b->imr);
    if (!bits)
        return;
    v->irq_queued[bank] |= bits & *iir;
    *iir |= bits;
    vgpu_irq_eval(v);
}

void vgpu_irq_gt(struct vgpu *v, unsigned engine, uint32_t bits16)
{
    const struct engine_desc *e = &engine_table[engine];

    raise(v, BANK_GT + e->irq_bank, (bits16 & UINT16_MAX) << e->irq_shift);
}

void vgpu_irq_pipe(struct vgpu *v, unsigned pipe, uint32_t bits)
{
    raise(v, BANK_PIPE + pipe, bits);
}

void vgpu_irq_port(struct vgpu *v, uint32_t bits)
{
    raise(v, BANK_PORT, bits);
}

void vgpu_irq_pch(struct vgpu *v, uint32_t bits)
{
    raise(v, BANK_PCH, bits);
}

/* What the guest last saw of the line, and whether it was told of all that is pending, died with the process. */
void vgpu_irq_resume(struct vgpu *v)
{
    bool level = (vgpu_reg_get(v, R_GEN8_MASTER_IRQ, 0) & MASTER_ENABLE) && pending_sources(v);

    v->irq_level = false;
    v->irq_line = !level;
    vgpu_irq_eval(v);
}

void vgpu_irq_reset(struct vgpu *v)
{
    for (unsigned i = 0; i < VGPU_IRQ_BANKS; i++)
        v->irq_queued[i] = 0;
    v->irq_level = false;
    set_line(v, false);
}

void reg_write_IRQ_REG(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    if (ref->row == &reg_table[R_GEN8_DE_PIPE_IMR])
        vgpu_vblank_unmasked(v, ref->elem, old);
    for (unsigned i = 0; i < VGPU_IRQ_BANKS; i++) {
        if (ref->row != &reg_table[banks[i].iir] || ref->elem != banks[i].elem)
            continue;
        uint32_t again = old & ~val & v->irq_queued[i];

        vgpu_note(v, &v->irq_queued[i], sizeof(v->irq_queued[i]));
        v->irq_queued[i] &= ~again;
        v->regs[ref->off / 4] |= again;
    }
    vgpu_irq_eval(v);
}

/* A write that enables starts a new edge even when the line is high already: the guest asks to be told. */
void reg_write_MASTER_IRQ(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)ref;
    (void)old;
    if (val & MASTER_ENABLE) {
        v->irq_level = false;
        vgpu_display_handled(v);
    }
    vgpu_irq_eval(v);
}
