#include "vgpu/desc/fields.h"

#include <stddef.h>

#include "vgpu/base/bits.h"

const struct field_desc field_table[] = {
#define FIELD(group_, name_, first_, last_, kind_, ...)                                                                \
    {.group = #group_, .name = #name_, .first = first_, .last = last_, .kind = FIELD_##kind_, ##__VA_ARGS__},
#include "vgpu/desc/fields_all.def"
#undef FIELD
};

const unsigned field_count = GT_ARRAY_SIZE(field_table);

const struct field_desc *field_group(const char *group, unsigned *count)
{
    for (unsigned i = 0; i < field_count; i++) {
        if (strcmp(field_table[i].group, group) != 0)
            continue;
        *count = 0;
        while (i + *count < field_count && !strcmp(field_table[i + *count].group, group))
            (*count)++;
        return &field_table[i];
    }
    return NULL;
}
