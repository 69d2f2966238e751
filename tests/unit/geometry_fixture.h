/*
 * For tests of the geometry half: kernels are C functions, the rasteriser writes down what it gets. A vertex is known
 * by its position's x, a whole number.
 */
#ifndef GTMUX_TESTS_GEOMETRY_FIXTURE_H
#define GTMUX_TESTS_GEOMETRY_FIXTURE_H

#include "mediator/soft/env.h"
#include "mediator/soft/topology.h"
#include "tests/unit/eu_double.h"
#include "tests/unit/front_fixture.h"

#define VERTICES      0x10000u /* offsets in memory */
#define INDICES       0x40000u
#define CONSTANTS     0x60000u
#define SO_DATA       0x80000u
#define R32G32_FLOAT  0x085u
#define R32_UINT      0x0d7u
#define MAX_DRAWN     300000u
#define VUE_X         4u
#define VUE_ATTRIBUTE 8u

enum { KERNEL_VS = 1, KERNEL_HS, KERNEL_DS, KERNEL_GS };
enum { NOSTORE, SRC, ZERO, ONE_F, ONE_I };

struct drawn {
    uint8_t kind, provoking, edges;
    uint32_t id;
    float x[3], y[3];
    uint32_t attribute[3];
};

static struct front f;
static struct soft_geometry *g;
static struct drawn drawn[MAX_DRAWN];
static unsigned ndrawn, flushed, vue_dwords;
static bool discard; /* soft_raster_begin says that nothing is drawn */
/* The raster double's tiles are primitives. */
static uint32_t tiles_skipped, tiles_passed, tiles_left; /* left: until the engine is wanted; 0: it never is */
static bool interrupted;

enum eu_result soft_sampler_message(struct soft_env *e, struct eu_thread *t, const struct eu_message *m)
{
    (void)e;
    (void)t;
    (void)m;
    return EU_DONE;
}

enum eu_result soft_dataport_message(struct soft_env *e, struct eu_thread *t, const struct eu_message *m)
{
    (void)e;
    (void)t;
    (void)m;
    return EU_DONE;
}

struct soft_raster *soft_raster_create(struct soft_engine *e)
{
    (void)e;
    return NULL;
}

void soft_raster_destroy(struct soft_raster *r)
{
    (void)r;
}

bool soft_raster_begin(struct soft_raster *r, unsigned dwords)
{
    (void)r;
    vue_dwords = dwords;
    return !discard;
}

bool soft_raster_add(struct soft_raster *r, const struct soft_prim *p)
{
    struct drawn *d = &drawn[GT_MIN(ndrawn, MAX_DRAWN - 1)];

    (void)r;
    interrupted |= tiles_left == 1;
    if (interrupted)
        return false;
    tiles_passed++;
    if (tiles_skipped) {
        tiles_skipped--;
        return true;
    }
    tiles_left -= tiles_left != 0;
    *d = (struct drawn){(uint8_t)p->kind, p->provoking, p->edges, p->id, {0}, {0}, {0}};
    for (unsigned i = 0; i < 3 && p->v[i]; i++) {
        memcpy(&d->x[i], &p->v[i][VUE_X], 4);
        memcpy(&d->y[i], &p->v[i][VUE_X + 1], 4);
        d->attribute[i] = vue_dwords > VUE_ATTRIBUTE ? p->v[i][VUE_ATTRIBUTE] : 0;
    }
    ndrawn++;
    return true;
}

void soft_raster_flush(struct soft_raster *r)
{
    (void)r;
    flushed = ndrawn;
}

void soft_raster_batch(struct soft_raster *r, uint32_t tiles)
{
    (void)r;
    tiles_skipped = tiles;
    tiles_passed = 0;
    interrupted = false;
}

bool soft_raster_interrupted(const struct soft_raster *r, uint32_t *tiles)
{
    (void)r;
    *tiles = tiles_passed;
    return interrupted;
}

void soft_raster_hz_op(struct soft_raster *r, const uint32_t *dw)
{
    (void)r;
    (void)dw;
}

/* ---- kernels */

#define URB_WRITE(offset) (7u | (offset) << 4)
#define URB_READ(offset)  (8u | (offset) << 4)

/* Writes 8 registers from `data` on into the entries whose handles are in register `handles`. */
static inline enum eu_result urb_write(struct eu_thread *t, unsigned offset, unsigned handles, unsigned data)
{
    memmove(double_reg(t, 100), double_reg(t, handles), 32);
    memmove(double_reg(t, 101), double_reg(t, data), 8 * 32);
    return double_send(t, EU_SFID_URB, URB_WRITE(offset), 100, 9, 0, 0);
}

/* Position from the first vertex element, attribute 0 from the second: constants begin at r2. */
static inline enum eu_result vs_copy(struct eu_thread *t)
{
    memset(double_reg(t, 20), 0, 4 * 32);
    memcpy(double_reg(t, 24), double_reg(t, 2), 4 * 32);
    if (urb_write(t, 0, 1, 20) != EU_DONE)
        return EU_FAULT;
    memset(double_reg(t, 20), 0, 8 * 32);
    memcpy(double_reg(t, 20), double_reg(t, 6), 4 * 32);
    return urb_write(t, 2, 1, 20);
}

/* ---- state */

static inline void set_topology(unsigned type)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_VF_TOPOLOGY, 2);

    SET(dw, 3DSTATE_VF_TOPOLOGY, PrimitiveTopologyType, type);
    front_set(&f, C_3DSTATE_VF_TOPOLOGY, 2);
}

