/* The viewer's end of the display socket, with a gtmux-dm that was taken over at the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "display/format.h"
#include "display/viewer.h"
#include "vgpu/base/bits.h"

#define BYTES 65536u

struct seen {
    unsigned flips, cursors, damages, gone, layers;
    struct viewer_layer top;
};

struct fixture {
    struct display_viewer *v;
    int dm;
    struct seen seen;
};

static void on_flip(void *ctx, const struct viewer_flip *f)
{
    struct seen *s = ctx;

    s->flips++;
    s->layers = f->nlayers;
    s->top = f->nlayers ? f->layer[f->nlayers - 1] : (struct viewer_layer){0};
}

static void on_cursor(void *ctx, const struct viewer_cursor *c)
{
    (void)c;
    ((struct seen *)ctx)->cursors++;
}

static void on_damage(void *ctx, struct viewer_frame *f, uint32_t first, uint32_t end)
{
    assert_true(first < end && end <= f->height);
    ((struct seen *)ctx)->damages++;
}

static void on_gone(void *ctx, struct viewer_frame *f)
{
    (void)f;
    ((struct seen *)ctx)->gone++;
}

static const struct viewer_events events = {.flip = on_flip, .cursor = on_cursor, .damage = on_damage, .gone = on_gone};
static const struct viewer_events layer_events = {.flip = on_flip, .gone = on_gone, .layers = true};

static void send_m(struct fixture *f, void *m, uint16_t type, uint16_t size, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
    struct iovec io = {m, size};
    struct msghdr msg = {.msg_iov = &io, .msg_iovlen = 1};
    struct display_header *h = m;

    h->type = h->type ? h->type : type;
    h->size = h->size ? h->size : size;
    if (fd >= 0) {
        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        *CMSG_FIRSTHDR(&msg) =
            (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
    }
    assert_int_equal(sendmsg(f->dm, &msg, MSG_NOSIGNAL), size);
}

static void greet(struct fixture *f)
{
    struct display_hello m = {.magic = DISPLAY_MAGIC, .version = DISPLAY_VERSION, .name = "g"};

    send_m(f, &m, DISPLAY_HELLO, sizeof(m), -1);
    assert_int_equal(viewer_dispatch(f->v), 0);
}

static void begin_with(struct fixture *f, const struct viewer_events *e)
{
    struct display_attach m;
    char err[128];
    int s[2];

    *f = (struct fixture){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
    f->dm = s[0];
    assert_int_equal(viewer_attach(&f->v, s[1], 1, e, &f->seen, err, sizeof(err)), 0);
    assert_int_equal(recv(f->dm, &m, sizeof(m), 0), sizeof(m));
    assert_int_equal(m.head, 1);
    assert_int_equal(m.flags, e->layers ? DISPLAY_ATTACH_LAYERS : 0);
}

static void begin(struct fixture *f)
{
    begin_with(f, &events);
}

static void end(struct fixture *f)
{
    viewer_close(f->v);
    close(f->dm);
}

static int memory(uint32_t bytes, bool sealed)
{
    int fd = memfd_create("frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, bytes), 0);
    if (sealed)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    return fd;
}

static struct display_frame good_frame(void)
{
    return (struct display_frame){
        .slot = 3,
        .id = 9,
        .fourcc = display_fourcc(VGPU_FMT_ARGB8888),
        .width = 64,
        .height = 64,
        .stride = 256,
        .bytes = BYTES,
    };
}

static void give_frame(struct fixture *f)
{
    struct display_frame m = good_frame();
    int fd = memory(BYTES, true);

    send_m(f, &m, DISPLAY_FRAME, sizeof(m), fd);
    close(fd);
    assert_int_equal(viewer_dispatch(f->v), 0);
}

static void good_messages_are_told(void **state)
{
    struct fixture f;
    struct display_flip flip = {.h.serial = 1, .slot = 3, .id = 9, .x = 1, .y = 2, .width = 63, .height = 62};
    struct display_cursor cursor = {.slot = 3, .id = 9, .x = -5, .width = 64, .height = 64};
    struct display_damage damage = {.slot = 3, .id = 9, .first = 63, .end = 64};
    struct display_forget forget = {.slot = 3, .id = 9};
    struct display_header shown;

    (void)state;
    begin(&f);
    greet(&f);
    assert_string_equal(viewer_guest(f.v), "g");
    give_frame(&f);
    send_m(&f, &flip, DISPLAY_FLIP, sizeof(flip), -1);
    send_m(&f, &cursor, DISPLAY_CURSOR, sizeof(cursor), -1);
    send_m(&f, &damage, DISPLAY_DAMAGE, sizeof(damage), -1);
    send_m(&f, &forget, DISPLAY_FORGET, sizeof(forget), -1);
    assert_int_equal(viewer_dispatch(f.v), 0);
    assert_int_equal(f.seen.flips, 1);
    assert_int_equal(f.seen.cursors, 1);
    assert_int_equal(f.seen.damages, 1);
    assert_int_equal(f.seen.gone, 1);
    assert_int_equal(viewer_shown(f.v, 1), 0);
    assert_int_equal(recv(f.dm, &shown, sizeof(shown), 0), sizeof(shown));
    assert_int_equal(shown.type, DISPLAY_SHOWN);
    assert_int_equal(shown.serial, 1);
    close(f.dm);
    assert_int_equal(viewer_dispatch(f.v), -ECONNRESET);
    assert_true(viewer_refresh(f.v) < 0);
    viewer_close(f.v);
}

static void bad_frames_are_refused(void **state)
{
    struct display_frame bad[13];

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad); i++)
        bad[i] = good_frame();
    bad[0].slot = DISPLAY_SLOTS;
    bad[1].id = 0;
    bad[2].fourcc = 0x12345678;
    bad[3].modifier = UINT64_C(1) << 56 | 4;
    bad[4].width = 0;
    bad[5].height = VIEWER_SIDE_MAX + 1;
    bad[6].stride = 255;
    bad[7].height = 257; /* one row more than there is memory */
    bad[8].bytes = BYTES + 1;
    bad[9].stride = 0xffffff00;
    bad[10].bytes = UINT64_MAX;
    bad[11].stride = 258;                             /* not whole pixels */
    bad[12].modifier = display_modifier(VGPU_TILE_X); /* 512 bytes a tile */
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad); i++) {
        struct fixture f;
        int fd = memory(BYTES, true);

        begin(&f);
        greet(&f);
        send_m(&f, &bad[i], DISPLAY_FRAME, sizeof(bad[i]), fd);
        close(fd);
        if (viewer_dispatch(f.v) != -EPROTO)
            fail_msg("frame %u was taken", i);
        end(&f);
    }
}

