/*
 * Plane and cursor registers: double buffering, and their translation into surfaces that can be fetched.
 */
#include <string.h>

#include "vgpu/device.h"

/* skl_universal_plane_regs.h PLANE_CTL */
#define CTL_ENABLE          GT_BIT(31)
#define CTL_FORMAT(ctl)     gt_field(ctl, 27, 24)
#define CTL_KEY(ctl)        gt_field(ctl, 22, 21)
#define CTL_KEY_SOURCE      1u
#define CTL_KEY_DESTINATION 2u
#define CTL_ORDER_RGBX      GT_BIT(20)
#define CTL_YUV_ORDER(ctl)  gt_field(ctl, 17, 16)
#define CTL_TILING(ctl)     gt_field(ctl, 12, 10)
#define CTL_ASYNC           GT_BIT(9)
#define CTL_ALPHA(ctl)      gt_field(ctl, 5, 4)
#define CTL_ALPHA_SW        2u
#define CTL_ALPHA_HW        3u
#define CTL_ROTATE(ctl)     gt_field(ctl, 1, 0)
#define STRIDE_MASK         0xfffu
#define SURF_ADDRESS        GT_MASK(31, 12)
#define KEYMSK_ALPHA        GT_BIT(31)
#define LOW_13(reg)         gt_field(reg, 12, 0)
#define HIGH_13(reg)        gt_field(reg, 28, 16)

/* intel_cursor_regs.h */
#define CURSOR_MODE(ctl)  ((ctl)&0x27u)
#define CURSOR_64_ARGB    0x27u
#define CURSOR_128_ARGB   0x22u
#define CURSOR_256_ARGB   0x23u
#define CURSOR_ROTATE_180 GT_BIT(15)
#define CURSOR_SIGN       GT_BIT(15)
#define CURSOR_POS_MASK   0x7fffu
#define CURSOR_FBC_ENABLE GT_BIT(31)
#define CURSOR_FBC_HEIGHT 0xffu
#define CURSOR_HEIGHT_MIN 8u

/* i915_reg.h SKL_PS_CTRL, WIN_POS, WIN_SZ; 1..3 in the plane field = that plane, 0 = the whole pipe */
#define PS_ENABLE     GT_BIT(31)
#define PS_PLANE(ctl) gt_field(ctl, 27, 25)

#define FLIP_DONE(plane)   GT_BIT(3 + (plane)) /* i915_reg.h GEN9_PIPE_PLANE_FLIP_DONE */
#define LINEAR_STRIDE_UNIT 64u

/* PLANE_CTL bits 27:24 to a format, without and with the RGBX order bit. */
static const enum vgpu_format format_table[16][2] = {
    [1] = {VGPU_FMT_NV12, VGPU_FMT_NV12},
    [2] = {VGPU_FMT_XRGB2101010, VGPU_FMT_XBGR2101010},
    [4] = {VGPU_FMT_XRGB8888, VGPU_FMT_XBGR8888},
    [6] = {VGPU_FMT_XRGB16F, VGPU_FMT_XBGR16F},
    [12] = {VGPU_FMT_C8, VGPU_FMT_C8},
    [14] = {VGPU_FMT_RGB565, VGPU_FMT_RGB565},
};
static const enum vgpu_format yuv_table[4] = {VGPU_FMT_YUYV, VGPU_FMT_UYVY, VGPU_FMT_YVYU, VGPU_FMT_VYUY};
static const uint8_t tiling_table[8] = {VGPU_LINEAR, VGPU_TILE_X, 0, 0, VGPU_TILE_Y, VGPU_TILE_YF};
static const bool tiling_known[8] = {true, true, false, false, true, true};

/* ---- double buffering */

/* Binds the scaler, if any, whose plane field names this plane. */
static void read_scaler(struct vgpu *v, unsigned pipe, unsigned plane, struct vgpu_plane_regs *r)
{
    static const enum reg_id ids[2][3] = {{R_PS1_CTRL, R_PS1_WIN_POS, R_PS1_WIN_SZ},
                                          {R_PS2_CTRL, R_PS2_WIN_POS, R_PS2_WIN_SZ}};

    for (unsigned i = 0; i < 2; i++) {
        uint32_t ctl = *vgpu_reg(v, ids[i][0], 0, pipe);

        if ((ctl & PS_ENABLE) && PS_PLANE(ctl) == plane + 1) {
            r->win_pos = *vgpu_reg(v, ids[i][1], 0, pipe);
            r->win_size = *vgpu_reg(v, ids[i][2], 0, pipe);
        }
    }
}

