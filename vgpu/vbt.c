/*
 * What firmware tells a driver about the outputs: the VBT (one DisplayPort child device for each head, on DDI B, C, D),
 * and its two carriers, a PCI option ROM and the OpRegion. Layouts: i915 intel_vbt_defs.h, intel_opregion.c; PCI
 * firmware 3.0.
 */
#include <string.h>

#include "vgpu/device.h"

#define IMAGE_SIZE 8192u /* of both carriers */
#define VBT_OFFSET 0x400u

/* A little-endian writer over a buffer that is known to be large enough for the constants put in it. */
struct writer {
    uint8_t *buf;
    size_t pos;
};

static void put_bytes(struct writer *w, const void *src, size_t n)
{
    memcpy(w->buf + w->pos, src, n);
    w->pos += n;
}

static void put_zero(struct writer *w, size_t n)
{
    memset(w->buf + w->pos, 0, n);
    w->pos += n;
}

static void put_le(struct writer *w, uint32_t val, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        w->buf[w->pos++] = (uint8_t)(val >> (8 * i));
}

static void patch_le16(uint8_t *buf, size_t pos, size_t val)
{
    struct writer w = {buf, pos};

    put_le(&w, (uint32_t)val, 2);
}

/* The byte that makes the sum of all bytes 0. */
static uint8_t checksum(const uint8_t *buf, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + buf[i]);
    return (uint8_t)-sum;
}

/* ---- VBT */
#define VBT_VERSION         100u
#define VBT_HEADER_SIZE     48u
#define VBT_SIZE_AT         24u
#define VBT_CHECKSUM_AT     26u
#define BDB_VERSION         205u
#define BDB_HEADER_SIZE     22u
#define BDB_SIZE_AT         20u /* in the BDB header */
#define BLOCK_FEATURES      1u
#define BLOCK_FEATURES_SIZE 5u
#define BLOCK_DEFINITIONS   2u
#define CHILD_SIZE          38u /* of BDB versions 196..215 */
#define DEVICE_TYPE_DP      0x68c6u
#define CRT_DDC_PIN         2u /* GMBUS_PIN_VGADDC; there is no CRT */

static const struct port {
    uint8_t handle, dvo_port, aux;
} ports[VGPU_HEADS] = {
    /* DEVICE_HANDLE_EFPn, DVO_PORT_DPx, DP_AUX_x */
    {0x04, 7, 0x10}, /* DDI B */
    {0x40, 8, 0x20}, /* DDI C */
    {0x20, 9, 0x30}, /* DDI D */
};

static void put_child(struct writer *w, const struct port *p)
{
    size_t start = w->pos;

    put_le(w, p->handle, 2);
    put_le(w, DEVICE_TYPE_DP, 2);
    put_zero(w, 12); /* i2c speed .. addin_offset */
    put_le(w, p->dvo_port, 1);
    put_zero(w, 8); /* i2c pin .. hdmi/dp/tmds support flags; no DDC pins */
    put_le(w, p->aux, 1);
    put_zero(w, CHILD_SIZE - (w->pos - start));
}

/* Returns the size of the VBT written to buf. */
static size_t put_vbt(uint8_t *buf)
{
    struct writer w = {buf, 0};

    put_bytes(&w, "$VBT SKYLAKE        ", 20);
    put_le(&w, VBT_VERSION, 2);
    put_le(&w, VBT_HEADER_SIZE, 2);
    put_zero(&w, 4); /* size, checksum, reserved */
    put_le(&w, VBT_HEADER_SIZE, 4);
    put_zero(&w, VBT_HEADER_SIZE - w.pos);

    put_bytes(&w, "BIOS_DATA_BLOCK ", 16);
    put_le(&w, BDB_VERSION, 2);
    put_le(&w, BDB_HEADER_SIZE, 2);
    put_le(&w, 0, 2);

    put_le(&w, BLOCK_FEATURES, 1);
    put_le(&w, BLOCK_FEATURES_SIZE, 2);
    put_zero(&w, BLOCK_FEATURES_SIZE);

    put_le(&w, BLOCK_DEFINITIONS, 1);
    put_le(&w, 5 + CHILD_SIZE * VGPU_HEADS, 2);
    put_le(&w, CRT_DDC_PIN, 1);
    put_zero(&w, 3); /* DPMS bits, boot displays */
    put_le(&w, CHILD_SIZE, 1);
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        put_child(&w, &ports[i]);

    patch_le16(buf, VBT_HEADER_SIZE + BDB_SIZE_AT, w.pos - VBT_HEADER_SIZE);
    patch_le16(buf, VBT_SIZE_AT, w.pos);
    buf[VBT_CHECKSUM_AT] = checksum(buf, w.pos);
    return w.pos;
}

