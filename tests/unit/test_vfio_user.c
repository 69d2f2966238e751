/* The vfio-user commands: what a client gets for each, and for each malformed one. */
#include <stddef.h>

#include "tests/unit/vfio_user_server.h"
#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define RW              (VU_DMA_MAP_READ | VU_DMA_MAP_WRITE)
#define TRIGGER_EVENTFD (VU_IRQ_SET_DATA_EVENTFD | VU_IRQ_SET_ACTION_TRIGGER)
#define TRIGGER_NONE    (VU_IRQ_SET_DATA_NONE | VU_IRQ_SET_ACTION_TRIGGER)

static void finish(struct server *s, int sock)
{
    close(sock);
    server_free(s);
}

/* ---- VERSION */

static void handshake_answers_with_our_limits(void **state)
{
    struct server *s;
    int sock = server_pair(&s);
    struct client_reply r;
    struct vu_version v;

    (void)state;
    assert_int_equal(client_version(sock, NULL, &r), 0);
    memcpy(&v, r.body, sizeof(v));
    assert_int_equal(v.major, 0);
    assert_int_equal(v.minor, 0); /* not more than was asked for */
    assert_int_equal(r.body[r.len - 1], 0);
    const char *json = (const char *)r.body + sizeof(v);
    assert_non_null(strstr(json, "\"max_msg_fds\":8,"));
    assert_non_null(strstr(json, "\"max_data_xfer_size\":1048576,"));
    assert_non_null(strstr(json, "\"max_dma_maps\":512,"));
    assert_non_null(strstr(json, "\"pgsizes\":4096}"));
    assert_null(strstr(json, "write_multiple"));
    assert_null(strstr(json, "migration"));
    assert_int_equal(s->connects, 1);
    finish(s, sock);
}

static void handshake_without_json_or_with_a_newer_minor(void **state)
{
    struct server *s;
    int sock = server_pair(&s);
    struct vu_version v = {.major = 0, .minor = 99};
    struct client_reply r;

    (void)state;
    assert_int_equal(client_call(sock, VU_VERSION, &v, sizeof(v), NULL, 0, &r), 0);
    memcpy(&v, r.body, sizeof(v));
    assert_int_equal(v.minor, VU_MINOR);
    finish(s, sock);
}

static void bad_handshakes_are_refused_and_may_be_repeated(void **state)
{
    static const char *const rows[] = {
        "",
        "x",
        "[]",
        "3",
        "{\"capabilities\":[]}",
        "{\"capabilities\":{\"max_msg_fds\":\"8\"}}",
        "{\"capabilities\":{\"max_msg_fds\":-1}}",
        "{\"capabilities\":{\"max_msg_fds\":1e99}}",
        "{\"capabilities\":{\"pgsizes\":8192}}",
        "{\"capabilities\":{\"pgsizes\":4096}",
    };
    struct server *s;
    int sock = server_pair(&s);
    struct vu_version other = {.major = 1};
    static const uint8_t zeros[8000];
    struct client_reply r;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(client_version(sock, rows[i], &r), EINVAL);
    assert_int_equal(client_call(sock, VU_VERSION, &other, sizeof(other), NULL, 0, &r), ENOTSUP);
    assert_int_equal(client_call(sock, VU_VERSION, "\0\0\0\0{}", 6, NULL, 0, &r), EINVAL); /* no NUL at the end */
    assert_int_equal(client_call(sock, VU_VERSION, "\0\0", 2, NULL, 0, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_VERSION, zeros, sizeof(zeros), NULL, 0, &r), EINVAL); /* too long */
    assert_int_equal(s->connects, 0);
    assert_int_equal(client_version(sock, "{}", &r), 0);
    assert_int_equal(client_version(sock, "{}", &r), EINVAL); /* once */
    assert_int_equal(s->connects, 1);
    finish(s, sock);
}

static void deep_json_is_survived(void **state)
{
    struct server *s;
    int sock = server_pair(&s);
    char body[4096] = {0};
    struct client_reply r;

    (void)state;
    memset(body + 4, '[', sizeof(body) - 5);
    assert_int_equal(client_call(sock, VU_VERSION, body, sizeof(body), NULL, 0, &r), EINVAL);
    finish(s, sock);
}