static void read_plane(struct vgpu *v, unsigned pipe, unsigned plane, struct vgpu_plane_regs *r)
{
    *r = (struct vgpu_plane_regs){
        .ctl = *vgpu_reg(v, R_PLANE_CTL, pipe, plane),
        .stride = *vgpu_reg(v, R_PLANE_STRIDE, pipe, plane),
        .pos = *vgpu_reg(v, R_PLANE_POS, pipe, plane),
        .size = *vgpu_reg(v, R_PLANE_SIZE, pipe, plane),
        .offset = *vgpu_reg(v, R_PLANE_OFFSET, pipe, plane),
        .surf = *vgpu_reg(v, R_PLANE_SURF, pipe, plane),
        .keyval = *vgpu_reg(v, R_PLANE_KEYVAL, pipe, plane),
        .keymsk = *vgpu_reg(v, R_PLANE_KEYMSK, pipe, plane),
        .keymax = *vgpu_reg(v, R_PLANE_KEYMAX, pipe, plane),
    };
    read_scaler(v, pipe, plane, r);
}

/* False: the guest is to be told later (flip.c). A flip to what is there already gives up no buffer. */
static bool plane_live(struct vgpu *v, unsigned pipe, unsigned plane, bool *changed)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    const bool other = memcmp(&p->plane[plane], &p->armed_plane[plane], sizeof(p->plane[plane])) != 0;

    *changed |= other;
    p->plane[plane] = p->armed_plane[plane];
    p->planes_armed &= (uint8_t)~GT_BIT(plane);
    const bool flip = p->on && (p->plane[plane].ctl & CTL_ENABLE);

    v->stats.flips[pipe] += flip;
    if ((other && vgpu_flip_waits(v, pipe)) || p->flip.planes & GT_BIT(plane))
        return false;
    *vgpu_reg(v, R_PLANE_SURFLIVE, pipe, plane) = p->plane[plane].surf;
    p->flips += flip && !plane;
    return true;
}

uint32_t vgpu_planes_latch(struct vgpu *v, unsigned pipe, uint64_t now, bool *changed, uint8_t *kept)
{
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    bool planes_changed = false;
    uint32_t done = 0;

    *kept = 0;
    for (unsigned plane = 0; plane < VGPU_PLANES; plane++) {
        if (!(p->planes_armed & GT_BIT(plane)))
            continue;
        if (plane_live(v, pipe, plane, &planes_changed))
            done |= FLIP_DONE(plane);
        else
            *kept |= (uint8_t)GT_BIT(plane);
    }
    if (planes_changed && p->on)
        vgpu_flip_live(v, pipe, vgpu_clock_last(&p->clock, now));
    *changed = planes_changed;
    if (p->cursor_armed) {
        *changed |= memcmp(&p->cursor, &p->armed_cursor, sizeof(p->cursor)) != 0;
        p->cursor = p->armed_cursor;
        p->cursor_armed = false;
        *vgpu_reg(v, R_CURSURFLIVE, pipe, 0) = p->cursor.base;
    }
    return done;
}

/* Registers of a pipe that is off become live at once (PRM SKL vol 2c, double buffer update point). An asynchronous
 * flip does, too, and is done at once. */
void reg_write_PLANE_ARM(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    unsigned pipe = ref->unit, plane = ref->elem;
    struct vgpu_pipe *p = &v->display.pipe[pipe];
    bool changed = false;

    (void)old;
    (void)val;
    vgpu_vblank_want(v, pipe);
    vgpu_pipe_note(v, pipe);
    vgpu_note(v, &p->armed_plane[plane], sizeof(p->armed_plane[plane]));
    read_plane(v, pipe, plane, &p->armed_plane[plane]);
    if (p->on && !(p->armed_plane[plane].ctl & CTL_ASYNC)) {
        p->planes_armed |= (uint8_t)GT_BIT(plane);
        return;
    }
    const bool done = plane_live(v, pipe, plane, &changed);
    const uint64_t now = p->on ? vgpu_display_now(v) : 0;

    if (changed && p->on)
        vgpu_flip_live(v, pipe, now);
    if (!done) {
        vgpu_flip_keep(v, pipe, (uint8_t)GT_BIT(plane), NULL, now);
        vgpu_display_kick(v);
    }
    if (changed)
        vgpu_display_changed(v, pipe);
    if (p->on && done)
        vgpu_irq_pipe(v, pipe, FLIP_DONE(plane));
}

