#include "mediator/soft/dataport.h"

#include <stdatomic.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

/* Binding table indices that are no surfaces (Mesa brw_eu_defines.h, GFX8_BTI_*). */
#define BTI_STATELESS_NON_COHERENT 253u
#define BTI_SLM                    254u
#define BTI_STATELESS              255u

/* ---- targets */

/* A buffer's bytes; of other surfaces those of a linear level 0. */
static uint64_t surface_bytes(const struct soft_surface *s)
{
    if (s->type == SOFT_SURF_NULL)
        return 0;
    if (s->type == SOFT_SURF_BUFFER || s->type == SOFT_SURF_STRBUF)
        return s->size_bytes;
    return s->tiling == SOFT_LINEAR ? (uint64_t)s->pitch_bytes * s->height_px : 0;
}

/* Stateless: from the general state base, plus the buffer base in dword 5 of a header (MH_A32_GO). */
static uint64_t stateless_base(struct soft_env *e, const struct eu_message *m)
{
    uint32_t offset = 0;

    if (m->header)
        offset = dp_payload_dword(m, 0, 5) & ~0x3ffu;
    return e->general_base + offset;
}

struct dp_target dp_target_find(struct soft_env *e, const struct eu_message *m)
{
    unsigned index = gt_field(m->desc, 7, 0);
    struct dp_target t = {.e = e};

    if (index == BTI_SLM) {
        t.slm = e->slm;
        t.size = e->slm ? e->slm_bytes : 0;
    } else if (index == BTI_STATELESS || index == BTI_STATELESS_NON_COHERENT) {
        t.base = stateless_base(e, m);
        t.size = GT_BIT64(33);
    } else {
        const struct soft_surface *s = units_message_surface(e, index, m->ex_desc);

        t.base = s->address;
        t.size = surface_bytes(s);
    }
    return t;
}

struct dp_target dp_target_a64(struct soft_env *e)
{
    return (struct dp_target){.e = e, .size = GT_BIT64(48)};
}

void dp_read(const struct dp_target *t, uint64_t offset, void *out, unsigned n)
{
    if (!gt_range_ok(offset, n, t->size))
        memset(out, 0, n);
    else if (t->slm)
        memcpy(out, t->slm + offset, n);
    else
        soft_mem_read(t->e->mem, (t->base + offset) & ADDRESS_MASK, out, n);
}

void dp_write(const struct dp_target *t, uint64_t offset, const void *in, unsigned n)
{
    if (!gt_range_ok(offset, n, t->size))
        return;
    if (t->slm)
        memcpy(t->slm + offset, in, n);
    else
        soft_mem_write(t->e->mem, (t->base + offset) & ADDRESS_MASK, in, n);
}

/* ---- registers */

uint32_t dp_payload_dword(const struct eu_message *m, unsigned reg, unsigned lane)
{
    const uint8_t *p = units_payload(m, reg + lane / 8);
    uint32_t v = 0;

    if (p)
        memcpy(&v, p + (lane % 8) * 4, sizeof(v));
    return v;
}

void dp_answer_dword(const struct eu_message *m, unsigned reg, unsigned lane, uint32_t v)
{
    unsigned at = reg + lane / 8;

    if (at < m->rlen)
        memcpy(m->dst + (size_t)at * EU_REG_BYTES + (lane % 8) * 4, &v, sizeof(v));
}

static bool enabled(const struct eu_message *m, unsigned lane)
{
    return m->mask >> lane & 1;
}

static unsigned control(const struct eu_message *m)
{
    return gt_field(m->desc, 13, 8);
}

static uint64_t address64(const struct eu_message *m, unsigned lane)
{
    return dp_payload_dword(m, 0, lane * 2) | (uint64_t)dp_payload_dword(m, 0, lane * 2 + 1) << 32;
}

/* ---- scattered bytes and dwords: an offset and up to four bytes of data for each channel */

static void scattered(struct soft_env *e, const struct eu_message *m, bool write, unsigned lanes, unsigned bytes,
                      unsigned scale)
{
    struct dp_target t = dp_target_find(e, m);
    unsigned first = m->header ? 1 : 0, data = first + lanes / 8;

    for (unsigned i = 0; i < lanes; i++) {
        uint64_t offset = (uint64_t)dp_payload_dword(m, first, i) * scale;
        uint32_t v = 0;

        if (!enabled(m, i))
            continue;
        if (write) {
            v = dp_payload_dword(m, data, i);
            dp_write(&t, offset, &v, bytes);
        } else {
            dp_read(&t, offset, &v, bytes);
            dp_answer_dword(m, 0, i, v);
        }
    }
}

/* Control: bit 0 16 channels, 3:2 log2 of the bytes (MDC_DS). */
static bool byte_scattered(struct soft_env *e, const struct eu_message *m, bool write)
{
    unsigned size = control(m) >> 2 & 3;

    if (size == 3)
        return false;
    scattered(e, m, write, control(m) & 1 ? 16 : 8, 1u << size, 1);
    return true;
}

