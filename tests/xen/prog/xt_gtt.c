/*
 * The GTT half of BAR0 as a guest without i915 sees it: is it memory, does it stay that over moves, and what happens
 * when the guest misbehaves. It ends with the BAR where it was, the pages given back, and other memory in their place.
 *
 * The kernel needs iomem=relaxed and the module xen-privcmd (with it, root of a guest makes hypercalls for itself;
 * since 2026 only with unrestricted=1).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gt.h"

#define __XEN_INTERFACE_VERSION__ 0x00030209
#include <xen/memory.h>
#include <xen/sys/privcmd.h>

#define CONFIG    "/sys/bus/pci/devices/0000:00:02.0/config"
#define WINDOW    0x800000u
#define ENTRIES   (WINDOW / 8)
#define PAGES     (WINDOW / 4096)
#define MEMORY_ON 2u
/* Addresses of the PCI hole that hvmloader leaves free in a small guest, and of the last 16 MiB of a 384 MiB guest. */
#define ELSEWHERE 0xd0000000u
#define AGAIN     0xd4000000u

static int config = -1, memory = -1, privcmd = -1;

static void result(const char *name, const char *wrong)
{
    gt_check(!wrong, name, "%s", wrong ? wrong : "");
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint32_t get(unsigned off)
{
    uint32_t v = 0;

    if (pread(config, &v, 4, off) != 4)
        perror("config");
    return v;
}

static void set(unsigned off, uint32_t v, unsigned size)
{
    if (pwrite(config, &v, size, off) != (ssize_t)size)
        perror("config");
}

static void decode(int on)
{
    uint32_t command = get(4);

    set(4, on ? command | MEMORY_ON : command & ~MEMORY_ON, 2);
}

static void move_bar(uint32_t to)
{
    decode(0);
    set(0x10, to, 4);
    decode(1);
}

static volatile uint64_t *map_gtt(uint32_t bar)
{
    void *p = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, memory, (off_t)bar + WINDOW);

    if (p == MAP_FAILED) {
        perror("/dev/mem");
        exit(1);
    }
    return p;
}

static void unmap_gtt(volatile uint64_t *p)
{
    munmap((void *)(uintptr_t)p, WINDOW);
}

static uint64_t pattern(unsigned i, unsigned seed)
{
    return (uint64_t)i * 0x9e3779b97f4a7c15u ^ seed;
}

/* Every step-th entry. */
static void fill(volatile uint64_t *gtt, unsigned step, unsigned seed)
{
    for (unsigned i = 0; i < ENTRIES; i += step)
        gtt[i] = pattern(i, seed);
}

static const char *compare(volatile uint64_t *gtt, unsigned step, unsigned seed)
{
    static char text[96];

    for (unsigned i = 0; i < ENTRIES; i += step) {
        uint64_t is = gtt[i];

        if (is == pattern(i, seed))
            continue;
        snprintf(text, sizeof(text), "entry %u is %#llx, not %#llx", i, (unsigned long long)is,
                 (unsigned long long)pattern(i, seed));
        return text;
    }
    return NULL;
}

static long memory_op(unsigned op, uint64_t gfn, unsigned count)
{
    static xen_pfn_t gfns[PAGES];
    static struct xen_memory_reservation r;
    privcmd_hypercall_t call = {.op = __HYPERVISOR_memory_op, .arg = {op, (uintptr_t)&r}};

    for (unsigned i = 0; i < count; i++)
        gfns[i] = gfn + i;
    r = (struct xen_memory_reservation){.nr_extents = count, .domid = DOMID_SELF};
    set_xen_guest_handle(r.extent_start, gfns);
    return ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call);
}

/* ---- cases */

static void is_memory(uint32_t bar)
{
    volatile uint64_t *gtt = map_gtt(bar);
    uint64_t t0 = now_us();

    gtt[0] = 1;
    uint64_t t1 = now_us();

    fill(gtt, 1, 1);
    uint64_t t2 = now_us();

    result("all-entries", compare(gtt, 1, 1));
    printf("TIME first %llu us, all %llu us\n", (unsigned long long)(t1 - t0), (unsigned long long)(t2 - t1));
    result("no-trap", t2 - t1 < 20000000 ? NULL : "a store takes more than 20 us");
    unmap_gtt(gtt);
}

static void keeps_over_moves(uint32_t bar)
{
    const uint32_t places[] = {ELSEWHERE, AGAIN, bar};
    const char *wrong = NULL;
    uint64_t t0 = now_us();

    for (unsigned i = 0; i < 30 && !wrong; i++) {
        move_bar(places[i % 3]);
        volatile uint64_t *gtt = map_gtt(places[i % 3]);

        wrong = compare(gtt, 512, i + 1);
        fill(gtt, 512, i + 2);
        if (i == 0)
            fill(gtt, 1, i + 2);
        unmap_gtt(gtt);
    }
    result("moves", wrong);
    printf("TIME move %llu us\n", (unsigned long long)(now_us() - t0) / 30);
}

