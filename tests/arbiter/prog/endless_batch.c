/* A program on gtmux exec whose GPU work never ends: a batch that stores a word and jumps to its own beginning. Exits 0
 * when the driver says that it was stopped. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libdrm/i915_drm.h>

#define MI_STORE_DWORD_IMM    ((0x20u << 23) | 2) /* i915 intel_gpu_commands.h */
#define MI_BATCH_BUFFER_START ((0x31u << 23) | 1 << 8 | 1)
#define ADDRESS               UINT64_C(0x200000)

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(void)
{
    int fd = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
    struct drm_i915_gem_create create = {.size = 4096};
    struct drm_i915_gem_context_create context = {0};

    if (fd < 0 || ioctl(fd, DRM_IOCTL_I915_GEM_CREATE, &create) ||
        ioctl(fd, DRM_IOCTL_I915_GEM_CONTEXT_CREATE, &context))
        return fail("open");
    const uint32_t batch[] = {MI_STORE_DWORD_IMM,    (uint32_t)ADDRESS + 2048, 0, 1,
                              MI_BATCH_BUFFER_START, (uint32_t)ADDRESS,        0, 0};
    struct drm_i915_gem_pwrite write = {.handle = create.handle, .size = sizeof(batch), .data_ptr = (uintptr_t)batch};

    if (ioctl(fd, DRM_IOCTL_I915_GEM_PWRITE, &write))
        return fail("pwrite");
    struct drm_i915_gem_exec_object2 object = {
        .handle = create.handle, .offset = ADDRESS, .flags = EXEC_OBJECT_PINNED | EXEC_OBJECT_WRITE};
    struct drm_i915_gem_execbuffer2 exec = {.buffers_ptr = (uintptr_t)&object,
                                            .buffer_count = 1,
                                            .batch_len = sizeof(batch),
                                            .flags = I915_EXEC_RENDER,
                                            .rsvd1 = context.ctx_id};
    struct drm_i915_gem_wait wait = {.bo_handle = create.handle, .timeout_ns = INT64_C(20000000000)};
    struct drm_i915_reset_stats resets = {.ctx_id = context.ctx_id};

    if (ioctl(fd, DRM_IOCTL_I915_GEM_EXECBUFFER2, &exec))
        return fail("execbuffer2");
    if (ioctl(fd, DRM_IOCTL_I915_GEM_WAIT, &wait) || ioctl(fd, DRM_IOCTL_I915_GET_RESET_STATS, &resets))
        return fail("wait");
    printf("stopped: %u resets\n", resets.batch_active);
    return resets.batch_active ? 0 : 1;
}
