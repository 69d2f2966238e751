/*
 * The guest memory map of one transport: sorted, disjoint, page aligned ranges of guest physical addresses.
 *
 * One thread changes the map (add, remove, clear), and only while no other thread uses it; any number of threads may
 * use it (read, write, cas, page) at other times. The map itself holds no lock: the transport's memory_begin/memory_end
 * bracket is what keeps the two apart.
 */
#ifndef GTMUX_IOREQ_DMA_H
#define GTMUX_IOREQ_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DMA_MAX_RANGES 512u
#define DMA_PAGE       4096u
#define DMA_MAX_FILES  8u /* of which descriptors are kept; a guest has one or a few */

struct ioreq_run;

/* A file that ranges lie in, its descriptor our own. */
struct dma_file {
    int fd; /* -1: the entry is free */
    unsigned ranges;
    dev_t dev;
    ino_t ino;
};

struct dma_range {
    uint64_t gpa, size; /* multiples of DMA_PAGE; gpa + size does not wrap */
    uint8_t *ptr;       /* NULL: known, but without memory that we can reach */
    bool readable, writable;
    void *map; /* the mapping that ptr points into */
    size_t map_len;
    uint64_t file_off; /* of ptr in the file */
    int file;          /* index in the map's files, set by dma_add_file; -1: none is kept */
};

struct dma_map {
    unsigned count;
    uint64_t generation; /* unique in the process; see dma.c */
    struct dma_range range[DMA_MAX_RANGES];
    struct dma_file file[DMA_MAX_FILES];
};

/* The map of a guest without memory. */
void dma_init(struct dma_map *m);

/* Checks a range that is to be added. 0; -EINVAL: empty, not page aligned or it wraps; -EEXIST: it overlaps another;
 * -ENOSPC: the map is full. */
int dma_check(const struct dma_map *m, uint64_t gpa, uint64_t size);

/* Maps r->size bytes at `offset` of a file, shared, with the access that r allows, and sets ptr, map and map_len.
 * 0 or -errno; -ERANGE: the file ends before offset + size; -EINVAL: not page aligned, or not a regular file (memfd,
 * tmpfs, hugetlbfs). The fd stays the caller's. */
int dma_map_file(struct dma_range *r, int fd, uint64_t offset);
/* Undoes it, for a range that was not added. */
void dma_unmap_file(struct dma_range *r);

/* Adds a range, whose mapping (if it has one) is the map's from now on. As dma_check. */
int dma_add(struct dma_map *m, const struct dma_range *r);
/* The same for a range that dma_map_file mapped from fd. A descriptor of the file is kept for dma_runs (fd stays the
 * caller's); where there are already too many files the range is one without. */
int dma_add_file(struct dma_map *m, const struct dma_range *r, int fd);

/* Removes (and unmaps) every range inside [gpa, gpa + size). 0; -ENOENT: none is; -EINVAL: one would be cut. */
int dma_remove(struct dma_map *m, uint64_t gpa, uint64_t size);

/* Removes all. */
void dma_clear(struct dma_map *m);

/* Copies. 0 or -EFAULT; all or nothing; may cross ranges. Naturally aligned 2, 4 and 8 byte ones are single copies. */
int dma_read(const struct dma_map *m, uint64_t gpa, void *dst, size_t n);
int dma_write(const struct dma_map *m, uint64_t gpa, const void *src, size_t n);

/* Atomic compare and swap of 4 or 8 aligned bytes. 1 swapped; 0 not equal, *expected updated; -EFAULT. */
int dma_cas(const struct dma_map *m, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired);

/* As ioreq_transport_ops.mem_runs. */
int dma_runs(const struct dma_map *m, const uint64_t *gpa, size_t n, struct ioreq_run *out, size_t max);

/* Host address of the page at gpa, or NULL: not aligned, no memory there, or not writable though asked for. */
uint8_t *dma_page(const struct dma_map *m, uint64_t gpa, bool write);

#endif
