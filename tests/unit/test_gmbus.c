/* GMBUS as i915 intel_gmbus.c drives it, GPIO bit-banging, AUX time-outs. */
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
#define EDID_ADDR  0x50u

static const uint32_t head_pin[VGPU_HEADS] = {5, 4, 6};

static uint32_t status(struct dfx *d)
{
    return d_rd(d, R_GMBUS2, 0, 0);
}

static void stop(struct dfx *d)
{
    d_wr(d, R_GMBUS1, 0, 0, STOP | SW_RDY);
    assert_int_equal(status(d) & ACTIVE, 0);
    d_wr(d, R_GMBUS0, 0, 0, 0);
}

static void take_data(struct dfx *d, uint8_t *buf, unsigned n)
{
    while (n) {
        assert_int_equal(status(d) & (READY | NAK), READY);
        assert_int_equal(status(d) & 0x1ff, n);
        uint32_t val = d_rd(d, R_GMBUS3, 0, 0);

        for (unsigned i = 0; i < 4 && n; i++, n--)
            *buf++ = (uint8_t)(val >> (8 * i));
    }
    assert_true(status(d) & WAIT_PHASE);
}

/* One indexed read, without the stop. */
static void read_at(struct dfx *d, uint8_t index, uint8_t *buf, unsigned n)
{
    d_wr(d, R_GMBUS1, 0, 0, INDEX | WAIT | COUNT(n) | (uint32_t)index << 8 | ADDR(EDID_ADDR) | READ | SW_RDY);
    take_data(d, buf, n);
}

static const uint8_t *edid(struct dfx *d, unsigned head)
{
    return d->core.v->display.head[head].edid;
}

static void each_pin_reads_its_head_s_edid(void **state)
{
    struct dfx *d = *state;

    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        uint8_t buf[256];

        d_wr(d, R_GMBUS0, 0, 0, head_pin[head]);
        read_at(d, 0, buf, 128);
        stop(d);
        assert_memory_equal(buf, edid(d, head), 128);
        assert_int_equal(buf[12], head + 1);
        d_wr(d, R_GMBUS0, 0, 0, head_pin[head]);
        read_at(d, 128, buf, 128);
        stop(d);
        assert_memory_equal(buf, edid(d, head) + 128, 128);
    }
}

static void whole_edid_in_one_transfer(void **state)
{
    struct dfx *d = *state;
    uint8_t buf[511];

    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    read_at(d, 0, buf, 256);
    assert_memory_equal(buf, edid(d, 0), 256);
    read_at(d, 0, buf, 511); /* the offset wraps inside its segment */
    stop(d);
    assert_memory_equal(buf, edid(d, 0), 256);
    assert_memory_equal(buf + 256, edid(d, 0), 255);
}

/* Linux writes the segment, then reads with an index, in one transfer with one stop. */
static void segment_pointer_reaches_the_later_blocks(void **state)
{
    const struct vgpu_mode wide = {4096, 2160, 30000};
    struct dfx *d = *state;
    uint8_t buf[128];

    assert_int_equal(vgpu_head_set(d->core.v, 0, true, &wide), 0);
    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    d_wr(d, R_GMBUS3, 0, 0, 1);
    d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(1) | ADDR(0x30) | SW_RDY);
    assert_true(status(d) & WAIT_PHASE);
    read_at(d, 0, buf, 128);
    stop(d);
    assert_int_equal(buf[0], 0x02);
    assert_memory_equal(buf, edid(d, 0) + 256, 128);
    /* the stop sets the segment back */
    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    read_at(d, 0, buf, 128);
    stop(d);
    assert_memory_equal(buf, edid(d, 0), 128);
}

static void offset_written_then_read(void **state)
{
    struct dfx *d = *state;
    uint8_t buf[8];

    d_wr(d, R_GMBUS0, 0, 0, head_pin[2]);
    d_wr(d, R_GMBUS3, 0, 0, 8);
    d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(1) | ADDR(EDID_ADDR) | SW_RDY);
    assert_true(status(d) & WAIT_PHASE);
    d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(8) | ADDR(EDID_ADDR) | READ | SW_RDY);
    take_data(d, buf, 8);
    stop(d);
    assert_memory_equal(buf, edid(d, 2) + 8, 8);
}

static void two_byte_index(void **state)
{
    struct dfx *d = *state;
    uint8_t buf[4];

    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    d_wr(d, R_GMBUS5, 0, 0, GT_BIT(31) | 0x0036);
    read_at(d, 0, buf, 4);
    d_wr(d, R_GMBUS5, 0, 0, 0);
    stop(d);
    assert_memory_equal(buf, edid(d, 0) + 0x36, 4);
}

static void long_writes_change_nothing(void **state)
{
    struct dfx *d = *state;
    uint8_t before[256], buf[256];

    memcpy(before, edid(d, 0), 256);
    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    d_wr(d, R_GMBUS3, 0, 0, 0);
    d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(511) | ADDR(EDID_ADDR) | SW_RDY);
    for (unsigned sent = 4; sent < 511; sent += 4) {
        assert_true(status(d) & READY);
        assert_false(status(d) & WAIT_PHASE);
        d_wr(d, R_GMBUS3, 0, 0, 0xdeadbeef);
    }
    assert_true(status(d) & WAIT_PHASE);
    d_wr(d, R_GMBUS3, 0, 0, 0xdeadbeef); /* one too many */
    stop(d);
    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    read_at(d, 0, buf, 256);
    stop(d);
    assert_memory_equal(buf, before, 256);
}

