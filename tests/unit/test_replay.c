/* Recorded sessions of a real device replay to the same state; traces that were tampered with are found out. */
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

#include "mediator/gate.h"
#include "mediator/gate_record.h"
#include "mediator/replay.h"
#include "tests/fakes/ring_guest.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"
#include "vgpu/edid.h"

#define RAM_SIZE (1u << 20)

/* ---- a host with memory, and a guest on it */

static uint8_t ram[RAM_SIZE];
static uint64_t clock_now;
static char path[64];
static struct gate *gate;
static struct backend *backend;

#include "tests/unit/flat_ram.h"

static uint64_t ram_now(void *ctx)
{
    (void)ctx;
    return clock_now += 1234567;
}

static void write_bar0(void *ctx, uint64_t off, unsigned size, uint64_t val)
{
    (void)ctx;
    gate_access(gate, &(struct ioreq_access){IOREQ_BAR0, (uint8_t)size, true, off, val});
}

static uint32_t read_bar0(uint32_t off)
{
    struct ioreq_access a = {IOREQ_BAR0, 4, false, off, 0};

    gate_access(gate, &a);
    return (uint32_t)a.data;
}

static void store(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    assert_int_equal(ram_write(ctx, gpa, src, n), 0);
}

static const struct ring_guest guest = {.write = write_bar0, .store = store};

static void start_recording(void)
{
    const struct gate_host host = {
        .mem_read = ram_read, .mem_write = ram_write, .mem_cas = ram_cas, .now_ns = ram_now, .backend = backend};
    struct vgpu_config cfg;
    char err[256] = "";

    memset(ram, 0, sizeof(ram));
    clock_now = UINT64_C(1) << 40;
    vgpu_config_default(&cfg);
    if (gate_create(&gate, &cfg, &host, path, err, sizeof(err)))
        fail_msg("%s", err);
}

static void end_recording(void)
{
    gate_destroy(gate);
    gate = NULL;
}

static void run_until_idle(unsigned engine)
{
    for (unsigned i = 0; i < 1000 && gate_engine_run(gate, engine, 64) != VGPU_RUN_IDLE; i++)
        ;
}

/* A batch that stores, swaps and copies, then a request on another engine, and some registers. */
static void work(void)
{
    uint32_t ring[16], image[1024];
    const uint32_t batch[] = {rg_op(C_MI_STORE_DATA_IMM, 4),
                              RG_DATA,
                              0,
                              0xfeedf00d,
                              rg_op(C_MI_COPY_MEM_MEM, 5),
                              RG_DATA + 0x100,
                              0,
                              RG_DATA,
                              0,
                              rg_op(C_MI_BATCH_BUFFER_END, 1)};
    uint32_t tail = rg_call_batch(ring);

    rg_map(&guest);
    store(NULL, RG_RING, ring, sizeof(ring));
    store(NULL, RG_BATCH, batch, sizeof(batch));
    for (unsigned engine = 0; engine < VGPU_ENGINES; engine++) {
        rg_image(image, engine, tail);
        store(NULL, RG_REGISTERS, image, sizeof(image));
        rg_start_engine(&guest, engine);
        rg_submit(&guest, engine);
        run_until_idle(engine);
        read_bar0(reg_off(R_TIMESTAMP, engine, 0));
    }
    gate_display_tick(gate);
    gate_head_set(gate, 1, true, &(struct vgpu_mode){1280, 1024, 75000});
    uint8_t edid[VGPU_EDID_BUILT];
    unsigned size = vgpu_edid_build(&(struct vgpu_mode){800, 600, 60000}, 2, edid);

    assert_int_equal(gate_head_set_edid(gate, 2, edid, size), 0);
    gate_access(gate, &(struct ioreq_access){IOREQ_CONFIG, 2, true, 4, 6});
}

static struct replay_result replay_ok(void)
{
    struct replay_result res;
    char err[256] = "";

