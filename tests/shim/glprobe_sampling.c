/* What textures can be asked for: dimensions, functions of the language, compressed and odd formats, images. */
#include "glprobe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FS                                                                                                             \
    "#version 320 es\n#extension GL_EXT_texture_cube_map_array : enable\nprecision highp float; precision highp "      \
    "int;\n"
#define OUT " in vec2 t; out vec4 o;"

static unsigned random_state;

static unsigned char random_byte(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (unsigned char)(random_state >> 24);
}

static unsigned char *random_bytes(size_t n)
{
    unsigned char *p = malloc(n);

    random_state = 1;
    for (size_t i = 0; p && i < n; i++)
        p[i] = random_byte();
    return p;
}

static void draw(const char *fragment)
{
    make_program(quad_vertex, fragment);
    quad();
}

static void filters(GLenum target, GLint min, GLint mag)
{
    glTexParameteri(target, GL_TEXTURE_MIN_FILTER, min);
    glTexParameteri(target, GL_TEXTURE_MAG_FILTER, mag);
}

static void new_texture(GLenum target)
{
    GLuint id;

    glGenTextures(1, &id);
    glBindTexture(target, id);
}

/* Levels of random colours, smooth enough in the larger ones for a filter to be seen. */
static void mip_levels(GLenum target, int side, int levels, int layers)
{
    for (int l = 0; l < levels; l++) {
        int s = side >> l;
        unsigned char *p = random_bytes((size_t)s * (size_t)s * 4 * (size_t)layers);

        if (layers > 1)
            glTexSubImage3D(target, l, 0, 0, 0, s, s, layers, GL_RGBA, GL_UNSIGNED_BYTE, p);
        else
            glTexSubImage2D(target, l, 0, 0, s, s, GL_RGBA, GL_UNSIGNED_BYTE, p);
        free(p);
    }
}

static void mip_texture(int side, int levels)
{
    new_texture(GL_TEXTURE_2D);
    glTexStorage2D(GL_TEXTURE_2D, levels, GL_RGBA8, side, side);
    mip_levels(GL_TEXTURE_2D, side, levels, 1);
    filters(GL_TEXTURE_2D, GL_LINEAR_MIPMAP_LINEAR, GL_LINEAR);
}

/* ---- cubes and arrays */

static void cube(int side, int levels)
{
    new_texture(GL_TEXTURE_CUBE_MAP);
    glTexStorage2D(GL_TEXTURE_CUBE_MAP, levels, GL_RGBA8, side, side);
    for (int l = 0; l < levels; l++)
        for (unsigned f = 0; f < 6; f++) {
            unsigned char *p = random_bytes((size_t)(side >> l) * (size_t)(side >> l) * 4);

            for (int i = 0; i < (side >> l) * (side >> l); i++)
                p[4 * i + 2] = (unsigned char)(f * 50);
            glTexSubImage2D(GL_TEXTURE_CUBE_MAP_POSITIVE_X + f, l, 0, 0, side >> l, side >> l, GL_RGBA,
                            GL_UNSIGNED_BYTE, p);
            free(p);
        }
}

#define SPHERE "float a = t.x * 6.2831, b = (t.y - 0.5) * 3.1; vec3 d = vec3(cos(a) * cos(b), sin(b), sin(a) * cos(b));"

static void cube_seamless(void)
{
    cube(4, 1);
    filters(GL_TEXTURE_CUBE_MAP, GL_LINEAR, GL_LINEAR);
    draw(FS "uniform samplerCube s;" OUT "void main() {" SPHERE "o = textureLod(s, d, 0.0); }");
}

static void cube_levels(void)
{
    cube(32, 6);
    filters(GL_TEXTURE_CUBE_MAP, GL_NEAREST_MIPMAP_NEAREST, GL_NEAREST);
    draw(FS "uniform samplerCube s;" OUT "void main() {" SPHERE "o = textureLod(s, d, floor(t.x * 5.9)); }");
}

