/*
 * Compressed blocks. BC1 to BC5 by worked examples; for the others the texels of 4000 random blocks have the checksum
 * that Mesa 22.3.6's decoders give for the same blocks (texcompress_bptc_tmp.h, texcompress_etc.c,
 * texcompress_astc.cpp, compiled apart).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mediator/soft/compress.h"
#include "mediator/soft/half.h"
#include "mediator/soft/surface.h"

#define BLOCKS 4000u

static uint64_t seed;

static void next_block(uint8_t block[16])
{
    for (unsigned i = 0; i < 16; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        block[i] = (uint8_t)(seed >> 16);
    }
}

static uint32_t begin(void)
{
    seed = 1;
    return 2166136261u;
}

static uint32_t fnv(uint32_t hash, const void *data, size_t n)
{
    for (const uint8_t *p = data; n--; p++)
        hash = (hash ^ *p) * 16777619u;
    return hash;
}

/* What glGetTexImage of Mesa 22.3.6's llvmpipe gives for them. */
static void fxt1_is_mesas(void **state)
{
    uint32_t hash = begin();
    uint8_t block[16], texel[32][4];

    (void)state;
    for (unsigned n = 0; n < BLOCKS; n++) {
        next_block(block);
        fxt1_decode(block, texel);
        hash = fnv(hash, texel, sizeof(texel));
    }
    assert_int_equal(hash, 0xd54d6307);
}

static void bc7_is_mesas(void **state)
{
    uint32_t hash = begin();
    uint8_t block[16], texel[16][4];

    (void)state;
    for (unsigned n = 0; n < BLOCKS; n++) {
        next_block(block);
        block[0] = (uint8_t)((block[0] & ~((2u << (n % 8)) - 1)) | 1u << (n % 8)); /* each mode */
        bc7_decode(block, texel);
        hash = fnv(hash, texel, sizeof(texel));
    }
    assert_int_equal(hash, 0x29e8dd79);
    memset(block, 0, sizeof(block));
    bc7_decode(block, texel);
    assert_int_equal(texel[5][3], 0);
}

static uint32_t bc6h_hash(bool is_signed)
{
    uint32_t hash = begin();

    for (unsigned n = 0; n < BLOCKS; n++) {
        uint8_t block[16];
        float texel[16][3];

        next_block(block);
        bc6h_decode(block, is_signed, texel);
        for (unsigned i = 0; i < 48; i++) {
            float v = texel[i / 3][i % 3];
            uint32_t bits = isnan(v) ? 1 : soft_as_bits(v);

            hash = fnv(hash, &bits, 4);
        }
    }
    return hash;
}

static void bc6h_is_mesas(void **state)
{
    (void)state;
    assert_int_equal(bc6h_hash(false), 0x4ea2f848);
    assert_int_equal(bc6h_hash(true), 0x9ecfcbc6);
}

static uint32_t etc2_hash(bool punch_through)
{
    uint32_t hash = begin();

    for (unsigned n = 0; n < BLOCKS; n++) {
        uint8_t block[16], texel[16][4];

        next_block(block);
        etc2_decode(block, punch_through, texel);
        hash = fnv(hash, texel, sizeof(texel));
    }
    return hash;
}

static void etc2_is_mesas(void **state)
{
    (void)state;
    assert_int_equal(etc2_hash(false), 0x191cc65b);
    assert_int_equal(etc2_hash(true), 0x35c2ea55);
}

static uint32_t hash_eleven(uint32_t hash, const float texel[16], float top)
{
    for (unsigned i = 0; i < 16; i++) {
        int32_t v = (int32_t)lrintf(texel[i] * top);

        hash = fnv(hash, &v, 4);
    }
    return hash;
}

static void eac_is_mesas(void **state)
{
    uint32_t alpha_hash = begin(), unsigned_hash = alpha_hash, signed_hash = alpha_hash;
    uint8_t block[16], alpha[16];
    float texel[16];

    (void)state;
    for (unsigned n = 0; n < BLOCKS; n++) {
        next_block(block);
        eac_decode_alpha(block, alpha);
        alpha_hash = fnv(alpha_hash, alpha, sizeof(alpha));
        eac_decode_11(block, false, texel);
        unsigned_hash = hash_eleven(unsigned_hash, texel, 2047);
        eac_decode_11(block, true, texel);
        signed_hash = hash_eleven(signed_hash, texel, 1023);
    }
    assert_int_equal(alpha_hash, 0x03926915);
    assert_int_equal(unsigned_hash, 0x1a232893);
    assert_int_equal(signed_hash, 0x7baf4579);
}

static uint32_t astc_hash(bool srgb)
{
    static const uint8_t width[14] = {4, 5, 5, 6, 6, 8, 8, 8, 10, 10, 10, 10, 12, 12};
    static const uint8_t height[14] = {4, 4, 5, 5, 6, 5, 6, 8, 5, 6, 8, 10, 10, 12};
    uint32_t hash = begin();

    for (unsigned n = 0; n < BLOCKS; n++) {
        unsigned w = width[n % 14], h = height[n % 14];
        uint16_t texel[144][4];
        uint8_t block[16];

        next_block(block);
        if (n % 16 == 0) { /* void extents */
            block[0] = 0xfc;
            block[1] = 0x0d;
        } else if (n % 3 == 0) {
            block[1] &= (uint8_t)~0x18; /* one partition */
        }
        if (block[0] == 0xfc && (block[1] & 1))
            block[1] |= 0x0c; /* reserved bits of void extents, which Mesa does not check */
        astc_decode(block, w, h, srgb, texel);
        for (unsigned i = 0; i < w * h * 4; i++) {
            uint8_t v = (uint8_t)(texel[i / 4][i % 4] >> 8);

            hash = fnv(hash, &v, 1);
        }
    }
    return hash;
}

