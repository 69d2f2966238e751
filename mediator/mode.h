/* "WxH@HZ" texts and the mode they mean. */
#ifndef GTMUX_MEDIATOR_MODE_H
#define GTMUX_MEDIATOR_MODE_H

#include <stdbool.h>
#include <stddef.h>

#include "vgpu/vgpu.h"

/* Parses WIDTHxHEIGHT[@HZ[.mmm]] (default 60 Hz). False when it is malformed or out of vgpu's range. */
bool mode_parse(const char *text, struct vgpu_mode *mode);
/* The text of a mode into buf; returns buf. 24 bytes are always enough. */
const char *mode_format(const struct vgpu_mode *mode, char *buf, size_t size);

#endif
