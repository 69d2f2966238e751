/* Trace files: what is written is read back; every kind of damage is reported, none is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ioreq/trace.h"
#include "vgpu/base/bits.h"

#define ROWS 3000u /* enough for several compressor blocks */

static char path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), P_tmpdir "/gtmux-trace-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static struct trace_writer *open_writer(void)
{
    struct trace_writer *w;
    char err[128] = "";

    assert_int_equal(trace_writer_open(&w, path, err, sizeof(err)), 0);
    return w;
}

static struct trace_reader *open_reader(void)
{
    struct trace_reader *r;
    char err[128] = "";

    assert_int_equal(trace_reader_open(&r, path, err, sizeof(err)), 0);
    return r;
}

static uint8_t contents[TRACE_DATA_MAX];

/* Row i of a test stream: all types, all magnitudes of numbers, all lengths of data. */
static struct trace_record row(unsigned i)
{
    static const uint8_t types[] = {TRACE_ACCESS, TRACE_MEM,   TRACE_RUN,    TRACE_TIME,   TRACE_HEAD,
                                    TRACE_TICK,   TRACE_FAULT, TRACE_RESULT, TRACE_MEMORY, TRACE_WAIT,
                                    TRACE_SHOWN,  TRACE_EDID,  TRACE_PACE};
    struct trace_record rec = {.type = types[i % GT_ARRAY_SIZE(types)], .data = contents};

    for (unsigned a = 0; a < TRACE_ARGS; a++)
        rec.arg[a] = (UINT64_MAX - i) >> ((i * 7 + a * 13) % 64);
    rec.len = (i * 61) % (TRACE_DATA_MAX + 1);
    return rec;
}

static void expect_row(const struct trace_record *got, unsigned i)
{
    struct trace_record want = row(i);
    static const unsigned nargs[TRACE_TYPES] = {
        [TRACE_ACCESS] = 3, [TRACE_MEM] = 2,   [TRACE_RUN] = 2,    [TRACE_TIME] = 2,
        [TRACE_HEAD] = 5,   [TRACE_FAULT] = 1, [TRACE_RESULT] = 2, [TRACE_MEMORY] = 1,
        [TRACE_WAIT] = 2,   [TRACE_SHOWN] = 2, [TRACE_EDID] = 1,   [TRACE_PACE] = 2};

    assert_int_equal(got->type, want.type);
    for (unsigned a = 0; a < nargs[want.type]; a++)
        assert_int_equal(got->arg[a], want.arg[a]);
    if (want.type == TRACE_MEM || want.type == TRACE_EDID) {
        assert_int_equal(got->len, want.len);
        assert_memory_equal(got->data, want.data, want.len);
    }
}

static void write_rows(struct trace_writer *w, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct trace_record rec = row(i);
        trace_write(w, &rec);
    }
}

static void records_come_back_as_written(void **state)
{
    struct trace_writer *w = open_writer();
    struct trace_record rec;

    (void)state;
    write_rows(w, 0, ROWS);
    assert_int_equal(trace_writer_close(w), 0);
    struct trace_reader *r = open_reader();
    for (unsigned i = 0; i < ROWS; i++) {
        assert_int_equal(trace_read(r, &rec), TRACE_OK);
        expect_row(&rec, i);
    }
    assert_int_equal(trace_read(r, &rec), TRACE_END);
    assert_int_equal(trace_read(r, &rec), TRACE_END);
    trace_reader_close(r);
}

static void flushed_records_survive_a_killed_writer(void **state)
{
    struct trace_writer *w = open_writer();
    struct trace_record rec;
    unsigned n = 0;

    (void)state;
    write_rows(w, 0, 100);
    trace_flush(w);
    write_rows(w, 100, 105); /* still in the compressor when the "crash" comes */
    struct trace_reader *r = open_reader();
    while (trace_read(r, &rec) == TRACE_OK)
        expect_row(&rec, n++);
    assert_int_equal(n, 100);
    assert_int_equal(trace_read(r, &rec), TRACE_TRUNCATED);
    assert_non_null(strstr(trace_reader_error(r), "no end"));
    trace_reader_close(r);
    trace_writer_close(w);
}

static void flush_is_due_after_its_time_only(void **state)
{
    struct trace_writer *w = open_writer();
    struct trace_record rec;

    (void)state;
    write_rows(w, 0, 1);
    trace_flush_if_due(w);
    struct trace_reader *r = open_reader();
    assert_int_not_equal(trace_read(r, &rec), TRACE_OK);
    trace_reader_close(r);
    usleep(120000);
    trace_flush_if_due(w);
    r = open_reader();
    assert_int_equal(trace_read(r, &rec), TRACE_OK);
    trace_reader_close(r);
    trace_writer_close(w);
}

