/* gtmux kms on vkms: what is on the screen is what the guest has in its memory, and nothing is left behind. */
#include <signal.h>
#include <sys/stat.h>

#include "dv.h"
#include "vgpu/base/clock.h"

#define BUFFER     DV_BUFFER
#define LIST_LIMIT "/sys/module/udmabuf/parameters/list_limit"
#define GUEST_MIB  DV_GUEST_MIB

static struct dv dv;

/* ---- pictures */

static uint32_t expand(uint32_t v, unsigned bits)
{
    return bits >= 8 ? v >> (bits - 8) : (v << (8 - bits) | v >> (2 * bits - 8)) & 0xff;
}

/* The pattern's pixel as 8 bits a channel. */
static uint32_t expected(const struct sg_buffer *b, uint32_t x, uint32_t y, uint32_t seed)
{
    uint32_t v = sg_pattern(x, y, seed);

    switch (b->format) {
    case VGPU_FMT_RGB565:
        return expand(v >> 11 & 31, 5) << 16 | expand(v >> 5 & 63, 6) << 8 | expand(v & 31, 5);
    case VGPU_FMT_XRGB2101010:
        return expand(v >> 20 & 1023, 10) << 16 | expand(v >> 10 & 1023, 10) << 8 | expand(v & 1023, 10);
    default:
        return v;
    }
}

/* Pixels that differ from the pattern; -1: no capture. Conversions may round by one. */
static long bad_pixels(const struct sg_buffer *b, uint32_t seed)
{
    const int off = b->format == VGPU_FMT_XRGB8888 ? 0 : 1;
    struct dv_capture c = {0};
    const bool ok = dv_capture(&dv, b->width, b->height, &c);
    long bad = ok ? 0 : -1;

    for (uint32_t y = 0; ok && y < b->height; y++)
        for (uint32_t x = 0; x < b->width; x++)
            bad += !dv_near(((const uint32_t *)(const void *)(c.map + y * c.stride))[x], expected(b, x, y, seed), off);
    dv_capture_free(&dv, &c);
    return bad;
}

/* Waits until so many pixels differ: changes take the time they take in a virtual machine. The last number seen. */
static long wait_bad(const struct sg_buffer *b, uint32_t seed, long want)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    long bad;

    while ((bad = bad_pixels(b, seed)) != want && gt_clock_ns() < end)
        usleep(50000);
    return bad;
}

/* Shows a buffer and waits until it is on the screen. */
static bool show(const struct sg_buffer *b)
{
    double shown = dv_stat("display/shown");

    sg_show(&dv.g, 0, b);
    return dv_wait_shown(shown, 1);
}

static void light(uint32_t width, uint32_t height)
{
    sg_light(&dv.g, 0, width, height);
}

/* ---- a run of everything from the guest to the screen */

static void begin(const char *const *dm, const char *const *sink)
{
    dv_begin(&dv, dm, sink);
}

static void end(void)
{
    dv_finish(&dv);
}

static void sprites(void)
{
    dv_sprites(&dv);
}

static void compositor(void)
{
    dv_compositor(&dv);
}

static void switches(void)
{
    dv_switch(&dv);
}

/* ---- the tests */

struct layout {
    const char *name;
    uint32_t width, height;
    enum vgpu_format format;
    enum vgpu_tiling tiling;
    bool shared; /* vkms scans it out as it is */
};

static void one_layout(const struct layout *l, unsigned n)
{
    struct sg_buffer b = sg_buffer(&dv.g, n % 16 * BUFFER, l->width, l->height, l->format, l->tiling);
    double copied = dv_stat("display/bytes_copied"), made = dv_stat("display/dmabufs_made");

    sg_paint(&dv.g, &b, n + 1);
    sg_dark(&dv.g, 0);
    usleep(300000);
    double shown = dv_stat("display/shown");

    sg_show(&dv.g, 0, &b);
    light(l->width, l->height);
    bool told = dv_wait_shown(shown, 1);
    long bad = told ? wait_bad(&b, n + 1, 0) : -2;

    dv_result(&dv, bad == 0, "%s: %ld of %u pixels differ", l->name, bad, l->width * l->height);
    dv_result(&dv, dv_stat("display/bytes_copied") == copied && dv_stat("display/dmabufs_made") == made + 1,
              "%s: gtmux-dm made one dma-buf and copied nothing", l->name);
}

