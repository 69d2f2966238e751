/*
 * A guest with nothing but a screen (tests/fakes/screen_guest.h) that does what it is told on standard input, one
 * command a line, each answered by "ok" on standard output once it is done: show WIDTH HEIGHT 8888|565 linear|x|y SEED
 * lights head 0 in this mode with a new buffer of sg_pattern(SEED) draw SEED ROWS                               draws
 * the first rows of the picture again, without a flip flip SEED                                    the same size and
 * layout from the other of two buffers put X Y VALUE                                a pixel, without a flip cursor X Y
 * a cursor of 64x64, half of it opaque; or no-cursor dark
 */
#include <signal.h>

#include "tests/fakes/screen_guest.h"

#define BUFFER    0x4000000u
#define CURSOR_AT 0x30000000u
#define GUEST_MIB 128u

struct state {
    struct screen_guest g;
    struct sg_buffer b[2], cursor;
    unsigned at;
    bool has_cursor;
};

static void begin(struct state *s, const char *socket)
{
    s->g.used = 0;
    for (unsigned i = 0; i < 500 && access(socket, F_OK); i++)
        usleep(10000);
    usleep(200000); /* from its name to its use */
    sg_connect(&s->g, socket, GUEST_MIB);
}

static void show(struct state *s, uint32_t width, uint32_t height, const char *format, const char *tiling,
                 uint32_t seed)
{
    const enum vgpu_format f = strcmp(format, "565") ? VGPU_FMT_XRGB8888 : VGPU_FMT_RGB565;
    const enum vgpu_tiling t = *tiling == 'x' ? VGPU_TILE_X : *tiling == 'y' ? VGPU_TILE_Y : VGPU_LINEAR;

    s->g.used = 0; /* the buffers before are not needed any more */
    for (unsigned i = 0; i < 2; i++)
        s->b[i] = sg_buffer(&s->g, i * BUFFER, width, height, f, t);
    s->at = 0;
    s->has_cursor = false;
    sg_paint(&s->g, &s->b[0], seed);
    for (uint32_t i = 0; !strcmp(format, "full") && i < width * height; i++)
        sg_put(&s->g, &s->b[0], i % width, i / width, sg_pattern(i % width, i / width, seed) | 0xff000000u);
    sg_show(&s->g, 0, &s->b[0]);
    sg_light(&s->g, 0, width, height);
}

static void cursor(struct state *s, uint32_t x, uint32_t y)
{
    if (!s->has_cursor) {
        s->cursor = sg_buffer(&s->g, CURSOR_AT, 64, 64, VGPU_FMT_ARGB8888, VGPU_LINEAR);
        for (uint32_t cy = 0; cy < 64; cy++)
            for (uint32_t cx = 0; cx < 64; cx++)
                sg_put(&s->g, &s->cursor, cx, cy, cx < 32 ? 0xff0000ffu + (cy << 8) : 0);
        s->has_cursor = true;
    }
    sg_cursor(&s->g, 0, &s->cursor, x, y);
}

static bool obey(struct state *s, const char *line)
{
    uint32_t a, b, seed;
    char format[8], tiling[8];

    if (sscanf(line, "show %u %u %7s %7s %u", &a, &b, format, tiling, &seed) == 5) {
        show(s, a, b, format, tiling, seed);
    } else if (sscanf(line, "flip %u", &seed) == 1) {
        s->at ^= 1;
        sg_paint(&s->g, &s->b[s->at], seed);
        sg_show(&s->g, 0, &s->b[s->at]);
    } else if (sscanf(line, "draw %u %u", &seed, &a) == 2) {
        struct sg_buffer part = s->b[s->at];

        part.height = GT_MIN(a, part.height);
        sg_paint(&s->g, &part, seed);
    } else if (sscanf(line, "put %u %u %x", &a, &b, &seed) == 3) {
        sg_put(&s->g, &s->b[s->at], a, b, seed);
    } else if (sscanf(line, "cursor %u %u", &a, &b) == 2) {
        cursor(s, a, b);
    } else if (!strncmp(line, "no-cursor", 9)) {
        sg_cursor(&s->g, 0, NULL, 0, 0);
    } else if (!strncmp(line, "dark", 4)) {
        sg_dark(&s->g, 0);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static struct state s;
    char line[128];

    if (argc != 2) {
        fprintf(stderr, "usage: screen-guest VFIO-USER-SOCKET\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    begin(&s, argv[1]);
    printf("ok\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        printf("%s\n", obey(&s, line) ? "ok" : "what?");
        fflush(stdout);
    }
    sg_leave(&s.g);
    return 0;
}
