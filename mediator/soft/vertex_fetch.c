#include "mediator/soft/vertex_fetch.h"

#include <string.h>

#include "mediator/soft/surface.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"

/* Component controls of VERTEX_ELEMENT_STATE (genxml 3D_Vertex_Component_Control). */
enum { COMP_NOSTORE, COMP_SRC, COMP_0, COMP_1_FLOAT, COMP_1_INT, COMP_PID = 7 };

#define ELEMENT_BYTES 32u /* most bytes of an element: four components of 64 bits */
#define ONE_FLOAT     0x3f800000u

/* ---- state */

static void read_buffers(struct vertex_fetch *vf, const struct soft_state *s)
{
    for (unsigned i = 0; i < VF_BUFFERS; i++) {
        const uint32_t *dw = soft_state_vertex_buffer(s, i);
        bool null = FIELD_GET(dw, VERTEX_BUFFER_STATE, NullVertexBuffer);

        vf->buffer[i].address = FIELD_ADDRESS(dw, VERTEX_BUFFER_STATE, BufferStartingAddress);
        vf->buffer[i].size = null ? 0 : (uint32_t)FIELD_GET(dw, VERTEX_BUFFER_STATE, BufferSize);
        vf->buffer[i].pitch = (uint32_t)FIELD_GET(dw, VERTEX_BUFFER_STATE, BufferPitch);
    }
}

/* Dwords when an element's bits are what the shader gets: channels of 32 or 64 bits one after the other. */
static unsigned dwords_to_copy(const struct soft_format *f)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < 4 && f->channel[i].bits; i++) {
        unsigned type = f->channel[i].type;
        bool raw32 = type == SOFT_CH_FLOAT || type == SOFT_CH_UINT || type == SOFT_CH_SINT || type == SOFT_CH_RAW;
        bool raw = f->channel[i].bits == 32 ? raw32 : f->channel[i].bits == 64 && type == SOFT_CH_RAW;

        if (!raw || f->channel[i].first != bits)
            return 0;
        bits += f->channel[i].bits;
    }
    return bits == f->bits ? GT_MIN(bits / 32, 4u) : 0;
}

static void set_format(struct vf_element *el, unsigned number)
{
    const struct soft_format *f = soft_format_find(number);

    if (!f || f->compression || f->block_width_px != 1 || f->block_height_px != 1 || !f->bits ||
        f->bits > ELEMENT_BYTES * 8)
        return;
    el->format = f;
    el->bytes = (uint8_t)((f->bits + 7) / 8);
    el->copied_dwords = (uint8_t)dwords_to_copy(f);
    el->integer = soft_format_is_integer(f);
    /* isl's table, which formats.def follows, has red first in the B10G10R10A2 formats that only vertices have. */
    el->blue_first = f->name[0] == 'B' && f->channel[0].first == 0;
}

static void read_element(struct vf_element *el, const uint32_t *dw)
{
    memset(el, 0, sizeof(*el));
    el->buffer = (uint8_t)FIELD_GET(dw, VERTEX_ELEMENT_STATE, VertexBufferIndex);
    el->offset = (uint16_t)FIELD_GET(dw, VERTEX_ELEMENT_STATE, SourceElementOffset);
    el->component[0] = (uint8_t)FIELD_GET(dw, VERTEX_ELEMENT_STATE, Component0Control);
    el->component[1] = (uint8_t)FIELD_GET(dw, VERTEX_ELEMENT_STATE, Component1Control);
    el->component[2] = (uint8_t)FIELD_GET(dw, VERTEX_ELEMENT_STATE, Component2Control);
    el->component[3] = (uint8_t)FIELD_GET(dw, VERTEX_ELEMENT_STATE, Component3Control);
    if (el->buffer < VF_BUFFERS)
        set_format(el, (unsigned)FIELD_GET(dw, VERTEX_ELEMENT_STATE, SourceElementFormat));
    else
        el->buffer = 0;
}

static void read_elements(struct vertex_fetch *vf, const struct soft_state *s)
{
    unsigned n = soft_state_vertex_elements(s);

    vf->edge_flag = -1;
    for (unsigned i = 0; i < n; i++) {
        const uint32_t *dw = soft_state_vertex_element(s, i);
        const uint32_t *instancing = soft_state_indexed(s, C_3DSTATE_VF_INSTANCING, i);
        struct vf_element *el = &vf->element[vf->elements];

        if (!FIELD_GET(dw, VERTEX_ELEMENT_STATE, Valid))
            continue;
        read_element(el, dw);
        el->per_instance = FIELD_GET(instancing, 3DSTATE_VF_INSTANCING, InstancingEnable);
        el->step = (uint32_t)FIELD_GET(instancing, 3DSTATE_VF_INSTANCING, InstanceDataStepRate);
        if (FIELD_GET(dw, VERTEX_ELEMENT_STATE, EdgeFlagEnable))
            vf->edge_flag = (int)vf->elements;
        vf->elements++;
    }
    /* Only the last one may be the edge flag. */
    if (vf->edge_flag >= 0 && vf->edge_flag + 1 != (int)vf->elements)
        vf->edge_flag = -1;
}

