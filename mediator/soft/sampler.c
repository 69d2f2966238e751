#include "mediator/soft/sampler.h"

#include <string.h>

#include "mediator/soft/half.h"
#include "vgpu/base/bits.h"

#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

/* ---- the payload: parameters of each channel, in the order that the message type has them */

enum parameter {
    P_END,
    P_U,
    P_V,
    P_R,
    P_AI,
    P_LOD,
    P_BIAS,
    P_REF,
    P_MIN_LOD,
    P_DUDX,
    P_DUDY,
    P_DVDX,
    P_DVDY,
    P_DRDX,
    P_DRDY,
    P_OFFSET_U,
    P_OFFSET_V,
    P_SAMPLE,
    P_SKIP
};

static const uint8_t parameters[32][13] = {
    [MSG_SAMPLE] = {P_U, P_V, P_R, P_AI, P_MIN_LOD},
    [MSG_SAMPLE_B] = {P_BIAS, P_U, P_V, P_R, P_AI, P_MIN_LOD},
    [MSG_SAMPLE_L] = {P_LOD, P_U, P_V, P_R, P_AI},
    [MSG_SAMPLE_C] = {P_REF, P_U, P_V, P_R, P_AI, P_MIN_LOD},
    [MSG_SAMPLE_D] = {P_U, P_DUDX, P_DUDY, P_V, P_DVDX, P_DVDY, P_R, P_DRDX, P_DRDY, P_AI, P_MIN_LOD},
    [MSG_SAMPLE_B_C] = {P_REF, P_BIAS, P_U, P_V, P_R, P_AI, P_MIN_LOD},
    [MSG_SAMPLE_L_C] = {P_REF, P_LOD, P_U, P_V, P_R, P_AI},
    [MSG_LD] = {P_U, P_V, P_LOD, P_R},
    [MSG_GATHER4] = {P_U, P_V, P_R, P_AI},
    [MSG_LOD] = {P_U, P_V, P_R, P_AI},
    [MSG_RESINFO] = {P_LOD},
    [MSG_SAMPLEINFO] = {P_END},
    [MSG_GATHER4_C] = {P_REF, P_U, P_V, P_R, P_AI},
    [MSG_GATHER4_PO] = {P_U, P_V, P_OFFSET_U, P_OFFSET_V, P_R},
    [MSG_GATHER4_PO_C] = {P_REF, P_U, P_V, P_OFFSET_U, P_OFFSET_V, P_R},
    [MSG_SAMPLE_D_C] = {P_REF, P_U, P_DUDX, P_DUDY, P_V, P_DVDX, P_DVDY, P_R, P_DRDX, P_DRDY, P_AI, P_MIN_LOD},
    [MSG_SAMPLE_LZ] = {P_U, P_V, P_R, P_AI},
    [MSG_SAMPLE_C_LZ] = {P_REF, P_U, P_V, P_R, P_AI},
    [MSG_LD_LZ] = {P_U, P_V, P_R},
    [MSG_LD2DMS_W] = {P_SAMPLE, P_SKIP, P_SKIP, P_U, P_V, P_R, P_LOD},
    [MSG_LD_MCS] = {P_U, P_V, P_R, P_LOD},
    [MSG_LD2DMS] = {P_SAMPLE, P_SKIP, P_U, P_V, P_R, P_LOD},
    [MSG_LD2DSS] = {P_SAMPLE, P_U, P_V, P_R, P_LOD},
};

static bool is_known(unsigned message)
{
    return parameters[message][0] != P_END || message == MSG_SAMPLEINFO;
}

static void *parameter_array(struct sampler_job *j, unsigned p)
{
    switch (p) {
    case P_U:
        return j->u;
    case P_V:
        return j->v;
    case P_R:
        return j->r;
    case P_AI:
        return j->ai;
    case P_LOD:
        return j->lod;
    case P_BIAS:
        return j->bias;
    case P_REF:
        return j->ref;
    case P_MIN_LOD:
        return j->min_lod;
    case P_DUDX:
    case P_DUDY:
        return j->du[p - P_DUDX];
    case P_DVDX:
    case P_DVDY:
        return j->dv[p - P_DVDX];
    case P_DRDX:
    case P_DRDY:
        return j->dr[p - P_DRDX];
    case P_OFFSET_U:
    case P_OFFSET_V:
        return j->offset[p - P_OFFSET_U];
    case P_SAMPLE:
        return j->sample;
    default:
        return NULL;
    }
}

