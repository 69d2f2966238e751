/* The state file: whose it is, what is found in it, and which accesses a killed process had done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mediator/gate.h"
#include "mediator/journal.h"
#include "vgpu/base/log.h"

#define HEADER 4096u

struct env {
    char dir[64], path[128], err[512];
    struct journal *j;
    struct vgpu_config cfg;
};

static const struct journal_identity guest = {.domid = 7, .handle = "8a0c-1"};

static int setup(void **state)
{
    struct env *t = calloc(1, sizeof(*t));
    const char *tmp = getenv("TMPDIR");

    gt_log_set_level(GT_LOG_ERROR);
    snprintf(t->dir, sizeof(t->dir), "%.40s/gtmux-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->path, sizeof(t->path), "%s/xen-7.state", t->dir);
    vgpu_config_default(&t->cfg);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct env *t = *state;

    journal_close(t->j, false);
    unlink(t->path);
    rmdir(t->dir);
    free(t);
    return 0;
}

static int try_open(struct env *t, const struct journal_identity *who)
{
    t->err[0] = 0;
    return journal_open(&t->j, t->path, who, t->err, sizeof(t->err));
}

static void open_ok(struct env *t)
{
    if (try_open(t, &guest))
        fail_msg("%s", t->err);
}

static void close_it(struct env *t)
{
    journal_close(t->j, false);
    t->j = NULL;
}

static bool has_old(struct env *t)
{
    void *old = journal_old_state(t->j);

    free(old);
    return old != NULL;
}

/* A file as a killed process leaves it; the state has `mark` at its beginning. */
static void leave_state(struct env *t, uint64_t mark)
{
    open_ok(t);
    journal_config(t->j, &t->cfg);
    memcpy(t->cfg.state, &mark, sizeof(mark));
    journal_commit(t->j, &t->cfg);
    journal_set_server(t->j, 3);
    close_it(t);
}

static uint64_t old_mark(struct env *t)
{
    void *old = journal_old_state(t->j);
    uint64_t mark;

    assert_non_null(old);
    memcpy(&mark, old, sizeof(mark));
    free(old);
    return mark;
}

