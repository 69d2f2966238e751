/*
 * The ways to a monitor's EDID: the GMBUS controller, bit-banged GPIOs (nobody answers) and AUX channels (time out).
 */
#include <string.h>

#include "vgpu/device.h"

/* intel_gmbus_regs.h */
#define GMBUS0_PIN(val)     ((val)&0x1fu)
#define CMD_CLEAR           GT_BIT(31)
#define CMD_READY           GT_BIT(30)
#define CMD_STOP            GT_BIT(27)
#define CMD_INDEX           GT_BIT(26)
#define CMD_WAIT            GT_BIT(25)
#define CMD_COUNT(val)      gt_field(val, 24, 16)
#define CMD_INDEX_BYTE(val) gt_field(val, 15, 8)
#define CMD_ADDRESS(val)    gt_field(val, 7, 1)
#define CMD_READ            GT_BIT(0)
#define ST_IN_USE           GT_BIT(15)
#define ST_WAIT_PHASE       GT_BIT(14)
#define ST_READY            GT_BIT(11)
#define ST_NAK              GT_BIT(10)
#define ST_ACTIVE           GT_BIT(9)
#define ST_COUNT            0x1ffu
#define IRQ_NAK             GT_BIT(3)
#define IRQ_IDLE            GT_BIT(2)
#define IRQ_WAIT_PHASE      GT_BIT(1)
#define IRQ_READY           GT_BIT(0)
#define INDEX_2_BYTES       GT_BIT(31)
#define SDE_GMBUS           GT_BIT(17) /* i915_reg.h SDE_GMBUS_CPT */

/* VESA E-DDC 1.2 */
#define DDC_EEPROM  0x50u
#define DDC_SEGMENT 0x30u

/* intel_gmbus_regs.h GPIO: a value bit counts only when its mask bit is written with it */
#define GPIO_LINES      2u
#define GPIO_SHIFT(i)   ((i)*8u)
#define GPIO_DIR_MASK   GT_BIT(0)
#define GPIO_DIR_OUT    GT_BIT(1)
#define GPIO_VAL_MASK   GT_BIT(2)
#define GPIO_VAL_OUT    GT_BIT(3)
#define GPIO_VAL_IN     GT_BIT(4)
#define GPIO_PULLUP_OFF GT_BIT(5)

/* intel_dp_aux_regs.h DP_AUX_CH_CTL */
#define AUX_BUSY      GT_BIT(31)
#define AUX_DONE      GT_BIT(30)
#define AUX_INTERRUPT GT_BIT(29)
#define AUX_TIMEOUT   GT_BIT(28)

/* ---- GMBUS */

/* The connected head behind pin pair 4, 5 or 6 (intel_gmbus_regs.h GMBUS_PIN_DPC, DPB, DPD), or -1. */
static int pin_head(struct vgpu *v, uint32_t pin)
{
    static const int8_t heads[3] = {1, 0, 2};

    if (pin < 4 || pin > 6 || !v->display.head[heads[pin - 4]].connected)
        return -1;
    return heads[pin - 4];
}

static void interrupt(struct vgpu *v)
{
    uint32_t status = vgpu_reg_get(v, R_GMBUS2, 0);
    uint32_t mask = vgpu_reg_get(v, R_GMBUS4, 0);

    if (((mask & IRQ_NAK) && (status & ST_NAK)) || ((mask & IRQ_IDLE) && !(status & ST_ACTIVE)) ||
        ((mask & IRQ_WAIT_PHASE) && (status & ST_WAIT_PHASE)) || ((mask & IRQ_READY) && (status & ST_READY)))
        vgpu_irq_pch(v, SDE_GMBUS);
}

static void set_status(struct vgpu *v, uint32_t bits)
{
    uint32_t *status = vgpu_reg(v, R_GMBUS2, 0, 0);

    *status = (*status & ST_IN_USE) | bits;
}

/* Every access moves the transfer on. */
static void note(struct vgpu *v)
{
    vgpu_note(v, &v->display.gmbus, sizeof(v->display.gmbus));
    vgpu_note(v, vgpu_reg(v, R_GMBUS2, 0, 0), sizeof(uint32_t));
    vgpu_note(v, vgpu_reg(v, R_GMBUS3, 0, 0), sizeof(uint32_t));
}

static void bus_stop(struct vgpu *v)
{
    struct vgpu_gmbus *g = &v->display.gmbus;

    memset(g, 0, sizeof(*g));
    set_status(v, ST_READY);
}

/* Status in the middle of a transfer, or at its end. */
static void progress(struct vgpu *v)
{
    struct vgpu_gmbus *g = &v->display.gmbus;

    if (g->left) {
        set_status(v, ST_ACTIVE | ST_READY | (g->left & ST_COUNT));
    } else if (g->stop) {
        bus_stop(v);
        /* i915 waits for the wait phase after every transfer, with or without a stop. */
        set_status(v, ST_READY | ST_WAIT_PHASE);
    } else {
        set_status(v, ST_ACTIVE | ST_READY | ST_WAIT_PHASE);
    }
}

static uint8_t device_read(struct vgpu *v)
{
    struct vgpu_gmbus *g = &v->display.gmbus;
    const struct vgpu_head *h = &v->display.head[g->head];
    unsigned at = g->segment * 256u + g->offset;

    if (g->address != DDC_EEPROM)
        return 0xff;
    g->offset++;
    return at < h->edid_size ? h->edid[at] : 0;
}

static void device_write(struct vgpu_gmbus *g, uint8_t byte)
{
    if (g->address == DDC_SEGMENT)
        g->segment = byte;
    else if (g->offset_next)
        g->offset = byte;
    g->offset_next = false;
}

