/*
 * Preloaded into IGT's benchmarks, which measure but never look at their pixels. GT_WATCH says what to do:
 *
 *   copy    gem_blt, whose batches copy an object. Before the first batch of each process the source gets a pattern and
 *           the destination another; at the end the destination is compared with the CPU's copy of the source.
 *   upload  intel_upload_blit_*, which fill a new source with ascending numbers each round. Every 50th round the
 *           destination is compared with the source, and the source with the numbers. GT_WATCH_ROUNDS: ends the program
 *           after so many rounds.
 *   lut     gem_busy: makes relocation targets indexes where I915_EXEC_HANDLE_LUT asks for them; `show` only tells.
 *
 * GT_WATCH_BYTES: how much is copied.
 */
#include <errno.h>
#include <i915_drm.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BEFORE      0x5a5a5a5au
#define CHECK_EVERY 50u
#define PAGE        4096u

static pid_t filled_by; /* copy: the process whose result is to be compared, 0 when it has been */
static int drm_fd = -1;
static uint32_t dst_handle;
static unsigned rounds; /* upload */

static bool mode_is(const char *mode)
{
    const char *is = getenv("GT_WATCH");

    return is && !strcmp(is, mode);
}

static uint64_t number(const char *variable)
{
    const char *text = getenv(variable);

    return text ? strtoull(text, NULL, 0) : 0;
}

static long raw_ioctl(int fd, unsigned long request, void *arg)
{
    return syscall(SYS_ioctl, fd, request, arg);
}

static void object_write(int fd, uint32_t handle, const uint32_t *data, uint64_t size)
{
    struct drm_i915_gem_pwrite a = {.handle = handle, .size = size, .data_ptr = (uintptr_t)data};

    if (raw_ioctl(fd, DRM_IOCTL_I915_GEM_PWRITE, &a))
        dprintf(2, "watch: writing object %u: %s\n", handle, strerror(errno));
}

/* Waits for the GPU. The caller frees. */
static uint32_t *object_read(int fd, uint32_t handle, uint64_t size)
{
    uint32_t *data = calloc(1, size);
    struct drm_i915_gem_pread a = {.handle = handle, .size = size, .data_ptr = (uintptr_t)data};

    if (!data)
        abort();
    if (raw_ioctl(fd, DRM_IOCTL_I915_GEM_PREAD, &a))
        dprintf(2, "watch: reading object %u: %s\n", handle, strerror(errno));
    return data;
}

static const struct drm_i915_gem_exec_object2 *objects(const struct drm_i915_gem_execbuffer2 *eb)
{
    return (const void *)(uintptr_t)eb->buffers_ptr;
}

/* ---- copy */

static uint32_t pattern(uint64_t i)
{
    return (uint32_t)i * 2654435761u ^ 0x1d872b41u;
}

/* gem_blt rounds its objects up to pages. */
static uint64_t copy_size(void)
{
    return (number("GT_WATCH_BYTES") + PAGE - 1) / PAGE * PAGE;
}

/* gem_blt submits (source, destination, batch). Its children copy on their own, so each starts afresh. */
static void copy_begin(int fd, const struct drm_i915_gem_execbuffer2 *eb)
{
    uint64_t size = copy_size();

    if (filled_by == getpid() || eb->buffer_count != 3)
        return;
    uint32_t *data = malloc(size);

    if (!data)
        abort();
    filled_by = getpid();
    drm_fd = fd;
    dst_handle = objects(eb)[1].handle;
    for (uint64_t i = 0; i < size / 4; i++)
        data[i] = pattern(i);
    object_write(fd, objects(eb)[0].handle, data, size);
    for (uint64_t i = 0; i < size / 4; i++)
        data[i] = BEFORE;
    object_write(fd, dst_handle, data, size);
    free(data);
}

