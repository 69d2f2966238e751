/*
 * glprobe draws small scenes with OpenGL ES 3.2 without a window and writes what came out of each to a file, so that
 * two implementations can be compared. A scene gets a fresh context with a 256 x 256 RGBA8 framebuffer bound.
 */
#ifndef GTMUX_TESTS_SHIM_GLPROBE_H
#define GTMUX_TESTS_SHIM_GLPROBE_H

#include <stddef.h>

#include <GLES3/gl32.h>

#define SIDE 256

struct scene {
    const char *name;
    void (*draw)(void);
    int tolerance; /* largest difference of a byte that passes: 1 where arithmetic may round in two ways, 0 elsewhere */
    int outliers;  /* pixels that may differ more: where GL leaves the result open (edges of lines, chaotic loops) */
};

extern const struct scene draw_scenes[], texture_scenes[], sampling_scenes[], data_scenes[]; /* end with a name of NULL */

/* ---- tools */
GLuint make_program(const char *vertex, const char *fragment);
GLuint make_compute(const char *source);
/* Compiles one stage; prints the log and ends the program when that fails. */
GLuint make_shader(GLenum kind, const char *source);
void link_program(GLuint program);
GLuint make_buffer(GLenum target, const void *data, size_t size);
/* Attribute 0 from a new buffer. */
void vertices(const float *data, size_t bytes, int components);
/* A full-screen strip: xy in attribute 0, 0..1 coordinates as zw. */
void quad(void);
extern const char *const quad_vertex; /* gives "in vec2 t" */
/* A level with a pattern that tells x, y and 8 x 8 checks apart. */
GLuint make_texture(int width, int height);
void fill_level(GLenum target, int level, int width, int height);
GLuint make_target(GLenum format, int width, int height);
GLuint make_framebuffer(GLuint texture);
/* What the scene is judged by, instead of the bound framebuffer: bytes of a buffer, or from memory. */
void result_buffer(GLuint buffer, size_t size);
void result_bytes(const void *data, size_t size);

#endif
