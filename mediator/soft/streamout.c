#include "mediator/soft/streamout.h"

#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

#define SLOT_DWORDS 4u
#define OFFSET_KEPT UINT32_MAX /* StreamOffset: take the one in memory */

static void read_decl(struct so_stream *st, const uint32_t *entry, unsigned stream)
{
    struct so_decl *d = &st->decl[st->decls++];

    *d = (struct so_decl){
        .buffer = (uint8_t)FIELD_AT(entry, SO_DECL, OutputBufferSlot, stream, 16),
        .mask = (uint8_t)FIELD_AT(entry, SO_DECL, ComponentMask, stream, 16),
        .slot = (uint8_t)FIELD_AT(entry, SO_DECL, RegisterIndex, stream, 16),
        .hole = FIELD_AT(entry, SO_DECL, HoleFlag, stream, 16),
    };
}

static void read_stream(struct streamout *so, const uint32_t *list, const uint32_t *state, unsigned stream)
{
    struct so_stream *st = &so->stream[stream];
    unsigned n = (unsigned)FIELD_AT(list, 3DSTATE_SO_DECL_LIST, NumEntries0, stream, 8);

    st->decls = 0;
    st->buffers = (uint8_t)FIELD_AT(list, 3DSTATE_SO_DECL_LIST, StreamToBufferSelects0, stream, 4);
    st->offset_dwords = 8 * (unsigned)FIELD_AT(state, 3DSTATE_STREAMOUT, Stream0VertexReadOffset, stream, 8);
    st->length_dwords = 8 * ((unsigned)FIELD_AT(state, 3DSTATE_STREAMOUT, Stream0VertexReadLength, stream, 8) + 1);
    for (unsigned i = 0; i < GT_MIN(n, SO_DECLS); i++)
        read_decl(st, list + 3 + 2 * i, stream);
}

static void read_buffer(struct streamout *so, const uint32_t *state, unsigned i)
{
    const uint32_t *dw = soft_state_indexed(so->e->state, C_3DSTATE_SO_BUFFER, i);
    struct so_buffer *b = &so->buffer[i];

    b->enable = FIELD_GET(dw, 3DSTATE_SO_BUFFER, SOBufferEnable);
    b->address = FIELD_ADDRESS(dw, 3DSTATE_SO_BUFFER, SurfaceBaseAddress);
    b->size = (FIELD_GET(dw, 3DSTATE_SO_BUFFER, SurfaceSize) + 1) * 4;
    b->pitch = (uint32_t)FIELD_AT(state, 3DSTATE_STREAMOUT, Buffer0SurfacePitch, i, 16);
    b->offset_address = FIELD_GET(dw, 3DSTATE_SO_BUFFER, StreamOutputBufferOffsetAddressEnable)
                            ? FIELD_ADDRESS(dw, 3DSTATE_SO_BUFFER, StreamOutputBufferOffsetAddress)
                            : 0;
    b->offset = vgpu_exec_reg_read(so->e->space.x, reg_off(R_SO_WRITE_OFFSET, 0, i));
}

void streamout_begin(struct streamout *so, struct soft_engine *e)
{
    const uint32_t *state = soft_state_get(e->state, C_3DSTATE_STREAMOUT, NULL);
    const uint32_t *list = soft_state_get(e->state, C_3DSTATE_SO_DECL_LIST, NULL);

    so->e = e;
    so->on = FIELD_GET(state, 3DSTATE_STREAMOUT, SOFunctionEnable);
    so->render = !FIELD_GET(state, 3DSTATE_STREAMOUT, RenderingDisable);
    so->render_stream = (uint8_t)FIELD_GET(state, 3DSTATE_STREAMOUT, RenderStreamSelect);
    if (!so->on)
        return;
    so->statistics = FIELD_GET(state, 3DSTATE_STREAMOUT, SOStatisticsEnable);
    so->leading = !FIELD_GET(state, 3DSTATE_STREAMOUT, ReorderMode);
    for (unsigned i = 0; i < SO_STREAMS; i++)
        read_stream(so, list, state, i);
    for (unsigned i = 0; i < SO_BUFFERS; i++)
        read_buffer(so, state, i);
}

