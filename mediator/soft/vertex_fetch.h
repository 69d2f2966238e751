/*
 * The vertex fetcher: vertex elements from vertex buffers, generated values (vertex and instance number), and indices
 * from an index buffer. PRM SKL vol 7 "Vertex Fetch (VF) Stage". Any state is safe: what a buffer does not have, reads
 * as zero.
 */
#ifndef GTMUX_SOFT_VERTEX_FETCH_H
#define GTMUX_SOFT_VERTEX_FETCH_H

#include "mediator/soft/draw.h"

#define VF_ELEMENTS 34u
#define VF_BUFFERS  33u
#define VF_DWORDS   (4 * VF_ELEMENTS)

struct vf_buffer {
    uint64_t address;
    uint32_t size, pitch;
};

struct vf_element {
    uint8_t buffer;
    uint8_t component[4];  /* VFCOMP_* of genxml */
    uint8_t bytes;         /* of the element in memory; 0: reads as zero */
    uint8_t copied_dwords; /* not 0: the format needs no conversion */
    bool integer;          /* missing components: integer 1 */
    bool per_instance;
    bool blue_first; /* the table of formats has red where blue is */
    uint16_t offset;
    uint32_t step; /* instances that share a value; 0: all */
    const struct soft_format *format;
};

/* Number of a vertex or instance, put into a component of an element. */
struct vf_generated {
    bool enable;
    uint8_t element, component;
};

struct vertex_fetch {
    unsigned elements; /* valid ones: those are stored one after the other */
    int edge_flag;     /* element that is the edge flag and is not stored, or -1 */
    struct vf_element element[VF_ELEMENTS];
    struct vf_buffer buffer[VF_BUFFERS];
    struct vf_generated vertex_id, instance_id;
    bool packed; /* only enabled components are stored */
    uint8_t packing[VF_ELEMENTS];
    int32_t base_vertex; /* added to each index for addresses */
    uint32_t first_instance;
    /* indices */
    bool indexed, cut_enable;
    uint32_t cut_index;
    uint64_t index_address;
    uint32_t index_bytes, index_size; /* of one: 1, 2, 4; of the buffer */
    uint32_t first_index;
};

/* Parameters of a draw, from the command or from registers. */
struct vf_draw {
    bool indexed;
    uint32_t vertices, first, instances, first_instance;
    int32_t base_vertex;
};

void vertex_fetch_begin(struct vertex_fetch *vf, const struct soft_state *s, const struct vf_draw *draw);
/* Dwords that a vertex has in its URB entry. */
unsigned vertex_fetch_dwords(const struct vertex_fetch *vf);
/* Reads the vertex with an index (of an index buffer, or counted from 0) into out[vertex_fetch_dwords]. Returns its
 * edge flag, true when it has none. */
bool vertex_fetch_vertex(const struct vertex_fetch *vf, struct soft_mem *m, uint32_t index, uint32_t instance,
                         uint32_t *out);
/* Reads indices number first.. of the draw. */
void vertex_fetch_indices(const struct vertex_fetch *vf, struct soft_mem *m, uint32_t first, uint32_t n, uint32_t *out);

#endif