/* Control: bit 0 16 channels; offsets count dwords. */
static bool dword_scattered(struct soft_env *e, const struct eu_message *m, bool write)
{
    scattered(e, m, write, control(m) & 1 ? 16 : 8, 4, 4);
    return true;
}

/* ---- untyped surfaces: 1 to 4 dwords for each channel. Control: 3:0 channels that are left out, 5:4 1 SIMD16, 2 SIMD8
 */

static uint64_t untyped_offset(const struct eu_message *m, bool a64, unsigned first, unsigned lane)
{
    return a64 ? address64(m, lane) : dp_payload_dword(m, first, lane);
}

static bool untyped(struct soft_env *e, const struct eu_message *m, bool write, bool a64)
{
    struct dp_target t = a64 ? dp_target_a64(e) : dp_target_find(e, m);
    unsigned mode = control(m) >> 4, lanes = mode == 1 ? 16 : 8, first = m->header && !a64 ? 1 : 0;
    unsigned per = lanes / 8, reg = write ? first + per * (a64 ? 2 : 1) : 0;

    if (mode != 1 && mode != 2)
        return false;
    for (unsigned c = 0; c < 4; c++) {
        if (control(m) >> c & 1)
            continue;
        for (unsigned i = 0; i < lanes; i++) {
            uint64_t offset = untyped_offset(m, a64, first, i) + c * 4;
            uint32_t v = 0;

            if (!enabled(m, i))
                continue;
            if (write) {
                v = dp_payload_dword(m, reg, i);
                dp_write(&t, offset, &v, 4);
            } else {
                dp_read(&t, offset, &v, 4);
                dp_answer_dword(m, reg, i, v);
            }
        }
        reg += per;
    }
    return true;
}

/* Control: 1:0 unit (0 byte, 1 dword, 2 qword), 3:2 log2 of units, 4 SIMD16. Bytes of a channel share its dword, or two
 * dwords if there are eight; dwords are in registers of their own, qwords in pairs of dwords. */
static bool a64_scattered(struct soft_env *e, const struct eu_message *m, bool write)
{
    struct dp_target t = dp_target_a64(e);
    unsigned unit = control(m) & 3, count = 1u << (control(m) >> 2 & 3), lanes = control(m) & 16 ? 16 : 8;
    unsigned bytes = unit == 0 ? count : unit == 1 ? 4 : 8, items = unit == 0 ? 1 : count;
    unsigned dwords = (bytes + 3) / 4, per = lanes / 8 * dwords, data = write ? lanes / 8 * 2 : 0;

    if (unit == 3)
        return false;
    for (unsigned n = 0; n < items; n++)
        for (unsigned i = 0; i < lanes; i++) {
            uint64_t offset = address64(m, i) + n * bytes;
            uint32_t v[2] = {0, 0};

            if (!enabled(m, i))
                continue;
            for (unsigned d = 0; d < dwords && write; d++)
                v[d] = dp_payload_dword(m, data + n * per, i * dwords + d);
            if (write) {
                dp_write(&t, offset, v, bytes);
                continue;
            }
            dp_read(&t, offset, v, bytes);
            for (unsigned d = 0; d < dwords; d++)
                dp_answer_dword(m, n * per, i * dwords + d, v[d]);
        }
    return true;
}

/* ---- untyped atomics. Control: 3:0 operation, 4 SIMD8 (A64: 64 bits), 5 answer wanted */

static uint64_t operand(const struct eu_message *m, unsigned reg, unsigned lane, bool wide)
{
    if (!wide)
        return dp_payload_dword(m, reg, lane);
    return dp_payload_dword(m, reg, lane * 2) | (uint64_t)dp_payload_dword(m, reg, lane * 2 + 1) << 32;
}

static bool untyped_atomic(struct soft_env *e, const struct eu_message *m, bool a64, bool is_float)
{
    struct dp_target t = a64 ? dp_target_a64(e) : dp_target_find(e, m);
    unsigned operation = control(m) & (is_float ? 3 : 15), first = m->header && !a64 ? 1 : 0;
    bool wide = a64 && !is_float && (control(m) & 16);
    unsigned lanes = a64 || (control(m) & 16) ? 8 : 16, per = lanes / 8 * (wide ? 2 : 1);
    unsigned data = first + lanes / 8 * (a64 ? 2 : 1);
    enum dp_atomic_kind kind = is_float ? DP_ATOMIC_FLOAT : wide ? DP_ATOMIC_INT64 : DP_ATOMIC_INT;

    for (unsigned i = 0; i < lanes; i++) {
        if (!enabled(m, i))
            continue;
        uint64_t old = dp_atomic(&t, untyped_offset(m, a64, first, i), operation, kind, operand(m, data, i, wide),
                                 operand(m, data + per, i, wide));
        if (!(control(m) & 32))
            continue;
        dp_answer_dword(m, 0, wide ? i * 2 : i, (uint32_t)old);
        if (wide)
            dp_answer_dword(m, 0, i * 2 + 1, (uint32_t)(old >> 32));
    }
    return true;
}

