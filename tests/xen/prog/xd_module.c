/*
 * In dom0: asks /dev/gtmux-xen-export for what it must not give, and for what it must.
 *
 * usage: xd_module DOMID DIR     (of a guest with memory at 1 MiB; the directory of display/kmod/test's importer)
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "display/kmod/gtmux_xen_export.h"
#include "display/xen_export.h"
#include "vgpu/base/bits.h"

#define PAGE       4096u
#define GFN        0x100u              /* 1 MiB */
#define NO_GFN     (UINT64_C(1) << 38) /* no domain has memory there */
#define GFN_END    (UINT64_C(1) << 40) /* a gfn has 40 bits */
#define PARAMETERS "/sys/module/gtmux_xen_export/parameters/"

static unsigned passed, failed;

static void result(bool ok, const char *fmt, ...)
{
    va_list ap;

    printf("%s ", ok ? "ok  " : "FAIL");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
    *(ok ? &passed : &failed) += 1;
}

/* What a call that must fail says. */
static void expect(int ret, int error, const char *what)
{
    int code = ret < 0 ? errno : 0;

    result(code == error, "%s: %s%s%s", what, strerror(code), code == error ? "" : " instead of ",
           code == error ? "" : strerror(error));
}

static int open_device(void)
{
    int fd = open(XEN_EXPORT_DEVICE, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        perror(XEN_EXPORT_DEVICE);
        exit(1);
    }
    return fd;
}

static int bind_to(int fd, uint32_t domid)
{
    struct gtmux_xen_bind bind = {.domid = domid};

    return ioctl(fd, GTMUX_XEN_BIND, &bind);
}

static int open_bound(uint32_t domid)
{
    int fd = open_device();

    if (bind_to(fd, domid)) {
        perror("bind");
        exit(1);
    }
    return fd;
}

static int create(int fd, const struct gtmux_xen_run *runs, uint32_t count)
{
    struct gtmux_xen_create c = {.flags = GTMUX_XEN_CLOEXEC, .count = count, .runs = (uintptr_t)runs};

    return ioctl(fd, GTMUX_XEN_CREATE, &c);
}

static int create_one(int fd, uint64_t gfn, uint32_t pages)
{
    const struct gtmux_xen_run run = {gfn, pages, 0};

    return create(fd, &run, 1);
}

static void set_parameter(const char *name, unsigned value)
{
    char path[128];

    snprintf(path, sizeof(path), PARAMETERS "%s", name);
    FILE *f = fopen(path, "we");

    if (!f || fprintf(f, "%u", value) < 0 || fclose(f))
        result(false, "write %s", path);
}

/* ---- who may export what */

static void binding(uint32_t domid)
{
    static const uint32_t none[] = {0, 0x7ff0, 0x7ff1, 0x7ff2, 0x7ff4, 0x8000, 0x10001, UINT32_MAX};
    struct gtmux_xen_bind flags = {domid, 1};
    int fd = open_device();

    expect(create_one(fd, GFN, 1), ENOTCONN, "a file that is not bound exports nothing");
    for (size_t i = 0; i < GT_ARRAY_SIZE(none); i++) {
        char what[48];

        snprintf(what, sizeof(what), "domain %#x is none", none[i]);
        expect(bind_to(fd, none[i]), EINVAL, what);
    }
    expect(ioctl(fd, GTMUX_XEN_BIND, &flags), EINVAL, "flags that nobody knows");
    expect(ioctl(fd, GTMUX_XEN_BIND, (void *)8), EFAULT, "no memory to read the domain from");
    expect(ioctl(fd, _IO(GTMUX_XEN_EXPORT_MAGIC, 3)), ENOTTY, "a command that nobody knows");
    expect(bind_to(fd, domid), 0, "the guest");
    expect(bind_to(fd, domid), EBUSY, "the guest again");
    expect(bind_to(fd, domid + 1), EBUSY, "another guest");
    close(fd);
}

/* A process that was given the file but no rights: it cannot choose a guest, but has the one that was chosen. */
static void without_rights(uint32_t domid)
{
    int unbound = open_device(), bound = open_bound(domid), status = -1;

    fflush(stdout);
    pid_t pid = fork();

    if (!pid) {
        unsigned before = failed;

        if (setresgid(990, 990, 990) || setresuid(990, 990, 990))
            _exit(2);
        expect(bind_to(unbound, domid), EPERM, "without rights no guest can be chosen");
        expect(bind_to(bound, domid + 1), EPERM, "nor changed");
        expect(open(XEN_EXPORT_DEVICE, O_RDWR), EACCES, "nor the device opened");
        expect(create_one(bound, GFN, 1) < 0 ? -1 : 0, 0, "but the one that root chose is there");
        _exit(failed != before);
    }
    waitpid(pid, &status, 0);
    result(!status, "a process without rights");
    close(unbound);
    close(bound);
}

