#include "mediator/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpu/base/bits.h"
#include "vgpu/base/log.h"

#define JOURNAL_VERSION 2u
#define HEADER_BYTES    4096u
#define SLOTS           2u
#define GFN_BITS        40u
#define LOCK_TRIES      8u /* the file may be deleted just when we lock it */

static const char magic[8] = "gtmuxst";

/* In the file, so of fixed size everywhere. */
struct shape {
    uint32_t pvinfo, mappable_mb, heads;
    struct {
        uint32_t width, height, mhz;
    } mode[VGPU_HEADS];
};

struct access_record {
    uint32_t waits; /* 1: the request is not answered yet */
    uint32_t count; /* vgpu_access_count before it */
    uint32_t vcpu;
    uint8_t region, size, write, unused;
    uint64_t off, data;
};

struct header {
    char magic[8];
    uint32_t version, bytes;
    uint64_t state_size, file_size;
    uint32_t pid;
    uint32_t domid;
    char handle[JOURNAL_HANDLE_MAX];
    int32_t server;
    uint32_t live; /* 0: no slot, 1: slot A, 2: slot B */
    struct shape shape;
    struct access_record access;
    uint64_t gtt_gfn; /* where the pages of the GTT are, 0: in the file */
};

_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header has its page");

struct journal {
    int fd;
    size_t size;
    uint8_t *map;
    struct header *header; /* in map */
    bool gtt_dropped;
    uint32_t slot;              /* 1 or 2: where this process' device is */
    struct header old;          /* as it was found; old.live is 0 when there is nothing to continue */
    struct access_record again; /* the killed process' access; waits is 0 when there was none */
    uint32_t old_count;         /* of accesses that its device had done ... */
    uint64_t old_result;        /* ... and what the last one gave */
    char path[PATH_MAX];
};

static size_t slot_bytes(void)
{
    return gt_align_up(vgpu_state_size(), HEADER_BYTES);
}

static size_t file_bytes(void)
{
    return HEADER_BYTES + SLOTS * slot_bytes() + VGPU_GTT_SIZE;
}

static uint8_t *slot_at(const struct journal *j, uint32_t slot)
{
    return j->map + HEADER_BYTES + (slot - 1) * slot_bytes();
}

static uint8_t *gtt_at(const struct journal *j)
{
    return j->map + HEADER_BYTES + SLOTS * slot_bytes();
}

static int fail(char *err, size_t errsz, const char *path, const char *what, int code)
{
    snprintf(err, errsz, "state file %s: %s: %s", path, what, strerror(-code));
    return code;
}

/* ---- open and lock */

/* A file that others can reach is not a place for a guest's device. */
static int check_file(int fd, const char *path, char *err, size_t errsz)
{
    struct stat st;

    if (fstat(fd, &st))
        return fail(err, errsz, path, "cannot look at it", -errno);
    if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077))
        return 0;
    snprintf(err, errsz,
             "state file %s is not a regular file that belongs to user %u alone (mode 0600): remove it, or choose "
             "another run directory",
             path, (unsigned)geteuid());
    return -EPERM;
}

static int busy(int fd, const char *path, char *err, size_t errsz)
{
    struct header h;
    ssize_t n = pread(fd, &h, sizeof(h), 0);

    if (n == (ssize_t)sizeof(h) && !memcmp(h.magic, magic, sizeof(magic)) && h.pid)
        snprintf(err, errsz, "another gtmux-dm serves this domain, pid %" PRIu32 " (it holds %s)", h.pid, path);
    else
        snprintf(err, errsz, "another process holds %s", path);
    return -EBUSY;
}

/* True when the path still leads to the file that was locked. */
static bool still_there(int fd, const char *path)
{
    struct stat by_fd, by_path;

    return !fstat(fd, &by_fd) && !lstat(path, &by_path) && by_fd.st_ino == by_path.st_ino &&
           by_fd.st_dev == by_path.st_dev;
}

/* The locked file, or -errno. */
static int open_locked(const char *path, char *err, size_t errsz)
{
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        int rc = fd < 0 ? fail(err, errsz, path, "cannot open it", -errno) : check_file(fd, path, err, errsz);

        if (!rc && flock(fd, LOCK_EX | LOCK_NB))
            rc = errno == EWOULDBLOCK ? busy(fd, path, err, errsz) : fail(err, errsz, path, "cannot lock it", -errno);
        if (!rc && still_there(fd, path))
            return fd;
        if (fd >= 0)
            close(fd);
        if (rc)
            return rc;
    }
    return fail(err, errsz, path, "it keeps changing", -EAGAIN);
}

/* ---- what was found */

static bool text_ends(const char *s, size_t size)
{
    return memchr(s, 0, size) != NULL;
}

