/* The GPU inside the process: memory, page tables, contexts, batches, and what happens when one of them is bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mediator/gpu/internal.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"
#include "vgpu/desc/cmds.h"

#define BATCH UINT64_C(0x0000600000000000)
#define DATA  UINT64_C(0x0000123400002000)

struct env {
    struct gpu *g;
    struct gpu_vm *vm;
    struct gpu_memory batch, data;
    unsigned at;
};

static int setup(void **state)
{
    struct env *t = calloc(1, sizeof(*t));
    char err[200] = "";

    gt_log_set_level(GT_LOG_ERROR);
    assert_int_equal(gpu_create(&t->g, 1, err, sizeof(err)), 0);
    t->vm = gpu_vm_create(t->g);
    assert_non_null(t->vm);
    assert_int_equal(gpu_memory_map(t->g, &t->batch, 16 * GPU_PAGE, -1), 0);
    assert_int_equal(gpu_memory_map(t->g, &t->data, 16 * GPU_PAGE, -1), 0);
    assert_int_equal(gpu_vm_map(t->vm, BATCH, t->batch.gpa, t->batch.size), 0);
    assert_int_equal(gpu_vm_map(t->vm, DATA, t->data.gpa, t->data.size), 0);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct env *t = *state;

    gpu_vm_destroy(t->vm);
    gpu_destroy(t->g);
    free(t);
    return 0;
}

static uint32_t hdr(enum cmd_id id, unsigned n)
{
    return cmd_table[id].op | (cmd_table[id].len_mask ? n - cmd_table[id].bias : 0);
}

static void put(struct env *t, uint32_t dw)
{
    memcpy(t->batch.host + 4 * t->at++, &dw, 4);
}

static void store(struct env *t, uint64_t addr, uint32_t val)
{
    put(t, hdr(C_MI_STORE_DATA_IMM, 4));
    put(t, (uint32_t)addr);
    put(t, (uint32_t)(addr >> 32));
    put(t, val);
}

static uint32_t data(struct env *t, unsigned dw)
{
    uint32_t val;

    memcpy(&val, t->data.host + 4 * dw, 4);
    return val;
}

static enum gpu_result run(struct env *t, struct gpu_context *c)
{
    put(t, hdr(C_MI_BATCH_BUFFER_END, 1));
    t->at = 0;
    return gpu_context_run(c, BATCH);
}

static void batches_run_on_every_engine(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < VGPU_ENGINES; i++) {
        struct gpu_context *c = gpu_context_create(t->vm, i);

        assert_non_null(c);
        /* more often than the ring is long */
        for (unsigned n = 0; n < 600; n++) {
            store(t, DATA + 4 * i, n + 1);
            assert_int_equal(run(t, c), GPU_DONE);
            assert_int_equal(data(t, i), n + 1);
        }
        gpu_context_destroy(c);
    }
    assert_null(gpu_context_create(t->vm, VGPU_ENGINES));
}

static void registers_belong_to_the_context(void **state)
{
    struct env *t = *state;
    struct gpu_context *a = gpu_context_create(t->vm, VGPU_RCS), *b = gpu_context_create(t->vm, VGPU_RCS);
    uint32_t gpr = reg_off(R_CS_GPR, VGPU_RCS, 4);

    for (unsigned i = 0; i < 2; i++) {
        put(t, hdr(C_MI_LOAD_REGISTER_IMM, 3));
        put(t, gpr);
        put(t, 100 + i);
        assert_int_equal(run(t, i ? b : a), GPU_DONE);
    }
    put(t, hdr(C_MI_STORE_REGISTER_MEM, 4));
    put(t, gpr);
    put(t, (uint32_t)DATA);
    put(t, (uint32_t)(DATA >> 32));
    assert_int_equal(run(t, a), GPU_DONE);
    assert_int_equal(data(t, 0), 100);
    gpu_context_destroy(a);
    gpu_context_destroy(b);
}

static void what_is_not_mapped_hangs_and_the_next_batch_runs(void **state)
{
    struct env *t = *state;
    struct gpu_context *c = gpu_context_create(t->vm, VGPU_RCS), *other = gpu_context_create(t->vm, VGPU_BCS);

    store(t, 0x1000, 1);
    assert_int_equal(run(t, c), GPU_HUNG);
    assert_int_equal(gpu_context_run(c, 0x7000), GPU_HUNG);
    store(t, DATA, 7);
    assert_int_equal(run(t, c), GPU_DONE);
    assert_int_equal(data(t, 0), 7);
    store(t, DATA, 8);
    assert_int_equal(run(t, other), GPU_DONE);
    assert_int_equal(data(t, 0), 8);
    gpu_vm_unmap(t->vm, DATA, GPU_PAGE);
    store(t, DATA, 9);
    assert_int_equal(run(t, c), GPU_HUNG);
    assert_int_equal(data(t, 0), 8);
    gpu_context_destroy(c);
    gpu_context_destroy(other);
}