/* What could be made shorter below our mapping, or is no memory at all. */
static void bad_memory_is_refused(void **state)
{
    int p[2];

    (void)state;
    assert_int_equal(pipe(p), 0);
    const int fds[] = {-1, memory(BYTES, false), p[0], open("/dev/zero", O_RDONLY | O_CLOEXEC),
                       open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};

    for (unsigned i = 0; i < 2 * GT_ARRAY_SIZE(fds); i++) {
        struct display_frame m = good_frame();
        struct fixture f;

        m.flags = i % 2 ? DISPLAY_FRAME_SHARED : 0;
        begin(&f);
        greet(&f);
        send_m(&f, &m, DISPLAY_FRAME, sizeof(m), fds[i / 2]);
        if (viewer_dispatch(f.v) != -EPROTO)
            fail_msg("descriptor %u was taken", i / 2);
        end(&f);
    }
    for (unsigned i = 1; i < GT_ARRAY_SIZE(fds); i++)
        close(fds[i]);
    close(p[1]);
}

static void bad_flips_cursors_and_damage_are_refused(void **state)
{
    struct display_flip flip[] = {
        {.h.serial = 0, .slot = 3, .id = 9, .width = 1, .height = 1},
        {.h.serial = 1, .slot = 3, .id = 8, .width = 1, .height = 1},
        {.h.serial = 1, .slot = 4, .id = 9, .width = 1, .height = 1},
        {.h.serial = 1, .slot = UINT32_MAX, .id = 9, .width = 1, .height = 1},
        {.h.serial = 1, .slot = 3, .id = 9, .width = 65, .height = 1},
        {.h.serial = 1, .slot = 3, .id = 9, .width = 64, .height = 1, .x = 1},
        {.h.serial = 1, .slot = 3, .id = 9, .width = 1, .height = 2, .y = UINT32_MAX},
        {.h.serial = 1, .slot = 3, .id = 9, .width = 0, .height = 1},
    };
    struct display_cursor cursor[] = {
        {.slot = 3, .id = 7, .width = 1, .height = 1},
        {.slot = 3, .id = 9, .width = 65, .height = 1},
        {.slot = 3, .id = 9, .width = 1, .height = 0},
    };
    struct display_damage damage[] = {
        {.slot = 3, .id = 9, .first = 5, .end = 5},
        {.slot = 3, .id = 9, .first = 0, .end = 65},
        {.slot = 3, .id = 9, .first = UINT32_MAX, .end = 1},
        {.slot = 40, .id = 9, .first = 0, .end = 1},
    };
    const unsigned nf = GT_ARRAY_SIZE(flip), nc = GT_ARRAY_SIZE(cursor), nd = GT_ARRAY_SIZE(damage);

    (void)state;
    for (unsigned i = 0; i < nf + nc + nd; i++) {
        struct fixture f;

        begin(&f);
        greet(&f);
        give_frame(&f);
        if (i < nf)
            send_m(&f, &flip[i], DISPLAY_FLIP, sizeof(flip[i]), -1);
        else if (i < nf + nc)
            send_m(&f, &cursor[i - nf], DISPLAY_CURSOR, sizeof(cursor[0]), -1);
        else
            send_m(&f, &damage[i - nf - nc], DISPLAY_DAMAGE, sizeof(damage[0]), -1);
        if (viewer_dispatch(f.v) != -EPROTO)
            fail_msg("message %u was taken", i);
        assert_int_equal(f.seen.flips + f.seen.cursors + f.seen.damages, 0);
        end(&f);
        assert_int_equal(f.seen.gone, 1);
    }
}

