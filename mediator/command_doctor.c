/* gtmux doctor: what this machine has, and what could be better. */
#include <stdio.h>
#include <stdlib.h>

#include "mediator/command.h"
#include "mediator/doctor.h"

#define INDENT 23

static void print_finding(const struct doctor_row *row, const struct finding *f)
{
    printf("%-5s %-16s %s\n", doctor_status_name(f->status), row->name, f->found);
    if (f->status == DOCTOR_OK)
        return;
    printf("%*sfor: %s\n", INDENT, "", row->meaning);
    if (f->advice[0])
        printf("%*sdo:  %s\n", INDENT, "", f->advice);
}

static void add_finding(cJSON *list, const struct doctor_row *row, const struct finding *f)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", row->name);
    cJSON_AddStringToObject(o, "status", doctor_status_name(f->status));
    cJSON_AddStringToObject(o, "found", f->found);
    cJSON_AddStringToObject(o, "meaning", row->meaning);
    cJSON_AddStringToObject(o, "advice", f->advice);
    cJSON_AddItemToArray(list, o);
}

int command_doctor(const struct command_args *a)
{
    unsigned count[DOCTOR_FAIL + 1] = {0};
    cJSON *list = a->json ? cJSON_CreateArray() : NULL;
    char room[4096];
    struct doctor d;

    doctor_here(&d, a->run_dir, room, sizeof(room));
    for (unsigned i = 0; i < doctor_row_count; i++) {
        struct finding f = {0};

        doctor_rows[i].probe(&d, &f);
        count[f.status]++;
        if (list)
            add_finding(list, &doctor_rows[i], &f);
        else
            print_finding(&doctor_rows[i], &f);
    }
    if (list)
        command_print_json(list);
    else
        printf("%u ok, %u warnings, %u failures\n", count[DOCTOR_OK], count[DOCTOR_WARN], count[DOCTOR_FAIL]);
    cJSON_Delete(list);
    return count[DOCTOR_FAIL] ? EXIT_FAILURE : EXIT_SUCCESS;
}
