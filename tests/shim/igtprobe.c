/*
 * igtprobe KIND TILING: runs one of the batch builders that IGT's library brings along (Debian packages no headers for
 * it) on the first render node, and looks at what it did. KIND: render, blt, gpgpu, media; TILING: 0 linear, 1 X, 2 Y.
 * Exit code 0: right, 1: wrong, 77: the library is not there.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE 64

struct intel_bb;
struct intel_buf;
struct buf_ops;

/* Prototypes of igt-gpu-tools 2.0, lib/intel_bufops.h, intel_batchbuffer.h, rendercopy.h, gpgpu_fill.h. */
static struct buf_ops *(*buf_ops_create)(int);
static struct intel_buf *(*intel_buf_create)(struct buf_ops *, int, int, int, int, uint32_t, uint32_t);
static struct intel_bb *(*intel_bb_create)(int, uint32_t);
static void (*intel_bb_blt_copy)(struct intel_bb *, struct intel_buf *, int, int, int, struct intel_buf *, int, int,
                                 int, int, int, int);
static void (*intel_bb_flush_blit)(struct intel_bb *);
static void (*intel_bb_sync)(struct intel_bb *);
static void (*render_copy)(struct intel_bb *, struct intel_buf *, unsigned, unsigned, unsigned, unsigned,
                           struct intel_buf *, unsigned, unsigned);
static void (*gpgpu_fill)(int, struct intel_buf *, unsigned, unsigned, unsigned, unsigned, uint8_t);
static void (*media_fill)(int, struct intel_buf *, unsigned, unsigned, unsigned, unsigned, uint8_t);
static void *(*cpu_map)(struct intel_buf *, int);
static void (*cpu_unmap)(struct intel_buf *);

static int find_all(void)
{
    static const struct {
        void *to;
        const char *name;
    } want[] = {
        {&buf_ops_create, "buf_ops_create"},
        {&intel_buf_create, "intel_buf_create"},
        {&intel_bb_create, "intel_bb_create"},
        {&intel_bb_blt_copy, "intel_bb_blt_copy"},
        {&intel_bb_flush_blit, "intel_bb_flush_blit"},
        {&intel_bb_sync, "intel_bb_sync"},
        {&render_copy, "gen9_render_copyfunc"},
        {&gpgpu_fill, "gen9_gpgpu_fillfunc"},
        {&media_fill, "gen9_media_fillfunc"},
        {&cpu_map, "intel_buf_cpu_map"},
        {&cpu_unmap, "intel_buf_unmap"},
    };
    void *library = dlopen("libigt.so.0", RTLD_LAZY | RTLD_GLOBAL);

    for (size_t i = 0; library && i < sizeof(want) / sizeof(want[0]); i++) {
        void *symbol = dlsym(library, want[i].name);

        if (!symbol) {
            printf("%s is missing\n", want[i].name);
            return -1;
        }
        memcpy(want[i].to, &symbol, sizeof(symbol));
    }
    return library ? 0 : -1;
}

/* ---- tiles, as the CPU sees them: its library would ask for a mapping that the hardware detiles */

static size_t tiled(int tiling, size_t stride, size_t xb, size_t y)
{
    if (tiling == 1) /* 512 bytes x 8 rows */
        return y / 8 * 8 * stride + xb / 512 * 4096 + y % 8 * 512 + xb % 512;
    if (tiling == 2) /* 128 bytes x 32 rows in columns of 16 bytes */
        return y / 32 * 32 * stride + xb / 128 * 4096 + xb % 128 / 16 * 512 + y % 32 * 16 + xb % 16;
    return y * stride + xb;
}

static void move(struct intel_buf *b, int tiling, size_t width, uint8_t *linear, int write)
{
    size_t tile = tiling == 1 ? 512 : tiling == 2 ? 128 : 1, stride = (width + tile - 1) / tile * tile;
    uint8_t *p = cpu_map(b, write);

    for (size_t y = 0; y < SIDE; y++) {
        for (size_t xb = 0; xb < width; xb++) {
            uint8_t *at = p + tiled(tiling, stride, xb, y), *q = linear + y * width + xb;

            *(write ? at : q) = *(write ? q : at);
        }
    }
    cpu_unmap(b);
}