static void cube_array(void)
{
    new_texture(GL_TEXTURE_CUBE_MAP_ARRAY);
    glTexStorage3D(GL_TEXTURE_CUBE_MAP_ARRAY, 1, GL_RGBA8, 16, 16, 18);
    mip_levels(GL_TEXTURE_CUBE_MAP_ARRAY, 16, 1, 18);
    filters(GL_TEXTURE_CUBE_MAP_ARRAY, GL_NEAREST, GL_NEAREST);
    draw(FS "uniform highp samplerCubeArray s;" OUT "void main() {" SPHERE
            "o = textureLod(s, vec4(d, floor(t.y * 2.99)), 0.0); }");
}

static void array_levels(void)
{
    new_texture(GL_TEXTURE_2D_ARRAY);
    glTexStorage3D(GL_TEXTURE_2D_ARRAY, 5, GL_RGBA8, 32, 32, 6);
    mip_levels(GL_TEXTURE_2D_ARRAY, 32, 5, 6);
    filters(GL_TEXTURE_2D_ARRAY, GL_NEAREST_MIPMAP_NEAREST, GL_NEAREST);
    draw(FS "uniform highp sampler2DArray s;" OUT
            "void main() { o = textureLod(s, vec3(t, t.x * 7.0 - 0.7), floor(t.y * 4.9)); }");
}

static void volume_levels(void)
{
    new_texture(GL_TEXTURE_3D);
    glTexStorage3D(GL_TEXTURE_3D, 4, GL_RGBA8, 24, 20, 12);
    for (int l = 0; l < 4; l++) {
        unsigned char *p = random_bytes(24 * 20 * 12 * 4);

        glTexSubImage3D(GL_TEXTURE_3D, l, 0, 0, 0, 24 >> l, 20 >> l, 12 >> l, GL_RGBA, GL_UNSIGNED_BYTE, p);
        free(p);
    }
    filters(GL_TEXTURE_3D, GL_NEAREST_MIPMAP_NEAREST, GL_NEAREST);
    draw(FS "uniform highp sampler3D s;" OUT
            "void main() { o = textureLod(s, vec3(t, fract(t.x * 2.0 + t.y)), floor(t.y * 3.9)); }");
}

/* ---- functions */

static void fetch_offsets(void)
{
    mip_texture(32, 6);
    filters(GL_TEXTURE_2D, GL_NEAREST_MIPMAP_NEAREST, GL_NEAREST);
    draw(FS "uniform sampler2D s;" OUT
            "void main() { ivec2 p = ivec2(t * 30.0) + 1; o = t.x < 0.5 ? texelFetchOffset(s, p, 0, ivec2(-1, 1))"
            " : textureLodOffset(s, t, 1.0, ivec2(3, -5)); }");
}

static void offsets_wrap(void)
{
    mip_texture(8, 1);
    filters(GL_TEXTURE_2D, GL_LINEAR, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_REPEAT);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_MIRRORED_REPEAT);
    draw(FS "uniform sampler2D s;" OUT "void main() { o = textureOffset(s, t * 2.0 - 0.5, ivec2(7, -8)); }");
}

static void projection(void)
{
    mip_texture(16, 1);
    filters(GL_TEXTURE_2D, GL_LINEAR, GL_LINEAR);
    draw(FS "uniform sampler2D s;" OUT "void main() { o = textureProj(s, vec3(t, 0.5 + t.x)); }");
}

static void gather_offsets(void)
{
    mip_texture(32, 1);
    filters(GL_TEXTURE_2D, GL_NEAREST, GL_NEAREST);
    draw(FS "uniform sampler2D s;" OUT
            "void main() { vec2 c = (floor(t * 32.0) + 0.5) / 32.0 + 0.002; ivec2 v = ivec2(t * 12.0) - 6;"
            " const ivec2 q[4] = ivec2[4](ivec2(-8, 0), ivec2(7, 3), ivec2(0, -5), ivec2(2, 2));"
            " o = t.x < 0.3 ? textureGatherOffset(s, c, ivec2(-3, 4), 2) : t.x < 0.6 ? textureGatherOffset(s, c, v, 1)"
            " : textureGatherOffsets(s, c, q, 0); }");
}

