/* The cache of decoded kernels. An entry is as good as the bytes it was decoded from: they are compared, once a
 * command, with those that are in memory now. */
#include "mediator/soft/kernels.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES 512u
#define BUCKETS 256u
#define NONE    UINT16_MAX

struct entry {
    struct eu_kernel *kernel; /* NULL: free */
    uint64_t address;
    uint64_t used, checked; /* stamps */
    uint16_t next;          /* in the bucket, or in the list of free ones */
};

struct soft_kernels {
    struct entry entry[ENTRIES];
    uint16_t bucket[BUCKETS], free;
    uint64_t stamp;
    size_t memory;
};

struct reading {
    struct soft_mem *mem;
    uint64_t address;
};

static uint16_t *bucket_of(struct soft_kernels *k, uint64_t address)
{
    return &k->bucket[(address >> 6 ^ address >> 14) % BUCKETS];
}

struct soft_kernels *soft_kernels_create(void)
{
    struct soft_kernels *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    memset(k->bucket, 0xff, sizeof(k->bucket));
    for (unsigned i = 0; i < ENTRIES; i++)
        k->entry[i].next = (uint16_t)(i + 1 < ENTRIES ? i + 1 : NONE);
    k->stamp = 1;
    return k;
}

void soft_kernels_destroy(struct soft_kernels *k)
{
    for (unsigned i = 0; k && i < ENTRIES; i++)
        eu_kernel_free(k->entry[i].kernel);
    free(k);
}

void soft_kernels_begin(struct soft_kernels *k)
{
    k->stamp++;
}

/* ---- what is in memory */

static bool read_code(void *ctx, uint64_t offset, void *dst, size_t n)
{
    const struct reading *r = ctx;

    return soft_mem_read(r->mem, r->address + offset, dst, n);
}

static bool same_code(struct soft_mem *m, uint64_t address, const struct eu_kernel *kernel)
{
    const uint8_t *code = eu_kernel_code(kernel);
    size_t n = eu_kernel_size(kernel);
    uint8_t now[256];

    if (eu_kernel_unknown(kernel)) /* it may have ended where nothing was mapped then */
        return false;
    for (size_t at = 0, part; at < n; at += part) {
        part = n - at < sizeof(now) ? n - at : sizeof(now);
        if (!soft_mem_read(m, address + at, now, part) || memcmp(now, code + at, part) != 0)
            return false;
    }
    return true;
}

/* ---- entries */

static void evict(struct soft_kernels *k, uint16_t i)
{
    struct entry *e = &k->entry[i];
    uint16_t *link = bucket_of(k, e->address);

    while (*link != i)
        link = &k->entry[*link].next;
    *link = e->next;
    k->memory -= eu_kernel_memory(e->kernel);
    eu_kernel_free(e->kernel);
    *e = (struct entry){.next = k->free};
    k->free = i;
}

/* The one that was not used for longest, if that was before this command. */
static uint16_t oldest(const struct soft_kernels *k)
{
    uint16_t best = NONE;

    for (uint16_t i = 0; i < ENTRIES; i++)
        if (k->entry[i].kernel && k->entry[i].used < k->stamp &&
            (best == NONE || k->entry[i].used < k->entry[best].used))
            best = i;
    return best;
}

static uint16_t find(struct soft_kernels *k, struct soft_mem *m, uint64_t address)
{
    for (uint16_t i = *bucket_of(k, address); i != NONE; i = k->entry[i].next) {
        struct entry *e = &k->entry[i];

        if (e->address != address)
            continue;
        if (e->checked == k->stamp || same_code(m, address, e->kernel)) {
            e->checked = k->stamp;
            return i;
        }
    }
    return NONE;
}

static uint16_t add(struct soft_kernels *k, struct soft_mem *m, uint64_t address)
{
    struct reading r = {.mem = m, .address = address};
    struct eu_kernel *kernel = eu_kernel_decode(read_code, &r);
    uint16_t i, old, *link = bucket_of(k, address);
    size_t memory;

    if (!kernel)
        return NONE;
    memory = eu_kernel_memory(kernel);
    while ((k->free == NONE || k->memory + memory > SOFT_KERNELS_BYTES) && (old = oldest(k)) != NONE)
        evict(k, old);
    i = k->free;
    if (i == NONE) { /* more in one command than a command can name */
        eu_kernel_free(kernel);
        return NONE;
    }
    k->free = k->entry[i].next;
    k->entry[i] = (struct entry){.kernel = kernel, .address = address, .checked = k->stamp, .next = *link};
    *link = i;
    k->memory += memory;
    return i;
}

const struct eu_kernel *soft_kernels_get(struct soft_kernels *k, struct soft_mem *m, uint64_t address)
{
    uint16_t i = find(k, m, address);

    if (i == NONE)
        i = add(k, m, address);
    if (i == NONE)
        return NULL;
    k->entry[i].used = k->stamp;
    return k->entry[i].kernel;
}