/* ---- layers */

static struct display_layer good_layer(uint16_t index)
{
    return (struct display_layer){.h.serial = 7,
                                  .slot = 3,
                                  .id = 9,
                                  .width = 32,
                                  .height = 16,
                                  .x = 4,
                                  .to_x = -5,
                                  .to_y = 6,
                                  .to_width = 64,
                                  .to_height = 16,
                                  .index = index,
                                  .blend = DISPLAY_COVERAGE,
                                  .alpha = 128};
}

static struct display_flip layered_flip(uint32_t layers)
{
    return (struct display_flip){
        .h.serial = 7, .slot = 3, .id = 9, .width = 64, .height = 32, .mhz = 60000, .layers = layers};
}

static int send_layer(struct fixture *f, struct display_layer m)
{
    send_m(f, &m, DISPLAY_LAYER, sizeof(m), -1);
    return viewer_dispatch(f->v);
}

static int send_layered_flip(struct fixture *f, uint32_t layers)
{
    struct display_flip m = layered_flip(layers);

    send_m(f, &m, DISPLAY_FLIP, sizeof(m), -1);
    return viewer_dispatch(f->v);
}

static void begin_layers(struct fixture *f)
{
    begin_with(f, &layer_events);
    greet(f);
    give_frame(f);
}

static void layers_come_with_their_flip(void **state)
{
    struct display_header answer;
    struct fixture f;

    (void)state;
    begin_layers(&f);
    assert_int_equal(send_layer(&f, good_layer(0)), 0);
    assert_int_equal(send_layer(&f, good_layer(0)), 0); /* the socket was full: from the beginning */
    assert_int_equal(send_layer(&f, good_layer(1)), 0);
    assert_int_equal(send_layered_flip(&f, 2), 0);
    assert_int_equal(f.seen.layers, 2);
    assert_int_equal(f.seen.top.to_x, -5);
    assert_int_equal(f.seen.top.to_width, 64);
    assert_int_equal(f.seen.top.alpha, 128);
    assert_int_equal(f.seen.top.blend, DISPLAY_COVERAGE);
    assert_int_equal(f.seen.top.frame->id, 9);
    assert_int_equal(send_layered_flip(&f, 0), 0);
    assert_int_equal(f.seen.layers, 0);
    assert_int_equal(viewer_compose(f.v, 7), 0);
    assert_int_equal(recv(f.dm, &answer, sizeof(answer), 0), sizeof(answer));
    assert_int_equal(answer.type, DISPLAY_COMPOSE);
    assert_int_equal(answer.serial, 7);
    end(&f);
}

