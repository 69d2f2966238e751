/* The VBT as i915 reads it: found in the option ROM and in the OpRegion, well formed, three DisplayPorts. */
#include "core_fixture.h"

#define IMAGE 8192u

static uint32_t le(const uint8_t *p, unsigned bytes)
{
    uint32_t val = 0;

    for (unsigned i = 0; i < bytes; i++)
        val |= (uint32_t)p[i] << (8 * i);
    return val;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;

    while (n--)
        s = (uint8_t)(s + *p++);
    return s;
}

/* As i915 intel_bios.c find_raw_section. */
static const uint8_t *find_block(const uint8_t *bdb, unsigned id, uint32_t *size)
{
    uint32_t at = le(bdb + 18, 2), total = le(bdb + 20, 2);

    while (at + 3 < total) {
        *size = le(bdb + at + 1, 2);
        assert_true(at + 3 + *size <= total);
        if (bdb[at] == id)
            return bdb + at + 3;
        at += 3 + *size;
    }
    return NULL;
}

static void check_vbt(const uint8_t *vbt, size_t room)
{
    static const struct {
        uint8_t dvo_port, aux;
    } expected[] = {{7, 0x10}, {8, 0x20}, {9, 0x30}};
    uint32_t vbt_size = le(vbt + 24, 2), bdb_at = le(vbt + 28, 4), size;

    assert_memory_equal(vbt, "$VBT", 4);
    assert_true(vbt_size <= room);
    assert_int_equal(sum(vbt, vbt_size), 0);
    assert_true(bdb_at + 22 <= vbt_size);
    const uint8_t *bdb = vbt + bdb_at;

    assert_memory_equal(bdb, "BIOS_DATA_BLOCK ", 16);
    assert_int_equal(bdb_at + le(bdb + 20, 2), vbt_size);
    assert_non_null(find_block(bdb, 1, &size));
    assert_int_equal(size, 5);
    const uint8_t *defs = find_block(bdb, 2, &size);

    assert_non_null(defs);
    assert_int_equal(defs[4], 38); /* what i915 expects of BDB versions 196..215 */
    assert_in_range(le(bdb + 16, 2), 196, 215);
    assert_int_equal((size - 5) % 38, 0);
    assert_int_equal((size - 5) / 38, VGPU_HEADS);
    for (unsigned i = 0; i < VGPU_HEADS; i++) {
        const uint8_t *child = defs + 5 + 38 * i;

        assert_int_equal(le(child + 2, 2), 0x68c6);
        assert_int_equal(child[16], expected[i].dvo_port);
        assert_int_equal(child[19], 0);
        assert_int_equal(child[25], expected[i].aux);
    }
}

static void option_rom_carries_the_vbt(void **state)
{
    (void)state;
    uint8_t rom[IMAGE + 16];

    memset(rom, 0xee, sizeof(rom));
    assert_int_equal(vgpu_vbt_rom(rom, sizeof(rom)), IMAGE);
    assert_int_equal(rom[IMAGE], 0xee);
    assert_int_equal(le(rom, 2), 0xaa55);
    assert_int_equal(rom[2] * 512, IMAGE);
    assert_int_equal(sum(rom, IMAGE), 0);
    const uint8_t *pcir = rom + le(rom + 0x18, 2);

    assert_memory_equal(pcir, "PCIR", 4);
    assert_int_equal(le(pcir + 4, 2), 0x8086);
    assert_int_equal(le(pcir + 6, 2), 0x1912);
    assert_int_equal(le(pcir + 13, 3), 0x030000);
    assert_int_equal(le(pcir + 16, 2), IMAGE / 512);
    assert_int_equal(pcir[21] & 0x80, 0x80);
    /* i915 looks for the signature dword by dword */
    for (uint32_t at = 0; at < IMAGE; at += 4)
        if (!memcmp(rom + at, "$VBT", 4)) {
            check_vbt(rom + at, IMAGE - at);
            return;
        }
    fail_msg("no VBT in the ROM");
}

static void opregion_carries_the_vbt(void **state)
{
    (void)state;
    uint8_t op[IMAGE + 16];

    memset(op, 0xee, sizeof(op));
    assert_int_equal(vgpu_opregion(op, sizeof(op)), IMAGE);
    assert_int_equal(op[IMAGE], 0xee);
    assert_memory_equal(op, "IntelGraphicsMem", 16);
    assert_int_equal(le(op + 16, 4), IMAGE / 1024);
    assert_int_equal(op[23], 2);                   /* major version */
    assert_int_equal(le(op + 0x58, 4) & 0x2, 0);   /* no SWSCI */
    assert_int_equal(le(op + 0x58, 4) & 0x9, 0x9); /* ACPI, VBT */
    assert_int_equal(le(op + 0x3ba, 4), 0);        /* RVDA: the VBT is in mailbox 4 */
    check_vbt(op + 0x400, 0x1800);
}

static void small_buffers_are_refused(void **state)
{
    (void)state;
    uint8_t byte = 0xee;

    assert_int_equal(vgpu_vbt_rom(&byte, 1), 0);
    assert_int_equal(vgpu_opregion(&byte, 1), 0);
    assert_int_equal(vgpu_vbt_rom(&byte, 0), 0);
    assert_int_equal(byte, 0xee);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(option_rom_carries_the_vbt),
        FX_TEST(opregion_carries_the_vbt),
        FX_TEST(small_buffers_are_refused),
    };

    return cmocka_run_group_tests_name("vbt", tests, NULL, NULL);
}
