#include "display/udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE     "/dev/udmabuf"
#define PARAMETERS "/sys/module/udmabuf/parameters/"
/* drivers/dma-buf/udmabuf.c: what they are unless somebody said otherwise. */
#define DEFAULT_LIST_LIMIT    1024u
#define DEFAULT_SIZE_LIMIT_MB 64u
#define SIZE_WANTED_MB        64u

static uint32_t read_parameter(const char *name, uint32_t fallback)
{
    char path[128];
    unsigned value;

    snprintf(path, sizeof(path), PARAMETERS "%s", name);
    FILE *f = fopen(path, "re");

    if (!f)
        return fallback;
    if (fscanf(f, "%u", &value) != 1)
        value = fallback;
    fclose(f);
    return value;
}

static void check_limits(const struct udmabuf *u, char *msg, size_t msgsz)
{
    msg[0] = '\0';
    if (u->list_limit < UDMABUF_RUNS_WANTED)
        snprintf(msg, msgsz,
                 "udmabuf takes only %u pieces of memory: larger pictures are copied. As root: echo %u > " PARAMETERS
                 "list_limit, or boot with udmabuf.list_limit=%u",
                 u->list_limit, UDMABUF_RUNS_WANTED, UDMABUF_RUNS_WANTED);
    else if (u->size_limit >> 20 < SIZE_WANTED_MB)
        snprintf(msg, msgsz,
                 "udmabuf takes only %u MiB: larger pictures are copied. As root: echo %u > " PARAMETERS
                 "size_limit_mb",
                 (unsigned)(u->size_limit >> 20), SIZE_WANTED_MB);
}

int udmabuf_open(struct udmabuf *u, char *msg, size_t msgsz)
{
    *u = (struct udmabuf){.fd = open(DEVICE, O_RDWR | O_CLOEXEC)};
    if (u->fd < 0) {
        int error = errno;

        snprintf(msg, msgsz, "pictures are copied for viewers, because %s cannot be opened (%s): %s", DEVICE,
                 strerror(error),
                 error == ENOENT ? "this kernel lacks CONFIG_UDMABUF"
                                 : "give the user of gtmux-dm the right to, by the group kvm or a udev rule");
        return -error;
    }
    u->list_limit = read_parameter("list_limit", DEFAULT_LIST_LIMIT);
    u->size_limit = (uint64_t)read_parameter("size_limit_mb", DEFAULT_SIZE_LIMIT_MB) << 20;
    check_limits(u, msg, msgsz);
    return 0;
}

void udmabuf_close(struct udmabuf *u)
{
    if (u->fd >= 0)
        close(u->fd);
    u->fd = -1;
}

static int check_runs(const struct udmabuf *u, const struct display_run *runs, size_t n)
{
    uint64_t size = 0;

    if (u->fd < 0)
        return -ENODEV;
    if (!n)
        return -EINVAL;
    if (n > u->list_limit)
        return -E2BIG;
    for (size_t i = 0; i < n; i++) {
        if (runs[i].len > u->size_limit - size)
            return -E2BIG;
        size += runs[i].len;
    }
    return 0;
}

int udmabuf_create(const struct udmabuf *u, const struct display_run *runs, size_t n)
{
    int ret = check_runs(u, runs, n);

    if (ret)
        return ret;
    struct udmabuf_create_list *list = calloc(1, sizeof(*list) + n * sizeof(list->list[0]));

    if (!list)
        return -ENOMEM;
    list->flags = UDMABUF_FLAGS_CLOEXEC;
    list->count = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        list->list[i] =
            (struct udmabuf_create_item){.memfd = (uint32_t)runs[i].fd, .offset = runs[i].off, .size = runs[i].len};
    ret = ioctl(u->fd, UDMABUF_CREATE_LIST, list);
    if (ret < 0)
        ret = -errno;
    free(list);
    return ret;
}