static void absent_devices_do_not_acknowledge(void **state)
{
    struct dfx *d = *state;
    static const struct {
        uint32_t pin, addr;
    } rows[] = {{5, 0x40}, {5, 0x54}, {5, 0x3a}, {5, 0},       {5, 0x7f}, {2, 0x50},
                {3, 0x50}, {7, 0x50}, {1, 0x50}, {0x1f, 0x50}, {6, 0x50}};

    vgpu_head_set(d->core.v, 2, false, NULL);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        d_wr(d, R_GMBUS0, 0, 0, rows[i].pin);
        d_wr(d, R_GMBUS1, 0, 0, WAIT | COUNT(1) | ADDR(rows[i].addr) | READ | SW_RDY);
        assert_int_equal(status(d) & (NAK | ACTIVE), NAK);
        d_wr(d, R_GMBUS1, 0, 0, SW_CLR_INT);
        assert_int_equal(status(d) & (NAK | ACTIVE | WAIT_PHASE), 0);
        d_wr(d, R_GMBUS1, 0, 0, 0);
        d_wr(d, R_GMBUS0, 0, 0, 0);
    }
}

static void in_use_is_set_by_a_read_and_cleared_by_a_one(void **state)
{
    struct dfx *d = *state;

    assert_false(status(d) & IN_USE);
    assert_true(status(d) & IN_USE);
    d_wr(d, R_GMBUS2, 0, 0, 0);
    assert_true(status(d) & IN_USE);
    d_wr(d, R_GMBUS2, 0, 0, IN_USE);
    assert_false(status(d) & IN_USE);
}

static void interrupt_is_masked_by_gmbus4(void **state)
{
    struct dfx *d = *state;

    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    d_wr(d, R_GMBUS1, 0, 0, INDEX | WAIT | COUNT(4) | ADDR(EDID_ADDR) | READ | SW_RDY);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), 0);
    d_wr(d, R_GMBUS4, 0, 0, 1);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), GT_BIT(17));
}

static void transfers_of_no_bytes_end_at_once(void **state)
{
    struct dfx *d = *state;

    d_wr(d, R_GMBUS0, 0, 0, head_pin[0]);
    d_wr(d, R_GMBUS1, 0, 0, WAIT | ADDR(EDID_ADDR) | SW_RDY);
    assert_true(status(d) & WAIT_PHASE);
    d_wr(d, R_GMBUS1, 0, 0, WAIT | ADDR(EDID_ADDR) | READ | SW_RDY);
    assert_true(status(d) & WAIT_PHASE);
    d_rd(d, R_GMBUS3, 0, 0);
    stop(d);
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

/* ---- AUX */

static void aux_times_out_at_once_for_any_length(void **state)
{
    struct dfx *d = *state;

    for (unsigned port = 0; port < 5; port++) {
        for (uint32_t len = 0; len < 32; len++) {
            d_wr(d, R_DP_AUX_CH_CTL, port, 0, GT_BIT(31) | GT_BIT(29) | len << 20 | 0x5000023f);
            uint32_t ctl = d_rd(d, R_DP_AUX_CH_CTL, port, 0);

            assert_int_equal(ctl & 0xf0000000u, GT_BIT(30) | GT_BIT(29) | GT_BIT(28));
            d_wr(d, R_DP_AUX_CH_CTL, port, 0, ctl);
            assert_int_equal(d_rd(d, R_DP_AUX_CH_CTL, port, 0) & 0xd0000000u, 0);
        }
    }
}

static void aux_done_interrupt(void **state)
{
    static const uint32_t bits[] = {GT_BIT(0), GT_BIT(25), GT_BIT(26), GT_BIT(27)};
    struct dfx *d = *state;

    d_wr(d, R_GEN8_DE_PORT_IMR, 0, 0, 0);
    for (unsigned port = 0; port < GT_ARRAY_SIZE(bits); port++) {
        d_wr(d, R_DP_AUX_CH_CTL, port, 0, GT_BIT(31));
        assert_int_equal(d_rd(d, R_GEN8_DE_PORT_IIR, 0, 0), 0);
        d_wr(d, R_DP_AUX_CH_CTL, port, 0, GT_BIT(31) | GT_BIT(29));
        assert_int_equal(d_rd(d, R_GEN8_DE_PORT_IIR, 0, 0), bits[port]);
        d_wr(d, R_GEN8_DE_PORT_IIR, 0, 0, UINT32_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DFX_TEST(each_pin_reads_its_head_s_edid),
        DFX_TEST(whole_edid_in_one_transfer),
        DFX_TEST(segment_pointer_reaches_the_later_blocks),
        DFX_TEST(offset_written_then_read),
        DFX_TEST(two_byte_index),
        DFX_TEST(long_writes_change_nothing),
        DFX_TEST(absent_devices_do_not_acknowledge),
        DFX_TEST(in_use_is_set_by_a_read_and_cleared_by_a_one),
        DFX_TEST(interrupt_is_masked_by_gmbus4),
        DFX_TEST(transfers_of_no_bytes_end_at_once),
        DFX_TEST(gpio_lines_read_as_pulled_up),
        DFX_TEST(aux_times_out_at_once_for_any_length),
        DFX_TEST(aux_done_interrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
