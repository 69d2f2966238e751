/* What cppcheck cannot see: macros of libraries whose headers it does not read. */
#define cJSON_ArrayForEach(element, array)            for (element = (array)->child; element; element = element->next)
#define wl_list_for_each_safe(pos, tmp, head, member) for (pos = tmp = (void *)(head); pos; pos = tmp)
#define wl_array_for_each(pos, array)                 for (pos = (array)->data; pos; pos++)
