/*
 * The DDC pins of the ports: the GMBUS controller and bit-banged GPIOs. All monitors are behind DisplayPort (aux.c):
 * nobody answers here.
 */
#include "vgpu/device.h"

/* intel_gmbus_regs.h */
#define CMD_CLEAR GT_BIT(31)
#define CMD_READY GT_BIT(30)
#define CMD_STOP  GT_BIT(27)
#define CMD_INDEX GT_BIT(26)
#define CMD_WAIT  GT_BIT(25)
#define ST_IN_USE GT_BIT(15)
#define ST_READY  GT_BIT(11)
#define ST_NAK    GT_BIT(10)
#define IRQ_NAK   GT_BIT(3)
#define IRQ_IDLE  GT_BIT(2)
#define IRQ_READY GT_BIT(0)
#define SDE_GMBUS GT_BIT(17) /* i915_reg.h SDE_GMBUS_CPT */

/* intel_gmbus_regs.h GPIO: a value bit counts only when its mask bit is written with it */
#define GPIO_LINES      2u
#define GPIO_SHIFT(i)   ((i)*8u)
#define GPIO_DIR_MASK   GT_BIT(0)
#define GPIO_DIR_OUT    GT_BIT(1)
#define GPIO_VAL_MASK   GT_BIT(2)
#define GPIO_VAL_OUT    GT_BIT(3)
#define GPIO_VAL_IN     GT_BIT(4)
#define GPIO_PULLUP_OFF GT_BIT(5)

/* ---- GMBUS */

static void interrupt(struct vgpu *v)
{
    uint32_t status = vgpu_reg_get(v, R_GMBUS2, 0);
    uint32_t mask = vgpu_reg_get(v, R_GMBUS4, 0);

    if ((mask & IRQ_IDLE) || ((mask & IRQ_NAK) && (status & ST_NAK)) || ((mask & IRQ_READY) && (status & ST_READY)))
        vgpu_irq_pch(v, SDE_GMBUS);
}

static void set_status(struct vgpu *v, uint32_t bits)
{
    uint32_t *status = vgpu_reg(v, R_GMBUS2, 0, 0);

    *status = (*status & ST_IN_USE) | bits;
}

static void command(struct vgpu *v, uint32_t cmd)
{
    if (cmd & CMD_CLEAR)
        set_status(v, 0);
    else if ((cmd & CMD_READY) && (cmd & (CMD_WAIT | CMD_INDEX)))
        set_status(v, ST_NAK);
    else if ((cmd & CMD_READY) && (cmd & CMD_STOP))
        set_status(v, ST_READY);
}

void reg_write_GMBUS1(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    (void)ref;
    (void)old;
    command(v, val);
    interrupt(v);
}

/* The first reader has the controller, until it writes the bit. */
uint32_t reg_read_GMBUS2(struct vgpu *v, const struct reg_ref *ref, uint32_t stored)
{
    vgpu_note(v, &v->regs[ref->off / 4], sizeof(uint32_t));
    v->regs[ref->off / 4] |= ST_IN_USE;
    return stored;
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
