#include "mediator/soft/progress.h"

#include <string.h>

#include "vgpu/base/bits.h"

/* Scratch dwords: two steps, of which VGPU_SCRATCH_PROGRESS says how many were written (the last bit tells which one is
 * valid), and whose they are. The blitter's set-up is in the first ones, on its own engine. */
#define SCRATCH_STEPS    16u
#define SCRATCH_ATTEMPTS 28u /* how often, */
#define SCRATCH_SEEN     29u /* ... and what VGPU_SCRATCH_PROGRESS was, plus 1 */
#define SCRATCH_KEY      31u

#define ATTEMPTS_MAX 1000u

_Static_assert(SCRATCH_STEPS + 2 * SOFT_PROGRESS_DWORDS <= SCRATCH_ATTEMPTS, "two steps fit");

uint32_t soft_progress_key(const struct vgpu_exec *x, const uint32_t *dw, unsigned ndw)
{
    uint64_t at = vgpu_exec_position(x);
    uint32_t key = ndw ^ (uint32_t)at ^ (uint32_t)(at >> 32);

    for (unsigned i = 0; i < ndw; i++)
        key = (key ^ dw[i]) * 0x01000193u; /* FNV-1 */
    return key;
}

static uint32_t *step_of(uint32_t *scratch, uint32_t n)
{
    return scratch + SCRATCH_STEPS + n % 2 * SOFT_PROGRESS_DWORDS;
}

bool soft_progress_begin(struct vgpu_exec *x, const uint32_t *dw, unsigned ndw, uint32_t step[SOFT_PROGRESS_DWORDS])
{
    uint32_t *scratch = vgpu_exec_scratch(x), key = soft_progress_key(x, dw, ndw), n = scratch[VGPU_SCRATCH_PROGRESS];
    bool again = scratch[SCRATCH_KEY] == key && scratch[SCRATCH_SEEN] == n + 1;

    scratch[SCRATCH_ATTEMPTS] = again ? GT_MIN(scratch[SCRATCH_ATTEMPTS], ATTEMPTS_MAX) + 1 : 0;
    scratch[SCRATCH_SEEN] = n + 1;
    if (n && scratch[SCRATCH_KEY] == key) {
        memcpy(step, step_of(scratch, n), 4 * SOFT_PROGRESS_DWORDS);
        return true;
    }
    __atomic_store_n(&scratch[VGPU_SCRATCH_PROGRESS], 0, __ATOMIC_RELEASE);
    __atomic_store_n(&scratch[SCRATCH_KEY], key, __ATOMIC_RELEASE);
    memset(step, 0, 4 * SOFT_PROGRESS_DWORDS);
    return false;
}

unsigned soft_progress_attempts(struct vgpu_exec *x)
{
    return vgpu_exec_scratch(x)[SCRATCH_ATTEMPTS];
}

void soft_progress_step(struct vgpu_exec *x, const uint32_t step[SOFT_PROGRESS_DWORDS])
{
    uint32_t *scratch = vgpu_exec_scratch(x), n = scratch[VGPU_SCRATCH_PROGRESS] + 1;

    if (!n)
        n = 2; /* 0 means none, and the last bit must change */
    memcpy(step_of(scratch, n), step, 4 * SOFT_PROGRESS_DWORDS);
    __atomic_store_n(&scratch[VGPU_SCRATCH_PROGRESS], n, __ATOMIC_RELEASE);
}

void soft_progress_end(struct vgpu_exec *x)
{
    vgpu_exec_scratch(x)[SCRATCH_SEEN] = 0;
}