static void layouts(void)
{
    static const struct layout rows[] = {
        {"1080p linear 8888", 1920, 1080, VGPU_FMT_XRGB8888, VGPU_LINEAR, true},
        {"1080p linear 565", 1920, 1080, VGPU_FMT_RGB565, VGPU_LINEAR, true},
        {"1080p linear 2101010", 1920, 1080, VGPU_FMT_XRGB2101010, VGPU_LINEAR, false},
        {"1080p X tiled 8888", 1920, 1080, VGPU_FMT_XRGB8888, VGPU_TILE_X, false},
        {"1080p Y tiled 8888", 1920, 1080, VGPU_FMT_XRGB8888, VGPU_TILE_Y, false},
        {"1080p Yf tiled 8888", 1920, 1080, VGPU_FMT_XRGB8888, VGPU_TILE_YF, false},
        {"1080p X tiled 565", 1920, 1080, VGPU_FMT_RGB565, VGPU_TILE_X, false},
        {"2160p linear 8888", 3840, 2160, VGPU_FMT_XRGB8888, VGPU_LINEAR, true},
        {"2160p X tiled 8888", 3840, 2160, VGPU_FMT_XRGB8888, VGPU_TILE_X, false},
        {"2160p Y tiled 8888", 3840, 2160, VGPU_FMT_XRGB8888, VGPU_TILE_Y, false},
    };

    begin(NULL, NULL);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        one_layout(&rows[i], i);
    end();
}

/* With linear buffers the sink copies nothing either. */
static void flips(void)
{
    struct sg_buffer b[2];
    char text[160];

    begin(NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        b[i] = sg_buffer(&dv.g, i * BUFFER, 1920, 1080, VGPU_FMT_XRGB8888, VGPU_LINEAR);
        sg_paint(&dv.g, &b[i], 100 + i);
    }
    sg_show(&dv.g, 0, &b[0]);
    light(1920, 1080);
    dv_wait_shown(1, 1);
    double shown = dv_stat("display/shown");
    uint64_t start = gt_clock_ns();

    for (unsigned i = 1; i <= 1000; i++) {
        sg_show(&dv.g, 0, &b[i % 2]);
        usleep(17000);
    }
    usleep(300000);
    double seconds = (double)(gt_clock_ns() - start) / 1e9, told = dv_stat("display/shown") - shown;

    dv_result(&dv, dv_stat("display/dmabufs_made") == 2 && dv_stat("display/bytes_copied") == 0 && told > 100,
              "1000 flips of two buffers: %.0f dma-bufs, %.0f flips shown in %.1f s, latency %.1f ms on average",
              dv_stat("display/dmabufs_made"), told, seconds, dv_stat("display/latency_mean_us") / 1000);
    dv_result(&dv, wait_bad(&b[0], 100, 0) == 0, "after them the right picture is shown");
    sg_put(&dv.g, &b[0], 77, 55, sg_pattern(77, 55, 100) ^ 0xffffff);
    sg_put(&dv.g, &b[0], 1919, 1079, sg_pattern(1919, 1079, 100) ^ 0xff);
    dv_result(&dv, wait_bad(&b[0], 100, 2) == 2, "pixels that the guest changes are on the screen without a flip");
    int code = dv_end(&dv.sink, SIGTERM);

    snprintf(text, sizeof(text), "2 frames imported, 0 bytes copied");
    dv_result(&dv, code == 0 && dv_file_has(DV_KMS_LOG, text), "gtmux kms: %s", text);
    end();
}

/* ---- when the guest is told that a flip is done */

#define FLIP_DONE   GT_BIT(3)
#define PACED_FLIPS 100u

/* Waits for the interrupt bit, as a driver does. False: it never came. */
static bool wait_flip_done(void)
{
    uint64_t end = gt_clock_ns() + UINT64_C(10000000000);

    while (!(sg_rd(&dv.g, R_GEN8_DE_PIPE_IIR, 0, 0) & FLIP_DONE)) {
        if (gt_clock_ns() > end)
            return false;
        usleep(500);
    }
    sg_wr(&dv.g, R_GEN8_DE_PIPE_IIR, 0, 0, UINT32_MAX);
    return true;
}

