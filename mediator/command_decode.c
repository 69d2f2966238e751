/*
 * gtmux decode: prints the commands of a captured submission with their fields, or disassembles a kernel. Batches are
 * followed as hardware would, except that nothing is executed: a batch that changes itself is shown as it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mediator/capture.h"
#include "mediator/command.h"
#include "mediator/soft/eu/eu.h"
#include "vgpu/base/bits.h"
#include "vgpu/desc/cmds.h"
#include "vgpu/desc/fields.h"
#include "vgpu/desc/regs.h"

#define COMMANDS_MAX 1000000u
#define DEPTH_MAX    8u /* of structures in structures */
#define STEP_DWORDS  1040u
#define BBS_SECOND   GT_BIT(22)
#define KERNEL_MAX   (16u << 20)

struct walk {
    const struct capture *c;
    uint64_t at[3]; /* by level; what is behind a call */
    unsigned level;
    unsigned commands, unknown;
};

/* ---- fields */

static void print_value(const struct field_desc *f, uint64_t raw)
{
    unsigned bits = f->last - f->first + 1u;
    int64_t value = bits < 64 ? (int64_t)(raw << (64 - bits)) >> (64 - bits) : (int64_t)raw;
    uint32_t low = (uint32_t)raw;
    float real;

    switch (f->kind) {
    case FIELD_BOOL:
        printf("%s\n", raw ? "true" : "false");
        break;
    case FIELD_INT:
        printf("%" PRId64 "\n", value);
        break;
    case FIELD_IEEE:
        memcpy(&real, &low, sizeof(real));
        printf("%g\n", (double)real);
        break;
    case FIELD_FIXED:
        printf("%g\n", (double)raw / (double)(UINT64_C(1) << f->frac));
        break;
    case FIELD_SFIXED:
        printf("%g\n", (double)value / (double)(UINT64_C(1) << f->frac));
        break;
    case FIELD_ADDR:
    case FIELD_OFFSET:
        printf("0x%" PRIx64 "\n", raw << (f->first % 32));
        break;
    default:
        printf("%" PRIu64 "\n", raw);
        break;
    }
}

static void print_group(const uint32_t *dw, unsigned ndw, const char *group, unsigned base, unsigned depth);

static void print_element(const uint32_t *dw, unsigned ndw, const struct field_desc *f, unsigned base, unsigned index,
                          unsigned depth)
{
    unsigned first = f->first + base + index * f->stride, last = f->last + base + index * f->stride;

    if (last / 32 >= ndw)
        return;
    printf("%*s%s", 8 + 4 * (int)depth, "", f->name);
    if (f->stride)
        printf("[%u]", index);
    if (f->kind == FIELD_STRUCT) {
        printf(": %s\n", f->type);
        if (depth < DEPTH_MAX)
            print_group(dw, ndw, f->type, first, depth + 1);
    } else {
        printf(": ");
        print_value(f, field_get_at(dw, (uint32_t)f->first << 16 | f->last, base + index * f->stride));
    }
}

static void print_group(const uint32_t *dw, unsigned ndw, const char *group, unsigned base, unsigned depth)
{
    unsigned n;
    const struct field_desc *f = field_group(group, &n);

    for (unsigned i = 0; f && i < n; i++) {
        unsigned left = 32 * ndw > base + f[i].first ? 32 * ndw - base - f[i].first : 0;
        unsigned count = !f[i].stride ? 1 : f[i].count ? f[i].count : left / f[i].stride;

        for (unsigned k = 0; k < count; k++)
            print_element(dw, ndw, &f[i], base, k, depth);
    }
}

/* Registers by name, where a command is a list of them. */
static void print_registers(int id, const uint32_t *dw, unsigned n)
{
    if (id != C_MI_LOAD_REGISTER_IMM)
        return;
    for (unsigned i = 1; i + 1 < n; i += 2) {
        char name[64];

        printf("        0x%05x %s: 0x%08x\n", dw[i], reg_name(dw[i], name, sizeof(name)), dw[i + 1]);
    }
}

/* ---- batches */

/* Copies n dwords at addr. False: they are in no object. */
static bool fetch(const struct capture *c, uint64_t addr, uint32_t *dw, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        uint64_t left;
        const uint8_t *p = capture_find(c, addr + 4u * i, &left);

        if (!p || left < 4)
            return false;
        memcpy(&dw[i], p, 4);
    }
    return true;
}

