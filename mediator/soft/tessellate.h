/*
 * The tessellator: a domain and its factors -> points and primitives. Pure. The rules are OpenGL's (4.6,
 * chapter 11.2.2) and Direct3D's; where they leave a choice (where the shorter segments of a fractional edge are, how
 * rings are stitched), results may differ from hardware in which triangles there are, never in which area they cover.
 */
#ifndef GTMUX_SOFT_TESSELLATE_H
#define GTMUX_SOFT_TESSELLATE_H

#include <stdbool.h>
#include <stdint.h>

#define TESS_MAX_FACTOR  64u
#define TESS_MAX_POINTS  (65u * 65u + 4u * 65u)
#define TESS_MAX_INDICES (6u * 64u * 64u + 2048u)

/* Values of 3DSTATE_TE. */
enum tess_domain { TESS_QUAD, TESS_TRI, TESS_ISOLINE };
enum tess_partition { TESS_INTEGER, TESS_ODD_FRACTIONAL, TESS_EVEN_FRACTIONAL };
enum tess_output { TESS_POINT, TESS_LINE, TESS_TRI_CW, TESS_TRI_CCW };

struct tess_setup {
    uint8_t domain, partition, output;
    float max_odd, max_not_odd; /* MaximumTessellationFactor* */
};

/* Factors in OpenGL's order. Quads: outer u=0, v=0, u=1, v=1; inner u, v. Triangles: outer u=0, v=0, w=0; inner 0.
 * Isolines: outer 0 lines of outer 1 segments. */
struct tess_factors {
    float outer[4], inner[2];
};

struct tess_point {
    float u, v;
};

struct tess_result {
    unsigned points, indices;
    unsigned per; /* indices of a primitive: 1, 2, 3 */
    struct tess_point point[TESS_MAX_POINTS];
    uint16_t index[TESS_MAX_INDICES];
};

/* Reads factors from the first 8 dwords of a patch's URB entry. PRM SKL vol 7 "Patch Header". */
void tessellate_factors(const uint32_t dw[8], unsigned domain, struct tess_factors *f);
/* No points: the patch is culled. Any bits are allowed in everything. */
void tessellate(const struct tess_setup *s, const struct tess_factors *f, struct tess_result *r);

#endif
