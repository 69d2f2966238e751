/* libxendevicemodel. */
#include <errno.h>
#include <string.h>

#include "tests/fakes/xen/fake_internal.h"

struct xendevicemodel_handle {
    int unused;
};
static struct xendevicemodel_handle dm_handle;

xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
    (void)logger;
    (void)open_flags;
    if (fake_told_to_fail(FAKE_DM_OPEN))
        return NULL;
    f->dm_handles++;
    return &dm_handle;
}

int xendevicemodel_close(xendevicemodel_handle *dmod)
{
    if (dmod)
        f->dm_handles--;
    return 0;
}

int xendevicemodel_create_ioreq_server(xendevicemodel_handle *dmod, domid_t domid, int handle_bufioreq, ioservid_t *id)
{
    (void)dmod;
    if (fake_dm_op(FAKE_CREATE, domid))
        return -1;
    fake_require(!handle_bufioreq, "buffered requests are asked for");
    int i = fake_new_server();

    if (i < 0)
        return -1;
    *id = (ioservid_t)i;
    return 0;
}

int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
                                         xen_pfn_t *ioreq_gfn, xen_pfn_t *bufioreq_gfn, evtchn_port_t *bufioreq_port)
{
    (void)dmod;
    (void)bufioreq_gfn;
    (void)bufioreq_port;
    if (fake_dm_op(FAKE_GET_INFO, domid))
        return -1;
    struct fake_server *s = fake_find_server(id);

    if (!s)
        return -1;
    s->gfn = 0xfeff0 + id; /* above memory */
    *ioreq_gfn = s->gfn;
    return 0;
}

int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id, int enabled)
{
    (void)dmod;
    if (f->killing)
        return 0;
    if (fake_dm_op(FAKE_SET_STATE, domid))
        return -1;
    struct fake_server *s = fake_find_server(id);

    if (!s)
        return -1;
    if (s->enabled && !enabled && s->gfn != UINT64_MAX)
        memset(s->page, 0, PAGE); /* hvm_add_ioreq_gfn */
    if (!s->enabled && enabled)
        fake_set_ports(s);
    s->enabled = enabled;
    return 0;
}

int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id)
{
    (void)dmod;
    if (f->killing)
        return 0;
    if (!f->domain || domid != FAKE_DOMID)
        return fake_fail(ESRCH);
    struct fake_server *s = fake_find_server(id);

    if (!s)
        return -1;
    fake_free_server(s);
    return 0;
}

static int add_range(ioservid_t id, unsigned type, uint64_t start, uint64_t end)
{
    struct fake_server *s = fake_find_server(id);

    if (!s)
        return -1;
    if (start > end)
        return fake_fail(EINVAL);
    for (unsigned i = 0; i < s->ranges; i++)
        if (s->range[i].type == type && start <= s->range[i].end && end >= s->range[i].start)
            return fake_fail(EEXIST);
    if (s->ranges == FAKE_RANGES)
        return fake_fail(ENOMEM);
    s->range[s->ranges++] = (struct fake_range){type, start, end};
    return 0;
}

int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id, int is_mmio,
                                                uint64_t start, uint64_t end)
{
    (void)dmod;
    if (fake_dm_op(FAKE_MAP_RANGE, domid))
        return -1;
    return add_range(id, is_mmio ? XEN_DMOP_IO_RANGE_MEMORY : XEN_DMOP_IO_RANGE_PORT, start, end);
}

/* Takes away whole ranges only, which is all that the transport does. */
int xendevicemodel_unmap_io_range_from_ioreq_server(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
                                                    int is_mmio, uint64_t start, uint64_t end)
{
    unsigned type = is_mmio ? XEN_DMOP_IO_RANGE_MEMORY : XEN_DMOP_IO_RANGE_PORT;

    (void)dmod;
    if (fake_dm_op(FAKE_UNMAP_RANGE, domid))
        return -1;
    struct fake_server *s = fake_find_server(id);

    if (!s)
        return -1;
    for (unsigned i = 0; i < s->ranges; i++)
        if (s->range[i].type == type && s->range[i].start == start && s->range[i].end == end) {
            s->range[i] = s->range[--s->ranges];
            return 0;
        }
    return fake_fail(ENOENT);
}

int xendevicemodel_map_pcidev_to_ioreq_server(xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
                                              uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
{
    uint64_t sbdf = XEN_DMOP_PCI_SBDF((uint64_t)segment, bus, device, function);

    (void)dmod;
    if (fake_dm_op(FAKE_MAP_PCIDEV, domid))
        return -1;
    return add_range(id, XEN_DMOP_IO_RANGE_PCI, sbdf, sbdf);
}

int xendevicemodel_inject_msi(xendevicemodel_handle *dmod, domid_t domid, uint64_t msi_addr, uint32_t msi_data)
{
    (void)dmod;
    pthread_mutex_lock(&f->lock);
    int ret = fake_dm_op(FAKE_MSI, domid);

    if (!ret) {
        f->msis++;
        f->msi_addr = msi_addr;
        f->msi_data = msi_data;
    }
    pthread_mutex_unlock(&f->lock);
    return ret;
}

int xendevicemodel_set_pci_intx_level(xendevicemodel_handle *dmod, domid_t domid, uint16_t segment, uint8_t bus,
                                      uint8_t device, uint8_t intx, unsigned int level)
{
    (void)dmod;
    fake_require(!segment && !bus && !intx && level <= 1, "not INTA of bus 0");
    pthread_mutex_lock(&f->lock);
    int ret = fake_dm_op(FAKE_INTX, domid);

    if (!ret) {
        f->intx_calls++;
        f->intx_slot = device;
        f->intx = (int)level;
    }
    pthread_mutex_unlock(&f->lock);
    return ret;
}
