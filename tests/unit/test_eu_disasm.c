#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mediator/soft/eu/eu.h"
#include "tests/unit/eu_kernels.h"

/* The text of n bytes of code, to be freed. */
static char *text_of(const void *code, size_t n, unsigned *unknown)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    assert_non_null(f);
    *unknown = eu_disassemble(code, n, f);
    fclose(f);
    return text;
}

static void compare(const char *dir, const char *name, void *ctx)
{
    size_t n = 0, m = 0;
    unsigned unknown;
    char *code = eu_kernels_read(dir, name, ".bin", &n), *want = eu_kernels_read(dir, name, ".asm", &m), *got;

    (void)ctx;
    assert_non_null(code);
    assert_non_null(want);
    got = text_of(code, n, &unknown);
    if (strcmp(got, want) != 0)
        fail_msg("%s: the text differs from Mesa's", name);
    assert_int_equal(unknown, 0);
    free(code);
    free(want);
    free(got);
}

static void kernels_read_like_mesas(void **state)
{
    (void)state;
    assert_true(eu_kernels_each(EU_KERNELS_TREE, compare, NULL) >= 20);
}

static void the_whole_corpus_reads_like_mesas(void **state)
{
    unsigned n = eu_kernels_each(EU_KERNELS_WHOLE, compare, NULL);

    (void)state;
    if (n == 0)
        skip();
    assert_int_equal(n, 114);
}

/* Runs of white space become one space; those at the end go. */
static void squeeze(char *s)
{
    char *to = s;

    for (; *s; s++)
        if (*s != ' ' && *s != '\n')
            *to++ = *s;
        else if (s[1] && s[1] != ' ' && s[1] != '\n')
            *to++ = ' ';
    *to = 0;
}

/* Words and texts: Mesa src/intel/compiler/tests/gen9/, *.expected and *.asm. */
static void other_forms_read_like_mesas(void **state)
{
    static const struct {
        uint64_t code[2];
        const char *text;
    } rows[] = {
        {{0x276032c802600010ull, 0x0069076032000048ull},
         "cmp.nz.f0.0(8) g59<1>DF g2.1<0,1,0>DF g59<4,4,1>DF { align1 1Q };"},
        {{0x2ac032c801600010ull, 0x00690880320020d0ull},
         "cmp.z.f0.0(8) g86<1>DF (abs)g6.2<0,1,0>DF g68<4,4,1>DF { align1 1Q };"},
        {{0x20600a2800800040ull, 0x008d01800a8d0240ull}, "add(16) g3<1>D g18<8,8,1>D g12<8,8,1>D { align1 1H };"},
        {{0x20c0124c00800040ull, 0x1100101036280028ull},
         "add(16) g6<1>UW g1.4<1,4,0>UW 0x11001010V { align1 WE_all 1H };"},
        {{0x2300430800610002ull, 0x0069050042690840ull},
         "(+f0.0) sel(8) g24<1>UQ g66<4,4,1>UQ g40<4,4,1>UQ { align1 1Q };"},
        {{0x206002080d600038ull, 0x0000002802000020ull},
         "math intmod(8) g3<1>UD g1<0,1,0>UD g1.2<0,1,0>UD { align1 1Q };"},
        {{0x20a03ae805600038ull, 0x008d0000388d0040ull}, "math rsq(8) g5<1>F g2<8,8,1>F null<8,8,1>F { align1 1Q };"},
        {{0x151e002006600112ull, 0x0158040a00205601ull},
         "csel.le(8) g21<1>F (abs)g5.3<0,1,0>F g5.0<0,1,0>F g5.3<0,1,0>F { align16 1Q };"},
        {{0x7d1e000083600112ull, 0x0080040480202601ull},
         "csel.sat.g(8) g125<1>F g2.3<0,1,0>F g2.2<0,1,0>F g2.0<0,1,0>F { align16 1Q };"},
        {{0x601e900000600118ull, 0x16c7203c390591c8ull},
         "bfe(8) g96<1>UD g89<4,4,1>UD g30<4,4,1>UD g91<4,4,1>UD { align16 1Q };"},
        {{0x401ed8000060015bull, 0x170720503903e1c8ull},
         "mad(8) g64<1>DF g62<4,4,1>DF g40<4,4,1>DF g92<4,4,1>DF { align16 1Q };"},
        {{0x3000000000008006ull, 0x0000003006001000ull},
         "or(1) cr0<1>UD cr0<0,1,0>UD 0x00000030UD { align1 1N switch };"},
        {{0x3208000400000030ull, 0x008d000038001208ull}, "wait(1) n0.2<1>UD { align1 WE_all 1N };"},
        {{0x2f60020c00600001ull, 0x00000000008d0020ull}, "mov(8) g123<1>UD g1<8,8,1>UD { align1 WE_all 1Q };"},
        {{0x232002080060004aull, 0x0000000000000064ull}, "lzd(8) g25<1>UD g3.1<0,1,0>UD { align1 1Q };"},
        {{0x2260020810600049ull, 0xaaaaaaab068d0220ull},
         "mach(8) g19<1>UD g17<8,8,1>UD 0xaaaaaaabUD { align1 1Q AccWrEnable };"},
        {{0x1f1e90000060011aull, 0x16c720b4390581c8ull},
         "bfi2(8) g31<1>UD g88<4,4,1>UD g90<4,4,1>UD g91<4,4,1>UD { align16 1Q };"},
        {{0x20a0020800600017ull, 0x00000000008d00a0ull}, "bfrev(8) g5<1>UD g5<8,8,1>UD { align1 1Q };"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned unknown;
        char *got = text_of(rows[i].code, sizeof(rows[i].code), &unknown);

        squeeze(got);
        assert_string_equal(got, rows[i].text);
        assert_int_equal(unknown, 0);
        free(got);
    }
}

static void garbage_is_counted(void **state)
{
    const uint64_t code[4] = {0x7f, 0, 0, 0}; /* no such opcode; illegal */
    unsigned unknown;
    char *got = text_of(code, sizeof(code), &unknown);

    (void)state;
    assert_int_equal(unknown, 2);
    assert_non_null(strstr(got, "invalid opcode"));
    free(got);
    got = text_of(code, 5, &unknown); /* not even half an instruction */
    assert_int_equal(unknown, 1);
    free(got);
    got = text_of(code, 0, &unknown);
    assert_int_equal(unknown, 0);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_read_like_mesas),
        cmocka_unit_test(the_whole_corpus_reads_like_mesas),
        cmocka_unit_test(other_forms_read_like_mesas),
        cmocka_unit_test(garbage_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
