#include "mediator/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define FIRST_SLOTS 256u

struct slot {
    uint64_t number; /* page number */
    uint8_t *page;   /* NULL: free */
};

/* Open addressing, at most half full. */
struct shadow {
    struct slot *slot;
    size_t slots; /* power of two */
    size_t used, max;
};

struct shadow *shadow_create(size_t max_pages)
{
    struct shadow *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->max = max_pages;
    s->slots = FIRST_SLOTS;
    s->slot = calloc(s->slots, sizeof(*s->slot));
    if (!s->slot) {
        free(s);
        return NULL;
    }
    return s;
}

void shadow_destroy(struct shadow *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->slots; i++)
        free(s->slot[i].page);
    free(s->slot);
    free(s);
}

/* Finalizer of splitmix64: page numbers of a guest are sequential or chosen to collide; neither may make long chains.
 */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* The page's slot, or the free one where it belongs. */
static struct slot *find(const struct shadow *s, uint64_t number)
{
    size_t i = mix(number) & (s->slots - 1);

    while (s->slot[i].page && s->slot[i].number != number)
        i = (i + 1) & (s->slots - 1);
    return &s->slot[i];
}

static bool grow(struct shadow *s)
{
    struct shadow bigger = {.slots = s->slots * 2, .used = s->used, .max = s->max};

    bigger.slot = calloc(bigger.slots, sizeof(*bigger.slot));
    if (!bigger.slot)
        return false;
    for (size_t i = 0; i < s->slots; i++)
        if (s->slot[i].page)
            *find(&bigger, s->slot[i].number) = s->slot[i];
    free(s->slot);
    *s = bigger;
    return true;
}

const uint8_t *shadow_page(const struct shadow *s, uint64_t gpa)
{
    return find(s, gpa / SHADOW_PAGE)->page;
}

static uint8_t *page_for_write(struct shadow *s, uint64_t number)
{
    struct slot *slot = find(s, number);

    if (slot->page)
        return slot->page;
    if (s->used >= s->max)
        return NULL;
    if (s->used >= s->slots / 2) {
        if (!grow(s))
            return NULL;
        slot = find(s, number);
    }
    slot->page = calloc(1, SHADOW_PAGE);
    if (!slot->page)
        return NULL;
    slot->number = number;
    s->used++;
    return slot->page;
}

/* Bytes of [gpa, gpa + n) that lie in gpa's page. */
static size_t in_page(uint64_t gpa, size_t n)
{
    size_t left = SHADOW_PAGE - (size_t)(gpa % SHADOW_PAGE);

    return GT_MIN(left, n);
}

int shadow_read(const struct shadow *s, uint64_t gpa, void *dst, size_t n)
{
    uint8_t *out = dst;

    if (n && gpa + (n - 1) < gpa)
        return -EFAULT;
    while (n) {
        const uint8_t *page = shadow_page(s, gpa);
        size_t part = in_page(gpa, n);

        if (page)
            memcpy(out, page + gpa % SHADOW_PAGE, part);
        else
            memset(out, 0, part);
        out += part;
        gpa += part;
        n -= part;
    }
    return 0;
}

int shadow_write(struct shadow *s, uint64_t gpa, const void *src, size_t n)
{
    const uint8_t *in = src;

    if (!n)
        return 0;
    if (gpa + (n - 1) < gpa)
        return -EFAULT;
    /* All pages first: all or nothing. */
    for (uint64_t number = gpa / SHADOW_PAGE; number <= (gpa + (n - 1)) / SHADOW_PAGE; number++)
        if (!page_for_write(s, number))
            return -ENOMEM;
    while (n) {
        size_t part = in_page(gpa, n);

        memcpy(page_for_write(s, gpa / SHADOW_PAGE) + gpa % SHADOW_PAGE, in, part);
        in += part;
        gpa += part;
        n -= part;
    }
    return 0;
}

int shadow_cas(struct shadow *s, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    uint64_t old = 0, want = *expected;
    int ret;

    if ((size != 4 && size != 8) || gpa % size)
        return -EFAULT;
    if (size == 4)
        want = (uint32_t)want;
    ret = shadow_read(s, gpa, &old, size);
    if (ret)
        return ret;
    if (old != want) {
        *expected = old;
        return 0;
    }
    ret = shadow_write(s, gpa, &desired, size);
    return ret ? ret : 1;
}
