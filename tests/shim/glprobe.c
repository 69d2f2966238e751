#include "glprobe.h"

#include <EGL/egl.h>
#include <EGL/eglext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char result[SIDE * SIDE * 4];
static size_t result_size; /* 0: the framebuffer */

/* ---- tools */

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "glprobe: %s: %s\n", what, why);
    exit(2);
}

GLuint make_shader(GLenum kind, const char *source)
{
    GLuint s = glCreateShader(kind);
    char log[4096];
    GLint ok;

    glShaderSource(s, 1, &source, NULL);
    glCompileShader(s);
    glGetShaderiv(s, GL_COMPILE_STATUS, &ok);
    if (!ok) {
        glGetShaderInfoLog(s, sizeof(log), NULL, log);
        fail("compile", log);
    }
    return s;
}

void link_program(GLuint program)
{
    char log[4096];
    GLint ok;

    glBindAttribLocation(program, 0, "pos");
    glLinkProgram(program);
    glGetProgramiv(program, GL_LINK_STATUS, &ok);
    if (!ok) {
        glGetProgramInfoLog(program, sizeof(log), NULL, log);
        fail("link", log);
    }
    glUseProgram(program);
}

GLuint make_program(const char *vertex, const char *fragment)
{
    GLuint p = glCreateProgram();

    glAttachShader(p, make_shader(GL_VERTEX_SHADER, vertex));
    glAttachShader(p, make_shader(GL_FRAGMENT_SHADER, fragment));
    link_program(p);
    return p;
}

GLuint make_compute(const char *source)
{
    GLuint p = glCreateProgram();

    glAttachShader(p, make_shader(GL_COMPUTE_SHADER, source));
    link_program(p);
    return p;
}

GLuint make_buffer(GLenum target, const void *data, size_t size)
{
    GLuint b;

    glGenBuffers(1, &b);
    glBindBuffer(target, b);
    glBufferData(target, (GLsizeiptr)size, data, GL_STATIC_DRAW);
    return b;
}

void vertices(const float *data, size_t bytes, int components)
{
    make_buffer(GL_ARRAY_BUFFER, data, bytes);
    glVertexAttribPointer(0, components, GL_FLOAT, GL_FALSE, 0, NULL);
    glEnableVertexAttribArray(0);
}

const char *const quad_vertex = "#version 320 es\n"
                                "in vec4 pos; out vec2 t;\n"
                                "void main() { gl_Position = vec4(pos.xy, 0.0, 1.0); t = pos.zw; }\n";

void quad(void)
{
    static const float corners[] = {-1, -1, 0, 0, 1, -1, 1, 0, -1, 1, 0, 1, 1, 1, 1, 1};

    vertices(corners, sizeof(corners), 4);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
}

void fill_level(GLenum target, int level, int width, int height)
{
    unsigned char *p = malloc((size_t)width * (size_t)height * 4);

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            unsigned char *q = p + 4 * (y * width + x);

            q[0] = (unsigned char)(x * 255 / width);
            q[1] = (unsigned char)(y * 255 / height);
            q[2] = ((x / 8 + y / 8) & 1) ? 255 : (unsigned char)(level * 40);
            q[3] = (unsigned char)(255 - x);
        }
    }
    glTexSubImage2D(target, level, 0, 0, width, height, GL_RGBA, GL_UNSIGNED_BYTE, p);
    free(p);
}

GLuint make_texture(int width, int height)
{
    GLuint t = make_target(GL_RGBA8, width, height);

    fill_level(GL_TEXTURE_2D, 0, width, height);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
    return t;
}

GLuint make_target(GLenum format, int width, int height)
{
    GLuint t;

    glGenTextures(1, &t);
    glBindTexture(GL_TEXTURE_2D, t);
    glTexStorage2D(GL_TEXTURE_2D, 1, format, width, height);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
    return t;
}

GLuint make_framebuffer(GLuint texture)
{
    GLuint f;

    glGenFramebuffers(1, &f);
    glBindFramebuffer(GL_FRAMEBUFFER, f);
    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, texture, 0);
    return f;
}

void result_bytes(const void *data, size_t size)
{
    if (size > sizeof(result))
        fail("result", "too large");
    memcpy(result, data, size);
    result_size = size;
}