static void empty_when_off(uint32_t bar)
{
    volatile uint64_t *gtt = map_gtt(bar);

    decode(0);
    result("off", gtt[7] == UINT64_MAX ? NULL : "it is there although decoding is off");
    decode(1);
    unmap_gtt(gtt);
}

/* Places where a BAR has no business: nothing may happen to what is there, nor to the device. */
static void bad_places(uint32_t bar)
{
    const uint32_t places[] = {0x0, 0x1000000, 0x8000000, 0xfc000000, 0xfd000000, 0xfe000000, 0xff000000, 0xe0000000};

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        move_bar(places[i]);
        if (places[i] >= 0xfc000000 && places[i] < 0xfe000000) { /* the kernel does not let go of the rest */
            volatile uint64_t *gtt = map_gtt(places[i]);

            gtt[0] = gtt[1];
            unmap_gtt(gtt);
        }
    }
    move_bar(bar);
    volatile uint64_t *gtt = map_gtt(bar);

    fill(gtt, 512, 99);
    result("bad-places", compare(gtt, 512, 99));
    unmap_gtt(gtt);
}

/* A page of the guest's own where the BAR goes. */
static void memory_in_the_way(uint32_t bar)
{
    uint64_t gfn = (ELSEWHERE + WINDOW) / 4096 + 1000;
    volatile uint64_t *gtt;
    const char *wrong = NULL;

    if (memory_op(XENMEM_populate_physmap, gfn, 1) != 1) {
        result("in-the-way", "cannot populate a page");
        return;
    }
    move_bar(ELSEWHERE);
    gtt = map_gtt(ELSEWHERE);
    gtt[1000 * 512] = 4711;
    gtt[3] = 33;
    gtt[2000 * 512] = 44;
    if (gtt[3] != 33 || gtt[2000 * 512] != 44)
        wrong = "trapped entries do not keep what is stored";
    if (gtt[1000 * 512] != 4711)
        wrong = "the page lost what was stored";
    move_bar(bar);
    if (!wrong && gtt[1000 * 512] != 4711)
        wrong = "the page went with the BAR";
    unmap_gtt(gtt);
    gtt = map_gtt(bar);
    if (!wrong && (gtt[3] != 33 || gtt[2000 * 512] != 44))
        wrong = "trapped entries are not those of the pages";
    result("in-the-way", wrong);
    if (memory_op(XENMEM_decrease_reservation, gfn, 1) != 1)
        result("in-the-way", "cannot give the page back");
    unmap_gtt(gtt);
}

/* The pages go to Xen while the device has them mapped: accesses trap, to the same bytes; then the BAR moves. */
static void gives_pages_back(uint32_t bar)
{
    uint64_t gfn = (bar + WINDOW) / 4096;
    volatile uint64_t *gtt = map_gtt(bar);
    long done;

    gtt[0] = 1;
    fill(gtt, 512, 5);
    done = memory_op(XENMEM_decrease_reservation, gfn, 1);
    done += memory_op(XENMEM_decrease_reservation, gfn + 2, PAGES - 2);
    printf("NOTE gave %ld pages back\n", done);
    result("given-back", done == PAGES - 1 ? compare(gtt, 512, 5) : "Xen does not take them");
    fill(gtt, 512, 6);
    result("given-back-stores", compare(gtt, 512, 6));
    unmap_gtt(gtt);
    move_bar(ELSEWHERE);
    gtt = map_gtt(ELSEWHERE);
    result("given-back-moved", compare(gtt, 512, 6));
    unmap_gtt(gtt);
    move_bar(bar);
    if (memory_op(XENMEM_populate_physmap, gfn, 100) != 100)
        result("refill", "cannot populate");
    gtt = map_gtt(bar);
    fill(gtt, 512, 7);
    result("refill", compare(gtt, 512, 7));
    unmap_gtt(gtt);
}

int main(int argc, char **argv)
{
    config = open(CONFIG, O_RDWR);
    memory = open("/dev/mem", O_RDWR | O_SYNC);
    privcmd = open("/dev/xen/privcmd", O_RDWR);
    if (config < 0 || memory < 0) {
        perror("xt_gtt");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    decode(1);
    uint32_t bar = get(0x10) & ~15u;

    printf("NOTE BAR0 at %#x\n", bar);
    is_memory(bar);
    if (argc > 1 && !strcmp(argv[1], "quick"))
        return gt_done();
    keeps_over_moves(bar);
    empty_when_off(bar);
    bad_places(bar);
    if (privcmd >= 0) {
        memory_in_the_way(bar);
        gives_pages_back(bar);
    } else {
        result("privcmd", strerror(errno));
    }
    return gt_done();
}
