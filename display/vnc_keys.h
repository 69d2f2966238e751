/*
 * Keys by what is printed on them: VNC clients without the QEMU extended key event send keysyms. They are looked up on
 * a keyboard of one layout, as with QEMU's -k: the guest must have the same one for letters to come out right.
 */
#ifndef GTMUX_DISPLAY_VNC_KEYS_H
#define GTMUX_DISPLAY_VNC_KEYS_H

#include <stdint.h>

struct vnc_keys;

/* The keys of an XKB layout, such as "us". NULL: there is no such layout. */
struct vnc_keys *vnc_keys_create(const char *layout);
void vnc_keys_destroy(struct vnc_keys *k); /* NULL is fine */
/* The key that has the keysym, as in linux/input-event-codes.h; 0: none has. */
uint32_t vnc_keys_find(const struct vnc_keys *k, uint32_t keysym);

#endif
