/* A program on gtmux exec that computes: compute shaders that take about as long as the draws of a program do, one
 * after the other, for some seconds. The result of each is looked at.
 *
 * usage: compute_load SECONDS */
#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <GLES3/gl31.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ITEMS  16384u
#define ROUNDS 64u

static const char source[] = "#version 310 es\n"
                             "layout(local_size_x = 64) in;\n"
                             "layout(std430, binding = 0) buffer data { uint item[]; };\n"
                             "void main() {\n"
                             "    uint x = item[gl_GlobalInvocationID.x];\n"
                             "    for (int i = 0; i < 64; i++)\n"
                             "        x = x * 1664525u + 1013904223u;\n"
                             "    item[gl_GlobalInvocationID.x] = x;\n"
                             "}\n";

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void check(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "compute_load: %s failed\n", what);
    exit(1);
}

static void open_gl(void)
{
    static const EGLint attributes[] = {EGL_CONTEXT_MAJOR_VERSION, 3, EGL_CONTEXT_MINOR_VERSION, 1, EGL_NONE};
    EGLDisplay d = eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);

    check(d != EGL_NO_DISPLAY && eglInitialize(d, NULL, NULL) && eglBindAPI(EGL_OPENGL_ES_API), "EGL");
    EGLContext c = eglCreateContext(d, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, attributes);

    check(c != EGL_NO_CONTEXT && eglMakeCurrent(d, EGL_NO_SURFACE, EGL_NO_SURFACE, c), "a context");
}

static void open_program(void)
{
    static GLuint items[ITEMS];
    const char *text = source;
    GLuint program = glCreateProgram(), shader = glCreateShader(GL_COMPUTE_SHADER), buffer;
    GLint linked;

    glShaderSource(shader, 1, &text, NULL);
    glCompileShader(shader);
    glAttachShader(program, shader);
    glLinkProgram(program);
    glGetProgramiv(program, GL_LINK_STATUS, &linked);
    check(linked, "the program");
    glUseProgram(program);
    for (GLuint i = 0; i < ITEMS; i++)
        items[i] = i;
    glGenBuffers(1, &buffer);
    glBindBufferBase(GL_SHADER_STORAGE_BUFFER, 0, buffer);
    glBufferData(GL_SHADER_STORAGE_BUFFER, sizeof(items), items, GL_DYNAMIC_COPY);
}

int main(int argc, char **argv)
{
    double end = now_s() + (argc == 2 ? strtod(argv[1], NULL) : 1);
    unsigned done = 0;
    GLuint last = ITEMS - 1;

    open_gl();
    open_program();
    for (; now_s() < end; done++) {
        for (unsigned i = 0; i < 4; i++)
            glDispatchCompute(ITEMS / 64, 1, 1);
        for (unsigned i = 0; i < 4 * ROUNDS; i++)
            last = last * 1664525u + 1013904223u;
        const GLuint *p = glMapBufferRange(GL_SHADER_STORAGE_BUFFER, (ITEMS - 1) * 4, 4, GL_MAP_READ_BIT);

        check(p && *p == last, "the result");
        glUnmapBuffer(GL_SHADER_STORAGE_BUFFER);
    }
    printf("%u\n", done);
    return 0;
}