static void read_generated(struct vertex_fetch *vf, const struct soft_state *s)
{
    const uint32_t *dw = soft_state_get(s, C_3DSTATE_VF_SGVS, NULL);

    vf->vertex_id = (struct vf_generated){
        .enable = FIELD_GET(dw, 3DSTATE_VF_SGVS, VertexIDEnable),
        .element = (uint8_t)FIELD_GET(dw, 3DSTATE_VF_SGVS, VertexIDElementOffset),
        .component = (uint8_t)FIELD_GET(dw, 3DSTATE_VF_SGVS, VertexIDComponentNumber),
    };
    vf->instance_id = (struct vf_generated){
        .enable = FIELD_GET(dw, 3DSTATE_VF_SGVS, InstanceIDEnable),
        .element = (uint8_t)FIELD_GET(dw, 3DSTATE_VF_SGVS, InstanceIDElementOffset),
        .component = (uint8_t)FIELD_GET(dw, 3DSTATE_VF_SGVS, InstanceIDComponentNumber),
    };
}

#define PACKING_ELEMENTS 32u

static void read_packing(struct vertex_fetch *vf, const struct soft_state *s)
{
    const uint32_t *packing = soft_state_get(s, C_3DSTATE_VF_COMPONENT_PACKING, NULL);

    vf->packed = FIELD_GET(soft_state_get(s, C_3DSTATE_VF, NULL), 3DSTATE_VF, ComponentPackingEnable);
    for (unsigned i = 0; i < VF_ELEMENTS; i++)
        vf->packing[i] = i < PACKING_ELEMENTS && vf->packed
                             ? (uint8_t)FIELD_AT(packing, 3DSTATE_VF_COMPONENT_PACKING, VertexElement00Enables, i, 4)
                             : 0xf;
}

/* The cut index is compared at the width of the indices. */
static void read_indices(struct vertex_fetch *vf, const struct soft_state *s, const struct vf_draw *draw)
{
    const uint32_t *ib = soft_state_get(s, C_3DSTATE_INDEX_BUFFER, NULL);
    const uint32_t *state = soft_state_get(s, C_3DSTATE_VF, NULL);
    unsigned format = (unsigned)FIELD_GET(ib, 3DSTATE_INDEX_BUFFER, IndexFormat);

    vf->indexed = draw->indexed;
    vf->first_index = draw->first;
    vf->index_size = 1u << GT_MIN(format, 2u);
    vf->index_address = FIELD_ADDRESS(ib, 3DSTATE_INDEX_BUFFER, BufferStartingAddress);
    vf->index_bytes = (uint32_t)FIELD_GET(ib, 3DSTATE_INDEX_BUFFER, BufferSize);
    vf->cut_enable = draw->indexed && FIELD_GET(state, 3DSTATE_VF, IndexedDrawCutIndexEnable);
    vf->cut_index = (uint32_t)FIELD_GET(state, 3DSTATE_VF, CutIndex) & (UINT32_MAX >> (32 - 8 * vf->index_size));
}

void vertex_fetch_begin(struct vertex_fetch *vf, const struct soft_state *s, const struct vf_draw *draw)
{
    memset(vf, 0, sizeof(*vf));
    vf->base_vertex = draw->indexed ? draw->base_vertex : (int32_t)draw->first;
    vf->first_instance = draw->first_instance;
    read_buffers(vf, s);
    read_elements(vf, s);
    read_generated(vf, s);
    read_packing(vf, s);
    read_indices(vf, s, draw);
}

unsigned vertex_fetch_dwords(const struct vertex_fetch *vf)
{
    unsigned n = 0;

    for (unsigned i = 0; i < vf->elements; i++)
        if ((int)i != vf->edge_flag)
            n += (unsigned)__builtin_popcount(vf->packing[i]);
    return n;
}

/* ---- vertices */

