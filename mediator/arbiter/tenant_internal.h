/* Shared by mediator/arbiter/tenant*.c. */
#ifndef GTMUX_ARBITER_TENANT_INTERNAL_H
#define GTMUX_ARBITER_TENANT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "mediator/arbiter/tenant.h"

struct tenant {
    struct tenant_options opt;
    char name[ARBITER_NAME_MAX], profile[ARBITER_NAME_MAX], path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    /* Mapped for good; what is behind it changes with each registration. */
    struct arbiter_page *page;
    atomic_bool attached, stopping;
    struct {
        bool held;          /* acquired by a grant; else for want of gtmuxd */
        uint64_t since, ns; /* of this stretch, of all */
    } engine[ARBITER_ENGINES];
    _Atomic uint64_t memory, flips, refusals, heap, heap_at;
    int wake_fd;
    pthread_t thread;
    bool threaded;
    pthread_mutex_t lock;
    int sock;    /* the thread changes it, under the lock; -1: none */
    int invited; /* under the lock; -1: none */
    atomic_bool try_again;
    _Atomic uint64_t next_try, wait_ns;
};

/* tenant_link.c */
/* Asks for a new registration when it is time for one. */
void tenant_link_again(struct tenant *t);
void tenant_look(struct tenant *t); /* tells gtmuxd that words have changed */
void tenant_wake_word(struct tenant *t, unsigned engine);

#endif
