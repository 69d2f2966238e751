/* Whose screens the guest waits for: display/server_flip.c. */
#include "server_fixture.h"

#define PROOF   8u
#define LIMIT   (50 * MS)
#define BUFFERS 3u

static const struct viewer_events paced_events = {
    .flip = on_flip, .cursor = on_cursor, .damage = on_damage, .gone = on_gone, .paced = true};

static uint32_t flips;

/* The guest flips to its next buffer; 10 ms pass. */
static void guest_flips(void)
{
    now += 10 * MS;
    ff.scanout[0].flip = ++flips;
    ff.scanout[0].flip_ns = now;
    ff.scanout[0].plane[0].ggtt = flips % BUFFERS * BUFFER;
    display_server_changed(srv, now);
    pump();
}

static void watch_paced(struct watcher *w, bool lazy)
{
    char err[128];

    *w = (struct watcher){.lazy = lazy};
    assert_int_equal(viewer_attach(&w->v, raw_connect(), 0, &paced_events, w, err, sizeof(err)), 0);
    pump();
    assert_int_equal(viewer_dispatch(w->v), 0);
    pump();
}

static void answer(struct watcher *w)
{
    assert_int_equal(viewer_dispatch(w->v), 0);
    assert_int_equal(viewer_shown(w->v, w->flip.serial), 0);
    pump();
}

/* A viewer that has its vote, and answers only when told to from now on. */
static void watch_proven(struct watcher *w)
{
    watch_paced(w, true);
    answer(w);
    for (unsigned i = 0; i < PROOF; i++) {
        guest_flips();
        answer(w);
    }
    assert_int_equal(ff.flip_wait[0], LIMIT);
}

static void the_guest_waits_until_the_picture_is_shown(void **state)
{
    struct watcher w;

    (void)state;
    watch_proven(&w);
    for (unsigned i = 0; i < 20; i++) {
        guest_flips();
        assert_int_equal(ff.told[0], flips - 1);
        now += 20 * MS;
        pump();
        assert_int_equal(ff.told[0], flips - 1);
        answer(&w);
        assert_int_equal(ff.told[0], flips);
    }
    assert_int_equal(srv->stats.late, 0);
    viewer_close(w.v);
    pump();
    assert_int_equal(ff.flip_wait[0], 0);
}

static void a_new_viewer_has_to_prove_itself(void **state)
{
    struct watcher w;

    (void)state;
    watch_paced(&w, true);
    assert_int_equal(ff.flip_wait[0], 0);
    answer(&w);
    for (unsigned i = 1; i < PROOF; i++) {
        guest_flips();
        assert_int_equal(ff.flip_wait[0], 0);
        if (i == 3) {
            now += LIMIT + MS; /* and begins again */
            answer(&w);
            for (unsigned k = 1; k < PROOF; k++) {
                guest_flips();
                assert_int_equal(ff.flip_wait[0], 0);
                answer(&w);
            }
            break;
        }
        answer(&w);
    }
    guest_flips();
    answer(&w);
    assert_int_equal(ff.flip_wait[0], LIMIT);
    viewer_close(w.v);
}

static void who_did_not_ask_for_it_is_not_waited_for(void **state)
{
    struct watcher w = {0};

    (void)state;
    watch(&w, 0);
    for (unsigned i = 0; i < 3 * PROOF; i++) {
        guest_flips();
        look(&w);
        assert_int_equal(ff.flip_wait[0], 0);
    }
    assert_int_equal(ff.tells[0], 0);
    viewer_close(w.v);
}

/* The guest waits for the slowest of them. */
static void the_guest_waits_for_all(void **state)
{
    struct watcher a, b, c = {.lazy = true};

    (void)state;
    watch_proven(&a);
    a.lazy = false;
    watch_proven(&b);
    watch(&c, 0); /* has no say */
    look(&a);
    look(&a); /* it was asleep meanwhile */
    for (unsigned i = 0; i < 5; i++) {
        guest_flips();
        look(&a);
        assert_int_equal(ff.told[0], flips - 1);
        answer(&b);
        assert_int_equal(ff.told[0], flips);
    }
    guest_flips();
    look(&a);
    assert_int_equal(ff.told[0], flips - 1);
    viewer_close(b.v); /* who leaves is not waited for */
    pump();
    assert_int_equal(ff.told[0], flips);
    viewer_close(a.v);
    viewer_close(c.v);
}

