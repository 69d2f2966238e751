/*
 * Writes the seed inputs of fuzz_device and fuzz_stream: make_seeds CORPUS-FOLDER. Built and run by tests/fuzz/run
 * --write-seeds. Offsets and opcodes come from the tables, so run it again when those move.
 *
 * make_seeds --prefix TRACE BYTES FILE cuts the first events out of a recorded trace, as a seed of fuzz_device.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ioreq/trace.h"
#include "tests/fakes/ring_guest.h"
#include "tests/unit/aux_message.h"
#include "vgpu/base/bits.h"

static uint8_t out[1 << 20];
static size_t size;

static void put_bytes(const void *p, size_t n)
{
    if (!gt_range_ok(size, n, sizeof(out)))
        abort();
    memcpy(out + size, p, n);
    size += n;
}

static void save(const char *folder, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(out, 1, size, f) != size || fclose(f)) {
        perror(path);
        exit(1);
    }
    printf("%s: %zu bytes\n", path, size);
    size = 0;
}

/* ---- device: record streams */

static void put(struct trace_record rec)
{
    uint8_t bytes[TRACE_RECORD_MAX];

    put_bytes(bytes, trace_encode(&rec, bytes));
}

#define PUT(...) put((struct trace_record){__VA_ARGS__})

static void put_access(unsigned region, unsigned width, bool write, uint64_t off, uint64_t data)
{
    struct trace_record rec;

    trace_pack_access(&rec, &(struct ioreq_access){(uint8_t)region, (uint8_t)width, write, off, data});
    put(rec);
}

static void guest_write(void *ctx, uint64_t off, unsigned width, uint64_t val)
{
    (void)ctx;
    put_access(IOREQ_BAR0, width, true, off, val);
}

/* Contents go in without the zeros that memory starts with. */
static void guest_store(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    const uint8_t *p = src;

    (void)ctx;
    while (n && !p[n - 1])
        n--;
    if (n)
        PUT(.type = TRACE_MEM, .arg = {0, gpa}, .data = p, .len = n);
}

static const struct ring_guest guest = {.write = guest_write, .store = guest_store};

static void write_reg(enum reg_id id, unsigned unit, unsigned elem, uint32_t val)
{
    put_access(IOREQ_BAR0, 4, true, reg_off(id, unit, elem), val);
}

static void read_reg(enum reg_id id, unsigned unit)
{
    put_access(IOREQ_BAR0, 4, false, reg_off(id, unit, 0), 0);
}

static void put_work(unsigned engine)
{
    const uint32_t batch[] = {rg_op(C_MI_STORE_DATA_IMM, 4),
                              RG_DATA,
                              0,
                              0x12345678,
                              rg_op(C_MI_LOAD_REGISTER_IMM, 3),
                              reg_off(R_CS_GPR, engine, 0),
                              7,
                              rg_op(C_MI_STORE_REGISTER_MEM, 4),
                              reg_off(R_CS_GPR, engine, 0),
                              RG_DATA + 8,
                              0,
                              rg_op(C_MI_BATCH_BUFFER_END, 1)};
    uint32_t ring[16], image[1024];
    uint32_t tail = rg_call_batch(ring);

    rg_image(image, engine, tail);
    guest_store(NULL, RG_RING, ring, tail);
    guest_store(NULL, RG_BATCH, batch, sizeof(batch));
    guest_store(NULL, RG_REGISTERS, image, sizeof(image));
    rg_start_engine(&guest, engine);
    rg_submit(&guest, engine);
    for (unsigned i = 0; i < 3; i++)
        PUT(.type = TRACE_RUN, .arg = {engine, 64});
    read_reg(R_EXECLIST_STATUS_LO, engine);
    read_reg(R_ACTHD, engine);
}

static void put_engines(void)
{
    rg_map(&guest);
    for (unsigned engine = 0; engine < VGPU_ENGINES; engine++)
        put_work(engine);
    rg_reg(&guest, R_GDRST, 0, 1u << engine_table[VGPU_RCS].gdrst_bit);
    put_work(VGPU_RCS);
    PUT(.type = TRACE_RESET);
    rg_map(&guest);
    put_work(VGPU_BCS);
}