static void nothing_is_served_before_the_handshake(void **state)
{
    struct server *s;
    int sock = server_pair(&s);
    uint8_t body[64] = {64};
    uint32_t v;
    struct client_reply r;

    (void)state;
    for (uint16_t c = VU_DMA_MAP; c < 32; c++)
        assert_int_equal(client_call(sock, c, body, sizeof(body), NULL, 0, &r), EINVAL);
    assert_int_equal(client_region_read(sock, IOREQ_BAR0, 0, 4, &v), EINVAL);
    assert_int_equal(s->resets + s->accesses, 0);
    finish(s, sock);
}

/* ---- information */

static void device_info(void **state)
{
    struct server *s;
    int sock = server_ready(&s);
    struct vu_device_info i = {.argsz = sizeof(i)};
    struct client_reply r;

    (void)state;
    assert_int_equal(client_call(sock, VU_DEVICE_GET_INFO, &i, sizeof(i), NULL, 0, &r), 0);
    assert_int_equal(r.len, sizeof(i));
    memcpy(&i, r.body, sizeof(i));
    assert_int_equal(i.flags, VU_DEVICE_PCI | VU_DEVICE_RESETTABLE);
    assert_int_equal(i.num_regions, 9);
    assert_int_equal(i.num_irqs, 5);
    i.argsz = sizeof(i) - 1;
    assert_int_equal(client_call(sock, VU_DEVICE_GET_INFO, &i, sizeof(i), NULL, 0, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_DEVICE_GET_INFO, &i, 4, NULL, 0, &r), EINVAL);
    finish(s, sock);
}

static int region_info(int sock, uint32_t index, uint32_t argsz, struct vu_region_info_caps *out, int *fd)
{
    struct vu_region_info i = {.argsz = argsz, .index = index};
    struct client_reply r;
    int ret = client_call(sock, VU_DEVICE_GET_REGION_INFO, &i, sizeof(i), NULL, 0, &r);

    memset(out, 0, sizeof(*out));
    *fd = -1;
    if (ret)
        return ret;
    assert_true(r.len == sizeof(i) || r.len == sizeof(*out));
    memcpy(out, r.body, r.len);
    *fd = r.fd;
    return 0;
}

static void region_info_of_each(void **state)
{
    static const struct {
        uint32_t index;
        uint64_t size;
        uint32_t flags;
    } rows[] = {
        {IOREQ_BAR2, 0, 0}, {IOREQ_BAR4, 64, VU_REGION_READABLE},
        {IOREQ_ROM, 0, 0},  {IOREQ_CONFIG, 256, VU_REGION_READABLE | VU_REGION_WRITABLE},
        {8, 0, 0},
    };
    struct server *s;
    int sock = server_ready(&s), fd;
    struct vu_region_info_caps c;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        assert_int_equal(region_info(sock, rows[i].index, 100, &c, &fd), 0);
        assert_int_equal(c.info.argsz, sizeof(c.info));
        assert_int_equal(c.info.index, rows[i].index);
        assert_int_equal(c.info.size, rows[i].size);
        assert_int_equal(c.info.flags, rows[i].flags);
        assert_int_equal(c.info.cap_offset, 0);
        assert_int_equal(fd, -1);
    }
    assert_int_equal(region_info(sock, 9, 100, &c, &fd), EINVAL);
    assert_int_equal(region_info(sock, UINT32_MAX, 100, &c, &fd), EINVAL);
    assert_int_equal(region_info(sock, IOREQ_BAR0, 31, &c, &fd), EINVAL);
    finish(s, sock);
}

