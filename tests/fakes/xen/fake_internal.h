/* Shared by the files of the fake. */
#ifndef GTMUX_TESTS_FAKE_XEN_INTERNAL_H
#define GTMUX_TESTS_FAKE_XEN_INTERNAL_H

#include <errno.h>
#include <stdint.h>
#include <xen/xen.h>

#include <xendevicemodel.h>

#include "tests/fakes/xen/fake_xen.h"

#define PAGE 4096u

static struct fake_xen *const f = &fake_xen;

/* Ends the program: the transport did what no caller of the real thing may do. */
void fake_require(bool ok, const char *what);
/* Sets errno; -1. */
int fake_fail(int code);
/* Counts a call; nonzero: it is to fail, errno is set. */
int fake_told_to_fail(enum fake_call c);
/* fake_memory.c: an empty memory map; the frame behind a gfn, -1: none. */
void fake_memory_start(void);
int fake_frame(uint64_t gfn);
/* The checks of every dm_op; 0, or -1 with errno set. */
int fake_dm_op(enum fake_call c, domid_t domid);
/* NULL: there is none, errno is set. */
struct fake_server *fake_find_server(ioservid_t id);
/* Makes a server, off; its id, or -1 with errno set. */
int fake_new_server(void);
void fake_free_server(struct fake_server *s);
/* Writes the event channels into its page, as Xen does when it is turned on. */
void fake_set_ports(struct fake_server *s);
/* The port that is bound to a vCPU's channel, NULL: none. */
struct fake_port *fake_port_of(unsigned server, unsigned vcpu, unsigned *number);

#endif
