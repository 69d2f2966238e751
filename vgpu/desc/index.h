/*
 * The indexes behind reg_find and cmd_find, built and checked from a table. Private to vgpu/desc and its tests: the
 * library builds one of each from its own tables, the tests build them from bad ones.
 */
#ifndef GTMUX_DESC_INDEX_H
#define GTMUX_DESC_INDEX_H

#include <stdint.h>

#include "vgpu/desc/cmds.h"
#include "vgpu/desc/regs.h"

struct reg_index {
    uint16_t *slot;       /* by offset / 4: 1 + index into refs; 0 = no register there */
    struct reg_ref *refs; /* rows expanded to one entry for each unit and element */
    unsigned count;
};

/* Checks n rows and builds the index. 0, or -1 with a message that names the first bad row (both rows of a clash) in
 * err; nothing stays allocated then. */
int reg_index_build(struct reg_index *ix, const struct reg_desc *table, unsigned n, char *err, unsigned errsz);
void reg_index_free(struct reg_index *ix);

#define CMD_SLOTS 65536u /* commands are told apart by header bits 31:16 */

struct cmd_index {
    uint16_t *slot; /* [VGPU_ENGINES][CMD_SLOTS]: 1 + row; 0 = unknown */
};

int cmd_index_build(struct cmd_index *ix, const struct cmd_desc *table, unsigned n, char *err, unsigned errsz);
void cmd_index_free(struct cmd_index *ix);

#endif