static void size_queries(void)
{
    new_texture(GL_TEXTURE_2D_ARRAY);
    glTexStorage3D(GL_TEXTURE_2D_ARRAY, 4, GL_R8, 40, 20, 7);
    draw(FS "uniform highp sampler2DArray s;" OUT
            "void main() { ivec3 v = textureSize(s, int(t.x * 3.99)); o = vec4(v, 255) / 255.0; }");
}

static void gradients(void)
{
    mip_texture(64, 7);
    filters(GL_TEXTURE_2D, GL_NEAREST_MIPMAP_NEAREST, GL_NEAREST);
    draw(FS "uniform sampler2D s;" OUT
            "void main() { float g = exp2(floor(t.x * 7.0) + 0.2) / 64.0; o = textureGrad(s, t, vec2(g, 0.0), "
            "vec2(0.0, g * 0.5)); }");
}

static void level_limits(void)
{
    mip_texture(64, 7);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_BASE_LEVEL, 1);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAX_LEVEL, 4);
    glTexParameterf(GL_TEXTURE_2D, GL_TEXTURE_MIN_LOD, 0.5f);
    glTexParameterf(GL_TEXTURE_2D, GL_TEXTURE_MAX_LOD, 2.5f);
    draw(FS "uniform sampler2D s;" OUT "void main() { o = textureLod(s, t, floor(t.x * 8.0) - 1.0); }");
}

static void bias(void)
{
    mip_texture(256, 9);
    filters(GL_TEXTURE_2D, GL_NEAREST_MIPMAP_NEAREST, GL_NEAREST);
    draw(FS "uniform sampler2D s;" OUT
            "void main() { if (t.x < 0.5) o = texture(s, t, 2.2); else o = texture(s, t, 0.2 + 3.0); }");
}

/* ---- comparisons */

static void depth_levels(GLenum target, int layers)
{
    float *p = malloc(sizeof(float) * 16 * 16 * (size_t)layers);

    random_state = 7;
    for (int i = 0; i < 16 * 16 * layers; i++)
        p[i] = (float)random_byte() / 255;
    if (target == GL_TEXTURE_CUBE_MAP) {
        for (unsigned f = 0; f < 6; f++)
            glTexSubImage2D(GL_TEXTURE_CUBE_MAP_POSITIVE_X + f, 0, 0, 0, 16, 16, GL_DEPTH_COMPONENT, GL_FLOAT,
                            p + 256 * f);
    } else {
        glTexSubImage3D(target, 0, 0, 0, 0, 16, 16, layers, GL_DEPTH_COMPONENT, GL_FLOAT, p);
    }
    free(p);
    filters(target, GL_NEAREST, GL_NEAREST);
    glTexParameteri(target, GL_TEXTURE_COMPARE_MODE, GL_COMPARE_REF_TO_TEXTURE);
    glTexParameteri(target, GL_TEXTURE_COMPARE_FUNC, GL_GEQUAL);
}

static void shadow_array(void)
{
    new_texture(GL_TEXTURE_2D_ARRAY);
    glTexStorage3D(GL_TEXTURE_2D_ARRAY, 1, GL_DEPTH_COMPONENT32F, 16, 16, 4);
    depth_levels(GL_TEXTURE_2D_ARRAY, 4);
    draw(FS "uniform highp sampler2DArrayShadow s;" OUT
            "void main() { o = vec4(texture(s, vec4(t, floor(t.x * 3.9), 0.501)), 0, 0, 1); }");
}

static void shadow_cube(void)
{
    new_texture(GL_TEXTURE_CUBE_MAP);
    glTexStorage2D(GL_TEXTURE_CUBE_MAP, 1, GL_DEPTH_COMPONENT32F, 16, 16);
    depth_levels(GL_TEXTURE_CUBE_MAP, 6);
    draw(FS "uniform highp samplerCubeShadow s;" OUT "void main() {" SPHERE
            "o = vec4(texture(s, vec4(d, 0.3)), textureGather(s, d, 0.6).xy, 1); }");
}