/* ---- turns */

struct turns {
    struct gpu *g;
    unsigned begun, ended, more, wanted; /* turns that are asked back, then the batch is given up */
};

static bool turn_begins(void *ctx, unsigned engine)
{
    struct turns *x = ctx;

    assert_int_equal(engine, VGPU_RCS);
    assert_int_equal(x->begun, x->ended);
    x->begun++;
    if (x->begun & 1)
        gpu_leave(x->g, engine); /* somebody waits already: this turn is an empty one */
    return x->begun <= x->wanted;
}

static bool turn_is_wanted(void *ctx, unsigned engine)
{
    (void)engine;
    return ((struct turns *)ctx)->wanted != 0;
}

static void turn_ends(void *ctx, unsigned engine, bool more)
{
    struct turns *x = ctx;

    (void)engine;
    x->ended++;
    x->more += more;
}

static void an_engine_is_shared_by_turns(void **state)
{
    struct env *t = *state;
    struct gpu_context *c = gpu_context_create(t->vm, VGPU_RCS);
    struct turns x = {.g = t->g, .wanted = 5};
    const struct gpu_turns ops = {&x, turn_begins, turn_is_wanted, turn_ends};

    gpu_set_turns(t->g, &ops);
    store(t, DATA, 1);
    put(t, hdr(C_MI_BATCH_BUFFER_START, 3) | GT_BIT(8)); /* again and again */
    put(t, (uint32_t)BATCH);
    put(t, (uint32_t)(BATCH >> 32));
    assert_int_equal(run(t, c), GPU_STOPPED);
    assert_int_equal(x.begun, 6);
    assert_int_equal(x.ended, 5);
    assert_int_equal(x.more, 5);
    /* what ends does so in a turn that ends */
    x = (struct turns){.g = t->g, .wanted = 100};
    store(t, DATA, 2);
    assert_int_equal(run(t, c), GPU_DONE);
    assert_int_equal(data(t, 0), 2);
    assert_int_equal(x.begun, x.ended);
    assert_int_equal(x.more + 1, x.ended);
    gpu_set_turns(t->g, NULL);
    gpu_context_destroy(c);
}

static void an_unprivileged_batch_reaches_no_ggtt(void **state)
{
    struct env *t = *state;
    struct gpu_context *c = gpu_context_create(t->vm, VGPU_RCS);
    uint32_t before;

    memcpy(&before, t->g->status[VGPU_BCS].host + 0x100, 4);
    put(t, hdr(C_MI_STORE_DATA_IMM, 4) | GT_BIT(22));
    put(t, t->g->status_ggtt[VGPU_BCS] + 0x100);
    put(t, 0);
    put(t, ~before);
    run(t, c);
    assert_memory_equal(t->g->status[VGPU_BCS].host + 0x100, &before, 4);
    gpu_context_destroy(c);
}

static void wrapped_memory_is_the_callers(void **state)
{
    struct env *t = *state;
    struct gpu_context *c = gpu_context_create(t->vm, VGPU_RCS);
    uint32_t *own = aligned_alloc(GPU_PAGE, 2 * GPU_PAGE);
    struct gpu_memory m;

    memset(own, 0, 2 * GPU_PAGE);
    assert_int_equal(gpu_memory_wrap(t->g, &m, own + 1, GPU_PAGE), -EINVAL);
    assert_int_equal(gpu_memory_wrap(t->g, &m, own, 2 * GPU_PAGE), 0);
    assert_int_equal(gpu_vm_map(t->vm, 0x40000000, m.gpa, m.size), 0);
    store(t, 0x40001000, 0xabcd);
    assert_int_equal(run(t, c), GPU_DONE);
    assert_int_equal(own[1024], 0xabcd);
    gpu_vm_unmap(t->vm, 0x40000000, m.size);
    gpu_memory_free(t->g, &m);
    gpu_context_destroy(c);
    free(own);
}

