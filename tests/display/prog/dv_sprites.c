/* Sprite planes of the guest on vkms: on its overlay planes where it takes them, composed where it does not. */
#include <signal.h>

#include "dv.h"
#include "vgpu/base/clock.h"

#define WIDTH  1280u
#define HEIGHT 720u

/* PLANE_CTL (skl_universal_plane_regs.h) */
#define CTL_KEY_SOURCE (1u << 21)
#define CTL_ALPHA_SW   (2u << 4)
#define KEYMSK_ALPHA   GT_BIT(31)

/* What a sprite plane shows, as the test computes it. */
struct sprite {
    const struct sg_buffer *b; /* NULL: nothing */
    uint32_t x, y, scale;      /* scale 2: twice the size */
    bool blend;                /* by the pixels' alpha, premultiplied */
    uint32_t alpha;            /* of all of it, of 255 */
    bool keyed;                /* without pixels of this colour */
    uint32_t key;
};

static uint32_t channel(uint32_t p, unsigned shift)
{
    return p >> shift & 0xff;
}

static uint32_t over(const struct sprite *s, uint32_t p, uint32_t below)
{
    uint32_t out = 0;

    if (s->keyed && (p & 0xffffff) == s->key)
        return below;
    const uint32_t a = (s->blend ? p >> 24 : 255) * s->alpha / 255;

    for (unsigned shift = 0; shift < 24; shift += 8)
        out |= GT_MIN(channel(p, shift) * s->alpha / 255 + channel(below, shift) * (255 - a) / 255, 255u) << shift;
    return out;
}

static uint32_t expected(struct dv *d, uint32_t x, uint32_t y, uint32_t seed, const struct sprite *s, unsigned n)
{
    uint32_t p = sg_pattern(x, y, seed);

    for (unsigned i = 0; i < n; i++) {
        const struct sprite *t = &s[i];

        if (t->b && x >= t->x && y >= t->y && x < t->x + t->b->width * t->scale && y < t->y + t->b->height * t->scale)
            p = over(t, sg_get(&d->g, t->b, (x - t->x) / t->scale, (y - t->y) / t->scale), p);
    }
    return p;
}

/* Pixels that differ from what the test computes; -1: no capture. What is blended may be rounded otherwise. */
static long bad_pixels(struct dv *d, uint32_t seed, const struct sprite *s, unsigned n)
{
    struct dv_capture c = {0};
    const bool ok = dv_capture(d, WIDTH, HEIGHT, &c);
    int off = 0;
    long bad = ok ? 0 : -1;

    for (unsigned i = 0; i < n; i++)
        off = s[i].b && (s[i].blend || s[i].alpha != 255) ? 2 : off;
    for (uint32_t y = 0; ok && y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            bad += !dv_near(((const uint32_t *)(const void *)(c.map + y * c.stride))[x], expected(d, x, y, seed, s, n),
                            off);
    dv_capture_free(d, &c);
    return bad;
}

static long wait_good(struct dv *d, uint32_t seed, const struct sprite *s, unsigned n)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    long bad;

    dv_settle("g");
    while ((bad = bad_pixels(d, seed, s, n)) && gt_clock_ns() < end)
        usleep(50000);
    return bad;
}

/* The scaler of the pipe for plane 1, or none. */
static void scale(struct dv *d, const struct sprite *s)
{
    const uint32_t w = s->b->width * s->scale, h = s->b->height * s->scale;

    sg_wr(&d->g, R_PS1_CTRL, 0, 0, s->scale > 1 ? GT_BIT(31) | 2u << 25 : 0);
    sg_wr(&d->g, R_PS1_WIN_POS, 0, 0, s->x << 16 | s->y);
    sg_wr(&d->g, R_PS1_WIN_SZ, 0, 0, w << 16 | h);
}

/* Programs plane 1 as the sprite says. */
static void put(struct dv *d, const struct sprite *s)
{
    uint32_t ctl = (s->blend ? CTL_ALPHA_SW : 0) | (s->keyed ? CTL_KEY_SOURCE : 0);

    scale(d, s);
    sg_wr(&d->g, R_PLANE_KEYVAL, 0, 1, s->key);
    sg_wr(&d->g, R_PLANE_KEYMAX, 0, 1, s->alpha << 24 | s->key);
    sg_wr(&d->g, R_PLANE_KEYMSK, 0, 1, (s->alpha != 255 ? KEYMSK_ALPHA : 0) | (s->keyed ? 7u << 24 : 0));
    sg_sprite(&d->g, 0, 1, s->b, s->x, s->y, ctl);
}

/* With layers in place: both sprites, the upper one moved over the lower one; nobody copies. */
static void apart(struct dv *d, const struct sg_buffer *low, const struct sg_buffer *high)
{
    struct sprite s[2] = {{.b = low, .x = 100, .y = 80, .scale = 1, .alpha = 255},
                          {.b = high, .x = 250, .y = 150, .scale = 1, .alpha = 255, .blend = true}};

    put(d, &s[0]);
    sg_sprite(&d->g, 0, 2, s[1].b, s[1].x, s[1].y, CTL_ALPHA_SW);
    long bad = wait_good(d, 7, s, 2);

    dv_result(d, bad == 0, "two sprites on overlay planes, one blended over the other: %ld pixels differ", bad);
    for (unsigned i = 0; i < 40; i++) {
        s[1].x = 60 + 25 * i;
        s[1].y = 20 + 15 * i; /* at last over the edge of the picture, 645 of 1035 */
        sg_sprite(&d->g, 0, 2, s[1].b, s[1].x, s[1].y, CTL_ALPHA_SW);
        usleep(20000);
    }
    bad = wait_good(d, 7, s, 2);
    dv_result(d, bad == 0, "moved 40 times, and over the edge: %ld pixels differ", bad);
    sg_put(&d->g, low, 5, 5, 0x00ff00);
    bad = wait_good(d, 7, s, 2);
    dv_result(d, bad == 0, "what the guest draws into a sprite is on the screen: %ld pixels differ", bad);
    dv_result(d,
              dv_stat("display/bytes_copied") == 0 && dv_stat("display/dmabufs_made") == 3 &&
                  dv_stat("display/planes_apart") > 10 && dv_stat("display/planes_refused") == 0,
              "for it %.0f dma-bufs, %.0f planes told apart, %.0f bytes copied", dv_stat("display/dmabufs_made"),
              dv_stat("display/planes_apart"), dv_stat("display/bytes_copied"));
    sg_sprite(&d->g, 0, 2, NULL, 0, 0, 0);
}

