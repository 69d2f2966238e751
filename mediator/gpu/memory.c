/* Physical memory: the arena, windows, pages for page tables, and the allocator of ranges behind them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mediator/gpu/internal.h"
#include "vgpu/base/bits.h"

#define TABLE_CHUNK (64 * GPU_PAGE)
#define HUGE_PAGE   (UINT64_C(2) << 20)

/* ---- ranges */

int gpu_ranges_init(struct gpu_ranges *r, uint64_t start, uint64_t size)
{
    r->free = malloc(16 * sizeof(*r->free));
    r->capacity = 16;
    r->count = 1;
    if (!r->free)
        return -ENOMEM;
    r->free[0] = (struct gpu_range){start, size};
    return 0;
}

void gpu_ranges_fini(struct gpu_ranges *r)
{
    free(r->free);
    *r = (struct gpu_ranges){0};
}

static int insert(struct gpu_ranges *r, unsigned at, struct gpu_range range)
{
    if (r->count == r->capacity) {
        struct gpu_range *grown = realloc(r->free, 2 * r->capacity * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        r->free = grown;
        r->capacity *= 2;
    }
    memmove(r->free + at + 1, r->free + at, (r->count - at) * sizeof(*r->free));
    r->free[at] = range;
    r->count++;
    return 0;
}

static void drop(struct gpu_ranges *r, unsigned at)
{
    r->count--;
    memmove(r->free + at, r->free + at + 1, (r->count - at) * sizeof(*r->free));
}

int gpu_ranges_take(struct gpu_ranges *r, uint64_t size, uint64_t align, uint64_t *start)
{
    for (unsigned i = 0; i < r->count; i++) {
        struct gpu_range *f = &r->free[i];
        uint64_t at = (f->start + align - 1) & ~(align - 1), skip = at - f->start;

        if (f->size < skip || f->size - skip < size)
            continue;
        uint64_t rest = f->size - skip - size;

        if (skip && rest && insert(r, i + 1, (struct gpu_range){at + size, rest}))
            return -ENOMEM;
        f = &r->free[i];
        if (skip)
            f->size = skip;
        else if (rest)
            *f = (struct gpu_range){at + size, rest};
        else
            drop(r, i);
        *start = at;
        return 0;
    }
    return -ENOSPC;
}

int gpu_ranges_give(struct gpu_ranges *r, uint64_t start, uint64_t size)
{
    unsigned lo = 0, hi = r->count;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (r->free[mid].start < start)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool joins_last = lo > 0 && r->free[lo - 1].start + r->free[lo - 1].size == start;
    bool joins_next = lo < r->count && start + size == r->free[lo].start;

    if (joins_last && joins_next) {
        r->free[lo - 1].size += size + r->free[lo].size;
        drop(r, lo);
    } else if (joins_last) {
        r->free[lo - 1].size += size;
    } else if (joins_next) {
        r->free[lo].start = start;
        r->free[lo].size += size;
    } else {
        return insert(r, lo, (struct gpu_range){start, size});
    }
    return 0;
}

/* ---- arena and windows */

int gpu_memory_init(struct gpu *g)
{
    g->arena = mmap(NULL, GPU_ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (g->arena == MAP_FAILED) {
        g->arena = NULL;
        return -errno;
    }
    int rc = gpu_ranges_init(&g->space, GPU_PAGE, GPU_ARENA_BYTES - GPU_PAGE); /* address 0 is no memory */

    return rc ? rc : gpu_ranges_init(&g->windows, 0, GPU_WINDOWS);
}

void gpu_memory_fini(struct gpu *g)
{
    free(g->table_chunks);
    gpu_ranges_fini(&g->windows);
    gpu_ranges_fini(&g->space);
    if (g->arena)
        munmap(g->arena, GPU_ARENA_BYTES);
}

uint8_t *gpu_memory_at(struct gpu *g, uint64_t gpa)
{
    if (gpa < GPU_ARENA_BYTES)
        return g->arena + gpa;
    const struct gpu_window *w = &g->window[(gpa - GPU_ARENA_BYTES) / GPU_WINDOW_BYTES % GPU_WINDOWS];

    return gpa % GPU_WINDOW_BYTES < w->size ? w->host + gpa % GPU_WINDOW_BYTES : NULL;
}

int gpu_memory_map(struct gpu *g, struct gpu_memory *m, uint64_t size, int fd)
{
    uint64_t align = size >= HUGE_PAGE ? HUGE_PAGE : GPU_PAGE, gpa;
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

    if (!size || size % GPU_PAGE || size > GPU_ARENA_BYTES)
        return -EINVAL;
    int rc = gpu_ranges_take(&g->space, size, align, &gpa);

    if (rc)
        return rc;
    if (mmap(g->arena + gpa, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
        rc = -errno;
        gpu_ranges_give(&g->space, gpa, size);
        return rc;
    }
    *m = (struct gpu_memory){.gpa = gpa, .size = size, .host = g->arena + gpa};
    return 0;
}

int gpu_memory_wrap(struct gpu *g, struct gpu_memory *m, void *host, uint64_t size)
{
    uint64_t count = (size + GPU_WINDOW_BYTES - 1) / GPU_WINDOW_BYTES, first;

    if (!size || size % GPU_PAGE || (uintptr_t)host % GPU_PAGE || count > GPU_WINDOWS)
        return -EINVAL;
    int rc = gpu_ranges_take(&g->windows, count, 1, &first);

    if (rc)
        return rc;
    for (uint64_t i = 0; i < count; i++)
        g->window[first + i] = (struct gpu_window){.host = (uint8_t *)host + i * GPU_WINDOW_BYTES,
                                                   .size = GT_MIN(size - i * GPU_WINDOW_BYTES, GPU_WINDOW_BYTES)};
    *m = (struct gpu_memory){
        .gpa = GPU_ARENA_BYTES + first * GPU_WINDOW_BYTES, .size = size, .host = host, .window = true};
    return 0;
}

/* The arena gets its reserved, unreachable pages back. */
static void unmap(struct gpu *g, struct gpu_memory *m)
{
    void *at = mmap(m->host, m->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

    if (at != MAP_FAILED)
        gpu_ranges_give(&g->space, m->gpa, m->size);
}

void gpu_memory_free(struct gpu *g, struct gpu_memory *m)
{
    if (!m->size)
        return;
    if (m->window) {
        uint64_t first = (m->gpa - GPU_ARENA_BYTES) / GPU_WINDOW_BYTES;
        uint64_t count = (m->size + GPU_WINDOW_BYTES - 1) / GPU_WINDOW_BYTES;

        memset(&g->window[first], 0, count * sizeof(g->window[0]));
        gpu_ranges_give(&g->windows, first, count);
    } else {
        unmap(g, m);
    }
    *m = (struct gpu_memory){0};
}

/* ---- page tables */

static int new_chunk(struct gpu *g)
{
    struct gpu_memory *list = realloc(g->table_chunks, (g->ntable_chunks + 1) * sizeof(*list)), m;

    if (!list)
        return -ENOMEM;
    g->table_chunks = list;
    int rc = gpu_memory_map(g, &m, TABLE_CHUNK, -1);

    if (rc)
        return rc;
    list[g->ntable_chunks++] = m;
    g->tables = m;
    g->tables_used = 0;
    return 0;
}

uint64_t gpu_table_new(struct gpu *g)
{
    uint64_t gpa = g->free_table;

    if (gpa) {
        memcpy(&g->free_table, g->arena + gpa, sizeof(g->free_table));
        memset(g->arena + gpa, 0, GPU_PAGE);
        return gpa;
    }
    if (g->tables_used == g->tables.size && new_chunk(g))
        return 0;
    gpa = g->tables.gpa + g->tables_used;
    g->tables_used += GPU_PAGE;
    return gpa;
}

void gpu_table_free(struct gpu *g, uint64_t gpa)
{
    memcpy(g->arena + gpa, &g->free_table, sizeof(g->free_table));
    g->free_table = gpa;
}
