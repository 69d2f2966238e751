/* The display socket: a server with a guest of tests/unit/frame_fixture.h, and our own viewers or hostile ones. */
#include "server_fixture.h"

#include <sys/resource.h>

/* ---- what viewers get */

static void a_viewer_is_told_what_its_head_shows(void **state)
{
    struct watcher w = {0};

    (void)state;
    watch(&w, 0);
    assert_int_equal(w.flips, 1);
    assert_true(w.flip.frame->shared);
    assert_int_equal(w.flip.frame->bytes, 640 * 480 * 4);
    assert_int_equal(w.flip.width, 640);
    assert_int_equal(w.flip.height, 480);
    assert_int_equal(w.flip.mhz, 60000);
    assert_null(w.cursor.frame);
    ff.lit[0] = false;
    change();
    look(&w);
    assert_int_equal(w.flips, 2);
    assert_null(w.flip.frame);
    viewer_close(w.v);
    assert_int_equal(w.gone, 1);
}

static void a_thousand_flips_hand_over_two_frames(void **state)
{
    struct watcher w = {0};
    struct display_stats st;

    (void)state;
    watch(&w, 0);
    for (unsigned i = 1; i < 1000; i++) {
        ff.scanout[0].plane[0].ggtt = (i % 2) * BUFFER;
        change();
        look(&w);
        assert_int_equal(w.flips, i + 1);
    }
    display_server_stats(srv, &st);
    assert_int_equal(st.frames.shared, 2);
    assert_int_equal(st.frames.bytes_copied, 0);
    assert_int_equal(st.flips, 1000);
    assert_int_equal(st.shown, 1000);
    assert_int_equal(st.missed, 0);
    assert_int_equal(st.viewers, 1);
    viewer_close(w.v);
    assert_int_equal(w.gone, 2);
    pump();
    assert_false(display_server_watched(srv));
    for (unsigned i = 0; i < FRAMES_MAX; i++) /* nobody watches: nothing of the guest is kept */
        assert_int_equal(srv->frames.slot[i].id, 0);
}

static void without_dmabufs_pictures_are_copied(void **state)
{
    struct watcher w = {0};

    (void)state;
    ff.create_error = ENODEV;
    ff.scanout[0].plane[0] = ff_plane(0, 640, 480, VGPU_TILE_X);
    watch(&w, 0);
    assert_false(w.flip.frame->shared);
    check_frame(&w.flip, &ff.scanout[0].plane[0]);
    change(); /* nothing has: no flip, no copy */
    look(&w);
    assert_int_equal(w.flips, 1);
    assert_int_equal(srv->frames.stats.copies, 1);
    ff.scanout[0].plane[0].ggtt = BUFFER;
    change();
    look(&w);
    assert_int_equal(w.flips, 2);
    check_frame(&w.flip, &ff.scanout[0].plane[0]);
    viewer_close(w.v);
}

static void what_no_viewer_can_show_is_composed(void **state)
{
    struct watcher w = {0};
    struct vgpu_scanout *sc = &ff.scanout[0];

    (void)state;
    sc->nplanes = 2;
    sc->plane[1] = ff_plane(BUFFER, 64, 32, VGPU_LINEAR);
    sc->plane[1].kind = VGPU_PLANE_SPRITE;
    sc->plane[1].dst_x = 100;
    watch(&w, 0);
    assert_false(w.flip.frame->shared);
    const uint32_t *row = (const uint32_t *)(const void *)viewer_map(w.flip.frame);

    assert_int_equal(row[99], ff_pixel(&sc->plane[0], 99, 0) & 0xffffff);
    assert_int_equal(row[100], ff_pixel(&sc->plane[1], 0, 0) & 0xffffff);
    sc->nplanes = 1;
    change();
    look(&w);
    assert_true(w.flip.frame->shared);
    viewer_close(w.v);
}

static void add_cursor(int32_t x, int32_t y)
{
    struct vgpu_scanout *sc = &ff.scanout[0];

    sc->nplanes = 2;
    sc->plane[1] = ff_plane(3 * BUFFER, 64, 64, VGPU_LINEAR);
    sc->plane[1].kind = VGPU_PLANE_CURSOR;
    sc->plane[1].format = VGPU_FMT_ARGB8888;
    sc->plane[1].alpha = true;
    sc->plane[1].dst_x = x;
    sc->plane[1].dst_y = y;
}

