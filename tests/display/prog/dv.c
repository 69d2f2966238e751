#include "dv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <drm_fourcc.h>

#include "mediator/control.h"
#include "vgpu/base/clock.h"

/* An emulated machine on a busy host. */
#define PATIENCE_MS 120000
#define CAPTURE_MS  4000
#define FENCES_MAX  16u

bool dv_result(struct dv *d, bool ok, const char *fmt, ...)
{
    va_list ap;

    printf("%s ", ok ? "ok  " : "FAIL");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    *(ok ? &d->passed : &d->failed) += 1;
    return ok;
}

/* ---- the card */

static uint32_t property(int fd, uint32_t object, uint32_t type, const char *name)
{
    drmModeObjectProperties *all = drmModeObjectGetProperties(fd, object, type);
    uint32_t id = 0;

    for (uint32_t i = 0; all && i < all->count_props; i++) {
        drmModePropertyRes *p = drmModeGetProperty(fd, all->props[i]);

        if (p && !strcmp(p->name, name))
            id = p->prop_id;
        drmModeFreeProperty(p);
    }
    drmModeFreeObjectProperties(all);
    return id;
}

void dv_open_card(struct dv *d)
{
    d->card = open("/dev/dri/card0", O_RDWR | O_NONBLOCK); /* inherited */
    sg_check(d->card >= 0 && !drmSetClientCap(d->card, DRM_CLIENT_CAP_ATOMIC, 1) &&
                 !drmSetClientCap(d->card, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS, 1),
             "open vkms");
    drmModeRes *res = drmModeGetResources(d->card);

    d->crtc = res->crtcs[0];
    for (int i = 0; i < res->count_connectors; i++) {
        drmModeConnector *c = drmModeGetConnector(d->card, res->connectors[i]);

        if (c->connector_type == DRM_MODE_CONNECTOR_WRITEBACK)
            d->writeback = c->connector_id;
        drmModeFreeConnector(c);
    }
    drmModeFreeResources(res);
    d->wb_crtc = property(d->card, d->writeback, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID");
    d->wb_fb = property(d->card, d->writeback, DRM_MODE_OBJECT_CONNECTOR, "WRITEBACK_FB_ID");
    d->wb_fence = property(d->card, d->writeback, DRM_MODE_OBJECT_CONNECTOR, "WRITEBACK_OUT_FENCE_PTR");
    sg_check(d->wb_fence, "find the writeback connector");
}

void dv_close_card(struct dv *d)
{
    close(d->card);
    d->card = -1;
}

/* Commits, and again while the sink's own commit is in the way. */
static bool commit(struct dv *d, drmModeAtomicReq *req)
{
    for (unsigned i = 0; i < PATIENCE_MS / 5; i++) {
        if (!drmModeAtomicCommit(d->card, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL))
            return true;
        if (errno != EBUSY)
            break;
        usleep(5000);
    }
    printf("     commit: %s\n", strerror(errno));
    return false;
}

bool dv_make_buffer(struct dv *d, uint32_t width, uint32_t height, struct dv_capture *c)
{
    struct drm_mode_create_dumb create = {.width = width, .height = height, .bpp = 32};
    struct drm_mode_map_dumb map = {0};

    if (drmIoctl(d->card, DRM_IOCTL_MODE_CREATE_DUMB, &create))
        return false;
    map.handle = create.handle;
    *c = (struct dv_capture){
        .width = width, .height = height, .stride = create.pitch, .handle = create.handle, .size = create.size};
    const uint32_t handles[4] = {c->handle}, strides[4] = {c->stride}, offsets[4] = {0};

    if (drmIoctl(d->card, DRM_IOCTL_MODE_MAP_DUMB, &map) ||
        drmModeAddFB2(d->card, width, height, DRM_FORMAT_XRGB8888, handles, strides, offsets, &c->fb, 0))
        return false;
    c->map = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_SHARED, d->card, (off_t)map.offset);
    return c->map != MAP_FAILED;
}