/* One head lit, a few frames, a flip; then the monitor goes. */
static void put_display(void)
{
    rg_map(&guest);
    write_reg(R_TRANS_HTOTAL, 0, 0, 799 << 16 | 639);
    write_reg(R_TRANS_VTOTAL, 0, 0, 524 << 16 | 479);
    write_reg(R_PIPESRC, 0, 0, 639 << 16 | 479);
    write_reg(R_TRANS_DDI_FUNC_CTL, 0, 0, 0x90000000); /* on, port B, HDMI */
    write_reg(R_PLANE_SIZE, 0, 0, 479 << 16 | 639);
    write_reg(R_PLANE_STRIDE, 0, 0, 40);
    write_reg(R_PLANE_CTL, 0, 0, 0x84000000); /* on, 8:8:8:8 */
    write_reg(R_PLANE_SURF, 0, 0, RG_DATA);
    write_reg(R_CURCNTR, 0, 0, 0x27); /* 64 x 64, 32 bits */
    write_reg(R_CURBASE, 0, 0, RG_BATCH);
    write_reg(R_TRANSCONF, 0, 0, 0x80000000);
    write_reg(R_PIPE_CRC_CTL, 0, 0, 0x80000000);
    for (unsigned i = 0; i < 4; i++) {
        PUT(.type = TRACE_TIME, .arg = {0, 16700000});
        PUT(.type = TRACE_TICK);
        read_reg(R_PIPEDSL, 0);
        read_reg(R_PIPE_FRMCOUNT, 0);
        write_reg(R_PLANE_SURF, 0, 0, RG_DATA + i * 0x1000);
    }
    PUT(.type = TRACE_FINISH);
    PUT(.type = TRACE_HEAD, .arg = {0, 0});
    PUT(.type = TRACE_HEAD, .arg = {1, 3, 1280, 1024, 75000});
    PUT(.type = TRACE_TICK);
}

static void put_aux(struct aux_message m)
{
    for (unsigned i = 0; i < (m.bytes + 3) / 4; i++)
        write_reg(R_DP_AUX_CH_DATA, 1, i, aux_word(&m, i));
    write_reg(R_DP_AUX_CH_CTL, 1, 0, aux_control(&m));
    read_reg(R_DP_AUX_CH_CTL, 1);
    read_reg(R_DP_AUX_CH_DATA, 1);
}

/* The first head's EDID, and its link trained on the PLL that runs after a reset: 1.62 Gb/s, one lane. */
static void put_displayport(void)
{
    static const uint8_t set[] = {6, 1, 1};

    put_aux(aux_message(AUX_NATIVE_READ, 0, NULL, 16));
    put_aux(aux_message(AUX_I2C_WRITE | AUX_MOT, 0x30, set, 1));
    put_aux(aux_message(AUX_I2C_WRITE | AUX_MOT, 0x50, set, 1));
    put_aux(aux_message(AUX_I2C_READ | AUX_MOT, 0x50, NULL, 16));
    put_aux(aux_message(AUX_I2C_UPDATE | AUX_MOT, 0x50, NULL, 0));
    put_aux(aux_message(AUX_I2C_READ, 0x50, NULL, 0));
    put_aux(aux_message(AUX_I2C_READ, 0x37, NULL, 1));
    write_reg(R_DP_TP_CTL, 1, 0, 0x80000000);
    write_reg(R_DDI_BUF_CTL, 1, 0, 0x80000000);
    put_aux(aux_message(AUX_NATIVE_WRITE, 0x100, set, 3));
    put_aux(aux_message(AUX_NATIVE_READ, 0x202, NULL, 6));
    write_reg(R_DP_TP_CTL, 1, 0, 0x80000100);
    put_aux(aux_message(AUX_NATIVE_WRITE, 0x102, "\2", 1));
    put_aux(aux_message(AUX_NATIVE_READ, 0x202, NULL, 6));
    write_reg(R_DP_TP_CTL, 1, 0, 0x80000200);
    put_aux(aux_message(AUX_NATIVE_WRITE, 0x102, "", 1));
    write_reg(R_DP_TP_CTL, 1, 0, 0x80000300);
    PUT(.type = TRACE_HEAD, .arg = {0, 3, 4096, 2304, 60000});
    put_aux(aux_message(AUX_NATIVE_READ, 0x202, NULL, 6));
    PUT(.type = TRACE_HEAD, .arg = {0, 0});
    put_aux(aux_message(AUX_NATIVE_READ, 0x202, NULL, 6));
}

