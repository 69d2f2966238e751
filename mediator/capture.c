#include "mediator/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define PAGE       4096u
#define BOS_MAX    4096u
#define BYTES_MAX  (UINT64_C(1) << 30) /* of a file, and of all objects of a capture */
#define RELOC_SIZE 32u
#define ADDRESS    ((UINT64_C(1) << 48) - 1)

struct record {
    uint32_t handle, flags;
    uint64_t addr, size;
    uint32_t tiling, stride, nreloc, nextent;
};

_Static_assert(sizeof(struct capture_header) == 160, "header of the capture format");
_Static_assert(sizeof(struct record) == 40, "buffer record of the capture format");

struct reader {
    const uint8_t *data;
    size_t size, at;
    uint64_t room; /* bytes that objects may still have */
};

static bool take(struct reader *r, void *out, uint64_t n)
{
    if (n > r->size - r->at)
        return false;
    if (out)
        memcpy(out, r->data + r->at, (size_t)n);
    r->at += (size_t)n;
    return true;
}

static bool take_extent(struct reader *r, struct capture_bo *bo)
{
    uint64_t range[2];

    if (!take(r, range, sizeof(range)) || range[0] > bo->size || range[1] > bo->size - range[0])
        return false;
    return take(r, bo->data + range[0], range[1]);
}

static bool take_bo(struct reader *r, struct capture_bo *bo)
{
    struct record rec;

    if (!take(r, &rec, sizeof(rec)) || !rec.size || rec.size > r->room || rec.size % PAGE || rec.addr % PAGE)
        return false;
    r->room -= rec.size;
    *bo = (struct capture_bo){
        .addr = rec.addr & ADDRESS, .size = rec.size, .handle = rec.handle, .tiling = rec.tiling, .stride = rec.stride};
    bo->data = aligned_alloc(PAGE, (size_t)rec.size);
    if (!bo->data || bo->size > ADDRESS + 1 - bo->addr || !take(r, NULL, (uint64_t)rec.nreloc * RELOC_SIZE))
        return false;
    memset(bo->data, 0, (size_t)rec.size);
    for (uint32_t i = 0; i < rec.nextent; i++)
        if (!take_extent(r, bo))
            return false;
    return true;
}

bool capture_parse(struct capture *c, const void *data, size_t size, char *err, size_t errsz)
{
    struct reader r = {.data = data, .size = size, .room = BYTES_MAX};

    memset(c, 0, sizeof(*c));
    if (!take(&r, &c->head, sizeof(c->head)) || memcmp(c->head.magic, "GTXCAP1", 8) || c->head.version != 1) {
        snprintf(err, errsz, "it is no capture of version 1");
        memset(c, 0, sizeof(*c));
        return false;
    }
    c->head.program[sizeof(c->head.program) - 1] = '\0';
    if (c->head.nbo > BOS_MAX || c->head.batch_bo >= c->head.nbo) {
        snprintf(err, errsz, "the number of objects or of the batch is wrong");
        c->head.nbo = 0;
        return false;
    }
    c->bo = calloc(c->head.nbo, sizeof(*c->bo));
    for (uint32_t i = 0; c->bo && i < c->head.nbo; i++) {
        if (!take_bo(&r, &c->bo[i])) {
            snprintf(err, errsz, "object %u is damaged or cut off", i);
            return false;
        }
    }
    if (!c->bo || c->head.batch_offset >= c->bo[c->head.batch_bo].size) {
        snprintf(err, errsz, c->bo ? "the batch is outside of its object" : "out of memory");
        return false;
    }
    return true;
}

void capture_free(struct capture *c)
{
    for (uint32_t i = 0; c->bo && i < c->head.nbo; i++)
        free(c->bo[i].data);
    free(c->bo);
    memset(c, 0, sizeof(*c));
}

/* ---- files */

static uint8_t *read_file(const char *path, size_t *size, char *err, size_t errsz)
{
    FILE *f = fopen(path, "rb");
    long n = f && !fseek(f, 0, SEEK_END) ? ftell(f) : -1;
    uint8_t *data = n > 0 && (uint64_t)n <= BYTES_MAX ? malloc((size_t)n) : NULL;
    bool ok = data && !fseek(f, 0, SEEK_SET) && fread(data, 1, (size_t)n, f) == (size_t)n;

    if (!ok) {
        snprintf(err, errsz, "%s", !f ? strerror(errno) : "it cannot be read, is empty or too large");
        free(data);
        data = NULL;
    }
    if (f)
        fclose(f);
    *size = (size_t)n;
    return data;
}

/* Takes data over. */
static uint8_t *decompress(uint8_t *data, size_t *size, char *err, size_t errsz)
{
    unsigned long long n = ZSTD_getFrameContentSize(data, *size);
    uint8_t *out = n <= BYTES_MAX ? malloc((size_t)n) : NULL;

    if (out)
        *size = ZSTD_decompress(out, (size_t)n, data, *size);
    free(data);
    if (!out || ZSTD_isError(*size)) {
        snprintf(err, errsz, "its compressed data are damaged or too large");
        free(out);
        return NULL;
    }
    return out;
}

bool capture_load(struct capture *c, const char *path, char *err, size_t errsz)
{
    static const uint8_t zstd[4] = {0x28, 0xb5, 0x2f, 0xfd}; /* RFC 8878 */
    size_t size;
    uint8_t *data = read_file(path, &size, err, errsz);

    memset(c, 0, sizeof(*c));
    if (data && size > sizeof(zstd) && !memcmp(data, zstd, sizeof(zstd)))
        data = decompress(data, &size, err, errsz);
    bool ok = data && capture_parse(c, data, size, err, errsz);

    free(data);
    return ok;
}

const uint8_t *capture_find(const struct capture *c, uint64_t addr, uint64_t *left)
{
    addr &= ADDRESS;
    for (uint32_t i = 0; i < c->head.nbo; i++) {
        const struct capture_bo *b = &c->bo[i];

        if (addr >= b->addr && addr - b->addr < b->size) {
            *left = b->size - (addr - b->addr);
            return b->data + (addr - b->addr);
        }
    }
    return NULL;
}

uint64_t capture_batch(const struct capture *c)
{
    return c->bo[c->head.batch_bo].addr + c->head.batch_offset;
}
