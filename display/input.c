#include "display/input.h"

#include <linux/input-event-codes.h>

#include "vgpu/base/bits.h"

#define CLICKS_MAX 16u /* of one event: more is no wheel */

uint8_t input_number(uint32_t evdev)
{
    static const uint8_t numbers[] = {
#define INPUT_KEY(name, number) [name] = number,
#include "display/input_keys.def"
#undef INPUT_KEY
    };

    return evdev < GT_ARRAY_SIZE(numbers) ? numbers[evdev] : 0;
}

bool input_button(uint32_t evdev, enum input_button *button)
{
    switch (evdev) {
    case BTN_LEFT:
        *button = INPUT_LEFT;
        return true;
    case BTN_MIDDLE:
        *button = INPUT_MIDDLE;
        return true;
    case BTN_RIGHT:
        *button = INPUT_RIGHT;
        return true;
    case BTN_SIDE:
    case BTN_BACK:
        *button = INPUT_SIDE;
        return true;
    case BTN_EXTRA:
    case BTN_FORWARD:
        *button = INPUT_EXTRA;
        return true;
    default:
        return false;
    }
}

/* The middle of the pixel: the guest, which multiplies by its size and rounds down, finds the same one. */
uint16_t input_position(uint32_t at, uint32_t size)
{
    if (!size)
        return 0;
    if (at >= size)
        at = size - 1;
    return (uint16_t)((at * UINT64_C(2) + 1) * INPUT_POSITION / (size * UINT64_C(2)));
}

void input_wheel(input_fn to, void *ctx, enum input_button button, unsigned clicks)
{
    struct input_event e = {.kind = INPUT_BUTTON, .code = (uint8_t)button};

    for (unsigned i = 0; i < GT_MIN(clicks, CLICKS_MAX) * 2; i++) {
        e.down = i % 2 == 0;
        to(ctx, &e);
    }
}
