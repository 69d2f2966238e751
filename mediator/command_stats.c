#include <stdio.h>
#include <stdlib.h>

#include "mediator/command.h"

static void print_object(const cJSON *object, int indent)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, object)
    {
        if (cJSON_IsNumber(item) && item->valuedouble != 0)
            printf("%*s%-18s %.0f\n", indent, "", item->string, item->valuedouble);
    }
}

static void print_engines(const cJSON *engines)
{
    const cJSON *e;

    printf("engine     requests submissions   batches  commands  preempted  lite-rst  resets  hangs\n");
    cJSON_ArrayForEach(e, engines)
    {
        printf("%-8s %10.0f %11.0f %9.0f %9.0f %10.0f %9.0f %7.0f %6.0f\n", e->string, command_number(e, "requests"),
               command_number(e, "submissions"), command_number(e, "batches"), command_number(e, "commands"),
               command_number(e, "preemptions"), command_number(e, "lite_restores"), command_number(e, "resets"),
               command_number(e, "hangs"));
    }
}

int command_stats(const struct command_args *a)
{
    cJSON *stats = command_ask(a, a->positional[0], "stats", NULL, NULL);
    const cJSON *pipe;
    int n = 0;

    if (!stats)
        return EXIT_FAILURE;
    if (a->json) {
        command_print_json(stats);
    } else {
        print_engines(cJSON_GetObjectItemCaseSensitive(stats, "engines"));
        printf("interrupts: %.0f\ntraps:\n", command_number(stats, "interrupts"));
        print_object(cJSON_GetObjectItemCaseSensitive(stats, "traps"), 2);
        printf("backend:\n");
        print_object(cJSON_GetObjectItemCaseSensitive(stats, "backend"), 2);
        if (command_number(stats, "display/flips") > 0) {
            printf("viewers of the screens:\n");
            print_object(cJSON_GetObjectItemCaseSensitive(stats, "display"), 2);
        }
        cJSON_ArrayForEach(pipe, cJSON_GetObjectItemCaseSensitive(stats, "pipes"))
        {
            if (command_number(pipe, "vblanks") > 0)
                printf("pipe %c: %.0f vblanks, %.0f flips, of which %.0f waited for monitors (%.0f in vain)\n", 'A' + n,
                       command_number(pipe, "vblanks"), command_number(pipe, "flips"),
                       command_number(pipe, "flips_kept"), command_number(pipe, "flips_late"));
            n++;
        }
    }
    cJSON_Delete(stats);
    return EXIT_SUCCESS;
}