    if (replay_run(path, &res, err, sizeof(err)))
        fail_msg("%s", err);
    return res;
}

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), P_tmpdir "/gtmux-replay-XXXXXX");
    int fd = mkstemp(path);

    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    if (gate)
        end_recording();
    return unlink(path);
}

/* ---- sessions */

static void a_session_replays_to_the_same_state(void **state)
{
    uint32_t stored, copied;

    (void)state;
    start_recording();
    work();
    uint64_t hash = gate_finish(gate);
    end_recording();
    memcpy(&stored, ram + RG_DATA, 4);
    memcpy(&copied, ram + RG_DATA + 0x100, 4);
    assert_int_equal(stored, 0xfeedf00d); /* it did run */
    assert_int_equal(copied, 0xfeedf00d);

    struct replay_result res = replay_ok();
    assert_string_equal(res.first, "");
    assert_int_equal(res.divergences, 0);
    assert_true(res.finished);
    assert_false(res.truncated);
    assert_int_equal(res.hash, hash);
    assert_int_equal(res.recorded, hash);
    assert_true(res.accesses > 100);
    assert_int_equal(replay_print(&res), 0);
}

static void the_hash_depends_on_the_session(void **state)
{
    (void)state;
    start_recording();
    uint64_t fresh = gate_finish(gate);
    end_recording();
    start_recording();
    work();
    assert_int_not_equal(fresh, gate_finish(gate));
}

/* The replayer has no map; what the guest or another device stores must arrive through the trace. */
static void memory_that_changes_behind_the_device_replays(void **state)
{
    uint32_t ring[16], image[1024];
    const uint32_t batches[2][5] = {
        {rg_op(C_MI_STORE_DATA_IMM, 4), RG_DATA, 0, 1, rg_op(C_MI_BATCH_BUFFER_END, 1)},
        {rg_op(C_MI_STORE_DATA_IMM, 4), RG_DATA + 8, 0, 2, rg_op(C_MI_BATCH_BUFFER_END, 1)}};

    (void)state;
    start_recording();
    rg_map(&guest);
    rg_start_engine(&guest, VGPU_RCS);
    for (unsigned i = 0; i < 2; i++) {
        rg_image(image, VGPU_RCS, rg_call_batch(ring));
        store(NULL, RG_REGISTERS, image, sizeof(image));
        store(NULL, RG_RING, ring, sizeof(ring));
        store(NULL, RG_BATCH, batches[i], sizeof(batches[i]));
        rg_submit(&guest, VGPU_RCS);
        run_until_idle(VGPU_RCS);
    }
    assert_int_equal(ram[RG_DATA], 1);
    assert_int_equal(ram[RG_DATA + 8], 2);
    uint64_t hash = gate_finish(gate);
    end_recording();
    struct replay_result res = replay_ok();
    assert_string_equal(res.first, "");
    assert_int_equal(res.hash, hash);
}

static void a_reset_and_a_hang_replay(void **state)
{
    uint32_t ring[16], image[1024];
    const uint32_t bad = rg_op(C_MI_BATCH_BUFFER_START, 3) | 1u << 8;

    (void)state;
    start_recording();
    rg_map(&guest);
    rg_start_engine(&guest, VGPU_RCS);
    rg_image(image, VGPU_RCS, rg_call_batch(ring));
    ring[1] = 0x7ffff000; /* nothing is mapped there */
    store(NULL, RG_REGISTERS, image, sizeof(image));
    store(NULL, RG_RING, ring, sizeof(ring));
    store(NULL, RG_BATCH, &bad, sizeof(bad));
    rg_submit(&guest, VGPU_RCS);
    run_until_idle(VGPU_RCS);
    rg_reg(&guest, R_GDRST, 0, 1u << engine_table[VGPU_RCS].gdrst_bit);
    gate_memory_begin(gate);
    gate_memory_end(gate);
    gate_reset(gate);
    work();
    uint64_t hash = gate_finish(gate);
    end_recording();
    struct replay_result res = replay_ok();
    assert_string_equal(res.first, "");
    assert_int_equal(res.hash, hash);
}