void reg_write_CURSOR_ARM(struct vgpu *v, const struct reg_ref *ref, uint32_t old, uint32_t val)
{
    struct vgpu_pipe *p = &v->display.pipe[ref->unit];
    uint8_t kept;
    bool changed;

    (void)old;
    vgpu_vblank_want(v, ref->unit);
    vgpu_pipe_note(v, ref->unit);
    vgpu_note(v, &p->armed_cursor, sizeof(p->armed_cursor));
    p->armed_cursor = (struct vgpu_cursor_regs){
        .ctl = vgpu_reg_get(v, R_CURCNTR, ref->unit),
        .base = val,
        .pos = vgpu_reg_get(v, R_CURPOS, ref->unit),
        .fbc = vgpu_reg_get(v, R_CUR_FBC_CTL, ref->unit),
    };
    p->cursor_armed = true;
    if (p->on)
        return;
    vgpu_planes_latch(v, ref->unit, 0, &changed, &kept);
}

/* ---- registers to surfaces */

static uint32_t stride_bytes(const struct vgpu_surface *s, uint32_t field)
{
    uint32_t unit, height;

    vgpu_tile_shape(s->tiling, vgpu_format_cpp(s->format), &unit, &height);
    return field * (s->tiling == VGPU_LINEAR ? LINEAR_STRIDE_UNIT : unit);
}

static void set_format(struct vgpu_surface *s, uint32_t ctl)
{
    bool alpha = CTL_ALPHA(ctl) == CTL_ALPHA_SW || CTL_ALPHA(ctl) == CTL_ALPHA_HW;

    s->format = format_table[CTL_FORMAT(ctl)][(ctl & CTL_ORDER_RGBX) != 0];
    if (CTL_FORMAT(ctl) == 0)
        s->format = yuv_table[CTL_YUV_ORDER(ctl)];
    if (!alpha)
        return;
    if (s->format == VGPU_FMT_XRGB8888)
        s->format = VGPU_FMT_ARGB8888;
    else if (s->format == VGPU_FMT_XBGR8888)
        s->format = VGPU_FMT_ABGR8888;
    else
        return;
    s->alpha = true;
    s->alpha_straight = CTL_ALPHA(ctl) == CTL_ALPHA_HW;
}

/* Source key: KEYMSK bits 26:24 enable the compare of red, green and blue; destination key: bits 23:0 are a mask.
 * i915 skl_universal_plane.c skl_plane_keymsk, drm uapi drm_intel_sprite_colorkey. */
static void set_key(struct vgpu_surface *s, const struct vgpu_plane_regs *r, unsigned plane)
{
    s->key = r->keyval & 0xffffff;
    s->key_max = r->keymax & 0xffffff;
    if (CTL_KEY(r->ctl) == CTL_KEY_SOURCE) {
        s->src_keyed = true;
        s->key_mask = (r->keymsk & GT_BIT(26) ? 0xff0000 : 0) | (r->keymsk & GT_BIT(25) ? 0xff00 : 0) |
                      (r->keymsk & GT_BIT(24) ? 0xff : 0);
    } else if (CTL_KEY(r->ctl) == CTL_KEY_DESTINATION && plane) {
        s->keyed = true;
        s->key_mask = r->keymsk & 0xffffff;
    }
    if (r->keymsk & KEYMSK_ALPHA)
        s->fade = (uint8_t)(255 - (r->keymax >> 24));
}

