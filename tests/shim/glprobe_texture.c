/* Textures, framebuffer formats, copies. */
#include "glprobe.h"

#include <stdio.h>

#define FS "#version 320 es\nprecision highp float; precision highp int;\n"

static const char *const plain = FS "in vec2 t; uniform sampler2D s; out vec4 o; void main() { o = texture(s, t); }";

static void parameter(GLenum target, GLenum name, GLint value)
{
    glTexParameteri(target, name, value);
}

static void texture_linear(void)
{
    make_texture(64, 64);
    make_program(quad_vertex, plain);
    quad();
}

static void texture_nearest(void)
{
    make_texture(48, 40);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
    make_program(quad_vertex, plain);
    quad();
}

static void wrap_modes(void)
{
    static const GLint modes[] = {GL_REPEAT, GL_MIRRORED_REPEAT, GL_CLAMP_TO_EDGE, GL_CLAMP_TO_BORDER};

    make_texture(32, 32);
    glTexParameterfv(GL_TEXTURE_2D, GL_TEXTURE_BORDER_COLOR, (const float[]){1.0f, 0.5f, 0.25f, 1.0f});
    make_program(quad_vertex,
                 FS "in vec2 t; uniform sampler2D s; out vec4 o; void main() { o = texture(s, t * 3.0 - 1.0); "
                    "}");
    for (int i = 0; i < 4; i++) {
        glViewport(i % 2 * 128, i / 2 * 128, 128, 128);
        parameter(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, modes[i]);
        parameter(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, modes[3 - i]);
        quad();
    }
}

static GLuint mip_texture(int side, int levels)
{
    GLuint t;

    glGenTextures(1, &t);
    glBindTexture(GL_TEXTURE_2D, t);
    glTexStorage2D(GL_TEXTURE_2D, levels, GL_RGBA8, side, side);
    for (int i = 0; i < levels; i++)
        fill_level(GL_TEXTURE_2D, i, side >> i, side >> i);
    return t;
}

static void explicit_lod(void)
{
    mip_texture(64, 7);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR_MIPMAP_LINEAR);
    make_program(quad_vertex, FS "in vec2 t; uniform sampler2D s; out vec4 o; void main() { o = textureLod(s, t, "
                                 "floor(t.x * 6.0)); }");
    quad();
}

static void fetch_levels(void)
{
    mip_texture(64, 7);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST_MIPMAP_NEAREST);
    make_program(
        quad_vertex,
        FS "in vec2 t; uniform sampler2D s; out vec4 o; void main() { int l = int(gl_FragCoord.y) / 40; ivec2 z = "
           "textureSize(s, l); o = texelFetch(s, min(ivec2(t * vec2(z)), z - 1), l); }");
    quad();
}

static void mipmap_generate(void)
{
    GLuint t = mip_texture(128, 8);

    glGenerateMipmap(GL_TEXTURE_2D);
    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, t, 2);
    unsigned char p[32 * 32 * 4];

    glReadPixels(0, 0, 32, 32, GL_RGBA, GL_UNSIGNED_BYTE, p);
    result_bytes(p, sizeof(p));
}

