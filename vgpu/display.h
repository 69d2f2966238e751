/* Display engine state: pipes, heads, their links, picture CRCs. Private to vgpu/. All of it is protected by the device
 * lock but struct vgpu_crc's buffers, which belong to the one thread that calls vgpu_display_tick. */
#ifndef GTMUX_VGPU_DISPLAY_H
#define GTMUX_VGPU_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "vgpu/edid.h"
#include "vgpu/mem.h"
#include "vgpu/vgpu.h"

#define VGPU_PLANES          3    /* universal planes of a pipe */
#define VGPU_PRECISE_PALETTE 1024 /* entries of a pipe's 10-bit gamma memory */
#define VGPU_FRAME_MIN_NS    (UINT64_C(1000000000) / 240)
#define VGPU_FRAME_MAX_NS    UINT64_C(1000000000)
#define VGPU_LINES_MAX       8192u /* i915_reg.h VTOTAL: 13 bits */

/* How long a pipe's frame is, and where in it the vertical blank starts: from the transcoder and its PLL. */
struct vgpu_timing {
    uint64_t frame_ns;
    uint32_t mhz; /* refresh, millihertz */
    uint32_t lines, vblank_line;
    uint32_t line_lag; /* lines that PIPEDSL is behind the line scanned out */
};

/* The one clock of a pipe. Vblank n of this run (n = 0, 1, ...) starts at t0 + n * frame_ns; all else follows. */
struct vgpu_clock {
    struct vgpu_timing timing;
    uint64_t t0;
    uint64_t count_base; /* frame counter before vblank 0 */
    uint64_t handled;    /* vblanks of this run whose events are done */
};

/* The double-buffered registers of a universal plane, as one set. */
struct vgpu_plane_regs {
    uint32_t ctl, stride, pos, size, offset, surf, keyval, keymsk, keymax;
    uint32_t win_pos, win_size; /* of the scaler bound to the plane; size 0 = none */
};

struct vgpu_cursor_regs {
    uint32_t ctl, base, pos, fbc;
};

/* A flip that is live, and of which the guest is told later: flip.c. */
struct vgpu_flip {
    uint8_t planes;   /* bit n: the flip of plane n is not told yet */
    bool still;       /* the frame counter stands still at `frames` */
    uint32_t number;  /* of the last change of planes (vgpu_scanout.flip) */
    uint32_t primary; /* flips that PIPE_FLIPCOUNT does not have yet */
    uint64_t live_ns; /* when that change became live */
    uint64_t frames;
    uint64_t until; /* it counts as shown then at the latest */
    bool shown;
    uint64_t due;  /* it is not told before; 0: no limit */
    uint64_t grid; /* of flips that are told under a frame limit; 0: not begun */
    uint64_t seen; /* what the guest has last read from the frame counter */
};

struct vgpu_pipe {
    /* on to clock: what a vblank changes, noted as a whole (vgpu_pipe_note) */
    bool on;
    bool cursor_armed;
    uint8_t planes_armed; /* bit n: armed_plane[n] waits for the vblank */
    uint32_t flips;       /* PIPE_FLIPCOUNT */
    struct vgpu_flip flip;
    struct vgpu_clock clock;
    struct vgpu_plane_regs plane[VGPU_PLANES], armed_plane[VGPU_PLANES];
    struct vgpu_cursor_regs cursor, armed_cursor;
    uint32_t precise[VGPU_PRECISE_PALETTE]; /* behind PREC_PAL_INDEX and PREC_PAL_DATA */
};

/* The DisplayPort receiver of a monitor: bytes of its DPCD that the source writes (desc/dpcd.def), and its link. */
struct vgpu_dp_link {
    uint8_t rate, lanes, pattern, drive[4], downspread, coding, power;
    bool clock;   /* recovered on all lanes */
    bool symbols; /* equalised, symbols locked, lanes aligned */
};

/* The monitor's EDID EEPROM, on the I2C bus behind its AUX channel. */
struct vgpu_ddc {
    bool open;               /* between a start and the stop */
    bool reading;            /* direction since the last start */
    bool offset_next;        /* the next byte written to the EEPROM is its offset */
    uint8_t address;         /* 7 bits, since the last start */
    uint8_t segment, offset; /* E-DDC */
};

struct vgpu_head {
    bool connected;
    bool own_edid; /* given by the user: mode is its preferred one */
    struct vgpu_mode mode;
    struct vgpu_dp_link link;
    struct vgpu_ddc ddc;
    unsigned edid_size;
    uint8_t edid[VGPU_EDID_MAX];
};

/* One picture CRC in the making, row by row and without the device lock. */
struct vgpu_crc_job {
    bool active;
    uint32_t row, crc, epoch;
    struct vgpu_scanout scanout;
};

struct vgpu_crc {
    struct vgpu_crc_job job[VGPU_PIPES];
    struct vgpu_as as;
    uint32_t table[8][256];
    uint32_t row[VGPU_WIDTH_MAX];
    uint64_t scratch[VGPU_COMPOSE_SCRATCH / sizeof(uint64_t)];
};

struct vgpu_display {
    struct vgpu_pipe pipe[VGPU_PIPES];
    struct vgpu_head head[VGPU_HEADS];
    uint32_t crc_epoch[VGPU_PIPES]; /* counts starts and stops of CRCs: a late result of an old run is dropped */
    struct vgpu_crc crc;
    /* Pace of vblanks, see vgpu_display_handled. 0: none. */
    uint64_t told_ns; /* since when the guest has handled the interrupt of a vblank */
    uint64_t rest_ns; /* no vblank before */
    /* vgpu_flip_wait, vgpu_flip_pace; no reset changes them */
    uint64_t flip_wait[VGPU_HEADS], flip_pace[VGPU_HEADS];
};

