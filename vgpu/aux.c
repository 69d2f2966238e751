/*
 * AUX channels: messages to the DPCD of a head's monitor, and to the I2C bus with its EDID. VESA DisplayPort 1.2,
 * section 2.7; VESA E-DDC 1.2. A message is whole in the channel's registers when it is sent, and its answer is there
 * at once.
 */
#include <string.h>

#include "vgpu/device.h"

/* intel_dp_aux_regs.h DP_AUX_CH_CTL */
#define AUX_BUSY       GT_BIT(31)
#define AUX_DONE       GT_BIT(30)
#define AUX_INTERRUPT  GT_BIT(29)
#define AUX_TIMEOUT    GT_BIT(28)
#define AUX_SIZE(ctl)  gt_field(ctl, 24, 20)
#define AUX_SIZE_SHIFT 20
#define AUX_SIZE_MASK  (0x1fu << AUX_SIZE_SHIFT)

#define AUX_REGS     5u
#define AUX_BYTES    (4 * AUX_REGS)
#define AUX_HEADER   4u /* command and 20 bit address, length */
#define AUX_BARE     3u /* without length: an I2C start or stop */
#define AUX_DATA_MAX 16u
#define FIRST_PORT   1u /* head 0 is DDI B */

/* The command, bits 7:4 of the first byte of a message. */
#define COMMAND_NATIVE 0x8u
#define COMMAND_MOT    0x4u /* I2C: the transaction goes on after this message */
#define COMMAND_READ   0x1u
#define COMMAND_UPDATE 0x2u /* I2C: what became of the last write? */

/* The first byte of an answer. */
#define ACK         0x00u
#define NATIVE_NACK 0x10u
#define I2C_NACK    0x40u

/* VESA E-DDC 1.2 */
#define DDC_EEPROM  0x50u
#define DDC_SEGMENT 0x30u

struct message {
    uint8_t command;
    uint32_t address;
    unsigned size; /* of the data asked for or given; 0: the message is an address only */
    uint8_t data[AUX_DATA_MAX];
};

struct answer {
    unsigned size; /* 0: there is none */
    uint8_t byte[AUX_BYTES];
};

/* False: no receiver would know what to answer. */
static bool parse(const uint8_t *raw, unsigned n, struct message *m)
{
    if (n < AUX_BARE || n > AUX_BYTES)
        return false;
    *m = (struct message){.command = raw[0] >> 4, .address = (raw[0] & 0xfu) << 16 | (uint32_t)raw[1] << 8 | raw[2]};
    if (n == AUX_BARE)
        return true;
    m->size = raw[3] + 1u;
    if (m->size > AUX_DATA_MAX)
        return false;
    /* i915 repeats the data where it asks for the state of a write; the standard has none there. */
    const bool update = !(m->command & COMMAND_NATIVE) && (m->command & ~COMMAND_MOT) == COMMAND_UPDATE;

    if (n == AUX_HEADER)
        return update || (m->command & COMMAND_READ);
    memcpy(m->data, raw + AUX_HEADER, n - AUX_HEADER);
    return n == AUX_HEADER + m->size && !(m->command & COMMAND_READ);
}

static void native(struct vgpu *v, unsigned head, const struct message *m, struct answer *a)
{
    if (!m->size || (m->command & (COMMAND_MOT | COMMAND_UPDATE))) {
        a->byte[0] = NATIVE_NACK;
        return;
    }
    for (unsigned i = 0; i < m->size; i++) {
        const uint32_t address = (m->address + i) & 0xfffff;

        if (m->command & COMMAND_READ)
            a->byte[a->size++] = vgpu_dpcd_read(v, head, address);
        else
            vgpu_dpcd_write(v, head, address, m->data[i]);
    }
}

/* ---- I2C */

static uint8_t ddc_read(struct vgpu_head *h)
{
    const unsigned at = h->ddc.segment * 256u + h->ddc.offset;

    if (h->ddc.address != DDC_EEPROM)
        return 0xff;
    h->ddc.offset++;
    return at < h->edid_size ? h->edid[at] : 0;
}