static void a_file_cut_anywhere_gives_a_prefix(void **state)
{
    struct trace_writer *w = open_writer();
    struct trace_record rec;
    struct stat st;

    (void)state;
    write_rows(w, 0, 40);
    trace_flush(w);
    write_rows(w, 40, 80);
    assert_int_equal(trace_writer_close(w), 0);
    assert_int_equal(stat(path, &st), 0);
    for (off_t size = st.st_size - 1; size >= (off_t)TRACE_HEADER_SIZE; size -= 7) {
        unsigned n = 0;
        enum trace_status status;

        assert_int_equal(truncate(path, size), 0);
        struct trace_reader *r = open_reader();
        while ((status = trace_read(r, &rec)) == TRACE_OK)
            expect_row(&rec, n++);
        assert_true(n <= 80);
        assert_true(status == TRACE_TRUNCATED || (status == TRACE_END && size == (off_t)TRACE_HEADER_SIZE));
        trace_reader_close(r);
    }
}

/* Reads to the end; false: it is not the stream of n rows. Some bits of the container mean nothing. */
static bool reads_as_rows(unsigned n)
{
    struct trace_reader *r;
    struct trace_record rec;
    char err[128] = "";
    enum trace_status status;
    unsigned rows = 0;
    bool same = true;

    if (trace_reader_open(&r, path, err, sizeof(err)))
        return false;
    while ((status = trace_read(r, &rec)) == TRACE_OK) {
        struct trace_record want = row(rows++);
        same = same && rec.type == want.type && rec.arg[0] == (want.type == TRACE_TICK ? 0 : want.arg[0]) &&
               ((rec.type != TRACE_MEM && rec.type != TRACE_EDID) ||
                (rec.len == want.len && !memcmp(rec.data, want.data, rec.len)));
    }
    trace_reader_close(r);
    if (status == TRACE_END && !(same && rows == n))
        fail_msg("damage was not noticed");
    return status == TRACE_END;
}

static void flip(off_t at)
{
    uint8_t b;
    int fd = open(path, O_RDWR);

    assert_int_equal(pread(fd, &b, 1, at), 1);
    b ^= 0x10;
    assert_int_equal(pwrite(fd, &b, 1, at), 1);
    close(fd);
}

static void a_flipped_bit_is_noticed(void **state)
{
    struct trace_writer *w = open_writer();
    struct stat st;
    unsigned noticed = 0;

    (void)state;
    write_rows(w, 0, 60);
    assert_int_equal(trace_writer_close(w), 0);
    assert_int_equal(stat(path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at < 64 ? 1 : 37) {
        flip(at);
        noticed += !reads_as_rows(60);
        flip(at);
    }
    assert_true(noticed > 64);
    assert_true(reads_as_rows(60));
}

static void files_that_are_no_traces_are_refused(void **state)
{
    static const char *const texts[] = {"", "GTMUXTR1", "GTMUXTR1\2\0\0\0\0\0\0\0", "GTMUXTR2\1\0\0\0\0\0\0\0",
                                        "#!/bin/sh and more than sixteen bytes"};
    static const size_t sizes[] = {0, 8, 16, 16, 37};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(texts); i++) {
        struct trace_reader *r;
        char err[128] = "";
        int fd = open(path, O_WRONLY | O_TRUNC);

        assert_int_equal(write(fd, texts[i], sizes[i]), sizes[i]);
        close(fd);
        assert_int_equal(trace_reader_open(&r, path, err, sizeof(err)), -EINVAL);
        assert_null(r);
        assert_non_null(strstr(err, path));
    }
}

static void a_missing_file_is_an_error_with_its_name(void **state)
{
    struct trace_reader *r;
    struct trace_writer *w;
    char err[128] = "";

    (void)state;
    assert_int_equal(trace_reader_open(&r, "/nonexistent/trace", err, sizeof(err)), -ENOENT);
    assert_non_null(strstr(err, "/nonexistent/trace"));
    assert_int_equal(trace_writer_open(&w, "/nonexistent/trace", err, sizeof(err)), -ENOENT);
    assert_null(w);
}

static void write_errors_stick(void **state)
{
    struct trace_writer *w;
    char err[128] = "";

    (void)state;
    if (access("/dev/full", W_OK))
        skip();
    assert_int_equal(trace_writer_open(&w, "/dev/full", err, sizeof(err)), -ENOSPC);
    assert_null(w);
    w = open_writer();
    trace_write(w, &(struct trace_record){.type = 200});
    assert_int_equal(trace_writer_error(w), -EINVAL);
    write_rows(w, 0, 10);
    assert_int_equal(trace_writer_close(w), -EINVAL);
}

