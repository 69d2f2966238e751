#include "gt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_OBJECTS 16

const char *const gt_engine_name[GT_ENGINES] = {"rcs0", "bcs0", "vcs0", "vecs0"};

static int card = -1;
static unsigned passed, failed;
static uint64_t next_addr = UINT64_C(0x123400000);

static void die(const char *what, int code)
{
    printf("FAIL %s: %s\n", what, strerror(-code));
    failed++;
    exit(gt_done());
}

double gt_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

int gt_ioctl(unsigned long request, void *arg)
{
    int rc;

    do {
        rc = ioctl(card, request, arg);
    } while (rc < 0 && (errno == EINTR || errno == EAGAIN));
    return rc < 0 ? -errno : 0;
}

static bool is_i915(int fd)
{
    char name[16] = "";
    struct drm_version version = {.name = name, .name_len = sizeof(name) - 1};

    return !ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, "i915");
}

int gt_open(void)
{
    char path[32];

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int tries = 0; tries < 50; tries++) {
        for (int n = 0; n < 4; n++) {
            snprintf(path, sizeof(path), "/dev/dri/card%d", n);
            card = open(path, O_RDWR | O_CLOEXEC);
            if (card >= 0 && is_i915(card))
                return card;
            if (card >= 0)
                close(card);
        }
        usleep(100000);
    }
    die("open the i915 card", -ENODEV);
    return -1;
}

bool gt_check(bool ok, const char *name, const char *fmt, ...)
{
    va_list ap;

    printf("%s %s", ok ? "ok" : "FAIL", name);
    if (fmt[0]) {
        printf(": ");
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
    }
    printf("\n");
    ok ? passed++ : failed++;
    return ok;
}

int gt_done(void)
{
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}

void *gt_bo_map(const struct gt_bo *bo, unsigned type)
{
    struct drm_i915_gem_mmap_offset arg = {.handle = bo->handle, .flags = type};
    if (gt_ioctl(DRM_IOCTL_I915_GEM_MMAP_OFFSET, &arg))
        return NULL;
    void *p = mmap(NULL, bo->size, PROT_READ | PROT_WRITE, MAP_SHARED, card, (off_t)arg.offset);
    return p == MAP_FAILED ? NULL : p;
}

struct gt_bo gt_bo_new(uint64_t size)
{
    struct drm_i915_gem_create create = {.size = (size + 4095) & ~UINT64_C(4095)};
    int rc = gt_ioctl(DRM_IOCTL_I915_GEM_CREATE, &create);
    if (rc)
        die("create an object", rc);
    struct gt_bo bo = {.handle = create.handle, .size = create.size, .addr = next_addr};
    next_addr += (create.size + 0x1fffff) & ~UINT64_C(0xfffff);
    bo.cpu = gt_bo_map(&bo, I915_MMAP_OFFSET_WC);
    if (!bo.cpu)
        die("map an object", -ENOMEM);
    return bo;
}

void gt_bo_free(struct gt_bo *bo)
{
    struct drm_gem_close arg = {.handle = bo->handle};

    munmap(bo->cpu, bo->size);
    gt_ioctl(DRM_IOCTL_GEM_CLOSE, &arg);
}

int gt_wait(const struct gt_bo *bo, double seconds)
{
    struct drm_i915_gem_wait arg = {.bo_handle = bo->handle, .timeout_ns = (int64_t)(seconds * 1e9)};
    return gt_ioctl(DRM_IOCTL_I915_GEM_WAIT, &arg);
}

bool gt_busy(const struct gt_bo *bo)
{
    struct drm_i915_gem_busy arg = {.handle = bo->handle};

    return !gt_ioctl(DRM_IOCTL_I915_GEM_BUSY, &arg) && arg.busy;
}

uint32_t gt_context_new(void)
{
    struct drm_i915_gem_context_create arg = {0};
    int rc = gt_ioctl(DRM_IOCTL_I915_GEM_CONTEXT_CREATE, &arg);

    if (rc)
        die("create a context", rc);
    return arg.ctx_id;
}

void gt_context_free(uint32_t ctx)
{
    struct drm_i915_gem_context_destroy arg = {.ctx_id = ctx};

    gt_ioctl(DRM_IOCTL_I915_GEM_CONTEXT_DESTROY, &arg);
}

int gt_exec(enum gt_engine e, uint32_t ctx, const struct gt_bo *batch, uint32_t start, const struct gt_bo *const *used,
            unsigned nused)
{
    static const uint64_t ring[GT_ENGINES] = {I915_EXEC_RENDER, I915_EXEC_BLT, I915_EXEC_BSD, I915_EXEC_VEBOX};
    struct drm_i915_gem_exec_object2 objects[MAX_OBJECTS] = {0};
    const uint64_t flags = EXEC_OBJECT_PINNED | EXEC_OBJECT_SUPPORTS_48B_ADDRESS;

    if (nused >= MAX_OBJECTS)
        return -E2BIG;
    for (unsigned i = 0; i < nused; i++) {
        objects[i] = (struct drm_i915_gem_exec_object2){
            .handle = used[i]->handle, .offset = used[i]->addr, .flags = flags | EXEC_OBJECT_WRITE};
    }
    objects[nused] = (struct drm_i915_gem_exec_object2){.handle = batch->handle, .offset = batch->addr, .flags = flags};
    struct drm_i915_gem_execbuffer2 arg = {
        .buffers_ptr = (uintptr_t)objects,
        .buffer_count = nused + 1,
        .batch_start_offset = start,
        .flags = ring[e] | I915_EXEC_NO_RELOC,
        .rsvd1 = ctx,
    };
    return gt_ioctl(DRM_IOCTL_I915_GEM_EXECBUFFER2, &arg);
}

