/*
 * The whole device through the replay transport: the input is an uncompressed record stream (docs/trace-format.md). The
 * mutator knows records: it inserts, drops and repeats whole ones, with registers and page table entries that exist.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ioreq/trace.h"
#include "mediator/gate_record.h"
#include "mediator/replay.h"
#include "tests/fakes/ring_guest.h"
#include "tests/fuzz/random.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"
#include "vgpu/edid.h"

#define MAX_RECORDS 1024u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char err[128];

    (void)argc;
    (void)argv;
    gt_log_set_level(GT_LOG_ERROR);
    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err)))
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct replay_options opt = {
        .max_pages = 4096,
        .max_events = 4096,
        .max_step_ns = 1000000000,
        .max_budget = 512,
        .max_rows = 16,
    };
    struct replay_result res;
    char err[256];
    struct trace_reader *trace = trace_reader_memory(data, size);

    if (!trace)
        return 0;
    replay_trace(trace, &opt, &res, err, sizeof(err));
    trace_reader_close(trace);
    return 0;
}

/* ---- mutation */

static uint32_t rnd_address(void)
{
    return RG_FIRST + (rnd(RG_END - RG_FIRST) & ~(rnd(2) ? 0xfffu : 7u));
}

static uint32_t rnd_value(void)
{
    switch (rnd(6)) {
    case 0:
        return 1u << rnd(32);
    case 1:
        return 0x10001u << rnd(16); /* set a bit of a masked register */
    case 2:
        return rnd_address() | rnd(4);
    case 3:
        return rnd(2) ? 0 : UINT32_MAX;
    case 4:
        return 0x80000000u | rnd(1u << 16);
    default:
        return rnd(UINT32_MAX);
    }
}

static uint32_t rnd_register(void)
{
    static const uint8_t units[] = {
        [REG_GLOBAL] = 1, [REG_ENGINE] = VGPU_ENGINES, [REG_PIPE] = 3, [REG_TRANS] = 4, [REG_PORT] = 5};
    unsigned id = rnd(R_COUNT);
    const struct reg_desc *row = &reg_table[id];

    return reg_off((enum reg_id)id, rnd(units[row->block]), rnd(row->count ? row->count : 1));
}

static struct trace_record rnd_access(void)
{
    struct ioreq_access a = {.region = IOREQ_BAR0, .size = 4, .write = rnd(4) != 0, .data = rnd_value()};
    struct trace_record rec;

    switch (rnd(8)) {
    case 0:
        a.region = IOREQ_CONFIG;
        a.off = rnd(VGPU_CFG_SIZE);
        a.size = (uint8_t)(1u << rnd(3));
        break;
    case 1:
        a.region = IOREQ_BAR2;
        a.off = rnd_address();
        a.size = (uint8_t)(1u << rnd(4));
        break;
    case 2:
        a.off = VGPU_GTT_OFFSET + rnd_address() / 4096 * 8;
        a.size = 8;
        a.data = (rnd_address() & ~0xfffu) | RG_PTE;
        break;
    case 3:
        a.region = IOREQ_BAR4;
        a.off = 4 * rnd(2);
        a.data = rnd(2) ? rnd_register() : rnd_value();
        break;
    default:
        a.off = rnd_register();
        a.size = rnd(16) ? 4 : (uint8_t)(1u << rnd(4));
        break;
    }
    trace_pack_access(&rec, &a);
    return rec;
}

static struct trace_record rnd_memory(uint32_t word[4])
{
    word[0] = rnd(2) ? cmd_table[rnd(C_COUNT)].op | rnd(8) : rnd_value();
    for (unsigned i = 1; i < 4; i++)
        word[i] = rnd_value();
    return (struct trace_record){
        .type = TRACE_MEM, .arg = {0, rnd_address()}, .data = (const uint8_t *)word, .len = 4u + 4u * rnd(2)};
}

/* A value for AUX registers: what makes a message, as often as not a sensible one. */
static struct trace_record rnd_aux(void)
{
    static const uint32_t head[] = {0x90000000, 0x80000000, 0x80010000, 0x90020000, 0x00005000,
                                    0x40005000, 0x40003000, 0x50005000, 0x10005000, 0x20005000};
    const unsigned port = rnd(5);
    struct ioreq_access a = {.region = IOREQ_BAR0, .size = 4, .write = true};
    struct trace_record rec;

    if (rnd(2)) {
        a.off = reg_off(R_DP_AUX_CH_DATA, port, rnd(4) ? 0 : rnd(5));
        a.data = head[rnd(GT_ARRAY_SIZE(head))] | rnd(rnd(2) ? 17 : 0x1000);
    } else {
        a.off = reg_off(R_DP_AUX_CH_CTL, port, 0);
        a.data = 0xe0000000u | rnd(32) << 20;
    }
    trace_pack_access(&rec, &a);
    return rec;
}