void result_buffer(GLuint buffer, size_t size)
{
    glMemoryBarrier(GL_ALL_BARRIER_BITS);
    glBindBuffer(GL_COPY_READ_BUFFER, buffer);
    void *p = glMapBufferRange(GL_COPY_READ_BUFFER, 0, (GLsizeiptr)size, GL_MAP_READ_BIT);

    if (!p)
        fail("result", "the buffer cannot be mapped");
    result_bytes(p, size);
    glUnmapBuffer(GL_COPY_READ_BUFFER);
}

/* ---- contexts and files */

static EGLDisplay display;
static EGLConfig config;

static void open_display(void)
{
    static const EGLint wanted[] = {EGL_SURFACE_TYPE,    EGL_PBUFFER_BIT,    EGL_RED_SIZE, 8, EGL_ALPHA_SIZE, 8,
                                    EGL_RENDERABLE_TYPE, EGL_OPENGL_ES3_BIT, EGL_NONE};
    PFNEGLGETPLATFORMDISPLAYEXTPROC get =
        (PFNEGLGETPLATFORMDISPLAYEXTPROC)eglGetProcAddress("eglGetPlatformDisplayEXT");
    EGLint n;

    display = get(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
    if (!eglInitialize(display, NULL, NULL))
        fail("EGL", "no display");
    eglBindAPI(EGL_OPENGL_ES_API);
    if (!eglChooseConfig(display, wanted, &config, 1, &n) || n != 1)
        fail("EGL", "no config");
}

static EGLContext open_context(void)
{
    static const EGLint version[] = {EGL_CONTEXT_MAJOR_VERSION, 3, EGL_CONTEXT_MINOR_VERSION, 2, EGL_NONE};
    EGLContext c = eglCreateContext(display, config, EGL_NO_CONTEXT, version);

    if (!c || !eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, c))
        fail("EGL", "no context");
    return c;
}

static void write_result(const char *dir, const char *name)
{
    char path[1024];

    snprintf(path, sizeof(path), "%s/%s.raw", dir, name);
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(result, 1, result_size, f) != result_size || fclose(f))
        fail(path, "cannot be written");
}

static void run_scene(const struct scene *s, const char *dir)
{
    EGLContext c = open_context();

    result_size = 0;
    make_framebuffer(make_target(GL_RGBA8, SIDE, SIDE));
    glViewport(0, 0, SIDE, SIDE);
    glClearColor(0.0f, 0.0f, 0.0f, 0.0f);
    glClear(GL_COLOR_BUFFER_BIT);
    s->draw();
    if (!result_size) {
        glReadPixels(0, 0, SIDE, SIDE, GL_RGBA, GL_UNSIGNED_BYTE, result);
        result_size = sizeof(result);
    }
    GLenum error = glGetError();

    if (error)
        printf("%s: GL error 0x%x\n", s->name, error);
    write_result(dir, s->name);
    eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
    eglDestroyContext(display, c);
}

/* dir NULL: prints the list. */
static void for_all(const struct scene *s, const char *dir, char **only)
{
    for (; s->name; s++) {
        int chosen = !*only;

        for (char **o = only; *o; o++)
            chosen |= !strcmp(*o, s->name);
        if (!chosen)
            continue;
        if (dir)
            run_scene(s, dir);
        else
            printf("%s %d %d\n", s->name, s->tolerance, s->outliers);
    }
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 && strcmp(argv[1], "--list") ? argv[1] : NULL;

    if (argc < 2) {
        fprintf(stderr, "Usage: glprobe DIR [SCENE...]: draws scenes into DIR/SCENE.raw\n"
                        "       glprobe --list: prints the scenes with tolerance and outliers\n");
        return 2;
    }
    if (dir) {
        open_display();
        EGLContext c = open_context();

        printf("renderer: %s\n", (const char *)glGetString(GL_RENDERER));
        eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
        eglDestroyContext(display, c);
    }
    for_all(draw_scenes, dir, argv + 2);
    for_all(texture_scenes, dir, argv + 2);
    for_all(sampling_scenes, dir, argv + 2);
    for_all(data_scenes, dir, argv + 2);
    return 0;
}
