/*
 * The command table: each GPU command is one row in a .def file of this folder; no other file names an opcode.
 *
 * Row syntax:   CMD(MI_STORE_DATA_IMM, .op = 0x10000000, .mask = 0xff800000, .klass = CMD_MI, .len_mask = 0x3ff, .bias
 * = 2, ...) gives the id C_NAME. Names are genxml's where it has the command, else the PRM's.
 */
#ifndef GTMUX_DESC_CMDS_H
#define GTMUX_DESC_CMDS_H

#include <stdint.h>

enum cmd_class {
    CMD_MI,     /* memory interface: executed by the command streamer (vgpu/cs*) */
    CMD_BLT,    /* 2D: handed to the backend's blitter */
    CMD_RENDER, /* 3D, GPGPU, media state (type 3, RCS): handed to the backend */
    CMD_VIDEO,  /* VCS / VECS payload: handed to the backend */
};

enum cmd_flag {
    CMD_PRIV = 1 << 0,     /* a no-op in an unprivileged batch */
    CMD_POSTSYNC = 1 << 1, /* executed by the command streamer itself although of another class (PIPE_CONTROL) */
    CMD_RING_ONLY = 1 << 2,
};

#define CMD_RCS  0x1
#define CMD_BCS  0x2
#define CMD_VCS  0x4
#define CMD_VECS 0x8
#define CMD_ALL  0xf

struct cmd_desc {
    const char *name;
    uint32_t op;       /* header value under mask */
    uint32_t mask;     /* header bits that identify the command */
    uint8_t klass;     /* enum cmd_class */
    uint8_t engines;   /* CMD_RCS | ... */
    uint8_t flags;     /* enum cmd_flag */
    uint8_t bias;      /* length in dwords = (header & len_mask) + bias; */
    uint32_t len_mask; /* 0: fixed length `bias` (>= 1) */
    uint16_t min_len;  /* shortest legal length in dwords (0: bias) */
    uint16_t max_len;  /* longest legal (0: what the field allows) */
    const char *src;
};

enum cmd_id {
#define CMD(name, ...) C_##name,
#include "vgpu/desc/cmds_all.def"
#undef CMD
    C_COUNT
};

extern const struct cmd_desc cmd_table[C_COUNT];

/* The row for a header on an engine (0..3 = enum vgpu_engine_id), or -1 when unknown. O(1). Needs cmd_init. */
int cmd_find(uint32_t header, unsigned engine);
/* Length in dwords, >= 1, of the command `id` with this header (length field as written; not checked against min/max).
 */
unsigned cmd_length(int id, uint32_t header);
/* Length to skip an unknown command by, from its type bits alone (>= 1). */
unsigned cmd_unknown_length(uint32_t header);
/* Builds the index and checks the table; as reg_init. */
int cmd_init(char *err, unsigned errsz);

#endif