static void put_config(void)
{
    for (unsigned off = 0; off < VGPU_CFG_SIZE; off += 4)
        put_access(IOREQ_CONFIG, 4, false, off, 0);
    for (unsigned off = 0x10; off < 0x28; off += 4)
        put_access(IOREQ_CONFIG, 4, true, off, UINT32_MAX);
    put_access(IOREQ_CONFIG, 2, true, 4, 7);
    put_access(IOREQ_CONFIG, 1, true, 0x3c, 5);
    put_access(IOREQ_CONFIG, 8, false, 0x40, 0);
    put_access(IOREQ_BAR4, 4, true, 0, reg_off(R_HWS_PGA, 0, 0));
    put_access(IOREQ_BAR4, 4, true, 4, 0x1000);
    put_access(IOREQ_BAR4, 4, false, 4, 0);
}

static void put_aperture(void)
{
    rg_map(&guest);
    for (unsigned width = 1; width <= 8; width *= 2) {
        put_access(IOREQ_BAR2, width, true, RG_DATA + width, UINT64_C(0x1122334455667788));
        put_access(IOREQ_BAR2, width, false, RG_DATA + width, 0);
    }
    write_reg(R_FENCE_LO, 0, 0, RG_DATA | 1);
    write_reg(R_FENCE_HI, 0, 0, RG_END - 0x1000);
    put_access(IOREQ_BAR2, 4, true, RG_DATA + 0x1234, 1);
    put_access(IOREQ_BAR2, 8, false, 0xffffffc, 0);
}

static void write_device_seeds(const char *folder)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } rows[] = {{"engines", put_engines},
                {"display", put_display},
                {"displayport", put_displayport},
                {"config", put_config},
                {"aperture", put_aperture}};

    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        for (unsigned key = 1; key <= 4; key++)
            PUT(.type = TRACE_SETTING, .arg = {key, 1});
        PUT(.type = TRACE_CREATE);
        rows[i].fn();
        save(folder, rows[i].name);
    }
}

/* ---- stream: see struct stream_input in fuzz_stream.c */

static void put_head(unsigned flags, unsigned images, unsigned tables, unsigned ring_bytes)
{
    const uint8_t head[] = {(uint8_t)flags,      (uint8_t)images,           (uint8_t)tables, 0,
                            (uint8_t)ring_bytes, (uint8_t)(ring_bytes >> 8)};

    put_bytes(head, sizeof(head));
}

static void put_dwords(unsigned n, ...)
{
    va_list ap;

    va_start(ap, n);
    while (n--) {
        uint32_t dw = va_arg(ap, uint32_t);
        put_bytes(&dw, sizeof(dw));
    }
    va_end(ap);
}

static void put_mi_batch(unsigned engine)
{
    uint32_t gpr = reg_off(R_CS_GPR, engine, 0);

    put_dwords(4, rg_op(C_MI_STORE_DATA_IMM, 4), RG_DATA, 0u, 1u);
    put_dwords(5, rg_op(C_MI_LOAD_REGISTER_IMM, 5), gpr, 5u, gpr + 8, 6u);
    put_dwords(4, rg_op(C_MI_LOAD_REGISTER_MEM, 4), gpr + 4, RG_DATA, 0u);
    put_dwords(3, rg_op(C_MI_LOAD_REGISTER_REG, 3), gpr, gpr + 12);
    put_dwords(5, rg_op(C_MI_MATH, 5), 0x08008000u, 0x08008401u, 0x10000000u, 0x18004031u);
    put_dwords(4, rg_op(C_MI_STORE_REGISTER_MEM, 4), gpr, RG_DATA + 16, 0u);
    put_dwords(5, rg_op(C_MI_COPY_MEM_MEM, 5), RG_DATA + 32, 0u, RG_DATA, 0u);
    put_dwords(3, rg_op(C_MI_ATOMIC, 3) | 0x500u, RG_DATA + 40, 0u);
    put_dwords(4, rg_op(C_MI_SEMAPHORE_WAIT, 4) | 0x9000u, 1u, RG_DATA, 0u);
    put_dwords(4, rg_op(C_MI_CONDITIONAL_BATCH_BUFFER_END, 4), 0u, RG_DATA, 0u);
    put_dwords(3, rg_op(C_MI_BATCH_BUFFER_START, 3) | 0x400100u, RG_BATCH + 0x200, 0u);
    put_dwords(1, rg_op(C_MI_BATCH_BUFFER_END, 1));
}

