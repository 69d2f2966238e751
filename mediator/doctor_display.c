/* gtmux doctor: GPUs and monitors of this machine, and the way that pictures of guests take here (docs/display.md). */
#include <errno.h>
#include <limits.h>
#include <pciaccess.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "display/udmabuf.h"
#include "display/xen_export.h"
#include "mediator/doctor_internal.h"
#include "vgpu/base/bits.h"

#define PCI_DEVICES  "/sys/bus/pci/devices/"
#define PCI_DISPLAY  0x03 /* PCI code and id assignment specification: display controllers */
#define DRM_CLASS    "/sys/class/drm/"
#define DRI          "/dev/dri/"
#define UDMABUF      "/dev/udmabuf"
#define PARAMETERS   "/sys/module/udmabuf/parameters/"
#define PIECES_1080P 2025 /* pages of 1920x1080 at 4 bytes a pixel */
/* drivers/dma-buf/udmabuf.c: list_limit and size_limit_mb, unless somebody said otherwise. */
#define KERNEL_PIECES 1024
#define KERNEL_MB     64
#define WANTED_MB     64

/* A list of words in a finding. */
struct list {
    char text[240];
    unsigned count;
};

static void list_add(struct list *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void list_add(struct list *l, const char *fmt, ...)
{
    size_t used = strlen(l->text);
    va_list ap;

    if (l->count++ && used < sizeof(l->text))
        used += (size_t)snprintf(l->text + used, sizeof(l->text) - used, ", ");
    if (used >= sizeof(l->text))
        return;
    va_start(ap, fmt);
    vsnprintf(l->text + used, sizeof(l->text) - used, fmt, ap);
    va_end(ap);
}

/* ---- GPUs */

static void add_gpu(const struct doctor *d, const char *slot, void *ctx)
{
    char file[PATH_MAX];
    const char *device = NULL, *vendor = NULL;

    snprintf(file, sizeof(file), PCI_DEVICES "%.64s/class", slot);
    if (doctor_number(d, file, 0) >> 16 != PCI_DISPLAY)
        return;
    snprintf(file, sizeof(file), PCI_DEVICES "%.64s/vendor", slot);
    struct pci_id_match id = {
        .vendor_id = (uint32_t)doctor_number(d, file, 0), .subvendor_id = PCI_MATCH_ANY, .subdevice_id = PCI_MATCH_ANY};

    snprintf(file, sizeof(file), PCI_DEVICES "%.64s/device", slot);
    id.device_id = (uint32_t)doctor_number(d, file, 0);
    pci_get_strings(&id, &device, &vendor, NULL, NULL);
    list_add(ctx, "%s %04x:%04x%s%.60s", slot, (unsigned)id.vendor_id, (unsigned)id.device_id, device ? " " : "",
             device ? device : "");
}

void probe_gpus(const struct doctor *d, struct finding *f)
{
    struct list gpus = {0};

    doctor_each(d, PCI_DEVICES, "", add_gpu, &gpus);
    doctor_say(f, DOCTOR_OK, NULL, "%s", gpus.count ? gpus.text : "none");
}

/* ---- nodes of DRM */

struct nodes {
    struct list good, bad;
};

static void add_node(const struct doctor *d, const char *name, void *ctx)
{
    struct nodes *n = ctx;
    char file[64];

    snprintf(file, sizeof(file), DRI "%.40s", name);
    list_add(doctor_access(d, file) ? &n->bad : &n->good, "%s", file);
}

void probe_render_nodes(const struct doctor *d, struct finding *f)
{
    struct nodes n = {0};

    doctor_each(d, DRI, "renderD", add_node, &n);
    if (n.good.count)
        doctor_say(f, DOCTOR_OK, NULL, "%s", n.good.text);
    else if (n.bad.count)
        doctor_say(f, DOCTOR_WARN, "become a member of group render", "%s cannot be opened", n.bad.text);
    else
        doctor_say(f, DOCTOR_OK, NULL, "none; viewers read pictures with the processor");
}

struct monitors {
    struct list usable, locked;
    unsigned cards;
};

/* Connectors are named cardN-NAME; cards, and writeback connectors, have no monitor. */
static void add_connector(const struct doctor *d, const char *name, void *ctx)
{
    struct monitors *m = ctx;
    const char *dash = strchr(name, '-');
    char file[160], status[32];

    m->cards += !dash;
    snprintf(file, sizeof(file), DRM_CLASS "%.64s/status", name);
    if (!dash || !strncmp(dash, "-Writeback", 10) || !doctor_line(d, file, status, sizeof(status)) ||
        strcmp(status, "connected") != 0)
        return;
    snprintf(file, sizeof(file), DRI "%.*s", (int)(dash - name), name);
    list_add(doctor_access(d, file) ? &m->locked : &m->usable, "%s of %.*s", dash + 1, (int)(dash - name), name);
}

static void find_monitors(const struct doctor *d, struct monitors *m)
{
    *m = (struct monitors){0};
    doctor_each(d, DRM_CLASS, "card", add_connector, m);
}

bool doctor_monitor(const struct doctor *d)
{
    struct monitors m;

    find_monitors(d, &m);
    return m.usable.count != 0;
}

void probe_monitors(const struct doctor *d, struct finding *f)
{
    struct monitors m;

    find_monitors(d, &m);
    if (m.usable.count)
        doctor_say(f, DOCTOR_OK, NULL, "%s", m.usable.text);
    else if (m.locked.count)
        doctor_say(f, DOCTOR_WARN, "become a member of group video, or run gtmux kms as root",
                   "%s, but the device cannot be opened", m.locked.text);
    else
        doctor_say(f, DOCTOR_WARN, "show guests with gtmux vnc or gtmux dbus, or plug a monitor in", "%s",
                   m.cards ? "a display device, but no connected monitor" : "no display device (/sys/class/drm)");
}

/* ---- udmabuf */

static long long parameter(const struct doctor *d, const char *name, long long kernels_own)
{
    char file[96];

    snprintf(file, sizeof(file), PARAMETERS "%s", name);
    return doctor_number(d, file, kernels_own);
}

static long long pieces(const struct doctor *d)
{
    return parameter(d, "list_limit", KERNEL_PIECES);
}

bool doctor_shares(const struct doctor *d, bool *large)
{
    *large = pieces(d) >= PIECES_1080P;
    return !doctor_access(d, UDMABUF);
}

void probe_udmabuf(const struct doctor *d, struct finding *f)
{
    int ret = doctor_access(d, UDMABUF);

    if (!ret)
        doctor_say(f, DOCTOR_OK, NULL, UDMABUF " can be opened");
    else if (ret == -ENOENT)
        doctor_say(f, DOCTOR_WARN,
                   "boot a kernel with CONFIG_UDMABUF, Linux 4.20 or later (Debian 13 has it, Debian 12 has not)",
                   "there is no " UDMABUF);
    else
        doctor_say(f, DOCTOR_WARN,
                   "become a member of its group (Debian 13: kvm), or give access by a udev rule such as "
                   "KERNEL==\"udmabuf\", GROUP=\"kvm\", MODE=\"0660\"",
                   UDMABUF ": %s", strerror(-ret));
}

void probe_udmabuf_list(const struct doctor *d, struct finding *f)
{
    const long long limit = pieces(d);

    if (doctor_access(d, UDMABUF) == -ENOENT) {
        doctor_say(f, DOCTOR_OK, NULL, "not looked for: no udmabuf");
        return;
    }
    if (limit >= UDMABUF_RUNS_WANTED)
        doctor_say(f, DOCTOR_OK, NULL, "%lld pieces in one dma-buf", limit);
    else
        doctor_say(f, DOCTOR_WARN,
                   "as root: echo 16384 > " PARAMETERS "list_limit, or boot with udmabuf.list_limit=16384",
                   "%lld pieces in one dma-buf: pictures that are more scattered are copied", limit);
}

void probe_udmabuf_size(const struct doctor *d, struct finding *f)
{
    const long long mb = parameter(d, "size_limit_mb", KERNEL_MB);

    if (doctor_access(d, UDMABUF) == -ENOENT) {
        doctor_say(f, DOCTOR_OK, NULL, "not looked for: no udmabuf");
        return;
    }
    if (mb >= WANTED_MB)
        doctor_say(f, DOCTOR_OK, NULL, "%lld MiB in one dma-buf", mb);
    else
        doctor_say(f, DOCTOR_WARN, "as root: echo 64 > " PARAMETERS "size_limit_mb",
                   "%lld MiB in one dma-buf: larger pictures are copied", mb);
}

/* ---- the table of docs/display.md, as it applies here */

void probe_path_frames(const struct doctor *d, struct finding *f)
{
    bool large;

    if (!doctor_shares(d, &large))
        doctor_say(f, DOCTOR_WARN, "see udmabuf above",
                   "copied once by gtmux-dm, and detiled: no dma-bufs can be made");
    else if (!large)
        doctor_say(f, DOCTOR_WARN, "see udmabuf-pieces above",
                   "shared while they lie in at most %lld pieces, else copied once by gtmux-dm", pieces(d));
    else
        doctor_say(f, DOCTOR_OK, NULL,
                   "shared, nothing is copied: guests with memory-backend-memfd,share=on and one plane on the screen");
}

void probe_path_kms(const struct doctor *d, struct finding *f)
{
    bool large;
    const bool shares = doctor_shares(d, &large);

    if (!doctor_monitor(d))
        doctor_say(f, DOCTOR_OK, NULL, "none: there is no monitor for gtmux kms");
    else if (!shares)
        doctor_say(f, DOCTOR_WARN, "see udmabuf above",
                   "copied into a dumb buffer, what has changed 30 times a second");
    else
        doctor_say(
            f, DOCTOR_OK, NULL,
            "scanned out from the guest's memory where the driver lists format and tiling, else detiled once a flip "
            "into a dumb buffer; flips are done for the guest when the monitor shows them");
}

void probe_path_xen(const struct doctor *d, struct finding *f)
{
    if (!doctor_is_xen(d))
        doctor_say(f, DOCTOR_OK, NULL, "none: no Xen");
    else if (doctor_access(d, XEN_EXPORT_DEVICE))
        doctor_say(f, DOCTOR_WARN, "load the module gtmux_xen_export: docs/xen.md",
                   "copied once by gtmux-dm, and detiled: there is no " XEN_EXPORT_DEVICE);
    else
        doctor_say(f, DOCTOR_OK, NULL, "shared, nothing is copied: guests with one plane on the screen");
}
