/* Between the files of the Wayland sink. */
#ifndef GTMUX_DISPLAY_WAYLAND_INTERNAL_H
#define GTMUX_DISPLAY_WAYLAND_INTERNAL_H

#include <wayland-client.h>
#include <wayland-cursor.h>

#include <linux-dmabuf-client-protocol.h>
#include <viewporter-client-protocol.h>
#include <xdg-decoration-client-protocol.h>
#include <xdg-shell-client-protocol.h>

#include "display/damage.h"
#include "display/wayland.h"
#include "display/wayland_size.h"

#define NS_PER_S    UINT64_C(1000000000)
#define POOL        3u    /* pictures of our own: one shown, one being read, one to write to */
#define SIDE_MAX    8192u /* a larger picture is dark */
#define FORMATS_MAX 4096u /* pairs of format and modifier that are remembered */
#define SHM_FORMATS 64u
#define CURSOR_SIDE 256u

/* Something that the compositor may read. */
struct wbuffer {
    struct wayland *w;
    struct wl_list link;                       /* of w->buffers, unless it is of the pool */
    struct wl_buffer *buffer;                  /* NULL: not made yet */
    bool busy;                                 /* the compositor reads it */
    struct viewer_frame *frame;                /* whose memory it is; NULL: ours, or the frame has gone */
    struct zwp_linux_buffer_params_v1 *params; /* an import that is under way */
    bool refused;                              /* the import failed */
    bool own;                                  /* of the pool, with: */
    uint8_t *map;
    size_t bytes;
    struct size size;
    uint32_t stride;
    uint32_t first, end; /* rows that are not as the frame's; end 0: none */
    uint32_t x, y;       /* of the frame, where the buffer starts: passed frames */
};

struct wformat {
    uint32_t fourcc;
    uint64_t modifier;
};

/* The guest's cursor: over the picture, where the guest has it, or - while this pointer is the guest's - in the place
 * of the pointer. */
struct wcursor {
    struct wl_surface *over;
    struct wl_subsurface *sub;
    struct wp_viewport *viewport;
    struct wl_surface *instead;
    struct wl_buffer *buffer; /* NULL: the guest has none */
    struct size size;
    int32_t x, y;                  /* of its first pixel, relative to the picture's */
    uint64_t sum;                  /* of its pixels */
    struct wl_cursor_theme *theme; /* for a pointer that is not the guest's */
    struct wl_cursor *arrow;
    int32_t hot_x, hot_y; /* of the guest's: its own pixel that points */
    uint64_t settle_at;   /* when it has followed the pointer for sure; 0: it is still */
};

struct wpointer {
    struct wl_seat *seat;
    struct wl_pointer *pointer;
    struct wl_keyboard *keyboard;
    uint32_t seat_name, enter_serial;
    bool inside;
    uint32_t x, y;                                  /* pixel of the picture */
    uint32_t buttons;                               /* that are down, a bit each */
    int32_t scroll[2];                              /* way of each axis that has not become clicks, 24.8 fixed point */
    int32_t clicks[2];                              /* of the events of this frame */
    bool has_clicks[2];                             /* the wheel counts them itself */
    uint8_t repeat_code;                            /* QEMU's number of the key that repeats; 0: none */
    uint64_t repeat_at, repeat_delay, repeat_every; /* ns; repeat_every 0: keys do not repeat */
};

struct wayland {
    struct sink base;
    struct wayland_options opt;
    struct sink_events events;
    void *ctx;

    struct wl_display *display;
    struct wl_registry *registry;
    struct wl_compositor *compositor;
    struct wl_subcompositor *subcompositor;
    struct wl_shm *shm;
    struct xdg_wm_base *wm;
    struct wp_viewporter *viewporter;
    struct zwp_linux_dmabuf_v1 *dmabuf;
    struct zwp_linux_dmabuf_feedback_v1 *feedback;
    struct zxdg_decoration_manager_v1 *decorations;
    struct wformat *formats, *table; /* table: the compositor's, while it tells */
    unsigned nformats, ntable;
    size_t table_bytes;
    uint32_t shm_format[SHM_FORMATS];
    unsigned nshm;