/* ---- option ROM */
#define ROM_BLOCK      512u
#define ROM_PCIR_AT    0x18u
#define ROM_PCIR       0x40u
#define ROM_LAST_IMAGE 0x80u

/* The initialisation entry is a far return: there is nothing to run, the ROM only carries the VBT. */
size_t vgpu_vbt_rom(uint8_t *buf, size_t size)
{
    struct writer w = {buf, 0};

    if (size < IMAGE_SIZE)
        return 0;
    memset(buf, 0, IMAGE_SIZE);
    put_le(&w, 0xaa55, 2);
    put_le(&w, IMAGE_SIZE / ROM_BLOCK, 1);
    put_le(&w, 0xcb, 1); /* retf */
    patch_le16(buf, ROM_PCIR_AT, ROM_PCIR);
    w.pos = ROM_PCIR;
    put_bytes(&w, "PCIR", 4);
    put_le(&w, VGPU_PCI_VENDOR, 2);
    put_le(&w, VGPU_PCI_DEVICE, 2);
    put_le(&w, 0, 2);
    put_le(&w, 0x18, 2); /* size of this structure */
    put_le(&w, 0, 1);
    put_le(&w, 0x030000, 3); /* class: VGA */
    put_le(&w, IMAGE_SIZE / ROM_BLOCK, 2);
    put_le(&w, 0, 2);
    put_le(&w, 0, 1); /* x86 code */
    put_le(&w, ROM_LAST_IMAGE, 1);
    put_vbt(buf + VBT_OFFSET);
    buf[IMAGE_SIZE - 1] = checksum(buf, IMAGE_SIZE);
    return IMAGE_SIZE;
}

/* ---- OpRegion 2.0 */
#define OPREGION_MAJOR       2u
#define OPREGION_MAILBOX_AT  0x58u
#define MAILBOX_ACPI         GT_BIT(0)
#define MAILBOX_ASLE         GT_BIT(2)
#define MAILBOX_VBT          GT_BIT(3) /* no SWSCI: nobody answers system control interrupts */
#define ACPI_DIDL_AT         0x120u
#define ACPI_CLID_AT         0x1acu
#define ACPI_LID_OPEN        0x3u        /* what GVT-g gives: Windows waits otherwise */
#define ACPI_DIGITAL_MONITOR 0x80000300u /* ACPI _DOD: standard scheme, external digital, + index */

size_t vgpu_opregion(uint8_t *buf, size_t size)
{
    struct writer w = {buf, 0};

    if (size < IMAGE_SIZE)
        return 0;
    memset(buf, 0, IMAGE_SIZE);
    put_bytes(&w, "IntelGraphicsMem", 16);
    put_le(&w, IMAGE_SIZE >> 10, 4);
    put_le(&w, OPREGION_MAJOR << 24, 4);
    w.pos = OPREGION_MAILBOX_AT;
    put_le(&w, MAILBOX_ACPI | MAILBOX_ASLE | MAILBOX_VBT, 4);
    w.pos = ACPI_DIDL_AT;
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        put_le(&w, ACPI_DIGITAL_MONITOR + i, 4);
    w.pos = ACPI_CLID_AT;
    put_le(&w, ACPI_LID_OPEN, 4);
    put_vbt(buf + VBT_OFFSET);
    return IMAGE_SIZE;
}
