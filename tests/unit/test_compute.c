/* Compute and media dispatch: which threads run, what they find in their registers, barriers, interruption. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediator/soft/env.h"
#include "mediator/soft/progress.h"
#include "tests/unit/eu_double.h"
#include "tests/unit/front_fixture.h"

#define DESCRIPTORS 0x1000u /* offsets in memory */
#define CURBE       0x2000u
#define INDIRECT    0x8000u
#define KERNEL      1u /* double_kernel */
#define MAX_SEEN    4096u

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

/* What threads saw. */
struct seen {
    uint32_t r0[8], mask, cr0;
    uint32_t reg[6][8]; /* r1 .. r6 */
    uint64_t scratch;
    uint32_t scratch_bytes;
    const uint8_t *slm;
};

static struct front f;
static struct soft_compute *c;
static struct seen seen[MAX_SEEN];
static uint32_t nseen;

static enum eu_result note(struct eu_thread *t)
{
    const struct soft_env *env = t->ctx;
    uint32_t i = __atomic_fetch_add(&nseen, 1, __ATOMIC_RELAXED);

    if (i >= MAX_SEEN)
        return EU_DONE;
    memcpy(seen[i].r0, t->grf, 32);
    memcpy(seen[i].reg, t->grf + 32, sizeof(seen[i].reg));
    seen[i].mask = t->dispatch_mask;
    seen[i].cr0 = t->cr0[0];
    seen[i].scratch = env->scratch;
    seen[i].scratch_bytes = env->scratch_bytes;
    seen[i].slm = env->slm;
    return EU_DONE;
}

static uint32_t *descriptor;

static void set_media_state(void)
{
    uint32_t *dw = front_command(&f, C_STATE_BASE_ADDRESS, 19);

    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, DynamicStateBaseAddress, RIG_MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, IndirectObjectBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, IndirectObjectBaseAddress, RIG_MEMORY >> 12);
    SET(dw, STATE_BASE_ADDRESS, GeneralStateBaseAddressModifyEnable, 1);
    SET(dw, STATE_BASE_ADDRESS, GeneralStateBaseAddress, 0x1000);
    front_set(&f, C_STATE_BASE_ADDRESS, 19);
    dw = front_command(&f, C_MEDIA_INTERFACE_DESCRIPTOR_LOAD, 4);
    SET(dw, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorTotalLength, 64);
    SET(dw, MEDIA_INTERFACE_DESCRIPTOR_LOAD, InterfaceDescriptorDataStartAddress, DESCRIPTORS);
    front_set(&f, C_MEDIA_INTERFACE_DESCRIPTOR_LOAD, 4);
    dw = front_command(&f, C_MEDIA_CURBE_LOAD, 4);
    SET(dw, MEDIA_CURBE_LOAD, CURBETotalDataLength, 0x1000);
    SET(dw, MEDIA_CURBE_LOAD, CURBEDataStartAddress, CURBE);
    front_set(&f, C_MEDIA_CURBE_LOAD, 4);
    dw = front_command(&f, C_MEDIA_VFE_STATE, 9);
    SET(dw, MEDIA_VFE_STATE, MaximumNumberOfThreads, 167);
    SET(dw, MEDIA_VFE_STATE, ScratchSpaceBasePointer, 0x10000 >> 10);
    SET(dw, MEDIA_VFE_STATE, PerThreadScratchSpace, 2);
    front_set(&f, C_MEDIA_VFE_STATE, 9);
}

static void open_with(unsigned workers)
{
    front_open(&f, workers);
    c = soft_compute_create(&f.e);
    assert_non_null(c);
    nseen = 0;
    memset(seen, 0, sizeof(seen));
    set_media_state();
    for (unsigned i = 0; i < 0x1000 / 4; i++)
        ((uint32_t *)front_at(&f, CURBE))[i] = i;
    descriptor = (uint32_t *)front_at(&f, DESCRIPTORS) + 8; /* number 1 */
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, KernelStartPointer, KERNEL);
    double_kernel[KERNEL].run = note;
}

