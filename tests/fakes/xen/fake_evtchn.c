/* libxenevtchn. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fakes/xen/fake_internal.h"
#include <xenevtchn.h>

/* /dev/xen/evtchn is one end of a socket pair: ports that fired come out, ports to be unmasked go in. */

struct fake_port *fake_port_of(unsigned server, unsigned vcpu, unsigned *number)
{
    for (unsigned i = 1; i < FAKE_PORTS; i++)
        if (f->port[i].bound && !f->port[i].peer && f->port[i].server == server && f->port[i].vcpu == vcpu) {
            *number = i;
            return &f->port[i];
        }
    return NULL;
}

/* Masked by the kernel as long as the program has not written it back; pending in Xen meanwhile. */
static void raise(unsigned number)
{
    struct fake_port *p = &f->port[number];
    evtchn_port_t port = number;

    if (p->masked) {
        p->pending = true;
        return;
    }
    p->masked = true;
    fake_require(send(f->evtchn[1], &port, sizeof(port), 0) == sizeof(port), "event channel descriptor");
}

void fake_xen_fire(unsigned server, unsigned vcpu)
{
    unsigned number;

    fake_xen_collect();
    pthread_mutex_lock(&f->lock);
    if (fake_port_of(server, vcpu, &number))
        raise(number);
    pthread_mutex_unlock(&f->lock);
}

bool fake_xen_readable(void)
{
    struct pollfd p = {.fd = f->evtchn[0], .events = POLLIN};

    fake_xen_collect();
    return poll(&p, 1, 0) == 1;
}

void fake_xen_collect(void)
{
    evtchn_port_t port;

    pthread_mutex_lock(&f->lock);
    while (f->evtchn[1] >= 0 && recv(f->evtchn[1], &port, sizeof(port), MSG_DONTWAIT) == sizeof(port)) {
        fake_require(port < FAKE_PORTS, "a port that was never bound is unmasked");
        struct fake_port *p = &f->port[port];

        fake_require(p->bound && p->masked, "a port that did not fire is unmasked");
        p->masked = false;
        if (p->pending) {
            p->pending = false;
            raise(port);
        }
    }
    pthread_mutex_unlock(&f->lock);
}

unsigned fake_xen_masked(void)
{
    unsigned n = 0;

    fake_xen_collect();
    for (unsigned i = 1; i < FAKE_PORTS; i++)
        n += f->port[i].bound && f->port[i].masked;
    return n;
}

struct xenevtchn_handle {
    int unused;
};
static struct xenevtchn_handle evtchn_handle;

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    (void)flags;
    if (fake_told_to_fail(FAKE_EVTCHN_OPEN))
        return NULL;
    fake_require(f->evtchn[0] < 0, "opened twice");
    fake_require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->evtchn), "socketpair");
    return &evtchn_handle;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
    if (!xce)
        return 0;
    for (unsigned i = 1; i < FAKE_PORTS; i++) {
        if (f->port[i].bound && !f->port[i].peer)
            f->server[f->port[i].server].bound[f->port[i].vcpu] = false;
        f->port[i].bound = false;
    }
    close(f->evtchn[0]);
    close(f->evtchn[1]);
    f->evtchn[0] = f->evtchn[1] = -1;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
    (void)xce;
    return f->evtchn[0];
}

static unsigned free_port(void)
{
    unsigned number = 1;

    while (f->port[number].bound)
        number++;
    fake_require(number < FAKE_PORTS, "no port left");
    return number;
}

/* Only with ourselves, which is all that the transport does. */
xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
    unsigned number = free_port();

    (void)xce;
    if (fake_told_to_fail(FAKE_BIND_SELF))
        return -1;
    fake_require(domid == DOMID_SELF, "not a channel to ourselves");
    f->port[number] = (struct fake_port){.bound = true, .peer = number};
    return (int)number;
}

static int bind_self(evtchn_port_t far)
{
    unsigned number = free_port();

    if (far >= FAKE_PORTS || f->port[far].peer != far)
        return fake_fail(EINVAL);
    f->port[number] = (struct fake_port){.bound = true, .peer = far};
    f->port[far].peer = number;
    raise(number);
    return (int)number;
}

static int bind_server(unsigned s, unsigned v)
{
    unsigned number = free_port();

    if (f->server[s].bound[v])
        return fake_fail(EINVAL);
    f->server[s].bound[v] = true;
    f->port[number] = (struct fake_port){.bound = true, .server = s, .vcpu = v};
    raise(number);
    return (int)number;
}

/* Xen marks the new local port pending at once: something may have been lost before (evtchn_bind_interdomain). */
xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote)
{
    (void)xce;
    if (domid == DOMID_SELF)
        return bind_self(remote);
    if (fake_told_to_fail(FAKE_BIND))
        return -1;
    if (f->busy_binds) {
        f->busy_binds--;
        return fake_fail(EINVAL);
    }
    if (!f->domain || domid != FAKE_DOMID)
        return fake_fail(ESRCH);
    for (unsigned s = 0; s < FAKE_SERVERS; s++)
        for (unsigned v = 0; v < f->vcpus; v++)
            if (f->server[s].used && f->server[s].port[v] == remote)
                return bind_server(s, v);
    return fake_fail(EINVAL);
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
    (void)xce;
    if (port < FAKE_PORTS && f->port[port].bound && f->port[port].peer) {
        pthread_mutex_lock(&f->lock); /* any thread */
        raise(f->port[port].peer);
        pthread_mutex_unlock(&f->lock);
        return 0;
    }
    if (fake_told_to_fail(FAKE_NOTIFY))
        return -1;
    if (port >= FAKE_PORTS || !f->port[port].bound)
        return fake_fail(ENOTCONN);
    __atomic_fetch_add(&f->port[port].notified, 1, __ATOMIC_RELEASE);
    return 0;
}
