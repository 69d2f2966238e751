/*
 * Killed between any two instructions. A script - what a guest's processor and the engine and display threads would do
 * - runs on memory that is write-protected, so that it stops at each store. The instruction is let through alone, and
 * then memory is as a process would leave it that is killed there: a new device adopts a copy, carries out the rest of
 * the script, and all that the guest can tell is checked.
 */
#include "adopt_script.h"

#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

/* ---- which deaths are worth a try: those that leave something new to a new process */

struct range {
    const uint8_t *now;
    uint8_t *last;
    size_t size;
};

#define MAX_RANGES 64
static struct range ranges[MAX_RANGES];
static unsigned nranges;

static void watch(const void *at, size_t size)
{
    assert_true(nranges < MAX_RANGES);
    struct range *r = &ranges[nranges++];

    *r = (struct range){at, malloc(size), size};
    assert_non_null(r->last);
    memcpy(r->last, at, size);
}

/* Without what is not adopted: translations, copies of commands and images. */
static void watch_all(const struct vgpu *v)
{
    watch(v, offsetof(struct vgpu, engine));
    for (unsigned i = 0; i < VGPU_BCS + 1; i++) {
        const struct vgpu_engine *e = &v->engine[i];

        watch(e->elsp, offsetof(struct vgpu_engine, attention) - offsetof(struct vgpu_engine, elsp));
        watch(&e->undo, offsetof(struct vgpu_engine, slot) - offsetof(struct vgpu_engine, undo));
    }
    watch(&v->display.pipe[0], offsetof(struct vgpu_pipe, precise) + 16);
    watch(&v->display.head[0].link, sizeof(struct vgpu_dp_link));
    watch(&v->display.head[0].ddc, sizeof(struct vgpu_ddc));
    watch(v->regs, 0x24000);
    watch(v->regs + reg_off(R_GEN8_MASTER_IRQ, 0, 0) / 4, GM_PAGE);
    watch(v->regs + reg_off(R_PREC_PAL_INDEX, 0, 0) / 4, GM_PAGE);
    watch(v->regs + reg_off(R_TRANSCONF, 0, 0) / 4, GM_PAGE);
    watch(v->regs + reg_off(R_DDI_BUF_CTL, 1, 0) / 4, 0x100);
    watch(v->regs + reg_off(R_SDEISR, 0, 0) / 4, 2 * GM_PAGE);
    watch(v->regs + reg_off(R_PCODE_MAILBOX, 0, 0) / 4, 64);
    watch(world.ram, RAM_USED);
    watch(shared, sizeof(*shared));
}

static bool changed(void)
{
    bool any = false;

    for (unsigned i = 0; i < nranges; i++) {
        struct range *r = &ranges[i];

        if (!memcmp(r->now, r->last, r->size))
            continue;
        memcpy(r->last, r->now, r->size);
        any = true;
    }
    return any;
}

/* The rest of the script in a new process, as it were: nothing of the world itself is changed. */
static void try_order(unsigned long store_number, bool engines_first)
{
    static uint8_t ram[GM_RAM], gtt[VGPU_GTT_SIZE], *old; /* kept: fresh memory costs more than all the rest */
    struct shared s = *shared;
    struct world copy = {.ram = ram, .gtt = gtt};
    struct guest *g = world_guest(&copy);
    struct player p = {g, &s};
    struct vgpu_config cfg = world_config(g, &copy);
    char err[256] = "";

    if (!old)
        old = world_copy_state(&world);
    memcpy(old, world.state, vgpu_state_size());
    memcpy(ram, world.ram, RAM_USED);
    memcpy(gtt, world.gtt, GTT_USED);
    g->ops.payload = soft_payload;
    g->now = s.now;
    if (vgpu_adopt(&g->v, &cfg, old, err, sizeof(err)))
        fail_msg("store %lu: %s", store_number, err);
    vgpu_resume(g->v);
    if (engines_first)
        for (unsigned i = 0; i < VGPU_ENGINES; i++)
            gm_run(g, i, 1000, 50);
    if (!play_rest(&p))
        fail_msg("killed after store %lu: operation %u (%s) goes wrong", store_number, s.pc / 2,
                 script[s.pc / 2].what ? script[s.pc / 2].what : "");
    check_end(g);
    vgpu_destroy(g->v);
    free(g);
}

/* The request of the killed process may come before the engines' threads are awake, or after. */
static void try_here(unsigned long store_number)
{
    try_order(store_number, false);
    try_order(store_number, true);
}