/* NULL: the header is one of ours. */
static const char *header_fault(const struct header *h)
{
    if (memcmp(h->magic, magic, sizeof(magic)) != 0)
        return "it is not a state file";
    if (h->version != JOURNAL_VERSION || h->bytes != sizeof(*h) || h->state_size != vgpu_state_size() ||
        h->file_size != file_bytes())
        return "another version of gtmux-dm has written it";
    if (!text_ends(h->handle, sizeof(h->handle)) || h->live > SLOTS || h->server < -1 || h->server > UINT16_MAX ||
        h->gtt_gfn >> GFN_BITS)
        return "it is damaged";
    return NULL;
}

static bool shape_ok(const struct shape *s)
{
    if (s->pvinfo > 1 || s->mappable_mb > VGPU_BAR2_SIZE >> 20 || s->heads > VGPU_HEADS)
        return false;
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        if (s->mode[i].width > VGPU_MODE_WIDTH_MAX || s->mode[i].height > VGPU_MODE_HEIGHT_MAX)
            return false;
    return true;
}

/* Takes a copy of the header, and decides on the copy. NULL: j->old is good; it may still have no live slot. */
static const char *read_header(struct journal *j, off_t size, const struct journal_identity *who)
{
    if (size != (off_t)file_bytes())
        return "its size is wrong: truncated, or written by another version of gtmux-dm";
    if (pread(j->fd, &j->old, sizeof(j->old), 0) != (ssize_t)sizeof(j->old))
        return "it cannot be read";
    const char *fault = header_fault(&j->old);

    if (fault)
        return fault;
    if (j->old.domid != who->domid || strcmp(j->old.handle, who->handle) != 0)
        return "it belongs to another guest";
    if (j->old.live && !shape_ok(&j->old.shape))
        return "it is damaged";
    return NULL;
}

static int empty_file(int fd)
{
    return ftruncate(fd, 0) ? -errno : 0;
}

/* Memory for all of it is reserved now: a write to a full tmpfs would kill the process later. */
static int reserve(struct journal *j, char *err, size_t errsz)
{
    int rc = posix_fallocate(j->fd, 0, (off_t)j->size);

    if (!rc)
        return 0;
    snprintf(err, errsz,
             "state file %s: cannot reserve its %zu MiB: %s; make room there or choose another run directory", j->path,
             j->size >> 20, strerror(rc));
    return -rc;
}

static int map_file(struct journal *j, char *err, size_t errsz)
{
    j->map = mmap(NULL, j->size, PROT_READ | PROT_WRITE, MAP_SHARED, j->fd, 0);
    if (j->map != MAP_FAILED) {
        j->header = (struct header *)(void *)j->map;
        return 0;
    }
    j->map = NULL;
    return fail(err, errsz, j->path, "cannot map it", -errno);
}

static void write_header(struct journal *j, const struct journal_identity *who)
{
    struct header *h = j->header;

    if (!j->old.live) {
        *h = (struct header){.version = JOURNAL_VERSION,
                             .bytes = sizeof(*h),
                             .state_size = vgpu_state_size(),
                             .file_size = j->size,
                             .domid = who->domid,
                             .server = j->old.server,
                             .gtt_gfn = j->old.gtt_gfn};
        memcpy(h->handle, who->handle, sizeof(h->handle));
        memcpy(h->magic, magic, sizeof(magic));
    }
    h->pid = (uint32_t)getpid();
}

static int set_up(struct journal *j, const struct journal_identity *who, char *err, size_t errsz)
{
    struct stat st;

    if (fstat(j->fd, &st))
        return fail(err, errsz, j->path, "cannot look at it", -errno);
    const char *why = st.st_size ? read_header(j, st.st_size, who) : NULL;

    if (why)
        gt_warn("state file %s is not continued: %s", j->path, why);
    if (why || !st.st_size)
        j->old = (struct header){.server = -1};
    int rc = j->old.live ? 0 : empty_file(j->fd);

    if (rc)
        return fail(err, errsz, j->path, "cannot empty it", rc);
    if ((rc = reserve(j, err, errsz)) || (rc = map_file(j, err, errsz)))
        return rc;
    j->slot = j->old.live == 1 ? 2 : 1;
    if (j->old.live)
        j->again = j->old.access;
    write_header(j, who);
    return 0;
}

int journal_open(struct journal **out, const char *path, const struct journal_identity *who, char *err, size_t errsz)
{
    struct journal *j;

    *out = NULL;
    if (!text_ends(who->handle, sizeof(who->handle)) || strlen(path) >= sizeof(j->path))
        return fail(err, errsz, path, "its name or the guest's is too long", -ENAMETOOLONG);
    j = calloc(1, sizeof(*j));
    if (!j)
        return fail(err, errsz, path, "cannot use it", -ENOMEM);
    snprintf(j->path, sizeof(j->path), "%s", path);
    j->size = file_bytes();
    j->fd = open_locked(path, err, errsz);
    int rc = j->fd < 0 ? j->fd : set_up(j, who, err, errsz);
    if (rc) {
        journal_close(j, false);
        return rc;
    }
    *out = j;
    return 0;
}

/* ---- the device */

