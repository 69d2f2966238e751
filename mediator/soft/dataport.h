/*
 * Data ports: reads, writes and atomics of kernels.
 *   dataport.c         dispatch; untyped, scattered and A64 messages
 *   dataport_block.c   OWord blocks, media blocks, scratch
 *   dataport_typed.c   typed surface reads, writes and atomics
 *   dataport_atomic.c  the operations
 * Sources: PRM SKL vol 2d (message descriptors MDC_*, headers MH_*) and vol 7 ("Data Port"), Mesa brw_eu.h.
 */
#ifndef GTMUX_SOFT_DATAPORT_H
#define GTMUX_SOFT_DATAPORT_H

#include "mediator/soft/units.h"

/* Message types of data cache port 0, of the constant and the sampler cache; desc bits 17:14. */
enum dc0_message {
    DC0_OWORD_READ = 0,
    DC0_UNALIGNED_OWORD_READ = 1,
    DC0_DWORD_SCATTERED_READ = 3,
    DC0_BYTE_SCATTERED_READ = 4,
    DC0_FENCE = 7,
    DC0_OWORD_WRITE = 8,
    DC0_DWORD_SCATTERED_WRITE = 11,
    DC0_BYTE_SCATTERED_WRITE = 12
};

/* Of data cache port 1; desc bits 18:14. */
enum dc1_message {
    DC1_UNTYPED_READ = 0x01,
    DC1_UNTYPED_ATOMIC = 0x02,
    DC1_MEDIA_READ = 0x04,
    DC1_TYPED_READ = 0x05,
    DC1_TYPED_ATOMIC = 0x06,
    DC1_UNTYPED_WRITE = 0x09,
    DC1_MEDIA_WRITE = 0x0a,
    DC1_TYPED_WRITE = 0x0d,
    DC1_A64_SCATTERED_READ = 0x10,
    DC1_A64_UNTYPED_READ = 0x11,
    DC1_A64_ATOMIC = 0x12,
    DC1_A64_OWORD_READ = 0x14,
    DC1_A64_OWORD_WRITE = 0x15,
    DC1_A64_UNTYPED_WRITE = 0x19,
    DC1_A64_SCATTERED_WRITE = 0x1a,
    DC1_FLOAT_ATOMIC = 0x1b,
    DC1_A64_FLOAT_ATOMIC = 0x1d
};

enum rc_message { RC_MEDIA_READ = 4, RC_MEDIA_WRITE = 10 };

/* What a message accesses: shared local memory, or addresses from base on. */
struct dp_target {
    struct soft_env *e;
    uint8_t *slm; /* or NULL */
    uint64_t base, size;
};

struct dp_target dp_target_find(struct soft_env *e, const struct eu_message *m);
struct dp_target dp_target_a64(struct soft_env *e);
/* Out of range or not mapped: zeros are read, nothing is written. offset + n never wraps for n < 2^16. */
void dp_read(const struct dp_target *t, uint64_t offset, void *out, unsigned n);
void dp_write(const struct dp_target *t, uint64_t offset, const void *in, unsigned n);

/* Dword `lane` of the registers from reg on; 0 behind the payload's end. */
uint32_t dp_payload_dword(const struct eu_message *m, unsigned reg, unsigned lane);
/* Dword `lane` of the answer from register reg on; dropped behind its end. */
void dp_answer_dword(const struct eu_message *m, unsigned reg, unsigned lane, uint32_t v);

/* ---- dataport_block.c; false: refused */
bool dp_oword_block(struct soft_env *e, const struct eu_message *m, bool write, bool unaligned);
bool dp_a64_oword_block(struct soft_env *e, const struct eu_message *m, bool write);
bool dp_scratch(struct soft_env *e, const struct eu_message *m);
bool dp_media_block(struct soft_env *e, const struct eu_message *m, bool write);

/* ---- dataport_typed.c */
bool dp_typed(struct soft_env *e, const struct eu_message *m, bool write);
bool dp_typed_atomic(struct soft_env *e, const struct eu_message *m);

/* ---- dataport_atomic.c */
enum dp_atomic_kind { DP_ATOMIC_INT, DP_ATOMIC_FLOAT, DP_ATOMIC_INT64 };
/* One operation on 4 or 8 bytes at an offset, atomic for all workers and the guest's CPUs. Returns what the message
 * answers. Unaligned or out of range: 0, nothing happens. */
uint64_t dp_atomic(const struct dp_target *t, uint64_t offset, unsigned operation, enum dp_atomic_kind kind, uint64_t a,
                   uint64_t b);
/* Operands that an operation takes from the payload. */
unsigned dp_atomic_operands(unsigned operation, enum dp_atomic_kind kind);

#endif