static int open_one(void **state)
{
    (void)state;
    open_with(1);
    return 0;
}

static int open_four(void **state)
{
    (void)state;
    open_with(4);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    soft_compute_destroy(c);
    front_close(&f);
    return 0;
}

static uint32_t *walker(uint32_t x, uint32_t y, uint32_t z, unsigned threads)
{
    uint32_t *dw = front_command(&f, C_GPGPU_WALKER, 15);

    SET(dw, GPGPU_WALKER, InterfaceDescriptorOffset, 1);
    SET(dw, GPGPU_WALKER, ThreadWidthCounterMaximum, threads - 1);
    SET(dw, GPGPU_WALKER, SIMDSize, 1);
    SET(dw, GPGPU_WALKER, ThreadGroupIDXDimension, x);
    SET(dw, GPGPU_WALKER, ThreadGroupIDYDimension, y);
    SET(dw, GPGPU_WALKER, ThreadGroupIDZDimension, z);
    SET(dw, GPGPU_WALKER, RightExecutionMask, UINT32_MAX);
    SET(dw, GPGPU_WALKER, BottomExecutionMask, UINT32_MAX);
    return dw;
}

static bool run(int id, unsigned n)
{
    return soft_compute_command(c, id, f.dw, n);
}

static bool walk(void)
{
    return run(C_GPGPU_WALKER, 15);
}

static void every_group_runs_once_and_knows_its_number(void **state)
{
    unsigned times[5][4][3] = {0};
    uint32_t *dw = walker(5, 4, 3, 1);

    (void)state;
    SET(dw, GPGPU_WALKER, ThreadGroupIDStartingX, 1);
    SET(dw, GPGPU_WALKER, ThreadGroupIDStartingResumeZ, 2);
    assert_true(walk());
    assert_int_equal(nseen, 4 * 4 * 1);
    for (unsigned i = 0; i < nseen; i++)
        times[seen[i].r0[1]][seen[i].r0[6]][seen[i].r0[7]]++;
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(times[i / 12][i / 3 % 4][i % 3], i / 12 >= 1 && i % 3 == 2);
    assert_int_equal(f.e.count.cs_invocations, 16 * 16);
}

static void masks_cut_the_last_threads_of_a_group(void **state)
{
    uint32_t *dw = walker(1, 1, 1, 3);

    (void)state;
    SET(dw, GPGPU_WALKER, ThreadHeightCounterMaximum, 1);
    SET(dw, GPGPU_WALKER, RightExecutionMask, 0x7fff0fff);
    SET(dw, GPGPU_WALKER, BottomExecutionMask, 0x00ff);
    assert_true(walk());
    assert_int_equal(nseen, 6);
    assert_int_equal(seen[0].mask, 0xffff);
    assert_int_equal(seen[2].mask, 0x0fff);
    assert_int_equal(seen[3].mask, 0x00ff);
    assert_int_equal(seen[5].mask, 0x00ff);
    SET(dw, GPGPU_WALKER, SIMDSize, 2);
    assert_true(walk());
    assert_int_equal(seen[6].mask, UINT32_MAX);
    assert_int_equal(seen[8].mask, 0x7fff0fff);
    SET(dw, GPGPU_WALKER, SIMDSize, 0);
    assert_true(walk());
    assert_int_equal(seen[12].mask, 0xff);
}

static void threads_get_common_and_own_constants(void **state)
{
    (void)state;
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, CrossThreadConstantDataReadLength, 2);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadLength, 1);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadOffset, 1);
    walker(1, 1, 1, 3);
    assert_true(walk());
    for (unsigned t = 0; t < 3; t++) {
        assert_int_equal(seen[t].reg[0][0], 8);
        assert_int_equal(seen[t].reg[1][7], 23);
        assert_int_equal(seen[t].reg[2][0], 24 + 8 * t);
    }
}

