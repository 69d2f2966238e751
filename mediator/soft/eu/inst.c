#include "mediator/soft/eu/inst.h"

#include <string.h>

const struct eu_opcode_desc eu_opcodes[128] = {
#define EU_OP(name, number, text, nsrc, ndst, klass) [number] = {text, nsrc, ndst, EU_CLASS_##klass},
#include "mediator/soft/eu/opcodes.def"
#undef EU_OP
};

const struct eu_type_desc eu_types[EU_TYPES + 1] = {
#define EU_TYPE(name, bytes, kind, reg, imm, src3) [EU_TYPE_##name] = {#name, bytes, EU_KIND_##kind},
#include "mediator/soft/eu/types.def"
#undef EU_TYPE
    [EU_TYPE_INVALID] = {"INVALID", 4, EU_KIND_U},
};

enum type_set { TYPE_REG, TYPE_IMM, TYPE_SRC3 };

static const int8_t type_codes[][3] = {
#define EU_TYPE(name, bytes, kind, reg, imm, src3) [EU_TYPE_##name] = {reg, imm, src3},
#include "mediator/soft/eu/types.def"
#undef EU_TYPE
};

static uint8_t type_of(enum type_set set, uint64_t code)
{
    for (unsigned t = 0; t < EU_TYPES; t++)
        if (type_codes[t][set] == (int)code)
            return (uint8_t)t;
    return EU_TYPE_INVALID;
}

/* Fields do not cross the middle, except the 64-bit immediate, which is all of one half. */
uint64_t eu_bits_get(const struct eu_bits *b, unsigned field)
{
    unsigned last = field >> 8, first = field & 0xff, n = last - first + 1;
    uint64_t v = b->q[first / 64] >> first % 64;

    return n >= 64 ? v : v & ((UINT64_C(1) << n) - 1);
}

void eu_bits_put(struct eu_bits *b, unsigned field, uint64_t value)
{
    unsigned last = field >> 8, first = field & 0xff, n = last - first + 1;
    uint64_t mask = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;

    b->q[first / 64] = (b->q[first / 64] & ~(mask << first % 64)) | (value & mask) << first % 64;
}

bool eu_inst_is_split_send(const struct eu_inst *in)
{
    return in->op == EU_OP_SENDS || in->op == EU_OP_SENDSC;
}

bool eu_inst_is_send(const struct eu_inst *in)
{
    return in->desc->text && in->desc->klass == EU_CLASS_SEND;
}

bool eu_inst_desc(const struct eu_inst *in, uint32_t *desc)
{
    *desc = (uint32_t)EU_GET(&in->bits, DESC);
    return eu_inst_is_split_send(in) ? !EU_GET(&in->bits, SENDS_DESC_REG) : EU_GET(&in->bits, SRC1_FILE) == EU_IMM;
}

bool eu_inst_ex_desc(const struct eu_inst *in, uint32_t *ex_desc)
{
    *ex_desc = 0;
    if (!eu_inst_is_split_send(in))
        return true;
    *ex_desc = (uint32_t)(EU_GET(&in->bits, SENDS_EX_DESC_HIGH) << 16 | EU_GET(&in->bits, SENDS_EX_DESC_LOW) << 6);
    return !EU_GET(&in->bits, SENDS_EX_DESC_REG);
}

/* ---- operands */

static int16_t address_offset(uint64_t low9, uint64_t nine)
{
    int v = (int)(low9 | nine << 9);

    return (int16_t)(v >= 512 ? v - 1024 : v);
}

static void parse_dst(struct eu_inst *in)
{
    const struct eu_bits *b = &in->bits;
    struct eu_operand *o = &in->dst;

    o->file = (uint8_t)EU_GET(b, DST_FILE);
    o->type = type_of(TYPE_REG, EU_GET(b, DST_TYPE));
    o->indirect = EU_GET(b, DST_ADDRESS_MODE);
    o->hstride = in->align16 ? 1 : (uint8_t)EU_GET(b, DST_HSTRIDE);
    o->writemask = in->align16 ? (uint8_t)EU_GET(b, DST_WRITEMASK) : 0xf;
    o->nr = (uint8_t)EU_GET(b, DST_REG);
    o->subnr = (uint8_t)(in->align16 ? EU_GET(b, DST_SUBREG16) * 16 : EU_GET(b, DST_SUBREG));
    o->address = (uint8_t)EU_GET(b, DST_IA_SUBREG);
    o->offset = address_offset(EU_GET(b, DST_IA_IMM), EU_GET(b, DST_IA_IMM9));
    if (in->align16)
        o->offset &= ~15;
}

