/* The command streamer's parts. Private to vgpu/cs*.c. */
#ifndef GTMUX_VGPU_CS_H
#define GTMUX_VGPU_CS_H

#include "vgpu/device.h"

/* A command in e->cmd: n dwords from the header on (at most VGPU_CMD_MAX of them are there). */
typedef enum cs_result (*cs_handler)(struct vgpu_engine *e, const uint32_t *dw, unsigned n);

/* Flags of cs_mi. */
enum cs_mi_flag {
    CS_QUIET = 1 << 0,        /* changes neither memory nor registers: a loop of such commands only polls */
    CS_UNPREDICATED = 1 << 1, /* executed whatever MI_SET_PREDICATE says */
};

struct cs_mi {
    cs_handler fn; /* NULL: accepted and ignored */
    uint8_t flags;
};

/* ---- helpers in cs.c */
/* Before a command changes what its repetition would see changed: notes the position, and a field of the device. */
void cs_note_position(struct vgpu_engine *e);
void cs_note(struct vgpu_engine *e, const void *field, size_t size);
bool cs_is_user(const struct vgpu_engine *e); /* the stream is unprivileged */
/* Address space of an operand. NULL: an unprivileged stream asked for the GGTT; the command becomes a NOOP. */
struct vgpu_as *cs_as(struct vgpu_engine *e, bool ggtt);
void cs_violation(struct vgpu_engine *e); /* notes a privilege violation in ESR */
void cs_flush_tlbs(struct vgpu_engine *e);
uint32_t cs_reg_read(struct vgpu_engine *e, uint32_t off);
void cs_reg_write(struct vgpu_engine *e, uint32_t off, uint32_t val);
enum cs_result cs_store(struct vgpu_engine *e, struct vgpu_as *as, uint64_t addr, const void *src, size_t n);
enum cs_result cs_fetch(struct vgpu_engine *e, struct vgpu_as *as, uint64_t addr, void *dst, size_t n);

/* Register operand of a command: its MMIO offset, in place. */
#define REG_ADDRESS GT_MASK(22, 2)

/* Address operand in two dwords: bits 47:2. */
static inline uint64_t cs_address(const uint32_t *dw)
{
    return ((uint64_t)(dw[1] & 0xffff) << 32 | dw[0]) & ~UINT64_C(3);
}

/* ---- cs_flow.c */
enum cs_result mi_batch_buffer_start(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_batch_buffer_end(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_conditional_batch_buffer_end(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_semaphore_wait(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_semaphore_signal(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_arb_on_off(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_user_interrupt(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_set_predicate(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_predicate(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
bool cs_predicated_off(struct vgpu_engine *e); /* MI_SET_PREDICATE makes commands NOOPs now */
void cs_leave_workaround(struct vgpu_engine *e);

/* ---- cs_mem.c */
enum cs_result mi_noop(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_report_head(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_store_data_imm(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_store_data_index(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_copy_mem_mem(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_update_gtt(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_report_perf_count(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_flush_dw(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result cs_pipe_control(struct vgpu_engine *e, const uint32_t *dw, unsigned n);

/* ---- cs_reg.c */
enum cs_result mi_load_register_imm(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_load_register_mem(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_load_register_reg(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_store_register_mem(struct vgpu_engine *e, const uint32_t *dw, unsigned n);
enum cs_result mi_math(struct vgpu_engine *e, const uint32_t *dw, unsigned n);

/* ---- cs_atomic.c */
enum cs_result mi_atomic(struct vgpu_engine *e, const uint32_t *dw, unsigned n);

#endif