static inline void set_vs(bool enable)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_VS, 9);

    SET(dw, 3DSTATE_VS, Enable, enable);
    SET(dw, 3DSTATE_VS, KernelStartPointer, KERNEL_VS);
    SET(dw, 3DSTATE_VS, DispatchGRFStartRegisterForURBData, 2);
    SET(dw, 3DSTATE_VS, VertexURBEntryReadLength, 1);
    SET(dw, 3DSTATE_VS, MaximumNumberOfThreads, 335);
    SET(dw, 3DSTATE_VS, StatisticsEnable, 1);
    front_set(&f, C_3DSTATE_VS, 9);
    dw = front_command(&f, C_3DSTATE_URB_VS, 2);
    SET(dw, 3DSTATE_URB_VS, VSURBEntryAllocationSize, 0);
    front_set(&f, C_3DSTATE_URB_VS, 2);
    double_kernel[KERNEL_VS].run = vs_copy;
}

static inline void set_clipping(unsigned triangle, unsigned line, unsigned fan)
{
    uint32_t *dw = front_command(&f, C_3DSTATE_SF, 4);

    SET(dw, 3DSTATE_SF, TriangleStripListProvokingVertexSelect, triangle);
    SET(dw, 3DSTATE_SF, LineStripListProvokingVertexSelect, line);
    SET(dw, 3DSTATE_SF, TriangleFanProvokingVertexSelect, fan);
    front_set(&f, C_3DSTATE_SF, 4);
}

static inline void set_statistics(void)
{
    front_command(&f, C_3DSTATE_VF_STATISTICS, 1)[0] |= 1;
    front_set(&f, C_3DSTATE_VF_STATISTICS, 1);
}

/* Vertex i: position (i, -i), attribute 1000 + i; VertexID and InstanceID in the second element. */
static inline void set_vertices(unsigned n)
{
    static const struct front_element el[] = {{0, R32G32_FLOAT, 0, {SRC, SRC, ZERO, ONE_F}},
                                              {0, R32_UINT, 8, {SRC, ZERO, ZERO, ZERO}}};
    uint32_t *dw;

    for (unsigned i = 0; i < n; i++) {
        float xy[2] = {(float)i, -(float)i};
        uint32_t *v = (uint32_t *)front_at(&f, VERTICES) + 3 * i;

        memcpy(v, xy, 8);
        v[2] = 1000 + i;
    }
    front_vertex_buffer(&f, 0, VERTICES, 12 * n, 12);
    front_elements(&f, el, 2);
    dw = front_command(&f, C_3DSTATE_VF_SGVS, 2);
    SET(dw, 3DSTATE_VF_SGVS, InstanceIDEnable, 1);
    SET(dw, 3DSTATE_VF_SGVS, InstanceIDElementOffset, 1);
    SET(dw, 3DSTATE_VF_SGVS, InstanceIDComponentNumber, 1);
    front_set(&f, C_3DSTATE_VF_SGVS, 2);
}

static inline void set_indices(const uint16_t *index, unsigned n)
{
    memcpy(front_at(&f, INDICES), index, 2 * n);
    front_index_buffer(&f, INDICES, 2 * n, 1);
}

static inline void open_geometry(unsigned workers)
{
    front_open(&f, workers);
    g = soft_geometry_create(&f.e);
    if (!g)
        abort();
    f.e.geometry = g;
    ndrawn = flushed = 0;
    discard = false;
    memset(double_kernel, 0, sizeof(double_kernel));
    set_topology(TOPO_TRILIST);
    set_vs(true);
    set_vertices(100);
    set_statistics();
    set_clipping(0, 0, 1);
}

static inline int close_geometry(void **state)
{
    (void)state;
    soft_geometry_destroy(g);
    front_close(&f);
    return 0;
}

static inline uint32_t *primitive(bool indexed, uint32_t vertices, uint32_t instances)
{
    uint32_t *dw = front_command(&f, C_3DPRIMITIVE, 7);

    SET(dw, 3DPRIMITIVE, VertexAccessType, indexed);
    SET(dw, 3DPRIMITIVE, VertexCountPerInstance, vertices);
    SET(dw, 3DPRIMITIVE, InstanceCount, instances);
    return dw;
}

static inline bool draw_command(void)
{
    bool done = soft_geometry_draw(g, f.dw);

    if (done)
        f.rig.x.scratch[VGPU_SCRATCH_PROGRESS] = 0; /* the command streamer's part */
    return done;
}

static inline void draw(uint32_t vertices)
{
    primitive(false, vertices, 1);
    if (!draw_command())
        abort();
}

static inline void draw_indexed(uint32_t vertices)
{
    primitive(true, vertices, 1);
    if (!draw_command())
        abort();
}

/* Vertices of all primitives as text: "0 1 2, 3 4 5". */
static inline const char *drawn_text(void)
{
    static char text[8192];
    size_t at = 0;

    text[0] = 0;
    for (unsigned i = 0; i < ndrawn && at < sizeof(text) - 64; i++) {
        unsigned n = drawn[i].kind == SOFT_POINT ? 1 : drawn[i].kind == SOFT_LINE ? 2 : 3;

        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", i ? ", " : "");
        for (unsigned k = 0; k < n; k++)
            at += (size_t)snprintf(text + at, sizeof(text) - at, k ? " %g" : "%g", (double)drawn[i].x[k]);
    }
    return text;
}

#endif
