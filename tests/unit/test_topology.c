/* Which vertices make which primitive, for every topology, in whole runs and in runs seen in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mediator/soft/topology.h"
#include "vgpu/base/bits.h"

/* All primitives of a run of n vertices: digits of their vertices, a blank between primitives. */
static const char *expand(unsigned type, uint32_t n)
{
    static char text[512];
    struct topology t = topology_find(type);
    uint32_t prims = topology_prims(&t, n, true);
    size_t at = 0;

    text[0] = 0;
    for (uint32_t i = 0; i < prims; i++) {
        struct topology_prim p;

        topology_prim(&t, i, n, true, &p);
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", i ? " " : "");
        for (unsigned k = 0; k < t.vertices; k++)
            at += (size_t)snprintf(text + at, sizeof(text) - at, "%x", p.at[k]);
    }
    return text;
}

static void vertices_of_each_topology(void **state)
{
    static const struct {
        unsigned type;
        uint32_t n;
        const char *prims;
    } cases[] = {
        {TOPO_POINTLIST, 3, "0 1 2"},
        {TOPO_LINELIST, 5, "01 23"},
        {TOPO_LINESTRIP, 4, "01 12 23"},
        {TOPO_LINELOOP, 4, "01 12 23 30"},
        {TOPO_LINELOOP, 1, ""},
        {TOPO_LINELIST_ADJ, 9, "0123 4567"},
        {TOPO_LINESTRIP_ADJ, 6, "0123 1234 2345"},
        {TOPO_TRILIST, 8, "012 345"},
        {TOPO_TRISTRIP, 6, "012 213 234 435"},
        {TOPO_TRISTRIP_REVERSE, 5, "102 123 324"},
        {TOPO_TRIFAN, 5, "012 023 034"},
        {TOPO_POLYGON, 5, "012 023 034"},
        {TOPO_QUADLIST, 9, "301 312 745 756"},
        {TOPO_QUADSTRIP, 6, "320 301 542 523"},
        {TOPO_TRILIST_ADJ, 13, "012345 6789ab"},
        {TOPO_TRISTRIP_ADJ, 6, "012543"},
        {TOPO_TRISTRIP_ADJ, 8, "012643 402567"},
        {TOPO_TRISTRIP_ADJ, 10, "012643 402568 426987"},
        {TOPO_RECTLIST, 6, "012 345"},
        {TOPO_PATCHLIST_1 + 3, 9, "0123 4567"},
        {TOPO_PATCHLIST_1, 2, "0 1"},
        {TOPO_TRILIST, 2, ""},
        {0, 9, ""},
        {21, 9, ""},
    };

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(cases); i++)
        assert_string_equal(expand(cases[i].type, cases[i].n), cases[i].prims);
}

/* A primitive known before the run's end is the same one when more vertices have come. */
static void pieces_of_a_run_give_the_same_primitives(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 64; type++) {
        struct topology t = topology_find(type);

        for (uint32_t n = 1; t.object && n < 80; n++) {
            uint32_t prims = topology_prims(&t, n, false);

            assert_true(prims <= topology_prims(&t, n, true));
            for (uint32_t i = 0; i < prims; i++) {
                struct topology_prim a = {0}, b = {0};

                topology_prim(&t, i, n, false, &a);
                topology_prim(&t, i, 97, true, &b);
                assert_memory_equal(a.at, b.at, sizeof(a.at));
                assert_int_equal(a.edges, b.edges);
                assert_int_equal(a.odd, b.odd);
            }
        }
    }
}

static void vertices_before_the_first_are_not_used(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 64; type++) {
        struct topology t = topology_find(type);
        uint32_t prims = topology_prims(&t, 97, true);

        for (uint32_t from = 0; from < prims; from++) {
            for (uint32_t i = from; i < prims; i++) {
                struct topology_prim p;

                topology_prim(&t, i, 97, true, &p);
                for (unsigned k = 0; k < t.vertices; k++)
                    assert_true(p.at[k] < 97 &&
                                (p.at[k] >= topology_first_vertex(&t, from) || (t.origin && p.at[k] == 0)));
            }
        }
    }
}