static void data_write(struct vgpu *v, uint32_t val)
{
    struct vgpu_gmbus *g = &v->display.gmbus;

    for (unsigned i = 0; i < 4 && g->left; i++, g->left--)
        device_write(g, (uint8_t)(val >> (8 * i)));
    progress(v);
}

static uint32_t data_read(struct vgpu *v)
{
    struct vgpu_gmbus *g = &v->display.gmbus;
    uint32_t val = 0;

    if (!g->busy || !g->reading || !g->left)
        return vgpu_reg_get(v, R_GMBUS3, 0);
    for (unsigned i = 0; i < 4 && g->left; i++, g->left--)
        val |= (uint32_t)device_read(v) << (8 * i);
    *vgpu_reg(v, R_GMBUS3, 0, 0) = val;
    progress(v);
    interrupt(v);
    return val;
}

/* The index cycle writes the EEPROM's offset before the transfer; of a two byte index the last byte stays. */
static void set_index(struct vgpu *v, uint32_t cmd)
{
    uint32_t two = vgpu_reg_get(v, R_GMBUS5, 0);

    if (!(cmd & CMD_INDEX))
        return;
    v->display.gmbus.offset = (uint8_t)((two & INDEX_2_BYTES) ? two : CMD_INDEX_BYTE(cmd));
    v->display.gmbus.offset_next = false;
}

static void transfer(struct vgpu *v, uint32_t cmd)
{
    struct vgpu_gmbus *g = &v->display.gmbus;
    int head = pin_head(v, GMBUS0_PIN(vgpu_reg_get(v, R_GMBUS0, 0)));
    uint32_t address = CMD_ADDRESS(cmd);

    if (head < 0 || (address != DDC_EEPROM && address != DDC_SEGMENT)) {
        bus_stop(v);
        set_status(v, ST_NAK);
        return;
    }
    g->busy = true;
    g->head = (uint8_t)head;
    g->address = (uint8_t)address;
    g->reading = cmd & CMD_READ;
    g->stop = cmd & CMD_STOP;
    g->left = (uint16_t)CMD_COUNT(cmd);
    g->offset_next = true;
    set_index(v, cmd);
    if (g->reading)
        progress(v);
    else
        data_write(v, vgpu_reg_get(v, R_GMBUS3, 0));
}

static void command(struct vgpu *v, uint32_t cmd)
{
    if (cmd & CMD_CLEAR) {
        bus_stop(v);
        set_status(v, 0);
    } else if (cmd & CMD_READY) {
        if (cmd & (CMD_WAIT | CMD_INDEX))
            transfer(v, cmd);
        else if (cmd & CMD_STOP)
            bus_stop(v);
    }
}

void reg_write_GMBUS(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    struct vgpu_gmbus *g = &v->display.gmbus;

    (void)old;
    note(v);
    if (ref->row == &reg_table[R_GMBUS0] && !GMBUS0_PIN(val))
        bus_stop(v);
    else if (ref->row == &reg_table[R_GMBUS1])
        command(v, val);
    else if (ref->row == &reg_table[R_GMBUS3] && g->busy && !g->reading && g->left)
        data_write(v, val);
    interrupt(v);
}

uint32_t reg_read_GMBUS(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    note(v);
    if (ref->row == &reg_table[R_GMBUS3])
        return data_read(v);
    if (ref->row == &reg_table[R_GMBUS2])
        v->regs[ref->off / 4] |= ST_IN_USE;
    return stored;
}

void vgpu_gmbus_reset(struct vgpu *v)
{
    bus_stop(v);
    *vgpu_reg(v, R_GMBUS2, 0, 0) = ST_READY;
}

/* ---- GPIO */

static uint32_t gpio_line(uint32_t old, uint32_t val)
{
    uint32_t now = val & GPIO_PULLUP_OFF;

    now |= ((val & GPIO_DIR_MASK) ? val : old) & GPIO_DIR_OUT;
    now |= ((val & GPIO_VAL_MASK) ? val : old) & GPIO_VAL_OUT;
    return now;
}

void reg_write_GPIO(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    uint32_t now = 0;

    for (unsigned i = 0; i < GPIO_LINES; i++)
        now |= gpio_line(old >> GPIO_SHIFT(i), val >> GPIO_SHIFT(i)) << GPIO_SHIFT(i);
    v->regs[ref->off / 4] = now;
}

/* No device pulls a line down: it is low only while the guest drives it so. */
uint32_t reg_read_GPIO(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    (void)v;
    (void)ref;
    for (unsigned i = 0; i < GPIO_LINES; i++) {
        uint32_t line = stored >> GPIO_SHIFT(i);

        if (!(line & GPIO_DIR_OUT) || (line & GPIO_VAL_OUT))
            stored |= GPIO_VAL_IN << GPIO_SHIFT(i);
    }
    return stored;
}

/* ---- AUX */

/* Nobody listens on any port. The time-out is reported at once, whatever the message. */
void reg_write_AUX_CTL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    /* i915_reg.h GEN8_AUX_CHANNEL_A, GEN9_AUX_CHANNEL_B..D, CNL_AUX_CHANNEL_E has no Gen9 counterpart */
    static const uint32_t done[5] = {GT_BIT(0), GT_BIT(25), GT_BIT(26), GT_BIT(27), 0};

    (void)old;
    if (!(val & AUX_BUSY))
        return;
    v->regs[ref->off / 4] = (val & ~AUX_BUSY) | AUX_DONE | AUX_TIMEOUT;
    if ((val & AUX_INTERRUPT) && done[ref->unit])
        vgpu_irq_port(v, done[ref->unit]);
}
