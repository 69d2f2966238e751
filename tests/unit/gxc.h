/*
 * Reader of captured i915 submissions (.gxc): the buffer objects of one execbuffer with their GPU addresses and
 * contents as the CPU wrote them, relocations applied. Layout, little endian: header of 160 bytes, then for each buffer
 * its record, nreloc relocation records of 32 bytes and nextent extents {u64 offset, u64 length, data}.
 */
#ifndef GTMUX_TESTS_GXC_H
#define GTMUX_TESTS_GXC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GXC_MAX_BOS  64
#define GXC_MAX_SIZE (64u << 20) /* of one buffer, and of the file */

struct gxc_header {
    char magic[8];
    uint32_t version, header_size, pci_id, seq, ctx_id, engine_class, engine_instance, nbo;
    uint64_t flags;
    uint32_t batch_bo, batch_offset, batch_len, reserved;
    char driver[16], program[64], platform[16];
};

struct gxc_bo {
    uint64_t addr, size;
    uint32_t tiling, stride; /* I915_TILING_* */
    uint8_t *data;           /* size bytes, page aligned */
};

struct gxc {
    struct gxc_header head;
    struct gxc_bo bo[GXC_MAX_BOS];
};

struct gxc_record {
    uint32_t handle, flags;
    uint64_t addr, size;
    uint32_t tiling, stride, nreloc, nextent;
};

_Static_assert(sizeof(struct gxc_header) == 160, "header of the capture format");
_Static_assert(sizeof(struct gxc_record) == 40, "buffer record of the capture format");

struct gxc_reader {
    const uint8_t *data;
    size_t size, at;
};

static bool gxc_take(struct gxc_reader *r, void *out, size_t n)
{
    if (n > r->size - r->at)
        return false;
    if (out)
        memcpy(out, r->data + r->at, n);
    r->at += n;
    return true;
}

static bool gxc_extent(struct gxc_reader *r, struct gxc_bo *bo)
{
    uint64_t range[2];

    if (!gxc_take(r, range, sizeof(range)) || range[0] > bo->size || range[1] > bo->size - range[0])
        return false;
    return gxc_take(r, bo->data + range[0], (size_t)range[1]);
}

static bool gxc_buffer(struct gxc_reader *r, struct gxc_bo *bo)
{
    struct gxc_record rec;

    if (!gxc_take(r, &rec, sizeof(rec)) || !rec.size || rec.size > GXC_MAX_SIZE || rec.size % 4096)
        return false;
    *bo = (struct gxc_bo){rec.addr & ((UINT64_C(1) << 48) - 1), rec.size, rec.tiling, rec.stride, NULL};
    bo->data = aligned_alloc(4096, (size_t)rec.size);
    if (!bo->data || !gxc_take(r, NULL, (size_t)rec.nreloc * 32))
        return false;
    memset(bo->data, 0, (size_t)rec.size);
    for (uint32_t i = 0; i < rec.nextent; i++)
        if (!gxc_extent(r, bo))
            return false;
    return true;
}

static bool gxc_parse(struct gxc *g, const void *data, size_t size)
{
    struct gxc_reader r = {data, size, 0};

    memset(g, 0, sizeof(*g));
    if (!gxc_take(&r, &g->head, sizeof(g->head)) || memcmp(g->head.magic, "GTXCAP1", 8) || g->head.version != 1)
        return false;
    if (g->head.nbo > GXC_MAX_BOS || g->head.batch_bo >= g->head.nbo)
        return false;
    for (uint32_t i = 0; i < g->head.nbo; i++)
        if (!gxc_buffer(&r, &g->bo[i]))
            return false;
    return g->head.batch_offset < g->bo[g->head.batch_bo].size;
}

static inline void gxc_free(struct gxc *g)
{
    for (uint32_t i = 0; i < GXC_MAX_BOS; i++)
        free(g->bo[i].data);
    memset(g, 0, sizeof(*g));
}

/* False when the file is missing or is not a sound capture; gxc_free is due in either case. */
static inline bool gxc_load(struct gxc *g, const char *path)
{
    FILE *f = fopen(path, "rb");
    long size = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    uint8_t *data = size > 0 && (unsigned long)size <= GXC_MAX_SIZE ? malloc((size_t)size) : NULL;
    bool ok = false;

    memset(g, 0, sizeof(*g));
    if (data && !fseek(f, 0, SEEK_SET) && fread(data, 1, (size_t)size, f) == (size_t)size)
        ok = gxc_parse(g, data, (size_t)size);
    free(data);
    if (f)
        fclose(f);
    return ok;
}

#endif