static bool plane_surface(const struct vgpu_plane_regs *r, unsigned plane, struct vgpu_surface *s)
{
    memset(s, 0, sizeof(*s));
    if (!(r->ctl & CTL_ENABLE) || !tiling_known[CTL_TILING(r->ctl)])
        return false;
    s->kind = plane ? VGPU_PLANE_SPRITE : VGPU_PLANE_PRIMARY;
    s->tiling = tiling_table[CTL_TILING(r->ctl)];
    set_format(s, r->ctl);
    set_key(s, r, plane);
    s->ggtt = r->surf & SURF_ADDRESS;
    s->stride_bytes = stride_bytes(s, r->stride & STRIDE_MASK);
    s->width = LOW_13(r->size) + 1;
    s->height = HIGH_13(r->size) + 1;
    s->src_x = LOW_13(r->offset);
    s->src_y = HIGH_13(r->offset);
    s->dst_x = (int32_t)LOW_13(r->pos);
    s->dst_y = (int32_t)HIGH_13(r->pos);
    s->rotation = (uint8_t)CTL_ROTATE(r->ctl);
    if (r->win_size) {
        s->dst_x = (int32_t)HIGH_13(r->win_pos);
        s->dst_y = (int32_t)LOW_13(r->win_pos);
        s->dst_width = HIGH_13(r->win_size);
        s->dst_height = LOW_13(r->win_size);
    }
    return vgpu_surface_valid(s);
}

static int32_t cursor_coordinate(uint32_t field)
{
    int32_t pos = (int32_t)(field & CURSOR_POS_MASK);

    return (field & CURSOR_SIGN) ? -pos : pos;
}

static bool cursor_surface(const struct vgpu_cursor_regs *r, struct vgpu_surface *s)
{
    memset(s, 0, sizeof(*s));
    switch (CURSOR_MODE(r->ctl)) {
    case CURSOR_64_ARGB:
        s->width = 64;
        break;
    case CURSOR_128_ARGB:
        s->width = 128;
        break;
    case CURSOR_256_ARGB:
        s->width = 256;
        break;
    default:
        return false;
    }
    s->kind = VGPU_PLANE_CURSOR;
    s->format = VGPU_FMT_ARGB8888;
    s->alpha = true;
    s->tiling = VGPU_LINEAR;
    s->ggtt = r->base & SURF_ADDRESS;
    s->stride_bytes = s->width * 4;
    s->height = s->width;
    if (r->fbc & CURSOR_FBC_ENABLE)
        s->height = GT_MAX(GT_MIN((r->fbc & CURSOR_FBC_HEIGHT) + 1, s->width), CURSOR_HEIGHT_MIN);
    s->dst_x = cursor_coordinate(r->pos);
    s->dst_y = cursor_coordinate(r->pos >> 16);
    s->rotation = (r->ctl & CURSOR_ROTATE_180) ? 2 : 0;
    return vgpu_surface_valid(s);
}

static void read_palette(struct vgpu *v, unsigned pipe, uint32_t palette[256])
{
    static const enum reg_id ids[VGPU_PIPES] = {R_LGC_PALETTE_A, R_LGC_PALETTE_B, R_LGC_PALETTE_C};

    for (unsigned i = 0; i < 256; i++)
        palette[i] = *vgpu_reg(v, ids[pipe], 0, i) & 0xffffff;
}

/* 10 bits a channel to 8. */
static uint32_t bottom_color(uint32_t reg)
{
    return gt_field(reg, 29, 22) << 16 | gt_field(reg, 19, 12) << 8 | gt_field(reg, 9, 2);
}

bool vgpu_scanout(struct vgpu *v, unsigned pipe, struct vgpu_scanout *out)
{
    if (pipe >= VGPU_PIPES || !v->display.pipe[pipe].on)
        return false;
    const struct vgpu_pipe *p = &v->display.pipe[pipe];
    uint32_t src = vgpu_reg_get(v, R_PIPESRC, pipe);

    memset(out, 0, sizeof(*out));
    out->width = HIGH_13(src) + 1;
    out->height = LOW_13(src) + 1;
    out->mhz = p->clock.timing.mhz;
    out->frame = vgpu_clock_frames(&p->clock, vgpu_display_now(v));
    out->flip = p->flip.number;
    out->flip_ns = p->flip.live_ns;
    out->bottom_color = bottom_color(vgpu_reg_get(v, R_PIPE_BOTTOM_COLOR, pipe));
    for (unsigned plane = 0; plane < VGPU_PLANES; plane++)
        if (plane_surface(&p->plane[plane], plane, &out->plane[out->nplanes]))
            out->nplanes++;
    if (cursor_surface(&p->cursor, &out->plane[out->nplanes]))
        out->nplanes++;
    read_palette(v, pipe, out->palette);
    return true;
}
