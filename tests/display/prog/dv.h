/* Inside the virtual machine of the display tests: a device process, a sink, a guest of tests/fakes/screen_guest.h, and
 * what vkms shows, by its writeback connector and its CRCs. */
#ifndef GTMUX_TESTS_DV_H
#define GTMUX_TESTS_DV_H

#include <cjson/cJSON.h>
#include <sys/types.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "tests/fakes/screen_guest.h"

#define DV_DIR     "/tmp/dv"
#define DV_SOCKET  DV_DIR "/s"
#define DV_DM_LOG  DV_DIR "/dm.log"
#define DV_KMS_LOG DV_DIR "/kms.log"

#define DV_BUFFER    0x4000000u /* distance of two buffers in the GGTT: 64 MiB */
#define DV_GUEST_MIB 256u

struct dv_capture {
    uint32_t width, height, stride;
    uint8_t *map;
    uint32_t handle, fb;
    uint64_t size;
};

struct dv {
    int card; /* the DRM device; the sink inherits it, so that captures are commits of the same client */
    uint32_t crtc, writeback;
    uint32_t wb_crtc, wb_fb, wb_fence; /* properties */
    pid_t dm, sink;
    struct screen_guest g;
    unsigned passed, failed;
};

/* How long anything may take that should happen. */
#define DV_PATIENCE_NS UINT64_C(30000000000)

/* One line a check. Returns ok. */
bool dv_result(struct dv *d, bool ok, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

void dv_open_card(struct dv *d);
void dv_close_card(struct dv *d);
/* Starts a program (its path and arguments, up to a NULL) with its output at the end of a file.
 * extra, here and below: further arguments, up to a NULL; may be NULL. */
pid_t dv_spawn(const char *const *args, const char *const *extra, const char *log);
void dv_start_dm(struct dv *d, const char *const *extra);
/* Another gtmux-dm, of a guest of this name, with its socket. */
pid_t dv_start_other(const char *name, const char *socket);
void dv_start_sink(struct dv *d, const char *const *extra);
/* All three, until a first answer has come from the sink; and their end. */
void dv_begin(struct dv *d, const char *const *dm, const char *const *sink);
void dv_finish(struct dv *d);
/* Ends a process with a signal and waits for it. Its exit code, or 256 + the signal. */
int dv_end(pid_t *pid, int signal);
/* A counter of gtmux stats, such as "display/dmabufs_made" or "pipes/0/flips". */
double dv_stat(const char *path);
double dv_stat_of(const char *name, const char *path);
/* Waits until a guest's flips are on the screen, and no more come: vkms forgets a capture when another commit comes
 * before it is done. */
void dv_settle(const char *name);
/* Runs `gtmux ARGUMENT...` and returns its exit code. */
int dv_gtmux(const char *const *args);
/* Waits until the sink has answered `n` flips since `from` was read. */
bool dv_wait_shown(double from, unsigned n);
/* The size of the mode that is set; false: none is. */
bool dv_lit(const struct dv *d, uint32_t *width, uint32_t *height);
/* What is on the screen of width x height, once it has this size: a capture across a change of the mode would never
 * come. False: it could not be captured. */
bool dv_capture(struct dv *d, uint32_t width, uint32_t height, struct dv_capture *c);
/* A buffer of the card's, black. */
bool dv_make_buffer(struct dv *d, uint32_t width, uint32_t height, struct dv_capture *c);
void dv_capture_free(struct dv *d, struct dv_capture *c);
/* The CRC of what is shown now, 0: none came. */
uint32_t dv_crc(void);
/* Processor time that a process has used, seconds. */
double dv_cpu(pid_t pid);
/* Number of dma-bufs that exist in this kernel, -1: unknown. */
int dv_dmabufs(void);
/* Waits until there are so many: the kernel lets go of them when it comes to it. The last number seen. */
int dv_wait_dmabufs(int want);
bool dv_file_has(const char *path, const char *text);
void dv_write_file(const char *path, const char *text);
/* A number that the sink, which has ended, printed before this word; -1: it did not. */
double dv_sink_figure(const char *word);
/* The channels of two pixels differ by so much at most. */
bool dv_near(uint32_t a, uint32_t b, int off);

/* Tests in files of their own. */
void dv_sprites(struct dv *d);
void dv_switch(struct dv *d);
void dv_compositor(struct dv *d);

#endif
