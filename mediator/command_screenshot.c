#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "display/png.h"
#include "mediator/command.h"

#define SIDE_MAX 8192.0

/* Maps the picture and writes it. The dm is trusted only as far as the size of what it sent. */
static int save(const cJSON *answer, int fd, const char *path)
{
    double width = command_number(answer, "width"), height = command_number(answer, "height");
    char err[256] = "";
    struct stat st;

    if (fd < 0 || fstat(fd, &st) || width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX ||
        (double)st.st_size < width * height * 4) {
        fprintf(stderr, "gtmux: the picture that came back is malformed\n");
        return EXIT_FAILURE;
    }
    uint32_t *pixels = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (pixels == MAP_FAILED) {
        fprintf(stderr, "gtmux: cannot map the picture: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    int rc = png_write_file(path, pixels, (uint32_t)width, (uint32_t)height, err, sizeof(err));
    munmap(pixels, (size_t)st.st_size);
    if (rc) {
        fprintf(stderr, "gtmux: %s\n", err);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int command_screenshot(const struct command_args *a)
{
    cJSON *extra = cJSON_CreateObject();
    int fd = -1;

    cJSON_AddNumberToObject(extra, "head", a->head);
    cJSON *answer = command_ask(a, a->positional[0], "screenshot", extra, &fd);
    if (!answer)
        return EXIT_FAILURE;
    int rc = save(answer, fd, a->positional[1]);
    if (rc == EXIT_SUCCESS && a->json)
        command_print_json(answer);
    else if (rc == EXIT_SUCCESS)
        printf("%s: %.0fx%.0f, %.0f planes%s\n", a->positional[1], command_number(answer, "width"),
               command_number(answer, "height"), command_number(answer, "planes"),
               command_number(answer, "rows_with_holes") > 0 ? " (some pages are not mapped: black)" : "");
    if (fd >= 0)
        close(fd);
    cJSON_Delete(answer);
    return rc;
}
