#include <math.h>
#include <string.h>

#include "mediator/soft/sampler.h"

/* Faces in the order of array slices: +x, -x, +y, -y, +z, -z. Which component is the major axis, which ones make s and
 * t and with what sign (the table of the GL and D3D specifications). */
struct face {
    uint8_t s, t;
    int8_t s_sign, t_sign;
};

static const struct face faces[6] = {
    {2, 1, -1, -1}, {2, 1, 1, -1}, {0, 2, 1, 1}, {0, 2, 1, -1}, {0, 1, 1, -1}, {0, 1, -1, -1},
};

static unsigned face_of(const float d[3])
{
    float x = fabsf(d[0]), y = fabsf(d[1]), z = fabsf(d[2]);

    if (z >= x && z >= y)
        return d[2] < 0 ? 5 : 4;
    if (y >= x)
        return d[1] < 0 ? 3 : 2;
    return d[0] < 0 ? 1 : 0;
}

/* Position on a face: (s / |major| + 1) / 2; its derivative by the quotient rule. */
static void project_lane(struct sampler_job *j, unsigned i)
{
    const float d[3] = {j->u[i], j->v[i], j->r[i]};
    unsigned face = face_of(d);
    const struct face *f = &faces[face];
    float major = fabsf(d[face / 2]), sign = d[face / 2] < 0 ? -1 : 1, half = major > 0 ? 0.5f / major : 0;
    float s = (float)f->s_sign * d[f->s], t = (float)f->t_sign * d[f->t];

    for (unsigned axis = 0; axis < 2; axis++) {
        const float dd[3] = {j->du[axis][i], j->dv[axis][i], j->dr[axis][i]};
        float dm = major > 0 ? sign * dd[face / 2] / major : 0;

        j->du[axis][i] = ((float)f->s_sign * dd[f->s] - s * dm) * half;
        j->dv[axis][i] = ((float)f->t_sign * dd[f->t] - t * dm) * half;
        j->dr[axis][i] = 0;
    }
    j->u[i] = s * half + 0.5f;
    j->v[i] = t * half + 0.5f;
    j->r[i] = (float)face;
}

/* Differences along the quad of lane i, on that lane's face; left alone when a pixel looks the other way. */
static void face_differences(const float in[3][LANES], unsigned i, float du[2][LANES], float dv[2][LANES])
{
    const float own[3] = {in[0][i], in[1][i], in[2][i]};
    unsigned face = face_of(own), first = i & ~3u;
    const struct face *f = &faces[face];
    float s[3], t[3];

    for (unsigned k = 0; k < 3; k++) {
        const float d[3] = {in[0][first + k], in[1][first + k], in[2][first + k]};
        float major = face & 1 ? -d[face / 2] : d[face / 2];

        if (!(major > 0))
            return;
        s[k] = (float)f->s_sign * d[f->s] * (0.5f / major);
        t[k] = (float)f->t_sign * d[f->t] * (0.5f / major);
    }
    for (unsigned axis = 0; axis < 2; axis++) {
        du[axis][i] = s[axis + 1] - s[0];
        dv[axis][i] = t[axis + 1] - t[0];
    }
}

void sampler_cube_project_quads(struct sampler_job *j)
{
    float direction[3][LANES];

    memcpy(direction[0], j->u, sizeof(j->u));
    memcpy(direction[1], j->v, sizeof(j->v));
    memcpy(direction[2], j->r, sizeof(j->r));
    sampler_cube_project(j);
    for (unsigned i = 0; i < j->lanes; i++)
        face_differences((const float(*)[LANES])direction, i, j->du, j->dv);
}

void sampler_cube_project(struct sampler_job *j)
{
    for (unsigned i = 0; i < j->lanes; i++)
        project_lane(j, i);
}

/* The texel of a face that a direction hits; coordinates in half texels from the centre keep this exact. */
static void from_direction(int32_t size, const int32_t d[3], int32_t *x, int32_t *y, int32_t *face)
{
    const float direction[3] = {(float)d[0], (float)d[1], (float)d[2]};
    unsigned n = face_of(direction);

    *face = (int32_t)n;
    *x = (faces[n].s_sign * d[faces[n].s] + size) >> 1;
    *y = (faces[n].t_sign * d[faces[n].t] + size) >> 1;
}

/*
 * A texel one beyond an edge lies, folded over the edge, in the outermost row of the neighbour: as a point of the cube
 * with half edge `size`, its centre has the major axis moved inside by one and the other at the edge.
 */
bool sampler_cube_wrap(int32_t size, int32_t *x, int32_t *y, int32_t *face)
{
    bool out_x = (uint32_t)*x >= (uint32_t)size, out_y = (uint32_t)*y >= (uint32_t)size;
    const struct face *f = &faces[*face % 6];
    int32_t d[3] = {0, 0, 0};

    if (!out_x && !out_y)
        return false;
    if (out_x && out_y)
        return true;
    int32_t s = 2 * *x + 1 - size, t = 2 * *y + 1 - size, cube = *face / 6 * 6;
    d[f->s] = f->s_sign * (out_x ? (s < 0 ? -size : size) : s);
    d[f->t] = f->t_sign * (out_y ? (t < 0 ? -size : size) : t);
    d[*face % 6 / 2] = (*face & 1 ? -1 : 1) * (size - 1);
    from_direction(size, d, x, y, face);
    *x = *x < 0 ? 0 : *x < size ? *x : size - 1;
    *y = *y < 0 ? 0 : *y < size ? *y : size - 1;
    *face += cube;
    return false;
}
