/*
 * The recorder: writes what enters the device and what the device learns from outside to a trace. Its user serialises
 * all calls. The guest memory functions stand between the device and the host: they pass the access on, and write down
 * what a replayer could not know.
 */
#ifndef GTMUX_MEDIATOR_GATE_RECORD_H
#define GTMUX_MEDIATOR_GATE_RECORD_H

#include "ioreq/trace.h"
#include "mediator/gate.h"

/* Keys of TRACE_SETTING records: the device's configuration. The numbers are the file format. */
enum record_setting {
    RECORD_PVINFO = 1,
    RECORD_MAPPABLE_MB = 2,
    RECORD_HEADS = 3,
    RECORD_PAYLOAD = 4, /* 0 none, 1 the software backend */
    RECORD_MODE = 16,   /* + head: width | height << 16 | millihertz << 32 */
};

/* Width, height and refresh in one number (RECORD_MODE). */
uint64_t record_pack_mode(const struct vgpu_mode *mode);
void record_unpack_mode(uint64_t packed, struct vgpu_mode *mode);

struct recorder;

/* Starts the trace with the configuration. host must outlive the recorder. 0 or -errno with a message. */
int recorder_create(struct recorder **out, const char *path, const struct vgpu_config *cfg,
                    const struct gate_host *host, char *err, size_t errsz);
void recorder_destroy(struct recorder *r); /* ends the trace; NULL is fine */
/* Ends the trace; what follows is passed on, but not recorded. */
void recorder_end(struct recorder *r);
/* While paused, calls are passed on and not recorded: for readers that do not change the device. */
void recorder_pause(struct recorder *r, bool pause);

/* Around each entry: an event record, and the value it returned. */
void recorder_event(struct recorder *r, const struct trace_record *event);
void recorder_result(struct recorder *r, uint64_t value);
void recorder_flush(struct recorder *r);

int recorder_mem_read(struct recorder *r, uint64_t gpa, void *dst, size_t n);
int recorder_mem_write(struct recorder *r, uint64_t gpa, const void *src, size_t n);
int recorder_mem_cas(struct recorder *r, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired);
uint64_t recorder_now_ns(struct recorder *r, uint64_t now); /* returns now */

#endif