bool dv_lit(const struct dv *d, uint32_t *width, uint32_t *height)
{
    drmModeCrtc *c = drmModeGetCrtc(d->card, d->crtc);
    const bool ok = c && c->mode_valid && c->buffer_id;

    *width = ok ? c->mode.hdisplay : 0;
    *height = ok ? c->mode.vdisplay : 0;
    drmModeFreeCrtc(c);
    return ok;
}

static bool wait_lit(const struct dv *d, uint32_t width, uint32_t height)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    uint32_t w, h;

    while (!dv_lit(d, &w, &h) || w != width || h != height) {
        if (gt_clock_ns() > end)
            return false;
        usleep(20000);
    }
    return true;
}

/* Of a framebuffer, as debugfs tells; 0: unknown. */
static unsigned references(uint32_t fb)
{
    FILE *f = fopen("/sys/kernel/debug/dri/0/framebuffer", "re");
    unsigned id = 0, n = 0, found = 0;
    char line[256];

    while (f && fgets(line, sizeof(line), f)) {
        sscanf(line, "framebuffer[%u]", &id);
        if (id == fb && sscanf(line, " refcount=%u", &n) == 1)
            found = n;
    }
    if (f)
        fclose(f);
    return found;
}

/* The kernel gives a capture's buffer up some time after its fence, and vkms stops composing then: a CRC or another
 * capture that had begun before would never come. */
static void wait_given_up(const struct dv_capture *c)
{
    uint64_t end = gt_clock_ns() + UINT64_C(500000000);

    while (references(c->fb) > 1 && gt_clock_ns() < end)
        usleep(2000);
}

/*
 * Waits until vkms has written. It completes captures in the order in which they were asked for, and now and then
 * forgets one, when it stops composing for an older one at that moment. So when any that is still open completes, it is
 * the newest that was written; the others stay open. False: this one was forgotten.
 */
static bool wait_written(int fence)
{
    static struct pollfd open_ones[FENCES_MAX];
    static unsigned n;

    if (n == FENCES_MAX)
        close(open_ones[--n].fd);
    open_ones[n++] = (struct pollfd){.fd = fence, .events = POLLIN};
    if (poll(open_ones, n, CAPTURE_MS) < 1)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (open_ones[i].revents) {
            close(open_ones[i].fd);
            open_ones[i] = open_ones[--n];
            break;
        }
    return true;
}

bool dv_capture(struct dv *d, uint32_t width, uint32_t height, struct dv_capture *c)
{
    int32_t fence = -1;

    if (!wait_lit(d, width, height) || !dv_make_buffer(d, width, height, c))
        return false;
    drmModeAtomicReq *req = drmModeAtomicAlloc();

    drmModeAtomicAddProperty(req, d->writeback, d->wb_crtc, d->crtc);
    drmModeAtomicAddProperty(req, d->writeback, d->wb_fb, c->fb);
    drmModeAtomicAddProperty(req, d->writeback, d->wb_fence, (uint64_t)(uintptr_t)&fence);
    bool ok = commit(d, req);

    drmModeAtomicFree(req);
    ok = ok && fence >= 0 && wait_written(fence);
    req = drmModeAtomicAlloc(); /* off again, or the CRTC could not be switched off */
    drmModeAtomicAddProperty(req, d->writeback, d->wb_crtc, 0);
    ok = commit(d, req) && ok;
    drmModeAtomicFree(req);
    wait_given_up(c);
    return ok;
}

