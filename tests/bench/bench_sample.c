/*
 * Texels per second of the sampler, message by message, for what programs do most: 2D, four bytes a texel. Beside it,
 * in the same run, a plain C loop that filters the same positions from a linear array of bytes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/sampler_fixture.h"

#define SIZE     256u /* of the texture */
#define MESSAGES 4096u
#define ROUNDS   9u

struct positions {
    float u[MESSAGES][LANES], v[MESSAGES][LANES];
};

struct job {
    const char *name;
    unsigned format, tile, type;
    bool linear;
    unsigned mip;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Quads along rows of a slightly turned picture, as a rasterizer would ask for them. */
static void make_positions(struct positions *p)
{
    for (unsigned m = 0; m < MESSAGES; m++)
        for (unsigned i = 0; i < LANES; i++) {
            unsigned quad = m * 4 + i / 4;
            float x = (float)(quad % 128 * 2 + (i & 1)), y = (float)(quad / 128 * 2 + (i >> 1 & 1));

            p->u[m][i] = (x * 0.98f + y * 0.05f) / SIZE;
            p->v[m][i] = (y * 0.98f - x * 0.05f) / SIZE;
        }
}

static double plain_loop(const struct positions *p, const uint8_t *texture)
{
    double start = now();
    float total = 0;

    for (unsigned m = 0; m < MESSAGES; m++)
        for (unsigned i = 0; i < LANES; i++) {
            float x = p->u[m][i] * SIZE - 0.5f, y = p->v[m][i] * SIZE - 0.5f;
            int x0 = (int)floorf(x), y0 = (int)floorf(y);
            float wx = x - (float)x0, wy = y - (float)y0, sum = 0;
            const uint8_t *row0 = texture + (size_t)(y0 & (SIZE - 1)) * SIZE * 4;
            const uint8_t *row1 = texture + (size_t)((y0 + 1) & (SIZE - 1)) * SIZE * 4;
            int left = (x0 & (SIZE - 1)) * 4, right = ((x0 + 1) & (SIZE - 1)) * 4;

            for (unsigned c = 0; c < 4; c++) {
                float upper = (float)row0[left + c] * (1 - wx) + (float)row0[right + c] * wx;
                float lower = (float)row1[left + c] * (1 - wx) + (float)row1[right + c] * wx;

                sum += (upper * (1 - wy) + lower * wy) * (1 / 255.0f);
            }
            total += sum;
        }
    double t = now() - start;
    return total >= 0 ? t : 0; /* the sum is wanted */
}

static double messages(struct sampler_rig *r, const struct positions *p, const struct job *job)
{
    struct eu_message m = {.sfid = EU_SFID_SAMPLER,
                           .exec_size = LANES,
                           .mlen = 4,
                           .rlen = 8,
                           .mask = 0xffff,
                           .src0 = r->payload,
                           .dst = r->answer};

    m.desc = job->type << 12 | 2u << 17;
    double start = now();
    for (unsigned n = 0; n < MESSAGES; n++) {
        memcpy(r->payload, p->u[n], sizeof(p->u[n]));
        memcpy(r->payload + sizeof(p->u[n]), p->v[n], sizeof(p->v[n]));
        soft_sampler_message(&r->env, r->thread, &m);
    }
    return now() - start;
}

static void report(struct sampler_rig *r, const struct positions *p, const struct job *job, double plain)
{
    double best = 1e9;
    unsigned bytes = soft_format_find(job->format)->bits / 8u;

    rig_bind(r, (struct surface_spec){.format = job->format,
                                      .tile = job->tile,
                                      .w = SIZE,
                                      .h = SIZE,
                                      .levels = 8,
                                      .pitch = SIZE * bytes,
                                      .qpitch = SIZE * 2});
    for (unsigned i = 0; i < SIZE * SIZE * bytes; i++)
        *(rig_at(r, RIG_TEXTURE) + i) = (uint8_t)(i * 31);
    rig_filters(r, job->linear, job->linear, job->mip);
    memcpy(rig_at(r, RIG_SAMPLERS), r->sampler, sizeof(r->sampler));
    soft_units_begin(r->env.units);
    for (unsigned i = 0; i < ROUNDS; i++)
        best = fmin(best, messages(r, p, job));
    printf("%-44s %7.1f M/s  %5.2f of the plain loop\n", job->name, MESSAGES * LANES / best / 1e6, plain / best);
}

int main(void)
{
    static const struct job jobs[] = {
        {"sample RGBA8 linear, bilinear", SOFT_FORMAT_R8G8B8A8_UNORM, 0, MSG_SAMPLE, true, MIP_NONE},
        {"sample RGBA8 Y, bilinear", SOFT_FORMAT_R8G8B8A8_UNORM, 3, MSG_SAMPLE, true, MIP_NONE},
        {"sample BGRX8 X, bilinear", SOFT_FORMAT_B8G8R8X8_UNORM, 2, MSG_SAMPLE, true, MIP_NONE},
        {"sample RGBA8 Y, nearest", SOFT_FORMAT_R8G8B8A8_UNORM, 3, MSG_SAMPLE, false, MIP_NONE},
        {"sample_lz RGBA8 Y, bilinear", SOFT_FORMAT_R8G8B8A8_UNORM, 3, MSG_SAMPLE_LZ, true, MIP_NONE},
        {"sample RGBA8 Y, trilinear", SOFT_FORMAT_R8G8B8A8_UNORM, 3, MSG_SAMPLE, true, MIP_LINEAR},
        {"sample RGBA8 sRGB Y, bilinear", SOFT_FORMAT_R8G8B8A8_UNORM_SRGB, 3, MSG_SAMPLE, true, MIP_NONE},
        {"sample R8 Y, bilinear", SOFT_FORMAT_R8_UNORM, 3, MSG_SAMPLE, true, MIP_NONE},
        {"sample RGBA16F Y, bilinear", SOFT_FORMAT_R16G16B16A16_FLOAT, 3, MSG_SAMPLE, true, MIP_NONE},
        {"ld_lz RGBA8 Y", SOFT_FORMAT_R8G8B8A8_UNORM, 3, MSG_LD_LZ, false, MIP_NONE},
    };
    static struct positions p;
    static struct sampler_rig r;
    double plain = 1e9;
    uint8_t *texture = malloc((size_t)SIZE * SIZE * 4);

    if (!texture)
        return 1;
    memset(texture, 0x5a, (size_t)SIZE * SIZE * 4);
    sampler_rig_open(&r);
    make_positions(&p);
    for (unsigned i = 0; i < ROUNDS; i++)
        plain = fmin(plain, plain_loop(&p, texture));
    printf("%-44s %7.1f M/s\n", "plain loop, linear array, bilinear", MESSAGES * LANES / plain / 1e6);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(jobs); i++)
        report(&r, &p, &jobs[i], plain);
    sampler_rig_close(&r);
    free(texture);
    return 0;
}