uint32_t *gt_store(uint32_t *p, const struct gt_bo *bo, uint32_t offset, uint32_t value)
{
    uint64_t addr = bo->addr + offset;

    *p++ = MI_STORE_DATA_IMM;
    *p++ = (uint32_t)addr;
    *p++ = (uint32_t)(addr >> 32);
    *p++ = value;
    return p;
}

/* ---- KMS */

#define MAX_IDS 16

static bool connector_get(uint32_t id, struct gt_head *h)
{
    struct drm_mode_modeinfo modes[64];
    uint32_t encoders[MAX_IDS];
    struct drm_mode_get_connector c = {.connector_id = id};

    if (gt_ioctl(DRM_IOCTL_MODE_GETCONNECTOR, &c) || c.connection != 1)
        return false;
    c = (struct drm_mode_get_connector){
        .connector_id = id,
        .modes_ptr = (uintptr_t)modes,
        .count_modes = 64,
        .encoders_ptr = (uintptr_t)encoders,
        .count_encoders = MAX_IDS,
    };
    if (gt_ioctl(DRM_IOCTL_MODE_GETCONNECTOR, &c) || !c.count_modes || !c.count_encoders)
        return false;
    *h = (struct gt_head){.connector = id, .encoder = encoders[0], .mode = modes[0]};
    /* The kernel puts preferred modes first, and the largest of them before the others. */
    for (unsigned i = c.count_modes < 64 ? c.count_modes : 64; i-- > 0;) {
        if (modes[i].type & DRM_MODE_TYPE_PREFERRED)
            h->mode = modes[i];
    }
    return true;
}

unsigned gt_heads(struct gt_head *heads, unsigned max)
{
    uint32_t crtcs[MAX_IDS], connectors[MAX_IDS], encoders[MAX_IDS], fbs[MAX_IDS];
    struct drm_mode_card_res res = {
        .crtc_id_ptr = (uintptr_t)crtcs,
        .connector_id_ptr = (uintptr_t)connectors,
        .encoder_id_ptr = (uintptr_t)encoders,
        .fb_id_ptr = (uintptr_t)fbs,
        .count_crtcs = MAX_IDS,
        .count_connectors = MAX_IDS,
        .count_encoders = MAX_IDS,
        .count_fbs = MAX_IDS,
    };
    unsigned found = 0;

    if (gt_ioctl(DRM_IOCTL_MODE_GETRESOURCES, &res))
        return 0;
    for (unsigned i = 0; i < res.count_connectors && found < max && found < res.count_crtcs; i++) {
        if (!connector_get(connectors[i], &heads[found]))
            continue;
        heads[found].crtc = crtcs[found];
        heads[found].pipe = found;
        found++;
    }
    return found;
}

struct gt_fb gt_fb_new(uint32_t width, uint32_t height)
{
    struct drm_mode_create_dumb dumb = {.width = width, .height = height, .bpp = 32};
    int rc = gt_ioctl(DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
    if (rc)
        die("create a dumb buffer", rc);
    struct drm_mode_map_dumb map = {.handle = dumb.handle};
    if ((rc = gt_ioctl(DRM_IOCTL_MODE_MAP_DUMB, &map)))
        die("map a dumb buffer", rc);
    struct drm_mode_fb_cmd2 fb = {
        .width = width,
        .height = height,
        .pixel_format = DRM_FORMAT_XRGB8888,
        .handles = {dumb.handle},
        .pitches = {dumb.pitch},
    };
    if ((rc = gt_ioctl(DRM_IOCTL_MODE_ADDFB2, &fb)))
        die("add a framebuffer", rc);
    void *p = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, card, (off_t)map.offset);
    if (p == MAP_FAILED)
        die("mmap a dumb buffer", -errno);
    return (struct gt_fb){.handle = dumb.handle,
                          .fb = fb.fb_id,
                          .pitch = dumb.pitch,
                          .width = width,
                          .height = height,
                          .size = dumb.size,
                          .cpu = p};
}

int gt_set_mode(const struct gt_head *h, const struct gt_fb *fb)
{
    struct drm_mode_crtc arg = {
        .crtc_id = h->crtc,
        .fb_id = fb->fb,
        .set_connectors_ptr = (uintptr_t)&h->connector,
        .count_connectors = 1,
        .mode = h->mode,
        .mode_valid = 1,
    };
    return gt_ioctl(DRM_IOCTL_MODE_SETCRTC, &arg);
}

int gt_flip(const struct gt_head *h, const struct gt_fb *fb, uint64_t user_data)
{
    struct drm_mode_crtc_page_flip arg = {
        .crtc_id = h->crtc, .fb_id = fb->fb, .flags = DRM_MODE_PAGE_FLIP_EVENT, .user_data = user_data};
    return gt_ioctl(DRM_IOCTL_MODE_PAGE_FLIP, &arg);
}
