/*
 * The virtual Gen9 GPU as a library: no threads, no file descriptors, no hypervisor.
 *
 * Threads and the lock. The user supplies lock/unlock (the *device lock*; NULL when single threaded).
 *   - "locked" functions are called with the device lock held;
 *   - "free" functions are called without it and take it themselves where they touch shared state.
 * vgpu_engine_run of one engine is never called by two threads at once; different engines may run in parallel.
 *
 * Determinism. Everything that the library learns from outside comes through calls of this header or through
 * vgpu_ops results, so a recording of both replays to the same state.
 *
 * Guest memory pointers (mem_page) stay valid until the function that asked for them returns; the user keeps its map
 * of guest memory still for that long.
 */
#ifndef GTMUX_VGPU_H
#define GTMUX_VGPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpu/desc/regs.h"
#include "vgpu/surface.h"

#define VGPU_PCI_VENDOR 0x8086
#define VGPU_PCI_DEVICE 0x1912 /* Skylake GT2 */
#define VGPU_BAR0_SIZE  (16u << 20)
#define VGPU_GTT_OFFSET (8u << 20) /* GTT half of BAR0 */
#define VGPU_GTT_SIZE   (8u << 20) /* bytes of PTEs: 4 GiB of GGTT */
#define VGPU_BAR2_SIZE  (256u << 20)
#define VGPU_BAR4_SIZE  64u
#define VGPU_ROM_SIZE   8192u
#define VGPU_CFG_SIZE   256u
#define VGPU_PIPES      3
#define VGPU_HEADS      3 /* DisplayPorts on DDI B, C, D */

struct vgpu;
struct vgpu_exec;
struct cmd_desc;

enum vgpu_payload {
    VGPU_PAYLOAD_DONE,  /* executed (or ignored on purpose) */
    VGPU_PAYLOAD_AGAIN, /* call again with the same command: it was interrupted by reset, preemption or the budget */
    VGPU_PAYLOAD_FAULT, /* guest error: the engine stops as hung hardware does */
};

struct vgpu_ops {
    /* Guest physical memory. 0 or -EFAULT; all or nothing. Naturally aligned 4 and 8 byte accesses are single copies.
     */
    int (*mem_read)(void *host, uint64_t gpa, void *dst, size_t n);
    int (*mem_write)(void *host, uint64_t gpa, const void *src, size_t n);
    /* Atomic compare and swap of size 4 or 8 at an aligned gpa: *expected is updated on mismatch.
     * 1 swapped, 0 not equal, -EFAULT. */
    int (*mem_cas)(void *host, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired);
    /* Host address of the 4 KiB page at gpa (page aligned), or NULL: use mem_read/mem_write. May itself be NULL. */
    uint8_t *(*mem_page)(void *host, uint64_t gpa, bool write);
    uint64_t (*now_ns)(void *host);            /* monotonic */
    void (*irq)(void *host);                   /* one edge, for MSI (locked) */
    void (*line)(void *host, bool level);      /* the INTx line changed (locked). May be NULL */
    void (*kick)(void *host, unsigned engine); /* the engine has work: call vgpu_engine_run soon (locked) */
    /* Returns when no thread is inside vgpu_engine_run of this engine; called locked, may drop and retake the lock.
     * NULL when vgpu_engine_run is never concurrent. */
    void (*quiesce)(void *host, unsigned engine);
    void (*display_kick)(void *host); /* display timing changed: call vgpu_display_tick soon (locked). May be NULL */
    /* A flip or plane change was latched on a pipe (locked). May be NULL. */
    void (*scanout_changed)(void *host, unsigned pipe);
    /* Makes the memory cfg.gtt zero by giving it back (locked). False, or NULL: vgpu stores zeroes. */
    bool (*gtt_clear)(void *host);
    /* Executes one command of class CMD_BLT, CMD_RENDER or CMD_VIDEO (free). dw is a private copy. NULL: all ignored.
     */
    enum vgpu_payload (*payload)(void *host, struct vgpu_exec *x, int cmd_id, const uint32_t *dw, unsigned ndw);
    void (*lock)(void *host);
    void (*unlock)(void *host);
};

/* Limits of a mode; its pixel clock must also be one that a pipe has (25 to 675 MHz). */
#define VGPU_MODE_SIDE_MIN   64u /* pixels */
#define VGPU_MODE_WIDTH_MAX  4096u
#define VGPU_MODE_HEIGHT_MAX 2304u
#define VGPU_MODE_MHZ_MIN    1000u /* millihertz */
#define VGPU_MODE_MHZ_MAX    240000u

struct vgpu_mode {
    uint16_t width, height; /* pixels */
    uint32_t mhz;           /* refresh in millihertz */
};

