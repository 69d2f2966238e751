/* DisplayPort heads: AUX messages of every kind, the EDID behind them, and a link that only real training brings up. */
#include "aux_message.h"
#include "display_fixture.h"

#define EDID        0x50u
#define SEGMENT     0x30u
#define ACK         0x00u
#define NATIVE_NACK 0x10u
#define I2C_NACK    0x40u

#define DPCD_RATE    0x100u
#define DPCD_PATTERN 0x102u
#define DPCD_STATUS  0x202u
#define DPCD_POWER   0x600u

#define TP_ON    GT_BIT(31)
#define TP_PAT1  (TP_ON | 0u << 8)
#define TP_PAT2  (TP_ON | 1u << 8)
#define TP_IDLE  (TP_ON | 2u << 8)
#define TP_LIVE  (TP_ON | 3u << 8)
#define TP_PAT3  (TP_ON | 4u << 8)
#define BUF_ON   GT_BIT(31)
#define LANES(n) (((n)-1u) << 1)

/* ---- messages */

/* The whole answer into reply; its size, 0: time-out. */
static unsigned send(struct dfx *d, unsigned port, const struct aux_message *m, uint8_t reply[20])
{
    for (unsigned i = 0; i < 5; i++)
        d_wr(d, R_DP_AUX_CH_DATA, port, i, aux_word(m, i));
    d_wr(d, R_DP_AUX_CH_CTL, port, 0, aux_control(m));
    uint32_t ctl = d_rd(d, R_DP_AUX_CH_CTL, port, 0);

    assert_int_equal(ctl & (AUX_SEND | AUX_DONE | AUX_ERROR), AUX_DONE);
    d_wr(d, R_DP_AUX_CH_CTL, port, 0, ctl);
    assert_int_equal(d_rd(d, R_DP_AUX_CH_CTL, port, 0) & (AUX_DONE | AUX_TIMEOUT), 0);
    if (ctl & AUX_TIMEOUT)
        return 0;
    for (unsigned i = 0; i < 20; i++)
        reply[i] = (uint8_t)(d_rd(d, R_DP_AUX_CH_DATA, port, i / 4) >> (24 - i % 4 * 8));
    return ctl >> 20 & 0x1f;
}

/* The answer's first byte, or -1; n bytes of data follow a good one of a read. */
static int aux(struct dfx *d, unsigned head, unsigned command, uint32_t address, const void *data, void *read,
               unsigned n)
{
    const struct aux_message m = aux_message(command, address, data, n);
    uint8_t reply[20];
    unsigned got = send(d, head + 1, &m, reply);

    if (!got)
        return -1;
    if (reply[0] || data || !n) {
        assert_int_equal(got, 1);
    } else {
        assert_int_equal(got, 1 + n);
        memcpy(read, reply + 1, n);
    }
    return reply[0];
}

static void dpcd_write(struct dfx *d, unsigned head, uint32_t address, const uint8_t *bytes, unsigned n)
{
    assert_int_equal(aux(d, head, AUX_NATIVE_WRITE, address, bytes, NULL, n), ACK);
}

static void dpcd_write1(struct dfx *d, unsigned head, uint32_t address, uint8_t val)
{
    dpcd_write(d, head, address, &val, 1);
}

static void dpcd_read(struct dfx *d, unsigned head, uint32_t address, uint8_t *bytes, unsigned n)
{
    assert_int_equal(aux(d, head, AUX_NATIVE_READ, address, NULL, bytes, n), ACK);
}

static const uint8_t *edid(struct dfx *d, unsigned head)
{
    return d->core.v->display.head[head].edid;
}

static void receiver_caps(void **state)
{
    static const uint8_t expected[16] = {0x12, 0x14, 0xc4, 0x01, 0, 0, 0x01, 0, 0x02};
    struct dfx *d = *state;

    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        uint8_t caps[16], byte;

        dpcd_read(d, head, 0, caps, 16);
        assert_memory_equal(caps, expected, 16);
        dpcd_read(d, head, 0x200, &byte, 1);
        assert_int_equal(byte, 1);
        dpcd_read(d, head, 0x21, &byte, 1); /* no MST */
        assert_int_equal(byte, 0);
        dpcd_read(d, head, DPCD_POWER, &byte, 1);
        assert_int_equal(byte, 1);
    }
}

