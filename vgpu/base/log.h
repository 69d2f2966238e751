/*
 * Logging. One sink a process (stderr unless told otherwise). Lines that a
 * guest can cause go through GT_GUEST_LOG with a rate limiter that belongs to
 * that guest's own state, so that no guest can make the log grow without bound.
 */
#ifndef GTMUX_BASE_LOG_H
#define GTMUX_BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum gt_log_level {
    GT_LOG_ERROR, /* we are broken, or cannot go on */
    GT_LOG_WARN,  /* something to look at */
    GT_LOG_GUEST, /* the guest did something odd (rate limited) */
    GT_LOG_INFO,  /* life cycle */
    GT_LOG_DEBUG, /* every step */
};

/* Lines above this level are dropped. Default GT_LOG_INFO. */
void gt_log_set_level(enum gt_log_level level);
enum gt_log_level gt_log_get_level(void);
/* Text put in front of each line (the guest's name); copied, at most 63 bytes. */
void gt_log_set_name(const char *name);
/* Prints one line; errno is kept. */
void gt_log(enum gt_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Token bucket: at most `burst` lines, refilled one every `refill_ns`. Zero-initialised = 20 lines, one a second. */
struct gt_ratelimit {
    uint32_t used, burst;
    uint64_t refill_ns, last_ns, suppressed;
};
/* True when a line may be printed now; counts what it suppresses. */
bool gt_ratelimit_ok(struct gt_ratelimit *rl);

#define GT_GUEST_LOG(rl, ...)                                                                                          \
    do {                                                                                                               \
        if (gt_ratelimit_ok(rl))                                                                                       \
            gt_log(GT_LOG_GUEST, __VA_ARGS__);                                                                         \
    } while (0)
#define gt_err(...)  gt_log(GT_LOG_ERROR, __VA_ARGS__)
#define gt_warn(...) gt_log(GT_LOG_WARN, __VA_ARGS__)
#define gt_info(...) gt_log(GT_LOG_INFO, __VA_ARGS__)
#define gt_debug(...)                                                                                                  \
    do {                                                                                                               \
        if (gt_log_get_level() >= GT_LOG_DEBUG)                                                                        \
            gt_log(GT_LOG_DEBUG, __VA_ARGS__);                                                                         \
    } while (0)

#endif