static void read_parameters(struct sampler_job *j, const struct eu_message *m)
{
    const uint8_t *list = parameters[j->message];
    unsigned reg = m->header ? 1 : 0, per = j->lanes / 8;

    for (unsigned n = 0; n < sizeof(parameters[0]) && list[n] != P_END; n++, reg += per) {
        uint8_t *to = parameter_array(j, list[n]);

        for (unsigned half = 0; half < per && to; half++) {
            const uint8_t *from = units_payload(m, reg + half);

            if (from)
                memcpy(to + (size_t)half * EU_REG_BYTES, from, EU_REG_BYTES);
        }
    }
}

/* Offsets of gather4_po have six bits. */
static void limit_offsets(struct sampler_job *j)
{
    if (j->message != MSG_GATHER4_PO && j->message != MSG_GATHER4_PO_C)
        return;
    j->offsets = true;
    for (unsigned axis = 0; axis < 2; axis++)
        for (unsigned i = 0; i < LANES; i++)
            j->offset[axis][i] = (int32_t)((uint32_t)j->offset[axis][i] << 26) >> 26;
}

/* ---- the header (PRM SKL vol 7, "Message Header"): texel offsets, channel mask, gather channel, sampler pointer */

struct header {
    uint32_t dw[8];
    unsigned masked; /* channels that are not returned */
};

static void read_header(struct sampler_job *j, const struct eu_message *m, struct header *h)
{
    memset(h, 0, sizeof(*h));
    if (!m->header || !units_payload(m, 0))
        return;
    memcpy(h->dw, units_payload(m, 0), sizeof(h->dw));
    h->masked = h->dw[2] >> 12 & 15;
    j->gather_channel = h->dw[2] >> 16 & 3;
    for (unsigned axis = 0; axis < 3; axis++) {
        int32_t offset = (int32_t)(h->dw[2] << (20 + 4 * axis)) >> 28; /* u in 11:8, v in 7:4, r in 3:0 */

        j->offsets |= offset != 0;
        for (unsigned i = 0; i < LANES; i++)
            j->offset[axis][i] = offset;
    }
}

static void find_sampler(struct sampler_job *j, const struct eu_message *m, const struct header *h)
{
    uint64_t table = m->header ? j->e->dynamic_base + (h->dw[3] & ~31u) : j->e->samplers;

    j->p = units_sampler(j->e, (table + (uint64_t)gt_field(m->desc, 11, 8) * 16) & ADDRESS_MASK);
}

/* The border colour as the format would have it: channels that it lacks are 0, or 1 for alpha. */
static void find_border(struct sampler_job *j)
{
    const struct soft_format *f = j->s->info;

    for (unsigned c = 0; c < 4; c++) {
        unsigned type = f->channel[c].type;
        float v = soft_as_float(j->p->border[c]);

        j->border[c] = j->p->border[c];
        if (type == SOFT_CH_NONE)
            j->border[c] = c < 3 ? 0 : j->integer ? 1 : soft_as_bits(1.0f);
        else if (type == SOFT_CH_UNORM || type == SOFT_CH_SNORM)
            j->border[c] = soft_as_bits(GT_MIN(GT_MAX(v, type == SOFT_CH_UNORM ? 0.0f : -1.0f), 1.0f));
    }
    if (f->luminance || f->intensity)
        j->border[1] = j->border[2] = j->border[0];
    if (f->intensity)
        j->border[3] = j->border[0];
}

/* ---- the answer */

static uint32_t constant(const struct sampler_job *j, unsigned select)
{
    return select == 0 ? 0 : j->integer ? 1 : soft_as_bits(1.0f);
}

/* Shader channel selects of the surface; gather4 has applied its own. */
static void swizzle(struct sampler_job *j)
{
    static const uint8_t identity[4] = {4, 5, 6, 7};
    uint32_t in[4][LANES];

    if (!memcmp(j->s->swizzle, identity, sizeof(identity)))
        return;
    memcpy(in, j->out, sizeof(in));
    for (unsigned c = 0; c < 4; c++) {
        unsigned select = j->s->swizzle[c];

        for (unsigned i = 0; i < j->lanes; i++)
            j->out[c][i] = select >= 4 ? in[select - 4][i] : constant(j, select);
    }
}

static void gather_swizzled(struct sampler_job *j)
{
    unsigned select = j->s->swizzle[j->gather_channel];

    j->gather_channel = (uint8_t)(select >= 4 ? select - 4 : 0);
    sampler_filter(j);
    for (unsigned c = 0; c < 4 && select < 4; c++)
        for (unsigned i = 0; i < j->lanes; i++)
            j->out[c][i] = constant(j, select);
}

