/*
 * The render engine's state, kept as hardware keeps it in a context image: the last dwords of every command that only
 * sets state. Who executes a draw or a walker reads the fields from there (vgpu/desc/fields.h) and may cache what it
 * derived, keyed by the stamps.
 *
 * The whole struct is saved to and restored from the context image with the context (vgpu_exec_state), so it holds no
 * pointers, and nothing in it is trusted after a restore: every offset and count in it is a guest's.
 */
#ifndef GTMUX_SOFT_STATE_H
#define GTMUX_SOFT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "vgpu/desc/cmds.h"

/* The rows of state.def fit into this (checked when state.c is compiled). */
#define SOFT_STATE_DWORDS 3072u

struct soft_state {
    uint32_t dw[SOFT_STATE_DWORDS];
};

/* Stamps live outside of the saved part: they tell derived caches of this process what has changed. */
struct soft_stamps {
    uint32_t now;
    uint32_t cmd[C_COUNT];
};

/* Everything has changed: another context, or its state was loaded. */
void soft_stamps_all(struct soft_stamps *t);

/* True when `cmd_id` only sets state that soft_state keeps. */
bool soft_state_keeps(int cmd_id);
/* Keeps the command. Commands with selective updates (STATE_BASE_ADDRESS's modify enables, 3DSTATE_CONSTANT_* with
 * their own, MEDIA_..., vertex buffers and elements by index) are merged as hardware merges them. */
void soft_state_set(struct soft_state *s, struct soft_stamps *t, int cmd_id, const uint32_t *dw, unsigned ndw);
/* The kept dwords, header first; all zero when the command was never given. At least cmd_table[id].min_len dwords (or
 * bias, for fixed lengths) may be read; *ndw, if not NULL, receives how many are kept at most. NULL: not a state
 * command.
 */
const uint32_t *soft_state_get(const struct soft_state *s, int cmd_id, unsigned *ndw);
/* Vertex buffer 0..32 and vertex element 0..33 as VERTEX_BUFFER_STATE / VERTEX_ELEMENT_STATE; NULL beyond. */
const uint32_t *soft_state_vertex_buffer(const struct soft_state *s, unsigned index);
const uint32_t *soft_state_vertex_element(const struct soft_state *s, unsigned index);
/* The last 3DSTATE_VF_INSTANCING of vertex element 0..33 and 3DSTATE_SO_BUFFER of buffer 0..3, header first; NULL
 * beyond, and for other commands. */
const uint32_t *soft_state_indexed(const struct soft_state *s, int cmd_id, unsigned index);
/* Number of elements that the last 3DSTATE_VERTEX_ELEMENTS gave, 0..34. */
unsigned soft_state_vertex_elements(const struct soft_state *s);

/* Bases of STATE_BASE_ADDRESS, bytes. */
enum soft_base {
    SOFT_BASE_GENERAL,
    SOFT_BASE_SURFACE,
    SOFT_BASE_DYNAMIC,
    SOFT_BASE_INDIRECT,
    SOFT_BASE_INSTRUCTION,
    SOFT_BASE_BINDLESS
};
uint64_t soft_state_base(const struct soft_state *s, enum soft_base base);

#endif
