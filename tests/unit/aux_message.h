/* Messages on an AUX channel as i915 intel_dp_aux.c puts them into the channel's registers. */
#ifndef GTMUX_TESTS_AUX_MESSAGE_H
#define GTMUX_TESTS_AUX_MESSAGE_H

#include <stdint.h>
#include <string.h>

#include "vgpu/base/bits.h"

#define AUX_NATIVE_WRITE 0x8u
#define AUX_NATIVE_READ  0x9u
#define AUX_I2C_WRITE    0x0u
#define AUX_I2C_READ     0x1u
#define AUX_I2C_UPDATE   0x2u
#define AUX_MOT          0x4u

#define AUX_SEND    GT_BIT(31)
#define AUX_DONE    GT_BIT(30)
#define AUX_IRQ     GT_BIT(29)
#define AUX_TIMEOUT GT_BIT(28)
#define AUX_ERROR   GT_BIT(25)

struct aux_message {
    unsigned bytes;
    uint8_t byte[20];
};

/* data NULL: a read of n bytes; n 0: an address only. */
static inline struct aux_message aux_message(unsigned command, uint32_t address, const void *data, unsigned n)
{
    struct aux_message m = {
        .bytes = n ? 4 : 3,
        .byte = {(uint8_t)(command << 4 | address >> 16), (uint8_t)(address >> 8), (uint8_t)address, (uint8_t)(n - 1)}};

    if (data) {
        memcpy(m.byte + 4, data, n);
        m.bytes += n;
    }
    return m;
}

/* What the data registers hold. */
static inline uint32_t aux_word(const struct aux_message *m, unsigned reg)
{
    const uint8_t *b = m->byte + 4 * reg;

    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* What sends it: with the bits that clear what the last message left, and the time-out of Skylake's. */
static inline uint32_t aux_control(const struct aux_message *m)
{
    return AUX_SEND | AUX_DONE | AUX_IRQ | AUX_TIMEOUT | 3u << 26 | AUX_ERROR | m->bytes << 20 | 31u << 5 | 31u;
}

#endif