static void put_blits(void)
{
    put_dwords(7, rg_op(C_XY_COLOR_BLT, 7) | 0x300000u, 0x03f00100u, 0u, 0x00100010u, RG_DATA, 0u, 0xff00ff00u);
    put_dwords(10, rg_op(C_XY_SRC_COPY_BLT, 10) | 0x300000u, 0x03cc0100u, 0x00020002u, 0x00120012u, RG_DATA + 0x1000,
               0u, 0u, 0x100u, RG_DATA, 0u);
    put_dwords(10, rg_op(C_XY_FAST_COPY_BLT, 10), 0x03000100u, 0u, 0x00100010u, RG_DATA + 0x2000, 0u, 0u, 0x100u,
               RG_DATA, 0u);
    put_dwords(1, rg_op(C_MI_BATCH_BUFFER_END, 1));
}

static void write_stream_seeds(const char *folder)
{
    static const char *const names[] = {"rcs-mi", "bcs-mi", "vcs-mi", "vecs-mi"};
    const uint16_t dword = 7, entry = 3 * 512 + RG_DATA / 4096;
    const uint32_t tail = 0x40;
    const uint64_t pte = RG_BATCH | RG_PTE;

    for (unsigned engine = 0; engine < VGPU_ENGINES; engine++) {
        put_head(engine, 0, 0, 0);
        put_mi_batch(engine);
        save(folder, names[engine]);
    }
    put_head(VGPU_BCS, 0, 0, 0);
    put_blits();
    save(folder, "bcs-blits");
    put_head(VGPU_RCS | 4, 0, 0, 24); /* GDRST between */
    put_dwords(6, rg_op(C_PIPE_CONTROL, 6), 0x104000u, RG_DATA, 0u, 1u, 0u);
    save(folder, "rcs-ring");
    put_head(VGPU_RCS | 8 | 16, 1, 1, 0); /* submit again, no host pages; both kinds of patches */
    put_bytes(&dword, sizeof(dword));
    put_bytes(&tail, sizeof(tail));
    put_bytes(&entry, sizeof(entry));
    put_bytes(&pte, sizeof(pte));
    put_mi_batch(VGPU_RCS);
    save(folder, "rcs-patches");
}

static int cut_prefix(const char *path, size_t bytes, const char *to)
{
    struct trace_reader *r;
    struct trace_record rec;
    char err[256];

    if (trace_reader_open(&r, path, err, sizeof(err))) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    bytes = GT_MIN(bytes, sizeof(out) - TRACE_RECORD_MAX);
    while (size < bytes && trace_read(r, &rec) == TRACE_OK)
        put(rec);
    trace_reader_close(r);
    save(".", to);
    return 0;
}

int main(int argc, char **argv)
{
    char folder[480], err[128];

    if (argc == 5 && !strcmp(argv[1], "--prefix"))
        return cut_prefix(argv[2], strtoul(argv[3], NULL, 10), argv[4]);
    if (argc != 2 || reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err))) {
        fprintf(stderr, "usage: make_seeds CORPUS-FOLDER\n");
        return 1;
    }
    snprintf(folder, sizeof(folder), "%s/device", argv[1]);
    write_device_seeds(folder);
    snprintf(folder, sizeof(folder), "%s/stream", argv[1]);
    write_stream_seeds(folder);
    return 0;
}
