/* Follows a monitor that the host unplugs and plugs in again, and then replaces by a larger and a smaller one without
 * unplugging it; each lights up. Prints WAIT-OFF, WAIT-ON and WAIT-MODE when it is the host's turn. */
#include <stdio.h>
#include <unistd.h>

#include "gt.h"

/* Waits for n connected heads, at most 15 s. The kernel polls nothing here: only a hotplug interrupt makes it look. */
static bool wait_heads(unsigned n)
{
    struct gt_head heads[3];

    for (int i = 0; i < 150; i++) {
        if (gt_heads(heads, 3) == n)
            return true;
        usleep(100000);
    }
    return false;
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

static void follow(uint32_t w, uint32_t h)
{
    struct gt_head head;

    printf("WAIT-MODE\n");
    if (!gt_check(wait_mode(&head, w, h), "new-mode", "%ux%u", w, h))
        return;
    struct gt_fb fb = gt_fb_new(w, h);

    gt_check(!gt_set_mode(&head, &fb), "lit", "%ux%u@%u", w, h, head.mode.vrefresh);
}

int main(void)
{
    gt_open();
    for (int round = 0; round < 2; round++) {
        printf("WAIT-OFF\n");
        gt_check(wait_heads(0), "unplugged", "round %d", round);
        printf("WAIT-ON\n");
        gt_check(wait_heads(1), "plugged", "round %d", round);
    }
    follow(2560, 1440);
    follow(800, 600);
    return gt_done();
}
