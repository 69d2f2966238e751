#include "display/wayland_size.h"

#include "vgpu/base/bits.h"

#define SETTLE_NS UINT64_C(250000000) /* for so long a size must be wanted */

struct size size_fit(struct size picture, struct size room)
{
    struct size s = room;

    if ((uint64_t)room.width * picture.height > (uint64_t)room.height * picture.width)
        s.width = (uint32_t)((uint64_t)room.height * picture.width / picture.height);
    else
        s.height = (uint32_t)((uint64_t)room.width * picture.height / picture.width);
    return (struct size){GT_MAX(s.width, 1u), GT_MAX(s.height, 1u)};
}

uint32_t size_pixel(int32_t at, uint32_t window, uint32_t pixels)
{
    if (at < 0 || !window || !pixels)
        return 0;
    return (uint32_t)GT_MIN((uint64_t)at * pixels / (UINT64_C(256) * window), (uint64_t)pixels - 1);
}

static uint32_t clamp(uint32_t v, uint32_t min, uint32_t max)
{
    return v < min ? min : v > max ? max : v;
}

void resize_want(struct resize *r, const struct resize_limits *l, struct size want, uint64_t now)
{
    r->want =
        (struct size){clamp(want.width, l->min_side, l->max_width), clamp(want.height, l->min_side, l->max_height)};
    r->at = now + SETTLE_NS;
}

bool resize_due(struct resize *r, struct size have, uint64_t now, struct size *ask)
{
    if (!r->at || now < r->at)
        return false;
    r->at = 0;
    /* A guest that went elsewhere by itself since then may be asked again. */
    if (r->asked.width == have.width && r->asked.height == have.height)
        r->asked = (struct size){0, 0};
    if ((r->want.width == have.width && r->want.height == have.height) ||
        (r->want.width == r->asked.width && r->want.height == r->asked.height))
        return false;
    *ask = r->asked = r->want;
    return true;
}
