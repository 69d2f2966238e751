/* The backend's state of a context (vgpu_exec_state): kept apart, saved when changed, not trusted, free when unused. */
#include "guestmem.h"
#include "vgpu/exec.h"

#define STATE_PAGES (VGPU_BACKEND_BYTES / GM_PAGE)
#define COMMAND     gm_hdr(C_3DSTATE_VF_TOPOLOGY, 2), 0

struct env {
    struct guest *g;
    struct gm_ctx a, b;
    uint64_t a_state, b_state; /* guest physical, behind the register page */
    /* what the next payload does */
    bool ask, change;
    uint8_t fill;
    /* what it saw */
    bool fresh;
    uint8_t first, last;
    struct vgpu_ops ops;
};

static enum vgpu_payload payload(void *host, struct vgpu_exec *x, int id, const uint32_t *dw, unsigned n)
{
    struct env *t = ((struct guest *)host)->test;

    (void)id, (void)dw, (void)n;
    if (!t->ask)
        return VGPU_PAYLOAD_DONE;
    uint8_t *s = vgpu_exec_state(x, &t->fresh);

    t->first = s[0];
    t->last = s[VGPU_BACKEND_BYTES - 1];
    if (t->change) {
        memset(s, t->fill, VGPU_BACKEND_BYTES);
        vgpu_exec_state_changed(x);
    }
    return VGPU_PAYLOAD_DONE;
}

/* A context of guestmem.h whose image has the backend's pages; its ring moves out of their way. */
static struct gm_ctx context(struct guest *g, unsigned n, uint64_t *state)
{
    struct gm_ctx c = gm_context(g, VGPU_RCS, n, 1);

    *state = gm_alloc(g, STATE_PAGES);
    c.ring = c.lrca + 0x8000;
    gm_ggtt_map(g, c.ring, c.ring_gpa, 1);
    gm_ggtt_map(g, c.lrca + 2 * GM_PAGE, *state, STATE_PAGES);
    gm_image(g, &c)[GM_START] = c.ring;
    return c;
}

static int setup(void **state)
{
    struct env *t = calloc(1, sizeof(*t));

    t->g = gm_new();
    t->g->test = t;
    t->g->ops.payload = payload;
    gm_engine_up(t->g, VGPU_RCS);
    t->a = context(t->g, 1, &t->a_state);
    t->b = context(t->g, 2, &t->b_state);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct env *t = *state;

    gm_free(t->g);
    free(t);
    return 0;
}

static void run(struct env *t, struct gm_ctx *c)
{
    GM_EMIT(t->g, c, COMMAND);
    gm_submit(t->g, c, NULL);
    assert_int_equal(gm_run(t->g, VGPU_RCS, 1000, 100), VGPU_RUN_IDLE);
}

static void change(struct env *t, struct gm_ctx *c, uint8_t fill)
{
    t->ask = t->change = true;
    t->fill = fill;
    run(t, c);
}

static void look(struct env *t, struct gm_ctx *c)
{
    t->ask = true;
    t->change = false;
    run(t, c);
}

static void a_new_context_has_zeros_and_keeps_its_own(void **state)
{
    struct env *t = *state;

    change(t, &t->a, 0x11);
    assert_int_equal(t->first | t->last, 0);
    change(t, &t->b, 0x22);
    assert_int_equal(t->first | t->last, 0);
    look(t, &t->a);
    assert_int_equal(t->first, 0x11);
    assert_int_equal(t->last, 0x11);
    look(t, &t->b);
    assert_int_equal(t->first, 0x22);
    assert_int_equal(t->last, 0x22);
}

static void a_copied_image_brings_its_state(void **state)
{
    struct env *t = *state;

    change(t, &t->a, 0x33); /* i915 copies the whole image of its first context */
    memcpy(gm_dw(t->g, t->b_state), gm_dw(t->g, t->a_state), VGPU_BACKEND_BYTES);
    memcpy(gm_image(t->g, &t->b) + 0x200, gm_image(t->g, &t->a) + 0x200, 0x800);
    gm_image(t->g, &t->b)[GM_CTX_CONTROL] = 0x00090008;
    look(t, &t->b);
    assert_int_equal(t->first, 0x33);
}

static void restore_inhibit_forgets_it(void **state)
{
    struct env *t = *state;

    change(t, &t->a, 0x44);
    gm_image(t->g, &t->a)[GM_CTX_CONTROL] |= 0x00010001;
    look(t, &t->a);
    assert_int_equal(t->first, 0);
    look(t, &t->a);
    assert_int_equal(t->first, 0);
}

static void fresh_is_told_once_for_each_load(void **state)
{
    struct env *t = *state;

    GM_EMIT(t->g, &t->a, COMMAND);
    look(t, &t->a); /* two commands in one load: the second one sees it */
    assert_false(t->fresh);
    look(t, &t->a);
    assert_true(t->fresh);
}

static void who_does_not_ask_pays_nothing(void **state)
{
    struct env *t = *state;

    memset(gm_dw(t->g, t->a_state), 0x5a, VGPU_BACKEND_BYTES);
    t->ask = false;
    run(t, &t->a);
    assert_int_equal(*gm_dw(t->g, t->a_state), 0x5a5a5a5a);
    look(t, &t->a); /* asked for, not changed: nothing is written; what lay there before is not the context's */
    assert_int_equal(t->first, 0);
    assert_int_equal(*gm_dw(t->g, t->a_state), 0x5a5a5a5a);
}

static void an_unchanged_state_is_not_saved_again(void **state)
{
    struct env *t = *state;

    change(t, &t->a, 0x66);
    *gm_dw(t->g, t->a_state) = 0x77777777; /* the guest's to change */
    look(t, &t->a);
    assert_int_equal(t->first, 0x77);
    assert_int_equal(t->last, 0x66);
    assert_int_equal(*gm_dw(t->g, t->a_state), 0x77777777);
}

static void an_image_without_room_loses_it_and_no_more(void **state)
{
    struct env *t = *state;

    for (unsigned i = 0; i < STATE_PAGES; i++)
        t->g->v->gtt[t->a.lrca / GM_PAGE + 2 + i] = 0;
    change(t, &t->a, 0x99);
    look(t, &t->a);
    assert_int_equal(t->first, 0);
    assert_int_equal(t->g->v->engine[VGPU_RCS].state, ENGINE_IDLE);
}

static void a_forged_size_is_no_state(void **state)
{
    struct env *t = *state;
    uint32_t *area;

    change(t, &t->a, 0xaa);
    area = gm_image(t->g, &t->a) + 0x200;
    assert_int_equal(area[7], VGPU_BACKEND_BYTES);
    area[7] = VGPU_BACKEND_BYTES + 4096;
    look(t, &t->a);
    assert_int_equal(t->first, 0);
}

static void an_engine_reset_drops_it(void **state)
{
    struct env *t = *state;

    change(t, &t->a, 0xbb);
    vgpu_engine_reset(t->g->v, VGPU_RCS);
    assert_false(t->g->v->engine[VGPU_RCS].backend.loaded);
    assert_false(t->g->v->engine[VGPU_RCS].backend.dirty);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_context_has_zeros_and_keeps_its_own),
        T(a_copied_image_brings_its_state),
        T(restore_inhibit_forgets_it),
        T(fresh_is_told_once_for_each_load),
        T(who_does_not_ask_pays_nothing),
        T(an_unchanged_state_is_not_saved_again),
        T(an_image_without_room_loses_it_and_no_more),
        T(a_forged_size_is_no_state),
        T(an_engine_reset_drops_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
