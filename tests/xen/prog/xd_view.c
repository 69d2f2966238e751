/*
 * In dom0: a viewer that keeps what it is given, and `gtmux kms` on vkms.
 *
 *   xd_view see NAME [LIST]  connects to a guest's screen, prints a line about its first frame and, by the importer of
 *                            display/kmod/test (LIST: its file), where a device would read it; then keeps the frame
 *                            until SIGTERM, whatever becomes of the guest
 *   xd_view kms NAME SEED WIDTH HEIGHT   shows the guest on vkms by gtmux kms, and compares what vkms writes back with
 * the picture of xt_show
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "display/viewer.h"
#include "tests/display/prog/dv.h"
#include "vgpu/base/clock.h"

#define GTMUX       "/usr/local/bin/gtmux"
#define KMS_LOG     "/tmp/kms.log"
#define PATIENCE_NS UINT64_C(60000000000)

/* ---- see */

struct seen {
    struct display_viewer *v;
    struct viewer_flip flip;
};

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct seen *s = ctx;

    if (f->frame && !s->flip.frame)
        s->flip = *f;
    viewer_shown(s->v, f->serial);
}

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (0xedb88320u & -(crc & 1)); /* as xt_show */
    return crc;
}

static uint32_t crc_of(const struct viewer_flip *f, const uint8_t *map)
{
    uint32_t crc = ~0u;

    for (uint32_t y = 0; y < f->height; y++) {
        const uint32_t *row = (const void *)(map + (size_t)(f->y + y) * f->frame->stride);

        for (uint32_t x = f->x; x < f->x + f->width; x++)
            for (int shift = 16; shift >= 0; shift -= 8)
                crc = crc_byte(crc, (uint8_t)(row[x] >> shift));
    }
    return ~crc;
}

/* The importer's file stays open, and so does the import. */
static void list_addresses(const char *list, int fd)
{
    char number[16], line[64];
    int n = snprintf(number, sizeof(number), "%d\n", fd);
    int file = open(list, O_RDWR | O_CLOEXEC);

    if (file < 0 || write(file, number, (size_t)n) != n) {
        printf("IMPORT fails: %s\n", strerror(errno));
        return;
    }
    FILE *f = fdopen(dup(file), "r");

    while (f && fgets(line, sizeof(line), f))
        printf("DMA %s", line);
}

static int see(const char *name, const char *list)
{
    static const struct viewer_events events = {.flip = on_flip};
    const uint64_t end = gt_clock_ns() + PATIENCE_NS;
    char path[108], err[256];
    struct seen s = {0};

    snprintf(path, sizeof(path), "/run/gtmux/%s.display", name);
    if (viewer_connect(&s.v, path, 0, &events, &s, err, sizeof(err))) {
        printf("VIEW fails: %s\n", err);
        return 1;
    }
    while (!s.flip.frame && gt_clock_ns() < end) {
        struct pollfd p = {.fd = viewer_fd(s.v), .events = POLLIN};

        if (poll(&p, 1, 100) > 0 && viewer_dispatch(s.v))
            break;
    }
    struct viewer_frame *f = s.flip.frame;
    const uint8_t *map = f ? viewer_map(f) : NULL;

    if (!map) {
        printf("VIEW fails: %s\n", f ? strerror(errno) : "no frame comes");
        return 1;
    }
    printf("VIEW %s %ux%u stride %u at %u,%u modifier %llx bytes %llu crc %08x\n", f->shared ? "shared" : "copied",
           s.flip.width, s.flip.height, f->stride, s.flip.x, s.flip.y, (unsigned long long)f->modifier,
           (unsigned long long)f->bytes, crc_of(&s.flip, map));
    if (list)
        list_addresses(list, f->fd);
    printf("VIEW keeps it\n");
    fflush(stdout);
    for (;;)
        pause();
}

/* ---- kms */

static uint32_t pixel(uint32_t x, uint32_t y, uint32_t seed)
{
    return ((x * 255 + y * 3 + seed * 77) & 0xff) << 16 | ((x * y + seed) & 0xff) << 8 | ((x ^ y ^ seed) & 0xff);
}

static long bad_pixels(struct dv *d, uint32_t width, uint32_t height, uint32_t seed)
{
    struct dv_capture c = {0};
    const bool ok = dv_capture(d, width, height, &c);
    long bad = ok ? 0 : -1;

    for (uint32_t y = 0; ok && y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            uint32_t found = ((const uint32_t *)(const void *)(c.map + (size_t)y * c.stride))[x];

            bad += (found & 0xffffff) != pixel(x, y, seed);
        }
    dv_capture_free(d, &c);
    return bad;
}

static pid_t start_kms(const char *name, int card)
{
    char option[24];

    snprintf(option, sizeof(option), "--drm-fd=%d", card);
    fflush(stdout);
    pid_t pid = fork();

    if (pid)
        return pid;
    int log = open(KMS_LOG, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execl(GTMUX, GTMUX, "kms", name, option, "--verbose", (char *)NULL);
    _exit(127);
}

/* Not before the sink's own mode is set: a capture across its change of the console's would never come. */
static int kms(const char *name, uint32_t seed, uint32_t want_width, uint32_t want_height)
{
    const uint64_t end = gt_clock_ns() + PATIENCE_NS;
    struct dv d = {.card = -1};
    uint32_t width = 0, height = 0;
    char line[256];
    long bad = -1;

    dv_open_card(&d);
    pid_t sink = start_kms(name, d.card);

    while (bad && gt_clock_ns() < end) {
        usleep(200000);
        if (dv_lit(&d, &width, &height) && width == want_width && height == want_height)
            bad = bad_pixels(&d, width, height, seed);
    }
    printf("SCREEN %ux%u: %ld pixels differ\n", width, height, bad);
    dv_end(&sink, SIGTERM);
    dv_close_card(&d);
    FILE *f = fopen(KMS_LOG, "re");

    while (f && fgets(line, sizeof(line), f))
        fputs(line, stdout);
    return bad != 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 3 && !strcmp(argv[1], "see"))
        return see(argv[2], argc > 3 ? argv[3] : NULL);
    if (argc == 6 && !strcmp(argv[1], "kms"))
        return kms(argv[2], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]), (uint32_t)atoi(argv[5]));
    fprintf(stderr, "usage: xd_view see NAME [LIST] | kms NAME SEED WIDTH HEIGHT\n");
    return 2;
}