struct vgpu_config {
    const struct vgpu_ops *ops;
    void *host;
    void *
        gtt; /* VGPU_GTT_SIZE bytes of PTE storage, zeroed, that the guest may also write directly; NULL: own storage */
    /* vgpu_state_size() bytes, zeroed and page aligned, in which the device lives, so that another process can continue
     * it (vgpu_adopt); not freed by vgpu_destroy. NULL: own memory */
    void *state;
    bool pvinfo;          /* present the PVINFO page (i915 runs as a vGPU guest) */
    uint32_t mappable_mb; /* CPU window of the aperture, MiB, 0..256: by PVINFO, or without it by the size of BAR2 */
    unsigned heads;       /* monitors plugged in at start, 0..VGPU_HEADS */
    struct vgpu_mode modes[VGPU_HEADS];
};

/* Defaults: PVINFO on, one head of 1024x768 at 60 Hz. Callers change what they need. */
void vgpu_config_default(struct vgpu_config *cfg);

/* Bytes of BAR2. With PVINFO the full aperture, of which PVINFO gives out mappable_mb. Without it nothing but the size
 * can keep i915's console out of a trapped aperture, so it is mappable_mb, rounded up to a power of two (at least 1
 * MiB). */
uint32_t vgpu_bar2_size(const struct vgpu_config *cfg);

/* Builds the tables (once a process) and a device in reset state. 0 or -errno, with a message in err. */
int vgpu_create(struct vgpu **out, const struct vgpu_config *cfg, char *err, unsigned errsz);
/* Bytes of a state area. */
size_t vgpu_state_size(void);
/*
 * Continues a device whose process was killed, at whatever instruction. `old` is a private copy of its state area,
 * malloc-aligned, vgpu_state_size() bytes; it is used up (changed), and not kept. Its contents are not trusted: they
 * can be any bytes, and give a sound device, whatever it may show to its guest. The new device is built in cfg->state
 * or own memory, never in `old`; cfg->gtt has the old device's entries. 0 or -errno with a message; -ESTALE: another
 * program's state, or none.
 *
 * The device is silent (no ops but now_ns are called) until vgpu_resume. What was under way is finished or done again:
 *   - a trapped access is either done, and counted by vgpu_access_count, or not begun: deliver it again;
 *   - engines go on at the command that was being executed. It may be executed a second time. For stores, copies,
 *     register loads, MI_MATH, MI_PREDICATE, semaphores and batch jumps that makes no difference, unless a processor of
 *     the guest has reacted to the first execution by changing the same memory. MI_ATOMIC looks whether its result is
 *     there already; only a concurrent writer of the same operand can deceive it. The 16 byte compare and write, and a
 *     row of a blit whose result depends on what was there before, may be applied twice;
 *   - context switch events are told once; interrupts may come once too often, never once too few.
 */
int vgpu_adopt(struct vgpu **out, const struct vgpu_config *cfg, void *old, char *err, unsigned errsz);
/* Wakes an adopted device, once everything behind vgpu_ops works: tells the level of the interrupt line, gives an edge
 * if something is pending, kicks engines and display (locked). */
void vgpu_resume(struct vgpu *v);
/* Trapped accesses to BARs that are done, modulo 2^32; *result: what the last one returned (0 for writes). An access
 * that the process's death cut off does not count. v may also be a state area, or a copy of one, with anything in it
 * (on the trap thread, or locked). */
uint32_t vgpu_access_count(const struct vgpu *v, uint64_t *result);
void vgpu_destroy(struct vgpu *v); /* NULL is fine; no engine may be running */
/* PCI/FLR reset: engines are stopped, registers, config space and the GGTT return to power-on state (locked). */
void vgpu_reset(struct vgpu *v);

/* ---- traps (locked). size 1, 2, 4 or 8; anything else, and any out-of-range offset, reads 0 / drops the write. */
uint64_t vgpu_mmio_read(struct vgpu *v, uint64_t off, unsigned size); /* BAR0 */
void vgpu_mmio_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val);
uint64_t vgpu_aperture_read(struct vgpu *v, uint64_t off, unsigned size); /* BAR2, detiled through the fences */
void vgpu_aperture_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val);
uint64_t vgpu_io_read(struct vgpu *v, uint64_t off, unsigned size); /* BAR4: MMIO index/data */
void vgpu_io_write(struct vgpu *v, uint64_t off, unsigned size, uint64_t val);
uint32_t vgpu_cfg_read(struct vgpu *v, uint32_t off, unsigned size); /* PCI config space, size 1, 2 or 4 */
void vgpu_cfg_write(struct vgpu *v, uint32_t off, unsigned size, uint32_t val);

/* ---- engines */
enum vgpu_run {
    VGPU_RUN_IDLE, /* nothing to do until the next kick */
    VGPU_RUN_MORE, /* call again */
    VGPU_RUN_WAIT, /* waits for memory to change (semaphore, spin batch): call again after a short sleep or a kick */
};
/* Runs at most about `budget` commands of an engine (free). */
enum vgpu_run vgpu_engine_run(struct vgpu *v, unsigned engine, unsigned budget);
/* Makes a vgpu_engine_run that is under way return soon (within about a row of pixels), with its work to be continued;
 * at most one later call returns early for nothing. Any thread, any lock. */