static void cube_map(void)
{
    GLuint t;

    glGenTextures(1, &t);
    glBindTexture(GL_TEXTURE_CUBE_MAP, t);
    glTexStorage2D(GL_TEXTURE_CUBE_MAP, 1, GL_RGBA8, 32, 32);
    for (unsigned i = 0; i < 6; i++)
        fill_level(GL_TEXTURE_CUBE_MAP_POSITIVE_X + i, 0, 32, 32);
    parameter(GL_TEXTURE_CUBE_MAP, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
    parameter(GL_TEXTURE_CUBE_MAP, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
    make_program(quad_vertex,
                 FS "in vec2 t; uniform samplerCube s; out vec4 o; void main() { float a = t.x * 6.2831, b = "
                    "(t.y - 0.5) * 3.1; o = texture(s, vec3(cos(a) * cos(b), sin(b), sin(a) * cos(b))); }");
    quad();
}

static void volume(GLenum target, const char *sampler)
{
    unsigned char p[8][16][16][4];
    char fragment[400] = FS "in vec2 t; uniform highp ";
    GLuint id;

    for (int z = 0; z < 8; z++)
        for (int i = 0; i < 256; i++)
            for (int c = 0; c < 4; c++)
                p[z][i / 16][i % 16][c] = (unsigned char)(z * 31 + i * (c + 1));
    glGenTextures(1, &id);
    glBindTexture(target, id);
    glTexStorage3D(target, 1, GL_RGBA8, 16, 16, 8);
    glTexSubImage3D(target, 0, 0, 0, 0, 16, 16, 8, GL_RGBA, GL_UNSIGNED_BYTE, p);
    parameter(target, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
    parameter(target, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
    for (size_t n = 0; n < sizeof(fragment); n++) {
        if (!fragment[n]) {
            for (const char *s = sampler; *s; s++)
                fragment[n++] = *s;
            fragment[n] = 0;
            break;
        }
    }
    make_program(quad_vertex, fragment);
    quad();
}

static void texture_3d(void)
{
    volume(GL_TEXTURE_3D, "sampler3D s; out vec4 o; void main() { o = texture(s, vec3(t, fract(t.x + t.y))); }");
}

static void texture_array(void)
{
    volume(GL_TEXTURE_2D_ARRAY,
           "sampler2DArray s; out vec4 o; void main() { o = texture(s, vec3(t, floor(t.x * 8.0))); }");
}

static void shadow(void)
{
    float p[32 * 32];

    for (int i = 0; i < 32 * 32; i++)
        p[i] = (float)((i * 37) % 100) / 100.0f;
    make_target(GL_DEPTH_COMPONENT32F, 32, 32);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 32, 32, GL_DEPTH_COMPONENT, GL_FLOAT, p);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_COMPARE_MODE, GL_COMPARE_REF_TO_TEXTURE);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_COMPARE_FUNC, GL_LESS);
    make_program(quad_vertex, FS "in vec2 t; uniform highp sampler2DShadow s; out vec4 o; void main() { o = "
                                 "vec4(texture(s, vec3(t, 0.505)), texture(s, vec3(t.yx, 0.205)), 0.0, 1.0); }");
    quad();
}

static void gather(void)
{
    make_texture(32, 32);
    make_program(quad_vertex,
                 FS "in vec2 t; uniform sampler2D s; out vec4 o; void main() { o = textureGather(s, (floor(t "
                    "* 32.0) + 0.5) / 32.0 + 0.001, 1); }");
    quad();
}

static void swizzle(void)
{
    make_texture(64, 64);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_R, GL_BLUE);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_G, GL_ONE);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_B, GL_RED);
    parameter(GL_TEXTURE_2D, GL_TEXTURE_SWIZZLE_A, GL_ZERO);
    make_program(quad_vertex, plain);
    quad();
}

static void integer_texture(void)
{
    short p[64 * 64 * 2];

    for (int i = 0; i < 64 * 64 * 2; i++)
        p[i] = (short)(i * 77);
    make_target(GL_RG16I, 64, 64);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 64, 64, GL_RG_INTEGER, GL_SHORT, p);
    make_program(quad_vertex,
                 FS "in vec2 t; uniform highp isampler2D s; out vec4 o; void main() { ivec2 v = texture(s, "
                    "t).xy; o = vec4(v.x & 255, (v.x >> 8) & 255, v.y & 255, (v.y >> 8) & 255) / 255.0; }");
    quad();
}

/* Renders into a format and reads it back through a texture. Formats of few bits get colours that are exact in all of
 * them: llvmpipe rounds on the way. */
static void through_format(GLenum format, const char *value)
{
    char fragment[400];
    GLint old;

    glGetIntegerv(GL_FRAMEBUFFER_BINDING, &old);
    GLuint t = make_target(format, SIDE, SIDE);

    make_framebuffer(t);
    snprintf(fragment, sizeof(fragment), FS "in vec2 t; out vec4 o; void main() { o = %s; }", value);
    make_program(quad_vertex, fragment);
    quad();
    glBindFramebuffer(GL_FRAMEBUFFER, (GLuint)old);
    glBindTexture(GL_TEXTURE_2D, t);
    make_program(quad_vertex, plain);
    quad();
}

#define SMOOTH "vec4(t, t.x * t.y, 1.0 - t.x)"
#define COARSE                                                                                                         \
    "vec4(floor(t.x * 31.9) / 31.0, floor(t.y * 31.9) / 31.0, floor(t.x * t.y * 31.9) / 31.0, step(0.5, t.x))"
#define FORMAT(name, format, value)                                                                                    \
    static void name(void)                                                                                             \
    {                                                                                                                  \
        through_format(format, value);                                                                                 \
    }
FORMAT(target_rgb565, GL_RGB565, COARSE)
FORMAT(target_rgba4, GL_RGBA4, SMOOTH)
FORMAT(target_rgb5_a1, GL_RGB5_A1, COARSE)
FORMAT(target_rgb10_a2, GL_RGB10_A2, SMOOTH)
FORMAT(target_r8, GL_R8, SMOOTH)
FORMAT(target_rg8, GL_RG8, SMOOTH)
FORMAT(target_srgb, GL_SRGB8_ALPHA8, SMOOTH)
FORMAT(target_rgba16f, GL_RGBA16F, SMOOTH)
FORMAT(target_rgba32f, GL_RGBA32F, SMOOTH)
FORMAT(target_r11g11b10f, GL_R11F_G11F_B10F, SMOOTH)