static void astc_is_mesas(void **state)
{
    (void)state;
    assert_int_equal(astc_hash(false), 0x72ac45d1);
    assert_int_equal(astc_hash(true), 0x0fdb349c);
}

static void bc1_has_three_or_four_colours(void **state)
{
    static const uint8_t four[8] = {0, 0xf8, 0x1f, 0, 0xe4}, three[8] = {0x1f, 0, 0, 0xf8, 0xe4};
    uint8_t texel[16][4];

    (void)state;
    bc1_decode(four, true, texel); /* red, blue */
    assert_memory_equal(texel[0], ((const uint8_t[]){255, 0, 0, 255}), 4);
    assert_memory_equal(texel[1], ((const uint8_t[]){0, 0, 255, 255}), 4);
    assert_memory_equal(texel[2], ((const uint8_t[]){170, 0, 85, 255}), 4);
    assert_memory_equal(texel[3], ((const uint8_t[]){85, 0, 170, 255}), 4);
    bc1_decode(three, true, texel);
    assert_memory_equal(texel[2], ((const uint8_t[]){127, 0, 127, 255}), 4);
    assert_memory_equal(texel[3], ((const uint8_t[]){0, 0, 0, 0}), 4);
    bc1_decode(three, false, texel);
    assert_memory_equal(texel[3], ((const uint8_t[]){0, 0, 0, 255}), 4);
}

static void bc2_and_bc3_have_alpha(void **state)
{
    static const uint8_t two[16] = {0x5a, 0, 0, 0, 0, 0, 0, 0xf0, 0x1f, 0, 0, 0xf8, 0xe4};
    static const uint8_t three[16] = {70, 0, 0x88, 0xc6, 0xfa}, five[16] = {0, 50, 0xba, 0x0f};
    static const uint8_t eight_values[8] = {70, 0, 60, 50, 40, 30, 20, 10};
    uint8_t texel[16][4];

    (void)state;
    bc2_decode(two, texel);
    assert_int_equal(texel[0][3], 0xaa);
    assert_int_equal(texel[1][3], 0x55);
    assert_int_equal(texel[15][3], 0xff);
    assert_int_equal(texel[3][0], 170); /* four colours whatever their order */
    bc3_decode(three, texel);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(texel[i][3], eight_values[i]);
    bc3_decode(five, texel);
    assert_int_equal(texel[0][3], 10);  /* index 2 */
    assert_int_equal(texel[1][3], 255); /* 7 */
    assert_int_equal(texel[2][3], 0);   /* 6, with a bit of the next byte */
}

static void bc4_is_signed_or_not(void **state)
{
    static const uint8_t plain[8] = {255, 0, 0x88, 0xc6, 0xfa}, negative[8] = {0x81, 0x7f, 0x88, 0xc6, 0xfa};
    float texel[16];

    (void)state;
    bc4_decode(plain, false, texel);
    assert_true(texel[0] == 1 && texel[1] == 0);
    assert_true(fabsf(texel[2] - 6 / 7.0f) < 1e-6f);
    bc4_decode(negative, true, texel);
    assert_true(texel[0] == -1 && texel[1] == 1);
    assert_true(fabsf(texel[2] + 3 / 5.0f) < 1e-6f);
    assert_true(texel[6] == -1 && texel[7] == 1);
}

static void macro_pixels_share_their_chroma(void **state)
{
    static const uint8_t yuyv[4] = {10, 20, 30, 40};
    uint32_t texel[2][4];

    (void)state;
    soft_format_decode_block(soft_format_find(SOFT_FORMAT_YCRCB_NORMAL), yuyv, texel);
    assert_true(soft_as_float(texel[0][1]) == 10 / 255.0f && soft_as_float(texel[1][1]) == 30 / 255.0f);
    assert_true(soft_as_float(texel[1][0]) == 40 / 255.0f && soft_as_float(texel[0][2]) == 20 / 255.0f);
    soft_format_decode_block(soft_format_find(SOFT_FORMAT_YCRCB_SWAPY), yuyv, texel);
    assert_true(soft_as_float(texel[1][1]) == 40 / 255.0f && soft_as_float(texel[0][2]) == 10 / 255.0f);
}

/* Every compressed format of the table has a decoder that fills its block. */
static void every_compressed_format_is_decoded(void **state)
{
    uint32_t texel[144][4];
    uint8_t block[16];

    (void)state;
    begin();
    for (unsigned number = 0; number < 1024; number++) {
        const struct soft_format *f = soft_format_find(number);
        bool all_zero = true;

        if (!f || !f->compression)
            continue;
        memset(texel, 0, sizeof(texel));
        for (unsigned n = 0; n < 4 && all_zero; n++) {
            next_block(block);
            soft_format_decode_block(f, block, texel);
            for (unsigned i = 0; i < (unsigned)f->block_width_px * f->block_height_px; i++)
                all_zero = all_zero && !texel[i][0] && !texel[i][1];
        }
        assert_false(all_zero);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bc7_is_mesas),
        cmocka_unit_test(fxt1_is_mesas),
        cmocka_unit_test(bc6h_is_mesas),
        cmocka_unit_test(etc2_is_mesas),
        cmocka_unit_test(eac_is_mesas),
        cmocka_unit_test(astc_is_mesas),
        cmocka_unit_test(bc1_has_three_or_four_colours),
        cmocka_unit_test(bc2_and_bc3_have_alpha),
        cmocka_unit_test(bc4_is_signed_or_not),
        cmocka_unit_test(macro_pixels_share_their_chroma),
        cmocka_unit_test(every_compressed_format_is_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
