/*
 * How a device outlives its process (vgpu_adopt). The process can be killed between any two instructions of any of its
 * threads; what is then in memory is, thread by thread, all stores up to that instruction and none after it. So the
 * order in which the compiler emits stores is all that counts; no processor barriers are needed.
 *
 *   - A change of several fields is a *section*. Before it changes a field whose old value a repetition needs, it adds
 *     that value to an undo log; ending the section is one store. A section that was cut off is rolled back by the next
 *     process, and whoever wanted it does it again: the guest's access is delivered again, the command executed again,
 *     the display event handled again. Fields that come out the same when the section is repeated need no entry.
 *   - Sections under the device lock share the device's log: only one thread at a time can be inside. Sections of an
 *     engine's thread (jumps, read-modify-write commands) have the engine's own log.
 *   - What the guest sees by itself, without a trap, cannot be rolled back: context switches (engine.h, struct
 *     engine_switch) are written down first and then carried out, by the next process if need be.
 *   - A store to guest memory comes before the position that steps over its command. A command that was cut off is
 *     executed once more: the same stores again, unless the guest's own processors changed the operands meanwhile.
 */
#ifndef GTMUX_VGPU_UNDO_H
#define GTMUX_VGPU_UNDO_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VGPU_UNDO_ENTRIES 16u
#define VGPU_UNDO_BYTES   1024u

struct vgpu_undo_entry {
    uint32_t off; /* of the field in the device's state */
    uint16_t size, at;
};

struct vgpu_undo {
    uint32_t full; /* fields that were left out; the sizes above are such that none is */
    uint64_t word; /* 31:0 entries in use; 63:32 trapped accesses that are done (the device's log only) */
    struct vgpu_undo_entry entry[VGPU_UNDO_ENTRIES];
    uint8_t bytes[VGPU_UNDO_BYTES];
};

/* Keeps the compiler from moving stores across; costs nothing. */
static inline void vgpu_order(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

static inline unsigned vgpu_undo_used(const struct vgpu_undo *u)
{
    return (uint32_t)u->word;
}

static inline void vgpu_undo_set(struct vgpu_undo *u, uint64_t word)
{
    vgpu_order();
    __atomic_store_n(&u->word, word, __ATOMIC_RELAXED);
    vgpu_order();
}

/* Ends a section. */
static inline void vgpu_undo_end(struct vgpu_undo *u)
{
    if (vgpu_undo_used(u))
        vgpu_undo_set(u, u->word & ~(uint64_t)UINT32_MAX);
    else
        vgpu_order();
}

/* Notes `size` bytes at `field`, which lies in the state that begins at `state`. A log that is full leaves the field
 * out: it then keeps what the section made of it. */
static inline void vgpu_undo_add(struct vgpu_undo *u, const void *state, const void *field, size_t size)
{
    unsigned n = vgpu_undo_used(u);
    size_t at = n ? (size_t)u->entry[n - 1].at + u->entry[n - 1].size : 0;

    if (n == VGPU_UNDO_ENTRIES || size > VGPU_UNDO_BYTES - at) {
        u->full++;
        return;
    }
    u->entry[n] = (struct vgpu_undo_entry){
        .off = (uint32_t)((const uint8_t *)field - (const uint8_t *)state), .size = (uint16_t)size, .at = (uint16_t)at};
    memcpy(u->bytes + at, field, size);
    vgpu_undo_set(u, u->word + 1);
}

#endif
