/* MSI and INTx as the guest has set them up. The config space is the real one. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core_fixture.h"
#include "ioreq/xen_irq.h"

#define COMMAND     0x04u
#define BUS_MASTER  0x004u
#define INTX_OFF    0x400u
#define MSI         0xacu
#define MSI_ADDRESS 0xfee01000u
#define MSI_DATA    0x4041u

struct rig {
    struct xen_irq q;
    struct xen_irq_host host;
    struct fixture *core;
    uint8_t *config; /* another config space; NULL: the device's */
    unsigned msis, levels, reads;
    uint64_t addr;
    uint32_t data;
    int level, fail;
};

static uint32_t config_read(void *ctx, unsigned off)
{
    struct rig *r = ctx;
    uint32_t v;

    r->reads++;
    assert_in_range(off, 0, 252);
    if (!r->config)
        return vgpu_cfg_read(r->core->v, off, 4);
    memcpy(&v, r->config + off, 4);
    return v;
}

static int msi(void *ctx, uint64_t addr, uint32_t data)
{
    struct rig *r = ctx;

    r->msis++;
    r->addr = addr;
    r->data = data;
    return r->fail;
}

static int intx(void *ctx, bool level)
{
    struct rig *r = ctx;

    r->levels++;
    if (!r->fail)
        r->level = level;
    return r->fail;
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    r->core = fx_new();
    fx_start(r->core);
    r->host = (struct xen_irq_host){r, config_read, msi, intx};
    r->level = -1;
    assert_int_equal(xen_irq_init(&r->q, &r->host, true), 0);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    void *core = r->core;

    xen_irq_destroy(&r->q);
    free(r->config);
    free(r);
    return fx_teardown(&core);
}

static void cfg_write(struct rig *r, unsigned off, unsigned size, uint32_t val)
{
    vgpu_cfg_write(r->core->v, off, size, val);
    assert_int_equal(xen_irq_written(&r->q, off, size), 0);
}

static void enable_msi(struct rig *r)
{
    cfg_write(r, COMMAND, 2, BUS_MASTER);
    cfg_write(r, MSI + 4, 4, MSI_ADDRESS);
    cfg_write(r, MSI + 8, 2, MSI_DATA);
    cfg_write(r, MSI + 2, 2, 1);
}

static void a_silent_device_says_nothing(void **state)
{
    struct rig *r = *state;

    assert_int_equal(r->q.cap, MSI);
    assert_int_equal(xen_irq_edge(&r->q), 0);
    assert_int_equal(r->msis, 0);
    assert_int_equal(r->levels, 0);
}

static void an_edge_is_an_msi_when_enabled(void **state)
{
    struct rig *r = *state;

    enable_msi(r);
    assert_int_equal(xen_irq_edge(&r->q), 0);
    assert_int_equal(r->msis, 1);
    assert_int_equal(r->addr, MSI_ADDRESS);
    assert_int_equal(r->data, MSI_DATA);
    cfg_write(r, MSI + 8, 1, 0x55); /* one byte of the data */
    xen_irq_edge(&r->q);
    assert_int_equal(r->data, 0x4055);
    cfg_write(r, MSI + 2, 1, 0);
    xen_irq_edge(&r->q);
    assert_int_equal(r->msis, 2);
}

static void an_msi_needs_bus_mastering(void **state)
{
    struct rig *r = *state;

    enable_msi(r);
    cfg_write(r, COMMAND, 2, 0);
    xen_irq_edge(&r->q);
    assert_int_equal(r->msis, 0);
    cfg_write(r, COMMAND, 1, BUS_MASTER);
    xen_irq_edge(&r->q);
    assert_int_equal(r->msis, 1);
}

static void the_line_is_followed(void **state)
{
    struct rig *r = *state;

    assert_int_equal(xen_irq_line(&r->q, false), 0);
    assert_int_equal(r->levels, 0); /* as it is already */
    xen_irq_line(&r->q, true);
    assert_int_equal(r->level, 1);
    xen_irq_line(&r->q, true);
    assert_int_equal(r->levels, 1);
    xen_irq_line(&r->q, false);
    assert_int_equal(r->level, 0);
    assert_int_equal(r->msis, 0);
}

static void msi_and_the_line_exclude_each_other(void **state)
{
    struct rig *r = *state;

    xen_irq_line(&r->q, true);
    enable_msi(r);
    assert_int_equal(r->level, 0);
    xen_irq_line(&r->q, false);
    xen_irq_line(&r->q, true);
    assert_int_equal(r->levels, 2);
    cfg_write(r, MSI + 2, 2, 0);
    assert_int_equal(r->level, 1);
    enable_msi(r);
    xen_irq_line(&r->q, false);
    cfg_write(r, MSI + 2, 2, 0);
    assert_int_equal(r->level, 0);
}

static void the_line_can_be_turned_off(void **state)
{
    struct rig *r = *state;

    xen_irq_line(&r->q, true);
    cfg_write(r, COMMAND, 2, INTX_OFF);
    assert_int_equal(r->level, 0);
    cfg_write(r, COMMAND + 1, 1, 0);
    assert_int_equal(r->level, 1);
}

