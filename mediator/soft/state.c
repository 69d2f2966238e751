#include "mediator/soft/state.h"

#include <stddef.h>
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

/* Where each command is kept. */
struct layout {
#define KEEP(name, dwords) uint32_t at_##name[dwords];
#include "mediator/soft/state.def"
#undef KEEP
};

_Static_assert(sizeof(struct layout) <= SOFT_STATE_DWORDS * 4, "state.def does not fit");

struct row {
    uint16_t first, dwords; /* 0: not kept */
};

static const struct row rows[C_COUNT] = {
#define KEEP(name, n) [C_##name] = {.first = offsetof(struct layout, at_##name) / 4, .dwords = n},
#include "mediator/soft/state.def"
#undef KEEP
};

#define VERTEX_BUFFERS        33u
#define VERTEX_BUFFER_DWORDS  4u
#define VERTEX_ELEMENTS       34u
#define VERTEX_ELEMENT_DWORDS 2u

static const struct row *find_row(int cmd_id)
{
    if (cmd_id < 0 || cmd_id >= C_COUNT || !rows[cmd_id].dwords)
        return NULL;
    return &rows[cmd_id];
}

bool soft_state_keeps(int cmd_id)
{
    return find_row(cmd_id) != NULL;
}

void soft_stamps_all(struct soft_stamps *t)
{
    t->now++;
    for (unsigned i = 0; i < C_COUNT; i++)
        t->cmd[i] = t->now;
}

/* ---- commands that leave parts of the last one as they are; n: dwords of the command */

#define KEPT(s, name) ((s)->dw + rows[C_##name].first)

static void set_pipeline(struct soft_state *s, const uint32_t *dw, unsigned n)
{
    uint32_t *kept = KEPT(s, PIPELINE_SELECT);
    uint32_t mask = (uint32_t)FIELD_GET(dw, PIPELINE_SELECT, MaskBits);

    (void)n;
    *kept = (dw[0] & ~0xffu) | (*kept & ~mask & 0xff) | (dw[0] & mask);
}

/* Dwords of STATE_BASE_ADDRESS whose first one has a modify enable in bit 0. PRM SKL vol 2a. */
static const struct {
    uint8_t enable; /* dword with the modify enable */
    uint8_t first, dwords;
} base_part[] = {
    {1, 1, 2},   {4, 4, 2},   {6, 6, 2},   {8, 8, 2},   {10, 10, 2}, {12, 12, 1},
    {13, 13, 1}, {14, 14, 1}, {15, 15, 1}, {16, 16, 2}, {16, 18, 1},
};
#define BASE_DWORDS_MIN  16u /* without the bindless surface states */
#define BASE_STATELESS   3u  /* the data port's memory type, always set */
#define BASE_MODIFY_MASK 1u

static void set_bases(struct soft_state *s, const uint32_t *dw, unsigned n)
{
    uint32_t *kept = KEPT(s, STATE_BASE_ADDRESS);

    if (n < BASE_DWORDS_MIN)
        return;
    kept[0] = dw[0];
    kept[BASE_STATELESS] = dw[BASE_STATELESS];
    for (unsigned i = 0; i < GT_ARRAY_SIZE(base_part); i++)
        if (base_part[i].first + base_part[i].dwords <= n && (dw[base_part[i].enable] & BASE_MODIFY_MASK))
            memcpy(kept + base_part[i].first, dw + base_part[i].first, 4u * base_part[i].dwords);
}

static void set_vertex_buffer(uint32_t *kept, const uint32_t *dw)
{
    unsigned copied = FIELD_GET(dw, VERTEX_BUFFER_STATE, AddressModifyEnable) ? VERTEX_BUFFER_DWORDS : 1;

    memcpy(kept, dw, 4u * copied);
}

static void set_vertex_buffers(struct soft_state *s, const uint32_t *dw, unsigned n)
{
    uint32_t *kept = KEPT(s, 3DSTATE_VERTEX_BUFFERS);

    kept[0] = dw[0];
    for (unsigned i = 1; i + VERTEX_BUFFER_DWORDS <= n; i += VERTEX_BUFFER_DWORDS) {
        unsigned index = (unsigned)FIELD_GET(dw + i, VERTEX_BUFFER_STATE, VertexBufferIndex);

        if (index < VERTEX_BUFFERS)
            set_vertex_buffer(kept + 1 + VERTEX_BUFFER_DWORDS * index, dw + i);
    }
}

static void set_instancing(struct soft_state *s, const uint32_t *dw, unsigned n)
{
    unsigned index = (unsigned)FIELD_GET(dw, 3DSTATE_VF_INSTANCING, VertexElementIndex);

    if (n >= 3 && index < VERTEX_ELEMENTS)
        memcpy(KEPT(s, 3DSTATE_VF_INSTANCING) + 3 * index, dw, 3 * 4);
}