void dv_capture_free(struct dv *d, struct dv_capture *c)
{
    struct drm_mode_destroy_dumb destroy = {.handle = c->handle};

    if (c->map && c->map != MAP_FAILED)
        munmap(c->map, c->size);
    if (c->fb)
        drmModeRmFB(d->card, c->fb);
    drmIoctl(d->card, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
    *c = (struct dv_capture){0};
}

#define CRC_DIR "/sys/kernel/debug/dri/0/crtc-0/crc/"

/* The second entry after it is asked for, since the first may be of a frame that had begun before; 0: none came for a
 * while. A read gives one line, which ends in "\n\0". */
static uint32_t read_crc(void)
{
    unsigned frame, crc = 0, n = 0;
    char line[128];

    dv_write_file(CRC_DIR "control", "auto");
    struct pollfd p = {.fd = open(CRC_DIR "data", O_RDONLY | O_CLOEXEC | O_NONBLOCK), .events = POLLIN};

    while (p.fd >= 0 && n < 3 && poll(&p, 1, 2000) == 1) {
        ssize_t got = read(p.fd, line, sizeof(line) - 1);

        if (got <= 0)
            break;
        line[got] = 0;
        n += sscanf(line, "%x %x", &frame, &crc) == 2;
    }
    if (p.fd >= 0)
        close(p.fd);
    return n == 3 ? crc : 0;
}

/* vkms may stop composing when it has given up a capture before: then it is asked again. */
uint32_t dv_crc(void)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    uint32_t crc;

    while (!(crc = read_crc()) && gt_clock_ns() < end)
        ;
    return crc;
}

/* ---- processes */

pid_t dv_spawn(const char *const *args, const char *const *extra, const char *log)
{
    const char *all[24];
    unsigned n = 0;

    for (unsigned i = 0; args[i]; i++)
        all[n++] = args[i];
    for (unsigned i = 0; extra && extra[i]; i++)
        all[n++] = extra[i];
    all[n] = NULL;
    fflush(stdout);
    pid_t pid = fork();

    if (pid)
        return pid;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);

    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(all[0], (char *const *)(uintptr_t)all);
    _exit(127);
}

/* Its sockets have their names a little earlier than they are served. */
static void wait_served(const char *name, const char *socket)
{
    for (unsigned i = 0; i < PATIENCE_MS / 10 && (access(socket, F_OK) || dv_stat_of(name, "display/viewers") < 0); i++)
        usleep(10000);
}

void dv_start_dm(struct dv *d, const char *const *extra)
{
    static const char *const args[] = {"/t/gtmux-dm", "--vfio-user=" DV_SOCKET, "--name=g", "--run-dir=" DV_DIR, NULL};

    unlink(DV_SOCKET);
    unlink(DV_DM_LOG);
    d->dm = dv_spawn(args, extra, DV_DM_LOG);
    wait_served("g", DV_SOCKET);
}

pid_t dv_start_other(const char *name, const char *socket)
{
    char socket_arg[96], name_arg[64];
    const char *const args[] = {"/t/gtmux-dm", socket_arg, name_arg, "--run-dir=" DV_DIR, NULL};

    snprintf(socket_arg, sizeof(socket_arg), "--vfio-user=%s", socket);
    snprintf(name_arg, sizeof(name_arg), "--name=%s", name);
    unlink(socket);
    pid_t pid = dv_spawn(args, NULL, DV_DIR "/other.log");

    wait_served(name, socket);
    return pid;
}

