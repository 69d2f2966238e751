/*
 * The fields of commands and of the state structures that commands point to: each is one row in a .def file of this
 * folder; no other file says at which bit something is.
 *
 * Row syntax:   FIELD(GROUP, Name, first bit, last bit, TYPE, ...) from the start of the group, which is a command's
 * name in cmds_*.def or a structure of genxml. Gives the constant F_GROUP__Name for field_get and its kin.
 *
 *     uint64_t ksp = FIELD_ADDRESS(dw, 3DSTATE_PS, KernelStartPointer0);
 */
#ifndef GTMUX_DESC_FIELDS_H
#define GTMUX_DESC_FIELDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum field_type {
    FIELD_UINT,
    FIELD_INT, /* two's complement */
    FIELD_BOOL,
    FIELD_IEEE,   /* IEEE single */
    FIELD_FIXED,  /* unsigned, frac bits behind the point */
    FIELD_SFIXED, /* signed */
    FIELD_ADDR,   /* of memory: the bits below the first one are zero and not counted */
    FIELD_OFFSET, /* the same, from some base */
    FIELD_STRUCT, /* another group of that name in `type` */
};

struct field_desc {
    const char *group, *name;
    uint16_t first, last; /* bits */
    uint8_t kind;         /* enum field_type */
    uint8_t frac;
    uint16_t stride; /* bits from one element to the next; 0: no array */
    uint16_t count;  /* elements; 0 with a stride: as many as the command is long */
    const char *type;
};

/* All rows, those of one group together. */
extern const struct field_desc field_table[];
extern const unsigned field_count;
/* First row of a group and how many there are; NULL when there is no such group. */
const struct field_desc *field_group(const char *group, unsigned *count);

enum field_id {
#define FIELD(group, name, first, last, ...) F_##group##__##name = (first) << 16 | (last),
#include "vgpu/desc/fields_all.def"
#undef FIELD
};

/* Field f (an F_ constant) of the group at dw, `shift` bits further on. At most 64 bits in at most three dwords. */
static inline uint64_t field_get_at(const uint32_t *dw, uint32_t f, unsigned shift)
{
    unsigned first = (f >> 16) + shift, last = (f & 0xffff) + shift, bits = last - first + 1, low = first % 32;
    uint64_t v = dw[first / 32] >> low;

    if (first / 32 != last / 32)
        v |= (uint64_t)dw[first / 32 + 1] << (32 - low);
    if (last / 32 - first / 32 > 1)
        v |= (uint64_t)dw[first / 32 + 2] << (64 - low);
    return bits >= 64 ? v : v & ((UINT64_C(1) << bits) - 1);
}

static inline uint64_t field_get(const uint32_t *dw, uint32_t f)
{
    return field_get_at(dw, f, 0);
}

/* An address or offset, in bytes. */
static inline uint64_t field_address(const uint32_t *dw, uint32_t f)
{
    return field_get(dw, f) << ((f >> 16) % 32);
}

static inline int64_t field_signed(const uint32_t *dw, uint32_t f)
{
    unsigned unused = 64 - ((f & 0xffff) - (f >> 16) + 1);

    return (int64_t)(field_get(dw, f) << unused) >> unused;
}

static inline float field_float(const uint32_t *dw, uint32_t f)
{
    uint32_t bits = (uint32_t)field_get(dw, f);
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

#define FIELD_GET(dw, group, name)           field_get(dw, F_##group##__##name)
#define FIELD_AT(dw, group, name, i, stride) field_get_at(dw, F_##group##__##name, (i) * (stride))
#define FIELD_ADDRESS(dw, group, name)       field_address(dw, F_##group##__##name)
#define FIELD_SIGNED(dw, group, name)        field_signed(dw, F_##group##__##name)
#define FIELD_FLOAT(dw, group, name)         field_float(dw, F_##group##__##name)

#endif