static void depth_as_colour(void)
{
    unsigned *p = malloc(64 * 64 * 4);

    for (unsigned i = 0; i < 64 * 64; i++)
        p[i] = i * 0x9e3779b9u;
    new_texture(GL_TEXTURE_2D);
    glTexStorage2D(GL_TEXTURE_2D, 1, GL_DEPTH24_STENCIL8, 64, 64);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 64, 64, GL_DEPTH_STENCIL, GL_UNSIGNED_INT_24_8, p);
    free(p);
    filters(GL_TEXTURE_2D, GL_NEAREST, GL_NEAREST);
    draw(FS "uniform highp sampler2D s;" OUT "void main() { o = vec4(texture(s, t).rgb, 1.0); }");
}

static void stencil_as_colour(void)
{
    depth_as_colour();
    glTexParameteri(GL_TEXTURE_2D, GL_DEPTH_STENCIL_TEXTURE_MODE, GL_STENCIL_INDEX);
    draw(FS "uniform highp usampler2D s;" OUT "void main() { o = vec4(texture(s, t).rgb, 255) / 255.0; }");
}

/* ---- formats */

static void compressed(GLenum format, int bw, int bh, int bytes)
{
    int across = (60 + bw - 1) / bw, down = (60 + bh - 1) / bh;
    size_t n = (size_t)(across * down * bytes);
    unsigned char *p = random_bytes(n);

    new_texture(GL_TEXTURE_2D);
    glCompressedTexImage2D(GL_TEXTURE_2D, 0, format, 60, 60, 0, (GLsizei)n, p);
    free(p);
    filters(GL_TEXTURE_2D, GL_NEAREST, GL_NEAREST);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
    draw(FS "uniform highp sampler2D s;" OUT "void main() { vec4 c = texture(s, t); o = c * 0.5 + 0.25; }");
}

#define COMPRESSED(name, format, w, h, bytes)                                                                          \
    static void name(void)                                                                                             \
    {                                                                                                                  \
        compressed(format, w, h, bytes);                                                                               \
    }
COMPRESSED(bc1, 0x83F1, 4, 4, 8)
COMPRESSED(bc3, 0x83F3, 4, 4, 16)
COMPRESSED(bc4, 0x8DBB, 4, 4, 8)
COMPRESSED(bc5_signed, 0x8DBE, 4, 4, 16)
COMPRESSED(bc7, 0x8E8C, 4, 4, 16)
COMPRESSED(etc2, GL_COMPRESSED_RGB8_ETC2, 4, 4, 8)
COMPRESSED(etc2_punch_through, GL_COMPRESSED_RGB8_PUNCHTHROUGH_ALPHA1_ETC2, 4, 4, 8)
COMPRESSED(etc2_alpha, GL_COMPRESSED_RGBA8_ETC2_EAC, 4, 4, 16)
COMPRESSED(eac_rg11, GL_COMPRESSED_RG11_EAC, 4, 4, 16)
COMPRESSED(bc2, 0x83F2, 4, 4, 16)
COMPRESSED(bc6h, 0x8E8F, 4, 4, 16)
COMPRESSED(astc_4x4, 0x93B0, 4, 4, 16)
COMPRESSED(astc_10x6, 0x93B9, 10, 6, 16)
COMPRESSED(astc_6x6_srgb, 0x93D4, 6, 6, 16)
COMPRESSED(etc2_srgb, GL_COMPRESSED_SRGB8_ETC2, 4, 4, 8)

static void random_format(GLenum internal, GLenum format, GLenum type, size_t bytes, GLint filter, const char *fragment)
{
    unsigned char *p = random_bytes(30 * 30 * bytes);

    new_texture(GL_TEXTURE_2D);
    glTexStorage2D(GL_TEXTURE_2D, 1, internal, 30, 30);
    glPixelStorei(GL_UNPACK_ALIGNMENT, 1);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 30, 30, format, type, p);
    free(p);
    filters(GL_TEXTURE_2D, filter, filter);
    draw(fragment);
}

#define COLOUR   FS "uniform highp sampler2D s;" OUT "void main() { o = texture(s, t) * 0.5 + 0.25; }"
#define HALVED   FS "uniform highp sampler2D s;" OUT "void main() { o = log2(1.0 + abs(texture(s, t))) * 0.05; }"
#define UNSIGNED FS "uniform highp usampler2D s;" OUT "void main() { o = vec4(texture(s, t) & 255u) / 255.0; }"