/* Where the builders below put what: a square, or a copy of another place. */
struct expect {
    int x, y, width, height, from_x, from_y;
};

static int wrong_pixel(int x, int y, uint32_t got, uint32_t want)
{
    printf("pixel %d,%d is 0x%x instead of 0x%x\n", x, y, got, want);
    return 1;
}

static int check_copy(const uint32_t *to, const uint32_t *from, const struct expect *e)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            int inside = x >= e->x && x < e->x + e->width && y >= e->y && y < e->y + e->height;
            uint32_t want = inside ? from[(y - e->y + e->from_y) * SIDE + x - e->x + e->from_x] : 0;

            if (to[y * SIDE + x] != want)
                return wrong_pixel(x, y, to[y * SIDE + x], want);
        }
    }
    return 0;
}

static int check_fill(const uint8_t *to, const struct expect *e, uint8_t value)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            int inside = x >= e->x && x < e->x + e->width && y >= e->y && y < e->y + e->height;

            if (to[y * SIDE + x] != (inside ? value : 0))
                return wrong_pixel(x, y, to[y * SIDE + x], inside ? value : 0);
        }
    }
    return 0;
}

static int copies(struct buf_ops *ops, int fd, int tiling, int blitter)
{
    static uint32_t from[SIDE * SIDE], to[SIDE * SIDE];
    struct intel_buf *s = intel_buf_create(ops, SIDE, SIDE, 32, 0, (uint32_t)tiling, 0);
    struct intel_buf *d = intel_buf_create(ops, SIDE, SIDE, 32, 0, (uint32_t)tiling, 0);
    struct intel_bb *bb = intel_bb_create(fd, 4096);

    for (uint32_t i = 0; i < SIDE * SIDE; i++)
        from[i] = 0xff000000u | i * 0x010203u;
    move(s, tiling, sizeof(from) / SIDE, (uint8_t *)from, 1);
    move(d, tiling, sizeof(to) / SIDE, (uint8_t *)to, 1);
    if (blitter) {
        const int pitch = tiling == 1 ? 512 : SIDE * 4;

        intel_bb_blt_copy(bb, s, 0, 0, pitch, d, 8, 8, pitch, 40, 40, 32);
        intel_bb_flush_blit(bb);
    } else {
        render_copy(bb, s, 4, 4, 32, 32, d, 16, 16);
    }
    intel_bb_sync(bb);
    move(d, tiling, sizeof(to) / SIDE, (uint8_t *)to, 0);
    return check_copy(to, from,
                      blitter ? &(struct expect){8, 8, 40, 40, 0, 0} : &(struct expect){16, 16, 32, 32, 4, 4});
}

static int fills(struct buf_ops *ops, int fd, int tiling, int media)
{
    static uint32_t to[SIDE * SIDE / 4];
    struct intel_buf *d = intel_buf_create(ops, SIDE, SIDE, 8, 0, (uint32_t)tiling, 0);

    move(d, tiling, sizeof(to) / SIDE, (uint8_t *)to, 1);
    /* At the origin: IGT 1.27 leaves the place of a compute fill out. */
    (media ? media_fill : gpgpu_fill)(fd, d, 0, 0, 32, 32, 0x5a);
    move(d, tiling, sizeof(to) / SIDE, (uint8_t *)to, 0);
    return check_fill((const uint8_t *)to, &(struct expect){0, 0, 32, 32, 0, 0}, 0x5a);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    int tiling = argc > 2 ? atoi(argv[2]) : 0, fd;
    struct buf_ops *ops;

    if (find_all()) {
        puts("libigt.so.0 cannot be used");
        return 77;
    }
    fd = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        perror("renderD128");
        return 1;
    }
    ops = buf_ops_create(fd);
    if (!strcmp(kind, "render") || !strcmp(kind, "blt"))
        return copies(ops, fd, tiling, !strcmp(kind, "blt"));
    if (!strcmp(kind, "gpgpu") || !strcmp(kind, "media"))
        return fills(ops, fd, tiling, !strcmp(kind, "media"));
    fprintf(stderr, "Usage: igtprobe render|blt|gpgpu|media 0|1|2\n");
    return 2;
}
