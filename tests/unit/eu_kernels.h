/* Kernels of the corpus for tests: those in the tree, and the rest of the corpus when it lies beside the tree. */
#ifndef GTMUX_TESTS_EU_KERNELS_H
#define GTMUX_TESTS_EU_KERNELS_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EU_KERNELS_TREE  TESTS_DIR "/corpus/kernels"
#define EU_KERNELS_WHOLE TESTS_DIR "/../../shared/corpus/kernels"

/* A whole file with a NUL behind it, to be freed; NULL: there is none. */
static inline char *eu_kernels_read(const char *dir, const char *name, const char *suffix, size_t *n)
{
    char path[4096], *data = NULL;
    FILE *f;
    long size;

    snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);
    f = fopen(path, "rb");
    if (!f)
        return NULL;
    if (fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 &&
        (data = malloc((size_t)size + 1)) != NULL) {
        *n = fread(data, 1, (size_t)size, f);
        data[*n] = 0;
    }
    fclose(f);
    return data;
}

/* Calls fn for each kernel of a folder, by its name without suffix. How many there were. */
static inline unsigned eu_kernels_each(const char *dir, void (*fn)(const char *dir, const char *name, void *ctx),
                                       void *ctx)
{
    DIR *d = opendir(dir);
    unsigned n = 0;

    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char *dot = strrchr(e->d_name, '.');

        if (dot && strcmp(dot, ".bin") == 0) {
            *dot = 0;
            fn(dir, e->d_name, ctx);
            n++;
        }
    }
    closedir(d);
    return n;
}

#endif