static void cursor_moves_do_not_touch_the_picture(void **state)
{
    struct watcher w = {0};

    (void)state;
    add_cursor(10, 20);
    watch(&w, 0);
    look(&w);
    assert_int_equal(w.cursors, 1);
    assert_int_equal(w.cursor.x, 10);
    assert_int_equal(w.cursor.y, 20);
    assert_int_equal(w.cursor.width, 64);
    for (int i = 0; i < 100; i++) {
        add_cursor(i - 50, 2 * i);
        change();
        look(&w);
    }
    assert_int_equal(w.cursors, 101);
    assert_int_equal(w.cursor.x, 49);
    assert_int_equal(w.flips, 1);
    assert_int_equal(srv->frames.stats.shared, 2);
    ff.scanout[0].nplanes = 1;
    change();
    look(&w);
    assert_null(w.cursor.frame);
    assert_int_equal(w.flips, 1);
    viewer_close(w.v);
}

static void a_copied_cursor_follows_its_pixels(void **state)
{
    struct watcher w = {0};

    (void)state;
    ff.create_error = ENODEV;
    add_cursor(0, 0);
    watch(&w, 0);
    look(&w);
    ff_set_pixel(&ff.scanout[0].plane[1], 5, 9, 0x80102030);
    add_cursor(1, 0);
    change();
    look(&w);
    assert_int_equal(w.damages, 1);
    assert_int_equal(w.first, 9);
    const uint32_t *p = (const uint32_t *)(const void *)viewer_map(w.cursor.frame);

    assert_int_equal(p[9 * w.cursor.frame->stride / 4 + 5], 0x80102030);
    viewer_close(w.v);
}

static void refresh_tells_the_rows_of_a_copy_that_changed(void **state)
{
    struct watcher w = {0};

    (void)state;
    ff.create_error = ENODEV;
    watch(&w, 0);
    ff_set_pixel(&ff.scanout[0].plane[0], 7, 100, 0xabcdef);
    now += 20 * MS;
    assert_int_equal(viewer_refresh(w.v), 0);
    pump();
    look(&w);
    assert_int_equal(w.damages, 1);
    assert_int_equal(w.first, 100);
    assert_int_equal(w.end, 101);
    check_frame(&w.flip, &ff.scanout[0].plane[0]);
    now += 20 * MS;
    viewer_refresh(w.v);
    pump();
    look(&w);
    assert_int_equal(w.damages, 1);
    /* Asked all the time, it looks at most once in 16 ms. */
    uint64_t before = srv->head[0].refresh_at;

    viewer_refresh(w.v);
    pump();
    viewer_refresh(w.v);
    pump();
    assert_int_equal(srv->head[0].refresh_at, before);
    viewer_close(w.v);
}

/* What a full socket had no room for is told when there is room: the viewer would show old rows for ever. */
static void changes_that_could_not_be_told_are_told_later(void **state)
{
    struct watcher w = {0};
    uint32_t row = 0;

    (void)state;
    ff.create_error = ENODEV;
    watch(&w, 0);
    for (; row < 480 && !srv->viewer[0].blocked; row++) { /* it does not read */
        for (uint32_t x = 0; x < 2; x++)
            ff_set_pixel(&ff.scanout[0].plane[0], x, row, row * 7 + x + 1);
        now += 20 * MS;
        assert_int_equal(viewer_refresh(w.v), 0);
        pump();
    }
    assert_true(srv->viewer[0].blocked);
    w.damages = 0;
    while (row != w.damages) { /* all that was told until then */
        const unsigned before = w.damages;

        assert_int_equal(viewer_dispatch(w.v), 0);
        if (w.damages == before)
            break;
    }
    pump();
    assert_int_equal(viewer_dispatch(w.v), 0);
    assert_int_equal(w.first, 0);
    assert_int_equal(w.end, 480);
    viewer_close(w.v);
}

