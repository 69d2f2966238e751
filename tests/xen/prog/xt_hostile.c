/*
 * A guest that means harm, on the bare device (gt.noi915). The device must survive it: a register that keeps its value
 * still does at the end. What the accesses did in between does not matter.
 *
 * usage: xt_hostile regs [ROUNDS]  all processors at once: accesses of all sizes, misaligned, string and locked, among
 *                                  them submissions of random contexts
 *        xt_hostile bars [ROUNDS]  moves the BARs, also over RAM and over another device, while the others use them
 *        xt_hostile gone           GTT, rings and screen in pages that the guest has given back to Xen, never had, or
 *                                  that are the device itself. Needs /dev/xen/privcmd.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gt.h"

#define DEVICE   "/sys/bus/pci/devices/0000:00:02.0/"
#define BAR_SIZE (16u << 20)
#define GTT      (8u << 20)
#define PAGE     4096u
#define THREADS  8
/* SO_PRIM_STORAGE_NEEDED: keeps what is written, and only 3D commands touch it. */
#define KEEPS 0x5240

/* Registers behind which there is work, by i915's names: ELSP, HWS_PGA, RING_MODE and context status of the engines,
 * GDRST, interrupts, planes, cursor, GMBUS, AUX, fences, PVINFO's notifications. */
static const uint32_t hot[] = {
    0x2230,  0x22230, 0x12230, 0x1a230, 0x2080,  0x22080, 0x229c,  0x2370,   0x2034,   0x2030,   0x2038,  0x203c,
    0x941c,  0x44200, 0x44304, 0x44404, 0x4440c, 0x70008, 0x70180, 0x7019c,  0x71080,  0x71084,  0xc5100, 0xc5104,
    0xc510c, 0x64010, 0x64014, 0x64110, 0x78828, 0x7882c, 0x78838, 0x100000, 0x100008, 0x145014, 0x20d8,  0x4f100,
};

static volatile uint8_t *bar;
static atomic_bool stop;
static unsigned rounds;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13; /* xorshift64, Marsaglia 2003 */
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int open_device(const char *name, int flags)
{
    char path[96];

    snprintf(path, sizeof(path), DEVICE "%s", name);
    return open(path, flags);
}

static bool device_map(void)
{
    int enable = open_device("enable", O_WRONLY), fd = open_device("resource0", O_RDWR);
    bool ok = enable >= 0 && write(enable, "1", 1) == 1 && fd >= 0;

    bar = ok ? mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    return gt_check(bar != MAP_FAILED, "device", "BAR0 mapped: %s", strerror(bar == MAP_FAILED ? errno : 0));
}

static uint32_t read32(uint32_t off)
{
    return *(volatile uint32_t *)(bar + off);
}

static void write32(uint32_t off, uint32_t value)
{
    *(volatile uint32_t *)(bar + off) = value;
}

static void alive(const char *when)
{
    static const uint32_t values[] = {0xa5a50001, 0x5a5afffe, 0};
    unsigned good = 0;

    for (unsigned i = 0; i < 3; i++) {
        write32(KEEPS, values[i]);
        good += read32(KEEPS) == values[i];
    }
    gt_check(good == 3, when, "%u of 3 values kept", good);
}

static void poke(volatile uint8_t *at, uint64_t value, unsigned how)
{
    uint8_t buffer[64];

    switch (how % 9) {
    case 0:
        *at = (uint8_t)value;
        break;
    case 1:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    case 2:
        *(volatile uint32_t *)at = (uint32_t)value;
        break;
    case 3:
        *(volatile uint64_t *)at = value;
        break;
    case 4:
        (void)*(volatile uint64_t *)at;
        break;
    case 5:
        (void)*(volatile uint16_t *)at;
        break;
    case 6:
        __atomic_fetch_or((volatile uint32_t *)at, (uint32_t)value, __ATOMIC_SEQ_CST);
        break;
    case 7: { /* string instructions: one ioreq for many accesses, with a guest address for the data */
        void *to = buffer;
        const volatile void *from = at;
        size_t n = sizeof(buffer) / 4;
        __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
        break;
    }
    default: {
        volatile void *to = at;
        size_t n = value % 16;
        __asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"((uint32_t)value) : "memory");
    }
    }
}

