#include <string.h>

#include "mediator/soft/dataport.h"
#include "vgpu/base/bits.h"

#define LANES 8u

/* Typed messages have eight channels of a thread: control 5:4 says which (MDC_SG3): 1 the first, 2 the second eight of
 * the execution mask. The payload of a message is eight wide in both cases, and so is its mask here. */
struct typed_job {
    struct soft_env *e;
    const struct eu_message *m;
    const struct soft_surface *s;
    unsigned first, address_registers; /* u, v, r, lod */
};

static bool is_enabled(const struct typed_job *j, unsigned lane)
{
    return j->m->mask >> lane & 1;
}

static struct typed_job typed_job(struct soft_env *e, const struct eu_message *m, unsigned data_registers)
{
    struct typed_job j = {.e = e, .m = m, .first = m->header ? 1 : 0};
    unsigned total = (unsigned)m->mlen + m->ex_mlen - j.first;

    j.s = units_message_surface(e, gt_field(m->desc, 7, 0), m->ex_desc);
    j.address_registers = total > data_registers ? GT_MIN(total - data_registers, 4u) : 0;
    return j;
}

static uint32_t coordinate(const struct typed_job *j, unsigned n, unsigned lane)
{
    return n < j->address_registers ? dp_payload_dword(j->m, j->first + n, lane) : 0;
}

/* Where the element of a lane is; false: outside. */
static bool locate(const struct typed_job *j, unsigned lane, uint64_t *address)
{
    const struct soft_surface *s = j->s;
    uint32_t u = coordinate(j, 0, lane), v = coordinate(j, 1, lane), r = coordinate(j, 2, lane);
    uint32_t lod = coordinate(j, 3, lane);

    if (s->type == SOFT_SURF_NULL || s->samples > 1 || lod >= s->levels)
        return false;
    if (s->type == SOFT_SURF_1D) { /* its layer comes second */
        r = v;
        v = 0;
    } else if (s->type == SOFT_SURF_BUFFER || s->type == SOFT_SURF_STRBUF) {
        v = r = 0;
    }
    uint32_t slices = s->type == SOFT_SURF_3D ? s->level[lod].depth_px : s->layers;
    if (!s->array && s->type != SOFT_SURF_3D && s->type != SOFT_SURF_CUBE)
        r = 0;
    if (u >= s->level[lod].width_px || v >= s->level[lod].height_px || r >= slices)
        return false;
    *address = soft_surface_address(s, u, v, r, lod, 0);
    return true;
}

static void typed_read(const struct typed_job *j, unsigned left_out)
{
    uint8_t element[32];
    uint32_t texel[4];
    uint64_t address;

    for (unsigned i = 0; i < LANES; i++) {
        if (!is_enabled(j, i))
            continue;
        memset(texel, 0, sizeof(texel));
        if (locate(j, i, &address)) {
            soft_mem_read(j->e->mem, address, element, j->s->element_bytes);
            soft_format_unpack(j->s->info, element, texel);
        }
        for (unsigned c = 0, reg = 0; c < 4; c++)
            if (!(left_out >> c & 1))
                dp_answer_dword(j->m, reg++, i, texel[c]);
    }
}

static void typed_write(const struct typed_job *j, unsigned left_out)
{
    uint8_t element[32];
    uint64_t address;

    for (unsigned i = 0; i < LANES; i++) {
        uint32_t texel[4] = {0, 0, 0, 0};

        if (!is_enabled(j, i) || !locate(j, i, &address))
            continue;
        for (unsigned c = 0, reg = j->first + j->address_registers; c < 4; c++)
            if (!(left_out >> c & 1))
                texel[c] = dp_payload_dword(j->m, reg++, i);
        soft_format_pack(j->s->info, texel, element);
        soft_mem_write(j->e->mem, address, element, j->s->element_bytes);
    }
}

bool dp_typed(struct soft_env *e, const struct eu_message *m, bool write)
{
    unsigned left_out = gt_field(m->desc, 11, 8), group = gt_field(m->desc, 13, 12);
    struct typed_job j = typed_job(e, m, write ? 4 - (unsigned)__builtin_popcount(left_out) : 0);

    if (group != 1 && group != 2)
        return false;
    if (j.s->info->compression)
        j.s = &e->units->null.s;
    if (write)
        typed_write(&j, left_out);
    else
        typed_read(&j, left_out);
    return true;
}

/* Control: 3:0 operation, 4 slot group, 5 answer wanted. The format is R32_UINT or R32_SINT. */
bool dp_typed_atomic(struct soft_env *e, const struct eu_message *m)
{
    unsigned operation = gt_field(m->desc, 11, 8), operands = dp_atomic_operands(operation, DP_ATOMIC_INT);
    struct typed_job j = typed_job(e, m, operands);
    unsigned data = j.first + j.address_registers;
    uint64_t address;

    for (unsigned i = 0; i < LANES; i++) {
        uint64_t old = 0;

        if (!is_enabled(&j, i))
            continue;
        if (j.s->element_bytes == 4 && locate(&j, i, &address)) {
            struct dp_target t = {.e = e, .base = address, .size = 4};
            old = dp_atomic(&t, 0, operation, DP_ATOMIC_INT, operands ? dp_payload_dword(m, data, i) : 0,
                            operands > 1 ? dp_payload_dword(m, data + 1, i) : 0);
        }
        if (m->desc & GT_BIT(13))
            dp_answer_dword(m, 0, i, (uint32_t)old);
    }
    return true;
}