static void caps_are_read_only_and_settings_are_kept(void **state)
{
    const uint8_t junk[16] = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
    struct dfx *d = *state;
    uint8_t got[16];

    dpcd_write(d, 0, 0, junk, 16);
    dpcd_write(d, 0, 0x200, junk, 16);
    dpcd_write(d, 0, 0x100, junk, 16);
    dpcd_write(d, 0, 0x12345, junk, 16);
    dpcd_read(d, 0, 0, got, 1);
    assert_int_equal(got[0], 0x12);
    dpcd_read(d, 0, 0x202, got, 4);
    assert_memory_equal(got, "\0\0\0\0", 4);
    dpcd_read(d, 0, 0x100, got, 16);
    assert_memory_equal(got, junk, 9);
    assert_memory_equal(got + 9, "\0\0\0\0\0\0\0", 7);
    dpcd_read(d, 1, 0x100, got, 16); /* another head's */
    assert_memory_equal(got, "\0\0\0\0\0\0\0\0\0", 9);
    dpcd_read(d, 0, 0x12345, got, 1);
    assert_int_equal(got[0], 0);
}

static void addresses_end_at_20_bits(void **state)
{
    struct dfx *d = *state;
    uint8_t got[16];

    dpcd_read(d, 0, 0xffff8, got, 16);
    assert_memory_equal(got, "\0\0\0\0\0\0\0\0\x12\x14\xc4", 11); /* wraps */
}

/* ---- EDID over I2C */

static int i2c(struct dfx *d, unsigned head, unsigned command, uint32_t address, const void *data, void *read,
               unsigned n)
{
    return aux(d, head, command, address, data, read, n);
}

/* As drm_dp_helper.c drm_dp_i2c_xfer does for a block: each part begins with an address, the last one ends. */
static void read_block(struct dfx *d, unsigned head, uint8_t segment, uint8_t offset, uint8_t block[128])
{
    if (segment) {
        assert_int_equal(i2c(d, head, AUX_I2C_WRITE | AUX_MOT, SEGMENT, NULL, NULL, 0), ACK);
        assert_int_equal(i2c(d, head, AUX_I2C_WRITE | AUX_MOT, SEGMENT, &segment, NULL, 1), ACK);
    }
    assert_int_equal(i2c(d, head, AUX_I2C_WRITE | AUX_MOT, EDID, NULL, NULL, 0), ACK);
    assert_int_equal(i2c(d, head, AUX_I2C_WRITE | AUX_MOT, EDID, &offset, NULL, 1), ACK);
    assert_int_equal(i2c(d, head, AUX_I2C_READ | AUX_MOT, EDID, NULL, NULL, 0), ACK);
    for (unsigned at = 0; at < 128; at += 16)
        assert_int_equal(i2c(d, head, AUX_I2C_READ | AUX_MOT, EDID, NULL, block + at, 16), ACK);
    assert_int_equal(i2c(d, head, AUX_I2C_READ, EDID, NULL, NULL, 0), ACK);
}

static void each_channel_reads_its_head_s_edid(void **state)
{
    const struct vgpu_mode wide = {4096, 2304, 60000};
    struct dfx *d = *state;
    uint8_t block[128];

    assert_int_equal(vgpu_head_set(d->core.v, 1, true, &wide), 0);
    for (unsigned head = 0; head < VGPU_HEADS; head++) {
        read_block(d, head, 0, 0, block);
        assert_memory_equal(block, edid(d, head), 128);
        assert_int_equal(block[12], head + 1);
    }
    read_block(d, 1, 0, 128, block);
    assert_int_equal(block[0], 0x70);
    assert_memory_equal(block, edid(d, 1) + 128, 128);
    read_block(d, 0, 0, 128, block); /* it has one block only */
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(block[i], 0);
}

