/*
 * Round trips of trapped accesses in an HVM guest: to the vGPU (gtmux-dm) and to the Xen platform device (QEMU), in
 * blocks that take turns, so that both meet the same weather. Prints a line a series:
 *   RTT NAME COUNT min US p50 US p90 US mean US
 * The kernel needs iomem=relaxed: both devices have drivers.
 *
 * usage: xt_rtt [rounds [block]]
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gt.h"

#define DEVICES "/sys/bus/pci/devices"
/* SO_PRIM_STORAGE_NEEDED: keeps what is written, and nothing without 3D commands touches it. */
#define OUR_REGISTER 0x5240
/* The platform device's memory (hw/i386/xen/xen_platform.c): QEMU reads 0 and drops writes. Far from its start, where
 * Linux has its grant table. */
#define QEMU_MMIO 0x800000
/* Of its ports: no register here, QEMU reads ones. */
#define QEMU_PORT 0x20

enum { OUR_READ, OUR_WRITE, QEMU_READ, QEMU_WRITE, QEMU_PIO, SERIES };
static const char *const series_name[SERIES] = {"our-read", "our-write", "qemu-read", "qemu-write", "qemu-pio"};

struct bench {
    volatile uint32_t *ours, *qemu;
    uint16_t port;
    double *us[SERIES];
    unsigned count, wrong;
};

static bool read_hex(const char *device, const char *name, unsigned long *value)
{
    char path[320];

    snprintf(path, sizeof(path), DEVICES "/%s/%s", device, name);
    FILE *f = fopen(path, "r");
    bool ok = f && fscanf(f, "%lx", value) == 1;

    if (f)
        fclose(f);
    return ok;
}

static bool find_device(unsigned long vendor, unsigned long id, char *name, size_t size)
{
    DIR *d = opendir(DEVICES);
    bool found = false;

    for (struct dirent *e; d && !found && (e = readdir(d));) {
        unsigned long v, i;
        found = read_hex(e->d_name, "vendor", &v) && v == vendor && read_hex(e->d_name, "device", &i) && i == id;
        if (found)
            snprintf(name, size, "%s", e->d_name);
    }
    if (d)
        closedir(d);
    return found;
}

static volatile uint32_t *map_bar(const char *device, unsigned bar, off_t off)
{
    char path[320];

    snprintf(path, sizeof(path), DEVICES "/%s/resource%u", device, bar);
    int fd = open(path, O_RDWR | O_SYNC | O_CLOEXEC);
    char *page = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, off & ~4095l);

    if (fd >= 0)
        close(fd);
    return page == MAP_FAILED ? NULL : (volatile uint32_t *)(page + (off & 4095));
}

static bool find_all(struct bench *b)
{
    char ours[256] = "no vGPU", platform[256] = "no platform device";
    unsigned long port;
    bool ok =
        find_device(0x8086, 0x1912, ours, sizeof(ours)) && find_device(0x5853, 0x0001, platform, sizeof(platform));

    if (!gt_check(ok, "devices", "%s, %s", ours, platform))
        return false;
    b->ours = map_bar(ours, 0, OUR_REGISTER);
    b->qemu = map_bar(platform, 1, QEMU_MMIO);
    ok = read_hex(platform, "resource", &port) && !iopl(3); /* its first line is of BAR0 */
    b->port = (uint16_t)(port + QEMU_PORT);
    return gt_check(ok && b->ours && b->qemu, "mappings", "port %#x", b->port);
}

static uint32_t touch(struct bench *b, unsigned series, uint32_t value)
{
    volatile uint32_t *mmio = series < QEMU_READ ? b->ours : b->qemu;

    if (series == QEMU_PIO)
        return inl(b->port);
    if (series == OUR_READ || series == QEMU_READ)
        return *mmio;
    *mmio = value;
    return 0;
}

/* One access, in us. What a read gives is checked outside of the measured time. */
static double access_once(struct bench *b, unsigned series)
{
    uint32_t value = b->count * 4;
    double start = gt_now();
    uint32_t got = touch(b, series, value);
    double us = (gt_now() - start) * 1e6;

    if (series == OUR_WRITE)
        b->wrong += *b->ours != value;
    else if (series == QEMU_READ)
        b->wrong += got != 0;
    else if (series == QEMU_PIO)
        b->wrong += got != UINT32_MAX;
    return us;
}

static void run(struct bench *b, unsigned rounds, unsigned block)
{
    for (unsigned r = 0; r < rounds; r++) {
        unsigned start = b->count;

        for (unsigned s = 0; s < SERIES; s++) {
            b->count = start;
            for (unsigned i = 0; i < block; i++, b->count++)
                b->us[s][b->count] = access_once(b, s);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void report(const char *name, double *us, unsigned n)
{
    double sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += us[i];
    qsort(us, n, sizeof(*us), by_value);
    printf("RTT %s %u min %.1f p50 %.1f p90 %.1f mean %.1f\n", name, n, us[0], us[n / 2], us[n / 10 * 9], sum / n);
    gt_check(us[0] > 0, name, "%.1f us at least", us[0]);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 20, block = argc > 2 ? (unsigned)atoi(argv[2]) : 25;
    struct bench b = {.wrong = 0};

    if (!rounds || !block || rounds > 10000 || block > 10000) {
        fprintf(stderr, "usage: xt_rtt [rounds [block]]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned s = 0; s < SERIES; s++)
        b.us[s] = calloc((size_t)rounds * block, sizeof(double));
    if (!find_all(&b))
        return gt_done();
    run(&b, 1, 5); /* caches, and the translator below */
    b.count = 0;
    run(&b, rounds, block);
    for (unsigned s = 0; s < SERIES; s++)
        report(series_name[s], b.us[s], b.count);
    gt_check(!b.wrong, "results", "%u of %u are wrong", b.wrong, SERIES * b.count);
    return gt_done();
}