static void constants_end_where_the_curbe_ends(void **state)
{
    uint32_t *dw = front_command(&f, C_MEDIA_CURBE_LOAD, 4);

    (void)state;
    SET(dw, MEDIA_CURBE_LOAD, CURBETotalDataLength, 40);
    SET(dw, MEDIA_CURBE_LOAD, CURBEDataStartAddress, CURBE);
    front_set(&f, C_MEDIA_CURBE_LOAD, 4);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, CrossThreadConstantDataReadLength, 255);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadLength, 0xffff);
    walker(1, 1, 1, 1);
    assert_true(walk());
    assert_int_equal(seen[0].reg[1][1], 9);
    for (unsigned i = 2; i < 8; i++)
        assert_int_equal(seen[0].reg[1][i], 0);
    assert_int_equal(seen[0].reg[2][0], 0);
}

static void the_walker_can_bring_constants_itself(void **state)
{
    uint32_t *dw = walker(1, 1, 1, 1);

    (void)state;
    ((uint32_t *)front_at(&f, INDIRECT))[3] = 77;
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, CrossThreadConstantDataReadLength, 1);
    SET(dw, GPGPU_WALKER, IndirectDataLength, 32);
    SET(dw, GPGPU_WALKER, IndirectDataStartAddress, INDIRECT >> 6);
    assert_true(walk());
    assert_int_equal(seen[0].reg[0][3], 77);
}

static void the_header_has_tables_and_scratch(void **state)
{
    (void)state;
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, SamplerStatePointer, 0x123);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, BindingTablePointer, 0x45);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, RoundingMode, 3);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, FloatingPointMode, 1);
    walker(1, 1, 1, 1);
    assert_true(walk());
    assert_int_equal(seen[0].r0[3], 0x123 << 5 | 2);
    assert_int_equal(seen[0].r0[4], 0x45 << 5);
    assert_int_equal(seen[0].r0[5], 0x10000);
    assert_int_equal(seen[0].scratch, 0x1010000);
    assert_int_equal(seen[0].scratch_bytes, 4096);
    assert_int_equal(seen[0].cr0, 0x31);
    assert_null(seen[0].slm);
}

static void indirect_dimensions_come_from_registers(void **state)
{
    uint32_t *dw = walker(9, 9, 9, 1);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        vgpu_exec_reg_write(&f.rig.x, reg_off(R_GPGPU_DISPATCHDIM, VGPU_RCS, i), 2 + i);
    SET(dw, GPGPU_WALKER, IndirectParameterEnable, 1);
    assert_true(walk());
    assert_int_equal(nseen, 2 * 3 * 4);
}

static void empty_dimensions_and_missing_descriptors_run_nothing(void **state)
{
    uint32_t *dw;

    (void)state;
    walker(4, 0, 4, 1);
    assert_true(walk());
    dw = walker(4, 1, 1, 1);
    SET(dw, GPGPU_WALKER, InterfaceDescriptorOffset, 2); /* beyond what was loaded */
    assert_true(walk());
    assert_int_equal(nseen, 0);
}

/* ---- barriers */

#define GATEWAY_BARRIER 4u

/* Adds to a sum in shared memory, waits for the others, reads the sum. */
static enum eu_result meet(struct eu_thread *t)
{
    struct soft_env *env = t->ctx;
    uint32_t *sum = (uint32_t *)(void *)env->slm;

    if (t->ip == 0) {
        ++*sum;
        memset(double_reg(t, 10), 0, 32);
        if (double_send(t, EU_SFID_GATEWAY, GATEWAY_BARRIER, 10, 1, 0, 0) != EU_DONE)
            return EU_FAULT;
        t->ip = 1;
    }
    if (!t->notified)
        return EU_WAIT;
    t->notified--;
    double_reg(t, 1)[0] = *sum;
    return note(t);
}

static void set_group(unsigned threads, unsigned slm)
{
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, BarrierEnable, 1);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, NumberOfThreadsInGPGPUThreadGroup, threads);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, SharedLocalMemorySize, slm);
}

static void threads_of_a_group_meet_at_barriers(void **state)
{
    (void)state;
    double_kernel[KERNEL].run = meet;
    set_group(14, 1);
    walker(20, 1, 1, 14);
    assert_true(walk());
    assert_int_equal(nseen, 20 * 14);
    for (unsigned i = 0; i < nseen; i++)
        assert_int_equal(seen[i].reg[0][0], 14);
    assert_int_equal(f.e.unknown, 0);
}

