/*
 * Surfaces: what the display engine scans out, in units that outsiders (screenshots, CRC, exporters) can use.
 * Pixels are fetched through a reader, so this part knows neither the device nor guest memory.
 */
#ifndef GTMUX_VGPU_SURFACE_H
#define GTMUX_VGPU_SURFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vgpu_tiling { VGPU_LINEAR, VGPU_TILE_X, VGPU_TILE_Y, VGPU_TILE_YF };

enum vgpu_format {
    VGPU_FMT_NONE,
    VGPU_FMT_C8,
    VGPU_FMT_RGB565,
    VGPU_FMT_XRGB8888,
    VGPU_FMT_XBGR8888,
    VGPU_FMT_ARGB8888, /* premultiplied where alpha is in use */
    VGPU_FMT_ABGR8888,
    VGPU_FMT_XRGB2101010,
    VGPU_FMT_XBGR2101010,
    VGPU_FMT_XRGB16F,
    VGPU_FMT_XBGR16F,
    VGPU_FMT_YUYV,
    VGPU_FMT_UYVY,
    VGPU_FMT_YVYU,
    VGPU_FMT_VYUY,
    VGPU_FMT_NV12,
};

enum vgpu_plane_kind { VGPU_PLANE_PRIMARY, VGPU_PLANE_SPRITE, VGPU_PLANE_CURSOR };

struct vgpu_surface {
    enum vgpu_plane_kind kind;
    enum vgpu_format format;
    enum vgpu_tiling tiling;
    uint64_t ggtt;          /* byte address of the surface's first byte in the GGTT */
    uint32_t stride_bytes;  /* one row of pixels (linear) or of a tile's line (tiled) */
    uint32_t width, height; /* pixels shown, 1..8192; as they are shown, so after a rotation by 90 or 270 degrees */
    uint32_t src_x, src_y;  /* offset of the first pixel in the surface (rotated: in i915's rotated GTT view) */
    uint32_t dst_width, dst_height; /* size on the pipe when a plane scaler is in use, else 0 */
    int32_t dst_x, dst_y;           /* position on the pipe */
    uint8_t rotation;               /* 0, 90, 180, 270 degrees / 90, clockwise */
    bool alpha;                     /* blend with per-pixel alpha over what is below */
    bool alpha_straight;            /* colours are not premultiplied: the display engine multiplies */
    uint8_t fade;                   /* 255 - constant alpha of the plane: 0 = opaque */
    bool keyed;     /* colour key: pixels of the plane below that equal key (under key_mask) show this plane */
    bool src_keyed; /* colour key: pixels of this plane with all masked channels in key..key_max are not shown */
    uint32_t key, key_max, key_mask; /* XRGB8888 */
};

#define VGPU_WIDTH_MAX      8192u /* of a picture or a plane, and its height */
#define VGPU_SCANOUT_PLANES 5     /* 3 universal planes + cursor + spare, in z order */

struct vgpu_scanout {
    uint32_t width, height; /* picture, pixels */
    uint32_t mhz;           /* refresh, millihertz */
    uint64_t frame;         /* frame counter at the snapshot */
    uint32_t flip;          /* counts changes of planes, but for cursors: vgpu_flip_shown */
    uint64_t flip_ns;       /* when the last of them became live; 0: none yet */
    unsigned nplanes;
    struct vgpu_surface plane[VGPU_SCANOUT_PLANES]; /* bottom first */
    uint32_t bottom_color;                          /* XRGB8888 where no plane is */
    uint32_t palette[256];                          /* XRGB8888, for C8 */
};

/* Reads n bytes at a GGTT address. 0, or -EFAULT (the bytes are then 0). */
typedef int (*vgpu_reader)(void *opaque, uint64_t ggtt, void *dst, size_t n);

/* Bytes a pixel of the format takes (2 for packed YUV and RGB565, 1 for C8/NV12 luma), 0 for NONE. */
unsigned vgpu_format_cpp(enum vgpu_format f);
const char *vgpu_format_name(enum vgpu_format f);
const char *vgpu_tiling_name(enum vgpu_tiling t);
/* Byte offset of byte column xb of pixel row y in a surface of this tiling, stride (bytes) and bytes per pixel. */
uint64_t vgpu_tiled_offset(enum vgpu_tiling t, uint32_t stride_bytes, unsigned cpp, uint32_t xb, uint32_t y);
/* The same for pixel x, y of the rotated GTT view, in which the tiles of a Y or Yf surface are turned by 90 degrees
 * clockwise (i915 rotate_pages); stride_bytes is one tile width for each tile of a view row. */
uint64_t vgpu_rotated_offset(enum vgpu_tiling t, uint32_t stride_bytes, unsigned cpp, uint32_t x, uint32_t y);
/* Tile width in bytes and height in rows (linear: 64 and 1). */
void vgpu_tile_shape(enum vgpu_tiling t, unsigned cpp, uint32_t *width_bytes, uint32_t *height);
/* False when the surface cannot be fetched: zero sizes, stride 0 or > 256 KiB, arithmetic that leaves 4 GiB, ... */
bool vgpu_surface_valid(const struct vgpu_surface *s);
/* Composes picture row y (0..height-1) as XRGB8888 (X = 0) into row[0..width-1]: all planes in order, holes black.
 * scratch must hold VGPU_COMPOSE_SCRATCH bytes. Returns the number of planes that had unmapped pages. */
#define VGPU_COMPOSE_SCRATCH (8192u * 8u * 2u)
unsigned vgpu_compose_row(const struct vgpu_scanout *s, uint32_t y, vgpu_reader rd, void *opaque, uint32_t *row,
                          void *scratch);

#endif
