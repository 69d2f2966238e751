/* Follows a monitor that the host unplugs and plugs in again; prints WAIT-OFF and WAIT-ON when it is the host's turn.
 */
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

int main(void)
{
    gt_open();
    for (int round = 0; round < 2; round++) {
        printf("WAIT-OFF\n");
        gt_check(wait_heads(0), "unplugged", "round %d", round);
        printf("WAIT-ON\n");
        gt_check(wait_heads(1), "plugged", "round %d", round);
    }
    return gt_done();
}