static void segments_lie_behind_the_edid_and_end_with_the_stop(void **state)
{
    struct dfx *d = *state;
    uint8_t block[128];

    read_block(d, 0, 1, 0, block);
    for (unsigned i = 0; i < 128; i++)
        assert_int_equal(block[i], 0);
    read_block(d, 0, 255, 255, block);
    read_block(d, 0, 0, 0, block);
    assert_memory_equal(block, edid(d, 0), 128);
}

static void a_read_goes_on_where_the_last_one_ended(void **state)
{
    struct dfx *d = *state;
    uint8_t offset = 20, part[5], want = 20;

    assert_int_equal(i2c(d, 2, AUX_I2C_WRITE, EDID, &offset, NULL, 1), ACK);
    for (unsigned n = 1; n <= 5; n++) {
        assert_int_equal(i2c(d, 2, AUX_I2C_READ | (n & 1 ? AUX_MOT : 0), EDID, NULL, part, n), ACK);
        assert_memory_equal(part, edid(d, 2) + want, n);
        want = (uint8_t)(want + n);
    }
}

static void the_eeprom_cannot_be_written(void **state)
{
    struct dfx *d = *state;
    uint8_t bytes[16] = {0}, block[128];

    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(i2c(d, 0, AUX_I2C_WRITE | AUX_MOT, EDID, bytes, NULL, 16), ACK);
    assert_int_equal(i2c(d, 0, AUX_I2C_UPDATE | AUX_MOT, EDID, bytes, NULL, 16), ACK);
    assert_int_equal(i2c(d, 0, AUX_I2C_UPDATE, EDID, NULL, NULL, 0), ACK);
    read_block(d, 0, 0, 0, block);
    assert_memory_equal(block, edid(d, 0), 128);
    assert_memory_equal(block, "\0\xff\xff\xff", 4);
}

static void other_i2c_devices_do_not_acknowledge(void **state)
{
    struct dfx *d = *state;
    uint8_t byte = 0;

    for (uint32_t address = 0; address < 0x90; address++) {
        const int want = address == EDID || address == SEGMENT ? ACK : I2C_NACK;

        assert_int_equal(i2c(d, 0, AUX_I2C_WRITE | AUX_MOT, address, NULL, NULL, 0), want);
        assert_int_equal(i2c(d, 0, AUX_I2C_WRITE, address, &byte, NULL, 1), want);
        assert_int_equal(i2c(d, 0, AUX_I2C_READ, address, NULL, &byte, 1), want);
    }
    assert_int_equal(i2c(d, 0, AUX_I2C_READ, 0x10050, NULL, &byte, 1), I2C_NACK); /* 7 bits of 20 */
}

/* ---- bad messages */

static void nobody_answers_where_no_monitor_is(void **state)
{
    const struct aux_message m = aux_message(AUX_NATIVE_READ, 0, NULL, 1);
    struct dfx *d = *state;
    uint8_t reply[20];

    vgpu_head_set(d->core.v, 1, false, NULL);
    assert_int_equal(send(d, 0, &m, reply), 0);
    assert_int_equal(send(d, 4, &m, reply), 0);
    assert_int_equal(send(d, 2, &m, reply), 0);
    assert_int_equal(send(d, 1, &m, reply), 2);
    assert_int_equal(send(d, 3, &m, reply), 2);
}

/* Sizes that contradict the message, and those that hardware does not have. */
static void malformed_messages_time_out(void **state)
{
    struct dfx *d = *state;
    uint8_t reply[20];

    for (unsigned bytes = 0; bytes < 32; bytes++) {
        for (unsigned command = 0; command < 16; command++) {
            for (unsigned length = 0; length < 256; length += length < 18 ? 1 : 79) {
                struct aux_message m = {.byte = {(uint8_t)(command << 4), 0, EDID, (uint8_t)length}};
                const bool reads = command & 1, update = (command & 0xb) == AUX_I2C_UPDATE;
                const bool good =
                    bytes == 3 ||
                    (length < 16 && ((bytes == 4 && (reads || update)) || (bytes == 5 + length && !reads)));

                m.bytes = bytes;
                assert_int_equal(send(d, 1, &m, reply) > 0, good && bytes <= 20);
            }
        }
    }
}

