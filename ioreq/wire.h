/*
 * The vfio-user protocol, version 0.1, as it is on the wire: QEMU docs/interop/vfio-user.rst, and linux/vfio.h for
 * the structures that vfio-user borrows. Both ends are the same host, so all fields are in host byte order.
 * Types only. Each command's body follows struct vu_header.
 */
#ifndef GTMUX_IOREQ_WIRE_H
#define GTMUX_IOREQ_WIRE_H

#include <stdint.h>

#define VU_MAJOR 0u
#define VU_MINOR 1u

/* What this server announces in its VERSION reply. */
#define VU_MAX_MSG_FDS 8u
#define VU_MAX_XFER    (1u << 20) /* bytes of data in one REGION_READ or REGION_WRITE */
#define VU_PAGE_SIZE   4096u

enum vu_command {
    VU_VERSION = 1,
    VU_DMA_MAP = 2,
    VU_DMA_UNMAP = 3,
    VU_DEVICE_GET_INFO = 4,
    VU_DEVICE_GET_REGION_INFO = 5,
    VU_DEVICE_GET_REGION_IO_FDS = 6,
    VU_DEVICE_GET_IRQ_INFO = 7,
    VU_DEVICE_SET_IRQS = 8,
    VU_REGION_READ = 9,
    VU_REGION_WRITE = 10,
    VU_DMA_READ = 11,  /* server to client */
    VU_DMA_WRITE = 12, /* server to client */
    VU_DEVICE_RESET = 13,
    VU_DIRTY_PAGES = 14, /* withdrawn from the protocol */
    VU_REGION_WRITE_MULTI = 15,
    VU_DEVICE_FEATURE = 16,
    VU_MIG_DATA_READ = 17,
    VU_MIG_DATA_WRITE = 18,
};

enum vu_header_flags {
    VU_TYPE_MASK = 0xf,
    VU_TYPE_COMMAND = 0,
    VU_TYPE_REPLY = 1,
    VU_NO_REPLY = 1 << 4,
    VU_ERROR = 1 << 5,
};

struct vu_header {
    uint16_t id; /* the sender's; echoed in the reply */
    uint16_t command;
    uint32_t size; /* of the whole message, this header included */
    uint32_t flags;
    uint32_t error; /* errno, valid in replies with VU_ERROR */
};

struct vu_version {
    uint16_t major;
    uint16_t minor;
    /* JSON text with its terminating NUL may follow */
};

enum vu_dma_map_flags {
    VU_DMA_MAP_READ = 1 << 0,
    VU_DMA_MAP_WRITE = 1 << 1,
    VU_DMA_MAP_MMAP = 1 << 2, /* libvfio-user's addition: the fd is meant for mmap */
};

struct vu_dma_map {
    uint32_t argsz;
    uint32_t flags;
    uint64_t offset; /* in the file */
    uint64_t addr;
    uint64_t size;
};

enum vu_dma_unmap_flags {
    VU_DMA_UNMAP_DIRTY_BITMAP = 1 << 0,
    VU_DMA_UNMAP_ALL = 1 << 1,
};

struct vu_dma_unmap {
    uint32_t argsz;
    uint32_t flags;
    uint64_t addr;
    uint64_t size;
};

enum vu_device_flags {
    VU_DEVICE_RESETTABLE = 1 << 0,
    VU_DEVICE_PCI = 1 << 1,
};

struct vu_device_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t num_regions;
    uint32_t num_irqs;
};

enum vu_region_flags {
    VU_REGION_READABLE = 1 << 0,
    VU_REGION_WRITABLE = 1 << 1,
    VU_REGION_MMAP = 1 << 2,
    VU_REGION_CAPS = 1 << 3,
};

struct vu_region_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t cap_offset; /* from the start of this structure */
    uint64_t size;
    uint64_t offset; /* added to an area's offset it gives the offset for mmap */
};

#define VU_CAP_SPARSE_MMAP 1u

/* The sparse mmap capability with its only area. */
struct vu_sparse_mmap {
    uint16_t id;
    uint16_t version;
    uint32_t next;
    uint32_t nr_areas;
    uint32_t reserved;
    uint64_t area_offset;
    uint64_t area_size;
};

struct vu_region_info_caps {
    struct vu_region_info info;
    struct vu_sparse_mmap sparse;
};

struct vu_region_io_fds {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

enum vu_irq_index { /* the PCI ones */
                    VU_IRQ_INTX = 0,
                    VU_IRQ_MSI = 1,
                    VU_IRQ_MSIX = 2,
                    VU_IRQ_ERR = 3,
                    VU_IRQ_REQ = 4,
                    VU_IRQ_INDEXES = 5,
};

enum vu_irq_info_flags {
    VU_IRQ_INFO_EVENTFD = 1 << 0,
    VU_IRQ_INFO_MASKABLE = 1 << 1,
    VU_IRQ_INFO_AUTOMASKED = 1 << 2,
    VU_IRQ_INFO_NORESIZE = 1 << 3,
};

struct vu_irq_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

enum vu_irq_set_flags {
    VU_IRQ_SET_DATA_NONE = 1 << 0,
    VU_IRQ_SET_DATA_BOOL = 1 << 1,
    VU_IRQ_SET_DATA_EVENTFD = 1 << 2,
    VU_IRQ_SET_DATA_MASK = 7,
    VU_IRQ_SET_ACTION_MASK = 1 << 3,
    VU_IRQ_SET_ACTION_UNMASK = 1 << 4,
    VU_IRQ_SET_ACTION_TRIGGER = 1 << 5,
    VU_IRQ_SET_ACTIONS = 7 << 3,
};

struct vu_irq_set {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t start;
    uint32_t count;
    /* `count` bytes follow with VU_IRQ_SET_DATA_BOOL */
};

struct vu_region_access {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
    /* data follows in a write and in the reply to a read */
};

#define VU_MAX_BODY    (sizeof(struct vu_region_access) + VU_MAX_XFER)
#define VU_MAX_MESSAGE (sizeof(struct vu_header) + VU_MAX_BODY)

_Static_assert(sizeof(struct vu_header) == 16, "wire size");
_Static_assert(sizeof(struct vu_version) == 4, "wire size");
_Static_assert(sizeof(struct vu_dma_map) == 32, "wire size");
_Static_assert(sizeof(struct vu_dma_unmap) == 24, "wire size");
_Static_assert(sizeof(struct vu_device_info) == 16, "wire size");
_Static_assert(sizeof(struct vu_region_info) == 32, "wire size");
_Static_assert(sizeof(struct vu_sparse_mmap) == 32, "wire size");
_Static_assert(sizeof(struct vu_region_info_caps) == 64, "wire size");
_Static_assert(sizeof(struct vu_region_io_fds) == 16, "wire size");
_Static_assert(sizeof(struct vu_irq_info) == 16, "wire size");
_Static_assert(sizeof(struct vu_irq_set) == 20, "wire size");
_Static_assert(sizeof(struct vu_region_access) == 16, "wire size");

#endif
