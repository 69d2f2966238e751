/*
 * gtmux doctor: what this machine has, what gtmux makes of it and what could be done. One finding is one row of the
 * table in doctor.c with a probe, which reads files below a root directory, so that tests can give it other machines.
 */
#ifndef GTMUX_MEDIATOR_DOCTOR_H
#define GTMUX_MEDIATOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum doctor_status { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

/* The machine. */
struct doctor {
    const char *root;               /* "" or a directory in the place of / */
    const char *path;               /* $PATH, whose directories are not below root; NULL: none */
    const char *run_dir;            /* of the control sockets; NULL: none could be found */
    int (*memfd)(void);             /* makes a sealed memfd: 0 or -errno */
    bool (*library)(const char *n); /* can it be loaded? */
};

struct finding {
    enum doctor_status status;
    char found[320];  /* what there is */
    char advice[320]; /* what to do; "": nothing */
};

struct doctor_row {
    const char *name;
    const char *meaning; /* what it is for */
    void (*probe)(const struct doctor *d, struct finding *f);
};

/* This machine. run_dir as given to the command, or NULL: the default one, put into room. */
void doctor_here(struct doctor *d, const char *run_dir, char *room, size_t size);
/* The findings, in the order in which they are told. */
extern const struct doctor_row doctor_rows[];
extern const unsigned doctor_row_count;
const char *doctor_status_name(enum doctor_status s);

#endif