/* The whole primitive must fit into every buffer of the stream, or nothing of it is written. A disabled buffer takes
 * everything and keeps nothing. */
static bool fits(const struct streamout *so, const struct so_stream *st, unsigned n)
{
    for (unsigned i = 0; i < SO_BUFFERS; i++) {
        const struct so_buffer *b = &so->buffer[i];

        if ((st->buffers & GT_BIT(i)) && b->enable && !gt_range_ok(b->offset, (uint64_t)n * b->pitch, b->size))
            return false;
    }
    return true;
}

static void write_dwords(struct streamout *so, const struct so_buffer *b, uint32_t at, const uint32_t *data, unsigned n)
{
    uint64_t offset = (uint64_t)b->offset + at;

    if (b->enable && gt_range_ok(offset, 4u * n, b->size))
        soft_mem_write(&so->e->worker[0].mem, b->address + offset, data, 4u * n);
}

static void write_vertex(struct streamout *so, const struct so_stream *st, const uint32_t *vue, unsigned vue_dwords)
{
    uint32_t at[SO_BUFFERS] = {0};

    for (unsigned i = 0; i < st->decls; i++) {
        const struct so_decl *d = &st->decl[i];
        unsigned first = d->slot * SLOT_DWORDS, n = 0;
        uint32_t data[SLOT_DWORDS];

        for (unsigned c = 0; c < SLOT_DWORDS; c++) {
            unsigned dword = st->offset_dwords + first + c;

            if (d->mask & GT_BIT(c))
                data[n++] = first + c < st->length_dwords && dword < vue_dwords ? vue[dword] : 0;
        }
        if (!d->hole && n && (st->buffers & GT_BIT(d->buffer)))
            write_dwords(so, &so->buffer[d->buffer], at[d->buffer], data, n);
        at[d->buffer] += 4 * n;
    }
    for (unsigned i = 0; i < SO_BUFFERS; i++)
        if (st->buffers & GT_BIT(i))
            so->buffer[i].offset += so->buffer[i].pitch;
}

void streamout_write(struct streamout *so, unsigned stream, const uint32_t *const *v, unsigned n, unsigned vue_dwords)
{
    const struct so_stream *st = &so->stream[stream % SO_STREAMS];

    if (!so->on)
        return;
    if (so->statistics)
        so->e->count.so_needed[stream % SO_STREAMS]++;
    if (!fits(so, st, n))
        return;
    for (unsigned i = 0; i < n; i++)
        write_vertex(so, st, v[i], vue_dwords);
    if (so->statistics && st->buffers)
        so->e->count.so_written[stream % SO_STREAMS]++;
}

void streamout_end(struct streamout *so)
{
    for (unsigned i = 0; so->on && i < SO_BUFFERS; i++) {
        const struct so_buffer *b = &so->buffer[i];

        vgpu_exec_reg_write(so->e->space.x, reg_off(R_SO_WRITE_OFFSET, 0, i), b->offset);
        if (b->enable && b->offset_address)
            soft_mem_write(&so->e->worker[0].mem, b->offset_address, &b->offset, sizeof(b->offset));
    }
}

void soft_streamout_buffer(struct soft_engine *e, const uint32_t *dw)
{
    unsigned i = (unsigned)FIELD_GET(dw, 3DSTATE_SO_BUFFER, SOBufferIndex);
    uint32_t offset = (uint32_t)FIELD_GET(dw, 3DSTATE_SO_BUFFER, StreamOffset);

    if (!FIELD_GET(dw, 3DSTATE_SO_BUFFER, StreamOffsetWriteEnable))
        return;
    if (offset == OFFSET_KEPT) {
        if (!FIELD_GET(dw, 3DSTATE_SO_BUFFER, StreamOutputBufferOffsetAddressEnable))
            return;
        soft_mem_read(&e->worker[0].mem, FIELD_ADDRESS(dw, 3DSTATE_SO_BUFFER, StreamOutputBufferOffsetAddress), &offset,
                      sizeof(offset));
    }
    vgpu_exec_reg_write(e->space.x, reg_off(R_SO_WRITE_OFFSET, 0, i), offset);
}
