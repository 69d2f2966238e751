/*
 * Float instructions. mad is fused, as on Gen9 (its OpenCL driver reports CL_FP_FMA, and GLSL's precise fma() is mad);
 * pln, lrp and line are made of fused steps.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "mediator/soft/eu/any.h"

/* The same text for both precisions. */
#define REAL    float
#define FIELD   f
#define NAME(x) x##_float
#define FN(x)   x##f
#include "mediator/soft/eu/any_real.h"
#undef REAL
#undef FIELD
#undef NAME
#undef FN

#define REAL    double
#define FIELD   d
#define NAME(x) x##_double
#define FN(x)   x
#include "mediator/soft/eu/any_real.h"
#undef REAL
#undef FIELD
#undef NAME
#undef FN

static float at(const struct eu_any *a, unsigned off)
{
    float f;

    memcpy(&f, (const uint8_t *)a->thread + off, sizeof(f));
    return f;
}

static float modified(const struct eu_src *s, float f)
{
    f = s->abs ? fabsf(f) : f;
    return s->neg ? -f : f;
}

static bool in_place(const struct eu_src *s)
{
    return s->shape == EU_SHAPE_VEC || s->shape == EU_SHAPE_SCALAR || s->shape == EU_SHAPE_PATTERN;
}

/*
 * Plane equations: coefficients at dwords 0, 1 and 3 of source 0; source 1 has, for 8 channels, a register of u and one
 * of v (line: u only, as a normal region). Anything else than a place in the file is not allowed: any value will do.
 */
static void plane(struct eu_any *a, const struct eu_op *op)
{
    const struct eu_src *p = &op->src[0], *uv = &op->src[1];
    float dx, dy, c;

    if (!in_place(p) || !in_place(uv)) {
        a->r = a->s[1];
        return;
    }
    dx = modified(p, at(a, p->off));
    dy = modified(p, at(a, p->off + 4u));
    c = modified(p, at(a, p->off + 12u));
    for (unsigned i = 0; i < op->width; i++) {
        unsigned off = uv->off + i / 8 * 64 + i % 8 * 4;

        if (op->op == EU_OP_LINE)
            a->r.f[i] = multiply_add_float(a, dx, a->s[1].f[i], c);
        else
            a->r.f[i] = multiply_add_float(a, dx, modified(uv, at(a, off)),
                                           multiply_add_float(a, dy, modified(uv, at(a, off + EU_REG_BYTES)), c));
    }
}

void eu_any_float(struct eu_any *a, const struct eu_op *op)
{
    if (op->op == EU_OP_PLN || op->op == EU_OP_LINE)
        plane(a, op);
    else
        compute_all_float(a, op);
    for (unsigned i = 0; a->alt && !a->compares && i < op->width; i++)
        a->r.f[i] = finite_float(a->r.f[i]);
}

void eu_any_double(struct eu_any *a, const struct eu_op *op)
{
    compute_all_double(a, op);
    for (unsigned i = 0; a->alt && !a->compares && i < op->width; i++)
        a->r.d[i] = finite_double(a->r.d[i]);
}
