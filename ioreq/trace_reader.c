/* The reading side of trace files. Files are input from strangers: every byte is checked here or by the caller. */
#include "ioreq/trace_shape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

struct trace_reader {
    const uint8_t *pos, *end; /* stream bytes at hand */
    enum trace_status final;  /* TRACE_OK while reading goes on */
    char error[96];
    /* File only; z is NULL for a stream in memory. */
    int fd;
    ZSTD_DCtx *z;
    ZSTD_inBuffer in;
    bool out_full; /* the decompressor may hold back output */
    bool in_frame; /* a frame has begun and not ended */
    uint8_t in_buf[64 << 10], out_buf[64 << 10];
    uint8_t data[TRACE_DATA_MAX];
};

static enum trace_status stop(struct trace_reader *r, enum trace_status why, const char *text)
{
    r->final = why;
    snprintf(r->error, sizeof(r->error), "%s", text);
    return why;
}

static bool load_file(struct trace_reader *r)
{
    ssize_t n;

    do
        n = read(r->fd, r->in_buf, sizeof(r->in_buf));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        stop(r, TRACE_DAMAGED, strerror(errno));
    r->in = (ZSTD_inBuffer){r->in_buf, n > 0 ? (size_t)n : 0, 0};
    return n > 0;
}

/* Gets more stream bytes. False: none left (final still TRACE_OK), or an error. */
static bool refill(struct trace_reader *r)
{
    if (!r->z)
        return false;
    for (;;) {
        if (r->in.pos == r->in.size && !r->out_full && !load_file(r))
            return false;
        ZSTD_outBuffer out = {r->out_buf, sizeof(r->out_buf), 0};
        size_t hint = ZSTD_decompressStream(r->z, &out, &r->in);

        if (ZSTD_isError(hint)) {
            stop(r, TRACE_DAMAGED, ZSTD_getErrorName(hint));
            return false;
        }
        r->in_frame = hint != 0;
        r->out_full = hint != 0 && out.pos == out.size;
        r->pos = r->out_buf;
        r->end = r->out_buf + out.pos;
        if (out.pos)
            return true;
    }
}

static bool get_byte(struct trace_reader *r, uint8_t *b)
{
    if (r->pos == r->end && !refill(r))
        return false;
    *b = *r->pos++;
    return true;
}

static bool get_varint(struct trace_reader *r, uint64_t *v)
{
    uint8_t b;

    *v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!get_byte(r, &b))
            return false;
        if (shift == 63 && b > 1)
            break;
        *v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return true;
    }
    stop(r, TRACE_DAMAGED, "number too large");
    return false;
}

static bool get_data(struct trace_reader *r, struct trace_record *rec)
{
    uint64_t len;

    if (!get_varint(r, &len))
        return false;
    if (len > TRACE_DATA_MAX) {
        stop(r, TRACE_DAMAGED, "record too large");
        return false;
    }
    for (uint64_t i = 0; i < len; i++)
        if (!get_byte(r, &r->data[i]))
            return false;
    rec->data = r->data;
    rec->len = (size_t)len;
    return true;
}

static bool get_body(struct trace_reader *r, const struct trace_shape *s, struct trace_record *rec)
{
    for (unsigned i = 0; i < s->args; i++)
        if (!get_varint(r, &rec->arg[i]))
            return false;
    return !s->data || get_data(r, rec);
}

enum trace_status trace_read(struct trace_reader *r, struct trace_record *rec)
{
    const struct trace_shape *s;

    memset(rec, 0, sizeof(*rec));
    if (r->final != TRACE_OK)
        return r->final;
    if (!get_byte(r, &rec->type)) {
        if (r->final != TRACE_OK)
            return r->final;
        return r->in_frame ? stop(r, TRACE_TRUNCATED, "the trace has no end") : stop(r, TRACE_END, "");
    }
    s = trace_shape(rec->type);
    if (!s)
        return stop(r, TRACE_DAMAGED, "unknown record type");
    if (get_body(r, s, rec))
        return TRACE_OK;
    return r->final != TRACE_OK ? r->final : stop(r, TRACE_TRUNCATED, "the trace ends inside a record");
}

const char *trace_reader_error(const struct trace_reader *r)
{
    return r->error;
}

struct trace_reader *trace_reader_memory(const uint8_t *data, size_t len)
{
    struct trace_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->fd = -1;
    r->pos = data;
    r->end = len ? data + len : data;
    return r;
}

static const char *check_header(int fd)
{
    uint8_t h[TRACE_HEADER_SIZE];
    size_t n = 0;

    while (n < sizeof(h)) {
        ssize_t got = read(fd, h + n, sizeof(h) - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerror(errno);
        if (got == 0)
            return "not a gtmux trace";
        n += (size_t)got;
    }
    if (memcmp(h, TRACE_MAGIC, TRACE_MAGIC_SIZE))
        return "not a gtmux trace";
    if (h[8] != TRACE_VERSION || h[9] || h[10] || h[11])
        return "a version of the format that this program does not know";
    return NULL;
}

int trace_reader_open(struct trace_reader **out, const char *path, char *err, size_t errsz)
{
    struct trace_reader *r = trace_reader_memory(NULL, 0);
    const char *why = NULL;
    int ret = 0;

    *out = NULL;
    if (r)
        r->z = ZSTD_createDCtx();
    if (!r || !r->z) {
        ret = -ENOMEM;
    } else {
        r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        ret = r->fd < 0 ? -errno : 0;
        why = ret ? NULL : check_header(r->fd);
    }
    if (why)
        ret = -EINVAL;
    if (ret) {
        snprintf(err, errsz, "cannot read trace %s: %s", path, why ? why : strerror(-ret));
        trace_reader_close(r);
        return ret;
    }
    *out = r;
    return 0;
}

void trace_reader_close(struct trace_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    ZSTD_freeDCtx(r->z);
    free(r);
}
