/* Between the files of gtmux doctor. */
#ifndef GTMUX_MEDIATOR_DOCTOR_INTERNAL_H
#define GTMUX_MEDIATOR_DOCTOR_INTERNAL_H

#include "mediator/doctor.h"

/* Sets a finding; advice may be NULL. */
void doctor_say(struct finding *f, enum doctor_status status, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- files below the root */
/* The first line of a file, without its end. False: it cannot be read. */
bool doctor_line(const struct doctor *d, const char *file, char *out, size_t size);
/* A whole number in a file, or `missing`. */
long long doctor_number(const struct doctor *d, const char *file, long long missing);
/* May we read and write the file? 0 or -errno. */
int doctor_access(const struct doctor *d, const char *file);
/* Does a file have this word? */
bool doctor_has_word(const struct doctor *d, const char *file, const char *word);
/* Calls back for each entry of a directory whose name begins with prefix, in the order of their names. Returns how many
 * there are. */
unsigned doctor_each(const struct doctor *d, const char *dir, const char *prefix,
                     void (*entry)(const struct doctor *d, const char *name, void *ctx), void *ctx);

/* ---- what more than one probe asks */
bool doctor_is_xen(const struct doctor *d);
/* The newest QEMU in PATH that knows vfio-user-pci: major * 1000 + minor, or 0. */
unsigned doctor_qemu(const struct doctor *d);
/* Can pictures of guests be shared as dma-bufs, and those of scattered 1080p? */
bool doctor_shares(const struct doctor *d, bool *large);
/* Is there a monitor that gtmux kms could use? */
bool doctor_monitor(const struct doctor *d);

/* ---- probes */
void probe_cpu(const struct doctor *d, struct finding *f);
void probe_memfd(const struct doctor *d, struct finding *f);
void probe_user_namespaces(const struct doctor *d, struct finding *f);
void probe_seccomp(const struct doctor *d, struct finding *f);
void probe_run_dir(const struct doctor *d, struct finding *f);
void probe_kvm(const struct doctor *d, struct finding *f);
void probe_qemu(const struct doctor *d, struct finding *f);
void probe_xen(const struct doctor *d, struct finding *f);
void probe_xen_devices(const struct doctor *d, struct finding *f);
void probe_xen_libraries(const struct doctor *d, struct finding *f);
void probe_guests(const struct doctor *d, struct finding *f);
void probe_gpus(const struct doctor *d, struct finding *f);
void probe_render_nodes(const struct doctor *d, struct finding *f);
void probe_monitors(const struct doctor *d, struct finding *f);
void probe_udmabuf(const struct doctor *d, struct finding *f);
void probe_udmabuf_list(const struct doctor *d, struct finding *f);
void probe_udmabuf_size(const struct doctor *d, struct finding *f);
void probe_path_frames(const struct doctor *d, struct finding *f);
void probe_path_kms(const struct doctor *d, struct finding *f);
void probe_path_xen(const struct doctor *d, struct finding *f);

#endif
