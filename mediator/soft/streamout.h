/* Stream output: vertices of primitives into buffers. PRM SKL vol 7 "Stream Output Logic (SOL) Stage". */
#ifndef GTMUX_SOFT_STREAMOUT_H
#define GTMUX_SOFT_STREAMOUT_H

#include "mediator/soft/draw.h"

#define SO_STREAMS 4u
#define SO_BUFFERS 4u
#define SO_DECLS   128u

struct so_decl {
    uint8_t buffer, mask;
    uint8_t slot; /* of 16 bytes in the vertex */
    bool hole;
};

struct so_stream {
    unsigned decls;
    uint8_t buffers;                       /* bit per buffer that it writes */
    unsigned offset_dwords, length_dwords; /* of vertices that are read */
    struct so_decl decl[SO_DECLS];
};

struct so_buffer {
    bool enable;
    uint64_t address, offset_address; /* the latter 0: the offset is not kept in memory */
    uint64_t size;
    uint32_t pitch, offset;
};

struct streamout {
    bool on, statistics;
    bool leading; /* order of a strip's odd triangles */
    bool render;
    uint8_t render_stream;
    struct soft_engine *e;
    struct so_stream stream[SO_STREAMS];
    struct so_buffer buffer[SO_BUFFERS];
};

/* Derives a draw's state; reads the write offsets. */
void streamout_begin(struct streamout *so, struct soft_engine *e);
/* A primitive of 1 to 3 vertices of vue_dwords each. */
void streamout_write(struct streamout *so, unsigned stream, const uint32_t *const *v, unsigned n, unsigned vue_dwords);
/* A batch is done: writes the offsets back. */
void streamout_end(struct streamout *so);

#endif
