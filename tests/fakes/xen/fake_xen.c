#include "tests/fakes/xen/fake_xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xentoolcore.h>

#include "tests/fakes/xen/fake_internal.h"

struct fake_xen fake_xen;

void fake_require(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fake Xen: %s\n", what);
    abort();
}

int fake_fail(int code)
{
    errno = code;
    return -1;
}

/* Counts a call; nonzero: it is to fail. */
int fake_told_to_fail(enum fake_call c)
{
    f->calls[c]++;
    if (f->fail[c])
        errno = f->fail[c];
    return f->fail[c];
}

/* ---- servers */

int fake_dm_op(enum fake_call c, domid_t domid)
{
    if (fake_told_to_fail(c))
        return -1;
    if (f->restricted >= 0 && domid != f->restricted)
        return fake_fail(EPERM);
    if (!f->domain || domid != FAKE_DOMID)
        return fake_fail(ESRCH);
    if (!f->hvm)
        return fake_fail(EINVAL);
    return f->privileged ? 0 : fake_fail(EPERM);
}

struct fake_server *fake_find_server(ioservid_t id)
{
    if (id < FAKE_SERVERS && f->server[id].used)
        return &f->server[id];
    errno = ENOENT;
    return NULL;
}

/* ---- life */

void fake_xen_start(void)
{
    *f = (struct fake_xen){
        .domain = true, .hvm = true, .privileged = true, .vcpus = 2, .evtchn = {-1, -1}, .restricted = -1, .intx = -1};
    pthread_mutex_init(&f->lock, NULL);
    f->ram = memfd_create("fake-domain", MFD_CLOEXEC);
    fake_require(f->ram >= 0 && !ftruncate(f->ram, (off_t)FAKE_FRAMES * PAGE), "no memory");
    f->ram_ptr = mmap(NULL, (size_t)FAKE_FRAMES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->ram, 0);
    fake_require(f->ram_ptr != MAP_FAILED, "no memory");
    fake_memory_start();
}

void fake_xen_stop(void)
{
    fake_require(!f->maps, "guest memory is still mapped: the domain would stay a zombie");
    fake_require(!f->resources, "an ioreq page is still mapped: the domain would stay a zombie");
    fake_require(!f->dm_handles && !f->fm_handles && !f->call_handles && f->evtchn[0] < 0,
                 "a library handle is still open");
    for (unsigned i = 0; i < FAKE_SERVERS; i++)
        free(f->server[i].page);
    munmap(f->ram_ptr, (size_t)FAKE_FRAMES * PAGE);
    close(f->ram);
    pthread_mutex_destroy(&f->lock);
}

void fake_free_server(struct fake_server *s)
{
    for (unsigned i = 1; i < FAKE_PORTS; i++)
        if (f->port[i].bound && !f->port[i].peer && f->port[i].server == (unsigned)(s - f->server))
            f->port[i].bound = false;
    memcpy(f->last_page, s->page, PAGE);
    f->last_enabled = s->enabled;
    free(s->page);
    *s = (struct fake_server){.used = false};
}

void fake_xen_kill_domain(void)
{
    for (unsigned i = 0; i < FAKE_SERVERS; i++) {
        /* The page itself lives as long as it is mapped. */
        f->server[i].used = f->server[i].enabled = false;
    }
    f->domain = false;
}

void fake_set_ports(struct fake_server *s)
{
    for (unsigned v = 0; v < f->vcpus; v++)
        s->page[v].vp_eport = s->port[v];
}

int fake_new_server(void)
{
    unsigned i = 0;

    while (i < FAKE_SERVERS && f->server[i].used)
        i++;
    if (i == FAKE_SERVERS)
        return fake_fail(ENOSPC);
    free(f->server[i].page);
    f->server[i] = (struct fake_server){.used = true, .gfn = UINT64_MAX};
    f->server[i].page = aligned_alloc(PAGE, PAGE);
    fake_require(f->server[i].page, "no memory");
    memset(f->server[i].page, 0, PAGE);
    for (unsigned v = 0; v < f->vcpus; v++)
        f->server[i].port[v] = 100 + i * FAKE_VCPUS + v;
    return (int)i;
}

unsigned fake_xen_make_server(bool bound)
{
    int i = fake_new_server();

    fake_require(i >= 0, "no server left");
    f->server[i].enabled = true;
    fake_set_ports(&f->server[i]);
    for (unsigned v = 0; v < f->vcpus; v++)
        f->server[i].bound[v] = bound;
    return (unsigned)i;
}

void fake_xen_kill_begin(void)
{
    for (unsigned i = 0; i < FAKE_SERVERS; i++)
        if (f->server[i].used)
            memcpy(f->saved[i], f->server[i].page, PAGE);
    f->killing = true;
}

void fake_xen_kill_end(void)
{
    f->killing = false;
    for (unsigned i = 0; i < FAKE_SERVERS; i++)
        if (f->server[i].used)
            memcpy(f->server[i].page, f->saved[i], PAGE);
}

/* ---- what the guest does */

void fake_xen_send(unsigned server, unsigned vcpu, const struct xen_slot *req)
{
    struct xen_slot *slot = &f->server[server].page[vcpu];

    fake_require(!xen_slot_state(slot), "the vCPU has a request already");
    slot->addr = req->addr;
    slot->data = req->data;
    slot->count = req->count;
    slot->size = req->size;
    slot->type = req->type;
    uint8_t flags = req->flags & XEN_SLOT_STATE ? req->flags : (uint8_t)(req->flags | XEN_READY);

    __atomic_store_n(&slot->flags, flags, __ATOMIC_RELEASE);
    fake_xen_fire(server, vcpu);
}

bool fake_xen_answered(unsigned server, unsigned vcpu, uint64_t *data)
{
    struct xen_slot *slot = &f->server[server].page[vcpu];
    unsigned number;
    struct fake_port *p = fake_port_of(server, vcpu, &number);

    if (!p || !__atomic_load_n(&p->notified, __ATOMIC_ACQUIRE) || xen_slot_state(slot) != XEN_RESP_READY)
        return false;
    p->notified = 0;
    if (data)
        *data = slot->data;
    __atomic_store_n(&slot->flags, (uint8_t)(slot->flags & ~XEN_SLOT_STATE), __ATOMIC_RELEASE);
    return true;
}

int fake_xen_select(unsigned type, uint64_t start, uint64_t end)
{
    for (unsigned s = FAKE_SERVERS; s-- > 0;)
        for (unsigned i = 0; f->server[s].enabled && i < f->server[s].ranges; i++) {
            const struct fake_range *r = &f->server[s].range[i];
            if (r->type == type && start >= r->start && end <= r->end)
                return (int)s;
        }
    return -1;
}

/* ---- libxentoolcore */

int xentoolcore_restrict_all(domid_t domid)
{
    if (fake_told_to_fail(FAKE_RESTRICT))
        return -1;
    f->restricted = domid;
    return 0;
}
