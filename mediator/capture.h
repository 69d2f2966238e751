/*
 * Captured i915 submissions (.gxc, .gxc.zst): the buffer objects of one execbuffer with their GPU addresses and
 * contents as the CPU wrote them, relocations applied. Layout, little endian: header of 160 bytes, then for each buffer
 * its record, nreloc relocation records of 32 bytes and nextent extents {u64 offset, u64 length, data}.
 */
#ifndef GTMUX_MEDIATOR_CAPTURE_H
#define GTMUX_MEDIATOR_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture_header {
    char magic[8];
    uint32_t version, header_size, pci_id, seq, ctx_id, engine_class, engine_instance, nbo;
    uint64_t flags;
    uint32_t batch_bo, batch_offset, batch_len, reserved;
    char driver[16], program[64], platform[16];
};

struct capture_bo {
    uint64_t addr, size; /* size: whole pages */
    uint32_t handle, tiling, stride;
    uint8_t *data; /* size bytes, page aligned; what no extent gives is zero */
};

struct capture {
    struct capture_header head;
    struct capture_bo *bo;
};

/* Whatever the bytes are: false with a message, or a sound capture. capture_free is due in either case. */
bool capture_parse(struct capture *c, const void *data, size_t size, char *err, size_t errsz);
bool capture_load(struct capture *c, const char *path, char *err, size_t errsz);
void capture_free(struct capture *c);
/* Bytes at a GPU address and how many follow in the object; NULL: in no object. */
const uint8_t *capture_find(const struct capture *c, uint64_t addr, uint64_t *left);
/* Address of the batch. */
uint64_t capture_batch(const struct capture *c);

#endif
