#include "vgpu/exec.h"

#include <errno.h>

#include "vgpu/device.h"

int vgpu_exec_read(struct vgpu_exec *x, uint64_t addr, void *dst, size_t n)
{
    return vgpu_as_read(x->as, addr, dst, n);
}

int vgpu_exec_write(struct vgpu_exec *x, uint64_t addr, const void *src, size_t n)
{
    return vgpu_as_write(x->as, addr, src, n);
}

uint8_t *vgpu_exec_ptr(struct vgpu_exec *x, uint64_t addr, bool write)
{
    return vgpu_as_ptr(x->as, addr, write);
}

static unsigned attention(const struct vgpu_exec *x)
{
    return atomic_load_explicit(&x->v->engine[x->engine].attention, memory_order_acquire);
}

bool vgpu_exec_stop(const struct vgpu_exec *x)
{
    return attention(x) & (ATTN_ABORT | ATTN_LEAVE | ATTN_HANG);
}

bool vgpu_exec_abandoned(const struct vgpu_exec *x)
{
    return attention(x) & (ATTN_ABORT | ATTN_HANG);
}

uint32_t *vgpu_exec_scratch(struct vgpu_exec *x)
{
    return x->v->engine[x->engine].scratch;
}

void *vgpu_exec_state(struct vgpu_exec *x, bool *fresh)
{
    struct vgpu_backend_state *s = &x->v->engine[x->engine].backend;

    if (!s->loaded)
        context_load_backend(&x->v->engine[x->engine]);
    *fresh = s->fresh;
    s->fresh = false;
    return s->bytes;
}

void vgpu_exec_state_changed(struct vgpu_exec *x)
{
    x->v->engine[x->engine].backend.dirty = true;
}

uint64_t vgpu_exec_position(const struct vgpu_exec *x)
{
    return cs_at(&x->v->engine[x->engine]);
}

unsigned vgpu_exec_engine(const struct vgpu_exec *x)
{
    return x->engine;
}

static enum vgpu_origin origin(const struct vgpu_exec *x)
{
    return x->user ? vgpu_from_user(x->engine) : VGPU_FROM_CS;
}

uint32_t vgpu_exec_reg_read(struct vgpu_exec *x, uint32_t off)
{
    vgpu_lock(x->v);
    uint32_t val = vgpu_reg_read(x->v, off, origin(x));

    vgpu_unlock(x->v);
    return val;
}

void vgpu_exec_reg_write(struct vgpu_exec *x, uint32_t off, uint32_t val)
{
    vgpu_lock(x->v);
    vgpu_reg_write(x->v, off, val, origin(x));
    vgpu_unlock(x->v);
}
