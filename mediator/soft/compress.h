/* Decoders of compressed formats, behind soft_format_decode_block. Texels are in rows; see each for their form. */
#ifndef GTMUX_SOFT_COMPRESS_H
#define GTMUX_SOFT_COMPRESS_H

#include <stdbool.h>
#include <stdint.h>

/* BC1 to BC3: bytes of red, green, blue, alpha. transparent: BC1 may have texels without colour. */
void bc1_decode(const uint8_t *block, bool transparent, uint8_t texel[16][4]);
void bc2_decode(const uint8_t *block, uint8_t texel[16][4]);
void bc3_decode(const uint8_t *block, uint8_t texel[16][4]);
/* One channel of BC4 or BC5, 0..1 or -1..1. */
void bc4_decode(const uint8_t *block, bool is_signed, float texel[16]);

/* BC7: bytes. BC6H: halves, as floats. Reserved modes: zeros. */
void bc7_decode(const uint8_t *block, uint8_t texel[16][4]);
void bc6h_decode(const uint8_t *block, bool is_signed, float texel[16][3]);

/* FXT1: bytes, rows of 8. */
void fxt1_decode(const uint8_t *block, uint8_t texel[32][4]);

/* ETC2: colours of the 8 bytes, as bytes; punch_through: with one bit of alpha. */
void etc2_decode(const uint8_t *block, bool punch_through, uint8_t texel[16][4]);
/* EAC: the alpha of ETC2_EAC as bytes; 11 bits as 0..1 or -1..1. */
void eac_decode_alpha(const uint8_t *block, uint8_t alpha[16]);
void eac_decode_11(const uint8_t *block, bool is_signed, float texel[16]);

/* ASTC LDR: 16-bit UNORM channels (with srgb the upper 8 are the sRGB code). width x height texels. */
void astc_decode(const uint8_t *block, unsigned width, unsigned height, bool srgb, uint16_t (*texel)[4]);

#endif