static void sparse_mmap_needs_room_and_brings_the_memory(void **state)
{
    const uint32_t flags = VU_REGION_READABLE | VU_REGION_WRITABLE | VU_REGION_MMAP | VU_REGION_CAPS;
    struct server *s;
    int sock = server_ready(&s), fd;
    struct vu_region_info_caps c;

    (void)state;
    for (uint32_t argsz = 32; argsz < 64; argsz += 31) { /* too small: how much is needed, and nothing more */
        assert_int_equal(region_info(sock, IOREQ_BAR0, argsz, &c, &fd), 0);
        assert_int_equal(c.info.flags, flags);
        assert_int_equal(c.info.argsz, 64);
        assert_int_equal(c.info.cap_offset, 32);
        assert_int_equal(c.sparse.nr_areas, 0);
        assert_int_equal(fd, -1);
    }
    assert_int_equal(region_info(sock, IOREQ_BAR0, 64, &c, &fd), 0);
    assert_int_equal(c.info.flags, flags);
    assert_int_equal(c.info.size, BAR0_SIZE);
    assert_int_equal(c.sparse.id, VU_CAP_SPARSE_MMAP);
    assert_int_equal(c.sparse.version, 1);
    assert_int_equal(c.sparse.next, 0);
    assert_int_equal(c.sparse.nr_areas, 1);
    assert_int_equal(c.sparse.area_offset, BAR0_SIZE - WINDOW);
    assert_int_equal(c.sparse.area_size, WINDOW);
    assert_true(fd >= 0);
    uint32_t *p = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                       (off_t)(c.info.offset + c.sparse.area_offset)); /* as QEMU computes it */
    assert_true(p != MAP_FAILED);
    uint32_t v = 0;
    p[WINDOW / 4 - 1] = 0x900df00d;
    assert_int_equal(pread(s->window_fd, &v, 4, 4096 + WINDOW - 4), 4);
    assert_int_equal(v, 0x900df00d);
    munmap(p, WINDOW);
    close(fd);
    finish(s, sock);
}

static void client_that_takes_no_descriptors_gets_no_mmap(void **state)
{
    struct server *s;
    int sock = server_pair(&s), fd;
    struct vu_region_info_caps c;
    struct client_reply r;

    (void)state;
    assert_int_equal(client_version(sock, "{\"capabilities\":{\"max_msg_fds\":0}}", &r), 0);
    assert_int_equal(region_info(sock, IOREQ_BAR0, 64, &c, &fd), 0);
    assert_int_equal(c.info.flags, VU_REGION_READABLE | VU_REGION_WRITABLE);
    assert_int_equal(fd, -1);
    finish(s, sock);
}

static void no_region_has_io_fds(void **state)
{
    struct server *s;
    int sock = server_ready(&s);
    struct vu_region_io_fds f = {.argsz = 512, .index = IOREQ_BAR0};
    struct client_reply r;

    (void)state;
    assert_int_equal(client_call(sock, VU_DEVICE_GET_REGION_IO_FDS, &f, sizeof(f), NULL, 0, &r), 0);
    assert_int_equal(r.len, sizeof(f));
    memcpy(&f, r.body, sizeof(f));
    assert_int_equal(f.argsz, sizeof(f));
    assert_int_equal(f.count, 0);
    f.index = 9;
    assert_int_equal(client_call(sock, VU_DEVICE_GET_REGION_IO_FDS, &f, sizeof(f), NULL, 0, &r), EINVAL);
    finish(s, sock);
}

static void irq_info_of_each(void **state)
{
    static const struct {
        uint32_t flags, count;
    } rows[] = {
        {VU_IRQ_INFO_EVENTFD | VU_IRQ_INFO_MASKABLE | VU_IRQ_INFO_AUTOMASKED, 1},
        {VU_IRQ_INFO_EVENTFD | VU_IRQ_INFO_NORESIZE, 1},
        {0, 0},
        {0, 0},
        {0, 0},
    };
    struct server *s;
    int sock = server_ready(&s);
    struct vu_irq_info i;
    struct client_reply r;

    (void)state;
    for (unsigned n = 0; n < GT_ARRAY_SIZE(rows); n++) {
        i = (struct vu_irq_info){.argsz = sizeof(i), .index = n};
        assert_int_equal(client_call(sock, VU_DEVICE_GET_IRQ_INFO, &i, sizeof(i), NULL, 0, &r), 0);
        memcpy(&i, r.body, sizeof(i));
        assert_int_equal(i.index, n);
        assert_int_equal(i.flags, rows[n].flags);
        assert_int_equal(i.count, rows[n].count);
    }
    i.index = 5;
    assert_int_equal(client_call(sock, VU_DEVICE_GET_IRQ_INFO, &i, sizeof(i), NULL, 0, &r), EINVAL);
    i = (struct vu_irq_info){.argsz = 15};
    assert_int_equal(client_call(sock, VU_DEVICE_GET_IRQ_INFO, &i, sizeof(i), NULL, 0, &r), EINVAL);
    finish(s, sock);
}