static void native_messages_without_data_or_with_unknown_commands_are_refused(void **state)
{
    struct dfx *d = *state;
    uint8_t byte = 1;

    assert_int_equal(aux(d, 0, AUX_NATIVE_READ, 0, NULL, NULL, 0), NATIVE_NACK);
    assert_int_equal(aux(d, 0, AUX_NATIVE_WRITE, 0, NULL, NULL, 0), NATIVE_NACK);
    for (unsigned command = 0xa; command < 0x10; command++)
        assert_int_equal(aux(d, 0, command, 0x100, command & 1 ? NULL : &byte, &byte, 1), NATIVE_NACK);
    assert_int_equal(aux(d, 0, 3, EDID, NULL, &byte, 1), I2C_NACK);
}

static void done_interrupt_is_the_port_s(void **state)
{
    static const uint32_t bits[] = {GT_BIT(0), GT_BIT(25), GT_BIT(26), GT_BIT(27), 0};
    const struct aux_message m = aux_message(AUX_NATIVE_READ, 0, NULL, 1);
    struct dfx *d = *state;

    d_wr(d, R_GEN8_DE_PORT_IMR, 0, 0, 0);
    for (unsigned port = 0; port < GT_ARRAY_SIZE(bits); port++) {
        d_wr(d, R_DP_AUX_CH_CTL, port, 0, aux_control(&m) & ~AUX_IRQ);
        assert_int_equal(d_rd(d, R_GEN8_DE_PORT_IIR, 0, 0), 0);
        d_wr(d, R_DP_AUX_CH_CTL, port, 0, aux_control(&m));
        assert_int_equal(d_rd(d, R_GEN8_DE_PORT_IIR, 0, 0), bits[port]);
        d_wr(d, R_GEN8_DE_PORT_IIR, 0, 0, UINT32_MAX);
    }
}

/* ---- training */

/* PLL 1 (LCPLL2) in DisplayPort mode for a port; rate as in DPLL_CTRL1: 0 HBR2, 1 HBR, 2 RBR. */
static void dp_pll(struct dfx *d, unsigned port, uint32_t rate)
{
    d_wr(d, R_DPLL_CTRL1, 0, 0, 1u << 6 | rate << 7);
    d_wr(d, R_LCPLL2_CTL, 0, 0, GT_BIT(31));
    d_wr(d, R_DPLL_CTRL2, 0, 0, 1u << (port * 3) | 1u << (port * 3 + 1));
}

static uint32_t link_status(struct dfx *d, unsigned head)
{
    uint8_t s[4], again[4];

    dpcd_read(d, head, DPCD_STATUS, s, 4);
    dpcd_read(d, head, 0x200c, again, 4);
    assert_memory_equal(s, again, 4);
    return s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24;
}

/* Port and receiver ready, not yet trained. */
static void begin(struct dfx *d, unsigned head, uint8_t bw, uint32_t pll_rate, unsigned lanes)
{
    const uint8_t set[2] = {bw, (uint8_t)(0x80 | lanes)};

    dp_pll(d, head + 1, pll_rate);
    dpcd_write1(d, head, DPCD_POWER, 1);
    d_wr(d, R_DP_TP_CTL, head + 1, 0, TP_PAT1);
    d_wr(d, R_DDI_BUF_CTL, head + 1, 0, BUF_ON | LANES(lanes));
    dpcd_write(d, head, DPCD_RATE, set, 2);
}

/* In i915's order: the port first, then the receiver. */
static void train(struct dfx *d, unsigned head)
{
    const uint8_t first[5] = {0x21}, second[5] = {0x23};

    dpcd_write(d, head, DPCD_PATTERN, first, 5);
    d_wr(d, R_DP_TP_CTL, head + 1, 0, TP_PAT3);
    dpcd_write(d, head, DPCD_PATTERN, second, 5);
    d_wr(d, R_DP_TP_CTL, head + 1, 0, TP_IDLE);
    dpcd_write1(d, head, DPCD_PATTERN, 0);
    d_wr(d, R_DP_TP_CTL, head + 1, 0, TP_LIVE);
}

