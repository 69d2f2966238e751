/*
 * The state file of a device whose guest outlives its gtmux-dm (Xen): shared memory on a tmpfs in which the device
 * lives, so that running costs nothing and a process that is killed leaves everything behind.
 *
 * The file (mode 0600, flock held as long as the process lives, so two cannot serve one domain):
 *   header    what the file is, whose device it is, the device's shape, the ioreq server, the access in progress
 *   slot A, B two device states (vgpu_state_size); one is live. Another process builds its device in the other one and
 *             then switches with one store, so being killed in the middle of that loses nothing either
 *   GTT       VGPU_GTT_SIZE, shared by both; or it lies in pages of the guest, and the header says where
 * Every byte of it may have been written by a guest that took the killed process over: nothing is used unchecked.
 *
 * How a session uses it, in this order:
 *
 *     journal_open(&j, path, &who, err, errsz)              before the sandbox closes; no path is needed afterwards
 *     journal_config(j, &cfg)                               state, gtt; of an earlier device also the shape
 *     if ((old = journal_old_state(j)))                     there is a device to continue
 *         rc = gate_adopt(&gate, &cfg, &host, old, ...)
 *         free(old)
 *         on -ESTALE: journal_discard(j), journal_config(j, &cfg), go on as without `old`
 *     else
 *         rc = gate_create(&gate, &cfg, &host, NULL, ...)
 *     transport: adopt journal_server(j), -1: make one;  journal_set_server(j, id)
 *     ... everything that can fail
 *     journal_commit(j, &cfg)                               from here on this process' device is the one to continue
 *     gate_resume(gate)                                     (no effect on a new device)
 *     the first dispatch of the transport
 *
 * Up to the commit nothing has happened to the old device, and a start that fails leaves it to the next process.
 *
 *     each access (ioreq_events.access), on the trap thread:
 *         if (journal_access_done(j, a)) return;            only ever true for a->again
 *         journal_access_begin(j, a)
 *         gate_access(gate, a)
 *     ioreq_events.answered:
 *         journal_access_answered(j)
 *
 *     at the end: gate_destroy(gate), then journal_close(j, true)
 *
 * Accesses. Xen leaves the request of a killed process in its slot, in state INPROCESS, and the next process finds it
 * there. Whether it was carried out is known from two places: the record here ("vCPU 1 waits for this access, begun
 * when the device had done N") and the device's own count, which the last store of every access moves on
 * (vgpu_access_count). Equal to N: the device has rolled back what the access had begun, it is to be carried out. N +
 * 1: it is done, and its result is known. The transport's part, for each request:
 *     1. take it up: state READY -> INPROCESS
 *     2. events.access, once or (rep) several times
 *     3. put the answer into the slot, state -> RESP_READY
 *     4. events.answered, before any other request is taken up
 * and after adopting a server: the first look at each slot sets `again` in the accesses of a request that is found in
 * state INPROCESS. A record that is there although its request was answered (killed between 3 and 4) can only meet a
 * new request in state READY, so without `again`; a request that was taken up but not begun (between 1 and 2) meets no
 * record. A rep request starts again at its first element: harmless but for registers that do something at each write,
 * which nobody uses so. Configuration space can be written and read twice and is left out, so a transport may read it
 * for itself at any time.
 */
#ifndef GTMUX_MEDIATOR_JOURNAL_H
#define GTMUX_MEDIATOR_JOURNAL_H

#include "ioreq/transport.h"
#include "vgpu/vgpu.h"

#define JOURNAL_HANDLE_MAX 64u

/* Whose device it is: a domain id is used again, a handle (UUID, or what else stays for one start of one guest) is not.
 */
struct journal_identity {
    unsigned domid;
    char handle[JOURNAL_HANDLE_MAX]; /* 0-terminated */
};

struct journal;

/*
 * Creates or takes over the file. What is found there and cannot be continued (another guest's, another version's,
 * damaged) is logged and replaced by an empty one. 0 or -errno with a message: -EBUSY another process has it, -EPERM it
 * is not a file of ours alone, -ENOSPC, ...
 */
int journal_open(struct journal **out, const char *path, const struct journal_identity *who, char *err, size_t errsz);
/* Private copy of the state that an earlier process left, to be freed; NULL: there is none (or no memory for it: then
 * it is discarded). */
void *journal_old_state(struct journal *j);
/* True: an earlier process left a device, which was neither taken up (journal_commit) nor discarded. */
bool journal_has_old(const struct journal *j);
/* Sets cfg->state (empty) and cfg->gtt; when there is an earlier device also what shaped it: pvinfo, mappable_mb, heads
 * and modes. */
void journal_config(struct journal *j, struct vgpu_config *cfg);
/* Forgets the earlier device, but not its ioreq server. */
void journal_discard(struct journal *j);
/* The device in cfg->state is the live one from now on. */
void journal_commit(struct journal *j, const struct vgpu_config *cfg);

/* Id of the ioreq server, -1: none. */
int journal_server(const struct journal *j);
void journal_set_server(struct journal *j, int id);

/* Guest page number of the first of the pages that the GTT lies in, as last set; 0: in the file. Any value below 2^40.
 */
uint64_t journal_gtt_gfn(const struct journal *j);
void journal_set_gtt_gfn(struct journal *j, uint64_t gfn);
/* The GTT does not lie in the file: its part there takes no memory from now on and is not to be touched. */
void journal_drop_gtt(struct journal *j);

/* ---- trap thread; see above */
/* True: the access has been carried out by the killed process, and a->data is its result. */
bool journal_access_done(struct journal *j, struct ioreq_access *a);
void journal_access_begin(struct journal *j, const struct ioreq_access *a);
void journal_access_answered(struct journal *j);

/* Unmaps and unlocks; the device in cfg->state must be gone. remove: tries to delete the file, too (it may be out of
 * reach), unless it holds an earlier device that was neither continued (journal_commit) nor discarded. NULL is fine. */
void journal_close(struct journal *j, bool remove);

#endif