/* ---- accesses */

static void a_cpu_sized_transfer_is_one_access(void **state)
{
    struct server *s;
    int sock = server_ready(&s);
    uint64_t v;

    (void)state;
    for (unsigned size = 1, n = 0; size <= 8; size *= 2, n++) {
        v = 0;
        assert_int_equal(client_region_read(sock, IOREQ_BAR0, 0x1003, size, &v), 0); /* also when not aligned */
        assert_int_equal(memcmp(&v, s->bar0 + 0x1003, size), 0);
        assert_int_equal(s->accesses, n + 1);
        assert_int_equal(s->log[n].size, size);
        assert_int_equal(s->log[n].off, 0x1003);
        assert_false(s->log[n].write);
    }
    v = UINT64_C(0x0123456789abcdef);
    for (unsigned size = 1, n = 4; size <= 8; size *= 2, n++) {
        assert_int_equal(client_region_write(sock, IOREQ_BAR0, 0x2000 + 16 * size, size, &v), 0);
        assert_int_equal(s->accesses, n + 1);
        assert_true(s->log[n].write);
        assert_true(s->log[n].data == (size == 8 ? v : v & (GT_BIT64(8 * size) - 1)));
    }
    finish(s, sock);
}

static void larger_transfers_are_split_into_aligned_accesses(void **state)
{
    static const struct {
        uint32_t region;
        uint64_t off;
        uint32_t count;
        uint8_t sizes[8];
    } rows[] = {
        {IOREQ_BAR0, 0x1000, 16, {8, 8}},    {IOREQ_BAR0, 0x1001, 15, {1, 2, 4, 8}},
        {IOREQ_BAR0, 0x1000, 7, {4, 2, 1}},  {IOREQ_BAR0, 0x1003, 3, {1, 2}},
        {IOREQ_BAR0, 0x1006, 12, {2, 8, 2}}, {IOREQ_CONFIG, 0, 8, {4, 4}},
        {IOREQ_CONFIG, 250, 6, {2, 4}},      {IOREQ_CONFIG, 0x3d, 2, {2}},
        {IOREQ_CONFIG, 0x10, 3, {2, 1}},     {IOREQ_BAR0, BAR0_SIZE - 3, 3, {1, 2}},
    };
    struct server *s;
    int sock = server_ready(&s);
    uint8_t buf[16];

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        uint64_t off = rows[i].off;

        for (int write = 0; write < 2; write++) {
            s->accesses = 0;
            if (write)
                assert_int_equal(client_region_write(sock, rows[i].region, off, rows[i].count, s->bar0 + off), 0);
            else
                assert_int_equal(client_region_read(sock, rows[i].region, off, rows[i].count, buf), 0);
            uint64_t at = off;
            unsigned n;

            for (n = 0; rows[i].sizes[n]; n++) {
                assert_int_equal(s->log[n].size, rows[i].sizes[n]);
                assert_int_equal(s->log[n].off, at);
                assert_int_equal(s->log[n].write, write);
                at += rows[i].sizes[n];
            }
            assert_int_equal(s->accesses, n);
        }
        assert_memory_equal(buf, s->bar0 + off, rows[i].count);
    }
    finish(s, sock);
}

static void the_largest_transfer_works(void **state)
{
    struct server *s;
    int sock = server_ready(&s);
    uint8_t *buf = malloc(VU_MAX_XFER);

    (void)state;
    assert_int_equal(client_region_read(sock, IOREQ_BAR0, 4096, VU_MAX_XFER, buf), 0);
    assert_memory_equal(buf, s->bar0 + 4096, VU_MAX_XFER);
    for (unsigned i = 0; i < VU_MAX_XFER; i++)
        buf[i] = (uint8_t)(i * 13);
    assert_int_equal(client_region_write(sock, IOREQ_BAR0, 4096, VU_MAX_XFER, buf), 0);
    assert_memory_equal(buf, s->bar0 + 4096, VU_MAX_XFER);
    free(buf);
    finish(s, sock);
}