/* The vertex in the run that a select names, whatever order the primitive has. */
static uint32_t provoking(unsigned type, uint32_t prim, unsigned select)
{
    struct topology t = topology_find(type);
    struct topology_prim p;

    topology_prim(&t, prim, 9, true, &p);
    return p.at[topology_provoking(&t, select, p.odd)];
}

static void the_provoking_vertex_is_the_selected_one(void **state)
{
    (void)state;
    for (unsigned select = 0; select < 3; select++) {
        assert_int_equal(provoking(TOPO_TRISTRIP, 0, select), select);
        assert_int_equal(provoking(TOPO_TRISTRIP, 1, select), 1 + select);
        assert_int_equal(provoking(TOPO_TRISTRIP, 2, select), 2 + select);
        assert_int_equal(provoking(TOPO_TRISTRIP_REVERSE, 2, select), 2 + select);
        assert_int_equal(provoking(TOPO_TRILIST, 1, select), 3 + select);
    }
    assert_int_equal(provoking(TOPO_TRIFAN, 2, 0), 0);
    assert_int_equal(provoking(TOPO_TRIFAN, 2, 1), 3);
    assert_int_equal(provoking(TOPO_TRIFAN, 2, 2), 4);
    assert_int_equal(provoking(TOPO_LINESTRIP, 2, 0), 2);
    assert_int_equal(provoking(TOPO_LINESTRIP, 2, 1), 3);
    /* Quads and polygons have theirs fixed: the last and the first vertex. */
    assert_int_equal(provoking(TOPO_QUADLIST, 2, 0), 7);
    assert_int_equal(provoking(TOPO_QUADLIST, 3, 2), 7);
    assert_int_equal(provoking(TOPO_QUADSTRIP, 2, 0), 5);
    assert_int_equal(provoking(TOPO_POLYGON, 3, 2), 0);
    assert_int_equal(provoking(TOPO_LINELOOP, 8, 1), 0);
    /* Nonsense selects something. */
    struct topology t = topology_find(TOPO_TRIFAN);

    assert_int_equal(topology_provoking(&t, 3, false), 2);
}

static uint8_t edges(unsigned type, uint32_t prim, uint32_t n)
{
    struct topology t = topology_find(type);
    struct topology_prim p;

    topology_prim(&t, prim, n, true, &p);
    return p.edges;
}

static void edges_inside_of_quads_and_polygons_are_not_outlines(void **state)
{
    (void)state;
    assert_int_equal(edges(TOPO_TRILIST, 0, 3), 7);
    assert_int_equal(edges(TOPO_TRIFAN, 1, 5), 7);
    assert_int_equal(edges(TOPO_QUADLIST, 0, 4), 3);
    assert_int_equal(edges(TOPO_QUADLIST, 1, 4), 6);
    assert_int_equal(edges(TOPO_POLYGON, 0, 5), 3);
    assert_int_equal(edges(TOPO_POLYGON, 1, 5), 2);
    assert_int_equal(edges(TOPO_POLYGON, 2, 5), 6);
    assert_int_equal(edges(TOPO_POLYGON, 0, 3), 7);
}

static void objects_are_counted_before_they_are_split(void **state)
{
    struct topology quads = topology_find(TOPO_QUADLIST), polygon = topology_find(TOPO_POLYGON);

    (void)state;
    assert_int_equal(topology_object_of(&quads, 5), 2);
    assert_int_equal(topology_object_of(&polygon, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vertices_of_each_topology),
        cmocka_unit_test(pieces_of_a_run_give_the_same_primitives),
        cmocka_unit_test(vertices_before_the_first_are_not_used),
        cmocka_unit_test(the_provoking_vertex_is_the_selected_one),
        cmocka_unit_test(edges_inside_of_quads_and_polygons_are_not_outlines),
        cmocka_unit_test(objects_are_counted_before_they_are_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
