/* What the blitter's unit tests share: a backend, memory behind a test double, and the reference to compare with. */
#ifndef GTMUX_TESTS_BLT_FIXTURE_H
#define GTMUX_TESTS_BLT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mediator/backend.h"
#define REF_SIZE (704u << 10) /* two Ys surfaces */
#include "tests/unit/blt_ref.h"
#include "tests/unit/exec_double.h"
#include "vgpu/desc/cmds.h"

#define GPU_BASE UINT64_C(0x450000000000)
#define DST_AT   0x4000

struct fixture {
    struct backend *soft;
    struct vgpu_exec x;
    uint8_t mem[REF_SIZE], expected[REF_SIZE], before[REF_SIZE];
};

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f)
        return -1;
    f->soft = backend_soft_create(1);
    double_map(&f->x, GPU_BASE, f->mem, REF_SIZE, false);
    for (size_t i = 0; i < REF_SIZE; i++)
        f->mem[i] = (uint8_t)ref_random();
    *state = f;
    return f->soft ? 0 : -1;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    f->soft->ops->destroy(f->soft);
    free(f);
    return 0;
}

static inline uint32_t low(int64_t at)
{
    return (uint32_t)(GPU_BASE + (uint64_t)at);
}

static inline uint32_t high(void)
{
    return (uint32_t)(GPU_BASE >> 32);
}

static inline uint32_t xy(int x, int y)
{
    return (uint32_t)y << 16 | ((uint32_t)x & 0xffff);
}

static inline void run(struct fixture *f, int id, const uint32_t *dw, unsigned ndw)
{
    assert_int_equal(double_payload(f->soft, &f->x, id, dw, ndw), VGPU_PAYLOAD_DONE);
}

/* Reference first, then the command under test, then both memories must be equal. */
static inline void expect(struct fixture *f, const struct ref_blit *b)
{
    memcpy(f->before, f->mem, REF_SIZE);
    memcpy(f->expected, f->mem, REF_SIZE);
    ref_draw(b, f->expected, f->before);
}

static inline void compare(struct fixture *f, const char *what, int round)
{
    if (memcmp(f->mem, f->expected, REF_SIZE))
        fail_msg("%s, round %d", what, round);
}

#endif