static void an_overdue_answer_is_not_waited_for(void **state)
{
    struct watcher w;

    (void)state;
    watch_proven(&w);
    guest_flips();
    now += LIMIT - MS;
    assert_in_range(pump(), now, now + 2 * MS);
    assert_int_equal(ff.flip_wait[0], LIMIT);
    now += 2 * MS;
    pump();
    assert_int_equal(ff.flip_wait[0], 0);
    guest_flips();
    assert_int_equal(ff.flip_wait[0], 0);
    answer(&w); /* late once is forgiven */
    assert_int_equal(ff.flip_wait[0], LIMIT);
    assert_int_equal(srv->stats.late, 1);
    assert_int_equal(srv->stats.votes_lost, 0);
    viewer_close(w.v);
}

static unsigned flips_until_the_vote(struct watcher *w)
{
    unsigned n = 0;

    while (!ff.flip_wait[0] && ++n < 5000) {
        guest_flips();
        answer(w);
    }
    return n;
}

static void who_is_late_all_the_time_loses_its_vote_for_ever_longer(void **state)
{
    struct watcher w;

    (void)state;
    watch_proven(&w);
    for (unsigned round = 1; round < 5; round++) {
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(ff.flip_wait[0], LIMIT);
            guest_flips();
            now += LIMIT + MS;
            answer(&w);
        }
        assert_int_equal(srv->stats.votes_lost, round);
        assert_in_range(flips_until_the_vote(&w), (PROOF << round) - 2, PROOF << round);
    }
    viewer_close(w.v);
}

/* A monitor that shows a copy does not scan out the guest's memory. */
static void copies_are_not_waited_for(void **state)
{
    struct watcher w;

    (void)state;
    watch_proven(&w);
    ff.create_error = ENODEV;
    ff.scanout[0].plane[0] = ff_plane(0, 640, 480, VGPU_TILE_X);
    guest_flips();
    assert_int_equal(ff.told[0], flips - 1); /* the last shared frame is still there */
    answer(&w);
    assert_int_equal(ff.flip_wait[0], 0);
    guest_flips();
    assert_int_equal(ff.flip_wait[0], 0);
    viewer_close(w.v);
}

static void nothing_is_waited_for_when_the_user_says_so(void **state)
{
    struct watcher w;

    (void)state;
    watch_proven(&w);
    display_server_flip_wait(srv, 0);
    pump();
    assert_int_equal(ff.flip_wait[0], 0);
    guest_flips();
    answer(&w);
    assert_int_equal(ff.flip_wait[0], 0);
    viewer_close(w.v);
}

/* Its socket is full: no flip can be told, so none can be overdue. */
static void who_reads_nothing_is_not_waited_for(void **state)
{
    struct watcher w;

    (void)state;
    watch_proven(&w);
    for (unsigned i = 0; i < 5000 && ff.flip_wait[0]; i++) { /* cursor moves fill it */
        now += 10 * MS;
        ff.scanout[0].nplanes = 2;
        ff.scanout[0].plane[1] = ff_plane(BUFFER / 2, 64, 64, VGPU_LINEAR);
        ff.scanout[0].plane[1].kind = VGPU_PLANE_CURSOR;
        ff.scanout[0].plane[1].format = VGPU_FMT_ARGB8888;
        ff.scanout[0].plane[1].alpha = true;
        ff.scanout[0].plane[1].dst_x = (int32_t)i;
        display_server_changed(srv, now);
        pump();
    }
    assert_int_equal(ff.flip_wait[0], 0);
    viewer_close(w.v);
}

static void heads_have_their_own_viewers(void **state)
{
    struct watcher w;

    (void)state;
    watch_proven(&w);
    assert_int_equal(ff.flip_wait[1], 0);
    ff.lit[1] = true;
    ff.scanout[1] = ff.scanout[0];
    ff.scanout[1].flip = 1;
    guest_flips();
    answer(&w);
    assert_int_equal(ff.tells[1], 0);
    viewer_close(w.v);
}

static void latency_is_from_the_guests_flip_to_the_answer(void **state)
{
    struct watcher w;
    struct display_stats st;

    (void)state;
    watch_paced(&w, true);
    now += 5000 * MS;
    answer(&w); /* the first picture says nothing about flips */
    for (unsigned i = 0; i < 100; i++) {
        guest_flips();
        now += i < 90 ? 5 * MS : 40 * MS;
        answer(&w);
    }
    display_server_stats(srv, &st);
    assert_int_equal(st.latency.count, 100);
    assert_in_range(latency_percentile(&st.latency, 50), 5 * MS, 6 * MS);
    assert_in_range(latency_percentile(&st.latency, 90), 5 * MS, 6 * MS);
    assert_in_range(latency_percentile(&st.latency, 99), 40 * MS, 45 * MS);
    assert_int_equal(st.latency.max_ns, 40 * MS);
    assert_int_equal(st.skipped, 0);
    guest_flips();
    guest_flips();
    guest_flips(); /* the viewer was told the first and will be told the last */
    answer(&w);
    answer(&w);
    display_server_stats(srv, &st);
    assert_int_equal(st.skipped, 1);
    viewer_close(w.v);
}

