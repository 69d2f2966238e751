/*
 * Trace files: a stream of small records, compressed. This part knows how a record is written and read, not what it
 * means to a device; docs/trace-format.md describes both. A reader can also be fed the bare, uncompressed stream.
 */
#ifndef GTMUX_IOREQ_TRACE_H
#define GTMUX_IOREQ_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ioreq/transport.h"

#define TRACE_MAGIC       "GTMUXTR1"
#define TRACE_MAGIC_SIZE  8u
#define TRACE_VERSION     1u
#define TRACE_HEADER_SIZE 16u /* magic, version (le32), zero (le32) */
#define TRACE_ARGS        5u
#define TRACE_DATA_MAX    4096u

/* The numbers are the file format. */
enum trace_type {
    TRACE_SETTING = 1, /* key, value */
    /* Events: something entered the device. */
    TRACE_CREATE = 2,
    TRACE_ACCESS = 3, /* see trace_pack_access */
    TRACE_RESET = 4,
    TRACE_MEMORY = 5, /* 1 the map begins to change, 0 it is stable again */
    TRACE_RUN = 6,    /* unit, budget */
    TRACE_TICK = 7,
    TRACE_HEAD = 8, /* head, 1 connected | 2 has a mode, width, height, refresh */
    TRACE_FINISH = 9,
    TRACE_WAIT = 10,  /* head, nanoseconds: vgpu_flip_wait */
    TRACE_SHOWN = 11, /* head, flip: vgpu_flip_shown */
    TRACE_EDID = 12,  /* head; data: the EDID of the monitor that is plugged in */
    TRACE_PACE = 13,  /* head, nanoseconds: vgpu_flip_pace */
    /* Results: what the device learnt from outside during the event before. `calls` = its calls out since the last
     * result (memory and time alike), this one included. */
    TRACE_TIME = 16,   /* calls, nanoseconds since the last TIME (mod 2^64) */
    TRACE_MEM = 17,    /* calls, address; data: bytes that memory holds now, inside one 4 KiB page */
    TRACE_FAULT = 18,  /* calls: this memory access failed */
    TRACE_RESULT = 19, /* calls made after the last result, value the event returned; ends the event */
    TRACE_TYPES
};

struct trace_record {
    uint8_t type; /* enum trace_type */
    uint64_t arg[TRACE_ARGS];
    const uint8_t *data; /* reader: valid until the next trace_read */
    size_t len;
};

/* "ACCESS", or "?" for anything that is no record type. */
const char *trace_type_name(unsigned type);
bool trace_is_event(unsigned type);

/* Access <-> record. Unpacking checks size and region number; false: malformed. The data of reads is not in it. */
void trace_pack_access(struct trace_record *rec, const struct ioreq_access *a);
bool trace_unpack_access(const struct trace_record *rec, struct ioreq_access *a);

/* Writes the stream form of a record to out (TRACE_RECORD_MAX bytes). Returns its length; 0: no such record. */
#define TRACE_RECORD_MAX (1u + 10u * (TRACE_ARGS + 1u) + TRACE_DATA_MAX)
size_t trace_encode(const struct trace_record *rec, uint8_t *out);

/* ---- writing. Errors stick: the first one is kept, and nothing is written after it. */
struct trace_writer;
/* Creates (or empties) the file. 0 or -errno with a message. */
int trace_writer_open(struct trace_writer **out, const char *path, char *err, size_t errsz);
void trace_write(struct trace_writer *w, const struct trace_record *rec);
/* Hands everything to the kernel. A reader of the file sees all records up to here. */
void trace_flush(struct trace_writer *w);
/* As trace_flush, when the last one is 100 ms ago. */
void trace_flush_if_due(struct trace_writer *w);
int trace_writer_error(const struct trace_writer *w); /* 0 or -errno */
/* Ends the stream, frees w. NULL is fine. 0 or the first error. */
int trace_writer_close(struct trace_writer *w);

/* ---- reading */
enum trace_status {
    TRACE_OK,
    TRACE_END,       /* clean end */
    TRACE_TRUNCATED, /* the file stops in the middle of something: its writer was killed */
    TRACE_DAMAGED,   /* checksum, impossible record: see trace_reader_error */
};
struct trace_reader;
int trace_reader_open(struct trace_reader **out, const char *path, char *err, size_t errsz);
/* The bare stream, in memory that outlives the reader. NULL: out of memory. */
struct trace_reader *trace_reader_memory(const uint8_t *data, size_t len);
/* Other than TRACE_OK is final. */
enum trace_status trace_read(struct trace_reader *r, struct trace_record *rec);
const char *trace_reader_error(const struct trace_reader *r);
void trace_reader_close(struct trace_reader *r); /* NULL is fine */

#endif