/* Follows a jump, or steps over the command. False: the end. */
static bool go_on(struct walk *w, int id, const uint32_t *dw, unsigned n)
{
    w->at[w->level] += 4u * n;
    if (id == C_MI_BATCH_BUFFER_START && n >= 3) {
        if ((dw[0] & BBS_SECOND) && w->level + 1 < GT_ARRAY_SIZE(w->at))
            w->level++;
        w->at[w->level] = ((uint64_t)(dw[2] & 0xffff) << 32 | dw[1]) & ~UINT64_C(3);
    } else if (id == C_MI_BATCH_BUFFER_END) {
        return w->level-- > 0;
    }
    return true;
}

static bool step(struct walk *w, unsigned engine)
{
    uint64_t addr = w->at[w->level];
    uint32_t dw[STEP_DWORDS];
    unsigned n;
    int id;

    if (!fetch(w->c, addr, dw, 1)) {
        printf("0x%012" PRIx64 "  in no object\n", addr);
        w->unknown++;
        return false;
    }
    id = cmd_find(dw[0], engine);
    n = GT_MIN(id < 0 ? cmd_unknown_length(dw[0]) : cmd_length(id, dw[0]), STEP_DWORDS);
    if (!fetch(w->c, addr, dw, n)) {
        printf("0x%012" PRIx64 "  a command that leaves its object\n", addr);
        w->unknown++;
        return false;
    }
    printf("0x%012" PRIx64 "  %*s%s (%u)\n", addr, 2 * (int)w->level, "",
           id < 0 ? "unknown command" : cmd_table[id].name, n);
    w->commands++;
    if (id < 0) {
        printf("        header: 0x%08x\n", dw[0]);
        w->unknown++;
    } else {
        print_group(dw, n, cmd_table[id].name, 0, 0);
        print_registers(id, dw, n);
    }
    return go_on(w, id, dw, n);
}

static int decode_capture(const char *path)
{
    static const uint8_t engine[] = {VGPU_RCS, VGPU_BCS, VGPU_VCS, VGPU_VECS}; /* by I915_ENGINE_CLASS_* */
    struct capture c;
    char err[200] = "";

    if (!capture_load(&c, path, err, sizeof(err))) {
        fprintf(stderr, "gtmux: %s: %s\n", path, err);
        capture_free(&c);
        return EXIT_FAILURE;
    }
    struct walk w = {.c = &c, .at = {capture_batch(&c)}};

    while (w.commands < COMMANDS_MAX &&
           step(&w, c.head.engine_class < GT_ARRAY_SIZE(engine) ? engine[c.head.engine_class] : VGPU_RCS)) {
    }
    printf("%u commands, %u unknown\n", w.commands, w.unknown);
    capture_free(&c);
    return w.unknown ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int decode_kernel(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *code = f ? malloc(KERNEL_MAX) : NULL;
    size_t n = code ? fread(code, 1, KERNEL_MAX, f) : 0;
    unsigned unknown = 0;

    if (f)
        fclose(f);
    if (!n)
        fprintf(stderr, "gtmux: %s cannot be read, or is empty\n", path);
    else
        unknown = eu_disassemble(code, n, stdout);
    free(code);
    if (unknown)
        fprintf(stderr, "gtmux: %s: %u unknown instructions\n", path, unknown);
    return n && !unknown ? EXIT_SUCCESS : EXIT_FAILURE;
}

struct options {
    bool kernel;
    const char *path;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'e':
        o->kernel = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->path)
            argp_error(state, "unexpected argument '%s'", arg);
        o->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->path)
            argp_error(state, "which file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_decode(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"eu", 'e', NULL, 0, "FILE is machine code of execution units: disassemble it", 0}, {0}};
    static const struct argp parser = {options, parse, "FILE", "Prints a captured submission (.gxc, .gxc.zst).",
                                       NULL,    NULL,  NULL};
    struct options o = {0};
    char err[200];

    if (argp_parse(&parser, argc, argv, 0, NULL, &o))
        return EXIT_USAGE;
    if (reg_init(err, sizeof(err)) || cmd_init(err, sizeof(err))) {
        fprintf(stderr, "gtmux: %s\n", err);
        return EXIT_FAILURE;
    }
    return o.kernel ? decode_kernel(o.path) : decode_capture(o.path);
}
