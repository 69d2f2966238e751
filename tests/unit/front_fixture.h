/*
 * For tests of the front of the render engine: an engine with state that commands set, a small address space, and
 * helpers that write commands by field names.
 */
#ifndef GTMUX_TESTS_FRONT_FIXTURE_H
#define GTMUX_TESTS_FRONT_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "mediator/soft/draw.h"
#include "tests/unit/soft_fixture.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/regs.h"

#define FRONT_MAX_DWORDS 300u

struct front {
    struct soft_rig rig; /* memory */
    struct soft_engine e;
    struct soft_state state;
    uint32_t dw[FRONT_MAX_DWORDS]; /* the command being written */
};

/* Starts the command `id` of n dwords in f->dw. */
static inline uint32_t *front_command(struct front *f, int id, unsigned n)
{
    memset(f->dw, 0, sizeof(f->dw));
    f->dw[0] = cmd_table[id].op | ((n - cmd_table[id].bias) & cmd_table[id].len_mask);
    return f->dw;
}

/* Gives the command that was written to the state. */
static inline void front_set(struct front *f, int id, unsigned n)
{
    soft_state_set(&f->state, &f->e.stamps, id, f->dw, n);
}

static inline void front_open(struct front *f, unsigned workers)
{
    char err[64];

    memset(f, 0, sizeof(*f));
    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err)))
        abort();
    rig_open(&f->rig);
    if (soft_space_init(&f->e.space))
        abort();
    soft_space_begin(&f->e.space, &f->rig.x);
    f->e.state = &f->state;
    f->e.pool = soft_pool_create(workers);
    f->e.worker = calloc(workers, sizeof(*f->e.worker));
    for (unsigned i = 0; i < workers; i++) {
        soft_mem_begin(&f->e.worker[i].mem, &f->e.space);
        f->e.worker[i].thread = aligned_alloc(64, sizeof(struct eu_thread));
        memset(f->e.worker[i].thread, 0, sizeof(struct eu_thread));
    }
}

static inline void front_close(struct front *f)
{
    for (unsigned i = 0; i < soft_pool_workers(f->e.pool); i++)
        free(f->e.worker[i].thread);
    free(f->e.worker);
    soft_pool_destroy(f->e.pool);
    soft_space_fini(&f->e.space);
    rig_close(&f->rig);
}

/* The byte at an offset of the memory. */
static inline void *front_at(struct front *f, uint32_t offset)
{
    return f->rig.memory + offset;
}

static inline void front_vertex_buffer(struct front *f, unsigned index, uint32_t offset, uint32_t size, unsigned pitch)
{
    uint32_t *dw = front_command(f, C_3DSTATE_VERTEX_BUFFERS, 5) + 1;

    SET(dw, VERTEX_BUFFER_STATE, VertexBufferIndex, index);
    SET(dw, VERTEX_BUFFER_STATE, AddressModifyEnable, 1);
    SET(dw, VERTEX_BUFFER_STATE, BufferPitch, pitch);
    SET(dw, VERTEX_BUFFER_STATE, BufferStartingAddress, RIG_MEMORY + offset);
    SET(dw, VERTEX_BUFFER_STATE, BufferSize, size);
    front_set(f, C_3DSTATE_VERTEX_BUFFERS, 5);
}

struct front_element {
    unsigned buffer, format, offset;
    uint8_t component[4]; /* 3D_Vertex_Component_Control */
    bool invalid, edge_flag;
};

static inline void front_elements(struct front *f, const struct front_element *el, unsigned n)
{
    uint32_t *dw = front_command(f, C_3DSTATE_VERTEX_ELEMENTS, 1 + 2 * n) + 1;

    for (unsigned i = 0; i < n; i++, dw += 2) {
        SET(dw, VERTEX_ELEMENT_STATE, VertexBufferIndex, el[i].buffer);
        SET(dw, VERTEX_ELEMENT_STATE, SourceElementFormat, el[i].format);
        SET(dw, VERTEX_ELEMENT_STATE, SourceElementOffset, el[i].offset);
        SET(dw, VERTEX_ELEMENT_STATE, Valid, !el[i].invalid);
        SET(dw, VERTEX_ELEMENT_STATE, EdgeFlagEnable, el[i].edge_flag);
        SET(dw, VERTEX_ELEMENT_STATE, Component0Control, el[i].component[0]);
        SET(dw, VERTEX_ELEMENT_STATE, Component1Control, el[i].component[1]);
        SET(dw, VERTEX_ELEMENT_STATE, Component2Control, el[i].component[2]);
        SET(dw, VERTEX_ELEMENT_STATE, Component3Control, el[i].component[3]);
    }
    front_set(f, C_3DSTATE_VERTEX_ELEMENTS, 1 + 2 * n);
}

static inline void front_index_buffer(struct front *f, uint32_t offset, uint32_t size, unsigned format)
{
    uint32_t *dw = front_command(f, C_3DSTATE_INDEX_BUFFER, 5);

    SET(dw, 3DSTATE_INDEX_BUFFER, IndexFormat, format);
    SET(dw, 3DSTATE_INDEX_BUFFER, BufferStartingAddress, RIG_MEMORY + offset);
    SET(dw, 3DSTATE_INDEX_BUFFER, BufferSize, size);
    front_set(f, C_3DSTATE_INDEX_BUFFER, 5);
}

static inline void front_cut(struct front *f, bool enable, uint32_t index)
{
    uint32_t *dw = front_command(f, C_3DSTATE_VF, 2);

    SET(dw, 3DSTATE_VF, IndexedDrawCutIndexEnable, enable);
    SET(dw, 3DSTATE_VF, CutIndex, index);
    front_set(f, C_3DSTATE_VF, 2);
}

#endif
