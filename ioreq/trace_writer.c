/* The writing side of trace files. */
#include "ioreq/trace_shape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "vgpu/base/clock.h"

#define LEVEL    3
#define FLUSH_NS 100000000u
/* Each frame ends with a checksum of its contents, so end one now and then. */
#define FRAME_BYTES (8u << 20)

struct trace_writer {
    int fd;
    int error;
    ZSTD_CCtx *z;
    uint64_t frame_bytes;  /* fed to the compressor since the frame began */
    bool dirty;            /* records since the last flush */
    uint64_t last_flush;   /* ns */
    uint8_t out[64 << 10]; /* compressed */
};

static void fail(struct trace_writer *w, int error)
{
    if (!w->error)
        w->error = error;
}

static void write_all(struct trace_writer *w, const uint8_t *p, size_t n)
{
    while (n && !w->error) {
        ssize_t done = write(w->fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0) {
            fail(w, done < 0 ? -errno : -EIO);
            return;
        }
        p += done;
        n -= (size_t)done;
    }
}

/* Feeds n bytes; with a directive other than "continue" returns when all of it has left the compressor. */
static void compress(struct trace_writer *w, const void *data, size_t n, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = {data, n, 0};
    size_t left;

    do {
        ZSTD_outBuffer out = {w->out, sizeof(w->out), 0};

        left = ZSTD_compressStream2(w->z, &out, &in, how);
        if (ZSTD_isError(left)) {
            fail(w, -EIO);
            return;
        }
        write_all(w, w->out, out.pos);
    } while (!w->error && (how == ZSTD_e_continue ? in.pos < in.size : left != 0));
}

void trace_write(struct trace_writer *w, const struct trace_record *rec)
{
    uint8_t raw[TRACE_RECORD_MAX];
    size_t n = trace_encode(rec, raw);

    if (w->error)
        return;
    if (!n) {
        fail(w, -EINVAL);
        return;
    }
    compress(w, raw, n, ZSTD_e_continue);
    w->dirty = true;
    w->frame_bytes += n;
    if (w->frame_bytes >= FRAME_BYTES) {
        compress(w, NULL, 0, ZSTD_e_end);
        w->frame_bytes = 0;
        w->dirty = false;
    }
}

void trace_flush(struct trace_writer *w)
{
    w->last_flush = gt_clock_ns();
    if (w->error || !w->dirty)
        return;
    compress(w, NULL, 0, ZSTD_e_flush);
    w->dirty = false;
}

void trace_flush_if_due(struct trace_writer *w)
{
    if (gt_clock_ns() - w->last_flush >= FLUSH_NS)
        trace_flush(w);
}

int trace_writer_error(const struct trace_writer *w)
{
    return w->error;
}

static int start_stream(struct trace_writer *w)
{
    uint8_t header[TRACE_HEADER_SIZE] = TRACE_MAGIC;

    header[TRACE_MAGIC_SIZE] = TRACE_VERSION;
    w->z = ZSTD_createCCtx();
    if (!w->z)
        return -ENOMEM;
    if (ZSTD_isError(ZSTD_CCtx_setParameter(w->z, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(w->z, ZSTD_c_checksumFlag, 1)))
        return -EIO;
    write_all(w, header, sizeof(header));
    w->last_flush = gt_clock_ns();
    return w->error;
}

int trace_writer_open(struct trace_writer **out, const char *path, char *err, size_t errsz)
{
    struct trace_writer *w = calloc(1, sizeof(*w));
    int ret = -ENOMEM;

    *out = NULL;
    if (w) {
        w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
        ret = w->fd < 0 ? -errno : start_stream(w);
    }
    if (ret) {
        snprintf(err, errsz, "cannot write trace %s: %s", path, strerror(-ret));
        if (w && w->fd >= 0)
            close(w->fd);
        if (w)
            ZSTD_freeCCtx(w->z);
        free(w);
        return ret;
    }
    *out = w;
    return 0;
}

int trace_writer_close(struct trace_writer *w)
{
    if (!w)
        return 0;
    if (!w->error)
        compress(w, NULL, 0, ZSTD_e_end);
    if (close(w->fd) && !w->error)
        w->error = -errno;
    int ret = w->error;
    ZSTD_freeCCtx(w->z);
    free(w);
    return ret;
}
