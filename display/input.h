/*
 * What people do with keyboard and pointer at a viewer, on its way to the guest. gtmux is a GPU: the guest's input
 * devices are QEMU's, so sinks hand events to their user, who knows the way (mediator/qmp_input.h).
 */
#ifndef GTMUX_DISPLAY_INPUT_H
#define GTMUX_DISPLAY_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#define INPUT_NUMBERS  256u    /* QEMU's key numbers are below */
#define INPUT_POSITION 0x8000u /* positions are below: INPUT_EVENT_ABS_MAX of QEMU's include/ui/input.h + 1 */

/* In the order of org.qemu.Display1.Mouse; QEMU's InputButton (qapi/ui.json) has the last two, too. */
enum input_button {
    INPUT_LEFT,
    INPUT_MIDDLE,
    INPUT_RIGHT,
    INPUT_WHEEL_UP,
    INPUT_WHEEL_DOWN,
    INPUT_SIDE,
    INPUT_EXTRA,
    INPUT_WHEEL_LEFT,
    INPUT_WHEEL_RIGHT,
    INPUT_BUTTONS,
};

enum input_kind {
    INPUT_KEY,
    INPUT_BUTTON,
    INPUT_MOVE,
    INPUT_LIFT, /* whoever pressed keys and buttons does not see them any more: all go up */
};

struct input_event {
    enum input_kind kind;
    bool down;
    uint8_t code;  /* INPUT_KEY: QEMU's number; INPUT_BUTTON: enum input_button */
    uint16_t x, y; /* INPUT_MOVE: of the whole picture, below INPUT_POSITION */
};

/* Takes an event; ctx is the sink's. */
typedef void (*input_fn)(void *ctx, const struct input_event *e);

/* QEMU's number of a key of linux/input-event-codes.h; 0: it has none. */
uint8_t input_number(uint32_t evdev);
/* Of linux/input-event-codes.h, BTN_LEFT and so on. False: QEMU has no such button. */
bool input_button(uint32_t evdev, enum input_button *button);
/* The position that means pixel `at` of `size` (more: the last one) to a guest that shows `size` pixels. */
uint16_t input_position(uint32_t at, uint32_t size);
/* A wheel's way in clicks: each is a button's press and release. */
void input_wheel(input_fn to, void *ctx, enum input_button button, unsigned clicks);

#endif