static void no_such_domain(void)
{
    int fd = open_bound(32000);

    expect(create_one(fd, GFN, 1), ESRCH, "frames of a domain that is not there");
    close(fd);
}

/* ---- hostile lists */

static void lists(uint32_t domid)
{
    static const struct {
        const char *name;
        struct gtmux_xen_run run[3];
        uint32_t count;
        int error;
    } rows[] = {
        {"no runs", {{GFN, 1, 0}}, 0, EINVAL},
        {"a run without pages", {{GFN, 0, 0}}, 1, EINVAL},
        {"a reserved word that is not 0", {{GFN, 1, 1}}, 1, EINVAL},
        {"a gfn of 41 bits", {{GFN_END, 1, 0}}, 1, EINVAL},
        {"a run that ends beyond 40 bits", {{GFN_END - 1, 2, 0}}, 1, EINVAL},
        {"a run that wraps", {{UINT64_MAX, 2, 0}}, 1, EINVAL},
        {"the last gfn", {{GFN_END - 1, 1, 0}}, 1, EFAULT},
        {"a gfn where there is no memory", {{NO_GFN, 1, 0}}, 1, EFAULT},
        {"a hole behind memory", {{GFN, 64, 0}, {NO_GFN, 1, 0}, {GFN, 1, 0}}, 3, EFAULT},
        {"more pages than a domain has", {{0, UINT32_MAX, 0}}, 1, E2BIG},
        {"runs whose sum is too large", {{GFN, 32768, 0}, {GFN, 1, 0}}, 2, E2BIG},
        {"runs whose sum wraps", {{GFN, 1, 0}, {GFN, UINT32_MAX, 0}, {GFN, UINT32_MAX, 0}}, 3, E2BIG},
        {"more runs than pages", {{GFN, 1, 0}}, 32769, E2BIG},
        {"more runs than memory", {{GFN, 1, 0}}, UINT32_MAX, E2BIG},
    };
    struct gtmux_xen_create c = {.flags = 2, .count = 1, .runs = (uintptr_t)rows[0].run};
    int fd = open_bound(domid);

    for (size_t i = 0; i < GT_ARRAY_SIZE(rows); i++)
        expect(create(fd, rows[i].run, rows[i].count), rows[i].error, rows[i].name);
    expect(ioctl(fd, GTMUX_XEN_CREATE, &c), EINVAL, "flags of a dma-buf that nobody knows");
    expect(create(fd, (void *)8, 1), EFAULT, "a list that is not there");
    expect(create(fd, (void *)(UINT64_MAX - 7), 1), EFAULT, "a list in the kernel");
    expect(ioctl(fd, GTMUX_XEN_CREATE, (void *)8), EFAULT, "no memory to read the command from");
    close(fd);
}

static void limits(uint32_t domid)
{
    const struct rlimit few = {8, 1024}, many = {1024, 1024};
    int fd = open_bound(domid), other = open_bound(domid);

    set_parameter("total_mb", 1);
    int first = create_one(fd, GFN, 200);

    expect(first < 0 ? -1 : 0, 0, "200 pages of 256");
    expect(create_one(fd, GFN, 57), ENOSPC, "57 more");
    int second = create_one(other, GFN, 57);

    expect(second < 0 ? -1 : 0, 0, "which another file has");
    close(first);
    close(second);
    first = create_one(fd, GFN, 256);
    expect(first < 0 ? -1 : 0, 0, "256 pages, once the others are gone");
    close(fd); /* the dma-buf outlives it */
    close(first);
    set_parameter("total_mb", 1024);
    setrlimit(RLIMIT_NOFILE, &few);
    while ((fd = dup(other)) >= 0)
        ;
    expect(create_one(other, GFN, 16), EMFILE, "no descriptor is left");
    setrlimit(RLIMIT_NOFILE, &many);
    for (fd = other + 1; fd < 8; fd++)
        close(fd);
    close(other);
}

/* ---- what the dma-buf is */

static bool same_pages(const uint8_t *p, unsigned a, unsigned b)
{
    return !memcmp(p + a * PAGE, p + b * PAGE, PAGE);
}

static bool pinnable(const uint8_t *p)
{
    uint8_t byte;
    struct iovec ours = {&byte, 1}, theirs = {(void *)(uintptr_t)p, 1};

    return process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0) == 1;
}

