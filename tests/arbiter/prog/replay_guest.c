/*
 * A guest that was recorded (gtmux-dm --record), played to a device model that lives: a vfio-user client with the
 * guest's accesses and the contents of its memory, in their order and as fast as they are answered. Then it is a guest
 * that works (ring_guest.h). For tests/arbiter/density, which speaks to it by lines:
 *
 *   it says   booted {"ms":...,"accesses":...,"other_reads":...}
 *   it hears  work REQUESTS STORES     submits REQUESTS batches of STORES words each, and looks at every word
 *   it says   worked {"ms":...,"right":...,"wrong":...,"lost":...}
 *   it hears  pages N                  one batch that writes to N pages
 *   it says   worked ...
 * The end of its input ends it.
 */
#include "ioreq/trace.h"
#include "mediator/gate_record.h"
#include "tests/fakes/dm_guest.h"

#define RAM_SIZE     (UINT64_C(1) << 30)
#define PATIENCE_NS  UINT64_C(60000000000)
#define PAGES_AT     UINT64_C(0x20000000) /* guest physical and GPU address of what `pages` writes to */
#define PAGES_TABLES UINT64_C(0x1000000)
#define PAGES_MAX    65536u

struct player {
    struct dm_guest g;
    struct trace_record *rec;
    size_t n;
    unsigned accesses, other_reads;
    uint32_t submitted; /* engines whose rest is to be waited for */
};

/* ---- the recording */

static void keep(struct player *p, const struct trace_record *rec)
{
    uint8_t *data = rec->len ? malloc(rec->len) : NULL;

    if (p->n % 4096 == 0)
        p->rec = realloc(p->rec, (p->n + 4096) * sizeof(*p->rec));
    dg_check(p->rec && (data || !rec->len), "memory for the recording");
    if (data)
        memcpy(data, rec->data, rec->len);
    p->rec[p->n] = *rec;
    p->rec[p->n++].data = data;
}

static void load(struct player *p, const char *path)
{
    struct trace_reader *r;
    struct trace_record rec;
    char err[300];

    if (trace_reader_open(&r, path, err, sizeof(err))) {
        fprintf(stderr, "%s\n", err);
        exit(1);
    }
    while (trace_read(r, &rec) == TRACE_OK)
        keep(p, &rec);
    trace_reader_close(r);
}

/* The contents that the event at `at` found. Returns where its records end. */
static size_t put_memory(struct player *p, size_t at)
{
    size_t i = at + 1;

    for (; i < p->n && !trace_is_event(p->rec[i].type); i++)
        if (p->rec[i].type == TRACE_MEM)
            dg_store(&p->g, p->rec[i].arg[1], p->rec[i].data, p->rec[i].len);
    return i;
}

/* The engine whose submit port the access writes to, or -1. */
static int submits_to(const struct ioreq_access *a)
{
    for (unsigned e = 0; e < VGPU_ENGINES; e++)
        if (a->write && a->region == IOREQ_BAR0 && a->off == reg_off(R_ELSP, e, 0))
            return (int)e;
    return -1;
}

/* A live engine looks at memory as soon as it has work, so what the recorded one found, up to its next rest, has to be
 * there before. Returns false when it did nothing. */
static bool put_work(struct player *p, size_t at, unsigned engine)
{
    bool ran = false;

    for (size_t i = at + 1; i < p->n; i++) {
        if (p->rec[i].type != TRACE_RUN || p->rec[i].arg[0] != engine)
            continue;
        size_t end = put_memory(p, i);

        ran = true;
        if (p->rec[end - 1].type == TRACE_RESULT && p->rec[end - 1].arg[1] == VGPU_RUN_IDLE)
            break;
    }
    return ran;
}

/* The guest waited for its engines. */
static void rest(struct player *p)
{
    for (unsigned e = 0; p->submitted && e < VGPU_ENGINES; e++)
        if (p->submitted & GT_BIT(e))
            dg_check(dg_wait_idle(&p->g, e, PATIENCE_NS), "waiting for an engine");
    p->submitted = 0;
}

static void play_access(struct player *p, size_t at, const struct ioreq_access *a)
{
    uint64_t got = 0;
    size_t i = at + 1;

    p->accesses++;
    if (a->write) {
        dg_check(!client_region_write(p->g.sock, a->region, a->off, a->size, &a->data), "a write");
        return;
    }
    dg_check(!client_region_read(p->g.sock, a->region, a->off, a->size, &got), "a read");
    while (i < p->n && p->rec[i].type != TRACE_RESULT)
        i++;
    p->other_reads += i < p->n && p->rec[i].arg[1] != got;
}