static void a_link_is_trained_in_two_steps(void **state)
{
    struct dfx *d = *state;
    const uint8_t first[5] = {0x21}, second[5] = {0x23};

    begin(d, 1, 0x14, 0, 4);
    assert_int_equal(link_status(d, 1), 0);
    dpcd_write(d, 1, DPCD_PATTERN, first, 5);
    assert_int_equal(link_status(d, 1), 0x1111);
    d_wr(d, R_DP_TP_CTL, 2, 0, TP_PAT3);
    assert_int_equal(link_status(d, 1), 0x1111);
    dpcd_write(d, 1, DPCD_PATTERN, second, 5);
    assert_int_equal(link_status(d, 1), 0x17777);
    assert_int_equal(d_rd(d, R_DP_TP_STATUS, 2, 0), 0);
    d_wr(d, R_DP_TP_CTL, 2, 0, TP_IDLE);
    assert_int_equal(d_rd(d, R_DP_TP_STATUS, 2, 0), GT_BIT(25));
    assert_int_equal(link_status(d, 1), 0x17777);
    dpcd_write1(d, 1, DPCD_PATTERN, 0);
    d_wr(d, R_DP_TP_CTL, 2, 0, TP_LIVE);
    assert_int_equal(link_status(d, 1), 0x1017777);
    assert_int_equal(link_status(d, 0), 0);
}

static void every_rate_and_width_trains(void **state)
{
    static const struct {
        uint8_t bw;
        uint32_t pll;
    } rates[] = {{0x06, 2}, {0x0a, 1}, {0x14, 0}};
    static const uint32_t lanes[][2] = {{1, 0x1010007}, {2, 0x1010077}, {4, 0x1017777}};
    struct dfx *d = *state;

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rates); i++) {
        for (unsigned n = 0; n < GT_ARRAY_SIZE(lanes); n++) {
            begin(d, i, rates[i].bw, rates[i].pll, lanes[n][0]);
            train(d, i);
            assert_int_equal(link_status(d, i), lanes[n][1]);
        }
    }
}

/* Each is one thing that is not as the receiver was told. */
static void a_source_that_is_set_up_wrongly_does_not_train(void **state)
{
    struct dfx *d = *state;

    begin(d, 0, 0x14, 1, 4); /* PLL at another rate */
    train(d, 0);
    assert_int_equal(link_status(d, 0), 0);
    begin(d, 0, 0x14, 3, 4); /* 3.24 Gb/s, which is no rate of a receiver */
    train(d, 0);
    assert_int_equal(link_status(d, 0), 0);
    begin(d, 0, 0x14, 0, 4);
    d_wr(d, R_DDI_BUF_CTL, 1, 0, BUF_ON | LANES(2));
    train(d, 0);
    assert_int_equal(link_status(d, 0), 0);
    begin(d, 0, 0x14, 0, 3); /* lanes come in 1, 2, 4 */
    train(d, 0);
    assert_int_equal(link_status(d, 0), 0);
    begin(d, 0, 0, 7, 4);
    train(d, 0);
    assert_int_equal(link_status(d, 0), 0);
    begin(d, 0, 0x14, 0, 4);
    dpcd_write1(d, 0, DPCD_PATTERN, 3); /* without clock recovery */
    d_wr(d, R_DP_TP_CTL, 1, 0, TP_PAT3);
    assert_int_equal(link_status(d, 0), 0);
    dpcd_write1(d, 0, DPCD_PATTERN, 1); /* the port sends pattern 3 */
    assert_int_equal(link_status(d, 0), 0);
}

