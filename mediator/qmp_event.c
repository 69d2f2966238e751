#include "mediator/qmp_event.h"

static void add_key(cJSON *data, const struct input_event *e)
{
    cJSON *key = cJSON_AddObjectToObject(data, "key");

    cJSON_AddStringToObject(key, "type", "number");
    cJSON_AddNumberToObject(key, "data", e->code);
    cJSON_AddBoolToObject(data, "down", e->down);
}

static void add_button(cJSON *data, const struct input_event *e)
{
    static const char *const names[INPUT_BUTTONS] = {
        [INPUT_LEFT] = "left",         [INPUT_MIDDLE] = "middle",         [INPUT_RIGHT] = "right",
        [INPUT_WHEEL_UP] = "wheel-up", [INPUT_WHEEL_DOWN] = "wheel-down", [INPUT_SIDE] = "side",
        [INPUT_EXTRA] = "extra",       [INPUT_WHEEL_LEFT] = "wheel-left", [INPUT_WHEEL_RIGHT] = "wheel-right",
    };

    cJSON_AddStringToObject(data, "button", names[e->code]);
    cJSON_AddBoolToObject(data, "down", e->down);
}

/* Adds an object to the list and returns its data. */
static cJSON *add_event(cJSON *events, const char *type)
{
    cJSON *e = cJSON_CreateObject();

    cJSON_AddStringToObject(e, "type", type);
    cJSON_AddItemToArray(events, e);
    return cJSON_AddObjectToObject(e, "data");
}

static void add_axis(cJSON *events, const char *axis, uint16_t value)
{
    cJSON *data = add_event(events, "abs");

    cJSON_AddStringToObject(data, "axis", axis);
    cJSON_AddNumberToObject(data, "value", value);
}

void qmp_event_add(cJSON *events, const struct input_event *e)
{
    switch (e->kind) {
    case INPUT_KEY:
        add_key(add_event(events, "key"), e);
        break;
    case INPUT_BUTTON:
        add_button(add_event(events, "btn"), e);
        break;
    default:
        add_axis(events, "x", e->x);
        add_axis(events, "y", e->y);
        break;
    }
}
