#include "ioreq/xen_bars.h"

#include <errno.h>
#include <string.h>

#include "vgpu/base/bits.h"

/* PCI 3.0, 6.1 and 6.2.5. */
#define PCI_COMMAND        0x04u
#define PCI_COMMAND_IO     0x1u
#define PCI_COMMAND_MEMORY 0x2u
#define PCI_BAR            0x10u
#define PCI_BARS_END       0x28u
#define PCI_ROM            0x30u
#define BAR_IO             0x1u
#define BAR_TYPE_MASK      0x7u
#define BAR_TYPE_64        0x4u
#define BAR_IO_ADDRESS     0xfffffffcu
#define BAR_MEM_ADDRESS    0xfffffff0u
#define ROM_ADDRESS        0xfffff800u
#define ROM_ENABLE         0x1u

/*
 * Where a BAR can be on a PC. Below are the legacy devices; from MMIO_FIXED on to 4 GiB I/O APIC, local APIC and the
 * firmware. RAM needs no check: in Xen what the guest's memory map says is RAM never becomes an I/O request.
 */
#define PORT_FIRST      0x1000u
#define PORT_END        0x10000u
#define MMIO_FIRST      0x100000u
#define MMIO_FIXED      0xfec00000u
#define MMIO_END        GT_BIT64(52) /* x86's widest physical address */
#define BELOW_4G(start) ((start) < GT_BIT64(32))

void xen_bars_init(struct xen_bars *b, const struct ioreq_config *cfg, const struct xen_bars_host *host, unsigned domid,
                   bool adopted)
{
    *b = (struct xen_bars){.host = host, .domid = domid, .adopted = adopted};
    for (unsigned i = 0; i < XEN_BARS; i++)
        b->bar[i].size = cfg->region[i].size;
}

static unsigned bar_offset(unsigned i)
{
    return i == IOREQ_ROM ? PCI_ROM : PCI_BAR + 4 * i;
}

/* What config space says of one BAR. */
struct place {
    bool enabled, mmio;
    uint64_t start;
};

static struct place read_place(const struct xen_bars *b, unsigned i, uint32_t command)
{
    unsigned off = bar_offset(i);
    uint32_t low = b->host->config_read(b->host->ctx, off);
    struct place p;

    if (i == IOREQ_ROM) {
        p = (struct place){.mmio = true, .start = low & ROM_ADDRESS};
        p.enabled = (command & PCI_COMMAND_MEMORY) && (low & ROM_ENABLE);
    } else if (low & BAR_IO) {
        p = (struct place){.enabled = command & PCI_COMMAND_IO, .start = low & BAR_IO_ADDRESS};
    } else {
        p = (struct place){.enabled = command & PCI_COMMAND_MEMORY, .mmio = true, .start = low & BAR_MEM_ADDRESS};
        if ((low & BAR_TYPE_MASK) == BAR_TYPE_64)
            p.start |= (uint64_t)b->host->config_read(b->host->ctx, off + 4) << 32;
    }
    /* Ones in the high half alone are beyond MMIO_END. */
    if (b->sizing & GT_BIT(off / 4))
        p.enabled = false;
    return p;
}

static bool place_ok(const struct place *p, uint64_t size)
{
    uint64_t end = p->start + size;

    if (!p->mmio)
        return p->start >= PORT_FIRST && end <= PORT_END;
    if (p->start < MMIO_FIRST || end < p->start || end > MMIO_END)
        return false;
    return !BELOW_4G(p->start) || end <= MMIO_FIXED;
}

/* Bar i, which is not mapped, at p and one that is. */
static bool overlaps_other(const struct xen_bars *b, unsigned i, const struct place *p)
{
    for (unsigned k = 0; k < XEN_BARS; k++) {
        const struct xen_bar *o = &b->bar[k];

        if (o->mapped && o->mmio == p->mmio && p->start < o->start + o->size && o->start < p->start + b->bar[i].size)
            return true;
    }
    return false;
}

static void complain(struct xen_bars *b, unsigned i, const struct place *p, const char *why)
{
    if (b->bar[i].complained)
        return;
    b->bar[i].complained = true;
    GT_GUEST_LOG(&b->log_rl, "domain %u: region %u of %#llx bytes at %s %#llx is not mapped: %s", b->domid, i,
                 (unsigned long long)b->bar[i].size, p->mmio ? "address" : "port", (unsigned long long)p->start, why);
}

