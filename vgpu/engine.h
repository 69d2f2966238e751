/*
 * Engine state: ELSP, running contexts, command streamer. Private to vgpu/.
 *
 * Who touches what: members under "trap side" and the run state are changed with the device lock held; members under
 * "engine thread" belong to the thread inside vgpu_engine_run (and to vgpu_engine_reset once that thread is out); the
 * atomics carry news from one to the other without the lock.
 */
#ifndef GTMUX_VGPU_ENGINE_H
#define GTMUX_VGPU_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vgpu/desc/regs.h"
#include "vgpu/exec.h"
#include "vgpu/mem.h"
#include "vgpu/undo.h"
#include "vgpu/vgpu.h"

#define VGPU_CMD_MAX        1040u /* dwords of one command that are copied (the longest MI command has 1025) */
#define VGPU_CTX_REGS       256u  /* registers that belong to one engine's context */
#define USER_IRQ_DELAY      8u    /* commands that a user interrupt may wait for the context switch event */
#define VGPU_SCRATCH_DWORDS 32    /* of the backend, see exec.h */
#define VGPU_IMAGE_DWORDS   1024u
#define VGPU_CSB_ENTRIES    6u   /* context status buffer */
#define VGPU_IMAGE_SLOTS    512u /* register slots of one image page: a pair each */

enum engine_state {
    ENGINE_IDLE, /* no context */
    ENGINE_LOAD, /* an element of the execlist waits to be loaded */
    ENGINE_RUN,  /* its ring or a batch is being executed */
    ENGINE_HUNG, /* fault: waits for a reset */
};

/* Bits of vgpu_engine.attention. */
enum engine_attention {
    ATTN_ABORT = 1 << 0,   /* reset: leave at once, touch nothing */
    ATTN_STOP = 1 << 1,    /* MI_MODE STOP_RING: leave at the next command boundary */
    ATTN_PENDING = 1 << 2, /* an execlist waits */
    ATTN_LEAVE = 1 << 3,   /* the user wants this thread out soon; the state stays as it is */
    ATTN_HANG = 1 << 4,    /* the user gives the workload up: it stops as one that hangs */
};

struct ctx_desc {
    uint32_t lo, hi;
};

/* Where a batch is being read. */
struct cs_batch {
    uint64_t addr; /* of the next command */
    uint64_t end;  /* stop there (context workaround batches), or UINT64_MAX */
    bool ggtt;     /* fetched through the GGTT: privileged */
};

struct cs_ring {
    uint32_t start, size; /* GGTT address, bytes */
    uint32_t head, tail;  /* byte offsets; head: the next command */
    uint32_t bb_start;    /* offset of the MI_BATCH_BUFFER_START that is being executed */
};

/* Levels of the command stream. */
enum { CS_RING, CS_FIRST_LEVEL, CS_SECOND_LEVEL, CS_LEVELS };

/* Context workaround batches, executed before the ring: PRM SKL vol 2c INDIRECT_CTX, BB_PER_CTX_PTR. */
enum cs_workaround { CS_WA_NONE, CS_WA_INDIRECT, CS_WA_PER_CTX };

struct ctx_slot {
    uint16_t dword; /* position of the value in the image's register page */
    uint16_t reg;   /* index in ctx_reg */
};

/*
 * A context switch and its event. The guest sees the event in its memory at once, so a switch cannot be taken back: it
 * is written down here, `step` last, before any of it is done; and what is written here can be done twice.
 */
enum switch_step {
    SWITCH_NONE,
    SWITCH_DO,   /* run state and registers, then the event */
    SWITCH_TELL, /* the event: left by a killed process */
};
struct engine_switch {
    uint32_t step;
    uint32_t state, element;    /* of the engine afterwards */
    struct ctx_desc current[2]; /* the same */
    uint32_t taken;             /* the waiting execlist is the current one afterwards */
    uint32_t slot, status, id;  /* the event */
};

/* A read-modify-write of guest memory that is under way: whether it has happened can be seen from the memory. */
struct atomic_note {
    uint64_t at; /* cs_at() of the command */
    uint64_t addr, old, new;
    uint32_t size; /* bytes; 0: none */
    bool resumed;  /* left by a killed process: the command that comes first looks at it */
};

/* The backend's state of the context (exec.h), of the engine's thread. It is loaded when it is first asked for. */
struct vgpu_backend_state {
    bool loaded; /* bytes are the context's */
    bool dirty;  /* and differ from its image */
    bool saved;  /* the image has some */
    bool fresh;
    uint8_t bytes[VGPU_BACKEND_BYTES];
};

struct vgpu_exec {
    struct vgpu *v;
    unsigned engine;
    struct vgpu_as *as; /* of the command's operands */
    bool user;          /* the stream is unprivileged */
};

struct vgpu_engine {
    struct vgpu *v;
    unsigned id;
    const struct reg_ref *ctx_reg[VGPU_CTX_REGS]; /* ascending pointers */
    unsigned ctx_regs;

    /* trap side */
    uint32_t elsp[4];
    unsigned elsp_count;
    bool pending;
    struct ctx_desc queued[2];
    enum engine_state state;
    struct ctx_desc current[2];
    unsigned element;     /* of current that runs */
    uint32_t last_switch; /* CSB status of the last switch */
    bool ctx_loaded;      /* CTX_TIMESTAMP counts */
    uint64_t ctx_loaded_ts;
    struct engine_switch change;
    struct vgpu_engine_stats stats; /* since the last publication in vgpu_stats */

    /* between the two */
    _Atomic uint32_t attention;
    _Atomic uint32_t executing; /* a thread is inside vgpu_engine_run */
    _Atomic uint32_t live_head, live_ipehr;
    _Atomic uint64_t live_acthd; /* bit 0: in a batch, bit 1: fetched through the PPGTT */