static void set_so_buffer(struct soft_state *s, const uint32_t *dw, unsigned n)
{
    if (n >= 8)
        memcpy(KEPT(s, 3DSTATE_SO_BUFFER) + 8 * FIELD_GET(dw, 3DSTATE_SO_BUFFER, SOBufferIndex), dw, 8 * 4);
}

static const struct {
    int cmd_id;
    void (*set)(struct soft_state *s, const uint32_t *dw, unsigned n);
} merge_table[] = {
    {C_PIPELINE_SELECT, set_pipeline},
    {C_STATE_BASE_ADDRESS, set_bases},
    {C_3DSTATE_VERTEX_BUFFERS, set_vertex_buffers},
    {C_3DSTATE_VF_INSTANCING, set_instancing},
    {C_3DSTATE_SO_BUFFER, set_so_buffer},
};

/* ---- */

static void replace(struct soft_state *s, const struct row *r, const uint32_t *dw, unsigned ndw)
{
    unsigned n = GT_MIN(ndw, r->dwords);

    memcpy(s->dw + r->first, dw, 4u * n);
    memset(s->dw + r->first + n, 0, 4u * (r->dwords - n));
}

void soft_state_set(struct soft_state *s, struct soft_stamps *t, int cmd_id, const uint32_t *dw, unsigned ndw)
{
    const struct row *r = find_row(cmd_id);

    if (!r || !ndw)
        return;
    t->cmd[cmd_id] = ++t->now;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(merge_table); i++) {
        if (merge_table[i].cmd_id == cmd_id) {
            merge_table[i].set(s, dw, ndw);
            return;
        }
    }
    replace(s, r, dw, ndw);
}

const uint32_t *soft_state_get(const struct soft_state *s, int cmd_id, unsigned *ndw)
{
    const struct row *r = find_row(cmd_id);

    if (ndw)
        *ndw = r ? r->dwords : 0;
    return r ? s->dw + r->first : NULL;
}

const uint32_t *soft_state_vertex_buffer(const struct soft_state *s, unsigned index)
{
    return index < VERTEX_BUFFERS ? KEPT(s, 3DSTATE_VERTEX_BUFFERS) + 1 + VERTEX_BUFFER_DWORDS * index : NULL;
}

const uint32_t *soft_state_vertex_element(const struct soft_state *s, unsigned index)
{
    return index < VERTEX_ELEMENTS ? KEPT(s, 3DSTATE_VERTEX_ELEMENTS) + 1 + VERTEX_ELEMENT_DWORDS * index : NULL;
}

unsigned soft_state_vertex_elements(const struct soft_state *s)
{
    const uint32_t *kept = KEPT(s, 3DSTATE_VERTEX_ELEMENTS);

    if (!kept[0])
        return 0;
    unsigned n = (cmd_length(C_3DSTATE_VERTEX_ELEMENTS, kept[0]) - 1) / VERTEX_ELEMENT_DWORDS;

    return GT_MIN(n, VERTEX_ELEMENTS);
}

const uint32_t *soft_state_indexed(const struct soft_state *s, int cmd_id, unsigned index)
{
    if (cmd_id == C_3DSTATE_VF_INSTANCING && index < VERTEX_ELEMENTS)
        return KEPT(s, 3DSTATE_VF_INSTANCING) + 3 * index;
    if (cmd_id == C_3DSTATE_SO_BUFFER && index < 4)
        return KEPT(s, 3DSTATE_SO_BUFFER) + 8 * index;
    return NULL;
}

uint64_t soft_state_base(const struct soft_state *s, enum soft_base base)
{
    const uint32_t *dw = KEPT(s, STATE_BASE_ADDRESS);

    switch (base) {
    case SOFT_BASE_GENERAL:
        return FIELD_ADDRESS(dw, STATE_BASE_ADDRESS, GeneralStateBaseAddress);
    case SOFT_BASE_SURFACE:
        return FIELD_ADDRESS(dw, STATE_BASE_ADDRESS, SurfaceStateBaseAddress);
    case SOFT_BASE_DYNAMIC:
        return FIELD_ADDRESS(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddress);
    case SOFT_BASE_INDIRECT:
        return FIELD_ADDRESS(dw, STATE_BASE_ADDRESS, IndirectObjectBaseAddress);
    case SOFT_BASE_INSTRUCTION:
        return FIELD_ADDRESS(dw, STATE_BASE_ADDRESS, InstructionBaseAddress);
    case SOFT_BASE_BINDLESS:
        return FIELD_ADDRESS(dw, STATE_BASE_ADDRESS, BindlessSurfaceStateBaseAddress);
    }
    return 0;
}
