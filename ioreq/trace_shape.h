/* What each record type carries. Private to the trace files of ioreq/. */
#ifndef GTMUX_IOREQ_TRACE_SHAPE_H
#define GTMUX_IOREQ_TRACE_SHAPE_H

#include "ioreq/trace.h"

struct trace_shape {
    const char *name; /* NULL: no such type */
    uint8_t args;     /* varints that follow the type byte */
    bool data;        /* then a length (varint) and that many bytes */
    bool event;
};

extern const struct trace_shape trace_shapes[TRACE_TYPES];
const struct trace_shape *trace_shape(unsigned type); /* NULL: no such type */

#endif