/* The element's bytes: in place when they are in one page, else in bounce. NULL: outside of the buffer. */
static const void *find_data(const struct vertex_fetch *vf, const struct vf_element *el, struct soft_mem *m,
                             uint32_t index, uint8_t bounce[ELEMENT_BYTES])
{
    const struct vf_buffer *b = &vf->buffer[el->buffer];
    uint64_t offset = (uint64_t)index * b->pitch + el->offset, at = b->address + offset;

    if (!el->bytes || !gt_range_ok(offset, el->bytes, b->size))
        return NULL;
    if (at % SOFT_PAGE + el->bytes <= SOFT_PAGE) {
        const uint8_t *p = soft_mem_ptr(m, at, false);

        if (p)
            return p;
    }
    soft_mem_read(m, at, bounce, el->bytes);
    return bounce;
}

static void convert(const struct vf_element *el, const void *data, uint32_t src[4])
{
    uint8_t copy[ELEMENT_BYTES];

    if (!data) {
        memset(src, 0, 16);
        return;
    }
    if (el->copied_dwords) {
        src[0] = src[1] = src[2] = 0;
        src[3] = el->integer ? 1 : ONE_FLOAT;
        memcpy(src, data, 4u * el->copied_dwords);
        return;
    }
    memcpy(copy, data, el->bytes); /* the guest may write it meanwhile */
    soft_format_unpack(el->format, copy, src);
    if (el->blue_first) {
        uint32_t blue = src[0];

        src[0] = src[2];
        src[2] = blue;
    }
}

static uint32_t component(unsigned control, uint32_t src)
{
    switch (control) {
    case COMP_SRC:
        return src;
    case COMP_1_FLOAT:
        return ONE_FLOAT;
    case COMP_1_INT:
        return 1;
    default:
        return 0;
    }
}

static bool wants_source(const struct vf_element *el)
{
    return el->component[0] == COMP_SRC || el->component[1] == COMP_SRC || el->component[2] == COMP_SRC ||
           el->component[3] == COMP_SRC;
}

static void fetch_element(const struct vertex_fetch *vf, const struct vf_element *el, struct soft_mem *m,
                          uint32_t index, uint32_t instance, uint32_t out[4])
{
    uint8_t bounce[ELEMENT_BYTES];
    uint32_t src[4] = {0};

    if (wants_source(el)) {
        if (el->per_instance)
            index = vf->first_instance + (el->step ? instance / el->step : 0);
        else
            index += (uint32_t)vf->base_vertex;
        convert(el, find_data(vf, el, m, index, bounce), src);
    }
    for (unsigned i = 0; i < 4; i++)
        out[i] = component(el->component[i], src[i]);
}

static void generate(const struct vf_generated *g, unsigned element, uint32_t value, uint32_t out[4])
{
    if (g->enable && g->element == element)
        out[g->component] = value;
}

bool vertex_fetch_vertex(const struct vertex_fetch *vf, struct soft_mem *m, uint32_t index, uint32_t instance,
                         uint32_t *out)
{
    bool edge = true;

    for (unsigned i = 0; i < vf->elements; i++) {
        uint32_t value[4];

        fetch_element(vf, &vf->element[i], m, index, instance, value);
        if ((int)i == vf->edge_flag) {
            edge = value[0];
            continue;
        }
        generate(&vf->vertex_id, i, index, value);
        generate(&vf->instance_id, i, instance, value);
        if (vf->packing[i] == 0xf) {
            memcpy(out, value, sizeof(value));
            out += 4;
            continue;
        }
        for (unsigned c = 0; c < 4; c++)
            if (vf->packing[i] & GT_BIT(c))
                *out++ = value[c];
    }
    return edge;
}

/* ---- indices */

static uint32_t widen(const uint8_t *p, unsigned size)
{
    uint16_t half;
    uint32_t word;

    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&half, p, 2);
        return half;
    default:
        memcpy(&word, p, 4);
        return word;
    }
}

void vertex_fetch_indices(const struct vertex_fetch *vf, struct soft_mem *m, uint32_t first, uint32_t n, uint32_t *out)
{
    uint8_t chunk[1024];
    unsigned size = vf->index_size, most = sizeof(chunk) / size;

    for (uint32_t i = 0; i < n; i += most) {
        uint64_t offset = ((uint64_t)vf->first_index + first + i) * size;
        size_t want = (size_t)GT_MIN(n - i, most) * size, have = 0;

        if (offset < vf->index_bytes)
            have = (size_t)GT_MIN((uint64_t)want, vf->index_bytes - offset) / size * size;
        if (have)
            soft_mem_read(m, vf->index_address + offset, chunk, have);
        memset(chunk + have, 0, want - have);
        for (size_t k = 0; k * size < want; k++)
            out[i + k] = widen(chunk + k * size, size);
    }
}
