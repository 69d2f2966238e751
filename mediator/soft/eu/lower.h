/* Private to lower*.c, which make ops of instructions. Functions give the reason why something cannot be, or NULL. */
#ifndef GTMUX_SOFT_EU_LOWER_H
#define GTMUX_SOFT_EU_LOWER_H

#include "mediator/soft/eu/op.h"

#define EU_GRF_BYTES (EU_GRFS * EU_REG_BYTES)

/* Within struct eu_thread: a register, and the end of its register file. */
struct eu_place {
    uint32_t off, end;
};

/* False: there is no such register. */
bool eu_find_place(struct eu_place *p, unsigned file, unsigned nr, unsigned subnr);
bool eu_is_null(const struct eu_operand *o);
const char *eu_lower_dst(struct eu_op *op, const struct eu_inst *in);
const char *eu_lower_send(struct eu_op *op, const struct eu_inst *in);
/* bytes: length of the instruction */
const char *eu_lower_flow(struct eu_op *op, const struct eu_inst *in, unsigned bytes);

#endif
