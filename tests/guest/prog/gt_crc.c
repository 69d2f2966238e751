/*
 * The pipe CRC of debugfs: stable for a still picture, different with one pixel changed, the old value when the pixel
 * is back; a cursor changes it too.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gt.h"

#define FRAMES 5

static int open_first(const char *file, int flags)
{
    char path[96];

    for (int card = 0; card < 3; card++) {
        snprintf(path, sizeof(path), "/sys/kernel/debug/dri/%d/crtc-0/crc/%s", card, file);
        int fd = open(path, flags);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

static bool read_line(int fd, char *line, size_t size)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    if (poll(&pfd, 1, 3000) <= 0)
        return false;
    ssize_t n = read(fd, line, size - 1);
    line[n > 0 ? n : 0] = 0;
    return n > 0;
}

/* The CRC values of a line "0xFRAME 0xCRC 0xCRC ...", without the frame number. */
static const char *values(const char *line)
{
    const char *space = strchr(line, ' ');
    return space ? space : line;
}

/* Skips a few frames, then reads FRAMES lines into crc (the last). False when they differ or do not come. */
static bool still_crc(int fd, char *crc, size_t size)
{
    char line[256], first[256] = "";

    for (int i = 0; i < 2 + FRAMES; i++) {
        if (!read_line(fd, line, sizeof(line)))
            return false;
        if (i == 2)
            snprintf(first, sizeof(first), "%s", values(line));
        if (i > 2 && strcmp(first, values(line)))
            return false;
    }
    snprintf(crc, size, "%s", values(line));
    return true;
}

/* Drops the lines of frames that are over. */
static void drain(int fd)
{
    char line[256];
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    while (poll(&pfd, 1, 0) > 0 && read(fd, line, sizeof(line)) > 0)
        ;
}

static int set_cursor(const struct gt_head *h, uint32_t handle)
{
    struct drm_mode_cursor c = {.flags = DRM_MODE_CURSOR_BO | DRM_MODE_CURSOR_MOVE,
                                .crtc_id = h->crtc,
                                .x = 100,
                                .y = 50,
                                .width = 64,
                                .height = 64,
                                .handle = handle};
    return gt_ioctl(DRM_IOCTL_MODE_CURSOR, &c);
}

int main(void)
{
    struct gt_head head;
    char before[256] = "", changed[256] = "", back[256] = "", cursor[256] = "";

    gt_open();
    if (!gt_check(gt_heads(&head, 1) == 1, "head", "a connected monitor"))
        return gt_done();
    struct gt_fb fb = gt_fb_new(head.mode.hdisplay, head.mode.vdisplay);
    for (uint32_t i = 0; i < fb.size / 4; i++)
        ((uint32_t *)fb.cpu)[i] = i * 2654435761u & 0xffffff;
    gt_check(!gt_set_mode(&head, &fb), "modeset", "%s", head.mode.name);

    int control = open_first("control", O_WRONLY), data;
    gt_check(control >= 0 && write(control, "auto", 4) == 4, "control", "%s", strerror(errno));
    data = open_first("data", O_RDONLY | O_NONBLOCK);
    if (!gt_check(data >= 0, "data", "%s", strerror(errno)))
        return gt_done();

    volatile uint32_t *pixel = (uint32_t *)(fb.cpu + (head.mode.vdisplay / 2) * fb.pitch) + head.mode.hdisplay / 2;
    uint32_t old = *pixel;
    gt_check(still_crc(data, before, sizeof(before)), "still", "%s", before);
    *pixel = old ^ 0x1;
    drain(data);
    gt_check(still_crc(data, changed, sizeof(changed)) && strcmp(before, changed), "one-pixel", "%s", changed);
    *pixel = old;
    drain(data);
    gt_check(still_crc(data, back, sizeof(back)) && !strcmp(before, back), "returned", "%s", back);

    struct gt_fb image = gt_fb_new(64, 64);
    memset(image.cpu, 0xff, image.size);
    int rc = set_cursor(&head, image.handle);
    drain(data);
    gt_check(!rc && still_crc(data, cursor, sizeof(cursor)) && strcmp(before, cursor), "cursor", "%s", cursor);
    rc = set_cursor(&head, 0);
    drain(data);
    gt_check(!rc && still_crc(data, back, sizeof(back)) && !strcmp(before, back), "cursor-gone", "%s", back);
    return gt_done();
}