static void bad_accesses_are_refused(void **state)
{
    static const struct {
        uint64_t off;
        uint32_t region, count;
        int read, write;
    } rows[] = {
        {BAR0_SIZE, IOREQ_BAR0, 0, 0, 0}, /* nothing, at the end */
        {BAR0_SIZE, IOREQ_BAR0, 1, EINVAL, EINVAL},
        {BAR0_SIZE - 3, IOREQ_BAR0, 4, EINVAL, EINVAL},
        {UINT64_MAX, IOREQ_BAR0, 4, EINVAL, EINVAL},
        {UINT64_MAX - 3, IOREQ_BAR0, 4, EINVAL, EINVAL},
        {0, IOREQ_BAR2, 4, EINVAL, EINVAL}, /* absent */
        {0, IOREQ_BAR2, 0, EINVAL, EINVAL},
        {0, IOREQ_BAR4, 4, 0, EINVAL}, /* read only */
        {0, 9, 4, EINVAL, EINVAL},
        {0, UINT32_MAX, 4, EINVAL, EINVAL},
        {0, IOREQ_BAR0, VU_MAX_XFER + 1, EINVAL, -1},
        {0, IOREQ_BAR0, UINT32_MAX, EINVAL, -1},
        {252, IOREQ_CONFIG, 8, EINVAL, EINVAL},
    };
    struct server *s;
    int sock = server_ready(&s);
    uint8_t buf[16] = {0};
    struct client_reply r;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        struct vu_region_access a = {.offset = rows[i].off, .region = rows[i].region, .count = rows[i].count};

        assert_int_equal(client_call(sock, VU_REGION_READ, &a, sizeof(a), NULL, 0, &r), rows[i].read);
        if (rows[i].write >= 0)
            assert_int_equal(client_region_write(sock, a.region, a.offset, a.count, buf), rows[i].write);
    }
    assert_int_equal(s->accesses, 1);
    struct vu_region_access a = {.region = IOREQ_BAR0, .count = 4};

    memcpy(s->log, &a, sizeof(a)); /* any buffer */
    assert_int_equal(client_call(sock, VU_REGION_READ, &a, 15, NULL, 0, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_REGION_READ, s->log, 20, NULL, 0, &r), EINVAL);
    assert_int_equal(client_call(sock, VU_REGION_WRITE, s->log, 19, NULL, 0, &r), EINVAL); /* less data than count */
    assert_int_equal(client_call(sock, VU_REGION_WRITE, s->log, 21, NULL, 0, &r), EINVAL); /* more */
    assert_int_equal(s->accesses, 1);
    finish(s, sock);
}

static void reset_is_passed_on(void **state)
{
    struct server *s;
    int sock = server_ready(&s);
    struct client_reply r;

    (void)state;
    assert_int_equal(client_call(sock, VU_DEVICE_RESET, NULL, 0, NULL, 0, &r), 0);
    assert_int_equal(r.len, 0);
    assert_int_equal(s->resets, 1);
    finish(s, sock);
}

/* ---- guest memory */