/* A sprite on an overlay plane has the CRC of a picture into which the same pixels are drawn. */
static void crcs(struct dv *d, struct sg_buffer *picture, const struct sg_buffer *low)
{
    struct sprite s = {.b = low, .x = 320, .y = 200, .scale = 1, .alpha = 255};
    uint32_t crc[2];
    double copied = dv_stat("display/bytes_copied");

    put(d, &s);
    long bad = wait_good(d, 7, &s, 1);

    crc[0] = dv_crc();
    sg_sprite(&d->g, 0, 1, NULL, 0, 0, 0);
    for (uint32_t y = 0; y < low->height; y++)
        for (uint32_t x = 0; x < low->width; x++)
            sg_put(&d->g, picture, s.x + x, s.y + y, sg_get(&d->g, low, x, y));
    bad += wait_good(d, 7, &s, 1);
    crc[1] = dv_crc();
    dv_result(d, !bad && crc[0] && crc[0] == crc[1] && dv_stat("display/bytes_copied") == copied,
              "CRCs of a sprite over a picture and of both in one: %08x, %08x", crc[0], crc[1]);
    sg_paint(&d->g, picture, 7);
}

/* What vkms, or any device, cannot do comes composed, and is counted. */
static void composed(struct dv *d, const struct sg_buffer *low, const struct sg_buffer *high)
{
    const struct {
        const char *name;
        struct sprite s;
        unsigned refused; /* by vkms, so far; else gtmux-dm does not offer it */
    } cases[] = {
        {"scaled", {.b = low, .x = 100, .y = 80, .scale = 2, .alpha = 255}, 1},
        {"with an alpha of all of it", {.b = low, .x = 500, .y = 80, .scale = 1, .alpha = 100}, 2},
        {"with a colour key",
         {.b = low, .x = 300, .y = 300, .scale = 1, .alpha = 255, .keyed = true, .key = sg_get(&d->g, low, 3, 3)},
         2},
    };
    double copied = dv_stat("display/bytes_copied");

    for (unsigned i = 0; i < GT_ARRAY_SIZE(cases); i++) {
        const struct sprite *s = &cases[i].s;

        put(d, s);
        long bad = wait_good(d, 7, s, 1);
        double now = dv_stat("display/bytes_copied");

        dv_result(d, bad == 0 && now > copied && dv_stat("display/planes_refused") == cases[i].refused,
                  "a sprite %s is composed: %ld pixels differ, %.0f bytes copied, refused so far: %.0f", cases[i].name,
                  bad, now - copied, dv_stat("display/planes_refused"));
        copied = now;
    }
    struct sprite last = {.b = high, .x = 10, .y = 10, .scale = 1, .alpha = 255, .blend = true};

    put(d, &last);
    long bad = wait_good(d, 7, &last, 1);

    dv_result(d, bad == 0 && dv_stat("display/bytes_copied") == copied,
              "then one that vkms takes is on an overlay plane again: %ld pixels differ", bad);
    sg_sprite(&d->g, 0, 1, NULL, 0, 0, 0);
}

void dv_sprites(struct dv *d)
{
    dv_begin(d, NULL, NULL);
    struct sg_buffer b = sg_buffer(&d->g, 0, WIDTH, HEIGHT, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    struct sg_buffer low = sg_buffer(&d->g, DV_BUFFER, 320, 200, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    struct sg_buffer high = sg_buffer(&d->g, 2 * DV_BUFFER, 256, 128, VGPU_FMT_ARGB8888, VGPU_LINEAR);

    sg_paint(&d->g, &b, 7);
    sg_paint(&d->g, &low, 8);
    for (uint32_t y = 0; y < high.height; y++)
        for (uint32_t x = 0; x < high.width; x++)
            sg_put(&d->g, &high, x, y, x < 128 ? 0xff000000u | (x << 9 ^ y) : 0x80400000u | y << 8 >> 1);
    sg_show(&d->g, 0, &b);
    sg_light(&d->g, 0, WIDTH, HEIGHT);
    dv_wait_shown(1, 1);
    apart(d, &low, &high);
    crcs(d, &b, &low);
    dv_end(&d->sink, SIGTERM);
    dv_result(d, dv_sink_figure(" planes on overlays") > 10 && dv_sink_figure(" bytes copied") == 0,
              "gtmux kms: %.0f planes on overlays, %.0f bytes copied", dv_sink_figure(" planes on overlays"),
              dv_sink_figure(" bytes copied"));
    double shown = dv_stat("display/shown");

    dv_start_sink(d, NULL);
    dv_wait_shown(shown, 1);
    composed(d, &low, &high);
    dv_finish(d);
}