static void patch(struct env *t, off_t at, const void *bytes, size_t n)
{
    int fd = open(t->path, O_RDWR);

    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void a_new_file_is_empty_and_ours_alone(void **state)
{
    struct env *t = *state;
    struct stat st;

    umask(0);
    open_ok(t);
    assert_false(has_old(t));
    assert_int_equal(journal_server(t->j), -1);
    journal_config(t->j, &t->cfg);
    for (size_t i = 0; i < vgpu_state_size(); i += 997)
        assert_int_equal(((uint8_t *)t->cfg.state)[i], 0);
    assert_int_equal((uintptr_t)t->cfg.state % 4096, 0);
    assert_int_equal(((uint8_t *)t->cfg.gtt)[VGPU_GTT_SIZE - 1], 0);
    assert_int_equal(stat(t->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_blocks * 512 >= st.st_size); /* memory for all of it is reserved */
}

static void what_was_left_is_found(void **state)
{
    struct env *t = *state;
    struct vgpu_config cfg;

    t->cfg.mappable_mb = 17;
    t->cfg.heads = 2;
    t->cfg.pvinfo = false;
    t->cfg.modes[1] = (struct vgpu_mode){1280, 720, 50000};
    leave_state(t, 42);
    vgpu_config_default(&cfg);
    open_ok(t);
    assert_int_equal(old_mark(t), 42);
    assert_int_equal(journal_server(t->j), 3);
    journal_config(t->j, &cfg);
    assert_int_equal(cfg.mappable_mb, 17);
    assert_int_equal(cfg.heads, 2);
    assert_false(cfg.pvinfo);
    assert_int_equal(cfg.modes[1].width, 1280);
    assert_int_equal(cfg.modes[1].mhz, 50000);
}

/* Killed while it adopts: the old state is as it was. After the commit the new one is the old one. */
static void an_adoption_that_is_cut_off_loses_nothing(void **state)
{
    struct env *t = *state;

    leave_state(t, 42);
    for (unsigned i = 0; i < 3; i++) {
        open_ok(t);
        journal_config(t->j, &t->cfg);
        memset(t->cfg.state, 0xaa, vgpu_state_size());
        assert_int_equal(old_mark(t), 42);
        close_it(t);
    }
    for (uint64_t mark = 43; mark < 47; mark++) {
        leave_state(t, mark);
        open_ok(t);
        assert_int_equal(old_mark(t), mark);
        close_it(t);
    }
}

static void gtt_stays(void **state)
{
    struct env *t = *state;

    open_ok(t);
    journal_config(t->j, &t->cfg);
    ((uint64_t *)t->cfg.gtt)[5] = 0x1003;
    journal_commit(t->j, &t->cfg);
    close_it(t);
    open_ok(t);
    journal_config(t->j, &t->cfg);
    assert_int_equal(((uint64_t *)t->cfg.gtt)[5], 0x1003);
}

static void the_place_of_a_gtt_outside_is_remembered(void **state)
{
    struct env *t = *state;

    open_ok(t);
    assert_false(journal_has_old(t->j));
    assert_int_equal(journal_gtt_gfn(t->j), 0);
    journal_set_gtt_gfn(t->j, 0xf0800);
    close_it(t); /* without a device of its own */
    open_ok(t);
    assert_false(journal_has_old(t->j));
    assert_int_equal(journal_gtt_gfn(t->j), 0xf0800);
    close_it(t);
    leave_state(t, 1);
    open_ok(t);
    assert_true(journal_has_old(t->j));
    assert_int_equal(journal_gtt_gfn(t->j), 0xf0800);
    journal_discard(t->j);
    assert_false(journal_has_old(t->j));
    assert_int_equal(journal_gtt_gfn(t->j), 0xf0800);
    close_it(t);
    assert_int_equal(try_open(t, &(struct journal_identity){.domid = 7, .handle = "another"}), 0);
    assert_int_equal(journal_gtt_gfn(t->j), 0);
}

static void only_one_process_may_have_it(void **state)
{
    struct env *t = *state;
    struct journal *second;
    char want[64];

    open_ok(t);
    assert_int_equal(journal_open(&second, t->path, &guest, t->err, sizeof(t->err)), -EBUSY);
    snprintf(want, sizeof(want), "another gtmux-dm serves this domain, pid %d", (int)getpid());
    assert_non_null(strstr(t->err, want));
    assert_null(second);
}

/* The lock goes with the process. */
static void a_killed_process_leaves_no_lock(void **state)
{
    struct env *t = *state;
    int status;
    pid_t pid = fork();

    if (!pid) {
        leave_state(t, 9);
        open_ok(t);
        raise(SIGKILL);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    open_ok(t);
    assert_int_equal(old_mark(t), 9);
}

static void another_guest_gets_nothing(void **state)
{
    struct env *t = *state;
    const struct journal_identity others[] = {{8, "8a0c-1"}, {7, "8a0c-2"}, {7, ""}};

    for (unsigned i = 0; i < 3; i++) {
        leave_state(t, 42);
        assert_int_equal(try_open(t, &others[i]), 0);
        assert_false(has_old(t));
        assert_int_equal(journal_server(t->j), -1);
        journal_config(t->j, &t->cfg);
        assert_int_equal(*(uint64_t *)t->cfg.state, 0);
        close_it(t);
    }
}

static void wrong_sizes_start_afresh(void **state)
{
    struct env *t = *state;
    struct stat st;
    static const int change[] = {-1, 1, -4096, 1 << 20, INT32_MIN};

    for (unsigned i = 0; i < 5; i++) {
        leave_state(t, 42);
        assert_int_equal(stat(t->path, &st), 0);
        assert_int_equal(truncate(t->path, change[i] == INT32_MIN ? 0 : st.st_size + change[i]), 0);
        open_ok(t);
        assert_false(has_old(t));
        journal_config(t->j, &t->cfg);
        memset(t->cfg.state, 1, vgpu_state_size());
        memset(t->cfg.gtt, 1, VGPU_GTT_SIZE);
        close_it(t);
    }
}

static void damaged_headers_start_afresh(void **state)
{
    struct env *t = *state;
    uint8_t junk[HEADER];

    for (unsigned i = 0; i < 96; i++) {
        leave_state(t, 42);
        for (unsigned b = 0; b < sizeof(junk); b++)
            junk[b] = (uint8_t)(i * 37 + b * (2 * i + 1));
        patch(t, i < 32 ? 0 : 4 * (i - 32), junk, i < 32 ? sizeof(junk) : 4);
        open_ok(t);
        if (i < 32)
            assert_false(has_old(t));
        else
            (void)has_old(t); /* some fields may have any value */
        journal_config(t->j, &t->cfg);
        assert_in_range(t->cfg.heads, 0, VGPU_HEADS);
        assert_in_range(t->cfg.mappable_mb, 0, VGPU_BAR2_SIZE >> 20);
        assert_true(journal_server(t->j) >= -1);
        assert_true(journal_gtt_gfn(t->j) >> 40 == 0);
        close_it(t);
    }
}

static void files_of_others_are_refused(void **state)
{
    struct env *t = *state;

    close(open(t->path, O_CREAT | O_RDWR, 0644));
    assert_int_equal(chmod(t->path, 0644), 0);
    assert_int_equal(try_open(t, &guest), -EPERM);
    assert_non_null(strstr(t->err, "mode 0600"));
    unlink(t->path);
    assert_int_equal(symlink("/dev/null", t->path), 0);
    assert_int_equal(try_open(t, &guest), -ELOOP);
    unlink(t->path);
    assert_int_equal(mkfifo(t->path, 0600), 0);
    assert_int_equal(try_open(t, &guest), -EPERM);
    unlink(t->path);
    assert_int_equal(mkdir(t->path, 0700), 0);
    assert_true(try_open(t, &guest) < 0);
    rmdir(t->path);
    struct journal_identity endless = {.domid = 7};

    memset(endless.handle, 'x', sizeof(endless.handle));
    assert_int_equal(try_open(t, &endless), -ENAMETOOLONG);
}

static void no_room_is_said_at_once(void **state)
{
    struct env *t = *state;
    struct rlimit old, small = {.rlim_cur = 1 << 20};

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = try_open(t, &guest);

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -EFBIG);
    assert_non_null(strstr(t->err, "cannot reserve"));
}

static void discarding_keeps_the_server(void **state)
{
    struct env *t = *state;

    leave_state(t, 42);
    for (unsigned i = 0; i < 2; i++) {
        open_ok(t);
        journal_config(t->j, &t->cfg);
        ((uint64_t *)t->cfg.gtt)[5] = 1;
        journal_discard(t->j);
        assert_false(has_old(t));
        assert_int_equal(((uint64_t *)t->cfg.gtt)[5], 0);
        assert_int_equal(journal_server(t->j), 3);
        close_it(t);
    }
}

static void the_end_removes_the_file(void **state)
{
    struct env *t = *state;

    leave_state(t, 42);
    open_ok(t);
    journal_commit(t->j, &t->cfg);
    journal_close(t->j, true);
    t->j = NULL;
    assert_int_equal(access(t->path, F_OK), -1);
    journal_close(NULL, true);
}

/* A process that cannot start gives up; the guest's device is there for the next one. */
static void a_start_that_fails_leaves_the_device(void **state)
{
    struct env *t = *state;

    leave_state(t, 42);
    open_ok(t);
    journal_config(t->j, &t->cfg);
    journal_close(t->j, true);
    open_ok(t);
    assert_int_equal(old_mark(t), 42);
}

/* ---- accesses, with a real device */

static int no_memory(void *ctx, uint64_t gpa, void *dst, size_t n)
{
    (void)ctx, (void)gpa, (void)dst, (void)n;
    return -EFAULT;
}

static int no_write(void *ctx, uint64_t gpa, const void *src, size_t n)
{
    (void)ctx, (void)gpa, (void)src, (void)n;
    return -EFAULT;
}

static int no_cas(void *ctx, uint64_t gpa, unsigned size, uint64_t *expected, uint64_t desired)
{
    (void)ctx, (void)gpa, (void)size, (void)expected, (void)desired;
    return -EFAULT;
}

static unsigned kicks, irqs, lines;

static void count_kick(void *ctx, unsigned engine)
{
    (void)ctx, (void)engine;
    kicks++;
}

static void count_irq(void *ctx)
{
    (void)ctx;
    irqs++;
}

static void count_line(void *ctx, bool level)
{
    (void)ctx, (void)level;
    lines++;
}

static const struct gate_host host = {.mem_read = no_memory,
                                      .mem_write = no_write,
                                      .mem_cas = no_cas,
                                      .irq = count_irq,
                                      .line = count_line,
                                      .kick = count_kick};

static struct gate *open_gate(struct env *t)
{
    struct gate *g;
    int rc;

    open_ok(t);
    journal_config(t->j, &t->cfg);
    void *old = journal_old_state(t->j);

    rc = old ? gate_adopt(&g, &t->cfg, &host, old, t->err, sizeof(t->err))
             : gate_create(&g, &t->cfg, &host, NULL, t->err, sizeof(t->err));
    free(old);
    if (rc)
        fail_msg("%s", t->err);
    journal_commit(t->j, &t->cfg);
    return g;
}

static struct ioreq_access access_to(enum reg_id id, bool write, uint64_t data)
{
    return (struct ioreq_access){
        .region = IOREQ_BAR0, .size = 4, .write = write, .off = reg_off(id, 0, 0), .data = data, .vcpu = 1};
}

/* What a process does before it is killed: `steps` of begin, carry out, answer. */
static void die_after(struct env *t, unsigned steps, struct ioreq_access a)
{
    int status;
    pid_t pid = fork();

    if (!pid) {
        struct gate *g = open_gate(t);
        struct ioreq_access first = access_to(R_PCODE_DATA, true, 0x55);

        gate_access(g, &first);
        if (steps > 0)
            journal_access_begin(t->j, &a);
        if (steps > 1)
            gate_access(g, &a);
        if (steps > 2)
            journal_access_answered(t->j);
        raise(SIGKILL);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void an_access_is_done_or_not(void **state)
{
    struct env *t = *state;

    for (unsigned steps = 0; steps < 4; steps++) {
        struct ioreq_access a = access_to(R_PCODE_DATA, false, 0);

        die_after(t, steps, a);
        struct gate *g = open_gate(t);
        struct ioreq_access probe = {.region = IOREQ_CONFIG, .size = 4, .off = 0x10};
        struct ioreq_access other = access_to(R_GEN8_MASTER_IRQ, false, 0);

        /* the transport may look at configuration space, and serve another vCPU first */
        journal_access_begin(t->j, &probe);
        gate_access(g, &probe);
        other.vcpu = 0;
        assert_false(journal_access_done(t->j, &other));
        journal_access_begin(t->j, &other);
        gate_access(g, &other);
        a.data = 0;
        assert_false(journal_access_done(t->j, &a)); /* a new one */
        a.again = true;
        assert_int_equal(journal_access_done(t->j, &a), steps == 2);
        assert_int_equal(a.data, steps == 2 ? 0x55 : 0);
        assert_false(journal_access_done(t->j, &a)); /* once only */
        gate_destroy(g);
        journal_close(t->j, true);
        t->j = NULL;
    }
}

static void another_access_is_not_taken_for_it(void **state)
{
    struct env *t = *state;
    struct ioreq_access a = access_to(R_PCODE_DATA, true, 7), b;

    die_after(t, 2, a);
    struct gate *g = open_gate(t);

    a.again = true;
    b = a, b.vcpu = 2;
    assert_false(journal_access_done(t->j, &b));
    b = a, b.off += 4;
    assert_false(journal_access_done(t->j, &b));
    b = a, b.data = 8;
    assert_false(journal_access_done(t->j, &b));
    b = a, b.size = 2;
    assert_false(journal_access_done(t->j, &b));
    b = a, b.write = false;
    assert_false(journal_access_done(t->j, &b));
    assert_true(journal_access_done(t->j, &a));
    gate_destroy(g);
}

/* ---- the gate */

static void an_adopted_gate_sleeps_until_it_is_resumed(void **state)
{
    struct env *t = *state;
    struct vgpu_scanout s = {.width = 2, .height = 1};
    struct ioreq_access a = access_to(R_ELSP, true, 0x119);
    uint32_t row[2] = {1, 1};

    die_after(t, 0, a);
    kicks = irqs = lines = 0;
    struct gate *g = open_gate(t);

    a.off = reg_off(R_ELSP, VGPU_RCS, 0);
    for (unsigned i = 0; i < 4; i++)
        gate_access(g, &a);
    assert_int_equal(gate_engine_run(g, VGPU_RCS, 100), VGPU_RUN_IDLE);
    assert_int_equal(gate_display_tick(g), UINT64_MAX);
    assert_int_equal(gate_picture(g, &s, row), 1);
    assert_int_equal(row[0], 0);
    assert_int_equal(kicks + irqs + lines, 0);
    gate_resume(g);
    assert_int_equal(kicks, VGPU_ENGINES);
    assert_int_equal(lines, 1);
    gate_resume(g);
    assert_int_equal(kicks, VGPU_ENGINES);
    gate_destroy(g);
}

static void a_recording_and_a_state_file_exclude_each_other(void **state)
{
    struct env *t = *state;
    struct gate *g;

    open_ok(t);
    journal_config(t->j, &t->cfg);
    assert_int_equal(gate_create(&g, &t->cfg, &host, "/dev/null", t->err, sizeof(t->err)), -EINVAL);
    assert_non_null(strstr(t->err, "record"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_is_empty_and_ours_alone),
        TEST(what_was_left_is_found),
        TEST(an_adoption_that_is_cut_off_loses_nothing),
        TEST(gtt_stays),
        TEST(the_place_of_a_gtt_outside_is_remembered),
        TEST(only_one_process_may_have_it),
        TEST(a_killed_process_leaves_no_lock),
        TEST(another_guest_gets_nothing),
        TEST(wrong_sizes_start_afresh),
        TEST(damaged_headers_start_afresh),
        TEST(files_of_others_are_refused),
        TEST(no_room_is_said_at_once),
        TEST(discarding_keeps_the_server),
        TEST(the_end_removes_the_file),
        TEST(a_start_that_fails_leaves_the_device),
        TEST(an_access_is_done_or_not),
        TEST(another_access_is_not_taken_for_it),
        TEST(an_adopted_gate_sleeps_until_it_is_resumed),
        TEST(a_recording_and_a_state_file_exclude_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
