/*
 * PCI configuration space of the device. What a guest can change is a table; everything else is constant. Any size and
 * offset is handled byte by byte, so odd accesses need no thought. Accesses can be repeated without harm, so they are
 * not counted (vgpu_access_count).
 */
#include <string.h>

#include "vgpu/device.h"

/* PCI 3.0 header, PCI PM 1.2, and Skylake's own registers (PRM SKL vol 2c; i915 intel_pci_config.h). */
enum pci_offset {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS = 0x09,
    PCI_CACHE_LINE = 0x0c,
    PCI_BAR0 = 0x10,
    PCI_BAR2 = 0x18,
    PCI_BAR4 = 0x20,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM = 0x30,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_GMCH_CTRL = 0x50,
    PCI_BDSM = 0x5c,
    PCI_MSI = 0xac,
    PCI_PM = 0xd0,
    PCI_SWSCI = 0xe8,
    PCI_ASLS = 0xfc,
};

#define COMMAND_WRITABLE 0x0407u /* IO, memory, bus master, INTx disable */
#define STATUS_CAP_LIST  0x0010u
#define BAR_MEM_64       0x4u
#define BAR_MEM_64_PREF  0xcu
#define BAR_IO           0x1u
#define ROM_ENABLE       0x1u
#define GMCH_GGMS_8MB    (3u << 6) /* 8 MiB of PTEs; no stolen memory (GMS 0) */
#define CAP_ID_PM        0x01u
#define CAP_ID_MSI       0x05u
#define MSI_WRITABLE     0x0071u /* enable, multiple message enable; one vector, 32-bit address as on real parts */
#define MSI_ADDRESS      4u
#define MSI_DATA         8u
#define PM_CAP_VERSION_2 0x0002u /* D1, D2 and PME are not supported */
#define PM_CONTROL       4u
#define PM_STATE_MASK    0x3u
#define PM_D0            0u
#define PM_D3HOT         3u
#define PM_NO_SOFT_RESET 0x8u /* registers survive D3hot */
#define SWSCI_WRITABLE   0x8001u

/* Power-on values, `width` bytes each; bytes that no row names are 0. `write`: bits that the guest may change. */
static const struct pci_row {
    uint8_t off, width;
    uint32_t value, write;
} rows[] = {
    {PCI_VENDOR_ID, 2, VGPU_PCI_VENDOR, 0},
    {PCI_DEVICE_ID, 2, VGPU_PCI_DEVICE, 0},
    {PCI_COMMAND, 2, 0, COMMAND_WRITABLE},
    {PCI_STATUS, 2, STATUS_CAP_LIST, 0},
    {PCI_REVISION, 1, 0x06, 0},
    {PCI_CLASS, 3, 0x030000, 0}, /* VGA compatible display controller */
    {PCI_CACHE_LINE, 1, 0, 0xff},
    {PCI_BAR0, 4, BAR_MEM_64, ~(VGPU_BAR0_SIZE - 1)},
    {PCI_BAR0 + 4, 4, 0, UINT32_MAX},
    {PCI_BAR2, 4, BAR_MEM_64_PREF, 0}, /* its size is vgpu_bar2_size's */
    {PCI_BAR2 + 4, 4, 0, UINT32_MAX},
    {PCI_BAR4, 4, BAR_IO, UINT16_MAX & ~(VGPU_BAR4_SIZE - 1)},
    {PCI_SUBSYSTEM_VENDOR, 2, VGPU_PCI_VENDOR, 0},
    {PCI_SUBSYSTEM_ID, 2, 0x2212, 0},
    {PCI_ROM, 4, 0, (uint32_t) ~(VGPU_ROM_SIZE - 1) | ROM_ENABLE}, /* carries the VBT, see vbt.c */
    {PCI_CAPABILITIES, 1, PCI_MSI, 0},
    {PCI_INTERRUPT_LINE, 1, 0, 0xff},
    {PCI_INTERRUPT_PIN, 1, 1, 0}, /* INTA */
    {PCI_GMCH_CTRL, 2, GMCH_GGMS_8MB, 0},
    {PCI_BDSM, 4, 0, 0},
    {PCI_MSI, 2, CAP_ID_MSI | PCI_PM << 8, 0},
    {PCI_MSI + 2, 2, 0, MSI_WRITABLE},
    {PCI_MSI + MSI_ADDRESS, 4, 0, 0xfffffffc},
    {PCI_MSI + MSI_DATA, 2, 0, UINT16_MAX},
    {PCI_PM, 2, CAP_ID_PM, 0},
    {PCI_PM + 2, 2, PM_CAP_VERSION_2, 0},
    {PCI_PM + PM_CONTROL, 2, PM_NO_SOFT_RESET, PM_STATE_MASK},
    {PCI_SWSCI, 2, 0, SWSCI_WRITABLE},
    {PCI_ASLS, 4, 0, UINT32_MAX}, /* firmware may place the OpRegion; the device never follows it */
};