/* Sources 0 and 1 are laid out alike, 32 bits apart, except file, type and the ninth bit of the address. */
static unsigned of_source(unsigned field, unsigned i)
{
    return field + i * (32 << 8 | 32);
}

static void parse_src(struct eu_inst *in, unsigned i)
{
    const struct eu_bits *b = &in->bits;
    struct eu_operand *o = &in->src[i];

    o->file = (uint8_t)(i ? EU_GET(b, SRC1_FILE) : EU_GET(b, SRC0_FILE));
    o->type = type_of(o->file == EU_IMM ? TYPE_IMM : TYPE_REG, i ? EU_GET(b, SRC1_TYPE) : EU_GET(b, SRC0_TYPE));
    if (o->file == EU_IMM) {
        in->imm = eu_types[o->type].bytes == 8 ? EU_GET(b, IMM64) : EU_GET(b, IMM32);
        return;
    }
    o->neg = eu_bits_get(b, of_source(EU_FIELD_SRC0_NEGATE, i));
    o->abs = eu_bits_get(b, of_source(EU_FIELD_SRC0_ABS, i));
    o->indirect = eu_bits_get(b, of_source(EU_FIELD_SRC0_ADDRESS_MODE, i));
    o->nr = (uint8_t)eu_bits_get(b, of_source(EU_FIELD_SRC0_REG, i));
    o->subnr = (uint8_t)eu_bits_get(b, of_source(EU_FIELD_SRC0_SUBREG, i));
    o->vstride = (uint8_t)eu_bits_get(b, of_source(EU_FIELD_SRC0_VSTRIDE, i));
    o->width = (uint8_t)eu_bits_get(b, of_source(EU_FIELD_SRC0_WIDTH, i));
    o->hstride = (uint8_t)eu_bits_get(b, of_source(EU_FIELD_SRC0_HSTRIDE, i));
    o->address = (uint8_t)eu_bits_get(b, of_source(EU_FIELD_SRC0_IA_SUBREG, i));
    o->offset = address_offset(eu_bits_get(b, of_source(EU_FIELD_SRC0_IA_IMM, i)),
                               i ? EU_GET(b, SRC1_IA_IMM9) : EU_GET(b, SRC0_IA_IMM9));
    if (in->align16) {
        o->subnr &= 16;
        o->offset &= ~15;
        o->swizzle = (uint8_t)(eu_bits_get(b, of_source(EU_FIELD_SRC0_SWIZZLE_XY, i)) |
                               eu_bits_get(b, of_source(EU_FIELD_SRC0_SWIZZLE_ZW, i)) << 4);
    }
}