static void bad_layers_are_refused(void **state)
{
    struct display_layer bad[16];
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(bad); i++)
        bad[i] = good_layer(0);
    bad[n++].id = 8;
    bad[n++].slot = DISPLAY_SLOTS;
    bad[n++].width = 0;
    bad[n++].width = 61; /* x is 4 of 64 */
    bad[n++].height = 65;
    bad[n++].x = UINT32_MAX;
    bad[n++].y = 64;
    bad[n++].to_width = 0;
    bad[n++].to_height = VIEWER_SIDE_MAX + 1;
    bad[n++].to_x = INT32_MIN;
    bad[n++].to_y = INT32_MAX;
    bad[n++].index = 1;
    bad[n++].index = DISPLAY_LAYERS;
    bad[n++].blend = DISPLAY_COVERAGE + 1;
    bad[n++].alpha = DISPLAY_ALPHA_MAX + 1;
    for (unsigned i = 0; i < n; i++) {
        struct fixture f;

        begin_layers(&f);
        if (send_layer(&f, bad[i]) != -EPROTO)
            fail_msg("layer %u is taken", i);
        end(&f);
    }
}

static void layers_without_their_flip_are_refused(void **state)
{
    struct display_forget forget = {.slot = 3, .id = 9};
    struct display_layer other = good_layer(1);
    struct fixture f;

    (void)state;
    begin_layers(&f);
    assert_int_equal(send_layer(&f, good_layer(0)), 0);
    assert_int_equal(send_layered_flip(&f, 2), -EPROTO);
    end(&f);
    begin_layers(&f);
    assert_int_equal(send_layer(&f, good_layer(0)), 0);
    other.h.serial = 8;
    assert_int_equal(send_layer(&f, other), -EPROTO);
    end(&f);
    begin_layers(&f); /* its frame has gone */
    assert_int_equal(send_layer(&f, good_layer(0)), 0);
    send_m(&f, &forget, DISPLAY_FORGET, sizeof(forget), -1);
    assert_int_equal(viewer_dispatch(f.v), 0);
    give_frame(&f);
    assert_int_equal(send_layered_flip(&f, 1), -EPROTO);
    end(&f);
    begin(&f); /* nobody asked for layers */
    greet(&f);
    give_frame(&f);
    assert_int_equal(send_layer(&f, good_layer(0)), -EPROTO);
    end(&f);
}

static void bad_greetings_are_refused(void **state)
{
    struct display_hello m[4];

    (void)state;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(m); i++)
        m[i] = (struct display_hello){.magic = DISPLAY_MAGIC, .version = DISPLAY_VERSION};
    m[0].magic = 1;
    m[1].version = 2;
    memset(m[2].name, 'x', sizeof(m[2].name)); /* does not end */
    m[3].h.size = 65;
    for (unsigned i = 0; i < GT_ARRAY_SIZE(m); i++) {
        struct fixture f;

        begin(&f);
        send_m(&f, &m[i], DISPLAY_HELLO, sizeof(m[i]), -1);
        assert_int_equal(viewer_dispatch(f.v), -EPROTO);
        end(&f);
    }
    struct fixture f;
    struct display_flip flip = {.h.serial = 1};

    begin(&f); /* something else before it */
    send_m(&f, &flip, DISPLAY_FLIP, sizeof(flip), -1);
    assert_int_equal(viewer_dispatch(f.v), -EPROTO);
    end(&f);
}

static void a_slot_that_is_given_again_lets_its_frame_go(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    greet(&f);
    for (unsigned i = 0; i < 500; i++) /* more than there are descriptors, were they kept */
        give_frame(&f);
    assert_int_equal(f.seen.gone, 499);
    end(&f);
    assert_int_equal(f.seen.gone, 500);
}

/* One call handles a bounded number of messages, however many come. */
static void a_flood_does_not_keep_a_call_busy(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    greet(&f);
    for (unsigned i = 0; i < 100; i++) {
        struct display_flip m = {.h.serial = i + 1};

        send_m(&f, &m, DISPLAY_FLIP, sizeof(m), -1);
    }
    assert_int_equal(viewer_dispatch(f.v), 0);
    assert_int_equal(f.seen.flips, 64);
    assert_int_equal(viewer_dispatch(f.v), 0);
    assert_int_equal(f.seen.flips, 100);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_messages_are_told),
        cmocka_unit_test(bad_frames_are_refused),
        cmocka_unit_test(bad_memory_is_refused),
        cmocka_unit_test(bad_flips_cursors_and_damage_are_refused),
        cmocka_unit_test(layers_come_with_their_flip),
        cmocka_unit_test(bad_layers_are_refused),
        cmocka_unit_test(layers_without_their_flip_are_refused),
        cmocka_unit_test(bad_greetings_are_refused),
        cmocka_unit_test(a_slot_that_is_given_again_lets_its_frame_go),
        cmocka_unit_test(a_flood_does_not_keep_a_call_busy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
