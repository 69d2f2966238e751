/* Follows a monitor that the host unplugs and plugs in again, and then replaces by a larger and a smaller one without
 * unplugging it; each lights up. Unplugged with its picture on, it is trained anew when it comes back. Prints WAIT-OFF,
 * WAIT-ON and WAIT-MODE when it is the host's turn. */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gt.h"

/* Connectors that the kernel takes for connected. Reading this makes it look at none of them. */
static unsigned connected(void)
{
    glob_t found = {0};
    unsigned n = 0;

    glob("/sys/class/drm/card*-*/status", 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char text[16] = "";
        int fd = open(found.gl_pathv[i], O_RDONLY);

        if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
            n += !strcmp(text, "connected\n");
        if (fd >= 0)
            close(fd);
    }
    globfree(&found);
    return n;
}

/* Waits for n connected heads, at most 15 s. The kernel polls nothing here: only a hotplug interrupt makes it look. */
static bool wait_heads(unsigned n)
{
    for (int i = 0; i < 150 && connected() != n; i++)
        usleep(100000);
    return connected() == n;
}

/* The monitor's preferred mode, once it is w x h. */
static bool wait_mode(struct gt_head *head, uint32_t w, uint32_t h)
{
    for (int i = 0; i < 150; i++) {
        if (gt_heads(head, 1) == 1 && head->mode.hdisplay == w && head->mode.vdisplay == h)
            return true;
        usleep(100000);
    }
    return false;
}

/* What the monitor of the first connector says of its link: DPCD LANE_COUNT_SET and LANE0_1_STATUS.., read over AUX. */
static bool link_is_up(void)
{
    uint8_t lanes = 0, status[3] = {0};
    int fd = open("/dev/drm_dp_aux0", O_RDONLY);
    bool read = fd >= 0 && pread(fd, &lanes, 1, 0x101) == 1 && pread(fd, status, 3, 0x202) == 3;
    unsigned up = 0;

    if (fd >= 0)
        close(fd);
    for (unsigned lane = 0; lane < (lanes & 0x1f) && lane < 4; lane++)
        up += (status[lane / 2] >> (lane % 2 * 4) & 7) == 7;
    return read && up && up == (lanes & 0x1f) && (status[2] & 1);
}

static bool wait_link(void)
{
    for (int i = 0; i < 100 && !link_is_up(); i++)
        usleep(100000);
    return link_is_up();
}

static void plug(int round)
{
    printf("WAIT-OFF\n");
    gt_check(wait_heads(0), "unplugged", "round %d", round);
    printf("WAIT-ON\n");
    gt_check(wait_heads(1), "plugged", "round %d", round);
}

static void follow(uint32_t w, uint32_t h)
{
    struct gt_head head;

    printf("WAIT-MODE\n");
    if (!gt_check(wait_mode(&head, w, h), "new-mode", "%ux%u", w, h))
        return;
    struct gt_fb fb = gt_fb_new(w, h);

    gt_check(!gt_set_mode(&head, &fb), "lit", "%ux%u@%u", w, h, head.mode.vrefresh);
    gt_check(link_is_up(), "link", "%ux%u", w, h);
}

int main(void)
{
    gt_open();
    for (int round = 0; round < 2; round++)
        plug(round);
    follow(2560, 1440);
    follow(1600, 900);
    plug(2);
    gt_check(wait_link(), "link-again", "with the picture on");
    return gt_done();
}