/* ---- dispatch */

static bool dc0(struct soft_env *e, const struct eu_message *m)
{
    if (m->desc & GT_BIT(18))
        return dp_scratch(e, m);
    switch (gt_field(m->desc, 17, 14)) {
    case DC0_OWORD_READ:
        return dp_oword_block(e, m, false, false);
    case DC0_UNALIGNED_OWORD_READ:
        return dp_oword_block(e, m, false, true);
    case DC0_OWORD_WRITE:
        return dp_oword_block(e, m, true, false);
    case DC0_DWORD_SCATTERED_READ:
        return dword_scattered(e, m, false);
    case DC0_DWORD_SCATTERED_WRITE:
        return dword_scattered(e, m, true);
    case DC0_BYTE_SCATTERED_READ:
        return byte_scattered(e, m, false);
    case DC0_BYTE_SCATTERED_WRITE:
        return byte_scattered(e, m, true);
    case DC0_FENCE: /* messages are carried out in order; other workers must see them */
        atomic_thread_fence(memory_order_seq_cst);
        return true;
    default:
        return false;
    }
}

static bool dc1_surface(struct soft_env *e, const struct eu_message *m, unsigned type)
{
    switch (type) {
    case DC1_UNTYPED_READ:
        return untyped(e, m, false, false);
    case DC1_UNTYPED_WRITE:
        return untyped(e, m, true, false);
    case DC1_UNTYPED_ATOMIC:
        return untyped_atomic(e, m, false, false);
    case DC1_FLOAT_ATOMIC:
        return untyped_atomic(e, m, false, true);
    case DC1_TYPED_READ:
        return dp_typed(e, m, false);
    case DC1_TYPED_WRITE:
        return dp_typed(e, m, true);
    case DC1_TYPED_ATOMIC:
        return dp_typed_atomic(e, m);
    case DC1_MEDIA_READ:
        return dp_media_block(e, m, false);
    case DC1_MEDIA_WRITE:
        return dp_media_block(e, m, true);
    default:
        return false;
    }
}

static bool dc1(struct soft_env *e, const struct eu_message *m)
{
    unsigned type = gt_field(m->desc, 18, 14);

    switch (type) {
    case DC1_A64_SCATTERED_READ:
        return a64_scattered(e, m, false);
    case DC1_A64_SCATTERED_WRITE:
        return a64_scattered(e, m, true);
    case DC1_A64_UNTYPED_READ:
        return untyped(e, m, false, true);
    case DC1_A64_UNTYPED_WRITE:
        return untyped(e, m, true, true);
    case DC1_A64_ATOMIC:
        return untyped_atomic(e, m, true, false);
    case DC1_A64_FLOAT_ATOMIC:
        return untyped_atomic(e, m, true, true);
    case DC1_A64_OWORD_READ:
        return dp_a64_oword_block(e, m, false);
    case DC1_A64_OWORD_WRITE:
        return dp_a64_oword_block(e, m, true);
    default:
        return dc1_surface(e, m, type);
    }
}

/* Render and sampler cache: media blocks; the sampler cache has unaligned OWord reads as well. */
static bool other_caches(struct soft_env *e, const struct eu_message *m)
{
    switch (gt_field(m->desc, 17, 14)) {
    case RC_MEDIA_READ:
        return dp_media_block(e, m, false);
    case RC_MEDIA_WRITE:
        return m->sfid == EU_SFID_DP_RENDER && dp_media_block(e, m, true);
    case DC0_UNALIGNED_OWORD_READ:
        return m->sfid == EU_SFID_DP_SAMPLER && dp_oword_block(e, m, false, true);
    default:
        return false;
    }
}

static bool constant_cache(struct soft_env *e, const struct eu_message *m)
{
    unsigned type = gt_field(m->desc, 17, 14);

    if (m->desc & GT_BIT(18))
        return false;
    return (type == DC0_OWORD_READ || type == DC0_UNALIGNED_OWORD_READ || type == DC0_DWORD_SCATTERED_READ) &&
           dc0(e, m);
}

enum eu_result soft_dataport_message(struct soft_env *e, struct eu_thread *t, const struct eu_message *m)
{
    bool done = false;

    switch (m->sfid) {
    case EU_SFID_DP_DC0:
        done = dc0(e, m);
        break;
    case EU_SFID_DP_DC1:
        done = dc1(e, m);
        break;
    case EU_SFID_DP_CONST:
        done = constant_cache(e, m);
        break;
    case EU_SFID_DP_RENDER:
    case EU_SFID_DP_SAMPLER:
        done = other_caches(e, m);
        break;
    default:
        break;
    }
    if (!done)
        t->fault = "data port message that the model does not have";
    return done ? EU_DONE : EU_FAULT;
}