/* A viewer for whom there is no descriptor waits, and costs no time meanwhile. */
static void without_a_descriptor_a_viewer_waits(void **state)
{
    struct rlimit before, none;
    struct pollfd fds[DISPLAY_FDS];
    int fd = raw_connect(), lowest = dup(fd);

    (void)state;
    close(lowest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    uint64_t next = pump();

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(display_server_poll(srv, fds), 0);
    assert_true(next > now && next <= now + 1000 * MS);
    now = next;
    pump();
    assert_true(display_server_watched(srv));
    close(fd);
}

static void entries_stored_without_a_flip_are_noticed(void **state)
{
    struct watcher w = {0};

    (void)state;
    watch(&w, 0);
    uint32_t id = w.flip.frame->id;

    ff.map[3] = 4000;
    pump();
    look(&w);
    assert_int_equal(w.flips, 1);
    now += 500 * MS;
    pump();
    look(&w);
    assert_int_equal(w.flips, 2);
    assert_int_not_equal(w.flip.frame->id, id);
    viewer_close(w.v);
}

static void a_new_memory_map_makes_new_frames(void **state)
{
    struct watcher w = {0};

    (void)state;
    watch(&w, 0);
    uint32_t id = w.flip.frame->id;

    now += 10 * MS;
    display_server_memory_changed(srv);
    pump();
    look(&w);
    assert_int_equal(w.flips, 2);
    assert_int_not_equal(w.flip.frame->id, id);
    look(&w);
    assert_int_equal(w.gone, 1); /* the old one, once the new one was shown */
    viewer_close(w.v);
}

/* ---- bad guests */

static void a_guest_that_flips_all_the_time_costs_a_bounded_number_of_looks(void **state)
{
    struct watcher w = {0};

    (void)state;
    watch(&w, 0);
    const uint64_t start = now;
    unsigned flips = w.flips;

    for (unsigned i = 0; i < 10000; i++) { /* in one second */
        ff.scanout[0].plane[0].ggtt = (i % 3) * BUFFER;
        now = start + i * UINT64_C(100000);
        display_server_changed(srv, now);
        struct pollfd fds[DISPLAY_FDS];
        unsigned n = display_server_poll(srv, fds);

        poll(fds, n, 0);
        display_server_step(srv, fds, n, now);
        viewer_dispatch(w.v);
    }
    assert_in_range(w.flips - flips, 50, 251);
    assert_in_range(srv->frames.stats.hits + srv->frames.stats.shared, 50, 252);
    viewer_close(w.v);
}

static void a_picture_without_memory_is_missed_and_tried_again(void **state)
{
    struct watcher w = {0};
    struct frame *hold[FRAMES_MAX];
    uint32_t x, y;

    (void)state;
    watch(&w, 0);
    struct vgpu_surface s = ff_plane(0, 64, 64, VGPU_LINEAR);

    for (unsigned i = 0; i < FRAMES_MAX - 1; i++) {
        s.ggtt = (i + 1) * 16 * DISPLAY_PAGE;
        hold[i] = frames_share(&srv->frames, &s, true, &x, &y);
        assert_non_null(hold[i]);
    }
    ff.scanout[0].plane[0].ggtt = 5 * BUFFER;
    change();
    look(&w);
    assert_int_equal(w.flips, 1);
    assert_int_equal(srv->stats.missed, 1);
    for (unsigned i = 0; i < FRAMES_MAX - 1; i++)
        frame_unref(&srv->frames, hold[i]);
    pump();
    assert_int_equal(srv->stats.missed, 1);
    now += 100 * MS;
    pump();
    look(&w);
    assert_int_equal(w.flips, 2);
    viewer_close(w.v);
}

/* ---- bad viewers */

static void who_never_answers_gets_no_more_and_holds_up_nobody(void **state)
{
    struct watcher bad = {.lazy = true}, good = {0};

    (void)state;
    watch(&bad, 0);
    watch(&good, 0);
    for (unsigned i = 1; i < 50; i++) {
        ff.scanout[0].plane[0].ggtt = (i % 2) * BUFFER;
        change();
        look(&good);
        assert_int_equal(viewer_dispatch(bad.v), 0);
    }
    assert_int_equal(good.flips, 50);
    assert_int_equal(bad.flips, 1);
    viewer_shown(bad.v, bad.flip.serial); /* late, and now about the newest picture */
    pump();
    viewer_dispatch(bad.v);
    assert_int_equal(bad.flips, 2);
    assert_int_equal(bad.flip.frame->id, good.flip.frame->id);
    now += ANSWER_NS;
    pump();
    assert_int_equal(viewer_dispatch(bad.v), -ECONNRESET);
    assert_int_equal(srv->stats.sent_away, 1);
    look(&good);
    viewer_close(bad.v);
    viewer_close(good.v);
}

/* The frame that a viewer shows is not overwritten, even when the guest has long gone on. */
static void a_copy_stays_as_it_is_until_the_next_one_is_shown(void **state)
{
    struct watcher slow = {.lazy = true}, fast = {0};
    struct vgpu_surface first = ff.scanout[0].plane[0];

    (void)state;
    ff.create_error = ENODEV;
    watch(&slow, 0);
    watch(&fast, 0);
    for (unsigned i = 1; i < 6; i++) {
        ff.scanout[0].plane[0].ggtt = i * BUFFER;
        change();
        look(&fast);
        check_frame(&fast.flip, &ff.scanout[0].plane[0]);
        check_frame(&slow.flip, &first);
    }
    viewer_close(slow.v);
    viewer_close(fast.v);
}

static void send_raw(int fd, const void *m, size_t n)
{
    assert_int_equal(send(fd, m, n, MSG_NOSIGNAL), n);
}

static bool is_closed(int fd)
{
    uint8_t buf[DISPLAY_MESSAGE_MAX];
    ssize_t n;

    while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
        continue;
    return n == 0 || errno != EAGAIN;
}

static struct display_attach attach(uint32_t head)
{
    return (struct display_attach){.h = {.type = DISPLAY_ATTACH, .size = sizeof(struct display_attach)},
                                   .magic = DISPLAY_MAGIC,
                                   .version = DISPLAY_VERSION,
                                   .head = head};
}

static void wrong_first_messages_end_the_connection(void **state)
{
    struct display_attach good = attach(0), m[6];
    uint8_t junk[DISPLAY_MESSAGE_MAX + 40] = {1, 2, 3};

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(m); i++)
        m[i] = good;
    m[0].magic++;
    m[1].version++;
    m[2].head = DISPLAY_HEADS;
    m[3].h.size++;
    m[4].h.type = DISPLAY_SHOWN;
    m[5].h.type = DISPLAY_HELLO;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(m) + 3; i++) {
        int fd = raw_connect();

        if (i < GT_ARRAY_SIZE(m))
            send_raw(fd, &m[i], sizeof(m[i]));
        else if (i == GT_ARRAY_SIZE(m))
            send_raw(fd, junk, 3);
        else if (i == GT_ARRAY_SIZE(m) + 1)
            send_raw(fd, junk, sizeof(junk));
        else
            send_raw(fd, &(struct display_header){.type = DISPLAY_REFRESH, .size = 8}, 8);
        pump();
        assert_true(is_closed(fd));
        close(fd);
    }
    assert_int_equal(srv->stats.sent_away, GT_ARRAY_SIZE(m) + 3);
}