static void play(struct player *p)
{
    struct ioreq_access a;
    struct client_reply r;

    for (size_t i = 0; i < p->n; i++) {
        if (p->rec[i].type == TRACE_RESET)
            dg_check(!client_call(p->g.sock, VU_DEVICE_RESET, NULL, 0, NULL, 0, &r), "a reset");
        if (p->rec[i].type != TRACE_ACCESS)
            continue;
        dg_check(trace_unpack_access(&p->rec[i], &a), "reading an access");
        put_memory(p, i);
        int engine = submits_to(&a);
        bool works = engine >= 0 && put_work(p, i, (unsigned)engine);

        play_access(p, i, &a);
        if (works)
            p->submitted |= GT_BIT(engine);
        else
            rest(p);
    }
}

/* ---- work */

static uint32_t value(unsigned request, unsigned i)
{
    return (uint32_t)getpid() * 2654435761u + request * 40503u + i;
}

static void write_batch(struct dm_guest *g, unsigned request, unsigned stores)
{
    uint32_t *dw = (uint32_t *)(g->ram + RG_BATCH);

    for (unsigned i = 0; i < stores; i++) {
        *dw++ = rg_op(C_MI_STORE_DATA_IMM, 4);
        *dw++ = RG_DATA + i * 4;
        *dw++ = 0;
        *dw++ = value(request, i);
    }
    *dw = rg_op(C_MI_BATCH_BUFFER_END, 1);
}

static void say(uint64_t start, unsigned right, unsigned wrong, unsigned lost)
{
    printf("worked {\"ms\":%.3f,\"right\":%u,\"wrong\":%u,\"lost\":%u}\n", (double)(gt_clock_ns() - start) / 1e6, right,
           wrong, lost);
}

static void work(struct player *p, unsigned requests, unsigned stores)
{
    const uint32_t *data = (const uint32_t *)(p->g.ram + RG_DATA);
    unsigned right = 0, wrong = 0, lost = 0;
    uint64_t start = gt_clock_ns();

    dg_start(&p->g, VGPU_RCS);
    for (unsigned n = 0; n < requests; n++) {
        write_batch(&p->g, n, stores);
        dg_submit(&p->g, VGPU_RCS);
        lost += !dg_wait(&p->g, VGPU_RCS, PATIENCE_NS);
        for (unsigned i = 0; i < stores; i++)
            *(data[i] == value(n, i) ? &right : &wrong) += 1;
    }
    say(start, right, wrong, lost);
}

/* Page tables for the pages, behind the third level of ring_guest.h's; each page holds a word afterwards. A driver
 * would reset the engine when it hangs; this one does so when nothing has come for two seconds. */
static void touch_pages(struct player *p, unsigned pages)
{
    struct dm_guest *g = &p->g;
    unsigned right = 0, lost = 0;
    uint64_t start = gt_clock_ns();

    dg_start(g, VGPU_RCS);
    for (unsigned i = 0; i < pages; i++) {
        uint64_t at = PAGES_AT + i * UINT64_C(4096), table = PAGES_TABLES + (i >> 9) * UINT64_C(4096);

        rg_store64(&g->ring, RG_TABLES + 0x2000 + (at >> 21) % 512 * 8, table | RG_PTE);
        rg_store64(&g->ring, table + (i & 511) * 8, at | RG_PTE);
    }
    for (unsigned first = 0; first < pages && !lost; first += 512) {
        uint32_t *dw = (uint32_t *)(g->ram + RG_BATCH);

        for (unsigned i = first; i < first + 512 && i < pages; i++) {
            *dw++ = rg_op(C_MI_STORE_DATA_IMM, 4);
            *dw++ = (uint32_t)(PAGES_AT + i * UINT64_C(4096));
            *dw++ = 0;
            *dw++ = i + 1;
        }
        *dw = rg_op(C_MI_BATCH_BUFFER_END, 1);
        dg_submit(g, VGPU_RCS);
        lost += !dg_wait(g, VGPU_RCS, UINT64_C(2000000000));
    }
    for (unsigned i = 0; i < pages; i++)
        right += *(const uint32_t *)(g->ram + PAGES_AT + i * UINT64_C(4096)) == i + 1;
    if (lost)
        dg_write(g, reg_off(R_GDRST, 0, 0), 4, 1);
    say(start, right, pages - right, lost);
}

static bool obey(struct player *p, const char *line)
{
    unsigned a, b;

    if (sscanf(line, "work %u %u", &a, &b) == 2 && b <= RG_BATCH_SIZE / 16 - 1)
        work(p, a, b);
    else if (sscanf(line, "pages %u", &a) == 1 && a <= PAGES_MAX)
        touch_pages(p, a);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct player p = {.n = 0};
    char line[80];

    if (argc != 3) {
        fprintf(stderr, "usage: replay_guest SOCKET TRACE\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    load(&p, argv[2]);
    dg_connect(&p.g, argv[1], RAM_SIZE);
    uint64_t start = gt_clock_ns();

    play(&p);
    printf("booted {\"ms\":%.3f,\"accesses\":%u,\"other_reads\":%u}\n", (double)(gt_clock_ns() - start) / 1e6,
           p.accesses, p.other_reads);
    while (fgets(line, sizeof(line), stdin))
        if (!obey(&p, line))
            return 2;
    dg_leave(&p.g);
    return 0;
}
