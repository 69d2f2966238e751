/* The cache of decoded kernels: same bytes, same kernel; other bytes, other kernel; bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mediator/soft/kernels.h"
#include "tests/unit/eu_asm.h"
#include "tests/unit/exec_double.h"

#define BASE  UINT64_C(0x100000)
#define PAGES 64u

struct world {
    struct vgpu_exec x;
    struct soft_space space;
    struct soft_mem mem;
    struct soft_kernels *kernels;
    uint8_t *memory;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    w->memory = aligned_alloc(4096, (PAGES + 1) * 4096);
    memset(w->memory, 0, (PAGES + 1) * 4096);
    double_map(&w->x, BASE, w->memory, PAGES * 4096, false);
    assert_int_equal(soft_space_init(&w->space), 0);
    soft_space_begin(&w->space, &w->x);
    soft_mem_begin(&w->mem, &w->space);
    w->kernels = soft_kernels_create();
    assert_non_null(w->kernels);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    soft_kernels_destroy(w->kernels);
    soft_space_fini(&w->space);
    free(w->memory);
    free(w);
    return 0;
}

static void put_kernel(struct world *w, uint64_t offset, uint32_t value, unsigned movs)
{
    struct asm_code c = {.n = 0};

    for (unsigned i = 0; i < movs; i++)
        asm_mov(&c, 8, asm_vec(10, EU_TYPE_D), asm_imm(EU_TYPE_D, value));
    asm_eot(&c);
    memcpy(w->memory + offset, c.inst, c.n * sizeof(c.inst[0]));
}

static const struct eu_kernel *get(struct world *w, uint64_t offset)
{
    return soft_kernels_get(w->kernels, &w->mem, BASE + offset);
}

static void the_same_bytes_are_decoded_once(void **state)
{
    struct world *w = *state;
    const struct eu_kernel *a, *b;

    put_kernel(w, 64, 1, 3);
    put_kernel(w, 640, 2, 3);
    a = get(w, 64);
    assert_non_null(a);
    assert_int_equal(eu_kernel_size(a), 64);
    assert_int_equal(eu_kernel_unknown(a), 0);
    assert_ptr_equal(get(w, 64), a);
    soft_kernels_begin(w->kernels);
    assert_ptr_equal(get(w, 64), a);
    b = get(w, 640);
    assert_ptr_not_equal(a, b);
    assert_ptr_equal(get(w, 64), a);
}

static void other_bytes_are_another_kernel(void **state)
{
    struct world *w = *state;
    const struct eu_kernel *a, *b;

    put_kernel(w, 0, 1, 3);
    a = get(w, 0);
    soft_kernels_begin(w->kernels);
    put_kernel(w, 0, 2, 3);
    b = get(w, 0);
    assert_ptr_not_equal(a, b);
    assert_memory_equal(eu_kernel_code(b), w->memory, eu_kernel_size(b));
    soft_kernels_begin(w->kernels);
    put_kernel(w, 0, 1, 3); /* the old ones are still known */
    assert_ptr_equal(get(w, 0), a);
    /* What lies behind a kernel is not part of it. */
    soft_kernels_begin(w->kernels);
    memset(w->memory + eu_kernel_size(a), 0x77, 64);
    assert_ptr_equal(get(w, 0), a);
}

static void a_kernel_that_ended_at_a_hole_is_read_again(void **state)
{
    struct world *w = *state;
    const struct eu_kernel *a;
    uint8_t more[4096] = {0};
    struct asm_code c = {.n = 0};

    put_kernel(w, PAGES * 4096 - 64, 1, 4); /* the end would be in the next page */
    a = get(w, PAGES * 4096 - 64);
    assert_non_null(a);
    assert_int_equal(eu_kernel_unknown(a), 1);
    assert_int_not_equal(w->space.fault, 0);
    asm_eot(&c);
    memcpy(more, c.inst, sizeof(c.inst[0]));
    double_map(&w->x, BASE + PAGES * 4096, more, sizeof(more), false);
    soft_kernels_begin(w->kernels);
    a = get(w, PAGES * 4096 - 64);
    assert_int_equal(eu_kernel_unknown(a), 0);
    assert_int_equal(eu_kernel_size(a), 80);
}

static void nothing_mapped_is_a_kernel_that_faults(void **state)
{
    struct world *w = *state;
    const struct eu_kernel *k = soft_kernels_get(w->kernels, &w->mem, 0x10000000);
    static struct eu_thread t;

    assert_non_null(k);
    eu_thread_start(&t, k, 1);
    assert_int_equal(eu_run(&t, 10), EU_FAULT);
}

static void the_least_recently_used_go(void **state)
{
    struct world *w = *state;
    const struct eu_kernel *kept;

    put_kernel(w, 0, 12345, 2);
    kept = get(w, 0);
    for (uint32_t i = 0; i < 2000; i++) { /* far more than there is room for, one a command */
        soft_kernels_begin(w->kernels);
        put_kernel(w, 4096, i, 2);
        assert_non_null(get(w, 4096));
        assert_ptr_equal(get(w, 0), kept);
    }
}

static void kernels_in_use_stay(void **state)
{
    struct world *w = *state;
    const struct eu_kernel *k[400];

    for (uint32_t i = 0; i < 400; i++) {
        put_kernel(w, i * 128, i, 2);
        k[i] = get(w, i * 128);
        assert_non_null(k[i]);
    }
    for (uint32_t i = 0; i < 400; i++) {
        assert_ptr_equal(get(w, i * 128), k[i]);
        assert_memory_equal(eu_kernel_code(k[i]), w->memory + i * 128, 48);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_bytes_are_decoded_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_bytes_are_another_kernel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kernel_that_ended_at_a_hole_is_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_mapped_is_a_kernel_that_faults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_recently_used_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kernels_in_use_stay, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
