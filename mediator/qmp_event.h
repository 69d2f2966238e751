/* Input events as QEMU's machine protocol has them (qapi/ui.json, InputEvent). */
#ifndef GTMUX_MEDIATOR_QMP_EVENT_H
#define GTMUX_MEDIATOR_QMP_EVENT_H

#include <cjson/cJSON.h>

#include "display/input.h"

/* Adds the event, a key, a button or a motion (two events), to the list of an input-send-event. */
void qmp_event_add(cJSON *events, const struct input_event *e);

#endif
