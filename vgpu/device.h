/*
 * The device structure, private to vgpu/. Each part keeps its state in a struct of its own header; parts reach each
 * other only through the functions declared here and in those headers.
 */
#ifndef GTMUX_VGPU_DEVICE_H
#define GTMUX_VGPU_DEVICE_H

#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/regs.h"
#include "vgpu/display.h"
#include "vgpu/engine.h"
#include "vgpu/mem.h"
#include "vgpu/undo.h"
#include "vgpu/vgpu.h"

#define VGPU_FENCES       32
#define VGPU_IRQ_BANKS    11
#define VGPU_UNKNOWN_ROWS 32

/* fence.c: a decoded fence register. end is exclusive; 0 = no valid fence. */
struct vgpu_fence {
    uint64_t start, end; /* GGTT bytes */
    uint32_t pitch;      /* bytes, 128..512 Ki */
    bool tile_y;
};

/* mmio.c: the most frequent offsets that no row describes. */
struct vgpu_unknown {
    uint32_t off;
    uint64_t count; /* 0 = free row */
};

/* What a state area is; see vgpu_adopt. */
struct vgpu_state_id {
    uint64_t magic; /* written last: the device is complete */
    uint64_t layout;
    uint64_t size;
};

/* The first part of a state area (vgpu_state_size); the registers follow it at VGPU_STATE_REGS. Pointers are those of
 * the process that made it. */
struct vgpu {
    struct vgpu_state_id id;
    const struct vgpu_ops *ops;
    void *host;
    struct vgpu_config cfg;
    uint32_t *regs;                 /* VGPU_MMIO_SIZE bytes of register storage, by offset / 4 */
    const struct reg_ref **gt_regs; /* the registers that a full GDRST resets */
    unsigned gt_count;
    uint64_t *gtt; /* VGPU_GTT_SIZE bytes of PTEs */
    bool own_gtt, own_state;
    bool resetting;         /* vgpu_reset is under way: it is to be done again when the process dies */
    struct vgpu_undo undo;  /* of the section under the device lock */
    uint64_t access_result; /* of the last trapped access */
    uint8_t pci[VGPU_CFG_SIZE];
    bool irq_level;                      /* master interrupt as last evaluated, for edges */
    bool irq_line;                       /* the INTx line */
    uint32_t irq_queued[VGPU_IRQ_BANKS]; /* second event of an IIR bit that is still set: see irq.c */
    uint32_t io_index;                   /* BAR4 */
    uint64_t opregion;                   /* guest physical address of the OpRegion, 0 = none */
    uint16_t min_freq[256];              /* pcode: CPU and ring ratio asked for each GPU ratio */
    uint64_t g2v_count;                  /* PVINFO notifications */
    struct vgpu_fence fence[VGPU_FENCES];
    struct vgpu_unknown unknown[VGPU_UNKNOWN_ROWS];
    struct gt_ratelimit log_rl; /* lines that the guest causes */
    struct vgpu_stats stats;
    struct vgpu_engine engine[VGPU_ENGINES];
    struct vgpu_display display;
};

#define VGPU_STATE_PAGE 4096u
#define VGPU_STATE_REGS ((sizeof(struct vgpu) + VGPU_STATE_PAGE - 1) & ~(size_t)(VGPU_STATE_PAGE - 1))

/* ---- storage (locked) */
static inline uint32_t *vgpu_reg(struct vgpu *v, enum reg_id id, unsigned unit, unsigned elem)
{
    return &v->regs[reg_off(id, unit, elem) / 4];
}
static inline uint32_t vgpu_reg_get(struct vgpu *v, enum reg_id id, unsigned unit)
{
    return *vgpu_reg(v, id, unit, 0);
}

static inline void vgpu_lock(struct vgpu *v)
{
    if (v->ops->lock)
        v->ops->lock(v->host);
}
static inline void vgpu_unlock(struct vgpu *v)
{
    vgpu_undo_end(&v->undo);
    if (v->ops->unlock)
        v->ops->unlock(v->host);
}

/* ---- sections (undo.h) under the device lock */
/* Notes a field of the device before it is changed. */
static inline void vgpu_note(struct vgpu *v, const void *field, size_t size)
{
    vgpu_undo_add(&v->undo, v, field, size);
}
/* Ends the section of a trapped access: it will not be carried out again. Returns result. */
static inline uint64_t vgpu_access_end(struct vgpu *v, uint64_t result)
{
    v->access_result = result;
    vgpu_undo_set(&v->undo, ((v->undo.word >> 32) + 1) << 32);
    return result;
}