static void mapped_memory_is_reached_through_the_transport(void **state)
{
    struct server *s;
    int sock = server_ready(&s), ram = make_memfd(1 << 20);
    const struct ioreq_transport_ops *ops = s->t->ops;
    uint32_t v = 0xc0ffee;
    uint64_t e = 0xc0ffee;

    (void)state;
    assert_int_equal(client_dma_map(sock, 0x100000, 0x10000, 0x3000, RW, ram), 0);
    assert_int_equal(client_dma_map(sock, 0x200000, 0x10000, 0, VU_DMA_MAP_READ, ram), 0);
    assert_int_equal(client_dma_map(sock, 0x300000, 0x10000, 0, RW, -1), 0); /* a BAR, say */
    assert_int_equal(s->begins, 3);
    assert_int_equal(ops->mem_write(s->t, 0x100010, &v, 4), 0);
    assert_int_equal(server_mem_read(s, 0x203010, &v, 4), 0);
    assert_int_equal(v, 0xc0ffee);
    assert_int_equal(ops->mem_cas(s->t, 0x100010, 4, &e, 7), 1);
    assert_int_equal(pread(ram, &v, 4, 0x3010), 4);
    assert_int_equal(v, 7);
    assert_int_equal(*(uint32_t *)(ops->mem_page(s->t, 0x203000, false) + 0x10), 7);
    assert_null(ops->mem_page(s->t, 0x203000, true));
    assert_int_equal(ops->mem_write(s->t, 0x203010, &v, 4), -EFAULT);
    assert_int_equal(server_mem_read(s, 0x300000, &v, 4), -EFAULT);

    assert_int_equal(client_dma_unmap(sock, 0x300000, 0x10000, 0), 0);
    assert_int_equal(client_dma_unmap(sock, 0x100000, 0x10000, 0), 0);
    assert_int_equal(server_mem_read(s, 0x100010, &v, 4), -EFAULT);
    assert_int_equal(server_mem_read(s, 0x203010, &v, 4), 0);
    assert_int_equal(client_dma_unmap(sock, 0, 0, VU_DMA_UNMAP_ALL), 0);
    assert_int_equal(server_mem_read(s, 0x203010, &v, 4), -EFAULT);
    assert_int_equal(s->begins, 6);
    assert_int_equal(s->ends, 6);
    close(ram);
    finish(s, sock);
}

static void unmap_answers_with_the_entry(void **state)
{
    struct server *s;
    int sock = server_ready(&s);
    struct vu_dma_unmap d = {.argsz = 100, .addr = 0x5000, .size = 0x1000};
    struct client_reply r;

    (void)state;
    assert_int_equal(client_dma_map(sock, 0x5000, 0x1000, 0, RW, -1), 0);
    assert_int_equal(client_call(sock, VU_DMA_UNMAP, &d, sizeof(d), NULL, 0, &r), 0);
    d.argsz = sizeof(d);
    assert_int_equal(r.len, sizeof(d));
    assert_memory_equal(r.body, &d, sizeof(d));
    finish(s, sock);
}

static void bad_maps_are_refused(void **state)
{
    static const struct {
        struct vu_dma_map d;
        int fds, error;
    } rows[] = {
        {{32, RW, 0, 0x10000, 0}, 1, EINVAL},                        /* empty */
        {{32, RW, 0, 0x10001, 0x1000}, 1, EINVAL},                   /* not page aligned */
        {{32, RW, 0, 0x10000, 0x1001}, 1, EINVAL},                   /* the same */
        {{32, RW, 1, 0x10000, 0x1000}, 1, EINVAL},                   /* the same */
        {{32, RW, 0, UINT64_MAX - 0xfff, 0x2000}, 1, EINVAL},        /* wraps */
        {{32, RW, 0x8000, 0x10000, 0x9000}, 1, ERANGE},              /* past the end of the file */
        {{32, RW, UINT64_MAX - 0xfff, 0x10000, 0x2000}, 1, ERANGE},  /* offset + size wraps */
        {{32, RW, UINT64_C(1) << 63, 0x10000, 0x1000}, 1, ERANGE},   /* negative as off_t */
        {{32, RW, 0, 0x10000, UINT64_C(1) << 62}, 1, ERANGE},        /* huge */
        {{31, RW, 0, 0x10000, 0x1000}, 1, EINVAL},                   /* argsz */
        {{32, RW | 8, 0, 0x10000, 0x1000}, 1, EINVAL},               /* unknown flag */
        {{32, RW | VU_DMA_MAP_MMAP, 0, 0x10000, 0x1000}, 0, EINVAL}, /* mmap of nothing */
        {{32, RW, 0, 0x10000, 0x1000}, 2, EINVAL},                   /* which of them? */
        {{32, RW, 0, 0x3000, 0x2000}, 1, EEXIST},                    /* over another */
        {{32, RW, 0, 0x3000, 0x2000}, 0, EEXIST},                    /* the same */
    };
    struct server *s;
    int sock = server_ready(&s), ram = make_memfd(0x10000), fds[2] = {ram, ram};
    struct client_reply r;

    (void)state;
    assert_int_equal(client_dma_map(sock, 0x4000, 0x1000, 0, RW | VU_DMA_MAP_MMAP, ram), 0);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(client_call(sock, VU_DMA_MAP, &rows[i].d, sizeof(rows[i].d), fds, (unsigned)rows[i].fds, &r),
                         rows[i].error);
    assert_int_equal(client_call(sock, VU_DMA_MAP, &rows[0].d, 31, &ram, 1, &r), EINVAL);
    assert_int_equal(client_dma_map(sock, 0x10000, 0x1000, 0, RW, sock), EINVAL); /* a socket is no memory */
    assert_int_equal(s->begins, 1);
    close(ram);
    finish(s, sock);
}

