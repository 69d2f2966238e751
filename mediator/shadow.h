/*
 * A sparse copy of guest memory: 4 KiB pages by guest physical address, zero until written. The recorder uses it to
 * know what the replayer's memory holds, the replayer and the fuzz targets use it as the memory.
 */
#ifndef GTMUX_MEDIATOR_SHADOW_H
#define GTMUX_MEDIATOR_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHADOW_PAGE 4096u

struct shadow;

/* Holds at most max_pages pages. NULL: out of memory. */
struct shadow *shadow_create(size_t max_pages);
void shadow_destroy(struct shadow *s); /* NULL is fine */

/* As vgpu_ops.mem_read, mem_write, mem_cas. -EFAULT when the range wraps; -ENOMEM (nothing written) when no page is
 * left. */
int shadow_read(const struct shadow *s, uint64_t gpa, void *dst, size_t n);
int shadow_write(struct shadow *s, uint64_t gpa, const void *src, size_t n);
int shadow_cas(struct shadow *s, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired);
/* The page that holds gpa, or NULL: all zero. */
const uint8_t *shadow_page(const struct shadow *s, uint64_t gpa);

#endif
