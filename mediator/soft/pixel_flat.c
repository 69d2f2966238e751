/* Primitives of one colour: a thread says it, and what the others would have said is filled in. */
#include <string.h>

#include "mediator/soft/pixel.h"

/* Descriptor of a render target write: PRM SKL vol 7, "Render Target Write". */
#define SURFACE(desc)    ((desc)&0xff)
#define SUBTYPE(desc)    ((desc) >> 8 & 7)
#define SLOT_GROUP(desc) ((desc) >> 11 & 1)
#define TYPE(desc)       ((desc) >> 14 & 0xf)
enum { WRITE_SIMD16 = 0, WRITE_SIMD16_REPLICATED = 1, WRITE_SIMD8 = 4, TYPE_WRITE = 12 };

struct flat {
    bool known;
    float color[4][16];
};

/* One colour for all channels. */
static bool take(const struct eu_message *m, unsigned channels, float color[4][16])
{
    for (unsigned c = 0; c < 4; c++) {
        for (unsigned half = 0; half < channels / 8; half++)
            memcpy(&color[c][8 * half], pixel_message_register(m, c * (channels / 8) + half), EU_REG_BYTES);
        for (unsigned i = 1; i < channels; i++)
            if (memcmp(&color[c][0], &color[c][i], sizeof(float)))
                return false;
    }
    return true;
}

static enum eu_result keep(struct eu_thread *t, const struct eu_message *m)
{
    struct flat *f = t->ctx;
    unsigned subtype = SUBTYPE(m->desc);

    if (m->sfid != EU_SFID_DP_RENDER || TYPE(m->desc) != TYPE_WRITE || SURFACE(m->desc) || SLOT_GROUP(m->desc) ||
        m->header)
        return EU_DONE;
    if (subtype == WRITE_SIMD16_REPLICATED) {
        for (unsigned c = 0; c < 4; c++)
            memcpy(&f->color[c][0], pixel_message_register(m, 0) + 4 * c, sizeof(float));
        f->known = true;
    } else if (subtype == WRITE_SIMD16 || subtype == WRITE_SIMD8) {
        f->known = take(m, subtype == WRITE_SIMD16 ? 16 : 8, f->color);
    }
    return EU_DONE;
}

static void run_one(struct pixel_worker *w, struct flat *f)
{
    static const struct eu_host host = {.message = keep};
    const struct raster_pixel_state *ps = &w->r->state.ps;
    const struct raster_kernel *k = &ps->kernel[ps->kernel[1].kernel ? 1 : 0];
    struct eu_thread *t = w->r->e->worker[w->worker].thread;

    pixel_payload_constants(w, k, t);
    eu_thread_start(t, k->kernel, k == &ps->kernel[1] ? 0xffff : 0xff);
    t->cr0[0] = ps->rounding;
    t->host = &host;
    t->ctx = f;
    if (eu_run(t, EU_GRFS) != EU_DONE)
        f->known = false;
    w->r->e->worker[w->worker].instructions += t->executed;
}

bool pixel_run_flat(struct pixel_worker *w, const struct raster_quad *quad, unsigned n)
{
    struct flat f = {.known = false};
    const struct target_write t = {.s = soft_env_target(&w->env, 0),
                                   .blend = &w->r->state.blend[0],
                                   .layer = w->prim->layer,
                                   .color = (const float(*)[16])f.color};

    if (w->prim->smooth)
        return false;
    run_one(w, &f);
    if (!f.known || !target_flat(w->env.mem, &t, quad, n))
        return false;
    for (unsigned i = 0; i < n; i++)
        w->r->worker[w->worker]->ps_invocations += raster_count4(quad[i].lit);
    return true;
}