static void *hammer(void *arg)
{
    uint64_t state = 0x9e3779b97f4a7c15u * ((uintptr_t)arg + 1);
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((uintptr_t)arg, &set);
    sched_setaffinity(0, sizeof(set), &set);
    for (unsigned i = 0; i < rounds && !stop; i++) {
        uint64_t r = random_next(&state);
        uint32_t off = r & 3 ? hot[(r >> 8) % (sizeof(hot) / sizeof(*hot))] : (uint32_t)(r >> 8) % (BAR_SIZE - 128);
        unsigned how = (unsigned)(r >> 40);
        /* Misaligned now and then. A locked access that crosses a line would only upset this processor. */
        if (!(r >> 32 & 15) && how % 9 != 6)
            off += r >> 36 & 7;
        else
            off &= ~7u | (off & 4);
        poke(bar + off, random_next(&state), how);
    }
    return NULL;
}

/* One hammer on each processor from the first-th on. Returns how many. */
static unsigned hammers(pthread_t *threads, unsigned first)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned started = 0;

    for (unsigned i = first; i < (unsigned)n && i < THREADS; i++)
        started += !pthread_create(&threads[started], NULL, hammer, (void *)(uintptr_t)i);
    return started;
}

static void regs(void)
{
    pthread_t threads[THREADS];
    unsigned n = hammers(threads, 0);

    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    gt_check(n > 0, "hammer", "%u processors, %u accesses each", n, rounds);
    alive("alive-after-registers");
}

/* The BAR0 that xl gave, another place in the PCI hole, RAM, and the hole's first device. */
static void bars(void)
{
    pthread_t threads[THREADS];
    uint32_t home, other[] = {0xf8000004, 0x01000004, 0xf1000004, 0xfffffff4, 0x00000004};
    int fd = open_device("config", O_RDWR);
    unsigned moves = rounds / 20, good = 0;

    if (!gt_check(fd >= 0 && pread(fd, &home, 4, 0x10) == 4, "config", "%s", strerror(errno)))
        return;
    unsigned n = hammers(threads, 1); /* the first processor moves */
    for (unsigned i = 0; i < moves; i++) {
        uint16_t command = i & 1 ? 7 : 0; /* with decoding off while it moves, and without */
        good += pwrite(fd, &command, 2, 4) == 2;
        pwrite(fd, &other[i % 5], 4, 0x10);
        pwrite(fd, &(uint16_t){7}, 2, 4);
        (void)read32(KEEPS);
        pwrite(fd, &home, 4, 0x10);
    }
    stop = true;
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    gt_check(good == moves, "moves", "%u of BAR0, %u processors used it", moves, n);
    pwrite(fd, &home, 4, 0x10);
    pwrite(fd, &(uint16_t){7}, 2, 4);
    alive("alive-after-moves");
    close(fd);
}

/* Xen's public memory.h and Linux' xen/privcmd.h. */
#define HYPERVISOR_MEMORY_OP 12
#define DECREASE_RESERVATION 1
#define POPULATE_PHYSMAP     6
#define DOMID_SELF           0x7ff0
struct reservation {
    uint64_t *frames;
    uint64_t count;
    uint32_t order, flags;
    uint16_t domid;
};
struct hypercall {
    uint64_t op, arg[5];
};
#define PRIVCMD_HYPERCALL _IOC(_IOC_NONE, 'P', 0, sizeof(struct hypercall))

enum { GONE = 8 };

