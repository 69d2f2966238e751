/*
 * The URB: an array of entries that threads of the 3D pipe's front read and write with messages. A handle is what
 * hardware has: a number of 16 bits. Here it counts 64-byte units from the start of the array.
 */
#ifndef GTMUX_SOFT_URB_H
#define GTMUX_SOFT_URB_H

#include "mediator/soft/eu/eu.h"

#define SOFT_URB_UNIT  64u
#define SOFT_URB_UNITS 65536u
#define SOFT_URB_BYTES (SOFT_URB_UNIT * SOFT_URB_UNITS)

struct soft_urb {
    uint8_t *data; /* SOFT_URB_BYTES */
};

/* The entry of a handle; the bits above 15 are not a handle's. */
static inline uint32_t *soft_urb_entry(const struct soft_urb *u, uint32_t handle)
{
    return (uint32_t *)(void *)(u->data + (size_t)(handle & (SOFT_URB_UNITS - 1)) * SOFT_URB_UNIT);
}

/* SFID URB. Reads and writes stay inside the array; what is beyond reads as zero and is not written. */
enum eu_result soft_urb_message(struct soft_urb *u, const struct eu_message *m);

#endif
