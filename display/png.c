#include "display/png.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE_MAX 16384u
#define CHANNELS 3u

struct png_error {
    char *text;
    unsigned size;
};

static void on_error(png_structp png, png_const_charp message)
{
    struct png_error *e = png_get_error_ptr(png);

    snprintf(e->text, e->size, "libpng: %s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void pack_row(uint8_t *out, const uint32_t *pixels, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++) {
        *out++ = (uint8_t)(pixels[x] >> 16);
        *out++ = (uint8_t)(pixels[x] >> 8);
        *out++ = (uint8_t)pixels[x];
    }
}

/* Own function: nothing that changes after setjmp lives in its frame. */
static int write_image(png_structp png, png_infop info, FILE *f, uint8_t *row, const uint32_t *pixels, uint32_t width,
                       uint32_t height)
{
    if (setjmp(png_jmpbuf(png)))
        return -1;
    png_init_io(png, f);
    png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 1);
    png_write_info(png, info);
    for (uint32_t y = 0; y < height; y++) {
        pack_row(row, pixels + (size_t)y * width, width);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    return 0;
}

int png_write_stream(FILE *f, const uint32_t *pixels, uint32_t width, uint32_t height, char *err, unsigned errsz)
{
    struct png_error error = {err, errsz};
    int rc = -1;

    if (!width || !height || width > SIDE_MAX || height > SIDE_MAX) {
        snprintf(err, errsz, "a picture of %u x %u pixels cannot be written", width, height);
        return -1;
    }
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &error, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    uint8_t *row = malloc((size_t)width * CHANNELS);

    if (info && row)
        rc = write_image(png, info, f, row, pixels, width, height);
    else
        snprintf(err, errsz, "no memory for the PNG writer");
    free(row);
    png_destroy_write_struct(&png, &info);
    if (!rc && fflush(f)) {
        snprintf(err, errsz, "cannot write the picture: %s", strerror(errno));
        rc = -1;
    }
    return rc;
}

int png_write_file(const char *path, const uint32_t *pixels, uint32_t width, uint32_t height, char *err, unsigned errsz)
{
    FILE *f = fopen(path, "wbe");

    if (!f) {
        snprintf(err, errsz, "cannot create %s: %s", path, strerror(errno));
        return -1;
    }
    struct stat st;
    bool regular = !fstat(fileno(f), &st) && S_ISREG(st.st_mode);
    int rc = png_write_stream(f, pixels, width, height, err, errsz);

    if (fclose(f) && !rc) {
        snprintf(err, errsz, "cannot write %s: %s", path, strerror(errno));
        rc = -1;
    }
    if (rc && regular)
        unlink(path);
    return rc;
}