    /* engine thread */
    struct vgpu_as ggtt, ppgtt;
    struct vgpu_exec exec;
    struct vgpu_undo undo; /* of the command */
    /* The position: ring to predicate. Stepping over a command is one store; what changes more notes all of it first
     * (cs_note_position). */
    struct cs_ring ring;
    struct cs_batch batch[CS_LEVELS]; /* [CS_RING] unused */
    unsigned level;
    enum cs_workaround wa;
    struct cs_batch wa_batch;
    uint32_t wa_per_ctx;      /* BB_PER_CTX_PTR when valid */
    unsigned predicate;       /* MI_SET_PREDICATE mode */
    unsigned wa_commands;     /* executed in workaround batches since the load */
    _Atomic bool arbitration; /* MI_ARB_ON_OFF */
    bool deferred;            /* an execlist came while arbitration was off */
    bool jumped;              /* the command set the position itself */
    bool tidy;                /* the command leaves a log, a note or its progress, to be cleared when it is done */
    bool progress;            /* this slice wrote memory or a register */
    bool looped;              /* this slice jumped backwards */
    bool waiting;             /* MI_SEMAPHORE_WAIT has reported that it waits */
    unsigned user_irq;        /* commands until a user interrupt that is due goes out; 0: none is due */
    struct atomic_note atomic;
    const char *fault; /* why a command was refused */
    uint64_t fault_addr;
    bool fault_mem; /* the fault is a page fault, not an illegal instruction */
    uint32_t scratch[VGPU_SCRATCH_DWORDS];
    struct ctx_slot slot[VGPU_IMAGE_SLOTS];
    unsigned slots;
    bool in_image[VGPU_CTX_REGS];
    uint32_t cmd[VGPU_CMD_MAX];
    uint32_t image[VGPU_IMAGE_DWORDS];
    _Alignas(64) struct vgpu_backend_state backend;
};

/* Context descriptor (i915 intel_lrc.h, PRM SKL vol 2d "Context Descriptor Format"). */
#define CTX_DESC_VALID         0x1u
#define CTX_DESC_FORCE_RESTORE 0x4u
#define CTX_DESC_LRCA(lo)      ((lo)&0xfffff000u)

/* Bits of an engine's half of the GT interrupt registers: i915 intel_gt_regs.h GT_*. */
#define IRQ_USER            0x1u
#define IRQ_CS_MASTER_ERROR 0x8u
#define IRQ_FLUSH_NOTIFY    0x10u /* PIPE_CONTROL and MI_FLUSH_DW */
#define IRQ_CONTEXT_SWITCH  0x100u
#define IRQ_WAIT_SEMAPHORE  0x800u

/* Fields of CONTEXT_STATUS_PTR: PRM SKL vol 2c. */
#define CSB_PTR_WRITE 0x7u
#define CSB_PTR_READ  0x700u

/* CSB status bits: i915 intel_execlists_submission.c GEN8_CTX_STATUS_*. */
#define CSB_IDLE_ACTIVE    0x1u
#define CSB_PREEMPTED      0x2u
#define CSB_ELEMENT_SWITCH 0x4u
#define CSB_ACTIVE_IDLE    0x8u
#define CSB_COMPLETE       0x10u
#define CSB_LITE_RESTORE   0x8000u

/* ---- context.c (free) */
/* Loads the context of the current element. False: a fault is recorded. */
bool context_load(struct vgpu_engine *e);
void context_save(struct vgpu_engine *e);
/* Loads e->backend from the image of the running context. */
void context_load_backend(struct vgpu_engine *e);
/* Takes over the ring tail that the driver left in the image; the next command faults when it is unusable. */
void context_reload_tail(struct vgpu_engine *e);
/* Finds the registers of the engine's context. */
void context_init(struct vgpu_engine *e);

/* ---- cs.c (free) */
enum cs_result {
    CS_OK,
    CS_WAIT,    /* the same command again, later */
    CS_AGAIN,   /* the same command again, soon */
    CS_DRAINED, /* the ring is empty */
    CS_FAULT,   /* guest error: fault, fault_mem, fault_addr say which */
};
/* Executes one command. */
enum cs_result cs_step(struct vgpu_engine *e);
/* Forgets the stream of the last context. */
void cs_start(struct vgpu_engine *e);
/* Enters a context workaround batch in the GGTT; size 0: it ends with MI_BATCH_BUFFER_END. */
void cs_start_workaround(struct vgpu_engine *e, uint64_t addr, uint32_t size);
/* The position as one number, which tells the commands of a context apart. */
uint64_t cs_at(struct vgpu_engine *e);
/* Publishes the position for register reads. */
void cs_publish(struct vgpu_engine *e);
enum cs_result cs_fault(struct vgpu_engine *e, const char *why);
enum cs_result cs_fault_mem(struct vgpu_engine *e, const char *why, uint64_t addr);

/* ---- engine_switch.c (locked) */
/* Goes on in this state with this element, of the waiting execlist (take) or of the one that runs, and tells the driver
 * with these CSB status bits. */
void engine_change(struct vgpu_engine *e, enum engine_state state, unsigned element, bool take, uint32_t status);
/* Raises interrupts, and the user interrupt that is due with them. */
void engine_raise_due(struct vgpu_engine *e, uint32_t bits);
/* The part of e->change that is not told to the driver. */
void engine_switch_state(struct vgpu_engine *e);
/* Tells what a killed process had not told, or not certainly (free). */
void engine_switch_finish(struct vgpu_engine *e);

/* ---- engine_regs.c */
uint64_t engine_timestamp(struct vgpu *v);

#endif