static enum trace_status read_all_memory(const uint8_t *data, size_t len)
{
    struct trace_reader *r = trace_reader_memory(data, len);
    struct trace_record rec;
    enum trace_status status;

    while ((status = trace_read(r, &rec)) == TRACE_OK)
        ;
    trace_reader_close(r);
    return status;
}

static void bad_streams_are_named(void **state)
{
    static const struct {
        const char *name;
        uint8_t bytes[16];
        size_t len;
        enum trace_status status;
    } rows[] = {
        {"empty", {0}, 0, TRACE_END},
        {"type 0", {0}, 1, TRACE_DAMAGED},
        {"unknown type", {99}, 1, TRACE_DAMAGED},
        {"type byte only", {TRACE_RUN}, 1, TRACE_TRUNCATED},
        {"cut number", {TRACE_RUN, 0x80}, 2, TRACE_TRUNCATED},
        {"largest number", {TRACE_MEMORY, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 11, TRACE_END},
        {"65-bit number", {TRACE_MEMORY, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2}, 11, TRACE_DAMAGED},
        {"endless number", {TRACE_MEMORY, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, 12, TRACE_DAMAGED},
        {"data longer than a page", {TRACE_MEM, 0, 0, 0x81, 0x20}, 5, TRACE_DAMAGED},
        {"cut data", {TRACE_MEM, 0, 0, 4, 1, 2}, 6, TRACE_TRUNCATED},
        {"tick", {TRACE_TICK}, 1, TRACE_END},
    };

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        enum trace_status got = read_all_memory(rows[i].bytes, rows[i].len);
        if (got != rows[i].status)
            fail_msg("%s: status %d", rows[i].name, got);
    }
}

static void accesses_survive_packing(void **state)
{
    (void)state;
    for (unsigned region = 0; region < IOREQ_REGIONS; region++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            for (unsigned write = 0; write < 2; write++) {
                struct ioreq_access in = {(uint8_t)region, (uint8_t)size, write, UINT64_C(0xfedcba9876543210), 77};
                struct ioreq_access out;
                struct trace_record rec;

                trace_pack_access(&rec, &in);
                assert_true(trace_unpack_access(&rec, &out));
                assert_int_equal(out.region, region);
                assert_int_equal(out.size, size);
                assert_int_equal(out.write, write);
                assert_int_equal(out.off, in.off);
                assert_int_equal(out.data, write ? 77 : 0);
            }
        }
    }
}

static void impossible_accesses_are_refused(void **state)
{
    static const uint64_t bad[] = {9, 15, 0x80, 0x100, UINT64_MAX};
    struct ioreq_access a;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad); i++)
        assert_false(trace_unpack_access(&(struct trace_record){.type = TRACE_ACCESS, .arg = {bad[i]}}, &a));
    assert_false(trace_unpack_access(&(struct trace_record){.type = TRACE_TICK}, &a));
}

static void oversized_data_is_not_encoded(void **state)
{
    static uint8_t big[TRACE_DATA_MAX + 1];
    uint8_t out[TRACE_RECORD_MAX];

    (void)state;
    assert_int_equal(trace_encode(&(struct trace_record){.type = TRACE_MEM, .data = big, .len = sizeof(big)}, out), 0);
    assert_int_equal(trace_encode(&(struct trace_record){.type = 0}, out), 0);
    assert_int_equal(trace_encode(&(struct trace_record){.type = TRACE_TICK}, out), 1);
    assert_string_equal(trace_type_name(TRACE_TICK), "TICK");
    assert_string_equal(trace_type_name(1000), "?");
    assert_true(trace_is_event(TRACE_RUN));
    assert_false(trace_is_event(TRACE_MEM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_come_back_as_written, make_path, remove_path),
        cmocka_unit_test_setup_teardown(flushed_records_survive_a_killed_writer, make_path, remove_path),
        cmocka_unit_test_setup_teardown(flush_is_due_after_its_time_only, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_file_cut_anywhere_gives_a_prefix, make_path, remove_path),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_noticed, make_path, remove_path),
        cmocka_unit_test_setup_teardown(files_that_are_no_traces_are_refused, make_path, remove_path),
        cmocka_unit_test(a_missing_file_is_an_error_with_its_name),
        cmocka_unit_test_setup_teardown(write_errors_stick, make_path, remove_path),
        cmocka_unit_test(bad_streams_are_named),
        cmocka_unit_test(accesses_survive_packing),
        cmocka_unit_test(impossible_accesses_are_refused),
        cmocka_unit_test(oversized_data_is_not_encoded),
    };

    for (unsigned i = 0; i < sizeof(contents); i++)
        contents[i] = (uint8_t)(i * 2654435761u >> 13);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
