#include "mediator/soft/hiz.h"

#include <string.h>

#include "mediator/soft/mcs.h"
#include "vgpu/base/bits.h"

#define LAYER_BYTES 16u
/* More than any real depth buffer has; a page table can make anything large of one page. */
#define FILL_MAX  (UINT64_C(1) << 30)
#define RUN_BYTES 1024u

_Static_assert(SOFT_LEVELS <= LAYER_BYTES, "a byte for each level");

bool soft_hiz_used(const struct soft_surface *s)
{
    return s->aux == SOFT_AUX_HIZ && s->aux_address && s->element_bytes && s->element_bytes <= 16 &&
           !s->info->compression && s->type != SOFT_SURF_NULL && s->type != SOFT_SURF_BUFFER &&
           s->type != SOFT_SURF_STRBUF;
}

/* NULL: not mapped. */
static uint8_t *find_mark(struct soft_mem *m, const struct soft_surface *s, unsigned level, uint32_t z, bool write)
{
    uint64_t layer = (uint64_t)s->first_layer + z;

    return soft_mem_ptr(m, s->aux_address + layer * LAYER_BYTES + s->first_level + level, write);
}

/* Not mapped counts as marked: there is nothing that could be remembered. */
static bool is_marked(struct soft_mem *m, const struct soft_surface *s, unsigned level, uint32_t z)
{
    const uint8_t *mark = find_mark(m, s, level, z, false);

    return !mark || __atomic_load_n(mark, __ATOMIC_ACQUIRE);
}

void soft_hiz_mark(struct soft_mem *m, const struct soft_surface *s, unsigned level, uint32_t z)
{
    uint8_t *mark = find_mark(m, s, level, z, true);

    if (mark)
        __atomic_store_n(mark, 1, __ATOMIC_RELEASE);
}

/* What is not mapped ends it. */
static void fill_slice(struct soft_mem *m, const struct soft_surface *s, unsigned level, uint32_t z,
                       const uint8_t run[RUN_BYTES], uint64_t *left)
{
    uint32_t width = s->level[level].width_px, height = s->level[level].height_px, most = RUN_BYTES / s->element_bytes;
    uint64_t faults = atomic_load_explicit(&m->space->fault_count, memory_order_relaxed);

    for (unsigned sample = 0; sample < s->samples; sample++) {
        for (uint32_t y = 0; y < height && *left; y++) {
            for (uint32_t x = 0; x < width; x += most)
                soft_surface_write_row(m, s, x, y, z, level, sample, GT_MIN(most, width - x), run);
            *left -= GT_MIN(*left, (uint64_t)width * s->element_bytes);
            if (atomic_load_explicit(&m->space->fault_count, memory_order_relaxed) != faults)
                *left = 0;
        }
    }
}

/* Values first, mark afterwards: who sees the mark sees the values. */
static void settle_slice(struct soft_mem *m, const struct soft_surface *s, unsigned level, uint32_t z,
                         const uint8_t run[RUN_BYTES], uint64_t *left)
{
    pthread_mutex_lock(&m->space->settling);
    if (!is_marked(m, s, level, z)) {
        fill_slice(m, s, level, z, run, left);
        soft_hiz_mark(m, s, level, z);
    }
    pthread_mutex_unlock(&m->space->settling);
}

static void make_run(const struct soft_surface *s, uint8_t run[RUN_BYTES])
{
    uint8_t element[16];

    soft_mcs_pack_clear(s, SOFT_SAMPLED, element);
    for (unsigned i = 0; i + s->element_bytes <= RUN_BYTES; i += s->element_bytes)
        memcpy(run + i, element, s->element_bytes);
}

void soft_hiz_settle(struct soft_mem *m, const struct soft_surface *s, unsigned first, unsigned end, uint32_t slices)
{
    uint64_t left = FILL_MAX;
    uint8_t run[RUN_BYTES];
    bool made = false;

    if (!soft_hiz_used(s))
        return;
    for (unsigned level = first; level < GT_MIN(end, SOFT_LEVELS); level++) {
        uint32_t n = s->type == SOFT_SURF_3D ? GT_MIN(slices, s->level[level].depth_px) : slices;

        for (uint32_t z = 0; z < n && left; z++) {
            if (is_marked(m, s, level, z))
                continue;
            if (!made)
                make_run(s, run);
            made = true;
            settle_slice(m, s, level, z, run, &left);
        }
    }
}
