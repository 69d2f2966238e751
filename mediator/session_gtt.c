/* The memory of the GTT: whether the guest reaches it without traps, and where it is. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mediator/session_internal.h"
#include "vgpu/base/log.h"

/* ---- vfio-user: a memfd that the client maps */

static int open_memfd(struct session *s, char *err, size_t errsz)
{
    s->gtt_fd = memfd_create("gtmux-gtt", MFD_CLOEXEC);
    if (s->gtt_fd < 0 || ftruncate(s->gtt_fd, VGPU_GTT_SIZE))
        return session_fail(err, errsz, "cannot make the memory of the GTT (memfd)", -errno);
    s->gtt = mmap(NULL, VGPU_GTT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->gtt_fd, 0);
    if (s->gtt == MAP_FAILED) {
        s->gtt = NULL;
        return session_fail(err, errsz, "cannot map the memory of the GTT", -errno);
    }
    return 0;
}

/* ---- Xen: pages of the guest, or the state file */

/* There is a device to go on with: its GTT stays where it is, and a passing failure is for the next start to repeat. */
static int adopt_backing(struct session *s, uint64_t gfn, char *err, size_t errsz)
{
    bool kept;
    int rc = ioreq_xen_backing_open(&s->backing, (unsigned)s->opt.xen_domid, gfn, s->opt.leave_mb, err, errsz);

    if (rc == -ENOSPC) { /* the guest gave its pages away, so they are gone */
        gt_warn("%s", err);
        journal_set_gtt_gfn(s->journal, 0);
        return 0;
    }
    if (!rc)
        s->gtt = ioreq_xen_backing_memory(s->backing, &kept);
    return rc;
}

static int open_backing(struct session *s, uint64_t gfn, char *err, size_t errsz)
{
    bool kept;
    int rc = ioreq_xen_backing_open(&s->backing, (unsigned)s->opt.xen_domid, gfn, s->opt.leave_mb, err, errsz);

    if (rc) {
        gt_warn("GTT accesses of the guest trap, which is slow (Linux before 6.3 makes a million of them): %s", err);
        return 0;
    }
    s->gtt = ioreq_xen_backing_memory(s->backing, &kept);
    if (kept) /* of a device that is not gone on with */
        memset(s->gtt, 0, VGPU_GTT_SIZE);
    return 0;
}

static int open_xen(struct session *s, char *err, size_t errsz)
{
    uint64_t gfn = journal_gtt_gfn(s->journal);
    bool go_on = journal_has_old(s->journal);
    int rc = 0;

    if (go_on && gfn)
        rc = adopt_backing(s, gfn, err, errsz);
    else if (!go_on && s->opt.map_gtt && !s->opt.record)
        rc = open_backing(s, gfn, err, errsz);
    if (s->backing) {
        journal_set_gtt_gfn(s->journal, ioreq_xen_backing_gfn(s->backing));
        journal_drop_gtt(s->journal);
    } else if (!rc && !go_on) {
        journal_set_gtt_gfn(s->journal, 0);
    }
    return rc;
}

/* ---- */

int session_open_gtt(struct session *s, char *err, size_t errsz)
{
    if (s->journal)
        return open_xen(s, err, errsz);
    return s->opt.map_gtt && !s->opt.record && s->opt.vfio_user ? open_memfd(s, err, errsz) : 0;
}

/* A reset must not make 8 MiB of zeroes out of a GTT of which a guest uses a few pages. */
bool session_clear_gtt(void *session)
{
    struct session *s = session;

    return s->gtt_fd >= 0 && !madvise(s->gtt, VGPU_GTT_SIZE, MADV_REMOVE);
}

void session_close_gtt(struct session *s)
{
    if (s->backing)
        ioreq_xen_backing_close(s->backing);
    else if (s->gtt)
        munmap(s->gtt, VGPU_GTT_SIZE);
    if (s->gtt_fd >= 0)
        close(s->gtt_fd);
}
