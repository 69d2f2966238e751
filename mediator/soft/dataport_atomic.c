#include <stdatomic.h>
#include <string.h>

#include "mediator/soft/dataport.h"
#include "mediator/soft/half.h"
#include "vgpu/base/bits.h"

#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

/* PRM SKL vol 2d, MDC_AOP and MDC_FOP. */
enum operation {
    AOP_AND = 1,
    AOP_OR,
    AOP_XOR,
    AOP_MOV,
    AOP_INC,
    AOP_DEC,
    AOP_ADD,
    AOP_SUB,
    AOP_REVSUB,
    AOP_IMAX,
    AOP_IMIN,
    AOP_UMAX,
    AOP_UMIN,
    AOP_CMPWR,
    AOP_PREDEC
};
enum float_operation { FOP_MAX = 1, FOP_MIN, FOP_CMPWR };

unsigned dp_atomic_operands(unsigned operation, enum dp_atomic_kind kind)
{
    if (kind == DP_ATOMIC_FLOAT)
        return operation == FOP_CMPWR ? 2 : 1;
    if (operation == AOP_CMPWR)
        return 2;
    return operation == AOP_INC || operation == AOP_DEC || operation == AOP_PREDEC ? 0 : 1;
}

static uint64_t integer_result(unsigned operation, uint64_t old, uint64_t a, uint64_t b, bool wide)
{
    int64_t so = wide ? (int64_t)old : (int32_t)old, sa = wide ? (int64_t)a : (int32_t)a;

    switch (operation) {
    case AOP_AND:
        return old & a;
    case AOP_OR:
        return old | a;
    case AOP_XOR:
        return old ^ a;
    case AOP_MOV:
        return a;
    case AOP_INC:
        return old + 1;
    case AOP_DEC:
    case AOP_PREDEC:
        return old - 1;
    case AOP_ADD:
        return old + a;
    case AOP_SUB:
        return old - a;
    case AOP_REVSUB:
        return a - old;
    case AOP_IMAX:
        return so > sa ? old : a;
    case AOP_IMIN:
        return so < sa ? old : a;
    case AOP_UMAX:
        return GT_MAX(old, a);
    case AOP_UMIN:
        return GT_MIN(old, a);
    case AOP_CMPWR:
        return old == a ? b : old;
    default:
        return old;
    }
}

/* A NaN loses against a number. */
static uint64_t float_result(unsigned operation, uint64_t old, uint64_t a, uint64_t b)
{
    float fo = soft_as_float((uint32_t)old), fa = soft_as_float((uint32_t)a);

    switch (operation) {
    case FOP_MAX:
        return fa > fo || !(fo == fo) ? a : old;
    case FOP_MIN:
        return fa < fo || !(fo == fo) ? a : old;
    case FOP_CMPWR:
        return fo == fa ? b : old;
    default:
        return old;
    }
}

static uint64_t result(unsigned operation, enum dp_atomic_kind kind, uint64_t old, uint64_t a, uint64_t b)
{
    if (kind == DP_ATOMIC_FLOAT)
        return float_result(operation, old, a, b);
    return integer_result(operation, old, a, b, kind == DP_ATOMIC_INT64);
}

static uint64_t on_host32(uint32_t *p, unsigned operation, enum dp_atomic_kind kind, uint64_t a, uint64_t b)
{
    uint32_t old = __atomic_load_n(p, __ATOMIC_RELAXED), new;

    do
        new = (uint32_t)result(operation, kind, old, a, b);
    while (!__atomic_compare_exchange_n(p, &old, new, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return operation == AOP_PREDEC && kind == DP_ATOMIC_INT ? new : old;
}

static uint64_t on_host64(uint64_t *p, unsigned operation, uint64_t a, uint64_t b)
{
    uint64_t old = __atomic_load_n(p, __ATOMIC_RELAXED), new;

    do
        new = result(operation, DP_ATOMIC_INT64, old, a, b);
    while (!__atomic_compare_exchange_n(p, &old, new, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return operation == AOP_PREDEC ? new : old;
}

/* Memory without a host pointer: atomic for our workers only, by the lock that such accesses have anyway. */
static uint64_t by_access(struct soft_mem *m, uint64_t address, unsigned operation, enum dp_atomic_kind kind,
                          uint64_t a, uint64_t b)
{
    unsigned bytes = kind == DP_ATOMIC_INT64 ? 8 : 4;
    uint64_t old = 0, new;

    pthread_mutex_lock(&m->space->lock);
    int rc = vgpu_exec_read(m->space->x, address, &old, bytes);
    new = result(operation, kind, old, a, b);
    if (!rc)
        rc = vgpu_exec_write(m->space->x, address, &new, bytes);
    pthread_mutex_unlock(&m->space->lock);
    if (rc)
        return 0;
    return operation == AOP_PREDEC && kind != DP_ATOMIC_FLOAT ? new : old;
}

uint64_t dp_atomic(const struct dp_target *t, uint64_t offset, unsigned operation, enum dp_atomic_kind kind, uint64_t a,
                   uint64_t b)
{
    unsigned bytes = kind == DP_ATOMIC_INT64 ? 8 : 4;
    uint64_t address = (t->base + offset) & ADDRESS_MASK;

    if (!gt_range_ok(offset, bytes, t->size) || (t->slm ? offset : address) % bytes)
        return 0;
    uint8_t *p = t->slm ? t->slm + offset : soft_mem_ptr(t->e->mem, address, true);
    if (!p)
        return by_access(t->e->mem, address, operation, kind, a, b);
    if ((uintptr_t)p % bytes)
        return 0;
    return bytes == 8 ? on_host64((uint64_t *)(void *)p, operation, a, b)
                      : on_host32((uint32_t *)(void *)p, operation, kind, a, b);
}
