/* One I/O request of Xen: taken, carried out, answered. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ioreq/xen_request.h"
#include "vgpu/base/bits.h"

#define RAM_SIZE 65536u
#define LOG_SIZE 8192u

/* A device that has everything from `base` to `end`, and remembers what was asked. */
struct device {
    struct xen_sink sink;
    uint64_t base, end;
    uint64_t next; /* value of the next read; counts up */
    unsigned accesses, invalidates;
    struct {
        enum xen_type type;
        bool write;
        uint64_t addr, data;
        unsigned size;
    } log[LOG_SIZE];
    uint8_t ram[RAM_SIZE];
};

static bool device_access(void *ctx, enum xen_type type, bool write, uint64_t addr, unsigned size, uint64_t *data)
{
    struct device *d = ctx;

    assert_in_range(d->accesses, 0, LOG_SIZE - 1);
    d->log[d->accesses].type = type;
    d->log[d->accesses].write = write;
    d->log[d->accesses].addr = addr;
    d->log[d->accesses].size = size;
    d->log[d->accesses].data = *data;
    d->accesses++;
    if (addr < d->base || !gt_range_ok(addr, size, d->end))
        return false;
    if (!write)
        *data = d->next++;
    return true;
}

static int device_mem_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    struct device *d = ctx;

    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(dst, d->ram + gpa, n);
    return 0;
}

static int device_mem_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    struct device *d = ctx;

    if (!gt_range_ok(gpa, n, RAM_SIZE))
        return -EFAULT;
    memcpy(d->ram + gpa, src, n);
    return 0;
}

static void device_invalidate(void *ctx)
{
    ((struct device *)ctx)->invalidates++;
}

static int setup(void **state)
{
    struct device *d = calloc(1, sizeof(*d));

    d->sink = (struct xen_sink){d, device_access, device_mem_read, device_mem_write, device_invalidate};
    d->base = 0x1000;
    d->end = 0x10000;
    d->next = 0x1122334455667788;
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static struct xen_request request(uint8_t type, uint8_t flags, uint64_t addr, uint32_t size, uint64_t data)
{
    return (struct xen_request){
        .addr = addr, .data = data, .count = 1, .size = size, .flags = flags | XEN_INPROCESS, .type = type};
}

static void a_slot_is_copied_and_marked(void **state)
{
    struct xen_slot s = {
        .addr = 1, .data = 2, .count = 3, .size = 4, .vp_eport = 5, .pad = 6, .flags = 0xf1, .type = 7};
    struct xen_request r;

    (void)state;
    assert_int_equal(xen_slot_state(&s), XEN_READY);
    xen_slot_take(&s, &r);
    assert_int_equal(r.addr, 1);
    assert_int_equal(r.data, 2);
    assert_int_equal(r.count, 3);
    assert_int_equal(r.size, 4);
    assert_int_equal(r.type, 7);
    assert_int_equal(r.flags, 0xf1); /* the state as it was */
    assert_int_equal(s.flags, 0xf0 | XEN_INPROCESS);
    assert_int_equal(s.vp_eport, 5);
}

static void an_answer_changes_state_and_data_only(void **state)
{
    struct xen_slot s = {.data = 2, .vp_eport = 5, .flags = XEN_READY | XEN_SLOT_READ | XEN_SLOT_DF | 0x80};
    struct xen_request r;

    (void)state;
    xen_slot_take(&s, &r);
    r.data = 99;
    r.count = 77;
    xen_slot_answer(&s, &r);
    assert_int_equal(s.data, 99);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.vp_eport, 5);
    assert_int_equal(s.flags, XEN_RESP_READY | XEN_SLOT_READ | XEN_SLOT_DF | 0x80);
}

static void writes_and_pointers_leave_the_data_field_alone(void **state)
{
    const uint8_t flags[] = {XEN_READY, XEN_READY | XEN_SLOT_DATA_IS_PTR,
                             XEN_READY | XEN_SLOT_READ | XEN_SLOT_DATA_IS_PTR};

    (void)state;
    for (size_t i = 0; i < GT_ARRAY_SIZE(flags); i++) {
        struct xen_slot s = {.data = 2, .flags = flags[i]};
        struct xen_request r;
        xen_slot_take(&s, &r);
        r.data = 99;
        xen_slot_answer(&s, &r);
        assert_int_equal(s.data, 2);
    }
}