static void parse_src3(struct eu_inst *in, unsigned i, uint8_t type)
{
    static const struct {
        uint16_t rep, swizzle, subreg, reg, word, abs, neg;
    } f[3] = {
#define SRC3(n)                                                                                                        \
    {EU_FIELD_SRC##n##_REP3,  EU_FIELD_SRC##n##_SWIZZLE3, EU_FIELD_SRC##n##_SUBREG3, EU_FIELD_SRC##n##_REG3,           \
     EU_FIELD_SRC##n##_WORD3, EU_FIELD_SRC##n##_ABS3,     EU_FIELD_SRC##n##_NEGATE3}
        SRC3(0), SRC3(1), SRC3(2)};
#undef SRC3
    const struct eu_bits *b = &in->bits;
    struct eu_operand *o = &in->src[i];

    o->file = EU_GRF;
    o->type = type;
    o->nr = (uint8_t)eu_bits_get(b, f[i].reg);
    o->subnr = (uint8_t)(eu_bits_get(b, f[i].subreg) * 4 + eu_bits_get(b, f[i].word) * 2);
    o->neg = eu_bits_get(b, f[i].neg);
    o->abs = eu_bits_get(b, f[i].abs);
    o->rep = eu_bits_get(b, f[i].rep);
    o->swizzle = (uint8_t)eu_bits_get(b, f[i].swizzle);
    o->vstride = o->rep ? 0 : 3; /* <4;4,1>, or <0;1,0> */
    o->width = o->rep ? 0 : 2;
    o->hstride = o->rep ? 0 : 1;
}

static void parse_three(struct eu_inst *in)
{
    const struct eu_bits *b = &in->bits;
    uint8_t type = type_of(TYPE_SRC3, EU_GET(b, SRC_TYPE3));

    in->dst.file = EU_GRF;
    in->dst.type = type_of(TYPE_SRC3, EU_GET(b, DST_TYPE3));
    in->dst.nr = (uint8_t)EU_GET(b, DST_REG3);
    in->dst.subnr = (uint8_t)(EU_GET(b, DST_SUBREG3) * 4);
    in->dst.hstride = 1;
    in->dst.writemask = (uint8_t)EU_GET(b, DST_WRITEMASK3);
    for (unsigned i = 0; i < 3; i++)
        parse_src3(in, i, type);
    /* Mixed mode: sources 1 and 2 may be half floats among floats. PRM SKL vol 7, "EU 3-Source Instructions". */
    if (type == EU_TYPE_F && EU_GET(b, SRC1_HALF3))
        in->src[1].type = EU_TYPE_HF;
    if (type == EU_TYPE_F && EU_GET(b, SRC2_HALF3))
        in->src[2].type = EU_TYPE_HF;
}

static void parse_split_send(struct eu_inst *in)
{
    const struct eu_bits *b = &in->bits;

    parse_dst(in);
    in->dst.file = (uint8_t)EU_GET(b, SENDS_DST_FILE);
    in->dst.type = EU_TYPE_UD;
    in->dst.subnr = (uint8_t)(EU_GET(b, DST_SUBREG16) * 16);
    in->dst.offset = address_offset(EU_GET(b, SENDS_DST_IA_IMM) << 4, EU_GET(b, SENDS_DST_IA_IMM9));
    parse_src(in, 0);
    in->src[0].file = EU_GRF;
    in->src[0].type = EU_TYPE_UD;
    in->src[0].subnr &= 16;
    in->src[0].offset = address_offset(EU_GET(b, SENDS_SRC0_IA_IMM) << 4, EU_GET(b, SENDS_SRC0_IA_IMM9));
    in->src[1] = (struct eu_operand){
        .file = (uint8_t)EU_GET(b, SENDS_SRC1_FILE), .type = EU_TYPE_UD, .nr = (uint8_t)EU_GET(b, SENDS_SRC1_REG)};
}

static void parse_controls(struct eu_inst *in)
{
    const struct eu_bits *b = &in->bits;

    in->op = (uint8_t)EU_GET(b, OPCODE);
    in->desc = &eu_opcodes[in->op];
    in->nsrc = in->desc->nsrc;
    in->align16 = EU_GET(b, ACCESS_MODE);
    in->exec = (uint8_t)EU_GET(b, EXEC_SIZE);
    in->pred = (uint8_t)EU_GET(b, PRED_CONTROL);
    in->pred_inv = EU_GET(b, PRED_INV);
    in->cond = (uint8_t)EU_GET(b, COND_MODIFIER);
    in->flag = (uint8_t)EU_GET(b, FLAG);
    in->chan = (uint8_t)(EU_GET(b, QTR_CONTROL) * 8 + EU_GET(b, NIB_CONTROL) * 4);
    in->saturate = EU_GET(b, SATURATE);
    in->acc_write = EU_GET(b, ACC_WR_CONTROL);
    in->debug = EU_GET(b, DEBUG_CONTROL);
    in->nomask = EU_GET(b, MASK_CONTROL);
    in->thread_control = (uint8_t)EU_GET(b, THREAD_CONTROL);
    in->dep_control = (uint8_t)(EU_GET(b, NO_DD_CHECK) << 1 | EU_GET(b, NO_DD_CLEAR));
    in->jip = (int32_t)(uint32_t)EU_GET(b, JIP);
    in->uip = (int32_t)(uint32_t)EU_GET(b, UIP);
}

unsigned eu_inst_parse(struct eu_inst *in, const uint8_t *code, size_t n)
{
    unsigned bytes = EU_NATIVE_BYTES;

    memset(in, 0, sizeof(*in));
    if (n < EU_COMPACT_BYTES)
        return 0;
    memcpy(&in->bits.q[0], code, 8);
    in->compacted = EU_GET(&in->bits, COMPACT);
    if (in->compacted) {
        in->bits = eu_uncompact(in->bits.q[0]);
        bytes = EU_COMPACT_BYTES;
    } else {
        if (n < EU_NATIVE_BYTES)
            return 0;
        memcpy(&in->bits.q[1], code + 8, 8);
    }
    parse_controls(in);
    if (in->nsrc == 3) {
        parse_three(in);
    } else if (eu_inst_is_split_send(in)) {
        parse_split_send(in);
    } else {
        parse_dst(in);
        parse_src(in, 0);
        /* An immediate quadword takes the place of source 1. */
        if (in->src[0].file != EU_IMM || eu_types[in->src[0].type].bytes < 8)
            parse_src(in, 1);
    }
    return bytes;
}
