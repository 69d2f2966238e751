/*
 * Shows a picture that a seed determines, prints its size and CRC-32 as read back from the framebuffer, and keeps it
 * until a line comes on standard input.
 *
 * usage: xt_show SEED [SECONDS to wait for the line]
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gt.h"

/* The same in tests/xen/picture.py. */
static uint32_t pixel(uint32_t x, uint32_t y, uint32_t seed)
{
    return ((x * 255 + y * 3 + seed * 77) & 0xff) << 16 | ((x * y + seed) & 0xff) << 8 | ((x ^ y ^ seed) & 0xff);
}

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++)
        crc = crc >> 1 ^ (0xedb88320u & -(crc & 1)); /* CRC-32 of IEEE 802.3, as in PNG */
    return crc;
}

/* Of red, green and blue of all pixels, row by row. */
static uint32_t crc_of(const struct gt_fb *fb)
{
    uint32_t crc = ~0u;

    for (uint32_t y = 0; y < fb->height; y++) {
        const uint32_t *row = (const uint32_t *)(fb->cpu + (size_t)y * fb->pitch);
        for (uint32_t x = 0; x < fb->width; x++)
            for (int shift = 16; shift >= 0; shift -= 8)
                crc = crc_byte(crc, (uint8_t)(row[x] >> shift));
    }
    return ~crc;
}

int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    int seconds = argc > 2 ? atoi(argv[2]) : 120;
    struct gt_head head;

    gt_open();
    if (!gt_check(gt_heads(&head, 1) == 1, "head", "a connected monitor"))
        return gt_done();
    struct gt_fb fb = gt_fb_new(head.mode.hdisplay, head.mode.vdisplay);
    for (uint32_t y = 0; y < fb.height; y++)
        for (uint32_t x = 0; x < fb.width; x++)
            ((uint32_t *)(fb.cpu + (size_t)y * fb.pitch))[x] = pixel(x, y, seed);
    int rc = gt_set_mode(&head, &fb);
    gt_check(!rc, "modeset", "%s: %d", head.mode.name, rc);
    printf("SHOW %ux%u %08x\n", fb.width, fb.height, crc_of(&fb));
    fflush(stdout);
    struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
    gt_check(poll(&pfd, 1, seconds * 1000) == 1, "told", "to go on");
    return gt_done();
}
