/* The guest memory map. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ioreq/dma.h"
#include "ioreq/transport.h"
#include "vgpu/base/bits.h"

#define PAGE UINT64_C(4096)

struct fixture {
    struct dma_map m;
    int fd; /* 16 pages */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    dma_init(&f->m);
    f->fd = memfd_create("ram", MFD_CLOEXEC);
    *state = f;
    return ftruncate(f->fd, (off_t)(16 * PAGE));
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    dma_clear(&f->m);
    close(f->fd);
    free(f);
    return 0;
}

static int add(struct fixture *f, uint64_t gpa, uint64_t size, uint64_t offset, bool readable, bool writable)
{
    struct dma_range r = {.gpa = gpa, .size = size, .readable = readable, .writable = writable};
    int ret = dma_map_file(&r, f->fd, offset);

    if (!ret)
        ret = dma_add(&f->m, &r);
    if (ret)
        dma_unmap_file(&r);
    return ret;
}

static int add_bare(struct fixture *f, uint64_t gpa, uint64_t size)
{
    return dma_add(&f->m, &(struct dma_range){.gpa = gpa, .size = size, .readable = true, .writable = true});
}

static void bad_ranges_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint64_t gpa, size;
        int error;
    } rows[] = {
        {0, 0, -EINVAL},
        {1, PAGE, -EINVAL},
        {0, PAGE + 1, -EINVAL},
        {UINT64_MAX - PAGE + 1, PAGE, -EINVAL},     /* ends at 2^64 */
        {UINT64_MAX - PAGE + 1, 2 * PAGE, -EINVAL}, /* wraps */
        {PAGE, UINT64_MAX - PAGE + 1, -EINVAL},
        {4 * PAGE, PAGE, -EEXIST},
        {3 * PAGE, 2 * PAGE, -EEXIST},
        {5 * PAGE, 2 * PAGE, -EEXIST},
        {3 * PAGE, 8 * PAGE, -EEXIST},
        {4 * PAGE, 2 * PAGE, -EEXIST},
        {0, UINT64_C(1) << 62, -EEXIST},
    };

    assert_int_equal(add_bare(f, 4 * PAGE, 2 * PAGE), 0);
    for (unsigned i = 0; i < GT_ARRAY_SIZE(rows); i++) {
        assert_int_equal(dma_check(&f->m, rows[i].gpa, rows[i].size), rows[i].error);
        assert_int_equal(add_bare(f, rows[i].gpa, rows[i].size), rows[i].error);
    }
    assert_int_equal(f->m.count, 1);
    assert_int_equal(add_bare(f, 3 * PAGE, PAGE), 0); /* neighbours */
    assert_int_equal(add_bare(f, 6 * PAGE, PAGE), 0);
}

static void number_of_ranges_is_bounded(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < DMA_MAX_RANGES; i++)
        assert_int_equal(add_bare(f, (uint64_t)(i * 7919 % DMA_MAX_RANGES) * 2 * PAGE, PAGE), 0);
    assert_int_equal(add_bare(f, UINT64_C(1) << 40, PAGE), -ENOSPC);
    for (unsigned i = 1; i < DMA_MAX_RANGES; i++)
        assert_true(f->m.range[i - 1].gpa < f->m.range[i].gpa);
    assert_int_equal(dma_remove(&f->m, 0, PAGE), 0);
    assert_int_equal(add_bare(f, UINT64_C(1) << 40, PAGE), 0);
}

static void files_are_checked(void **state)
{
    struct fixture *f = *state;
    struct dma_range r = {.gpa = 0, .size = 2 * PAGE, .readable = true, .writable = true};
    int p[2], ro;
    char path[40];

    assert_int_equal(dma_map_file(&r, f->fd, 15 * PAGE), -ERANGE);
    assert_int_equal(dma_map_file(&r, f->fd, UINT64_MAX - PAGE + 1), -ERANGE);
    assert_int_equal(dma_map_file(&r, f->fd, 1), -EINVAL);
    assert_int_equal(dma_map_file(&r, -1, 0), -EBADF);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(dma_map_file(&r, p[0], 0), -EINVAL);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
    ro = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(ro >= 0);
    assert_int_equal(dma_map_file(&r, ro, 0), -EACCES);
    r.size = 17 * PAGE;
    assert_int_equal(dma_map_file(&r, f->fd, 0), -ERANGE);
    r.size = 0;
    assert_int_equal(dma_map_file(&r, f->fd, 0), -EINVAL);
    assert_null(r.ptr);
    close(ro);
    close(p[0]);
    close(p[1]);
}

