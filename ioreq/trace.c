/* Records: shapes, encoding, accesses. Shared by the writer and the reader of trace files. */
#include "ioreq/trace_shape.h"

#include <string.h>

const struct trace_shape trace_shapes[TRACE_TYPES] = {
    [TRACE_SETTING] = {.name = "SETTING", .args = 2},
    [TRACE_CREATE] = {.name = "CREATE", .event = true},
    [TRACE_ACCESS] = {.name = "ACCESS", .args = 3, .event = true},
    [TRACE_RESET] = {.name = "RESET", .event = true},
    [TRACE_MEMORY] = {.name = "MEMORY", .args = 1, .event = true},
    [TRACE_RUN] = {.name = "RUN", .args = 2, .event = true},
    [TRACE_TICK] = {.name = "TICK", .event = true},
    [TRACE_HEAD] = {.name = "HEAD", .args = 5, .event = true},
    [TRACE_FINISH] = {.name = "FINISH", .event = true},
    [TRACE_WAIT] = {.name = "WAIT", .args = 2, .event = true},
    [TRACE_SHOWN] = {.name = "SHOWN", .args = 2, .event = true},
    [TRACE_EDID] = {.name = "EDID", .args = 1, .data = true, .event = true},
    [TRACE_PACE] = {.name = "PACE", .args = 2, .event = true},
    [TRACE_TIME] = {.name = "TIME", .args = 2},
    [TRACE_MEM] = {.name = "MEM", .args = 2, .data = true},
    [TRACE_FAULT] = {.name = "FAULT", .args = 1},
    [TRACE_RESULT] = {.name = "RESULT", .args = 2},
};

const struct trace_shape *trace_shape(unsigned type)
{
    return type < TRACE_TYPES && trace_shapes[type].name ? &trace_shapes[type] : NULL;
}

const char *trace_type_name(unsigned type)
{
    const struct trace_shape *s = trace_shape(type);

    return s ? s->name : "?";
}

bool trace_is_event(unsigned type)
{
    const struct trace_shape *s = trace_shape(type);

    return s && s->event;
}

/* arg[0] of ACCESS: region in bits 3:0, log2 of the size in 5:4, write in 6. */
#define ACCESS_SIZE_SHIFT 4
#define ACCESS_WRITE      0x40u

static unsigned size_log2(unsigned size)
{
    return size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0;
}

void trace_pack_access(struct trace_record *rec, const struct ioreq_access *a)
{
    memset(rec, 0, sizeof(*rec));
    rec->type = TRACE_ACCESS;
    rec->arg[0] = (a->region & 0xfu) | size_log2(a->size) << ACCESS_SIZE_SHIFT | (a->write ? ACCESS_WRITE : 0);
    rec->arg[1] = a->off;
    rec->arg[2] = a->write ? a->data : 0;
}

bool trace_unpack_access(const struct trace_record *rec, struct ioreq_access *a)
{
    uint64_t how = rec->arg[0];

    memset(a, 0, sizeof(*a));
    if (rec->type != TRACE_ACCESS || how > 0x7f || (how & 0xf) >= IOREQ_REGIONS)
        return false;
    a->region = how & 0xf;
    a->size = (uint8_t)(1u << (how >> ACCESS_SIZE_SHIFT & 3));
    a->write = how & ACCESS_WRITE;
    a->off = rec->arg[1];
    a->data = rec->arg[2];
    return true;
}

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)v | 0x80;
    *p++ = (uint8_t)v;
    return p;
}

size_t trace_encode(const struct trace_record *rec, uint8_t *out)
{
    const struct trace_shape *s = trace_shape(rec->type);
    uint8_t *p = out;

    if (!s || (s->data && rec->len > TRACE_DATA_MAX))
        return 0;
    *p++ = rec->type;
    for (unsigned i = 0; i < s->args; i++)
        p = put_varint(p, rec->arg[i]);
    if (s->data) {
        p = put_varint(p, rec->len);
        if (rec->len) /* data may be NULL then */
            memcpy(p, rec->data, rec->len);
        p += rec->len;
    }
    return (size_t)(p - out);
}
