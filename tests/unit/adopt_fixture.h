/*
 * A device and its guest's memory in memory that survives the process that runs them: what tests of adoption share.
 * `world` is mapped MAP_SHARED; a process makes a struct guest (guestmem.h) on it, with the device in it.
 */
#ifndef GTMUX_TESTS_ADOPT_FIXTURE_H
#define GTMUX_TESTS_ADOPT_FIXTURE_H

#include "guestmem.h"

#include <sys/mman.h>

struct world {
    uint8_t *state, *gtt, *ram; /* vgpu_state_size(), VGPU_GTT_SIZE, GM_RAM bytes */
};

static inline uint8_t *world_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_true(p != MAP_FAILED);
    return p;
}

static inline struct world world_new(void)
{
    return (struct world){world_map(vgpu_state_size()), world_map(VGPU_GTT_SIZE), world_map(GM_RAM)};
}

static inline void world_free(struct world *w)
{
    munmap(w->state, vgpu_state_size());
    munmap(w->gtt, VGPU_GTT_SIZE);
    munmap(w->ram, GM_RAM);
}

/* The guest on a world, without a device. */
static inline struct guest *world_guest(const struct world *w)
{
    struct guest *g = calloc(1, sizeof(*g));

    assert_non_null(g);
    g->ram = w->ram;
    g->next = GM_PAGE;
    g->use_pages = true;
    g->ops = (struct vgpu_ops){.mem_read = gm_read,
                               .mem_write = gm_write,
                               .mem_cas = gm_cas,
                               .mem_page = gm_page,
                               .now_ns = gm_now,
                               .irq = gm_irq,
                               .kick = gm_kick,
                               .quiesce = gm_quiesce,
                               .payload = gm_payload,
                               .lock = gm_lock,
                               .unlock = gm_unlock};
    return g;
}

static inline struct vgpu_config world_config(struct guest *g, const struct world *w)
{
    struct vgpu_config cfg;

    vgpu_config_default(&cfg);
    cfg.ops = &g->ops;
    cfg.host = g;
    cfg.gtt = w->gtt;
    cfg.state = w->state;
    return cfg;
}

static inline void world_create(struct guest *g, const struct world *w)
{
    struct vgpu_config cfg = world_config(g, w);
    char err[256] = "";

    if (vgpu_create(&g->v, &cfg, err, sizeof(err)))
        fail_msg("%s", err);
    gt_log_set_level(GT_LOG_ERROR);
}

/* A malloc'ed copy of a state area. */
static inline void *world_copy_state(const struct world *w)
{
    void *copy = malloc(vgpu_state_size());

    assert_non_null(copy);
    return memcpy(copy, w->state, vgpu_state_size());
}

#endif