static void break_link(struct dfx *d, unsigned how)
{
    switch (how) {
    case 0:
        d_wr(d, R_DDI_BUF_CTL, 1, 0, 0);
        break;
    case 1:
        d_wr(d, R_DP_TP_CTL, 1, 0, 0);
        break;
    case 2:
        dpcd_write1(d, 0, DPCD_POWER, 2);
        break;
    case 3:
        d_wr(d, R_LCPLL2_CTL, 0, 0, 0);
        break;
    case 4:
        d_wr(d, R_DPLL_CTRL1, 0, 0, 1u << 6 | 1u << 7);
        break;
    case 5:
        d_wr(d, R_DPLL_CTRL2, 0, 0, GT_BIT(16));
        break;
    case 6:
        dpcd_write1(d, 0, DPCD_RATE, 0x0a);
        break;
    case 7:
        vgpu_head_set(d->core.v, 0, false, NULL);
        vgpu_head_set(d->core.v, 0, true, NULL);
        break;
    default:
        vgpu_reset(d->core.v);
    }
}

static void a_link_is_lost_with_its_signal_and_does_not_come_back(void **state)
{
    struct dfx *d = *state;

    for (unsigned how = 0; how < 9; how++) {
        begin(d, 0, 0x14, 0, 4);
        train(d, 0);
        assert_int_equal(link_status(d, 0), 0x1017777);
        break_link(d, how);
        assert_int_equal(link_status(d, 0), 0);
        if (how < 7)
            begin(d, 0, 0x14, 0, 4);
        assert_int_equal(link_status(d, 0), 0);
    }
}

static void a_new_mode_keeps_the_link(void **state)
{
    const struct vgpu_mode mode = {2560, 1440, 120000};
    struct dfx *d = *state;
    uint8_t block[128];

    begin(d, 0, 0x14, 0, 4);
    train(d, 0);
    assert_int_equal(vgpu_head_set(d->core.v, 0, true, &mode), 0);
    assert_int_equal(link_status(d, 0), 0x1017777);
    read_block(d, 0, 0, 0, block);
    assert_int_equal(block[54] | block[55] << 8, 49776);
}

/* An EDID of the user's with eight blocks: the later ones lie behind the segment pointer. */
static void given_edid(uint8_t edid[VGPU_EDID_MAX])
{
    vgpu_edid_build(&(struct vgpu_mode){1280, 720, 60000}, 9, edid);
    edid[126] = 7;
    edid[127] = (uint8_t)(edid[127] - 7);
    for (unsigned block = 1; block < 8; block++) {
        memset(edid + block * 128, 0, 128);
        edid[block * 128] = (uint8_t)block;
        edid[block * 128 + 127] = (uint8_t)-block;
    }
}

static void an_edid_that_was_given_is_read_whole(void **state)
{
    struct dfx *d = *state;
    uint8_t edid[VGPU_EDID_MAX], block[128];
    struct vgpu_mode mode;

    given_edid(edid);
    d_wr(d, R_PCH_PORT_HOTPLUG, 0, 0, 0x101010);
    assert_int_equal(vgpu_head_set_edid(d->core.v, 1, edid, sizeof(edid)), 0);
    assert_true(d_rd(d, R_SDEIIR, 0, 0) & GT_BIT(22));
    for (unsigned n = 0; n < 8; n++) {
        read_block(d, 1, (uint8_t)(n / 2), (uint8_t)(n % 2 * 128), block);
        assert_memory_equal(block, edid + n * 128, 128);
    }
    assert_true(vgpu_head_get(d->core.v, 1, &mode));
    assert_int_equal(mode.width, 1280);
    /* the same once more is none; the same mode by itself is another monitor */
    d_wr(d, R_SDEIIR, 0, 0, UINT32_MAX);
    assert_int_equal(vgpu_head_set_edid(d->core.v, 1, edid, sizeof(edid)), 0);
    assert_int_equal(d_rd(d, R_SDEIIR, 0, 0), 0);
    assert_int_equal(vgpu_head_set(d->core.v, 1, true, &mode), 0);
    assert_true(d_rd(d, R_SDEIIR, 0, 0) & GT_BIT(22));
    read_block(d, 1, 0, 128, block);
    assert_int_equal(block[0], 0);
}

