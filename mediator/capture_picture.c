#include "mediator/capture_picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "display/png.h"
#include "mediator/soft/state.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

#define COMMANDS_MAX   1000000u
#define COMMAND_DWORDS 1040u
#define SIDE_MAX       4096u
#define ELEMENT_MAX    16u /* bytes of a pixel */
#define LEVELS         3u
#define BBS_SECOND     GT_BIT(22)

struct walk {
    struct soft_state state;
    struct soft_stamps stamps;
    uint64_t at[LEVELS];
    unsigned level;
    capture_reader read;
    void *ctx;
};

static bool same(const struct soft_surface *a, const struct soft_surface *b)
{
    return a->address == b->address && a->width_px == b->width_px && a->height_px == b->height_px &&
           a->format == b->format;
}

static unsigned add_target(struct walk *w, struct capture_target *out, unsigned n)
{
    const uint32_t *pointer = soft_state_get(&w->state, C_3DSTATE_BINDING_TABLE_POINTERS_PS, NULL);
    uint64_t base = soft_state_base(&w->state, SOFT_BASE_SURFACE);
    uint64_t table = base + FIELD_ADDRESS(pointer, 3DSTATE_BINDING_TABLE_POINTERS_PS, PointerToPSBindingTable);
    uint32_t offset, dw[16];
    struct soft_surface s;

    if (!w->read(w->ctx, table, &offset, sizeof(offset)) || !w->read(w->ctx, base + (offset & ~63u), dw, sizeof(dw)))
        return n;
    soft_surface_decode(dw, &s);
    if (s.type == SOFT_SURF_NULL || s.type == SOFT_SURF_BUFFER || s.width_px > SIDE_MAX || s.height_px > SIDE_MAX)
        return n;
    for (unsigned i = 0; i < n; i++)
        if (same(&out[i].surface, &s))
            return n;
    if (n < CAPTURE_TARGETS)
        out[n++].surface = s;
    return n;
}

/* Follows a jump, or steps over the command. False: the end. */
static bool go_on(struct walk *w, int id, const uint32_t *dw, unsigned n)
{
    w->at[w->level] += 4u * n;
    if (id == C_MI_BATCH_BUFFER_START && n >= 3) {
        if ((dw[0] & BBS_SECOND) && w->level + 1 < LEVELS)
            w->level++;
        w->at[w->level] = ((uint64_t)(dw[2] & 0xffff) << 32 | dw[1]) & ~UINT64_C(3);
    } else if (id == C_MI_BATCH_BUFFER_END) {
        return w->level-- > 0;
    }
    return true;
}

unsigned capture_targets(uint64_t batch, capture_reader rd, void *ctx, struct capture_target out[CAPTURE_TARGETS])
{
    struct walk *w = calloc(1, sizeof(*w));
    uint32_t dw[COMMAND_DWORDS];
    unsigned n = 0, length;

    if (!w)
        return 0;
    *w = (struct walk){.at = {batch}, .read = rd, .ctx = ctx};
    for (unsigned i = 0; i < COMMANDS_MAX; i++) {
        uint64_t addr = w->at[w->level];
        int id = rd(ctx, addr, dw, 4) ? cmd_find(dw[0], VGPU_RCS) : -1;

        if (id < 0)
            break;
        length = GT_MIN(cmd_length(id, dw[0]), COMMAND_DWORDS);
        if (!rd(ctx, addr, dw, 4u * length))
            break;
        soft_state_set(&w->state, &w->stamps, id, dw, length);
        if (id == C_3DPRIMITIVE)
            n = add_target(w, out, n);
        if (!go_on(w, id, dw, length))
            break;
    }
    free(w);
    return n;
}

static uint32_t to_byte(const struct soft_format *f, uint32_t bits)
{
    float v;

    memcpy(&v, &bits, sizeof(v));
    if (soft_format_is_integer(f))
        return bits & 0xff;
    return !(v > 0) ? 0 : v >= 1 ? 255 : (uint32_t)(v * 255 + 0.5f);
}

int capture_picture(const struct capture_target *t, capture_reader rd, void *ctx, const char *path, char *err,
                    size_t errsz)
{
    const struct soft_surface *s = &t->surface;
    const struct soft_format *f = soft_format_find(s->format);
    uint32_t *pixels = calloc((size_t)s->width_px * s->height_px, sizeof(*pixels));
    int rc = -1;

    if (!f || f->compression || f->bits / 8 > ELEMENT_MAX || !pixels) {
        snprintf(err, errsz, "its format cannot be shown");
        free(pixels);
        return -1;
    }
    for (uint32_t y = 0; y < s->height_px; y++) {
        for (uint32_t x = 0; x < s->width_px; x++) {
            uint8_t element[ELEMENT_MAX] = {0};
            uint32_t c[4];

            rd(ctx, soft_surface_address(s, x, y, 0, 0, 0), element, f->bits / 8);
            soft_format_unpack(f, element, c);
            pixels[(size_t)y * s->width_px + x] = to_byte(f, c[0]) << 16 | to_byte(f, c[1]) << 8 | to_byte(f, c[2]);
        }
    }
    rc = png_write_file(path, pixels, s->width_px, s->height_px, err, (unsigned)errsz);
    free(pixels);
    return rc;
}
