/*
 * Hotkeys on the keyboards of this machine, by evdev: which of several guests a monitor shows. Keyboards are read, not
 * grabbed: whoever else reads them, such as the console, goes on to do so.
 */
#ifndef GTMUX_DISPLAY_HOTKEY_H
#define GTMUX_DISPLAY_HOTKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOTKEY_CTRL  1u
#define HOTKEY_ALT   2u
#define HOTKEY_SHIFT 4u
#define HOTKEY_META  8u

/* "ctrl+alt" and the like to a mask of modifiers; "none" to 0. False: it is neither. */
bool hotkey_modifiers(const char *text, unsigned *out);

/* What is held down. */
struct hotkey_keys {
    unsigned wanted; /* modifiers, exactly these */
    unsigned down;   /* bit n: key n of a table of left and right modifiers */
};

enum { HOTKEY_NONE = 0, HOTKEY_NEXT = -1, HOTKEY_PREVIOUS = -2 };

/* An event of a keyboard (linux/input.h). With all wanted modifiers and no other: Page Down is HOTKEY_NEXT, Page Up
 * HOTKEY_PREVIOUS, a digit its number, 1 to 9. Else, and when a key repeats, HOTKEY_NONE. */
int hotkey_event(struct hotkey_keys *k, uint16_t type, uint16_t code, int32_t value);

struct hotkey;

/* Reads all keyboards in a directory of event devices ("/dev/input"), also those that come later. pressed is called
 * from hotkey_dispatch. 0 or -errno. */
int hotkey_open(struct hotkey **out, const char *dir, unsigned modifiers, void (*pressed)(void *ctx, int which),
                void *ctx);
void hotkey_close(struct hotkey *h); /* NULL is fine */
/* Keyboards that are read now. */
unsigned hotkey_keyboards(const struct hotkey *h);
/* The descriptor to poll for input, and what then to call. */
int hotkey_fd(const struct hotkey *h);
void hotkey_dispatch(struct hotkey *h);

#endif
