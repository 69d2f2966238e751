#include "mediator/exec_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpu/base/bits.h"

#define PCI      "sys/devices/pci0000:00/0000:00:02.0"
#define UP_TO    "../../../"
#define CONFIG   "config" /* binary */
#define MODE_DIR 0755

/* In order: folders before what is in them. text NULL: a folder; link: text is where it points. */
static const struct file {
    const char *path, *text;
    bool link;
} files[] = {
    {"dev", NULL, false},
    {"dev/dri", NULL, false},
    {"dev/dri/card0", "", false},
    {"dev/dri/renderD128", "", false},
    {"sys", NULL, false},
    {"sys/bus", NULL, false},
    {"sys/bus/pci", NULL, false},
    {"sys/bus/pci/devices", NULL, false},
    {"sys/bus/pci/drivers", NULL, false},
    {"sys/bus/pci/drivers/i915", NULL, false},
    {"sys/bus/pci/devices/0000:00:02.0", UP_TO "devices/pci0000:00/0000:00:02.0", true},
    {"sys/class", NULL, false},
    {"sys/class/drm", NULL, false},
    {"sys/class/drm/version", "drm 1.1.0 20060810\n", false},
    {"sys/class/drm/card0", "../../devices/pci0000:00/0000:00:02.0/drm/card0", true},
    {"sys/class/drm/renderD128", "../../devices/pci0000:00/0000:00:02.0/drm/renderD128", true},
    {"sys/dev", NULL, false},
    {"sys/dev/char", NULL, false},
    {"sys/dev/char/226:0", "../../devices/pci0000:00/0000:00:02.0/drm/card0", true},
    {"sys/dev/char/226:128", "../../devices/pci0000:00/0000:00:02.0/drm/renderD128", true},
    {"sys/devices", NULL, false},
    {"sys/devices/pci0000:00", NULL, false},
    {PCI, NULL, false},
    {PCI "/vendor", "0x8086\n", false},
    {PCI "/device", "0x1912\n", false},
    {PCI "/subsystem_vendor", "0x8086\n", false},
    {PCI "/subsystem_device", "0x1912\n", false},
    {PCI "/revision", "0x06\n", false},
    {PCI "/class", "0x030000\n", false},
    {PCI "/boot_vga", "1\n", false},
    {PCI "/" CONFIG, "", false},
    {PCI "/uevent",
     "DRIVER=i915\nPCI_CLASS=30000\nPCI_ID=8086:1912\nPCI_SUBSYS_ID=8086:1912\nPCI_SLOT_NAME=0000:00:02.0\n"
     "MODALIAS=pci:v00008086d00001912sv00008086sd00001912bc03sc00i00\n",
     false},
    {PCI "/subsystem", UP_TO "bus/pci", true},
    {PCI "/driver", UP_TO "bus/pci/drivers/i915", true},
    {PCI "/drm", NULL, false},
    {PCI "/drm/card0", NULL, false},
    {PCI "/drm/card0/dev", "226:0\n", false},
    {PCI "/drm/card0/uevent", "MAJOR=226\nMINOR=0\nDEVNAME=dri/card0\nDEVTYPE=drm_minor\n", false},
    {PCI "/drm/card0/device", UP_TO "0000:00:02.0", true},
    {PCI "/drm/card0/subsystem", UP_TO "../../class/drm", true},
    {PCI "/drm/renderD128", NULL, false},
    {PCI "/drm/renderD128/dev", "226:128\n", false},
    {PCI "/drm/renderD128/uevent", "MAJOR=226\nMINOR=128\nDEVNAME=dri/renderD128\nDEVTYPE=drm_minor\n", false},
    {PCI "/drm/renderD128/device", UP_TO "0000:00:02.0", true},
    {PCI "/drm/renderD128/subsystem", UP_TO "../../class/drm", true},
};

/* PCI configuration space: vendor, device, command, status; revision and class; header; subsystem. */
static const uint8_t config[64] = {
    [0] = 0x86,  [1] = 0x80,  [2] = 0x12,  [3] = 0x19,  [4] = 0x07,  [8] = 0x06,
    [11] = 0x03, [44] = 0x86, [45] = 0x80, [46] = 0x12, [47] = 0x19,
};

static int write_file(int dir, const char *path, const void *data, size_t n)
{
    int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), rc = 0;

    if (fd < 0)
        return -errno;
    if (write(fd, data, n) != (ssize_t)n)
        rc = -EIO;
    close(fd);
    return rc;
}

static int make_one(int dir, const struct file *f)
{
    size_t n = strlen(f->path), c = strlen("/" CONFIG);

    if (!f->text)
        return mkdirat(dir, f->path, MODE_DIR) ? -errno : 0;
    if (f->link)
        return symlinkat(f->text, dir, f->path) ? -errno : 0;
    if (n > c && !strcmp(f->path + n - c, "/" CONFIG))
        return write_file(dir, f->path, config, sizeof(config));
    return write_file(dir, f->path, f->text, strlen(f->text));
}

int exec_tree_make(char *root, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    int n = snprintf(root, size, "%s/gtmux-exec-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp"), dir, rc = 0;

    if (n < 0 || (size_t)n >= size)
        return -ENAMETOOLONG;
    if (!mkdtemp(root))
        return -errno;
    dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        rc = -errno;
    for (size_t i = 0; i < GT_ARRAY_SIZE(files) && !rc; i++)
        rc = make_one(dir, &files[i]);
    if (dir >= 0)
        close(dir);
    if (rc)
        exec_tree_remove(root);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

void exec_tree_remove(const char *root)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