static void copy_end(void)
{
    uint64_t copied = number("GT_WATCH_BYTES") / 4, bad = 0, beyond = 0;
    uint32_t *data = object_read(drm_fd, dst_handle, copy_size());

    filled_by = 0;
    for (uint64_t i = 0; i < copy_size() / 4; i++) {
        bad += i < copied && data[i] != pattern(i);
        beyond += i >= copied && data[i] != BEFORE;
    }
    dprintf(2, "watch: %llu pixels wrong of %llu, %llu changed beyond\n", (unsigned long long)bad,
            (unsigned long long)copied, (unsigned long long)beyond);
    free(data);
}

/* ---- upload */

/* (destination, source, batch) have just been submitted. */
static void upload_check(int fd, const struct drm_i915_gem_execbuffer2 *eb)
{
    uint64_t size = number("GT_WATCH_BYTES"), last = number("GT_WATCH_ROUNDS"), bad = 0, upset = 0;

    if (eb->buffer_count != 3 || (++rounds % CHECK_EVERY && rounds != last))
        return;
    uint32_t *dst = object_read(fd, objects(eb)[0].handle, size);
    uint32_t *src = object_read(fd, objects(eb)[1].handle, size);

    for (uint64_t i = 0; i < size / 4; i++) {
        bad += dst[i] != src[i];
        upset += src[i] != src[0] + (uint32_t)i;
    }
    dprintf(2, "watch: round %u: %llu pixels wrong of %llu, %llu out of sequence\n", rounds, (unsigned long long)bad,
            (unsigned long long)size / 4, (unsigned long long)upset);
    free(dst);
    free(src);
    if (rounds == last)
        _exit(0);
}

/* ---- lut */

static uint32_t index_of(const struct drm_i915_gem_execbuffer2 *eb, uint32_t handle)
{
    uint32_t i = 0;

    while (i < eb->buffer_count && objects(eb)[i].handle != handle)
        i++;
    return i;
}

/* The program submits its table of relocations again and again: once corrected, it is to stay as it is. */
static void check_targets(const struct drm_i915_gem_execbuffer2 *eb, const struct drm_i915_gem_exec_object2 *obj)
{
    struct drm_i915_gem_relocation_entry *r = (void *)(uintptr_t)obj->relocs_ptr;
    bool wrong = false;

    for (uint32_t n = 0; n < obj->relocation_count; n++) {
        if (r[n].target_handle < eb->buffer_count)
            continue;
        wrong = true;
        dprintf(2, "watch: I915_EXEC_HANDLE_LUT with %u objects, but a relocation's target is %u\n", eb->buffer_count,
                r[n].target_handle);
    }
    for (uint32_t n = 0; wrong && mode_is("lut") && n < obj->relocation_count; n++)
        r[n].target_handle = index_of(eb, r[n].target_handle);
}

static void check_all_targets(const struct drm_i915_gem_execbuffer2 *eb)
{
    if (!(eb->flags & I915_EXEC_HANDLE_LUT))
        return;
    for (uint32_t i = 0; i < eb->buffer_count; i++)
        check_targets(eb, &objects(eb)[i]);
}

/* ---- the C library's functions that libdrm and the benchmarks call */

int ioctl(int fd, unsigned long request, ...)
{
    bool exec = request == DRM_IOCTL_I915_GEM_EXECBUFFER2 || request == DRM_IOCTL_I915_GEM_EXECBUFFER2_WR;
    va_list args;

    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (exec && mode_is("copy"))
        copy_begin(fd, arg);
    else if (exec && (mode_is("lut") || mode_is("show")))
        check_all_targets(arg);
    int ret = (int)raw_ioctl(fd, request, arg);

    if (exec && !ret && mode_is("upload"))
        upload_check(fd, arg);
    return ret;
}

int close(int fd)
{
    if (fd == drm_fd && filled_by == getpid())
        copy_end();
    return (int)syscall(SYS_close, fd);
}

/* gem_blt's children end without closing anything. */
__attribute__((destructor)) static void at_end(void)
{
    if (filled_by == getpid())
        copy_end();
}
