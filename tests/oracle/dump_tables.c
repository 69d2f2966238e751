/* Prints the compiled register and command tables as tab-separated text for oracle.py:
 *   reg  NAME  BLOCK  UNIT  ELEMENT  OFFSET
 *   cmd  NAME  OPCODE  MASK  ENGINES  LENGTH_MASK  BIAS  MIN_LENGTH  MAX_LENGTH
 *   field  GROUP  NAME  FIRST_BIT  LAST_BIT  COUNT  STRIDE */
#include <inttypes.h>
#include <stdio.h>

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
    return 0;
}
