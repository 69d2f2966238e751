#include "mediator/soft/mem.h"

#include <string.h>

#include "vgpu/base/bits.h"

#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

int soft_space_init(struct soft_space *s)
{
    memset(s, 0, sizeof(*s));
    int rc = pthread_mutex_init(&s->lock, NULL);

    if (rc)
        return -rc;
    rc = pthread_mutex_init(&s->settling, NULL);
    if (rc)
        pthread_mutex_destroy(&s->lock);
    return -rc;
}

void soft_space_fini(struct soft_space *s)
{
    pthread_mutex_destroy(&s->settling);
    pthread_mutex_destroy(&s->lock);
}

void soft_space_begin(struct soft_space *s, struct vgpu_exec *x)
{
    s->x = x;
    s->stamp++;
    atomic_store_explicit(&s->fault, 0, memory_order_relaxed);
    atomic_store_explicit(&s->fault_count, 0, memory_order_relaxed);
}

void soft_mem_begin(struct soft_mem *m, struct soft_space *space)
{
    if (m->space == space && m->stamp == space->stamp)
        return;
    m->space = space;
    m->stamp = space->stamp;
    memset(m->entry, 0, sizeof(m->entry));
}

static void note_fault(struct soft_space *s, uint64_t addr)
{
    uint64_t none = 0;

    atomic_compare_exchange_strong_explicit(&s->fault, &none, addr | 1, memory_order_relaxed, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->fault_count, 1, memory_order_relaxed);
}

/* The page's address, or NULL when it has none or is not mapped; the latter is noted. */
static uint8_t *find_page(struct soft_space *s, uint64_t page, bool write)
{
    uint8_t probe, *ptr;
    bool mapped = true;

    pthread_mutex_lock(&s->lock);
    ptr = vgpu_exec_ptr(s->x, page, write);
    if (!ptr)
        mapped = !vgpu_exec_read(s->x, page, &probe, sizeof(probe));
    pthread_mutex_unlock(&s->lock);
    if (!mapped)
        note_fault(s, page);
    return ptr;
}

uint8_t *soft_mem_ptr_slow(struct soft_mem *m, uint64_t addr, bool write)
{
    struct soft_mem_entry *e = &m->entry[(addr / SOFT_PAGE) % SOFT_MEM_ENTRIES];
    uint64_t page = addr & ~(uint64_t)(SOFT_PAGE - 1);
    uint8_t *ptr = find_page(m->space, page & ADDRESS_MASK, write);

    if (!ptr)
        return NULL;
    e->page = page | SOFT_MEM_VALID | (write ? SOFT_MEM_WRITABLE : 0);
    e->ptr = ptr;
    return ptr + addr % SOFT_PAGE;
}

static bool slow_access(struct soft_space *s, uint64_t addr, void *dst, const void *src, size_t n)
{
    pthread_mutex_lock(&s->lock);
    int rc = dst ? vgpu_exec_read(s->x, addr, dst, n) : vgpu_exec_write(s->x, addr, src, n);

    pthread_mutex_unlock(&s->lock);
    if (rc && dst)
        memset(dst, 0, n);
    if (rc)
        note_fault(s, addr);
    return !rc;
}

static size_t to_page_end(uint64_t addr, size_t n)
{
    size_t rest = SOFT_PAGE - addr % SOFT_PAGE;

    return GT_MIN(n, rest);
}

bool soft_mem_read(struct soft_mem *m, uint64_t addr, void *dst, size_t n)
{
    uint8_t *to = dst;
    bool ok = true;

    for (size_t chunk; n; n -= chunk, to += chunk, addr += chunk) {
        const uint8_t *ptr = soft_mem_ptr(m, addr, false);

        chunk = to_page_end(addr, n);
        if (ptr)
            memcpy(to, ptr, chunk);
        else
            ok &= slow_access(m->space, addr & ADDRESS_MASK, to, NULL, chunk);
    }
    return ok;
}

bool soft_mem_write(struct soft_mem *m, uint64_t addr, const void *src, size_t n)
{
    const uint8_t *from = src;
    bool ok = true;

    for (size_t chunk; n; n -= chunk, from += chunk, addr += chunk) {
        uint8_t *ptr = soft_mem_ptr(m, addr, true);

        chunk = to_page_end(addr, n);
        if (ptr)
            memcpy(ptr, from, chunk);
        else
            ok &= slow_access(m->space, addr & ADDRESS_MASK, NULL, from, chunk);
    }
    return ok;
}