#define FORMAT(name, ...)                                                                                              \
    static void name(void)                                                                                             \
    {                                                                                                                  \
        random_format(__VA_ARGS__);                                                                                    \
    }
FORMAT(rgba8_snorm, GL_RGBA8_SNORM, GL_RGBA, GL_BYTE, 4, GL_LINEAR, COLOUR)
FORMAT(srgb8, GL_SRGB8_ALPHA8, GL_RGBA, GL_UNSIGNED_BYTE, 4, GL_LINEAR, COLOUR)
FORMAT(rgb9_e5, GL_RGB9_E5, GL_RGB, GL_UNSIGNED_INT_5_9_9_9_REV, 4, GL_NEAREST, HALVED)
FORMAT(rgb10_a2, GL_RGB10_A2, GL_RGBA, GL_UNSIGNED_INT_2_10_10_10_REV, 4, GL_LINEAR, COLOUR)
FORMAT(rgb10_a2ui, GL_RGB10_A2UI, GL_RGBA_INTEGER, GL_UNSIGNED_INT_2_10_10_10_REV, 4, GL_NEAREST, UNSIGNED)
FORMAT(rg16ui, GL_RG16UI, GL_RG_INTEGER, GL_UNSIGNED_SHORT, 4, GL_NEAREST, UNSIGNED)
FORMAT(r8_linear, GL_R8, GL_RED, GL_UNSIGNED_BYTE, 1, GL_LINEAR, COLOUR)
FORMAT(rg8_linear, GL_RG8, GL_RG, GL_UNSIGNED_BYTE, 2, GL_LINEAR, COLOUR)
FORMAT(rgb8_linear, GL_RGB8, GL_RGB, GL_UNSIGNED_BYTE, 3, GL_LINEAR, COLOUR)
FORMAT(rgb565_linear, GL_RGB565, GL_RGB, GL_UNSIGNED_SHORT_5_6_5, 2, GL_LINEAR, COLOUR)
FORMAT(rgba4_linear, GL_RGBA4, GL_RGBA, GL_UNSIGNED_SHORT_4_4_4_4, 2, GL_LINEAR, COLOUR)

static void border_float(void)
{
    const float c[4] = {0.9f, 0.3f, 0.6f, 0.8f};
    static const GLenum formats[4][3] = {{GL_R8, GL_RED, GL_UNSIGNED_BYTE},
                                         {GL_RG8, GL_RG, GL_UNSIGNED_BYTE},
                                         {GL_RGB565, GL_RGB, GL_UNSIGNED_SHORT_5_6_5},
                                         {GL_RGBA8, GL_RGBA, GL_UNSIGNED_BYTE}};

    for (int i = 0; i < 4; i++) {
        glViewport(i % 2 * 128, i / 2 * 128, 128, 128);
        new_texture(GL_TEXTURE_2D);
        glTexStorage2D(GL_TEXTURE_2D, 1, formats[i][0], 8, 8);
        unsigned char p[8 * 8 * 4];
        memset(p, 0x41, sizeof(p));
        glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 8, 8, formats[i][1], formats[i][2], p);
        filters(GL_TEXTURE_2D, GL_LINEAR, GL_LINEAR);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_BORDER);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_BORDER);
        glTexParameterfv(GL_TEXTURE_2D, GL_TEXTURE_BORDER_COLOR, c);
        draw(FS "uniform highp sampler2D s;" OUT "void main() { o = texture(s, t * 1.5 - 0.25); }");
    }
}

static void border_integer(void)
{
    const GLuint c[4] = {10, 200, 77, 1};
    unsigned char p[8 * 8 * 4];

    memset(p, 0x40, sizeof(p));
    new_texture(GL_TEXTURE_2D);
    glTexStorage2D(GL_TEXTURE_2D, 1, GL_RGBA8UI, 8, 8);
    glTexSubImage2D(GL_TEXTURE_2D, 0, 0, 0, 8, 8, GL_RGBA_INTEGER, GL_UNSIGNED_BYTE, p);
    filters(GL_TEXTURE_2D, GL_NEAREST, GL_NEAREST);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_BORDER);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_BORDER);
    glTexParameterIuiv(GL_TEXTURE_2D, GL_TEXTURE_BORDER_COLOR, c);
    draw(FS "uniform highp usampler2D s;" OUT "void main() { o = vec4(texture(s, t * 2.0 - 0.5)) / 255.0; }");
}