/* When the guest is told of a flip is news from outside. */
static void flips_that_wait_for_their_viewers_replay(void **state)
{
    struct vgpu_scanout s;
    struct vgpu_stats st;

    (void)state;
    start_recording();
    write_bar0(NULL, reg_off(R_TRANS_DDI_FUNC_CTL, 0, 0), 4, 1u << 31 | 1u << 28);
    write_bar0(NULL, reg_off(R_TRANSCONF, 0, 0), 4, 1u << 31);
    write_bar0(NULL, reg_off(R_PLANE_CTL, 0, 0), 4, 1u << 31 | 4u << 24);
    gate_flip_wait(gate, 0, 50000000);
    gate_flip_wait(gate, 77, 1);
    for (uint32_t i = 1; i < 20; i++) {
        if (i == 12)
            gate_flip_pace(gate, 0, 33333333);
        write_bar0(NULL, reg_off(R_PLANE_SURF, 0, 0), 4, i << 20);
        for (unsigned k = 0; k < 8; k++) {
            clock_now += 2000000;
            gate_display_tick(gate);
        }
        assert_true(gate_scanout(gate, 0, &s));
        if (i % 4)
            gate_flip_shown(gate, 0, s.flip);
        read_bar0(reg_off(R_PLANE_SURFLIVE, 0, 0));
        read_bar0(reg_off(R_PIPE_FRMCOUNT, 0, 0));
    }
    gate_stats(gate, &st);
    assert_in_range(st.flips_kept[0], 10, 20);
    uint64_t hash = gate_finish(gate);

    end_recording();
    struct replay_result res = replay_ok();

    assert_string_equal(res.first, "");
    assert_int_equal(res.hash, hash);
}

static void a_killed_recording_replays_to_where_it_got(void **state)
{
    struct stat st;

    (void)state;
    start_recording();
    work();
    gate_flush(gate);
    assert_int_equal(stat(path, &st), 0);
    work();
    gate_finish(gate);
    end_recording();
    assert_int_equal(truncate(path, st.st_size), 0);
    struct replay_result res = replay_ok();
    assert_true(res.truncated);
    assert_false(res.finished);
    assert_string_equal(res.first, "");
    assert_int_not_equal(res.hash, 0);
    assert_int_equal(replay_print(&res), 0);
}

/* ---- made-up traces, uncompressed */

struct stream {
    uint8_t bytes[65536];
    size_t n;
};

static void put(struct stream *s, struct trace_record rec)
{
    assert_true(s->n + TRACE_RECORD_MAX <= sizeof(s->bytes));
    size_t n = trace_encode(&rec, s->bytes + s->n);

    assert_int_not_equal(n, 0);
    s->n += n;
}

#define PUT(s, ...) put(s, (struct trace_record){__VA_ARGS__})

static int replay_stream(const struct stream *s, const struct replay_options *opt, struct replay_result *res, char *err,
                         size_t errsz)
{
    struct trace_reader *r = trace_reader_memory(s->bytes, s->n);
    int ret = replay_trace(r, opt, res, err, errsz);

    trace_reader_close(r);
    return ret;
}

static struct stream stream;
static struct replay_result res;
static struct replay_options opt;
static char err[256];

static int fresh_stream(void **state)
{
    (void)state;
    stream.n = 0;
    err[0] = 0;
    replay_options_default(&opt);
    opt.hash = false;
    return 0;
}

static int replay_it(void)
{
    return replay_stream(&stream, &opt, &res, err, sizeof(err));
}

#define ACCESS_READ4 0x20u /* BAR0, 4 bytes */

