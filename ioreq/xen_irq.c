#include "ioreq/xen_irq.h"

#include <errno.h>

/* PCI 3.0, 6.2 and 6.8.1. */
#define PCI_COMMAND         0x04u
#define COMMAND_BUS_MASTER  0x0004u
#define COMMAND_INTX_OFF    0x0400u
#define STATUS_CAPABILITIES 0x00100000u /* of the dword at PCI_COMMAND */
#define PCI_CAPABILITIES    0x34u
#define PCI_HEADER_END      0x40u
#define CAP_ID_MSI          0x05u
#define CAPS_MAX            48u         /* as many as fit into 192 bytes */
#define MSI_ENABLE          0x00010000u /* of the capability's first dword */
#define MSI_64BIT           0x00800000u
#define MSI_SIZE            16u /* without mask bits, which the device does not have */

static uint32_t config(const struct xen_irq *q, unsigned off)
{
    return q->host->config_read(q->host->ctx, off);
}

static unsigned find_msi(const struct xen_irq *q)
{
    if (!(config(q, PCI_COMMAND) & STATUS_CAPABILITIES))
        return 0;
    unsigned at = config(q, PCI_CAPABILITIES) & 0xfc;

    for (unsigned i = 0; i < CAPS_MAX && at >= PCI_HEADER_END; i++) {
        uint32_t head = config(q, at);

        if ((head & 0xff) == CAP_ID_MSI)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}

/* Gives Xen the level that the guest should see, if that is news. Locked. */
static int push_level(struct xen_irq *q)
{
    bool off = q->msi_on || q->intx_off;
    int8_t want = off ? 0 : q->line;

    if (want < 0 || want == q->level)
        return 0;
    int ret = q->host->intx(q->host->ctx, want);

    if (!ret)
        q->level = want;
    return ret;
}

/* Takes over what config space says; nobody else writes these. */
static int sync_config(struct xen_irq *q)
{
    uint32_t command = config(q, PCI_COMMAND), head = 0, low = 0, high = 0, data = 0;

    if (q->cap) {
        bool wide;

        head = config(q, q->cap);
        wide = head & MSI_64BIT;
        low = config(q, q->cap + 4);
        high = wide ? config(q, q->cap + 8) : 0;
        data = config(q, q->cap + (wide ? 12 : 8)) & UINT16_MAX;
    }
    pthread_mutex_lock(&q->lock);
    q->bus_master = command & COMMAND_BUS_MASTER;
    q->intx_off = command & COMMAND_INTX_OFF;
    q->msi_on = head & MSI_ENABLE;
    q->msi_addr = (uint64_t)high << 32 | low;
    q->msi_data = data;
    int ret = push_level(q);

    pthread_mutex_unlock(&q->lock);
    return ret;
}

int xen_irq_init(struct xen_irq *q, const struct xen_irq_host *host, bool fresh)
{
    *q = (struct xen_irq){.host = host, .line = fresh ? 0 : -1, .level = fresh ? 0 : -1};
    if (pthread_mutex_init(&q->lock, NULL)) {
        q->host = NULL;
        return -ENOMEM;
    }
    q->cap = find_msi(q);
    return sync_config(q);
}

void xen_irq_destroy(struct xen_irq *q)
{
    if (q->host)
        pthread_mutex_destroy(&q->lock);
    q->host = NULL;
}

int xen_irq_written(struct xen_irq *q, unsigned off, unsigned size)
{
    unsigned end = off + size;
    bool command = off < PCI_COMMAND + 2 && end > PCI_COMMAND;
    bool msi = q->cap && off < q->cap + MSI_SIZE && end > q->cap;

    return command || msi ? sync_config(q) : 0;
}

/* An MSI is a write to memory, so it needs bus mastering (PCI 3.0, 6.8). */
int xen_irq_edge(struct xen_irq *q)
{
    pthread_mutex_lock(&q->lock);
    bool on = q->msi_on && q->bus_master;
    int ret = on ? q->host->msi(q->host->ctx, q->msi_addr, q->msi_data) : 0;

    pthread_mutex_unlock(&q->lock);
    return ret;
}

int xen_irq_line(struct xen_irq *q, bool level)
{
    pthread_mutex_lock(&q->lock);
    q->line = level;
    int ret = push_level(q);

    pthread_mutex_unlock(&q->lock);
    return ret;
}
