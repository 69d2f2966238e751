/* Clears, primitives, fragment operations. */
#include "glprobe.h"

#include <stdlib.h>

#define FS "#version 320 es\nprecision highp float; precision highp int;\n"

static const char *const flat_vertex = "#version 320 es\nin vec2 pos; void main() { gl_Position = vec4(pos, 0.0, 1.0); "
                                       "gl_PointSize = 9.0; }\n";
static const char *const one_colour = FS "uniform vec4 c; out vec4 o; void main() { o = c; }";
static const float triangle[] = {-0.8f, -0.8f, 0.8f, -0.8f, 0.0f, 0.8f};

static void colour(float r, float g, float b, float a)
{
    GLint p;

    glGetIntegerv(GL_CURRENT_PROGRAM, &p);
    glUniform4f(glGetUniformLocation((GLuint)p, "c"), r, g, b, a);
}

static void clear(void)
{
    glClearColor(0.25f, 0.5f, 0.75f, 1.0f);
    glClear(GL_COLOR_BUFFER_BIT);
}

static void clear_scissor(void)
{
    glEnable(GL_SCISSOR_TEST);
    glScissor(13, 7, 101, 55);
    clear();
}

static void clear_mask(void)
{
    clear();
    glColorMask(GL_FALSE, GL_TRUE, GL_FALSE, GL_TRUE);
    glClearColor(1.0f, 1.0f, 1.0f, 0.5f);
    glClear(GL_COLOR_BUFFER_BIT);
}

static void smooth_triangle(void)
{
    make_program("#version 320 es\nin vec2 pos; out vec3 v; void main() { gl_Position = vec4(pos, 0.0, 1.0); "
                 "v = vec3(pos * 0.5 + 0.5, 0.5); }",
                 FS "in vec3 v; out vec4 o; void main() { o = vec4(v, 1.0); }");
    vertices(triangle, sizeof(triangle), 2);
    glDrawArrays(GL_TRIANGLES, 0, 3);
}

static void perspective(void)
{
    static const float v[] = {-1, -1, 0, 1, 1, -1, 0, 1, -1, 1, 0, 4, 1, 1, 0, 4};

    make_program(
        "#version 320 es\nin vec4 pos; out vec2 t; void main() { gl_Position = vec4(pos.xy * pos.w * 0.9, 0.0, "
        "pos.w); t = pos.xy; }",
        FS "in vec2 t; out vec4 o; void main() { o = vec4(fract(t * 4.0), 0.0, 1.0); }");
    vertices(v, sizeof(v), 4);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
}

static void clipped(void)
{
    static const float v[] = {-3, -0.5f, 0, 1, 2, -2, 0, 1, 0.5f, 3, 0, 1, 0, 0, -2, 1, 1, 0, 2, 1, 0, 1, 0, -0.5f};

    make_program(
        "#version 320 es\nin vec4 pos; out vec3 v; void main() { gl_Position = pos; v = pos.xyz * 0.3 + 0.5; }",
        FS "in vec3 v; out vec4 o; void main() { o = vec4(v, 1.0); }");
    vertices(v, sizeof(v), 4);
    glDrawArrays(GL_TRIANGLES, 0, 6);
}

static void attach_depth(GLenum format, GLenum point)
{
    GLuint z;

    glGenRenderbuffers(1, &z);
    glBindRenderbuffer(GL_RENDERBUFFER, z);
    glRenderbufferStorage(GL_RENDERBUFFER, format, SIDE, SIDE);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, point, GL_RENDERBUFFER, z);
}

static void draw_cube(void)
{
    static const unsigned short index[] = {0, 1, 2, 1, 3, 2, 4, 6, 5, 5, 6, 7, 0, 2, 4, 2, 6, 4,
                                           1, 5, 3, 3, 5, 7, 0, 4, 1, 1, 4, 5, 2, 3, 6, 3, 7, 6};
    static const float m[16] = {0.5f, 0.1f, 0.2f, 0, -0.1f, 0.5f, 0.1f, 0, 0.2f, 0.1f, 0.5f, 0.2f, 0, 0, 0, 1.5f};
    float cube[24];
    GLuint p = make_program("#version 320 es\nin vec3 pos; uniform mat4 m; out vec3 v; void main() { gl_Position = m * "
                            "vec4(pos, 1.0); v = normalize(pos) * 0.5 + 0.5; }",
                            FS "in vec3 v; out vec4 o; void main() { o = vec4(v, 1.0); }");

    for (int i = 0; i < 24; i++)
        cube[i] = (i / 3) >> (i % 3) & 1 ? 1.0f : -1.0f;
    vertices(cube, sizeof(cube), 3);
    make_buffer(GL_ELEMENT_ARRAY_BUFFER, index, sizeof(index));
    glUniformMatrix4fv(glGetUniformLocation(p, "m"), 1, GL_FALSE, m);
    glDrawElements(GL_TRIANGLES, 36, GL_UNSIGNED_SHORT, NULL);
}