struct pace {
    unsigned told, before_shown; /* flips; of which the guest was told before the monitor had them */
    double kept, late, skipped, seconds;
};

/* Flips between two buffers and waits for each. */
static struct pace flip_and_wait(const char *const *dm)
{
    struct sg_buffer b[2];
    struct pace p = {0};

    begin(dm, NULL);
    for (unsigned i = 0; i < 2; i++) {
        b[i] = sg_buffer(&dv.g, i * BUFFER, 1280, 720, VGPU_FMT_XRGB8888, VGPU_LINEAR);
        sg_paint(&dv.g, &b[i], i);
    }
    sg_wr(&dv.g, R_GEN8_DE_PIPE_IMR, 0, 0, 0);
    sg_show(&dv.g, 0, &b[0]);
    light(1280, 720);
    dv_wait_shown(1, 1);
    sg_wr(&dv.g, R_GEN8_DE_PIPE_IIR, 0, 0, UINT32_MAX);
    for (unsigned i = 1; i < 20; i++) { /* the sink proves that it answers in time */
        double shown = dv_stat("display/shown");

        sg_show(&dv.g, 0, &b[i % 2]);
        wait_flip_done();
        dv_wait_shown(shown, 1);
    }
    double shown = dv_stat("display/shown"), kept = dv_stat("pipes/0/flips_kept"), late = dv_stat("pipes/0/flips_late"),
           skipped = dv_stat("display/skipped");
    uint64_t start = gt_clock_ns();

    for (unsigned i = 0; i < PACED_FLIPS; i++) {
        sg_show(&dv.g, 0, &b[i % 2]);
        p.told += wait_flip_done();
        p.before_shown += dv_stat("display/shown") < shown + i + 1;
    }
    p.seconds = (double)(gt_clock_ns() - start) / 1e9;
    p.kept = dv_stat("pipes/0/flips_kept") - kept;
    p.late = dv_stat("pipes/0/flips_late") - late;
    p.skipped = dv_stat("display/skipped") - skipped;
    end();
    return p;
}

static void paced(void)
{
    static const char *const at_vblank[] = {"--flip-wait=0", NULL};
    struct pace p = flip_and_wait(NULL), free_running = flip_and_wait(at_vblank);

    dv_result(&dv, p.told == PACED_FLIPS && p.kept >= PACED_FLIPS * 8 / 10,
              "a guest that waits for its flips: %u done in %.1f s, %.0f kept until they were shown", p.told, p.seconds,
              p.kept);
    dv_result(&dv, p.late <= PACED_FLIPS / 5 && p.before_shown <= 2 * p.late + (PACED_FLIPS - p.kept),
              "told before the monitor had it: %u, given up: %.0f, skipped: %.0f", p.before_shown, p.late, p.skipped);
    dv_result(&dv,
              free_running.told == PACED_FLIPS && !free_running.kept && free_running.before_shown > PACED_FLIPS / 4,
              "with --flip-wait=0: %u done in %.1f s, %u of them before the monitor had it", free_running.told,
              free_running.seconds, free_running.before_shown);
}

static void changes_of_a_copy(void)
{
    struct sg_buffer b[2];

    begin(NULL, NULL);
    for (unsigned i = 0; i < 2; i++) {
        b[i] = sg_buffer(&dv.g, i * BUFFER, 1920, 1080, VGPU_FMT_XRGB8888, VGPU_TILE_X);
        sg_paint(&dv.g, &b[i], 5);
    }
    sg_show(&dv.g, 0, &b[0]);
    light(1920, 1080);
    dv_wait_shown(1, 1);
    sg_put(&dv.g, &b[0], 1000, 500, sg_pattern(1000, 500, 5) ^ 0xffffff);
    dv_result(&dv, wait_bad(&b[0], 5, 1) == 1, "a pixel that the guest changes in a tiled picture is copied");
    for (unsigned i = 1; i < 10; i++)
        show(&b[i % 2]);
    dv_result(&dv, wait_bad(&b[1], 5, 0) == 0, "the other buffer is shown as it is");
    show(&b[0]);
    dv_result(&dv, wait_bad(&b[0], 5, 1) == 1, "and the first one");
    dv_end(&dv.sink, SIGTERM);
    double copied = dv_sink_figure(" bytes copied"), whole = 1920.0 * 1080 * 4;

    /* Both dumb buffers were filled once, and then a row of tiles at a time. */
    dv_result(&dv, copied >= 2 * whole && copied < 2.5 * whole,
              "11 flips of two pictures that differ by a pixel copied %.2f pictures", copied / whole);
    end();
}

