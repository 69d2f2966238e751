#include "vgpu/desc/cmds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "vgpu/base/bits.h"
#include "vgpu/desc/index.h"

const struct cmd_desc cmd_table[C_COUNT] = {
#define CMD(id, ...) [C_##id] = {.name = #id, __VA_ARGS__},
#include "vgpu/desc/cmds_all.def"
#undef CMD
};

static struct cmd_index main_index;

int cmd_find(uint32_t header, unsigned engine)
{
    if (engine >= VGPU_ENGINES || !main_index.slot)
        return -1;
    return main_index.slot[engine * CMD_SLOTS + (header >> 16)] - 1;
}

unsigned cmd_length(int id, uint32_t header)
{
    const struct cmd_desc *c = &cmd_table[id];

    return (header & c->len_mask) + c->bias;
}

/* Command types and the shape of type 3 headers: PRM SKL Vol 2a "Command Header Format"; the length rules agree with
 * i915 i915_cmd_parser.c *_get_cmd_length_mask and Mesa intel_decoder.c intel_group_get_length. */
enum cmd_type { TYPE_MI = 0, TYPE_2D = 2, TYPE_RENDER = 3 };
enum render_subtype { SUB_COMMON = 0, SUB_SINGLE = 1, SUB_MEDIA = 2, SUB_3D = 3 };
#define MI_FIRST_MULTI_DWORD 0x10u

static unsigned unknown_render_length(uint32_t header)
{
    unsigned opcode = gt_field(header, 26, 24);

    switch (gt_field(header, 28, 27)) {
    case SUB_SINGLE:
        return opcode < 2 ? 1 : gt_field(header, 7, 0) + 2;
    case SUB_MEDIA: /* objects carry long inline data: 16 bits; codec commands have 12 */
        if (opcode == 1 || opcode == 2)
            return gt_field(header, 15, 0) + 2;
        return gt_field(header, 11, 0) + 2;
    default:
        return gt_field(header, 7, 0) + 2;
    }
}

unsigned cmd_unknown_length(uint32_t header)
{
    switch (gt_field(header, 31, 29)) {
    case TYPE_MI:
        return gt_field(header, 28, 23) < MI_FIRST_MULTI_DWORD ? 1 : gt_field(header, 7, 0) + 2;
    case TYPE_2D:
        return gt_field(header, 7, 0) + 2;
    case TYPE_RENDER:
        return unknown_render_length(header);
    default: /* reserved types */
        return 1;
    }
}

/* What is wrong with one row on its own, or NULL. */
static const char *row_fault(const struct cmd_desc *c)
{
    if (!c->name)
        return "no name (a hole in the table)";
    if (c->op & ~c->mask)
        return "opcode bits outside of the mask";
    if (!(c->mask >> 16))
        return "the mask identifies nothing";
    if (c->mask & 0xffff)
        return "commands are told apart by header bits 31:16 only";
    if (c->len_mask & c->mask)
        return "length bits inside the mask";
    if (c->len_mask & (c->len_mask + 1))
        return "the length field does not start at bit 0 or has holes";
    if (!c->bias)
        return "bias 0: the command would have no length";
    if (c->klass > CMD_VIDEO)
        return "unknown class";
    if (!c->engines || c->engines & ~CMD_ALL)
        return "no engine, or an unknown one";
    if (c->flags & ~(CMD_PRIV | CMD_POSTSYNC | CMD_RING_ONLY))
        return "unknown flag";
    if (c->max_len && c->min_len > c->max_len)
        return "min_len above max_len";
    if (!c->src || !c->src[0])
        return "no source";
    return NULL;
}

/* Masks a and b of two rows that match the same header: does a name strictly more bits than b? */
static int more_specific(uint32_t a, uint32_t b)
{
    return a != b && (a & b) == b;
}

/* Enters row `id` for all headers it matches. 0, or -1 with a message when two rows claim one header on an engine and
 * neither is more specific. */
static int index_add(uint16_t *slot, const struct cmd_desc *table, unsigned id, char *err, unsigned errsz)
{
    const struct cmd_desc *c = &table[id];
    uint32_t open = ~c->mask >> 16; /* the header bits 31:16 that the row leaves open: walk all their values */
    uint32_t bits = 0;

    do {
        uint16_t *s = &slot[(c->op >> 16) | bits];

        if (*s) {
            const struct cmd_desc *old = &table[*s - 1];

            if (!more_specific(c->mask, old->mask) && !more_specific(old->mask, c->mask)) {
                snprintf(err, errsz, "command %s clashes with %s at header 0x%08" PRIx32, c->name, old->name,
                         c->op | bits << 16);
                return -1;
            }
        }
        if (!*s || more_specific(c->mask, table[*s - 1].mask))
            *s = (uint16_t)(id + 1);
        bits = (bits - open) & open;
    } while (bits);
    return 0;
}

void cmd_index_free(struct cmd_index *ix)
{
    free(ix->slot);
    ix->slot = NULL;
}

int cmd_index_build(struct cmd_index *ix, const struct cmd_desc *table, unsigned n, char *err, unsigned errsz)
{
    ix->slot = NULL;
    for (unsigned i = 0; i < n; i++) {
        const char *fault = row_fault(&table[i]);

        if (fault) {
            snprintf(err, errsz, "command %s (row %u): %s", table[i].name ? table[i].name : "?", i, fault);
            return -1;
        }
    }
    ix->slot = calloc((size_t)VGPU_ENGINES * CMD_SLOTS, sizeof(*ix->slot));
    if (!ix->slot) {
        snprintf(err, errsz, "no memory for the command index");
        return -1;
    }
    for (unsigned engine = 0; engine < VGPU_ENGINES; engine++) {
        for (unsigned i = 0; i < n; i++) {
            if (!(table[i].engines & GT_BIT(engine)))
                continue;
            if (index_add(ix->slot + engine * CMD_SLOTS, table, i, err, errsz)) {
                cmd_index_free(ix);
                return -1;
            }
        }
    }
    return 0;
}

int cmd_init(char *err, unsigned errsz)
{
    return main_index.slot ? 0 : cmd_index_build(&main_index, cmd_table, C_COUNT, err, errsz);
}