static void depth_with(GLenum format)
{
    attach_depth(format, GL_DEPTH_ATTACHMENT);
    glEnable(GL_DEPTH_TEST);
    glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
    draw_cube();
}

static void depth16(void)
{
    depth_with(GL_DEPTH_COMPONENT16);
}

static void depth24(void)
{
    depth_with(GL_DEPTH_COMPONENT24);
}

static void depth32f(void)
{
    depth_with(GL_DEPTH_COMPONENT32F);
}

static void depth_written_by_shader(void)
{
    attach_depth(GL_DEPTH_COMPONENT24, GL_DEPTH_ATTACHMENT);
    glEnable(GL_DEPTH_TEST);
    glDepthFunc(GL_LEQUAL);
    glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
    make_program(quad_vertex,
                 FS "in vec2 t; out vec4 o; void main() { gl_FragDepth = t.x; o = vec4(0.0, 0.0, 1.0, 1.0); }");
    quad();
    make_program(quad_vertex,
                 FS "in vec2 t; out vec4 o; void main() { gl_FragDepth = t.y; o = vec4(1.0, 0.5, 0.0, 1.0); }");
    quad();
}

static void stencil(void)
{
    attach_depth(GL_DEPTH24_STENCIL8, GL_DEPTH_STENCIL_ATTACHMENT);
    glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT | GL_STENCIL_BUFFER_BIT);
    glEnable(GL_STENCIL_TEST);
    make_program(flat_vertex, one_colour);
    colour(1, 0, 0, 1);
    glStencilFunc(GL_ALWAYS, 3, 0xff);
    glStencilOp(GL_KEEP, GL_KEEP, GL_REPLACE);
    vertices(triangle, sizeof(triangle), 2);
    glDrawArrays(GL_TRIANGLES, 0, 3);
    glStencilOp(GL_KEEP, GL_KEEP, GL_INCR_WRAP);
    glStencilFunc(GL_EQUAL, 1, 1);
    make_program(quad_vertex, FS "in vec2 t; out vec4 o; void main() { o = vec4(t, 0.0, 1.0); }");
    quad();
    glStencilFunc(GL_NOTEQUAL, 4, 0xff);
    make_program(flat_vertex, one_colour);
    colour(0, 0, 1, 0.5f);
    vertices((const float[]){-0.3f, -0.9f, 0.9f, -0.3f, -0.9f, 0.9f}, 24, 2);
    glDrawArrays(GL_TRIANGLES, 0, 3);
}

static void blend(void)
{
    static const struct {
        GLenum equation, src, dst;
    } modes[] = {
        {GL_FUNC_ADD, GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA},
        {GL_FUNC_ADD, GL_ONE, GL_ONE},
        {GL_FUNC_SUBTRACT, GL_ONE, GL_ONE},
        {GL_FUNC_REVERSE_SUBTRACT, GL_ONE, GL_ONE},
        {GL_MIN, GL_ONE, GL_ONE},
        {GL_MAX, GL_ONE, GL_ONE},
        {GL_FUNC_ADD, GL_DST_COLOR, GL_ZERO},
        {GL_FUNC_ADD, GL_CONSTANT_COLOR, GL_SRC_COLOR},
        {GL_FUNC_ADD, GL_SRC_ALPHA_SATURATE, GL_ONE},
        {GL_FUNC_ADD, GL_ONE_MINUS_DST_ALPHA, GL_DST_ALPHA},
    };

    glClearColor(0.2f, 0.6f, 0.3f, 0.7f);
    glClear(GL_COLOR_BUFFER_BIT);
    make_program(quad_vertex, FS "in vec2 t; out vec4 o; void main() { o = vec4(t, 0.25, t.y); }");
    glEnable(GL_BLEND);
    glBlendColor(0.1f, 0.9f, 0.4f, 0.3f);
    for (int i = 0; i < 10; i++) {
        glViewport(i % 4 * 64, i / 4 * 64, 60, 60);
        glBlendEquation(modes[i].equation);
        glBlendFunc(modes[i].src, modes[i].dst);
        quad();
    }
}