static void a_barrier_of_one_is_passed(void **state)
{
    (void)state;
    double_kernel[KERNEL].run = meet;
    set_group(1, 1);
    walker(3, 1, 1, 1);
    assert_true(walk());
    assert_int_equal(nseen, 3);
    assert_int_equal(seen[2].reg[0][0], 1); /* shared memory begins as zero in each group */
}

/* Thread 0 ends, the others wait for it. */
static enum eu_result desert(struct eu_thread *t)
{
    if (double_reg(t, 1)[0] == 0)
        return EU_DONE;
    return meet(t);
}

static void a_group_that_waits_for_ever_is_given_up(void **state)
{
    (void)state;
    double_kernel[KERNEL].run = desert;
    set_group(3, 1);
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadLength, 1);
    walker(2, 1, 1, 3);
    assert_true(walk());
    assert_int_equal(nseen, 0);
    assert_int_equal(f.e.unknown, 2);
}

static void a_group_too_large_to_be_together_does_not_run(void **state)
{
    (void)state;
    double_kernel[KERNEL].run = meet;
    set_group(65, 1);
    walker(1, 1, 1, 13);
    SET(f.dw, GPGPU_WALKER, ThreadHeightCounterMaximum, 4);
    assert_true(walk());
    assert_int_equal(nseen, 0);
    assert_int_equal(f.e.unknown, 1);
}

static void threads_that_run_at_once_have_their_own_scratch(void **state)
{
    (void)state;
    double_kernel[KERNEL].run = meet;
    set_group(42, 1);
    walker(60, 1, 1, 42); /* four workers times 42 are the 168 that VFE allows */
    assert_true(walk());
    for (unsigned i = 0; i < 42; i++) {
        assert_int_equal(seen[i].r0[5], seen[i].scratch - 0x1000000);
        assert_true(seen[i].scratch >= 0x1010000 && seen[i].scratch < 0x1010000 + 168 * 4096);
        for (unsigned k = 0; k < i; k++)
            assert_true(seen[i].scratch != seen[k].scratch || seen[i].r0[1] != seen[k].r0[1]);
    }
    nseen = 0;
    walker(60, 1, 1, 43); /* now only one worker's threads have room */
    assert_true(walk());
    assert_int_equal(nseen, 60 * 43);
    for (unsigned i = 0; i < nseen; i++)
        assert_true(seen[i].scratch < 0x1010000 + 43 * 4096);
}

/* ---- interruption */

static void an_interrupted_walker_goes_on_where_it_was(void **state)
{
    unsigned times[500] = {0}, calls = 0;

    (void)state;
    walker(500, 1, 1, 1);
    do {
        f.rig.x.stops = 0;
        f.rig.x.stop_after = 1;
        calls++;
    } while (!walk());
    assert_true(calls > 3);
    for (unsigned i = 0; i < nseen; i++)
        times[seen[i].r0[1]]++;
    for (unsigned i = 0; i < 500; i++)
        assert_int_equal(times[i], 1);
    assert_int_equal(f.e.count.cs_invocations, 500 * 16);
}

static void another_command_begins_at_its_beginning(void **state)
{
    (void)state;
    walker(500, 1, 1, 1);
    f.rig.x.stop_after = 1;
    assert_false(walk());
    f.rig.x.stop_after = 0;
    nseen = 0;
    walker(499, 1, 1, 1);
    assert_true(walk());
    assert_int_equal(nseen, 499);
}

static enum eu_result run_away(struct eu_thread *t)
{
    (void)t;
    return EU_BUDGET;
}

static void a_thread_that_never_ends_can_be_stopped(void **state)
{
    (void)state;
    double_kernel[KERNEL].run = run_away;
    walker(8, 1, 1, 1);
    f.rig.x.stop_after = 1000;
    assert_false(walk());
    set_group(4, 1);
    walker(8, 1, 1, 4);
    assert_false(walk());
}