static void reads_are_cut_to_their_size(void **state)
{
    static const struct {
        uint32_t size;
        uint64_t want;
    } cases[] = {{1, 0x88}, {2, 0x7788}, {4, 0x55667788}, {8, 0x1122334455667788}};

    for (size_t i = 0; i < GT_ARRAY_SIZE(cases); i++) {
        struct device *d = *state;
        struct xen_request r = request(XEN_TYPE_COPY, XEN_SLOT_READ, 0x2000, cases[i].size, 0xffff);
        d->next = 0x1122334455667788;
        d->accesses = 0;
        assert_null(xen_request_run(&r, &d->sink));
        assert_true(r.data == cases[i].want);
        assert_int_equal(d->accesses, 1);
        assert_int_equal(d->log[0].data, 0); /* what lay in the slot is no business of the device's */
        assert_int_equal(d->log[0].addr, 0x2000);
        assert_false(d->log[0].write);
    }
}

static void writes_are_cut_to_their_size(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, 0, 0x2000, 2, 0xaabbccdd);

    assert_null(xen_request_run(&r, &d->sink));
    assert_true(d->log[0].write);
    assert_int_equal(d->log[0].size, 2);
    assert_int_equal(d->log[0].data, 0xccdd);
}

static void nothing_there_reads_as_ones(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, XEN_SLOT_READ, 0x10, 4, 0);

    assert_non_null(xen_request_run(&r, &d->sink));
    assert_true(r.data == UINT32_MAX);
    r = request(XEN_TYPE_COPY, XEN_SLOT_READ, 0xfffc, 8, 0); /* crosses the end */
    assert_non_null(xen_request_run(&r, &d->sink));
    assert_true(r.data == UINT64_MAX);
    r = request(XEN_TYPE_COPY, 0, 0x10, 4, 1);
    assert_non_null(xen_request_run(&r, &d->sink));
}

static void impossible_sizes_and_counts_read_as_ones(void **state)
{
    static const struct {
        uint8_t type;
        uint32_t size, count;
    } cases[] = {
        {XEN_TYPE_COPY, 0, 1},          {XEN_TYPE_COPY, 3, 1},          {XEN_TYPE_COPY, 16, 1},
        {XEN_TYPE_COPY, UINT32_MAX, 1}, {XEN_TYPE_PIO, 8, 1},           {XEN_TYPE_PCI_CONFIG, 8, 1},
        {XEN_TYPE_COPY, 4, 0},          {XEN_TYPE_COPY, 4, 4097},       {XEN_TYPE_COPY, 1, UINT32_MAX},
        {XEN_TYPE_PIO, 1, 0x80000000},  {XEN_TYPE_PCI_CONFIG, 4, 4097},
    };
    struct device *d = *state;

    for (size_t i = 0; i < GT_ARRAY_SIZE(cases); i++) {
        struct xen_request r = request(cases[i].type, XEN_SLOT_READ, 0x2000, cases[i].size, 0);
        r.count = cases[i].count;
        assert_non_null(xen_request_run(&r, &d->sink));
        assert_true(r.data == UINT64_MAX);
        r.flags = XEN_INPROCESS; /* a write */
        assert_non_null(xen_request_run(&r, &d->sink));
    }
    assert_int_equal(d->accesses, 0);
}

static void unknown_types_read_as_ones(void **state)
{
    struct device *d = *state;

    for (unsigned type = 0; type < 256; type++) {
        struct xen_request r = request((uint8_t)type, XEN_SLOT_READ, 0x2000, 4, 5);
        if (type <= XEN_TYPE_PCI_CONFIG || type == XEN_TYPE_TIMEOFFSET || type == XEN_TYPE_INVALIDATE)
            continue;
        assert_non_null(xen_request_run(&r, &d->sink));
        assert_true(r.data == UINT64_MAX);
    }
    assert_int_equal(d->accesses, 0);
}

/* Xen sends it with a count of 0 (ioreq_signal_mapcache_invalidate). */
static void invalidate_has_no_count(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_INVALIDATE, 0, 0, 4, UINT64_MAX);

    r.count = 0;
    assert_null(xen_request_run(&r, &d->sink));
    assert_int_equal(d->invalidates, 1);
    r = request(XEN_TYPE_TIMEOFFSET, 0, 0, 8, 1000);
    assert_null(xen_request_run(&r, &d->sink));
    assert_int_equal(d->invalidates, 1);
    assert_int_equal(d->accesses, 0);
}

static void repeated_memory_accesses_walk_on(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, 0, 0x2000, 4, 0xabcd);

    r.count = 3; /* rep stos */
    assert_null(xen_request_run(&r, &d->sink));
    assert_int_equal(d->accesses, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(d->log[i].addr, 0x2000 + 4 * i);
        assert_int_equal(d->log[i].data, 0xabcd);
    }
    d->accesses = 0;
    r.flags |= XEN_SLOT_DF;
    assert_null(xen_request_run(&r, &d->sink));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(d->log[i].addr, 0x2000 - 4 * i);
}

static void repeated_reads_give_the_last(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, XEN_SLOT_READ, 0x2000, 8, 0);

    r.count = 3; /* rep lods */
    d->next = 10;
    assert_null(xen_request_run(&r, &d->sink));
    assert_int_equal(r.data, 12);
}