static void discard(void)
{
    make_program(quad_vertex, FS "in vec2 t; out vec4 o; void main() { if (fract(t.x * 8.0) > 0.5 != (fract(t.y * 8.0) "
                                 "> 0.5)) discard; o = vec4(t, 1.0, 1.0); }");
    quad();
}

static void derivatives(void)
{
    make_program(quad_vertex, FS "in vec2 t; out vec4 o; void main() { float r = dot(t, t) * 40.0; o = "
                                 "vec4(abs(dFdx(r)), abs(dFdy(r)), fwidth(r) * 0.5, 1.0); }");
    quad();
}

static void loop(void)
{
    make_program(quad_vertex,
                 FS "in vec2 t; out vec4 o; void main() { vec2 z = vec2(0.0), q = t * 3.0 - vec2(2.0, 1.5); "
                    "int i = 0; for (; i < 50; i++) { z = vec2(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + q; "
                    "if (dot(z, z) > 4.0) break; } float s = float(i) / 50.0; o = vec4(s, sin(s * 6.0), "
                    "pow(s, 0.5), 1.0); }");
    quad();
}

static void integers(void)
{
    make_program(quad_vertex, FS
                 "in vec2 t; out vec4 o; void main() { ivec2 p = ivec2(gl_FragCoord.xy); int a = (p.x * 7 + p.y * 13) "
                 "% 251, b = (p.x ^ p.y) & 255, c = bitCount(p.x * p.y) * 8 + findMSB(p.x + 1); uint d = uint(p.x) "
                 "* 2654435761u >> 24; o = vec4(ivec4(a, b, c, int(d))) / 255.0; }");
    quad();
}

static void lines(void)
{
    static const float v[] = {-0.9f, -0.9f, 0.9f, -0.4f, 0.7f, 0.9f, -0.6f, 0.5f};

    make_program(flat_vertex, one_colour);
    colour(0.2f, 1, 0.5f, 1);
    vertices(v, sizeof(v), 2);
    glDrawArrays(GL_LINE_LOOP, 0, 4);
}

static void points(void)
{
    static const float v[] = {-0.51f, -0.51f, 0.27f, 0.1f, 0.98f, 0.99f, -0.7f, 0.6f};

    make_program(flat_vertex, FS "out vec4 o; void main() { o = vec4(gl_PointCoord, 0.5, 1.0); }");
    vertices(v, sizeof(v), 2);
    glDrawArrays(GL_POINTS, 0, 4);
}

static void instanced(void)
{
    make_program("#version 320 es\nin vec2 pos; flat out vec3 v; void main() { gl_Position = vec4(pos * 0.1 + "
                 "vec2(float(gl_InstanceID % 4), float(gl_InstanceID / 4)) * 0.4 - 0.7, 0.0, 1.0); v = "
                 "vec3(float(gl_InstanceID), float(gl_VertexID) * 5.0, 8.0) / 16.0; }",
                 FS "flat in vec3 v; out vec4 o; void main() { o = vec4(v, 1.0); }");
    vertices(triangle, sizeof(triangle), 2);
    glDrawArraysInstanced(GL_TRIANGLES, 0, 3, 16);
}

static void restart(void)
{
    static const float v[] = {-0.9f, -0.9f, -0.5f, 0.9f, -0.3f, -0.9f, 0.0f, 0.9f, 0.2f, -0.9f, 0.4f, 0.9f, 0.9f, 0.0f};
    static const unsigned char index[] = {0, 1, 2, 3, 255, 4, 5, 6};

    make_program(flat_vertex, one_colour);
    colour(1, 0.7f, 0.1f, 1);
    glEnable(GL_PRIMITIVE_RESTART_FIXED_INDEX);
    vertices(v, sizeof(v), 2);
    make_buffer(GL_ELEMENT_ARRAY_BUFFER, index, sizeof(index));
    glDrawElements(GL_TRIANGLE_STRIP, 8, GL_UNSIGNED_BYTE, NULL);
}