static void memory_is_shared_with_the_file(void **state)
{
    struct fixture *f = *state;
    uint32_t v = 0x12345678, w = 0;

    assert_int_equal(add(f, 0x100000, 4 * PAGE, 2 * PAGE, true, true), 0);
    assert_int_equal(dma_write(&f->m, 0x100004, &v, 4), 0);
    assert_int_equal(pread(f->fd, &w, 4, (off_t)(2 * PAGE + 4)), 4);
    assert_int_equal(w, v);
    v = 0xabcdef01;
    assert_int_equal(pwrite(f->fd, &v, 4, (off_t)(6 * PAGE - 4)), 4);
    assert_int_equal(dma_read(&f->m, 0x100000 + 4 * PAGE - 4, &w, 4), 0);
    assert_int_equal(w, v);
    assert_int_equal(dma_read(&f->m, 0x100000 + 4 * PAGE - 3, &w, 4), -EFAULT);
    assert_int_equal(dma_read(&f->m, 0x100000 - 1, &w, 4), -EFAULT);
    assert_int_equal(dma_read(&f->m, UINT64_MAX - 1, &w, 4), -EFAULT);
}

static void copies_cross_neighbours_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t buf[3 * 4096], out[3 * 4096];

    assert_int_equal(add(f, 0, PAGE, 8 * PAGE, true, true), 0);
    assert_int_equal(add(f, PAGE, PAGE, 0, true, true), 0);
    assert_int_equal(add(f, 2 * PAGE, PAGE, 4 * PAGE, true, false), 0); /* read only */
    for (unsigned i = 0; i < sizeof(buf); i++)
        buf[i] = (uint8_t)(i + i / 256 + 1);
    assert_int_equal(dma_write(&f->m, 0, buf, 2 * PAGE), 0);
    assert_int_equal(dma_read(&f->m, 0, out, sizeof(out)), 0);
    assert_memory_equal(out, buf, 2 * PAGE);
    assert_int_equal(dma_read(&f->m, PAGE - 3, out, 8), 0); /* a word across the border */
    assert_memory_equal(out, buf + PAGE - 3, 8);

    uint8_t before[2 * 4096], ones[2 * 4096];
    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(dma_read(&f->m, 0, before, sizeof(before)), 0);
    assert_int_equal(dma_write(&f->m, PAGE, ones, PAGE + 1), -EFAULT);
    assert_int_equal(dma_read(&f->m, 2 * PAGE, out, PAGE + 1), -EFAULT);
    assert_int_equal(dma_read(&f->m, 0, out, sizeof(before)), 0);
    assert_memory_equal(out, before, sizeof(before));
    assert_int_equal(dma_read(&f->m, 12345678, out, 0), 0); /* nothing is always there */
}

