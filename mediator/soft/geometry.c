#include <stdlib.h>

#include "mediator/soft/draw.h"

struct soft_geometry {
    struct soft_engine *e;
};

struct soft_geometry *soft_geometry_create(struct soft_engine *e)
{
    struct soft_geometry *g = calloc(1, sizeof(*g));

    if (g)
        g->e = e;
    return g;
}

void soft_geometry_destroy(struct soft_geometry *g)
{
    free(g);
}

bool soft_geometry_draw(struct soft_geometry *g, const uint32_t *dw)
{
    (void)g;
    (void)dw;
    return true;
}
