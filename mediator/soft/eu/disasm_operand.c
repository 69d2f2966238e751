/* Operands in the text form. */
#include <inttypes.h>
#include <string.h>

#include "mediator/soft/eu/disasm.h"

/* False: a register that is written without region and type. */
static bool put_reg(struct eu_text *t, unsigned file, unsigned nr)
{
    static const char *const arf[16] = {
        [EU_ARF_ADDRESS >> 4] = "a",
        [EU_ARF_ACC >> 4] = "acc",
        [EU_ARF_FLAG >> 4] = "f",
        [EU_ARF_CE >> 4] = "mask",
        [6] = "s",
        [EU_ARF_STATE >> 4] = "sr",
        [EU_ARF_CONTROL >> 4] = "cr",
        [EU_ARF_NOTIFY >> 4] = "n",
        [EU_ARF_TIMESTAMP >> 4] = "tm",
    };

    if (file != EU_ARF)
        eu_text(t, "%s%u", file == EU_GRF ? "g" : "imm", nr);
    else if ((nr & 0xf0) == EU_ARF_NULL)
        eu_text(t, "null");
    else if ((nr & 0xf0) == EU_ARF_IP || (nr & 0xf0) == EU_ARF_TDR)
        eu_text(t, (nr & 0xf0) == EU_ARF_IP ? "ip" : "tdr0");
    else if (arf[nr >> 4])
        eu_text(t, "%s%u", arf[nr >> 4], nr & 0xf);
    else
        eu_text(t, "ARF%u", nr);
    return file != EU_ARF || ((nr & 0xf0) != EU_ARF_IP && (nr & 0xf0) != EU_ARF_TDR);
}

static unsigned bytes_of(const struct eu_operand *o)
{
    return eu_types[o->type].bytes;
}

static void put_type(struct eu_text *t, const struct eu_operand *o)
{
    eu_text(t, "%s", eu_types[o->type].text);
}

static void put_address(struct eu_text *t, unsigned sub, int offset)
{
    eu_text(t, "g[a0");
    if (sub)
        eu_text(t, ".%u", sub);
    if (offset)
        eu_text(t, " %d", offset);
    eu_text(t, "]");
}

static void put_region(struct eu_text *t, const struct eu_operand *o)
{
    eu_text(t, "<");
    eu_text_name(t, EU_NAMES_VSTRIDE, o->vstride, false);
    eu_text(t, ",");
    eu_text_name(t, EU_NAMES_WIDTH, o->width, false);
    eu_text(t, ",");
    eu_text_name(t, EU_NAMES_HSTRIDE, o->hstride, false);
    eu_text(t, ">");
}

static void put_swizzle(struct eu_text *t, unsigned swizzle)
{
    static const char letters[] = "xyzw";
    unsigned x = swizzle & 3;

    if (swizzle == x * 0x55)
        eu_text(t, ".%c", letters[x]);
    else if (swizzle != EU_SWIZZLE_XYZW)
        eu_text(t, ".%c%c%c%c", letters[x], letters[swizzle >> 2 & 3], letters[swizzle >> 4 & 3],
                letters[swizzle >> 6 & 3]);
}

static void put_immediate(struct eu_text *t, const struct eu_inst *in, unsigned type)
{
    uint32_t v = (uint32_t)in->imm;
    uint64_t q = in->imm;
    double df;
    float f;

    switch (type) {
    case EU_TYPE_UQ:
    case EU_TYPE_Q:
        eu_text(t, "0x%016" PRIx64 "%s", q, eu_types[type].text);
        break;
    case EU_TYPE_UD:
    case EU_TYPE_UV:
    case EU_TYPE_V:
        eu_text(t, "0x%08" PRIx32 "%s", v, eu_types[type].text);
        break;
    case EU_TYPE_D:
        eu_text(t, "%" PRId32 "D", (int32_t)v);
        break;
    case EU_TYPE_UW:
        eu_text(t, "0x%04xUW", v & 0xffff);
        break;
    case EU_TYPE_W:
        eu_text(t, "%dW", (int16_t)v);
        break;
    case EU_TYPE_VF:
        eu_text(t, "0x%" PRIx32 "VF", v);
        eu_text_pad(t, 48);
        eu_text(t, "/* [%-gF, %-gF, %-gF, %-gF]VF */", (double)eu_vf_to_float((uint8_t)v),
                (double)eu_vf_to_float((uint8_t)(v >> 8)), (double)eu_vf_to_float((uint8_t)(v >> 16)),
                (double)eu_vf_to_float((uint8_t)(v >> 24)));
        break;
    case EU_TYPE_F:
        memcpy(&f, &v, sizeof(f));
        eu_text(t, "0x%" PRIx32 "F", v);
        eu_text_pad(t, 48);
        eu_text(t, " /* %-gF */", (double)f);
        break;
    case EU_TYPE_DF:
        memcpy(&df, &q, sizeof(df));
        eu_text(t, "0x%016" PRIx64 "DF", q);
        eu_text_pad(t, 48);
        eu_text(t, "/* %-gDF */", df);
        break;
    case EU_TYPE_HF:
        eu_text(t, "0x%04xHF", v & 0xffff);
        eu_text_pad(t, 48);
        eu_text(t, "/* %-gHF */", (double)eu_half_to_float((uint16_t)v));
        break;
    default:
        eu_text(t, "*** invalid immediate type ");
    }
}