/* ---- buffers, samples, images */

static void buffer_texture(void)
{
    unsigned char *p = random_bytes(4096);
    GLuint b = make_buffer(GL_TEXTURE_BUFFER, p, 4096);

    free(p);
    new_texture(GL_TEXTURE_BUFFER);
    glTexBuffer(GL_TEXTURE_BUFFER, GL_RGBA8, b);
    draw(FS "uniform highp samplerBuffer s;" OUT
            "void main() { o = texelFetch(s, int(t.x * 64.0) + int(t.y * 16.0) * 64); }");
}

static void sample_fetch(void)
{
    GLuint t, f, old;

    glGetIntegerv(GL_FRAMEBUFFER_BINDING, (GLint *)&old);
    glGenTextures(1, &t);
    glBindTexture(GL_TEXTURE_2D_MULTISAMPLE, t);
    glTexStorage2DMultisample(GL_TEXTURE_2D_MULTISAMPLE, 4, GL_RGBA8, 64, 64, GL_TRUE);
    glGenFramebuffers(1, &f);
    glBindFramebuffer(GL_FRAMEBUFFER, f);
    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D_MULTISAMPLE, t, 0);
    glViewport(0, 0, 64, 64);
    draw(FS "out vec4 o; in vec2 t; void main() { o = vec4(t, float(gl_SampleID) / 4.0, 1.0); }");
    glBindFramebuffer(GL_FRAMEBUFFER, old);
    glViewport(0, 0, SIDE, SIDE);
    draw(FS "uniform highp sampler2DMS s;" OUT
            "void main() { ivec2 p = ivec2(gl_FragCoord.xy); o = texelFetch(s, p / 4, (p.x & 1) + 2 * (p.y & 1)); }");
}

static void images(void)
{
    GLuint t, u;

    make_target(GL_RGBA8, SIDE, SIDE);
    glGenTextures(1, &t);
    glBindTexture(GL_TEXTURE_3D, t);
    glTexStorage3D(GL_TEXTURE_3D, 1, GL_R32UI, 32, 32, 8);
    glBindImageTexture(0, t, 0, GL_TRUE, 0, GL_READ_WRITE, GL_R32UI);
    glGenTextures(1, &u);
    glBindTexture(GL_TEXTURE_2D_ARRAY, u);
    glTexStorage3D(GL_TEXTURE_2D_ARRAY, 2, GL_RGBA16F, 64, 64, 4);
    glBindImageTexture(1, u, 1, GL_TRUE, 0, GL_WRITE_ONLY, GL_RGBA16F);
    make_compute("#version 320 es\n#extension GL_OES_shader_image_atomic : enable\nlayout(local_size_x = 8, "
                 "local_size_y = 8) in; layout(r32ui, binding = 0) uniform highp uimage3D a; layout(rgba16f, binding "
                 "= 1) writeonly uniform highp image2DArray b; void main() { ivec3 p = ivec3(gl_GlobalInvocationID); "
                 "imageStore(a, p, uvec4(p.x * 7 + p.y * 3 + p.z * 20)); if (p.z < 4) imageStore(b, p, vec4(p, 40) / "
                 "40.0); }");
    glDispatchCompute(4, 4, 8);
    glMemoryBarrier(GL_ALL_BARRIER_BITS);
    make_compute("#version 320 es\n#extension GL_OES_shader_image_atomic : enable\nlayout(local_size_x = 8, "
                 "local_size_y = 8) in; layout(r32ui, binding = 0) uniform highp uimage3D a; void main() { ivec3 p = "
                 "ivec3(gl_GlobalInvocationID); if (p.z > 1) imageAtomicAdd(a, ivec3(p.xy, 0), imageLoad(a, p).x); "
                 "imageAtomicMax(a, ivec3(p.xy, 1), uint(p.z * 31)); }");
    glDispatchCompute(4, 4, 6);
    glMemoryBarrier(GL_ALL_BARRIER_BITS);
    filters(GL_TEXTURE_2D_ARRAY, GL_NEAREST_MIPMAP_NEAREST, GL_NEAREST);
    glBindTexture(GL_TEXTURE_3D, t);
    filters(GL_TEXTURE_3D, GL_NEAREST, GL_NEAREST);
    glActiveTexture(GL_TEXTURE1);
    glBindTexture(GL_TEXTURE_3D, t);
    GLuint p = make_program(quad_vertex,
                            FS "uniform highp sampler2DArray s; uniform highp usampler3D v;" OUT
                               "void main() { if (t.x < 0.5) o = textureLod(s, vec3(t * vec2(2, 1), floor(t.y * 3.9)),"
                               " 1.0); else { uint n = texelFetch(v, ivec3((t.x - 0.5) * 63.9, fract(t.y * 4.0) * 31.9"
                               ", t.y * 4.0), 0).x; o = vec4(n & 255u, n >> 8, 0, 255) / 255.0; } }");
    glUniform1i(glGetUniformLocation(p, "v"), 1);
    quad();
}