static void a_memfd_is_shared(void **state)
{
    struct env *t = *state;
    int fd = memfd_create("test", 0);
    struct gpu_memory m;
    uint32_t val = 0x1234;

    assert_int_equal(ftruncate(fd, 2 * GPU_PAGE), 0);
    assert_int_equal(gpu_memory_map(t->g, &m, 2 * GPU_PAGE, fd), 0);
    memcpy(m.host + GPU_PAGE, &val, 4);
    val = 0;
    assert_int_equal(pread(fd, &val, 4, (off_t)GPU_PAGE), 4);
    assert_int_equal(val, 0x1234);
    gpu_memory_free(t->g, &m);
    close(fd);
}

static void addresses_are_found_and_bounded(void **state)
{
    struct env *t = *state;
    size_t left;

    assert_ptr_equal(gpu_vm_find(t->vm, DATA + 5000, &left), t->data.host + 5000);
    assert_int_equal(left, 2 * GPU_PAGE - 5000);
    assert_null(gpu_vm_find(t->vm, 0x5000, &left));
    assert_int_equal(gpu_vm_map(t->vm, DATA + 1, t->data.gpa, GPU_PAGE), -EINVAL);
    assert_int_equal(gpu_vm_map(t->vm, (UINT64_C(1) << 48) - GPU_PAGE, t->data.gpa, 2 * GPU_PAGE), -EINVAL);
    assert_int_equal(gpu_vm_map(t->vm, (UINT64_C(1) << 48) - GPU_PAGE, t->data.gpa, GPU_PAGE), 0);
    /* across two leaf tables */
    assert_int_equal(gpu_vm_map(t->vm, 0x1fe000, t->data.gpa, 4 * GPU_PAGE), 0);
    assert_ptr_equal(gpu_vm_find(t->vm, 0x201004, &left), t->data.host + 3 * GPU_PAGE + 4);
    gpu_vm_unmap(t->vm, 0x1ff000, 2 * GPU_PAGE);
    assert_non_null(gpu_vm_find(t->vm, 0x1fe000, &left));
    assert_null(gpu_vm_find(t->vm, 0x1ff000, &left));
    assert_null(gpu_vm_find(t->vm, 0x200000, &left));
    assert_non_null(gpu_vm_find(t->vm, 0x201000, &left));
}

static void ranges_are_given_out_once(void **state)
{
    static uint8_t owner[1000];
    struct gpu_ranges r;
    uint64_t at[64] = {0}, size[64] = {0};
    unsigned seed = 1;

    (void)state;
    assert_int_equal(gpu_ranges_init(&r, 8, 992), 0);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (seed = seed * 1103515245 + 12345) >> 16 & 63;

        if (size[i]) {
            memset(owner + at[i], 0, size[i]);
            assert_int_equal(gpu_ranges_give(&r, at[i], size[i]), 0);
            size[i] = 0;
            continue;
        }
        uint64_t want = 1 + (seed >> 8) % 40, align = 1u << (seed >> 20) % 5;

        if (gpu_ranges_take(&r, want, align, &at[i]))
            continue;
        size[i] = want;
        assert_int_equal(at[i] % align, 0);
        assert_in_range(at[i], 8, 1000 - want);
        for (uint64_t k = 0; k < want; k++)
            assert_int_equal(owner[at[i] + k]++, 0);
    }
    for (unsigned i = 0; i < 64; i++)
        if (size[i])
            gpu_ranges_give(&r, at[i], size[i]);
    assert_int_equal(r.count, 1);
    assert_int_equal(r.free[0].size, 992);
    gpu_ranges_fini(&r);
}

static void a_stopped_batch_ends(void **state)
{
    struct env *t = *state;
    struct gpu_context *c = gpu_context_create(t->vm, VGPU_RCS);

    gpu_stop(t->g, true);
    store(t, DATA, 1);
    assert_int_equal(run(t, c), GPU_STOPPED);
    gpu_stop(t->g, false);
    store(t, DATA, 2);
    assert_int_equal(run(t, c), GPU_DONE);
    assert_int_equal(data(t, 0), 2);
    gpu_context_destroy(c);
}

static void time_goes_on(void **state)
{
    struct env *t = *state;
    uint64_t first = gpu_timestamp(t->g);

    usleep(2000);
    assert_in_range(gpu_timestamp(t->g) - first, 12000, 12000000);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(batches_run_on_every_engine),
        T(registers_belong_to_the_context),
        T(what_is_not_mapped_hangs_and_the_next_batch_runs),
        T(an_engine_is_shared_by_turns),
        T(an_unprivileged_batch_reaches_no_ggtt),
        T(wrapped_memory_is_the_callers),
        T(a_memfd_is_shared),
        T(addresses_are_found_and_bounded),
        cmocka_unit_test(ranges_are_given_out_once),
        T(a_stopped_batch_ends),
        T(time_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