static void wrong_later_messages_end_the_connection(void **state)
{
    struct display_attach hello = attach(0);
    const struct display_header bad[] = {
        {.type = DISPLAY_SHOWN, .size = 8, .serial = 77},
        {.type = DISPLAY_SHOWN, .size = 8, .serial = 0},
        {.type = 99, .size = 8},
        {.type = DISPLAY_FLIP, .size = 8},
    };

    (void)state;
    for (unsigned i = 0; i <= GT_ARRAY_SIZE(bad); i++) {
        int fd = raw_connect();

        send_raw(fd, &hello, sizeof(hello));
        pump();
        if (i < GT_ARRAY_SIZE(bad))
            send_raw(fd, &bad[i], sizeof(bad[i]));
        else
            send_raw(fd, &hello, sizeof(hello));
        pump();
        assert_true(is_closed(fd));
        close(fd);
    }
}

static void a_flip_can_be_answered_once(void **state)
{
    struct watcher w = {.lazy = true};

    (void)state;
    watch(&w, 0);
    viewer_shown(w.v, w.flip.serial);
    pump();
    assert_int_equal(viewer_dispatch(w.v), 0);
    viewer_shown(w.v, w.flip.serial);
    pump();
    assert_int_equal(viewer_dispatch(w.v), -ECONNRESET);
    viewer_close(w.v);
}

static void who_says_nothing_is_sent_away(void **state)
{
    (void)state;
    int fd = raw_connect();
    uint64_t next = pump();

    assert_int_equal(next, now + ATTACH_NS);
    now = next - 1;
    pump();
    assert_false(is_closed(fd));
    now++;
    pump();
    assert_true(is_closed(fd));
    close(fd);
}

