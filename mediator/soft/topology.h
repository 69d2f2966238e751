/*
 * Primitive topologies: which vertices of a run (the vertices between two cuts) make its n-th primitive. Pure
 * arithmetic. PRM SKL vol 7 "3D Primitive Topology Types"; the order of vertices in adjacency primitives is OpenGL's
 * (4.6, table 10.1), which the PRM describes as reorder mode TRAILING.
 */
#ifndef GTMUX_SOFT_TOPOLOGY_H
#define GTMUX_SOFT_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#define TOPOLOGY_VERTICES 32u /* most of a primitive: a patch */

/* 3D_Prim_Topo_Type of genxml. */
enum topology_type {
    TOPO_POINTLIST = 1,
    TOPO_LINELIST,
    TOPO_LINESTRIP,
    TOPO_TRILIST,
    TOPO_TRISTRIP,
    TOPO_TRIFAN,
    TOPO_QUADLIST,
    TOPO_QUADSTRIP,
    TOPO_LINELIST_ADJ,
    TOPO_LINESTRIP_ADJ,
    TOPO_TRILIST_ADJ,
    TOPO_TRISTRIP_ADJ,
    TOPO_TRISTRIP_REVERSE,
    TOPO_POLYGON,
    TOPO_RECTLIST,
    TOPO_LINELOOP,
    TOPO_POINTLIST_BF,
    TOPO_LINESTRIP_CONT,
    TOPO_LINESTRIP_BF,
    TOPO_LINESTRIP_CONT_BF,
    TOPO_TRIFAN_NOSTIPPLE = 22,
    TOPO_PATCHLIST_1 = 32,
    TOPO_PATCHLIST_32 = 63,
};

enum topology_object { OBJECT_POINT = 1, OBJECT_LINE, OBJECT_TRIANGLE, OBJECT_RECT, OBJECT_PATCH };

/* Which select of 3DSTATE_SF tells the provoking vertex. */
enum topology_provoking { PROVOKING_FIRST, PROVOKING_LINE, PROVOKING_TRIANGLE, PROVOKING_FAN };

struct topology {
    uint8_t type;
    uint8_t object;    /* enum topology_object; 0: no such topology */
    uint8_t vertices;  /* of a primitive, adjacent ones included */
    uint8_t first;     /* vertices that the first primitive needs, */
    uint8_t step;      /* ... and how many more each further one needs */
    uint8_t split;     /* primitives that an object is split into (a quad is two triangles) */
    uint8_t provoking; /* enum topology_provoking */
    bool adjacency;
    bool origin; /* the run's first vertex is part of every primitive */
};

/* One primitive: places of its vertices in the run. */
struct topology_prim {
    uint32_t at[TOPOLOGY_VERTICES];
    uint8_t edges; /* triangles: which edges are the object's outline; bit i: from vertex i to the next */
    bool odd;      /* vertices 0 and 1 (in adjacency: 0 and 2) were exchanged to keep the winding */
};

/* object is 0 for values that are no topology. */
struct topology topology_find(unsigned type);
/* Primitives of a run of n vertices that has ended (no vertex follows), or of the first n vertices of one that goes on:
 * then only those that do not depend on what follows. */
uint32_t topology_prims(const struct topology *t, uint32_t n, bool ended);
/* Objects that so many primitives are. */
uint32_t topology_object_of(const struct topology *t, uint32_t prim);
/* Primitive number i; n and ended as above. */
void topology_prim(const struct topology *t, uint32_t i, uint32_t n, bool ended, struct topology_prim *p);
/* First vertex of the run, but for the origin, that primitive i and all later ones need. */
uint32_t topology_first_vertex(const struct topology *t, uint32_t i);
/* Index into a primitive's own vertices (adjacent ones not counted) of the provoking one, for a select of 0 to 2. */
unsigned topology_provoking(const struct topology *t, unsigned select, bool odd);

#endif
