/* What a send asks for, in the text form. */
#include <inttypes.h>

#include "mediator/soft/eu/disasm.h"
#include "mediator/soft/eu/eu.h"

static unsigned bits(uint32_t v, unsigned last, unsigned first)
{
    return v >> first & ((1u << (last - first + 1)) - 1);
}

/* Descriptors of the data ports: PRM SKL vol 7, "Data Port Messages", message descriptors. */
static unsigned dp_type(uint32_t desc)
{
    return bits(desc, 18, 14);
}

static unsigned dp_control(uint32_t desc)
{
    return bits(desc, 13, 8);
}

static unsigned surface(uint32_t desc)
{
    return bits(desc, 7, 0);
}

static void put_sampler(struct eu_text *t, uint32_t desc)
{
    eu_text_name(t, EU_NAMES_SAMPLER, bits(desc, 16, 12), true);
    eu_text_name(t, EU_NAMES_SAMPLER_SIMD, bits(desc, 18, 17) | bits(desc, 29, 29) << 2, true);
    if (bits(desc, 30, 30))
        eu_text(t, " HP");
    eu_text(t, " Surface = %u Sampler = %u", surface(desc), bits(desc, 11, 8));
}

static void put_render(struct eu_text *t, uint32_t desc)
{
    unsigned type = bits(desc, 17, 14);

    eu_text_name(t, EU_NAMES_RENDER, type, true);
    if (type == 12) { /* render target write */
        eu_text_name(t, EU_NAMES_RT_WRITE, bits(desc, 10, 8), true);
        eu_text(t, "%s%s", bits(desc, 11, 11) ? " Hi" : "", bits(desc, 12, 12) ? " LastRT" : "");
    } else {
        eu_text(t, " MsgCtrl = 0x%u", dp_control(desc));
    }
    eu_text(t, " Surface = %u", surface(desc));
}

static void put_urb(struct eu_text *t, uint32_t desc)
{
    unsigned op = bits(desc, 3, 0);

    eu_text(t, " offset %u", bits(desc, 14, 4));
    eu_text_name(t, EU_NAMES_URB, op, true);
    if (bits(desc, 17, 17))
        eu_text(t, " per-slot");
    if (op == 7 || op == 8) /* SIMD8 write, read */
        eu_text(t, "%s", bits(desc, 15, 15) ? " masked" : "");
    else
        eu_text_name(t, EU_NAMES_URB_SWIZZLE, bits(desc, 15, 15), true);
}

static void put_blocks(struct eu_text *t, unsigned control)
{
    eu_text(t, "owords = ");
    eu_text_name(t, EU_NAMES_OWORDS, control & 7, false);
    eu_text(t, ", aligned = %u", control >> 3 & 3);
}

static void put_dc0(struct eu_text *t, uint32_t desc)
{
    unsigned type = dp_type(desc), control = dp_control(desc);

    eu_text(t, " (");
    eu_text_name(t, EU_NAMES_DC0, type, false);
    eu_text(t, ", bti %u, ", surface(desc));
    if (type == 6)
        eu_text_name(t, EU_NAMES_ATOMIC, control & 0xf, true);
    else if (type == 0 || type == 8)
        put_blocks(t, control);
    else
        eu_text(t, "%u", control);
    eu_text(t, ")");
}

static void put_dc1(struct eu_text *t, uint32_t desc)
{
    unsigned type = dp_type(desc), control = dp_control(desc);

    eu_text(t, " (");
    eu_text_name(t, EU_NAMES_DC1, type, false);
    eu_text(t, ", Surface = %u, ", surface(desc));
    switch (type) {
    case 2:  /* atomics: untyped, */
    case 6:  /* typed, */
    case 11: /* counter */
        eu_text(t, "SIMD%d,", control & 0x10 ? 8 : 16);
        /* fall through */
    case 3:
    case 7:
    case 12:
    case 18:
        eu_text_name(t, EU_NAMES_ATOMIC, control & 0xf, true);
        break;
    case 1: /* surface reads and writes: untyped, typed, A64 */
    case 5:
    case 9:
    case 13:
    case 17:
    case 25:
        eu_text(t, "SIMD");
        eu_text_name(t, EU_NAMES_SURFACE_SIMD, control >> 4, false);
        eu_text(t, ", Mask = 0x%x", control & 0xf);
        break;
    case 27:
    case 29:
        eu_text(t, "SIMD%d,", control & 0x10 ? 8 : 16);
        eu_text_name(t, EU_NAMES_ATOMIC_FLOAT, control & 0xf, true);
        break;
    case 20:
    case 21:
        put_blocks(t, control);
        break;
    default:
        eu_text(t, "0x%x", control);
    }
    eu_text(t, ")");
}

static void put_interpolator(struct eu_text *t, uint32_t desc)
{
    eu_text(t, " (%s, ", bits(desc, 14, 14) ? "linear" : "persp");
    eu_text_name(t, EU_NAMES_INTERP, bits(desc, 13, 12), false);
    eu_text(t, ", 0x%02u)", bits(desc, 7, 0));
}

static void put_function(struct eu_text *t, unsigned sfid, uint32_t desc)
{
    switch (sfid) {
    case EU_SFID_SAMPLER:
        put_sampler(t, desc);
        break;
    case EU_SFID_DP_SAMPLER:
    case EU_SFID_DP_CONST:
        eu_text(t, " (bti %u, msg_ctrl %u, msg_type %u)", surface(desc), dp_control(desc), dp_type(desc));
        break;
    case EU_SFID_DP_RENDER:
        put_render(t, desc);
        break;
    case EU_SFID_URB:
        put_urb(t, desc);
        break;
    case EU_SFID_SPAWNER:
        break;
    case EU_SFID_GATEWAY:
        eu_text(t, " (");
        eu_text_name(t, EU_NAMES_GATEWAY, bits(desc, 2, 0), false);
        eu_text(t, ")");
        break;
    case EU_SFID_DP_DC0:
        put_dc0(t, desc);
        break;
    case EU_SFID_DP_DC1:
        put_dc1(t, desc);
        break;
    case EU_SFID_PI:
        put_interpolator(t, desc);
        break;
    default:
        eu_text(t, "unsupported shared function ID %u", sfid);
    }
}

void eu_text_message(struct eu_text *t, const struct eu_inst *in)
{
    uint32_t desc, ex_desc;
    bool known = eu_inst_desc(in, &desc), ex_known = eu_inst_ex_desc(in, &ex_desc);

    eu_text_name(t, EU_NAMES_SFID, in->cond, false);
    eu_text(t, " MsgDesc:");
    if (known) {
        put_function(t, in->cond, desc);
        eu_text(t, "  mlen %u", bits(desc, 28, 25));
    } else {
        eu_text(t, " indirect");
    }
    if (eu_inst_is_split_send(in) && ex_known)
        eu_text(t, " ex_mlen %u", bits(ex_desc, 9, 6));
    if (known)
        eu_text(t, " rlen %u", bits(desc, 24, 20));
}
