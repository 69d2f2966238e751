#include "display/vnc_keys.h"

#include <stdlib.h>

#include <xkbcommon/xkbcommon.h>

#define XKB_OFFSET 8u /* of X's key codes to evdev's */

struct row {
    uint32_t keysym, key;
    uint32_t level;
};

struct vnc_keys {
    struct row *row; /* by keysym, the lowest level first */
    size_t n, room;
};

static void add(struct vnc_keys *k, uint32_t keysym, uint32_t key, uint32_t level)
{
    if (k->n == k->room) {
        size_t room = k->room ? k->room * 2 : 512;
        struct row *row = realloc(k->row, room * sizeof(*row));

        if (!row)
            return;
        k->row = row;
        k->room = room;
    }
    k->row[k->n++] = (struct row){keysym, key, level};
}

static void add_key(struct xkb_keymap *map, xkb_keycode_t code, void *ctx)
{
    const xkb_keysym_t *syms;

    if (code <= XKB_OFFSET)
        return;
    for (xkb_level_index_t level = 0; level < xkb_keymap_num_levels_for_key(map, code, 0); level++) {
        int n = xkb_keymap_key_get_syms_by_level(map, code, 0, level, &syms);

        for (int i = 0; i < n; i++)
            add(ctx, syms[i], code - XKB_OFFSET, level);
    }
}

/* Of several keys with a keysym the one on which it is easiest to reach, and of those the first. */
static int compare(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->keysym != y->keysym)
        return x->keysym < y->keysym ? -1 : 1;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    return x->key < y->key ? -1 : x->key > y->key;
}

struct vnc_keys *vnc_keys_create(const char *layout)
{
    const struct xkb_rule_names names = {.layout = layout};
    struct xkb_context *ctx = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
    struct xkb_keymap *map = NULL;
    struct vnc_keys *k = NULL;

    if (ctx) {
        xkb_context_set_log_level(ctx, XKB_LOG_LEVEL_CRITICAL);
        map = xkb_keymap_new_from_names(ctx, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
    }
    if (map && (k = calloc(1, sizeof(*k)))) {
        xkb_keymap_key_for_each(map, add_key, k);
        if (k->n)
            qsort(k->row, k->n, sizeof(*k->row), compare);
    }
    xkb_keymap_unref(map);
    xkb_context_unref(ctx);
    return k;
}

void vnc_keys_destroy(struct vnc_keys *k)
{
    if (k)
        free(k->row);
    free(k);
}

uint32_t vnc_keys_find(const struct vnc_keys *k, uint32_t keysym)
{
    size_t low = 0, high = k->n;

    while (low < high) { /* the first of its rows */
        size_t middle = low + (high - low) / 2;

        if (k->row[middle].keysym < keysym)
            low = middle + 1;
        else
            high = middle;
    }
    return low < k->n && k->row[low].keysym == keysym ? k->row[low].key : 0;
}
