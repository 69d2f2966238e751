/*
 * Guest memory of one array, `ram`, that the including test has defined: the memory functions of a gate_host. Included
 * in the middle of a file, after that array.
 */
#ifndef GTMUX_TESTS_FLAT_RAM_H
#define GTMUX_TESTS_FLAT_RAM_H

static int ram_read(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    (void)ctx;
    if (!gt_range_ok(gpa, n, sizeof(ram)))
        return -EFAULT;
    memcpy(dst, ram + gpa, n);
    return 0;
}

static int ram_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    (void)ctx;
    if (!gt_range_ok(gpa, n, sizeof(ram)))
        return -EFAULT;
    memcpy(ram + gpa, src, n);
    return 0;
}

static int ram_cas(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    uint64_t old = 0;

    if (ram_read(ctx, gpa, &old, size))
        return -EFAULT;
    if (old != *expected) {
        *expected = old;
        return 0;
    }
    return ram_write(ctx, gpa, &desired, size) ? -EFAULT : 1;
}

#endif
