/*
 * The one gate between the threads of a dm and its vGPU. It owns the device lock and, when asked to, records everything
 * that passes: then all entries are serialised by one outer mutex, and each result that vgpu gets from outside
 * (memory contents, time) is written to the trace, so that mediator/replay.c reaches the same state.
 */
#ifndef GTMUX_MEDIATOR_GATE_H
#define GTMUX_MEDIATOR_GATE_H

#include "ioreq/transport.h"
#include "mediator/backend.h"
#include "vgpu/vgpu.h"

struct gate;

/* What the gate needs from the session (or from replay). Members as in vgpu_ops / ioreq_transport_ops. */
struct gate_host {
    void *ctx;
    int (*mem_read)(void *ctx, uint64_t gpa, void *dst, size_t n);
    int (*mem_write)(void *ctx, uint64_t gpa, const void *src, size_t n);
    int (*mem_cas)(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired);
    uint8_t *(*mem_page)(void *ctx, uint64_t gpa, bool write); /* not used while recording; may be NULL */
    uint64_t (*now_ns)(void *ctx);                             /* NULL: CLOCK_MONOTONIC */
    void (*irq)(void *ctx);                                    /* under the device lock: must not call back */
    void (*line)(void *ctx, bool level);                       /* same; may be NULL */
    void (*kick)(void *ctx, unsigned engine);                  /* same */
    void (*display_kick)(void *ctx);                           /* same */
    void (*scanout_changed)(void *ctx, unsigned pipe);         /* same; may be NULL */
    bool (*gtt_clear)(void *ctx);                              /* same; may be NULL */
    struct backend *backend;                                   /* payload; not owned */
};

/* Builds the device. record_path NULL: no recording. cfg's ops, host are filled in by the gate; with recording cfg->gtt
 * must be NULL (direct stores would not be seen), and cfg->state too (a trace begins with a new device). The host's
 * functions are first called after it has returned, but for time and memory. 0 or -errno with a message. */
int gate_create(struct gate **out, const struct vgpu_config *cfg, const struct gate_host *host, const char *record_path,
                char *err, size_t errsz);
/*
 * The same around the device of a killed process (vgpu_adopt), whose state `old` is used up; cfg->state is where it
 * lives from now on. Until gate_resume, accesses are carried out but none of the host's functions is called for them;
 * engine slices and display ticks do nothing. -ESTALE: not a state of this program.
 */
int gate_adopt(struct gate **out, const struct vgpu_config *cfg, const struct gate_host *host, void *old, char *err,
               size_t errsz);
/* Lets an adopted device go on; the host's functions must work. No effect on one that was created. */
void gate_resume(struct gate *g);
void gate_destroy(struct gate *g);

/* Any thread. */
void gate_access(struct gate *g, struct ioreq_access *a); /* BAR0, BAR2, BAR4, CONFIG; ROM is the session's */
void gate_reset(struct gate *g);
/* Stops and resumes all engine and display work around a change of the guest memory map: after memory_begin returns, no
 * thread uses a pointer into guest memory, and none starts to before memory_end. */
void gate_memory_begin(struct gate *g);
void gate_memory_end(struct gate *g);
enum vgpu_run gate_engine_run(struct gate *g, unsigned engine, unsigned budget);
/* vgpu_engine_leave, vgpu_engine_give_up; nothing while recording, whose slices are short. */
void gate_engine_leave(struct gate *g, unsigned engine);
void gate_engine_give_up(struct gate *g, unsigned engine);
/* Grows whenever the engine has got on with a request. */
uint64_t gate_engine_progress(struct gate *g, unsigned engine);
uint64_t gate_display_tick(struct gate *g);
int gate_head_set(struct gate *g, unsigned head, bool connected, const struct vgpu_mode *mode);
int gate_head_set_edid(struct gate *g, unsigned head, const uint8_t *edid, size_t size);
bool gate_head_get(struct gate *g, unsigned head, struct vgpu_mode *mode);
/* vgpu_flip_wait, vgpu_flip_pace, vgpu_flip_shown. */
void gate_flip_wait(struct gate *g, unsigned head, uint64_t ns);
void gate_flip_pace(struct gate *g, unsigned head, uint64_t ns);
void gate_flip_shown(struct gate *g, unsigned head, uint32_t flip);
/* Snapshot of what head shows; false: dark. */
bool gate_scanout(struct gate *g, unsigned head, struct vgpu_scanout *out);
/* Composes the whole picture of a scanout into xrgb (width * height pixels): a reader on GGTT and guest memory, fenced
 * against memory map changes row by row. Returns the number of rows that had holes. Not recorded. */
unsigned gate_picture(struct gate *g, const struct vgpu_scanout *s, uint32_t *xrgb);
/* A visit of who looks at guest memory for a viewer: between the two the memory map stays as it is, and vgpu's "free"
 * functions may be called on the device. NULL: not now, and no gate_visit_end. Not recorded. */
struct vgpu *gate_visit(struct gate *g);
void gate_visit_end(struct gate *g);
void gate_stats(struct gate *g, struct vgpu_stats *out);
/* Hash over registers, config space, GGTT and the pictures of all heads; recorded as the end of a trace. */
uint64_t gate_finish(struct gate *g);
/* Recording: writes out what is buffered (otherwise at most 100 ms old, once something else passes). */
void gate_flush(struct gate *g);

#endif