static void a_differing_read_is_reported_by_name(void **state)
{
    (void)state;
    PUT(&stream, .type = TRACE_ACCESS, .arg = {ACCESS_READ4, reg_off(R_HWS_PGA, VGPU_BCS, 0)});
    PUT(&stream, .type = TRACE_RESULT, .arg = {0, 0x1234});
    assert_int_equal(replay_it(), 0);
    assert_int_equal(res.divergences, 1);
    assert_non_null(strstr(res.first, "HWS_PGA"));
    assert_non_null(strstr(res.first, "event 1, read"));
    assert_non_null(strstr(res.first, "0x0, recorded 0x1234"));
    assert_int_equal(replay_print(&res), 1);
}

static void unasked_results_are_a_divergence(void **state)
{
    (void)state;
    PUT(&stream, .type = TRACE_RESET);
    PUT(&stream, .type = TRACE_FAULT, .arg = {1000});
    PUT(&stream, .type = TRACE_RESULT);
    assert_int_equal(replay_it(), 0);
    assert_true(res.divergences >= 1);
    assert_non_null(strstr(res.first, "FAULT"));
}

static void contents_beside_events_still_reach_memory(void **state)
{
    (void)state;
    PUT(&stream, .type = TRACE_MEM, .arg = {0, 0x5000}, .data = (const uint8_t *)"xy", .len = 2);
    PUT(&stream, .type = TRACE_TIME, .arg = {0, 50});
    PUT(&stream, .type = TRACE_RESULT);
    PUT(&stream, .type = TRACE_TICK);
    assert_int_equal(replay_it(), 0);
    assert_int_equal(res.events, 1);
}

static void an_empty_trace_is_no_event(void **state)
{
    (void)state;
    assert_int_equal(replay_it(), 0);
    assert_int_equal(res.events, 0);
    assert_false(res.finished);
}

static void malformed_traces_are_errors(void **state)
{
    static const struct {
        const char *name;
        struct trace_record rec;
    } rows[] = {
        {"engine", {.type = TRACE_RUN, .arg = {VGPU_ENGINES, 1}}},
        {"engine, large", {.type = TRACE_RUN, .arg = {UINT64_MAX, 1}}},
        {"region", {.type = TRACE_ACCESS, .arg = {9}}},
        {"head, large", {.type = TRACE_HEAD, .arg = {UINT64_C(1) << 32, 1}}},
        {"flip, head", {.type = TRACE_WAIT, .arg = {UINT64_C(1) << 32, 1}}},
        {"flip, number", {.type = TRACE_SHOWN, .arg = {0, UINT64_C(1) << 32}}},
        {"EDID, head", {.type = TRACE_EDID, .arg = {UINT64_C(1) << 32}, .data = (const uint8_t *)"E", .len = 1}},
        {"flip, pace", {.type = TRACE_PACE, .arg = {UINT64_C(1) << 32, 1}}},
        {"head, flags", {.type = TRACE_HEAD, .arg = {0, 4}}},
        {"mode", {.type = TRACE_HEAD, .arg = {0, 3, 65536}}},
        {"contents across pages", {.type = TRACE_MEM, .arg = {0, 0xfff}, .data = (const uint8_t *)"xy", .len = 2}},
        {"unknown setting", {.type = TRACE_SETTING, .arg = {9999, 0}}},
        {"setting, large", {.type = TRACE_SETTING, .arg = {RECORD_HEADS, UINT64_C(1) << 32}}},
    };

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        fresh_stream(NULL);
        put(&stream, rows[i].rec);
        if (replay_it() != -EINVAL || !err[0])
            fail_msg("%s: not refused", rows[i].name);
    }
}

static void an_impossible_device_is_an_error(void **state)
{
    (void)state;
    PUT(&stream, .type = TRACE_SETTING, .arg = {RECORD_HEADS, 77});
    PUT(&stream, .type = TRACE_CREATE);
    assert_true(replay_it() < 0);
    assert_non_null(strstr(err, "cannot make the device"));
    fresh_stream(NULL);
    PUT(&stream, .type = TRACE_CREATE);
    PUT(&stream, .type = TRACE_CREATE);
    assert_int_equal(replay_it(), -EINVAL);
    fresh_stream(NULL);
    PUT(&stream, .type = TRACE_CREATE);
    PUT(&stream, .type = TRACE_SETTING, .arg = {RECORD_HEADS, 1});
    assert_int_equal(replay_it(), -EINVAL);
}