static bool is_logic(unsigned op)
{
    return op == EU_OP_NOT || op == EU_OP_AND || op == EU_OP_OR || op == EU_OP_XOR;
}

static void put_modifiers(struct eu_text *t, const struct eu_inst *in, const struct eu_operand *o)
{
    if (o->neg)
        eu_text(t, is_logic(in->op) ? "~" : "-");
    if (o->abs)
        eu_text(t, "(abs)");
}

static void put_split_source(struct eu_text *t, const struct eu_operand *o)
{
    if (o->indirect) {
        put_address(t, 0, 0);
    } else if (put_reg(t, o->file, o->nr) && o->subnr) {
        eu_text(t, ".1");
    }
    put_type(t, o);
}

void eu_text_source(struct eu_text *t, const struct eu_inst *in, unsigned i)
{
    const struct eu_operand *o = &in->src[i];

    if (eu_inst_is_split_send(in)) {
        put_split_source(t, o);
        return;
    }
    if (o->file == EU_IMM) {
        put_immediate(t, in, o->type);
        return;
    }
    if (in->align16 && o->indirect) {
        eu_text(t, "Indirect align16 address mode not supported");
        return;
    }
    put_modifiers(t, in, o);
    if (o->indirect) {
        put_address(t, o->address, o->offset & 0x3ff);
        put_region(t, o);
    } else {
        if (!put_reg(t, o->file, o->nr))
            return;
        if (o->subnr)
            eu_text(t, ".%u", o->subnr / bytes_of(o));
        if (in->align16) {
            eu_text(t, "<");
            eu_text_name(t, EU_NAMES_VSTRIDE, o->vstride, false);
            eu_text(t, ">");
            put_swizzle(t, o->swizzle);
        } else {
            put_region(t, o);
        }
    }
    put_type(t, o);
}

static void put_split_dest(struct eu_text *t, const struct eu_operand *o)
{
    if (o->indirect) {
        put_address(t, o->address / 4, o->offset & 0x3ff);
        eu_text(t, "<");
    } else if (put_reg(t, o->file, o->nr) && o->subnr) {
        eu_text(t, ".%u", o->subnr / 16);
    }
    put_type(t, o);
}

void eu_text_dest(struct eu_text *t, const struct eu_inst *in)
{
    const struct eu_operand *o = &in->dst;

    if (eu_inst_is_split_send(in)) {
        put_split_dest(t, o);
        return;
    }
    if (in->align16 && o->indirect) {
        eu_text(t, "Indirect align16 address mode not supported");
        return;
    }
    if (o->indirect) {
        put_address(t, o->address / bytes_of(o), o->offset & 0x3ff);
    } else {
        if (!put_reg(t, o->file, o->nr))
            return;
        if (o->subnr)
            eu_text(t, ".%u", o->subnr / bytes_of(o));
    }
    eu_text(t, "<");
    eu_text_name(t, EU_NAMES_HSTRIDE, o->hstride, false);
    eu_text(t, ">");
    if (in->align16)
        eu_text_name(t, EU_NAMES_WRITEMASK, o->writemask, false);
    put_type(t, o);
}

/* Mesa prints nothing for these in align1, which Gen9 does not have. */
void eu_text_dest3(struct eu_text *t, const struct eu_inst *in)
{
    const struct eu_operand *o = &in->dst;

    if (!in->align16)
        return;
    put_reg(t, o->file, o->nr);
    if (o->subnr / bytes_of(o))
        eu_text(t, ".%u", o->subnr / bytes_of(o));
    eu_text(t, "<1>");
    eu_text_name(t, EU_NAMES_WRITEMASK, o->writemask, false);
    put_type(t, o);
}

void eu_text_source3(struct eu_text *t, const struct eu_inst *in, unsigned i)
{
    const struct eu_operand *o = &in->src[i];

    if (!in->align16)
        return;
    put_modifiers(t, in, o);
    put_reg(t, o->file, o->nr);
    if (o->subnr / bytes_of(o) || o->rep)
        eu_text(t, ".%u", o->subnr / bytes_of(o));
    put_region(t, o);
    if (!o->rep)
        put_swizzle(t, o->swizzle);
    put_type(t, o);
}