/* How many of the frames Xen took or gave; -1: no hypercall. */
static int memory_op(int command, uint64_t *frames)
{
    struct reservation r = {.frames = frames, .count = GONE, .domid = DOMID_SELF};
    struct hypercall call = {.op = HYPERVISOR_MEMORY_OP, .arg = {(uint64_t)command, (uintptr_t)&r}};
    int fd = open("/dev/xen/privcmd", O_RDWR);
    int rc = fd >= 0 ? ioctl(fd, PRIVCMD_HYPERCALL, &call) : -1;

    if (fd >= 0)
        close(fd);
    return rc;
}

static bool frames_of(void *memory, uint64_t *frames)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    off_t at = (off_t)((uintptr_t)memory / PAGE * 8);
    bool ok = fd >= 0 && pread(fd, frames, GONE * 8, at) == GONE * 8;

    if (fd >= 0)
        close(fd);
    for (int i = 0; i < GONE; i++)
        frames[i] &= (UINT64_C(1) << 55) - 1;
    return ok && frames[0];
}

/* Everything that makes the device look into memory, all in pages of the list. */
static void point_at(const uint64_t *frames, unsigned n)
{
    static const uint32_t engines[] = {0x2000, 0x22000, 0x12000, 0x1a000};
    enum { FIRST = 0x100 }; /* GTT entry */

    for (unsigned i = 0; i < 64; i++) {
        uint64_t entry = frames[i % n] << 12 | 1;
        write32(GTT + (FIRST + i) * 8, (uint32_t)entry);
        write32(GTT + (FIRST + i) * 8 + 4, (uint32_t)(entry >> 32));
    }
    for (unsigned e = 0; e < 4; e++) {
        write32(engines[e] + 0x80, (FIRST + e) * PAGE); /* HWS_PGA */
        write32(engines[e] + 0x29c, 0x80008000);        /* execlists on */
        for (unsigned i = 0; i < 4; i++)                /* ELSP: two descriptors, valid, with PPGTT */
            write32(engines[e] + 0x230, i & 1 ? (FIRST + 8 + 2 * e) * PAGE | 0x129 : e + 1);
    }
    write32(0x70190, 99u << 16 | 159);      /* PLANE_SIZE 160x100 */
    write32(0x70188, 10);                   /* PLANE_STRIDE */
    write32(0x70180, 0x84000000);           /* PLANE_CTL: on, XRGB8888 */
    write32(0x7019c, FIRST * PAGE);         /* PLANE_SURF */
    write32(0x100008, (FIRST + 32) * PAGE); /* a fence */
    write32(0x100000, FIRST * PAGE | 1);
}

static void gone(void)
{
    uint64_t frames[GONE], strange[] = {0, 0xffffffff, 0x7ffffffff, 0xf0000, 0xf0800, 0xfeffc, 0xa0, 0xfee00};
    void *memory = mmap(NULL, GONE * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);

    if (!gt_check(memory != MAP_FAILED && memset(memory, 1, GONE * PAGE) && frames_of(memory, frames), "frames", "%s",
                  strerror(errno)))
        return;
    point_at(frames, GONE);
    int rc = memory_op(DECREASE_RESERVATION, frames);
    gt_check(rc == GONE, "given-back", "%d of %d pages", rc, GONE);
    point_at(frames, GONE);
    alive("alive-with-pages-gone");
    point_at(strange, sizeof(strange) / sizeof(*strange));
    alive("alive-with-strange-pages");
    sleep(2); /* engines and display meet them */
    alive("alive-later");
    rc = memory_op(POPULATE_PHYSMAP, frames);
    gt_check(rc == GONE, "given-again", "%d of %d pages", rc, GONE);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 2000;
    if (!device_map())
        return gt_done();
    alive("alive-before");
    if (!strcmp(what, "regs"))
        regs();
    else if (!strcmp(what, "bars"))
        bars();
    else if (!strcmp(what, "gone"))
        gone();
    else
        gt_check(false, "usage", "no such attack: '%s'", what);
    return gt_done();
}