static void bad_unmaps_are_refused(void **state)
{
    static const struct {
        struct vu_dma_unmap d;
        int error;
    } rows[] = {
        {{24, 0, 0x3000, 0x1000}, ENOENT},
        {{24, 0, 0x4000, 0x1000}, EINVAL}, /* would cut */
        {{24, 0, 0x4000, 0}, EINVAL},
        {{24, 0, 0x4000, UINT64_MAX}, EINVAL},
        {{23, 0, 0x4000, 0x2000}, EINVAL},
        {{24, VU_DMA_UNMAP_DIRTY_BITMAP, 0x4000, 0x2000}, ENOTSUP},
        {{24, VU_DMA_UNMAP_DIRTY_BITMAP | VU_DMA_UNMAP_ALL, 0, 0}, ENOTSUP},
        {{24, 4, 0x4000, 0x2000}, EINVAL},
        {{24, VU_DMA_UNMAP_ALL, 0x4000, 0x2000}, EINVAL},
        {{24, 0, 0x4000, 0x2000}, 0},
    };
    struct server *s;
    int sock = server_ready(&s);
    struct client_reply r;

    (void)state;
    assert_int_equal(client_dma_map(sock, 0x4000, 0x2000, 0, RW, -1), 0);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++)
        assert_int_equal(client_call(sock, VU_DMA_UNMAP, &rows[i].d, sizeof(rows[i].d), NULL, 0, &r), rows[i].error);
    finish(s, sock);
}

static void number_of_maps_is_bounded(void **state)
{
    struct server *s;
    int sock = server_ready(&s), ram = make_memfd(0x1000);

    (void)state;
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(client_dma_map(sock, i * UINT64_C(0x2000), 0x1000, 0, RW, ram), 0);
    assert_int_equal(client_dma_map(sock, 0x10000000, 0x1000, 0, RW, ram), ENOSPC);
    close(ram);
    finish(s, sock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_answers_with_our_limits),
        cmocka_unit_test(handshake_without_json_or_with_a_newer_minor),
        cmocka_unit_test(bad_handshakes_are_refused_and_may_be_repeated),
        cmocka_unit_test(deep_json_is_survived),
        cmocka_unit_test(nothing_is_served_before_the_handshake),
        cmocka_unit_test(device_info),
        cmocka_unit_test(region_info_of_each),
        cmocka_unit_test(sparse_mmap_needs_room_and_brings_the_memory),
        cmocka_unit_test(client_that_takes_no_descriptors_gets_no_mmap),
        cmocka_unit_test(no_region_has_io_fds),
        cmocka_unit_test(irq_info_of_each),
        cmocka_unit_test(a_cpu_sized_transfer_is_one_access),
        cmocka_unit_test(larger_transfers_are_split_into_aligned_accesses),
        cmocka_unit_test(the_largest_transfer_works),
        cmocka_unit_test(bad_accesses_are_refused),
        cmocka_unit_test(reset_is_passed_on),
        cmocka_unit_test(mapped_memory_is_reached_through_the_transport),
        cmocka_unit_test(unmap_answers_with_the_entry),
        cmocka_unit_test(bad_maps_are_refused),
        cmocka_unit_test(bad_unmaps_are_refused),
        cmocka_unit_test(number_of_maps_is_bounded),
    };

    gt_log_set_level(GT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