static void permissions_hold(void **state)
{
    struct fixture *f = *state;
    uint64_t v = 0, e = 0;

    assert_int_equal(add(f, 0, PAGE, 0, true, false), 0);
    assert_int_equal(add(f, PAGE, PAGE, PAGE, false, true), 0);
    assert_int_equal(add_bare(f, 2 * PAGE, PAGE), 0);
    assert_int_equal(dma_read(&f->m, 0, &v, 8), 0);
    assert_int_equal(dma_write(&f->m, 0, &v, 8), -EFAULT);
    assert_int_equal(dma_cas(&f->m, 0, 8, &e, 1), -EFAULT);
    assert_non_null(dma_page(&f->m, 0, false));
    assert_null(dma_page(&f->m, 0, true));
    assert_int_equal(dma_read(&f->m, PAGE, &v, 8), -EFAULT);
    assert_int_equal(dma_write(&f->m, PAGE, &v, 8), 0);
    assert_int_equal(dma_cas(&f->m, PAGE, 8, &e, 1), -EFAULT);
    assert_null(dma_page(&f->m, PAGE, false));
    assert_int_equal(dma_read(&f->m, 2 * PAGE, &v, 8), -EFAULT);
    assert_int_equal(dma_write(&f->m, 2 * PAGE, &v, 8), -EFAULT);
    assert_null(dma_page(&f->m, 2 * PAGE, false));
    assert_null(dma_page(&f->m, 8, false)); /* not a page's address */
}

static void compare_and_swap(void **state)
{
    struct fixture *f = *state;
    uint64_t e = 0, v = 0;

    assert_int_equal(add(f, 0, PAGE, 0, true, true), 0);
    assert_int_equal(dma_cas(&f->m, 8, 8, &e, UINT64_C(0x1122334455667788)), 1);
    assert_int_equal(dma_cas(&f->m, 8, 8, &e, 5), 0);
    assert_true(e == UINT64_C(0x1122334455667788));
    e = 0x55667788;
    assert_int_equal(dma_cas(&f->m, 8, 4, &e, 0xaabbccdd), 1);
    assert_int_equal(dma_read(&f->m, 8, &v, 8), 0);
    assert_true(v == UINT64_C(0x11223344aabbccdd));
    e = 0;
    assert_int_equal(dma_cas(&f->m, 8, 4, &e, 1), 0);
    assert_true(e == 0xaabbccdd);
    assert_int_equal(dma_cas(&f->m, 12, 8, &e, 1), -EFAULT); /* not aligned */
    assert_int_equal(dma_cas(&f->m, 9, 4, &e, 1), -EFAULT);
    assert_int_equal(dma_cas(&f->m, 8, 2, &e, 1), -EFAULT);
    assert_int_equal(dma_cas(&f->m, PAGE, 4, &e, 1), -EFAULT);
}

static void removal_takes_whole_ranges_only(void **state)
{
    struct fixture *f = *state;
    uint32_t v;

    assert_int_equal(add(f, 0, 2 * PAGE, 0, true, true), 0);
    assert_int_equal(add(f, 2 * PAGE, 2 * PAGE, 2 * PAGE, true, true), 0);
    assert_int_equal(add(f, 8 * PAGE, PAGE, 0, true, true), 0);
    assert_int_equal(dma_remove(&f->m, 0, PAGE), -EINVAL);
    assert_int_equal(dma_remove(&f->m, PAGE, PAGE), -EINVAL);
    assert_int_equal(dma_remove(&f->m, PAGE, 3 * PAGE), -EINVAL);
    assert_int_equal(dma_remove(&f->m, 0, 3 * PAGE), -EINVAL);
    assert_int_equal(dma_remove(&f->m, 0, 0), -EINVAL);
    assert_int_equal(dma_remove(&f->m, PAGE, UINT64_MAX), -EINVAL);
    assert_int_equal(dma_remove(&f->m, 4 * PAGE, 4 * PAGE), -ENOENT);
    assert_int_equal(dma_remove(&f->m, 9 * PAGE, PAGE), -ENOENT);
    assert_int_equal(f->m.count, 3);
    assert_int_equal(dma_read(&f->m, 0, &v, 4), 0);      /* now remembered by this thread */
    assert_int_equal(dma_remove(&f->m, 0, 4 * PAGE), 0); /* both */
    assert_int_equal(dma_read(&f->m, 0, &v, 4), -EFAULT);
    assert_int_equal(dma_read(&f->m, 8 * PAGE, &v, 4), 0);
    dma_clear(&f->m);
    assert_int_equal(dma_read(&f->m, 8 * PAGE, &v, 4), -EFAULT);
}

