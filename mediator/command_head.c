#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/command.h"
#include "vgpu/edid.h"

/* The file's bytes as hexadecimal digits; NULL: it cannot be read, or is too large for an EDID (said). */
static char *read_edid(const char *path)
{
    uint8_t bytes[VGPU_EDID_MAX + 1];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
    const bool bad = !f || ferror(f);
    char *hex = bad || n > VGPU_EDID_MAX ? NULL : calloc(2 * n + 1, 1);

    if (!hex)
        fprintf(stderr, "gtmux: '%s': %s\n", path, bad ? strerror(errno) : "too large for an EDID");
    for (size_t i = 0; hex && i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    if (f)
        fclose(f);
    return hex;
}

/* gtmux head NAME N on|off|mode=WxH@HZ|edid=FILE */
int command_head(const struct command_args *a)
{
    const char *number = a->positional[1], *what = a->positional[2];
    cJSON *extra = cJSON_CreateObject();

    if (strlen(number) != 1 || number[0] < '0' || number[0] > '2') {
        fprintf(stderr, "gtmux: '%s' is no head: heads are 0, 1 and 2\n", number);
        cJSON_Delete(extra);
        return EXIT_USAGE;
    }
    cJSON_AddNumberToObject(extra, "head", number[0] - '0');
    if (!strncmp(what, "mode=", 5)) {
        cJSON_AddStringToObject(extra, "mode", what + 5);
        cJSON_AddTrueToObject(extra, "connected");
    } else if (!strncmp(what, "edid=", 5)) {
        char *hex = read_edid(what + 5);

        if (!hex) {
            cJSON_Delete(extra);
            return EXIT_FAILURE;
        }
        cJSON_AddStringToObject(extra, "edid", hex);
        free(hex);
    } else if (!strcmp(what, "on") || !strcmp(what, "off")) {
        cJSON_AddBoolToObject(extra, "connected", !strcmp(what, "on"));
    } else {
        fprintf(stderr, "gtmux: '%s': give on, off, mode=WIDTHxHEIGHT@HZ or edid=FILE\n", what);
        cJSON_Delete(extra);
        return EXIT_USAGE;
    }
    cJSON *answer = command_ask(a, a->positional[0], "head", extra, NULL);
    cJSON_Delete(answer);
    return answer ? EXIT_SUCCESS : EXIT_FAILURE;
}
