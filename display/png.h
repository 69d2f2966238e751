/* PNG files of pictures. */
#ifndef GTMUX_DISPLAY_PNG_H
#define GTMUX_DISPLAY_PNG_H

#include <stdint.h>
#include <stdio.h>

/* Writes width * height XRGB8888 pixels (X ignored, rows without gaps, top first). 0, or -1 with a message in err.
 * png_write_file leaves no file behind when it fails. */
int png_write_stream(FILE *f, const uint32_t *pixels, uint32_t width, uint32_t height, char *err, unsigned errsz);
int png_write_file(const char *path, const uint32_t *pixels, uint32_t width, uint32_t height, char *err,
                   unsigned errsz);

#endif
