/* Compute, buffers, queries, stream output. */
#include "glprobe.h"

#include <string.h>

#define CS "#version 320 es\n"

static GLuint storage(unsigned index, const void *data, size_t size)
{
    GLuint b = make_buffer(GL_SHADER_STORAGE_BUFFER, data, size);

    glBindBufferBase(GL_SHADER_STORAGE_BUFFER, index, b);
    return b;
}

static void compute(void)
{
    unsigned a[1024];

    for (unsigned i = 0; i < 1024; i++)
        a[i] = i * i;
    make_compute(CS
                 "layout(local_size_x = 64) in; layout(std430, binding = 0) buffer A { uint a[]; }; layout(std430, "
                 "binding = 1) buffer B { uint b[]; }; void main() { uint i = gl_GlobalInvocationID.x; b[i] = a[i] * "
                 "3u + i; }");
    storage(0, a, sizeof(a));
    GLuint b = storage(1, NULL, sizeof(a));

    glDispatchCompute(16, 1, 1);
    result_buffer(b, sizeof(a));
}

static void compute_shared(void)
{
    unsigned a[1024];

    for (unsigned i = 0; i < 1024; i++)
        a[i] = i;
    make_compute(CS
                 "layout(local_size_x = 64) in; shared uint s[64]; layout(std430, binding = 0) buffer A { uint a[]; }; "
                 "layout(std430, binding = 1) buffer B { uint b[]; }; void main() { uint i = gl_LocalInvocationID.x; "
                 "s[i] = a[gl_GlobalInvocationID.x]; barrier(); for (uint k = 32u; k > 0u; k >>= 1) { if (i < k) s[i] "
                 "+= s[i + k]; barrier(); } if (i == 0u) { b[gl_WorkGroupID.x] = s[0]; atomicAdd(b[16], s[0]); } }");
    storage(0, a, sizeof(a));
    memset(a, 0, sizeof(a));
    GLuint b = storage(1, a, 80);

    glDispatchCompute(16, 1, 1);
    result_buffer(b, 80);
}

static void compute_image(void)
{
    GLuint t = make_target(GL_RGBA8, SIDE, SIDE);

    glBindImageTexture(0, t, 0, GL_FALSE, 0, GL_WRITE_ONLY, GL_RGBA8);
    make_compute(CS "layout(local_size_x = 8, local_size_y = 8) in; layout(rgba8, binding = 0) writeonly uniform highp "
                    "image2D im; void main() { ivec2 p = ivec2(gl_GlobalInvocationID.xy); imageStore(im, p, "
                    "vec4(vec2(p) / 256.0, float((p.x ^ p.y) & 15) / 15.0, 1.0)); }");
    glDispatchCompute(32, 32, 1);
    glMemoryBarrier(GL_ALL_BARRIER_BITS);
    make_framebuffer(t);
}

static void compute_indirect(void)
{
    const unsigned groups[3] = {4, 2, 1}, zero[256] = {0};

    make_compute(CS "layout(local_size_x = 16) in; layout(std430, binding = 0) buffer A { uint a[]; }; void main() { "
                    "a[gl_GlobalInvocationID.y * 64u + gl_GlobalInvocationID.x] = gl_GlobalInvocationID.x + 1u; }");
    GLuint b = storage(0, zero, sizeof(zero));

    make_buffer(GL_DISPATCH_INDIRECT_BUFFER, groups, sizeof(groups));
    glDispatchComputeIndirect(0);
    result_buffer(b, sizeof(zero));
}

static void compute_atomics(void)
{
    unsigned a[16] = {0};

    a[2] = a[5] = 0xffffffff;
    make_compute(
        CS "layout(local_size_x = 32) in; layout(std430, binding = 0) buffer A { uint a[]; }; void main() { uint i "
           "= gl_GlobalInvocationID.x; atomicAdd(a[0], i); atomicMax(a[1], i * 7u % 101u); atomicMin(a[2], i * 7u "
           "% 101u + 3u); atomicOr(a[3], 1u << (i & 31u)); atomicXor(a[4], i); atomicAnd(a[5], ~(1u << (i & "
           "15u))); }");
    GLuint b = storage(0, a, sizeof(a));

    glDispatchCompute(8, 1, 1);
    result_buffer(b, sizeof(a));
}

static void buffer_copy(void)
{
    static unsigned a[16384];

    for (unsigned i = 0; i < 16384; i++)
        a[i] = i * 2654435761u;
    make_buffer(GL_COPY_READ_BUFFER, a, sizeof(a));
    memset(a, 0, sizeof(a));
    GLuint to = make_buffer(GL_COPY_WRITE_BUFFER, a, sizeof(a));

    glCopyBufferSubData(GL_COPY_READ_BUFFER, GL_COPY_WRITE_BUFFER, 12, 4096, 32768);
    glCopyBufferSubData(GL_COPY_READ_BUFFER, GL_COPY_WRITE_BUFFER, 3, 40001, 17);
    result_buffer(to, sizeof(a));
}

