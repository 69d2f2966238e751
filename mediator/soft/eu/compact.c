/* Compacted instructions: from 8 bytes to 16. PRM SKL vol 7, "EU Compact Instructions". */
#include <string.h>

#include "mediator/soft/eu/inst.h"

enum table { TABLE_CONTROL, TABLE_DATATYPE, TABLE_SUBREG, TABLE_SRC, TABLE_CONTROL3, TABLE_SOURCE3, TABLES };

#define EU_COMPACT_PUT(table, last, first, shift)

static const uint64_t tables[TABLES][32] = {
#define EU_COMPACT(table, index, bits) [TABLE_##table][index] = (bits),
#include "mediator/soft/eu/compact.def"
#undef EU_COMPACT
};
#undef EU_COMPACT_PUT

static const struct put {
    uint8_t table, shift;
    uint16_t field;
} places[] = {
#define EU_COMPACT(table, index, bits)
#define EU_COMPACT_PUT(table, last, first, shift) {TABLE_##table, shift, (last) << 8 | (first)},
#include "mediator/soft/eu/compact.def"
#undef EU_COMPACT
#undef EU_COMPACT_PUT
};

static void expand(struct eu_bits *out, enum table t, uint64_t index, unsigned move)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (places[i].table == t)
            eu_bits_put(out, places[i].field + move * (1 << 8 | 1), tables[t][index] >> places[i].shift);
}

static void expand_three(struct eu_bits *out, const struct eu_bits *c)
{
    expand(out, TABLE_CONTROL3, EU_GET(c, C3_CONTROL_INDEX), 0);
    expand(out, TABLE_SOURCE3, EU_GET(c, C3_SOURCE_INDEX), 0);
    EU_PUT(out, DST_REG3, EU_GET(c, C3_DST_REG));
    EU_PUT(out, DEBUG_CONTROL, EU_GET(c, C3_DEBUG_CONTROL));
    EU_PUT(out, SATURATE, EU_GET(c, C3_SATURATE));
    /* Registers have 7 bits here, enough for 128. */
#define SRC(n)                                                                                                         \
    EU_PUT(out, SRC##n##_REP3, EU_GET(c, C3_SRC##n##_REP));                                                            \
    EU_PUT(out, SRC##n##_SUBREG3, EU_GET(c, C3_SRC##n##_SUBREG));                                                      \
    EU_PUT(out, SRC##n##_REG3, EU_GET(c, C3_SRC##n##_REG))
    SRC(0);
    SRC(1);
    SRC(2);
#undef SRC
}

/* 13 bits, sign extended: 8 in place of the register number, 5 in place of the region's index. */
static uint32_t immediate(const struct eu_bits *c)
{
    uint32_t v = (uint32_t)(EU_GET(c, C_SRC1_INDEX) << 8 | EU_GET(c, C_SRC1_REG));

    return v & 0x1000 ? v | 0xffffe000 : v;
}

struct eu_bits eu_uncompact(uint64_t compact)
{
    const struct eu_bits in = {{compact, 0}}, *c = &in;
    struct eu_bits out = {{0, 0}};

    EU_PUT(&out, OPCODE, EU_GET(c, OPCODE));
    if (eu_opcodes[EU_GET(c, OPCODE)].nsrc == 3) {
        expand_three(&out, c);
        return out;
    }
    EU_PUT(&out, DEBUG_CONTROL, EU_GET(c, C_DEBUG_CONTROL));
    expand(&out, TABLE_CONTROL, EU_GET(c, C_CONTROL_INDEX), 0);
    expand(&out, TABLE_DATATYPE, EU_GET(c, C_DATATYPE_INDEX), 0);
    expand(&out, TABLE_SUBREG, EU_GET(c, C_SUBREG_INDEX), 0);
    expand(&out, TABLE_SRC, EU_GET(c, C_SRC0_INDEX), 0);
    if (EU_GET(&out, SRC0_FILE) == EU_IMM || EU_GET(&out, SRC1_FILE) == EU_IMM) {
        EU_PUT(&out, IMM32, immediate(c));
    } else {
        expand(&out, TABLE_SRC, EU_GET(c, C_SRC1_INDEX), 32);
        EU_PUT(&out, SRC1_REG, EU_GET(c, C_SRC1_REG));
    }
    EU_PUT(&out, ACC_WR_CONTROL, EU_GET(c, C_ACC_WR_CONTROL));
    EU_PUT(&out, COND_MODIFIER, EU_GET(c, COND_MODIFIER));
    EU_PUT(&out, DST_REG, EU_GET(c, C_DST_REG));
    EU_PUT(&out, SRC0_REG, EU_GET(c, C_SRC0_REG));
    return out;
}
