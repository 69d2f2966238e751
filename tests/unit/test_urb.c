/* URB messages: what goes where, and that no handle or offset leads out of the array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mediator/soft/urb.h"
#include "vgpu/base/bits.h"

#define WRITE     7u
#define READ      8u
#define PER_SLOT  GT_BIT(17)
#define MASKED    GT_BIT(15)
#define GLOBAL(n) ((n) << 4)

static struct soft_urb urb;
static uint32_t reg[24][8]; /* payload, or an answer */

static int make(void **state)
{
    (void)state;
    urb.data = calloc(1, SOFT_URB_BYTES);
    memset(reg, 0, sizeof(reg));
    return urb.data ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    free(urb.data);
    return 0;
}

static enum eu_result send(uint32_t desc, unsigned mlen, unsigned ex_mlen, uint32_t mask)
{
    struct eu_message m = {
        .sfid = EU_SFID_URB,
        .exec_size = 8,
        .mlen = (uint8_t)mlen,
        .ex_mlen = (uint8_t)ex_mlen,
        .desc = desc,
        .mask = mask,
        .src0 = (const uint8_t *)reg,
        .src1 = (const uint8_t *)reg[mlen],
    };

    return soft_urb_message(&urb, &m);
}

static void receive(uint32_t desc, unsigned rlen, uint32_t mask, uint32_t out[][8])
{
    struct eu_message m = {
        .sfid = EU_SFID_URB,
        .exec_size = 8,
        .mlen = desc & PER_SLOT ? 2 : 1,
        .rlen = (uint8_t)rlen,
        .desc = desc,
        .mask = mask,
        .src0 = (const uint8_t *)reg,
        .dst = (uint8_t *)out,
    };

    assert_int_equal(soft_urb_message(&urb, &m), EU_DONE);
}

static uint32_t dword(uint32_t handle, uint32_t i)
{
    return soft_urb_entry(&urb, handle)[i];
}

static void set_handles(uint32_t first, uint32_t step)
{
    for (unsigned i = 0; i < 8; i++)
        reg[0][i] = first + i * step;
}

static void set_data(unsigned first, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned lane = 0; lane < 8; lane++)
            reg[first + i][lane] = 100 * (i + 1) + lane;
}

static void a_write_puts_each_register_into_a_dword_of_the_lanes_entry(void **state)
{
    (void)state;
    set_handles(10, 3);
    set_data(1, 8);
    assert_int_equal(send(WRITE | GLOBAL(2u), 1, 8, 0x81), EU_DONE);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(dword(10, 8 + i), 100 * (i + 1));
        assert_int_equal(dword(31, 8 + i), 100 * (i + 1) + 7);
        assert_int_equal(dword(13, 8 + i), 0); /* lane 1 was off */
    }
    assert_int_equal(dword(10, 7), 0);
}

static void a_payload_in_one_part_is_the_same(void **state)
{
    (void)state;
    set_handles(0, 1);
    set_data(1, 4);
    assert_int_equal(send(WRITE, 5, 0, 0xff), EU_DONE);
    assert_int_equal(dword(7, 3), 407);
    assert_int_equal(dword(7, 4), 0);
}

static void offsets_of_lanes_add_to_the_common_one(void **state)
{
    (void)state;
    set_handles(5, 0);
    for (unsigned i = 0; i < 8; i++)
        reg[1][i] = i;
    set_data(2, 4);
    assert_int_equal(send(WRITE | PER_SLOT | GLOBAL(1u), 2, 4, 0xff), EU_DONE);
    for (unsigned lane = 0; lane < 8; lane++)
        assert_int_equal(dword(5, 4 * (lane + 1) + 2), 300 + lane);
}

static void masks_choose_dwords(void **state)
{
    (void)state;
    set_handles(1, 1);
    for (unsigned i = 0; i < 8; i++)
        reg[1][i] = GT_BIT(16 + i) | 0xffff;
    set_data(2, 8);
    assert_int_equal(send(WRITE | MASKED, 2, 8, 0xff), EU_DONE);
    for (unsigned lane = 0; lane < 8; lane++)
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(dword(1 + lane, i), i == lane ? 100 * (i + 1) + lane : 0);
}

static void reads_return_what_was_written_to_enabled_lanes_only(void **state)
{
    uint32_t out[4][8];

    (void)state;
    memset(out, 0xee, sizeof(out));
    set_handles(0, 2);
    set_data(1, 4);
    assert_int_equal(send(WRITE | GLOBAL(3u), 1, 4, 0xff), EU_DONE);
    receive(READ | GLOBAL(3u), 4, 0x0f, out);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned lane = 0; lane < 8; lane++)
            assert_int_equal(out[i][lane], lane < 4 ? 100 * (i + 1) + lane : 0xeeeeeeee);
}

static void only_the_low_bits_of_a_handle_count(void **state)
{
    (void)state;
    set_handles(0xf8000004, 0);
    set_data(1, 1);
    assert_int_equal(send(WRITE, 1, 1, 1), EU_DONE);
    assert_int_equal(dword(4, 0), 100);
}

static void what_is_outside_reads_zero_and_is_not_written(void **state)
{
    uint32_t out[8][8];

    (void)state;
    set_handles(SOFT_URB_UNITS - 1, 0);
    for (unsigned i = 0; i < 8; i++)
        reg[1][i] = i == 0 ? 3 : i == 1 ? 4 : i == 2 ? 0x0fffffff : UINT32_MAX;
    set_data(2, 8);
    memset(out, 0xee, sizeof(out));
    assert_int_equal(send(WRITE | PER_SLOT, 2, 8, 0xff), EU_DONE);
    assert_int_equal(dword(SOFT_URB_UNITS - 1, 12), 100); /* half of lane 0's was inside */
    assert_int_equal(dword(SOFT_URB_UNITS - 1, 15), 400);
    receive(READ | PER_SLOT | GLOBAL(0x7ffu), 8, 0xff, out);
    for (unsigned i = 0; i < 8; i++)
        for (unsigned lane = 0; lane < 8; lane++)
            assert_int_equal(out[i][lane], 0);
}

static void broken_messages_are_refused(void **state)
{
    (void)state;
    assert_int_equal(send(WRITE, 0, 0, 0xff), EU_FAULT);
    assert_int_equal(send(WRITE | PER_SLOT, 1, 0, 0xff), EU_FAULT);
    assert_int_equal(send(WRITE | PER_SLOT | MASKED, 2, 0, 0xff), EU_FAULT);
    assert_int_equal(send(15, 1, 1, 0xff), EU_FAULT);
    assert_int_equal(send(WRITE, 1, 0, 0xff), EU_DONE); /* no data: nothing is written */
    assert_int_equal(send(WRITE, 1, 15, 0xff), EU_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_puts_each_register_into_a_dword_of_the_lanes_entry, make, drop),
        cmocka_unit_test_setup_teardown(a_payload_in_one_part_is_the_same, make, drop),
        cmocka_unit_test_setup_teardown(offsets_of_lanes_add_to_the_common_one, make, drop),
        cmocka_unit_test_setup_teardown(masks_choose_dwords, make, drop),
        cmocka_unit_test_setup_teardown(reads_return_what_was_written_to_enabled_lanes_only, make, drop),
        cmocka_unit_test_setup_teardown(only_the_low_bits_of_a_handle_count, make, drop),
        cmocka_unit_test_setup_teardown(what_is_outside_reads_zero_and_is_not_written, make, drop),
        cmocka_unit_test_setup_teardown(broken_messages_are_refused, make, drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