/* ---- copies */

static GLuint second_target(GLuint *from)
{
    GLuint t = make_texture(128, 128);

    *from = make_framebuffer(t);
    return make_framebuffer(make_target(GL_RGBA8, SIDE, SIDE));
}

static void blit(int x1, int y1, int x2, int y2, GLenum filter)
{
    GLuint from, to = second_target(&from);

    glBindFramebuffer(GL_DRAW_FRAMEBUFFER, to);
    glClear(GL_COLOR_BUFFER_BIT);
    glBindFramebuffer(GL_READ_FRAMEBUFFER, from);
    glBlitFramebuffer(0, 0, 128, 128, x1, y1, x2, y2, GL_COLOR_BUFFER_BIT, filter);
    glBindFramebuffer(GL_FRAMEBUFFER, to);
}

static void blit_copy(void)
{
    blit(20, 30, 148, 158, GL_NEAREST);
}

static void blit_flip(void)
{
    blit(256, 0, 0, 256, GL_NEAREST);
}

static void blit_scale(void)
{
    blit(10, 20, 200, 240, GL_LINEAR);
}

static void copy_image(void)
{
    GLuint from = make_texture(128, 128), to = make_target(GL_RGBA8, SIDE, SIDE);

    make_framebuffer(to);
    glClear(GL_COLOR_BUFFER_BIT);
    glCopyImageSubData(from, GL_TEXTURE_2D, 0, 0, 0, 0, to, GL_TEXTURE_2D, 0, 16, 16, 0, 100, 100, 1);
}

static void copy_to_texture(void)
{
    texture_linear();
    GLuint t = make_target(GL_RGBA8, SIDE, SIDE);

    glCopyTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 0, 0, SIDE, SIDE);
    glCopyTexSubImage2D(GL_TEXTURE_2D, 0, 100, 50, 10, 10, 64, 64);
    make_framebuffer(t);
}

static void upload_from_buffer(void)
{
    unsigned char p[64 * 64 * 4];

    for (int i = 0; i < 64 * 64 * 4; i++)
        p[i] = (unsigned char)(i * 7);
    make_buffer(GL_PIXEL_UNPACK_BUFFER, p, sizeof(p));
    GLuint t = make_target(GL_RGBA8, SIDE, SIDE);

    make_framebuffer(t);
    glClear(GL_COLOR_BUFFER_BIT);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 11, 5, 64, 64, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
}

static void read_to_buffer(void)
{
    texture_linear();
    GLuint b = make_buffer(GL_PIXEL_PACK_BUFFER, NULL, SIDE * SIDE * 4);

    glReadPixels(0, 0, SIDE, SIDE, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
    result_buffer(b, SIDE * SIDE * 4);
    glBindBuffer(GL_PIXEL_PACK_BUFFER, 0);
}

const struct scene texture_scenes[] = {
    {"texture_linear", texture_linear, 1, 0},
    {"texture_nearest", texture_nearest, 0, 0},
    {"wrap_modes", wrap_modes, 1, 0},
    {"explicit_lod", explicit_lod, 1, 0},
    {"fetch_levels", fetch_levels, 0, 0},
    {"mipmap_generate", mipmap_generate, 1, 0},
    {"cube_map", cube_map, 0, 200},
    {"texture_3d", texture_3d, 1, 400},
    {"texture_array", texture_array, 1, 0},
    {"shadow", shadow, 0, 0},
    {"gather", gather, 0, 0},
    {"swizzle", swizzle, 1, 0},
    {"integer_texture", integer_texture, 0, 0},
    {"target_rgb565", target_rgb565, 1, 0},
    {"target_rgba4", target_rgba4, 1, 0},
    {"target_rgb5_a1", target_rgb5_a1, 1, 0},
    {"target_rgb10_a2", target_rgb10_a2, 1, 0},
    {"target_r8", target_r8, 1, 0},
    {"target_rg8", target_rg8, 1, 0},
    {"target_srgb", target_srgb, 3, 0},
    /* llvmpipe approximates the curve */ /* llvmpipe approximates the curve */
    {"target_rgba16f", target_rgba16f, 1, 0},
    {"target_rgba32f", target_rgba32f, 1, 0},
    {"target_r11g11b10f", target_r11g11b10f, 4, 0},
    {"blit_copy", blit_copy, 0, 0},
    {"blit_flip", blit_flip, 0, 0},
    {"blit_scale", blit_scale, 1, 0},
    {"copy_image", copy_image, 0, 0},
    {"copy_to_texture", copy_to_texture, 1, 0},
    {"upload_from_buffer", upload_from_buffer, 0, 0},
    {"read_to_buffer", read_to_buffer, 1, 0},
    {NULL, NULL, 0, 0},
};