int dv_gtmux(const char *const *args)
{
    static const char *const program[] = {"/t/gtmux", NULL};
    pid_t pid = dv_spawn(program, args, DV_DIR "/gtmux.log");
    int status = -1;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

void dv_start_sink(struct dv *d, const char *const *extra)
{
    char fd[24];
    const char *const args[] = {"/t/gtmux", "kms", "g", "--run-dir=" DV_DIR, "--verbose", fd, NULL};

    snprintf(fd, sizeof(fd), "--drm-fd=%d", d->card);
    unlink(DV_KMS_LOG);
    d->sink = dv_spawn(args, extra, DV_KMS_LOG);
}

void dv_begin(struct dv *d, const char *const *dm, const char *const *sink)
{
    dv_open_card(d);
    dv_start_dm(d, dm);
    sg_connect(&d->g, DV_SOCKET, DV_GUEST_MIB);
    dv_start_sink(d, sink);
    if (dv_wait_shown(0, 1))
        return;
    dv_result(d, false, "gtmux-dm and gtmux kms start");
    fflush(stdout);
    if (system("tail -n 20 " DV_DM_LOG " " DV_KMS_LOG " | sed 's/^/     /'"))
        printf("     there are no logs\n");
    exit(1);
}

void dv_finish(struct dv *d)
{
    dv_end(&d->sink, SIGTERM);
    sg_leave(&d->g);
    dv_end(&d->dm, SIGTERM);
    dv_close_card(d);
}

int dv_end(pid_t *pid, int signal)
{
    int status = 0;

    if (*pid <= 0)
        return -1;
    kill(*pid, signal);
    waitpid(*pid, &status, 0);
    *pid = 0;
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

double dv_stat(const char *path)
{
    return dv_stat_of("g", path);
}

double dv_stat_of(const char *name, const char *path)
{
    cJSON *request = cJSON_Parse("{\"cmd\":\"stats\"}"), *answer = NULL;
    const cJSON *at;
    char part[64];
    int sock = control_connect(DV_DIR, name);

    if (sock >= 0) {
        answer = control_ask(sock, request, NULL);
        close(sock);
    }
    at = answer;
    while (at && *path) {
        size_t n = strcspn(path, "/");

        snprintf(part, sizeof(part), "%.*s", (int)n, path);
        at = cJSON_IsArray(at) ? cJSON_GetArrayItem(at, atoi(part)) : cJSON_GetObjectItemCaseSensitive(at, part);
        path += n + (path[n] == '/');
    }
    double value = cJSON_IsNumber(at) ? at->valuedouble : -1;

    cJSON_Delete(answer);
    cJSON_Delete(request);
    return value;
}

bool dv_wait_shown(double from, unsigned n)
{
    uint64_t end = gt_clock_ns() + PATIENCE_MS * UINT64_C(1000000);

    while (dv_stat("display/shown") < from + n) {
        if (gt_clock_ns() > end)
            return false;
        usleep(20000);
    }
    return true;
}

void dv_settle(const char *name)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    double flips;

    do {
        flips = dv_stat_of(name, "display/flips");
        usleep(400000);
    } while ((dv_stat_of(name, "display/flips") != flips ||
              dv_stat_of(name, "display/shown") + dv_stat_of(name, "display/planes_refused") != flips) &&
             gt_clock_ns() < end);
}

double dv_cpu(pid_t pid)
{
    char path[32], line[512];
    unsigned long user = 0, kernel = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    const char *rest = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

    if (rest) /* after the name: state, 10 numbers, user time, system time */
        sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
    if (f)
        fclose(f);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* ---- files */

int dv_dmabufs(void)
{
    FILE *f = fopen("/sys/kernel/debug/dma_buf/bufinfo", "re");
    char line[512];
    int n = -1;

    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "Total %d objects", &n);
    if (f)
        fclose(f);
    return n;
}

int dv_wait_dmabufs(int want)
{
    uint64_t end = gt_clock_ns() + DV_PATIENCE_NS;
    int n;

    while ((n = dv_dmabufs()) != want && gt_clock_ns() < end)
        usleep(50000);
    return n;
}

bool dv_file_has(const char *path, const char *text)
{
    FILE *f = fopen(path, "re");
    char line[1024];
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f))
        found = strstr(line, text) != NULL;
    if (f)
        fclose(f);
    return found;
}

double dv_sink_figure(const char *word)
{
    FILE *f = fopen(DV_KMS_LOG, "re");
    char line[512];
    double figure = -1;

    while (f && fgets(line, sizeof(line), f)) {
        char *at = strstr(line, word);

        if (!at)
            continue;
        while (at > line && at[-1] >= '0' && at[-1] <= '9')
            at--;
        sscanf(at, "%lf", &figure);
    }
    if (f)
        fclose(f);
    return figure;
}

bool dv_near(uint32_t a, uint32_t b, int off)
{
    for (unsigned shift = 0; shift < 24; shift += 8)
        if (abs((int)(a >> shift & 0xff) - (int)(b >> shift & 0xff)) > off)
            return false;
    return true;
}

void dv_write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        printf("     cannot write %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}