static void culled_fan(void)
{
    static const float v[] = {0, 0, 0.9f, 0, 0.6f, 0.6f, 0, 0.9f, -0.6f, 0.6f, -0.9f, 0, -0.2f, 0.3f, 0, -0.9f};

    make_program(flat_vertex,
                 FS "out vec4 o; void main() { o = gl_FrontFacing ? vec4(1.0) : vec4(1.0, 0.0, 0.0, 1.0); }");
    vertices(v, sizeof(v), 2);
    glDrawArrays(GL_TRIANGLE_FAN, 0, 8);
    glEnable(GL_CULL_FACE);
    glCullFace(GL_FRONT);
    glViewport(0, 0, 64, 64);
    glDrawArrays(GL_TRIANGLE_FAN, 0, 8);
}

static void many(void)
{
    GLuint p =
        make_program("#version 320 es\nin vec2 pos; uniform vec4 m; void main() { gl_Position = vec4(pos * m.xy + "
                     "m.zw, 0.0, 1.0); }",
                     one_colour);

    vertices(triangle, sizeof(triangle), 2);
    glBlendFunc(GL_ONE, GL_ONE);
    for (int i = 0; i < 900; i++) {
        glUniform4f(glGetUniformLocation(p, "m"), 0.1f, 0.1f, (float)(i % 30) / 15.0f - 1, (float)(i / 30) / 15.0f - 1);
        colour((float)i / 900.0f, 1 - (float)i / 900.0f, 0.5f, 1);
        if (i & 1)
            glEnable(GL_BLEND);
        else
            glDisable(GL_BLEND);
        glDrawArrays(GL_TRIANGLES, 0, 3);
    }
}

static void geometry(void)
{
    static const float v[] = {-0.5f, -0.5f, 0.5f, -0.5f, -0.5f, 0.5f, 0.4f, 0.4f};
    GLuint p = glCreateProgram();

    glAttachShader(p, make_shader(GL_VERTEX_SHADER, flat_vertex));
    glAttachShader(p,
                   make_shader(GL_GEOMETRY_SHADER,
                               "#version 320 es\nlayout(points) in; layout(triangle_strip, max_vertices = 4) out; out "
                               "vec3 g; void main() { for (int i = 0; i < 4; i++) { gl_Position = "
                               "gl_in[0].gl_Position + vec4(float(i & 1) * 0.3, float(i >> 1) * 0.2, 0.0, 0.0); g = "
                               "vec3(float(i & 1), float(i >> 1), float(gl_PrimitiveIDIn) * 0.25); EmitVertex(); } "
                               "EndPrimitive(); }"));
    glAttachShader(p, make_shader(GL_FRAGMENT_SHADER, FS "in vec3 g; out vec4 o; void main() { o = vec4(g, 1.0); }"));
    link_program(p);
    vertices(v, sizeof(v), 2);
    glDrawArrays(GL_POINTS, 0, 4);
}

static void tessellation(void)
{
    GLuint p = glCreateProgram();

    glAttachShader(p, make_shader(GL_VERTEX_SHADER, flat_vertex));
    glAttachShader(p, make_shader(GL_TESS_CONTROL_SHADER,
                                  "#version 320 es\nlayout(vertices = 3) out; void main() { gl_out[gl_InvocationID]."
                                  "gl_Position = gl_in[gl_InvocationID].gl_Position; gl_TessLevelInner[0] = 4.0; "
                                  "gl_TessLevelOuter[0] = 3.0; gl_TessLevelOuter[1] = 2.0; gl_TessLevelOuter[2] = 5.0; "
                                  "}"));
    glAttachShader(p,
                   make_shader(GL_TESS_EVALUATION_SHADER,
                               "#version 320 es\nlayout(triangles, equal_spacing, ccw) in; out vec3 g; void main() { "
                               "g = gl_TessCoord; vec4 q = gl_in[0].gl_Position * g.x + gl_in[1].gl_Position * g.y + "
                               "gl_in[2].gl_Position * g.z; gl_Position = q + vec4(0.0, 0.2 * g.x * g.y, 0.0, 0.0); "
                               "}"));
    glAttachShader(p, make_shader(GL_FRAGMENT_SHADER, FS "in vec3 g; out vec4 o; void main() { o = vec4(g, 1.0); }"));
    link_program(p);
    vertices(triangle, sizeof(triangle), 2);
    glPatchParameteri(GL_PATCH_VERTICES, 3);
    glDrawArrays(GL_PATCHES, 0, 3);
}