static void ddc_write(struct vgpu_ddc *d, uint8_t byte)
{
    if (d->address == DDC_SEGMENT)
        d->segment = byte;
    else if (d->offset_next)
        d->offset = byte;
    d->offset_next = false;
}

static void ddc_stop(struct vgpu_ddc *d)
{
    d->open = false;
    d->segment = 0;
}

static void ddc_start(struct vgpu_ddc *d, const struct message *m)
{
    d->open = true;
    d->address = (uint8_t)m->address;
    d->reading = m->command & COMMAND_READ;
    d->offset_next = true;
}

/* A message to the same address in the same direction goes on with what the last one began; all others start anew. */
static void i2c(struct vgpu_head *h, const struct message *m, struct answer *a)
{
    struct vgpu_ddc *d = &h->ddc;
    const bool reading = m->command & COMMAND_READ, update = m->command & COMMAND_UPDATE;

    if ((m->address != DDC_EEPROM && m->address != DDC_SEGMENT) || (reading && update)) {
        ddc_stop(d);
        a->byte[0] = I2C_NACK;
        return;
    }
    if (!m->size || !d->open || d->address != m->address || d->reading != reading)
        ddc_start(d, m);
    for (unsigned i = 0; i < m->size && !update; i++) {
        if (reading)
            a->byte[a->size++] = ddc_read(h);
        else
            ddc_write(d, m->data[i]);
    }
    if (!(m->command & COMMAND_MOT))
        ddc_stop(d);
}

/* ---- the channel */

static void transact(struct vgpu *v, unsigned port, const uint8_t *raw, unsigned n, struct answer *a)
{
    struct message m;
    const unsigned head = port - FIRST_PORT;

    if (port < FIRST_PORT || head >= VGPU_HEADS || !v->display.head[head].connected || !parse(raw, n, &m))
        return;
    struct vgpu_head *h = &v->display.head[head];

    *a = (struct answer){.size = 1, .byte = {ACK}};
    vgpu_note(v, &h->link, sizeof(h->link));
    vgpu_note(v, &h->ddc, sizeof(h->ddc));
    if (m.command & COMMAND_NATIVE) {
        vgpu_dp_signal(v, head);
        native(v, head, &m, a);
    } else {
        i2c(h, &m, a);
    }
}

/* The first byte of a message is the highest one of the first register. */
static void take(struct vgpu *v, unsigned port, uint8_t raw[AUX_BYTES])
{
    for (unsigned i = 0; i < AUX_BYTES; i++)
        raw[i] = (uint8_t)(*vgpu_reg(v, R_DP_AUX_CH_DATA, port, i / 4) >> (24 - i % 4 * 8));
}

static void give(struct vgpu *v, unsigned port, const struct answer *a)
{
    uint32_t *reg = vgpu_reg(v, R_DP_AUX_CH_DATA, port, 0);

    vgpu_note(v, reg, AUX_BYTES);
    for (unsigned i = 0; i < AUX_REGS; i++) {
        const uint8_t *b = a->byte + 4 * i;

        reg[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
}

void reg_write_AUX_CTL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    /* i915_reg.h GEN8_AUX_CHANNEL_A, GEN9_AUX_CHANNEL_B..D, CNL_AUX_CHANNEL_E has no Gen9 counterpart */
    static const uint32_t done[] = {GT_BIT(0), GT_BIT(25), GT_BIT(26), GT_BIT(27), 0};
    uint8_t raw[AUX_BYTES];
    struct answer a = {0};

    (void)old;
    if (!(val & AUX_BUSY))
        return;
    take(v, ref->unit, raw);
    transact(v, ref->unit, raw, AUX_SIZE(val), &a);
    val = (val & ~AUX_BUSY) | AUX_DONE;
    if (a.size) {
        give(v, ref->unit, &a);
        val = (val & ~AUX_SIZE_MASK) | a.size << AUX_SIZE_SHIFT;
    } else {
        val |= AUX_TIMEOUT;
    }
    v->regs[ref->off / 4] = val;
    if ((val & AUX_INTERRUPT) && done[ref->unit])
        vgpu_irq_port(v, done[ref->unit]);
}
