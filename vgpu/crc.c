/*
 * Pipe CRCs: a CRC-32 of the composed picture, once a frame while the guest asks for it. Its value depends on the
 * picture and on nothing else.
 */
#include "vgpu/device.h"

#define CRC_ENABLE   GT_BIT(31) /* intel_pipe_crc_regs.h PIPE_CRC_CTL */
#define DE_PIPE_CRC  GT_BIT(28) /* i915_reg.h GEN8_PIPE_CDCLK_CRC_DONE */
#define POLYNOMIAL   0xedb88320u
#define ROWS_A_SLICE 64u

_Static_assert(VGPU_SCANOUT_PLANES >= VGPU_PLANES + 1, "universal planes and the cursor");

/* Slicing by 8: table[k][b] is the CRC of byte b followed by k zero bytes. */
static void build_table(uint32_t table[8][256])
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (unsigned bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (unsigned k = 1; k < 8; k++)
            table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
}

static uint32_t crc_pair(uint32_t table[8][256], uint32_t lo, uint32_t hi)
{
    return table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^ table[5][lo >> 16 & 0xff] ^ table[4][lo >> 24] ^
           table[3][hi & 0xff] ^ table[2][hi >> 8 & 0xff] ^ table[1][hi >> 16 & 0xff] ^ table[0][hi >> 24];
}

static uint32_t crc_row(uint32_t table[8][256], uint32_t crc, const uint32_t *row, uint32_t n)
{
    uint32_t i = 0;

    for (; i + 2 <= n; i += 2)
        crc = crc_pair(table, crc ^ row[i], row[i + 1]);
    if (i < n) {
        crc ^= row[i];
        crc = table[3][crc & 0xff] ^ table[2][crc >> 8 & 0xff] ^ table[1][crc >> 16 & 0xff] ^ table[0][crc >> 24];
    }
    return crc;
}

static int read_ggtt(void *opaque, uint64_t ggtt, void *dst, size_t n)
{
    return vgpu_as_read(opaque, ggtt, dst, n);
}

void vgpu_crc_init(struct vgpu *v)
{
    build_table(v->display.crc.table);
    vgpu_as_init_ggtt(&v->display.crc.as, v);
}

static bool wanted(struct vgpu *v, unsigned pipe)
{
    return v->display.pipe[pipe].on && (vgpu_reg_get(v, R_PIPE_CRC_CTL, pipe) & CRC_ENABLE);
}

void vgpu_crc_start(struct vgpu *v, unsigned pipe)
{
    struct vgpu_crc_job *job = &v->display.crc.job[pipe];

    if (job->active || !wanted(v, pipe) || !vgpu_scanout(v, pipe, &job->scanout))
        return;
    job->active = true;
    job->row = 0;
    job->crc = UINT32_MAX;
    job->epoch = v->display.crc_epoch[pipe];
}

/* The result of a run that was stopped or reset in the meantime is nobody's. */
static void publish(struct vgpu *v, unsigned pipe, const struct vgpu_crc_job *job)
{
    vgpu_lock(v);
    if (job->epoch == v->display.crc_epoch[pipe] && wanted(v, pipe)) {
        *vgpu_reg(v, R_PIPE_CRC_RES, pipe, 0) = ~job->crc;
        vgpu_irq_pipe(v, pipe, DE_PIPE_CRC);
    }
    vgpu_unlock(v);
}

static void compose_slice(struct vgpu_crc *c, struct vgpu_crc_job *job)
{
    uint32_t end = GT_MIN(job->row + ROWS_A_SLICE, job->scanout.height);

    for (; job->row < end; job->row++) {
        vgpu_compose_row(&job->scanout, job->row, read_ggtt, &c->as, c->row, c->scratch);
        job->crc = crc_row(c->table, job->crc, c->row, job->scanout.width);
    }
}

bool vgpu_crc_work(struct vgpu *v)
{
    struct vgpu_crc *c = &v->display.crc;
    bool worked = false;

    for (unsigned pipe = 0; pipe < VGPU_PIPES; pipe++) {
        struct vgpu_crc_job *job = &c->job[pipe];

        if (!job->active)
            continue;
        worked = true;
        compose_slice(c, job);
        if (job->row == job->scanout.height) {
            job->active = false;
            publish(v, pipe, job);
        }
    }
    return worked;
}

void reg_write_PIPE_CRC_CTL(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    if (old != val)
        v->display.crc_epoch[ref->unit]++;
    if (val & ~old & CRC_ENABLE) {
        v->regs[ref->off / 4] = old;
        vgpu_vblank_want(v, ref->unit);
        v->regs[ref->off / 4] = val;
    }
}
