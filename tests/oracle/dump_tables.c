/* Prints the compiled register and command tables as tab-separated text for oracle.py:
 *   reg  NAME  BLOCK  UNIT  ELEMENT  OFFSET
 *   cmd  NAME  OPCODE  MASK  ENGINES  LENGTH_MASK  BIAS  MIN_LENGTH  MAX_LENGTH
 *   field  GROUP  NAME  FIRST_BIT  LAST_BIT  COUNT  STRIDE
 *   format  NAME  NUMBER  BITS  BLOCK_WIDTH  BLOCK_HEIGHT  SPACE  KIND  then for r, g, b, a: TYPE BITS FIRST_BIT */
#include <inttypes.h>
#include <stdio.h>

#include "mediator/soft/surface.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

static void dump_regs(void)
{
    static const char *const blocks[] = {
        [REG_GLOBAL] = "global", [REG_ENGINE] = "engine", [REG_PIPE] = "pipe",
        [REG_TRANS] = "trans",   [REG_PORT] = "port",
    };

    for (uint32_t off = 0; off < VGPU_MMIO_SIZE; off += 4) {
        const struct reg_ref *r = reg_find(off);

        if (r)
            printf("reg\t%s\t%s\t%u\t%u\t0x%" PRIx32 "\n", r->row->name, blocks[r->row->block], r->unit, r->elem, off);
    }
}

static void dump_cmds(void)
{
    for (unsigned id = 0; id < C_COUNT; id++) {
        const struct cmd_desc *c = &cmd_table[id];

        printf("cmd\t%s\t0x%08" PRIx32 "\t0x%08" PRIx32 "\t%u\t0x%" PRIx32 "\t%u\t%u\t%u\n", c->name, c->op, c->mask,
               c->engines, c->len_mask, c->bias, c->min_len, c->max_len);
    }
}

static void dump_fields(void)
{
    for (unsigned i = 0; i < field_count; i++) {
        const struct field_desc *f = &field_table[i];

        printf("field\t%s\t%s\t%u\t%u\t%u\t%u\n", f->group, f->name, f->first, f->last, f->count, f->stride);
    }
}

static void dump_format(const struct soft_format *f)
{
    static const char *const types[] = {
        [SOFT_CH_NONE] = "x",    [SOFT_CH_UNORM] = "un", [SOFT_CH_SNORM] = "sn",   [SOFT_CH_UINT] = "ui",
        [SOFT_CH_SINT] = "si",   [SOFT_CH_FLOAT] = "sf", [SOFT_CH_USCALED] = "us", [SOFT_CH_SSCALED] = "ss",
        [SOFT_CH_UFLOAT] = "uf", [SOFT_CH_RAW] = "r",    [SOFT_CH_FIXED] = "sx",
    };
    const char *kind = f->luminance ? "luminance" : f->intensity ? "intensity" : "colour";

    printf("format\t%s\t%u\t%u\t%u\t%u\t%s\t%s", f->name, f->number, f->bits, f->block_width_px, f->block_height_px,
           f->srgb ? "srgb" : "linear", kind);
    for (unsigned c = 0; c < 4; c++)
        printf("\t%s\t%u\t%u", types[f->channel[c].type], f->channel[c].bits, f->channel[c].first);
    printf("\n");
}

#define R(t, n, f) .channel[0] = {SOFT_CH_##t, n, f}
#define G(t, n, f) .channel[1] = {SOFT_CH_##t, n, f}
#define B(t, n, f) .channel[2] = {SOFT_CH_##t, n, f}
#define A(t, n, f) .channel[3] = {SOFT_CH_##t, n, f}

static void dump_formats(void)
{
    static const struct soft_format formats[] = {
#define FORMAT(text, n, b, w, h, ...)                                                                                  \
    {.name = #text, .number = (n), .bits = (b), .block_width_px = (w), .block_height_px = (h), ##__VA_ARGS__},
#include "mediator/soft/formats.def"
#undef FORMAT
    };

    for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        dump_format(&formats[i]);
}

int main(void)
{
    char err[256];

    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err))) {
        fprintf(stderr, "dump_tables: %s\n", err);
        return 1;
    }
    dump_regs();
    dump_cmds();
    dump_fields();
    dump_formats();
    return 0;
}