/* ---- register handlers, joined to rows by the ids of handlers.def; see there (locked) */
#define HR(name)  uint32_t reg_read_##name(struct vgpu *v, const struct reg_ref *ref, uint32_t stored);
#define HW(name)  void reg_write_##name(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val);
#define HRW(name) HR(name) HW(name)
#include "vgpu/desc/handlers.def"
#undef HR
#undef HW
#undef HRW

/* ---- mmio.c: the one dispatcher (locked) */
enum vgpu_origin {
    VGPU_FROM_CPU, /* trapped access */
    VGPU_FROM_CS,  /* ring or privileged batch */
    /* An unprivileged batch of engine 0 (others: vgpu_from_user): REG_USER rows and the engine's FORCE_TO_NONPRIV
       slots. */
    VGPU_FROM_USER_BATCH,
    VGPU_FROM_USER_LAST = VGPU_FROM_USER_BATCH + VGPU_ENGINES - 1,
};
/* The origin "unprivileged batch of this engine". */
static inline enum vgpu_origin vgpu_from_user(unsigned engine)
{
    return (enum vgpu_origin)(VGPU_FROM_USER_BATCH + engine);
}
/* Reads are allowed from everywhere, as on hardware; REG_CPU_ONLY rows give the stored value to command streamers. */
uint32_t vgpu_reg_read(struct vgpu *v, uint32_t off, enum vgpu_origin from);
/* False when the write was refused (unknown, read-only row, or not allowed from there). */
bool vgpu_reg_write(struct vgpu *v, uint32_t off, uint32_t val, enum vgpu_origin from);
/* True when reads of the row go through a handler: the stored value is not what the guest sees. */
bool vgpu_reg_is_live(const struct reg_desc *row);
/* Lists the registers that a full GDRST resets. 0 or -ENOMEM. */
int vgpu_regs_init(struct vgpu *v);
/* All registers back to their reset values. */
void vgpu_regs_reset(struct vgpu *v);
/* The same for the GT's registers without REG_KEEP (full GDRST). */
void vgpu_regs_reset_gt(struct vgpu *v);

/* ---- irq.c (locked): sets IIR bits (where IMR lets them through), updates the master register, pulses the MSI */
void vgpu_irq_gt(struct vgpu *v, unsigned engine, uint32_t bits16); /* bits as in an engine's 16-bit half */
void vgpu_irq_pipe(struct vgpu *v, unsigned pipe, uint32_t bits);   /* GEN8_DE_PIPE_IIR */
void vgpu_irq_port(struct vgpu *v, uint32_t bits);                  /* GEN8_DE_PORT_IIR (AUX done) */
void vgpu_irq_pch(struct vgpu *v, uint32_t bits);                   /* SDEIIR */
void vgpu_irq_eval(struct vgpu *v);
void vgpu_irq_reset(struct vgpu *v);
void vgpu_irq_resume(struct vgpu *v); /* tells level and edge afresh */

/* ---- mem.c (locked): the GTT half of BAR0; off and size are inside it */
uint64_t vgpu_gtt_read(struct vgpu *v, uint32_t off, unsigned size);
void vgpu_gtt_write(struct vgpu *v, uint32_t off, unsigned size, uint64_t val);

/* ---- pci.c, fence.c, power.c, pvinfo.c: back to power-on state (locked) */
void vgpu_pci_reset(struct vgpu *v);
void vgpu_pci_adopt(struct vgpu *v, const uint8_t old[VGPU_CFG_SIZE]); /* the guest's writes, from any bytes */
void vgpu_fence_reset(struct vgpu *v);
void vgpu_power_reset(struct vgpu *v);
void vgpu_pvinfo_reset(struct vgpu *v);

/* ---- device.c, adopt.c */
/* vgpu_create, but for the mark that makes the state one that can be adopted. */
int vgpu_build(struct vgpu **out, const struct vgpu_config *cfg, char *err, unsigned errsz);
void vgpu_state_complete(struct vgpu *v);

/* ---- engine.c / display.c: parts' life cycle, called by device.c */
void vgpu_engine_init(struct vgpu *v);
void vgpu_engine_reset_all(struct vgpu *v); /* device reset: stop and forget everything (locked) */
void vgpu_engine_reset(struct vgpu *v,
                       unsigned engine); /* GDRST: stops the running workload before it returns (locked) */
void vgpu_display_init(struct vgpu *v);
void vgpu_display_reset(struct vgpu *v); /* registers are at reset values; put heads' live state in (locked) */

#endif