void *journal_old_state(struct journal *j)
{
    void *copy = j->old.live ? malloc(vgpu_state_size()) : NULL;

    if (!copy) {
        if (j->old.live) {
            gt_err("no memory to continue the device in %s", j->path);
            journal_discard(j);
        }
        return NULL;
    }
    memcpy(copy, slot_at(j, j->old.live), vgpu_state_size());
    j->old_count = vgpu_access_count(copy, &j->old_result);
    return copy;
}

bool journal_has_old(const struct journal *j)
{
    return j->old.live;
}

void journal_config(struct journal *j, struct vgpu_config *cfg)
{
    const struct shape *s = &j->old.shape;

    memset(slot_at(j, j->slot), 0, slot_bytes());
    cfg->state = slot_at(j, j->slot);
    cfg->gtt = gtt_at(j);
    if (!j->old.live)
        return;
    cfg->pvinfo = s->pvinfo;
    cfg->mappable_mb = s->mappable_mb;
    cfg->heads = s->heads;
    for (unsigned i = 0; i < VGPU_HEADS; i++)
        cfg->modes[i] = (struct vgpu_mode){
            .width = (uint16_t)s->mode[i].width, .height = (uint16_t)s->mode[i].height, .mhz = s->mode[i].mhz};
}

static void store32(uint32_t *to, uint32_t val)
{
    __atomic_store_n(to, val, __ATOMIC_SEQ_CST);
}

void journal_discard(struct journal *j)
{
    store32(&j->header->live, 0);
    if (!j->gtt_dropped)
        memset(gtt_at(j), 0, VGPU_GTT_SIZE);
    j->old.live = 0;
    j->again.waits = 0;
}

void journal_commit(struct journal *j, const struct vgpu_config *cfg)
{
    struct shape s = {.pvinfo = cfg->pvinfo, .mappable_mb = cfg->mappable_mb, .heads = cfg->heads};

    for (unsigned i = 0; i < VGPU_HEADS; i++) {
        s.mode[i].width = cfg->modes[i].width;
        s.mode[i].height = cfg->modes[i].height;
        s.mode[i].mhz = cfg->modes[i].mhz;
    }
    if (!j->old.live)
        j->header->shape = s;
    store32(&j->header->live, j->slot);
    j->old.live = 0;
}

int journal_server(const struct journal *j)
{
    return j->header->server;
}

void journal_set_server(struct journal *j, int id)
{
    store32((uint32_t *)&j->header->server, (uint32_t)id);
}

uint64_t journal_gtt_gfn(const struct journal *j)
{
    return __atomic_load_n(&j->header->gtt_gfn, __ATOMIC_RELAXED);
}

void journal_set_gtt_gfn(struct journal *j, uint64_t gfn)
{
    __atomic_store_n(&j->header->gtt_gfn, gfn, __ATOMIC_SEQ_CST);
}

void journal_drop_gtt(struct journal *j)
{
    /* Where the file system cannot, the memory is wasted, and that is all. */
    if (madvise(gtt_at(j), VGPU_GTT_SIZE, MADV_REMOVE))
        gt_debug("state file %s keeps its unused part: %s", j->path, strerror(errno));
    j->gtt_dropped = true;
}

/* ---- accesses */

static bool same_access(const struct access_record *r, const struct ioreq_access *a)
{
    return r->vcpu == a->vcpu && r->region == a->region && r->size == a->size && r->write == a->write &&
           r->off == a->off && (!a->write || r->data == a->data);
}

bool journal_access_done(struct journal *j, struct ioreq_access *a)
{
    if (!j->again.waits || !a->again || !same_access(&j->again, a))
        return false;
    j->again.waits = 0;
    if (j->old_count != j->again.count + 1)
        return false;
    if (!a->write)
        a->data = j->old_result;
    return true;
}

void journal_access_begin(struct journal *j, const struct ioreq_access *a)
{
    struct access_record *r = &j->header->access;
    uint64_t result;

    if (a->region == IOREQ_CONFIG)
        return;
    store32(&r->waits, 0);
    r->count = vgpu_access_count((const struct vgpu *)(const void *)slot_at(j, j->slot), &result);
    r->vcpu = a->vcpu;
    r->region = a->region;
    r->size = a->size;
    r->write = a->write;
    r->off = a->off;
    r->data = a->data;
    store32(&r->waits, 1);
}

void journal_access_answered(struct journal *j)
{
    store32(&j->header->access.waits, 0);
}

void journal_close(struct journal *j, bool remove)
{
    if (!j)
        return;
    if (j->old.live)
        remove = false; /* never committed: what is there is still the guest's device, for the next to continue */
    if (j->map) {
        if (remove)
            store32(&j->header->live, 0);
        munmap(j->map, j->size);
    }
    if (remove && unlink(j->path) && errno != ENOENT)
        gt_debug("state file %s stays: %s", j->path, strerror(errno));
    if (j->fd >= 0)
        close(j->fd);
    free(j);
}