static void ports_do_not_walk(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_PIO, XEN_SLOT_DATA_IS_PTR, 0x2000, 2, 0x100);

    r.count = 4; /* rep outsw */
    for (unsigned i = 0; i < 8; i++)
        d->ram[0x100 + i] = (uint8_t)i;
    assert_null(xen_request_run(&r, &d->sink));
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(d->log[i].addr, 0x2000);
        assert_int_equal(d->log[i].data, (2 * i + 1) << 8 | 2 * i);
    }
}

/* rep insl from the config data port (0xcfc). */
static void config_does_not_walk(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_PCI_CONFIG, XEN_SLOT_READ | XEN_SLOT_DATA_IS_PTR, 0x1000000004, 4, 0x100);

    d->end = UINT64_MAX;
    d->next = 7;
    r.count = 2;
    assert_null(xen_request_run(&r, &d->sink));
    assert_true(d->log[0].addr == 0x1000000004 && d->log[1].addr == 0x1000000004);
    assert_int_equal(d->log[0].type, XEN_TYPE_PCI_CONFIG);
    assert_int_equal(d->ram[0x100], 7);
    assert_int_equal(d->ram[0x104], 8);
}

static void string_reads_go_to_memory_backwards_too(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, XEN_SLOT_READ | XEN_SLOT_DATA_IS_PTR | XEN_SLOT_DF, 0x2010, 4, 0x200);

    r.count = 3;
    d->next = 1;
    memset(d->ram, 0xee, sizeof(d->ram));
    assert_null(xen_request_run(&r, &d->sink));
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t v;
        memcpy(&v, d->ram + 0x200 - 4 * i, 4);
        assert_int_equal(v, i + 1);
        assert_int_equal(d->log[i].addr, 0x2010 - 4 * i);
    }
    assert_int_equal(d->ram[0x204], 0xee);
    assert_int_equal(d->ram[0x1f7], 0xee);
    assert_int_equal(r.data, 0x200);
}

static void a_string_read_of_nothing_fills_memory_with_ones(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, XEN_SLOT_READ | XEN_SLOT_DATA_IS_PTR, 0x10, 4, 0x200);

    assert_non_null(xen_request_run(&r, &d->sink));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(d->ram[0x200 + i], 0xff);
    assert_int_equal(d->ram[0x204], 0);
}

static void a_string_without_memory_stops(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, XEN_SLOT_DATA_IS_PTR, 0x2000, 4, RAM_SIZE - 4);

    r.count = 100;
    assert_non_null(xen_request_run(&r, &d->sink));
    assert_int_equal(d->accesses, 1); /* the second word is out of memory: it must not reach the device */
    r = request(XEN_TYPE_COPY, XEN_SLOT_READ | XEN_SLOT_DATA_IS_PTR, 0x2000, 4, UINT64_MAX - 3);
    r.count = 100;
    d->accesses = 0;
    assert_non_null(xen_request_run(&r, &d->sink));
    assert_int_equal(d->accesses, 1);
}

static void the_most_repetitions_are_done(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, 0, 0x2000, 1, 1);

    r.count = XEN_MAX_REPS;
    assert_null(xen_request_run(&r, &d->sink));
    assert_int_equal(d->accesses, XEN_MAX_REPS);
}

static void addresses_wrap_without_harm(void **state)
{
    struct device *d = *state;
    struct xen_request r = request(XEN_TYPE_COPY, XEN_SLOT_READ, UINT64_MAX - 3, 4, 0);

    r.count = 2;
    d->base = 0;
    d->end = 0x100;
    assert_non_null(xen_request_run(&r, &d->sink));
    assert_int_equal(d->accesses, 2);
    assert_true(d->log[1].addr == 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_copied_and_marked),
        cmocka_unit_test(an_answer_changes_state_and_data_only),
        cmocka_unit_test(writes_and_pointers_leave_the_data_field_alone),
        TEST(reads_are_cut_to_their_size),
        TEST(writes_are_cut_to_their_size),
        TEST(nothing_there_reads_as_ones),
        TEST(impossible_sizes_and_counts_read_as_ones),
        TEST(unknown_types_read_as_ones),
        TEST(invalidate_has_no_count),
        TEST(repeated_memory_accesses_walk_on),
        TEST(repeated_reads_give_the_last),
        TEST(ports_do_not_walk),
        TEST(config_does_not_walk),
        TEST(string_reads_go_to_memory_backwards_too),
        TEST(a_string_read_of_nothing_fills_memory_with_ones),
        TEST(a_string_without_memory_stops),
        TEST(the_most_repetitions_are_done),
        TEST(addresses_wrap_without_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