static void other_writes_read_nothing(void **state)
{
    static const unsigned offs[] = {0x3c, 0x10, 0xfc, 0xd4, COMMAND + 2, MSI - 4, MSI + 16};
    struct rig *r = *state;
    unsigned reads = r->reads;

    for (size_t i = 0; i < GT_ARRAY_SIZE(offs); i++)
        cfg_write(r, offs[i], 2, 0xffff);
    assert_int_equal(r->reads, reads);
}

static void a_refused_level_is_tried_again(void **state)
{
    struct rig *r = *state;

    r->fail = -EINVAL;
    assert_int_equal(xen_irq_line(&r->q, true), -EINVAL);
    r->fail = 0;
    assert_int_equal(xen_irq_line(&r->q, true), 0);
    assert_int_equal(r->level, 1);
}

/* After an adoption Xen's line may be at any level, and what the device's is has to be told first. */
static void an_adopted_line_is_told_anew(void **state)
{
    static const bool levels[] = {false, true};
    struct rig *r = *state;

    for (size_t i = 0; i < 2; i++) {
        xen_irq_destroy(&r->q);
        r->levels = 0;
        assert_int_equal(xen_irq_init(&r->q, &r->host, false), 0);
        assert_int_equal(r->levels, 0);
        xen_irq_line(&r->q, levels[i]);
        assert_int_equal(r->levels, 1);
        assert_int_equal(r->level, levels[i]);
    }
    enable_msi(r);
    xen_irq_destroy(&r->q);
    r->level = 1;
    assert_int_equal(xen_irq_init(&r->q, &r->host, false), 0);
    assert_int_equal(r->level, 0); /* with MSI on it can only be low */
    xen_irq_edge(&r->q);
    assert_int_equal(r->addr, MSI_ADDRESS);
}

static void use_config(struct rig *r)
{
    xen_irq_destroy(&r->q);
    r->config = calloc(1, 256);
}

static void capability_lists_of_any_shape_end(void **state)
{
    struct rig *r = *state;

    use_config(r);
    r->config[6] = 0x10;
    r->config[0x34] = 0x40; /* to itself */
    r->config[0x41] = 0x40;
    r->reads = 0;
    assert_int_equal(xen_irq_init(&r->q, &r->host, true), 0);
    assert_int_equal(r->q.cap, 0);
    assert_in_range(r->reads, 0, 60);
    r->reads = 0;
    assert_int_equal(xen_irq_written(&r->q, 0, 4), 0);
    assert_int_equal(r->reads, 0);
    xen_irq_edge(&r->q);
    assert_int_equal(r->msis, 0);
    xen_irq_destroy(&r->q);
    r->config[0x41] = 0x08; /* into the header */
    r->config[0x08] = 5;
    assert_int_equal(xen_irq_init(&r->q, &r->host, true), 0);
    assert_int_equal(r->q.cap, 0);
    xen_irq_destroy(&r->q);
    r->config[0x40] = 5; /* hidden behind a status that says: no list */
    r->config[6] = 0;
    assert_int_equal(xen_irq_init(&r->q, &r->host, true), 0);
    assert_int_equal(r->q.cap, 0);
}

static void a_64_bit_address_is_understood(void **state)
{
    static const uint8_t cap[16] = {5, 0, 0x81, 0, 0x00, 0x20, 0xe0, 0xfe, 0x00, 0x01, 0, 0, 0x31, 0x40, 0, 0};
    struct rig *r = *state;

    use_config(r);
    r->config[6] = 0x10;
    r->config[4] = BUS_MASTER;
    r->config[0x34] = 0x40;
    r->config[0x41] = 0x60;
    memcpy(r->config + 0x60, cap, sizeof(cap));
    assert_int_equal(xen_irq_init(&r->q, &r->host, true), 0);
    xen_irq_edge(&r->q);
    assert_true(r->addr == 0x100fee02000);
    assert_int_equal(r->data, 0x4031);
}

static void *toggle_line(void *arg)
{
    struct rig *r = arg;

    for (unsigned i = 0; i < 20000; i++) {
        xen_irq_line(&r->q, i & 1);
        xen_irq_edge(&r->q);
    }
    xen_irq_line(&r->q, true);
    return NULL;
}

static void a_line_does_not_stick_whoever_is_quicker(void **state)
{
    struct rig *r = *state;
    pthread_t t;

    assert_int_equal(pthread_create(&t, NULL, toggle_line, r), 0);
    for (unsigned i = 0; i < 2000; i++) {
        cfg_write(r, COMMAND, 2, i & 1 ? INTX_OFF : 0);
        if (i & 1) {
            pthread_mutex_lock(&r->q.lock);
            assert_int_equal(r->level == 1, 0);
            pthread_mutex_unlock(&r->q.lock);
        }
    }
    pthread_join(t, NULL);
    cfg_write(r, COMMAND, 2, 0);
    assert_int_equal(r->level, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_silent_device_says_nothing),        TEST(an_edge_is_an_msi_when_enabled),
        TEST(an_msi_needs_bus_mastering),          TEST(the_line_is_followed),
        TEST(msi_and_the_line_exclude_each_other), TEST(the_line_can_be_turned_off),
        TEST(other_writes_read_nothing),           TEST(a_refused_level_is_tried_again),
        TEST(an_adopted_line_is_told_anew),        TEST(capability_lists_of_any_shape_end),
        TEST(a_64_bit_address_is_understood),      TEST(a_line_does_not_stick_whoever_is_quicker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
