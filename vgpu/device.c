/* The device's life cycle: build, reset, take apart, count, hash. */
#include "vgpu/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct vgpu_mode default_mode = {.width = 1024, .height = 768, .mhz = 60000};

/* Smaller than usual framebuffers (1024x768 takes 3 MiB), so that i915's console does not go through the trapped
 * aperture, and larger than the 1 MiB views through which it serves user space's GTT maps. */
#define DEFAULT_MAPPABLE_MB 2u

void vgpu_config_default(struct vgpu_config *cfg)
{
    *cfg = (struct vgpu_config){.pvinfo = true, .mappable_mb = DEFAULT_MAPPABLE_MB, .heads = 1};
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        cfg->modes[i] = default_mode;
}

static bool ops_ok(const struct vgpu_ops *ops)
{
    return ops && ops->mem_read && ops->mem_write && ops->mem_cas && ops->now_ns && ops->irq && ops->kick;
}

/* Heads that start unplugged may leave their mode unset. */
static bool mode_unset(const struct vgpu_mode *m)
{
    return !m->width && !m->height && !m->mhz;
}

static int config_check(const struct vgpu_config *cfg, char *err, unsigned errsz)
{
    if (!ops_ok(cfg->ops)) {
        snprintf(err, errsz, "incomplete vgpu_ops");
        return -EINVAL;
    }
    if (cfg->heads > VGPU_HEADS) {
        snprintf(err, errsz, "%u heads, at most %d", cfg->heads, VGPU_HEADS);
        return -EINVAL;
    }
    if (cfg->mappable_mb > VGPU_BAR2_SIZE >> 20) {
        snprintf(err, errsz, "mappable aperture of %" PRIu32 " MiB, at most %u", cfg->mappable_mb,
                 VGPU_BAR2_SIZE >> 20);
        return -EINVAL;
    }
    for (unsigned i = 0; i < VGPU_HEADS; i++) {
        const struct vgpu_mode *m = &cfg->modes[i];

        if (vgpu_mode_ok(m) || (i >= cfg->heads && mode_unset(m)))
            continue;
        snprintf(err, errsz,
                 "head %u: this GPU cannot drive %ux%u at %" PRIu32
                 " mHz: give 64x64 to 4096x2304 with a pixel clock of 25 to 675 MHz",
                 i, m->width, m->height, m->mhz);
        return -EINVAL;
    }
    return 0;
}

size_t vgpu_state_size(void)
{
    return VGPU_STATE_REGS + VGPU_MMIO_SIZE;
}

/* The state area, with the device at its start. */
static struct vgpu *alloc_state(const struct vgpu_config *cfg)
{
    struct vgpu *v = cfg->state ? cfg->state : calloc(1, vgpu_state_size());

    if (!v)
        return NULL;
    v->own_state = !cfg->state;
    v->regs = (uint32_t *)(void *)((uint8_t *)v + VGPU_STATE_REGS);
    return v;
}

static int alloc_storage(struct vgpu *v, char *err, unsigned errsz)
{
    v->gtt = v->cfg.gtt;
    if (!v->gtt) {
        v->gtt = calloc(1, VGPU_GTT_SIZE);
        v->own_gtt = true;
    }
    if (v->gtt && !vgpu_regs_init(v))
        return 0;
    snprintf(err, errsz, "out of memory");
    return -ENOMEM;
}

/* Registers first: the parts' own state is derived from them. */
static void power_on(struct vgpu *v)
{
    vgpu_regs_reset(v);
    vgpu_pci_reset(v);
    v->io_index = 0;
    vgpu_irq_reset(v);
    vgpu_power_reset(v);
    vgpu_fence_reset(v);
    vgpu_pvinfo_reset(v);
    vgpu_display_reset(v);
}

int vgpu_build(struct vgpu **out, const struct vgpu_config *cfg, char *err, unsigned errsz)
{
    struct vgpu *v;
    int rc;

    *out = NULL;
    rc = config_check(cfg, err, errsz);
    if (rc)
        return rc;
    if (reg_init(err, errsz) || cmd_init(err, errsz))
        return -EINVAL;
    v = alloc_state(cfg);
    if (!v) {
        snprintf(err, errsz, "out of memory");
        return -ENOMEM;
    }
    v->ops = cfg->ops;
    v->host = cfg->host;
    v->cfg = *cfg;
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        if (mode_unset(&v->cfg.modes[i]))
            v->cfg.modes[i] = default_mode;
    rc = alloc_storage(v, err, errsz);
    if (rc) {
        vgpu_destroy(v);
        return rc;
    }
    vgpu_engine_init(v);
    vgpu_display_init(v);
    power_on(v);
    *out = v;
    return 0;
}

int vgpu_create(struct vgpu **out, const struct vgpu_config *cfg, char *err, unsigned errsz)
{
    int rc = vgpu_build(out, cfg, err, errsz);

    if (!rc)
        vgpu_state_complete(*out);
    return rc;
}

static void log_unknown(const struct vgpu *v)
{
    for (unsigned i = 0; i < VGPU_UNKNOWN_ROWS; i++)
        if (v->unknown[i].count)
            gt_debug("unknown register 0x%" PRIx32 ": %" PRIu64 " accesses", v->unknown[i].off, v->unknown[i].count);
}

void vgpu_destroy(struct vgpu *v)
{
    if (!v)
        return;
    log_unknown(v);
    if (v->own_gtt)
        free(v->gtt);
    free(v->gt_regs);
    v->id.magic = 0; /* nobody is to continue it */
    if (v->own_state)
        free(v);
}

/* Looks first, for private memory that was never written takes no room, and a look does not change that. */
static void gtt_clear(struct vgpu *v)
{
    enum { CHUNK = 4096 };
    static const uint8_t zero[CHUNK];

    if (!v->own_gtt && v->ops->gtt_clear && v->ops->gtt_clear(v->host))
        return;
    for (uint8_t *p = (uint8_t *)v->gtt, *end = p + VGPU_GTT_SIZE; p < end; p += CHUNK)
        if (memcmp(p, zero, CHUNK) != 0)
            memset(p, 0, CHUNK);
}

void vgpu_reset(struct vgpu *v)
{
    v->resetting = true;
    vgpu_order();
    vgpu_engine_reset_all(v);
    gtt_clear(v);
    power_on(v);
    vgpu_order();
    v->resetting = false;
    if (gt_ratelimit_ok(&v->log_rl)) /* a guest can ask for resets as often as it likes */
        gt_info("device reset");
}

void vgpu_get_stats(struct vgpu *v, struct vgpu_stats *out)
{
    *out = v->stats;
}

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  UINT64_C(0x100000001b3)

/* FNV-1a over whole words; the shift folds the well-mixed high half back into the low bits. */
static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * FNV_PRIME;
    return hash ^ hash >> 32;
}

uint64_t vgpu_state_hash(struct vgpu *v)
{
    unsigned count;
    const struct reg_ref *refs = reg_all(&count);
    uint64_t hash = FNV_OFFSET;

    for (unsigned i = 0; i < count; i++)
        if (!vgpu_reg_is_live(refs[i].row))
            hash = hash_word(hash, v->regs[refs[i].off / 4]);
    for (unsigned i = 0; i < VGPU_CFG_SIZE; i++)
        hash = hash_word(hash, v->pci[i]);
    for (uint32_t page = 0; page < VGPU_GTT_SIZE / 8; page++)
        hash = hash_word(hash, vgpu_ggtt_pte(v, page));
    return hash;
}