static void edids_that_are_not_whole_are_refused(void **state)
{
    struct dfx *d = *state;
    uint8_t edid[VGPU_EDID_MAX], block[128];

    given_edid(edid);
    assert_int_equal(vgpu_head_set_edid(d->core.v, VGPU_HEADS, edid, sizeof(edid)), -EINVAL);
    assert_int_equal(vgpu_head_set_edid(d->core.v, 0, edid, 128), -EINVAL);
    assert_int_equal(vgpu_head_set_edid(d->core.v, 0, edid, 0), -EINVAL);
    edid[300] ^= 1;
    assert_int_equal(vgpu_head_set_edid(d->core.v, 0, edid, sizeof(edid)), -EINVAL);
    read_block(d, 0, 0, 0, block);
    assert_int_equal(block[12], 1);
}

/* ---- pictures */

static void refresh_comes_from_the_link_s_ratio(void **state)
{
    struct dfx *d = *state;
    const struct dfx_mode m = {497760000, 2560, 2720, 1440, 1525};
    struct vgpu_scanout s;

    dp_pll(d, 2, 0);
    d_timings(d, 0, &m);
    d_wr(d, R_TRANS_M_N, 0, 4, 49776);
    d_wr(d, R_TRANS_M_N, 0, 5, 54000);
    d_wr(d, R_TRANS_DDI_FUNC_CTL, 0, 0, GT_BIT(31) | 2u << 28 | 2u << 24 | LANES(4));
    d_wr(d, R_TRANSCONF, 0, 0, GT_BIT(31));
    assert_true(vgpu_scanout(d->core.v, 0, &s));
    assert_int_equal(s.mhz, 120000);
    assert_int_equal(vgpu_head_pipe(d->core.v, 1), 0);
}

static void ratios_without_sense_leave_the_mode_s_refresh(void **state)
{
    static const uint32_t rows[][2] = {{0, 1}, {1, 0}, {0xffffff, 1}, {1, 0xffffff}, {0, 0}};
    struct dfx *d = *state;
    struct vgpu_scanout s;

    dp_pll(d, 1, 0);
    d_timings(d, 0, &mode_xga60);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        d_wr(d, R_TRANS_M_N, 0, 4, rows[i][0]);
        d_wr(d, R_TRANS_M_N, 0, 5, rows[i][1]);
        d_wr(d, R_TRANS_DDI_FUNC_CTL, 0, 0, GT_BIT(31) | 1u << 28 | 2u << 24);
        d_wr(d, R_TRANSCONF, 0, 0, GT_BIT(31));
        assert_true(vgpu_scanout(d->core.v, 0, &s));
        assert_int_equal(s.mhz, 60000);
        d_wr(d, R_TRANSCONF, 0, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DFX_TEST(receiver_caps),
        DFX_TEST(caps_are_read_only_and_settings_are_kept),
        DFX_TEST(addresses_end_at_20_bits),
        DFX_TEST(each_channel_reads_its_head_s_edid),
        DFX_TEST(segments_lie_behind_the_edid_and_end_with_the_stop),
        DFX_TEST(a_read_goes_on_where_the_last_one_ended),
        DFX_TEST(the_eeprom_cannot_be_written),
        DFX_TEST(other_i2c_devices_do_not_acknowledge),
        DFX_TEST(nobody_answers_where_no_monitor_is),
        DFX_TEST(malformed_messages_time_out),
        DFX_TEST(native_messages_without_data_or_with_unknown_commands_are_refused),
        DFX_TEST(done_interrupt_is_the_port_s),
        DFX_TEST(a_link_is_trained_in_two_steps),
        DFX_TEST(every_rate_and_width_trains),
        DFX_TEST(a_source_that_is_set_up_wrongly_does_not_train),
        DFX_TEST(a_link_is_lost_with_its_signal_and_does_not_come_back),
        DFX_TEST(a_new_mode_keeps_the_link),
        DFX_TEST(an_edid_that_was_given_is_read_whole),
        DFX_TEST(edids_that_are_not_whole_are_refused),
        DFX_TEST(refresh_comes_from_the_link_s_ratio),
        DFX_TEST(ratios_without_sense_leave_the_mode_s_refresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
