/*
 * Gen9 execution units: decoding, disassembly and execution of kernels. Knows nothing of surfaces, URB or threads of
 * the host: messages go to a vtable. PRM SKL vol 7 (3D-Media-GPGPU) and Mesa src/intel/compiler (brw_inst.h,
 * brw_eu_*.c, brw_disasm.c) are the sources.
 */
#ifndef GTMUX_SOFT_EU_H
#define GTMUX_SOFT_EU_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define EU_GRFS      128u
#define EU_REG_BYTES 32u
#define EU_LANES     32u /* most channels of an instruction */

/* ---- kernels */

struct eu_kernel; /* decoded; immutable and shared by all workers */

/* Reads n bytes of a kernel at a byte offset from its start; false: not mapped. */
typedef bool (*eu_reader)(void *ctx, uint64_t offset, void *dst, size_t n);

/*
 * Decodes from the entry point on, following jumps, up to EOT, at most EU_KERNEL_BYTES. Never fails on what is there:
 * what is no instruction becomes one that ends the thread with a fault when it is reached. NULL: out of memory.
 * The caller caches kernels by content (eu_kernel_hash of the bytes) and frees them.
 */
#define EU_KERNEL_BYTES (1u << 20)
struct eu_kernel *eu_kernel_decode(eu_reader rd, void *ctx);
void eu_kernel_free(struct eu_kernel *k);
/* Bytes from the entry point to the end of the last instruction that can be reached; and these bytes as they were read
 * (those that no instruction needs may be zero). */
size_t eu_kernel_size(const struct eu_kernel *k);
const uint8_t *eu_kernel_code(const struct eu_kernel *k);
/* Host memory that the kernel takes. */
size_t eu_kernel_memory(const struct eu_kernel *k);
/* Instructions that the decoder did not know (0 for every kernel of a sane driver). */
unsigned eu_kernel_unknown(const struct eu_kernel *k);

/* True when every thread sends the same: all that it does is to copy registers first .. end - 1 (of the payload's
 * constants) and immediates to registers from `end` on, and to end with its only message. */
bool eu_kernel_is_uniform(const struct eu_kernel *k, unsigned first, unsigned end);

/* Disassembles n bytes of machine code in the text form of Mesa's disassembler, a line an instruction. 0, or how many
 * instructions were unknown. */
unsigned eu_disassemble(const uint8_t *code, size_t n, FILE *out);

/* ---- execution */

enum eu_sfid { /* PRM SKL vol 7, "Shared Function IDs" */
               EU_SFID_NULL = 0,
               EU_SFID_SAMPLER = 2,
               EU_SFID_GATEWAY = 3,
               EU_SFID_DP_SAMPLER = 4,
               EU_SFID_DP_RENDER = 5,
               EU_SFID_URB = 6,
               EU_SFID_SPAWNER = 7,
               EU_SFID_VME = 8,
               EU_SFID_DP_CONST = 9,
               EU_SFID_DP_DC0 = 10,
               EU_SFID_PI = 11,
               EU_SFID_DP_DC1 = 12,
               EU_SFID_CRE = 13,
               EU_SFID_DP_DC2 = 14
};

struct eu_thread;

/* A send, sendc, sends or sendsc. The payload is a private copy of the registers or points to them; it is read only. */
struct eu_message {
    uint8_t sfid;                /* enum eu_sfid */
    uint8_t exec_size;           /* channels: 1, 2, 4, 8, 16, 32 */
    uint8_t mlen, ex_mlen, rlen; /* registers: first and second part of the payload, answer */
    bool header, eot, wait;      /* header present; end of thread; sendc (waits for what depends on the same pixels) */
    uint32_t desc, ex_desc;
    uint32_t mask;         /* bit per channel that is enabled: dispatch, control flow, predicate */
    uint8_t first_channel; /* channel group (nibble control): payload channel 0 is this channel of the thread */
    const uint8_t *src0;   /* mlen * 32 bytes */
    const uint8_t *src1;   /* ex_mlen * 32 bytes */
    uint8_t *dst;          /* rlen * 32 bytes of the register file: write enabled channels only (for SIMD messages) */
};

enum eu_result {
    EU_DONE,   /* of a message: answered. Of eu_run: the thread has ended */
    EU_WAIT,   /* a barrier: eu_run returns, to be called again when the thread may go on */
    EU_BUDGET, /* eu_run only: the instruction budget is used up; call again */
    EU_FAULT,  /* the thread cannot go on: illegal instruction, register out of range, message refused */
};

struct eu_host {
    /* Carries out a message. EU_WAIT: thread waits in its next WAIT instruction (barrier) - see eu_thread.notified. */
    enum eu_result (*message)(struct eu_thread *t, const struct eu_message *m);
};

/* Working state of a hardware thread. Who dispatches it fills in the payload registers, kernel, masks and ctx. */
struct eu_thread {
    alignas(
        64) uint8_t grf[EU_GRFS * EU_REG_BYTES + 2 * EU_REG_BYTES]; /* slack: a vector access may run over the end */
    alignas(64) uint8_t acc[4 * EU_REG_BYTES];
    uint32_t flag[2];     /* f0, f1, each 32 bits */
    uint16_t address[16]; /* a0 */
    uint32_t sr0[4], cr0[4], ce0, tm0[4];
    uint32_t notified;      /* n0.0: barrier notifications not yet consumed by WAIT */
    uint32_t dispatch_mask; /* sr0.2: channels with work, bit 0 = channel 0 */
    uint32_t vector_mask;   /* sr0.3: for fragment threads: quads with any channel; dispatch_mask else */
    const struct eu_kernel *kernel;
    uint32_t ip; /* index into the decoded form, or EU_IP_START */
    const struct eu_host *host;
    void *ctx;         /* the dispatcher's */
    const char *fault; /* what was wrong, after EU_FAULT */
    /* Private to eu/. A channel that waits for a place in the code is parked and has the place's index. */
    struct {
        uint32_t active, parked;
        uint32_t resume[EU_LANES];
    } flow;
    int32_t acc_high[EU_LANES]; /* bits 63:32 of integer accumulators */
    uint32_t ip_bytes;          /* the ip register, as bytes from the entry point, when an instruction uses it */
    uint32_t executed;          /* instructions in the last eu_run */
};

#define EU_IP_START UINT32_MAX

/* Bits of cr0.0. PRM SKL vol 7, "Control Register"; Mesa brw_eu_defines.h BRW_CR0_*. ALT is what FloatingPointMode of
 * 3DSTATE_* asks for: nothing times zero is zero, results are finite (slow here; for programs with legacy rules). */
#define EU_CR0_ALT           0x1u
#define EU_CR0_ROUND         0x30u /* 0 nearest even, 1 up, 2 down, 3 to zero */
#define EU_CR0_ROUND_SHIFT   4u
#define EU_CR0_DENORM_DOUBLE 0x40u /* 1: denormals are kept */
#define EU_CR0_DENORM_SINGLE 0x80u
#define EU_CR0_DENORM_HALF   0x400u /* half floats keep theirs anyway */

/* Makes t ready to start its kernel at the entry point: flow and special registers, not grf, host and ctx. All channels
 * of dispatch_mask run; a dispatcher that wants others (VectorMaskEnable) sets vector_mask and flow.active behind it,
 * and cr0[0] for another float mode than round to nearest even with denormals flushed (EU_CR0_*). */
void eu_thread_start(struct eu_thread *t, const struct eu_kernel *k, uint32_t dispatch_mask);
/* Runs until the thread ends, waits, faults or has executed `budget` instructions. */
enum eu_result eu_run(struct eu_thread *t, unsigned budget);

#endif
