/* Kernels as text, in the form of Mesa's disassembler (brw_disasm.c), so that the two can be compared. */
#include "mediator/soft/eu/disasm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "mediator/soft/eu/eu.h"

#define MAX_NAMES  32u
#define MAX_LABELS 4096u /* looked up one by one; a kernel with more of them goes on without */

static const char *const names[EU_NAME_SETS][MAX_NAMES] = {
#define EU_NAME(set, value, text) [EU_NAMES_##set][value] = text,
#include "mediator/soft/eu/names.def"
#undef EU_NAME
};

void eu_text(struct eu_text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vfprintf(t->out, format, args);
    va_end(args);
    t->column += n > 0 ? (unsigned)n : 0;
}

void eu_text_pad(struct eu_text *t, unsigned column)
{
    do
        eu_text(t, " ");
    while (t->column < column);
}

void eu_text_name(struct eu_text *t, enum eu_name_set set, unsigned value, bool space)
{
    const char *name = value < MAX_NAMES ? names[set][value] : NULL;

    if (!name)
        fprintf(t->out, "*** invalid value %u ", value);
    else if (name[0])
        eu_text(t, "%s%s", space ? " " : "", name);
}

/* ---- labels: numbered in the order in which they are first mentioned */

struct labels {
    int64_t *at;
    size_t n;
};

static int find_label(const struct labels *l, int64_t at)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i] == at)
            return (int)i;
    return -1;
}

static void add_label(struct labels *l, int64_t at)
{
    if (l->at && l->n < MAX_LABELS && find_label(l, at) < 0)
        l->at[l->n++] = at;
}

/* Without memory there are no labels. */
static void find_labels(struct labels *l, const uint8_t *code, size_t n)
{
    struct eu_inst in;
    unsigned bytes;

    *l = (struct labels){.at = malloc(MAX_LABELS * sizeof(*l->at))};
    for (size_t at = 0; (bytes = eu_inst_parse(&in, code + at, n - at)) != 0; at += bytes) {
        if (in.desc->text && in.desc->klass == EU_CLASS_FLOW2)
            add_label(l, (int64_t)at + in.uip);
        if (in.desc->text && (in.desc->klass == EU_CLASS_FLOW2 || in.desc->klass == EU_CLASS_FLOW1))
            add_label(l, (int64_t)at + in.jip);
    }
}

static void put_label(struct eu_text *t, const struct labels *l, int64_t at)
{
    int i = find_label(l, at);

    if (i >= 0)
        eu_text(t, " LABEL%d", i);
}

/* ---- parts of a line */

static void put_predicate(struct eu_text *t, const struct eu_inst *in)
{
    if (!in->pred)
        return;
    eu_text(t, "(%cf%u.%u", in->pred_inv ? '-' : '+', in->flag >> 1, in->flag & 1u);
    eu_text_name(t, in->align16 ? EU_NAMES_PRED16 : EU_NAMES_PRED1, in->pred, false);
    eu_text(t, ") ");
}

static void put_condition(struct eu_text *t, const struct eu_inst *in)
{
    eu_text_name(t, EU_NAMES_COND, in->cond, false);
    if (in->cond && in->op != EU_OP_SEL && in->op != EU_OP_CSEL && in->op != EU_OP_IF && in->op != EU_OP_WHILE)
        eu_text(t, ".f%u.%u", in->flag >> 1, in->flag & 1u);
}

static void put_mnemonic(struct eu_text *t, const struct eu_inst *in)
{
    bool send = eu_inst_is_send(in);

    if (in->desc->text)
        eu_text(t, "%s", in->desc->text);
    else
        eu_text(t, "*** invalid opcode value %u ", in->op);
    eu_text(t, "%s%s", !send && in->saturate ? ".sat" : "", in->debug ? ".breakpoint" : "");
    if (in->op == EU_OP_MATH)
        eu_text_name(t, EU_NAMES_MATH, in->cond, true);
    else if (!send)
        put_condition(t, in);
    if (in->op != EU_OP_NOP) {
        eu_text(t, "(");
        eu_text_name(t, EU_NAMES_EXEC, in->exec, false);
        eu_text(t, ")");
    }
}

static void put_targets(struct eu_text *t, const struct eu_inst *in, const struct labels *l, size_t at)
{
    eu_text_pad(t, 16);
    eu_text(t, "JIP: ");
    put_label(t, l, (int64_t)at + in->jip);
    if (in->desc->klass == EU_CLASS_FLOW2) {
        eu_text_pad(t, 38);
        eu_text(t, "UIP: ");
        put_label(t, l, (int64_t)at + in->uip);
    }
}