const struct scene sampling_scenes[] = {
    {"cube_seamless", cube_seamless, 3, 300},
    {"cube_levels", cube_levels, 0, 300},
    {"cube_array", cube_array, 0, 300},
    {"array_levels", array_levels, 0, 0},
    {"volume_levels", volume_levels, 0, 500},
    {"fetch_offsets", fetch_offsets, 0, 0},
    {"offsets_wrap", offsets_wrap, 1, 0},
    {"projection", projection, 2, 0},
    {"gather_offsets", gather_offsets, 0, 0},
    {"size_queries", size_queries, 0, 0},
    {"gradients", gradients, 0, 0},
    {"level_limits", level_limits, 2, 0},
    {"bias", bias, 0, 0},
    {"shadow_array", shadow_array, 0, 0},
    {"shadow_cube", shadow_cube, 0, 300},
    {"depth_as_colour", depth_as_colour, 1, 0},
    {"stencil_as_colour", stencil_as_colour, 0, 0},
    {"bc1", bc1, 1, 0},
    {"bc3", bc3, 1, 0},
    {"bc4", bc4, 1, 0},
    {"bc5_signed", bc5_signed, 2, 0}, /* llvmpipe interpolates integers */
    {"bc2", bc2, 1, 0},
    {"bc6h", bc6h, 1, 0},
    {"astc_4x4", astc_4x4, 1, 0},
    {"astc_10x6", astc_10x6, 1, 0},
    {"astc_6x6_srgb", astc_6x6_srgb, 1, 0},
    {"bc7", bc7, 1, 0},
    {"etc2", etc2, 1, 0},
    {"etc2_punch_through", etc2_punch_through, 1, 0},
    {"etc2_alpha", etc2_alpha, 1, 0},
    {"eac_rg11", eac_rg11, 1, 0},
    {"etc2_srgb", etc2_srgb, 1, 0},
    {"rgba8_snorm", rgba8_snorm, 1, 0},
    {"srgb8", srgb8, 1, 0},
    {"rgb9_e5", rgb9_e5, 1, 0},
    {"rgb10_a2", rgb10_a2, 1, 0},
    {"rgb10_a2ui", rgb10_a2ui, 0, 0},
    {"rg16ui", rg16ui, 0, 0},
    {"r8_linear", r8_linear, 1, 0},
    {"rg8_linear", rg8_linear, 1, 0},
    {"rgb8_linear", rgb8_linear, 1, 0},
    {"rgb565_linear", rgb565_linear, 1, 0},
    {"rgba4_linear", rgba4_linear, 1, 0},
    {"border_float", border_float, 1, 0},
    {"border_integer", border_integer, 0, 0},
    {"buffer_texture", buffer_texture, 0, 0},
    {"sample_fetch", sample_fetch, 1, 0},
    {"images", images, 1, 0},
    {NULL, NULL, 0, 0},
};