static uint32_t blend(uint32_t below, uint32_t argb)
{
    uint32_t a = argb >> 24, out = 0;

    for (unsigned shift = 0; shift < 24; shift += 8)
        out |= GT_MIN((argb >> shift & 0xff) + (below >> shift & 0xff) * (255 - a) / 255, 255u) << shift;
    return out;
}

/* Pixels that differ from the pattern of seed 9 under a cursor at 400, 260; -1: no capture. */
static long bad_under_cursor(const struct sg_buffer *c)
{
    struct dv_capture shot = {0};
    bool ok = dv_capture(&dv, 1920, 1080, &shot);
    long bad = ok ? 0 : -1;

    for (uint32_t y = 0; ok && y < 1080; y++)
        for (uint32_t x = 0; x < 1920; x++) {
            uint32_t want = sg_pattern(x, y, 9);

            if (x >= 400 && x < 464 && y >= 260 && y < 324)
                want = blend(want, sg_get(&dv.g, c, x - 400, y - 260));
            bad += !dv_near(((const uint32_t *)(const void *)(shot.map + y * shot.stride))[x], want, 1);
        }
    dv_capture_free(&dv, &shot);
    return bad;
}

static void cursor(void)
{
    struct sg_buffer b, c;

    begin(NULL, NULL);
    b = sg_buffer(&dv.g, 0, 1920, 1080, VGPU_FMT_XRGB8888, VGPU_LINEAR);
    c = sg_buffer(&dv.g, BUFFER, 64, 64, VGPU_FMT_ARGB8888, VGPU_LINEAR);
    sg_paint(&dv.g, &b, 9);
    for (uint32_t y = 0; y < 64; y++)
        for (uint32_t x = 0; x < 64; x++)
            sg_put(&dv.g, &c, x, y, x < 32 ? 0xff0000ffu + (y << 8) : 0x80402010u); /* opaque; half, premultiplied */
    sg_show(&dv.g, 0, &b);
    light(1920, 1080);
    dv_wait_shown(1, 1);
    double flips = dv_stat("display/flips"), told = dv_stat("display/cursor_changes");

    for (uint32_t i = 0; i <= 60; i++) {
        sg_cursor(&dv.g, 0, &c, 100 + 5 * i, 200 + i);
        usleep(25000);
    }
    usleep(300000);
    dv_result(&dv, dv_stat("display/flips") == flips && dv_stat("display/cursor_changes") > told + 10,
              "61 places of the cursor: %.0f told, no flip", dv_stat("display/cursor_changes") - told);
    uint64_t end_ns = gt_clock_ns() + DV_PATIENCE_NS;
    long bad;

    while ((bad = bad_under_cursor(&c)) && gt_clock_ns() < end_ns)
        usleep(50000);
    dv_result(&dv, bad == 0, "the cursor is where the guest put it: %ld pixels differ", bad);
    sg_cursor(&dv.g, 0, NULL, 0, 0);
    dv_result(&dv, wait_bad(&b, 9, 0) == 0, "the cursor goes away");
    end();
}

/* The same pixels in two layouts have one CRC. */
static void crcs(void)
{
    uint32_t crc[3];

    begin(NULL, NULL);
    for (unsigned i = 0; i < 3; i++) {
        static const enum vgpu_tiling tilings[] = {VGPU_LINEAR, VGPU_TILE_X, VGPU_TILE_Y};
        struct sg_buffer b = sg_buffer(&dv.g, i * BUFFER, 1920, 1080, VGPU_FMT_XRGB8888, tilings[i]);

        sg_paint(&dv.g, &b, 3);
        if (!i) {
            sg_show(&dv.g, 0, &b);
            light(1920, 1080);
            dv_wait_shown(1, 1);
        } else {
            show(&b);
        }
        wait_bad(&b, 3, 0);
        crc[i] = dv_crc();
    }
    dv_result(&dv, crc[0] && crc[0] == crc[1] && crc[0] == crc[2], "CRCs of one picture: linear %08x, X %08x, Y %08x",
              crc[0], crc[1], crc[2]);
    end();
}

