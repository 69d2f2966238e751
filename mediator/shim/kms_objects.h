/* The screen: one CRTC, one connector with one mode, one plane. */
#ifndef GTMUX_MEDIATOR_SHIM_KMS_OBJECTS_H
#define GTMUX_MEDIATOR_SHIM_KMS_OBJECTS_H

#include <libdrm/drm_fourcc.h>
#include <libdrm/drm_mode.h>

#include "mediator/shim/shim.h"

enum kms_object { KMS_CRTC = 40, KMS_CONNECTOR, KMS_ENCODER, KMS_PLANE, KMS_FIRST_FREE = 100 };

struct kms {
    struct shim_table fbs, blobs; /* from KMS_FIRST_FREE on */
    uint32_t fb;                  /* that the plane shows */
    uint32_t mode_blob, formats_blob;
    bool active;
    uint32_t sequence;
};
extern struct kms kms; /* under the device's lock */

void kms_mode(struct drm_mode_modeinfo *m);
/* Shows a framebuffer: waits for it to be drawn, writes it out if that is asked for. 0 or -errno. */
int kms_show(uint32_t fb);
/* Tells of a flip that is done. 0 or -ENOMEM. */
int kms_event(struct shim_file *f, uint32_t type, uint64_t user_data);

/* ---- kms_props.c */
uint32_t kms_blob_new(const void *data, uint32_t size); /* 0: out of memory */

#endif