static void the_histogram_is_within_an_eighth(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < UINT64_C(30000000000); ns += ns / 7 + 1) {
        struct latency l = {0};

        latency_add(&l, ns);
        latency_add(&l, UINT64_C(33000000000));
        assert_in_range(latency_percentile(&l, 50), ns, ns + ns / 8 + 1024);
        assert_int_equal(latency_percentile(&l, 100), UINT64_C(33000000000));
    }
    struct latency l = {0};

    assert_int_equal(latency_percentile(&l, 99), 0);
    assert_int_equal(latency_mean(&l), 0);
    latency_add(&l, UINT64_MAX); /* beyond the last bucket */
    assert_true(latency_percentile(&l, 50) == UINT64_MAX);
}

static void unknown_wishes_end_the_connection(void **state)
{
    struct display_attach m = {.h = {.type = DISPLAY_ATTACH, .size = sizeof(m)},
                               .magic = DISPLAY_MAGIC,
                               .version = DISPLAY_VERSION,
                               .flags = DISPLAY_ATTACH_FLAGS + 1};
    int fd = raw_connect();
    char byte;

    (void)state;
    assert_int_equal(send(fd, &m, sizeof(m), 0), sizeof(m));
    pump();
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    assert_int_equal(srv->stats.sent_away, 1);
    close(fd);
}

/*
 * The promise itself, with three monitors that answer when they like: when the guest is told of a flip, no monitor that
 * has its vote and is not overdue reads another buffer than the one of this flip.
 */
static void no_buffer_comes_back_that_a_screen_still_reads(void **state)
{
    struct watcher w[3];
    uint32_t seed = 7, on_screen[3], told = 0;
    unsigned early = 0;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        watch_paced(&w[i], true);
    for (unsigned i = 0; i < 3; i++) {
        answer(&w[i]);
        on_screen[i] = w[i].flip.frame->id;
    }
    for (unsigned step = 0; step < 6000; step++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned who = seed >> 20 & 3;

        if (who == 3) {
            if (ff.told[0] == flips || !ff.flip_wait[0])
                guest_flips();
            else
                now += 2 * MS;
        } else {
            assert_int_equal(viewer_dispatch(w[who].v), 0);
            if (srv->viewer[who].sent != srv->viewer[who].shown && viewer_shown(w[who].v, w[who].flip.serial) == 0)
                on_screen[who] = w[who].flip.frame->id;
            now += seed >> 8 & 1 ? MS : 0;
        }
        pump();
        if (ff.told[0] == told)
            continue;
        told = ff.told[0];
        assert_int_equal(told, flips);
        early++;
        for (unsigned i = 0; i < 3; i++) {
            const struct viewer *v = &srv->viewer[i];

            if (!v->proof_left && !(v->sent != v->shown && now > v->answer_by))
                assert_int_equal(on_screen[i], srv->head[0].flat.frame->id);
        }
    }
    assert_true(early > 100);
    for (unsigned i = 0; i < 3; i++)
        viewer_close(w[i].v);
}

static int begin(void **state)
{
    flips = 0;
    return setup(state);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_guest_waits_until_the_picture_is_shown),
        CASE(a_new_viewer_has_to_prove_itself),
        CASE(who_did_not_ask_for_it_is_not_waited_for),
        CASE(the_guest_waits_for_all),
        CASE(an_overdue_answer_is_not_waited_for),
        CASE(who_is_late_all_the_time_loses_its_vote_for_ever_longer),
        CASE(copies_are_not_waited_for),
        CASE(nothing_is_waited_for_when_the_user_says_so),
        CASE(who_reads_nothing_is_not_waited_for),
        CASE(heads_have_their_own_viewers),
        CASE(latency_is_from_the_guests_flip_to_the_answer),
        CASE(the_histogram_is_within_an_eighth),
        CASE(unknown_wishes_end_the_connection),
        CASE(no_buffer_comes_back_that_a_screen_still_reads),
    };

    gt_log_set_level(GT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