/* The per-thread hint must not carry an index from one map to another. */
static void maps_do_not_mix(void **state)
{
    struct fixture *f = *state;
    struct fixture *g;
    uint32_t a = 1, b = 2, v = 0;

    assert_int_equal(setup((void **)&g), 0);
    assert_int_equal(add(f, 0, PAGE, 0, true, true), 0);
    assert_int_equal(add(g, 0, PAGE, 0, true, true), 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(dma_write(&f->m, 0, &a, 4), 0);
        assert_int_equal(dma_write(&g->m, 0, &b, 4), 0);
        assert_int_equal(dma_read(&f->m, 0, &v, 4), 0);
        assert_int_equal(v, a);
    }
    teardown((void **)&g);
}

struct reader {
    struct fixture *f;
    _Atomic bool stop;
    _Atomic unsigned torn, failed, reads;
};

static void *read_words(void *arg)
{
    struct reader *r = arg;

    while (!r->stop) {
        uint64_t v = 0;

        if (dma_read(&r->f->m, PAGE + 8, &v, 8))
            r->failed++;
        if ((uint32_t)v != (uint32_t)(v >> 32))
            r->torn++;
        r->reads++;
    }
    return NULL;
}

static void aligned_words_are_never_torn(void **state)
{
    struct fixture *f = *state;
    struct reader r = {.f = f};
    pthread_t th;

    assert_int_equal(add(f, 0, PAGE, PAGE, true, true), 0);
    assert_int_equal(add(f, PAGE, PAGE, 0, true, true), 0);
    assert_int_equal(pthread_create(&th, NULL, read_words, &r), 0);
    for (uint64_t i = 0; i < 200000 || !r.reads; i++) {
        uint64_t v = (i & UINT32_MAX) * UINT64_C(0x100000001);

        assert_int_equal(dma_write(&f->m, PAGE + 8, &v, 8), 0);
    }
    r.stop = true;
    pthread_join(th, NULL);
    assert_int_equal(r.torn, 0);
    assert_int_equal(r.failed, 0);
}

/* Huge pages are mapped whole, though the guest's ranges are cut at 4 KiB borders. Mapping needs no huge page to exist.
 */
static void huge_page_files_map_at_small_offsets(void **state)
{
    int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
    struct dma_range r = {.gpa = 0xc3000, .size = 0x3d000, .readable = true, .writable = true};
    struct stat st;

    (void)state;
    if (fd < 0 || fstat(fd, &st) || st.st_blksize != 2 << 20 || ftruncate(fd, 4 << 20))
        skip(); /* this kernel has no 2 MiB pages */
    int ret = dma_map_file(&r, fd, 0xc3000);
    if (ret == -ENOMEM) { /* no huge pages reserved on this machine */
        close(fd);
        skip();
    }
    assert_int_equal(ret, 0);
    assert_int_equal(r.map_len, 2 << 20);
    assert_true(r.ptr == (uint8_t *)r.map + 0xc3000);
    assert_int_equal(munmap(r.map, r.map_len), 0);
    close(fd);
}

/* ---- runs of files */

static void add_file(struct fixture *f, uint64_t gpa, uint64_t size, uint64_t offset, int fd)
{
    struct dma_range r = {.gpa = gpa, .size = size, .readable = true, .writable = true};

    assert_int_equal(dma_map_file(&r, fd, offset), 0);
    assert_int_equal(dma_add_file(&f->m, &r, fd), 0);
}