static int unmap(struct xen_bars *b, unsigned i)
{
    struct xen_bar *bar = &b->bar[i];

    if (!bar->mapped)
        return 0;
    bar->mapped = false;
    return b->host->unmap(b->host->ctx, bar->mmio, bar->start, bar->start + bar->size - 1);
}

/*
 * Xen refuses a range that touches one of ours (xen/common/ioreq.c, ioreq_server_map_io_range). The process that we
 * adopted the server from may have left this very one, which is as good as mapping it; removing it first would let
 * accesses of running vCPUs fall into nothing. When the guest moves a BAR later onto such a remainder, it is replaced.
 */
static int map_range(struct xen_bars *b, bool mmio, uint64_t start, uint64_t end)
{
    int ret = b->host->map(b->host->ctx, mmio, start, end);

    if (ret != -EEXIST)
        return ret;
    if (b->adopted)
        return 0;
    (void)b->host->unmap(b->host->ctx, mmio, start, end);
    return b->host->map(b->host->ctx, mmio, start, end);
}

static int map(struct xen_bars *b, unsigned i, const struct place *p)
{
    struct xen_bar *bar = &b->bar[i];

    if (!place_ok(p, bar->size)) {
        complain(b, i, p, "nothing of a device can be there");
        return 0;
    }
    if (overlaps_other(b, i, p)) {
        complain(b, i, p, "another of our regions is there");
        return 0;
    }
    int ret = map_range(b, p->mmio, p->start, p->start + bar->size - 1);

    if (ret) {
        complain(b, i, p, strerror(-ret));
        return ret;
    }
    bar->start = p->start;
    bar->mmio = p->mmio;
    bar->mapped = true;
    return 0;
}

/* First all that goes, then all that comes: two BARs may trade places. */
int xen_bars_sync(struct xen_bars *b)
{
    uint32_t command = b->host->config_read(b->host->ctx, PCI_COMMAND);
    struct place want[XEN_BARS];
    int ret = 0, err;

    for (unsigned i = 0; i < XEN_BARS; i++) {
        struct xen_bar *bar = &b->bar[i];

        want[i].enabled = false;
        if (!bar->size)
            continue;
        want[i] = read_place(b, i, command);
        if (bar->mapped && (!want[i].enabled || want[i].start != bar->start || want[i].mmio != bar->mmio)) {
            err = unmap(b, i);
            ret = err ? err : ret;
        }
    }
    for (unsigned i = 0; i < XEN_BARS; i++) {
        if (!want[i].enabled || b->bar[i].mapped)
            continue;
        err = map(b, i, &want[i]);
        ret = err ? err : ret;
    }
    b->adopted = false; /* from now on what Xen has is ours */
    return ret;
}

/* Remembers which address registers hold ones to tell their size. */
static void note_sizing(struct xen_bars *b, unsigned off, unsigned size, uint32_t data)
{
    uint32_t first = GT_BIT(off / 4), last = GT_BIT((off + size - 1) / 4);

    b->sizing &= ~(first | last);
    if (size == 4 && off % 4 == 0 && data == UINT32_MAX)
        b->sizing |= first;
}

int xen_bars_written(struct xen_bars *b, unsigned off, unsigned size, uint32_t data)
{
    unsigned end = off + size;
    bool bars = off < PCI_BARS_END && end > PCI_BAR, rom = off < PCI_ROM + 4 && end > PCI_ROM;
    bool command = off < PCI_COMMAND + 2 && end > PCI_COMMAND;

    if (!bars && !rom && !command)
        return 0;
    if (bars || rom) {
        note_sizing(b, off, size, data);
        for (unsigned i = 0; i < XEN_BARS; i++)
            b->bar[i].complained = false;
    }
    return xen_bars_sync(b);
}

bool xen_bars_find(const struct xen_bars *b, bool mmio, uint64_t addr, unsigned size, struct ioreq_access *a)
{
    for (unsigned i = 0; i < XEN_BARS; i++) {
        const struct xen_bar *bar = &b->bar[i];

        /* An address below wraps, far beyond any size. */
        if (!bar->mapped || bar->mmio != mmio || !gt_range_ok(addr - bar->start, size, bar->size))
            continue;
        a->region = (uint8_t)i;
        a->off = addr - bar->start;
        return true;
    }
    return false;
}
