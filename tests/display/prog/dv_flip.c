/* A guest that flips between two pictures, once for each line on its standard input: dv_flip SOCKET WIDTH HEIGHT. For
 * tests/bench/display. */
#include <signal.h>

#include "tests/fakes/screen_guest.h"

#define BUFFER 0x4000000u /* distance of two buffers in the GGTT: 64 MiB */

/* Rows of one value each, as tests/bench/display makes them in the VRAM of QEMU's VGA. */
static void paint(struct screen_guest *g, const struct sg_buffer *b, unsigned which)
{
    for (uint32_t y = 0; y < b->height; y++)
        for (uint32_t x = 0; x < b->width; x++)
            sg_put(g, b, x, y, ((y * 7 + which * 128) & 0xff) * 0x010101u);
}

int main(int argc, char **argv)
{
    struct screen_guest g;
    struct sg_buffer b[2];
    int c;

    if (argc != 4) {
        fprintf(stderr, "usage: dv_flip SOCKET WIDTH HEIGHT\n");
        return 2;
    }
    const uint32_t width = (uint32_t)atoi(argv[2]), height = (uint32_t)atoi(argv[3]);

    sg_check(width && height, "numbers");
    sg_connect(&g, argv[1], 128);
    for (unsigned i = 0; i < 2; i++) {
        b[i] = sg_buffer(&g, i * BUFFER, width, height, VGPU_FMT_XRGB8888, VGPU_LINEAR);
        paint(&g, &b[i], i);
    }
    sg_show(&g, 0, &b[0]);
    sg_light(&g, 0, width, height);
    printf("READY\n");
    fflush(stdout);
    for (unsigned i = 1; (c = getchar()) != EOF;)
        if (c == '\n')
            sg_show(&g, 0, &b[i++ % 2]);
    sg_leave(&g);
    return 0;
}
