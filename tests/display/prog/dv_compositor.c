/* gtmux view on a compositor that imports dma-bufs: weston with its GL renderer, on Mesa's software driver, which maps
 * them. What weston says to be on its screen is what the guest has in its memory. Both run in this virtual machine,
 * whose kernel has udmabuf; weston in the root image, gtmux view beside it. */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <png.h>

#include "dv.h"
#include "vgpu/base/clock.h"

#define ROOT    "/root-fs"
#define RUNTIME DV_DIR "/wl" /* /tmp is the same directory on both sides */
#define LOG     DV_DIR "/weston.log"
#define VIEW    DV_DIR "/view.log"
#define WIDTH   640u
#define HEIGHT  480u
#define FLIPS   30u

static pid_t start_weston(void)
{
    static const char *const args[] = {"/bin/chroot",
                                       ROOT,
                                       "/usr/bin/env",
                                       "XDG_RUNTIME_DIR=" RUNTIME,
                                       "LIBGL_ALWAYS_SOFTWARE=1",
                                       "/usr/bin/weston",
                                       "--backend=headless",
                                       "--renderer=gl",
                                       "--shell=kiosk",
                                       "--socket=wl",
                                       "--width=640",
                                       "--height=480",
                                       "--idle-time=0",
                                       "--debug", /* lets programs take screenshots */
                                       NULL};
    pid_t pid = dv_spawn(args, NULL, LOG);
    uint64_t end = gt_clock_ns() + 3 * DV_PATIENCE_NS;

    while (access(RUNTIME "/wl", F_OK) && gt_clock_ns() < end && !waitpid(pid, NULL, WNOHANG))
        usleep(50000);
    return pid;
}

/* The newest screenshot, B G R X. False: there is none. */
static bool screenshot(uint32_t *pixels)
{
    static const char *const args[] = {"/bin/chroot",
                                       ROOT,
                                       "/bin/bash",
                                       "-c",
                                       "cd " RUNTIME " && rm -f *.png && XDG_RUNTIME_DIR=" RUNTIME
                                       " WAYLAND_DISPLAY=wl weston-screenshooter && mv *.png shot",
                                       NULL};
    png_image image = {.version = PNG_IMAGE_VERSION};
    int status = 0;
    pid_t pid = dv_spawn(args, NULL, DV_DIR "/shot.log");

    waitpid(pid, &status, 0);
    if (status || !png_image_begin_read_from_file(&image, RUNTIME "/shot"))
        return false;
    image.format = PNG_FORMAT_BGRA;
    const bool fits = image.width == WIDTH && image.height == HEIGHT;
    bool ok = fits && png_image_finish_read(&image, NULL, pixels, 0, NULL);

    png_image_free(&image);
    return ok;
}

/* Pixels of a screenshot that differ from what is in the guest's buffer; -1: there is none. */
static long bad_pixels(const struct dv *d, const struct sg_buffer *b)
{
    static uint32_t pixels[WIDTH * HEIGHT];
    long bad = 0;

    if (!screenshot(pixels))
        return -1;
    for (uint32_t y = 0; y < HEIGHT; y++)
        for (uint32_t x = 0; x < WIDTH; x++)
            bad += ((pixels[y * WIDTH + x] ^ sg_get(&d->g, b, x, y)) & 0xffffff) != 0;
    return bad;
}

static long wait_good(const struct dv *d, const struct sg_buffer *b)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    long bad;

    while ((bad = bad_pixels(d, b)) && gt_clock_ns() < end)
        usleep(100000);
    return bad;
}

/* It has its socket long before it answers. */
static bool wait_weston(void)
{
    static uint32_t pixels[WIDTH * HEIGHT];
    uint64_t end = gt_clock_ns() + 3 * DV_PATIENCE_NS;

    while (!screenshot(pixels)) {
        if (gt_clock_ns() > end)
            return false;
        usleep(200000);
    }
    return true;
}

static void watch(struct dv *d, struct sg_buffer b[2])
{
    long bad = wait_good(d, &b[0]);

    dv_result(d, bad == 0, "weston shows what the guest has in its memory: %ld pixels differ", bad);
    for (uint32_t i = 0; i < 50; i++)
        sg_put(&d->g, &b[0], 100 + i, 200, 0xff0000u + i);
    bad = wait_good(d, &b[0]);
    dv_result(d, bad == 0, "and what it draws without a flip: %ld pixels differ", bad);
    double shown = dv_stat("display/shown");

    for (unsigned i = 1; i <= FLIPS; i++) {
        sg_show(&d->g, 0, &b[i % 2]);
        usleep(60000);
    }
    sg_show(&d->g, 0, &b[1]);
    bad = wait_good(d, &b[1]);
    dv_result(d, bad == 0 && dv_stat("display/shown") > shown + 3,
              "and the last of %.0f flips shown: %ld pixels differ", dv_stat("display/shown") - shown, bad);
}

static void start_view(struct dv *d)
{
    static const char *const args[] = {"/t/gtmux", "view", "g", "--run-dir=" DV_DIR, "--verbose", "--no-resize", NULL};

    setenv("XDG_RUNTIME_DIR", RUNTIME, 1);
    setenv("WAYLAND_DISPLAY", "wl", 1);
    unlink(VIEW);
    d->sink = dv_spawn(args, NULL, VIEW);
}

void dv_compositor(struct dv *d)
{
    const unsigned failed = d->failed;
    struct sg_buffer b[2];

    mkdir(RUNTIME, 0700);
    pid_t weston = start_weston();

    if (!dv_result(d, wait_weston(), "weston starts"))
        return;
    dv_start_dm(d, NULL);
    sg_connect(&d->g, DV_SOCKET, 64);
    for (unsigned i = 0; i < 2; i++) {
        b[i] = sg_buffer(&d->g, i * DV_BUFFER, WIDTH, HEIGHT, VGPU_FMT_XRGB8888, VGPU_LINEAR);
        sg_paint(&d->g, &b[i], 71 + i);
    }
    sg_show(&d->g, 0, &b[0]);
    sg_light(&d->g, 0, WIDTH, HEIGHT);
    start_view(d);
    if (dv_result(d, dv_wait_shown(0, 1), "weston runs, and gtmux view on it"))
        watch(d, b);
    double copied = dv_stat("display/bytes_copied"), made = dv_stat("display/dmabufs_made");
    int code = dv_end(&d->sink, SIGTERM);

    dv_result(d,
              code == 0 && dv_file_has(VIEW, " 0 copied; 0 bytes copied, 0 dma-bufs refused") &&
                  dv_file_has(VIEW, " 0 as gtmux-dm's copies"),
              "gtmux view gave it dma-bufs, and copied nothing");
    dv_result(d, copied == 0 && made == 2, "gtmux-dm made %.0f dma-bufs and copied %.0f bytes", made, copied);
    sg_leave(&d->g);
    dv_end(&d->dm, SIGTERM);
    dv_end(&weston, SIGTERM);
    if (d->failed != failed && system("tail -n 12 " VIEW " " LOG " " DV_DIR "/shot.log | sed 's/^/     /'"))
        printf("     there are no logs\n");
}