static void low_limit(void)
{
    dv_write_file(LIST_LIMIT, "1024");
    begin(NULL, NULL);
    struct sg_buffer b = sg_buffer(&dv.g, 0, 1920, 1080, VGPU_FMT_XRGB8888, VGPU_TILE_X);

    sg_paint(&dv.g, &b, 21);
    sg_show(&dv.g, 0, &b);
    light(1920, 1080);
    dv_wait_shown(1, 1);
    dv_result(&dv, wait_bad(&b, 21, 0) == 0 && dv_stat("display/pictures_copied") == 1,
              "with udmabuf's own limit a 1080p picture is copied, and right");
    dv_result(&dv, dv_file_has(DV_DM_LOG, "list_limit"), "the log says how to raise it");
    end();
    dv_write_file(LIST_LIMIT, "16384");
}

static void sandboxed(void)
{
    static const char *const strict[] = {"--sandbox=strict", "--user=65534", NULL};

    begin(strict, NULL);
    struct sg_buffer b = sg_buffer(&dv.g, 0, 1920, 1080, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sg_paint(&dv.g, &b, 31);
    sg_show(&dv.g, 0, &b);
    light(1920, 1080);
    dv_wait_shown(1, 1);
    dv_result(&dv,
              wait_bad(&b, 31, 0) == 0 && dv_stat("display/dmabufs_made") == 1 && dv_stat("display/bytes_copied") == 0,
              "a device in its sandbox makes dma-bufs");
    end();
}

static void start_and_show(void)
{
    begin(NULL, NULL);
    struct sg_buffer b = sg_buffer(&dv.g, 0, 1920, 1080, VGPU_FMT_XRGB8888, VGPU_LINEAR);

    sg_paint(&dv.g, &b, 41);
    sg_show(&dv.g, 0, &b);
    light(1920, 1080);
    dv_wait_shown(1, 1);
}

/* Kills sink, device and guest in each order; at the end no dma-buf is left in the kernel. */
static void deaths(void)
{
    static const char *const orders[] = {"sdg", "sgd", "dsg", "dgs", "gsd", "gds"};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(orders); i++) {
        start_and_show();
        int during = dv_dmabufs();

        for (const char *who = orders[i]; *who; who++) {
            if (*who == 's')
                dv_end(&dv.sink, SIGKILL);
            else if (*who == 'd')
                dv_end(&dv.dm, SIGKILL);
            else
                sg_leave(&dv.g);
            usleep(300000);
        }
        dv_close_card(&dv);
        int after = dv_wait_dmabufs(0);

        dv_result(&dv, during > 0 && after == 0, "killed in the order %s: %d dma-bufs before, %d after", orders[i],
                  during, after);
    }
    start_and_show();
    int code = dv_end(&dv.dm, SIGTERM);
    int status = dv_end(&dv.sink, 0);

    dv_result(&dv, code == 0 && status == 1, "the sink ends with the device: exit codes %d, %d", code, status);
    sg_leave(&dv.g);
    dv_close_card(&dv);
}

/* The guest goes, and another comes, while one sink stays. */
static void guests_change(void)
{
    begin(NULL, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        struct sg_buffer b = sg_buffer(&dv.g, 0, 1024, 768, VGPU_FMT_XRGB8888, VGPU_LINEAR);
        double shown = dv_stat("display/shown");

        sg_paint(&dv.g, &b, 50 + i);
        sg_show(&dv.g, 0, &b);
        light(1024, 768);
        bool told = dv_wait_shown(shown, 1);

        dv_result(&dv, told && wait_bad(&b, 50 + i, 0) == 0, "guest %u is shown", i);
        shown = dv_stat("display/shown");
        sg_leave(&dv.g);
        dv_wait_shown(shown, 1);
        int left = dv_wait_dmabufs(0);

        dv_result(&dv, left == 0, "guest %u is gone: %d dma-bufs are left", i, left);
        sg_connect(&dv.g, DV_SOCKET, GUEST_MIB);
    }
    end();
}

/* ---- figures: processor time a flip of the two processes, the same moving picture in each case */

#define BENCH_FLIPS 150u

