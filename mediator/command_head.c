#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/command.h"

/* gtmux head NAME N on|off|mode=WxH@HZ */
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
    } else if (!strcmp(what, "on") || !strcmp(what, "off")) {
        cJSON_AddBoolToObject(extra, "connected", !strcmp(what, "on"));
    } else {
        fprintf(stderr, "gtmux: '%s': give on, off or mode=WIDTHxHEIGHT@HZ\n", what);
        cJSON_Delete(extra);
        return EXIT_USAGE;
    }
    cJSON *answer = command_ask(a, a->positional[0], "head", extra, NULL);
    cJSON_Delete(answer);
    return answer ? EXIT_SUCCESS : EXIT_FAILURE;
}