/* ---- one store at a time */

/* An exception after the next instruction. False: this processor has none that we know of. */
static bool trap_next(ucontext_t *c, bool on)
{
#ifdef __x86_64__
    const greg_t trap_flag = 0x100;

    c->uc_mcontext.gregs[REG_EFL] = (c->uc_mcontext.gregs[REG_EFL] & ~trap_flag) | (on ? trap_flag : 0);
    return true;
#else
    (void)c;
    (void)on;
    return false;
#endif
}

static struct {
    uint8_t *map;
    size_t size;
    uint8_t *open[4]; /* pages that the present instruction may write to */
    unsigned opened;
    unsigned long stores, tried;
} box;

/* A page and its neighbour: a store may lie across. */
static void protect(uint8_t *page, bool lock)
{
    size_t size = GT_MIN((size_t)2 * GM_PAGE, (size_t)(box.map + box.size - page));

    if (mprotect(page, size, lock ? PROT_READ : PROT_READ | PROT_WRITE))
        abort();
}

static void before_store(int sig, siginfo_t *info, void *context)
{
    uint8_t *at = info->si_addr;
    ucontext_t *c = context;

    if (at < box.map || at >= box.map + box.size || box.opened == GT_ARRAY_SIZE(box.open)) {
        signal(sig, SIG_DFL); /* a real fault: it comes again */
        return;
    }
    box.open[box.opened] = at - (uintptr_t)at % GM_PAGE;
    protect(box.open[box.opened++], false);
    trap_next(c, true);
}

static void after_store(int sig, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)sig;
    (void)info;
    trap_next(c, false);
    box.stores++;
    if (changed()) {
        try_here(box.stores);
        box.tried++;
    }
    while (box.opened)
        protect(box.open[--box.opened], true);
}

static void catch_stores(void)
{
    struct sigaction segv = {.sa_flags = SA_SIGINFO | SA_NODEFER, .sa_sigaction = before_store};
    struct sigaction trap = {.sa_flags = SA_SIGINFO | SA_NODEFER, .sa_sigaction = after_store};

    assert_int_equal(sigaction(SIGSEGV, &segv, NULL), 0);
    assert_int_equal(sigaction(SIGTRAP, &trap, NULL), 0);
}

static struct guest *set_up(void)
{
    box.size = vgpu_state_size() + GM_RAM + GM_PAGE;
    box.map = world_map(box.size);
    world = (struct world){box.map, world_map(VGPU_GTT_SIZE), box.map + vgpu_state_size()};
    shared = (struct shared *)(void *)(world.ram + GM_RAM);
    soft = backend_soft_create(1);

    struct guest *g = world_guest(&world);

    g->ops.payload = soft_payload;
    g->now = shared->now = 1000000000;
    world_create(g, &world);
    hws[VGPU_RCS] = gm_engine_up(g, VGPU_RCS);
    hws[VGPU_BCS] = gm_engine_up(g, VGPU_BCS);
    ctx_a = gm_context(g, VGPU_RCS, 1, 1);
    ctx_b = gm_context(g, VGPU_RCS, 2, 1);
    ctx_c = gm_context(g, VGPU_BCS, 3, 1);
    vgpu_mmio_write(g->v, reg_off(R_GEN8_GT_IMR, 0, 0), 4, 0);
    write_script(g);
    assert_true(g->next <= RAM_USED);
    return g;
}

static void tear_down(struct guest *g)
{
    vgpu_destroy(g->v);
    free(g);
    soft->ops->destroy(soft);
    for (unsigned i = 0; i < nranges; i++)
        free(ranges[i].last);
    munmap(world.gtt, VGPU_GTT_SIZE);
    munmap(box.map, box.size);
}

static void killed_after_each_store(void **state)
{
    ucontext_t scratch = {0};

    (void)state;
    if (!trap_next(&scratch, false))
        skip();
    struct guest *g = set_up();
    struct player p = {g, shared};

    watch_all(g->v);
    catch_stores();
    assert_int_equal(mprotect(box.map, box.size, PROT_READ), 0);
    bool ok = play(&p, 0);

    assert_int_equal(mprotect(box.map, box.size, PROT_READ | PROT_WRITE), 0);
    signal(SIGSEGV, SIG_DFL);
    assert_true(ok);
    try_here(box.stores);
    print_message("%lu stores, %lu deaths survived\n", box.stores, box.tried + 1);
    assert_true(box.tried > 1000);
    tear_down(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_after_each_store)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