static void pages_become_runs_of_a_file(void **state)
{
    struct fixture *f = *state;
    struct ioreq_run run[4];
    const uint64_t gpa[] = {0x10000, 0x11000, 0x12000, 0x8000, 0x9000, 0x13000};

    /* Two ranges of the guest, one behind the other in the file. */
    add_file(f, 0x10000, 2 * PAGE, 4 * PAGE, f->fd);
    add_file(f, 0x12000, 2 * PAGE, 6 * PAGE, f->fd);
    add_file(f, 0x8000, 2 * PAGE, 0, f->fd);
    assert_int_equal(dma_runs(&f->m, gpa, 6, run, 4), 3);
    assert_int_equal(run[0].off, 4 * PAGE);
    assert_int_equal(run[0].len, 3 * PAGE);
    assert_int_equal(run[1].off, 0);
    assert_int_equal(run[1].len, 2 * PAGE);
    assert_int_equal(run[2].off, 7 * PAGE);
    assert_int_equal(run[2].len, PAGE);
    assert_int_equal(run[0].fd, run[2].fd);
    assert_int_not_equal(run[0].fd, f->fd);
    assert_int_equal(dma_runs(&f->m, gpa, 6, run, 2), -ENOSPC);
    assert_int_equal(dma_runs(&f->m, gpa, 0, run, 2), 0);
}

static void pages_without_a_file_have_no_run(void **state)
{
    struct fixture *f = *state;
    struct ioreq_run run[4];
    uint64_t gpa[] = {0x10000, 0x20000};

    add_file(f, 0x10000, PAGE, 0, f->fd);
    assert_int_equal(add_bare(f, 0x20000, PAGE), 0);
    assert_int_equal(dma_runs(&f->m, gpa, 2, run, 4), -EFAULT);
    gpa[1] = 0x30000; /* no memory */
    assert_int_equal(dma_runs(&f->m, gpa, 2, run, 4), -EFAULT);
    gpa[1] = 0x10010; /* not a page */
    assert_int_equal(dma_runs(&f->m, gpa, 2, run, 4), -EFAULT);
    gpa[1] = UINT64_MAX;
    assert_int_equal(dma_runs(&f->m, gpa, 2, run, 4), -EFAULT);
}

/* One descriptor a file, closed with the last range; more files than are kept still are memory. */
static void descriptors_of_files_are_bounded(void **state)
{
    struct fixture *f = *state;
    int fd[DMA_MAX_FILES + 1];
    struct ioreq_run run;

    for (unsigned i = 0; i <= DMA_MAX_FILES; i++) {
        fd[i] = memfd_create("file", MFD_CLOEXEC);
        assert_int_equal(ftruncate(fd[i], 2 * PAGE), 0);
        add_file(f, i * 0x10000, PAGE, 0, fd[i]);
        add_file(f, i * 0x10000 + 0x8000, PAGE, PAGE, fd[i]);
    }
    for (unsigned i = 0; i <= DMA_MAX_FILES; i++) {
        const uint64_t gpa = i * 0x10000 + 0x8000;

        assert_int_equal(dma_runs(&f->m, &gpa, 1, &run, 1), i < DMA_MAX_FILES ? 1 : -EFAULT);
        assert_non_null(dma_page(&f->m, gpa, true));
        if (i == 3)
            assert_int_equal(run.off, PAGE);
    }
    int kept = f->m.file[3].fd;

    assert_int_equal(dma_remove(&f->m, 3 * 0x10000, PAGE), 0);
    assert_int_equal(fcntl(kept, F_GETFD), FD_CLOEXEC);
    assert_int_equal(dma_remove(&f->m, 3 * 0x10000 + 0x8000, PAGE), 0);
    assert_int_equal(fcntl(kept, F_GETFD), -1);
    dma_clear(&f->m);
    for (unsigned i = 0; i <= DMA_MAX_FILES; i++) {
        if (i < DMA_MAX_FILES)
            assert_int_equal(f->m.file[i].fd, -1);
        close(fd[i]);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(bad_ranges_are_refused),
        CASE(number_of_ranges_is_bounded),
        CASE(files_are_checked),
        CASE(memory_is_shared_with_the_file),
        CASE(copies_cross_neighbours_all_or_nothing),
        CASE(permissions_hold),
        CASE(compare_and_swap),
        CASE(removal_takes_whole_ranges_only),
        CASE(maps_do_not_mix),
        CASE(aligned_words_are_never_torn),
        CASE(huge_page_files_map_at_small_offsets),
        CASE(pages_become_runs_of_a_file),
        CASE(pages_without_a_file_have_no_run),
        CASE(descriptors_of_files_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