/* A built EDID, or one with a byte changed, or with an end of its own. */
static struct trace_record rnd_edid(void)
{
    static uint8_t edid[VGPU_EDID_MAX];
    const struct vgpu_mode mode = {(uint16_t)(64 + rnd(4033)), (uint16_t)(64 + rnd(2241)), 1000u << rnd(7)};
    size_t size = vgpu_edid_build(&mode, rnd(4), edid);

    if (!size || rnd(4) == 0)
        size = rnd(sizeof(edid) + 1);
    if (rnd(2))
        edid[rnd(sizeof(edid))] = (uint8_t)rnd(256);
    return (struct trace_record){.type = TRACE_EDID, .arg = {rnd(4)}, .data = edid, .len = size};
}

static struct trace_record rnd_record(uint32_t word[4])
{
    switch (rnd(21)) {
    case 0:
        return (struct trace_record){.type = TRACE_TICK};
    case 16:
        return (struct trace_record){.type = TRACE_WAIT, .arg = {rnd(4), rnd(60000000)}};
    case 20:
        return (struct trace_record){.type = TRACE_PACE, .arg = {rnd(4), rnd(60000000)}};
    case 17:
        return (struct trace_record){.type = TRACE_SHOWN, .arg = {rnd(4), rnd(8)}};
    case 18:
        return rnd_aux();
    case 19:
        return rnd_edid();
    case 1:
        return (struct trace_record){.type = TRACE_TIME, .arg = {0, rnd(40000000)}};
    case 2:
        return (struct trace_record){.type = TRACE_HEAD,
                                     .arg = {rnd(4), rnd(4), 64 + rnd(4100), 64 + rnd(2400), 1000u << rnd(8)}};
    case 3:
        return (struct trace_record){.type = rnd(4) ? TRACE_FINISH : TRACE_RESET};
    case 4:
        return (struct trace_record){.type = TRACE_FAULT, .arg = {1 + rnd(8)}};
    case 5:
    case 6:
        return (struct trace_record){.type = TRACE_RUN, .arg = {rnd(VGPU_ENGINES), rnd(512)}};
    case 7:
    case 8:
        return rnd_memory(word);
    default:
        return rnd_access();
    }
}

/* Where records begin: start[0..n], the last being the end of what could be decoded. */
static unsigned find_records(const uint8_t *data, size_t size, size_t start[MAX_RECORDS + 1])
{
    struct trace_reader *r = trace_reader_memory(data, size);
    struct trace_record rec;
    uint8_t scratch[TRACE_RECORD_MAX];
    unsigned n = 0;

    start[0] = 0;
    while (r && n < MAX_RECORDS && trace_read(r, &rec) == TRACE_OK) {
        /* Overlong varints would be shorter here; positions are then a little off, which is as good a mutation as any.
         */
        size_t end = start[n] + trace_encode(&rec, scratch);

        if (end > size)
            break;
        start[++n] = end;
    }
    trace_reader_close(r);
    return n;
}

static size_t insert(uint8_t *data, size_t size, size_t max_size, size_t at, const uint8_t *bytes, size_t n)
{
    if (n > max_size - size)
        return size;
    memmove(data + at + n, data + at, size - at);
    memcpy(data + at, bytes, n);
    return size + n;
}

static size_t insert_new(uint8_t *data, size_t size, size_t max_size, size_t at)
{
    uint8_t bytes[TRACE_RECORD_MAX];
    uint32_t word[4];
    struct trace_record rec = rnd_record(word);

    return insert(data, size, max_size, at, bytes, trace_encode(&rec, bytes));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t start[MAX_RECORDS + 1];
    uint8_t copy[TRACE_RECORD_MAX];

    rng_state = seed;
    if (rnd(3) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    unsigned n = find_records(data, size, start);
    unsigned at = rnd(n + 1);
    size_t len = at < n ? start[at + 1] - start[at] : 0;

    switch (rnd(4)) {
    case 0:
        if (len && size > len) {
            memmove(data + start[at], data + start[at + 1], size - start[at + 1]);
            return size - len;
        }
        break;
    case 1:
        if (len && len <= sizeof(copy)) {
            memcpy(copy, data + start[at], len);
            return insert(data, size, max_size, start[rnd(n + 1)], copy, len);
        }
        break;
    default:
        break;
    }
    return insert_new(data, size, max_size, start[at]);
}