/* A child has no such mapping. */
static bool inherited(const volatile uint8_t *p)
{
    int status = 0;

    fflush(stdout);
    pid_t pid = fork();

    if (!pid)
        _exit(p[0] & 0);
    waitpid(pid, &status, 0);
    return !WIFSIGNALED(status);
}

static void mappings(uint32_t domid)
{
    static const struct gtmux_xen_run twice[] = {{GFN, 2, 0}, {GFN + 1, 1, 0}, {GFN, 1, 0}};
    int device = open_bound(domid), fd = create(device, twice, 3);

    close(device);
    result(fd >= 0 && lseek(fd, 0, SEEK_END) == 4 * PAGE,
           "a dma-buf of frames that occur twice, after its file is closed");
    uint8_t *all = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const uint8_t *last = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 3 * PAGE);

    result(all != MAP_FAILED && same_pages(all, 0, 3) && same_pages(all, 1, 2), "all of it can be mapped");
    result(last != MAP_FAILED && !memcmp(last, all, PAGE), "and a part");
    result(mmap(NULL, 5 * PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED, "and not more");
    result(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 4 * PAGE) == MAP_FAILED, "nor what is behind it");
    result(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED, "nor privately");
    expect(mprotect(all, PAGE, PROT_READ), EACCES, "its access stays");
    result(!pinnable(all), "the pages cannot be pinned");
    result(!inherited(all), "nor inherited");
    close(fd);
    result(same_pages(all, 0, 3), "the mapping holds it");
    munmap(all, 2 * PAGE);
    munmap(all + 2 * PAGE, 2 * PAGE);
    munmap((void *)(uintptr_t)last, PAGE);
}

/* ---- what an importer is given */

/* The bytes that the importer's device gets; 0 with errno: none. The file is the import. */
static uint64_t import(const char *dir, const char *name, int fd, int *file)
{
    unsigned long long address, length;
    char path[128], line[64];
    uint64_t sum = 0;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    *file = open(path, O_RDWR | O_CLOEXEC);
    if (*file < 0 || dprintf(*file, "%d\n", fd) < 0)
        return 0;
    FILE *f = fdopen(dup(*file), "re");

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%llx %llx", &address, &length) == 2 && address % PAGE == 0)
            sum += length;
    if (f)
        fclose(f);
    return sum;
}

static void importers(uint32_t domid, const char *dir)
{
    static const struct gtmux_xen_run runs[] = {{GFN, 60, 0}, {GFN + 70, 5, 0}, {GFN, 3, 0}};
    int device = open_bound(domid), fd = create(device, runs, 3), file, narrow;
    uint64_t bytes = import(dir, "list", fd, &file);

    result(bytes == 68 * PAGE, "a device is given %llu bytes of 68 pages", (unsigned long long)bytes);
    close(fd);
    close(device);
    close(file); /* the last to hold it */
    fd = create_one(device = open_bound(domid), GFN, 4);
    bytes = import(dir, "list-24bit", fd, &narrow);
    result(!bytes && narrow >= 0 && errno == ERANGE, "a device that reaches 16 MiB is refused: %s", strerror(errno));
    close(narrow);
    close(fd);
    close(device);
}

/* ---- many at once */

#define ROUNDS 25

static void *create_and_close(void *arg)
{
    const int device = *(const int *)arg;
    uintptr_t bad = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        int fd = create_one(device, GFN + i, 1 + i % 70);

        bad += fd < 0;
        close(fd);
    }
    return (void *)bad;
}

static void threads(uint32_t domid)
{
    int device = open_bound(domid);
    pthread_t thread[4];
    uintptr_t bad = 0;
    void *each;

    for (size_t i = 0; i < GT_ARRAY_SIZE(thread); i++)
        pthread_create(&thread[i], NULL, create_and_close, &device);
    for (size_t i = 0; i < GT_ARRAY_SIZE(thread); i++) {
        pthread_join(thread[i], &each);
        bad += (uintptr_t)each;
    }
    result(!bad, "4 threads make %u dma-bufs of one file", 4 * ROUNDS);
    close(device);
}

int main(int argc, char **argv)
{
    const uint32_t domid = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;

    if (!domid || argc < 3) {
        fprintf(stderr, "usage: xd_module DOMID DIR\n");
        return 2;
    }
    binding(domid);
    without_rights(domid);
    no_such_domain();
    lists(domid);
    limits(domid);
    mappings(domid);
    importers(domid, argv[2]);
    threads(domid);
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