static void put_operands(struct eu_text *t, const struct eu_inst *in)
{
    if (in->op == EU_OP_JMPI) {
        eu_text_pad(t, 16);
        eu_text_source(t, in, 1);
        return;
    }
    if (in->desc->ndst) {
        eu_text_pad(t, 16);
        if (in->nsrc == 3)
            eu_text_dest3(t, in);
        else
            eu_text_dest(t, in);
    }
    for (unsigned i = 0; i < in->nsrc; i++) {
        eu_text_pad(t, 32 + 16 * i);
        if (in->nsrc == 3)
            eu_text_source3(t, in, i);
        else
            eu_text_source(t, in, i);
    }
}

static void put_address_desc(struct eu_text *t, unsigned sub)
{
    eu_text(t, "a0");
    if (sub)
        eu_text(t, ".%u", sub);
    eu_text(t, "<0>UD");
}

/* Mesa does not count the columns of numbers. */
static void put_descriptors(struct eu_text *t, const struct eu_inst *in)
{
    uint32_t desc, ex_desc;
    bool known = eu_inst_desc(in, &desc), ex_known = eu_inst_ex_desc(in, &ex_desc);

    if (!eu_inst_is_split_send(in)) {
        eu_text_pad(t, 48);
        if (!known) {
            eu_text_source(t, in, 1);
            eu_text_pad(t, 64);
        }
        fprintf(t->out, "0x%08" PRIx64, EU_GET(&in->bits, IMM32));
    } else {
        eu_text_pad(t, 64);
        if (known)
            fprintf(t->out, "0x%08" PRIx32, desc);
        else
            put_address_desc(t, 0);
        eu_text_pad(t, 80);
        if (ex_known)
            fprintf(t->out, "0x%08" PRIx32, ex_desc);
        else
            put_address_desc(t, (unsigned)EU_GET(&in->bits, SENDS_EX_DESC_SUBREG));
    }
    fputc('\n', t->out);
    t->column = 0;
    eu_text_pad(t, 16);
    fprintf(t->out, "%12s", "");
}

static void put_group(struct eu_text *t, const struct eu_inst *in)
{
    if (in->exec < 3 || (in->chan & 4))
        eu_text(t, " %uN", in->chan / 4 + 1);
    else if (in->exec == 3)
        eu_text(t, " %uQ", in->chan / 8 + 1);
    else if (in->exec == 4)
        eu_text(t, " %uH", in->chan / 16 + 1);
}

static void put_options(struct eu_text *t, const struct eu_inst *in)
{
    bool branch = (in->desc->klass == EU_CLASS_FLOW0 && in->op != EU_OP_JOIN) || in->desc->klass == EU_CLASS_FLOW1 ||
                  in->desc->klass == EU_CLASS_FLOW2;

    eu_text(t, "{ %s%s", in->align16 ? "align16" : "align1", in->nomask ? " WE_all" : "");
    eu_text_name(t, EU_NAMES_DEP, in->dep_control, true);
    put_group(t, in);
    eu_text(t, "%s", in->compacted ? " compacted" : "");
    eu_text_name(t, EU_NAMES_THREAD, in->thread_control, true);
    if (in->acc_write)
        eu_text(t, branch ? " BranchCtrl" : " AccWrEnable");
    if (eu_inst_is_send(in) && EU_GET(&in->bits, EOT))
        eu_text(t, " EOT");
    eu_text(t, " }");
}

static void put_inst(struct eu_text *t, const struct eu_inst *in, const struct labels *l, size_t at)
{
    put_predicate(t, in);
    put_mnemonic(t, in);
    if (in->desc->text && (in->desc->klass == EU_CLASS_FLOW1 || in->desc->klass == EU_CLASS_FLOW2))
        put_targets(t, in, l, at);
    else if (in->desc->text)
        put_operands(t, in);
    if (eu_inst_is_send(in)) {
        put_descriptors(t, in);
        eu_text_message(t, in);
    }
    eu_text_pad(t, 64);
    if (in->op != EU_OP_NOP)
        put_options(t, in);
    fprintf(t->out, ";\n");
    t->column = 0;
}

unsigned eu_disassemble(const uint8_t *code, size_t n, FILE *out)
{
    struct eu_text t = {.out = out};
    struct labels l;
    struct eu_inst in;
    unsigned bytes, unknown = 0;
    size_t at;

    find_labels(&l, code, n);
    for (at = 0; (bytes = eu_inst_parse(&in, code + at, n - at)) != 0; at += bytes) {
        int i = find_label(&l, (int64_t)at);

        if (i >= 0)
            fprintf(out, "\nLABEL%d:\n", i);
        put_inst(&t, &in, &l, at);
        unknown += !in.desc->text || in.op == EU_OP_ILLEGAL;
    }
    free(l.at);
    return unknown + (at < n);
}
