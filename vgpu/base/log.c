#include "vgpu/base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "vgpu/base/clock.h"

static _Atomic int log_level = GT_LOG_INFO;
static char log_name[64];

void gt_log_set_level(enum gt_log_level level)
{
    log_level = level;
}

enum gt_log_level gt_log_get_level(void)
{
    return (enum gt_log_level)log_level;
}

void gt_log_set_name(const char *name)
{
    snprintf(log_name, sizeof(log_name), "%s", name ? name : "");
}

void gt_log(enum gt_log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"error", "warning", "guest", "info", "debug"};
    char line[512];
    int saved = errno;
    va_list ap;

    if (level > gt_log_get_level())
        return;
    int n = snprintf(line, sizeof(line), "gtmux%s%s: %s: ", log_name[0] ? "/" : "", log_name, names[level]);
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    /* One call a line, so that lines of several threads do not mix. */
    fprintf(stderr, "%s\n", line);
    errno = saved;
}

bool gt_ratelimit_ok(struct gt_ratelimit *rl)
{
    uint64_t now = gt_clock_ns();
    uint32_t burst = rl->burst ? rl->burst : 20;
    uint64_t refill = rl->refill_ns ? rl->refill_ns : 1000000000u;
    uint64_t back = (now - rl->last_ns) / refill;

    if (back) {
        rl->used = back >= rl->used ? 0 : rl->used - (uint32_t)back;
        rl->last_ns = now;
    }
    if (rl->used >= burst) {
        rl->suppressed++;
        return false;
    }
    rl->used++;
    return true;
}