/* ---- timing.c (locked, pure functions of registers, clock and time) */
void vgpu_timing_read(struct vgpu *v, unsigned pipe, struct vgpu_timing *t);
/* Symbol clock of a port's DisplayPort link; 0: its PLL is off, or is not set up for DisplayPort. */
uint64_t vgpu_dp_link_hz(struct vgpu *v, unsigned port);
uint32_t vgpu_timing_mhz(uint64_t frame_ns);
/* Starts the clock so that the first line of the picture is scanned at `now`. */
void vgpu_clock_start(struct vgpu_clock *c, const struct vgpu_timing *t, uint64_t now);
/* Frame counter at `now`; it steps at the start of each vblank. */
uint64_t vgpu_clock_frames(const struct vgpu_clock *c, uint64_t now);
/* Vblanks of this run up to and including `now`. */
uint64_t vgpu_clock_vblanks(const struct vgpu_clock *c, uint64_t now);
uint32_t vgpu_clock_line(const struct vgpu_clock *c, uint64_t now);
/* When the last vblank at or before `now` started, and when the first one after those handled does. */
uint64_t vgpu_clock_last(const struct vgpu_clock *c, uint64_t now);
uint64_t vgpu_clock_next(const struct vgpu_clock *c);

/* ---- display.c (locked) */
void vgpu_pipe_note(struct vgpu *v, unsigned pipe); /* before a change of its clock or of what is armed */
uint64_t vgpu_display_now(struct vgpu *v);
void vgpu_display_changed(struct vgpu *v, unsigned pipe); /* tells the host that what is shown changed */
void vgpu_display_kick(struct vgpu *v);                   /* tells the host that a tick is due at another time */
/*
 * The guest has come to the end of its interrupt handler. One that takes longer than a frame lasts, because its
 * processor is emulated, or shared with too many others, would do nothing else: the next vblank would be there when it
 * ends. So the guest gets as much time as the handler took, at most 0.1 s, before the next vblank; those in between are
 * missed, as by hardware with interrupts off.
 */
void vgpu_display_handled(struct vgpu *v);
/* The head that pipe `pipe` drives, or -1. */
int vgpu_pipe_head(struct vgpu *v, unsigned pipe);

/* ---- plane.c (locked) */
/* Makes armed registers live. now counts only for a pipe that is on. Returns the DE_PIPE interrupt bits of the flips
 * that are done; *kept: bits of the planes of whose flips the guest is to be told later. */
uint32_t vgpu_planes_latch(struct vgpu *v, unsigned pipe, uint64_t now, bool *changed, uint8_t *kept);

/* ---- vblank.c (locked) */
/* Would anybody notice a vblank of this pipe, which is on? */
bool vgpu_vblank_wanted(struct vgpu *v, unsigned pipe);
/* When its next vblank is to be handled. */
uint64_t vgpu_vblank_next(struct vgpu *v, unsigned pipe, uint64_t now);
/* Somebody is about to want vblanks: to be called before that shows in the device's state. */
void vgpu_vblank_want(struct vgpu *v, unsigned pipe);
/* The same after a write to the mask of the pipe's interrupts. */
void vgpu_vblank_unmasked(struct vgpu *v, unsigned pipe, uint32_t old);

/* ---- flip.c (locked) */
/* Are flips of this pipe kept until they are shown? */
bool vgpu_flip_waits(struct vgpu *v, unsigned pipe);
/* The frame counter as the guest sees it. */
uint64_t vgpu_flip_frames(struct vgpu *v, unsigned pipe, uint64_t now);
/* Planes have changed; ns: when. */
void vgpu_flip_live(struct vgpu *v, unsigned pipe, uint64_t ns);
/* Keeps flips of planes (bits; 0: none), with the frame counter at *still_at (NULL: it runs on). Noted by the caller.
 */
void vgpu_flip_keep(struct vgpu *v, unsigned pipe, uint8_t planes, const uint64_t *still_at, uint64_t now);
/* Tells the guest of what was kept, if anything was. */
void vgpu_flip_tell(struct vgpu *v, unsigned pipe);
/* Tells of what has waited too long. Returns when that will be so; UINT64_MAX: nothing is kept. */
uint64_t vgpu_flip_due(struct vgpu *v, unsigned pipe, uint64_t now);

/* ---- crc.c */
void vgpu_crc_init(struct vgpu *v);
void vgpu_crc_start(struct vgpu *v, unsigned pipe); /* at a vblank (locked) */
/* Composes a slice of the CRCs that are due. False: there was nothing to do (free). */
bool vgpu_crc_work(struct vgpu *v);

/* ---- hotplug.c (locked) */
/* True when this display engine and its DisplayPort links can carry the mode. */
bool vgpu_mode_ok(const struct vgpu_mode *mode);
void vgpu_heads_init(struct vgpu *v);
void vgpu_heads_reset(struct vgpu *v); /* registers show what is plugged in */
/* A head as a killed process left it, from any bytes. An EDID that is not whole is made anew from the mode, an illegal
 * mode leaves the configured one. */
void vgpu_head_adopt(struct vgpu *v, unsigned head, const struct vgpu_head *old);

/* ---- dpcd.c (locked). The caller has noted the head's link. */
/* The receiver of a head, and its EEPROM, as they are after power-on. */
void vgpu_dp_reset(struct vgpu *v, unsigned head);
/* What is sent to a head may have changed: trains its receiver, or loses the link. */
void vgpu_dp_signal(struct vgpu *v, unsigned head);
/* Any address of 20 bits. */
uint8_t vgpu_dpcd_read(const struct vgpu *v, unsigned head, uint32_t address);
void vgpu_dpcd_write(struct vgpu *v, unsigned head, uint32_t address, uint8_t val);

#endif
