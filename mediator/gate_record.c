#include "mediator/gate_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/shadow.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

/* Bytes that did not change are written again when they are fewer than the head of another record would be. */
#define JOIN_GAP 8u

struct recorder {
    struct trace_writer *trace; /* NULL: ended */
    struct shadow *shadow;      /* guest memory as a replayer has it */
    const struct gate_host *host;
    uint64_t calls; /* out of the device, since the last result record */
    uint64_t last_ns;
    bool paused;
};

uint64_t record_pack_mode(const struct vgpu_mode *mode)
{
    return mode->width | (uint64_t)mode->height << 16 | (uint64_t)mode->mhz << 32;
}

void record_unpack_mode(uint64_t packed, struct vgpu_mode *mode)
{
    mode->width = (uint16_t)packed;
    mode->height = (uint16_t)(packed >> 16);
    mode->mhz = (uint32_t)(packed >> 32);
}

static void close_trace(struct recorder *r)
{
    int error = trace_writer_close(r->trace);

    r->trace = NULL;
    shadow_destroy(r->shadow);
    r->shadow = NULL;
    if (error)
        gt_err("recording stopped: %s", strerror(-error));
}

static void put(struct recorder *r, const struct trace_record *rec)
{
    if (!r->trace)
        return;
    trace_write(r->trace, rec);
    if (trace_writer_error(r->trace))
        close_trace(r);
}

static void put_setting(struct recorder *r, unsigned key, uint64_t value)
{
    put(r, &(struct trace_record){.type = TRACE_SETTING, .arg = {key, value}});
}

static void put_config(struct recorder *r, const struct vgpu_config *cfg)
{
    put_setting(r, RECORD_PVINFO, cfg->pvinfo);
    put_setting(r, RECORD_MAPPABLE_MB, cfg->mappable_mb);
    put_setting(r, RECORD_HEADS, cfg->heads);
    put_setting(r, RECORD_PAYLOAD, r->host->backend != NULL);
    for (unsigned head = 0; head < VGPU_HEADS; head++)
        put_setting(r, RECORD_MODE + head, record_pack_mode(&cfg->modes[head]));
}

int recorder_create(struct recorder **out, const char *path, const struct vgpu_config *cfg,
                    const struct gate_host *host, char *err, size_t errsz)
{
    struct recorder *r = calloc(1, sizeof(*r));
    int ret;

    *out = NULL;
    if (r)
        r->shadow = shadow_create(SIZE_MAX);
    if (!r || !r->shadow) {
        free(r);
        snprintf(err, errsz, "no memory to record");
        return -ENOMEM;
    }
    r->host = host;
    ret = trace_writer_open(&r->trace, path, err, errsz);
    if (ret) {
        recorder_destroy(r);
        return ret;
    }
    put_config(r, cfg);
    *out = r;
    return 0;
}

void recorder_end(struct recorder *r)
{
    if (r->trace)
        close_trace(r);
}

void recorder_destroy(struct recorder *r)
{
    if (!r)
        return;
    recorder_end(r);
    shadow_destroy(r->shadow);
    free(r);
}

void recorder_pause(struct recorder *r, bool pause)
{
    r->paused = pause;
}

void recorder_event(struct recorder *r, const struct trace_record *event)
{
    r->calls = 0;
    put(r, event);
}

void recorder_result(struct recorder *r, uint64_t value)
{
    put(r, &(struct trace_record){.type = TRACE_RESULT, .arg = {r->calls, value}});
    if (r->trace)
        trace_flush_if_due(r->trace);
}

void recorder_flush(struct recorder *r)
{
    if (r->trace)
        trace_flush(r->trace);
}

/* Is this call out of the device to be recorded? Counts it. */
static bool count_call(struct recorder *r)
{
    if (!r->trace || r->paused)
        return false;
    r->calls++;
    return true;
}

static void put_call(struct recorder *r, struct trace_record *rec)
{
    rec->arg[0] = r->calls;
    r->calls = 0;
    put(r, rec);
}

static void put_fault(struct recorder *r)
{
    put_call(r, &(struct trace_record){.type = TRACE_FAULT});
}

static void shadow_store(struct recorder *r, uint64_t gpa, const void *src, size_t n)
{
    if (r->trace && shadow_write(r->shadow, gpa, src, n)) {
        gt_err("recording stopped: no memory");
        close_trace(r);
    }
}

/* Writes down where one page's worth of fresh contents differs from what a replayer has. */
static void put_changes(struct recorder *r, uint64_t gpa, const uint8_t *fresh, size_t n)
{
    uint8_t known[SHADOW_PAGE];

    shadow_read(r->shadow, gpa, known, n);
    if (!memcmp(known, fresh, n))
        return;
    for (size_t i = 0; i < n && r->trace; i++) {
        if (known[i] == fresh[i])
            continue;
        size_t end = i + 1;
        for (size_t j = end; j < n && j - end < JOIN_GAP; j++)
            if (known[j] != fresh[j])
                end = j + 1;
        put_call(r, &(struct trace_record){.type = TRACE_MEM, .arg = {0, gpa + i}, .data = fresh + i, .len = end - i});
        i = end;
    }
    shadow_store(r, gpa, fresh, n);
}

static void learn(struct recorder *r, uint64_t gpa, const void *contents, size_t n)
{
    const uint8_t *fresh = contents;

    while (n && r->trace) {
        size_t left = SHADOW_PAGE - (size_t)(gpa % SHADOW_PAGE);
        size_t part = GT_MIN(left, n);

        put_changes(r, gpa, fresh, part);
        fresh += part;
        gpa += part;
        n -= part;
    }
}

int recorder_mem_read(struct recorder *r, uint64_t gpa, void *dst, size_t n)
{
    int ret = r->host->mem_read(r->host->ctx, gpa, dst, n);

    if (!count_call(r))
        return ret;
    if (ret)
        put_fault(r);
    else
        learn(r, gpa, dst, n);
    return ret;
}

int recorder_mem_write(struct recorder *r, uint64_t gpa, const void *src, size_t n)
{
    int ret = r->host->mem_write(r->host->ctx, gpa, src, n);

    if (!count_call(r))
        return ret;
    if (ret)
        put_fault(r);
    else
        shadow_store(r, gpa, src, n);
    return ret;
}

int recorder_mem_cas(struct recorder *r, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    int ret = r->host->mem_cas(r->host->ctx, gpa, size, expected, desired);

    if (!count_call(r))
        return ret;
    if (ret < 0) {
        put_fault(r);
        return ret;
    }
    /* Swapped or not, *expected is now what memory held. */
    learn(r, gpa, expected, size);
    if (ret > 0)
        shadow_store(r, gpa, &desired, size);
    return ret;
}

uint64_t recorder_now_ns(struct recorder *r, uint64_t now)
{
    if (count_call(r)) {
        put_call(r, &(struct trace_record){.type = TRACE_TIME, .arg = {0, now - r->last_ns}});
        r->last_ns = now;
    }
    return now;
}