static uint8_t byte_of(uint32_t val, unsigned i)
{
    return (uint8_t)(val >> (8 * i));
}

uint32_t vgpu_bar2_size(const struct vgpu_config *cfg)
{
    uint32_t size = 1u << 20;

    if (cfg->pvinfo)
        return VGPU_BAR2_SIZE;
    while (size < VGPU_BAR2_SIZE && size >> 20 < cfg->mappable_mb)
        size <<= 1;
    return size;
}

static uint8_t write_mask(const struct vgpu *v, uint32_t off)
{
    if (off >= PCI_BAR2 && off < PCI_BAR2 + 4)
        return byte_of(~(vgpu_bar2_size(&v->cfg) - 1), off - PCI_BAR2);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        if (off >= rows[i].off && off < (uint32_t)rows[i].off + rows[i].width)
            return byte_of(rows[i].write, off - rows[i].off);
    return 0;
}

static void put(struct vgpu *v, uint32_t off, unsigned width, uint32_t val)
{
    for (unsigned i = 0; i < width; i++)
        v->pci[off + i] = byte_of(val, i);
}

void vgpu_pci_reset(struct vgpu *v)
{
    memset(v->pci, 0, sizeof(v->pci));
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        put(v, rows[i].off, rows[i].width, rows[i].value);
    put(v, PCI_ASLS, 4, (uint32_t)v->opregion);
}

void vgpu_set_opregion(struct vgpu *v, uint64_t gpa)
{
    v->opregion = gpa <= UINT32_MAX ? gpa : 0; /* ASLS has 32 bits */
    put(v, PCI_ASLS, 4, (uint32_t)v->opregion);
}

static bool access_ok(uint32_t off, unsigned size)
{
    return (size == 1 || size == 2 || size == 4) && gt_range_ok(off, size, VGPU_CFG_SIZE);
}

uint32_t vgpu_cfg_read(struct vgpu *v, uint32_t off, unsigned size)
{
    uint32_t val = 0;

    v->stats.cfg_reads++;
    if (!access_ok(off, size))
        return 0;
    for (unsigned i = 0; i < size; i++)
        val |= (uint32_t)v->pci[off + i] << (8 * i);
    return val;
}

/* A configuration byte after a write. */
static uint8_t written_byte(const struct vgpu *v, uint32_t off, uint8_t val)
{
    uint8_t mask = write_mask(v, off), old = v->pci[off];
    uint8_t now = (uint8_t)((old & ~mask) | (val & mask));
    uint8_t state = now & PM_STATE_MASK;

    /* A write of a power state that the device lacks completes and changes nothing (PCI PM 1.2, 3.2.4). */
    if (off == PCI_PM + PM_CONTROL && state != PM_D0 && state != PM_D3HOT)
        return old;
    return now;
}

void vgpu_cfg_write(struct vgpu *v, uint32_t off, unsigned size, uint32_t val)
{
    v->stats.cfg_writes++;
    if (!access_ok(off, size))
        return;
    for (unsigned i = 0; i < size; i++)
        v->pci[off + i] = written_byte(v, off + i, byte_of(val, i));
}

void vgpu_pci_adopt(struct vgpu *v, const uint8_t old[VGPU_CFG_SIZE])
{
    for (uint32_t off = 0; off < VGPU_CFG_SIZE; off++)
        v->pci[off] = written_byte(v, off, old[off]);
}