static void an_odd_head_is_the_devices_business(void **state)
{
    (void)state;
    PUT(&stream, .type = TRACE_HEAD, .arg = {7, 1});
    PUT(&stream, .type = TRACE_RESULT, .arg = {0, (uint64_t)-EINVAL});
    assert_int_equal(replay_it(), 0);
    assert_int_equal(res.divergences, 0);
}

static void limits_end_a_trace(void **state)
{
    (void)state;
    opt.max_pages = 2;
    for (unsigned i = 0; i < 3; i++)
        PUT(&stream, .type = TRACE_MEM, .arg = {0, i * 4096}, .data = (const uint8_t *)"x", .len = 1);
    assert_int_equal(replay_it(), -ENOMEM);
    fresh_stream(NULL);
    opt.max_events = 5;
    for (unsigned i = 0; i < 9; i++)
        PUT(&stream, .type = TRACE_TICK);
    assert_int_equal(replay_it(), 0);
    assert_int_equal(res.events, 5);
}

static void damage_in_the_middle_is_an_error(void **state)
{
    (void)state;
    PUT(&stream, .type = TRACE_TICK);
    stream.bytes[stream.n++] = 0xee;
    assert_int_equal(replay_it(), -EINVAL);
    assert_non_null(strstr(err, "unknown record type"));
}

static void files_that_cannot_be_read_are_errors(void **state)
{
    (void)state;
    assert_int_equal(replay_run("/nonexistent/trace", &res, err, sizeof(err)), -ENOENT);
    assert_non_null(strstr(err, "/nonexistent/trace"));
}

static void count_finished(void *ctx, struct vgpu *v)
{
    struct vgpu_stats stats;

    vgpu_get_stats(v, &stats);
    *(uint64_t *)ctx = stats.mmio_reads;
}

static void the_device_can_be_looked_at_in_the_end(void **state)
{
    uint64_t reads = 0;

    (void)state;
    opt.finished = count_finished;
    opt.ctx = &reads;
    PUT(&stream, .type = TRACE_ACCESS, .arg = {ACCESS_READ4, reg_off(R_HWS_PGA, VGPU_BCS, 0)});
    assert_int_equal(replay_it(), 0);
    assert_int_equal(reads, 1);
}

#define FILE_TEST(test)   cmocka_unit_test_setup_teardown(test, make_path, remove_path)
#define STREAM_TEST(test) cmocka_unit_test_setup(test, fresh_stream)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_session_replays_to_the_same_state),
        FILE_TEST(the_hash_depends_on_the_session),
        FILE_TEST(memory_that_changes_behind_the_device_replays),
        FILE_TEST(a_reset_and_a_hang_replay),
        FILE_TEST(flips_that_wait_for_their_viewers_replay),
        FILE_TEST(a_killed_recording_replays_to_where_it_got),
        STREAM_TEST(a_differing_read_is_reported_by_name),
        STREAM_TEST(unasked_results_are_a_divergence),
        STREAM_TEST(contents_beside_events_still_reach_memory),
        STREAM_TEST(an_empty_trace_is_no_event),
        STREAM_TEST(malformed_traces_are_errors),
        STREAM_TEST(an_impossible_device_is_an_error),
        STREAM_TEST(an_odd_head_is_the_devices_business),
        STREAM_TEST(limits_end_a_trace),
        STREAM_TEST(damage_in_the_middle_is_an_error),
        STREAM_TEST(files_that_cannot_be_read_are_errors),
        STREAM_TEST(the_device_can_be_looked_at_in_the_end),
    };

    gt_log_set_level(GT_LOG_ERROR);
    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err)))
        return 1;
    backend = backend_soft_create(1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (backend)
        backend->ops->destroy(backend);
    return failed;
}
