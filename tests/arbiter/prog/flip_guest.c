/*
 * A guest that flips as often as it may: it lights heads at 60 Hz and shows two buffers in turns on each, the next one
 * as soon as the frame counter says that the last flip is done, which is what drm_vblank.c goes by. For
 * tests/arbiter/run, which looks at how many the device model counts.
 *
 * usage: flip_guest SOCKET HEADS SECONDS
 */
#include "tests/fakes/screen_guest.h"
#include "vgpu/base/clock.h"

#define WIDTH  640u
#define HEIGHT 480u

struct head {
    struct sg_buffer buffer[2];
    unsigned shown;
    uint32_t frame; /* when the last flip was asked for */
};

static void flip_when_done(struct screen_guest *g, unsigned pipe, struct head *h)
{
    uint32_t frame = sg_rd(g, R_PIPE_FRMCOUNT, pipe, 0);

    if (frame == h->frame)
        return;
    h->shown ^= 1;
    h->frame = frame;
    sg_wr(g, R_PLANE_SURF, pipe, 0, h->buffer[h->shown].ggtt);
}

int main(int argc, char **argv)
{
    struct screen_guest g;
    struct head head[VGPU_HEADS] = {0};
    unsigned heads = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (!heads || heads > VGPU_HEADS) {
        fprintf(stderr, "usage: flip_guest SOCKET HEADS SECONDS\n");
        return 2;
    }
    sg_connect(&g, argv[1], 16);
    for (unsigned i = 0; i < heads; i++) {
        for (unsigned k = 0; k < 2; k++)
            head[i].buffer[k] = sg_buffer(&g, (2 * i + k) << 22, WIDTH, HEIGHT, VGPU_FMT_XRGB8888, VGPU_LINEAR);
        sg_light(&g, i, WIDTH, HEIGHT);
        sg_show(&g, i, &head[i].buffer[0]);
    }
    for (uint64_t end = gt_clock_ns() + strtoull(argv[3], NULL, 10) * 1000000000u; gt_clock_ns() < end;) {
        for (unsigned i = 0; i < heads; i++)
            flip_when_done(&g, i, &head[i]);
        usleep(1000);
    }
    sg_leave(&g);
    return 0;
}
