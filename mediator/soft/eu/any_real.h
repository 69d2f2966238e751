/* Included by any_float.c for each precision: REAL, FIELD of union eu_values, NAME() of functions, FN() of libm's. */

static bool NAME(compare)(unsigned cond, REAL a, REAL b)
{
    switch (cond) {
    case EU_COND_Z:
        return a == b;
    case EU_COND_NZ:
        return a != b;
    case EU_COND_G:
        return a > b;
    case EU_COND_GE:
        return a >= b;
    case EU_COND_L:
        return a < b;
    case EU_COND_LE:
        return a <= b;
    case EU_COND_U:
        return isnan(a) || isnan(b);
    default:
        return false;
    }
}

/* Of sel and cmpn: a NaN in source 1 counts as "source 0", so that a number wins over NaN. PRM SKL vol 2a, "cmpn". */
static bool NAME(prefers)(unsigned cond, REAL a, REAL b)
{
    return NAME(compare)(cond, a, b) || ((cond == EU_COND_L || cond == EU_COND_GE) && isnan(b));
}

/* PRM SKL vol 7, "Extended Math": pow and log2 of a magnitude. */
static REAL NAME(math)(unsigned function, REAL x, REAL y)
{
    switch (function) {
    case EU_MATH_INV:
        return 1 / x;
    case EU_MATH_LOG:
        return FN(log2)(x);
    case EU_MATH_EXP:
        return FN(exp2)(x);
    case EU_MATH_SQRT:
        return FN(sqrt)(x);
    case EU_MATH_RSQ:
    case EU_MATH_RSQRTM:
        return 1 / FN(sqrt)(x);
    case EU_MATH_SIN:
        return FN(sin)(x);
    case EU_MATH_COS:
        return FN(cos)(x);
    case EU_MATH_POW:
        return FN(pow)(FN(fabs)(x), y);
    default: /* fdiv, invm */
        return x / y;
    }
}

static REAL NAME(one_source)(const struct eu_op *op, REAL x)
{
    switch (op->op) {
    case EU_OP_FRC:
        return x - FN(floor)(x);
    case EU_OP_RNDU:
        return FN(ceil)(x);
    case EU_OP_RNDD:
        return FN(floor)(x);
    case EU_OP_RNDE: /* whatever the rounding mode is */
        return FN(fabs)(x - FN(trunc)(x)) == (REAL)0.5 ? 2 * FN(round)(x / 2) : FN(round)(x);
    case EU_OP_RNDZ:
        return FN(trunc)(x);
    default: /* mov; and what has no meaning for floats */
        return x;
    }
}

/* PRM SKL vol 7, "Floating Point Modes": in ALT mode a product with zero is zero, whatever the other factor. */
static REAL NAME(multiply_add)(const struct eu_any *a, REAL x, REAL y, REAL z)
{
    return a->alt && (x == 0 || y == 0) ? z : FN(fma)(x, y, z);
}

static REAL NAME(multiply)(const struct eu_any *a, REAL x, REAL y)
{
    return a->alt && (x == 0 || y == 0) ? 0 : x * y;
}

/* ... and there are no infinities and NaN. */
static REAL NAME(finite)(REAL v)
{
    const REAL top = sizeof(REAL) == sizeof(float) ? (REAL)FLT_MAX : (REAL)DBL_MAX;

    if (isnan(v))
        return 0;
    return v > top ? top : v < -top ? -top : v;
}

/* Dot products of four channels, the result in all of them. */
static void NAME(dot)(struct eu_any *a, const struct eu_op *op)
{
    for (unsigned i = 0; i < op->width; i += 4) {
        const REAL *x = &a->s[0].FIELD[i], *y = &a->s[1].FIELD[i];
        REAL sum = NAME(multiply_add)(a, x[1], y[1], NAME(multiply)(a, x[0], y[0]));

        if (op->op != EU_OP_DP2)
            sum = NAME(multiply_add)(a, x[2], y[2], sum);
        if (op->op == EU_OP_DP4)
            sum = NAME(multiply_add)(a, x[3], y[3], sum);
        else if (op->op == EU_OP_DPH)
            sum += y[3];
        for (unsigned j = 0; j < 4; j++)
            a->r.FIELD[i + j] = sum;
    }
}

static REAL NAME(several_sources)(const struct eu_any *a, const struct eu_op *op, unsigned i)
{
    REAL x = a->s[0].FIELD[i], y = a->s[1].FIELD[i];

    switch (op->op) {
    case EU_OP_ADD:
        return x + y;
    case EU_OP_MUL:
        return NAME(multiply)(a, x, y);
    case EU_OP_SEL:
        return (op->cond ? NAME(prefers)(op->cond, x, y) : a->pred >> i & 1) ? x : y;
    case EU_OP_MAC:
        return NAME(multiply_add)(a, x, y, a->s[2].FIELD[i]);
    case EU_OP_MAD:
    case EU_OP_MADM:
        return NAME(multiply_add)(a, y, a->s[2].FIELD[i], x);
    case EU_OP_LRP:
        return NAME(multiply_add)(a, x, y, NAME(multiply)(a, 1 - x, a->s[2].FIELD[i]));
    case EU_OP_CSEL:
        return NAME(compare)(op->cond, a->s[2].FIELD[i], 0) ? x : y;
    default:
        return x;
    }
}

static void NAME(compute_all)(struct eu_any *a, const struct eu_op *op)
{
    unsigned nsrc = eu_opcodes[op->op].nsrc;

    if (op->op == EU_OP_CMP || op->op == EU_OP_CMPN) {
        a->compares = true;
        a->truth = 0;
        for (unsigned i = 0; i < op->width; i++)
            a->truth |= (uint32_t)(op->op == EU_OP_CMPN ? NAME(prefers)(op->cond, a->s[0].FIELD[i], a->s[1].FIELD[i])
                                                        : NAME(compare)(op->cond, a->s[0].FIELD[i], a->s[1].FIELD[i]))
                        << i;
        return;
    }
    if (op->op >= EU_OP_DP4 && op->op <= EU_OP_DP2) {
        NAME(dot)(a, op);
        return;
    }
    for (unsigned i = 0; i < op->width; i++) {
        if (op->op == EU_OP_MATH)
            a->r.FIELD[i] = NAME(math)(op->cond, a->s[0].FIELD[i], a->s[1].FIELD[i]);
        else if (nsrc == 1)
            a->r.FIELD[i] = NAME(one_source)(op, a->s[0].FIELD[i]);
        else
            a->r.FIELD[i] = NAME(several_sources)(a, op, i);
    }
}