static void uniform_array(void)
{
    GLuint p =
        make_program(quad_vertex, FS "in vec2 t; layout(std140) uniform B { vec4 a[256]; }; out vec4 o; void main() "
                                     "{ o = a[int(gl_FragCoord.x)] * 0.5 + a[255 - int(gl_FragCoord.y)] * 0.5; }");
    float a[256][4];

    for (int i = 0; i < 256; i++)
        for (int k = 0; k < 4; k++)
            a[i][k] = (float)((i * (k + 3)) % 256) / 255.0f;
    glBindBufferBase(GL_UNIFORM_BUFFER, 0, make_buffer(GL_UNIFORM_BUFFER, a, sizeof(a)));
    glUniformBlockBinding(p, glGetUniformBlockIndex(p, "B"), 0);
    quad();
}

static void msaa(void)
{
    GLuint r, f;
    GLint old;

    glGetIntegerv(GL_FRAMEBUFFER_BINDING, &old);
    glGenRenderbuffers(1, &r);
    glBindRenderbuffer(GL_RENDERBUFFER, r);
    glRenderbufferStorageMultisample(GL_RENDERBUFFER, 4, GL_RGBA8, SIDE, SIDE);
    glGenFramebuffers(1, &f);
    glBindFramebuffer(GL_FRAMEBUFFER, f);
    glFramebufferRenderbuffer(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_RENDERBUFFER, r);
    glClearColor(0.1f, 0.2f, 0.3f, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    make_program(flat_vertex, one_colour);
    colour(1, 1, 0.5f, 1);
    vertices(triangle, sizeof(triangle), 2);
    glDrawArrays(GL_TRIANGLES, 0, 3);
    glBindFramebuffer(GL_DRAW_FRAMEBUFFER, (GLuint)old);
    glBlitFramebuffer(0, 0, SIDE, SIDE, 0, 0, SIDE, SIDE, GL_COLOR_BUFFER_BIT, GL_NEAREST);
    glBindFramebuffer(GL_FRAMEBUFFER, (GLuint)old);
}

static void targets(void)
{
    GLuint second = make_target(GL_RGBA8, SIDE, SIDE);
    GLenum both[] = {GL_COLOR_ATTACHMENT0, GL_COLOR_ATTACHMENT1};

    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT1, GL_TEXTURE_2D, second, 0);
    glDrawBuffers(2, both);
    make_program(quad_vertex,
                 FS "in vec2 t; layout(location = 0) out vec4 a; layout(location = 1) out vec4 b; void main() "
                    "{ a = vec4(t, 0.0, 1.0); b = vec4(1.0 - t, 1.0, 0.5); }");
    quad();
    glReadBuffer(GL_COLOR_ATTACHMENT1);
}

const struct scene draw_scenes[] = {
    {"clear", clear, 1, 0},
    {"clear_scissor", clear_scissor, 1, 0},
    {"clear_mask", clear_mask, 1, 0},
    {"triangle", smooth_triangle, 1, 0},
    {"perspective", perspective, 1, 600},
    {"clipped", clipped, 1, 30},
    {"depth16", depth16, 1, 0},
    {"depth24", depth24, 1, 0},
    {"depth32f", depth32f, 1, 0},
    {"depth_shader", depth_written_by_shader, 1, 0},
    {"stencil", stencil, 1, 0},
    {"blend", blend, 2, 0}, /* llvmpipe blends with 8 bits */
    {"discard", discard, 1, 0},
    {"derivatives", derivatives, 1, 0},
    {"loop", loop, 1, 65},
    {"integers", integers, 0, 0},
    {"lines", lines, 1, 0},
    {"points", points, 1, 0},
    {"instanced", instanced, 1, 0},
    {"restart", restart, 1, 0},
    {"culled_fan", culled_fan, 1, 0},
    {"many", many, 1, 0},
    {"geometry", geometry, 1, 0},
    {"tessellation", tessellation, 1, 0},
    {"uniform_array", uniform_array, 1, 0},
    {"msaa", msaa, 1, 0},
    {"targets", targets, 1, 0},
    {NULL, NULL, 0, 0},
};
