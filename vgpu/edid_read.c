/* EDIDs that the user gives: are they whole, and which mode does a driver prefer? EDID 1.4, section 3. */
#include <string.h>

#include "vgpu/base/bits.h"
#include "vgpu/edid.h"
#include "vgpu/vgpu.h"

#define VERSION_AT    18u
#define EXTENSIONS_AT 126u
#define DTD_AT        54u
#define INTERLACED    0x80u
#define RATE_SLACK    100u /* millihertz: the clock has steps of 10 kHz */

static bool sums_to_zero(const uint8_t *block)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < VGPU_EDID_BLOCK; i++)
        sum = (uint8_t)(sum + block[i]);
    return !sum;
}

bool vgpu_edid_whole(const uint8_t *edid, size_t size)
{
    static const uint8_t header[8] = {0, 255, 255, 255, 255, 255, 255, 0};

    if (!size || size > VGPU_EDID_MAX || size % VGPU_EDID_BLOCK || memcmp(edid, header, sizeof(header)) ||
        edid[VERSION_AT] != 1 || edid[EXTENSIONS_AT] != size / VGPU_EDID_BLOCK - 1)
        return false;
    for (size_t at = 0; at < size; at += VGPU_EDID_BLOCK)
        if (!sums_to_zero(edid + at))
            return false;
    return true;
}

bool vgpu_edid_preferred(const uint8_t *edid, struct vgpu_mode *mode)
{
    const uint8_t *p = edid + DTD_AT;
    const uint32_t clock = p[0] | (uint32_t)p[1] << 8; /* 10 kHz */
    const uint32_t width = p[2] | (p[4] & 0xf0u) << 4, height = p[5] | (p[7] & 0xf0u) << 4;
    const uint64_t total = (uint64_t)(width + (p[3] | (p[4] & 0x0fu) << 8)) * (height + (p[6] | (p[7] & 0x0fu) << 8));

    if (!clock || !width || !height || (p[17] & INTERLACED))
        return false;
    uint64_t mhz = (clock * UINT64_C(10000000) + total / 2) / total;

    if (width < VGPU_MODE_SIDE_MIN || width > VGPU_MODE_WIDTH_MAX || height < VGPU_MODE_SIDE_MIN ||
        height > VGPU_MODE_HEIGHT_MAX || mhz + RATE_SLACK < VGPU_MODE_MHZ_MIN || mhz > VGPU_MODE_MHZ_MAX + RATE_SLACK)
        return false;
    mhz = GT_MAX(GT_MIN(mhz, (uint64_t)VGPU_MODE_MHZ_MAX), (uint64_t)VGPU_MODE_MHZ_MIN);
    *mode = (struct vgpu_mode){.width = (uint16_t)width, .height = (uint16_t)height, .mhz = (uint32_t)mhz};
    return true;
}