    struct wl_surface *surface;
    struct xdg_surface *xdg;
    struct xdg_toplevel *toplevel;
    struct zxdg_toplevel_decoration_v1 *decoration;
    struct wp_viewport *viewport;
    bool configured, closed;
    bool floating, resizing, is_fullscreen; /* what the compositor has said; `next` until it ends its sentence */
    struct {
        struct size size;
        bool floating, resizing, fullscreen;
    } next;
    struct size room;   /* what the compositor gives; 0: as the picture */
    struct size window; /* the surface */
    struct resize resize;

    struct viewer_flip flip;      /* the newest; frame NULL: dark. Its size is always one */
    uint32_t unanswered;          /* serial of a flip to be answered, or 0 */
    bool committed;               /* the newest flip has been given to the compositor */
    uint64_t flipped, drawn;      /* when */
    struct wl_callback *callback; /* the compositor shows what it was given */
    uint32_t first, end;          /* rows to be drawn; end 0: none */
    struct wbuffer *shown;        /* what the surface has */
    struct wbuffer *before;       /* memory of the frame that the last flip took away */
    struct wl_list buffers;       /* of frames, and of frames that have gone */
    struct wbuffer pool[POOL];
    struct damage *damage;
    uint64_t scan_at;

    struct wcursor cursor;
    struct wpointer input;
    struct wayland_stats stats;
};

static inline struct wayland *wayland_of(struct sink *s)
{
    return (struct wayland *)s; /* its first member */
}

/* wayland_buffer.c */
void wbuffer_destroy(struct wbuffer *b);
/* A buffer of a frame that is not needed any more unless the compositor reads it, or has not answered yet whether it
 * can: the answer must find it (libwayland ends a connection where the compositor's new object finds nobody). NULL is
 * fine. */
void wbuffer_drop(struct wbuffer *b);
/* The frame's own memory as a buffer. NULL: it has to be copied, or (*wait) its import is under way. */
struct wbuffer *wbuffer_of_frame(struct wayland *w, struct viewer_frame *f, bool *wait);
/* One of the pool that nobody reads, in the picture's size; NULL: there is none. */
struct wbuffer *wbuffer_own(struct wayland *w);
/* A buffer of ARGB8888 pixels, a copy. NULL: no memory. */
struct wl_buffer *wbuffer_of_pixels(struct wayland *w, const uint8_t *from, size_t from_stride, struct size size);
void wbuffer_listen_dmabuf(struct wayland *w);
void wbuffer_forget_formats(struct wayland *w);
extern const struct wl_shm_listener wbuffer_shm_listener;

/* wayland_picture.c */
/* As in struct sink_ops. */
void wpicture_flip(struct sink *s, const struct viewer_flip *f, uint64_t now);
void wpicture_damage(struct sink *s, struct viewer_frame *f, uint32_t first, uint32_t end);
void wpicture_gone(struct sink *s, struct viewer_frame *f);
/* Draws what is to be drawn and answers what can be; when to be called again. */
uint64_t wpicture_tick(struct wayland *w, uint64_t now);
/* All of the picture is to be drawn. */
void wpicture_redraw(struct wayland *w);
/* The buffer is not read any more: a flip may be answered, a picture drawn. */
void wpicture_released(struct wayland *w, struct wbuffer *b);

/* wayland_window.c */
/* 0 or -ENOMEM. */
int wwindow_open(struct wayland *w);
void wwindow_close(struct wayland *w);
/* The picture has another size. */
void wwindow_follow(struct wayland *w);
/* Asks for a mode if that is due; when to be called again. */
uint64_t wwindow_tick(struct wayland *w, uint64_t now);
extern const struct xdg_wm_base_listener wwindow_wm_listener;

/* wayland_cursor.c */
void wcursor_show(struct sink *s, const struct viewer_cursor *now); /* as cursor of struct sink_ops */
int wcursor_open(struct wayland *w);
void wcursor_close(struct wayland *w);
/* Window or picture have other sizes. */
void wcursor_place(struct wayland *w);
/* The pointer has come in, or left. */
void wcursor_choose(struct wayland *w);
/* The pointer has moved. */
void wcursor_moved(struct wayland *w, uint64_t now);
/* Finds out where the cursor points; when to be called again. */
uint64_t wcursor_tick(struct wayland *w, uint64_t now);

/* wayland_input.c */
void winput_add_seat(struct wayland *w, uint32_t name, uint32_t version);
void winput_remove_seat(struct wayland *w);
/* Repeats a key that is down; when to be called again. */
uint64_t winput_tick(struct wayland *w, uint64_t now);

#endif