void vgpu_engine_leave(struct vgpu *v, unsigned engine);
/* Gives the engine's workload up: with its next command the engine stops as hung hardware does, and waits for the
 * guest's reset. Without a workload it has no effect. Any thread, any lock. */
void vgpu_engine_give_up(struct vgpu *v, unsigned engine);

/* ---- display */
/* Handles all display events that are due (vblanks, latches, CRC) and returns when to be called next (now_ns time;
 * UINT64_MAX: not before display_kick) (free). */
uint64_t vgpu_display_tick(struct vgpu *v);
/* What a pipe scans out now. False: the pipe is off (locked). */
bool vgpu_scanout(struct vgpu *v, unsigned pipe, struct vgpu_scanout *out);
/* The pipe that drives head 0..VGPU_HEADS-1, or -1 (locked). */
int vgpu_head_pipe(struct vgpu *v, unsigned head);
/*
 * Flips of a head that somebody shows from the guest's own memory (locked). vgpu_flip_wait: from now on the guest is
 * told that a flip is done when vgpu_flip_shown says so, but ns after it became live, or 3 frames, at the latest. ns 0,
 * as at first: it is told at the vblank; so it is at once of a flip that waits. `flip`: of the scanout that is now
 * shown by all (vgpu_scanout); one that is not the newest has no effect.
 */
void vgpu_flip_wait(struct vgpu *v, unsigned head, uint64_t ns);
void vgpu_flip_shown(struct vgpu *v, unsigned head, uint32_t flip);
/* A frame limit: the guest is told of a head's flips at most once in ns nanoseconds (at most a second), 0: as they come
 * (locked). */
void vgpu_flip_pace(struct vgpu *v, unsigned head, uint64_t ns);
/* Plugs or unplugs the monitor of a head; mode NULL keeps the old one. Raises hotplug (locked). 0 or -EINVAL. */
int vgpu_head_set(struct vgpu *v, unsigned head, bool connected, const struct vgpu_mode *mode);
/* Plugs in a monitor with this EDID, a copy of which is kept. 0 or -EINVAL: it is not whole (header, checksums, number
 * of blocks, at most 8), or its first detailed timing is no mode that a head can have (locked). */
int vgpu_head_set_edid(struct vgpu *v, unsigned head, const uint8_t *edid, size_t size);
/* Is a monitor plugged into the head, and its preferred mode (mode may be NULL) (locked). */
bool vgpu_head_get(struct vgpu *v, unsigned head, struct vgpu_mode *mode);
/* Copies bytes of the GGTT address space; holes read as 0 and make it return -EFAULT (free; see surface.h readers). */
int vgpu_ggtt_read(struct vgpu *v, uint64_t addr, void *dst, size_t n);
#define VGPU_NO_PAGE UINT64_MAX
/* The guest physical pages behind n pages of the GGTT from a page aligned address on; VGPU_NO_PAGE: a hole (free). */
void vgpu_ggtt_pages(struct vgpu *v, uint64_t addr, size_t n, uint64_t *gpa);

/* ---- VBT */
/* Writes a PCI option ROM with the VBT into buf (at least VGPU_ROM_SIZE bytes). Returns its size. For transports
 * without OpRegion. */
size_t vgpu_vbt_rom(uint8_t *buf, size_t size);
/* Writes the 8 KiB OpRegion (with the VBT) into buf. Returns its size. For transports that can place it in guest
 * memory. */
size_t vgpu_opregion(uint8_t *buf, size_t size);
/* Tells the device that the transport placed an OpRegion at gpa (ASLS); 0 = none (locked). */
void vgpu_set_opregion(struct vgpu *v, uint64_t gpa);

/* ---- state */
struct vgpu_engine_stats {
    uint64_t submissions, contexts, requests, commands, batches, payload, preemptions, lite_restores, resets, hangs,
        faults;
};
struct vgpu_stats {
    uint64_t mmio_reads, mmio_writes, unknown_reads, unknown_writes, cfg_reads, cfg_writes;
    uint64_t gtt_reads, gtt_writes, aperture_reads, aperture_writes, irqs;
    uint64_t vblanks[VGPU_PIPES], flips[VGPU_PIPES];
    uint64_t flips_kept[VGPU_PIPES], flips_late[VGPU_PIPES]; /* told when shown; of these, told unshown at the limit */
    struct vgpu_engine_stats engine[VGPU_ENGINES];
};
void vgpu_get_stats(struct vgpu *v, struct vgpu_stats *out); /* locked */
/* 64-bit hash over registers (without free-running counters), config space and GGTT (locked). */
uint64_t vgpu_state_hash(struct vgpu *v);

#endif