/* ES counts "any", so that is all that is compared: yes for a visible quad, no for one that is discarded by depth. */
static void query(void)
{
    GLuint q[3], answer[3];

    glGenQueries(3, q);
    make_program(quad_vertex,
                 CS "precision highp float; in vec2 t; out vec4 o; void main() { if (t.x > 2.0) discard; o = "
                    "vec4(t, 0.0, 1.0); }");
    glBeginQuery(GL_ANY_SAMPLES_PASSED, q[0]);
    quad();
    glEndQuery(GL_ANY_SAMPLES_PASSED);
    glEnable(GL_SCISSOR_TEST);
    glScissor(0, 0, 0, 0);
    glBeginQuery(GL_ANY_SAMPLES_PASSED, q[1]);
    quad();
    glEndQuery(GL_ANY_SAMPLES_PASSED);
    glDisable(GL_SCISSOR_TEST);
    glBeginQuery(GL_PRIMITIVES_GENERATED, q[2]);
    quad();
    glEndQuery(GL_PRIMITIVES_GENERATED);
    for (int i = 0; i < 3; i++)
        glGetQueryObjectuiv(q[i], GL_QUERY_RESULT, &answer[i]);
    result_bytes(answer, sizeof(answer));
}

static void transform_feedback(void)
{
    static const char *const names[] = {"r", "k"};
    static const float v[] = {-1, -1, 0, 0.5f, 1, -1, 1, 0.25f, -1, 1, 0, 8, 1, 1, 1, 3};
    GLuint p = glCreateProgram(), b, q, written;
    unsigned char zero[256];

    memset(zero, 0xee, sizeof(zero));
    glAttachShader(p,
                   make_shader(GL_VERTEX_SHADER, CS "in vec4 pos; out vec4 r; flat out uint k; void main() { r = pos * "
                                                    "2.0; k = uint(gl_VertexID) + 100u; gl_Position = pos; }"));
    glAttachShader(p, make_shader(GL_FRAGMENT_SHADER, CS "void main() {}"));
    glTransformFeedbackVaryings(p, 2, names, GL_INTERLEAVED_ATTRIBS);
    link_program(p);
    b = make_buffer(GL_TRANSFORM_FEEDBACK_BUFFER, zero, sizeof(zero));
    glBindBufferBase(GL_TRANSFORM_FEEDBACK_BUFFER, 0, b);
    glGenQueries(1, &q);
    glEnable(GL_RASTERIZER_DISCARD);
    glBeginQuery(GL_TRANSFORM_FEEDBACK_PRIMITIVES_WRITTEN, q);
    glBeginTransformFeedback(GL_TRIANGLES);
    vertices(v, sizeof(v), 4);
    glDrawArrays(GL_TRIANGLES, 0, 3);
    glEndTransformFeedback();
    glEndQuery(GL_TRANSFORM_FEEDBACK_PRIMITIVES_WRITTEN);
    glGetQueryObjectuiv(q, GL_QUERY_RESULT, &written);
    glBindBuffer(GL_COPY_WRITE_BUFFER, b);
    glBufferSubData(GL_COPY_WRITE_BUFFER, 252, 4, &written);
    result_buffer(b, sizeof(zero));
}

static void indirect_draw(void)
{
    static const float v[] = {-0.8f, -0.8f, 0.8f, -0.8f, 0.0f, 0.8f, -0.9f, 0.9f, -0.5f, 0.9f, -0.7f, 0.2f};
    static const unsigned arguments[] = {6, 1, 0, 0};

    make_program("#version 320 es\nin vec2 pos; void main() { gl_Position = vec4(pos, 0.0, 1.0); }",
                 CS "precision highp float; out vec4 o; void main() { o = vec4(0.3, 0.6, 0.9, 1.0); }");
    GLuint vao;

    glGenVertexArrays(1, &vao);
    glBindVertexArray(vao);
    vertices(v, sizeof(v), 2);
    make_buffer(GL_DRAW_INDIRECT_BUFFER, arguments, sizeof(arguments));
    glDrawArraysIndirect(GL_TRIANGLES, NULL);
}

static void fence(void)
{
    unsigned answer[2] = {0};

    glClearColor(1, 0, 1, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    GLsync s = glFenceSync(GL_SYNC_GPU_COMMANDS_COMPLETE, 0);

    answer[0] = glClientWaitSync(s, GL_SYNC_FLUSH_COMMANDS_BIT, 10000000000u) != GL_TIMEOUT_EXPIRED;
    answer[1] = glClientWaitSync(s, 0, 0) == GL_ALREADY_SIGNALED;
    glDeleteSync(s);
    result_bytes(answer, sizeof(answer));
}

const struct scene data_scenes[] = {
    {"compute", compute, 0, 0},
    {"compute_shared", compute_shared, 0, 0},
    {"compute_image", compute_image, 1, 0},
    {"compute_indirect", compute_indirect, 0, 0},
    {"compute_atomics", compute_atomics, 0, 0},
    {"buffer_copy", buffer_copy, 0, 0},
    {"query", query, 0, 0},
    {"transform_feedback", transform_feedback, 0, 0},
    {"indirect_draw", indirect_draw, 1, 0},
    {"fence", fence, 0, 0},
    {NULL, NULL, 0, 0},
};
