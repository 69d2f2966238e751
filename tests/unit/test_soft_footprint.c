/* What the render engine takes beside surfaces: docs/soft.md says below 64 MiB, with as many workers as there can be.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mediator/soft/compute.h"
#include "mediator/soft/kernels.h"
#include "mediator/soft/render.h"

#define BOUND (UINT64_C(64) << 20)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

#ifdef SANITIZED
static void everything_is_below_its_bound(void **state)
{
    (void)state;
    print_message("the sanitizer's allocator does not tell what it gave\n");
    skip();
}
#else
static uint64_t allocated(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}

static void everything_is_below_its_bound(void **state)
{
    uint64_t before = allocated(), engine, groups;
    struct soft_render *r = soft_render_create(SOFT_WORKERS_MAX);

    (void)state;
    assert_non_null(r);
    engine = allocated() - before;
    assert_true(engine > 1 << 20); /* it was counted at all */
    groups = (uint64_t)SOFT_WORKERS_MAX * SOFT_GROUP_THREADS * sizeof(struct eu_thread);
    print_message("engine %.1f MiB, thread groups with barriers %.1f MiB, decoded kernels at most %.1f MiB\n",
                  (double)engine / 1048576, (double)groups / 1048576, (double)SOFT_KERNELS_BYTES / 1048576);
    assert_true(engine + groups + SOFT_KERNELS_BYTES < BOUND);
    soft_render_destroy(r);
    assert_in_range(allocated(), before, before + 65536);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_is_below_its_bound)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
