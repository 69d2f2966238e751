/* The DDC pins, on which nobody answers: GMBUS as i915 intel_gmbus.c drives it, GPIO bit-banging. */
#include "display_fixture.h"

#define SW_CLR_INT GT_BIT(31)
#define SW_RDY     GT_BIT(30)
#define STOP       GT_BIT(27)
#define INDEX      GT_BIT(26)
#define WAIT       GT_BIT(25)
#define COUNT(n)   ((uint32_t)(n) << 16)
#define ADDR(a)    ((uint32_t)(a) << 1)
#define READ       1u
#define IN_USE     GT_BIT(15)
#define WAIT_PHASE GT_BIT(14)
#define READY      GT_BIT(11)
#define NAK        GT_BIT(10)
#define ACTIVE     GT_BIT(9)

static uint32_t status(struct dfx *d)
{
    return d_rd(d, R_GMBUS2, 0, 0);
}

static void nobody_acknowledges(void **state)
{
    struct dfx *d = *state;

    for (uint32_t pin = 1; pin < 8; pin++) {
        for (uint32_t addr = 0; addr < 0x80; addr++) {
            d_wr(d, R_GMBUS0, 0, 0, pin);
            d_wr(d, R_GMBUS1, 0, 0, (addr & 1 ? INDEX : WAIT) | COUNT(4) | ADDR(addr) | (addr & READ) | SW_RDY);
            assert_int_equal(status(d) & (NAK | ACTIVE | WAIT_PHASE), NAK);
            d_rd(d, R_GMBUS3, 0, 0);
            d_wr(d, R_GMBUS1, 0, 0, SW_CLR_INT);
            assert_int_equal(status(d) & (NAK | ACTIVE | WAIT_PHASE), 0);
            d_wr(d, R_GMBUS1, 0, 0, STOP | SW_RDY);
            assert_int_equal(status(d) & (NAK | READY), READY);
            d_wr(d, R_GMBUS0, 0, 0, 0);
        }
    }
}

static void in_use_is_set_by_a_read_and_cleared_by_a_one(void **state)
{
    struct dfx *d = *state;

    assert_int_equal(status(d), READY);
    assert_true(status(d) & IN_USE);
    d_wr(d, R_GMBUS2, 0, 0, 0);
    assert_true(status(d) & IN_USE);
    d_wr(d, R_GMBUS2, 0, 0, IN_USE);
    assert_false(status(d) & IN_USE);
}

static void interrupt_is_masked_by_gmbus4(void **state)
{
    static const uint32_t masks[] = {GT_BIT(3), GT_BIT(2)};
    struct dfx *d = *state;

    d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(4) | ADDR(0x50) | READ | SW_RDY);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), 0);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(masks); i++) {
        d_wr(d, R_GMBUS4, 0, 0, masks[i]);
        d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(4) | ADDR(0x50) | READ | SW_RDY);
        assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), GT_BIT(17));
        d_wr(d, R_SDEIIR, 0, 0, GT_BIT(17));
    }
    d_wr(d, R_GMBUS4, 0, 0, GT_BIT(0) | GT_BIT(1));
    d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(4) | ADDR(0x50) | READ | SW_RDY);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), 0);
}

/* ---- GPIO */

static void gpio_lines_read_as_pulled_up(void **state)
{
    struct dfx *d = *state;

    for (unsigned pin = 0; pin < 6; pin++) {
        assert_int_equal(d_rd(d, R_GPIO_CTL, 0, pin), 0x1010);
        d_wr(d, R_GPIO_CTL, 0, pin, 0x07); /* clock driven low: direction out, value 0, both with their masks */
        assert_int_equal(d_rd(d, R_GPIO_CTL, 0, pin), 0x1002);
        d_wr(d, R_GPIO_CTL, 0, pin, 0x0f);
        assert_int_equal(d_rd(d, R_GPIO_CTL, 0, pin), 0x101a);
        d_wr(d, R_GPIO_CTL, 0, pin, 0x0700); /* data low; the clock's bits are not selected */
        assert_int_equal(d_rd(d, R_GPIO_CTL, 0, pin), 0x021a);
        d_wr(d, R_GPIO_CTL, 0, pin, 0x0101); /* both released */
        assert_int_equal(d_rd(d, R_GPIO_CTL, 0, pin) & 0x1010, 0x1010);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DFX_TEST(nobody_acknowledges),
        DFX_TEST(in_use_is_set_by_a_read_and_cleared_by_a_one),
        DFX_TEST(interrupt_is_masked_by_gmbus4),
        DFX_TEST(gpio_lines_read_as_pulled_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
