/* Private to the disassembler: a line being written, with Mesa's columns. */
#ifndef GTMUX_SOFT_EU_DISASM_H
#define GTMUX_SOFT_EU_DISASM_H

#include <stdio.h>

#include "mediator/soft/eu/inst.h"

struct eu_text {
    FILE *out;
    unsigned column;
};

enum eu_name_set {
    EU_NAMES_COND,
    EU_NAMES_VSTRIDE,
    EU_NAMES_WIDTH,
    EU_NAMES_HSTRIDE,
    EU_NAMES_EXEC,
    EU_NAMES_PRED1,
    EU_NAMES_PRED16,
    EU_NAMES_THREAD,
    EU_NAMES_DEP,
    EU_NAMES_WRITEMASK,
    EU_NAMES_MATH,
    EU_NAMES_SFID,
    EU_NAMES_GATEWAY,
    EU_NAMES_RENDER,
    EU_NAMES_RT_WRITE,
    EU_NAMES_DC0,
    EU_NAMES_OWORDS,
    EU_NAMES_DC1,
    EU_NAMES_SURFACE_SIMD,
    EU_NAMES_ATOMIC,
    EU_NAMES_ATOMIC_FLOAT,
    EU_NAMES_INTERP,
    EU_NAMES_URB,
    EU_NAMES_URB_SWIZZLE,
    EU_NAMES_SAMPLER,
    EU_NAMES_SAMPLER_SIMD,
    EU_NAME_SETS
};

void eu_text(struct eu_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* At least one space, then up to the column. */
void eu_text_pad(struct eu_text *t, unsigned column);
/* The word for a value, or a remark that it is invalid. `space`: a word that is not empty gets a space before it. */
void eu_text_name(struct eu_text *t, enum eu_name_set set, unsigned value, bool space);
/* The second line of a send: shared function, message, lengths. */
void eu_text_message(struct eu_text *t, const struct eu_inst *in);
/* Source i of an instruction with at most two. */
void eu_text_source(struct eu_text *t, const struct eu_inst *in, unsigned i);
void eu_text_dest(struct eu_text *t, const struct eu_inst *in);
void eu_text_source3(struct eu_text *t, const struct eu_inst *in, unsigned i);
void eu_text_dest3(struct eu_text *t, const struct eu_inst *in);

#endif
