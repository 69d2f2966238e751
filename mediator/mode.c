#include "mediator/mode.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* An unsigned decimal number of at most 7 digits at *text; moves *text past it. -1: none there. */
static long take_number(const char **text)
{
    long value = 0;
    int digits = 0;

    for (; isdigit((unsigned char)**text) && digits < 7; digits++)
        value = value * 10 + (*(*text)++ - '0');
    return digits && !isdigit((unsigned char)**text) ? value : -1;
}

/* Up to three decimals after a point, in thousandths. -1: malformed. */
static long take_thousandths(const char **text)
{
    long value = 0, weight = 100;

    if (!isdigit((unsigned char)**text))
        return -1;
    for (; isdigit((unsigned char)**text) && weight; weight /= 10)
        value += weight * (*(*text)++ - '0');
    return value;
}

bool mode_parse(const char *text, struct vgpu_mode *mode)
{
    long width = take_number(&text);

    if (width < 0 || *text++ != 'x')
        return false;
    long height = take_number(&text);
    long mhz = 60000;
    if (height < 0)
        return false;
    if (*text == '@') {
        text++;
        long hz = take_number(&text), part = 0;
        if (hz < 0)
            return false;
        if (*text == '.') {
            text++;
            part = take_thousandths(&text);
        }
        if (part < 0)
            return false;
        mhz = hz * 1000 + part;
    }
    if (*text || width < VGPU_MODE_SIDE_MIN || width > VGPU_MODE_WIDTH_MAX || height < VGPU_MODE_SIDE_MIN ||
        height > VGPU_MODE_HEIGHT_MAX || mhz < VGPU_MODE_MHZ_MIN || mhz > VGPU_MODE_MHZ_MAX)
        return false;
    *mode = (struct vgpu_mode){.width = (uint16_t)width, .height = (uint16_t)height, .mhz = (uint32_t)mhz};
    return true;
}

const char *mode_format(const struct vgpu_mode *mode, char *buf, size_t size)
{
    if (mode->mhz % 1000)
        snprintf(buf, size, "%ux%u@%u.%03u", mode->width, mode->height, mode->mhz / 1000, mode->mhz % 1000);
    else
        snprintf(buf, size, "%ux%u@%u", mode->width, mode->height, mode->mhz / 1000);
    return buf;
}