static void descriptors_that_are_sent_are_not_kept(void **state)
{
    struct display_attach hello = attach(0);
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec io = {&hello, sizeof(hello)};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int p[2];

    (void)state;
    assert_int_equal(pipe(p), 0);
    memset(control, 0, sizeof(control));
    *CMSG_FIRSTHDR(&m) =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &p[1], sizeof(int));
    int fd = raw_connect();

    assert_true(sendmsg(fd, &m, 0) > 0);
    close(p[1]);
    pump();
    char c;

    assert_int_equal(read(p[0], &c, 1), 0); /* no writer is left */
    close(p[0]);
    close(fd);
    pump();
}

/* It reads nothing: the socket fills up, and the server drops what does not fit and goes on. */
static void who_reads_nothing_fills_only_its_own_socket(void **state)
{
    struct display_attach hello = attach(0);
    struct watcher good = {0};

    (void)state;
    int fd = raw_connect();

    send_raw(fd, &hello, sizeof(hello));
    pump();
    struct display_header shown = {.type = DISPLAY_SHOWN, .size = 8, .serial = srv->head[0].serial};

    send_raw(fd, &shown, sizeof(shown));
    watch(&good, 0);
    for (int i = 0; i < 3000; i++) {
        add_cursor(i % 300, 2);
        change();
        assert_int_equal(viewer_dispatch(good.v), 0);
    }
    pump();
    assert_int_equal(good.cursor.x, 2999 % 300);
    assert_int_equal(srv->stats.sent_away, 0);
    viewer_close(good.v);
    close(fd);
    pump();
    assert_false(display_server_watched(srv));
}

static void the_number_of_viewers_is_bounded(void **state)
{
    struct watcher w[DISPLAY_VIEWERS];
    char err[128];

    (void)state;
    memset(w, 0, sizeof(w));
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        watch(&w[i], 0);
    struct watcher late = {0};

    assert_int_equal(viewer_attach(&late.v, raw_connect(), 0, &events, &late, err, sizeof(err)), 0);
    pump();
    assert_int_equal(viewer_dispatch(late.v), 0);
    assert_int_equal(late.flips, 0);
    viewer_close(w[3].v);
    pump();
    assert_int_equal(viewer_dispatch(late.v), 0);
    assert_int_equal(late.flips, 1);
    viewer_close(late.v);
    for (unsigned i = 0; i < DISPLAY_VIEWERS; i++)
        if (i != 3)
            viewer_close(w[i].v);
}

static void heads_are_apart(void **state)
{
    struct watcher a = {0}, b = {0};

    (void)state;
    ff.scanout[2] = ff.scanout[0];
    ff.scanout[2].plane[0].ggtt = BUFFER;
    ff.lit[2] = true;
    watch(&a, 0);
    watch(&b, 2);
    assert_int_equal(a.flips, 1);
    assert_int_equal(b.flips, 1);
    ff.scanout[2].plane[0].ggtt = 2 * BUFFER;
    change();
    look(&a);
    look(&b);
    assert_int_equal(a.flips, 1);
    assert_int_equal(b.flips, 2);
    viewer_close(a.v);
    viewer_close(b.v);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_viewer_is_told_what_its_head_shows),
        CASE(a_thousand_flips_hand_over_two_frames),
        CASE(without_dmabufs_pictures_are_copied),
        CASE(what_no_viewer_can_show_is_composed),
        CASE(cursor_moves_do_not_touch_the_picture),
        CASE(a_copied_cursor_follows_its_pixels),
        CASE(refresh_tells_the_rows_of_a_copy_that_changed),
        CASE(changes_that_could_not_be_told_are_told_later),
        CASE(without_a_descriptor_a_viewer_waits),
        CASE(entries_stored_without_a_flip_are_noticed),
        CASE(a_new_memory_map_makes_new_frames),
        CASE(a_guest_that_flips_all_the_time_costs_a_bounded_number_of_looks),
        CASE(a_picture_without_memory_is_missed_and_tried_again),
        CASE(who_never_answers_gets_no_more_and_holds_up_nobody),
        CASE(a_copy_stays_as_it_is_until_the_next_one_is_shown),
        CASE(wrong_first_messages_end_the_connection),
        CASE(wrong_later_messages_end_the_connection),
        CASE(a_flip_can_be_answered_once),
        CASE(who_says_nothing_is_sent_away),
        CASE(descriptors_that_are_sent_are_not_kept),
        CASE(who_reads_nothing_fills_only_its_own_socket),
        CASE(the_number_of_viewers_is_bounded),
        CASE(heads_are_apart),
    };

    gt_log_set_level(GT_LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