static unsigned slices_run;

static enum eu_result take_a_thousand_slices(struct eu_thread *t)
{
    (void)t;
    return ++slices_run < 1000 ? EU_BUDGET : EU_DONE;
}

/* It begins again each time the engine is wanted, and is given twice the time. */
static void a_long_thread_gets_to_its_end(void **state)
{
    unsigned calls = 0;

    (void)state;
    double_kernel[KERNEL].run = take_a_thousand_slices;
    walker(1, 1, 1, 1);
    do {
        slices_run = 0;
        f.rig.x.stops = 0;
        f.rig.x.stop_after = 1;
        calls++;
    } while (!walk() && calls < 100);
    assert_in_range(calls, 3, 6);
    soft_progress_end(&f.rig.x); /* as render.c and the engine do when a command is done */
    f.rig.x.scratch[VGPU_SCRATCH_PROGRESS] = 0;
    slices_run = 0; /* the same command once more: with the patience of a new one */
    f.rig.x.stops = 0;
    assert_false(walk());
    assert_in_range(slices_run, 1, 100);
    f.rig.x.abandoned = true; /* a reset has none at all */
    for (unsigned i = 0; i < 10; i++) {
        slices_run = 0;
        assert_false(walk());
        assert_in_range(slices_run, 1, 3);
    }
}

static enum eu_result break_down(struct eu_thread *t)
{
    return double_send(t, EU_SFID_VME, 0, 0, 1, 0, 0);
}

static void unknown_messages_end_their_thread_and_are_counted(void **state)
{
    (void)state;
    double_kernel[KERNEL].run = break_down;
    walker(8, 1, 1, 1);
    assert_true(walk());
    assert_int_equal(f.e.unknown, 16); /* the message, and the fault */
}

/* ---- media */

static void a_media_object_brings_its_data(void **state)
{
    uint32_t *dw = front_command(&f, C_MEDIA_OBJECT, 6 + 10);

    (void)state;
    SET(descriptor, INTERFACE_DESCRIPTOR_DATA, ConstantURBEntryReadLength, 1);
    SET(dw, MEDIA_OBJECT, InterfaceDescriptorOffset, 1);
    SET(dw, MEDIA_OBJECT, IndirectDataLength, 8);
    SET(dw, MEDIA_OBJECT, IndirectDataStartAddress,
        INDIRECT >> ((F_MEDIA_OBJECT__IndirectDataStartAddress >> 16) % 32));
    SET(dw, MEDIA_OBJECT, ScoreboardX, 5);
    SET(dw, MEDIA_OBJECT, ScoredboardY, 6);
    for (unsigned i = 0; i < 10; i++)
        dw[6 + i] = 500 + i;
    ((uint32_t *)front_at(&f, INDIRECT))[1] = 88;
    ((uint32_t *)front_at(&f, INDIRECT))[2] = 99;
    assert_true(run(C_MEDIA_OBJECT, 16));
    assert_int_equal(nseen, 1);
    assert_int_equal(seen[0].r0[1], 6 << 16 | 5);
    assert_int_equal(seen[0].reg[0][7], 7);
    assert_int_equal(seen[0].reg[1][0], 500);
    assert_int_equal(seen[0].reg[2][1], 509);
    assert_int_equal(seen[0].reg[2][2], 0);
    assert_int_equal(seen[0].reg[3][1], 88);
    assert_int_equal(seen[0].reg[3][2], 0); /* beyond its length */
}