static double bench_case(const char *name, uint32_t width, uint32_t height, enum vgpu_tiling t, const char *const *sink,
                         double base)
{
    struct sg_buffer b[2];

    begin(NULL, sink);
    for (unsigned i = 0; i < 2; i++) {
        b[i] = sg_buffer(&dv.g, i * BUFFER, width, height, VGPU_FMT_XRGB8888, t);
        sg_paint(&dv.g, &b[i], i);
    }
    sg_show(&dv.g, 0, &b[0]);
    light(width, height);
    dv_wait_shown(1, 1);
    for (unsigned i = 1; i < 5; i++)
        show(&b[i % 2]);
    double shown = dv_stat("display/shown"), before = dv_cpu(dv.dm) + dv_cpu(dv.sink);

    for (unsigned i = 1; i <= BENCH_FLIPS; i++) {
        sg_show(&dv.g, 0, &b[i % 2]);
        usleep(30000);
    }
    double flips = dv_stat("display/shown") - shown;
    double each = (dv_cpu(dv.dm) + dv_cpu(dv.sink) - before) * 1000 / flips;

    printf("     %ux%u %-28s %6.2f ms a flip", width, height, name, each);
    if (base > 0)
        printf(", %4.1f of the first", each / base);
    printf(" (%.0f flips, latency p50 %.0f, p90 %.0f, p99 %.0f, max %.0f ms)\n", flips,
           dv_stat("display/latency_p50_us") / 1000, dv_stat("display/latency_p90_us") / 1000,
           dv_stat("display/latency_p99_us") / 1000, dv_stat("display/latency_max_us") / 1000);
    dv_result(&dv, flips > 3, "%ux%u %s", width, height, name);
    end();
    return each;
}

static void bench(void)
{
    static const char *const copy[] = {"--copy", NULL};
    static const uint32_t sizes[][2] = {{1920, 1080}, {3840, 2160}};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(sizes); i++) {
        const uint32_t w = sizes[i][0], h = sizes[i][1];
        double base = bench_case("shared, scanned out", w, h, VGPU_LINEAR, NULL, 0);

        bench_case("shared, copied by the sink", w, h, VGPU_LINEAR, copy, base);
        bench_case("shared, X detiled", w, h, VGPU_TILE_X, NULL, base);
        bench_case("shared, Y detiled", w, h, VGPU_TILE_Y, NULL, base);
        dv_write_file(LIST_LIMIT, "1");
        bench_case("copied by gtmux-dm and sink", w, h, VGPU_LINEAR, NULL, base);
        dv_write_file(LIST_LIMIT, "16384");
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"layouts", layouts},           {"flips", flips},         {"paced", paced},
        {"changes", changes_of_a_copy}, {"cursor", cursor},       {"crcs", crcs},
        {"low_limit", low_limit},       {"sandboxed", sandboxed}, {"deaths", deaths},
        {"guests", guests_change},      {"sprites", sprites},     {"switch", switches},
        {"compositor", compositor},     {"bench", bench},
    };

    if (argc > 1) {
        unsigned known = 0;

        while (known < GT_ARRAY_SIZE(tests) && strcmp(argv[1], tests[known].name) != 0)
            known++;
        for (unsigned i = 0; known == GT_ARRAY_SIZE(tests) && i < known; i++)
            printf("%s\n", tests[i].name);
        if (known == GT_ARRAY_SIZE(tests))
            return strcmp(argv[1], "--list") ? 2 : 0;
    }
    mkdir(DV_DIR, 0700);
    signal(SIGPIPE, SIG_IGN);
    dv_write_file(LIST_LIMIT, "16384");
    for (unsigned i = 0; i < GT_ARRAY_SIZE(tests); i++) {
        unsigned failed = dv.failed;

        if (argc > 1 ? strcmp(argv[1], tests[i].name) != 0 : tests[i].run == bench)
            continue;
        tests[i].run();
        if (dv.failed != failed) {
            printf("     the logs of %s:\n", tests[i].name);
            fflush(stdout);
            if (system("tail -n 5 " DV_DM_LOG " " DV_KMS_LOG " | sed 's/^/     /'"))
                printf("     none\n");
        }
    }
    dv_result(&dv, dv_wait_dmabufs(0) == 0, "no dma-buf is left: %d", dv_dmabufs());
    printf("%u passed, %u failed\n", dv.passed, dv.failed);
    return dv.failed != 0;
}