static void write_whole(const struct sampler_job *j, const uint32_t *channel, uint32_t mask, uint8_t *to)
{
    if (j->mask == GT_BIT(j->lanes) - 1) {
        memcpy(to, channel, j->lanes * sizeof(*channel));
        return;
    }
    for (unsigned i = 0; i < j->lanes; i++)
        if (mask >> i & 1)
            memcpy(to + i * 4, &channel[i], 4);
}

static void write_half(const struct sampler_job *j, const uint32_t *channel, uint32_t mask, uint8_t *to)
{
    for (unsigned i = 0; i < j->lanes; i++) {
        uint16_t v = j->integer ? (uint16_t)channel[i] : soft_float_to_half(soft_as_float(channel[i]));

        if (mask >> i & 1)
            memcpy(to + i * 2, &v, 2);
    }
}

static void write_answer(const struct sampler_job *j, const struct eu_message *m, unsigned masked)
{
    bool half = m->desc & GT_BIT(30);
    unsigned per = half ? 1 : j->lanes / 8, reg = 0;

    for (unsigned c = 0; c < 4; c++) {
        if (masked >> c & 1)
            continue;
        if (reg + per > m->rlen)
            return;
        if (half)
            write_half(j, j->out[c], m->mask, m->dst + (size_t)reg * EU_REG_BYTES);
        else
            write_whole(j, j->out[c], m->mask, m->dst + (size_t)reg * EU_REG_BYTES);
        reg += per;
    }
}

/* ---- the message */

static bool is_load(unsigned message)
{
    return message == MSG_LD || message == MSG_LD_LZ || message == MSG_LD2DMS_W || message == MSG_LD2DMS ||
           message == MSG_LD2DSS;
}

static bool is_info(unsigned message)
{
    return message == MSG_RESINFO || message == MSG_SAMPLEINFO || message == MSG_LOD || message == MSG_LD_MCS;
}

static bool is_compare(unsigned message)
{
    return message == MSG_SAMPLE_C || message == MSG_SAMPLE_B_C || message == MSG_SAMPLE_L_C ||
           message == MSG_GATHER4_C || message == MSG_GATHER4_PO_C || message == MSG_SAMPLE_D_C ||
           message == MSG_SAMPLE_C_LZ;
}

static bool is_gather(unsigned message)
{
    return message == MSG_GATHER4 || message == MSG_GATHER4_C || message == MSG_GATHER4_PO ||
           message == MSG_GATHER4_PO_C;
}

static void sample(struct sampler_job *j)
{
    j->compare = is_compare(j->message) && !j->integer;
    j->gather = is_gather(j->message);
    sampler_find_lod(j);
    if (j->gather)
        gather_swizzled(j);
    else
        sampler_filter(j);
}

static void execute(struct sampler_job *j)
{
    bool buffer = j->s->type == SOFT_SURF_BUFFER || j->s->type == SOFT_SURF_STRBUF;

    if (is_info(j->message)) {
        sampler_info(j);
        return;
    }
    if (j->s->type == SOFT_SURF_NULL || (buffer && !is_load(j->message)))
        return; /* zeros */
    if (is_load(j->message))
        sampler_load(j);
    else
        sample(j);
    if (!j->gather)
        swizzle(j);
}

enum eu_result soft_sampler_message(struct soft_env *e, struct eu_thread *t, const struct eu_message *m)
{
    unsigned mode = gt_field(m->desc, 18, 17) | (m->desc >> 29 & 1) << 2;
    struct sampler_job j;
    struct header h;

    memset(&j, 0, sizeof(j));
    j.e = e;
    j.message = gt_field(m->desc, 16, 12);
    if ((mode != 1 && mode != 2) || !is_known(j.message)) {
        t->fault = "sampler message that the model does not have";
        return EU_FAULT;
    }
    j.lanes = mode * 8;
    j.mask = m->mask & (GT_BIT(j.lanes) - 1);
    j.s = units_message_texture(e, gt_field(m->desc, 7, 0), m->ex_desc);
    j.integer = soft_format_is_integer(j.s->info);
    read_header(&j, m, &h);
    if (!is_load(j.message) && (!is_info(j.message) || j.message == MSG_LOD)) {
        find_sampler(&j, m, &h);
        find_border(&j);
    }
    read_parameters(&j, m);
    limit_offsets(&j);
    execute(&j);
    write_answer(&j, m, h.masked);
    return EU_DONE;
}