static void a_media_walker_covers_blocks(void **state)
{
    uint32_t *dw = front_command(&f, C_MEDIA_OBJECT_WALKER, 17);

    (void)state;
    SET(dw, MEDIA_OBJECT_WALKER, InterfaceDescriptorOffset, 1);
    SET(dw, MEDIA_OBJECT_WALKER, GlobalResolutionX, 4);
    SET(dw, MEDIA_OBJECT_WALKER, GlobalResolutionY, 2);
    SET(dw, MEDIA_OBJECT_WALKER, GlobalInnerLoopUnitX, 2);
    SET(dw, MEDIA_OBJECT_WALKER, GlobalOuterLoopStrideY, 2);
    SET(dw, MEDIA_OBJECT_WALKER, BlockResolutionX, 2);
    SET(dw, MEDIA_OBJECT_WALKER, BlockResolutionY, 2);
    SET(dw, MEDIA_OBJECT_WALKER, LocalInnerLoopUnitX, 1);
    SET(dw, MEDIA_OBJECT_WALKER, LocalOuterLoopStrideY, 1);
    SET(dw, MEDIA_OBJECT_WALKER, LocalLoopExecCount, 1);
    assert_true(run(C_MEDIA_OBJECT_WALKER, 17));
    static const uint32_t want[] = {0x00000, 0x00001, 0x10000, 0x10001, 0x00002, 0x00003, 0x10002, 0x10003};

    assert_int_equal(nseen, GT_ARRAY_SIZE(want));
    for (unsigned i = 0; i < nseen; i++)
        assert_int_equal(seen[i].r0[1], want[i]);
}

static void any_command_is_safe(void **state)
{
    static const int ids[] = {C_GPGPU_WALKER,       C_MEDIA_OBJECT,        C_MEDIA_OBJECT_PRT,
                              C_MEDIA_OBJECT_GRPID, C_MEDIA_OBJECT_WALKER, C_MEDIA_CURBE_LOAD};

    (void)state;
    srand(4);
    f.rig.x.stop_after = 1; /* only a batch each time */
    for (unsigned i = 0; i < 3000; i++) {
        int id = ids[(unsigned)rand() % GT_ARRAY_SIZE(ids)];
        uint32_t *dw = front_command(&f, id, 20);

        for (unsigned k = 1; k < 20; k++)
            dw[k] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        SET(dw, GPGPU_WALKER, InterfaceDescriptorOffset, rand() % 3);
        SET(dw, GPGPU_WALKER, ThreadDepthCounterMaximum, rand() % 2);
        SET(dw, GPGPU_WALKER, ThreadHeightCounterMaximum, rand() % 2);
        for (unsigned k = 0; k < 8; k++)
            descriptor[k] = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        SET(descriptor, INTERFACE_DESCRIPTOR_DATA, KernelStartPointer, KERNEL);
        soft_compute_command(c, id, dw, 20);
    }
}

int main(void)
{
#define ONE(name)  cmocka_unit_test_setup_teardown(name, open_one, close_all)
#define FOUR(name) cmocka_unit_test_setup_teardown(name, open_four, close_all)
    const struct CMUnitTest tests[] = {
        ONE(every_group_runs_once_and_knows_its_number),
        FOUR(every_group_runs_once_and_knows_its_number),
        ONE(masks_cut_the_last_threads_of_a_group),
        ONE(threads_get_common_and_own_constants),
        ONE(constants_end_where_the_curbe_ends),
        ONE(the_walker_can_bring_constants_itself),
        ONE(the_header_has_tables_and_scratch),
        ONE(indirect_dimensions_come_from_registers),
        ONE(empty_dimensions_and_missing_descriptors_run_nothing),
        ONE(threads_of_a_group_meet_at_barriers),
        FOUR(threads_of_a_group_meet_at_barriers),
        FOUR(a_barrier_of_one_is_passed),
        ONE(a_group_that_waits_for_ever_is_given_up),
        ONE(a_group_too_large_to_be_together_does_not_run),
        FOUR(threads_that_run_at_once_have_their_own_scratch),
        ONE(an_interrupted_walker_goes_on_where_it_was),
        FOUR(an_interrupted_walker_goes_on_where_it_was),
        ONE(another_command_begins_at_its_beginning),
        FOUR(a_thread_that_never_ends_can_be_stopped),
        ONE(a_long_thread_gets_to_its_end),
        ONE(unknown_messages_end_their_thread_and_are_counted),
        ONE(a_media_object_brings_its_data),
        ONE(a_media_walker_covers_blocks),
        ONE(any_command_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
